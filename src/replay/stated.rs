//! What members have stated, as JSON. What they wrote freely is shown where it is open.

use events::access_review::{Access, Review, Reviewed};
use events::declaration::Declaration;
use events::incident::Incident;
use events::organization::Organization;
use events::personal::Personal;
use events::restore_test::RestoreTest;
use serde_json::{Map, Value, json};

use super::shown::personal;

/// By their ids.
pub(super) fn declarations(state: &Organization) -> Map<String, Value> {
    let all = state.declared().declarations();
    all.map(|(id, it)| (id.to_string(), declaration(it))).collect()
}

/// By their ids.
pub(super) fn incidents(state: &Organization) -> Map<String, Value> {
    let all = state.declared().incidents();
    all.map(|(id, it)| (id.to_string(), incident(it))).collect()
}

/// By their ids.
pub(super) fn access_reviews(state: &Organization) -> Map<String, Value> {
    let all = state.declared().reviews();
    all.map(|(id, it)| (id.to_string(), access_review(it))).collect()
}

/// By their ids.
pub(super) fn restore_tests(state: &Organization) -> Map<String, Value> {
    let all = state.declared().restore_tests();
    all.map(|(id, it)| (id.to_string(), restore_test(it))).collect()
}

/// A text of several fields is recorded as JSON.
fn text(text: &Personal) -> Value {
    match text {
        Personal::Known { value, .. } => {
            serde_json::from_str(value).unwrap_or_else(|_| json!(value))
        }
        Personal::Absent | Personal::Sealed(_) => personal(text),
    }
}

fn declaration(declaration: &Declaration) -> Value {
    let reviewed = declaration.reviewed.as_ref();
    json!({
        "recorded": declaration.content,
        "statement": text(&declaration.text),
        "missing": declaration.content.missing(),
        "created_at": declaration.created_at,
        "declared_at": declaration.declared_at,
        "declared_by": declaration.declared_by,
        "reviewed_at": reviewed.map(|(at, _)| at),
        "reviewed_by": reviewed.map(|(_, by)| by),
    })
}

fn incident(incident: &Incident) -> Value {
    let classification = incident.classification.as_ref().map(|it| {
        json!({ "classified_at": it.at, "is_major": it.is_major, "criteria": it.criteria,
            "reason": personal(&it.reason) })
    });
    let reports = incident.reports.iter().map(|it| {
        json!({ "stage": it.stage, "submitted_at": it.submitted_at,
            "reference": personal(&it.reference) })
    });
    let closed = incident.closed.as_ref();
    json!({
        "status": if closed.is_some() { "closed" } else { "open" },
        "text": text(&incident.text),
        "detected_at": incident.detected_at,
        "aware_at": incident.aware_at,
        "databases": incident.databases,
        "ai_systems": incident.ai_systems,
        "classification": classification,
        "reports": reports.collect::<Vec<_>>(),
        "recovered_at": incident.recovered_at,
        "opened_at": incident.opened_at,
        "opened_by": incident.opened_by,
        "closed_at": closed.map(|it| it.at),
        "closed_by": closed.map(|it| it.by),
        "cause": closed.map(|it| it.cause),
        "root_cause": closed.map(|it| personal(&it.root_cause)),
    })
}

fn access_review(review: &Review) -> Value {
    let item = |it: &Reviewed| {
        let decided = it.decided.as_ref();
        json!({
            "access": access(&it.access),
            "decision": decided.map(|it| it.decision),
            "reason": decided.map(|it| personal(&it.reason)),
            "decided_at": decided.map(|it| it.at),
            "decided_by": decided.map(|it| it.by),
        })
    };
    let items = review.items.iter().map(|(id, it)| (id.to_string(), item(it)));
    let completed = review.completed.as_ref();
    json!({
        "status": if completed.is_some() { "completed" } else { "open" },
        "as_of": review.as_of,
        "started_by": review.started_by,
        "items": items.collect::<Map<_, _>>(),
        "completed_at": completed.map(|(at, _)| at),
        "completed_by": completed.map(|(_, by)| by),
    })
}

fn access(access: &Access) -> Value {
    match access {
        Access::Member { role } => json!({ "role": role }),
        Access::Token { kind, owner, name } => {
            json!({ "kind": kind, "owner": owner, "token_name": name })
        }
    }
}

fn restore_test(test: &RestoreTest) -> Value {
    json!({
        "database": test.database,
        "text": text(&test.text),
        "result": test.result,
        "duration_seconds": test.duration_seconds,
        "performed_at": test.performed_at,
        "other_region": test.is_other_region,
        "recorded_at": test.recorded_at,
        "recorded_by": test.recorded_by,
    })
}
