//! What an account can be told to do, and when it refuses.

use std::time::Duration;

use crate::account::second_factor::{self, Proof};
use crate::account::session::{self, Secrets};
use crate::account::{Account, EndReason, Erasure, Event, FailedProof, LinkIssue, Person};
use crate::chain::Link;
use crate::id::{EventId, InvitationId, OrganizationId, SessionId};
use crate::organization::ChangedPersonal;
use crate::personal::Personal;
use crate::time::Time;

/// An address that nobody has proven to be theirs for so long goes to the one who does.
const UNVERIFIED: Duration = Duration::from_hours(7 * 24);

/// `now` is the command's time.
#[derive(Clone, Debug)]
pub enum Command {
    /// Registers, signs in at once, and asks for a proof of the address.
    Register {
        person: Box<Person>,
        session: SessionId,
        secrets: Secrets,
        verification: LinkIssue,
        now: Time,
    },
    StartSession {
        session: SessionId,
        secrets: Secrets,
        /// The event that set the password which was proven.
        password_set_by: Option<EventId>,
        second_factor: Option<Proof>,
        now: Time,
    },
    /// New tokens for a genuine refresh token: `next` are the secrets of the generation that
    /// follows the session's own.
    Refresh {
        session: SessionId,
        generation: u32,
        presented: Link,
        next: Secrets,
        now: Time,
    },
    EndSession {
        session: SessionId,
        reason: EndReason,
        now: Time,
    },
    /// Each outer `None` leaves the field as it is, each inner one takes the value away.
    Update {
        name: Option<Personal>,
        company: Option<Personal>,
        /// With the session that chooses it; `None` is the personal one.
        organization: Option<(SessionId, Option<OrganizationId>)>,
        now: Time,
    },
    ChangePassword {
        password_hash: Personal,
        /// The event that set the password which was proven.
        password_set_by: Option<EventId>,
        /// The session that goes on.
        kept: Option<SessionId>,
    },
    RequestPasswordReset {
        link: LinkIssue,
    },
    ResetPassword {
        secret_hash: Link,
        password_hash: Personal,
        now: Time,
    },
    RequestEmailVerification {
        link: LinkIssue,
    },
    VerifyEmail {
        secret_hash: Link,
        now: Time,
    },
    /// Its owner has accepted an invitation by the link that was mailed to its address.
    TakeInvitationAsProof {
        invitation: InvitationId,
    },
    /// A secret of its own for an authenticator.
    PrepareSecondFactor {
        secret: Personal,
    },
    /// By the first code of the secret, made by the event `prepared_by`.
    EnableSecondFactor {
        prepared_by: Option<EventId>,
        step: u64,
        backup_codes: Personal,
    },
    DisableSecondFactor {
        /// The event that set the password which was proven.
        password_set_by: Option<EventId>,
        proof: Proof,
    },
    /// A code that came with a password, without a session being started.
    UseSecondFactor {
        proof: Proof,
    },
    NoteFailedProof {
        reason: FailedProof,
        count: u64,
    },
    StartErasure {
        /// The event that set the password which was proven.
        password_set_by: Option<EventId>,
        second_factor: Option<Proof>,
    },
    AbandonErasure {
        kept_by: Vec<OrganizationId>,
        left: Vec<OrganizationId>,
    },
    /// The person's key is gone.
    FinishErasure,
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
    #[error("the session is over")]
    SessionOver,
    #[error("the account has no such session")]
    NoSuchSession,
    #[error("the password was changed meanwhile")]
    PasswordChanged,
    #[error("the link was used, was replaced by a newer one, or has run out")]
    LinkClosed,
    #[error("the address is verified already")]
    AlreadyVerified,
    #[error("a second factor is needed")]
    SecondFactorMissing,
    #[error("the code was used already")]
    CodeUsed,
    #[error("the account has a second factor already")]
    SecondFactorEnabled,
    #[error("the account has no second factor")]
    SecondFactorNotEnabled,
    #[error("no secret waits for its first code")]
    SecondFactorNotPrepared,
    #[error("the account is being erased")]
    Erasing,
}

pub fn decide(account: &Account, command: &Command) -> Result<Vec<Event>, Rejection> {
    if account.abandoned {
        let is_abandoning = matches!(command, Command::Abandon);
        return if is_abandoning { Ok(vec![]) } else { Err(Rejection::Abandoned) };
    }
    match account.person() {
        None => of_nobody(command),
        Some(_) if account.erasure() == Some(Erasure::Started) => of_an_erasure(command),
        Some(person) if account.admits() => of_a_person(account, person, command),
        Some(_) if account.erasure() == Some(Erasure::Done) => of_the_erased(command),
        // nobody signs in any more; the address may be claimed for another account
        Some(_) if matches!(command, Command::Abandon) => Ok(vec![]),
        Some(_) => Err(Rejection::Unregistered),
    }
}

fn of_nobody(command: &Command) -> Result<Vec<Event>, Rejection> {
    if let Command::Register { person, session, secrets, verification, now } = command {
        let Person { subject, email, name, company, password_hash, .. } = (**person).clone();
        return Ok(vec![
            Event::Registered { subject, email, name, company, password_hash },
            session::start(*session, *secrets, *now),
            verification_requested(*verification),
        ]);
    }
    let is_abandoning = matches!(command, Command::Abandon);
    if is_abandoning { Ok(vec![Event::Abandoned {}]) } else { Err(Rejection::Unregistered) }
}

/// Of an account whose erasure was started: it goes on, or is abandoned.
fn of_an_erasure(command: &Command) -> Result<Vec<Event>, Rejection> {
    if let Command::AbandonErasure { kept_by, left } = command {
        let (kept_by, left) = (kept_by.clone(), left.clone());
        return Ok(vec![Event::ErasureAbandoned { kept_by, left }]);
    }
    if matches!(command, Command::FinishErasure) {
        return Ok(vec![Event::Erased {}]);
    }
    let is_repeat = matches!(command, Command::StartErasure { .. });
    if is_repeat { Ok(vec![]) } else { Err(Rejection::Erasing) }
}

fn of_the_erased(command: &Command) -> Result<Vec<Event>, Rejection> {
    let is_repeat = matches!(command, Command::FinishErasure);
    if is_repeat { Ok(vec![]) } else { Err(Rejection::Unregistered) }
}

fn of_a_person(
    account: &Account,
    person: &Person,
    command: &Command,
) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::StartSession { session, secrets, password_set_by, second_factor, now } => {
            still_proven(person, *password_set_by)?;
            let used = second_factor::used(person, *second_factor)?;
            Ok(used.into_iter().chain([session::start(*session, *secrets, *now)]).collect())
        }
        Command::Refresh { session, generation, presented, next, now } => {
            let state = account.session(*session, *now).ok_or(Rejection::SessionOver)?;
            session::refresh(*session, state, *generation, *presented, *next, *now)
        }
        Command::EndSession { session, reason, now } => {
            account.session(*session, *now).ok_or(Rejection::NoSuchSession)?;
            Ok(vec![Event::SessionEnded { session: *session, reason: *reason }])
        }
        Command::Update { name, company, organization, now } => {
            let mut events = updated(person, name.as_ref(), company.as_ref());
            if let Some((session, organization)) = *organization {
                let state = account.session(session, *now).ok_or(Rejection::SessionOver)?;
                if state.organization != organization {
                    events.push(Event::OrganizationChosen { session, organization });
                }
            }
            Ok(events)
        }
        Command::ChangePassword { password_hash, password_set_by, kept } => {
            still_proven(person, *password_set_by)?;
            let password_hash = password_hash.clone();
            Ok(vec![Event::PasswordChanged { kept: *kept, password_hash }])
        }
        Command::RequestPasswordReset { link } => {
            let LinkIssue { issue, secret_hash, expires_at } = *link;
            Ok(vec![Event::PasswordResetRequested { issue, secret_hash, expires_at }])
        }
        Command::ResetPassword { secret_hash, password_hash, now } => {
            reset_password(account, person, secret_hash, password_hash, *now)
        }
        Command::RequestEmailVerification { .. } if person.email_verified_at.is_some() => {
            Err(Rejection::AlreadyVerified)
        }
        Command::RequestEmailVerification { link } => Ok(vec![verification_requested(*link)]),
        Command::VerifyEmail { secret_hash, now } => {
            verify_email(account, person, secret_hash, *now)
        }
        Command::TakeInvitationAsProof { invitation } => {
            let is_proven = person.email_verified_at.is_some();
            let invitation = Some(*invitation);
            let verified = Event::EmailVerified { issue: None, invitation };
            Ok(if is_proven { vec![] } else { vec![verified] })
        }
        Command::PrepareSecondFactor { secret } => second_factor::prepare(person, secret),
        Command::EnableSecondFactor { prepared_by, step, backup_codes } => {
            second_factor::enable(account, person, *prepared_by, *step, backup_codes)
        }
        Command::DisableSecondFactor { password_set_by, proof } => {
            still_proven(person, *password_set_by)?;
            second_factor::disable(person, *proof)
        }
        Command::UseSecondFactor { proof } => {
            Ok(second_factor::used(person, Some(*proof))?.into_iter().collect())
        }
        Command::NoteFailedProof { reason, count } => {
            Ok(vec![Event::SignInFailed { reason: *reason, count: *count }])
        }
        Command::StartErasure { password_set_by, second_factor } => {
            still_proven(person, *password_set_by)?;
            let used = second_factor::used(person, *second_factor)?;
            Ok(used.into_iter().chain([Event::ErasureStarted {}]).collect())
        }
        // nothing is left of it to abandon or to finish
        Command::AbandonErasure { .. } | Command::FinishErasure => Ok(vec![]),
        Command::Register { .. } | Command::Abandon => Err(Rejection::Registered),
    }
}

fn verification_requested(link: LinkIssue) -> Event {
    let LinkIssue { issue, secret_hash, expires_at } = link;
    Event::EmailVerificationRequested { issue, secret_hash, expires_at }
}

/// Refuses what was decided on a password that is no longer the account's.
fn still_proven(person: &Person, password_set_by: Option<EventId>) -> Result<(), Rejection> {
    let current = person.password_hash.sealed().map(|sealed| sealed.event);
    if current == password_set_by { Ok(()) } else { Err(Rejection::PasswordChanged) }
}

fn updated(person: &Person, name: Option<&Personal>, company: Option<&Personal>) -> Vec<Event> {
    let changed = |from: &Personal, to: Option<&Personal>| match to {
        Some(to) => ChangedPersonal { from: from.clone(), to: to.clone() },
        None => ChangedPersonal::default(),
    };
    let (name, company) = (changed(&person.name, name), changed(&person.company, company));
    if name.changed().is_none() && company.changed().is_none() {
        return vec![];
    }
    vec![Event::Updated { name, company }]
}

fn reset_password(
    account: &Account,
    person: &Person,
    secret_hash: &Link,
    password_hash: &Personal,
    now: Time,
) -> Result<Vec<Event>, Rejection> {
    let link = account.reset().filter(|link| link.lives(secret_hash, now));
    let issue = link.ok_or(Rejection::LinkClosed)?.issue;
    let is_unproven = person.email_verified_at.is_none();
    if is_unproven && now >= person.registered_at.after(UNVERIFIED) {
        return Ok(vec![Event::AddressLost { issue }]);
    }
    Ok(vec![Event::PasswordReset { issue, password_hash: password_hash.clone() }])
}

fn verify_email(
    account: &Account,
    person: &Person,
    secret_hash: &Link,
    now: Time,
) -> Result<Vec<Event>, Rejection> {
    let link = account.verification().filter(|link| link.secret_hash == *secret_hash);
    let link = link.ok_or(Rejection::LinkClosed)?;
    // a second click on the link that has done it is no mistake
    if person.email_verified_at.is_some() {
        return Ok(vec![]);
    }
    if !link.lives(secret_hash, now) {
        return Err(Rejection::LinkClosed);
    }
    Ok(vec![Event::EmailVerified { issue: Some(link.issue), invitation: None }])
}

#[cfg(test)]
mod tests;
