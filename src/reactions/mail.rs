//! Sends the mails that events call for: at least once, in the order of the log. A mail server that
//! is away holds up all of them; one that puts a single mail off is asked again for that one later,
//! and what it refuses for good is written down and passed over. A mail whose link is dead by the
//! time it could be sent is not sent.

use std::sync::Arc;
use std::time::Duration;

use events::Event;
use events::account::Event::{EmailVerificationRequested, PasswordResetRequested};
use events::account::{Account, Person};
use events::chain::Link;
use events::id::AccountId;
use events::personal::{Opened, Sealed};
use events::recorded::{Actor, Position, Recorded};
use events::stream::Stream;
use uuid::Uuid;

use super::Interruption;
use crate::event_log::ReadError;
use crate::failure::Failure;
use crate::link_secret::Purpose;
use crate::mail::text::{self, Letter};
use crate::mail::{Mail, Undelivered};
use crate::operational::DeferredMail;
use crate::{App, fail_point, identity};

mod invitation;

/// A mail that was put off is tried again after this, then each time twice as late.
const FIRST_RETRY: Duration = Duration::from_secs(2);
const LONGEST_RETRY: Duration = Duration::from_hours(1);
/// Links work once the read models know them.
const READ_MODELS_WITHIN: Duration = Duration::from_secs(10);

/// Whether mails are made from events of this type.
pub(super) fn calls_for_one(kind: &str) -> bool {
    [
        "account.password_reset_requested",
        "account.email_verification_requested",
        "member.invited",
        "invitation.resent",
    ]
    .contains(&kind)
}

pub(super) fn wants(kind: &str) -> bool {
    calls_for_one(kind)
}

pub(super) async fn react(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    send(app, recorded, 0).await
}

/// Sends what was put off and is due.
pub(super) async fn resume(app: &App) -> Result<(), Interruption> {
    for DeferredMail { event, position, attempts } in
        app.operational.due_mails(app.clock.now()).await?
    {
        match at(app, position).await? {
            Some(recorded) => send(app, &recorded, attempts).await?,
            None => app.operational.mail_is_done(event).await?,
        }
    }
    Ok(())
}

async fn at(app: &App, position: Position) -> Result<Option<Recorded>, ReadError> {
    let page = app.log.read_all(Position(position.0.saturating_sub(1)), 1).await?;
    let recorded = crate::projector::decode(&page)?;
    Ok(recorded.into_iter().find(|recorded| recorded.position == position))
}

async fn send(app: &App, recorded: &Recorded, attempts: u32) -> Result<(), Interruption> {
    let sent = match letter(app, recorded).await? {
        Some(mail) => {
            app.read_store.wait_for(recorded.position, READ_MODELS_WITHIN).await;
            let sent = app.post.deliver(&mail).await;
            fail_point::reached("mail.delivered");
            // its reader may have been erased while it was on its way
            if names_somebody_erased(app, recorded).await? {
                app.post.discard(recorded.id)?;
            }
            if sent.is_ok() {
                tracing::info!(event = %recorded.id, "a mail is delivered");
            }
            sent
        }
        None => Ok(()),
    };
    let event = recorded.id;
    match sent {
        Ok(()) if attempts == 0 => {}
        Ok(()) => app.operational.mail_is_done(event).await?,
        Err(away @ Undelivered::Away(_)) => return Err(away.into()),
        Err(deferred @ Undelivered::Deferred(_)) => {
            tracing::info!(%event, "{deferred}; it is tried again");
            let pause = FIRST_RETRY.saturating_mul(1 << attempts.min(16)).min(LONGEST_RETRY);
            let due_at = app.clock.now().after(pause);
            let mail = DeferredMail { event, position: recorded.position, attempts: attempts + 1 };
            app.operational.defer_mail(mail, due_at).await?;
        }
        Err(refused @ (Undelivered::Refused(_) | Undelivered::Unwritable)) => {
            tracing::warn!(%event, "{refused}; it is not tried again");
            app.operational.refuse_mail(event, recorded.position, &refused.to_string()).await?;
        }
    }
    Ok(())
}

/// Whether whom a mail goes to, or who had it sent, is erased.
async fn names_somebody_erased(app: &App, recorded: &Recorded) -> Result<bool, Interruption> {
    let mut accounts = Vec::new();
    let mut subjects = Vec::new();
    match recorded.stream {
        Stream::Account(account) => accounts.push(account),
        Stream::Organization(organization) => {
            let stream = Stream::Organization(organization);
            let entry = app.organizations.current(&app.log, stream).await?;
            subjects.extend(invitation::invitee(&entry.read().state, &recorded.event));
        }
        Stream::Platform | Stream::Address(_) | Stream::Usage(_) => {}
    }
    if let Actor::Account(account) = recorded.actor {
        accounts.push(account);
    }
    for account in accounts {
        subjects.extend(identity::person(app, account).await?.map(|person| person.subject));
    }
    for subject in subjects {
        if app.keyring.is_destroyed(subject).await.map_err(Failure::from)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The mail an event calls for; none when its link is dead, or its reader erased.
async fn letter(app: &App, recorded: &Recorded) -> Result<Option<Mail>, Interruption> {
    if let (Event::Invitation(event), Stream::Organization(organization)) =
        (&recorded.event, recorded.stream)
    {
        return invitation::letter(app, recorded, event, organization).await;
    }
    let (Event::Account(event), Stream::Account(account)) = (&recorded.event, recorded.stream)
    else {
        return Ok(None);
    };
    let (purpose, issue, secret_hash, words): (_, _, _, fn(&str) -> Letter) =
        if let PasswordResetRequested { issue, secret_hash, .. } = event {
            (Purpose::PasswordReset, *issue, *secret_hash, text::password_reset)
        } else if let EmailVerificationRequested { issue, secret_hash, .. } = event {
            (Purpose::EmailVerification, *issue, *secret_hash, text::email_verification)
        } else {
            return Ok(None);
        };
    let Some(to) = reader(app, account, purpose, &secret_hash).await? else { return Ok(None) };
    let (subject, text) = words(&link(app, purpose, account.0, issue));
    Ok(Some(Mail { event: recorded.id, at: recorded.at, to, subject, text }))
}

fn link(app: &App, purpose: Purpose, id: Uuid, issue: u64) -> String {
    let secret = app.keyring.link_secret(purpose, id, issue);
    format!("{}/{}/{}", app.public_url, purpose.path(), secret.reveal())
}

/// The account's address, while the link is of use to who reads it.
async fn reader(
    app: &App,
    account: AccountId,
    purpose: Purpose,
    secret_hash: &Link,
) -> Result<Option<String>, Interruption> {
    let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
    let address = {
        let folded = entry.read();
        let person = folded.state.person().filter(|_| folded.state.has_address());
        let of_use =
            |person: &&Arc<Person>| is_of_use(app, &folded.state, person, purpose, secret_hash);
        person.filter(of_use).and_then(|person| person.email.sealed().cloned())
    };
    let Some(sealed) = address else { return Ok(None) };
    Ok(opened(app, &sealed).await?)
}

/// An address that a mail goes to; `None` when it is erased.
async fn opened(app: &App, address: &Sealed) -> Result<Option<String>, Failure> {
    match app.keyring.open_value(address).await? {
        Opened::Known(address) => Ok(Some(address)),
        Opened::Erased | Opened::KeyMissing => Ok(None),
    }
}

fn is_of_use(
    app: &App,
    state: &Account,
    person: &Person,
    purpose: Purpose,
    secret_hash: &Link,
) -> bool {
    let now = app.clock.now();
    match purpose {
        Purpose::PasswordReset => state.reset(),
        Purpose::EmailVerification => {
            state.verification().filter(|_| person.email_verified_at.is_none())
        }
        // no account has these
        Purpose::InvitationMailed | Purpose::InvitationCopied => None,
    }
    .is_some_and(|link| link.lives(secret_hash, now))
}
