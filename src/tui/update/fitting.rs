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

/// What a game takes when it is installed, for each byte of its payload, in percent, where nobody who has it says. Payloads
/// of plain files give 100, and most of what is in games' archives (textures, sound, film) is packed once already and
/// grows little.
const INSTALLED_PERCENT: u64 = 120;
/// What is to stay free in any case: a disk filled to its last bytes makes other programs fail.
const SPARE_BYTES: u64 = 500_000_000;

/// What something takes when it is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Installed {
    bytes: u64,
    /// Whether all of it is assumed from nothing but the size of the payload.
    is_guessed: bool,
}

impl Installed {
    /// Of a payload of this size, for which those who have it say `told`.
    pub(crate) fn of(payload: u64, told: Option<u64>) -> Self {
        let guess = || (u128::from(payload) * u128::from(INSTALLED_PERCENT) / 100) as u64;
        Self { bytes: told.unwrap_or_else(guess), is_guessed: told.is_none() }
    }

    /// `3.3 GB`, `about 3.7 GB`.
    pub(crate) fn size(self) -> String {
        let size = words::size(self.bytes);
        if self.is_guessed { format!("about {size}") } else { size }
    }

    fn and(self, more: Self) -> Self {
        Self { bytes: self.bytes.saturating_add(more.bytes), is_guessed: self.is_guessed || more.is_guessed }
    }
}

/// `3.1 + 3.3 GB to play`, `about 3.1 + 3.7 GB`: what a payload of this size takes, and what it takes again when it is
/// installed. Neither is longer than a pane leaves room for.
pub(crate) fn to_play(payload: u64, told: Option<u64>) -> String {
    let installed = Installed::of(payload, told);
    let sum = words::sum(payload, installed.bytes);
    if installed.is_guessed { format!("about {sum}") } else { format!("{sum} to play") }
}

/// Gets games, or asks first where they do not fit.
pub(super) fn get(model: &mut Model, games: Vec<(GetRequest, String)>) -> Vec<Effect> {
    let commands = |after: Option<AfterGet>| -> Vec<(Command, String)> {
        let request = |request: &GetRequest| GetRequest { after: after.unwrap_or(request.after), ..request.clone() };
        games.iter().map(|(wish, title)| (Command::Get(request(wish)), title.clone())).collect()
    };
    let (mut payload, mut local) = (0_u64, None::<Installed>);
    for (request, _) in &games {
        let (size, told) = sizes(model, request);
        payload = payload.saturating_add(size);
        if request.after.installs() {
            let more = Installed::of(size, told);
            local = Some(local.map_or(more, |local| local.and(more)));
        }
    }
    let need = payload.saturating_add(local.map_or(0, |local| local.bytes));
    let Some(free) = model.snapshot.totals.free.filter(|free| need.saturating_add(SPARE_BYTES) > *free) else {
        return calls(model, commands(None));
    };
    let (mut lines, mut answers) = (Vec::new(), Vec::new());
    let is_full = payload.saturating_add(SPARE_BYTES) > free;
    if let Some(local) = local {
        let installed = local.size();
        lines.push(format!("Needs {} + {installed} installed; {} free.", words::size(payload), words::size(free)));
        answers.push(answer("i", "Get, install", Deed::Commands(commands(None))));
        let and_drop = commands(Some(AfterGet::InstallAndDrop));
        answers.push(answer("k", "Get, install, drop archives", Deed::Commands(and_drop)));
        lines.push(format!(
            "With k the archives go once their game is installed. Until then both are here; after that {installed}, played \
             here and not shared."
        ));
        answers.push(answer("o", "Only get", Deed::Commands(commands(Some(AfterGet::Nothing)))));
        if need > free && !is_full {
            let perhaps = if local.is_guessed { "perhaps " } else { "" };
            lines.push(format!("There is room to get it, but {perhaps}not to install it too; that would be refused."));
        }
    } else {
        lines.push(format!("Needs {}; {} free.", words::size(payload), words::size(free)));
        answers.push(answer("o", "Get", Deed::Commands(commands(None))));
    }
    if is_full {
        lines.push("What is got waits where the disk is full, and goes on when there is space.".to_owned());
    }
    open(model, Overlay::Question(Question { title: "Space".to_owned(), lines, answers, esc: "Leave it" }))
}

/// Bytes of the build that is meant, and what is said that it takes installed. What of it is here already is not known
/// before it is looked at.
fn sizes(model: &Model, request: &GetRequest) -> (u64, Option<u64>) {
    let Some(game) = model.snapshot.games.iter().find(|game| game.id == request.game) else { return (0, None) };
    let build = request.content.as_ref().and_then(|content| game.builds.iter().find(|build| build.content == *content));
    let update = game.update.as_ref().filter(|update| request.content.as_ref() == Some(&update.content));
    let update = update.map(|update| (update.size, update.installed_size));
    update.or(build.map(|build| (build.size, build.installed_size))).unwrap_or((game.size, game.installed_size))
}
