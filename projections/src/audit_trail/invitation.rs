//! How an audit entry tells of invitations.

use events::invitation::Event::{self, Canceled, Expired, Rejected, Resent, Sent};

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    match event {
        // it is called by the address to which it went
        Sent { invitation, email, .. } => Resource::new("invitation", invitation, personal(email)),
        Resent { invitation, .. }
        | Canceled { invitation, .. }
        | Rejected { invitation }
        | Expired { invitation } => Resource::new("invitation", invitation, None),
    }
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let status = |to| FieldChange::new("status", Some(plain("pending")), Some(plain(to)));
    let expires_at = |at| FieldChange::new("expires_at", None, Some(plain(at)));
    match event {
        Sent { role, expires_at: at, email, .. } => vec![
            FieldChange::new("email", None, personal(email)),
            FieldChange::new("role", None, Some(plain(role))),
            expires_at(at),
        ],
        Resent { issue, expires_at: at, .. } => {
            vec![
                FieldChange::new("issue", Some(plain(issue - 1)), Some(plain(issue))),
                expires_at(at),
            ]
        }
        Canceled { because, .. } => {
            vec![status("canceled"), FieldChange::new("because", None, Some(plain(because)))]
        }
        Rejected { .. } => vec![status("rejected")],
        Expired { .. } => vec![status("expired")],
    }
}
