//! What time will bring: each thing that falls due, in the order of its time. What became of an
//! organization that was deleted stays here; doing it then does nothing.

use events::evidence::Event::{PacketDownloaded, PacketRequested, Subscribed, Unsubscribed};
use events::evidence::Framework;
use events::id::{InvitationId, InvoiceId, OrganizationId};
use events::invitation::Event::{Canceled, Expired, Rejected, Resent, Sent};
use events::invoice::GRACE;
use events::membership::Event::{
    Joined, Left, OwnershipTransferred, Removed, RoleChanged, SecondFactorChanged,
};
use events::recorded::{Actor, Recorded};
use events::stream::Stream;
use events::time::Time;
use events::{Event, database, invoice, organization, subscription};
use serde::{Deserialize, Serialize};

use crate::Change::{Put, Remove};
use crate::{Change, Key, ReadModel};

/// All rows share one scope.
pub const SCOPE: &str = "due";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    pub at: Time,
    pub what: What,
}

/// What is to be done when the time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    InvitationExpires {
        organization: OrganizationId,
        invitation: InvitationId,
    },
    /// The packet about a quarter that is over then.
    QuarterlyPacket {
        organization: OrganizationId,
        framework: Framework,
    },
    /// A trial is over, or what was scheduled takes effect.
    SubscriptionChanges {
        organization: OrganizationId,
        change: Pending,
    },
    /// A month is billed that is over then.
    PeriodCloses {
        organization: OrganizationId,
        /// When the month begins.
        month: Time,
    },
    InvoiceOverdue {
        organization: OrganizationId,
        invoice: InvoiceId,
    },
}

/// What an organization waits for; each has a place of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pending {
    Trial,
    Plan,
    Seats,
}

impl Pending {
    fn as_str(self) -> &'static str {
        match self {
            Self::Trial => "trial",
            Self::Plan => "plan",
            Self::Seats => "seats",
        }
    }
}

impl What {
    fn id(self) -> String {
        match self {
            Self::InvitationExpires { invitation, .. } => invitation.to_string(),
            Self::QuarterlyPacket { organization, framework } => {
                format!("{organization}-{}", framework.as_str())
            }
            Self::SubscriptionChanges { organization, change } => {
                format!("{organization}-{}", change.as_str())
            }
            // of one organization, the earlier month first
            Self::PeriodCloses { organization, month } => format!("{organization}-{month}"),
            Self::InvoiceOverdue { invoice, .. } => invoice.to_string(),
        }
    }
}

pub struct DueList;

impl ReadModel for DueList {
    const NAME: &'static str = "due_list";
    const VERSION: u32 = 4;
    type Row = Due;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Due>)> {
        if let Stream::Usage(organization) = recorded.stream {
            return vec![closes(organization, recorded.at)];
        }
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        let expires =
            |invitation: InvitationId| What::InvitationExpires { organization, invitation };
        let quarterly = |framework: Framework| What::QuarterlyPacket { organization, framework };
        let falls_due = |what: What, at: Time| vec![(key(what), Put(Due { at, what }))];
        let is_over = |what: What| vec![(key(what), Remove)];
        match &recorded.event {
            Event::Invitation(
                Sent { invitation, expires_at, .. } | Resent { invitation, expires_at, .. },
            ) => falls_due(expires(*invitation), *expires_at),
            Event::Invitation(
                Canceled { invitation, .. } | Rejected { invitation } | Expired { invitation },
            )
            | Event::Membership(Joined { invitation, .. }) => is_over(expires(*invitation)),
            Event::Evidence(Subscribed { framework }) => {
                falls_due(quarterly(*framework), recorded.at.quarter().1)
            }
            // the next one, when this is the one that was due
            Event::Evidence(PacketRequested { framework, .. })
                if recorded.actor == Actor::System =>
            {
                falls_due(quarterly(*framework), recorded.at.quarter().1)
            }
            Event::Evidence(Unsubscribed { framework }) => is_over(quarterly(*framework)),
            Event::Subscription(event) => of_subscription(organization, event, recorded.at),
            Event::Invoice(event) => of_invoices(organization, event),
            Event::Database(database::Event::Started { .. }) => {
                vec![closes(organization, recorded.at)]
            }
            // the last month ends here
            Event::Organization(organization::Event::Deleted { is_billed: true, .. }) => {
                let month = recorded.at.month().0;
                let what = What::PeriodCloses { organization, month };
                falls_due(what, recorded.at.max(month.after(GRACE)))
            }
            Event::Membership(
                RoleChanged { .. }
                | Removed { .. }
                | Left { .. }
                | SecondFactorChanged { .. }
                | OwnershipTransferred { .. },
            )
            | Event::Organization(_)
            | Event::Setting(_)
            | Event::Token(_)
            | Event::AccessAttempt(_)
            | Event::Erasure(_)
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Project(_)
            | Event::Database(_)
            | Event::DatabasePart(_)
            | Event::Evidence(PacketRequested { .. } | PacketDownloaded { .. })
            | Event::Account(_)
            | Event::Address(_)
            | Event::Platform(_)
            | Event::Usage(_) => vec![],
        }
    }

    fn sort(row: &Due) -> String {
        format!("{}{}", sort_until(row.at), row.what.id())
    }
}

/// The month of a time is closed, as there is something in it that is billed.
fn closes(organization: OrganizationId, at: Time) -> (Key, Change<Due>) {
    let (month, end) = at.month();
    let what = What::PeriodCloses { organization, month };
    (key(what), Put(Due { at: end.after(GRACE), what }))
}

fn of_invoices(organization: OrganizationId, event: &invoice::Event) -> Vec<(Key, Change<Due>)> {
    use invoice::Event;
    let overdue = |invoice| What::InvoiceOverdue { organization, invoice };
    match event {
        Event::PeriodClosed { start, end, continues, .. } => {
            let month = start.month().0;
            let done = (key(What::PeriodCloses { organization, month }), Remove);
            let next = continues.then(|| closes(organization, *end));
            [done].into_iter().chain(next).collect()
        }
        Event::Finalized { invoice, total, credit_applied, due_at, .. } => {
            let what = overdue(*invoice);
            let is_owed = total > credit_applied;
            is_owed.then(|| (key(what), Put(Due { at: *due_at, what }))).into_iter().collect()
        }
        Event::Paid { invoice, .. } | Event::Overdue { invoice, .. } => {
            vec![(key(overdue(*invoice)), Remove)]
        }
        Event::CreditNoteIssued { invoice, amount_due, .. } if amount_due.is_zero() => {
            vec![(key(overdue(*invoice)), Remove)]
        }
        Event::PaymentReversed { invoice, due_at, .. } => {
            let what = overdue(*invoice);
            vec![(key(what), Put(Due { at: *due_at, what }))]
        }
        Event::Itemized { .. } | Event::CreditNoteIssued { .. } | Event::CreditGranted { .. } => {
            vec![]
        }
    }
}

fn of_subscription(
    organization: OrganizationId,
    event: &subscription::Event,
    at: Time,
) -> Vec<(Key, Change<Due>)> {
    use subscription::Event;
    let what = |change| What::SubscriptionChanges { organization, change };
    let falls_due = |change, at: Time| (key(what(change)), Put(Due { at, what: what(change) }));
    let is_over = |change| (key(what(change)), Remove);
    match event {
        Event::PlanChanged { trial_ends_at, .. } => {
            let trial = trial_ends_at
                .map_or_else(|| is_over(Pending::Trial), |at| falls_due(Pending::Trial, at));
            vec![trial, is_over(Pending::Plan), closes(organization, at)]
        }
        Event::TrialEnded { .. } => vec![is_over(Pending::Trial)],
        Event::PlanChangeScheduled { takes_effect_at, .. } => {
            vec![falls_due(Pending::Plan, *takes_effect_at)]
        }
        Event::PlanChangeCanceled { .. } => vec![is_over(Pending::Plan)],
        Event::SeatsChangeScheduled { takes_effect_at, .. } => {
            vec![falls_due(Pending::Seats, *takes_effect_at)]
        }
        Event::SeatsChanged { .. } => {
            vec![is_over(Pending::Seats), closes(organization, at)]
        }
        Event::SeatsChangeCanceled { .. } => vec![is_over(Pending::Seats)],
        Event::SpendLimitChanged { .. }
        | Event::SpendLimitReached { .. }
        | Event::PaymentMethodAdded { .. }
        | Event::PaymentMethodRemoved { .. }
        | Event::Suspended { .. }
        | Event::Resumed {} => vec![],
    }
}

fn key(what: What) -> Key {
    Key::new(SCOPE, what.id())
}

/// What stands before the sort key of everything that is due at or after this time.
pub fn sort_until(at: Time) -> String {
    format!("{:016x}", u64::try_from(at.millis()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use events::chain::Link;
    use events::id::{InvitationId, SubjectId};
    use events::invitation::{self, Links};
    use events::permission::Role;
    use events::personal::Personal;
    use uuid::Uuid;

    use super::*;
    use crate::table::{ANA, created_by, rows_after};

    const LINKS: Links = Links { copied: Link::FIRST, mailed: Link::FIRST };

    fn id(number: u128) -> InvitationId {
        InvitationId(Uuid::from_u128(number))
    }

    fn sent(number: u128, expires_at: i64) -> Event {
        Event::Invitation(invitation::Event::Sent {
            invitation: id(number),
            invitee: SubjectId(Uuid::from_u128(number)),
            role: Role::Member,
            issue: 1,
            links: LINKS,
            expires_at: Time::from_millis(expires_at),
            email: Personal::Absent,
        })
    }

    fn due(past: impl IntoIterator<Item = Event>) -> Vec<i64> {
        rows_after::<DueList>(past).iter().map(|row| row.at.millis()).collect()
    }

    #[test]
    fn what_falls_due_first_comes_first() {
        assert_eq!(due([created_by(ANA), sent(1, 300), sent(2, 70), sent(3, 200)]), [70, 200, 300]);
    }

    #[test]
    fn what_was_put_off_falls_due_later_and_what_ended_does_not() {
        let resent = Event::Invitation(invitation::Event::Resent {
            invitation: id(1),
            issue: 2,
            links: LINKS,
            expires_at: Time::from_millis(900),
            previous_expires_at: Some(Time::from_millis(300)),
        });
        let rejected = Event::Invitation(invitation::Event::Rejected { invitation: id(2) });
        assert_eq!(due([created_by(ANA), sent(1, 300), sent(2, 400), resent, rejected]), [900]);
    }
}
