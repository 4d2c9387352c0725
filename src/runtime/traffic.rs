//! Counts bytes to or from each peer and how fast they go, for the faces. One meter a direction, added
//! to by the tasks that move bytes and read by the actor that shows it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{counters::Counter, view::Traffic};
use crate::types::PeerId;

/// How often rates are worked out.
pub(crate) const TICK: Duration = Duration::from_millis(500);

/// Peers remembered; those without traffic go when there are more. A whole party fits many times.
const PEERS_MAX: usize = 2_048;

/// The bytes of each peer in one direction. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Meter {
    peers: Arc<Mutex<BTreeMap<PeerId, Count>>>,
    /// Also of those that are forgotten.
    all: Counter,
}

#[derive(Debug, Default)]
struct Count {
    bytes: u64,
    at_tick: u64,
    bps: f64,
}

impl Meter {
    /// Adds to `all`, too.
    pub(crate) fn adding_to(all: &Counter) -> Self {
        Self { all: all.clone(), ..Self::default() }
    }

    /// Bytes went.
    pub(crate) fn add(&self, peer: PeerId, bytes: u64) {
        self.all.add(bytes);
        self.lock().entry(peer).or_default().bytes += bytes;
    }

    /// The rates after `passed` since the last tick; `None` when nothing moved since then.
    pub(crate) fn tick(&self, passed: Duration) -> Option<Arc<BTreeMap<PeerId, Traffic>>> {
        let mut counts = self.lock();
        let seconds = passed.as_secs_f64().max(1e-3);
        let mut moved = false;
        for count in counts.values_mut() {
            let rate = (count.bytes - count.at_tick) as f64 / seconds;
            moved |= rate > 0.0 || count.bps > 0.0;
            count.at_tick = count.bytes;
            count.bps = if rate == 0.0 && count.bps < 1_024.0 { 0.0 } else { 0.5 * (count.bps + rate) };
        }
        if counts.len() > PEERS_MAX {
            counts.retain(|_, count| count.bps > 0.0);
        }
        let shown =
            || counts.iter().map(|(peer, count)| (*peer, Traffic { bps: count.bps as u64, bytes: count.bytes }));
        moved.then(|| Arc::new(shown().collect()))
    }

    /// Sums between which a panic could fall are not kept here, so a poisoned lock is usable.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, Count>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_fall_and_end() {
        let (meter, peer) = (Meter::default(), PeerId::from_bytes([1; 32]));
        assert!(meter.tick(TICK).is_none());
        meter.add(peer, 1_000_000);
        let traffic = meter.tick(TICK).unwrap()[&peer];
        assert_eq!(traffic, Traffic { bps: 1_000_000, bytes: 1_000_000 });
        let mut ticks = 0;
        while let Some(shown) = meter.tick(TICK) {
            assert!(shown[&peer].bps < 1_000_000);
            ticks += 1;
        }
        assert!((5..20).contains(&ticks), "{ticks}");
    }
}
