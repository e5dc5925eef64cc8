//! What there is to say about each organization, one row each.

use events::id::{AccountId, OrganizationId};
use events::membership::Event::{
    Joined, Left, OwnershipTransferred, Removed, RoleChanged, SecondFactorChanged,
};
use events::organization::Event::{Created, Deleted, Updated};
use events::permission::Role;
use events::personal::{Personal, Sealed};
use events::plan::UNLIMITED;
use events::recorded::Recorded;
use events::stream::Stream;
use events::subscription::Event::{
    PaymentMethodAdded, PaymentMethodRemoved, PlanChangeCanceled, PlanChangeScheduled, PlanChanged,
    Resumed, SeatsChangeCanceled, SeatsChangeScheduled, SeatsChanged, SpendLimitChanged,
    SpendLimitReached, Suspended, TrialEnded,
};
use events::time::Time;
use events::{Event, database, membership, organization, subscription};
use serde::{Deserialize, Serialize};

use crate::Change::{Edit, Put, Remove};
use crate::{Change, Key, ReadModel};

/// All rows share one scope and are sorted by slug, so that a slug can be looked up.
pub const SCOPE: &str = "organizations";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    pub id: OrganizationId,
    pub slug: String,
    pub name: Name,
    pub is_personal: bool,
    pub country: Option<String>,
    pub billing_email: Option<Sealed>,
    /// In the order in which they became owners.
    pub owners: Vec<AccountId>,
    pub member_count: u64,
    pub database_count: u64,
    pub plan: String,
    pub is_suspended: bool,
    pub created_at: Time,
    /// Version of the last event that changed this resource.
    pub changed_version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    Plain(String),
    Personal(Option<Sealed>),
}

pub struct OrganizationOverview;

impl ReadModel for OrganizationOverview {
    const NAME: &'static str = "organization_overview";
    const VERSION: u32 = 3;
    type Row = Overview;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Overview>)> {
        match &recorded.event {
            Event::Organization(event) => of_the_organization(event, recorded),
            Event::Membership(event) => of_its_members(event.clone(), recorded),
            Event::Database(event) => of_its_databases(event, recorded),
            Event::Subscription(event) => of_its_subscription(event, recorded),
            Event::Invitation(_)
            | Event::Setting(_)
            | Event::Token(_)
            | Event::AccessAttempt(_)
            | Event::Erasure(_)
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Evidence(_)
            | Event::Project(_)
            | Event::Invoice(_)
            | Event::DatabasePart(_)
            | Event::Account(_)
            | Event::Address(_)
            | Event::Platform(_)
            | Event::Usage(_) => vec![],
        }
    }

    fn sort(row: &Overview) -> String {
        row.slug.clone()
    }
}

fn key_of(recorded: &Recorded) -> Option<Key> {
    match recorded.stream {
        Stream::Organization(organization) => Some(Key::new(SCOPE, organization)),
        Stream::Platform | Stream::Address(_) | Stream::Account(_) | Stream::Usage(_) => None,
    }
}

fn edit(
    recorded: &Recorded,
    edit: impl FnOnce(&mut Overview) + Send + 'static,
) -> Vec<(Key, Change<Overview>)> {
    let version = recorded.version;
    let edit = Edit(Box::new(move |row: &mut Overview| {
        edit(row);
        row.changed_version = version;
    }));
    key_of(recorded).map(|key| (key, edit)).into_iter().collect()
}

fn of_its_subscription(
    event: &subscription::Event,
    recorded: &Recorded,
) -> Vec<(Key, Change<Overview>)> {
    match event {
        PlanChanged { previous, terms, .. } if *previous != terms.plan => {
            let plan = terms.plan.clone();
            edit(recorded, move |row| row.plan = plan)
        }
        Suspended { .. } => edit(recorded, |row| row.is_suspended = true),
        Resumed {} => edit(recorded, |row| row.is_suspended = false),
        PlanChanged { .. }
        | PlanChangeScheduled { .. }
        | PlanChangeCanceled { .. }
        | TrialEnded { .. }
        | SeatsChanged { .. }
        | SeatsChangeScheduled { .. }
        | SeatsChangeCanceled { .. }
        | SpendLimitChanged { .. }
        | SpendLimitReached { .. }
        | PaymentMethodAdded { .. }
        | PaymentMethodRemoved { .. } => vec![],
    }
}

fn of_the_organization(
    event: &organization::Event,
    recorded: &Recorded,
) -> Vec<(Key, Change<Overview>)> {
    match event.clone() {
        Created {
            organization,
            slug,
            owner,
            is_personal,
            country,
            name,
            personal_name,
            billing_email,
        } => {
            let name = name.map_or_else(|| Name::Personal(sealed(&personal_name)), Name::Plain);
            let row = Overview {
                id: organization,
                slug,
                name,
                is_personal,
                country,
                billing_email: sealed(&billing_email),
                owners: vec![owner],
                member_count: 1,
                database_count: 0,
                plan: UNLIMITED.to_owned(),
                is_suspended: false,
                created_at: recorded.at,
                changed_version: recorded.version,
            };
            vec![(Key::new(SCOPE, organization), Put(row))]
        }
        Updated { name, country, personal_name, billing_email } => edit(recorded, move |row| {
            if let Some(name) = name {
                row.name = Name::Plain(name.to);
            }
            if let Some(name) = personal_name.changed() {
                row.name = Name::Personal(sealed(name));
            }
            if let Some(country) = country {
                row.country = country.to;
            }
            if let Some(email) = billing_email.changed() {
                row.billing_email = sealed(email);
            }
        }),
        Deleted { .. } => key_of(recorded).map(|key| (key, Remove)).into_iter().collect(),
    }
}

fn of_its_members(event: membership::Event, recorded: &Recorded) -> Vec<(Key, Change<Overview>)> {
    if matches!(event, SecondFactorChanged { .. }) {
        return vec![];
    }
    edit(recorded, move |row| match event {
        Joined { member, role, .. } => {
            row.member_count += 1;
            row.holds(member, role);
        }
        RoleChanged { member, role } => row.holds(member, role.to),
        Removed { member, .. } | Left { member, .. } => {
            row.member_count -= 1;
            row.owners.retain(|owner| *owner != member);
        }
        SecondFactorChanged { .. } => {}
        OwnershipTransferred { from, to, kept_role, .. } => {
            row.holds(from, kept_role);
            row.holds(to, Role::Owner);
        }
    })
}

fn of_its_databases(event: &database::Event, recorded: &Recorded) -> Vec<(Key, Change<Overview>)> {
    use database::Event::{
        Created, Deleted, DeletionStarted, FactsReported, Failed, ProvisioningStarted, Resized,
        Started, Stopped, Updated,
    };
    match event {
        Created { .. } => edit(recorded, |row| row.database_count += 1),
        Deleted { .. } => edit(recorded, |row| row.database_count -= 1),
        Updated { .. }
        | ProvisioningStarted { .. }
        | Started { .. }
        | Stopped { .. }
        | Failed { .. }
        | Resized { .. }
        | FactsReported { .. }
        | DeletionStarted { .. } => vec![],
    }
}

impl Overview {
    /// Who has been an owner longest.
    pub fn owner(&self) -> Option<AccountId> {
        self.owners.first().copied()
    }

    fn holds(&mut self, member: AccountId, role: Role) {
        if role != Role::Owner {
            self.owners.retain(|owner| *owner != member);
        } else if !self.owners.contains(&member) {
            self.owners.push(member);
        }
    }
}

fn sealed(personal: &Personal) -> Option<Sealed> {
    personal.sealed().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ACME, ANA, BEN, created_by, joined, renamed, rows_after};
    use events::organization::Changed;

    #[test]
    fn the_overview_shows_the_newest_name() {
        let rows =
            rows_after::<OrganizationOverview>([created_by(ANA), renamed("Acme", "Acme Two")]);
        let [row] = rows.as_slice() else { unreachable!("one organization, not {rows:?}") };
        assert_eq!(row.name, Name::Plain("Acme Two".to_owned()));
        assert_eq!((row.id, row.owner(), row.changed_version), (ACME, Some(ANA), 1));
    }

    #[test]
    fn whoever_became_an_owner_first_stands_for_the_organization() {
        let from = Changed { from: Role::Owner, to: Role::Admin };
        let demoted = RoleChanged { member: ANA, role: from };
        let rows = rows_after::<OrganizationOverview>([
            created_by(ANA),
            joined(BEN, Role::Owner),
            demoted.into(),
        ]);
        let [row] = rows.as_slice() else { unreachable!("one organization, not {rows:?}") };
        assert_eq!((row.owner(), row.member_count), (Some(BEN), 2));
    }

    #[test]
    fn a_deleted_organization_is_not_shown() {
        let deleted = Deleted {
            members: 1,
            pending_invitations: 0,
            tokens: 0,
            projects: 0,
            databases: 0,
            is_billed: false,
        };
        let rows = rows_after::<OrganizationOverview>([created_by(ANA), deleted.into()]);
        assert_eq!(rows, []);
    }
}
