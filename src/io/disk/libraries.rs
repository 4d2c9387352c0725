//! All libraries of one potluck, in the order of the settings: opening and locking them, finding the root of a
//! game in one of them, and noticing that one went away or came back. A game lives in the first library that has
//! a folder of its name. Which library a new game goes to is decided by `core::room`, not here.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use super::{
    error::DiskError,
    library::{Library, LibraryError, Oddity},
    root::GameRoot,
};
use crate::{
    io::lock::{LockError, LockFile},
    types::{GameId, LibraryNo, Space, clean},
};

/// In each library, because another home may use the same one by another path.
const LOCK: &str = ".potluck.lock";

/// A library as the settings name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Its folder, absolute.
    pub path: PathBuf,
    /// Bytes that are to stay free there.
    pub min_free: u64,
    /// Whether the folder is made when there is none. One that somebody named may be a disk that is not mounted.
    pub make: bool,
}

/// The libraries. Shared by threads.
#[derive(Debug, Default)]
pub struct Libraries {
    slots: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    place: Place,
    held: RwLock<Held>,
}

#[derive(Debug)]
enum Held {
    Open { library: Arc<Library>, lock: Option<LockFile> },
    Missing { why: String },
}

/// A game's root, and the library it is in.
#[derive(Debug)]
pub struct Found {
    /// Which one.
    pub number: LibraryNo,
    /// The library.
    pub library: Arc<Library>,
    /// The root.
    pub root: GameRoot,
}

/// What lies in all libraries.
#[derive(Debug, Default)]
pub struct Survey {
    /// The games and where each lives.
    pub games: BTreeMap<GameId, LibraryNo>,
    /// What else looks like a game.
    pub oddities: Vec<Oddity>,
    /// Per library, what is wrong with it.
    pub states: Vec<State>,
}

/// How a library is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Whether what is in it was listed. What is not known must not be taken for gone.
    pub is_known: bool,
    /// What is wrong with it and what to do, when something is.
    pub trouble: Option<String>,
}

impl Libraries {
    /// Opens and locks the libraries of the settings. One that is not there is waited for, as long as there is
    /// another one; one that somebody else works in is an error.
    pub fn open(places: Vec<Place>) -> Result<Self, LibraryError> {
        let (mut slots, mut failed) = (Vec::new(), None);
        for place in places {
            let held = match hold(&place) {
                Ok(held) => held,
                Err(error @ LibraryError::Held { .. }) => return Err(error),
                Err(error) => {
                    let held = Held::Missing { why: error.to_string() };
                    failed.get_or_insert(error);
                    held
                }
            };
            slots.push(Slot { place, held: RwLock::new(held) });
        }
        let libraries = Self { slots };
        match failed {
            Some(error) if libraries.each().next().is_none() => Err(error),
            Some(_) | None => Ok(libraries),
        }
    }

    /// One library without a lock, for tests that take the place of a whole potluck.
    #[cfg(test)]
    #[must_use]
    pub fn only(path: &Path) -> Arc<Self> {
        let library = Arc::new(Library::open(path).expect("the test made it"));
        let place = Place { path: path.to_owned(), min_free: 0, make: false };
        Arc::new(Self { slots: vec![Slot { place, held: RwLock::new(Held::Open { library, lock: None }) }] })
    }

    /// Lets go of the locks, so that somebody else may work in the libraries.
    pub fn release(&self) {
        for slot in &self.slots {
            match &mut *slot.write() {
                Held::Open { lock, .. } => drop(lock.take()),
                Held::Missing { .. } => {}
            }
        }
    }

    /// The folders of the settings.
    pub fn paths(&self) -> impl Iterator<Item = &Path> {
        self.slots.iter().map(|slot| slot.place.path.as_path())
    }

    /// Those that are open.
    pub fn each(&self) -> impl Iterator<Item = (LibraryNo, Arc<Library>)> {
        self.slots.iter().enumerate().filter_map(|(number, slot)| Some((LibraryNo(number as u8), slot.library()?)))
    }

    /// The library with this number, while it is open.
    #[must_use]
    pub fn get(&self, number: LibraryNo) -> Option<Arc<Library>> {
        self.slots.get(usize::from(number.0))?.library()
    }

    /// Room in each. Where that cannot be asked there is no limit: a write will tell. One that is not there, or is no
    /// longer what it was, takes nothing.
    #[must_use]
    pub fn spaces(&self) -> Vec<Space> {
        self.slots.iter().map(Slot::space).collect()
    }

    /// Room in one of them, as [`Self::spaces`] has it.
    #[must_use]
    pub fn space(&self, number: LibraryNo) -> Space {
        self.slots.get(usize::from(number.0)).map(Slot::space).unwrap_or_default()
    }

    /// The root of a game, in the first library that has one.
    pub fn find(&self, game: &GameId) -> Result<Found, DiskError> {
        let mut failed: Option<DiskError> = None;
        for (number, library) in self.each() {
            match library.open_root(game) {
                Ok(root) => return Ok(Found { number, library, root }),
                // That a folder is there and cannot be opened says more than that there is none.
                Err(error) if !error.is_missing() && failed.as_ref().is_none_or(DiskError::is_missing) => {
                    failed = Some(error);
                }
                Err(error) => drop(failed.get_or_insert(error)),
            }
        }
        Err(failed.unwrap_or_else(|| DiskError::new("open the game", game, super::Reason::Missing)))
    }

    /// As [`Self::find`], the root alone.
    pub fn open_root(&self, game: &GameId) -> Result<GameRoot, DiskError> {
        self.find(game).map(|found| found.root)
    }

    /// What lies in all of them. Where two have a game, the first one's counts and the other's is an oddity.
    pub fn list(&self) -> Survey {
        let mut survey = Survey::default();
        for (number, slot) in self.slots.iter().enumerate() {
            survey.states.push(self.list_one(LibraryNo(number as u8), slot, &mut survey.games, &mut survey.oddities));
        }
        survey
    }

    fn list_one(
        &self,
        number: LibraryNo,
        slot: &Slot,
        games: &mut BTreeMap<GameId, LibraryNo>,
        oddities: &mut Vec<Oddity>,
    ) -> State {
        let trouble = |trouble| State { is_known: false, trouble: Some(trouble) };
        let library = match &*slot.read() {
            Held::Open { library, .. } => Arc::clone(library),
            Held::Missing { why } => return trouble(why.clone()),
        };
        let listing = match library.list() {
            Ok(listing) => listing,
            Err(error) => return trouble(error.to_string()),
        };
        let path = clean(&library.path().display().to_string(), usize::MAX);
        if !library.is_in_place() {
            return trouble(format!(
                "{path} is not the library folder it was; mount or put it back, or start potluck again"
            ));
        }
        for game in listing.games {
            match games.get(&game).and_then(|first| self.get(*first)) {
                None => drop(games.insert(game, number)),
                Some(first) => oddities.push(Oddity {
                    reason: format!(
                        "{} has a game of that name, which is the one that counts; remove or rename the folder in {path}",
                        first.path().display()
                    ),
                    name: game.to_string(),
                }),
            }
        }
        oddities.extend(listing.oddities);
        let why =
            |reason| format!("{path} cannot be written to ({reason}): its games are shared, none can be got into it");
        State { is_known: true, trouble: library.read_only().map(why) }
    }

    /// Looks for those that are not there, or are no longer what they were; says which are there now.
    pub fn refresh(&self) -> Vec<bool> {
        self.slots.iter().map(Slot::refresh).collect()
    }
}

impl Slot {
    fn space(&self) -> Space {
        let library = self.library().filter(|library| library.is_in_place());
        Space {
            free: library.as_ref().map_or(0, |library| library.free_space().unwrap_or(u64::MAX)),
            min_free: self.place.min_free,
            is_writable: library.is_some_and(|library| library.read_only().is_none()),
        }
    }

    fn refresh(&self) -> bool {
        let library = self.library();
        if library.as_ref().is_some_and(|library| library.is_in_place()) {
            return true;
        }
        // An empty mount point is no library that lost its games: one that was in use has a lock file.
        if library.is_some_and(|library| library.read_only().is_none()) && !self.place.path.join(LOCK).exists() {
            return false;
        }
        match hold(&self.place) {
            Ok(held) => {
                *self.write() = held;
                true
            }
            Err(error) => {
                if let Held::Missing { why } = &mut *self.write() {
                    *why = error.to_string();
                }
                false
            }
        }
    }

    fn library(&self) -> Option<Arc<Library>> {
        match &*self.read() {
            Held::Open { library, .. } => Some(Arc::clone(library)),
            Held::Missing { .. } => None,
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens a library and locks it; nobody can work in one that nobody can write.
fn hold(place: &Place) -> Result<Held, LibraryError> {
    let library = if place.make { Library::open_or_create(&place.path) } else { Library::open(&place.path) }?;
    let lock = match library.read_only() {
        Some(_) => None,
        None => Some(LockFile::acquire(&library.path().join(LOCK)).map_err(|error| match error {
            LockError::Held { pid, .. } => LibraryError::Held { path: shown(&place.path), pid },
            LockError::Io { path, source } => LibraryError::Lock { path: shown(&path), reason: source.into() },
        })?),
    };
    Ok(Held::Open { library: Arc::new(library), lock })
}

fn shown(path: &Path) -> String {
    clean(&path.display().to_string(), usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn places(home: &Path, names: &[&str]) -> Vec<Place> {
        names.iter().map(|name| Place { path: home.join(name), min_free: 0, make: false }).collect()
    }

    fn game(id: &str) -> GameId {
        GameId::new(id).unwrap()
    }

    #[test]
    fn a_game_lives_in_the_first_library_that_has_it() {
        let home = tempfile::tempdir().unwrap();
        for path in ["a/doom", "a/quake", "b/quake", "b/zoo"] {
            fs::create_dir_all(home.path().join(path)).unwrap();
        }
        let libraries = Libraries::open(places(home.path(), &["a", "b"])).unwrap();
        let survey = libraries.list();
        let games: Vec<_> = survey.games.iter().map(|(game, number)| (game.as_str(), number.0)).collect();
        assert_eq!(games, [("doom", 0), ("quake", 0), ("zoo", 1)]);
        let [twin] = &survey.oddities[..] else { panic!("{survey:?}") };
        assert!(twin.name == "quake" && twin.reason.contains("remove or rename the folder in"), "{twin:?}");
        assert_eq!(libraries.find(&game("zoo")).unwrap().number, LibraryNo(1));
        assert_eq!(libraries.find(&game("quake")).unwrap().number, LibraryNo(0));
        assert!(libraries.open_root(&game("none")).unwrap_err().is_missing());
    }

    #[test]
    fn one_that_is_missing_is_waited_for_and_others_work() {
        let home = tempfile::tempdir().unwrap();
        assert!(matches!(Libraries::open(places(home.path(), &["a", "b"])), Err(LibraryError::Missing { .. })));
        fs::create_dir_all(home.path().join("b/zoo")).unwrap();
        let libraries = Libraries::open(places(home.path(), &["a", "b"])).unwrap();
        let states = libraries.list().states;
        assert!(states[0].trouble.as_ref().is_some_and(|why| why.contains("does not exist")), "{states:?}");
        assert_eq!(states[1], State { is_known: true, trouble: None });
        assert_eq!(libraries.refresh(), [false, true]);
        fs::create_dir_all(home.path().join("a/zoo")).unwrap();
        assert_eq!(libraries.refresh(), [true, true]);
        assert_eq!(libraries.find(&game("zoo")).unwrap().number, LibraryNo(0));
    }

    #[test]
    fn one_that_went_away_is_not_empty_and_comes_back() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("a/zoo")).unwrap();
        let libraries = Libraries::open(places(home.path(), &["a"])).unwrap();
        let (here, away) = (home.path().join("a"), home.path().join("away"));
        fs::rename(&here, &away).unwrap();
        // The mount point of a disk that was pulled out.
        fs::create_dir(&here).unwrap();
        assert_eq!(libraries.refresh(), [false]);
        let survey = libraries.list();
        assert!(!survey.states[0].is_known && survey.games.is_empty(), "{survey:?}");
        fs::remove_dir(&here).unwrap();
        fs::rename(&away, &here).unwrap();
        assert!(libraries.list().states[0].is_known);
        // Another folder, in which a potluck worked.
        fs::rename(&here, &away).unwrap();
        fs::create_dir_all(here.join("doom")).unwrap();
        fs::write(here.join(LOCK), "").unwrap();
        assert_eq!(libraries.refresh(), [true]);
        assert!(libraries.open_root(&game("doom")).is_ok());
    }

    #[test]
    fn two_homes_do_not_work_in_one() {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("a")).unwrap();
        fs::create_dir_all(home.path().join("b")).unwrap();
        let first = Libraries::open(places(home.path(), &["a"])).unwrap();
        assert!(matches!(Libraries::open(places(home.path(), &["b", "a"])), Err(LibraryError::Held { .. })));
        first.release();
        assert!(Libraries::open(places(home.path(), &["b", "a"])).is_ok());
    }
}
