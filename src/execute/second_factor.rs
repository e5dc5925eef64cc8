//! The second factor of an account: made, enabled by its first code, used, disabled; and copied to
//! the organizations that its owner belongs to, as evidence.

use events::account::{Account, Command, FailedProof, Proof, Rejection, decide};
use events::id::{AccountId, EventId, OrganizationId};
use events::organization::Organization;
use events::personal::Personal;
use events::stream::Stream;
use events::{Event, membership};

use super::{Done, Error, Order, account, append, system_order};
use crate::App;
use crate::identity::Identity;
use crate::second_factor::{BackupCodes, Secret};

/// Makes a secret that waits for its first code; one that was made before serves no more.
pub(crate) async fn prepare(
    app: &App,
    order: &Order,
    identity: &Identity,
) -> Result<Done<()>, Error> {
    let secret = Secret::of_command(&app.keyring, order.command);
    let secret = Personal::known(identity.person.subject, secret.reveal());
    let command = Command::PrepareSecondFactor { secret };
    account::order(app, identity.account, order, &command, |_| ()).await
}

/// The secret that waits for its first code.
pub(crate) async fn prepared(app: &App, owner: AccountId) -> Result<Personal, Error> {
    let entry = app.accounts.current(&app.log, Stream::Account(owner)).await?;
    let folded = entry.read();
    if folded.state.person().is_some_and(|person| person.second_factor.is_some()) {
        return Err(Rejection::SecondFactorEnabled.into());
    }
    let prepared = folded.state.prepared_second_factor();
    Ok(prepared.ok_or(Rejection::SecondFactorNotPrepared)?.clone())
}

/// Enables what was prepared, for somebody who has shown the code of this time step. The sessions
/// there are go on.
pub(crate) async fn enable(
    app: &App,
    order: &Order,
    identity: &Identity,
    prepared_by: Option<EventId>,
    step: u64,
) -> Result<Done<()>, Error> {
    let codes = BackupCodes::of_command(&app.keyring, order.command);
    let backup_codes = Personal::known(identity.person.subject, codes.hashes());
    let command = Command::EnableSecondFactor { prepared_by, step, backup_codes };
    account::order(app, identity.account, order, &command, |_| ()).await
}

/// Takes the second factor away from somebody who has just proven their password and a code of it.
pub(crate) async fn disable(
    app: &App,
    order: &Order,
    identity: &Identity,
    proof: Proof,
) -> Result<Done<()>, Error> {
    let password_set_by = identity.password_set_by();
    let command = Command::DisableSecondFactor { password_set_by, proof };
    account::order(app, identity.account, order, &command, |_| ()).await
}

/// Records that a code came with a password. Of two who bring the same one the second is refused,
/// whichever node it comes to.
pub(crate) async fn take(
    app: &App,
    order: &Order,
    owner: AccountId,
    proof: Proof,
) -> Result<(), Error> {
    let command = Command::UseSecondFactor { proof };
    account::step(app, owner, order, |state: &Account| decide(state, &command), |_| ())
        .await
        .map(drop)
}

/// Nobody waits for it, so neither does it wait for the read models.
pub(crate) async fn note_failed_proof(
    app: &App,
    owner: AccountId,
    order: &Order,
    reason: FailedProof,
    count: u64,
) -> Result<(), Error> {
    let command = Command::NoteFailedProof { reason, count };
    account::step(app, owner, order, |state: &Account| decide(state, &command), |_| ())
        .await
        .map(drop)
}

/// Copies to an organization whether a member has a second factor now; nothing for who is no
/// member, or where that is known. `because` is the event that calls for it.
pub(crate) async fn copy(
    app: &App,
    owner: AccountId,
    organization: OrganizationId,
    because: EventId,
) -> Result<(), Error> {
    let is_enabled = {
        let entry = app.accounts.current(&app.log, Stream::Account(owner)).await?;
        let folded = entry.read();
        folded.state.person().is_some_and(|person| person.second_factor.is_some())
    };
    let (because, to) = (because.0.as_bytes().as_slice(), organization.0.as_bytes().as_slice());
    let order = system_order(app, &[b"copy second factor", because, to]);
    let decide = |state: &Organization| {
        let facts = membership::note_second_factor(state, owner, is_enabled);
        Ok(facts.into_iter().map(Event::Membership).collect())
    };
    append(app, &app.organizations, Stream::Organization(organization), &order, decide, |_| ())
        .await
        .map(drop)
}
