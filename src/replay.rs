//! Operator verb: what an organization was, folded from its events, by the log itself or by an export
//! of it. Every line is checked to follow from the one before while it is read; what does not follow
//! is told with its version, and nothing is printed. Of the log itself personal values stay sealed.

use std::io::Write as _;

use anyhow::bail;
use events::State as _;
use events::chain::Link;
use events::id::OrganizationId;
use events::organization::Organization;
use events::recorded::Recorded;
use events::time::Time;
use events::wire;
use serde_json::{Value, json};

use crate::config::Flags;
use crate::past::Moment;

mod difference;
mod exported;
mod held;
mod shown;
pub(crate) mod source;
mod stated;

pub use source::Fault;
use source::{Read, Source};

/// Which organization, and when.
#[derive(clap::Args)]
#[group(id = "moments")]
pub struct Replay {
    #[command(flatten)]
    source: Source,
    /// As it was at a version or a time (RFC 3339) [default: after the last event]
    #[arg(long, value_name = "MOMENT", conflicts_with_all = ["from", "to", "diff"])]
    until: Option<String>,
    /// Print what changed between two moments, and the events that changed it
    #[arg(long, requires = "from")]
    diff: bool,
    /// The earlier moment
    #[arg(long, value_name = "MOMENT", requires = "diff")]
    from: Option<String>,
    /// The later moment [default: after the last event]
    #[arg(long, value_name = "MOMENT", requires = "diff")]
    to: Option<String>,
}

/// Prints it as JSON.
pub async fn replay(flags: &Flags, replay: &Replay) -> anyhow::Result<()> {
    let moment = |text: &Option<String>| text.as_deref().map(str::parse::<Moment>).transpose();
    let until = moment(&replay.until)?.or(moment(&replay.to)?);
    let from = moment(&replay.from)?;
    let now = Fold { until, ..Fold::default() };
    let mut folding = Folding { since: from.map(Fold::until), now, between: Vec::new() };
    let take = |recorded: &Recorded| {
        folding.take(recorded);
        Ok(())
    };
    let Read { count, hash, organization } = replay.source.read(flags, false, take).await?;
    let out = folding.told(organization)?;
    eprintln!("{count} events of {organization} follow from each other; the last is {hash}");
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, &out)?;
    writeln!(stdout)?;
    Ok(())
}

/// The organization up to one moment.
#[derive(Default)]
struct Fold {
    /// The last event, where none is named.
    until: Option<Moment>,
    state: Organization,
    last: Option<(u64, Time, Link)>,
}

impl Fold {
    fn until(moment: Moment) -> Self {
        Self { until: Some(moment), ..Self::default() }
    }

    fn take(&mut self, recorded: &Recorded) -> bool {
        let is_within = match self.until {
            None => true,
            Some(Moment::Version(version)) => recorded.version <= version,
            Some(Moment::Time(time)) => recorded.at <= time,
        };
        if is_within {
            self.state.evolve(recorded);
            self.last = Some((recorded.version, recorded.at, recorded.link));
        }
        is_within
    }

    fn told(&self, organization: OrganizationId) -> anyhow::Result<Value> {
        let Some((version, at, hash)) = self.last else { bail!("there was nothing yet") };
        if let Some(Moment::Version(wanted)) = self.until
            && wanted > version
        {
            bail!("there is no version {wanted}: the last one is {version}");
        }
        let moment = match self.until {
            Some(Moment::Time(time)) => time,
            Some(Moment::Version(_)) | None => at,
        };
        let mut told = shown::organization(organization, &self.state, moment);
        told["version"] = json!(version);
        told["recorded_at"] = json!(at);
        told["hash"] = json!(hash);
        Ok(told)
    }
}

/// What is asked for on its way: one moment, or two and what is between them.
struct Folding {
    since: Option<Fold>,
    now: Fold,
    /// The events of the later one that the earlier one does not have.
    between: Vec<Value>,
}

impl Folding {
    fn take(&mut self, recorded: &Recorded) {
        let is_before = self.since.as_mut().is_some_and(|since| since.take(recorded));
        let is_within = self.now.take(recorded);
        if self.since.is_some() && is_within && !is_before {
            let (action, _) = wire::kind(&recorded.event);
            self.between.push(json!({ "version": recorded.version, "id": recorded.id,
                "action": action, "actor": recorded.actor, "recorded_at": recorded.at }));
        }
    }

    fn told(self, organization: OrganizationId) -> anyhow::Result<Value> {
        let now = self.now.told(organization)?;
        let Some(since) = self.since else { return Ok(now) };
        let since = since.told(organization)?;
        if since["version"].as_u64() > now["version"].as_u64() {
            bail!("`--from` is later than `--to`");
        }
        let of = |told: &Value| {
            json!({ "version": told["version"], "recorded_at": told["recorded_at"],
                "hash": told["hash"] })
        };
        Ok(json!({
            "organization": organization,
            "from": of(&since),
            "to": of(&now),
            "changes": difference::between(&since, &now),
            "events": self.between,
        }))
    }
}
