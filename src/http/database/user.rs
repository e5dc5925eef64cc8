//! Users of a database: roles in it, each with a password. The password is not kept: it follows from
//! a key of this installation, the user's id and how often it was set, so that it can be shown to who
//! may use the database, and given to the provisioner, at any time. That it was shown is recorded.

use std::sync::Arc;

use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use events::database::part::{self, Command, Order};
use events::id::{DatabaseId, DatabaseUserId};
use events::kept::Kept;
use events::organization::Organization;
use events::permission::Permission;
use events::time::Time;
use events::wire::base64url;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::App;
use crate::execute;
use crate::http::answer;
use crate::http::authentication::Caller;
use crate::http::document::{OrganizationCommands, OrganizationReads, Unmodified};
use crate::http::held::{self, List, NoFields};
use crate::http::organization::Meant;
use crate::http::problem::{Code, FieldError, Problem};
use crate::http::request::{Authenticated, PathNames};

pub(super) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(create_user, list_users))
        .routes(routes!(show_user, delete_user))
        .routes(routes!(reveal_password))
        .routes(routes!(reset_password))
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DatabaseUser {
    #[schema(value_type = String, example = "dbu_01h2xcejqtf2nbrexx3vqjhp41")]
    id: DatabaseUserId,
    #[schema(example = "app")]
    username: String,
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    created_at: Time,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct RevealedUser {
    #[serde(flatten)]
    user: DatabaseUser,
    /// 43 characters.
    password: String,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct DatabaseUserList {
    users: Vec<DatabaseUser>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_page_token: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = DatabaseUserBody)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserBody {
    /// What the role is called in the database, not who uses it: 1 to 63 of `a-z 0-9 _`, a letter
    /// first.
    #[schema(example = "app")]
    username: String,
}

impl UserBody {
    fn username(self) -> Result<String, Problem> {
        let is_sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        let username = self.username;
        if !(1..=63).contains(&username.len())
            || !username.bytes().all(is_sound)
            || !username.starts_with(|first: char| first.is_ascii_lowercase())
        {
            let detail = "must be 1 to 63 of a-z, 0-9 and _, with a letter first".to_owned();
            let field = "username".to_owned();
            return Err(Problem::invalid(vec![FieldError { field, detail }]));
        }
        Ok(username)
    }
}

type Found = (DatabaseUserId, Kept<part::User>);

fn view(
    state: &Organization,
    database: Option<DatabaseId>,
    user: Option<DatabaseUserId>,
) -> Option<(u64, Found)> {
    let kept = state.database(database?)?.content.parts.users.get(&user?)?.clone();
    Some((kept.changed_version, (user?, kept)))
}

fn shown((id, kept): &Found) -> DatabaseUser {
    let username = kept.content.username.clone();
    DatabaseUser { id: *id, username, created_at: kept.created_at }
}

/// The password that a user has.
pub(in crate::http) fn password(app: &App, id: DatabaseUserId, user: &part::User) -> String {
    let issue = user.issue.to_be_bytes();
    base64url(&app.keyring.derive("database user password", &[id.0.as_bytes(), &issue]))
}

fn revealed(app: &App, found: &Found) -> RevealedUser {
    let (id, kept) = found;
    RevealedUser { user: shown(found), password: password(app, *id, &kept.content) }
}

/// Makes a user, and shows the password.
#[utoipa::path(post, path = "/databases/{database}/users", operation_id = "createDatabaseUser",
    tag = "databases", params(("database" = String, Path)), request_body = UserBody,
    responses((status = 201, body = RevealedUser), OrganizationCommands))]
async fn create_user(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let (database, user) = (names.id("database"), execute::database::user(&app, &order));
    let command = || {
        let database = database.ok_or(Problem::new(Code::NotFound))?;
        let username = submission.json::<UserBody>()?.username()?;
        Ok(Command { database, order: Order::CreateUser { user, username } })
    };
    let needed = Permission::ManageDatabases;
    let view = |state: &Organization| view(state, database, Some(user));
    let done = held::command(&app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::CREATED, *version, &done, revealed(&app, found)))
}

#[utoipa::path(get, path = "/databases/{database}/users", operation_id = "listDatabaseUsers",
    tag = "databases",
    params(("database" = String, Path), ("page_size" = Option<usize>, Query),
        ("page_token" = Option<String>, Query)),
    responses((status = 200, body = DatabaseUserList), OrganizationReads))]
async fn list_users(
    State(app): State<Arc<App>>,
    names: PathNames,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let database: Option<DatabaseId> = names.id("database");
    let (needed, what) = (Permission::ReadDatabases, format!("users of {database:?}"));
    let list = List { organization, needed, uri: &uri, what: &what, has_past: false };
    let all = |state: &Organization| {
        let all = &state.database(database?)?.content.parts.users;
        Some(all.iter().map(|(id, it)| (it.created_version, *id)).collect())
    };
    let take = |state: &Organization, id| view(state, database, Some(id));
    let page = held::page(&app, &caller, list, all, take).await?;
    let users = page.items.iter().flatten().map(|(_, found)| shown(found)).collect();
    let next_page_token = page.next(&app);
    let next = next_page_token.clone();
    Ok(page.answered(&uri, next.as_deref(), DatabaseUserList { users, next_page_token }))
}

#[utoipa::path(get, path = "/databases/{database}/users/{user}", operation_id = "showDatabaseUser",
    tag = "databases", params(("database" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = DatabaseUser), Unmodified, OrganizationReads))]
async fn show_user(
    State(app): State<Arc<App>>,
    names: PathNames,
    headers: HeaderMap,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Response, Problem> {
    let needed = Permission::ReadDatabases;
    let view = |state: &Organization| view(state, names.id("database"), names.id("user"));
    let seen = held::one(&app, &caller, organization, needed, &uri, view).await?;
    Ok(seen.known(&headers).unwrap_or_else(|| seen.answered(shown(&seen.thing))))
}

/// An order after which somebody is told the password.
async fn told(
    app: &App,
    names: &PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
    needed: Permission,
    what: impl FnOnce(DatabaseUserId) -> Order,
) -> Result<Response, Problem> {
    let order = submission.order(app, &caller, Some(organization))?;
    let (database, user) = (names.id("database"), names.id("user"));
    let command = || {
        let (database, user) = database.zip(user).ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command { database, order: what(user) })
    };
    let view = |state: &Organization| view(state, database, user);
    let done = held::command(app, &caller, organization, needed, &order, command, view).await?;
    let (version, found) = done.answer.as_ref().ok_or(Problem::new(Code::NotFound))?;
    Ok(held::tagged(StatusCode::OK, *version, &done, revealed(app, found)))
}

/// Shows the password. That is recorded.
#[utoipa::path(post, path = "/databases/{database}/users/{user}/reveal-password",
    operation_id = "revealDatabasePassword", tag = "databases",
    params(("database" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = RevealedUser), OrganizationCommands))]
async fn reveal_password(
    State(app): State<Arc<App>>,
    names: PathNames,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    told(&app, &names, meant, Permission::UseDatabases, |user| Order::RevealPassword { user }).await
}

/// Sets another password, and shows it.
#[utoipa::path(post, path = "/databases/{database}/users/{user}/reset-password",
    operation_id = "resetDatabasePassword", tag = "databases",
    params(("database" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = RevealedUser), OrganizationCommands))]
async fn reset_password(
    State(app): State<Arc<App>>,
    names: PathNames,
    meant: Meant<Authenticated>,
) -> Result<Response, Problem> {
    told(&app, &names, meant, Permission::ManageDatabases, |user| Order::ResetPassword { user })
        .await
}

#[utoipa::path(delete, path = "/databases/{database}/users/{user}",
    operation_id = "deleteDatabaseUser", tag = "databases",
    params(("database" = String, Path), ("user" = String, Path)),
    responses((status = 204), OrganizationCommands))]
async fn delete_user(
    State(app): State<Arc<App>>,
    names: PathNames,
    Meant(Authenticated(caller, submission), organization): Meant<Authenticated>,
) -> Result<Response, Problem> {
    let order = submission.order(&app, &caller, Some(organization))?;
    let command = || {
        let database = names.id("database").ok_or(Problem::new(Code::NotFound))?;
        let user = names.id("user").ok_or(Problem::new(Code::NotFound))?;
        let NoFields {} = submission.json_or_empty()?;
        Ok(Command { database, order: Order::DeleteUser { user } })
    };
    let needed = Permission::ManageDatabases;
    let done = held::command(&app, &caller, organization, needed, &order, command, |_| ()).await?;
    Ok(answer::gone(&done))
}
