//! What each link in a mail was issued for, by the hash of its secret. A row says nothing about
//! whether the link still lives: only the stream of what it opens knows that.

use events::Event;
use events::account::Event::{
    Abandoned, AddressLost, BackupCodeUsed, EmailVerificationRequested, EmailVerified, Erased,
    ErasureAbandoned, ErasureStarted, OrganizationChosen, PasswordChanged, PasswordReset,
    PasswordResetRequested, Registered, SecondFactorDisabled, SecondFactorEnabled,
    SecondFactorPrepared, SecondFactorUsed, SessionEnded, SessionRefreshed, SessionStarted,
    SignInFailed, Updated,
};
use events::chain::Link;
use events::id::{AccountId, InvitationId, OrganizationId};
use events::invitation::Event::{Canceled, Expired, Rejected, Resent, Sent};
use events::recorded::Recorded;
use events::stream::Stream;
use serde::{Deserialize, Serialize};

use crate::Change::Put;
use crate::{Change, Key, ReadModel};

/// All links are in one scope.
pub const SCOPE: &str = "links";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issued {
    pub secret_hash: Link,
    pub target: Target,
}

/// What a link opens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Target {
    PasswordReset {
        account: AccountId,
    },
    EmailVerification {
        account: AccountId,
    },
    /// Mailed to the invited person, or copied by the inviter.
    Invitation {
        organization: OrganizationId,
        invitation: InvitationId,
    },
}

pub struct LinkTarget;

impl ReadModel for LinkTarget {
    const NAME: &'static str = "link_target";
    const VERSION: u32 = 1;
    type Row = Issued;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Issued>)> {
        let issued = |secret_hash: Link, target| {
            vec![(Key::new(SCOPE, secret_hash), Put(Issued { secret_hash, target }))]
        };
        match (&recorded.event, recorded.stream) {
            (Event::Account(event), Stream::Account(account)) => match event {
                PasswordResetRequested { secret_hash, .. } => {
                    issued(*secret_hash, Target::PasswordReset { account })
                }
                EmailVerificationRequested { secret_hash, .. } => {
                    issued(*secret_hash, Target::EmailVerification { account })
                }
                Registered { .. }
                | Abandoned {}
                | Updated { .. }
                | PasswordChanged { .. }
                | PasswordReset { .. }
                | EmailVerified { .. }
                | AddressLost { .. }
                | SecondFactorPrepared { .. }
                | SecondFactorEnabled { .. }
                | SecondFactorUsed { .. }
                | BackupCodeUsed { .. }
                | SecondFactorDisabled {}
                | SignInFailed { .. }
                | ErasureStarted {}
                | ErasureAbandoned { .. }
                | Erased {}
                | SessionStarted { .. }
                | SessionRefreshed { .. }
                | SessionEnded { .. }
                | OrganizationChosen { .. } => vec![],
            },
            (Event::Invitation(event), Stream::Organization(organization)) => match event {
                Sent { invitation, links, .. } | Resent { invitation, links, .. } => {
                    let target = Target::Invitation { organization, invitation: *invitation };
                    [links.mailed, links.copied]
                        .into_iter()
                        .flat_map(|secret_hash| issued(secret_hash, target.clone()))
                        .collect()
                }
                Canceled { .. } | Rejected { .. } | Expired { .. } => vec![],
            },
            (
                Event::Account(_)
                | Event::Invitation(_)
                | Event::Membership(_)
                | Event::Setting(_)
                | Event::Token(_)
                | Event::AccessAttempt(_)
                | Event::Erasure(_)
                | Event::Declaration(_)
                | Event::Incident(_)
                | Event::AccessReview(_)
                | Event::RestoreTest(_)
                | Event::Project(_)
                | Event::Database(_)
                | Event::DatabasePart(_)
                | Event::Subscription(_)
                | Event::Invoice(_)
                | Event::Evidence(_)
                | Event::Organization(_)
                | Event::Address(_)
                | Event::Platform(_)
                | Event::Usage(_),
                _,
            ) => vec![],
        }
    }

    fn sort(row: &Issued) -> String {
        row.secret_hash.to_string()
    }
}
