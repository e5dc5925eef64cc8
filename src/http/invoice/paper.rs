//! An invoice for people. What it says is what is shown, and nothing else: it names the organization
//! by its id and its slug, and whoever it is for, as both are known.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use events::id::OrganizationId;
use events::organization::{Name, Organization, Profile};
use events::permission::Permission;
use events::time::Time;
use rust_decimal::Decimal;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::details;
use super::shown::{InvoiceDetails, ShownLine};
use crate::http::authentication::Caller;
use crate::http::document::OrganizationReads;
use crate::http::export::download;
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::PathNames;
use crate::http::{answer, held};
use crate::paper::{Block, Document};
use crate::{App, query};

const MADE_BY: &str = concat!("Chancery ", env!("CARGO_PKG_VERSION"));

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_invoice_page)).routes(routes!(download_invoice))
}

/// The invoice as a page.
#[utoipa::path(get, path = "/invoices/{invoice}/html", operation_id = "showInvoicePage",
    tag = "billing", params(("invoice" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String), OrganizationReads))]
async fn show_invoice_page(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let (document, _) = on_paper(&app, &caller, organization, &names).await?;
    let headers = [(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    Ok((headers, document.html()).into_response())
}

/// The invoice as PDF.
#[utoipa::path(get, path = "/invoices/{invoice}/pdf", operation_id = "downloadInvoice",
    tag = "billing", params(("invoice" = String, Path)),
    responses((status = 200, content_type = "application/pdf", body = Vec<u8>), OrganizationReads))]
async fn download_invoice(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let (document, name) = on_paper(&app, &caller, organization, &names).await?;
    Ok(download("application/pdf", &format!("{name}.pdf"), Body::from(document.pdf())))
}

/// An invoice as a document, with a name for a file.
async fn on_paper(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    names: &PathNames,
) -> Result<(Document, String), Problem> {
    let details = details(app, caller, organization, names).await?;
    let view = |state: &Organization| state.profile().cloned();
    let profile = held::read(app, caller, organization, Permission::ViewBilling, view).await?;
    let Profile { slug, name, billing_email, .. } = profile.ok_or(Problem::new(Code::NotFound))?;
    let name = match name {
        Name::Plain(name) => Some(name),
        Name::Personal(name) => answer::shown(query::opened(app, name.sealed()).await?),
    };
    let billing_email = answer::shown(query::opened(app, billing_email.sealed()).await?);
    let to = Addressee { id: organization, slug, name, billing_email };
    let file = details.invoice.number.clone().unwrap_or_else(|| details.invoice.id.to_string());
    Ok((document(&details, &to), file))
}

/// Whom an invoice is for.
struct Addressee {
    id: OrganizationId,
    slug: String,
    name: Option<String>,
    billing_email: Option<String>,
}

/// The invoice as a document.
fn document(details: &InvoiceDetails, to: &Addressee) -> Document {
    let invoice = &details.invoice;
    let title = match &invoice.number {
        Some(number) => format!("Invoice {number}"),
        None => "Draft of an invoice".to_owned(),
    };
    let heading = |level, id: &str, text: &str| Block::Heading {
        level,
        id: id.to_owned(),
        text: text.to_owned(),
    };
    let mut blocks = vec![heading(1, "invoice", &title), facts(details, to)];
    blocks.push(heading(2, "lines", "What is charged"));
    let rows = details.lines.iter().map(|line| {
        vec![
            line.description.clone(),
            format!("{} – {}", minute(line.start), minute(line.end)),
            format!("{} {}", line.quantity, line.unit),
            per(line),
            line.amount.to_string(),
        ]
    });
    let mut rows: Vec<Vec<String>> = rows.collect();
    let sum = |name: &str, sum: Decimal| {
        let blank = String::new;
        vec![name.to_owned(), blank(), blank(), blank(), sum.to_string()]
    };
    rows.push(sum("Total", invoice.total));
    for (name, less) in
        [("Credit", invoice.credit_applied), ("Credit notes", invoice.amount_credited)]
    {
        rows.extend((!less.is_zero()).then(|| sum(name, -less)));
    }
    rows.push(sum("Due", invoice.amount_due));
    let heads = ["What", "When (UTC)", "Quantity", "Price", invoice.currency];
    blocks.push(table("Lines", &heads, rows));
    if !details.payments.is_empty() {
        blocks.push(heading(2, "payments", "Payments"));
        let rows = details.payments.iter().map(|payment| {
            let reference = payment.reference.clone().unwrap_or_default();
            vec![
                minute(payment.created_at),
                payment.status.to_owned(),
                reference,
                payment.amount.to_string(),
            ]
        });
        let heads = ["When (UTC)", "Status", "Reference", invoice.currency];
        blocks.push(table("Payments", &heads, rows.collect()));
    }
    if !details.credit_notes.is_empty() {
        blocks.push(heading(2, "credit-notes", "Credit notes"));
        let rows = details.credit_notes.iter().map(|note| {
            let reason = note.reason.clone().unwrap_or_default();
            vec![note.number.clone(), minute(note.created_at), reason, note.amount.to_string()]
        });
        let heads = ["Number", "When (UTC)", "Why", invoice.currency];
        blocks.push(table("Credit notes", &heads, rows.collect()));
    }
    blocks.push(Block::Paragraph(
        "Each amount is its price times its quantity, rounded half to even to the cent; the total is \
         the sum of the lines. Every line follows from the organization's event log, from which it \
         can be computed again."
            .to_owned(),
    ));
    let made_at = invoice.created_at.unwrap_or(invoice.period_start);
    Document { title, made_by: MADE_BY.to_owned(), made_at, blocks }
}

fn facts(details: &InvoiceDetails, to: &Addressee) -> Block {
    let invoice = &details.invoice;
    let fact = |name: &str, lines: Vec<String>| (name.to_owned(), lines);
    let mut whom: Vec<String> = to.name.iter().cloned().collect();
    whom.extend([to.slug.clone(), to.id.to_string()]);
    whom.extend(to.billing_email.clone());
    let period = format!("{} – {}", minute(invoice.period_start), minute(invoice.period_end));
    let mut facts = vec![
        fact("For", whom),
        fact("Month (UTC)", vec![period]),
        fact("Status", vec![invoice.status.to_owned()]),
    ];
    let times =
        [("Issued", invoice.created_at), ("Due", invoice.due_at), ("Paid", invoice.paid_at)];
    for (name, time) in times {
        facts.extend(time.map(|time| fact(name, vec![minute(time)])));
    }
    Block::Facts { caption: "Invoice".to_owned(), facts }
}

fn table(caption: &str, heads: &[&str], rows: Vec<Vec<String>>) -> Block {
    let heads = heads.iter().map(|head| (*head).to_owned()).collect();
    Block::Table { caption: caption.to_owned(), heads, rows }
}

/// Like `2026-01-31 09:30`.
fn minute(time: Time) -> String {
    let mut text = time.to_string().replace('T', " ");
    text.truncate("2026-01-31 09:30".len());
    text
}

/// The price, and of how many.
fn per(line: &ShownLine) -> String {
    if line.per == Decimal::ONE {
        line.unit_price.to_string()
    } else {
        format!("{} per {}", line.unit_price, line.per)
    }
}
