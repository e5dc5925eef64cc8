//! The second factor: a secret shared with an authenticator (RFC 6238), and ten codes for the day it
//! is lost. No code serves twice: whoever uses one records its time step, or its number, in the
//! account's own stream, where of two the second is refused, whichever node it comes to.

use std::collections::BTreeSet;

use crate::account::{Account, Event, Person, Rejection};
use crate::id::EventId;
use crate::personal::Personal;
use crate::time::Time;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// Base32, without padding.
    pub secret: Personal,
    /// A JSON array of the codes' BLAKE3 hashes.
    pub backup_codes: Personal,
    pub enabled_at: Time,
    /// The newest time step a code was used of.
    pub last_step: u64,
    pub used_backup_codes: BTreeSet<u32>,
}

impl SecondFactor {
    /// The event that set it up; another one has another secret and other codes.
    pub fn set_by(&self) -> Option<EventId> {
        self.backup_codes.sealed().map(|sealed| sealed.event)
    }
}

/// A code that was found to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Of which second factor: [`SecondFactor::set_by`].
    pub of: Option<EventId>,
    pub code: Code,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Of an authenticator, for this time step of 30 seconds since 1970.
    Step(u64),
    /// One of the backup codes, counted from 0.
    Backup(u32),
}

impl Account {
    /// The secret that waits for its first code.
    pub fn prepared_second_factor(&self) -> Option<&Personal> {
        self.prepared_factor.as_ref()
    }
}

pub(super) fn prepare(person: &Person, secret: &Personal) -> Result<Vec<Event>, Rejection> {
    if person.second_factor.is_some() {
        return Err(Rejection::SecondFactorEnabled);
    }
    Ok(vec![Event::SecondFactorPrepared { secret: secret.clone() }])
}

/// `prepared_by` is the event that made the secret of the code.
pub(super) fn enable(
    account: &Account,
    person: &Person,
    prepared_by: Option<EventId>,
    step: u64,
    backup_codes: &Personal,
) -> Result<Vec<Event>, Rejection> {
    if person.second_factor.is_some() {
        return Err(Rejection::SecondFactorEnabled);
    }
    let prepared = account.prepared_second_factor().and_then(Personal::sealed);
    let prepared = prepared.ok_or(Rejection::SecondFactorNotPrepared)?;
    if Some(prepared.event) != prepared_by {
        return Err(Rejection::SecondFactorNotPrepared);
    }
    Ok(vec![Event::SecondFactorEnabled { step, backup_codes: backup_codes.clone() }])
}

pub(super) fn disable(person: &Person, proof: Proof) -> Result<Vec<Event>, Rejection> {
    let used = used(person, Some(proof))?.ok_or(Rejection::SecondFactorNotEnabled)?;
    Ok([used].into_iter().chain([Event::SecondFactorDisabled {}]).collect())
}

/// That a code was used, where the account has a second factor; nothing where it has none.
pub(super) fn used(person: &Person, proof: Option<Proof>) -> Result<Option<Event>, Rejection> {
    let Some(factor) = &person.second_factor else { return Ok(None) };
    let Proof { of, code } = proof.ok_or(Rejection::SecondFactorMissing)?;
    if of != factor.set_by() {
        return Err(Rejection::SecondFactorMissing);
    }
    match code {
        Code::Step(step) if step <= factor.last_step => Err(Rejection::CodeUsed),
        Code::Step(step) => Ok(Some(Event::SecondFactorUsed { step })),
        Code::Backup(code) if factor.used_backup_codes.contains(&code) => Err(Rejection::CodeUsed),
        Code::Backup(code) => Ok(Some(Event::BackupCodeUsed { code })),
    }
}
