//! The contents this machine can serve right now: complete game roots, what still matches of
//! modified ones, and downloads that grow. The library and transfers actors put things here, serving
//! reads them. A have-map changes under a short lock and every change wakes the subscribers, who
//! compare maps themselves: many changes between two looks cost one message.
//!
//! Of a library with a thousand games few are asked for. A whole game is a mere name here until it
//! is, then its manifest, hashes and folder are taken from disk, and let go of again when nobody has used
//! them for a while. What else is here stays open, because nothing on disk says all that is known of it.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;
use tokio::sync::{OnceCell, mpsc, watch};

use super::{input::LibraryInput, tasks::Pool};
use crate::{
    io::store::{Incoming, RootReader},
    types::{ChunkNo, ChunkSet, ContentId, GameId, Manifest},
};

/// Open contents nobody uses: each has a descriptor.
const IDLE_MAX: usize = 64;
/// And what they may take in memory together: two of the largest manifests.
const IDLE_BYTES_MAX: usize = 64 << 20;
/// Looks in a row at which nobody uses a content before it is closed.
const IDLE_LOOKS: u32 = 2;
/// Bytes in memory for one of a stored manifest: the text itself, the parsed entries, stamps and hashes.
const BYTES_A_MANIFEST_BYTE: usize = 3;
/// Bytes in memory for a chunk.
const BYTES_A_CHUNK: usize = 33;

/// The contents of this machine. Cheap to clone; clones share one shelf.
#[derive(Clone, Default)]
pub(crate) struct Shelf(Arc<RwLock<BTreeMap<ContentId, Entry>>>);

/// A place on the shelf.
enum Entry {
    Open(Open),
    Closed(Arc<Closed>),
}

/// A content that can be served at once.
struct Open {
    shelved: Arc<Shelved>,
    /// How it is had again when it is closed; `None` while it must not be.
    reopen: Option<(GameId, Opener)>,
    idle_looks: u32,
}

/// A whole build of which all else is in its folder and in the index.
struct Closed {
    game: GameId,
    opener: Opener,
    /// Several may ask at once: it is opened once.
    opened: OnceCell<Option<Arc<Shelved>>>,
}

/// How a whole game is taken from its folder. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Opener {
    pool: Pool,
    library: mpsc::Sender<LibraryInput>,
    open: Arc<OpenGame>,
}

type OpenGame = dyn Fn(&GameId, ContentId) -> Option<Opened> + Send + Sync;

/// A whole game as it was taken from its folder.
#[derive(Debug)]
pub(crate) struct Opened {
    /// What it consists of.
    pub(crate) manifest: Arc<Manifest>,
    /// The manifest as it travels.
    pub(crate) manifest_bytes: Bytes,
    /// Reads its chunks.
    pub(crate) reader: RootReader,
    /// Its chunks: all of them.
    pub(crate) have: ChunkSet,
}

impl Opener {
    /// `open` runs on `pool`; what it cannot open the library is told to look at.
    pub(crate) fn new(
        pool: Pool,
        library: mpsc::Sender<LibraryInput>,
        open: impl Fn(&GameId, ContentId) -> Option<Opened> + Send + Sync + 'static,
    ) -> Self {
        Self { pool, library, open: Arc::new(open) }
    }
}

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
        let mut shelf = self.write();
        if let Some(Entry::Open(open)) = shelf.get_mut(&content) {
            let shelved = &open.shelved;
            *shelved.files.write().unwrap_or_else(PoisonError::into_inner) = files;
            *shelved.have() = have;
            shelved.changed();
            open.reopen = None;
            return Arc::clone(shelved);
        }
        let shelved = Arc::new(Shelved::new(content, manifest, manifest_bytes, files, have));
        shelf.insert(content, Entry::Open(Open { shelved: Arc::clone(&shelved), reopen: None, idle_looks: 0 }));
        shelved
    }

    /// Puts a whole build on the shelf that is opened when somebody asks for it. One that is there stays as
    /// it is.
    pub(crate) fn put_closed(&self, content: ContentId, game: &GameId, opener: &Opener) {
        self.write().entry(content).or_insert_with(|| Entry::Closed(Arc::new(Closed::new(game, opener))));
    }

    /// An open content is a whole build that `opener` can open again: it is closed when nobody uses it.
    pub(crate) fn may_close(&self, content: ContentId, game: &GameId, opener: &Opener) {
        let mut shelf = self.write();
        if let Some(Entry::Open(open)) = shelf.get_mut(&content) {
            open.reopen = Some((game.clone(), opener.clone()));
        }
        close_surplus(&mut shelf, &content);
    }

    /// The content, if any of it is here and open.
    pub(crate) fn get(&self, content: ContentId) -> Option<Arc<Shelved>> {
        match self.read().get(&content)? {
            Entry::Open(open) => Some(Arc::clone(&open.shelved)),
            Entry::Closed(_) => None,
        }
    }

    /// Whether the content is here and has to be opened first.
    pub(crate) fn is_closed(&self, content: &ContentId) -> bool {
        matches!(self.read().get(content), Some(Entry::Closed(_)))
    }

    /// The content, if any of it is here; opens it if need be.
    pub(crate) async fn open(&self, content: ContentId) -> Option<Arc<Shelved>> {
        let closed = match self.read().get(&content)? {
            Entry::Open(open) => return Some(Arc::clone(&open.shelved)),
            Entry::Closed(closed) => Arc::clone(closed),
        };
        closed.opened.get_or_init(|| self.take(content, &closed)).await.clone()
    }

    async fn take(&self, content: ContentId, closed: &Arc<Closed>) -> Option<Arc<Shelved>> {
        let (open, game) = (Arc::clone(&closed.opener.open), closed.game.clone());
        let opened = closed.opener.pool.run(move || open(&game, content)).await;
        let shelved = {
            let mut shelf = self.write();
            match shelf.get(&content) {
                Some(Entry::Closed(now)) if Arc::ptr_eq(now, closed) => {}
                // Put there anew, or taken off, since it was asked for.
                Some(Entry::Open(open)) => return Some(Arc::clone(&open.shelved)),
                Some(Entry::Closed(_)) | None => return None,
            }
            match opened.ok().flatten() {
                Some(Opened { manifest, manifest_bytes, reader, have }) => {
                    let files = Files::Root(Arc::new(reader));
                    let shelved = Arc::new(Shelved::new(content, manifest, manifest_bytes, files, have));
                    let reopen = Some((closed.game.clone(), closed.opener.clone()));
                    shelf.insert(content, Entry::Open(Open { shelved: Arc::clone(&shelved), reopen, idle_looks: 0 }));
                    close_surplus(&mut shelf, &content);
                    Some(shelved)
                }
                None => {
                    shelf.remove(&content);
                    None
                }
            }
        };
        if shelved.is_none() {
            // The library ends before us only when the runtime does.
            let _ = closed.opener.library.send(LibraryInput::OwnChanged { game: closed.game.clone() }).await;
        }
        shelved
    }

    /// The build of a game that is in its root.
    pub(crate) fn in_root_of(&self, game: &GameId) -> Option<ContentId> {
        let shelf = self.read();
        let is_in_root = |entry: &Entry| match entry {
            Entry::Open(Open { shelved, .. }) => {
                shelved.manifest.game() == game && matches!(shelved.files(), Files::Root(_))
            }
            Entry::Closed(closed) => closed.game == *game,
        };
        shelf.iter().find(|(_, entry)| is_in_root(entry)).map(|(content, _)| *content)
    }

    /// Takes a content off; requests under way see it as gone.
    pub(crate) fn remove(&self, content: ContentId) {
        let removed = self.write().remove(&content);
        if let Some(Entry::Open(Open { shelved, .. })) = removed {
            let chunk_count = shelved.manifest.chunk_count();
            *shelved.have() = ChunkSet::empty(chunk_count);
            shelved.changed();
        }
    }

    /// Closes what nobody used at this look and the one before. To be called now and then.
    pub(crate) fn close_idle(&self) {
        let mut shelf = self.write();
        for entry in shelf.values_mut() {
            let Entry::Open(open) = entry else { continue };
            open.idle_looks = if open.is_idle() { open.idle_looks + 1 } else { 0 };
            if open.idle_looks >= IDLE_LOOKS {
                entry.close();
            }
        }
    }

    /// How many contents are open.
    pub(crate) fn open_count(&self) -> usize {
        self.read().values().filter(|entry| matches!(entry, Entry::Open(_))).count()
    }

    /// The map is whole between any two of its operations, so a panic elsewhere leaves it usable.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ContentId, Entry>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<ContentId, Entry>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes what nobody uses until no more is idle than may be, the longest idle first; `but` was asked for
/// just now.
fn close_surplus(shelf: &mut BTreeMap<ContentId, Entry>, but: &ContentId) {
    let idle = shelf.iter_mut().filter(|(content, _)| *content != but);
    let mut idle: Vec<(u32, usize, &mut Entry)> = idle
        .filter_map(|(_, entry)| match &*entry {
            Entry::Open(open) if open.is_idle() => Some((open.idle_looks, open.shelved.bytes(), entry)),
            Entry::Open(_) | Entry::Closed(_) => None,
        })
        .collect();
    let mut bytes: usize = idle.iter().map(|(_, bytes, _)| bytes).sum();
    idle.sort_by_key(|(looks, bytes, _)| (*looks, *bytes));
    while idle.len() > IDLE_MAX || bytes > IDLE_BYTES_MAX {
        let Some((_, freed, entry)) = idle.pop() else { break };
        bytes -= freed;
        entry.close();
    }
}

impl Entry {
    /// Lets go of an open content that can be opened again.
    fn close(&mut self) {
        if let Self::Open(Open { reopen: Some((game, opener)), .. }) = self {
            let closed = Closed::new(game, opener);
            *self = Self::Closed(Arc::new(closed));
        }
    }
}

impl Open {
    /// Whether it can be closed and nobody would notice: the shelf alone holds it, and it knows nothing
    /// of it that is not on disk.
    fn is_idle(&self) -> bool {
        self.reopen.is_some() && Arc::strong_count(&self.shelved) == 1 && self.shelved.have().is_full()
    }
}

impl Closed {
    fn new(game: &GameId, opener: &Opener) -> Self {
        Self { game: game.clone(), opener: opener.clone(), opened: OnceCell::new() }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").finish_non_exhaustive()
    }
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.read().keys()).finish()
    }
}

impl Shelved {
    fn new(content: ContentId, manifest: Arc<Manifest>, manifest_bytes: Bytes, files: Files, have: ChunkSet) -> Self {
        let (files, have) = (RwLock::new(files), Mutex::new(have));
        Self { content, manifest, manifest_bytes, files, have, changes: watch::Sender::new(0) }
    }

    /// About what it takes in memory.
    fn bytes(&self) -> usize {
        self.manifest_bytes.len() * BYTES_A_MANIFEST_BYTE + self.manifest.chunk_count() as usize * BYTES_A_CHUNK
    }

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
