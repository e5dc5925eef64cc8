//! Paths by which other products know what is served here under another one. They are written anew
//! before a route is looked for, so that a command has one name, whatever it was called. Who calls
//! databases services is answered in the words of that product.

use std::convert::Infallible;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::Request;
use axum::http::request::Parts;
use axum::http::uri::{PathAndQuery, Uri};
use serde::Serialize;
use serde_json::Value;

use super::problem::{Code, Problem};

/// The parameter by which one product names the organization whose projects it lists.
const ORG_ID: &str = "org_id";

/// In whose words something is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    Own,
    Services,
    /// Invoices are a bare list, and those that are owed are pending.
    Invoices,
}

impl<S: Send + Sync> FromRequestParts<S> for Words {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get().copied().unwrap_or(Self::Own))
    }
}

impl Words {
    /// A database or a list of them in these words: services are listed as such, and have a
    /// `plan_name`, a `zone` and a `storage_size_gb` besides.
    pub(super) fn of(self, body: impl Serialize) -> Result<Value, Problem> {
        let mut body = serde_json::to_value(body).map_err(|_| Problem::new(Code::Internal))?;
        if self != Self::Services {
            return Ok(body);
        }
        let Some(members) = body.as_object_mut() else { return Ok(body) };
        match members.remove("databases") {
            Some(mut services) => {
                services.as_array_mut().into_iter().flatten().for_each(name_in_other_words);
                members.insert("services".to_owned(), services);
            }
            None => name_in_other_words(&mut body),
        }
        Ok(body)
    }
}

fn name_in_other_words(database: &mut Value) {
    for (known, other) in
        [("tier", "plan_name"), ("region", "zone"), ("storage_gb", "storage_size_gb")]
    {
        database[other] = database[known].clone();
    }
}

/// The request by the name under which it is served.
pub(super) fn written_anew(mut request: Request<Body>) -> Request<Body> {
    let uri = request.uri();
    let Some((path, query, words)) = served_as(uri.path(), uri.query()) else { return request };
    let path_and_query = match query {
        Some(query) if !query.is_empty() => format!("{path}?{query}"),
        Some(_) | None => path,
    };
    let mut parts = uri.clone().into_parts();
    // what was made of a path that could be read can be read
    let Ok(path_and_query) = path_and_query.parse::<PathAndQuery>() else { return request };
    parts.path_and_query = Some(path_and_query);
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
        request.extensions_mut().insert(words);
    }
    request
}

/// Path and query under which something is served; `None` when it has no other name.
fn served_as(path: &str, query: Option<&str>) -> Option<(String, Option<String>, Words)> {
    let (version, rest) = match path.strip_prefix("/v1/") {
        Some(rest) => ("/v1", rest),
        None => ("", path.strip_prefix('/')?),
    };
    let (first, below) = rest.split_once('/').map_or((rest, ""), |(first, below)| (first, below));
    let below = if below.is_empty() { String::new() } else { format!("/{below}") };
    let query = query.map(str::to_owned);
    match first {
        "billing" => {
            let (below, words) = match below.strip_prefix("/invoices") {
                Some(rest) => (format!("/invoices{rest}"), Words::Invoices),
                None => (format!("/billing{below}"), Words::Own),
            };
            Some((format!("{version}/organization{below}"), query, words))
        }
        "invoices" => {
            let path = format!("{version}/organization/invoices{below}");
            Some((path, query, Words::Invoices))
        }
        "databases" => {
            let path = format!("{version}/organization/databases{below}");
            Some((path, query, Words::Own))
        }
        "services" | "managed-services" => {
            let path = format!("{version}/organization/databases{}", parts_of(&below));
            Some((path, query, Words::Services))
        }
        "projects" => match query.as_deref().and_then(organization_in) {
            Some((organization, query)) => {
                let path = format!("{version}/organizations/{organization}/projects{below}");
                Some((path, Some(query), Words::Own))
            }
            None => {
                let path = format!("{version}/organization/projects{below}");
                Some((path, query, Words::Own))
            }
        },
        "organization" => {
            let below = of_services(&below)?;
            Some((format!("{version}/organization/databases{below}"), query, Words::Services))
        }
        "organizations" => {
            let (organization, rest) = below.strip_prefix('/')?.split_once('/')?;
            let below = of_services(&format!("/{rest}"))?;
            let path = format!("{version}/organizations/{organization}/databases{below}");
            Some((path, query, Words::Services))
        }
        _ => None,
    }
}

/// What follows on `/services`, or on its other name.
fn of_services(below: &str) -> Option<String> {
    let rest = below.strip_prefix("/services").or(below.strip_prefix("/managed-services"))?;
    (rest.is_empty() || rest.starts_with('/')).then(|| parts_of(rest))
}

/// The users of a service are called database users.
fn parts_of(below: &str) -> String {
    below.replacen("/database-users", "/users", 1)
}

/// The organization that a query names, and the query without it.
fn organization_in(query: &str) -> Option<(String, String)> {
    let pairs: Vec<&str> = query.split('&').collect();
    let named = |pair: &&str| pair.split_once('=').is_some_and(|(name, _)| name == ORG_ID);
    let (_, organization) = pairs.iter().find(|pair| named(pair))?.split_once('=')?;
    // ids and slugs are written as they are; what is not is left for the route to refuse
    let is_sound = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if organization.is_empty() || !organization.bytes().all(is_sound) {
        return None;
    }
    let rest: Vec<&str> = pairs.iter().filter(|pair| !named(pair)).copied().collect();
    Some((organization.to_owned(), rest.join("&")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_another_name_is_served_under_its_own() {
        let (databases, services) = (Words::Own, Words::Services);
        for (asked, query, served, rest, words) in [
            ("/v1/databases", None, "/v1/organization/databases", None, databases),
            ("/databases/db_1/start", None, "/organization/databases/db_1/start", None, databases),
            (
                "/managed-services/db_1/database-users/dbu_1",
                Some("page_size=1"),
                "/organization/databases/db_1/users/dbu_1",
                Some("page_size=1"),
                services,
            ),
            (
                "/v1/organizations/acme/services",
                None,
                "/v1/organizations/acme/databases",
                None,
                services,
            ),
            (
                "/v1/projects",
                Some("org_id=acme&page_size=1"),
                "/v1/organizations/acme/projects",
                Some("page_size=1"),
                databases,
            ),
            ("/v1/projects/prj_1", None, "/v1/organization/projects/prj_1", None, databases),
            (
                "/billing/usage/history",
                None,
                "/organization/billing/usage/history",
                None,
                databases,
            ),
            ("/v1/invoices", None, "/v1/organization/invoices", None, Words::Invoices),
        ] {
            let found = served_as(asked, query);
            assert_eq!(found, Some((served.to_owned(), rest.map(str::to_owned), words)), "{asked}");
        }
        for own in [
            "/v1/organizations/acme/databases",
            "/v1/organizations/services",
            "/v1/organization",
            "/v1/organizations/acme/services-more",
            "/livez",
            "/",
        ] {
            assert_eq!(served_as(own, None), None, "{own}");
        }
    }
}
