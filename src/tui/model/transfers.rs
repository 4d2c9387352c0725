//! The transfers tab: in the order of the queue unless asked otherwise; and a way from a game to its transfer.

use std::cmp::Ordering;

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
    table.index(
        transfers,
        |filter, _, transfer| filter.shows_transfer(transfer),
        |sort, a, b| {
            let (one, other) = (&transfers[a], &transfers[b]);
            match sort {
                SortBy::Title => one.title.to_lowercase().cmp(&other.title.to_lowercase()),
                SortBy::Size => larger_first(one.size, other.size),
                SortBy::State => rank(one.state).cmp(&rank(other.state)),
                SortBy::Rate => larger_first(one.down_bps, other.down_bps),
                // What does not say when it is done is done last.
                SortBy::Left => one.left_s.unwrap_or(u64::MAX).cmp(&other.left_s.unwrap_or(u64::MAX)),
                // The snapshot is in the order of the queue.
                SortBy::Queue
                | SortBy::Version
                | SortBy::Have
                | SortBy::Name
                | SortBy::Ping
                | SortBy::From
                | SortBy::To
                | SortBy::Has
                | SortBy::Age
                | SortBy::Loss
                | SortBy::Played => Ordering::Equal,
            }
        },
    );
}
