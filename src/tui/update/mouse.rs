//! The mouse, for those who want it: the wheel moves, a click selects a row or a tab. It does what keys do, and nothing
//! that they do not.

use super::{
    super::{
        action::{Action, Screen},
        input::Pointed,
        layout,
        model::{Focus, Model},
        view,
    },
    Effect,
    act::{act, move_by},
    keys, table_area,
};

/// Rows a notch of the wheel moves.
const WHEEL_ROWS: isize = 3;

pub(super) fn on_pointed(model: &mut Model, pointed: Pointed) -> Vec<Effect> {
    match (pointed, model.overlay.is_some()) {
        // A question is answered and a line typed by keys.
        (Pointed::Click { .. }, true) => Vec::new(),
        (Pointed::Wheel { down }, true) => keys::scroll_by(model, if down { WHEEL_ROWS } else { -WHEEL_ROWS }),
        (Pointed::Wheel { down }, false) => {
            let action = if down { Action::Down } else { Action::Up };
            (0..WHEEL_ROWS).flat_map(|_| act(model, action)).collect()
        }
        (Pointed::Click { column, row }, false) => click(model, column, row),
    }
}

fn click(model: &mut Model, column: u16, row: u16) -> Vec<Effect> {
    let Some(chrome) = layout::chrome(model.size) else { return Vec::new() };
    if row == chrome.top.y {
        let Some(screen) = view::tab_at(model, column) else { return Vec::new() };
        let action = match screen {
            Screen::Library => Action::Library,
            Screen::Transfers => Action::Transfers,
            Screen::Peers => Action::Peers,
            Screen::Links => Action::Links,
            Screen::Log => Action::Log,
            Screen::Space => Action::FreeSpace,
        };
        return act(model, action);
    }
    let Some(area) = table_area(model, model.screen) else { return Vec::new() };
    let Some(table) = model.table(model.screen) else { return Vec::new() };
    // The first line has the titles of the columns.
    let line = row.checked_sub(area.y + 1).filter(|_| area.contains((column, row).into()));
    let shown = table.list.scroll().shown(table.rows().len(), usize::from(area.height.saturating_sub(1)));
    let (Some(line), Some(at)) = (line, table.list.at()) else { return Vec::new() };
    let wanted = shown.start + usize::from(line);
    if !shown.contains(&wanted) {
        return Vec::new();
    }
    model.focus = Focus::List;
    move_by(model, wanted as isize - at as isize);
    vec![Effect::DrawNow]
}
