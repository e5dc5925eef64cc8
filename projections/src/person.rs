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
    /// Version of the last event that changed one of them.
    pub changed_version: u64,
}

pub struct People;

impl ReadModel for People {
    const NAME: &'static str = "person";
    const VERSION: u32 = 3;
    type Row = Person;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Person>)> {
        let Stream::Account(account) = recorded.stream else { return vec![] };
        let changed_version = recorded.version;
        match &recorded.event {
            Event::Account(Registered { email, name, .. }) => {
                let (email, name) = (email.sealed().cloned(), name.sealed().cloned());
                let has_second_factor = false;
                let person = Person { account, email, name, has_second_factor, changed_version };
                vec![(Key::new(SCOPE, account), Put(person))]
            }
            Event::Account(Updated { name, .. }) => {
                let Some(name) = name.changed().map(|name| name.sealed().cloned()) else {
                    return vec![];
                };
                edit(account, move |person| {
                    person.name = name;
                    person.changed_version = changed_version;
                })
            }
            Event::Account(SecondFactorEnabled { .. }) => edit(account, move |person| {
                person.has_second_factor = true;
                person.changed_version = changed_version;
            }),
            Event::Account(SecondFactorDisabled {}) => edit(account, move |person| {
                person.has_second_factor = false;
                person.changed_version = changed_version;
            }),
            Event::Account(AddressLost { .. }) => edit(account, move |person| {
                person.email = None;
                person.changed_version = changed_version;
            }),
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
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Project(_)
            | Event::Database(_)
            | Event::DatabasePart(_)
            | Event::Subscription(_)
            | Event::Invoice(_)
            | Event::Evidence(_)
            | Event::Address(_)
            | Event::Platform(_)
            | Event::Usage(_) => vec![],
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
