//! The keys that somebody who verifies trusts. They come from outside the packet, by another way: a
//! key that a packet brings along proves nothing.

use events::time::Time;
use serde_json::Value;

use super::json;
use crate::public_key::{NoteKey, PublicKey};

/// From when on, and up to when, what a key signs is to be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) from: Option<Time>,
    /// Not itself.
    pub(crate) to: Option<Time>,
    pub(crate) revoked_at: Option<Time>,
}

impl Validity {
    pub(crate) fn holds_at(&self, at: Time) -> bool {
        self.from.is_none_or(|from| from <= at)
            && self.to.is_none_or(|to| at < to)
            && self.revoked_at.is_none_or(|revoked_at| at < revoked_at)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedKey {
    pub(crate) key: PublicKey,
    /// The installation that signs notes with it, where the file said so.
    pub(crate) name: Option<String>,
    pub(crate) validity: Validity,
}

/// At least one of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedKeys {
    pub(crate) packet: Vec<PinnedKey>,
    pub(crate) log: Vec<PinnedKey>,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("there is no key in it; PEM, a JWK, a JWK set or verifier lines are read")]
    Empty,
    #[error(
        "a key in it is no Ed25519 public key, or is written in another way than its form says"
    )]
    NoKey,
    #[error("a key in it has another `kid` than its thumbprint (RFC 7638)")]
    OtherId,
    #[error("one key stands in it twice")]
    Twice,
    #[error("a time in it is no number of seconds")]
    Time,
    #[error("a key signs either packets or heads of logs, never both")]
    BothPurposes,
}

impl PinnedKeys {
    pub(crate) fn new(packet: Vec<PinnedKey>, log: Vec<PinnedKey>) -> Result<Self, Unusable> {
        let signs_both = |key: &PinnedKey| log.iter().any(|other| other.key == key.key);
        if packet.iter().any(signs_both) {
            return Err(Unusable::BothPurposes);
        }
        if packet.is_empty() || log.is_empty() {
            return Err(Unusable::Empty);
        }
        Ok(Self { packet, log })
    }

    /// The log's keys under the names that notes are signed with. A key that came without one gets
    /// that of the packet's issuer: then the name is the packet's own word.
    pub(crate) fn note_keys(&self, issuer: &str) -> Vec<NoteKey> {
        let named = |pinned: &PinnedKey| NoteKey {
            name: pinned.name.clone().unwrap_or_else(|| issuer.to_owned()),
            key: pinned.key,
        };
        self.log.iter().map(named).collect()
    }
}

/// The keys in a file: PEM blocks, a JWK or a JWK set, or one verifier's line each.
pub(crate) fn read(text: &str) -> Result<Vec<PinnedKey>, Unusable> {
    let keys: Vec<PinnedKey> = if text.trim_start().starts_with('{') {
        of_json(text)?
    } else if text.contains(PEM_BEGIN) {
        of_pem(text)?
    } else {
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(of_line).collect::<Result<_, _>>()?
    };
    let stands_twice =
        |(at, key): (usize, &PinnedKey)| keys[..at].iter().any(|other| other.key == key.key);
    if keys.iter().enumerate().any(stands_twice) {
        return Err(Unusable::Twice);
    }
    if keys.is_empty() { Err(Unusable::Empty) } else { Ok(keys) }
}

const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

fn of_pem(text: &str) -> Result<Vec<PinnedKey>, Unusable> {
    let blocks = text.split(PEM_BEGIN).skip(1);
    let of_block = |block: &str| {
        let (block, _) = block.split_once(PEM_END).ok_or(Unusable::NoKey)?;
        let key = PublicKey::of_pem(&format!("{PEM_BEGIN}{block}{PEM_END}\n"));
        Ok(unlimited(key.map_err(|_| Unusable::NoKey)?, None))
    };
    blocks.map(of_block).collect()
}

fn of_line(line: &str) -> Result<PinnedKey, Unusable> {
    let named = NoteKey::of_line(line).map_err(|_| Unusable::NoKey)?;
    Ok(unlimited(named.key, Some(named.name)))
}

fn unlimited(key: PublicKey, name: Option<String>) -> PinnedKey {
    PinnedKey { key, name, validity: Validity::default() }
}

fn of_json(text: &str) -> Result<Vec<PinnedKey>, Unusable> {
    let value = json::read(text.as_bytes()).map_err(|_| Unusable::NoKey)?;
    match value.get("keys") {
        Some(Value::Array(keys)) => keys.iter().map(of_jwk).collect(),
        Some(_) => Err(Unusable::NoKey),
        None => Ok(vec![of_jwk(&value)?]),
    }
}

fn of_jwk(jwk: &Value) -> Result<PinnedKey, Unusable> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    // whoever lists a private key has a file that is not to be read on
    if (text("kty"), text("crv")) != (Some("OKP"), Some("Ed25519")) || jwk.get("d").is_some() {
        return Err(Unusable::NoKey);
    }
    if text("use").is_some_and(|purpose| purpose != "sig") {
        return Err(Unusable::NoKey);
    }
    let key = PublicKey::of_base64url(text("x").ok_or(Unusable::NoKey)?);
    let key = key.map_err(|_| Unusable::NoKey)?;
    if text("kid").is_some_and(|kid| kid != key.id().0) {
        return Err(Unusable::OtherId);
    }
    let revoked_at = match jwk.get("revoked") {
        None | Some(Value::Null) => None,
        // that it is revoked counts, even where nobody says since when
        Some(revoked) => Some(seconds(revoked, "revoked_at")?.unwrap_or(Time::EPOCH)),
    };
    let validity = Validity { from: seconds(jwk, "nbf")?, to: seconds(jwk, "exp")?, revoked_at };
    Ok(PinnedKey { key, name: None, validity })
}

fn seconds(of: &Value, name: &str) -> Result<Option<Time>, Unusable> {
    match of.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(seconds) => {
            let millis = seconds.as_i64().and_then(|seconds| seconds.checked_mul(1000));
            millis.map(|millis| Some(Time::from_millis(millis))).ok_or(Unusable::Time)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032, 7.1, tests 1 and 2
    const KEYS: [&str; 2] = [
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw",
    ];

    fn keys() -> [PublicKey; 2] {
        KEYS.map(|key| PublicKey::of_base64url(key).expect("a key"))
    }

    fn jwk(more: &str) -> String {
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"{more}}}"#, KEYS[0])
    }

    #[test]
    fn a_file_holds_several_keys_in_any_form() {
        let pem = keys().map(|key| key.pem()).concat();
        let line = |key| NoteKey { name: "example.org".to_owned(), key }.line();
        let lines = keys().map(line).join("\n");
        let set = format!(r#"{{"keys":[{},{}]}}"#, jwk(""), jwk("").replace(KEYS[0], KEYS[1]));
        for text in [pem, lines, set] {
            let read: Vec<_> = read(&text).expect("keys").into_iter().map(|key| key.key).collect();
            assert_eq!(read, keys(), "{text}");
        }
    }

    #[test]
    fn a_key_file_is_read_strictly() {
        let thumbprint = keys()[0].id();
        assert!(read(&jwk(&format!(r#","kid":"{thumbprint}""#))).is_ok());
        assert_eq!(read(&jwk(r#","kid":"another""#)), Err(Unusable::OtherId));
        assert_eq!(read(&jwk(r#","use":"enc""#)), Err(Unusable::NoKey));
        assert_eq!(read(&jwk(r#","d":"AA""#)), Err(Unusable::NoKey));
        assert_eq!(read(&jwk(r#","nbf":"now""#)), Err(Unusable::Time));
        assert_eq!(read(&jwk(r#","nbf":1,"nbf":2"#)), Err(Unusable::NoKey));
        let twice = format!(r#"{{"keys":[{},{}]}}"#, jwk(""), jwk(r#","exp":1"#));
        assert_eq!(read(&twice), Err(Unusable::Twice));
        for nothing in ["", "\n# nothing\n", r#"{"keys":[]}"#] {
            assert_eq!(read(nothing), Err(Unusable::Empty));
        }
    }

    #[test]
    fn no_key_signs_both() {
        let pinned = || vec![unlimited(keys()[0], None)];
        assert_eq!(PinnedKeys::new(pinned(), pinned()), Err(Unusable::BothPurposes));
        assert_eq!(PinnedKeys::new(pinned(), vec![]), Err(Unusable::Empty));
    }

    #[test]
    fn a_key_is_valid_in_its_time() {
        let more = r#","nbf":10,"exp":20,"revoked":{"revoked_at":15,"reason":"superseded"}"#;
        let validity = read(&jwk(more)).expect("a key")[0].validity;
        for (at, is_valid) in [(9_999, false), (10_000, true), (14_999, true), (15_000, false)] {
            assert_eq!(validity.holds_at(Time::from_millis(at)), is_valid, "{at}");
        }
        let revoked = read(&jwk(r#","revoked":{"reason":"compromised"}"#)).expect("a key");
        assert!(!revoked[0].validity.holds_at(Time::from_millis(0)));
    }
}
