//! Free space: what takes space here and could go, the largest first, and what is lost with the selected one.

use potluck_widgets::{Align, Column, Row, Table};
use ratatui::{layout::Rect, text::Line};

use super::{
    super::{
        layout,
        model::{
            Model,
            space::{loss, name},
            table::{Listed, SortBy},
        },
        theme::Role,
        words,
    },
    canvas::Canvas,
    empty,
};
use crate::api::{Freeable, SpaceItem};

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, body: Rect) {
    let plan = layout::space(body);
    canvas.rule(plan.heading, &heading(model), &free(model));
    if model.space.table.rows().is_empty() {
        empty::space(canvas, model, plan.table);
    } else {
        table(canvas, model, plan.table);
    }
    if let (Some((rule, lines)), Some(item)) = (plan.detail, model.space.selected()) {
        canvas.rule(rule, &item.title, name(&item.what));
        let rows: Vec<Rect> = Rect { x: lines.x + 1, width: lines.width.saturating_sub(2), ..lines }.rows().collect();
        let role = if item.what == Freeable::Replaced || item.others == 0 { Role::Warning } else { Role::Text };
        for (row, (text, role)) in rows.iter().zip([(loss(item), role), (item.path.clone(), Role::Dim)]) {
            canvas.text(*row, &text, role);
        }
    }
}

/// `9 things could go, 41.2 GB`.
fn heading(model: &Model) -> String {
    let space = &model.space;
    let Some(more) = space.more() else { return "free space".to_owned() };
    if space.items().is_empty() {
        return "free space".to_owned();
    }
    let all = words::count(space.items().len() as u64 + u64::from(more), "thing");
    let filter = space.table.filter();
    let shown = words::thousands(space.table.rows().len() as u64);
    let listed = if more > 0 { ", the largest listed" } else { "" };
    let text = format!("{all} could go, {}{listed}", space.bytes().size());
    if filter.is_empty() { text } else { format!("{shown} of {text} · filter: {}", filter.text()) }
}

/// How much is free, and how much would be.
fn free(model: &Model) -> String {
    let Some(free) = model.snapshot.totals.free else { return String::new() };
    let (marked, free_now) = (model.space.marked_bytes(), words::size(free));
    if marked.is_nothing() {
        format!("{free_now} free")
    } else {
        format!("{free_now} free, then {}", marked.and(free).size())
    }
}

/// `3 d ago`, `never`.
fn played(model: &Model, item: &SpaceItem) -> String {
    match item.last_played {
        Some(at_ms) => {
            let span = words::span(model.now.unix_ms.saturating_sub(at_ms));
            // The minutes of an hour say nothing here.
            let hours = span.split_once(" h ").map_or(span.clone(), |(hours, _)| format!("{hours} h"));
            format!("{hours} ago")
        }
        None => "never".to_owned(),
    }
}

fn table(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let columns = [
        Column::new("TITLE", 10).flex(3).max(60),
        Column::new("VERSION", 9).priority(2).flex(1).max(14),
        Column::new("SIZE", 8).align(Align::Right),
        Column::new(" WHAT", 15).flex(1).max(26),
        Column::new("PLAYED", 9).align(Align::Right).priority(3),
        Column::new("OTHERS", 6).align(Align::Right).priority(1),
    ];
    let pen = canvas.pen;
    let space = &model.space;
    let (sort, order) = space.table.sort();
    let sorted = [(SortBy::Title, 0), (SortBy::Size, 2), (SortBy::Played, 4)].iter().find(|(by, _)| *by == sort);
    let table = Table::new(&columns, space.table.rows().len())
        .scroll(space.table.list.scroll())
        .sorted(sorted.map(|(_, column)| (*column, order)))
        .spacing(1)
        .level(pen.level)
        .styles(pen.table_styles());
    table.draw(area, canvas.buf, |row, _| {
        let Some(item) = space.at(row) else { return Row::new([Line::default()]) };
        let mark = pen.either(Row::MARKED, Row::MARKED_ASCII);
        let mark = space.table.list.marks.contains(&*item.id()).then(|| pen.span(mark, Role::Marked));
        let (role, others) = match item.what {
            Freeable::Replaced => (Role::Warning, String::new()),
            Freeable::Download { .. } | Freeable::Payload | Freeable::Game => {
                (Role::Dim, words::thousands(item.others.into()))
            }
        };
        Row::new([
            Line::from(pen.span(item.title.as_str(), Role::Text)),
            Line::from(pen.span(item.version.as_str(), Role::Dim)),
            Line::from(pen.span(words::size(item.bytes), Role::Text)),
            Line::from(pen.span(format!(" {}", name(&item.what)), role)),
            Line::from(pen.span(played(model, item), Role::Dim)),
            Line::from(pen.span(others, Role::Dim)),
        ])
        .mark(mark)
    });
}
