//! What is remembered of playing: the programs somebody agreed to, and when each game was last played.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    io::state::{StateError, StateFile},
    types::GameId,
};

/// The file in the state folder.
const FILE: &str = "played.json";
/// Programs remembered; with more, somebody's catalog changes by itself, and asking again harms nobody.
const AGREED_MAX: usize = 10_000;
/// Games remembered; more is a library nobody has.
const GAMES_MAX: usize = 20_000;

/// As it is stored: text, so that one bad line costs only itself.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    agreed: BTreeSet<String>,
    last: BTreeMap<String, u64>,
}

/// What is remembered, and where.
#[derive(Debug)]
pub(super) struct Played {
    file: StateFile,
    /// Marks of programs that may run.
    agreed: BTreeSet<String>,
    /// Unix milliseconds.
    last: BTreeMap<GameId, u64>,
}

impl Played {
    /// Reads it; the second value says what could not be understood.
    pub(super) fn load(state: &Path) -> (Self, Option<StateError>) {
        let file = StateFile::new(state, FILE);
        let (Stored { agreed, last }, trouble) = file.load::<Stored>();
        let last = last.iter().filter_map(|(id, at)| Some((GameId::new(id).ok()?, *at))).take(GAMES_MAX).collect();
        (Self { file, agreed: agreed.into_iter().take(AGREED_MAX).collect(), last }, trouble)
    }

    /// Marks of programs that may run.
    pub(super) fn agreed(&self) -> &BTreeSet<String> {
        &self.agreed
    }

    /// When a game was last played, in Unix milliseconds.
    pub(super) fn last(&self, game: &GameId) -> Option<u64> {
        self.last.get(game).copied()
    }

    /// Somebody agreed to programs.
    pub(super) fn agree(&mut self, marks: Vec<String>) -> Result<(), StateError> {
        if self.agreed.len() + marks.len() > AGREED_MAX {
            self.agreed.clear();
        }
        self.agreed.extend(marks);
        self.save()
    }

    /// Somebody plays a game.
    pub(super) fn play(&mut self, game: &GameId, at_ms: u64) -> Result<(), StateError> {
        if self.last.len() < GAMES_MAX || self.last.contains_key(game) {
            self.last.insert(game.clone(), at_ms);
        }
        self.save()
    }

    fn save(&self) -> Result<(), StateError> {
        let last = self.last.iter().map(|(id, at)| (id.to_string(), *at)).collect();
        self.file.save(&Stored { agreed: self.agreed.clone(), last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_played_and_agreed_to_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (game, other) = (GameId::new("g").unwrap(), GameId::new("h").unwrap());
        let (mut played, trouble) = Played::load(folder.path());
        assert!(trouble.is_none());
        played.agree(vec!["mark".to_owned()]).unwrap();
        played.play(&game, 7).unwrap();
        played.play(&game, 9).unwrap();
        let (played, trouble) = Played::load(folder.path());
        assert!(trouble.is_none());
        assert_eq!((played.last(&game), played.last(&other)), (Some(9), None));
        assert_eq!(played.agreed(), &BTreeSet::from(["mark".to_owned()]));
    }
}
