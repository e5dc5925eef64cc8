//! One entry of the record of processing activities (GDPR, Article 30(1), as a processor 30(2)).

use events::declaration::{self, Content, Retention};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::body::{Written, count};
use crate::http::check::Checks;
use crate::http::setting::controller::{Contact, Declared};

const LONGEST_NAME: usize = 200;
const LONGEST_ENTRY: usize = 500;
const LONGEST_MEASURES: usize = 4000;
/// A hundred years.
const LONGEST_RETENTION: u32 = 36_500;

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProcessingActivity {
    /// `processing_activity`.
    #[schema(example = "processing_activity", pattern = "^processing_activity$")]
    kind: String,
    /// 1 to 200 characters.
    #[schema(example = "Payroll")]
    name: String,
    /// On behalf of others (Article 30(2)).
    #[serde(default)]
    as_processor: bool,
    #[serde(default)]
    #[schema(example = json!(["paying wages"]))]
    purposes: Vec<String>,
    #[serde(default)]
    #[schema(example = json!(["employees"]))]
    subject_categories: Vec<String>,
    #[serde(default)]
    #[schema(example = json!(["bank details"]))]
    data_categories: Vec<String>,
    /// Whether data of Article 9 or 10 is among them.
    special_categories: bool,
    /// Categories of recipients, or `"none"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    recipients: Option<Declared<Vec<String>>>,
    /// To where outside the Union, or `"none"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    transfers: Option<Declared<Vec<TransferBody>>>,
    /// When which data is erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<Vec<RetentionLimit>>,
    /// In place of `retention`: why no limit can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    retention_not_possible: Option<String>,
    /// 1 to 4000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    security_measures: Option<String>,
    /// As a processor: on whose behalf.
    #[serde(default)]
    controllers: Vec<Contact>,
    /// As a processor: what is done for them.
    #[serde(default)]
    processing_categories: Vec<String>,
    /// Ids of the databases in which it happens.
    #[serde(default)]
    #[schema(example = json!(["db_01h2xcejqtf2nbrexx3vqjhp41"]))]
    databases: Vec<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Transfer)]
#[serde(deny_unknown_fields)]
pub(crate) struct TransferBody {
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "CH")]
    country: Option<String>,
    /// In place of `country`: an international organization.
    #[serde(skip_serializing_if = "Option::is_none")]
    organization: Option<String>,
    /// What protects the data there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "standard contractual clauses")]
    safeguard: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RetentionLimit {
    /// Of data.
    #[schema(example = "payslips")]
    category: String,
    /// 1 to 36500.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 3650)]
    days: Option<u32>,
    /// In place of `days`, or what they count from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "after the employment ends")]
    limit: Option<String>,
}

impl ProcessingActivity {
    fn check_transfers(&self, checks: &mut Checks<'_>) {
        let Some(transfers) = self.transfers.as_ref().and_then(Declared::value) else { return };
        not_empty("transfers", transfers, checks);
        if !checks.count("transfers", transfers.len()) {
            return;
        }
        for (place, transfer) in transfers.iter().enumerate() {
            let of = |name: &str| format!("transfers[{place}].{name}");
            checks.country(&of("country"), transfer.country.as_deref());
            checks.text(&of("organization"), transfer.organization.as_deref(), LONGEST_NAME);
            checks.text(&of("safeguard"), transfer.safeguard.as_deref(), LONGEST_ENTRY);
            if transfer.country.is_some() == transfer.organization.is_some() {
                checks.wrong(&of("country"), "name either a country or an organization");
            }
        }
    }

    fn check_retention(&self, checks: &mut Checks<'_>) {
        let reason = self.retention_not_possible.as_deref();
        checks.text("retention_not_possible", reason, LONGEST_ENTRY);
        let Some(limits) = &self.retention else { return };
        if reason.is_some() {
            checks.wrong("retention_not_possible", "does not go with `retention`");
        }
        if limits.is_empty() {
            checks.wrong("retention", "must name a limit; leave it away or say why there is none");
        }
        if !checks.count("retention", limits.len()) {
            return;
        }
        for (place, limit) in limits.iter().enumerate() {
            let of = |name: &str| format!("retention[{place}].{name}");
            checks.text(&of("category"), Some(&limit.category), LONGEST_NAME);
            checks.text(&of("limit"), limit.limit.as_deref(), LONGEST_ENTRY);
            checks.up_to(&of("days"), limit.days, LONGEST_RETENTION);
            if limit.days.is_none() && limit.limit.is_none() {
                checks.wrong(&of("days"), "say how long, in days or in words");
            }
        }
    }
}

fn not_empty<T>(field: &str, entries: &[T], checks: &mut Checks<'_>) {
    if entries.is_empty() {
        checks.wrong(field, "must name something, or be \"none\"");
    }
}

impl Written for ProcessingActivity {
    fn check(&self, checks: &mut Checks<'_>) {
        checks.text("name", Some(&self.name), LONGEST_NAME);
        for (field, entries) in [
            ("purposes", &self.purposes),
            ("subject_categories", &self.subject_categories),
            ("data_categories", &self.data_categories),
            ("processing_categories", &self.processing_categories),
        ] {
            checks.texts(field, entries, LONGEST_ENTRY);
        }
        if let Some(recipients) = self.recipients.as_ref().and_then(Declared::value) {
            not_empty("recipients", recipients, checks);
            checks.texts("recipients", recipients, LONGEST_ENTRY);
        }
        self.check_transfers(checks);
        self.check_retention(checks);
        checks.text("security_measures", self.security_measures.as_deref(), LONGEST_MEASURES);
        if checks.count("controllers", self.controllers.len()) {
            for (place, contact) in self.controllers.iter().enumerate() {
                contact.check(&format!("controllers[{place}]"), checks);
            }
        }
        checks.databases("databases", &self.databases);
    }

    fn content(&self) -> Content {
        let recipients = self.recipients.as_ref();
        let transfer = |transfer: &TransferBody| declaration::Transfer {
            country: transfer.country.clone(),
            has_safeguard: transfer.safeguard.is_some(),
        };
        let transfers = self
            .transfers
            .as_ref()
            .map(|declared| declared.value().into_iter().flatten().map(transfer).collect());
        let retention = match (&self.retention, &self.retention_not_possible) {
            (Some(limits), _) => Retention::Limits(limits.iter().map(|it| it.days).collect()),
            (None, Some(_)) => Retention::NotPossible,
            (None, None) => Retention::Missing,
        };
        Content::ProcessingActivity(declaration::ProcessingActivity {
            as_processor: self.as_processor,
            purposes: count(&self.purposes),
            subject_categories: count(&self.subject_categories),
            data_categories: count(&self.data_categories),
            has_special_categories: self.special_categories,
            recipients: recipients.map(|declared| declared.value().map_or(0, |it| count(it))),
            transfers,
            retention,
            has_security_measures: self.security_measures.is_some(),
            controllers: count(&self.controllers),
            processing_categories: count(&self.processing_categories),
            databases: self.databases.clone(),
        })
    }
}
