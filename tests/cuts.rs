//! A network that cuts connections off, on their way there or back, and leads to one server after
//! the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::dice::Dice;

pub(crate) struct Cuts {
    pub(crate) url: String,
    to: watch::Sender<Option<String>>,
    cut: Arc<AtomicUsize>,
    accept: JoinHandle<()>,
}

impl Cuts {
    /// Every other connection is cut after some bytes, at most so many.
    pub(crate) async fn after(most_bytes: usize, mut dice: Dice) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (to, leads_to) = watch::channel(None);
        let cut = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&cut);
        let accept = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let left = if dice.of(2) == 0 { usize::MAX } else { dice.of(most_bytes) };
                let left = Arc::new(AtomicUsize::new(left));
                let (leads_to, cut) = (leads_to.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    if carry(client, leads_to, &left).await.is_none() {
                        cut.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self { url, to, cut, accept }
    }

    /// Where connections go from now on; those that come meanwhile wait for it.
    pub(crate) fn lead_to(&self, address: Option<&str>) {
        self.to.send_replace(address.map(str::to_owned));
    }

    /// How many connections were cut.
    pub(crate) fn count(&self) -> usize {
        self.cut.load(Ordering::SeqCst)
    }
}

impl Drop for Cuts {
    fn drop(&mut self) {
        self.accept.abort();
    }
}

/// `None` when the connection was cut.
async fn carry(
    client: TcpStream,
    mut leads_to: watch::Receiver<Option<String>>,
    left: &AtomicUsize,
) -> Option<()> {
    let address = leads_to.wait_for(Option::is_some).await.ok()?.clone()?;
    let Ok(server) = TcpStream::connect(address).await else { return Some(()) };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        there = copy(from_client, to_server, left) => there,
        back = copy(from_server, to_client, left) => back,
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, left: &AtomicUsize) -> Option<()> {
    let mut bytes = vec![0; 4096];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        let less = |left: usize| left.checked_sub(count);
        left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less).ok()?;
        if to.write_all(&bytes[..count]).await.is_err() {
            break;
        }
    }
    Some(())
}
