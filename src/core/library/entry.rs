//! The words this core uses for builds: which one, what is said of it, and what of it changed. The
//! lines that travel are `types::LibraryEntry`; here they are taken apart for counting.

use crate::types::{
    CHUNK_BYTES, ContentId, EntryState, GameId, LibraryDigest, LibraryEntry, MANIFEST_CHUNKS_MAX, MANIFEST_ENTRIES_MAX,
    Manifest, Version,
};

/// Bytes of the largest build: as many chunks as a manifest may have.
const SIZE_BYTES_MAX: u64 = MANIFEST_CHUNKS_MAX as u64 * CHUNK_BYTES as u64;
/// Bytes that an installed build may be said to take: as much out of its archives as may be unpacked, and as much beside
/// them as a build may have.
const INSTALLED_BYTES_MAX: u64 = 2 * SIZE_BYTES_MAX;
/// Upper bound of what an entry costs in a snapshot beside its three texts: names of the fields, the
/// digits of the ContentId, and four numbers.
const ENTRY_FRAME_BYTES: usize = 208;

/// One build of one game. A ContentId alone would do among honest peers; with the game in the key a
/// liar's claim about another game's content touches only its own row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BuildKey {
    /// The game.
    pub game: GameId,
    /// Its exact content.
    pub content: ContentId,
}

/// What is said about a build. Read from a verified manifest it is true; from a peer it is a claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Facts {
    /// The version of its sentinel.
    pub version: Version,
    /// The name for people, cleaned and cut.
    pub title: String,
    /// Bytes of all files.
    pub size: u64,
    /// How many files.
    pub files: u32,
    /// Bytes it takes when it is installed. No manifest says it: whoever has all of a build finds it out or does not.
    pub installed: Option<u64>,
}

impl Facts {
    /// What an entry says; `None` when no manifest could be like that.
    #[must_use]
    pub fn of(entry: &LibraryEntry) -> Option<Self> {
        let possible = entry.size <= SIZE_BYTES_MAX && entry.files as usize <= MANIFEST_ENTRIES_MAX;
        possible.then(|| Self {
            version: entry.version.clone(),
            title: entry.title.clone(),
            size: entry.size,
            files: entry.files,
            // Who has only some of it cannot know.
            installed: entry
                .installed
                .filter(|bytes| entry.state == EntryState::Ready && *bytes <= INSTALLED_BYTES_MAX),
        })
    }

    /// What a manifest says, under a title of ours.
    #[must_use]
    pub fn of_manifest(manifest: &Manifest, title: &str) -> Self {
        Self {
            version: manifest.version().clone(),
            title: LibraryEntry::title_of(title, manifest.game()),
            size: manifest.size(),
            files: manifest.files().len() as u32,
            installed: None,
        }
    }

    /// Whether both say the same of what a manifest says.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let Self { version, title, size, files, installed: _ } = self;
        (version, title, size, files) == (&other.version, &other.title, &other.size, &other.files)
    }

    /// The line that says this.
    pub(super) fn entry(&self, key: &BuildKey, title: Option<&str>, state: EntryState) -> LibraryEntry {
        LibraryEntry {
            game: key.game.clone(),
            title: LibraryEntry::title_of(title.unwrap_or(&self.title), &key.game),
            version: self.version.clone(),
            content: key.content,
            size: self.size,
            files: self.files,
            installed: self.installed.filter(|_| state == EntryState::Ready),
            state,
        }
    }
}

/// Upper bound of an entry's bytes in a snapshot: every quote and backslash is written as two.
pub(super) fn wire_bytes_max(entry: &LibraryEntry) -> usize {
    let text = |text: &str| text.len() + text.bytes().filter(|b| matches!(b, b'"' | b'\\')).count();
    ENTRY_FRAME_BYTES + text(entry.game.as_str()) + text(&entry.title) + text(entry.version.as_str())
}

/// What changed in a library between two of its states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The digest before.
    pub from: LibraryDigest,
    /// The digest after.
    pub to: LibraryDigest,
    /// Lines that are new or changed.
    pub upserts: Vec<LibraryEntry>,
    /// Builds no longer offered.
    pub removals: Vec<ContentId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_no_manifest_could_have_are_refused() {
        let game = GameId::new("g").unwrap();
        let mut entry = LibraryEntry {
            title: LibraryEntry::title_of("", &game),
            game,
            version: Version::new("1").unwrap(),
            content: ContentId::from_bytes([0; 32]),
            size: SIZE_BYTES_MAX,
            files: 150_000,
            installed: Some(INSTALLED_BYTES_MAX),
            state: EntryState::Ready,
        };
        assert_eq!(Facts::of(&entry).unwrap().installed, Some(INSTALLED_BYTES_MAX));
        entry.installed = Some(INSTALLED_BYTES_MAX + 1);
        assert_eq!(Facts::of(&entry).unwrap().installed, None, "a hint that cannot be is no reason to refuse the line");
        entry.size += 1;
        assert_eq!(Facts::of(&entry), None);
        (entry.size, entry.files) = (0, 150_001);
        assert_eq!(Facts::of(&entry), None);
    }
}
