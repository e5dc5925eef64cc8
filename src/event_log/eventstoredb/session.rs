//! Appending in a batch session, which takes under a millisecond where a lone append takes 45: the
//! client leaves Nagle's algorithm on, and only a session sends each append in one piece.
//!
//! A session says yes or nothing. It ends with its first refusal and takes every append in flight
//! along, so whatever else happens in it is settled by repeating the append alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventstore::{
    AppendToStreamOptions, BatchAppendClient, BatchAppendOptions, Client, Error, EventData,
    ExpectedRevision,
};
use tokio::time::timeout;

use super::fate;

/// After this the append is repeated alone, in the time that is left.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// One append as the server is asked for it.
#[derive(Clone)]
pub(super) struct Append {
    pub(super) stream: String,
    pub(super) expected: ExpectedRevision,
    pub(super) events: Vec<EventData>,
    /// Set while an attempt may have written what no answer told; then only *written* and
    /// *conflict* are believed.
    pub(super) is_undecided: Arc<AtomicBool>,
    pub(super) within: Duration,
}

/// What the server wrote, now or when it was first asked.
pub(super) struct Written {
    pub(super) last: u64,
    /// 0 when the server leaves it out.
    pub(super) position: u64,
}

#[derive(Default)]
enum State {
    /// The next append goes alone and finds out whether the server takes any.
    #[default]
    Closed,
    /// An append was taken since the last session ended.
    MayOpen,
    Open(Arc<BatchAppendClient>),
    Unsupported,
}

/// The batch session over one client.
#[derive(Default)]
pub(super) struct Session {
    state: Mutex<State>,
    /// It swallowed an append: its tasks end only with the client.
    is_silent: AtomicBool,
}

impl Session {
    pub(super) fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Relaxed)
    }

    pub(super) async fn append(
        &self,
        client: &Client,
        append: Append,
    ) -> eventstore::Result<Written> {
        if let Some(written) = self.append_in_session(client, &append).await {
            return Ok(written);
        }
        let options = AppendToStreamOptions::default()
            .expected_revision(append.expected)
            .requires_leader(true)
            .deadline(append.within);
        let written = client.append_to_stream(append.stream, &options, append.events).await?;
        let mut state = self.state();
        if matches!(*state, State::Closed) {
            *state = State::MayOpen;
        }
        Ok(Written { last: written.next_expected_version, position: written.position.commit })
    }

    async fn append_in_session(&self, client: &Client, append: &Append) -> Option<Written> {
        let session = self.open(client).await?;
        let was_undecided = append.is_undecided.swap(true, Ordering::Relaxed);
        let events = append.events.clone();
        let answer = session.append_to_stream(&append.stream, append.expected, events);
        let refusal = match timeout(ANSWER_WITHIN.min(append.within), answer).await {
            Ok(Ok(result)) => match result.current_revision() {
                Some(last) => {
                    let position = result.current_position().map_or(0, |at| at.commit);
                    return Some(Written { last, position });
                }
                None => None,
            },
            Ok(Err(error)) => Some(error),
            Err(_) => {
                self.is_silent.store(true, Ordering::Relaxed);
                None
            }
        };
        if refusal.as_ref().is_some_and(fate::is_refused_in_batch) {
            append.is_undecided.store(was_undecided, Ordering::Relaxed);
        }
        tracing::debug!(stream = append.stream, ?refusal, "a batch session ended");
        self.leave(&session);
        None
    }

    async fn open(&self, client: &Client) -> Option<Arc<BatchAppendClient>> {
        match &*self.state() {
            State::Closed | State::Unsupported => return None,
            State::Open(session) => return Some(Arc::clone(session)),
            State::MayOpen => {}
        }
        let opened =
            client.batch_append(&BatchAppendOptions::default().requires_leader(true)).await;
        let mut state = self.state();
        match (opened, &*state) {
            (_, State::Open(session)) => Some(Arc::clone(session)),
            (Ok(session), _) => {
                let session = Arc::new(session);
                *state = State::Open(Arc::clone(&session));
                Some(session)
            }
            (Err(Error::UnsupportedFeature), _) => {
                *state = State::Unsupported;
                None
            }
            (Err(_), _) => None,
        }
    }

    fn leave(&self, session: &Arc<BatchAppendClient>) {
        let mut state = self.state();
        if matches!(&*state, State::Open(open) if Arc::ptr_eq(open, session)) {
            *state = State::Closed;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
