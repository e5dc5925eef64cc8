//! Major incidents were reported in time: first, in between and at last. The times are those that
//! members stated; a report whose time has not come by the end of the period is not late.

use std::collections::BTreeMap;

use events::Event;
use events::id::IncidentId;
use events::incident::{self, Stage};
use events::recorded::Recorded;
use events::time::Time;
use serde_json::json;

use crate::compliance::evaluation::Check;
use crate::compliance::evaluation::finding::{Findings, Recording};
use crate::compliance::evaluation::log::{Log, Period};

/// A time that somebody stated, and when they did.
#[derive(Clone, Copy)]
struct Stated {
    at: Time,
    recorded_at: Time,
    version: u64,
}

#[derive(Default)]
struct Incident {
    aware_at: Time,
    /// The first classification as major.
    major: Option<Stated>,
    reports: Vec<(Stage, Stated)>,
}

impl Incident {
    fn first(&self, of: Stage) -> Option<Stated> {
        self.reports.iter().find(|(stage, _)| *stage == of).map(|(_, stated)| *stated)
    }

    /// The last update that came before the final report.
    fn last_intermediate(&self) -> Option<Time> {
        let before = self.reports.iter().take_while(|(stage, _)| *stage != Stage::Final);
        let intermediate = before.filter(|(stage, _)| *stage == Stage::Intermediate);
        intermediate.map(|(_, stated)| stated.at).max()
    }
}

/// Within how many seconds of what.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Within {
    /// Of the classification as major, and of awareness; of the classification alone where that
    /// came later than the second.
    Initial { of_classification: i64, of_awareness: i64 },
    /// Of the initial report.
    Intermediate(i64),
    /// Of the last intermediate report.
    Final(i64),
}

pub(crate) struct Reports {
    within: Within,
    incidents: BTreeMap<IncidentId, Incident>,
    first: Option<Time>,
}

impl Reports {
    pub(crate) fn new(within: Within) -> Self {
        Self { within, incidents: BTreeMap::new(), first: None }
    }

    /// What starts the clock, until when the report is due, and the report.
    fn due(&self, incident: &Incident) -> Option<(Stated, Time, Option<Stated>)> {
        match self.within {
            Within::Initial { of_classification, of_awareness } => {
                let major = incident.major?;
                let by_classification = later(major.at, of_classification);
                let by_awareness = later(incident.aware_at, of_awareness);
                let due = if major.at > by_awareness {
                    by_classification
                } else {
                    by_classification.min(by_awareness)
                };
                Some((major, due, incident.first(Stage::Initial)))
            }
            Within::Intermediate(of_initial) => {
                let initial = incident.first(Stage::Initial)?;
                let report = incident.first(Stage::Intermediate);
                Some((initial, later(initial.at, of_initial), report))
            }
            Within::Final(of_intermediate) => {
                let start = incident.first(Stage::Intermediate)?;
                let last = incident.last_intermediate().unwrap_or(start.at);
                Some((start, later(last, of_intermediate), incident.first(Stage::Final)))
            }
        }
    }
}

fn later(at: Time, seconds: i64) -> Time {
    Time::from_millis(at.millis().saturating_add(seconds.saturating_mul(1000)))
}

impl Check for Reports {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Event::Incident(event) = &recorded.event else { return };
        let stated = |at| Stated { at, recorded_at: log.now, version: recorded.version };
        if let incident::Event::Opened { incident, aware_at, .. } = event {
            self.first.get_or_insert(log.now);
            let opened = Incident { aware_at: *aware_at, ..Incident::default() };
            self.incidents.insert(*incident, opened);
            return;
        }
        let Some(known) = self.incidents.get_mut(&event.incident()) else { return };
        match event {
            incident::Event::Classified { classified_at, is_major: true, .. } => {
                known.major.get_or_insert(stated(*classified_at));
            }
            incident::Event::Reported { stage, submitted_at, .. } => {
                known.reports.push((*stage, stated(*submitted_at)));
            }
            incident::Event::Opened { .. }
            | incident::Event::Classified { .. }
            | incident::Event::Recovered { .. }
            | incident::Event::Closed { .. } => {}
        }
    }

    fn finish(self: Box<Self>, log: &Log, window: Period) -> Findings {
        let recording = Recording::Since(self.first);
        let mut found = Findings { recording, ..Findings::default() };
        for (id, incident) in &self.incidents {
            let due = self.due(incident).filter(|_| incident.major.is_some());
            let Some((start, due, report)) = due else { continue };
            if !log.period.contains(start.recorded_at) {
                continue;
            }
            let versions: Vec<_> =
                [Some(start), report].into_iter().flatten().map(|it| it.version).collect();
            found.cited.add(start.version);
            let line = json!({
                "due_at": due,
                "incident": id,
                "submitted_at": report.map(|report| report.at),
                "versions": versions,
            });
            found.member(&line);
            if report.map_or(window.to, |report| report.at) > due {
                found.exceptions.push(line);
            }
        }
        found
    }
}
