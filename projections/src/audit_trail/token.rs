//! How an audit entry tells of tokens and keys.

use events::token::Event::{self, Created, Revoked, Rotated};

use super::{FieldChange, Resource, plain};

pub(super) fn resource(event: &Event) -> Resource {
    match event {
        Created { token, name, .. } => Resource::new("api_key", token, Some(plain(name))),
        Rotated { token, .. } | Revoked { token } => Resource::new("api_key", token, None),
    }
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let now = |field: &str, value| FieldChange::new(field, None, Some(value));
    match event {
        Created { kind, name, owner, scopes, expires_at, prefix, .. } => vec![
            now("name", plain(name)),
            now("kind", plain(kind)),
            now("owner", plain(owner)),
            now("scopes", plain(scopes)),
            now("expires_at", plain(expires_at)),
            now("prefix", plain(prefix)),
        ],
        Rotated { successor, scopes, expires_at, previous_valid_until, prefix, .. } => vec![
            now("successor", plain(successor)),
            now("scopes", plain(scopes)),
            now("expires_at", plain(expires_at)),
            now("prefix", plain(prefix)),
            now("previous_valid_until", plain(previous_valid_until)),
        ],
        Revoked { .. } => {
            vec![FieldChange::new("is_active", Some(plain(true)), Some(plain(false)))]
        }
    }
}
