//! Whether what somebody proved who they are by still serves, for answers that go on.

use super::{Identity, existing, sessions};
use crate::App;
use crate::failure::Failure;

/// Whoever had proven who they are, as they are now; `None` when what proved it serves no more.
pub(crate) async fn again(app: &App, before: &Identity) -> Result<Option<Identity>, Failure> {
    let Some(now) = existing(app, before.account).await? else { return Ok(None) };
    let now = Identity { session: before.session, signed_in_at: before.signed_in_at, ..now };
    let serves = match before.session {
        Some(session) => {
            sessions(app, before.account).await?.iter().any(|(id, _)| *id == session.id)
        }
        None => now.credential_version() == before.credential_version(),
    };
    Ok(Some(now).filter(|_| serves))
}

/// Whoever a token acts for, as they are now; `None` when there is no such account any more.
pub(crate) async fn owner_again(app: &App, before: &Identity) -> Result<Option<Identity>, Failure> {
    let now = existing(app, before.account).await?;
    Ok(now.map(|now| Identity { signed_in_at: before.signed_in_at, ..now }))
}
