//! What is neither fact nor secret: the bodies of keyed commands, and how far reactions have come.

use std::path::Path;

use events::id::CommandId;
use events::recorded::{BodyMac, Position};
use events::stream::Stream;

use crate::fold::Told;

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

pub(crate) enum Operational {
    Sqlite(sqlite::State),
    Postgres(postgres::State),
}

impl Operational {
    pub(crate) fn sqlite(path: &Path) -> Result<Self, Error> {
        sqlite::State::open(path).map(Self::Sqlite)
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
    pub(crate) async fn cursor(&self, name: &'static str) -> Result<Position, Error> {
        match self {
            Self::Sqlite(state) => state.cursor(name),
            Self::Postgres(state) => state.cursor(name).await,
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

    pub(crate) async fn move_cursor(&self, name: &'static str, to: Position) -> Result<(), Error> {
        match self {
            Self::Sqlite(state) => state.move_cursor(name, to).await,
            Self::Postgres(state) => state.move_cursor(name, to).await,
        }
    }
}
