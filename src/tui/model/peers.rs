//! The peers tab: who is shown, and in which order.

use super::table::{SortBy, Table, larger_first};
use crate::api::Snapshot;

/// Works out the rows anew.
pub(super) fn index(table: &mut Table, snapshot: &Snapshot) {
    let peers = &snapshot.peers;
    // What is not known is 0, and comes last.
    let ping = |place: usize| peers[place].rtt_us.wrapping_sub(1);
    let from = |place: usize| (peers[place].down_bps, peers[place].down);
    let to = |place: usize| (peers[place].up_bps, peers[place].up);
    table.index(
        peers,
        |filter, _, peer| filter.shows_peer(peer),
        // The snapshot has those online first, by name.
        &[
            (SortBy::Ping, &|a, b| ping(a).cmp(&ping(b))),
            (SortBy::From, &|a, b| from(b).cmp(&from(a))),
            (SortBy::To, &|a, b| to(b).cmp(&to(a))),
            (SortBy::Has, &|a, b| larger_first(peers[a].games.into(), peers[b].games.into())),
        ],
    );
}
