//! Whether what is to be got fits: the payload, and what it becomes when it is installed, against the space that is free.
//! Asks before it gets what does not, or barely, fit.

use super::{
    super::{
        model::{
            Model,
            overlay::{Deed, Overlay, Question},
        },
        words,
    },
    Effect, calls,
    games::answer,
    open,
};
use crate::api::{AfterGet, Command, GetRequest};

/// What a game takes when it is installed, for each byte of its payload, in percent. Before its archives are here nobody
/// can look into them, so this is assumed and not measured: payloads of plain files give 100, and most of what is in games'
/// archives (textures, sound, film) is packed once already and grows little.
const INSTALLED_PERCENT: u64 = 120;
/// What is to stay free in any case: a disk filled to its last bytes makes other programs fail.
const SPARE_BYTES: u64 = 500_000_000;

/// `3.1 + 3.7 GB`: what a payload of this size takes, and about what it takes again when it is installed.
pub(crate) fn to_play(payload: u64) -> String {
    words::sum(payload, installed(payload))
}

/// About what a payload of this size takes when it is installed.
pub(crate) fn installed(payload: u64) -> u64 {
    (u128::from(payload) * u128::from(INSTALLED_PERCENT) / 100) as u64
}

/// Gets games, or asks first where they do not fit.
pub(super) fn get(model: &mut Model, games: Vec<(GetRequest, String)>) -> Vec<Effect> {
    let commands = |after: Option<AfterGet>| -> Vec<(Command, String)> {
        let request = |request: &GetRequest| GetRequest { after: after.unwrap_or(request.after), ..request.clone() };
        games.iter().map(|(wish, title)| (Command::Get(request(wish)), title.clone())).collect()
    };
    let (payload, local) = games.iter().fold((0_u64, 0_u64), |(payload, local), (request, _)| {
        let size = size(model, request);
        let more = if request.after.installs() { installed(size) } else { 0 };
        (payload.saturating_add(size), local.saturating_add(more))
    });
    let need = payload.saturating_add(local);
    let Some(free) = model.snapshot.totals.free.filter(|free| need.saturating_add(SPARE_BYTES) > *free) else {
        return calls(model, commands(None));
    };
    let (mut lines, mut answers) = (Vec::new(), Vec::new());
    if local > 0 {
        lines.push(format!(
            "Needs {} + about {} installed; {} free.",
            words::size(payload),
            words::size(local),
            words::size(free)
        ));
        answers.push(answer("i", "Get, install", Deed::Commands(commands(None))));
        let and_drop = commands(Some(AfterGet::InstallAndDrop));
        answers.push(answer("k", "Get, install, drop archives", Deed::Commands(and_drop)));
        lines.push("With k its archives go when it is installed; it is played here then, and not shared.".to_owned());
        answers.push(answer("o", "Only get", Deed::Commands(commands(Some(AfterGet::Nothing)))));
    } else {
        lines.push(format!("Needs {}; {} free.", words::size(payload), words::size(free)));
        answers.push(answer("o", "Get", Deed::Commands(commands(None))));
    }
    if payload.saturating_add(SPARE_BYTES) > free {
        lines.push("What is got waits where the disk is full, and goes on when there is space.".to_owned());
    }
    open(model, Overlay::Question(Question { title: "Space".to_owned(), lines, answers, esc: "Leave it" }))
}

/// Bytes of the build that is meant. What of it is here already is not known before it is looked at.
fn size(model: &Model, request: &GetRequest) -> u64 {
    let Some(game) = model.snapshot.games.iter().find(|game| game.id == request.game) else { return 0 };
    let build = request.content.as_ref().and_then(|content| game.builds.iter().find(|build| build.content == *content));
    let update = game.update.as_ref().filter(|update| request.content.as_ref() == Some(&update.content));
    update.map(|update| update.size).or(build.map(|build| build.size)).unwrap_or(game.size)
}
