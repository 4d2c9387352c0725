//! QUIC links between peers: one endpoint that listens and one that dials, both on the current tokio
//! runtime, with the peer's key as its name. What is said over the links, and with whom there are
//! any, is decided elsewhere.
//!
//! With TLS 1.3 the dialler's handshake is complete before the other side has looked at its key: a
//! link counts only after the hello of `runtime::links`.

mod connection;
mod events;
mod limits;
mod socket;
mod tls;

use std::{error::Error as StdError, io, net::SocketAddr, time::Duration};

use s2n_quic::{Client, Server, connection::Error as ConnectionError};
pub use s2n_quic::{
    application::Error as StreamCode,
    stream::{BidirectionalStream, Error as StreamError, ReceiveStream, SendStream},
};

use self::{connection::canonical, events::Events, socket::Stop};
pub use self::{
    connection::{Connection, LinkError, Stream, Streams},
    events::LinkStats,
    socket::{DEFAULT_PORT, KERNEL_BUFFER_BYTES, Listen},
    tls::ALPN,
};
use crate::{io::identity::Identity, types::PeerId};

/// Closed links tell their peers within this time before the sockets go.
const LINGER: Duration = Duration::from_millis(60);
/// QUIC's code for a TLS alert is this plus the alert (RFC 9001, section 4.8).
const TLS_ALERT: u64 = 0x100;
/// The alert our own verifier raises for a key that was not expected (RFC 8446: access_denied).
const ALERT_ACCESS_DENIED: u64 = 49;
/// QUIC's code of a server that takes no more connections (RFC 9000, section 20.1).
const CONNECTION_REFUSED: u64 = 2;

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The port that was asked for belongs to another program.
    #[error(
        "UDP port {} is in use. Another potluck may hold it; choose another with --listen, or leave --listen away.",
        address.port()
    )]
    PortTaken {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The address is not one of this machine's.
    #[error("{} is no address of this machine. Choose one that is, or leave --listen away.", address.ip())]
    NotOurs {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The machine has no IPv6.
    #[error("cannot listen on {address}: this machine has no IPv6. Use an IPv4 address with --listen.")]
    NoIpv6 {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The default port and those after it are in use.
    #[error("UDP ports {first} to {last} are all in use. Choose another with --listen.")]
    NoFreePort {
        /// The first one tried.
        first: u16,
        /// The last one tried.
        last: u16,
    },
    /// The system refused for another reason.
    #[error("cannot listen on UDP {address}: {source}. Choose another address with --listen.")]
    Socket {
        /// What was asked for.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// The QUIC library did not start.
    #[error("cannot start QUIC on {address}: {reason}")]
    Start {
        /// Where.
        address: SocketAddr,
        /// The library's message.
        reason: String,
    },
}

impl BindError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system's kinds of error are many and grow")]
    fn of(address: SocketAddr, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::PortTaken { address },
            io::ErrorKind::AddrNotAvailable if address.is_ipv6() && address.ip().is_unspecified() => {
                Self::NoIpv6 { address }
            }
            io::ErrorKind::AddrNotAvailable => Self::NotOurs { address },
            io::ErrorKind::Unsupported if address.is_ipv6() => Self::NoIpv6 { address },
            _ if address.is_ipv6() && source.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) => {
                Self::NoIpv6 { address }
            }
            _ => Self::Socket { address, source },
        }
    }

    fn start(address: SocketAddr, error: &dyn StdError) -> Self {
        Self::Start { address, reason: error.to_string() }
    }
}

/// Why a dial brought no link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// Somebody answered, with another key.
    #[error("{address} is not the peer {} any more: it has another key", expected.short())]
    WrongPeer {
        /// Where.
        address: SocketAddr,
        /// Who should have answered.
        expected: PeerId,
    },
    /// Nothing answered.
    #[error("{address} does not answer. Is potluck running there, and does its firewall let UDP in?")]
    Unreachable {
        /// Where.
        address: SocketAddr,
    },
    /// Something else answered.
    #[error("{address} answers, but not as this version of potluck")]
    NotPotluck {
        /// Where.
        address: SocketAddr,
    },
    /// It is potluck, and it takes no more links or does not want ours.
    #[error("{address} refused the link")]
    Refused {
        /// Where.
        address: SocketAddr,
    },
    /// An address nothing can be sent to from here.
    #[error("{address} cannot be dialled from this machine: {reason}")]
    NoRoute {
        /// Where.
        address: SocketAddr,
        /// Why not.
        reason: &'static str,
    },
    /// We are shutting down.
    #[error("the endpoint is closing")]
    Closing,
}

/// The listening half and the dialling half. Not started twice for one identity.
#[derive(Debug)]
pub struct Endpoint {
    dialler: Dialler,
    local: SocketAddr,
    stops: [Stop; 2],
}

/// Dials peers. Clones share one socket.
#[derive(Debug, Clone)]
pub struct Dialler {
    client: Client,
    /// The dialling socket is IPv6, and reaches IPv4 by mapped addresses.
    ipv6: bool,
}

/// Links that peers dialled to us.
#[derive(Debug)]
pub struct Incoming(Server);

impl Endpoint {
    /// Binds both sockets and starts them on the current tokio runtime. At most `links_max` links are taken
    /// from others.
    pub fn bind(identity: &Identity, listen: Listen, links_max: usize) -> Result<(Self, Incoming), BindError> {
        let listener = socket::listen(listen)?;
        let local = listener.local_addr().map_err(|source| BindError::of(listen.wanted(), source))?;
        let outgoing = socket::dialler(local)?;
        let tls = tls::Tls::new(identity).map_err(|error| BindError::start(local, &error))?;
        let limits = limits::connection().map_err(|error| BindError::start(local, &error))?;

        let (io, stop_server) = socket::Stoppable::new(listener);
        let Ok(server) = Server::builder().with_io(io);
        let Ok(server) = server.with_tls(tls.clone());
        let Ok(server) = server.with_limits(limits);
        let Ok(server) = server.with_endpoint_limits(limits::Doorman::new(links_max));
        let Ok(server) = server.with_event(Events);
        let server = server.start().map_err(|error| BindError::start(local, &error))?;

        let (io, stop_client) = socket::Stoppable::new(outgoing);
        let Ok(client) = Client::builder().with_io(io);
        let Ok(client) = client.with_tls(tls);
        let Ok(client) = client.with_limits(limits);
        let Ok(client) = client.with_event(Events);
        let client = client.start().map_err(|error| BindError::start(local, &error))?;

        let dialler = Dialler { client, ipv6: local.is_ipv6() };
        Ok((Self { dialler, local, stops: [stop_server, stop_client] }, Incoming(server)))
    }

    /// Where we listen; the port is the one peers dial.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        canonical(self.local)
    }

    /// A handle that dials.
    #[must_use]
    pub fn dialler(&self) -> Dialler {
        self.dialler.clone()
    }

    /// Dials `address`; see [`Dialler::dial`].
    pub async fn dial(&self, address: SocketAddr, expect: Option<PeerId>) -> Result<(Connection, Streams), DialError> {
        self.dialler.dial(address, expect).await
    }

    /// Lets closed links tell their peers, then releases both sockets. Links still open end here.
    pub async fn close(self) {
        tokio::time::sleep(LINGER).await;
        for stop in &self.stops {
            stop.stop().await;
        }
    }
}

impl Dialler {
    /// Dials a peer's listener. With `expect`, only that peer's key is accepted. The link is not to
    /// be relied on before the peer has answered a hello.
    pub async fn dial(&self, address: SocketAddr, expect: Option<PeerId>) -> Result<(Connection, Streams), DialError> {
        let target = self.target(address)?;
        let connection = self
            .client
            .connect(tls::connect_to(target, expect))
            .await
            .map_err(|error| DialError::of(address, expect, &error))?;
        Connection::new(connection).ok_or(DialError::Refused { address })
    }

    /// What the dialling socket calls `address`.
    fn target(&self, address: SocketAddr) -> Result<SocketAddr, DialError> {
        let address = canonical(address);
        let no_route = |reason| Err(DialError::NoRoute { address, reason });
        if address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast() {
            return no_route("it names no single listener");
        }
        match address {
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => {
                no_route("the QUIC library cannot name the interface of a link-local IPv6 address")
            }
            SocketAddr::V6(_) if !self.ipv6 => no_route("this potluck listens on IPv4 only"),
            SocketAddr::V4(v4) if self.ipv6 => Ok(SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())),
            SocketAddr::V4(_) | SocketAddr::V6(_) => Ok(address),
        }
    }
}

impl Incoming {
    /// The next link a peer has dialled to us and proven its key on; `None` when the endpoint is gone.
    pub async fn accept(&mut self) -> Option<(Connection, Streams)> {
        loop {
            let connection = self.0.accept().await?;
            // A link may end before anybody looks at it.
            if let Some(accepted) = Connection::new(connection) {
                return Some(accepted);
            }
        }
    }
}

impl DialError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's kinds of error are many and grow")]
    fn of(address: SocketAddr, expect: Option<PeerId>, error: &ConnectionError) -> Self {
        match *error {
            ConnectionError::Transport { code, initiator, .. } => match (code.as_u64(), initiator.is_local(), expect) {
                (code, true, Some(expected)) if code == TLS_ALERT + ALERT_ACCESS_DENIED => {
                    Self::WrongPeer { address, expected }
                }
                (CONNECTION_REFUSED, false, _) => Self::Refused { address },
                _ => Self::NotPotluck { address },
            },
            ConnectionError::Application { .. } | ConnectionError::Closed { .. } => Self::Refused { address },
            ConnectionError::EndpointClosing { .. } => Self::Closing,
            ConnectionError::IdleTimerExpired { .. } | ConnectionError::MaxHandshakeDurationExceeded { .. } => {
                Self::Unreachable { address }
            }
            // The library may add ways to fail; to the user they are all silence.
            _ => Self::Unreachable { address },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use bytes::Bytes;

    use super::*;

    const LINKS_MAX: usize = 256;

    struct Seat {
        identity: Identity,
        endpoint: Endpoint,
        incoming: Incoming,
    }

    fn seat(listen: &str) -> Seat {
        let identity = Identity::ephemeral();
        let listen = Listen::At(listen.parse().expect("an address"));
        let (endpoint, incoming) = Endpoint::bind(&identity, listen, LINKS_MAX).expect("bound");
        Seat { identity, endpoint, incoming }
    }

    /// Both sides know each other, and bytes go both ways.
    async fn check_link(listen: &str, dial: impl Fn(SocketAddr) -> SocketAddr, expecting: bool) {
        let (guest, mut host) = (seat(listen), seat(listen));
        let address = dial(host.endpoint.local_addr());
        let expect = expecting.then(|| host.identity.peer_id());
        let dialled = guest.endpoint.dial(address, expect).await.expect("dialled");
        let accepted = host.incoming.accept().await.expect("accepted");
        assert_eq!(dialled.0.peer(), host.identity.peer_id());
        assert_eq!(accepted.0.peer(), guest.identity.peer_id());
        assert_eq!(dialled.0.remote_addr(), address);

        let (mut answer, mut request) = dialled.0.open().await.expect("opened");
        request.send(Bytes::from_static(b"ping")).await.expect("sent");
        let (_connection, mut streams) = accepted;
        let mut stream = streams.accept().await.expect("alive").expect("a stream");
        assert_eq!(stream.receive().await.expect("received").as_deref(), Some(&b"ping"[..]));
        stream.send(Bytes::from_static(b"pong")).await.expect("sent");
        assert_eq!(answer.receive().await.expect("received").as_deref(), Some(&b"pong"[..]));
        let stats = dialled.0.stats();
        assert!(stats.bytes_in > 1_200 && stats.bytes_out > 1_200 && stats.mtu >= 1_200, "{stats:?}");
    }

    #[tokio::test]
    async fn both_sides_learn_whose_key_it_is() {
        check_link("127.0.0.1:0", |address| address, true).await;
        check_link("127.0.0.1:0", |address| address, false).await;
    }

    #[tokio::test]
    async fn a_dual_stack_endpoint_is_reached_over_both_families() {
        if UdpSocket::bind("[::1]:0").is_err() {
            return;
        }
        check_link("[::]:0", |address| SocketAddr::from(([127, 0, 0, 1], address.port())), true).await;
        check_link("[::]:0", |address| format!("[::1]:{}", address.port()).parse().expect("valid"), true).await;
    }

    #[tokio::test]
    async fn another_key_than_expected_is_a_typed_error() {
        let (guest, host) = (seat("127.0.0.1:0"), seat("127.0.0.1:0"));
        let expected = Identity::ephemeral().peer_id();
        let address = host.endpoint.local_addr();
        let error = guest.endpoint.dial(address, Some(expected)).await.expect_err("refused");
        assert_eq!(error, DialError::WrongPeer { address, expected });
    }

    #[tokio::test]
    async fn addresses_of_nobody_are_refused_before_a_packet_is_sent() {
        let guest = seat("127.0.0.1:0");
        for text in ["0.0.0.0:47800", "10.0.0.1:0", "224.0.0.251:5353", "[fe80::1]:47800", "[fd00::1]:47800"] {
            let address = text.parse().expect("an address");
            let error = guest.endpoint.dial(address, None).await.expect_err("refused");
            assert!(matches!(error, DialError::NoRoute { .. }), "{text}: {error:?}");
        }
    }

    #[tokio::test]
    async fn another_protocol_and_a_missing_key_are_refused() {
        let mut host = seat("127.0.0.1:0");
        let address = host.endpoint.local_addr();
        for (protocol, with_key) in [(&b"h3"[..], true), (ALPN, false)] {
            let mut tls = tls::Tls::new(&Identity::ephemeral()).expect("tls");
            tls.edit_client(|client| {
                client.alpn_protocols = vec![protocol.to_vec()];
                if !with_key {
                    client.client_auth_cert_resolver = std::sync::Arc::new(NoKey);
                }
            });
            let Ok(client) = Client::builder().with_io("127.0.0.1:0").expect("a socket").with_tls(tls);
            // The library says nothing to a client whose very first flight it cannot use.
            let patience =
                s2n_quic::provider::limits::Limits::new().with_max_handshake_duration(Duration::from_secs(1));
            let Ok(client) = client.with_limits(patience.expect("valid"));
            let client = client.start().expect("started");
            if let Ok(mut connection) = client.connect(tls::connect_to(address, None)).await {
                // TLS 1.3: the dialler hears of its refusal only afterwards.
                assert!(connection.accept().await.is_err(), "{protocol:?} {with_key}");
            }
            assert!(futures::poll!(Box::pin(host.incoming.accept())).is_pending());
        }
    }

    #[derive(Debug)]
    struct NoKey;

    impl rustls::client::ResolvesClientCert for NoKey {
        fn resolve(
            &self,
            _root_hint_subjects: &[&[u8]],
            _sigschemes: &[rustls::SignatureScheme],
        ) -> Option<std::sync::Arc<rustls::sign::CertifiedKey>> {
            None
        }

        fn only_raw_public_keys(&self) -> bool {
            true
        }

        fn has_certs(&self) -> bool {
            true
        }
    }

    #[tokio::test]
    async fn a_port_in_use_says_so_and_the_default_one_moves_on() {
        let taken = seat("127.0.0.1:0").endpoint.local_addr();
        let listen = Listen::At(taken);
        let error = Endpoint::bind(&Identity::ephemeral(), listen, LINKS_MAX).expect_err("taken");
        assert!(matches!(error, BindError::PortTaken { address } if address == taken), "{error:?}");
        assert!(error.to_string().contains(&taken.port().to_string()), "{error}");

        let first = Endpoint::bind(&Identity::ephemeral(), Listen::Anywhere, LINKS_MAX).expect("bound");
        let second = Endpoint::bind(&Identity::ephemeral(), Listen::Anywhere, LINKS_MAX).expect("bound");
        assert!(second.0.local_addr().port() > first.0.local_addr().port());

        let foreign = Listen::At("192.0.2.1:0".parse().expect("an address"));
        let error = Endpoint::bind(&Identity::ephemeral(), foreign, LINKS_MAX).expect_err("not ours");
        assert!(matches!(error, BindError::NotOurs { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn closing_releases_the_port_also_of_an_idle_endpoint() {
        let Seat { endpoint, incoming, .. } = seat("127.0.0.1:0");
        let address = endpoint.local_addr();
        drop(incoming);
        endpoint.close().await;
        // The tasks at the socket end a few polls after the loop that feeds them.
        for _ in 0..1_000 {
            if UdpSocket::bind(address).is_ok() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{address} is still in use");
    }

    #[tokio::test]
    async fn a_closed_link_says_its_code() {
        let (guest, mut host) = (seat("127.0.0.1:0"), seat("127.0.0.1:0"));
        let (dialled, _streams) = guest.endpoint.dial(host.endpoint.local_addr(), None).await.expect("dialled");
        let (_accepted, mut streams) = host.incoming.accept().await.expect("accepted");
        dialled.close(7);
        let error = streams.accept().await.expect_err("closed");
        assert_eq!((error.code(), error.is_silence()), (Some(7), false));
    }
}
