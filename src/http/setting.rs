//! Settings of an organization. Every member may read them, because they tell what is allowed (in
//! which region a database may be, from where requests come in) and compliance packets show them to
//! every member anyway; owners and admins change them. A change names only what it changes. They are
//! read from the organization's own stream, never from a read model.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::permission::Permission;
use events::personal::Personal;
use events::setting;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::body::{AllowedNetwork, SettingsBody};
use self::controller::Controller;
use super::authentication::Caller;
use super::document::{AsOf, OrganizationCommands, OrganizationReads, Unmodified};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::{AS_OF, Authenticated, Parameters};
use super::{answer, etag};
use crate::access::Access;
use crate::execute::Done;
use crate::{App, execute, query};

mod body;
pub(super) mod controller;
mod preview;

pub(super) use self::body::network;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_settings, update_settings)).merge(preview::routes())
}

#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub(crate) struct Settings {
    require_2fa: bool,
    /// None named: every region is allowed.
    #[schema(example = json!(["fsn1", "nbg1"]))]
    allowed_regions: Vec<String>,
    ip_allowlist_required: bool,
    ip_allowlist: Vec<AllowedNetwork>,
    #[schema(example = "micro")]
    default_tier: String,
    sso_enabled: bool,
    sso_enforced: bool,
    /// `null`: what the plan says.
    audit_retention_days: Option<u32>,
    /// `null`: nothing was declared.
    #[schema(value_type = Option<Controller>)]
    controller: Option<Value>,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

#[utoipa::path(get, path = "/settings", operation_id = "showSettings", tag = "settings",
    params(AsOf),
    responses((status = 200, body = Settings), Unmodified, OrganizationReads))]
async fn show_settings(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let (by, needed) = (&caller.principal, Permission::ReadOrganization);
    let (access, settings) = Access::seen(&app, by, organization, needed, |organization| {
        organization.settings().clone()
    })
    .await?;
    if let Some(moment) = Parameters::of(&uri, &[AS_OF])?.as_of()? {
        let (state, version) = query::organization::at(&app, &access, moment).await?;
        let settings = shown(&app, state.settings()).await?;
        let body = Settings { as_of_version: Some(version), ..settings };
        return Ok(answer::as_of(version, body));
    }
    if let Some(known) = etag::not_modified(&headers, settings.changed_version) {
        return Ok(known);
    }
    let body = Json(shown(&app, &settings).await?);
    Ok(etag::tagged(settings.changed_version, body.into_response()))
}

/// `None` when there is no such organization any more.
type View = Option<setting::Settings>;

fn view(organization: &events::organization::Organization) -> View {
    organization.profile().map(|_| organization.settings().clone())
}

#[utoipa::path(patch, path = "/settings", operation_id = "updateSettings", tag = "settings",
    request_body = SettingsBody,
    responses((status = 200, body = Settings), OrganizationCommands))]
async fn update_settings(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let before = execute::organization_before(&app, organization, &order, view).await?;
    let done = match before {
        Some(done) => done,
        None => {
            Access::check(&app, by, organization, Permission::UpdateSettings).await?;
            let catalogue = execute::catalogue(&app).await?;
            let body = submission.json::<SettingsBody>()?;
            let command = body.command(address_of(&caller), &catalogue)?;
            let command = |_: &_| command.clone();
            execute::organization(&app, by, organization, &order, command, view).await?
        }
    };
    answered(&app, &done).await
}

async fn answered(app: &App, done: &Done<View>) -> Result<Response, Problem> {
    let settings = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let body = shown(app, settings).await?;
    Ok(etag::tagged(settings.changed_version, answer::command(StatusCode::OK, done, body)))
}

/// From where the caller asks, as an allowlist would see it.
fn address_of(caller: &Caller) -> Option<IpAddr> {
    caller.client.ip_address.as_ref().and_then(|address| address.parse().ok())
}

async fn shown(app: &App, settings: &setting::Settings) -> Result<Settings, Problem> {
    let descriptions = opened(app, &settings.ip_allowlist_descriptions).await?;
    let descriptions = descriptions.as_ref().and_then(Value::as_array);
    let description = |place: usize| Some(descriptions?.get(place)?.as_str()?.to_owned());
    let network = |(place, cidr): (usize, &setting::IpNet)| AllowedNetwork {
        cidr: cidr.to_string(),
        description: description(place),
    };
    Ok(Settings {
        require_2fa: settings.require_2fa,
        allowed_regions: settings.allowed_regions.clone(),
        ip_allowlist_required: settings.ip_allowlist_required,
        ip_allowlist: settings.ip_allowlist.iter().enumerate().map(network).collect(),
        default_tier: settings.default_tier.clone(),
        sso_enabled: settings.sso_enabled,
        sso_enforced: settings.sso_enforced,
        audit_retention_days: settings.audit_retention_days,
        controller: opened(app, &settings.controller).await?,
        as_of_version: None,
    })
}

/// JSON that is kept as one personal value; what is no JSON is shown as text, such as `erased`.
pub(super) async fn opened(app: &App, value: &Personal) -> Result<Option<Value>, Problem> {
    let text = answer::shown(query::opened(app, value.sealed()).await?);
    Ok(text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))))
}
