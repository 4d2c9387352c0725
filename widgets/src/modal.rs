//! A question in a box, with the keys that answer it. Which key was pressed is the caller's business.

use ratatui::{
    buffer::{Buffer, CellWidth},
    layout::Rect,
    style::Style,
    text::Line,
    widgets::{Clear, Widget},
};

use crate::{GlyphLevel, Hint, key_hints, text};

/// Columns of border and margin at both sides together.
const FRAME_WIDTH: u16 = 4;
/// Rows of border above and below together.
const FRAME_HEIGHT: u16 = 2;

/// The styles of a modal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModalStyles {
    /// Under everything, and what lines without a style have.
    pub text: Style,
    /// The box.
    pub border: Style,
    /// The words in the upper border.
    pub title: Style,
    /// The keys of the choices.
    pub key: Style,
    /// What the keys do.
    pub key_text: Style,
}

/// A centred box with lines, broken where they are too wide, and choices, of which none is ever dropped while there is
/// any room: lines give way to them.
///
/// ```
/// use potluck_widgets::{Hint, Modal};
/// use ratatui::{buffer::Buffer, layout::Rect, text::Line, widgets::Widget};
///
/// let lines = [Line::from("Remove it?")];
/// let choices = [Hint::new("y", "Yes"), Hint::new("Esc", "No")];
/// let mut buf = Buffer::empty(Rect::new(0, 0, 21, 5));
/// Modal::new("Remove", &lines, &choices).render(buf.area, &mut buf);
/// assert_eq!(
///     buf,
///     Buffer::with_lines([
///         " ┌─ Remove ───────┐  ",
///         " │ Remove it?     │  ",
///         " │                │  ",
///         " │ y Yes   Esc No │  ",
///         " └────────────────┘  ",
///     ])
/// );
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Modal<'a> {
    title: &'a str,
    lines: &'a [Line<'a>],
    choices: &'a [Hint<'a>],
    width_max: u16,
    scroll: usize,
    level: GlyphLevel,
    styles: ModalStyles,
}

impl<'a> Modal<'a> {
    /// A box of these lines and choices.
    #[must_use]
    pub fn new(title: &'a str, lines: &'a [Line<'a>], choices: &'a [Hint<'a>]) -> Self {
        // Longer lines are hard to read.
        let width_max = 76;
        Self {
            title,
            lines,
            choices,
            width_max,
            scroll: 0,
            level: GlyphLevel::default(),
            styles: ModalStyles::default(),
        }
    }

    /// The most columns it takes, border and all; 76 unless told otherwise.
    #[must_use]
    pub fn width_max(mut self, columns: u16) -> Self {
        self.width_max = columns;
        self
    }

    /// Leaves out the first rows, as far as there are more than fit.
    #[must_use]
    pub fn scroll(mut self, rows: usize) -> Self {
        self.scroll = rows;
        self
    }

    /// Box drawing, or `+`, `-` and `|`.
    #[must_use]
    pub fn level(mut self, level: GlyphLevel) -> Self {
        self.level = level;
        self
    }

    /// The styles of its parts.
    #[must_use]
    pub fn styles(mut self, styles: ModalStyles) -> Self {
        self.styles = styles;
        self
    }

    /// Where it lies when drawn into `area`.
    #[must_use]
    pub fn place(&self, area: Rect) -> Rect {
        let width = self.width(area);
        let content = self.content(width.saturating_sub(FRAME_WIDTH));
        let rows = content.lines.len() + content.gap() + content.choices.len();
        let height = u16::try_from(rows).unwrap_or(u16::MAX).saturating_add(FRAME_HEIGHT).min(area.height);
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
    }

    /// How far it can be scrolled in `area`; 0 if everything is seen.
    #[must_use]
    pub fn scroll_max(&self, area: Rect) -> usize {
        let place = self.place(area);
        let content = self.content(place.width.saturating_sub(FRAME_WIDTH));
        content.lines.len().saturating_sub(content.room(place.height.saturating_sub(FRAME_HEIGHT)))
    }

    fn width(&self, area: Rect) -> u16 {
        let lines = self.lines.iter().map(text::line_width);
        let (key, label) = (self.styles.key, self.styles.key_text);
        let choices = key_hints::rows(self.choices, u16::MAX, key, label);
        let choices = choices.iter().map(text::line_width);
        let title = text::width(self.title) + 2;
        let wanted = lines.chain(choices).chain([title]).max().unwrap_or(0);
        let wanted = u16::try_from(wanted).unwrap_or(u16::MAX).saturating_add(FRAME_WIDTH);
        wanted.min(self.width_max).min(area.width)
    }

    fn content(&self, width: u16) -> Content<'a> {
        let lines = self.lines.iter().flat_map(|line| wrap_indented(line, usize::from(width))).collect();
        let choices = key_hints::rows(self.choices, width, self.styles.key, self.styles.key_text);
        Content { lines, choices }
    }
}

impl Widget for Modal<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let place = self.place(area.intersection(buf.area));
        clear(place, buf);
        buf.set_style(place, self.styles.text);
        draw_frame(buf, place, self.title, self.level, &self.styles);
        let inner = Rect {
            x: place.x.saturating_add(FRAME_WIDTH / 2),
            y: place.y.saturating_add(1),
            width: place.width.saturating_sub(FRAME_WIDTH),
            height: place.height.saturating_sub(FRAME_HEIGHT),
        };
        let content = self.content(inner.width);
        let ellipsis = self.level.ellipsis();
        let room = content.room(inner.height);
        let hidden = content.lines.len().saturating_sub(room);
        let mut rows = inner.rows();
        let first = self.scroll.min(hidden);
        for (at, (line, row)) in content.lines[first..].iter().zip(rows.by_ref().take(room)).enumerate() {
            let last = at + 1 == room && first < hidden;
            // More below: said in the last row, where it is looked for.
            let more = Line::from(ellipsis);
            text::draw(buf, row, if last { &more } else { line }, false, ellipsis);
        }
        let choices = content.choices.len().min(usize::from(inner.height));
        let below = inner.rows().skip(usize::from(inner.height) - choices);
        for (line, row) in content.choices.iter().zip(below) {
            text::draw(buf, row, line, false, ellipsis);
        }
    }
}

/// A line that begins with blanks begins with them on every row it takes, if they leave most of the row free.
fn wrap_indented(line: &Line<'_>, columns: usize) -> Vec<Line<'static>> {
    let indent = match line.spans.first() {
        Some(first) => first.content.len() - first.content.trim_start_matches(' ').len(),
        None => 0,
    };
    if indent == 0 || indent * 3 > columns {
        return text::wrap(line, columns);
    }
    let mut rest = line.clone();
    if let Some(first) = rest.spans.first_mut() {
        first.content = first.content[indent..].to_owned().into();
    }
    let mut rows = text::wrap(&rest, columns - indent);
    for row in &mut rows {
        row.spans.insert(0, " ".repeat(indent).into());
    }
    rows
}

/// Blanks `place`, and the wide symbols that would reach into it from the left.
fn clear(place: Rect, buf: &mut Buffer) {
    for row in place.rows() {
        if let Some(x) = place.x.checked_sub(1)
            && let Some(cell) = buf.cell_mut((x, row.y))
            && cell.cell_width() > 1
        {
            cell.set_symbol(" ");
        }
    }
    Clear.render(place, buf);
}

struct Content<'a> {
    lines: Vec<Line<'static>>,
    choices: Vec<Line<'a>>,
}

impl Content<'_> {
    /// The blank row between lines and choices.
    fn gap(&self) -> usize {
        usize::from(!self.lines.is_empty() && !self.choices.is_empty())
    }

    /// Rows for lines within `height`; the blank row goes before the last line does.
    fn room(&self, height: u16) -> usize {
        let free = usize::from(height).saturating_sub(self.choices.len());
        if free > self.gap() { (free - self.gap()).min(self.lines.len()) } else { free.min(self.lines.len()) }
    }
}

fn draw_frame(buf: &mut Buffer, place: Rect, title: &str, level: GlyphLevel, styles: &ModalStyles) {
    let [horizontal, vertical, corners @ ..] = match level {
        GlyphLevel::Ascii => ["-", "|", "+", "+", "+", "+"],
        GlyphLevel::Blocks | GlyphLevel::Braille => ["─", "│", "┌", "┐", "└", "┘"],
    };
    if place.is_empty() {
        return;
    }
    let (left, right, top, bottom) = (place.x, place.right() - 1, place.y, place.bottom() - 1);
    for position in place.positions() {
        let (on_side, on_edge) = (position.x == left || position.x == right, position.y == top || position.y == bottom);
        let symbol = match (on_side, on_edge) {
            (true, true) => corners[usize::from(position.x != left) + 2 * usize::from(position.y != top)],
            (true, false) => vertical,
            (false, true) => horizontal,
            (false, false) => continue,
        };
        buf[position].set_symbol(symbol).set_style(styles.border);
    }
    if !title.is_empty() && place.width > FRAME_WIDTH + 2 {
        let room = Rect { x: left + 2, y: top, width: place.width - FRAME_WIDTH, height: 1 };
        let title = text::clip(title, usize::from(room.width) - 2, level.ellipsis());
        text::draw_str(buf, room, &format!(" {title} "), styles.title, false, "");
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::picture::{self, nasty_text};

    fn lines() -> [Line<'static>; 3] {
        [
            Line::from("Needs 11.4 GB + 12.1 GB installed; 15.0 GB free."),
            Line::from(""),
            Line::from("It can be had without installing, which takes less."),
        ]
    }

    fn choices() -> [Hint<'static>; 3] {
        [Hint::new("k", "Get, install, drop archives"), Hint::new("o", "Only get"), Hint::new("Esc", "Stay")]
    }

    #[test]
    fn three_sizes() {
        let (lines, choices) = (lines(), choices());
        for level in [GlyphLevel::Ascii, GlyphLevel::Blocks] {
            for (width, height) in [(20, 8), (40, 12), (80, 9)] {
                insta::assert_snapshot!(
                    format!("{level:?}_{width}x{height}").to_lowercase(),
                    picture::of(Modal::new("Not enough room", &lines, &choices).level(level), width, height)
                );
            }
        }
    }

    #[test]
    fn scrolling_ends_where_everything_was_seen() {
        let lines: Vec<Line<'_>> = (0..9).map(|line| Line::from(line.to_string())).collect();
        let choices = [Hint::new("q", "Close")];
        let modal = Modal::new("", &lines, &choices);
        let area = Rect::new(0, 0, 20, 8);
        assert_eq!(modal.scroll_max(area), 5);
        assert_eq!(modal.scroll_max(Rect::new(0, 0, 20, 30)), 0);
        insta::assert_snapshot!(picture::of(modal.scroll(99), 20, 8));
    }

    #[test]
    fn an_indented_line_stays_indented_on_every_row() {
        let rows = |text: &'static str, columns| wrap_indented(&Line::from(text), columns);
        assert_eq!(
            rows("  one two three", 10).iter().map(Line::to_string).collect::<Vec<_>>(),
            ["  one two", "  three"]
        );
        assert_eq!(rows("one two three", 8), [Line::from("one two"), Line::from("three")]);
        assert_eq!(rows("    one two", 9), text::wrap(&Line::from("    one two"), 9));
    }

    #[test]
    fn what_lies_below_does_not_shine_through() {
        let mut buf = Buffer::with_lines(["漢漢漢漢漢漢", "漢漢漢漢漢漢", "漢漢漢漢漢漢"]);
        Modal::new("", &[Line::from("ab")], &[]).render(Rect::new(0, 0, 12, 3), &mut buf);
        assert_eq!(picture::of_buffer(&buf).lines().nth(1).map(|line| line.contains("│ ab │")), Some(true));
    }

    proptest! {
        #[test]
        fn any_size_and_any_text_can_be_drawn(
            title in nasty_text(), lines in vec(nasty_text(), 0..5), words in vec((nasty_text(), nasty_text()), 0..4),
            (width, height) in picture::sizes(), scroll in 0_usize..9,
        ) {
            let lines: Vec<Line<'_>> = lines.into_iter().map(Line::from).collect();
            let choices: Vec<Hint<'_>> = words.iter().map(|(key, label)| Hint::new(key, label)).collect();
            let modal = Modal::new(&title, &lines, &choices).scroll(scroll);
            let area = Rect::new(0, 0, width, height);
            prop_assert_eq!(modal.place(area), modal.place(area).intersection(area));
            let _drawn = picture::drawn(modal, width, height);
        }
    }
}
