//! Reads a game root: walks it into entries, hashes what is not known, and says what a root has of a
//! build. Driven by `runtime::library` on blocking threads; nothing is changed on disk here.

mod check;
mod glance;
mod memory;
mod walk;

use std::{ops::ControlFlow, sync::Arc};

pub use check::{Check, Difference, DifferenceKind, check};
pub use glance::{Unchanged, glance, recall};
pub use memory::Memory;
pub use walk::{Found, FoundLink, Private, Tree, walk};

use super::{
    clock,
    disk::{DiskError, GameRoot, Reason, Stamp},
    hash::{FileHashes, Hashing, Watcher, hash_file},
    store::{ChunkHashes, Held},
};
use crate::{
    types::{
        CHUNK_BYTES, ChunkSet, DirEntry, FileEntry, FileHash, FileNo, GameId, LinkEntry, MANIFEST_CHUNKS_MAX, Manifest,
        PayloadPath, SENTINEL_BYTES_MAX, SENTINEL_NAME, Sentinel, SentinelError, Version, chunks_of_size,
    },
    wire::manifest::{self, ManifestReadError},
};

/// What is learned is written after this many hashed bytes, so that a kill in a long scan loses little.
const SAVE_EVERY_BYTES: u64 = 1 << 30;
/// And this many times what is written, which grows with the game: a large one is not written over and
/// over.
const SAVE_EVERY_TIMES: u64 = 256;

/// A tree of this size is checked before it is hashed; a smaller one is hashed as quickly.
const CHECK_FIRST_BYTES: u64 = 256 << 20;

/// Why a game root cannot be read into a build.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// Its files cannot be shared as they are.
    #[error("private: {}", list_reasons(.0))]
    Private(Vec<Private>),
    /// It has no `version.ini`: nothing says that it is whole.
    #[error("it has no version.ini; write its version into one, or use `potluck add`")]
    NoSentinel,
    /// Its `version.ini` cannot be used.
    #[error("{0}")]
    Sentinel(#[source] SentinelError),
    /// A file changed while it was read: try again when it is quiet.
    #[error("`{path}` is changing; it is looked at again when it is quiet")]
    Changing {
        /// The file.
        path: String,
    },
    /// The watcher said stop.
    #[error("cancelled")]
    Cancelled,
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

fn list_reasons(reasons: &[Private]) -> String {
    let shown: Vec<String> = reasons.iter().map(ToString::to_string).collect();
    shown.join("; ")
}

/// A build made from a game root.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// What it consists of, all of which is held.
    pub held: Held,
    /// The manifest's bytes.
    pub bytes: Vec<u8>,
}

impl Scanned {
    /// The same payload as a build of another version.
    pub fn with_version(mut self, version: &Version) -> Result<Self, ScanError> {
        let old = &self.held.manifest;
        let (files, dirs, links) = (old.files().to_vec(), old.dirs().to_vec(), old.links().to_vec());
        let manifest = Manifest::new(old.game().clone(), Sentinel::of_version(version), files, dirs, links)
            .map_err(|error| ScanError::Private(vec![Private::of_game(error.to_string())]))?;
        (self.bytes, self.held.content) = encode(&manifest)?;
        self.held.manifest = Arc::new(manifest);
        Ok(self)
    }
}

/// The sentinel of a root; `None` when there is none.
pub fn read_sentinel(root: &GameRoot) -> Result<Option<Sentinel>, ScanError> {
    match root.read_file(SENTINEL_NAME, SENTINEL_BYTES_MAX) {
        Ok(bytes) => Sentinel::from_bytes(&bytes).map(Some).map_err(ScanError::Sentinel),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) if matches!(error.reason(), Reason::TooLong { .. }) => {
            Err(ScanError::Sentinel(SentinelError::TooLong { max: SENTINEL_BYTES_MAX }))
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the build of a root that was walked: `sentinel` is its own, or the one it is to get. The
/// watcher sees the bytes of each file, hashed or known: [`Tree::bytes`] altogether.
pub fn build(
    root: &GameRoot,
    game: &GameId,
    sentinel: Sentinel,
    tree: &Tree,
    memory: &mut Memory,
    watcher: &mut Watcher<'_>,
) -> Result<Scanned, ScanError> {
    if !tree.private.is_empty() {
        return Err(ScanError::Private(tree.private.clone()));
    }
    check_limits(game, &sentinel, tree)?;
    let mut hashed = Vec::with_capacity(tree.files.len());
    let mut saver = Saver::default();
    for found in &tree.files {
        match hash_stable(root, &found.path, &found.stamp, memory, watcher, &mut saver)? {
            Some(hashes) => hashed.push(hashes),
            None => return Err(ScanError::Changing { path: found.path.to_string() }),
        }
    }
    let present = |path: &str| tree.files.binary_search_by(|found| found.path.as_str().cmp(path)).is_ok();
    memory.keep_only(present);
    let manifest = manifest_of(game, sentinel, tree, hashed.iter().map(|hashes| hashes.file))?;
    let (bytes, content) = encode(&manifest)?;
    let manifest = Arc::new(manifest);
    let mut hashes = ChunkHashes::of(&manifest);
    for (number, found) in hashed.iter().enumerate() {
        hashes
            .set_file(&manifest, FileNo(number as u32), &found.chunks)
            .expect("the manifest was made from these hashes");
    }
    let chunks = ChunkSet::full(manifest.chunk_count());
    let stamps = tree.files.iter().map(|found| Some(found.stamp)).collect();
    Ok(Scanned { held: Held { content, manifest, hashes, stamps, chunks }, bytes })
}

/// Whether a tree can be a build at all, where finding that out late would cost minutes of hashing. Names
/// and sizes alone decide it: every hash is as long as any other.
fn check_limits(game: &GameId, sentinel: &Sentinel, tree: &Tree) -> Result<(), ScanError> {
    let chunks = tree.files.iter().map(|found| chunks_of_size(found.stamp.size)).fold(0, u64::saturating_add);
    if chunks > u64::from(MANIFEST_CHUNKS_MAX) {
        let (bytes, tebibytes) = (tree.bytes, (u64::from(MANIFEST_CHUNKS_MAX) * u64::from(CHUNK_BYTES)) >> 40);
        let reason = format!(
            "it has {bytes} bytes in {chunks} chunks; {tebibytes} TiB, {MANIFEST_CHUNKS_MAX} chunks, is the most"
        );
        return Err(ScanError::Private(vec![Private::of_game(reason)]));
    }
    if tree.bytes >= CHECK_FIRST_BYTES {
        let no_hash = FileHash::from_bytes([0; 32]);
        encode(&manifest_of(game, sentinel.clone(), tree, std::iter::repeat(no_hash))?)?;
    }
    Ok(())
}

fn manifest_of(
    game: &GameId,
    sentinel: Sentinel,
    tree: &Tree,
    hashes: impl Iterator<Item = FileHash>,
) -> Result<Manifest, ScanError> {
    let files = tree.files.iter().zip(hashes).map(|(found, hash)| FileEntry {
        path: found.path.clone(),
        size: found.stamp.size,
        hash,
        executable: found.executable,
    });
    let dirs = tree.dirs.iter().map(|path| DirEntry { path: path.clone() }).collect();
    let links = tree.links.iter().map(|link| LinkEntry { path: link.path.clone(), target: link.target.clone() });
    Manifest::new(game.clone(), sentinel, files.collect(), dirs, links.collect())
        .map_err(|error| ScanError::Private(vec![Private::of_game(error.to_string())]))
}

fn encode(manifest: &Manifest) -> Result<(Vec<u8>, crate::types::ContentId), ScanError> {
    manifest::encode(manifest)
        .map_err(|error: ManifestReadError| ScanError::Private(vec![Private::of_game(error.to_string())]))
}

/// The hash of the file that is at a path now; `None` when none is there or it is changing.
pub fn hash_path(
    root: &GameRoot,
    path: &PayloadPath,
    stamp: &Stamp,
    memory: &mut Memory,
) -> Result<Option<FileHash>, ScanError> {
    let go_on: &mut Watcher<'_> = &mut |_| ControlFlow::Continue(());
    Ok(hash_stable(root, path, stamp, memory, go_on, &mut Saver::default())?.map(|hashes| hashes.file))
}

/// Saves what was learned now and then.
#[derive(Default)]
struct Saver {
    unsaved_bytes: u64,
}

impl Saver {
    fn learned(&mut self, bytes: u64, memory: &mut Memory) {
        self.unsaved_bytes += bytes;
        if self.unsaved_bytes >= SAVE_EVERY_BYTES.max(memory.save_bytes() * SAVE_EVERY_TIMES) {
            self.unsaved_bytes = 0;
            memory.save();
        }
    }
}

/// The hashes of a file in the state `stamp`, known or made; `None` when it is in another state
/// before or after it was read, or gone.
fn hash_stable(
    root: &GameRoot,
    path: &PayloadPath,
    stamp: &Stamp,
    memory: &mut Memory,
    watcher: &mut Watcher<'_>,
    saver: &mut Saver,
) -> Result<Option<FileHashes>, ScanError> {
    let read_at = clock::unix_ms();
    if let Some(known) = memory.get(path, stamp) {
        return match watcher(stamp.size) {
            ControlFlow::Continue(()) => Ok(Some(known)),
            ControlFlow::Break(()) => Err(ScanError::Cancelled),
        };
    }
    let file = match root.open_file(path.as_str()) {
        Ok(file) => file,
        Err(error) if is_gone(error.reason()) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if file.stat()?.stamp != *stamp {
        return Ok(None);
    }
    let hashes = match hash_file(&file, stamp.size, watcher)? {
        Hashing::Done(hashes) => hashes,
        Hashing::SizeChanged => return Ok(None),
        Hashing::Cancelled => {
            memory.save();
            return Err(ScanError::Cancelled);
        }
    };
    // The file that was read, and the one that has the path now.
    let same = file.stat()?.stamp == *stamp && root.find(path.as_str())?.is_some_and(|stat| stat.stamp == *stamp);
    if !same {
        return Ok(None);
    }
    memory.learn_read(path, *stamp, hashes.clone(), read_at);
    saver.learned(stamp.size, memory);
    Ok(Some(hashes))
}

/// Whether no file is at the path any more.
fn is_gone(reason: &Reason) -> bool {
    matches!(reason, Reason::Missing | Reason::NotAFolder | Reason::NotRegular | Reason::IsAFolder | Reason::Link)
}

#[cfg(test)]
#[path = "scan/scan_tests.rs"]
mod tests;
