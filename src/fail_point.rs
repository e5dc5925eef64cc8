//! Named places where a test may stop the process dead. Compiled to nothing without the feature
//! `fail-points`.

/// Blocks this thread for ever when `CHANCERY_FAIL_POINT` names this place and it was reached
/// `CHANCERY_FAIL_AFTER` times (once unless said), after writing `reached <name>` to stderr. With
/// `CHANCERY_FAIL_HOW=freeze` the whole process freezes instead, until it gets a SIGCONT.
#[cfg(feature = "fail-points")]
pub(crate) fn reached(name: &str) {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static CHOSEN: LazyLock<Option<String>> =
        LazyLock::new(|| std::env::var("CHANCERY_FAIL_POINT").ok());
    static LEFT: LazyLock<AtomicU64> = LazyLock::new(|| {
        let after = std::env::var("CHANCERY_FAIL_AFTER").ok();
        AtomicU64::new(after.and_then(|text| text.parse().ok()).unwrap_or(1))
    });
    if CHOSEN.as_deref() == Some(name) && LEFT.fetch_sub(1, Ordering::SeqCst) == 1 {
        eprintln!("reached {name}");
        if std::env::var("CHANCERY_FAIL_HOW").is_ok_and(|how| how == "freeze") {
            let id = std::process::id().to_string();
            drop(std::process::Command::new("kill").args(["-s", "STOP", &id]).status());
            return;
        }
        loop {
            std::thread::park();
        }
    }
}

#[cfg(not(feature = "fail-points"))]
pub(crate) fn reached(_: &str) {}
