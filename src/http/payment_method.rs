//! How an organization pays: a provider, its reference and what people know it by, never the data of a
//! card. With the provider `manual` invoices are paid outside, and the operator records it.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use events::id::PaymentMethodId;
use events::organization::Organization;
use events::permission::Permission;
use events::subscription::{Command, PaymentMethod, Provider};
use events::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::check::Checks;
use super::document::{OrganizationCommands, OrganizationReads};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::{Authenticated, PathNames};
use super::setting::opened;
use super::{answer, held, stated};
use crate::App;

const LONGEST_TEXT: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_payment_methods, add_payment_method))
        .routes(routes!(remove_payment_method))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct PaymentMethodList {
    payment_methods: Vec<ShownPaymentMethod>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = PaymentMethod)]
pub(crate) struct ShownPaymentMethod {
    #[schema(value_type = String, example = "pay_01h2xcejqtf2nbrexx3vqjhp41")]
    id: PaymentMethodId,
    #[schema(value_type = String, example = "manual")]
    provider: Provider,
    /// What the provider knows it by.
    reference: Option<String>,
    /// What people know it by.
    #[schema(example = "bank transfer, order 4711")]
    hint: Option<String>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    added_at: Time,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PaymentMethodBody {
    /// `manual`.
    #[schema(value_type = String, example = "manual")]
    provider: Provider,
    /// What the provider knows it by, never the number of a card; up to 200 characters.
    reference: Option<String>,
    /// What people know it by, up to 200 characters.
    #[schema(example = "bank transfer, order 4711")]
    hint: Option<String>,
}

impl PaymentMethodBody {
    fn command(self, payment_method: PaymentMethodId) -> Result<Command, Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        checks.text("reference", self.reference.as_deref(), LONGEST_TEXT);
        checks.text("hint", self.hint.as_deref(), LONGEST_TEXT);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let is_said = self.reference.is_some() || self.hint.is_some();
        let text = json!({ "reference": self.reference, "hint": self.hint });
        let text = is_said.then(|| text.to_string());
        Ok(Command::AddPaymentMethod { payment_method, provider: self.provider, text })
    }
}

async fn shown(
    app: &App,
    id: PaymentMethodId,
    method: &PaymentMethod,
) -> Result<ShownPaymentMethod, Problem> {
    let text = opened(app, &method.text).await?;
    Ok(ShownPaymentMethod {
        id,
        provider: method.provider,
        reference: stated::written(text.as_ref(), "reference"),
        hint: stated::written(text.as_ref(), "hint"),
        added_at: method.added_at,
    })
}

fn all(state: &Organization) -> Vec<(PaymentMethodId, PaymentMethod)> {
    let methods = state.subscription().payment_methods();
    methods.map(|(id, method)| (id, method.clone())).collect()
}

/// Every payment method, the one added first first.
#[utoipa::path(get, path = "/payment-methods", operation_id = "listPaymentMethods",
    tag = "billing", responses((status = 200, body = PaymentMethodList), OrganizationReads))]
async fn list_payment_methods(
    State(app): State<Arc<App>>,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<PaymentMethodList>, Problem> {
    let mut methods = held::read(&app, &caller, organization, Permission::ViewBilling, all).await?;
    methods.sort_by_key(|(id, method)| (method.added_at, *id));
    let mut payment_methods = Vec::with_capacity(methods.len());
    for (id, method) in &methods {
        payment_methods.push(shown(&app, *id, method).await?);
    }
    Ok(Json(PaymentMethodList { payment_methods }))
}

/// Adds a payment method. It ends a trial, and a suspension that came of one.
#[utoipa::path(post, path = "/payment-methods", operation_id = "addPaymentMethod",
    tag = "billing", request_body = PaymentMethodBody,
    responses((status = 201, body = ShownPaymentMethod), OrganizationCommands))]
async fn add_payment_method(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let needed = Permission::ManageBilling;
    let order = submission.order(&app, &caller, Some(organization))?;
    let id = PaymentMethodId(app.keyring.id_of(order.command, "payment method"));
    let command = || submission.json::<PaymentMethodBody>()?.command(id);
    let view = |state: &Organization| all(state).into_iter().find(|(it, _)| *it == id);
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (id, method) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(answer::command(StatusCode::CREATED, &done, shown(&app, *id, method).await?))
}

/// Removes a payment method.
#[utoipa::path(delete, path = "/payment-methods/{payment_method}",
    operation_id = "removePaymentMethod", tag = "billing",
    params(("payment_method" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn remove_payment_method(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let needed = Permission::ManageBilling;
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let payment_method = names.id("payment_method").ok_or(Problem::new(Code::NotFound))?;
        Ok(Command::RemovePaymentMethod { payment_method })
    };
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
