//! Credit that the operator gave. It pays for invoices before anything else does.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::id::CreditId;
use events::invoice::{CURRENCY, Credit};
use events::organization::Organization;
use events::permission::Permission;
use events::plan::Dollars;
use events::time::Time;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer;
use super::authentication::Caller;
use super::document::OrganizationReads;
use super::held;
use super::organization::Meant;
use super::problem::Problem;
use crate::execute::Done;
use crate::{App, query};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_credits))
}

#[derive(Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "as it is called wherever costs are shown")]
pub(crate) struct CreditBalance {
    /// What pays for the next invoices.
    #[schema(value_type = String, example = "25.00")]
    credit_balance: Dollars,
    #[schema(example = "USD")]
    currency: &'static str,
    /// What was given, the newest first.
    credits: Vec<ShownCredit>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Credit)]
pub(crate) struct ShownCredit {
    #[schema(value_type = String, example = "crd_01h2xcejqtf2nbrexx3vqjhp41")]
    id: CreditId,
    #[schema(value_type = String, example = "25.00")]
    amount: Dollars,
    reason: Option<String>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

type View = (Dollars, Vec<Credit>);

pub(super) fn view(state: &Organization) -> View {
    (state.billing().balance(), state.billing().credits().to_vec())
}

async fn shown(app: &App, (credit_balance, given): &View) -> Result<CreditBalance, Problem> {
    let mut credits = Vec::with_capacity(given.len());
    for credit in given.iter().rev() {
        credits.push(ShownCredit {
            id: credit.id,
            amount: credit.amount,
            reason: answer::shown(query::opened(app, credit.reason.sealed()).await?),
            created_at: credit.at,
        });
    }
    Ok(CreditBalance { credit_balance: *credit_balance, currency: CURRENCY, credits })
}

/// Credit that was given, and what is left of it.
#[utoipa::path(get, path = "/credits", operation_id = "listCredits", tag = "billing",
    responses((status = 200, body = CreditBalance), OrganizationReads))]
async fn list_credits(
    State(app): State<Arc<App>>,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<CreditBalance>, Problem> {
    let view = held::read(&app, &caller, organization, Permission::ViewBilling, view).await?;
    Ok(Json(shown(&app, &view).await?))
}

/// As it is after credit was given.
pub(super) async fn answered(app: &App, done: &Done<View>) -> Result<Response, Problem> {
    Ok(answer::command(StatusCode::CREATED, done, shown(app, &done.answer).await?))
}
