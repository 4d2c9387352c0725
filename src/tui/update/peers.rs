//! What the user does to peers: trusting, blocking, limits, and keeping quiet towards everybody.

use super::{
    super::{
        action::Screen,
        model::{
            Model,
            overlay::{Deed, Overlay, Question},
        },
    },
    Effect, calls,
    games::{answer, counted},
    open, refuse,
};
use crate::api::{Command, LimitTo, PeerView};

/// The peers that an action is for, or why there are none.
pub(super) fn chosen(model: &Model) -> Result<Vec<&PeerView>, String> {
    let peers = model.peers.chosen(&model.snapshot.peers);
    if peers.is_empty() { Err("No peer is selected.".to_owned()) } else { Ok(peers) }
}

/// Trusts peers; if all are trusted, stops trusting them.
pub(super) fn trust(model: &mut Model) -> Vec<Effect> {
    match chosen(model) {
        Ok(peers) => {
            let trust = !peers.iter().all(|peer| peer.trusted);
            let command = |peer: &PeerView| (Command::Trust { peer: peer.id.clone(), trust }, peer.name.clone());
            let commands = peers.into_iter().map(command).collect();
            calls(model, commands)
        }
        Err(why) => refuse(model, why),
    }
}

/// Blocks peers; if all are blocked, lets them in again. Asks before it blocks several.
pub(super) fn block(model: &mut Model) -> Vec<Effect> {
    let peers = match chosen(model) {
        Ok(peers) => peers,
        Err(why) => return refuse(model, why),
    };
    let block = !peers.iter().all(|peer| peer.blocked);
    let command = |peer: &&PeerView| (Command::Block { peer: peer.id.clone(), block }, peer.name.clone());
    let commands = peers.iter().map(command).collect();
    if !block || peers.len() == 1 {
        return calls(model, commands);
    }
    let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    let sent = peers.iter().filter(|peer| peer.up_bps > 0).count();
    let mut lines = vec![format!("Have nothing to do with {}?", counted(&names, "peer"))];
    lines.push("Their links end; what they alone have cannot be got then.".to_owned());
    if sent > 0 {
        lines.push(format!("{sent} of them get something from you now."));
    }
    let answers = vec![answer("y", "Block", Deed::Commands(commands))];
    open(model, Overlay::Question(Question { title: "Block".to_owned(), lines, answers, esc: "Leave them" }))
}

/// Limits what is sent or received: on the peers tab with those chosen there, else with everybody together.
pub(super) fn limit(model: &mut Model, text: &str, up: bool) -> Vec<Effect> {
    let to: LimitTo = match text.parse() {
        Ok(to) => to,
        Err(why) => return refuse(model, format!("{text}: {why}")),
    };
    let command = |peer: Option<String>| {
        let (up, down) = if up { (Some(to), None) } else { (None, Some(to)) };
        Command::Limit { peer, up, down }
    };
    let commands = match model.screen {
        Screen::Peers => match chosen(model) {
            Ok(peers) => peers.iter().map(|peer| (command(Some(peer.id.clone())), peer.name.clone())).collect(),
            Err(why) => return refuse(model, why),
        },
        Screen::Library | Screen::Transfers | Screen::Links | Screen::Log | Screen::Space => {
            vec![(command(None), String::new())]
        }
    };
    calls(model, commands)
}

/// Sends only a trickle, or as before.
pub(super) fn quiet(model: &mut Model) -> Vec<Effect> {
    let on = !model.snapshot.totals.quiet;
    calls(model, vec![(Command::Quiet { on }, String::new())])
}
