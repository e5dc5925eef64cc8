//! The pass that every verification makes over the lines of a log: each is canonical, has its number,
//! links to the line before and is not older than it; and all have one root. Raw is both hashes, once
//! over the same bytes, on one thread, by blocks that do not know of lines.

use std::convert::Infallible;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::iter;
use std::path::Path;
use std::time::{Duration, Instant};

use chancery::in_order::in_order;
use events::chain::{Link, Step, Walk};
use events::stream::Stream;
use events::tree::{Edge, Hash};
use sha2::{Digest as _, Sha256};

use crate::line::Writer;

const LINES: u64 = 1_000_000;
const ROUNDS: usize = 5;
const BLOCK: usize = 256 * 1024;
const GOAL: f64 = 0.5;

pub(crate) fn measure() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("events.jsonl");
    let (stream, end) = write(&path);
    let bytes = fs::metadata(&path).expect("it is there").len();
    println!("\na pass over {LINES} lines, {} MB", bytes / 1_000_000);
    let (mut hashed, mut each, mut walked, mut ratios) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        hashed.push(timed(|| hash(&path)));
        each.push(timed(|| hash_lines(&path)));
        walked.push(timed(|| assert_eq!(walk(&path, &stream), end, "each line was walked")));
        ratios
            .push(hashed[hashed.len() - 1].as_secs_f64() / walked[walked.len() - 1].as_secs_f64());
    }
    println!("{hashed:?} {each:?} {walked:?} {ratios:?} {GOAL}");
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn write(path: &Path) -> (Stream, (u64, Link)) {
    let mut file = BufWriter::new(File::create(path).expect("the disk has room"));
    let mut writer = Writer::new();
    for _ in 0..LINES {
        file.write_all(&writer.line().line).expect("the disk has room");
        file.write_all(b"\n").expect("the disk has room");
    }
    file.flush().expect("the disk has room");
    (writer.stream, (writer.next, writer.prev))
}

fn hash(path: &Path) {
    let mut file = File::open(path).expect("it is there");
    let (mut block, mut blake3, mut sha256) =
        (vec![0; BLOCK], blake3::Hasher::new(), Sha256::new());
    loop {
        let read = file.read(&mut block).expect("it can be read");
        if read == 0 {
            break;
        }
        blake3.update(&block[..read]);
        sha256.update(&block[..read]);
    }
    std::hint::black_box((blake3.finalize(), sha256.finalize()));
}

fn hash_lines(path: &Path) {
    let mut file = BufReader::with_capacity(BLOCK, File::open(path).expect("it is there"));
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).expect("it can be read") == 0 {
            break;
        }
        std::hint::black_box((Link::of_line(&line), Hash::of_leaf(&line)));
    }
}

fn walk(path: &Path, stream: &Stream) -> (u64, Link) {
    let mut file = BufReader::with_capacity(BLOCK, File::open(path).expect("it is there"));
    let pieces = iter::from_fn(|| {
        let mut piece = Vec::with_capacity(2 * BLOCK);
        while piece.len() < BLOCK {
            if file.read_until(b'\n', &mut piece).expect("it can be read") == 0 {
                break;
            }
        }
        (!piece.is_empty()).then_some(piece)
    });
    let examined = |piece: Vec<u8>| {
        let lines = piece[..piece.len() - 1].split(|byte| *byte == b'\n');
        let examined = lines.map(|line| (Step::of_line(line).ok(), Hash::of_leaf(line)));
        examined.collect::<Vec<_>>()
    };
    let (mut walk, mut edge) = (Walk::new(stream), Edge::default());
    let take = |examined: Vec<(Option<Step>, Hash)>| {
        for (step, leaf) in examined {
            walk.take(step.as_ref()).expect("nothing was changed");
            edge.push(leaf, |_, _| ());
        }
        Ok::<_, Infallible>(())
    };
    let Ok(()) = in_order(pieces, examined, take);
    std::hint::black_box(edge.root());
    walk.end()
}
