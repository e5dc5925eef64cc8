//! DSSE 1.0.2: signs bytes as they are, so that nobody who verifies must know a canonical form.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use events::platform::KeyId;
use serde::{Deserialize, Serialize};

use crate::public_key::PublicKey;

/// What the payload is: an in-toto statement.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// Others may write base64 with or without padding, in either alphabet.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const EITHER: [GeneralPurpose; 2] = [
    GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT),
    GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT),
];

/// As it is written: padded standard base64, one signature for each key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    pub(crate) payload: String,
    #[serde(rename = "payloadType")]
    pub(crate) payload_type: String,
    pub(crate) signatures: Vec<Signature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature {
    /// A hint which key to try; never a reason to believe anything.
    #[serde(default)]
    pub(crate) keyid: String,
    pub(crate) sig: String,
}

/// The bytes that are signed: the type and the payload, each with its length.
pub(crate) fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

impl Envelope {
    /// `sign` makes the 64 bytes of an Ed25519 signature.
    pub(crate) fn seal(payload: &[u8], key_id: &KeyId, sign: impl Fn(&[u8]) -> [u8; 64]) -> Self {
        let sig = signature(payload, sign);
        Self {
            payload: STANDARD.encode(payload),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: vec![Signature { keyid: key_id.to_string(), sig }],
        }
    }

    pub(crate) fn payload(&self) -> Option<Vec<u8>> {
        decoded(&self.payload)
    }

    /// The payload and the first of these keys that signed it. Every key is tried on every
    /// signature: the hint decides nothing.
    pub(crate) fn open<'a>(
        &self,
        keys: impl IntoIterator<Item = &'a PublicKey>,
    ) -> Option<(Vec<u8>, &'a PublicKey)> {
        if self.payload_type != PAYLOAD_TYPE {
            return None;
        }
        let payload = self.payload()?;
        let message = signed_bytes(&self.payload_type, &payload);
        let signatures: Vec<_> = self.signatures.iter().filter_map(|it| decoded(&it.sig)).collect();
        let signed_by = |key: &&PublicKey| signatures.iter().any(|it| key.verifies(&message, it));
        let key = keys.into_iter().find(signed_by)?;
        Some((payload, key))
    }
}

/// Of a statement, as an envelope holds it. `sign` makes the 64 bytes of an Ed25519 signature.
pub(crate) fn signature(payload: &[u8], sign: impl Fn(&[u8]) -> [u8; 64]) -> String {
    STANDARD.encode(sign(&signed_bytes(PAYLOAD_TYPE, payload)))
}

/// Of a statement, as an envelope holds it.
pub(crate) fn encoded(payload: &[u8]) -> String {
    STANDARD.encode(payload)
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    EITHER.iter().find_map(|alphabet| alphabet.decode(text).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_bytes_are_those_of_the_protocol() {
        let signed = signed_bytes("http://example.com/HelloWorld", b"hello world");
        assert_eq!(signed, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
