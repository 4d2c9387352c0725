//! What is stored beside a game: its manifest and hashes, and left-overs that take space.

use super::{hashes::ChunkHashes, hashes::HASH_BYTES, layout};
use crate::{
    io::disk::{DiskError, GameRoot, Kind, Reason},
    types::{ContentId, Manifest},
    wire::manifest::{self, MANIFEST_BYTES_MAX, ManifestReadError},
};

/// Downloads kept in one root; each update that was given up leaves at most one.
const KEPT_MAX: usize = 1_000;
/// Files of one download, or of what an update set aside.
const ENTRIES_MAX: usize = 400_000;
/// As deep as a path set aside, or one of an installed game, can be, with our own folders above it.
const DEPTH_MAX: usize = 40;

/// A manifest as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredManifest {
    /// The hash of its bytes.
    pub content: ContentId,
    /// What it says.
    pub manifest: Manifest,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Something in `.potluck/` that takes space and can be freed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What it is.
    pub what: KeptWhat,
    /// Bytes it takes on disk.
    pub bytes: u64,
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptWhat {
    /// A download that was not finished.
    Download(ContentId),
    /// The user's own files that were in the way of an update.
    Replaced,
}

/// The manifest of the build in the root; `Ok(Err(..))` when it is damaged or somebody else's.
pub fn load_manifest(root: &GameRoot) -> Result<Option<Result<StoredManifest, ManifestReadError>>, DiskError> {
    load(root, layout::MANIFEST, None)
}

/// The bytes of a stored manifest and their hash, or why they cannot be one.
pub type ManifestBytes = Result<(ContentId, Vec<u8>), ManifestReadError>;

/// The bytes of the manifest in the root, and the build they are of if they are its manifest; for whoever
/// may know the build already, because reading a large manifest takes far more memory than its bytes.
pub fn manifest_bytes(root: &GameRoot) -> Result<Option<ManifestBytes>, DiskError> {
    let read = read(root, layout::MANIFEST)?;
    Ok(read.map(|bytes| bytes.map(|bytes| (manifest::content_id(&bytes), bytes))))
}

/// The manifest of a download.
pub fn load_incoming_manifest(
    root: &GameRoot,
    content: ContentId,
) -> Result<Option<Result<StoredManifest, ManifestReadError>>, DiskError> {
    load(root, &layout::incoming_manifest(content), Some(content))
}

fn load(
    root: &GameRoot,
    path: &str,
    expect: Option<ContentId>,
) -> Result<Option<Result<StoredManifest, ManifestReadError>>, DiskError> {
    let bytes = match read(root, path)? {
        Some(Ok(bytes)) => bytes,
        Some(Err(error)) => return Ok(Some(Err(error))),
        None => return Ok(None),
    };
    let content = expect.unwrap_or_else(|| manifest::content_id(&bytes));
    Ok(Some(manifest::decode(&bytes, content).map(|manifest| StoredManifest { content, manifest, bytes })))
}

fn read(root: &GameRoot, path: &str) -> Result<Option<Result<Vec<u8>, ManifestReadError>>, DiskError> {
    match root.read_file(path, MANIFEST_BYTES_MAX) {
        Ok(bytes) => Ok(Some(Ok(bytes))),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) if matches!(error.reason(), Reason::TooLong { .. }) => {
            Ok(Some(Err(ManifestReadError::TooLong { max: MANIFEST_BYTES_MAX })))
        }
        Err(error) => Err(error),
    }
}

/// Stores the manifest and the chunk hashes of a build that a scan made.
pub fn save_manifest(root: &GameRoot, bytes: &[u8], hashes: &ChunkHashes) -> Result<(), DiskError> {
    save_hashes(root, hashes)?;
    root.write_atomic(layout::MANIFEST, bytes)
}

/// Stores the chunk hashes of the build in the root.
pub fn save_hashes(root: &GameRoot, hashes: &ChunkHashes) -> Result<(), DiskError> {
    root.make_dirs(layout::OWN_FOLDER)?;
    root.write_atomic(layout::HASHES, &hashes.to_bytes())
}

/// The chunk hashes stored for the build in the root; those that are missing or damaged are unknown.
pub fn load_hashes(root: &GameRoot, manifest: &Manifest) -> Result<ChunkHashes, DiskError> {
    match root.read_file(layout::HASHES, manifest.chunk_count() as usize * HASH_BYTES) {
        Ok(bytes) => Ok(ChunkHashes::from_bytes(manifest, &bytes)),
        Err(error) if matches!(error.reason(), Reason::Missing | Reason::TooLong { .. }) => {
            Ok(ChunkHashes::of(manifest))
        }
        Err(error) => Err(error),
    }
}

/// What is kept in a root, and how much space it takes.
pub fn kept(root: &GameRoot) -> Result<Vec<Kept>, DiskError> {
    let mut found = Vec::new();
    for content in downloads(root)? {
        let bytes = bytes_below(root, &layout::incoming_folder(content), 0)?;
        found.push(Kept { what: KeptWhat::Download(content), bytes });
    }
    if root.find(layout::REPLACED)?.is_some() {
        found.push(Kept { what: KeptWhat::Replaced, bytes: bytes_below(root, layout::REPLACED, 0)? });
    }
    Ok(found)
}

/// Bytes that all of a root takes on disk.
pub fn bytes_of(root: &GameRoot) -> Result<u64, DiskError> {
    bytes_below(root, "", 0)
}

/// Where something kept lies in its root.
#[must_use]
pub fn kept_path(what: KeptWhat) -> String {
    match what {
        KeptWhat::Download(content) => layout::incoming_folder(content),
        KeptWhat::Replaced => layout::REPLACED.to_owned(),
    }
}

/// Frees something kept. Works with no byte free.
pub fn free_kept(root: &GameRoot, what: KeptWhat) -> Result<(), DiskError> {
    root.remove_tree(&kept_path(what))
}

/// The downloads that were begun in a root.
fn downloads(root: &GameRoot) -> Result<Vec<ContentId>, DiskError> {
    let entries = match root.list(layout::INCOMING, KEPT_MAX) {
        Err(error) if error.is_missing() => return Ok(Vec::new()),
        result => result?,
    };
    // A name that is no ContentId is not ours.
    let contents = entries.into_iter().filter(|entry| entry.stat.kind == Kind::Folder);
    Ok(contents.filter_map(|entry| entry.name.to_str()?.parse().ok()).collect())
}

fn bytes_below(root: &GameRoot, path: &str, depth: usize) -> Result<u64, DiskError> {
    let mut bytes = 0;
    for entry in root.list(path, ENTRIES_MAX)? {
        bytes += entry.stat.allocated;
        if entry.stat.kind == Kind::Folder
            && depth < DEPTH_MAX
            && let Some(name) = entry.name.to_str()
        {
            let below = if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") };
            bytes += bytes_below(root, &below, depth + 1)?;
        }
    }
    Ok(bytes)
}
