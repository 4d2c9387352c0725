//! The peers: who is here, what moves between us, and more about the selected one.

use std::net::IpAddr;

use potluck_widgets::{Align, Column, GlyphLevel, RateGraph, Row, Table, scale_above, sparkline};
use ratatui::{layout::Rect, text::Line, widgets::Widget as _};

use super::{
    super::{
        action::Action,
        layout,
        model::{
            Model,
            history::{Between, History},
            table::{Listed, SortBy},
        },
        theme::Role,
        words,
    },
    canvas::{Canvas, Pen},
    empty,
};
use crate::api::PeerView;

/// Seconds that the trend shows.
const TREND_S: usize = 40;
/// Seconds that the graphs of the selected one show.
const GRAPH_S: usize = 180;
/// The same in words.
const GRAPH_MIN: usize = GRAPH_S / 60;

pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, body: Rect) {
    let plan = layout::peers(body, model.peers.rows().len());
    canvas.rule(plan.heading, &heading(model), &format!("rates in MB/s, {TREND_S} s"));
    if model.peers.rows().is_empty() {
        return empty::peers(canvas, model, plan.table);
    }
    table(canvas, model, plan.table);
    let (Some((rule, area)), Some(peer)) = (plan.details, model.selected_peer()) else { return };
    canvas.rule(rule, &peer.name, "");
    let inner = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    for ((left, right), row) in details(canvas.pen, model, peer).iter().zip(inner.rows()) {
        canvas.pair(row, left, right);
    }
    if let Some(areas) = plan.graphs {
        graphs(canvas, model, peer, areas);
    }
}

/// What came from a peer and went to it, side by side on one scale.
fn graphs(canvas: &mut Canvas<'_>, model: &Model, peer: &PeerView, areas: [Rect; 2]) {
    let quiet = Between::default();
    let between = model.histories.of_peer(&peer.id).unwrap_or(&quiet);
    let scale = scale_above(between.recent_best());
    let ways = [
        ("from it", peer.down_bps, &between.down, Role::GraphDown),
        ("to it", peer.up_bps, &between.up, Role::GraphUp),
    ];
    for ((way, bps, history, role), area) in ways.into_iter().zip(areas) {
        let words = Rect { height: 1, ..area };
        let bars = Rect { y: area.y + 1, height: area.height - 1, ..area };
        let moved = history.recent_best() > 0;
        let now = match (bps, moved) {
            (0, false) => format!("nothing for {GRAPH_MIN} min"),
            (0, true) => "nothing now".to_owned(),
            (_, _) => words::rate(bps),
        };
        let left = vec![canvas.pen.span(format!("{way}  "), Role::Dim), canvas.pen.span(now, role)];
        let right = if moved { format!("{GRAPH_MIN} min, up to {}", words::top(scale)) } else { String::new() };
        canvas.pair(words, &Line::from(left), &Line::from(canvas.pen.span(right, Role::Dim)));
        graph(canvas, history, bars, scale, role);
    }
}

fn graph(canvas: &mut Canvas<'_>, history: &History, area: Rect, scale: u64, role: Role) {
    let level = canvas.pen.level;
    let columns = usize::from(area.width) * if level == GlyphLevel::Braille { 2 } else { 1 };
    let samples = history.last(GRAPH_S, columns);
    // A line of zeros in ASCII is noise where nothing ever moved.
    if samples.iter().any(|sample| *sample > 0) {
        RateGraph::new(&samples).level(level).max(scale).styles(&[canvas.pen.style(role)]).render(area, canvas.buf);
    }
}

fn heading(model: &Model) -> String {
    let all = &model.snapshot.peers;
    let online = all.iter().filter(|peer| peer.online).count();
    let offline = all.len() - online;
    let mut text = format!("{} online", words::thousands(online as u64));
    if offline > 0 {
        text = format!("{text}, {} offline", words::thousands(offline as u64));
    }
    let filter = model.peers.filter();
    if !filter.is_empty() {
        text = format!("{text} · filter: {}", filter.text());
    }
    text
}

fn table(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let columns = [
        Column::new("NAME", 12).flex(2).max(32),
        Column::new("ID", 8).priority(5),
        Column::new("ADDRESS", 14).flex(1).max(28).priority(3),
        Column::new("PING", 7).align(Align::Right).priority(2),
        Column::new("FROM", 6).align(Align::Right),
        Column::new("TO", 6).align(Align::Right),
        Column::new("TREND", 8).flex(1).max(20).priority(4),
        Column::new("HAS", 5).align(Align::Right),
        Column::new(" GETTING", 14).flex(3).max(40).priority(1),
    ];
    let pen = canvas.pen;
    let list = &model.peers.list;
    let (sort, order) = model.peers.sort();
    let by = [(SortBy::Name, 0), (SortBy::Ping, 3), (SortBy::From, 4), (SortBy::To, 5), (SortBy::Has, 7)];
    let sorted = by.iter().find(|(by, _)| *by == sort).map(|(_, column)| (*column, order));
    let best = model.snapshot.peers.iter().map(|peer| peer.down_bps.saturating_add(peer.up_bps)).max().unwrap_or(0);
    let table = Table::new(&columns, model.peers.rows().len())
        .scroll(list.scroll())
        .sorted(sorted)
        .spacing(1)
        .level(pen.level)
        .styles(pen.table_styles());
    table.draw(area, canvas.buf, |row, widths| {
        let Some(peer) = model.peer_at(row) else { return Row::new([Line::default()]) };
        let (dot, role) = dot(pen, peer);
        let marked = list.marks.contains(&*Listed::id(peer));
        let dot = if marked { pen.span(pen.either(Row::MARKED, "+"), Role::Marked) } else { pen.span(dot, role) };
        let trend = match model.histories.of_peer(&peer.id) {
            Some(history) => {
                let scale = scale_above(best.max(history.last(TREND_S, TREND_S).into_iter().max().unwrap_or(0)));
                sparkline(&history.last(TREND_S, usize::from(widths[6])), widths[6], pen.level, scale)
            }
            None => String::new(),
        };
        Row::new([
            Line::from(pen.span(peer.name.as_str(), if peer.online { Role::Text } else { Role::Offline })),
            Line::from(pen.span(words::short_id(&peer.id), Role::Dim)),
            Line::from(pen.span(host(&peer.addr), Role::Dim)),
            Line::from(pen.span(words::ping(peer.rtt_us), Role::Dim)),
            Line::from(pen.span(words::rate_mb(peer.down_bps), Role::GraphDown)),
            Line::from(pen.span(words::rate_mb(peer.up_bps), Role::GraphUp)),
            Line::from(pen.span(trend, Role::GraphDown)),
            Line::from(pen.span(words::thousands(u64::from(peer.games)), Role::Text)),
            doing(pen, model, peer),
        ])
        .mark(Some(dot))
    });
}

fn dot(pen: Pen<'_>, peer: &PeerView) -> (&'static str, Role) {
    match (peer.blocked, peer.online) {
        (true, _) => (pen.either("✗", "x"), Role::Error),
        (false, true) => (pen.either("●", "*"), Role::Online),
        (false, false) => (pen.either("○", "o"), Role::Offline),
    }
}

/// What a peer does, or why it does nothing.
fn doing<'m>(pen: Pen<'_>, model: &Model, peer: &'m PeerView) -> Line<'m> {
    if peer.blocked {
        return Line::from(pen.span(" blocked by you", Role::Error));
    }
    if !peer.online {
        return Line::from(pen.span(format!(" {}", standing(model, peer)), Role::Offline));
    }
    match &peer.getting {
        Some((title, percent)) => {
            Line::from(vec![pen.span(format!(" {percent:>3} % "), Role::Getting), pen.span(title.as_str(), Role::Text)])
        }
        None if peer.note.is_empty() => Line::default(),
        None => Line::from(pen.span(format!(" {}", peer.note), Role::Warning)),
    }
}

/// `Online 1 h 12 min`; an address nobody has answered from was never anything else.
fn standing(model: &Model, peer: &PeerView) -> String {
    let word = if peer.online { "Online" } else { "Offline" };
    match peer.since_ms {
        0 => format!("{word}, not met yet"),
        since => format!("{word} {}", words::span(model.now.unix_ms.saturating_sub(since))),
    }
}

/// The address without its port, which is the same everywhere as a rule and stands in the details.
fn host(addr: &str) -> &str {
    addr.rsplit_once(':').map_or(addr, |(host, _)| host.trim_matches(['[', ']']))
}

fn details<'m>(pen: Pen<'_>, model: &'m Model, peer: &'m PeerView) -> Vec<(Line<'m>, Line<'m>)> {
    let dot = pen.either(" · ", " - ");
    let mut connection = standing(model, peer);
    if peer.online {
        if peer.links > 0 {
            connection = format!("{connection}{dot}{}", words::count(u64::from(peer.links), "link"));
        }
        connection = format!("{connection}{dot}loss {}.{} %", peer.loss_permille / 10, peer.loss_permille % 10);
        if peer.mtu > 0 {
            connection = format!("{connection}{dot}MTU {}", peer.mtu);
        }
    }
    let row = |label: &'static str, text: String, role| {
        (Line::from(vec![pen.span(format!("{label:<15} "), Role::Dim), pen.span(text, role)]), Line::default())
    };
    let mut lines = vec![(
        Line::from(vec![
            pen.span(words::short_id(&peer.id), Role::Title),
            pen.span(format!("  {}", peer.addr), Role::Text),
        ]),
        Line::from(pen.span(connection, Role::Dim)),
    )];
    let standing = match (peer.blocked, peer.trusted) {
        (true, _) => {
            let way = model.setting.keymap.way(Action::Block);
            Some((format!("blocked by you; {way} lets it in again"), Role::Error))
        }
        (false, true) => Some(("trusted: what it announces counts as vouched for".to_owned(), Role::Ready)),
        (false, false) => None,
    };
    if let Some((text, role)) = standing {
        lines.push(row("standing", text, role));
    }
    if !peer.note.is_empty() {
        lines.push(row("note", peer.note.clone(), Role::Warning));
    }
    let (gets, _) = row("gets from you", flow(peer.up_bps, peer.up, peer.getting.as_ref(), dot), Role::Text);
    let guess = model.histories.of_peer(&peer.id).and_then(|history| port(peer, history.best())).unwrap_or_default();
    lines.push((gets, Line::from(pen.span(guess, Role::Dim))));
    lines.push(row("you get", flow(peer.down_bps, peer.down, ours(model, peer).as_ref(), dot), Role::Text));
    let games = words::count(u64::from(peer.games), "game");
    let compared = model.room.compared.of(&peer.id);
    let more = compared.filter(|known| known.more > 0).map_or_else(String::new, |known| {
        format!(
            ", {} that you do not: {}",
            words::thousands(u64::from(known.more)),
            some(&known.more_titles, known.more)
        )
    });
    lines.push(row("has", format!("{games}{more}"), Role::Text));
    if let Some(known) = compared.filter(|known| known.lacks > 0) {
        lines.push(row("lacks", some(&known.lacks_titles, known.lacks), Role::Text));
    }
    lines.push(row("limits", limits(model, peer, dot), Role::Text));
    lines
}

/// The first of so many titles.
fn some(titles: &[String], count: u32) -> String {
    const NAMED_MAX: usize = 3;
    let named: Vec<&str> = titles.iter().take(NAMED_MAX).map(String::as_str).collect();
    match u64::from(count).saturating_sub(named.len() as u64) {
        0 => named.join(", "),
        more => format!("{} and {} more", named.join(", "), words::thousands(more)),
    }
}

/// What bounds the rates between us.
fn limits(model: &Model, peer: &PeerView, dot: &str) -> String {
    let ways = [(peer.up_limit_bps, "to it"), (peer.down_limit_bps, "from it")];
    let limit = |(bps, way): (Option<u64>, &str)| bps.map(|bps| format!("at most {} {way}", words::rate(bps)));
    let own: Vec<String> = ways.into_iter().filter_map(limit).collect();
    if !own.is_empty() {
        return own.join(dot);
    }
    let totals = &model.snapshot.totals;
    let ours = [(totals.up_limit_bps, "upload"), (totals.down_limit_bps, "download")];
    let ours: Vec<String> = ours
        .into_iter()
        .filter_map(|(bps, way)| bps.map(|bps| format!("your {way} limit of {} applies", words::rate(bps))))
        .collect();
    if ours.is_empty() { "none".to_owned() } else { format!("none of its own; {}", ours.join(dot)) }
}

/// What moves in one direction: what, how fast, and how much in this run.
fn flow(bps: u64, bytes: u64, what: Option<&(String, u8)>, dot: &str) -> String {
    let mut parts = Vec::new();
    if let (Some((title, percent)), true) = (what, bps > 0) {
        parts.push(format!("{title} {percent} %"));
    }
    if bps > 0 {
        parts.push(words::rate(bps));
    }
    if bytes > 0 {
        parts.push(format!("{} so far", words::size(bytes)));
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(dot) }
}

/// What we get from a peer now.
fn ours(model: &Model, peer: &PeerView) -> Option<(String, u8)> {
    let from = |transfer: &&crate::api::TransferView| {
        transfer.sources.iter().any(|source| source.peer == peer.id && source.bps > 0)
    };
    let transfer = model.snapshot.transfers.iter().find(from)?;
    Some((transfer.title.clone(), transfer.percent))
}

/// What its best rate says about its port: what is just below a common port's limit is probably that port.
fn port(peer: &PeerView, best_bps: u64) -> Option<String> {
    // Between two potlucks of one machine there is no port.
    if host(&peer.addr).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
        return None;
    }
    let name = match best_bps {
        10_000_000..=12_500_000 => "100 Mbit",
        100_000_000..=125_000_000 => "1 Gbit",
        250_000_000..=312_500_000 => "2.5 Gbit",
        _ => return None,
    };
    Some(format!("fastest seen {}: looks like a {name} port", words::rate(best_bps)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_guessed_where_there_is_one() {
        let check = |addr: &str, bps, expect: Option<&str>| {
            let peer = PeerView { addr: addr.into(), ..PeerView::default() };
            assert_eq!(port(&peer, bps).as_deref(), expect, "{addr} {bps}");
        };
        check("10.0.3.9:47800", 11_600_000, Some("fastest seen 11.6 MB/s: looks like a 100 Mbit port"));
        check("10.0.3.9:47800", 20_000_000, None);
        check("127.0.0.1:47801", 11_600_000, None);
        check("[::1]:47801", 11_600_000, None);
    }
}
