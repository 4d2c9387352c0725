//! The library: the folder whose folders are game roots.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{Access, AtFlags, Mode, OFlags, accessat, fstat, mkdirat, open, openat, stat, unlinkat},
    io::Errno,
};

use super::{
    error::{DiskError, Reason},
    fault::{DiskOp, Faults},
    file::Kind,
    root::GameRoot,
};
use crate::types::{GameId, clean};

/// A library of games; ten times the largest we aim at.
const GAMES_MAX: usize = 100_000;

/// An open library folder.
#[derive(Debug)]
pub struct Library {
    folder: GameRoot,
    read_only: Option<Reason>,
}

/// What lies in a library.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Folders whose name is a game's id, sorted.
    pub games: Vec<GameId>,
    /// Folders and links that cannot be games, with the reason; files and hidden names are not ours to judge.
    pub oddities: Vec<Oddity>,
}

/// Something in a library that is not taken for a game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// Its name, safe to print.
    pub name: String,
    /// Why it is no game.
    pub reason: String,
}

/// Why a library cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// There is no such folder.
    #[error("the library folder `{path}` does not exist; create it, or name another one with --library")]
    Missing {
        /// The folder.
        path: String,
    },
    /// It is something else.
    #[error("the library `{path}` is not a folder; name a folder with --library")]
    NotAFolder {
        /// The path.
        path: String,
    },
    /// Its user may not read it.
    #[error(
        "the library folder `{path}` cannot be read; give yourself the right to (chmod u+rwx), or name another one with --library"
    )]
    Unreadable {
        /// The folder.
        path: String,
    },
    /// It cannot be created.
    #[error("the library folder `{path}` cannot be created: {reason}")]
    NotCreated {
        /// The folder.
        path: String,
        /// Why not.
        reason: Reason,
    },
    /// Another potluck works in it.
    #[error("the library {path} is in use by another potluck (process {pid}); give this one another with --library")]
    Held {
        /// The folder.
        path: String,
        /// The holder.
        pid: u32,
    },
    /// Its lock file could not be made.
    #[error("cannot lock {path}: {reason}")]
    Lock {
        /// The lock file.
        path: String,
        /// Why not.
        reason: Reason,
    },
    /// Anything else.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Library {
    /// Opens a folder that exists. One that cannot be written to is opened too: what is in it can be
    /// shared, and [`Self::read_only`] says why nothing can be put there.
    pub fn open(path: &Path) -> Result<Self, LibraryError> {
        let shown = || clean(&path.display().to_string(), usize::MAX);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = open(path, flags, Mode::empty()).map_err(|errno| match errno {
            Errno::NOENT => LibraryError::Missing { path: shown() },
            Errno::NOTDIR => LibraryError::NotAFolder { path: shown() },
            Errno::ACCESS | Errno::PERM => LibraryError::Unreadable { path: shown() },
            other => DiskError::new("open the library", path.display(), other).into(),
        })?;
        // Absolute, so that a later change of the working directory changes nothing.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let read_only =
            accessat(&dir, ".", Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).err().map(Reason::from);
        let folder = GameRoot::from_dir(dir, path);
        Ok(Self { folder, read_only })
    }

    /// Opens the folder, and makes it and those above it when there is none.
    pub fn open_or_create(path: &Path) -> Result<Self, LibraryError> {
        match Self::open(path) {
            Err(LibraryError::Missing { path: shown }) => {
                std::fs::create_dir_all(path)
                    .map_err(|error| LibraryError::NotCreated { path: shown, reason: error.into() })?;
                Self::open(path)
            }
            result => result,
        }
    }

    /// The same library with operations that change it or a root of it counted, and stopped where `faults` says.
    #[must_use]
    pub fn with_faults(self, faults: Arc<Faults>) -> Self {
        Self { folder: self.folder.with_faults(faults), ..self }
    }

    /// Where it is, absolute.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The folder itself, for what potluck lays beside the games.
    #[must_use]
    pub(crate) fn folder(&self) -> &GameRoot {
        &self.folder
    }

    /// Why nothing can be put into it, when so.
    #[must_use]
    pub fn read_only(&self) -> Option<&Reason> {
        self.read_only.as_ref()
    }

    /// The games and what else looks like one.
    pub fn list(&self) -> Result<Listing, DiskError> {
        let mut listing = Listing::default();
        for entry in self.folder.list("", GAMES_MAX)? {
            let Some(name) = entry.name.to_str() else {
                listing.odd(&entry.name.to_string_lossy(), "its name is not UTF-8; rename it");
                continue;
            };
            if name.starts_with('.') {
                continue;
            }
            match entry.stat.kind {
                Kind::Folder => match GameId::new(name) {
                    Ok(game) => listing.games.push(game),
                    Err(error) => listing.odd(name, &format!("{error}; rename it")),
                },
                Kind::Link => listing.odd(name, "it is a link; put the folder itself here, or mount it here"),
                Kind::File | Kind::Fifo | Kind::Socket | Kind::Device | Kind::Unknown => {}
            }
        }
        Ok(listing)
    }

    /// Opens a game's root. A link in its place is refused.
    pub fn open_root(&self, game: &GameId) -> Result<GameRoot, DiskError> {
        let path = self.root_path(game);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = openat(self.folder.as_fd(), game.as_str(), flags, Mode::empty())
            .map_err(|errno| DiskError::new("open the game", path.display(), errno))?;
        Ok(self.folder.beside(dir, path))
    }

    /// Opens a game's root and makes it when there is none.
    pub fn create_root(&self, game: &GameId) -> Result<GameRoot, DiskError> {
        let make = || mkdirat(self.folder.as_fd(), game.as_str(), Mode::from_raw_mode(0o777));
        match self.folder.act(|| DiskOp::MakeDir { path: self.folder.whole(game.as_str()) }, make) {
            Ok(()) | Err(Errno::EXIST) => self.open_root(game),
            Err(errno) => Err(DiskError::new("make the game's folder", self.root_path(game).display(), errno)),
        }
    }

    /// Removes a game's root if it is empty; says whether it was. Fine when it is gone.
    pub fn remove_root(&self, game: &GameId) -> Result<bool, DiskError> {
        let remove = || unlinkat(self.folder.as_fd(), game.as_str(), AtFlags::REMOVEDIR);
        match self.folder.act(|| DiskOp::RemoveDir { path: self.folder.whole(game.as_str()) }, remove) {
            Ok(()) | Err(Errno::NOENT) => Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Err(errno) => Err(DiskError::new("remove the game's folder", self.root_path(game).display(), errno)),
        }
    }

    /// Whether the folder that was opened is still the one at its path: a library that was unmounted
    /// or replaced must not be taken for one whose games were all removed.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        let (Ok(held), Ok(now)) = (fstat(self.folder.as_fd()), stat(self.path())) else { return false };
        held.st_dev == now.st_dev && held.st_ino == now.st_ino
    }

    /// Bytes a user without privileges can still write there.
    pub fn free_space(&self) -> Result<u64, DiskError> {
        self.folder.free_space()
    }

    fn root_path(&self, game: &GameId) -> PathBuf {
        self.path().join(game.as_str())
    }
}

impl Listing {
    fn odd(&mut self, name: &str, reason: &str) {
        self.oddities.push(Oddity { name: clean(name, 255), reason: clean(reason, 400) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_games_and_says_why_others_are_none() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["quake", "CS Source", ".hidden", "bad\x1b[2Jname", "nul"] {
            std::fs::create_dir(dir.path().join(name)).unwrap();
        }
        std::fs::write(dir.path().join("notes.txt"), "x").unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("linked")).unwrap();
        let library = Library::open(dir.path()).unwrap();
        let listing = library.list().unwrap();
        assert_eq!(listing.games.iter().map(GameId::as_str).collect::<Vec<_>>(), ["CS Source", "quake"]);
        assert_eq!(
            listing.oddities.iter().map(|o| o.name.as_str()).collect::<Vec<_>>(),
            ["bad[2Jname", "linked", "nul"]
        );
        assert!(library.read_only().is_none());
        let linked = library.open_root(&GameId::new("linked").unwrap()).unwrap_err();
        assert!(matches!(linked.reason(), Reason::Link | Reason::NotAFolder), "{linked}");
    }

    #[test]
    fn a_library_that_cannot_be_used_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let message = |path: &Path| Library::open(path).unwrap_err().to_string();
        assert!(message(&dir.path().join("no")).contains("does not exist; create it"));
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(message(&dir.path().join("file")).contains("is not a folder"));
        let created = Library::open_or_create(&dir.path().join("a/b")).unwrap();
        assert!(created.is_in_place());
        std::fs::remove_dir(dir.path().join("a/b")).unwrap();
        assert!(!created.is_in_place());
    }

    #[test]
    fn a_folder_nobody_can_write_to_is_opened_and_refuses_new_games() {
        let library = Library::open(Path::new("/proc/self/fdinfo")).unwrap();
        assert!(library.create_root(&GameId::new("quake").unwrap()).is_err());
    }
}
