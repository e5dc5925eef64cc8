//! Signs the heads of logs, and never two that contradict each other: what was signed last is
//! remembered outside of what a restored backup can put back, durably before a signature is given
//! away. A log that has become shorter, or another, than what was signed is not signed again.

use std::path::Path;
use std::time::Duration;

use events::id::CommandId;
use events::platform::Purpose;
use events::recorded::Position;
use events::stream::Stream;
use events::tree::Hash;
use secrecy::ExposeSecret as _;
use tokio::sync::watch;

use crate::App;
use crate::config::SignerState;
use crate::failure::Failure;
use crate::keyring::Keyring;
use crate::note::{self, Head};
use crate::operational::Operational;
use crate::query::ledger::{self, Tree};
use crate::reactions::{self, Trouble};
use crate::{causes::causes, query, seal, signing_key};

mod state;

use state::State;

/// Its name among what can be in trouble.
pub(crate) const NAME: &str = "signer";
/// A head is signed at most so long after its log has grown.
const EVERY: Duration = Duration::from_secs(30);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "another node signs; name this one with --signer-state, or give all nodes one database"
    )]
    Elsewhere,
    #[error(
        "the log {origin} has {now} lines, and {signed} were signed: an older copy of it was put back"
    )]
    Shrank { origin: String, signed: u64, now: u64 },
    #[error(
        "the first {size} lines of the log {origin} are not those that were signed: its root was {signed} and is {now}"
    )]
    Forked { origin: String, size: u64, signed: Hash, now: Hash },
    #[error("the log {origin} has fewer than {size} lines")]
    TooShort { origin: String, size: u64 },
    #[error(transparent)]
    Query(#[from] query::Error),
    #[error(transparent)]
    Key(#[from] signing_key::Error),
    #[error(transparent)]
    State(#[from] state::Error),
}

/// What was signed last of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) size: u64,
    pub(crate) root: Hash,
}

pub(crate) struct Signer(Option<State>);

impl Signer {
    /// `node` names this node among those that share a database. Where nothing says which of them
    /// signs, the first that ever started does.
    pub(crate) async fn open(
        place: &SignerState,
        data: &Path,
        shared: Option<(&Keyring, &Operational, &str)>,
    ) -> anyhow::Result<Self> {
        let state = match (place, shared) {
            (SignerState::Postgres(url), _) => Some(State::postgres(url.expose_secret()).await?),
            (SignerState::File(path), _) => Some(State::sqlite(path)?),
            (SignerState::InDataFolder, None) => Some(State::sqlite(&data.join("signer-state"))?),
            (SignerState::InDataFolder, Some((keyring, operational, node))) => {
                let register: CommandId = keyring.command(&[b"the node that signs"]);
                let name = keyring.body_mac(node.as_bytes());
                let is_first = operational.first_body(register, name).await? == name;
                is_first.then(|| State::sqlite(&data.join("signer-state"))).transpose()?
            }
        };
        Ok(Self(state))
    }

    /// The same for who only reads what was signed. Nobody, where that is not remembered here.
    pub(crate) fn to_read(place: &SignerState, data: &Path) -> Result<Self, Error> {
        let path = match place {
            SignerState::Postgres(url) => {
                return Ok(Self(Some(State::postgres_to_read(url.expose_secret())?)));
            }
            SignerState::File(path) => path.clone(),
            SignerState::InDataFolder => data.join("signer-state"),
        };
        let state = path.exists().then(|| State::sqlite_to_read(&path)).transpose()?;
        Ok(Self(state))
    }

    /// What was signed last of every log, by its name. `None` where another node remembers it.
    pub(crate) async fn remembered(&self) -> Result<Option<Vec<(String, Signed)>>, Error> {
        match &self.0 {
            Some(state) => Ok(Some(state.all().await?)),
            None => Ok(None),
        }
    }

    fn state(&self) -> Result<&State, Error> {
        self.0.as_ref().ok_or(Error::Elsewhere)
    }

    pub(crate) fn is_here(&self) -> bool {
        self.0.is_some()
    }
}

/// The signed head of the first lines of a log, as many as `size` or all.
pub(crate) async fn sign(
    app: &App,
    stream: Stream,
    size: Option<u64>,
) -> Result<(Head, String), Error> {
    let state = app.signer.state()?;
    let origin = note::origin_of(&app.origin, &stream);
    let key = signing_key::active(app, Purpose::Log).await?;
    loop {
        let last = state.last(&origin).await?;
        let tree = Tree::of(app, stream).await?;
        if let Some(last) = last {
            let now = tree.root(app, last.size).await?;
            let Some(now) = now else {
                let (signed, now) = (last.size, tree.size());
                return Err(Error::Shrank { origin, signed, now });
            };
            if now != last.root {
                let Signed { size, root: signed } = last;
                return Err(Error::Forked { origin, size, signed, now });
            }
        }
        let size = size.unwrap_or(tree.size());
        let Some(root) = tree.root(app, size).await? else {
            return Err(Error::TooShort { origin, size });
        };
        let grows = last.is_none_or(|last| size > last.size);
        if grows && !state.replace(&origin, last, Signed { size, root }).await? {
            continue;
        }
        let head = Head { origin, size, root };
        let note = head.signed(&key.named(&app.origin), |text| key.sign(text));
        return Ok((head, note));
    }
}

/// The tree over a log with everything that stands in it now.
pub(crate) async fn current_tree(app: &App, stream: Stream) -> Result<Tree, Error> {
    let head = app.log.last_version(&stream).await.map_err(Failure::from);
    let lines = head.map_err(query::Error::from)?.map_or(0, |last| last + 1);
    ledger::reach_size(app, stream, lines).await?;
    Ok(Tree::of(app, stream).await?)
}

/// The signed head of everything that stands in a log now.
pub(crate) async fn sign_current(app: &App, stream: Stream) -> Result<(Head, String), Error> {
    let size = current_tree(app, stream).await?.size();
    sign(app, stream, Some(size)).await
}

/// Signs each log soon after it has grown, and seals all of them from time to time.
pub(crate) async fn run(
    app: std::sync::Arc<App>,
    trouble: watch::Sender<Trouble>,
    mut stop: watch::Receiver<bool>,
) {
    if !app.signer.is_here() {
        return;
    }
    let mut signed = Position::default();
    loop {
        let told = match work(&app, &mut signed).await {
            Ok(()) => None,
            Err(error) => {
                tracing::error!(error = causes(&error), "heads of logs are not signed");
                Some(error.to_string())
            }
        };
        reactions::tell(&trouble, NAME, told);
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = app.clock.moved() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

async fn work(app: &App, signed: &mut Position) -> Result<(), seal::Error> {
    for (stream, head) in ledger::heads_since(app, *signed).await.map_err(Error::from)? {
        sign(app, stream, None).await?;
        *signed = head.position;
    }
    seal::seal_when_due(app).await
}
