//! Bringing games to another library: which one is asked, because there are as many as the user has.

use super::{
    super::{
        model::{
            Model,
            overlay::{Deed, Overlay, Question},
        },
        words,
    },
    Effect,
    games::{answer, counted, games_here},
    open, refuse,
};
use crate::api::{Command, GameView, LibraryView};

/// Libraries to choose from: each has one digit as its key.
const LIBRARIES_MAX: usize = 9;

/// Whether there is anywhere to bring a game.
pub(super) fn are_several(model: &Model) -> bool {
    model.snapshot.totals.libraries.len() > 1
}

/// The games that can be moved and the libraries they can go to, or why none can.
pub(super) fn offered(model: &Model) -> Result<(Vec<&GameView>, Vec<&LibraryView>), String> {
    if !are_several(model) {
        return Err("There is only one library; the config file names others.".to_owned());
    }
    let games = games_here(model)?;
    let libraries = model.snapshot.totals.libraries.iter().enumerate();
    let goes = |number: usize| games.iter().any(|game| usize::from(game.library) != number);
    let libraries: Vec<&LibraryView> = libraries
        .filter(|(number, library)| library.trouble.is_none() && goes(*number))
        .map(|(_, library)| library)
        .take(LIBRARIES_MAX)
        .collect();
    if libraries.is_empty() { Err("No other library can be written to.".to_owned()) } else { Ok((games, libraries)) }
}

/// Asks where they are to go.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    let (games, libraries) = match offered(model) {
        Ok(offered) => offered,
        Err(why) => return refuse(model, why),
    };
    let names: Vec<&str> = games.iter().map(|game| game.title.as_str()).collect();
    let mut lines = vec![format!("Move {} to", counted(&names, "game"))];
    let mut answers = Vec::new();
    for (number, library) in (1..).zip(libraries) {
        let free = library.free.map_or_else(String::new, |free| format!("  {} free", words::size(free)));
        lines.push(format!("{number}  {}{free}", library.path));
        let there = |game: &&&GameView| model.snapshot.library_path(game.library) != library.path;
        let command = |game: &&GameView| {
            (Command::Move { game: game.id.clone(), library: library.path.clone() }, game.title.clone())
        };
        let does = Deed::Commands(games.iter().filter(there).map(command).collect());
        answers.push(answer(&number.to_string(), &format!("Library {number}"), does));
    }
    lines.push("It stays shared meanwhile.".to_owned());
    open(model, Overlay::Question(Question { title: "Move".to_owned(), lines, answers, esc: "Stay" }))
}
