//! Watches the library folders and each game root, without their depths: enough to notice a game that
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
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
    changes: mpsc::Receiver<Changed>,
    /// Set when a change was dropped because nobody read.
    overflowed: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

impl Watch {
    /// Begins to watch the library folders that are there.
    pub fn start<'a>(libraries: impl Iterator<Item = &'a Path>) -> Result<Self, WatchError> {
        let (sender, changes) = mpsc::channel(CHANGES_QUEUED_MAX);
        let overflowed = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let roots: Vec<PathBuf> = libraries.map(Path::to_owned).collect();
        let (of, flag) = (roots.clone(), std::sync::Arc::clone(&overflowed));
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            for change in changes_of(&of, event) {
                if sender.try_send(change).is_err() {
                    flag.store(true, std::sync::atomic::Ordering::Relaxed);
                }
            }
        })
        .map_err(|source| WatchError { path: roots.first().cloned().unwrap_or_default(), source })?;
        let mut watch = Self { watcher, watched: BTreeSet::new(), changes, overflowed };
        let there = roots.iter().filter(|root| root.is_dir());
        for root in there {
            let watched = watch.watcher.watch(root, RecursiveMode::NonRecursive);
            watched.map_err(|source| WatchError { path: root.clone(), source })?;
            watch.watched.insert(root.clone());
        }
        Ok(watch)
    }

    /// Watches exactly these folders, libraries and game roots, from now on. Says how many cannot be watched (gone
    /// already, or the system's limit of watches is reached): the periodic scan looks after them.
    pub fn follow(&mut self, folders: &BTreeSet<PathBuf>) -> usize {
        for gone in self.watched.difference(folders) {
            // Unwatching fails only for a folder that is no longer there.
            let _ = self.watcher.unwatch(gone);
        }
        self.watched.retain(|folder| folders.contains(folder));
        let mut unwatched = 0;
        for folder in folders {
            if self.watched.contains(folder) {
                continue;
            }
            match self.watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(folder.clone())),
                Err(_) => unwatched += 1,
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

fn changes_of(libraries: &[PathBuf], event: notify::Result<notify::Event>) -> Vec<Changed> {
    let Ok(event) = event else { return vec![Changed::Rescan] };
    if event.need_rescan() {
        return vec![Changed::Rescan];
    }
    // Reading a file is no change; we read all the time.
    if matches!(event.kind, EventKind::Access(_)) {
        return Vec::new();
    }
    let games: BTreeSet<GameId> = event.paths.iter().filter_map(|path| game_of(libraries, path)).collect();
    games.into_iter().map(Changed::Game).collect()
}

/// The game a path lies in; none for what is ours below it, which changes while chunks arrive.
fn game_of(libraries: &[PathBuf], path: &Path) -> Option<GameId> {
    // Elsewhere is nobody's game.
    let mut parts = libraries.iter().find_map(|library| path.strip_prefix(library).ok())?.components();
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
        let mut watch = Watch::start([folder.path(), Path::new("/no/such/library")].into_iter()).unwrap();
        let expect = async |watch: &mut Watch| {
            let change = tokio::time::timeout(Duration::from_secs(20), watch.next()).await;
            assert_eq!(change, Ok(Some(Changed::Game(GameId::new("xonotic").unwrap()))));
        };
        std::fs::create_dir(folder.path().join("xonotic")).unwrap();
        expect(&mut watch).await;
        let follow = ["", "xonotic", "gone"].map(|name| folder.path().join(name)).into();
        assert_eq!(watch.follow(&follow), 1);
        std::fs::write(folder.path().join("xonotic/version.ini"), "1").unwrap();
        expect(&mut watch).await;
    }

    #[test]
    fn our_own_work_is_not_a_change() {
        let libraries = ["/games".into(), "/mnt/more".into()];
        let game = |path: &str| game_of(&libraries, Path::new(path)).map(|game| game.to_string());
        assert_eq!(game("/games/a/version.ini").as_deref(), Some("a"));
        assert_eq!(game("/games/a").as_deref(), Some("a"));
        assert_eq!(game("/mnt/more/b").as_deref(), Some("b"));
        assert_eq!(game("/games/a/.potluck"), None);
        assert_eq!(game("/games/a/.potluck/incoming/x"), None);
        assert_eq!(game("/games/.potluck.lock"), None);
        assert_eq!(game("/elsewhere/a"), None);
    }
}
