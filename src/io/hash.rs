//! BLAKE3 of files and chunks. A file's hash is its plain BLAKE3; the chunks of a larger file are
//! subtrees of the same tree, so that a list of chunk hashes proves itself by folding to the file's
//! hash. Callers drive it on the pool of blocking threads; nothing here opens a file by itself.

use std::ops::ControlFlow;

use blake3::hazmat::{HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

use crate::{
    io::disk::{DiskError, GameFile},
    types::{CHUNK_BYTES, ChunkHash, FileHash, chunks_of_size},
};

/// Called between chunks with the bytes that were done since the last call; `Break` cancels.
pub type Watcher<'a> = dyn FnMut(u64) -> ControlFlow<()> + 'a;

/// The hash of a file and of each of its chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileHashes {
    /// The file's plain BLAKE3.
    pub file: FileHash,
    /// The hash of each chunk in order; none for an empty file.
    pub chunks: Vec<ChunkHash>,
}

/// The hash of the chunk that is number `index` of its file. `only` says that the file has no other
/// chunk: then its chunk hash is the file's hash.
///
/// `bytes` are at most [`CHUNK_BYTES`], and exactly as many unless it is the file's last chunk.
#[must_use]
pub fn hash_chunk(bytes: &[u8], index: u32, only: bool) -> ChunkHash {
    debug_assert!(bytes.len() <= CHUNK_BYTES as usize && (!only || index == 0), "not a chunk");
    if only || bytes.is_empty() {
        return ChunkHash::from_bytes(*blake3::hash(bytes).as_bytes());
    }
    let mut hasher = blake3::Hasher::new();
    hasher.set_input_offset(u64::from(index) * u64::from(CHUNK_BYTES));
    hasher.update(bytes);
    ChunkHash::from_bytes(hasher.finalize_non_root())
}

/// The hash of the file of `size` bytes that has these chunk hashes; `None` when their number is not
/// the file's number of chunks.
#[must_use]
pub fn fold(chunks: &[ChunkHash], size: u64) -> Option<FileHash> {
    if chunks.len() as u64 != chunks_of_size(size) {
        return None;
    }
    Some(match chunks {
        [] => FileHash::from_bytes(*blake3::hash(b"").as_bytes()),
        [only] => FileHash::from_bytes(*only.as_bytes()),
        [..] => {
            let (left, right) = chunks.split_at(left_len(chunks.len()));
            FileHash::from_bytes(*merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes())
        }
    })
}

/// Recursion is as deep as the tree: 21 levels for the largest manifest.
fn subtree(chunks: &[ChunkHash]) -> [u8; 32] {
    match chunks {
        [only] => *only.as_bytes(),
        [..] => {
            let (left, right) = chunks.split_at(left_len(chunks.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// BLAKE3's trees are left-balanced: the left side takes the largest power of two that leaves something.
fn left_len(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// How hashing a file ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Hashing {
    /// All of it was read.
    Done(FileHashes),
    /// The watcher said stop.
    Cancelled,
    /// The file ended before, or went on behind, `size` bytes.
    SizeChanged,
}

/// Reads `size` bytes of `file` from the start and hashes them chunk by chunk.
///
/// Whether the file changed meanwhile is for the caller to see: only it knows the stamp from before.
pub fn hash_file(file: &GameFile, size: u64, watcher: &mut Watcher<'_>) -> Result<Hashing, DiskError> {
    let count = chunks_of_size(size);
    let mut buffer = vec![0; size.min(u64::from(CHUNK_BYTES)) as usize];
    let mut chunks = Vec::new();
    for index in 0..count {
        let offset = index * u64::from(CHUNK_BYTES);
        let len = (size - offset).min(u64::from(CHUNK_BYTES)) as usize;
        if file.read_at(&mut buffer[..len], offset)? != len {
            return Ok(Hashing::SizeChanged);
        }
        chunks.push(hash_chunk(&buffer[..len], index as u32, count == 1));
        if watcher(len as u64).is_break() {
            return Ok(Hashing::Cancelled);
        }
    }
    if file.read_at(&mut [0], size)? != 0 {
        return Ok(Hashing::SizeChanged);
    }
    let file = fold(&chunks, size).expect("one hash was made for each chunk of the size");
    Ok(Hashing::Done(FileHashes { file, chunks }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: usize = CHUNK_BYTES as usize;

    fn bytes(size: usize) -> Vec<u8> {
        (0..size).map(|i| (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes()[7]).collect()
    }

    fn chunk_hashes(bytes: &[u8]) -> Vec<ChunkHash> {
        let only = bytes.len() <= MIB;
        bytes.chunks(MIB).enumerate().map(|(index, part)| hash_chunk(part, index as u32, only)).collect()
    }

    fn check(size: usize) {
        let bytes = bytes(size);
        let chunks = chunk_hashes(&bytes);
        let expect = FileHash::from_bytes(*blake3::hash(&bytes).as_bytes());
        assert_eq!(fold(&chunks, size as u64), Some(expect), "{size} bytes");
        assert_eq!(fold(&chunks, (size + MIB) as u64), None, "{size} bytes");
        if chunks.len() > 1 {
            let mut wrong = chunks;
            wrong.swap(0, 1);
            assert_ne!(fold(&wrong, size as u64), Some(expect), "{size} bytes");
        }
    }

    #[test]
    fn chunk_hashes_fold_to_the_plain_hash() {
        for size in [0, 1, 1_024, 1_025, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 1, 3 * MIB, 5 * MIB + 17] {
            check(size);
        }
    }

    #[test]
    fn the_hash_of_a_known_text_is_the_one_b3sum_prints() {
        let hash = hash_chunk(b"potluck", 0, true);
        assert_eq!(hash.as_bytes(), blake3::hash(b"potluck").as_bytes());
        assert_eq!(
            fold(&[], 0).unwrap().to_string(),
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_size_folds(size in 0usize..9 * MIB) {
            check(size);
        }
    }
}
