//! The personal tokens of each account over all its organizations, the newest first: where each one
//! is found. Whoever reads asks the organization itself whether it still lets the owner in.

use events::Event;
use events::id::{OrganizationId, TokenId};
use events::recorded::Recorded;
use events::stream::Stream;
use events::time::Time;
use events::token::Kind;
use serde::{Deserialize, Serialize};

use crate::Change::Put;
use crate::{Change, Key, ReadModel, descending};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnToken {
    pub organization: OrganizationId,
    pub token: TokenId,
    pub created_at: Time,
}

pub struct OwnTokenList;

impl ReadModel for OwnTokenList {
    const NAME: &'static str = "own_token_list";
    const VERSION: u32 = 1;
    type Row = OwnToken;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<OwnToken>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        match &recorded.event {
            Event::Token(event) => {
                let made = event.made().filter(|made| made.kind == Kind::Personal);
                let begun = made.and_then(|made| {
                    let (token, created_at) = (made.token, recorded.at);
                    let row = OwnToken { organization, token, created_at };
                    Some((Key::new(made.owner?, token), Put(row)))
                });
                begun.into_iter().collect()
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

    fn sort(row: &OwnToken) -> String {
        let millis = u64::try_from(row.created_at.millis()).unwrap_or_default();
        format!("{}{}", descending(millis), row.token)
    }
}

#[cfg(test)]
mod tests {
    use events::chain::Link;
    use events::scope::Scopes;
    use events::token::Event::Created;
    use uuid::Uuid;

    use super::*;
    use crate::table::{ACME, ANA, created_by, rows_after};

    #[test]
    fn a_key_is_nobodys_own() {
        let made = |number, kind| {
            Event::Token(Created {
                token: TokenId(Uuid::from_u128(number)),
                kind,
                name: "ci".to_owned(),
                owner: Some(ANA),
                secret_hash: Link::FIRST,
                prefix: "chy_pat_0AbC".to_owned(),
                scopes: Scopes::everything(),
                expires_at: None,
            })
        };
        let past = [created_by(ANA), made(0x70, Kind::Personal), made(0x71, Kind::Organization)];
        let rows = rows_after::<OwnTokenList>(past);
        let found: Vec<_> = rows.iter().map(|row| (row.organization, row.token)).collect();
        assert_eq!(found, [(ACME, TokenId(Uuid::from_u128(0x70)))]);
    }
}
