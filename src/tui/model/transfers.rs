//! The transfers tab: in the order of the queue unless asked otherwise; and a way from a game to its transfer.

use super::{
    library::rank,
    table::{SortBy, Table, larger_first},
};
use crate::api::{Snapshot, TransferView};

/// Places in the snapshot's transfers, by GameId, to find one without walking all.
#[derive(Debug, Default)]
pub(crate) struct Queue(Vec<usize>);

impl Queue {
    /// Of this snapshot.
    pub(super) fn new(snapshot: &Snapshot) -> Self {
        let transfers = &snapshot.transfers;
        let mut places: Vec<usize> = (0..transfers.len()).collect();
        places.sort_by(|a, b| transfers[*a].game.cmp(&transfers[*b].game));
        Self(places)
    }

    /// The transfer of a game.
    pub(crate) fn of<'a>(&self, snapshot: &'a Snapshot, game: &str) -> Option<&'a TransferView> {
        let transfers = &snapshot.transfers;
        let at = self.0.binary_search_by(|place| transfers[*place].game.as_str().cmp(game)).ok()?;
        Some(&transfers[self.0[at]])
    }
}

/// Works out the rows anew.
pub(super) fn index(table: &mut Table, snapshot: &Snapshot) {
    let transfers = &snapshot.transfers;
    let folded_title = |place: usize| transfers[place].title.to_lowercase();
    // What does not say when it is done is done last.
    let left_s = |place: usize| transfers[place].left_s.unwrap_or(u64::MAX);
    table.index(
        transfers,
        |filter, _, transfer| filter.shows_transfer(transfer),
        // The snapshot is in the order of the queue.
        &[
            (SortBy::Title, &|a, b| folded_title(a).cmp(&folded_title(b))),
            (SortBy::Size, &|a, b| larger_first(transfers[a].size, transfers[b].size)),
            (SortBy::State, &|a, b| rank(transfers[a].state).cmp(&rank(transfers[b].state))),
            (SortBy::Rate, &|a, b| larger_first(transfers[a].down_bps, transfers[b].down_bps)),
            (SortBy::Left, &|a, b| left_s(a).cmp(&left_s(b))),
        ],
    );
}
