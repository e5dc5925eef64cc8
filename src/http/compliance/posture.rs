//! How the organization stands now, without a subscription and without a packet.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use events::permission::Permission;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::super::authentication::Caller;
use super::super::document::OrganizationReads;
use super::super::organization::Meant;
use super::super::problem::Problem;
use super::super::request::Parameters;
use super::shown_packet::{self, DsseEnvelope, PacketSignature};
use crate::App;
use crate::access::Access;
use crate::packet::posture;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_posture))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PostureReport {
    /// What the envelope's payload says.
    #[schema(value_type = Object)]
    report: serde_json::Value,
    dsse: DsseEnvelope,
    signature: PacketSignature,
}

/// The controls of SOC 2 over the last 90 days, signed like a packet. It is kept nowhere.
#[utoipa::path(get, path = "/compliance-report", tag = "compliance",
    operation_id = "showPostureReport",
    responses((status = 200, body = PostureReport), OrganizationReads))]
async fn show_posture(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<PostureReport>, Problem> {
    let by = &caller.principal;
    Access::check(&app, by, organization, Permission::ReadCompliance).await?;
    Parameters::of(&uri, &[])?;
    let posture = posture::posture(&app, organization).await?;
    let (dsse, signature) = shown_packet::signed(&posture.envelope)?;
    Ok(Json(PostureReport { report: posture.predicate, dsse, signature }))
}
