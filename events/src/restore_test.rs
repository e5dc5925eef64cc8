//! Restore tests that an organization ran itself: what it says came back, how long it took and
//! where to.

use serde::{Deserialize, Serialize};

use crate::declared::Declared;
use crate::id::RestoreTestId;
use crate::organization::Organization;
use crate::permission::Permission;
use crate::personal::Personal;
use crate::recorded::{Actor, Recorded};
use crate::time::Time;

/// How many an organization records: ten a week for twenty years.
pub const MOST: usize = 10_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "restore_test.recorded")]
    Recorded {
        restore_test: RestoreTestId,
        /// The database; `None` where the text says what was restored.
        database: Option<String>,
        result: Outcome,
        duration_seconds: u32,
        performed_at: Time,
        /// It came back elsewhere than where it had been.
        is_other_region: bool,
        /// A JSON object: scope and notes.
        #[serde(skip)]
        text: Personal,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    Failed,
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Recorded { .. } => ("restore_test.recorded", 1),
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        let Self::Recorded { text, .. } = self;
        visit("text", text);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreTest {
    pub database: Option<String>,
    pub result: Outcome,
    pub duration_seconds: u32,
    pub performed_at: Time,
    pub is_other_region: bool,
    pub text: Personal,
    pub recorded_at: Time,
    pub recorded_by: Actor,
    pub version: u64,
}

pub(crate) fn evolve(declared: &mut Declared, event: &Event, recorded: &Recorded) {
    let Event::Recorded {
        restore_test,
        database,
        result,
        duration_seconds,
        performed_at,
        is_other_region,
        text,
    } = event;
    let test = RestoreTest {
        database: database.clone(),
        result: *result,
        duration_seconds: *duration_seconds,
        performed_at: *performed_at,
        is_other_region: *is_other_region,
        text: text.clone(),
        recorded_at: recorded.at,
        recorded_by: recorded.actor,
        version: recorded.version,
    };
    declared.restore_tests.insert(*restore_test, test);
}

#[derive(Clone)]
pub struct Command {
    pub restore_test: RestoreTestId,
    pub database: Option<String>,
    pub result: Outcome,
    pub duration_seconds: u32,
    pub performed_at: Time,
    pub is_other_region: bool,
    /// A JSON object.
    pub text: Option<String>,
}

impl Command {
    pub fn requires(&self, _: &Organization) -> Permission {
        Permission::Declare
    }

    pub fn resource_version(&self, _: &Organization) -> Option<u64> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such organization")]
    NotFound,
    #[error("there are 10000 of them already")]
    TooMany,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    if organization.declared.restore_tests.len() >= MOST {
        return Err(Rejection::TooMany);
    }
    Ok(vec![Event::Recorded {
        restore_test: command.restore_test,
        database: command.database.clone(),
        result: command.result,
        duration_seconds: command.duration_seconds,
        performed_at: command.performed_at,
        is_other_region: command.is_other_region,
        text: Personal::optional(profile.id.subject(), command.text.clone()),
    }])
}
