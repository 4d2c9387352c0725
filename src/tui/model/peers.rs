//! The peers tab: who is shown. The order is the snapshot's: online ones first, by name.

use super::{filter::Filter, list::List};
use crate::api::Snapshot;

/// What the peers tab knows.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Cursor and marks, by PeerId.
    pub(crate) list: List,
    filter: Filter,
    /// Places in the snapshot's peers, in the order shown.
    rows: Vec<usize>,
}

impl Peers {
    /// Places in the snapshot's peers, in the order shown.
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

    /// The ids of the rows.
    pub(crate) fn ids<'a>(&self, snapshot: &'a Snapshot) -> Vec<&'a str> {
        self.rows.iter().map(|place| snapshot.peers[*place].id.as_str()).collect()
    }

    /// Works out the rows anew.
    pub(crate) fn reindex(&mut self, snapshot: &Snapshot) {
        let peers = &snapshot.peers;
        self.list.marks.retain(|id| peers.iter().any(|peer| peer.id == *id));
        self.rows = (0..peers.len()).filter(|place| self.filter.shows_peer(&peers[*place])).collect();
        let ids = self.ids(snapshot);
        self.list.follow(&ids);
    }
}
