//! Logs that might have happened, and such that ought not to have: what members, time and the
//! platform do, in whatever order, mostly as the rules allow and now and then not. A seed makes the
//! same log for ever.

use std::time::Duration;

use events::chain::Link;
use events::evidence::{self, Framework};
use events::id::{
    AccountId, CommandId, EventId, InvitationId, OrganizationId, PacketId, SubjectId, TokenId,
};
use events::organization::{Changed, ChangedPersonal, Name, Organization};
use events::permission::{Permission, Role};
use events::personal::Personal;
use events::recorded::{Actor, BodyMac, Cause, Position, Recorded};
use events::setting::Update;
use events::stream::Stream;
use events::time::Time;
use events::{
    Event, State as _, access_attempt, erasure, invitation, membership, organization, setting,
    token,
};
use uuid::Uuid;

use super::{Facts, Period, Verification};

mod declared;

pub(crate) const ACME: OrganizationId = OrganizationId(Uuid::from_u128(7));
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// `SplitMix64`: few lines, and the same numbers everywhere.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> Option<T> {
        let place = usize::try_from(self.below(from.len() as u64)).unwrap_or_default();
        from.get(place).cloned()
    }
}

/// A log, the period it is judged for, and what else is known.
pub(crate) struct Given {
    pub(crate) recorded: Vec<Recorded>,
    pub(crate) period: Period,
    pub(crate) facts: Facts,
}

pub(crate) struct Maker {
    random: Random,
    organization: Organization,
    recorded: Vec<Recorded>,
    at: Time,
    version: u64,
    ids: u128,
    command: CommandId,
    /// Out of a hundred things, so many that ought not to happen.
    lawless: u64,
    former: Vec<AccountId>,
    /// Incidents are dealt with at once.
    is_diligent: bool,
}

pub(crate) fn log(seed: u64, steps: u64) -> Given {
    let mut random = Random::new(seed);
    let lawless = [0, 0, 3, 15][usize::try_from(random.below(4)).unwrap_or_default()];
    let is_diligent = random.chance(40);
    let start = Time::from_millis(1_767_225_600_000);
    let from = start.after(Duration::from_secs(random.below(40 * DAY)));
    let to = from.after(Duration::from_secs(20 * DAY + random.below(120 * DAY)));
    let verifications = verifications(&mut random, start, to);
    let mut maker = Maker {
        random,
        organization: Organization::default(),
        recorded: Vec::new(),
        at: start.after(Duration::from_secs(DAY)),
        version: 0,
        ids: 1000,
        command: CommandId(Uuid::nil()),
        lawless,
        former: Vec::new(),
        is_diligent,
    };
    maker.found();
    for _ in 0..steps {
        if maker.at < to.after(Duration::from_secs(5 * DAY)) {
            maker.step();
        }
    }
    if !maker.random.chance(8) {
        maker.at = maker.at.max(to);
        maker.request();
    }
    Given { recorded: maker.recorded, period: Period { from, to }, facts: Facts { verifications } }
}

fn verifications(random: &mut Random, start: Time, to: Time) -> Vec<Verification> {
    let (mut at, mut runs) = (start, Vec::new());
    let kind = random.below(4);
    while kind != 0 && at < to {
        let succeeded = kind == 1 || !random.chance(1);
        runs.push(Verification { at, succeeded });
        let spread = if kind == 3 { 30 } else { 20 };
        at = at.after(Duration::from_secs(HOUR + random.below(spread * HOUR)));
    }
    runs
}

impl Maker {
    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// What follows belongs to another command.
    fn begin(&mut self) {
        self.command = CommandId(self.id());
    }

    fn record(&mut self, actor: Actor, event: impl Into<Event>) {
        self.record_with(actor, None, event);
    }

    fn record_with(&mut self, actor: Actor, token: Option<TokenId>, event: impl Into<Event>) {
        if self.random.below(2000) < self.lawless {
            self.version += 1;
        }
        let recorded = Recorded {
            position: Position(self.version + 1),
            stream: Stream::Organization(ACME),
            version: self.version,
            id: EventId(self.id()),
            at: self.at,
            actor,
            cause: Cause {
                body: BodyMac([7; 32]),
                command: self.command,
                request: Uuid::nil(),
                token,
            },
            ip_address: Personal::Absent,
            user_agent: Personal::Absent,
            event: event.into(),
            prev: Link::FIRST,
            link: Link::FIRST,
        };
        self.organization.evolve(&recorded);
        self.recorded.push(recorded);
        self.version += 1;
    }

    fn found(&mut self) {
        self.begin();
        let owner = AccountId(self.id());
        self.record(
            Actor::Account(owner),
            organization::Event::Created {
                organization: ACME,
                slug: "acme".to_owned(),
                owner,
                is_personal: false,
                country: None,
                name: Some("Acme".to_owned()),
                personal_name: Personal::Absent,
                billing_email: Personal::Absent,
            },
        );
        if self.lawless == 0 {
            let second_factor =
                membership::Event::SecondFactorChanged { member: owner, is_enabled: true };
            self.begin();
            self.record(Actor::System, second_factor);
            self.settings(true);
        }
    }

    fn members(&self) -> Vec<AccountId> {
        self.organization.members().collect()
    }

    fn errs(&mut self) -> bool {
        let lawless = self.lawless;
        self.random.chance(lawless)
    }

    /// Somebody with the right; whoever, now and then.
    fn who(&mut self, permission: Permission) -> Option<Actor> {
        if self.errs() {
            let mut anybody = self.members();
            anybody.extend(&self.former);
            anybody.push(AccountId(self.id()));
            return self.random.pick(&anybody).map(Actor::Account);
        }
        if self.random.chance(4) {
            return Some(Actor::System);
        }
        let may = |account: &AccountId| {
            self.organization.role_of(*account).is_some_and(|role| role.may(permission))
        };
        let entitled: Vec<_> = self.members().into_iter().filter(may).collect();
        self.random.pick(&entitled).map(Actor::Account)
    }

    fn step(&mut self) {
        let pause = match self.random.below(6) {
            0 => self.random.below(4 * DAY),
            1 | 2 => self.random.below(12 * HOUR),
            3 | 4 => self.random.below(HOUR),
            _ => 0,
        };
        self.at = self.at.after(Duration::from_secs(pause));
        self.expire();
        self.begin();
        match self.random.below(36) {
            0..=4 => self.invite(),
            5..=8 => self.accept(),
            9 => self.resend_or_close(),
            10 | 11 => self.change_role(),
            12 | 13 => self.end_membership(),
            14 => self.transfer(),
            15..=17 => self.settings(false),
            18..=20 => self.make_token(),
            21 => self.rotate_or_revoke(),
            22 => self.attempt(),
            23 => self.second_factor(),
            24 => self.rename(),
            25 | 26 => self.erase_or_request(),
            27 => self.download(),
            _ => self.declare(),
        }
    }

    /// The platform records what has expired; late, if something is wrong.
    fn expire(&mut self) {
        let (now, errs) = (self.at, self.errs());
        let is_over = |invitation: &invitation::Invitation| {
            invitation.status_at(now) == invitation::Status::Expired
        };
        let over: Vec<_> = self
            .organization
            .pending_invitations()
            .filter(|(_, invitation)| is_over(invitation))
            .map(|(id, invitation)| (*id, invitation.expires_at))
            .collect();
        for (invitation, expires_at) in over.into_iter().filter(|_| !errs) {
            let recorded_at = expires_at.after(Duration::from_secs(1));
            // time never goes back
            let last = self.recorded.last().map_or(Time::EPOCH, |recorded| recorded.at);
            self.at = recorded_at.max(last);
            self.begin();
            self.record(Actor::System, invitation::Event::Expired { invitation });
        }
        self.at = now;
    }

    fn invite(&mut self) {
        let role = self.random.pick(&Role::ALL).unwrap_or(Role::Member);
        let Some(by) = self.who(Permission::to_grant(role)) else { return };
        let invitation = InvitationId(self.id());
        let invitee = SubjectId(self.id());
        let secret = Link::of_line(invitation.to_string().as_bytes());
        let sent = invitation::Event::Sent {
            invitation,
            invitee,
            role,
            issue: 1,
            links: invitation::Links { copied: secret, mailed: secret },
            expires_at: self.at.after(Duration::from_secs(7 * DAY)),
            email: Personal::Absent,
        };
        self.record(by, sent);
    }

    fn pending(&mut self) -> Option<(InvitationId, Role, Actor)> {
        let errs = self.errs();
        let pending: Vec<_> = self
            .organization
            .pending_invitations()
            .filter(|(_, it)| errs || it.status_at(self.at) == invitation::Status::Pending)
            .map(|(id, invitation)| (*id, invitation.role, invitation.sender))
            .collect();
        self.random.pick(&pending)
    }

    fn accept(&mut self) {
        let Some((invitation, mut role, sender)) = self.pending() else { return };
        let mut member = AccountId(self.id());
        if self.random.chance(30) {
            let gone = self.former.clone();
            member = self.random.pick(&gone).unwrap_or(member);
        }
        if self.errs() {
            role = Role::Owner;
        }
        if let (true, Actor::Account(sender)) = (self.errs(), sender) {
            member = sender;
        }
        let is_address_proven = true;
        let joined = membership::Event::Joined { member, role, invitation, is_address_proven };
        self.former.retain(|account| *account != member);
        self.record(Actor::Account(member), joined);
        if self.random.chance(80) {
            self.begin();
            let enabled = membership::Event::SecondFactorChanged { member, is_enabled: true };
            self.record(Actor::System, enabled);
        }
    }

    fn resend_or_close(&mut self) {
        let Some((invitation, role, _)) = self.pending() else { return };
        let Some(by) = self.who(Permission::to_grant(role)) else { return };
        let secret = Link::of_line(b"again");
        match self.random.below(3) {
            0 => {
                let resent = invitation::Event::Resent {
                    invitation,
                    issue: 2,
                    links: invitation::Links { copied: secret, mailed: secret },
                    expires_at: self.at.after(Duration::from_secs(7 * DAY)),
                    previous_expires_at: None,
                };
                self.record(by, resent);
            }
            1 => {
                let because = invitation::Cause::Withdrawn;
                self.record(by, invitation::Event::Canceled { invitation, because });
            }
            _ => {
                let who = Actor::Account(AccountId(self.id()));
                self.record(who, invitation::Event::Rejected { invitation });
            }
        }
    }

    /// A member whose role may go: not the last owner, unless something is wrong.
    fn member(&mut self) -> Option<(AccountId, Role)> {
        let members = self.members();
        let member = self.random.pick(&members)?;
        let role = self.organization.role_of(member)?;
        let is_only = role == Role::Owner
            && !members.iter().any(|other| {
                *other != member && self.organization.role_of(*other) == Some(Role::Owner)
            });
        (!is_only || self.random.below(60) < self.lawless).then_some((member, role))
    }

    fn change_role(&mut self) {
        let Some((member, from)) = self.member() else { return };
        let to = self.random.pick(&Role::ALL).unwrap_or(Role::Member);
        let needed = Permission::to_grant(from).max(Permission::to_grant(to));
        let Some(by) = self.who(needed) else { return };
        let by = if self.errs() { Actor::Account(member) } else { by };
        let said = if self.errs() { Role::Viewer } else { from };
        if from != to {
            let role = Changed { from: said, to };
            self.record(by, membership::Event::RoleChanged { member, role });
        }
    }

    fn end_membership(&mut self) {
        let Some((member, role)) = self.member() else { return };
        let leaves = self.random.chance(40);
        let tokens: Vec<_> = self
            .organization
            .live_tokens(self.at)
            .filter(|(_, token)| token.acts_for() == Some(member) && token.replaced.is_none())
            .map(|(id, _)| id)
            .collect();
        let by = if leaves {
            self.record(Actor::Account(member), membership::Event::Left { member, role });
            Actor::Account(member)
        } else {
            let Some(by) = self.who(Permission::ManageOwners) else { return };
            self.record(by, membership::Event::Removed { member, role });
            by
        };
        self.former.push(member);
        if !self.errs() {
            for token in tokens {
                self.record(by, token::Event::Revoked { token });
            }
        }
    }

    fn transfer(&mut self) {
        let Some((to, previous_role)) = self.member() else { return };
        let Some(Actor::Account(from)) = self.who(Permission::TransferOrganization) else {
            return;
        };
        let Some(kept_role) = self.organization.role_of(from).filter(|_| from != to) else {
            return;
        };
        let transferred =
            membership::Event::OwnershipTransferred { from, to, kept_role, previous_role };
        self.record(Actor::Account(from), transferred);
    }

    fn settings(&mut self, is_strict: bool) {
        let stood = self.organization.settings().clone();
        let mut update = Update::default();
        let listed = |text: &str| text.parse().expect("a network");
        let some = |it: bool, is_wrong: bool| Some(Changed { from: it != is_wrong, to: !it });
        let is_wrong = self.errs();
        match self.random.below(if is_strict { 1 } else { 6 }) {
            0 if is_strict || self.random.chance(40) => {
                update.require_2fa = some(stood.require_2fa, is_wrong);
                if is_strict {
                    let from = stood.ip_allowlist.clone();
                    update.ip_allowlist_required = some(stood.ip_allowlist_required, false);
                    update.ip_allowlist = Some(Changed { from, to: vec![listed("192.0.2.0/24")] });
                }
            }
            1 if self.random.chance(40) => {
                update.ip_allowlist_required = some(stood.ip_allowlist_required, is_wrong);
            }
            2 => {
                let network = if self.errs() { "0.0.0.0/0" } else { "198.51.100.0/24" };
                let (from, mut to) = (stood.ip_allowlist.clone(), stood.ip_allowlist);
                to.push(listed(network));
                update.ip_allowlist = Some(Changed { from, to });
            }
            3 => {
                let from = stood.allowed_regions;
                update.allowed_regions = Some(Changed { from, to: vec!["eu-1".to_owned()] });
            }
            4 => {
                let days = 100 + u32::try_from(self.random.below(400)).unwrap_or_default();
                let from = stood.audit_retention_days;
                update.audit_retention_days = Some(Changed { from, to: Some(days) });
            }
            _ => {
                let from = stood.default_tier;
                let to = format!("tier{}", self.random.below(3));
                update.default_tier = Some(Changed { from, to });
            }
        }
        if let Some(by) = self.who(Permission::UpdateSettings) {
            self.begin();
            self.record(by, setting::Event::Updated(Box::new(update)));
        }
    }
}
