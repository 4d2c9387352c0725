//! When to draw: at once for what the user did, seldom enough for what the runtime did, never when
//! nothing asked for it. Pure: the loop in [`super::screen`] tells it the time.

use std::time::{Duration, Instant};

/// Frames a second: smooth to look at, and little enough to leave the machine to its game.
const FPS_LOCAL: u8 = 15;
/// The same where every frame is a packet to somewhere.
const FPS_SSH: u8 = 5;

/// Merges what asks for a frame into the earliest time one is due.
#[derive(Debug)]
pub(crate) struct FrameScheduler {
    gap: Duration,
    drawn_at: Option<Instant>,
    due_at: Option<Instant>,
}

impl FrameScheduler {
    /// For so many frames a second, or what suits a terminal at the end of an SSH connection or here.
    pub(crate) fn new(fps: Option<u8>, ssh: bool) -> Self {
        let fps = fps.unwrap_or(if ssh { FPS_SSH } else { FPS_LOCAL }).max(1);
        Self { gap: Duration::from_millis(1_000 / u64::from(fps)), drawn_at: None, due_at: None }
    }

    /// The least time between two frames that the runtime asks for.
    pub(crate) fn gap(&self) -> Duration {
        self.gap
    }

    /// The user did something: draw now.
    pub(crate) fn ask_now(&mut self, now: Instant) {
        self.due_at = Some(self.due_at.map_or(now, |due| due.min(now)));
    }

    /// Something changed: draw when the time since the last frame allows.
    pub(crate) fn ask_soon(&mut self, now: Instant) {
        let soon = self.drawn_at.map_or(now, |drawn| (drawn + self.gap).max(now));
        self.due_at = Some(self.due_at.map_or(soon, |due| due.min(soon)));
    }

    /// When the next frame is due, if one is.
    #[must_use]
    pub(crate) fn due_at(&self) -> Option<Instant> {
        self.due_at
    }

    /// Whether one is due now; if so it counts as drawn.
    #[must_use]
    pub(crate) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.due_at.is_some_and(|due| due <= now);
        if due {
            self.due_at = None;
            self.drawn_at = Some(now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    enum Step {
        Now,
        Soon,
    }
    use Step::{Now, Soon};

    /// Asks at the given milliseconds, and names the milliseconds at which frames are drawn.
    fn check(ssh: bool, asks: &[(u64, Step)], expect: &[u64]) {
        let start = Instant::now();
        let mut frames = FrameScheduler::new(None, ssh);
        let mut drawn = Vec::new();
        for ms in 0..2_000 {
            let now = start + Duration::from_millis(ms);
            for (_, step) in asks.iter().filter(|(at, _)| *at == ms) {
                match step {
                    Now => frames.ask_now(now),
                    Soon => frames.ask_soon(now),
                }
            }
            if frames.take_due(now) {
                drawn.push(ms);
            }
        }
        assert_eq!(drawn, expect);
    }

    #[test]
    fn nothing_asked_nothing_drawn() {
        check(false, &[], &[]);
    }

    #[test]
    fn input_is_drawn_at_once_and_changes_wait_for_their_turn() {
        check(false, &[(5, Now), (6, Now), (7, Soon), (9, Soon)], &[5, 6, 72]);
        check(true, &[(5, Soon), (7, Soon), (9, Soon)], &[5, 205]);
        check(true, &[(5, Soon), (7, Soon), (9, Now)], &[5, 9]);
        check(false, &[(5, Soon), (500, Soon)], &[5, 500]);
    }

    #[test]
    fn a_busy_runtime_gets_its_frames_a_second_and_no_more() {
        for (fps, ssh, frames_max) in [(None, false, 31), (None, true, 11), (Some(30), true, 61), (Some(1), false, 3)] {
            let start = Instant::now();
            let mut frames = FrameScheduler::new(fps, ssh);
            let drawn = (0..2_000)
                .filter(|ms| {
                    let now = start + Duration::from_millis(*ms);
                    frames.ask_soon(now);
                    frames.take_due(now)
                })
                .count();
            assert!((frames_max - 3..=frames_max).contains(&drawn), "{fps:?} {drawn}");
        }
    }
}
