//! The quick look at a game that was whole the last time: nothing is opened, nothing parsed, and nothing
//! compared but the states of its files with those the index has. And its counterpart, which makes of
//! what the index has what serving needs, without looking at the files at all: whoever reads one sees
//! whether it is in the state it should be in.

use std::{ops::ControlFlow, sync::Arc};

use crate::{
    io::{
        disk::{DiskError, GameRoot, Kind, Stamp},
        index::{Index, Record, Whole},
        store::{self, Held},
    },
    types::{ChunkSet, ContentId, GameId, Sentinel},
};

/// Files looked at between two looks at whether to stop.
const STOP_EVERY_FILES: usize = 1_024;

/// A root in which nothing changed since it was found to be whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unchanged {
    /// The build it holds.
    pub whole: Whole,
    /// The state of each file, in the order of the manifest.
    pub stamps: Vec<Option<Stamp>>,
}

/// Looks whether a root still is what `record` says it was entirely; `None` when it must be compared
/// with its manifest. `go_on` is asked now and then.
pub fn glance(
    root: &GameRoot,
    record: &Record,
    sentinel: &Sentinel,
    go_on: impl Fn() -> ControlFlow<()>,
) -> Result<Option<Unchanged>, DiskError> {
    let Some(whole) = record.whole().filter(|whole| whole.sentinel == *sentinel) else { return Ok(None) };
    let mut cursor = root.cursor();
    let mut is = |path: &str, kind: Kind, stamp: Option<&Stamp>| -> Result<bool, DiskError> {
        let found = cursor.find(path)?;
        Ok(found.is_some_and(|stat| stat.kind == kind && stamp.is_none_or(|stamp| stat.stamp == *stamp)))
    };
    if !is(store::MANIFEST, Kind::File, Some(&whole.manifest))? {
        return Ok(None);
    }
    let mut stamps = Vec::with_capacity(record.file_count() as usize);
    let mut files = record.files();
    while let Some((path, known)) = files.next() {
        if stamps.len().is_multiple_of(STOP_EVERY_FILES) && go_on().is_break() {
            return Ok(None);
        }
        if !known.settled || !is(path, Kind::File, Some(&known.stamp))? {
            return Ok(None);
        }
        stamps.push(Some(known.stamp));
    }
    for dir in &whole.dirs {
        if !is(dir, Kind::Folder, None)? {
            return Ok(None);
        }
    }
    for (link, stamp) in &whole.links {
        if !is(link, Kind::Link, Some(stamp))? {
            return Ok(None);
        }
    }
    // A record that ends early is damaged.
    let is_all = stamps.len() == record.file_count() as usize;
    Ok(is_all.then(|| Unchanged { whole: whole.clone(), stamps }))
}

/// What a root held of a build when it was last looked at, with the bytes of its manifest; `None` when
/// the index does not say that it held all of it, or its manifest is not there.
pub fn recall(
    root: &GameRoot,
    index: &Index,
    game: &GameId,
    content: ContentId,
) -> Result<Option<(Held, Vec<u8>)>, DiskError> {
    let Some(record) = index.record(game) else { return Ok(None) };
    if record.whole().is_none_or(|whole| whole.content != content) {
        return Ok(None);
    }
    let Some(Ok(stored)) = store::load_manifest(root)?.filter(|stored| is_of(stored, content)) else {
        return Ok(None);
    };
    let manifest = Arc::new(stored.manifest);
    let mut stamps = Vec::with_capacity(manifest.files().len());
    let mut files = record.files();
    for entry in manifest.files() {
        match files.next() {
            Some((path, known)) if path == entry.path.as_str() && known.hash == entry.hash => {
                stamps.push(Some(known.stamp));
            }
            Some(_) | None => return Ok(None),
        }
    }
    let hashes = store::load_hashes(root, &manifest)?;
    // Without them nobody who gets the game could verify it.
    if !hashes.unknown_files(&manifest).is_empty() {
        return Ok(None);
    }
    let chunks = ChunkSet::full(manifest.chunk_count());
    Ok(Some((Held { content, manifest, hashes, stamps, chunks }, stored.bytes)))
}

fn is_of(stored: &Result<store::StoredManifest, crate::wire::manifest::ManifestReadError>, content: ContentId) -> bool {
    stored.as_ref().is_ok_and(|stored| stored.content == content)
}
