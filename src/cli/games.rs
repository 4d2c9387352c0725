//! `games`: what the room has, and what is here.

use super::{Console, Exit, args::Wait, exit::Failure, session::Session, table::Table, words};
use crate::api::{GameView, Snapshot};

pub(super) async fn run(session: &Session, wait: Wait, console: &mut Console) -> Result<Exit, Failure> {
    session.look(wait).await;
    let snapshot = session.snapshot();
    if console.json {
        let games: Vec<GameView> = snapshot.games.iter().map(|game| with_transfer(&snapshot, game)).collect();
        console.document(&games)?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["GAME", "TITLE", "VERSION", "SIZE", "HAVE", "STATE"]).right(3).right(4);
    for game in snapshot.games.iter() {
        let title =
            if game.title.to_lowercase() == game.id.to_lowercase() { String::new() } else { game.title.clone() };
        let state = words::game_state(&snapshot, game);
        table.row([&game.id, &title, &game.version, &words::size(game.size), &game.have.to_string(), &state]);
    }
    if let Some(trouble) = &snapshot.totals.library_trouble {
        console.note(trouble);
    }
    console.table(&table, &empty_room(&snapshot, "No games"))?;
    Ok(Exit::Done)
}

/// The game with the state that its transfer gives it.
fn with_transfer(snapshot: &Snapshot, game: &GameView) -> GameView {
    let (state, percent, reason) = snapshot.state_of(game);
    GameView { state, percent, reason: reason.to_owned(), ..game.clone() }
}

/// Why there is nothing to list, as far as one can tell.
pub(super) fn empty_room(snapshot: &Snapshot, what: &str) -> String {
    if snapshot.peers.iter().any(|peer| peer.online) {
        return format!("{what}.");
    }
    let addr = snapshot.me.listen.first().map_or("nowhere", String::as_str);
    format!("{what}, and nobody is here. You are {addr}. In another subnet: potluck connect HOST:PORT.")
}
