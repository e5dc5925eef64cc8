//! Which entries of an audit log are asked for, and by which way of paging.

use std::fmt;

use events::id::{AccountId, OrganizationId};
use events::recorded::Actor;
use events::time::Time;

use super::super::problem::{Code, Problem};
use super::super::request::{Paging, Parameters};
use crate::address::Address;
use crate::query::audit_trail::{Action, Filter};
use crate::{App, identity};

/// What filters, in the order in which links repeat it.
pub(super) const FILTERS: [&str; 7] =
    ["action", "actor", "resource_type", "resource_id", "since", "until", "q"];
const PAGE: &str = "page";
const PER_PAGE: &str = "per_page";
const UP_TO: &str = "up_to_version";

/// A search is text, not a book.
const LONGEST_SEARCH: usize = 200;

/// One request for a page.
pub(super) struct Wanted {
    pub(super) filter: Filter,
    pub(super) paging: Way,
    /// The filters as the caller wrote them.
    pub(super) written: Vec<(&'static str, String)>,
}

/// Pages by token or by number. Who asks for neither gets what both need to go on.
pub(super) enum Way {
    Token(Paging),
    Numbered(Number),
    Either(Paging),
}

pub(super) struct Number {
    /// Counted from 1.
    pub(super) page: usize,
    pub(super) per_page: usize,
    /// The newest entry there was when the first page was asked for.
    pub(super) up_to: Option<u64>,
}

impl Wanted {
    pub(super) async fn of(
        app: &App,
        parameters: &Parameters,
        organization: OrganizationId,
    ) -> Result<Self, Problem> {
        let written = written(parameters);
        let filter = filter(app, parameters).await?;
        let paging = Way::of(app, parameters, &list_name(organization, &written))?;
        Ok(Self { filter, paging, written })
    }

    /// Query parameters that this route understands.
    pub(super) fn known() -> Vec<&'static str> {
        [FILTERS.as_slice(), &Paging::PARAMETERS, &[PAGE, PER_PAGE, UP_TO]].concat()
    }

    /// Names this list with these filters: a token made for others is refused.
    pub(super) fn list(&self, organization: OrganizationId) -> String {
        list_name(organization, &self.written)
    }
}

/// The filters as the caller wrote them.
pub(super) fn written(parameters: &Parameters) -> Vec<(&'static str, String)> {
    let given = |name: &'static str| Some((name, parameters.get(name)?.to_owned()));
    FILTERS.into_iter().filter_map(given).collect()
}

fn list_name(organization: OrganizationId, written: &[(&'static str, String)]) -> String {
    let filters = serde_urlencoded::to_string(written).expect("pairs of text have a form");
    format!("audit log of {organization}?{filters}")
}

impl Way {
    fn of(app: &App, parameters: &Parameters, list: &str) -> Result<Self, Problem> {
        let is_given = |names: &[&str]| names.iter().any(|name| parameters.get(name).is_some());
        let (by_token, by_number) = (is_given(&Paging::PARAMETERS), is_given(&[PAGE, PER_PAGE]));
        if by_token && (by_number || is_given(&[UP_TO])) {
            return Err(invalid("pages are asked for by `page_token` or by `page`, not by both"));
        }
        if !by_number {
            if is_given(&[UP_TO]) {
                return Err(invalid("`up_to_version` belongs to `page`; follow the link as it is"));
            }
            let paging = Paging::read(app, parameters, list)?;
            return Ok(if by_token { Self::Token(paging) } else { Self::Either(paging) });
        }
        let page = match parameters.get(PAGE) {
            None => 1,
            Some(text) => positive(text).ok_or_else(|| invalid("`page` is a number from 1"))?,
        };
        let per_page = Paging::size(parameters, PER_PAGE)?;
        let up_to = match parameters.get(UP_TO) {
            None => None,
            Some(text) => {
                let version = text.parse().ok().filter(|version| i64::try_from(*version).is_ok());
                Some(version.ok_or_else(|| invalid("`up_to_version` is a version of the log"))?)
            }
        };
        Ok(Self::Numbered(Number { page, per_page, up_to }))
    }
}

fn positive(text: &str) -> Option<usize> {
    // what is larger than any database counts to is no page either
    text.parse().ok().filter(|page| (1..=usize::try_from(u32::MAX).unwrap_or(1)).contains(page))
}

/// What the filters among the parameters mean.
pub(super) async fn filter(app: &App, parameters: &Parameters) -> Result<Filter, Problem> {
    let words = parameters.get("q").map(|words| words.trim().to_lowercase());
    let is_text = |words: &String| {
        (1..=LONGEST_SEARCH).contains(&words.len()) && !words.contains(char::is_control)
    };
    if words.as_ref().is_some_and(|words| !is_text(words)) {
        return Err(invalid("`q` is a piece of text, 200 bytes at most"));
    }
    Ok(Filter {
        action: parameters.get("action").map(action).transpose()?,
        actor: match parameters.get("actor") {
            Some(text) => Some(actor(app, text).await?),
            None => None,
        },
        resource_type: parameters.get("resource_type").map(word).transpose()?,
        resource_id: parameters.get("resource_id").map(word).transpose()?,
        since: parameters.get("since").map(|text| time("since", text)).transpose()?,
        until: parameters.get("until").map(|text| time("until", text)).transpose()?,
        words,
    })
}

fn action(text: &str) -> Result<Action, Problem> {
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match text.split_once('.') {
        Some((kind, "*")) if is_name(kind) => Ok(Action::Of(kind.to_owned())),
        Some((kind, what)) if is_name(kind) && is_name(what) => {
            Ok(Action::Exactly(text.to_owned()))
        }
        _ => Err(invalid("`action` is an action like `member.removed`, or `member.*` for all")),
    }
}

/// An id, or the whole address of somebody with an account. An address nobody has did nothing.
async fn actor(app: &App, text: &str) -> Result<String, Problem> {
    if text.contains('@') {
        let address: Address = text.parse().map_err(|_| invalid("`actor` is no e-mail address"))?;
        let holder = identity::holder(app, &address).await?;
        return Ok(holder.map_or_else(nobody, |holder| holder.account.to_string()));
    }
    let actor: Actor =
        text.parse().map_err(|_| invalid("`actor` is an id or a whole e-mail address"))?;
    Ok(actor.to_string())
}

fn nobody() -> String {
    format!("{}nobody", AccountId::PREFIX)
}

fn word(text: &str) -> Result<String, Problem> {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if text.is_empty() || text.len() > 100 || !text.bytes().all(is_word) {
        return Err(invalid("`resource_type` and `resource_id` are words as entries show them"));
    }
    Ok(text.to_owned())
}

fn time(name: &str, text: &str) -> Result<Time, Problem> {
    text.parse().map_err(|error| invalid(format!("`{name}`: {error}")))
}

pub(in crate::http) fn invalid(detail: impl fmt::Display) -> Problem {
    Problem::with_detail(Code::InvalidParameter, detail.to_string())
}
