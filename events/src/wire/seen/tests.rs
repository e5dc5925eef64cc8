//! What is read of a line by its members is what the general way reads.

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// The lines of the golden files.
static LINES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("wire");
    let line = |path: PathBuf| {
        let golden: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        golden["line"].as_str().unwrap().to_owned()
    };
    fs::read_dir(folder).unwrap().map(|entry| line(entry.unwrap().path())).collect()
});

/// Whether the line can be read, by both ways.
fn agree(line: &[u8]) -> bool {
    let general = Seen { line, members: None };
    let seen = Seen::of(line);
    let head = |seen: &Seen<'_>| seen.head().ok().map(|head| format!("{head:?}"));
    assert_eq!(head(&seen), head(&general), "{}", String::from_utf8_lossy(line));
    let recorded = |seen: &Seen<'_>| seen.recorded(Position(7), b"", Link::FIRST).ok();
    let read = recorded(&seen);
    assert_eq!(read, recorded(&general), "{}", String::from_utf8_lossy(line));
    read.is_some()
}

#[test]
fn golden_lines_are_read_by_their_members() {
    for line in LINES.iter() {
        assert!(Seen::of(line.as_bytes()).members.unwrap().stored().is_some(), "{line}");
        assert!(Members::of(line.as_bytes()).unwrap().head().is_some(), "{line}");
        assert!(agree(line.as_bytes()), "{line}");
    }
}

proptest! {
    #[test]
    fn a_line_with_one_member_changed(
        at in any::<prop::sample::Index>(),
        member in any::<prop::sample::Index>(),
        becomes in prop_oneof![
            Just(None),
            prop_oneof![
                Just(Value::Null), Just(Value::from("")), Just(Value::from("a\"b\\\n")),
                Just(Value::from(-1)), Just(Value::from(1_u64 << 52)), Just(Value::from(1.5)),
                Just(serde_json::json!(["a", "b,", "c"])), Just(serde_json::json!(["a", 1])),
                Just(serde_json::json!([])), Just(serde_json::json!({})),
                any::<u16>().prop_map(Value::from), "[a-z_]{0,9}".prop_map(Value::from),
            ].prop_map(Some),
        ],
    ) {
        let line: &String = at.get(&LINES[..]);
        let mut line: Value = serde_json::from_str(line).unwrap();
        let members = line.as_object_mut().unwrap();
        let name = members.keys().nth(member.index(members.len())).unwrap().clone();
        match becomes {
            Some(value) => members.insert(name, value),
            None => members.remove(&name),
        };
        agree(&serde_json_canonicalizer::to_vec(&line).unwrap());
        agree(line.to_string().as_bytes());
    }

    #[test]
    fn a_line_with_one_byte_changed(
        at in any::<prop::sample::Index>(), place in any::<prop::sample::Index>(), byte: u8,
    ) {
        let mut line = at.get(&LINES[..]).clone().into_bytes();
        let place = place.index(line.len());
        line[place] = byte;
        agree(&line);
    }
}
