//! Whether the organization declared that the regulation does not concern it.

use events::Event;
use events::declaration::{self, Content, DeclarationId, DoraRoleName};
use events::recorded::Recorded;

use crate::compliance::evaluation::interval::Timeline;
use crate::compliance::evaluation::log::{Log, Period};
use crate::compliance::evaluation::{Gate, Scope};

/// Who says at the end of a period that they are concerned by nothing, but were in it, does not get
/// out of it that way.
pub(crate) struct DeclaredRole(Timeline<Option<DoraRoleName>>);

impl Default for DeclaredRole {
    fn default() -> Self {
        Self(Timeline::new(None))
    }
}

impl Gate for DeclaredRole {
    fn take(&mut self, log: &Log, recorded: &Recorded) {
        let Event::Declaration(event) = &recorded.event else { return };
        let role = match event {
            declaration::Event::Set { content: Content::DoraRole(role), .. } => Some(role.role),
            declaration::Event::Removed { declaration: DeclarationId::DoraRole } => None,
            declaration::Event::Set { .. }
            | declaration::Event::Removed { .. }
            | declaration::Event::Reviewed { .. } => return,
        };
        self.0.set(role, log.now, recorded.version);
    }

    fn finish(self: Box<Self>, _: &Log, window: Period) -> Scope {
        let is_none_now = *self.0.state() == Some(DoraRoleName::None);
        let was_other = self
            .0
            .within(window)
            .iter()
            .any(|stood| stood.state.is_some_and(|role| role != DoraRoleName::None));
        if is_none_now && !was_other { Scope::DeclaredOut } else { Scope::In }
    }
}
