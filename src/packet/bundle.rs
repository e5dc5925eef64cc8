//! The files of a packet, as somebody takes them along: one, or all in a ZIP archive that is the
//! same, byte for byte, whenever it is asked for (but for what was erased since). Lines, disclosed
//! values and populations are read from the log again, page by page.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

use events::evidence::Requested;
use events::id::{OrganizationId, SubjectId};
use tokio::sync::mpsc;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::content::{self, Lines, decoded, disclose};
use super::made::Error;
use super::statement::Statement;
use super::{ENVELOPE, EVENTS, POPULATION, disclosed_subject, population};
use crate::App;
use crate::compliance::Specification;
use crate::dsse::Envelope;
use crate::failure::Failure;

/// Pieces that wait for a reader.
const WAITING: usize = 8;
/// A piece of an archive has at least so many bytes, but for the last.
const LARGE: usize = 64 * 1024;

pub(crate) type Piece = Result<Vec<u8>, Error>;

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::Failed(Failure::Broken(error.into()))
}

/// The envelope of a packet that was made.
pub(crate) async fn envelope(app: &App, request: &Requested) -> Result<Option<Envelope>, Error> {
    let Some(body) = app.operational.packet_file(request.packet, ENVELOPE).await? else {
        return Ok(None);
    };
    serde_json::from_slice(&body).map(Some).map_err(broken)
}

/// What the envelope of a packet says.
pub(crate) fn statement(envelope: &Envelope) -> Result<Statement, Error> {
    let payload = envelope.payload().unwrap_or_default();
    serde_json::from_slice(&payload).map_err(broken)
}

/// What the packet was made under, by which it is read again.
pub(crate) fn specification(statement: &Statement) -> Result<&'static Specification, Error> {
    let named = &statement.predicate.framework;
    Specification::named(named.id, &named.specification.version).ok_or_else(|| {
        let why = format!("this program does not know {}", named.specification.version);
        Error::Failed(Failure::Broken(why.into()))
    })
}

/// One file of a packet, piece by piece. `None` when the packet has none of this name, or it was
/// erased.
pub(crate) async fn file(
    app: &Arc<App>,
    organization: OrganizationId,
    request: &Requested,
    specification: &'static Specification,
    name: &str,
) -> Result<Option<mpsc::Receiver<Piece>>, Error> {
    let (sender, pieces) = mpsc::channel(WAITING);
    if name == EVENTS {
        let (app, size) = (Arc::clone(app), request.version + 1);
        tokio::spawn(async move { send_lines(&app, organization, size, &sender).await });
        return Ok(Some(pieces));
    }
    if name.starts_with(POPULATION) {
        let Some(envelope) = envelope(app, request).await? else { return Ok(None) };
        let Statement { subject, predicate, .. } = statement(&envelope)?;
        let Some(signed) = subject.into_iter().find(|file| file.name == name) else {
            return Ok(None);
        };
        let app = Arc::clone(app);
        tokio::spawn(async move {
            let sent =
                population::send(&app, organization, specification, &predicate, &signed, &sender)
                    .await;
            if let Err(error) = sent {
                drop(sender.send(Err(error)).await);
            }
        });
        return Ok(Some(pieces));
    }
    let body = match disclosed_subject(name) {
        Some(subject) => disclosures(app, organization, request, specification, subject).await?,
        None => app.operational.packet_file(request.packet, name).await?,
    };
    let Some(body) = body else { return Ok(None) };
    // there is room, and somebody listens
    drop(sender.send(Ok(body)).await);
    Ok(Some(pieces))
}

async fn send_lines(app: &App, organization: OrganizationId, size: u64, to: &mpsc::Sender<Piece>) {
    let mut lines = Lines::of(organization, size);
    loop {
        let piece = match lines.page(app).await {
            Ok(page) if page.is_empty() => return,
            Ok(page) => {
                Ok(page.iter().flat_map(|it| [it.line.as_slice(), b"\n"].concat()).collect())
            }
            Err(error) => Err(error.into()),
        };
        let ends = piece.is_err();
        if to.send(piece).await.is_err() || ends {
            return;
        }
    }
}

/// What is still to be disclosed of a subject.
async fn disclosures(
    app: &App,
    organization: OrganizationId,
    request: &Requested,
    specification: &Specification,
    subject: SubjectId,
) -> Result<Option<Vec<u8>>, Error> {
    let mut lines = Lines::of(organization, request.version + 1);
    let mut found = (subject, String::new());
    loop {
        let page = lines.page(app).await?;
        if page.is_empty() {
            break;
        }
        for stored in page.iter().filter(|stored| !stored.sealed.is_empty()) {
            let mut recorded = decoded(stored)?;
            if content::disclosed(specification, &mut recorded)
                .iter()
                .any(|(_, sealed)| sealed.subject == subject)
            {
                disclose(app, specification, &mut recorded, &mut found).await?;
            }
        }
    }
    let (_, text) = found;
    Ok((!text.is_empty()).then(|| text.into_bytes()))
}

/// All files in a ZIP archive, piece by piece.
pub(crate) fn archive(
    app: &Arc<App>,
    organization: OrganizationId,
    request: Requested,
    statement: &Statement,
) -> Result<mpsc::Receiver<Piece>, Error> {
    let specification = specification(statement)?;
    let (sender, pieces) = mpsc::channel(WAITING);
    let names: Vec<String> = std::iter::once(ENVELOPE.to_owned())
        .chain(statement.subject.iter().map(|file| file.name.clone()))
        .collect();
    let (app, statement) = (Arc::clone(app), statement.clone());
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let file =
            |name: &str| runtime.block_on(file(&app, organization, &request, specification, name));
        let populations = population::all(&app, organization, specification, &statement);
        let written = runtime
            .block_on(populations)
            .and_then(|populations| write_archive(&names, populations, file, &sender));
        if let Err(error) = written {
            // whoever reads must not take what they have for whole
            drop(sender.blocking_send(Err(error)));
        }
    });
    Ok(pieces)
}

/// `populations` are there already; `file` gets every other.
fn write_archive(
    names: &[String],
    mut populations: BTreeMap<String, File>,
    file: impl Fn(&str) -> Result<Option<mpsc::Receiver<Piece>>, Error>,
    to: &mpsc::Sender<Piece>,
) -> Result<(), Error> {
    let mut archive = ZipWriter::new_stream(Out { to, waiting: Vec::new() });
    for name in names {
        let population = populations.remove(name);
        let pieces = if population.is_none() { file(name)? } else { None };
        if population.is_none() && pieces.is_none() {
            continue;
        }
        // no time of its own, so that the archive is always the same
        let options = SimpleFileOptions::default().large_file(name == EVENTS);
        archive.start_file(name.as_str(), options).map_err(broken)?;
        if let Some(mut population) = population {
            io::copy(&mut population, &mut archive).map_err(broken)?;
        }
        if let Some(mut pieces) = pieces {
            while let Some(piece) = pieces.blocking_recv() {
                archive.write_all(&piece?).map_err(broken)?;
            }
        }
    }
    let mut out = archive.finish().map_err(broken)?.into_inner();
    out.hand_on().map_err(broken)
}

/// Hands what is written on to whoever reads, as fast as they take it.
struct Out<'a> {
    to: &'a mpsc::Sender<Piece>,
    waiting: Vec<u8>,
}

impl Out<'_> {
    fn hand_on(&mut self) -> io::Result<()> {
        let piece = std::mem::take(&mut self.waiting);
        self.to.blocking_send(Ok(piece)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl io::Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= LARGE {
            self.hand_on()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
