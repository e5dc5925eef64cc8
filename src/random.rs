//! Random ids without a system call for each: BLAKE3 of a counter, under a key that the system drew
//! when the program started.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

static KEY: LazyLock<[u8; 32]> = LazyLock::new(|| {
    let mut key = [0; 32];
    getrandom::fill(&mut key).expect("a system without random bytes can keep nothing secret");
    key
});
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// 256 bits that nobody can foretell, different each time. `context` goes in too: even where a
/// whole machine was copied while it ran, two contexts never get the same bits.
pub(crate) fn bits(context: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(&KEY);
    hasher.update(&COUNTER.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    for part in context {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}

/// A random UUID (version 4).
pub(crate) fn uuid() -> Uuid {
    let bits = bits(&[]);
    let half = std::array::from_fn(|place| bits[place]);
    uuid::Builder::from_random_bytes(half).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let (one, other) = (uuid(), uuid());
        assert_ne!(one, other);
        assert_eq!(one.get_version_num(), 4);
    }
}
