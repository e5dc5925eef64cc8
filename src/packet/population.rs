//! What the controls of a packet were computed on. A population can be as long as the log: it is
//! never in memory as a whole, and kept nowhere. Whoever takes it along gets it from the lines of the
//! log again, by the specification that the packet names, and only as what was signed.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};

use events::id::OrganizationId;
use tokio::sync::mpsc;

use super::POPULATION;
use super::bundle::Piece;
use super::content::{Digests, JSON_LINES, Lines, decoded};
use super::made::Error;
use super::statement::{self, Predicate, Statement};
use crate::App;
use crate::compliance::{Evaluation, Facts, Period, Report, Specification};
use crate::failure::Failure;

/// Some lines of a population, by the name of its file.
pub(super) type Part = (String, Vec<u8>);

/// Digests of the populations, which pass by.
#[derive(Default)]
pub(super) struct Passed(BTreeMap<String, Digests>);

impl Passed {
    pub(super) fn add(&mut self, parts: &[Part]) {
        for (name, lines) in parts {
            self.0.entry(name.clone()).or_default().update(lines);
        }
    }

    /// The files, given what is left of them at the end.
    pub(super) fn files(mut self, report: &Report) -> Vec<statement::File> {
        let files = report.populations.iter().map(|population| {
            let mut digests = self.0.remove(&population.name).unwrap_or_default();
            digests.update(&population.lines);
            digests.file(&population.name, JSON_LINES)
        });
        files.collect()
    }
}

/// The populations of a packet, found once more.
struct Again {
    lines: Lines,
    /// Nothing once all is found.
    evaluation: Option<Evaluation>,
}

impl Again {
    /// What is no line of the log is as the packet says it.
    fn of(
        organization: OrganizationId,
        specification: &'static Specification,
        predicate: &Predicate,
    ) -> Self {
        let facts = Facts { verifications: predicate.verifications.clone() };
        let period = Period { from: predicate.period.from, to: predicate.period.to };
        let evaluation = Some(Evaluation::of(specification, period, &facts));
        Self { lines: Lines::of(organization, predicate.log.size), evaluation }
    }

    /// What the next lines of the log add. `None` at the end.
    async fn next(&mut self, app: &App) -> Result<Option<Vec<Part>>, Error> {
        let Some(mut evaluation) = self.evaluation.take() else { return Ok(None) };
        let page = self.lines.page(app).await?;
        if page.is_empty() {
            let left = evaluation.finish().populations.into_iter();
            return Ok(Some(left.map(|population| (population.name, population.lines)).collect()));
        }
        for stored in &page {
            evaluation.take(&decoded(stored)?);
        }
        let parts = evaluation.standing();
        self.evaluation = Some(evaluation);
        Ok(Some(parts))
    }
}

/// Sends the lines of one population.
pub(super) async fn send(
    app: &App,
    organization: OrganizationId,
    specification: &'static Specification,
    predicate: &Predicate,
    signed: &statement::File,
    to: &mpsc::Sender<Piece>,
) -> Result<(), Error> {
    let mut again = Again::of(organization, specification, predicate);
    let mut digests = Digests::default();
    while let Some(parts) = again.next(app).await? {
        for (_, lines) in parts.into_iter().filter(|(name, _)| *name == signed.name) {
            digests.update(&lines);
            if to.send(Ok(lines)).await.is_err() {
                return Ok(());
            }
        }
    }
    is_signed(digests, signed)
}

/// All populations of a packet, in files that go when they are closed.
pub(super) async fn all(
    app: &App,
    organization: OrganizationId,
    specification: &'static Specification,
    statement: &Statement,
) -> Result<BTreeMap<String, File>, Error> {
    let mut found = BTreeMap::new();
    for signed in statement.subject.iter().filter(|file| file.name.starts_with(POPULATION)) {
        let file = tempfile::tempfile().map_err(broken)?;
        found.insert(signed.name.clone(), (signed, file, Digests::default()));
    }
    let mut again = Again::of(organization, specification, &statement.predicate);
    while let Some(parts) = again.next(app).await? {
        for (name, lines) in parts {
            if let Some((_, file, digests)) = found.get_mut(&name) {
                digests.update(&lines);
                file.write_all(&lines).map_err(broken)?;
            }
        }
    }
    let mut files = BTreeMap::new();
    for (name, (signed, mut file, digests)) in found {
        is_signed(digests, signed)?;
        file.rewind().map_err(broken)?;
        files.insert(name, file);
    }
    Ok(files)
}

fn is_signed(digests: Digests, signed: &statement::File) -> Result<(), Error> {
    let found = digests.file(&signed.name, JSON_LINES);
    if found.digest.sha256 == signed.digest.sha256 {
        return Ok(());
    }
    let why = format!("{} is not found as it was signed", signed.name);
    Err(Error::Failed(Failure::Broken(why.into())))
}

fn broken(error: std::io::Error) -> Error {
    Error::Failed(Failure::Broken(error.into()))
}
