//! Everything that ever happened to each organization, newest first: its audit log. Each domain
//! says itself what an entry of its own is about: `audit_trail/<domain>.rs`.

use std::fmt;

use events::Event;
use events::chain::Link;
use events::id::{EventId, OrganizationId, TokenId};
use events::organization::Changed;
use events::personal::{Personal, Sealed};
use events::recorded::{Actor, Position, Recorded};
use events::stream::Stream;
use events::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::Change::Put;
use crate::{Change, Key, ReadModel, descending};

mod access_attempt;
mod access_review;
mod database;
mod database_part;
mod declaration;
mod evidence;
mod incident;
mod invitation;
mod invoice;
mod membership;
mod organization;
mod project;
mod restore_test;
mod setting;
mod subscription;
mod token;

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

impl FieldChange {
    fn new(field: &str, from: Option<Shown>, to: Option<Shown>) -> Self {
        Self { field: field.to_owned(), from, to }
    }

    fn of(field: &str, changed: &Changed<impl Serialize>) -> Self {
        Self::new(field, Some(plain(&changed.from)), Some(plain(&changed.to)))
    }
}

impl Resource {
    fn new(kind: &str, id: impl fmt::Display, name: Option<Shown>) -> Self {
        Self { kind: kind.to_owned(), id: id.to_string(), name }
    }
}

/// A value in the clear, or a sealed one that the reader may be shown opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    Plain(Value),
    Personal(Sealed),
}

/// What entries are filtered by, in columns of their own beside the row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    pub version: u64,
    pub action: String,
    pub actor: String,
    pub resource_type: String,
    pub resource_id: String,
    pub at: Time,
    /// In lower case: the action, every id, and names that are not personal.
    pub words: String,
}

pub struct AuditTrail;

impl ReadModel for AuditTrail {
    const NAME: &'static str = "audit_trail";
    const VERSION: u32 = 2;
    type Row = Entry;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Entry>)> {
        let Stream::Organization(id) = recorded.stream else { return vec![] };
        let Some((resource, changes)) = described(id, &recorded.event) else { return vec![] };
        let entry = Entry {
            id: recorded.id,
            action: events::wire::kind(&recorded.event).0.to_owned(),
            actor: recorded.actor,
            token: recorded.cause.token,
            resource,
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
        sort_of(row.version)
    }

    fn columns(row: &Entry) -> Option<Columns> {
        Some(Columns {
            version: row.version,
            action: row.action.clone(),
            actor: row.actor.to_string(),
            resource_type: row.resource.kind.clone(),
            resource_id: row.resource.id.clone(),
            at: row.at,
            words: words(row),
        })
    }
}

/// The sort key of an organization's entry.
pub fn sort_of(version: u64) -> String {
    descending(version)
}

/// What an event on an organization's stream is about and what it changed there. `None` for events
/// of other streams.
fn described(id: OrganizationId, event: &Event) -> Option<(Resource, Vec<FieldChange>)> {
    match event {
        Event::Organization(event) => {
            Some((organization::resource(id, event), organization::changes(event)))
        }
        Event::Membership(event) => {
            Some((membership::resource(id, event), membership::changes(event)))
        }
        Event::Invitation(event) => Some((invitation::resource(event), invitation::changes(event))),
        Event::Setting(event) => Some((setting::resource(id, event), setting::changes(event))),
        Event::Token(event) => Some((token::resource(event), token::changes(event))),
        Event::Erasure(events::erasure::Event::Erased { subject }) => {
            Some((Resource::new("person", subject, None), vec![]))
        }
        Event::Evidence(event) => Some((evidence::resource(event), evidence::changes(event))),
        Event::AccessAttempt(event) => {
            Some((access_attempt::resource(event), access_attempt::changes(event)))
        }
        Event::Declaration(event) => {
            Some((declaration::resource(event), declaration::changes(event)))
        }
        Event::Incident(event) => Some((incident::resource(event), incident::changes(event))),
        Event::AccessReview(event) => {
            Some((access_review::resource(event), access_review::changes(event)))
        }
        Event::RestoreTest(event) => {
            Some((restore_test::resource(event), restore_test::changes(event)))
        }
        Event::Project(event) => Some((project::resource(event), project::changes(event))),
        Event::Database(event) => Some((database::resource(event), database::changes(event))),
        Event::DatabasePart(event) => {
            Some((database_part::resource(event), database_part::changes(event)))
        }
        Event::Subscription(event) => {
            Some((subscription::resource(id, event), subscription::changes(event)))
        }
        Event::Invoice(event) => Some((invoice::resource(id, event), invoice::changes(event))),
        Event::Account(_) | Event::Address(_) | Event::Platform(_) | Event::Usage(_) => None,
    }
}

/// What somebody may look for. A personal value is in no index: it must be gone when it is erased.
fn words(entry: &Entry) -> String {
    let mut words = vec![
        entry.action.clone(),
        entry.id.to_string(),
        entry.actor.to_string(),
        entry.resource.id.clone(),
        entry.request.to_string(),
    ];
    words.extend(entry.token.map(|token| token.to_string()));
    let named = entry.changes.iter().filter(|change| change.field == "name");
    let values = named.flat_map(|change| [&change.from, &change.to]).chain([&entry.resource.name]);
    for value in values.flatten() {
        match value {
            Shown::Plain(Value::String(name)) => words.push(name.clone()),
            Shown::Plain(_) | Shown::Personal(_) => {}
        }
    }
    words.join("\n").to_lowercase()
}

fn plain(value: impl Serialize) -> Shown {
    Shown::Plain(serde_json::to_value(value).unwrap_or_default())
}

/// Each field of what is there now, as a whole.
fn fields(content: impl Serialize) -> Vec<FieldChange> {
    let Shown::Plain(Value::Object(fields)) = plain(content) else { return vec![] };
    let now =
        |(field, value): (String, Value)| FieldChange::new(&field, None, Some(Shown::Plain(value)));
    fields.into_iter().map(now).collect()
}

fn personal(value: &Personal) -> Option<Shown> {
    value.sealed().cloned().map(Shown::Personal)
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
        let expected = FieldChange::new("name", Some(plain("Acme")), Some(plain("Acme Two")));
        assert_eq!(rows[0].changes, [expected]);
    }

    #[test]
    fn an_entry_is_found_by_its_action_ids_and_old_and_new_names() {
        let rows = rows_after::<AuditTrail>([created_by(ANA), renamed("Acme", "Émile")]);
        let columns = AuditTrail::columns(&rows[0]).expect("entries have columns");
        for word in ["organization.updated", "acme", "émile", &rows[0].id.to_string()] {
            assert!(columns.words.contains(word), "{word} is in {}", columns.words);
        }
    }
}
