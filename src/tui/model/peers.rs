//! The peers tab: who is shown, and in which order.

use std::cmp::Ordering;

use super::table::{SortBy, Table, larger_first};
use crate::api::Snapshot;

/// Works out the rows anew.
pub(super) fn index(table: &mut Table, snapshot: &Snapshot) {
    let peers = &snapshot.peers;
    table.index(
        peers,
        |filter, _, peer| filter.shows_peer(peer),
        |sort, a, b| {
            let (one, other) = (&peers[a], &peers[b]);
            match sort {
                SortBy::Ping => one.rtt_us.wrapping_sub(1).cmp(&other.rtt_us.wrapping_sub(1)),
                SortBy::From => larger_first(one.down_bps, other.down_bps).then(larger_first(one.down, other.down)),
                SortBy::To => larger_first(one.up_bps, other.up_bps).then(larger_first(one.up, other.up)),
                SortBy::Has => larger_first(one.games.into(), other.games.into()),
                // The snapshot has those online first, by name.
                SortBy::Name
                | SortBy::Title
                | SortBy::Version
                | SortBy::Size
                | SortBy::State
                | SortBy::Have
                | SortBy::Queue
                | SortBy::Rate
                | SortBy::Left
                | SortBy::Age
                | SortBy::Loss
                | SortBy::Played => Ordering::Equal,
            }
        },
    );
}
