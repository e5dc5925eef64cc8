//! What was used, and what became of each event that was told.

use std::collections::{BTreeMap, HashSet};

use events::id::OrganizationId;
use events::time::Time;
use projections::Key;
use projections::usage::{
    BilledMonth, NAME, Of, Outcome, Span, Through, Totals, id_of, key_of, key_of_month,
    key_of_outcome, key_of_through, scope_of,
};
use serde::de::DeserializeOwned;

use super::{Error, Unreadable, rows_of};
use crate::App;
use crate::access::Access;
use crate::failure::Failure;

const PAGE: usize = 1000;
/// Sorts behind whatever is counted within the same span.
const LAST: &str = "\u{10ffff}";

/// What became of the entries of an event on the usage stream; `None` when that is no longer known. The
/// read models must have come to it.
pub(crate) async fn outcome(
    app: &App,
    organization: OrganizationId,
    version: u64,
) -> Result<Option<Outcome>, Error> {
    let key = key_of_outcome(organization, version);
    let row = rows_of(app, NAME).await?.row(NAME, &key).await?;
    row.map(|body| read(&body)).transpose()
}

/// Which of these keys were told before.
pub(crate) async fn known(
    app: &App,
    organization: OrganizationId,
    keys: &[String],
) -> Result<HashSet<String>, Error> {
    let keys: Vec<Key> = keys.iter().map(|key| key_of(organization, key)).collect();
    let rows = rows_of(app, NAME).await?.rows(NAME, &keys).await?;
    Ok(rows.into_keys().map(|key| key.id).collect())
}

/// Totals of what is named, one for each span in which anything was used, oldest first.
pub(crate) struct Counted {
    /// Like `2026-01-31`.
    pub(crate) span: String,
    /// Empty for the organization as a whole.
    pub(crate) named: String,
    pub(crate) totals: Totals,
}

/// What was used from the span of `from` to that of `to`, both included.
pub(crate) async fn list(
    app: &App,
    access: &Access,
    of: Of,
    span: Span,
    (from, to): (Time, Time),
) -> Result<Vec<Counted>, Error> {
    let rows = rows_of(app, NAME).await?;
    let scope = scope_of(access.organization(), of, span);
    let (mut after, end) = (span.of(from), format!("{}{LAST}", span.of(to)));
    let mut counted = Vec::new();
    loop {
        let page = rows.page(NAME, &scope, &after, PAGE).await?;
        let is_last = page.len() < PAGE;
        for row in page {
            if row.sort >= end {
                return Ok(counted);
            }
            let (span, named) = row.sort.split_once(' ').unwrap_or((&row.sort, ""));
            let (span, named) = (span.to_owned(), named.to_owned());
            counted.push(Counted { span, named, totals: read(&row.body)? });
            after = row.sort;
        }
        if is_last {
            return Ok(counted);
        }
    }
}

/// What an organization used in the span that a time is in.
pub(crate) async fn total(
    app: &App,
    organization: OrganizationId,
    span: Span,
    at: Time,
) -> Result<Totals, Error> {
    let scope = scope_of(organization, Of::Organization, span);
    let key = Key::new(scope, id_of(&span.of(at), ""));
    let row = rows_of(app, NAME).await?.row(NAME, &key).await?;
    row.map_or_else(|| Ok(Totals::default()), |body| read(&body))
}

/// What is billed of the months that are named like `2026-01`, as far as any was used in them, and
/// the last version of the usage stream that they count; `None` before the first. All of it is of one
/// moment.
pub(crate) async fn billing(
    app: &App,
    organization: OrganizationId,
    months: &[&str],
) -> Result<(Option<u64>, BTreeMap<String, BilledMonth>), Error> {
    let mut keys: Vec<Key> = months.iter().map(|month| key_of_month(organization, month)).collect();
    let through = key_of_through(organization);
    keys.push(through.clone());
    let mut rows = rows_of(app, NAME).await?.rows_at_once(NAME, keys).await?;
    let through = rows.remove(&through).map(|body| read::<Through>(&body)).transpose()?;
    let months = rows.into_iter().map(|(key, body)| Ok((key.id, read(&body)?)));
    let months = months.collect::<Result<_, Error>>()?;
    Ok((through.map(|through| through.version), months))
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, Error> {
    serde_json::from_str(body)
        .map_err(|source| Error::Failed(Failure::Broken(Unreadable { model: NAME, source }.into())))
}
