//! Remembers the hashes of files, so that a restart rehashes nothing that did not change. A file is
//! the same while its size, times and inode are. Losing the index costs time, never data: whatever
//! goes wrong with it is told once, the file is moved aside, and everything is hashed again. What one
//! game's part says, and whether it still holds, is for `scan` to see.

mod record;

use std::{
    collections::BTreeSet,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{PoisonError, RwLock},
    time::Duration,
};

pub use record::{Known, Record, Whole, encode};
use redb::{Database, ReadableDatabase as _, TableDefinition, TableHandle as _};

use crate::types::{CHUNK_BYTES, ChunkHash, ContentId, GameId, Weighing, Weight};

/// Pages kept in memory; a start reads each page once, so more would not help.
const CACHE_BYTES: usize = 16 << 20;
/// Library folder and game in one text, parted by a byte neither has; then the path.
type Key<'a> = (&'a str, &'a str);
/// One record a game.
const GAMES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("games-2");
/// Chunk hashes of files with more than one chunk, one behind the other.
const CHUNKS: TableDefinition<'_, Key<'_>, &[u8]> = TableDefinition::new("chunks-2");
/// What the build that was in a game's folder takes when it is installed: its ContentId; 0, or 1 and two numbers.
const WEIGHTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("weights-1");
/// The only table of the former layout that was always there. Such an index is dropped whole.
const FORMER: &str = "files-1";
const HASH_BYTES: usize = 32;
/// Kinds of rows of [`WEIGHTS`].
const IN_VAIN: u8 = 0;
const DONE: u8 = 1;
/// File times count in steps, the coarsest (FAT's) of 2 s: a change within the step in which a file was
/// hashed may not show.
const TIME_STEP: Duration = Duration::from_secs(2);

/// What is known of the files of one library. Shared by threads.
#[derive(Debug)]
pub struct Index {
    /// `None` once it was found broken.
    database: RwLock<Option<Database>>,
    path: PathBuf,
    library: String,
    time_step: Duration,
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
            time_step: TIME_STEP,
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

    /// The same index on file times that show every change.
    #[cfg(test)]
    #[must_use]
    pub fn with_exact_times(mut self) -> Self {
        self.time_step = Duration::ZERO;
        self
    }

    /// How long before it is read a file must have been left alone for a later change to show.
    #[must_use]
    pub fn time_step(&self) -> Duration {
        self.time_step
    }

    /// What is known of a game.
    pub fn record(&self, game: &GameId) -> Option<Record> {
        let scope = self.scope(game);
        let read = |database: &Database| -> Result<_, redb::Error> {
            let reading = database.begin_read()?;
            let record = reading.open_table(GAMES)?.get(scope.as_str())?;
            Ok(record.map(|record| record.value().to_vec()))
        };
        Record::decode(self.with(read).flatten()?)
    }

    /// The chunk hashes that were put with a file of more than one chunk and `size` bytes.
    pub fn chunk_hashes(&self, game: &GameId, path: &str, size: u64) -> Option<Vec<ChunkHash>> {
        let scope = self.scope(game);
        let read = |database: &Database| -> Result<_, redb::Error> {
            let reading = database.begin_read()?;
            let chunks = reading.open_table(CHUNKS)?.get((scope.as_str(), path))?;
            Ok(chunks.map(|record| hashes_of(record.value())))
        };
        let chunks = self.with(read).flatten()?;
        (chunks.len() as u64 == size.div_ceil(u64::from(CHUNK_BYTES))).then_some(chunks)
    }

    /// Makes `record` all that is known of a game, and adds and removes chunk hashes of files. One call is
    /// one durable write; says whether it was one.
    pub fn put<'a>(
        &self,
        game: &GameId,
        record: &[u8],
        chunks: impl Iterator<Item = (&'a str, &'a [ChunkHash])>,
        gone: impl Iterator<Item = &'a str>,
    ) -> bool {
        let scope = self.scope(game);
        let written = self.write(|writing| {
            writing.open_table(GAMES)?.insert(scope.as_str(), record)?;
            let mut table = writing.open_table(CHUNKS)?;
            for path in gone {
                table.remove((scope.as_str(), path))?;
            }
            for (path, hashes) in chunks {
                let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
                table.insert((scope.as_str(), path), bytes.as_slice())?;
            }
            Ok(())
        });
        written.is_some()
    }

    /// What is known of the weight of a build of a game.
    pub fn weighing(&self, game: &GameId, content: &ContentId) -> Weighing {
        let scope = self.scope(game);
        let read = |database: &Database| -> Result<_, redb::Error> {
            let reading = database.begin_read()?;
            let row = reading.open_table(WEIGHTS)?.get(scope.as_str())?;
            Ok(row.and_then(|row| weighing_of(row.value(), content)))
        };
        self.with(read).flatten().unwrap_or(Weighing::NotYet)
    }

    /// Makes this all that is known of the weight of a game's builds.
    pub fn put_weighing(&self, game: &GameId, content: &ContentId, weighing: Weighing) {
        let mut row = content.as_bytes().to_vec();
        match weighing {
            Weighing::NotYet => return,
            Weighing::InVain => row.push(IN_VAIN),
            Weighing::Done(Weight { unpacked, copied }) => {
                row.push(DONE);
                row.extend_from_slice(&unpacked.to_le_bytes());
                row.extend_from_slice(&copied.to_le_bytes());
            }
        }
        let scope = self.scope(game);
        self.write(|writing| {
            writing.open_table(WEIGHTS)?.insert(scope.as_str(), row.as_slice())?;
            Ok(())
        });
    }

    /// Forgets every game of this library that is not among `games`.
    pub fn retain_games(&self, games: &BTreeSet<GameId>) {
        let wanted: BTreeSet<String> = games.iter().map(|game| self.scope(game)).collect();
        let Some(gone) = self.with(|database| self.scopes(database, &wanted)).filter(|gone| !gone.is_empty()) else {
            return;
        };
        self.write(|writing| {
            let (mut records, mut chunks) = (writing.open_table(GAMES)?, writing.open_table(CHUNKS)?);
            let mut weights = writing.open_table(WEIGHTS)?;
            for scope in &gone {
                records.remove(scope.as_str())?;
                weights.remove(scope.as_str())?;
                let behind = format!("{scope}\0");
                chunks.retain_in((scope.as_str(), "")..(behind.as_str(), ""), |_, _| false)?;
            }
            Ok(())
        });
    }

    /// The games of this library that are in the index and not `wanted`, found by leaping from game to game.
    fn scopes(&self, database: &Database, wanted: &BTreeSet<String>) -> Result<BTreeSet<String>, redb::Error> {
        let mut gone = BTreeSet::new();
        let ours = format!("{}\0", self.library);
        let reading = database.begin_read()?;
        let (records, chunks) = (reading.open_table(GAMES)?, reading.open_table(CHUNKS)?);
        for row in records.range(ours.as_str()..)? {
            let scope = row?.0.value().to_owned();
            if !scope.starts_with(&ours) {
                break;
            }
            gone.insert(scope);
        }
        let mut from = ours.clone();
        while let Some(row) = chunks.range((Bound::Included((from.as_str(), "")), Bound::Unbounded))?.next() {
            let scope = row?.0.value().0.to_owned();
            if !scope.starts_with(&ours) {
                break;
            }
            from = format!("{scope}\0");
            gone.insert(scope);
        }
        gone.retain(|scope| !wanted.contains(scope));
        Ok(gone)
    }

    fn scope(&self, game: &GameId) -> String {
        format!("{}\0{game}", self.library)
    }

    fn write(&self, change: impl FnOnce(&redb::WriteTransaction) -> Result<(), redb::Error>) -> Option<()> {
        self.with(|database| {
            let writing = database.begin_write()?;
            change(&writing)?;
            writing.commit()?;
            Ok(())
        })
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
    let open = || -> Result<Database, redb::Error> {
        let database = redb::Builder::new().set_cache_size(CACHE_BYTES).create(path)?;
        if !database.begin_read()?.list_tables()?.any(|table| table.name() == FORMER) {
            return Ok(database);
        }
        // Of an earlier potluck: its games are hashed once more.
        drop(database);
        std::fs::remove_file(path).map_err(redb::Error::Io)?;
        Ok(redb::Builder::new().set_cache_size(CACHE_BYTES).create(path)?)
    };
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(error)) => {
            let detail = error.to_string();
            Err(Unusable { detail, damaged: is_damage(&error) })
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

/// What a row says of this build; `None` when it is of another or none of ours.
fn weighing_of(row: &[u8], content: &ContentId) -> Option<Weighing> {
    let (kind, rest) = row.strip_prefix(content.as_bytes())?.split_first()?;
    match (*kind, rest.split_first_chunk()) {
        (IN_VAIN, None) => Some(Weighing::InVain),
        (DONE, Some((unpacked, copied))) => Some(Weighing::Done(Weight {
            unpacked: u64::from_le_bytes(*unpacked),
            copied: u64::from_le_bytes(copied.try_into().ok()?),
        })),
        _ => None,
    }
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
    use crate::{
        io::disk::Stamp,
        types::{FileHash, Sentinel},
    };

    fn known(size: u64) -> Known {
        let stamp = Stamp { size, mtime_ns: -1, ctime_ns: 2, inode: 3 };
        Known { stamp, hash: FileHash::from_bytes([size as u8; 32]), settled: true }
    }

    fn chunks(count: u8) -> Vec<ChunkHash> {
        (0..count).map(|chunk| ChunkHash::from_bytes([chunk; 32])).collect()
    }

    fn game(id: &str) -> GameId {
        GameId::new(id).unwrap()
    }

    /// Puts files that are all of one size, and their chunk hashes.
    fn put(index: &Index, of: &str, files: &[&str], size: u64) {
        let known = known(size);
        let record = encode(None, files.iter().map(|file| (*file, &known)));
        let hashes = chunks(size.div_ceil(u64::from(CHUNK_BYTES)) as u8);
        index.put(&game(of), &record, files.iter().map(|file| (*file, hashes.as_slice())), std::iter::empty());
    }

    fn paths(index: &Index, of: &str) -> Vec<String> {
        let Some(record) = index.record(&game(of)) else { return Vec::new() };
        let mut files = record.files();
        let mut paths = Vec::new();
        while let Some((path, _)) = files.next() {
            paths.push(path.to_owned());
        }
        paths
    }

    const BIG: u64 = 2 * CHUNK_BYTES as u64 + 1;

    #[test]
    fn what_is_remembered_is_known_after_a_restart_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        {
            let (index, trouble) = Index::open(&path, Path::new("/games"));
            assert!(trouble.is_none() && index.record(&game("a")).is_none());
            assert_eq!(index.chunk_hashes(&game("a"), "x", BIG), None);
            index.retain_games(&BTreeSet::new());
            put(&index, "a", &["x", "y"], BIG);
            put(&index, "ab", &["x"], BIG);
        }
        let (index, trouble) = Index::open(&path, Path::new("/games"));
        assert!(trouble.is_none());
        assert_eq!(paths(&index, "a"), ["x", "y"]);
        assert_eq!(index.record(&game("a")).unwrap().files().next(), Some(("x", known(BIG))));
        assert_eq!(index.chunk_hashes(&game("a"), "x", BIG), Some(chunks(3)));
        assert_eq!(index.chunk_hashes(&game("a"), "x", BIG * 2), None, "another number of chunks");
        let record = encode(None, [("y", &known(BIG))].into_iter());
        assert!(index.put(&game("a"), &record, std::iter::empty(), ["x"].into_iter()));
        assert_eq!(paths(&index, "a"), ["y"]);
        assert_eq!(index.chunk_hashes(&game("a"), "x", BIG), None);
        index.retain_games(&BTreeSet::from([game("ab")]));
        assert!(index.record(&game("a")).is_none() && index.chunk_hashes(&game("a"), "y", BIG).is_none());
        assert_eq!((paths(&index, "ab").len(), index.chunk_hashes(&game("ab"), "x", BIG)), (1, Some(chunks(3))));
    }

    #[test]
    fn what_a_build_weighs_is_known_after_a_restart_and_of_no_other_build() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        let [one, other] = [1, 2].map(|number| ContentId::from_bytes([number; 32]));
        let done = Weighing::Done(Weight { unpacked: u64::MAX, copied: 7 });
        {
            let (index, _) = Index::open(&path, Path::new("/games"));
            assert_eq!(index.weighing(&game("a"), &one), Weighing::NotYet);
            index.put_weighing(&game("a"), &one, done);
            index.put_weighing(&game("b"), &one, Weighing::InVain);
            index.put_weighing(&game("b"), &one, Weighing::NotYet);
        }
        let (index, _) = Index::open(&path, Path::new("/games"));
        assert_eq!((index.weighing(&game("a"), &one), index.weighing(&game("b"), &one)), (done, Weighing::InVain));
        assert_eq!(index.weighing(&game("a"), &other), Weighing::NotYet);
        index.put_weighing(&game("a"), &other, Weighing::InVain);
        assert_eq!(index.weighing(&game("a"), &one), Weighing::NotYet);
        put(&index, "a", &["x"], 1);
        index.retain_games(&BTreeSet::from([game("b")]));
        assert_eq!(index.weighing(&game("a"), &other), Weighing::NotYet);
        assert_eq!(index.weighing(&game("b"), &one), Weighing::InVain);
    }

    #[test]
    fn libraries_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        put(&Index::open(&path, Path::new("/one")).0, "a", &["x"], BIG);
        let (index, _) = Index::open(&path, Path::new("/two"));
        assert!(index.record(&game("a")).is_none());
        put(&index, "a", &["y"], BIG);
        index.retain_games(&BTreeSet::new());
        assert!(index.record(&game("a")).is_none());
        drop(index);
        let (index, _) = Index::open(&path, Path::new("/one"));
        assert_eq!((paths(&index, "a").len(), index.chunk_hashes(&game("a"), "x", BIG)), (1, Some(chunks(3))));
    }

    #[test]
    fn an_index_of_the_former_layout_is_dropped_without_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        let former: TableDefinition<'_, Key<'_>, &[u8]> = TableDefinition::new(FORMER);
        let database = Database::create(&path).unwrap();
        let writing = database.begin_write().unwrap();
        writing.open_table(former).unwrap().insert(("/games\0a", "x"), &[0; 64][..]).unwrap();
        writing.commit().unwrap();
        drop(database);
        let (index, trouble) = Index::open(&path, Path::new("/games"));
        assert!(trouble.is_none(), "{trouble:?}");
        put(&index, "a", &["x"], 1);
        drop(index);
        assert_eq!(paths(&Index::open(&path, Path::new("/games")).0, "a"), ["x"]);
        let tables = Database::open(&path).unwrap().begin_read().unwrap();
        assert!(tables.list_tables().unwrap().all(|table| table.name() != FORMER));
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
        put(&first, "a", &["x"], 1);
        let (second, trouble) = Index::open(&path, Path::new("/games"));
        assert!(trouble.is_some_and(|trouble| trouble.aside.is_none()) && second.record(&game("a")).is_none());
        drop(first);
        assert_eq!(paths(&Index::open(&path, Path::new("/games")).0, "a"), ["x"]);
    }

    #[test]
    fn a_broken_index_is_moved_aside_wherever_it_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.redb");
        let names: Vec<String> = (0..1_000).map(|file| format!("file{file:04}")).collect();
        for damage in 0..24u64 {
            // A file left by the last round may be broken or whole; begin anew.
            let _ = std::fs::remove_file(&path);
            let (index, _) = Index::open(&path, Path::new("/games"));
            for round in (50..=1_000).step_by(50) {
                let names: Vec<&str> = names[..round].iter().map(String::as_str).collect();
                put(&index, "a", &names, BIG);
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
            let found = paths(&index, "a");
            assert!(found.is_empty() || found == names, "damage {damage} invents files");
            let hashes = index.chunk_hashes(&game("a"), "file0000", 2 * BIG);
            assert!(hashes.is_none(), "another size is another file");
            put(&index, "b", &["x"], 1);
            index.retain_games(&BTreeSet::new());
        }
    }

    #[test]
    fn a_record_that_was_tampered_with_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let (index, _) = Index::open(&folder.path().join("index.redb"), Path::new("/games"));
        let whole = Whole {
            content: ContentId::from_bytes([1; 32]),
            size: 1,
            chunks: 1,
            manifest: known(1).stamp,
            sentinel: Sentinel::from_bytes(b"1").unwrap(),
            dirs: Vec::new(),
            links: Vec::new(),
        };
        let mut record = encode(Some(&whole), [("a", &known(1))].into_iter());
        index.put(&game("a"), &record, std::iter::empty(), std::iter::empty());
        assert_eq!(index.record(&game("a")).unwrap().whole(), Some(&whole));
        record[1] ^= 1;
        index.put(&game("a"), &record, std::iter::empty(), std::iter::empty());
        assert_eq!(index.record(&game("a")), None);
    }
}
