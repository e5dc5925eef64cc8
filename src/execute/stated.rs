//! The ids of what members state. Each follows from the order, so that a repeat means the same.

use events::id::{ActivityId, AiSystemId, FunctionId, IncidentId, RestoreTestId, ReviewId};

use super::Order;
use crate::App;

pub(crate) fn activity(app: &App, order: &Order) -> ActivityId {
    ActivityId(app.keyring.id_of(order.command, "processing activity"))
}

pub(crate) fn function(app: &App, order: &Order) -> FunctionId {
    FunctionId(app.keyring.id_of(order.command, "function"))
}

pub(crate) fn ai_system(app: &App, order: &Order) -> AiSystemId {
    AiSystemId(app.keyring.id_of(order.command, "AI system"))
}

pub(crate) fn incident(app: &App, order: &Order) -> IncidentId {
    IncidentId(app.keyring.id_of(order.command, "incident"))
}

pub(crate) fn review(app: &App, order: &Order) -> ReviewId {
    ReviewId(app.keyring.id_of(order.command, "access review"))
}

pub(crate) fn restore_test(app: &App, order: &Order) -> RestoreTestId {
    RestoreTestId(app.keyring.id_of(order.command, "restore test"))
}
