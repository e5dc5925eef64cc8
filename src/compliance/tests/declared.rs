//! Each control about what members declare: complete and in time, or not, or never used; and who
//! declares to be out of scope.

use std::collections::BTreeSet;

use events::access_review::{self, Decision, Item};
use events::declaration::{
    self, AiRole, AiSystem, Content, ControllerRecord, DeclarationId, DoraFunction, DoraRole,
    DoraRoleName, HighRisk, ProcessingActivity, Retention, Stated,
};
use events::evidence::Framework;
use events::id::{
    AccountId, ActivityId, AiSystemId, FunctionId, IncidentId, RestoreTestId, ReviewId,
};
use events::incident::{self, Criterion, Stage};
use events::membership;
use events::organization::Changed;
use events::permission::Role;
use events::personal::Personal;
use events::restore_test::{self, Outcome};
use events::setting::{self, Update};
use events::time::Time;
use uuid::Uuid;

use super::told::{ANA, BEN, SYSTEM, Told, acme, day, person};
use crate::compliance::EvidenceKind;
use crate::compliance::Verdict::{NotApplicable, NotEvidenced};

const NEVER: &str = "nothing of the kind was ever recorded";
const TOO_NEW: &str = "it was first recorded after the period began";
const OUT: &str = "declared_out_of_scope";
const HOUR: i64 = 3_600_000;

fn declares(told: Told, declaration: DeclarationId, content: Content) -> Told {
    let text = Personal::Absent;
    told.then(person(ANA), declaration::Event::Set { declaration, content, text })
}

fn controller(has_contact: bool) -> Content {
    Content::ControllerRecord(ControllerRecord {
        has_name: true,
        has_contact,
        joint_controllers: Stated::None,
        representative: Stated::None,
        data_protection_officer: Stated::Given,
        headcount: None,
    })
}

fn activity() -> Content {
    Content::ProcessingActivity(ProcessingActivity {
        as_processor: false,
        purposes: 1,
        subject_categories: 1,
        data_categories: 1,
        has_special_categories: false,
        recipients: Some(0),
        transfers: Some(vec![]),
        retention: Retention::NotPossible,
        has_security_measures: true,
        controllers: 0,
        processing_categories: 0,
        databases: vec![],
    })
}

const ACTIVITY: DeclarationId = DeclarationId::Activity(ActivityId(Uuid::from_u128(1)));
const SYSTEM_ONE: DeclarationId = DeclarationId::AiSystem(AiSystemId(Uuid::from_u128(1)));

fn incident() -> IncidentId {
    IncidentId(Uuid::from_u128(1))
}

fn opens(told: Told, aware_at: Time) -> Told {
    let opened = incident::Event::Opened {
        incident: incident(),
        detected_at: aware_at,
        aware_at,
        databases: vec![],
        ai_systems: vec![],
        text: Personal::Absent,
    };
    told.then(person(ANA), opened)
}

fn classifies(told: Told, classified_at: Time, is_major: bool) -> Told {
    let criteria = BTreeSet::from([Criterion::Clients]);
    let (incident, reason) = (incident(), Personal::Absent);
    told.then(
        person(ANA),
        incident::Event::Classified { incident, classified_at, criteria, is_major, reason },
    )
}

fn reports(told: Told, stage: Stage, submitted_at: Time) -> Told {
    let (incident, reference) = (incident(), Personal::Absent);
    told.then(person(ANA), incident::Event::Reported { incident, stage, submitted_at, reference })
}

fn closes(told: Told) -> Told {
    let (incident, cause) = (incident(), incident::Cause::HumanError);
    let root_cause = Personal::Absent;
    told.then(person(ANA), incident::Event::Closed { incident, cause, root_cause })
}

fn review(number: i64) -> ReviewId {
    ReviewId(Uuid::from_u128(u128::from(number.unsigned_abs()) + 500))
}

fn starts(told: Told, number: i64) -> Told {
    let (review, as_of) = (review(number), day(number));
    let started = access_review::Event::Started { review, as_of, members: 1, tokens: 0 };
    told.on(number).then(person(ANA), started)
}

fn decides(told: Told, number: i64, member: AccountId, decision: Decision) -> Told {
    let (review, item, reason) = (review(number), Item::Member(member), Personal::Absent);
    told.then(person(ANA), access_review::Event::Decided { review, item, decision, reason })
}

fn completes(told: Told, number: i64) -> Told {
    let (kept, removed, changed, gone) = (1, 0, 0, 0);
    let review = review(number);
    let completed = access_review::Event::Completed { review, kept, removed, changed, gone };
    told.then(person(ANA), completed)
}

/// Everybody keeps what they have.
fn reviewed(told: Told, number: i64) -> Told {
    completes(decides(starts(told, number), number, ANA, Decision::Keep), number)
}

#[test]
fn access_is_reviewed_often_enough() {
    let id = "soc2.cc6.3.access-review";
    acme().ended().is(id, NotEvidenced, NEVER);
    reviewed(acme(), 20).ended().is(id, NotEvidenced, TOO_NEW);
    reviewed(reviewed(acme(), -5), 60).ended().passes(id, 1);
    reviewed(acme(), -5).ended().fails(id, 1);
    let undecided = completes(starts(reviewed(acme(), -5), 60), 60);
    undecided.ended().fails(id, 1);
}

#[test]
fn what_a_review_takes_away_is_gone_a_week_later() {
    let id = "soc2.cc6.3.access-review";
    let started = starts(reviewed(acme(), -5).with_ben(Role::Member), 60);
    let kept = decides(started, 60, ANA, Decision::Keep);
    let decided = || {
        let started = starts(reviewed(acme(), -5).with_ben(Role::Member), 60);
        let kept = decides(started, 60, ANA, Decision::Keep);
        completes(decides(kept, 60, BEN, Decision::Remove), 60)
    };
    completes(kept, 60).ended().fails(id, 1);
    decided().ended().fails(id, 1);
    let removed = || membership::Event::Removed { member: BEN, role: Role::Member };
    decided().on(67).then(person(ANA), removed()).ended().passes(id, 1);
    decided().on(68).then(person(ANA), removed()).ended().fails(id, 1);
}

#[test]
fn rights_are_reviewed_twice_a_year_where_a_function_is_critical() {
    let id = "dora.21.rights-updated";
    let function = |is_critical_or_important| {
        let function = DeclarationId::Function(FunctionId(Uuid::from_u128(1)));
        let (databases, rto_seconds, rpo_seconds) = (vec!["db_1".to_owned()], Some(1), Some(1));
        let content = Content::DoraFunction(DoraFunction {
            is_critical_or_important,
            databases,
            rto_seconds,
            rpo_seconds,
        });
        let mut told = reviewed(reviewed(declares(acme(), function, content), -5), 1);
        told.period.to = day(300);
        told.on(300).then(
            SYSTEM,
            events::erasure::Event::Erased { subject: events::id::SubjectId(Uuid::from_u128(1)) },
        )
    };
    function(false).passes(id, 1);
    function(true).fails(id, 1);
}

#[test]
fn incidents_are_classified_and_closed() {
    let id = "soc2.cc7.3.incidents";
    acme().ended().is(id, NotEvidenced, NEVER);
    let before = || closes(classifies(opens(acme(), day(-10)), day(-10), false));
    before().ended().is(id, NotApplicable, "no_occurrence");
    let opened = || opens(acme().on(0), day(0));
    closes(classifies(opened(), day(0), false).on(30)).ended().passes(id, 1);
    closes(classifies(opened(), day(0), false).on(31)).ended().fails(id, 1);
    closes(opened()).ended().fails(id, 1);
    opened().ended().fails(id, 1);
    opens(acme().on(5), day(5)).is(
        id,
        NotEvidenced,
        "the log does not reach the end of the period",
    );
    let new = closes(classifies(opens(acme().on(5), day(5)), day(5), false)).ended();
    new.is(id, NotEvidenced, TOO_NEW);
}

#[test]
fn major_incidents_are_reported_in_time() {
    let id = "dora.19.initial";
    let at = |hours: i64| Time::from_millis(day(0).millis() + hours * HOUR);
    let major = |hours| classifies(opens(acme().on(0), day(0)), at(hours), true);
    reports(major(1), Stage::Initial, at(5)).ended().passes(id, 1);
    reports(major(1), Stage::Initial, at(6)).ended().fails(id, 1);
    // whatever comes first of 4 hours after it and 24 after awareness
    reports(major(23), Stage::Initial, at(24)).ended().passes(id, 1);
    reports(major(23), Stage::Initial, at(25)).ended().fails(id, 1);
    // unless it was classified later than that
    reports(major(30), Stage::Initial, at(34)).ended().passes(id, 1);
    major(1).ended().fails(id, 1);
    let minor = classifies(opens(acme().on(0), day(0)), day(0), false).ended();
    minor.is(id, NotApplicable, "no_occurrence");
    let initial = || reports(major(1), Stage::Initial, at(2));
    let intermediate = |hours| reports(initial(), Stage::Intermediate, at(hours));
    intermediate(74).ended().passes("dora.19.intermediate", 1);
    intermediate(75).ended().fails("dora.19.intermediate", 1);
    let last = |hours| reports(intermediate(10), Stage::Final, at(hours)).ended();
    last(10 + 31 * 24).passes("dora.19.final", 1);
    last(11 + 31 * 24).fails("dora.19.final", 1);
    // an update moves the end
    let updated = reports(intermediate(10), Stage::Intermediate, at(20));
    let updated = reports(updated, Stage::Final, at(20 + 31 * 24)).ended();
    updated.passes("dora.19.final", 1);
}

#[test]
fn restores_were_tested_not_too_long_ago() {
    let id = "soc2.a1.3.restore";
    let tested = |told: Told, result, performed_at, is_other_region| {
        let test = restore_test::Event::Recorded {
            restore_test: RestoreTestId(Uuid::from_u128(1)),
            database: Some("db_1".to_owned()),
            result,
            duration_seconds: 60,
            performed_at,
            is_other_region,
            text: Personal::Absent,
        };
        told.on(1).then(person(ANA), test).ended()
    };
    acme().ended().is(id, NotEvidenced, NEVER);
    let good = || tested(acme(), Outcome::Succeeded, day(1), true);
    good().passes(id, 1);
    assert_eq!(good().control(id).evidence_kind, EvidenceKind::Declared);
    tested(acme(), Outcome::Failed, day(1), true).fails(id, 1);
    tested(acme(), Outcome::Succeeded, day(-265), true).passes(id, 1);
    tested(acme(), Outcome::Succeeded, day(-266), true).fails(id, 1);
    // nobody has tested what they say they will have
    tested(acme(), Outcome::Succeeded, day(2), true).fails(id, 1);
    good().passes("dora.12.segregated", 1);
    tested(acme(), Outcome::Succeeded, day(1), false).fails("dora.12.segregated", 1);
    tested(acme(), Outcome::Failed, day(1), true).is(
        "dora.12.segregated",
        NotApplicable,
        "no_occurrence",
    );
}

#[test]
fn a_record_of_processing_says_everything() {
    let id = "ropa.complete";
    acme().ended().is(id, NotEvidenced, NEVER);
    let record = || declares(acme().on(1), DeclarationId::ControllerRecord, controller(true));
    record().ended().fails(id, 1);
    let both = || declares(record(), ACTIVITY, activity());
    both().ended().passes(id, 2);
    both().ended().passes("ropa.reviewed", 2);
    let silent = declares(both(), DeclarationId::ControllerRecord, controller(false));
    silent.ended().fails(id, 1);
    let removed = declaration::Event::Removed { declaration: ACTIVITY };
    both().then(person(ANA), removed).ended().fails(id, 1);
}

#[test]
fn a_declaration_is_looked_at_once_a_year() {
    let id = "ropa.reviewed";
    let declared = || {
        let mut told = declares(acme(), DeclarationId::ControllerRecord, controller(true));
        told.period.to = day(380);
        told
    };
    let request = |told: Told| {
        told.on(380).then(
            SYSTEM,
            events::erasure::Event::Erased { subject: events::id::SubjectId(Uuid::from_u128(1)) },
        )
    };
    request(declared()).fails(id, 1);
    let declaration = DeclarationId::ControllerRecord;
    let reviewed = declared().on(15);
    let reviewed = reviewed.then(person(ANA), declaration::Event::Reviewed { declaration });
    request(reviewed).passes(id, 1);
}

fn dora_role(role: DoraRoleName) -> Content {
    Content::DoraRole(DoraRole { role, entity_type: Some(1), has_lei: true })
}

#[test]
fn who_declares_that_dora_does_not_apply_is_out_of_scope() {
    let role = DeclarationId::DoraRole;
    let none = || declares(acme(), role, dora_role(DoraRoleName::None));
    for control in none().ended().report(Framework::Dora).controls {
        let is_recorded = control.evidence_kind != EvidenceKind::None;
        assert!(!is_recorded || control.result == NotApplicable, "{}", control.id);
    }
    none().ended().is("dora.9.mfa-required", NotApplicable, OUT);
    // not by saying so on the last day
    let entity = declares(acme(), role, dora_role(DoraRoleName::FinancialEntity)).on(99);
    let late = declares(entity, role, dora_role(DoraRoleName::None)).ended();
    late.fails("dora.9.mfa-required", 1);
    late.passes("dora.28.role-complete", 1);
}

#[test]
fn the_audit_log_is_kept() {
    let id = "dora.12.log-retention";
    let kept = |days| {
        let audit_retention_days = Some(Changed { from: None, to: Some(days) });
        let update = Update { audit_retention_days, ..Update::default() };
        acme().on(1).then(person(ANA), setting::Event::Updated(Box::new(update))).ended()
    };
    acme().ended().passes(id, 1);
    kept(365).passes(id, 2);
    kept(364).fails(id, 1);
}

fn ai_system(high_risk: HighRisk, overseer: AccountId, days: Option<u32>) -> Content {
    Content::AiSystem(AiSystem {
        role: AiRole::Deployer,
        high_risk,
        log_stores: vec!["db_1".to_owned()],
        log_retention_days: days,
        has_retention_basis: false,
        overseers: vec![overseer],
        is_suspended: false,
        instructions: None,
    })
}

#[test]
fn an_ai_system_is_overseen_and_its_logs_are_kept() {
    let (oversight, retention) = ("aia.26.2.assigned", "aia.26.6.retention");
    let high = |overseer, days| {
        let told = acme().with_ben(Role::Member);
        declares(told, SYSTEM_ONE, ai_system(HighRisk::AnnexIii, overseer, days))
    };
    high(BEN, Some(184)).ended().passes(oversight, 1);
    high(BEN, Some(184)).ended().passes(retention, 1);
    high(BEN, Some(183)).ended().fails(retention, 1);
    high(BEN, None).ended().fails(retention, 1);
    let left = membership::Event::Left { member: BEN, role: Role::Member };
    high(BEN, Some(184)).on(50).then(person(BEN), left).ended().fails(oversight, 1);
    assert_eq!(
        high(BEN, None).ended().control(oversight).applicable_from,
        Some("2027-12-02"),
        "evidence ahead of application"
    );
}

#[test]
fn what_is_undetermined_is_not_evidenced() {
    let id = "aia.15.mfa-required";
    acme().ended().is(id, NotEvidenced, "no AI system is declared");
    let declared = |told, risk| declares(told, SYSTEM_ONE, ai_system(risk, ANA, Some(184)));
    let open = declared(acme(), HighRisk::Undetermined).ended();
    for control in open.report(Framework::EuAiAct).controls {
        assert_eq!(control.result, NotEvidenced, "{}", control.id);
    }
    declared(acme(), HighRisk::No).ended().is(id, NotApplicable, OUT);
    declared(acme(), HighRisk::AnnexI).ended().fails(id, 1);
    // not by saying so on the last day
    let late = declared(declared(acme(), HighRisk::AnnexI).on(99), HighRisk::No);
    late.ended().fails(id, 1);
}
