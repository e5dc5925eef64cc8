//! Verifies a whole log in one pass, in the order of positions: its bytes, the chain of each stream,
//! the trees over the logs that have one, what the signer remembers, every seal over all logs and
//! every stored packet. What others remember of the log is read before the log itself, which only
//! grows meanwhile: so it can be verified beside a server that writes it. Nothing is changed.
//!
//! `chancery log verify` does so from outside. A run is written down only where a server makes it on
//! itself (`POST /v1/admin/log/verify`), as that is who appends to the log.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use events::recorded::Position;
use secrecy::ExposeSecret as _;

use crate::config::{Config, Database, Flags};
use crate::event_log::{LogReader, ReadError, Row};
use crate::failure::{Failure, fails_with};
use crate::in_order::in_order;
use crate::operational::{self, Operational};
use crate::read_store::{self, ReadStore};
use crate::serve::open_reader;
use crate::signer::{self, Signer};
use crate::{App, postgres_database};

mod fault;
mod packet;
mod pass;
mod remembered;

pub use fault::Fault;
use fault::{Kind, Place, Stage};
use pass::{Examined, Pass};

/// Events that are in memory at once, twice.
const PAGE: usize = 4000;
/// Of them, those that are handed to a core.
const PIECE: usize = 250;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Failed(#[from] Failure),
    #[error(transparent)]
    Signer(#[from] signer::Error),
}

fails_with!(Error, Error::Failed: operational::Error, read_store::Error, ReadError);

/// The log, and whatever remembers something of it, as far as it is here.
struct Sources<'a> {
    log: &'a LogReader,
    read_store: Option<&'a ReadStore>,
    signer: &'a Signer,
    operational: Option<&'a Operational>,
}

/// What came of it.
pub(crate) struct Outcome {
    /// How many were walked.
    pub(crate) lines: u64,
    pub(crate) position: Position,
    /// What was compared, a line for each stage.
    pub(crate) compared: Vec<String>,
    /// The first.
    pub(crate) fault: Option<Fault>,
}

/// Verifies the log of a server that runs.
pub(crate) async fn of_server(app: &App) -> Result<Outcome, Error> {
    let log = LogReader::of(app.log.clone());
    let sources = Sources {
        log: &log,
        read_store: Some(&app.read_store),
        signer: &app.signer,
        operational: Some(&app.operational),
    };
    run(&sources, |_, _| ()).await
}

/// Verifies the log of a configuration, also beside its server, and prints what was compared. Fails
/// with the first [`Fault`].
pub async fn verify(flags: &Flags) -> anyhow::Result<()> {
    let config = Config::read(flags)?;
    let log = open_reader(&config).await.context("cannot open the log")?;
    let (read_store, operational) = open_stores(&config)?;
    let signer = Signer::to_read(&config.signer_state, &config.data)
        .context("cannot open what was signed last")?;
    let sources = Sources {
        log: &log,
        read_store: read_store.as_ref(),
        signer: &signer,
        operational: operational.as_ref(),
    };
    let shows = std::io::stderr().is_terminal();
    let outcome = run(&sources, |position, head| {
        if shows {
            eprint!("\r{position} of {head}");
        }
    });
    let outcome = outcome.await.context("the log cannot be verified now")?;
    if shows {
        eprint!("\r\x1b[K");
    }
    let mut out = std::io::stdout().lock();
    for line in outcome.compared {
        writeln!(out, "{line}")?;
    }
    match outcome.fault {
        Some(fault) => Err(fault.into()),
        None => {
            writeln!(out, "the log is sound")?;
            Ok(())
        }
    }
}

fn open_stores(config: &Config) -> anyhow::Result<(Option<ReadStore>, Option<Operational>)> {
    if let Database::Postgres(url) = &config.database {
        let pool = postgres_database::to_read(url.expose_secret())?;
        let read_store = ReadStore::postgres_to_read(pool.clone());
        return Ok((Some(read_store), Some(Operational::postgres(pool))));
    }
    let there = |name: &str| Some(config.data.join(name)).filter(|path| path.exists());
    let read_store = there("read.db").as_deref().map(ReadStore::sqlite_to_read).transpose()?;
    let open = |path: &Path| Operational::sqlite_to_read(path);
    let operational = there("state.db").as_deref().map(open).transpose()?;
    Ok((read_store, operational))
}

async fn run(
    sources: &Sources<'_>,
    mut progress: impl FnMut(Position, Position),
) -> Result<Outcome, Error> {
    let remembered = match remembered::gather(sources).await? {
        Ok(remembered) => remembered,
        Err(fault) => {
            return Ok(Outcome {
                lines: 0,
                position: Position::default(),
                compared: Vec::new(),
                fault: Some(fault),
            });
        }
    };
    // what is remembered is of lines up to here
    let head = sources.log.head().await?;
    let mut pass = Pass::new(remembered, sources.log.is_gapless());
    pass.expect_seals(remembered::seals(sources.log).await?);
    let mut fault = walk(sources.log, &mut pass, head, &mut progress).await?;
    if fault.is_none() {
        fault = pass.last_fault();
    }
    if fault.is_none()
        && let Some(operational) = sources.operational
    {
        fault = packet::first_unsigned(operational, &pass).await?;
    }
    Ok(Outcome { lines: pass.lines, position: pass.position, compared: pass.told(), fault })
}

/// Reads page after page, the next one while one is checked.
async fn walk(
    log: &LogReader,
    pass: &mut Pass,
    head: Position,
    progress: &mut impl FnMut(Position, Position),
) -> Result<Option<Fault>, Error> {
    let mut rows = match read(log, Position::default(), head).await? {
        Ok(rows) => rows,
        Err(fault) => return Ok(Some(fault)),
    };
    while let Some(last) = rows.last().map(|row| row.stored.position) {
        let mut checked = std::mem::take(pass);
        let checking = tokio::task::spawn_blocking(move || {
            let fault = take_all(&mut checked, &rows).err();
            (checked, fault)
        });
        let (next, checked) = tokio::join!(read(log, last, head), checking);
        let fault;
        (*pass, fault) = checked.map_err(ReadError::unavailable)?;
        if fault.is_some() {
            return Ok(fault);
        }
        progress(last, head);
        rows = match next? {
            Ok(rows) => rows,
            Err(fault) => return Ok(Some(fault)),
        };
    }
    Ok(None)
}

fn take_all(pass: &mut Pass, rows: &[Row]) -> Result<(), Fault> {
    let mut rest = rows.iter();
    in_order(rows.chunks(PIECE), Examined::of_all, |examined| {
        // rows come second: none is taken where there is nothing to go with it
        let mut pairs = examined.into_iter().zip(rest.by_ref());
        pairs.try_for_each(|(examined, row)| pass.take(row, examined))
    })
}

/// The next events, none beyond the head.
async fn read(
    log: &LogReader,
    after: Position,
    head: Position,
) -> Result<Result<Vec<Row>, Fault>, Error> {
    if after >= head {
        return Ok(Ok(Vec::new()));
    }
    match log.read_rows(after, PAGE).await {
        Ok(mut rows) => {
            rows.retain(|row| row.stored.position <= head);
            Ok(Ok(rows))
        }
        Err(ReadError::Corrupt { position, source }) => {
            let place = Place { position: Some(position), ..Place::default() };
            Ok(Err(Fault::new(Stage::Bytes, place, Kind::Store(source.to_string()))))
        }
        Err(error) => Err(error.into()),
    }
}
