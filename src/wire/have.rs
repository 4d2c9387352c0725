//! The have stream: after the status byte a `u32` length and the bitmap, then frames of changes
//! until either side resets the stream.

use serde::{Deserialize, Serialize};

use super::fetch::ChunkPairs;
use crate::types::{ChunkRanges, ChunkSet, MANIFEST_CHUNKS_MAX};

/// Bytes of the largest bitmap: one bit a chunk.
pub const BITMAP_BYTES_MAX: usize = (MANIFEST_CHUNKS_MAX / 8) as usize;

/// What changed in a have-map. Longer lists are split over several frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HaveChange {
    /// Chunks that are here now.
    #[serde(default = "nothing")]
    pub set: ChunkPairs,
    /// Chunks that are here no more.
    #[serde(default = "nothing")]
    pub clear: ChunkPairs,
}

fn nothing() -> ChunkPairs {
    ChunkPairs(Vec::new())
}

impl HaveChange {
    /// The frames that lead from one map to another of the same content, none when they are equal.
    #[must_use]
    pub fn between(old: &ChunkSet, new: &ChunkSet) -> Vec<Self> {
        let (mut set, mut clear) = (Vec::new(), Vec::new());
        for word in 0..new.word_count().max(old.word_count()) {
            let (before, after) = (old.word(word), new.word(word));
            push_bits(&mut set, word, after & !before);
            push_bits(&mut clear, word, before & !after);
        }
        let mut frames = Vec::new();
        let (mut set, mut clear) = (set.as_slice(), clear.as_slice());
        while !set.is_empty() || !clear.is_empty() {
            let (now, later) = set.split_at(set.len().min(ChunkRanges::COUNT_MAX / 2));
            set = later;
            let (now_clear, later) = clear.split_at(clear.len().min(ChunkRanges::COUNT_MAX / 2));
            clear = later;
            frames.push(Self { set: ChunkPairs(now.to_vec()), clear: ChunkPairs(now_clear.to_vec()) });
        }
        frames
    }
}

fn push_bits(pairs: &mut Vec<(u32, u32)>, word: usize, mut bits: u64) {
    while bits != 0 {
        let number = word as u32 * 64 + bits.trailing_zeros();
        bits &= bits - 1;
        match pairs.last_mut() {
            Some(last) if last.1 == number => last.1 += 1,
            Some(_) | None => pairs.push((number, number + 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::types::ChunkNo;

    proptest! {
        #[test]
        fn changes_lead_from_old_to_new(old in proptest::collection::vec(any::<bool>(), 5000), new in proptest::collection::vec(any::<bool>(), 5000)) {
            let set_of = |bits: &[bool]| {
                let mut set = ChunkSet::empty(bits.len() as u32);
                for (number, bit) in bits.iter().enumerate() {
                    if *bit { set.insert(ChunkNo(number as u32)); }
                }
                set
            };
            let (old, new) = (set_of(&old), set_of(&new));
            let mut now = old.clone();
            for frame in HaveChange::between(&old, &new) {
                prop_assert!(super::super::frame::encode(&frame).is_ok());
                for chunk in frame.set.check(5000).unwrap().iter() { now.insert(chunk); }
                for chunk in frame.clear.check(5000).unwrap().iter() { now.remove(chunk); }
            }
            prop_assert_eq!(now, new);
        }
    }
}
