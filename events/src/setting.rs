//! The settings of an organization. Each change is one event with the old and the new values, and one
//! that would keep its author out is refused, or recorded as meant.

use core::net::IpAddr;

pub use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::id::SubjectId;
use crate::organization::{Changed, ChangedPersonal, Organization};
use crate::permission::Permission;
use crate::personal::Personal;
use crate::recorded::Recorded;
use crate::time::Time;

/// The tier of a database for which none is asked, until the organization says otherwise.
pub const DEFAULT_TIER: &str = "micro";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Event {
    #[serde(rename = "settings.updated")]
    Updated(Box<Update>),
}

/// What changed; a field that is not there stayed as it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Update {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require_2fa: Option<Changed<bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_regions: Option<Changed<Vec<String>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allowlist_required: Option<Changed<bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allowlist: Option<Changed<Vec<IpNet>>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_tier: Option<Changed<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sso_enabled: Option<Changed<bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sso_enforced: Option<Changed<bool>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_retention_days: Option<Changed<Option<u32>>>,
    /// Whoever changed it was told that it would keep them out, and meant it.
    pub is_override: bool,
    /// A JSON array of one description, or null, for each network of the allowlist.
    #[serde(skip)]
    pub ip_allowlist_descriptions: ChangedPersonal,
    /// A JSON object: the controller's particulars (GDPR, Article 30).
    #[serde(skip)]
    pub controller: ChangedPersonal,
}

impl Event {
    pub(crate) fn kind(&self) -> (&'static str, u32) {
        match self {
            Self::Updated(_) => ("settings.updated", 1),
        }
    }

    pub(crate) fn keep_changes(&mut self) -> bool {
        let Self::Updated(update) = self;
        update.ip_allowlist_descriptions.settle();
        update.controller.settle();
        **update != Update::default()
    }

    pub(crate) fn personal(&mut self, visit: &mut dyn FnMut(&'static str, &mut Personal)) {
        let Self::Updated(update) = self;
        let descriptions = &mut update.ip_allowlist_descriptions;
        visit("ip_allowlist_descriptions.from", &mut descriptions.from);
        visit("ip_allowlist_descriptions.to", &mut descriptions.to);
        visit("controller.from", &mut update.controller.from);
        visit("controller.to", &mut update.controller.to);
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
pub struct Settings {
    pub require_2fa: bool,
    /// None named: every region is allowed.
    pub allowed_regions: Vec<String>,
    pub ip_allowlist_required: bool,
    pub ip_allowlist: Vec<IpNet>,
    pub ip_allowlist_descriptions: Personal,
    pub default_tier: String,
    pub sso_enabled: bool,
    pub sso_enforced: bool,
    /// `None`: what the plan says.
    pub audit_retention_days: Option<u32>,
    pub controller: Personal,
    /// Version of the last event that changed this resource: its `ETag`.
    pub changed_version: u64,
    /// Since when members need a second factor.
    second_factor_demanded_at: Option<Time>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            require_2fa: false,
            allowed_regions: vec![],
            ip_allowlist_required: false,
            ip_allowlist: vec![],
            ip_allowlist_descriptions: Personal::Absent,
            default_tier: DEFAULT_TIER.to_owned(),
            sso_enabled: false,
            sso_enforced: false,
            audit_retention_days: None,
            controller: Personal::Absent,
            changed_version: 0,
            second_factor_demanded_at: None,
        }
    }
}

fn take<T: Clone>(place: &mut T, changed: Option<&Changed<T>>) {
    if let Some(changed) = changed {
        place.clone_from(&changed.to);
    }
}

impl Settings {
    pub(crate) fn evolve(&mut self, event: &Event, recorded: &Recorded) {
        let Event::Updated(update) = event;
        self.take(update);
        self.changed_version = recorded.version;
        if let Some(demanded) = &update.require_2fa {
            self.second_factor_demanded_at = demanded.to.then_some(recorded.at);
        }
    }

    fn take(&mut self, update: &Update) {
        take(&mut self.require_2fa, update.require_2fa.as_ref());
        take(&mut self.allowed_regions, update.allowed_regions.as_ref());
        take(&mut self.ip_allowlist_required, update.ip_allowlist_required.as_ref());
        take(&mut self.ip_allowlist, update.ip_allowlist.as_ref());
        take(&mut self.default_tier, update.default_tier.as_ref());
        take(&mut self.sso_enabled, update.sso_enabled.as_ref());
        take(&mut self.sso_enforced, update.sso_enforced.as_ref());
        take(&mut self.audit_retention_days, update.audit_retention_days.as_ref());
        if let Some(descriptions) = update.ip_allowlist_descriptions.changed() {
            self.ip_allowlist_descriptions = descriptions.clone();
        }
        if let Some(controller) = update.controller.changed() {
            self.controller = controller.clone();
        }
    }

    /// Whether somebody who signed in then needs a second factor. Whoever had signed in before it
    /// was demanded goes on as they came.
    pub fn demands_second_factor_of(&self, signed_in_at: Time) -> bool {
        self.second_factor_demanded_at.is_some_and(|since| signed_in_at > since)
    }

    /// Whether a database may be in this region.
    pub fn allows_region(&self, region: &str) -> bool {
        self.allowed_regions.is_empty() || self.allowed_regions.iter().any(|it| it == region)
    }

    /// Whether requests from this address pass the allowlist.
    pub fn admits(&self, address: Option<IpAddr>) -> bool {
        let listed = |address: IpAddr| self.ip_allowlist.iter().any(|net| net.contains(&address));
        !self.ip_allowlist_required || address.is_some_and(|address| listed(address.to_canonical()))
    }
}

/// A network from which requests are let in, and what its owner calls it.
#[derive(Clone, PartialEq, Eq)]
pub struct Network {
    pub cidr: IpNet,
    pub description: Option<String>,
}

/// What is to be changed; a field that is `None` stays as it is.
#[derive(Clone, Default)]
pub struct Command {
    pub require_2fa: Option<bool>,
    pub allowed_regions: Option<Vec<String>>,
    pub ip_allowlist_required: Option<bool>,
    pub ip_allowlist: Option<Vec<Network>>,
    pub default_tier: Option<String>,
    pub sso_enabled: Option<bool>,
    pub sso_enforced: Option<bool>,
    pub audit_retention_days: Option<Option<u32>>,
    /// A JSON object; an inner `None` takes it away.
    pub controller: Option<Option<String>>,
    /// From where the order comes, to tell whether its author would be let in again.
    pub address: Option<IpAddr>,
    /// Do it even if it keeps its author out.
    pub is_override: bool,
}

impl Command {
    pub fn requires(&self, _: &Organization) -> Permission {
        Permission::UpdateSettings
    }

    pub fn resource_version(&self, organization: &Organization) -> Option<u64> {
        organization.profile().map(|_| organization.settings.changed_version)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    #[error("there is no such organization")]
    NotFound,
    #[error("the change would keep its author out")]
    WouldLockOut,
    #[error("single sign-on cannot be enforced before it is enabled")]
    SsoNotEnabled,
}

pub fn decide(organization: &Organization, command: &Command) -> Result<Vec<Event>, Rejection> {
    let (mut update, Preview { locks_out, .. }) = proposed(organization, command)?;
    if locks_out && !command.is_override {
        return Err(Rejection::WouldLockOut);
    }
    if update == Update::default() {
        return Ok(vec![]);
    }
    update.is_override = locks_out;
    Ok(vec![Event::Updated(Box::new(update))])
}

/// What a command would lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    pub after: Settings,
    /// Its author would be kept out.
    pub locks_out: bool,
}

pub fn preview(organization: &Organization, command: &Command) -> Result<Preview, Rejection> {
    proposed(organization, command).map(|(_, preview)| preview)
}

fn proposed(
    organization: &Organization,
    command: &Command,
) -> Result<(Update, Preview), Rejection> {
    let profile = organization.profile().ok_or(Rejection::NotFound)?;
    let before = organization.settings();
    let update = changes(before, command, profile.id.subject());
    let mut after = before.clone();
    after.take(&update);
    if after.sso_enforced && !after.sso_enabled {
        return Err(Rejection::SsoNotEnabled);
    }
    let touches_the_allowlist =
        update.ip_allowlist_required.is_some() || update.ip_allowlist.is_some();
    // nobody has signed in through a provider of the organization's own yet
    let locks_out = touches_the_allowlist && !after.admits(command.address)
        || after.sso_enforced && !before.sso_enforced;
    Ok((update, Preview { after, locks_out }))
}

fn changed<T: Clone + PartialEq>(from: &T, to: Option<&T>) -> Option<Changed<T>> {
    let to = to.filter(|to| *to != from)?;
    Some(Changed { from: from.clone(), to: to.clone() })
}

fn changes(before: &Settings, command: &Command, subject: SubjectId) -> Update {
    let networks = command.ip_allowlist.as_ref();
    let cidrs = networks.map(|networks| networks.iter().map(|network| network.cidr).collect());
    let described = networks.map(|networks| {
        let descriptions: Vec<_> = networks.iter().map(|network| &network.description).collect();
        let is_described = descriptions.iter().any(|description| description.is_some());
        let text = serde_json::to_string(&descriptions).expect("a list of strings is always JSON");
        is_described.then_some(text)
    });
    let personal = |from: &Personal, to: Option<Option<String>>| {
        to.map_or_else(ChangedPersonal::default, |to| ChangedPersonal {
            from: from.clone(),
            to: Personal::optional(subject, to),
        })
    };
    Update {
        require_2fa: changed(&before.require_2fa, command.require_2fa.as_ref()),
        allowed_regions: changed(&before.allowed_regions, command.allowed_regions.as_ref()),
        ip_allowlist_required: changed(
            &before.ip_allowlist_required,
            command.ip_allowlist_required.as_ref(),
        ),
        ip_allowlist: changed(&before.ip_allowlist, cidrs.as_ref()),
        default_tier: changed(&before.default_tier, command.default_tier.as_ref()),
        sso_enabled: changed(&before.sso_enabled, command.sso_enabled.as_ref()),
        sso_enforced: changed(&before.sso_enforced, command.sso_enforced.as_ref()),
        audit_retention_days: changed(
            &before.audit_retention_days,
            command.audit_retention_days.as_ref(),
        ),
        is_override: false,
        ip_allowlist_descriptions: personal(&before.ip_allowlist_descriptions, described),
        controller: personal(&before.controller, command.controller.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::given::{ANA, created_by, given};

    fn only(cidr: &str, address: &str) -> Command {
        let cidr = cidr.parse().expect("a network");
        Command {
            ip_allowlist_required: Some(true),
            ip_allowlist: Some(vec![Network { cidr, description: None }]),
            address: Some(address.parse().expect("an address")),
            ..Command::default()
        }
    }

    #[test]
    fn a_change_records_the_old_and_the_new_value() {
        let command = Command { require_2fa: Some(true), ..Command::default() };
        let require_2fa = Some(Changed { from: false, to: true });
        let update = Update { require_2fa, ..Update::default() };
        given([created_by(ANA)]).when(command).then([Event::Updated(Box::new(update))]);
    }

    #[test]
    fn what_is_so_already_records_nothing() {
        let command = Command { sso_enabled: Some(false), ..Command::default() };
        given([created_by(ANA)]).when(command).then::<Event, 0>([]);
    }

    #[test]
    fn nobody_locks_themselves_out_by_accident() {
        let command = only("192.0.2.0/24", "198.51.100.7");
        given([created_by(ANA)]).when(command).then_rejected(Rejection::WouldLockOut);
    }

    #[test]
    fn who_means_it_may_lock_themselves_out_and_it_is_recorded() {
        let command = Command { is_override: true, ..only("192.0.2.0/24", "198.51.100.7") };
        let events = decide(&given([created_by(ANA)]).state(), &command).expect("it is meant");
        let [Event::Updated(update)] = events.as_slice() else {
            unreachable!("one update, not {events:?}")
        };
        assert!(update.is_override);
    }

    #[test]
    fn an_address_written_in_the_other_family_is_the_same() {
        let command = only("192.0.2.0/24", "::ffff:192.0.2.7");
        assert!(decide(&given([created_by(ANA)]).state(), &command).is_ok());
    }

    #[test]
    fn sign_on_is_not_enforced_before_it_is_enabled() {
        let command = Command { sso_enforced: Some(true), ..Command::default() };
        given([created_by(ANA)]).when(command).then_rejected(Rejection::SsoNotEnabled);
    }
}
