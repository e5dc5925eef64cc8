//! The tokens and keys of each organization, newest first; revoked and replaced ones stay listed.

use events::Event;
use events::id::{AccountId, OrganizationId, TokenId};
use events::organization::Event::{Created as Founded, Deleted, Updated};
use events::recorded::Recorded;
use events::scope::Scopes;
use events::stream::Stream;
use events::time::Time;
use events::token::Event::{Created, Revoked, Rotated};
use events::token::{self, Kind};
use serde::{Deserialize, Serialize};

use crate::Change::{Edit, Put, RemoveScope};
use crate::{Change, Key, ReadModel, descending};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub id: TokenId,
    pub kind: Kind,
    pub name: String,
    /// Whose it is, or who made the key.
    pub owner: Option<AccountId>,
    pub prefix: String,
    pub scopes: Scopes,
    pub expires_at: Option<Time>,
    pub created_at: Time,
    /// When the secret that was replaced stops to serve.
    pub valid_until: Option<Time>,
    pub is_revoked: bool,
    /// Version of the event with which it began.
    pub created_version: u64,
    /// Version of the last event that changed this resource.
    pub changed_version: u64,
}

impl Token {
    /// Whether it serves at a time.
    pub fn is_active(&self, at: Time) -> bool {
        let is_before = |end: Option<Time>| end.is_none_or(|end| at < end);
        !self.is_revoked && is_before(self.valid_until) && is_before(self.expires_at)
    }
}

pub struct TokenList;

impl ReadModel for TokenList {
    const NAME: &'static str = "token_list";
    const VERSION: u32 = 1;
    type Row = Token;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Token>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        let version = recorded.version;
        let key = |token: &TokenId| Key::new(organization, token);
        let edit = |token: &TokenId, edit: fn(&mut Token, Option<Time>), until| {
            let edit = Box::new(move |row: &mut Token| {
                edit(row, until);
                row.changed_version = version;
            });
            (key(token), Edit(edit))
        };
        match &recorded.event {
            Event::Token(event @ Created { .. }) => begun(organization, event, recorded),
            Event::Token(event @ Rotated { token, previous_valid_until, .. }) => {
                let mut changes = begun(organization, event, recorded);
                let until = Some(*previous_valid_until);
                changes.push(edit(token, |row, until| row.valid_until = until, until));
                changes
            }
            Event::Token(Revoked { token }) => {
                vec![edit(token, |row, _| row.is_revoked = true, None)]
            }
            Event::Organization(Deleted { .. }) => vec![(Key::new(organization, ""), RemoveScope)],
            Event::Organization(Founded { .. } | Updated { .. })
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

    fn sort(row: &Token) -> String {
        descending(row.created_version)
    }
}

fn begun(
    organization: OrganizationId,
    event: &token::Event,
    recorded: &Recorded,
) -> Vec<(Key, Change<Token>)> {
    let Some(made) = event.made() else { return vec![] };
    let row = Token {
        id: made.token,
        kind: made.kind,
        name: made.name.to_owned(),
        owner: made.owner,
        prefix: made.prefix.to_owned(),
        scopes: made.scopes.clone(),
        expires_at: made.expires_at,
        created_at: recorded.at,
        valid_until: None,
        is_revoked: false,
        created_version: recorded.version,
        changed_version: recorded.version,
    };
    vec![(Key::new(organization, made.token), Put(row))]
}

#[cfg(test)]
mod tests {
    use events::chain::Link;
    use uuid::Uuid;

    use super::*;
    use crate::table::{ANA, created_by, rows_after};

    const OLD: TokenId = TokenId(Uuid::from_u128(0x70));
    const NEW: TokenId = TokenId(Uuid::from_u128(0x71));

    fn created() -> Event {
        Event::Token(Created {
            token: OLD,
            kind: Kind::Personal,
            name: "ci".to_owned(),
            owner: Some(ANA),
            secret_hash: Link::FIRST,
            prefix: "chy_pat_0AbC".to_owned(),
            scopes: Scopes::everything(),
            expires_at: None,
        })
    }

    fn rotated() -> Event {
        Event::Token(Rotated {
            token: OLD,
            successor: NEW,
            kind: Kind::Personal,
            name: "ci".to_owned(),
            owner: Some(ANA),
            secret_hash: Link::FIRST,
            prefix: "chy_pat_1AbC".to_owned(),
            scopes: Scopes::everything(),
            expires_at: None,
            previous_valid_until: Time::from_millis(9),
        })
    }

    #[test]
    fn a_successor_stands_before_the_token_it_replaces() {
        let rows = rows_after::<TokenList>([created_by(ANA), created(), rotated()]);
        let now = Time::from_millis(9);
        let listed: Vec<_> = rows.iter().map(|row| (row.id, row.is_active(now))).collect();
        assert_eq!(listed, [(NEW, true), (OLD, false)]);
    }

    #[test]
    fn a_revoked_token_stays_listed() {
        let revoked = Event::Token(Revoked { token: OLD });
        let rows = rows_after::<TokenList>([created_by(ANA), created(), revoked]);
        assert_eq!((rows.len(), rows[0].is_active(Time::EPOCH)), (1, false));
    }
}
