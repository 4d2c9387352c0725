//! What the keys do to the chunk map, and the questions that keep its cells and names fresh.

use potluck_widgets::{MapGrid, MapStep};
use ratatui::layout::Rect;

use super::{
    super::{
        action::Screen,
        layout,
        model::{Focus, Model, map},
    },
    Effect, refuse,
};
use crate::api::{Command, CommandError, MapRequest, Reply};

/// Cells a key moves the cursor over at most: the largest window has fewer rows.
const STEPS_MAX: usize = 256;

/// The map as it is laid out.
struct Shown {
    area: Rect,
    grid: MapGrid,
    /// How many cells it has room for.
    cells: usize,
    chunks: u32,
    /// Whether the sources are listed below it.
    lists_sources: bool,
}

/// Shows whose chunks are where, the other way.
pub(super) fn layer(model: &mut Model) -> Vec<Effect> {
    match shown(model) {
        Ok(_) => {
            model.map.layer = model.map.layer.other();
            vec![Effect::DrawNow]
        }
        Err(why) => refuse(model, why),
    }
}

/// Fewer chunks in the same room, around the cursor.
pub(super) fn zoom_in(model: &mut Model) -> Vec<Effect> {
    if shown(model).is_ok() {
        model.focus = Focus::Pane;
    }
    change(model, |look, shown| {
        // The cursor is where one zooms in, and so one is in the map.
        look.show_cursor(&shown.grid);
        let cells = u32::try_from(shown.cells).unwrap_or(u32::MAX);
        if look.zoom_in(shown.chunks, cells) { Ok(()) } else { Err("Every cell is one chunk already.") }
    })
}

/// More chunks in the same room, around the cursor.
pub(super) fn zoom_out(model: &mut Model) -> Vec<Effect> {
    change(model, |look, shown| if look.zoom_out(shown.chunks) { Ok(()) } else { Err("All chunks are in view.") })
}

/// Moves the cursor by so many cells, at most a window of them.
pub(super) fn step(model: &mut Model, step: MapStep, times: usize) {
    for _ in 0..times.min(STEPS_MAX) {
        let Ok(shown) = shown(model) else { return };
        model.map.step(step, &shown.grid, u32::from(shown.area.height), shown.chunks);
    }
}

/// Sees to it that the map in view has its cursor while one is in it, and asks the runtime for what it lacks. Called
/// after every message; where no map is in view nothing is asked.
pub(super) fn look(model: &mut Model) -> Option<Effect> {
    let content = match (model.screen, model.selected_transfer()) {
        (Screen::Transfers, Some(transfer)) => transfer.content.clone(),
        (Screen::Transfers | Screen::Library | Screen::Peers | Screen::Links | Screen::Log | Screen::Space, _) => {
            return None;
        }
    };
    model.map.follow(&content);
    let shown = shown(model).ok()?;
    let mut look = std::mem::take(&mut model.map);
    match model.focus {
        Focus::Pane => look.show_cursor(&shown.grid),
        Focus::List => look.leave(),
    }
    let request = model.selected_transfer().and_then(|transfer| {
        let of_sources = shown.lists_sources && !transfer.sources.is_empty();
        look.ask(transfer, &shown.grid, shown.cells, of_sources)
    });
    model.map = look;
    Some(Effect::Call { command: Command::Map(request?), subject: String::new() })
}

/// The runtime answered a look.
pub(super) fn on_answer(model: &mut Model, request: MapRequest, result: Result<Reply, CommandError>) -> Vec<Effect> {
    let view = match result {
        Ok(Reply::Map(view)) => Some(*view),
        // Nothing is said: the map is drawn from the snapshot, as where nobody asks.
        Ok(_) | Err(_) => None,
    };
    let drawn = view.is_some();
    model.map.on_answer(request, view);
    if drawn { vec![Effect::DrawSoon] } else { Vec::new() }
}

fn change(
    model: &mut Model,
    change: impl FnOnce(&mut map::MapLook, &Shown) -> Result<(), &'static str>,
) -> Vec<Effect> {
    match shown(model).and_then(|shown| change(&mut model.map, &shown)) {
        Ok(()) => vec![Effect::DrawNow],
        Err(why) => refuse(model, why),
    }
}

fn shown(model: &Model) -> Result<Shown, &'static str> {
    let transfer = model.selected_transfer().ok_or("No transfer is selected.")?;
    if transfer.map.is_empty() {
        return Err("Its chunks are not counted yet.");
    }
    let plan = layout::chrome(model.size)
        .map(|chrome| layout::transfers(chrome.body, model.transfers.rows().len(), transfer.sources.len()));
    let (plan, place) =
        plan.and_then(|plan| Some((plan, plan.map?))).ok_or("There is no room for the map; a larger window has it.")?;
    let Rect { width, height, .. } = place.cells;
    let mode = map::mode(model.setting.glyphs, model.setting.half_blocks);
    let (columns, rows) = mode.shape(width, height);
    Ok(Shown {
        area: place.cells,
        grid: MapGrid::new(&model.map.cells(transfer), mode, width, height),
        cells: columns * rows,
        chunks: transfer.chunks,
        lists_sources: plan.sources.is_some(),
    })
}
