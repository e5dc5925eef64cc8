//! Which organization a database or an invoice belongs to, for those who know only that. A row stays
//! when the thing is gone: whether it is there is asked of the organization's stream.

use events::id::OrganizationId;
use events::recorded::Recorded;
use events::stream::Stream;
use events::{Event, database, invoice};
use serde::{Deserialize, Serialize};

use crate::Change::Put;
use crate::{Change, Key, ReadModel};

/// All are in one scope, each under its id.
pub const SCOPE: &str = "things";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    pub id: String,
    pub organization: OrganizationId,
}

pub struct Homes;

impl ReadModel for Homes {
    const NAME: &'static str = "home";
    const VERSION: u32 = 1;
    type Row = Home;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Home>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        let lives_here = |id: String| vec![(Key::new(SCOPE, &id), Put(Home { id, organization }))];
        match &recorded.event {
            Event::Database(database::Event::Created { database, .. }) => {
                lives_here(database.to_string())
            }
            Event::Invoice(invoice::Event::Finalized { invoice, .. }) => {
                lives_here(invoice.to_string())
            }
            Event::Database(_)
            | Event::DatabasePart(_)
            | Event::Project(_)
            | Event::Organization(_)
            | Event::Membership(_)
            | Event::Invitation(_)
            | Event::Setting(_)
            | Event::Token(_)
            | Event::AccessAttempt(_)
            | Event::Erasure(_)
            | Event::Declaration(_)
            | Event::Incident(_)
            | Event::AccessReview(_)
            | Event::RestoreTest(_)
            | Event::Evidence(_)
            | Event::Subscription(_)
            | Event::Invoice(_)
            | Event::Account(_)
            | Event::Address(_)
            | Event::Platform(_)
            | Event::Usage(_) => vec![],
        }
    }

    fn sort(row: &Home) -> String {
        row.id.clone()
    }
}
