//! The library tab: which games are shown and in which order. The order is worked out when
//! something changes, never while drawing.

use potluck_widgets::Order;

use super::{
    filter::{Facts, Filter},
    list::List,
    transfers::Transfers,
};
use crate::api::{GameView, Snapshot, StateWord};

/// By what the library is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum SortBy {
    /// By title, as the snapshot is.
    #[default]
    Title,
    /// By version.
    Version,
    /// By bytes.
    Size,
    /// By state, what moves first.
    State,
    /// By how many have it.
    Have,
}

/// What the library tab knows.
#[derive(Debug, Default)]
pub(crate) struct Library {
    /// Cursor and marks, by GameId.
    pub(crate) list: List,
    /// How far the details are scrolled.
    pub(crate) details_from: usize,
    filter: Filter,
    sort: SortBy,
    reversed: bool,
    /// Places in the snapshot's games, in the order shown.
    rows: Vec<usize>,
}

impl Library {
    /// Places in the snapshot's games, in the order shown.
    pub(crate) fn rows(&self) -> &[usize] {
        &self.rows
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
        self.reversed = false;
    }

    /// The other way round; the caller reindexes.
    pub(crate) fn reverse(&mut self) {
        self.reversed = !self.reversed;
    }

    /// By what it is sorted, and which way the arrow points.
    pub(crate) fn sort(&self) -> (SortBy, Order) {
        let descends = match self.sort {
            SortBy::Title | SortBy::Version | SortBy::State => false,
            SortBy::Size | SortBy::Have => true,
        };
        (self.sort, if descends == self.reversed { Order::Ascending } else { Order::Descending })
    }

    /// Whether a game's state decides if it is shown, or where.
    pub(crate) fn looks_at_states(&self) -> bool {
        self.sort == SortBy::State || self.filter.looks_at_states()
    }

    /// The ids of the rows.
    pub(crate) fn ids<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a str> {
        self.rows.iter().map(|place| snapshot.games[*place].id.as_str()).collect()
    }

    /// Works out the rows anew.
    pub(crate) fn reindex(&mut self, snapshot: &Snapshot, transfers: &Transfers) {
        let games = &snapshot.games;
        self.list.marks.retain(|id| games.iter().any(|game| game.id == *id));
        let state = |game: &GameView| transfers.of(snapshot, &game.id).map_or(game.state, |transfer| transfer.state);
        let filter = &self.filter;
        let marks = &self.list.marks;
        let mut rows: Vec<usize> = (0..games.len())
            .filter(|place| {
                let game = &games[*place];
                filter.is_empty()
                    || filter.shows_game(game, Facts { state: state(game), marked: marks.contains(&game.id) })
            })
            .collect();
        // The snapshot is sorted by title and these sorts are stable: what is equal stays in order of title.
        match self.sort {
            SortBy::Title => {}
            SortBy::Version => rows.sort_by(|a, b| games[*a].version.cmp(&games[*b].version)),
            SortBy::Size => rows.sort_by_key(|place| std::cmp::Reverse(games[*place].size)),
            SortBy::State => rows.sort_by_cached_key(|place| rank(state(&games[*place]))),
            SortBy::Have => rows.sort_by_key(|place| std::cmp::Reverse(games[*place].have)),
        }
        if self.reversed {
            rows.reverse();
        }
        self.rows = rows;
        let ids = self.ids(snapshot);
        self.list.follow(&ids);
    }
}

/// What moves and what needs the user first.
fn rank(state: StateWord) -> u8 {
    match state {
        StateWord::Failed => 0,
        StateWord::Getting => 1,
        StateWord::Installing => 2,
        StateWord::Checking => 3,
        StateWord::Waiting => 4,
        StateWord::Paused => 5,
        StateWord::Downloaded => 6,
        StateWord::Ready => 7,
        StateWord::Available => 8,
        StateWord::Offline => 9,
    }
}
