//! One transfer from the wish to the commit: the task that goes through the steps of
//! [`super::prepare`], then drives the download, then commits. It obeys one order at a time from the
//! actor, newest wins, and tells the actor what happens by notices.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{Look, Notice, Order, Wish, saved::Record, shown};
use crate::{
    api::{DISK_FULL, EventKind, Level, OWN_FILES_MAX, SourceView, StateWord, TransferView},
    core::{
        limits::Limits,
        queue::{Keep, Wait},
    },
    io::{
        disk::GameRoot,
        scan::Memory,
        store::{Incoming, KeptWhat, NotReady, OpenFiles, RootReader},
    },
    runtime::{
        buffers::Buffers,
        context::Context,
        input::LibraryInput,
        installs::{Committed, InstallError},
        links::Link,
        roots::{Change, RootTurn},
        shelf::{Files, Shelved},
        tasks::PoolError,
        traffic::Meter,
    },
    types::{ChunkSet, EntryState, LibraryNo, Manifest, PeerId, PeerName},
};

/// How long a step waits for something to change before it is tried again: a disk that was full, or
/// sources that did not answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A peer that has some of the content, and the way to it.
#[derive(Debug, Clone)]
pub(super) struct SourceLink {
    pub(super) peer: PeerId,
    pub(super) name: PeerName,
    pub(super) link: Link,
    pub(super) state: EntryState,
}

/// What all transfers share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) buffers: Buffers,
    pub(super) limits: Arc<Mutex<Limits>>,
    pub(super) meter: Meter,
    pub(super) files: OpenFiles,
    /// Bytes one transfer may have asked for.
    pub(super) in_flight_max: u64,
}

/// How a transfer ended.
#[derive(Debug)]
pub(super) enum End {
    /// It is in its root.
    Done,
    /// The user gave it up.
    Stopped(Keep),
    /// The runtime ends.
    Cancelled,
    /// It cannot go on without the user.
    Failed(String),
}

/// A transfer's task.
pub(super) struct Getting {
    pub(super) context: Context,
    pub(super) wish: Wish,
    /// Where the game is built unless it is somewhere already.
    pub(super) library: LibraryNo,
    pub(super) shared: Shared,
    pub(super) orders: watch::Receiver<Order>,
    pub(super) sources: watch::Receiver<Arc<Vec<SourceLink>>>,
    pub(super) view: watch::Sender<TransferView>,
    /// Faces that look at its map; nobody answers them but the download.
    pub(super) looks: mpsc::Receiver<Look>,
    pub(super) notices: mpsc::Sender<Notice>,
    /// Where the wish is kept.
    pub(super) record: Record,
    /// Cancelled when the disk's threads are to stop what they do for us.
    pub(super) halt: CancellationToken,
}

/// The build that is in the root, and what of it is good.
pub(super) type Old = (Arc<RootReader>, ChunkSet);

/// What is known once the download is open.
pub(super) struct Opened {
    pub(super) root: Arc<GameRoot>,
    pub(super) incoming: Arc<Incoming>,
    pub(super) shelved: Arc<Shelved>,
    /// Bytes that were here before this run asked for any.
    pub(super) reused: u64,
}

impl Getting {
    /// Runs until the game is in its root, or until it is told to stop.
    pub(super) async fn run(mut self) {
        let end = match self.get().await {
            Ok(()) => End::Done,
            Err(end) => end,
        };
        match &end {
            End::Done | End::Cancelled => {}
            End::Stopped(keep) => self.clear(*keep).await,
            End::Failed(_) => self.clear(Keep::Verified).await,
        }
        self.notify(Notice::Ended(end)).await;
    }

    async fn get(&mut self) -> Result<(), End> {
        self.gate().await?;
        let root = self.root().await?;
        let whole = self.manifest(&root).await?;
        self.notify(Notice::Needs(whole.0.size())).await;
        self.gate().await?;
        self.first_look().await?;
        // Looked up now: a repair puts the same build on the shelf as one that grows.
        let old = self.old().await;
        let incoming = self.open(&root, &whole, old.as_ref()).await?;
        let shelved = self.put_on_shelf(&incoming, &whole).await;
        self.hashes(&incoming).await?;
        if let Some((reader, _)) = &old {
            self.reuse(&incoming, reader).await?;
        }
        for chunk in incoming.verified().iter() {
            shelved.add(chunk);
        }
        let reused = whole.0.size().saturating_sub(incoming.missing_bytes());
        let opened = Opened { root, incoming, shelved, reused };
        // What a seat began to get it goes on with, also when it dies right after the first chunk.
        let mut record = self.record.clone();
        self.attend(record.settled()).await?;
        let mut sources = Vec::new();
        loop {
            sources = self.download(&opened, sources).await?;
            if self.commit(&opened, &whole, &sources).await? {
                return Ok(());
            }
            // Something in the root changed meanwhile: what it gave is fetched after all.
            let incoming = Arc::clone(&opened.incoming);
            let lost = self.work(move || incoming.recheck()).await?;
            for chunk in lost.map_err(|error| End::Failed(error.to_string()))? {
                opened.shelved.drop_chunk(chunk);
            }
        }
    }

    /// Waits until the library knows what is in the root; right after a start it may still be reading.
    async fn first_look(&mut self) -> Result<(), End> {
        self.show(StateWord::Checking, "looking at what is here");
        let (reply, answer) = oneshot::channel();
        self.tell_library(LibraryInput::Looked { game: self.wish.game.clone(), reply }).await;
        // The library ends before us only when the runtime does.
        self.attend(answer).await?.map_err(|_| End::Cancelled)
    }

    async fn old(&self) -> Option<Old> {
        let shelf = &self.context.shelf;
        let shelved = shelf.open(shelf.in_root_of(&self.wish.game)?).await?;
        match shelved.files() {
            Files::Root(reader) => Some((reader, shelved.have_map())),
            Files::Growing(_) => None,
        }
    }

    async fn put_on_shelf(&self, incoming: &Arc<Incoming>, (manifest, bytes): &(Arc<Manifest>, Bytes)) -> Arc<Shelved> {
        let files = Files::Growing(Arc::clone(incoming));
        let have = incoming.verified();
        let shelf = &self.context.shelf;
        let shelved = shelf.put(self.wish.content, Arc::clone(manifest), bytes.clone(), files, have);
        self.announce(&shelved).await;
        shelved
    }

    /// Tells the library, and so the room, how much is here.
    pub(super) async fn announce(&self, shelved: &Shelved) {
        let Wish { game, title, content, .. } = self.wish.clone();
        let manifest = Arc::clone(shelved.manifest());
        let have = shelved.have_map().len();
        self.tell_library(LibraryInput::Growing { game, title, content, manifest, have }).await;
    }

    /// Puts the download in its place; false when it is not whole after all.
    async fn commit(
        &mut self,
        opened: &Opened,
        (manifest, bytes): &(Arc<Manifest>, Bytes),
        sources: &[SourceView],
    ) -> Result<bool, End> {
        loop {
            let turn = self.root_turn().await?;
            self.show(StateWord::Checking, "putting it in place");
            let (root, incoming) = (Arc::clone(&opened.root), Arc::clone(&opened.incoming));
            let (index, game) = (Arc::clone(&self.context.index), self.wish.game.clone());
            let fault = self.context.settings.fault.clone();
            let job = move || {
                let memory = &mut Memory::of_game(&index, &game);
                (turn.commit(&root, &incoming, memory, fault.as_deref()), turn)
            };
            // Not to be stopped: after its journal it is finished, now or at the next start.
            let (result, turn) = self.context.pool.run(job).await?;
            match result {
                Ok(committed) => {
                    self.shelve(opened, &committed, manifest, bytes);
                    // What follows a commit is begun when it is told of, and wants the turn.
                    drop(turn);
                    let Wish { game, title, content, .. } = self.wish.clone();
                    self.tell_library(LibraryInput::Committed { game, content, title }).await;
                    // Last: whoever hears it may ask for more of the game, and is answered by what is here now.
                    self.tell_committed(opened, committed.set_aside, sources);
                    return Ok(true);
                }
                Err(InstallError::NotReady(NotReady::Lost { chunks })) => {
                    chunks.into_iter().for_each(|chunk| opened.shelved.drop_chunk(chunk));
                    return Ok(false);
                }
                Err(InstallError::NotReady(NotReady::Incomplete { .. })) => return Ok(false),
                Err(error) if error.is_no_space() => self.wait_for_space().await?,
                Err(error) => return Err(End::Failed(error.to_string())),
            }
        }
    }

    /// Puts what is in its root on the shelf.
    fn shelve(&self, opened: &Opened, committed: &Committed, manifest: &Arc<Manifest>, bytes: &Bytes) {
        let content = self.wish.content;
        let shelf = &self.context.shelf;
        let old = shelf.in_root_of(&self.wish.game).filter(|old| *old != content);
        // Served on without a gap: only the place of its files is another one now.
        match GameRoot::open(opened.root.path()) {
            Ok(root) => {
                let reader = RootReader::new(root, &committed.held, &self.shared.files);
                let have = committed.held.chunks.clone();
                shelf.put(content, Arc::clone(manifest), bytes.clone(), Files::Root(Arc::new(reader)), have);
            }
            Err(error) => {
                tracing::warn!(%error, "a game that was just put in place cannot be opened");
                shelf.remove(content);
            }
        }
        if let Some(old) = old {
            shelf.remove(old);
        }
    }

    /// Tells everybody that it is here, and what of the user's was set aside for it.
    fn tell_committed(&self, opened: &Opened, set_aside: Vec<String>, sources: &[SourceView]) {
        let Wish { game, title, version, content, .. } = &self.wish;
        let teller = &self.context.teller;
        if !set_aside.is_empty() {
            let count = set_aside.len();
            let text = format!("{title}: {count} files you changed are in .potluck/replaced/ of its folder.");
            teller.tell(Level::Info, EventKind::Note, text);
        }
        let kind = EventKind::Downloaded {
            game: game.as_str().to_owned(),
            content: content.to_string(),
            version: version.as_str().to_owned(),
            reused: opened.reused,
            sources: sources.to_vec(),
            set_aside: set_aside.into_iter().take(OWN_FILES_MAX).collect(),
        };
        teller.tell(Level::Done, kind, format!("{title} {} is here.", version.as_str()));
    }

    /// Takes what there is of it off the shelf, and deletes it when nothing is to be kept.
    async fn clear(&self, keep: Keep) {
        let Wish { game, content, .. } = self.wish.clone();
        let growing = self.context.shelf.get(content).filter(|shelved| matches!(shelved.files(), Files::Growing(_)));
        if growing.is_some() {
            self.context.shelf.remove(content);
        }
        self.tell_library(LibraryInput::NotGrowing { game: game.clone(), content }).await;
        if keep == Keep::Verified {
            return;
        }
        let turn = match self.context.roots.take(&game, Change::Free) {
            Ok(turn) => turn,
            // It may take long, until somebody has played; whoever gives up a download does not wait for that.
            Err(change) => {
                let text = format!("{}: {change}, so what was fetched of it is kept.", self.wish.title);
                return self.context.teller.tell(Level::Warning, EventKind::Note, text);
            }
        };
        let libraries = Arc::clone(&self.context.libraries);
        let delete = move || match libraries.open_root(&game) {
            Ok(root) => turn.free_kept(&root, KeptWhat::Download(content)),
            Err(error) if error.is_missing() => Ok(()),
            Err(error) => Err(error),
        };
        if let Ok(Err(error)) = self.context.pool.run(delete).await {
            let text = format!("{}: what was fetched of it cannot be deleted: {error}", self.wish.title);
            self.context.teller.tell(Level::Warning, EventKind::Note, text);
        }
    }

    /// The turn to change the game's root: waits until the transfer may run and nobody else changes it.
    pub(super) async fn root_turn(&mut self) -> Result<RootTurn, End> {
        let (roots, game) = (self.context.roots.clone(), self.wish.game.clone());
        loop {
            self.gate().await?;
            match roots.take(&game, Change::Commit) {
                Ok(turn) => return Ok(turn),
                Err(change) => {
                    self.show(StateWord::Waiting, &change.to_string());
                    self.attend(roots.free(&game)).await?;
                }
            }
        }
    }

    /// Waits until the transfer may run.
    pub(super) async fn gate(&mut self) -> Result<(), End> {
        loop {
            let order = *self.orders.borrow_and_update();
            match order {
                Order::Run => return Ok(()),
                Order::Stop(keep) => return Err(End::Stopped(keep)),
                // It holds no place: who looks for sources may go on looking.
                Order::Hold(Wait::NoSource) => return Ok(()),
                Order::Hold(Wait::Turn { .. } | Wait::DiskFull { .. } | Wait::NoLibrary | Wait::Paused) => {}
            }
            self.changed_order().await?;
        }
    }

    /// Tells the queue that a write found no space, and waits until it says to try again.
    pub(super) async fn wait_for_space(&mut self) -> Result<(), End> {
        self.orders.borrow_and_update();
        self.show(StateWord::Waiting, DISK_FULL);
        self.notify(Notice::DiskFull).await;
        // The queue answers with a hold, unless there is nothing left to write: then it is tried again.
        match timeout(PATIENCE, self.changed_order()).await {
            Ok(changed) => changed?,
            Err(_) => self.attend(async {}).await?,
        }
        self.gate().await
    }

    /// Waits for another list of sources.
    pub(super) async fn wait_for_sources(&mut self) -> Result<(), End> {
        let mut sources = self.sources.clone();
        let waiting = async {
            // The actor is gone at the end only, which `attend` sees.
            let _ = timeout(PATIENCE, sources.changed()).await;
        };
        self.attend(waiting).await
    }

    async fn changed_order(&mut self) -> Result<(), End> {
        let cancelled = self.context.tasks.cancelled().clone();
        match cancelled.run_until_cancelled(self.orders.changed()).await {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(End::Cancelled),
        }
    }

    /// Awaits `future`, unless the transfer is to stop first.
    pub(super) async fn attend<T>(&mut self, future: impl Future<Output = T>) -> Result<T, End> {
        let cancelled = self.context.tasks.cancelled().clone();
        let mut orders = self.orders.clone();
        tokio::select! {
            biased;
            () = cancelled.cancelled() => Err(End::Cancelled),
            order = orders.wait_for(|order| matches!(order, Order::Stop(_))) => match order.map(|order| *order) {
                Ok(Order::Stop(keep)) => Err(End::Stopped(keep)),
                Ok(Order::Run | Order::Hold(_)) | Err(_) => Err(End::Cancelled),
            },
            output = future => Ok(output),
        }
    }

    /// Runs `job` on the disk's threads. When the transfer is to stop, the job is told and awaited, so
    /// that nothing is written to what is then deleted.
    pub(super) async fn work<T: Send + 'static>(&mut self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, End> {
        let pool = self.context.pool.clone();
        let running = pool.run(job);
        tokio::pin!(running);
        match self.attend(&mut running).await {
            Ok(result) => Ok(result?),
            Err(End::Stopped(keep)) => {
                self.halt.cancel();
                match running.await {
                    Ok(_) | Err(PoolError::Panicked { .. }) => Err(End::Stopped(keep)),
                    Err(PoolError::Stopped { .. }) => Err(End::Cancelled),
                }
            }
            Err(end) => {
                self.halt.cancel();
                Err(end)
            }
        }
    }

    /// What the disk's threads look at between two chunks.
    pub(super) fn stopping(&self) -> CancellationToken {
        self.halt.clone()
    }

    pub(super) async fn notify(&self, notice: Notice) {
        // The actor is gone at the end only.
        let _ = self.notices.send(notice).await;
    }

    async fn tell_library(&self, input: LibraryInput) {
        // The library ends before us only when the runtime does.
        let _ = self.context.inputs.library.send(input).await;
    }

    /// Shows a state of which there is nothing more to say.
    pub(super) fn show(&self, state: StateWord, reason: &str) {
        self.view.send_if_modified(|view| {
            let changed = view.state != state || view.reason != reason;
            view.state = state;
            reason.clone_into(&mut view.reason);
            (view.down_bps, view.left_s) = (0, None);
            changed
        });
    }

    /// The name of a peer, for people.
    pub(super) fn name_of(&self, peer: &PeerId) -> String {
        let sources = self.sources.borrow();
        let known = sources.iter().find(|source| source.peer == *peer);
        known.map_or_else(|| peer.short(), |source| source.name.as_str().to_owned())
    }

    /// A view of it to begin with.
    pub(super) fn first_view(wish: &Wish) -> TransferView {
        shown::blank(wish)
    }
}
