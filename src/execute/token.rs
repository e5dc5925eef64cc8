//! API tokens and organization keys. Id and secret follow from the command, so that a repeat shows
//! the very same secret, after a crash too.

use std::time::Duration;

use events::id::{OrganizationId, TokenId};
use events::organization::Organization;
use events::principal::Principal;
use events::scope::Scopes;
use events::token::{Command, Draft, Kind, Rotation};

use super::{Done, Error, Order, keep_body};
use crate::App;
use crate::api_token::ApiToken;

/// A token as somebody asks for it.
pub(crate) struct Wish {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) scopes: Scopes,
    /// For ever where there is none.
    pub(crate) lifetime: Option<Duration>,
}

/// What a successor shall be; where nothing is said, as the token it replaces.
pub(crate) struct Succession {
    pub(crate) scopes: Option<Scopes>,
    pub(crate) lifetime: Option<Option<Duration>>,
    /// How long the old secret still serves.
    pub(crate) overlap: Duration,
}

/// The id of the token that an order makes.
pub(crate) fn id(app: &App, order: &Order) -> TokenId {
    TokenId(app.keyring.id_of(order.command, "token"))
}

/// The secret of the token that an order makes.
pub(crate) fn secret(app: &App, order: &Order, kind: Kind) -> ApiToken {
    ApiToken::new(kind, &app.keyring.derive("api token", &[order.command.0.as_bytes()]))
}

/// Makes a token. `is_named_by_body` tells that the organization stands in the body: another body
/// would miss the first answer.
pub(crate) async fn create<T>(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    wish: &Wish,
    is_named_by_body: bool,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    if is_named_by_body {
        keep_body(app, order).await?;
    }
    let Wish { kind, name, scopes, lifetime } = wish;
    let made = secret(app, order, *kind);
    let command = |_: &Organization| {
        let at = app.clock.now();
        Command::Create {
            draft: Draft {
                token: id(app, order),
                secret_hash: made.hash(),
                prefix: made.prefix().to_owned(),
                scopes: scopes.clone(),
                expires_at: lifetime.map(|lifetime| at.after(lifetime)),
            },
            kind: *kind,
            name: name.clone(),
            by: by.account(),
            at,
        }
    };
    super::organization(app, by, organization, order, command, answer).await
}

/// Puts another token in the place of one; both serve for a while.
pub(crate) async fn rotate<T>(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    (token, kind): (TokenId, Kind),
    succession: &Succession,
    answer: impl Fn(&Organization) -> T,
) -> Result<Done<T>, Error> {
    let Succession { scopes, lifetime, overlap } = succession;
    let made = secret(app, order, kind);
    let command = |_: &Organization| {
        let at = app.clock.now();
        Command::Rotate(Box::new(Rotation {
            token,
            by: by.account(),
            successor: id(app, order),
            secret_hash: made.hash(),
            prefix: made.prefix().to_owned(),
            scopes: scopes.clone(),
            expires_at: lifetime.map(|lifetime| lifetime.map(|lifetime| at.after(lifetime))),
            overlap: *overlap,
            at,
        }))
    };
    super::organization(app, by, organization, order, command, answer).await
}

/// Ends a token at once, on every node.
pub(crate) async fn revoke(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
    order: &Order,
    token: TokenId,
) -> Result<Done<()>, Error> {
    let by_whom = by.account();
    let command = |_: &Organization| Command::Revoke { token, by: by_whom, at: app.clock.now() };
    super::organization(app, by, organization, order, command, |_| ()).await
}
