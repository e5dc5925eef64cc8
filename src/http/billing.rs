//! What is being spent: the running costs of what there is now, what the month has cost so far, and
//! the months before. Costs are decimal strings in US dollars; a month has 720 hours where a price by
//! the hour is told by the month.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use events::database::{Database, Status as DatabaseStatus};
use events::id::{DatabaseId, InvoiceId};
use events::invoice::charge::{GIGABYTE, HOURS_A_MONTH};
use events::invoice::line::cents;
use events::invoice::{Billing, CURRENCY, Draft};
use events::organization::Organization;
use events::plan::{Dollars, Prices};
use events::time::Time;
use rust_decimal::Decimal;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::document::OrganizationReads;
use super::invoice;
use super::organization::Meant;
use super::problem::{Code, Problem};
use crate::App;

/// Prices by the hour are told with so many decimals.
const DECIMALS: u32 = 6;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_billing_usage)).routes(routes!(list_billing_periods))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BillingUsage {
    #[schema(value_type = String, example = "25.00")]
    credit_balance: Dollars,
    has_payment_method: bool,
    /// Of the databases, as they are now.
    #[schema(value_type = String, example = "0.085000")]
    total_hourly_cost: Dollars,
    #[schema(value_type = String, example = "61.20")]
    total_monthly_cost: Dollars,
    current_period: BillingPeriod,
    services: Vec<ServiceCost>,
    period: Period,
    usage: UsageCosts,
    /// The same as `current_period.total_cost`.
    #[schema(value_type = String, example = "42.00")]
    total: Dollars,
    #[schema(example = "USD")]
    currency: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Period {
    #[schema(value_type = String, example = "2026-01-01T00:00:00.000Z")]
    start: Time,
    #[schema(value_type = String, example = "2026-02-01T00:00:00.000Z")]
    end: Time,
}

/// One month.
#[derive(Serialize, ToSchema)]
pub(crate) struct BillingPeriod {
    /// `open`, then `finalized`, then `paid`.
    #[schema(example = "open")]
    status: &'static str,
    #[schema(value_type = String, example = "2026-01-01T00:00:00.000Z")]
    period_start: Time,
    #[schema(value_type = String, example = "2026-02-01T00:00:00.000Z")]
    period_end: Time,
    #[schema(value_type = String, example = "30.00")]
    total_compute_cost: Dollars,
    #[schema(value_type = String, example = "10.00")]
    total_storage_cost: Dollars,
    #[schema(value_type = String, example = "2.00")]
    total_backup_cost: Dollars,
    /// Plan and extra seats.
    #[schema(value_type = String, example = "0.00")]
    total_plan_cost: Dollars,
    /// Queries and transfer over the limits.
    #[schema(value_type = String, example = "0.00")]
    total_overage_cost: Dollars,
    #[schema(value_type = String, example = "42.00")]
    total_cost: Dollars,
    #[schema(example = "USD")]
    currency: &'static str,
    /// `null` while the month is open, and where nothing was charged.
    #[schema(value_type = Option<String>)]
    invoice_id: Option<InvoiceId>,
    #[schema(example = "INV-2026-000001")]
    invoice_number: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct ServiceCost {
    #[schema(value_type = String, example = "db_01h2xcejqtf2nbrexx3vqjhp41")]
    service_id: DatabaseId,
    #[schema(example = "orders")]
    service_name: String,
    #[schema(example = "postgresql")]
    database_type: String,
    /// Its tier.
    #[schema(example = "small")]
    plan_name: String,
    #[schema(example = "running")]
    status: &'static str,
    node_count: u32,
    storage_size_gb: u32,
    #[schema(value_type = String, example = "0.058489")]
    hourly_cost: Dollars,
    /// Of all its nodes; nothing while it does not run.
    #[schema(value_type = String, example = "0.055600")]
    compute_hourly: Dollars,
    #[schema(value_type = String, example = "0.001389")]
    storage_hourly: Dollars,
    #[schema(value_type = String, example = "0.001500")]
    backup_hourly: Dollars,
}

/// What the month has cost so far, by what was used.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsageCosts {
    compute: HoursCost,
    storage: AmountCost,
    data_transfer: AmountCost,
    /// Nodes are counted with `compute`.
    replicas: HoursCost,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct HoursCost {
    /// Of nodes.
    #[schema(value_type = String, example = "744")]
    hours: Decimal,
    #[schema(value_type = String, example = "41.37")]
    amount: Dollars,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AmountCost {
    /// 10⁹ bytes: of storage on the average of the month, of transfer over the limit.
    #[schema(value_type = String, example = "25.5")]
    gb: Decimal,
    #[schema(value_type = String, example = "2.55")]
    amount: Dollars,
}

fn rounded(cost: Dollars) -> Dollars {
    let mut rounded = cost.round_dp(DECIMALS);
    rounded.rescale(DECIMALS);
    rounded
}

fn by_the_hour(price: Dollars, gigabytes: Decimal) -> Dollars {
    price.saturating_mul(gigabytes).checked_div(HOURS_A_MONTH.into()).unwrap_or_default()
}

impl ServiceCost {
    fn of(id: DatabaseId, database: &Database, prices: &Prices, is_suspended: bool) -> Self {
        let is_running = database.status == DatabaseStatus::Running && !is_suspended;
        let tier = prices.tier(&database.tier).filter(|_| is_running).unwrap_or_default();
        let is_stored = !matches!(
            database.status,
            DatabaseStatus::Pending | DatabaseStatus::Provisioning | DatabaseStatus::Deleting
        );
        let stored = if is_stored { database.storage_gb } else { 0 };
        let backups: Decimal = database.parts.backup_bytes().into();
        let compute = tier.saturating_mul(database.node_count.into());
        let storage = by_the_hour(prices.storage_gigabyte_month, stored.into());
        let backups = by_the_hour(prices.backup_gigabyte_month, backups / Decimal::from(GIGABYTE));
        Self {
            service_id: id,
            service_name: database.name.clone(),
            database_type: database.database_type.clone(),
            plan_name: database.tier.clone(),
            status: database.status.as_str(),
            node_count: database.node_count,
            storage_size_gb: database.storage_gb,
            hourly_cost: rounded(compute + storage + backups),
            compute_hourly: rounded(compute),
            storage_hourly: rounded(storage),
            backup_hourly: rounded(backups),
        }
    }
}

impl BillingPeriod {
    fn of_draft(draft: &Draft) -> Self {
        let sum = |kinds: &[&str]| {
            let lines = draft.lines.iter().filter(|line| kinds.contains(&line.item.as_str()));
            cents(lines.map(|line| line.amount).sum())
        };
        Self {
            status: "open",
            period_start: draft.start,
            period_end: draft.end,
            total_compute_cost: sum(&["compute"]),
            total_storage_cost: sum(&["storage"]),
            total_backup_cost: sum(&["backup"]),
            total_plan_cost: sum(&["plan", "seats"]),
            total_overage_cost: sum(&["queries", "transfer"]),
            total_cost: draft.total,
            currency: CURRENCY,
            invoice_id: None,
            invoice_number: None,
        }
    }

    /// Months that are closed, the newest first.
    fn closed(billing: &Billing) -> Vec<Self> {
        let period = |period: &events::invoice::Period| {
            let invoice = period.invoice.and_then(|id| billing.invoice(id));
            let sum = |kinds: &[&str]| {
                let sums = invoice.iter().flat_map(|it| kinds.iter().map(|kind| it.sum_of(kind)));
                cents(sums.sum())
            };
            let is_owed = invoice.is_some_and(|it| it.status.is_owed());
            Self {
                status: if is_owed { "finalized" } else { "paid" },
                period_start: period.start,
                period_end: period.end,
                total_compute_cost: sum(&["compute"]),
                total_storage_cost: sum(&["storage"]),
                total_backup_cost: sum(&["backup"]),
                total_plan_cost: sum(&["plan", "seats"]),
                total_overage_cost: sum(&["queries", "transfer"]),
                total_cost: cents(invoice.map_or(Dollars::ZERO, |it| it.total)),
                currency: CURRENCY,
                invoice_id: period.invoice,
                invoice_number: invoice.map(|it| it.number.clone()),
            }
        };
        billing.periods().iter().rev().map(period).collect()
    }
}

impl UsageCosts {
    fn of(draft: &Draft) -> Self {
        let quantity = |kind: &str| {
            let lines = draft.lines.iter().filter(|line| line.item.as_str() == kind);
            lines.map(|line| line.quantity).sum::<Decimal>()
        };
        let amount = |kind: &str| {
            let lines = draft.lines.iter().filter(|line| line.item.as_str() == kind);
            cents(lines.map(|line| line.amount).sum())
        };
        let gigabytes = |quantity: Decimal, per: i64| {
            quantity.checked_div(per.into()).unwrap_or_default().round_dp(3).normalize()
        };
        let storage = gigabytes(quantity("storage"), HOURS_A_MONTH);
        let transfer = gigabytes(quantity("transfer"), GIGABYTE);
        Self {
            compute: HoursCost {
                hours: quantity("compute").normalize(),
                amount: amount("compute"),
            },
            storage: AmountCost { gb: storage, amount: amount("storage") },
            data_transfer: AmountCost { gb: transfer, amount: amount("transfer") },
            replicas: HoursCost { hours: Decimal::ZERO, amount: cents(Dollars::ZERO) },
        }
    }
}

/// What is being spent, and what the month has cost so far.
#[utoipa::path(get, path = "/billing/usage", operation_id = "showBillingUsage", tag = "billing",
    responses((status = 200, body = BillingUsage), OrganizationReads))]
async fn show_billing_usage(
    State(app): State<Arc<App>>,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<BillingUsage>, Problem> {
    let view = |state: &Organization| {
        let subscription = state.subscription();
        let (prices, is_suspended) =
            (&subscription.terms().prices, subscription.suspended.is_some());
        let mut databases: Vec<_> = state.databases().collect();
        databases.sort_unstable_by_key(|(_, kept)| kept.created_version);
        let cost = |(id, kept): (DatabaseId, &events::kept::Kept<Database>)| {
            ServiceCost::of(id, &kept.content, prices, is_suspended)
        };
        let services: Vec<_> = databases.into_iter().map(cost).collect();
        (services, subscription.has_payment_method())
    };
    let (mut drafts, credit_balance, (services, has_payment_method)) =
        invoice::drafts(&app, &caller, organization, view).await?;
    let draft = drafts.pop().ok_or(Problem::new(Code::NotFound))?;
    let hourly: Dollars = services.iter().map(|service| service.hourly_cost).sum();
    Ok(Json(BillingUsage {
        credit_balance,
        has_payment_method,
        total_hourly_cost: rounded(hourly),
        total_monthly_cost: cents(hourly.saturating_mul(HOURS_A_MONTH.into())),
        period: Period { start: draft.start, end: draft.end },
        usage: UsageCosts::of(&draft),
        total: draft.total,
        current_period: BillingPeriod::of_draft(&draft),
        services,
        currency: CURRENCY,
    }))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct BillingPeriodList {
    periods: Vec<BillingPeriod>,
}

/// Every month, the newest first: the open one, then those that are closed.
#[utoipa::path(get, path = "/billing/usage/history", operation_id = "listBillingPeriods",
    tag = "billing", responses((status = 200, body = BillingPeriodList), OrganizationReads))]
async fn list_billing_periods(
    State(app): State<Arc<App>>,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<BillingPeriodList>, Problem> {
    let view = |state: &Organization| BillingPeriod::closed(state.billing());
    let (drafts, _, closed) = invoice::drafts(&app, &caller, organization, view).await?;
    let open = drafts.iter().rev().map(BillingPeriod::of_draft);
    Ok(Json(BillingPeriodList { periods: open.chain(closed).collect() }))
}
