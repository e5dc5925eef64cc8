//! Samples of what members state: one of each type, and in `declaration.set` one of the kinds.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::{ANA, ORGANIZATION};
use crate::access_review::{self, Decision, Item};
use crate::declaration::{self, Content, DeclarationId, ProcessingActivity, Retention, Transfer};
use crate::id::{ActivityId, AiSystemId, IncidentId, RestoreTestId, ReviewId};
use crate::incident::{self, Cause, Criterion, Stage};
use crate::personal::Personal;
use crate::time::Time;
use crate::{Event, restore_test};

fn text(text: &str) -> Personal {
    Personal::known(ORGANIZATION.subject(), text)
}

fn at(hours: i64) -> Time {
    Time::from_millis(1_767_323_045_678 + hours * 3_600_000)
}

/// One of each. A new variant stops the build here until it has one.
pub(super) fn samples() -> Vec<Event> {
    let declaration = DeclarationId::Activity(ActivityId(Uuid::from_u128(0xac)));
    let of_declarations = [
        declaration::Event::Set {
            declaration,
            content: Content::ProcessingActivity(ProcessingActivity {
                as_processor: false,
                purposes: 1,
                subject_categories: 2,
                data_categories: 3,
                has_special_categories: false,
                recipients: Some(0),
                transfers: Some(vec![
                    Transfer { country: Some("CH".to_owned()), has_safeguard: true },
                    Transfer { country: None, has_safeguard: false },
                ]),
                retention: Retention::Limits(vec![Some(90), None]),
                has_security_measures: true,
                controllers: 0,
                processing_categories: 0,
                databases: vec!["db_1".to_owned()],
            }),
            text: text("{\"name\":\"Payroll\"}"),
        },
        declaration::Event::Removed { declaration },
        declaration::Event::Reviewed { declaration },
    ];
    for event in &of_declarations {
        match event {
            declaration::Event::Set { .. }
            | declaration::Event::Removed { .. }
            | declaration::Event::Reviewed { .. } => {}
        }
    }
    let review = ReviewId(Uuid::from_u128(0x4e7));
    let of_reviews = [
        access_review::Event::Started { review, as_of: at(0), members: 3, tokens: 1 },
        access_review::Event::Decided {
            review,
            item: Item::Member(ANA),
            decision: Decision::Keep,
            reason: text("runs the platform"),
        },
        access_review::Event::Completed { review, kept: 1, removed: 1, changed: 1, gone: 1 },
    ];
    for event in &of_reviews {
        match event {
            access_review::Event::Started { .. }
            | access_review::Event::Decided { .. }
            | access_review::Event::Completed { .. } => {}
        }
    }
    let restore_test = restore_test::Event::Recorded {
        restore_test: RestoreTestId(Uuid::from_u128(0x457)),
        database: Some("db_1".to_owned()),
        result: restore_test::Outcome::Succeeded,
        duration_seconds: 540,
        performed_at: at(0),
        is_other_region: true,
        text: text("{\"notes\":\"the whole database\"}"),
    };
    let of_declarations = of_declarations.into_iter().map(Event::Declaration);
    of_declarations
        .chain(of_incidents().into_iter().map(Event::Incident))
        .chain(of_reviews.into_iter().map(Event::AccessReview))
        .chain([restore_test.into()])
        .collect()
}

fn of_incidents() -> [incident::Event; 5] {
    let incident = IncidentId(Uuid::from_u128(0x1c));
    let criteria = [Criterion::Clients, Criterion::EconomicImpact];
    let samples = [
        incident::Event::Opened {
            incident,
            detected_at: at(0),
            aware_at: at(1),
            databases: vec!["db_1".to_owned()],
            ai_systems: vec![AiSystemId(Uuid::from_u128(0xa15))],
            text: text("{\"title\":\"Outage\"}"),
        },
        incident::Event::Classified {
            incident,
            classified_at: at(2),
            criteria: BTreeSet::from(criteria),
            is_major: true,
            reason: text("half of the clients"),
        },
        incident::Event::Reported {
            incident,
            stage: Stage::Initial,
            submitted_at: at(3),
            reference: text("BaFin 7"),
        },
        incident::Event::Recovered { incident, recovered_at: at(4) },
        incident::Event::Closed {
            incident,
            cause: Cause::SystemFailure,
            root_cause: text("a full disk"),
        },
    ];
    for event in &samples {
        match event {
            incident::Event::Opened { .. }
            | incident::Event::Classified { .. }
            | incident::Event::Reported { .. }
            | incident::Event::Recovered { .. }
            | incident::Event::Closed { .. } => {}
        }
    }
    samples
}
