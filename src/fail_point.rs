//! Named places where a test may stop the process dead. Compiled to nothing without the feature
//! `fail-points`.

/// Blocks this thread when `CHANCERY_FAIL_POINT` names this place and it was reached
/// `CHANCERY_FAIL_AFTER` times (once unless said), after writing `reached <name>` to stderr: for
/// ever, with `CHANCERY_FAIL_HOW=sleep` until the process gets a SIGCONT, or with `abort` not at all,
/// because the process ends there and then.
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
        let how = std::env::var("CHANCERY_FAIL_HOW");
        if how.as_deref() == Ok("sleep") {
            until_continued(name);
            return;
        }
        eprintln!("reached {name}");
        if how.as_deref() == Ok("abort") {
            std::process::abort();
        }
        loop {
            std::thread::park();
        }
    }
}

#[cfg(feature = "fail-points")]
fn until_continued(name: &str) {
    use tokio::signal::unix::{SignalKind, signal};

    const SIGCONT: i32 = if cfg!(target_os = "linux") { 18 } else { 19 };
    let wait = || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut continued = signal(SignalKind::from_raw(SIGCONT))?;
            eprintln!("reached {name}");
            continued.recv().await;
            Ok(())
        })
    };
    // a runtime cannot be started on a thread that belongs to another
    std::thread::scope(|scope| drop(scope.spawn(wait).join()));
}

#[cfg(not(feature = "fail-points"))]
pub(crate) fn reached(_: &str) {}
