//! Which invitations were ever sent to an address, by the subject that stands for it, newest first.
//! What became of each is asked of the organization that sent it.

use events::Event;
use events::id::{InvitationId, OrganizationId, SubjectId};
use events::invitation::Event::{Canceled, Expired, Rejected, Resent, Sent};
use events::recorded::Recorded;
use events::stream::Stream;
use events::time::Time;
use serde::{Deserialize, Serialize};

use crate::Change::Put;
use crate::{Change, Key, ReadModel, descending};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SentTo {
    pub invitee: SubjectId,
    pub organization: OrganizationId,
    pub invitation: InvitationId,
    pub sent_at: Time,
}

pub struct InviteeList;

impl ReadModel for InviteeList {
    const NAME: &'static str = "invitee_list";
    const VERSION: u32 = 1;
    type Row = SentTo;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<SentTo>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        match &recorded.event {
            Event::Invitation(Sent { invitation, invitee, .. }) => {
                let (invitee, invitation, sent_at) = (*invitee, *invitation, recorded.at);
                let row = SentTo { invitee, organization, invitation, sent_at };
                vec![(Key::new(invitee, invitation), Put(row))]
            }
            Event::Invitation(
                Resent { .. } | Canceled { .. } | Rejected { .. } | Expired { .. },
            )
            | Event::Organization(_)
            | Event::Membership(_)
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

    fn sort(row: &SentTo) -> String {
        let millis = u64::try_from(row.sent_at.millis()).unwrap_or_default();
        format!("{}{}", descending(millis), row.invitation)
    }
}
