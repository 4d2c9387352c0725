//! The cursor of a table. It stays on the thing it is on, by name, however rows come and go.

use std::collections::BTreeSet;

use potluck_widgets::Scroll;

/// Cursor, scroll and marks of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct List {
    scroll: Scroll,
    /// The id of the row under the cursor.
    id: Option<String>,
    /// Ids of marked rows.
    pub(crate) marks: BTreeSet<String>,
}

impl List {
    /// The row under the cursor.
    pub(crate) fn at(&self) -> Option<usize> {
        self.scroll.selected
    }

    /// What the table draws.
    pub(crate) fn scroll(&self) -> Scroll {
        self.scroll
    }

    /// The id of the row under the cursor.
    pub(crate) fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Moves by rows and stops at the ends.
    pub(crate) fn move_by(&mut self, rows: isize, ids: &[&str], height: usize) {
        self.scroll.move_by(rows, ids.len(), height);
        self.note_id(ids);
    }

    /// Goes to a row.
    pub(crate) fn go_to(&mut self, row: usize, ids: &[&str], height: usize) {
        self.scroll.select(Some(row), ids.len(), height);
        self.note_id(ids);
    }

    /// The rows are others now: stays on the same id, or at the same place if it is gone.
    pub(crate) fn follow(&mut self, ids: &[&str]) {
        let found = self.id.as_deref().and_then(|id| ids.iter().position(|other| *other == id));
        let row = found.or(self.scroll.selected).unwrap_or(0);
        // The view keeps its distance to the cursor, so that rows that come above do not make it jump.
        if let (Some(found), Some(before)) = (found, self.scroll.selected) {
            self.scroll.offset = (self.scroll.offset + found).saturating_sub(before);
        }
        self.scroll.selected = ids.len().checked_sub(1).map(|last| row.min(last));
        self.note_id(ids);
    }

    /// Puts the cursor on this id once it is among the rows.
    pub(crate) fn seek(&mut self, id: &str) {
        self.id = Some(id.to_owned());
    }

    /// Marks a row or takes its mark.
    pub(crate) fn toggle_mark(&mut self, id: &str) {
        if !self.marks.remove(id) {
            self.marks.insert(id.to_owned());
        }
    }

    /// Marks every row, or none if every one is marked.
    pub(crate) fn toggle_all(&mut self, ids: &[&str]) {
        if ids.iter().all(|id| self.marks.contains(*id)) {
            self.marks.clear();
        } else {
            self.marks.extend(ids.iter().map(|id| (*id).to_owned()));
        }
    }

    fn note_id(&mut self, ids: &[&str]) {
        let id = self.scroll.selected.and_then(|row| ids.get(row));
        if self.id.as_deref() != id.copied() {
            self.id = id.map(|id| (*id).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stays_on_its_thing() {
        let mut list = List::default();
        list.follow(&["a", "b", "c"]);
        assert_eq!(list.id(), Some("a"));
        list.move_by(1, &["a", "b", "c"], 10);
        list.follow(&["0", "1", "a", "b", "c"]);
        assert_eq!((list.at(), list.id()), (Some(3), Some("b")));
        list.follow(&["0", "1", "a"]);
        assert_eq!((list.at(), list.id()), (Some(2), Some("a")));
        list.follow(&[]);
        assert_eq!((list.at(), list.id()), (None, None));
        list.seek("z");
        list.follow(&["y", "z"]);
        assert_eq!((list.at(), list.id()), (Some(1), Some("z")));
    }

    #[test]
    fn marking_all_twice_marks_none() {
        let mut list = List::default();
        list.toggle_mark("a");
        list.toggle_all(&["a", "b"]);
        assert_eq!(list.marks.len(), 2);
        list.toggle_all(&["a", "b"]);
        assert!(list.marks.is_empty());
    }
}
