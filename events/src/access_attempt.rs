//! What members of an organization tried and were not allowed to do: facts about it like any other.
//! They change nothing in it.

use serde::{Deserialize, Serialize};

use crate::organization::Organization;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// The actor's role did not allow this operation.
    #[serde(rename = "access.denied")]
    Denied {
        /// As the API's document names it.
        operation: String,
        /// How often it was tried.
        count: u64,
    },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Denied { .. } => ("access.denied", 1),
        }
    }
}

/// Nothing happens any more to an organization that was deleted meanwhile.
pub fn denied(organization: &Organization, operation: &str, count: u64) -> Vec<Event> {
    let denied = || Event::Denied { operation: operation.to_owned(), count };
    organization.profile().map(|_| denied()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{ANA, created_by, given};
    use crate::organization;

    #[test]
    fn an_attempt_is_recorded_while_the_organization_lives() {
        let expected = Event::Denied { operation: "updateOrganization".to_owned(), count: 3 };
        let acme = given([created_by(ANA)]).state();
        assert_eq!(denied(&acme, "updateOrganization", 3), [expected]);
        let deleted = organization::Event::Deleted {
            members: 1,
            pending_invitations: 0,
            tokens: 0,
            projects: 0,
            databases: 0,
            is_billed: false,
        };
        let gone = given([created_by(ANA), deleted.into()]).state();
        assert_eq!(denied(&gone, "updateOrganization", 3), []);
    }
}
