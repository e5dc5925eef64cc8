//! Erases a person: a chain of steps on many streams, each harmless when it is done twice, so that
//! whoever asked for it and the reaction that resumes it after a crash may both be at it.
//!
//! Everything that can be refused comes first. Once each organization but the personal one is left,
//! the first of those who carry it out decides for all, in a register that is written once, whether
//! the end is an erasure or its abandonment; only behind that decision is anything destroyed, so
//! nobody is told that they were kept while somebody else goes on to the end.
//!
//! Which organizations to leave is asked of the read model, once it has come to where the erasure
//! began; what is joined or founded by a request that was let in before that is met by the reaction.
//! Which organizations ever named the person is not kept anywhere: an erasure is rare, and reads
//! the log once for that.

use std::collections::HashSet;
use std::time::Duration;

use events::account::{Beginning, Erasure, Event as AccountEvent};
use events::id::{AccountId, OrganizationId, SubjectId};
use events::membership::{Event::Left, Rejection};
use events::recorded::Position;
use events::stream::Stream;
use events::{Event, wire};

use crate::event_log::{ReadError, Stored};
use crate::execute::erasure as step;
use crate::failure::Failure;
use crate::{App, execute, fail_point, identity, query, session_activity};

const PAGE: usize = 500;
/// Beside the places of reactions: how often keys were destroyed.
const DESTRUCTIONS: &str = "destructions of keys";
/// The read models must show where the erasure began before it is known what is to be left.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("where the person belongs cannot be read")]
    Query(#[from] query::Error),
    #[error("a step of the erasure failed")]
    Execute(#[from] execute::Error),
    #[error(transparent)]
    Failed(#[from] Failure),
}

crate::failure::fails_with!(Error, Error::Failed: ReadError, crate::keyring::Error,
    crate::operational::Error);

/// What an erasure came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Erased(Position),
    Abandoned(Kept),
}

/// Why somebody is not erased, and what of them has ended all the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// They would be left without an owner.
    pub(crate) by: Vec<OrganizationId>,
    pub(crate) left: Vec<OrganizationId>,
}

/// The organizations that would keep somebody, as they stand now.
pub(crate) async fn kept_by(app: &App, account: AccountId) -> Result<Vec<OrganizationId>, Error> {
    refusing(app, account, &joined(app, account).await?).await
}

async fn refusing(
    app: &App,
    account: AccountId,
    organizations: &[OrganizationId],
) -> Result<Vec<OrganizationId>, Error> {
    let mut refusing = Vec::new();
    for organization in organizations {
        if !step::may_leave(app, *organization, account).await? {
            refusing.push(*organization);
        }
    }
    Ok(refusing)
}

/// Where somebody belongs, their personal organization aside.
async fn joined(app: &App, account: AccountId) -> Result<Vec<OrganizationId>, Error> {
    let personal = OrganizationId::personal(app.keyring.log_id(), account);
    let mut all = query::membership_list::all(app, account).await?;
    all.retain(|organization| *organization != personal);
    Ok(all)
}

/// Brings the erasure that began so to its end, from wherever it stands.
pub(crate) async fn carry_on(
    app: &App,
    account: AccountId,
    began: Beginning,
) -> Result<Outcome, Error> {
    let Some(subject) = under_way(app, account, began).await? else {
        return how_it_ended(app, account, began).await;
    };
    if !query::has_reached(app, began.position, CAUGHT_UP_WITHIN).await {
        return Err(Failure::Unavailable("the read models do not catch up".into()).into());
    }
    let joined = joined(app, account).await?;
    let mut by = Vec::new();
    for (index, organization) in joined.iter().enumerate() {
        match step::leave(app, *organization, account).await {
            Ok(_) => fail_point::reached("erasure.left"),
            Err(execute::Error::Membership(Rejection::LastOwner)) => {
                by = refusing(app, account, &joined[index..]).await?;
                break;
            }
            Err(error) => return Err(error.into()),
        }
    }
    if !step::is_final(app, began, by.is_empty()).await? {
        fail_point::reached("erasure.refused");
        let left = left_since(app, account, began).await?;
        step::abandon(app, account, began, by, left).await?;
        tracing::info!(%account, "an erasure is abandoned");
        return how_it_ended(app, account, began).await;
    }
    fail_point::reached("erasure.decided");
    let personal = OrganizationId::personal(app.keyring.log_id(), account);
    step::leave(app, personal, account).await?;
    fail_point::reached("erasure.personal_organization_deleted");
    app.keyring.destroy(&[subject, personal.subject()]).await?;
    fail_point::reached("erasure.key_destroyed");
    note_destructions(app).await?;
    session_activity::forget(app, account).await?;
    let position = step::finish(app, account, began).await?;
    fail_point::reached("erasure.finished");
    tracing::info!(%account, "a person is erased");
    Ok(Outcome::Erased(position))
}

/// Remembers outside the keyring how often its keys were destroyed.
async fn note_destructions(app: &App) -> Result<(), Error> {
    let times = app.keyring.destructions().await?;
    Ok(app.operational.move_cursor(DESTRUCTIONS, Position(times)).await?)
}

/// Destroys again what an older copy of the keyring has brought back, if that is what this is.
pub(crate) async fn repeat_all(app: &App) -> Result<(), Error> {
    let known = app.operational.cursor(DESTRUCTIONS).await?;
    if Position(app.keyring.destructions().await?) >= known {
        return Ok(());
    }
    tracing::warn!("the keyring is an older copy: what was erased since is erased again");
    let mut after = Position::default();
    loop {
        let page = app.log.read_all(after, PAGE).await?;
        for event in &page.events {
            if wire::kind_of_line(&event.line) == Some("account.erased")
                && let Stream::Account(account) = decoded(event)?.stream
            {
                destroy_again(app, account).await?;
            }
        }
        if page.at_head {
            break;
        }
        after = page.next;
    }
    app.keyring.count_destructions(known.0).await?;
    note_destructions(app).await
}

/// Makes sure that the keys of somebody who is erased are.
pub(crate) async fn destroy_again(app: &App, account: AccountId) -> Result<(), Error> {
    let Some(subject) = subject_of(app, account).await? else { return Ok(()) };
    if app.keyring.is_destroyed(subject).await? {
        return Ok(());
    }
    let personal = OrganizationId::personal(app.keyring.log_id(), account);
    app.keyring.destroy(&[subject, personal.subject()]).await?;
    note_destructions(app).await
}

/// Whose erasure it is, while it goes on.
async fn under_way(
    app: &App,
    account: AccountId,
    began: Beginning,
) -> Result<Option<SubjectId>, Error> {
    let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
    let state = &entry.read().state;
    let is_it = state.erasure() == Some(Erasure::Started)
        && state.erasure_began().is_some_and(|it| it.event == began.event);
    Ok(state.person().filter(|_| is_it).map(|person| person.subject))
}

/// What the account's own stream says of an erasure that is over.
async fn how_it_ended(app: &App, account: AccountId, began: Beginning) -> Result<Outcome, Error> {
    let mut next = began.version + 1;
    loop {
        let stored = app.log.read_stream(&Stream::Account(account), next, PAGE).await?;
        for event in &stored {
            let Event::Account(recorded) = decoded(event)?.event else { continue };
            if let AccountEvent::Erased {} = recorded {
                return Ok(Outcome::Erased(event.position));
            }
            if let AccountEvent::ErasureAbandoned { kept_by, left } = recorded {
                return Ok(Outcome::Abandoned(Kept { by: kept_by, left }));
            }
        }
        if stored.is_empty() {
            return Err(Failure::Broken("an erasure that is over has no end".into()).into());
        }
        next += stored.len() as u64;
    }
}

fn decoded(event: &Stored) -> Result<events::recorded::Recorded, ReadError> {
    wire::decode(event.position, &event.line, &event.sealed)
        .map_err(|error| ReadError::Corrupt { position: event.position, source: error.into() })
}

/// What was left since the erasure began, also before a crash.
async fn left_since(
    app: &App,
    account: AccountId,
    began: Beginning,
) -> Result<Vec<OrganizationId>, Error> {
    let mut left = Vec::new();
    let mut after = began.position;
    loop {
        let page = app.log.read_all(after, PAGE).await?;
        for event in &page.events {
            if wire::kind_of_line(&event.line) != Some("member.left") {
                continue;
            }
            let recorded = decoded(event)?;
            if let Event::Membership(Left { member, .. }) = recorded.event
                && let Stream::Organization(organization) = recorded.stream
                && member == account
            {
                left.push(organization);
            }
        }
        if page.at_head {
            return Ok(left);
        }
        after = page.next;
    }
}

/// Records the erasure of a person in every organization that ever named them, as a member, as
/// somebody invited, or as who did something.
pub(crate) async fn record_everywhere(
    app: &App,
    account: AccountId,
    subject: SubjectId,
) -> Result<(), Error> {
    let names = Names::of(account, subject);
    let (mut asked, mut last) = (HashSet::new(), None);
    let mut after = Position::default();
    loop {
        let page = app.log.read_all(after, PAGE).await?;
        for event in page.events.iter().filter(|event| names.stand_in(event)) {
            let stream = wire::head(&event.line).map_err(|error| ReadError::Corrupt {
                position: event.position,
                source: error.into(),
            })?;
            if let Stream::Organization(organization) = stream.stream
                && asked.insert(organization)
                && let Some(position) = step::record(app, organization, subject).await?
            {
                last = Some(position);
                fail_point::reached("erasure.recorded");
            }
        }
        if page.at_head {
            if let Some(position) = last {
                query::has_reached(app, position, CAUGHT_UP_WITHIN).await;
            }
            tracing::info!(%account, "an erasure is recorded wherever the person was named");
            return Ok(());
        }
        after = page.next;
    }
}

/// By which a line, or what is sealed beside it, speaks of a person.
struct Names {
    account: String,
    subject: String,
}

impl Names {
    fn of(account: AccountId, subject: SubjectId) -> Self {
        Self { account: account.to_string(), subject: subject.to_string() }
    }

    fn stand_in(&self, event: &Stored) -> bool {
        let holds =
            |bytes: &[u8], name: &str| str::from_utf8(bytes).is_ok_and(|text| text.contains(name));
        holds(&event.line, &self.account)
            || holds(&event.line, &self.subject)
            || holds(&event.sealed, &self.subject)
    }
}

/// Ends what a request that was let in before has begun for somebody who is being erased: a
/// membership, or an organization of theirs.
pub(crate) async fn end_late(
    app: &App,
    account: AccountId,
    organization: OrganizationId,
) -> Result<(), Error> {
    let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
    let erasure = {
        let state = &entry.read().state;
        state.erasure().zip(state.person().map(|person| person.subject))
    };
    let Some((erasure, subject)) = erasure else { return Ok(()) };
    let personal = OrganizationId::personal(app.keyring.log_id(), account);
    if erasure == Erasure::Started && organization == personal {
        return Ok(());
    }
    match step::leave(app, organization, account).await {
        Ok(_) => {}
        Err(execute::Error::Membership(Rejection::LastOwner)) => {
            tracing::warn!(%organization, "the only owner of an organization is erased");
        }
        Err(error) => return Err(error.into()),
    }
    match erasure {
        Erasure::Started => Ok(()),
        Erasure::Done => Ok(step::record(app, organization, subject).await.map(drop)?),
    }
}

/// Ends an invitation that was on its way while the person it is for was erased.
pub(crate) async fn end_late_invitation(
    app: &App,
    invitee: SubjectId,
    organization: OrganizationId,
) -> Result<(), Error> {
    if app.keyring.is_destroyed(invitee).await? {
        step::record(app, organization, invitee).await?;
    }
    Ok(())
}

/// Brings an erasure to its end that goes on now, if one does.
pub(crate) async fn resume(app: &App, account: AccountId) -> Result<(), Error> {
    let entry = app.accounts.current(&app.log, Stream::Account(account)).await?;
    let began = {
        let state = &entry.read().state;
        state.erasure_began().filter(|_| state.erasure() == Some(Erasure::Started))
    };
    if let Some(began) = began {
        carry_on(app, account, began).await?;
    }
    Ok(())
}

/// Whose values an account's are.
pub(crate) async fn subject_of(app: &App, account: AccountId) -> Result<Option<SubjectId>, Error> {
    Ok(identity::person(app, account).await?.map(|person| person.subject))
}
