//! What a token may be used for, whatever its owner may do: families of requests, and how far into
//! each. A scope only ever takes away; what a request needs is [`Permission::scope`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::permission::Permission;

/// Each level includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// `GET`.
    Read,
    /// And `POST`, `PUT`, `PATCH`.
    Write,
    /// And `DELETE`.
    Admin,
}

impl Level {
    pub const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
        }
    }
}

macro_rules! families {
    ($($(#[$doc:meta])* $family:ident = $name:literal;)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Family {
            $($(#[$doc])* $family,)*
        }

        impl Family {
            pub const ALL: &[Self] = &[$(Self::$family,)*];

            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$family => $name,)*
                }
            }
        }
    };
}

families! {
    Audit = "audit";
    Backups = "backups";
    Billing = "billing";
    Compliance = "compliance";
    Members = "members";
    Org = "org";
    Pipelines = "pipelines";
    /// Projects, databases and their users.
    Services = "services";
    Tokens = "tokens";
    Usage = "usage";
    Webhooks = "webhooks";
}

/// A level of one family, or everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `*`
    Everything,
    Of(Family, Level),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::Of(family, level) => write!(f, "{}:{}", family.as_str(), level.as_str()),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a scope is `*`, or a family and `read`, `write` or `admin`, like `members:read`")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, UnknownScope> {
        if text == "*" {
            return Ok(Self::Everything);
        }
        let (family, level) = text.split_once(':').ok_or(UnknownScope)?;
        let family = Family::ALL.iter().find(|known| known.as_str() == family);
        let level = Level::ALL.iter().find(|known| known.as_str() == level);
        family.zip(level).map(|(family, level)| Self::Of(*family, *level)).ok_or(UnknownScope)
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::parsed(deserializer)
    }
}

/// The scopes of one token, sorted and without repeats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Scope>", into = "Vec<Scope>")]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    pub fn everything() -> Self {
        Self(vec![Scope::Everything])
    }

    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        self.0.iter().copied()
    }

    /// Whether what needs this scope is within these.
    pub fn include(&self, needed: Scope) -> bool {
        self.0.iter().any(|held| match (*held, needed) {
            (Scope::Everything, _) => true,
            (Scope::Of(..), Scope::Everything) => false,
            (Scope::Of(family, level), Scope::Of(asked, at_least)) => {
                family == asked && level >= at_least
            }
        })
    }

    /// Whether these allow all that `others` do.
    pub fn include_all(&self, others: &Self) -> bool {
        others.iter().all(|scope| self.include(scope))
    }
}

impl From<Vec<Scope>> for Scopes {
    /// No scope at all is everything: a token is for something.
    fn from(mut scopes: Vec<Scope>) -> Self {
        if scopes.is_empty() || scopes.contains(&Scope::Everything) {
            return Self::everything();
        }
        scopes.sort_unstable();
        scopes.dedup();
        Self(scopes)
    }
}

impl From<Scopes> for Vec<Scope> {
    fn from(scopes: Scopes) -> Self {
        scopes.0
    }
}

impl Permission {
    /// The scope that a token needs to use this right in a request of this level. Tokens are made
    /// and ended by those that may do everything only: no token makes a stronger one.
    pub fn scope(self, level: Level) -> Scope {
        let family = match self {
            Self::ReadOrganization
            | Self::UpdateOrganization
            | Self::UpdateSettings
            | Self::TransferOrganization
            | Self::DeleteOrganization => Family::Org,
            Self::ReadMembers
            | Self::Leave
            | Self::ManageMembers
            | Self::ManageAdmins
            | Self::ManageOwners => Family::Members,
            // an export is the whole log with its personal values
            Self::ReadAuditLog | Self::ExportOrganization => Family::Audit,
            Self::ReadCompliance
            | Self::GeneratePackets
            | Self::ManageCompliance
            | Self::Declare => Family::Compliance,
            Self::ReadDatabases
            | Self::UseDatabases
            | Self::ManageDatabases
            | Self::DeleteDatabases => Family::Services,
            Self::ReadBackups | Self::ManageBackups | Self::DeleteBackups => Family::Backups,
            Self::ReadPipelines | Self::ManagePipelines => Family::Pipelines,
            Self::ViewBilling | Self::ManageBilling => Family::Billing,
            Self::ReadUsage => Family::Usage,
            // a proxy gives a connection back with what it took it by
            Self::RecordUsage => return Scope::Of(Family::Usage, Level::Write),
            Self::UseOwnTokens | Self::ManageTokens | Self::ManageKeys => {
                return match level {
                    Level::Read => Scope::Of(Family::Tokens, level),
                    Level::Write | Level::Admin => Scope::Everything,
                };
            }
        };
        Scope::Of(family, level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(text: &[&str]) -> Scopes {
        let parsed: Result<Vec<_>, _> = text.iter().map(|scope| scope.parse()).collect();
        parsed.expect("scopes").into()
    }

    #[test]
    fn levels_are_cumulative_within_their_family() {
        let held = scopes(&["members:write"]);
        assert!(held.include(Scope::Of(Family::Members, Level::Read)));
        assert!(held.include(Scope::Of(Family::Members, Level::Write)));
        assert!(!held.include(Scope::Of(Family::Members, Level::Admin)));
        assert!(!held.include(Scope::Of(Family::Org, Level::Read)));
        assert!(!held.include(Scope::Everything));
    }

    #[test]
    fn every_scope_together_is_not_everything() {
        let all = Family::ALL.iter().map(|family| Scope::Of(*family, Level::Admin));
        assert!(!Scopes::from(all.collect::<Vec<_>>()).include(Scope::Everything));
        assert!(Scopes::everything().include_all(&scopes(&["*", "org:read"])));
    }

    #[test]
    fn scopes_are_written_in_one_way() {
        let written = |text: &[&str]| scopes(text).iter().map(|it| it.to_string()).collect();
        let plain: Vec<String> = written(&["org:read", "audit:read", "org:read"]);
        assert_eq!(plain, ["audit:read", "org:read"]);
        let everything: Vec<String> = written(&["org:read", "*"]);
        assert_eq!(everything, ["*"]);
        assert_eq!(written(&[]), everything);
    }

    #[test]
    fn what_is_not_known_is_no_scope() {
        for odd in ["", "org", "org:", "org:execute", "orgs:read", "org:read:x", "ORG:read", "**"] {
            assert_eq!(odd.parse::<Scope>(), Err(UnknownScope), "{odd}");
        }
    }

    #[test]
    fn no_token_makes_tokens_without_the_scope_for_everything() {
        for permission in
            [Permission::UseOwnTokens, Permission::ManageTokens, Permission::ManageKeys]
        {
            assert_eq!(permission.scope(Level::Read), Scope::Of(Family::Tokens, Level::Read));
            assert_eq!(permission.scope(Level::Write), Scope::Everything);
            assert_eq!(permission.scope(Level::Admin), Scope::Everything);
        }
    }
}
