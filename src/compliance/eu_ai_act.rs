//! Regulation (EU) 2024/1689: which AI systems there are, in which role and how risky, is declared;
//! that decides whether anything of it concerns the organization.

use std::collections::BTreeMap;

use events::Event;
use events::declaration::{self, AiRole, AiSystem, Content, DeclarationId, HighRisk};
use events::id::AiSystemId;
use events::recorded::Recorded;

use super::evaluation::log::{Log, Period};
use super::evaluation::{Gate, Scope};

pub(crate) mod oversight;
pub(crate) mod retention;

/// Whether the duties for high-risk systems are those of who declared it.
pub(crate) fn is_due(system: &AiSystem) -> bool {
    let is_high_risk = match system.high_risk {
        HighRisk::AnnexIii | HighRisk::AnnexI | HighRisk::Undetermined => true,
        HighRisk::No => false,
    };
    is_high_risk && system.role != AiRole::None
}

/// What a declaration says of a system from now on: nothing when it is taken back.
pub(crate) fn change(event: &Event) -> Option<(AiSystemId, Option<&AiSystem>)> {
    let Event::Declaration(event) = event else { return None };
    let DeclarationId::AiSystem(id) = event.declaration() else { return None };
    match event {
        declaration::Event::Set { content: Content::AiSystem(system), .. } => {
            Some((id, Some(system)))
        }
        declaration::Event::Removed { .. } => Some((id, None)),
        declaration::Event::Set { .. } | declaration::Event::Reviewed { .. } => None,
    }
}

/// Which systems stood, and which were due in the period: whoever takes a declaration back at its end
/// does not get out of it that way.
#[derive(Default)]
pub(crate) struct DeclaredSystems {
    systems: BTreeMap<AiSystemId, (bool, HighRisk)>,
    was_due: bool,
}

impl DeclaredSystems {
    fn is_any_due(&self) -> bool {
        self.systems.values().any(|(is_due, _)| *is_due)
    }
}

impl Gate for DeclaredSystems {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Some((id, system)) = change(&recorded.event) else { return };
        // what is replaced in the period, or stood when it began, stood in it
        self.was_due |= log.is_in_period() && log.now > log.period.from && self.is_any_due();
        match system {
            Some(system) => {
                self.systems.insert(id, (is_due(system), system.high_risk));
            }
            None => {
                self.systems.remove(&id);
            }
        }
    }

    fn finish(self: Box<Self>, _: &Log, _: Period) -> Scope {
        let of_risk = |of| self.systems.values().any(|(is_due, risk)| *is_due && *risk == of);
        if of_risk(HighRisk::Undetermined) {
            Scope::Unknown("whether a declared AI system is high-risk is undetermined")
        } else if self.is_any_due() || self.was_due {
            Scope::In
        } else if self.systems.is_empty() {
            Scope::Unknown("no AI system is declared")
        } else {
            Scope::DeclaredOut
        }
    }
}
