//! What the roster is told of links and what it says: plain data, which the driver shares.

use std::net::SocketAddr;

use super::book::Target;
use crate::types::{InstanceNonce, PeerId, PeerName};

/// A link's number in this run, given by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkNo(pub u64);

/// What a peer says of itself in Hello.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Greeting {
    /// Tells two runs with one key apart.
    pub nonce: InstanceNonce,
    /// Its name.
    pub name: PeerName,
    /// Its listener: the address we dialled, or its first port at the address the link comes from.
    pub listener: SocketAddr,
}

/// How a dial failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialFailure {
    /// Nobody answered.
    Silence,
    /// Somebody else answered.
    WrongPeer,
    /// Something that is no potluck, or another version.
    NotPotluck,
    /// It takes no links now.
    Busy,
    /// Nothing can be sent there from here.
    NoRoute,
}

/// Why we, or the other side, will not have a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The user blocked the peer.
    Blocked,
    /// No room.
    Busy,
    /// It is ourselves.
    Own,
    /// The same key runs elsewhere too.
    Cloned {
        /// Name of the other run, and where it is.
        other: Option<(PeerName, SocketAddr)>,
    },
    /// Another version of the protocol, or a reason of a later one.
    Other,
}

/// How a link ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// In order, or for a reason that concerns only this link.
    Closed,
    /// Nothing was heard for too long.
    Silence,
    /// The other side refused it.
    Refused(Refusal),
}

/// What the driver has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Dial; answer with `handle_dialled` or `handle_dial_failed`.
    Dial(Target),
    /// The link counts: answer its Hello if we accepted it, and start its control stream.
    Admit(LinkNo),
    /// Say why, where the other side waits for an answer, and close.
    Refuse(LinkNo, Refusal),
    /// Close as a duplicate.
    CloseDuplicate(LinkNo),
    /// Close in order.
    Close(LinkNo),
    /// Find out whether anything still comes over the link; answer with `handle_probed`.
    Probe(LinkNo),
    /// A session stands, over this link.
    PeerUp(PeerId, LinkNo),
    /// Another link carries the session.
    PeerLink(PeerId, LinkNo),
    /// The session is gone.
    PeerDown(PeerId),
    /// Tell this peer of others.
    Tell(PeerId, Vec<(PeerId, SocketAddr)>),
    /// Ask mDNS whether the peer is still there.
    Verify(PeerId),
    /// A user should know.
    Trouble(Trouble),
}

/// What a user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Two machines use one key.
    Cloned {
        /// The key.
        peer: PeerId,
        /// The run that has a session, if the one refused is not ourselves.
        first: Option<(PeerName, SocketAddr)>,
        /// The one refused.
        second: Option<(PeerName, SocketAddr)>,
    },
    /// A peer is heard by mDNS, and none of its addresses answers.
    Unreachable {
        /// Who.
        peer: PeerId,
        /// Its name.
        name: PeerName,
    },
    /// An address the user gave failed for the first time.
    UserAddress {
        /// The address.
        address: SocketAddr,
        /// How.
        failure: DialFailure,
    },
    /// An address the user gave is our own; it is forgotten.
    Ourselves {
        /// The address.
        address: SocketAddr,
    },
    /// A peer refused us.
    Refused {
        /// Who.
        peer: PeerId,
        /// Why.
        why: Refusal,
    },
}

/// What is odd about a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// Heard by mDNS, and does not answer: a firewall there, or clients are isolated.
    Unreachable,
    /// Does not answer at an address that is not from mDNS.
    Silent,
    /// Its key runs on two machines.
    Cloned,
    /// It blocked us.
    BlockedUs,
    /// It speaks another version of the protocol.
    OtherVersion,
}

/// A line of the room's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who; `None` for an address nobody answers at.
    pub peer: Option<PeerId>,
    /// Its name, as far as known.
    pub name: Option<PeerName>,
    /// Its listener.
    pub address: Option<SocketAddr>,
    /// The link that carries its session.
    pub link: Option<LinkNo>,
    /// Links that stand.
    pub links: usize,
    /// The user blocked it.
    pub blocked: bool,
    /// What is odd about it.
    pub note: Option<Note>,
}
