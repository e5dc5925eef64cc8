//! Which token a secret is.

use events::chain::Link;
use projections::Key;
use projections::credential::{Credential, Credentials, SCOPE};
use quick_cache::sync::Cache;

use super::{Error, one};
use crate::App;
use crate::failure::Failure;

const REMEMBERED: usize = 50_000;

/// Tokens that were looked up before. Which token a secret is never changes; that there is none may
/// change at any time, so only what was found is remembered.
pub(crate) struct Known(Cache<Link, Credential>);

impl Default for Known {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

/// The token with this hash, as far as this node remembers it.
pub(crate) fn remembered(app: &App, secret_hash: &Link) -> Option<Credential> {
    app.credentials.0.get(secret_hash)
}

/// The token with this hash, also one that serves no more: that is asked of its organization.
pub(crate) async fn find(app: &App, secret_hash: &Link) -> Result<Option<Credential>, Failure> {
    match one::<Credentials>(app, Key::new(SCOPE, secret_hash)).await {
        Ok(found) => {
            app.credentials.0.insert(*secret_hash, found);
            Ok(Some(found))
        }
        Err(Error::NotFound | Error::Future) => Ok(None),
        Err(Error::Failed(failure)) => Err(failure),
    }
}
