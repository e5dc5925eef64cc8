//! Projects: what databases are grouped by, with the hostnames under which they are reached and what
//! is kept of their answers. A project with databases in it is not deleted: they would lose what they
//! are counted and billed under. Names are unique among the projects that an organization has.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::{CacheRuleId, DomainId, ProjectId};
use crate::kept::Kept;
use crate::organization::{Changed, ChangedPersonal, Organization};
use crate::personal::Personal;
use crate::recorded::Recorded;

mod command;

pub use command::{Command, Rejection, decide};

/// How many an organization has at once.
pub const MOST: usize = 1_000;
/// Domains and cache rules of one project.
pub const MOST_PARTS: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "project.created")]
    Created {
        project: ProjectId,
        name: String,
        /// Where its databases are that do not say otherwise.
        region: Option<String>,
        #[serde(skip)]
        description: Personal,
        /// A JSON array of strings.
        #[serde(skip)]
        tags: Personal,
    },
    #[serde(rename = "project.updated")]
    Updated {
        project: ProjectId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<Changed<String>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        region: Option<Changed<Option<String>>>,
        #[serde(skip)]
        description: ChangedPersonal,
        #[serde(skip)]
        tags: ChangedPersonal,
    },
    #[serde(rename = "project.deleted")]
    Deleted { project: ProjectId, name: String },
    #[serde(rename = "project.domain_added")]
    DomainAdded { project: ProjectId, domain: DomainId, hostname: String },
    #[serde(rename = "project.domain_removed")]
    DomainRemoved { project: ProjectId, domain: DomainId, hostname: String },
    /// Made, or put in the place of what it was.
    #[serde(rename = "project.cache_rule_set")]
    CacheRuleSet { project: ProjectId, rule: CacheRuleId, content: CacheRule },
    #[serde(rename = "project.cache_rule_removed")]
    CacheRuleRemoved { project: ProjectId, rule: CacheRuleId },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheRule {
    /// Of which queries: a fingerprint, without their values.
    pub query_shape: String,
    pub ttl_seconds: u32,
    /// How much longer an old answer is given while a new one is fetched.
    pub stale_seconds: u32,
    pub is_enabled: bool,
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Created { .. } => ("project.created", 1),
            Self::Updated { .. } => ("project.updated", 1),
            Self::Deleted { .. } => ("project.deleted", 1),
            Self::DomainAdded { .. } => ("project.domain_added", 1),
            Self::DomainRemoved { .. } => ("project.domain_removed", 1),
            Self::CacheRuleSet { .. } => ("project.cache_rule_set", 1),
            Self::CacheRuleRemoved { .. } => ("project.cache_rule_removed", 1),
        }
    }

    pub fn project(&self) -> ProjectId {
        match self {
            Self::Created { project, .. }
            | Self::Updated { project, .. }
            | Self::Deleted { project, .. }
            | Self::DomainAdded { project, .. }
            | Self::DomainRemoved { project, .. }
            | Self::CacheRuleSet { project, .. }
            | Self::CacheRuleRemoved { project, .. } => *project,
        }
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        match self {
            Self::Created { description, tags, .. } => {
                visit("description", description);
                visit("tags", tags);
            }
            Self::Updated { description, tags, .. } => {
                visit("description.from", &mut description.from);
                visit("description.to", &mut description.to);
                visit("tags.from", &mut tags.from);
                visit("tags.to", &mut tags.to);
            }
            Self::Deleted { .. }
            | Self::DomainAdded { .. }
            | Self::DomainRemoved { .. }
            | Self::CacheRuleSet { .. }
            | Self::CacheRuleRemoved { .. } => {}
        }
    }

    pub(crate) fn keep_changes(&mut self) -> bool {
        let Self::Updated { name, region, description, tags, .. } = self else { return true };
        description.settle();
        tags.settle();
        name.is_some()
            || region.is_some()
            || description.changed().is_some()
            || tags.changed().is_some()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    pub name: String,
    pub region: Option<String>,
    pub description: Personal,
    /// A JSON array of strings.
    pub tags: Personal,
    /// By hostname.
    pub domains: BTreeMap<DomainId, Kept<String>>,
    pub cache_rules: BTreeMap<CacheRuleId, Kept<CacheRule>>,
}

impl Organization {
    pub fn project(&self, id: ProjectId) -> Option<&Kept<Project>> {
        self.projects.get(&id)
    }

    pub fn projects(&self) -> impl ExactSizeIterator<Item = (ProjectId, &Kept<Project>)> {
        self.projects.iter().map(|(id, it)| (*id, it))
    }
}

pub(crate) fn evolve(organization: &mut Organization, event: &Event, recorded: &Recorded) {
    let projects = &mut organization.projects;
    if let Event::Created { project, name, region, description, tags } = event {
        let created = Project {
            name: name.clone(),
            region: region.clone(),
            description: description.clone(),
            tags: tags.clone(),
            domains: BTreeMap::new(),
            cache_rules: BTreeMap::new(),
        };
        projects.insert(*project, Kept::new(created, recorded));
        return;
    }
    let Some(kept) = projects.get_mut(&event.project()) else { return };
    match event {
        Event::Created { .. } => {}
        Event::Updated { name, region, description, tags, .. } => {
            let project = kept.changed_by(recorded);
            if let Some(name) = name {
                project.name.clone_from(&name.to);
            }
            if let Some(region) = region {
                project.region.clone_from(&region.to);
            }
            if let Some(description) = description.changed() {
                project.description = description.clone();
            }
            if let Some(tags) = tags.changed() {
                project.tags = tags.clone();
            }
        }
        Event::Deleted { project, .. } => {
            projects.remove(project);
        }
        Event::DomainAdded { domain, hostname, .. } => {
            kept.content.domains.insert(*domain, Kept::new(hostname.clone(), recorded));
        }
        Event::DomainRemoved { domain, .. } => {
            kept.content.domains.remove(domain);
        }
        Event::CacheRuleSet { rule, content, .. } => {
            let new = Kept::new(content.clone(), recorded);
            let rule = kept.content.cache_rules.entry(*rule).or_insert(new);
            rule.changed_by(recorded).clone_from(content);
        }
        Event::CacheRuleRemoved { rule, .. } => {
            kept.content.cache_rules.remove(rule);
        }
    }
}

#[cfg(test)]
mod tests;
