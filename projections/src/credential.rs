//! Which token a secret is, by its hash. A row says nothing about whether the token still serves:
//! only its organization's stream knows that.

use events::Event;
use events::chain::Link;
use events::id::{OrganizationId, TokenId};
use events::recorded::Recorded;
use events::stream::Stream;
use serde::{Deserialize, Serialize};

use crate::Change::Put;
use crate::{Change, Key, ReadModel};

/// All secrets are in one scope.
pub const SCOPE: &str = "credentials";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    pub secret_hash: Link,
    pub organization: OrganizationId,
    pub token: TokenId,
}

pub struct Credentials;

impl ReadModel for Credentials {
    const NAME: &'static str = "credential";
    const VERSION: u32 = 1;
    type Row = Credential;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Credential>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        match &recorded.event {
            Event::Token(event) => {
                let opened = event.made().map(|made| {
                    let (secret_hash, token) = (*made.secret_hash, made.token);
                    let row = Credential { secret_hash, organization, token };
                    (Key::new(SCOPE, secret_hash), Put(row))
                });
                opened.into_iter().collect()
            }
            Event::Organization(_)
            | Event::Membership(_)
            | Event::Invitation(_)
            | Event::Setting(_)
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

    fn sort(row: &Credential) -> String {
        row.secret_hash.to_string()
    }
}
