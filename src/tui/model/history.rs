//! Rates over time, for the graphs. Sampled once a second while anything moves; when all is quiet and
//! the graphs are empty, nothing wakes the screen.

use std::collections::{BTreeMap, VecDeque};

use crate::api::Snapshot;

/// Samples kept: what the longest graph shows.
const SAMPLES_MAX: usize = 180;
/// One sample a second.
const STEP_MS: u64 = 1_000;

/// A rate over time.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    samples: VecDeque<u64>,
}

impl History {
    fn push(&mut self, value: u64) {
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        self.samples.push_back(value);
    }

    fn is_quiet(&self) -> bool {
        self.samples.iter().all(|sample| *sample == 0)
    }

    /// The largest of what is kept.
    pub(crate) fn recent_best(&self) -> u64 {
        self.samples.iter().copied().max().unwrap_or(0)
    }

    /// The last `seconds` as at most `count` averages, oldest first.
    pub(crate) fn last(&self, seconds: usize, count: usize) -> Vec<u64> {
        let from = self.samples.len().saturating_sub(seconds);
        let samples: Vec<u64> = self.samples.iter().skip(from).copied().collect();
        let each = seconds.div_ceil(count.max(1)).max(1);
        // Groups are counted from the newest, so that a bar is whole before it moves left.
        samples.rchunks(each).map(|group| group.iter().sum::<u64>() / group.len() as u64).rev().collect()
    }
}

/// What moved between us and a peer, over time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Between {
    /// From it.
    pub(crate) down: History,
    /// To it.
    pub(crate) up: History,
    best: u64,
}

impl Between {
    fn push(&mut self, down_bps: u64, up_bps: u64) {
        self.down.push(down_bps);
        self.up.push(up_bps);
        self.best = self.best.max(down_bps).max(up_bps);
    }

    /// The best rate one way in this run.
    pub(crate) fn best(&self) -> u64 {
        self.best
    }

    /// The largest of what is kept, one way.
    pub(crate) fn recent_best(&self) -> u64 {
        self.down.recent_best().max(self.up.recent_best())
    }

    /// Both ways together: the last `seconds` as at most `count` averages, oldest first.
    pub(crate) fn last(&self, seconds: usize, count: usize) -> Vec<u64> {
        let ways = (self.down.last(seconds, count), self.up.last(seconds, count));
        ways.0.into_iter().zip(ways.1).map(|(down, up)| down.saturating_add(up)).collect()
    }
}

/// The histories of this machine and of its peers.
#[derive(Debug, Default)]
pub(crate) struct Histories {
    /// Bytes a second in.
    pub(crate) down: History,
    /// Bytes a second out.
    pub(crate) up: History,
    /// By PeerId, those that ever moved anything.
    peers: BTreeMap<String, Between>,
    /// When the last sample was taken, Unix milliseconds.
    sampled_ms: u64,
    moving: bool,
}

impl Histories {
    /// What moved between us and one peer; none where nothing did.
    pub(crate) fn of_peer(&self, id: &str) -> Option<&Between> {
        self.peers.get(id)
    }

    /// Samples what moves, if a second has passed; says whether it did.
    pub(crate) fn sample(&mut self, snapshot: &Snapshot, now_ms: u64) -> bool {
        let totals = &snapshot.totals;
        let moves = totals.down_bps > 0 || totals.up_bps > 0;
        self.moving = moves || !self.down.is_quiet() || !self.up.is_quiet();
        // A clock that was set back starts anew instead of waiting for the old time.
        let passed = now_ms < self.sampled_ms || now_ms >= self.sampled_ms + STEP_MS;
        if !passed || !self.moving {
            return false;
        }
        self.sampled_ms = now_ms;
        self.down.push(totals.down_bps);
        self.up.push(totals.up_bps);
        for peer in snapshot.peers.iter() {
            let between = match self.peers.get_mut(&peer.id) {
                Some(between) => between,
                None if peer.down_bps > 0 || peer.up_bps > 0 => self.peers.entry(peer.id.clone()).or_default(),
                None => continue,
            };
            between.push(peer.down_bps, peer.up_bps);
        }
        if self.peers.len() > snapshot.peers.len() {
            self.peers.retain(|id, _| snapshot.peers.iter().any(|peer| peer.id == *id));
        }
        true
    }

    /// When the next sample is due, Unix milliseconds; `None` while nothing moves.
    pub(crate) fn wake_at_ms(&self) -> Option<u64> {
        self.moving.then_some(self.sampled_ms + STEP_MS)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::api::Totals;

    fn at_rate(down_bps: u64) -> Snapshot {
        Snapshot { totals: Arc::new(Totals { down_bps, ..Totals::default() }), ..Snapshot::default() }
    }

    #[test]
    fn it_sleeps_once_the_graph_is_empty() {
        let mut histories = Histories::default();
        assert!(!histories.sample(&at_rate(0), 0));
        assert_eq!(histories.wake_at_ms(), None);
        assert!(histories.sample(&at_rate(7), 5_000));
        assert!(!histories.sample(&at_rate(7), 5_500));
        assert_eq!(histories.wake_at_ms(), Some(6_000));
        for second in 6..6 + SAMPLES_MAX as u64 {
            assert!(histories.sample(&at_rate(0), second * 1_000));
        }
        histories.sample(&at_rate(0), 999_000);
        assert_eq!(histories.wake_at_ms(), None);
        assert_eq!(histories.down.recent_best(), 0);
    }

    #[test]
    fn groups_are_counted_from_the_newest() {
        let mut history = History::default();
        (1..=7).for_each(|value| history.push(value));
        assert_eq!(history.last(6, 3), [2, 4, 6]);
        assert_eq!(history.last(40, 8), [1, 5]);
        assert_eq!(history.last(3, 3), [5, 6, 7]);
        // Never more than there is room for, so that a graph begins where it says.
        assert_eq!(history.last(7, 4), [1, 2, 4, 6]);
    }

    #[test]
    fn ways_are_kept_apart_and_shown_together() {
        let mut between = Between::default();
        for (down, up) in [(4, 1), (0, 9), (2, 0)] {
            between.push(down, up);
        }
        assert_eq!((between.down.last(3, 3), between.up.last(3, 3)), (vec![4, 0, 2], vec![1, 9, 0]));
        assert_eq!((between.last(3, 3), between.best(), between.recent_best()), (vec![5, 9, 2], 9, 9));
    }
}
