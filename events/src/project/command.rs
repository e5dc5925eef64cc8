//! What may be ordered of projects, and what becomes of it.

use super::{CacheRule, Event, MOST, MOST_PARTS, Project};
use crate::id::{CacheRuleId, DomainId, ProjectId, SubjectId};
use crate::kept::Kept;
use crate::organization::{Changed, ChangedPersonal, Organization};
use crate::permission::Permission;
use crate::personal::Personal;
use crate::quota::{Excess, Quota};

#[derive(Clone)]
pub enum Command {
    Create {
        project: ProjectId,
        name: String,
        region: Option<String>,
        description: Option<String>,
        /// A JSON array of strings.
        tags: Option<String>,
    },
    /// A field that is `None` stays as it is; an inner `None` takes the value away.
    Update {
        project: ProjectId,
        name: Option<String>,
        region: Option<Option<String>>,
        description: Option<Option<String>>,
        tags: Option<Option<String>>,
    },
    Delete {
        project: ProjectId,
    },
    AddDomain {
        project: ProjectId,
        domain: DomainId,
        hostname: String,
    },
    RemoveDomain {
        project: ProjectId,
        domain: DomainId,
    },
    CreateCacheRule {
        project: ProjectId,
        rule: CacheRuleId,
        content: CacheRule,
    },
    ReplaceCacheRule {
        project: ProjectId,
        rule: CacheRuleId,
        content: CacheRule,
    },
    RemoveCacheRule {
        project: ProjectId,
        rule: CacheRuleId,
    },
}

impl Command {
    fn project(&self) -> ProjectId {
        match self {
            Self::Create { project, .. }
            | Self::Update { project, .. }
            | Self::Delete { project }
            | Self::AddDomain { project, .. }
            | Self::RemoveDomain { project, .. }
            | Self::CreateCacheRule { project, .. }
            | Self::ReplaceCacheRule { project, .. }
            | Self::RemoveCacheRule { project, .. } => *project,
        }
    }

    pub fn requires(&self, _: &Organization) -> Permission {
        match self {
            Self::Create { .. }
            | Self::Update { .. }
            | Self::AddDomain { .. }
            | Self::RemoveDomain { .. }
            | Self::CreateCacheRule { .. }
            | Self::ReplaceCacheRule { .. }
            | Self::RemoveCacheRule { .. } => Permission::ManageDatabases,
            Self::Delete { .. } => Permission::DeleteDatabases,
        }
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        let kept = organization.project(self.project())?;
        match self {
            Self::Create { .. } | Self::Update { .. } | Self::Delete { .. } => {
                Some(kept.changed_version)
            }
            Self::AddDomain { domain, .. } | Self::RemoveDomain { domain, .. } => {
                kept.content.domains.get(domain).map(|it| it.changed_version)
            }
            Self::CreateCacheRule { rule, .. }
            | Self::ReplaceCacheRule { rule, .. }
            | Self::RemoveCacheRule { rule, .. } => {
                kept.content.cache_rules.get(rule).map(|it| it.changed_version)
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such project")]
    NotFound,
    #[error("another project of the organization has the name")]
    NameTaken,
    #[error("the organization does not allow the region")]
    RegionNotAllowed,
    #[error("there are databases in the project")]
    HasDatabases { count: usize },
    #[error("a project of the organization has the hostname already")]
    HostnameTaken,
    #[error("the plan allows no more")]
    QuotaExceeded(Excess),
    #[error("the plan has no domains of one's own")]
    NoDomains,
    #[error("there are as many of them as there may be")]
    TooMany,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    let (subject, id) = (profile.id.subject(), command.project());
    if let Command::Create { name, region, description, tags, .. } = command {
        can_create(organization, name, region.as_deref())?;
        return Ok(vec![Event::Created {
            project: id,
            name: name.clone(),
            region: region.clone(),
            description: Personal::optional(subject, description.clone()),
            tags: Personal::optional(subject, tags.clone()),
        }]);
    }
    let project = &organization.project(id).ok_or(Rejection::NotFound)?.content;
    match command {
        Command::Create { .. } => Ok(vec![]),
        Command::Update { name, region, description, tags, .. } => {
            let name = name.as_ref().filter(|name| **name != project.name);
            if let Some(name) = name {
                name_is_free(organization, name)?;
            }
            let region = region.as_ref().filter(|region| **region != project.region);
            if let Some(Some(region)) = region {
                region_is_allowed(organization, region)?;
            }
            let text = [description.as_ref(), tags.as_ref()];
            Ok(updated(id, project, subject, name, region, text))
        }
        Command::Delete { .. } => {
            let inside = organization.databases().filter(|(_, it)| it.content.project == Some(id));
            let count = inside.count();
            if count > 0 {
                return Err(Rejection::HasDatabases { count });
            }
            Ok(vec![Event::Deleted { project: id, name: project.name.clone() }])
        }
        Command::AddDomain { domain, hostname, .. } => {
            if !organization.subscription().terms().features.custom_domains {
                return Err(Rejection::NoDomains);
            }
            let mut all = organization.projects().flat_map(|(_, it)| it.content.domains.values());
            if all.any(|known| known.content == *hostname) {
                return Err(Rejection::HostnameTaken);
            }
            has_room(project.domains.len())?;
            let (domain, hostname) = (*domain, hostname.clone());
            Ok(vec![Event::DomainAdded { project: id, domain, hostname }])
        }
        Command::RemoveDomain { domain, .. } => {
            let Kept { content, .. } = project.domains.get(domain).ok_or(Rejection::NotFound)?;
            let (domain, hostname) = (*domain, content.clone());
            Ok(vec![Event::DomainRemoved { project: id, domain, hostname }])
        }
        Command::CreateCacheRule { rule, content, .. } => {
            has_room(project.cache_rules.len())?;
            let (rule, content) = (*rule, content.clone());
            Ok(vec![Event::CacheRuleSet { project: id, rule, content }])
        }
        Command::ReplaceCacheRule { rule, content, .. } => {
            let before = project.cache_rules.get(rule).ok_or(Rejection::NotFound)?;
            if before.content == *content {
                return Ok(vec![]);
            }
            let (rule, content) = (*rule, content.clone());
            Ok(vec![Event::CacheRuleSet { project: id, rule, content }])
        }
        Command::RemoveCacheRule { rule, .. } => {
            project.cache_rules.get(rule).ok_or(Rejection::NotFound)?;
            Ok(vec![Event::CacheRuleRemoved { project: id, rule: *rule }])
        }
    }
}

fn can_create(
    organization: &Organization,
    name: &str,
    region: Option<&str>,
) -> Result<(), Rejection> {
    if let Some(region) = region {
        region_is_allowed(organization, region)?;
    }
    name_is_free(organization, name)?;
    if let Some(excess) = organization.without_room(Quota::Projects) {
        return Err(Rejection::QuotaExceeded(excess));
    }
    if organization.projects.len() >= MOST { Err(Rejection::TooMany) } else { Ok(()) }
}

fn has_room(parts: usize) -> Result<(), Rejection> {
    if parts >= MOST_PARTS { Err(Rejection::TooMany) } else { Ok(()) }
}

fn name_is_free(organization: &Organization, name: &str) -> Result<(), Rejection> {
    let is_taken = organization.projects().any(|(_, it)| it.content.name == name);
    if is_taken { Err(Rejection::NameTaken) } else { Ok(()) }
}

fn region_is_allowed(organization: &Organization, region: &str) -> Result<(), Rejection> {
    let is_allowed = organization.settings.allows_region(region);
    if is_allowed { Ok(()) } else { Err(Rejection::RegionNotAllowed) }
}

fn updated(
    id: ProjectId,
    before: &Project,
    subject: SubjectId,
    name: Option<&String>,
    region: Option<&Option<String>>,
    [description, tags]: [Option<&Option<String>>; 2],
) -> Vec<Event> {
    let personal = |from: &Personal, to: Option<&Option<String>>| {
        to.map_or_else(ChangedPersonal::default, |to| ChangedPersonal {
            from: from.clone(),
            to: Personal::optional(subject, to.clone()),
        })
    };
    let mut event = Event::Updated {
        project: id,
        name: name.map(|to| Changed { from: before.name.clone(), to: to.clone() }),
        region: region.map(|to| Changed { from: before.region.clone(), to: to.clone() }),
        description: personal(&before.description, description),
        tags: personal(&before.tags, tags),
    };
    if event.keep_changes() { vec![event] } else { vec![] }
}
