//! Projects: names, regions, domains, and what keeps one from being deleted.

use uuid::Uuid;

use super::*;
use crate::database::{self, Status};
use crate::given::{ANA, created_by, given};
use crate::id::DatabaseId;
use crate::{Event as Any, setting};

const SHOP: ProjectId = ProjectId(Uuid::from_u128(0x97));
const OTHER: ProjectId = ProjectId(Uuid::from_u128(0x98));

fn named(project: ProjectId, name: &str) -> Any {
    let (description, tags) = (Personal::Absent, Personal::Absent);
    Event::Created { project, name: name.to_owned(), region: None, description, tags }.into()
}

fn create(name: &str, region: Option<&str>) -> Command {
    Command::Create {
        project: OTHER,
        name: name.to_owned(),
        region: region.map(str::to_owned),
        description: None,
        tags: None,
    }
}

fn update(name: &str) -> Command {
    let name = Some(name.to_owned());
    Command::Update { project: SHOP, name, region: None, description: None, tags: None }
}

#[test]
fn a_name_is_taken_once() {
    given([created_by(ANA), named(SHOP, "Shop")])
        .when(create("Shop", None))
        .then_rejected(Rejection::NameTaken);
    given([created_by(ANA), named(SHOP, "Shop"), named(OTHER, "Store")])
        .when(update("Store"))
        .then_rejected(Rejection::NameTaken);
    given([created_by(ANA), named(SHOP, "Shop")]).when(update("Shop")).then::<Any, 0>([]);
}

#[test]
fn a_project_is_only_where_the_organization_allows_databases() {
    let allowed = setting::Update {
        allowed_regions: Some(Changed { from: vec![], to: vec!["fsn1".to_owned()] }),
        ..setting::Update::default()
    };
    let allowed = || Any::Setting(setting::Event::Updated(Box::new(allowed.clone())));
    given([created_by(ANA), allowed()])
        .when(create("Shop", Some("ash")))
        .then_rejected(Rejection::RegionNotAllowed);
    let created = given([created_by(ANA), allowed()]).state();
    assert!(decide(&created, &create("Shop", Some("fsn1"))).is_ok());
}

#[test]
fn a_project_with_databases_stays() {
    let inside = database::Event::Created {
        database: DatabaseId(Uuid::from_u128(0xdb)),
        name: "orders".to_owned(),
        database_type: "postgresql".to_owned(),
        version: "17".to_owned(),
        tier: "micro".to_owned(),
        region: "fsn1".to_owned(),
        storage_gb: 10,
        node_count: 1,
        project: Some(SHOP),
    };
    let state = given([created_by(ANA), named(SHOP, "Shop"), inside.into()]).state();
    let databases: Vec<_> = state.databases().map(|(_, it)| it.content.status).collect();
    assert_eq!(databases, [Status::Pending]);
    let refused = decide(&state, &Command::Delete { project: SHOP });
    assert_eq!(refused, Err(Rejection::HasDatabases { count: 1 }));
    let deleted = Event::Deleted { project: SHOP, name: "Shop".to_owned() };
    given([created_by(ANA), named(SHOP, "Shop")])
        .when(Command::Delete { project: SHOP })
        .then([deleted]);
}

#[test]
fn a_hostname_leads_to_one_project() {
    let domain = DomainId(Uuid::from_u128(1));
    let hostname = "db.example.com".to_owned();
    let added = Event::DomainAdded { project: SHOP, domain, hostname: hostname.clone() };
    let add = Command::AddDomain { project: OTHER, domain: DomainId(Uuid::from_u128(2)), hostname };
    given([created_by(ANA), named(SHOP, "Shop"), named(OTHER, "Store"), added.into()])
        .when(add)
        .then_rejected(Rejection::HostnameTaken);
}
