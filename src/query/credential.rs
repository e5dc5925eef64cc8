//! Which token a secret is.

use events::chain::Link;
use projections::Key;
use projections::credential::{Credential, Credentials, SCOPE};

use super::{Error, one};
use crate::App;
use crate::failure::Failure;

/// The token with this hash, also one that serves no more: that is asked of its organization.
pub(crate) async fn find(app: &App, secret_hash: &Link) -> Result<Option<Credential>, Failure> {
    match one::<Credentials>(app, Key::new(SCOPE, secret_hash)).await {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound | Error::Future) => Ok(None),
        Err(Error::Failed(failure)) => Err(failure),
    }
}
