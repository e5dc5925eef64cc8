//! Which organization a database belongs to, for those who know the database alone. A row stays when
//! the database is gone: whether it is there is asked of the organization's stream.

use events::id::{DatabaseId, OrganizationId};
use events::recorded::Recorded;
use events::stream::Stream;
use events::{Event, database};
use serde::{Deserialize, Serialize};

use crate::Change::Put;
use crate::{Change, Key, ReadModel};

/// All databases are in one scope.
pub const SCOPE: &str = "databases";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Home {
    pub database: DatabaseId,
    pub organization: OrganizationId,
}

pub struct DatabaseHome;

impl ReadModel for DatabaseHome {
    const NAME: &'static str = "database_home";
    const VERSION: u32 = 1;
    type Row = Home;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Home>)> {
        let Stream::Organization(organization) = recorded.stream else { return vec![] };
        match &recorded.event {
            Event::Database(database::Event::Created { database, .. }) => {
                let home = Home { database: *database, organization };
                vec![(Key::new(SCOPE, database), Put(home))]
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
        row.database.to_string()
    }
}
