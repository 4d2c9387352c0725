//! What a scan knows of one game's files beforehand, and what it learns.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    io::{
        disk::Stamp,
        hash::{FileHashes, fold},
        index::{self, Index, Known, Whole},
    },
    types::{ChunkHash, FileHash, GameId, PayloadPath, chunks_of_size},
};

/// What is known of one game's files. A scan reads and teaches it; what it learned is written when
/// it is saved or dropped. The index is not read before something is asked.
#[derive(Debug)]
pub struct Memory {
    index: Option<(Arc<Index>, GameId)>,
    /// `None` before the index was read.
    files: Option<BTreeMap<String, File>>,
    /// What the root holds entirely, said since nothing else was learned.
    whole: Option<Whole>,
    /// Files whose chunk hashes the index does not have yet, and those it has no use for any more.
    unsaved: BTreeSet<String>,
    gone: BTreeSet<String>,
    is_dirty: bool,
}

#[derive(Debug)]
struct File {
    known: Known,
    /// Of a file of more than one chunk; `None` while they are only in the index.
    chunks: Option<Vec<ChunkHash>>,
}

impl Memory {
    /// What the index knows of a game.
    #[must_use]
    pub fn of_game(index: &Arc<Index>, game: &GameId) -> Self {
        let mut memory = Self::none();
        (memory.index, memory.files) = (Some((Arc::clone(index), game.clone())), None);
        memory
    }

    /// Knows nothing and forgets: everything is hashed.
    #[must_use]
    pub fn none() -> Self {
        Self {
            index: None,
            files: Some(BTreeMap::new()),
            whole: None,
            unsaved: BTreeSet::new(),
            gone: BTreeSet::new(),
            is_dirty: false,
        }
    }

    /// The hash of a file if it is in this state.
    #[must_use]
    pub fn hash(&mut self, path: &PayloadPath, stamp: &Stamp) -> Option<FileHash> {
        let file = self.files().get(path.as_str())?;
        (file.known.settled && file.known.stamp == *stamp).then_some(file.known.hash)
    }

    /// The hashes of a file and its chunks if it is in this state.
    #[must_use]
    pub fn get(&mut self, path: &PayloadPath, stamp: &Stamp) -> Option<FileHashes> {
        let hash = self.hash(path, stamp)?;
        let chunks = match (&self.files().get(path.as_str())?.chunks, chunks_of_size(stamp.size)) {
            (Some(chunks), _) => chunks.clone(),
            (None, 0) => Vec::new(),
            (None, 1) => vec![ChunkHash::from_bytes(*hash.as_bytes())],
            (None, _) => {
                let (index, game) = self.index.as_ref()?;
                let chunks = index.chunk_hashes(game, path.as_str(), stamp.size)?;
                // An index that was damaged inside is no reason to believe it, or to stop.
                if fold(&chunks, stamp.size) != Some(hash) {
                    return None;
                }
                chunks
            }
        };
        Some(FileHashes { file: hash, chunks })
    }

    /// A file in this state has these hashes.
    pub fn learn(&mut self, path: &PayloadPath, stamp: Stamp, hashes: FileHashes) {
        self.insert(path, stamp, hashes, true);
    }

    /// A file in this state was read at `unix_ms` and has these hashes. When it had changed so shortly
    /// before that a later change might have left the same times, it is read again the next time.
    pub fn learn_read(&mut self, path: &PayloadPath, stamp: Stamp, hashes: FileHashes, unix_ms: u64) {
        let step = self.index.as_ref().map_or(Duration::ZERO, |(index, _)| index.time_step()).as_nanos() as i128;
        let left_alone_ns = i128::from(unix_ms) * 1_000_000 - i128::from(stamp.ctime_ns);
        // A change far in the future is a clock that was set, and says nothing.
        self.insert(path, stamp, hashes, !(-step..step).contains(&left_alone_ns));
    }

    fn insert(&mut self, path: &PayloadPath, stamp: Stamp, hashes: FileHashes, settled: bool) {
        let known = Known { stamp, hash: hashes.file, settled };
        let path = path.as_str().to_owned();
        self.gone.remove(&path);
        // Those of a file of one chunk, or of none, follow from its own.
        let chunks = Some(hashes.chunks).filter(|chunks| chunks.len() > 1);
        if chunks.is_some() {
            self.unsaved.insert(path.clone());
        }
        self.files().insert(path, File { known, chunks });
        self.changed();
    }

    /// What was known of a file is not to be trusted: it is hashed the next time.
    pub fn forget(&mut self, path: &PayloadPath) {
        if self.files().remove(path.as_str()).is_some() {
            self.unsaved.remove(path.as_str());
            self.gone.insert(path.as_str().to_owned());
            self.changed();
        }
    }

    /// Forgets files that are gone.
    pub fn keep_only(&mut self, is_there: impl Fn(&str) -> bool) {
        let gone: Vec<String> = self.files().extract_if(.., |path, _| !is_there(path)).map(|(path, _)| path).collect();
        if !gone.is_empty() {
            self.unsaved.retain(|path| is_there(path));
            self.gone.extend(gone);
            self.changed();
        }
    }

    /// The root held all of this build when its files were in the states learned: until one is in
    /// another, it need not be compared again. Says whether that is remembered; it is not of a build with
    /// files that are to be read again.
    pub fn remember_whole(&mut self, whole: Whole) -> bool {
        if self.index.is_none() || self.files().values().any(|file| !file.known.settled) {
            return false;
        }
        if self.whole.as_ref() != Some(&whole) {
            self.whole = Some(whole);
            self.is_dirty = true;
        }
        self.save()
    }

    /// Writes what was learned since the last time; says whether the index knows all of it.
    pub fn save(&mut self) -> bool {
        let Some((index, game)) = &self.index else { return false };
        if !std::mem::take(&mut self.is_dirty) {
            return true;
        }
        let Some(files) = &self.files else { return true };
        let list = files.iter().map(|(path, file)| (path.as_str(), &file.known));
        let record = index::encode(self.whole.as_ref(), list);
        let chunks = self.unsaved.iter().filter_map(|path| Some((path.as_str(), files.get(path)?.chunks.as_deref()?)));
        let is_saved = index.put(game, &record, chunks, self.gone.iter().map(String::as_str));
        self.unsaved.clear();
        self.gone.clear();
        is_saved
    }

    /// About how many bytes a save writes.
    pub(super) fn save_bytes(&self) -> u64 {
        self.files.as_ref().map_or(0, |files| files.len() as u64 * 128)
    }

    fn changed(&mut self) {
        self.whole = None;
        self.is_dirty = true;
    }

    fn files(&mut self) -> &mut BTreeMap<String, File> {
        self.files.get_or_insert_with(|| {
            let record = self.index.as_ref().and_then(|(index, game)| index.record(game));
            let mut files = BTreeMap::new();
            if let Some(record) = record {
                self.whole = record.whole().cloned();
                let mut known = record.files();
                while let Some((path, known)) = known.next() {
                    files.insert(path.to_owned(), File { known, chunks: None });
                }
            }
            files
        })
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
            assert!(memory.save(), "there is nothing to save");
            for size in sizes {
                assert_eq!(memory.get(&path(size), &stamp(size)), Some(hashes(size)), "{size}");
            }
            assert_eq!(memory.get(&path(1), &Stamp { ctime_ns: 9, ..stamp(1) }), None);
            memory.forget(&path(1));
            memory.keep_only(|path| path != "f0");
        }
        let damaged = FileHashes { chunks: vec![hash_chunk(b"x", 0, true); 4], ..hashes(sizes[3]) };
        Memory::of_game(&open(), &game).learn(&PayloadPath::new("damaged").unwrap(), stamp(sizes[3]), damaged);
        let mut memory = Memory::of_game(&open(), &game);
        assert_eq!(memory.get(&PayloadPath::new("damaged").unwrap(), &stamp(sizes[3])), None);
        assert_eq!(sizes.map(|size| memory.get(&path(size), &stamp(size)).is_some()), [false, false, true, true]);
    }

    fn whole() -> Whole {
        let manifest = Stamp { size: 9, mtime_ns: 9, ctime_ns: 9, inode: 9 };
        let sentinel = crate::types::Sentinel::from_bytes(b"1").unwrap();
        let content = crate::types::ContentId::from_bytes([1; 32]);
        Whole { content, size: 1, chunks: 1, manifest, sentinel, dirs: Vec::new(), links: Vec::new() }
    }

    /// Git's racily clean files: one that changes in the moment it is read may not show it.
    #[test]
    fn a_file_read_in_the_moment_it_changed_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let game = GameId::new("quake").unwrap();
        let index = Arc::new(Index::open(&dir.path().join("index"), Path::new("/games")).0);
        let path = PayloadPath::new("a").unwrap();
        let check = |changed_ms: i64, believed: bool| {
            let stamp = Stamp { size: 1, mtime_ns: 0, ctime_ns: changed_ms * 1_000_000, inode: 3 };
            let chunk = hash_chunk(b"a", 0, true);
            let hashes = FileHashes { file: fold(&[chunk], 1).unwrap(), chunks: vec![chunk] };
            let mut memory = Memory::of_game(&index, &game);
            memory.learn_read(&path, stamp, hashes, 100_000);
            assert_eq!(memory.remember_whole(whole()), believed, "{changed_ms}");
            drop(memory);
            assert_eq!(Memory::of_game(&index, &game).get(&path, &stamp).is_some(), believed, "{changed_ms}");
            assert_eq!(index.record(&game).unwrap().whole().is_some(), believed, "{changed_ms}");
        };
        check(0, true);
        check(97_999, true);
        check(98_001, false);
        check(100_000, false);
        check(100_500, false);
        check(200_000, true);
    }

    #[test]
    fn a_build_is_whole_until_anything_else_is_learned() {
        let dir = tempfile::tempdir().unwrap();
        let game = GameId::new("quake").unwrap();
        let index = Arc::new(Index::open(&dir.path().join("index"), Path::new("/games")).0);
        let path = |name: &str| PayloadPath::new(name).unwrap();
        let stamp = Stamp { size: 0, mtime_ns: 1, ctime_ns: 2, inode: 3 };
        let nothing = || FileHashes { file: fold(&[], 0).unwrap(), chunks: Vec::new() };
        let check = |change: &dyn Fn(&mut Memory), whole_after: bool| {
            let mut memory = Memory::of_game(&index, &game);
            memory.keep_only(|_| false);
            memory.learn(&path("a"), stamp, nothing());
            assert!(memory.remember_whole(whole()));
            drop(memory);
            change(&mut Memory::of_game(&index, &game));
            assert_eq!(index.record(&game).unwrap().whole().is_some(), whole_after);
        };
        check(&|memory| assert!(memory.hash(&path("a"), &stamp).is_some()), true);
        check(&|memory| assert!(memory.remember_whole(whole())), true);
        check(&|memory| memory.forget(&path("b")), true);
        check(&|memory| memory.learn(&path("b"), stamp, nothing()), false);
        check(&|memory| memory.forget(&path("a")), false);
        check(&|memory| memory.keep_only(|_| false), false);
    }
}
