//! `space`: what takes space here and could go; `free`: lets some of it go.

use super::{
    Console, Exit, args::FreeWhat, exit::Failure, orders::report, remove::is_meant, session::Session, table::Table,
    words,
};
use crate::api::{Command, Freeable, Reply, SpaceItem, SpaceView};

pub(super) async fn list(session: &Session, console: &mut Console) -> Result<Exit, Failure> {
    let space = ask(session).await?;
    if console.json {
        console.document(&space)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["GAME", "VERSION", "SIZE", "WHAT", "OTHERS", "PATH"]).right(2).right(4);
    for item in &space.items {
        let (size, others) = (words::size(item.bytes), others(item));
        table.row([&item.game, &item.version, &size, &item.what.word().to_owned(), &others, &item.path]);
    }
    console.table(&table, "Nothing here could go.")?;
    let more = if space.more > 0 { format!("{} smaller things are not listed. ", space.more) } else { String::new() };
    if let Some(free) = space.free {
        console.note(&format!("{more}{} are free. `potluck free GAME WHAT` lets something go.", words::size(free)));
    }
    Ok(Exit::Done)
}

pub(super) async fn free(
    session: &Session,
    game: &str,
    what: FreeWhat,
    yes: bool,
    console: &mut Console,
) -> Result<Exit, Failure> {
    // How many others have it is known only after a look at the room.
    session.gather().await;
    let space = ask(session).await?;
    let wanted = game.to_lowercase();
    let is_it = |item: &&SpaceItem| {
        let meant = match &item.what {
            Freeable::Download { .. } => what == FreeWhat::Download,
            Freeable::Payload => what == FreeWhat::Payload,
            Freeable::Replaced => what == FreeWhat::Replaced,
            Freeable::Game => false,
        };
        meant && (item.game == game || item.title.to_lowercase() == wanted)
    };
    let found: Vec<&SpaceItem> = space.items.iter().filter(is_it).collect();
    if found.is_empty() {
        let message = format!("`{game}` has nothing of that here; `potluck space` lists what could go");
        return Err(Failure::new(Exit::NotFound, message));
    }
    let losses: Vec<String> = found.iter().map(|item| loss(item)).collect();
    if !is_meant(&losses.join(" "), yes, console)? {
        return Ok(Exit::Refused);
    }
    for item in found {
        let command = Command::Free { game: item.game.clone(), what: item.what.clone() };
        report(&session.call(command).await?, console)?;
    }
    Ok(Exit::Done)
}

async fn ask(session: &Session) -> Result<SpaceView, Failure> {
    session.scanned().await;
    let Reply::Space(space) = session.call(Command::Space).await? else { return Err(Failure::other_answer()) };
    Ok(space)
}

fn others(item: &SpaceItem) -> String {
    match item.what {
        Freeable::Download { .. } | Freeable::Payload | Freeable::Game => item.others.to_string(),
        Freeable::Replaced => String::new(),
    }
}

fn loss(item: &SpaceItem) -> String {
    let SpaceItem { title, version, what, bytes, shared, path, others, .. } = item;
    let (size, others) = (words::size(*bytes), words::others_have(*others));
    let shared = match shared {
        0 => String::new(),
        shared => {
            format!(", of which up to {} share blocks with what stays and are not freed", words::size(*shared))
        }
    };
    match what {
        Freeable::Download { .. } => {
            format!("{title} {version}: the {size} of a download would be lost{shared}; {others} all of it.")
        }
        Freeable::Payload => format!(
            "{title} {version}: {size} would go{shared}; it stays playable, is not shared any more and cannot be installed again \
             before it is got again; {others} all of it."
        ),
        Freeable::Replaced => format!("{path}: {size} of YOUR OWN files would be lost; nobody else has them."),
        Freeable::Game => format!("{title} {version}: {size} would be lost; {others} all of it."),
    }
}
