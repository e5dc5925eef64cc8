//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110, section 13). A resource's tag is the version
//! of the last event that changed it: `"7"`. What it looks like to one caller also follows from
//! that caller's role, which is why tags are compared for one caller only and caches are told that
//! the answer is private.
//!
//! Where an answer also shows what has versions of its own, the tag goes on behind a dot: a member
//! with the version of who they are (`"7.3"`), oneself with the organization that was chosen
//! (`"7.org_…"`). A reader has the answer only when the whole tag is the same; a command changes
//! the resource alone, so of `If-Match` only what stands before the dot is compared.

use std::fmt;

use axum::http::header::{CACHE_CONTROL, ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::problem::{Code, Problem};
use crate::execute::Precondition;

const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");

/// What a tag says of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    /// Of the resource itself.
    own: u64,
    /// What stands for the rest of the answer.
    rest: Option<String>,
}

impl Version {
    pub(crate) fn with(own: u64, rest: impl fmt::Display) -> Self {
        Self { own, rest: Some(rest.to_string()) }
    }
}

impl From<u64> for Version {
    fn from(own: u64) -> Self {
        Self { own, rest: None }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rest {
            None => write!(f, "{}", self.own),
            Some(rest) => write!(f, "{}.{rest}", self.own),
        }
    }
}

/// What a conditional header says.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Any,
    Tags(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    text: String,
    is_weak: bool,
}

impl Tag {
    /// The resource's own version; `None` for a tag that no resource here has.
    fn own_version(&self) -> Option<u64> {
        let own = self.text.split_once('.').map_or(self.text.as_str(), |(own, _)| own);
        // one way only to write a version
        own.parse().ok().filter(|version: &u64| version.to_string() == own)
    }
}

/// What `If-Match` demands of a command. POST makes what is not there yet, or says by its path
/// what it does, so only PUT, PATCH and DELETE are conditional.
pub(crate) fn precondition(method: &Method, headers: &HeaderMap) -> Result<Precondition, Problem> {
    if !matches!(*method, Method::PUT | Method::PATCH | Method::DELETE) {
        return Ok(Precondition::None);
    }
    let condition = condition(headers, IF_MATCH).map_err(|Malformed| {
        Problem::with_detail(
            Code::InvalidHeader,
            "`If-Match` is `*` or lists tags in double quotes, as an `ETag` header gave them",
        )
    })?;
    Ok(match condition {
        None | Some(Condition::Any) => Precondition::None,
        // a weak tag matches nothing here: If-Match compares strongly
        Some(Condition::Tags(tags)) => Precondition::OneOf(
            tags.iter().filter(|tag| !tag.is_weak).filter_map(Tag::own_version).collect(),
        ),
    })
}

/// The answer to a reader who has this version already.
pub(crate) fn not_modified(headers: &HeaderMap, version: impl Into<Version>) -> Option<Response> {
    let version = version.into();
    // a malformed condition is no condition: the reader gets the whole answer
    let is_known = match condition(headers, IF_NONE_MATCH).ok().flatten()? {
        Condition::Any => true,
        Condition::Tags(tags) => {
            let current = version.to_string();
            tags.iter().any(|tag| tag.text == current)
        }
    };
    is_known.then(|| tagged(version, StatusCode::NOT_MODIFIED.into_response()))
}

/// The answer with the resource's version as its tag.
pub(crate) fn tagged(version: impl Into<Version>, mut response: Response) -> Response {
    let version = version.into();
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        headers.insert(ETAG, tag);
    }
    headers.insert(CACHE_CONTROL, PRIVATE);
    response
}

struct Malformed;

/// Several headers of one name are one list.
fn condition(headers: &HeaderMap, name: HeaderName) -> Result<Option<Condition>, Malformed> {
    let mut tags = Vec::new();
    let mut is_there = false;
    for header in headers.get_all(name) {
        is_there = true;
        let text = header.to_str().map_err(|_| Malformed)?.trim();
        if text == "*" {
            return Ok(Some(Condition::Any));
        }
        for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
            tags.push(parse(tag).ok_or(Malformed)?);
        }
    }
    if is_there && tags.is_empty() {
        return Err(Malformed);
    }
    Ok(is_there.then_some(Condition::Tags(tags)))
}

fn parse(tag: &str) -> Option<Tag> {
    let (is_weak, quoted) = match tag.strip_prefix("W/") {
        Some(rest) => (true, rest),
        None => (false, tag),
    };
    let text = quoted.strip_prefix('"')?.strip_suffix('"')?;
    if text.contains('"') {
        return None;
    }
    Some(Tag { text: text.to_owned(), is_weak })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn precondition_of(value: &'static str) -> Option<Precondition> {
        let headers = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static(value))]);
        precondition(&Method::PATCH, &headers).ok()
    }

    #[test]
    fn if_match_is_read_as_it_is_written() {
        let one_of = |versions: &[u64]| Some(Precondition::OneOf(versions.to_vec()));
        assert_eq!(precondition_of("\"7\""), one_of(&[7]));
        assert_eq!(precondition_of("\"7\" , \"9\""), one_of(&[7, 9]));
        assert_eq!(precondition_of("*"), Some(Precondition::None));
        assert_eq!(precondition_of("W/\"7\""), one_of(&[]));
        assert_eq!(precondition_of("\"other\", \"07\""), one_of(&[]));
        assert_eq!(precondition_of("\"7.3\", \"07.3\""), one_of(&[7]), "the resource's own");
        for malformed in ["7", "", "\"7", "\"7\"\"", "W/7"] {
            assert_eq!(precondition_of(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_reader_has_the_answer_when_the_whole_tag_is_the_same() {
        let knows = |value: &'static str, version: Version| {
            let headers = HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_static(value))]);
            not_modified(&headers, version).is_some()
        };
        let both = || Version::with(7, 3);
        assert!(knows("\"7\"", 7.into()) && knows("W/\"7.3\"", both()) && knows("*", both()));
        for other in ["\"7\"", "\"7.4\"", "\"8.3\"", "\"07.3\"", "7.3"] {
            assert!(!knows(other, both()), "{other}");
        }
    }

    #[test]
    fn only_commands_to_one_resource_are_conditional() {
        let headers = HeaderMap::from_iter([(IF_MATCH, HeaderValue::from_static("\"7\""))]);
        let posted = precondition(&Method::POST, &headers).ok();
        assert_eq!(posted, Some(Precondition::None));
    }
}
