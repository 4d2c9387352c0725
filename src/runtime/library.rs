//! Drives `core::library`: looks at the folders of games, shares what is found on the shelf, tells the
//! room and asks it, and carries out what faces want done with games. What is meant, announced and
//! asked for is decided in the core; what a folder is, in `look`; this only carries between them.

mod adding;
mod asked;
mod changes;
mod commands;
mod dropping;
mod folder;
mod found;
mod installing;
mod jobs;
mod look;
mod looks;
mod mirror;
mod moving;
mod outbox;
mod played;
mod playing;
mod remembered;
mod room;
mod shows;
mod space;
mod survey;
mod sync;
#[cfg(test)]
mod tests;
mod turns;
mod weighing;

pub(super) use commands::find_peer;
pub(crate) use folder::Folder;

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    mem::Discriminant,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::{
    changes::Op,
    found::Mark,
    jobs::Done,
    look::{Desk, Distrust, Meter},
    looks::{Looks, SETTLE},
    mirror::Mirroring,
    outbox::Outbox,
    played::Played,
    playing::Playing,
    remembered::Remembered,
    shows::{Rows, Sources},
    sync::OwnSnapshot,
    turns::Turns,
    weighing::ToWeigh,
};
use super::{
    context::Context,
    input::{LibraryInput, LinksInput, ReplyTo, TransfersInput},
    installs::Installation,
    links::Link,
    shelf::{Opened, Opener},
    view::LibraryShown,
};
use crate::{
    api::{AfterGet, CommandError, EventKind, Level, Reply},
    core::library::{Facts, Growing, Library, LocalBuild, LocalChange, LocalState, Output, Rules},
    io::{
        clock,
        disk::{DiskError, LibraryState},
        scan,
        store::RootReader,
        watch::{Changed, Watch},
    },
    types::{ChunkNo, ContentId, EntryState, GameId, LibraryNo, Manifest, PeerId, PeerName, Space, Tenths},
    wire::message::Control,
};

/// Changes deep in a folder wake no watch; this finds them.
const RESCAN: Duration = Duration::from_secs(300);
/// How often free space is asked for.
const SPACE: Duration = Duration::from_secs(5);
/// How often games are looked for that nobody asked for since the last time.
const CLOSE: Duration = Duration::from_secs(20);
/// How often progress is shown while folders are read.
const PROGRESS: Duration = Duration::from_millis(250);
/// Jobs that are over and wait to be taken note of.
const DONE_MAX: usize = 64;
/// Commands kept until what an earlier run left half done has been finished.
const EARLY_MAX: usize = 256;
/// Remarks remembered so as not to be repeated; a folder full of oddities may repeat itself now and then.
const TOLD_MAX: usize = 1_000;
/// Contents transfers follow; they run few at a time and queue some hundred.
const FOLLOWS_MAX: usize = 10_000;

/// Runs until cancelled.
pub(super) async fn run(
    context: Context,
    folder: Folder,
    mut inbox: mpsc::Receiver<LibraryInput>,
    shown: watch::Sender<LibraryShown>,
) -> Result<(), Infallible> {
    let mut actor = Actor::new(context, folder, shown);
    actor.start();
    actor.work(&mut inbox).await;
    actor.folder.hashing.shutdown().await;
    Ok(())
}

/// How far the library is known.
enum Stage {
    /// What an earlier run left half done is being finished; commands wait.
    Recovering { early: Vec<LibraryInput> },
    /// These games have not been looked at yet.
    FirstLooks(BTreeSet<GameId>),
    /// Every game was looked at; whether the room was told of what was found.
    Known { is_announced: bool },
}

struct Actor {
    context: Context,
    folder: Folder,
    desk: Desk,
    core: Library,
    remembered: Remembered,
    stage: Stage,
    /// How each library was when it was last listed.
    libraries: Vec<LibraryState>,
    /// The room in each library when it was last asked for.
    spaces: Vec<Space>,
    /// The library each game lives in.
    places: BTreeMap<GameId, LibraryNo>,
    looks: Looks,
    /// How the shelf takes a game from its folder when somebody asks for it.
    opener: Opener,
    /// The games there were at the start: others are forgotten when these have been looked at.
    forget: Option<BTreeSet<GameId>>,
    /// Transfers that wait for the first look at a game.
    first_look_asked: BTreeMap<GameId, Vec<oneshot::Sender<()>>>,
    /// What not to take from the index at the next look.
    distrust: BTreeMap<GameId, Distrust>,
    /// Changes that wait for a look to be cut short.
    waiting: BTreeMap<GameId, Op>,
    meters: BTreeMap<GameId, Arc<Meter>>,
    /// What of each game's root is on the shelf; without a mark it is to be put there anew.
    shelved: BTreeMap<GameId, (ContentId, Option<Mark>)>,
    /// What each game was last found to be.
    states: BTreeMap<GameId, Discriminant<LocalState>>,
    /// Games that can be played.
    installed: BTreeMap<GameId, Installation>,
    to_weigh: ToWeigh,
    /// What is being installed or uninstalled, and how far it is.
    installing: BTreeMap<GameId, Arc<Meter>>,
    /// Why the last try to install a game failed, until it is tried again.
    install_failures: BTreeMap<GameId, String>,
    /// Who waits until what a game was installed from is gone, and what they are told about the installation then.
    drop_waits: BTreeMap<GameId, (ReplyTo, Reply)>,
    /// What stops the moves to other libraries that are under way.
    moving: BTreeMap<GameId, CancellationToken>,
    playing: BTreeMap<GameId, Playing>,
    played: Played,
    turns: Turns,
    links: BTreeMap<PeerId, Link>,
    names: BTreeMap<PeerId, PeerName>,
    /// Who has what transfers want to know of, as they were last told.
    follows: BTreeMap<ContentId, Vec<(PeerId, EntryState)>>,
    own_snapshot: OwnSnapshot,
    to_links: Outbox<LinksInput>,
    to_transfers: Outbox<TransfersInput>,
    done: mpsc::Receiver<Done>,
    done_sender: mpsc::Sender<Done>,
    watch: Option<Watch>,
    mirroring: Mirroring,
    rows: Rows,
    shown: watch::Sender<LibraryShown>,
    /// What is not told again.
    told: BTreeSet<String>,
    rescan_at: Instant,
    /// When a library that is not there is looked for.
    libraries_at: Option<Instant>,
    space_at: Instant,
    close_at: Instant,
    progress_at: Instant,
    is_listing: bool,
}

impl Actor {
    fn new(context: Context, folder: Folder, shown: watch::Sender<LibraryShown>) -> Self {
        let now = clock::now();
        let (remembered, trouble) = Remembered::load(&context.settings.places.state);
        if let Some(trouble) = trouble {
            context.teller.tell(Level::Warning, EventKind::Note, trouble.to_string());
        }
        let (played, trouble) = Played::load(&context.settings.places.state);
        if let Some(trouble) = trouble {
            context.teller.tell(Level::Warning, EventKind::Note, trouble.to_string());
        }
        let (done_sender, done) = mpsc::channel(DONE_MAX);
        let (index, files) = (Arc::clone(&context.index), context.files.clone());
        let (libraries, shelf, roots) = (Arc::clone(&context.libraries), context.shelf.clone(), context.roots.clone());
        let desk = Desk { libraries, roots, index, files, shelf, quiet: folder.quiet };
        Self {
            opener: opener(&desk, &context),
            forget: None,
            desk,
            core: Library::new(remembered.rules(&folder.catalog)),
            remembered,
            stage: Stage::Recovering { early: Vec::new() },
            libraries: Vec::new(),
            spaces: Vec::new(),
            places: BTreeMap::new(),
            looks: Looks::new(folder.hashing_threads),
            first_look_asked: BTreeMap::new(),
            distrust: BTreeMap::new(),
            waiting: BTreeMap::new(),
            meters: BTreeMap::new(),
            shelved: BTreeMap::new(),
            states: BTreeMap::new(),
            installed: BTreeMap::new(),
            to_weigh: ToWeigh::default(),
            installing: BTreeMap::new(),
            install_failures: BTreeMap::new(),
            drop_waits: BTreeMap::new(),
            moving: BTreeMap::new(),
            playing: BTreeMap::new(),
            played,
            turns: Turns::default(),
            links: BTreeMap::new(),
            names: BTreeMap::new(),
            follows: BTreeMap::new(),
            own_snapshot: OwnSnapshot::default(),
            to_links: Outbox::new(context.inputs.links.clone()),
            to_transfers: Outbox::new(context.inputs.transfers.clone()),
            done,
            done_sender,
            watch: None,
            mirroring: Mirroring::new(&context.settings.mirror),
            rows: Rows::default(),
            shown,
            told: BTreeSet::new(),
            rescan_at: now + RESCAN,
            libraries_at: None,
            space_at: now,
            close_at: now + CLOSE,
            progress_at: now,
            is_listing: false,
            folder,
            context,
        }
    }

    fn start(&mut self) {
        match Watch::start(self.desk.libraries.paths()) {
            Ok(watch) => self.watch = Some(watch),
            Err(error) => self.note(Level::Warning, error.to_string()),
        }
        self.recover();
    }

    async fn work(&mut self, inbox: &mut mpsc::Receiver<LibraryInput>) {
        let cancelled = self.context.tasks.cancelled().clone();
        loop {
            self.carry_out();
            let wake = self.wake();
            tokio::select! {
                biased;
                () = cancelled.cancelled() => return,
                Some(done) = self.done.recv() => self.on_done(done),
                Some(input) = inbox.recv() => self.on_input(input),
                () = self.to_links.flush() => {}
                () = self.to_transfers.flush() => {}
                changed = next_change(&mut self.watch) => self.on_changed(changed),
                () = tokio::time::sleep_until(wake.into()) => self.on_timer(clock::now()),
            }
        }
    }

    /// When something is to be done without anybody asking.
    fn wake(&self) -> Instant {
        let now = clock::now();
        let core = self.core.poll_timeout().map(|(at, _)| at);
        let progress = self.shows_progress().then_some(self.progress_at);
        let mirroring = self.mirroring.due().filter(|_| self.are_all_there());
        let others = [core, progress, self.looks.next(), self.rows.due(now), mirroring, self.libraries_at];
        others.into_iter().flatten().chain([self.rescan_at, self.space_at, self.close_at]).min().unwrap_or(now)
    }

    fn on_timer(&mut self, now: Instant) {
        self.core.handle_timeout(now);
        if now >= self.progress_at && self.shows_progress() {
            self.progress_at = now + PROGRESS;
            self.show_progress(now);
        }
        if now >= self.rescan_at {
            self.rescan_at = now + RESCAN;
            self.list();
        }
        if self.libraries_at.is_some_and(|at| at <= now) {
            self.libraries_at = None;
            self.look_for_libraries();
        }
        if now >= self.space_at {
            self.space_at = now + SPACE;
            self.ask_for_space();
        }
        if now >= self.close_at {
            self.close_at = now + CLOSE;
            self.context.shelf.close_idle();
        }
        let wanted = if self.are_all_there() { self.mirroring.take(&self.core, now) } else { Vec::new() };
        for wish in wanted {
            self.enqueue(wish, AfterGet::Nothing, None);
        }
        if self.rows.due(now).is_some_and(|due| due <= now) {
            self.show(now);
        }
    }

    /// Whether every library was listed: what is in one that is not there must not be got once more.
    fn are_all_there(&self) -> bool {
        !self.libraries.is_empty() && self.libraries.iter().all(|library| library.is_known)
    }

    /// Everything the core and the queue of looks want done now.
    fn carry_out(&mut self) {
        while let Some(output) = self.core.poll_output() {
            self.on_output(output);
        }
        self.show_ready();
        self.start_looks();
        self.weigh_next();
    }

    fn on_output(&mut self, output: Output) {
        match output {
            Output::Digest(digest) => self.to_links.send(LinksInput::Digest(digest)),
            Output::SummaryTo { peer, digest } => {
                self.to_links.send(LinksInput::Send { peer, message: Control::LibrarySummary { digest } });
            }
            Output::Summary(digest) => self.to_links.send(LinksInput::Broadcast(Control::LibrarySummary { digest })),
            Output::Delta(delta) => {
                self.to_links.send(LinksInput::Broadcast(Control::LibraryDelta(sync::to_wire(delta))));
            }
            Output::Fetch { peer, fetch } => self.fetch(peer, fetch),
            Output::Left { peer, games, lost } => self.tell_left(&peer, games, &lost),
            Output::Changed { games, peers } => {
                self.tell_followers();
                self.mirroring.mark(&games, clock::now());
                self.rows.mark(games, peers);
            }
        }
    }

    fn on_input(&mut self, input: LibraryInput) {
        let now = clock::now();
        if let Stage::Recovering { early } = &mut self.stage
            && is_command(&input)
        {
            if early.len() < EARLY_MAX {
                early.push(input);
            }
            return;
        }
        match input {
            LibraryInput::PeerUp { peer, name, addr, link, digest } => {
                self.links.insert(peer, link);
                self.names.insert(peer, name);
                self.core.handle_peer_up(peer, addr, digest, now);
            }
            LibraryInput::PeerLink { peer, link } => {
                if let Some(known) = self.links.get_mut(&peer) {
                    *known = link;
                }
            }
            LibraryInput::PeerDown { peer } => {
                self.core.handle_peer_down(&peer, now);
                // What is said of its leaving needs its name.
                self.carry_out();
                self.links.remove(&peer);
                self.names.remove(&peer);
            }
            LibraryInput::Summary { peer, digest } => self.core.handle_summary(&peer, digest, now),
            LibraryInput::Delta { peer, delta } => self.core.handle_delta(&peer, &sync::from_wire(delta), now),
            LibraryInput::SnapshotWanted { reply } => {
                if let Some(json) = self.own_snapshot.get(&self.core) {
                    // A peer that is gone no longer waits.
                    let _ = reply.send(json);
                }
            }
            LibraryInput::OwnChunkBad { content, chunk } => self.on_own_chunk_bad(content, chunk, now),
            LibraryInput::OwnChanged { game } => {
                // What is on the shelf cannot be served as it is.
                if let Some((_, mark)) = self.shelved.get_mut(&game) {
                    *mark = None;
                }
                self.looks.want(&game, now);
            }
            LibraryInput::Growing { game, title, content, manifest, have } => {
                self.on_growing(&game, &title, content, &manifest, have, now);
            }
            LibraryInput::NotGrowing { game, content } => {
                self.core.handle_growing_ended(&game, &content, now);
                // A repair that was given up had taken the place of what is in the root.
                if let Some((_, mark)) = self.shelved.get_mut(&game).filter(|(shelved, _)| *shelved == content) {
                    *mark = None;
                }
                self.looks.want(&game, now);
            }
            LibraryInput::Committed { game, content, title } => self.on_committed(&game, content, &title, now),
            LibraryInput::ThenInstall { game, content, drop_archives, noted } => {
                self.owe_install(&game, content, drop_archives);
                // Who asked may have been cancelled meanwhile.
                let _ = noted.send(());
            }
            LibraryInput::Follow { content } => {
                if self.follows.len() < FOLLOWS_MAX {
                    let holders = self.core.holders_of(&content);
                    self.follows.insert(content, holders.clone());
                    self.to_transfers.send(TransfersInput::Holders { content, holders });
                }
            }
            LibraryInput::Looked { game, reply } => self.on_asked_for_look(game, reply),
            LibraryInput::Unfollow { content } => drop(self.follows.remove(&content)),
            LibraryInput::Get { request, reply } => self.get(&request, reply),
            LibraryInput::Add { path, id, version, title, take, reply } => {
                self.prepare_add(adding::AddWish { path, id, version, title, take }, reply);
            }
            LibraryInput::Remove { game, reply } => self.remove(&game, reply),
            LibraryInput::Install { game, drop_archives, reply } => self.install(&game, drop_archives, reply),
            LibraryInput::Uninstall { game, last, reply } => self.uninstall(&game, last, reply),
            LibraryInput::Cancel { game, discard, reply } => self.cancel(game, discard, reply),
            LibraryInput::Move { game, library, reply } => self.move_to(&game, &library, reply),
            LibraryInput::Play { game, confirm, reply } => self.play(&game, confirm, reply),
            LibraryInput::Verify { game, repair, reply } => self.verify(&game, repair, reply),
            LibraryInput::Manifest { game, reply } => self.manifest(&game, reply),
            LibraryInput::Without { game, reply } => answer(reply, room::without(&self.core, &self.names, &game)),
            LibraryInput::Compare { peer, reply } => answer(reply, room::compare(&self.core, &self.names, &peer)),
            LibraryInput::Space { reply } => self.space(reply),
            LibraryInput::Free { game, what, reply } => self.free(&game, what, reply),
            LibraryInput::Pin { game, version, reply } => {
                let result = self.pin(&game, version.as_deref());
                answer(reply, result);
            }
            LibraryInput::Trust { peer, trust, reply } => {
                let result = self.trust(&peer, trust);
                answer(reply, result);
            }
            LibraryInput::Rescan { reply } => {
                self.list();
                answer(reply, Ok(Reply::Done { message: "Looking at the whole library again.".to_owned() }));
            }
        }
    }

    fn on_changed(&mut self, changed: Option<Changed>) {
        match changed {
            // One of a game that is new here also brings the folder that is to be watched.
            Some(Changed::Game(game)) if self.core.local(&game).is_some() => {
                self.looks.want(&game, clock::now() + SETTLE);
            }
            Some(Changed::Game(_) | Changed::Rescan) => self.rescan_at = self.rescan_at.min(clock::now() + SETTLE),
            None => {
                self.watch = None;
                self.note(Level::Warning, "the library is no longer watched; changes are found every 5 minutes");
            }
        }
    }

    /// The index took the file for unchanged: it is read again.
    fn on_own_chunk_bad(&mut self, content: ContentId, chunk: ChunkNo, now: Instant) {
        let Some(shelved) = self.context.shelf.get(content) else { return };
        let manifest = shelved.manifest();
        let Some(place) = manifest.place(chunk) else { return };
        let game = manifest.game().clone();
        let file = Distrust::File(manifest.file(place.file).path.clone());
        let distrust = self.distrust.entry(game.clone()).or_insert_with(|| file.clone());
        if *distrust != file {
            *distrust = Distrust::Everything;
        }
        self.looks.want(&game, now);
    }

    fn on_growing(
        &mut self,
        game: &GameId,
        title: &str,
        content: ContentId,
        manifest: &Manifest,
        have: u32,
        now: Instant,
    ) {
        let tenths = Tenths::of(u64::from(have), u64::from(manifest.chunk_count()));
        let growing = Growing { facts: Facts::of_manifest(manifest, title), tenths };
        self.core.handle_growing(game, content, growing, now);
    }

    /// What was committed is whole, and transfers have put it on the shelf; the look that follows only
    /// confirms it. So nobody is told that the game is being got when it is here.
    fn on_committed(&mut self, game: &GameId, content: ContentId, title: &str, now: Instant) {
        if self.core.rules().title(game).is_none() && self.remembered.set_title(game, title) {
            self.rules_changed();
        }
        if let Some(shelved) = self.context.shelf.get(content) {
            let facts = Facts::of_manifest(shelved.manifest(), &self.core.title(game));
            self.core.handle_local(game, LocalChange::Complete(LocalBuild { content, facts }), now);
        }
        self.core.handle_growing_ended(game, &content, now);
        // A payload that had been dropped is here again, and what is installed is not all there is of the game.
        if let Some(Installation::Only(installed)) = self.installed.get(game) {
            self.set_installed(game, Installation::Of(*installed));
        }
        self.install_failures.remove(game);
        self.shelved.insert(game.clone(), (content, None));
        self.looks.want(game, now);
        // Its folder may be new.
        self.rescan_at = self.rescan_at.min(now + SETTLE);
        self.carry_out();
        self.show(now);
    }

    /// Saves what is remembered and decides everything anew.
    fn rules_changed(&mut self) {
        self.save_remembered();
        let rules: Rules = self.remembered.rules(&self.folder.catalog);
        self.core.handle_rules(rules, clock::now());
    }

    fn save_remembered(&self) {
        if let Err(error) = self.remembered.save() {
            self.note(Level::Error, error.to_string());
        }
    }

    fn tell_followers(&mut self) {
        for (content, told) in &mut self.follows {
            let holders = self.core.holders_of(content);
            if *told != holders {
                told.clone_from(&holders);
                self.to_transfers.send(TransfersInput::Holders { content: *content, holders });
            }
        }
    }

    fn tell_left(&self, peer: &PeerId, games: usize, lost: &[GameId]) {
        let name = self.name_of(peer);
        let (level, text) = match (games, lost) {
            (0, _) => return,
            (1, []) => (Level::Info, format!("The game that {name} had is still here from others.")),
            (_, []) => (Level::Info, format!("All {games} games that {name} had are still here from others.")),
            (_, [only]) => (Level::Warning, format!("Nobody here has {} any more; {name} did.", self.core.title(only))),
            (_, [first, ..]) => {
                let (first, more) = (self.core.title(first), lost.len() - 1);
                (Level::Warning, format!("Nobody here has {first} and {more} more games any more; {name} did."))
            }
        };
        self.note(level, text);
    }

    fn name_of(&self, peer: &PeerId) -> String {
        self.names.get(peer).map_or_else(|| peer.short(), ToString::to_string)
    }

    fn note(&self, level: Level, text: impl Into<String>) {
        self.context.teller.tell(level, EventKind::Note, text);
    }

    /// What a scan finds again and again is told once.
    fn note_once(&mut self, text: String) {
        if self.told.len() >= TOLD_MAX {
            self.told.clear();
        }
        if self.told.insert(text.clone()) {
            self.note(Level::Warning, text);
        }
    }

    fn show(&mut self, now: Instant) {
        let from = Sources {
            core: &self.core,
            catalog: &self.folder.catalog,
            installed: &self.installed,
            installing: &self.installing,
            install_failures: &self.install_failures,
            playing: &self.playing,
            played: &self.played,
            names: &self.names,
            places: &self.places,
        };
        let refreshed = self.rows.refresh(&from, now);
        self.shown.send_modify(|shown| {
            if let Some(games) = refreshed.games {
                shown.games = games;
            }
            if let Some(peers) = refreshed.peers {
                shown.peers = peers;
            }
        });
    }
}

/// Opens a game that did not change since it was found whole, for whoever asks for it.
fn opener(desk: &Desk, context: &Context) -> Opener {
    let desk = desk.clone();
    let open = move |game: &GameId, content: ContentId| {
        let recalled = || {
            let root = desk.libraries.open_root(game)?;
            let recalled = scan::recall(&root, &desk.index, game, content)?;
            Ok(recalled.map(|(held, bytes)| {
                let reader = RootReader::new(root, &held, &desk.files);
                Opened { manifest: held.manifest, manifest_bytes: bytes.into(), reader, have: held.chunks }
            }))
        };
        recalled().unwrap_or_else(|error: DiskError| {
            tracing::debug!(%error, %game, "a game on the shelf cannot be opened");
            None
        })
    };
    Opener::new(context.pool.clone(), context.inputs.library.clone(), open)
}

/// Whether a face asks for something, as opposed to a fact that another actor tells.
fn is_command(input: &LibraryInput) -> bool {
    match input {
        LibraryInput::Get { .. }
        | LibraryInput::Add { .. }
        | LibraryInput::Remove { .. }
        | LibraryInput::Install { .. }
        | LibraryInput::Uninstall { .. }
        | LibraryInput::Move { .. }
        | LibraryInput::Play { .. }
        | LibraryInput::Verify { .. }
        | LibraryInput::Manifest { .. }
        | LibraryInput::Without { .. }
        | LibraryInput::Compare { .. }
        | LibraryInput::Space { .. }
        | LibraryInput::Free { .. }
        | LibraryInput::Pin { .. }
        | LibraryInput::Trust { .. }
        | LibraryInput::Rescan { .. } => true,
        // A transfer can be cancelled at any time.
        LibraryInput::Cancel { .. }
        | LibraryInput::PeerUp { .. }
        | LibraryInput::PeerLink { .. }
        | LibraryInput::PeerDown { .. }
        | LibraryInput::Summary { .. }
        | LibraryInput::Delta { .. }
        | LibraryInput::SnapshotWanted { .. }
        | LibraryInput::OwnChunkBad { .. }
        | LibraryInput::OwnChanged { .. }
        | LibraryInput::Growing { .. }
        | LibraryInput::NotGrowing { .. }
        | LibraryInput::Committed { .. }
        | LibraryInput::ThenInstall { .. }
        | LibraryInput::Looked { .. }
        | LibraryInput::Follow { .. }
        | LibraryInput::Unfollow { .. } => false,
    }
}

fn answer(reply: ReplyTo, result: Result<Reply, CommandError>) {
    // A face that stopped waiting dropped its end.
    let _ = reply.send(result);
}

async fn next_change(watch: &mut Option<Watch>) -> Option<Changed> {
    match watch {
        Some(watch) => watch.next().await,
        None => std::future::pending().await,
    }
}
