//! The other half: tokens, attempts, erasures, and what members declare.

use std::collections::BTreeSet;

use events::access_review::{self, Decision, Item};
use events::declaration::{
    self, AiRole, AiSystem, Content, ControllerRecord, DeclarationId, DoraFunction, DoraRole,
    DoraRoleName, HighRisk, ProcessingActivity, Retention, Stated,
};
use events::id::{ActivityId, AiSystemId, FunctionId, IncidentId, RestoreTestId, ReviewId};
use events::incident::{self, Criterion, Stage};
use events::restore_test::{self, Outcome};

use super::{
    AccountId, Actor, Changed, ChangedPersonal, DAY, Duration, Event, Framework, HOUR, Link, Maker,
    Name, PacketId, Permission, Personal, Role, SubjectId, Time, TokenId, access_attempt, erasure,
    evidence, invitation, membership, organization, token,
};

fn before(at: Time, seconds: u64) -> Time {
    Time::from_millis(at.millis() - i64::try_from(seconds).unwrap_or_default() * 1000)
}

impl Maker {
    pub(super) fn make_token(&mut self) {
        let kind =
            if self.random.chance(70) { token::Kind::Personal } else { token::Kind::Organization };
        let needed = match kind {
            token::Kind::Personal => Permission::UseOwnTokens,
            token::Kind::Organization => Permission::ManageKeys,
        };
        let Some(Actor::Account(by)) = self.who(needed) else { return };
        let (days, has_no_end) = (1 + self.random.below(380), self.errs());
        let token = TokenId(self.id());
        let created = token::Event::Created {
            token,
            kind,
            name: "ci".to_owned(),
            owner: Some(by),
            secret_hash: Link::of_line(b"secret"),
            prefix: "chy_pat_0AbC".to_owned(),
            scopes: vec!["members:read".parse().expect("a scope")].into(),
            expires_at: (!has_no_end).then(|| self.at.after(Duration::from_secs(days * DAY))),
        };
        self.record(Actor::Account(by), created);
    }

    pub(super) fn rotate_or_revoke(&mut self) {
        let errs = self.errs();
        let live: Vec<_> = self
            .organization
            .live_tokens(self.at)
            .filter(|(_, token)| errs || token.replaced.is_none())
            .map(|(id, token)| (id, token.clone()))
            .collect();
        let Some((token, old)) = self.random.pick(&live) else { return };
        let by = match (old.acts_for(), self.errs()) {
            (Some(owner), false) => Some(Actor::Account(owner)),
            _ => self.who(Permission::ManageKeys),
        };
        let Some(by) = by else { return };
        if self.random.chance(50) {
            let carried = self.random.chance(50) && old.acts_for().is_some();
            let carried = carried.then_some(token);
            self.record_with(by, carried, token::Event::Revoked { token });
            return;
        }
        let successor = TokenId(self.id());
        let until = self.at.after(Duration::from_secs(self.random.below(DAY)));
        let rotated = token::Event::Rotated {
            token,
            successor,
            kind: old.kind,
            name: old.name,
            owner: old.owner,
            secret_hash: Link::of_line(b"secret"),
            prefix: old.prefix,
            scopes: old.scopes,
            expires_at: old.expires_at,
            previous_valid_until: until,
        };
        self.record(by, rotated);
    }

    pub(super) fn attempt(&mut self) {
        let members = self.members();
        let Some(by) = self.random.pick(&members) else { return };
        let operation = "updateOrganization".to_owned();
        let count = 1 + self.random.below(9);
        self.record(Actor::Account(by), access_attempt::Event::Denied { operation, count });
    }

    pub(super) fn second_factor(&mut self) {
        let members = self.members();
        let Some(member) = self.random.pick(&members) else { return };
        let is_enabled = !self.errs();
        self.record(Actor::System, membership::Event::SecondFactorChanged { member, is_enabled });
    }

    pub(super) fn rename(&mut self) {
        let Some(by) = self.who(Permission::UpdateOrganization) else { return };
        let Some(profile) = self.organization.profile() else { return };
        let Name::Plain(from) = profile.name.clone() else { return };
        let to = format!("Acme {}", self.random.below(50));
        let updated = organization::Event::Updated {
            name: (from != to).then_some(Changed { from, to }),
            country: None,
            personal_name: ChangedPersonal::default(),
            billing_email: ChangedPersonal::default(),
        };
        self.record(by, updated);
    }

    pub(super) fn erase_or_request(&mut self) {
        match self.random.below(12) {
            0 => {
                let Some(by) = self.who(Permission::DeleteOrganization) else { return };
                if self.random.chance(20) {
                    let (members, pending_invitations, tokens) = (1, 0, 0);
                    let deleted = organization::Event::Deleted {
                        members,
                        pending_invitations,
                        tokens,
                        projects: 0,
                        databases: 0,
                        is_billed: false,
                    };
                    self.record(by, deleted);
                }
            }
            1..=5 => {
                let subject = self.invited().unwrap_or_else(|| SubjectId(self.id()));
                self.record(Actor::System, erasure::Event::Erased { subject });
            }
            _ => self.request(),
        }
    }

    pub(super) fn request(&mut self) {
        self.begin();
        let Some(by) = self.who(Permission::GeneratePackets) else { return };
        let packet = PacketId(self.id());
        let requested = evidence::Event::PacketRequested {
            packet,
            framework: Framework::Soc2,
            period_start: Time::EPOCH,
            period_end: self.at,
            challenge: "c".to_owned(),
            supersedes: None,
        };
        self.record(by, requested);
    }

    /// Somebody who was invited once, if it is to be one of them.
    fn invited(&mut self) -> Option<SubjectId> {
        let mut invited = Vec::new();
        for recorded in &self.recorded {
            if let Event::Invitation(invitation::Event::Sent { invitee, .. }) = &recorded.event {
                invited.push(*invitee);
            }
        }
        self.random.pick(&invited).filter(|_| self.random.chance(80))
    }

    pub(super) fn download(&mut self) {
        let Some(by) = self.who(Permission::ReadCompliance) else { return };
        let packets = self.organization.evidence().packets();
        let packets: Vec<_> = packets.iter().map(|requested| requested.packet).collect();
        let Some(packet) = self.random.pick(&packets) else { return };
        let discloses = self.random.chance(75);
        self.record(by, evidence::Event::PacketDownloaded { packet, discloses });
    }

    pub(super) fn declare(&mut self) {
        let Some(by) = self.who(Permission::Declare) else { return };
        match self.random.below(8) {
            0..=2 => self.declaration(by),
            3..=5 => self.incident(by),
            6 => self.review(by),
            _ => {
                let failed = self.errs();
                let ago = self.random.below(400 * DAY);
                let is_recent = self.random.chance(60);
                let test = restore_test::Event::Recorded {
                    restore_test: RestoreTestId(self.id()),
                    database: self.random.chance(70).then(|| "db_1".to_owned()),
                    result: if failed { Outcome::Failed } else { Outcome::Succeeded },
                    duration_seconds: 60,
                    performed_at: if is_recent { self.at } else { before(self.at, ago) },
                    is_other_region: !self.errs(),
                    text: Personal::Absent,
                };
                self.record(by, test);
            }
        }
    }

    fn declaration(&mut self, by: Actor) {
        let standing: Vec<_> =
            self.organization.declared().declarations().map(|(id, _)| id).collect();
        let known = self.random.pick(&standing);
        if let Some(declaration) = known.filter(|_| self.random.chance(30)) {
            let event = if self.random.chance(70) {
                declaration::Event::Reviewed { declaration }
            } else {
                declaration::Event::Removed { declaration }
            };
            self.record(by, event);
            return;
        }
        let fresh = self.random.chance(50);
        let same =
            |of: fn(&DeclarationId) -> bool| standing.iter().copied().find(of).filter(|_| !fresh);
        let (declaration, content) = match self.random.below(5) {
            0 => (DeclarationId::ControllerRecord, self.controller()),
            1 => (DeclarationId::DoraRole, self.dora_role()),
            2 => {
                let new = DeclarationId::Activity(ActivityId(self.id()));
                let old = same(|id| matches!(id, DeclarationId::Activity(_)));
                (old.unwrap_or(new), self.activity())
            }
            3 => {
                let new = DeclarationId::Function(FunctionId(self.id()));
                let old = same(|id| matches!(id, DeclarationId::Function(_)));
                (old.unwrap_or(new), self.function())
            }
            _ => {
                let new = DeclarationId::AiSystem(AiSystemId(self.id()));
                let old = same(|id| matches!(id, DeclarationId::AiSystem(_)));
                (old.unwrap_or(new), self.ai_system())
            }
        };
        let set = declaration::Event::Set { declaration, content, text: Personal::Absent };
        self.record(by, set);
    }

    fn controller(&mut self) -> Content {
        Content::ControllerRecord(ControllerRecord {
            has_name: true,
            has_contact: !self.errs(),
            joint_controllers: Stated::None,
            representative: if self.errs() { Stated::Missing } else { Stated::Given },
            data_protection_officer: Stated::Given,
            headcount: None,
        })
    }

    fn activity(&mut self) -> Content {
        Content::ProcessingActivity(ProcessingActivity {
            as_processor: self.random.chance(20),
            purposes: 1,
            subject_categories: 1,
            data_categories: 1,
            has_special_categories: false,
            recipients: (!self.errs()).then_some(0),
            transfers: Some(vec![]),
            retention: if self.errs() {
                Retention::Missing
            } else {
                Retention::Limits(vec![Some(30)])
            },
            has_security_measures: true,
            controllers: 1,
            processing_categories: 1,
            databases: vec![],
        })
    }

    fn dora_role(&mut self) -> Content {
        let entity = DoraRoleName::FinancialEntity;
        let roles = [entity, DoraRoleName::IctThirdPartyProvider, DoraRoleName::None];
        Content::DoraRole(DoraRole {
            role: self.random.pick(&roles).unwrap_or(entity),
            entity_type: self.random.chance(70).then_some(1),
            has_lei: true,
        })
    }

    fn function(&mut self) -> Content {
        Content::DoraFunction(DoraFunction {
            is_critical_or_important: self.random.chance(50),
            databases: vec!["db_1".to_owned()],
            rto_seconds: self.random.chance(70).then_some(60),
            rpo_seconds: Some(60),
        })
    }

    fn ai_system(&mut self) -> Content {
        let risks = [HighRisk::AnnexIii, HighRisk::AnnexI, HighRisk::No, HighRisk::Undetermined];
        let roles = [AiRole::Deployer, AiRole::Provider, AiRole::ComponentSupplier, AiRole::None];
        let usual = if self.random.chance(80) { 2 } else { 4 };
        let members = self.members();
        let days = [184, 400, 30];
        Content::AiSystem(AiSystem {
            role: self.random.pick(&roles[..usual]).unwrap_or(AiRole::Deployer),
            high_risk: self.random.pick(&risks[..usual]).unwrap_or(HighRisk::AnnexIii),
            log_stores: vec!["db_1".to_owned()],
            log_retention_days: self.random.pick(&days).filter(|_| !self.errs()),
            has_retention_basis: self.random.chance(70),
            overseers: self.random.pick(&members).into_iter().collect::<Vec<AccountId>>(),
            is_suspended: false,
            instructions: None,
        })
    }

    fn incident(&mut self, by: Actor) {
        let open: Vec<_> = self
            .organization
            .declared()
            .incidents()
            .filter(|(_, incident)| incident.closed.is_none())
            .map(|(id, _)| id)
            .collect();
        let (at, an_hour_ago) = (self.at, before(self.at, HOUR));
        let Some(incident) = self.random.pick(&open).filter(|_| self.random.chance(85)) else {
            let is_of_ai = self.random.chance(30);
            let opened = incident::Event::Opened {
                incident: IncidentId(self.id()),
                detected_at: an_hour_ago,
                aware_at: an_hour_ago,
                databases: vec![],
                ai_systems: is_of_ai
                    .then(|| AiSystemId(uuid::Uuid::from_u128(1)))
                    .into_iter()
                    .collect(),
                text: Personal::Absent,
            };
            self.record(by, opened);
            if self.is_diligent {
                self.settle(by);
            }
            return;
        };
        let stage = self.random.pick(&[Stage::Initial, Stage::Intermediate, Stage::Final]);
        let event = match self.random.below(9) {
            0 | 1 => incident::Event::Classified {
                incident,
                classified_at: at,
                criteria: BTreeSet::from([Criterion::Clients]),
                is_major: self.random.chance(70),
                reason: Personal::Absent,
            },
            2..=6 => incident::Event::Reported {
                incident,
                stage: stage.unwrap_or(Stage::Initial),
                submitted_at: before(at, self.random.below(HOUR)),
                reference: Personal::Absent,
            },
            7 => incident::Event::Recovered { incident, recovered_at: at },
            _ => {
                let cause = incident::Cause::HumanError;
                incident::Event::Closed { incident, cause, root_cause: Personal::Absent }
            }
        };
        self.record(by, event);
    }

    /// Does with the newest incident all that is to be done.
    fn settle(&mut self, by: Actor) {
        let incidents = self.organization.declared().incidents();
        let newest = incidents.max_by_key(|(_, incident)| incident.created_version);
        let Some((incident, at)) = newest.map(|(id, _)| (id, self.at)) else { return };
        let classified = incident::Event::Classified {
            incident,
            classified_at: at,
            criteria: BTreeSet::from([Criterion::Duration]),
            is_major: true,
            reason: Personal::Absent,
        };
        self.record(by, classified);
        for stage in [Stage::Initial, Stage::Intermediate, Stage::Final] {
            let reference = Personal::Absent;
            self.record(
                by,
                incident::Event::Reported { incident, stage, submitted_at: at, reference },
            );
        }
        let (cause, root_cause) = (incident::Cause::Unknown, Personal::Absent);
        self.record(by, incident::Event::Closed { incident, cause, root_cause });
    }

    fn review(&mut self, by: Actor) {
        let review = ReviewId(self.id());
        let tokens = self.organization.live_tokens(self.at).count() as u64;
        let members = self.members().len() as u64;
        let as_of = self.at;
        self.record(by, access_review::Event::Started { review, as_of, members, tokens });
        let items: Vec<_> = self
            .organization
            .declared()
            .review(review)
            .map(|review| review.items.keys().copied().collect())
            .unwrap_or_default();
        let mut condemned = Vec::new();
        for item in items {
            let is_owner = matches!(item, Item::Member(member)
                if self.organization.role_of(member) == Some(Role::Owner));
            let decision = match self.random.below(12) {
                0 if !is_owner => Decision::Remove,
                1 => Decision::Change,
                _ => Decision::Keep,
            };
            if !self.errs() {
                if decision == Decision::Remove {
                    condemned.push(item);
                }
                let reason = Personal::Absent;
                self.begin();
                self.record(by, access_review::Event::Decided { review, item, decision, reason });
            }
        }
        if self.random.chance(80) {
            self.begin();
            let (kept, removed, changed, gone) = (0, 0, 0, 0);
            let completed =
                access_review::Event::Completed { review, kept, removed, changed, gone };
            self.record(by, completed);
            for item in condemned {
                if !self.errs() {
                    self.take_away(by, item);
                }
            }
        }
    }

    fn take_away(&mut self, by: Actor, item: Item) {
        self.begin();
        match item {
            Item::Token(token) => self.record(by, token::Event::Revoked { token }),
            Item::Member(member) => {
                let Some(role) = self.organization.role_of(member) else { return };
                self.former.push(member);
                self.record(by, membership::Event::Removed { member, role });
            }
        }
    }
}
