//! From which addresses the members of an organization came lately, as its audit log tells.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use events::id::AccountId;
use events::personal::Opened;
use events::recorded::Actor;
use events::time::Time;
use projections::audit_trail::Entry;

use super::audit_trail::{self, Filter};
use super::{Error, Page, opened};
use crate::App;
use crate::access::{self, Access};

/// Entries that are looked at, the newest first.
const MOST_ENTRIES: usize = 20_000;
const PAGE: usize = 1000;

pub(crate) struct Origins {
    /// Only of those who are members now; the address seen last comes first.
    pub(crate) members: BTreeMap<AccountId, Vec<Origin>>,
    pub(crate) entries: usize,
    /// There were no more entries.
    pub(crate) is_complete: bool,
}

#[derive(Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) address: IpAddr,
    pub(crate) last_seen_at: Time,
}

pub(crate) async fn since(app: &App, access: &Access, since: Time) -> Result<Origins, Error> {
    let filter = Filter { since: Some(since), ..Filter::default() };
    let (mut seen, mut entries, mut before) = (Seen::default(), 0, None);
    let is_complete = loop {
        let Page { items, next } = audit_trail::list(app, access, &filter, before, PAGE).await?;
        entries += items.len();
        for entry in items {
            seen.take(app, entry).await?;
        }
        match next.and_then(|next| next.parse().ok()) {
            None => break true,
            Some(_) if entries >= MOST_ENTRIES => break false,
            next => before = next,
        }
    };
    let accounts: Vec<AccountId> = seen.0.keys().copied().collect();
    let are_members = access::are_members(app, access.organization(), &accounts).await?;
    let members = seen.0.into_iter().zip(are_members).filter(|(_, is_member)| *is_member);
    let members = members.map(|((account, origins), _)| {
        let origin = |(address, last_seen_at)| Origin { address, last_seen_at };
        let mut origins: Vec<Origin> = origins.into_iter().map(origin).collect();
        origins.sort_by_key(|origin| (std::cmp::Reverse(origin.last_seen_at), origin.address));
        (account, origins)
    });
    Ok(Origins { members: members.collect(), entries, is_complete })
}

#[derive(Default)]
struct Seen(BTreeMap<AccountId, HashMap<IpAddr, Time>>);

impl Seen {
    async fn take(&mut self, app: &App, entry: Entry) -> Result<(), Error> {
        let Actor::Account(account) = entry.actor else { return Ok(()) };
        let Some(Opened::Known(text)) = opened(app, entry.ip_address.as_ref()).await? else {
            return Ok(());
        };
        if let Ok(address) = text.parse() {
            let last = self.0.entry(account).or_default().entry(address).or_default();
            *last = entry.at.max(*last);
        }
        Ok(())
    }
}
