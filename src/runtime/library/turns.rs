//! Who has a game's installed files just now: somebody who plays it, or a change that takes them away. One at a time, so
//! that a game is not started while it is swapped, nor swapped while it is started.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use crate::types::GameId;

/// The games that somebody has. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Turns(Arc<Mutex<BTreeSet<GameId>>>);

/// Somebody's having a game, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    game: GameId,
}

impl Turns {
    /// `None` while somebody else has the game.
    pub(super) fn take(&self, game: &GameId) -> Option<Turn> {
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(game.clone());
        is_free.then(|| Turn { turns: self.clone(), game: game.clone() })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.game);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_game_is_had_by_one_at_a_time() {
        let (turns, game) = (Turns::default(), GameId::new("g").unwrap());
        let turn = turns.take(&game);
        assert!(turn.is_some() && turns.take(&game).is_none());
        assert!(turns.take(&GameId::new("h").unwrap()).is_some());
        drop(turn);
        assert!(turns.take(&game).is_some());
    }
}
