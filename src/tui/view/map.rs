//! The chunk map of a transfer: what the runtime counted, in the cells of the widget.

use potluck_widgets::{Cell, ChunkMap, Counts, GlyphLevel, MapMode, Rare};
use ratatui::{layout::Rect, text::Line, widgets::Widget};

use super::{
    super::{theme::Role, words},
    canvas::{Canvas, Pen},
};
use crate::api::{MapCell, StateWord, TransferView};

/// With so many sources, chunks that only one of them holds are worth a warning: with fewer, nearly
/// every chunk is like that and the map would be all digits.
const SOURCES_FOR_ONE: usize = 3;
/// The same for chunks that two hold.
const SOURCES_FOR_TWO: usize = 6;

/// The cells of a transfer's map.
pub(super) fn cells(transfer: &TransferView) -> Vec<Cell> {
    let rare_max = match transfer.sources.len() {
        SOURCES_FOR_TWO.. => 2,
        SOURCES_FOR_ONE.. => 1,
        _ => 0,
    };
    // While nothing is asked for, nobody counts who holds what.
    let counted = matches!(transfer.state, StateWord::Getting | StateWord::Waiting | StateWord::Failed);
    transfer.map.iter().map(|cell| to_cell(*cell, counted.then_some(rare_max))).collect()
}

fn to_cell(cell: MapCell, rare_max: Option<u8>) -> Cell {
    let MapCell { first, all, have, coming, bad, rarest, held: _, fewest: _ } = cell;
    let missing = all.saturating_sub(have).saturating_sub(coming).saturating_sub(bad);
    let rare = rare_max
        .filter(|max| missing > 0 && rarest <= *max)
        .map(|_| Rare { chunks: missing, holders: u32::from(rarest) });
    Cell { first, len: all, counts: Counts { here: have, coming, bad, rare } }
}

/// The map in one line for a table.
pub(super) fn line(pen: Pen<'_>, transfer: &TransferView, width: u16) -> Line<'static> {
    let cells = cells(transfer);
    if cells.is_empty() {
        return Line::from(pen.span(".".repeat(usize::from(width)), Role::MapMissing));
    }
    map(pen, &cells, MapMode::Glyphs).line(width)
}

/// The map over an area.
pub(super) fn draw(canvas: &mut Canvas<'_>, transfer: &TransferView, area: Rect) {
    let cells = cells(transfer);
    if cells.is_empty() {
        let dots = ".".repeat(usize::from(area.width));
        for row in area.rows() {
            canvas.text(row, &dots, Role::MapMissing);
        }
        return;
    }
    map(canvas.pen, &cells, mode_for(cells.len(), area)).render(area, canvas.buf);
}

/// How many chunks a cell of a map of this size stands for.
pub(super) fn chunks_a_cell(pen: Pen<'_>, transfer: &TransferView, area: Rect) -> u64 {
    let cells = cells(transfer);
    let mode = mode_for(cells.len(), area);
    let shown = map(pen, &cells, mode).capacity(area.width, area.height).min(cells.len());
    u64::from(transfer.chunks).div_ceil((shown as u64).max(1)).max(1)
}

/// What the cells mean, in at most so many columns.
pub(super) fn legend(pen: Pen<'_>, width: u16) -> Line<'static> {
    /// Narrower than this, the words are fewer.
    const WIDE: u16 = 86;
    let part = |glyph: &'static str, plain: &'static str, role| pen.span(pen.either(glyph, plain), role);
    let word = |text: &'static str| pen.span(text, Role::Dim);
    let (held, few, nobody) =
        if width >= WIDE { ("   held by only ", " peers, ", " nobody   ") } else { ("  ", " rare  ", " nobody has  ") };
    Line::from(vec![
        part("█", "#", Role::MapHave),
        word(" all here  "),
        part("▓", "%", Role::MapHigh),
        part("▒", "=", Role::MapMid),
        part("░", ":", Role::MapLow),
        word(" partly  "),
        part(".", ".", Role::MapMissing),
        word(" not yet  "),
        part("+", "+", Role::MapComing),
        word(" coming"),
        word(held),
        part("1 2", "1 2", Role::MapRare),
        word(few),
        part("0", "0", Role::MapRare),
        word(nobody),
        part("✗", "x", Role::MapBad),
        word(" bad"),
    ])
}

/// A glyph says more than a colour; halves are for maps that have far more cells than there are characters.
fn mode_for(cells: usize, area: Rect) -> MapMode {
    let characters = usize::from(area.width) * usize::from(area.height);
    if cells > 2 * characters { MapMode::HalfBlocks } else { MapMode::Glyphs }
}

fn map<'c>(pen: Pen<'_>, cells: &'c [Cell], colored: MapMode) -> ChunkMap<'c> {
    let mode = if pen.level == GlyphLevel::Ascii { MapMode::Ascii } else { colored };
    ChunkMap::new(cells).mode(mode).styles(pen.map_styles())
}

/// The words of a map's size for its rule.
pub(super) fn caption(transfer: &TransferView, chunks_a_cell: u64) -> String {
    match transfer.chunks {
        0 => "not counted yet".to_owned(),
        chunks => {
            format!("{}, {} a cell", words::count(u64::from(chunks), "chunk"), words::thousands(chunks_a_cell))
        }
    }
}
