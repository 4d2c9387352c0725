//! The library: the table of games, and details beside or below it.

use potluck_widgets::{Align, Column, Row, Table, text};
use ratatui::{
    layout::Rect,
    text::{Line, Span},
};

use super::{
    super::{
        layout::{self, LibraryPlan},
        model::{Model, table::SortBy},
        theme::Role,
        words,
    },
    canvas::{Canvas, Pen, role_of},
    details, empty, map,
};
use crate::api::{GameView, StateWord};

/// Narrower than this, a badge is its sign and a reason is left to the details.
const STATE_WIDE: u16 = 22;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, body: Rect, foot: Option<Rect>) {
    let plan = layout::library(body);
    frame(canvas, model, &plan, foot);
    if model.library.rows().is_empty() {
        empty::library(canvas, model, plan.table);
    } else {
        table(canvas, model, plan.table, plan.pane.is_some());
    }
    let Some(game) = model.selected_game() else { return };
    if let Some(pane) = plan.pane {
        details::draw(canvas, model, game, pane);
    }
    if let Some(detail) = plan.detail {
        let line = details::one_line(canvas, model, game);
        let area = Rect { x: detail.x + 1, width: detail.width.saturating_sub(2), ..detail };
        canvas.line(area, &line, Align::Left);
    }
}

/// Rules, and the line between table and details.
fn frame(canvas: &mut Canvas<'_>, model: &Model, plan: &LibraryPlan, foot: Option<Rect>) {
    let counts = counts(model);
    if let Some(heading) = plan.heading {
        canvas.rule(heading, &counts, "");
    }
    if let Some(foot) = foot {
        canvas.rule(foot, "", "");
    }
    if let Some(rule) = plan.detail_rule {
        let title = model.selected_game().map_or("", |game| game.title.as_str());
        canvas.rule(rule, title, &counts);
    }
    if let Some(divider) = plan.divider {
        let bar = canvas.pen.either("│", "|");
        for row in divider.rows() {
            canvas.text(row, bar, Role::Border);
        }
        if let Some(heading) = plan.heading {
            canvas.joint(divider.x, heading.y, "┬");
        }
        if let Some(foot) = foot {
            canvas.joint(divider.x, foot.y, "┴");
        }
    }
}

/// `23 of 214 games · filter: lan`.
fn counts(model: &Model) -> String {
    let all = model.snapshot.games.len();
    let filter = model.library.filter();
    if filter.is_empty() {
        return words::count(all as u64, "game");
    }
    let shown = words::thousands(model.library.rows().len() as u64);
    format!("{shown} of {} · filter: {}", words::count(all as u64, "game"), filter.text())
}

fn table(canvas: &mut Canvas<'_>, model: &Model, area: Rect, has_pane: bool) {
    let (min, max) = match (has_pane, area.width) {
        (true, _) | (false, ..72) => (18, 30),
        (false, 72..) => (27, 44),
    };
    let columns = [
        Column::new("TITLE", 12).flex(3).max(60),
        Column::new("VERSION", 9).priority(3).flex(1).max(14),
        Column::new("SIZE", 8).align(Align::Right).priority(2),
        Column::new(" STATE", min).flex(1).max(max),
        Column::new("HAVE", 4).align(Align::Right).priority(1),
    ];
    let (sort, order) = model.library.sort();
    let by = [SortBy::Title, SortBy::Version, SortBy::Size, SortBy::State, SortBy::Have];
    // The best matches first is no column's order.
    let sorted = by.iter().position(|by| *by == sort && !model.library.ranks()).map(|column| (column, order));
    let rows = model.library.rows().len();
    let list = &model.library.list;
    let table = Table::new(&columns, rows)
        .scroll(list.scroll())
        .sorted(sorted)
        .spacing(1)
        .level(canvas.pen.level)
        .styles(canvas.pen.table_styles());
    let pen = canvas.pen;
    table.draw(area, canvas.buf, |row, widths| {
        let Some(game) = model.game_at(row) else { return Row::new([Line::default()]) };
        let mark = pen.either(Row::MARKED, Row::MARKED_ASCII);
        let mark = list.marks.contains(&game.id).then(|| pen.span(mark, Role::Marked));
        // What is not shared nobody else can have.
        let have = if game.private.is_some() { String::new() } else { words::thousands(u64::from(game.have)) };
        Row::new([
            Line::from(pen.span(game.title.as_str(), Role::Text)),
            Line::from(pen.span(game.version.as_str(), Role::Dim)),
            Line::from(pen.span(words::size(game.size), Role::Dim)),
            state(pen, model, game, widths[3]),
            Line::from(pen.span(have, Role::Dim)),
        ])
        .mark(mark)
    });
}

/// The state of a game, with what there is room for: percent, map, reason, badges.
fn state<'m>(pen: Pen<'_>, model: &'m Model, game: &'m GameView, width: u16) -> Line<'m> {
    let (word, percent, reason) = model.state_of(game);
    let mut line = Line::from(vec![Span::raw(" "), pen.state(word)]);
    let role = role_of(word);
    let transfer = model.transfer_of(&game.id);
    if let Some(percent) = percent.filter(|_| word != StateWord::Ready) {
        // The longest word is one longer than the rest; the percents still stand in one column.
        let room = 13_usize.saturating_sub(word.word().len().max(9));
        line.push_span(pen.span(format!("{percent:>room$} %"), role));
    }
    let room = usize::from(width).saturating_sub(text::line_width(&line) + 2);
    let wide = width >= STATE_WIDE;
    match (word, transfer) {
        (StateWord::Getting, Some(transfer)) if wide && room >= 6 => {
            line.push_span("  ");
            line.spans.extend(map::line(pen, transfer, room as u16).spans);
        }
        (StateWord::Waiting | StateWord::Failed, _) if wide && !reason.is_empty() => {
            // The reason says more than how far it came.
            line.spans.truncate(2);
            line.push_span(pen.span(format!(" {reason}"), role));
        }
        _ => badges(pen, model, game, wide, &mut line),
    }
    line
}

/// What a game that is here is besides.
fn badges<'m>(pen: Pen<'_>, model: &Model, game: &'m GameView, wide: bool, line: &mut Line<'m>) {
    if !matches!(game.state, StateWord::Ready | StateWord::Downloaded | StateWord::Available) {
        return;
    }
    let up = pen.either("↑", "^");
    let differs = pen.either("≠", "!");
    let playing = words::playing(game, model.now);
    let text = match (&game.update, &game.private) {
        (_, _) if wide && playing.is_some() => format!(" {}", playing.unwrap_or_default()),
        (_, _) if playing.is_some() => "playing".to_owned(),
        (Some(update), _) if wide => format!(" {up} {}, {}", update.version, words::size(update.size)),
        (Some(update), _) => format!("{up}{}", update.version),
        (None, Some(why)) if wide => format!(" private: {why}"),
        (None, Some(_)) => "private".to_owned(),
        (None, None) if game.variants && wide => format!(" {differs} two builds"),
        (None, None) if game.variants => format!(" {differs}"),
        (None, None) => return,
    };
    if !wide {
        // The padding after the word is room that a sign needs.
        if let Some(word) = line.spans.get_mut(1) {
            word.content = word.content.trim_end().to_owned().into();
        }
        line.push_span(" ");
    }
    line.push_span(pen.span(text, Role::Badge));
}
