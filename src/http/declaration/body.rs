//! What can be declared, as a caller writes it: which kind decides what the rest may say. The whole
//! body is sealed; each kind says itself what of it stands in the log.

use events::declaration::{Content, Statement};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::ai_system::AiSystem;
use super::controller_record::ControllerRecord;
use super::dora::{DoraFunction, DoraRole};
use super::processing_activity::ProcessingActivity;
use crate::http::check::Checks;
use crate::http::problem::{FieldError, Problem};
use crate::http::request::Submission;

/// As JSON.
const LONGEST_TEXT: usize = 16 * 1024;

/// One of these, by its `kind`.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "each is read by its kind; this documents them")]
pub(crate) enum DeclarationBody {
    ControllerRecord(ControllerRecord),
    ProcessingActivity(ProcessingActivity),
    DoraRole(DoraRole),
    DoraFunction(DoraFunction),
    AiSystem(AiSystem),
}

#[derive(Clone, Copy)]
pub(super) enum Kind {
    ControllerRecord,
    ProcessingActivity,
    DoraRole,
    DoraFunction,
    AiSystem,
}

impl Kind {
    const ALL: [(&'static str, Self); 5] = [
        ("controller_record", Self::ControllerRecord),
        ("processing_activity", Self::ProcessingActivity),
        ("dora_role", Self::DoraRole),
        ("dora_function", Self::DoraFunction),
        ("ai_system", Self::AiSystem),
    ];

    /// `None` when the body names none of them.
    pub(super) fn of(submission: &Submission) -> Option<Self> {
        let named = submission.text("kind")?;
        Self::ALL.into_iter().find(|(name, _)| *name == named).map(|(_, kind)| kind)
    }
}

/// A kind of declaration as it is written.
pub(super) trait Written: Serialize + DeserializeOwned {
    fn check(&self, checks: &mut Checks<'_>);

    /// What of it stands in the log; asked of what was checked.
    fn content(&self) -> Content;
}

/// What the body declares, and what is wrong with it.
pub(super) fn statement(submission: &Submission) -> Result<Statement, Problem> {
    match Kind::of(submission) {
        Some(Kind::ControllerRecord) => read::<ControllerRecord>(submission),
        Some(Kind::ProcessingActivity) => read::<ProcessingActivity>(submission),
        Some(Kind::DoraRole) => read::<DoraRole>(submission),
        Some(Kind::DoraFunction) => read::<DoraFunction>(submission),
        Some(Kind::AiSystem) => read::<AiSystem>(submission),
        None => {
            // what is no JSON at all is told as everywhere
            submission.json::<serde_json::Value>()?;
            let kinds = Kind::ALL.map(|(name, _)| name).join(", ");
            let detail = format!("must be one of {kinds}");
            Err(Problem::invalid(vec![FieldError { field: "kind".to_owned(), detail }]))
        }
    }
}

fn read<T: Written>(submission: &Submission) -> Result<Statement, Problem> {
    let written: T = submission.json()?;
    let mut errors = Vec::new();
    let mut checks = Checks::new(&mut errors);
    written.check(&mut checks);
    let text = serde_json::to_string(&written).expect("a declaration is always JSON");
    if text.len() > LONGEST_TEXT {
        checks.wrong(".", "must be 16384 bytes of JSON at most");
    }
    if !errors.is_empty() {
        return Err(Problem::invalid(errors));
    }
    Ok(Statement { content: written.content(), text })
}

/// How many there are, as the line counts them.
pub(super) fn count<T>(entries: &[T]) -> u32 {
    u32::try_from(entries.len()).unwrap_or(u32::MAX)
}
