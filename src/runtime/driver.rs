//! Starts the runtime on a thread of its own, carries commands of the faces to the actors, joins what
//! the actors show into one snapshot, and stops everything in order. Decides nothing about games,
//! peers or transfers.

mod compose;
mod limiting;

use std::{net::SocketAddr, num::NonZeroUsize, path::Path, sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot, watch};

use self::limiting::Limited;
use super::{
    context::Context,
    discovery,
    error::StartError,
    input::{self, Inputs, LibraryInput, LinksInput, Outlets, TransfersInput},
    library, links, serving,
    shelf::Shelf,
    tasks::{self, Failure, Policy, Pool, Tasks, Then},
    transfers,
    view::{self, Shows, Teller},
};
use crate::{
    api::{self, AfterGet, Call, Command, EventKind, Handle, HandleEnd, Level, MeView, Phase, Reply, Snapshot, Totals},
    config::{LibraryFolder, Origin, Settings},
    io::{
        clock,
        disk::{Libraries, LibraryError, Place},
        identity::Identity,
        index::Index,
        interfaces::Interfaces,
        lock::{LockError, LockFile},
        quic::{Endpoint, Incoming, Listen},
        random,
        store::OpenFiles,
    },
};

/// Snapshots a second at most: what an eye can follow, and little work with 10,000 games.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(66);
/// How long the actors have to say goodbye and to save; with the rest of a stop below 2 s.
const STOP_GRACE: Duration = Duration::from_millis(1_500);
/// How often restartable services are started again, and after what pause.
const RESTART: Policy = Policy::Restart { after: Duration::from_secs(2), times: 100 };
/// Jobs waiting for a disk thread; whoever has one more waits.
const POOL_QUEUE_MAX: usize = 256;

/// A running runtime. Dropping it without [`Self::stop`] stops it too, but does not wait.
#[derive(Debug)]
pub struct Runtime {
    tasks: Tasks,
    ended: oneshot::Receiver<()>,
}

/// Starts a runtime and returns once it listens. `Handle` ends are for the faces.
pub async fn start(settings: Settings) -> Result<(Handle, Runtime), StartError> {
    let settings = Arc::new(settings);
    let places = &settings.places;
    for folder in [&places.state, &places.config] {
        std::fs::create_dir_all(folder).map_err(|source| StartError::Folder { path: folder.clone(), source })?;
    }
    let home_lock = lock(&places.state.join("lock"), |pid| StartError::HomeHeld { home: places.state.clone(), pid })?;
    let libraries = Arc::new(open_libraries(&settings)?);
    let folder = library::Folder::prepare(&settings)?;
    let identity = Identity::load_or_create(&places.state.join("key"))?;
    let (first, started) = oneshot::channel();
    let (end_sender, ended) = oneshot::channel();
    let (tasks, failures) = Tasks::new();
    let thread = Thread {
        settings: Arc::clone(&settings),
        libraries: Arc::clone(&libraries),
        folder,
        identity,
        tasks: tasks.clone(),
        failures,
    };
    tasks::start_thread("potluck-runtime", move || {
        thread.run(first);
        // Held for as long as the runtime lives; released by the kernel when the process dies.
        libraries.release();
        drop(home_lock);
        // Nobody waits when the face is gone, and that is fine.
        let _ = end_sender.send(());
    })
    .map_err(|source| StartError::Thread { source })?;
    let handle = started.await.map_err(|_| StartError::Ended { log: settings.places.log.clone() })??;
    Ok((handle, Runtime { tasks, ended }))
}

impl Runtime {
    /// Says goodbye to everybody, saves, and returns when every task has ended.
    pub async fn stop(self) {
        self.tasks.cancelled().cancel();
        // An error says that the thread is gone, which is what is waited for.
        let _ = self.ended.await;
    }

    /// Waits until the runtime has ended by itself or by [`Command::Stop`].
    pub async fn ended(&mut self) {
        // As above: gone is gone.
        let _ = (&mut self.ended).await;
    }
}

/// The default library is made when it is missing; one that was named may be a disk that is not
/// mounted, and is not.
fn open_libraries(settings: &Settings) -> Result<Libraries, StartError> {
    let make = *settings.origin("library") == Origin::Default;
    let place =
        |library: &LibraryFolder| Place { path: library.path.clone(), min_free: library.min_free.as_bytes(), make };
    Libraries::open(settings.libraries.iter().map(place).collect()).map_err(|error| match error {
        LibraryError::Held { .. } => StartError::LibraryHeld(error),
        LibraryError::Missing { .. }
        | LibraryError::NotAFolder { .. }
        | LibraryError::Unreadable { .. }
        | LibraryError::NotCreated { .. }
        | LibraryError::Lock { .. }
        | LibraryError::Disk(_) => StartError::Library(error),
    })
}

fn lock(path: &Path, held: impl FnOnce(u32) -> StartError) -> Result<LockFile, StartError> {
    LockFile::acquire(path).map_err(|error| match error {
        LockError::Held { pid, .. } => held(pid),
        LockError::Io { path, source } => StartError::Lock { path, source },
    })
}

/// What the runtime's thread begins with.
struct Thread {
    settings: Arc<Settings>,
    libraries: Arc<Libraries>,
    folder: library::Folder,
    identity: Identity,
    tasks: Tasks,
    failures: mpsc::Receiver<Failure>,
}

impl Thread {
    /// Runs the whole runtime; `first` is told when it listens, or why it does not.
    fn run(self, first: oneshot::Sender<Result<Handle, StartError>>) {
        let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match built {
            Ok(tokio) => tokio.block_on(self.serve(first)),
            // Nobody waits when the face is gone, and that is fine.
            Err(source) => drop(first.send(Err(StartError::Thread { source }))),
        }
    }

    async fn serve(mut self, first: oneshot::Sender<Result<Handle, StartError>>) {
        let started = Started::new(&self.settings, &self.libraries, &self.identity, &self.tasks);
        let (started, handle) = match started {
            Ok(started) => started,
            Err(error) => {
                self.tasks.cancelled().cancel();
                return drop(first.send(Err(error)));
            }
        };
        let mut driver = started.spawn_actors(self.folder);
        if first.send(Ok(handle)).is_err() {
            self.tasks.cancelled().cancel();
        }
        driver.run(&mut self.failures).await;
        driver.stop().await;
    }
}

/// Everything bound and opened, nothing running yet.
struct Started {
    context: Context,
    outlets: Outlets,
    endpoint: Endpoint,
    incoming: Incoming,
    end: HandleEnd,
    me: MeView,
    limited: Limited,
}

impl Started {
    fn new(
        settings: &Arc<Settings>,
        libraries: &Arc<Libraries>,
        identity: &Identity,
        tasks: &Tasks,
    ) -> Result<(Self, Handle), StartError> {
        let listen = settings.listen.map_or(Listen::Anywhere, Listen::At);
        let (endpoint, incoming) =
            Endpoint::bind(identity, listen).map_err(|source| StartError::Bind { listen: settings.listen, source })?;
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let queue = NonZeroUsize::new(POOL_QUEUE_MAX).expect("the queue's length is not zero");
        let pool = Pool::start("potluck-disk", threads, queue).map_err(|source| StartError::Thread { source })?;
        let (inputs, outlets) = input::channels();
        let me = MeView {
            peer: identity.peer_id().to_string(),
            name: settings.name.clone(),
            listen: listen_text(&endpoint),
            library: settings.library().display().to_string(),
            home: settings.places.state.display().to_string(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            phase: Phase::Scanning,
            since_ms: clock::unix_ms(),
            mdns: settings.mdns,
            demo: settings.demo,
            after_get: if settings.install_after_get { AfterGet::Install } else { AfterGet::Nothing },
            away: false,
        };
        let limited = Limited::new(settings.up_limit, settings.down_limit);
        let first = Snapshot {
            me: Arc::new(me.clone()),
            totals: Arc::new(limited.shown_in(Totals::default())),
            ..Snapshot::default()
        };
        let (handle, end) = api::channel(first);
        let teller = Teller::new(end.events.clone());
        let (index, trouble) = Index::open(&settings.places.state.join("index.redb"), settings.library());
        if let Some(trouble) = trouble {
            teller.tell(Level::Warning, EventKind::Note, trouble.to_string());
        }
        let context = Context {
            settings: Arc::clone(settings),
            me: identity.peer_id(),
            nonce: random::instance_nonce(),
            inputs,
            teller,
            tasks: tasks.clone(),
            pool,
            shelf: Shelf::default(),
            files: OpenFiles::default(),
            libraries: Arc::clone(libraries),
            index: Arc::new(index),
            doubts: watch::Sender::new(None),
        };
        Ok((Self { context, outlets, endpoint, incoming, end, me, limited }, handle))
    }

    fn spawn_actors(self, folder: library::Folder) -> Driver {
        let Self { context, outlets, endpoint, incoming, end, me, limited } = self;
        let (shown, shows) = view::cells();
        let port = endpoint.local_addr().port();
        let tasks = &context.tasks;
        once(tasks, "library", library::run(context.clone(), folder, outlets.library, shown.library));
        once(tasks, "transfers", transfers::run(context.clone(), outlets.transfers, shown.transfers));
        once(tasks, "serving", serving::run(context.clone(), outlets.serving, shown.serving));
        once(tasks, "links", links::run(context.clone(), endpoint, incoming, outlets.links, shown.links));
        if context.settings.mdns {
            let context = context.clone();
            tasks.supervise("discovery", RESTART, move |cancel| discovery::run(context.clone(), port, cancel));
        }
        Driver { context, end, me, limited, shows, stopped: None }
    }
}

/// Runs an actor that cannot be made a second time, because it owns its inbox.
fn once<E: std::fmt::Display + Send + 'static>(
    tasks: &Tasks,
    name: &'static str,
    actor: impl Future<Output = Result<(), E>> + Send + 'static,
) {
    let mut actor = Some(actor);
    tasks.supervise(name, Policy::Required, move |_| actor.take().expect("a required service is made once"));
}

struct Driver {
    context: Context,
    end: HandleEnd,
    me: MeView,
    limited: Limited,
    shows: Shows,
    /// Answered when everything has stopped.
    stopped: Option<input::ReplyTo>,
}

impl Driver {
    async fn run(&mut self, failures: &mut mpsc::Receiver<Failure>) {
        let cancelled = self.context.tasks.cancelled().clone();
        let mut pause = tokio::time::interval(SNAPSHOT_PAUSE);
        pause.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = cancelled.cancelled() => break,
                Some(failure) = failures.recv() => self.failed(&failure),
                Some(call) = self.end.commands.recv() => self.carry(call).await,
                changed = any_changed(&mut self.shows) => {
                    if !changed {
                        break;
                    }
                    pause.tick().await;
                    self.keep_quiet_for_players().await;
                    self.show();
                }
            }
        }
        while let Ok(failure) = failures.try_recv() {
            self.failed(&failure);
        }
    }

    /// A service that ended is told to every face.
    fn failed(&mut self, failure: &Failure) {
        match failure.then {
            Then::Restarting => {
                self.context.teller.tell(Level::Warning, EventKind::Note, format!("{failure}; it starts again"));
            }
            Then::GivenUp => {
                self.context.teller.tell(
                    Level::Error,
                    EventKind::Note,
                    format!("{failure}; the rest goes on without it"),
                );
            }
            Then::RuntimeFailed => {
                self.me.phase = Phase::Error;
                self.show();
                let kind = EventKind::RuntimeFailed { service: failure.name.to_owned() };
                self.context.teller.tell(Level::Error, kind, format!("{failure}; potluck has to end"));
            }
        }
    }

    fn show(&mut self) {
        if self.me.phase == Phase::Scanning && self.shows.library.borrow().scanned {
            self.me.phase = Phase::Serving;
        }
        let before = self.end.snapshots.borrow().clone();
        let next = compose::snapshot(&before, &self.me, &self.limited, &mut self.shows);
        if !next.parts_since(&before).is_empty() {
            self.end.snapshots.send_replace(Arc::new(next));
        }
    }

    /// Hands a command to the actor whose business it is. The actor answers the face itself.
    async fn carry(&mut self, call: Call) {
        let Call { command, reply } = call;
        let inputs = &self.context.inputs;
        let delivered = match command {
            Command::Get(request) => library_input(inputs, LibraryInput::Get { request, reply }).await,
            Command::Add { path, id, version, title, take } => {
                library_input(inputs, LibraryInput::Add { path, id, version, title, take, reply }).await
            }
            Command::Remove { game } => library_input(inputs, LibraryInput::Remove { game, reply }).await,
            Command::Install { game } => library_input(inputs, LibraryInput::Install { game, reply }).await,
            Command::Uninstall { game } => library_input(inputs, LibraryInput::Uninstall { game, reply }).await,
            Command::Play { game, confirm } => library_input(inputs, LibraryInput::Play { game, confirm, reply }).await,
            Command::Verify { game, repair } => {
                library_input(inputs, LibraryInput::Verify { game, repair, reply }).await
            }
            Command::Manifest { game } => library_input(inputs, LibraryInput::Manifest { game, reply }).await,
            Command::Without { game } => library_input(inputs, LibraryInput::Without { game, reply }).await,
            Command::Compare { peer } => library_input(inputs, LibraryInput::Compare { peer, reply }).await,
            Command::Space => library_input(inputs, LibraryInput::Space { reply }).await,
            Command::Free { game, what } => library_input(inputs, LibraryInput::Free { game, what, reply }).await,
            Command::Pin { game, version } => {
                library_input(inputs, LibraryInput::Pin { game, version: Some(version), reply }).await
            }
            Command::Unpin { game } => library_input(inputs, LibraryInput::Pin { game, version: None, reply }).await,
            Command::Trust { peer, trust } => library_input(inputs, LibraryInput::Trust { peer, trust, reply }).await,
            Command::Rescan => library_input(inputs, LibraryInput::Rescan { reply }).await,
            Command::Pause { game } => transfers_input(inputs, TransfersInput::Pause { game, reply }).await,
            Command::Resume { game } => transfers_input(inputs, TransfersInput::Resume { game, reply }).await,
            Command::Cancel { game, discard } => {
                transfers_input(inputs, TransfersInput::Cancel { game, discard, reply }).await
            }
            Command::Map(request) => transfers_input(inputs, TransfersInput::Map { request, reply }).await,
            Command::Reorder { game, by } => transfers_input(inputs, TransfersInput::Reorder { game, by, reply }).await,
            Command::Connect { addr } => links_input(inputs, LinksInput::Connect { addr, reply: Some(reply) }).await,
            Command::Block { peer, block } => links_input(inputs, LinksInput::Block { peer, block, reply }).await,
            Command::Limit { peer, up, down } => self.limit(peer.as_deref(), (up, down), reply).await,
            Command::Quiet { on } => self.quiet(on, reply).await,
            Command::Stop => {
                self.stopped = Some(reply);
                self.context.tasks.cancelled().cancel();
                true
            }
        };
        // An actor that is gone dropped the reply, which the face sees as the runtime's end.
        if !delivered {
            tracing::debug!("a command came while its actor was ending");
        }
    }

    /// Goodbye, save, end; then the last snapshot and the answer to `Stop`.
    async fn stop(mut self) {
        if self.me.phase != Phase::Error {
            self.me.phase = Phase::Stopping;
        }
        self.show();
        if let Err(unfinished) = self.context.tasks.shutdown(STOP_GRACE).await {
            tracing::error!("at the end: {unfinished}");
        }
        self.context.pool.shutdown().await;
        if let Some(reply) = self.stopped.take() {
            // A face that no longer waits dropped its end.
            let _ = reply.send(Ok(Reply::Done { message: "potluck has stopped.".to_owned() }));
        }
    }
}

async fn library_input(inputs: &Inputs, input: LibraryInput) -> bool {
    inputs.library.send(input).await.is_ok()
}

async fn transfers_input(inputs: &Inputs, input: TransfersInput) -> bool {
    inputs.transfers.send(input).await.is_ok()
}

async fn links_input(inputs: &Inputs, input: LinksInput) -> bool {
    inputs.links.send(input).await.is_ok()
}

/// Waits until an actor shows something new; false when they are gone.
async fn any_changed(shows: &mut Shows) -> bool {
    let changed = tokio::select! {
        changed = shows.library.changed() => changed,
        changed = shows.transfers.changed() => changed,
        changed = shows.links.changed() => changed,
        changed = shows.serving.changed() => changed,
    };
    changed.is_ok()
}

/// The listener as people type it: with the address others most likely reach it at.
fn listen_text(endpoint: &Endpoint) -> Vec<String> {
    let local = endpoint.local_addr();
    if !local.ip().is_unspecified() {
        return vec![local.to_string()];
    }
    // Without a list of interfaces the port is still right.
    let primary = Interfaces::read().ok().and_then(|interfaces| interfaces.primary());
    let mut addrs: Vec<String> = primary.map(|ip| SocketAddr::new(ip, local.port()).to_string()).into_iter().collect();
    if addrs.is_empty() {
        addrs.push(local.to_string());
    }
    addrs
}
