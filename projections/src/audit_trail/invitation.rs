//! How an audit entry tells of invitations.

use events::invitation::Event::{self, Canceled, Expired, Rejected, Resent, Sent};
use events::time::Time;

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    match event {
        // it is called by the address to which it went; whoever shows the others adds that
        Sent { invitation, email, .. } => Resource::new("invitation", invitation, personal(email)),
        Resent { invitation, .. }
        | Canceled { invitation, .. }
        | Rejected { invitation }
        | Expired { invitation } => Resource::new("invitation", invitation, None),
    }
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let status = |to| FieldChange::new("status", Some(plain("pending")), Some(plain(to)));
    let expires_at =
        |from: Option<Time>, to| FieldChange::new("expires_at", from.map(plain), Some(plain(to)));
    match event {
        Sent { role, expires_at: at, email, .. } => vec![
            FieldChange::new("email", None, personal(email)),
            FieldChange::new("role", None, Some(plain(role))),
            expires_at(None, at),
        ],
        Resent { issue, expires_at: at, previous_expires_at: before, .. } => {
            vec![
                FieldChange::new("issue", Some(plain(issue - 1)), Some(plain(issue))),
                expires_at(*before, at),
            ]
        }
        Canceled { because, .. } => {
            vec![status("canceled"), FieldChange::new("because", None, Some(plain(because)))]
        }
        Rejected { .. } => vec![status("rejected")],
        Expired { .. } => vec![status("expired")],
    }
}
