//! Invoices: those that stand, the draft of the month, and what it would be. Whoever may view billing
//! reads them, owners pay them. The draft has the id that its invoice will have.
//!
//! With the provider `manual` nobody is asked for money: paying records that it was paid outside, by
//! whom and with which reference. What did not come is reversed by the operator.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use events::id::{InvoiceId, OrganizationId, PaymentId};
use events::invoice::{Command, Draft, Invoice, Pin};
use events::organization::Organization;
use events::permission::Permission;
use events::plan::Dollars;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::check::Checks;
use super::document::{OrganizationCommands, OrganizationReads};
use super::held::{self, List};
use super::organization::Meant;
use super::other_name::Words;
use super::plan::MOST_SEATS;
use super::problem::{Code, FieldError, Problem};
use super::request::{Authenticated, Parameters, PathNames};
use crate::access::Access;
use crate::execute::{self, Done};
use crate::payment::Received;
use crate::{App, query};

pub(super) mod operator;
mod paper;
mod shown;

use shown::{InvoiceDetails, ShownInvoice};

const LONGEST_REFERENCE: usize = 200;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_invoices))
        .routes(routes!(preview_invoice))
        .routes(routes!(show_invoice))
        .routes(routes!(pay_invoice))
        .merge(paper::routes())
}

#[derive(Serialize, ToSchema)]
pub(crate) struct InvoiceList {
    invoices: Vec<ShownInvoice>,
    next_page_token: Option<String>,
}

/// The drafts of an organization, the credit that will pay for them, and what else is to be seen of
/// it in the same look.
pub(super) async fn drafts<T>(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    also: impl FnOnce(&Organization) -> T,
) -> Result<(Vec<Draft>, Dollars, T), Problem> {
    let usage = told(app, caller, organization).await?;
    let now = app.clock.now();
    let view = |state: &Organization| {
        (state.drafts(now, usage.as_ref()), state.billing().balance(), also(state))
    };
    held::read(app, caller, organization, Permission::ViewBilling, view).await
}

/// What was told until now, for whoever may view billing.
async fn told(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
) -> Result<Option<Pin>, Problem> {
    Access::check(app, &caller.principal, organization, Permission::ViewBilling).await?;
    Ok(query::billing::pin(app, organization, app.clock.now()).await?)
}

/// Invoices, the newest first; before them, on the first page, the drafts of months that are not
/// closed.
#[utoipa::path(get, path = "/invoices", operation_id = "listInvoices", tag = "billing",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = InvoiceList), OrganizationReads))]
async fn list_invoices(
    State(app): State<Arc<App>>,
    uri: Uri,
    words: Words,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ViewBilling;
    let list = List { organization, needed, uri: &uri, what: "invoices", has_past: false };
    let all = |state: &Organization| {
        let invoices = state.billing().invoices().iter();
        Some(invoices.map(|invoice| (invoice.created_version, invoice.clone())).collect())
    };
    let take = |_: &Organization, invoice: Invoice| ShownInvoice::of(&invoice);
    let mut page = held::page(&app, &caller, list, all, take).await?;
    if Parameters::of(&uri, &super::request::Paging::PARAMETERS)?.get("page_token").is_none() {
        let (drafts, balance, ()) = drafts(&app, &caller, organization, |_| ()).await?;
        for draft in drafts {
            page.items.insert(0, ShownInvoice::of_draft(&draft, balance));
        }
    }
    let next = page.next(&app);
    let invoices = std::mem::take(&mut page.items);
    if words == Words::Invoices {
        let invoices: Vec<_> = invoices.iter().map(ShownInvoice::in_other_words).collect();
        return Ok(page.answered(&uri, next.as_deref(), invoices));
    }
    let body = InvoiceList { invoices, next_page_token: next.clone() };
    Ok(page.answered(&uri, next.as_deref(), body))
}

/// One invoice with its lines, payments and credit notes.
#[utoipa::path(get, path = "/invoices/{invoice}", operation_id = "showInvoice", tag = "billing",
    params(("invoice" = String, Path)),
    responses((status = 200, body = InvoiceDetails), OrganizationReads))]
async fn show_invoice(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let details = details(&app, &caller, organization, &names).await?;
    Ok(Json(details).into_response())
}

async fn details(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    names: &PathNames,
) -> Result<InvoiceDetails, Problem> {
    let needed = Permission::ViewBilling;
    let wanted = names.id::<InvoiceId>("invoice");
    let view =
        |state: &Organization| wanted.and_then(|wanted| state.billing().invoice(wanted).cloned());
    if let Some(invoice) = held::read(app, caller, organization, needed, view).await? {
        let lines = query::billing::lines(app, organization, &invoice).await?;
        return InvoiceDetails::of(app, &invoice, &lines).await;
    }
    let (drafts, balance, ()) = drafts(app, caller, organization, |_| ()).await?;
    let draft = drafts.iter().find(|draft| Some(draft.id) == wanted);
    let draft = draft.ok_or(Problem::new(Code::NotFound))?;
    Ok(InvoiceDetails::of_draft(draft, balance))
}

/// What the month will cost if nothing else happens until its end, with another plan or other seats
/// from now on where they are given.
#[utoipa::path(get, path = "/invoices/preview", operation_id = "previewInvoice", tag = "billing",
    params(
        ("plan" = Option<String>, Query, description = "Name of a plan of the catalogue"),
        ("extra_seats" = Option<u64>, Query, description = "Seats beside those included"),
    ),
    responses((status = 200, body = InvoiceDetails), OrganizationReads))]
async fn preview_invoice(
    State(app): State<Arc<App>>,
    uri: Uri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<InvoiceDetails>, Problem> {
    let usage = told(&app, &caller, organization).await?;
    let parameters = Parameters::of(&uri, &["plan", "extra_seats"])?;
    let catalogue = execute::catalogue(&app).await?;
    let invalid = |what: &str| Problem::with_detail(Code::InvalidParameter, what.to_owned());
    let terms = parameters.get("plan").map(|name| {
        catalogue.plan(name).ok_or_else(|| invalid("`plan` must be a plan of the catalogue"))
    });
    let terms = terms.transpose()?.map(|terms| Arc::new(terms.clone()));
    let seats = parameters.get("extra_seats").map(|seats| {
        let seats = seats.parse().ok().filter(|seats| *seats <= MOST_SEATS);
        seats.ok_or_else(|| invalid("`extra_seats` must be a number of seats"))
    });
    let seats: Option<u64> = seats.transpose()?;
    let now = app.clock.now();
    let view = |state: &Organization| {
        // what comes at the end of the month does not change it
        let subscription = state.subscription();
        let terms = terms.filter(|terms| subscription.is_taken_at_once(terms));
        let seats = seats.filter(|seats| *seats > subscription.extra_seats);
        let suppose = |subscribed: &mut events::invoice::Subscribed| {
            subscribed.terms = terms.unwrap_or_else(|| Arc::clone(&subscribed.terms));
            subscribed.extra_seats = seats.unwrap_or(subscribed.extra_seats);
        };
        (state.preview(now, usage.as_ref(), suppose), state.billing().balance())
    };
    let (draft, balance) =
        held::read(&app, &caller, organization, Permission::ViewBilling, view).await?;
    let draft = draft.ok_or(Problem::new(Code::NotFound))?;
    Ok(Json(InvoiceDetails::of_draft(&draft, balance)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayBody {
    /// By which the payment is found outside, up to 200 characters.
    #[schema(example = "transfer of 3 February")]
    reference: Option<String>,
}

impl PayBody {
    fn command(
        self,
        app: &App,
        invoice: InvoiceId,
        payment: PaymentId,
    ) -> Result<Command, Problem> {
        let mut errors: Vec<FieldError> = Vec::new();
        let reference = self.reference;
        Checks::new(&mut errors).text("reference", reference.as_deref(), LONGEST_REFERENCE);
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        let Received { provider, reference } = app.payments.receive(reference);
        Ok(Command::Pay { invoice, payment, provider, reference })
    }
}

/// Pays what is due of an invoice: with the provider `manual`, says that it was paid outside.
#[utoipa::path(post, path = "/invoices/{invoice}/pay", operation_id = "payInvoice", tag = "billing",
    params(("invoice" = String, Path)), request_body = PayBody,
    responses((status = 200, body = InvoiceDetails), OrganizationCommands))]
async fn pay_invoice(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let payment = PaymentId(app.keyring.id_of(order.command, "payment"));
    let invoice = names.id::<InvoiceId>("invoice");
    let command = || {
        let body: PayBody = submission.json_or_empty()?;
        body.command(&app, invoice.ok_or(Problem::new(Code::NotFound))?, payment)
    };
    let needed = Permission::ManageBilling;
    let view = |state: &Organization| state.billing().invoice(invoice?).cloned();
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    answered(&app, organization, &done, StatusCode::OK).await
}

/// The invoice as a command left it.
async fn answered(
    app: &App,
    organization: OrganizationId,
    done: &Done<Option<Invoice>>,
    status: StatusCode,
) -> Result<Response, Problem> {
    let invoice = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let lines = query::billing::lines(app, organization, invoice).await?;
    let body = InvoiceDetails::of(app, invoice, &lines).await?;
    Ok(held::tagged(status, invoice.changed_version, done, body))
}
