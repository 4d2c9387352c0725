//! `manifest`: the manifest as it is stored, so that its hash is the ContentId, or as lines for
//! `b3sum --check`.

use serde_json::{Value, json};

use super::{Console, Exit, exit::Failure, orders::report, session::Session};
use crate::api::{Command, Reply};

pub(super) async fn run(session: &Session, game: String, b3sum: bool, console: &mut Console) -> Result<Exit, Failure> {
    session.scanned().await;
    let reply = session.call(Command::Manifest { game }).await?;
    let Reply::Manifest { game, content, files, json } = reply else {
        report(&reply, console)?;
        return Ok(Exit::Done);
    };
    if b3sum {
        let mut text = String::new();
        for file in &files {
            // Payload paths have neither line breaks nor backslashes, which b3sum would escape.
            text += &format!("{}  {}\n", file.hash, file.path);
        }
        console.text(&text)?;
    } else if console.json {
        let manifest: Value = serde_json::from_str(&json).map_err(|error| {
            let message = format!("the manifest of {game} is damaged ({error}); `potluck verify {game}`");
            Failure::new(Exit::Failed, message)
        })?;
        console.document(&json!({ "game": game, "content": content, "manifest": manifest }))?;
    } else {
        console.text(&json)?;
        if console.out_is_terminal {
            console.text("\n")?;
        }
    }
    Ok(Exit::Done)
}
