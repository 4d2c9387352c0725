//! Which keys do what, in one line. Whole hints or none: half a hint is a riddle.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, text::Line, text::Span, widgets::Widget};

use crate::text;

/// Columns between two hints.
const GAP: usize = 3;

/// A key and what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint<'a> {
    /// The key as the user reads it.
    pub key: &'a str,
    /// What it does now.
    pub label: &'a str,
    /// Whether it stays when others are dropped for want of room.
    pub pinned: bool,
}

impl<'a> Hint<'a> {
    /// A hint that is dropped when there is no room.
    #[must_use]
    pub const fn new(key: &'a str, label: &'a str) -> Self {
        Self { key, label, pinned: false }
    }

    /// A hint that is dropped after all others.
    #[must_use]
    pub fn pinned(key: &'a str, label: &'a str) -> Self {
        Self { key, label, pinned: true }
    }

    fn width(&self) -> usize {
        let between = usize::from(!self.key.is_empty() && !self.label.is_empty());
        text::width(self.key) + between + text::width(self.label)
    }

    fn spans(&self, key_style: Style, label_style: Style) -> [Span<'a>; 3] {
        let between = if self.key.is_empty() || self.label.is_empty() { "" } else { " " };
        [Span::styled(self.key, key_style), Span::styled(between, label_style), Span::styled(self.label, label_style)]
    }
}

/// Hints in order, as many as fit: the rightmost that is not pinned goes first.
///
/// ```
/// use potluck_widgets::{Hint, KeyHints};
/// use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};
///
/// let hints = [Hint::new("Enter", "Get"), Hint::new("p", "Pause"), Hint::pinned("q", "Quit")];
/// let mut buf = Buffer::empty(Rect::new(0, 0, 20, 1));
/// KeyHints::new(&hints).render(buf.area, &mut buf);
/// assert_eq!(buf, Buffer::with_lines([" Enter Get   q Quit "]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct KeyHints<'a> {
    hints: &'a [Hint<'a>],
    key: Style,
    label: Style,
}

impl<'a> KeyHints<'a> {
    /// A bar of these hints.
    #[must_use]
    pub fn new(hints: &'a [Hint<'a>]) -> Self {
        Self { hints, key: Style::new(), label: Style::new() }
    }

    /// The styles of keys and of what they do.
    #[must_use]
    pub fn styles(mut self, key: Style, label: Style) -> Self {
        self.key = key;
        self.label = label;
        self
    }

    fn line(&self, width: u16) -> Line<'a> {
        let mut shown: Vec<&Hint<'_>> = self.hints.iter().collect();
        // One blank at the left edge, as every other line of a screen has.
        while !shown.is_empty() && 1 + row_width(&shown) > usize::from(width) {
            let drop = shown.iter().rposition(|hint| !hint.pinned).unwrap_or(shown.len() - 1);
            shown.remove(drop);
        }
        let mut line = Line::raw(" ");
        for (at, hint) in shown.into_iter().enumerate() {
            if at > 0 {
                line.push_span(Span::styled(" ".repeat(GAP), self.label));
            }
            line.spans.extend(hint.spans(self.key, self.label));
        }
        line
    }
}

impl Widget for KeyHints<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        text::draw(buf, area, &self.line(area.width), false, "");
    }
}

/// Hints in as many rows as they need at `width`; one that is wider than that has a row of its own.
pub(crate) fn rows<'a>(hints: &'a [Hint<'a>], width: u16, key: Style, label: Style) -> Vec<Line<'a>> {
    let mut rows: Vec<Vec<&Hint<'_>>> = Vec::new();
    for hint in hints {
        match rows.last_mut() {
            Some(row) if row_width(row) + GAP + hint.width() <= usize::from(width) => row.push(hint),
            Some(_) | None => rows.push(vec![hint]),
        }
    }
    let line = |row: Vec<&Hint<'a>>| {
        let mut line = Line::default();
        for (at, hint) in row.into_iter().enumerate() {
            if at > 0 {
                line.push_span(Span::styled(" ".repeat(GAP), label));
            }
            line.spans.extend(hint.spans(key, label));
        }
        line
    };
    rows.into_iter().map(line).collect()
}

fn row_width(hints: &[&Hint<'_>]) -> usize {
    let gaps = hints.len().saturating_sub(1) * GAP;
    gaps + hints.iter().map(|hint| hint.width()).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::picture::{self, nasty_text};

    fn hints() -> [Hint<'static>; 6] {
        [
            Hint::new("Enter", "Show transfer"),
            Hint::new("p", "Pause"),
            Hint::new("c", "Cancel"),
            Hint::new("< >", "Later/sooner"),
            Hint::pinned("?", "Keys"),
            Hint::pinned("q", "Quit"),
        ]
    }

    #[test]
    fn three_sizes() {
        let pictures: Vec<String> =
            [80, 60, 50, 40, 30, 20, 16, 8, 1].map(|width| picture::of(KeyHints::new(&hints()), width, 1)).into();
        insta::assert_snapshot!(pictures.join("\n"));
    }

    proptest! {
        #[test]
        fn only_whole_hints_are_shown(width in 0_u16..80) {
            let drawn = picture::of(KeyHints::new(&hints()), width, 1);
            let shown = hints().iter().filter(|hint| drawn.contains(&format!("{} {}", hint.key, hint.label))).count();
            prop_assert_eq!(drawn.split_whitespace().any(|word| word == "?" || word == "|?"), drawn.contains("? Keys"));
            prop_assert_eq!(drawn.matches("   ").count() >= shown.saturating_sub(1), true);
            prop_assert!(width < 80 || shown == 6);
            prop_assert!(width < 16 || drawn.contains("q Quit"));
        }

        #[test]
        fn any_size_and_any_text_can_be_drawn(
            words in vec((nasty_text(), nasty_text(), any::<bool>()), 0..6), (width, height) in picture::sizes(),
        ) {
            let hints: Vec<Hint<'_>> =
                words.iter().map(|(key, label, pinned)| Hint { key, label, pinned: *pinned }).collect();
            let _drawn = picture::drawn(KeyHints::new(&hints), width, height);
            let _rows = rows(&hints, width, Style::new(), Style::new());
        }
    }
}
