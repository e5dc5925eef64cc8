//! What a report may say, and what is wrong with it.

use events::database::part::Finished;
use events::database::report::{BackupReport, Outcome, Report};
use events::database::{Encryption, Endpoint, Tls};
use events::id::{BackupId, DatabaseId};
use events::time::Time;
use serde::Deserialize;
use utoipa::ToSchema;

use super::seen;
use crate::http::check::Checks;
use crate::http::problem::Problem;
use crate::{App, execute};

const LONGEST_REASON: usize = 1000;
const LONGEST_NAME: usize = 50;
const LONGEST_HOST: usize = 253;
const MOST_BACKUPS: usize = 100;
/// The largest number that every reader of JSON keeps exactly.
const LARGEST_SIZE: u64 = (1 << 53) - 1;

/// What is left out stays as it was reported before.
#[derive(Deserialize, ToSchema)]
#[schema(as = DatabaseReport)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReportBody {
    /// `provisioning`, `running`, `stopped`, `failed` or `deleted`.
    #[schema(example = "running")]
    status: Option<String>,
    /// Since when it is in that state; now when left out.
    #[schema(example = "2026-01-31T09:35:00Z")]
    since: Option<String>,
    /// Why it failed: 1 to 1000 characters.
    reason: Option<String>,
    /// An object, or `host:port`.
    endpoint: Option<EndpointBody>,
    /// An object, or whether what is stored is encrypted.
    encryption: Option<EncryptionBody>,
    /// An object, or whether a connection without it is refused.
    tls: Option<TlsBody>,
    /// Backups that have ended, or are kept no longer; 100 at most.
    #[serde(default)]
    backups: Vec<BackupBody>,
}

#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EndpointBody {
    Text(String),
    Parts(EndpointParts),
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ReportedEndpoint)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndpointParts {
    #[schema(example = "orders.fsn1.example.com")]
    host: String,
    #[schema(example = 5432)]
    port: u16,
}

#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum EncryptionBody {
    AtRest(bool),
    Parts(EncryptionParts),
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ReportedEncryption)]
#[serde(deny_unknown_fields)]
pub(crate) struct EncryptionParts {
    at_rest: bool,
    #[schema(example = "AES-256-XTS")]
    algorithm: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum TlsBody {
    Required(bool),
    Parts(TlsParts),
}

#[derive(Deserialize, ToSchema)]
#[schema(as = ReportedTls)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsParts {
    required: bool,
    #[schema(example = "1.3")]
    min_version: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = BackupReport)]
#[serde(deny_unknown_fields)]
pub(crate) struct BackupBody {
    /// Of a backup that was asked for; without it, `finished_at` tells which one it is.
    #[schema(value_type = Option<String>, example = "bak_01h2xcejqtf2nbrexx3vqjhp41")]
    id: Option<BackupId>,
    /// `succeeded`, `failed` or `deleted`.
    #[schema(example = "succeeded")]
    status: String,
    /// What it takes to store it.
    #[schema(example = 1_500_000_000)]
    size_bytes: Option<u64>,
    #[schema(example = "2026-01-31T03:00:00Z")]
    started_at: Option<String>,
    #[schema(example = "2026-01-31T03:10:00Z")]
    finished_at: Option<String>,
    encrypted: Option<bool>,
    /// Where it is kept, if that is not where the database is.
    region: Option<String>,
}

impl ReportBody {
    pub(super) fn report(self, app: &App, database: DatabaseId) -> Result<Report, Problem> {
        let now = app.clock.now();
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        let status = self.status.as_deref().and_then(seen);
        if self.status.is_some() && status.is_none() {
            let detail = "must be one of provisioning, running, stopped, failed, deleted";
            checks.wrong("status", detail);
        }
        checks.text("reason", self.reason.as_deref(), LONGEST_REASON);
        let since = time(&mut checks, "since", self.since.as_deref(), now);
        let endpoint = self.endpoint.and_then(|it| it.endpoint(&mut checks));
        let encryption = self.encryption.map(|it| it.encryption(&mut checks));
        let tls = self.tls.map(|it| it.tls(&mut checks));
        let mut backups = Vec::with_capacity(self.backups.len());
        if self.backups.len() > MOST_BACKUPS {
            checks.wrong("backups", "must have 100 entries at most");
        } else {
            for (place, backup) in self.backups.into_iter().enumerate() {
                let field = |name: &str| format!("backups[{place}].{name}");
                backups.extend(backup.report(app, database, &mut checks, field));
            }
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let reason = self.reason;
        Ok(Report { status, since, reason, endpoint, encryption, tls, backups })
    }
}

/// A time that has come, or now.
fn time(checks: &mut Checks<'_>, field: &str, text: Option<&str>, now: Time) -> Option<Time> {
    let parsed = text?.parse::<Time>();
    if parsed.is_err() {
        checks.wrong(field, "must be a time like 2026-01-31T09:30:00Z");
    }
    parsed.ok().map(|time| time.min(now))
}

impl EndpointBody {
    fn endpoint(self, checks: &mut Checks<'_>) -> Option<Endpoint> {
        let (host, port) = match self {
            Self::Parts(EndpointParts { host, port }) => (host, Some(port)),
            Self::Text(text) => {
                let (host, port) = text.rsplit_once(':').unwrap_or((&text, ""));
                (host.to_owned(), port.parse().ok())
            }
        };
        let is_sound = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
        let is_host = (1..=LONGEST_HOST).contains(&host.len()) && host.bytes().all(is_sound);
        match port {
            Some(port) if is_host && port > 0 => Some(Endpoint { host, port }),
            Some(_) | None => {
                checks.wrong("endpoint", "must be a host and a port, like db.example.com:5432");
                None
            }
        }
    }
}

impl EncryptionBody {
    fn encryption(self, checks: &mut Checks<'_>) -> Encryption {
        let (at_rest, algorithm) = match self {
            Self::AtRest(at_rest) => (at_rest, None),
            Self::Parts(EncryptionParts { at_rest, algorithm }) => (at_rest, algorithm),
        };
        checks.text("encryption.algorithm", algorithm.as_deref(), LONGEST_NAME);
        Encryption { at_rest, algorithm }
    }
}

impl TlsBody {
    fn tls(self, checks: &mut Checks<'_>) -> Tls {
        let (required, min_version) = match self {
            Self::Required(required) => (required, None),
            Self::Parts(TlsParts { required, min_version }) => (required, min_version),
        };
        checks.text("tls.min_version", min_version.as_deref(), LONGEST_NAME);
        Tls { required, min_version }
    }
}

impl BackupBody {
    fn report(
        self,
        app: &App,
        database: DatabaseId,
        checks: &mut Checks<'_>,
        field: impl Fn(&str) -> String,
    ) -> Option<BackupReport> {
        let now = app.clock.now();
        let finished = self.finished_at.as_deref().and_then(|text| text.parse::<Time>().ok());
        let finished_at =
            time(checks, &field("finished_at"), self.finished_at.as_deref(), now).unwrap_or(now);
        let started_at = time(checks, &field("started_at"), self.started_at.as_deref(), now);
        let of_schedule = || Some(execute::provisioner::backup(app, database, finished?));
        let backup = self.id.or_else(of_schedule);
        if backup.is_none() {
            checks.wrong(&field("id"), "is required, or `finished_at`");
        }
        let is_size = self.size_bytes.is_none_or(|size| size <= LARGEST_SIZE);
        if !is_size || self.status == "succeeded" && self.size_bytes.is_none() {
            checks.wrong(&field("size_bytes"), "is required: 0 to 9007199254740991");
        }
        checks.text(&field("region"), self.region.as_deref(), LONGEST_NAME);
        let succeeded = match self.status.as_str() {
            "succeeded" => true,
            "failed" => false,
            "deleted" => return Some(BackupReport { backup: backup?, outcome: Outcome::Deleted }),
            _ => {
                checks.wrong(&field("status"), "must be one of succeeded, failed, deleted");
                return None;
            }
        };
        let outcome = Outcome::Finished(Finished {
            succeeded,
            started_at,
            finished_at,
            size_bytes: self.size_bytes.filter(|_| succeeded).unwrap_or(0),
            is_encrypted: self.encrypted,
            region: self.region,
        });
        Some(BackupReport { backup: backup?, outcome })
    }
}
