//! A build as it was found in a game's folder, ready to be shared.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    core::library::{Changes, Facts, LocalBuild, LocalChange},
    io::{
        disk::Stamp,
        index::Whole,
        scan::{Check, Difference, DifferenceKind, Unchanged},
        store::{Held, RootReader},
    },
    runtime::shelf::{Files, Opener, Shelf},
    types::{ChunkSet, ContentId, GameId, Manifest, PayloadPath, Tenths},
};

/// A build in which nothing changed since it was found whole, in this run or an earlier one.
#[derive(Debug)]
pub(super) struct Same {
    whole: Whole,
    files: u32,
    mark: Mark,
}

impl Same {
    pub(super) fn new(unchanged: Unchanged) -> Self {
        let Unchanged { whole, stamps } = unchanged;
        let mark = Mark::of(&whole.content, &stamps, &ChunkSet::full(whole.chunks));
        Self { files: stamps.len() as u32, whole, mark }
    }

    pub(super) fn content(&self) -> ContentId {
        self.whole.content
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// What the core is told.
    pub(super) fn change(&self, title: &str, installed: Option<u64>) -> LocalChange {
        let Whole { content, size, sentinel, .. } = &self.whole;
        let version = sentinel.version().clone();
        let facts = Facts { version, title: title.to_owned(), size: *size, files: self.files, installed };
        LocalChange::Complete(LocalBuild { content: *content, facts })
    }
}

/// A build and where its chunks are.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) content: ContentId,
    pub(super) manifest: Arc<Manifest>,
    bytes: Bytes,
    chunks: ChunkSet,
    pub(super) differences: Vec<Difference>,
    is_changing: bool,
    is_modified: bool,
    /// Whether the index knows it whole, so that all of this can be had again without hashing.
    is_recorded: bool,
    reader: RootReader,
    mark: Mark,
}

/// Tells one state of a folder from another: what is on the shelf is left there while this stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark([u8; 32]);

impl Mark {
    fn of(content: &ContentId, stamps: &[Option<Stamp>], chunks: &ChunkSet) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(content.as_bytes());
        for stamp in stamps {
            match stamp {
                None => hasher.update(&[0]),
                Some(stamp) => hasher
                    .update(&[1])
                    .update(&stamp.size.to_le_bytes())
                    .update(&stamp.mtime_ns.to_le_bytes())
                    .update(&stamp.ctime_ns.to_le_bytes())
                    .update(&stamp.inode.to_le_bytes()),
            };
        }
        hasher.update(&chunks.to_bytes());
        Self(*hasher.finalize().as_bytes())
    }
}

impl Found {
    pub(super) fn new(check: Check, bytes: Bytes, reader: RootReader, is_recorded: bool) -> Self {
        let (is_changing, is_modified) = (check.is_changing(), check.is_modified());
        let Check { held, differences, links: _ } = check;
        let mark = Mark::of(&held.content, &held.stamps, &held.chunks);
        let Held { content, manifest, chunks, .. } = held;
        Self { content, manifest, bytes, chunks, differences, is_changing, is_modified, is_recorded, reader, mark }
    }

    /// Whether a file changed while it was read: look again.
    pub(super) fn is_changing(&self) -> bool {
        self.is_changing
    }

    /// Chunks that are not there or do not match.
    pub(super) fn bad_chunks(&self) -> u32 {
        self.manifest.chunk_count() - self.chunks.len()
    }

    /// Paths whose content is missing or differs, in order.
    pub(super) fn bad_paths(&self) -> impl Iterator<Item = &str> {
        let bad = self.differences.iter().filter(|difference| difference.kind != DifferenceKind::Mode);
        bad.map(|difference| difference.path.as_str())
    }

    pub(super) fn mark(&self) -> Mark {
        self.mark
    }

    /// What the core is told.
    pub(super) fn change(&self, title: &str, installed: Option<u64>) -> LocalChange {
        let facts = Facts { installed, ..Facts::of_manifest(&self.manifest, title) };
        let build = LocalBuild { content: self.content, facts };
        if !self.is_modified {
            return LocalChange::Complete(build);
        }
        // Paths of a manifest are payload paths; there is nothing else to differ.
        let paths = self.bad_paths().filter_map(|path| PayloadPath::new(path).ok());
        let matching = Tenths::of(u64::from(self.chunks.len()), u64::from(self.manifest.chunk_count()));
        LocalChange::Modified { build, changes: Changes::new(paths), matching }
    }

    /// Whether it must stay open while it is offered.
    pub(super) fn stays_open(&self) -> bool {
        !self.is_recorded
    }

    /// Offers what matches to the room.
    pub(super) fn put_on(self, shelf: &Shelf, game: &GameId, opener: &Opener) {
        shelf.put(self.content, self.manifest, self.bytes, Files::Root(Arc::new(self.reader)), self.chunks);
        if self.is_recorded {
            shelf.may_close(self.content, game, opener);
        }
    }
}
