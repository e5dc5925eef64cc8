//! What the operator does about money: credit notes, credit, payments that came or went back. Each
//! invoice is known by its id alone.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use events::id::{CreditId, CreditNoteId, InvoiceId, OrganizationId, PaymentId};
use events::invoice::CreditNoteWish;
use events::organization::Organization;
use events::plan::Dollars;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::shown::InvoiceDetails;
use super::{PayBody, answered};
use crate::execute::Order;
use crate::execute::invoice::{Wish, order};
use crate::http::admin::Operator;
use crate::http::check::Checks;
use crate::http::credit::{self, CreditBalance};
use crate::http::document::OperatorOrganizationCommands;
use crate::http::plan::MOST_DOLLARS;
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::request::{Authenticated, PathNames, Submission};
use crate::{App, query};

const LONGEST_REASON: usize = 500;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(issue_credit_note))
        .routes(routes!(record_payment))
        .routes(routes!(reverse_payment))
        .routes(routes!(grant_credit))
        // where members read it
        .route("/organizations/{org}/credits", post(grant_credit))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AmountBody {
    /// US dollars with at most two decimals, as a string.
    #[schema(value_type = String, example = "5.00")]
    amount: serde_json::Value,
    /// Up to 500 characters, for whoever reads the invoice.
    reason: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    /// Up to 500 characters, for whoever reads the invoice.
    reason: Option<String>,
}

impl AmountBody {
    fn read(self) -> Result<(Dollars, Option<String>), Problem> {
        let mut errors = Vec::new();
        Checks::new(&mut errors).text("reason", self.reason.as_deref(), LONGEST_REASON);
        let written = match self.amount {
            serde_json::Value::String(text) => Some(text),
            serde_json::Value::Number(number) => Some(number.to_string()),
            serde_json::Value::Null
            | serde_json::Value::Bool(_)
            | serde_json::Value::Array(_)
            | serde_json::Value::Object(_) => None,
        };
        let is_sound = |amount: &Dollars| {
            amount.scale() <= 2 && *amount > Dollars::ZERO && *amount <= MOST_DOLLARS.into()
        };
        let amount = written.and_then(|text| text.parse::<Dollars>().ok()).filter(is_sound);
        let Some(amount) = amount else {
            let detail = "must be dollars, more than 0.00, with at most two decimals".to_owned();
            errors.push(FieldError { field: "amount".to_owned(), detail });
            return Err(Problem::invalid(errors));
        };
        if errors.is_empty() { Ok((amount, self.reason)) } else { Err(Problem::invalid(errors)) }
    }
}

/// Where an invoice belongs.
async fn home(app: &App, names: &PathNames) -> Result<(OrganizationId, InvoiceId), Problem> {
    let invoice = names.id::<InvoiceId>("invoice").ok_or(Problem::new(Code::NotFound))?;
    let organization = query::home::find(app, invoice).await?;
    Ok((organization.ok_or(Problem::new(Code::NotFound))?, invoice))
}

async fn settle(
    app: &App,
    submission: &Submission,
    (organization, invoice): (OrganizationId, InvoiceId),
    status: StatusCode,
    wish: impl FnOnce(&Order) -> Wish,
) -> Result<Response, Problem> {
    let given = submission.operator_order(app)?;
    let wish = wish(&given);
    let view = |state: &Organization| state.billing().invoice(invoice).cloned();
    let done = order(app, organization, &given, &wish, view).await?;
    answered(app, organization, &done, status).await
}

/// Takes back a part of an invoice, or all of it. What is still due is lowered; what was paid
/// already comes back as credit.
#[utoipa::path(post, path = "/admin/invoices/{invoice}/credit-notes",
    operation_id = "issueCreditNote", tag = "operations",
    params(("invoice" = String, Path)), request_body = AmountBody,
    responses((status = 201, body = InvoiceDetails), OperatorOrganizationCommands))]
async fn issue_credit_note(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let home = home(&app, &names).await?;
    let (amount, reason) = submission.json::<AmountBody>()?.read()?;
    let wish = |order: &Order| {
        let credit_note = CreditNoteId(app.keyring.id_of(order.command, "credit note"));
        Wish::CreditNote(CreditNoteWish { credit_note, invoice: home.1, amount, reason })
    };
    settle(&app, &submission, home, StatusCode::CREATED, wish).await
}

/// Says that what was due of an invoice has been paid.
#[utoipa::path(post, path = "/admin/invoices/{invoice}/pay", operation_id = "recordPayment",
    tag = "operations", params(("invoice" = String, Path)), request_body = PayBody,
    responses((status = 200, body = InvoiceDetails), OperatorOrganizationCommands))]
async fn record_payment(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let home = home(&app, &names).await?;
    let order = submission.operator_order(&app)?;
    let payment = PaymentId(app.keyring.id_of(order.command, "payment"));
    let body: PayBody = submission.json_or_empty()?;
    let command = body.command(&app, home.1, payment)?;
    settle(&app, &submission, home, StatusCode::OK, |_| Wish::Paid(command)).await
}

/// Says that the last payment of an invoice did not come, or went back: it is owed again.
#[utoipa::path(post, path = "/admin/invoices/{invoice}/reverse-payment",
    operation_id = "reversePayment", tag = "operations",
    params(("invoice" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = InvoiceDetails), OperatorOrganizationCommands))]
async fn reverse_payment(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let home = home(&app, &names).await?;
    let ReasonBody { reason } = submission.json_or_empty()?;
    let mut errors = Vec::new();
    Checks::new(&mut errors).text("reason", reason.as_deref(), LONGEST_REASON);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let wish = |_: &Order| Wish::Reverse { invoice: home.1, reason };
    settle(&app, &submission, home, StatusCode::OK, wish).await
}

/// Gives credit, which pays for the next invoices before anything else does.
#[utoipa::path(post, path = "/admin/organizations/{org}/credits", operation_id = "grantCredit",
    tag = "operations", params(("org" = String, Path, description = "id or slug")),
    request_body = AmountBody,
    responses((status = 201, body = CreditBalance), OperatorOrganizationCommands))]
async fn grant_credit(
    State(app): State<Arc<App>>,
    names: PathNames,
    Authenticated(_operator, submission): Authenticated<Operator>,
) -> Result<Response, Problem> {
    let named = names.text("org").unwrap_or_default();
    let organization = query::organization_overview::resolve(&app, named).await?;
    let organization = organization.ok_or(Problem::new(Code::NotFound))?;
    let (amount, reason) = submission.json::<AmountBody>()?.read()?;
    let given = submission.operator_order(&app)?;
    let credit = CreditId(app.keyring.id_of(given.command, "credit"));
    let wish = Wish::Credit { credit, amount, reason };
    let done = order(&app, organization, &given, &wish, credit::view).await?;
    credit::answered(&app, &done).await
}
