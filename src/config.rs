//! Flags, environment and file -> one checked struct. A flag wins over the environment, the
//! environment over the file. Every mistake is told at once.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use events::plan::Catalogue;
use ipnet::IpNet;
use secrecy::SecretString;

use crate::catalogue;
use crate::installation_token::SHORTEST;
use crate::mail::smtp::SmtpServer;
use crate::payment::Payments;

mod flags;

pub use flags::Flags;
use flags::{SETTINGS, Secret};

const PREFIX: &str = "CHANCERY_";
const FILE: &str = "chancery.toml";
/// Variables that are read by somebody else than this file.
const OTHER_VARIABLES: [&str; 6] = [
    "CHANCERY_CONFIG",
    "CHANCERY_LOG",
    "CHANCERY_LOG_FORMAT",
    "CHANCERY_FAIL_POINT",
    "CHANCERY_FAIL_AFTER",
    "CHANCERY_FAIL_HOW",
];

#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub data: PathBuf,
    pub database: Database,
    pub event_log: EventLogPlace,
    pub master_key_file: PathBuf,
    pub(crate) signer_state: SignerState,
    /// Scheme and authority, without a slash at the end.
    public_url: Option<String>,
    pub mail: MailPlace,
    /// Proxies that are believed about where requests come from.
    pub trusted_proxies: Vec<IpNet>,
    /// What the file says that can be chosen.
    pub(crate) catalogue: Option<Catalogue>,
    pub(crate) payments: Payments,
    /// Whether anything is refused because it comes too often.
    pub rate_limits: bool,
    /// Whether the operator may move the clock.
    pub test_clock: bool,
    /// Where none is set, one is made in the data folder.
    pub operator_token: Option<SecretString>,
    /// The same, of those who make and run databases.
    pub provisioner_token: Option<SecretString>,
}

/// Where mails go.
#[derive(Clone, Debug)]
pub enum MailPlace {
    /// Into a folder of the data folder.
    Outbox,
    Smtp(SmtpServer),
}

impl Config {
    /// How the world reaches a server that listens on this address.
    pub(crate) fn public_url_at(&self, address: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{address}"))
    }
}

#[derive(Clone, Debug)]
pub enum Database {
    Sqlite,
    Postgres(SecretString),
}

/// Where what was signed last is remembered.
#[derive(Clone, Debug)]
pub(crate) enum SignerState {
    /// Of several nodes, only one signs then.
    InDataFolder,
    File(PathBuf),
    Postgres(SecretString),
}

#[derive(Clone, Debug)]
pub enum EventLogPlace {
    InDatabase,
    EventStoreDb(SecretString),
}

/// Everything that is wrong with the configuration.
#[derive(Debug)]
pub struct Mistakes(Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has {} mistake(s)", self.0.len())?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// One setting's text, and where it came from.
struct Given {
    text: String,
    from: String,
}

impl Config {
    /// Reads the settings of this process.
    pub fn read(flags: &Flags) -> Result<Self, Mistakes> {
        // lossy: a value that is not UTF-8 is then refused like any other that makes no sense
        let readable = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
        let variables = std::env::vars_os()
            .map(|(name, value)| (readable(name), readable(value)))
            .filter(|(name, _)| name.starts_with(PREFIX));
        Self::from(flags, variables.collect())
    }

    fn from(flags: &Flags, variables: BTreeMap<String, String>) -> Result<Self, Mistakes> {
        let mut mistakes = Vec::new();
        let file = read_file(flags.config.as_deref(), &mut mistakes);
        refuse_unknown(&variables, &file, &mut mistakes);
        let mut given = BTreeMap::new();
        for (name, secret) in SETTINGS {
            let found = from_flag(flags, name)
                .or_else(|| from_variable(&variables, name, secret, &mut mistakes))
                .or_else(|| from_file(&file, name, &mut mistakes));
            given.extend(found.map(|found| (name, found)));
        }
        let config = check(&given, &mut mistakes);
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            _ => Err(Mistakes(mistakes)),
        }
    }
}

fn read_file(path: Option<&Path>, mistakes: &mut Vec<String>) -> toml::Table {
    let named = path.is_some();
    let path = path.unwrap_or(Path::new(FILE));
    match std::fs::read_to_string(path) {
        Ok(text) => text.parse().unwrap_or_else(|error: toml::de::Error| {
            mistakes.push(format!("`{}` is not TOML: {}", path.display(), error.message()));
            toml::Table::new()
        }),
        Err(error) if named || error.kind() != std::io::ErrorKind::NotFound => {
            mistakes.push(format!("cannot read `{}`: {error}", path.display()));
            toml::Table::new()
        }
        Err(_) => toml::Table::new(),
    }
}

fn variable_of(name: &str) -> String {
    format!("{PREFIX}{}", name.to_uppercase().replace('-', "_"))
}

fn refuse_unknown(
    variables: &BTreeMap<String, String>,
    file: &toml::Table,
    mistakes: &mut Vec<String>,
) {
    let known = SETTINGS.iter().flat_map(|(name, secret)| {
        let variable = variable_of(name);
        let in_file = (*secret == Secret::Yes).then(|| format!("{variable}_FILE"));
        std::iter::once(variable).chain(in_file)
    });
    let known: Vec<String> = known.chain(OTHER_VARIABLES.map(str::to_owned)).collect();
    for name in variables.keys().filter(|name| !name.starts_with("CHANCERY_TEST_")) {
        if !known.contains(name) {
            mistakes.push(format!("the variable `{name}` is not a setting; remove or correct it"));
        }
    }
    for key in file.keys() {
        if !SETTINGS.iter().any(|(name, _)| name == key) {
            mistakes.push(format!(
                "the key `{key}` of the file is not a setting; remove or correct it"
            ));
        }
    }
}

fn from_flag(flags: &Flags, name: &str) -> Option<Given> {
    flags.get(name).map(|text| Given { text: text.to_owned(), from: format!("`--{name}`") })
}

fn from_variable(
    variables: &BTreeMap<String, String>,
    name: &str,
    secret: Secret,
    mistakes: &mut Vec<String>,
) -> Option<Given> {
    let variable = variable_of(name);
    let in_file = format!("{variable}_FILE");
    let path = variables.get(&in_file).filter(|_| secret == Secret::Yes);
    match (variables.get(&variable), path) {
        (Some(_), Some(_)) => {
            mistakes.push(format!("`{variable}` and `{in_file}` are both set; keep one"));
            None
        }
        (Some(text), None) => Some(Given { text: text.clone(), from: format!("`{variable}`") }),
        (None, Some(path)) => match std::fs::read_to_string(path) {
            Ok(text) => Some(Given { text: text.trim().to_owned(), from: format!("`{in_file}`") }),
            Err(error) => {
                mistakes.push(format!("`{in_file}`: cannot read `{path}`: {error}"));
                None
            }
        },
        (None, None) => None,
    }
}

fn from_file(file: &toml::Table, name: &str, mistakes: &mut Vec<String>) -> Option<Given> {
    let value = file.get(name)?;
    if let Some(text) = value.as_str() {
        return Some(Given { text: text.to_owned(), from: format!("`{name}` in the file") });
    }
    mistakes.push(format!("`{name}` in the file must be a string"));
    None
}

fn check(given: &BTreeMap<&str, Given>, mistakes: &mut Vec<String>) -> Option<Config> {
    let text = |name| given.get(name).map(|given| given.text.as_str());
    let from = |name| given.get(name).map_or("", |given| given.from.as_str());
    let listen = text("listen").unwrap_or("127.0.0.1:8080").parse::<SocketAddr>();
    if listen.is_err() {
        let from = from("listen");
        mistakes.push(format!("{from}: an address and port is expected, like 127.0.0.1:8080"));
    }
    let data = PathBuf::from(text("data").unwrap_or("./chancery-data"));
    let database = match text("database") {
        None => Database::Sqlite,
        Some(url) if is_postgres(url) => Database::Postgres(url.into()),
        Some(_) => {
            let from = from("database");
            mistakes.push(format!("{from}: a URL that begins with `postgres://` is expected"));
            Database::Sqlite
        }
    };
    let event_log = match text("event-log") {
        None => EventLogPlace::InDatabase,
        Some(url) if !url.starts_with("esdb://") => {
            let from = from("event-log");
            mistakes.push(format!("{from}: a URL that begins with `esdb://` is expected"));
            EventLogPlace::InDatabase
        }
        Some(_) if cfg!(not(feature = "eventstore")) => {
            mistakes.push("this program was built without the feature `eventstore`".to_owned());
            EventLogPlace::InDatabase
        }
        Some(url) => EventLogPlace::EventStoreDb(url.into()),
    };
    let master_key_file =
        text("master-key-file").map_or_else(|| data.join("master.key"), PathBuf::from);
    let signer_state = signer_state(given, mistakes);
    let public_url = text("public-url").map(|url| url.trim_end_matches('/').to_owned());
    if let Some(url) = &public_url {
        let authority = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let sound = authority.is_some_and(|rest| {
            !rest.is_empty()
                && !rest.contains(['/', '?', '#', '@'])
                && !rest.contains(char::is_whitespace)
        });
        if !sound {
            let from = from("public-url");
            mistakes.push(format!(
                "{from}: scheme and host are expected, like https://org.example.com"
            ));
        }
    }
    let mail = match text("mail") {
        None | Some("file") => MailPlace::Outbox,
        Some(url) => match url.parse() {
            Ok(server) => MailPlace::Smtp(server),
            Err(error) => {
                mistakes.push(format!("{}: {error}", from("mail")));
                MailPlace::Outbox
            }
        },
    };
    let trusted_proxies = text("trusted-proxies").map_or(Some(vec![]), networks);
    if trusted_proxies.is_none() {
        let from = from("trusted-proxies");
        mistakes
            .push(format!("{from}: networks or addresses are expected, like 10.0.0.0/8,192.0.2.7"));
    }
    let catalogue = text("plans").and_then(|path| read_catalogue(path, from("plans"), mistakes));
    let payments = payments(given.get("billing"), mistakes);
    let mut is_on = |name, usual| {
        let said = text(name).unwrap_or(usual);
        if !["on", "off"].contains(&said) {
            mistakes.push(format!("{}: `on` or `off` is expected", from(name)));
        }
        said == "on"
    };
    let (rate_limits, test_clock) = (is_on("rate-limits", "on"), is_on("test-clock", "off"));
    let mut token = |name| {
        let token = text(name);
        if token.is_some_and(|token| token.len() < SHORTEST) {
            mistakes.push(format!("{}: at least {SHORTEST} characters", from(name)));
        }
        token.map(SecretString::from)
    };
    let (operator_token, provisioner_token) = (token("operator-token"), token("provisioner-token"));
    let listen = listen.ok()?;
    Some(Config {
        listen,
        data,
        database,
        event_log,
        master_key_file,
        signer_state,
        public_url,
        mail,
        trusted_proxies: trusted_proxies.unwrap_or_default(),
        catalogue,
        payments,
        rate_limits,
        test_clock,
        operator_token,
        provisioner_token,
    })
}

fn read_catalogue(path: &str, from: &str, mistakes: &mut Vec<String>) -> Option<Catalogue> {
    let text = std::fs::read_to_string(path);
    let text =
        text.map_err(|error| mistakes.push(format!("{from}: cannot read `{path}`: {error}")));
    let read = catalogue::read(&text.ok()?);
    read.map_err(|found| mistakes.extend(found.iter().map(|it| format!("{from}, `{path}`: {it}"))))
        .ok()
}

fn signer_state(given: &BTreeMap<&str, Given>, mistakes: &mut Vec<String>) -> SignerState {
    let Some(Given { text, from }) = given.get("signer-state") else {
        return SignerState::InDataFolder;
    };
    if !is_postgres(text) {
        return SignerState::File(PathBuf::from(text));
    }
    if given.get("database").is_some_and(|database| database.text == *text) {
        mistakes.push(format!(
            "{from}: another database than that of `database` is expected: what was signed must not \
             be put back with a backup"
        ));
    }
    SignerState::Postgres(text.as_str().into())
}

fn payments(given: Option<&Given>, mistakes: &mut Vec<String>) -> Payments {
    let Some(Given { text, from }) = given else { return Payments::Manual };
    Payments::named(text).unwrap_or_else(|| {
        mistakes.push(format!("{from}: `manual` is expected"));
        Payments::Manual
    })
}

fn is_postgres(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// Networks separated by commas; an address alone is the network that has no other.
fn networks(text: &str) -> Option<Vec<IpNet>> {
    let network = |text: &str| {
        let text = text.trim();
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
    };
    text.split(',').map(network).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::from(&Flags::default(), variables.collect())
    }

    #[test]
    fn nothing_needs_to_be_configured() {
        let config = read(&[]).expect("the defaults are sound");
        assert_eq!(config.public_url_at(config.listen), "http://127.0.0.1:8080");
        assert_eq!(config.master_key_file, Path::new("./chancery-data/master.key"));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let mistakes = read(&[
            ("CHANCERY_LISTEN", "nowhere"),
            ("CHANCERY_DATABASE", "mysql://localhost"),
            ("CHANCERY_EVENT_LOG", "http://localhost"),
            ("CHANCERY_PUBLIC_URL", "org.example.com"),
            ("CHANCERY_TRUSTED_PROXIES", "10.0.0.0/8,proxy.example.com"),
            ("CHANCERY_LISTENS", "127.0.0.1:1"),
        ])
        .expect_err("six mistakes");
        assert_eq!(mistakes.0.len(), 6, "{mistakes}");
    }

    #[test]
    fn a_flag_wins_over_the_environment() {
        let flags = Flags { listen: Some("127.0.0.1:9".to_owned()), ..Flags::default() };
        let variables = BTreeMap::from([("CHANCERY_LISTEN".to_owned(), "127.0.0.1:8".to_owned())]);
        let config = Config::from(&flags, variables).expect("both are sound");
        assert_eq!(config.listen.port(), 9);
    }
}
