//! Who could do what in an organization at a moment, and which events made it so.

use std::sync::Arc;

use axum::Json;
use axum::extract::{OriginalUri, State};
use events::id::{AccountId, TokenId};
use events::permission::{Permission, Role};
use events::rights::{Because, Rights};
use events::scope::Scope;
use events::time::Time;
use events::token::{Kind, Token};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::audit_log::{People, email};
use super::authentication::Caller;
use super::document::OrganizationReads;
use super::organization::Meant;
use super::problem::{Code, Problem};
use super::request::Parameters;
use crate::access::Access;
use crate::address::Address;
use crate::past::Moment;
use crate::{App, identity, query};

const AT: &str = "at";
const USER: &str = "user";

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(show_access))
}

#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is read as text; this documents it")]
struct AccessParameters {
    /// A version of the organization's stream, or a time (RFC 3339), which means the last event
    /// recorded until then; now, where it is left away.
    at: Option<String>,
    /// Only this person: an id, or a whole e-mail address.
    user: Option<String>,
}

/// Who could do what.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessThen {
    #[schema(value_type = String, example = "2026-01-31T09:30:00.000Z")]
    at: Time,
    /// Of the last event until then.
    version: u64,
    conditions: AccessConditions,
    members: Vec<AccessOfMember>,
    /// Those that act as the organization; not with `user`.
    keys: Vec<AccessOfToken>,
}

/// What every request had to meet besides.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessConditions {
    require_2fa: bool,
    ip_allowlist_required: bool,
    ip_allowlist: Vec<String>,
    /// Of the event that last changed the settings; 0 where none has.
    version: u64,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct AccessOfMember {
    #[schema(value_type = String, example = "usr_01h2xcejqtf2nbrexx3vqjhp41")]
    user_id: AccountId,
    /// Today's.
    email: Option<String>,
    #[schema(value_type = String, example = "admin")]
    role: Role,
    #[schema(value_type = Vec<String>, example = json!(["read_organization", "manage_members"]))]
    permissions: Vec<Permission>,
    /// Of the event that gave the role.
    since_version: u64,
    /// How they came in, and what last changed their role.
    #[schema(value_type = Vec<AccessCause>)]
    because: Vec<Because>,
    /// Their own that served.
    tokens: Vec<AccessOfToken>,
}

/// A token that served. It could do what its scopes and its owner's role both allowed; a key what
/// its scopes and the role `admin` did.
#[derive(Serialize, ToSchema)]
pub(crate) struct AccessOfToken {
    #[schema(value_type = String, example = "tok_01h2xcejqtf2nbrexx3vqjhp41")]
    id: TokenId,
    #[schema(value_type = String, example = "personal")]
    kind: Kind,
    name: String,
    #[schema(value_type = Vec<String>, example = json!(["members:read"]))]
    scopes: Vec<Scope>,
    /// The earlier of its own end and the end of what another took the place of; `null`: never.
    #[schema(value_type = Option<String>, example = "2026-05-01T09:30:00.000Z")]
    expires_at: Option<Time>,
    #[schema(value_type = Vec<AccessCause>)]
    because: Vec<Because>,
}

/// An event that made it so, as the audit log names it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it is the documentation of `Because`")]
pub(crate) struct AccessCause {
    #[schema(example = "evt_01h2xcejqtf2nbrexx3vqjhp41")]
    id: String,
    version: u64,
    #[schema(example = "member.joined")]
    action: String,
}

/// Members, tokens and keys as they were, each with the events without which it would not have been
/// so. E-mail addresses are today's, and `erased` after an erasure.
#[utoipa::path(get, path = "/access", operation_id = "showAccess", tag = "audit log",
    params(AccessParameters), responses((status = 200, body = AccessThen), OrganizationReads))]
async fn show_access(
    State(app): State<Arc<App>>,
    OriginalUri(uri): OriginalUri,
    Meant(caller, organization): Meant<Caller>,
) -> Result<Json<AccessThen>, Problem> {
    let by = &caller.principal;
    let access = Access::check(&app, by, organization, Permission::ReadAuditLog).await?;
    let parameters = Parameters::of(&uri, &[AT, USER])?;
    let moment = parameters.moment(AT)?.unwrap_or_else(|| Moment::Time(app.clock.now()));
    let only = match parameters.get(USER) {
        Some(text) => Some(person(&app, text).await?),
        None => None,
    };
    let (rights, version, at) =
        query::rights::at(&app, &access, moment).await.map_err(|error| match error {
            query::Error::Future => {
                Problem::with_detail(Code::InvalidParameter, "`at` has not come yet")
            }
            query::Error::NotFound | query::Error::Failed(_) => error.into(),
        })?;
    let organization = rights.organization();
    let mut people = People::new();
    let mut members = Vec::new();
    for account in organization.members() {
        if only.is_some_and(|only| only != Some(account)) {
            continue;
        }
        let Some(member) = organization.member(account) else { continue };
        let may = |permission: &Permission| member.role.may(*permission);
        members.push(AccessOfMember {
            user_id: account,
            email: email(&app, account, &mut people).await?,
            role: member.role,
            permissions: Permission::ALL.into_iter().filter(may).collect(),
            since_version: member.role_version,
            because: rights.of_member(account),
            tokens: tokens(&rights, at, |token| token.acts_for() == Some(account)),
        });
    }
    let keys = match only {
        None => tokens(&rights, at, |token| token.kind == Kind::Organization),
        Some(_) => vec![],
    };
    let settings = organization.settings();
    let conditions = AccessConditions {
        require_2fa: settings.require_2fa,
        ip_allowlist_required: settings.ip_allowlist_required,
        ip_allowlist: settings.ip_allowlist.iter().map(ToString::to_string).collect(),
        version: settings.changed_version,
    };
    Ok(Json(AccessThen { at, version, conditions, members, keys }))
}

/// `None` for an address that nobody has.
async fn person(app: &App, text: &str) -> Result<Option<AccountId>, Problem> {
    let odd = || {
        let detail = "`user` is a user's id or a whole e-mail address";
        Problem::with_detail(Code::InvalidParameter, detail)
    };
    if text.contains('@') {
        let address: Address = text.parse().map_err(|_| odd())?;
        return Ok(identity::holder(app, &address).await?.map(|holder| holder.account));
    }
    text.parse().map(Some).map_err(|_| odd())
}

fn tokens(rights: &Rights, at: Time, is_meant: impl Fn(&Token) -> bool) -> Vec<AccessOfToken> {
    let serving = rights.organization().live_tokens(at);
    let shown = |(id, token): (TokenId, &Token)| {
        let ends = token.expires_at.into_iter().chain(token.replaced.map(|(_, until)| until));
        AccessOfToken {
            id,
            kind: token.kind,
            name: token.name.clone(),
            scopes: token.scopes.iter().collect(),
            expires_at: ends.min(),
            because: rights.of_token(id).to_vec(),
        }
    };
    serving.filter(|(_, token)| is_meant(token)).map(shown).collect()
}
