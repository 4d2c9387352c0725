//! Deciding whom to follow and whom to ask next: run after every input, over those sources only for
//! which something may have changed.

use std::time::Instant;

use super::{
    ACTIVE_MAX, DEADLINE_FACTOR, DEADLINE_MIN, Download, OVERLAP_AFTER, Output, ROTATE_AFTER, Request, RequestNo,
    SUBSCRIPTIONS_MAX, SUBSCRIPTIONS_OF_KIND, State, TICK, Timer, Wait,
    picker::{Pick, Room},
    sources::{Map, REQUESTS_PER_SOURCE_MAX, Source, SourceNo},
};
use crate::types::{ChunkNo, ChunkRanges};

impl Download {
    /// Brings requests, subscriptions, the tick and the state up to date.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.is_stopped() {
            self.look_at.clear();
            self.starved.clear();
            self.queued.clear();
            self.tick_at = None;
        } else {
            if std::mem::take(&mut self.follow_again) {
                self.subscribe(now);
            }
            self.feed_all(now);
            self.tick_at = Some(self.tick_at.unwrap_or(now + TICK));
        }
        let state = self.current_state();
        if state != self.state {
            self.state = state;
            self.outputs.push_back(Output::StateChanged(state));
        }
        self.assert_invariants();
    }

    pub(super) fn look_at_all(&mut self) {
        self.look_at.extend(self.sources.iter().map(|(no, _)| no));
    }

    fn current_state(&self) -> State {
        if self.pieces.is_done() {
            return State::Done;
        }
        if self.paused {
            return State::Paused;
        }
        if self.disk_full {
            return State::Waiting(Wait::DiskFull);
        }
        if !self.requests.is_empty() || !self.pieces.in_flight().is_empty() {
            return State::Getting;
        }
        if self.sources.is_empty() {
            return State::Waiting(Wait::NoSource);
        }
        let told = |source: &Source| !matches!(source.map, Map::Unknown);
        if self.sources.iter().any(|(_, source)| source.subscribed && !told(source) && source.away_until.is_none()) {
            return State::Getting;
        }
        let somewhere = self.picker.only_on_complete() < self.pieces.wanted().len() || self.sources.complete() > 0;
        if !somewhere && self.sources.iter().any(|(_, source)| told(source)) {
            return State::Waiting(Wait::NobodyHasTheRest);
        }
        State::Waiting(Wait::SourcesAway)
    }

    /// Follows more have-maps, partial sources first, as far as there are places.
    fn subscribe(&mut self, now: Instant) {
        loop {
            let (mut of_kind, mut best) = ([0usize; 2], [None::<(u32, u64, SourceNo)>; 2]);
            for (no, source) in self.sources.iter() {
                let kind = usize::from(source.complete_hint);
                if source.subscribed {
                    of_kind[kind] += 1;
                } else if source.away_until.is_none() {
                    let candidate = (source.tries, source.rank, no);
                    best[kind] = Some(best[kind].map_or(candidate, |known| known.min(candidate)));
                }
            }
            self.unsubscribed = best != [None, None];
            let full = of_kind[0] + of_kind[1] >= SUBSCRIPTIONS_MAX;
            let crowded = |kind: usize| of_kind[kind] >= SUBSCRIPTIONS_OF_KIND;
            let chosen = match best {
                [Some(partial), _] if !crowded(0) => Some((0, partial)),
                [_, Some(complete)] if !crowded(1) => Some((1, complete)),
                [Some(partial), _] if !full => Some((0, partial)),
                [_, Some(complete)] if !full => Some((1, complete)),
                [Some(partial), _] if full && self.replace_worse(0, partial, now) => continue,
                [_, _] => None,
            };
            let Some((kind, (_, _, no))) = chosen else { return };
            if full {
                // The other kind has more than its half: one of it that is not busy goes.
                let other = kind == 0;
                let idle = self.sources.iter().filter(|(_, source)| {
                    source.subscribed && source.complete_hint == other && source.requests.is_empty()
                });
                let Some(victim) = idle.map(|(no, _)| no).last() else { return };
                self.unsubscribe(victim);
                self.set_map(victim, Map::Unknown, now);
            }
            if let Some(source) = self.sources.get_mut(no) {
                source.subscribed = true;
                source.tries += 1;
                source.idle_since = now;
                self.outputs.push_back(Output::Subscribe { peer: source.peer });
            }
        }
    }

    /// Everybody meets the others in about the same order: whoever comes later would be followed by nobody.
    /// One that is not asked for anything makes room for one of a better rank.
    fn replace_worse(&mut self, kind: usize, by: (u32, u64, SourceNo), now: Instant) -> bool {
        let worse = self.sources.iter().filter(|(_, source)| {
            source.subscribed
                && usize::from(source.complete_hint) == kind
                && source.requests.is_empty()
                && source.tries > by.0
        });
        let worst = worse.map(|(no, source)| (source.rank, no)).max();
        let Some((_, no)) = worst.filter(|(rank, _)| *rank > by.1) else { return false };
        self.unsubscribe(no);
        self.set_map(no, Map::Unknown, now);
        true
    }

    /// A followed source that gives nothing makes room for one that waits.
    pub(super) fn rotate(&mut self, now: Instant) {
        if !self.unsubscribed || self.sources.subscribed() < SUBSCRIPTIONS_MAX {
            return;
        }
        let useless = self.sources.iter().find(|(_, source)| {
            source.subscribed
                && source.requests.is_empty()
                && now.saturating_duration_since(source.idle_since) >= ROTATE_AFTER
        });
        if let Some(no) = useless.map(|(no, _)| no) {
            self.unsubscribe(no);
            self.set_map(no, Map::Unknown, now);
        }
    }

    pub(super) fn unsubscribe(&mut self, no: SourceNo) {
        if let Some(source) = self.sources.get_mut(no)
            && source.subscribed
        {
            source.subscribed = false;
            self.follow_again = true;
            self.outputs.push_back(Output::Unsubscribe { peer: source.peer });
        }
    }

    pub(super) fn unsubscribe_all(&mut self, now: Instant) {
        for no in self.sources.iter().map(|(no, _)| no).collect::<Vec<_>>() {
            self.unsubscribe(no);
            self.set_map(no, Map::Unknown, now);
        }
    }

    /// Fills the windows of all sources that may have room: the sole seeder first, then those with the
    /// shortest lines, of equals in an order that is another one for each getter.
    fn feed_all(&mut self, now: Instant) {
        let mut order: Vec<(bool, u32, u64, SourceNo)> = std::mem::take(&mut self.look_at)
            .into_iter()
            .filter_map(|no| self.sources.get(no).filter(|source| source.is_askable()).map(|source| (no, source)))
            .map(|(no, source)| (!self.is_sole(source), source.wait_class(), source.rank, no))
            .collect();
        order.sort_unstable();
        for (_, _, _, no) in order {
            self.feed(no, now);
        }
    }

    /// Its port is what everybody waits for.
    fn is_sole(&self, source: &Source) -> bool {
        matches!(source.map, Map::Complete) && self.sources.complete() == 1
    }

    fn feed(&mut self, no: SourceNo, now: Instant) {
        self.starved.remove(&no);
        self.queued.remove(&no);
        loop {
            let Some(source) = self.sources.get(no) else { return };
            let piece_bytes = source.piece_bytes();
            let asked = source.requests.len();
            let window_full = asked >= 2 && source.outstanding + piece_bytes > source.window_bytes();
            if window_full || asked >= REQUESTS_PER_SOURCE_MAX || source.unanswered >= source.unanswered_max() {
                return;
            }
            let no_budget = self.outstanding > 0 && self.outstanding + piece_bytes > self.in_flight_max;
            if no_budget || (asked == 0 && self.active >= ACTIVE_MAX) {
                self.queued.insert(no);
                return;
            }
            let idle_long = now.saturating_duration_since(source.idle_since) >= OVERLAP_AFTER;
            let room = Room {
                sharing: self.sources.told().min(ACTIVE_MAX),
                sole: self.is_sole(source),
                piece_bytes,
                not: (source.far && !idle_long).then(|| self.near.left_to_near()),
                overlap: source.unanswered == 0,
                overlap_small: idle_long,
            };
            if let Some(pick) = self.picker.pick(source, &self.pieces, room) {
                self.ask(no, pick, false, now);
            } else if let Some(pick) = self.endgame(no, now) {
                self.ask(no, pick, true, now);
            } else {
                self.starved.insert(no);
                return;
            }
        }
    }

    /// At the end, the chunk on its way elsewhere that this source could bring in half the time: the one that would
    /// take longest.
    fn endgame(&self, no: SourceNo, now: Instant) -> Option<Pick> {
        let source = self.sources.get(no)?;
        // Nothing goes twice through the port that everybody waits for.
        if !self.pieces.wanted().is_empty() || self.is_sole(source) {
            return None;
        }
        let mut best: Option<(std::time::Duration, ChunkNo)> = None;
        for (chunk, copies) in self.pieces.in_flight() {
            let [copy] = copies.as_slice() else { continue };
            if copy.arrived || copy.source == no || !source.map.has(*chunk) {
                continue;
            }
            let len = u64::from(self.pieces.len_of(*chunk));
            let elapsed = now.saturating_duration_since(copy.since);
            let expected = self.sources.get(copy.source).map_or(elapsed, |owner| owner.expected(len));
            // Overdue: expect as long again as it took so far.
            let left = expected.checked_sub(elapsed).unwrap_or(elapsed);
            if left > 2 * source.expected(source.outstanding + len) && best.is_none_or(|(longest, _)| left > longest) {
                best = Some((left, *chunk));
            }
        }
        // One that already asks for it as a second copy would be named twice by itself.
        let (_, chunk) = best?;
        let asked = source.requests.iter().any(|request| {
            self.requests.get(request).is_some_and(|known| known.second && known.of.iter().any(|other| other == chunk))
        });
        let bytes = u64::from(self.pieces.len_of(chunk));
        (!asked).then(|| Pick { candidates: vec![chunk], take: 1, bytes, claimed: false })
    }

    fn ask(&mut self, no: SourceNo, pick: Pick, second: bool, now: Instant) {
        let Some(source) = self.sources.get_mut(no) else { return };
        let request = RequestNo(self.next_request);
        self.next_request += 1;
        source.on_asked(now);
        self.active += usize::from(source.requests.is_empty());
        source.requests.insert(request);
        source.unanswered += 1;
        source.outstanding += pick.bytes;
        source.idle_since = now;
        self.outstanding += pick.bytes;
        let time = (source.expected(source.outstanding) * DEADLINE_FACTOR).max(DEADLINE_MIN);
        let deadline = now + time * source.patience();
        self.timers.insert((deadline, Timer::Request(request)));
        let Pick { candidates, take, bytes, claimed } = pick;
        let of = ChunkRanges::from_preference(candidates.iter().copied());
        self.outputs.push_back(Output::Request { request, peer: source.peer, of: of.clone(), take });
        let (source, named) = (no, Vec::new());
        let known =
            Request { source, of, take, left: take, bytes, named, candidates, claimed, asked: now, deadline, second };
        self.requests.insert(request, known);
    }

    fn assert_invariants(&self) {
        if cfg!(debug_assertions) {
            self.pieces.assert_invariants();
            self.picker.assert_invariants(&self.pieces);
            let mut outstanding = 0;
            for (request, known) in &self.requests {
                let source = self.sources.get(known.source).expect("a request belongs to a known source");
                assert!(source.requests.contains(request));
                assert!(self.timers.contains(&(known.deadline, Timer::Request(*request))));
                outstanding += known.bytes;
            }
            assert_eq!(outstanding, self.outstanding);
            assert_eq!(self.active, self.sources.iter().filter(|(_, source)| !source.requests.is_empty()).count());
            let deadlines = self.timers.iter().filter(|(_, timer)| matches!(timer, Timer::Request(_))).count();
            assert_eq!(deadlines, self.requests.len());
            assert!(self.sources.subscribed() <= SUBSCRIPTIONS_MAX);
        }
    }
}
