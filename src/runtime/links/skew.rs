//! A peer's clock beside ours. What it said in Hello is tied to an instant of our own monotonic time,
//! so that setting our clock right shows at once. Nothing is decided by it: people are told.

use std::time::{Duration, Instant};

use crate::api::ClockView;

/// What is shown follows only larger steps: two clocks drift by less in a night, and a screen that shows every
/// millisecond would never rest.
const STEP_MS: u64 = 100;

/// What a peer's clock said.
#[derive(Debug, Clone, Copy)]
pub(super) struct PeerClock {
    said_ms: u64,
    /// When it said so.
    at: Instant,
    /// How much earlier or later that may have been.
    unsure: Duration,
}

impl PeerClock {
    /// It was read off between these two, which lie a round trip apart.
    pub(super) fn between(said_ms: u64, earliest: Instant, latest: Instant) -> Self {
        let unsure = latest.saturating_duration_since(earliest) / 2;
        Self { said_ms, at: earliest + unsure, unsure }
    }

    /// How far it is ahead of ours, which says `unix_ms` at `now`; `shown` if that has hardly changed.
    pub(super) fn view(&self, shown: Option<ClockView>, now: Instant, unix_ms: u64) -> ClockView {
        let since = i128::try_from(now.saturating_duration_since(self.at).as_millis()).unwrap_or(i128::MAX);
        let ahead = i128::from(self.said_ms).saturating_add(since) - i128::from(unix_ms);
        // A peer may say any number.
        let ahead_ms = i64::try_from(ahead.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or_default();
        let unsure_ms = u64::try_from(self.unsure.as_micros().div_ceil(1_000)).unwrap_or(u64::MAX);
        let fresh = ClockView { ahead_ms, unsure_ms };
        shown.filter(|shown| shown.ahead_ms.abs_diff(ahead_ms) <= STEP_MS).unwrap_or(fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;

    #[test]
    fn half_the_round_trip_is_what_is_not_known() {
        let asked = Instant::now();
        let answered = asked + Duration::from_millis(40);
        let clock = PeerClock::between(HOUR_MS, asked, answered);
        let view = clock.view(None, answered, HOUR_MS + 20 - 5_000);
        assert_eq!(view, ClockView { ahead_ms: 5_000, unsure_ms: 20 });
        // Whoever sets our clock right sees it at once; whoever waits sees the same as before.
        let later = answered + Duration::from_secs(600);
        assert_eq!(clock.view(Some(view), later, HOUR_MS + 20 + 600_000 - 5_000 + 99), view);
        assert_eq!(clock.view(Some(view), later, HOUR_MS + 20 + 600_000).ahead_ms, 0);
    }

    #[test]
    fn a_clock_may_say_anything() {
        let now = Instant::now();
        for (said_ms, unix_ms, ahead_ms) in [(u64::MAX, 0, i64::MAX), (0, u64::MAX, i64::MIN), (0, HOUR_MS, -3_600_000)]
        {
            assert_eq!(PeerClock::between(said_ms, now, now).view(None, now, unix_ms).ahead_ms, ahead_ms);
        }
    }
}
