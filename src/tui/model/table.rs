//! What all tables have: a cursor, marks, a filter, an order, and which things of the snapshot they show. Rows are worked
//! out when something changes, never while drawing. What is shown and what comes first is each tab's own business.

use std::{
    borrow::Cow,
    cmp::{Ordering, Reverse},
    collections::BTreeSet,
};

use potluck_widgets::Order;

use super::{
    filter::Filter,
    list::{Ids, List},
};
use crate::api::{GameView, LinkView, PeerView, TransferView};

/// By what a table is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortBy {
    /// By title.
    Title,
    /// By version.
    Version,
    /// By bytes.
    Size,
    /// By state, what moves first.
    State,
    /// By how many have it.
    Have,
    /// In the order of the queue.
    Queue,
    /// By how fast it comes.
    Rate,
    /// By how soon it is done.
    Left,
    /// By name.
    Name,
    /// By round-trip time.
    Ping,
    /// By what comes from it.
    From,
    /// By what goes to it.
    To,
    /// By how many games it has.
    Has,
    /// By age.
    Age,
    /// By what is lost.
    Loss,
    /// By when it was last played, longest ago first.
    Played,
}

impl SortBy {
    /// Whether the largest comes first.
    fn descends(self) -> bool {
        match self {
            Self::Title
            | Self::Version
            | Self::State
            | Self::Queue
            | Self::Left
            | Self::Name
            | Self::Ping
            | Self::Age
            | Self::Played => false,
            Self::Size | Self::Have | Self::Rate | Self::From | Self::To | Self::Has | Self::Loss => true,
        }
    }
}

/// A thing that tables list: cursor and marks find it again by its id.
pub(crate) trait Listed {
    /// Its id among its kind.
    fn id(&self) -> Cow<'_, str>;
}

impl Listed for GameView {
    fn id(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.id)
    }
}

impl Listed for TransferView {
    fn id(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.game)
    }
}

impl Listed for PeerView {
    fn id(&self) -> Cow<'_, str> {
        // Somebody at an address that never answered has no id.
        Cow::Borrowed(if self.id.is_empty() { &self.addr } else { &self.id })
    }
}

impl Listed for LinkView {
    fn id(&self) -> Cow<'_, str> {
        Cow::Owned(self.link.to_string())
    }
}

/// Which of two places in the snapshot's things comes first.
pub(super) type Compare<'a> = &'a dyn Fn(usize, usize) -> Ordering;

/// A table of a tab.
#[derive(Debug)]
pub(crate) struct Table {
    /// Cursor and marks.
    pub(crate) list: List,
    /// How far what stands beside or below it is scrolled.
    pub(crate) details_from: usize,
    filter: Filter,
    sort: SortBy,
    /// Whether the user chose the order; else what a filter means best may come first.
    chose_sort: bool,
    reversed: bool,
    /// Places in the snapshot's things, in the order shown.
    rows: Vec<usize>,
}

impl Table {
    /// An empty one in this order.
    pub(crate) fn new(sort: SortBy) -> Self {
        Self {
            list: List::default(),
            details_from: 0,
            filter: Filter::default(),
            sort,
            chose_sort: false,
            reversed: false,
            rows: Vec::new(),
        }
    }

    /// Places in the snapshot's things, in the order shown.
    pub(crate) fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// The thing at a row.
    pub(crate) fn at<'a, T>(&self, row: usize, things: &'a [T]) -> Option<&'a T> {
        things.get(*self.rows.get(row)?)
    }

    /// The thing under the cursor.
    pub(crate) fn selected<'a, T>(&self, things: &'a [T]) -> Option<&'a T> {
        self.at(self.list.at()?, things)
    }

    /// What an action is for: the marked things in the order of the snapshot, else the one under the cursor.
    pub(crate) fn chosen<'a, T: Listed>(&self, things: &'a [T]) -> Vec<&'a T> {
        if self.list.marks.is_empty() {
            return self.selected(things).into_iter().collect();
        }
        things.iter().filter(|thing| self.list.marks.contains(&*thing.id())).collect()
    }

    /// The filter in force.
    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Another filter; the caller reindexes.
    pub(crate) fn set_filter(&mut self, text: &str) {
        self.filter = Filter::parse(text);
    }

    /// Another order; the caller reindexes.
    pub(crate) fn set_sort(&mut self, sort: SortBy) {
        self.sort = sort;
        self.chose_sort = true;
        self.reversed = false;
    }

    /// The other way round; the caller reindexes.
    pub(crate) fn reverse(&mut self) {
        self.chose_sort = true;
        self.reversed = !self.reversed;
    }

    /// Whether what a filter means best comes first: while there is one, and nobody chose an order.
    pub(crate) fn ranks(&self) -> bool {
        !self.chose_sort && !self.filter.is_empty()
    }

    /// By what it is sorted, and which way the arrow points.
    pub(crate) fn sort(&self) -> (SortBy, Order) {
        (self.sort, if self.sort.descends() == self.reversed { Order::Ascending } else { Order::Descending })
    }

    /// Changes the cursor or marks.
    pub(crate) fn with<T: Listed>(&mut self, things: &[T], change: impl FnOnce(&mut List, &dyn Ids)) {
        change(&mut self.list, &Rows { things, rows: &self.rows });
    }

    /// Works out the rows anew: those `shows` lets through, in the order of `orders` that was chosen. Equals stay as they
    /// are in the snapshot, as does all where none of `orders` was chosen. Cursor and marks stay on what they are on.
    pub(super) fn index<T: Listed>(
        &mut self,
        things: &[T],
        shows: impl Fn(&Filter, &BTreeSet<String>, &T) -> bool,
        orders: &[(SortBy, Compare<'_>)],
    ) {
        self.list.keep_marks(|marks| {
            things.iter().map(Listed::id).filter(|id| marks.contains(&**id)).map(Cow::into_owned).collect()
        });
        let Self { filter, list, sort, .. } = self;
        let mut rows: Vec<usize> = (0..things.len())
            .filter(|place| filter.is_empty() || shows(filter, &list.marks, &things[*place]))
            .collect();
        if let Some((_, compare)) = orders.iter().find(|(by, _)| by == sort) {
            rows.sort_by(|a, b| compare(*a, *b));
        }
        if self.reversed {
            rows.reverse();
        }
        self.rows = rows;
        self.with(things, |list, ids| list.follow(ids));
    }

    /// Puts first what the filter means best, where [`Table::ranks`] says so; less is better, equals stay as they are.
    pub(super) fn rank<T: Listed>(&mut self, things: &[T], rank: impl Fn(&Filter, &T) -> u8) {
        if self.ranks() {
            let Self { filter, rows, .. } = self;
            rows.sort_by_cached_key(|place| rank(filter, &things[*place]));
            self.with(things, |list, ids| list.follow(ids));
        }
    }
}

/// The order of two numbers, the larger first.
pub(super) fn larger_first(a: u64, b: u64) -> Ordering {
    Reverse(a).cmp(&Reverse(b))
}

struct Rows<'a, T> {
    things: &'a [T],
    rows: &'a [usize],
}

impl<T: Listed> Ids for Rows<'_, T> {
    fn count(&self) -> usize {
        self.rows.len()
    }

    fn id(&self, row: usize) -> Option<Cow<'_, str>> {
        Some(self.things.get(*self.rows.get(row)?)?.id())
    }
}
