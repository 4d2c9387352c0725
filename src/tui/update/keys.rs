//! Who gets a key: what lies over the screen, a sequence that is not complete, or the action table.

use super::{
    super::{
        action::{Action, Screen},
        keymap::{Found, Key},
        model::{
            Focus, Model,
            library::SortBy,
            list::List,
            overlay::{Deed, Overlay, Prompt, Purpose, TypedLine},
        },
        view,
    },
    Effect, Step, calls, games, leaving, map, motion, next_step, open, page, pane, refuse,
};
use crate::api::{Command, Level};

/// How long a second Ctrl-c counts as the second.
const INTERRUPT_MS: u64 = 2_000;

pub(super) fn on_key(model: &mut Model, key: Key) -> Vec<Effect> {
    // These work whatever lies over the screen: nobody is ever locked in.
    match key.name().as_str() {
        "Ctrl-c" => return interrupt(model),
        "Ctrl-l" => return vec![Effect::Redraw],
        "Ctrl-z" => return vec![Effect::Suspend],
        _ => {}
    }
    if let Some(overlay) = model.overlay.take() {
        return match overlay {
            Overlay::Help { from } => on_help_key(model, key, from),
            Overlay::Question(mut question) => {
                if let Some(at) = question.answers.iter().position(|answer| answer.key == key) {
                    return answer(model, question.answers.swap_remove(at).does);
                }
                if matches!(key.name().as_str(), "Esc" | "n" | "q") {
                    return vec![Effect::DrawNow];
                }
                // Any other key neither answers nor closes: a question is not dismissed by accident.
                model.overlay = Some(Overlay::Question(question));
                Vec::new()
            }
            Overlay::Prompt(prompt) => on_prompt_key(model, key, prompt),
        };
    }
    model.pressed.push(key);
    match model.keymap.find(&model.pressed, model.screen) {
        Found::Action(action) => {
            model.pressed.clear();
            act(model, action)
        }
        Found::Pending => vec![Effect::DrawNow],
        Found::Nothing => {
            let was_pending = model.pressed.len() > 1;
            model.pressed.clear();
            if was_pending { vec![Effect::DrawNow] } else { Vec::new() }
        }
    }
}

pub(super) fn on_paste(model: &mut Model, text: &str) -> Vec<Effect> {
    // Pasted text is never taken for keys: only a line that is being typed wants it.
    let Some(Overlay::Prompt(prompt)) = &mut model.overlay else { return Vec::new() };
    prompt.line.insert(text.trim());
    if prompt.purpose == Purpose::Filter {
        let text = prompt.line.text();
        set_filter(model, &text);
    }
    vec![Effect::DrawNow]
}

fn answer(model: &mut Model, deed: Deed) -> Vec<Effect> {
    match deed {
        Deed::Commands(commands) => calls(model, commands),
        Deed::Quit => leaving::leave(model),
    }
}

fn interrupt(model: &mut Model) -> Vec<Effect> {
    if model.now.unix_ms < model.interrupted_until_ms {
        return leaving::leave(model);
    }
    model.interrupted_until_ms = model.now.unix_ms + INTERRUPT_MS;
    model.overlay = None;
    model.pressed.clear();
    let what = if model.setting.attached.is_some() { "detaches" } else { "quits" };
    model.notice.say(Level::Info, format!("Ctrl-c again {what}."), model.now);
    vec![Effect::DrawNow]
}

fn on_help_key(model: &mut Model, key: Key, from: usize) -> Vec<Effect> {
    let page = usize::from(model.size.height.saturating_sub(6)).max(1);
    let to = match model.keymap.find(&[key], model.screen) {
        Found::Action(Action::Down) => from + 1,
        Found::Action(Action::Up) => from.saturating_sub(1),
        Found::Action(Action::HalfDown) => from + page / 2,
        Found::Action(Action::HalfUp) => from.saturating_sub(page / 2),
        Found::Action(Action::PageDown) => from + page,
        Found::Action(Action::PageUp) => from.saturating_sub(page),
        Found::Action(Action::Bottom) => usize::MAX / 2,
        Found::Action(Action::Top) | Found::Pending => 0,
        Found::Action(Action::Back | Action::Help | Action::Quit | Action::Next) => return vec![Effect::DrawNow],
        Found::Action(_) | Found::Nothing => from,
    };
    model.overlay = Some(Overlay::Help { from: to.min(view::help_scroll_max(model)) });
    vec![Effect::DrawNow]
}

fn on_prompt_key(model: &mut Model, key: Key, mut prompt: Prompt) -> Vec<Effect> {
    match (key.name().as_str(), prompt.purpose) {
        ("Esc", Purpose::Filter) => {
            set_filter(model, &prompt.before);
            return vec![Effect::DrawNow];
        }
        ("Esc", Purpose::AddFolder | Purpose::AddAddress | Purpose::Library) => return vec![Effect::DrawNow],
        ("Enter", _) => return submit(model, &prompt),
        // One looks through what is left while typing.
        ("Down", Purpose::Filter) => move_by(model, 1),
        ("Up", Purpose::Filter) => move_by(model, -1),
        (_, purpose) => {
            if prompt.line.edit(key) && purpose == Purpose::Filter {
                set_filter(model, &prompt.line.text());
            }
        }
    }
    open(model, Overlay::Prompt(prompt))
}

fn submit(model: &mut Model, prompt: &Prompt) -> Vec<Effect> {
    let text = prompt.line.text();
    let text = text.trim();
    match prompt.purpose {
        Purpose::Filter | Purpose::Library => vec![Effect::DrawNow],
        Purpose::AddFolder | Purpose::AddAddress if text.is_empty() => vec![Effect::DrawNow],
        Purpose::AddFolder => games::add_folder(model, text),
        Purpose::AddAddress => {
            model.notice.say(Level::Info, format!("Connecting to {text} …"), model.now);
            calls(model, vec![(Command::Connect { addr: text.to_owned() }, text.to_owned())])
        }
    }
}

fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    if let Some(effects) = pane::act(model, action) {
        return effects;
    }
    let screen = model.screen;
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
        Action::Log => go(model, Screen::Log),
        Action::NextScreen => go(model, screen.step(1)),
        Action::PrevScreen => go(model, screen.step(-1)),
        Action::Next => return take_step(model),
        Action::Mark => with_list(model, |list, ids, height| {
            if let Some(id) = list.id().map(str::to_owned) {
                list.toggle_mark(&id);
                list.move_by(1, ids, height);
            }
        }),
        Action::MarkAll => with_list(model, |list, ids, _| list.toggle_all(ids)),
        Action::Filter => {
            let before = filter_of(model).to_owned();
            let line = TypedLine::new(&before);
            return open(model, Overlay::Prompt(Prompt { purpose: Purpose::Filter, line, before }));
        }
        Action::Back => back(model),
        Action::SortTitle => sort(model, SortBy::Title),
        Action::SortVersion => sort(model, SortBy::Version),
        Action::SortSize => sort(model, SortBy::Size),
        Action::SortState => sort(model, SortBy::State),
        Action::SortHave => sort(model, SortBy::Have),
        Action::SortReverse => {
            model.library.reverse();
            model.reindex();
        }
        Action::Pause => return games::pause(model),
        Action::Cancel => return games::cancel(model),
        Action::Later => return games::reorder(model, 1),
        Action::Sooner => return games::reorder(model, -1),
        Action::MapLayer => return map::layer(model),
        Action::ZoomIn => return map::zoom_in(model),
        Action::ZoomOut => return map::zoom_out(model),
        Action::Verify => return games::verify(model),
        Action::Remove => return games::remove(model),
        Action::AddFolder => return open_prompt(model, Purpose::AddFolder),
        Action::AddAddress => return open_prompt(model, Purpose::AddAddress),
        Action::Rescan => {
            model.notice.say(Level::Info, "Looking at the whole library again …", model.now);
            return calls(model, vec![(Command::Rescan, String::new())]);
        }
        Action::Trust => return games::trust(model),
        Action::Block => return games::block(model),
        Action::Hold => model.log.toggle_hold(),
        Action::LogLevel => model.log.next_level(),
        Action::Help => return open(model, Overlay::Help { from: 0 }),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Quit => return leaving::ask(model),
        Action::Interrupt => return interrupt(model),
    }
    vec![Effect::DrawNow]
}

fn take_step(model: &mut Model) -> Vec<Effect> {
    match next_step(model) {
        Step::Get { games, .. } => {
            model.library.list.marks.clear();
            return calls(model, games.into_iter().map(|(request, title)| (Command::Get(request), title)).collect());
        }
        Step::Resume { game, title, .. } => return calls(model, vec![(Command::Resume { game }, title)]),
        Step::ShowTransfer(game) => {
            model.transfers.set_filter("");
            model.transfers.list.seek(&game);
            model.reindex();
            go(model, Screen::Transfers);
        }
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
        Step::Follow => model.log.follow(),
        Step::None(why) => return refuse(model, why),
    }
    vec![Effect::DrawNow]
}

fn open_prompt(model: &mut Model, purpose: Purpose) -> Vec<Effect> {
    open(model, Overlay::Prompt(Prompt { purpose, line: TypedLine::default(), before: String::new() }))
}

fn go(model: &mut Model, screen: Screen) {
    model.screen = screen;
    model.focus = Focus::List;
    with_list(model, |list, ids, height| {
        if let Some(at) = list.at() {
            list.go_to(at, ids, height);
        }
    });
}

fn move_by(model: &mut Model, rows: isize) {
    if model.screen == Screen::Log {
        let height = page(model, Screen::Log) as u16;
        return model.log.scroll(rows, height);
    }
    let before = model.list_of(model.screen).and_then(List::at);
    with_list(model, |list, ids, height| list.move_by(rows, ids, height));
    if model.list_of(model.screen).and_then(List::at) != before {
        model.library.details_from = 0;
        model.transfers.details_from = 0;
    }
}

fn with_list(model: &mut Model, change: impl FnOnce(&mut List, &[&str], usize)) {
    let height = page(model, model.screen);
    match model.screen {
        Screen::Library => {
            let ids = model.library.ids(&model.snapshot);
            change(&mut model.library.list, &ids, height);
        }
        Screen::Transfers => {
            let ids = model.transfers.ids(&model.snapshot);
            change(&mut model.transfers.list, &ids, height);
        }
        Screen::Peers => {
            let ids = model.peers.ids(&model.snapshot);
            change(&mut model.peers.list, &ids, height);
        }
        Screen::Log => {}
    }
}

fn back(model: &mut Model) {
    let marks = match model.screen {
        Screen::Library => &mut model.library.list.marks,
        Screen::Transfers => &mut model.transfers.list.marks,
        Screen::Peers => &mut model.peers.list.marks,
        Screen::Log => return set_filter(model, ""),
    };
    if marks.is_empty() { set_filter(model, "") } else { marks.clear() }
}

fn sort(model: &mut Model, by: SortBy) {
    model.library.set_sort(by);
    model.reindex();
}

fn filter_of(model: &Model) -> &str {
    match model.screen {
        Screen::Library => model.library.filter().text(),
        Screen::Transfers => model.transfers.filter().text(),
        Screen::Peers => model.peers.filter().text(),
        Screen::Log => model.log.filter(),
    }
}

fn set_filter(model: &mut Model, text: &str) {
    match model.screen {
        Screen::Library => model.library.set_filter(text),
        Screen::Transfers => model.transfers.set_filter(text),
        Screen::Peers => model.peers.set_filter(text),
        Screen::Log => model.log.set_filter(text),
    }
    model.reindex();
}
