//! Reaching a runtime: the one that holds the home, over its control socket, or one of our own that
//! ends with the command. Waits where a short command of somebody else is just ending.

use std::{cell::Cell, path::Path, pin::pin, time::Duration};

use futures::{
    FutureExt as _,
    future::{BoxFuture, FusedFuture as _},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep, timeout, timeout_at},
};

use super::{Console, Exit, LaunchError, Launcher, Purpose, Running, exit::Failure};
use crate::{
    api::{Command, Handle, Phase, Reply, Snapshot},
    config::{Origin, Settings},
    control::client,
};

/// A short command that holds the home ends within that; `serve` waits as long.
pub(super) const HELD_TIME: Duration = Duration::from_secs(5);
/// Between two tries.
const HELD_PAUSE: Duration = Duration::from_millis(100);
/// How long to look at the room where no runtime was running: mDNS answers within 2 s.
pub(super) const LOOK_TIME: Duration = Duration::from_secs(3);
/// The runtime bounds its own stop to 2 s; one that does not has to be left.
const STOP_TIME: Duration = Duration::from_secs(3);
/// A stop in a hurry: `get` ends at most 100 ms after its commit.
const HURRIED_STOP_TIME: Duration = Duration::from_millis(60);
/// A room that has said nothing new for so long is there.
const QUIET_TIME: Duration = Duration::from_millis(500);
/// The same where nobody is looked for by mDNS: whom those we dialled know, they say at once.
const QUIET_TIME_DIALLED: Duration = Duration::from_millis(100);

/// What it takes to reach a runtime.
pub(super) struct Reach<'a, L> {
    pub(super) settings: &'a Settings,
    pub(super) launcher: &'a L,
    /// Flags that a runtime that runs already does not take any more.
    pub(super) flags_given: Vec<&'static str>,
}

/// A runtime that was reached.
pub(super) struct Session {
    pub(super) handle: Handle,
    /// Whether it is ours and ends with us.
    pub(super) own: bool,
    /// Keeps an attached handle going, or the control socket of a runtime of our own.
    background: BoxFuture<'static, ()>,
    /// Stops a runtime of our own.
    stop: Option<BoxFuture<'static, ()>>,
    /// How long a stop may take before we leave.
    stop_time: Cell<Duration>,
    /// How long the room must be quiet to be all there.
    quiet_time: Duration,
    /// What the runtime is at because of this command, and would go on with if it did not end with us.
    at_work: Cell<Option<Work>>,
}

/// What a runtime goes on with when whoever asked for it leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// A transfer, which can be cancelled.
    Getting,
    /// One long order: to install, add, move, check or delete.
    Order,
}

impl<L: Launcher> Reach<'_, L> {
    /// Does `work` over whatever runtime there is; SIGINT and SIGTERM end it.
    pub(super) async fn over(
        &self,
        console: &mut Console,
        work: impl AsyncFnOnce(&Session, &mut Console) -> Result<Exit, Failure>,
    ) -> Result<Exit, Failure> {
        let session = self.session(console).await?;
        let mut interrupt = Interrupt::new()?;
        let until_interrupt = async |session: &Session| {
            let ended = tokio::select! {
                biased;
                result = work(session, console) => Some(result),
                () = interrupt.wait() => None,
            };
            ended.unwrap_or_else(|| {
                session.goes_on().into_iter().for_each(|words| console.note(words));
                Ok(Exit::Interrupted)
            })
        };
        session.during(until_interrupt).await
    }

    /// Attaches, or starts a runtime for this command.
    pub(super) async fn session(&self, console: &mut Console) -> Result<Session, Failure> {
        match attach_or_start(self.settings, self.launcher, Purpose::Command).await? {
            Reached::Attached(session) => {
                let snapshot = session.snapshot();
                let unheard = self.flags_given.iter().filter(|flag| !is_so_already(flag, self.settings, &snapshot));
                let flags = unheard.copied().collect::<Vec<_>>().join(", ");
                if !flags.is_empty() {
                    console.note(&format!("potluck is running here already, without {flags}; end it to change that."));
                }
                Ok(session)
            }
            Reached::Started(session) => {
                say_where_games_go(self.settings, console);
                Ok(session)
            }
        }
    }
}

/// Whether the runtime is as the flag wants it although it did not hear it.
fn is_so_already(flag: &str, settings: &Settings, snapshot: &Snapshot) -> bool {
    let me = &snapshot.me;
    match flag {
        "--library" => {
            let ours = settings.libraries.iter().map(|library| library.path.as_path());
            let theirs: Vec<&str> =
                (0..snapshot.totals.libraries.len().max(1) as u8).map(|place| snapshot.library_path(place)).collect();
            ours.clone().count() == theirs.len()
                && ours.zip(theirs).all(|(ours, theirs)| is_same_folder(ours, Path::new(theirs)))
        }
        "--name" => settings.name == me.name,
        "--listen" => settings.listen.is_some_and(|addr| me.listen.contains(&addr.to_string())),
        "--no-mdns" => settings.mdns == me.mdns,
        _others => false,
    }
}

/// The same folder by another path is the same.
fn is_same_folder(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Ok(_) | Err(_), _) => one == other,
    }
}

/// Where a library was not chosen, it is said once: when its folder does not exist yet.
pub(super) fn say_where_games_go(settings: &Settings, console: &mut Console) {
    if *settings.origin("library") == Origin::Default && !settings.library().exists() {
        console.note(&format!("Games go to {}; --library DIR is for another folder.", settings.library().display()));
    }
}

pub(super) enum Reached {
    Attached(Session),
    Started(Session),
}

/// Attaches to the runtime that holds the home, or starts one; while somebody else starts or ends
/// there, tries both again.
pub(super) async fn attach_or_start(
    settings: &Settings,
    launcher: &impl Launcher,
    purpose: Purpose,
) -> Result<Reached, Failure> {
    let deadline = Instant::now() + HELD_TIME;
    loop {
        let attached = match purpose {
            // Somebody looks at it, whatever becomes of the runtime.
            Purpose::Screen => client::attach_for_good(&settings.places.socket).await,
            Purpose::Serve | Purpose::Command => client::attach(&settings.places.socket).await,
        };
        match attached {
            // One that is ending answers no command any more; what follows it does.
            Ok(attached) if is_stopping(&attached.handle.snapshot()) && Instant::now() < deadline => {
                sleep(HELD_PAUSE).await;
                continue;
            }
            Ok(attached) => return Ok(Reached::Attached(Session::attached(attached))),
            Err(error) if error.is_nobody() => {}
            Err(error) => return Err(error.into()),
        }
        match launcher.start(settings.clone(), purpose).await {
            Ok(running) => return Ok(Reached::Started(Session::own(running, settings))),
            Err(LaunchError::Held { .. }) if Instant::now() < deadline => sleep(HELD_PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

impl Session {
    pub(super) fn attached(attached: client::Attached) -> Self {
        let stop_time = Cell::default();
        Self {
            handle: attached.handle,
            own: false,
            background: attached.run,
            stop: None,
            stop_time,
            quiet_time: QUIET_TIME,
            at_work: Cell::default(),
        }
    }

    pub(super) fn own(running: Running, settings: &Settings) -> Self {
        let stop_time = Cell::new(STOP_TIME);
        let quiet_time = if settings.mdns { QUIET_TIME } else { QUIET_TIME_DIALLED };
        Self {
            handle: running.handle,
            own: true,
            background: running.background,
            stop: Some(running.stop),
            stop_time,
            quiet_time,
            at_work: Cell::default(),
        }
    }

    /// Does `work` while the background runs, then ends a runtime of our own.
    pub(super) async fn during<T>(self, work: impl AsyncFnOnce(&Session) -> T) -> T {
        let Self { handle, own, background, stop, stop_time, quiet_time, at_work } = self;
        let nothing = Box::pin(std::future::pending());
        let session = Self { handle, own, background: nothing, stop: None, stop_time, quiet_time, at_work };
        let mut background = background.fuse();
        let result = {
            let mut work = pin!(work(&session));
            tokio::select! {
                biased;
                result = &mut work => result,
                // The handle says from now on that the runtime is gone, or nobody can attach any more.
                () = &mut background => work.await,
            }
        };
        if let Some(stop) = stop {
            let rest = async {
                // Answers that are under way are finished; a fused future that has ended never ends again.
                if !background.is_terminated() {
                    background.await;
                }
            };
            let both = async { tokio::join!(stop, rest) };
            // A stop that hangs is the runtime's to report; we leave in any case.
            let _ = timeout(session.stop_time.get(), both).await;
        }
        result
    }

    /// Goodbye is not awaited: for a command whose work is on disk already.
    pub(super) fn hurry(&self) {
        self.stop_time.set(HURRIED_STOP_TIME);
    }

    /// Notes what the runtime is at because of this command from now on.
    pub(super) fn is_at(&self, work: Option<Work>) {
        self.at_work.set(work);
    }

    /// What to say when this command is interrupted: what goes on without it in a runtime that is not ours.
    pub(super) fn goes_on(&self) -> Option<&'static str> {
        if self.own {
            return None;
        }
        self.at_work.get().map(|work| match work {
            Work::Getting => "It goes on in the potluck that runs here; potluck cancel GAME ends it.",
            Work::Order => "It goes on in the potluck that runs here.",
        })
    }

    pub(super) fn snapshot(&self) -> std::sync::Arc<Snapshot> {
        self.handle.snapshot()
    }

    pub(super) async fn call(&self, command: Command) -> Result<Reply, Failure> {
        Ok(self.handle.call(command).await?)
    }

    /// Looks at the room for exactly as long as the user said, else until a runtime of our own has
    /// had time to hear from everybody.
    pub(super) async fn look(&self, wait: super::args::Wait) {
        let time = match wait.seconds {
            Some(seconds) => Duration::from_secs(seconds.into()),
            None if self.own => LOOK_TIME,
            None => Duration::ZERO,
        };
        sleep(time).await;
    }

    /// Waits until a runtime of our own knows its library and the room: until somebody is there and
    /// nothing new was said for a while, at most [`LOOK_TIME`].
    pub(super) async fn gather(&self) {
        if !self.own {
            return;
        }
        let mut handle = self.handle.clone();
        let deadline = Instant::now() + LOOK_TIME;
        let mut seen = handle.snapshot();
        let mut quiet = Instant::now() + self.quiet_time;
        loop {
            let ready = !is_scanning(&seen) && seen.peers.iter().any(|peer| peer.online && peer.games > 0);
            let until = if ready { quiet.min(deadline) } else { deadline };
            match timeout_at(until, handle.changed()).await {
                Ok(Ok(now)) => {
                    if now.games != seen.games || now.peers.len() != seen.peers.len() {
                        quiet = Instant::now() + self.quiet_time;
                    }
                    seen = now;
                }
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    /// Waits until a runtime of our own knows its library, at most [`LOOK_TIME`].
    pub(super) async fn scanned(&self) {
        let mut handle = self.handle.clone();
        let scanned = async {
            let mut seen = handle.snapshot();
            while is_scanning(&seen) {
                match handle.changed().await {
                    Ok(now) => seen = now,
                    Err(_stopped) => return,
                }
            }
        };
        // Past that the runtime itself says what it does not know yet.
        let _ = timeout(LOOK_TIME, scanned).await;
    }
}

fn is_stopping(snapshot: &Snapshot) -> bool {
    matches!(snapshot.me.phase, Phase::Stopping | Phase::Error)
}

fn is_scanning(snapshot: &Snapshot) -> bool {
    snapshot.me.phase.is_starting()
}

/// SIGINT and SIGTERM, from the moment this is made.
pub(super) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    pub(super) fn new() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::Failed, format!("cannot listen for signals: {error}"));
        let interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let terminate = signal(SignalKind::terminate()).map_err(failed)?;
        Ok(Self { interrupt, terminate })
    }

    /// Returns at the next one.
    pub(super) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
