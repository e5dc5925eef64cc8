//! The keys that packets and heads of logs are signed with: their seeds are in the keyring, and each
//! is introduced, retired and revoked by events on the platform's stream. Where one takes another's
//! place, both sign that it does (`rotation.rs`).

use ed25519_dalek::Signer as _;
use events::platform::{Command, KeyId, Platform, Purpose, SigningKey};
use events::stream::Stream;
use events::time::Time;
use secrecy::ExposeSecret as _;

use crate::App;
use crate::execute::{self, Done, Order};
use crate::failure::{Failure, fails_with};
use crate::keyring;
use crate::public_key::{NoteKey, PublicKey};

pub(crate) mod rotation;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no key signs now")]
    NoKey(Purpose),
    #[error("the key {0} is not in the keyring")]
    Lost(KeyId),
    #[error(transparent)]
    Failed(#[from] Failure),
}

fails_with!(Error, Error::Failed: keyring::Error, crate::event_log::ReadError);

/// A key that signs.
pub(crate) struct Active {
    pub(crate) key_id: KeyId,
    key: ed25519_dalek::SigningKey,
}

impl Active {
    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }

    fn public(&self) -> PublicKey {
        PublicKey::from(self.key.verifying_key())
    }

    /// Under the name that it signs notes with.
    pub(crate) fn named(&self, name: &str) -> NoteKey {
        NoteKey { name: name.to_owned(), key: self.public() }
    }
}

/// The key that signs for this purpose now.
pub(crate) async fn active(app: &App, purpose: Purpose) -> Result<Active, Error> {
    let entry = app.platform.current(&app.log, Stream::Platform).await?;
    let key_id = entry.read().state.active_key(purpose).map(|key| key.key_id.clone());
    let key_id = key_id.ok_or(Error::NoKey(purpose))?;
    let Some(seed) = app.keyring.signing_key(&key_id).await? else {
        return Err(Error::Lost(key_id));
    };
    let key = ed25519_dalek::SigningKey::from_bytes(seed.expose_secret());
    Ok(Active { key_id, key })
}

/// Draws a key and keeps its seed, before anybody hears of it.
async fn drawn(app: &App) -> Result<Active, keyring::Error> {
    let seed = zeroize::Zeroizing::new(keyring::random()?);
    let key = ed25519_dalek::SigningKey::from_bytes(&seed);
    let key_id = PublicKey::from(key.verifying_key()).id();
    app.keyring.add_signing_key(&key_id, &seed).await?;
    Ok(Active { key_id, key })
}

/// Introduces the first key of each purpose. Of nodes that start at once one does.
pub(crate) async fn introduce_first(app: &App) -> Result<(), execute::Error> {
    let entry = app.platform.current(&app.log, Stream::Platform).await?;
    for purpose in Purpose::ALL {
        if entry.read().state.active_key(purpose).is_none() {
            let public_key = drawn(app).await?.public().base64url();
            let order = execute::fresh_order(app, events::recorded::Actor::System);
            let command = Command::IntroduceFirstKey { purpose, public_key };
            execute::platform::order(app, &order, &command, |_| ()).await?;
        }
    }
    Ok(())
}

/// Puts a new key in the place of the one that signs, which stays published. One that is not in the
/// keyring any more is replaced, too, but cannot say so itself.
pub(crate) async fn rotate(
    app: &App,
    order: &Order,
    purpose: Purpose,
) -> Result<Done<Vec<SigningKey>>, execute::Error> {
    let new = drawn(app).await?;
    let rotation = match active(app, purpose).await {
        Ok(old) => Some(rotation::signed(&app.origin, purpose, &old, &new, app.clock.now())),
        Err(Error::NoKey(_) | Error::Lost(_)) => {
            tracing::warn!(?purpose, "no key is there that could sign for the one after it");
            None
        }
        Err(Error::Failed(failure)) => return Err(failure.into()),
    };
    let public_key = new.public().base64url();
    let command = Command::IntroduceKey { purpose, public_key, rotation };
    execute::platform::order(app, order, &command, known).await
}

/// Says that what a key has signed from some time on is not to be believed. Its word for the key after
/// it would be worth nothing, so there is none: that key is to be pinned by another way.
pub(crate) async fn revoke(
    app: &App,
    order: &Order,
    key_id: KeyId,
    compromised_since: Time,
) -> Result<Done<Vec<SigningKey>>, execute::Error> {
    let successor = drawn(app).await?.public().base64url();
    let command = Command::RevokeKey { key_id, compromised_since, successor };
    execute::platform::order(app, order, &command, known).await
}

fn known(platform: &Platform) -> Vec<SigningKey> {
    platform.keys().to_vec()
}

/// Every key there ever was, oldest first.
pub(crate) async fn all(app: &App) -> Result<Vec<SigningKey>, Failure> {
    let entry = app.platform.current(&app.log, Stream::Platform).await?;
    let keys = known(&entry.read().state);
    Ok(keys)
}
