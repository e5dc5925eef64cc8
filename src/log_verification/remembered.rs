//! What is remembered of a log outside of it: sizes, roots and where the last line stood.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use events::Event;
use events::platform::{self, Platform};
use events::recorded::Position;
use events::stream::Stream;
use events::tree::Hash;
use events::{State as _, wire};
use projections::ledger::{self, Head};

use super::fault::{Fault, Kind, Place, Stage, Witness};
use super::{Error, PAGE, Sources, packet};
use crate::event_log::{LogReader, ReadError};
use crate::note;

/// That a log had this root when it had so many lines.
pub(super) struct Claim {
    pub(super) by: Witness,
    pub(super) root: Hash,
    /// Of the last of them.
    pub(super) position: Option<Position>,
}

/// How far the ledger has come, and how many lines it knows of each log.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) position: Position,
    pub(super) sizes: HashMap<Stream, u64>,
}

#[derive(Default)]
pub(super) struct Remembered {
    pub(super) claims: BTreeMap<(Stream, u64), Vec<Claim>>,
    pub(super) ledger: Ledger,
    /// How many there are of each kind; `None` where none can be read here.
    pub(super) heads: Option<usize>,
    pub(super) signed: Option<usize>,
    pub(super) packets: Option<usize>,
}

impl Remembered {
    fn claim(&mut self, stream: Stream, size: u64, claim: Claim) {
        // a log without lines says nothing
        if size > 0 {
            self.claims.entry((stream, size)).or_default().push(claim);
        }
    }
}

pub(super) async fn gather(sources: &Sources<'_>) -> Result<Result<Remembered, Fault>, Error> {
    let mut remembered = Remembered::default();
    if let Err(fault) = of_packets(sources, &mut remembered).await? {
        return Ok(Err(fault));
    }
    if let Err(fault) = of_signer(sources, &mut remembered).await? {
        return Ok(Err(fault));
    }
    if let Err(fault) = of_ledger(sources, &mut remembered).await? {
        return Ok(Err(fault));
    }
    Ok(Ok(remembered))
}

async fn of_ledger(
    sources: &Sources<'_>,
    remembered: &mut Remembered,
) -> Result<Result<(), Fault>, Error> {
    let Some(store) = sources.read_store else { return Ok(Ok(())) };
    // before the heads, which then are at least so far
    let progress = store.progress().await?;
    let known = progress.iter().find(|it| it.name == ledger::NAME);
    let Some(known) = known.filter(|it| it.version == ledger::VERSION) else { return Ok(Ok(())) };
    // one statement, and so one moment
    let heads = store.page(ledger::NAME, ledger::HEADS, "", usize::MAX >> 1).await?;
    remembered.heads = Some(heads.len());
    remembered.ledger.position = known.position;
    for row in heads {
        let Ok(head) = Head::read(&row.body) else {
            return Ok(Err(Fault::new(Stage::Tree, Place::default(), Kind::Ledger)));
        };
        let Some(root) = head.checked_root() else {
            let place = Place { stream: Some(head.stream), ..Place::default() };
            return Ok(Err(Fault::new(Stage::Tree, place, Kind::Ledger)));
        };
        remembered.ledger.sizes.insert(head.stream, head.size);
        let position = Some(head.position);
        remembered.claim(head.stream, head.size, Claim { by: Witness::Ledger, root, position });
    }
    Ok(Ok(()))
}

async fn of_signer(
    sources: &Sources<'_>,
    remembered: &mut Remembered,
) -> Result<Result<(), Fault>, Error> {
    let Some(signed) = sources.signer.remembered().await? else { return Ok(Ok(())) };
    let all: Vec<_> = signed
        .iter()
        .filter_map(|(origin, signed)| Some((note::named_by(origin)?, *signed)))
        .collect();
    let name = name(sources.log).await?;
    // several installations may have one signer; one that is called otherwise than before has none
    let is_own = |installation: &str| name.as_deref().is_none_or(|name| name == installation);
    let own: Vec<_> = all.iter().filter(|((name, _), _)| is_own(name)).collect();
    if let (Some(((other, _), _)), true) = (all.first(), own.is_empty()) {
        let place = Place { stream: Some(Stream::Platform), version: Some(0), position: None };
        let kind = Kind::OtherName((*other).to_owned());
        return Ok(Err(Fault::new(Stage::SignedHeads, place, kind)));
    }
    remembered.signed = Some(own.len());
    for ((_, stream), signed) in own {
        let claim = Claim { by: Witness::Signer, root: signed.root, position: None };
        remembered.claim(*stream, signed.size, claim);
    }
    Ok(Ok(()))
}

/// What the log calls its installation, where that can be read.
async fn name(log: &LogReader) -> Result<Option<String>, Error> {
    let first = match log.read_stream(&Stream::Platform, 0, 1).await {
        Err(ReadError::Corrupt { .. }) => return Ok(None),
        first => first?,
    };
    let mut platform = Platform::default();
    for stored in first {
        if let Ok(recorded) = wire::decode(stored.position, &stored.line, &stored.sealed) {
            platform.evolve(&recorded);
        }
    }
    Ok(platform.log_id.map(|_| platform.origin))
}

async fn of_packets(
    sources: &Sources<'_>,
    remembered: &mut Remembered,
) -> Result<Result<(), Fault>, Error> {
    let Some(operational) = sources.operational else { return Ok(Ok(())) };
    let packets = operational.packets().await?;
    remembered.packets = Some(packets.len());
    for packet in packets {
        let Some((_, statement)) = packet::stored(operational, packet).await? else {
            let kind = Kind::NoPacket(packet);
            return Ok(Err(Fault::new(Stage::Packets, Place::default(), kind)));
        };
        let stream = Stream::Organization(statement.predicate.organization.id);
        let (size, root) = (statement.predicate.log.size, statement.predicate.log.root);
        let by = Witness::Packet(packet);
        remembered.claim(stream, size, Claim { by, root, position: None });
    }
    Ok(Ok(()))
}

/// The positions at which all logs were sealed, as far as the platform's stream can be read: where
/// it cannot, the pass itself finds out.
pub(super) async fn seals(log: &LogReader) -> Result<BTreeSet<Position>, Error> {
    let (mut positions, mut from) = (BTreeSet::new(), 0);
    loop {
        let page = match log.read_stream(&Stream::Platform, from, PAGE).await {
            Err(ReadError::Corrupt { .. }) => return Ok(positions),
            page => page?,
        };
        if page.is_empty() {
            return Ok(positions);
        }
        from += page.len() as u64;
        for stored in page {
            let recorded = wire::decode(stored.position, &stored.line, &stored.sealed);
            if let Ok(recorded) = recorded
                && let Event::Platform(platform::Event::Sealed { position, .. }) = &recorded.event
                && let Ok(position) = position.parse()
            {
                positions.insert(Position(position));
            }
        }
    }
}
