//! The chunk map of a transfer: what the runtime counted, in the cells of the widget, and in words.

use std::ops::Range;

use potluck_widgets::{Align, Cell, ChunkMap, Mark, bar};
use ratatui::{style::Color, text::Line, widgets::Widget};

use super::{
    super::{
        layout::MapPlan,
        model::{
            Model,
            map::{self, Layer, MapLook},
        },
        theme::Role,
        words,
    },
    canvas::{Canvas, Pen, columns},
};
use crate::api::{ChunksView, MapCell, SourceView, TransferView};

/// From so many holders on, who they are tells nothing.
const NAMED_HOLDERS_MAX: u8 = 3;

/// The map in one line for a table: what is here, in glyphs, which a row under the cursor shows like any other.
pub(super) fn line(pen: Pen<'_>, transfer: &TransferView, width: u16) -> Line<'static> {
    let cells = MapLook::default().cells(transfer);
    if cells.is_empty() {
        return Line::from(pen.span(".".repeat(usize::from(width)), Role::MapMissing));
    }
    let mode = map::mode(pen.level, false);
    ChunkMap::new(&cells).mode(mode).styles(pen.map_styles()).line(width)
}

/// The role of a source that has a colour of its own.
pub(super) fn source_role(coloured: &[&str], peer: &str) -> Option<Role> {
    const ROLES: [Role; map::COLOURED_SOURCES] =
        [Role::Source1, Role::Source2, Role::Source3, Role::Source4, Role::Source5, Role::Source6];
    coloured.iter().zip(ROLES).find(|(known, _)| **known == peer).map(|(_, role)| role)
}

/// What a source holds, in one line: its own map where that is known, else how much.
pub(super) fn held(pen: Pen<'_>, model: &Model, source: &SourceView, width: u16) -> Line<'static> {
    let known = if source.holds == 100 { None } else { model.map.held_by(&source.peer) };
    match known {
        Some(cells) => ChunkMap::new(&cells).mode(map::mode(pen.level, false)).styles(pen.map_styles()).line(width),
        None => Line::from(pen.span(bar(u64::from(source.holds), 100, width, pen.level), Role::MapHave)),
    }
}

/// The map in its place, with what its cells mean and what is under the cursor.
pub(super) fn draw(canvas: &mut Canvas<'_>, model: &Model, transfer: &TransferView, plan: &MapPlan) {
    let pen = canvas.pen;
    let cells = model.map.cells(transfer);
    let area = plan.cells;
    let coloured = map::coloured(transfer);
    let tint = |cell: &Cell| {
        // What is here came from whoever; what is coming comes from somebody.
        let comes = model.map.layer == Layer::Mine && cell.mark() == Mark::Coming;
        let peer = comes.then(|| model.map.coming_from(cell.first))??;
        pen.style(source_role(&coloured, peer)?).fg.filter(|colour| *colour != Color::Reset)
    };
    let map = ChunkMap::new(&cells)
        .mode(map::mode(pen.level, model.setting.half_blocks))
        .styles(pen.map_styles())
        .tint(&tint);
    let under = model.map.cursor().and_then(|chunk| map.grid(area.width, area.height).cell_of(chunk));
    let name = format!("{} {}", transfer.title, transfer.version);
    let shown = map.capacity(area.width, area.height).min(cells.len());
    canvas.rule(plan.rule, &pen.pane_title(model.focus, &name), &caption(pen, &model.map, transfer, shown));
    if cells.is_empty() {
        let dots = ".".repeat(usize::from(area.width));
        for row in area.rows() {
            canvas.text(row, &dots, Role::MapMissing);
        }
    } else {
        map.cursor(under.map(|cell| cell.chunks())).render(area, canvas.buf);
    }
    let text = match under {
        Some(cell) => about(pen, model, transfer, &cell),
        None => whole(transfer),
    };
    match plan.about {
        Some(line) => {
            canvas.line(plan.legend, &legend(pen, model.map.layer, transfer, plan.legend.width), Align::Left);
            canvas.text(line, &text, Role::Text);
        }
        // Where there is one line for both, what is looked at comes first.
        None if under.is_some() => {
            canvas.text(plan.legend, &text, Role::Text);
        }
        None => {
            canvas.line(plan.legend, &legend(pen, model.map.layer, transfer, plan.legend.width), Align::Left);
        }
    }
}

/// Which layer, which chunks, and how many a cell.
fn caption(pen: Pen<'_>, look: &MapLook, transfer: &TransferView, cells: usize) -> String {
    let dot = pen.either(" · ", " - ");
    if transfer.chunks == 0 {
        return "not counted yet".to_owned();
    }
    let range = look.range(transfer.chunks);
    let all = words::count(u64::from(transfer.chunks), "chunk");
    let what = if look.is_zoomed() { format!("{} of {all}", span(pen, &range)) } else { all };
    let each = u64::from(range.end - range.start).div_ceil((cells as u64).max(1)).max(1);
    format!("layer: {}{dot}{what}, {} a cell", look.layer.name(), words::thousands(each))
}

/// `3,927–3,943`, or the one number.
fn span(pen: Pen<'_>, chunks: &Range<u32>) -> String {
    let first = words::thousands(u64::from(chunks.start));
    match chunks.end.saturating_sub(chunks.start) {
        0 | 1 => first,
        _ => format!("{first}{}{}", pen.either("–", "-"), words::thousands(u64::from(chunks.end - 1))),
    }
}

/// What the cells mean, in at most so many columns.
fn legend(pen: Pen<'_>, layer: Layer, transfer: &TransferView, width: u16) -> Line<'static> {
    let part = |glyph: &'static str, plain: &'static str, role| pen.span(pen.either(glyph, plain), role);
    let word = |text: &str| pen.span(text.to_owned(), Role::Dim);
    let mut lines = Vec::new();
    for (held, few, nobody) in [("   held by only ", " peers, ", " nobody   "), ("  ", " rare  ", " nobody has  ")] {
        let whole = transfer.sources.iter().filter(|source| source.holds == 100).count();
        let only = format!(" only the {whole} with all");
        let (full, shades, empty) = match layer {
            Layer::Mine => (" all here  ", " partly  ", " not yet  "),
            Layer::Room if whole == 0 => (" everybody  ", " some  ", " nobody"),
            Layer::Room => (" everybody  ", " some  ", &*only),
        };
        let mut line = Line::from(vec![
            part("█", "#", Role::MapHave),
            word(full),
            part("▓", "%", Role::MapHigh),
            part("▒", "=", Role::MapMid),
            part("░", ":", Role::MapLow),
            word(shades),
            part(".", ".", Role::MapMissing),
            word(empty),
        ]);
        if layer == Layer::Mine {
            line.spans.extend([part("+", "+", Role::MapComing), word(" coming")]);
        }
        line.spans.extend([
            word(held),
            part("1 2", "1 2", Role::MapRare),
            word(few),
            part("0", "0", Role::MapRare),
            word(nobody.trim_end_matches(' ')),
        ]);
        if layer == Layer::Mine {
            line.spans.extend([word("   "), part("✗", "x", Role::MapBad), word(" bad")]);
        }
        lines.push(line);
    }
    let narrow = lines.pop().unwrap_or_default();
    lines.into_iter().find(|line| columns(line) <= width).unwrap_or(narrow)
}

/// The whole in words, where there is no cursor.
fn whole(transfer: &TransferView) -> String {
    if transfer.map.is_empty() {
        return String::new();
    }
    let sum = |of: fn(&MapCell) -> u32| transfer.map.iter().map(of).sum::<u32>();
    let all = MapCell {
        first: 0,
        all: transfer.chunks,
        have: sum(|cell| cell.have),
        coming: sum(|cell| cell.coming),
        bad: sum(|cell| cell.bad),
        rarest: transfer.map.iter().map(|cell| cell.rarest).min().unwrap_or(u8::MAX),
        ..MapCell::default()
    };
    let mut parts = counts(&all);
    let missing = missing(&all);
    if missing > 0 && all.rarest < 254 && !transfer.sources.is_empty() {
        let peers = words::count(transfer.sources.len() as u64, "peer");
        let missing = words::thousands(u64::from(missing));
        parts.push(match all.rarest {
            0 => format!("{missing} not yet, some of them with nobody here"),
            _ if transfer.sources.len() == 1 => format!("{missing} not yet"),
            rarest => format!("{missing} not yet, each on at least {rarest} of {peers}"),
        });
    }
    parts.join(", ")
}

/// The cell under the cursor in words: `chunks 3,927–3,943 of WW2/Archive.sga: 9 here, 4 coming from seat-22, 4 only on
/// nas-01`.
fn about(pen: Pen<'_>, model: &Model, transfer: &TransferView, cell: &Cell) -> String {
    let range = cell.chunks();
    let known = model.map.about(&range);
    let mut text = format!("{} {}", if cell.len == 1 { "chunk" } else { "chunks" }, span(pen, &range));
    let Some(known) = known else { return text };
    match known.files.as_slice() {
        [] => {}
        [first, ..] => {
            text = format!("{text} of {first}");
            if known.file_count > 1 {
                text = format!("{text} and {} more", words::count(u64::from(known.file_count - 1), "file"));
            }
        }
    }
    let parts = match model.map.layer {
        Layer::Mine => mine(known),
        Layer::Room => room(known, transfer),
    };
    format!("{text}: {}", parts.join(", "))
}

fn mine(known: &ChunksView) -> Vec<String> {
    let cell = &known.cell;
    let mut parts = counts(cell);
    if let (Some(last), [_, ..]) = (parts.iter_mut().find(|part| part.ends_with("coming")), known.coming.as_slice()) {
        let names: Vec<&str> = known.coming.iter().map(|(name, _)| name.as_str()).collect();
        *last = format!("{last} from {}", list(&names));
    }
    let missing = missing(cell);
    let rest = missing.saturating_sub(known.scarce);
    match (cell.rarest, known.scarce) {
        (_, 0) if missing > 0 => parts.push(format!("{} not yet", words::thousands(u64::from(missing)))),
        (_, 0) => {}
        (0, scarce) => parts.push(format!("{} nobody has", words::thousands(u64::from(scarce)))),
        (holders, scarce) if holders <= NAMED_HOLDERS_MAX && !known.holders.is_empty() => {
            let names: Vec<&str> = known.holders.iter().map(String::as_str).collect();
            let scarce = words::thousands(u64::from(scarce));
            // More names than holders: not all of these chunks are with the same ones.
            let only = if names.len() > usize::from(holders) {
                format!("{scarce} each on only {holders} of {}", list(&names))
            } else {
                format!("{scarce} only on {}", list(&names))
            };
            parts.push(only);
        }
        (holders, scarce) => {
            parts.push(format!("{} not yet, each on at least {holders}", words::thousands(u64::from(scarce + rest))));
            return parts;
        }
    }
    if known.scarce > 0 && rest > 0 {
        parts.push(format!("{} not yet", words::thousands(u64::from(rest))));
    }
    parts
}

fn room(known: &ChunksView, transfer: &TransferView) -> Vec<String> {
    let peers = words::count(transfer.sources.len() as u64, "peer");
    match known.cell.fewest {
        0 => vec![format!("some of it on none of {peers}")],
        _ if transfer.sources.len() == 1 => vec!["with the one peer that sends".to_owned()],
        fewest => vec![format!("each on at least {fewest} of {peers}")],
    }
}

/// Here, coming and bad.
fn counts(cell: &MapCell) -> Vec<String> {
    if cell.have == cell.all {
        return vec!["all here".to_owned()];
    }
    [(cell.have, "here"), (cell.coming, "coming"), (cell.bad, "bad")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{} {word}", words::thousands(u64::from(count))))
        .collect()
}

fn missing(cell: &MapCell) -> u32 {
    cell.all.saturating_sub(cell.have).saturating_sub(cell.coming).saturating_sub(cell.bad)
}

/// `a`, `a and b`, `a, b and c`.
fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
