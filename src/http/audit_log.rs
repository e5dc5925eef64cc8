//! What happened to an organization, as its owners and admins read it. Who names no way of paging
//! gets the token of one and the numbers of the other.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use events::chain::Link;
use events::id::{AccountId, EventId, TokenId};
use events::permission::Permission;
use events::recorded::Actor;
use events::time::Time;
use projections::audit_trail::{Entry, FieldChange, Shown};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use self::filter::{Number, Wanted, Way};
use self::proof::EntryProof;
use super::authentication::Caller;
use super::document::{OrganizationReads, Unmodified};
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::{Paging, Parameters, PathNames};
use super::{answer, etag};
use crate::access::Access;
use crate::query::audit_trail::Filter;
use crate::{App, identity, query};

mod csv;
mod export;
mod filter;
mod proof;
mod stream;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_audit_log))
        .merge(export::routes())
        .merge(stream::routes())
        .routes(routes!(show_audit_entry))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditLog {
    events: Vec<AuditEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
    /// Not with `page_size` or `page_token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Meta>,
}

/// Which page this is of how many.
#[derive(Serialize, ToSchema)]
pub(crate) struct Meta {
    #[schema(example = 1)]
    page: usize,
    #[schema(example = 20)]
    per_page: usize,
    total: u64,
    total_pages: u64,
}

impl Meta {
    fn new(page: usize, per_page: usize, total: u64) -> Self {
        Self { page, per_page, total, total_pages: total.div_ceil(per_page as u64) }
    }
}

/// What a list may be asked for, in words for the document.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is the documentation of `filter.rs`")]
struct ListParameters {
    /// An action like `member.removed`, or `member.*` for all of a kind.
    action: Option<String>,
    /// An id, or the whole e-mail address of somebody.
    actor: Option<String>,
    resource_type: Option<String>,
    resource_id: Option<String>,
    /// RFC 3339, inclusive.
    since: Option<String>,
    /// RFC 3339, exclusive.
    until: Option<String>,
    /// Looked for in actions, ids and names that are not personal.
    q: Option<String>,
    /// 1 to 100.
    page_size: Option<usize>,
    page_token: Option<String>,
    /// Counted from 1.
    page: Option<usize>,
    /// 1 to 100.
    per_page: Option<usize>,
    /// As the link to a next page by number gives it: the newest entry the first page knew.
    up_to_version: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    #[schema(value_type = String, example = "evt_01h2xcejqtf2nbrexx3vqjhp41")]
    id: EventId,
    #[schema(example = "organization.updated")]
    action: String,
    actor: AuditActor,
    resource: AuditResource,
    changes: Vec<AuditChange>,
    ip_address: Option<String>,
    user_agent: Option<String>,
    /// `null` where no request led to it.
    #[schema(value_type = Option<String>)]
    request_id: Option<Uuid>,
    /// Counts the organization's events from 0, without gaps.
    version: u64,
    /// Where the event stands in the whole log.
    #[schema(example = "42")]
    position: String,
    /// BLAKE3 of the event's line.
    #[schema(value_type = String)]
    hash: Link,
    #[schema(value_type = String)]
    created_at: Time,
}

/// An entry with the proof that it stands in the log.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProvenEntry {
    #[serde(flatten)]
    entry: AuditEntry,
    /// `null` on a node that does not sign, and where what was signed contradicts the log: the
    /// checkpoint says which.
    proof: Option<EntryProof>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditActor {
    id: String,
    /// `user`, `token`, `operator` or `system`.
    kind: &'static str,
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    token_id: Option<TokenId>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditResource {
    #[serde(rename = "type")]
    kind: String,
    id: String,
    name: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditChange {
    field: String,
    /// Text, a number, a switch or a list; null where there was nothing.
    from: Option<Value>,
    to: Option<Value>,
}

#[utoipa::path(get, path = "/audit-log", operation_id = "listAuditLog", tag = "audit log",
    params(ListParameters),
    responses((status = 200, body = AuditLog), OrganizationReads))]
async fn list_audit_log(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ReadAuditLog).await?;
    let parameters = Parameters::of(&uri, &Wanted::known())?;
    let wanted = Wanted::of(&app, &parameters, organization).await?;
    let Listed { entries, next_page_token, meta, next } = match &wanted.paging {
        Way::Token(paging) => by_token(&app, &access, &wanted, paging).await?,
        Way::Numbered(number) => by_number(&app, &access, &wanted.filter, number).await?,
        Way::Either(paging) => {
            let listed = by_token(&app, &access, &wanted, paging).await?;
            let first = Number { page: 1, per_page: paging.size, up_to: None };
            let Listed { meta, .. } = by_number(&app, &access, &wanted.filter, &first).await?;
            Listed { meta, ..listed }
        }
    };
    let mut people = HashMap::new();
    let mut events = Vec::with_capacity(entries.len());
    for entry in entries {
        events.push(shown(&app, entry, &mut people).await?);
    }
    let response = Json(AuditLog { events, next_page_token, meta }).into_response();
    if next.is_empty() {
        return Ok(response);
    }
    let mut link = wanted.written;
    link.extend(next);
    let link: Vec<_> = link.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(answer::linked(response, uri.path(), &link))
}

/// A page, and with which parameters the next one is asked for.
struct Listed {
    entries: Vec<Entry>,
    next_page_token: Option<String>,
    meta: Option<Meta>,
    next: Vec<(&'static str, String)>,
}

async fn by_token(
    app: &App,
    access: &Access,
    wanted: &Wanted,
    paging: &Paging,
) -> Result<Listed, Problem> {
    let before = paging.after.parse().ok();
    let page = query::audit_trail::list(app, access, &wanted.filter, before, paging.size).await?;
    let list = wanted.list(access.organization());
    let token = page.next.map(|next| query::page_token::write(app, &list, &next));
    let next = token
        .iter()
        .flat_map(|token| [("page_size", paging.size.to_string()), ("page_token", token.clone())]);
    let next = next.collect();
    Ok(Listed { entries: page.items, next_page_token: token, meta: None, next })
}

async fn by_number(
    app: &App,
    access: &Access,
    filter: &Filter,
    number: &Number,
) -> Result<Listed, Problem> {
    let Number { page, per_page, up_to } = *number;
    let newest = query::audit_trail::newest(app, access).await?;
    let up_to = up_to.unwrap_or(newest);
    if up_to > newest {
        let detail = "`up_to_version` is a version that is not there yet";
        return Err(Problem::with_detail(Code::InvalidParameter, detail));
    }
    let (entries, total) =
        query::audit_trail::numbered(app, access, filter, up_to, page, per_page).await?;
    let meta = Meta::new(page, per_page, total);
    let next = if (page as u64) < meta.total_pages {
        vec![
            ("page", (page + 1).to_string()),
            ("per_page", per_page.to_string()),
            ("up_to_version", up_to.to_string()),
        ]
    } else {
        vec![]
    };
    Ok(Listed { entries, next_page_token: None, meta: Some(meta), next })
}

#[utoipa::path(get, path = "/audit-log/{event_id}", operation_id = "showAuditEntry",
    tag = "audit log", params(("event_id" = String, Path)),
    responses((status = 200, body = ProvenEntry), Unmodified, OrganizationReads))]
async fn show_audit_entry(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ReadAuditLog).await?;
    Parameters::of(&uri, &[])?;
    let event: EventId = names.id("event_id").ok_or(Problem::new(Code::NotFound))?;
    let entry = query::audit_trail::show(&app, &access, event).await?;
    let version = entry.version;
    if let Some(known) = etag::not_modified(&headers, version) {
        return Ok(known);
    }
    let entry = shown(&app, entry, &mut HashMap::new()).await?;
    let proof = proof::of(&app, organization, version).await?;
    Ok(etag::tagged(version, Json(ProvenEntry { entry, proof }).into_response()))
}

/// E-mail addresses of people: one look-up for each person, not for each entry.
pub(super) type People = HashMap<AccountId, Option<String>>;

pub(super) async fn email(
    app: &App,
    account: AccountId,
    people: &mut People,
) -> Result<Option<String>, query::Error> {
    if let Some(email) = people.get(&account) {
        return Ok(email.clone());
    }
    let person = identity::person(app, account).await?;
    let email = person.and_then(|person| person.email.sealed().cloned());
    let email = answer::shown(query::opened(app, email.as_ref()).await?);
    people.insert(account, email.clone());
    Ok(email)
}

async fn shown(app: &App, entry: Entry, people: &mut People) -> Result<AuditEntry, query::Error> {
    let (kind, email) = match entry.actor {
        Actor::Account(account) => (kind_of(entry.actor), email(app, account, people).await?),
        Actor::Token(_) | Actor::Operator | Actor::System => (kind_of(entry.actor), None),
    };
    let changes = changes(app, entry.changes).await?;
    Ok(AuditEntry {
        id: entry.id,
        action: entry.action,
        actor: AuditActor { id: entry.actor.to_string(), kind, email, token_id: entry.token },
        resource: AuditResource {
            kind: entry.resource.kind,
            id: entry.resource.id,
            name: value(app, entry.resource.name).await?.and_then(text),
        },
        changes,
        ip_address: answer::shown(query::opened(app, entry.ip_address.as_ref()).await?),
        user_agent: answer::shown(query::opened(app, entry.user_agent.as_ref()).await?),
        request_id: Some(entry.request).filter(|request| !request.is_nil()),
        version: entry.version,
        position: entry.position.to_string(),
        hash: entry.link,
        created_at: entry.at,
    })
}

pub(super) fn kind_of(actor: Actor) -> &'static str {
    match actor {
        Actor::Account(_) => "user",
        Actor::Token(_) => "token",
        Actor::Operator => "operator",
        Actor::System => "system",
    }
}

/// What changed, with its personal values opened.
pub(super) async fn changes(
    app: &App,
    changes: Vec<FieldChange>,
) -> Result<Vec<AuditChange>, query::Error> {
    let mut opened = Vec::with_capacity(changes.len());
    for change in changes {
        opened.push(AuditChange {
            from: value(app, change.from).await?.map(|from| as_meant(&change.field, from)),
            to: value(app, change.to).await?.map(|to| as_meant(&change.field, to)),
            field: change.field,
        });
    }
    Ok(opened)
}

fn text(value: Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Some sealed values are kept as the JSON of what they say.
fn as_meant(field: &str, value: Value) -> Value {
    match (field, &value) {
        ("controller" | "ip_allowlist_descriptions" | "tags" | "ends", Value::String(json)) => {
            serde_json::from_str(json).unwrap_or(value)
        }
        _ => value,
    }
}

async fn value(app: &App, shown: Option<Shown>) -> Result<Option<Value>, query::Error> {
    match shown {
        None => Ok(None),
        Some(Shown::Plain(value)) => Ok(Some(value)),
        Some(Shown::Personal(sealed)) => {
            Ok(answer::shown(query::opened(app, Some(&sealed)).await?).map(Value::String))
        }
    }
}
