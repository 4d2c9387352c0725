//! Who changes a game's root: one at a time, whichever actor it is. The library's changes and the commits of transfers
//! both take the game's turn here first, and the functions that change a root want to see it, so that none can be called
//! without. What is done with it stands in [`super::installs`].

use std::{collections::BTreeMap, fmt, sync::Arc};

use tokio::sync::watch;

use crate::types::GameId;

/// What is done to a game's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// What an earlier run left half done is finished.
    Recover,
    /// A download takes its place.
    Commit,
    Add,
    Install,
    Uninstall,
    Remove,
    /// Another library gets it.
    Move,
    DropPayload,
    /// Something kept is deleted.
    Free,
    /// It is read as a whole, so that it must stay as it is.
    Verify,
    /// Its manifest is written down.
    Record,
}

/// As a whole clause, for people who wait for it.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Recover => "what was cut off in its folder is being finished",
            Self::Commit => "a download of it is being put in place",
            Self::Add => "it is being added",
            Self::Install => "an installation of it is under way",
            Self::Uninstall => "it is being uninstalled",
            Self::Remove => "it is being removed",
            Self::Move => "it is being moved to another library",
            Self::DropPayload => "what was got of it is being dropped",
            Self::Free => "what is kept of it is being deleted",
            Self::Verify => "it is being checked",
            Self::Record => "its manifest is being written",
        })
    }
}

/// The roots that are being changed, and what is done to each. Cheap to clone; all clones are one.
///
/// Invariant: a game is in it exactly as long as its [`RootTurn`] lives.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roots(Arc<watch::Sender<BTreeMap<GameId, Change>>>);

impl Roots {
    /// The game's turn, or what is done to its root by whoever has it.
    pub(crate) fn take(&self, game: &GameId, change: Change) -> Result<RootTurn, Change> {
        let mut had = None;
        self.0.send_if_modified(|changes| {
            had = changes.get(game).copied();
            // Nobody waits for a turn to be taken.
            if had.is_none() {
                changes.insert(game.clone(), change);
            }
            false
        });
        had.map_or_else(|| Ok(RootTurn { roots: self.clone(), game: game.clone() }), Err)
    }

    /// Returns when nobody changes the root; somebody else may be quicker to take the turn.
    pub(crate) async fn free(&self, game: &GameId) {
        // The sender is `self`, so it cannot be gone.
        let _ = self.0.subscribe().wait_for(|changes| !changes.contains_key(game)).await;
    }
}

/// The right to change the root of one game, until it is dropped.
#[derive(Debug)]
pub(crate) struct RootTurn {
    roots: Roots,
    game: GameId,
}

impl RootTurn {
    /// Whose root it is.
    pub(crate) fn game(&self) -> &GameId {
        &self.game
    }
}

impl Drop for RootTurn {
    fn drop(&mut self) {
        self.roots.0.send_modify(|changes| {
            changes.remove(&self.game);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Barrier,
            atomic::{AtomicU32, Ordering},
        },
        thread,
    };

    use super::*;

    fn game(id: &str) -> GameId {
        GameId::new(id).unwrap()
    }

    #[test]
    fn a_root_is_changed_by_one_at_a_time_and_who_is_refused_hears_by_what() {
        let roots = Roots::default();
        let turn = roots.take(&game("g"), Change::Install).unwrap();
        let other = roots.clone();
        assert_eq!(other.take(&game("g"), Change::Commit).unwrap_err(), Change::Install);
        assert!(roots.take(&game("h"), Change::Commit).is_ok());
        drop(turn);
        assert_eq!(roots.take(&game("g"), Change::Commit).unwrap().game(), &game("g"));
    }

    #[test]
    fn threads_that_all_want_one_root_have_it_one_after_the_other() {
        let (roots, inside, begin) = (Roots::default(), AtomicU32::new(0), Barrier::new(4));
        let change = || {
            let mut had = 0;
            begin.wait();
            while had < 1_000 {
                let Ok(_turn) = roots.take(&game("g"), Change::Commit) else {
                    thread::yield_now();
                    continue;
                };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                // Whoever would come in does so now.
                thread::yield_now();
                inside.fetch_sub(1, Ordering::SeqCst);
                had += 1;
            }
        };
        thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(change))));
        assert!(roots.take(&game("g"), Change::Commit).is_ok(), "nobody left it taken");
    }

    #[tokio::test]
    async fn who_waits_goes_on_when_the_turn_ends() {
        let roots = Roots::default();
        let turn = roots.take(&game("g"), Change::Install).unwrap();
        let other = roots.take(&game("h"), Change::Install).unwrap();
        let g = game("g");
        let waiting = roots.free(&g);
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(other);
        assert!(futures::poll!(&mut waiting).is_pending(), "it was another game's turn that ended");
        drop(turn);
        waiting.await;
        assert!(roots.take(&g, Change::Commit).is_ok());
    }
}
