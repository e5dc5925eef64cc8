//! An event as the log keeps it: where, when, by whom and because of what.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::Event;
use crate::chain::Link;
use crate::id::{AccountId, CommandId, EventId, InvalidId, TokenId};
use crate::personal::Personal;
use crate::stream::Stream;
use crate::time::Time;

/// Where an event stands in the whole log: one number, comparable within one log only.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub position: Position,
    pub stream: Stream,
    pub version: u64,
    pub id: EventId,
    pub at: Time,
    pub actor: Actor,
    pub cause: Cause,
    pub ip_address: Personal,
    pub user_agent: Personal,
    pub event: Event,
    /// BLAKE3 of the line before this one on the stream.
    pub prev: Link,
    /// BLAKE3 of this event's own line.
    pub link: Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Actor {
    Account(AccountId),
    /// An organization key, which acts for itself.
    Token(TokenId),
    Operator,
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => id.fmt(f),
            Self::Token(id) => id.fmt(f),
            Self::Operator => f.write_str("operator"),
            Self::System => f.write_str("system"),
        }
    }
}

impl FromStr for Actor {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "operator" => Ok(Self::Operator),
            "system" => Ok(Self::System),
            _ if text.starts_with(TokenId::PREFIX) => text.parse().map(Self::Token),
            _ => text.parse().map(Self::Account),
        }
    }
}

impl Serialize for Actor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::parsed(deserializer)
    }
}

/// What made an event happen. Its fields stand in canonical order, as the line has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    pub body: BodyMac,
    pub command: CommandId,
    /// The request's id, as `X-Request-Id` gave it.
    pub request: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
}

/// HMAC of a request's body, so that a repeated key with another body can be told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyMac(pub [u8; 32]);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a body's MAC is 32 bytes in base64url")]
pub struct InvalidMac;

impl FromStr for BodyMac {
    type Err = InvalidMac;

    fn from_str(text: &str) -> Result<Self, InvalidMac> {
        let bytes = crate::wire::from_base64url(text).ok_or(InvalidMac)?;
        Ok(Self(bytes.try_into().map_err(|_| InvalidMac)?))
    }
}

impl Serialize for BodyMac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::wire::base64url(&self.0))
    }
}

impl<'de> Deserialize<'de> for BodyMac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::parsed(deserializer)
    }
}
