//! Stream names: `<category>-<id>`, one consistency boundary each. Nothing personal is in them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{AccountId, InvalidId, OrganizationId, SubjectId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// The installation: origin, and later signing keys, plans and seals.
    Platform,
    /// Who holds one e-mail address; the subject stands for the address.
    Address(SubjectId),
    Account(AccountId),
    /// Whatever belongs to one organization: its audit log.
    Organization(OrganizationId),
    /// What one organization has used; nobody folds it.
    Usage(OrganizationId),
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform => f.write_str("platform"),
            Self::Address(id) => write!(f, "address-{id}"),
            Self::Account(id) => write!(f, "account-{id}"),
            Self::Organization(id) => write!(f, "organization-{id}"),
            Self::Usage(id) => write!(f, "usage-{id}"),
        }
    }
}

impl FromStr for Stream {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.split_once('-') {
            None if text == "platform" => Ok(Self::Platform),
            Some(("address", id)) => id.parse().map(Self::Address),
            Some(("account", id)) => id.parse().map(Self::Account),
            Some(("organization", id)) => id.parse().map(Self::Organization),
            Some(("usage", id)) => id.parse().map(Self::Usage),
            _ => Err(InvalidId),
        }
    }
}

impl Serialize for Stream {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stream {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::parsed(deserializer)
    }
}
