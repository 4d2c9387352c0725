//! One game root: every operation on a path below it, each beneath it and through no link.

use std::{
    borrow::Cow,
    ffi::{OsStr, OsString},
    ops::ControlFlow,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{
        AtFlags, Dir, Mode, OFlags, RenameFlags, fstat, fstatvfs, fsync, mkdirat, open, openat, readlinkat, renameat,
        renameat_with, statat, symlinkat, unlinkat, utimensat,
    },
    io::Errno,
};

use super::{
    cursor::Cursor,
    error::{DiskError, Reason},
    fault::{self, DiskOp, Faults},
    file::{FileStat, GameFile, Kind, modified_at},
    resolve::Resolver,
};

/// Bytes copied between two looks at the watcher: short enough to stop at once, long enough to be quick.
const COPY_STEP_BYTES: u64 = 16 << 20;
/// What potluck itself lays down is four folders deep; what a user had and was set aside may be
/// deeper, but each level holds a descriptor.
const REMOVE_DEPTH_MAX: usize = 200;
/// Entries of one folder of ours; a download has at most one file for each entry of a manifest.
const REMOVE_ENTRIES_MAX: usize = 400_000;
/// The folder of potluck's own files in a game root.
const OWN_FOLDER: &str = ".potluck";

/// An open game root. Paths are relative to it, `/`-separated and without `.` and `..` parts; the
/// empty path is the root itself where that makes sense.
#[derive(Debug)]
pub struct GameRoot {
    dir: OwnedFd,
    path: PathBuf,
    resolver: Resolver,
    faults: Option<Arc<Faults>>,
}

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, which may be anything the file system stores.
    pub name: OsString,
    /// What it is.
    pub stat: FileStat,
}

/// The watcher said stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

/// The folder an operation works in and the name in it.
enum Place<'r> {
    Root(BorrowedFd<'r>),
    Below(OwnedFd),
}

impl Place<'_> {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => *fd,
            Self::Below(fd) => fd.as_fd(),
        }
    }
}

impl GameRoot {
    /// Opens a folder the user named as a root. Links on the way to it are the user's own and are followed.
    pub fn open(path: &Path) -> Result<Self, DiskError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = open(path, flags, Mode::empty())
            .map_err(|errno| DiskError::new("open the folder", path.display(), errno))?;
        Ok(Self::from_dir(dir, path.to_owned()))
    }

    pub(super) fn from_dir(dir: OwnedFd, path: PathBuf) -> Self {
        let resolver = Resolver::probe(dir.as_fd());
        Self { dir, path, resolver, faults: None }
    }

    /// The same root with operations that change it counted, and stopped where `faults` says.
    #[must_use]
    pub fn with_faults(mut self, faults: Arc<Faults>) -> Self {
        self.faults = Some(faults);
        self
    }

    /// Another root, with the faults of this one.
    pub(super) fn beside(&self, dir: OwnedFd, path: PathBuf) -> Self {
        Self { faults: self.faults.clone(), ..Self::from_dir(dir, path) }
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.dir.as_fd()
    }

    #[cfg(test)]
    pub(super) fn part_by_part(mut self) -> Self {
        self.resolver = Resolver::PartByPart;
        self
    }

    /// Where it lies, for messages and for starting programs; never to open what is below it.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `path` is. A link is not followed.
    pub fn stat(&self, path: &str) -> Result<FileStat, DiskError> {
        const OPERATION: &str = "look at";
        let stat = if path.is_empty() {
            fstat(&self.dir)
        } else {
            let (place, name) = self.place(OPERATION, path)?;
            statat(place.fd(), name, AtFlags::SYMLINK_NOFOLLOW)
        };
        stat.map(|stat| FileStat::from_raw(&stat)).map_err(|errno| self.error(OPERATION, path, errno))
    }

    /// What `path` is; `None` when nothing is there, also where a file or a link is in the place of one of its folders.
    pub fn find(&self, path: &str) -> Result<Option<FileStat>, DiskError> {
        match self.stat(path) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if matches!(error.reason(), Reason::Missing | Reason::NotAFolder | Reason::Link) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// For many paths one after the other.
    #[must_use]
    pub fn cursor(&self) -> Cursor<'_> {
        Cursor::new(self)
    }

    /// Opens a regular file for reading. Anything else is refused without waiting for it.
    pub fn open_file(&self, path: &str) -> Result<GameFile, DiskError> {
        self.file("open", path, OFlags::RDONLY)
    }

    /// Opens an existing regular file for reading and writing.
    pub fn open_file_to_write(&self, path: &str) -> Result<GameFile, DiskError> {
        self.file("open", path, OFlags::RDWR)
    }

    /// Creates a file for reading and writing; refuses a path that exists.
    pub fn create_file(&self, path: &str, executable: bool) -> Result<GameFile, DiskError> {
        let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
        const OPERATION: &str = "create";
        self.check(OPERATION, path)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOCTTY;
        let fd = self
            .act(
                || DiskOp::Create { path: self.whole(path), executable },
                || self.resolver.open(self.dir.as_fd(), path, flags, mode),
            )
            .map_err(|errno| self.error(OPERATION, path, errno))?;
        Ok(self.created(fd, path))
    }

    /// The bytes of a small file; refuses one with more than `max` bytes after reading `max + 1`.
    pub fn read_file(&self, path: &str, max: usize) -> Result<Vec<u8>, DiskError> {
        let file = self.open_file(path)?;
        let size = usize::try_from(file.stat()?.stamp.size).unwrap_or(usize::MAX);
        // The size is only a first guess: files in /proc say 0, others grow.
        let mut bytes = vec![0; size.min(max) + 1];
        let mut done = 0;
        loop {
            let count = file.read_at(&mut bytes[done..], done as u64)?;
            done += count;
            if done > max {
                return Err(self.error("read", path, Reason::TooLong { max }));
            }
            if done < bytes.len() {
                bytes.truncate(done);
                return Ok(bytes);
            }
            bytes.resize((bytes.len() * 2).min(max + 1), 0);
        }
    }

    /// Makes a folder and those above it; fine when they exist.
    pub fn make_dirs(&self, path: &str) -> Result<(), DiskError> {
        const OPERATION: &str = "make the folder";
        if path.is_empty() {
            return Ok(());
        }
        // Nearly always it, or the folder above, is there already.
        if self.open_dir(OPERATION, path, OFlags::RDONLY).is_ok() {
            return Ok(());
        }
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for end in ends {
            let (place, name) = self.place(OPERATION, &path[..end])?;
            match statat(place.fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => match FileStat::from_raw(&stat).kind {
                    Kind::Folder => {}
                    Kind::Link => return Err(self.error(OPERATION, &path[..end], Reason::Link)),
                    Kind::File | Kind::Fifo | Kind::Socket | Kind::Device | Kind::Unknown => {
                        return Err(self.error(OPERATION, &path[..end], Reason::NotAFolder));
                    }
                },
                Err(Errno::NOENT) => {
                    let make = || mkdirat(place.fd(), name, Mode::from_raw_mode(0o777));
                    match self.act(|| DiskOp::MakeDir { path: self.whole(&path[..end]) }, make) {
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(errno) => return Err(self.error(OPERATION, &path[..end], errno)),
                    }
                }
                Err(errno) => return Err(self.error(OPERATION, &path[..end], errno)),
            }
        }
        Ok(())
    }

    /// Moves a path within the root, replacing a file or link that is at `to`.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let (from_place, from_name) = self.place("move", from)?;
        let (to_place, to_name) = self.place("move to", to)?;
        self.act(
            || DiskOp::Rename { from: self.whole(from), to: self.whole(to) },
            || renameat(from_place.fd(), from_name, to_place.fd(), to_name),
        )
        .map_err(|errno| self.error("move", from, move_reason(errno)))
    }

    /// Moves a path within the root; refuses when something is at `to`.
    pub fn rename_new(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.rename_to_new(from, self, to, || DiskOp::Rename { from: self.whole(from), to: self.whole(to) })
    }

    /// Moves a path to one below another root; refuses when something is there, and when the other root is on
    /// another file system.
    pub fn move_out(&self, from: &str, other: &Self, to: &str) -> Result<(), DiskError> {
        self.rename_to_new(from, other, to, || DiskOp::MoveOut { from: self.whole(from), to: other.whole(to) })
    }

    fn rename_to_new(&self, from: &str, other: &Self, to: &str, op: impl FnOnce() -> DiskOp) -> Result<(), DiskError> {
        let (from_place, from_name) = self.place("move", from)?;
        let (to_place, to_name) = other.place("move to", to)?;
        let rename = || match renameat_with(from_place.fd(), from_name, to_place.fd(), to_name, RenameFlags::NOREPLACE)
        {
            // Some file systems do not know the flag: look first, and accept that looking is not locking.
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                match statat(to_place.fd(), to_name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(_) => Err(Errno::EXIST),
                    Err(_) => renameat(from_place.fd(), from_name, to_place.fd(), to_name),
                }
            }
            result => result,
        };
        self.act(op, rename).map_err(|errno| self.error("move", from, move_reason(errno)))
    }

    /// A folder below this one as a root of its own.
    pub fn below(&self, path: &str) -> Result<Self, DiskError> {
        let dir = self.open_dir("open the folder", path, OFlags::RDONLY)?;
        Ok(self.beside(dir, self.path.join(path)))
    }

    /// Removes a file or a link; fine when it is gone.
    pub fn remove_file(&self, path: &str) -> Result<(), DiskError> {
        self.remove("remove", path, AtFlags::empty(), || DiskOp::Unlink { path: self.whole(path) })
    }

    /// Removes an empty folder; fine when it is gone.
    pub fn remove_dir(&self, path: &str) -> Result<(), DiskError> {
        self.remove("remove the folder", path, AtFlags::REMOVEDIR, || DiskOp::RemoveDir { path: self.whole(path) })
    }

    fn remove(
        &self,
        operation: &'static str,
        path: &str,
        flags: AtFlags,
        op: impl FnOnce() -> DiskOp,
    ) -> Result<(), DiskError> {
        let (place, name) = match self.place(operation, path) {
            Err(error) if error.is_missing() => return Ok(()),
            result => result?,
        };
        match self.act(op, || unlinkat(place.fd(), name, flags)) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // POSIX lets a system say either of a folder that is not empty.
            Err(Errno::EXIST) => Err(self.error(operation, path, Reason::NotEmpty)),
            Err(errno) => Err(self.error(operation, path, errno)),
        }
    }

    /// Removes a path and all below it; fine when it is gone. Links are removed, not followed. It is
    /// for folders of potluck's own: the caller has proof that all of it is ours.
    pub fn remove_tree(&self, path: &str) -> Result<(), DiskError> {
        match self.find(path)? {
            None => return Ok(()),
            Some(stat) if stat.kind != Kind::Folder => return self.remove_file(path),
            Some(_) => {}
        }
        let dir = self.open_dir("remove", path, OFlags::RDONLY)?;
        self.empty_level(&dir, path, 0)?;
        self.remove_dir(path)
    }

    /// Works by descriptors, not by paths: what was set aside may have names that are no text, and
    /// be deeper than a path can be long.
    fn empty_level(&self, dir: &OwnedFd, path: &str, depth: usize) -> Result<(), DiskError> {
        const OPERATION: &str = "remove";
        if depth > REMOVE_DEPTH_MAX {
            return Err(self.error(OPERATION, path, Reason::TooMany { max: REMOVE_DEPTH_MAX }));
        }
        for entry in self.list_dir(OPERATION, dir, path, REMOVE_ENTRIES_MAX)? {
            let name = entry.name.as_os_str();
            let below = || format!("{path}/{}", name.to_string_lossy());
            let is_folder = entry.stat.kind == Kind::Folder;
            let flags = if is_folder {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match openat(dir, name, flags, Mode::empty()) {
                    Ok(inner) => self.empty_level(&inner, &below(), depth + 1)?,
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(self.error(OPERATION, &below(), errno)),
                }
                AtFlags::REMOVEDIR
            } else {
                AtFlags::empty()
            };
            let path = || self.whole(&below());
            let op = || if is_folder { DiskOp::RemoveDir { path: path() } } else { DiskOp::Unlink { path: path() } };
            match self.act(op, || unlinkat(dir, name, flags)) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(self.error(OPERATION, &below(), errno)),
            }
        }
        Ok(())
    }

    /// Makes a symbolic link; refuses a path that exists. The target is data and is not looked at.
    pub fn make_link(&self, path: &str, target: &str) -> Result<(), DiskError> {
        const OPERATION: &str = "make the link";
        let (place, name) = self.place(OPERATION, path)?;
        self.act(
            || DiskOp::MakeLink { path: self.whole(path), target: target.to_owned() },
            || symlinkat(target, place.fd(), name),
        )
        .map_err(|errno| self.error(OPERATION, path, errno))
    }

    /// Says when a link was made. A file system that cannot keep that is no reason to fail.
    pub fn set_link_mtime_ns(&self, path: &str, mtime_ns: i64) -> Result<(), DiskError> {
        const OPERATION: &str = "set the time of";
        let (place, name) = self.place(OPERATION, path)?;
        let set = || utimensat(place.fd(), name, &modified_at(mtime_ns), AtFlags::SYMLINK_NOFOLLOW);
        match self.act(|| DiskOp::SetTime { path: self.whole(path), mtime_ns }, set) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(errno) => Err(self.error(OPERATION, path, errno)),
        }
    }

    /// Refuses a file system without symbolic links, by making one in a folder of ours.
    pub fn check_links(&self, folder: &str) -> Result<(), DiskError> {
        let path = if folder.is_empty() { "link.new".to_owned() } else { format!("{folder}/link.new") };
        self.remove_file(&path)?;
        self.make_link(&path, "nowhere").map_err(|error| {
            // What FAT and its like say; whether the folder may be written to is known by now.
            let cannot = matches!(error.reason(), Reason::Denied | Reason::Io(_));
            if cannot { self.error("make the link", &path, Reason::NoLinks) } else { error }
        })?;
        self.remove_file(&path)
    }

    /// Refuses another root than `other`, such as a new folder of the same name.
    pub fn check_same(&self, other: &Self) -> Result<(), DiskError> {
        let (ours, others) = (self.stat("")?, other.stat("")?);
        let same = ours.stamp.inode == others.stamp.inode && ours.device == others.device;
        if same { Ok(()) } else { Err(self.error("change the game in", "", Reason::Moved)) }
    }

    /// What a symbolic link points to, as stored.
    pub fn read_link(&self, path: &str) -> Result<OsString, DiskError> {
        const OPERATION: &str = "read the link";
        let (place, name) = self.place(OPERATION, path)?;
        let target = readlinkat(place.fd(), name, Vec::new()).map_err(|errno| self.error(OPERATION, path, errno))?;
        Ok(OsStr::from_bytes(target.as_bytes()).to_owned())
    }

    /// The entries of a folder, sorted by the bytes of their names; refuses more than `max` of them.
    /// What vanishes while it is listed is left out.
    pub fn list(&self, path: &str, max: usize) -> Result<Vec<Listed>, DiskError> {
        const OPERATION: &str = "list";
        let dir = self.open_dir(OPERATION, path, OFlags::RDONLY)?;
        self.list_dir(OPERATION, &dir, path, max)
    }

    fn list_dir(
        &self,
        operation: &'static str,
        dir: &OwnedFd,
        path: &str,
        max: usize,
    ) -> Result<Vec<Listed>, DiskError> {
        let entries = Dir::read_from(dir).map_err(|errno| self.error(operation, path, errno))?;
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|errno| self.error(operation, path, errno))?;
            let name = entry.file_name();
            if name.to_bytes() == b"." || name.to_bytes() == b".." {
                continue;
            }
            let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileStat::from_raw(&stat),
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(self.error(operation, path, errno)),
            };
            if listed.len() == max {
                return Err(self.error(operation, path, Reason::TooMany { max }));
            }
            listed.push(Listed { name: OsStr::from_bytes(name.to_bytes()).to_owned(), stat });
        }
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// Makes the names in a folder durable.
    pub fn sync_dir(&self, path: &str) -> Result<(), DiskError> {
        const OPERATION: &str = "sync the folder";
        let dir = self.open_dir(OPERATION, path, OFlags::RDONLY)?;
        self.act(|| DiskOp::SyncDir { path: self.whole(path) }, || fsync(&dir))
            .map_err(|errno| self.error(OPERATION, path, errno))
    }

    /// Makes everything on the root's file system durable.
    pub fn sync_fs(&self) -> Result<(), DiskError> {
        const OPERATION: &str = "sync the file system of";
        #[cfg(target_os = "linux")]
        let sync = || rustix::fs::syncfs(&self.dir);
        #[cfg(not(target_os = "linux"))]
        let sync = || -> Result<(), Errno> {
            rustix::fs::sync();
            Ok(())
        };
        self.act(|| DiskOp::SyncFs { path: self.whole("") }, sync).map_err(|errno| self.error(OPERATION, "", errno))
    }

    /// Writes a small file so that after any crash the path has its old bytes or all of the new ones.
    pub fn write_atomic(&self, path: &str, bytes: &[u8]) -> Result<(), DiskError> {
        // The new bytes wait among potluck's own files, where no scan takes them for payload.
        let temporary: Cow<'_, str> = match path.strip_prefix(OWN_FOLDER) {
            Some(rest) if rest.starts_with('/') => format!("{path}.new").into(),
            Some(_) | None => {
                self.make_dirs(OWN_FOLDER)?;
                let name = path.rsplit('/').next().unwrap_or(path);
                format!("{OWN_FOLDER}/{name}.new").into()
            }
        };
        // Left by a crash: its bytes are worth nothing.
        self.remove_file(&temporary)?;
        let file = self.create_file(&temporary, false)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        self.rename(&temporary, path)?;
        self.sync_dir(parent_of(path))
    }

    /// Bytes a user without privileges can still write on the root's file system.
    pub fn free_space(&self) -> Result<u64, DiskError> {
        let stat = fstatvfs(&self.dir).map_err(|errno| self.error("ask for the free space of", "", errno))?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn file(&self, operation: &'static str, path: &str, flags: OFlags) -> Result<GameFile, DiskError> {
        self.check(operation, path)?;
        // Without O_NONBLOCK a named pipe would wait for its other end.
        let flags = flags | OFlags::NONBLOCK | OFlags::NOCTTY;
        let fd = self
            .resolver
            .open(self.dir.as_fd(), path, flags, Mode::empty())
            .map_err(|errno| self.error(operation, path, errno))?;
        GameFile::new(fd, &self.path, path, operation, self.faults.clone())
    }

    /// A file that was made just now, and so is a regular one.
    pub(super) fn created(&self, fd: OwnedFd, path: &str) -> GameFile {
        GameFile::created(fd, &self.path, path, self.faults.clone())
    }

    pub(super) fn open_dir(&self, operation: &'static str, path: &str, flags: OFlags) -> Result<OwnedFd, DiskError> {
        let path = if path.is_empty() {
            "."
        } else {
            self.check(operation, path)?;
            path
        };
        self.resolver
            .open(self.dir.as_fd(), path, flags | OFlags::DIRECTORY, Mode::empty())
            .map_err(|errno| self.error(operation, path, errno))
    }

    fn place<'p>(&self, operation: &'static str, path: &'p str) -> Result<(Place<'_>, &'p str), DiskError> {
        self.check(operation, path)?;
        match path.rsplit_once('/') {
            None => Ok((Place::Root(self.dir.as_fd()), path)),
            Some((parent, name)) => Ok((Place::Below(self.open_dir(operation, parent, OFlags::RDONLY)?), name)),
        }
    }

    pub(super) fn check(&self, operation: &'static str, path: &str) -> Result<(), DiskError> {
        let sound = path.split('/').all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains('\0'));
        if sound { Ok(()) } else { Err(self.error(operation, path, Reason::BadPath)) }
    }

    /// A path as those who count operations are told it.
    pub(super) fn whole(&self, path: &str) -> String {
        let below = if path.is_empty() { self.path.clone() } else { self.path.join(path) };
        below.to_string_lossy().into_owned()
    }

    pub(super) fn act<T, E: From<Errno>>(
        &self,
        op: impl FnOnce() -> DiskOp,
        run: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        fault::act(self.faults.as_deref(), op, run)
    }

    pub(super) fn error(&self, operation: &'static str, path: &str, reason: impl Into<Reason>) -> DiskError {
        DiskError::at(operation, &self.path, path, reason)
    }
}

/// A path that leads out of a file system is no link when a move says so.
fn move_reason(errno: Errno) -> Reason {
    if errno == Errno::XDEV { Reason::OtherFileSystem } else { errno.into() }
}

/// The folder part of a path; empty at the root.
pub(super) fn parent_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Makes `to`, an empty file, a copy of `from`: by sharing its blocks where the file system can, else
/// by copying. `Ok(Err(Cancelled))` when the watcher, called with the bytes done since its last call, said stop.
pub fn copy_file(
    from: &GameFile,
    to: &GameFile,
    watcher: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Result<(), Cancelled>, DiskError> {
    let size = from.stat()?.stamp.size;
    if reflink(from, to)? {
        return Ok(if watcher(size).is_break() { Err(Cancelled) } else { Ok(()) });
    }
    let mut offset = 0;
    while offset < size {
        let step = COPY_STEP_BYTES.min(size - offset);
        let count = copy_step(from, to, offset, step)?;
        if count == 0 {
            return Err(from.error("copy", Reason::Truncated));
        }
        offset += count;
        if watcher(count).is_break() {
            return Ok(Err(Cancelled));
        }
    }
    Ok(Ok(()))
}

/// Makes `to`, an empty file, share the blocks of `from`; `false` where the file system cannot.
pub fn reflink(from: &GameFile, to: &GameFile) -> Result<bool, DiskError> {
    #[cfg(target_os = "linux")]
    {
        let size = from.stat()?.stamp.size;
        let share = || match to.is_said_to_share() {
            true => copy_unseen(from, to, size),
            false => rustix::fs::ioctl_ficlone(to.as_file(), from.as_file()),
        };
        if to.act(|| from.copied_to(to, 0, size), share).is_ok() {
            return Ok(true);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = from;
    Ok(false)
}

/// What sharing blocks looks like to a test on a file system that cannot.
#[cfg(target_os = "linux")]
fn copy_unseen(from: &GameFile, to: &GameFile, size: u64) -> Result<(), Errno> {
    let (mut read_at, mut write_at) = (0, 0);
    while read_at < size {
        let len = (size - read_at) as usize;
        let (from, to) = (from.as_file(), to.as_file());
        if rustix::fs::copy_file_range(from, Some(&mut read_at), to, Some(&mut write_at), len)? == 0 {
            return Err(Errno::IO);
        }
    }
    Ok(())
}

fn copy_step(from: &GameFile, to: &GameFile, offset: u64, step: u64) -> Result<u64, DiskError> {
    #[cfg(target_os = "linux")]
    {
        let (mut read_at, mut write_at) = (offset, offset);
        let len = usize::try_from(step).unwrap_or(usize::MAX);
        let copy =
            || rustix::fs::copy_file_range(from.as_file(), Some(&mut read_at), to.as_file(), Some(&mut write_at), len);
        match to.act(|| from.copied_to(to, offset, step), copy) {
            Ok(count) if count > 0 => return Ok(count as u64),
            Err(errno @ (Errno::NOSPC | Errno::DQUOT)) => return Err(to.error("copy to", errno)),
            // Some pairs of file systems cannot, or pretend to by copying nothing: do it by hand.
            Ok(_) | Err(_) => {}
        }
    }
    let mut buffer = vec![0; step.min(1 << 20) as usize];
    let count = from.read_at(&mut buffer, offset)?;
    to.write_at(&buffer[..count], offset)?;
    Ok(count as u64)
}

#[cfg(test)]
#[path = "root_tests.rs"]
mod tests;
