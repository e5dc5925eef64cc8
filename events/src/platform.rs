//! The platform stream: facts about the installation itself. What it is called, the keys it signs
//! with, the seals over all its logs, each time its log was verified, and what there is to choose from.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::State;
use crate::plan::{Catalogue, Terms};
use crate::recorded::Recorded;
use crate::time::Time;

/// How many plans a catalogue holds: it is one line of the log.
pub const MOST_PLANS: usize = 30;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// The first event of a log: what it is called, for ever.
    #[serde(rename = "platform.initialized")]
    Initialized { log_id: Uuid, origin: String },
    #[serde(rename = "signing_key.introduced")]
    KeyIntroduced {
        key_id: KeyId,
        purpose: Purpose,
        /// Ed25519, 32 bytes in base64url.
        public_key: String,
    },
    /// One key takes the place of another, and both have signed that: who knows the old one need
    /// not be told of the new one by another way.
    #[serde(rename = "signing_key.rotated")]
    KeyRotated {
        from: KeyId,
        to: KeyId,
        /// What both signed, in base64: an in-toto statement, as the payload of a DSSE envelope.
        payload: String,
        /// Base64 of 64 bytes, each.
        signed_by_old: String,
        signed_by_new: String,
    },
    /// It signs nothing any more; what it has signed stays good.
    #[serde(rename = "signing_key.retired")]
    KeyRetired { key_id: KeyId },
    /// What it signed from then on is not to be believed.
    #[serde(rename = "signing_key.revoked")]
    KeyRevoked { key_id: KeyId, compromised_since: Time },
    /// The heads of all organizations' logs, as they stood at one position of the whole log: the
    /// root of the RFC 6962 tree over their lines `{"root","size","stream"}` in canonical form,
    /// in the order of their streams.
    #[serde(rename = "ledger.sealed")]
    Sealed {
        /// How many logs.
        count: u64,
        /// Base64.
        root: String,
        /// A number in decimal digits, as positions can be larger than JSON's integers.
        position: String,
    },
    /// Somebody had the whole log verified.
    #[serde(rename = "log.verified")]
    Verified {
        succeeded: bool,
        lines: u64,
        /// Up to where: a number in decimal digits.
        position: String,
    },
    /// What can be chosen from now on; what was taken before stays as it was taken.
    #[serde(rename = "plan_catalogue.published")]
    CataloguePublished { catalogue: Box<Catalogue>, source: Source },
}

/// Where a catalogue comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    File,
    Operator,
}

/// The thumbprint of a public key (RFC 7638, SHA-256, base64url).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(pub String);

impl KeyId {
    /// Of an Ed25519 key, given its 32 bytes in base64url.
    pub fn of(public_key: &str) -> Self {
        use sha2::Digest as _;
        let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{public_key}"}}"#);
        Self(crate::wire::base64url(&sha2::Sha256::digest(members)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a key signs. One key never signs both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Packet,
    /// Heads of logs.
    Log,
}

impl Purpose {
    pub const ALL: [Self; 2] = [Self::Packet, Self::Log];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Packet => "packet",
            Self::Log => "log",
        }
    }
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Initialized { .. } => ("platform.initialized", 1),
            Self::KeyIntroduced { .. } => ("signing_key.introduced", 1),
            Self::KeyRotated { .. } => ("signing_key.rotated", 1),
            Self::KeyRetired { .. } => ("signing_key.retired", 1),
            Self::KeyRevoked { .. } => ("signing_key.revoked", 1),
            Self::Sealed { .. } => ("ledger.sealed", 1),
            Self::Verified { .. } => ("log.verified", 1),
            Self::CataloguePublished { .. } => ("plan_catalogue.published", 1),
        }
    }
}

/// A key that was introduced once; it is published for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    pub key_id: KeyId,
    pub purpose: Purpose,
    /// Ed25519, 32 bytes in base64url.
    pub public_key: String,
    pub introduced_at: Time,
    pub retired_at: Option<Time>,
    pub compromised_since: Option<Time>,
    /// Of the key before it, unless that was lost or stolen.
    pub rotation: Option<Rotation>,
}

/// A statement, signed by a key and by the one whose place it takes, that it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub from: KeyId,
    /// Base64.
    pub payload: String,
    pub signed_by_old: String,
    pub signed_by_new: String,
}

/// The newest seal over all logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    pub count: u64,
    pub root: String,
    pub position: String,
    /// Of the event on the platform's stream.
    pub version: u64,
    pub at: Time,
}

/// Once that the whole log was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    pub at: Time,
    pub succeeded: bool,
    pub lines: u64,
    pub position: String,
}

#[derive(Debug, Default)]
pub struct Platform {
    pub log_id: Option<Uuid>,
    pub origin: String,
    keys: Vec<SigningKey>,
    seal: Option<Seal>,
    verifications: Vec<Verification>,
    catalogue: Option<Arc<Catalogue>>,
    /// What the file said when it was last taken in.
    catalogue_of_file: Option<Arc<Catalogue>>,
}

impl Platform {
    /// Every key there ever was, oldest first.
    pub fn keys(&self) -> &[SigningKey] {
        &self.keys
    }

    /// The key that signs now.
    pub fn active_key(&self, purpose: Purpose) -> Option<&SigningKey> {
        let signs = |key: &&SigningKey| {
            key.purpose == purpose && key.retired_at.is_none() && key.compromised_since.is_none()
        };
        self.keys.iter().rev().find(signs)
    }

    pub fn seal(&self) -> Option<&Seal> {
        self.seal.as_ref()
    }

    /// Oldest first.
    pub fn verifications(&self) -> &[Verification] {
        &self.verifications
    }

    /// What can be chosen now.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.clone().unwrap_or_else(Catalogue::built_in)
    }

    pub fn key(&self, key_id: &KeyId) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.key_id == *key_id)
    }

    fn key_mut(&mut self, key_id: &KeyId) -> Option<&mut SigningKey> {
        self.keys.iter_mut().find(|key| key.key_id == *key_id)
    }
}

impl State for Platform {
    fn evolve(&mut self, recorded: &Recorded) {
        let crate::Event::Platform(event) = &recorded.event else { return };
        match event {
            Event::Initialized { log_id, origin } => {
                self.log_id = Some(*log_id);
                self.origin.clone_from(origin);
            }
            Event::KeyIntroduced { key_id, purpose, public_key } => self.keys.push(SigningKey {
                key_id: key_id.clone(),
                purpose: *purpose,
                public_key: public_key.clone(),
                introduced_at: recorded.at,
                retired_at: None,
                compromised_since: None,
                rotation: None,
            }),
            Event::KeyRotated { from, to, payload, signed_by_old, signed_by_new } => {
                if let Some(key) = self.key_mut(to) {
                    key.rotation = Some(Rotation {
                        from: from.clone(),
                        payload: payload.clone(),
                        signed_by_old: signed_by_old.clone(),
                        signed_by_new: signed_by_new.clone(),
                    });
                }
            }
            Event::KeyRetired { key_id } => {
                if let Some(key) = self.key_mut(key_id) {
                    key.retired_at = Some(recorded.at);
                }
            }
            Event::KeyRevoked { key_id, compromised_since } => {
                if let Some(key) = self.key_mut(key_id) {
                    key.retired_at.get_or_insert(recorded.at);
                    key.compromised_since = Some(*compromised_since);
                }
            }
            Event::Sealed { count, root, position } => {
                self.seal = Some(Seal {
                    count: *count,
                    root: root.clone(),
                    position: position.clone(),
                    version: recorded.version,
                    at: recorded.at,
                });
            }
            Event::Verified { succeeded, lines, position } => {
                self.verifications.push(Verification {
                    at: recorded.at,
                    succeeded: *succeeded,
                    lines: *lines,
                    position: position.clone(),
                });
            }
            Event::CataloguePublished { catalogue, source } => {
                let catalogue = Arc::new((**catalogue).clone());
                if *source == Source::File {
                    self.catalogue_of_file = Some(Arc::clone(&catalogue));
                }
                self.catalogue = Some(catalogue);
            }
        }
    }
}

#[derive(Clone, Debug)]
pub enum Command {
    /// A key that signs while no other does.
    IntroduceFirstKey {
        purpose: Purpose,
        public_key: String,
    },
    /// A new key signs from now on, in the place of the one before.
    IntroduceKey {
        purpose: Purpose,
        public_key: String,
        rotation: Option<Rotation>,
    },
    /// A key is not to be believed from then on; another one takes its place if it still signed.
    RevokeKey {
        key_id: KeyId,
        compromised_since: Time,
        successor: String,
    },
    Seal {
        count: u64,
        root: String,
        position: String,
    },
    RecordVerification {
        succeeded: bool,
        lines: u64,
        position: String,
    },
    /// The file's catalogue, unless it is the one that was taken in last.
    TakeInCatalogue {
        catalogue: Catalogue,
    },
    /// A plan that is new, or stands in the place of the one with its name from now on.
    SetPlan {
        terms: Box<Terms>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such key")]
    NoSuchKey,
    #[error("the key is revoked already")]
    RevokedAlready,
    #[error("there are too many plans")]
    TooManyPlans,
    #[error("another key signs than the one that has signed the rotation")]
    AnotherSigns,
}

pub fn decide(platform: &Platform, command: &Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::IntroduceFirstKey { purpose, public_key } => match platform.active_key(*purpose) {
            Some(_) => Ok(vec![]),
            None => Ok(replaced(platform, *purpose, public_key)),
        },
        Command::IntroduceKey { purpose, public_key, rotation } => {
            let rotated = match rotation {
                None => None,
                Some(rotation) => Some(rotated(platform, *purpose, public_key, rotation)?),
            };
            Ok(replaced(platform, *purpose, public_key).into_iter().chain(rotated).collect())
        }
        Command::RevokeKey { key_id, compromised_since, successor } => {
            let key = platform.key(key_id).ok_or(Rejection::NoSuchKey)?;
            if key.compromised_since.is_some() {
                return Err(Rejection::RevokedAlready);
            }
            let compromised_since = *compromised_since;
            let revoked = Event::KeyRevoked { key_id: key_id.clone(), compromised_since };
            let signs = platform.active_key(key.purpose) == Some(key);
            let replaced = signs.then(|| replaced(platform, key.purpose, successor));
            Ok(replaced.into_iter().flatten().chain([revoked]).collect())
        }
        Command::Seal { count, root, position } => {
            let is_news =
                platform.seal().is_none_or(|seal| (seal.count, &seal.root) != (*count, root));
            let sealed =
                Event::Sealed { count: *count, root: root.clone(), position: position.clone() };
            Ok(is_news.then_some(sealed).into_iter().collect())
        }
        Command::RecordVerification { succeeded, lines, position } => Ok(vec![Event::Verified {
            succeeded: *succeeded,
            lines: *lines,
            position: position.clone(),
        }]),
        Command::TakeInCatalogue { catalogue } => {
            let is_known = platform.catalogue_of_file.as_deref() == Some(catalogue);
            Ok(if is_known { vec![] } else { vec![published(catalogue.clone(), Source::File)] })
        }
        Command::SetPlan { terms } => {
            let mut catalogue = (*platform.catalogue()).clone();
            match catalogue.plans.iter().position(|plan| plan.plan == terms.plan) {
                Some(place) if catalogue.plans[place] == **terms => return Ok(vec![]),
                Some(place) => catalogue.plans[place].clone_from(terms),
                None if catalogue.plans.len() >= MOST_PLANS => return Err(Rejection::TooManyPlans),
                None => catalogue.plans.push((**terms).clone()),
            }
            Ok(vec![published(catalogue, Source::Operator)])
        }
    }
}

fn published(catalogue: Catalogue, source: Source) -> Event {
    Event::CataloguePublished { catalogue: Box::new(catalogue), source }
}

fn rotated(
    platform: &Platform,
    purpose: Purpose,
    public_key: &str,
    rotation: &Rotation,
) -> Result<Event, Rejection> {
    let active = platform.active_key(purpose).map(|key| &key.key_id);
    if active != Some(&rotation.from) {
        return Err(Rejection::AnotherSigns);
    }
    Ok(Event::KeyRotated {
        from: rotation.from.clone(),
        to: KeyId::of(public_key),
        payload: rotation.payload.clone(),
        signed_by_old: rotation.signed_by_old.clone(),
        signed_by_new: rotation.signed_by_new.clone(),
    })
}

fn replaced(platform: &Platform, purpose: Purpose, public_key: &str) -> Vec<Event> {
    let retired = platform.active_key(purpose).map(|key| key.key_id.clone());
    let introduced = Event::KeyIntroduced {
        key_id: KeyId::of(public_key),
        purpose,
        public_key: public_key.to_owned(),
    };
    let retired = retired.map(|key_id| Event::KeyRetired { key_id });
    [introduced].into_iter().chain(retired).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_id_is_the_thumbprint_that_other_programs_make() {
        // RFC 8037, appendix A.3
        let id = KeyId::of("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
        assert_eq!(id.0, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_rotation_is_of_the_key_that_signs() {
        let mut platform = Platform::default();
        let key_id = KeyId::of("old");
        platform.keys.push(SigningKey {
            key_id: key_id.clone(),
            purpose: Purpose::Packet,
            public_key: "old".to_owned(),
            introduced_at: Time::EPOCH,
            retired_at: None,
            compromised_since: None,
            rotation: None,
        });
        let rotate = |from: &KeyId| {
            let signature = String::new;
            let rotation = Rotation {
                from: from.clone(),
                payload: "statement".to_owned(),
                signed_by_old: signature(),
                signed_by_new: signature(),
            };
            let public_key = "new".to_owned();
            let purpose = Purpose::Packet;
            decide(
                &platform,
                &Command::IntroduceKey { purpose, public_key, rotation: Some(rotation) },
            )
        };
        let kinds: Vec<_> = rotate(&key_id).expect("it signs").iter().map(Event::kind).collect();
        let names: Vec<_> = kinds.iter().map(|(name, _)| *name).collect();
        let expected = ["signing_key.introduced", "signing_key.retired", "signing_key.rotated"];
        assert_eq!(names, expected);
        assert_eq!(rotate(&KeyId::of("another")), Err(Rejection::AnotherSigns));
    }
}
