//! The digest of our own announced library. To others it is opaque: they compare it and keep it.

use crate::types::{LibraryDigest, LibraryEntry};

/// Keeps the digest apart from every other use of BLAKE3 here.
const DOMAIN: &[u8] = b"potluck library 1\n";
/// What whole entries count as in the digest; anything less is 0 to 9.
const TENTHS_OF_ALL: u8 = 10;

/// BLAKE3 over the lines of a library in the order of their ContentIds, however they come.
#[must_use]
pub fn digest<'a>(entries: impl IntoIterator<Item = &'a LibraryEntry>) -> LibraryDigest {
    let mut sorted: Vec<&LibraryEntry> = entries.into_iter().collect();
    sorted.sort_by(|a, b| a.content.cmp(&b.content).then_with(|| a.game.cmp(&b.game)));
    let mut hasher = blake3::Hasher::new();
    hasher.update(DOMAIN);
    for entry in sorted {
        line(&mut hasher, entry);
    }
    LibraryDigest::from_bytes(*hasher.finalize().as_bytes())
}

/// The digest of a library without lines.
#[must_use]
pub fn digest_of_nothing() -> LibraryDigest {
    digest(&[])
}

fn line(hasher: &mut blake3::Hasher, entry: &LibraryEntry) {
    hasher.update(entry.content.as_bytes());
    for text in [entry.game.as_str(), &entry.title, entry.version.as_str()] {
        // The length before the text, so that no two lists of texts run together into one.
        hasher.update(&(text.len() as u64).to_be_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.update(&entry.size.to_be_bytes());
    hasher.update(&entry.files.to_be_bytes());
    hasher.update(&entry.installed.unwrap_or(u64::MAX).to_be_bytes());
    hasher.update(&[tenths(entry)]);
}

fn tenths(entry: &LibraryEntry) -> u8 {
    match entry.state {
        crate::types::EntryState::Ready => TENTHS_OF_ALL,
        crate::types::EntryState::Getting(tenths) => tenths.get(),
    }
}
