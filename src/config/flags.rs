//! Every setting by its name, and the flags among them.

use std::path::PathBuf;

/// Settings of `chancery serve`; each also as `CHANCERY_<NAME>` and as a key of `chancery.toml`.
#[derive(Clone, Default, clap::Args)]
pub struct Flags {
    /// Address to serve on [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// Folder of the embedded databases and keys [default: ./chancery-data]
    #[arg(long, value_name = "FOLDER")]
    pub(super) data: Option<String>,
    /// `postgres://…` to use PostgreSQL [default: SQLite in the data folder]
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
    /// `esdb://…` to keep the log in EventStoreDB or KurrentDB [default: in the database]
    #[arg(long, value_name = "URL")]
    pub(super) event_log: Option<String>,
    /// The key that wraps all others [default: master.key in the data folder]
    #[arg(long, value_name = "FILE")]
    pub(super) master_key_file: Option<String>,
    /// What was signed last is remembered here, outside of every backup: a file, or `postgres://…` of
    /// another database where several nodes sign [default: signer-state in the data folder]
    #[arg(long, value_name = "FILE|URL")]
    pub(super) signer_state: Option<String>,
    /// How the world reaches this server; names the logs for ever at the first start
    /// [default: the listen address]
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<String>,
    /// `file` to write mails into the data folder, `smtp://…` or `smtps://…` to send them
    /// [default: file]
    #[arg(long, value_name = "URL")]
    pub(super) mail: Option<String>,
    /// Networks of the proxies in front, separated by commas: they are believed about where requests
    /// come from [default: none]
    #[arg(long, value_name = "NETWORKS")]
    pub(super) trusted_proxies: Option<String>,
    /// A file with plans, prices and regions [default: built in]
    #[arg(long, value_name = "FILE")]
    pub(super) plans: Option<String>,
    /// Who takes payments: `manual`, which asks nobody, as invoices are paid outside [default: manual]
    #[arg(long, value_name = "PROVIDER")]
    pub(super) billing: Option<String>,
    /// `off` for load tests: nothing is refused because it comes too often [default: on]
    #[arg(long, value_name = "ON|OFF")]
    pub(super) rate_limits: Option<String>,
    /// `on` lets the operator move the clock, for tests [default: off]
    #[arg(long, value_name = "ON|OFF", num_args = 0..=1, default_missing_value = "on")]
    pub(super) test_clock: Option<String>,
    /// A file with these settings [default: chancery.toml, where there is one]
    #[arg(long, value_name = "FILE", env = "CHANCERY_CONFIG")]
    pub(super) config: Option<PathBuf>,
}

impl Flags {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        match name {
            "listen" => self.listen.as_deref(),
            "data" => self.data.as_deref(),
            "database" => self.database.as_deref(),
            "event-log" => self.event_log.as_deref(),
            "master-key-file" => self.master_key_file.as_deref(),
            "signer-state" => self.signer_state.as_deref(),
            "public-url" => self.public_url.as_deref(),
            "mail" => self.mail.as_deref(),
            "trusted-proxies" => self.trusted_proxies.as_deref(),
            "plans" => self.plans.as_deref(),
            "billing" => self.billing.as_deref(),
            "rate-limits" => self.rate_limits.as_deref(),
            "test-clock" => self.test_clock.as_deref(),
            _ => None,
        }
    }
}

/// Every setting; those that may hold a secret are also read from the file that
/// `CHANCERY_<NAME>_FILE` names.
pub(super) const SETTINGS: [(&str, Secret); 15] = [
    ("listen", Secret::No),
    ("data", Secret::No),
    ("database", Secret::Yes),
    ("event-log", Secret::Yes),
    ("master-key-file", Secret::No),
    ("signer-state", Secret::Yes),
    ("public-url", Secret::No),
    ("mail", Secret::Yes),
    ("trusted-proxies", Secret::No),
    ("plans", Secret::No),
    ("billing", Secret::No),
    ("rate-limits", Secret::No),
    ("test-clock", Secret::No),
    // no flag: whoever lists the processes would read it
    ("operator-token", Secret::Yes),
    ("provisioner-token", Secret::Yes),
];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Secret {
    Yes,
    No,
}
