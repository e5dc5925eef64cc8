//! The one pass says what reading, writing in canonical form and comparing says.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;

/// Slower, and without a doubt: by another crate's canonical form.
fn written_again(text: &[u8]) -> bool {
    let is_same = |value: &Value| {
        serde_json_canonicalizer::to_vec(value).is_ok_and(|canonical| canonical == text)
    };
    serde_json::from_slice(text).is_ok_and(|value| crate::wire::is_exact(&value) && is_same(&value))
}

fn agree(text: &[u8]) -> bool {
    let expected = written_again(text);
    assert_eq!(is_canonical(text), expected, "{}", String::from_utf8_lossy(text));
    let is_object = text.first() == Some(&b'{');
    assert_eq!(members(text, |_, _| ()).is_some(), expected && is_object);
    expected
}

const CANONICAL: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-1",
    "9007199254740991",
    "-9007199254740991",
    "\"\"",
    "[]",
    "{}",
    r#"{"":0}"#,
    r#"{"a":{"b":[1,"2",{}]},"b":null}"#,
    r#""\"\\\b\f\n\r\t""#,
    r#""\u0000\u0007\u000b\u000e\u000f\u0010\u001a\u001f""#,
    "\"/\u{7f}\u{80}\u{2028}\"",
    // by UTF-16 units, the other way round than by bytes
    "{\"\u{10000}\":1,\"\u{e000}\":2}",
    r#"{"\n":1," ":2}"#,
    r#"{"\"":1,"a":2}"#,
    r#"{"1":0,"10":0,"2":0,"A":0,"a":0,"é":0}"#,
];

const NOT_CANONICAL: &[&str] = &[
    "",
    " ",
    " 1",
    "1 ",
    "1,",
    "{",
    "}",
    "[",
    "\"",
    "\"\\\"",
    "tru",
    "nul",
    "-",
    "-0",
    "00",
    "01",
    "-01",
    "+1",
    "1.0",
    "1.5",
    "1e3",
    "1E3",
    "0.0",
    "1e-1",
    "9007199254740992",
    "-9007199254740992",
    "18446744073709551616",
    "123456789012345678901234567890",
    "NaN",
    "[1,]",
    "[,1]",
    "[1 ,2]",
    "[1, 2]",
    "[1,2",
    "{\"a\":1,}",
    "{\"a\" :1}",
    "{\"a\": 1}",
    "{a:1}",
    "{\"a\"}",
    "{1:1}",
    r#"{"b":1,"a":2}"#,
    r#"{"a":1,"a":1}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"a":{"d":1,"c":1}}"#,
    r#"{"a":1,"\u0061":2}"#,
    r#"{" ":1,"\n":2}"#,
    "{\"\u{e000}\":1,\"\u{10000}\":2}",
    r#""\u0061""#,
    r#""\/""#,
    r#""\u000a""#,
    r#""\u001F""#,
    r#""\u000B""#,
    r#""\u0008""#,
    r#""\u0009""#,
    r#""\u000c""#,
    r#""\u000d""#,
    r#""\u0020""#,
    r#""\u007f""#,
    r#""\ud800""#,
    r#""\udc00""#,
    r#""\ud83d\ude00""#,
    r#""\u00e9""#,
    r#""\x""#,
    r#""\u00""#,
    r#""\u""#,
    "\"\\",
    "\"\n\"",
    "\"\t\"",
    "\"\0\"",
    "\"\u{1f}\"",
    "\u{feff}1",
    "\u{a0}1",
    "'a'",
    "[1]]",
    "{}{}",
    "1 1",
    "truefalse",
    "[tru]",
    "[\"a]",
    r#"{"a":0,"$serde_json::private::RawValue":"1"}"#,
    r#"{"$serde_json::private::RawValue":"1"}"#,
    r#"[{"$serde_json::private::RawValue":"{}"}]"#,
    r#"{"$serde_json::private::RawValue":"1","a":0}"#,
];

#[test]
fn what_is_hard_to_tell_is_told_in_the_same_way() {
    for text in CANONICAL {
        assert!(agree(text.as_bytes()), "{text}");
    }
    for text in NOT_CANONICAL {
        assert!(!agree(text.as_bytes()), "{text}");
    }
    for bytes in [&b"\"\xff\""[..], b"\"\xc3\"", b"\"\xed\xa0\x80\"", b"\"\xc0\x80\"", b"\xff1"] {
        assert!(!agree(bytes), "{bytes:?}");
    }
}

#[test]
fn nesting_ends_where_the_reader_ends() {
    for depth in [1, 2, 126, 127, 128, 129, 5000] {
        let arrays = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(agree(arrays.as_bytes()), depth < 128, "{depth} arrays");
        let objects = "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
        assert_eq!(agree(objects.as_bytes()), depth < 128, "{depth} objects");
    }
}

#[test]
fn a_string_ends_at_its_quote_wherever_that_is() {
    for length in 0..40 {
        for place in 0..=length {
            for put in ["\"", "\\", "\\n", "\n", "\u{1f}", " ", "!", "\u{80}", "é", "\u{ffff}"] {
                let text = format!("\"{}{put}{}\"", "x".repeat(place), "ÿ".repeat(length - place));
                agree(text.as_bytes());
            }
        }
    }
}

#[test]
fn the_members_of_an_object_are_shown_as_they_stand() {
    let mut seen = Vec::new();
    let text = r#"{"a\"":[1,{"x":2}],"b":"c\n","z":{}}"#;
    members(text.as_bytes(), |name, value| seen.push((name, value))).expect("it is canonical");
    assert_eq!(seen, [(r#"a\""#, r#"[1,{"x":2}]"#), ("b", r#""c\n""#), ("z", "{}")]);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-c]{0,3}", "\\PC{0,4}", "[\\x00-\\x7f]{0,12}", "[\\x{d7f0}-\\x{10010}]{0,3}"]
}

fn value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i8>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ((1_i64 << 53) - 3..(1 << 53) + 3).prop_map(Value::from),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number,
        text().prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6)
                .prop_map(|members| Value::from(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// What a forger would try: bytes that mean the same, or nearly.
fn mutated(text: &[u8], place: usize, with: &[u8], removed: usize) -> Vec<u8> {
    let place = place % (text.len() + 1);
    let behind = (place + removed).min(text.len());
    [&text[..place], with, &text[behind..]].concat()
}

proptest! {
    #[test]
    fn generated_values_in_canonical_and_in_plain_form(value in value()) {
        if let Ok(canonical) = serde_json_canonicalizer::to_vec(&value) {
            agree(&canonical);
        }
        agree(value.to_string().as_bytes());
        agree(serde_json::to_string_pretty(&value).unwrap().as_bytes());
    }

    #[test]
    fn canonical_bytes_with_something_changed(
        value in value(),
        changes in prop::collection::vec(
            (any::<usize>(), prop_oneof![
                Just(Vec::new()), Just(b" ".to_vec()), Just(b"\\".to_vec()), Just(b"\"".to_vec()),
                Just(b"\\u0061".to_vec()), Just(b"\\ud800".to_vec()), Just(b"\\u001f".to_vec()),
                Just(b"0".to_vec()), Just(b"-".to_vec()), Just(b"-0".to_vec()), Just(b".0".to_vec()),
                Just(b"e1".to_vec()), Just(b",".to_vec()), Just(b"{}".to_vec()), Just(b"[".to_vec()),
                Just(b"\"a\":1,".to_vec()), Just(b"\xed\xa0\x80".to_vec()),
                prop::collection::vec(any::<u8>(), 1..4),
            ], 0_usize..3),
            1..4,
        ),
    ) {
        if let Ok(mut text) = serde_json_canonicalizer::to_vec(&value) {
            for (place, with, removed) in changes {
                text = mutated(&text, place, &with, removed);
                agree(&text);
            }
        }
    }

    #[test]
    fn anything_made_of_the_signs_of_json(text in r#"[\[\]{},:"\\a-fu0-9.e+\- \n\x1f]{0,24}"#) {
        agree(text.as_bytes());
    }
}
