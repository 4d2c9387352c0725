//! Watches the library folder and each game root, without their depths: enough to notice a game that
//! comes or goes and a `version.ini` that changes. What lies deeper is found by the periodic scan.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

use crate::types::GameId;

/// Changes not read yet. When more come, [`Changed::Rescan`] stands for all of them.
const CHANGES_QUEUED_MAX: usize = 256;

/// What may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Changed {
    /// Something directly in a game root, or the root itself.
    Game(GameId),
    /// Anything: look at everything.
    Rescan,
}

/// A running watch; it ends when dropped.
#[derive(Debug)]
pub struct Watch {
    library: PathBuf,
    watcher: RecommendedWatcher,
    watched: BTreeSet<GameId>,
    changes: mpsc::Receiver<Changed>,
    /// Set when a change was dropped because nobody read.
    overflowed: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Watch {
    /// Begins to watch the library folder.
    pub fn start(library: &Path) -> Result<Self, WatchError> {
        let (sender, changes) = mpsc::channel(CHANGES_QUEUED_MAX);
        let overflowed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (root, flag) = (library.to_owned(), std::sync::Arc::clone(&overflowed));
        let failed = |source| WatchError { path: library.to_owned(), source };
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            for change in changes_of(&root, event) {
                if sender.try_send(change).is_err() {
                    flag.store(true, std::sync::atomic::Ordering::Relaxed);
                }
            }
        })
        .map_err(failed)?;
        watcher.watch(library, RecursiveMode::NonRecursive).map_err(failed)?;
        Ok(Self { library: library.to_owned(), watcher, watched: BTreeSet::new(), changes, overflowed })
    }

    /// Watches exactly these game roots from now on. One that cannot be watched (gone already, or the
    /// system's limit of watches is reached) is returned: the periodic scan looks after it.
    pub fn follow(&mut self, games: &BTreeSet<GameId>) -> Vec<GameId> {
        let mut unwatched = Vec::new();
        for gone in self.watched.difference(games) {
            // Unwatching fails only for a folder that is no longer there.
            let _ = self.watcher.unwatch(&self.library.join(gone.as_str()));
        }
        self.watched.retain(|game| games.contains(game));
        for game in games {
            if self.watched.contains(game) {
                continue;
            }
            match self.watcher.watch(&self.library.join(game.as_str()), RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(game.clone());
                }
                Err(_) => unwatched.push(game.clone()),
            }
        }
        unwatched
    }

    /// The next change. `None` when the watch has ended.
    pub async fn next(&mut self) -> Option<Changed> {
        if self.overflowed.swap(false, std::sync::atomic::Ordering::Relaxed) {
            return Some(Changed::Rescan);
        }
        self.changes.recv().await
    }
}

fn changes_of(library: &Path, event: notify::Result<notify::Event>) -> Vec<Changed> {
    let Ok(event) = event else { return vec![Changed::Rescan] };
    if event.need_rescan() {
        return vec![Changed::Rescan];
    }
    // Reading a file is no change; we read all the time.
    if matches!(event.kind, EventKind::Access(_)) {
        return Vec::new();
    }
    let games: BTreeSet<GameId> = event.paths.iter().filter_map(|path| game_of(library, path)).collect();
    games.into_iter().map(Changed::Game).collect()
}

/// The game a path lies in; none for what is ours below it, which changes while chunks arrive.
fn game_of(library: &Path, path: &Path) -> Option<GameId> {
    let mut parts = path.strip_prefix(library).ok()?.components(); // Elsewhere is nobody's game.
    let game = GameId::new(parts.next()?.as_os_str().to_str()?).ok()?; // A name that is no game's.
    match parts.next() {
        Some(inner) if inner.as_os_str() == ".potluck" => None,
        Some(_) | None => Some(game),
    }
}

/// Why the library cannot be watched; it is scanned from time to time all the same.
#[derive(Debug, thiserror::Error)]
#[error("cannot watch {path}: {source}; changes are found by the periodic scan only")]
pub struct WatchError {
    /// The library folder.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub source: notify::Error,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn games_that_come_change_and_go_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let game = GameId::new("xonotic").unwrap();
        let mut watch = Watch::start(folder.path()).unwrap();
        let expect = async |watch: &mut Watch| {
            let change = tokio::time::timeout(Duration::from_secs(20), watch.next()).await;
            assert_eq!(change, Ok(Some(Changed::Game(GameId::new("xonotic").unwrap()))));
        };
        std::fs::create_dir(folder.path().join("xonotic")).unwrap();
        expect(&mut watch).await;
        assert_eq!(watch.follow(&BTreeSet::from([game.clone(), GameId::new("gone").unwrap()])).len(), 1);
        std::fs::write(folder.path().join("xonotic/version.ini"), "1").unwrap();
        expect(&mut watch).await;
    }

    #[test]
    fn our_own_work_is_not_a_change() {
        let library = Path::new("/games");
        let game = |path: &str| game_of(library, Path::new(path)).map(|game| game.to_string());
        assert_eq!(game("/games/a/version.ini").as_deref(), Some("a"));
        assert_eq!(game("/games/a").as_deref(), Some("a"));
        assert_eq!(game("/games/a/.potluck"), None);
        assert_eq!(game("/games/a/.potluck/incoming/x"), None);
        assert_eq!(game("/games/.potluck.lock"), None);
        assert_eq!(game("/elsewhere/a"), None);
    }
}
