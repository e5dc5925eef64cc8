//! Each rule of incidents, allowed and refused.

use uuid::Uuid;

use super::*;
use crate::Event as Any;
use crate::given::{ANA, created_by, given};

const OUTAGE: IncidentId = IncidentId(Uuid::from_u128(0x1c));

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn opened() -> Any {
    Any::Incident(Event::Opened {
        incident: OUTAGE,
        detected_at: at(100),
        aware_at: at(200),
        databases: vec![],
        ai_systems: vec![],
        text: Personal::Absent,
    })
}

fn classified(is_major: bool) -> Event {
    Event::Classified {
        incident: OUTAGE,
        classified_at: at(300),
        criteria: BTreeSet::from([Criterion::Clients]),
        is_major,
        reason: Personal::Absent,
    }
}

fn report(stage: Stage) -> Command {
    Command::Report { incident: OUTAGE, stage, submitted_at: at(400), reference: None }
}

fn reported(stage: Stage) -> Event {
    let reference = Personal::Absent;
    Event::Reported { incident: OUTAGE, stage, submitted_at: at(400), reference }
}

fn close() -> Command {
    let root_cause = "a full disk".to_owned();
    Command::Close { incident: OUTAGE, cause: Cause::SystemFailure, root_cause }
}

fn closed() -> Event {
    let root_cause = Personal::Absent;
    Event::Closed { incident: OUTAGE, cause: Cause::SystemFailure, root_cause }
}

#[test]
fn what_is_not_classified_is_neither_reported_nor_closed() {
    for command in [report(Stage::Initial), close()] {
        given([created_by(ANA), opened()]).when(command).then_rejected(Rejection::NotClassified);
    }
}

#[test]
fn reports_come_in_their_order() {
    let past = || [created_by(ANA), opened(), classified(true).into()];
    given(past()).when(report(Stage::Initial)).then([reported(Stage::Initial)]);
    for stage in [Stage::Intermediate, Stage::Final] {
        given(past()).when(report(stage)).then_rejected(Rejection::ReportOutOfOrder);
    }
}

#[test]
fn a_closed_incident_stays_as_it_is_but_for_its_reports() {
    let past = || [created_by(ANA), opened(), classified(true).into(), closed().into()];
    let recover = Command::Recover { incident: OUTAGE, recovered_at: at(500) };
    given(past()).when(recover).then_rejected(Rejection::Closed);
    given(past()).when(report(Stage::Initial)).then([reported(Stage::Initial)]);
}

#[test]
fn nothing_about_it_is_older_than_its_detection() {
    let recover = Command::Recover { incident: OUTAGE, recovered_at: at(99) };
    given([created_by(ANA), opened()])
        .when(recover)
        .then_rejected(Rejection::BeforeDetection(Step::Recovered));
}

#[test]
fn it_names_ai_systems_that_are_declared() {
    let open = Command::Open {
        incident: OUTAGE,
        detected_at: at(1),
        aware_at: at(1),
        databases: vec![],
        ai_systems: vec![AiSystemId(Uuid::nil())],
        text: "{}".to_owned(),
    };
    given([created_by(ANA)]).when(open).then_rejected(Rejection::UnknownAiSystem);
}
