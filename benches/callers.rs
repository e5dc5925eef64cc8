//! Callers who append at the same time, each to a stream of its own.

use std::sync::Arc;
use std::time::Instant;

use chancery::event_log::{EventLog, Expected, NewEvent};
use events::stream::Stream;
use tokio::task::JoinSet;

use crate::line::Writer;
use crate::rounds::length;

/// One append, ready to go.
#[derive(Clone)]
pub(crate) struct Ready {
    pub(crate) stream: Stream,
    pub(crate) expected: Expected,
    pub(crate) event: NewEvent,
}

/// For each caller what it appends, one after the other.
pub(crate) type Work = Vec<Vec<Ready>>;

pub(crate) struct Callers {
    writers: Vec<Writer>,
    /// Appends of each caller in one round.
    each: usize,
}

impl Callers {
    pub(crate) fn new(count: usize) -> Self {
        Self { writers: (0..count).map(|_| Writer::new()).collect(), each: 1 }
    }

    pub(crate) fn work(&mut self, each: usize) -> Work {
        let ready = |writer: &mut Writer| {
            let (stream, expected) = (writer.stream, Expected::after(writer.next));
            Ready { stream, expected, event: writer.line() }
        };
        self.writers.iter_mut().map(|writer| (0..each).map(|_| ready(writer)).collect()).collect()
    }

    /// What fills a round.
    pub(crate) fn each(&self) -> usize {
        self.each
    }

    /// Finds out how much work fills a round.
    pub(crate) fn calibrate(
        &mut self,
        mut raw: impl FnMut(Work) -> f64,
        mut ours: impl FnMut(Work) -> f64,
    ) {
        let work = self.work((256 / self.writers.len()).max(8));
        let rate = raw(work.clone()).max(ours(work));
        let all = rate * length().as_secs_f64();
        #[expect(clippy::cast_possible_truncation, reason = "a count of appends is small")]
        #[expect(clippy::cast_sign_loss, reason = "rates are positive")]
        let all = all as usize;
        self.each = (all / self.writers.len()).max(2);
    }
}

pub(crate) async fn appends(log: &Arc<EventLog>, work: Work) -> f64 {
    let started = Instant::now();
    let count = work.iter().map(Vec::len).collect::<Vec<_>>();
    let mut callers = JoinSet::new();
    for list in work {
        let log = Arc::clone(log);
        callers.spawn(async move {
            for Ready { stream, expected, event } in list {
                log.append(&stream, expected, vec![event]).await.expect("nobody else appends");
            }
        });
    }
    callers.join_all().await;
    rate_of(&count, started)
}

pub(crate) fn rate_of(count: &[usize], started: Instant) -> f64 {
    let count = u32::try_from(count.iter().sum::<usize>()).expect("a round is short");
    f64::from(count) / started.elapsed().as_secs_f64()
}
