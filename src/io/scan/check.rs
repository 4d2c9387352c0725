//! Compares a game root with the manifest of a build: which chunks still match, and what differs.

use std::sync::Arc;

use super::{Memory, Saver, ScanError, hash_stable};
use crate::{
    io::{
        disk::{Cursor, FileStat, GameRoot, Kind, Stamp},
        hash::Watcher,
        store::{ChunkHashes, Held},
    },
    types::{ChunkNo, ContentId, FileEntry, FileNo, Manifest},
};

/// What a root has of a build.
#[derive(Debug, Clone)]
pub struct Check {
    /// What matches.
    pub held: Held,
    /// What does not, in the order of the manifest: files, folders, links.
    pub differences: Vec<Difference>,
    /// The state each link of the manifest was in that is as it should be.
    pub links: Vec<Stamp>,
}

/// One path that is not as the manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The path.
    pub path: String,
    /// How it differs.
    pub kind: DifferenceKind,
}

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceKind {
    /// Nothing is there.
    Missing,
    /// The file has other bytes.
    Changed {
        /// Chunks that still match.
        good: u32,
        /// Chunks it has altogether.
        of: u32,
    },
    /// Something else than a file, folder or link is there.
    WrongKind,
    /// The file changed while it was read.
    Changing,
    /// The file may be run and should not, or the other way round. It does not count as modified:
    /// some file systems cannot store it.
    Mode,
    /// The link points elsewhere.
    Target,
}

impl Check {
    /// Whether any content differs.
    #[must_use]
    pub fn is_modified(&self) -> bool {
        self.differences.iter().any(|difference| difference.kind != DifferenceKind::Mode)
    }

    /// Whether a file changed while it was read.
    #[must_use]
    pub fn is_changing(&self) -> bool {
        self.differences.iter().any(|difference| difference.kind == DifferenceKind::Changing)
    }
}

/// Compares a root with a manifest. `hashes` are the chunk hashes stored for it: without them a
/// changed file has no chunk that is known to match. The watcher sees the bytes of each file of the
/// manifest, hashed, known or missing: [`Manifest::size`] altogether, about.
pub fn check(
    root: &GameRoot,
    content: ContentId,
    manifest: &Arc<Manifest>,
    hashes: ChunkHashes,
    memory: &mut Memory,
    watcher: &mut Watcher<'_>,
) -> Result<Check, ScanError> {
    let held = Held { hashes, ..Held::nothing(content, Arc::clone(manifest)) };
    let mut check = Check { held, differences: Vec::new(), links: Vec::new() };
    let mut cursor = root.cursor();
    let mut saver = Saver::default();
    for (number, entry) in manifest.files().iter().enumerate() {
        check.file((root, &mut cursor), FileNo(number as u32), entry, memory, watcher, &mut saver)?;
    }
    for dir in manifest.dirs() {
        match cursor.find(dir.path.as_str())? {
            None => check.differs(dir.path.as_str(), DifferenceKind::Missing),
            Some(stat) if stat.kind != Kind::Folder => check.differs(dir.path.as_str(), DifferenceKind::WrongKind),
            Some(_) => {}
        }
    }
    for link in manifest.links() {
        let path = link.path.as_str();
        match cursor.find(path)? {
            None => check.differs(path, DifferenceKind::Missing),
            Some(stat) if stat.kind != Kind::Link => check.differs(path, DifferenceKind::WrongKind),
            Some(_) if root.read_link(path)? != *link.target => check.differs(path, DifferenceKind::Target),
            Some(stat) => check.links.push(stat.stamp),
        }
    }
    Ok(check)
}

impl Check {
    fn differs(&mut self, path: &str, kind: DifferenceKind) {
        self.differences.push(Difference { path: path.to_owned(), kind });
    }

    fn file(
        &mut self,
        (root, cursor): (&GameRoot, &mut Cursor<'_>),
        number: FileNo,
        entry: &FileEntry,
        memory: &mut Memory,
        watcher: &mut Watcher<'_>,
        saver: &mut Saver,
    ) -> Result<(), ScanError> {
        let path = entry.path.as_str();
        let stat = match cursor.find(path)? {
            Some(stat) if stat.kind == Kind::File => stat,
            other => {
                let kind = if other.is_none() { DifferenceKind::Missing } else { DifferenceKind::WrongKind };
                self.differs(path, kind);
                memory.forget(&entry.path);
                return if watcher(entry.size).is_break() { Err(ScanError::Cancelled) } else { Ok(()) };
            }
        };
        if self.is_known(number, entry, &stat.stamp, memory) {
            return if watcher(entry.size).is_break() {
                Err(ScanError::Cancelled)
            } else {
                self.whole_file(number, &stat);
                Ok(())
            };
        }
        let Some(found) = hash_stable(root, &entry.path, &stat.stamp, memory, watcher, saver)? else {
            self.differs(path, DifferenceKind::Changing);
            return Ok(());
        };
        let manifest = Arc::clone(&self.held.manifest);
        if found.file == entry.hash {
            self.held.hashes.set_file(&manifest, number, &found.chunks).expect("equal files have equal chunk hashes");
            self.whole_file(number, &stat);
            return Ok(());
        }
        let chunks = manifest.chunks_of(number);
        self.held.stamps[number.index()] = Some(stat.stamp);
        // A chunk's hash says where in its file it lies, but not whether it is the file's only one: the
        // chunks of a file that grew from one or shrank to one simply do not match.
        let of = chunks.len() as u32;
        let mut good = 0;
        for (chunk, hash) in chunks.map(ChunkNo).zip(&found.chunks) {
            if self.held.hashes.get(chunk) == Some(*hash) {
                self.held.chunks.insert(chunk);
                good += 1;
            }
        }
        self.differs(path, DifferenceKind::Changed { good, of });
        Ok(())
    }

    /// Whether the file did not change, and its chunk hashes are here: then nothing more is looked up.
    fn is_known(&self, number: FileNo, entry: &FileEntry, stamp: &Stamp, memory: &mut Memory) -> bool {
        memory.hash(&entry.path, stamp) == Some(entry.hash)
            && self.held.hashes.knows_file(&self.held.manifest, number)
            && stamp.size == entry.size
    }

    fn whole_file(&mut self, number: FileNo, stat: &FileStat) {
        let manifest = Arc::clone(&self.held.manifest);
        self.held.stamps[number.index()] = Some(stat.stamp);
        manifest.chunks_of(number).for_each(|chunk| {
            self.held.chunks.insert(ChunkNo(chunk));
        });
        let entry = manifest.file(number);
        if stat.executable != entry.executable {
            self.differs(entry.path.as_str(), DifferenceKind::Mode);
        }
    }
}
