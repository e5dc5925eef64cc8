//! From which networks a database lets connections in. It is a rule for the database itself: requests
//! to this server are a matter of the organization's settings.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::database::part::{self, Command, Order};
use events::id::{AllowlistRuleId, DatabaseId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::setting::IpNet;
use events::time::Time;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::check::Checks;
use crate::http::document::{OrganizationCommands, OrganizationReads, Unmodified};
use crate::http::held::{self, NoFields};
use crate::http::organization::Meant;
use crate::http::problem::{Code, Problem};
use crate::http::request::{Authenticated, PathNames};
use crate::http::setting::network;
use crate::{App, execute, query};

const LONGEST_DESCRIPTION: usize = 100;

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_allowlist, add_rule, switch_allowlist))
        .routes(routes!(remove_rule))
}

#[derive(Serialize, ToSchema)]
#[schema(as = DatabaseAllowlist)]
pub(crate) struct Allowlist {
    /// Otherwise every network is let in.
    enabled: bool,
    /// The newest first; 100 at most.
    rules: Vec<AllowlistRule>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AllowlistRule {
    #[schema(value_type = String, example = "alw_01h2xcejqtf2nbrexx3vqjhp41")]
    id: AllowlistRuleId,
    #[schema(example = "192.0.2.0/24")]
    cidr: String,
    #[schema(example = "Office")]
    description: Option<String>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = AllowlistRuleBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct RuleBody {
    /// A network as CIDR without host bits, or one address.
    #[schema(example = "192.0.2.0/24")]
    cidr: String,
    /// At most 100 characters.
    #[schema(example = "Office")]
    description: Option<String>,
}

impl RuleBody {
    fn network(self) -> Result<(IpNet, Option<String>), Problem> {
        let mut errors = Vec::new();
        let mut checks = Checks::new(&mut errors);
        checks.text("description", self.description.as_deref(), LONGEST_DESCRIPTION);
        match network(&self.cidr) {
            Ok(cidr) if errors.is_empty() => return Ok((cidr, self.description)),
            Ok(_) => {}
            Err(detail) => Checks::new(&mut errors).wrong("cidr", &detail),
        }
        Err(Problem::invalid(errors))
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = SwitchAllowlistBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct SwitchBody {
    enabled: bool,
}

type Found = (AllowlistRuleId, Kept<part::Rule>);

fn view(
    state: &Organization,
    database: Option<DatabaseId>,
    rule: Option<AllowlistRuleId>,
) -> Option<(u64, Found)> {
    let kept = state.database(database?)?.content.parts.allowlist.rules.get(&rule?)?.clone();
    Some((kept.changed_version, (rule?, kept)))
}

async fn shown(app: &App, (id, kept): &Found) -> Result<AllowlistRule, Problem> {
    let part::Rule { cidr, description } = &kept.content;
    Ok(AllowlistRule {
        id: *id,
        cidr: cidr.to_string(),
        description: answer::shown(query::opened(app, description.sealed()).await?),
        created_at: kept.created_at,
    })
}

/// The list as a whole, which is as old as the database.
fn whole(state: &Organization, database: Option<DatabaseId>) -> Option<(u64, part::Allowlist)> {
    let kept = state.database(database?)?;
    let list = kept.content.parts.allowlist.clone();
    Some((list.changed_version, list))
}

async fn shown_whole(app: &App, list: &part::Allowlist) -> Result<Allowlist, Problem> {
    let mut rules: Vec<Found> = list.rules.iter().map(|(id, it)| (*id, it.clone())).collect();
    rules.sort_unstable_by_key(|(_, it)| std::cmp::Reverse(it.created_version));
    let mut body = Allowlist { enabled: list.is_enabled, rules: Vec::with_capacity(rules.len()) };
    for rule in &rules {
        body.rules.push(shown(app, rule).await?);
    }
    Ok(body)
}

#[utoipa::path(get, path = "/databases/{database}/ip-allowlist",
    operation_id = "showDatabaseAllowlist", tag = "databases",
    params(("database" = String, Path)),
    responses((status = 200, body = Allowlist), Unmodified, OrganizationReads))]
async fn show_allowlist(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadDatabases;
    let view = |state: &Organization| whole(state, names.id("database"));
    let seen = held::one(&app, &caller, organization, needed, &uri, view).await?;
    if let Some(known) = seen.known(&headers) {
        return Ok(known);
    }
    let body = shown_whole(&app, &seen.thing).await?;
    Ok(seen.answered(body))
}

/// Switches the list on or off: without it, every network is let in.
#[utoipa::path(patch, path = "/databases/{database}/ip-allowlist",
    operation_id = "switchDatabaseAllowlist", tag = "databases",
    params(("database" = String, Path)), request_body = SwitchBody,
    responses((status = 200, body = Allowlist), OrganizationCommands))]
async fn switch_allowlist(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let database = names.id("database");
    let command = || {
        let database = database.ok_or(Problem::new(Code::NotFound))?;
        let SwitchBody { enabled: is_enabled } = submission.json()?;
        Ok(Command { database, order: Order::SwitchAllowlist { is_enabled } })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| whole(state, database);
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, list) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    let body = shown_whole(&app, list).await?;
    Ok(held::tagged(StatusCode::OK, *version, &done, body))
}

/// Lets another network in.
#[utoipa::path(post, path = "/databases/{database}/ip-allowlist", operation_id = "addAllowlistRule",
    tag = "databases", params(("database" = String, Path)), request_body = RuleBody,
    responses((status = 201, body = AllowlistRule), OrganizationCommands))]
async fn add_rule(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (database, rule) = (names.id("database"), execute::database::rule(&app, &order));
    let command = || {
        let database = database.ok_or(Problem::new(Code::NotFound))?;
        let (cidr, description) = submission.json::<RuleBody>()?.network()?;
        Ok(Command { database, order: Order::AddRule { rule, cidr, description } })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, database, Some(rule));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::CREATED, *version, &done, shown(&app, found).await?))
}

#[utoipa::path(delete, path = "/databases/{database}/ip-allowlist/{rule}",
    operation_id = "removeAllowlistRule", tag = "databases",
    params(("database" = String, Path), ("rule" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn remove_rule(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let database = names.id("database").ok_or(Problem::new(Code::NotFound))?;
        let rule = names.id("rule").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command { database, order: Order::RemoveRule { rule } })
    };
    let needed = Permission::ManageDatabases;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
