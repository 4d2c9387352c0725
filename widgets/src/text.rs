//! Text as the terminal shows it: measured and cut by grapheme and display width, never by byte or character.
//!
//! Every widget of this crate draws through here. What would break the columns beside it is changed on the way:
//!
//! - control characters and bidirectional controls are left out;
//! - joined, coloured and variation-selected emoji are drawn as their first character, because terminals disagree by up
//!   to six columns on how wide they are; flags are drawn as their two letters;
//! - a text that holds right-to-left letters is followed by an invisible left-to-right mark, so that a terminal which
//!   reorders does not swap it with the columns beside it;
//! - of a grapheme with more combining marks than any script needs, the first few are kept.
//!
//! It does not decide what may be shown; callers still clean what comes from others.

use ratatui::{
    buffer::{Buffer, CellWidth},
    layout::Rect,
    style::Style,
    text::Line,
};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

/// Characters kept of one grapheme: Hangul and Indic clusters need up to six, stacked marks go on for ever.
const CLUSTER_CHARS_MAX: usize = 8;
const ZERO_WIDTH_JOINER: char = '\u{200d}';
const EMOJI_STYLE: char = '\u{fe0f}';
const KEYCAP: char = '\u{20e3}';
const LEFT_TO_RIGHT_MARK: char = '\u{200e}';
const LETTERS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const REGIONAL_A: u32 = 0x1f1e6;

/// What of `text` is drawn, one item a grapheme, each with its columns (at least 1).
///
/// ```
/// let drawn: Vec<_> = potluck_widgets::text::cells("a\u{1b}漢❤\u{fe0f}🇩🇪").collect();
/// assert_eq!(drawn, [("a", 1), ("漢", 2), ("❤", 1), ("D", 1), ("E", 1)]);
/// ```
pub fn cells(text: &str) -> impl Iterator<Item = (&str, u16)> {
    text.graphemes(true).flat_map(|cluster| drawable(cluster).into_iter().flatten())
}

/// Columns that `text` takes when drawn.
///
/// ```
/// assert_eq!(potluck_widgets::text::width("漢字"), 4);
/// ```
#[must_use]
pub fn width(text: &str) -> usize {
    // Most of what is drawn; taking it apart would cost more than drawing it.
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.len();
    }
    cells(text).map(|(_, columns)| usize::from(columns)).sum()
}

/// Columns that `line` takes when drawn.
#[must_use]
pub fn line_width(line: &Line<'_>) -> usize {
    line.spans.iter().map(|span| width(&span.content)).sum()
}

/// `text` in at most `columns`, with `ellipsis` in place of what did not fit.
///
/// ```
/// assert_eq!(potluck_widgets::text::clip("漢字かな", 6, "…"), "漢字…");
/// ```
#[must_use]
pub fn clip(text: &str, columns: usize, ellipsis: &str) -> String {
    if width(text) <= columns {
        return cells(text).map(|(symbol, _)| symbol).collect();
    }
    let (ellipsis, room) = ellipsis_and_room(ellipsis, columns);
    let mut left = room;
    let mut clipped: String = cells(text)
        .map_while(|(symbol, columns)| {
            left = left.checked_sub(usize::from(columns))?;
            Some(symbol)
        })
        .collect();
    clipped.push_str(ellipsis);
    clipped
}

/// Draws `line` into the first row of `area`, cut with `ellipsis`, right-aligned if `right`. The style of the line and
/// of its spans is laid over what the buffer has; cells beyond the text are left alone. Returns the columns used.
pub fn draw(buf: &mut Buffer, area: Rect, line: &Line<'_>, right: bool, ellipsis: &str) -> u16 {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return 0;
    }
    let wanted = line_width(line);
    let room = usize::from(area.width);
    let cut = wanted > room;
    let (ellipsis, mut left) = if cut { ellipsis_and_room(ellipsis, room) } else { ("", room) };
    let mut x = if right && !cut { area.right() - wanted as u16 } else { area.x };
    let start = x;
    let mut guard = BidiGuard::default();
    let mut style = line.style;
    'spans: for span in &line.spans {
        style = line.style.patch(span.style);
        for (symbol, columns) in cells(&span.content) {
            let Some(rest) = left.checked_sub(usize::from(columns)) else { break 'spans };
            left = rest;
            guard.drawn(symbol, x);
            x = put(buf, x, area.y, symbol, columns, style);
        }
    }
    for (symbol, columns) in cells(ellipsis) {
        guard.drawn(symbol, x);
        x = put(buf, x, area.y, symbol, columns, style);
    }
    guard.close(buf, area.y);
    x - start
}

/// As [`draw`], for a text of one style.
pub fn draw_str(buf: &mut Buffer, area: Rect, text: &str, style: Style, right: bool, ellipsis: &str) -> u16 {
    draw(buf, area, &Line::styled(text, style), right, ellipsis)
}

/// `line` broken at blanks into lines of at most `columns`; words that are longer are broken anywhere. An empty line
/// stays one empty line. With no columns there are no lines.
///
/// ```
/// use ratatui::text::Line;
/// let wrapped = potluck_widgets::text::wrap(&Line::from("one two three"), 8);
/// assert_eq!(wrapped, [Line::from("one two"), Line::from("three")]);
/// ```
#[must_use]
pub fn wrap(line: &Line<'_>, columns: usize) -> Vec<Line<'static>> {
    if columns == 0 {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let mut row: Vec<Glyph> = Vec::new();
    // A symbol wider than every line has no place in any.
    'glyphs: for glyph in glyphs(line).into_iter().filter(|glyph| glyph.columns <= columns) {
        // Once more where even the word that moved down leaves no room for a wide symbol.
        while used(&row) + glyph.columns > columns {
            let blank = row.iter().rposition(|glyph| glyph.symbol == " ");
            // A blank that does not fit ends the row itself; else the last word moves down whole.
            let rest = match blank {
                Some(at) if glyph.symbol != " " => row.split_off(at + 1),
                Some(_) | None => Vec::new(),
            };
            lines.push(line_of(&row, line.style));
            row = rest;
            if glyph.symbol == " " {
                continue 'glyphs;
            }
        }
        row.push(glyph);
    }
    lines.push(line_of(&row, line.style));
    lines
}

fn drawable(cluster: &str) -> [Option<(&str, u16)>; 2] {
    let Some(first) = cluster.chars().next() else { return [None; 2] };
    if cluster.contains(char::is_control) {
        return [None; 2];
    }
    if let Some(letter) = regional_letter(first) {
        return [Some((letter, 1)), cluster.chars().nth(1).and_then(regional_letter).map(|letter| (letter, 1))];
    }
    let cut = if is_disputed_emoji(cluster, first) { 1 } else { CLUSTER_CHARS_MAX };
    let symbol = cluster.char_indices().nth(cut).map_or(cluster, |(end, _)| &cluster[..end]);
    let columns = symbol.cell_width();
    [(columns > 0).then_some((symbol, columns)), None]
}

fn is_disputed_emoji(cluster: &str, first: char) -> bool {
    cluster.contains([EMOJI_STYLE, KEYCAP])
        || (first.width() == Some(2)
            && cluster.contains(|c: char| c == ZERO_WIDTH_JOINER || ('\u{1f3fb}'..='\u{1f3ff}').contains(&c))
            && cluster.len() > first.len_utf8())
}

fn regional_letter(c: char) -> Option<&'static str> {
    let at = u32::from(c).checked_sub(REGIONAL_A)? as usize;
    LETTERS.get(at..=at)
}

fn ellipsis_and_room(ellipsis: &str, columns: usize) -> (&str, usize) {
    match columns.checked_sub(width(ellipsis)) {
        Some(room) => (ellipsis, room),
        None => ("", columns),
    }
}

fn put(buf: &mut Buffer, x: u16, y: u16, symbol: &str, columns: u16, style: Style) -> u16 {
    for column in x..x + columns {
        if let Some(cell) = buf.cell_mut((column, y)) {
            // The columns a wide symbol covers are blank but keep its style, or a selected row would show holes.
            cell.set_symbol(if column == x { symbol } else { " " }).set_style(style);
        }
    }
    x + columns
}

/// Remembers where a text with right-to-left letters ended, to close it with a mark of no width.
#[derive(Default)]
struct BidiGuard {
    last: Option<u16>,
    seen: bool,
}

impl BidiGuard {
    fn drawn(&mut self, symbol: &str, x: u16) {
        self.last = Some(x);
        self.seen |= symbol.contains(is_right_to_left);
    }

    fn close(self, buf: &mut Buffer, y: u16) {
        if let (true, Some(x)) = (self.seen, self.last)
            && let Some(cell) = buf.cell_mut((x, y))
        {
            let marked = format!("{}{LEFT_TO_RIGHT_MARK}", cell.symbol());
            cell.set_symbol(&marked);
        }
    }
}

/// The blocks of the scripts written from right to left.
fn is_right_to_left(c: char) -> bool {
    matches!(u32::from(c), 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff | 0x1_0800..=0x1_0fff | 0x1_e800..=0x1_efff)
}

struct Glyph {
    symbol: String,
    columns: usize,
    style: Style,
}

fn glyphs(line: &Line<'_>) -> Vec<Glyph> {
    let mut glyphs = Vec::new();
    for span in &line.spans {
        for (symbol, columns) in cells(&span.content) {
            glyphs.push(Glyph { symbol: symbol.to_owned(), columns: usize::from(columns), style: span.style });
        }
    }
    glyphs
}

fn used(row: &[Glyph]) -> usize {
    row.iter().map(|glyph| glyph.columns).sum()
}

fn line_of(row: &[Glyph], style: Style) -> Line<'static> {
    let end = row.iter().rposition(|glyph| glyph.symbol != " ").map_or(0, |last| last + 1);
    let mut line = Line::default().style(style);
    for glyph in &row[..end] {
        match line.spans.last_mut() {
            Some(span) if span.style == glyph.style => span.content.to_mut().push_str(&glyph.symbol),
            Some(_) | None => line.push_span(ratatui::text::Span::styled(glyph.symbol.clone(), glyph.style)),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ratatui::style::Stylize;

    use super::*;
    use crate::picture::{self, nasty_text};

    fn check_clip(text: &str, columns: usize, expect: &str) {
        assert_eq!(clip(text, columns, "…"), expect, "{text:?} in {columns}");
    }

    #[test]
    fn text_is_cut_between_graphemes_and_never_too_wide() {
        check_clip("Xonotic", 7, "Xonotic");
        check_clip("Xonotic", 6, "Xonot…");
        check_clip("Xonotic", 1, "…");
        check_clip("Xonotic", 0, "");
        check_clip("漢字漢", 6, "漢字漢");
        check_clip("漢字漢", 5, "漢字…");
        check_clip("漢字漢", 4, "漢…");
        check_clip("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…");
        check_clip("a\u{202e}b\tc", 9, "abc");
        check_clip("👩\u{200d}👩\u{200d}👧!", 3, "👩!");
        check_clip("👍🏽1\u{fe0f}\u{20e3}", 3, "👍1");
        check_clip("क्षि", 9, "क्षि");
    }

    #[test]
    fn stacked_marks_are_bounded() {
        let stacked = format!("z{}", "\u{301}".repeat(500));
        assert_eq!(cells(&stacked).map(|(symbol, _)| symbol.chars().count()).collect::<Vec<_>>(), [CLUSTER_CHARS_MAX]);
    }

    #[test]
    fn right_to_left_text_is_closed_before_the_next_column() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 8, 1));
        let used = draw_str(&mut buf, Rect::new(0, 0, 5, 1), "שלום", Style::new(), false, "…");
        draw_str(&mut buf, Rect::new(5, 0, 3, 1), "115", Style::new(), true, "…");
        assert_eq!(used, 4);
        assert_eq!(buf[(3, 0)].symbol(), "ם\u{200e}");
        assert_eq!(buf[(3, 0)].cell_width(), 1);
        assert_eq!((buf[(4, 0)].symbol(), buf[(5, 0)].symbol()), (" ", "1"));
    }

    #[test]
    fn a_wide_symbol_keeps_its_style_on_both_columns() {
        let mut buf = Buffer::empty(Rect::new(0, 0, 3, 1));
        draw_str(&mut buf, Rect::new(0, 0, 3, 1), "漢", Style::new().reversed(), false, "…");
        assert_eq!(buf[(0, 0)].style(), buf[(1, 0)].style());
        assert_ne!(buf[(1, 0)].style(), buf[(2, 0)].style());
    }

    #[test]
    fn wrapping_keeps_styles_and_words() {
        let line = Line::from_iter(["all of ".bold(), "it and more".into()]);
        assert_eq!(wrap(&line, 9), [Line::from_iter(["all of ".bold(), "it".into()]), Line::from("and more")]);
        assert_eq!(wrap(&Line::from("abcdefgh"), 3), ["abc", "def", "gh"].map(Line::from));
        assert_eq!(wrap(&Line::from(""), 3), [Line::default()]);
        assert_eq!(wrap(&Line::from("漢字"), 1), [Line::default()]);
        for line in wrap(&Line::from("🇩🇪word ｶ\u{ff9e}ｶ\u{ff9e}"), 5) {
            assert!(line_width(&line) <= 5, "{line:?} {}", line_width(&line));
        }
        assert_eq!(wrap(&Line::from(" bbb漢"), 5), [Line::from(""), Line::from("bbb漢")]);
        assert_eq!(wrap(&Line::from(" bbbb漢"), 5), [Line::from(""), Line::from("bbbb"), Line::from("漢")]);
    }

    proptest! {
        #[test]
        fn nothing_leaves_its_columns(text in nasty_text(), columns in 0_u16..20, right: bool) {
            let mut buf = Buffer::empty(Rect::new(0, 0, 24, 1));
            for x in 0..24 { buf[(x, 0)].set_symbol("·"); }
            let used = draw_str(&mut buf, Rect::new(2, 0, columns, 1), &text, Style::new(), right, "…");
            prop_assert!(used <= columns);
            prop_assert!(clip(&text, columns.into(), "…").graphemes(true).map(width).sum::<usize>() <= columns.into());
            prop_assert_eq!(buf[(1, 0)].symbol(), "·");
            for x in 2 + columns..24 { prop_assert_eq!(buf[(x, 0)].symbol(), "·"); }
            prop_assert_eq!(picture::of_buffer(&buf).contains('\u{1b}'), false);
        }

        #[test]
        fn width_is_what_is_drawn(text in prop_oneof![nasty_text(), "[ -\u{7f}]{0,12}"]) {
            prop_assert_eq!(width(&text), cells(&text).map(|(_, columns)| usize::from(columns)).sum::<usize>());
        }

        #[test]
        fn wrapped_lines_fit(text in nasty_text(), columns in 0_usize..20) {
            for line in wrap(&Line::from(text), columns) {
                prop_assert!(line_width(&line) <= columns);
            }
        }
    }
}
