//! A transfer as the faces show it.

use std::{collections::BTreeMap, path::Path};

use crate::{
    api::{DISK_FULL, SourceView, StateWord, TransferView},
    core::{
        download::{self, Download},
        queue,
    },
    types::{LibraryNo, PeerId, clean, decimal},
};

/// The sources that matter: those that gave something or may give. `given` counts also for those that left.
pub(super) fn sources(
    download: &Download,
    given: &BTreeMap<PeerId, u64>,
    name_of: impl Fn(&PeerId) -> String,
) -> Vec<SourceView> {
    let chunk_count = u64::from(download.have().chunk_count()).max(1);
    let mut left = given.clone();
    let mut sources = Vec::new();
    for source in download.sources() {
        let bytes = left.remove(&source.peer).unwrap_or(0);
        if source.holds.is_some() || bytes > 0 {
            sources.push(SourceView {
                peer: source.peer.to_string(),
                name: name_of(&source.peer),
                holds: (u64::from(source.holds.unwrap_or(0)) * 100 / chunk_count) as u8,
                bytes,
                bps: source.rate_bps,
                coming: source.coming_bytes,
                rtt_us: u64::try_from(source.round_trip.as_micros()).unwrap_or(u64::MAX),
            });
        }
    }
    let gone = |(peer, bytes): (&PeerId, &u64)| SourceView {
        peer: peer.to_string(),
        name: name_of(peer),
        bytes: *bytes,
        ..SourceView::default()
    };
    sources.extend(left.iter().map(gone));
    sources.sort_by(|a, b| b.bps.cmp(&a.bps).then_with(|| b.bytes.cmp(&a.bytes)).then_with(|| a.peer.cmp(&b.peer)));
    sources
}

/// Percent of `size` that is `done`; 100 only when all is.
pub(super) fn percent(done: u64, size: u64) -> u8 {
    if size == 0 || done >= size { 100 } else { (u128::from(done) * 100 / u128::from(size)) as u8 }
}

/// What the queue lets a transfer wait for, in the words of the faces.
pub(super) fn wait_in_queue(wait: queue::Wait, libraries: &[&Path]) -> (StateWord, String) {
    match wait {
        queue::Wait::Turn { ahead: 0 } => (StateWord::Waiting, "its turn comes next".to_owned()),
        queue::Wait::Turn { ahead } => (StateWord::Waiting, format!("{ahead} before it")),
        queue::Wait::NoSource => (StateWord::Waiting, "no peer has the rest".to_owned()),
        queue::Wait::DiskFull { library, short } => (StateWord::Waiting, disk_full(short, library, libraries)),
        queue::Wait::NoLibrary => (StateWord::Waiting, "its library is not there, or cannot be written to".to_owned()),
        queue::Wait::Paused => (StateWord::Paused, "by you".to_owned()),
    }
}

/// What a running download waits for, in the words of the faces.
pub(super) fn state(state: download::State) -> (StateWord, &'static str) {
    match state {
        download::State::Getting => (StateWord::Getting, ""),
        download::State::Waiting(wait) => (
            StateWord::Waiting,
            match wait {
                download::Wait::NoSource => "no peer has it",
                download::Wait::NobodyHasTheRest => "no peer has the rest",
                download::Wait::SourcesAway => "the peers that have it do not answer",
                download::Wait::DiskFull => DISK_FULL,
            },
        ),
        download::State::Paused => (StateWord::Paused, "by you"),
        download::State::Done => (StateWord::Checking, "putting it in place"),
    }
}

/// Which disk, only where there are several.
fn disk_full(short: u64, library: LibraryNo, libraries: &[&Path]) -> String {
    let short = decimal::size(short);
    match libraries.get(usize::from(library.0)).filter(|_| libraries.len() > 1) {
        Some(path) => format!("{DISK_FULL}, {short} short in {}", clean(&path.display().to_string(), 200)),
        None => format!("{DISK_FULL}, {short} short"),
    }
}

/// A view of a transfer of which nothing is known yet.
pub(super) fn blank(wanted: &super::Wish) -> TransferView {
    TransferView {
        game: wanted.game.as_str().to_owned(),
        title: wanted.title.clone(),
        version: wanted.version.as_str().to_owned(),
        content: wanted.content.to_string(),
        state: StateWord::Waiting,
        size: wanted.size,
        ..TransferView::default()
    }
}
