//! Which role may do what. The whole policy is the one table in [`Permission::granted_to`].

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

/// Those over members are in order: each takes more than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    ReadOrganization,
    ReadMembers,
    /// End one's own membership.
    Leave,
    /// Make, list and end tokens of one's own.
    UseOwnTokens,
    /// Read projects and databases.
    ReadDatabases,
    ReadBackups,
    ReadPipelines,
    /// Connect to databases; be shown the password of a database user.
    UseDatabases,
    /// Create and change projects, databases, their users, alerts and allowlists.
    ManageDatabases,
    ManageBackups,
    ManagePipelines,
    /// Delete projects and databases.
    DeleteDatabases,
    DeleteBackups,
    UpdateOrganization,
    UpdateSettings,
    /// State for compliance what no event shows: declarations, incidents, access reviews.
    Declare,
    ExportOrganization,
    ReadAuditLog,
    ViewBilling,
    /// Read packets, and what is declared for them.
    ReadCompliance,
    /// Have a packet made.
    GeneratePackets,
    /// Subscribe to frameworks.
    ManageCompliance,
    /// List every member's tokens, and end them.
    ManageTokens,
    /// Make and end keys that act as the organization.
    ManageKeys,
    /// Invite developers, members and viewers, change their roles, remove them and admins.
    ManageMembers,
    /// Grant `admin`, change an admin's role.
    ManageAdmins,
    /// Grant or take `owner`.
    ManageOwners,
    /// What was used, and how much is left.
    ReadUsage,
    /// Tell what was used.
    RecordUsage,
    /// Plan, seats, spend limit and payment methods.
    ManageBilling,
    TransferOrganization,
    DeleteOrganization,
}

impl Permission {
    pub const ALL: [Self; 32] = [
        Self::ReadOrganization,
        Self::ReadMembers,
        Self::Leave,
        Self::UseOwnTokens,
        Self::ReadDatabases,
        Self::ReadBackups,
        Self::ReadPipelines,
        Self::UseDatabases,
        Self::ManageDatabases,
        Self::ManageBackups,
        Self::ManagePipelines,
        Self::DeleteDatabases,
        Self::DeleteBackups,
        Self::UpdateOrganization,
        Self::UpdateSettings,
        Self::Declare,
        Self::ExportOrganization,
        Self::ReadAuditLog,
        Self::ViewBilling,
        Self::ReadCompliance,
        Self::GeneratePackets,
        Self::ManageCompliance,
        Self::ManageTokens,
        Self::ManageKeys,
        Self::ManageMembers,
        Self::ManageAdmins,
        Self::ManageOwners,
        Self::ReadUsage,
        Self::RecordUsage,
        Self::ManageBilling,
        Self::TransferOrganization,
        Self::DeleteOrganization,
    ];

    pub fn granted_to(self) -> &'static [Role] {
        use Role::{Admin, Developer, Member, Owner, Viewer};
        match self {
            Self::ReadOrganization
            | Self::ReadMembers
            | Self::Leave
            | Self::UseOwnTokens
            | Self::ReadDatabases
            | Self::ReadBackups
            | Self::ReadPipelines
            | Self::ReadCompliance
            | Self::ReadUsage
            | Self::GeneratePackets => &[Owner, Admin, Developer, Member, Viewer],
            Self::UseDatabases => &[Owner, Admin, Developer, Member],
            Self::ManageDatabases | Self::ManageBackups | Self::ManagePipelines => {
                &[Owner, Admin, Developer]
            }
            Self::DeleteDatabases
            | Self::DeleteBackups
            | Self::UpdateOrganization
            | Self::UpdateSettings
            | Self::Declare
            | Self::ExportOrganization
            | Self::ReadAuditLog
            | Self::ViewBilling
            | Self::RecordUsage
            | Self::ManageCompliance
            | Self::ManageTokens
            | Self::ManageKeys
            | Self::ManageMembers => &[Owner, Admin],
            Self::ManageAdmins
            | Self::ManageOwners
            | Self::ManageBilling
            | Self::TransferOrganization
            | Self::DeleteOrganization => &[Owner],
        }
    }

    /// What it takes to make somebody have this role, by invitation or by change.
    pub fn to_grant(role: Role) -> Self {
        match role {
            Role::Owner => Self::ManageOwners,
            Role::Admin => Self::ManageAdmins,
            Role::Developer | Role::Member | Role::Viewer => Self::ManageMembers,
        }
    }
}

impl Role {
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Admin, Self::Developer, Self::Member, Self::Viewer];

    pub fn may(self, permission: Permission) -> bool {
        permission.granted_to().contains(&self)
    }

    /// The role that is called so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Developer => "developer",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }
}
