//! An organization's state as JSON. What has an id stands under it, so that two moments compare place
//! by place.

use events::id::OrganizationId;
use events::invitation::Invitation;
use events::membership::Member;
use events::organization::{Name, Organization, Profile};
use events::personal::Personal;
use events::setting::Settings;
use events::time::Time;
use events::token::{Ended, Token};
use serde_json::{Map, Value, json};

use super::{held, stated};

/// What it was; `at` tells what had expired.
pub(super) fn organization(id: OrganizationId, state: &Organization, at: Time) -> Value {
    let members = state
        .members()
        .filter_map(|account| Some((account.to_string(), member(state.member(account)?))));
    let invitations = state.invitations().map(|(id, it)| (id.to_string(), invitation(it, at)));
    let tokens = state.tokens().map(|(id, it)| (id.to_string(), token(it, at)));
    let projects = state.projects().map(|(id, it)| (id.to_string(), held::project(it)));
    let databases = state.databases().map(|(id, it)| (id.to_string(), held::database(it)));
    json!({
        "id": id,
        "at": at,
        "status": if state.profile().is_some() { "active" } else { "deleted" },
        "profile": state.profile().map(profile),
        "members": members.collect::<Map<_, _>>(),
        "invitations": invitations.collect::<Map<_, _>>(),
        "tokens": tokens.collect::<Map<_, _>>(),
        "settings": settings(state.settings()),
        "projects": projects.collect::<Map<_, _>>(),
        "databases": databases.collect::<Map<_, _>>(),
        "declarations": stated::declarations(state),
        "incidents": stated::incidents(state),
        "access_reviews": stated::access_reviews(state),
        "restore_tests": stated::restore_tests(state),
    })
}

fn profile(profile: &Profile) -> Value {
    let name = match &profile.name {
        Name::Plain(name) => json!(name),
        Name::Personal(name) => personal(name),
    };
    json!({
        "slug": profile.slug,
        "name": name,
        "is_personal": profile.is_personal,
        "country": profile.country,
        "billing_email": personal(&profile.billing_email),
        "created_at": profile.created_at,
    })
}

fn member(member: &Member) -> Value {
    json!({
        "id": member.id,
        "role": member.role,
        "joined_at": member.joined_at,
        "role_version": member.role_version,
    })
}

fn invitation(invitation: &Invitation, at: Time) -> Value {
    json!({
        "email": personal(&invitation.email),
        "role": invitation.role,
        "status": invitation.status_at(at),
        "issue": invitation.issue,
        "expires_at": invitation.expires_at,
        "created_at": invitation.created_at,
        "sender": invitation.sender,
        "accepted_by": invitation.accepted_by,
    })
}

fn token(token: &Token, at: Time) -> Value {
    let status = match token.ended(at) {
        None => "active",
        Some(Ended::Revoked) => "revoked",
        Some(Ended::Rotated) => "rotated",
        Some(Ended::Expired) => "expired",
    };
    json!({
        "kind": token.kind,
        "name": token.name,
        "owner": token.owner,
        "prefix": token.prefix,
        "scopes": token.scopes,
        "status": status,
        "expires_at": token.expires_at,
        "created_at": token.created_at,
        "replaced_by": token.replaced.map(|(successor, _)| successor),
        "serves_until": token.replaced.map(|(_, until)| until),
    })
}

fn settings(settings: &Settings) -> Value {
    let allowlist: Vec<String> = settings.ip_allowlist.iter().map(ToString::to_string).collect();
    json!({
        "require_2fa": settings.require_2fa,
        "allowed_regions": settings.allowed_regions,
        "ip_allowlist_required": settings.ip_allowlist_required,
        "ip_allowlist": allowlist,
        "ip_allowlist_descriptions": personal(&settings.ip_allowlist_descriptions),
        "default_tier": settings.default_tier,
        "sso_enabled": settings.sso_enabled,
        "sso_enforced": settings.sso_enforced,
        "audit_retention_days": settings.audit_retention_days,
        "controller": personal(&settings.controller),
    })
}

/// A value that is open; of one that is sealed only whose it is.
pub(super) fn personal(personal: &Personal) -> Value {
    match personal {
        Personal::Absent => Value::Null,
        Personal::Known { value, .. } => json!(value),
        Personal::Sealed(sealed) => json!({ "sealed_for": sealed.subject }),
    }
}
