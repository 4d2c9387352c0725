//! The transfers tab: the queue in its order, filtered, and a way from a game to its transfer.

use super::{filter::Filter, list::List};
use crate::api::{Snapshot, TransferView};

/// What the transfers tab knows.
#[derive(Debug, Default)]
pub(crate) struct Transfers {
    /// Cursor and marks, by GameId.
    pub(crate) list: List,
    /// How far the sources are scrolled.
    pub(crate) details_from: usize,
    filter: Filter,
    /// Places in the snapshot's transfers, in the order shown.
    rows: Vec<usize>,
    /// Places in the snapshot's transfers, by GameId, to find one without walking all.
    by_game: Vec<usize>,
}

impl Transfers {
    /// Places in the snapshot's transfers, in the order shown.
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

    /// The transfer of a game.
    pub(crate) fn of<'a>(&self, snapshot: &'a Snapshot, game: &str) -> Option<&'a TransferView> {
        let transfers = &snapshot.transfers;
        let at = self.by_game.binary_search_by(|place| transfers[*place].game.as_str().cmp(game)).ok()?;
        Some(&transfers[self.by_game[at]])
    }

    /// The ids of the rows.
    pub(crate) fn ids<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a str> {
        self.rows.iter().map(|place| snapshot.transfers[*place].game.as_str()).collect()
    }

    /// Works out the rows anew.
    pub(crate) fn reindex(&mut self, snapshot: &Snapshot) {
        let transfers = &snapshot.transfers;
        self.by_game = (0..transfers.len()).collect();
        self.by_game.sort_by(|a, b| transfers[*a].game.cmp(&transfers[*b].game));
        let by_game = &self.by_game;
        self.list.marks.retain(|id| by_game.binary_search_by(|place| transfers[*place].game.as_str().cmp(id)).is_ok());
        self.rows = (0..transfers.len()).filter(|place| self.filter.shows_transfer(&transfers[*place])).collect();
        let ids = self.ids(snapshot);
        self.list.follow(&ids);
    }
}
