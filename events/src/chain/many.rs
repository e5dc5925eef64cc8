//! The links of many lines at once. BLAKE3 goes through one line block by block, each after the one
//! before; but a processor has room for four to sixteen lines side by side. The library does so with
//! the parts of one large input only: what it does it with is public, but no promise, so its version
//! is fixed, and a test holds each length against `blake3::hash`.

use blake3::IncrementCounter;
use blake3::platform::Platform;
use blake3::{BLOCK_LEN, CHUNK_LEN};

use super::Link;

/// As many as any processor takes side by side.
const MOST: usize = 16;
/// Blocks of a line that is one chunk, the largest that is not made of several.
const MOST_BLOCKS: usize = CHUNK_LEN / BLOCK_LEN;

/// Where each hash begins, and what a block is (BLAKE3, sections 2.1 and 2.2).
const START: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
const CHUNK_START: u8 = 1;
const CHUNK_END: u8 = 2;
const ROOT: u8 = 8;

impl Link {
    /// What [`Link::of_line`] says of each, faster than one after the other.
    pub fn of_lines(lines: &[&[u8]]) -> Vec<Self> {
        let mut links = vec![Self::FIRST; lines.len()];
        let mut alike: [Vec<usize>; MOST_BLOCKS] = Default::default();
        for (number, line) in lines.iter().enumerate() {
            match line.len().saturating_sub(1) / BLOCK_LEN {
                // one block, or several chunks
                0 | MOST_BLOCKS.. => links[number] = Self::of_line(line),
                before_the_last => alike[before_the_last].push(number),
            }
        }
        let platform = Platform::detect();
        for (blocks, numbers) in alike.iter().enumerate() {
            for numbers in numbers.chunks(MOST) {
                let (mut states, mut together) = ([[0; 32]; MOST], [&[][..]; MOST]);
                for (line, number) in together.iter_mut().zip(numbers) {
                    *line = lines[*number];
                }
                let together = &together[..numbers.len()];
                all_but_the_last(platform, blocks, together, states.as_flattened_mut());
                for ((number, line), state) in numbers.iter().zip(together).zip(&states) {
                    links[*number] = last(platform, state, &line[blocks * BLOCK_LEN..]);
                }
            }
        }
        links
    }
}

/// Takes so many whole blocks of each line, side by side.
fn all_but_the_last(platform: Platform, blocks: usize, lines: &[&[u8]], states: &mut [u8]) {
    let take = match blocks {
        1 => taken::<64>,
        2 => taken::<128>,
        3 => taken::<192>,
        4 => taken::<256>,
        5 => taken::<320>,
        6 => taken::<384>,
        7 => taken::<448>,
        8 => taken::<512>,
        9 => taken::<576>,
        10 => taken::<640>,
        11 => taken::<704>,
        12 => taken::<768>,
        13 => taken::<832>,
        14 => taken::<896>,
        15 => taken::<960>,
        _ => unreachable!("a line of one block, or of several chunks, goes alone"),
    };
    take(platform, lines, states);
}

fn taken<const BYTES: usize>(platform: Platform, lines: &[&[u8]], states: &mut [u8]) {
    let mut inputs = [&[0; BYTES]; MOST];
    for (input, line) in inputs.iter_mut().zip(lines) {
        *input = line.first_chunk().expect("the lines have these blocks and another");
    }
    let inputs = &inputs[..lines.len()];
    platform.hash_many(inputs, &START, 0, IncrementCounter::No, 0, CHUNK_START, 0, states);
}

/// Takes the last block, which need not be whole.
fn last(platform: Platform, state: &[u8; 32], rest: &[u8]) -> Link {
    let mut words = [0; 8];
    for (word, bytes) in words.iter_mut().zip(state.as_chunks().0) {
        *word = u32::from_le_bytes(*bytes);
    }
    let mut block = [0; BLOCK_LEN];
    block[..rest.len()].copy_from_slice(rest);
    let length = u8::try_from(rest.len()).expect("a block has 64 bytes");
    platform.compress_in_place(&mut words, &block, length, 0, CHUNK_END | ROOT);
    let mut link = [0; 32];
    link.as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
    Link(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that differ everywhere.
    fn line(length: usize, number: usize) -> Vec<u8> {
        let bytes = (0..length).map(|at| (at * 31 + at / 251 + number * 7).to_le_bytes()[0]);
        bytes.collect()
    }

    fn assert_as_alone(lines: &[Vec<u8>]) {
        let lines: Vec<&[u8]> = lines.iter().map(Vec::as_slice).collect();
        let alone: Vec<Link> = lines.iter().map(|line| Link::of_line(line)).collect();
        assert_eq!(Link::of_lines(&lines), alone);
    }

    #[test]
    fn lines_of_every_length_have_the_same_link_together_and_alone() {
        assert_as_alone(&(0..2200).map(|length| line(length, length)).collect::<Vec<_>>());
    }

    #[test]
    fn any_number_of_lines_alike_have_the_same_link_together_and_alone() {
        for count in 0..=40 {
            let alike = |number| line(640 + number % 3, number);
            assert_as_alone(&(0..count).map(alike).collect::<Vec<_>>());
        }
    }
}
