//! Compliance: which frameworks an organization subscribes to, and the packets that prove something
//! about it.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::Response;
use events::evidence::{Command, Evidence, Framework};
use events::permission::Permission;
use events::time::Time;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer;
use super::authentication::Caller;
use super::document::{OrganizationCommands, OrganizationReads};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::{Authenticated, Parameters, PathNames};
use crate::access::Access;
use crate::{App, execute};

mod download;
mod posture;
mod report;
mod shown_packet;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_subscriptions))
        .routes(routes!(subscribe, unsubscribe))
        .merge(report::routes())
        .merge(download::routes())
        .merge(posture::routes())
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Subscriptions {
    subscriptions: Vec<ComplianceSubscription>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ComplianceSubscription {
    /// `soc2`, `gdpr_ropa`, `dora` or `eu_ai_act`.
    #[schema(value_type = String, example = "soc2")]
    framework: Framework,
    enabled: bool,
    /// An installation of one's own charges nothing for it.
    #[schema(example = 0)]
    monthly_price_eur: u32,
    #[schema(value_type = Option<String>)]
    subscribed_at: Option<Time>,
    #[schema(value_type = Option<String>)]
    canceled_at: Option<Time>,
}

fn shown(evidence: &Evidence, framework: Framework) -> ComplianceSubscription {
    let known = evidence.subscription(framework);
    ComplianceSubscription {
        framework,
        enabled: evidence.is_subscribed(framework),
        monthly_price_eur: 0,
        subscribed_at: known.map(|known| known.subscribed_at),
        canceled_at: known.and_then(|known| known.canceled_at),
    }
}

fn framework_named(names: &PathNames) -> Result<Framework, Problem> {
    let named = names.text("framework").and_then(Framework::named);
    named.ok_or(Problem::new(Code::NotFound))
}

/// All frameworks, subscribed or not.
#[utoipa::path(get, path = "/compliance-subscriptions", tag = "compliance",
    operation_id = "listComplianceSubscriptions",
    responses((status = 200, body = Subscriptions), OrganizationReads))]
async fn list_subscriptions(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<Subscriptions>, Problem> {
    let (by, needed) = (&caller.principal, Permission::ReadCompliance);
    let (_, subscriptions) = Access::seen(&app, by, organization, needed, |organization| {
        Framework::ALL.map(|framework| shown(organization.evidence(), framework))
    })
    .await?;
    Parameters::of(&uri, &[])?;
    Ok(Json(Subscriptions { subscriptions: subscriptions.into() }))
}

/// From now on packets can be made for this framework, and one is made each quarter.
#[utoipa::path(put, path = "/compliance-subscriptions/{framework}", tag = "compliance",
    operation_id = "subscribeToFramework", params(("framework" = String, Path)),
    responses((status = 200, body = ComplianceSubscription), OrganizationCommands))]
async fn subscribe(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    Access::check(&app, by, organization, Permission::ManageCompliance).await?;
    let framework = framework_named(&names)?;
    let command = |_: &_| Command::Subscribe { framework };
    let answer = |organization: &events::organization::Organization| {
        shown(organization.evidence(), framework)
    };
    let done = execute::organization(&app, by, organization, &order, command, answer).await?;
    Ok(answer::command(StatusCode::OK, &done, &done.answer))
}

/// No more packets are made for this framework; those that were stay.
#[utoipa::path(delete, path = "/compliance-subscriptions/{framework}", tag = "compliance",
    operation_id = "unsubscribeFromFramework", params(("framework" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn unsubscribe(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    Access::check(&app, by, organization, Permission::ManageCompliance).await?;
    let framework = framework_named(&names)?;
    let command = |_: &_| Command::Unsubscribe { framework };
    let done = execute::organization(&app, by, organization, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
