//! The organization stream: one consistency boundary for everything that belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::State;
use crate::access_review;
use crate::database::{self, Database};
use crate::declaration;
use crate::declared::Declared;
use crate::erasure;
use crate::evidence::Evidence;
use crate::id::{
    AccountId, DatabaseId, InvitationId, OrganizationId, ProjectId, SubjectId, TokenId,
};
use crate::incident;
use crate::invitation::{self, Invitation};
use crate::invoice::Billing;
use crate::kept::Kept;
use crate::membership::{self, Member};
use crate::permission::{Permission, Role};
use crate::personal::Personal;
use crate::plan::UNLIMITED;
use crate::project::{self, Project};
use crate::recorded::Recorded;
use crate::restore_test;
use crate::setting::Settings;
use crate::subscription::{self, Subscription};
use crate::time::Time;
use crate::token::{self, Token};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "organization.created")]
    Created {
        organization: OrganizationId,
        slug: String,
        owner: AccountId,
        is_personal: bool,
        /// ISO 3166-1 alpha-2.
        country: Option<String>,
        /// The name, unless it is personal.
        name: Option<String>,
        #[serde(skip)]
        personal_name: Personal,
        #[serde(skip)]
        billing_email: Personal,
    },
    #[serde(rename = "organization.updated")]
    Updated {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Changed<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        country: Option<Changed<Option<String>>>,
        #[serde(skip)]
        personal_name: ChangedPersonal,
        #[serde(skip)]
        billing_email: ChangedPersonal,
    },
    /// The end of everything that belongs to the organization, counted here.
    #[serde(rename = "organization.deleted")]
    Deleted {
        members: u64,
        pending_invitations: u64,
        /// Tokens and keys that served.
        #[serde(default)]
        tokens: u64,
        #[serde(default)]
        projects: u64,
        #[serde(default)]
        databases: u64,
        /// Whether a last invoice may follow.
        #[serde(default)]
        is_billed: bool,
    },
}

/// A field's value before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Changed<T> {
    pub from: T,
    pub to: T,
}

/// A personal field's value before and after; two absent values mean that it did not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedPersonal {
    pub from: Personal,
    pub to: Personal,
}

impl ChangedPersonal {
    /// The new value, when the field changed; absent when it was taken away.
    pub fn changed(&self) -> Option<&Personal> {
        let unchanged = self.from == Personal::Absent && self.to == Personal::Absent;
        (!unchanged).then_some(&self.to)
    }

    /// Takes the change back where both values are open and the same.
    pub(crate) fn settle(&mut self) {
        if let (Personal::Known { value: from, .. }, Personal::Known { value: to, .. }) =
            (&self.from, &self.to)
            && from == to
        {
            *self = Self::default();
        }
    }
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Created { .. } => ("organization.created", 2),
            Self::Updated { .. } => ("organization.updated", 1),
            Self::Deleted { .. } => ("organization.deleted", 4),
        }
    }

    pub(crate) fn keep_changes(&mut self) -> bool {
        let Self::Updated { name, country, personal_name, billing_email } = self else {
            return true;
        };
        personal_name.settle();
        billing_email.settle();
        name.is_some()
            || country.is_some()
            || personal_name.changed().is_some()
            || billing_email.changed().is_some()
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        match self {
            Self::Created { personal_name, billing_email, .. } => {
                visit("personal_name", personal_name);
                visit("billing_email", billing_email);
            }
            Self::Updated { personal_name, billing_email, .. } => {
                visit("personal_name.from", &mut personal_name.from);
                visit("personal_name.to", &mut personal_name.to);
                visit("billing_email.from", &mut billing_email.from);
                visit("billing_email.to", &mut billing_email.to);
            }
            Self::Deleted { .. } => {}
        }
    }
}

/// A name: in the clear, or sealed when it is a person's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    Plain(String),
    Personal(Personal),
}

/// What an organization that exists is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    pub id: OrganizationId,
    pub slug: String,
    pub name: Name,
    pub is_personal: bool,
    pub country: Option<String>,
    pub billing_email: Personal,
    pub plan: String,
    pub is_suspended: bool,
    pub created_at: Time,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

#[derive(Debug, Default)]
pub struct Organization {
    profile: Option<Profile>,
    is_deleted: bool,
    pub(crate) members: BTreeMap<AccountId, Member>,
    pub(crate) invitations: BTreeMap<InvitationId, Invitation>,
    pub(crate) tokens: BTreeMap<TokenId, Token>,
    pub(crate) settings: Settings,
    pub(crate) erased: BTreeSet<SubjectId>,
    pub(crate) declared: Declared,
    pub(crate) projects: BTreeMap<ProjectId, Kept<Project>>,
    pub(crate) databases: BTreeMap<DatabaseId, Kept<Database>>,
    evidence: Evidence,
    subscription: Subscription,
    billing: Billing,
}

impl Organization {
    /// `None` before it is created and after it is deleted.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref().filter(|_| !self.is_deleted)
    }

    /// What it is, or was before it was deleted.
    pub fn was(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What its members have stated.
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Also when it is deleted: packets about it stay.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    pub fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    /// Also when it is deleted: what it owes is owed.
    pub fn billing(&self) -> &Billing {
        &self.billing
    }

    pub(crate) fn is_changed_by(&mut self, recorded: &Recorded) {
        if let Some(profile) = &mut self.profile {
            profile.changed_version = recorded.version;
        }
    }

    fn evolve_subscription(&mut self, event: &subscription::Event, recorded: &Recorded) {
        subscription::evolve(&mut self.subscription, event, recorded);
        let Some(profile) = &mut self.profile else { return };
        if event.changes_organization() {
            profile.plan.clone_from(&self.subscription.terms().plan);
            profile.is_suspended = self.subscription.suspended.is_some();
            profile.changed_version = recorded.version;
        }
    }

    fn evolve_profile(&mut self, event: &Event, recorded: &Recorded) {
        match event {
            Event::Created {
                organization,
                slug,
                owner,
                is_personal,
                country,
                name,
                personal_name,
                billing_email,
            } => {
                let name = match name {
                    Some(name) => Name::Plain(name.clone()),
                    None => Name::Personal(personal_name.clone()),
                };
                self.profile = Some(Profile {
                    id: *organization,
                    slug: slug.clone(),
                    name,
                    is_personal: *is_personal,
                    country: country.clone(),
                    billing_email: billing_email.clone(),
                    plan: UNLIMITED.to_owned(),
                    is_suspended: false,
                    created_at: recorded.at,
                    changed_version: recorded.version,
                });
                self.members.insert(*owner, Member::new(Role::Owner, recorded));
            }
            Event::Updated { name, country, personal_name, billing_email } => {
                let Some(profile) = &mut self.profile else { return };
                if let Some(name) = name {
                    profile.name = Name::Plain(name.to.clone());
                }
                if let Some(name) = personal_name.changed() {
                    profile.name = Name::Personal(name.clone());
                }
                if let Some(country) = country {
                    profile.country.clone_from(&country.to);
                }
                if let Some(billing_email) = billing_email.changed() {
                    profile.billing_email = billing_email.clone();
                }
                profile.changed_version = recorded.version;
            }
            Event::Deleted { .. } => {
                self.is_deleted = true;
                self.members.clear();
                self.invitations.clear();
                self.tokens.clear();
                self.settings = Settings::default();
                self.declared = Declared::default();
                self.projects.clear();
                self.databases.clear();
                self.evidence.end();
                self.subscription = Subscription::default();
            }
        }
    }
}

impl State for Organization {
    fn evolve(&mut self, recorded: &Recorded) {
        self.billing.evolve(recorded);
        match &recorded.event {
            crate::Event::Organization(event) => self.evolve_profile(event, recorded),
            crate::Event::Membership(event) => membership::evolve(self, event, recorded),
            crate::Event::Invitation(event) => invitation::evolve(self, event, recorded),
            crate::Event::Setting(event) => self.settings.evolve(event, recorded),
            crate::Event::Token(event) => token::evolve(self, event, recorded),
            crate::Event::Erasure(event) => erasure::evolve(self, event),
            crate::Event::Declaration(event) => {
                declaration::evolve(&mut self.declared, event, recorded);
            }
            crate::Event::Incident(event) => incident::evolve(&mut self.declared, event, recorded),
            crate::Event::AccessReview(event) => access_review::evolve(self, event, recorded),
            crate::Event::RestoreTest(event) => {
                restore_test::evolve(&mut self.declared, event, recorded);
            }
            crate::Event::Evidence(event) => self.evidence.evolve(event, recorded),
            crate::Event::Project(event) => project::evolve(self, event, recorded),
            crate::Event::Database(event) => database::evolve(self, event, recorded),
            crate::Event::DatabasePart(event) => database::part::evolve(self, event, recorded),
            crate::Event::Subscription(event) => {
                self.evolve_subscription(event, recorded);
            }
            crate::Event::AccessAttempt(_)
            | crate::Event::Invoice(_)
            | crate::Event::Usage(_)
            | crate::Event::Platform(_)
            | crate::Event::Address(_)
            | crate::Event::Account(_) => {}
        }
    }
}

/// The only order that founds an organization. Its id follows from the slug, or from the owner's
/// account when it is personal, so two of the same kind meet on one stream and one of them loses.
#[derive(Clone, Debug)]
pub struct Create {
    pub organization: OrganizationId,
    pub slug: String,
    pub owner: AccountId,
    pub is_personal: bool,
    pub name: String,
    pub billing_email: Option<String>,
    pub country: Option<String>,
}

#[derive(Clone, Debug)]
pub enum Command {
    /// A field that is `None` stays as it is; an inner `None` takes the value away.
    Update {
        name: Option<String>,
        billing_email: Option<Option<String>>,
        country: Option<Option<String>>,
    },
    /// Ends it for everybody. `confirmation` must be its slug.
    Delete { confirmation: String, at: Time },
}

impl Command {
    /// Exhaustive, so a new command cannot be added without naming its permission.
    pub fn requires(&self, _: &Organization) -> Permission {
        match self {
            Self::Update { .. } => Permission::UpdateOrganization,
            Self::Delete { .. } => Permission::DeleteOrganization,
        }
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        match self {
            Self::Update { .. } | Self::Delete { .. } => {
                organization.profile().map(|profile| profile.changed_version)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the slug is taken")]
    SlugTaken,
    #[error("there is no such organization")]
    NotFound,
    #[error("a personal organization lives as long as its account")]
    PersonalOrganization,
    #[error("the confirmation is not the organization's slug")]
    WrongConfirmation,
}

pub fn create(organization: &Organization, command: &Create) -> Result<Vec<Event>, Rejection> {
    if organization.profile.is_some() {
        return Err(Rejection::SlugTaken);
    }
    let Create { organization, slug, owner, is_personal, name, billing_email, country } =
        command.clone();
    let subject = organization.subject();
    let (name, personal_name) = if is_personal {
        (None, Personal::known(subject, name))
    } else {
        (Some(name), Personal::Absent)
    };
    let billing_email = Personal::optional(subject, billing_email);
    Ok(vec![Event::Created {
        organization,
        slug,
        owner,
        is_personal,
        country,
        name,
        personal_name,
        billing_email,
    }])
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    match command {
        Command::Update { name, billing_email, country } => {
            Ok(update(profile, name.as_ref(), billing_email.as_ref(), country.as_ref()))
        }
        Command::Delete { .. } if profile.is_personal => Err(Rejection::PersonalOrganization),
        Command::Delete { confirmation, .. } if *confirmation != profile.slug => {
            Err(Rejection::WrongConfirmation)
        }
        Command::Delete { at, .. } => Ok(vec![deleted(organization, *at)]),
    }
}

/// The end of an organization, with what ends with it.
pub(crate) fn deleted(organization: &Organization, at: Time) -> Event {
    Event::Deleted {
        members: organization.members.len() as u64,
        pending_invitations: organization.pending_invitations().count() as u64,
        tokens: organization.live_tokens(at).count() as u64,
        projects: organization.projects.len() as u64,
        databases: organization.databases.len() as u64,
        is_billed: organization.billing.meter().is_billed(),
    }
}

fn update(
    profile: &Profile,
    name: Option<&String>,
    billing_email: Option<&Option<String>>,
    country: Option<&Option<String>>,
) -> Vec<Event> {
    let subject = profile.id.subject();
    let (plain_name, personal_name) = match (&profile.name, name) {
        (_, None) => (None, ChangedPersonal::default()),
        (Name::Plain(from), Some(to)) => {
            let changed = (from != to).then(|| Changed { from: from.clone(), to: to.clone() });
            (changed, ChangedPersonal::default())
        }
        (Name::Personal(from), Some(to)) => {
            (None, ChangedPersonal { from: from.clone(), to: Personal::known(subject, to) })
        }
    };
    let country = country
        .filter(|to| **to != profile.country)
        .map(|to| Changed { from: profile.country.clone(), to: to.clone() });
    let billing_email = billing_email.map_or_else(ChangedPersonal::default, |to| ChangedPersonal {
        from: profile.billing_email.clone(),
        to: Personal::optional(subject, to.clone()),
    });
    let nothing_changed = plain_name.is_none()
        && country.is_none()
        && personal_name.changed().is_none()
        && billing_email.changed().is_none();
    if nothing_changed {
        return vec![];
    }
    vec![Event::Updated { name: plain_name, country, personal_name, billing_email }]
}

#[cfg(test)]
mod tests;
