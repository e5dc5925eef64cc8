//! The pass that every verification makes over the lines of a log: each is canonical, has its number,
//! links to the line before and is not older than it; and all have one root. Raw is both hashes, once
//! over the same bytes, on one thread, by blocks that do not know of lines.

use std::convert::Infallible;
use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::time::Instant;

use chancery::in_order::in_order;
use chancery::pieces::{Piece, Pieces};
use events::chain::{Link, Step, Walk};
use events::stream::Stream;
use events::tree::{Edge, Hash};
use events::wire::LONGEST_LINE;
use sha2::{Digest as _, Sha256};

use crate::line::Writer;
use crate::memory::Memory;
use crate::rounds::{compare, say, title};

const LINES: u32 = 1_000_000;
const BLOCK: usize = 256 * 1024;
const GOAL: f64 = 0.5;

pub(crate) fn measure() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("events.jsonl");
    let (stream, end) = write(&path);
    let bytes = fs::metadata(&path).expect("it is there").len();
    title(&format!("a pass over a million lines, {} MB: lines", bytes / 1_000_000));
    let ours = |()| rate(|| assert_eq!(walk(&path, &stream), end, "each line was walked"));
    let memory = Memory::of(std::process::id());
    compare("raw: both hashes, by blocks", Some(GOAL), || (), |()| rate(|| hash(&path)), ours);
    let raw = |()| rate(|| hash_lines(&path));
    compare("raw: both hashes, line by line", None, || (), raw, ours);
    say(&format!("{:46} {:4} MB more at most", "", memory.grown()));
}

fn rate(work: impl FnOnce()) -> f64 {
    let started = Instant::now();
    work();
    f64::from(LINES) / started.elapsed().as_secs_f64()
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
    black_box((blake3.finalize(), sha256.finalize()));
}

fn hash_lines(path: &Path) {
    let mut file = BufReader::with_capacity(BLOCK, File::open(path).expect("it is there"));
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.read_until(b'\n', &mut line).expect("it can be read") == 0 {
            break;
        }
        black_box((Link::of_line(&line), Hash::of_leaf(&line)));
    }
}

/// As a verification does it: lines are read here, looked at on all cores, and compared here again.
fn walk(path: &Path, stream: &Stream) -> (u64, Link) {
    let pieces = Pieces::of(File::open(path).expect("it is there"), LONGEST_LINE);
    let examined = |piece: Piece| {
        let lines = piece.split();
        assert!(lines.ended_by.is_none(), "nothing is wrong with the file");
        let all: Vec<_> = lines.iter().collect();
        let with_links = all.iter().zip(Link::of_lines(&all));
        let examined =
            with_links.map(|(line, link)| (Step::of_line(line, link).ok(), Hash::of_leaf(line)));
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
    black_box(edge.root());
    walk.end()
}
