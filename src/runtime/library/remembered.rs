//! What the user said about games and peers that outlives a run: pins, trust, titles, what is to be installed, and what is
//! to be dropped then.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    core::library::{Listed, Rules},
    io::{
        catalog::Catalog,
        state::{StateError, StateFile},
    },
    types::{ContentId, GameId, LibraryEntry, PeerId, Version},
};

/// The file in the state folder.
const FILE: &str = "library.json";
/// Titles kept for games that were here once; more is a library nobody has.
const TITLES_MAX: usize = 20_000;

/// As it is stored: text, so that one bad line costs only itself.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Stored {
    pins: BTreeMap<String, String>,
    trusted: BTreeSet<String>,
    titles: BTreeMap<String, String>,
    to_install: BTreeMap<String, String>,
    to_drop: BTreeMap<String, String>,
}

/// What is remembered, and where.
#[derive(Debug)]
pub(super) struct Remembered {
    file: StateFile,
    pub(super) pins: BTreeMap<GameId, Version>,
    pub(super) trusted: BTreeSet<PeerId>,
    titles: BTreeMap<GameId, String>,
    /// Games to be made playable now that they are here, each by its build.
    pub(super) to_install: BTreeMap<GameId, ContentId>,
    /// Games whose archives go when they are installed, each by its build.
    pub(super) to_drop: BTreeMap<GameId, ContentId>,
}

impl Remembered {
    /// Reads it; the second value says what could not be understood.
    pub(super) fn load(state: &Path) -> (Self, Option<StateError>) {
        let file = StateFile::new(state, FILE);
        let (stored, trouble) = file.load::<Stored>();
        // A line that is no id, version or key was put there by hand and means nothing.
        let game = |text: &str| GameId::new(text).ok();
        let pins = stored.pins.iter().filter_map(|(id, version)| Some((game(id)?, Version::new(version).ok()?)));
        let titles = stored.titles.iter().filter_map(|(id, title)| {
            let id = game(id)?;
            Some((id.clone(), LibraryEntry::title_of(title, &id)))
        });
        let builds = |stored: &BTreeMap<String, String>| -> BTreeMap<GameId, ContentId> {
            stored.iter().filter_map(|(id, content)| Some((game(id)?, content.parse().ok()?))).collect()
        };
        let remembered = Self {
            pins: pins.collect(),
            trusted: stored.trusted.iter().filter_map(|peer| peer.parse().ok()).collect(),
            titles: titles.take(TITLES_MAX).collect(),
            to_install: builds(&stored.to_install),
            to_drop: builds(&stored.to_drop),
            file,
        };
        (remembered, trouble)
    }

    /// Writes it.
    pub(super) fn save(&self) -> Result<(), StateError> {
        let builds = |builds: &BTreeMap<GameId, ContentId>| -> BTreeMap<String, String> {
            builds.iter().map(|(id, content)| (id.to_string(), content.to_string())).collect()
        };
        self.file.save(&Stored {
            pins: self.pins.iter().map(|(id, version)| (id.to_string(), version.to_string())).collect(),
            trusted: self.trusted.iter().map(ToString::to_string).collect(),
            titles: self.titles.iter().map(|(id, title)| (id.to_string(), title.clone())).collect(),
            to_install: builds(&self.to_install),
            to_drop: builds(&self.to_drop),
        })
    }

    /// Calls a game `title`; true when that is new.
    pub(super) fn set_title(&mut self, game: &GameId, title: &str) -> bool {
        let title = LibraryEntry::title_of(title, game);
        if title == game.as_str() {
            return self.titles.remove(game).is_some();
        }
        let known = self.titles.get(game) == Some(&title);
        let room = self.titles.len() < TITLES_MAX || self.titles.contains_key(game);
        if !known && room {
            self.titles.insert(game.clone(), title);
        }
        !known && room
    }

    /// The rules for the core: these, and what the catalog says.
    pub(super) fn rules(&self, catalog: &Catalog) -> Rules {
        let listed = |game: &crate::io::catalog::CatalogGame| Listed { title: game.title.clone(), pin: game.pin };
        Rules {
            gate: catalog.gate,
            catalog: catalog.games.iter().map(|(id, game)| (id.clone(), listed(game))).collect(),
            titles: self.titles.clone(),
            pins: self.pins.clone(),
            trusted: self.trusted.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_there_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let game = GameId::new("g").unwrap();
        let (mut remembered, trouble) = Remembered::load(folder.path());
        assert!(trouble.is_none());
        remembered.pins.insert(game.clone(), Version::new("1.0").unwrap());
        remembered.trusted.insert(PeerId::from_bytes([7; 32]));
        assert!(remembered.set_title(&game, "The Game\u{1b}"));
        assert!(!remembered.set_title(&game, "The Game"));
        remembered.to_install.insert(game.clone(), ContentId::from_bytes([3; 32]));
        remembered.to_drop.insert(game.clone(), ContentId::from_bytes([4; 32]));
        remembered.save().unwrap();
        assert_eq!(Remembered::load(folder.path()).0.to_install, remembered.to_install);
        assert_eq!(Remembered::load(folder.path()).0.to_drop, remembered.to_drop);
        let rules = Remembered::load(folder.path()).0.rules(&Catalog::default());
        assert_eq!(rules, remembered.rules(&Catalog::default()));
        assert_eq!(rules.title(&game), Some("The Game"));
        assert_eq!((rules.pins.len(), rules.trusted.len()), (1, 1));
    }

    #[test]
    fn a_bad_line_costs_only_itself() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"pins":{"../x":"1","g":"1","h":""},"trusted":["nobody"],"later":1}"#;
        std::fs::write(folder.path().join(FILE), text).unwrap();
        let (remembered, trouble) = Remembered::load(folder.path());
        assert!(trouble.is_none());
        assert_eq!((remembered.pins.len(), remembered.trusted.len()), (1, 0));
    }
}
