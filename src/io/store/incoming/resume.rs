//! Opens a download: what of it can be trusted, and what has to be hashed first.

use std::sync::{Arc, Mutex, RwLock};

use super::{Incoming, IncomingError, State};
use crate::{
    io::{
        disk::{DiskError, GameFile, GameRoot, Reason},
        hash::{Watcher, hash_chunk},
        store::{
            files::OpenFiles,
            hashes::{ChunkHashes, HASH_BYTES},
            held::Held,
            layout,
        },
    },
    types::{CHUNK_BYTES, ChunkNo, ChunkSet, ContentId, FileNo, Manifest},
};

/// Where Linux tells one start of the machine from the next.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
/// A boot id is a UUID in text.
const BOOT_BYTES_MAX: usize = 64;

pub(super) fn open(
    root: GameRoot,
    content: ContentId,
    manifest: Arc<Manifest>,
    manifest_bytes: &[u8],
    held: Option<&Held>,
    files: &OpenFiles,
    watcher: &mut Watcher<'_>,
) -> Result<Incoming, IncomingError> {
    let fresh = root.find(&layout::data_folder(content))?.is_none();
    root.make_dirs(&layout::data_folder(content))?;
    if !manifest.links().is_empty() {
        // Told before anything is fetched for nothing.
        root.check_links(&layout::incoming_folder(content))?;
    }
    // Its bytes hash to the folder's name, so one of the right length was written whole or is told at its use.
    let stored = root.find(&layout::incoming_manifest(content))?;
    if stored.is_none_or(|stat| stat.stamp.size != manifest_bytes.len() as u64) {
        root.write_atomic(&layout::incoming_manifest(content), manifest_bytes)?;
    }
    let hashes = load_hashes(&root, content, &manifest)?;
    let hashes_file = open_or_create(&root, &layout::incoming_hashes(content))?;
    let have_file = open_or_create(&root, &layout::incoming_have(content))?;
    let stays = stays(&manifest, held);
    let incoming = Incoming {
        open: files.owner(),
        open_in_root: files.owner(),
        root,
        content,
        data: layout::data_folder(content),
        hashes: RwLock::new(hashes),
        hashes_file,
        have_file,
        state: Mutex::new(State::new(&manifest, stays)),
        manifest,
    };
    if let Some(held) = held {
        adopt_hashes(&incoming, held)?;
    }
    recover_bits(&incoming, fresh, watcher)?;
    Ok(incoming)
}

/// What the older build knows of files that both have.
fn adopt_hashes(incoming: &Incoming, held: &Held) -> Result<(), DiskError> {
    for file in incoming.files_without_hashes() {
        let entry = incoming.manifest.file(file);
        let same = held.manifest.find(&entry.path).filter(|(_, old)| old.hash == entry.hash);
        if let Some(hashes) = same.and_then(|(old, _)| held.hashes.of_file(&held.manifest, old)) {
            // They are verified again here; hashes of a file with this hash cannot be wrong.
            let _ = incoming.set_hashes(file, &hashes)?;
        }
    }
    Ok(())
}

/// Files of the root that are already what the build wants at their path.
fn stays(manifest: &Manifest, held: Option<&Held>) -> Vec<Option<crate::io::disk::Stamp>> {
    let stay = |entry: &crate::types::FileEntry| {
        let held = held?;
        let (number, old) = held.manifest.find(&entry.path)?;
        (old.hash == entry.hash && old.size == entry.size).then(|| held.whole_file(number)).flatten()
    };
    manifest.files().iter().map(stay).collect()
}

/// Reads the bitmap and trusts what can be trusted; the rest is hashed. A `fresh` download has nothing.
fn recover_bits(incoming: &Incoming, fresh: bool, watcher: &mut Watcher<'_>) -> Result<(), IncomingError> {
    let count = incoming.manifest.chunk_count();
    let read = |file: &GameFile| -> Result<Option<ChunkSet>, DiskError> {
        // One byte more than there should be: a longer file is as wrong as a shorter one.
        let mut bytes = vec![0; (count as usize).div_ceil(8) + 1];
        let len = file.read_at(&mut bytes, 0)?;
        Ok(ChunkSet::from_bytes(&bytes[..len], count))
    };
    let have = read(&incoming.have_file)?;
    let boot = boot_id();
    let boot_path = layout::incoming_boot(incoming.content);
    let same_boot = boot.is_some() && incoming.root.read_file(&boot_path, BOOT_BYTES_MAX).ok() == boot;
    let synced = match incoming.root.open_file(&layout::incoming_synced(incoming.content)) {
        Ok(file) => read(&file)?,
        Err(error) if error.is_missing() => None,
        Err(error) => return Err(error.into()),
    };
    let intact = have.is_some();
    // A damaged bitmap says nothing: then every chunk may be here.
    let candidates = have.unwrap_or_else(|| ChunkSet::full(count));
    let trusted =
        if same_boot && intact { candidates.clone() } else { synced.unwrap_or_else(|| ChunkSet::empty(count)) };
    let files = if fresh { 0 } else { incoming.manifest.files().len() as u32 };
    for number in 0..files {
        recover_file(incoming, FileNo(number), &candidates, &trusted, watcher)?;
    }
    let bits = incoming.state().staged.to_bytes();
    // Only now: a bitmap that was cut off must be seen to be.
    incoming.have_file.allocate(bits.len() as u64)?;
    incoming.have_file.write_at(&bits, 0)?;
    if !same_boot {
        if !incoming.state().staged.is_empty() {
            incoming.sync()?;
        }
        if let Some(boot) = boot {
            incoming.root.write_atomic(&boot_path, &boot)?;
        }
    }
    Ok(())
}

fn recover_file(
    incoming: &Incoming,
    file: FileNo,
    candidates: &ChunkSet,
    trusted: &ChunkSet,
    watcher: &mut Watcher<'_>,
) -> Result<(), IncomingError> {
    let chunks = incoming.manifest.chunks_of(file);
    if candidates.count_in(chunks.clone()) == 0 || incoming.state().stays[file.index()].is_some() {
        return Ok(());
    }
    let path = incoming.data_path(&incoming.manifest.file(file).path);
    let opened = match incoming.root.open_file(&path) {
        Ok(opened) => opened,
        Err(error)
            if matches!(
                error.reason(),
                Reason::Missing | Reason::NotAFolder | Reason::NotRegular | Reason::IsAFolder | Reason::Link
            ) =>
        {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let right_size = opened.stat()?.stamp.size == incoming.manifest.file(file).size;
    let only = chunks.len() == 1;
    let mut buffer = Vec::new();
    for chunk in chunks.map(ChunkNo).filter(|chunk| candidates.contains(*chunk)) {
        let mut right = right_size && trusted.contains(chunk);
        if !right && let (Some(expect), Some(place)) = (incoming.chunk_hash(chunk), incoming.manifest.place(chunk)) {
            buffer.resize(CHUNK_BYTES as usize, 0);
            let len = opened.read_at(&mut buffer[..place.len as usize], place.offset)?;
            right = len == place.len as usize && hash_chunk(&buffer[..len], place.index, only) == expect;
            if watcher(len as u64).is_break() {
                return Err(IncomingError::Cancelled);
            }
        }
        if right {
            incoming.state().set_staged(chunk, true);
        }
    }
    if !right_size {
        // What was verified in it stays; the rest of its bytes are written when they come.
        let opened = incoming.root.open_file_to_write(&path)?;
        opened.cut(incoming.manifest.file(file).size)?;
        opened.allocate(incoming.manifest.file(file).size)?;
    }
    Ok(())
}

fn load_hashes(root: &GameRoot, content: ContentId, manifest: &Manifest) -> Result<ChunkHashes, DiskError> {
    match root.read_file(&layout::incoming_hashes(content), manifest.chunk_count() as usize * HASH_BYTES) {
        Ok(bytes) => Ok(ChunkHashes::from_bytes(manifest, &bytes)),
        Err(error) if matches!(error.reason(), Reason::Missing | Reason::TooLong { .. }) => {
            Ok(ChunkHashes::of(manifest))
        }
        Err(error) => Err(error),
    }
}

fn open_or_create(root: &GameRoot, path: &str) -> Result<GameFile, DiskError> {
    match root.open_file_to_write(path) {
        Err(error) if error.is_missing() => root.create_file(path, false),
        result => result,
    }
}

/// `None` where the system has none: then every start counts as one after a power loss.
fn boot_id() -> Option<Vec<u8>> {
    std::fs::read(BOOT_ID).ok().filter(|bytes| bytes.len() <= BOOT_BYTES_MAX)
}
