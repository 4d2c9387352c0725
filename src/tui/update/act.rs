//! What each action does. One arm an action; what takes more than a line has a function, of its own subject's file where
//! there is one.

use super::{
    super::{
        action::{Action, Screen},
        model::{
            Focus, Model,
            list::List,
            overlay::{Overlay, Prompt, Purpose},
            table::{SortBy, Table},
        },
    },
    Effect, Step, builds, calls, complete, copy, fitting, games, keys, leaving, libraries, map, motion, next_step,
    open, page, pane, peers, refuse, space,
};
use crate::api::{Command, Level};

/// Carries out an action.
pub(super) fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(effects) = pane::act(model, action) {
        return effects;
    }
    if let Some(by) = motion(model, action) {
        move_by(model, by);
        return vec![Effect::DrawNow];
    }
    match action {
        // Moved above.
        Action::Down
        | Action::Up
        | Action::HalfDown
        | Action::HalfUp
        | Action::PageDown
        | Action::PageUp
        | Action::Top
        | Action::Bottom => {}
        Action::DetailsDown => pane::scroll(model, 1),
        Action::DetailsUp => pane::scroll(model, -1),
        Action::Into => return pane::enter(model),
        Action::Out => {}
        Action::Library => go(model, Screen::Library),
        Action::Transfers => go(model, Screen::Transfers),
        Action::Peers => go(model, Screen::Peers),
        Action::Links => go(model, Screen::Links),
        Action::Log => go(model, Screen::Log),
        Action::FreeSpace => space::enter(model),
        Action::NextScreen => go(model, model.screen.step(1)),
        Action::PrevScreen => go(model, model.screen.step(-1)),
        Action::Next => return take_step(model),
        Action::Mark => {
            model.with_list(|list, _| list.toggle_mark());
            // What one is in the pane of stays under the cursor.
            if model.focus == Focus::List {
                move_by(model, 1);
            }
        }
        Action::MarkRange => return mark_range(model),
        Action::MarkAll => model.with_list(List::toggle_all),
        Action::Filter => {
            let prompt = Prompt::new(Purpose::Filter, model.filter());
            return open(model, Overlay::Prompt(prompt));
        }
        Action::Back => back(model),
        Action::ShowAll => show_only(model, None),
        Action::ShowHere => show_only(model, Some("here")),
        Action::ShowAvailable => show_only(model, Some("available")),
        Action::ShowMoving => show_only(model, Some("getting")),
        Action::ShowWaiting => show_only(model, Some("waiting")),
        Action::ShowPaused => show_only(model, Some("paused")),
        Action::ShowReady => show_only(model, Some("ready")),
        Action::ShowFailed => show_only(model, Some("failed")),
        Action::ShowUpdates => show_only(model, Some("update")),
        Action::SortTitle => sort(model, SortBy::Title),
        Action::SortVersion => sort(model, SortBy::Version),
        Action::SortSize => sort(model, SortBy::Size),
        Action::SortState => sort(model, SortBy::State),
        Action::SortHave => sort(model, SortBy::Have),
        Action::SortQueue => sort(model, SortBy::Queue),
        Action::SortRate => sort(model, SortBy::Rate),
        Action::SortLeft => sort(model, SortBy::Left),
        Action::SortName => sort(model, SortBy::Name),
        Action::SortPing => sort(model, SortBy::Ping),
        Action::SortFrom => sort(model, SortBy::From),
        Action::SortTo => sort(model, SortBy::To),
        Action::SortHas => sort(model, SortBy::Has),
        Action::SortAge => sort(model, SortBy::Age),
        Action::SortLoss => sort(model, SortBy::Loss),
        Action::SortPlayed => sort(model, SortBy::Played),
        Action::SortReverse => reorder_table(model, Table::reverse),
        Action::Pause => return games::pause(model),
        Action::Cancel => return games::cancel(model),
        Action::Later => return games::reorder(model, 1),
        Action::Sooner => return games::reorder(model, -1),
        Action::MapLayer => return map::layer(model),
        Action::ZoomIn => return map::zoom_in(model),
        Action::ZoomOut => return map::zoom_out(model),
        Action::Install => return games::install(model),
        Action::Uninstall => return games::uninstall(model),
        Action::Update => return builds::update(model),
        Action::Verify => return games::verify(model),
        Action::Remove if model.screen == Screen::Space => return space::free(model),
        Action::Remove => return games::remove(model),
        Action::Move => return libraries::ask(model),
        Action::AddFolder => return open_prompt(model, Purpose::AddFolder),
        Action::AddAddress => return open_prompt(model, Purpose::AddAddress),
        Action::Rescan => {
            model.notice.say(Level::Info, "Looking at the whole library again …", model.now);
            return calls(model, vec![(Command::Rescan, String::new())]);
        }
        Action::Trust => return peers::trust(model),
        Action::Block => return peers::block(model),
        Action::LimitUp => return open_prompt(model, Purpose::LimitUp),
        Action::LimitDown => return open_prompt(model, Purpose::LimitDown),
        Action::Quiet => return peers::quiet(model),
        Action::Hold => model.log.toggle_hold(),
        Action::LevelAll => model.log.set_level(Level::Debug),
        Action::LevelMain => model.log.set_level(Level::Info),
        Action::LevelTrouble => model.log.set_level(Level::Warning),
        Action::CopyPath => return copy::path(model),
        Action::CopyCommand => return copy::command(model),
        Action::CopyId => return copy::id(model),
        Action::Palette => {
            let prompt = Prompt::new(Purpose::Action, "");
            return open(model, Overlay::Palette { prompt, at: 0 });
        }
        Action::Doctor => {
            model.notice.say(Level::Info, "Looking at this machine and its network …", model.now);
            return calls(model, vec![(Command::Doctor, String::new())]);
        }
        Action::Help => return open(model, Overlay::Help { from: 0 }),
        Action::Theme => return complete::open_themes(model),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Background => return leaving::to_background(model),
        Action::Quit => return leaving::ask(model),
        Action::Interrupt => return keys::interrupt(model),
    }
    vec![Effect::DrawNow]
}

fn take_step(model: &mut Model) -> Vec<Effect> {
    match next_step(model) {
        Step::Get { games, .. } => {
            model.library.list.unmark();
            return fitting::get(model, games);
        }
        Step::Install { games, .. } => {
            model.library.list.unmark();
            return games::install_these(model, games);
        }
        Step::Play { game, title } => {
            model.notice.say(Level::Info, format!("Starting {title} …"), model.now);
            return calls(model, vec![(Command::Play { game, confirm: Vec::new() }, title)]);
        }
        Step::Resume { game, title, .. } => return calls(model, vec![(Command::Resume { game }, title)]),
        Step::ShowTransfer(game) => {
            model.transfers.set_filter("");
            model.transfers.list.seek(&game);
            model.reindex();
            go(model, Screen::Transfers);
        }
        Step::OpenMap => return pane::enter(model),
        Step::ShowGame(game) => {
            model.library.set_filter("");
            model.library.list.seek(&game);
            model.reindex();
            go(model, Screen::Library);
        }
        Step::ShowGamesOf(name) => {
            // A filter is words; a name with blanks is looked for by its first one.
            let first = name.split_whitespace().next().unwrap_or_default();
            model.library.set_filter(&format!("@{first}"));
            model.reindex();
            go(model, Screen::Library);
        }
        Step::ShowPeer(peer) => {
            model.peers.set_filter("");
            model.peers.list.seek(&peer);
            model.reindex();
            go(model, Screen::Peers);
        }
        Step::Follow => model.log.follow(),
        Step::None(why) => return refuse(model, why),
    }
    vec![Effect::DrawNow]
}

fn open_prompt(model: &mut Model, purpose: Purpose) -> Vec<Effect> {
    open(model, Overlay::Prompt(Prompt::new(purpose, "")))
}

pub(super) fn go(model: &mut Model, screen: Screen) {
    model.screen = screen;
    model.focus = Focus::List;
    // What was found while another tab was shown may lie outside the view.
    move_by(model, 0);
}

pub(super) fn move_by(model: &mut Model, rows: isize) {
    let height = page(model, model.screen);
    if model.screen == Screen::Log {
        return model.log.scroll(rows, height as u16);
    }
    let at = |model: &Model| model.table(model.screen).and_then(|table| table.list.at());
    let before = at(model);
    model.with_list(|list, ids| list.move_by(rows, ids, height));
    if at(model) != before
        && let Some(table) = model.table_mut(model.screen)
    {
        table.details_from = 0;
    }
}

fn mark_range(model: &mut Model) -> Vec<Effect> {
    let mut begun = false;
    model.with_list(|list, ids| begun = list.toggle_range(ids));
    let way = model.setting.keymap.way(Action::MarkRange);
    let text = if begun {
        format!("Marking as the cursor moves; {way} again ends it.")
    } else {
        "The range is marked.".to_owned()
    };
    model.notice.say(Level::Info, text, model.now);
    vec![Effect::DrawNow]
}

fn back(model: &mut Model) {
    if model.marked() == 0 && model.screen == Screen::Space && model.filter().is_empty() {
        return go(model, model.space.from);
    }
    if model.marked() == 0 {
        return model.set_filter("");
    }
    if let Some(table) = model.table_mut(model.screen) {
        table.list.unmark();
    }
}

/// Shows only games of which this is so, whatever other words the filter has.
fn show_only(model: &mut Model, quality: Option<&str>) {
    let words = model.filter().split_whitespace().filter(|word| !word.to_lowercase().starts_with("is:"));
    let words: Vec<String> = words.map(str::to_owned).chain(quality.map(|quality| format!("is:{quality}"))).collect();
    model.set_filter(&words.join(" "));
}

fn sort(model: &mut Model, by: SortBy) {
    reorder_table(model, |table| table.set_sort(by));
}

fn reorder_table(model: &mut Model, change: impl FnOnce(&mut Table)) {
    if let Some(table) = model.table_mut(model.screen) {
        change(table);
    }
    model.reindex();
}
