//! Proof that an address is its account's: a link in a mail, opened by who reads it.

use std::time::Duration;

use events::account::{Account, Command, LinkIssue, decide};
use events::id::AccountId;
use events::time::Time;

use super::{Done, Error, Order, account};
use crate::App;
use crate::link_secret::{LinkSecret, Purpose};

/// How long a link that verifies an address lives.
const LINK: Duration = Duration::from_hours(48);

/// The `issue`-th link of an account.
pub(super) fn link(app: &App, id: AccountId, issue: u64, now: Time) -> LinkIssue {
    let secret = app.keyring.link_secret(Purpose::EmailVerification, id.0, issue);
    LinkIssue { issue, secret_hash: secret.hash(), expires_at: now.after(LINK) }
}

/// Issues another link; the one before it is dead.
pub(crate) async fn request(app: &App, order: &Order, owner: AccountId) -> Result<Done<()>, Error> {
    let decide = |state: &Account| {
        let link = link(app, owner, state.next_verification(), app.clock.now());
        decide(state, &Command::RequestEmailVerification { link })
    };
    account::deciding(app, owner, order, decide, |_| ()).await
}

/// Takes the secret of a link as proof.
pub(crate) async fn verify(
    app: &App,
    order: &Order,
    owner: AccountId,
    secret: &LinkSecret,
) -> Result<Done<()>, Error> {
    let command = Command::VerifyEmail { secret_hash: secret.hash(), now: app.clock.now() };
    account::order(app, owner, order, &command, |_| ()).await
}
