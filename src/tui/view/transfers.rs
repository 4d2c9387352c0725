//! The transfers: the queue, the chunk map of the selected one, and where it comes from.

use potluck_widgets::{Align, Column, GlyphLevel, Row, Scroll, Table, column_widths};
use ratatui::{layout::Rect, text::Line};

use super::{
    super::{
        layout,
        model::{self, Model, is_moving, table::SortBy},
        theme::Role,
        words,
    },
    canvas::{Canvas, role_of},
    empty, map,
};
use crate::api::{SourceView, StateWord, TransferView};

/// Columns before the first one of a table: marker, mark, blank.
const LEAD: u16 = 3;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, body: Rect) {
    let selected = model.selected_transfer();
    let sources = selected.map_or(0, |transfer| transfer.sources.len());
    let plan = layout::transfers(body, model.transfers.rows().len(), sources);
    canvas.rule(plan.heading, &heading(model), "");
    if model.transfers.rows().is_empty() {
        return empty::transfers(canvas, model, plan.table);
    }
    table(canvas, model, plan.table);
    let Some(transfer) = selected else { return };
    if let Some(place) = plan.map {
        map::draw(canvas, model, transfer, &place);
    }
    if let Some((rule, area)) = plan.sources {
        let what = match transfer.sources.len() {
            0 => "from nobody yet".to_owned(),
            count => format!("from {}", words::count(count as u64, "peer")),
        };
        let reused = match transfer.reused {
            0 => String::new(),
            bytes => format!("{} were here before", words::size(bytes)),
        };
        canvas.rule(rule, &what, &reused);
        if transfer.sources.is_empty() {
            let inner = Rect { x: area.x + 3, width: area.width.saturating_sub(4), ..area };
            canvas.text(inner, "Those who send it are listed here.", Role::Dim);
        } else {
            source_table(canvas, model, transfer, area);
        }
    }
}

fn heading(model: &Model) -> String {
    let all = model.snapshot.transfers.len() as u64;
    let moving = model.snapshot.transfers.iter().filter(|transfer| is_moving(transfer.state)).count() as u64;
    let shown = model.transfers.rows().len() as u64;
    let filter = model.transfers.filter();
    let mut text = if filter.is_empty() {
        words::count(all, "transfer")
    } else {
        format!("{} of {} · filter: {}", words::thousands(shown), words::count(all, "transfer"), filter.text())
    };
    if moving < all {
        text = format!("{text}, {} stopped", all - moving);
    }
    text
}

fn table(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let columns = [
        Column::new("TITLE", 14).flex(3).max(48),
        Column::new("STATE", 12),
        Column::new("MAP", 8).flex(2).max(40).priority(2),
        Column::new("%", 5).align(Align::Right),
        Column::new("DONE", 15).align(Align::Right).priority(3),
        Column::new("RATE", 10).align(Align::Right),
        Column::new("LEFT", 7).align(Align::Right),
        Column::new("FROM", 4).align(Align::Right).priority(1),
    ];
    let pen = canvas.pen;
    let list = &model.transfers.list;
    // In the order of the queue no column has an arrow.
    let (sort, order) = model.transfers.sort();
    let by = [(SortBy::Title, 0), (SortBy::State, 1), (SortBy::Size, 4), (SortBy::Rate, 5), (SortBy::Left, 6)];
    let sorted = by.iter().find(|(by, _)| *by == sort).map(|(_, column)| (*column, order));
    let table = Table::new(&columns, model.transfers.rows().len())
        .scroll(list.scroll())
        .sorted(sorted)
        .spacing(1)
        .level(pen.level)
        .styles(pen.table_styles());
    let mut reasons = Vec::new();
    table.draw(area, canvas.buf, |row, widths| {
        let Some(transfer) = model.transfer_at(row) else { return Row::new([Line::default()]) };
        let mark = pen.either(Row::MARKED, Row::MARKED_ASCII);
        let mark = list.marks.contains(&transfer.game).then(|| pen.span(mark, Role::Marked));
        let role = role_of(transfer.state);
        let says_why = transfer.state != StateWord::Getting && !transfer.reason.is_empty();
        reasons.push(says_why.then_some((transfer.reason.as_str(), role)));
        let unless = |text: String| if says_why { String::new() } else { text };
        let from = transfer.sources.iter().filter(|source| source.bps > 0).count();
        Row::new([
            Line::from(pen.span(transfer.title.as_str(), Role::Text)),
            Line::from(pen.state(transfer.state)),
            map::line(pen, transfer, widths[2]),
            Line::from(pen.span(format!("{} %", transfer.percent), role)),
            Line::from(pen.span(words::done_of(transfer.done, transfer.size), Role::Text)),
            Line::from(pen.span(unless(words::rate(transfer.down_bps)), Role::Text)),
            Line::from(pen.span(unless(transfer.left_s.map(words::left).unwrap_or_default()), Role::Text)),
            Line::from(pen.span(unless(if from > 0 { from.to_string() } else { String::new() }), Role::Dim)),
        ])
        .mark(mark)
    });
    // A transfer that does not move has its reason where its rates would be.
    let widths = column_widths(&columns, area.width.saturating_sub(LEAD), 1);
    let before: u16 = widths[..5].iter().filter(|width| **width > 0).map(|width| width + 1).sum();
    let x = area.x + LEAD + before + 1;
    for (reason, row) in reasons.into_iter().zip(area.rows().skip(1)) {
        if let Some((reason, role)) = reason {
            let style = pen.style(role);
            let style =
                if canvas.buf[(x.min(row.right() - 1), row.y)].modifier.contains(ratatui::style::Modifier::REVERSED) {
                    pen.style(Role::Selected)
                } else {
                    style
                };
            let place = Rect { x, width: row.right().saturating_sub(x + 1), ..row };
            canvas.line(place, &Line::styled(reason, style), Align::Left);
        }
    }
}

fn source_table(canvas: &mut Canvas<'_>, model: &Model, transfer: &TransferView, area: Rect) {
    let columns = [
        Column::new("PEER", 12).flex(1).max(32),
        Column::new("HOLDS", 5).align(Align::Right),
        Column::new("", 12).flex(1).max(24).priority(4),
        Column::new("RATE", 10).align(Align::Right),
        Column::new("SHARE", 8).flex(1).max(20).priority(2),
        Column::new("", 5).align(Align::Right),
        Column::new("PING", 7).align(Align::Right).priority(3),
        Column::new("COMING", 8).align(Align::Right).priority(5),
        Column::new("WE SEND", 10).align(Align::Right).priority(6),
    ];
    let pen = canvas.pen;
    let mut sources: Vec<&SourceView> = transfer.sources.iter().collect();
    sources.sort_by(|a, b| b.bps.cmp(&a.bps).then(b.bytes.cmp(&a.bytes)).then(a.name.cmp(&b.name)));
    let coloured = model::map::coloured(transfer);
    let bytes: u64 = sources.iter().map(|source| source.bytes).sum();
    let rows = usize::from(area.height.saturating_sub(1));
    let offset = model.transfers.details_from.min(sources.len().saturating_sub(rows));
    let table = Table::new(&columns, sources.len())
        .scroll(Scroll { offset, selected: None })
        .spacing(1)
        .level(pen.level)
        .styles(pen.table_styles());
    table.draw(area, canvas.buf, |row, widths| {
        let source = sources[row];
        let holds = if source.holds == 100 { "all".to_owned() } else { format!("{} %", source.holds) };
        let share = potluck_widgets::percent(source.bytes, bytes);
        let up = model.snapshot.peers.iter().find(|peer| peer.id == source.peer).map_or(0, |peer| peer.up_bps);
        let coming = if source.coming > 0 { words::size(source.coming) } else { String::new() };
        let up = if up > 0 { words::rate(up) } else { pen.either("–", "-").to_owned() };
        Row::new([
            Line::from(pen.span(source.name.as_str(), map::source_role(&coloured, &source.peer).unwrap_or(Role::Text))),
            Line::from(pen.span(holds, Role::Text)),
            map::held(pen, model, source, widths[2]),
            Line::from(pen.span(words::rate(source.bps), Role::Text)),
            Line::from(pen.span(share_bar(source.bytes, bytes, widths[4], pen.level), Role::GraphDown)),
            Line::from(pen.span(if bytes > 0 { format!("{share} %") } else { String::new() }, Role::Text)),
            Line::from(pen.span(words::ping(source.rtt_us), Role::Dim)),
            Line::from(pen.span(coming, Role::Dim)),
            Line::from(pen.span(up, Role::Dim)),
        ])
    });
}

/// A bar without its empty part: shares are compared by length.
fn share_bar(part: u64, whole: u64, width: u16, level: GlyphLevel) -> String {
    if whole == 0 {
        return String::new();
    }
    let full = if level == GlyphLevel::Ascii { "#" } else { "▇" };
    let cells = (u128::from(part) * u128::from(width)).div_ceil(u128::from(whole));
    full.repeat(usize::try_from(cells).unwrap_or(0).min(usize::from(width)))
}
