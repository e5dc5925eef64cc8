//! Packets: asked for, listed and shown.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::Response;
use events::evidence::{Command, Framework, Requested};
use events::id::{OrganizationId, PacketId};
use events::organization::Organization;
use events::permission::Permission;
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::authentication::Caller;
use super::super::document::{OrganizationReads, SubscribedCommands};
use super::super::organization::Meant;
use super::super::problem::{Code, FieldError, Problem};
use super::super::request::{Authenticated, Parameters, PathNames};
use super::super::{answer, checked, stated};
use super::shown_packet::{self, DsseEnvelope, PacketSignature};
use crate::access::Access;
use crate::packet::{bundle, made};
use crate::{App, execute};

const DAY: i64 = 24 * 60 * 60 * 1000;
/// Without a period the last so many days are meant.
const USUAL_DAYS: i64 = 90;
/// What an auditor asks to find in the packet.
const LONGEST_CHALLENGE: usize = 128;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(request_packet, list_packets)).routes(routes!(show_packet))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestBody {
    /// `soc2`, `gdpr_ropa`, `dora` or `eu_ai_act`.
    #[schema(example = "soc2")]
    framework: String,
    /// RFC 3339, or a day (UTC); inclusive. Without it, 90 days before the end.
    #[schema(example = "2026-01-01")]
    period_start: Option<String>,
    /// RFC 3339, or a day (UTC); exclusive. Without it, now. Not in the future.
    #[schema(example = "2026-04-01")]
    period_end: Option<String>,
    /// Chosen by whoever will check the packet, so that they know it was made for them.
    #[schema(example = "auditor-2026-04-02")]
    challenge: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Made {
    #[schema(value_type = String, example = "pkt_01h2xcejqtf2nbrexx3vqjhp41")]
    report_id: PacketId,
    #[schema(value_type = String)]
    framework: Framework,
    /// `ready`, or `generating` as long as it is not.
    #[schema(example = "ready")]
    status: &'static str,
    #[schema(value_type = String)]
    created_at: Time,
    dsse: Option<DsseEnvelope>,
    /// What was found, in short; the signed statement is the envelope's payload.
    #[schema(value_type = Option<Object>)]
    packet: Option<serde_json::Value>,
    signature: Option<PacketSignature>,
}

/// What is asked for, as far as it can be read.
struct Wanted {
    framework: Framework,
    period_start: Time,
    period_end: Time,
    challenge: Option<String>,
}

fn wanted(body: RequestBody, now: Time) -> Result<Wanted, Problem> {
    let mut errors = Vec::new();
    let wrong = |field: &str, detail: &str| FieldError {
        field: field.to_owned(),
        detail: detail.to_owned(),
    };
    let framework = Framework::named(&body.framework);
    if framework.is_none() {
        let detail = "must be `soc2`, `gdpr_ropa`, `dora` or `eu_ai_act`";
        errors.push(wrong("framework", detail));
    }
    let read = |text: Option<String>| text.map(|text| moment(&text)).transpose();
    let end = checked("period_end", read(body.period_end), &mut errors).flatten().unwrap_or(now);
    let start = checked("period_start", read(body.period_start), &mut errors).flatten();
    let start = start.unwrap_or(Time::from_millis(end.millis() - USUAL_DAYS * DAY));
    if end > now {
        errors.push(wrong("period_end", "must not be in the future: the period must be over"));
    }
    if start >= end {
        errors.push(wrong("period_end", "must be after `period_start`"));
    }
    let is_plain = |text: &str| {
        (1..=LONGEST_CHALLENGE).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    };
    if body.challenge.as_deref().is_some_and(|text| !is_plain(text)) {
        errors
            .push(wrong("challenge", "must be 1 to 128 visible ASCII characters, without spaces"));
    }
    match framework {
        Some(framework) if errors.is_empty() => Ok(Wanted {
            framework,
            period_start: start,
            period_end: end,
            challenge: body.challenge,
        }),
        _ => Err(Problem::invalid(errors)),
    }
}

/// A time, or the beginning of a day.
fn moment(text: &str) -> Result<Time, &'static str> {
    let day = format!("{text}T00:00:00Z");
    let found = text.parse().or_else(|_| day.parse());
    found.map_err(|_| "must be a time like 2026-01-31T09:30:00Z, or a day like 2026-01-31")
}

/// A packet about the organization, made now. It is an event of the log itself, and the last that
/// the packet is about.
#[utoipa::path(post, path = "/compliance-reports", tag = "compliance",
    operation_id = "requestCompliancePacket", request_body = RequestBody,
    responses((status = 201, body = Made), SubscribedCommands))]
async fn request_packet(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    Access::check(&app, by, organization, Permission::GeneratePackets).await?;
    execute::refuse_other_body(&app, &order).await?;
    let body: RequestBody = submission.json()?;
    if !app.signer.is_here() {
        return Err(Problem::new(Code::SignerElsewhere));
    }
    let Wanted { framework, period_start, period_end, challenge } = wanted(body, app.clock.now())?;
    let packet = PacketId(app.keyring.id_of(order.command, "packet"));
    let drawn = || app.keyring.id_of(order.command, "challenge").simple().to_string();
    let challenge = challenge.unwrap_or_else(drawn);
    let command = |_: &_| Command::RequestPacket {
        packet,
        framework,
        period_start,
        period_end,
        challenge: challenge.clone(),
    };
    let answer = |organization: &Organization| organization.evidence().packet(packet).cloned();
    let done = execute::organization(&app, by, organization, &order, command, answer).await?;
    let request = done.answer.clone().ok_or(Problem::new(Code::Internal))?;
    made::ensure(&app, organization, packet).await?;
    Ok(answer::command(StatusCode::CREATED, &done, made_of(&app, &request).await?))
}

async fn made_of(app: &App, request: &Requested) -> Result<Made, Problem> {
    let envelope = bundle::envelope(app, request).await?;
    let shown = envelope.map(|envelope| shown_packet::of(&envelope)).transpose()?;
    let status = if shown.is_some() { "ready" } else { "generating" };
    let (dsse, packet, signature) = match shown {
        Some((dsse, packet, signature)) => (Some(dsse), Some(packet), Some(signature)),
        None => (None, None, None),
    };
    Ok(Made {
        report_id: request.packet,
        framework: request.framework,
        status,
        created_at: request.at,
        dsse,
        packet,
        signature,
    })
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Packets {
    reports: Vec<PacketRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PacketRecord {
    #[schema(value_type = String)]
    id: PacketId,
    #[schema(value_type = String)]
    report_id: PacketId,
    #[schema(value_type = String)]
    organization_id: OrganizationId,
    #[schema(value_type = String)]
    framework: Framework,
    #[schema(value_type = String)]
    period_start: Time,
    #[schema(value_type = String)]
    period_end: Time,
    #[schema(value_type = String)]
    generated_at: Time,
    challenge: String,
    #[schema(value_type = Option<String>)]
    supersedes: Option<PacketId>,
    signing_key_id: Option<String>,
    #[schema(example = "Ed25519")]
    algorithm: &'static str,
    /// `ready` or `generating`.
    status: &'static str,
    has_pdf: bool,
}

#[utoipa::path(get, path = "/compliance-reports", tag = "compliance",
    operation_id = "listCompliancePackets",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = Packets), OrganizationReads))]
async fn list_packets(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let all = |state: &Organization| {
        let packets = state.evidence().packets();
        packets.iter().map(|it| (it.version, it.packet)).collect()
    };
    let take = |state: &Organization, packet| state.evidence().packet(packet).cloned();
    let page = stated::page(&app, &caller, organization, &uri, "packets", all, take).await?;
    let mut reports = Vec::with_capacity(page.items.len());
    for request in page.items.iter().flatten() {
        let key = app.operational.packet_key(request.packet).await.map_err(made::Error::from)?;
        reports.push(PacketRecord {
            id: request.packet,
            report_id: request.packet,
            organization_id: organization,
            framework: request.framework,
            period_start: request.period_start,
            period_end: request.period_end,
            generated_at: request.at,
            challenge: request.challenge.clone(),
            supersedes: request.supersedes,
            status: if key.is_some() { "ready" } else { "generating" },
            has_pdf: key.is_some(),
            signing_key_id: key,
            algorithm: "Ed25519",
        });
    }
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    Ok(page.answered(&uri, next.as_deref(), Packets { reports, next_page_token }))
}

/// The packet that a path names, for who may read it.
pub(super) async fn named(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    names: &PathNames,
) -> Result<Requested, Problem> {
    let packet: Option<PacketId> = names.id("report_id");
    let found = stated::read(app, caller, organization, |organization| {
        packet.and_then(|packet| organization.evidence().packet(packet).cloned())
    })
    .await?;
    found.ok_or(Problem::new(Code::NotFound))
}

#[utoipa::path(get, path = "/compliance-reports/{report_id}", tag = "compliance",
    operation_id = "showCompliancePacket", params(("report_id" = String, Path)),
    responses((status = 200, body = Made), OrganizationReads))]
async fn show_packet(
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<Made>, Problem> {
    let request = named(&app, &caller, organization, &names).await?;
    Parameters::of(&uri, &[])?;
    Ok(Json(made_of(&app, &request).await?))
}
