//! The map of chunks: which are here, coming, bad, or missing with hardly anybody left who has them.
//!
//! Counting lives in [`cell`], drawing here. The caller gives cells in chunk order; the map groups or stretches them to
//! the size it is drawn at, so a map asked for at another size is still right. It keeps no cursor: the caller does, as a
//! chunk number, which survives every change of size and zoom.

mod cell;
mod grid;

use std::{fmt, ops::Range};

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Style},
    text::{Line, Span},
    widgets::Widget,
};

pub use self::{
    cell::{Cell, ChunkState, ChunkStates, Counts, Mark, Rare, Run, Runs, aggregate, aggregate_range, regroup},
    grid::{MapGrid, MapStep},
};

/// How cells become characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MapMode {
    /// One cell a character in ASCII: `#%=:.` by the share that is here, `+` coming, a digit, `x` bad.
    Ascii,
    /// One cell a character: `█▓▒░.` by the share that is here, `+` coming, a digit, `✗` bad.
    #[default]
    Glyphs,
    /// Two cells a character, each in the colour of its state: above and below each other, or side by side where there
    /// is one row. Rare and bad stay glyphs, so that they are seen without telling colours apart. It needs colours for
    /// what is here, partly here and coming; a map whose styles lack one is drawn as [`Self::Glyphs`].
    HalfBlocks,
}

impl MapMode {
    /// Columns and rows of cells (not of characters) of a map of this size.
    #[must_use]
    pub fn shape(self, width: u16, height: u16) -> (usize, usize) {
        let (width, height) = (usize::from(width), usize::from(height));
        match (self, height) {
            (Self::Ascii | Self::Glyphs, _) => (width, height),
            (Self::HalfBlocks, 1) => (2 * width, 1),
            (Self::HalfBlocks, _) => (width, 2 * height),
        }
    }
}

/// The styles of a map. In [`MapMode::HalfBlocks`] their foregrounds are the colours of the halves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MapStyles {
    /// Every chunk of the cell is here.
    pub here: Style,
    /// Up to a third, up to two thirds, and more of the chunks are here, but not all.
    pub partial: [Style; 3],
    /// None is here and nothing else is to be said.
    pub missing: Style,
    /// Some chunk is on its way.
    pub coming: Style,
    /// Some missing chunk is held by only so few.
    pub rare: Style,
    /// Some chunk is bad.
    pub bad: Style,
    /// Laid over the cells under the cursor.
    pub cursor: Style,
}

/// What a cell is coloured by beyond its state; `None` leaves it its style.
pub type Tint<'a> = dyn Fn(&Cell) -> Option<Color> + 'a;

/// A map of [`Cell`]s in reading order.
///
/// ```
/// use potluck_widgets::{ChunkMap, ChunkState::{Coming, Here, Missing, Rare}, MapMode, MapStyles, aggregate};
///
/// // Two chunks a cell: both here, one here, none, one coming, one that a single peer holds.
/// let chunks =
///     [Here, Here, Here, Missing, Missing, Missing, Here, Coming, Here, Rare { holders: 1 }];
/// let cells = aggregate(chunks.as_slice(), 5);
/// let map = ChunkMap::new(&cells).mode(MapMode::Glyphs).styles(MapStyles::default());
/// assert_eq!(map.line(5).to_string(), "█▒.+1");
/// ```
#[derive(Clone)]
pub struct ChunkMap<'a> {
    cells: &'a [Cell],
    mode: MapMode,
    styles: MapStyles,
    cursor: Option<Range<u32>>,
    tint: Option<&'a Tint<'a>>,
}

impl<'a> ChunkMap<'a> {
    /// A map of these cells, which follow each other in chunk order.
    #[must_use]
    pub fn new(cells: &'a [Cell]) -> Self {
        Self { cells, mode: MapMode::default(), styles: MapStyles::default(), cursor: None, tint: None }
    }

    /// How cells become characters.
    #[must_use]
    pub fn mode(mut self, mode: MapMode) -> Self {
        self.mode = mode;
        self
    }

    /// The styles of the states.
    #[must_use]
    pub fn styles(mut self, styles: MapStyles) -> Self {
        self.styles = styles;
        self
    }

    /// Puts the cursor on every cell that holds one of these chunks.
    #[must_use]
    pub fn cursor(mut self, chunks: Option<Range<u32>>) -> Self {
        self.cursor = chunks;
        self
    }

    /// Colours a cell by more than its state, such as where its chunks come from; `None` leaves it as it is. Rare and
    /// bad cells keep their style.
    #[must_use]
    pub fn tint(mut self, tint: &'a Tint<'a>) -> Self {
        self.tint = Some(tint);
        self
    }

    /// How many cells a map of this size shows: what to ask for, so that nothing has to be grouped or stretched.
    #[must_use]
    pub fn capacity(&self, width: u16, height: u16) -> usize {
        let (columns, rows) = self.shape(width, height);
        columns * rows
    }

    /// The cells as drawn at this size, to move a cursor over them and to say what is under it.
    #[must_use]
    pub fn grid(&self, width: u16, height: u16) -> MapGrid {
        MapGrid::new(self.cells, self.drawn_mode(), width, height)
    }

    /// The map in one line of exactly `width` columns (none if there are no cells), for a row of a table.
    #[must_use]
    pub fn line(&self, width: u16) -> Line<'static> {
        let mut line = Line::default();
        for (symbol, style) in self.paint(width, 1) {
            match line.spans.last_mut() {
                Some(span) if span.style == style => span.content.to_mut().push_str(symbol),
                Some(_) | None => line.push_span(Span::styled(symbol, style)),
            }
        }
        line
    }

    /// Columns and rows of cells (not of characters).
    fn shape(&self, width: u16, height: u16) -> (usize, usize) {
        self.drawn_mode().shape(width, height)
    }

    fn drawn_mode(&self) -> MapMode {
        let coloured = |style: &Style| style.fg.is_some_and(|colour| colour != Color::Reset);
        let MapStyles { here, partial, coming, .. } = &self.styles;
        match self.mode {
            MapMode::HalfBlocks if coloured(here) && coloured(coming) && partial.iter().all(coloured) => self.mode,
            MapMode::HalfBlocks => MapMode::Glyphs,
            MapMode::Ascii | MapMode::Glyphs => self.mode,
        }
    }

    /// The characters in reading order; empty if there are no cells.
    fn paint(&self, width: u16, height: u16) -> Vec<(&'static str, Style)> {
        let (columns, rows) = self.shape(width, height);
        let cells = regroup(self.cells, columns * rows);
        if cells.is_empty() {
            return Vec::new();
        }
        match self.drawn_mode() {
            MapMode::Ascii | MapMode::Glyphs => cells.iter().map(|cell| self.glyph(cell)).collect(),
            MapMode::HalfBlocks if height == 1 => {
                cells.chunks_exact(2).map(|pair| self.halves(&pair[0], &pair[1], Halves::SideBySide)).collect()
            }
            MapMode::HalfBlocks => cells
                .chunks_exact(2 * columns)
                .flat_map(|two_rows| {
                    let (upper, lower) = two_rows.split_at(columns);
                    upper.iter().zip(lower).map(|(a, b)| self.halves(a, b, Halves::Stacked))
                })
                .collect(),
        }
    }

    fn glyph(&self, cell: &Cell) -> (&'static str, Style) {
        let mark = cell.mark();
        let style = self.style_of(mark);
        let tinted = self.tint_of(cell, mark).map_or(style, |colour| style.fg(colour));
        (symbol(mark, self.mode == MapMode::Ascii), self.under_cursor(tinted, &[cell]))
    }

    fn halves(&self, a: &Cell, b: &Cell, halves: Halves) -> (&'static str, Style) {
        let mark = a.merged(b).mark();
        if matches!(mark, Mark::Rare(_) | Mark::Bad) {
            return (symbol(mark, false), self.under_cursor(self.style_of(mark), &[a, b]));
        }
        match (self.is_under_cursor(a), self.is_under_cursor(b)) {
            (true, true) => return (symbol(mark, false), self.under_cursor(self.style_of(mark), &[a, b])),
            (true, false) => return (halves.first_symbol(), self.beside_cursor(b)),
            (false, true) => return (halves.second_symbol(), self.beside_cursor(a)),
            (false, false) => {}
        }
        match (self.colour_of(a), self.colour_of(b)) {
            (None, None) => (symbol(Mark::Missing, false), self.styles.missing),
            (Some(colour), None) => (halves.first_symbol(), Style::new().fg(colour)),
            (None, Some(colour)) => (halves.second_symbol(), Style::new().fg(colour)),
            (Some(left), Some(right)) if left == right && mark == Mark::Here => {
                (symbol(mark, false), Style::new().fg(left))
            }
            (Some(left), Some(right)) => (halves.first_symbol(), Style::new().fg(left).bg(right)),
        }
    }

    /// A half in the colour of the cursor beside `other`: the one that the cursor lays over a cell, else that of text,
    /// which no state has.
    fn beside_cursor(&self, other: &Cell) -> Style {
        let MapStyles { cursor, .. } = &self.styles;
        let own = cursor.bg.filter(|colour| *colour != Color::Reset);
        let style = Style::new().fg(own.unwrap_or(Color::Reset));
        self.colour_of(other).map_or(style, |colour| style.bg(colour))
    }

    /// The colour of a half; none for what is missing, which shows the background.
    fn colour_of(&self, cell: &Cell) -> Option<Color> {
        match cell.mark() {
            Mark::Missing => None,
            mark @ (Mark::Here | Mark::Partial(_) | Mark::Coming | Mark::Rare(_) | Mark::Bad) => {
                self.tint_of(cell, mark).or(self.style_of(mark).fg)
            }
        }
    }

    fn tint_of(&self, cell: &Cell, mark: Mark) -> Option<Color> {
        match mark {
            Mark::Here | Mark::Partial(_) | Mark::Coming => self.tint.and_then(|tint| tint(cell)),
            Mark::Missing | Mark::Rare(_) | Mark::Bad => None,
        }
    }

    fn style_of(&self, mark: Mark) -> Style {
        match mark {
            Mark::Here => self.styles.here,
            Mark::Partial(third) => self.styles.partial[usize::from(third.min(2))],
            Mark::Missing => self.styles.missing,
            Mark::Coming => self.styles.coming,
            Mark::Rare(_) => self.styles.rare,
            Mark::Bad => self.styles.bad,
        }
    }

    fn under_cursor(&self, style: Style, cells: &[&Cell]) -> Style {
        let covered = cells.iter().any(|cell| self.is_under_cursor(cell));
        if covered { style.patch(self.styles.cursor) } else { style }
    }

    fn is_under_cursor(&self, cell: &Cell) -> bool {
        let chunks = cell.chunks();
        self.cursor.as_ref().is_some_and(|cursor| cursor.start < chunks.end && chunks.start < cursor.end)
    }
}

impl Widget for ChunkMap<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        for (position, (symbol, style)) in area.positions().zip(self.paint(area.width, area.height)) {
            buf[position].set_symbol(symbol).set_style(style);
        }
    }
}

impl fmt::Debug for ChunkMap<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChunkMap")
            .field("cells", &self.cells)
            .field("mode", &self.mode)
            .field("cursor", &self.cursor)
            .finish_non_exhaustive()
    }
}

/// Where the two cells of one character lie.
#[derive(Clone, Copy)]
enum Halves {
    Stacked,
    SideBySide,
}

impl Halves {
    fn first_symbol(self) -> &'static str {
        match self {
            Self::Stacked => "▀",
            Self::SideBySide => "▌",
        }
    }

    fn second_symbol(self) -> &'static str {
        match self {
            Self::Stacked => "▄",
            Self::SideBySide => "▐",
        }
    }
}

fn symbol(mark: Mark, ascii: bool) -> &'static str {
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let (glyph, plain) = match mark {
        Mark::Here => ("█", "#"),
        Mark::Partial(2..) => ("▓", "%"),
        Mark::Partial(1) => ("▒", "="),
        Mark::Partial(0) => ("░", ":"),
        Mark::Missing => (".", "."),
        Mark::Coming => ("+", "+"),
        Mark::Rare(holders) => (DIGITS[usize::from(holders.min(9))], DIGITS[usize::from(holders.min(9))]),
        Mark::Bad => ("✗", "x"),
    };
    if ascii { plain } else { glyph }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        chunk_map::cell::tests::{states, story},
        picture,
    };

    const MODES: [MapMode; 3] = [MapMode::Ascii, MapMode::Glyphs, MapMode::HalfBlocks];

    fn coloured() -> MapStyles {
        MapStyles {
            here: Style::new().green(),
            partial: [Style::new().blue(), Style::new().light_blue(), Style::new().cyan()],
            missing: Style::new().dim(),
            coming: Style::new().yellow(),
            rare: Style::new().magenta().bold(),
            bad: Style::new().red().bold(),
            cursor: Style::new().reversed(),
        }
    }

    fn map(cells: &[Cell], mode: MapMode) -> ChunkMap<'_> {
        ChunkMap::new(cells).mode(mode).styles(coloured())
    }

    #[test]
    fn three_sizes_of_each_mode() {
        let cells = aggregate(story().as_slice(), 400);
        for mode in MODES {
            for (width, height) in [(12, 1), (32, 1), (40, 4)] {
                insta::assert_snapshot!(
                    format!("{mode:?}_{width}x{height}").to_lowercase(),
                    picture::of(map(&cells, mode), width, height)
                );
            }
        }
    }

    #[test]
    fn few_chunks_take_equal_runs() {
        let cells = aggregate([ChunkState::Here, ChunkState::Missing, ChunkState::Bad].as_slice(), 3);
        assert_eq!(map(&cells, MapMode::Glyphs).line(9).to_string(), "███...✗✗✗");
        assert_eq!(map(&cells, MapMode::Glyphs).line(1).to_string(), "✗");
        assert_eq!(map(&cells, MapMode::Glyphs).line(0), Line::default());
        assert_eq!(map(&[], MapMode::Glyphs).line(9), Line::default());
    }

    #[test]
    fn two_colours_a_character() {
        use ChunkState::{Coming, Here, Missing};
        let cells = aggregate([Here, Coming, Missing, Here, Missing, Missing, Here, Here].as_slice(), 8);
        let line = map(&cells, MapMode::HalfBlocks).line(4);
        assert_eq!(line.to_string(), "▌▐.█");
        assert_eq!(line.spans[0].style, Style::new().green().on_yellow());
        assert_eq!(line.spans[1].style, Style::new().green());
        let stacked = picture::drawn(map(&cells, MapMode::HalfBlocks), 2, 2);
        assert_eq!(picture::of_buffer(&stacked), "|▀▀|\n|▄▄|");
    }

    #[test]
    fn half_blocks_without_colours_fall_back_to_glyphs() {
        let cells = aggregate([ChunkState::Here, ChunkState::Missing].as_slice(), 2);
        let plain = ChunkMap::new(&cells).mode(MapMode::HalfBlocks);
        assert_eq!((plain.capacity(4, 2), plain.line(2).to_string()), (8, "█.".to_owned()));
        assert_eq!(map(&cells, MapMode::HalfBlocks).capacity(4, 2), 16);
    }

    #[test]
    fn the_cursor_covers_its_cells_and_the_tint_spares_warnings() {
        let cells = aggregate(story().as_slice(), 100);
        let chunks = cells[7].chunks();
        let buf = picture::drawn(map(&cells, MapMode::Glyphs).cursor(Some(chunks.start..chunks.start + 1)), 10, 10);
        let reversed: Vec<_> = buf
            .area
            .positions()
            .filter(|&at| buf[at].modifier.contains(ratatui::style::Modifier::REVERSED))
            .map(|at| (at.x, at.y))
            .collect();
        assert_eq!(reversed, [(7, 0)]);

        let cells = aggregate([ChunkState::Coming, ChunkState::Bad].as_slice(), 2);
        let tint = |_: &Cell| Some(Color::Indexed(99));
        let line = map(&cells, MapMode::Glyphs).tint(&tint).line(2);
        assert_eq!(
            line.spans.iter().map(|span| span.style.fg).collect::<Vec<_>>(),
            [Some(Color::Indexed(99)), Some(Color::Red)]
        );
    }

    proptest! {
        /// Through both groupings and at every size: what a character claims is true of every chunk it stands for.
        #[test]
        fn no_character_lies(
            states in states(), asked in 0_usize..300, (width, height) in picture::sizes(), mode in 0_usize..3,
            cursor in proptest::option::of(0_u32..300),
        ) {
            let mode = MODES[mode];
            let cells = aggregate(states.as_slice(), asked);
            let map = map(&cells, mode).cursor(cursor.map(|chunk| chunk..chunk + 1));
            let grid = map.grid(width, height);
            let painted = map.paint(width, height);
            if cells.is_empty() || width == 0 || height == 0 {
                prop_assert!(painted.is_empty());
                return Ok(());
            }
            prop_assert_eq!(painted.len(), usize::from(width) * usize::from(height));
            let (columns, _) = map.shape(width, height);
            for (at, &(symbol, _)) in painted.iter().enumerate() {
                let covered: Vec<Cell> = match (mode, height) {
                    (MapMode::Ascii | MapMode::Glyphs, _) => vec![grid.cells()[at]],
                    (MapMode::HalfBlocks, 1) => grid.cells()[2 * at..2 * at + 2].to_vec(),
                    (MapMode::HalfBlocks, _) => {
                        let top = at / columns * 2 * columns + at % columns;
                        vec![grid.cells()[top], grid.cells()[top + columns]]
                    }
                };
                let chunks: Vec<ChunkState> = covered
                    .iter()
                    .flat_map(|cell| cell.chunks())
                    .map(|chunk| states[chunk as usize])
                    .collect();
                let any = |wanted: fn(&ChunkState) -> bool| chunks.iter().any(wanted);
                let all_here = chunks.iter().all(|state| *state == ChunkState::Here);
                let bad = any(|state| *state == ChunkState::Bad);
                prop_assert_eq!(bad, symbol == "✗" || symbol == "x");
                let rarest = chunks.iter().filter_map(|state| match state {
                    ChunkState::Rare { holders } => Some(holders.to_string()),
                    ChunkState::Here | ChunkState::Coming | ChunkState::Bad | ChunkState::Missing => None,
                }).min();
                match rarest {
                    Some(digit) if !bad => prop_assert_eq!(symbol, digit.as_str()),
                    Some(_) | None => prop_assert!(bad || !symbol.starts_with(|c: char| c.is_ascii_digit())),
                }
                prop_assert!((symbol != "█" && symbol != "#") || all_here);
                prop_assert!(symbol != "." || chunks.iter().all(|state| *state == ChunkState::Missing));
            }
        }

        #[test]
        fn any_size_can_be_drawn(states in states(), (width, height) in picture::sizes(), mode in 0_usize..3) {
            let cells = aggregate(states.as_slice(), 64);
            let _drawn = picture::drawn(map(&cells, MODES[mode]), width, height);
            prop_assert_eq!(map(&cells, MODES[mode]).line(width).width(), if cells.is_empty() { 0 } else { width.into() });
        }
    }
}
