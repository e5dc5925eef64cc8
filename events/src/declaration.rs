//! What an organization states about itself because no event can show it: who is responsible, what
//! personal data is processed for, which functions are critical. A declaration is replaced as a
//! whole, and declaring the same again is a statement of its own, with a time and an author. Members
//! say from time to time that one still holds: a review.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::declared::Declared;
use crate::id::{ActivityId, AiSystemId, FunctionId, InvalidId};
use crate::organization::Organization;
use crate::permission::Permission;
use crate::personal::Personal;
use crate::recorded::{Actor, Recorded};
use crate::time::Time;
use crate::wire::parsed;

mod content;

pub use content::{
    AiRole, AiSystem, Content, ControllerRecord, DocumentDigest, DoraFunction, DoraRole,
    DoraRoleName, HighRisk, InvalidDigest, ProcessingActivity, Retention, Stated, Transfer,
};

/// How many an organization has at once: they are all kept at hand.
pub const MOST: usize = 500;

/// Which declaration: of some kinds there is one, and its kind is its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DeclarationId {
    ControllerRecord,
    DoraRole,
    Activity(ActivityId),
    Function(FunctionId),
    AiSystem(AiSystemId),
}

impl DeclarationId {
    /// Whether what this names is of the kind of that content.
    pub fn is_of(self, content: &Content) -> bool {
        matches!(
            (self, content),
            (Self::ControllerRecord, Content::ControllerRecord(_))
                | (Self::DoraRole, Content::DoraRole(_))
                | (Self::Activity(_), Content::ProcessingActivity(_))
                | (Self::Function(_), Content::DoraFunction(_))
                | (Self::AiSystem(_), Content::AiSystem(_))
        )
    }

    /// There is one of them at most, and its place is known before it is declared.
    pub fn is_single(self) -> bool {
        matches!(self, Self::ControllerRecord | Self::DoraRole)
    }
}

impl fmt::Display for DeclarationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ControllerRecord => f.write_str("controller_record"),
            Self::DoraRole => f.write_str("dora_role"),
            Self::Activity(id) => id.fmt(f),
            Self::Function(id) => id.fmt(f),
            Self::AiSystem(id) => id.fmt(f),
        }
    }
}

impl FromStr for DeclarationId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text {
            "controller_record" => Ok(Self::ControllerRecord),
            "dora_role" => Ok(Self::DoraRole),
            _ if text.starts_with(ActivityId::PREFIX) => text.parse().map(Self::Activity),
            _ if text.starts_with(FunctionId::PREFIX) => text.parse().map(Self::Function),
            _ => text.parse().map(Self::AiSystem),
        }
    }
}

impl Serialize for DeclarationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeclarationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        parsed(deserializer)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    /// Declared for the first time, or in the place of what was declared before.
    #[serde(rename = "declaration.set")]
    Set {
        declaration: DeclarationId,
        content: Content,
        /// A JSON object: what was written freely.
        #[serde(skip)]
        text: Personal,
    },
    /// It holds no more.
    #[serde(rename = "declaration.removed")]
    Removed { declaration: DeclarationId },
    /// Somebody says that it still holds.
    #[serde(rename = "declaration.reviewed")]
    Reviewed { declaration: DeclarationId },
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Set { .. } => ("declaration.set", 1),
            Self::Removed { .. } => ("declaration.removed", 1),
            Self::Reviewed { .. } => ("declaration.reviewed", 1),
        }
    }

    pub fn declaration(&self) -> DeclarationId {
        match self {
            Self::Set { declaration, .. }
            | Self::Removed { declaration }
            | Self::Reviewed { declaration } => *declaration,
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        if let Self::Set { text, .. } = self {
            visit("text", text);
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    pub content: Content,
    pub text: Personal,
    pub created_at: Time,
    /// When and by whom it was declared as it is.
    pub declared_at: Time,
    pub declared_by: Actor,
    /// When and by whom it was reviewed last.
    pub reviewed: Option<(Time, Actor)>,
    pub created_version: u64,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
}

impl Declaration {
    /// When somebody last said that it holds, by declaring or by reviewing it.
    pub fn affirmed_at(&self) -> Time {
        self.reviewed.map_or(self.declared_at, |(at, _)| at.max(self.declared_at))
    }
}

pub(crate) fn evolve(declared: &mut Declared, event: &Event, recorded: &Recorded) {
    let declarations = &mut declared.declarations;
    match event {
        Event::Set { declaration, content, text } => {
            let before = declarations.get(declaration);
            let is_new = (recorded.at, None, recorded.version);
            let (created_at, reviewed, created_version) = before.map_or(is_new, |before| {
                (before.created_at, before.reviewed, before.created_version)
            });
            let declared = Declaration {
                content: content.clone(),
                text: text.clone(),
                created_at,
                declared_at: recorded.at,
                declared_by: recorded.actor,
                reviewed,
                created_version,
                changed_version: recorded.version,
            };
            declarations.insert(*declaration, declared);
        }
        Event::Removed { declaration } => {
            declarations.remove(declaration);
        }
        Event::Reviewed { declaration } => {
            if let Some(declaration) = declarations.get_mut(declaration) {
                declaration.reviewed = Some((recorded.at, recorded.actor));
                declaration.changed_version = recorded.version;
            }
        }
    }
}

/// What somebody declares: what the line will hold, and what they wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Statement {
    pub content: Content,
    /// A JSON object.
    pub text: String,
}

#[derive(Clone)]
pub enum Command {
    Declare { declaration: DeclarationId, statement: Statement },
    Replace { declaration: DeclarationId, statement: Statement },
    Remove { declaration: DeclarationId },
    Review { declaration: DeclarationId },
}

impl Command {
    fn declaration(&self) -> DeclarationId {
        match self {
            Self::Declare { declaration, .. }
            | Self::Replace { declaration, .. }
            | Self::Remove { declaration }
            | Self::Review { declaration } => *declaration,
        }
    }

    pub fn requires(&self, _: &Organization) -> Permission {
        Permission::Declare
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        let declaration = self.declaration();
        let found = organization.declared.declaration(declaration).map(|it| it.changed_version);
        // a single one may be the first of its kind: then it has no version that anybody has seen
        found.or(declaration.is_single().then_some(u64::MAX))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such declaration")]
    NotFound,
    #[error("it is declared already")]
    AlreadyDeclared,
    #[error("the declaration is of another kind")]
    OtherKind,
    #[error("who oversees a system must be a member")]
    OverseerNotAMember,
    #[error("there are 500 of them already")]
    TooMany,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    let declaration = command.declaration();
    let before = organization.declared.declaration(declaration);
    let statement = match command {
        Command::Declare { .. } if before.is_some() => return Err(Rejection::AlreadyDeclared),
        Command::Replace { .. } if before.is_none() && !declaration.is_single() => {
            return Err(Rejection::NotFound);
        }
        Command::Declare { statement, .. } | Command::Replace { statement, .. } => statement,
        Command::Remove { .. } => {
            before.ok_or(Rejection::NotFound)?;
            return Ok(vec![Event::Removed { declaration }]);
        }
        Command::Review { .. } => {
            before.ok_or(Rejection::NotFound)?;
            return Ok(vec![Event::Reviewed { declaration }]);
        }
    };
    let Statement { content, text } = statement;
    if !declaration.is_of(content) {
        return Err(Rejection::OtherKind);
    }
    if content.members().iter().any(|member| organization.role_of(*member).is_none()) {
        return Err(Rejection::OverseerNotAMember);
    }
    if before.is_none() && organization.declared.declarations.len() >= MOST {
        return Err(Rejection::TooMany);
    }
    let text = Personal::known(profile.id.subject(), text.clone());
    Ok(vec![Event::Set { declaration, content: content.clone(), text }])
}

#[cfg(test)]
mod tests;
