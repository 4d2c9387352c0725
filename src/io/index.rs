//! Remembers the hashes of files, so that a restart rehashes nothing that did not change. A file is
//! the same while its size, times and inode are. Losing the index costs time, never data: whatever
//! goes wrong with it is told once, the file is moved aside, and everything is hashed again.

use std::{
    collections::{BTreeMap, BTreeSet},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
};

use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::{disk::Stamp, hash::FileHashes};
use crate::types::{CHUNK_BYTES, ChunkHash, FileHash, GameId};

/// Pages kept in memory; a start reads each page once, so more would not help.
const CACHE_BYTES: usize = 16 << 20;
/// Library folder and game in one text, parted by a byte neither has; then the path.
type Key<'a> = (&'a str, &'a str);
/// Size, mtime, ctime, inode and file hash.
const FILES: TableDefinition<'_, Key<'_>, &[u8]> = TableDefinition::new("files-1");
/// Chunk hashes of files with more than one chunk, one behind the other.
const CHUNKS: TableDefinition<'_, Key<'_>, &[u8]> = TableDefinition::new("chunks-1");
const FILE_RECORD_BYTES: usize = 64;
const HASH_BYTES: usize = 32;

/// What is known of the files of one library. Shared by threads.
#[derive(Debug)]
pub struct Index {
    /// `None` once it was found broken.
    database: RwLock<Option<Database>>,
    path: PathBuf,
    library: String,
}

/// A file as it was when it was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The state it was in.
    pub stamp: Stamp,
    /// Its hash then.
    pub hash: FileHash,
}

impl Index {
    /// Opens the index at `path` for the library folder. Always succeeds; the second value tells
    /// when an old index was unusable and everything will be hashed again.
    #[must_use]
    pub fn open(path: &Path, library: &Path) -> (Self, Option<IndexTrouble>) {
        let of = |database| Self {
            database: RwLock::new(database),
            path: path.to_owned(),
            library: library.to_string_lossy().into_owned(),
        };
        match open_database(path) {
            Ok(database) => (of(Some(database)), None),
            Err(Unusable { detail, damaged: false }) => {
                (of(None), Some(IndexTrouble { path: path.to_owned(), aside: None, detail }))
            }
            Err(Unusable { detail, damaged: true }) => {
                let trouble = move_aside(path, detail);
                // What is broken twice is a disk that cannot be written: go without.
                (of(open_database(path).ok()), Some(trouble))
            }
        }
    }

    /// Everything known of a game's files, by path.
    pub fn game(&self, game: &GameId) -> BTreeMap<String, Known> {
        let scope = self.scope(game);
        let read = |database: &Database| -> Result<_, redb::Error> {
            let mut known = BTreeMap::new();
            let reading = database.begin_read()?;
            let files = match reading.open_table(FILES) {
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(known),
                opened => opened?,
            };
            for row in files.range((scope.as_str(), "")..)? {
                let (key, record) = row?;
                let (of, path) = key.value();
                if of != scope {
                    break;
                }
                if let Some(file) = decode(record.value()) {
                    known.insert(path.to_owned(), file);
                }
            }
            Ok(known)
        };
        self.with(read).unwrap_or_default()
    }

    /// The chunk hashes of a file that still has this stamp. `None` for what must be hashed again;
    /// a file of one chunk has its own hash.
    pub fn chunk_hashes(&self, game: &GameId, path: &str, stamp: &Stamp) -> Option<Vec<ChunkHash>> {
        let scope = self.scope(game);
        let read = |database: &Database| -> Result<_, redb::Error> {
            let reading = database.begin_read()?;
            let key = (scope.as_str(), path);
            let Some(known) = reading.open_table(FILES)?.get(key)?.and_then(|record| decode(record.value())) else {
                return Ok(None);
            };
            if known.stamp != *stamp {
                return Ok(None);
            }
            if stamp.size == 0 {
                return Ok(Some(Vec::new()));
            }
            if stamp.size <= u64::from(CHUNK_BYTES) {
                return Ok(Some(vec![ChunkHash::from_bytes(*known.hash.as_bytes())]));
            }
            let chunks = reading.open_table(CHUNKS)?.get(key)?.map(|record| hashes_of(record.value()));
            Ok(chunks.filter(|chunks| chunks.len() as u64 == stamp.size.div_ceil(u64::from(CHUNK_BYTES))))
        };
        self.with(read).flatten()
    }

    /// Remembers files of a game. One call is one durable write, so callers gather many files.
    pub fn remember<'a>(&self, game: &GameId, files: impl IntoIterator<Item = (&'a str, Stamp, &'a FileHashes)>) {
        let scope = self.scope(game);
        let files: Vec<_> = files.into_iter().collect();
        self.write(|writing| {
            let (mut known, mut chunks) = (writing.open_table(FILES)?, writing.open_table(CHUNKS)?);
            for (path, stamp, hashes) in &files {
                let key = (scope.as_str(), *path);
                known.insert(key, encode(stamp, &hashes.file).as_slice())?;
                if hashes.chunks.len() > 1 {
                    let bytes: Vec<u8> = hashes.chunks.iter().flat_map(|hash| *hash.as_bytes()).collect();
                    chunks.insert(key, bytes.as_slice())?;
                } else {
                    chunks.remove(key)?;
                }
            }
            Ok(())
        });
    }

    /// Forgets every file of a game whose path `keep` does not want.
    pub fn retain_files(&self, game: &GameId, keep: impl Fn(&str) -> bool) {
        let scope = self.scope(game);
        let gone: Vec<String> = self.game(game).into_keys().filter(|path| !keep(path)).collect();
        if gone.is_empty() {
            return;
        }
        self.write(|writing| {
            let (mut known, mut chunks) = (writing.open_table(FILES)?, writing.open_table(CHUNKS)?);
            for path in &gone {
                known.remove((scope.as_str(), path.as_str()))?;
                chunks.remove((scope.as_str(), path.as_str()))?;
            }
            Ok(())
        });
    }

    /// Forgets every game of this library that is not among `games`.
    pub fn retain_games(&self, games: &BTreeSet<GameId>) {
        let ours = format!("{}\0", self.library);
        let wanted: BTreeSet<String> = games.iter().map(|game| self.scope(game)).collect();
        self.write(|writing| {
            for table in [FILES, CHUNKS] {
                let mut table = writing.open_table(table)?;
                table.retain(|(scope, _), _| !scope.starts_with(&ours) || wanted.contains(scope))?;
            }
            Ok(())
        });
    }

    fn scope(&self, game: &GameId) -> String {
        format!("{}\0{game}", self.library)
    }

    fn write(&self, change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>) {
        self.with(|database| {
            let writing = database.begin_write()?;
            change(&writing)?;
            writing.commit()?;
            Ok(())
        });
    }

    /// Runs `work`; when it fails, or panics over a file that is garbage inside, the index is given up.
    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Option<T> {
        let outcome = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            let database = database.as_ref()?;
            catch_unwind(AssertUnwindSafe(|| work(database)))
        };
        let detail = match outcome {
            Ok(Ok(value)) => return Some(value),
            Ok(Err(redb::Error::TableDoesNotExist(_))) => return None,
            Ok(Err(error)) if !is_damage(&error) => {
                // It repairs itself when it is opened the next time; until then it is not asked.
                if self.database.write().unwrap_or_else(PoisonError::into_inner).take().is_some() {
                    tracing::warn!(%error, index = %self.path.display(), "the index cannot be used until the next start");
                }
                return None;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "its inside is damaged".to_owned(),
        };
        let mut database = self.database.write().unwrap_or_else(PoisonError::into_inner);
        if database.take().is_some() {
            tracing::warn!("{}", move_aside(&self.path, detail));
        }
        None
    }
}

/// Why a database was not opened.
struct Unusable {
    detail: String,
    /// Its bytes are wrong, not the disk's or the user's circumstances.
    damaged: bool,
}

fn open_database(path: &Path) -> Result<Database, Unusable> {
    let opened = catch_unwind(|| redb::Builder::new().set_cache_size(CACHE_BYTES).create(path));
    match opened {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => {
            let detail = error.to_string();
            Err(Unusable { detail, damaged: is_damage(&error.into()) })
        }
        Err(_) => Err(Unusable { detail: "its inside is damaged".to_owned(), damaged: true }),
    }
}

/// A disk that is full or may not be written to says nothing about what is on it: an index is not
/// thrown away for that.
fn is_damage(error: &redb::Error) -> bool {
    use std::io::ErrorKind as K;
    let circumstances = |error: &std::io::Error| {
        matches!(
            error.kind(),
            K::StorageFull | K::QuotaExceeded | K::FileTooLarge | K::PermissionDenied | K::ReadOnlyFilesystem
        )
    };
    let passing = matches!(error, redb::Error::PreviousIo | redb::Error::DatabaseAlreadyOpen)
        || matches!(error, redb::Error::Io(error) if circumstances(error));
    !passing
}

fn move_aside(path: &Path, detail: String) -> IndexTrouble {
    let aside = path.with_extension("broken");
    let moved = std::fs::rename(path, &aside).is_ok();
    IndexTrouble { path: path.to_owned(), aside: moved.then_some(aside), detail }
}

fn encode(stamp: &Stamp, hash: &FileHash) -> [u8; FILE_RECORD_BYTES] {
    let mut record = [0; FILE_RECORD_BYTES];
    record[..8].copy_from_slice(&stamp.size.to_le_bytes());
    record[8..16].copy_from_slice(&stamp.mtime_ns.to_le_bytes());
    record[16..24].copy_from_slice(&stamp.ctime_ns.to_le_bytes());
    record[24..32].copy_from_slice(&stamp.inode.to_le_bytes());
    record[32..].copy_from_slice(hash.as_bytes());
    record
}

/// `None` for a record of another length: nothing is known then.
fn decode(record: &[u8]) -> Option<Known> {
    let record: &[u8; FILE_RECORD_BYTES] = record.try_into().ok()?; // Another length is another format.
    let word = |at: usize| -> [u8; 8] { std::array::from_fn(|i| record[at + i]) };
    let stamp = Stamp {
        size: u64::from_le_bytes(word(0)),
        mtime_ns: i64::from_le_bytes(word(8)),
        ctime_ns: i64::from_le_bytes(word(16)),
        inode: u64::from_le_bytes(word(24)),
    };
    Some(Known { stamp, hash: FileHash::from_bytes(std::array::from_fn(|i| record[32 + i])) })
}

fn hashes_of(bytes: &[u8]) -> Vec<ChunkHash> {
    bytes.chunks_exact(HASH_BYTES).map(|hash| ChunkHash::from_bytes(std::array::from_fn(|i| hash[i]))).collect()
}

/// The index was unusable.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "the index {path} was unusable ({detail}){}; games are hashed again, nothing is lost",
    aside.as_ref().map_or_else(String::new, |aside| format!(" and is now {}", aside.display()))
)]
pub struct IndexTrouble {
    /// The index file.
    pub path: PathBuf,
    /// Where it was moved.
    pub aside: Option<PathBuf>,
    /// What was wrong.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(size: u64) -> Stamp {
        Stamp { size, mtime_ns: -1, ctime_ns: 2, inode: 3 }
    }

    fn hashes(chunks: u8) -> FileHashes {
        FileHashes {
            file: FileHash::from_bytes([chunks; 32]),
            chunks: (0..chunks).map(|chunk| ChunkHash::from_bytes([chunk; 32])).collect(),
        }
    }

    fn game(id: &str) -> GameId {
        GameId::new(id).unwrap()
    }

    #[test]
    fn what_is_remembered_is_known_after_a_restart_until_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        let big = 2 * u64::from(CHUNK_BYTES) + 1;
        {
            let (index, trouble) = Index::open(&path, Path::new("/games"));
            assert!(trouble.is_none() && index.game(&game("a")).is_empty());
            assert_eq!(index.chunk_hashes(&game("a"), "x", &stamp(1)), None);
            index.remember(&game("a"), [("x", stamp(big), &hashes(3)), ("y", stamp(9), &hashes(1))]);
            index.remember(&game("ab"), [("z", stamp(0), &hashes(0))]);
        }
        let (index, trouble) = Index::open(&path, Path::new("/games"));
        assert!(trouble.is_none());
        let known = index.game(&game("a"));
        assert_eq!(known.keys().collect::<Vec<_>>(), ["x", "y"]);
        assert_eq!(known["x"], Known { stamp: stamp(big), hash: hashes(3).file });
        assert_eq!(index.chunk_hashes(&game("a"), "x", &stamp(big)), Some(hashes(3).chunks));
        assert_eq!(index.chunk_hashes(&game("a"), "x", &Stamp { inode: 4, ..stamp(big) }), None);
        assert_eq!(index.chunk_hashes(&game("a"), "y", &stamp(9)).map(|hashes| hashes.len()), Some(1));
        assert_eq!(index.chunk_hashes(&game("ab"), "z", &stamp(0)), Some(Vec::new()));
        index.retain_files(&game("a"), |path| path == "y");
        assert_eq!(index.game(&game("a")).len(), 1);
        index.retain_games(&BTreeSet::from([game("ab")]));
        assert!(index.game(&game("a")).is_empty() && index.game(&game("ab")).len() == 1);
    }

    #[test]
    fn libraries_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        Index::open(&path, Path::new("/one")).0.remember(&game("a"), [("x", stamp(1), &hashes(1))]);
        let (index, _) = Index::open(&path, Path::new("/two"));
        assert!(index.game(&game("a")).is_empty());
        index.retain_games(&BTreeSet::new());
        drop(index);
        assert_eq!(Index::open(&path, Path::new("/one")).0.game(&game("a")).len(), 1);
    }

    #[test]
    fn a_disk_that_is_full_or_forbidden_does_not_cost_the_index() {
        let check = |error: redb::Error, damage: bool| assert_eq!(is_damage(&error), damage, "{error}");
        check(redb::Error::Io(std::io::ErrorKind::StorageFull.into()), false);
        check(redb::Error::Io(std::io::ErrorKind::InvalidData.into()), true);
        check(redb::Error::Corrupted(String::new()), true);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        let (first, _) = Index::open(&path, Path::new("/games"));
        first.remember(&game("a"), [("x", stamp(1), &hashes(1))]);
        let (second, trouble) = Index::open(&path, Path::new("/games"));
        assert!(trouble.is_some_and(|trouble| trouble.aside.is_none()) && second.game(&game("a")).is_empty());
        drop(first);
        assert_eq!(Index::open(&path, Path::new("/games")).0.game(&game("a")).len(), 1);
    }

    #[test]
    fn a_broken_index_is_moved_aside_wherever_it_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        for damage in 0..24u64 {
            // A file left by the last round may be broken or whole; begin anew.
            let _ = std::fs::remove_file(&path);
            let (index, _) = Index::open(&path, Path::new("/games"));
            for round in 0..20 {
                let names: Vec<String> = (0..50).map(|file| format!("file{round}-{file}")).collect();
                let file = hashes(4);
                index.remember(&game("a"), names.iter().map(|name| (name.as_str(), stamp(4 << 20), &file)));
            }
            drop(index);
            let mut bytes = std::fs::read(&path).unwrap();
            let length = bytes.len();
            if damage == 0 {
                bytes.fill(b'x');
            } else if damage == 1 {
                bytes.truncate(length / 2);
            } else {
                let at = (damage as usize * 7_919_993) % (length - 4_096);
                bytes[at..at + 4_096].fill(0xa5);
            }
            std::fs::write(&path, &bytes).unwrap();
            // Nothing here may panic; and after it, the index works again or is gone without.
            let (index, trouble) = Index::open(&path, Path::new("/games"));
            assert!(trouble.is_some() || damage > 1, "damage {damage} goes unnoticed");
            let known = index.game(&game("a"));
            assert!(known.len() <= 1_000, "damage {damage} invents files");
            assert!(index.chunk_hashes(&game("a"), "file0-0", &stamp(5)).is_none(), "another stamp is another file");
            index.remember(&game("b"), [("x", stamp(1), &hashes(1))]);
            index.retain_games(&BTreeSet::new());
        }
    }
}
