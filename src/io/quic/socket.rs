//! The UDP sockets under an endpoint, and an I/O provider that can be stopped: the library's own
//! throws the handle of its event loop away, and an idle endpoint then keeps its port until some
//! packet happens to wake it.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use s2n_quic::provider::io as provider;
use s2n_quic_core::{endpoint::Endpoint, inet::SocketAddress};
use tokio::task::JoinHandle;

use super::BindError;

/// Where a peer is looked for when nobody said otherwise.
pub const DEFAULT_PORT: u16 = 47_800;
/// So many further ports are tried: more runtimes on one machine are a test, and tests name theirs.
const PORTS_TRIED: u16 = 16;
/// The largest packet the protocol sends; past it the library was seen to crash.
const MTU_MAX: u16 = 9_000;
/// What Ethernet carries: anything smaller is found out by loss, anything larger by probing.
const MTU_FIRST: u16 = 1_500;
/// Asked of the kernel, which may give less.
pub const KERNEL_BUFFER_BYTES: usize = 4 << 20;
/// Ring of packets under way to the kernel: 32 batches.
const SEND_RING_BYTES: usize = 2 << 20;

/// Where to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// On all addresses, at the default port or the next free one.
    Anywhere,
    /// Exactly here; port 0 takes any free one.
    At(SocketAddr),
}

impl Listen {
    /// The address a complaint names.
    pub(super) fn wanted(self) -> SocketAddr {
        match self {
            Self::Anywhere => SocketAddr::from((Ipv4Addr::UNSPECIFIED, DEFAULT_PORT)),
            Self::At(address) => address,
        }
    }
}

/// The socket to listen on.
pub(super) fn listen(listen: Listen) -> Result<UdpSocket, BindError> {
    match listen {
        Listen::At(address) => open(address).map_err(|source| BindError::of(address, source)),
        Listen::Anywhere => {
            let any = any_address();
            for port in DEFAULT_PORT..DEFAULT_PORT + PORTS_TRIED {
                let address = SocketAddr::new(any, port);
                match open(address) {
                    Ok(socket) => return Ok(socket),
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                    Err(source) => return Err(BindError::of(address, source)),
                }
            }
            Err(BindError::NoFreePort { first: DEFAULT_PORT, last: DEFAULT_PORT + PORTS_TRIED - 1 })
        }
    }
}

/// A socket to dial from, of the same address family and address as the listener's.
pub(super) fn dialler(listener: SocketAddr) -> Result<UdpSocket, BindError> {
    let address = SocketAddr::new(listener.ip(), 0);
    open(address).map_err(|source| BindError::of(address, source))
}

/// All IPv6 and IPv4 addresses, or all IPv4 ones on a machine without IPv6.
fn any_address() -> IpAddr {
    match open(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        Err(_) => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let family = if address.is_ipv6() { AddressFamily::INET6 } else { AddressFamily::INET };
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    rustix::net::bind(&socket, &address)?;
    Ok(UdpSocket::from(socket))
}

/// Runs an endpoint's socket on the current tokio runtime, and remembers how to stop it.
#[derive(Debug)]
pub(super) struct Stoppable {
    socket: UdpSocket,
    stop: Stop,
}

/// Stops the event loop of an endpoint; its socket is released when the loop is gone.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<Mutex<Option<JoinHandle<()>>>>);

impl Stop {
    /// Ends the event loop wherever it is, and returns when it has let go of its socket.
    pub(super) async fn stop(&self) {
        let event_loop = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(event_loop) = event_loop {
            event_loop.abort();
            // Cancelled is what we asked for; a panic inside the library was logged by the hook.
            let _ = event_loop.await;
        }
    }
}

impl Stoppable {
    pub(super) fn new(socket: UdpSocket) -> (Self, Stop) {
        let stop = Stop::default();
        (Self { socket, stop: stop.clone() }, stop)
    }
}

impl provider::Provider for Stoppable {
    type PathHandle = <provider::Default as provider::Provider>::PathHandle;
    type Error = io::Error;

    fn start<E: Endpoint<PathHandle = Self::PathHandle>>(self, endpoint: E) -> io::Result<SocketAddress> {
        let inner = provider::tokio::Builder::default()
            .with_rx_socket(self.socket)?
            .with_max_mtu(MTU_MAX)?
            .with_initial_mtu(MTU_FIRST)?
            .with_recv_buffer_size(KERNEL_BUFFER_BYTES)?
            .with_send_buffer_size(KERNEL_BUFFER_BYTES)?
            .with_internal_send_buffer_size(SEND_RING_BYTES)?
            .build()?;
        let (event_loop, address) = inner.start(endpoint)?;
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(event_loop);
        Ok(address)
    }
}
