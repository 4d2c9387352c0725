//! Which chunks a source is offered to choose from. Owned by [`super::Download`].
//!
//! The server chooses, so what we decide is the candidates. Those of a request that waits in a server's
//! line are *claimed*: other sources are offered others, as long as they have others. When they have not,
//! candidates overlap, because a server that is free now is worth more than one that may be free soon; then
//! whoever names a chunk first has it, and requests that wait for nothing else are taken back. The sole
//! complete source claims nothing: the wider its choice, the better it gives every seat something else.
//!
//! Claims are hints: a stale one costs a cancelled chunk, never a wrong state.

use super::{
    CANCEL_BYTES_MIN,
    pieces::Pieces,
    sources::{Map, Source},
};
use crate::types::{ChunkNo, ChunkSet};

/// Rarity classes by how many *partial* sources hold a chunk: 0, 1, 2, 3–4, 5–8, more. Complete sources
/// hold everything and so tell nothing apart. Rough classes keep runs of chunks together, which is
/// what disks and requests like.
const RARITIES: usize = 6;

/// Candidates offered to the only complete source: beyond this the frame only grows.
const WIDTH_SOLE: usize = 512;

/// Candidates offered to one of several sources: some choice for it, little enough that others find
/// unclaimed ones.
const WIDTH: usize = 64;

/// Chunks of one request when they are small: the most the wire allows.
const TAKE_MAX: usize = 256;

/// The bookkeeping of rarity and claims.
///
/// Invariant: `by_rarity[r]` holds exactly the wanted chunks whose holders fall in class `r`.
#[derive(Debug)]
pub(super) struct Picker {
    holders: Vec<u16>,
    by_rarity: [ChunkSet; RARITIES],
    /// Candidates of requests that were not answered yet.
    claimed: ChunkSet,
}

/// What to ask a source for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pick {
    /// In our order of preference.
    pub(super) candidates: Vec<ChunkNo>,
    pub(super) take: u32,
    /// What `take` of the candidates will weigh, about.
    pub(super) bytes: u64,
    /// Whether other sources are kept from them.
    pub(super) claimed: bool,
}

/// What the picker must know beside the source itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room<'a> {
    /// Sources that share the rest.
    pub(super) sharing: usize,
    /// It is the only one that holds everything.
    pub(super) sole: bool,
    pub(super) piece_bytes: u64,
    /// What others are to bring.
    pub(super) not: Option<&'a ChunkSet>,
    /// Whether it may be asked for what others were asked for.
    pub(super) overlap: bool,
    /// Whether for small chunks, too: it has had nothing to give for long.
    pub(super) overlap_small: bool,
}

/// Which wanted chunks to look at.
#[derive(Debug, Clone, Copy)]
struct Filter<'a> {
    alike: Option<&'a ChunkSet>,
    not: Option<&'a ChunkSet>,
    unclaimed: bool,
}

impl Picker {
    pub(super) fn new(wanted: &ChunkSet) -> Self {
        let chunk_count = wanted.chunk_count();
        let empty = || ChunkSet::empty(chunk_count);
        let mut by_rarity = std::array::from_fn(|_| empty());
        by_rarity[0] = wanted.clone();
        Self { holders: vec![0; chunk_count as usize], by_rarity, claimed: empty() }
    }

    /// Wanted chunks that no partial source holds.
    pub(super) fn only_on_complete(&self) -> u32 {
        self.by_rarity[0].len()
    }

    /// Partial sources that hold `chunk`.
    pub(super) fn holders(&self, chunk: ChunkNo) -> u16 {
        self.holders[chunk.index()]
    }

    pub(super) fn on_wanted(&mut self, chunk: ChunkNo) {
        self.by_rarity[rarity(self.holders(chunk))].insert(chunk);
    }

    pub(super) fn on_not_wanted(&mut self, chunk: ChunkNo) {
        self.by_rarity[rarity(self.holders(chunk))].remove(chunk);
        self.claimed.remove(chunk);
    }

    /// One partial source more holds `chunk`.
    pub(super) fn on_holder(&mut self, chunk: ChunkNo) {
        self.on_holders(chunk, |count| count.saturating_add(1));
    }

    /// One partial source less holds `chunk`.
    pub(super) fn on_holder_lost(&mut self, chunk: ChunkNo) {
        self.on_holders(chunk, |count| count.saturating_sub(1));
    }

    fn on_holders(&mut self, chunk: ChunkNo, change: impl Fn(u16) -> u16) {
        let Some(count) = self.holders.get_mut(chunk.index()) else { return };
        let before = rarity(*count);
        *count = change(*count);
        let after = rarity(*count);
        if before != after && self.by_rarity[before].remove(chunk) {
            self.by_rarity[after].insert(chunk);
        }
    }

    /// Candidates for `source`; `None` when it has nothing that we still have to ask for.
    pub(super) fn pick(&mut self, source: &Source, pieces: &Pieces, room: Room<'_>) -> Option<Pick> {
        let look = |picker: &Self, alike, unclaimed, count| {
            picker.scan(source, pieces, Filter { alike, not: room.not, unclaimed }, count)
        };
        let unclaimed = look(self, None, true, 1).first().copied();
        let first = unclaimed.or_else(|| look(self, None, false, 1).first().copied())?;
        let len = pieces.len_of(first);
        let small = len < CANCEL_BYTES_MIN;
        // Small ones come by the hundred in one answer: named twice they are not worth cancelling.
        let overlap = room.overlap && (!small || room.overlap_small);
        if unclaimed.is_none() && !overlap {
            return None;
        }
        let share = pieces.wanted().len() as usize / room.sharing.max(1);
        // Near the end everybody gets a part, so that the slowest does not hold a full piece.
        let take = ((room.piece_bytes / u64::from(len.max(1))) as usize).clamp(1, TAKE_MAX).min(share.max(1));
        let width = if room.sole { WIDTH_SOLE } else { (share / 2).min(WIDTH) }.max(2 * take);
        let candidates = look(self, Some(pieces.of_size_like(first)), unclaimed.is_some(), width);
        let claimed = unclaimed.is_some() && (small || !room.sole);
        if claimed {
            for chunk in &candidates {
                self.claimed.insert(*chunk);
            }
        }
        let take = take.min(candidates.len());
        let bytes: u64 = candidates.iter().map(|chunk| u64::from(pieces.len_of(*chunk))).sum();
        let bytes = bytes * take as u64 / candidates.len().max(1) as u64;
        Some(Pick { candidates, take: take as u32, bytes, claimed })
    }

    /// Others may be offered these, too.
    pub(super) fn release(&mut self, candidates: &[ChunkNo]) {
        for chunk in candidates {
            self.claimed.remove(*chunk);
        }
    }

    /// Up to `count` wanted chunks that `source` holds, rarest first, from its own starting point
    /// on, 64 at a look. Skips empty rarities, so it ends early when little is wanted.
    fn scan(&self, source: &Source, pieces: &Pieces, filter: Filter<'_>, count: usize) -> Vec<ChunkNo> {
        let mut found = Vec::new();
        let have = match &source.map {
            Map::Complete => None,
            Map::Partial(have) => Some(have),
            Map::Unknown => return found,
        };
        let words = pieces.wanted().word_count();
        let start = source.start as usize / 64;
        for wanted in self.by_rarity.iter().filter(|wanted| !wanted.is_empty()) {
            let mut left = wanted.len();
            for step in 0..words {
                let word = if start + step < words { start + step } else { start + step - words };
                let mut bits = wanted.word(word);
                if bits == 0 {
                    continue;
                }
                left -= bits.count_ones();
                bits &= have.map_or(u64::MAX, |have| have.word(word));
                bits &= filter.alike.map_or(u64::MAX, |alike| alike.word(word));
                bits &= filter.not.map_or(u64::MAX, |not| !not.word(word));
                if filter.unclaimed {
                    bits &= !self.claimed.word(word);
                }
                while bits != 0 {
                    found.push(ChunkNo(word as u32 * 64 + bits.trailing_zeros()));
                    if found.len() == count {
                        return found;
                    }
                    bits &= bits - 1;
                }
                if left == 0 {
                    break;
                }
            }
        }
        found
    }

    pub(super) fn assert_invariants(&self, pieces: &Pieces) {
        for word in 0..pieces.wanted().word_count() {
            let mut all = 0;
            for class in &self.by_rarity {
                assert_eq!(all & class.word(word), 0, "a chunk is in two rarities");
                all |= class.word(word);
            }
            assert_eq!(all, pieces.wanted().word(word), "rarities hold exactly what is wanted");
        }
    }
}

fn rarity(holders: u16) -> usize {
    match holders {
        0..=2 => holders as usize,
        3..=4 => 3,
        5..=8 => 4,
        9.. => 5,
    }
}
