//! Create, list, read and change organizations.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use events::id::{AccountId, OrganizationId};
use events::organization::{Command, Create, Name, Profile};
use events::permission::{Permission, Role};
use events::principal::Principal;
use events::slug;
use events::time::Time;
use projections::organization_overview::{self, Overview};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::{Caller, SignedIn};
use super::document::{AsOf, Commands, OrganizationCommands, OrganizationReads, Reads, Unmodified};
use super::field::{given, present};
use super::problem::{Code, FieldError, Problem};
use super::request::{AS_OF, Authenticated, Paging, Parameters};
use super::{answer, checked, etag};
use crate::access::Access;
use crate::address::Address;
use crate::execute::Done;
use crate::{App, execute, query};

mod deletion;
mod meant;
mod transfer;

pub(super) use self::meant::{Meant, agrees, is_named, usual};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_organization, list_organizations))
        .merge(deletion::routes())
}

/// What is done with one organization, on paths that begin where its own ends.
pub(crate) fn routes_of_one() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(show_organization, update_organization))
        .merge(transfer::routes())
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Organization {
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    id: OrganizationId,
    name: Option<String>,
    #[schema(example = "acme-engineering")]
    slug: String,
    is_personal: bool,
    /// What the caller may do here.
    #[schema(value_type = String, example = "owner")]
    role: Role,
    #[schema(example = "pro")]
    plan: String,
    /// The owner who has been a member longest.
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    owner_id: Option<AccountId>,
    member_count: u64,
    database_count: u64,
    /// ISO 3166-1 alpha-2.
    country: Option<String>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
    /// `active` or `suspended`.
    #[schema(example = "active")]
    status: &'static str,
    /// Shown to those who may view billing.
    #[serde(skip_serializing_if = "Option::is_none")]
    billing_email: Option<Option<String>>,
    /// With `as_of`: which version of the organization this is.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of_version: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct OrganizationList {
    organizations: Vec<Organization>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateBody {
    /// 1 to 100 characters.
    #[schema(example = "Acme Engineering")]
    name: String,
    /// 3 to 63 of `a-z 0-9 -`, unique for ever, never changed.
    #[schema(example = "acme-engineering")]
    slug: String,
    #[schema(example = "billing@acme.com")]
    billing_email: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: Option<String>,
}

#[utoipa::path(post, path = "/organizations", operation_id = "createOrganization",
    tag = "organizations", request_body = CreateBody,
    responses((status = 201, body = Organization), Commands))]
async fn create_organization(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, None)?;
    execute::refuse_other_body(&app, &order).await?;
    let body: CreateBody = submission.json()?;
    let mut errors = Vec::new();
    let name = checked_name("name", body.name, &mut errors);
    checked("slug", slug::check(&body.slug), &mut errors);
    let billing_email = checked_email(body.billing_email, &mut errors);
    let country = checked_country(body.country, &mut errors);
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    let by = caller.principal;
    let owner = caller.identity.account;
    let create = Create {
        organization: OrganizationId::of_slug(app.keyring.log_id(), &body.slug),
        slug: body.slug,
        owner,
        is_personal: false,
        name,
        billing_email,
        country,
    };
    let done = execute::create_organization(&app, &order, &create, view(by)).await?;
    answered(&app, StatusCode::CREATED, &done).await
}

#[utoipa::path(get, path = "/organizations", operation_id = "listOrganizations",
    tag = "organizations",
    params(("page_size" = Option<usize>, Query), ("page_token" = Option<String>, Query)),
    responses((status = 200, body = OrganizationList), Reads))]
async fn list_organizations(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    agrees(&app, &caller, &headers).await?;
    if let Some(bound_to) = caller.bound_to {
        return only(&app, &caller, bound_to, &uri).await;
    }
    let identity = caller.signed_in()?;
    let list = format!("organizations of {}", identity.account);
    let paging = Paging::of(&app, &uri, &list)?;
    let page =
        query::organization_overview::list(&app, identity, &paging.after, paging.size).await?;
    let mut organizations = Vec::with_capacity(page.items.len());
    for (overview, role) in page.items {
        organizations.push(shown(&app, overview, role).await?);
    }
    let next_page_token = page.next.map(|next| query::page_token::write(&app, &list, &next));
    let next = next_page_token.clone();
    let body = OrganizationList { organizations, next_page_token };
    Ok(answer::page(uri.path(), paging.size, next.as_deref(), body))
}

/// The list of a token: the one organization it belongs to.
async fn only(
    app: &App,
    caller: &Caller,
    bound_to: OrganizationId,
    uri: &Uri,
) -> Result<Response, Problem> {
    let paging = Paging::of(app, uri, "the organization of a token")?;
    let needed = Permission::ReadOrganization;
    let access = Access::check(app, &caller.principal, bound_to, needed).await?;
    let view = query::View::of(app, &access, None).await?;
    let overview = query::organization_overview::show(&view, &access).await?;
    let organizations = vec![shown(app, overview, access.role()).await?];
    let body = OrganizationList { organizations, next_page_token: None };
    Ok(answer::page(uri.path(), paging.size, None, body))
}

#[utoipa::path(get, path = "/", operation_id = "showOrganization", tag = "organizations",
    params(AsOf),
    responses((status = 200, body = Organization), Unmodified, OrganizationReads))]
async fn show_organization(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ReadOrganization).await?;
    let as_of = Parameters::of(&uri, &[AS_OF])?.as_of()?;
    let view = query::View::of(&app, &access, as_of).await?;
    let overview = query::organization_overview::show(&view, &access).await?;
    if let Some(version) = view.version() {
        let body = shown(&app, overview, access.role()).await?;
        let body = Organization { as_of_version: Some(version), ..body };
        return Ok(answer::as_of(version, body));
    }
    let version = overview.changed_version;
    if let Some(known) = etag::not_modified(&headers, version) {
        return Ok(known);
    }
    let body = Json(shown(&app, overview, access.role()).await?);
    Ok(etag::tagged(version, body.into_response()))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateBody {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Acme Corporation")]
    name: Option<String>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    billing_email: Option<Option<String>>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    country: Option<Option<String>>,
}

#[utoipa::path(patch, path = "/", operation_id = "updateOrganization", tag = "organizations",
    request_body = UpdateBody,
    responses((status = 200, body = Organization), OrganizationCommands))]
async fn update_organization(
    State(app): State<Arc<App>>,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let by = &caller.principal;
    let order = submission.order(&app, &caller, Some(organization))?;
    let before = execute::organization_before(&app, organization, &order, view(*by)).await?;
    let done = match before {
        Some(done) => done,
        None => {
            Access::check(&app, by, organization, Permission::UpdateOrganization).await?;
            let command = update_command(submission.json()?)?;
            let answer = view(*by);
            let command = |_: &_| command.clone();
            execute::organization(&app, by, organization, &order, command, answer).await?
        }
    };
    answered(&app, StatusCode::OK, &done).await
}

fn update_command(body: UpdateBody) -> Result<Command, Problem> {
    let mut errors = Vec::new();
    let name = body.name.map(|name| checked_name("name", name, &mut errors));
    let billing_email = body.billing_email.map(|email| checked_email(email, &mut errors));
    let country = body.country.map(|country| checked_country(country, &mut errors));
    if errors.is_empty() {
        Ok(Command::Update { name, billing_email, country })
    } else {
        Err(Problem::invalid(errors))
    }
}

/// What an answer to a command shows: the state right after it, and the caller's role in it.
/// How much of what it holds is shown with an organization.
#[derive(Clone, Copy)]
pub(super) struct Counts {
    members: usize,
    databases: usize,
}

impl Counts {
    pub(super) fn of(state: &events::organization::Organization) -> Self {
        Self { members: state.member_count(), databases: state.databases().len() }
    }
}

pub(super) type View = Option<(Profile, Counts, AccountId, Role)>;

pub(super) fn view(by: Principal) -> impl Fn(&events::organization::Organization) -> View {
    move |state| {
        let profile = state.profile()?.clone();
        let owner = state.longest_standing_owner()?;
        Some((profile, Counts::of(state), owner, state.standing(&by).ok()?))
    }
}

async fn answered(app: &App, status: StatusCode, done: &Done<View>) -> Result<Response, Problem> {
    let view = done.answer.as_ref();
    let (profile, counts, owner, role) = view.ok_or(Problem::new(Code::NotFound))?;
    let body = founded(app, *owner, profile, *counts, *role).await?;
    Ok(etag::tagged(profile.changed_version, answer::command(status, done, body)))
}

/// An organization as its stream has it.
pub(super) async fn founded(
    app: &App,
    owner: AccountId,
    profile: &Profile,
    counts: Counts,
    role: Role,
) -> Result<Organization, Problem> {
    let name = match &profile.name {
        Name::Plain(name) => organization_overview::Name::Plain(name.clone()),
        Name::Personal(name) => organization_overview::Name::Personal(name.sealed().cloned()),
    };
    let overview = Overview {
        id: profile.id,
        slug: profile.slug.clone(),
        name,
        is_personal: profile.is_personal,
        country: profile.country.clone(),
        billing_email: profile.billing_email.sealed().cloned(),
        owners: vec![owner],
        member_count: counts.members as u64,
        database_count: counts.databases as u64,
        plan: profile.plan.clone(),
        is_suspended: profile.is_suspended,
        created_at: profile.created_at,
        changed_version: profile.changed_version,
    };
    shown(app, overview, role).await
}

async fn shown(app: &App, overview: Overview, role: Role) -> Result<Organization, Problem> {
    let name = match &overview.name {
        organization_overview::Name::Plain(name) => Some(name.clone()),
        organization_overview::Name::Personal(name) => {
            answer::shown(query::opened(app, name.as_ref()).await?)
        }
    };
    let billing_email = if role.may(Permission::ViewBilling) {
        Some(answer::shown(query::opened(app, overview.billing_email.as_ref()).await?))
    } else {
        None
    };
    Ok(Organization {
        owner_id: overview.owner(),
        id: overview.id,
        name,
        slug: overview.slug,
        is_personal: overview.is_personal,
        role,
        plan: overview.plan,
        member_count: overview.member_count,
        database_count: overview.database_count,
        country: overview.country,
        created_at: overview.created_at,
        status: if overview.is_suspended { "suspended" } else { "active" },
        billing_email,
        as_of_version: None,
    })
}

/// A name of 1 to 100 characters, trimmed.
pub(crate) fn checked_name(field: &str, name: String, errors: &mut Vec<FieldError>) -> String {
    let name = name.trim().to_owned();
    // characters that turn the direction of what follows make a name look like another
    let turns = |it| matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let sound = (1..=100).contains(&name.chars().count())
        && !name.contains(|it: char| it.is_control() || turns(it));
    if !sound {
        let detail = "must be 1 to 100 printable characters long".to_owned();
        errors.push(FieldError { field: field.to_owned(), detail });
    }
    name
}

fn checked_email(email: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let email = email?;
    checked("billing_email", email.parse::<Address>(), errors)?;
    Some(email.trim().to_owned())
}

fn checked_country(country: Option<String>, errors: &mut Vec<FieldError>) -> Option<String> {
    let country = country?;
    if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let detail = "must be a country's two capital letters (ISO 3166-1 alpha-2)".to_owned();
        errors.push(FieldError { field: "country".to_owned(), detail });
    }
    Some(country)
}
