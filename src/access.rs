//! Proof that a caller may read one organization. Queries ask for it, so none can forget the check.

use events::id::{AccountId, OrganizationId};
use events::permission::{Permission, Role};
use events::stream::Stream;

use crate::App;
use crate::failure::Failure;

/// A member asked for what the role does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) account: AccountId,
    pub(crate) organization: OrganizationId,
}

/// Made by [`Access::check`] only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    organization: OrganizationId,
    role: Role,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no such organization")]
    NotFound,
    #[error("the role does not allow this")]
    Denied(Denied),
    #[error("it cannot be told who may do what")]
    Failed(#[source] Failure),
}

impl Access {
    /// Asks the organization's own stream, caught up to its head: a right taken away is gone at
    /// once. Strangers get the answer they would get for an organization that does not exist.
    pub(crate) async fn check(
        app: &App,
        caller: AccountId,
        organization: OrganizationId,
        needed: Permission,
    ) -> Result<Self, Refusal> {
        let role = role_of(app, caller, organization).await.map_err(Refusal::Failed)?;
        let role = role.ok_or(Refusal::NotFound)?;
        if role.may(needed) {
            Ok(Self { organization, role })
        } else {
            Err(Refusal::Denied(Denied { account: caller, organization }))
        }
    }

    pub(crate) fn organization(&self) -> OrganizationId {
        self.organization
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }
}

/// What somebody is in an organization now; `None` for strangers and for what does not exist.
pub(crate) async fn role_of(
    app: &App,
    account: AccountId,
    organization: OrganizationId,
) -> Result<Option<Role>, Failure> {
    let stream = Stream::Organization(organization);
    let entry = app.organizations.current(&app.log, stream).await?;
    let role = entry.read().state.role_of(account);
    Ok(role)
}
