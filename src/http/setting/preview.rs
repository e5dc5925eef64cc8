//! Whom a change of settings would have kept out, had it been made thirty days ago: told from where
//! members came in that time, in the audit log and with their sessions. And whom the demand for a
//! second factor would concern: every member without one, seen or not.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use events::id::AccountId;
use events::permission::Permission;
use events::setting;
use events::time::Time;
use projections::person::Person;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::SettingsBody;
use crate::access::Access;
use crate::http::answer;
use crate::http::document::OrganizationPreviews;
use crate::http::organization::Meant;
use crate::http::problem::Problem;
use crate::http::request::Authenticated;
use crate::query::origin_of_members::{self, Origin};
use crate::{App, execute, query};

/// Thirty days.
const LOOKED_BACK_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(preview_settings))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SettingsPreview {
    /// The change would be refused without `override`.
    would_lock_you_out: bool,
    /// Those of the members seen since then whom the settings would have kept out, and those without
    /// a second factor, if one is newly demanded.
    blocked: Vec<Blocked>,
    #[schema(value_type = String)]
    since: Time,
    members_seen: usize,
    /// How many entries of the audit log were looked at, the newest first.
    entries_examined: usize,
    /// There were no more entries since then.
    is_complete: bool,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Blocked {
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    user_id: AccountId,
    email: Option<String>,
    name: Option<String>,
    /// `address_not_allowed`, `sso_required`; `two_factor_required` means from their next sign-in,
    /// until they set one up.
    reasons: Vec<&'static str>,
    /// From where they came and would not come in, the last one first.
    addresses: Vec<BlockedAddress>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BlockedAddress {
    #[schema(example = "198.51.100.7")]
    ip_address: String,
    #[schema(value_type = String)]
    last_seen_at: Time,
}

#[utoipa::path(post, path = "/settings/preview", operation_id = "previewSettings",
    tag = "settings", request_body = SettingsBody,
    responses((status = 200, body = SettingsPreview), OrganizationPreviews))]
async fn preview_settings(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let (by, needed) = (&caller.principal, Permission::UpdateSettings);
    Access::check(&app, by, organization, needed).await?;
    let body: SettingsBody = submission.json()?;
    let catalogue = execute::catalogue(&app).await?;
    let command = body.command(super::address_of(&caller), &catalogue)?;
    let (access, (before, members, preview)) =
        Access::seen(&app, by, organization, needed, |organization| {
            let members: BTreeSet<AccountId> = organization.members().collect();
            (organization.settings().clone(), members, setting::preview(organization, &command))
        })
        .await?;
    let setting::Preview { after, locks_out } = preview.map_err(execute::Error::from)?;
    let since = Time::from_millis(app.clock.now().millis() - LOOKED_BACK_MILLIS);
    let seen = origin_of_members::since(&app, &access, &members, since).await?;
    let is_demanded = after.require_2fa && !before.require_2fa;
    let without = if is_demanded { without_factor(&app, &members).await? } else { BTreeSet::new() };
    let is_enforced = after.sso_enforced && !before.sso_enforced;
    let mut blocked = Vec::new();
    for account in &members {
        let origins = seen.members.get(account).map_or(&[][..], Vec::as_slice);
        let refused = |origin: &&Origin| is_enforced || !after.admits(Some(origin.address));
        let refused: Vec<&Origin> = origins.iter().filter(refused).collect();
        let has_none = without.contains(account);
        if refused.is_empty() && !has_none {
            continue;
        }
        let is_elsewhere = refused.iter().any(|origin| !after.admits(Some(origin.address)));
        let mut reasons = Vec::new();
        reasons.extend(is_elsewhere.then_some("address_not_allowed"));
        reasons.extend((is_enforced && !refused.is_empty()).then_some("sso_required"));
        reasons.extend(has_none.then_some("two_factor_required"));
        blocked.push((*account, reasons, refused));
    }
    let accounts: Vec<AccountId> = blocked.iter().map(|(account, ..)| *account).collect();
    let people = query::person::all(&app, &accounts).await?;
    let mut shown = Vec::with_capacity(blocked.len());
    for ((user_id, reasons, refused), person) in blocked.into_iter().zip(people) {
        let email = person.as_ref().and_then(|person| person.email.as_ref());
        let name = person.as_ref().and_then(|person| person.name.as_ref());
        let address = |origin: &Origin| BlockedAddress {
            ip_address: origin.address.to_string(),
            last_seen_at: origin.last_seen_at,
        };
        shown.push(Blocked {
            user_id,
            email: answer::shown(query::opened(&app, email).await?),
            name: answer::shown(query::opened(&app, name).await?),
            reasons,
            addresses: refused.into_iter().map(address).collect(),
        });
    }
    let body = SettingsPreview {
        would_lock_you_out: locks_out,
        blocked: shown,
        since,
        members_seen: seen.members.len(),
        entries_examined: seen.entries,
        is_complete: seen.is_complete,
    };
    Ok(Json(body).into_response())
}

/// The members who have no second factor.
async fn without_factor(
    app: &App,
    members: &BTreeSet<AccountId>,
) -> Result<BTreeSet<AccountId>, Problem> {
    let accounts: Vec<AccountId> = members.iter().copied().collect();
    let people = query::person::all(app, &accounts).await?;
    let has_none = |person: &Option<Person>| person.as_ref().is_none_or(|it| !it.has_second_factor);
    let asked = accounts.into_iter().zip(people);
    Ok(asked.filter(|(_, person)| has_none(person)).map(|(account, _)| account).collect())
}
