//! Operator verb: what an organization was, folded from its events, by the log itself or by an export
//! of it. Every line is checked to follow from the one before while it is read; what does not follow
//! is told with its version, and nothing is printed. Of the log itself personal values stay sealed.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use events::State as _;
use events::chain::{Broken, Link, Walk};
use events::id::OrganizationId;
use events::organization::Organization;
use events::platform::Platform;
use events::recorded::Recorded;
use events::stream::Stream;
use events::time::Time;
use events::wire;
use serde_json::{Value, json};

use crate::config::{Config, Flags};
use crate::event_log::LogReader;
use crate::past::Moment;
use crate::serve::open_reader;

mod difference;
mod exported;
mod held;
mod shown;
mod stated;

use exported::Line;

/// Events that are in memory at once.
const PAGE: usize = 1000;

/// Which organization, and when.
#[derive(clap::Args)]
#[group(id = "moments")]
pub struct Replay {
    /// Its id or slug; a personal organization by its id
    #[arg(long, value_name = "ORGANIZATION", required_unless_present = "file")]
    org: Option<String>,
    /// An export of the organization or of its audit log (NDJSON), instead of the log: needs neither
    /// server nor database
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
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

/// Something does not follow from what is before it.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error(transparent)]
    Chain(#[from] Broken),
    #[error("version {version} cannot be read as an event")]
    NoEvent { version: u64, source: wire::Malformed },
    #[error("line {line} of the file cannot be read")]
    NoLine { line: usize, source: serde_json::Error },
    #[error("version {version} has another hash than the file says")]
    Hash { version: u64 },
    #[error("the file has no manifest at its end: it is torn")]
    Torn,
    #[error("the manifest is of another file: its `{0}` differs")]
    Manifest(&'static str),
    #[error("line {0} of the file comes after its manifest")]
    AfterManifest(usize),
}

/// Prints it as JSON.
pub async fn replay(flags: &Flags, replay: &Replay) -> anyhow::Result<()> {
    let moment = |text: &Option<String>| text.as_deref().map(str::parse::<Moment>).transpose();
    let until = moment(&replay.until)?.or(moment(&replay.to)?);
    let from = moment(&replay.from)?;
    let now = Fold { until, ..Fold::default() };
    let mut folding = Folding { since: from.map(Fold::until), now, between: Vec::new() };
    let (read, name) = match &replay.file {
        Some(path) => (from_whole_file(path, &mut folding)?, replay.org.as_deref()),
        None => (from_log(flags, replay, &mut folding).await?, None),
    };
    let Read { count, hash, organization } = read;
    if let Some(name) = name
        && !folding.now.is_called(organization, name)
    {
        bail!("the file is of {organization}, not of `{name}`");
    }
    let out = folding.told(organization)?;
    eprintln!("{count} events of {organization} follow from each other; the last is {hash}");
    let mut stdout = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut stdout, &out)?;
    writeln!(stdout)?;
    Ok(())
}

/// What was read and checked.
struct Read {
    count: u64,
    hash: Link,
    organization: OrganizationId,
}

impl Read {
    fn new(walk: &Walk, organization: OrganizationId) -> Self {
        let (count, hash) = walk.end();
        Self { count, hash, organization }
    }
}

async fn from_log(flags: &Flags, replay: &Replay, folding: &mut Folding) -> anyhow::Result<Read> {
    let config = Config::read(flags)?;
    let log = open_reader(&config).await.context("cannot open the log")?;
    let name = replay.org.as_deref().unwrap_or_default();
    let organization = match name.parse() {
        Ok(id) => id,
        Err(_) => OrganizationId::of_slug(log_id(&log).await?, name),
    };
    let stream = Stream::Organization(organization);
    let mut walk = Walk::new(&stream);
    loop {
        let (next, _) = walk.end();
        let stored = log.read_stream(&stream, next, PAGE).await?;
        if stored.is_empty() {
            break;
        }
        for event in stored {
            let (version, _) = walk.end();
            walk.step(&event.line).map_err(Fault::from)?;
            let recorded = wire::decode(event.position, &event.line, &event.sealed);
            folding.take(&recorded.map_err(|source| Fault::NoEvent { version, source })?);
        }
    }
    if walk.end().0 == 0 {
        bail!("the log has no organization `{name}`");
    }
    Ok(Read::new(&walk, organization))
}

async fn log_id(log: &LogReader) -> anyhow::Result<uuid::Uuid> {
    let mut platform = Platform::default();
    for event in log.read_stream(&Stream::Platform, 0, 1).await? {
        platform.evolve(&wire::decode(event.position, &event.line, &event.sealed)?);
    }
    platform.log_id.context("the log is empty")
}

/// What a filter has left cannot follow from each other: that is no fault, and is said as it is.
fn from_whole_file(path: &Path, folding: &mut Folding) -> anyhow::Result<Read> {
    from_file(path, folding).map_err(|error| {
        if error.is::<Fault>() && exported::is_filtered(path) {
            return anyhow!("the file was exported with a filter: what is between was left out");
        }
        error
    })
}

fn from_file(path: &Path, folding: &mut Folding) -> anyhow::Result<Read> {
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    let mut file = BufReader::new(file);
    let mut walk = None;
    let (mut text, mut number) = (Vec::new(), 0);
    let (mut before, mut is_whole) = (exported::Before::default(), false);
    loop {
        text.clear();
        if file.read_until(b'\n', &mut text).context("cannot read the file")? == 0 {
            break;
        }
        number += 1;
        if is_whole {
            return Err(Fault::AfterManifest(number).into());
        }
        match Line::read(&text).map_err(|source| Fault::NoLine { line: number, source })? {
            Line::Event(event) => {
                let (walk, _) = match &mut walk {
                    Some(walk) => walk,
                    None => {
                        let organization = event
                            .organization()
                            .context("the file begins with no event of an organization")?;
                        let stream = Stream::Organization(organization);
                        walk.insert((Walk::new(&stream), organization))
                    }
                };
                let (version, _) = walk.end();
                walk.step(event.line()).map_err(Fault::from)?;
                if event.hash != walk.end().1 {
                    return Err(Fault::Hash { version }.into());
                }
                let recorded = event.recorded();
                folding.take(&recorded.map_err(|source| Fault::NoEvent { version, source })?);
            }
            Line::Member => {}
            Line::Manifest(manifest) => {
                if manifest.is_filtered() {
                    bail!("the file was exported with a filter: what is between was left out");
                }
                let hash = walk.as_ref().map(|(walk, _)| walk.end().1);
                manifest.agrees(&before, hash)?;
                is_whole = true;
            }
        }
        before.take(&text);
    }
    let Some((walk, organization)) = walk else { bail!("the file has no events") };
    if !is_whole {
        return Err(Fault::Torn.into());
    }
    Ok(Read::new(&walk, organization))
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

    fn is_called(&self, organization: OrganizationId, name: &str) -> bool {
        let slug = self.state.profile().map(|profile| profile.slug.as_str());
        organization.to_string() == name || slug == Some(name)
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
