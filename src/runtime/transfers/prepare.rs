//! What comes before the first chunk: the manifest, the open download, what an older build gives, and
//! the hashes of chunks. Steps of [`super::getting::Getting`]; each goes on after any interruption
//! from what is on disk.

use std::{collections::BTreeSet, ops::ControlFlow, ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    Notice,
    fetch::{self, FetchError},
    getting::{End, Getting, Old, SourceLink},
};
use crate::{
    api::StateWord,
    io::{
        disk::{DiskError, GameRoot, Libraries},
        scan::Memory,
        store::{self, Incoming, IncomingError, RootReader},
    },
    runtime::{installs::InstallError, roots::RootTurn, tasks::PoolError},
    types::{ChunkHash, FileNo, LibraryNo, Manifest, PeerId},
    wire::{self, fetch::HASHES_MAX},
};

/// Ranges of one request for hashes, well below what a request may carry.
const HASH_RANGES_MAX: usize = 1_024;

/// A manifest with its bytes.
type Whole = (Arc<Manifest>, Bytes);

/// Files whose hashes are asked for together, or one file in several requests.
struct HashBatch {
    files: Vec<FileNo>,
    requests: Vec<Vec<Range<u32>>>,
}

impl Getting {
    /// The manifest: from an earlier try, from the shelf, or from whoever has it.
    pub(super) async fn manifest(&mut self, root: &Arc<GameRoot>) -> Result<Whole, End> {
        let content = self.wish.content;
        if let Some(shelved) = self.context.shelf.open(content).await {
            return Ok((Arc::clone(shelved.manifest()), shelved.manifest_bytes()));
        }
        let known = {
            let root = Arc::clone(root);
            self.work(move || store::load_incoming_manifest(&root, content)).await?
        };
        // One that is damaged is fetched again.
        if let Ok(Some(Ok(stored))) = known {
            return Ok((Arc::new(stored.manifest), Bytes::from(stored.bytes)));
        }
        let mut failed = BTreeSet::new();
        loop {
            let source = self.next_source(&mut failed).await?;
            self.show(StateWord::Checking, "asking for the list of files");
            let asked = fetch::manifest(&source.link, content);
            let fetched = match self.attend(asked).await? {
                Ok(bytes) => {
                    let copy = bytes.clone();
                    let decoded = self.work(move || wire::manifest::decode(&copy, content)).await?;
                    decoded
                        .map(|manifest| (manifest, bytes))
                        .map_err(|error| FetchError::WrongManifest { detail: error.to_string() })
                }
                Err(error) => Err(error),
            };
            let (manifest, bytes) = match fetched {
                Ok(found) => found,
                Err(error) => {
                    self.on_failed_source(&source, &error, &mut failed);
                    continue;
                }
            };
            if *manifest.game() != self.wish.game {
                let reason = format!("this build is of another game, {}", manifest.game().as_str());
                return Err(End::Failed(reason));
            }
            return Ok((Arc::new(manifest), bytes));
        }
    }

    /// The folder of the game, made in the library it was given if there is none in another one.
    pub(super) async fn root(&mut self) -> Result<Arc<GameRoot>, End> {
        let turn = self.root_turn().await?;
        let (libraries, library) = (Arc::clone(&self.context.libraries), self.library);
        let opened = self.work(move || open_root(&libraries, &turn, library)).await?;
        let (number, root) = opened.map_err(|error| End::Failed(error.to_string()))?;
        if number != self.library {
            self.library = number;
            self.notify(Notice::Placed(number)).await;
        }
        Ok(Arc::new(root))
    }

    /// The open download, with the files of the build that is here and that stay where they are.
    pub(super) async fn open(
        &mut self,
        root: &GameRoot,
        (manifest, bytes): &Whole,
        old: Option<&Old>,
    ) -> Result<Arc<Incoming>, End> {
        loop {
            self.show(StateWord::Checking, "looking at what is here");
            let (path, content) = (root.path().to_owned(), self.wish.content);
            let (manifest, bytes) = (Arc::clone(manifest), bytes.clone());
            let (old, files, cancelled) = (old.cloned(), self.shared.files.clone(), self.stopping());
            let open = move || {
                let held = old.map(|(reader, have)| reader.held(have));
                let root = GameRoot::open(&path).map_err(IncomingError::from)?;
                root.check_sizes(manifest.files().iter().map(|file| (file.path.as_str(), file.size)))?;
                Incoming::open(root, content, manifest, &bytes, held.as_ref(), &files, &mut watch(&cancelled))
            };
            match self.work(open).await? {
                Ok(incoming) => return Ok(Arc::new(incoming)),
                Err(error) => self.on_incoming_error(error).await?,
            }
        }
    }

    /// Copies what the build that is here has, chunk by chunk.
    pub(super) async fn reuse(&mut self, incoming: &Arc<Incoming>, old: &Arc<RootReader>) -> Result<(), End> {
        loop {
            self.show(StateWord::Checking, "copying what the old version has");
            let (incoming, old, cancelled) = (Arc::clone(incoming), Arc::clone(old), self.stopping());
            match self.work(move || incoming.reuse(&old, None, &mut watch(&cancelled))).await? {
                Ok(_) => return Ok(()),
                Err(error) => self.on_incoming_error(error).await?,
            }
        }
    }

    /// Fetches the chunk hashes that are not known, each checked against its file's hash.
    pub(super) async fn hashes(&mut self, incoming: &Arc<Incoming>) -> Result<(), End> {
        let mut failed = BTreeSet::new();
        loop {
            let missing = incoming.files_without_hashes();
            let Some(batch) = next_batch(incoming.manifest(), &missing) else { return Ok(()) };
            let source = self.next_source(&mut failed).await?;
            self.show(StateWord::Checking, "asking for the hashes of its chunks");
            let content = self.wish.content;
            let asked = async {
                let mut hashes = Vec::new();
                for ranges in &batch.requests {
                    hashes.extend(fetch::hashes(&source.link, content, ranges).await?);
                }
                Ok::<_, FetchError>(hashes)
            };
            let hashes = match self.attend(asked).await? {
                Ok(hashes) => hashes,
                Err(error) => {
                    self.on_failed_source(&source, &error, &mut failed);
                    continue;
                }
            };
            let this = Arc::clone(incoming);
            match self.work(move || set_hashes(&this, &batch.files, &hashes)).await? {
                Ok(true) => {}
                Ok(false) => {
                    let error = FetchError::WrongManifest { detail: "hashes that do not belong to the file".into() };
                    self.on_failed_source(&source, &error, &mut failed);
                }
                Err(error) if error.is_no_space() => self.wait_for_space().await?,
                Err(error) => return Err(End::Failed(error.to_string())),
            }
        }
    }

    /// A source that is not in `failed`; waits until there is one, and forgives all when none is left.
    async fn next_source(&mut self, failed: &mut BTreeSet<PeerId>) -> Result<SourceLink, End> {
        loop {
            self.gate().await?;
            let sources = self.sources.borrow_and_update().clone();
            if let Some(source) = sources.iter().find(|source| !failed.contains(&source.peer)) {
                self.notify(Notice::SourceFound).await;
                return Ok(source.clone());
            }
            if sources.is_empty() {
                self.show(StateWord::Waiting, "no peer has it");
                self.notify(Notice::NoSource).await;
            } else {
                self.show(StateWord::Waiting, "the peers that have it do not answer");
            }
            self.wait_for_sources().await?;
            failed.clear();
        }
    }

    fn on_failed_source(&self, source: &SourceLink, error: &FetchError, failed: &mut BTreeSet<PeerId>) {
        tracing::info!(peer = %source.peer.short(), content = %self.wish.content, %error, "a source did not help");
        failed.insert(source.peer);
    }

    async fn on_incoming_error(&mut self, error: IncomingError) -> Result<(), End> {
        match error {
            IncomingError::NoSpace(_) => self.wait_for_space().await,
            // Only `stopping` cancels; the gate says what is wanted instead.
            IncomingError::Cancelled => self.gate().await,
            IncomingError::Read(error) => Err(End::Failed(error.to_string())),
            IncomingError::Disk(error) => Err(End::Failed(error.to_string())),
        }
    }
}

/// What a pool gives for a job that is lost.
impl From<PoolError> for End {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Stopped { .. } => Self::Cancelled,
            PoolError::Panicked { .. } => Self::Failed(error.to_string()),
        }
    }
}

fn open_root(libraries: &Libraries, turn: &RootTurn, number: LibraryNo) -> Result<(LibraryNo, GameRoot), InstallError> {
    let (number, root) = match (libraries.find(turn.game()), libraries.get(number)) {
        (Err(error), Some(library)) if error.is_missing() => (number, library.create_root(turn.game())?),
        (found, _) => found.map(|found| (found.number, found.root))?,
    };
    // An error may have cut off a commit of this run: what it moved is no longer where a download looks for it.
    turn.finish_commit(&root, &mut Memory::none())?;
    Ok((number, root))
}

fn watch(cancelled: &tokio_util::sync::CancellationToken) -> impl FnMut(u64) -> ControlFlow<()> + '_ {
    |_| if cancelled.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// Sets the hashes of `files`, in order; false when they are not theirs.
fn set_hashes(incoming: &Incoming, files: &[FileNo], hashes: &[ChunkHash]) -> Result<bool, DiskError> {
    let mut rest = hashes;
    for file in files {
        let count = incoming.manifest().chunks_of(*file).len();
        let Some((own, later)) = rest.split_at_checked(count) else { return Ok(false) };
        rest = later;
        if incoming.set_hashes(*file, own)?.is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The next files whose hashes are asked for: as many as one request carries, or one large file.
fn next_batch(manifest: &Manifest, missing: &[FileNo]) -> Option<HashBatch> {
    let first = *missing.first()?;
    let chunks = manifest.chunks_of(first);
    if chunks.len() as u64 > HASHES_MAX {
        let step = HASHES_MAX as u32;
        let parts = chunks.clone().step_by(step as usize).map(|start| {
            let part = start..(start + step).min(chunks.end);
            std::iter::once(part).collect()
        });
        return Some(HashBatch { files: vec![first], requests: parts.collect() });
    }
    let (mut files, mut ranges, mut count) = (Vec::new(), Vec::new(), 0u64);
    for file in missing {
        let chunks = manifest.chunks_of(*file);
        count += chunks.len() as u64;
        if count > HASHES_MAX || ranges.len() >= HASH_RANGES_MAX {
            break;
        }
        files.push(*file);
        ranges.push(chunks);
    }
    Some(HashBatch { files, requests: vec![ranges] })
}
