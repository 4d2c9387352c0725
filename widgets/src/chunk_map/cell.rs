//! Counting: per-chunk states into cells, exactly. Driven by whoever holds the states; draws nothing.

use std::ops::Range;

/// One chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChunkState {
    /// Verified and here.
    Here,
    /// On its way.
    Coming,
    /// Its content was wrong.
    Bad,
    /// Not here, and enough others have it.
    Missing,
    /// Not here, and so few others have it that it should be seen.
    Rare {
        /// How many others have it, down to 0.
        holders: u32,
    },
}

/// The missing chunks that hardly anybody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rare {
    /// How many such chunks, at least 1.
    pub chunks: u32,
    /// How many others have the rarest of them.
    pub holders: u32,
}

/// How many chunks of a range are in which state. What is none of these is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Verified and here.
    pub here: u32,
    /// On their way.
    pub coming: u32,
    /// Their content was wrong.
    pub bad: u32,
    /// Missing and rare; part of what is missing.
    pub rare: Option<Rare>,
}

impl Counts {
    /// Counts `chunks` chunks in one state.
    #[must_use]
    pub fn of(state: ChunkState, chunks: u32) -> Self {
        let none = Self::default();
        if chunks == 0 {
            return none;
        }
        match state {
            ChunkState::Here => Self { here: chunks, ..none },
            ChunkState::Coming => Self { coming: chunks, ..none },
            ChunkState::Bad => Self { bad: chunks, ..none },
            ChunkState::Missing => none,
            ChunkState::Rare { holders } => Self { rare: Some(Rare { chunks, holders }), ..none },
        }
    }

    /// The counts of two ranges together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let rare = match (self.rare, other.rare) {
            (Some(a), Some(b)) => {
                Some(Rare { chunks: a.chunks.saturating_add(b.chunks), holders: a.holders.min(b.holders) })
            }
            (rare, None) | (None, rare) => rare,
        };
        Self {
            here: self.here.saturating_add(other.here),
            coming: self.coming.saturating_add(other.coming),
            bad: self.bad.saturating_add(other.bad),
            rare,
        }
    }
}

/// One chunk in so many must be coming to be shown before how full the cell is: in a coarse map something comes nearly
/// everywhere, and nothing else would be seen.
const COMING_SHARE: u64 = 32;

/// A run of chunks and what is to be said of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cell {
    /// The number of the first chunk.
    pub first: u32,
    /// How many chunks.
    pub len: u32,
    /// Their states.
    pub counts: Counts,
}

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    /// Every chunk is here.
    Here,
    /// Some are: up to a third (0), up to two thirds (1), more (2).
    Partial(u8),
    /// None is here, nor anything else.
    Missing,
    /// Some chunk is coming: at least one in 32, or the first.
    Coming,
    /// The rarest missing chunk is held by so many, at most 9.
    Rare(u8),
    /// Some chunk is bad.
    Bad,
}

impl Cell {
    /// The numbers of its chunks.
    #[must_use]
    pub fn chunks(&self) -> Range<u32> {
        self.first..self.first.saturating_add(self.len)
    }

    /// Chunks that are neither here nor coming nor bad.
    #[must_use]
    pub fn missing(&self) -> u32 {
        let Counts { here, coming, bad, rare: _ } = self.counts;
        self.len.saturating_sub(here).saturating_sub(coming).saturating_sub(bad)
    }

    /// What it shows: what needs somebody comes first, then what moves, then how full it is.
    #[must_use]
    pub fn mark(&self) -> Mark {
        let Counts { here, coming, bad, rare } = self.counts;
        if bad > 0 {
            Mark::Bad
        } else if let Some(rare) = rare {
            Mark::Rare(rare.holders.min(9) as u8)
        } else if coming > 0 && (here == 0 || u64::from(coming) * COMING_SHARE >= u64::from(self.len)) {
            Mark::Coming
        } else if here == 0 {
            Mark::Missing
        } else if here >= self.len {
            Mark::Here
        } else {
            Mark::Partial(((u64::from(here) * 3).div_ceil(u64::from(self.len)) - 1) as u8)
        }
    }

    /// This cell and a later one as one. A stretched cell that is met again counts once; the range of two cells that do
    /// not touch means nothing.
    #[must_use]
    pub(super) fn merged(&self, other: &Self) -> Self {
        let (mine, theirs) = (self.chunks(), other.chunks());
        if mine.contains(&theirs.start) {
            if theirs.end <= mine.end {
                return *self;
            }
            // Both begin or end with a stretched cell: what they share is counted in both. Which chunks
            // are here is then known exactly only at the ends of the scale, which is all a character claims.
            let len = theirs.end - mine.start;
            let shared = mine.end - theirs.start;
            let counts = self.counts.plus(other.counts);
            let all = self.counts.here >= self.len && other.counts.here >= other.len;
            let some = counts.here.saturating_sub(shared).clamp(counts.here.min(1), (len - 1).max(1));
            return Self { first: mine.start, len, counts: Counts { here: if all { len } else { some }, ..counts } };
        }
        Self {
            first: self.first.min(other.first),
            len: self.len.saturating_add(other.len),
            counts: self.counts.plus(other.counts),
        }
    }
}

/// Something that knows the state of every chunk and can count a range of them.
///
/// Bitmaps count bits, runs count runs; a slice of states counts one by one.
pub trait ChunkStates {
    /// How many chunks there are.
    fn chunk_count(&self) -> u32;

    /// Counts over exactly `chunks`, which lies within `0..chunk_count`.
    fn count(&self, chunks: Range<u32>) -> Counts;
}

impl ChunkStates for [ChunkState] {
    fn chunk_count(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn count(&self, chunks: Range<u32>) -> Counts {
        self[chunks.start as usize..chunks.end as usize]
            .iter()
            .fold(Counts::default(), |sum, &state| sum.plus(Counts::of(state, 1)))
    }
}

/// So many chunks in one state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Run {
    /// How many chunks.
    pub len: u32,
    /// The state of all of them.
    pub state: ChunkState,
}

/// Chunk states as runs that follow each other from chunk 0.
///
/// ```
/// use potluck_widgets::{ChunkState, Run, Runs, aggregate};
///
/// let runs = [Run { len: 900, state: ChunkState::Here }, Run { len: 100, state: ChunkState::Missing }];
/// let cells = aggregate(&Runs::new(&runs), 2);
/// assert_eq!((cells[0].counts.here, cells[1].counts.here, cells[1].missing()), (500, 400, 100));
/// ```
#[derive(Debug, Clone)]
pub struct Runs<'a> {
    runs: &'a [Run],
    ends: Vec<u32>,
}

impl<'a> Runs<'a> {
    /// Chunks beyond `u32::MAX` are not counted.
    #[must_use]
    pub fn new(runs: &'a [Run]) -> Self {
        let ends = runs
            .iter()
            .scan(0_u32, |end, run| {
                *end = end.saturating_add(run.len);
                Some(*end)
            })
            .collect();
        Self { runs, ends }
    }
}

impl ChunkStates for Runs<'_> {
    fn chunk_count(&self) -> u32 {
        self.ends.last().copied().unwrap_or(0)
    }

    fn count(&self, chunks: Range<u32>) -> Counts {
        let from = self.ends.partition_point(|&end| end <= chunks.start);
        let mut counts = Counts::default();
        let mut start = chunks.start;
        for (run, &end) in self.runs[from..].iter().zip(&self.ends[from..]) {
            if start >= chunks.end {
                break;
            }
            let stop = end.min(chunks.end);
            counts = counts.plus(Counts::of(run.state, stop - start));
            start = stop;
        }
        counts
    }
}

/// All chunks as `cells` cells in order.
///
/// With at least as many chunks as cells every chunk lies in exactly one cell and cells differ by at most one chunk.
/// With fewer, every cell is one chunk and the chunks take runs of cells that differ by at most one. No chunks, no cells.
///
/// ```
/// use potluck_widgets::{ChunkState::{Here, Missing}, aggregate};
///
/// let cells = aggregate([Here, Here, Missing].as_slice(), 2);
/// assert_eq!((cells[0].chunks(), cells[1].chunks()), (0..1, 1..3));
/// ```
#[must_use]
pub fn aggregate<S: ChunkStates + ?Sized>(states: &S, cells: usize) -> Vec<Cell> {
    aggregate_range(states, 0..states.chunk_count(), cells)
}

/// As [`aggregate`], of some of the chunks: a map that is zoomed in. What of `chunks` does not exist is left out.
#[must_use]
pub fn aggregate_range<S: ChunkStates + ?Sized>(states: &S, chunks: Range<u32>, cells: usize) -> Vec<Cell> {
    let end = chunks.end.min(states.chunk_count());
    let total = end.saturating_sub(chunks.start) as usize;
    (0..cells)
        .filter_map(|cell| {
            let part = share(cell, cells, total)?;
            let range = chunks.start + part.start as u32..chunks.start + part.end as u32;
            Some(Cell { first: range.start, len: range.end - range.start, counts: states.count(range) })
        })
        .collect()
}

/// Cells grouped or stretched to `count`: grouping adds up whole cells, stretching repeats them.
#[must_use]
pub fn regroup(cells: &[Cell], count: usize) -> Vec<Cell> {
    (0..count)
        .filter_map(|at| {
            let (first, rest) = cells[share(at, count, cells.len())?].split_first()?;
            Some(rest.iter().fold(*first, |sum, cell| sum.merged(cell)))
        })
        .collect()
}

/// Which of `total` things belong to part `part` of `parts`; one thing for each part if there are fewer things.
fn share(part: usize, parts: usize, total: usize) -> Option<Range<usize>> {
    let bound = |part: usize| (part as u128 * total as u128 / parts as u128) as usize;
    let start = bound(part);
    (total > 0).then(|| start..bound(part + 1).max(start + 1))
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    pub(crate) fn states() -> impl Strategy<Value = Vec<ChunkState>> {
        let run = (
            1_usize..40,
            prop_oneof![
                6 => Just(ChunkState::Here),
                4 => Just(ChunkState::Missing),
                2 => Just(ChunkState::Coming),
                1 => Just(ChunkState::Bad),
                1 => (0_u32..4).prop_map(|holders| ChunkState::Rare { holders }),
            ],
        );
        vec(run, 0..20).prop_map(|runs| runs.into_iter().flat_map(|(len, state)| vec![state; len]).collect())
    }

    /// A download in the middle: full, then thinner and thinner, with each thing that needs somebody.
    pub(crate) fn story() -> Vec<ChunkState> {
        let mut states: Vec<ChunkState> = (0..4000_u32)
            .map(|chunk| {
                // A fixed scatter that fills less and less of each stretch.
                let scattered = chunk.wrapping_mul(2_654_435_761) >> 20;
                if chunk < 1300 || scattered % 3000 > chunk { ChunkState::Here } else { ChunkState::Missing }
            })
            .collect();
        states[1500] = ChunkState::Bad;
        states[2222] = ChunkState::Rare { holders: 1 };
        states[2900..2960].fill(ChunkState::Rare { holders: 0 });
        states[2000..2012].fill(ChunkState::Coming);
        states[3990] = ChunkState::Coming;
        states
    }

    fn check_mark(len: u32, counts: Counts, expect: Mark) {
        assert_eq!(Cell { first: 0, len, counts }.mark(), expect, "{len} {counts:?}");
    }

    #[test]
    fn a_cell_shows_the_worst_it_holds() {
        let here = |here| Counts { here, ..Counts::default() };
        check_mark(17, here(0), Mark::Missing);
        check_mark(17, here(1), Mark::Partial(0));
        check_mark(17, here(5), Mark::Partial(0));
        check_mark(17, here(6), Mark::Partial(1));
        check_mark(17, here(12), Mark::Partial(2));
        check_mark(17, here(16), Mark::Partial(2));
        check_mark(17, here(17), Mark::Here);
        check_mark(u32::MAX, here(u32::MAX - 1), Mark::Partial(2));
        check_mark(17, Counts { coming: 1, ..here(16) }, Mark::Coming);
        check_mark(900, Counts { coming: 28, ..here(100) }, Mark::Partial(0));
        check_mark(900, Counts { coming: 29, ..here(100) }, Mark::Coming);
        check_mark(900, Counts { coming: 1, ..here(0) }, Mark::Coming);
        let rare = Some(Rare { chunks: 1, holders: 2 });
        check_mark(17, Counts { coming: 15, rare, ..here(1) }, Mark::Rare(2));
        check_mark(17, Counts { rare: Some(Rare { chunks: 1, holders: 400 }), ..here(1) }, Mark::Rare(9));
        check_mark(17, Counts { bad: 1, rare, ..here(15) }, Mark::Bad);
    }

    fn add_up(cells: &[Cell]) -> (u32, Counts) {
        cells.iter().fold((0, Counts::default()), |(len, counts), cell| (len + cell.len, counts.plus(cell.counts)))
    }

    proptest! {
        #[test]
        fn cells_count_their_exact_ranges(states in states(), count in 0_usize..300) {
            let cells = aggregate(states.as_slice(), count);
            prop_assert_eq!(cells.len(), if states.is_empty() { 0 } else { count });
            for cell in &cells {
                prop_assert!(cell.len >= 1);
                prop_assert_eq!(cell.counts, states.as_slice().count(cell.chunks()));
            }
            if count > 0 && states.len() >= count {
                prop_assert_eq!(add_up(&cells), (states.len() as u32, states.as_slice().count(0..states.len() as u32)));
                prop_assert!(cells.windows(2).all(|pair| pair[0].chunks().end == pair[1].first));
            } else if count > 0 && !states.is_empty() {
                let shown: std::collections::BTreeSet<u32> = cells.iter().flat_map(Cell::chunks).collect();
                prop_assert_eq!(shown.len(), states.len());
                prop_assert!(cells.iter().all(|cell| cell.len == 1));
            }
        }

        #[test]
        fn grouping_loses_nothing(states in states(), fine in 1_usize..200, coarse in 1_usize..50) {
            let cells = aggregate(states.as_slice(), fine);
            let grouped = regroup(&cells, coarse);
            if coarse <= cells.len() && fine <= states.len() {
                prop_assert_eq!(add_up(&grouped), add_up(&cells));
            }
            for cell in &grouped {
                prop_assert_eq!(cell.counts, states.as_slice().count(cell.chunks()));
            }
        }

        #[test]
        fn runs_and_slices_agree(states in states(), count in 0_usize..100, from in 0_u32..900, len in 0_u32..900) {
            let runs: Vec<Run> = states
                .chunk_by(|a, b| a == b)
                .map(|run| Run { len: run.len() as u32, state: run[0] })
                .collect();
            prop_assert_eq!(
                aggregate_range(&Runs::new(&runs), from..from + len, count),
                aggregate_range(states.as_slice(), from..from + len, count)
            );
        }
    }
}
