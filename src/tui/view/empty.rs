//! What an empty table says: what there is to see here, why there is nothing, and what to do.

use potluck_widgets::text;
use ratatui::{layout::Rect, text::Line};

use super::{
    super::{action::Action, model::Model, theme::Role},
    canvas::Canvas,
};
use crate::api::Phase;

pub(super) fn library(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    let me = &model.snapshot.me;
    if !model.library.filter().is_empty() {
        let text = format!("No game matches {}. Esc clears the filter.", model.library.filter().text());
        return say(canvas, area, &[(&text, Role::Text)]);
    }
    let way = |action| model.setting.keymap.way(action);
    let mut lines: Vec<(String, Role)> = Vec::new();
    if let Some(trouble) = &model.snapshot.totals.library_trouble {
        lines.push((trouble.clone(), Role::Error));
        lines.push((String::new(), Role::Text));
    }
    if me.phase.is_starting() && me.phase != Phase::Announcing {
        lines.push((format!("Looking at {} …", libraries(model, "and")), Role::Text));
    } else {
        lines.push(("No games here yet.".to_owned(), Role::Title));
        lines.push((String::new(), Role::Text));
        lines.push((format!("Your games go to {}, one folder each.", libraries(model, "or")), Role::Text));
        lines.push((
            format!("Press {} and type a folder to put a game in, or wait for the room.", way(Action::AddFolder)),
            Role::Text,
        ));
    }
    lines.push((String::new(), Role::Text));
    lines.extend(room(model));
    let lines: Vec<(&str, Role)> = lines.iter().map(|(text, role)| (text.as_str(), *role)).collect();
    say(canvas, area, &lines);
}

pub(super) fn transfers(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    if !model.transfers.filter().is_empty() {
        let text = format!("No transfer matches {}. Esc clears the filter.", model.transfers.filter().text());
        return say(canvas, area, &[(&text, Role::Text)]);
    }
    let [library, next] = [Action::Library, Action::Next].map(|action| model.setting.keymap.way(action));
    let press = format!("Press {library}, choose a game and press {next}.");
    say(
        canvas,
        area,
        &[
            ("Nothing is being got.", Role::Title),
            ("", Role::Text),
            (&press, Role::Text),
            ("It comes from all who have it at once, and every byte is verified.", Role::Text),
            ("What you have is shared while it comes.", Role::Text),
        ],
    );
}

pub(super) fn peers(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    if !model.peers.filter().is_empty() {
        let text = format!("No peer matches {}. Esc clears the filter.", model.peers.filter().text());
        return say(canvas, area, &[(&text, Role::Text)]);
    }
    let mut lines = vec![("Nobody is here yet.".to_owned(), Role::Title), (String::new(), Role::Text)];
    lines.extend(room(model));
    let lines: Vec<(&str, Role)> = lines.iter().map(|(text, role)| (text.as_str(), *role)).collect();
    say(canvas, area, &lines);
}

pub(super) fn links(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    if !model.links.filter().is_empty() {
        let text = format!("No link matches {}. Esc clears the filter.", model.links.filter().text());
        return say(canvas, area, &[(&text, Role::Text)]);
    }
    let mut lines = vec![("No link stands.".to_owned(), Role::Title), (String::new(), Role::Text)];
    lines.extend(room(model));
    let lines: Vec<(&str, Role)> = lines.iter().map(|(text, role)| (text.as_str(), *role)).collect();
    say(canvas, area, &lines);
}

pub(super) fn space(canvas: &mut Canvas<'_>, model: &Model, area: Rect) {
    if !model.space.table.filter().is_empty() {
        let text =
            format!("Nothing that could go matches {}. Esc clears the filter.", model.space.table.filter().text());
        return say(canvas, area, &[(&text, Role::Text)]);
    }
    match model.space.more() {
        None => say(canvas, area, &[("Weighing what is here …", Role::Text)]),
        Some(_) => say(canvas, area, &[("Nothing here could go.", Role::Title)]),
    }
}

/// Every library's folder.
fn libraries(model: &Model, word: &str) -> String {
    let count = model.snapshot.totals.libraries.len().max(1) as u8;
    let mut paths: Vec<&str> = (0..count).map(|place| model.snapshot.library_path(place)).collect();
    match (paths.pop(), paths.as_slice()) {
        (Some(last), [_, ..]) => format!("{} {word} {last}", paths.join(", ")),
        (only, _) => only.unwrap_or_default().to_owned(),
    }
}

/// Who is here, and how to find more.
fn room(model: &Model) -> Vec<(String, Role)> {
    let me = &model.snapshot.me;
    let online = model.snapshot.peers.iter().filter(|peer| peer.online).count();
    if online > 0 {
        return vec![(format!("{online} others are here; what they share appears by itself."), Role::Text)];
    }
    let address = super::chrome::address(me);
    let mut lines = vec![(
        match address {
            "" => "Looking… nobody yet.".to_owned(),
            address => format!("Looking… nobody yet. You are {address}."),
        },
        Role::Text,
    )];
    if !me.mdns {
        lines.push(("Looking is switched off (--no-mdns): peers come by address only.".to_owned(), Role::Warning));
    }
    let [peers, add] = [Action::Peers, Action::AddAddress].map(|action| model.setting.keymap.way(action));
    lines.push((format!("Other subnet: press {peers}, then {add}, and type an address."), Role::Text));
    lines
}

fn say(canvas: &mut Canvas<'_>, area: Rect, lines: &[(&str, Role)]) {
    let inner = Rect {
        x: area.x + 3,
        y: area.y + u16::from(area.height > 6),
        width: area.width.saturating_sub(6),
        height: area.height.saturating_sub(u16::from(area.height > 6)),
    };
    let pen = canvas.pen;
    let wrapped = lines.iter().flat_map(|(text, role)| {
        text::wrap(&Line::from(pen.span((*text).to_owned(), *role)), usize::from(inner.width))
    });
    let wrapped: Vec<Line<'static>> = wrapped.collect();
    for (line, row) in wrapped.iter().zip(inner.rows()) {
        canvas.line(row, line, potluck_widgets::Align::Left);
    }
}
