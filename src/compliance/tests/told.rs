//! The words in which the tests tell what happened: from day 0 to day 100 is the period, and the
//! organization was founded ten days before.

use std::time::Duration;

use events::chain::Link;
use events::evidence::{self, Framework};
use events::id::{
    AccountId, CommandId, EventId, InvitationId, OrganizationId, PacketId, SubjectId, TokenId,
};
use events::permission::Role;
use events::personal::Personal;
use events::recorded::{Actor, BodyMac, Cause, Position, Recorded};
use events::stream::Stream;
use events::time::Time;
use events::{Event, invitation, membership, organization, token};
use uuid::Uuid;

use crate::compliance::{
    Control, Evaluation, Facts, Period, Report, Specification, Verdict, Verification,
};

pub(super) const ANA: AccountId = AccountId(Uuid::from_u128(1));
pub(super) const BEN: AccountId = AccountId(Uuid::from_u128(2));
pub(super) const CARA: AccountId = AccountId(Uuid::from_u128(3));
pub(super) const DAY: i64 = 24 * 3600 * 1000;
pub(super) const SYSTEM: Actor = Actor::System;

pub(super) fn person(account: AccountId) -> Actor {
    Actor::Account(account)
}

pub(super) fn day(number: i64) -> Time {
    Time::from_millis(1_767_225_600_000 + number * DAY)
}

pub(super) fn invitation(number: u128) -> InvitationId {
    InvitationId(Uuid::from_u128(number))
}

pub(super) fn key(number: u128) -> TokenId {
    TokenId(Uuid::from_u128(number))
}

pub(super) struct Told {
    recorded: Vec<Recorded>,
    at: Time,
    pub(super) version: u64,
    command: u128,
    pub(super) period: Period,
    pub(super) verifications: Vec<Verification>,
}

/// Founded by Ana on day -10.
pub(super) fn acme() -> Told {
    let told = Told {
        recorded: Vec::new(),
        at: day(-10),
        version: 0,
        command: 0,
        period: Period { from: day(0), to: day(100) },
        verifications: Vec::new(),
    };
    told.then(
        person(ANA),
        organization::Event::Created {
            organization: OrganizationId(Uuid::from_u128(7)),
            slug: "acme".to_owned(),
            owner: ANA,
            is_personal: false,
            country: None,
            name: Some("Acme".to_owned()),
            personal_name: Personal::Absent,
            billing_email: Personal::Absent,
        },
    )
}

impl Told {
    pub(super) fn on(mut self, number: i64) -> Self {
        self.at = day(number);
        self
    }

    pub(super) fn after_millis(mut self, millis: u64) -> Self {
        self.at = self.at.after(Duration::from_millis(millis));
        self
    }

    /// By a command of its own.
    pub(super) fn then(mut self, actor: Actor, event: impl Into<Event>) -> Self {
        self.command += 1;
        self.and(actor, event)
    }

    /// By the same command.
    pub(super) fn and(mut self, actor: Actor, event: impl Into<Event>) -> Self {
        self.recorded.push(Recorded {
            position: Position(self.version + 1),
            stream: Stream::Organization(OrganizationId(Uuid::from_u128(7))),
            version: self.version,
            id: EventId(Uuid::from_u128(u128::from(self.version) + 100)),
            at: self.at,
            actor,
            cause: Cause {
                body: BodyMac([0; 32]),
                command: CommandId(Uuid::from_u128(self.command)),
                request: Uuid::nil(),
                token: None,
            },
            ip_address: Personal::Absent,
            user_agent: Personal::Absent,
            event: event.into(),
            prev: Link::FIRST,
            link: Link::FIRST,
        });
        self.version += 1;
        self
    }

    /// The last event was ordered with this token.
    pub(super) fn with_token(mut self, token: TokenId) -> Self {
        if let Some(last) = self.recorded.last_mut() {
            last.cause.token = Some(token);
        }
        self
    }

    pub(super) fn invites(self, by: AccountId, number: u128, role: Role) -> Self {
        let links = invitation::Links { copied: Link::FIRST, mailed: Link::FIRST };
        let expires_at = self.at.after(Duration::from_hours(7 * 24));
        let sent = invitation::Event::Sent {
            invitation: invitation(number),
            invitee: SubjectId(Uuid::from_u128(number)),
            role,
            issue: 1,
            links,
            expires_at,
            email: Personal::Absent,
        };
        self.then(person(by), sent)
    }

    pub(super) fn joins(self, member: AccountId, number: u128, role: Role) -> Self {
        let (invitation, is_address_proven) = (invitation(number), true);
        let joined = membership::Event::Joined { member, role, invitation, is_address_proven };
        self.then(person(member), joined)
    }

    /// Ben, by an invitation of Ana's.
    pub(super) fn with_ben(self, role: Role) -> Self {
        self.invites(ANA, 90, role).joins(BEN, 90, role)
    }

    pub(super) fn makes_token(self, by: AccountId, number: u128, days: Option<u64>) -> Self {
        let end = days.map(|days| self.at.after(Duration::from_hours(days * 24)));
        let created = token::Event::Created {
            token: key(number),
            kind: token::Kind::Personal,
            name: "ci".to_owned(),
            owner: Some(by),
            secret_hash: Link::FIRST,
            prefix: "chy_pat_0AbC".to_owned(),
            scopes: vec!["*".parse().expect("a scope")].into(),
            expires_at: end,
        };
        self.then(person(by), created)
    }

    /// What a packet's request leaves, at the end of the period.
    pub(super) fn ended(self) -> Self {
        let (period_start, period_end) = (self.period.from, self.period.to);
        let requested = evidence::Event::PacketRequested {
            packet: PacketId(Uuid::from_u128(1)),
            framework: Framework::Soc2,
            period_start,
            period_end,
            challenge: "c".to_owned(),
            supersedes: None,
        };
        self.on(100).then(person(ANA), requested)
    }

    pub(super) fn report(&self, framework: Framework) -> Report {
        let facts = Facts { verifications: self.verifications.clone() };
        let mut evaluation = Evaluation::of(Specification::current(framework), self.period, &facts);
        for recorded in &self.recorded {
            evaluation.take(recorded);
        }
        evaluation.finish()
    }

    pub(super) fn control(&self, id: &str) -> Control {
        let framework = match id.split('.').next() {
            Some("soc2") => Framework::Soc2,
            Some("ropa") => Framework::GdprRopa,
            Some("dora") => Framework::Dora,
            _ => Framework::EuAiAct,
        };
        let controls = self.report(framework).controls;
        controls.into_iter().find(|control| control.id == id).expect("it is specified")
    }

    /// The control passes, having looked at so many things.
    #[track_caller]
    pub(super) fn passes(&self, id: &str, size: u64) {
        let control = self.control(id);
        assert_eq!((control.result, &control.exceptions), (Verdict::Pass, &vec![]), "{id}");
        let population = control.population.expect("a pass has a population");
        assert_eq!(population.size, size.to_string());
    }

    #[track_caller]
    pub(super) fn fails(&self, id: &str, exceptions: usize) -> Control {
        let control = self.control(id);
        let found = (control.result, control.exceptions.len());
        assert_eq!(found, (Verdict::Fail, exceptions), "{:#?}", control.exceptions);
        control
    }

    #[track_caller]
    pub(super) fn is(&self, id: &str, result: Verdict, reason: &str) {
        let control = self.control(id);
        assert_eq!((control.result, control.reason.as_deref()), (result, Some(reason)), "{id}");
    }
}
