//! `verify`: every file against the manifest, and with `--repair` the bad chunks from the room.

use serde_json::json;

use super::{
    Console, Exit,
    exit::Failure,
    get::{self, busy},
    orders::report,
    session::Session,
    words,
};
use crate::api::{Command, Reply, VerifyReport};

pub(super) async fn run(session: &Session, game: &str, repair: bool, console: &mut Console) -> Result<Exit, Failure> {
    if repair {
        session.gather().await;
    } else {
        session.scanned().await;
    }
    let reply = busy(session, Command::Verify { game: game.to_owned(), repair }, console).await?;
    let Reply::Verified(found) = reply else {
        report(&reply, console)?;
        return Ok(Exit::Done);
    };
    if !console.json {
        for path in &found.bad {
            console.say(&format!("bad: {path}"))?;
        }
        console.say(&sentence(&found))?;
    }
    let repaired = if found.repairing { Some(get::repaired(session, &found.game, console).await?) } else { None };
    let is_good = found.bad.is_empty() && found.bad_chunks == 0;
    let exit = repaired.unwrap_or(if is_good { Exit::Done } else { Exit::Failed });
    if console.json {
        let mut document =
            serde_json::to_value(&found).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
        document["repaired"] = json!(repaired == Some(Exit::Done));
        console.document(&document)?;
    } else if repaired == Some(Exit::Done) {
        console.say("Repaired.")?;
    }
    Ok(exit)
}

fn sentence(found: &VerifyReport) -> String {
    let all = format!("{}, {}", words::count(u64::from(found.files), "file"), words::size(found.size));
    if found.bad.is_empty() && found.bad_chunks == 0 {
        return format!("{} is as it should be: {all}.", found.game);
    }
    let bad = words::count(found.bad.len() as u64, "file");
    let chunks = words::count(u64::from(found.bad_chunks), "chunk");
    let more = if found.repairing { "Fetching them." } else { "`potluck verify --repair` fetches them." };
    format!("{}: {bad} bad, {chunks}, of {all}. {more}", found.game)
}
