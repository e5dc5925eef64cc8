//! How facts become rows. Pure: the server owns the database.

use std::collections::HashMap;
use std::fmt;

use events::recorded::Recorded;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub mod audit_trail;
pub mod credential;
pub mod due_list;
pub mod home;
pub mod invitation_list;
pub mod invitee_list;
pub mod ledger;
pub mod link_target;
pub mod member_list;
pub mod membership_list;
pub mod organization_overview;
pub mod own_token_list;
mod pending;
pub mod person;
#[cfg(test)]
mod table;
pub mod token_list;
pub mod usage;

pub use pending::Pending;

/// Every read model there is.
pub const ALL: [&dyn Model; 14] = [
    &Of::<audit_trail::AuditTrail>::new(),
    &Of::<credential::Credentials>::new(),
    &Of::<due_list::DueList>::new(),
    &Of::<home::Homes>::new(),
    &Of::<invitation_list::InvitationList>::new(),
    &Of::<invitee_list::InviteeList>::new(),
    &Of::<link_target::LinkTarget>::new(),
    &Of::<member_list::MemberList>::new(),
    &Of::<membership_list::MembershipList>::new(),
    &Of::<organization_overview::OrganizationOverview>::new(),
    &Of::<own_token_list::OwnTokenList>::new(),
    &Of::<person::People>::new(),
    &Of::<token_list::TokenList>::new(),
    &usage::Usage,
];

/// One list somebody reads. Rows belong to a scope and are read in the order of their sort key.
pub trait ReadModel: Send + Sync + 'static {
    /// Names the rows and the checkpoint; never reuse one for another shape.
    const NAME: &'static str;
    /// Raise it to rebuild from the first event.
    const VERSION: u32;
    type Row: Serialize + DeserializeOwned + Send + 'static;

    /// What this fact does to the rows; empty when it does nothing here.
    fn project(recorded: &Recorded) -> Vec<(Key, Change<Self::Row>)>;

    /// Where the row stands among those of its scope, in ascending order of these characters. It
    /// must not change while the row lives, or a reader who pages would miss the row.
    fn sort(row: &Self::Row) -> String;

    /// What the row is filtered by, where its model is kept in a table of its own for that.
    fn columns(_row: &Self::Row) -> Option<audit_trail::Columns> {
        None
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub scope: String,
    pub id: String,
}

impl Key {
    pub fn new(scope: impl fmt::Display, id: impl fmt::Display) -> Self {
        Self { scope: scope.to_string(), id: id.to_string() }
    }
}

pub enum Change<Row> {
    Put(Row),
    Edit(Box<dyn FnOnce(&mut Row) + Send>),
    Remove,
    /// The end of every row of the key's scope; its id does not matter.
    RemoveScope,
}

/// A row as it is stored: `body` is the row as JSON, `None` where the row is gone. Without an id and
/// a body, all rows are gone that the scope had before, or those before `sort` where there is one;
/// rows written beside it are new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    pub key: Key,
    pub sort: String,
    pub body: Option<String>,
    pub columns: Option<Box<audit_trail::Columns>>,
}

impl Written {
    /// All rows are gone that its scope had before.
    pub fn ends_scope(&self) -> bool {
        self.key.id.is_empty() && self.body.is_none() && self.sort.is_empty()
    }

    /// The rows of its scope are gone that stand before its sort key.
    pub fn ends_before(&self) -> bool {
        self.key.id.is_empty() && self.body.is_none() && !self.sort.is_empty()
    }
}

/// A fact that does not fit the rows. A bug: the model stops, it does not skip.
#[derive(Debug, thiserror::Error)]
pub enum Impossible {
    #[error("an event edits a row of `{model}` that is not there")]
    NoRow { model: &'static str },
    #[error("a line is not the next of its log in `{model}`")]
    NotNext { model: &'static str },
    #[error("a row of `{model}` cannot be read")]
    Unreadable { model: &'static str, source: serde_json::Error },
}

/// A read model whose row type is forgotten, so that all of them can advance together.
pub trait Model: Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> u32;
    /// What a run of events, in order, does to this model's rows.
    fn project(&self, recorded: &[Recorded]) -> Box<dyn Touched>;
}

/// The rows a run of events touches.
pub trait Touched: Send {
    /// Rows that must be loaded, because an event edits what was there before.
    fn wanted(&self) -> Vec<Key>;
    /// The rows to write, given the wanted ones that exist.
    fn apply(self: Box<Self>, stored: HashMap<Key, String>) -> Result<Vec<Written>, Impossible>;
}

struct Of<M>(std::marker::PhantomData<fn() -> M>);

impl<M> Of<M> {
    const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<M: ReadModel> Model for Of<M> {
    fn name(&self) -> &'static str {
        M::NAME
    }

    fn version(&self) -> u32 {
        M::VERSION
    }

    fn project(&self, recorded: &[Recorded]) -> Box<dyn Touched> {
        Box::new(Pending::<M>::of(recorded))
    }
}

/// Characters that sort a larger number first.
fn descending(number: u64) -> String {
    format!("{:016x}", u64::MAX - number)
}
