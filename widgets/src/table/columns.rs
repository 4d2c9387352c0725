//! Which columns there is room for, and how wide each is.

/// At which edge the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Align {
    /// At the left.
    #[default]
    Left,
    /// At the right, as numbers do.
    Right,
}

impl Align {
    pub(super) fn is_right(self) -> bool {
        match self {
            Self::Left => false,
            Self::Right => true,
        }
    }
}

/// A column: its title, how wide it is, and how much it is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Column<'a> {
    pub(super) title: &'a str,
    pub(super) align: Align,
    min: u16,
    max: u16,
    flex: u16,
    priority: u8,
}

impl<'a> Column<'a> {
    /// A column of exactly `min` terminal columns, at least 1, that is dropped last.
    #[must_use]
    pub fn new(title: &'a str, min: u16) -> Self {
        Self { title, align: Align::Left, min: min.max(1), max: u16::MAX, flex: 0, priority: 0 }
    }

    /// Where its text stands.
    #[must_use]
    pub fn align(mut self, align: Align) -> Self {
        self.align = align;
        self
    }

    /// Takes so many parts of what room is left.
    #[must_use]
    pub fn flex(mut self, parts: u16) -> Self {
        self.flex = parts;
        self
    }

    /// The widest it gets by [`Self::flex`].
    #[must_use]
    pub fn max(mut self, columns: u16) -> Self {
        self.max = columns;
        self
    }

    /// Where there is no room for all, the column with the highest number goes first, of equals the rightmost.
    #[must_use]
    pub fn priority(mut self, priority: u8) -> Self {
        self.priority = priority;
        self
    }
}

/// The width of each column in a row of `width` with `spacing` between two; 0 for those without room. One column stays
/// as long as there is any room, narrower than its minimum if need be.
///
/// ```
/// use potluck_widgets::{Column, column_widths};
///
/// let columns = [Column::new("TITLE", 6).flex(1), Column::new("VERSION", 7).priority(2), Column::new("HAVE", 4)];
/// assert_eq!(column_widths(&columns, 25, 2), [10, 7, 4]);
/// assert_eq!(column_widths(&columns, 20, 2), [14, 0, 4]);
/// assert_eq!(column_widths(&columns, 4, 2), [4, 0, 0]);
/// ```
#[must_use]
pub fn column_widths(columns: &[Column<'_>], width: u16, spacing: u16) -> Vec<u16> {
    let width = u32::from(width);
    let mut kept = vec![true; columns.len()];
    let needed = |kept: &[bool]| {
        let count = kept.iter().filter(|&&kept| kept).count() as u32;
        let mins: u32 =
            columns.iter().zip(kept).filter(|&(_, &kept)| kept).map(|(column, _)| u32::from(column.min)).sum();
        (count, mins + count.saturating_sub(1) * u32::from(spacing))
    };
    let free = loop {
        let (count, taken) = needed(&kept);
        if let Some(free) = width.checked_sub(taken) {
            break free;
        }
        let Some(drop) = (0..columns.len()).filter(|&at| kept[at]).max_by_key(|&at| columns[at].priority) else {
            return Vec::new();
        };
        if count == 1 {
            return kept.iter().map(|&kept| if kept { width as u16 } else { 0 }).collect();
        }
        kept[drop] = false;
    };
    let widths = columns.iter().zip(&kept).map(|(column, &kept)| if kept { column.min } else { 0 }).collect();
    share_out(columns, widths, free)
}

/// Gives what is free to the columns that flex, none beyond its maximum.
fn share_out(columns: &[Column<'_>], mut widths: Vec<u16>, mut free: u32) -> Vec<u16> {
    loop {
        let hungry: Vec<usize> = (0..columns.len())
            .filter(|&at| widths[at] > 0 && columns[at].flex > 0 && widths[at] < columns[at].max)
            .collect();
        let parts: u32 = hungry.iter().map(|&at| u32::from(columns[at].flex)).sum();
        if free == 0 || parts == 0 {
            return widths;
        }
        let round = free;
        for &at in &hungry {
            let fair = (u64::from(round) * u64::from(columns[at].flex)).div_ceil(u64::from(parts)) as u32;
            let gets = fair.min(free).min(u32::from(columns[at].max - widths[at]));
            widths[at] += gets as u16;
            free -= gets;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn check(width: u16, expect: [u16; 4]) {
        let columns = [
            Column::new("TITLE", 8).flex(1).max(12),
            Column::new("VERSION", 7).priority(2),
            Column::new("STATE", 10).flex(2),
            Column::new("HAVE", 4).priority(2),
        ];
        assert_eq!(column_widths(&columns, width, 1), expect, "{width}");
    }

    #[test]
    fn columns_are_dropped_by_priority_then_from_the_right() {
        check(80, [12, 7, 54, 4]);
        check(35, [9, 7, 12, 4]);
        check(32, [8, 7, 10, 4]);
        check(31, [10, 7, 12, 0]);
        check(27, [8, 7, 10, 0]);
        check(26, [11, 0, 14, 0]);
        check(19, [8, 0, 10, 0]);
        check(18, [12, 0, 0, 0]);
        check(5, [5, 0, 0, 0]);
        check(0, [0, 0, 0, 0]);
        assert_eq!(column_widths(&[], 9, 1), []);
    }

    proptest! {
        #[test]
        fn widths_fit_and_use_what_there_is(
            columns in vec((0_u16..30, 0_u16..4, 1_u16..60, 0_u8..4), 0..9), width in 0_u16..200, spacing in 0_u16..4,
        ) {
            let columns: Vec<Column<'_>> = columns
                .into_iter()
                .map(|(min, flex, max, priority)| Column::new("", min).flex(flex).max(max).priority(priority))
                .collect();
            let widths = column_widths(&columns, width, spacing);
            prop_assert_eq!(widths.len(), columns.len());
            let shown: Vec<usize> = (0..widths.len()).filter(|&at| widths[at] > 0).collect();
            let taken: u16 = widths.iter().sum::<u16>() + shown.len().saturating_sub(1) as u16 * spacing;
            prop_assert!(taken <= width);
            let hungry = shown.iter().any(|&at| columns[at].flex > 0 && widths[at] < columns[at].max);
            prop_assert!(!hungry || taken == width);
            for &kept in &shown {
                for dropped in (0..widths.len()).filter(|at| widths[*at] == 0) {
                    prop_assert!(columns[dropped].priority >= columns[kept].priority);
                }
            }
        }
    }
}
