//! What can happen in Chancery, and who decides it.
//!
//! Everything here is a pure function of its arguments: no clock, no randomness, no I/O.

pub mod access_attempt;
pub mod access_review;
pub mod account;
pub mod address;
pub mod chain;
pub mod connection;
pub mod database;
pub mod declaration;
pub mod declared;
pub mod duration;
pub mod erasure;
pub mod evidence;
pub mod id;
pub mod incident;
pub mod invitation;
pub mod invoice;
pub mod kept;
pub mod membership;
pub mod organization;
pub mod permission;
pub mod personal;
pub mod plan;
pub mod platform;
pub mod principal;
pub mod project;
pub mod quota;
pub mod recorded;
pub mod restore_test;
pub mod rights;
pub mod scope;
pub mod setting;
pub mod slug;
pub mod stream;
pub mod subscription;
pub mod time;
pub mod token;
pub mod tree;
pub mod usage;
pub mod wire;

#[cfg(test)]
mod given;
#[cfg(test)]
mod interleavings;

use database::part as database_part;

/// Every fact the log can hold.
///
/// Closed on purpose: a new variant stops the build everywhere it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Platform(platform::Event),
    Address(address::Event),
    Account(account::Event),
    Organization(organization::Event),
    Membership(membership::Event),
    Invitation(invitation::Event),
    Setting(setting::Event),
    Token(token::Event),
    AccessAttempt(access_attempt::Event),
    Erasure(erasure::Event),
    Declaration(declaration::Event),
    Incident(incident::Event),
    AccessReview(access_review::Event),
    RestoreTest(restore_test::Event),
    Evidence(evidence::Event),
    Project(project::Event),
    Database(database::Event),
    DatabasePart(database_part::Event),
    Subscription(subscription::Event),
    Invoice(invoice::Event),
    Usage(usage::Event),
}

macro_rules! from_domains {
    ($($domain:ident $module:ident;)*) => {$(
        impl From<$module::Event> for Event {
            fn from(event: $module::Event) -> Self {
                Self::$domain(event)
            }
        }
    )*};
}

from_domains! {
    Platform platform;
    Address address;
    Account account;
    Organization organization;
    Membership membership;
    Invitation invitation;
    Setting setting;
    Token token;
    AccessAttempt access_attempt;
    Erasure erasure;
    Declaration declaration;
    Incident incident;
    AccessReview access_review;
    RestoreTest restore_test;
    Evidence evidence;
    Project project;
    Database database;
    DatabasePart database_part;
    Subscription subscription;
    Invoice invoice;
    Usage usage;
}

impl Event {
    /// Shows every personal field by its name, so that each can be sealed, opened or withheld.
    pub fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut personal::Personal)) {
        match self {
            Self::Account(event) => event.personal(visit),
            Self::Organization(event) => event.personal(visit),
            Self::Invitation(event) => event.personal(visit),
            Self::Setting(event) => event.personal(visit),
            Self::Declaration(event) => event.personal(visit),
            Self::Incident(event) => event.personal(visit),
            Self::AccessReview(event) => event.personal(visit),
            Self::RestoreTest(event) => event.personal(visit),
            Self::Project(event) => event.personal(visit),
            Self::Database(event) => event.personal(visit),
            Self::DatabasePart(event) => event.personal(visit),
            Self::Subscription(event) => event.personal(visit),
            Self::Invoice(event) => event.personal(visit),
            Self::Platform(_)
            | Self::Address(_)
            | Self::Membership(_)
            | Self::Token(_)
            | Self::AccessAttempt(_)
            | Self::Erasure(_)
            | Self::Usage(_)
            | Self::Evidence(_) => {}
        }
    }
}

impl Event {
    /// Whether it may be a change of personal values only: then it is known when they are open
    /// whether it changes anything.
    pub fn may_change_nothing(&self) -> bool {
        matches!(
            self,
            Self::Account(account::Event::Updated { .. })
                | Self::Organization(organization::Event::Updated { .. })
                | Self::Setting(setting::Event::Updated(_))
                | Self::Project(project::Event::Updated { .. })
        )
    }

    /// Takes back each change of a personal value to the one that stands already, as far as both
    /// are open. `false` when nothing is left of the event.
    pub fn keep_changes(&mut self) -> bool {
        match self {
            Self::Account(event) => event.keep_changes(),
            Self::Organization(event) => event.keep_changes(),
            Self::Setting(event) => event.keep_changes(),
            Self::Project(event) => event.keep_changes(),
            Self::Platform(_)
            | Self::Address(_)
            | Self::Membership(_)
            | Self::Invitation(_)
            | Self::Token(_)
            | Self::AccessAttempt(_)
            | Self::Erasure(_)
            | Self::Declaration(_)
            | Self::Incident(_)
            | Self::AccessReview(_)
            | Self::RestoreTest(_)
            | Self::Evidence(_)
            | Self::Database(_)
            | Self::DatabasePart(_)
            | Self::Subscription(_)
            | Self::Invoice(_)
            | Self::Usage(_) => true,
        }
    }
}

/// What the decisions of one stream need to know, folded from its events.
pub trait State: Default + Send + Sync + 'static {
    /// Never fails and never checks a rule: what is in the log has happened.
    fn evolve(&mut self, recorded: &recorded::Recorded);
}

/// An order that a member gives to an organization, of whatever domain.
pub trait Command: Send + Sync {
    type Rejection;

    /// The right it takes, given what the organization is now.
    fn requires(&self, organization: &organization::Organization) -> permission::Permission;

    /// The version of the resource that it would change; `None` where there is no such thing.
    fn resource_version(&self, organization: &organization::Organization) -> Option<u64>;

    fn decide(
        &self,
        organization: &organization::Organization,
    ) -> Result<Vec<Event>, Self::Rejection>;
}

macro_rules! commands {
    ($($module:ident)*) => {$(
        impl Command for $module::Command {
            type Rejection = $module::Rejection;

            fn requires(&self, organization: &organization::Organization) -> permission::Permission {
                self.requires(organization)
            }

            fn resource_version(&self, organization: &organization::Organization) -> Option<u64> {
                self.resource_version(organization)
            }

            fn decide(
                &self,
                organization: &organization::Organization,
            ) -> Result<Vec<Event>, Self::Rejection> {
                let facts = $module::decide(organization, self)?;
                Ok(facts.into_iter().map(Event::from).collect())
            }
        }
    )*};
}

commands!(organization membership invitation setting token evidence);
commands!(declaration incident access_review restore_test subscription invoice);
commands!(project database database_part);
