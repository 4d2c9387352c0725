//! Which state each chunk of the content is in. Owned by [`super::Download`]; it knows nothing of
//! who holds what or whom to ask.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use super::{RequestNo, sources::SourceNo};
use crate::types::{ChunkNo, ChunkSet};

/// Copies of one chunk that may be on their way at the same time: the one asked for and, at the
/// end, one more from somebody faster.
pub(super) const COPIES_MAX: usize = 2;

/// Chunks are asked for together only with others of about their size, so that "so many chunks" means
/// about so many bytes although the server chooses: up to 4 KiB, 32 KiB, 256 KiB, 1 MiB.
pub(super) const SIZE_CLASSES: usize = 4;
const SIZE_CLASS_ENDS: [u32; SIZE_CLASSES] = [4 << 10, 32 << 10, 256 << 10, u32::MAX];

/// One copy of a chunk on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Copy {
    pub(super) request: RequestNo,
    pub(super) source: SourceNo,
    /// When its server named it.
    pub(super) since: Instant,
    /// All bytes are here and being hashed and written.
    pub(super) arrived: bool,
}

/// The states of all chunks.
///
/// Invariant: each chunk is in exactly one of `have`, `in_flight`, `wanted` or none of them
/// (Unwanted); what is in flight has one or two copies.
#[derive(Debug)]
pub(super) struct Pieces {
    lens: Arc<[u32]>,
    have: ChunkSet,
    wanted: ChunkSet,
    in_flight: BTreeMap<ChunkNo, Vec<Copy>>,
    of_size: [ChunkSet; SIZE_CLASSES],
    have_bytes: u64,
    left_bytes: u64,
}

/// Where a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Have,
    InFlight,
    Wanted,
    Unwanted,
}

impl Pieces {
    /// What is in both sets counts as held.
    pub(super) fn new(lens: Arc<[u32]>, have: ChunkSet, mut wanted: ChunkSet) -> Self {
        let chunk_count = lens.len() as u32;
        assert!(
            have.chunk_count() == chunk_count && wanted.chunk_count() == chunk_count,
            "sets and lengths are of the same content"
        );
        for chunk in have.iter() {
            wanted.remove(chunk);
        }
        let mut of_size = std::array::from_fn(|_| ChunkSet::empty(chunk_count));
        for (number, len) in lens.iter().enumerate() {
            of_size[size_class(*len)].insert(ChunkNo(number as u32));
        }
        let bytes = |set: &ChunkSet| set.iter().map(|chunk| u64::from(lens[chunk.index()])).sum();
        let (have_bytes, left_bytes) = (bytes(&have), bytes(&wanted));
        Self { lens, have, wanted, in_flight: BTreeMap::new(), of_size, have_bytes, left_bytes }
    }

    pub(super) fn chunk_count(&self) -> u32 {
        self.have.chunk_count()
    }

    pub(super) fn len_of(&self, chunk: ChunkNo) -> u32 {
        self.lens[chunk.index()]
    }

    pub(super) fn at(&self, chunk: ChunkNo) -> At {
        if self.have.contains(chunk) {
            At::Have
        } else if self.wanted.contains(chunk) {
            At::Wanted
        } else if self.in_flight.contains_key(&chunk) {
            At::InFlight
        } else {
            At::Unwanted
        }
    }

    pub(super) fn have(&self) -> &ChunkSet {
        &self.have
    }

    pub(super) fn wanted(&self) -> &ChunkSet {
        &self.wanted
    }

    pub(super) fn in_flight(&self) -> &BTreeMap<ChunkNo, Vec<Copy>> {
        &self.in_flight
    }

    /// The chunks that are about as large as `chunk`.
    pub(super) fn of_size_like(&self, chunk: ChunkNo) -> &ChunkSet {
        &self.of_size[size_class(self.len_of(chunk))]
    }

    pub(super) fn have_bytes(&self) -> u64 {
        self.have_bytes
    }

    /// Bytes of what is wanted or in flight.
    pub(super) fn left_bytes(&self) -> u64 {
        self.left_bytes
    }

    pub(super) fn is_done(&self) -> bool {
        self.wanted.is_empty() && self.in_flight.is_empty()
    }

    /// A server said that this chunk comes now. The caller has seen that it is wanted or has a place for a copy.
    pub(super) fn on_named(&mut self, chunk: ChunkNo, copy: Copy) {
        self.wanted.remove(chunk);
        let copies = self.in_flight.entry(chunk).or_default();
        copies.push(copy);
        debug_assert!(copies.len() <= COPIES_MAX, "the caller counts copies");
    }

    /// All bytes are here; since when they came, `None` when nobody expects them.
    pub(super) fn on_arrived(&mut self, chunk: ChunkNo, request: RequestNo) -> Option<Instant> {
        let copies = self.in_flight.get_mut(&chunk)?;
        let copy = copies.iter_mut().find(|copy| copy.request == request)?;
        copy.arrived = true;
        Some(copy.since)
    }

    /// It is verified and written, whatever state it was in. The other copies, and whether it is new.
    pub(super) fn on_verified(&mut self, chunk: ChunkNo) -> (Vec<Copy>, bool) {
        let len = u64::from(self.len_of(chunk));
        let copies = self.in_flight.remove(&chunk);
        if self.wanted.remove(chunk) || copies.is_some() {
            self.left_bytes -= len;
        }
        let new = self.have.insert(chunk);
        if new {
            self.have_bytes += len;
        }
        (copies.unwrap_or_default(), new)
    }

    /// One copy will not come or was bad. True when the chunk is wanted again.
    pub(super) fn on_copy_lost(&mut self, chunk: ChunkNo, request: RequestNo) -> bool {
        let Some(copies) = self.in_flight.get_mut(&chunk) else { return false };
        copies.retain(|copy| copy.request != request);
        if !copies.is_empty() {
            return false;
        }
        self.in_flight.remove(&chunk);
        self.wanted.insert(chunk)
    }

    /// What we held is bad or gone: it is wanted again. True when we held it.
    pub(super) fn on_lost(&mut self, chunk: ChunkNo) -> bool {
        let held = self.have.remove(chunk);
        if held {
            let len = u64::from(self.len_of(chunk));
            self.have_bytes -= len;
            self.left_bytes += len;
            self.wanted.insert(chunk);
        }
        held
    }

    pub(super) fn assert_invariants(&self) {
        for word in 0..self.have.word_count() {
            assert_eq!(self.have.word(word) & self.wanted.word(word), 0, "a chunk is held and wanted");
        }
        let mut left = 0;
        for (chunk, copies) in &self.in_flight {
            assert!(!self.have.contains(*chunk) && !self.wanted.contains(*chunk), "{chunk} is in two states");
            assert!((1..=COPIES_MAX).contains(&copies.len()), "{chunk} has {} copies", copies.len());
            left += u64::from(self.len_of(*chunk));
        }
        // Sums over whole bitmaps would make debug builds of large games crawl.
        if self.chunk_count() <= 4_096 {
            left += self.wanted.iter().map(|chunk| u64::from(self.len_of(chunk))).sum::<u64>();
            assert_eq!(left, self.left_bytes);
        }
    }
}

fn size_class(len: u32) -> usize {
    SIZE_CLASS_ENDS.iter().position(|end| len <= *end).unwrap_or(SIZE_CLASSES - 1)
}
