//! Tables for what is decided, and random rooms for what must hold whatever happens.

mod choice;
mod room;
mod sync;

use std::{
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use super::*;
use crate::types::{Tenths, Version};

pub(super) fn game(id: &str) -> GameId {
    GameId::new(id).unwrap()
}

pub(super) fn version(text: &str) -> Version {
    Version::new(text).unwrap()
}

pub(super) fn content(number: u8) -> ContentId {
    ContentId::from_bytes([number; 32])
}

pub(super) fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

pub(super) fn address(number: u8) -> IpAddr {
    Ipv4Addr::new(10, 0, 0, number).into()
}

pub(super) fn facts(text: &str) -> Facts {
    Facts { version: version(text), title: "T".to_owned(), size: 100, files: 1, installed: None }
}

pub(super) fn build(number: u8, text: &str) -> LocalBuild {
    LocalBuild { content: content(number), facts: facts(text) }
}

/// `tenths` of 10 are all of it.
pub(super) fn entry(id: &str, number: u8, text: &str, tenths: u8) -> LibraryEntry {
    let state = if tenths == 10 { EntryState::Ready } else { EntryState::Getting(Tenths::new(tenths)) };
    facts(text).entry(&BuildKey { game: game(id), content: content(number) }, None, state)
}

pub(super) fn outputs(library: &mut Library) -> Vec<Output> {
    std::iter::from_fn(|| library.poll_output()).collect()
}

/// Lets every timer run that is due within `by`, and gives what came out.
pub(super) fn settle(library: &mut Library, now: &mut Instant, by: Duration) -> Vec<Output> {
    let end = *now + by;
    let mut all = outputs(library);
    while let Some((at, _)) = library.poll_timeout()
        && at <= end
    {
        *now = at.max(*now);
        library.handle_timeout(*now);
        all.extend(outputs(library));
    }
    *now = end;
    all
}

/// A room of peers, each with the lines given; the peer's number is its address too.
pub(super) fn room_of(rules: Rules, peers: &[(u8, &[LibraryEntry])]) -> Library {
    let now = Instant::now();
    let mut library = Library::new(rules);
    for (number, lines) in peers {
        join(&mut library, *number, *number, lines, now);
    }
    library
}

pub(super) fn join(library: &mut Library, number: u8, from: u8, lines: &[LibraryEntry], now: Instant) {
    library.handle_peer_up(peer(number), address(from), digest(lines), now);
    for output in outputs(library) {
        if let Output::Fetch { peer, fetch } = output {
            library.handle_snapshot(&peer, fetch, digest(lines), lines.to_vec(), now);
        }
    }
    library.index.assert_invariants();
}
