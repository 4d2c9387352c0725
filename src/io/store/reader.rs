//! Reads chunks of a game root for serving, and notices when the files are not what they were.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use super::{
    files::{OpenFiles, Owner},
    hashes::ChunkHashes,
    held::Held,
};
use crate::{
    io::{
        disk::{DiskError, FileStat, GameFile, GameRoot, Reason, Stamp},
        hash::hash_chunk,
    },
    types::{ChunkHash, ChunkNo, ChunkPlace, ChunkSet, ContentId, FileHash, FileNo, Manifest},
};

/// Reads the chunks of a build from its game root. It holds one descriptor for the root and shares
/// the others, so keep one for each content that is being served, not for each that exists.
#[derive(Debug)]
pub struct RootReader {
    root: GameRoot,
    content: ContentId,
    manifest: Arc<Manifest>,
    hashes: ChunkHashes,
    stamps: Vec<Option<Stamp>>,
    open: Owner,
    /// Made when an update first asks what it can reuse.
    by_hash: OnceLock<ByHash>,
}

#[derive(Debug)]
struct ByHash {
    chunks: HashMap<ChunkHash, ChunkNo>,
    files: HashMap<FileHash, FileNo>,
}

/// Why a chunk cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The content has no such chunk, or it is not here (yet).
    #[error("chunk {chunk} is not here")]
    NotHere {
        /// The chunk.
        chunk: ChunkNo,
    },
    /// The file is not in the state it was hashed in: look at the game again before serving from it.
    #[error("`{path}` has changed since it was hashed")]
    Changed {
        /// The file.
        path: String,
    },
    /// The file is gone.
    #[error("`{path}` is gone")]
    Gone {
        /// The file.
        path: String,
    },
    /// The disk failed.
    #[error(transparent)]
    Disk(DiskError),
}

impl RootReader {
    /// A reader of what `held` says is in `root`.
    #[must_use]
    pub fn new(root: GameRoot, held: &Held, files: &OpenFiles) -> Self {
        Self {
            root,
            content: held.content,
            manifest: Arc::clone(&held.manifest),
            hashes: held.hashes.clone(),
            stamps: held.stamps.clone(),
            open: files.owner(),
            by_hash: OnceLock::new(),
        }
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

    /// The hash of a chunk, if known; for those who ask for hashes.
    #[must_use]
    pub fn chunk_hash(&self, chunk: ChunkNo) -> Option<ChunkHash> {
        self.hashes.get(chunk)
    }

    /// Reads a chunk into the front of `buffer`, which has at least its length; gives the length.
    pub fn read_chunk(&self, chunk: ChunkNo, buffer: &mut [u8]) -> Result<usize, ReadError> {
        let place = self.manifest.place(chunk).ok_or(ReadError::NotHere { chunk })?;
        let stamp = self.stamps.get(place.file.index()).copied().flatten().ok_or(ReadError::NotHere { chunk })?;
        let path = self.manifest.file(place.file).path.as_str();
        read_checked(&self.root, &self.open, path, stamp, place, buffer)
    }

    /// Reads a chunk and compares it with its hash: somebody said that it is wrong.
    pub fn verify_chunk(&self, chunk: ChunkNo) -> Result<bool, ReadError> {
        let expect = self.chunk_hash(chunk).ok_or(ReadError::NotHere { chunk })?;
        verify(&self.manifest, chunk, expect, |buffer| self.read_chunk(chunk, buffer))
    }

    /// What the root has of the build, `chunks` of it being served: for a download that builds on it.
    #[must_use]
    pub fn held(&self, chunks: ChunkSet) -> Held {
        Held {
            content: self.content,
            manifest: Arc::clone(&self.manifest),
            hashes: self.hashes.clone(),
            stamps: self.stamps.clone(),
            chunks,
        }
    }

    /// The root itself.
    #[must_use]
    pub fn root(&self) -> &GameRoot {
        &self.root
    }

    /// A chunk with this hash. A chunk's hash also says where in its file it lies, so equal hashes are
    /// equal chunks at equal places.
    pub(super) fn find_chunk(&self, hash: &ChunkHash) -> Option<ChunkNo> {
        self.by_hash().chunks.get(hash).copied()
    }

    /// A file with this hash.
    pub(super) fn find_file(&self, hash: &FileHash) -> Option<FileNo> {
        self.by_hash().files.get(hash).copied()
    }

    fn by_hash(&self) -> &ByHash {
        self.by_hash.get_or_init(|| {
            let chunks = (0..self.manifest.chunk_count()).map(ChunkNo);
            let files = self.manifest.files().iter().enumerate();
            ByHash {
                chunks: chunks.filter_map(|chunk| Some((self.hashes.get(chunk)?, chunk))).collect(),
                files: files.map(|(number, entry)| (entry.hash, FileNo(number as u32))).collect(),
            }
        })
    }

    /// The open file, checked to be in the state it was hashed in; `None` when it is not.
    pub(super) fn whole_file(&self, file: FileNo) -> Result<Option<Arc<GameFile>>, DiskError> {
        let Some(stamp) = self.stamps.get(file.index()).copied().flatten() else { return Ok(None) };
        let path = self.manifest.file(file).path.as_str();
        match self.open.get(file, || self.root.open_file(path)) {
            Ok(opened) => Ok((opened.stat()?.stamp == stamp).then_some(opened)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

pub(super) fn verify(
    manifest: &Manifest,
    chunk: ChunkNo,
    expect: ChunkHash,
    read: impl FnOnce(&mut [u8]) -> Result<usize, ReadError>,
) -> Result<bool, ReadError> {
    let place = manifest.place(chunk).ok_or(ReadError::NotHere { chunk })?;
    let mut buffer = vec![0; place.len as usize];
    let len = read(&mut buffer)?;
    Ok(hash_chunk(&buffer[..len], place.index, manifest.chunks_of(place.file).len() == 1) == expect)
}

/// Reads a chunk of a file in the root; an error when the file is not in the state of `stamp` before
/// or after.
pub(super) fn read_checked(
    root: &GameRoot,
    open: &Owner,
    path: &str,
    stamp: Stamp,
    place: ChunkPlace,
    buffer: &mut [u8],
) -> Result<usize, ReadError> {
    let len = place.len as usize;
    let result = (|| {
        let check = |stat: Result<FileStat, DiskError>| match stat {
            Ok(stat) if stat.stamp == stamp => Ok(()),
            Ok(_) => Err(ReadError::Changed { path: path.to_owned() }),
            Err(error) => Err(ReadError::Disk(error)),
        };
        // Small files come by the ten thousand, each once: they do not push others out of the open ones.
        let file = if u64::from(place.len) == stamp.size {
            let file = root.open_file(path).map_err(|error| gone_or(error, path))?;
            check(file.stat_at_open())?;
            Arc::new(file)
        } else {
            let file = open.get(place.file, || root.open_file(path)).map_err(|error| gone_or(error, path))?;
            check(file.stat())?;
            file
        };
        let count = file.read_at(&mut buffer[..len], place.offset).map_err(ReadError::Disk)?;
        check(file.stat())?;
        if count == len { Ok(len) } else { Err(ReadError::Changed { path: path.to_owned() }) }
    })();
    if result.is_err() {
        open.close(place.file);
    }
    result
}

fn gone_or(error: DiskError, path: &str) -> ReadError {
    let gone = matches!(
        error.reason(),
        Reason::Missing | Reason::NotAFolder | Reason::NotRegular | Reason::IsAFolder | Reason::Link
    );
    if gone { ReadError::Gone { path: path.to_owned() } } else { ReadError::Disk(error) }
}
