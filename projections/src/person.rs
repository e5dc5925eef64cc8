//! Who each account is, as those see it who share an organization with it: its address and name,
//! still sealed.

use events::Event;
use events::account::Event::{
    Abandoned, AddressLost, BackupCodeUsed, EmailVerificationRequested, EmailVerified, Erased,
    ErasureAbandoned, ErasureStarted, OrganizationChosen, PasswordChanged, PasswordReset,
    PasswordResetRequested, Registered, SecondFactorDisabled, SecondFactorEnabled,
    SecondFactorPrepared, SecondFactorUsed, SessionEnded, SessionRefreshed, SessionStarted,
    SignInFailed, Updated,
};
use events::id::AccountId;
use events::personal::Sealed;
use events::recorded::Recorded;
use events::stream::Stream;
use serde::{Deserialize, Serialize};

use crate::Change::{Edit, Put};
use crate::{Change, Key, ReadModel};

/// All rows share one scope.
pub const SCOPE: &str = "people";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    pub account: AccountId,
    pub email: Option<Sealed>,
    pub name: Option<Sealed>,
    pub has_second_factor: bool,
}

pub struct People;

impl ReadModel for People {
    const NAME: &'static str = "person";
    const VERSION: u32 = 2;
    type Row = Person;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Person>)> {
        let Stream::Account(account) = recorded.stream else { return vec![] };
        match &recorded.event {
            Event::Account(Registered { email, name, .. }) => {
                let (email, name) = (email.sealed().cloned(), name.sealed().cloned());
                vec![(
                    Key::new(SCOPE, account),
                    Put(Person { account, email, name, has_second_factor: false }),
                )]
            }
            Event::Account(Updated { name, .. }) => {
                let name = name.changed().map(|name| name.sealed().cloned());
                edit(account, move |person| {
                    if let Some(name) = name {
                        person.name = name;
                    }
                })
            }
            Event::Account(SecondFactorEnabled { .. }) => {
                edit(account, |person| person.has_second_factor = true)
            }
            Event::Account(SecondFactorDisabled {}) => {
                edit(account, |person| person.has_second_factor = false)
            }
            Event::Account(AddressLost { .. }) => edit(account, |person| person.email = None),
            Event::Account(
                Abandoned {}
                | PasswordChanged { .. }
                | PasswordResetRequested { .. }
                | PasswordReset { .. }
                | EmailVerificationRequested { .. }
                | EmailVerified { .. }
                | SecondFactorPrepared { .. }
                | SecondFactorUsed { .. }
                | BackupCodeUsed { .. }
                | SignInFailed { .. }
                | ErasureStarted {}
                | ErasureAbandoned { .. }
                | Erased {}
                | SessionStarted { .. }
                | SessionRefreshed { .. }
                | SessionEnded { .. }
                | OrganizationChosen { .. },
            )
            | Event::Organization(_)
            | Event::Membership(_)
            | Event::Invitation(_)
            | Event::Setting(_)
            | Event::Token(_)
            | Event::AccessAttempt(_)
            | Event::Erasure(_)
            | Event::Address(_)
            | Event::Platform(_) => vec![],
        }
    }

    fn sort(row: &Person) -> String {
        row.account.to_string()
    }
}

fn edit(
    account: AccountId,
    edit: impl FnOnce(&mut Person) + Send + 'static,
) -> Vec<(Key, Change<Person>)> {
    vec![(Key::new(SCOPE, account), Edit(Box::new(edit)))]
}
