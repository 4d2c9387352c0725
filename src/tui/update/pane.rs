//! What stands beside or below a table: going into it and back, and what the moving keys do while one is there.

use potluck_widgets::MapStep;

use super::{
    super::{
        action::{Action, Screen},
        layout,
        model::{Focus, Model},
        view,
    },
    Effect, map, motion, refuse,
};

/// Goes in, or says why there is nothing to go into.
pub(super) fn enter(model: &mut Model) -> Vec<Effect> {
    match missing(model) {
        Some(why) => refuse(model, why),
        None => {
            model.focus = Focus::Pane;
            vec![Effect::DrawNow]
        }
    }
}

/// What an action does in the pane; `None` where it does the same as in the list.
pub(super) fn act(model: &mut Model, action: Action) -> Option<Vec<Effect>> {
    if model.focus == Focus::List {
        return None;
    }
    if missing(model).is_some() {
        // What one was in is gone: the list takes the keys again.
        model.focus = Focus::List;
        return None;
    }
    if model.screen == Screen::Transfers {
        return in_map(model, action);
    }
    if let Some(by) = motion(model, action) {
        scroll(model, by);
    } else if matches!(action, Action::Out | Action::Back) {
        model.focus = Focus::List;
    } else {
        return None;
    }
    Some(vec![Effect::DrawNow])
}

/// In the map the moving keys move its cursor, all four ways; Esc goes back.
fn in_map(model: &mut Model, action: Action) -> Option<Vec<Effect>> {
    match (action, motion(model, action)) {
        (Action::Into, _) => map::step(model, MapStep::Right, 1),
        (Action::Out, _) => map::step(model, MapStep::Left, 1),
        (Action::Back, _) => model.focus = Focus::List,
        (_, Some(by)) if by < 0 => map::step(model, MapStep::Up, by.unsigned_abs()),
        (_, Some(by)) => map::step(model, MapStep::Down, by.unsigned_abs()),
        (_, None) => return None,
    }
    Some(vec![Effect::DrawNow])
}

/// Scrolls the details by lines.
pub(super) fn scroll(model: &mut Model, by: isize) {
    match model.screen {
        Screen::Library => {
            let to = model.library.details_from.saturating_add_signed(by);
            model.library.details_from = to.min(view::details_scroll_max(model));
        }
        Screen::Transfers => {
            let sources = model.selected_transfer().map_or(0, |transfer| transfer.sources.len());
            let to = model.transfers.details_from.saturating_add_signed(by);
            model.transfers.details_from = to.min(sources.saturating_sub(1));
        }
        Screen::Links => {
            let lines = model.connections.lines().len();
            model.links.details_from = model.links.details_from.saturating_add_signed(by).min(lines.saturating_sub(1));
        }
        Screen::Peers | Screen::Log | Screen::Space => {}
    }
}

/// Why there is nothing to go into.
pub(super) fn missing(model: &Model) -> Option<&'static str> {
    let body = layout::chrome(model.size)?.body;
    match model.screen {
        Screen::Library if model.selected_game().is_none() => Some("No game is selected."),
        Screen::Library if layout::library(body).pane.is_none() => {
            Some("There is no room for details beside the list; a wider terminal has it.")
        }
        Screen::Transfers => match model.selected_transfer() {
            None => Some("Nothing is being got."),
            Some(transfer) => {
                let plan = layout::transfers(body, model.transfers.rows().len(), transfer.sources.len());
                plan.map.is_none().then_some("There is no room for the map; make the terminal higher.")
            }
        },
        Screen::Library => None,
        Screen::Links => {
            let plan = layout::links(body, model.links.rows().len());
            plan.stream.is_none().then_some("There is no room for what came and went; make the terminal higher.")
        }
        Screen::Peers | Screen::Log | Screen::Space => Some("There is nothing to go into."),
    }
}
