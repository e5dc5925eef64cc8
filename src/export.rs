//! What a stream holds, as somebody takes it along: each event with its own line, from which its
//! hash can be computed again, and its personal values opened. It is read page by page as the
//! reader takes it, so that nothing is held for a reader who is slow: no store, and one page of
//! memory. Up to which version it goes is fixed when it begins.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use events::chain::Link;
use events::id::{AccountId, OrganizationId};
use events::organization::Organization;
use events::permission::Role;
use events::personal::{Opened, Personal};
use events::recorded::Recorded;
use events::stream::Stream;
use events::time::Time;
use events::wire;
use futures_util::stream::{Stream as Pieces, unfold};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::access::Access;
use crate::event_log::{Cause, ReadError, Stored};
use crate::failure::{Failure, fails_with};
use crate::{App, identity, keyring};

/// Events that are in memory at once.
const PAGE: usize = 200;
/// Of usage, where one event can be large.
const PAGE_OF_USAGE: usize = 20;
/// Nobody is given these, not even in their own export.
const SECRETS: [&str; 3] = ["password_hash", "secret", "backup_codes"];

#[derive(Debug, thiserror::Error)]
#[error("an export cannot go on")]
pub(crate) struct Error(#[source] Failure);

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

fails_with!(Error, Error: keyring::Error, ReadError);

/// One event as it is taken along.
#[derive(Serialize)]
struct Exported<'a> {
    kind: &'static str,
    position: String,
    hash: Link,
    /// By the names of the line's digests; null where there is none any more.
    personal: BTreeMap<&'static str, Option<String>>,
    /// As it was recorded, byte by byte.
    line: &'a RawValue,
}

/// The events of a stream, one page after the other.
pub(crate) struct Events {
    stream: Stream,
    next: u64,
    end: u64,
}

impl Events {
    /// Up to the last one that is there now.
    pub(crate) async fn of(app: &App, stream: Stream) -> Result<Self, Failure> {
        let last = app.log.last_version(&stream).await?;
        Ok(Self { stream, next: 0, end: last.map_or(0, |last| last + 1) })
    }

    /// The next page, each event as JSON with its type and its line's hash; empty at the end.
    pub(crate) async fn page(&mut self, app: &App) -> Result<Vec<Piece>, Error> {
        let page = if matches!(self.stream, Stream::Usage(_)) { PAGE_OF_USAGE } else { PAGE };
        let left = usize::try_from(self.end - self.next).unwrap_or(page).min(page);
        if left == 0 {
            return Ok(Vec::new());
        }
        let stored = app.log.read_stream(&self.stream, self.next, left).await?;
        if stored.is_empty() {
            return Err(ReadError::Unavailable("the stream ends before its head".into()).into());
        }
        self.next += stored.len() as u64;
        let mut page = Vec::with_capacity(stored.len());
        for event in &stored {
            let recorded = wire::decode(event.position, &event.line, &event.sealed);
            page.push(piece(app, event, recorded.map_err(|error| corrupt(event, error))?).await?);
        }
        Ok(page)
    }
}

pub(crate) struct Piece {
    pub(crate) json: Vec<u8>,
    pub(crate) kind: &'static str,
    pub(crate) hash: Link,
}

/// An event as JSON, with its own line and its personal values.
pub(crate) async fn piece(
    app: &App,
    event: &Stored,
    mut recorded: Recorded,
) -> Result<Piece, Error> {
    let mut sealed = Vec::new();
    let mut take = |name: &'static str, value: &mut Personal| {
        if !SECRETS.contains(&name) {
            sealed.extend(value.sealed().map(|sealed| (name, sealed.clone())));
        }
    };
    take("ip_address", &mut recorded.ip_address);
    take("user_agent", &mut recorded.user_agent);
    recorded.event.personal(&mut take);
    let mut personal = BTreeMap::new();
    for (name, sealed) in sealed {
        personal.insert(name, shown(app.keyring.open_value(&sealed).await?));
    }
    let line = serde_json::from_slice(&event.line).map_err(|error| corrupt(event, error))?;
    let (kind, _) = wire::kind(&recorded.event);
    let position = event.position.to_string();
    let of_usage = matches!(recorded.stream, Stream::Usage(_));
    let exported = Exported {
        kind: if of_usage { "usage" } else { "event" },
        position,
        hash: recorded.link,
        personal,
        line,
    };
    Ok(Piece { json: json(&exported), kind, hash: recorded.link })
}

fn corrupt(event: &Stored, source: impl Into<Cause>) -> Error {
    ReadError::Corrupt { position: event.position, source: source.into() }.into()
}

pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("text and numbers are always JSON")
}

fn shown(opened: Opened) -> Option<String> {
    match opened {
        Opened::Known(value) => Some(value),
        Opened::Erased => Some("erased".to_owned()),
        Opened::KeyMissing => None,
    }
}

/// Somebody who belongs to an organization when the export begins.
#[derive(Serialize)]
struct Member {
    kind: &'static str,
    user_id: AccountId,
    email: Option<String>,
    name: Option<String>,
    role: Role,
    joined_at: Time,
}

/// The last line: what was before it, so that a copy which lacks something is told from a whole one.
#[derive(Serialize)]
struct Manifest<'a> {
    kind: &'static str,
    organization: OrganizationId,
    exported_at: Time,
    /// Of the last event.
    version: Option<u64>,
    /// Of the last event's line.
    hash: Option<Link>,
    #[serde(flatten)]
    told: Told<'a>,
}

/// What was given before a manifest.
#[derive(Serialize)]
pub(crate) struct Told<'a> {
    /// By their types.
    counts: &'a BTreeMap<&'static str, u64>,
    lines: u64,
    /// Of all lines before this one, each with its end.
    blake3: String,
}

/// Counts what is given, for the manifest.
#[derive(Default)]
pub(crate) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    lines: u64,
    all: blake3::Hasher,
}

impl Tally {
    /// A line with its end goes out.
    pub(crate) fn take(&mut self, out: &mut Vec<u8>, kind: &'static str, line: &[u8]) {
        self.take_uncounted(out, line);
        self.lines += 1;
        *self.counts.entry(kind).or_default() += 1;
    }

    /// The same with what is no entry, such as the names of columns.
    pub(crate) fn take_uncounted(&mut self, out: &mut Vec<u8>, line: &[u8]) {
        self.all.update(line);
        out.extend_from_slice(line);
    }

    pub(crate) fn told(&self) -> Told<'_> {
        let blake3 = self.all.finalize().to_hex().to_string();
        Told { counts: &self.counts, lines: self.lines, blake3 }
    }
}

/// An organization's export on its way.
struct OfOrganization {
    app: Arc<App>,
    organization: OrganizationId,
    events: Events,
    members: VecDeque<(AccountId, Role, Time)>,
    usage: Events,
    tally: Tally,
    hash: Option<Link>,
    is_done: bool,
}

/// Everything an organization holds but secrets, as lines of JSON: its events, its members, what it
/// used, and a manifest.
pub(crate) async fn of_organization(
    app: &Arc<App>,
    access: &Access,
) -> Result<impl Pieces<Item = Result<Vec<u8>, Error>> + Send + use<>, Failure> {
    let organization = access.organization();
    let stream = Stream::Organization(organization);
    let events = Events::of(app, stream).await?;
    let usage = Events::of(app, Stream::Usage(organization)).await?;
    let entry = app.organizations.current(&app.log, stream).await?;
    let members = members(&entry.read().state);
    let export = OfOrganization {
        app: Arc::clone(app),
        organization,
        events,
        members,
        usage,
        tally: Tally::default(),
        hash: None,
        is_done: false,
    };
    Ok(unfold(export, async |mut export| {
        let piece = export.next().await.transpose()?;
        export.is_done |= piece.is_err();
        Some((piece, export))
    }))
}

fn members(state: &Organization) -> VecDeque<(AccountId, Role, Time)> {
    let member = |account| {
        let member = state.member(account)?;
        Some((account, member.role, member.joined_at))
    };
    state.members().filter_map(member).collect()
}

impl OfOrganization {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.is_done {
            return Ok(None);
        }
        let mut lines = Vec::new();
        for piece in self.events.page(&self.app).await? {
            self.hash = Some(piece.hash);
            self.tally.take(&mut lines, piece.kind, &ended(piece.json));
        }
        if lines.is_empty() {
            for (account, role, joined_at) in
                self.members.drain(..self.members.len().min(PAGE)).collect::<Vec<_>>()
            {
                let member = member(&self.app, account, role, joined_at).await?;
                self.tally.take(&mut lines, "member", &ended(json(&member)));
            }
        }
        if lines.is_empty() {
            for piece in self.usage.page(&self.app).await? {
                self.tally.take(&mut lines, piece.kind, &ended(piece.json));
            }
        }
        if lines.is_empty() {
            self.is_done = true;
            let manifest = Manifest {
                kind: "manifest",
                organization: self.organization,
                exported_at: self.app.clock.now(),
                version: self.events.end.checked_sub(1),
                hash: self.hash,
                told: self.tally.told(),
            };
            lines = ended(json(&manifest));
        }
        Ok(Some(lines))
    }
}

/// A line with its end.
pub(crate) fn ended(mut line: Vec<u8>) -> Vec<u8> {
    line.push(b'\n');
    line
}

async fn member(
    app: &App,
    account: AccountId,
    role: Role,
    joined_at: Time,
) -> Result<Member, Error> {
    let person = identity::person(app, account).await?;
    let open = async |value: Option<&Personal>| match value.and_then(Personal::sealed) {
        Some(sealed) => Ok::<_, Error>(shown(app.keyring.open_value(sealed).await?)),
        None => Ok(None),
    };
    Ok(Member {
        kind: "member",
        user_id: account,
        email: open(person.as_ref().map(|person| &person.email)).await?,
        name: open(person.as_ref().map(|person| &person.name)).await?,
        role,
        joined_at,
    })
}

/// A JSON object that ends in a list of an account's events: `beginning` is the object with that list
/// still empty.
pub(crate) async fn of_account(
    app: &Arc<App>,
    account: AccountId,
    beginning: Vec<u8>,
) -> Result<impl Pieces<Item = Result<Vec<u8>, Error>> + Send + use<>, Failure> {
    let events = Events::of(app, Stream::Account(account)).await?;
    let mut beginning = beginning;
    beginning.truncate(beginning.len() - b"]}".len());
    let state = (Arc::clone(app), events, Some(beginning), false);
    Ok(unfold(state, async |(app, mut events, beginning, is_done)| {
        if is_done {
            return None;
        }
        let is_first = beginning.is_some();
        let piece = events.page(&app).await;
        let is_over = piece.as_ref().map_or(true, Vec::is_empty);
        let piece = piece.map(|page| {
            let mut bytes = beginning.unwrap_or_default();
            for (index, piece) in page.iter().enumerate() {
                if index > 0 || !is_first {
                    bytes.push(b',');
                }
                bytes.extend_from_slice(&piece.json);
            }
            if page.is_empty() {
                bytes.extend_from_slice(b"]}");
            }
            bytes
        });
        Some((piece, (app, events, None, is_over)))
    }))
}
