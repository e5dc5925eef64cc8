//! Every attack on a compliance packet that anybody has thought of, and honest packets, made by an
//! independent program (`attacks.py`) and given to `chancery verify` as an auditor would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::server::text;

const INVALID: i32 = 8;
const WRONG_USE: i32 = 2;

/// What it is called, and the code it is refused with. An `a` and its number is an attack of the
/// format's own list, where the letter is followed by what the attacker does.
const REFUSED: &[(&str, &str)] = &[
    // the attacker holds no key
    ("a01_edit_one_byte_in_a_zip", "V4-subject-digest:events.jsonl"),
    ("a01_edit_one_byte_of_an_event", "V4-subject-digest:events.jsonl"),
    ("a02_edit_the_signed_statement", "V1-dsse-signature"),
    ("a03_change_the_payload_type", "V1-dsse-signature"),
    ("a04_another_key_with_its_own_id", "V1-dsse-signature"),
    ("a05_another_key_with_the_genuine_id", "V1-dsse-signature"),
    ("a06_a_file_that_is_not_listed", "V4-unlisted-file:notes.txt"),
    ("a07_swap_a_disclosed_address", "V4-subject-digest:disclosures-*"),
    ("a08_delete_a_disclosures_file", "V4-missing-file:disclosures-*"),
    ("a08_delete_another_file", "V4-missing-file:report.html"),
    ("a09_a_later_log_of_other_lines", "V4-later-log"),
    ("a09_a_later_log_that_does_not_continue", "V4-later-log"),
    // the packet's key
    ("a10_edit_an_event", "V5-chain"),
    ("a11_edit_an_event_and_chain_anew", "V6-root"),
    ("a12_delete_an_event_and_chain_anew", "V6-root"),
    ("a13_delete_an_event", "V5-sequence"),
    ("a14_insert_an_event_and_chain_anew", "V6-root"),
    ("a15_reorder_two_events_and_chain_anew", "V6-root"),
    ("a16_duplicate_an_event", "V5-sequence"),
    ("a17_cut_the_tail_with_a_genuine_old_checkpoint", "V9-challenge-not-last-event"),
    ("a18_cut_below_what_the_auditor_saw", "V8-log-shrank"),
    ("a19_a_population_that_no_control_has", "V11-reperformance:population-soc2.cc9.9.none.jsonl"),
    ("a19_an_edited_population", "V11-reperformance:population-soc2.cc6.2.joiners.jsonl"),
    ("a19_an_edited_section", "V11-reperformance"),
    ("a19_another_specification", "V11-specification"),
    ("a19_a_specification_that_is_not_known", "V11-specification"),
    ("a19_the_newer_specification_for_the_older_results", "V11-reperformance"),
    ("a19_the_older_specification_by_the_newer_name", "V11-specification"),
    ("a19_leave_a_control_out", "V11-coverage"),
    ("a19_leave_a_gap_out", "V11-coverage"),
    ("a19_lie_in_a_result", "V11-reperformance"),
    ("a20_a_checkpoint_by_another_log_key", "V7-checkpoint-signature"),
    ("a21_of_another_organization", "V2-organization"),
    ("a21_the_log_of_another_organization", "V5-sequence"),
    ("a22_another_framework", "V2-framework"),
    ("a22_another_period", "V2-period"),
    ("a23_conceal_that_a_person_was_erased", "V10-privacy"),
    ("a23_reveal_an_erased_person", "V10-erased-person-disclosed"),
    ("a24_a_member_twice", "V2-duplicate-json-member"),
    ("a24_a_member_twice_deep_inside", "V2-duplicate-json-member"),
    ("a25_a_line_that_is_not_canonical", "V5-event-not-canonical"),
    ("a26_a_retired_key_after_its_end", "V3-key-validity"),
    ("a27_a_retired_key_and_dated_back", "V3-generated-before-request"),
    ("a28_swap_a_disclosed_address_and_sign", "V10-disclosure-digest"),
    // both keys
    ("a30_rewrite_before_the_kept_checkpoint", "V8-consistency"),
    ("a32_rewrite_and_another_kept_the_genuine_head", "V8-fork-same-size"),
    ("a33_an_old_packet_for_a_new_challenge", "V9-challenge-not-last-event"),
    ("a35_results_for_a_period_that_has_not_ended", "V11-reperformance"),
    ("a36_omit_the_erasure_and_another_kept_the_genuine_head", "V8-log-shrank"),
    // keys and envelopes
    ("k1_no_signature", "V1-dsse-signature"),
    ("k2_the_same_signature_in_another_form", "V1-dsse-signature"),
    ("k3_a_compromised_key", "V3-key-validity"),
    ("k3_a_key_set_without_the_old_key", "V1-dsse-signature"),
    ("k3_a_key_that_is_not_valid_yet", "V3-key-validity"),
    ("k3_a_log_key_of_another_installation", "V2-issuer"),
    ("k4_the_keys_in_the_packet", "V1-dsse-signature"),
    // JSON
    ("j1_a_byte_order_mark", "V2-not-json"),
    ("j1_a_lone_surrogate", "V2-not-json"),
    ("j1_a_lone_surrogate_in_a_line", "V5-event-not-canonical"),
    ("j1_a_member_twice_in_a_line", "V5-event-not-canonical"),
    ("j1_a_number_in_another_form", "V2-not-canonical"),
    ("j1_a_number_too_large", "V2-not-canonical"),
    ("j1_an_empty_line_at_the_end", "V5-line-unreadable"),
    ("j1_bytes_behind_the_end", "V2-not-json"),
    ("j1_carriage_returns", "V5-event-not-canonical"),
    ("j1_minus_zero_in_a_line", "V5-line-unreadable"),
    ("j1_no_line_feed_at_the_end", "V5-line-unreadable"),
    ("j1_white_space", "V2-not-canonical"),
    ("j2_a_line_too_long", "V5-line-unreadable"),
    ("j2_an_empty_log", "V9-challenge-not-last-event"),
    ("j2_deep_nesting", "V2-not-json"),
    ("j2_time_goes_back", "V5-clock"),
    // bundles
    ("b1_a_bomb", "V0-too-large:packet.dsse.json"),
    ("b1_a_file_that_is_not_listed", "V4-unlisted-file:notes.txt"),
    ("b1_a_link", "V0-entry-kind"),
    ("b1_a_link_in_a_folder", "V0-entry-kind"),
    ("b1_a_listed_file_that_is_not_there", "V4-missing-file:seal.json"),
    ("b1_a_listed_path_out_of_the_bundle", "V4-subject-name"),
    ("b1_a_name_listed_twice", "V4-subject-name"),
    ("b1_a_path_out_of_the_bundle", "V0-entry-name"),
    ("b1_a_path_with_backslashes", "V0-entry-name"),
    ("b1_an_absolute_path", "V0-entry-name"),
    ("b1_cut_off", "V0-unreadable"),
    ("b1_two_entries_of_one_name", "V0-entry-twice"),
    ("b1_two_letter_cases", "V0-entry-twice"),
    // disclosures
    ("p1_a_person_who_is_not_named", "V10-privacy"),
    ("p1_disclosed_twice", "V10-disclosed-twice"),
    ("p1_moved_behind_the_end", "V10-disclosure-digest"),
    ("p1_moved_to_another_event", "V10-disclosure-digest"),
    ("p1_named_as_another_field", "V10-disclosure-field:disclosures-*"),
    ("p1_of_another_person", "V10-disclosure-subject"),
    // proofs and seals
    ("m2_an_inner_node_as_a_leaf", "V7-seal:seal.json"),
    ("m3_a_checkpoint_of_a_huge_log", "V6-root"),
    ("m3_a_checkpoint_of_another_log", "V7-origin"),
    ("m3_a_proof_too_long", "V7-seal:seal.json"),
    ("m3_a_proof_with_an_edited_hash", "V7-proof:proof-0.tlog-proof"),
    ("m3_a_seal_by_another_log_key", "V7-seal:seal.json"),
    ("m3_a_seal_of_another_log", "V7-seal:seal.json"),
    ("m3_an_index_behind_the_end", "V7-seal:seal.json"),
    ("m3_another_leaf", "V7-seal:seal.json"),
    ("m3_the_proof_of_another_event", "V7-proof:proof-*"),
];

/// Honest ones; attacks that one auditor alone cannot see (31 and 36: whoever holds both keys
/// rewrote what came after the kept checkpoint); and hints in envelopes, which decide nothing.
const ACCEPTED: &[&str] = &[
    "a31_rewrite_after_the_kept_checkpoint",
    "a36_omit_the_erasure",
    "honest_envelope_alone",
    "honest_erased_since",
    "honest_erased_since_by_an_export",
    "honest_packet",
    "honest_sealed_later",
    "honest_under_a_newer_specification",
    "honest_under_an_older_specification",
    "honest_with_a_kept_checkpoint",
    "honest_zip",
    "honest_zip_written_as_a_stream",
    "k1_a_wrong_key_id_decides_nothing",
    "k1_no_key_id_decides_nothing",
    "k1_one_good_signature_of_two",
    "k3_compromised_only_later",
];

/// Key files that nobody should go on with.
const UNUSABLE_KEYS: &[&str] =
    &["k3_a_key_of_small_order", "k3_one_key_for_both", "k3_two_keys_with_one_id"];

/// What the auditor has, and where the packets are.
pub(crate) struct Cases(TempDir);

impl Cases {
    pub(crate) fn made_from(seed: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let python = std::env::var("CHANCERY_TEST_PYTHON").expect("tests/run names it");
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/attacks.py");
        // compiled files would stand beside the sources
        let made =
            Command::new(python).arg("-B").arg(program).arg(folder.path()).arg(seed).output();
        let made = made.unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        Self(folder)
    }

    /// What belongs to this case alone, or to all of them.
    pub(crate) fn file(&self, case: &str, name: &str) -> PathBuf {
        let own = self.0.path().join(case).join(name);
        if own.exists() { own } else { self.0.path().join(name) }
    }

    pub(crate) fn packet(&self, case: &str) -> PathBuf {
        let names = ["packet", "packet.zip", "packet.json"];
        let mut paths = names.iter().map(|name| self.0.path().join(case).join(name));
        paths.find(|path| path.exists()).unwrap_or_else(|| panic!("{case} has a packet"))
    }

    fn verify(&self, case: &str, more: &[&str]) -> Output {
        let word = |name: &str| fs::read_to_string(self.file(case, name)).unwrap();
        let mut command = verifier(&self.packet(case));
        command.arg("--packet-key").arg(self.file(case, "packet-key"));
        command.arg("--log-key").arg(self.file(case, "log-key"));
        command.args(["--organization", &word("organization"), "--challenge", &word("challenge")]);
        for (flag, name) in [("--checkpoint", "kept"), ("--later-log", "later.ndjson")] {
            let path = self.0.path().join(case).join(name);
            if path.exists() {
                command.arg(flag).arg(path);
            }
        }
        command.args(more).output().unwrap()
    }

    fn verdict(&self, case: &str) -> (i32, Value) {
        let output = self.verify(case, &["--json"]);
        let verdict = serde_json::from_slice(&output.stdout);
        let verdict = verdict.unwrap_or_else(|_| panic!("{case}: {}", text(&output.stderr)));
        (output.status.code().unwrap(), verdict)
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.0.path()).unwrap().map(Result::unwrap);
        let folders = entries.filter(|entry| entry.path().is_dir());
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
    }
}

fn verifier(packet: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command.arg("verify").arg(packet);
    command
}

/// `*` at the end stands for anything.
fn is_like(code: &str, expected: &str) -> bool {
    match expected.strip_suffix('*') {
        Some(beginning) => code.starts_with(beginning),
        None => code == expected,
    }
}

impl Cases {
    /// What is wrong with one case; nothing where it went as the tables say.
    fn misjudged(&self, case: &str, expected: &Expected) -> Option<String> {
        if matches!(expected, Expected::UnusableKeys) {
            let output = self.verify(case, &[]);
            let said = text(&output.stderr);
            let is_told = output.status.code() == Some(WRONG_USE) && said.contains("hint: ");
            return (!is_told).then(|| format!("{case}: {said}"));
        }
        let (exit, verdict) = self.verdict(case);
        let code = verdict["fault"]["code"].as_str();
        let is_so = match expected {
            Expected::Accepted => (exit, code) == (0, None) && verdict["valid"] == true,
            Expected::Refused(expected) => {
                let is_told = code.is_some_and(|code| is_like(code, expected));
                exit == INVALID && verdict["valid"] == false && is_told
            }
            Expected::UnusableKeys => false,
        };
        (!is_so).then(|| format!("{case}: {} with exit code {exit}", verdict["fault"]))
    }
}

#[derive(Clone, Copy)]
enum Expected {
    Accepted,
    Refused(&'static str),
    UnusableKeys,
}

fn expectations() -> BTreeMap<&'static str, Expected> {
    let refused = REFUSED.iter().map(|(case, code)| (*case, Expected::Refused(code)));
    let accepted = ACCEPTED.iter().map(|case| (*case, Expected::Accepted));
    let unusable = UNUSABLE_KEYS.iter().map(|case| (*case, Expected::UnusableKeys));
    refused.chain(accepted).chain(unusable).collect()
}

fn each_is_told(seed: &str) {
    let (cases, expected) = (Cases::made_from(seed), expectations());
    let made = cases.names();
    assert_eq!(expected.keys().copied().collect::<Vec<_>>(), made.iter().collect::<Vec<_>>());
    let all: Vec<_> = expected.into_iter().collect();
    // most of it is starting processes
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let parts = all.chunks(all.len().div_ceil(4)).map(|part| {
            let cases = &cases;
            scope.spawn(move || {
                let misjudged = part.iter().map(|(case, it)| cases.misjudged(case, it));
                misjudged.flatten().collect::<Vec<_>>()
            })
        });
        let running: Vec<_> = parts.collect();
        running.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
}

#[test]
fn every_attack_is_told_by_its_name_and_honest_packets_pass() {
    each_is_told("1");
}

#[test]
fn whatever_the_log_is_attacks_on_it_are_told() {
    each_is_told(&uuid::Uuid::new_v4().to_string());
}

#[test]
fn a_verdict_says_what_was_checked_with_which_key_over_which_lines() {
    let cases = Cases::made_from("1");
    let (_, verdict) = cases.verdict("honest_with_a_kept_checkpoint");
    let checks: Vec<_> = verdict["checks"].as_array().unwrap().iter().collect();
    let names: Vec<_> = checks.iter().map(|check| check["check"].as_str().unwrap()).collect();
    let all = ["V1", "V2", "V4", "V5", "V6", "V7", "V8", "V9", "V3", "V10", "V11"];
    assert_eq!(names, all);
    assert!(checks.iter().all(|check| check["says"].as_str().unwrap().len() > 20));
    assert_eq!(verdict["left_out"], serde_json::json!([]));
    let lines = fs::read_to_string(cases.packet("honest_packet").join("events.jsonl")).unwrap();
    assert_eq!(verdict["log"]["size"], lines.lines().count());
    let key = fs::read_to_string(cases.file("", "log-key")).unwrap();
    assert_eq!(verdict["log_key"], key.trim());
    assert_eq!(verdict["packet"]["framework"], "soc2");

    let said = text(&cases.verify("honest_packet", &[]).stdout);
    assert!(said.ends_with("VALID\n") && said.contains("not checked"), "{said}");
    let (_, alone) = cases.verdict("honest_envelope_alone");
    let left_out = alone["left_out"][0].as_str().unwrap();
    assert!(left_out.contains("only the envelope is here"), "{left_out}");
}

#[test]
fn whoever_finds_a_rewritten_log_gets_both_signed_heads_as_evidence() {
    let cases = Cases::made_from("1");
    for (case, kept) in [
        ("a32_rewrite_and_another_kept_the_genuine_head", "kept/1"),
        ("a30_rewrite_before_the_kept_checkpoint", "kept/0"),
    ] {
        let (_, verdict) = cases.verdict(case);
        let kept = fs::read_to_string(cases.0.path().join(case).join(kept)).unwrap();
        let now = fs::read_to_string(cases.packet(case).join("checkpoint")).unwrap();
        assert_eq!(verdict["fault"]["evidence"], serde_json::json!([kept, now]));
        let said = text(&cases.verify(case, &[]).stdout);
        assert!(said.contains(&kept) && said.contains(&now), "{said}");
    }
}

#[test]
fn nothing_is_verified_without_keys_from_outside() {
    let cases = Cases::made_from("1");
    let packet = cases.packet("honest_packet");
    let (packet_key, log_key) = (cases.file("", "packet-key"), cases.file("", "log-key"));
    let nothing = cases.0.path().join("nothing");
    fs::write(&nothing, "").unwrap();
    let absent = cases.0.path().join("absent");
    for (packet_key, log_key) in [
        (None, None),
        (Some(&packet_key), None),
        (None, Some(&log_key)),
        (Some(&packet_key), Some(&nothing)),
        (Some(&absent), Some(&log_key)),
    ] {
        let mut command = verifier(&packet);
        for (flag, path) in [("--packet-key", packet_key), ("--log-key", log_key)] {
            if let Some(path) = path {
                command.arg(flag).arg(path);
            }
        }
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(WRONG_USE), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "");
    }
}
