//! What an organization records when a person is erased: first that they leave, then, once their
//! key is gone, that their values in its log can be read no more. The second is also recorded where
//! the organization was deleted: packets about it may still be in somebody's hands.

use serde::{Deserialize, Serialize};

use crate::id::{AccountId, SubjectId};
use crate::invitation;
use crate::membership::{self, Rejection};
use crate::organization::{self, Organization};
use crate::time::Time;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "person.erased")]
    Erased { subject: SubjectId },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Erased { .. } => ("person.erased", 1),
        }
    }
}

pub(crate) fn evolve(organization: &mut Organization, event: &Event) {
    let Event::Erased { subject } = event;
    organization.erased.insert(*subject);
}

/// Ends what somebody is here: their membership, or their personal organization as a whole.
pub fn leave(
    organization: &Organization,
    account: AccountId,
    at: Time,
) -> Result<Vec<crate::Event>, Rejection> {
    let Some(profile) = organization.profile() else { return Ok(vec![]) };
    if organization.role_of(account).is_none() {
        return Ok(vec![]);
    }
    if profile.is_personal {
        return Ok(vec![organization::deleted(organization, at).into()]);
    }
    let role = membership::ends(organization, account)?;
    let left = membership::Event::Left { member: account, role };
    Ok(membership::with_the_end(organization, left, account, None))
}

/// That the values of a person can be read no more, and the end of what was sent to them and they
/// can answer no more.
pub fn record(organization: &Organization, subject: SubjectId) -> Vec<crate::Event> {
    let is_news = !organization.erased.contains(&subject);
    let erased = is_news.then_some(Event::Erased { subject }.into());
    let ended = invitation::unanswerable(organization, subject).map(crate::Event::Invitation);
    erased.into_iter().chain(ended).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{ACME, ANA, BEN, created_by, given, joined, personal_of};
    use crate::permission::Role;
    use uuid::Uuid;

    const PERSON: SubjectId = SubjectId(Uuid::from_u128(0x50));

    #[test]
    fn a_member_leaves_and_the_last_owner_does_not() {
        let acme = given([created_by(ANA), joined(BEN, Role::Admin)]).state();
        let left = membership::Event::Left { member: BEN, role: Role::Admin };
        assert_eq!(leave(&acme, BEN, Time::EPOCH), Ok(vec![left.into()]));
        assert_eq!(leave(&acme, ANA, Time::EPOCH), Err(Rejection::LastOwner));
    }

    #[test]
    fn a_personal_organization_ends_with_its_owner() {
        let own = given([personal_of(ANA)]).state();
        assert_eq!(own.profile().map(|profile| profile.id), Some(ACME));
        let deleted = organization::Event::Deleted {
            members: 1,
            pending_invitations: 0,
            tokens: 0,
            projects: 0,
            databases: 0,
            is_billed: false,
        };
        assert_eq!(leave(&own, ANA, Time::EPOCH), Ok(vec![deleted.clone().into()]));
        let gone = given([personal_of(ANA), deleted.into()]).state();
        assert_eq!(leave(&gone, ANA, Time::EPOCH), Ok(vec![]));
    }

    #[test]
    fn an_erasure_is_recorded_once() {
        let erased = Event::Erased { subject: PERSON };
        let acme = given([created_by(ANA)]).state();
        assert_eq!(record(&acme, PERSON), [erased.clone().into()]);
        let known = given([created_by(ANA), erased.into()]).state();
        assert_eq!(record(&known, PERSON), []);
    }
}
