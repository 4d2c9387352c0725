//! A table that asks only for the rows in view.
//!
//! The caller owns rows, order, selection and scrolling ([`Scroll`]); drawing changes none of them. Which columns there
//! is room for is worked out in [`columns`](column_widths) alone, so that headers and rows agree.

mod columns;
mod scroll;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
};

use crate::{GlyphLevel, text};

pub use self::{
    columns::{Align, Column, column_widths},
    scroll::Scroll,
};

/// Columns before the first: the selection marker, the row's mark, and a blank.
const GUTTER: u16 = 3;

/// Which way a column is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// One row. Its cells belong to the columns in order; those of columns without room are not drawn.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// A cell a column.
    pub cells: Vec<Line<'a>>,
    /// Under the whole row.
    pub style: Style,
    /// One character before the row in its own style, such as [`Row::MARKED`]; blank without.
    pub mark: Option<Span<'a>>,
}

impl<'a> Row<'a> {
    /// The bullet of a row that the user marked.
    pub const MARKED: &'static str = "•";
    /// The same in ASCII.
    pub const MARKED_ASCII: &'static str = "*";

    /// A row of cells.
    pub fn new<C: Into<Line<'a>>>(cells: impl IntoIterator<Item = C>) -> Self {
        Self { cells: cells.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Lays `style` under the row.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Puts a character before the row.
    #[must_use]
    pub fn mark(mut self, mark: Option<Span<'a>>) -> Self {
        self.mark = mark;
        self
    }
}

/// The styles of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TableStyles {
    /// The titles of the columns.
    pub header: Style,
    /// The title of the column the table is sorted by.
    pub sorted: Style,
    /// Laid over the selected row.
    pub selected: Style,
    /// The marker before the selected row.
    pub marker: Style,
}

/// A table of any number of rows.
///
/// ```
/// use potluck_widgets::{Align, Column, Order, Row, Scroll, Table};
/// use ratatui::{buffer::Buffer, layout::Rect};
///
/// let columns = [
///     Column::new("TITLE", 5).flex(1),
///     Column::new("SIZE", 6).align(Align::Right),
///     Column::new("HAVE", 4).align(Align::Right).priority(1),
/// ];
/// let scroll = Scroll { offset: 0, selected: Some(1) };
/// let mut buf = Buffer::empty(Rect::new(0, 0, 26, 3));
/// Table::new(&columns, 10_000).scroll(scroll).sorted(Some((0, Order::Ascending))).draw(
///     buf.area,
///     &mut buf,
///     |row, _widths| Row::new([format!("Game {row}"), format!("{row} MB"), "7".to_owned()]),
/// );
/// assert_eq!(
///     buf,
///     Buffer::with_lines([
///         "   TITLE ▲      SIZE  HAVE",
///         "   Game 0       0 MB     7",
///         "▌  Game 1       1 MB     7",
///     ])
/// );
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    columns: &'a [Column<'a>],
    row_count: usize,
    scroll: Scroll,
    sorted: Option<(usize, Order)>,
    header: bool,
    spacing: u16,
    level: GlyphLevel,
    styles: TableStyles,
}

impl<'a> Table<'a> {
    /// A table of `row_count` rows.
    #[must_use]
    pub fn new(columns: &'a [Column<'a>], row_count: usize) -> Self {
        Self {
            columns,
            row_count,
            scroll: Scroll::default(),
            sorted: None,
            header: true,
            spacing: 2,
            level: GlyphLevel::default(),
            styles: TableStyles::default(),
        }
    }

    /// Which rows are in view and which one is selected.
    #[must_use]
    pub fn scroll(mut self, scroll: Scroll) -> Self {
        self.scroll = scroll;
        self
    }

    /// Puts an arrow beside the title of a column.
    #[must_use]
    pub fn sorted(mut self, sorted: Option<(usize, Order)>) -> Self {
        self.sorted = sorted;
        self
    }

    /// Whether the first line holds the titles; it does unless told not to.
    #[must_use]
    pub fn header(mut self, header: bool) -> Self {
        self.header = header;
        self
    }

    /// Blank columns between two columns; 2 unless told otherwise.
    #[must_use]
    pub fn spacing(mut self, columns: u16) -> Self {
        self.spacing = columns;
        self
    }

    /// Glyphs of marker, arrow and ellipsis.
    #[must_use]
    pub fn level(mut self, level: GlyphLevel) -> Self {
        self.level = level;
        self
    }

    /// The styles of its parts.
    #[must_use]
    pub fn styles(mut self, styles: TableStyles) -> Self {
        self.styles = styles;
        self
    }

    /// How many rows fit into `height` lines: what [`Scroll`] wants to know.
    #[must_use]
    pub fn rows_in(&self, height: u16) -> usize {
        usize::from(height.saturating_sub(u16::from(self.header)))
    }

    /// Draws the table; `row` is asked for the rows in view only, top down, and told the widths of all columns (0 where
    /// there is no room), for cells that are drawn to measure.
    pub fn draw<'r>(&self, area: Rect, buf: &mut Buffer, mut row: impl FnMut(usize, &[u16]) -> Row<'r>) {
        let area = area.intersection(buf.area);
        let widths = column_widths(self.columns, area.width.saturating_sub(GUTTER), self.spacing);
        let mut lines = area.rows();
        if self.header
            && let Some(line) = lines.next()
        {
            self.draw_header(line, buf, &widths);
        }
        let shown = self.scroll.shown(self.row_count, self.rows_in(area.height));
        for (at, line) in shown.zip(lines) {
            self.draw_row(line, buf, &widths, &row(at, &widths), self.scroll.selected == Some(at));
        }
    }

    fn draw_header(&self, line: Rect, buf: &mut Buffer, widths: &[u16]) {
        buf.set_style(line, self.styles.header);
        for (index, place) in self.places(line, widths) {
            let column = &self.columns[index];
            let order = self.sorted.and_then(|(sorted, order)| (sorted == index).then_some(order));
            let (style, arrow) = match order {
                Some(order) => (self.styles.header.patch(self.styles.sorted), self.arrow(order)),
                None => (self.styles.header, ""),
            };
            // The arrow outlives the title: a clipped word is still known, a lost order is not.
            let room = usize::from(place.width).saturating_sub(text::width(arrow));
            let title = text::clip(column.title, room, self.level.ellipsis());
            text::draw_str(buf, place, &format!("{title}{arrow}"), style, column.align.is_right(), "");
        }
    }

    fn draw_row(&self, line: Rect, buf: &mut Buffer, widths: &[u16], row: &Row<'_>, selected: bool) {
        buf.set_style(line, row.style);
        if let Some(mark) = &row.mark {
            let place = Rect { x: line.x + 1, width: line.width.saturating_sub(1).min(1), ..line };
            text::draw(buf, place, &Line::from(mark.clone()), false, "");
        }
        for (index, place) in self.places(line, widths) {
            if let Some(cell) = row.cells.get(index) {
                text::draw(buf, place, cell, self.columns[index].align.is_right(), self.level.ellipsis());
            }
        }
        if selected {
            buf.set_style(line, self.styles.selected);
            text::draw_str(buf, line, self.marker(), self.styles.marker, false, "");
        }
    }

    /// Where each column with any room lies.
    fn places(&self, line: Rect, widths: &[u16]) -> impl Iterator<Item = (usize, Rect)> {
        let mut x = line.x.saturating_add(GUTTER);
        let spacing = self.spacing;
        let places = widths.iter().enumerate().filter(|&(_, &width)| width > 0).map(move |(index, &width)| {
            let place = Rect { x, width: width.min(line.right().saturating_sub(x)), ..line };
            x = x.saturating_add(width).saturating_add(spacing);
            (index, place)
        });
        places.collect::<Vec<_>>().into_iter()
    }

    fn arrow(&self, order: Order) -> &'static str {
        match (self.level, order) {
            (GlyphLevel::Ascii, Order::Ascending) => " ^",
            (GlyphLevel::Ascii, Order::Descending) => " v",
            (GlyphLevel::Blocks | GlyphLevel::Braille, Order::Ascending) => " ▲",
            (GlyphLevel::Blocks | GlyphLevel::Braille, Order::Descending) => " ▼",
        }
    }

    fn marker(&self) -> &'static str {
        match self.level {
            GlyphLevel::Ascii => ">",
            GlyphLevel::Blocks | GlyphLevel::Braille => "▌",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use ratatui::style::Color;

    use super::*;
    use crate::picture::{self, nasty_text};

    fn columns() -> [Column<'static>; 5] {
        [
            Column::new("TITLE", 8).flex(1).max(22),
            Column::new("VERSION", 7).priority(3),
            Column::new("SIZE", 7).align(Align::Right).priority(1),
            Column::new("STATE", 11).flex(2),
            Column::new("HAVE", 4).align(Align::Right).priority(2),
        ]
    }

    const GAMES: [[&str; 5]; 7] = [
        ["0 A.D.", "0.27.1", "3.4 GB", "✓ Ready", "115"],
        ["Armagetron Advanced", "0.2.9", "9 MB", "○ Available", "42"],
        ["漢字かな交じり文のゲーム", "1", "1.2 GB", "✓ Ready", "3"],
        ["שלום עולם", "2.602", "11.4 GB", "↓ Getting   43 %", "96"],
        ["Cafe\u{301} ❤\u{fe0f} 👩\u{200d}👩\u{200d}👧", "1.0.71", "4.6 GB", "… Waiting   no peer has the rest", "0"],
        ["A very long name that no column is wide enough for", "20250330", "118 MB", "✗ Failed", "110"],
        ["Xonotic", "0.8.6", "1.3 GB", "✓ Ready", "112"],
    ];

    fn row(at: usize, _widths: &[u16]) -> Row<'static> {
        Row::new(GAMES[at % 7]).mark((at % 3 == 1).then(|| Span::raw(Row::MARKED)))
    }

    fn table<'a>(columns: &'a [Column<'a>]) -> Table<'a> {
        Table::new(columns, 7).scroll(Scroll { offset: 0, selected: Some(2) }).sorted(Some((0, Order::Descending)))
    }

    fn picture_of(table: &Table<'_>, width: u16, height: u16) -> String {
        let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
        table.draw(buf.area, &mut buf, row);
        picture::of_buffer(&buf)
    }

    #[test]
    fn three_sizes() {
        let columns = columns();
        for (width, height) in [(26, 4), (50, 6), (80, 9)] {
            insta::assert_snapshot!(format!("{width}x{height}"), picture_of(&table(&columns), width, height));
        }
        insta::assert_snapshot!("ascii_40x5", picture_of(&table(&columns).level(GlyphLevel::Ascii), 40, 5));
    }

    #[test]
    fn only_rows_in_view_are_asked_for() {
        let columns = columns();
        let mut asked = Vec::new();
        let mut buf = Buffer::empty(Rect::new(0, 0, 60, 5));
        let scroll = Scroll { offset: 9_000, selected: Some(9_001) };
        Table::new(&columns, 10_000).scroll(scroll).draw(buf.area, &mut buf, |at, widths| {
            asked.push(at);
            row(at, widths)
        });
        assert_eq!(asked, [9_000, 9_001, 9_002, 9_003]);
    }

    #[test]
    fn the_selection_is_laid_over_the_whole_row() {
        let columns = columns();
        let mut buf = Buffer::empty(Rect::new(0, 0, 60, 9));
        let styles =
            TableStyles { selected: Style::new().reversed(), marker: Style::new().red(), ..Default::default() };
        table(&columns).styles(styles).draw(buf.area, &mut buf, row);
        let reversed = |y: u16| (0..60).all(|x| buf[(x, y)].modifier.contains(ratatui::style::Modifier::REVERSED));
        assert_eq!((0..9).map(reversed).collect::<Vec<_>>(), (0..9).map(|y| y == 3).collect::<Vec<_>>());
        assert_eq!((buf[(0, 3)].symbol(), buf[(0, 3)].fg), ("▌", Color::Red));
    }

    proptest! {
        /// Whatever stands in a cell, the column after it begins where it always does.
        #[test]
        fn no_text_moves_a_column(texts in vec(nasty_text(), 4), (width, height) in picture::sizes()) {
            let columns = [
                Column::new("A", 3).flex(1),
                Column::new("B", 3).align(Align::Right).flex(1),
                Column::new("C", 1),
            ];
            let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
            let widths = column_widths(&columns, width.saturating_sub(GUTTER), 2);
            Table::new(&columns, 4).draw(buf.area, &mut buf, |at, _| Row::new([&*texts[at], &*texts[3 - at], "#"]));
            let last = GUTTER + widths[0] + widths[1] + 4;
            if widths.iter().all(|&width| width > 0) && widths[2] > 0 && last < width {
                for y in 1..height.min(5) {
                    prop_assert_eq!(buf[(last, y)].symbol(), "#");
                    prop_assert_eq!(buf[(last - 1, y)].symbol(), " ");
                }
            }
        }

        #[test]
        fn any_size_and_any_row_can_be_drawn(
            (width, height) in picture::sizes(), spacing in 0_u16..5, header: bool, offset: usize,
            selected in proptest::option::of(any::<usize>()), count in prop_oneof![0_usize..20, any::<usize>()],
        ) {
            let columns = columns();
            let mut buf = Buffer::empty(Rect::new(0, 0, width, height));
            let table = Table::new(&columns, count)
                .scroll(Scroll { offset, selected })
                .spacing(spacing)
                .header(header)
                .sorted(Some((3, Order::Ascending)));
            table.draw(buf.area, &mut buf, row);
            table.draw(Rect::new(3, 1, 60, 60), &mut buf, row);
        }
    }
}
