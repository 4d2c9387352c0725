//! Which chunks a source is offered to choose from. Owned by [`super::Download`].
//!
//! The server chooses, so what we decide is the candidates. Two rules keep two servers from sending
//! us the same chunk: candidates are *claimed* by the source they are offered to, and while anything
//! unclaimed is left, sources get disjoint claims. A complete source's claim does not bind partial
//! ones (they go first, and the complete source is the one with something else to give). When nothing
//! unclaimed is left, candidates overlap, and a chunk that is named twice is cancelled at once by
//! [`super::Download`]: on a LAN that costs one round trip of bytes.
//!
//! Claims are hints: a stale one costs a cancelled chunk, never a wrong state.

use super::{
    pieces::Pieces,
    sources::{Map, Source},
};
use crate::types::{ChunkNo, ChunkRanges, ChunkSet};

/// Rarity classes by how many *partial* sources hold a chunk: 0, 1, 2, 3–4, 5–8, more. Complete sources
/// hold everything and so tell nothing apart. Rough classes keep runs of chunks together, which is
/// what disks and requests like.
const RARITIES: usize = 6;

/// Candidates offered to the only complete source: the wider, the better it can give every seat
/// something else; beyond this the frame only grows.
const CLAIM_SEEDER: usize = 512;

/// Candidates offered to one of several sources, at least: some choice for it, little enough that
/// others find unclaimed ones.
const CLAIM_CHUNKS: usize = 64;

/// Chunks of one request when they are small: the most the wire allows.
const TAKE_MAX: usize = 256;

/// The bookkeeping of rarity and claims.
///
/// Invariant: `by_rarity[r]` holds exactly the wanted chunks whose holders fall in class `r`.
#[derive(Debug)]
pub(super) struct Picker {
    holders: Vec<u16>,
    by_rarity: [ChunkSet; RARITIES],
    /// By partial sources: binds everybody.
    claimed_partial: ChunkSet,
    /// By complete sources: binds complete ones.
    claimed_complete: ChunkSet,
}

/// What to ask a source for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pick {
    pub(super) of: ChunkRanges,
    pub(super) take: u32,
    /// What `take` chunks of these will weigh, about.
    pub(super) bytes: u64,
}

/// What the picker must know beside the source itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Sources that could be asked now.
    pub(super) askable: usize,
    pub(super) complete: usize,
    pub(super) piece_bytes: u64,
    /// Chunks the source was asked for and has not named yet. It will choose them among the candidates
    /// it knows, so as many of those are as good as gone: a request beyond them would come back empty.
    pub(super) unnamed: usize,
}

impl Picker {
    pub(super) fn new(wanted: &ChunkSet) -> Self {
        let chunk_count = wanted.chunk_count();
        let empty = || ChunkSet::empty(chunk_count);
        let mut by_rarity = std::array::from_fn(|_| empty());
        by_rarity[0] = wanted.clone();
        Self { holders: vec![0; chunk_count as usize], by_rarity, claimed_partial: empty(), claimed_complete: empty() }
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
        self.claimed_partial.remove(chunk);
        self.claimed_complete.remove(chunk);
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

    /// Candidates for `source`, claimed for it as far as they are free; `None` when it has nothing
    /// that we still have to ask for.
    pub(super) fn pick(&mut self, source: &mut Source, pieces: &Pieces, room: Room) -> Option<Pick> {
        self.prune(source, pieces);
        let first = source.claim.first().copied().or_else(|| self.scan(source, pieces, None, true, 1).first().copied());
        let Some(first) = first else { return self.overlap(source, pieces, room) };
        let alike = pieces.of_size_like(first);
        let len = u64::from(pieces.len_of(first)).max(1);
        let share = pieces.wanted().len() as usize / room.askable.max(1);
        // Near the end everybody gets a part, so that the slowest does not hold a full piece.
        let take = ((room.piece_bytes / len) as usize).clamp(1, TAKE_MAX).min(share.max(1));
        let width = if matches!(source.map, Map::Complete) && room.complete == 1 {
            CLAIM_SEEDER.max(2 * take)
        } else {
            (share / 2).clamp(2 * take, CLAIM_CHUNKS.max(2 * take))
        };
        let width = width + room.unnamed;
        // Claimed when there were fewer sources: the others want a part of it now.
        if source.claim.len() > 2 * width {
            self.release_tail(source, width);
        }
        if source.claim.len() < (width - width / 4).max(take) {
            let more = self.scan(source, pieces, Some(alike), true, width - source.claim.len());
            let claimed = match source.map {
                Map::Complete => &mut self.claimed_complete,
                Map::Partial(_) | Map::Unknown => &mut self.claimed_partial,
            };
            for chunk in &more {
                claimed.insert(*chunk);
            }
            source.claim.extend(more);
        }
        // What was rare when it was claimed may be so no longer. Stable, and cheap where little moved.
        source.claim.sort_by_key(|chunk| rarity(self.holders[chunk.index()]));
        let free = source.claim.len().saturating_sub(room.unnamed);
        (free > 0).then(|| of_chunks(&source.claim, take.min(free), pieces))
    }

    /// Frees what `source` has claimed.
    pub(super) fn release(&mut self, source: &mut Source) {
        self.release_tail(source, 0);
    }

    fn release_tail(&mut self, source: &mut Source, keep: usize) {
        let claimed = match source.map {
            Map::Complete => &mut self.claimed_complete,
            Map::Partial(_) | Map::Unknown => &mut self.claimed_partial,
        };
        for chunk in source.claim.drain(keep.min(source.claim.len())..) {
            claimed.remove(chunk);
        }
    }

    /// Forgets candidates that came another way, that the source lost, or that a partial source took over.
    fn prune(&mut self, source: &mut Source, pieces: &Pieces) {
        let Source { map, claim, .. } = source;
        claim.retain(|chunk| {
            let keep = pieces.wanted().contains(*chunk)
                && match map {
                    Map::Complete => !self.claimed_partial.contains(*chunk),
                    Map::Partial(have) => have.contains(*chunk),
                    Map::Unknown => false,
                };
            if !keep {
                match map {
                    Map::Complete => self.claimed_complete.remove(*chunk),
                    Map::Partial(_) | Map::Unknown => self.claimed_partial.remove(*chunk),
                };
            }
            keep
        });
    }

    /// Candidates although others have claimed them: the last ones of the transfer.
    fn overlap(&self, source: &Source, pieces: &Pieces, room: Room) -> Option<Pick> {
        let first = *self.scan(source, pieces, None, false, 1).first()?;
        let len = u64::from(pieces.len_of(first)).max(1);
        let share = pieces.wanted().len() as usize / room.askable.max(1);
        let take = ((room.piece_bytes / len) as usize).clamp(1, TAKE_MAX).min(share.max(1));
        let chunks = self.scan(source, pieces, Some(pieces.of_size_like(first)), false, 2 * take + room.unnamed);
        let free = chunks.len().saturating_sub(room.unnamed);
        (free > 0).then(|| of_chunks(&chunks, take.min(free), pieces))
    }

    /// Up to `count` wanted chunks that `source` holds, rarest first, from its own starting point
    /// on, 64 at a look. Skips empty rarities, so it ends early when little is wanted.
    fn scan(
        &self,
        source: &Source,
        pieces: &Pieces,
        alike: Option<&ChunkSet>,
        unclaimed: bool,
        count: usize,
    ) -> Vec<ChunkNo> {
        let mut found = Vec::new();
        let (have, complete) = match &source.map {
            Map::Complete => (None, true),
            Map::Partial(have) => (Some(have), false),
            Map::Unknown => return found,
        };
        let words = pieces.wanted().word_count();
        let start = source.start as usize / 64;
        for wanted in self.by_rarity.iter().filter(|wanted| !wanted.is_empty()) {
            let mut left = wanted.len();
            for step in 0..words {
                let word = if start + step < words { start + step } else { start + step - words };
                let bits = wanted.word(word);
                if bits == 0 {
                    continue;
                }
                left -= bits.count_ones();
                let mut bits = bits & have.map_or(u64::MAX, |have| have.word(word));
                bits &= alike.map_or(u64::MAX, |alike| alike.word(word));
                if unclaimed {
                    bits &= !self.claimed_partial.word(word);
                    bits &= if complete { !self.claimed_complete.word(word) } else { u64::MAX };
                }
                while bits != 0 {
                    if found.len() == count {
                        return found;
                    }
                    found.push(ChunkNo(word as u32 * 64 + bits.trailing_zeros()));
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

fn of_chunks(chunks: &[ChunkNo], take: usize, pieces: &Pieces) -> Pick {
    let of = ChunkRanges::from_preference(chunks.iter().copied());
    let take = take.min(chunks.len());
    let bytes: u64 = chunks.iter().map(|chunk| u64::from(pieces.len_of(*chunk))).sum();
    Pick { of, take: take as u32, bytes: bytes * take as u64 / chunks.len().max(1) as u64 }
}

fn rarity(holders: u16) -> usize {
    match holders {
        0..=2 => holders as usize,
        3..=4 => 3,
        5..=8 => 4,
        9.. => 5,
    }
}
