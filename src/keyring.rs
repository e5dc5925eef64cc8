//! Keys: one for each subject's personal values, and one from which command ids, salts and MACs are
//! derived (keyed BLAKE3). All are wrapped by the master key, which stays outside the database.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use events::id::{CommandId, EventId, SubjectId};
use events::personal::{self, Disclosure, Opened, Personal, Sealed};
use events::recorded::BodyMac;
use events::stream::Stream;
use events::wire::SealedField;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;
use uuid::Uuid;

use crate::address::Address;
use crate::link_secret::{LinkSecret, Purpose};

mod master;
mod opened_keys;
mod postgres;
mod sealed_box;
mod signing;
mod sqlite;
mod subject_key;

pub(crate) use master::MasterKey;
use opened_keys::{FORGOTTEN_WITHIN, OpenedKey, OpenedKeys};
use sealed_box::{open_bytes, place, seal_bytes};
use subject_key::SubjectKey;

const ROOT: &str = "root";

pub(crate) type Key = SecretBox<[u8; 32]>;

/// Where the wrapped keys are kept.
pub(crate) enum Store {
    Sqlite(sqlite::Keys),
    Postgres(postgres::Keys),
}

impl Store {
    pub(crate) fn sqlite(path: &Path) -> Result<Self, Error> {
        sqlite::Keys::open(path).map(Self::Sqlite)
    }

    pub(crate) fn postgres(pool: sqlx::PgPool) -> Self {
        Self::Postgres(postgres::Keys::new(pool))
    }

    pub(crate) async fn is_empty(&self) -> Result<bool, Error> {
        Ok(self.named_key(ROOT).await?.is_none())
    }

    async fn named_key(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Sqlite(keys) => keys.named_key(name),
            Self::Postgres(keys) => keys.named_key(name).await,
        }
    }

    /// Keeps the key that was there first, and gives it.
    async fn add_named_key(&self, name: &str, wrapped: Vec<u8>) -> Result<Vec<u8>, Error> {
        match self {
            Self::Sqlite(keys) => keys.add_named_key(name, wrapped).await,
            Self::Postgres(keys) => keys.add_named_key(name, wrapped).await,
        }
    }

    async fn subject_key(&self, subject: SubjectId) -> Result<WrappedKey, Error> {
        match self {
            Self::Sqlite(keys) => keys.subject_key(subject),
            Self::Postgres(keys) => keys.subject_key(subject).await,
        }
    }

    /// Keeps what was there first; durable when this returns.
    async fn add_subject_key(&self, subject: SubjectId, wrapped: Vec<u8>) -> Result<(), Error> {
        match self {
            Self::Sqlite(keys) => keys.add_subject_key(subject, wrapped).await,
            Self::Postgres(keys) => keys.add_subject_key(subject, wrapped).await,
        }
    }

    async fn subject_of(&self, mac: [u8; 32]) -> Result<Option<SubjectId>, Error> {
        match self {
            Self::Sqlite(keys) => keys.subject_of(mac),
            Self::Postgres(keys) => keys.subject_of(mac).await,
        }
    }

    /// Leaves of each key that it was destroyed, and of the addresses nothing. Durable when this
    /// returns. Keys were then destroyed once more, or as many `times` if that is more.
    async fn destroy(&self, subjects: &[SubjectId], times: u64) -> Result<(), Error> {
        match self {
            Self::Sqlite(keys) => keys.destroy(subjects, times).await,
            Self::Postgres(keys) => keys.destroy(subjects, times).await,
        }
    }

    async fn destructions(&self) -> Result<u64, Error> {
        match self {
            Self::Sqlite(keys) => keys.destructions(),
            Self::Postgres(keys) => keys.destructions().await,
        }
    }

    /// Whether other nodes use it, too.
    fn is_shared(&self) -> bool {
        match self {
            Self::Sqlite(_) => false,
            Self::Postgres(_) => true,
        }
    }

    /// Keeps the subject that was there first, and gives it; its key is added with it.
    async fn add_subject(
        &self,
        mac: [u8; 32],
        subject: SubjectId,
        wrapped: Vec<u8>,
    ) -> Result<SubjectId, Error> {
        match self {
            Self::Sqlite(keys) => keys.add_subject(mac, subject, wrapped).await,
            Self::Postgres(keys) => keys.add_subject(mac, subject, wrapped).await,
        }
    }
}

/// What the store knows of a subject's key.
enum WrappedKey {
    Unknown,
    Destroyed,
    There(Vec<u8>),
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("the keyring cannot be reached")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the master key does not open this keyring; start with the key it was made with")]
    WrongMasterKey,
    #[error("the keyring is empty, but the log is not; put back the one they were made with")]
    Lost,
    #[error("the key of {0} does not open with the master key")]
    Damaged(SubjectId),
    #[error("the key of {0} is destroyed; nothing personal can be recorded for it")]
    Destroyed(SubjectId),
    #[error("the system gives no random bytes")]
    Random(#[source] getrandom::Error),
    #[error(transparent)]
    Master(#[from] master::Error),
}

impl Error {
    fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Unavailable(Box::new(cause))
    }
}

pub(crate) struct Keyring {
    store: Store,
    master: MasterKey,
    log_id: Uuid,
    derivation: Key,
    addresses: Key,
    bodies: Key,
    links: Key,
    opened: OpenedKeys,
    /// Values that could not be opened for want of the right key.
    missing: AtomicU64,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}

/// 32 bytes of the system's randomness.
pub(crate) fn random() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(Error::Random)?;
    Ok(bytes)
}

impl Keyring {
    /// Opens the keyring with the master key; a wrong key is refused here, before anything runs.
    /// Only an installation in which nothing was ever written gets a fresh one.
    pub(crate) async fn open(
        store: Store,
        master: MasterKey,
        nothing_written: bool,
    ) -> Result<Self, Error> {
        let wrapped = match store.named_key(ROOT).await? {
            Some(wrapped) => wrapped,
            None if !nothing_written => return Err(Error::Lost),
            None => {
                let fresh = seal_bytes(master.expose(), ROOT.as_bytes(), &random()?);
                store.add_named_key(ROOT, fresh).await?
            }
        };
        let root = open_bytes(master.expose(), ROOT.as_bytes(), &wrapped)
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .ok_or(Error::WrongMasterKey)?;
        let derived = |purpose| SecretBox::new(Box::new(blake3::derive_key(purpose, &root)));
        Ok(Self {
            derivation: derived("chancery 2026 ids, salts and secrets of commands"),
            addresses: derived("chancery 2026 address mac"),
            bodies: derived("chancery 2026 request body mac"),
            links: derived("chancery 2026 link secrets"),
            store,
            master,
            log_id: Uuid::nil(),
            opened: OpenedKeys::new(),
            missing: AtomicU64::new(0),
        })
    }

    /// 256 bits that only this keyring can derive from these parts, always the same.
    pub(crate) fn derive(&self, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
        keyed(&self.derivation, purpose, parts)
    }

    /// The salt of one personal field of an event, the same whenever its command is repeated.
    pub(crate) fn salt(&self, event: EventId, field: &str) -> [u8; 16] {
        let long = self.derive("salt", &[event.0.as_bytes(), field.as_bytes()]);
        std::array::from_fn(|place| long[place])
    }

    /// The id of a command that its caller named by a key within a scope.
    pub(crate) fn command(&self, scope: &[&[u8]]) -> CommandId {
        CommandId(self.derived_uuid("command", scope))
    }

    /// An id, version 8, that follows from a command.
    pub(crate) fn id_of(&self, command: CommandId, what: &str) -> Uuid {
        self.derived_uuid(what, &[command.0.as_bytes()])
    }

    fn derived_uuid(&self, purpose: &str, parts: &[&[u8]]) -> Uuid {
        let long = self.derive(purpose, parts);
        Uuid::new_v8(std::array::from_fn(|place| long[place]))
    }

    pub(crate) fn body_mac(&self, body: &[u8]) -> BodyMac {
        BodyMac(keyed(&self.bodies, "body", &[body]))
    }

    /// The secret of the `issue`-th link that something was given for a purpose: the same whenever
    /// and wherever the mail is made.
    pub(crate) fn link_secret(&self, purpose: Purpose, id: Uuid, issue: u64) -> LinkSecret {
        let mut mac = <Hmac<Sha256> as hmac::KeyInit>::new_from_slice(self.links.expose_secret())
            .expect("HMAC takes keys of any length");
        // id and number have a fixed length, so nothing can be read in two ways
        for part in [purpose.as_bytes(), id.as_bytes(), &issue.to_be_bytes()] {
            mac.update(part);
        }
        LinkSecret::of_bits(&mac.finalize().into_bytes().into())
    }

    fn address_mac(&self, address: &Address) -> [u8; 32] {
        keyed(&self.addresses, "address", &[address.as_str().as_bytes()])
    }

    /// Who or what a caller without an account is, for the scope of an idempotency key.
    pub(crate) fn principal_of(&self, address: &Address) -> [u8; 32] {
        keyed(&self.addresses, "principal", &[address.as_str().as_bytes()])
    }

    pub(crate) async fn subject_of(&self, address: &Address) -> Result<Option<SubjectId>, Error> {
        self.store.subject_of(self.address_mac(address)).await
    }

    /// The subject that stands for an address; made, with its key, when there is none.
    pub(crate) async fn subject_for(&self, address: &Address) -> Result<SubjectId, Error> {
        if let Some(subject) = self.subject_of(address).await? {
            return Ok(subject);
        }
        let bits = random()?;
        let subject = SubjectId(Uuid::new_v8(std::array::from_fn(|place| bits[place])));
        let wrapped = self.wrap_fresh_key(subject)?;
        self.store.add_subject(self.address_mac(address), subject, wrapped).await
    }

    fn wrap_fresh_key(&self, subject: SubjectId) -> Result<Vec<u8>, Error> {
        Ok(seal_bytes(self.master.expose(), subject.0.as_bytes(), &random()?))
    }

    async fn opened(&self, subject: SubjectId) -> Result<Option<OpenedKey>, Error> {
        let open = async || {
            Ok(match self.store.subject_key(subject).await? {
                WrappedKey::Unknown => None,
                WrappedKey::Destroyed => Some(OpenedKey::Destroyed),
                WrappedKey::There(wrapped) => {
                    let key = open_bytes(self.master.expose(), subject.0.as_bytes(), &wrapped)
                        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
                        .ok_or(Error::Damaged(subject))?;
                    Some(OpenedKey::There(Arc::new(SubjectKey::new(key))))
                }
            })
        };
        self.opened.get(&self.store, subject, open).await
    }

    /// Destroys the keys of these subjects: what was sealed under them can be read no more, and
    /// the addresses that they stood for stand for nobody. When this returns it is so on every node.
    pub(crate) async fn destroy(&self, subjects: &[SubjectId]) -> Result<(), Error> {
        self.store.destroy(subjects, 0).await?;
        self.opened.forget(subjects);
        if self.store.is_shared() {
            tokio::time::sleep(FORGOTTEN_WITHIN).await;
        }
        Ok(())
    }

    /// Takes it as known that keys were destroyed so often.
    pub(crate) async fn count_destructions(&self, times: u64) -> Result<(), Error> {
        self.store.destroy(&[], times).await
    }

    /// How often keys were destroyed: less than it was in a keyring that is an older copy.
    pub(crate) async fn destructions(&self) -> Result<u64, Error> {
        self.store.destructions().await
    }

    /// Whether a subject's key was destroyed on purpose.
    pub(crate) async fn is_destroyed(&self, subject: SubjectId) -> Result<bool, Error> {
        Ok(matches!(self.opened(subject).await?, Some(OpenedKey::Destroyed)))
    }

    /// How often a value could not be opened because its key is missing, since the start.
    pub(crate) fn missing(&self) -> u64 {
        self.missing.load(Ordering::Relaxed)
    }

    /// A key that is not there though nobody destroyed it: an alarm.
    fn missed(&self, subject: SubjectId) -> Opened {
        self.missing.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%subject, "the key of a personal value is missing, or does not open it");
        Opened::KeyMissing
    }

    /// Seals what stands beside a line. The keys it needs are durable when this returns.
    pub(crate) async fn seal(
        &self,
        event: EventId,
        disclosures: &[Disclosure],
    ) -> Result<Vec<SealedField<'static>>, Error> {
        let mut fields = Vec::with_capacity(disclosures.len());
        for Disclosure { subject, field, text } in disclosures {
            let opened = match self.opened(*subject).await? {
                Some(opened) => opened,
                None => {
                    let fresh = self.wrap_fresh_key(*subject)?;
                    self.store.add_subject_key(*subject, fresh).await?;
                    self.opened(*subject).await?.ok_or(Error::Damaged(*subject))?
                }
            };
            let OpenedKey::There(subject_key) = opened else {
                return Err(Error::Destroyed(*subject));
            };
            let place = place(self.log_id, event, field);
            let sealed = seal_bytes(subject_key.expose(), &place, text.as_bytes());
            fields.push(SealedField {
                field: (*field).into(),
                subject: *subject,
                sealed_box: events::wire::base64url(&sealed).into(),
            });
        }
        Ok(fields)
    }

    /// The key that a value is sealed under, or what the value reads as without it.
    async fn key_of(
        &self,
        sealed: &Sealed,
    ) -> Result<std::result::Result<Arc<SubjectKey>, Opened>, Error> {
        match self.opened(sealed.subject).await {
            Ok(Some(OpenedKey::There(subject_key))) => Ok(Ok(subject_key)),
            Ok(Some(OpenedKey::Destroyed)) => Ok(Err(Opened::Erased)),
            Ok(None) | Err(Error::Damaged(_)) => Ok(Err(self.missed(sealed.subject))),
            Err(error) => Err(error),
        }
    }

    fn disclosure(&self, subject_key: &SubjectKey, sealed: &Sealed) -> Option<String> {
        let place = place(self.log_id, sealed.event, &sealed.field);
        events::wire::from_base64url(&sealed.sealed_box)
            .and_then(|bytes| open_bytes(subject_key.expose(), &place, &bytes))
            .and_then(|bytes| String::from_utf8(bytes).ok())
    }

    /// Opens a sealed value. A key that is missing, or does not fit, is told apart from one that
    /// was destroyed.
    pub(crate) async fn open_value(&self, sealed: &Sealed) -> Result<Opened, Error> {
        let subject_key = match self.key_of(sealed).await? {
            Ok(subject_key) => subject_key,
            Err(opened) => return Ok(opened),
        };
        if let Some(value) = subject_key.opened_before(sealed) {
            return Ok(Opened::Known(value));
        }
        let value = self
            .disclosure(&subject_key, sealed)
            .and_then(|disclosure| personal::value_of(&disclosure, &sealed.field));
        if let Some(value) = &value {
            subject_key.keep(sealed, value);
        }
        Ok(value.map_or_else(|| self.missed(sealed.subject), Opened::Known))
    }

    /// Opens a sealed value with its salt and its name: what the line's digest is of (RFC 9901).
    pub(crate) async fn open_disclosure(&self, sealed: &Sealed) -> Result<Opened, Error> {
        Ok(match self.key_of(sealed).await? {
            Ok(subject_key) => {
                let disclosure = self.disclosure(&subject_key, sealed);
                disclosure.map_or_else(|| self.missed(sealed.subject), Opened::Known)
            }
            Err(opened) => opened,
        })
    }

    /// Seals a personal value that stands in no event; `place` says where it stands. `None` when the
    /// subject's key is destroyed, or was never made.
    pub(crate) async fn seal_text(
        &self,
        subject: SubjectId,
        place: &[u8],
        text: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let Some(OpenedKey::There(key)) = self.opened(subject).await? else { return Ok(None) };
        let place = [self.log_id.as_bytes(), place].concat();
        Ok(Some(seal_bytes(key.expose(), &place, text.as_bytes())))
    }

    /// Opens what [`Self::seal_text`] has sealed for this place.
    pub(crate) async fn open_text(
        &self,
        subject: SubjectId,
        place: &[u8],
        sealed: &[u8],
    ) -> Result<Opened, Error> {
        let key = match self.opened(subject).await {
            Ok(Some(OpenedKey::There(key))) => key,
            Ok(Some(OpenedKey::Destroyed)) => return Ok(Opened::Erased),
            Ok(None) | Err(Error::Damaged(_)) => return Ok(self.missed(subject)),
            Err(error) => return Err(error),
        };
        let place = [self.log_id.as_bytes(), place].concat();
        let text = open_bytes(key.expose(), &place, sealed)
            .and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.map_or_else(|| self.missed(subject), Opened::Known))
    }

    /// Brings a value that came from an earlier event into the clear, to be recorded once more.
    /// What cannot be opened any more becomes absent.
    pub(crate) async fn reveal(&self, value: &mut Personal) -> Result<(), Error> {
        let Personal::Sealed(sealed) = &*value else { return Ok(()) };
        *value = match self.open_value(sealed).await? {
            Opened::Known(text) => Personal::known(sealed.subject, text),
            Opened::Erased | Opened::KeyMissing => Personal::Absent,
        };
        Ok(())
    }

    /// Binds everything that is sealed to one log.
    pub(crate) fn bound_to(self, log_id: Uuid) -> Self {
        Self { log_id, ..self }
    }

    /// The log whose events this keyring seals.
    pub(crate) fn log_id(&self) -> Uuid {
        self.log_id
    }

    /// The id of a command's `index`-th event on a stream.
    pub(crate) fn event_id(&self, command: CommandId, stream: &Stream, index: usize) -> EventId {
        EventId::of_command(self.log_id, command, stream, index)
    }
}

fn keyed(key: &Key, purpose: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new_keyed(key.expose_secret());
    // lengths keep ("ab", "c") and ("a", "bc") apart
    for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    *hasher.finalize().as_bytes()
}
