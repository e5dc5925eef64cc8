//! An organization's audit log, newest entry first.

use events::id::{EventId, OrganizationId};
use events::stream::Stream;
use projections::Key;
use projections::audit_trail::{AuditTrail, Entry, Shown};

use super::{Error, Page, one, row, rows};
use crate::App;
use crate::access::Access;
use crate::failure::Failure;
pub(crate) use crate::read_store::audit_entries::{Action, Filter};
use crate::read_store::audit_entries::{Slice, Wanted};

/// Entries older than the version `before`, or the newest.
pub(crate) async fn list(
    app: &App,
    access: &Access,
    filter: &Filter,
    before: Option<u64>,
    size: usize,
) -> Result<Page<Entry>, Error> {
    // one more than asked tells whether there is a next page
    let slice = Slice { skip: 0, limit: size + 1 };
    let mut items = entries(app, &wanted(access, filter, before), slice).await?;
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|entry| entry.version.to_string());
    name_invitations(app, access.organization(), &mut items).await?;
    Ok(Page { items, next })
}

/// A page by its number, counted from 1, of all entries up to the version `up_to`; with the number
/// of those entries.
pub(crate) async fn numbered(
    app: &App,
    access: &Access,
    filter: &Filter,
    up_to: u64,
    page: usize,
    size: usize,
) -> Result<(Vec<Entry>, u64), Error> {
    let wanted = wanted(access, filter, Some(up_to.saturating_add(1)));
    let slice = Slice { skip: (page - 1).saturating_mul(size), limit: size };
    let mut items = entries(app, &wanted, slice).await?;
    name_invitations(app, access.organization(), &mut items).await?;
    let total = if *filter == Filter::default() {
        // versions have no gaps
        up_to + 1
    } else {
        rows::<AuditTrail>(app).await?.count_audit_entries(&wanted).await?
    };
    Ok((items, total))
}

/// The version of the newest entry: what the pages after a first one are counted up to.
pub(crate) async fn newest(app: &App, access: &Access) -> Result<u64, Error> {
    let organization = access.organization().to_string();
    let newest = rows::<AuditTrail>(app).await?.newest_audit_entry(&organization).await?;
    newest.ok_or(Error::NotFound)
}

/// The version of the newest event of all, whether rows show it yet or not.
pub(crate) async fn newest_recorded(app: &App, access: &Access) -> Result<Option<u64>, Failure> {
    let stream = Stream::Organization(access.organization());
    Ok(app.log.last_version(&stream).await?)
}

pub(crate) async fn show(app: &App, access: &Access, event: EventId) -> Result<Entry, Error> {
    let mut entry = one::<AuditTrail>(app, Key::new(access.organization(), event)).await?;
    name_invitations(app, access.organization(), std::slice::from_mut(&mut entry)).await?;
    Ok(entry)
}

/// An invitation is called by the address to which it went, which only its first event holds.
pub(crate) async fn name_invitations(
    app: &App,
    organization: OrganizationId,
    entries: &mut [Entry],
) -> Result<(), Failure> {
    let nameless =
        |entry: &&mut Entry| entry.resource.kind == "invitation" && entry.resource.name.is_none();
    let mut nameless = entries.iter_mut().filter(nameless).peekable();
    if nameless.peek().is_none() {
        return Ok(());
    }
    let stream = Stream::Organization(organization);
    let organization = app.organizations.current(&app.log, stream).await?;
    let folded = organization.read();
    for entry in nameless {
        let invitation = entry.resource.id.parse().ok();
        let sent = invitation.and_then(|invitation| folded.state.invitation(invitation));
        let email = sent.and_then(|sent| sent.email.sealed());
        entry.resource.name = email.cloned().map(Shown::Personal);
    }
    Ok(())
}

fn wanted<'a>(access: &Access, filter: &'a Filter, before: Option<u64>) -> Wanted<'a> {
    Wanted { organization: access.organization().to_string(), before, filter }
}

async fn entries(app: &App, wanted: &Wanted<'_>, slice: Slice) -> Result<Vec<Entry>, Error> {
    let bodies = rows::<AuditTrail>(app).await?.audit_entries(wanted, slice).await?;
    bodies.iter().map(|body| row::<AuditTrail>(body)).collect()
}
