//! The screen: over the runtime that holds the home, over one of its own, or over the demo's. Asks
//! once where games go. One of its own runs behind the process the shell waits for, so that it can go
//! on when the screen is left.

use std::path::{Path, PathBuf};

use super::{
    Console, Exit, Launcher, Purpose, ScreenEnd, ScreenOver,
    exit::Failure,
    serve::ended,
    session::{Interrupt, Reached, Session, attach_or_start},
};
use crate::{
    config::{self, LibraryFolder, Origin, Settings},
    control::client,
};

pub(super) async fn run(settings: &Settings, launcher: &impl Launcher, console: &mut Console) -> Result<Exit, Failure> {
    needs_terminal(console)?;
    let looks = launcher.looks(settings).map_err(Failure::usage)?;
    let mut settings = settings.clone();
    if !launcher.is_behind() && !runs(&settings).await {
        if is_first_start(&settings) && !ask_for_library(&mut settings, &looks, launcher).await? {
            return Ok(Exit::Done);
        }
        let ended = launcher.stand_in_front().await;
        return ended.map(Exit::Behind).map_err(|message| Failure::new(Exit::Failed, message));
    }
    let (session, over) = match attach_or_start(&settings, launcher, Purpose::Screen).await? {
        Reached::Attached(session) => (session, ScreenOver::Attached),
        Reached::Started(session) => (session, ScreenOver::Own),
    };
    show(session, &looks, launcher, over).await
}

pub(super) async fn demo(
    settings: &Settings,
    peers: Option<u8>,
    launcher: &impl Launcher,
    console: &mut Console,
) -> Result<Exit, Failure> {
    needs_terminal(console)?;
    let looks = launcher.looks(settings).map_err(Failure::usage)?;
    let running = launcher.demo(settings.clone(), peers).await?;
    show(Session::own(running, settings), &looks, launcher, ScreenOver::Demo).await
}

async fn show<L: Launcher>(
    session: Session,
    looks: &L::Looks,
    launcher: &L,
    over: ScreenOver,
) -> Result<Exit, Failure> {
    let screen = async |session: &Session| match launcher.screen(looks, session.handle.clone(), over).await {
        Ok(ScreenEnd::Left) => Ok(Exit::Done),
        Ok(ScreenEnd::Background) => stay(session, launcher).await,
        Err(message) => Err(Failure::new(Exit::Failed, message)),
    };
    session.during(screen).await
}

/// Goes on without the screen, until told to end.
async fn stay(session: &Session, launcher: &impl Launcher) -> Result<Exit, Failure> {
    // From before the shell may send one.
    let mut interrupt = Interrupt::new()?;
    launcher.go_to_background().map_err(|message| Failure::new(Exit::Failed, message))?;
    tokio::select! {
        biased;
        () = interrupt.wait() => {}
        _me = ended(session.handle.clone()) => {}
    }
    Ok(Exit::Done)
}

fn needs_terminal(console: &Console) -> Result<(), Failure> {
    if console.out_is_terminal && console.can_ask {
        return Ok(());
    }
    let message = "the screen needs a terminal; `potluck serve` runs without one, `potluck --help` lists the commands";
    Err(Failure::new(Exit::Refused, message))
}

fn is_first_start(settings: &Settings) -> bool {
    *settings.origin("library") == Origin::Default && !settings.library().exists()
}

async fn runs(settings: &Settings) -> bool {
    client::snapshot(&settings.places.socket).await.is_ok()
}

/// The answer is remembered in the config file, so that it is asked only once. False when the user
/// would rather not start.
async fn ask_for_library<L: Launcher>(
    settings: &mut Settings,
    looks: &L::Looks,
    launcher: &L,
) -> Result<bool, Failure> {
    let asked = launcher.ask_library(settings, free_below, make, looks).await;
    let Some(answer) = asked.map_err(|message| Failure::new(Exit::Failed, message))? else { return Ok(false) };
    let chosen = folder(&answer)?;
    config::remember_library(settings, &chosen)?;
    settings.libraries = vec![LibraryFolder::new(chosen)];
    Ok(true)
}

fn folder(text: &str) -> Result<PathBuf, Failure> {
    let text = text.trim();
    let is_path = text.starts_with(['/', '~', '.']);
    if !is_path {
        return Err(Failure::usage(format!("`{text}` is no folder; write it from the root, like /srv/games")));
    }
    config::folder(text).map_err(Failure::usage)
}

/// Makes the folder games go to.
fn make(path: &Path) -> Result<(), String> {
    std::fs::create_dir_all(path).map_err(|error| format!("cannot make {}: {error}", path.display()))
}

/// Bytes free where `path` would be made.
fn free_below(path: &Path) -> Option<u64> {
    let existing = path.ancestors().find(|ancestor| ancestor.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?; // Then the question goes without it.
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
