//! What the actors tell one another: one closed enum an actor, each over one bounded channel. Who
//! reads this file knows every edge of the runtime.
//!
//! ```text
//!            discovery ─► links ─► library ─► transfers ─► library
//!   quic ◄──────────────► links ─► serving              ─► links
//!                         links ─► transfers    serving ─► library
//!   driver (commands of the faces) ─► library, transfers, links, serving
//! ```
//!
//! An actor never waits for an answer from one that may be waiting for it: questions go along the
//! arrows, and every reply is a `oneshot`.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use s2n_quic::stream::BidirectionalStream;
use tokio::sync::{mpsc, oneshot};

use super::links::Link;
use crate::{
    api::{AfterGet, CommandError, Freeable, GetRequest, MapRequest, Reply},
    types::{
        ChunkNo, ContentId, EntryState, GameId, LibraryDigest, LibraryNo, Manifest, PeerId, PeerName, Rate, Version,
    },
    wire::{
        library::LibraryDelta,
        message::{Control, Request},
    },
};

/// Facts waiting for one actor. Senders wait when it is full, so a slow actor slows its senders and
/// nothing grows; a burst of 256 links saying hello fits.
pub(crate) const INPUTS_QUEUED_MAX: usize = 512;

/// Where the answer to a face's command goes.
pub(crate) type ReplyTo = oneshot::Sender<Result<Reply, CommandError>>;

/// What the links actor is told.
#[derive(Debug)]
pub(crate) enum LinksInput {
    /// Dial an address a user gave, and keep trying; answered when a session stands or the first try failed.
    Connect { addr: String, reply: Option<ReplyTo> },
    /// A peer was heard by mDNS: replace what was known of its addresses.
    Heard { peer: PeerId, name: PeerName, addrs: Vec<std::net::SocketAddr> },
    /// A peer's mDNS announcement ended.
    Unheard { peer: PeerId },
    /// Our library has this digest now; it goes into every Hello from now on.
    Digest(LibraryDigest),
    /// Send a control message to every peer with a session.
    Broadcast(Control),
    /// Send a control message to one peer, if it is there.
    Send { peer: PeerId, message: Control },
    /// Block or unblock a peer (id, its first characters, or name). The actor keeps the list on disk.
    Block { peer: String, block: bool, reply: ReplyTo },
}

/// What the library actor is told.
#[derive(Debug)]
pub(crate) enum LibraryInput {
    /// A session with a peer stands.
    PeerUp { peer: PeerId, name: PeerName, addr: IpAddr, link: Link, digest: LibraryDigest },
    /// Another link carries the session now.
    PeerLink { peer: PeerId, link: Link },
    /// The session is gone.
    PeerDown { peer: PeerId },
    /// The peer's library has this digest.
    Summary { peer: PeerId, digest: LibraryDigest },
    /// The peer's library changed.
    Delta { peer: PeerId, delta: LibraryDelta },
    /// A peer asks for our library: the JSON of a snapshot.
    SnapshotWanted { reply: oneshot::Sender<Bytes> },
    /// One of our own chunks does not have its hash any more; the shelf knows already.
    OwnChunkBad { content: ContentId, chunk: ChunkNo },
    /// A file of ours changed while it was served; look again.
    OwnChanged { game: GameId },
    /// A transfer exists: announce it as growing once its manifest is known.
    Growing { game: GameId, title: String, content: ContentId, manifest: Arc<Manifest>, have: u32 },
    /// A transfer ended without a commit (cancelled, failed): no longer growing.
    NotGrowing { game: GameId, content: ContentId },
    /// A transfer committed: the game root is the new build.
    Committed { game: GameId, content: ContentId, title: String },
    /// What a get was to be followed by: a build that is here now is to be made playable. Answered when that is on disk.
    ThenInstall { game: GameId, content: ContentId, drop_archives: bool, noted: oneshot::Sender<()> },
    /// A transfer is about to look which chunks are here: answered when the game has been looked at once in this run.
    Looked { game: GameId, reply: oneshot::Sender<()> },
    /// A transfer wants to know who has a content, now and whenever it changes.
    Follow { content: ContentId },
    /// It no longer does.
    Unfollow { content: ContentId },
    /// `get`: which build is meant; the library resolves it and tells the transfers actor.
    Get { request: GetRequest, reply: ReplyTo },
    /// `add`.
    Add {
        path: PathBuf,
        id: Option<String>,
        version: Option<String>,
        title: Option<String>,
        take: bool,
        reply: ReplyTo,
    },
    /// `remove`.
    Remove { game: String, reply: ReplyTo },
    /// `install`.
    Install { game: String, drop_archives: bool, reply: ReplyTo },
    /// `uninstall`.
    Uninstall { game: String, last: bool, reply: ReplyTo },
    /// `cancel`: of a move; of all else it is for transfers.
    Cancel { game: String, discard: bool, reply: ReplyTo },
    /// `move`.
    Move { game: String, library: String, reply: ReplyTo },
    /// `play`.
    Play { game: String, confirm: Vec<String>, reply: ReplyTo },
    /// `verify`.
    Verify { game: String, repair: bool, reply: ReplyTo },
    /// `manifest`.
    Manifest { game: String, reply: ReplyTo },
    /// `without`.
    Without { game: String, reply: ReplyTo },
    /// `compare`.
    Compare { peer: String, reply: ReplyTo },
    /// `space`.
    Space { reply: ReplyTo },
    /// `free`.
    Free { game: String, what: Freeable, reply: ReplyTo },
    /// `pin` (a version) and `unpin` (none).
    Pin { game: String, version: Option<String>, reply: ReplyTo },
    /// `trust` and no longer.
    Trust { peer: String, trust: bool, reply: ReplyTo },
    /// Look at the whole library again.
    Rescan { reply: ReplyTo },
}

/// What the transfers actor is told.
#[derive(Debug)]
pub(crate) enum TransfersInput {
    /// A session with a peer stands.
    PeerUp { peer: PeerId, name: PeerName, link: Link },
    /// Another link carries the session now.
    PeerLink { peer: PeerId, link: Link },
    /// The session is gone.
    PeerDown { peer: PeerId },
    /// Get this build; it replaces `from` of the same game when that is here.
    Enqueue(Box<Wanted>),
    /// Who has a followed content: the whole list, replacing the last.
    Holders { content: ContentId, holders: Vec<(PeerId, EntryState)> },
    /// `pause`, by id or title.
    Pause { game: String, reply: ReplyTo },
    /// `resume`.
    Resume { game: String, reply: ReplyTo },
    /// `cancel`.
    Cancel { game: String, discard: bool, reply: ReplyTo },
    /// Sooner (negative) or later.
    Reorder { game: String, by: i32, reply: ReplyTo },
    /// Part of the chunk map of a running transfer.
    Map { request: MapRequest, reply: ReplyTo },
    /// What may be received from one peer, or from everybody together; `None` is without limit.
    Limit { peer: Option<PeerId>, rate: Option<Rate> },
    /// A game is about to be removed or added to: is a transfer of it under way?
    Busy { game: GameId, reply: oneshot::Sender<bool> },
    /// The library was looked at for the first time: what an earlier run left half done may go on.
    Scanned,
}

/// A build to get.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) game: GameId,
    pub(crate) title: String,
    pub(crate) version: Version,
    pub(crate) content: ContentId,
    pub(crate) size: u64,
    /// Where the game lives, if it is here.
    pub(crate) library: Option<LibraryNo>,
    /// What is done when it is here.
    pub(crate) after: AfterGet,
    /// Nobody asked on a face when the mirror did.
    pub(crate) reply: Option<ReplyTo>,
}

/// What the serving actor is told.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")]
pub(crate) enum ServingInput {
    /// A peer opened a stream with this request; all but Hello come here.
    Request { peer: PeerId, request: Request, stream: BidirectionalStream },
    /// The last link of a peer is gone: promises to it lapse.
    PeerDown { peer: PeerId },
    /// A peer says a chunk of ours was bad.
    BadChunk { peer: PeerId, content: ContentId, chunk: ChunkNo },
    /// What may be sent to one peer, or to everybody together; `None` is without limit.
    Limit { peer: Option<PeerId>, rate: Option<Rate> },
}

/// The senders of every actor's channel; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Inputs {
    pub(crate) links: mpsc::Sender<LinksInput>,
    pub(crate) library: mpsc::Sender<LibraryInput>,
    pub(crate) transfers: mpsc::Sender<TransfersInput>,
    pub(crate) serving: mpsc::Sender<ServingInput>,
}

/// The receivers, each for its one actor.
#[derive(Debug)]
pub(crate) struct Outlets {
    pub(crate) links: mpsc::Receiver<LinksInput>,
    pub(crate) library: mpsc::Receiver<LibraryInput>,
    pub(crate) transfers: mpsc::Receiver<TransfersInput>,
    pub(crate) serving: mpsc::Receiver<ServingInput>,
}

/// All channels of the runtime.
#[must_use]
pub(crate) fn channels() -> (Inputs, Outlets) {
    let (links, links_out) = mpsc::channel(INPUTS_QUEUED_MAX);
    let (library, library_out) = mpsc::channel(INPUTS_QUEUED_MAX);
    let (transfers, transfers_out) = mpsc::channel(INPUTS_QUEUED_MAX);
    let (serving, serving_out) = mpsc::channel(INPUTS_QUEUED_MAX);
    (
        Inputs { links, library, transfers, serving },
        Outlets { links: links_out, library: library_out, transfers: transfers_out, serving: serving_out },
    )
}
