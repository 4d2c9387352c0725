//! What a link may cost: windows, streams, time and the number of links.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use s2n_quic::provider::{
    endpoint_limits::{self, ConnectionAttempt, Limiter, Outcome},
    event::events::SocketAddress,
    limits::Limits,
};
use s2n_quic_core::connection::limits::ValidationError;

/// Requests one peer may have open: 32 sources times control, haves and chunks stay far below.
const STREAMS_MAX: u64 = 64;
/// What a peer may have under way to us on one link; at 10 Gbit/s it covers 6 ms.
const LINK_WINDOW_BYTES: u64 = 8 << 20;
/// On streams we opened, that is answers we asked for: four chunks of 1 MiB.
const ANSWER_WINDOW_BYTES: u64 = 4 << 20;
/// On streams the peer opened, that is requests, whose frames have at most 64 KiB.
const REQUEST_WINDOW_BYTES: u64 = 128 << 10;
/// What a stream keeps until it is acknowledged.
const SEND_BUFFER_BYTES: u32 = 2 << 20;
/// With [`KEEP_ALIVE`] a silent peer is gone after at most 4.5 s: the idle timer may be started
/// anew once, by the keep-alive that nobody answers.
const IDLE_TIMEOUT: Duration = Duration::from_millis(3_500);
/// Three may get lost before the link is given up.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// A handshake on a LAN takes milliseconds; this is for the slowest machine in a storm.
const HANDSHAKE_TIME: Duration = Duration::from_secs(4);
/// A LAN's round trip is below a millisecond; the default of 333 ms makes a lost first packet cost a second.
const FIRST_RTT: Duration = Duration::from_millis(20);
/// One acknowledgement for so many packets: measured to make no difference to throughput, and half the packets of the default.
const ACK_INTERVAL: u8 = 10;
/// So many gaps are acknowledged separately; the default of 10 sends again what has arrived when a switch drops in bursts.
const ACK_RANGES: u8 = 64;
/// Packets of one stream in a row before the next one has its turn.
const STREAM_BATCH: u8 = 10;
/// Handshakes under way before a newcomer must prove its address.
const HANDSHAKES_MAX: usize = 64;
/// Attempts one address has at once: a demo of 60 peers on one machine starts in one go.
const KNOCKS_MAX: u32 = 64;
/// Attempts it is given again each second.
const KNOCKS_PER_SECOND: u32 = 8;
/// Addresses whose attempts are remembered; past it, strangers wait until some are forgotten.
const ADDRESSES_MAX: usize = 2_048;

pub(super) fn connection() -> Result<Limits, ValidationError> {
    Limits::new()
        .with_data_window(LINK_WINDOW_BYTES)?
        .with_bidirectional_local_data_window(ANSWER_WINDOW_BYTES)?
        .with_bidirectional_remote_data_window(REQUEST_WINDOW_BYTES)?
        .with_max_open_local_bidirectional_streams(STREAMS_MAX)?
        .with_max_open_remote_bidirectional_streams(STREAMS_MAX)?
        .with_max_open_remote_unidirectional_streams(0)?
        .with_max_send_buffer_size(SEND_BUFFER_BYTES)?
        .with_max_idle_timeout(IDLE_TIMEOUT)?
        .with_max_keep_alive_period(KEEP_ALIVE)?
        .with_max_handshake_duration(HANDSHAKE_TIME)?
        .with_initial_round_trip_time(FIRST_RTT)?
        .with_ack_elicitation_interval(ACK_INTERVAL)?
        .with_max_ack_ranges(ACK_RANGES)?
        .with_stream_batch_size(STREAM_BATCH)
}

/// Who may begin a handshake with us. One machine that knocks too often is turned away before it
/// takes the places of others: a closed connection keeps its place for three timeouts of its path.
#[derive(Debug)]
pub(super) struct Doorman {
    links_max: usize,
    ports: endpoint_limits::Default,
    knocks: BTreeMap<IpAddr, Knocks>,
}

/// A bucket of attempts that fills again with time.
#[derive(Debug, Clone, Copy)]
struct Knocks {
    left: u32,
    filled: Duration,
}

impl Doorman {
    pub(super) fn new(links_max: usize) -> Self {
        Self { links_max, ports: endpoint_limits::Default::default(), knocks: BTreeMap::new() }
    }

    fn admits(&mut self, from: IpAddr, now: Duration) -> bool {
        if self.knocks.len() >= ADDRESSES_MAX {
            // Full buckets say nothing that an absent one does not.
            self.knocks.retain(|_, knocks| knocks.refilled(now).left < KNOCKS_MAX);
        }
        if self.knocks.len() >= ADDRESSES_MAX && !self.knocks.contains_key(&from) {
            return false;
        }
        let knocks = self.knocks.entry(from).or_insert(Knocks { left: KNOCKS_MAX, filled: now });
        *knocks = knocks.refilled(now);
        let admitted = knocks.left > 0;
        knocks.left = knocks.left.saturating_sub(1);
        admitted
    }
}

impl Knocks {
    fn refilled(self, now: Duration) -> Self {
        let seconds = now.saturating_sub(self.filled).as_secs();
        let more = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(KNOCKS_PER_SECOND);
        Self {
            left: self.left.saturating_add(more).min(KNOCKS_MAX),
            filled: self.filled + Duration::from_secs(seconds),
        }
    }
}

impl Limiter for Doorman {
    fn on_connection_attempt(&mut self, attempt: &ConnectionAttempt) -> Outcome {
        let from = match attempt.remote_address {
            SocketAddress::IpV4 { ip, .. } => IpAddr::from(*ip),
            SocketAddress::IpV6 { ip, .. } => IpAddr::from(*ip).to_canonical(),
            // A family of a later version of the library.
            _ => return Outcome::drop(),
        };
        if attempt.connection_count >= self.links_max || !self.admits(from, attempt.timestamp.duration_since_start()) {
            return Outcome::close();
        }
        if attempt.inflight_handshakes >= HANDSHAKES_MAX {
            return Outcome::retry();
        }
        self.ports.on_connection_attempt(attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knocks_too_often_waits_and_others_do_not() {
        let mut doorman = Doorman::new(256);
        let (rude, polite) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let at = Duration::from_secs;
        let admitted = (0..1_000).filter(|_| doorman.admits(rude, at(1))).count();
        assert_eq!(admitted, KNOCKS_MAX as usize);
        assert!(doorman.admits(polite, at(1)));
        assert!(!doorman.admits(rude, at(1)));
        let admitted = (0..1_000).filter(|_| doorman.admits(rude, at(3))).count();
        assert_eq!(admitted, 2 * KNOCKS_PER_SECOND as usize);
    }

    #[test]
    fn what_is_remembered_of_knocks_is_bounded() {
        let mut doorman = Doorman::new(256);
        for number in 0..10_000_u32 {
            doorman.admits(IpAddr::from(number.to_be_bytes()), Duration::from_secs(u64::from(number / 1_000)));
        }
        assert!(doorman.knocks.len() <= ADDRESSES_MAX, "{}", doorman.knocks.len());
    }
}
