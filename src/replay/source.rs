//! Where an organization's events are read from: the log itself, or an export of it. Every line is
//! checked to follow from the one before. Its usage comes after all else.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use events::chain::{Broken, Link, Walk};
use events::id::OrganizationId;
use events::platform::Platform;
use events::recorded::Recorded;
use events::stream::Stream;
use events::{Event, State as _, organization, wire};

use super::exported::{self, Line};
use crate::config::{Config, Flags};
use crate::event_log::LogReader;
use crate::serve::open_reader;

/// Events that are in memory at once.
const PAGE: usize = 1000;
/// Of usage, where one event can be large.
const PAGE_OF_USAGE: usize = 50;

/// Which organization.
#[derive(clap::Args)]
#[group(id = "sources")]
pub(crate) struct Source {
    /// Its id or slug; a personal organization by its id
    #[arg(long, value_name = "ORGANIZATION", required_unless_present = "file")]
    org: Option<String>,
    /// An export of the organization or of its audit log (NDJSON), instead of the log: needs neither
    /// server nor database
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
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

/// What was read and checked of the organization's stream.
pub(crate) struct Read {
    pub(crate) count: u64,
    pub(crate) hash: Link,
    pub(crate) organization: OrganizationId,
}

impl Read {
    fn new(walk: &Walk, organization: OrganizationId) -> Self {
        let (count, hash) = walk.end();
        Self { count, hash, organization }
    }
}

impl Source {
    /// Gives each event to `take`: those of the organization, and after them its usage where the log
    /// is read for that; a file has what it has.
    pub(crate) async fn read(
        &self,
        flags: &Flags,
        with_usage: bool,
        take: impl FnMut(&Recorded) -> anyhow::Result<()>,
    ) -> anyhow::Result<Read> {
        let name = self.org.as_deref();
        match &self.file {
            Some(path) => from_whole_file(path, name, take),
            None => from_log(flags, name.unwrap_or_default(), with_usage, take).await,
        }
    }
}

async fn from_log(
    flags: &Flags,
    name: &str,
    with_usage: bool,
    mut take: impl FnMut(&Recorded) -> anyhow::Result<()>,
) -> anyhow::Result<Read> {
    let config = Config::read(flags)?;
    let log = open_reader(&config).await.context("cannot open the log")?;
    let organization = match name.parse() {
        Ok(id) => id,
        Err(_) => OrganizationId::of_slug(log_id(&log).await?, name),
    };
    let walk = stream_of_log(&log, Stream::Organization(organization), PAGE, &mut take).await?;
    if walk.end().0 == 0 {
        bail!("the log has no organization `{name}`");
    }
    if with_usage {
        stream_of_log(&log, Stream::Usage(organization), PAGE_OF_USAGE, &mut take).await?;
    }
    Ok(Read::new(&walk, organization))
}

async fn stream_of_log(
    log: &LogReader,
    stream: Stream,
    page: usize,
    take: &mut impl FnMut(&Recorded) -> anyhow::Result<()>,
) -> anyhow::Result<Walk> {
    let mut walk = Walk::new(&stream);
    loop {
        let (next, _) = walk.end();
        let stored = log.read_stream(&stream, next, page).await?;
        if stored.is_empty() {
            return Ok(walk);
        }
        for event in stored {
            let (version, _) = walk.end();
            walk.step(&event.line).map_err(Fault::from)?;
            let recorded = wire::decode(event.position, &event.line, &event.sealed);
            take(&recorded.map_err(|source| Fault::NoEvent { version, source })?)?;
        }
    }
}

async fn log_id(log: &LogReader) -> anyhow::Result<uuid::Uuid> {
    let mut platform = Platform::default();
    for event in log.read_stream(&Stream::Platform, 0, 1).await? {
        platform.evolve(&wire::decode(event.position, &event.line, &event.sealed)?);
    }
    platform.log_id.context("the log is empty")
}

/// What a filter has left cannot follow from each other: that is no fault, and is said as it is.
fn from_whole_file(
    path: &Path,
    name: Option<&str>,
    take: impl FnMut(&Recorded) -> anyhow::Result<()>,
) -> anyhow::Result<Read> {
    from_file(path, name, take).map_err(|error| {
        if error.is::<Fault>() && exported::is_filtered(path) {
            return anyhow!("the file was exported with a filter: what is between was left out");
        }
        error
    })
}

fn from_file(
    path: &Path,
    name: Option<&str>,
    mut take: impl FnMut(&Recorded) -> anyhow::Result<()>,
) -> anyhow::Result<Read> {
    let file = File::open(path).with_context(|| format!("cannot open `{}`", path.display()))?;
    let mut file = BufReader::new(file);
    let mut walks = None;
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
                let walks = match &mut walks {
                    Some(walks) => walks,
                    None => {
                        let organization = event
                            .organization()
                            .context("the file begins with no event of an organization")?;
                        walks.insert(Walks::new(organization))
                    }
                };
                take(&walks.step(&event, name)?)?;
            }
            Line::Member => {}
            Line::Manifest(manifest) => {
                if manifest.is_filtered() {
                    bail!("the file was exported with a filter: what is between was left out");
                }
                let hash = walks.as_ref().map(|walks| walks.organization.end().1);
                manifest.agrees(&before, hash)?;
                is_whole = true;
            }
        }
        before.take(&text);
    }
    let Some(Walks { id, organization, .. }) = walks else { bail!("the file has no events") };
    if !is_whole {
        return Err(Fault::Torn.into());
    }
    Ok(Read::new(&organization, id))
}

/// The streams that a file holds.
struct Walks {
    id: OrganizationId,
    organization: Walk,
    usage: Walk,
}

impl Walks {
    fn new(id: OrganizationId) -> Self {
        let organization = Walk::new(&Stream::Organization(id));
        Self { id, organization, usage: Walk::new(&Stream::Usage(id)) }
    }

    fn step(
        &mut self,
        event: &exported::Event<'_>,
        name: Option<&str>,
    ) -> anyhow::Result<Recorded> {
        let walk = if event.is_usage() { &mut self.usage } else { &mut self.organization };
        let (version, _) = walk.end();
        walk.step(event.line()).map_err(Fault::from)?;
        if event.hash != walk.end().1 {
            return Err(Fault::Hash { version }.into());
        }
        let recorded = event.recorded().map_err(|source| Fault::NoEvent { version, source })?;
        if let Some(name) = name
            && let Event::Organization(organization::Event::Created { slug, .. }) = &recorded.event
            && slug != name
            && self.id.to_string() != name
        {
            bail!("the file is of {}, not of `{name}`", self.id);
        }
        Ok(recorded)
    }
}
