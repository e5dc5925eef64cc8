//! The word of a key for the one that takes its place: an in-toto statement in a DSSE envelope with
//! two signatures, one by each. Whoever has pinned the old key can so accept the new one; that the
//! new one signs, too, shows that whoever rotated had it. It is made once and kept in the log.

use events::platform::{KeyId, Purpose, Rotation};
use events::time::Time;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Active;
use crate::dsse::{self, Envelope, Signature};
use crate::packet::content::hex;
use crate::packet::statement::STATEMENT_TYPE;
use crate::public_key::PublicKey;

/// Behind the issuer's address.
pub(crate) const PREDICATE: &str = "/key-rotation/v1";

pub(super) fn signed(
    origin: &str,
    purpose: Purpose,
    old: &Active,
    new: &Active,
    at: Time,
) -> Rotation {
    let statement = statement(origin, purpose, &old.public(), &new.public(), at);
    let payload = serde_json_canonicalizer::to_vec(&statement).expect("strings are JSON");
    Rotation {
        from: old.key_id.clone(),
        signed_by_old: dsse::signature(&payload, |text| old.sign(text)),
        signed_by_new: dsse::signature(&payload, |text| new.sign(text)),
        payload: dsse::encoded(&payload),
    }
}

fn statement(origin: &str, purpose: Purpose, old: &PublicKey, new: &PublicKey, at: Time) -> Value {
    json!({
        "_type": STATEMENT_TYPE,
        "predicateType": format!("https://{origin}{PREDICATE}"),
        "subject": [{
            "name": format!("{}.pem", new.id()),
            "digest": { "sha256": hex(&Sha256::digest(new.pem())) },
        }],
        "predicate": {
            "schema_version": "1.0.0",
            "issuer": origin,
            "purpose": purpose.as_str(),
            "rotated_at": at,
            "old": jwk(old),
            "new": jwk(new),
        },
    })
}

fn jwk(key: &PublicKey) -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": key.base64url(), "kid": key.id() })
}

/// As it is published; `to` is the key that takes the place.
pub(crate) fn envelope(rotation: &Rotation, to: &KeyId) -> Envelope {
    let signature =
        |by: &KeyId, sig: &str| Signature { keyid: by.to_string(), sig: sig.to_owned() };
    Envelope {
        payload: rotation.payload.clone(),
        payload_type: dsse::PAYLOAD_TYPE.to_owned(),
        signatures: vec![
            signature(&rotation.from, &rotation.signed_by_old),
            signature(to, &rotation.signed_by_new),
        ],
    }
}
