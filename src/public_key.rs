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

    fn bytes(hex: &str) -> Vec<u8> {
        let pairs = hex.as_bytes().chunks(2);
        let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).expect("hex"), 16);
        pairs.map(|pair| byte(pair).expect("hex")).collect()
    }

    /// The points whose order divides the cofactor, in each of their encodings.
    const SMALL_ORDER: [&str; 14] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        // the same points, their coordinate not reduced or with the other sign
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];

    #[test]
    fn no_encoding_of_a_point_of_small_order_is_a_key() {
        for key in SMALL_ORDER {
            assert_eq!(PublicKey::of_bytes(&bytes(key)), Err(NoKey), "{key}");
        }
    }

    // RFC 8032, 7.1, test 2
    const SECOND_KEY: &str = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
    const MESSAGE: &[u8] = &[0x72];
    const R: &str = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da";
    const S: &str = "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    /// The order of the group, which changes nothing where numbers are counted modulo it.
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];

    #[test]
    fn a_signature_has_one_form_only() {
        let key = PublicKey::of_bytes(&bytes(SECOND_KEY)).expect("a key");
        let signature = [bytes(R), bytes(S)].concat();
        assert!(key.verifies(MESSAGE, &signature));
        assert!(!key.verifies(b"another", &signature));
        let mut larger = Vec::new();
        let mut carry = 0;
        for (one, other) in bytes(S).into_iter().zip(L) {
            let sum = u16::from(one) + u16::from(other) + carry;
            larger.push(sum.to_le_bytes()[0]);
            carry = sum >> 8;
        }
        assert!(!key.verifies(MESSAGE, &[bytes(R), larger].concat()), "S + L");
        let mut high_bits = signature.clone();
        high_bits[63] |= 0xe0;
        assert!(!key.verifies(MESSAGE, &high_bits));
        for length in [0, 32, 63, 65] {
            let mut other = signature.clone();
            other.resize(length, 0);
            assert!(!key.verifies(MESSAGE, &other), "{length} bytes");
        }
    }

    #[test]
    fn a_signature_with_a_point_of_small_order_is_none() {
        let key = PublicKey::of_bytes(&bytes(SECOND_KEY)).expect("a key");
        for point in SMALL_ORDER {
            for s in [bytes(S), vec![0; 32]] {
                let signature = [bytes(point), s].concat();
                assert!(!key.verifies(MESSAGE, &signature), "{point}");
            }
        }
    }

    #[test]
    fn every_single_bit_counts() {
        let key = PublicKey::of_bytes(&bytes(SECOND_KEY)).expect("a key");
        let signature = [bytes(R), bytes(S)].concat();
        for bit in 0..8 * signature.len() {
            let mut other = signature.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.verifies(MESSAGE, &other), "bit {bit}");
        }
    }
}
