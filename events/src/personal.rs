//! Personal values. The line holds only a salted digest of each (RFC 9901's disclosure form); the
//! value stands beside the line, sealed under its subject's data key, and stays sealed in read
//! models. Destroying the key erases the value and changes no hash.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{EventId, SubjectId};
use crate::wire::{base64url, from_base64url};

/// One personal value of an event. Never serialized into a line: the compiler refuses it.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Personal {
    /// There is none, or what was sealed is gone.
    #[default]
    Absent,
    /// In the clear: on its way into the log, or just opened.
    Known { subject: SubjectId, value: String },
    /// As the log and the read models keep it.
    Sealed(Box<Sealed>),
}

impl Personal {
    pub fn known(subject: SubjectId, value: impl Into<String>) -> Self {
        Self::Known { subject, value: value.into() }
    }

    /// `None` becomes absent.
    pub fn optional(subject: SubjectId, value: Option<String>) -> Self {
        value.map_or(Self::Absent, |value| Self::Known { subject, value })
    }

    pub fn sealed(&self) -> Option<&Sealed> {
        match self {
            Self::Sealed(sealed) => Some(sealed),
            Self::Absent | Self::Known { .. } => None,
        }
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Known { .. } => "Known(..)",
            Self::Sealed(_) => "Sealed(..)",
        })
    }
}

/// A personal value under its subject's key, with what is needed to open it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    pub subject: SubjectId,
    /// The event it was recorded with; binds the box to its place.
    pub event: EventId,
    pub field: Box<str>,
    /// Base64url of nonce and ciphertext.
    #[serde(rename = "box")]
    pub sealed_box: Box<str>,
}

/// What a reader learns of a personal value: three states that are never confused.
#[derive(Clone, PartialEq, Eq)]
pub enum Opened {
    Known(String),
    /// Its subject's key was destroyed on purpose.
    Erased,
    /// The key should be there and is not, or does not open the box: an alarm.
    KeyMissing,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known(_) => "Known(..)",
            Self::Erased => "Erased",
            Self::KeyMissing => "KeyMissing",
        })
    }
}

/// RFC 9901: base64url of `[salt, name, value]` as JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct Disclosure {
    pub subject: SubjectId,
    pub field: &'static str,
    pub text: String,
}

impl Disclosure {
    pub fn new(subject: SubjectId, field: &'static str, value: &str, salt: [u8; 16]) -> Self {
        let json = serde_json::to_string(&(base64url(&salt), field, value))
            .expect("three strings are always JSON");
        Self { subject, field, text: base64url(json.as_bytes()) }
    }

    /// The digest that stands in the line's `_sd`.
    pub fn digest(&self) -> String {
        digest(&self.text)
    }
}

/// Base64url of SHA-256 over a disclosure's characters.
pub fn digest(disclosure: &str) -> String {
    base64url(&Sha256::digest(disclosure.as_bytes()))
}

/// The value inside a disclosure made for this field; `None` when it is not one.
pub fn value_of(disclosure: &str, field: &str) -> Option<String> {
    let json = from_base64url(disclosure)?;
    let (_salt, name, value): (String, String, String) = serde_json::from_slice(&json).ok()?;
    (name == field).then_some(value)
}

/// Every field that an event's `data` or its `_sd` can hold, by wire name. A test refuses an event
/// with a field that is in neither list, so that nobody adds one without deciding what it is.
pub const FIELDS: &[(&str, &[&str], &[&str])] = &[
    // type, in the line, sealed beside it
    ("platform.initialized", &["log_id", "origin"], &[]),
    ("address.claimed", &["account"], &[]),
    ("account.registered", &["subject"], &["company", "email", "name", "password_hash"]),
    ("account.abandoned", &[], &[]),
    ("account.updated", &[], &["company.from", "company.to", "name.from", "name.to"]),
    ("account.password_changed", &["kept"], &["password_hash"]),
    ("account.password_reset_requested", &["expires_at", "issue", "secret_hash"], &[]),
    ("account.password_reset", &["issue"], &["password_hash"]),
    ("account.email_verification_requested", &["expires_at", "issue", "secret_hash"], &[]),
    ("account.email_verified", &["invitation", "issue"], &[]),
    ("account.address_lost", &["issue"], &[]),
    ("account.second_factor_prepared", &[], &["secret"]),
    ("account.second_factor_enabled", &["step"], &["backup_codes"]),
    ("account.second_factor_used", &["step"], &[]),
    ("account.backup_code_used", &["code"], &[]),
    ("account.second_factor_disabled", &[], &[]),
    ("account.sign_in_failed", &["count", "reason"], &[]),
    ("account.erasure_started", &[], &[]),
    ("account.erasure_abandoned", &["kept_by", "left"], &[]),
    ("account.erased", &[], &[]),
    (
        "session.started",
        &["ends_at", "expires_at", "refresh_expires_at", "refresh_hash", "secret_hash", "session"],
        &[],
    ),
    (
        "session.refreshed",
        &[
            "expires_at",
            "generation",
            "refresh_expires_at",
            "refresh_hash",
            "secret_hash",
            "session",
        ],
        &[],
    ),
    ("session.ended", &["reason", "session"], &[]),
    ("session.organization_chosen", &["organization", "session"], &[]),
    (
        "organization.created",
        &["country", "is_personal", "name", "organization", "owner", "slug"],
        &["billing_email", "personal_name"],
    ),
    (
        "organization.updated",
        &["country", "name"],
        &["billing_email.from", "billing_email.to", "personal_name.from", "personal_name.to"],
    ),
    (
        "organization.deleted",
        &["databases", "is_billed", "members", "pending_invitations", "projects", "tokens"],
        &[],
    ),
    ("organization.ownership_transferred", &["from", "kept_role", "previous_role", "to"], &[]),
    ("member.joined", &["invitation", "is_address_proven", "member", "role"], &[]),
    ("member.role_changed", &["member", "role"], &[]),
    ("member.removed", &["member", "role"], &[]),
    ("member.left", &["member", "role"], &[]),
    ("member.second_factor_changed", &["is_enabled", "member"], &[]),
    (
        "member.invited",
        &["expires_at", "invitation", "invitee", "issue", "links", "role"],
        &["email"],
    ),
    (
        "invitation.resent",
        &["expires_at", "invitation", "issue", "links", "previous_expires_at"],
        &[],
    ),
    ("invitation.canceled", &["because", "invitation"], &[]),
    ("invitation.rejected", &["invitation"], &[]),
    ("invitation.expired", &["invitation"], &[]),
    (
        "api_key.created",
        &["expires_at", "kind", "name", "owner", "prefix", "scopes", "secret_hash", "token"],
        &[],
    ),
    (
        "api_key.rotated",
        &[
            "expires_at",
            "kind",
            "name",
            "owner",
            "prefix",
            "previous_valid_until",
            "scopes",
            "secret_hash",
            "successor",
            "token",
        ],
        &[],
    ),
    ("api_key.revoked", &["token"], &[]),
    ("person.erased", &["subject"], &[]),
    ("declaration.set", &["content", "declaration"], &["text"]),
    ("declaration.removed", &["declaration"], &[]),
    ("declaration.reviewed", &["declaration"], &[]),
    (
        "incident.opened",
        &["ai_systems", "aware_at", "databases", "detected_at", "incident"],
        &["text"],
    ),
    ("incident.classified", &["classified_at", "criteria", "incident", "is_major"], &["reason"]),
    ("incident.reported", &["incident", "stage", "submitted_at"], &["reference"]),
    ("incident.recovered", &["incident", "recovered_at"], &[]),
    ("incident.closed", &["cause", "incident"], &["root_cause"]),
    ("access_review.started", &["as_of", "members", "review", "tokens"], &[]),
    ("access_review.decided", &["decision", "item", "review"], &["reason"]),
    ("access_review.completed", &["changed", "gone", "kept", "removed", "review"], &[]),
    (
        "restore_test.recorded",
        &[
            "database",
            "duration_seconds",
            "is_other_region",
            "performed_at",
            "restore_test",
            "result",
        ],
        &["text"],
    ),
    ("signing_key.introduced", &["key_id", "public_key", "purpose"], &[]),
    ("signing_key.rotated", &["from", "payload", "signed_by_new", "signed_by_old", "to"], &[]),
    ("signing_key.retired", &["key_id"], &[]),
    ("signing_key.revoked", &["compromised_since", "key_id"], &[]),
    ("ledger.sealed", &["count", "position", "root"], &[]),
    ("log.verified", &["lines", "position", "succeeded"], &[]),
    ("compliance.subscribed", &["framework"], &[]),
    ("compliance.unsubscribed", &["framework"], &[]),
    ("plan_catalogue.published", &["catalogue", "source"], &[]),
    ("plan.changed", &["previous", "terms", "trial_ends_at"], &[]),
    ("plan.change_scheduled", &["takes_effect_at", "terms"], &[]),
    ("plan.change_canceled", &["because", "plan"], &[]),
    ("plan.trial_ended", &["has_payment_method"], &[]),
    ("seats.changed", &["extra_seats"], &[]),
    ("seats.change_scheduled", &["extra_seats", "takes_effect_at"], &[]),
    ("seats.change_canceled", &["because", "extra_seats"], &[]),
    ("spend_limit.changed", &["spend_limit"], &[]),
    ("spend_limit.reached", &["month", "spend_limit", "spent"], &[]),
    ("payment_method.added", &["payment_method", "provider"], &["text"]),
    ("payment_method.removed", &["payment_method"], &[]),
    ("organization.suspended", &["because"], &["reason"]),
    ("organization.resumed", &[], &[]),
    ("period.closed", &["continues", "end", "start", "usage"], &[]),
    ("invoice.itemized", &["invoice", "lines"], &[]),
    (
        "invoice.finalized",
        &["credit_applied", "due_at", "invoice", "number", "period_end", "period_start", "total"],
        &[],
    ),
    ("invoice.paid", &["amount", "invoice", "payment", "provider"], &["reference"]),
    ("invoice.payment_reversed", &["amount", "due_at", "invoice", "payment"], &["reason"]),
    ("invoice.overdue", &["amount_due", "invoice"], &[]),
    (
        "credit_note.issued",
        &["amount", "amount_due", "credit_note", "invoice", "number"],
        &["reason"],
    ),
    ("credit.granted", &["amount", "credit"], &["reason"]),
    ("usage.recorded", &["entries"], &[]),
    (
        "compliance.packet_requested",
        &["challenge", "framework", "packet", "period_end", "period_start", "supersedes"],
        &[],
    ),
    ("compliance.packet_downloaded", &["discloses", "packet"], &[]),
    ("access.denied", &["count", "operation"], &[]),
    ("project.created", &["name", "project", "region"], &["description", "tags"]),
    (
        "project.updated",
        &["name", "project", "region"],
        &["description.from", "description.to", "tags.from", "tags.to"],
    ),
    ("project.deleted", &["name", "project"], &[]),
    ("project.domain_added", &["domain", "hostname", "project"], &[]),
    ("project.domain_removed", &["domain", "hostname", "project"], &[]),
    ("project.cache_rule_set", &["content", "project", "rule"], &[]),
    ("project.cache_rule_removed", &["project", "rule"], &[]),
    (
        "database.created",
        &[
            "database",
            "database_type",
            "name",
            "node_count",
            "project",
            "region",
            "storage_gb",
            "tier",
            "version",
        ],
        &[],
    ),
    ("database.updated", &["database", "name", "project"], &[]),
    ("database.provisioning_started", &["database", "since"], &[]),
    ("database.started", &["database", "since"], &[]),
    ("database.stopped", &["database", "is_ordered", "since"], &[]),
    ("database.failed", &["database", "since"], &["reason"]),
    ("database.resized", &["database", "node_count", "storage_gb", "tier"], &[]),
    ("database.facts_reported", &["database", "facts"], &[]),
    ("database.deletion_started", &["database", "name"], &[]),
    ("database.deleted", &["database", "name", "since"], &[]),
    ("database_user.created", &["database", "user", "username"], &[]),
    ("database_user.password_reset", &["database", "issue", "user"], &[]),
    ("database_user.password_revealed", &["database", "issue", "user"], &[]),
    ("database_user.deleted", &["database", "user", "username"], &[]),
    ("backup.requested", &["backup", "database"], &[]),
    ("backup.completed", &["backup", "database", "finished"], &[]),
    ("backup.deleted", &["backup", "database"], &[]),
    ("backup_schedule.set", &["database", "schedule"], &[]),
    ("database_allowlist.rule_added", &["cidr", "database", "rule"], &["description"]),
    ("database_allowlist.rule_removed", &["cidr", "database", "rule"], &[]),
    ("database_allowlist.switched", &["database", "is_enabled"], &[]),
    ("alert.set", &["alert", "content", "database"], &[]),
    ("alert.removed", &["alert", "database", "name"], &[]),
    ("pipeline.set", &["database", "is_enabled", "name", "pipeline", "schedule"], &["ends"]),
    ("pipeline.removed", &["database", "name", "pipeline"], &[]),
    (
        "settings.updated",
        &[
            "allowed_regions",
            "audit_retention_days",
            "default_tier",
            "ip_allowlist",
            "ip_allowlist_required",
            "is_override",
            "require_2fa",
            "sso_enabled",
            "sso_enforced",
        ],
        &[
            "controller.from",
            "controller.to",
            "ip_allowlist_descriptions.from",
            "ip_allowlist_descriptions.to",
        ],
    ),
];

/// Sealed under the actor's subject with every event an account causes over HTTP.
pub const OF_THE_ACTOR: [&str; 2] = ["ip_address", "user_agent"];
