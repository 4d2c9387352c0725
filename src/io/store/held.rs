//! What of a build a game root has.

use std::sync::Arc;

use super::hashes::ChunkHashes;
use crate::{
    io::disk::Stamp,
    types::{ChunkSet, ContentId, FileNo, Manifest},
};

/// What of a build lies in a game root, as a scan saw it or a commit left it.
#[derive(Debug, Clone)]
pub struct Held {
    /// The build.
    pub content: ContentId,
    /// What it consists of.
    pub manifest: Arc<Manifest>,
    /// The hashes of its chunks, as far as known.
    pub hashes: ChunkHashes,
    /// The state each file was in when it was found to hold what `chunks` says; `None` where there is none.
    pub stamps: Vec<Option<Stamp>>,
    /// The chunks that are there and match.
    pub chunks: ChunkSet,
}

impl Held {
    /// Nothing of it yet.
    #[must_use]
    pub fn nothing(content: ContentId, manifest: Arc<Manifest>) -> Self {
        let hashes = ChunkHashes::of(&manifest);
        let stamps = vec![None; manifest.files().len()];
        let chunks = ChunkSet::empty(manifest.chunk_count());
        Self { content, manifest, hashes, stamps, chunks }
    }

    /// Whether all of a file is there; the state it was in then.
    #[must_use]
    pub fn whole_file(&self, file: FileNo) -> Option<Stamp> {
        let stamp = self.stamps.get(file.index()).copied().flatten()?;
        let chunks = self.manifest.chunks_of(file);
        let whole = self.chunks.count_in(chunks.clone()) as usize == chunks.len();
        (whole && stamp.size == self.manifest.file(file).size).then_some(stamp)
    }

    /// Whether every chunk and every empty file is there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.chunks.is_full() && (0..self.stamps.len() as u32).all(|file| self.whole_file(FileNo(file)).is_some())
    }
}
