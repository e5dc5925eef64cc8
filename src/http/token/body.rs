//! What is asked of a token that is to be made: by its own words, and by those of other clients.

use std::time::Duration;

use events::duration;
use events::scope::{Scope, Scopes};
use events::token::{Kind, LONGEST_OVERLAP};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::execute::token::{Succession, Wish};
use crate::http::field::{given, present};
use crate::http::organization::checked_name;
use crate::http::problem::{Code, FieldError, Problem};

/// How long a replaced secret serves unless said otherwise.
const USUAL_OVERLAP: Duration = Duration::from_hours(1);
/// Ten years: what is to live longer lives for ever.
const LONGEST_LIFETIME: Duration = Duration::from_hours(3650 * 24);
/// For no time at all, in each unit.
const NO_TIME: [&str; 4] = ["0s", "0m", "0h", "0d"];

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBody {
    /// 1 to 100 characters.
    #[schema(example = "deploy")]
    token_name: String,
    /// `*`, or families with a level, like `members:read`; `*` when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, example = json!(["members:read", "org:write"]))]
    scopes: Option<Vec<String>>,
    /// A number of `s`, `m`, `h` or `d` up to `3650d`; for ever when left out, `none` or `null`.
    #[schema(example = "90d")]
    expires_in: Option<String>,
    /// Id or slug of one of the caller's organizations; the active one when left out.
    #[schema(example = "acme-engineering")]
    #[expect(dead_code, reason = "it is read before the body is checked")]
    organization: Option<String>,
}

impl TokenBody {
    pub(super) fn wish(self) -> Result<Wish, Problem> {
        let Self { token_name, scopes, expires_in, .. } = self;
        wish(Kind::Personal, ("token_name", token_name), scopes, expires_in, Vec::new())
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrganizationTokenBody {
    /// 1 to 100 characters.
    #[schema(example = "deploy")]
    token_name: String,
    /// `*`, or families with a level, like `members:read`; `*` when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, example = json!(["members:read", "org:write"]))]
    scopes: Option<Vec<String>>,
    /// A number of `s`, `m`, `h` or `d` up to `3650d`; for ever when left out, `none` or `null`.
    #[schema(example = "90d")]
    expires_in: Option<String>,
    /// `personal` (unless said otherwise), or `organization` for a key that acts as the
    /// organization and outlives whoever makes it.
    #[schema(example = "organization")]
    kind: Option<String>,
}

impl OrganizationTokenBody {
    /// What asks for a key, in a body that may be wrong otherwise.
    pub(super) const KEY: &str = "organization";

    pub(super) fn wish(self) -> Result<Wish, Problem> {
        let Self { token_name, scopes, expires_in, kind } = self;
        let mut errors = Vec::new();
        let kind = match kind.as_deref() {
            None | Some("personal") => Kind::Personal,
            Some(Self::KEY) => Kind::Organization,
            Some(_) => {
                errors.push(wrong("kind", "must be `personal` or `organization`"));
                Kind::Personal
            }
        };
        wish(kind, ("token_name", token_name), scopes, expires_in, errors)
    }
}

/// Of clients that know API keys.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeyBody {
    name: String,
    #[serde(default, deserialize_with = "given")]
    scopes: Option<Vec<String>>,
    expires_in: Option<String>,
}

impl ApiKeyBody {
    pub(super) fn wish(self) -> Result<Wish, Problem> {
        let Self { name, scopes, expires_in } = self;
        // what those clients call databases are services here
        let in_our_words = |scope: String| match scope.strip_prefix("databases:") {
            Some(level) => format!("services:{level}"),
            None => scope,
        };
        let scopes = scopes.map(|scopes| scopes.into_iter().map(in_our_words).collect());
        wish(Kind::Personal, ("name", name), scopes, expires_in, Vec::new())
    }
}

fn wish(
    kind: Kind,
    (name_field, name): (&str, String),
    scopes: Option<Vec<String>>,
    expires_in: Option<String>,
    mut errors: Vec<FieldError>,
) -> Result<Wish, Problem> {
    let scopes = scopes.map(|scopes| checked_scopes(&scopes, &mut errors)).transpose()?;
    let name = checked_name(name_field, name, &mut errors);
    let lifetime = checked_lifetime(expires_in.as_deref(), &mut errors);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    Ok(Wish { kind, name, scopes: scopes.unwrap_or_else(Scopes::everything), lifetime })
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RotateBody {
    /// How long the old secret still serves: a number of `s`, `m`, `h` or `d` up to `24h`, `1h` when
    /// left out; with `0s` it ends at once.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "1h")]
    overlap: Option<String>,
    /// Those of the old token or fewer; the same when left out.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<Vec<String>>, example = json!(["members:read"]))]
    scopes: Option<Vec<String>>,
    /// Counted from now; when left out, as long as the old token was made for. `none` or `null`: for
    /// ever.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "90d")]
    expires_in: Option<Option<String>>,
}

impl RotateBody {
    pub(super) fn succession(self) -> Result<Succession, Problem> {
        let Self { overlap, scopes, expires_in } = self;
        let mut errors = Vec::new();
        let scopes = scopes.map(|scopes| checked_scopes(&scopes, &mut errors)).transpose()?;
        let lifetime = expires_in.map(|text| checked_lifetime(text.as_deref(), &mut errors));
        let overlap = match overlap.as_deref() {
            None => USUAL_OVERLAP,
            Some(text) if NO_TIME.contains(&text) => Duration::ZERO,
            Some(text) => match duration::parse(text) {
                Ok(span) if span <= LONGEST_OVERLAP => span,
                Ok(_) | Err(_) => {
                    let detail = "must be a whole number of s, m or h, at most 24h";
                    errors.push(wrong("overlap", detail));
                    USUAL_OVERLAP
                }
            },
        };
        if !errors.is_empty() {
            return Err(Problem::invalid(errors));
        }
        Ok(Succession { scopes, lifetime, overlap })
    }
}

/// The path says it all.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoFields {}

fn wrong(field: &str, detail: &str) -> FieldError {
    FieldError { field: field.to_owned(), detail: detail.to_owned() }
}

/// An empty list is no way to say everything: who leaves out what was meant must not get more.
fn checked_scopes(texts: &[String], errors: &mut Vec<FieldError>) -> Result<Scopes, Problem> {
    if texts.is_empty() {
        errors.push(wrong("scopes", "must name a scope; leave it out for all of them"));
    }
    let mut scopes: Vec<Scope> = Vec::with_capacity(texts.len());
    for text in texts {
        let scope = text.parse().map_err(|error| {
            let shown: String = text.chars().filter(char::is_ascii_graphic).take(40).collect();
            Problem::with_detail(Code::UnknownScope, format!("`{shown}` is unknown: {error}"))
        })?;
        scopes.push(scope);
    }
    Ok(scopes.into())
}

/// How long a token lives; `None` for ever, and beside an error.
fn checked_lifetime(text: Option<&str>, errors: &mut Vec<FieldError>) -> Option<Duration> {
    let text = text.filter(|text| *text != "none")?;
    let span = duration::parse(text).ok().filter(|span| *span <= LONGEST_LIFETIME);
    if span.is_none() {
        let detail = "must be a whole number of s, m, h or d like 90d, at most 3650d, or none";
        errors.push(wrong("expires_in", detail));
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_as_long_as_it_is_said_to() {
        let lifetime = |text| {
            let mut errors = Vec::new();
            let lifetime = checked_lifetime(text, &mut errors);
            if errors.is_empty() { Some(lifetime.map(|span| span.as_secs())) } else { None }
        };
        assert_eq!(lifetime(None), Some(None));
        assert_eq!(lifetime(Some("none")), Some(None));
        assert_eq!(lifetime(Some("90d")), Some(Some(7_776_000)));
        for odd in ["0d", "", "-1d", "3651d", "never", "1y"] {
            assert_eq!(lifetime(Some(odd)), None, "{odd}");
        }
    }
}
