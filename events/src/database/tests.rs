//! Databases: the table of states cell by cell, reports, names, regions and sizes.

use uuid::Uuid;

use super::command::Wish;
use super::life::Verdict;
use super::part::{self, Finished, Order};
use super::report::{BackupReport, Outcome, Report, Seen};
use super::*;
use crate::given::{ANA, created_by, given};
use crate::id::{BackupId, DatabaseUserId};
use crate::{Event as Any, setting, subscription};

const ORDERS: DatabaseId = DatabaseId(Uuid::from_u128(0xdb));

fn wish(name: &str, region: Option<&str>) -> Wish {
    Wish {
        name: name.to_owned(),
        database_type: "postgresql".to_owned(),
        version: "17".to_owned(),
        tier: None,
        region: region.map(str::to_owned),
        storage_gb: 10,
        node_count: 1,
        project: None,
    }
}

fn created() -> Any {
    let state = given([created_by(ANA)]).state();
    let command = Command::Create { database: ORDERS, wish: wish("orders", Some("fsn1")) };
    let mut events = decide(&state, &command).expect("it can be created");
    events.remove(0).into()
}

/// What leads to a state.
fn until(status: Status) -> Vec<Any> {
    let (database, since) = (ORDERS, None);
    let started = || Event::Started { database, since };
    let way = match status {
        Status::Pending => vec![],
        Status::Provisioning => vec![Event::ProvisioningStarted { database, since }],
        Status::Running => vec![started()],
        Status::Stopped => vec![started(), Event::Stopped { database, since, is_ordered: false }],
        Status::Failed => vec![Event::Failed { database, since, reason: Personal::Absent }],
        Status::Deleting => {
            vec![started(), Event::DeletionStarted { database, name: "orders".to_owned() }]
        }
    };
    [created_by(ANA), created()].into_iter().chain(way.into_iter().map(Any::from)).collect()
}

fn in_state(status: Status) -> Organization {
    let mut past = until(status).into_iter();
    let mut state = given([past.next().expect("it was founded")]).state();
    for (version, event) in (1..).zip(past) {
        let stream = crate::stream::Stream::Organization(crate::given::ACME);
        crate::State::evolve(&mut state, &crate::given::recorded(stream, version, event));
    }
    state
}

fn reported(state: &Organization, status: Seen) -> Result<Vec<Any>, Rejection> {
    let report = Report { status: Some(status), ..Report::default() };
    report::decide(state, ORDERS, &report)
}

fn done(state: &Organization, step: life::Step) -> Result<usize, Rejection> {
    use life::Step;
    let database = ORDERS;
    let ordered = |command| decide(state, &command).map(|events| events.len());
    let of_parts =
        |order| part::decide(state, &part::Command { database, order }).map(|events| events.len());
    let seen = |status| reported(state, status).map(|events| events.len());
    match step {
        Step::Update => {
            ordered(Command::Update { database, name: Some("other".to_owned()), project: None })
        }
        Step::Start => ordered(Command::Start { database }),
        Step::Stop => ordered(Command::Stop { database }),
        Step::Resize => {
            let (tier, node_count) = (None, None);
            ordered(Command::Resize { database, tier, storage_gb: Some(20), node_count })
        }
        Step::Delete => ordered(Command::Delete { database }),
        Step::BackUp => of_parts(Order::BackUp { backup: BackupId(Uuid::nil()) }),
        Step::ChangeParts => of_parts(Order::CreateUser {
            user: DatabaseUserId(Uuid::nil()),
            username: "app".to_owned(),
        }),
        Step::ReportProvisioning => seen(Seen::Provisioning),
        Step::ReportRunning => seen(Seen::Running),
        Step::ReportStopped => seen(Seen::Stopped),
        Step::ReportFailed => seen(Seen::Failed),
        Step::ReportDeleted => seen(Seen::Deleted),
        Step::ReportFacts => {
            let tls = Some(Tls { required: true, min_version: None });
            let report = Report { tls, ..Report::default() };
            report::decide(state, ORDERS, &report).map(|events| events.len())
        }
    }
}

/// Each cell is tried: what is legal happens, what is so already does not happen again, and what is
/// illegal is refused with the state.
const TABLE: &str = "
                     pending  provisioning  running  stopped  failed   deleting
Update               does     does          does     does     does     -
Start                -        -             idle     does     -        -
Stop                 -        -             does     idle     -        -
Resize               -        -             does     does     -        -
Delete               does     does          does     does     does     idle
BackUp               -        -             does     -        -        -
ChangeParts          does     does          does     does     does     -
ReportProvisioning   does     idle          -        -        does     -
ReportRunning        does     does          idle     does     does     -
ReportStopped        -        -             does     idle     does     -
ReportFailed         does     does          does     does     idle     -
ReportDeleted        -        -             -        -        -        does
ReportFacts          does     does          does     does     does     does
";

#[test]
fn what_may_be_done_in_each_state_is_this_table() {
    let mut rows = TABLE.trim_matches('\n').lines();
    let states: Vec<&str> = rows.next().expect("a head").split_whitespace().collect();
    assert_eq!(states, Status::ALL.map(Status::as_str));
    let rows: Vec<Vec<&str>> = rows.map(|row| row.split_whitespace().collect()).collect();
    assert_eq!(rows.len(), life::Step::ALL.len());
    for (step, row) in life::Step::ALL.into_iter().zip(rows) {
        assert_eq!(row[0], format!("{step:?}"));
        for (status, expected) in Status::ALL.into_iter().zip(&row[1..]) {
            let outcome = match done(&in_state(status), step) {
                Ok(0) => "idle",
                Ok(_) => "does",
                Err(Rejection::IllegalIn(told)) if told == status => "-",
                Err(other) => unreachable!("{step:?} in {status:?}: {other:?}"),
            };
            assert_eq!(outcome, *expected, "{step:?} in {status:?}");
            let verdict = step.in_state(status);
            let said = match verdict {
                Verdict::Legal => "does",
                Verdict::Idle => "idle",
                Verdict::Illegal => "-",
            };
            assert_eq!(said, *expected, "{step:?} in {status:?}");
        }
    }
}

#[test]
fn what_a_member_has_stopped_no_report_starts() {
    let stopped = Event::Stopped { database: ORDERS, since: None, is_ordered: true };
    let past = [created_by(ANA), created(), started(), stopped.into()];
    assert_eq!(reported(&given(past).state(), Seen::Running), Err(Rejection::StoppedByOrder));
}

fn started() -> Any {
    Event::Started { database: ORDERS, since: None }.into()
}

#[test]
fn nothing_becomes_so_before_what_it_follows_on() {
    let state = given([created_by(ANA), created(), started()]).state();
    let report = |millis| Report {
        status: Some(Seen::Stopped),
        since: Some(Time::from_millis(millis)),
        ..Report::default()
    };
    // the version of a given event is its time
    for (told, kept) in [(0, 2), (2, 2), (7, 7)] {
        let events = report::decide(&state, ORDERS, &report(told)).expect("it is legal");
        let since = Some(Time::from_millis(kept));
        let stopped = Event::Stopped { database: ORDERS, since, is_ordered: false };
        assert_eq!(events, [stopped.into()], "{told}");
    }
}

#[test]
fn the_same_report_twice_is_one_fact() {
    let backup = BackupId(Uuid::from_u128(3));
    let finished = Finished {
        succeeded: true,
        started_at: None,
        finished_at: Time::from_millis(5),
        size_bytes: 9,
        is_encrypted: Some(true),
        region: None,
    };
    let report = Report {
        status: Some(Seen::Running),
        endpoint: Some(Endpoint { host: "db.example.com".to_owned(), port: 5432 }),
        backups: vec![BackupReport { backup, outcome: Outcome::Finished(finished) }; 2],
        ..Report::default()
    };
    let mut state = given([created_by(ANA), created()]).state();
    let events = report::decide(&state, ORDERS, &report).expect("it is legal");
    assert_eq!(events.len(), 3, "{events:?}");
    for (version, event) in (2..).zip(events) {
        let stream = crate::stream::Stream::Organization(crate::given::ACME);
        crate::State::evolve(&mut state, &crate::given::recorded(stream, version, event));
    }
    assert_eq!(report::decide(&state, ORDERS, &report), Ok(vec![]));
}

#[test]
fn what_is_gone_may_be_reported_gone_again() {
    let state = given([created_by(ANA)]).state();
    assert_eq!(reported(&state, Seen::Deleted), Ok(vec![]));
    assert_eq!(reported(&state, Seen::Running), Err(Rejection::NotFound));
}

#[test]
fn names_are_free_again_when_a_deletion_has_begun() {
    let create = || Command::Create {
        database: DatabaseId(Uuid::from_u128(2)),
        wish: wish("orders", Some("fsn1")),
    };
    given([created_by(ANA), created()]).when(create()).then_rejected(Rejection::NameTaken);
    assert!(decide(&in_state(Status::Deleting), &create()).is_ok());
}

#[test]
fn the_organization_says_where_and_how_large() {
    let update = setting::Update {
        allowed_regions: Some(Changed { from: vec![], to: vec!["fsn1".to_owned()] }),
        default_tier: Some(Changed { from: "micro".to_owned(), to: "large".to_owned() }),
        ..setting::Update::default()
    };
    let settings = || Any::Setting(setting::Event::Updated(Box::new(update.clone())));
    let create = |region| Command::Create { database: ORDERS, wish: wish("orders", region) };
    given([created_by(ANA), settings()])
        .when(create(Some("ash")))
        .then_rejected(Rejection::RegionNotAllowed);
    given([created_by(ANA)]).when(create(None)).then_rejected(Rejection::RegionMissing);
    let state = given([created_by(ANA), settings()]).state();
    let events = decide(&state, &create(Some("fsn1"))).expect("it is allowed");
    let [Event::Created { tier, .. }] = events.as_slice() else {
        unreachable!("one database, not {events:?}")
    };
    assert_eq!(tier, "large");
}

#[test]
fn nothing_of_a_suspended_organization_is_started() {
    let suspended = || {
        let because = subscription::SuspendedFor::Operator;
        Any::Subscription(subscription::Event::Suspended { because, reason: Personal::Absent })
    };
    let create = Command::Create { database: ORDERS, wish: wish("orders", Some("fsn1")) };
    given([created_by(ANA), suspended()]).when(create).then_rejected(Rejection::Suspended);
    let stopped = Event::Stopped { database: ORDERS, since: None, is_ordered: true };
    given([created_by(ANA), created(), started(), stopped.into(), suspended()])
        .when(Command::Start { database: ORDERS })
        .then_rejected(Rejection::Suspended);
}

#[test]
fn storage_only_grows() {
    let resize = |storage_gb| Command::Resize {
        database: ORDERS,
        tier: None,
        storage_gb: Some(storage_gb),
        node_count: None,
    };
    given([created_by(ANA), created(), started()])
        .when(resize(9))
        .then_rejected(Rejection::StorageShrinks);
    given([created_by(ANA), created(), started()]).when(resize(10)).then::<Any, 0>([]);
}
