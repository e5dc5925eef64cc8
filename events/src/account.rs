//! The account stream: one person's registration and sessions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::State;
use crate::chain::Link;
use crate::id::{SessionId, SubjectId};
use crate::personal::Personal;
use crate::recorded::Recorded;
use crate::time::Time;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "account.registered")]
    Registered {
        /// Whose key seals the personal values: the subject of the account's address.
        subject: SubjectId,
        #[serde(skip)]
        email: Personal,
        #[serde(skip)]
        name: Personal,
        #[serde(skip)]
        company: Personal,
        #[serde(skip)]
        password_hash: Personal,
    },
    /// The account can never exist: somebody else has taken over its claim on an address.
    #[serde(rename = "account.abandoned")]
    Abandoned {},
    #[serde(rename = "session.started")]
    SessionStarted {
        session: SessionId,
        /// BLAKE3 of the session token's 256 random bits.
        secret_hash: Link,
        expires_at: Time,
    },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Registered { .. } => ("account.registered", 1),
            Self::Abandoned {} => ("account.abandoned", 1),
            Self::SessionStarted { .. } => ("session.started", 1),
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        match self {
            Self::Registered { email, name, company, password_hash, .. } => {
                visit("email", email);
                visit("name", name);
                visit("company", company);
                visit("password_hash", password_hash);
            }
            Self::Abandoned {} | Self::SessionStarted { .. } => {}
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub secret_hash: Link,
    pub expires_at: Time,
}

/// Who a registered account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub subject: SubjectId,
    pub email: Personal,
    pub name: Personal,
    pub company: Personal,
    pub password_hash: Personal,
    pub registered_at: Time,
}

#[derive(Debug, Default)]
pub struct Account {
    person: Option<Arc<Person>>,
    abandoned: bool,
    sessions: BTreeMap<SessionId, Session>,
}

impl Account {
    /// `None` before registration and for an account that never came to be.
    pub fn person(&self) -> Option<&Arc<Person>> {
        self.person.as_ref()
    }

    /// A session that has not run out at `now`.
    pub fn session(&self, session: SessionId, now: Time) -> Option<&Session> {
        self.sessions.get(&session).filter(|session| now < session.expires_at)
    }
}

impl State for Account {
    fn evolve(&mut self, recorded: &Recorded) {
        let crate::Event::Account(event) = &recorded.event else { return };
        match event {
            Event::Registered { subject, email, name, company, password_hash } => {
                self.person = Some(Arc::new(Person {
                    subject: *subject,
                    email: email.clone(),
                    name: name.clone(),
                    company: company.clone(),
                    password_hash: password_hash.clone(),
                    registered_at: recorded.at,
                }));
            }
            Event::Abandoned {} => self.abandoned = true,
            Event::SessionStarted { session, secret_hash, expires_at } => {
                // the fold keeps only sessions that could still be used
                self.sessions.retain(|_, session| recorded.at < session.expires_at);
                let session_state = Session { secret_hash: *secret_hash, expires_at: *expires_at };
                self.sessions.insert(*session, session_state);
            }
        }
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    /// Registers and signs in at once.
    Register {
        person: Person,
        session: SessionId,
        secret_hash: Link,
        expires_at: Time,
    },
    StartSession {
        session: SessionId,
        secret_hash: Link,
        expires_at: Time,
    },
    /// Makes sure that an account named by a dead claim can never exist.
    Abandon,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("the account is registered already")]
    Registered,
    #[error("the account's claim on its address was taken over")]
    Abandoned,
    #[error("there is no such account")]
    Unregistered,
}

pub fn decide(account: &Account, command: &Command) -> Result<Vec<Event>, Rejection> {
    if account.abandoned {
        return match command {
            Command::Abandon => Ok(vec![]),
            Command::Register { .. } | Command::StartSession { .. } => Err(Rejection::Abandoned),
        };
    }
    match command {
        Command::Register { person, session, secret_hash, expires_at } => {
            if account.person.is_some() {
                return Err(Rejection::Registered);
            }
            let Person { subject, email, name, company, password_hash, registered_at: _ } =
                person.clone();
            Ok(vec![
                Event::Registered { subject, email, name, company, password_hash },
                session_started(*session, *secret_hash, *expires_at),
            ])
        }
        Command::StartSession { session, secret_hash, expires_at } => {
            account.person.as_ref().ok_or(Rejection::Unregistered)?;
            Ok(vec![session_started(*session, *secret_hash, *expires_at)])
        }
        Command::Abandon if account.person.is_some() => Err(Rejection::Registered),
        Command::Abandon => Ok(vec![Event::Abandoned {}]),
    }
}

fn session_started(session: SessionId, secret_hash: Link, expires_at: Time) -> Event {
    Event::SessionStarted { session, secret_hash, expires_at }
}
