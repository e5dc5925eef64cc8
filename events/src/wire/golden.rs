//! Every version of every event that was ever written, kept as a file in `events/wire/`: it still
//! reads, means what it meant, and the newest is written with the same bytes. Add files, never edit.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::*;
use crate::given::recorded;
use crate::id::{AccountId, CommandId, InvitationId, OrganizationId, SessionId, TokenId};
use crate::organization::{Changed, ChangedPersonal};
use crate::permission::Role;
use crate::personal::{self, FIELDS, value_of};
use crate::recorded::BodyMac;
use crate::scope;
use uuid::Uuid;

const PERSON: SubjectId = SubjectId(Uuid::from_u128(0x50));
const ANA: AccountId = AccountId(Uuid::from_u128(0xa1));
const ORGANIZATION: OrganizationId = OrganizationId(Uuid::from_u128(0x07));

#[derive(Serialize, Deserialize)]
struct Golden {
    line: String,
    disclosures: Vec<Disclosed>,
}

#[derive(Serialize, Deserialize)]
struct Disclosed {
    field: String,
    subject: SubjectId,
    disclosure: String,
}

/// One of each kind, at its newest version. A new variant stops the build here until it has one.
fn newest() -> Vec<(Stream, Event)> {
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
    samples.extend(of_the_organization().into_iter().map(|event| (organization, event)));
    for (_, sample) in &samples {
        match sample {
            Event::Platform(platform::Event::Initialized { .. })
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
            | Event::AccessAttempt(access_attempt::Event::Denied { .. }) => {}
        }
    }
    samples
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
        organization::Event::Deleted { members: 2, pending_invitations: 1, tokens: 3 }.into(),
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
    .collect()
}

fn of_tokens() -> [token::Event; 3] {
    let (token, successor) = (TokenId(Uuid::from_u128(0x70)), TokenId(Uuid::from_u128(0x71)));
    let secret_hash = Link::of_line(b"a token's secret");
    let prefix = "chy_pat_0AbC".to_owned();
    let scopes = |text: &[&str]| {
        let scopes: Vec<_> = text.iter().map(|scope| scope.parse().unwrap()).collect();
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
    let network = |text: &str| text.parse().unwrap();
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
fn older(kind: &str, version: u32) -> Option<Event> {
    match (kind, version) {
        ("organization.created", 1) => Some(created(None)),
        ("organization.deleted", 1) => {
            let event =
                organization::Event::Deleted { members: 2, pending_invitations: 1, tokens: 0 };
            Some(event.into())
        }
        ("session.started", 1) => Some(session_started(None, 1, 1)),
        ("invitation.resent", 1) => Some(resent(None).into()),
        ("account.email_verified", 1) => {
            let event = account::Event::EmailVerified { issue: Some(2), invitation: None };
            Some(Event::Account(event))
        }
        _ => None,
    }
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

fn created(country: Option<&str>) -> Event {
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

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("wire")
}

fn file(kind: &str, version: u32) -> PathBuf {
    folder().join(format!("{kind}.v{version}.json"))
}

fn write_sample(stream: Stream, event: Event) -> Encoded {
    let cause = Cause {
        command: CommandId(Uuid::from_u128(0xc0)),
        body: BodyMac([7; 32]),
        request: Uuid::from_u128(0x4e),
        token: None,
    };
    let mut draft = Draft {
        stream: &stream,
        version: 3,
        id: EventId(Uuid::from_u128(0xe0)),
        at: Time::from_millis(1_767_323_045_678),
        actor: &Actor::Account(ANA),
        cause: &cause,
        ip_address: Personal::known(PERSON, "192.0.2.7"),
        user_agent: Personal::known(PERSON, "curl/8"),
        event,
        prev: Link::of_line(b"the line before"),
    };
    let salt = |field: &str| {
        let hash = blake3::hash(field.as_bytes());
        std::array::from_fn(|place| hash.as_bytes()[place])
    };
    encode(&mut draft, salt).expect("a sample can be written")
}

/// Reads a golden line and opens its personal values with the disclosures beside it.
fn read(golden: &Golden) -> Recorded {
    let fields: Vec<SealedField<'_>> = golden
        .disclosures
        .iter()
        .map(|disclosed| SealedField {
            field: disclosed.field.as_str().into(),
            subject: disclosed.subject,
            sealed_box: "".into(),
        })
        .collect();
    let sealed = encode_sealed(&fields);
    let mut recorded =
        decode(Position(1), golden.line.as_bytes(), &sealed).expect("a golden line still reads");
    recorded.event.personal(&mut |field, value| {
        if value.sealed().is_some() {
            let disclosed = golden.disclosures.iter().find(|other| other.field == field);
            let disclosed = disclosed.expect("a sealed value has its disclosure");
            let opened = value_of(&disclosed.disclosure, field).expect("it discloses its field");
            *value = Personal::known(disclosed.subject, opened);
        }
    });
    recorded
}

fn golden(path: &PathBuf) -> Golden {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn the_newest_version_of_each_event_is_written_with_the_same_bytes() {
    let mut added = Vec::new();
    for (stream, event) in newest() {
        let (kind, version) = kind(&event);
        let path = file(kind, version);
        let encoded = write_sample(stream, event);
        let line = String::from_utf8(encoded.line).unwrap();
        if !path.exists() {
            let disclosures = encoded.disclosures.iter().map(|disclosure| Disclosed {
                field: disclosure.field.to_owned(),
                subject: disclosure.subject,
                disclosure: disclosure.text.clone(),
            });
            let golden = Golden { line, disclosures: disclosures.collect() };
            fs::write(&path, serde_json::to_string_pretty(&golden).unwrap() + "\n").unwrap();
            added.push(path);
            continue;
        }
        assert_eq!(golden(&path).line, line, "{kind} version {version} is written otherwise");
    }
    assert_eq!(added, Vec::<PathBuf>::new(), "these files were made just now: review and commit");
}

#[test]
fn every_version_ever_written_still_means_the_same() {
    let newest = newest();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (name, version) = name.trim_end_matches(".json").rsplit_once(".v").unwrap();
        let version: u32 = version.parse().unwrap();
        let read = read(&golden(&path));
        let same_kind = newest.iter().find(|(_, event)| kind(event) == (name, version));
        let expected = match same_kind {
            Some((_, event)) => event.clone(),
            None => older(name, version).expect("an older version has its meaning in `older`"),
        };
        assert_eq!(read.event, expected, "{name} version {version}");
    }
}

#[test]
fn the_type_of_a_line_is_found_without_reading_it() {
    for entry in fs::read_dir(folder()).unwrap() {
        let golden = golden(&entry.unwrap().path());
        let line = golden.line.as_bytes();
        assert_eq!(kind_of_line(line), Some(head(line).unwrap().kind.as_str()));
    }
}

#[test]
fn a_golden_line_is_canonical_and_names_the_digests_of_its_disclosures() {
    for entry in fs::read_dir(folder()).unwrap() {
        let golden = golden(&entry.unwrap().path());
        assert!(is_canonical(golden.line.as_bytes()), "{}", golden.line);
        let mut digests: Vec<String> = golden
            .disclosures
            .iter()
            .map(|disclosed| personal::digest(&disclosed.disclosure))
            .collect();
        digests.sort_unstable();
        assert_eq!(head(golden.line.as_bytes()).unwrap().digests, digests);
    }
}

#[test]
fn each_field_is_listed_as_plain_or_as_personal() {
    for (stream, mut event) in newest() {
        let (kind, _) = kind(&event);
        let listed = FIELDS.iter().find(|(name, _, _)| *name == kind);
        let (_, plain, sealed) = listed.unwrap_or_else(|| panic!("{kind} is not in FIELDS"));
        let mut personal_fields = BTreeSet::new();
        event.personal(&mut |field, _| {
            personal_fields.insert(field);
        });
        assert_eq!(personal_fields, sealed.iter().copied().collect(), "{kind}");
        let encoded = write_sample(stream, event);
        let line: Value = serde_json::from_slice(&encoded.line).unwrap();
        let data: BTreeSet<&str> =
            line["data"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(data, plain.iter().copied().collect(), "{kind}");
    }
    let written: BTreeSet<&str> = newest().iter().map(|(_, event)| kind(event).0).collect();
    assert_eq!(written, FIELDS.iter().map(|(name, _, _)| *name).collect());
}

proptest::proptest! {
    #[test]
    fn any_text_is_written_in_canonical_form(slug in ".*", name in "[\\x00-\\x7f]*|\\PC*") {
        let event = organization::Event::Created {
            organization: ORGANIZATION,
            slug,
            owner: ANA,
            is_personal: false,
            country: None,
            name: Some(name),
            personal_name: Personal::Absent,
            billing_email: Personal::Absent,
        };
        let stream = Stream::Organization(ORGANIZATION);
        let Encoded { line, .. } = write_sample(stream, Event::Organization(event));
        let text = String::from_utf8_lossy(&line).into_owned();
        proptest::prop_assert!(is_canonical(&line), "{}", text);
    }
}

#[test]
fn one_changed_byte_breaks_the_chain() {
    let stream = Stream::Organization(ORGANIZATION);
    let mut lines = Vec::new();
    let mut prev = Link::FIRST;
    for version in 0..3 {
        let Recorded { id, at, actor, cause, .. } = recorded(stream, version, created(None));
        let mut draft = Draft {
            stream: &stream,
            version,
            id,
            at,
            actor: &actor,
            cause: &cause,
            ip_address: Personal::Absent,
            user_agent: Personal::Absent,
            event: created(None),
            prev,
        };
        let line = encode(&mut draft, |_| [0; 16]).unwrap().line;
        prev = Link::of_line(&line);
        lines.push(line);
    }
    let walk = |lines: &[Vec<u8>]| {
        let mut walk = crate::chain::Walk::new(&stream);
        lines.iter().try_for_each(|line| walk.step(line))?;
        Ok::<_, crate::chain::Broken>(walk.end())
    };
    let sound = walk(&lines).expect("nothing was changed");
    for (index, place) in
        (0..lines.len()).flat_map(|index| (0..lines[index].len()).map(move |p| (index, p)))
    {
        let mut changed = lines.clone();
        changed[index][place] ^= 1;
        assert_ne!(walk(&changed), Ok(sound), "byte {place} of line {index}");
    }
    assert!(walk(&[lines[0].clone(), lines[2].clone()]).is_err(), "a line is missing");
    assert!(walk(&[lines[1].clone(), lines[0].clone()]).is_err(), "two lines are swapped");
}
