//! Which rows are in view. The caller keeps it and moves it; drawing reads it.

use std::ops::Range;

/// Rows kept in view above and below the selected one where there are more.
const MARGIN: usize = 2;

/// The first row in view, and the selected one.
///
/// ```
/// use potluck_widgets::Scroll;
///
/// let mut scroll = Scroll::default();
/// scroll.select(Some(50), 100, 10);
/// assert_eq!(scroll.shown(100, 10), 43..53);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Scroll {
    /// The first row in view.
    pub offset: usize,
    /// The selected row.
    pub selected: Option<usize>,
}

impl Scroll {
    /// Selects a row, as far as there are so many, and brings it into a view of `height` rows.
    pub fn select(&mut self, row: Option<usize>, row_count: usize, height: usize) {
        self.selected = row.and_then(|row| Some(row.min(row_count.checked_sub(1)?)));
        self.offset = self.shown(row_count, height).start;
    }

    /// Selects the row so many below (above, if negative), stopping at the ends; the first if none was.
    pub fn move_by(&mut self, rows: isize, row_count: usize, height: usize) {
        let to = self.selected.map_or(0, |selected| selected.saturating_add_signed(rows));
        self.select(Some(to), row_count, height);
    }

    /// The rows in view: always as many as there are and fit, always with the selected one, whatever was resized or
    /// removed since.
    #[must_use]
    pub fn shown(&self, row_count: usize, height: usize) -> Range<usize> {
        let last_start = row_count.saturating_sub(height);
        let mut start = self.offset.min(last_start);
        if let Some(selected) = self.selected {
            let selected = selected.min(row_count.saturating_sub(1));
            let margin = MARGIN.min(height.saturating_sub(1) / 2);
            let highest = selected.saturating_sub(margin);
            let lowest = (selected + 1).saturating_add(margin).saturating_sub(height);
            start = start.clamp(lowest.min(highest), highest).min(last_start);
        }
        start..start.saturating_add(height).min(row_count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(offset: usize, selected: Option<usize>, row_count: usize, height: usize, expect: Range<usize>) {
        assert_eq!(Scroll { offset, selected }.shown(row_count, height), expect);
    }

    #[test]
    fn the_view_follows_the_selection() {
        check(0, None, 100, 10, 0..10);
        check(0, Some(7), 100, 10, 0..10);
        check(0, Some(8), 100, 10, 1..11);
        check(50, Some(50), 100, 10, 48..58);
        check(50, Some(99), 100, 10, 90..100);
        check(50, Some(0), 100, 10, 0..10);
        check(90, Some(5), 6, 10, 0..6);
        check(0, Some(5), 100, 1, 5..6);
        check(0, Some(5), 100, 0, 5..5);
        check(7, Some(7), 0, 10, 0..0);
    }

    proptest! {
        #[test]
        fn the_selected_row_is_in_view(
            offset: usize, selected: usize, row_count in 1_usize..300, height in 1_usize..50, by: isize,
        ) {
            let scroll = Scroll { offset, selected: Some(selected) };
            let shown = scroll.shown(row_count, height);
            prop_assert_eq!(shown.len(), height.min(row_count));
            prop_assert!(shown.end <= row_count && shown.contains(&selected.min(row_count - 1)));
            let mut moved = scroll;
            moved.move_by(by, row_count, height);
            prop_assert!(moved.shown(row_count, height).contains(&moved.selected.unwrap()));
            prop_assert_eq!(moved.shown(row_count, height).start, moved.offset);
        }
    }
}
