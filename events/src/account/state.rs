//! What an account's events amount to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::State;
use crate::account::{Event, SecondFactor, Session};
use crate::chain::Link;
use crate::id::{EventId, SessionId, SubjectId};
use crate::organization::ChangedPersonal;
use crate::personal::Personal;
use crate::recorded::{Position, Recorded};
use crate::time::Time;

/// Who a registered account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub subject: SubjectId,
    pub email: Personal,
    pub name: Personal,
    pub company: Personal,
    /// Absent once the account has lost its address: nobody signs in to it.
    pub password_hash: Personal,
    pub registered_at: Time,
    pub email_verified_at: Option<Time>,
    pub second_factor: Option<SecondFactor>,
    /// Version of the last event that changed the person, or what one of their sessions acts on:
    /// their `ETag`.
    pub changed_version: u64,
    /// Version of the last event that changed what those see of them who share an organization.
    pub seen_version: u64,
}

/// A link that was issued: its secret's hash, its number among those of its purpose, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkIssue {
    pub issue: u64,
    pub secret_hash: Link,
    pub expires_at: Time,
}

impl LinkIssue {
    /// Whether this secret still opens anything.
    pub fn lives(&self, secret_hash: &Link, now: Time) -> bool {
        self.secret_hash == *secret_hash && now < self.expires_at
    }
}

/// How far the erasure of a person has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erasure {
    Started,
    Done,
}

/// The event with which an erasure began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beginning {
    pub event: EventId,
    pub version: u64,
    pub position: Position,
}

#[derive(Debug, Default)]
pub struct Account {
    person: Option<Arc<Person>>,
    pub(super) abandoned: bool,
    has_lost_address: bool,
    pub(super) prepared_factor: Option<Personal>,
    erasure: Option<Erasure>,
    erasure_began: Option<Beginning>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    reset: Option<LinkIssue>,
    reset_used: bool,
    verification: Option<LinkIssue>,
}

impl Account {
    /// `None` before registration and for an account that never came to be.
    pub fn person(&self) -> Option<&Arc<Person>> {
        self.person.as_ref()
    }

    /// Whether whoever has the account's address is its owner.
    pub fn has_address(&self) -> bool {
        self.person.is_some() && !self.has_lost_address
    }

    /// How far the person's erasure has come; `None` where none was started, or it was abandoned.
    pub fn erasure(&self) -> Option<Erasure> {
        self.erasure
    }

    /// Where the erasure that goes on, or is done, began: one that was abandoned is another.
    pub fn erasure_began(&self) -> Option<Beginning> {
        self.erasure_began
    }

    /// Whether its owner gets in by any credential.
    pub fn admits(&self) -> bool {
        self.has_address() && self.erasure.is_none()
    }

    /// A session that is not over at `now`, though its session token may be.
    pub fn session(&self, session: SessionId, now: Time) -> Option<&Session> {
        self.sessions.get(&session).filter(|session| now < session.over_at())
    }

    /// Every session that is not over at `now`.
    pub fn sessions(&self, now: Time) -> impl Iterator<Item = (SessionId, &Session)> {
        self.sessions
            .iter()
            .filter(move |(_, session)| now < session.over_at())
            .map(|(id, session)| (*id, session))
    }

    /// The link that sets a password now; none when the last one was used.
    pub fn reset(&self) -> Option<&LinkIssue> {
        self.reset.as_ref().filter(|_| !self.reset_used)
    }

    /// The newest link that verifies the address, used or not.
    pub fn verification(&self) -> Option<&LinkIssue> {
        self.verification.as_ref()
    }

    /// The number of the next link that sets a password.
    pub fn next_reset(&self) -> u64 {
        self.reset.map_or(0, |last| last.issue) + 1
    }

    /// The number of the next link that verifies the address.
    pub fn next_verification(&self) -> u64 {
        self.verification.map_or(0, |last| last.issue) + 1
    }

    fn edit(&mut self, recorded: &Recorded, edit: impl FnOnce(&mut Person)) {
        if let Some(person) = &mut self.person {
            let person = Arc::make_mut(person);
            person.changed_version = recorded.version;
            edit(person);
        }
    }

    /// The same of what those see of them who share an organization.
    fn edit_seen(&mut self, recorded: &Recorded, edit: impl FnOnce(&mut Person)) {
        self.edit(recorded, |person| {
            person.seen_version = recorded.version;
            edit(person);
        });
    }

    fn update(&mut self, name: &ChangedPersonal, company: &ChangedPersonal, recorded: &Recorded) {
        if let Some(name) = name.changed() {
            self.edit_seen(recorded, |person| person.name = name.clone());
        }
        if let Some(company) = company.changed() {
            self.edit(recorded, |person| person.company = company.clone());
        }
    }

    /// What does not change the person as anybody is shown them.
    fn use_factor(&mut self, edit: impl FnOnce(&mut SecondFactor)) {
        let person = self.person.as_mut().map(Arc::make_mut);
        if let Some(factor) = person.and_then(|person| person.second_factor.as_mut()) {
            edit(factor);
        }
    }

    fn prove_address(&mut self, recorded: &Recorded) {
        self.edit(recorded, |person| {
            person.email_verified_at = person.email_verified_at.or(Some(recorded.at));
        });
    }
}

impl State for Account {
    fn evolve(&mut self, recorded: &Recorded) {
        let crate::Event::Account(event) = &recorded.event else { return };
        let at = recorded.at;
        match event {
            Event::Registered { subject, email, name, company, password_hash } => {
                self.person = Some(Arc::new(Person {
                    subject: *subject,
                    email: email.clone(),
                    name: name.clone(),
                    company: company.clone(),
                    password_hash: password_hash.clone(),
                    registered_at: at,
                    email_verified_at: None,
                    second_factor: None,
                    changed_version: recorded.version,
                    seen_version: recorded.version,
                }));
            }
            Event::Abandoned {} => self.abandoned = true,
            Event::Updated { name, company } => self.update(name, company, recorded),
            Event::PasswordChanged { kept, password_hash } => {
                self.edit(recorded, |person| person.password_hash = password_hash.clone());
                self.sessions.retain(|session, _| Some(*session) == *kept);
                // whoever could have the old link must not undo this
                self.reset_used = true;
            }
            Event::PasswordResetRequested { issue, secret_hash, expires_at } => {
                let (issue, secret_hash, expires_at) = (*issue, *secret_hash, *expires_at);
                self.reset = Some(LinkIssue { issue, secret_hash, expires_at });
                self.reset_used = false;
            }
            Event::PasswordReset { issue: _, password_hash } => {
                self.edit(recorded, |person| person.password_hash = password_hash.clone());
                self.prove_address(recorded);
                self.sessions.clear();
                self.reset_used = true;
            }
            Event::EmailVerificationRequested { issue, secret_hash, expires_at } => {
                let (issue, secret_hash, expires_at) = (*issue, *secret_hash, *expires_at);
                self.verification = Some(LinkIssue { issue, secret_hash, expires_at });
            }
            Event::EmailVerified { issue: _, invitation: _ } => self.prove_address(recorded),
            Event::AddressLost { issue: _ } => {
                self.edit_seen(recorded, |person| person.password_hash = Personal::Absent);
                self.has_lost_address = true;
                self.sessions.clear();
                self.reset_used = true;
            }
            Event::SecondFactorPrepared { secret } => self.prepared_factor = Some(secret.clone()),
            Event::SecondFactorEnabled { step, backup_codes } => {
                let secret = self.prepared_factor.take().unwrap_or_default();
                self.edit_seen(recorded, |person| {
                    person.second_factor = Some(SecondFactor {
                        secret,
                        backup_codes: backup_codes.clone(),
                        enabled_at: at,
                        last_step: *step,
                        used_backup_codes: BTreeSet::new(),
                    });
                });
            }
            Event::SecondFactorUsed { step } => self.use_factor(|factor| factor.last_step = *step),
            Event::BackupCodeUsed { code } => {
                self.use_factor(|factor| {
                    factor.used_backup_codes.insert(*code);
                });
            }
            Event::SecondFactorDisabled {} => {
                self.edit_seen(recorded, |person| person.second_factor = None);
            }
            Event::SignInFailed { .. } => {}
            Event::ErasureStarted {} => {
                let Recorded { id, version, position, .. } = *recorded;
                self.erasure = Some(Erasure::Started);
                self.erasure_began = Some(Beginning { event: id, version, position });
            }
            Event::ErasureAbandoned { .. } => {
                self.erasure = None;
                self.erasure_began = None;
            }
            Event::Erased {} => {
                self.erasure = Some(Erasure::Done);
                self.sessions.clear();
                self.reset_used = true;
            }
            Event::SessionStarted { session, .. } => {
                // the fold keeps only sessions that could still be used
                self.sessions.retain(|_, session| at < session.over_at());
                self.sessions.extend(Session::of(event, at).map(|started| (*session, started)));
            }
            Event::SessionRefreshed { session, .. } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.take(event, at);
                }
            }
            Event::SessionEnded { session, reason: _ } => drop(self.sessions.remove(session)),
            Event::OrganizationChosen { session, organization } => {
                if let Some(session) = self.sessions.get_mut(session) {
                    session.organization = *organization;
                }
                self.edit(recorded, |_| {});
            }
        }
    }
}
