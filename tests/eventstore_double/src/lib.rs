//! EventStoreDB as its client sees it, inside the test process: a cluster of nodes, each on a
//! runtime of its own so that it can be killed, that keep one log and fail on request.
//! It proves how a client copes, not how the server behaves: a real one has the last word.

#![expect(clippy::result_large_err, reason = "the size of `tonic::Status` is not ours")]

use std::collections::{HashSet, VecDeque};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tonic::transport::Server;
use uuid::Uuid;

use log::{Log, Shown};
use protocol::event_store::client::gossip::gossip_server::GossipServer;
use protocol::event_store::client::server_features::server_features_server::ServerFeaturesServer;
use protocol::event_store::client::streams::streams_server::StreamsServer;

mod discovery;
mod log;
mod port;
mod streams;

pub use port::Port;

pub mod protocol {
    #![expect(
        clippy::large_enum_variant,
        clippy::pedantic,
        clippy::allow_attributes,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]
    tonic::include_proto!("protocol");
}

/// How long a cluster has no leader after it lost one.
const ELECTION: Duration = Duration::from_millis(100);

/// What becomes of one append, instead of what should.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Written, but the connection breaks before the answer.
    CommitThenDrop,
    DropBeforeCommit,
    /// Written, but not replicated in time.
    CommitThenTimeOut,
    TimeOutBeforeCommit,
    /// Never answered and never written.
    Hang,
    /// Never answered, and written only after a while.
    HangThenCommit(Duration),
    NotReady,
    TooBusy,
}

/// Why a node takes no call at all.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    NotReady,
    TooBusy,
}

/// An event as it is kept, for the oracle of a test.
#[derive(Clone, Debug)]
pub struct StoredEvent {
    pub position: u64,
    pub stream: String,
    pub revision: u64,
    pub id: Uuid,
    pub data: Vec<u8>,
}

#[derive(Default)]
struct NodeState {
    is_alive: bool,
    /// So many of the newest records it has not indexed yet.
    lag: usize,
    scavenged: HashSet<u64>,
}

#[derive(Default)]
struct State {
    log: Log,
    nodes: Vec<NodeState>,
    leader: Option<usize>,
    election_at: Option<Instant>,
    faults: VecDeque<Fault>,
    refusal: Option<Refusal>,
    reads_end_after: Option<usize>,
    reads_hang: bool,
    leaves_positions_out: bool,
    reads: Vec<u64>,
}

impl State {
    fn leader(&mut self) -> Option<usize> {
        let alive = self.nodes.iter().filter(|node| node.is_alive).count();
        if alive * 2 <= self.nodes.len() {
            self.leader = None;
        }
        let is_time = self.election_at.is_none_or(|at| at <= Instant::now());
        if self.leader.is_none() && alive * 2 > self.nodes.len() && is_time {
            self.leader = self.nodes.iter().position(|node| node.is_alive);
            // a leader has caught up before it serves
            if let Some(leader) = self.leader {
                self.nodes[leader].lag = 0;
            }
        }
        self.leader
    }

    /// Where the log ends that a node shows (exclusive).
    fn indexed(&self, node: usize) -> u64 {
        let records = self.log.records();
        let hidden = records.len().saturating_sub(self.nodes[node].lag);
        records.get(hidden).map_or(u64::MAX, |record| record.position)
    }
}

struct Shared {
    state: Mutex<State>,
    ports: Vec<Port>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One node's side of the services.
#[derive(Clone)]
struct Node {
    cluster: Arc<Shared>,
    index: usize,
}

/// Holds a node's only thread until it is let go.
#[derive(Default)]
struct Brake {
    is_on: Mutex<bool>,
    released: Condvar,
}

impl Brake {
    fn set(&self, is_on: bool) {
        *self.is_on.lock().unwrap_or_else(PoisonError::into_inner) = is_on;
        self.released.notify_all();
    }

    fn hold(&self) {
        let guard = self.is_on.lock().unwrap_or_else(PoisonError::into_inner);
        let released = self.released.wait_while(guard, |is_on| *is_on);
        drop(released.unwrap_or_else(PoisonError::into_inner));
    }
}

#[derive(Default)]
struct Process {
    runtime: Mutex<Option<Runtime>>,
    brake: Arc<Brake>,
}

pub struct Cluster {
    shared: Arc<Shared>,
    processes: Vec<Process>,
}

impl Cluster {
    /// Starts so many nodes; the first is the leader.
    pub fn start(nodes: usize) -> io::Result<Self> {
        let cluster = Self::stopped(nodes)?;
        for node in 0..nodes {
            cluster.restart(node)?;
        }
        Ok(cluster)
    }

    /// A cluster whose nodes are not running yet.
    pub fn stopped(nodes: usize) -> io::Result<Self> {
        let ports: io::Result<Vec<_>> = (0..nodes).map(|_| Port::free()).collect();
        let mut state = State { reads: vec![0; nodes], ..State::default() };
        state.nodes.resize_with(nodes, NodeState::default);
        let shared = Arc::new(Shared { state: Mutex::new(state), ports: ports? });
        let processes = (0..nodes).map(|_| Process::default()).collect();
        Ok(Self { shared, processes })
    }

    /// The connection string that names all nodes.
    pub fn url(&self) -> String {
        let hosts: Vec<_> =
            self.shared.ports.iter().map(|port| format!("127.0.0.1:{}", port.number())).collect();
        format!("esdb://{}?tls=false", hosts.join(","))
    }

    pub fn nodes(&self) -> usize {
        self.processes.len()
    }

    /// The node that takes appends now; none while an election runs or most nodes are dead.
    pub fn leader(&self) -> Option<usize> {
        self.shared.state().leader()
    }

    /// Starts a node on its old port, with all that is in the log.
    pub fn restart(&self, node: usize) -> io::Result<()> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("eventstore double").enable_all();
        let runtime = runtime.build()?;
        let listener = bind(self.shared.ports[node].number())?;
        listener.set_nonblocking(true)?;
        let node_itself = Node { cluster: Arc::clone(&self.shared), index: node };
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let connections = tokio_stream::wrappers::TcpListenerStream::new(listener);
            let server = Server::builder()
                .tcp_nodelay(true)
                .add_service(
                    StreamsServer::new(node_itself.clone()).max_decoding_message_size(1 << 25),
                )
                .add_service(GossipServer::new(node_itself.clone()))
                .add_service(ServerFeaturesServer::new(node_itself));
            server.serve_with_incoming(connections).await.map_err(io::Error::other)
        });
        self.shared.state().nodes[node].is_alive = true;
        let mut slot = self.processes[node].runtime.lock().unwrap_or_else(PoisonError::into_inner);
        *slot = Some(runtime);
        Ok(())
    }

    /// Ends a node at once: its connections break, whatever they were about.
    pub fn kill(&self, node: usize) {
        self.thaw(node);
        let mut state = self.shared.state();
        state.nodes[node].is_alive = false;
        if state.leader == Some(node) {
            state.leader = None;
            state.election_at = (state.nodes.len() > 1).then(|| Instant::now() + ELECTION);
        }
        drop(state);
        let mut slot = self.processes[node].runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = slot.take() {
            runtime.shutdown_background();
        }
    }

    /// Makes a node a black hole: connections stay open and nothing comes back.
    pub fn freeze(&self, node: usize) {
        let process = &self.processes[node];
        process.brake.set(true);
        let brake = Arc::clone(&process.brake);
        let slot = process.runtime.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runtime) = slot.as_ref() {
            runtime.spawn(async move { brake.hold() });
        }
    }

    pub fn thaw(&self, node: usize) {
        self.processes[node].brake.set(false);
    }

    /// Moves leadership to a node that is alive.
    pub fn elect(&self, node: usize) {
        let mut state = self.shared.state();
        state.leader = Some(node);
        state.nodes[node].lag = 0;
    }

    /// What becomes of the next appends, one each.
    pub fn fail_appends(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.state().faults.extend(faults);
    }

    /// Faults that no append has met yet.
    pub fn faults_left(&self) -> usize {
        self.shared.state().faults.len()
    }

    /// Every call is refused until this is taken back.
    pub fn refuse_all(&self, refusal: Option<Refusal>) {
        self.shared.state().refusal = refusal;
    }

    /// Answers to reads end cleanly after so many events, as if there were no more.
    pub fn end_reads_after(&self, events: Option<usize>) {
        self.shared.state().reads_end_after = events;
    }

    pub fn hang_reads(&self, do_hang: bool) {
        self.shared.state().reads_hang = do_hang;
    }

    /// Answers to repeated appends come without a position.
    pub fn leave_positions_out(&self, do_leave_out: bool) {
        self.shared.state().leaves_positions_out = do_leave_out;
    }

    /// A follower shows the log without its newest records.
    pub fn lag(&self, node: usize, records: usize) {
        self.shared.state().nodes[node].lag = records;
    }

    /// How many reads a node was asked for.
    pub fn reads(&self, node: usize) -> u64 {
        self.shared.state().reads[node]
    }

    pub fn soft_delete(&self, stream: &str) {
        self.shared.state().log.soft_delete(stream);
    }

    pub fn tombstone(&self, stream: &str) {
        self.shared.state().log.tombstone(stream);
    }

    /// Writes a record of the server's own.
    pub fn write_system_record(&self) {
        self.shared.state().log.write_system_record("platform");
    }

    /// Removes one node's records of the server itself, all but the newest, which is in the part
    /// of the log that is still written.
    pub fn scavenge(&self, node: usize) {
        let mut state = self.shared.state();
        let records = state.log.records();
        let old = &records[..records.len().saturating_sub(1)];
        let gone: Vec<_> = old.iter().filter(|record| record.stream.starts_with('$')).collect();
        let gone: HashSet<_> = gone.into_iter().map(|record| record.position).collect();
        state.nodes[node].scavenged.extend(gone);
    }

    /// All that was ever written, the server's own records left out.
    pub fn stored(&self) -> Vec<StoredEvent> {
        let state = self.shared.state();
        let records = state.log.records().iter();
        let records = records.filter(|record| !record.stream.starts_with('$'));
        let stored = records.map(|record| StoredEvent {
            position: record.position,
            stream: record.stream.clone(),
            revision: record.revision,
            id: record.event.id,
            data: record.event.data.to_vec(),
        });
        stored.collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for node in 0..self.nodes() {
            self.kill(node);
        }
    }
}

/// The sockets of a killed node may take a moment to close.
fn bind(port: u16) -> io::Result<TcpListener> {
    let started = Instant::now();
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Err(_) if started.elapsed() < Duration::from_secs(5) => {
                std::thread::sleep(Duration::from_millis(2));
            }
            bound => return bound,
        }
    }
}

impl Node {
    fn shown(&self, stream: &str) -> Shown {
        let state = self.cluster.state();
        state.log.shown(stream, state.indexed(self.index))
    }
}
