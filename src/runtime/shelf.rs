//! The contents this machine can serve right now: complete game roots, what still matches of
//! modified ones, and downloads that grow. The library and transfers actors put things here, serving
//! reads them. A have-map changes under a short lock and every change wakes the subscribers, who
//! compare maps themselves: many changes between two looks cost one message.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use bytes::Bytes;
use tokio::sync::watch;

use crate::{
    io::store::{Incoming, RootReader},
    types::{ChunkNo, ChunkSet, ContentId, GameId, Manifest},
};

/// The contents of this machine. Cheap to clone; clones share one shelf.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<RwLock<BTreeMap<ContentId, Arc<Shelved>>>>);

/// Where a content's chunks are read.
#[derive(Debug, Clone)]
pub(crate) enum Files {
    /// In a game root.
    Root(Arc<RootReader>),
    /// In `.potluck/incoming`.
    Growing(Arc<Incoming>),
}

/// A content on the shelf.
#[derive(Debug)]
pub(crate) struct Shelved {
    content: ContentId,
    manifest: Arc<Manifest>,
    manifest_bytes: Bytes,
    files: RwLock<Files>,
    have: Mutex<ChunkSet>,
    /// Counts changes of `have`; its end tells subscribers that the content is gone.
    changes: watch::Sender<u64>,
}

impl Shelf {
    /// Puts a content on the shelf. One that is there already keeps its subscribers: its files and
    /// have-map are replaced.
    pub(crate) fn put(
        &self,
        content: ContentId,
        manifest: Arc<Manifest>,
        manifest_bytes: Bytes,
        files: Files,
        have: ChunkSet,
    ) -> Arc<Shelved> {
        debug_assert_eq!(have.chunk_count(), manifest.chunk_count(), "a have-map covers its manifest");
        let mut shelf = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelved) = shelf.get(&content) {
            *shelved.files.write().unwrap_or_else(PoisonError::into_inner) = files;
            *shelved.have() = have;
            shelved.changed();
            return Arc::clone(shelved);
        }
        let shelved = Arc::new(Shelved {
            content,
            manifest,
            manifest_bytes,
            files: RwLock::new(files),
            have: Mutex::new(have),
            changes: watch::Sender::new(0),
        });
        shelf.insert(content, Arc::clone(&shelved));
        shelved
    }

    /// The content, if any of it is here.
    pub(crate) fn get(&self, content: ContentId) -> Option<Arc<Shelved>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&content).cloned()
    }

    /// The build of a game that is in its root.
    pub(crate) fn in_root_of(&self, game: &GameId) -> Option<Arc<Shelved>> {
        let shelf = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut of_game = shelf.values().filter(|shelved| shelved.manifest.game() == game);
        of_game.find(|shelved| matches!(shelved.files(), Files::Root(_))).cloned()
    }

    /// Takes a content off; requests under way see it as gone.
    pub(crate) fn remove(&self, content: ContentId) {
        let removed = self.0.write().unwrap_or_else(PoisonError::into_inner).remove(&content);
        if let Some(shelved) = removed {
            let chunk_count = shelved.manifest.chunk_count();
            *shelved.have() = ChunkSet::empty(chunk_count);
            shelved.changed();
        }
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.read().unwrap_or_else(PoisonError::into_inner).keys()).finish()
    }
}

impl Shelved {
    /// Which build.
    pub(crate) fn content(&self) -> ContentId {
        self.content
    }

    /// What it consists of.
    pub(crate) fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The manifest as it travels.
    pub(crate) fn manifest_bytes(&self) -> Bytes {
        self.manifest_bytes.clone()
    }

    /// Where its chunks are read now.
    pub(crate) fn files(&self) -> Files {
        self.files.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A copy of the have-map.
    pub(crate) fn have_map(&self) -> ChunkSet {
        self.have().clone()
    }

    /// Whether a chunk is here.
    pub(crate) fn has(&self, chunk: ChunkNo) -> bool {
        self.have().contains(chunk)
    }

    /// A chunk was verified: it may be served.
    pub(crate) fn add(&self, chunk: ChunkNo) {
        if self.have().insert(chunk) {
            self.changed();
        }
    }

    /// A chunk is not what it should be: it is served no more.
    pub(crate) fn drop_chunk(&self, chunk: ChunkNo) {
        if self.have().remove(chunk) {
            self.changed();
        }
    }

    /// Wakes whenever the have-map changed.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// The map is a plain value that is whole between any two operations, so a panic elsewhere
    /// while it was locked leaves it usable.
    fn have(&self) -> MutexGuard<'_, ChunkSet> {
        self.have.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}
