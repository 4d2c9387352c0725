//! A download that grows in `.potluck/incoming/<ContentId>/`. Its files grow in the tree they will be
//! in the root; a chunk is written in place after its hash matched, then its bit is set in a
//! bitmap file. A kill loses nothing; after a power loss, which a new boot id tells, what the last
//! synced bitmap does not vouch for is hashed again. Files of an older build that are in the root and
//! equal stay where they are and count as here.

mod adopt;
mod resume;

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use super::{
    files::{OpenFiles, Owner},
    hashes::{ChunkHashes, HASH_BYTES, WrongHashes},
    held::Held,
    layout,
    reader::{ReadError, RootReader, read_checked, verify},
};
use crate::{
    io::{
        disk::{Cursor, DiskError, GameFile, GameRoot, Kind, Reason, Stamp},
        hash::{Watcher, hash_chunk},
    },
    types::{CHUNK_BYTES, ChunkHash, ChunkNo, ChunkPlace, ChunkSet, ContentId, FileNo, Manifest, PayloadPath},
    wire::manifest::{self, MANIFEST_BYTES_MAX},
};

/// A download that grows. Shared by the threads that write and serve it.
#[derive(Debug)]
pub struct Incoming {
    root: GameRoot,
    content: ContentId,
    /// Where its files grow, in the root.
    data: String,
    manifest: Arc<Manifest>,
    hashes: RwLock<ChunkHashes>,
    hashes_file: GameFile,
    have_file: GameFile,
    state: Mutex<State>,
    open: Owner,
    open_in_root: Owner,
}

/// Invariant: `staged` and the chunks of files that stay are disjoint; `verified` is both together.
#[derive(Debug)]
struct State {
    /// Verified chunks in growing files: what the bitmap file says.
    staged: ChunkSet,
    /// Files that lie in the root already, and the state they were seen in.
    stays: Vec<Option<Stamp>>,
    /// Every chunk that is here.
    verified: ChunkSet,
}

impl State {
    fn new(manifest: &Manifest, stays: Vec<Option<Stamp>>) -> Self {
        let staged = ChunkSet::empty(manifest.chunk_count());
        let mut verified = staged.clone();
        for (number, stays) in stays.iter().enumerate() {
            if stays.is_some() {
                manifest.chunks_of(FileNo(number as u32)).for_each(|chunk| {
                    verified.insert(ChunkNo(chunk));
                });
            }
        }
        Self { staged, stays, verified }
    }

    fn set_staged(&mut self, chunk: ChunkNo, to: bool) -> bool {
        if to {
            self.verified.insert(chunk);
            self.staged.insert(chunk)
        } else {
            self.verified.remove(chunk);
            self.staged.remove(chunk)
        }
    }

    /// A byte of the bitmap file.
    fn byte(&self, number: u32) -> u8 {
        let bits = (0..8).filter(|bit| self.staged.contains(ChunkNo(number * 8 + bit)));
        bits.fold(0, |byte, bit| byte | 1 << bit)
    }

    /// A file is not what it was: its chunks are gone, and grow here if they come again.
    fn stays_no_more(&mut self, manifest: &Manifest, file: FileNo) {
        if self.stays[file.index()].take().is_some() {
            manifest.chunks_of(file).for_each(|chunk| {
                self.verified.remove(ChunkNo(chunk));
            });
        }
    }
}

/// Why a download cannot be opened, or is no longer what it was.
#[derive(Debug, thiserror::Error)]
pub enum IncomingError {
    /// The disk is full.
    #[error("no space for the download: {0}")]
    NoSpace(#[source] DiskError),
    /// The watcher said stop.
    #[error("cancelled")]
    Cancelled,
    /// Reading the older build failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk failed.
    #[error(transparent)]
    Disk(DiskError),
}

/// Why a chunk was not taken.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The content has no such chunk.
    #[error("the content has no chunk {chunk}")]
    NoSuchChunk {
        /// The chunk.
        chunk: ChunkNo,
    },
    /// Its hash is not known yet: ask for the hashes of its file first.
    #[error("the hash of chunk {chunk} is not known yet")]
    NoHash {
        /// The chunk.
        chunk: ChunkNo,
    },
    /// The bytes are not those of the chunk.
    #[error("the bytes of chunk {chunk} do not match its hash")]
    WrongHash {
        /// The chunk.
        chunk: ChunkNo,
    },
    /// The disk is full.
    #[error("no space for chunk {chunk}: {source}")]
    NoSpace {
        /// The chunk.
        chunk: ChunkNo,
        /// What the disk said.
        source: DiskError,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(DiskError),
}

fn unwritten(chunk: ChunkNo, source: DiskError) -> WriteError {
    if source.is_no_space() { WriteError::NoSpace { chunk, source } } else { WriteError::Disk(source) }
}

/// Why a download cannot be committed.
#[derive(Debug, thiserror::Error)]
pub enum NotReady {
    /// Files of the older build that were to stay have changed meanwhile: these chunks are wanted again.
    #[error("{} chunks of files in the game changed meanwhile and are fetched again", chunks.len())]
    Lost {
        /// The chunks that are no longer here.
        chunks: Vec<ChunkNo>,
    },
    /// Chunks are missing.
    #[error("{missing} bytes are still missing")]
    Incomplete {
        /// Bytes of them.
        missing: u64,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl From<DiskError> for IncomingError {
    fn from(error: DiskError) -> Self {
        if error.is_no_space() { Self::NoSpace(error) } else { Self::Disk(error) }
    }
}

impl Incoming {
    /// Opens the download of a build below `root`, and begins it when there is none. `held` is what
    /// the root has of an older build, or of this one when it is being repaired. What a power loss
    /// may have damaged is hashed here; `watcher` sees the bytes of it.
    pub fn open(
        root: GameRoot,
        content: ContentId,
        manifest: Arc<Manifest>,
        manifest_bytes: &[u8],
        held: Option<&Held>,
        files: &OpenFiles,
        watcher: &mut Watcher<'_>,
    ) -> Result<Self, IncomingError> {
        resume::open(root, content, manifest, manifest_bytes, held, files, watcher)
    }

    /// The build.
    #[must_use]
    pub fn content(&self) -> ContentId {
        self.content
    }

    /// What it consists of.
    #[must_use]
    pub fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// The game root it is for.
    #[must_use]
    pub fn root(&self) -> &GameRoot {
        &self.root
    }

    /// The chunks that are here and verified, whether they grow here or lie in the root.
    #[must_use]
    pub fn verified(&self) -> ChunkSet {
        self.state().verified.clone()
    }

    /// Whether every chunk is here.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state().verified.is_full()
    }

    /// Bytes of chunks that are not here yet: what the disk must still have room for, at most.
    #[must_use]
    pub fn missing_bytes(&self) -> u64 {
        let verified = self.verified();
        let chunks = (0..self.manifest.chunk_count()).map(ChunkNo).filter(|chunk| !verified.contains(*chunk));
        chunks.filter_map(|chunk| self.manifest.place(chunk)).map(|place| u64::from(place.len)).sum()
    }

    /// The hash of a chunk, if known.
    #[must_use]
    pub fn chunk_hash(&self, chunk: ChunkNo) -> Option<ChunkHash> {
        self.hashes().get(chunk)
    }

    /// The files whose chunk hashes have to be asked for.
    #[must_use]
    pub fn files_without_hashes(&self) -> Vec<FileNo> {
        self.hashes().unknown_files(&self.manifest)
    }

    /// All chunk hashes known so far.
    #[must_use]
    pub fn chunk_hashes(&self) -> ChunkHashes {
        self.hashes().clone()
    }

    /// Takes the chunk hashes of a file if they fold to its hash, and remembers them.
    pub fn set_hashes(&self, file: FileNo, hashes: &[ChunkHash]) -> Result<Result<(), WrongHashes>, DiskError> {
        let set = self.hashes.write().unwrap_or_else(PoisonError::into_inner).set_file(&self.manifest, file, hashes);
        if let Err(wrong) = set {
            return Ok(Err(wrong));
        }
        let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let first = u64::from(self.manifest.chunks_of(file).start);
        self.hashes_file.write_at(&bytes, first * HASH_BYTES as u64)?;
        Ok(Ok(()))
    }

    /// Verifies a chunk and writes it. `Ok(false)`: it was here already.
    pub fn write_chunk(&self, chunk: ChunkNo, bytes: &[u8]) -> Result<bool, WriteError> {
        let stored = self.store(chunk, bytes, &mut self.root.cursor())?;
        if stored { self.count(chunk) } else { Ok(false) }
    }

    /// The same for several: what becomes of each, in order. Small files come by the ten thousand,
    /// and together they cost a fraction.
    pub fn write_chunks(&self, chunks: &[(ChunkNo, &[u8])]) -> Vec<Result<bool, WriteError>> {
        let mut cursor = self.root.cursor();
        let mut written: Vec<_> = chunks.iter().map(|(chunk, bytes)| self.store(*chunk, bytes, &mut cursor)).collect();
        let stored = || chunks.iter().zip(&written).filter(|(_, stored)| matches!(stored, Ok(true)));
        let together: Vec<ChunkNo> = stored().map(|((chunk, _), _)| *chunk).collect();
        if self.count_all(&together).is_err() {
            // Then one by one, so that each has its own answer.
            for ((chunk, _), stored) in chunks.iter().zip(&mut written) {
                if matches!(stored, Ok(true)) {
                    *stored = self.count(*chunk);
                }
            }
        }
        written
    }

    /// Reads a verified chunk into the front of `buffer`, which has at least its length; gives the length.
    pub fn read_chunk(&self, chunk: ChunkNo, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let place = self.manifest.place(chunk).ok_or(ReadError::NotHere { chunk })?;
        let (staged, stays) = {
            let state = self.state();
            (state.staged.contains(chunk), state.stays[place.file.index()])
        };
        match stays {
            Some(stamp) => {
                let path = self.manifest.file(place.file).path.as_str();
                read_checked(&self.root, &self.open_in_root, path, stamp, place, buffer)
            }
            None if staged => self.read_staged(place, buffer).map_err(|error| {
                let path = || self.manifest.file(place.file).path.to_string();
                // A commit has moved it: its new reader knows where.
                if error.is_missing() { ReadError::Gone { path: path() } } else { ReadError::Disk(error) }
            }),
            None => Err(ReadError::NotHere { chunk }),
        }
    }

    /// Reads a chunk and compares it with its hash: somebody said that it is wrong. A wrong one is
    /// no longer here.
    pub fn verify_chunk(&self, chunk: ChunkNo) -> Result<bool, ReadError> {
        let place = self.manifest.place(chunk).ok_or(ReadError::NotHere { chunk })?;
        let expect = self.chunk_hash(chunk).ok_or(ReadError::NotHere { chunk })?;
        let right = verify(&self.manifest, chunk, expect, |buffer| self.read_chunk(chunk, buffer))?;
        if !right {
            let mut state = self.state();
            state.stays_no_more(&self.manifest, place.file);
            self.set_bit(&mut state, chunk, false).map_err(ReadError::Disk)?;
            // Else a power loss could bring back a bit that the last synced bitmap still vouches for.
            self.have_file.sync_data().map_err(ReadError::Disk)?;
        }
        Ok(right)
    }

    /// Looks whether files that were to stay in the root are still what they were; the chunks of
    /// those that are not are no longer here, and are given back. Ask when a read says `Changed` or
    /// `Gone`; a commit asks too.
    pub fn recheck(&self) -> Result<Vec<ChunkNo>, DiskError> {
        let mut lost = Vec::new();
        let mut cursor = self.root.cursor();
        for (number, stamp) in self.stays().iter().enumerate() {
            let file = FileNo(number as u32);
            let Some(stamp) = stamp else { continue };
            let now = cursor.find(self.manifest.file(file).path.as_str())?;
            if now.is_none_or(|stat| stat.stamp != *stamp) {
                self.state().stays_no_more(&self.manifest, file);
                self.open_in_root.close(file);
                lost.extend(self.manifest.chunks_of(file).map(ChunkNo));
            }
        }
        Ok(lost)
    }

    /// Takes over the chunks of an older build that the new one has too: all of them, or those of one file
    /// whose chunk hashes have just become known. They share its blocks where the file system can do that, else they
    /// are copied. Gives the chunks that are here now; each is verified on its way. The watcher sees the bytes.
    pub fn reuse(
        &self,
        old: &RootReader,
        only: Option<FileNo>,
        watcher: &mut Watcher<'_>,
    ) -> Result<Vec<ChunkNo>, IncomingError> {
        let all = 0..self.manifest.files().len() as u32;
        let files = only.map_or(all, |file| file.0..file.0 + 1);
        let mut buffer = vec![0; CHUNK_BYTES as usize];
        let mut gained = Vec::new();
        for file in files.map(FileNo) {
            if self.state().stays[file.index()].is_some() {
                continue;
            }
            gained.extend(self.adopt(old, file, watcher)?);
            for chunk in self.manifest.chunks_of(file).map(ChunkNo) {
                if self.has(chunk) {
                    continue;
                }
                let Some(from) = self.chunk_hash(chunk).and_then(|hash| old.find_chunk(&hash)) else { continue };
                // What changed in the old build meanwhile is simply fetched.
                let Ok(len) = old.read_chunk(from, &mut buffer) else { continue };
                match self.write_chunk(chunk, &buffer[..len]) {
                    Ok(_) => gained.push(chunk),
                    Err(WriteError::NoSpace { source, .. }) => return Err(IncomingError::NoSpace(source)),
                    Err(WriteError::Disk(error)) => return Err(IncomingError::Disk(error)),
                    Err(WriteError::NoSuchChunk { .. } | WriteError::NoHash { .. } | WriteError::WrongHash { .. }) => {}
                }
                if watcher(len as u64) == ControlFlow::Break(()) {
                    return Err(IncomingError::Cancelled);
                }
            }
        }
        Ok(gained)
    }

    /// Makes what is here durable, so that a power loss costs nothing of it.
    pub fn sync(&self) -> Result<(), DiskError> {
        // The bits of now, after the data of now: what is written meanwhile waits for the next time.
        let bits = self.state().staged.to_bytes();
        self.root.sync_fs()?;
        self.root.write_atomic(&layout::incoming_synced(self.content), &bits)
    }

    /// Throws the download away. Works with no byte free.
    pub fn discard(self) -> Result<(), DiskError> {
        let folder = layout::incoming_folder(self.content);
        self.root.remove_tree(&folder)
    }

    /// Makes the download ready to be moved into the root: what was to stay there still does, every
    /// file is whole, nothing lies here that is not wanted, and all of it is durable. Gives the state
    /// that each file is in that grew here.
    pub(crate) fn prepare(&self) -> Result<Vec<Option<Stamp>>, NotReady> {
        let mut lost = self.recheck()?;
        let (lost_here, mut staged) = self.recheck_staged()?;
        lost.extend(lost_here);
        if !lost.is_empty() {
            return Err(NotReady::Lost { chunks: lost });
        }
        if !self.is_complete() {
            return Err(NotReady::Incomplete { missing: self.missing_bytes() });
        }
        if !self.manifest.links().is_empty() {
            self.root.check_links(&layout::incoming_folder(self.content))?;
        }
        self.check_manifest_file()?;
        let mut cursor = self.root.cursor();
        for ((entry, stays), staged) in self.manifest.files().iter().zip(self.stays()).zip(&mut staged) {
            if stays.is_some() {
                // Begun in an earlier run, before the file in the root was found to be the right one.
                let path = self.data_path(&entry.path);
                if cursor.find(&path)?.is_some() {
                    self.root.remove_file(&path)?;
                }
            } else if entry.size == 0 && staged.is_none() {
                let created = cursor.create_file(&self.data_path(&entry.path), entry.executable)?;
                *staged = Some(created.stat()?.stamp);
            }
        }
        self.sync()?;
        Ok(staged)
    }

    /// The state each file was in that stays where it is in the root.
    pub(crate) fn stays(&self) -> Vec<Option<Stamp>> {
        self.state().stays.clone()
    }

    /// Looks whether each growing file that has verified chunks is still here and of its size: somebody
    /// may have tidied up. The chunks of one that is not are no longer here, and are given back, with
    /// the state of those that are.
    fn recheck_staged(&self) -> Result<(Vec<ChunkNo>, Vec<Option<Stamp>>), DiskError> {
        let mut lost = Vec::new();
        let mut staged = vec![None; self.manifest.files().len()];
        let mut cursor = self.root.cursor();
        for ((number, entry), stays) in self.manifest.files().iter().enumerate().zip(self.stays()) {
            let file = FileNo(number as u32);
            let path = self.data_path(&entry.path);
            if stays.is_some() {
                continue;
            }
            let found = cursor.find(&path)?;
            if let Some(stat) = found.filter(|stat| stat.kind == Kind::File && stat.stamp.size == entry.size) {
                staged[number] = Some(stat.stamp);
                continue;
            }
            if found.is_some() {
                self.root.remove_tree(&path)?;
            }
            self.open.close(file);
            for chunk in self.manifest.chunks_of(file).map(ChunkNo) {
                if self.set_bit(&mut self.state(), chunk, false)? {
                    lost.push(chunk);
                }
            }
        }
        Ok((lost, staged))
    }

    /// The manifest file moves into the root at commit: what lies there must be this build's.
    fn check_manifest_file(&self) -> Result<(), DiskError> {
        match self.root.read_file(&layout::incoming_manifest(self.content), MANIFEST_BYTES_MAX) {
            Ok(bytes) if manifest::content_id(&bytes) == self.content => return Ok(()),
            Ok(_) => {}
            Err(error) if error.is_missing() || matches!(error.reason(), Reason::TooLong { .. }) => {}
            Err(error) => return Err(error),
        }
        let (bytes, _) = manifest::encode(&self.manifest).expect("a manifest that was decoded can be encoded");
        self.root.write_atomic(&layout::incoming_manifest(self.content), &bytes)
    }

    /// Verifies a chunk and writes its bytes; it does not count yet. `Ok(false)`: it was here already.
    fn store(&self, chunk: ChunkNo, bytes: &[u8], cursor: &mut Cursor<'_>) -> Result<bool, WriteError> {
        let place = self.manifest.place(chunk).ok_or(WriteError::NoSuchChunk { chunk })?;
        let expect = self.chunk_hash(chunk).ok_or(WriteError::NoHash { chunk })?;
        let only = self.is_only_chunk(place);
        if bytes.len() != place.len as usize || hash_chunk(bytes, place.index, only) != expect {
            return Err(WriteError::WrongHash { chunk });
        }
        if self.has(chunk) {
            return Ok(false);
        }
        let mut open = || self.create_or_open(place.file, cursor);
        let written = if only {
            // They do not push others out of the open ones.
            open().and_then(|file| file.write_at(bytes, 0))
        } else {
            self.open.get(place.file, open).and_then(|file| file.write_at(bytes, place.offset))
        };
        written.map(|()| true).map_err(|source| unwritten(chunk, source))
    }

    /// Its bytes are written: from now on it is here. `Ok(false)`: it was before.
    fn count(&self, chunk: ChunkNo) -> Result<bool, WriteError> {
        let mut state = self.state();
        if self.stays_now(&state, chunk) {
            return Ok(false);
        }
        self.set_bit(&mut state, chunk, true).map_err(|source| unwritten(chunk, source))
    }

    /// The same for several whose bits lie together in the bitmap file; none counts when it fails.
    fn count_all(&self, chunks: &[ChunkNo]) -> Result<(), DiskError> {
        let mut state = self.state();
        let new: Vec<ChunkNo> = chunks.iter().copied().filter(|chunk| !self.stays_now(&state, *chunk)).collect();
        let new: Vec<ChunkNo> = new.into_iter().filter(|chunk| state.set_staged(*chunk, true)).collect();
        let (Some(first), Some(last)) = (new.iter().min(), new.iter().max()) else { return Ok(()) };
        let bytes: Vec<u8> = (first.0 / 8..=last.0 / 8).map(|byte| state.byte(byte)).collect();
        self.have_file.write_at(&bytes, u64::from(first.0 / 8)).inspect_err(|_| {
            for chunk in new {
                state.set_staged(chunk, false);
            }
        })
    }

    /// A file that began to stay in the root meanwhile would now be here twice.
    fn stays_now(&self, state: &State, chunk: ChunkNo) -> bool {
        self.manifest.place(chunk).is_some_and(|place| state.stays[place.file.index()].is_some())
    }

    fn create_or_open(&self, file: FileNo, cursor: &mut Cursor<'_>) -> Result<GameFile, DiskError> {
        let entry = self.manifest.file(file);
        let path = &self.data_path(&entry.path);
        match cursor.create_file(path, entry.executable) {
            Ok(created) => {
                // What one write fills needs no room made for it.
                let small = entry.size <= u64::from(CHUNK_BYTES);
                if !small && let Err(error) = created.allocate(entry.size) {
                    // A file of the wrong size would be taken for one that was tampered with.
                    self.root.remove_file(path)?;
                    return Err(error);
                }
                Ok(created)
            }
            Err(error) if matches!(error.reason(), Reason::Exists) => self.root.open_file_to_write(path),
            Err(error) => Err(error),
        }
    }

    fn read_staged(&self, place: ChunkPlace, buffer: &mut [u8]) -> Result<usize, DiskError> {
        let len = place.len as usize;
        let open = || self.root.open_file_to_write(&self.data_path(&self.manifest.file(place.file).path));
        let file = if self.is_only_chunk(place) { open().map(Arc::new)? } else { self.open.get(place.file, open)? };
        let count = file.read_at(&mut buffer[..len], place.offset)?;
        if count == len { Ok(len) } else { Err(DiskError::new("read", file.path(), Reason::Truncated)) }
    }

    /// Sets or clears a bit in memory and in the bitmap file; says whether that changed anything.
    fn set_bit(&self, state: &mut State, chunk: ChunkNo, to: bool) -> Result<bool, DiskError> {
        let changed = state.set_staged(chunk, to);
        if changed {
            let number = chunk.0 / 8;
            if let Err(error) = self.have_file.write_at(&[state.byte(number)], u64::from(number)) {
                // A chunk counts when its bit is kept: else the asker is told of a failure that was none.
                if to {
                    state.set_staged(chunk, false);
                }
                return Err(error);
            }
        }
        Ok(changed)
    }

    fn data_path(&self, path: &PayloadPath) -> String {
        format!("{}/{path}", self.data)
    }

    fn has(&self, chunk: ChunkNo) -> bool {
        self.state().verified.contains(chunk)
    }

    fn is_only_chunk(&self, place: ChunkPlace) -> bool {
        self.manifest.chunks_of(place.file).len() == 1
    }

    /// Each change of the state is one step, so a panic elsewhere leaves it usable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hashes(&self) -> std::sync::RwLockReadGuard<'_, ChunkHashes> {
        self.hashes.read().unwrap_or_else(PoisonError::into_inner)
    }
}
