//! What happened to an organization, as its owners and admins read it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use events::chain::Link;
use events::id::{AccountId, EventId, OrganizationId, TokenId};
use events::permission::Permission;
use events::recorded::Actor;
use events::time::Time;
use projections::audit_trail::{Entry, Shown};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::answer;
use super::authentication::Caller;
use super::document::OrganizationReads;
use super::organization::{active, named};
use super::problem::Problem;
use super::request::{OrganizationPath, Paging};
use crate::access::Access;
use crate::{App, identity, query};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_audit_log)).routes(routes!(list_active_audit_log))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AuditLog {
    events: Vec<AuditEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
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
    #[schema(value_type = String)]
    request_id: Uuid,
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
    from: Option<String>,
    to: Option<String>,
}

#[utoipa::path(get, path = "/organizations/{org}/audit-log", operation_id = "listAuditLog",
    tag = "audit log",
    params(("org" = String, Path, description = "id or slug"),
        ("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = AuditLog), OrganizationReads))]
async fn list_audit_log(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    org: OrganizationPath,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = named(&app, &headers, &org).await?;
    list(&app, &caller, organization, &uri).await
}

#[utoipa::path(get, path = "/organization/audit-log", operation_id = "listActiveAuditLog",
    tag = "audit log",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = AuditLog), OrganizationReads))]
async fn list_active_audit_log(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    let organization = active(&app, &caller, &headers).await?;
    list(&app, &caller, organization, &uri).await
}

async fn list(
    app: &App,
    caller: &Caller,
    organization: OrganizationId,
    uri: &Uri,
) -> Result<Response, Problem> {
    let account = caller.identity.account;
    let access = Access::check(app, account, organization, Permission::ReadAuditLog).await?;
    let list = format!("audit log of {organization}");
    let paging = Paging::of(app, uri, &list)?;
    let page = query::audit_trail::list(app, &access, &paging.after, paging.size).await?;
    // one look-up for each person, not for each entry
    let mut emails = HashMap::new();
    let mut events = Vec::with_capacity(page.items.len());
    for entry in page.items {
        if let Actor::Account(account) = entry.actor
            && !emails.contains_key(&account)
        {
            let person = identity::person(app, account).await?;
            let email = person.and_then(|person| person.email.sealed().cloned());
            let email = answer::shown(query::opened(app, email.as_ref()).await?);
            emails.insert(account, email);
        }
        events.push(shown(app, entry, &emails).await?);
    }
    let next_page_token = page.next.map(|next| query::page_token::write(app, &list, &next));
    let next = next_page_token.clone();
    let body = AuditLog { events, next_page_token };
    Ok(answer::page(uri.path(), paging.size, next.as_deref(), body))
}

async fn shown(
    app: &App,
    entry: Entry,
    emails: &HashMap<AccountId, Option<String>>,
) -> Result<AuditEntry, Problem> {
    let (kind, email) = match entry.actor {
        Actor::Account(account) => ("user", emails.get(&account).cloned().flatten()),
        Actor::Token(_) => ("token", None),
        Actor::Operator => ("operator", None),
        Actor::System => ("system", None),
    };
    let mut changes = Vec::with_capacity(entry.changes.len());
    for change in entry.changes {
        changes.push(AuditChange {
            field: change.field,
            from: value(app, change.from).await?,
            to: value(app, change.to).await?,
        });
    }
    Ok(AuditEntry {
        id: entry.id,
        action: entry.action,
        actor: AuditActor { id: entry.actor.to_string(), kind, email, token_id: entry.token },
        resource: AuditResource {
            kind: entry.resource.kind,
            id: entry.resource.id,
            name: value(app, entry.resource.name).await?,
        },
        changes,
        ip_address: answer::shown(query::opened(app, entry.ip_address.as_ref()).await?),
        user_agent: answer::shown(query::opened(app, entry.user_agent.as_ref()).await?),
        request_id: entry.request,
        version: entry.version,
        position: entry.position.to_string(),
        hash: entry.link,
        created_at: entry.at,
    })
}

async fn value(app: &App, shown: Option<Shown>) -> Result<Option<String>, Problem> {
    match shown {
        None => Ok(None),
        Some(Shown::Plain(text)) => Ok(Some(text)),
        Some(Shown::Personal(sealed)) => {
            Ok(answer::shown(query::opened(app, Some(&sealed)).await?))
        }
    }
}
