//! Register, and who I am.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::account::{Account, Command, Person};
use events::id::{AccountId, OrganizationId, SessionId};
use events::permission::{Permission, Role};
use events::personal::Personal;
use events::time::Time;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::{Caller, SignedIn};
use super::document::{ConditionalCommands, PublicCommands, Reads, Unmodified};
use super::etag::Version;
use super::field::{given, present};
use super::organization::{self, Organization};
use super::problem::{Code, FieldError, Problem};
use super::request::{Authenticated, Parameters, Submission};
use super::{answer, checked, etag};
use crate::access::{self, Access, Refusal};
use crate::address::Address;
use crate::execute::register::{self, Registered, Registration};
use crate::identity::Identity;
use crate::{App, execute, password, query, session_activity};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(register)).routes(routes!(show_me, update_me))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegisterBody {
    #[schema(example = "ana@example.org")]
    email: String,
    /// 12 to 256 characters, not one of the commonest.
    #[schema(value_type = String, example = "correct horse battery")]
    password: SecretString,
    /// 1 to 100 characters.
    #[schema(example = "Ana")]
    name: String,
    company: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct User {
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    id: AccountId,
    email: Option<String>,
    name: Option<String>,
    company: Option<String>,
    two_factor_enabled: bool,
    #[schema(value_type = Option<String>)]
    email_verified_at: Option<Time>,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RegisterAnswer {
    user: User,
    organization: Organization,
    /// The session token; send it as `Authorization: Bearer`.
    #[schema(example = "chy_ses_AYjH...")]
    token: String,
    #[schema(value_type = String, example = "2026-01-31T10:30:00.000Z")]
    expires_at: Time,
    /// Gets the next session token, once.
    #[schema(example = "chy_ref_AYjH...")]
    refresh_token: String,
}

#[utoipa::path(post, path = "/auth/register", operation_id = "register", tag = "accounts",
    request_body = RegisterBody,
    responses((status = 201, body = RegisterAnswer), PublicCommands))]
async fn register(
    State(app): State<Arc<App>>,
    submission: Submission,
) -> Result<Response, Problem> {
    // whose key it is follows from the address, whatever else is wrong with the body
    if let Some(address) = submission.text("email").and_then(|email| email.parse().ok()) {
        let order = submission.anonymous_order(&app, &app.keyring.principal_of(&address))?;
        register::refuse_other_body(&app, &order, &address).await?;
    }
    let body: RegisterBody = submission.json()?;
    let mut errors = Vec::new();
    let address = checked("email", body.email.parse::<Address>(), &mut errors);
    checked("password", password::check(&body.password), &mut errors);
    let name = organization::checked_name("name", body.name, &mut errors);
    let company = body.company.filter(|company| !company.is_empty());
    let company =
        company.map(|company| organization::checked_name("company", company, &mut errors));
    let Some(address) = address.filter(|_| errors.is_empty()) else {
        return Err(Problem::invalid(errors));
    };
    let order = submission.anonymous_order(&app, &app.keyring.principal_of(&address))?;
    let left = app.rate_limits.public_call(submission.origin.network())?;
    let registration = Registration { address, password: body.password, name, company };
    let (ip_address, user_agent) =
        (submission.origin.ip_address.clone(), submission.origin.user_agent.clone());
    let view = |state: &events::organization::Organization| {
        state.profile().cloned().zip(Some(organization::Counts::of(state)))
    };
    let done = register::register(&app, order, ip_address, user_agent, registration, view);
    let done = done.await.map_err(|error| Problem::from(error).limited(left))?;
    let Registered { account, person, opened, organization } = &done.answer;
    let client = submission.origin.client(person.subject);
    session_activity::note_use(&app, opened.tokens.session.session, *account, &client);
    let founded = organization.as_ref().ok_or(Problem::new(Code::Internal))?;
    let body = RegisterAnswer {
        user: user(&app, *account, person).await?,
        organization: organization::founded(&app, *account, &founded.0, founded.1, Role::Owner)
            .await?,
        token: opened.tokens.session.reveal(),
        expires_at: opened.expires_at,
        refresh_token: opened.tokens.refresh.reveal(),
    };
    Ok(answer::limited(left, answer::command(StatusCode::CREATED, &done, body)))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    #[serde(flatten)]
    user: User,
    /// The organization that requests without one act on; `null` when the chosen one is gone, or its
    /// member no more: such requests are then answered 404, because none of them was meant for
    /// another organization.
    #[schema(value_type = Option<String>, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    active_organization: Option<OrganizationId>,
}

#[utoipa::path(get, path = "/auth/me", operation_id = "showMe", tag = "accounts",
    responses((status = 200, body = Me), Unmodified, Reads))]
async fn show_me(
    State(app): State<Arc<App>>,
    caller: Caller,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
) -> Result<Response, Problem> {
    Parameters::of(&uri, &[])?;
    organization::agrees(&app, &caller, &headers).await?;
    let Identity { account, person, .. } = caller.person()?;
    let active_organization = match caller.bound_to {
        // it has just been asked whether the token serves
        Some(bound_to) => Some(bound_to),
        None => still_theirs(&app, &caller, organization::usual(&app, &caller)?).await?,
    };
    let version = version(&app, *account, person, active_organization);
    if let Some(known) = etag::not_modified(&headers, version.clone()) {
        return Ok(known);
    }
    let body = Json(Me { user: user(&app, *account, person).await?, active_organization });
    Ok(etag::tagged(version, body.into_response()))
}

/// Which organization is active also follows from the session, and a chosen one can end without
/// any change to the account.
fn version(
    app: &App,
    account: AccountId,
    person: &Person,
    active: Option<OrganizationId>,
) -> Version {
    let personal = OrganizationId::personal(app.keyring.log_id(), account);
    match active {
        Some(active) if active == personal => person.changed_version.into(),
        Some(active) => Version::with(person.changed_version, active),
        None => Version::with(person.changed_version, "none"),
    }
}

async fn still_theirs(
    app: &App,
    caller: &Caller,
    chosen: OrganizationId,
) -> Result<Option<OrganizationId>, Problem> {
    Ok(access::is_known(app, &caller.principal, chosen).await?.then_some(chosen))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UpdateMeBody {
    /// 1 to 100 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, example = "Ana")]
    name: Option<String>,
    /// `null` takes it away.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    company: Option<Option<String>>,
    /// Id or slug of one of the caller's organizations; kept in this session, which is needed.
    /// `null` is the personal one.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>, example = "acme-engineering")]
    active_organization: Option<Option<String>>,
}

#[utoipa::path(patch, path = "/auth/me", operation_id = "updateMe", tag = "accounts",
    request_body = UpdateMeBody,
    responses((status = 200, body = Me), ConditionalCommands))]
async fn update_me(
    State(app): State<Arc<App>>,
    Authenticated(caller, submission): Authenticated<SignedIn>,
) -> Result<Response, Problem> {
    let Identity { account, session, .. } = caller.identity;
    let order = submission.order(&app, &caller, None)?;
    let now = app.clock.now();
    let view = |state: &Account| {
        let session = session.and_then(|current| state.session(current.id, now));
        state.person().cloned().zip(Some(session.and_then(|session| session.organization)))
    };
    let done = match execute::account::before(&app, account, &order, view).await? {
        Some(done) => done,
        None => {
            let command = update_command(&app, &caller, submission.json()?).await?;
            execute::account::order(&app, account, &order, &command, view).await?
        }
    };
    let (person, chosen) = done.answer.as_ref().ok_or(Problem::new(Code::Internal))?;
    let personal = || OrganizationId::personal(app.keyring.log_id(), account);
    let user = user(&app, account, person).await?;
    let active_organization = chosen.unwrap_or_else(personal);
    let active_organization = still_theirs(&app, &caller, active_organization).await?;
    let version = version(&app, account, person, active_organization);
    let body = Me { user, active_organization };
    Ok(etag::tagged(version, answer::command(StatusCode::OK, &done, body)))
}

async fn update_command(
    app: &App,
    caller: &SignedIn,
    body: UpdateMeBody,
) -> Result<Command, Problem> {
    let subject = caller.identity.person.subject;
    let mut errors = Vec::new();
    let name = body.name.map(|name| organization::checked_name("name", name, &mut errors));
    let company = body.company.map(|company| {
        let company = company.filter(|company| !company.is_empty());
        company.map(|company| organization::checked_name("company", company, &mut errors))
    });
    let organization = match body.active_organization {
        Some(named) => chosen(app, caller, named.as_deref(), &mut errors).await?,
        None => None,
    };
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    Ok(Command::Update {
        name: name.map(|name| Personal::known(subject, name)),
        company: company.map(|company| Personal::optional(subject, company)),
        organization,
        now: app.clock.now(),
    })
}

/// The session that chooses, and what it chooses; `None` beside an error.
async fn chosen(
    app: &App,
    caller: &SignedIn,
    named: Option<&str>,
    errors: &mut Vec<FieldError>,
) -> Result<Option<(SessionId, Option<OrganizationId>)>, Problem> {
    let mut refuse = |detail: &str| {
        let field = "active_organization".to_owned();
        errors.push(FieldError { field, detail: detail.to_owned() });
        Ok(None)
    };
    let Some(session) = caller.identity.session else {
        return refuse("is kept in a session; sign in for one instead of sending a password");
    };
    let Some(named) = named else { return Ok(Some((session.id, None))) };
    let Some(found) = query::organization_overview::resolve(app, named).await? else {
        return refuse("is none of your organizations");
    };
    let account = caller.identity.account;
    match Access::check(app, &caller.principal, found, Permission::ReadOrganization).await {
        Ok(access) => {
            let personal = OrganizationId::personal(app.keyring.log_id(), account);
            let chosen = Some(access.organization()).filter(|chosen| *chosen != personal);
            Ok(Some((session.id, chosen)))
        }
        Err(Refusal::NotFound | Refusal::TokenEnded(_) | Refusal::Denied(_)) => {
            refuse("is none of your organizations")
        }
        Err(Refusal::Failed(failure)) => Err(failure.into()),
    }
}

pub(super) async fn user(app: &App, id: AccountId, person: &Person) -> Result<User, Problem> {
    let email = query::opened(app, person.email.sealed()).await?;
    let name = query::opened(app, person.name.sealed()).await?;
    let company = query::opened(app, person.company.sealed()).await?;
    Ok(User {
        id,
        email: answer::shown(email),
        name: answer::shown(name),
        company: answer::shown(company),
        two_factor_enabled: person.second_factor.is_some(),
        email_verified_at: person.email_verified_at,
        created_at: person.registered_at,
    })
}
