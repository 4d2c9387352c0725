//! `serve`: the runtime without a screen, until it is told to end.

use std::{convert::Infallible, future::pending, sync::Arc};

use tokio::time::{Duration, Instant, sleep};

use super::{
    Console, Exit, LaunchError, Launcher, Purpose, Running,
    exit::Failure,
    session::{HELD_TIME, Interrupt, Session, say_where_games_go},
    words,
};
use crate::{
    api::{Command, Handle, MeView, Snapshot},
    config::Settings,
};

/// Between two tries while a short command still holds the home.
const HELD_PAUSE: Duration = Duration::from_millis(100);
/// Signs of life in the time after which a manager would miss them: as systemd asks for, and one may be late.
const SIGNS_IN_PATIENCE: u32 = 2;
/// Between two words to the service manager.
const STATUS_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(settings: &Settings, launcher: &impl Launcher, console: &mut Console) -> Result<Exit, Failure> {
    // Before the start, so that a signal during it ends the runtime in order.
    let mut interrupt = Interrupt::new()?;
    say_where_games_go(settings, console);
    let running = tokio::select! {
        biased;
        started = start(settings, launcher) => started?,
        () = interrupt.wait() => return Ok(Exit::Done),
    };
    let serving = async |session: &Session| {
        let me = session.snapshot().me.clone();
        let addr = me.listen.first().map_or("nowhere", String::as_str);
        console.say(&format!("listening on {addr} as {}", me.peer))?;
        launcher.tell_manager(&format!("READY=1\nSTATUS={}\n", status(&session.snapshot())));
        let ended = tokio::select! {
            biased;
            () = interrupt.wait() => Ok(Exit::Done),
            never = keep_told(session.handle.clone(), launcher) => match never {},
            never = show_life(&session.handle, launcher) => match never {},
            me = ended(session.handle.clone()) => match me.error.clone() {
                Some(error) => Err(Failure::new(Exit::Failed, format!("{error}; the log says more"))),
                None => Ok(Exit::Done),
            },
        };
        launcher.tell_manager("STOPPING=1\nSTATUS=ending\n");
        ended
    };
    Session::own(running, settings).during(serving).await
}

async fn start(settings: &Settings, launcher: &impl Launcher) -> Result<Running, LaunchError> {
    let deadline = Instant::now() + HELD_TIME;
    loop {
        match launcher.start(settings.clone(), Purpose::Serve).await {
            Err(LaunchError::Held { .. }) if Instant::now() < deadline => sleep(HELD_PAUSE).await,
            other => return other,
        }
    }
}

/// Tells the service manager what changes, for as long as the future is polled.
async fn keep_told(mut handle: Handle, launcher: &impl Launcher) -> Infallible {
    let mut told = status(&handle.snapshot());
    while handle.changed().await.is_ok() {
        let now = status(&handle.snapshot());
        if now != told {
            launcher.tell_manager(&format!("STATUS={now}\n"));
            told = now;
        }
        sleep(STATUS_PAUSE).await;
    }
    // How it ended is seen by whoever waits for that.
    pending().await
}

/// Tells a service manager that waits for it that the runtime answers, for as long as it does.
async fn show_life(handle: &Handle, launcher: &impl Launcher) -> Infallible {
    let Some(patience) = launcher.manager_patience() else { return pending().await };
    loop {
        // Counting is done by the thread that everything else waits for, and behind every command that came before.
        if handle.call(Command::Figures).await.is_ok() {
            launcher.tell_manager("WATCHDOG=1\n");
        }
        sleep(patience / SIGNS_IN_PATIENCE).await;
    }
}

/// A line for `systemctl status`.
fn status(snapshot: &Snapshot) -> String {
    let (games, peers) = (snapshot.games.len() as u64, u64::from(snapshot.totals.peers));
    let mut line = format!(
        "{}; {}, {}",
        words::phase(snapshot.me.phase),
        words::count(games, "game"),
        words::count(peers, "peer")
    );
    if !snapshot.transfers.is_empty() {
        line += &format!(", {}", words::count(snapshot.transfers.len() as u64, "transfer"));
    }
    line
}

/// Waits until the runtime has ended by itself; what it said last.
pub(super) async fn ended(mut handle: Handle) -> Arc<MeView> {
    while handle.changed().await.is_ok() {}
    Arc::clone(&handle.snapshot().me)
}
