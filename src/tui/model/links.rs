//! The links tab: the links that stand, and the stream of those that came and went.

use std::collections::{BTreeMap, BTreeSet, VecDeque, vec_deque};

use super::table::{SortBy, Table, larger_first};
use crate::api::{Event, EventKind, LinkView, Snapshot};

/// Lines of the stream that are kept: an hour of a room in which links flap.
const LINES_MAX: usize = 500;

/// A link came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Connection {
    /// When, Unix milliseconds.
    pub(crate) at_ms: u64,
    /// Whether it came.
    pub(crate) made: bool,
    /// PeerId.
    pub(crate) peer: String,
    /// The address at its other end.
    pub(crate) addr: String,
    /// Its number.
    pub(crate) link: u64,
    /// How many links to that peer stood then.
    pub(crate) standing: usize,
}

/// Links that came and went, the newest first.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    lines: VecDeque<Connection>,
    /// The links of each peer by number, so that hearing of one twice, or of an end without a beginning, counts nothing.
    standing: BTreeMap<String, BTreeSet<u64>>,
}

impl Connections {
    /// Nothing was heard yet; these stand.
    pub(crate) fn new(links: &[LinkView]) -> Self {
        let mut connections = Self::default();
        connections.rebase(links);
        connections
    }

    /// What was told so far no longer counts: these stand now.
    pub(crate) fn rebase(&mut self, links: &[LinkView]) {
        self.standing.clear();
        for link in links {
            self.standing.entry(link.peer.clone()).or_default().insert(link.link);
        }
    }

    /// Takes an event; says whether it was about a link.
    pub(crate) fn push(&mut self, event: &Event) -> bool {
        if let EventKind::Phase(status) = &event.kind {
            // From the beginning of a stop on no end of a link is told, so that none is counted any more.
            if !status.active && !status.phase.is_starting() {
                self.rebase(&[]);
            }
            return false;
        }
        let EventKind::Connection { state, peer, addr, link, .. } = &event.kind else { return false };
        let of_peer = self.standing.entry(peer.clone()).or_default();
        let made = *state > 0;
        if made {
            of_peer.insert(*link);
        } else {
            of_peer.remove(link);
        }
        let standing = of_peer.len();
        if standing == 0 {
            self.standing.remove(peer);
        }
        self.lines.truncate(LINES_MAX - 1);
        let (peer, addr) = (peer.clone(), addr.clone());
        self.lines.push_front(Connection { at_ms: event.at_ms, made, peer, addr, link: *link, standing });
        true
    }

    /// The newest first.
    pub(crate) fn lines(&self) -> vec_deque::Iter<'_, Connection> {
        self.lines.iter()
    }
}

/// Works out the rows anew.
pub(super) fn index(table: &mut Table, snapshot: &Snapshot) {
    let links = &snapshot.links;
    let folded_name = |place: usize| links[place].name.to_lowercase();
    // What is not known is 0, and comes last.
    let ping = |place: usize| links[place].rtt_us.wrapping_sub(1);
    table.index(
        links,
        |filter, _, link| filter.shows_link(link),
        // The snapshot has the oldest first.
        &[
            (SortBy::Name, &|a, b| folded_name(a).cmp(&folded_name(b))),
            (SortBy::Ping, &|a, b| ping(a).cmp(&ping(b))),
            (SortBy::From, &|a, b| larger_first(links[a].bytes_in, links[b].bytes_in)),
            (SortBy::To, &|a, b| larger_first(links[a].bytes_out, links[b].bytes_out)),
            (SortBy::Loss, &|a, b| larger_first(links[a].loss_permille.into(), links[b].loss_permille.into())),
        ],
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Level, MeView, Phase};

    fn event(state: i8, peer: &str, link: u64) -> Event {
        let kind = EventKind::Connection {
            state,
            peer: peer.to_owned(),
            addr: "10.0.0.1:1".to_owned(),
            path: Default::default(),
            link,
        };
        Event { at_ms: link, level: Level::Debug, text: String::new(), kind }
    }

    fn check(standing: &[(&str, u64)], events: &[(i8, &str, u64)], expect: &[usize]) {
        let links: Vec<LinkView> = standing
            .iter()
            .map(|(peer, link)| LinkView { peer: (*peer).to_owned(), link: *link, ..LinkView::default() })
            .collect();
        let mut connections = Connections::new(&links);
        for (state, peer, link) in events {
            assert!(connections.push(&event(*state, peer, *link)));
        }
        let counts: Vec<usize> = connections.lines().rev().map(|line| line.standing).collect();
        assert_eq!(counts, expect, "{events:?}");
    }

    #[test]
    fn links_are_counted_by_peer_and_never_below_none() {
        check(&[], &[(1, "a", 1), (1, "b", 2), (1, "a", 3), (-1, "a", 1)], &[1, 1, 2, 1]);
        // Told twice, or of an end whose beginning was not heard.
        check(&[("a", 1)], &[(1, "a", 1), (-1, "a", 1), (-1, "a", 1), (1, "a", 2)], &[1, 0, 0, 1]);
        check(&[], &[(-1, "a", 9), (-1, "a", 8)], &[0, 0]);
    }

    #[test]
    fn nothing_stands_when_the_runtime_no_longer_serves() {
        for (phase, standing) in [(Phase::Scanning, 3), (Phase::Serving, 3), (Phase::Stopping, 1), (Phase::Error, 1)] {
            let mut connections = Connections::default();
            connections.push(&event(1, "a", 1));
            connections.push(&event(1, "a", 2));
            let status = MeView { phase, ..MeView::default() }.status();
            assert!(!connections.push(&Event { kind: EventKind::Phase(status), ..event(1, "", 0) }));
            connections.push(&event(1, "a", 3));
            assert_eq!(connections.lines().next().map(|line| line.standing), Some(standing), "{phase:?}");
        }
    }

    #[test]
    fn the_stream_is_bounded_and_the_newest_comes_first() {
        let mut connections = Connections::default();
        for link in 0..2 * LINES_MAX as u64 {
            connections.push(&event(1, "a", link));
        }
        assert_eq!(connections.lines().len(), LINES_MAX);
        assert_eq!(connections.lines().next().map(|line| line.link), Some(2 * LINES_MAX as u64 - 1));
        let note = Event { at_ms: 0, level: Level::Info, text: String::new(), kind: EventKind::Note };
        assert!(!connections.push(&note));
    }
}
