//! Packets taken along, as a whole or file by file. Once made, a packet's bytes never change; what
//! of it was erased since is missing.
//!
//! Who takes one along is recorded before the first byte is sent, and where that cannot be, nothing
//! is: whoever is told later who has a person's values must be told of everybody. The same caller and
//! packet within a day are recorded once. `HEAD` takes nothing along, and neither does reading a
//! packet as JSON, which opens no value. Any file with opened values counts as all of them. What is
//! recorded comes after the packet's last line, so that its bytes stay what they are.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{OriginalUri, State};
use axum::http::Method;
use axum::response::Response;
use events::evidence::{Command, Requested};
use events::id::OrganizationId;
use tokio::sync::mpsc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::authentication::Caller;
use super::super::document::OrganizationReads;
use super::super::export;
use super::super::organization::Meant;
use super::super::problem::{Code, Problem};
use super::super::request::{Parameters, PathNames, RequestId};
use super::report::named;
use crate::App;
use crate::execute::{self, Order};
use crate::packet::bundle::{self, Piece};
use crate::packet::{ENVELOPE, REPORT_PDF, disclosed_subject};

const ARCHIVE: &str = "application/zip";
const ENVELOPE_TYPE: &str = "application/vnd.dsse.envelope.v1+json";

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(download_packet))
        .routes(routes!(download_report))
        .routes(routes!(download_file))
}

/// A packet, and who takes something of it along.
struct Taken {
    caller: Caller,
    organization: OrganizationId,
    packet: Requested,
    method: Method,
    request: RequestId,
}

impl Taken {
    async fn of(
        app: &App,
        names: &PathNames,
        uri: &OriginalUri,
        (method, request): (Method, RequestId),
        Meant(caller, organization): Meant<Caller>,
    ) -> Result<Self, Problem> {
        let packet = named(app, &caller, organization, names).await?;
        Parameters::of(uri, &[])?;
        Ok(Self { caller, organization, packet, method, request })
    }

    async fn record(&self, app: &App, discloses: bool) -> Result<(), Problem> {
        if self.method == Method::HEAD {
            return Ok(());
        }
        let Self { caller, organization, packet, request, .. } = self;
        let by = &caller.principal;
        let order = Order {
            request: request.0,
            token: by.token(),
            client: Some(caller.client.clone()),
            ..execute::fresh_order(app, by.actor())
        };
        let (packet, at) = (packet.packet, app.clock.now());
        let command = |_: &_| Command::RecordDownload { packet, discloses, by: by.actor(), at };
        execute::organization(app, by, *organization, &order, command, |_| ()).await?;
        Ok(())
    }

    async fn send(&self, app: &Arc<App>, name: &str) -> Result<Response, Problem> {
        let envelope = bundle::envelope(app, &self.packet).await?;
        let statement = bundle::statement(&envelope.ok_or(Problem::new(Code::NotReady))?)?;
        let listed = statement.subject.iter().find(|file| file.name == name);
        let kind = match listed {
            Some(file) => file.media_type.as_str(),
            None if name == ENVELOPE => ENVELOPE_TYPE,
            None => return Err(Problem::new(Code::NotFound)),
        };
        let specification = bundle::specification(&statement)?;
        self.record(app, disclosed_subject(name).is_some()).await?;
        let pieces =
            bundle::file(app, self.organization, &self.packet, specification, name).await?;
        Ok(download(kind, name, pieces.ok_or(Problem::new(Code::NotFound))?))
    }
}

/// All files of the packet as a ZIP archive, for `chancery verify` and for an auditor's own tools.
/// That it was taken along is recorded.
#[utoipa::path(get, path = "/compliance-reports/{report_id}/bundle", tag = "compliance",
    operation_id = "downloadCompliancePacket", params(("report_id" = String, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), OrganizationReads))]
async fn download_packet(
    State(app): State<Arc<App>>,
    names: PathNames,
    uri: OriginalUri,
    method: Method,
    Extension(request): Extension<RequestId>,
    meant: Meant<Caller>,
) -> Result<Response, Problem> {
    let taken = Taken::of(&app, &names, &uri, (method, request), meant).await?;
    let envelope = bundle::envelope(&app, &taken.packet).await?;
    let statement = bundle::statement(&envelope.ok_or(Problem::new(Code::NotReady))?)?;
    taken.record(&app, !statement.predicate.privacy.disclosed.is_empty()).await?;
    let name = format!("{}.zip", taken.packet.packet);
    let pieces = bundle::archive(&app, taken.organization, taken.packet, &statement)?;
    Ok(download(ARCHIVE, &name, pieces))
}

/// The report for people. That it was taken along is recorded.
#[utoipa::path(get, path = "/compliance-reports/{report_id}/pdf", tag = "compliance",
    operation_id = "downloadComplianceReport", params(("report_id" = String, Path)),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), OrganizationReads))]
async fn download_report(
    State(app): State<Arc<App>>,
    names: PathNames,
    uri: OriginalUri,
    method: Method,
    Extension(request): Extension<RequestId>,
    meant: Meant<Caller>,
) -> Result<Response, Problem> {
    Taken::of(&app, &names, &uri, (method, request), meant).await?.send(&app, REPORT_PDF).await
}

/// One file of the packet, as the signed statement names it, or `packet.dsse.json`. That it was taken
/// along is recorded.
#[utoipa::path(get, path = "/compliance-reports/{report_id}/files/{name}", tag = "compliance",
    operation_id = "downloadComplianceFile",
    params(("report_id" = String, Path), ("name" = String, Path)),
    responses((status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        OrganizationReads))]
async fn download_file(
    State(app): State<Arc<App>>,
    names: PathNames,
    uri: OriginalUri,
    method: Method,
    Extension(request): Extension<RequestId>,
    meant: Meant<Caller>,
) -> Result<Response, Problem> {
    let taken = Taken::of(&app, &names, &uri, (method, request), meant).await?;
    taken.send(&app, names.text("name").unwrap_or_default()).await
}

/// Pieces that become an answer. One that fails cuts the connection, so that nobody takes what came
/// for whole.
fn download(kind: &str, name: &str, pieces: mpsc::Receiver<Piece>) -> Response {
    let pieces = futures_util::stream::unfold(pieces, async |mut pieces| {
        pieces.recv().await.map(|piece| (piece, pieces))
    });
    export::download(kind, name, Body::from_stream(pieces))
}
