//! THE way to read: one file for each read model. Personal values are opened here, and only here.

use std::time::Duration;

use events::personal::{Opened, Sealed};
use events::recorded::Position;
use projections::{Key, ReadModel};
use serde::de::DeserializeOwned;

use crate::App;
use crate::failure::{Failure, fails_with};
use crate::keyring;
use crate::projector::Standing;
use crate::read_store::{self, ReadStore};

pub(crate) mod audit_trail;
pub(crate) mod billing;
pub(crate) mod connection;
pub(crate) mod credential;
pub(crate) mod due_list;
pub(crate) mod home;
pub(crate) mod invitation_list;
pub(crate) mod invitation_offer;
pub(crate) mod invitee_list;
pub(crate) mod ledger;
pub(crate) mod link_target;
pub(crate) mod member_list;
pub(crate) mod membership_list;
pub(crate) mod organization;
pub(crate) mod organization_overview;
pub(crate) mod origin_of_members;
pub(crate) mod page_token;
pub(crate) mod person;
pub(crate) mod rights;
pub(crate) mod token_list;
pub(crate) mod usage;
pub(crate) mod view;

pub(crate) use self::view::View;

/// A projector that has not said by then how it stands cannot reach a store.
const KNOWN_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no such thing")]
    NotFound,
    #[error("that moment has not come yet")]
    Future,
    #[error(transparent)]
    Failed(#[from] Failure),
}

fails_with!(Error, Error::Failed: read_store::Error, keyring::Error);

#[derive(Debug, thiserror::Error)]
#[error("a row of `{model}` cannot be read")]
struct Unreadable {
    model: &'static str,
    source: serde_json::Error,
}

/// A piece of a list, and where the next piece begins.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// The sort key to go on after; `None` at the end.
    pub(crate) next: Option<String>,
}

fn row<M: ReadModel>(body: &str) -> Result<M::Row, Error>
where
    M::Row: DeserializeOwned,
{
    serde_json::from_str(body).map_err(|source| {
        Error::Failed(Failure::Broken(Unreadable { model: M::NAME, source }.into()))
    })
}

#[derive(Debug, thiserror::Error)]
#[error("the read model `{0}` is stuck or still being built")]
struct NotLive(&'static str);

/// The rows of a model that is live and known to come from this log. A projector that has stopped
/// has found that they do not, or cannot bring them further: then nothing is shown rather than what
/// was.
async fn rows<M: ReadModel>(app: &App) -> Result<&ReadStore, Error> {
    rows_of(app, M::NAME).await
}

async fn rows_of<'a>(app: &'a App, model: &'static str) -> Result<&'a ReadStore, Error> {
    known_rows(app).await?;
    if app.read_store.is_live(model).await? {
        Ok(&app.read_store)
    } else {
        Err(Error::Failed(Failure::Unavailable(NotLive(model).into())))
    }
}

async fn known_rows(app: &App) -> Result<(), Error> {
    if matches!(*app.projector.borrow(), Standing::Owner | Standing::Standby) {
        return Ok(());
    }
    let mut standing = app.projector.clone();
    let is_known = standing.wait_for(|standing| *standing != Standing::Starting);
    let stopped = match tokio::time::timeout(KNOWN_WITHIN, is_known).await {
        Ok(Ok(standing)) => match &*standing {
            Standing::Starting | Standing::Owner | Standing::Standby => return Ok(()),
            Standing::Stopped(why) => why.clone(),
        },
        Ok(Err(_)) | Err(_) => "the projector has not started".to_owned(),
    };
    Err(Error::Failed(Failure::Unavailable(stopped.into())))
}

async fn one<M: ReadModel>(app: &App, key: Key) -> Result<M::Row, Error> {
    View::<M>::now(app).await?.one(key).await
}

async fn page<M: ReadModel>(
    app: &App,
    scope: &str,
    after: &str,
    size: usize,
) -> Result<Page<M::Row>, Error> {
    View::<M>::now(app).await?.page(scope, after, size).await
}

/// Opens a sealed value for a reader who may see it.
pub(crate) async fn opened(app: &App, sealed: Option<&Sealed>) -> Result<Option<Opened>, Error> {
    match sealed {
        Some(sealed) => Ok(Some(app.keyring.open_value(sealed).await?)),
        None => Ok(None),
    }
}

/// Whether the live read models came to a position within this time.
pub(crate) async fn has_reached(app: &App, position: Position, within: Duration) -> bool {
    app.read_store.wait_for(position, within).await
}
