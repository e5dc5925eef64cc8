//! An Ed25519 public key in the forms that others know it by: PEM, JWK, and a verifier's line for
//! signed notes (C2SP `signed-note`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use ed25519_dalek::{Signature, VerifyingKey};
use events::platform::KeyId;
use sha2::{Digest as _, Sha256};

/// Signed notes: an Ed25519 signature.
const NOTE_ED25519: u8 = 1;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKey(VerifyingKey);

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key")]
pub(crate) struct NoKey;

impl From<VerifyingKey> for PublicKey {
    fn from(key: VerifyingKey) -> Self {
        Self(key)
    }
}

impl PublicKey {
    pub(crate) fn of_bytes(bytes: &[u8]) -> Result<Self, NoKey> {
        let bytes = <&[u8; 32]>::try_from(bytes).map_err(|_| NoKey)?;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| NoKey)?;
        if key.is_weak() { Err(NoKey) } else { Ok(Self(key)) }
    }

    /// The `x` of a JWK.
    pub(crate) fn of_base64url(text: &str) -> Result<Self, NoKey> {
        Self::of_bytes(&events::wire::from_base64url(text).ok_or(NoKey)?)
    }

    pub(crate) fn of_pem(text: &str) -> Result<Self, NoKey> {
        let key = VerifyingKey::from_public_key_pem(text.trim()).map_err(|_| NoKey)?;
        Self::of_bytes(key.as_bytes())
    }

    pub(crate) fn base64url(&self) -> String {
        events::wire::base64url(self.0.as_bytes())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).expect("a key of 32 bytes is written as PEM")
    }

    /// RFC 7638, recomputed, whatever anybody else calls the key.
    pub(crate) fn id(&self) -> KeyId {
        KeyId::of(&self.base64url())
    }

    /// Strictly: no signature has a second form, and no key of small order is taken.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let signature = Signature::from_slice(signature);
        signature.is_ok_and(|signature| self.0.verify_strict(message, &signature).is_ok())
    }

    /// The first bytes of a note's signature by this key under a name.
    pub(crate) fn note_id(&self, name: &str) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', NOTE_ED25519])
            .chain_update(self.0.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }
}

/// A key under the name that it signs notes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NoteKey {
    pub(crate) name: String,
    pub(crate) key: PublicKey,
}

impl NoteKey {
    /// `<name>+<id>+<key>`, as verifiers of signed notes read it.
    pub(crate) fn line(&self) -> String {
        let id = self.key.note_id(&self.name).map(|byte| format!("{byte:02x}")).concat();
        let key = STANDARD.encode([&[NOTE_ED25519], self.key.0.as_bytes().as_slice()].concat());
        format!("{}+{id}+{key}", self.name)
    }

    pub(crate) fn of_line(line: &str) -> Result<Self, NoKey> {
        let (name, rest) = line.trim().split_once('+').ok_or(NoKey)?;
        let (_, key) = rest.split_once('+').ok_or(NoKey)?;
        let bytes = STANDARD.decode(key).map_err(|_| NoKey)?;
        let (&kind, key) = bytes.split_first().ok_or(NoKey)?;
        if kind != NOTE_ED25519 || name.is_empty() {
            return Err(NoKey);
        }
        let found = Self { name: name.to_owned(), key: PublicKey::of_bytes(key)? };
        if found.line() == line.trim() { Ok(found) } else { Err(NoKey) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032, 7.1, test 1
    const KEY: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    #[test]
    fn every_form_reads_back() {
        let key = PublicKey::of_base64url(KEY).expect("a key");
        assert_eq!(PublicKey::of_pem(&key.pem()), Ok(key));
        assert_eq!(key.base64url(), KEY);
        let named = NoteKey { name: "example.org".to_owned(), key };
        assert_eq!(NoteKey::of_line(&named.line()), Ok(named.clone()));
        let renamed = named.line().replace("example.org", "example.com");
        assert_eq!(NoteKey::of_line(&renamed), Err(NoKey));
    }

    #[test]
    fn a_key_of_small_order_is_none() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(PublicKey::of_bytes(&identity), Err(NoKey));
        assert_eq!(PublicKey::of_bytes(&[0; 31]), Err(NoKey));
    }
}
