//! Where actors put what the faces show, and how facts reach the faces. Each actor owns its own
//! cells; the newest value wins, and the driver joins them into one snapshot.

use std::{collections::BTreeMap, sync::Arc};

use tokio::sync::{broadcast, watch};

use crate::{
    api::{Event, EventKind, GameView, Level, LibraryView, LinkView, PeerView, TransferView},
    io::clock,
    logging,
    types::PeerId,
};

/// What the library knows of a peer that the Peers screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PeerFacts {
    /// Games it has all of.
    pub(crate) games: u32,
    /// Title of what it is getting and how far, in percent.
    pub(crate) getting: Option<(String, u8)>,
    /// What it announces counts as vouched.
    pub(crate) trusted: bool,
}

/// Bytes a second and bytes in all, per peer, of chunk payload.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    pub(crate) bps: u64,
    pub(crate) bytes: u64,
}

/// What the library actor shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct LibraryShown {
    pub(crate) games: Arc<Vec<GameView>>,
    pub(crate) peers: Arc<BTreeMap<PeerId, PeerFacts>>,
    /// Why a library cannot be used, when one cannot.
    pub(crate) trouble: Option<String>,
    /// Whether the first scan is done.
    pub(crate) scanned: bool,
    /// Bytes that a new game may take where it would go.
    pub(crate) free: Option<u64>,
    /// Whether somebody plays here.
    pub(crate) playing: bool,
    pub(crate) libraries: Vec<LibraryView>,
}

/// What the transfers actor shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct TransfersShown {
    pub(crate) transfers: Arc<Vec<TransferView>>,
    pub(crate) down: Arc<BTreeMap<PeerId, Traffic>>,
}

/// What the links actor shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct LinksShown {
    /// Peers with everything but games, traffic and trust, which the driver adds.
    pub(crate) peers: Arc<Vec<PeerView>>,
    pub(crate) links: Arc<Vec<LinkView>>,
}

/// The ends actors write to.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) library: watch::Sender<LibraryShown>,
    pub(crate) transfers: watch::Sender<TransfersShown>,
    pub(crate) links: watch::Sender<LinksShown>,
    /// What goes out, per peer.
    pub(crate) serving: watch::Sender<Arc<BTreeMap<PeerId, Traffic>>>,
}

/// The ends the driver reads.
#[derive(Debug, Clone)]
pub(crate) struct Shows {
    pub(crate) library: watch::Receiver<LibraryShown>,
    pub(crate) transfers: watch::Receiver<TransfersShown>,
    pub(crate) links: watch::Receiver<LinksShown>,
    pub(crate) serving: watch::Receiver<Arc<BTreeMap<PeerId, Traffic>>>,
}

/// All cells, empty.
pub(crate) fn cells() -> (Shown, Shows) {
    let (library, library_out) = watch::channel(LibraryShown::default());
    let (transfers, transfers_out) = watch::channel(TransfersShown::default());
    let (links, links_out) = watch::channel(LinksShown::default());
    let (serving, serving_out) = watch::channel(Arc::default());
    (
        Shown { library, transfers, links, serving },
        Shows { library: library_out, transfers: transfers_out, links: links_out, serving: serving_out },
    )
}

/// Tells every face, and the log, that something happened. Never waits.
#[derive(Debug, Clone)]
pub(crate) struct Teller(broadcast::Sender<Event>);

impl Teller {
    /// Over the runtime's end of the faces' channel.
    pub(crate) fn new(events: broadcast::Sender<Event>) -> Self {
        Self(events)
    }

    /// `text` is one sentence for people, made of cleaned parts.
    pub(crate) fn tell(&self, level: Level, kind: EventKind, text: impl Into<String>) {
        let text = text.into();
        let logged = logging::without_addresses(&text);
        match level {
            Level::Debug => tracing::debug!("{text}"),
            Level::Info | Level::Done => tracing::info!("{logged}"),
            Level::Warning => tracing::warn!("{logged}"),
            Level::Error => tracing::error!("{logged}"),
        }
        if level != Level::Debug && logged != text {
            tracing::debug!("{text}");
        }
        // Without a face nobody listens, and that is no failure.
        let _ = self.0.send(Event { at_ms: clock::unix_ms(), level, text, kind });
    }
}
