//! Every incident that was recorded was classified, and closed within the time that is allowed.

use std::collections::BTreeMap;

use events::id::IncidentId;
use events::recorded::Recorded;
use events::time::Time;
use events::{Event, incident};
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::{Findings, Recording};
use crate::compliance::evaluation::log::{Log, Period};

struct Incident {
    opened_at: Time,
    is_classified: bool,
    closed_at: Option<Time>,
    /// Of its opening, its first classification and its end.
    versions: Vec<u64>,
}

pub(crate) struct Incidents {
    most_open: i64,
    /// Only those that concern a declared AI system.
    of_ai_systems: bool,
    known: BTreeMap<IncidentId, Incident>,
    first: Option<Time>,
}

impl Incidents {
    pub(crate) fn new(most_open_seconds: i64, of_ai_systems: bool) -> Self {
        let most_open = most_open_seconds.saturating_mul(1000);
        Self { most_open, of_ai_systems, known: BTreeMap::new(), first: None }
    }
}

impl Check for Incidents {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Event::Incident(event) = &recorded.event else { return };
        let (at, version) = (log.now, recorded.version);
        if let incident::Event::Opened { incident, ai_systems, .. } = event {
            if !self.of_ai_systems || !ai_systems.is_empty() {
                self.first.get_or_insert(at);
                let (is_classified, closed_at, versions) = (false, None, vec![version]);
                let opened = Incident { opened_at: at, is_classified, closed_at, versions };
                self.known.insert(*incident, opened);
            }
            return;
        }
        let Some(known) = self.known.get_mut(&event.incident()) else { return };
        match event {
            incident::Event::Classified { .. } if !known.is_classified => {
                known.is_classified = true;
                known.versions.push(version);
            }
            incident::Event::Closed { .. } if known.closed_at.is_none() => {
                known.closed_at = Some(at);
                known.versions.push(version);
            }
            incident::Event::Opened { .. }
            | incident::Event::Classified { .. }
            | incident::Event::Reported { .. }
            | incident::Event::Recovered { .. }
            | incident::Event::Closed { .. } => {}
        }
    }

    fn finish(self: Box<Self>, log: &Log, window: Period) -> Findings {
        let recording = Recording::Since(self.first);
        let mut found = Findings { recording, ..Findings::default() };
        let mut incidents: Vec<_> = self.known.into_iter().collect();
        incidents.sort_by_key(|(_, incident)| incident.versions[0]);
        for (id, incident) in incidents {
            let Incident { opened_at, is_classified, closed_at, versions } = incident;
            if closed_at.is_some_and(|at| at < log.period.from) {
                continue;
            }
            for version in &versions {
                found.cited.add(*version);
            }
            found.member(&json!({
                "classified": is_classified,
                "closed_at": closed_at,
                "incident": id,
                "opened_at": opened_at,
                "versions": versions,
            }));
            let open = Period { from: opened_at, to: closed_at.unwrap_or(window.to) };
            let is_unclassified = closed_at.is_some() && !is_classified;
            let reason = match (open.millis() > self.most_open, is_unclassified) {
                (true, _) => "open for too long",
                (false, true) => "closed without a classification",
                (false, false) => continue,
            };
            found.exceptions.push(json!({
                "gap_from": open.from,
                "gap_to": open.to,
                "incident": id,
                "reason": reason,
                "versions": versions,
            }));
        }
        found
    }
}
