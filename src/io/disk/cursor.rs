//! Many paths below one root, one after the other: the folder of the last one stays open, so that
//! what lies together costs one look at the way there. It follows no link on that way, like every
//! path of a root; a folder that is moved while it is open is worked in where it went.

use std::os::fd::OwnedFd;

use rustix::{
    fs::{AtFlags, Mode, OFlags, openat, statat},
    io::Errno,
};

use super::{
    error::{DiskError, Reason},
    fault::DiskOp,
    file::{FileStat, GameFile},
    root::{GameRoot, parent_of},
};

/// A place below a root. Make one for a run of paths that are sorted, and drop it after.
#[derive(Debug)]
pub struct Cursor<'r> {
    root: &'r GameRoot,
    /// The folder that was looked for last, and whether it is there.
    folder: Option<(String, Option<OwnedFd>)>,
}

impl<'r> Cursor<'r> {
    pub(super) fn new(root: &'r GameRoot) -> Self {
        Self { root, folder: None }
    }

    /// As [`GameRoot::find`].
    pub fn find(&mut self, path: &str) -> Result<Option<FileStat>, DiskError> {
        const OPERATION: &str = "look at";
        let name = self.enter(OPERATION, path)?;
        let Some(dir) = self.dir() else { return Ok(None) };
        match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(FileStat::from_raw(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(self.root.error(OPERATION, path, errno)),
        }
    }

    /// As [`GameRoot::create_file`], and makes the folders above it.
    pub fn create_file(&mut self, path: &str, executable: bool) -> Result<GameFile, DiskError> {
        const OPERATION: &str = "create";
        let mut name = self.enter(OPERATION, path)?;
        if self.dir().is_none() {
            self.root.make_dirs(parent_of(path))?;
            self.folder = None;
            name = self.enter(OPERATION, path)?;
        }
        let Some(dir) = self.dir() else { return Err(self.root.error(OPERATION, path, Reason::Missing)) };
        let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = self
            .root
            .act(|| DiskOp::Create { path: self.root.whole(path), executable }, || openat(dir, name, flags, mode))
            .map_err(|errno| self.root.error(OPERATION, path, errno))?;
        Ok(self.root.created(fd, path))
    }

    /// Opens the folder of `path` unless it is the open one; gives the name in it.
    fn enter<'p>(&mut self, operation: &'static str, path: &'p str) -> Result<&'p str, DiskError> {
        self.root.check(operation, path)?;
        let parent = parent_of(path);
        if self.folder.as_ref().is_none_or(|(folder, _)| folder != parent) {
            let dir = match self.root.open_dir(operation, parent, OFlags::RDONLY) {
                Ok(dir) => Some(dir),
                Err(error) if matches!(error.reason(), Reason::Missing | Reason::NotAFolder | Reason::Link) => None,
                Err(error) => return Err(error),
            };
            self.folder = Some((parent.to_owned(), dir));
        }
        Ok(path.rsplit_once('/').map_or(path, |(_, name)| name))
    }

    fn dir(&self) -> Option<&OwnedFd> {
        self.folder.as_ref().and_then(|(_, dir)| dir.as_ref())
    }
}
