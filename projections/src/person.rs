//! Who each account is, as those see it who share an organization with it: its address and name,
//! still sealed.

use events::Event;
use events::account::Event::{Abandoned, Registered, SessionStarted};
use events::id::AccountId;
use events::personal::Sealed;
use events::recorded::Recorded;
use events::stream::Stream;
use serde::{Deserialize, Serialize};

use crate::Change::Put;
use crate::{Change, Key, ReadModel};

/// All rows share one scope.
pub const SCOPE: &str = "people";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub account: AccountId,
    pub email: Option<Sealed>,
    pub name: Option<Sealed>,
}

pub struct People;

impl ReadModel for People {
    const NAME: &'static str = "person";
    const VERSION: u32 = 1;
    type Row = Person;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Person>)> {
        let Stream::Account(account) = recorded.stream else { return vec![] };
        match &recorded.event {
            Event::Account(Registered { email, name, .. }) => {
                let (email, name) = (email.sealed().cloned(), name.sealed().cloned());
                vec![(Key::new(SCOPE, account), Put(Person { account, email, name }))]
            }
            Event::Account(Abandoned {} | SessionStarted { .. })
            | Event::Organization(_)
            | Event::Membership(_)
            | Event::Invitation(_)
            | Event::Setting(_)
            | Event::Address(_)
            | Event::Platform(_) => vec![],
        }
    }

    fn sort(row: &Person) -> String {
        row.account.to_string()
    }
}
