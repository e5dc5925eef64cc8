//! The seeds of signing keys, wrapped like every other key.

use events::platform::KeyId;
use secrecy::SecretBox;

use super::sealed_box::{open_bytes, seal_bytes};
use super::{Error, Key, Keyring};

impl Keyring {
    /// Keeps the seed of a signing key; durable when this returns.
    pub(crate) async fn add_signing_key(&self, id: &KeyId, seed: &[u8; 32]) -> Result<(), Error> {
        let name = signing_key(id);
        let wrapped = seal_bytes(self.master.expose(), name.as_bytes(), seed);
        self.store.add_named_key(&name, wrapped).await.map(drop)
    }

    /// The seed of a signing key; `None` when it is not here.
    pub(crate) async fn signing_key(&self, id: &KeyId) -> Result<Option<Key>, Error> {
        let name = signing_key(id);
        let Some(wrapped) = self.store.named_key(&name).await? else { return Ok(None) };
        let seed = open_bytes(self.master.expose(), name.as_bytes(), &wrapped)
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or(Error::WrongMasterKey)?;
        Ok(Some(SecretBox::new(Box::new(seed))))
    }
}

fn signing_key(id: &KeyId) -> String {
    format!("signing {id}")
}
