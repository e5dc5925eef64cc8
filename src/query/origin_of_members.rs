//! From which addresses the members of an organization came lately, as its audit log and their
//! sessions tell.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use events::id::AccountId;
use events::personal::Opened;
use events::recorded::Actor;
use events::time::Time;
use projections::audit_trail::Entry;

use super::audit_trail::{self, Filter};
use super::{Error, Page, opened, person};
use crate::access::Access;
use crate::{App, session_activity};

/// Entries that are looked at, the newest first.
const MOST_ENTRIES: usize = 20_000;
const PAGE: usize = 1000;

pub(crate) struct Origins {
    /// Of those who were seen; the address seen last comes first.
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

/// `members` are those whose addresses are told.
pub(crate) async fn since(
    app: &App,
    access: &Access,
    members: &BTreeSet<AccountId>,
    since: Time,
) -> Result<Origins, Error> {
    let filter = Filter { since: Some(since), ..Filter::default() };
    let (mut seen, mut entries, mut before) = (Seen::default(), 0, None);
    let is_complete = loop {
        let Page { items, next } = audit_trail::list(app, access, &filter, before, PAGE).await?;
        entries += items.len();
        for entry in items {
            seen.take_entry(app, entry, members).await?;
        }
        match next.and_then(|next| next.parse().ok()) {
            None => break true,
            Some(_) if entries >= MOST_ENTRIES => break false,
            next => before = next,
        }
    };
    seen.take_sessions(app, members, since).await?;
    Ok(Origins { members: seen.told(), entries, is_complete })
}

#[derive(Default)]
struct Seen(BTreeMap<AccountId, HashMap<IpAddr, Time>>);

impl Seen {
    async fn take_entry(
        &mut self,
        app: &App,
        entry: Entry,
        members: &BTreeSet<AccountId>,
    ) -> Result<(), Error> {
        let Actor::Account(account) = entry.actor else { return Ok(()) };
        if !members.contains(&account) {
            return Ok(());
        }
        let Some(Opened::Known(text)) = opened(app, entry.ip_address.as_ref()).await? else {
            return Ok(());
        };
        if let Ok(address) = text.parse() {
            self.note(account, address, entry.at);
        }
        Ok(())
    }

    async fn take_sessions(
        &mut self,
        app: &App,
        members: &BTreeSet<AccountId>,
        since: Time,
    ) -> Result<(), Error> {
        let accounts: Vec<AccountId> = members.iter().copied().collect();
        for accounts in accounts.chunks(PAGE) {
            let people = person::all(app, accounts).await?.into_iter().flatten();
            // whatever is theirs is sealed under one key
            let subject = |person: projections::person::Person| {
                let sealed = person.name.or(person.email)?;
                Some((person.account, sealed.subject))
            };
            let subjects = people.filter_map(subject).collect();
            for (account, address, at) in
                session_activity::addresses_since(app, &subjects, since).await?
            {
                self.note(account, address, at);
            }
        }
        Ok(())
    }

    fn note(&mut self, account: AccountId, address: IpAddr, at: Time) {
        let last = self.0.entry(account).or_default().entry(address).or_default();
        *last = at.max(*last);
    }

    fn told(self) -> BTreeMap<AccountId, Vec<Origin>> {
        let told = |(account, origins): (AccountId, HashMap<IpAddr, Time>)| {
            let origin = |(address, last_seen_at)| Origin { address, last_seen_at };
            let mut origins: Vec<Origin> = origins.into_iter().map(origin).collect();
            origins.sort_by_key(|origin| (std::cmp::Reverse(origin.last_seen_at), origin.address));
            (account, origins)
        };
        self.0.into_iter().map(told).collect()
    }
}
