//! A session's way to its peer, as the other actors hold it.

use super::frames::{self, WriteError};
use crate::{
    io::quic::{Connection, LinkError, LinkStats, ReceiveStream, SendStream},
    types::PeerId,
    wire::message::Request,
};

/// A link that has passed Hello. Clones are the same link; it stays usable, with errors, after its
/// end.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    id: u64,
    connection: Connection,
}

/// Why a request could not be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The link has ended.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// It ended while the request was sent, or the request does not fit a frame.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl Link {
    /// `id` is the link's number in this run.
    pub(crate) fn new(id: u64, connection: Connection) -> Self {
        Self { id, connection }
    }

    /// The link's number in this run: another link to the same peer has another.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whose link it is.
    pub(crate) fn peer(&self) -> PeerId {
        self.connection.peer()
    }

    /// The link's figures now; `rtt_min` is zero until measured.
    pub(crate) fn stats(&self) -> LinkStats {
        self.connection.stats()
    }

    /// Opens a stream and sends `request` on it. The answer comes on the receiving half. Dropping
    /// the sending half finishes it; dropping the receiving half asks the peer to stop. Waits while the peer allows no more streams.
    pub(crate) async fn open_request(&self, request: &Request) -> Result<(ReceiveStream, SendStream), OpenError> {
        let (receive, mut send) = self.connection.open().await?;
        frames::write(&mut send, request).await?;
        Ok((receive, send))
    }
}
