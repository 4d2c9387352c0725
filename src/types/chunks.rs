//! Sets of chunks: numbers, ranges and bitmaps over the chunks of one content.

use std::{fmt, ops::Range};

/// The number of a chunk within its content, counted across the files of the manifest in order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkNo(pub u32);

impl ChunkNo {
    /// The number as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for ChunkNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for ChunkNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// A half-open, non-empty run of chunk numbers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkRange {
    start: u32,
    end: u32,
}

impl ChunkRange {
    /// `None` when it would be empty.
    #[must_use]
    pub fn new(start: u32, end: u32) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// First number.
    #[must_use]
    pub fn start(self) -> u32 {
        self.start
    }

    /// One past the last number.
    #[must_use]
    pub fn end(self) -> u32 {
        self.end
    }

    /// How many chunks.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(self) -> u32 {
        self.end - self.start
    }

    /// Its numbers in order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = ChunkNo> {
        (self.start..self.end).map(ChunkNo)
    }
}

impl fmt::Debug for ChunkRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}..{}", self.start, self.end)
    }
}

/// A list of disjoint ranges in an order that means something (a getter's preference), bounded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChunkRanges(Vec<ChunkRange>);

impl ChunkRanges {
    /// Keeps a request's frame far below 64 KiB: two numbers of seven digits a range.
    pub const COUNT_MAX: usize = 2_048;

    /// Refuses empty ranges, numbers at or above `chunk_count`, overlaps and overlong lists.
    pub fn new(pairs: &[(u32, u32)], chunk_count: u32) -> Result<Self, RangesError> {
        if pairs.len() > Self::COUNT_MAX {
            return Err(RangesError::TooMany { count: pairs.len(), max: Self::COUNT_MAX });
        }
        let mut ranges = Vec::with_capacity(pairs.len());
        for &(start, end) in pairs {
            let range = ChunkRange::new(start, end).ok_or(RangesError::Empty)?;
            if end > chunk_count {
                return Err(RangesError::OutOfRange { end, chunk_count });
            }
            ranges.push(range);
        }
        let mut sorted = ranges.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0].end > pair[1].start) {
            return Err(RangesError::Overlap);
        }
        Ok(Self(ranges))
    }

    /// Runs of consecutive numbers, in the order given, at most [`Self::COUNT_MAX`] of them; the rest is dropped.
    #[must_use]
    pub fn from_preference(chunks: impl IntoIterator<Item = ChunkNo>) -> Self {
        let mut ranges: Vec<ChunkRange> = Vec::new();
        for ChunkNo(number) in chunks {
            let full = ranges.len() == Self::COUNT_MAX;
            match ranges.last_mut() {
                Some(last) if last.end == number => last.end += 1,
                Some(_) if full => break,
                Some(_) | None => ranges.push(ChunkRange { start: number, end: number + 1 }),
            }
        }
        Self(ranges)
    }

    /// The ranges in their order.
    #[must_use]
    pub fn as_slice(&self) -> &[ChunkRange] {
        &self.0
    }

    /// Every number, in the order of the ranges.
    pub fn iter(&self) -> impl Iterator<Item = ChunkNo> {
        self.0.iter().flat_map(|range| range.iter())
    }

    /// Chunks in all ranges together.
    #[must_use]
    pub fn chunk_count(&self) -> u64 {
        self.0.iter().map(|range| u64::from(range.len())).sum()
    }

    /// Whether there are no ranges.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why ranges were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangesError {
    /// More ranges than a request may carry.
    #[error("{count} ranges, {max} is the most")]
    TooMany {
        /// Ranges found.
        count: usize,
        /// Ranges allowed.
        max: usize,
    },
    /// A range without chunks.
    #[error("a range is empty")]
    Empty,
    /// A number the content does not have.
    #[error("a range ends at {end}, the content has {chunk_count} chunks")]
    OutOfRange {
        /// End of the range.
        end: u32,
        /// Chunks of the content.
        chunk_count: u32,
    },
    /// A chunk named twice.
    #[error("two ranges overlap")]
    Overlap,
}

/// A bitmap over the chunks of one content. Its length is fixed; bits beyond it are zero.
#[derive(Clone, PartialEq, Eq)]
pub struct ChunkSet {
    words: Vec<u64>,
    chunk_count: u32,
    ones: u32,
}

impl ChunkSet {
    /// No chunk of `chunk_count`.
    #[must_use]
    pub fn empty(chunk_count: u32) -> Self {
        Self { words: vec![0; (chunk_count as usize).div_ceil(64)], chunk_count, ones: 0 }
    }

    /// Every chunk of `chunk_count`.
    #[must_use]
    pub fn full(chunk_count: u32) -> Self {
        let mut set =
            Self { words: vec![u64::MAX; (chunk_count as usize).div_ceil(64)], chunk_count, ones: chunk_count };
        let tail = chunk_count % 64;
        if tail != 0
            && let Some(last) = set.words.last_mut()
        {
            *last = (1 << tail) - 1;
        }
        set
    }

    /// From bytes, least significant bit first, as on the wire and on disk. `None` when the length
    /// is not exactly `chunk_count / 8` rounded up or a bit beyond the end is set.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], chunk_count: u32) -> Option<Self> {
        if bytes.len() != (chunk_count as usize).div_ceil(8) {
            return None;
        }
        let tail = chunk_count % 8;
        if tail != 0 && bytes.last().is_some_and(|last| last >> tail != 0) {
            return None;
        }
        let words: Vec<u64> = bytes
            .chunks(8)
            .map(|part| {
                let mut word = [0; 8];
                word[..part.len()].copy_from_slice(part);
                u64::from_le_bytes(word)
            })
            .collect();
        let ones = words.iter().map(|word| word.count_ones()).sum();
        Some(Self { words, chunk_count, ones })
    }

    /// As [`Self::from_bytes`] takes it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_le_bytes()).collect();
        bytes.truncate((self.chunk_count as usize).div_ceil(8));
        bytes
    }

    /// How many chunks the content has.
    #[must_use]
    pub fn chunk_count(&self) -> u32 {
        self.chunk_count
    }

    /// How many chunks are in the set.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.ones
    }

    /// Whether no chunk is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ones == 0
    }

    /// Whether every chunk is in the set.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.ones == self.chunk_count
    }

    /// Whether `chunk` is in the set; false for numbers beyond the end.
    #[must_use]
    pub fn contains(&self, chunk: ChunkNo) -> bool {
        self.words.get(chunk.index() / 64).is_some_and(|word| word >> (chunk.0 % 64) & 1 == 1)
    }

    /// Puts `chunk` in; true when it was not there. Numbers beyond the end are ignored.
    pub fn insert(&mut self, chunk: ChunkNo) -> bool {
        if chunk.0 >= self.chunk_count || self.contains(chunk) {
            return false;
        }
        self.words[chunk.index() / 64] |= 1 << (chunk.0 % 64);
        self.ones += 1;
        true
    }

    /// Takes `chunk` out; true when it was there.
    pub fn remove(&mut self, chunk: ChunkNo) -> bool {
        if !self.contains(chunk) {
            return false;
        }
        self.words[chunk.index() / 64] &= !(1 << (chunk.0 % 64));
        self.ones -= 1;
        true
    }

    /// Puts in all of `other`, a set over the same content.
    pub fn insert_all(&mut self, other: &Self) {
        for (word, more) in self.words.iter_mut().zip(&other.words) {
            self.ones += (more & !*word).count_ones();
            *word |= more;
        }
    }

    /// The numbers in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = ChunkNo> + '_ {
        self.words.iter().enumerate().flat_map(|(index, &word)| {
            let mut rest = word;
            std::iter::from_fn(move || {
                (rest != 0).then(|| {
                    let bit = rest.trailing_zeros();
                    rest &= rest - 1;
                    ChunkNo(index as u32 * 64 + bit)
                })
            })
        })
    }

    /// The set as ascending runs.
    #[must_use]
    pub fn ranges(&self) -> Vec<ChunkRange> {
        let mut ranges: Vec<ChunkRange> = Vec::new();
        for ChunkNo(number) in self.iter() {
            match ranges.last_mut() {
                Some(last) if last.end == number => last.end += 1,
                Some(_) | None => ranges.push(ChunkRange { start: number, end: number + 1 }),
            }
        }
        ranges
    }

    /// Chunks of `range` in the set.
    #[must_use]
    pub fn count_in(&self, range: Range<u32>) -> u32 {
        let end = range.end.min(self.chunk_count);
        if range.start >= end {
            return 0;
        }
        let (first, last) = (range.start / 64, (end - 1) / 64);
        (first..=last)
            .map(|word| {
                let before = if word == first { u64::MAX << (range.start % 64) } else { u64::MAX };
                let within = if word == last { before & (u64::MAX >> (63 - (end - 1) % 64)) } else { before };
                (self.word(word as usize) & within).count_ones()
            })
            .sum()
    }

    /// The 64 bits from `word * 64` on, for set arithmetic without looking at single chunks.
    #[must_use]
    pub fn word(&self, word: usize) -> u64 {
        self.words.get(word).copied().unwrap_or(0)
    }

    /// How many words [`Self::word`] has.
    #[must_use]
    pub fn word_count(&self) -> usize {
        self.words.len()
    }
}

impl fmt::Debug for ChunkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} {:?}", self.ones, self.chunk_count, self.ranges())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_is_a_set_and_survives_bytes(chunk_count in 0u32..300, numbers in proptest::collection::vec(0u32..320, 0..200)) {
            let mut set = ChunkSet::empty(chunk_count);
            let mut model = BTreeSet::new();
            for number in numbers {
                if model.contains(&number) {
                    prop_assert!(set.remove(ChunkNo(number)));
                    model.remove(&number);
                } else if number < chunk_count {
                    prop_assert!(set.insert(ChunkNo(number)));
                    model.insert(number);
                } else {
                    prop_assert!(!set.insert(ChunkNo(number)));
                }
            }
            prop_assert_eq!(set.len() as usize, model.len());
            prop_assert_eq!(set.iter().map(|c| c.0).collect::<BTreeSet<_>>(), model);
            let read_back = ChunkSet::from_bytes(&set.to_bytes(), chunk_count);
            prop_assert_eq!(read_back.as_ref(), Some(&set));
            let spread: u32 = set.ranges().iter().map(|r| r.len()).sum();
            prop_assert_eq!(spread, set.len());
        }

        #[test]
        fn a_range_is_counted_as_one_by_one(
            chunk_count in 0_u32..300, numbers in proptest::collection::vec(0_u32..300, 0..200), from in 0_u32..320, len in 0_u32..320,
        ) {
            let mut set = ChunkSet::empty(chunk_count);
            for number in numbers {
                set.insert(ChunkNo(number));
            }
            let range = from..from + len;
            let one_by_one = range.clone().filter(|number| set.contains(ChunkNo(*number))).count();
            prop_assert_eq!(set.count_in(range) as usize, one_by_one);
        }
    }

    #[test]
    fn a_set_takes_in_another() {
        let mut set = ChunkSet::empty(70);
        set.insert(ChunkNo(3));
        let mut other = set.clone();
        other.insert(ChunkNo(69));
        set.insert_all(&other);
        assert_eq!((set.len(), set == other), (2, true));
        set.insert_all(&ChunkSet::full(70));
        assert!(set.is_full());
    }

    #[test]
    fn bitmaps_with_stray_bits_or_wrong_length_are_refused() {
        assert!(ChunkSet::from_bytes(&[0b1000], 3).is_none());
        assert!(ChunkSet::from_bytes(&[0, 0], 3).is_none());
        assert!(ChunkSet::from_bytes(&[0b111], 3).is_some_and(|set| set.is_full()));
        assert!(ChunkSet::full(64).is_full() && ChunkSet::full(65).is_full() && ChunkSet::full(0).is_full());
    }

    #[test]
    fn ranges_keep_their_order_and_are_checked() {
        assert_eq!(
            ChunkRanges::new(&[(5, 7), (0, 2)], 7).unwrap().iter().map(|c| c.0).collect::<Vec<_>>(),
            [5, 6, 0, 1]
        );
        assert_eq!(ChunkRanges::new(&[(0, 8)], 7), Err(RangesError::OutOfRange { end: 8, chunk_count: 7 }));
        assert_eq!(ChunkRanges::new(&[(3, 3)], 7), Err(RangesError::Empty));
        assert_eq!(ChunkRanges::new(&[(0, 3), (2, 4)], 7), Err(RangesError::Overlap));
        let preferred = ChunkRanges::from_preference([9, 10, 11, 3, 4, 20].map(ChunkNo));
        assert_eq!(format!("{preferred:?}"), "ChunkRanges([#9..12, #3..5, #20..21])");
    }
}
