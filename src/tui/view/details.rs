//! What there is to say about the selected game: the pane beside the library, and its one line where
//! there is no pane.

use potluck_widgets::text;
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

use super::{
    super::{
        layout,
        model::{Focus, Model},
        theme::Role,
        update::{Installed, to_play},
        words,
    },
    canvas::{Canvas, Pen, columns, role_of},
    map,
};
use crate::api::{AfterGet, BuildView, GameView, StateWord, TransferView};

/// Sources named in the pane; the rest is summed up.
const SOURCES_NAMED: usize = 4;

/// A line of the pane: one part at the left, one at the right.
type Pair<'m> = (Line<'m>, Line<'m>);

/// The pane.
pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, game: &GameView, pane: Rect) {
    let area = inner(pane);
    let title = canvas.pen.pane_title(model.focus, "DETAILS");
    let role = if model.focus == Focus::Pane { Role::Title } else { Role::Header };
    canvas.text(Rect { height: 1, ..area }, &title, role);
    let lines = lines(canvas.pen, model, game, area.width);
    let rest = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let from = model.library.details_from.min(lines.len().saturating_sub(usize::from(rest.height)));
    for ((left, right), row) in lines.iter().skip(from).zip(rest.rows()) {
        canvas.pair(row, left, right);
    }
}

/// How far the pane of the selected game can be scrolled.
pub(crate) fn scroll_max(model: &Model) -> usize {
    let plan = layout::chrome(model.size).map(|chrome| layout::library(chrome.body));
    let (Some(pane), Some(game)) = (plan.and_then(|plan| plan.pane), model.selected_game()) else { return 0 };
    let area = inner(pane);
    count(model, game, area.width).saturating_sub(usize::from(area.height.saturating_sub(1)))
}

fn inner(pane: Rect) -> Rect {
    Rect { x: pane.x + 1, width: pane.width.saturating_sub(1), ..pane }
}

/// How many lines the pane has; the theme does not change it.
fn count(model: &Model, game: &GameView, width: u16) -> usize {
    let plain = super::super::theme::Theme::plain();
    lines(Pen::new(&plain, model.setting.glyphs), model, game, width).len()
}

fn lines<'m>(pen: Pen<'_>, model: &'m Model, game: &'m GameView, width: u16) -> Vec<Pair<'m>> {
    let mut lines: Vec<Pair<'m>> = Vec::new();
    let one = |line: Line<'m>| (line, Line::default());
    lines.push((
        Line::from(pen.span(game.title.as_str(), Role::Title)),
        Line::from(pen.span(game.version.as_str(), Role::Text)),
    ));
    for line in text::wrap(&Line::from(pen.span(game.about.as_str(), Role::Dim)), usize::from(width)) {
        if columns(&line) > 0 {
            lines.push(one(line));
        }
    }
    lines.push(Pair::default());
    state(pen, model, game, width, &mut lines);
    lines.push(Pair::default());
    room(pen, game, &mut lines);
    match model.transfer_of(&game.id) {
        Some(transfer) if !transfer.sources.is_empty() => sources(pen, transfer, &mut lines),
        Some(_) | None => holders(pen, game, width, &mut lines),
    }
    without(pen, model, game, width, &mut lines);
    lines.push(Pair::default());
    lines.push((Line::from(pen.span("id", Role::Dim)), Line::from(pen.span(game.id.as_str(), Role::Dim))));
    let content = words::short_id(&game.content);
    lines.push((Line::from(pen.span("build", Role::Dim)), Line::from(pen.span(content, Role::Dim))));
    if let Some(version) = &game.pinned {
        lines.push((Line::from(pen.span("held at", Role::Dim)), Line::from(pen.span(version.as_str(), Role::Dim))));
    }
    lines
}

/// State, map and how far, or what there is.
fn state<'m>(pen: Pen<'_>, model: &'m Model, game: &'m GameView, width: u16, lines: &mut Vec<Pair<'m>>) {
    let (word, percent, reason) = model.state_of(game);
    let role = role_of(word);
    let mut left = Line::from(pen.span(format!("{} {}", words::glyph(word, pen.level), word.word()), role));
    if let Some(percent) = percent.filter(|_| word != StateWord::Ready) {
        left.push_span(pen.span(format!(" {percent} %"), role));
    }
    let transfer = model.transfer_of(&game.id);
    let right = transfer.and_then(|transfer| transfer.left_s).map_or_else(Line::default, |seconds| {
        Line::from(pen.span(format!("{} left", words::left(seconds)), Role::Text))
    });
    let playing = words::playing(game, model.now).map(|text| Line::from(pen.span(text, Role::Ready)));
    lines.push((left, playing.unwrap_or(right)));
    let wrapped = |text: &str, role| text::wrap(&Line::from(pen.span(text.to_owned(), role)), usize::from(width));
    if !reason.is_empty() {
        lines.extend(wrapped(reason, role).into_iter().map(|line| (line, Line::default())));
    }
    if let Some(transfer) = transfer {
        lines.push((map::line(pen, transfer, width), Line::default()));
        lines.push((
            Line::from(pen.span(words::done_of(transfer.done, transfer.size), Role::Text)),
            Line::from(pen.span(words::rate(transfer.down_bps), Role::Text)),
        ));
        if transfer.reused > 0 {
            let text = format!("{} of it were here before", words::size(transfer.reused));
            lines.push((Line::from(pen.span(text, Role::Dim)), Line::default()));
        }
        match transfer.after {
            AfterGet::Nothing => {}
            AfterGet::Install | AfterGet::InstallAndDrop => {
                let drop = if transfer.after.drops() { ", drop archives" } else { "" };
                let build = game.builds.iter().find(|build| build.content == transfer.content);
                let more = Installed::of(transfer.size, build.and_then(|build| build.installed_size)).size();
                let text = format!("then: install{drop} ({more} more)");
                lines.push((Line::from(pen.span(text, Role::Dim)), Line::default()));
            }
        }
        return;
    }
    let files = words::count(u64::from(game.files), "file");
    let size = match game.state {
        StateWord::Available => to_play(game.size, game.installed_size),
        StateWord::Getting
        | StateWord::Waiting
        | StateWord::Paused
        | StateWord::Checking
        | StateWord::Downloaded
        | StateWord::Installing
        | StateWord::Ready
        | StateWord::Failed
        | StateWord::Offline => words::size(game.size),
    };
    lines.push((
        Line::from(pen.span(size, Role::Text)),
        Line::from(pen.span(if game.files > 0 { files } else { String::new() }, Role::Dim)),
    ));
    if let Some(update) = &game.update {
        let text = format!("{} {} can be got", pen.either("↑", "^"), update.version);
        lines
            .push((Line::from(pen.span(text, Role::Badge)), Line::from(pen.span(words::size(update.size), Role::Dim))));
    }
    if game.variants {
        let text = format!("{} this version has two builds in the room", pen.either("≠", "!"));
        lines.extend(wrapped(&text, Role::Badge).into_iter().map(|line| (line, Line::default())));
    }
    if let Some(why) = &game.private {
        let text = format!("private, not shared: {why}");
        lines.extend(wrapped(&text, Role::Badge).into_iter().map(|line| (line, Line::default())));
    }
}

/// Builds and how many have each.
fn room<'m>(pen: Pen<'_>, game: &'m GameView, lines: &mut Vec<Pair<'m>>) {
    if game.builds.is_empty() {
        return;
    }
    lines.push((Line::from(pen.span("IN THE ROOM", Role::Header)), Line::default()));
    let same_version =
        |build: &BuildView| game.builds.iter().filter(|other| other.version == build.version).count() > 1;
    for (at, build) in game.builds.iter().enumerate() {
        let shown = if at == 0 { pen.either("›", ">") } else { " " };
        let mut left = Line::from(pen.span(format!("{shown} "), Role::Marked));
        left.push_span(pen.span(build.version.as_str(), Role::Text));
        if same_version(build) {
            // Two builds of a version differ in their first digits as good as always.
            let content = build.content.get(..4).unwrap_or(&build.content);
            left.push_span(pen.span(format!(" {content}"), Role::Dim));
        }
        if build.ours {
            left.push_span(pen.span(" yours", Role::Ready));
        } else if !build.vouched {
            left.push_span(pen.span(" unvouched", Role::Warning));
        }
        let have =
            format!("{} {} it", words::thousands(u64::from(build.have)), if build.have == 1 { "has" } else { "have" });
        lines.push((left, Line::from(pen.span(have, Role::Text))));
        if build.getting > 0 {
            let verb = if build.getting == 1 { "is" } else { "are" };
            let text = format!("{} {verb} getting it", words::thousands(u64::from(build.getting)));
            lines.push((Line::default(), Line::from(pen.span(text, Role::Dim))));
        }
    }
}

/// The best sources, and the rest as one.
fn sources<'m>(pen: Pen<'_>, transfer: &'m TransferView, lines: &mut Vec<Pair<'m>>) {
    lines.push(Pair::default());
    lines.push((
        Line::from(pen.span("FROM", Role::Header)),
        Line::from(pen.span(words::thousands(transfer.sources.len() as u64), Role::Dim)),
    ));
    let mut sources: Vec<_> = transfer.sources.iter().collect();
    sources.sort_by_key(|source| std::cmp::Reverse(source.bps));
    let named = if sources.len() == SOURCES_NAMED + 1 { sources.len() } else { SOURCES_NAMED };
    for source in sources.iter().take(named) {
        let holds = if source.holds == 100 { "all".to_owned() } else { format!("{} %", source.holds) };
        let name = text::clip(&source.name, 12, pen.level.ellipsis());
        let pad = " ".repeat(12_usize.saturating_sub(text::width(&name)));
        let left =
            Line::from(vec![pen.span(format!("{name}{pad}"), Role::Text), pen.span(format!(" {holds:>5}"), Role::Dim)]);
        lines.push((left, Line::from(pen.span(words::rate(source.bps), Role::Text))));
    }
    if sources.len() > named {
        let rest: u64 = sources[named..].iter().map(|source| source.bps).sum();
        lines.push((
            Line::from(pen.span(format!("{} more", sources.len() - named), Role::Dim)),
            Line::from(pen.span(words::rate(rest), Role::Dim)),
        ));
    }
}

/// Who has the build shown.
fn holders<'m>(pen: Pen<'_>, game: &'m GameView, width: u16, lines: &mut Vec<Pair<'m>>) {
    let Some(build) = game.builds.first().filter(|build| !build.holders.is_empty()) else { return };
    lines.push(Pair::default());
    lines.push((Line::from(pen.span("HELD BY", Role::Header)), Line::default()));
    let more = (build.have as usize).saturating_sub(build.holders.len() + usize::from(build.ours));
    let mut names = build.holders.join(", ");
    if more > 0 {
        names = format!("{names} and {more} more");
    }
    let line = Line::from(Span::styled(names, pen.style(Role::Text)));
    lines.extend(text::wrap(&line, usize::from(width)).into_iter().map(|line| (line, Line::default())));
}

/// Who of the room has nothing of it, where somebody has.
fn without<'m>(pen: Pen<'_>, model: &'m Model, game: &GameView, width: u16, lines: &mut Vec<Pair<'m>>) {
    let Some(known) = model.room.without.of(&game.id).filter(|known| known.count > 0 && game.have > 0) else { return };
    lines.push(Pair::default());
    lines.push((
        Line::from(pen.span("WITHOUT IT", Role::Header)),
        Line::from(pen.span(words::count(u64::from(known.count), "seat"), Role::Dim)),
    ));
    let mut names = known.names.join("  ");
    let more = u64::from(known.count).saturating_sub(known.names.len() as u64);
    if more > 0 {
        names = format!("{names}  and {} more", words::thousands(more));
    }
    let line = Line::from(pen.span(names, Role::Text));
    lines.extend(text::wrap(&line, usize::from(width)).into_iter().map(|line| (line, Line::default())));
}

/// What the pane says, in one line.
pub(super) fn one_line<'m>(canvas: &Canvas<'_>, model: &'m Model, game: &'m GameView) -> Line<'m> {
    let pen = canvas.pen;
    let (word, _, reason) = model.state_of(game);
    let mut parts: Vec<String> = Vec::new();
    if !reason.is_empty() {
        parts.push(reason.to_owned());
    }
    if let Some(transfer) = model.transfer_of(&game.id) {
        parts.push(words::done_of(transfer.done, transfer.size));
        if transfer.down_bps > 0 {
            let from = words::count(transfer.sources.iter().filter(|source| source.bps > 0).count() as u64, "peer");
            parts.push(format!("{} from {from}", words::rate(transfer.down_bps)));
        }
        if let Some(seconds) = transfer.left_s {
            parts.push(format!("{} left", words::left(seconds)));
        }
    } else {
        if !game.about.is_empty() {
            parts.push(game.about.clone());
        }
        let getting = if game.getting > 0 { format!(", {} getting", game.getting) } else { String::new() };
        let have = if game.have == 1 { "has" } else { "have" };
        parts.push(format!("{} {have} {}{getting}", words::thousands(u64::from(game.have)), game.version));
        if game.state == StateWord::Available {
            parts.push(to_play(game.size, game.installed_size));
        }
        if let Some(build) = game.builds.first().filter(|build| !build.holders.is_empty()) {
            parts.push(build.holders.join(", "));
        }
    }
    let role = if reason.is_empty() { Role::Text } else { role_of(word) };
    Line::from(pen.span(parts.join(pen.either(" · ", " - ")), role)).style(pen.style(Role::Text))
}
