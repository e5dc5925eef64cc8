//! The organization stream: one consistency boundary for everything that belongs to it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::State;
use crate::id::{AccountId, OrganizationId};
use crate::permission::{Permission, Role};
use crate::personal::Personal;
use crate::recorded::Recorded;
use crate::time::Time;

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
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Created { .. } => ("organization.created", 2),
            Self::Updated { .. } => ("organization.updated", 1),
        }
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
        }
    }
}

/// A name: in the clear, or sealed when it is a person's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    Plain(String),
    Personal(Personal),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub role: Role,
    pub since: Time,
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
    pub created_at: Time,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

#[derive(Debug, Default)]
pub struct Organization {
    profile: Option<Profile>,
    members: BTreeMap<AccountId, Member>,
}

impl Organization {
    /// `None` before it is created.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }

    pub fn role_of(&self, account: AccountId) -> Option<Role> {
        self.members.get(&account).map(|member| member.role)
    }

    pub fn member_count(&self) -> usize {
        self.members.len()
    }

    /// The owner who has been a member longest.
    pub fn longest_standing_owner(&self) -> Option<AccountId> {
        self.members
            .iter()
            .filter(|(_, member)| member.role == Role::Owner)
            .min_by_key(|(account, member)| (member.since, **account))
            .map(|(account, _)| *account)
    }
}

impl State for Organization {
    fn evolve(&mut self, recorded: &Recorded) {
        let crate::Event::Organization(event) = &recorded.event else { return };
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
                    created_at: recorded.at,
                    changed_version: recorded.version,
                });
                self.members.insert(*owner, Member { role: Role::Owner, since: recorded.at });
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
}

impl Command {
    /// Exhaustive, so a new command cannot be added without naming its permission.
    pub fn requires(&self) -> Permission {
        match self {
            Self::Update { .. } => Permission::UpdateOrganization,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the slug is taken")]
    SlugTaken,
    #[error("there is no such organization")]
    NotFound,
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
    let profile = organization.profile.as_ref().ok_or(Rejection::NotFound)?;
    match command {
        Command::Update { name, billing_email, country } => {
            Ok(update(profile, name.as_ref(), billing_email.as_ref(), country.as_ref()))
        }
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

/// Slugs no organization may take: they are, or may become, addresses of the product itself.
const RESERVED: [&str; 8] = ["new", "api", "admin", "docs", "login", "setup", "account", "verify"];

/// Why a slug cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSlug {
    #[error("must be 3 to 63 characters long")]
    Length,
    #[error("may only contain lowercase letters, digits and hyphens")]
    Character,
    #[error("must not begin or end with a hyphen, nor hold two in a row")]
    Hyphen,
    #[error("is reserved")]
    Reserved,
}

pub fn check_slug(slug: &str) -> Result<(), InvalidSlug> {
    if !slug.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(InvalidSlug::Character);
    }
    if !(3..=63).contains(&slug.len()) {
        return Err(InvalidSlug::Length);
    }
    if slug.starts_with('-') || slug.ends_with('-') || slug.contains("--") {
        return Err(InvalidSlug::Hyphen);
    }
    if RESERVED.contains(&slug) || slug.starts_with(PERSONAL_SLUG_PREFIX) {
        return Err(InvalidSlug::Reserved);
    }
    Ok(())
}

pub const PERSONAL_SLUG_PREFIX: &str = "u-";

/// The slug of a personal organization: `u-` and the last twelve characters of its id.
pub fn personal_slug(organization: OrganizationId) -> String {
    let id = organization.to_string();
    format!("{PERSONAL_SLUG_PREFIX}{}", &id[id.len() - 12..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{ACME, ANA, created_by, given, personal_of, renamed};

    fn rename(name: &str) -> Command {
        Command::Update { name: Some(name.to_owned()), billing_email: None, country: None }
    }

    #[test]
    fn the_founder_owns_what_they_found() {
        let founded = given([created_by(ANA)]).state();
        assert_eq!(founded.role_of(ANA), Some(Role::Owner));
        assert_eq!(founded.longest_standing_owner(), Some(ANA));
    }

    #[test]
    fn a_slug_is_given_out_once() {
        let command = Create {
            organization: ACME,
            slug: "acme".to_owned(),
            owner: ANA,
            is_personal: false,
            name: "Another".to_owned(),
            billing_email: None,
            country: None,
        };
        let outcome = create(&given([created_by(ANA)]).state(), &command);
        assert_eq!(outcome, Err(Rejection::SlugTaken));
    }

    #[test]
    fn renaming_records_the_old_and_the_new_name() {
        given([created_by(ANA)]).when(rename("Acme Two")).then([renamed("Acme", "Acme Two")]);
    }

    #[test]
    fn renaming_to_the_same_name_records_nothing() {
        given([created_by(ANA)]).when(rename("Acme")).then([]);
    }

    #[test]
    fn the_name_of_a_personal_organization_is_a_personal_value() {
        let events = decide(&given([personal_of(ANA)]).state(), &rename("Ana"))
            .expect("an owner may rename");
        let [Event::Updated { name: None, personal_name, .. }] = events.as_slice() else {
            unreachable!("one update without a plain name, not {events:?}")
        };
        assert_eq!(personal_name.to, Personal::known(ACME.subject(), "Ana"));
    }

    #[test]
    fn what_does_not_exist_cannot_be_renamed() {
        given([]).when(rename("Acme")).then_rejected(Rejection::NotFound);
    }

    #[test]
    fn slugs_are_checked() {
        let refused = [
            ("ab", InvalidSlug::Length),
            ("Acme", InvalidSlug::Character),
            ("-acme", InvalidSlug::Hyphen),
            ("ac--me", InvalidSlug::Hyphen),
            ("admin", InvalidSlug::Reserved),
            ("u-acme", InvalidSlug::Reserved),
        ];
        for (slug, why) in refused {
            assert_eq!(check_slug(slug), Err(why), "{slug}");
        }
        assert_eq!(check_slug("acme-engineering"), Ok(()));
    }
}
