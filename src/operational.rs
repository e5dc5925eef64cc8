//! What is neither fact nor secret: the bodies of keyed commands, how far reactions have come,
//! from where sessions and when tokens were last used, which mails wait, and
//! which connections are held open.

use std::path::Path;

use events::id::{AccountId, CommandId, EventId, PacketId, SessionId, TokenId};
use events::recorded::{BodyMac, Position};
use events::stream::Stream;
use events::time::Time;

use crate::fold::Told;

pub(crate) mod connection;
mod postgres;
mod sqlite;

#[derive(Debug, thiserror::Error)]
#[error("the operational state cannot be reached")]
pub(crate) struct Error(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Error {
    fn unavailable(cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Box::new(cause))
    }
}

/// A session's last use, its personal values sealed.
pub(crate) struct KeptActivity {
    pub(crate) session: SessionId,
    pub(crate) account: AccountId,
    pub(crate) used_at: Time,
    pub(crate) device: Option<Vec<u8>>,
    pub(crate) ip_address: Option<Vec<u8>>,
}

/// One file of a packet.
#[derive(Clone)]
pub(crate) struct KeptFile {
    pub(crate) name: String,
    pub(crate) body: Vec<u8>,
}

/// A mail that the mail server has put off.
pub(crate) struct DeferredMail {
    pub(crate) event: EventId,
    pub(crate) position: Position,
    /// How often it was tried.
    pub(crate) attempts: u32,
}

/// Mails tried again at once.
const DUE_MAILS: u32 = 100;

pub(crate) enum Operational {
    Sqlite(sqlite::State),
    Postgres(postgres::State),
}

impl Operational {
    pub(crate) fn sqlite(path: &Path) -> Result<Self, Error> {
        sqlite::State::open(path).map(Self::Sqlite)
    }

    /// The state in a file, for who only reads it, also beside the server.
    pub(crate) fn sqlite_to_read(path: &Path) -> Result<Self, Error> {
        sqlite::State::to_read(path).map(Self::Sqlite)
    }

    pub(crate) fn postgres(pool: sqlx::PgPool) -> Self {
        Self::Postgres(postgres::State::new(pool))
    }

    /// Remembers with which body a command came first, and gives that body's MAC.
    pub(crate) async fn first_body(
        &self,
        command: CommandId,
        body: BodyMac,
    ) -> Result<BodyMac, Error> {
        match self {
            Self::Sqlite(state) => state.first_body(command, body).await,
            Self::Postgres(state) => state.first_body(command, body).await,
        }
    }

    /// The MAC of the body with which a command came first, if it was remembered.
    pub(crate) async fn known_body(&self, command: CommandId) -> Result<Option<BodyMac>, Error> {
        match self {
            Self::Sqlite(state) => state.known_body(command),
            Self::Postgres(state) => state.known_body(command).await,
        }
    }

    /// Remembers that a command found nothing to change on a stream, and where the stream stood:
    /// no event can say so.
    pub(crate) async fn remember_unchanged(
        &self,
        command: CommandId,
        stream: &Stream,
        told: Told,
    ) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.remember_unchanged(command, stream, told).await,
            Self::Postgres(state) => state.remember_unchanged(command, stream, told).await,
        }
    }

    /// What a command was told that found nothing to change on a stream.
    pub(crate) async fn unchanged(
        &self,
        command: CommandId,
        stream: &Stream,
    ) -> Result<Option<Told>, Error> {
        match self {
            Self::Sqlite(state) => state.unchanged(command, stream),
            Self::Postgres(state) => state.unchanged(command, stream).await,
        }
    }

    /// How far a reaction has come; position 0 before its first event.
    pub(crate) async fn cursor(&self, name: &str) -> Result<Position, Error> {
        match self {
            Self::Sqlite(state) => state.cursor(name),
            Self::Postgres(state) => state.cursor(name).await,
        }
    }

    /// Keeps what a packet is made of, unless it was made before: then the first stays.
    pub(crate) async fn keep_packet(
        &self,
        packet: PacketId,
        key_id: String,
        files: Vec<KeptFile>,
    ) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.keep_packet(packet, key_id, files).await,
            Self::Postgres(state) => state.keep_packet(packet, key_id, files).await,
        }
    }

    /// With which key a packet was signed; `None` when it is not made yet.
    pub(crate) async fn packet_key(&self, packet: PacketId) -> Result<Option<String>, Error> {
        match self {
            Self::Sqlite(state) => state.packet_key(packet),
            Self::Postgres(state) => state.packet_key(packet).await,
        }
    }

    /// Every packet that was made.
    pub(crate) async fn packets(&self) -> Result<Vec<PacketId>, Error> {
        match self {
            Self::Sqlite(state) => state.packets(),
            Self::Postgres(state) => state.packets().await,
        }
    }

    pub(crate) async fn packet_file(
        &self,
        packet: PacketId,
        name: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Sqlite(state) => state.packet_file(packet, name),
            Self::Postgres(state) => state.packet_file(packet, name).await,
        }
    }

    /// Milliseconds by which tests have moved the clock ahead of the machine's.
    pub(crate) async fn clock_ahead(&self) -> Result<i64, Error> {
        match self {
            Self::Sqlite(state) => state.clock_ahead(),
            Self::Postgres(state) => state.clock_ahead().await,
        }
    }

    /// Moves the clock ahead by so many milliseconds, unless it is farther already; gives how far
    /// it is then.
    pub(crate) async fn move_clock(&self, ahead: i64) -> Result<i64, Error> {
        match self {
            Self::Sqlite(state) => state.move_clock(ahead).await,
            Self::Postgres(state) => state.move_clock(ahead).await,
        }
    }

    pub(crate) async fn move_cursor(&self, name: &str, to: Position) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.move_cursor(name, to).await,
            Self::Postgres(state) => state.move_cursor(name, to).await,
        }
    }

    /// Keeps each session's last use, unless a later one is kept.
    pub(crate) async fn keep_activity(&self, activity: Vec<KeptActivity>) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.keep_activity(activity).await,
            Self::Postgres(state) => state.keep_activity(activity).await,
        }
    }

    pub(crate) async fn activity_of(
        &self,
        accounts: &[AccountId],
    ) -> Result<Vec<KeptActivity>, Error> {
        match self {
            Self::Sqlite(state) => state.activity_of(accounts),
            Self::Postgres(state) => state.activity_of(accounts).await,
        }
    }

    /// Removes what is older.
    pub(crate) async fn forget_activity(&self, before: Time) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.forget_activity(before).await,
            Self::Postgres(state) => state.forget_activity(before).await,
        }
    }

    /// Keeps when each token was last used, unless a later use is kept.
    pub(crate) async fn keep_token_uses(&self, uses: &[(TokenId, Time)]) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.keep_token_uses(uses.to_vec()).await,
            Self::Postgres(state) => state.keep_token_uses(uses).await,
        }
    }

    /// Tokens that were never used are left out.
    pub(crate) async fn token_uses(
        &self,
        tokens: &[TokenId],
    ) -> Result<Vec<(TokenId, Time)>, Error> {
        match self {
            Self::Sqlite(state) => state.token_uses(tokens),
            Self::Postgres(state) => state.token_uses(tokens).await,
        }
    }

    /// Removes what is known of one account's sessions.
    pub(crate) async fn forget_activity_of(&self, account: AccountId) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.forget_activity_of(account).await,
            Self::Postgres(state) => state.forget_activity_of(account).await,
        }
    }

    pub(crate) async fn defer_mail(&self, mail: DeferredMail, due_at: Time) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.defer_mail(mail, due_at).await,
            Self::Postgres(state) => state.defer_mail(mail, due_at).await,
        }
    }

    /// Writes down that a mail will never be delivered, and why.
    pub(crate) async fn refuse_mail(
        &self,
        event: EventId,
        position: Position,
        refusal: &str,
    ) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.refuse_mail(event, position, refusal).await,
            Self::Postgres(state) => state.refuse_mail(event, position, refusal).await,
        }
    }

    /// The mails that were put off until now, the earliest first.
    pub(crate) async fn due_mails(&self, now: Time) -> Result<Vec<DeferredMail>, Error> {
        match self {
            Self::Sqlite(state) => state.due_mails(now),
            Self::Postgres(state) => state.due_mails(now).await,
        }
    }

    /// How many mails are put off.
    pub(crate) async fn waiting_mails(&self) -> Result<u64, Error> {
        match self {
            Self::Sqlite(state) => state.waiting_mails(),
            Self::Postgres(state) => state.waiting_mails().await,
        }
    }

    pub(crate) async fn mail_is_done(&self, event: EventId) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.mail_is_done(event).await,
            Self::Postgres(state) => state.mail_is_done(event).await,
        }
    }
}
