//! Operator verbs on the read models: how far they are, build them anew, and compare them with what
//! the log says. They open the stores themselves; on SQLite the server must be stopped.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use events::recorded::Position;
use projections::{ALL, Key, Model, Written, ledger};
use tokio::sync::watch;

use crate::config::Config;
use crate::event_log::Pages;
use crate::projector::ledger::{Follower as Ledger, leaf};
use crate::projector::{Projector, Standing, decode};
use crate::read_store::{Advance, Progress, Status};
use crate::serve::Stores;

const PAGE: usize = 1000;
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Every read model, those that advance together and the trees over the logs.
fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|model| model.name()).chain([ledger::NAME])
}

async fn open(config: &Config) -> anyhow::Result<Stores> {
    Stores::open(config, &config.public_url_at(config.listen)).await
}

/// Prints how far each read model has come.
pub async fn status(config: &Config) -> anyhow::Result<()> {
    let stores = open(config).await?;
    let head = stores.log.head().await?;
    let live = stores.read_store.position().await?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "MODEL\tSTATUS\tPOSITION\tHEAD")?;
    for Progress { name, status, position, error, .. } in stores.read_store.progress().await? {
        let position = if status == Status::Live { live } else { position };
        writeln!(out, "{name}\t{}\t{position}\t{head}", status.as_str())?;
        if let Some(error) = error {
            eprintln!("{name}: {error}");
        }
    }
    Ok(())
}

/// Removes every row and builds all read models from the first event.
pub async fn rebuild(config: &Config) -> anyhow::Result<()> {
    let stores = open(config).await?;
    let owner = format!("rebuild:{}", std::process::id());
    let Some(lease) = stores.read_store.lease(&owner).await? else {
        bail!("a server advances the read models now; stop it first");
    };
    let building = |model: &&dyn Model| Progress {
        name: model.name().to_owned(),
        version: model.version(),
        status: Status::Building,
        position: Position::default(),
        error: None,
    };
    let emptied = Advance {
        epoch: lease.epoch,
        from: lease.position,
        // from the beginning: the log may be another, or an older copy, than they were built from
        to: Position::default(),
        anchor: None,
        writes: Vec::new(),
        progress: ALL.iter().map(building).chain([Ledger::new(None).0.progress(None)]).collect(),
        cleared: names().map(str::to_owned).collect(),
    };
    if !stores.read_store.advance(emptied).await? {
        bail!("a server took the read models over; stop it first");
    }
    let head = stores.log.head().await?;
    let (stop, stopping) = watch::channel(false);
    let projector = Projector::new(stores.log.clone(), stores.read_store.clone(), owner);
    let standing = projector.standing();
    let running = tokio::spawn(projector.run(stopping));
    loop {
        if let Standing::Stopped(why) = &*standing.borrow() {
            bail!("{why}");
        }
        let progress = stores.read_store.progress().await?;
        if let Some(stuck) = progress.iter().find(|model| model.status == Status::Stuck) {
            bail!("`{}` is stuck {}", stuck.name, stuck.error.as_deref().unwrap_or_default());
        }
        let all_live = progress.iter().all(|model| model.status == Status::Live);
        let all_there =
            progress.iter().filter(|it| it.name == ledger::NAME).all(|it| it.position >= head);
        if all_live && all_there && stores.read_store.position().await? >= head {
            break;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    stop.send_replace(true);
    running.await.context("the projector failed")?;
    eprintln!("{} read models were built anew up to position {head}", names().count());
    Ok(())
}

/// Folds the whole log and compares with the stored rows; prints each difference and gives their
/// number.
pub async fn diff(config: &Config) -> anyhow::Result<usize> {
    let stores = open(config).await?;
    let up_to = stores.read_store.position().await?;
    let mut differences = 0;
    for model in ALL {
        let expected = folded(&stores, model, up_to).await?;
        let rows = expected.len();
        let found = compare(&stores, model.name(), expected).await?;
        eprintln!("{}: {rows} rows, {found} differences", model.name());
        differences += found;
    }
    let progress = stores.read_store.progress().await?;
    let up_to =
        progress.iter().find(|it| it.name == ledger::NAME).map_or(Position(0), |it| it.position);
    let expected = grown(&stores, up_to).await?;
    let rows = expected.len();
    let found = compare(&stores, ledger::NAME, expected).await?;
    eprintln!("{}: {rows} rows, {found} differences", ledger::NAME);
    Ok(differences + found)
}

/// The trees over the logs when they are built from the first line.
async fn grown(stores: &Stores, up_to: Position) -> anyhow::Result<BTreeMap<Key, Written>> {
    let mut rows: BTreeMap<Key, Written> = BTreeMap::new();
    let mut position = Position::default();
    let mut pages = Pages::after(&stores.log, position, PAGE);
    while position < up_to {
        let page = pages.next().await?;
        position = page.next;
        let events = page.events.iter().filter(|event| event.position <= up_to);
        let leaves = events.filter_map(|event| leaf(event).transpose());
        let leaves = leaves.collect::<Result<Vec<_>, _>>()?;
        let wanted = ledger::wanted(&leaves).into_iter();
        let stored = wanted.filter_map(|key| rows.get(&key)?.body.clone().map(|body| (key, body)));
        for row in ledger::grow(&leaves, &stored.collect::<HashMap<_, _>>())? {
            rows.insert(row.key.clone(), row);
        }
        if page.at_head {
            break;
        }
    }
    Ok(rows)
}

/// The rows a model has when it is built from the first event.
async fn folded(
    stores: &Stores,
    model: &'static dyn Model,
    up_to: Position,
) -> anyhow::Result<BTreeMap<Key, Written>> {
    let mut rows: BTreeMap<Key, Written> = BTreeMap::new();
    let mut position = Position::default();
    let mut pages = Pages::after(&stores.log, position, PAGE);
    while position < up_to {
        let mut page = pages.next().await?;
        position = page.next;
        page.events.retain(|event| event.position <= up_to);
        let touched = model.project(&decode(&page)?);
        let wanted = touched.wanted();
        let stored = wanted.iter().filter_map(|key| {
            let row = rows.get(key)?;
            Some((key.clone(), row.body.clone()?))
        });
        for row in touched.apply(stored.collect())? {
            if row.ends_scope() {
                rows.retain(|key, _| key.scope != row.key.scope);
            } else if row.ends_before() {
                rows.retain(|key, kept| key.scope != row.key.scope || kept.sort >= row.sort);
            } else if row.body.is_some() {
                rows.insert(row.key.clone(), row);
            } else {
                rows.remove(&row.key);
            }
        }
        if page.at_head {
            break;
        }
    }
    Ok(rows)
}

async fn compare(
    stores: &Stores,
    model: &'static str,
    mut expected: BTreeMap<Key, Written>,
) -> anyhow::Result<usize> {
    let mut differences = 0;
    let mut out = std::io::stdout().lock();
    let mut report = |what: &str, key: &Key| {
        differences += 1;
        writeln!(out, "{model}\t{what}\t{}\t{}", key.scope, key.id)
    };
    let mut after = Key { scope: String::new(), id: String::new() };
    loop {
        let stored = stores.read_store.all_rows(model, &after, PAGE).await?;
        let Some(last) = stored.last() else { break };
        after = last.key.clone();
        for row in stored {
            match expected.remove(&row.key) {
                Some(same) if same == row => {}
                Some(_) => report("differs", &row.key)?,
                None => report("unexpected", &row.key)?,
            }
        }
    }
    for key in expected.keys() {
        report("missing", key)?;
    }
    Ok(differences)
}
