//! Tables for people: columns as wide as what is in them, cells cleaned and cut.

use unicode_width::UnicodeWidthStr as _;

use crate::types::clean;

/// A title, a name or a reason; what is longer is cut in a list, and `--json` has it whole.
const CELL_CHARS_MAX: usize = 72;
/// Between two columns.
const GAP: &str = "  ";

/// Rows of cells under a heading.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    /// Columns whose cells end under each other.
    right: Vec<usize>,
}

impl Table {
    pub(super) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| (*heading).to_owned()).collect()], right: Vec::new() }
    }

    /// Numbers stand under each other by their last digit.
    pub(super) fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    pub(super) fn row<'a>(&mut self, cells: impl IntoIterator<Item = &'a String>) {
        self.rows.push(cells.into_iter().map(|cell| clean(cell, CELL_CHARS_MAX)).collect());
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// A column that is empty in every row is left out.
    pub(super) fn lines(&self) -> Vec<String> {
        let columns = self.rows[0].len();
        let used: Vec<usize> =
            (0..columns).filter(|at| self.rows[1..].iter().any(|row| !row[*at].is_empty())).collect();
        let widths: Vec<usize> =
            used.iter().map(|at| self.rows.iter().map(|row| row[*at].width()).max().unwrap_or(0)).collect();
        let line = |row: &Vec<String>| {
            let cells = used.iter().zip(&widths).map(|(at, width)| {
                let blank = " ".repeat(width.saturating_sub(row[*at].width()));
                if self.right.contains(at) { format!("{blank}{}", row[*at]) } else { format!("{}{blank}", row[*at]) }
            });
            cells.collect::<Vec<String>>().join(GAP).trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn cells_stand_under_each_other_and_empty_columns_go() {
        let mut table = Table::new(&["TITLE", "NOTE", "HAVE"]).right(2);
        for (title, have) in [("Xonotic", "112"), ("日本", "5"), ("a\x1b[2Jb", "")] {
            table.row([&title.to_owned(), &String::new(), &have.to_owned()]);
        }
        assert_eq!(table.lines(), ["TITLE    HAVE", "Xonotic   112", "日本        5", "a[2Jb"]);
    }
}
