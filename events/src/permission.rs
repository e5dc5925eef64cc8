//! Which role may do what. The whole policy is the one table in [`Role::may`].

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Owner,
    Admin,
    Developer,
    Member,
    Viewer,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    ReadOrganization,
    UpdateOrganization,
    ReadAuditLog,
    ViewBilling,
}

impl Role {
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Admin, Self::Developer, Self::Member, Self::Viewer];

    pub fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::ReadOrganization => true,
            Permission::UpdateOrganization | Permission::ReadAuditLog | Permission::ViewBilling => {
                matches!(self, Self::Owner | Self::Admin)
            }
        }
    }
}
