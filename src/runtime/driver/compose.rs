//! Joins what the actors show into one snapshot. A part whose inputs did not change keeps its `Arc`.

use std::sync::Arc;

use super::limiting::Limited;
use crate::{
    api::{MeView, PeerView, Snapshot, Totals},
    runtime::view::{LibraryShown, PeerFacts, Shows, Traffic, TransfersShown},
    types::{PeerId, Rate},
};

/// The snapshot after `before`.
pub(super) fn snapshot(before: &Snapshot, me: &MeView, limited: &Limited, shows: &mut Shows) -> Snapshot {
    let library = shows.library.borrow_and_update().clone();
    let transfers = shows.transfers.borrow_and_update().clone();
    let links = shows.links.borrow_and_update().clone();
    let serving = shows.serving.borrow_and_update().clone();
    let mut next = before.clone();
    if *before.me != *me {
        next.me = Arc::new(me.clone());
    }
    next.games = Arc::clone(&library.games);
    next.transfers = Arc::clone(&transfers.transfers);
    // A few hundred peers at most: comparing them costs less than knowing whether they changed.
    let peers: Vec<PeerView> =
        links.peers.iter().map(|peer| joined(peer, limited, &library, &transfers, &serving)).collect();
    if *before.peers != peers {
        next.peers = Arc::new(peers);
    }
    next.links = links.links;
    let totals = totals(&next.peers, &library, limited);
    if *before.totals != totals {
        next.totals = Arc::new(totals);
    }
    next
}

fn joined(
    link: &PeerView,
    limited: &Limited,
    library: &LibraryShown,
    transfers: &TransfersShown,
    serving: &std::collections::BTreeMap<PeerId, Traffic>,
) -> PeerView {
    let mut peer = link.clone();
    // The links actor wrote the id a moment ago; a text that is none belongs to nobody.
    let Ok(id) = peer.id.parse::<PeerId>() else { return peer };
    if let Some(PeerFacts { games, getting, trusted }) = library.peers.get(&id) {
        peer.games = *games;
        peer.getting.clone_from(getting);
        peer.trusted = *trusted;
    }
    if let Some(down) = transfers.down.get(&id) {
        (peer.down_bps, peer.down) = (down.bps, down.bytes);
    }
    if let Some(up) = serving.get(&id) {
        (peer.up_bps, peer.up) = (up.bps, up.bytes);
    }
    let own = limited.of_peer(&id);
    (peer.up_limit_bps, peer.down_limit_bps) = (own.up.map(Rate::as_bps), own.down.map(Rate::as_bps));
    peer
}

fn totals(peers: &[PeerView], library: &LibraryShown, limited: &Limited) -> Totals {
    limited.shown_in(Totals {
        down_bps: peers.iter().map(|peer| peer.down_bps).sum(),
        up_bps: peers.iter().map(|peer| peer.up_bps).sum(),
        free: library.free,
        peers: peers.iter().filter(|peer| peer.online).count() as u32,
        library_trouble: library.trouble.clone(),
        libraries: library.libraries.clone(),
        ..Totals::default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::runtime::view::cells;

    #[test]
    fn parts_keep_their_arc_until_something_changes() {
        let (shown, mut shows) = cells();
        let me = MeView { name: "a".into(), ..MeView::default() };
        let unlimited = Limited::new(None, None);
        let first = snapshot(&Snapshot::default(), &me, &unlimited, &mut shows);
        let second = snapshot(&first, &me, &unlimited, &mut shows);
        assert!(second.parts_since(&first).is_empty());

        let id = PeerId::from_bytes([1; 32]);
        let peers = Arc::new(vec![PeerView { id: id.to_string(), online: true, ..PeerView::default() }]);
        shown.links.send_modify(|shown| shown.peers = peers);
        shown.serving.send_replace(Arc::new(BTreeMap::from([(id, Traffic { bps: 7, bytes: 9 })])));
        let third = snapshot(&second, &me, &unlimited, &mut shows);
        assert_eq!(third.peers[0].up_bps, 7);
        assert_eq!((third.totals.up_bps, third.totals.peers), (7, 1));
        assert_eq!(third.parts_since(&second).len(), 2, "peers and totals");
    }
}
