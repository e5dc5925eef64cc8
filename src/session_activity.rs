//! From where and when each session was last used: neither fact nor secret. Gathered in memory and
//! kept every few seconds, at most once a minute for each session; a crash loses the last of it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use events::id::{AccountId, SessionId, SubjectId};
use events::personal::Opened;
use events::time::Time;
use quick_cache::sync::Cache;
use tokio::sync::watch;

use crate::App;
use crate::causes::causes;
use crate::execute::Client;
use crate::failure::Failure;
use crate::identity::Identity;
use crate::operational::KeptActivity;

const NOTED: usize = 50_000;
const MINUTE_MILLIS: i64 = 60_000;
const BETWEEN_SAVES: Duration = Duration::from_secs(5);
/// Longer than any session lives.
const KEPT: Duration = Duration::from_hours(91 * 24);
const SAVES_BETWEEN_SWEEPS: u32 = 720;

/// One session's last use.
#[derive(Clone)]
struct Use {
    account: AccountId,
    subject: SubjectId,
    at: Time,
    device: Option<String>,
    ip_address: Option<String>,
}

/// What is known of a session's last use. Personal values are opened.
pub(crate) struct LastUse {
    pub(crate) session: SessionId,
    pub(crate) at: Time,
    pub(crate) device: Option<Opened>,
    pub(crate) ip_address: Option<Opened>,
}

pub(crate) struct SessionActivity {
    /// The minute in which each session's use was noted last.
    noted: Cache<SessionId, i64>,
    unsaved: Mutex<HashMap<SessionId, Use>>,
}

impl Default for SessionActivity {
    fn default() -> Self {
        Self { noted: Cache::new(NOTED), unsaved: Mutex::default() }
    }
}

/// Notes that a request came with a session.
pub(crate) fn note(app: &App, identity: &Identity, client: &Client) {
    let Some(session) = identity.session else { return };
    note_use(app, session.id, identity.account, client);
}

/// Notes that a session was used, or has just begun.
pub(crate) fn note_use(app: &App, session: SessionId, account: AccountId, client: &Client) {
    let at = app.clock.now();
    let minute = at.millis().div_euclid(MINUTE_MILLIS);
    if app.activity.noted.get(&session) == Some(minute) {
        return;
    }
    app.activity.noted.insert(session, minute);
    let last = Use {
        account,
        subject: client.subject,
        at,
        device: client.user_agent.clone(),
        ip_address: client.ip_address.clone(),
    };
    app.activity.unsaved.lock().expect("nothing panics with the lock held").insert(session, last);
}

/// Keeps what was noted; returns when it is kept.
async fn save(app: &App) -> Result<(), Failure> {
    let unsaved = std::mem::take(
        &mut *app.activity.unsaved.lock().expect("nothing panics with the lock held"),
    );
    if unsaved.is_empty() {
        return Ok(());
    }
    let mut kept = Vec::with_capacity(unsaved.len());
    for (session, last) in unsaved {
        let seal = async |field: &str, value: &Option<String>| match value {
            Some(value) => app.keyring.seal_text(last.subject, &place(session, field), value).await,
            None => Ok(None),
        };
        let device = seal("device", &last.device).await?;
        let ip_address = seal("ip_address", &last.ip_address).await?;
        // whose values cannot be sealed is erased
        if last.ip_address.is_some() && ip_address.is_none() {
            continue;
        }
        let (account, used_at) = (last.account, last.at);
        kept.push(KeptActivity { session, account, used_at, device, ip_address });
    }
    // in one order on every node, so that none waits for another in a circle
    kept.sort_unstable_by_key(|kept| kept.session);
    Ok(app.operational.keep_activity(kept).await?)
}

fn place(session: SessionId, field: &str) -> Vec<u8> {
    [b"session activity ".as_slice(), session.0.as_bytes(), field.as_bytes()].concat()
}

/// What is known of the sessions of an account, whose values are sealed under `subject`.
pub(crate) async fn of_account(
    app: &App,
    account: AccountId,
    subject: SubjectId,
) -> Result<Vec<LastUse>, Failure> {
    save(app).await?;
    let kept = app.operational.activity_of(&[account]).await?;
    let mut found = Vec::with_capacity(kept.len());
    for KeptActivity { session, account: _, used_at, device, ip_address } in kept {
        let open = async |field: &str, sealed: &Option<Vec<u8>>| match sealed {
            Some(sealed) => {
                app.keyring.open_text(subject, &place(session, field), sealed).await.map(Some)
            }
            None => Ok(None),
        };
        found.push(LastUse {
            session,
            at: used_at,
            device: open("device", &device).await?,
            ip_address: open("ip_address", &ip_address).await?,
        });
    }
    Ok(found)
}

/// When accounts last came with a session, as far as this node knows. Those that never did, or with
/// a password only, are not named.
pub(crate) async fn last_seen(
    app: &App,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Time>, Failure> {
    let kept = app.operational.activity_of(accounts).await?;
    let mut seen: HashMap<AccountId, Time> = HashMap::with_capacity(accounts.len());
    let mut note = |account: AccountId, at: Time| {
        let last = seen.entry(account).or_insert(at);
        *last = at.max(*last);
    };
    for kept in &kept {
        note(kept.account, kept.used_at);
    }
    let unsaved = app.activity.unsaved.lock().expect("nothing panics with the lock held");
    let unsaved = unsaved.values().filter(|last| accounts.contains(&last.account));
    unsaved.for_each(|last| note(last.account, last.at));
    Ok(seen)
}

/// Forgets from where and when somebody's sessions were used. What another node has noted of them
/// and not kept yet is sealed under a key that is gone, and so is not kept.
pub(crate) async fn forget(app: &App, account: AccountId) -> Result<(), Failure> {
    {
        let unsaved = &app.activity.unsaved;
        let mut unsaved = unsaved.lock().expect("nothing panics with the lock held");
        unsaved.retain(|_, last| last.account != account);
    }
    Ok(app.operational.forget_activity_of(account).await?)
}

/// From which addresses people came with sessions since then, each with the subject under which
/// their values are sealed.
pub(crate) async fn addresses_since(
    app: &App,
    people: &HashMap<AccountId, SubjectId>,
    since: Time,
) -> Result<Vec<(AccountId, IpAddr, Time)>, Failure> {
    save(app).await?;
    let accounts: Vec<AccountId> = people.keys().copied().collect();
    let mut found = Vec::new();
    for kept in app.operational.activity_of(&accounts).await? {
        let KeptActivity { session, account, used_at, ip_address, .. } = kept;
        let (Some(sealed), true) = (ip_address, used_at >= since) else { continue };
        let place = place(session, "ip_address");
        let opened = app.keyring.open_text(people[&account], &place, &sealed).await?;
        if let Opened::Known(text) = opened
            && let Ok(address) = text.parse()
        {
            found.push((account, address, used_at));
        }
    }
    Ok(found)
}

/// Runs until it is told to stop, and keeps what was noted until then.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    for round in 0_u32.. {
        let stopping = tokio::time::timeout(BETWEEN_SAVES, stop.wait_for(|stop| *stop));
        let is_stopped = stopping.await.is_ok();
        if let Err(error) = save(&app).await {
            tracing::warn!(error = causes(&error), "the last use of some sessions is not kept");
        }
        if is_stopped {
            return;
        }
        if round % SAVES_BETWEEN_SWEEPS == 0 {
            let before = Time::from_millis(
                app.clock.now().millis() - i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX),
            );
            if let Err(error) = app.operational.forget_activity(before).await {
                tracing::warn!(error = causes(&error), "old session activity is not removed");
            }
        }
    }
}
