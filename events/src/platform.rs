//! The platform stream: facts about the installation itself.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::State;
use crate::recorded::Recorded;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// The first event of a log: what it is called, for ever.
    #[serde(rename = "platform.initialized")]
    Initialized { log_id: Uuid, origin: String },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Initialized { .. } => ("platform.initialized", 1),
        }
    }
}

#[derive(Debug, Default)]
pub struct Platform {
    pub log_id: Option<Uuid>,
    pub origin: String,
}

impl State for Platform {
    fn evolve(&mut self, recorded: &Recorded) {
        if let crate::Event::Platform(Event::Initialized { log_id, origin }) = &recorded.event {
            self.log_id = Some(*log_id);
            self.origin.clone_from(origin);
        }
    }
}
