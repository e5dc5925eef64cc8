//! Records of processing activities: what an organization declared about itself is complete and was
//! looked at not too long ago. Never that it is true.

use events::declaration::{Content, DeclarationId};
use events::recorded::Recorded;
use serde_json::json;

use super::evaluation::Check;
use super::evaluation::finding::{Findings, Recording};
use super::evaluation::log::{Log, Period};

pub(crate) mod recipient;

/// Which declarations a control is about, as they stand at the end of the period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The controller and the processing activities: both there must be.
    Processing,
    DoraRole,
    DoraFunctions,
    AiSystems,
}

impl About {
    fn includes(self, content: &Content) -> bool {
        match content {
            Content::ControllerRecord(_) | Content::ProcessingActivity(_) => {
                self == Self::Processing
            }
            Content::DoraRole(_) => self == Self::DoraRole,
            Content::DoraFunction(_) => self == Self::DoraFunctions,
            Content::AiSystem(_) => self == Self::AiSystems,
        }
    }
}

/// What is asked of each declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Complete,
    /// Declared or reviewed at most so many seconds ago.
    Recent(i64),
}

pub(crate) struct Declarations {
    about: About,
    asked: Asked,
}

impl Declarations {
    pub(crate) fn new(about: About, asked: Asked) -> Self {
        Self { about, asked }
    }
}

impl Check for Declarations {
    fn take(&mut self, _: &Log, _: &Recorded) {}

    fn finish(self: Box<Self>, log: &Log, window: Period) -> Findings {
        let mut found = Findings::default();
        let (mut has_controller, mut activities) = (false, 0_u64);
        for (id, declaration) in log.organization.declared().declarations() {
            if !self.about.includes(&declaration.content) {
                continue;
            }
            has_controller |= id == DeclarationId::ControllerRecord;
            activities += u64::from(matches!(id, DeclarationId::Activity(_)));
            let version = declaration.changed_version;
            let affirmed_at = declaration.affirmed_at();
            let missing = declaration.content.missing();
            found.cited.add(version);
            found.member(&json!({
                "affirmed_at": affirmed_at,
                "declaration": id,
                "declared_by": declaration.declared_by,
                "kind": declaration.content.kind(),
                "missing": missing,
                "versions": [declaration.created_version, version],
            }));
            let exception = match self.asked {
                Asked::Complete if missing.is_empty() => continue,
                Asked::Complete => json!({
                    "declaration": id,
                    "missing": missing,
                    "versions": [version],
                }),
                Asked::Recent(seconds) => {
                    let age = Period { from: affirmed_at, to: window.to };
                    if age.millis() <= seconds.saturating_mul(1000) {
                        continue;
                    }
                    json!({
                        "declaration": id,
                        "gap_from": age.from,
                        "gap_to": age.to,
                        "versions": [version],
                    })
                }
            };
            found.exceptions.push(exception);
        }
        if found.size == 0 {
            found.recording = Recording::Since(None);
        } else if self.about == About::Processing && self.asked == Asked::Complete {
            let absent = [
                (!has_controller).then_some("no controller is declared"),
                (activities == 0).then_some("no processing activity is declared"),
            ];
            found.exceptions.extend(absent.into_iter().flatten().map(
                |reason| json!({ "gap_from": window.from, "gap_to": window.to, "reason": reason }),
            ));
        }
        found
    }
}
