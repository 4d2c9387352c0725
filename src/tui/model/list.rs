//! The cursor of a table. It stays on the thing it is on, by name, however rows come and go.

use std::{borrow::Cow, collections::BTreeSet};

use potluck_widgets::Scroll;

/// The ids of a table's rows. Asked row by row, because a table of ten thousand is walked far less often than it is
/// moved in.
pub(crate) trait Ids {
    /// How many rows there are.
    fn count(&self) -> usize;
    /// The id of a row; what is beyond the last has none.
    fn id(&self, row: usize) -> Option<Cow<'_, str>>;
}

/// Cursor, scroll and marks of a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct List {
    scroll: Scroll,
    /// The id of the row under the cursor.
    id: Option<String>,
    /// Ids of marked rows.
    pub(crate) marks: BTreeSet<String>,
    /// The id at which a range of marks begins, and what was marked before.
    range: Option<(String, BTreeSet<String>)>,
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
    pub(crate) fn move_by(&mut self, rows: isize, ids: &dyn Ids, height: usize) {
        self.scroll.move_by(rows, ids.count(), height);
        self.note_id(ids);
        self.stretch(ids);
    }

    /// The rows are others now: stays on the same id, or at the same place if it is gone.
    pub(crate) fn follow(&mut self, ids: &dyn Ids) {
        let found = self.id.as_deref().and_then(|id| place_of(id, ids));
        let row = found.or(self.scroll.selected).unwrap_or(0);
        // The view keeps its distance to the cursor, so that rows that come above do not make it jump.
        if let (Some(found), Some(before)) = (found, self.scroll.selected) {
            self.scroll.offset = (self.scroll.offset + found).saturating_sub(before);
        }
        self.scroll.selected = ids.count().checked_sub(1).map(|last| row.min(last));
        self.note_id(ids);
        self.stretch(ids);
    }

    /// Puts the cursor on this id once it is among the rows.
    pub(crate) fn seek(&mut self, id: &str) {
        self.id = Some(id.to_owned());
    }

    /// Marks the row under the cursor or takes its mark.
    pub(crate) fn toggle_mark(&mut self) {
        self.range = None;
        if let Some(id) = &self.id
            && !self.marks.remove(id)
        {
            self.marks.insert(id.clone());
        }
    }

    /// Marks every row, or none if every one is marked.
    pub(crate) fn toggle_all(&mut self, ids: &dyn Ids) {
        self.range = None;
        let all: BTreeSet<String> = (0..ids.count()).filter_map(|row| ids.id(row)).map(Cow::into_owned).collect();
        if all.is_subset(&self.marks) {
            self.marks.clear();
        } else {
            self.marks.extend(all);
        }
    }

    /// Begins a range of marks at the cursor, which grows and shrinks as the cursor moves; or ends it. Says which.
    pub(crate) fn toggle_range(&mut self, ids: &dyn Ids) -> bool {
        self.range = match (self.range.take(), &self.id) {
            (None, Some(id)) => Some((id.clone(), self.marks.clone())),
            (Some(_), _) | (None, None) => None,
        };
        self.stretch(ids);
        self.range.is_some()
    }

    /// Whether moving marks.
    pub(crate) fn is_ranging(&self) -> bool {
        self.range.is_some()
    }

    /// Takes every mark.
    pub(crate) fn unmark(&mut self) {
        self.range = None;
        self.marks.clear();
    }

    /// Keeps only the marks of these ids.
    pub(crate) fn keep_marks(&mut self, present: impl Fn(&BTreeSet<String>) -> BTreeSet<String>) {
        if !self.marks.is_empty() {
            self.marks = present(&self.marks);
        }
    }

    /// Marks what lies between the beginning of the range and the cursor.
    fn stretch(&mut self, ids: &dyn Ids) {
        let Some((from, before)) = &self.range else { return };
        let (Some(from), Some(to)) = (place_of(from, ids), self.scroll.selected) else {
            // Where it began is not shown any more: what is marked stays.
            self.range = None;
            return;
        };
        self.marks.clone_from(before);
        self.marks.extend((from.min(to)..=from.max(to)).filter_map(|row| ids.id(row)).map(Cow::into_owned));
    }

    fn note_id(&mut self, ids: &dyn Ids) {
        let id = self.scroll.selected.and_then(|row| ids.id(row));
        if self.id.as_deref() != id.as_deref() {
            self.id = id.map(Cow::into_owned);
        }
    }
}

fn place_of(id: &str, ids: &dyn Ids) -> Option<usize> {
    (0..ids.count()).find(|row| ids.id(*row).is_some_and(|other| other == id))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<const N: usize> Ids for [&str; N] {
        fn count(&self) -> usize {
            N
        }

        fn id(&self, row: usize) -> Option<Cow<'_, str>> {
            self.get(row).map(|id| Cow::Borrowed(*id))
        }
    }

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
        list.follow(&["a", "b"]);
        list.toggle_mark();
        list.toggle_all(&["a", "b"]);
        assert_eq!(list.marks.len(), 2);
        list.toggle_all(&["a", "b"]);
        assert!(list.marks.is_empty());
    }

    #[test]
    fn a_range_grows_and_shrinks_with_the_cursor() {
        let rows = ["a", "b", "c", "d", "e"];
        let mut list = List::default();
        let check = |list: &List, expect: &str| {
            assert_eq!(list.marks.iter().map(String::as_str).collect::<String>(), expect);
        };
        list.follow(&rows);
        list.toggle_mark();
        list.move_by(2, &rows, 9);
        assert!(list.toggle_range(&rows));
        list.move_by(2, &rows, 9);
        check(&list, "acde");
        list.move_by(-3, &rows, 9);
        check(&list, "abc");
        assert!(!list.toggle_range(&rows));
        list.move_by(3, &rows, 9);
        check(&list, "abc");
        // Where its beginning goes, what is marked stays.
        list.toggle_range(&rows);
        list.follow(&["a", "b"]);
        assert!(!list.is_ranging());
    }
}
