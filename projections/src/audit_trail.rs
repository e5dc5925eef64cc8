//! Everything that ever happened to each organization, newest first: its audit log.

use events::chain::Link;
use events::id::{EventId, TokenId};
use events::organization::Changed;
use events::organization::Event::{Created, Deleted, Updated};
use events::personal::{Personal, Sealed};
use events::recorded::{Actor, Position, Recorded};
use events::stream::Stream;
use events::time::Time;
use events::{Event, organization};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Change::Put;
use crate::{Change, Key, ReadModel, descending};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: EventId,
    pub action: String,
    pub actor: Actor,
    pub token: Option<TokenId>,
    pub resource: Resource,
    pub changes: Vec<FieldChange>,
    pub ip_address: Option<Sealed>,
    pub user_agent: Option<Sealed>,
    pub request: Uuid,
    pub version: u64,
    pub position: Position,
    pub link: Link,
    pub at: Time,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    #[serde(rename = "type")]
    pub kind: String,
    pub id: String,
    pub name: Option<Shown>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    pub field: String,
    pub from: Option<Shown>,
    pub to: Option<Shown>,
}

/// A value in the clear, or a sealed one that the reader may be shown opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    Plain(String),
    Personal(Sealed),
}

pub struct AuditTrail;

impl ReadModel for AuditTrail {
    const NAME: &'static str = "audit_trail";
    const VERSION: u32 = 1;
    type Row = Entry;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Entry>)> {
        let Stream::Organization(id) = recorded.stream else { return vec![] };
        let (name, changes) = match &recorded.event {
            Event::Organization(event) => (name_after(event), changes(event)),
            Event::Membership(_) | Event::Invitation(_) | Event::Setting(_) => (None, vec![]),
            Event::Account(_) | Event::Address(_) | Event::Platform(_) => return vec![],
        };
        let entry = Entry {
            id: recorded.id,
            action: events::wire::kind(&recorded.event).0.to_owned(),
            actor: recorded.actor,
            token: recorded.cause.token,
            resource: Resource { kind: "organization".to_owned(), id: id.to_string(), name },
            changes,
            ip_address: recorded.ip_address.sealed().cloned(),
            user_agent: recorded.user_agent.sealed().cloned(),
            request: recorded.cause.request,
            version: recorded.version,
            position: recorded.position,
            link: recorded.link,
            at: recorded.at,
        };
        vec![(Key::new(id, recorded.id), Put(entry))]
    }

    fn sort(row: &Entry) -> String {
        descending(row.version)
    }
}

fn plain(text: &str) -> Shown {
    Shown::Plain(text.to_owned())
}

fn personal(value: &Personal) -> Option<Shown> {
    value.sealed().cloned().map(Shown::Personal)
}

fn name_after(event: &organization::Event) -> Option<Shown> {
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

fn changes(event: &organization::Event) -> Vec<FieldChange> {
    let Updated { name, country, personal_name, billing_email } = event else { return vec![] };
    let mut changes = Vec::new();
    let mut push = |field: &str, from, to| {
        changes.push(FieldChange { field: field.to_owned(), from, to });
    };
    if let Some(Changed { from, to }) = name {
        push("name", Some(plain(from)), Some(plain(to)));
    }
    if let Some(to) = personal_name.changed() {
        push("name", personal(&personal_name.from), personal(to));
    }
    if let Some(Changed { from, to }) = country {
        push("country", from.as_deref().map(plain), to.as_deref().map(plain));
    }
    if let Some(to) = billing_email.changed() {
        push("billing_email", personal(&billing_email.from), personal(to));
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ANA, created_by, renamed, rows_after};

    #[test]
    fn the_newest_entry_comes_first_and_names_old_and_new() {
        let rows = rows_after::<AuditTrail>([created_by(ANA), renamed("Acme", "Acme Two")]);
        let actions: Vec<_> = rows.iter().map(|row| row.action.as_str()).collect();
        assert_eq!(actions, ["organization.updated", "organization.created"]);
        let expected = FieldChange {
            field: "name".to_owned(),
            from: Some(plain("Acme")),
            to: Some(plain("Acme Two")),
        };
        assert_eq!(rows[0].changes, [expected]);
    }
}
