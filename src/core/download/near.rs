//! Which sources are near, and what is left to them. Owned by [`super::Download`].
//!
//! Between two switches there may be less than between two seats of one, and a chunk that every seat
//! fetches from the other side goes over it once a seat. Nobody tells us where the switches are, but whole
//! chunks come from a source behind such a place at a fraction of the rate of the others: it is *far*. A far
//! source is asked only for what no near one holds, and only for our share of that: each run of chunks
//! belongs to one of the near getters and us, by a hash that gives all of them the same answer without a word.
//! What is theirs comes from them. Sources that are slow for any other reason are spared the same way.

use super::{
    pieces::Pieces,
    sources::{Map, SourceNo, Sources, hash},
};
use crate::types::{ChunkNo, ChunkSet, PeerId};

/// Of all sources with a known rate, so many are slower than the one that others are measured by.
const USUAL_QUANTILE: f64 = 0.75;
/// A source is far when whole chunks come at less than this part of the usual rate…
const FAR_BELOW: f64 = 0.6;
/// …and near again above this.
const NEAR_ABOVE: f64 = 0.75;
/// Runs that belong to one getter: as many as this, so that they spread evenly…
const RUNS: u32 = 1_024;
/// …of at most so many chunks.
const RUN_CHUNKS_MAX: u32 = 64;

/// What near sources hold or are to bring.
#[derive(Debug)]
pub(super) struct Near {
    me: PeerId,
    /// The near getters, in the order of sources.
    getters: Vec<PeerId>,
    /// What belongs to them.
    theirs: ChunkSet,
    /// That, and all they hold.
    left_to_near: ChunkSet,
}

impl Near {
    pub(super) fn new(me: PeerId, chunk_count: u32) -> Self {
        let none = ChunkSet::empty(chunk_count);
        Self { me, getters: Vec::new(), theirs: none.clone(), left_to_near: none }
    }

    /// What is not to be asked of far sources.
    pub(super) fn left_to_near(&self) -> &ChunkSet {
        &self.left_to_near
    }

    /// A near source holds `chunk`.
    pub(super) fn on_holder(&mut self, chunk: ChunkNo) {
        self.left_to_near.insert(chunk);
    }

    /// Looks anew at who is near; now and then, since it looks at all sources and their maps.
    pub(super) fn refresh(&mut self, sources: &mut Sources, pieces: &Pieces) {
        let mut rates: Vec<f64> = sources.iter().filter_map(|(_, source)| source.wire_bps).collect();
        if rates.len() < 2 {
            return;
        }
        rates.sort_unstable_by(f64::total_cmp);
        let usual = rates[(rates.len() as f64 * USUAL_QUANTILE) as usize];
        let far_of = |far: bool, bps: f64| bps < usual * if far { NEAR_ABOVE } else { FAR_BELOW };
        let known: Vec<(SourceNo, bool)> = sources
            .iter()
            .filter_map(|(no, source)| source.wire_bps.map(|bps| (no, far_of(source.far, bps))))
            .collect();
        for (no, far) in &known {
            if let Some(source) = sources.get_mut(*no) {
                source.far = *far;
            }
        }
        self.left_to_near = ChunkSet::empty(pieces.chunk_count());
        let mut getters = Vec::new();
        if known.iter().any(|(_, far)| *far) {
            for source in known.iter().filter(|(_, far)| !far).filter_map(|(no, _)| sources.get(*no)) {
                if let Map::Partial(have) = &source.map {
                    getters.push(source.peer);
                    self.left_to_near.insert_all(have);
                }
            }
        }
        if getters != self.getters {
            self.theirs = self.shares_of(&getters, pieces.chunk_count());
            self.getters = getters;
        }
        self.left_to_near.insert_all(&self.theirs);
    }

    fn shares_of(&self, getters: &[PeerId], chunk_count: u32) -> ChunkSet {
        let mut theirs = ChunkSet::empty(chunk_count);
        let run = (chunk_count / RUNS).clamp(1, RUN_CHUNKS_MAX);
        for start in (0..chunk_count).step_by(run as usize) {
            let mine = hash(u64::from(start), &self.me);
            if getters.iter().any(|peer| hash(u64::from(start), peer) > mine) {
                for chunk in start..(start + run).min(chunk_count) {
                    theirs.insert(ChunkNo(chunk));
                }
            }
        }
        theirs
    }
}
