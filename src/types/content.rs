//! What a game consists of: the manifest, its hashes, and where each chunk lies. A [`Manifest`]
//! that exists obeys every rule of the format; bytes become one only through `wire::manifest`.

use std::collections::BTreeMap;

use super::{
    chunks::ChunkNo,
    game::{GameId, Sentinel, Version},
    path::PayloadPath,
};

/// Bytes of a chunk; only the last chunk of a file may be shorter.
pub const CHUNK_BYTES: u32 = 1 << 20;
/// Files, folders and links of one manifest.
pub const MANIFEST_ENTRIES_MAX: usize = 150_000;
/// Folders of one manifest, listed or implied: as many as entries. Each costs memory wherever a
/// manifest is looked at, and 150,000 paths could imply thirty times as many.
const MANIFEST_FOLDERS_MAX: usize = MANIFEST_ENTRIES_MAX;
/// Chunks of one manifest: 2 TiB.
pub const MANIFEST_CHUNKS_MAX: u32 = 1 << 21;

/// A 32-byte hash with its 64-digit text form.
macro_rules! hash_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// From the hash's bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The hash's bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&data_encoding::HEXLOWER.encode(&self.0[..4]))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::types::HashTextError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| $crate::types::HashTextError)?;
                bytes.try_into().map(Self).map_err(|_| $crate::types::HashTextError)
            }
        }
    };
}

pub(super) use hash_newtype;

hash_newtype! {
    /// The BLAKE3 hash of a manifest's bytes: one exact build of a game.
    ContentId
}
hash_newtype! {
    /// The plain BLAKE3 hash of a file, as `b3sum` prints it.
    FileHash
}
hash_newtype! {
    /// What a chunk's bytes are checked against: the file's hash when the file is one chunk, else the
    /// non-root chaining value of its subtree.
    ChunkHash
}

impl ContentId {
    /// The first 8 hexadecimal digits, for people.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

/// Why a text is no hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a hash is 64 lower-case hexadecimal digits")]
pub struct HashTextError;

/// The index of a file in its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNo(pub u32);

impl FileNo {
    /// The number as an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A payload file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it lies below the root.
    pub path: PayloadPath,
    /// Its size in bytes.
    pub size: u64,
    /// Its plain BLAKE3.
    pub hash: FileHash,
    /// Whether it may be run.
    pub executable: bool,
}

/// A folder without payload in it (folders with files need no entry).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// Where it lies below the root.
    pub path: PayloadPath,
}

/// A relative symbolic link that stays inside the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkEntry {
    /// Where it lies below the root.
    pub path: PayloadPath,
    /// What it points to, relative to its own folder, as stored.
    pub target: String,
}

/// The payload of one build of a game.
///
/// Invariant: entries of each list are sorted by path bytes; no two entries share a collision key;
/// no file or link is the folder of another entry; links stay inside the root; at most
/// [`MANIFEST_ENTRIES_MAX`] entries and [`MANIFEST_CHUNKS_MAX`] chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    game: GameId,
    sentinel: Sentinel,
    files: Vec<FileEntry>,
    dirs: Vec<DirEntry>,
    links: Vec<LinkEntry>,
    /// Chunk number of each file's first chunk, and one past the last chunk of all.
    first_chunks: Vec<u32>,
    size: u64,
}

/// Where a chunk lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkPlace {
    /// The file.
    pub file: FileNo,
    /// Which chunk of the file, from 0.
    pub index: u32,
    /// Offset in the file in bytes.
    pub offset: u64,
    /// Length in bytes, 1 to [`CHUNK_BYTES`].
    pub len: u32,
}

impl Manifest {
    /// Sorts the entries and checks every rule.
    pub fn new(
        game: GameId,
        sentinel: Sentinel,
        mut files: Vec<FileEntry>,
        mut dirs: Vec<DirEntry>,
        mut links: Vec<LinkEntry>,
    ) -> Result<Self, ManifestError> {
        let entries = files.len() + dirs.len() + links.len();
        if entries > MANIFEST_ENTRIES_MAX {
            return Err(ManifestError::TooManyEntries { entries, max: MANIFEST_ENTRIES_MAX });
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        dirs.sort_by(|a, b| a.path.cmp(&b.path));
        links.sort_by(|a, b| a.path.cmp(&b.path));
        check_collisions(&files, &dirs, &links)?;
        for link in &links {
            check_link(link)?;
        }
        let mut first_chunks = Vec::with_capacity(files.len() + 1);
        let (mut chunk_count, mut size) = (0u64, 0u64);
        for file in &files {
            first_chunks.push(chunk_count as u32);
            chunk_count += chunks_of_size(file.size);
            size = size.saturating_add(file.size);
            if chunk_count > u64::from(MANIFEST_CHUNKS_MAX) {
                return Err(ManifestError::TooLarge { max_chunks: MANIFEST_CHUNKS_MAX });
            }
        }
        first_chunks.push(chunk_count as u32);
        Ok(Self { game, sentinel, files, dirs, links, first_chunks, size })
    }

    /// The game this is a build of.
    #[must_use]
    pub fn game(&self) -> &GameId {
        &self.game
    }

    /// The version its sentinel says.
    #[must_use]
    pub fn version(&self) -> &Version {
        self.sentinel.version()
    }

    /// `version.ini` as it will be written.
    #[must_use]
    pub fn sentinel(&self) -> &Sentinel {
        &self.sentinel
    }

    /// The files, sorted by path bytes.
    #[must_use]
    pub fn files(&self) -> &[FileEntry] {
        &self.files
    }

    /// The empty folders, sorted by path bytes.
    #[must_use]
    pub fn dirs(&self) -> &[DirEntry] {
        &self.dirs
    }

    /// The links, sorted by path bytes.
    #[must_use]
    pub fn links(&self) -> &[LinkEntry] {
        &self.links
    }

    /// The file at an index this manifest gave.
    #[must_use]
    pub fn file(&self, file: FileNo) -> &FileEntry {
        &self.files[file.index()]
    }

    /// The file with this path.
    #[must_use]
    pub fn find(&self, path: &PayloadPath) -> Option<(FileNo, &FileEntry)> {
        let index = self.files.binary_search_by(|file| file.path.cmp(path)).ok()?;
        Some((FileNo(index as u32), &self.files[index]))
    }

    /// Bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Chunks of all files.
    #[must_use]
    pub fn chunk_count(&self) -> u32 {
        self.first_chunks.last().copied().unwrap_or(0)
    }

    /// The numbers of a file's chunks.
    #[must_use]
    pub fn chunks_of(&self, file: FileNo) -> std::ops::Range<u32> {
        self.first_chunks[file.index()]..self.first_chunks[file.index() + 1]
    }

    /// Bytes of every chunk, in order.
    #[must_use]
    pub fn chunk_lens(&self) -> std::sync::Arc<[u32]> {
        let lens = self.files.iter().flat_map(|file| {
            (0..chunks_of_size(file.size))
                .map(|index| (file.size - index * u64::from(CHUNK_BYTES)).min(u64::from(CHUNK_BYTES)) as u32)
        });
        lens.collect()
    }

    /// Where a chunk lies; `None` beyond the last.
    #[must_use]
    pub fn place(&self, chunk: ChunkNo) -> Option<ChunkPlace> {
        if chunk.0 >= self.chunk_count() {
            return None;
        }
        // Empty files share their start with the next file: the last start not beyond the chunk is the right one.
        let file = self.first_chunks.partition_point(|first| *first <= chunk.0) - 1;
        let index = chunk.0 - self.first_chunks[file];
        let offset = u64::from(index) * u64::from(CHUNK_BYTES);
        let len = (self.files[file].size - offset).min(u64::from(CHUNK_BYTES)) as u32;
        Some(ChunkPlace { file: FileNo(file as u32), index, offset, len })
    }
}

/// Chunks of a file of `size` bytes.
#[must_use]
pub const fn chunks_of_size(size: u64) -> u64 {
    size.div_ceil(CHUNK_BYTES as u64)
}

fn check_collisions(files: &[FileEntry], dirs: &[DirEntry], links: &[LinkEntry]) -> Result<(), ManifestError> {
    /// What a folded path is so far.
    #[derive(Clone, Copy, PartialEq)]
    enum Is {
        Leaf,
        /// A folder, either listed (`true`) or implied by what lies in it.
        Folder {
            listed: bool,
        },
    }
    // The folded spelling also decides which spelling of a folder's own name is the one: `A/x` and
    // `a/y` would be two folders here and one elsewhere.
    let mut seen: BTreeMap<String, (Is, &PayloadPath, usize)> = BTreeMap::new();
    let leaves = files.iter().map(|f| &f.path).chain(links.iter().map(|l| &l.path)).map(|p| (p, Is::Leaf));
    let folders = dirs.iter().map(|d| (&d.path, Is::Folder { listed: true }));
    // Entries that are no folders cannot be told from folders before all were seen: they may be as many.
    let seen_max = MANIFEST_FOLDERS_MAX + files.len() + links.len();
    for (path, is) in leaves.chain(folders) {
        let mut end = 0;
        let text = path.as_str();
        for part in path.parts() {
            end += part.len() + usize::from(end != 0);
            let whole = end == text.len();
            let here = if whole { is } else { Is::Folder { listed: false } };
            let key = super::path::CollisionKey::of(&text[..end]);
            match seen.get_mut(key.as_str()) {
                None => {
                    if seen.len() == seen_max {
                        return Err(ManifestError::TooManyFolders { max: MANIFEST_FOLDERS_MAX });
                    }
                    seen.insert(key.as_str().to_owned(), (here, path, end));
                }
                Some((was, other, other_end)) => {
                    let same_spelling = other.as_str()[..*other_end] == text[..end];
                    match (*was, here) {
                        (Is::Folder { .. }, Is::Folder { listed: false }) if same_spelling => {}
                        (Is::Folder { listed: false }, Is::Folder { listed: true }) if same_spelling => {
                            return Err(ManifestError::DirNotEmpty { path: path.to_string() });
                        }
                        _ => {
                            return Err(ManifestError::Collision {
                                first: other.to_string(),
                                second: path.to_string(),
                            });
                        }
                    }
                }
            }
        }
    }
    Ok(())
}

fn check_link(link: &LinkEntry) -> Result<(), ManifestError> {
    match super::path::link_leads_to(link.path.as_str(), &link.target) {
        // Nor onto a name that is not payload.
        Some(first) if !first.is_some_and(super::path::is_reserved_root_name) => Ok(()),
        Some(_) | None => Err(ManifestError::LinkLeaves { path: link.path.to_string() }),
    }
}

/// Why a set of entries is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// Too many entries.
    #[error("{entries} files, folders and links; {max} is the most")]
    TooManyEntries {
        /// Entries found.
        entries: usize,
        /// Entries allowed.
        max: usize,
    },
    /// Too many folders.
    #[error("more than {max} folders")]
    TooManyFolders {
        /// Folders allowed.
        max: usize,
    },
    /// Too many bytes.
    #[error("more than {max_chunks} chunks of 1 MiB")]
    TooLarge {
        /// Chunks allowed.
        max_chunks: u32,
    },
    /// Two paths that some file system takes for one, or a file that is another's folder.
    #[error("`{first}` and `{second}` cannot both exist on every file system")]
    Collision {
        /// One path.
        first: String,
        /// The other.
        second: String,
    },
    /// A listed folder that has entries in it: listed are only empty ones.
    #[error("the folder `{path}` is listed as empty and is not")]
    DirNotEmpty {
        /// The folder.
        path: String,
    },
    /// A link out of the root, absolute, or malformed.
    #[error("the link `{path}` does not stay inside the game")]
    LinkLeaves {
        /// The link.
        path: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, size: u64) -> FileEntry {
        FileEntry {
            path: PayloadPath::new(path).unwrap(),
            size,
            hash: FileHash::from_bytes([0; 32]),
            executable: false,
        }
    }

    fn manifest(files: Vec<FileEntry>, dirs: &[&str], links: &[(&str, &str)]) -> Result<Manifest, ManifestError> {
        Manifest::new(
            GameId::new("g").unwrap(),
            Sentinel::from_bytes(b"1").unwrap(),
            files,
            dirs.iter().map(|p| DirEntry { path: PayloadPath::new(p).unwrap() }).collect(),
            links
                .iter()
                .map(|(p, to)| LinkEntry { path: PayloadPath::new(p).unwrap(), target: (*to).into() })
                .collect(),
        )
    }

    #[test]
    fn chunks_are_numbered_across_files() {
        let mib = u64::from(CHUNK_BYTES);
        let manifest =
            manifest(vec![file("c", 2 * mib + 1), file("a", 0), file("b", mib), file("d", 5)], &[], &[]).unwrap();
        assert_eq!(manifest.chunk_count(), 5);
        let place = |n| manifest.place(ChunkNo(n)).map(|p| (p.file.0, p.index, p.offset, p.len));
        assert_eq!(place(0), Some((1, 0, 0, CHUNK_BYTES)));
        assert_eq!(place(1), Some((2, 0, 0, CHUNK_BYTES)));
        assert_eq!(place(3), Some((2, 2, 2 * mib, 1)));
        assert_eq!(place(4), Some((3, 0, 0, 5)));
        assert_eq!(place(5), None);
        let lens = manifest.chunk_lens();
        assert!((0..5).all(|n| lens[n as usize] == place(n).unwrap().3) && lens.len() == 5);
        assert_eq!(manifest.chunks_of(FileNo(0)), 0..0);
        assert_eq!(manifest.chunks_of(FileNo(2)), 1..4);
    }

    #[test]
    fn twins_and_files_as_folders_are_refused() {
        let collides = |files: &[&str], dirs: &[&str]| {
            matches!(
                manifest(files.iter().map(|p| file(p, 1)).collect(), dirs, &[]),
                Err(ManifestError::Collision { .. })
            )
        };
        assert!(collides(&["a", "A"], &[]));
        assert!(collides(&["x", "x"], &[]));
        assert!(collides(&["a", "a/b"], &[]));
        assert!(collides(&["a/b", "A/c"], &[]));
        assert!(collides(&["e\u{301}", "é"], &[]));
        assert!(collides(&["a"], &["a"]));
        assert!(collides(&[], &["a", "A"]));
        assert!(!collides(&["a/b", "a/c", "ab"], &["d/e"]));
        assert_eq!(manifest(vec![file("a/b", 1)], &["a"], &[]), Err(ManifestError::DirNotEmpty { path: "a".into() }));
    }

    #[test]
    fn links_stay_inside() {
        let ok = |path: &str, to: &str| manifest(vec![], &[], &[(path, to)]).is_ok();
        assert!(ok("a/b", "../c") && ok("a", "b/c") && ok("lib/x.so", "./x.so.1"));
        for to in ["/etc/passwd", "..", "../x", "b/../x", "", "local/x", ".potluck/journal.json", "c:x", "a\\b", "a\nb"]
        {
            assert!(!ok("a", to), "{to:?}");
        }
        assert!(!ok("a", "..") && !ok("a/b", "../.."));
    }

    #[test]
    fn folders_are_bounded_however_they_come() {
        let deep = |number: usize| format!("{number}{}", "/a".repeat(31));
        let fits = (0..4_000).map(|number| file(&deep(number), 1)).collect();
        assert!(manifest(fits, &[], &[]).is_ok());
        let floods: Vec<_> = (0..6_000).map(|number| file(&deep(number), 1)).collect();
        assert_eq!(manifest(floods, &[], &[]), Err(ManifestError::TooManyFolders { max: MANIFEST_FOLDERS_MAX }));
    }

    #[test]
    fn sizes_are_bounded() {
        let huge = manifest(vec![file("a", u64::MAX), file("b", u64::MAX)], &[], &[]);
        assert_eq!(huge, Err(ManifestError::TooLarge { max_chunks: MANIFEST_CHUNKS_MAX }));
        assert!(manifest(vec![file("a", 1 << 41)], &[], &[]).is_ok());
    }
}
