//! Streams folded into what decisions and access checks need, kept in memory and caught up to the
//! stream's head each time they are used. A fold that cannot be caught up is never used.

use std::collections::HashMap;
use std::sync::{Arc, RwLock, RwLockReadGuard};

use events::State;
use events::chain::Link;
use events::id::CommandId;
use events::recorded::{BodyMac, Position, Recorded};
use events::stream::Stream;
use events::time::Time;
use quick_cache::sync::Cache;

use crate::event_log::{Cause, EventLog, Expected, ReadError, Stored};

/// Events read at once while a fold catches up.
const PAGE: usize = 1000;

/// A state with what the next line on its stream needs.
pub(crate) struct Folded<S> {
    pub(crate) state: S,
    /// How many events are folded in: the version the next one gets.
    count: u64,
    pub(crate) prev: Link,
    /// When the last event was recorded.
    pub(crate) at: Time,
    pub(crate) position: Position,
    commands: HashMap<CommandId, Told>,
}

/// What a command did to a stream when it came first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// Version of the last event it wrote.
    pub(crate) version: u64,
    pub(crate) position: Position,
    pub(crate) body: BodyMac,
}

impl<S: State> Default for Folded<S> {
    fn default() -> Self {
        Self {
            state: S::default(),
            count: 0,
            prev: Link::FIRST,
            at: Time::from_millis(i64::MIN),
            position: Position::default(),
            commands: HashMap::new(),
        }
    }
}

impl<S: State> Folded<S> {
    pub(crate) fn expected(&self) -> Expected {
        Expected::after(self.count)
    }

    pub(crate) fn told(&self, command: CommandId) -> Option<Told> {
        self.commands.get(&command).copied()
    }

    fn evolve(&mut self, recorded: &Recorded) {
        self.state.evolve(recorded);
        self.count = recorded.version + 1;
        self.prev = recorded.link;
        self.at = recorded.at;
        self.position = recorded.position;
        let Recorded { version, position, .. } = *recorded;
        let told = Told { version, position, body: recorded.cause.body };
        self.commands.insert(recorded.cause.command, told);
    }

    /// Takes stored events in, checking that each is the next of its stream and linked to the last.
    /// Events that are folded in already are passed over.
    pub(crate) fn take(&mut self, stream: &Stream, stored: &[Stored]) -> Result<(), ReadError> {
        for event in stored {
            let recorded = events::wire::decode(event.position, &event.line, &event.sealed)
                .map_err(|error| corrupt(event.position, error))?;
            self.take_one(stream, &recorded)?;
        }
        Ok(())
    }

    fn take_one(&mut self, stream: &Stream, recorded: &Recorded) -> Result<(), ReadError> {
        if recorded.version < self.count {
            return Ok(());
        }
        if recorded.stream != *stream || recorded.version != self.count {
            let what = format!("not version {} of {stream}", self.count);
            return Err(corrupt(recorded.position, what));
        }
        if recorded.prev != self.prev {
            let what = "the line does not link to the one before it";
            return Err(corrupt(recorded.position, what));
        }
        self.evolve(recorded);
        Ok(())
    }
}

fn corrupt(position: Position, source: impl Into<Cause>) -> ReadError {
    ReadError::Corrupt { position, source: source.into() }
}

/// One stream's fold, and the queue of the commands that want to change it.
pub(crate) struct Entry<S> {
    stream: Stream,
    pub(crate) turn: tokio::sync::Mutex<()>,
    folded: RwLock<Folded<S>>,
}

impl<S: State> Entry<S> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Folded<S>> {
        self.folded.read().expect("no fold panics")
    }

    /// Brings the fold to the stream's head: one question to the log when nothing is new.
    pub(crate) async fn catch_up(&self, log: &EventLog) -> Result<(), ReadError> {
        let head = log.last_version(&self.stream).await?.map_or(0, |last| last + 1);
        self.read_up_to(log, head).await
    }

    /// Reads on until at least `count` events are folded in.
    pub(crate) async fn read_up_to(&self, log: &EventLog, count: u64) -> Result<(), ReadError> {
        loop {
            let known = self.read().count;
            if known >= count {
                return Ok(());
            }
            let stored = log.read_stream(&self.stream, known, PAGE).await?;
            if stored.is_empty() {
                // the log promised more events than it shows
                return Err(ReadError::Unavailable("the stream ends before its head".into()));
            }
            self.take(&stored)?;
        }
    }

    pub(crate) fn take(&self, stored: &[Stored]) -> Result<(), ReadError> {
        self.folded.write().expect("no fold panics").take(&self.stream, stored)
    }

    /// Takes in what was just appended, which need not be read back.
    pub(crate) fn take_appended(&self, appended: &[Recorded]) -> Result<(), ReadError> {
        let mut folded = self.folded.write().expect("no fold panics");
        appended.iter().try_for_each(|recorded| folded.take_one(&self.stream, recorded))
    }
}

/// The folds of one kind of stream. Which are kept is a matter of speed only: two folds of one
/// stream are harmless, because the log checks every expectation.
pub(crate) struct Folds<S> {
    cache: Cache<Stream, Arc<Entry<S>>>,
}

impl<S: State> Folds<S> {
    pub(crate) fn new(most: usize) -> Self {
        Self { cache: Cache::new(most) }
    }

    /// The fold as it was last used; whoever needs it current catches it up.
    pub(crate) fn entry(&self, stream: Stream) -> Arc<Entry<S>> {
        if let Some(entry) = self.cache.get(&stream) {
            return entry;
        }
        let fresh = || Entry {
            stream,
            turn: tokio::sync::Mutex::new(()),
            folded: RwLock::new(Folded::default()),
        };
        match self
            .cache
            .get_or_insert_with(&stream, || Ok::<_, std::convert::Infallible>(Arc::new(fresh())))
        {
            Ok(entry) => entry,
        }
    }

    /// The fold, caught up.
    pub(crate) async fn current(
        &self,
        log: &EventLog,
        stream: Stream,
    ) -> Result<Arc<Entry<S>>, ReadError> {
        let entry = self.entry(stream);
        entry.catch_up(log).await?;
        Ok(entry)
    }

    /// Many folds, caught up, in the order of their streams: one question to the log when nothing
    /// is new.
    pub(crate) async fn current_many(
        &self,
        log: &EventLog,
        streams: &[Stream],
    ) -> Result<Vec<Arc<Entry<S>>>, ReadError> {
        let last_versions = log.last_versions(streams).await?;
        let mut entries = Vec::with_capacity(streams.len());
        for (stream, last) in streams.iter().zip(last_versions) {
            let entry = self.entry(*stream);
            entry.read_up_to(log, last.map_or(0, |last| last + 1)).await?;
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// The state as it was right after `version`, folded afresh from the first event.
pub(crate) async fn state_at<S: State>(
    log: &EventLog,
    stream: Stream,
    version: u64,
) -> Result<S, ReadError> {
    let mut folded = Folded::<S>::default();
    while folded.count <= version {
        let left = usize::try_from(version + 1 - folded.count).unwrap_or(PAGE).min(PAGE);
        let stored = log.read_stream(&stream, folded.count, left).await?;
        if stored.is_empty() {
            return Err(ReadError::Unavailable("the stream ends before that version".into()));
        }
        folded.take(&stream, &stored)?;
    }
    Ok(folded.state)
}
