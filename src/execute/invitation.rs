//! Invitations: what members do with them, and what the invited do. Their ids follow from the
//! command and their secrets from the issue, so that a repeat shows the very same link.

use events::Event;
use events::account::{Account, Rejection};
use events::id::{AccountId, InvitationId, OrganizationId};
use events::invitation::{self, Answer, Command, Draft, Holder, Links};
use events::organization::Organization;
use events::permission::Role;
use events::principal::Principal;
use events::recorded::Position;
use events::stream::Stream;

use super::{Done, Error, Order, account, append, caught_up, keep_body, system_order};
use crate::address::Address;
use crate::link_secret::{LinkSecret, Purpose};
use crate::{App, fail_point, identity};

/// Somebody to be invited.
pub(crate) struct Invitee {
    pub(crate) address: Address,
    pub(crate) role: Role,
}

/// The id of the invitation that an order sends.
pub(crate) fn id(app: &App, order: &Order) -> InvitationId {
    InvitationId(app.keyring.id_of(order.command, "invitation"))
}

/// The id of one of many that an order sends.
pub(crate) fn id_of_many(app: &App, order: &Order, index: usize) -> InvitationId {
    InvitationId(app.keyring.id_of(order.command, &format!("invitation {index}")))
}

/// What the inviter may hand on.
pub(crate) fn copied_secret(app: &App, invitation: InvitationId, issue: u32) -> LinkSecret {
    app.keyring.link_secret(Purpose::InvitationCopied, invitation.0, issue.into())
}

fn links(app: &App, invitation: InvitationId, issue: u32) -> Links {
    let hash = |purpose| app.keyring.link_secret(purpose, invitation.0, issue.into()).hash();
    Links { copied: hash(Purpose::InvitationCopied), mailed: hash(Purpose::InvitationMailed) }
}

/// An invitation as it would be sent. The key of the address is durable when this returns.
pub(crate) async fn draft(
    app: &App,
    invitation: InvitationId,
    invitee: &Invitee,
) -> Result<Draft, Error> {
    let Invitee { address, role } = invitee;
    Ok(Draft {
        invitation,
        invitee: app.keyring.subject_for(address).await?,
        email: address.as_str().to_owned(),
        account: identity::holder(app, address).await?.map(|holder| holder.account),
        role: *role,
        links: links(app, invitation, 1),
    })
}

pub(crate) async fn send<T>(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    invitee: &Invitee,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let draft = draft(app, id(app, order), invitee).await?;
    let command = |_: &Organization| Command::Send { draft: draft.clone(), at: app.clock.now() };
    super::organization(app, by, organization, order, command, answer).await
}

/// Sends those of many that may be sent, all at once.
pub(crate) async fn send_all<T>(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    drafts: &[Draft],
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let command = |_: &Organization| Command::SendAll {
        drafts: drafts.to_vec(),
        by: *by,
        at: app.clock.now(),
    };
    super::organization(app, by, organization, order, command, answer).await
}

/// Gives an invitation a new link and another week.
pub(crate) async fn resend<T>(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    invitation: InvitationId,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let command = |state: &Organization| {
        let issue = state.invitation(invitation).map_or(1, |sent| sent.issue + 1);
        Command::Resend { invitation, links: links(app, invitation, issue), at: app.clock.now() }
    };
    super::organization(app, by, organization, order, command, answer).await
}

pub(crate) async fn cancel(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    invitation: InvitationId,
) -> Result<Done<()>, Error> {
    let command = |_: &Organization| Command::Cancel { invitation, at: app.clock.now() };
    super::organization(app, by, organization, order, command, |_| ()).await
}

/// Makes the holder of a secret a member. The mailed one also proves that the address is theirs,
/// which is a step of its own on the account's stream; a reaction completes it after a crash.
pub(crate) async fn accept<T>(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    invitation: InvitationId,
    by: Holder,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let answer = |state: &Organization| {
        let sent = state.invitation(invitation);
        (answer(state), sent.is_some_and(|sent| sent.links.mailed == by.link))
    };
    let accept = Answer::Accept { invitation, by, at: app.clock.now() };
    let done = answer_step(app, organization, order, accept, answer).await?;
    fail_point::reached("invitation.accepted");
    let (answer, is_address_proven) = done.answer;
    let mut position = done.position;
    if is_address_proven {
        let proven = prove_address(app, by.account, invitation).await?;
        position = position.max(proven.unwrap_or_default());
    }
    let is_replayed = done.is_replayed;
    Ok(caught_up(app, Done { answer, position, is_replayed, is_caught_up: false }).await)
}

/// Takes an invitation that was accepted by its mailed link as proof of the account's address.
/// `None` for an account that has lost the address meanwhile.
pub(crate) async fn prove_address(
    app: &App,
    account: AccountId,
    invitation: InvitationId,
) -> Result<Option<Position>, Error> {
    let order = system_order(app, &[b"invitation proves address", invitation.0.as_bytes()]);
    let command = events::account::Command::TakeInvitationAsProof { invitation };
    let decide = |state: &Account| events::account::decide(state, &command);
    match account::step(app, account, &order, decide, |_| ()).await {
        Ok(done) => Ok(Some(done.position)),
        Err(Error::Account(Rejection::Unregistered | Rejection::Abandoned)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends an invitation because its holder wants no part in it.
pub(crate) async fn decline<T>(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    invitation: InvitationId,
    by: Holder,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let decline = Answer::Decline { invitation, by, at: app.clock.now() };
    let done = answer_step(app, organization, order, decline, answer).await?;
    Ok(caught_up(app, done).await)
}

/// Gives what the invited says to the organization that invited. The right to it is the secret.
async fn answer_step<T>(
    app: &App,
    organization: OrganizationId,
    order: &Order,
    answered: Answer,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let _running = app.running.enter(order)?;
    keep_body(app, order).await?;
    let decide = |state: &Organization| -> Result<Vec<Event>, Error> {
        Ok(invitation::answer(state, &answered)?)
    };
    let stream = Stream::Organization(organization);
    append(app, &app.organizations, stream, order, decide, answer).await
}
