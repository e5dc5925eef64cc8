//! Starts everything in order, and stops it in reverse.

use std::fs::{self, DirBuilder};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::ServiceExt;
use axum::extract::Request;
use events::chain::Link;
use events::id::CommandId;
use events::personal::Personal;
use events::platform::{self, Platform};
use events::recorded::{Actor, BodyMac, Cause};
use events::stream::Stream;
use events::wire::Draft;
use events::{Event, id::EventId};
use quick_cache::sync::Cache;
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::App;
use crate::causes::causes;
use crate::clock::Clock;
use crate::config::{Config, Database, EventLogPlace, MailPlace};
use crate::ended_leases::EndedLeases;
use crate::event_log::{AppendError, EventLog, Expected, LogReader, NewEvent, ReadError};
use crate::execute::Running;
use crate::fold::{self, Folds};
use crate::identity::ProvenPairs;
use crate::installation_token::{Holder, InstallationToken};
use crate::keyring::{self, Keyring, MasterKey};
use crate::mail::Post;
use crate::metrics::Metrics;
use crate::node::Node;
use crate::open_streams::OpenStreams;
use crate::operational::Operational;
use crate::password::Passwords;
use crate::past::Room;
use crate::projector::Projector;
use crate::query::credential::Known;
use crate::rate_limit::{self, RateLimits};
use crate::read_store::ReadStore;
use crate::session_activity::{self, SessionActivity};
use crate::signer::Signer;
use crate::token_activity::{self, TokenActivity};
use crate::{
    denied_attempts, due, erasure, execute, failed_sign_ins, forgotten, http, postgres_database,
    reactions, signer, signing_key, sqlite_file,
};

/// Folds kept in memory of each kind of stream.
const FOLDS: usize = 20_000;
/// A log that cannot be read by then is not there.
const READABLE_WITHIN: Duration = Duration::from_secs(20);
const BETWEEN_TRIES: Duration = Duration::from_millis(100);
/// Requests under way get this long to finish when the program is stopped.
const FINISH_WITHIN: Duration = Duration::from_secs(20);

/// The stores, opened in the order in which they depend on each other.
pub(crate) struct Stores {
    pub(crate) log: Arc<EventLog>,
    pub(crate) read_store: Arc<ReadStore>,
    keyring: Keyring,
    operational: Operational,
    /// What the log has called this installation since its first event.
    origin: String,
}

/// What was signed last stands where all nodes find it that share a database.
async fn signer(config: &Config, stores: &Stores, node: &Node) -> anyhow::Result<Signer> {
    let is_shared = matches!(config.database, Database::Postgres(_));
    let shared = is_shared.then_some((&stores.keyring, &stores.operational, node.name.as_str()));
    let signer = Signer::open(&config.signer_state, &config.data, shared).await;
    signer.context("cannot open what was signed last")
}

/// Serves until the process is told to stop (SIGTERM or SIGINT).
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let signals = Signals::hear()?;
    make_folder(&config.data)?;
    let node = Node::of(&config.data)?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}", config.listen))?;
    let address = listener.local_addr()?;
    let public_url = config.public_url_at(address);
    let stores = Stores::open(&config, &public_url).await?;
    let clock = clock(&config, &stores.operational).await?;
    let signer = signer(&config, &stores, &node).await?;
    let [operator_token, provisioner_token] = tokens(&config)?;
    let projector =
        Projector::new(stores.log.clone(), stores.read_store.clone(), node.name.clone());
    let (tell_trouble, trouble) = watch::channel(reactions::Trouble::new());
    let (forgotten, requests) = mpsc::channel(forgotten::QUEUE);
    let metrics = Metrics::new();
    let (denied_attempts, waiting_attempts) =
        denied_attempts::queue(metrics.full("denied_attempts"));
    let (failed_sign_ins, waiting_failures) =
        failed_sign_ins::queue(metrics.full("failed_sign_ins"));
    let (told, was_told) = watch::channel(false);
    let app = Arc::new(App {
        log: stores.log,
        read_store: stores.read_store,
        keyring: stores.keyring,
        operational: stores.operational,
        clock,
        operator_token,
        provisioner_token,
        passwords: Passwords::new(metrics.full("passwords"))?,
        proven: ProvenPairs::new()?,
        trusted_proxies: config.trusted_proxies.clone(),
        payments: config.payments,
        rate_limits: RateLimits::new(config.rate_limits),
        activity: SessionActivity::default(),
        token_activity: TokenActivity::default(),
        credentials: Known::default(),
        forgotten,
        node: node.name.clone(),
        public_url: public_url.clone(),
        post: Post::new(&config.mail, &config.data, &stores.origin)
            .context("cannot write mails in this installation's name")?,
        running: Running::default(),
        accounts: Folds::new(FOLDS),
        addresses: Folds::new(FOLDS),
        organizations: Folds::new(FOLDS),
        platform: Folds::new(1),
        usage_ends: execute::usage::Ends::new(FOLDS),
        signer,
        origin: stores.origin.clone(),
        metrics,
        projector: projector.standing(),
        trouble,
        denied_attempts,
        failed_sign_ins,
        past: Room::default(),
        packets: tokio::sync::Mutex::default(),
        open_streams: OpenStreams::until(was_told),
        ended_leases: EndedLeases::default(),
        complete_accounts: Cache::new(FOLDS),
    });
    erasure::repeat_all(&app).await.context("cannot erase again what was erased")?;
    let (stop, stopping) = watch::channel(false);
    let mut workers = JoinSet::new();
    workers.spawn(projector.run(stopping.clone()));
    begin_platform(&app, &config).await?;
    let watched = Arc::clone(&app.read_store);
    let others = tokio::spawn(async move { watched.watch_others().await });
    let limited = Arc::clone(&app);
    let forgetting = tokio::spawn(async move { rate_limit::forget(&limited.rate_limits).await });
    workers.spawn(reactions::run(Arc::clone(&app), tell_trouble.clone(), stopping.clone()));
    workers.spawn(forgotten::run(Arc::clone(&app), requests, stopping.clone()));
    workers.spawn(session_activity::run(Arc::clone(&app), stopping.clone()));
    workers.spawn(token_activity::run(Arc::clone(&app), stopping.clone()));
    workers.spawn(signer::run(Arc::clone(&app), tell_trouble.clone(), stopping.clone()));
    workers.spawn(due::run(Arc::clone(&app), tell_trouble, stopping.clone()));
    workers.spawn(denied_attempts::run(Arc::clone(&app), waiting_attempts, stopping.clone()));
    workers.spawn(failed_sign_ins::run(Arc::clone(&app), waiting_failures, stopping));

    announce(&public_url, address);
    if let MailPlace::Outbox = config.mail {
        tracing::info!(
            "mails are not sent but written to `{}`; set --mail to send them",
            config.data.join("outbox").display()
        );
    }
    answer_requests(listener, Arc::clone(&app), signals, told).await?;
    stop.send_replace(true);
    while workers.join_next().await.is_some() {}
    others.abort();
    forgetting.abort();
    app.log.close().await;
    settle(&config.data);
    tracing::info!("stopped");
    Ok(())
}

/// Answers requests until the process is told to stop, and finishes those that are under way.
async fn answer_requests(
    listener: TcpListener,
    app: Arc<App>,
    signals: Signals,
    told: watch::Sender<bool>,
) -> anyhow::Result<()> {
    let service = ServiceExt::<Request>::into_make_service_with_connect_info::<SocketAddr>(
        http::service(app),
    );
    let mut was_told = told.subscribe();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        signals.told().await;
        told.send_replace(true);
    });
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        served = &mut server => served?,
        () = async {
            drop(was_told.wait_for(|told| *told).await);
            tokio::time::sleep(FINISH_WITHIN).await;
        } => tracing::warn!("requests that were still under way are cut off"),
    }
    Ok(())
}

/// The credentials of the operator and of the provisioners.
fn tokens(config: &Config) -> anyhow::Result<[InstallationToken; 2]> {
    let token = |configured: &Option<_>, holder| {
        InstallationToken::configured_or_in(configured.as_ref(), holder, &config.data)
    };
    let operator = token(&config.operator_token, Holder::Operator)?;
    Ok([operator, token(&config.provisioner_token, Holder::Provisioner)?])
}

/// The machine's clock, or one that tests move. Time must not go back, so one that was moved can
/// never be left again.
async fn clock(config: &Config, operational: &Operational) -> anyhow::Result<Clock> {
    if config.test_clock {
        tracing::warn!("the clock can be moved by the operator: this installation is for tests");
        return Ok(Clock::movable(operational).await?);
    }
    if operational.clock_ahead().await? > 0 {
        bail!("the clock of this installation was moved; start it with --test-clock");
    }
    Ok(Clock::default())
}

/// Leaves each embedded database as one file.
fn settle(data: &Path) {
    for name in ["log.db", "keyring.db", "state.db", "read.db"] {
        let path = data.join(name);
        if path.exists()
            && let Err(error) = sqlite_file::settle(&path)
        {
            tracing::warn!(error = causes(&error), "a write-ahead log is left beside `{name}`");
        }
    }
}

fn announce(public_url: &str, address: SocketAddr) {
    tracing::info!(%address, public_url, "serving");
    let nobody_else_reaches = ["://127.", "://localhost", "://[::1]", "://0.0.0.0", "://[::]"];
    if nobody_else_reaches.iter().any(|host| public_url.contains(host)) {
        tracing::info!(
            "the public URL names no host that others reach: what this log proves is for trial; \
             set --public-url before the first start to name it for good"
        );
    }
    eprintln!("chancery serves on http://{address}");
}

/// The signals that ask the program to stop, heard from the moment this exists.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn hear() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn told(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping");
    }
}

impl Stores {
    /// `public_url` names the log if this is where it begins.
    pub(crate) async fn open(config: &Config, public_url: &str) -> anyhow::Result<Self> {
        make_folder(&config.data)?;
        let pool = match &config.database {
            Database::Sqlite => None,
            Database::Postgres(url) => {
                let pool = postgres_database::connect(url.expose_secret()).await;
                Some(pool.context("cannot use the database")?)
            }
        };
        let log = Arc::new(open_log(config).await?);
        let keys = match &pool {
            None => keyring::Store::sqlite(&config.data.join("keyring.db"))?,
            Some(pool) => keyring::Store::postgres(pool.clone()),
        };
        // the platform's stream has the log's first event; a shared server may hold other logs
        let first = last_of_platform(&log).await.context("cannot read the event log")?;
        let nothing_written = first.is_none() && keys.is_empty().await?;
        let master = MasterKey::read_or_make(&config.master_key_file, nothing_written)?;
        // in this order, so that a log that has begun always has its keyring
        let keyring = Keyring::open(keys, master, nothing_written).await?;
        let (log_id, origin) = initialize(&log, public_url).await?;
        let keyring = keyring.bound_to(log_id);
        let (operational, read_store) = match pool {
            None => (
                Operational::sqlite(&config.data.join("state.db"))?,
                ReadStore::sqlite(&config.data.join("read.db"), log_id).await?,
            ),
            Some(pool) => {
                (Operational::postgres(pool.clone()), ReadStore::postgres(pool, log_id).await?)
            }
        };
        Ok(Self { log, read_store: Arc::new(read_store), keyring, operational, origin })
    }
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    if fs::metadata(path).is_ok_and(|found| found.is_dir()) {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the data folder `{}`", path.display()))
}

/// The log of a configuration, to write and to read.
async fn open_log(config: &Config) -> anyhow::Result<EventLog> {
    match (&config.event_log, &config.database) {
        (EventLogPlace::InDatabase, Database::Sqlite) => {
            Ok(EventLog::sqlite(&config.data.join("log.db"))?)
        }
        (EventLogPlace::InDatabase, Database::Postgres(url)) => {
            Ok(EventLog::postgres(url.expose_secret()).await?)
        }
        #[cfg(feature = "eventstore")]
        (EventLogPlace::EventStoreDb(url), _) => {
            Ok(EventLog::event_store_db(url.expose_secret()).await?)
        }
        #[cfg(not(feature = "eventstore"))]
        (EventLogPlace::EventStoreDb(_), _) => unreachable!("refused by the configuration"),
    }
}

/// The same, only to read: also beside a server that writes it.
pub(crate) async fn open_reader(config: &Config) -> anyhow::Result<LogReader> {
    match (&config.event_log, &config.database) {
        (EventLogPlace::InDatabase, Database::Sqlite) => {
            Ok(LogReader::sqlite(&config.data.join("log.db"))?)
        }
        (EventLogPlace::InDatabase, Database::Postgres(url)) => {
            Ok(LogReader::postgres(url.expose_secret())?)
        }
        #[cfg(feature = "eventstore")]
        (EventLogPlace::EventStoreDb(url), _) => {
            Ok(LogReader::event_store_db(url.expose_secret()).await?)
        }
        #[cfg(not(feature = "eventstore"))]
        (EventLogPlace::EventStoreDb(_), _) => unreachable!("refused by the configuration"),
    }
}

/// What the installation says of itself before anybody asks: its first keys, and its catalogue.
async fn begin_platform(app: &App, config: &Config) -> anyhow::Result<()> {
    signing_key::introduce_first(app).await.context("cannot introduce the first signing keys")?;
    if let Some(catalogue) = config.catalogue.clone() {
        let taken_in = execute::platform::take_in_catalogue(app, catalogue).await;
        taken_in.context("cannot take in the catalogue of plans")?;
    }
    Ok(())
}

/// The last version of the platform's stream. A node that starts on a busy machine, or beside its
/// log's server, is given a while until it can read the log.
async fn last_of_platform(log: &EventLog) -> Result<Option<u64>, ReadError> {
    let began = Instant::now();
    loop {
        match log.last_version(&Stream::Platform).await {
            Err(ReadError::Unavailable(_)) if began.elapsed() < READABLE_WITHIN => {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            answer => return answer,
        }
    }
}

/// The log's id and origin: from its first event, which this writes when there is none. Of two nodes that
/// start at once one writes it, and both read it.
async fn initialize(log: &EventLog, public_url: &str) -> anyhow::Result<(Uuid, String)> {
    loop {
        if last_of_platform(log).await?.is_some() {
            let platform: Platform = fold::state_at(log, Stream::Platform, 0).await?;
            let log_id = platform.log_id;
            let log_id = log_id.context("the platform's stream does not name the log")?;
            return Ok((log_id, platform.origin));
        }
        let log_id = Uuid::new_v4();
        let command = CommandId(Uuid::new_v4());
        let origin = public_url.split_once("://").map_or(public_url, |(_, rest)| rest).to_owned();
        let cause = Cause { command, body: BodyMac([0; 32]), request: Uuid::nil(), token: None };
        let id = EventId::of_command(log_id, command, &Stream::Platform, 0);
        let mut draft = Draft {
            stream: &Stream::Platform,
            version: 0,
            id,
            at: Clock::default().now(),
            actor: &Actor::System,
            cause: &cause,
            ip_address: Personal::Absent,
            user_agent: Personal::Absent,
            event: Event::Platform(platform::Event::Initialized { log_id, origin }),
            prev: Link::FIRST,
        };
        let encoded = events::wire::encode(&mut draft, |_| [0; 16])?;
        let first = NewEvent { id, kind: encoded.kind, line: encoded.line, sealed: Vec::new() };
        match log.append(&Stream::Platform, Expected::NoStream, vec![first]).await {
            Ok(_) | Err(AppendError::Conflict { .. }) => {}
            Err(error) => return Err(error).context("cannot begin the event log"),
        }
    }
}
