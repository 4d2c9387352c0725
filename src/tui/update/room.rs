//! Asks the runtime about the game or the peer that is looked at.

use super::{
    super::{action::Screen, layout, model::Model},
    Effect,
};
use crate::api::{Command, CommandError, Reply};

/// Asks where the pane in view lacks something. Called after every message.
pub(super) fn look(model: &mut Model) -> Option<Effect> {
    let body = layout::chrome(model.size)?.body;
    let now = model.now.unix_ms;
    let command = match model.screen {
        Screen::Library => {
            layout::library(body).pane?;
            let game = model.selected_game()?.id.clone();
            model.room.without.ask(&game, now).then_some(Command::Without { game })
        }
        Screen::Peers => {
            layout::peers(body, model.peers.rows().len()).details?;
            let peer = model.selected_peer().filter(|peer| peer.online)?.id.clone();
            model.room.compared.ask(&peer, now).then_some(Command::Compare { peer })
        }
        Screen::Transfers | Screen::Links | Screen::Log | Screen::Space => None,
    };
    Some(Effect::Call { command: command?, subject: String::new() })
}

/// The answer about a game. A refusal says nothing: the pane does without.
pub(super) fn on_without(model: &mut Model, game: &str, result: Result<Reply, CommandError>) -> Vec<Effect> {
    let answer = if let Ok(Reply::Without(view)) = result { Some(view) } else { None };
    model.room.without.on_answer(game, answer);
    vec![Effect::DrawSoon]
}

/// The answer about a peer.
pub(super) fn on_compared(model: &mut Model, peer: &str, result: Result<Reply, CommandError>) -> Vec<Effect> {
    let answer = if let Ok(Reply::Compared(view)) = result { Some(view) } else { None };
    model.room.compared.on_answer(peer, answer);
    vec![Effect::DrawSoon]
}
