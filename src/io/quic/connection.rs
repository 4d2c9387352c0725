//! One authenticated link, as the two halves its users need: a handle that opens streams and can be
//! cloned, and the queue of streams the peer opens.

use std::{net::SocketAddr, sync::Arc};

use s2n_quic::{
    application,
    connection::{Error as ConnectionError, Handle, StreamAcceptor},
    stream::{BidirectionalStream, ReceiveStream, SendStream},
};

use super::events::{Context, Counters, LinkStats};
use crate::types::PeerId;

/// Both directions of one stream: what comes, and what goes.
pub type Stream = (ReceiveStream, SendStream);

/// A link whose peer has proven its key. Clones are the same link.
#[derive(Debug, Clone)]
pub struct Connection {
    handle: Handle,
    peer: PeerId,
    remote: SocketAddr,
    counters: Arc<Counters>,
}

/// The streams the peer opens on a link.
#[derive(Debug)]
pub struct Streams(StreamAcceptor);

impl Connection {
    /// `None` if the handshake left no key, or the link is gone already.
    pub(super) fn new(connection: s2n_quic::Connection) -> Option<(Self, Streams)> {
        let (mut handle, acceptor) = connection.split();
        let context = handle.query_event_context(Context::clone).ok()?;
        let remote = canonical(handle.remote_addr().ok()?);
        handle.keep_alive(true).ok()?;
        let link = Self { handle, peer: context.peer?, remote, counters: context.counters };
        Some((link, Streams(acceptor)))
    }

    /// Whose link it is.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.peer
    }

    /// Where the peer's packets come from: its listener if we dialled, else a port of no meaning.
    #[must_use]
    pub fn remote_addr(&self) -> SocketAddr {
        self.remote
    }

    /// Opens a stream; waits while the peer allows no more.
    pub async fn open(&self) -> Result<Stream, LinkError> {
        let stream = self.handle.clone().open_bidirectional_stream().await.map_err(LinkError)?;
        Ok(stream.split())
    }

    /// Ends the link at once; the peer is told `code`.
    pub fn close(&self, code: u32) {
        self.handle.close(application::Error::from(code));
    }

    /// Whether the link still stands; also makes the peer answer something at once.
    pub fn check(&self) -> Result<(), LinkError> {
        self.handle.clone().ping().map_err(LinkError)
    }

    /// The link's figures now.
    #[must_use]
    pub fn stats(&self) -> LinkStats {
        self.counters.read()
    }
}

impl Streams {
    /// The next stream the peer opens; `None` when the link has ended without an error.
    pub async fn accept(&mut self) -> Result<Option<BidirectionalStream>, LinkError> {
        self.0.accept_bidirectional_stream().await.map_err(LinkError)
    }
}

/// Why a link ended.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the link has ended: {0}")]
pub struct LinkError(ConnectionError);

impl LinkError {
    /// The code the peer closed the link with, if it said one.
    #[must_use]
    pub fn code(&self) -> Option<u64> {
        if let ConnectionError::Application { error, .. } = self.0 { Some(error.into()) } else { None }
    }

    /// Nothing was heard of the peer for too long.
    #[must_use]
    pub fn is_silence(&self) -> bool {
        matches!(self.0, ConnectionError::IdleTimerExpired { .. })
    }
}

/// An IPv4 address that a dual-stack socket shows as IPv6, as people write it.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
