//! Proof that a caller may read one organization. Queries ask for it, so none can forget the check.

use std::sync::Arc;

use events::id::{AccountId, OrganizationId};
use events::organization::Organization;
use events::permission::{Permission, Role};
use events::principal::{self, Principal};
use events::stream::Stream;
use events::token;

use crate::App;
use crate::event_log::ReadError;
use crate::failure::{Failure, fails_with};
use crate::fold::Entry;

/// A member, or a key of the organization, asked for what it does not grant them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) by: Principal,
    pub(crate) organization: OrganizationId,
    pub(crate) because: principal::Refusal,
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
    #[error("the token serves no more")]
    TokenEnded(token::Ended),
    #[error("the organization does not grant this")]
    Denied(Denied),
    #[error("it cannot be told who may do what")]
    Failed(#[source] Failure),
}

fails_with!(Refusal, Refusal::Failed: ReadError);

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What a refusal is to whoever asked.
pub(crate) fn refused(
    by: &Principal,
    organization: OrganizationId,
    because: principal::Refusal,
) -> Refusal {
    match because {
        principal::Refusal::Stranger => Refusal::NotFound,
        principal::Refusal::TokenEnded(ended) => Refusal::TokenEnded(ended),
        principal::Refusal::Address
        | principal::Refusal::SecondFactor
        | principal::Refusal::Role
        | principal::Refusal::Scope(_) => {
            Refusal::Denied(Denied { by: *by, organization, because })
        }
    }
}

/// An organization as it was when it was asked whether it grants something, or newer.
pub(crate) struct Seen(Arc<Entry<Organization>>);

impl Seen {
    pub(crate) fn at<T>(&self, view: impl FnOnce(&Organization) -> T) -> T {
        view(&self.0.read().state)
    }
}

impl Access {
    /// Asks the organization's own stream, caught up to its head: a right taken away is gone at
    /// once. Strangers get the answer they would get for an organization that does not exist.
    pub(crate) async fn check(
        app: &App,
        by: &Principal,
        organization: OrganizationId,
        needed: Permission,
    ) -> Result<Self, Refusal> {
        Ok(Self::seen(app, by, organization, needed, |_| ()).await?.0)
    }

    /// The proof with what was seen of the organization in the same look at its stream.
    pub(crate) async fn seen<T>(
        app: &App,
        by: &Principal,
        organization: OrganizationId,
        needed: Permission,
        view: impl FnOnce(&Organization) -> T,
    ) -> Result<(Self, T), Refusal> {
        let (access, seen) = Self::look(app, by, organization, needed).await?;
        Ok((access, seen.at(view)))
    }

    /// The proof with the organization itself, to be looked at later.
    pub(crate) async fn look(
        app: &App,
        by: &Principal,
        organization: OrganizationId,
        needed: Permission,
    ) -> Result<(Self, Seen), Refusal> {
        let stream = Stream::Organization(organization);
        let entry = app.organizations.current(&app.log, stream).await?;
        let granted = entry.read().state.grants(by, needed);
        match granted {
            Ok(role) => Ok((Self { organization, role }, Seen(entry))),
            Err(because) => Err(refused(by, organization, because)),
        }
    }

    pub(crate) fn organization(&self) -> OrganizationId {
        self.organization
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }
}

/// Whether an organization knows somebody now, as a member or as a token of its own.
pub(crate) async fn is_known(
    app: &App,
    by: &Principal,
    organization: OrganizationId,
) -> Result<bool, Failure> {
    let stream = Stream::Organization(organization);
    let entry = app.organizations.current(&app.log, stream).await?;
    let is_known = entry.read().state.standing(by).is_ok();
    Ok(is_known)
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

/// Those of these organizations that the account belongs to now, and that ask their members for a
/// second factor.
pub(crate) async fn requiring_second_factor(
    app: &App,
    account: AccountId,
    organizations: &[OrganizationId],
) -> Result<Vec<OrganizationId>, Failure> {
    let streams: Vec<_> = organizations.iter().map(|id| Stream::Organization(*id)).collect();
    let entries = app.organizations.current_many(&app.log, &streams).await?;
    let requires = |entry: &Arc<Entry<Organization>>| {
        let state = &entry.read().state;
        state.role_of(account).is_some() && state.settings().require_2fa
    };
    let asked = organizations.iter().zip(&entries);
    Ok(asked.filter(|(_, entry)| requires(entry)).map(|(id, _)| *id).collect())
}

/// Which of these organizations grant somebody this now.
pub(crate) async fn granting(
    app: &App,
    by: &Principal,
    organizations: &[OrganizationId],
    needed: Permission,
) -> Result<Vec<OrganizationId>, Failure> {
    let streams: Vec<_> = organizations.iter().map(|id| Stream::Organization(*id)).collect();
    let entries = app.organizations.current_many(&app.log, &streams).await?;
    let asked = organizations.iter().zip(entries);
    let granting = asked.filter(|(_, entry)| entry.read().state.grants(by, needed).is_ok());
    Ok(granting.map(|(organization, _)| *organization).collect())
}
