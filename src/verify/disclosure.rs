//! V10: the personal values that a packet opens are those of its lines, each in its place, and none
//! is of a person who has been erased. Held in memory is a digest for each disclosed value, no value.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read};

use events::Event;
use events::id::{OrganizationId, SubjectId};
use events::personal::{self, FIELDS, OF_THE_ACTOR};
use events::recorded::{Actor, Recorded};
use events::{invitation, wire};
use serde::Deserialize;

use super::fault::{Checked, Fault, Reason, ensure};
use super::file::next_line;
use super::line::Passed;
use crate::packet::statement::Privacy;

/// A line of the log fits into its disclosure several times.
const LONGEST: usize = 4 * wire::LONGEST_LINE;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    disclosure: String,
    field: String,
    version: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Erased {
    subject: SubjectId,
    #[serde(rename = "erased_by_version")]
    by_version: u64,
    digests: Vec<String>,
}

struct Disclosed {
    version: u64,
    digest: String,
    field: &'static str,
    subject: SubjectId,
}

/// What is disclosed, and what is said to be withheld; the log's lines pass by it.
pub(super) struct Disclosures {
    organization: OrganizationId,
    /// In the order of versions once all are read.
    disclosed: Vec<Disclosed>,
    /// How many of them have been found in their lines.
    found: usize,
    /// Whose addresses and programs an account's events were disclosed as.
    actors: BTreeMap<Actor, SubjectId>,
    /// Said to stand in the log.
    withheld: BTreeSet<String>,
    /// Told after what is wrong with the lines themselves.
    fault: Option<Fault>,
}

impl Disclosures {
    pub(super) fn of(organization: OrganizationId, privacy: &Privacy) -> Checked<Self> {
        let withheld = erased(privacy)?.into_iter().flat_map(|erased| erased.digests).collect();
        let (disclosed, actors) = (Vec::new(), BTreeMap::new());
        Ok(Self { organization, disclosed, found: 0, actors, withheld, fault: None })
    }

    /// Takes a file with what is disclosed of one subject.
    pub(super) fn read(&mut self, subject: SubjectId, from: impl Read) -> Checked<()> {
        let mut from = BufReader::new(from);
        let mut line = Vec::new();
        let malformed = |why: String| Fault::new(Reason::DisclosureUnreadable, why);
        while next_line(&mut from, &mut line, LONGEST).map_err(|why| malformed(why.to_string()))? {
            let read = wire::is_canonical(&line).then(|| serde_json::from_slice(&line).ok());
            let Some(Some(Line { disclosure, field, version })) = read else {
                return Err(malformed("a line of it is no disclosure".to_owned()));
            };
            let named = personal::value_of(&disclosure, &field).and(known_field(&field));
            let field = named.ok_or_else(|| {
                let message = format!("a disclosure of version {version} is of another field");
                Fault::new(Reason::DisclosureField, message)
            })?;
            let digest = personal::digest(&disclosure);
            self.disclosed.push(Disclosed { version, digest, field, subject });
        }
        Ok(())
    }

    /// All files are read.
    pub(super) fn sort(&mut self) -> Checked<()> {
        self.disclosed.sort_by(|a, b| (a.version, &a.digest).cmp(&(b.version, &b.digest)));
        let is_same = |pair: &[Disclosed]| {
            (pair[0].version, &pair[0].digest) == (pair[1].version, &pair[1].digest)
        };
        ensure(!self.disclosed.windows(2).any(is_same), Reason::DisclosedTwice, || {
            "one value is disclosed twice".to_owned()
        })
    }

    /// The lines have passed: everything had its place. Says how many values are disclosed.
    pub(super) fn finish(self) -> Checked<usize> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if let Some(left) = self.disclosed.get(self.found) {
            let message = format!("version {} is not in the log", left.version);
            return Err(Fault::new(Reason::DisclosureDigest, message));
        }
        ensure(self.withheld.is_empty(), Reason::Privacy, || {
            "it says to withhold a value that the log does not have".to_owned()
        })?;
        Ok(self.disclosed.len())
    }

    fn compare(&mut self, line: &[u8], recorded: &Recorded) -> Checked<()> {
        let unreadable = |why: wire::Malformed| Fault::new(Reason::LineUnreadable, why.to_string());
        let digests = wire::head(line).map_err(unreadable)?.digests;
        for digest in &digests {
            self.withheld.remove(&**digest);
        }
        while self.disclosed.get(self.found).is_some_and(|it| it.version == recorded.version) {
            self.check(self.found, &digests, recorded)?;
            self.found += 1;
        }
        Ok(())
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "of other events the line does not say whose values they are"
    )]
    fn check(&mut self, at: usize, digests: &[Cow<'_, str>], recorded: &Recorded) -> Checked<()> {
        let disclosed = &self.disclosed[at];
        let (version, field, subject) = (disclosed.version, disclosed.field, disclosed.subject);
        let is_committed = digests.iter().any(|digest| *digest == disclosed.digest);
        ensure(is_committed, Reason::DisclosureDigest, || {
            format!("what is disclosed of version {version} is not what its line commits to")
        })?;
        ensure(belongs(field, recorded), Reason::DisclosureField, || {
            format!("an event like version {version} has no {field}")
        })?;
        let owner = if OF_THE_ACTOR.contains(&field) {
            match recorded.actor {
                Actor::Account(_) => *self.actors.entry(recorded.actor).or_insert(subject),
                Actor::Token(_) | Actor::Operator | Actor::System => subject,
            }
        } else {
            match &recorded.event {
                Event::Invitation(invitation::Event::Sent { invitee, .. }) => *invitee,
                Event::Organization(_) | Event::Setting(_) => self.organization.subject(),
                _ => subject,
            }
        };
        ensure(owner == subject, Reason::DisclosureSubject, || {
            format!("the {field} of version {version} is not of {subject}")
        })
    }
}

impl Passed for Disclosures {
    fn line(&mut self, line: &[u8], recorded: &Recorded) {
        let next = self.disclosed.get(self.found).map(|disclosed| disclosed.version);
        let is_of_interest = next == Some(recorded.version) || !self.withheld.is_empty();
        if is_of_interest && self.fault.is_none() {
            self.fault = self.compare(line, recorded).err();
        }
    }
}

fn known_field(name: &str) -> Option<&'static str> {
    let sealed = FIELDS.iter().flat_map(|(_, _, sealed)| sealed.iter());
    sealed.chain(&OF_THE_ACTOR).find(|field| **field == name).copied()
}

fn belongs(field: &str, recorded: &Recorded) -> bool {
    let kind = wire::kind(&recorded.event).0;
    let of_kind = FIELDS.iter().find(|(name, _, _)| *name == kind);
    OF_THE_ACTOR.contains(&field) || of_kind.is_some_and(|(_, _, sealed)| sealed.contains(&field))
}

fn erased(privacy: &Privacy) -> Checked<Vec<Erased>> {
    let read: Result<_, _> = privacy.erased.iter().map(Erased::deserialize).collect();
    read.map_err(|why| Fault::new(Reason::Privacy, format!("`privacy.erased`: {why}")))
}

/// What the statement says about people is what the files and the log say. `listed` are the
/// subjects that it lists files of, `gone` those whose files are not there any more.
pub(super) fn is_private(
    privacy: &Privacy,
    listed: &BTreeSet<SubjectId>,
    gone: &BTreeSet<SubjectId>,
    erased_by: &BTreeSet<(SubjectId, u64)>,
) -> Checked<()> {
    if let Some(subject) = listed
        .difference(gone)
        .find(|subject| erased_by.iter().any(|(erased, _)| erased == *subject))
    {
        let message = format!("it discloses values of {subject}, who has been erased");
        return Err(Fault::new(Reason::ErasedDisclosed, message));
    }
    let said: BTreeSet<_> = privacy.disclosed.iter().copied().collect();
    ensure(said == *listed, Reason::Privacy, || {
        "it discloses values of other people than it says".to_owned()
    })?;
    let said: BTreeSet<_> =
        erased(privacy)?.into_iter().map(|erased| (erased.subject, erased.by_version)).collect();
    ensure(said == *erased_by, Reason::Privacy, || {
        "the erased people that it names are not those whose erasure the log records".to_owned()
    })
}
