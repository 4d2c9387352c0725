//! What a link may cost: windows, streams, time and the number of links.

use std::time::Duration;

use s2n_quic::provider::{
    endpoint_limits::{self, ConnectionAttempt, Limiter, Outcome},
    limits::Limits,
};
use s2n_quic_core::connection::limits::ValidationError;

/// The design's budget for links; a room of 200 seats fits.
pub const LINKS_MAX: usize = 256;
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

/// Who may begin a handshake with us.
#[derive(Debug)]
pub(super) struct Doorman {
    ports: endpoint_limits::Default,
}

impl Doorman {
    pub(super) fn new() -> Self {
        Self { ports: endpoint_limits::Default::default() }
    }
}

impl Limiter for Doorman {
    fn on_connection_attempt(&mut self, attempt: &ConnectionAttempt) -> Outcome {
        if attempt.connection_count >= LINKS_MAX {
            return Outcome::close();
        }
        if attempt.inflight_handshakes >= HANDSHAKES_MAX {
            return Outcome::retry();
        }
        self.ports.on_connection_attempt(attempt)
    }
}
