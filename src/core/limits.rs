//! Token buckets for one direction of traffic: one for everybody together and one for each peer,
//! changeable while running. Driven by `runtime/serving` (upload) and `runtime/transfers`
//! (download), one [`Limits`] each. It does not queue or wake anybody: it says when to ask again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use crate::types::{PeerId, Rate};

/// What may go at once after silence, as time at the limit's rate: short enough that a second's
/// average keeps to the limit, long enough that a late wake-up costs no throughput.
const BURST: Duration = Duration::from_millis(100);

/// The least that is taken at a time: a few packets, so that the work for each part stays small.
const PART_MIN: u64 = 64 << 10;

/// Peers with a bucket of their own that are remembered. Buckets of peers without a limit of their
/// own are forgotten when full again, so this is only met by that many peers moving data at once.
const PEERS_MAX: usize = 1_024;

/// The limits of one direction.
///
/// Invariant: a bucket holds at most its burst, and never owes more than what its last `take` cost.
#[derive(Debug)]
pub struct Limits {
    everybody: Option<Bucket>,
    each: Option<Rate>,
    own: BTreeMap<PeerId, Rate>,
    peers: BTreeMap<PeerId, Bucket>,
}

impl Limits {
    /// No limit at all.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { everybody: None, each: None, own: BTreeMap::new(), peers: BTreeMap::new() }
    }

    /// Sets or lifts the limit of one peer, or without one of everybody together.
    pub fn set(&mut self, peer: Option<PeerId>, rate: Option<Rate>, now: Instant) {
        match peer {
            Some(peer) => self.set_peer(peer, rate, now),
            None => self.set_everybody(rate, now),
        }
    }

    /// Sets or lifts the limit of everybody together; below [`Rate::LIMIT_MIN`] it becomes that.
    pub fn set_everybody(&mut self, rate: Option<Rate>, now: Instant) {
        match (rate, &mut self.everybody) {
            (None, bucket) => *bucket = None,
            (Some(rate), Some(bucket)) => bucket.set_rate(rate, now),
            (Some(rate), bucket @ None) => *bucket = Some(Bucket::new(rate, now)),
        }
    }

    /// Sets or lifts the limit that each peer without one of its own has.
    pub fn set_each(&mut self, rate: Option<Rate>, now: Instant) {
        self.each = rate.map(|rate| rate.max(Rate::LIMIT_MIN));
        self.refresh_peers(now);
    }

    /// Sets or lifts the limit of one peer.
    pub fn set_peer(&mut self, peer: PeerId, rate: Option<Rate>, now: Instant) {
        match rate {
            Some(rate) => self.own.insert(peer, rate.max(Rate::LIMIT_MIN)),
            None => self.own.remove(&peer),
        };
        self.refresh_peers(now);
    }

    /// The limit of everybody together.
    #[must_use]
    pub fn everybody(&self) -> Option<Rate> {
        self.everybody.as_ref().map(|bucket| bucket.rate)
    }

    /// The limit that holds for `peer` alone.
    #[must_use]
    pub fn of_peer(&self, peer: &PeerId) -> Option<Rate> {
        self.own.get(peer).copied().or(self.each)
    }

    /// Takes `bytes` for `peer`, or says when to ask again. Nothing is taken when it fails.
    ///
    /// A bucket that is not empty pays for a whole chunk and owes the rest: a chunk larger than the
    /// burst still passes, and the average holds.
    pub fn take(&mut self, peer: PeerId, bytes: u64, now: Instant) -> Result<(), Instant> {
        let own = self.of_peer(&peer);
        if self.peers.len() >= PEERS_MAX {
            self.forget_full(now);
        }
        let everybody = self.everybody.as_ref().and_then(|bucket| bucket.opens_at(now));
        let single = own.and_then(|_| self.peers.get(&peer)).and_then(|bucket| bucket.opens_at(now));
        if let Some(at) = everybody.max(single) {
            return Err(at);
        }
        if let Some(bucket) = &mut self.everybody {
            bucket.pay(bytes, now);
        }
        if let Some(rate) = own {
            self.peers.entry(peer).or_insert_with(|| Bucket::new(rate, now)).pay(bytes, now);
        }
        Ok(())
    }

    /// Takes as much of `bytes` as goes at a time, or says when to ask again: all of it where no limit
    /// holds for `peer`, else a part, so that chunks neither come in gusts nor wait for one another whole.
    pub fn take_part(&mut self, peer: PeerId, bytes: u64, now: Instant) -> Result<u64, Instant> {
        let tightest = self.everybody().into_iter().chain(self.of_peer(&peer)).min();
        let part = tightest.map_or(bytes, |rate| bytes.min(PART_MIN.max((burst(rate) / 8.0) as u64)));
        self.take(peer, part, now).map(|()| part)
    }

    fn refresh_peers(&mut self, now: Instant) {
        let (own, each) = (&self.own, self.each);
        self.peers.retain(|peer, bucket| match own.get(peer).copied().or(each) {
            Some(rate) => {
                bucket.set_rate(rate, now);
                true
            }
            None => false,
        });
    }

    fn forget_full(&mut self, now: Instant) {
        self.peers.retain(|_, bucket| bucket.tokens_at(now) < bucket.burst());
    }
}

#[derive(Debug)]
struct Bucket {
    rate: Rate,
    /// Bytes that may go, as of `at`; negative while a chunk is being paid off.
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn new(rate: Rate, now: Instant) -> Self {
        let rate = rate.max(Rate::LIMIT_MIN);
        Self { rate, tokens: burst(rate), at: now }
    }

    fn burst(&self) -> f64 {
        burst(self.rate)
    }

    fn set_rate(&mut self, rate: Rate, now: Instant) {
        self.tokens = self.tokens_at(now);
        self.at = now;
        self.rate = rate.max(Rate::LIMIT_MIN);
        self.tokens = self.tokens.min(self.burst());
    }

    fn tokens_at(&self, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + passed * self.rate.as_bps() as f64).min(self.burst())
    }

    fn opens_at(&self, now: Instant) -> Option<Instant> {
        let tokens = self.tokens_at(now);
        // Less than a byte short is open: rounding must not make a caller spin.
        (tokens < -1.0).then(|| now + Duration::from_secs_f64(-tokens / self.rate.as_bps() as f64))
    }

    fn pay(&mut self, bytes: u64, now: Instant) {
        self.tokens = self.tokens_at(now) - bytes as f64;
        self.at = now;
    }
}

fn burst(rate: Rate) -> f64 {
    rate.as_bps() as f64 * BURST.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    /// Bytes that `peers` greedy takers of `chunk` bytes get through in `seconds`.
    fn run(limits: &mut Limits, peers: u8, chunk: u64, seconds: u64, start: Instant) -> Vec<u64> {
        let mut got = vec![0; usize::from(peers)];
        let mut now = start;
        while now < start + Duration::from_secs(seconds) {
            let mut next = now + Duration::from_millis(1);
            for number in 0..peers {
                match limits.take(peer(number), chunk, now) {
                    Ok(()) => got[usize::from(number)] += chunk,
                    Err(at) => {
                        assert!(at > now, "asking again at once would spin");
                        next = next.max(now + Duration::from_millis(1));
                    }
                }
            }
            now = next;
        }
        got
    }

    #[test]
    fn averages_keep_to_the_limit() {
        let start = Instant::now();
        for (everybody, each, peers, chunk, expect_total) in [
            (Some(10 * MIB), None, 1, MIB, 100 * MIB),
            (Some(10 * MIB), None, 4, MIB, 100 * MIB),
            (None, Some(2 * MIB), 3, MIB, 60 * MIB),
            (Some(3 * MIB), Some(2 * MIB), 3, 64 * 1024, 30 * MIB),
        ] {
            let mut limits = Limits::unlimited();
            limits.set_everybody(everybody.map(Rate::from_bps), start);
            limits.set_each(each.map(Rate::from_bps), start);
            let total: u64 = run(&mut limits, peers, chunk, 10, start).iter().sum();
            let slack = 2 * MIB * u64::from(peers);
            assert!(total.abs_diff(expect_total) <= slack, "{everybody:?} {each:?}: {total} for {expect_total}");
        }
    }

    /// Bytes that go to each of `peers` in ten seconds from `start`, every one with `takers` chunks of
    /// 1 MiB at a time under way.
    fn ten_seconds(limits: &mut Limits, peers: u8, takers: usize, start: Instant) -> Vec<u64> {
        let mut got = vec![0; usize::from(peers)];
        let mut left = vec![vec![MIB; takers]; usize::from(peers)];
        for millis in 0..10_000 {
            let now = start + Duration::from_millis(millis);
            for number in 0..peers {
                for chunk in &mut left[usize::from(number)] {
                    if let Ok(part) = limits.take_part(peer(number), *chunk, now) {
                        got[usize::from(number)] += part;
                        *chunk = if *chunk == part { MIB } else { *chunk - part };
                    }
                }
            }
        }
        got
    }

    #[test]
    fn in_any_ten_seconds_a_limit_holds_within_five_percent() {
        let close = |got: u64, rate: u64| got.abs_diff(10 * rate) * 20 <= 10 * rate;
        for rate in [MIB, 3 * MIB, 50 * MIB, 1_000 * MIB] {
            let start = Instant::now();
            let mut limits = Limits::unlimited();
            limits.set(None, Some(Rate::from_bps(rate)), start);
            let got: u64 = ten_seconds(&mut limits, 3, 4, start).iter().sum();
            assert!(close(got, rate), "everybody at {rate}: {got}");
            // Four times as much, and another limit for one peer, in the middle.
            let later = start + Duration::from_secs(10);
            limits.set(None, Some(Rate::from_bps(4 * rate)), later);
            limits.set(Some(peer(0)), Some(Rate::from_bps(rate)), later);
            let got = ten_seconds(&mut limits, 3, 4, later);
            assert!(close(got[0], rate), "the slowed one at {rate}: {}", got[0]);
            assert!(close(got.iter().sum(), 4 * rate), "everybody at {}: {got:?}", 4 * rate);
        }
    }

    #[test]
    fn without_a_limit_everything_goes_at_once() {
        let mut limits = Limits::unlimited();
        limits.set(Some(peer(2)), Some(Rate::LIMIT_MIN), Instant::now());
        assert_eq!(limits.take_part(peer(1), 5 * MIB, Instant::now()), Ok(5 * MIB));
    }

    #[test]
    fn limits_change_while_running_and_never_go_below_the_least() {
        let start = Instant::now();
        let mut limits = Limits::unlimited();
        assert_eq!(limits.take(peer(1), u64::MAX / 2, start), Ok(()));
        limits.set_peer(peer(1), Some(Rate::from_bps(1)), start);
        assert_eq!(limits.of_peer(&peer(1)), Some(Rate::LIMIT_MIN));
        assert_eq!(limits.of_peer(&peer(2)), None);
        assert_eq!(limits.take(peer(1), 2 * MIB, start), Ok(()));
        let at = limits.take(peer(1), 1, start).unwrap_err();
        assert!(at > start + Duration::from_millis(1_800) && at < start + Duration::from_secs(2));
        assert_eq!(limits.take(peer(2), 1, start), Ok(()), "another peer's limit is not ours");
        limits.set_peer(peer(1), None, start);
        assert_eq!(limits.take(peer(1), 1, start), Ok(()));
    }

    proptest! {
        #[test]
        fn waiting_as_told_always_succeeds(bytes in 1u64..8 * MIB, rate in 0u64..100 * MIB, takes in 1usize..20) {
            let mut now = Instant::now();
            let mut limits = Limits::unlimited();
            limits.set_everybody(Some(Rate::from_bps(rate)), now);
            limits.set_each(Some(Rate::from_bps(rate / 2)), now);
            for _ in 0..takes {
                if let Err(at) = limits.take(peer(1), bytes, now) {
                    now = at;
                    prop_assert_eq!(limits.take(peer(1), bytes, now), Ok(()));
                }
            }
        }
    }
}
