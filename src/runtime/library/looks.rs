//! Which game is looked at when: pure bookkeeping, so that the actor only starts and ends jobs. A game
//! is in at most one job at a time, whether a look or a change of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use crate::types::GameId;

/// A change of a folder seldom comes alone; wait for the end of it.
pub(super) const SETTLE: Duration = Duration::from_secs(1);
/// Files that are being written are looked at again when they may be quiet.
pub(super) const UNSETTLED: Duration = Duration::from_secs(1);

/// What is done with a game right now.
#[derive(Debug)]
struct Job {
    cancel: CancellationToken,
    /// Whether it may be cut short for something the user asked for.
    is_look: bool,
}

/// Games to look at, and games something is being done with.
///
/// Invariant: at most `looks_max` looks run; a game is in one job at most.
#[derive(Debug)]
pub(super) struct Looks {
    looks_max: usize,
    due: BTreeMap<GameId, Instant>,
    jobs: BTreeMap<GameId, Job>,
    /// Games whose look is being cut short because something waits for them.
    wanted: BTreeSet<GameId>,
}

impl Looks {
    /// At most `looks_max` at a time.
    pub(super) fn new(looks_max: usize) -> Self {
        Self { looks_max, due: BTreeMap::new(), jobs: BTreeMap::new(), wanted: BTreeSet::new() }
    }

    /// Look at `game` at `at`, or sooner if that was wanted before.
    pub(super) fn want(&mut self, game: &GameId, at: Instant) {
        let due = self.due.entry(game.clone()).or_insert(at);
        *due = at.min(*due);
    }

    /// When a look may start; `None` while nothing waits or all places are taken.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting().map(|(at, _)| at).min()
    }

    /// The next look that is due, with what cancels it. Call [`Self::end`] when it is over.
    pub(super) fn start(&mut self, now: Instant, cancel: &CancellationToken) -> Option<(GameId, CancellationToken)> {
        let (_, game) = self.waiting().filter(|(at, _)| *at <= now).min()?;
        let game = game.clone();
        self.due.remove(&game);
        let cancel = cancel.child_token();
        self.jobs.insert(game.clone(), Job { cancel: cancel.clone(), is_look: true });
        Some((game, cancel))
    }

    /// Takes a game for a change. `Free` when it may start now, `Soon` when a look at it was cut short and
    /// its end is to be awaited, `Taken` when another change has it.
    pub(super) fn take(&mut self, game: &GameId, cancel: &CancellationToken) -> Take {
        if self.wanted.contains(game) {
            return Take::Taken;
        }
        match self.jobs.get(game) {
            None => {
                let cancel = cancel.child_token();
                self.jobs.insert(game.clone(), Job { cancel: cancel.clone(), is_look: false });
                Take::Free(cancel)
            }
            Some(job) if job.is_look => {
                job.cancel.cancel();
                self.wanted.insert(game.clone());
                Take::Soon
            }
            Some(_) => Take::Taken,
        }
    }

    /// A job is over; true when a change waits for the game and is to be taken now.
    #[must_use]
    pub(super) fn end(&mut self, game: &GameId) -> bool {
        self.jobs.remove(game);
        self.wanted.remove(game)
    }

    /// Whether a change of the game is under way or about to be.
    pub(super) fn is_taken(&self, game: &GameId) -> bool {
        self.wanted.contains(game) || self.jobs.get(game).is_some_and(|job| !job.is_look)
    }

    /// Whether nothing waits and nothing runs.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.due.is_empty() && self.jobs.is_empty()
    }

    fn waiting(&self) -> impl Iterator<Item = (Instant, &GameId)> {
        let room = self.jobs.values().filter(|job| job.is_look).count() < self.looks_max;
        let free = move |game: &GameId| room && !self.jobs.contains_key(game) && !self.wanted.contains(game);
        self.due.iter().filter(move |(game, _)| free(game)).map(|(game, at)| (*at, game))
    }
}

/// Whether a game may be changed.
#[derive(Debug)]
pub(super) enum Take {
    /// Now; this cancels it.
    Free(CancellationToken),
    /// After the look that is being cut short.
    Soon,
    /// No.
    Taken,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn game(id: &str) -> GameId {
        GameId::new(id).unwrap()
    }

    fn started(looks: &mut Looks, now: Instant) -> Vec<String> {
        let cancel = CancellationToken::new();
        std::iter::from_fn(|| looks.start(now, &cancel)).map(|(game, _)| game.to_string()).collect()
    }

    #[test]
    fn looks_start_when_due_the_earliest_first_and_few_at_a_time() {
        let (mut looks, now) = (Looks::new(2), crate::io::clock::now());
        for (id, after) in [("a", 3), ("b", 1), ("c", 2), ("d", 9)] {
            looks.want(&game(id), now + Duration::from_secs(after));
        }
        assert_eq!(looks.next(), Some(now + Duration::from_secs(1)));
        let now = now + Duration::from_secs(5);
        assert_eq!(started(&mut looks, now), ["b", "c"]);
        assert_eq!(looks.next(), None, "no place is free");
        assert!(!looks.end(&game("b")));
        assert_eq!(started(&mut looks, now), ["a"]);
        assert!(!looks.end(&game("a")) && !looks.end(&game("c")) && !looks.is_idle());
        assert_eq!(started(&mut looks, now + Duration::from_secs(5)), ["d"]);
    }

    #[test]
    fn a_game_wanted_again_while_it_is_looked_at_is_looked_at_again() {
        let (mut looks, now) = (Looks::new(2), crate::io::clock::now());
        looks.want(&game("a"), now);
        assert_eq!(started(&mut looks, now), ["a"]);
        looks.want(&game("a"), now);
        assert_eq!(started(&mut looks, now), [""; 0]);
        assert!(!looks.end(&game("a")));
        assert_eq!(started(&mut looks, now), ["a"]);
        assert!(!looks.end(&game("a")) && looks.is_idle());
    }

    #[test]
    fn a_change_cuts_a_look_short_and_keeps_everybody_else_out() {
        let (mut looks, now) = (Looks::new(2), crate::io::clock::now());
        let cancel = CancellationToken::new();
        looks.want(&game("a"), now);
        let (_, look) = looks.start(now, &cancel).unwrap();
        assert!(matches!(looks.take(&game("a"), &cancel), Take::Soon));
        assert!(look.is_cancelled() && looks.is_taken(&game("a")));
        assert!(matches!(looks.take(&game("a"), &cancel), Take::Taken));
        looks.want(&game("a"), now);
        assert_eq!(started(&mut looks, now), [""; 0]);
        assert!(looks.end(&game("a")), "the change waits");
        assert!(matches!(looks.take(&game("a"), &cancel), Take::Free(_)));
        assert!(matches!(looks.take(&game("a"), &cancel), Take::Taken));
        assert_eq!(started(&mut looks, now), [""; 0]);
        assert!(!looks.end(&game("a")));
        assert_eq!(started(&mut looks, now), ["a"]);
    }
}
