//! Register, sign in, and who I am.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use axum::response::Response;
use events::account::Person;
use events::id::{AccountId, OrganizationId};
use events::permission::Role;
use events::recorded::Actor;
use events::time::Time;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::authentication::Caller;
use super::document::{PublicCommands, Reads};
use super::organization::{self, Organization};
use super::problem::{Code, Problem};
use super::request::{Parameters, Submission};
use super::{answer, checked};
use crate::address::Address;
use crate::execute::Client;
use crate::execute::register::{self, Registered, Registration};
use crate::{App, identity, password, query};

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(register)).routes(routes!(sign_in)).routes(routes!(show_me))
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
    token: String,
    #[schema(value_type = String)]
    expires_at: Time,
}

#[utoipa::path(post, path = "/auth/register", operation_id = "register", tag = "accounts",
    request_body = RegisterBody,
    responses((status = 201, body = RegisterAnswer), PublicCommands))]
async fn register(
    State(app): State<Arc<App>>,
    submission: Submission,
) -> Result<Response, Problem> {
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
    let registration = Registration { address, password: body.password, name, company };
    let (ip_address, user_agent) =
        (submission.origin.ip_address.clone(), submission.origin.user_agent.clone());
    let view = |state: &events::organization::Organization| {
        state.profile().cloned().zip(Some(state.member_count()))
    };
    let done = register::register(&app, order, ip_address, user_agent, registration, view).await?;
    let Registered { account, person, token, expires_at, organization } = &done.answer;
    let founded = organization.as_ref().ok_or(Problem::new(Code::Internal))?;
    let body = RegisterAnswer {
        user: user(&app, *account, person).await?,
        organization: organization::founded(&app, *account, &founded.0, founded.1, Role::Owner)
            .await?,
        token: token.reveal(),
        expires_at: *expires_at,
    };
    Ok(answer::command(StatusCode::CREATED, &done, body))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInBody {
    email: String,
    #[schema(value_type = String)]
    password: SecretString,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SignInAnswer {
    token: String,
    #[schema(value_type = String)]
    expires_at: Time,
    user: User,
}

#[utoipa::path(post, path = "/auth/login", operation_id = "signIn", tag = "accounts",
    request_body = SignInBody,
    responses((status = 200, body = SignInAnswer), PublicCommands))]
async fn sign_in(State(app): State<Arc<App>>, submission: Submission) -> Result<Response, Problem> {
    let body: SignInBody = submission.json()?;
    // what is no address belongs to nobody
    let address: Address =
        body.email.parse().map_err(|_| Problem::new(Code::InvalidCredentials))?;
    let owner = identity::by_password(&app, &address, body.password).await?;
    let owner = owner.ok_or(Problem::new(Code::InvalidCredentials))?;
    register::complete(&app, owner.account).await?;
    let client = Client {
        subject: owner.person.subject,
        ip_address: submission.origin.ip_address.clone(),
        user_agent: submission.origin.user_agent.clone(),
    };
    let order = submission.unkeyed_order(&app, Actor::Account(owner.account), client);
    let done = register::start_session(&app, &order, owner.account).await?;
    let (token, expires_at) = &done.answer;
    let body = SignInAnswer {
        token: token.reveal(),
        expires_at: *expires_at,
        user: user(&app, owner.account, &owner.person).await?,
    };
    Ok(answer::command(StatusCode::OK, &done, body))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Me {
    #[serde(flatten)]
    user: User,
    /// The organization that requests without one act on.
    #[schema(value_type = String, example = "org_01h2xcejqtf2nbrexx3vqjhp41")]
    active_organization: OrganizationId,
}

#[utoipa::path(get, path = "/auth/me", operation_id = "showMe", tag = "accounts",
    responses((status = 200, body = Me), Reads))]
async fn show_me(
    State(app): State<Arc<App>>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<Me>, Problem> {
    Parameters::of(&uri, &[])?;
    let account = caller.identity.account;
    Ok(Json(Me {
        user: user(&app, account, &caller.identity.person).await?,
        active_organization: OrganizationId::personal(app.keyring.log_id(), account),
    }))
}

async fn user(app: &App, id: AccountId, person: &Person) -> Result<User, Problem> {
    let email = query::opened(app, person.email.sealed()).await?;
    let name = query::opened(app, person.name.sealed()).await?;
    let company = query::opened(app, person.company.sealed()).await?;
    Ok(User {
        id,
        email: answer::shown(email),
        name: answer::shown(name),
        company: answer::shown(company),
        two_factor_enabled: false,
        email_verified_at: None,
        created_at: person.registered_at,
    })
}
