//! What opens a stream, and what travels on a control stream. Field by field with limits and
//! examples in `docs/protocol.md`.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{
    fetch::ChunkPairs,
    library::{LibraryDelta, WireDigest},
    text,
};
use crate::types::{ContentId, InstanceNonce, LibraryDigest, PeerId, PeerName};

/// The protocol's name in the TLS handshake; a changed protocol gets another.
pub const ALPN: &[u8] = b"potluck/1";
/// The one version of this wire format.
pub const PROTO: u32 = 1;
/// Peers named in one `peers` message.
pub const PEERS_MAX: usize = 64;
/// Listener ports in a Hello: one an endpoint, and nobody has more endpoints than this.
pub const PORTS_MAX: usize = 8;
/// How long the first frame of a stream may take to be whole, in seconds.
pub const FIRST_FRAME_SECONDS: u64 = 5;

/// The first frame of every stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Request {
    /// Opens the control stream of a link; only the dialler sends it, once.
    Hello(Hello),
    /// Asks for a snapshot of the library.
    Library {},
    /// Asks for a manifest.
    Manifest {
        /// Which build.
        #[serde(with = "text")]
        content: ContentId,
    },
    /// Asks for the hashes of chunks.
    Hashes {
        /// Which build.
        #[serde(with = "text")]
        content: ContentId,
        /// Which chunks.
        ranges: ChunkPairs,
    },
    /// Subscribes to a have-map.
    Have {
        /// Which build.
        #[serde(with = "text")]
        content: ContentId,
    },
    /// Asks for chunks.
    Chunks {
        /// Which build.
        #[serde(with = "text")]
        content: ContentId,
        /// Which chunks would do, the preferred ones first.
        of: ChunkPairs,
        /// How many of them to send.
        take: u32,
    },
}

/// Who a peer is, sent both ways when a link is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTO`].
    pub proto: u32,
    /// Tells two runs of one home apart.
    #[serde(with = "text")]
    pub nonce: InstanceNonce,
    /// The name people gave the machine.
    #[serde(with = "text")]
    pub name: PeerName,
    /// UDP ports the peer listens on, its first choice first, at most [`PORTS_MAX`].
    pub ports: Vec<u16>,
    /// The party it belongs to; reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub party: Option<String>,
    /// The state of its library.
    pub library: WireDigest,
    /// Its clock when it wrote this, Unix milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<u64>,
}

impl Hello {
    /// The digest of the sender's library.
    #[must_use]
    pub fn digest(&self) -> LibraryDigest {
        self.library.digest
    }
}

/// What travels on a control stream after the dialler's Hello, both ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Control {
    /// The accepter's answer to Hello.
    HelloAck(Hello),
    /// The accepter will not have this link; it closes it after this.
    Refused {
        /// Why, for programs.
        code: RefusalCode,
        /// Why, for people.
        #[serde(default)]
        message: String,
    },
    /// The state of the sender's library.
    LibrarySummary {
        /// Its digest now.
        #[serde(with = "text")]
        digest: LibraryDigest,
    },
    /// What changed in the sender's library.
    LibraryDelta(LibraryDelta),
    /// Who else is here.
    Peers {
        /// At most [`PEERS_MAX`].
        peers: Vec<PeerAddress>,
    },
    /// A chunk the receiver of this message served did not have its hash.
    BadChunk {
        /// Which build.
        #[serde(with = "text")]
        content: ContentId,
        /// Which chunk.
        chunk: u32,
    },
    /// The sender is leaving.
    Goodbye {},
}

/// A peer the sender has a link with, and the address of its listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerAddress {
    /// The peer's key; a dial is pinned to it.
    #[serde(with = "text")]
    pub id: PeerId,
    /// Its listener.
    pub addr: SocketAddr,
}

/// Why a link was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// The same key runs on two machines.
    Cloned,
    /// The user blocked this peer.
    Blocked,
    /// No room for another link.
    Busy,
    /// It is ourselves.
    Own,
    /// Another `proto`.
    Version,
    /// Something else, of a later version.
    #[serde(other)]
    Other,
}

/// Codes of stream resets and of closed connections.
pub mod code {
    /// A connection closed in order.
    pub const DONE: u32 = 0;
    /// The file changed on disk while it was served.
    pub const CHANGED: u32 = 1;
    /// The content is no longer here.
    pub const GONE: u32 = 2;
    /// Too much at once; try later or elsewhere.
    pub const BUSY: u32 = 3;
    /// The asker no longer wants it.
    pub const CANCELLED: u32 = 4;
    /// The other side broke the protocol.
    pub const PROTOCOL: u32 = 5;
    /// The link was refused; a `refused` message said why.
    pub const REFUSED: u32 = 6;
    /// Another link to the same peer stays.
    pub const DUPLICATE: u32 = 7;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::decode;

    #[test]
    fn requests_are_tagged_json() {
        let content = ContentId::from_bytes([7; 32]);
        let request = Request::Chunks { content, of: ChunkPairs(vec![(3, 9), (0, 1)]), take: 2 };
        let json = serde_json::to_string(&request).unwrap();
        assert_eq!(json, format!(r#"{{"t":"chunks","content":"{content}","of":[[3,9],[0,1]],"take":2}}"#));
        assert_eq!(decode::<Request>(json.as_bytes()), Ok(request));
        assert_eq!(decode::<Request>(br#"{"t":"library","later":1}"#), Ok(Request::Library {}));
        assert!(decode::<Request>(br#"{"t":"format_disk"}"#).is_err());
        assert!(decode::<Request>(br#"{"t":"manifest","content":"../../etc"}"#).is_err());
    }

    #[test]
    fn hello_reads_what_it_writes() {
        let hello = Hello {
            proto: PROTO,
            nonce: InstanceNonce(0xab),
            name: PeerName::new("seat-17"),
            ports: vec![47_800],
            party: None,
            library: WireDigest { digest: LibraryDigest::from_bytes([1; 32]) },
            clock: None,
        };
        let ack = Control::HelloAck(hello.clone());
        let json = serde_json::to_string(&ack).unwrap();
        assert!(json.starts_with(r#"{"t":"hello_ack","proto":1,"nonce":"00000000000000ab","name":"seat-17","ports":[47800],"library":{"digest":"0101"#));
        assert_eq!(decode::<Control>(json.as_bytes()), Ok(ack));
        assert_eq!(
            decode::<Request>(&serde_json::to_vec(&Request::Hello(hello.clone())).unwrap()),
            Ok(Request::Hello(hello.clone()))
        );
        let later = Request::Hello(Hello { clock: Some(1_795_233_600_000), ..hello });
        let json = serde_json::to_vec(&later).unwrap();
        assert!(json.ends_with(br#","clock":1795233600000}"#));
        assert_eq!(decode::<Request>(&json), Ok(later));
    }
}
