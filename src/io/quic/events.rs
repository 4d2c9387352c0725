//! What the QUIC library tells about a connection while it runs: whose it is, and its figures. The
//! library calls in here from inside its event loop, so nothing here waits or allocates per packet.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use s2n_quic::provider::event::{ConnectionInfo, ConnectionMeta, Subscriber, events};

use crate::{io::identity::peer_of_spki, types::PeerId};

/// A link's figures at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkStats {
    /// Smoothed round-trip time; zero before the first measurement.
    pub rtt: Duration,
    /// The smallest round-trip time seen; zero before the first measurement.
    pub rtt_min: Duration,
    /// Bytes of UDP payload received.
    pub bytes_in: u64,
    /// Bytes of UDP payload sent.
    pub bytes_out: u64,
    /// Bytes sent that were lost, probes for larger packets not counted.
    pub bytes_lost: u64,
    /// Packets sent that were lost, probes for larger packets not counted.
    pub packets_lost: u64,
    /// The congestion window in bytes.
    pub window_bytes: u64,
    /// The largest UDP payload the path carries, in bytes.
    pub mtu: u64,
}

/// The same figures where the event loop writes them.
#[derive(Debug, Default)]
pub(super) struct Counters {
    rtt_us: AtomicU64,
    rtt_min_us: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    bytes_lost: AtomicU64,
    packets_lost: AtomicU64,
    window_bytes: AtomicU64,
    mtu: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> LinkStats {
        LinkStats {
            rtt: Duration::from_micros(self.rtt_us.load(Relaxed)),
            rtt_min: Duration::from_micros(self.rtt_min_us.load(Relaxed)),
            bytes_in: self.bytes_in.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            bytes_lost: self.bytes_lost.load(Relaxed),
            packets_lost: self.packets_lost.load(Relaxed),
            window_bytes: self.window_bytes.load(Relaxed),
            mtu: self.mtu.load(Relaxed),
        }
    }
}

/// What is kept with each connection.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    pub(super) counters: Arc<Counters>,
    /// Set when the handshake is complete, before the connection is handed out.
    pub(super) peer: Option<PeerId>,
}

/// Listens to one endpoint.
#[derive(Debug)]
pub(super) struct Events;

impl Subscriber for Events {
    type ConnectionContext = Context;

    fn create_connection_context(&mut self, _meta: &ConnectionMeta, _info: &ConnectionInfo) -> Context {
        Context::default()
    }

    fn on_tls_exporter_ready(
        &mut self,
        context: &mut Context,
        _meta: &ConnectionMeta,
        event: &events::TlsExporterReady,
    ) {
        context.peer = match event.session.peer_cert_chain_der().as_deref() {
            Ok([spki]) => peer_of_spki(spki),
            Ok(_) | Err(_) => None,
        };
    }

    fn on_recovery_metrics(&mut self, context: &mut Context, _meta: &ConnectionMeta, event: &events::RecoveryMetrics) {
        let counters = &context.counters;
        counters.rtt_us.store(as_us(event.smoothed_rtt), Relaxed);
        counters.rtt_min_us.store(as_us(event.min_rtt), Relaxed);
        counters.window_bytes.store(event.congestion_window.into(), Relaxed);
    }

    fn on_datagram_sent(&mut self, context: &mut Context, _meta: &ConnectionMeta, event: &events::DatagramSent) {
        context.counters.bytes_out.fetch_add(event.len.into(), Relaxed);
    }

    fn on_datagram_received(
        &mut self,
        context: &mut Context,
        _meta: &ConnectionMeta,
        event: &events::DatagramReceived,
    ) {
        context.counters.bytes_in.fetch_add(event.len.into(), Relaxed);
    }

    fn on_packet_lost(&mut self, context: &mut Context, _meta: &ConnectionMeta, event: &events::PacketLost) {
        if !event.is_mtu_probe {
            context.counters.bytes_lost.fetch_add(event.bytes_lost.into(), Relaxed);
            context.counters.packets_lost.fetch_add(1, Relaxed);
        }
    }

    fn on_mtu_updated(&mut self, context: &mut Context, _meta: &ConnectionMeta, event: &events::MtuUpdated) {
        context.counters.mtu.store(event.mtu.into(), Relaxed);
    }
}

fn as_us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
