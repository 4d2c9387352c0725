//! The lines around every screen: tabs and address above, the newest fact, rates and keys below.

use potluck_widgets::{Align, Hint, KeyHints, scale_above, sparkline, text};
use ratatui::{
    layout::{Position, Rect},
    text::Line,
    widgets::Widget,
};

use super::{
    super::{
        action::{Action, Screen, row},
        keymap::Keymap,
        model::{
            Focus, Model,
            history::History,
            is_moving,
            overlay::{Overlay, Prompt, Purpose},
        },
        theme::Role,
        update::{Step, next_step},
        words,
    },
    canvas::{Canvas, Pen, columns},
};
use crate::api::{Level, MeView, StateWord};

/// Tabs at the left; name and address at the right.
pub(super) fn top(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let pen = canvas.pen;
    let me = &model.snapshot.me;
    let mut left = Line::from(pen.span(PROGRAM, Role::Title));
    if me.demo {
        left.push_span(pen.span(DEMO, Role::Selected));
    }
    left.push_span(" ");
    for (screen, text) in tabs(model) {
        left.push_span(pen.span(text, if screen == model.screen { Role::Title } else { Role::Tab }));
    }
    if model.screen == Screen::Space {
        left.push_span(pen.span(format!(" [{}]", model.screen.name()), Role::Title));
    }
    let right = |parts: &[&str]| {
        let known: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
        Line::from(pen.span(format!("{} ", known.join("  ")), Role::Dim))
    };
    let attached = model.setting.attached.as_deref().map(|name| format!("attached to {name}")).unwrap_or_default();
    let name = if attached.is_empty() { me.name.as_str() } else { attached.as_str() };
    // What fits, the most telling first to stay.
    let choices = [right(&[name, address(me)]), right(&[name]), Line::default()];
    let room = area.width.saturating_sub(columns(&left));
    let fits = choices.iter().find(|line| columns(line) < room).unwrap_or(&choices[2]);
    canvas.line(area, &left, Align::Left);
    canvas.line(area, fits, Align::Right);
}

const PROGRAM: &str = " potluck ";
const DEMO: &str = " DEMO ";

/// Columns before the first tab.
fn before_tabs(model: &Model) -> usize {
    PROGRAM.len() + if model.snapshot.me.demo { DEMO.len() } else { 0 } + 1
}

/// The tabs as they are written, one after another.
fn tabs(model: &Model) -> impl Iterator<Item = (Screen, String)> + '_ {
    // What the tabs need with all their names.
    let needed: usize = Screen::TABS.iter().map(|screen| screen.name().len() + 4).sum();
    let named = usize::from(model.size.width).saturating_sub(before_tabs(model)) >= needed;
    (1..).zip(Screen::TABS).map(move |(number, screen)| {
        let current = screen == model.screen;
        let name = if named || current { format!("{number} {}", screen.name()) } else { number.to_string() };
        (screen, if current { format!("[{name}]") } else { format!(" {name} ") })
    })
}

/// The tab that is written at this column of the first line.
pub(crate) fn tab_at(model: &Model, column: u16) -> Option<Screen> {
    let mut left = usize::from(column).checked_sub(before_tabs(model))?;
    for (screen, text) in tabs(model) {
        left = match left.checked_sub(text.len()) {
            Some(left) => left,
            None => return Some(screen),
        };
    }
    None
}

/// The address others most likely reach us at.
pub(super) fn address(me: &MeView) -> &str {
    me.listen.last().map_or("", String::as_str)
}

/// The newest fact with its time; at the right what is marked, or what a badge of the selection means.
pub(super) fn message(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let pen = canvas.pen;
    let notice = &model.notice;
    let role = match notice.level {
        Some(Level::Error) => Role::Error,
        Some(Level::Warning) => Role::Warning,
        Some(Level::Debug | Level::Info | Level::Done) | None => Role::Message,
    };
    let mut left = Line::from(" ");
    if let Some(since) = model.away_since {
        // It stays as long as it is true, whatever else was said.
        let banner = format!("{} is away since {}; trying again.", model.snapshot.me.name, words::time(since));
        left.push_span(pen.span(banner, Role::Warning));
    } else if let Some(at) = notice.at {
        left.push_span(pen.span(words::time(at), Role::Time));
        left.push_span("  ");
        left.push_span(pen.span(notice.text.as_str(), role));
    }
    let right = aside(pen, model);
    canvas.pair(Rect { width: area.width.saturating_sub(1), ..area }, &left, &right);
}

fn aside<'m>(pen: Pen<'_>, model: &'m Model) -> Line<'m> {
    let marks = model.marked();
    if marks > 0 {
        let size = match model.screen {
            Screen::Library => {
                let marked = |id: &String| model.library.list.marks.contains(id);
                match model.snapshot.games.iter().filter(|game| marked(&game.id)).map(|game| game.size).sum() {
                    0 => String::new(),
                    bytes => format!(", {}", words::size(bytes)),
                }
            }
            Screen::Space => format!(", {}", model.space.marked_bytes().size()),
            Screen::Transfers | Screen::Peers | Screen::Links | Screen::Log => String::new(),
        };
        return Line::from(pen.span(format!("{marks} marked{size}"), Role::Marked));
    }
    if let Some(trouble) = &model.snapshot.totals.library_trouble {
        return Line::from(pen.span(trouble.as_str(), Role::Error));
    }
    if model.screen != Screen::Library {
        return Line::default();
    }
    let Some(game) = model.selected_game() else { return Line::default() };
    match (&game.update, &game.private) {
        (Some(update), _) => {
            Line::from(pen.span(format!("{} {} is here", pen.either("↑", "^"), update.version), Role::Badge))
        }
        (None, Some(why)) => Line::from(pen.span(format!("private: {why}"), Role::Badge)),
        (None, None) if game.variants => {
            Line::from(pen.span(format!("{} two builds", pen.either("≠", "!")), Role::Badge))
        }
        (None, None) => Line::default(),
    }
}

/// Rates with their last seconds; at the right the room, the disk and the time.
pub(super) fn status(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let pen = canvas.pen;
    let totals = &model.snapshot.totals;
    let bars = if area.width >= 100 { 10 } else { 6 };
    let mut left = Line::from(" ");
    let directions = [
        (pen.either("↓", "v"), totals.down_bps, &model.histories.down, totals.down_limit_bps, Role::GraphDown),
        (pen.either("↑", "^"), totals.up_bps, &model.histories.up, totals.up_limit_bps, Role::GraphUp),
    ];
    for (arrow, bps, history, limit, role) in directions {
        let rate = if bps == 0 { "0 MB/s".to_owned() } else { words::rate(bps) };
        left.push_span(pen.span(format!("{arrow} {rate} "), role));
        left.push_span(pen.span(graph(history, bars, pen), role));
        if totals.quiet && role == Role::GraphUp {
            left.push_span(pen.span(" quiet", Role::Warning));
        } else if let (Some(limit), true) = (limit, area.width >= 100) {
            left.push_span(pen.span(format!(" limit {}", words::limit(limit)), Role::Dim));
        }
        left.push_span("   ");
    }
    let free = totals.free.map(|bytes| format!("{} free", words::size(bytes)));
    let peers = words::count(u64::from(totals.peers), "peer");
    let clock = words::time(model.now);
    let joined = |parts: &[&str]| Line::from(pen.span(format!("{} ", parts.join("   ")), Role::Text));
    let mut choices = vec![joined(&[&peers, &clock]), joined(&[&clock]), Line::default()];
    if let Some(free) = &free {
        choices.insert(0, joined(&[&peers, free, &clock]));
    }
    // Rates matter most on narrow screens, the time least.
    let used = columns(&left).saturating_sub(3);
    let fits = choices.iter().find(|line| columns(line) <= area.width.saturating_sub(used));
    canvas.line(area, &left, Align::Left);
    if let Some(fits) = fits {
        canvas.line(area, fits, Align::Right);
    }
}

fn graph(history: &History, bars: u16, pen: Pen<'_>) -> String {
    sparkline(&history.last(usize::from(bars), usize::from(bars)), bars, pen.level, scale_above(history.recent_best()))
}

/// A line being typed; returns where its cursor is.
pub(super) fn prompt(canvas: &mut Canvas<'_>, prompt: &Prompt, area: Rect) -> Position {
    let label = prompt.purpose.label();
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let used = canvas.text(inner, label, Role::Key);
    let room = usize::from(inner.width.saturating_sub(used + 1));
    // The end of a long line is what is being typed: its beginning gives way.
    let before = prompt.line.before();
    let mut from = before.as_str();
    while text::width(from) > room {
        let mut chars = from.chars();
        chars.next();
        from = chars.as_str();
    }
    let line = prompt.line.text();
    let shown = &line[before.len() - from.len()..];
    let place = Rect { x: inner.x + used, width: inner.width - used, ..inner };
    canvas.text(place, shown, Role::Input);
    let at = u16::try_from(text::width(from)).unwrap_or(u16::MAX);
    Position::new(place.x.saturating_add(at).min(area.right() - 1), area.y)
}

/// What the keys do now.
pub(super) fn hints(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let hints = current(model);
    let hints: Vec<Hint<'_>> = hints
        .iter()
        .map(|(key, label, pinned)| if *pinned { Hint::pinned(key, label) } else { Hint::new(key, label) })
        .collect();
    let pen = canvas.pen;
    KeyHints::new(&hints).styles(pen.style(Role::Key), pen.style(Role::KeyText)).render(area, canvas.buf);
}

/// The keys of the map while one is in it.
fn in_map(keymap: &Keymap, step: Option<&str>) -> Vec<Shown> {
    let moving = [Action::Out, Action::Down, Action::Up, Action::Into].map(|action| keymap.shown(action));
    let moving = Some((moving.into_iter().flatten().collect::<Vec<_>>().join(" "), "Move".to_owned(), false));
    let hint = |action: Action, pinned: bool| Some((keymap.shown(action)?, row(action).hint.to_owned(), pinned));
    let step = keymap.shown(Action::Next).zip(step).map(|(key, label)| (key, label.to_owned(), false));
    [
        moving,
        step,
        hint(Action::MapLayer, false),
        hint(Action::ZoomIn, false),
        hint(Action::ZoomOut, false),
        hint(Action::Back, true),
        hint(Action::Help, true),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The keys of details that scroll while one is in them.
fn in_pane(keymap: &Keymap, step: Option<&str>) -> Vec<Shown> {
    let scroll = [Action::Down, Action::Up].map(|action| keymap.shown(action)).into_iter().flatten();
    let shown = |action: Action, label: &str, pinned| Some((keymap.shown(action)?, label.to_owned(), pinned));
    let hints = [
        step.and_then(|label| shown(Action::Next, label, true)),
        Some((scroll.collect::<Vec<_>>().join(" "), "Scroll".to_owned(), false)),
        shown(Action::Back, row(Action::Back).hint, true),
        shown(Action::Help, row(Action::Help).hint, true),
    ];
    hints.into_iter().flatten().collect()
}

/// Key, what it does, and whether it stays when there is no room for all.
type Shown = (String, String, bool);

fn current(model: &Model) -> Vec<Shown> {
    let plain = |key: &str, label: &str| (key.to_owned(), label.to_owned(), false);
    match &model.overlay {
        Some(Overlay::Prompt(prompt)) => {
            let (enter, esc) = match prompt.purpose {
                Purpose::Filter => ("Keep", "Clear"),
                Purpose::AddFolder => ("Add", "Leave"),
                Purpose::AddAddress => ("Connect", "Leave"),
                Purpose::LimitUp | Purpose::LimitDown => ("Limit", "Leave"),
                Purpose::Action => ("Do it", "Leave"),
                Purpose::Library => ("OK", "Leave"),
                Purpose::Theme => ("Keep", "As before"),
            };
            let mut hints = vec![plain("Enter", enter), plain("Esc", esc)];
            match prompt.purpose {
                Purpose::AddFolder => hints.push(plain("Tab", "Complete")),
                Purpose::Theme => hints.push(plain("Down Up", "Choose")),
                Purpose::Filter
                | Purpose::AddAddress
                | Purpose::LimitUp
                | Purpose::LimitDown
                | Purpose::Action
                | Purpose::Library => {}
            }
            if prompt.purpose == Purpose::Filter && model.screen != Screen::Log {
                hints.push(plain("Tab", "Complete"));
                hints.extend([plain("@name", "who has it"), plain("is:ready", "in that state")]);
            }
            return hints;
        }
        Some(Overlay::Palette { .. }) => {
            return vec![
                plain("Enter", "Do it"),
                plain("Tab", "Complete"),
                plain("Down Up", "Choose"),
                plain("Esc", "Leave"),
            ];
        }
        Some(Overlay::Help { .. } | Overlay::Doctor { .. }) => {
            return vec![plain("j k", "Scroll"), plain("Esc", "Close")];
        }
        Some(Overlay::Question(question)) => {
            let mut hints: Vec<Shown> =
                question.answers.iter().map(|answer| plain(&answer.key.name(), &answer.label)).collect();
            hints.push(plain("Esc", question.esc));
            return hints;
        }
        None => {}
    }
    if !model.pressed.is_empty() {
        let following = model.setting.keymap.following(&model.pressed, model.screen);
        let mut hints: Vec<Shown> = following.map(|(key, row)| plain(&key.name(), row.hint)).collect();
        hints.push(plain("Esc", "Leave"));
        return hints;
    }
    let keymap = &model.setting.keymap;
    let step = next_step(model);
    match (model.focus, model.screen) {
        (Focus::Pane, Screen::Transfers) => return in_map(keymap, step.label()),
        (Focus::Pane, Screen::Library | Screen::Peers | Screen::Links | Screen::Log | Screen::Space) => {
            return in_pane(keymap, step.label());
        }
        (Focus::List, _) => {}
    }
    let mut hints: Vec<Shown> = Vec::new();
    let mut add = |action: Action, label: Option<&str>, pinned: bool| {
        // What has no key is in the palette.
        let Some(key) = keymap.shown(action) else { return };
        hints.push((key, label.unwrap_or(row(action).hint).to_owned(), pinned));
    };
    if let Some(label) = step.label() {
        add(Action::Next, Some(label), true);
    }
    let marked = model.marked() > 0;
    if model.table(model.screen).is_some_and(|table| table.list.is_ranging()) {
        add(Action::MarkRange, Some("End range"), true);
    }
    if marked {
        add(Action::Back, Some("Unmark"), true);
    }
    let transfer = match model.screen {
        Screen::Library => model.selected_game().and_then(|game| model.transfer_of(&game.id)),
        Screen::Transfers => model.selected_transfer(),
        Screen::Peers | Screen::Links | Screen::Log | Screen::Space => None,
    };
    match model.screen {
        Screen::Library | Screen::Transfers => {
            if let Some(transfer) = transfer {
                add(Action::Pause, Some(if is_moving(transfer.state) { "Pause" } else { "Go on" }), false);
                add(Action::Cancel, None, false);
            } else if model.selected_game().is_some_and(|game| game.state == StateWord::Ready) {
                add(Action::Verify, None, false);
            }
            if model.screen == Screen::Transfers && transfer.is_some() {
                add(Action::Sooner, None, false);
                add(Action::Later, None, false);
                if step != Step::OpenMap {
                    add(Action::Into, Some("Map"), false);
                }
            }
            if !marked && (model.screen == Screen::Library && !model.library.rows().is_empty()) {
                add(Action::Mark, None, false);
            }
        }
        Screen::Peers => {
            add(Action::AddAddress, None, false);
            if let Some(peer) = model.selected_peer() {
                add(Action::Trust, Some(if peer.trusted { "Stop trusting" } else { "Trust" }), false);
                add(Action::Block, Some(if peer.blocked { "Let in again" } else { "Block" }), false);
            }
        }
        Screen::Links => {}
        Screen::Space => {
            if model.space.selected().is_some() {
                add(Action::Remove, None, false);
                add(Action::Mark, None, false);
            }
            if !marked && model.filter().is_empty() {
                add(Action::Back, None, false);
            }
        }
        Screen::Log => {
            add(Action::Hold, Some(if model.log.drawn().1.is_held() { "Follow" } else { "Hold" }), false);
        }
    }
    add(Action::Filter, None, false);
    if model.screen == Screen::Library {
        add(Action::AddFolder, None, false);
    }
    add(Action::Help, None, true);
    add(Action::Quit, model.setting.attached.as_ref().map(|_| "Detach"), true);
    // Menus stand before what is always there.
    if model.table(model.screen).is_none_or(|table| !table.rows().is_empty()) {
        let at = hints.len().saturating_sub(2);
        let menus = [("sort-", "Sort"), ("show-", "Show"), ("level-", "Level")];
        let menu = |(names, label): (&str, &str)| Some((keymap.menu(names, model.screen)?, label.to_owned(), false));
        hints.splice(at..at, menus.into_iter().filter_map(menu));
    }
    hints
}
