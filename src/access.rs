//! Proof that a caller may read one organization. Queries ask for it, so none can forget the check.

use events::id::{AccountId, OrganizationId};
use events::organization::Organization;
use events::permission::{Permission, Role};
use events::stream::Stream;

use crate::App;
use crate::event_log::ReadError;
use crate::failure::{Failure, fails_with};

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

fails_with!(Refusal, Refusal::Failed: ReadError);

impl Access {
    /// Asks the organization's own stream, caught up to its head: a right taken away is gone at
    /// once. Strangers get the answer they would get for an organization that does not exist.
    pub(crate) async fn check(
        app: &App,
        caller: AccountId,
        organization: OrganizationId,
        needed: Permission,
    ) -> Result<Self, Refusal> {
        Ok(Self::seen(app, caller, organization, needed, |_| ()).await?.0)
    }

    /// The proof with what was seen of the organization in the same look at its stream.
    pub(crate) async fn seen<T>(
        app: &App,
        caller: AccountId,
        organization: OrganizationId,
        needed: Permission,
        view: impl FnOnce(&Organization) -> T,
    ) -> Result<(Self, T), Refusal> {
        let stream = Stream::Organization(organization);
        let entry = app.organizations.current(&app.log, stream).await?;
        let state = &entry.read().state;
        let role = state.role_of(caller).ok_or(Refusal::NotFound)?;
        if role.may(needed) {
            Ok((Self { organization, role }, view(state)))
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

/// Whether somebody belongs to an organization now.
pub(crate) async fn is_member(
    app: &App,
    account: AccountId,
    organization: OrganizationId,
) -> Result<bool, Failure> {
    let roles = roles_of(app, account, &[organization]).await?;
    Ok(roles.first().is_some_and(Option::is_some))
}

/// What somebody is in each of these organizations now; `None` for strangers and for what does not
/// exist.
pub(crate) async fn roles_of(
    app: &App,
    account: AccountId,
    organizations: &[OrganizationId],
) -> Result<Vec<Option<Role>>, Failure> {
    let streams: Vec<_> = organizations.iter().map(|id| Stream::Organization(*id)).collect();
    let entries = app.organizations.current_many(&app.log, &streams).await?;
    Ok(entries.iter().map(|entry| entry.read().state.role_of(account)).collect())
}
