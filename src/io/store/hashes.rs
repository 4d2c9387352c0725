//! The chunk hashes of one content. What is in here was verified against the manifest.

use crate::{
    io::hash::{FileHashes, fold},
    types::{ChunkHash, ChunkNo, FileNo, Manifest},
};

/// Bytes of one hash in a file of them.
pub(super) const HASH_BYTES: usize = 32;

/// The chunk hashes of a content as far as they are known. Those of files of one chunk always are:
/// they are the files' own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkHashes {
    list: Vec<Option<ChunkHash>>,
}

/// Chunk hashes that do not fold to the file's hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the chunk hashes of `{path}` do not belong to its hash")]
pub struct WrongHashes {
    /// The file.
    pub path: String,
}

impl ChunkHashes {
    /// What the manifest alone tells.
    #[must_use]
    pub fn of(manifest: &Manifest) -> Self {
        let mut list = vec![None; manifest.chunk_count() as usize];
        for (number, file) in manifest.files().iter().enumerate() {
            let chunks = manifest.chunks_of(FileNo(number as u32));
            if chunks.len() == 1 {
                list[chunks.start as usize] = Some(ChunkHash::from_bytes(*file.hash.as_bytes()));
            }
        }
        Self { list }
    }

    /// From a file of hashes; those of files they do not fold to are left out, so that a damaged
    /// file costs time and never correctness.
    #[must_use]
    pub fn from_bytes(manifest: &Manifest, bytes: &[u8]) -> Self {
        let mut hashes = Self::of(manifest);
        let (parts, _) = bytes.as_chunks::<HASH_BYTES>();
        for number in 0..manifest.files().len() as u32 {
            let chunks = manifest.chunks_of(FileNo(number));
            let Some(found) = parts.get(chunks.start as usize..chunks.end as usize) else { break };
            if chunks.len() > 1 && found.iter().any(|hash| *hash != [0; HASH_BYTES]) {
                let list: Vec<ChunkHash> = found.iter().map(|hash| ChunkHash::from_bytes(*hash)).collect();
                // Wrong ones are as good as none.
                let _ = hashes.set_file(manifest, FileNo(number), &list);
            }
        }
        hashes
    }

    /// As a file of hashes, zeros where unknown.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.list.iter().flat_map(|hash| hash.map_or([0; HASH_BYTES], |hash| *hash.as_bytes())).collect()
    }

    /// The hash of a chunk, if known.
    #[must_use]
    pub fn get(&self, chunk: ChunkNo) -> Option<ChunkHash> {
        self.list.get(chunk.index()).copied().flatten()
    }

    /// The hashes of a file's chunks, if known.
    #[must_use]
    pub fn of_file(&self, manifest: &Manifest, file: FileNo) -> Option<Vec<ChunkHash>> {
        let chunks = manifest.chunks_of(file);
        self.list[chunks.start as usize..chunks.end as usize].iter().copied().collect()
    }

    /// Whether the hashes of all chunks of a file are known.
    #[must_use]
    pub fn knows_file(&self, manifest: &Manifest, file: FileNo) -> bool {
        let chunks = manifest.chunks_of(file);
        !self.list[chunks.start as usize..chunks.end as usize].contains(&None)
    }

    /// Takes a file's chunk hashes if they are its own.
    pub fn set_file(&mut self, manifest: &Manifest, file: FileNo, hashes: &[ChunkHash]) -> Result<(), WrongHashes> {
        let entry = manifest.file(file);
        if fold(hashes, entry.size) != Some(entry.hash) {
            return Err(WrongHashes { path: entry.path.to_string() });
        }
        let chunks = manifest.chunks_of(file);
        for (slot, hash) in self.list[chunks.start as usize..chunks.end as usize].iter_mut().zip(hashes) {
            *slot = Some(*hash);
        }
        Ok(())
    }

    /// The files whose chunk hashes have to be asked for, in order.
    #[must_use]
    pub fn unknown_files(&self, manifest: &Manifest) -> Vec<FileNo> {
        let files = 0..manifest.files().len() as u32;
        files.map(FileNo).filter(|file| !self.knows_file(manifest, *file)).collect()
    }

    /// As hashing a file gives them; `None` when not all are known.
    #[must_use]
    pub fn file_hashes(&self, manifest: &Manifest, file: FileNo) -> Option<FileHashes> {
        Some(FileHashes { file: manifest.file(file).hash, chunks: self.of_file(manifest, file)? })
    }
}
