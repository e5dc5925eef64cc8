//! The client in use and its replacement. The crate's client hands back a dead node for ever and
//! never recovers from a failed first connection; only a new client does. Each lives on a runtime
//! of its own, because nothing else ends the tasks and sockets it leaves behind.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use eventstore::{Client, ClientSettings};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::session::Session;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A node that answers so often in a row with an error of its own is given up.
const ERRORS_IN_A_ROW: u32 = 2;
/// The client follows a node that names the leader, but leaves repeating the call to us.
const MOST_REDIRECTIONS: u32 = 2;

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// Nothing was sent.
    #[error("no EventStoreDB server can be reached")]
    NoServer,
    #[error("the EventStoreDB server did not answer in time")]
    TimedOut,
    #[error("the answer of the EventStoreDB server was cut short")]
    CutShort,
    #[error("the EventStoreDB client broke down")]
    BrokeDown(#[source] JoinError),
    #[error(transparent)]
    Server(eventstore::Error),
}

struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn start() -> std::io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder.worker_threads(1).thread_name("eventstoredb").enable_all();
        builder.build().map(|runtime| Self(Some(runtime)))
    }

    fn handle(&self) -> &Handle {
        self.0.as_ref().expect("taken only when dropped").handle()
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What a call works with.
#[derive(Clone)]
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) session: Arc<Session>,
}

/// One client. It ends with the last call that uses it, so replacing it cuts nobody off.
struct Slot {
    generation: u64,
    connection: Connection,
    has_served: AtomicBool,
    errors: AtomicU32,
    runtime: OwnRuntime,
}

impl Slot {
    /// Ready only once a server has answered: later errors of connecting are errors of this node.
    async fn open(settings: ClientSettings, generation: u64) -> Result<Self, Failure> {
        let deadline = Instant::now() + CONNECT_WITHIN;
        let runtime = OwnRuntime::start()
            .map_err(|error| eventstore::Error::InitializationError(error.to_string()))
            .map_err(Failure::Server)?;
        // on its own thread: it reads certificates from files
        let client = on(&runtime, deadline, async { Client::new(settings) }).await?;
        let probe = client.clone();
        on(&runtime, deadline, async move { probe.server_info().await }).await?;
        let connection = Connection { client, session: Arc::default() };
        let (has_served, errors) = (AtomicBool::new(false), AtomicU32::new(0));
        Ok(Self { generation, connection, has_served, errors, runtime })
    }

    /// Whether this client is done for.
    fn is_spent_by(&self, failure: &Failure) -> bool {
        use eventstore::Error;
        match failure {
            Failure::NoServer | Failure::CutShort => false,
            Failure::TimedOut
            | Failure::BrokeDown(_)
            | Failure::Server(
                Error::ConnectionClosed | Error::GrpcConnectionError(_) | Error::DeadlineExceeded,
            ) => true,
            Failure::Server(Error::ServerError(_)) => {
                self.errors.fetch_add(1, Ordering::Relaxed) + 1 >= ERRORS_IN_A_ROW
            }
            Failure::Server(_) => {
                self.has_answered();
                false
            }
        }
    }

    fn has_answered(&self) {
        self.errors.store(0, Ordering::Relaxed);
        self.has_served.store(true, Ordering::Relaxed);
    }
}

/// Runs a call on a slot's runtime, so that whatever it spawns lives and ends there; dropping the
/// returned future ends the call.
async fn on<T: Send + 'static>(
    runtime: &OwnRuntime,
    deadline: Instant,
    call: impl Future<Output = eventstore::Result<T>> + Send + 'static,
) -> Result<T, Failure> {
    let mut task = JoinSet::new();
    task.spawn_on(call, runtime.handle());
    match timeout_at(deadline, task.join_next()).await {
        Err(_) => Err(Failure::TimedOut),
        Ok(None) => Err(Failure::NoServer),
        Ok(Some(Err(error))) => Err(Failure::BrokeDown(error)),
        Ok(Some(Ok(answer))) => answer.map_err(Failure::Server),
    }
}

/// The slot in use, and the task that fills it again when it is empty.
pub(super) struct Slots {
    current: Arc<watch::Sender<Option<Arc<Slot>>>>,
    keeper: JoinHandle<()>,
}

impl Slots {
    pub(super) fn new(settings: ClientSettings) -> Self {
        let current = Arc::new(watch::Sender::new(None));
        let keeper = tokio::spawn(keep(settings, Arc::clone(&current)));
        Self { current, keeper }
    }

    /// Asks the server, and the new leader where that is another. Whatever happens there is an
    /// answer when the time is over.
    pub(super) async fn call<T, F>(
        &self,
        within: Duration,
        call: impl Fn(Connection) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = eventstore::Result<T>> + Send + 'static,
    {
        let deadline = Instant::now() + within;
        let mut redirected = 0;
        loop {
            let answer = self.call_once(deadline, &call).await;
            let is_elsewhere =
                matches!(answer, Err(Failure::Server(eventstore::Error::NotLeaderException(_))));
            if !is_elsewhere || redirected == MOST_REDIRECTIONS {
                return answer;
            }
            redirected += 1;
        }
    }

    async fn call_once<T, F>(
        &self,
        deadline: Instant,
        call: impl Fn(Connection) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = eventstore::Result<T>> + Send + 'static,
    {
        let mut current = self.current.subscribe();
        let filled = timeout_at(deadline, current.wait_for(Option::is_some)).await;
        let Ok(Ok(Some(slot))) = filled.map(|slot| slot.map(|slot| slot.clone())) else {
            return Err(Failure::NoServer);
        };
        let answer = on(&slot.runtime, deadline, call(slot.connection.clone())).await;
        match &answer {
            Ok(_) => slot.has_answered(),
            Err(failure) if slot.is_spent_by(failure) => self.retire(slot.generation, failure),
            Err(_) => {}
        }
        if slot.connection.session.is_silent() {
            self.retire(slot.generation, &Failure::TimedOut);
        }
        answer
    }

    fn retire(&self, generation: u64, failure: &Failure) {
        let retired = self.current.send_if_modified(|current| {
            let is_current = current.as_ref().is_some_and(|slot| slot.generation == generation);
            if is_current {
                *current = None;
            }
            is_current
        });
        if retired {
            tracing::warn!(generation, cause = %failure, "replacing the EventStoreDB client");
        }
    }

    /// Ends the client; every later call finds no server.
    pub(super) fn close(&self) {
        self.keeper.abort();
        self.current.send_replace(None);
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.close();
    }
}

async fn keep(settings: ClientSettings, current: Arc<watch::Sender<Option<Arc<Slot>>>>) {
    let mut slots = current.subscribe();
    let mut pause = Duration::ZERO;
    for generation in 0.. {
        match Slot::open(settings.clone(), generation).await {
            Ok(slot) => {
                let slot = Arc::new(slot);
                current.send_replace(Some(Arc::clone(&slot)));
                let emptied = slots.wait_for(Option::is_none).await.is_ok();
                if !emptied {
                    return;
                }
                if slot.has_served.load(Ordering::Relaxed) {
                    pause = Duration::ZERO;
                }
            }
            Err(failure) => tracing::warn!(
                generation,
                cause = %failure,
                "cannot connect to EventStoreDB; a closed connection at the first attempt means \
                 unreadable certificates or a TLS provider installed by something else"
            ),
        }
        pause = (pause * 2).clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
        tokio::time::sleep(jittered(pause)).await;
    }
}

/// Between half of it and all of it, so that nodes do not come back in step.
fn jittered(pause: Duration) -> Duration {
    let share = getrandom::u32().map_or(u32::MAX, |random| random);
    pause / 2 + pause.mul_f64(f64::from(share) / f64::from(u32::MAX)) / 2
}
