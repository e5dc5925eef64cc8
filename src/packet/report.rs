//! What a packet says, for people: as HTML and as PDF, with the same content. Both follow from the
//! signed predicate alone, byte for byte; neither holds a clock's time, a random id or anything
//! personal. They are renderings: what counts is what is signed.

mod content;
mod verification_data;

use super::statement::Predicate;
use crate::paper::Document;

/// One file that needs nothing else: no scripts, no addresses to load from.
pub(crate) fn html(predicate: &Predicate) -> String {
    Document::of(predicate).html()
}

/// PDF 1.7, on A4.
pub(crate) fn pdf(predicate: &Predicate) -> Vec<u8> {
    Document::of(predicate).pdf()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use events::id::PacketId;
    use serde_json::{Value, json};

    use super::*;

    const SPECIFICATION: &str = include_str!("../compliance/specifications/soc2.v1.json");
    const HOSTILE: &str = "<script>alert('1')</script>\"&) Tj \\ \u{202e}\u{0}";

    /// A packet with every control of a specification, and each member that one may have.
    static PREDICATE: LazyLock<Predicate> = LazyLock::new(|| predicate("acme", "nonce-1"));

    fn id(prefix: &str) -> String {
        format!("{prefix}_01hzzzzzzzzzzzzzzzzzzzzzzz")
    }

    fn controls() -> (Vec<Value>, Value) {
        let mut specification: Value = serde_json::from_str(SPECIFICATION).unwrap();
        let mut controls = specification["controls"].as_array().unwrap().clone();
        for (place, control) in controls.iter_mut().enumerate() {
            let exceptions: Vec<_> =
                (0..place * 5).map(|at| json!({ "versions": [at, 7] })).collect();
            control["exceptions"] = exceptions.into();
            control["result"] =
                ["pass", "fail", "not_applicable", "not_evidenced"][place % 4].into();
            control["observed"] = json!({ "count": "17" });
            control["events"] = json!([1, 2]);
            control["event_count"] = "2".into();
            let parameter = json!({ "value": "3600", "source": "setting", "version": 12 });
            control["parameters"] = json!({ "max_delay_seconds": parameter });
            let file = format!("population-{}.jsonl", control["id"].as_str().unwrap());
            control["population"] = json!({ "file": file, "size": "3" });
        }
        (controls, specification["not_evidenced"].take())
    }

    fn predicate(slug: &str, challenge: &str) -> Predicate {
        let (controls, not_evidenced) = controls();
        let member = json!({ "member": id("usr"), "role": "owner", "joined_at": "2026-01-02T09:00:00.000Z" });
        let origin = format!("org.example.com/organizations/{}", id("org"));
        let predicate = json!({
            "schema_version": "1.0.0",
            "packet": {
                "id": id("pkt"),
                "challenge": challenge,
                "request_version": 41,
                "generated_at": "2026-04-02T08:00:01.000Z",
                "generated_by": id("usr"),
                "supersedes": null,
                "generator": { "name": "Chancery", "version": "0.1.0" },
            },
            "organization": { "id": id("org"), "slug": slug, "country": "DE" },
            "issuer": {
                "name": "org.example.com",
                "keys": "https://org.example.com/.well-known/compliance-signing-keys",
                "log_keys": "https://org.example.com/.well-known/log-keys",
                "key_id": "A".repeat(43),
            },
            "framework": {
                "id": "soc2",
                "edition": "TSP section 100",
                "specification": { "version": "soc2/1.0.0", "sha256": "0".repeat(64) },
            },
            "period": { "from": "2026-01-01T00:00:00.000Z", "to": "2026-04-01T00:00:00.000Z" },
            "log": {
                "origin": origin,
                "checkpoint": "checkpoint",
                "size": 42,
                "root_sha256": "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
                "head_blake3": "0".repeat(64),
                "hash": { "chain": "blake3-256", "tree": "rfc6962-sha256" },
            },
            "scope": { "boundary": "The control plane.", "disclosure": "all-events" },
            "controls": controls,
            "not_evidenced": not_evidenced,
            "sections": {
                "access_at_period_end": { "members": vec![member; 700], "tokens": [] },
                "membership_changes": { "joiners": "4", "leavers": "1" },
            },
            "privacy": { "personal_fields": "sd-digests", "disclosed": [], "erased": [] },
            "verifications": [{ "at": "2026-03-01T00:00:00.000Z", "succeeded": true }],
            "declaration": "Not an opinion.",
        });
        serde_json::from_value(predicate).unwrap()
    }

    fn contains(pdf: &[u8], text: &str) -> bool {
        pdf.windows(text.len()).any(|window| window == text.as_bytes())
    }

    #[test]
    fn a_report_follows_from_the_packet_alone() {
        let other = predicate("acme", "nonce-1");
        assert_eq!(html(&PREDICATE), html(&other));
        assert_eq!(pdf(&PREDICATE), pdf(&other));
        assert_ne!(pdf(&PREDICATE), pdf(&predicate("acme", "nonce-2")));
    }

    #[test]
    fn everything_that_an_auditor_looks_for_is_in_both() {
        let (html, pdf) = (html(&PREDICATE), pdf(&PREDICATE));
        assert!(pdf.starts_with(b"%PDF-1.7") && contains(&pdf, "(D:20260402080001Z)"));
        let (controls, _) = controls();
        let ids = controls.iter().map(|control| control["id"].as_str().unwrap().to_owned());
        let log = &PREDICATE.log;
        let others = [
            id("org"),
            PREDICATE.packet.id.to_string(),
            log.origin.clone(),
            log.root.to_string(),
            log.head_blake3.clone(),
            "nonce-1".to_owned(),
            "max_delay_seconds = 3600".to_owned(),
            "Not an opinion.".to_owned(),
            "The first 20 of 50".to_owned(),
            "200 more are in the signed statement.".to_owned(),
        ];
        for text in ids.chain(others) {
            assert!(html.contains(&text), "the HTML lacks {text}");
            assert!(contains(&pdf, &text), "the PDF lacks {text}");
        }
    }

    #[test]
    fn the_code_names_the_packet_and_its_log() {
        let code = verification_data::code(&PREDICATE).unwrap();
        let read: Value = serde_json::from_str(&code.text).unwrap();
        assert_eq!(
            read["packet"].as_str().unwrap().parse(),
            Ok(PREDICATE.packet.id) as Result<PacketId, _>
        );
        assert_eq!((&read["size"], &read["version"]), (&json!(42), &json!(41)));
        assert!(!code.text.contains('\n'));
    }

    #[test]
    fn hostile_text_stays_text() {
        let predicate = predicate(HOSTILE, HOSTILE);
        let (html, pdf) = (html(&predicate), pdf(&predicate));
        assert!(!html.contains("<script") && !html.contains("alert('"));
        assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;"));
        // a parenthesis that ended the text would let what follows be drawn
        assert!(!contains(&pdf, "\"&) Tj"));
        assert!(!html.contains(" style=") && !html.contains("src=") && !html.contains("href="));
    }
}
