//! Mail servers, spoken to by SMTP. What goes wrong before a recipient is named is the server's
//! matter and holds up every mail; what goes wrong from then on is that mail's own, even silence.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use lettre::Address;
use lettre::message::Message;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use super::Undelivered;

const USUAL_TIMEOUT: Duration = Duration::from_mins(1);
/// The server closes the connection: not a word about this mail.
const SHUTTING_DOWN: u16 = 421;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tls {
    /// From the first byte.
    Implicit,
    /// After STARTTLS, or not at all.
    Required,
    /// After STARTTLS, where the server has it.
    Offered,
    Never,
}

/// A mail server as its URL describes it.
#[derive(Clone)]
pub struct SmtpServer {
    host: String,
    port: u16,
    tls: Tls,
    user: Option<(String, SecretString)>,
    /// Whom mails are from.
    pub(super) from: Option<Address>,
    timeout: Duration,
}

impl fmt::Debug for SmtpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SmtpServer({}:{})", self.host, self.port)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServer {
    #[error("`file`, or a URL that begins with `smtp://` or `smtps://` is expected")]
    Scheme,
    #[error("a mail server has a host and no path, like smtp://mail.example.org")]
    Host,
    #[error("user and password are expected together, percent-encoded")]
    User,
    #[error(
        "a mail server's URL takes `from`, `tls` (`required` or `none`) and `timeout` (seconds)"
    )]
    Parameter,
}

impl FromStr for SmtpServer {
    type Err = InvalidServer;

    fn from_str(text: &str) -> Result<Self, InvalidServer> {
        let is_implicit = match text.split_once("://") {
            Some(("smtp", _)) => false,
            Some(("smtps", _)) => true,
            _ => return Err(InvalidServer::Scheme),
        };
        let url: Url = text.parse().map_err(|_| InvalidServer::Host)?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(InvalidServer::Host)?;
        if !["", "/"].contains(&url.path()) || url.fragment().is_some() {
            return Err(InvalidServer::Host);
        }
        let decoded = |text| percent_decode_str(text).decode_utf8().map(String::from);
        let user = match (url.username(), url.password()) {
            ("", None) => None,
            ("", Some(_)) | (_, None) => return Err(InvalidServer::User),
            (user, Some(password)) => {
                let user = decoded(user).map_err(|_| InvalidServer::User)?;
                let password = decoded(password).map_err(|_| InvalidServer::User)?;
                Some((user, SecretString::from(password)))
            }
        };
        let tls = match (is_implicit, &user) {
            (true, _) => Tls::Implicit,
            // a password is not sent in the clear, but to this very machine
            (false, Some(_)) if !is_here(host) => Tls::Required,
            (false, _) => Tls::Offered,
        };
        let port = url.port().unwrap_or(match (is_implicit, &user) {
            (true, _) => 465,
            (false, Some(_)) => 587,
            (false, None) => 25,
        });
        let timeout = USUAL_TIMEOUT;
        let host = host.trim_matches(['[', ']']).to_owned();
        let mut server = Self { host, port, tls, user, from: None, timeout };
        for (name, value) in url.query_pairs() {
            server.set(&name, &value).ok_or(InvalidServer::Parameter)?;
        }
        Ok(server)
    }
}

fn is_here(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost",
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Err(_) => false,
    }
}

impl SmtpServer {
    fn set(&mut self, name: &str, value: &str) -> Option<()> {
        match (name, value) {
            ("from", address) => self.from = Some(address.parse().ok()?),
            ("tls", "required") if self.tls != Tls::Implicit => self.tls = Tls::Required,
            ("tls", "none") if self.tls != Tls::Implicit => self.tls = Tls::Never,
            ("timeout", seconds) => {
                let seconds = seconds.parse().ok().filter(|seconds| (1..=600).contains(seconds));
                self.timeout = Duration::from_secs(seconds?);
            }
            _ => return None,
        }
        Some(())
    }
}

pub(super) struct Smtp {
    server: SmtpServer,
    hello: ClientId,
}

impl Smtp {
    /// `host` is what this installation calls itself.
    pub(super) fn new(server: SmtpServer, host: &str) -> Self {
        let hello = match host.trim_matches(['[', ']']).parse() {
            Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Err(_) => ClientId::Domain(host.to_owned()),
        };
        Self { server, hello }
    }

    /// `message` is asked for with or without 8 bits, as the server can take it.
    pub(super) async fn send(
        &self,
        from: &Address,
        to: &Address,
        message: impl Fn(bool) -> Result<Message, Undelivered>,
    ) -> Result<(), Undelivered> {
        let late = "no answer in time";
        let timeout = self.server.timeout;
        let opened = tokio::time::timeout(timeout, self.open(from, to, message)).await;
        let (mut connection, bytes) =
            opened.map_err(|_| Undelivered::Away(format!("the mail server: {late}")))??;
        match tokio::time::timeout(timeout, deliver(&mut connection, to, &bytes)).await {
            Ok(sent) => sent,
            Err(_) => Err(Undelivered::Deferred(late.to_owned())),
        }
    }

    /// Everything up to the sender.
    async fn open(
        &self,
        from: &Address,
        to: &Address,
        message: impl Fn(bool) -> Result<Message, Undelivered>,
    ) -> Result<(AsyncSmtpConnection, Vec<u8>), Undelivered> {
        let mut connection = self.connect().await.map_err(|error| away(&error))?;
        let takes_eight_bits = connection.server_info().supports_feature(Extension::EightBitMime);
        let bytes = message(takes_eight_bits)?.formatted();
        let mut parameters = Vec::new();
        if !bytes.is_ascii() {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        if !AsRef::<str>::as_ref(to).is_ascii() {
            if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
                connection.abort().await;
                return Err(Undelivered::Unwritable);
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let sender = Mail::new(Some(from.clone()), parameters);
        connection.command(sender).await.map_err(|error| away(&error))?;
        Ok((connection, bytes))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, SmtpError> {
        let SmtpServer { host, port, tls, user, timeout, .. } = &self.server;
        let parameters = || TlsParameters::new(host.clone());
        let implicit = if *tls == Tls::Implicit { Some(parameters()?) } else { None };
        let place = (host.as_str(), *port);
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(place, Some(*timeout), &self.hello, implicit, None)
                .await?;
        let starts = match tls {
            Tls::Required => true,
            Tls::Offered => connection.can_starttls(),
            Tls::Implicit | Tls::Never => false,
        };
        if starts {
            connection.starttls(parameters()?, &self.hello).await?;
        }
        if let Some((user, password)) = user {
            let password = password.expose_secret().to_owned();
            let credentials = Credentials::new(user.clone(), password);
            connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await?;
        }
        Ok(connection)
    }
}

async fn deliver(
    connection: &mut AsyncSmtpConnection,
    to: &Address,
    bytes: &[u8],
) -> Result<(), Undelivered> {
    let recipient = Rcpt::new(to.clone(), Vec::new());
    connection.command(recipient).await.map_err(|error| of_this_mail(&error))?;
    connection.command(Data).await.map_err(|error| of_this_mail(&error))?;
    connection.message(bytes).await.map_err(|error| of_this_mail(&error))?;
    // the mail is taken, whatever comes of this
    drop(connection.command(Quit).await);
    Ok(())
}

fn code(error: &SmtpError) -> Option<u16> {
    error.status().map(u16::from)
}

fn of_this_mail(error: &SmtpError) -> Undelivered {
    match code(error) {
        Some(code) if code == SHUTTING_DOWN => away(error),
        Some(code @ 500..) => Undelivered::Refused(code),
        Some(code) => Undelivered::Deferred(format!("code {code}")),
        None => Undelivered::Deferred("the connection ends".to_owned()),
    }
}

/// Not the server's words: they may repeat an address.
fn away(error: &SmtpError) -> Undelivered {
    let what = if let Some(code) = code(error) {
        format!("the mail server answers with code {code}")
    } else if error.is_timeout() {
        "the mail server: no answer in time".to_owned()
    } else if error.is_tls() {
        "no encrypted connection to the mail server".to_owned()
    } else if error.is_client() {
        "the mail server lacks what its URL asks for (encryption, or a way to sign in)".to_owned()
    } else {
        "the mail server cannot be reached".to_owned()
    };
    Undelivered::Away(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SmtpServer, InvalidServer> {
        text.parse()
    }

    #[test]
    fn a_url_says_how_to_speak_to_a_server() {
        for (url, port, tls) in [
            ("smtp://mail.example.org", 25, Tls::Offered),
            ("smtp://ana:a%40b@mail.example.org", 587, Tls::Required),
            ("smtp://ana:secret@127.0.0.1", 587, Tls::Offered),
            ("smtp://ana:secret@[::1]:2525", 2525, Tls::Offered),
            ("smtps://ana:secret@mail.example.org", 465, Tls::Implicit),
            ("smtp://mail.example.org:2525?tls=required", 2525, Tls::Required),
            ("smtp://mail.example.org/?tls=none&from=a@example.org", 25, Tls::Never),
        ] {
            let server = read(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            assert_eq!((server.port, server.tls), (port, tls), "{url}");
        }
        let server = read("smtp://ana:a%40b@mail.example.org?timeout=5").unwrap();
        let (user, password) = server.user.as_ref().unwrap();
        assert_eq!((user.as_str(), password.expose_secret()), ("ana", "a@b"));
        assert_eq!(server.timeout, Duration::from_secs(5));
        assert_eq!(format!("{server:?}"), "SmtpServer(mail.example.org:587)");
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for (url, expected) in [
            ("mail.example.org", InvalidServer::Scheme),
            ("http://mail.example.org", InvalidServer::Scheme),
            ("smtp://", InvalidServer::Host),
            ("smtp://mail.example.org/path", InvalidServer::Host),
            ("smtp://ana@mail.example.org", InvalidServer::User),
            ("smtp://mail.example.org?tls=maybe", InvalidServer::Parameter),
            ("smtps://mail.example.org?tls=none", InvalidServer::Parameter),
            ("smtp://mail.example.org?from=nobody", InvalidServer::Parameter),
            ("smtp://mail.example.org?timeout=0", InvalidServer::Parameter),
        ] {
            assert_eq!(read(url).err(), Some(expected), "{url}");
        }
    }
}
