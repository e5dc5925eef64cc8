//! Copies to every organization of an account whether it has a second factor, so that the
//! organization's own history tells of it: when that changes, and when somebody joins or founds one.
//! What is copied is what is so by then.

use std::time::Duration;

use events::Event;
use events::account::Event::{SecondFactorDisabled, SecondFactorEnabled};
use events::membership::Event::Joined;
use events::organization::Event::Created;
use events::recorded::Recorded;
use events::stream::Stream;

use super::Interruption;
use crate::execute::second_factor::copy;
use crate::{App, query};

/// Which organizations an account belongs to is known once the read models are here.
const READ_MODELS_WITHIN: Duration = Duration::from_secs(10);
const PAGE: usize = 100;

pub(super) fn wants(kind: &str) -> bool {
    [
        "account.second_factor_enabled",
        "account.second_factor_disabled",
        "member.joined",
        "organization.created",
    ]
    .contains(&kind)
}

pub(super) async fn react(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    match (&recorded.event, recorded.stream) {
        (
            Event::Account(SecondFactorEnabled { .. } | SecondFactorDisabled {}),
            Stream::Account(_),
        ) => everywhere(app, recorded).await,
        (Event::Membership(Joined { member, .. }), Stream::Organization(organization)) => {
            Ok(copy(app, *member, organization, recorded.id).await?)
        }
        (Event::Organization(Created { owner, .. }), Stream::Organization(organization)) => {
            Ok(copy(app, *owner, organization, recorded.id).await?)
        }
        _ => Ok(()),
    }
}

async fn everywhere(app: &App, recorded: &Recorded) -> Result<(), Interruption> {
    let Stream::Account(account) = recorded.stream else { return Ok(()) };
    if !app.read_store.wait_for(recorded.position, READ_MODELS_WITHIN).await {
        return Err(Interruption::Behind);
    }
    let mut after = String::new();
    loop {
        let page = query::membership_list::of_account(app, account, &after, PAGE).await?;
        for membership in page.items {
            copy(app, account, membership.organization, recorded.id).await?;
        }
        match page.next {
            Some(next) => after = next,
            None => return Ok(()),
        }
    }
}
