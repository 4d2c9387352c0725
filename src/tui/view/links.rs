//! The links: the connections that stand, and below them those that came and went.

use potluck_widgets::{Align, Column, Row, Table};
use ratatui::{layout::Rect, text::Line};

use super::{
    super::{
        layout,
        model::{
            Model, Moment,
            links::Connection,
            table::{Listed, SortBy},
        },
        theme::Role,
        words,
    },
    canvas::{Canvas, Pen},
    empty,
};
use crate::api::{LinkPath, LinkView};

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, body: Rect) {
    let plan = layout::links(body, model.links.rows().len());
    canvas.rule(plan.heading, &heading(model), "");
    if model.links.rows().is_empty() {
        empty::links(canvas, model, plan.table);
    } else {
        table(canvas, model, plan.table);
    }
    if let Some((rule, area)) = plan.stream {
        canvas.rule(rule, &canvas.pen.pane_title(model.focus, "came and went"), "newest first");
        stream(canvas, model, Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area });
    }
}

/// `12 links to 10 peers, 1 draining`.
fn heading(model: &Model) -> String {
    let links = &model.snapshot.links;
    let mut peers: Vec<&str> = links.iter().map(|link| link.peer.as_str()).collect();
    peers.sort_unstable();
    peers.dedup();
    let mut text =
        format!("{} to {}", words::count(links.len() as u64, "link"), words::count(peers.len() as u64, "peer"));
    let draining = links.iter().filter(|link| link.draining).count();
    if draining > 0 {
        text = format!("{text}, {draining} draining");
    }
    let filter = model.links.filter();
    if !filter.is_empty() {
        let shown = words::thousands(model.links.rows().len() as u64);
        text = format!("{shown} of {text} · filter: {}", filter.text());
    }
    text
}

fn table(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let columns = [
        Column::new("NAME", 10).flex(2).max(32),
        Column::new("ADDRESS", 17).flex(2).max(44),
        Column::new("AGE", 10).align(Align::Right),
        Column::new("FROM", 8).align(Align::Right),
        Column::new("TO", 8).align(Align::Right),
        Column::new("PING", 7).align(Align::Right),
        Column::new("LOSS", 6).align(Align::Right).priority(2),
        Column::new("MTU", 5).align(Align::Right).priority(3),
        Column::new("LINK", 4).align(Align::Right).priority(4),
        Column::new(" PATH", 9).flex(1).max(24).priority(1),
    ];
    let pen = canvas.pen;
    let list = &model.links.list;
    let (sort, order) = model.links.sort();
    let by =
        [(SortBy::Name, 0), (SortBy::Age, 2), (SortBy::From, 3), (SortBy::To, 4), (SortBy::Ping, 5), (SortBy::Loss, 6)];
    let sorted = by.iter().find(|(by, _)| *by == sort).map(|(_, column)| (*column, order));
    let table = Table::new(&columns, model.links.rows().len())
        .scroll(list.scroll())
        .sorted(sorted)
        .spacing(1)
        .level(pen.level)
        .styles(pen.table_styles());
    table.draw(area, canvas.buf, |row, _| {
        let Some(link) = model.link_at(row) else { return Row::new([Line::default()]) };
        let mark = pen.either(Row::MARKED, Row::MARKED_ASCII);
        let mark = list.marks.contains(&*link.id()).then(|| pen.span(mark, Role::Marked));
        // The picture changes by itself once a minute; younger than that is just young.
        let age_ms = model.now.unix_ms.saturating_sub(link.since_ms);
        let age = if age_ms < 60_000 { "new".to_owned() } else { words::span(age_ms) };
        let loss = format!("{}.{} %", link.loss_permille / 10, link.loss_permille % 10);
        // One in a hundred lost halves what a distant link can carry.
        let loss_role = if link.loss_permille >= 10 { Role::Warning } else { Role::Dim };
        let mtu = if link.mtu > 0 { link.mtu.to_string() } else { String::new() };
        Row::new([
            Line::from(pen.span(link.name.as_str(), Role::Text)),
            Line::from(pen.span(link.addr.as_str(), Role::Dim)),
            Line::from(pen.span(age, Role::Text)),
            Line::from(pen.span(words::size(link.bytes_in), Role::GraphDown)),
            Line::from(pen.span(words::size(link.bytes_out), Role::GraphUp)),
            Line::from(pen.span(words::ping(link.rtt_us), Role::Dim)),
            Line::from(pen.span(loss, loss_role)),
            Line::from(pen.span(mtu, Role::Dim)),
            Line::from(pen.span(link.link.to_string(), Role::Dim)),
            path(pen, link),
        ])
        .mark(mark)
    });
}

/// What lies between, who dialled, and whether it is about to go.
fn path(pen: Pen<'_>, link: &LinkView) -> Line<'static> {
    if link.draining {
        return Line::from(pen.span(" draining", Role::Warning));
    }
    let way = if link.dialled { pen.either("→", ">") } else { pen.either("←", "<") };
    let between = match link.path {
        LinkPath::Lan => "lan",
        LinkPath::Routed => "routed",
    };
    Line::from(pen.span(format!(" {way} {between}"), Role::Dim))
}

fn stream(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let pen = canvas.pen;
    if model.connections.lines().len() == 0 {
        canvas.text(area, "No link came or went since this screen began.", Role::Dim);
        return;
    }
    let from = model.links.details_from;
    for (line, row) in model.connections.lines().skip(from).zip(area.rows()) {
        canvas.line(row, &connection(pen, model, line), Align::Left);
    }
}

/// `20:14:05  + seat-22  10.0.3.22:47800  link 12, now 2`.
fn connection(pen: Pen<'_>, model: &Model, line: &Connection) -> Line<'static> {
    let time = words::time_s(Moment { unix_ms: line.at_ms, ..model.now });
    let (sign, role) = if line.made { ("+", Role::Online) } else { (pen.either("−", "-"), Role::Offline) };
    let known = model.snapshot.peers.iter().find(|peer| peer.id == line.peer);
    let name = known.map_or_else(|| words::short_id(&line.peer).to_owned(), |peer| peer.name.clone());
    let now = match (line.made, line.standing) {
        (true, 1) => String::new(),
        (false, 0) => ", the last one".to_owned(),
        (_, standing) => format!(", {} now", words::count(standing as u64, "link")),
    };
    Line::from(vec![
        pen.span(time, Role::Time),
        pen.span(format!("  {sign} "), role),
        pen.span(name, Role::Text),
        pen.span(format!("  {}  link {}{now}", line.addr, line.link), Role::Dim),
    ])
}
