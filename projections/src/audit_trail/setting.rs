//! How an audit entry tells of settings: every old and new value.

use events::id::OrganizationId;
use events::organization::{Changed, ChangedPersonal};
use events::setting::Event;
use serde::Serialize;

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(organization: OrganizationId, _: &Event) -> Resource {
    Resource::new("settings", organization, None)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let Event::Updated(update) = event;
    let mut changes = Vec::new();
    changes.extend(change("require_2fa", update.require_2fa.as_ref()));
    changes.extend(change("allowed_regions", update.allowed_regions.as_ref()));
    changes.extend(change("ip_allowlist_required", update.ip_allowlist_required.as_ref()));
    changes.extend(change("ip_allowlist", update.ip_allowlist.as_ref()));
    changes.extend(sealed("ip_allowlist_descriptions", &update.ip_allowlist_descriptions));
    changes.extend(change("default_tier", update.default_tier.as_ref()));
    changes.extend(change("sso_enabled", update.sso_enabled.as_ref()));
    changes.extend(change("sso_enforced", update.sso_enforced.as_ref()));
    changes.extend(change("audit_retention_days", update.audit_retention_days.as_ref()));
    changes.extend(sealed("controller", &update.controller));
    if update.is_override {
        changes.push(FieldChange::new("override", None, Some(plain(true))));
    }
    changes
}

fn change<T: Serialize>(field: &str, changed: Option<&Changed<T>>) -> Option<FieldChange> {
    let Changed { from, to } = changed?;
    Some(FieldChange::new(field, Some(plain(from)), Some(plain(to))))
}

fn sealed(field: &str, changed: &ChangedPersonal) -> Option<FieldChange> {
    let to = changed.changed()?;
    Some(FieldChange::new(field, personal(&changed.from), personal(to)))
}
