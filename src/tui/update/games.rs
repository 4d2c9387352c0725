//! What the user does to games, transfers and peers. Each takes what is marked, else what is selected;
//! what cannot be done says why.

use std::path::PathBuf;

use super::{
    super::{
        action::Screen,
        keymap::Key,
        model::{
            Model, is_moving,
            overlay::{Answer, Deed, Overlay, Question, whole_path},
        },
        words,
    },
    Effect, calls, open, refuse,
};
use crate::api::{Command, GameView, Level, StateWord, TransferView};

/// Names listed in a question; the rest is counted.
const NAMES_MAX: usize = 6;

/// The transfers that an action is for, or why there are none.
pub(super) fn transfers(model: &Model) -> Result<Vec<&TransferView>, String> {
    let list = match model.screen {
        Screen::Library => &model.library.list,
        Screen::Transfers | Screen::Peers | Screen::Links | Screen::Log | Screen::Space => &model.transfers.list,
    };
    if !list.marks.is_empty() {
        let found: Vec<&TransferView> = list.marks.iter().filter_map(|id| model.transfer_of(id)).collect();
        return if found.is_empty() { Err("Nothing of what is marked is being got.".to_owned()) } else { Ok(found) };
    }
    let Some(id) = list.id() else { return Err("Nothing is being got.".to_owned()) };
    match model.transfer_of(id) {
        Some(transfer) => Ok(vec![transfer]),
        None => {
            let title = model.selected_game().map_or(id, |game| game.title.as_str());
            Err(format!("{title} is not being got."))
        }
    }
}

/// The games that an action is for.
pub(super) fn games(model: &Model) -> Vec<&GameView> {
    model.library.chosen(&model.snapshot.games)
}

/// Those of them that are here, or why there are none.
pub(super) fn games_here(model: &Model) -> Result<Vec<&GameView>, String> {
    let all = games(model);
    let here: Vec<&GameView> = all.iter().copied().filter(|game| is_here(game)).collect();
    match (here.is_empty(), all.as_slice()) {
        (false, _) => Ok(here),
        (true, []) => Err("No game is selected.".to_owned()),
        (true, [game]) => Err(format!("{} is not here.", game.title)),
        (true, [..]) => Err("Nothing of what is marked is here.".to_owned()),
    }
}

fn is_here(game: &GameView) -> bool {
    game.builds.iter().any(|build| build.ours)
        || matches!(game.state, StateWord::Ready | StateWord::Downloaded | StateWord::Installing)
}

/// Pauses what goes on; where nothing does, goes on with what was paused.
pub(super) fn pause(model: &mut Model) -> Vec<Effect> {
    let found = match transfers(model) {
        Ok(found) => found,
        Err(why) => return refuse(model, why),
    };
    let pausing = found.iter().any(|transfer| is_moving(transfer.state));
    let command = |transfer: &&TransferView| {
        let game = transfer.game.clone();
        let command = if pausing { Command::Pause { game } } else { Command::Resume { game } };
        (command, transfer.title.clone())
    };
    let commands = found.iter().filter(|transfer| is_moving(transfer.state) == pausing).map(command).collect();
    calls(model, commands)
}

/// Asks whether to end transfers, and whether to keep what is here.
pub(super) fn cancel(model: &mut Model) -> Vec<Effect> {
    let found = match transfers(model) {
        Ok(found) => found,
        Err(why) => return refuse(model, why),
    };
    let done: u64 = found.iter().map(|transfer| transfer.done).sum();
    let commands = |discard: bool| {
        let cancel = |transfer: &&TransferView| {
            (Command::Cancel { game: transfer.game.clone(), discard }, transfer.title.clone())
        };
        Deed::Commands(found.iter().map(cancel).collect())
    };
    let names: Vec<&str> = found.iter().map(|transfer| transfer.title.as_str()).collect();
    let mut lines = vec![format!("Stop getting {}?", counted(&names, "game"))];
    let mut answers = vec![answer("c", "Cancel", commands(false))];
    if done > 0 {
        let kept = words::size(done);
        lines.push(format!("The {kept} that are here stay for the next time, unless you discard them."));
        answers[0].label = format!("Cancel, keep {kept}");
        answers.push(answer("d", "Discard", commands(true)));
    }
    open(model, Overlay::Question(Question { title: "Cancel".to_owned(), lines, answers, esc: "Go on" }))
}

/// Moves transfers in the queue.
pub(super) fn reorder(model: &mut Model, by: i32) -> Vec<Effect> {
    let mut found = match transfers(model) {
        Ok(found) => found,
        Err(why) => return refuse(model, why),
    };
    // The one in front moves first, or marked neighbours would push each other back.
    let place = |game: &str| model.snapshot.transfers.iter().position(|other| other.game == game).unwrap_or(0);
    found.sort_by_key(|transfer| place(&transfer.game));
    if by > 0 {
        found.reverse();
    }
    let command =
        |transfer: &&TransferView| (Command::Reorder { game: transfer.game.clone(), by }, transfer.title.clone());
    let commands = found.iter().map(command).collect();
    calls(model, commands)
}

/// Reads games again and compares every byte.
pub(super) fn verify(model: &mut Model) -> Vec<Effect> {
    let found = match games_here(model) {
        Ok(found) => found,
        Err(why) => return refuse(model, format!("{why} There is nothing to check.")),
    };
    let text = match found.as_slice() {
        [game] => format!("Checking {} …", game.title),
        more => format!("Checking {} …", words::count(more.len() as u64, "game")),
    };
    let command = |game: &&GameView| (Command::Verify { game: game.id.clone(), repair: false }, game.title.clone());
    let commands = found.iter().map(command).collect();
    model.notice.say(Level::Info, text, model.now);
    calls(model, commands)
}

/// Makes games playable.
pub(super) fn install(model: &mut Model) -> Vec<Effect> {
    match games_here(model) {
        Ok(found) => {
            let games = found.iter().map(|game| (game.id.clone(), game.title.clone())).collect();
            install_these(model, games)
        }
        Err(why) => refuse(model, format!("{why} There is nothing to install.")),
    }
}

/// Makes these playable: each by its id, with its title.
pub(super) fn install_these(model: &mut Model, games: Vec<(String, String)>) -> Vec<Effect> {
    let text = match games.as_slice() {
        [(_, title)] => format!("Installing {title} …"),
        more => format!("Installing {} …", words::count(more.len() as u64, "game")),
    };
    model.notice.say(Level::Info, text, model.now);
    calls(
        model,
        games.into_iter().map(|(game, title)| (Command::Install { game, drop_archives: false }, title)).collect(),
    )
}

/// Takes back what was installed.
pub(super) fn uninstall(model: &mut Model) -> Vec<Effect> {
    let found = match games_here(model) {
        Ok(found) => found,
        Err(why) => return refuse(model, format!("{why} There is nothing to uninstall.")),
    };
    let installed: Vec<&GameView> = found.into_iter().filter(|game| game.state == StateWord::Ready).collect();
    if installed.is_empty() {
        return refuse(model, "Nothing of it is installed.".to_owned());
    }
    let command = |game: &&GameView| {
        (Command::Uninstall { game: game.id.clone(), last: game.is_installed_only() }, game.title.clone())
    };
    let commands = installed.iter().map(command).collect();
    let only: Vec<&GameView> = installed.into_iter().filter(|game| game.is_installed_only()).collect();
    if only.is_empty() {
        return calls(model, commands);
    }
    let names: Vec<&str> = only.iter().map(|game| game.title.as_str()).collect();
    let mut lines =
        vec![format!("Uninstall {}? Nothing else of it is here: its payload was dropped.", counted(&names, "game"))];
    for game in only.iter().take(NAMES_MAX) {
        lines.push(format!("{} {} must be got again to be played again. {}", game.title, game.version, others(game)));
    }
    let answers = vec![answer("y", "Uninstall", Deed::Commands(commands))];
    open(model, Overlay::Question(Question { title: "Uninstall".to_owned(), lines, answers, esc: "Keep" }))
}

/// Who else has a game, as a sentence.
fn others(game: &GameView) -> String {
    // Ours is one of those who have it, if there is anything of it to give.
    let ours = u32::from(game.builds.first().is_some_and(|build| build.ours));
    match u64::from(game.have.saturating_sub(ours)) {
        0 => "NOBODY else here has it; it would be gone.".to_owned(),
        1 => "1 other has it.".to_owned(),
        more => format!("{} others have it.", words::thousands(more)),
    }
}

/// Asks whether to delete games, and says who else has them.
pub(super) fn remove(model: &mut Model) -> Vec<Effect> {
    let found = match games_here(model) {
        Ok(found) => found,
        Err(why) => return refuse(model, format!("{why} There is nothing to remove.")),
    };
    let names: Vec<&str> = found.iter().map(|game| game.title.as_str()).collect();
    let size: u64 = found.iter().map(|game| game.size).sum();
    let what = counted(&names, "game");
    let mut lines = vec![format!("Delete {what} from this machine? That frees {}.", words::size(size))];
    for game in found.iter().take(NAMES_MAX) {
        lines.push(format!("{} {}: {}", game.title, game.version, others(game)));
    }
    let alone = found.iter().skip(NAMES_MAX).filter(|game| game.have <= 1).count() as u64;
    if alone > 0 {
        let more = words::count(alone, "more game");
        lines.push(format!("Of the others, NOBODY else here has {more}; that would be gone."));
    }
    let commands = found.iter().map(|game| (Command::Remove { game: game.id.clone() }, game.title.clone())).collect();
    let answers = vec![answer("y", "Delete", Deed::Commands(commands))];
    open(model, Overlay::Question(Question { title: "Remove".to_owned(), lines, answers, esc: "Keep" }))
}

/// Puts a folder or an archive into the library.
pub(super) fn add_folder(model: &mut Model, text: &str) -> Vec<Effect> {
    let path = match whole_path(text, model.setting.user_home.as_deref()) {
        Ok(path) => path,
        Err(why) => return refuse(model, why),
    };
    model.notice.say(Level::Info, format!("Adding {path} …"), model.now);
    let command = Command::Add { path: PathBuf::from(&path), id: None, version: None, title: None, take: false };
    calls(model, vec![(command, path)])
}

pub(super) fn answer(key: &str, label: &str, does: Deed) -> Answer {
    let key = Key::named(key).expect("answers have keys that exist; every question is tested");
    Answer { key, label: label.to_owned(), does }
}

/// `A`, `3 games: A, B and C`.
pub(super) fn counted(names: &[&str], one: &str) -> String {
    match names {
        [one] => (*one).to_owned(),
        several => format!("{}: {}", words::count(several.len() as u64, one), listed(several)),
    }
}

/// `A, B and 3 more`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] if names.len() <= NAMES_MAX => format!("{} and {last}", rest.join(", ")),
        more => format!("{} and {} more", more[..NAMES_MAX].join(", "), more.len() - NAMES_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::listed;

    #[test]
    fn names_are_listed_up_to_a_number() {
        assert_eq!(listed(&["A"]), "A");
        assert_eq!(listed(&["A", "B", "C"]), "A, B and C");
        assert_eq!(listed(&["A", "B", "C", "D", "E", "F", "G", "H"]), "A, B, C, D, E, F and 2 more");
    }
}
