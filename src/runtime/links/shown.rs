//! The room as the faces see it, and the sentences about it.

use std::collections::BTreeMap;

use super::Held;
use crate::{
    api::{ClockView, LinkPath, LinkView, PeerView},
    core::roster::{DialFailure, LinkNo, Note, Refusal, Roster, Row, Trouble},
    io::{clock, quic::LinkStats},
    types::{PeerId, PeerName},
};

/// Below this much traffic between two looks a link is idle, and its figures only tremble: a screen
/// that shows them would never rest.
const IDLE_BYTES: u64 = 64 << 10;

/// A link's figures as last shown.
#[derive(Debug, Default)]
pub(super) struct Figures {
    shown: BTreeMap<LinkNo, LinkStats>,
    clocks: BTreeMap<LinkNo, ClockView>,
}

impl Figures {
    /// Looks at a link again, if anything but keep-alives went over it.
    fn of(&mut self, no: LinkNo, held: &Held) -> LinkStats {
        let now = held.connection.stats();
        let shown = self.shown.entry(no).or_default();
        let moved = (now.bytes_in + now.bytes_out).saturating_sub(shown.bytes_in + shown.bytes_out);
        if shown.rtt.is_zero() || moved > IDLE_BYTES {
            *shown = now;
        }
        *shown
    }

    /// How the peer's clock stands beside ours.
    fn clock(&mut self, no: LinkNo, held: &Held) -> Option<ClockView> {
        let view = held.clock?.view(self.clocks.get(&no).copied(), clock::now(), clock::unix_ms());
        self.clocks.insert(no, view);
        Some(view)
    }

    pub(super) fn forget(&mut self, no: LinkNo) {
        self.shown.remove(&no);
        self.clocks.remove(&no);
    }
}

/// What is known of a link since it was admitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// When, Unix milliseconds.
    pub(super) since_ms: u64,
    /// What lay between when it was made.
    pub(super) path: LinkPath,
}

/// The Links screen: admitted links in the order in which they were made.
pub(super) fn links(roster: &Roster, links: &BTreeMap<LinkNo, Held>, figures: &mut Figures) -> Vec<LinkView> {
    let peers: BTreeMap<PeerId, (String, Option<LinkNo>)> = roster
        .rows()
        .filter_map(|row| {
            let peer = row.peer?;
            Some((peer, (row.name.map_or_else(|| peer.short(), |name| name.to_string()), row.link)))
        })
        .collect();
    let view = |(no, held): (&LinkNo, &Held)| {
        let Standing { since_ms, path } = held.standing?;
        let peer = held.connection.peer();
        let (name, session) = peers.get(&peer).cloned().unwrap_or_else(|| (peer.short(), None));
        let stats = figures.of(*no, held);
        Some(LinkView {
            link: no.0,
            peer: peer.to_string(),
            name,
            addr: held.connection.remote_addr().to_string(),
            path,
            dialled: held.dialled.is_some(),
            since_ms,
            bytes_in: stats.bytes_in,
            bytes_out: stats.bytes_out,
            rtt_us: rtt_us(&stats),
            loss_permille: loss_permille(&stats),
            mtu: mtu(&stats),
            draining: session != Some(*no),
        })
    };
    links.iter().filter_map(view).collect()
}

/// The Peers screen: those with a session first, then by name.
pub(super) fn peers(
    roster: &Roster,
    links: &BTreeMap<LinkNo, Held>,
    since_ms: &BTreeMap<PeerId, u64>,
    figures: &mut Figures,
) -> Vec<PeerView> {
    let mut views: Vec<PeerView> = roster.rows().map(|row| view(&row, links, since_ms, figures)).collect();
    views.sort_by(|a, b| (!a.online, &a.name, &a.id).cmp(&(!b.online, &b.name, &b.id)));
    views
}

fn view(
    row: &Row,
    links: &BTreeMap<LinkNo, Held>,
    since_ms: &BTreeMap<PeerId, u64>,
    figures: &mut Figures,
) -> PeerView {
    let address = row.address.map(|address| address.to_string()).unwrap_or_default();
    let name = match (&row.name, row.peer) {
        (Some(name), _) => name.to_string(),
        (None, Some(peer)) => peer.short(),
        (None, None) => address.clone(),
    };
    let held = row.link.and_then(|link| links.get(&link).map(|held| (link, held)));
    let stats = held.map_or_else(LinkStats::default, |(no, held)| figures.of(no, held));
    PeerView {
        id: row.peer.map(|peer| peer.to_string()).unwrap_or_default(),
        name,
        addr: address,
        online: held.is_some(),
        since_ms: row.peer.and_then(|peer| since_ms.get(&peer)).copied().unwrap_or(0),
        rtt_us: rtt_us(&stats),
        loss_permille: loss_permille(&stats),
        mtu: mtu(&stats),
        links: u8::try_from(row.links).unwrap_or(u8::MAX),
        blocked: row.blocked,
        note: row.note.map(note_text).unwrap_or_default().to_owned(),
        clock: held.and_then(|(no, held)| figures.clock(no, held)),
        ..PeerView::default()
    }
}

fn rtt_us(stats: &LinkStats) -> u64 {
    u64::try_from(stats.rtt.as_micros()).unwrap_or(u64::MAX)
}

fn loss_permille(stats: &LinkStats) -> u16 {
    (stats.bytes_lost * 1_000).checked_div(stats.bytes_out).unwrap_or(0).min(1_000) as u16
}

fn mtu(stats: &LinkStats) -> u16 {
    u16::try_from(stats.mtu).unwrap_or(u16::MAX)
}

fn note_text(note: Note) -> &'static str {
    match note {
        Note::Unreachable => "seen, but does not answer: a firewall there, or a network that keeps its clients apart",
        Note::Silent => "does not answer",
        Note::Cloned => "its key is in use on two machines",
        Note::BlockedUs => "has blocked you",
        Note::OtherVersion => "runs another version of potluck",
    }
}

/// A trouble as a sentence.
pub(super) fn trouble_text(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Cloned { peer, first, second } => {
            let place = |run: &Option<(PeerName, std::net::SocketAddr)>| match run {
                Some((name, address)) => format!("{name} at {address}"),
                None => "this machine".to_owned(),
            };
            format!(
                "The key {} is in use on two machines: {} and {}. Give one of them a new home, or delete its key file.",
                peer.short(),
                place(first),
                place(second)
            )
        }
        Trouble::Unreachable { peer, name } => format!(
            "{name} ({}) announces itself but does not answer. A firewall there may block UDP, or the network keeps its \
             clients apart.",
            peer.short()
        ),
        Trouble::UserAddress { address, failure } => failure_text(*address, *failure),
        Trouble::Ourselves { address } => format!("{address} is this potluck itself."),
        Trouble::Refused { peer, why } => format!("{} refused the link: {}.", peer.short(), refusal_text(why)),
    }
}

/// Why a dial failed, as a sentence.
pub(super) fn failure_text(address: std::net::SocketAddr, failure: DialFailure) -> String {
    match failure {
        DialFailure::Silence => format!(
            "{address} does not answer. Is potluck running there, and does its firewall let UDP in? Trying again."
        ),
        DialFailure::WrongPeer => format!("Somebody else answers at {address}."),
        DialFailure::NotPotluck => format!("{address} answers, but not as this version of potluck."),
        DialFailure::Busy => format!("{address} takes no more links just now. Trying again."),
        DialFailure::NoRoute => format!("{address} cannot be reached from this machine."),
    }
}

/// Why a peer does not want us.
pub(super) fn refusal_text(why: &Refusal) -> &'static str {
    match why {
        Refusal::Blocked => "it has blocked this machine",
        Refusal::Busy => "it has no room for another link",
        Refusal::Own => "it is this potluck itself",
        Refusal::Cloned { .. } => "another machine in the room uses the key of this one; give one of them a new home",
        Refusal::Other => "it speaks another version of the protocol",
    }
}
