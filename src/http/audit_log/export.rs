//! An audit log as a file, oldest entry first. It is read page by page as the reader takes it, up to
//! the version that was the newest when it began. Where it cannot go on the connection is cut: a
//! file without its manifest is torn.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::response::Response;
use events::chain::Link;
use events::id::OrganizationId;
use events::permission::Permission;
use events::time::Time;
use futures_util::stream::unfold;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::filter::{FILTERS, filter, invalid, written};
use super::{People, csv, shown};
use crate::access::Access;
use crate::causes::causes;
use crate::export::{self, Tally, Told, ended, piece};
use crate::failure::Failure;
use crate::http::authentication::Caller;
use crate::http::document::OrganizationReads;
use crate::http::export::download;
use crate::http::organization::Meant;
use crate::http::problem::Problem;
use crate::http::request::Parameters;
use crate::query::audit_trail::{Filter, newest_recorded};
use crate::trail::{Step, Trail};
use crate::{App, query};

const FORMAT: &str = "format";
/// People whose addresses are remembered from one page to the next.
const MOST_PEOPLE: usize = 1000;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(export_audit_log))
}

/// What an export may be asked for, in words for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is the documentation of `Wanted`")]
struct ExportParameters {
    /// `ndjson`, unless it is `csv`.
    format: Option<String>,
    /// An action like `member.removed`, or `member.*` for all of a kind.
    action: Option<String>,
    /// An id, or the whole e-mail address of somebody.
    actor: Option<String>,
    resource_type: Option<String>,
    resource_id: Option<String>,
    /// RFC 3339, inclusive.
    since: Option<String>,
    /// RFC 3339, exclusive.
    until: Option<String>,
    /// Looked for in actions, ids and names that are not personal.
    q: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Format {
    Ndjson,
    Csv,
}

impl Format {
    fn of(parameters: &Parameters) -> Result<Self, Problem> {
        match parameters.get(FORMAT) {
            None | Some("ndjson") => Ok(Self::Ndjson),
            Some("csv") => Ok(Self::Csv),
            Some(_) => Err(invalid("`format` is `ndjson` or `csv`")),
        }
    }

    fn media_type(self) -> &'static str {
        match self {
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }
}

/// The whole audit log, or what filters leave of it, oldest entry first. `ndjson`: one object a line,
/// each with the event's own line, its hash and the personal values that its digests stand for;
/// last a `manifest` with how many lines of what there are, the first and the last version, and
/// the BLAKE3 of all lines before. `csv`: one row for each entry as the list shows it; the last row,
/// whose first cell is `manifest`, has the same manifest among its `changes`. Cells that begin with
/// `=`, `+`, `-`, `@`, a tab or a carriage return get an apostrophe before.
#[utoipa::path(get, path = "/audit-log/export", operation_id = "exportAuditLog", tag = "audit log",
    params(ExportParameters),
    responses((status = 200, content(
        (String = "application/x-ndjson"), (String = "text/csv; charset=utf-8; header=present"))),
        OrganizationReads))]
async fn export_audit_log(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ReadAuditLog).await?;
    let parameters = Parameters::of(&uri, &[[FORMAT].as_slice(), &FILTERS].concat())?;
    let format = Format::of(&parameters)?;
    let filter = filter(&app, &parameters).await?;
    let export = Export {
        organization,
        format,
        filter,
        written: written(&parameters).into_iter().collect(),
        end: newest_recorded(&app, &access).await?.map_or(0, |newest| newest + 1),
        trail: Trail::from(access, 0),
        people: HashMap::new(),
        tally: Tally::default(),
        first_version: None,
        last: None,
        progress: Progress::Begins,
        app,
    };
    let pieces = unfold(export, async |mut export| {
        let piece = export.next().await.transpose()?;
        if let Err(error) = &piece {
            tracing::warn!(cause = causes(error), "an export of an audit log broke off");
            export.progress = Progress::Over;
        }
        Some((piece, export))
    });
    let name = format!("{organization}-audit-log.{}", format.extension());
    Ok(download(format.media_type(), &name, Body::from_stream(pieces)))
}

#[derive(Debug, thiserror::Error)]
enum Torn {
    #[error(transparent)]
    Log(#[from] Failure),
    #[error(transparent)]
    Event(#[from] export::Error),
    #[error(transparent)]
    Entry(#[from] query::Error),
    #[error("the stream ends before its head")]
    TooShort,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Progress {
    Begins,
    GoesOn,
    Over,
}

/// An export on its way.
struct Export {
    app: Arc<App>,
    organization: OrganizationId,
    format: Format,
    filter: Filter,
    written: BTreeMap<&'static str, String>,
    trail: Trail,
    /// The version after the newest when it began.
    end: u64,
    people: People,
    tally: Tally,
    first_version: Option<u64>,
    last: Option<(u64, Link)>,
    progress: Progress,
}

/// The last line: what was before it, so that a copy which lacks something is told from a whole one.
#[derive(Serialize)]
struct Manifest<'a> {
    kind: &'static str,
    format: Format,
    organization: OrganizationId,
    exported_at: Time,
    /// The newest when the export began; all up to it were looked at.
    version: Option<u64>,
    /// What was asked for; empty for the whole log.
    filter: &'a BTreeMap<&'static str, String>,
    first_version: Option<u64>,
    last_version: Option<u64>,
    /// Of the last entry's line.
    hash: Option<Link>,
    #[serde(flatten)]
    told: Told<'a>,
}

impl Export {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Torn> {
        let mut out = Vec::new();
        match self.progress {
            Progress::Over => return Ok(None),
            Progress::GoesOn => {}
            Progress::Begins => {
                self.progress = Progress::GoesOn;
                if self.format == Format::Csv {
                    self.tally.take_uncounted(&mut out, &csv::row(&csv::COLUMNS));
                }
            }
        }
        while out.is_empty() {
            let steps = self.trail.page(&self.app, self.end).await?;
            if steps.is_empty() {
                if self.trail.next() < self.end {
                    return Err(Torn::TooShort);
                }
                self.progress = Progress::Over;
                return Ok(Some(self.manifest()));
            }
            for step in steps {
                if self.filter.admits(&step.columns) {
                    self.take(&mut out, step).await?;
                }
            }
        }
        Ok(Some(out))
    }

    async fn take(&mut self, out: &mut Vec<u8>, step: Step) -> Result<(), Torn> {
        let Step { entry, recorded, stored, .. } = step;
        let version = recorded.version;
        self.first_version.get_or_insert(version);
        self.last = Some((version, recorded.link));
        let (kind, _) = events::wire::kind(&recorded.event);
        let line = match self.format {
            Format::Ndjson => ended(piece(&self.app, &stored, recorded).await?.json),
            Format::Csv => {
                if self.people.len() > MOST_PEOPLE {
                    self.people.clear();
                }
                csv::entry(&shown(&self.app, entry, &mut self.people).await?)
            }
        };
        self.tally.take(out, kind, &line);
        Ok(())
    }

    fn manifest(&self) -> Vec<u8> {
        let exported_at = self.app.clock.now();
        let manifest = Manifest {
            kind: "manifest",
            format: self.format,
            organization: self.organization,
            exported_at,
            version: self.end.checked_sub(1),
            filter: &self.written,
            first_version: self.first_version,
            last_version: self.last.map(|(version, _)| version),
            hash: self.last.map(|(_, hash)| hash),
            told: self.tally.told(),
        };
        let manifest = export::json(&manifest);
        match self.format {
            Format::Ndjson => ended(manifest),
            Format::Csv => {
                let mut row = [""; csv::COLUMNS.len()];
                let told = String::from_utf8(manifest).unwrap_or_default();
                let hash = self.last.map(|(_, hash)| hash.to_string()).unwrap_or_default();
                let at = exported_at.to_string();
                for (column, cell) in csv::COLUMNS.iter().zip(&mut row) {
                    *cell = match *column {
                        "id" => "manifest",
                        "created_at" => &at,
                        "changes" => &told,
                        "hash" => &hash,
                        _ => "",
                    };
                }
                csv::row(&row)
            }
        }
    }
}
