//! `manifest`: the manifest as it is stored, so that its hash is the ContentId, or as lines for
//! `b3sum --check`.

use serde_json::{Value, json};

use super::{Console, Exit, exit::Failure, orders::report, session::Session};
use crate::api::{Command, Reply};

pub(super) async fn run(session: &Session, game: String, b3sum: bool, console: &mut Console) -> Result<Exit, Failure> {
    session.scanned().await;
    let reply = session.call(Command::Manifest { game }).await?;
    match reply {
        Reply::Manifest { files, .. } if b3sum => {
            let mut text = String::new();
            for file in &files {
                // Payload paths have neither line breaks nor backslashes, which b3sum would escape.
                text += &format!("{}  {}\n", file.hash, file.path);
            }
            console.text(&text)?;
        }
        Reply::Manifest { game, content, json, .. } if console.json => {
            let manifest: Value = serde_json::from_str(&json).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("the manifest of {game} is damaged ({error}); `potluck verify {game}`"),
                )
            })?;
            console.document(&json!({ "game": game, "content": content, "manifest": manifest }))?;
        }
        Reply::Manifest { json, .. } => {
            console.text(&json)?;
            if console.out_is_terminal {
                console.text("\n")?;
            }
        }
        reply @ (Reply::Done { .. }
        | Reply::Queued { .. }
        | Reply::AlreadyHere { .. }
        | Reply::Installed { .. }
        | Reply::Added(_)
        | Reply::Verified(_)
        | Reply::Confirm(_)
        | Reply::Playing(_)
        | Reply::Map(_)
        | Reply::Without(_)
        | Reply::Compared(_)) => report(&reply, console)?,
    }
    Ok(Exit::Done)
}
