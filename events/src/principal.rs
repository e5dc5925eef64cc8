//! Who asks something of an organization, and whether it grants that. One question for reads and
//! writes alike, asked of the folded stream, so that a right taken away is gone at once.

use core::net::IpAddr;

use crate::id::{AccountId, TokenId};
use crate::organization::Organization;
use crate::permission::{Permission, Role};
use crate::recorded::Actor;
use crate::scope::{Level, Scope};
use crate::time::Time;
use crate::token;

/// Somebody who has proven who they are, with what their request shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    pub who: Who,
    /// How far the request goes, as scopes tell requests apart.
    pub level: Level,
    /// Where it comes from, as an allowlist would see it.
    pub address: Option<IpAddr>,
    /// When the credential was proven or made: an older one outlasts a new demand for a second
    /// factor.
    pub signed_in_at: Time,
    /// Whether the account has a second factor; a key needs none.
    pub has_second_factor: bool,
    pub now: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// By a password or a session.
    Account(AccountId),
    /// By a token of their own.
    Token { owner: AccountId, token: TokenId },
    /// The organization itself.
    Key(TokenId),
}

impl Principal {
    /// The person; a key acts for none.
    pub fn account(&self) -> Option<AccountId> {
        match self.who {
            Who::Account(account) | Who::Token { owner: account, .. } => Some(account),
            Who::Key(_) => None,
        }
    }

    pub fn token(&self) -> Option<TokenId> {
        match self.who {
            Who::Account(_) => None,
            Who::Token { token, .. } | Who::Key(token) => Some(token),
        }
    }

    /// As whom events record it.
    pub fn actor(&self) -> Actor {
        match self.who {
            Who::Account(account) | Who::Token { owner: account, .. } => Actor::Account(account),
            Who::Key(token) => Actor::Token(token),
        }
    }
}

/// Why an organization does not grant what is asked of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody it knows, or there is no such organization.
    Stranger,
    TokenEnded(token::Ended),
    /// The allowlist does not name where the request comes from.
    Address,
    /// Its members sign in with a second factor, and this one did not.
    SecondFactor,
    Role,
    /// The token's scopes do not include this one.
    Scope(Scope),
}

impl Organization {
    /// What somebody is here, whatever they ask for: the first thing that is asked, so that
    /// strangers learn nothing.
    pub fn standing(&self, principal: &Principal) -> Result<Role, Refusal> {
        let role = match principal.who {
            Who::Account(account) => self.role_of(account),
            Who::Token { owner, token } => {
                self.serves(token, principal.now)?;
                self.role_of(owner)
            }
            Who::Key(token) => {
                self.serves(token, principal.now)?;
                Some(Role::Admin)
            }
        };
        role.filter(|_| self.profile().is_some()).ok_or(Refusal::Stranger)
    }

    fn serves(&self, token: TokenId, now: Time) -> Result<(), Refusal> {
        let ended = self.token(token).ok_or(Refusal::Stranger)?.ended(now);
        ended.map_or(Ok(()), |ended| Err(Refusal::TokenEnded(ended)))
    }

    /// The role in which the organization grants this.
    pub fn grants(&self, principal: &Principal, permission: Permission) -> Result<Role, Refusal> {
        let role = self.admits(principal)?;
        if !role.may(permission) {
            return Err(Refusal::Role);
        }
        let needed = permission.scope(principal.level);
        let scopes = principal.token().and_then(|token| self.token(token));
        if scopes.is_some_and(|token| !token.scopes.include(needed)) {
            return Err(Refusal::Scope(needed));
        }
        Ok(role)
    }

    /// The role of somebody who may come in at all.
    pub fn admits(&self, principal: &Principal) -> Result<Role, Refusal> {
        let role = self.standing(principal)?;
        if !self.settings.admits(principal.address) {
            return Err(Refusal::Address);
        }
        let is_person = principal.account().is_some();
        if is_person
            && !principal.has_second_factor
            && self.settings.demands_second_factor_of(principal.signed_in_at)
        {
            return Err(Refusal::SecondFactor);
        }
        Ok(role)
    }
}

#[cfg(test)]
mod tests;
