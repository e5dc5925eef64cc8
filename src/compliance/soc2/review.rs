//! Access was reviewed often enough, each review was about everything that was still there, and what
//! it took away was gone in time.

use std::collections::BTreeMap;

use events::access_review::{self, Decision, Item};
use events::declaration::Content;
use events::id::ReviewId;
use events::recorded::Recorded;
use events::time::Time;
use events::{Event, membership, token};
use serde_json::json;

use super::verification::gaps;
use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::{Findings, Recording};
use crate::compliance::evaluation::log::{Log, Period};

/// Something that a review took away.
struct Removal {
    review: ReviewId,
    item: Item,
    completed_at: Time,
    version: u64,
    gone_at: Option<Time>,
}

/// A review that was completed.
struct Completed {
    review: ReviewId,
    at: Time,
    version: u64,
    undecided: u64,
    items: u64,
}

pub(crate) struct Reviews {
    most_gap: i64,
    /// Instead, where databases support critical or important functions.
    most_gap_if_critical: Option<i64>,
    most_delay: i64,
    completed: Vec<Completed>,
    removals: Vec<Removal>,
    /// Which of the removals wait for this.
    awaited: BTreeMap<Item, Vec<usize>>,
}

impl Reviews {
    pub(crate) fn new(
        most_gap_seconds: i64,
        most_gap_seconds_if_critical: Option<i64>,
        most_delay_seconds: i64,
    ) -> Self {
        Self {
            most_gap: most_gap_seconds.saturating_mul(1000),
            most_gap_if_critical: most_gap_seconds_if_critical.map(|it| it.saturating_mul(1000)),
            most_delay: most_delay_seconds.saturating_mul(1000),
            completed: Vec::new(),
            removals: Vec::new(),
            awaited: BTreeMap::new(),
        }
    }

    fn complete(&mut self, log: &Log, version: u64, review: ReviewId) {
        let organization = &log.organization;
        let Some(known) = organization.declared().review(review) else { return };
        let undecided = known.undecided(organization, log.now).count() as u64;
        let items = known.items.len() as u64;
        self.completed.push(Completed { review, at: log.now, version, undecided, items });
        for (item, reviewed) in &known.items {
            let decision = reviewed.decided.as_ref().map(|decided| decided.decision);
            if decision != Some(Decision::Remove) {
                continue;
            }
            let is_there = access_review::is_there(organization, *item, log.now);
            if is_there {
                self.awaited.entry(*item).or_default().push(self.removals.len());
            }
            let gone_at = (!is_there).then_some(log.now);
            let (item, completed_at) = (*item, log.now);
            self.removals.push(Removal { review, item, completed_at, version, gone_at });
        }
    }

    fn gone(&mut self, item: Item, at: Time) {
        for removal in self.awaited.remove(&item).unwrap_or_default() {
            self.removals[removal].gone_at.get_or_insert(at);
        }
    }
}

impl Check for Reviews {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        if let Event::AccessReview(access_review::Event::Completed { review, .. }) = &recorded.event
        {
            self.complete(log, recorded.version, *review);
        }
        if let Event::Token(token::Event::Revoked { token }) = &recorded.event {
            self.gone(Item::Token(*token), log.now);
        }
        if let Event::Membership(
            membership::Event::Removed { member, .. } | membership::Event::Left { member, .. },
        ) = &recorded.event
        {
            self.gone(Item::Member(*member), log.now);
            let theirs = self.awaited.keys().copied().filter(|item| match item {
                Item::Member(_) => false,
                Item::Token(token) => {
                    let token = log.organization.token(*token);
                    token.and_then(token::Token::acts_for) == Some(*member)
                }
            });
            for item in theirs.collect::<Vec<_>>() {
                self.gone(item, log.now);
            }
        }
    }

    fn finish(self: Box<Self>, log: &Log, window: Period) -> Findings {
        let first = self.completed.first().map(|completed| completed.at);
        let mut found = Findings { recording: Recording::Since(first), ..Findings::default() };
        for completed in &self.completed {
            if !log.period.contains(completed.at) {
                continue;
            }
            found.cited.add(completed.version);
            found.member(&json!({
                "completed_at": completed.at,
                "items": completed.items.to_string(),
                "review": completed.review,
                "version": completed.version,
            }));
            if completed.undecided > 0 {
                found.exceptions.push(json!({
                    "reason": "completed without a decision on everything",
                    "review": completed.review,
                    "undecided": completed.undecided.to_string(),
                    "versions": [completed.version],
                }));
            }
        }
        let late = self.removals.iter().filter(|removal| self.is_late(log, removal));
        found.exceptions.extend(late.map(|removal| {
            json!({
                "item": removal.item,
                "reason": "not taken away in time",
                "review": removal.review,
                "versions": [removal.version],
            })
        }));
        let most_gap = self.most_gap_at(log);
        found.observe("most_gap_seconds", most_gap / 1000);
        if first.is_some_and(|first| first <= window.from) {
            let times: Vec<_> = self.completed.iter().map(|completed| completed.at).collect();
            found.exceptions.extend(gaps(&times, window, most_gap).into_iter().map(|gap| {
                json!({
                    "gap_from": gap.from,
                    "gap_to": gap.to,
                    "reason": "not reviewed for too long",
                })
            }));
        }
        found
    }
}

impl Reviews {
    /// Whether something was still there at a deadline that lies in the period.
    fn is_late(&self, log: &Log, removal: &Removal) -> bool {
        let deadline =
            Time::from_millis(removal.completed_at.millis().saturating_add(self.most_delay));
        let over = match removal.item {
            Item::Member(_) => None,
            Item::Token(token) => log.organization.token(token).and_then(|token| {
                [token.expires_at, token.replaced.map(|(_, until)| until)]
                    .into_iter()
                    .flatten()
                    .min()
            }),
        };
        let gone_at = [removal.gone_at, over, log.deleted_at].into_iter().flatten().min();
        log.period.contains(deadline) && gone_at.is_none_or(|gone_at| gone_at > deadline)
    }

    fn most_gap_at(&self, log: &Log) -> i64 {
        let declarations = log.organization.declared().declarations();
        let is_critical = |content: &Content| matches!(content, Content::DoraFunction(function) if function.is_critical_or_important);
        let has_critical = declarations.into_iter().any(|(_, it)| is_critical(&it.content));
        self.most_gap_if_critical.filter(|_| has_critical).unwrap_or(self.most_gap)
    }
}
