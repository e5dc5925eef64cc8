//! What the secret of a link opens.

use events::chain::Link;
use projections::Key;
use projections::link_target::{LinkTarget, SCOPE, Target};

use super::{Error, one};
use crate::App;

/// What a link was issued for, by the hash of its secret. Whether it still lives is asked of the
/// stream of what it opens.
pub(crate) async fn find(app: &App, secret_hash: &Link) -> Result<Option<Target>, Error> {
    match one::<LinkTarget>(app, Key::new(SCOPE, secret_hash)).await {
        Ok(issued) => Ok(Some(issued.target)),
        Err(Error::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}
