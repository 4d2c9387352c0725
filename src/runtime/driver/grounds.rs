//! What a runtime stands on, taken step by step and given back in reverse. A start that fails and a
//! stop are the same way down: every step is undone although one fails, within a time of its own.

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use super::life::Life;
use crate::{
    api::{EventKind, Level, Phase},
    config::{LibraryFolder, Origin, Settings},
    io::{
        disk::{Libraries, LibraryError, Place},
        identity::Identity,
        index::Index,
        interfaces::Interfaces,
        lock::{LockError, LockFile},
        quic::{Endpoint, Incoming, Listen},
        random,
        store::OpenFiles,
    },
    runtime::{
        context::Context,
        counters::Counters,
        discovery,
        error::StartError,
        input, library, links, serving,
        shelf::Shelf,
        tasks::{Policy, Pool, Tasks},
        transfers,
        view::{self, Shows},
    },
};

/// How long the services have to say goodbye and to save.
const SERVICES_TIME: Duration = Duration::from_millis(1_500);
/// The whole way down.
const DOWN_TIME: Duration = Duration::from_millis(1_900);
/// What each step has at least, also when those before it took all the time.
const STEP_TIME: Duration = Duration::from_millis(20);
/// How often restartable services are started again, and after what pause.
const RESTART: Policy = Policy::Restart { after: Duration::from_secs(2), times: 100 };
/// Jobs waiting for a disk thread; whoever has one more waits.
pub(super) const POOL_QUEUE_MAX: usize = 256;

/// A step of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The folders of ours.
    Folders,
    /// One runtime a home.
    Home,
    /// The library's folders, and one home each.
    Library,
    /// The catalog, and the threads that hash.
    Catalog,
    /// The key.
    Identity,
    /// The sockets peers come to.
    Listener,
    /// The threads that read and write chunks.
    Disk,
    /// What is known of files.
    Index,
    /// The actors.
    Services,
}

impl Step {
    /// All, in the order of a start.
    pub(super) const ALL: [Self; 9] = [
        Self::Folders,
        Self::Home,
        Self::Library,
        Self::Catalog,
        Self::Identity,
        Self::Listener,
        Self::Disk,
        Self::Index,
        Self::Services,
    ];
}

/// What has been taken.
pub(super) struct Grounds {
    settings: Arc<Settings>,
    tasks: Tasks,
    taken: Vec<Step>,
    home_lock: Option<LockFile>,
    libraries: Option<Arc<Libraries>>,
    folder: Option<library::Folder>,
    identity: Option<Identity>,
    listener: Option<(Endpoint, Incoming)>,
    pool: Option<Pool>,
    index: Option<Arc<Index>>,
    running: Option<(Context, Shows)>,
    /// Threads still work on disk: nobody else may have the home and the library.
    disk_is_busy: bool,
}

/// The way down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Down {
    /// What was given back, in order.
    pub(super) undone: Vec<Step>,
    /// The first thing that went wrong.
    pub(super) trouble: Option<String>,
}

impl Grounds {
    pub(super) fn new(settings: Arc<Settings>, tasks: Tasks) -> Self {
        Self {
            settings,
            tasks,
            taken: Vec::new(),
            home_lock: None,
            libraries: None,
            folder: None,
            identity: None,
            listener: None,
            pool: None,
            index: None,
            running: None,
            disk_is_busy: false,
        }
    }

    /// Takes every step while `wanted`; what was taken before a failure is still held.
    pub(super) fn take_all(
        &mut self,
        life: &mut Life,
        wanted: impl Fn() -> bool,
    ) -> Result<(Context, Shows), StartError> {
        for step in Step::ALL {
            if !wanted() {
                return Err(StartError::Canceled);
            }
            self.take(step, life)?;
            self.taken.push(step);
        }
        self.running.clone().ok_or(StartError::Canceled)
    }

    fn take(&mut self, step: Step, life: &mut Life) -> Result<(), StartError> {
        let settings = Arc::clone(&self.settings);
        let places = &settings.places;
        if settings.fault.as_deref() == Some(&format!("start:{step:?}")) {
            return Err(StartError::Thread { source: std::io::Error::other("it was told to fail here") });
        }
        match step {
            Step::Folders => {
                for folder in [&places.state, &places.config] {
                    let failed = |source| StartError::Folder { path: folder.clone(), source };
                    std::fs::create_dir_all(folder).map_err(failed)?;
                }
            }
            Step::Home => {
                let failed = |error| match error {
                    LockError::Held { pid, .. } => StartError::HomeHeld { home: places.state.clone(), pid },
                    LockError::Io { path, source } => StartError::Lock { path, source },
                };
                self.home_lock = Some(LockFile::acquire(&places.state.join("lock")).map_err(failed)?);
            }
            Step::Library => self.libraries = Some(Arc::new(open_libraries(&settings)?)),
            Step::Catalog => self.folder = Some(library::Folder::prepare(&settings)?),
            Step::Identity => {
                let identity = Identity::load_or_create(&places.state.join("key"))?;
                life.me.peer = identity.peer_id().to_string();
                self.identity = Some(identity);
            }
            Step::Listener => {
                let Some(identity) = &self.identity else { return Err(StartError::Canceled) };
                let listen = settings.listen.map_or(Listen::Anywhere, Listen::At);
                let bound = Endpoint::bind(identity, listen, settings.links_max);
                let bound = bound.map_err(|source| StartError::Bind { listen: settings.listen, source })?;
                life.me.listen = listen_text(&bound.0);
                self.listener = Some(bound);
            }
            Step::Disk => {
                let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
                let queue = NonZeroUsize::new(POOL_QUEUE_MAX).expect("the queue's length is not zero");
                let pool = Pool::start("potluck-disk", threads, queue);
                self.pool = Some(pool.map_err(|source| StartError::Thread { source })?);
            }
            Step::Index => {
                let (index, trouble) = Index::open(&places.state.join("index.redb"), settings.library());
                if let Some(trouble) = trouble {
                    life.teller.tell(Level::Warning, EventKind::Note, trouble.to_string());
                }
                self.index = Some(Arc::new(index));
            }
            Step::Services => {
                life.enter(Phase::Scanning);
                self.running = self.run_services(life);
            }
        }
        Ok(())
    }

    fn run_services(&mut self, life: &Life) -> Option<(Context, Shows)> {
        let (inputs, outlets) = input::channels();
        let context = Context {
            settings: Arc::clone(&self.settings),
            me: self.identity.as_ref()?.peer_id(),
            nonce: random::instance_nonce(),
            inputs,
            teller: life.teller.clone(),
            tasks: self.tasks.clone(),
            pool: self.pool.clone()?,
            shelf: Shelf::default(),
            files: OpenFiles::default(),
            roots: Default::default(),
            libraries: self.libraries.clone()?,
            index: self.index.clone()?,
            doubts: watch::Sender::new(None),
            counters: Counters::default(),
        };
        let (endpoint, incoming) = self.listener.take()?;
        let folder = self.folder.take()?;
        let (shown, shows) = view::cells();
        let port = endpoint.local_addr().port();
        self.once("library", library::run(context.clone(), folder, outlets.library, shown.library));
        self.once("transfers", transfers::run(context.clone(), outlets.transfers, shown.transfers));
        self.once("serving", serving::run(context.clone(), outlets.serving, shown.serving));
        self.once("links", links::run(context.clone(), endpoint, incoming, outlets.links, shown.links));
        if context.settings.mdns {
            let context = context.clone();
            self.tasks.supervise("discovery", RESTART, move |cancel| discovery::run(context.clone(), port, cancel));
        }
        Some((context, shows))
    }

    /// Runs an actor that cannot be made a second time, because it owns its inbox.
    fn once<E: std::fmt::Display + Send + 'static>(
        &self,
        name: &'static str,
        actor: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let panics = self.settings.fault.as_deref() == Some(&format!("panic:{name}"));
        let actor = async move {
            assert!(!panics, "it was told to panic here");
            actor.await
        };
        let mut actor = Some(actor);
        self.tasks.supervise(name, Policy::Required, move |_| actor.take().expect("a required service is made once"));
    }

    /// Gives everything back, the last thing first; no step is left out.
    pub(super) async fn give_back(mut self) -> Down {
        let deadline = Instant::now() + DOWN_TIME;
        let mut down = Down::default();
        while let Some(step) = self.taken.pop() {
            let left = deadline.saturating_duration_since(Instant::now()).max(STEP_TIME);
            let undone = match step {
                // It keeps to a time of its own, and counts what it had to drop.
                Step::Services => self.undo(step).await,
                Step::Folders
                | Step::Home
                | Step::Library
                | Step::Catalog
                | Step::Identity
                | Step::Listener
                | Step::Disk
                | Step::Index => timeout(left, self.undo(step)).await.unwrap_or(Err("it took too long".to_owned())),
            };
            let told_to_fail = self.settings.fault.as_deref() == Some(&format!("stop:{step:?}"));
            let undone = if told_to_fail { Err("it was told to fail here".to_owned()) } else { undone };
            if let Err(trouble) = undone {
                let trouble = format!("giving back {step:?}: {trouble}");
                tracing::error!("at the end: {trouble}");
                self.disk_is_busy |= matches!(step, Step::Disk | Step::Catalog);
                down.trouble.get_or_insert(trouble);
            }
            down.undone.push(step);
        }
        down
    }

    async fn undo(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Folders | Step::Identity => {}
            // Where work on disk is not over, nobody else may have the home and the library before the process ends.
            Step::Home | Step::Library if self.disk_is_busy => {
                std::mem::forget((self.home_lock.take(), self.libraries.take()));
                return Err("work on disk is not over; it is held until the process ends".to_owned());
            }
            Step::Home => drop(self.home_lock.take()),
            Step::Library => {
                if let Some(libraries) = self.libraries.take() {
                    libraries.release();
                }
            }
            // Where the services had them, they have given them back themselves.
            Step::Catalog => {
                if let Some(folder) = self.folder.take() {
                    folder.close().await;
                }
            }
            Step::Listener => {
                if let Some((endpoint, incoming)) = self.listener.take() {
                    drop(incoming);
                    endpoint.close().await;
                }
            }
            Step::Disk => {
                if let Some(pool) = self.pool.take() {
                    pool.shutdown().await;
                }
            }
            Step::Index => drop(self.index.take()),
            Step::Services => {
                self.running = None;
                self.tasks.shutdown(SERVICES_TIME).await.map_err(|unfinished| unfinished.to_string())?;
            }
        }
        Ok(())
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
