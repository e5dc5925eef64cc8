//! How an audit entry tells of projects.

use events::project::Event::{
    self, CacheRuleRemoved, CacheRuleSet, Created, Deleted, DomainAdded, DomainRemoved, Updated,
};

use super::{FieldChange, Resource, personal, plain};

pub(super) fn resource(event: &Event) -> Resource {
    let name = match event {
        Created { name, .. } | Deleted { name, .. } => Some(plain(name)),
        Updated { name, .. } => name.as_ref().map(|name| plain(&name.to)),
        DomainAdded { .. }
        | DomainRemoved { .. }
        | CacheRuleSet { .. }
        | CacheRuleRemoved { .. } => None,
    };
    Resource::new("project", event.project(), name)
}

pub(super) fn changes(event: &Event) -> Vec<FieldChange> {
    let now = |field: &str, value| FieldChange::new(field, None, Some(value));
    let was = |field: &str, value| FieldChange::new(field, Some(value), None);
    match event {
        Created { name, region, description, tags, project: _ } => {
            let mut changes = vec![now("name", plain(name)), now("region", plain(region))];
            changes.extend(personal(description).map(|text| now("description", text)));
            changes.extend(personal(tags).map(|tags| now("tags", tags)));
            changes
        }
        Updated { name, region, description, tags, project: _ } => {
            let mut changes = Vec::new();
            changes.extend(name.as_ref().map(|it| FieldChange::of("name", it)));
            changes.extend(region.as_ref().map(|it| FieldChange::of("region", it)));
            for (field, changed) in [("description", description), ("tags", tags)] {
                if changed.changed().is_some() {
                    let (from, to) = (personal(&changed.from), personal(&changed.to));
                    changes.push(FieldChange::new(field, from, to));
                }
            }
            changes
        }
        Deleted { name, project: _ } => vec![was("name", plain(name))],
        DomainAdded { domain, hostname, project: _ } => {
            vec![now("domain", plain(domain)), now("hostname", plain(hostname))]
        }
        DomainRemoved { domain, hostname, project: _ } => {
            vec![was("domain", plain(domain)), was("hostname", plain(hostname))]
        }
        CacheRuleSet { rule, content, project: _ } => {
            let mut changes = vec![now("cache_rule", plain(rule))];
            changes.extend(super::fields(content));
            changes
        }
        CacheRuleRemoved { rule, project: _ } => vec![was("cache_rule", plain(rule))],
    }
}
