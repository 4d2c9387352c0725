//! Gets games: the queue, and one task a transfer. The actor owns the order, who has what and the way
//! to them, the disk's free space and what faces are shown; a transfer's task ([`getting`]) does the
//! work. Which chunk comes from whom is decided by `core::download`, who runs by `core::queue`.

mod commands;
mod download;
mod fetch;
mod getting;
mod map;
mod prepare;
mod saved;
mod shown;

use std::{
    collections::{BTreeMap, VecDeque},
    convert::Infallible,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{MissedTickBehavior, interval},
};
use tokio_util::sync::CancellationToken;

use self::{
    getting::{End, Getting, Shared, SourceLink},
    saved::{Keeper, Saved},
};
use super::{
    buffers::Buffers,
    context::Context,
    input::{LibraryInput, ReplyTo, TransfersInput, Wanted},
    links::Link,
    traffic::{self, Meter},
    view::TransfersShown,
};
use crate::{
    api::{AfterGet, CommandError, ErrorCode, EventKind, Level, MapRequest, Reply, StateWord, TransferView},
    core::{
        download::{RequestEnd, RequestNo},
        limits::Limits,
        queue::{self, Keep, Output, Queue, Standing},
    },
    io::{clock, disk::Found, scan, store},
    types::{
        ChunkNo, ChunkRanges, ChunkSet, ContentId, EntryState, GameId, LibraryNo, PeerId, PeerName, Space, Version,
    },
};

/// Chunk buffers for receiving: a third of what a process may hold in memory.
const BUFFERS: usize = 32;
/// Bytes asked for and not here yet, all transfers together.
const IN_FLIGHT_MAX: u64 = 48 << 20;
/// Notices of transfers that the actor has not read; they wait beyond.
const NOTICES_MAX: usize = 256;
/// Faces that wait for a part of one map; the next is told to come again.
const LOOKS_MAX: usize = 8;
/// How often faces may be shown another picture.
const SHOW: Duration = Duration::from_millis(250);
/// How often the disk's free space is looked at while transfers exist.
const FREE: Duration = Duration::from_secs(2);

/// What a transfer is to do; the newest order counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    /// Go on.
    Run,
    /// Ask for nothing.
    Hold(queue::Wait),
    /// End.
    Stop(Keep),
}

/// What a transfer tells the actor.
#[derive(Debug)]
enum Notice {
    /// The game was in this library already.
    Placed(LibraryNo),
    /// Bytes it will still write.
    Needs(u64),
    /// Nobody has what it lacks.
    NoSource,
    /// Somebody has.
    SourceFound,
    /// A write found the disk full.
    DiskFull,
    /// It is over.
    Ended(End),
}

/// A face looks at a part of a transfer's map.
#[derive(Debug)]
struct Look {
    request: MapRequest,
    reply: ReplyTo,
}

/// What the streams of a transfer tell its task.
#[derive(Debug)]
enum Told {
    HaveMap {
        peer: PeerId,
        turn: u64,
        have: ChunkSet,
    },
    HaveDelta {
        peer: PeerId,
        turn: u64,
        set: ChunkRanges,
        clear: ChunkRanges,
    },
    HaveEnded {
        peer: PeerId,
        turn: u64,
    },
    Named {
        request: RequestNo,
        chunk: ChunkNo,
    },
    /// All bytes of these are here. Of small ones this is also the word that they were named.
    Arrived {
        request: RequestNo,
        chunks: Vec<ChunkNo>,
        named: bool,
    },
    Written {
        request: RequestNo,
        peer: PeerId,
        written: Vec<(ChunkNo, fetch::Written)>,
    },
    Ended {
        request: RequestNo,
        end: RequestEnd,
    },
}

/// A build somebody wants.
#[derive(Debug, Clone)]
struct Wish {
    game: GameId,
    title: String,
    version: Version,
    content: ContentId,
    size: u64,
    after: AfterGet,
    /// Whether it was in its root when it was asked for: then that it still is says nothing.
    repair: bool,
}

/// A transfer as the actor knows it.
struct Entry {
    wish: Wish,
    /// Where it is built, once that is known.
    library: Option<LibraryNo>,
    holders: Vec<(PeerId, EntryState)>,
    /// `None` until it may run for the first time, and when it failed.
    task: Option<Task>,
    /// What faces see while there is no task.
    view: TransferView,
    failed: Option<String>,
    paused: bool,
    /// It was told to end and has not yet.
    stopping: bool,
}

/// The actor's ends of a transfer's channels.
struct Task {
    /// Tells notices of this task from those of an earlier one.
    number: u64,
    orders: watch::Sender<Order>,
    sources: watch::Sender<Arc<Vec<SourceLink>>>,
    view: watch::Receiver<TransferView>,
    looks: mpsc::Sender<Look>,
}

/// A word to the actor from what it has started.
#[derive(Debug)]
enum Word {
    Notice { content: ContentId, task: u64, notice: Notice },
    Room { spaces: Vec<Space> },
}

/// Runs the actor until the runtime ends.
pub(crate) async fn run(
    context: Context,
    mut inbox: mpsc::Receiver<TransfersInput>,
    shown: watch::Sender<TransfersShown>,
) -> Result<(), Infallible> {
    let cancelled = context.tasks.cancelled().clone();
    let (words, mut spoken) = mpsc::channel(NOTICES_MAX);
    // Without a pool the runtime is at its end.
    let Ok((saved, left, trouble)) = Keeper::open(&context).await else { return Ok(()) };
    if let Some(trouble) = trouble {
        context.teller.tell(Level::Warning, EventKind::Note, trouble.to_string());
    }
    let mut transfers = Transfers::new(context, words, saved, left);
    let ticking = |every| {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    };
    let (mut show, mut free, mut rates) = (ticking(SHOW), ticking(FREE), ticking(traffic::TICK));
    loop {
        tokio::select! {
            biased;
            () = cancelled.cancelled() => break,
            input = inbox.recv() => match input {
                Some(input) => transfers.on_input(input).await,
                None => break,
            },
            Some(word) = spoken.recv() => transfers.on_word(word).await,
            _ = free.tick() => transfers.look_at_free(),
            _ = rates.tick() => {
                if let Some(down) = transfers.shared.meter.tick(traffic::TICK) {
                    shown.send_modify(|shown| shown.down = down);
                }
            }
            _ = show.tick() => transfers.show(&shown),
        }
    }
    Ok(())
}

struct Transfers {
    context: Context,
    queue: Queue,
    entries: BTreeMap<ContentId, Entry>,
    peers: BTreeMap<PeerId, (PeerName, Link)>,
    shared: Shared,
    words: mpsc::Sender<Word>,
    next_task: u64,
    saved: Keeper,
    /// What the last run left and is not in the queue yet: it waits for the first look at the library.
    left: VecDeque<Saved>,
    looking: bool,
}

impl Transfers {
    fn new(context: Context, words: mpsc::Sender<Word>, saved: Keeper, left: Vec<Saved>) -> Self {
        let settings = &context.settings;
        let mut limits = Limits::unlimited();
        limits.set_everybody(settings.down_limit, clock::now());
        let shared = Shared {
            buffers: Buffers::new(BUFFERS),
            limits: Arc::new(Mutex::new(limits)),
            meter: Meter::adding_to(&context.counters.bytes_in),
            files: context.files.clone(),
            in_flight_max: IN_FLIGHT_MAX / settings.max_active.max(1) as u64,
        };
        Self {
            queue: Queue::new(settings.max_active),
            saved,
            left: left.into_iter().take(queue::TRANSFERS_MAX).collect(),
            entries: BTreeMap::new(),
            peers: BTreeMap::new(),
            shared,
            words,
            next_task: 0,
            looking: false,
            context,
        }
    }

    async fn on_input(&mut self, input: TransfersInput) {
        match input {
            TransfersInput::PeerUp { peer, name, link } => {
                self.peers.insert(peer, (name, link));
                self.peer_changed(peer);
            }
            TransfersInput::PeerLink { peer, link } => {
                if let Some(known) = self.peers.get_mut(&peer) {
                    known.1 = link;
                }
                self.peer_changed(peer);
            }
            TransfersInput::PeerDown { peer } => {
                self.peers.remove(&peer);
                self.peer_changed(peer);
            }
            TransfersInput::Enqueue(wanted) => self.on_enqueue(*wanted).await,
            TransfersInput::Holders { content, holders } => {
                if let Some(entry) = self.entries.get_mut(&content) {
                    entry.holders = holders;
                    self.tell_sources(content);
                }
            }
            TransfersInput::Pause { game, reply } => self.on_pause(&game, reply),
            TransfersInput::Resume { game, reply } => self.on_resume(&game, reply).await,
            TransfersInput::Cancel { game, discard, reply } => self.on_cancel(&game, discard, reply),
            TransfersInput::Reorder { game, by, reply } => self.on_reorder(&game, by, reply),
            TransfersInput::Map { request, reply } => self.on_map(request, reply),
            TransfersInput::Limit { peer, rate } => {
                self.shared.limits.lock().unwrap_or_else(PoisonError::into_inner).set(peer, rate, clock::now());
            }
            TransfersInput::Busy { game, reply } => {
                let busy = self.entries.values().any(|entry| entry.wish.game == game && entry.failed.is_none());
                // Who asked may have been cancelled meanwhile.
                let _ = reply.send(busy);
            }
            TransfersInput::Scanned => self.on_scanned().await,
        }
    }

    async fn on_enqueue(&mut self, wanted: Wanted) {
        let Wanted { game, title, version, content, size, library, after, reply } = wanted;
        let repair = matches!(self.place_of(&game, content).await, Some((_, true)));
        let wish = Wish { game, title, version, content, size, after, repair };
        let other = self.entries.values().find(|entry| entry.wish.game == wish.game && entry.wish.content != content);
        if let Some(other) = other.filter(|other| other.failed.is_none()) {
            let message = format!(
                "{} {} is being fetched already; cancel that first",
                other.wish.title,
                other.wish.version.as_str()
            );
            return answer(reply, Err(CommandError::new(ErrorCode::Refused, message)));
        }
        if self.entries.get(&content).is_some_and(|entry| entry.stopping) {
            let message = format!("{} is just being cancelled; try again in a moment", wish.title);
            return answer(reply, Err(CommandError::new(ErrorCode::Refused, message)));
        }
        if !self.queue.has_room() {
            let message = format!("{} transfers are queued already; wait for some to end", queue::TRANSFERS_MAX);
            return answer(reply, Err(CommandError::new(ErrorCode::Refused, message)));
        }
        let stale = other.map(|other| other.wish.content);
        if let Some(stale) = stale {
            self.forget(stale).await;
        }
        let queued = Reply::Queued {
            game: wish.game.as_str().to_owned(),
            content: content.to_string(),
            version: wish.version.as_str().to_owned(),
            size,
        };
        self.admit(wish, library, false).await;
        // Who hears that it is queued may count on it, whatever dies then.
        let mut record = self.saved.record();
        self.context.tasks.spawn("answer a wish", async move {
            record.settled().await;
            answer(reply, Ok(queued));
        });
    }

    /// Puts a wish into the queue; one that is there and failed or was paused goes on.
    async fn admit(&mut self, wish: Wish, library: Option<LibraryNo>, paused: bool) {
        let content = wish.content;
        // Where it goes is decided by what is free now.
        let libraries = Arc::clone(&self.context.libraries);
        if let Ok(spaces) = self.context.pool.run(move || libraries.spaces()).await {
            self.queue_input(queue::Input::Room { spaces });
        }
        let known = self.entries.get_mut(&content);
        match known {
            Some(entry) => {
                entry.failed = None;
                entry.paused = paused;
                // Who asks once more without it does not take back what was asked for.
                entry.wish.after = entry.wish.after.max(wish.after);
            }
            None => {
                let view = Getting::first_view(&wish);
                let entry = Entry {
                    library,
                    holders: Vec::new(),
                    task: None,
                    view,
                    failed: None,
                    paused,
                    stopping: false,
                    wish: wish.clone(),
                };
                self.entries.insert(content, entry);
                // The library ends before us only when the runtime does.
                let _ = self.context.inputs.library.send(LibraryInput::Follow { content }).await;
            }
        }
        let library = self.entries.get(&content).and_then(|entry| entry.library);
        self.queue_input(queue::Input::Enqueue { content, needs: wish.size, library, paused });
        if !paused {
            self.queue_input(queue::Input::Resume { content });
        }
        self.save();
    }

    /// The queue of the last run goes on.
    async fn on_scanned(&mut self) {
        while let Some(transfer) = self.left.pop_front() {
            match transfer.wish() {
                // The run ended before it could say so here. To commit it again would undo what the
                // user did to its files since.
                Some(wish) => match self.place_of(&wish.game, wish.content).await {
                    Some((_, true)) if !wish.repair => {
                        if self.follow_up(&wish).await.is_err() {
                            return;
                        }
                    }
                    Some(_) | None if self.entries.contains_key(&wish.content) => {}
                    Some((library, _)) => self.admit(wish, Some(library), transfer.paused).await,
                    // What is here of it may be in a library that is not there: it waits for that one.
                    None => {
                        let was = |folder: &Path| transfer.library.as_deref() == Some(folder);
                        let place = self.context.libraries.paths().position(was);
                        self.admit(wish, place.map(|place| LibraryNo(place as u8)), transfer.paused).await;
                    }
                },
                None => tracing::warn!(?transfer, "a transfer of the last run cannot be understood"),
            }
        }
        self.save();
        self.look_at_free();
    }

    /// The library the game is in, and whether the build is in place already, whatever became of its files since.
    async fn place_of(&self, game: &GameId, content: ContentId) -> Option<(LibraryNo, bool)> {
        let (libraries, game) = (Arc::clone(&self.context.libraries), game.clone());
        let look = move || {
            let Found { number, root, .. } = libraries.find(&game).ok()?;
            let is_committed = || {
                let has_sentinel = scan::read_sentinel(&root).ok()?.is_some();
                let manifest = store::load_manifest(&root).ok()??.ok()?;
                Some(has_sentinel && manifest.content == content)
            };
            // A root that cannot be read has no build in place, and what is wrong with it shows in its transfer.
            Some((number, is_committed().unwrap_or(false)))
        };
        // Without a pool the runtime is at its end.
        self.context.pool.run(look).await.ok().flatten()
    }

    async fn on_word(&mut self, word: Word) {
        match word {
            Word::Room { spaces } => {
                self.looking = false;
                self.queue_input(queue::Input::Room { spaces });
            }
            Word::Notice { content, task, notice } => {
                let known = self.entries.get(&content).and_then(|entry| entry.task.as_ref());
                if known.is_some_and(|known| known.number == task) {
                    self.on_notice(content, notice).await;
                }
            }
        }
    }

    async fn on_notice(&mut self, content: ContentId, notice: Notice) {
        match notice {
            Notice::Placed(library) => {
                self.place(content, library);
                self.queue_input(queue::Input::Placed { content, library });
            }
            Notice::Needs(needs) => self.queue_input(queue::Input::Needs { content, needs }),
            Notice::NoSource => self.queue_input(queue::Input::NoSource { content }),
            Notice::SourceFound => self.queue_input(queue::Input::SourceFound { content }),
            Notice::DiskFull => self.queue_input(queue::Input::DiskFull { content }),
            Notice::Ended(end @ (End::Done | End::Stopped(_))) => {
                let wish = self.entries.get(&content).map(|entry| entry.wish.clone());
                if let (End::Done, Some(wish)) = (end, wish)
                    && self.follow_up(&wish).await.is_err()
                {
                    return;
                }
                self.forget(content).await;
                self.look_at_free();
            }
            // The runtime ends: the state file knows it, and the next run goes on.
            Notice::Ended(End::Cancelled) => {}
            Notice::Ended(End::Failed(reason)) => self.on_failed(content, reason),
        }
    }

    fn on_failed(&mut self, content: ContentId, reason: String) {
        let Some(entry) = self.entries.get_mut(&content) else { return };
        if let Some(task) = entry.task.take() {
            entry.view = task.view.borrow().clone();
        }
        entry.view.state = StateWord::Failed;
        entry.view.reason.clone_from(&reason);
        (entry.view.down_bps, entry.view.left_s) = (0, None);
        let kind = EventKind::Transfer {
            game: entry.wish.game.as_str().to_owned(),
            content: content.to_string(),
            state: StateWord::Failed,
        };
        let text = format!("{}: {reason}. `resume` tries again.", entry.wish.title);
        entry.failed = Some(reason);
        self.context.teller.tell(Level::Error, kind, text);
        self.queue_input(queue::Input::Ended { content });
    }

    /// Has done with a build that is in its root what was asked for with it. Returns when the library has written it
    /// down: only then the queue may forget it, or a crash between the two would lose it.
    async fn follow_up(&self, wish: &Wish) -> Result<(), LibraryGone> {
        match wish.after {
            AfterGet::Nothing => Ok(()),
            AfterGet::Install | AfterGet::InstallAndDrop => {
                let (game, content, drop_archives) = (wish.game.clone(), wish.content, wish.after.drops());
                let (noted, is_noted) = oneshot::channel();
                let then = LibraryInput::ThenInstall { game, content, drop_archives, noted };
                self.context.inputs.library.send(then).await.map_err(|_| LibraryGone)?;
                is_noted.await.map_err(|_| LibraryGone)
            }
        }
    }

    /// Takes a transfer off every list.
    async fn forget(&mut self, content: ContentId) {
        if self.entries.remove(&content).is_some() {
            // The library ends before us only when the runtime does.
            let _ = self.context.inputs.library.send(LibraryInput::Unfollow { content }).await;
        }
        self.queue_input(queue::Input::Ended { content });
        self.save();
    }

    fn queue_input(&mut self, input: queue::Input) {
        self.queue.handle_input(input, clock::now());
        while let Some(output) = self.queue.poll_output() {
            match output {
                Output::Run { content, library } => {
                    self.place(content, library);
                    self.order(content, Order::Run);
                }
                Output::Hold { content, why } => self.order(content, Order::Hold(why)),
                Output::Stop { content, keep } => self.stop(content, keep),
                Output::Changed => {}
            }
        }
    }

    /// A transfer is built in this library from now on.
    fn place(&mut self, content: ContentId, library: LibraryNo) {
        let Some(entry) = self.entries.get_mut(&content).filter(|entry| entry.library != Some(library)) else { return };
        entry.library = Some(library);
        self.save();
    }

    fn order(&mut self, content: ContentId, order: Order) {
        let Some(entry) = self.entries.get_mut(&content) else { return };
        if let Some(task) = &entry.task {
            task.orders.send_replace(order);
        } else if order == Order::Run {
            self.start(content);
        }
    }

    fn stop(&mut self, content: ContentId, keep: Keep) {
        if self.entries.get(&content).is_some_and(|entry| entry.task.is_none()) {
            // Only a task knows how to put things in order: it is made to stop at once.
            self.start(content);
        }
        if let Some(entry) = self.entries.get_mut(&content) {
            entry.stopping = true;
            if let Some(task) = &entry.task {
                task.orders.send_replace(Order::Stop(keep));
            }
        }
    }

    fn start(&mut self, content: ContentId) {
        let sources = Arc::new(self.sources_of(content));
        let Some(entry) = self.entries.get_mut(&content) else { return };
        let number = self.next_task;
        self.next_task += 1;
        let (orders, obeyed) = watch::channel(Order::Run);
        let (sources, asked) = watch::channel(sources);
        let (drawn, view) = watch::channel(entry.view.clone());
        let (notices, heard) = mpsc::channel(NOTICES_MAX);
        let (looks, looked) = mpsc::channel(LOOKS_MAX);
        let getting = Getting {
            context: self.context.clone(),
            wish: entry.wish.clone(),
            // One that is only started to be stopped makes no folder.
            library: entry.library.unwrap_or_default(),
            shared: self.shared.clone(),
            orders: obeyed,
            sources: asked,
            view: drawn,
            looks: looked,
            notices,
            record: self.saved.record(),
            halt: CancellationToken::new(),
        };
        entry.task = Some(Task { number, orders, sources, view, looks });
        self.context.tasks.spawn("a transfer", getting.run());
        self.context.tasks.spawn("notices of a transfer", pass_on(content, number, heard, self.words.clone()));
    }

    fn peer_changed(&self, peer: PeerId) {
        let concerned =
            self.entries.iter().filter(|(_, entry)| entry.holders.iter().any(|(holder, _)| *holder == peer));
        for content in concerned.map(|(content, _)| *content) {
            self.tell_sources(content);
        }
    }

    fn tell_sources(&self, content: ContentId) {
        if let Some(task) = self.entries.get(&content).and_then(|entry| entry.task.as_ref()) {
            task.sources.send_replace(Arc::new(self.sources_of(content)));
        }
    }

    /// Who has the content and can be asked.
    fn sources_of(&self, content: ContentId) -> Vec<SourceLink> {
        let holders = self.entries.get(&content).map(|entry| entry.holders.as_slice()).unwrap_or_default();
        let linked = holders.iter().filter_map(|(peer, state)| {
            let (name, link) = self.peers.get(peer)?;
            Some(SourceLink { peer: *peer, name: name.clone(), link: link.clone(), state: *state })
        });
        linked.collect()
    }

    /// Asks the disk what is free, while that matters to anybody.
    fn look_at_free(&mut self) {
        if self.looking || self.queue.iter().next().is_none() {
            return;
        }
        self.looking = true;
        let (pool, words) = (self.context.pool.clone(), self.words.clone());
        let libraries = Arc::clone(&self.context.libraries);
        self.context.tasks.spawn("look at free space", async move {
            // A pool that does not answer is at its end, and so are we.
            let spaces = pool.run(move || libraries.spaces()).await.unwrap_or_default();
            // The actor is gone at the end only.
            let _ = words.send(Word::Room { spaces }).await;
        });
    }

    fn show(&self, shown: &watch::Sender<TransfersShown>) {
        let libraries: Vec<&Path> = self.context.libraries.paths().collect();
        let queued = self.queue.iter().filter_map(|(content, standing)| {
            let entry = self.entries.get(&content)?;
            Some(entry.view_now(standing, &libraries))
        });
        let failed = self.entries.values().filter(|entry| entry.failed.is_some());
        let failed = failed.map(|entry| TransferView { after: entry.wish.after, ..entry.view.clone() });
        let transfers: Vec<TransferView> = queued.chain(failed).collect();
        shown.send_if_modified(|shown| {
            let changed = *shown.transfers != transfers;
            if changed {
                shown.transfers = Arc::new(transfers);
            }
            changed
        });
    }

    fn save(&self) {
        let queued = self.queue.iter().filter_map(|(content, _)| self.entries.get(&content));
        let folder = |library: LibraryNo| self.context.libraries.paths().nth(usize::from(library.0));
        let saved = |entry: &Entry| Saved::of(&entry.wish, entry.library.and_then(folder), entry.paused);
        self.saved.save(self.left.iter().cloned().chain(queued.map(saved)).collect());
    }
}

/// The runtime ends. The state file knows what is not done yet, and the next run does it.
struct LibraryGone;

impl Entry {
    fn view_now(&self, standing: Standing, libraries: &[&Path]) -> TransferView {
        let mut view = self.task.as_ref().map_or_else(|| self.view.clone(), |task| task.view.borrow().clone());
        view.after = self.wish.after;
        view.library = self.library.map_or(0, |library| library.0);
        if let Standing::Waiting(wait) = standing {
            let (state, reason) = shown::wait_in_queue(wait, libraries);
            // A transfer without sources knows better than the queue what exactly it lacks.
            if wait != queue::Wait::NoSource || view.state != StateWord::Waiting {
                (view.state, view.reason) = (state, reason);
            }
            (view.down_bps, view.left_s) = (0, None);
        }
        view
    }
}

/// Adds to a task's notices which transfer they are of.
async fn pass_on(content: ContentId, task: u64, mut heard: mpsc::Receiver<Notice>, words: mpsc::Sender<Word>) {
    while let Some(notice) = heard.recv().await {
        if words.send(Word::Notice { content, task, notice }).await.is_err() {
            return;
        }
    }
}

fn answer(reply: Option<ReplyTo>, result: Result<Reply, CommandError>) {
    if let Some(reply) = reply {
        // A face that no longer waits dropped its end.
        let _ = reply.send(result);
    }
}

#[cfg(test)]
mod tests;
