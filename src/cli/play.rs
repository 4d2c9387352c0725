//! `play`: shows what would run and asks, starts the game, and waits until it ends. It runs where the runtime does,
//! which need not be where this command was typed.

use serde_json::json;

use super::{Console, Exit, exit::Failure, session::Session};
use crate::api::{Command, ConfirmView, EventKind, Events, PlayingView, Reply};

/// How a game ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct End {
    code: Option<i32>,
    signal: Option<i32>,
    seconds: u64,
}

pub(super) async fn run(session: &Session, game: &str, yes: bool, console: &mut Console) -> Result<Exit, Failure> {
    session.scanned().await;
    // From before it runs: a game may end at once.
    let mut events = session.handle.events();
    let playing = match ask_to_play(session, game, Vec::new()).await? {
        Asked::Runs(playing) => playing,
        Asked::Confirm(ask) => {
            let Some(confirm) = confirmed(&ask, yes, console)? else { return Ok(Exit::Refused) };
            match ask_to_play(session, &ask.game, confirm).await? {
                Asked::Runs(playing) => playing,
                Asked::Confirm(_) => {
                    let message = format!("what {} would run has just changed; nothing was started", ask.title);
                    return Err(Failure::new(Exit::Refused, message));
                }
            }
        }
    };
    if !console.json {
        let PlayingView { title, pid, log, place, .. } = &playing;
        console.note(&format!("{title} runs {place}, process {pid}. Its output goes to {log}."));
    }
    let end = ended(session, &playing, &mut events).await?;
    report(&playing, end, console)
}

enum Asked {
    Runs(PlayingView),
    Confirm(ConfirmView),
}

async fn ask_to_play(session: &Session, game: &str, confirm: Vec<String>) -> Result<Asked, Failure> {
    let reply = session.call(Command::Play { game: game.to_owned(), confirm }).await?;
    if let Reply::Playing(playing) = reply {
        return Ok(Asked::Runs(playing));
    }
    let Reply::Confirm(ask) = reply else { return Err(Failure::other_answer()) };
    Ok(Asked::Confirm(ask))
}

/// The marks of what may run; `None` when the answer was no.
fn confirmed(ask: &ConfirmView, yes: bool, console: &mut Console) -> Result<Option<Vec<String>>, Failure> {
    let mut lines = vec![format!("For the first time {} runs {}, as the catalog says:", ask.title, ask.place)];
    for program in &ask.programs {
        lines.push(format!("  {}: {}", if program.setup { "once, to set it up" } else { "to play" }, program.shown));
    }
    if !yes && !console.can_ask {
        let message = format!("{}; nothing was started: say --yes to do it", lines.join("\n").replace("\n  ", " "));
        return Err(Failure::new(Exit::Refused, message));
    }
    for line in &lines {
        console.note(line);
    }
    if !yes && !console.agrees("Run it?")? {
        console.note("Nothing was started.");
        return Ok(None);
    }
    Ok(Some(ask.programs.iter().map(|program| program.mark.clone()).collect()))
}

/// Waits until it has ended; `None` when nobody knows how.
async fn ended(session: &Session, playing: &PlayingView, events: &mut Events) -> Result<Option<End>, Failure> {
    loop {
        match events.next().await {
            Ok(Ok(event)) => {
                if let EventKind::Played { game, pid, code, signal, seconds } = event.kind
                    && (&game, pid) == (&playing.game, playing.pid)
                {
                    return Ok(Some(End { code, signal, seconds }));
                }
            }
            Ok(Err(_missed)) => {
                let snapshot = session.snapshot();
                let game = snapshot.games.iter().find(|game| game.id == playing.game);
                if game.is_none_or(|game| game.playing_since_ms.is_none()) {
                    return Ok(None);
                }
            }
            Err(_stopped) => {
                let message = format!("potluck has ended; {} goes on", playing.title);
                return Err(Failure::new(Exit::Failed, message));
            }
        }
    }
}

fn report(playing: &PlayingView, end: Option<End>, console: &mut Console) -> Result<Exit, Failure> {
    let PlayingView { game, title, pid, log, place } = playing;
    let (code, signal) = end.map_or((None, None), |end| (end.code, end.signal));
    let exit = if signal.is_none() && code.unwrap_or_default() == 0 { Exit::Done } else { Exit::Failed };
    if console.json {
        let seconds = end.map(|end| end.seconds);
        console.document(&json!({
            "game": game, "title": title, "pid": pid, "log": log, "place": place,
            "code": code, "signal": signal, "seconds": seconds,
        }))?;
        return Ok(exit);
    }
    let how = match (code, signal) {
        (Some(code), _) => format!("with exit code {code}"),
        (None, Some(signal)) => format!("by signal {signal}"),
        (None, None) => "nobody knows how".to_owned(),
    };
    console.say(&format!("{title} has ended, {how}."))?;
    Ok(exit)
}
