//! One sample of every event at its newest version, and what the older versions mean today.

use std::time::Duration;

use uuid::Uuid;

use super::*;
use crate::id::{InvitationId, PacketId, SessionId, TokenId};
use crate::organization::{Changed, ChangedPersonal};
use crate::permission::Role;
use crate::scope;

/// One of each kind, at its newest version. A new variant stops the build here until it has one.
pub(super) fn newest() -> Vec<(Stream, Event)> {
    let account = Stream::Account(ANA);
    let organization = Stream::Organization(ORGANIZATION);
    let of_accounts = of_accounts().into_iter().map(|event| (account, Event::Account(event)));
    let mut samples: Vec<(Stream, Event)> = vec![
        (
            Stream::Platform,
            Event::Platform(platform::Event::Initialized {
                log_id: Uuid::from_u128(0x10),
                origin: "org.example.com".to_owned(),
            }),
        ),
        (Stream::Address(PERSON), Event::Address(address::Event::Claimed { account: ANA })),
        (
            account,
            Event::Account(account::Event::Registered {
                subject: PERSON,
                email: Personal::known(PERSON, "ana@example.org"),
                name: Personal::known(PERSON, "Ana \u{2603}"),
                company: Personal::known(PERSON, "Acme"),
                password_hash: Personal::known(PERSON, "$argon2id$v=19$"),
            }),
        ),
        (account, Event::Account(account::Event::Abandoned {})),
        (account, session_started(Some(Link::of_line(b"refresh")), 30 * 24, 90 * 24)),
        (organization, created(Some("DE"))),
        (
            organization,
            Event::Organization(organization::Event::Updated {
                name: Some(Changed { from: "Acme".to_owned(), to: "Acme Two".to_owned() }),
                country: Some(Changed { from: None, to: Some("DE".to_owned()) }),
                personal_name: changed_personal("A.", "Ana"),
                billing_email: changed_personal("old@example.org", "new@example.org"),
            }),
        ),
    ];
    samples.extend(of_accounts);
    samples.extend(of_the_platform().into_iter().map(|event| (Stream::Platform, event.into())));
    samples.extend(of_evidence().into_iter().map(|event| (organization, event.into())));
    samples.extend(of_the_organization().into_iter().map(|event| (organization, event)));
    samples.push((Stream::Usage(ORGANIZATION), super::used::sample()));
    for (_, sample) in &samples {
        is_named(sample);
    }
    samples
}

/// Names every event there is.
fn is_named(sample: &Event) {
    match sample {
        Event::Platform(
            platform::Event::Initialized { .. }
            | platform::Event::KeyIntroduced { .. }
            | platform::Event::KeyRotated { .. }
            | platform::Event::KeyRetired { .. }
            | platform::Event::KeyRevoked { .. }
            | platform::Event::Sealed { .. }
            | platform::Event::Verified { .. }
            | platform::Event::CataloguePublished { .. },
        )
        | Event::Evidence(
            evidence::Event::Subscribed { .. }
            | evidence::Event::Unsubscribed { .. }
            | evidence::Event::PacketRequested { .. }
            | evidence::Event::PacketDownloaded { .. },
        )
        | Event::Address(address::Event::Claimed { .. })
        | Event::Account(
            account::Event::Registered { .. }
            | account::Event::Abandoned {}
            | account::Event::Updated { .. }
            | account::Event::PasswordChanged { .. }
            | account::Event::PasswordResetRequested { .. }
            | account::Event::PasswordReset { .. }
            | account::Event::EmailVerificationRequested { .. }
            | account::Event::EmailVerified { .. }
            | account::Event::AddressLost { .. }
            | account::Event::SecondFactorPrepared { .. }
            | account::Event::SecondFactorEnabled { .. }
            | account::Event::SecondFactorUsed { .. }
            | account::Event::BackupCodeUsed { .. }
            | account::Event::SecondFactorDisabled {}
            | account::Event::SignInFailed { .. }
            | account::Event::ErasureStarted {}
            | account::Event::ErasureAbandoned { .. }
            | account::Event::Erased {}
            | account::Event::SessionStarted { .. }
            | account::Event::SessionRefreshed { .. }
            | account::Event::SessionEnded { .. }
            | account::Event::OrganizationChosen { .. },
        )
        | Event::Organization(
            organization::Event::Created { .. }
            | organization::Event::Updated { .. }
            | organization::Event::Deleted { .. },
        )
        | Event::Membership(
            membership::Event::Joined { .. }
            | membership::Event::RoleChanged { .. }
            | membership::Event::Removed { .. }
            | membership::Event::Left { .. }
            | membership::Event::SecondFactorChanged { .. }
            | membership::Event::OwnershipTransferred { .. },
        )
        | Event::Invitation(
            invitation::Event::Sent { .. }
            | invitation::Event::Resent { .. }
            | invitation::Event::Canceled { .. }
            | invitation::Event::Rejected { .. }
            | invitation::Event::Expired { .. },
        )
        | Event::Setting(setting::Event::Updated(_))
        | Event::Token(
            token::Event::Created { .. }
            | token::Event::Rotated { .. }
            | token::Event::Revoked { .. },
        )
        | Event::Erasure(erasure::Event::Erased { .. })
        // each of these is named in `money`, `billed`, `used`, `declared` or `database`
        | Event::Declaration(_)
        | Event::Incident(_)
        | Event::AccessReview(_)
        | Event::RestoreTest(_)
        | Event::Project(_)
        | Event::Database(_)
        | Event::DatabasePart(_)
        | Event::Subscription(_)
        | Event::Invoice(_)
        | Event::Usage(_)
        | Event::AccessAttempt(access_attempt::Event::Denied { .. }) => {}
    }
}

fn of_the_platform() -> Vec<platform::Event> {
    let public_key = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo".to_owned();
    let key_id = platform::KeyId::of(&public_key);
    let purpose = platform::Purpose::Packet;
    vec![
        platform::Event::KeyIntroduced { key_id: key_id.clone(), purpose, public_key },
        platform::Event::KeyRotated {
            from: platform::KeyId::of("PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"),
            to: key_id.clone(),
            payload: "e30=".to_owned(),
            signed_by_old: "b2xk".to_owned(),
            signed_by_new: "bmV3".to_owned(),
        },
        platform::Event::KeyRetired { key_id: key_id.clone() },
        platform::Event::KeyRevoked { key_id, compromised_since: Time::from_millis(0) },
        platform::Event::Sealed {
            count: 2,
            root: "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
            position: "17".to_owned(),
        },
        platform::Event::Verified { succeeded: true, lines: 17, position: "17".to_owned() },
        platform::Event::CataloguePublished {
            catalogue: Box::new((*crate::plan::Catalogue::built_in()).clone()),
            source: platform::Source::File,
        },
    ]
}

fn of_evidence() -> Vec<evidence::Event> {
    let framework = evidence::Framework::Soc2;
    vec![
        evidence::Event::Subscribed { framework },
        evidence::Event::Unsubscribed { framework },
        evidence::Event::PacketRequested {
            packet: PacketId(Uuid::from_u128(0x9c)),
            framework,
            period_start: Time::from_millis(0),
            period_end: Time::from_millis(90 * 24 * 3_600_000),
            challenge: "a challenge".to_owned(),
            supersedes: None,
        },
        evidence::Event::PacketDownloaded {
            packet: PacketId(Uuid::from_u128(0x9c)),
            discloses: true,
        },
    ]
}

/// One of each kind that has to do with members, invitations and settings.
fn of_the_organization() -> Vec<Event> {
    let member = ANA;
    let invitation = InvitationId(Uuid::from_u128(0x1f));
    let links = invitation::Links {
        copied: Link::of_line(b"copied secret"),
        mailed: Link::of_line(b"mailed secret"),
    };
    let expires_at = Time::from_millis(0).after(invitation::LIFE);
    let joined = membership::Event::Joined {
        member,
        role: Role::Developer,
        invitation,
        is_address_proven: true,
    };
    let role = Changed { from: Role::Viewer, to: Role::Admin };
    let transferred = membership::Event::OwnershipTransferred {
        from: ANA,
        to: AccountId(Uuid::from_u128(0xb2)),
        kept_role: Role::Admin,
        previous_role: Role::Member,
    };
    let sent = invitation::Event::Sent {
        invitation,
        invitee: PERSON,
        role: Role::Developer,
        issue: 1,
        links,
        expires_at,
        email: Personal::known(PERSON, "ana@example.org"),
    };
    let canceled =
        invitation::Event::Canceled { invitation, because: invitation::Cause::SenderLostRight };
    vec![
        deleted([3, 4, 5], true),
        joined.into(),
        membership::Event::RoleChanged { member, role }.into(),
        membership::Event::Removed { member, role: Role::Viewer }.into(),
        membership::Event::Left { member, role: Role::Viewer }.into(),
        membership::Event::SecondFactorChanged { member, is_enabled: true }.into(),
        transferred.into(),
        sent.into(),
        resent(Some(Time::from_millis(5 * 24 * 3_600_000))).into(),
        canceled.into(),
        invitation::Event::Rejected { invitation }.into(),
        invitation::Event::Expired { invitation }.into(),
        setting::Event::Updated(Box::new(settings_updated())).into(),
        access_attempt::Event::Denied { operation: "updateOrganization".to_owned(), count: 7 }
            .into(),
        erasure::Event::Erased { subject: PERSON }.into(),
    ]
    .into_iter()
    .chain(of_tokens().map(Event::Token))
    .chain(super::declared::samples())
    .chain(super::database::samples())
    .chain(super::money::samples())
    .chain(super::billed::samples())
    .collect()
}

fn of_tokens() -> [token::Event; 3] {
    let (token, successor) = (TokenId(Uuid::from_u128(0x70)), TokenId(Uuid::from_u128(0x71)));
    let secret_hash = Link::of_line(b"a token's secret");
    let prefix = "chy_pat_0AbC".to_owned();
    let scopes = |text: &[&str]| {
        let scopes: Vec<_> = text.iter().map(|scope| scope.parse().expect("a scope")).collect();
        scope::Scopes::from(scopes)
    };
    [
        token::Event::Created {
            token,
            kind: token::Kind::Personal,
            name: "ci".to_owned(),
            owner: Some(ANA),
            secret_hash,
            prefix: prefix.clone(),
            scopes: scopes(&["org:read", "members:write"]),
            expires_at: Some(hours(24)),
        },
        token::Event::Rotated {
            token,
            successor,
            kind: token::Kind::Personal,
            name: "ci".to_owned(),
            owner: Some(ANA),
            secret_hash,
            prefix,
            scopes: scopes(&["*"]),
            expires_at: None,
            previous_valid_until: hours(1),
        },
        token::Event::Revoked { token: successor },
    ]
}

fn settings_updated() -> setting::Update {
    let on = Changed { from: false, to: true };
    let network = |text: &str| text.parse().expect("a network");
    setting::Update {
        require_2fa: Some(on.clone()),
        allowed_regions: Some(Changed { from: vec![], to: vec!["fsn1".to_owned()] }),
        ip_allowlist_required: Some(on.clone()),
        ip_allowlist: Some(Changed {
            from: vec![network("192.0.2.0/24")],
            to: vec![network("192.0.2.0/24"), network("2001:db8::/32")],
        }),
        default_tier: Some(Changed { from: "micro".to_owned(), to: "small".to_owned() }),
        sso_enabled: Some(on.clone()),
        sso_enforced: Some(on),
        audit_retention_days: Some(Changed { from: None, to: Some(90) }),
        is_override: true,
        ip_allowlist_descriptions: changed_personal("[\"office\"]", "[\"office\",null]"),
        controller: changed_personal("{}", "{\"name\":\"Acme\"}"),
    }
}

fn session() -> SessionId {
    SessionId(Uuid::from_u128(0x5e))
}

fn hours(hours: u64) -> Time {
    Time::from_millis(0).after(Duration::from_hours(hours))
}

fn session_started(refresh_hash: Option<Link>, idle: u64, whole: u64) -> Event {
    Event::Account(account::Event::SessionStarted {
        session: session(),
        secret_hash: Link::of_line(b"secret"),
        expires_at: hours(1),
        refresh_hash,
        refresh_expires_at: hours(idle),
        ends_at: hours(whole),
    })
}

/// What an account goes through besides registering and signing in.
fn of_accounts() -> Vec<account::Event> {
    let known = |text: &str| Personal::known(PERSON, text);
    let changed = |from: &str, to: &str| ChangedPersonal { from: known(from), to: known(to) };
    let secret_hash = Link::of_line(b"link");
    vec![
        account::Event::Updated { name: changed("Ana", "Anna"), company: changed("Acme", "Desk") },
        account::Event::PasswordChanged {
            kept: Some(session()),
            password_hash: known("$argon2id$v=19$"),
        },
        account::Event::PasswordResetRequested { issue: 1, secret_hash, expires_at: hours(1) },
        account::Event::PasswordReset { issue: 1, password_hash: known("$argon2id$v=19$") },
        account::Event::EmailVerificationRequested { issue: 2, secret_hash, expires_at: hours(48) },
        account::Event::EmailVerified {
            issue: Some(2),
            invitation: Some(InvitationId(Uuid::from_u128(0x1f))),
        },
        account::Event::AddressLost { issue: 3 },
        account::Event::SecondFactorPrepared { secret: known("JBSWY3DPEHPK3PXP") },
        account::Event::SecondFactorEnabled { step: 57_000_000, backup_codes: known("[]") },
        account::Event::SecondFactorUsed { step: 57_000_001 },
        account::Event::BackupCodeUsed { code: 9 },
        account::Event::SecondFactorDisabled {},
        account::Event::SignInFailed { reason: account::FailedProof::SecondFactor, count: 2 },
        account::Event::ErasureStarted {},
        account::Event::ErasureAbandoned { kept_by: vec![ORGANIZATION], left: vec![] },
        account::Event::Erased {},
        account::Event::SessionRefreshed {
            session: session(),
            generation: 1,
            secret_hash: Link::of_line(b"secret"),
            expires_at: hours(2),
            refresh_hash: Link::of_line(b"refresh"),
            refresh_expires_at: hours(31 * 24),
        },
        account::Event::SessionEnded {
            session: session(),
            reason: account::EndReason::RefreshReused,
        },
        account::Event::OrganizationChosen { session: session(), organization: Some(ORGANIZATION) },
    ]
}

/// What the older versions in the files mean today.
pub(super) fn older(kind: &str, version: u32) -> Option<Event> {
    match (kind, version) {
        ("organization.created", 1) => Some(created(None)),
        ("organization.deleted", 1) => Some(deleted([0, 0, 0], false)),
        ("organization.deleted", 2) => Some(deleted([3, 0, 0], false)),
        ("organization.deleted", 3) => Some(deleted([3, 4, 5], false)),
        ("session.started", 1) => Some(session_started(None, 1, 1)),
        ("invitation.resent", 1) => Some(resent(None).into()),
        ("account.email_verified", 1) => {
            let event = account::Event::EmailVerified { issue: Some(2), invitation: None };
            Some(Event::Account(event))
        }
        _ => None,
    }
}

fn deleted([tokens, projects, databases]: [u64; 3], is_billed: bool) -> Event {
    let deleted = organization::Event::Deleted {
        members: 2,
        pending_invitations: 1,
        tokens,
        projects,
        databases,
        is_billed,
    };
    deleted.into()
}

fn resent(previous_expires_at: Option<Time>) -> invitation::Event {
    invitation::Event::Resent {
        invitation: InvitationId(Uuid::from_u128(0x1f)),
        issue: 2,
        links: invitation::Links {
            copied: Link::of_line(b"copied secret"),
            mailed: Link::of_line(b"mailed secret"),
        },
        expires_at: Time::from_millis(7 * 24 * 3_600_000),
        previous_expires_at,
    }
}

pub(super) fn created(country: Option<&str>) -> Event {
    Event::Organization(organization::Event::Created {
        organization: ORGANIZATION,
        slug: "acme".to_owned(),
        owner: ANA,
        is_personal: false,
        country: country.map(str::to_owned),
        name: Some("Acme".to_owned()),
        personal_name: Personal::known(ORGANIZATION.subject(), "A."),
        billing_email: Personal::known(ORGANIZATION.subject(), "billing@example.org"),
    })
}

fn changed_personal(from: &str, to: &str) -> ChangedPersonal {
    let subject = ORGANIZATION.subject();
    ChangedPersonal { from: Personal::known(subject, from), to: Personal::known(subject, to) }
}
