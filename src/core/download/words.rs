//! What goes into and comes out of [`super::Download`].

use std::{sync::Arc, time::Duration};

use crate::types::{ChunkNo, ChunkRanges, ChunkSet, PeerId};

/// A request as we number it: unique within this transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestNo(pub u64);

/// What a transfer begins with.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Bytes of each chunk of the content.
    pub chunk_lens: Arc<[u32]>,
    /// Who we are.
    pub me: PeerId,
    /// What is verified and written already.
    pub have: ChunkSet,
    /// What is to be fetched; what is in neither set is Unwanted.
    pub wanted: ChunkSet,
    /// Any number that other getters do not have: spreads getters over sources and chunks.
    pub seed: u64,
    /// Bytes that may be asked for and not be here yet, in all.
    pub in_flight_max: u64,
}

/// What happened, as the driver tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A peer we have a link to says that it holds all or some of the content.
    SourceUp {
        /// Who.
        peer: PeerId,
        /// What its library says; its have-map decides.
        complete: bool,
        /// Of the link.
        round_trip: Duration,
    },
    /// A peer is gone or no longer has the content.
    SourceDown {
        /// Who.
        peer: PeerId,
    },
    /// The first answer of a have-subscription.
    HaveMap {
        /// Who.
        peer: PeerId,
        /// What it holds.
        have: ChunkSet,
    },
    /// What changed in a have-map.
    HaveDelta {
        /// Who.
        peer: PeerId,
        /// What it holds now.
        set: ChunkRanges,
        /// What it holds no longer.
        clear: ChunkRanges,
    },
    /// A have-subscription ended from the other side.
    HaveEnded {
        /// Who.
        peer: PeerId,
    },
    /// The server says that this chunk's bytes come now.
    ChunkNamed {
        /// In answer to.
        request: RequestNo,
        /// Which.
        chunk: ChunkNo,
    },
    /// All bytes of a named chunk are here and are now hashed and written.
    ChunkArrived {
        /// In answer to.
        request: RequestNo,
        /// Which.
        chunk: ChunkNo,
    },
    /// Its hash is right and it is written. May come after its request ended.
    ChunkVerified {
        /// In answer to.
        request: RequestNo,
        /// Which.
        chunk: ChunkNo,
    },
    /// Its hash is wrong.
    ChunkBad {
        /// In answer to.
        request: RequestNo,
        /// Which.
        chunk: ChunkNo,
    },
    /// It arrived and could not be kept, by no fault of its source.
    ChunkUnwritten {
        /// In answer to.
        request: RequestNo,
        /// Which.
        chunk: ChunkNo,
    },
    /// What we held is bad or gone: fetch it again.
    ChunkLost {
        /// Which.
        chunk: ChunkNo,
    },
    /// A request's stream is over.
    RequestEnded {
        /// Which.
        request: RequestNo,
        /// How.
        end: RequestEnd,
    },
    /// A link's round trip was measured.
    RoundTrip {
        /// To whom.
        peer: PeerId,
        /// The time.
        round_trip: Duration,
    },
    /// Nothing more can be written.
    DiskFull,
    /// It can again.
    DiskFree,
    /// Stop asking; what arrived still counts.
    Pause,
    /// Go on.
    Resume,
    /// The share of the in-flight budget changed.
    InFlightMax {
        /// Bytes.
        bytes: u64,
    },
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestEnd {
    /// The server sent what it wanted to send.
    Done,
    /// It has too much to do.
    Busy,
    /// The file changed under it.
    Changed,
    /// It does not have the content any more.
    Gone,
    /// The link or the stream broke.
    LinkLost,
    /// It said what the protocol does not allow.
    Violation,
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Follow the have-map of a peer.
    Subscribe {
        /// Whose.
        peer: PeerId,
    },
    /// Follow it no longer.
    Unsubscribe {
        /// Whose.
        peer: PeerId,
    },
    /// Ask a peer for chunks.
    Request {
        /// Under this number.
        request: RequestNo,
        /// Whom.
        peer: PeerId,
        /// To choose from.
        of: ChunkRanges,
        /// How many.
        take: u32,
    },
    /// Reset a request's stream; nothing more about it need be told, except what happens to chunks that arrived.
    CancelRequest {
        /// Which.
        request: RequestNo,
    },
    /// Tell a peer that it served a bad chunk.
    ReportBad {
        /// Whom.
        peer: PeerId,
        /// Which chunk.
        chunk: ChunkNo,
    },
    /// A peer sent wrong things too often and is not asked again.
    DropSource {
        /// Who.
        peer: PeerId,
    },
    /// The state is another one now.
    StateChanged(State),
}

/// What the transfer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Chunks are coming or being asked for.
    Getting,
    /// It will go on by itself.
    Waiting(Wait),
    /// The user stopped it.
    Paused,
    /// Everything wanted is here and verified.
    Done,
}

/// What a transfer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// A peer that has any of it.
    NoSource,
    /// A peer that has what is missing: those here do not.
    NobodyHasTheRest,
    /// The sources asked for time or did not answer.
    SourcesAway,
    /// Room on the disk.
    DiskFull,
}

/// One source as faces show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceView {
    /// Who.
    pub peer: PeerId,
    /// Chunks it holds; `None` until it has said so.
    pub holds: Option<u32>,
    /// Bytes a second lately.
    pub rate_bps: u64,
    /// The least seen.
    pub round_trip: Duration,
    /// Asked for and not here yet, about.
    pub coming_bytes: u64,
    /// Verified bytes that came from it.
    pub verified_bytes: u64,
}
