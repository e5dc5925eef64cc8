//! Every change was made by somebody who was allowed to: the members, their roles and the tokens are
//! replayed up to each event, and the event's author is asked for the right that it takes.

use events::id::AccountId;
use events::permission::Permission;
use events::recorded::{Actor, Recorded};
use events::{
    Event, database, evidence, invitation, invoice, membership, organization, project,
    subscription, token, wire,
};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::Findings;
use crate::compliance::evaluation::log::{Log, Period, Standing};

/// What a change takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needed {
    /// A role that has the right.
    Right(Permission),
    /// To be the one whom it is about.
    Oneself(AccountId),
    /// To be its owner, who needs no right, or a role that has the right.
    OwnerOr(Option<AccountId>, Option<Permission>),
    /// To hold the secret of an invitation: a person.
    Secret,
    /// To be the system, or its operator.
    Platform,
    /// Nothing: it follows from what its command did first.
    Nothing,
}

#[derive(Default)]
pub(crate) struct Actors {
    found: Findings,
}

impl Check for Actors {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Some(needed) = needed(log, recorded).filter(|_| log.is_in_period()) else { return };
        let (kind, version) = (wire::kind(&recorded.event).0, recorded.version);
        let line = json!({ "actor": recorded.actor, "type": kind, "version": version });
        self.found.member(&line);
        self.found.cited.add(version);
        if let Err(reason) = allowed(log, recorded.actor, needed) {
            self.found.exceptions.push(json!({
                "actor": recorded.actor,
                "reason": reason,
                "type": kind,
                "versions": [version],
            }));
        }
    }

    fn standing(&mut self) -> Option<&mut Vec<u8>> {
        Some(&mut self.found.lines)
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Findings {
        self.found
    }
}

fn allowed(log: &Log, actor: Actor, needed: Needed) -> Result<(), &'static str> {
    let account = match (log.standing, actor) {
        (Standing::Platform, _) => return Ok(()),
        (Standing::Key { is_valid: false } | Standing::Person { is_token_valid: false, .. }, _) => {
            return Err("the token did not serve");
        }
        (Standing::Person { .. } | Standing::Key { .. }, Actor::Account(account)) => Some(account),
        (Standing::Person { .. } | Standing::Key { .. }, _) => None,
    };
    let right = |permission| match log.standing {
        _ if log.standing.may(permission) => Ok(()),
        Standing::Person { role: None, .. } => Err("not a member"),
        Standing::Person { .. } | Standing::Key { .. } | Standing::Platform => {
            Err("the role did not permit it")
        }
    };
    match needed {
        Needed::Nothing => Ok(()),
        Needed::OwnerOr(owner, _) if owner.is_some() && owner == account => {
            right(Permission::UseOwnTokens)
        }
        Needed::Right(permission) | Needed::OwnerOr(_, Some(permission)) => right(permission),
        Needed::Oneself(member) if account == Some(member) => Ok(()),
        Needed::Secret if account.is_some() => Ok(()),
        Needed::OwnerOr(_, None) | Needed::Oneself(_) | Needed::Secret | Needed::Platform => {
            Err("somebody else's to do")
        }
    }
}

/// `None` for what is no accepted change.
fn needed(log: &Log, recorded: &Recorded) -> Option<Needed> {
    let organization = &log.organization;
    Some(match &recorded.event {
        Event::AccessAttempt(_) => return None,
        Event::Organization(event) => match event {
            organization::Event::Created { owner, .. } => Needed::Oneself(*owner),
            organization::Event::Updated { .. } => Needed::Right(Permission::UpdateOrganization),
            organization::Event::Deleted { .. } => Needed::Right(Permission::DeleteOrganization),
        },
        Event::Membership(event) => of_membership(event),
        Event::Invitation(event) => match event {
            invitation::Event::Sent { role, .. } => Needed::Right(Permission::to_grant(*role)),
            invitation::Event::Resent { invitation, .. } => {
                let role = organization.invitation(*invitation).map(|sent| sent.role);
                Needed::Right(role.map_or(Permission::ManageMembers, Permission::to_grant))
            }
            invitation::Event::Canceled { because: invitation::Cause::Withdrawn, .. } => {
                Needed::Right(Permission::ManageMembers)
            }
            invitation::Event::Canceled { .. } if log.is_same_command => Needed::Nothing,
            invitation::Event::Canceled { .. } | invitation::Event::Expired { .. } => {
                Needed::Platform
            }
            invitation::Event::Rejected { .. } => Needed::Secret,
        },
        Event::Setting(_) => Needed::Right(Permission::UpdateSettings),
        Event::Token(event) => of_token(log, event),
        Event::Evidence(event) => Needed::Right(match event {
            evidence::Event::Subscribed { .. } | evidence::Event::Unsubscribed { .. } => {
                Permission::ManageCompliance
            }
            evidence::Event::PacketRequested { .. } => Permission::GeneratePackets,
            evidence::Event::PacketDownloaded { .. } => Permission::ReadCompliance,
        }),
        Event::Declaration(_)
        | Event::Incident(_)
        | Event::AccessReview(_)
        | Event::RestoreTest(_) => Needed::Right(Permission::Declare),
        Event::Project(project::Event::Deleted { .. }) => {
            Needed::Right(Permission::DeleteDatabases)
        }
        Event::Project(_) => Needed::Right(Permission::ManageDatabases),
        Event::Database(event) => of_database(event),
        Event::DatabasePart(event) => of_database_part(event),
        Event::Subscription(event) => of_subscription(log, event),
        Event::Invoice(invoice::Event::Paid { .. }) => Needed::Right(Permission::ManageBilling),
        Event::Invoice(_)
        | Event::Erasure(_)
        | Event::Platform(_)
        | Event::Address(_)
        | Event::Account(_)
        | Event::Usage(_) => Needed::Platform,
    })
}

fn of_database(event: &database::Event) -> Needed {
    use database::Event::{
        Created, Deleted, DeletionStarted, FactsReported, Failed, ProvisioningStarted, Resized,
        Started, Stopped, Updated,
    };
    match event {
        Created { .. } | Updated { .. } | Started { .. } | Stopped { .. } | Resized { .. } => {
            Needed::Right(Permission::ManageDatabases)
        }
        DeletionStarted { .. } => Needed::Right(Permission::DeleteDatabases),
        ProvisioningStarted { .. } | Failed { .. } | FactsReported { .. } | Deleted { .. } => {
            Needed::Platform
        }
    }
}

fn of_subscription(log: &Log, event: &subscription::Event) -> Needed {
    match event {
        // it follows from a payment method or a plan
        subscription::Event::TrialEnded { .. } | subscription::Event::Resumed {}
            if log.is_same_command =>
        {
            Needed::Nothing
        }
        subscription::Event::TrialEnded { .. }
        | subscription::Event::SpendLimitReached { .. }
        | subscription::Event::Suspended { .. }
        | subscription::Event::Resumed {} => Needed::Platform,
        subscription::Event::PlanChanged { .. }
        | subscription::Event::PlanChangeScheduled { .. }
        | subscription::Event::PlanChangeCanceled { .. }
        | subscription::Event::SeatsChanged { .. }
        | subscription::Event::SeatsChangeScheduled { .. }
        | subscription::Event::SeatsChangeCanceled { .. }
        | subscription::Event::SpendLimitChanged { .. }
        | subscription::Event::PaymentMethodAdded { .. }
        | subscription::Event::PaymentMethodRemoved { .. } => {
            Needed::Right(Permission::ManageBilling)
        }
    }
}

fn of_database_part(event: &database::part::Event) -> Needed {
    use database::part::Event::{
        AlertRemoved, AlertSet, AllowlistSwitched, BackupCompleted, BackupDeleted, BackupRequested,
        PasswordReset, PasswordRevealed, PipelineRemoved, PipelineSet, RuleAdded, RuleRemoved,
        ScheduleSet, UserCreated, UserDeleted,
    };
    Needed::Right(match event {
        UserCreated { .. }
        | PasswordReset { .. }
        | UserDeleted { .. }
        | RuleAdded { .. }
        | RuleRemoved { .. }
        | AllowlistSwitched { .. }
        | AlertSet { .. }
        | AlertRemoved { .. } => Permission::ManageDatabases,
        PasswordRevealed { .. } => Permission::UseDatabases,
        BackupRequested { .. } | ScheduleSet { .. } => Permission::ManageBackups,
        BackupDeleted { .. } => Permission::DeleteBackups,
        PipelineSet { .. } | PipelineRemoved { .. } => Permission::ManagePipelines,
        BackupCompleted { .. } => return Needed::Platform,
    })
}

fn of_membership(event: &membership::Event) -> Needed {
    match event {
        membership::Event::Joined { member, .. } | membership::Event::Left { member, .. } => {
            Needed::Oneself(*member)
        }
        membership::Event::RoleChanged { role, .. } => {
            let touched = Permission::to_grant(role.from);
            Needed::Right(touched.max(Permission::to_grant(role.to)))
        }
        membership::Event::Removed { role, .. } => Needed::Right(match role {
            events::permission::Role::Owner => Permission::ManageOwners,
            events::permission::Role::Admin
            | events::permission::Role::Developer
            | events::permission::Role::Member
            | events::permission::Role::Viewer => Permission::ManageMembers,
        }),
        membership::Event::SecondFactorChanged { .. } => Needed::Platform,
        membership::Event::OwnershipTransferred { .. } => {
            Needed::Right(Permission::TransferOrganization)
        }
    }
}

fn of_token(log: &Log, event: &token::Event) -> Needed {
    let known = |token| log.organization.token(token).map(|token| (token.kind, token.owner));
    match event {
        token::Event::Created { kind: token::Kind::Organization, .. } => {
            Needed::Right(Permission::ManageKeys)
        }
        token::Event::Created { kind: token::Kind::Personal, owner, .. } => {
            owner.map_or(Needed::Platform, |owner| Needed::OwnerOr(Some(owner), None))
        }
        token::Event::Revoked { .. } if log.is_same_command => Needed::Nothing,
        token::Event::Rotated { token, .. } => match known(*token) {
            Some((token::Kind::Organization, _)) => Needed::Right(Permission::ManageKeys),
            Some((token::Kind::Personal, owner)) => Needed::OwnerOr(owner, None),
            None => Needed::Platform,
        },
        token::Event::Revoked { token } => match known(*token) {
            Some((token::Kind::Organization, _)) => Needed::Right(Permission::ManageKeys),
            Some((token::Kind::Personal, owner)) => {
                Needed::OwnerOr(owner, Some(Permission::ManageTokens))
            }
            None => Needed::Platform,
        },
    }
}
