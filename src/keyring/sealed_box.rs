//! How anything is sealed: XChaCha20-Poly1305 under a nonce of its own, bound to its place.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use events::id::EventId;
use uuid::Uuid;

const NONCE: usize = 24;

/// What a box is bound to: it opens at its own place only.
pub(super) fn place(log_id: Uuid, event: EventId, field: &str) -> Vec<u8> {
    [log_id.as_bytes(), event.0.as_bytes(), field.as_bytes()].concat()
}

pub(super) fn seal_bytes(key: &[u8; 32], place: &[u8], plain: &[u8]) -> Vec<u8> {
    let bits = crate::random::bits(&[place, plain]);
    let nonce: [u8; NONCE] = std::array::from_fn(|place| bits[place]);
    let payload = Payload { msg: plain, aad: place };
    let boxed = XChaCha20Poly1305::new(key.into())
        .encrypt(&XNonce::from(nonce), payload)
        .expect("XChaCha20-Poly1305 fails only above 256 GiB");
    [nonce.as_slice(), &boxed].concat()
}

pub(super) fn open_bytes(key: &[u8; 32], place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, boxed) = sealed.split_first_chunk::<NONCE>()?;
    let payload = Payload { msg: boxed, aad: place };
    XChaCha20Poly1305::new(key.into()).decrypt(&XNonce::from(*nonce), payload).ok()
}
