//! How an audit entry tells of the organization itself.

use events::id::OrganizationId;
use events::organization::Changed;
use events::organization::Event::{self, Created, Deleted, Updated};

use super::{FieldChange, Resource, Shown, personal, plain};

pub(super) fn resource(organization: OrganizationId, event: &Event) -> Resource {
    Resource::new("organization", organization, name_after(event))
}

/// What it is called right after the event, where the event tells.
fn name_after(event: &Event) -> Option<Shown> {
    match event {
        Created { name, personal_name, .. } => {
            name.as_deref().map(plain).or_else(|| personal(personal_name))
        }
        Updated { name, personal_name, .. } => {
            name.as_ref().map(|name| plain(&name.to)).or_else(|| personal(&personal_name.to))
        }
        Deleted { .. } => None,
    }
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    if let Created { slug, country, billing_email, .. } = event {
        let first = [
            ("name", name_after(event)),
            ("slug", Some(plain(slug))),
            ("country", country.as_ref().map(plain)),
            ("billing_email", personal(billing_email)),
        ];
        let first = first.into_iter().filter(|(_, value)| value.is_some());
        return first.map(|(field, value)| FieldChange::new(field, None, value)).collect();
    }
    let Updated { name, country, personal_name, billing_email } = event else { return vec![] };
    let mut changes = Vec::new();
    if let Some(Changed { from, to }) = name {
        changes.push(FieldChange::new("name", Some(plain(from)), Some(plain(to))));
    }
    if let Some(to) = personal_name.changed() {
        changes.push(FieldChange::new("name", personal(&personal_name.from), personal(to)));
    }
    if let Some(Changed { from, to }) = country {
        changes.push(FieldChange::new("country", from.as_ref().map(plain), to.as_ref().map(plain)));
    }
    if let Some(to) = billing_email.changed() {
        let from = personal(&billing_email.from);
        changes.push(FieldChange::new("billing_email", from, personal(to)));
    }
    changes
}
