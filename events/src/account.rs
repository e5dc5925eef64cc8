//! The account stream: one person's registration, sessions, password and proof of their address.

use serde::{Deserialize, Serialize};

use crate::chain::Link;
use crate::id::{InvitationId, OrganizationId, SessionId, SubjectId};
use crate::organization::ChangedPersonal;
use crate::personal::Personal;
use crate::time::Time;

mod command;
mod second_factor;
mod session;
mod state;

pub use command::{Command, Rejection, decide};
pub use second_factor::{Code, Proof, SecondFactor};
pub use session::{Secrets, Session};
pub use state::{Account, Beginning, Erasure, LinkIssue, Person};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "account.registered")]
    Registered {
        /// Whose key seals the personal values: the subject of the account's address.
        subject: SubjectId,
        #[serde(skip)]
        email: Personal,
        #[serde(skip)]
        name: Personal,
        #[serde(skip)]
        company: Personal,
        #[serde(skip)]
        password_hash: Personal,
    },
    /// The account can never exist: somebody else has taken over its claim on an address.
    #[serde(rename = "account.abandoned")]
    Abandoned {},
    #[serde(rename = "account.updated")]
    Updated {
        #[serde(skip)]
        name: ChangedPersonal,
        #[serde(skip)]
        company: ChangedPersonal,
    },
    /// Its owner, who knew the old one, has set another. Every session ends but the one it was
    /// done in.
    #[serde(rename = "account.password_changed")]
    PasswordChanged {
        kept: Option<SessionId>,
        #[serde(skip)]
        password_hash: Personal,
    },
    /// A link was issued that lets whoever reads the account's mail set a password; the one issued
    /// before is dead.
    #[serde(rename = "account.password_reset_requested")]
    PasswordResetRequested {
        issue: u64,
        /// BLAKE3 of the link's secret.
        secret_hash: Link,
        expires_at: Time,
    },
    /// Set through the link. Every session ends, and the address is proven.
    #[serde(rename = "account.password_reset")]
    PasswordReset {
        issue: u64,
        #[serde(skip)]
        password_hash: Personal,
    },
    #[serde(rename = "account.email_verification_requested")]
    EmailVerificationRequested {
        issue: u64,
        /// BLAKE3 of the link's secret.
        secret_hash: Link,
        expires_at: Time,
    },
    /// By one of two: a link that was issued for this, or the mailed link of an invitation.
    #[serde(rename = "account.email_verified")]
    EmailVerified {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issue: Option<u64>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invitation: Option<InvitationId>,
    },
    /// Never verified, the account has lost its address to the person who reads its mail. Nobody
    /// signs in to it any more, and the address can be registered anew.
    #[serde(rename = "account.address_lost")]
    AddressLost { issue: u64 },
    /// A secret was made for an authenticator; the first code of it enables the second factor.
    #[serde(rename = "account.second_factor_prepared")]
    SecondFactorPrepared {
        #[serde(skip)]
        secret: Personal,
    },
    #[serde(rename = "account.second_factor_enabled")]
    SecondFactorEnabled {
        /// The time step of the first code.
        step: u64,
        #[serde(skip)]
        backup_codes: Personal,
    },
    /// The code of this time step was used, and no older one serves any more.
    #[serde(rename = "account.second_factor_used")]
    SecondFactorUsed { step: u64 },
    #[serde(rename = "account.backup_code_used")]
    BackupCodeUsed {
        /// Which of the codes, counted from 0.
        code: u32,
    },
    #[serde(rename = "account.second_factor_disabled")]
    SecondFactorDisabled {},
    /// Somebody tried to sign in and failed.
    #[serde(rename = "account.sign_in_failed")]
    SignInFailed {
        reason: FailedProof,
        /// How often it was tried.
        count: u64,
    },
    /// From here on nobody signs in, and what the account has elsewhere ends.
    #[serde(rename = "account.erasure_started")]
    ErasureStarted {},
    /// These organizations would have been left without an owner. What the account had elsewhere
    /// may have ended.
    #[serde(rename = "account.erasure_abandoned")]
    ErasureAbandoned { kept_by: Vec<OrganizationId>, left: Vec<OrganizationId> },
    /// The person's key was destroyed: nothing of them can be read any more.
    #[serde(rename = "account.erased")]
    Erased {},
    #[serde(rename = "session.started")]
    SessionStarted {
        session: SessionId,
        /// BLAKE3 of the session token's 256 secret bits.
        secret_hash: Link,
        expires_at: Time,
        /// BLAKE3 of the refresh token's 256 secret bits; none in a session that cannot be
        /// refreshed.
        refresh_hash: Option<Link>,
        refresh_expires_at: Time,
        /// The session ends here, however often it is refreshed.
        ends_at: Time,
    },
    /// New tokens for old ones.
    #[serde(rename = "session.refreshed")]
    SessionRefreshed {
        session: SessionId,
        /// How often the session has been refreshed.
        generation: u32,
        secret_hash: Link,
        expires_at: Time,
        refresh_hash: Link,
        refresh_expires_at: Time,
    },
    #[serde(rename = "session.ended")]
    SessionEnded { session: SessionId, reason: EndReason },
    /// What requests of the session act on that name no organization; none for the personal one.
    #[serde(rename = "session.organization_chosen")]
    OrganizationChosen { session: SessionId, organization: Option<OrganizationId> },
}

/// What somebody who tried to sign in did not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailedProof {
    Password,
    /// The password was right.
    SecondFactor,
}

/// Why a session ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// By itself.
    SignedOut,
    /// By another session of the account.
    Revoked,
    /// A refresh token came twice: one of the two who have it is not the owner.
    RefreshReused,
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Registered { .. } => ("account.registered", 1),
            Self::Abandoned {} => ("account.abandoned", 1),
            Self::Updated { .. } => ("account.updated", 1),
            Self::PasswordChanged { .. } => ("account.password_changed", 1),
            Self::PasswordResetRequested { .. } => ("account.password_reset_requested", 1),
            Self::PasswordReset { .. } => ("account.password_reset", 1),
            Self::EmailVerificationRequested { .. } => ("account.email_verification_requested", 1),
            Self::EmailVerified { .. } => ("account.email_verified", 2),
            Self::AddressLost { .. } => ("account.address_lost", 1),
            Self::SecondFactorPrepared { .. } => ("account.second_factor_prepared", 1),
            Self::SecondFactorEnabled { .. } => ("account.second_factor_enabled", 1),
            Self::SecondFactorUsed { .. } => ("account.second_factor_used", 1),
            Self::BackupCodeUsed { .. } => ("account.backup_code_used", 1),
            Self::SecondFactorDisabled {} => ("account.second_factor_disabled", 1),
            Self::SignInFailed { .. } => ("account.sign_in_failed", 1),
            Self::ErasureStarted {} => ("account.erasure_started", 1),
            Self::ErasureAbandoned { .. } => ("account.erasure_abandoned", 1),
            Self::Erased {} => ("account.erased", 1),
            Self::SessionStarted { .. } => ("session.started", 2),
            Self::SessionRefreshed { .. } => ("session.refreshed", 1),
            Self::SessionEnded { .. } => ("session.ended", 1),
            Self::OrganizationChosen { .. } => ("session.organization_chosen", 1),
        }
    }

    pub(crate) fn keep_changes(&mut self) -> bool {
        let Self::Updated { name, company } = self else { return true };
        name.settle();
        company.settle();
        name.changed().is_some() || company.changed().is_some()
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        match self {
            Self::Registered { email, name, company, password_hash, .. } => {
                visit("email", email);
                visit("name", name);
                visit("company", company);
                visit("password_hash", password_hash);
            }
            Self::Updated { name, company } => {
                visit("name.from", &mut name.from);
                visit("name.to", &mut name.to);
                visit("company.from", &mut company.from);
                visit("company.to", &mut company.to);
            }
            Self::PasswordChanged { password_hash, .. }
            | Self::PasswordReset { password_hash, .. } => visit("password_hash", password_hash),
            Self::SecondFactorPrepared { secret } => visit("secret", secret),
            Self::SecondFactorEnabled { backup_codes, .. } => visit("backup_codes", backup_codes),
            Self::Abandoned {}
            | Self::SecondFactorUsed { .. }
            | Self::BackupCodeUsed { .. }
            | Self::SecondFactorDisabled {}
            | Self::SignInFailed { .. }
            | Self::ErasureStarted {}
            | Self::ErasureAbandoned { .. }
            | Self::Erased {}
            | Self::PasswordResetRequested { .. }
            | Self::EmailVerificationRequested { .. }
            | Self::EmailVerified { .. }
            | Self::AddressLost { .. }
            | Self::SessionStarted { .. }
            | Self::SessionRefreshed { .. }
            | Self::SessionEnded { .. }
            | Self::OrganizationChosen { .. } => {}
        }
    }
}
