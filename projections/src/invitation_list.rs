//! The invitations of each organization, the newest first, whatever became of them. An invitation
//! whose time is over is expired for its readers before the log says so.

use events::Event;
use events::id::{InvitationId, OrganizationId};
use events::invitation::Event::{Canceled, Expired, Rejected, Resent, Sent};
use events::invitation::Status;
use events::membership::Event::{
    Joined, Left, OwnershipTransferred, Removed, RoleChanged, SecondFactorChanged,
};
use events::organization::Event::{Created, Deleted, Updated};
use events::permission::Role;
use events::personal::Sealed;
use events::recorded::{Actor, Recorded};
use events::stream::Stream;
use events::time::Time;
use serde::{Deserialize, Serialize};

use crate::Change::{Edit, Put, RemoveScope};
use crate::{Change, Key, ReadModel, descending};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    pub id: InvitationId,
    pub email: Option<Sealed>,
    pub role: Role,
    /// As the log says.
    pub status: Status,
    pub expires_at: Time,
    pub created_at: Time,
    /// Who sent it last.
    pub sender: Actor,
    /// Version of the event that sent it first.
    pub created_version: u64,
    /// Version of the last event that changed this resource.
    pub changed_version: u64,
}

impl Invitation {
    pub fn status_at(&self, at: Time) -> Status {
        if self.status == Status::Pending && at >= self.expires_at {
            Status::Expired
        } else {
            self.status
        }
    }
}

pub struct InvitationList;

impl ReadModel for InvitationList {
    const NAME: &'static str = "invitation_list";
    const VERSION: u32 = 1;
    type Row = Invitation;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Invitation>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        let ends = |invitation: InvitationId, status| {
            edit(organization, invitation, recorded, move |row| row.status = status)
        };
        match &recorded.event {
            Event::Invitation(Sent { invitation, role, expires_at, email, .. }) => {
                let row = Invitation {
                    id: *invitation,
                    email: email.sealed().cloned(),
                    role: *role,
                    status: Status::Pending,
                    expires_at: *expires_at,
                    created_at: recorded.at,
                    sender: recorded.actor,
                    created_version: recorded.version,
                    changed_version: recorded.version,
                };
                vec![(Key::new(organization, invitation), Put(row))]
            }
            Event::Invitation(Resent { invitation, expires_at, .. }) => {
                let (expires_at, sender) = (*expires_at, recorded.actor);
                edit(organization, *invitation, recorded, move |row| {
                    row.expires_at = expires_at;
                    row.sender = sender;
                })
            }
            Event::Invitation(Canceled { invitation, .. }) => ends(*invitation, Status::Canceled),
            Event::Invitation(Rejected { invitation }) => ends(*invitation, Status::Rejected),
            Event::Invitation(Expired { invitation }) => ends(*invitation, Status::Expired),
            Event::Membership(Joined { invitation, .. }) => ends(*invitation, Status::Accepted),
            Event::Organization(Deleted { .. }) => vec![(Key::new(organization, ""), RemoveScope)],
            Event::Membership(
                RoleChanged { .. }
                | Removed { .. }
                | Left { .. }
                | SecondFactorChanged { .. }
                | OwnershipTransferred { .. },
            )
            | Event::Organization(Created { .. } | Updated { .. })
            | Event::Setting(_)
            | Event::Token(_)
            | Event::AccessAttempt(_)
            | Event::Erasure(_)
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Subscription(_)
            | Event::Invoice(_)
            | Event::Evidence(_)
            | Event::Project(_)
            | Event::Database(_)
            | Event::DatabasePart(_)
            | Event::Account(_)
            | Event::Address(_)
            | Event::Platform(_)
            | Event::Usage(_) => vec![],
        }
    }

    fn sort(row: &Invitation) -> String {
        descending(row.created_version)
    }
}

fn edit(
    organization: OrganizationId,
    invitation: InvitationId,
    recorded: &Recorded,
    edit: impl FnOnce(&mut Invitation) + Send + 'static,
) -> Vec<(Key, Change<Invitation>)> {
    let version = recorded.version;
    let edit = Edit(Box::new(move |row: &mut Invitation| {
        edit(row);
        row.changed_version = version;
    }));
    vec![(Key::new(organization, invitation), edit)]
}

#[cfg(test)]
mod tests {
    use events::chain::Link;
    use events::id::SubjectId;
    use events::invitation::Links;
    use events::personal::Personal;
    use uuid::Uuid;

    use super::*;
    use crate::table::{ANA, BEN, created_by, joined, rows_after};

    const END: Time = Time::EPOCH;

    fn sent(invitation: InvitationId) -> Event {
        Event::Invitation(Sent {
            invitation,
            invitee: SubjectId(invitation.0),
            role: Role::Viewer,
            issue: 1,
            links: Links { copied: Link::FIRST, mailed: Link::FIRST },
            expires_at: END,
            email: Personal::Absent,
        })
    }

    #[test]
    fn the_newest_comes_first_and_says_what_became_of_it() {
        let (first, second) = (InvitationId(BEN.0), InvitationId(Uuid::from_u128(9)));
        let past = [created_by(ANA), sent(first), sent(second), joined(BEN, Role::Viewer)];
        let rows = rows_after::<InvitationList>(past);
        let told: Vec<_> = rows.iter().map(|row| (row.id, row.status)).collect();
        assert_eq!(told, [(second, Status::Pending), (first, Status::Accepted)]);
        assert_eq!(rows[1].changed_version, 3);
    }

    #[test]
    fn a_deleted_organization_has_none() {
        let deleted = Event::Organization(Deleted {
            members: 1,
            pending_invitations: 1,
            tokens: 0,
            projects: 0,
            databases: 0,
            is_billed: false,
        });
        let rows =
            rows_after::<InvitationList>([created_by(ANA), sent(InvitationId(BEN.0)), deleted]);
        assert_eq!(rows, []);
    }

    #[test]
    fn time_ends_an_invitation_before_the_log_says_so() {
        let id = InvitationId(BEN.0);
        let rows = rows_after::<InvitationList>([created_by(ANA), sent(id)]);
        assert_eq!(rows[0].status_at(Time::from_millis(-1)), Status::Pending);
        assert_eq!(rows[0].status_at(END), Status::Expired);
    }
}
