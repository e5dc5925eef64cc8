//! The server and the command line.

mod access;
mod address;
mod api_token;
mod catalogue;
mod causes;
mod clock;
mod compliance;
pub mod config;
mod denied_attempts;
mod dsse;
mod due;
mod ended_leases;
mod engine;
mod erasure;
pub mod event_log;
mod execute;
mod export;
mod fail_point;
mod failed_sign_ins;
mod failure;
mod file_lock;
mod fold;
mod forgotten;
mod html;
mod http;
mod identity;
pub mod in_order;
mod installation_token;
mod keyring;
mod link_secret;
pub mod log_verification;
mod mail;
mod metrics;
mod node;
mod note;
mod open_streams;
mod operational;
mod packet;
mod paper;
mod password;
mod past;
mod payment;
pub mod pieces;
mod postgres_database;
mod projector;
mod public_key;
mod query;
mod random;
mod rate_limit;
mod reactions;
mod read_store;
mod readiness;
pub mod rebuild;
pub mod recompute;
pub mod replay;
mod seal;
mod second_factor;
pub mod serve;
mod session_activity;
mod session_token;
mod signer;
mod signing_key;
mod sqlite_file;
mod token_activity;
mod trail;
pub mod verify;

use std::sync::Arc;

use events::account::Account;
use events::id::AccountId;
use events::organization::Organization;
use events::platform::Platform;
use quick_cache::sync::Cache;

/// Everything a request needs, put together once at the start.
pub struct App {
    log: Arc<event_log::EventLog>,
    read_store: Arc<read_store::ReadStore>,
    keyring: keyring::Keyring,
    operational: operational::Operational,
    clock: clock::Clock,
    operator_token: installation_token::InstallationToken,
    provisioner_token: installation_token::InstallationToken,
    passwords: password::Passwords,
    proven: identity::ProvenPairs,
    payments: payment::Payments,
    rate_limits: rate_limit::RateLimits,
    activity: session_activity::SessionActivity,
    token_activity: token_activity::TokenActivity,
    credentials: query::credential::Known,
    /// Addresses whose owners want to set a password.
    forgotten: tokio::sync::mpsc::Sender<address::Address>,
    /// What this node is called among those that share its database.
    node: String,
    /// How the world reaches this server: scheme and authority.
    public_url: String,
    /// Proxies that are believed about where requests come from.
    trusted_proxies: Vec<ipnet::IpNet>,
    running: execute::Running,
    accounts: fold::Folds<Account>,
    addresses: fold::Folds<events::address::Address>,
    organizations: fold::Folds<Organization>,
    platform: fold::Folds<Platform>,
    usage_ends: execute::usage::Ends,
    signer: signer::Signer,
    /// What the log has called this installation since its first event.
    origin: String,
    metrics: metrics::Metrics,
    projector: tokio::sync::watch::Receiver<projector::Standing>,
    /// Why reactions do not come further.
    trouble: tokio::sync::watch::Receiver<reactions::Trouble>,
    post: mail::Post,
    denied_attempts: denied_attempts::Queue,
    failed_sign_ins: failed_sign_ins::Queue,
    past: past::Room,
    /// Packets are made one after the other.
    packets: tokio::sync::Mutex<()>,
    open_streams: open_streams::OpenStreams,
    ended_leases: ended_leases::EndedLeases,
    /// Accounts known to have their personal organization.
    complete_accounts: Cache<AccountId, ()>,
}
