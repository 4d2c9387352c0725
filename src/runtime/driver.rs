//! Starts the runtime on a thread of its own, carries commands of the faces to the actors, joins what
//! the actors show into one snapshot, and stops everything in order. One owner from the first step to
//! the last: a start and a stop never meet. Decides nothing about games, peers or transfers.

mod compose;
mod grounds;
mod life;
mod limiting;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio::sync::{mpsc, oneshot};

use self::{
    grounds::{Down, Grounds},
    life::Life,
    limiting::Limited,
};
use super::{
    context::Context,
    doctor::Doctor,
    error::StartError,
    input::{self, Inputs, LibraryInput, LinksInput, TransfersInput},
    tasks::{self, Failure, Tasks, Then},
    view::Shows,
};
use crate::{
    api::{
        self, Call, Command, CommandError, ErrorCode, EventKind, Figures, Handle, Level, Phase, Queue, Reason, Reply,
        Snapshot, Totals,
    },
    config::{self, Settings},
    logging,
};

/// Snapshots a second at most: what an eye can follow, and little work with 10,000 games.
const SNAPSHOT_PAUSE: Duration = Duration::from_millis(66);

/// A runtime that has not begun: whoever wants every change of its phase listens from here.
pub struct Prepared {
    settings: Arc<Settings>,
    life: Life,
}

/// A runtime on its thread. Dropping it without [`Self::stop`] stops it too, but does not wait.
#[derive(Debug)]
pub struct Runtime {
    tasks: Tasks,
    started: Option<oneshot::Receiver<Result<(), StartError>>>,
    ended: oneshot::Receiver<Down>,
    log: std::path::PathBuf,
}

/// Starts a runtime and returns once it listens. `Handle` ends are for the faces.
pub async fn start(settings: Settings) -> Result<(Handle, Runtime), StartError> {
    let (handle, prepared) = prepare(settings);
    let mut runtime = prepared.begin()?;
    runtime.started().await?;
    Ok((handle, runtime))
}

/// A runtime that can be listened to and has not begun.
#[must_use]
pub fn prepare(settings: Settings) -> (Handle, Prepared) {
    let me = life::unborn(&settings);
    let limited = Limited::new(settings.up_limit, settings.down_limit);
    let first = Snapshot {
        me: Arc::new(me.clone()),
        totals: Arc::new(limited.shown_in(Totals::default())),
        ..Snapshot::default()
    };
    let (handle, end) = api::channel(first);
    (handle, Prepared { settings: Arc::new(settings), life: Life::new(me, end) })
}

impl Prepared {
    /// Begins on a thread of its own.
    pub fn begin(self) -> Result<Runtime, StartError> {
        let Self { settings, life } = self;
        let (first, started) = oneshot::channel();
        let (end_sender, ended) = oneshot::channel();
        let (tasks, failures) = Tasks::new();
        let log = settings.places.log.clone();
        let thread = Thread { settings, life, tasks: tasks.clone(), failures };
        tasks::start_thread("potluck-runtime", move || {
            let down = thread.run(first);
            // Nobody waits when the face is gone, and that is fine.
            let _ = end_sender.send(down);
        })
        .map_err(|source| StartError::Thread { source })?;
        Ok(Runtime { tasks, started: Some(started), ended, log })
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("me", &self.life.me).finish_non_exhaustive()
    }
}

impl Runtime {
    /// Waits until it listens, or has failed and given back all it had taken. Whoever stops waiting
    /// stops the start.
    pub async fn started(&mut self) -> Result<(), StartError> {
        let Some(started) = self.started.take() else { return Ok(()) };
        started.await.unwrap_or_else(|_| Err(StartError::Ended { log: self.log.clone() }))
    }

    /// Begins what [`Self::stop`] waits for.
    pub fn begin_stop(&self) {
        self.tasks.cancelled().cancel();
    }

    /// Says goodbye to everybody, saves, and returns when every task has ended. A start under way is
    /// waited for until it notices.
    pub async fn stop(self) {
        self.wind_down().await;
    }

    async fn wind_down(self) -> Down {
        self.begin_stop();
        // An error says that the thread is gone, which is what is waited for.
        self.ended.await.unwrap_or_default()
    }

    /// Waits until the runtime has ended by itself or by [`Command::Stop`].
    pub async fn ended(&mut self) {
        // As above: gone is gone.
        let _ = (&mut self.ended).await;
    }
}

/// What the runtime's thread begins with.
struct Thread {
    settings: Arc<Settings>,
    life: Life,
    tasks: Tasks,
    failures: mpsc::Receiver<Failure>,
}

impl Thread {
    /// Runs the whole runtime; `first` is told when it listens, or why it does not.
    fn run(mut self, first: oneshot::Sender<Result<(), StartError>>) -> Down {
        let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match built {
            Ok(tokio) => tokio.block_on(self.serve(first)),
            Err(source) => {
                let error = StartError::Thread { source };
                self.life.fail(error.reason(), error.to_string());
                // Nobody waits when the face is gone, and that is fine.
                let _ = first.send(Err(error));
                Down::default()
            }
        }
    }

    async fn serve(self, first: oneshot::Sender<Result<(), StartError>>) -> Down {
        let Self { settings, mut life, tasks, mut failures } = self;
        let mut grounds = Grounds::new(Arc::clone(&settings), tasks.clone());
        life.enter(Phase::Binding);
        let wanted = || !tasks.cancelled().is_cancelled() && !first.is_closed();
        let (context, shows) = match grounds.take_all(&mut life, wanted) {
            Ok(taken) => taken,
            Err(error) => {
                tasks.cancelled().cancel();
                let down = grounds.give_back().await;
                // The last word, when everything can be had again.
                life.fail(error.reason(), error.to_string());
                // Nobody waits when the face is gone, and that is fine.
                let _ = first.send(Err(error));
                return down;
            }
        };
        if first.send(Ok(())).is_err() {
            tasks.cancelled().cancel();
        }
        let limited = Limited::new(settings.up_limit, settings.down_limit);
        let mut driver = Driver {
            context,
            life,
            limited,
            shows,
            restarts: 0,
            failure: None,
            doctor: Doctor::default(),
            stopped: None,
        };
        driver.run(&mut failures).await;
        driver.stop(grounds).await
    }
}

struct Driver {
    context: Context,
    life: Life,
    limited: Limited,
    shows: Shows,
    /// Services that were started again.
    restarts: u64,
    /// Why it has to end.
    failure: Option<String>,
    doctor: Doctor,
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
                Some(call) = self.life.end.commands.recv() => self.carry(call).await,
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
        let teller = &self.life.teller;
        match failure.then {
            Then::Restarting => {
                self.restarts += 1;
                teller.tell(Level::Warning, EventKind::Note, format!("{failure}; it starts again"));
            }
            Then::GivenUp => {
                teller.tell(Level::Error, EventKind::Note, format!("{failure}; the rest goes on without it"));
            }
            Then::RuntimeFailed => {
                let kind = EventKind::RuntimeFailed { service: failure.name.to_owned() };
                let text = format!("{failure}; potluck has to end");
                teller.tell(Level::Error, kind, text.clone());
                self.failure.get_or_insert(text);
            }
        }
    }

    fn show(&mut self) {
        if self.life.me.phase == Phase::Scanning && self.shows.library.borrow().scanned {
            // The room is told by the links as they come, and nobody waits for that.
            self.life.enter(Phase::Announcing);
            self.life.enter(Phase::Serving);
        }
        self.life.me.log.lost = logging::dropped();
        let before = self.life.end.snapshots.borrow().clone();
        let next = compose::snapshot(&before, &self.life.me, &self.limited, &mut self.shows);
        if !next.parts_since(&before).is_empty() {
            self.life.publish(next);
        }
    }

    /// Hands a command to the actor whose business it is. The actor answers the face itself.
    async fn carry(&mut self, call: Call) {
        let Call { command, reply } = call;
        let inputs = &self.context.inputs;
        let delivered = match command {
            Command::Get(request) => library_input(inputs, LibraryInput::Get { request, reply }).await,
            Command::Add { path, .. } if path.is_relative() => {
                let shown = crate::types::clean(&path.display().to_string(), 200);
                let message = format!("write the path of `{shown}` from the root, like /srv/new/xonotic");
                answer(reply, Err(CommandError::new(ErrorCode::Usage, message)))
            }
            Command::Add { path, id, version, title, take } => {
                library_input(inputs, LibraryInput::Add { path, id, version, title, take, reply }).await
            }
            Command::Remove { game } => library_input(inputs, LibraryInput::Remove { game, reply }).await,
            Command::Install { game, drop_archives } => {
                library_input(inputs, LibraryInput::Install { game, drop_archives, reply }).await
            }
            Command::Uninstall { game, last } => {
                library_input(inputs, LibraryInput::Uninstall { game, last, reply }).await
            }
            Command::Move { game, library } => library_input(inputs, LibraryInput::Move { game, library, reply }).await,
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
                library_input(inputs, LibraryInput::Cancel { game, discard, reply }).await
            }
            Command::Map(request) => transfers_input(inputs, TransfersInput::Map { request, reply }).await,
            Command::Reorder { game, by } => transfers_input(inputs, TransfersInput::Reorder { game, by, reply }).await,
            Command::Connect { addr } => links_input(inputs, LinksInput::Connect { addr, reply: Some(reply) }).await,
            Command::Block { peer, block } => links_input(inputs, LinksInput::Block { peer, block, reply }).await,
            Command::Limit { peer, up, down } => self.limit(peer.as_deref(), (up, down), reply).await,
            Command::Quiet { on } => self.quiet(on, reply).await,
            Command::Figures => answer(reply, Ok(Reply::Figures(self.figures()))),
            Command::Config => {
                answer(reply, Ok(Reply::Config { config: config::effective_json(&self.context.settings) }))
            }
            Command::LogLevel { level } => {
                let result = self.set_log_level(&level);
                answer(reply, result)
            }
            Command::Doctor => {
                let live = self.life.end.snapshots.borrow().clone();
                self.doctor.order(&self.context.settings, live, reply);
                true
            }
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

    /// Goodbye, save, end; then the last word, and the answer to `Stop`.
    async fn stop(self, grounds: Grounds) -> Down {
        let Self { context, mut life, shows, failure, stopped, .. } = self;
        life.enter(Phase::Stopping);
        context.tasks.cancelled().cancel();
        // Nothing of what is given back is held here.
        drop((context, shows));
        let down = grounds.give_back().await;
        match failure {
            Some(failure) => life.fail(Reason::ServiceFailed, failure),
            None => life.enter(Phase::Idle),
        }
        // Whoever asked for it while it was under way has it too.
        life.end.commands.close();
        let again = std::iter::from_fn(|| life.end.commands.try_recv().ok());
        let again = again.filter(|call| call.command == Command::Stop).map(|call| call.reply);
        for reply in stopped.into_iter().chain(again) {
            answer(reply, Ok(Reply::Done { message: "potluck has stopped.".to_owned() }));
        }
        down
    }

    fn set_log_level(&mut self, level: &str) -> Result<Reply, CommandError> {
        logging::set_level(level).map_err(|error| CommandError::new(ErrorCode::Usage, error.to_string()))?;
        level.trim().clone_into(&mut self.life.me.log.level);
        self.show();
        Ok(Reply::Done { message: format!("The log has `{level}` from now on.") })
    }

    fn figures(&self) -> Figures {
        let Context { counters, inputs, pool, tasks, .. } = &self.context;
        let commands = &self.life.end.commands;
        let queues = [
            ("commands", commands.len(), commands.max_capacity()),
            waiting("links", &inputs.links),
            waiting("library", &inputs.library),
            waiting("transfers", &inputs.transfers),
            waiting("serving", &inputs.serving),
            ("disk", pool.waiting(), grounds::POOL_QUEUE_MAX),
        ];
        let queue = |(name, depth, max): (&str, usize, usize)| Queue {
            name: name.to_owned(),
            depth: depth as u64,
            max: max as u64,
        };
        Figures {
            bytes_in: counters.bytes_in.read(),
            bytes_out: counters.bytes_out.read(),
            chunks_in: counters.chunks_in.read(),
            chunks_out: counters.chunks_out.read(),
            bad_chunks_in: counters.bad_chunks_in.read(),
            bad_chunks_here: counters.bad_chunks_here.read(),
            installs_done: counters.installs_done.read(),
            installs_failed: counters.installs_failed.read(),
            restarts: self.restarts,
            queues: queues.map(queue).into(),
            events_dropped: self.life.end.dropped.load(std::sync::atomic::Ordering::Relaxed),
            log_dropped: logging::dropped(),
            tasks: tasks.count() as u64,
        }
    }
}

/// What waits for an actor, by its name.
fn waiting<T>(name: &'static str, inbox: &mpsc::Sender<T>) -> (&'static str, usize, usize) {
    (name, inbox.max_capacity() - inbox.capacity(), inbox.max_capacity())
}

/// Always true: the command was delivered.
fn answer(reply: input::ReplyTo, result: Result<Reply, CommandError>) -> bool {
    // A face that no longer waits dropped its end.
    let _ = reply.send(result);
    true
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
