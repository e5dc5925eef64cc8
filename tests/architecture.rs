//! The layout holds: who may mention whom, the same migrations for both dialects, names and sizes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const MOST_LINES: usize = 500;
const BANNED_NAMES: [&str; 11] = [
    "utils", "util", "common", "helpers", "manager", "service", "base", "impl", "dto", "data",
    "info",
];

/// Which files (by the beginning of their path) must not mention which modules and crates.
const NEVER: [(&str, &[&str]); 10] = [
    ("src/http", &["sqlx", "rusqlite", "eventstore", "event_log", "read_store", "projector"]),
    ("src/dashboard", &["sqlx", "rusqlite", "eventstore", "event_log", "read_store", "projector"]),
    ("src/cli", &["sqlx", "rusqlite", "eventstore", "event_log", "read_store", "projector"]),
    (
        "src/execute",
        &[
            "sqlx",
            "rusqlite",
            "eventstore",
            "http",
            "dashboard",
            "cli",
            "query",
            "projector",
            "projections",
        ],
    ),
    (
        "src/query",
        &["sqlx", "rusqlite", "eventstore", "http", "dashboard", "cli", "execute", "event_log"],
    ),
    (
        "src/projector",
        &["sqlx", "rusqlite", "eventstore", "http", "dashboard", "cli", "execute", "query"],
    ),
    (
        "src/event_log",
        &[
            "axum",
            "http",
            "dashboard",
            "cli",
            "execute",
            "query",
            "projector",
            "read_store",
            "projections",
        ],
    ),
    (
        "src/read_store",
        &["axum", "http", "dashboard", "cli", "execute", "query", "projector", "event_log"],
    ),
    (
        "src/keyring",
        &[
            "axum",
            "http",
            "dashboard",
            "cli",
            "execute",
            "query",
            "projector",
            "event_log",
            "read_store",
            "projections",
        ],
    ),
    (
        "src/operational",
        &[
            "axum",
            "http",
            "dashboard",
            "cli",
            "execute",
            "query",
            "projector",
            "event_log",
            "read_store",
            "projections",
        ],
    ),
];

/// The only files that speak to a database. `serve.rs` opens the pool that the stores share.
const KNOW_SQL: [&str; 8] = [
    "src/event_log",
    "src/read_store",
    "src/keyring",
    "src/operational",
    "src/signer/state.rs",
    "src/postgres_database.rs",
    "src/sqlite_file.rs",
    "src/serve.rs",
];

/// Neither I/O nor clocks nor randomness.
const IMPURE: [&str; 11] = [
    "tokio",
    "sqlx",
    "rusqlite",
    "axum",
    "reqwest",
    "getrandom",
    "rand",
    "std::fs",
    "std::net",
    "SystemTime",
    "Instant",
];

fn rust_files(folder: &str) -> Vec<PathBuf> {
    let found = crate::server::files(&Path::new(ROOT).join(folder));
    found.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs")).collect()
}

fn every_rust_file() -> Vec<PathBuf> {
    let folders = ["src", "events/src", "projections/src", "tests", "benches"];
    let there = folders.into_iter().filter(|folder| Path::new(ROOT).join(folder).exists());
    there.flat_map(rust_files).collect()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(ROOT).expect("it is in the tree").display().to_string()
}

/// A file without comments and without its unit tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("it can be read");
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Modules of this crate and other crates that a file mentions: what stands after `crate::`, in
/// the braces after it, and before any other `::`.
fn mentions(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(heads_of_group(group)),
            None => drop(found.insert(rest.chars().take_while(|c| is_word(*c)).collect())),
        }
    }
    for (at, _) in code.match_indices("::") {
        let before = &code[..at];
        let start = before.rfind(|c| !is_word(c)).map_or(0, |found| found + 1);
        // `a::b::c` mentions `a` only
        if !before[..start].ends_with("::") {
            found.insert(before[start..].to_owned());
        }
    }
    found
}

/// The first names in `a, b::{c, d}, e}`.
fn heads_of_group(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut is_head) = (0, vec![String::new()], true);
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.push(String::new());
                is_head = true;
            }
            c if is_word(c) && is_head => heads.last_mut().expect("one is there").push(c),
            c if c.is_whitespace() && is_head => {}
            _ => is_head = false,
        }
    }
    heads
}

#[test]
fn mentions_are_found_however_they_are_written() {
    let code = "use crate::{App, query::{self, page},\n    keyring};\nuse crate::http::answer;\n\
                fn f(pool: sqlx::PgPool) -> std::io::Result<()> { crate::execute::run() }";
    let expected = ["App", "crate", "execute", "http", "keyring", "query", "sqlx", "std"];
    assert_eq!(mentions(code), expected.map(str::to_owned).into());
}

#[test]
fn arrows_point_down_only() {
    let mut wrong = Vec::new();
    for path in rust_files("src") {
        let (name, mentioned) = (shown(&path), mentions(&code(&path)));
        for (beginning, forbidden) in NEVER {
            // `src/http` is `src/http.rs` and what is below `src/http/`
            let rest = name.strip_prefix(beginning);
            if !rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/')) {
                continue;
            }
            let own = beginning.trim_start_matches("src/");
            let found = forbidden.iter().filter(|it| **it != own && mentioned.contains(**it));
            wrong.extend(found.map(|it| format!("{name} mentions {it}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_stores_know_sql() {
    for path in rust_files("src") {
        let (name, mentioned) = (shown(&path), mentions(&code(&path)));
        let knows = ["sqlx", "rusqlite"].iter().any(|it| mentioned.contains(*it));
        let may = KNOW_SQL.iter().any(|beginning| name.starts_with(beginning));
        assert!(!knows || may, "{name} speaks to a database");
    }
}

#[test]
fn decisions_and_rows_are_made_without_io() {
    for folder in ["events", "projections"] {
        for path in rust_files(&format!("{folder}/src")) {
            let code = code(&path);
            let mentioned = mentions(&code);
            for impure in IMPURE {
                let is_there = mentioned.contains(impure) || code.contains(&format!("{impure}::"));
                assert!(!is_there, "{} mentions {impure}", shown(&path));
            }
        }
        let manifest = fs::read_to_string(Path::new(ROOT).join(folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        let dependencies = dependencies.split("[dev-dependencies]").next().unwrap_or_default();
        for impure in IMPURE {
            assert!(!dependencies.contains(impure), "{folder}/Cargo.toml names {impure}");
        }
    }
}

#[test]
fn both_dialects_have_the_same_migrations() {
    let names = |dialect: &str| -> BTreeSet<String> {
        let folder = Path::new(ROOT).join("migrations").join(dialect);
        let files = crate::server::files(&folder);
        files.iter().map(|path| path.file_name().unwrap().display().to_string()).collect()
    };
    let (sqlite, postgres) = (names("sqlite"), names("postgres"));
    assert_eq!(sqlite, postgres);
    for (number, name) in (1..).zip(&sqlite) {
        assert!(name.starts_with(&format!("{number:04}_")), "{name} is number {number}");
    }
}

#[test]
fn names_say_what_a_file_does() {
    for path in every_rust_file() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert_ne!(stem, "mod", "{}: `name.rs` and `name/`", shown(&path));
        assert!(!BANNED_NAMES.contains(&stem), "{}", shown(&path));
    }
}

#[test]
fn files_are_short_and_say_what_they_are_for() {
    for path in every_rust_file() {
        let text = fs::read_to_string(&path).unwrap();
        let name = shown(&path);
        assert!(text.lines().count() <= MOST_LINES, "{name} is longer than {MOST_LINES} lines");
        assert!(text.starts_with("//! "), "{name} opens with what it is for");
    }
}

#[test]
fn nothing_is_unwrapped_in_the_product() {
    for path in ["src", "events/src", "projections/src"].into_iter().flat_map(rust_files) {
        let code = code(&path);
        let name = shown(&path);
        if name.ends_with("/tests.rs")
            || name.ends_with("given.rs")
            || name.ends_with("golden.rs")
            || name.ends_with("table.rs")
        {
            continue;
        }
        assert!(!code.contains(".unwrap()"), "{name} unwraps");
        assert!(!code.contains("TODO") && !code.contains("todo!("), "{name} is not finished");
    }
}
