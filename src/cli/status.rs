//! `status` and `stop`: the potluck that runs here. They never start one.

use std::{fs, path::Path, time::Duration};

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{Console, Exit, exit::Failure, words};
use crate::{
    api::{Command, LibraryView, Snapshot},
    config::Settings,
    control::client::{self, ClientError},
};

/// A stop takes at most 2 s, and its process a little longer.
const END_TIME: Duration = Duration::from_secs(5);
/// Between two looks at whether it has ended.
const END_PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn status(settings: &Settings, console: &mut Console) -> Result<Exit, Failure> {
    let snapshot = match client::snapshot(&settings.places.socket).await {
        Ok(snapshot) => snapshot,
        Err(error) if error.is_nobody() => return Err(Failure::new(Exit::NotFound, NOBODY)),
        Err(error) => return Err(error.into()),
    };
    if console.json {
        console.document(&snapshot.overview())?;
    } else {
        for line in lines(&snapshot) {
            console.say(&line)?;
        }
    }
    Ok(Exit::Done)
}

pub(super) const NOBODY: &str = "no potluck is running here; `potluck serve` or the screen starts one";

fn lines(snapshot: &Snapshot) -> Vec<String> {
    let (me, totals) = (&snapshot.me, &snapshot.totals);
    let phase = match &me.error {
        Some(error) => format!("has failed: {error}"),
        None => words::phase(me.phase).to_owned(),
    };
    let rate = |bps| if bps == 0 { "0 B/s".to_owned() } else { words::rate(bps) };
    let mut lines = vec![
        format!("{} {phase} ({}, version {}, process {})", me.name, me.peer, me.version, me.pid),
        format!("listening on {}", if me.listen.is_empty() { "nothing".to_owned() } else { me.listen.join(", ") }),
        format!("{} known", words::count(snapshot.games.len() as u64, "game")),
        format!(
            "{}, {}, down {}, up {}",
            words::count(totals.peers.into(), "peer"),
            words::count(snapshot.transfers.len() as u64, "transfer"),
            rate(totals.down_bps),
            rate(totals.up_bps),
        ),
    ];
    lines.extend(totals.libraries.iter().map(library));
    if !me.log.level.is_empty() {
        let lost = match me.log.lost {
            0 => String::new(),
            lines => format!("; {} lost, because the disk is slow", words::count(lines, "line")),
        };
        lines.push(format!("log at {}{lost}", me.log.level));
    }
    lines
}

/// A library, what is free in it, and what is wrong with it.
fn library(library: &LibraryView) -> String {
    let free = library.free.map_or_else(String::new, |bytes| format!(", {} free", words::size(bytes)));
    let kept = match library.min_free {
        0 => String::new(),
        bytes => format!(", of which {} stay free", words::size(bytes)),
    };
    let trouble = library.trouble.as_ref().map_or_else(String::new, |trouble| format!("; {trouble}"));
    format!("library {}: {}{free}{kept}{trouble}", library.path, words::count(library.games.into(), "game"))
}

pub(super) async fn stop(settings: &Settings, console: &mut Console) -> Result<Exit, Failure> {
    let socket = &settings.places.socket;
    let pid = match client::snapshot(socket).await {
        Ok(snapshot) => snapshot.me.pid,
        // What is wanted is so.
        Err(error) if error.is_nobody() => return say(console, "No potluck is running here."),
        Err(error) => return Err(error.into()),
    };
    match client::ask(socket, Command::Stop).await {
        Ok(answer) => drop(answer?),
        // It ended before it could answer, or somebody else told it to.
        Err(ClientError::Broken { .. }) => {}
        Err(error) if error.is_nobody() => {}
        Err(error) => return Err(error.into()),
    }
    let deadline = Instant::now() + END_TIME;
    while runs(pid) {
        if Instant::now() >= deadline {
            let message = format!("potluck was told to end, but process {pid} still runs");
            return Err(Failure::new(Exit::Failed, message));
        }
        sleep(END_PAUSE).await;
    }
    say(console, "potluck has ended.")
}

/// Whether the process is there and has not ended; one that nobody has waited for yet has no program any more.
fn runs(pid: u32) -> bool {
    fs::read_link(Path::new("/proc").join(pid.to_string()).join("exe")).is_ok()
}

fn say(console: &mut Console, message: &str) -> Result<Exit, Failure> {
    if console.json {
        console.document(&json!({ "reply": "done", "message": message }))?;
    } else {
        console.say(message)?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::{LogView, MeView};

    #[test]
    fn what_the_log_lost_is_said() {
        for (level, lost, said) in [
            ("info", 0, Some("log at info")),
            ("warn,potluck=debug", 1, Some("log at warn,potluck=debug; 1 line lost, because the disk is slow")),
            ("info", 1_200, Some("log at info; 1,200 lines lost, because the disk is slow")),
            ("", 0, None),
        ] {
            let me = MeView { log: LogView { level: level.into(), lost }, ..MeView::default() };
            let lines = lines(&Snapshot { me: Arc::new(me), ..Snapshot::default() });
            assert_eq!(lines.iter().map(String::as_str).find(|line| line.starts_with("log ")), said);
        }
    }
}
