//! What goes where the user's other programs paste from: paths, commands and ids of what is chosen, a line each.

use super::{
    super::{action::Screen, model::Model},
    Effect, games, refuse,
};
use crate::api::{Level, LinkView};

/// Longer than anybody pastes, and short enough for what terminals take.
const CHARS_MAX: usize = 8_192;
/// Of what was copied, in the message line.
const SHOWN_CHARS: usize = 60;

/// The folders of games.
pub(super) fn path(model: &mut Model) -> Vec<Effect> {
    let snapshot = &model.snapshot;
    let path = |library: u8, game: &str| format!("{}/{game}", snapshot.library_path(library).trim_end_matches('/'));
    let paths: Result<Vec<String>, String> = match model.screen {
        Screen::Transfers => games::transfers(model)
            .map(|found| found.iter().map(|transfer| path(transfer.library, &transfer.game)).collect()),
        Screen::Space => Ok(model.space.chosen().iter().map(|item| item.path.clone()).collect()),
        Screen::Library | Screen::Peers | Screen::Links | Screen::Log => {
            games::games_here(model).map(|found| found.iter().map(|game| path(game.library, &game.id)).collect())
        }
    };
    copy(model, paths)
}

/// The commands that do on another machine what one would do with them.
pub(super) fn command(model: &mut Model) -> Vec<Effect> {
    let connect = |addr: &str| format!("potluck connect {}", quoted(addr));
    let get = |game: &str, content: &str| format!("potluck get {} --content {content}", quoted(game));
    let snapshot = &model.snapshot;
    let lines: Vec<String> = match model.screen {
        Screen::Library => games::games(model).iter().map(|game| get(&game.id, &game.content)).collect(),
        Screen::Transfers => {
            let chosen = model.transfers.chosen(&snapshot.transfers);
            chosen.iter().map(|transfer| get(&transfer.game, &transfer.content)).collect()
        }
        Screen::Peers => model.peers.chosen(&snapshot.peers).iter().map(|peer| connect(&peer.addr)).collect(),
        Screen::Links => {
            let chosen = model.links.chosen(&snapshot.links);
            chosen.iter().map(|link| connect(listener(model, link))).collect()
        }
        Screen::Log | Screen::Space => Vec::new(),
    };
    copy(model, Ok(lines))
}

/// Where the peer at the other end listens: a link that it dialled comes from another port.
fn listener<'m>(model: &'m Model, link: &'m LinkView) -> &'m str {
    let peer = model.snapshot.peers.iter().find(|peer| peer.id == link.peer && !peer.addr.is_empty());
    peer.map_or(&link.addr, |peer| &peer.addr)
}

/// The ids.
pub(super) fn id(model: &mut Model) -> Vec<Effect> {
    let snapshot = &model.snapshot;
    let lines: Vec<String> = match model.screen {
        Screen::Library => games::games(model).iter().map(|game| game.content.clone()).collect(),
        Screen::Transfers => {
            model.transfers.chosen(&snapshot.transfers).iter().map(|transfer| transfer.content.clone()).collect()
        }
        Screen::Peers => model.peers.chosen(&snapshot.peers).iter().map(|peer| peer.id.clone()).collect(),
        Screen::Links => model.links.chosen(&snapshot.links).iter().map(|link| link.peer.clone()).collect(),
        Screen::Log | Screen::Space => Vec::new(),
    };
    copy(model, Ok(lines))
}

fn copy(model: &mut Model, lines: Result<Vec<String>, String>) -> Vec<Effect> {
    let lines = match lines {
        Ok(lines) => lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<String>>(),
        Err(why) => return refuse(model, why),
    };
    let text = lines.join("\n");
    if text.is_empty() {
        return refuse(model, "There is nothing to copy.");
    }
    if text.chars().count() > CHARS_MAX {
        return refuse(model, format!("{} lines are more than a terminal takes; mark fewer.", lines.len()));
    }
    let said = match lines.as_slice() {
        [line] if line.chars().count() <= SHOWN_CHARS => format!("Copied {line}"),
        [line] => format!("Copied {}…", line.chars().take(SHOWN_CHARS).collect::<String>()),
        several => format!("Copied {} lines.", several.len()),
    };
    model.notice.say(Level::Info, said, model.now);
    vec![Effect::DrawNow, Effect::Copy(text)]
}

/// As a shell takes it for one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.:[]/%".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.contains('[') {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_shell_takes_every_id_for_one_word() {
        assert_eq!(quoted("quake-3.1"), "quake-3.1");
        assert_eq!(quoted("two words"), "'two words'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted("[fd00::1]:47800"), "'[fd00::1]:47800'");
        assert_eq!(quoted("$(reboot)"), "'$(reboot)'");
    }
}
