//! A TCP proxy that breaks the network at chosen moments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    None,
    /// The next COMMIT goes through; its answer does not, and the connection is cut.
    CutBeforeAnswer,
    /// The next COMMIT goes through and the connection is cut at once.
    CutAfterCommit,
    /// From the next COMMIT on nothing comes back any more, and nothing is cut.
    HoleAfterCommit,
    /// Everything is swallowed, both ways.
    Hole,
}

impl Fault {
    fn of(number: u8) -> Self {
        [Self::None, Self::CutBeforeAnswer, Self::CutAfterCommit, Self::HoleAfterCommit, Self::Hole]
            .into_iter()
            .find(|fault| *fault as u8 == number)
            .expect("only faults are stored")
    }
}

#[derive(Default)]
struct State {
    fault: AtomicU8,
    /// COMMITs that met a fault.
    struck: AtomicU64,
    connections: AtomicU64,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
    accept: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn before(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let state = Arc::clone(&shared);
                tokio::spawn(async move {
                    if let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await {
                        carry(client, server, state).await;
                    }
                });
            }
        });
        Self { port, state, accept }
    }

    pub(crate) fn set(&self, fault: Fault) {
        self.state.fault.store(fault as u8, Ordering::SeqCst);
    }

    pub(crate) fn struck(&self) -> u64 {
        self.state.struck.load(Ordering::SeqCst)
    }

    /// Waits until the proxy has seen what a test waits for.
    pub(crate) async fn reaches(&self, state: impl Fn() -> bool) {
        while !state() {
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    pub(crate) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

impl State {
    fn fault(&self) -> Fault {
        Fault::of(self.fault.load(Ordering::SeqCst))
    }

    /// The fault that this COMMIT meets; one that cuts strikes once.
    fn strike(&self) -> Fault {
        let fault = self.fault();
        let next = match fault {
            Fault::None | Fault::Hole => return fault,
            Fault::CutBeforeAnswer | Fault::CutAfterCommit => Fault::None,
            Fault::HoleAfterCommit => Fault::Hole,
        };
        self.fault.store(next as u8, Ordering::SeqCst);
        self.struck.fetch_add(1, Ordering::SeqCst);
        fault
    }
}

async fn carry(client: TcpStream, server: TcpStream, state: Arc<State>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (cut, is_cut) = tokio::sync::watch::channel(false);
    let up = carry_up(from_client, to_server, Arc::clone(&state), cut);
    let down = carry_down(from_server, to_client, state, is_cut);
    tokio::select! {
        () = up => {}
        () = down => {}
    }
}

async fn carry_up(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<State>,
    cut: tokio::sync::watch::Sender<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if state.fault() == Fault::Hole {
            continue;
        }
        let sent = &bytes[..count];
        // not the COMMIT of READ COMMITTED
        let is_commit = sent[0] == b'Q' && sent.windows(8).any(|word| word == b"; COMMIT");
        let fault = if is_commit { state.strike() } else { Fault::None };
        if fault == Fault::CutBeforeAnswer {
            // before the bytes go, or the answer could overtake the order to hold it back
            cut.send_replace(true);
        }
        if to.write_all(sent).await.is_err() || fault == Fault::CutAfterCommit {
            return;
        }
    }
}

async fn carry_down(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    state: Arc<State>,
    is_cut: tokio::sync::watch::Receiver<bool>,
) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if *is_cut.borrow() {
            return;
        }
        if state.fault() != Fault::Hole && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
