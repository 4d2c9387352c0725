//! The free space screen: opening and leaving it, asking what takes space, and letting things go after a question that
//! says what is lost.

use super::{
    super::{
        action::{Action, Screen},
        model::{
            Model,
            overlay::{Deed, Overlay, Question},
            space::{Freed, loss, name},
        },
        words,
    },
    Effect, act, games, open, refuse,
};
use crate::api::{Command, CommandError, DISK_FULL, Freeable, Level, Reply, Snapshot, StateWord, TransferView};

/// Items named in a question; the rest is counted.
const NAMES_MAX: usize = 6;

/// Shows the screen; what it showed the last time may not be true any more.
pub(super) fn enter(model: &mut Model) {
    if model.screen != Screen::Space {
        model.space.from = model.screen;
    }
    model.space.on_change();
    act::go(model, Screen::Space);
}

/// Says what goes on and what helps when transfers begin to wait for space.
pub(super) fn notice_full(model: &mut Model, before: &Snapshot) {
    let waits =
        |transfer: &&TransferView| transfer.state == StateWord::Waiting && transfer.reason.starts_with(DISK_FULL);
    let is_new = |transfer: &&TransferView| !before.transfer_of(&transfer.game).as_ref().is_some_and(waits);
    let Some(transfer) = model.snapshot.transfers.iter().filter(waits).find(is_new) else { return };
    let way = model.setting.keymap.way(Action::FreeSpace);
    let text = format!("{}: {}. Still sharing what is here. {way} frees space.", transfer.title, transfer.reason);
    model.notice.say(Level::Warning, text, model.now);
}

/// Takes note of what changed elsewhere of what takes space here. What is on its way changes all the time, and is not
/// offered.
pub(super) fn notice_news(model: &mut Model, before: &Snapshot) {
    if model.screen == Screen::Space && !held(before).eq(held(&model.snapshot)) {
        model.space.on_news();
    }
}

/// What there is of each game here, and when it was last played; what is being got.
fn held(snapshot: &Snapshot) -> impl Iterator<Item = (&str, [Option<&str>; 3], Option<u64>)> {
    let games = snapshot.games.iter().map(|game| {
        let ours = game.builds.iter().find(|build| build.ours).map(|build| &*build.content);
        (&*game.id, [ours, game.installed.as_deref(), game.private.as_deref()], game.last_played)
    });
    let is_here = |(_, held, _): &(&str, [Option<&str>; 3], Option<u64>)| held.iter().any(Option::is_some);
    let got = snapshot.transfers.iter().map(|transfer| (&*transfer.game, [Some(&*transfer.content), None, None], None));
    games.filter(is_here).chain(got)
}

/// Asks where the screen is shown and is not up to date. Called after every message.
pub(super) fn look(model: &mut Model) -> Option<Effect> {
    let asks = model.screen == Screen::Space && model.space.ask(model.now.unix_ms);
    asks.then(|| Effect::Call { command: Command::Space, subject: String::new() })
}

pub(super) fn on_answer(model: &mut Model, result: Result<Reply, CommandError>) -> Vec<Effect> {
    match result {
        Ok(Reply::Space(view)) => model.space.on_answer(Some(view)),
        Ok(_) => model.space.on_answer(None),
        Err(error) => {
            model.space.on_answer(None);
            return refuse(model, error.message);
        }
    }
    vec![Effect::DrawSoon]
}

/// Asks whether to let things go.
pub(super) fn free(model: &mut Model) -> Vec<Effect> {
    let chosen = model.space.chosen();
    if chosen.is_empty() {
        return refuse(model, "Nothing is selected that could go.");
    }
    let freed = Freed::by(&chosen);
    let then = model.snapshot.totals.free.map(|free| format!(" Then {} are free.", freed.and(free).size()));
    let what = match chosen.as_slice() {
        [item] => format!("{}, {}", item.title, name(&item.what)),
        more => words::count(more.len() as u64, "thing"),
    };
    let mut lines = vec![format!("Let go of {what}? That frees {}.{}", freed.size(), then.unwrap_or_default())];
    // What nobody else has is named before what can be had again.
    let mut named = chosen.clone();
    named.sort_by_key(|item| (item.what != Freeable::Replaced, item.others > 0));
    for item in named.iter().take(NAMES_MAX) {
        let version = if item.version.is_empty() { String::new() } else { format!(" {}", item.version) };
        lines.push(format!("{}{version}, {}: {}", item.title, words::size(item.bytes), loss(item)));
        if item.what == Freeable::Replaced {
            lines.push(format!("  {}", item.path));
        }
    }
    if let Some(more) = chosen.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        let alone = named.iter().skip(NAMES_MAX).filter(|item| item.others == 0).count();
        let alone = if alone > 0 { format!(" NOBODY else here has {alone} of them.") } else { String::new() };
        lines.push(format!("And {more} more.{alone}"));
    }
    let command = |game: &str, what: &Freeable| Command::Free { game: game.to_owned(), what: what.clone() };
    let commands = chosen.iter().map(|item| (command(&item.game, &item.what), item.title.clone())).collect();
    let answers = vec![games::answer("y", "Delete", Deed::Commands(commands))];
    open(model, Overlay::Question(Question { title: "Free space".to_owned(), lines, answers, esc: "Keep" }))
}
