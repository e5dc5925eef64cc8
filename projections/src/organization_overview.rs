//! What there is to say about each organization, one row each.

use events::Event;
use events::id::{AccountId, OrganizationId};
use events::organization::Event::{Created, Updated};
use events::personal::{Personal, Sealed};
use events::recorded::Recorded;
use events::time::Time;
use serde::{Deserialize, Serialize};

use crate::Change::{Edit, Put};
use crate::{Change, Key, ReadModel};

/// All rows share one scope and are sorted by slug, so that a slug can be looked up.
pub const SCOPE: &str = "organizations";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    pub id: OrganizationId,
    pub slug: String,
    pub name: Name,
    pub is_personal: bool,
    pub country: Option<String>,
    pub billing_email: Option<Sealed>,
    pub owner: AccountId,
    pub member_count: u64,
    pub created_at: Time,
    /// Version of the last event that changed this resource.
    pub changed_version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Name {
    Plain(String),
    Personal(Option<Sealed>),
}

pub struct OrganizationOverview;

impl ReadModel for OrganizationOverview {
    const NAME: &'static str = "organization_overview";
    const VERSION: u32 = 1;
    type Row = Overview;

    fn project(recorded: &Recorded) -> Vec<(Key, Change<Overview>)> {
        let Event::Organization(event) = &recorded.event else { return vec![] };
        let version = recorded.version;
        match event.clone() {
            Created {
                organization,
                slug,
                owner,
                is_personal,
                country,
                name,
                personal_name,
                billing_email,
            } => {
                let name = name.map_or_else(|| Name::Personal(sealed(&personal_name)), Name::Plain);
                let row = Overview {
                    id: organization,
                    slug,
                    name,
                    is_personal,
                    country,
                    billing_email: sealed(&billing_email),
                    owner,
                    member_count: 1,
                    created_at: recorded.at,
                    changed_version: version,
                };
                vec![(Key::new(SCOPE, organization), Put(row))]
            }
            Updated { name, country, personal_name, billing_email } => {
                let events::stream::Stream::Organization(organization) = recorded.stream else {
                    return vec![];
                };
                let edit = Edit(Box::new(move |row: &mut Overview| {
                    if let Some(name) = name {
                        row.name = Name::Plain(name.to);
                    }
                    if let Some(name) = personal_name.changed() {
                        row.name = Name::Personal(sealed(name));
                    }
                    if let Some(country) = country {
                        row.country = country.to;
                    }
                    if let Some(email) = billing_email.changed() {
                        row.billing_email = sealed(email);
                    }
                    row.changed_version = version;
                }));
                vec![(Key::new(SCOPE, organization), edit)]
            }
        }
    }

    fn sort(row: &Overview) -> String {
        row.slug.clone()
    }
}

fn sealed(personal: &Personal) -> Option<Sealed> {
    personal.sealed().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{ACME, ANA, created_by, renamed, rows_after};

    #[test]
    fn the_overview_shows_the_newest_name() {
        let rows =
            rows_after::<OrganizationOverview>([created_by(ANA), renamed("Acme", "Acme Two")]);
        let [row] = rows.as_slice() else { unreachable!("one organization, not {rows:?}") };
        assert_eq!(row.name, Name::Plain("Acme Two".to_owned()));
        assert_eq!((row.id, row.owner, row.changed_version), (ACME, ANA, 1));
    }
}
