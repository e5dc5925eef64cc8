//! Work that is done on several cores, and comes back in the order in which it was given out. As much
//! of it is in memory as the cores have in their hands, and no more.

use std::num::NonZero;
use std::sync::mpsc::sync_channel;
use std::thread;

/// Pieces that a core has, or has done: it never waits for the next one.
const EACH: usize = 2;
/// More would wait for the one that puts the pieces in order.
const MOST_CORES: usize = 4;

/// Does `work` on every piece, on several cores, and gives what comes of it to `take`, in the order of the pieces, on
/// the caller's thread. Ends with the first error of `take`.
pub fn in_order<P: Send, R: Send, E>(
    pieces: impl Iterator<Item = P>,
    work: impl Fn(P) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_CORES);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores)
            .map(|_| {
                let (give, given) = sync_channel::<P>(EACH);
                let (hand_back, done) = sync_channel::<R>(EACH);
                let work = &work;
                scope.spawn(move || {
                    given.into_iter().try_for_each(|piece| hand_back.send(work(piece)))
                });
                (give, done)
            })
            .collect();
        let worker = |number: usize| &workers[number % cores];
        let sound = "a worker ends before its channels only when it panics";
        let (mut given, mut taken) = (0, 0);
        for piece in pieces {
            if given - taken == cores * EACH {
                take(worker(taken).1.recv().expect(sound))?;
                taken += 1;
            }
            worker(given).0.send(piece).expect(sound);
            given += 1;
        }
        (taken..given).try_for_each(|number| take(worker(number).1.recv().expect(sound)))
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn what_is_done_comes_back_in_order() {
        for count in [0, 1, 2, 3, 7, 1000] {
            let mut back = Vec::new();
            let take = |done| {
                back.push(done);
                Ok::<_, Infallible>(())
            };
            in_order(0..count, |piece: u64| piece * piece, take).expect("nothing is wrong");
            assert_eq!(back, (0..count).map(|piece| piece * piece).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_first_error_ends_it() {
        let mut seen = 0;
        let take = |done: u64| {
            seen += 1;
            if done < 5 { Ok(()) } else { Err(done) }
        };
        assert_eq!(in_order(0.., |piece| piece, take), Err(5));
        assert_eq!(seen, 6);
    }
}
