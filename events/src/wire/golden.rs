//! Every version of every event that was ever written, kept as a file in `events/wire/`: it still
//! reads, means what it meant, and the newest is written with the same bytes. Add files, never edit.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::*;
use crate::given::recorded;
use crate::id::{AccountId, CommandId, OrganizationId};
use crate::personal::{self, FIELDS, value_of};
use crate::recorded::BodyMac;
use samples::{created, newest, older};
use uuid::Uuid;

mod billed;
mod database;
mod declared;
mod money;
mod samples;
mod used;

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
        assert_eq!(kind_of_line(line), Some(head(line).unwrap().kind.as_ref()));
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
