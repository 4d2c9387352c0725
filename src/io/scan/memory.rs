//! What a scan knows of one game's files beforehand, and what it learns.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    io::{
        disk::Stamp,
        hash::{FileHashes, fold},
        index::Index,
    },
    types::{ChunkHash, FileHash, GameId, PayloadPath, chunks_of_size},
};

/// What is known of one game's files. A scan reads and teaches it; what it learned is written when
/// it is saved or dropped.
#[derive(Debug)]
pub struct Memory {
    index: Option<(Arc<Index>, GameId)>,
    known: BTreeMap<String, Known>,
    unsaved: BTreeSet<String>,
    forgot: bool,
}

#[derive(Debug)]
struct Known {
    stamp: Stamp,
    hash: FileHash,
    /// `None` while they are only in the index.
    chunks: Option<Vec<ChunkHash>>,
}

impl Memory {
    /// What the index knows of a game.
    #[must_use]
    pub fn of_game(index: &Arc<Index>, game: &GameId) -> Self {
        let known = index.game(game).into_iter();
        let known = known.map(|(path, file)| (path, Known { stamp: file.stamp, hash: file.hash, chunks: None }));
        Self {
            index: Some((Arc::clone(index), game.clone())),
            known: known.collect(),
            unsaved: BTreeSet::new(),
            forgot: false,
        }
    }

    /// Knows nothing and forgets: everything is hashed.
    #[must_use]
    pub fn none() -> Self {
        Self { index: None, known: BTreeMap::new(), unsaved: BTreeSet::new(), forgot: false }
    }

    /// The hashes of a file if it is in this state.
    #[must_use]
    pub fn get(&self, path: &PayloadPath, stamp: &Stamp) -> Option<FileHashes> {
        let known = self.known.get(path.as_str()).filter(|known| known.stamp == *stamp)?;
        let chunks = match (&known.chunks, chunks_of_size(stamp.size)) {
            (Some(chunks), _) => chunks.clone(),
            (None, 0) => Vec::new(),
            (None, 1) => vec![ChunkHash::from_bytes(*known.hash.as_bytes())],
            (None, _) => {
                let (index, game) = self.index.as_ref()?;
                let chunks = index.chunk_hashes(game, path.as_str(), stamp)?;
                // An index that was damaged inside is no reason to believe it, or to stop.
                if fold(&chunks, stamp.size) != Some(known.hash) {
                    return None;
                }
                chunks
            }
        };
        Some(FileHashes { file: known.hash, chunks })
    }

    /// A file in this state has these hashes.
    pub fn learn(&mut self, path: &PayloadPath, stamp: Stamp, hashes: FileHashes) {
        let known = Known { stamp, hash: hashes.file, chunks: Some(hashes.chunks) };
        self.known.insert(path.as_str().to_owned(), known);
        self.unsaved.insert(path.as_str().to_owned());
    }

    /// What was known of a file is not to be trusted: it is hashed the next time.
    pub fn forget(&mut self, path: &PayloadPath) {
        self.forgot |= self.known.remove(path.as_str()).is_some();
        self.unsaved.remove(path.as_str());
    }

    /// Forgets files that are gone.
    pub fn keep_only(&mut self, is_there: impl Fn(&str) -> bool) {
        let before = self.known.len();
        self.known.retain(|path, _| is_there(path));
        self.unsaved.retain(|path| is_there(path));
        self.forgot |= self.known.len() != before;
    }

    /// Writes what was learned since the last time.
    pub fn save(&mut self) {
        let Some((index, game)) = &self.index else { return };
        let unsaved: Vec<(&str, Stamp, FileHashes)> = std::mem::take(&mut self.unsaved)
            .iter()
            .filter_map(|path| {
                let (path, known) = self.known.get_key_value(path.as_str())?;
                Some((path.as_str(), known.stamp, FileHashes { file: known.hash, chunks: known.chunks.clone()? }))
            })
            .collect();
        if !unsaved.is_empty() {
            index.remember(game, unsaved.iter().map(|(path, stamp, hashes)| (*path, *stamp, hashes)));
        }
        if std::mem::take(&mut self.forgot) {
            index.retain_files(game, |path| self.known.contains_key(path));
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.save();
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::io::hash::hash_chunk;

    #[test]
    fn what_is_learned_outlives_a_restart_and_what_is_forgotten_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let game = GameId::new("quake").unwrap();
        let open = || Arc::new(Index::open(&dir.path().join("index"), Path::new("/games")).0);
        let stamp = |size| Stamp { size, mtime_ns: 1, ctime_ns: 2, inode: 3 };
        let path = |size: u64| PayloadPath::new(&format!("f{size}")).unwrap();
        let hashes = |size| {
            let count = chunks_of_size(size) as u32;
            let chunks: Vec<_> = (0..count).map(|index| hash_chunk(&[index as u8], index, count == 1)).collect();
            FileHashes { file: fold(&chunks, size).unwrap(), chunks }
        };
        let sizes = [0, 1, 1 << 20, (3 << 20) + 1];
        {
            let mut memory = Memory::of_game(&open(), &game);
            sizes.iter().for_each(|size| memory.learn(&path(*size), stamp(*size), hashes(*size)));
        }
        {
            let mut memory = Memory::of_game(&open(), &game);
            for size in sizes {
                assert_eq!(memory.get(&path(size), &stamp(size)), Some(hashes(size)), "{size}");
            }
            assert_eq!(memory.get(&path(1), &Stamp { ctime_ns: 9, ..stamp(1) }), None);
            memory.forget(&path(1));
            memory.keep_only(|path| path != "f0");
        }
        let damaged = FileHashes { chunks: vec![hash_chunk(b"x", 0, true); 4], ..hashes(sizes[3]) };
        open().remember(&game, [("damaged", stamp(sizes[3]), &damaged)]);
        let memory = Memory::of_game(&open(), &game);
        assert_eq!(memory.get(&PayloadPath::new("damaged").unwrap(), &stamp(sizes[3])), None);
        assert_eq!(sizes.map(|size| memory.get(&path(size), &stamp(size)).is_some()), [false, false, true, true]);
    }
}
