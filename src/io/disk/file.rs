//! An open regular file of a game, and what `stat` says of a path.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::FileExt as _},
    path::Path,
    sync::Arc,
};

use rustix::{
    fs::{
        FallocateFlags, FileType, Mode, RawMode, Stat, Timespec, Timestamps, UTIME_OMIT, fallocate, fchmod, fdatasync,
        fstat, fsync, ftruncate, futimens,
    },
    io::{Errno, retry_on_intr},
};

use super::{
    error::{DiskError, Reason},
    fault::{self, DiskOp, Faults},
};

/// What tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp {
    /// Size in bytes.
    pub size: u64,
    /// Time of the last change of its bytes, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Time of the last change of anything about it, which programs cannot set, in nanoseconds since 1970.
    pub ctime_ns: i64,
    /// Its number on its file system.
    pub inode: u64,
}

/// What kind of thing a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A block or character device.
    Device,
    /// Something this system has and we do not know.
    Unknown,
}

/// What `stat` says of a path, without following a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileStat {
    /// What it is.
    pub kind: Kind,
    /// Which state of it.
    pub stamp: Stamp,
    /// Whether its owner may run it.
    pub executable: bool,
    /// The file system it is on.
    pub device: u64,
    /// Bytes it takes on disk, which are fewer than its size where it has holes.
    pub allocated: u64,
}

impl FileStat {
    #[expect(clippy::unnecessary_cast, reason = "the fields of `stat` have other types on other systems")]
    pub(super) fn from_raw(stat: &Stat) -> Self {
        let kind = match FileType::from_raw_mode(stat.st_mode as _) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Folder,
            FileType::Symlink => Kind::Link,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice | FileType::BlockDevice => Kind::Device,
            _ => Kind::Unknown,
        };
        // Times centuries away stay distinct enough for a stamp; they must only not overflow.
        let time_ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            kind,
            stamp: Stamp {
                size: u64::try_from(stat.st_size).unwrap_or(0),
                mtime_ns: time_ns(stat.st_mtime as i64, stat.st_mtime_nsec as i64),
                ctime_ns: time_ns(stat.st_ctime as i64, stat.st_ctime_nsec as i64),
                inode: stat.st_ino as u64,
            },
            executable: stat.st_mode & 0o100 != 0,
            device: stat.st_dev as u64,
            allocated: (stat.st_blocks as u64).saturating_mul(512),
        }
    }
}

/// Times of which only that of the last change is set, from nanoseconds since 1970.
pub(super) fn modified_at(mtime_ns: i64) -> Timestamps {
    const SECOND_NS: i64 = 1_000_000_000;
    let at = Timespec { tv_sec: mtime_ns.div_euclid(SECOND_NS), tv_nsec: mtime_ns.rem_euclid(SECOND_NS) as _ };
    Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT }, last_modification: at }
}

/// An open regular file below a game root. Every read and write names its offset.
#[derive(Debug)]
pub struct GameFile {
    file: File,
    /// For messages only: a file may be renamed while it is open.
    path: Arc<str>,
    /// What it was when it was opened.
    first: Option<FileStat>,
    faults: Option<Arc<Faults>>,
}

impl GameFile {
    /// Refuses what is not a regular file.
    pub(super) fn new(
        fd: OwnedFd,
        root: &Path,
        path: &str,
        operation: &'static str,
        faults: Option<Arc<Faults>>,
    ) -> Result<Self, DiskError> {
        let stat = fstat(&fd).map_err(|errno| DiskError::at(operation, root, path, errno))?;
        let first = FileStat::from_raw(&stat);
        match first.kind {
            Kind::File => {}
            Kind::Folder => return Err(DiskError::at(operation, root, path, Reason::IsAFolder)),
            Kind::Link | Kind::Fifo | Kind::Socket | Kind::Device | Kind::Unknown => {
                return Err(DiskError::at(operation, root, path, Reason::NotRegular));
            }
        }
        Ok(Self { first: Some(first), ..Self::created(fd, root, path, faults) })
    }

    /// One that was made just now, and so is a regular file.
    pub(super) fn created(fd: OwnedFd, root: &Path, path: &str, faults: Option<Arc<Faults>>) -> Self {
        Self { file: fd.into(), path: root.join(path).to_string_lossy().into(), first: None, faults }
    }

    /// What it was when it was opened: for a file that is looked at right after.
    pub fn stat_at_open(&self) -> Result<FileStat, DiskError> {
        self.first.map_or_else(|| self.stat(), Ok)
    }

    /// What `fstat` says of it.
    pub fn stat(&self) -> Result<FileStat, DiskError> {
        fstat(&self.file).map(|stat| FileStat::from_raw(&stat)).map_err(|errno| self.error("look at", errno))
    }

    /// Reads from `offset` until `buffer` is full or the file ends; gives the bytes read.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        let mut done = 0;
        while done < buffer.len() {
            match self.file.read_at(&mut buffer[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(count) => done += count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.error("read", error)),
            }
        }
        Ok(done)
    }

    /// Writes all of `bytes` at `offset`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), DiskError> {
        self.act(
            || DiskOp::Write { path: self.name(), offset, bytes: bytes.to_vec() },
            || self.file.write_all_at(bytes, offset),
        )
        .map_err(|error| self.error("write", error))
    }

    /// Makes the file `size` bytes long and takes the space for it now, so that it lies together and
    /// the disk cannot be full later; where the file system cannot, the file is sparse.
    pub fn allocate(&self, size: u64) -> Result<(), DiskError> {
        let allocate = || {
            if size > 0 && !self.is_in_memory() {
                // A memory file system gives up at any signal, such as a terminal that is resized.
                match retry_on_intr(|| fallocate(&self.file, FallocateFlags::empty(), 0, size)) {
                    Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => {}
                    result => return result,
                }
            }
            ftruncate(&self.file, size)
        };
        self.act(|| DiskOp::Resize { path: self.name(), size }, allocate)
            .map_err(|errno| self.error("make room in", errno))
    }

    /// Whether its file system is memory: there, making room is filling it with zeros, which takes as
    /// long as writing it, and nothing lies together.
    fn is_in_memory(&self) -> bool {
        #[cfg(target_os = "linux")]
        {
            // As linux/magic.h has it.
            rustix::fs::fstatfs(&self.file).is_ok_and(|stat| stat.f_type == 0x0102_1994)
        }
        #[cfg(not(target_os = "linux"))]
        false
    }

    /// Takes away what the file has beyond `size` bytes.
    pub fn cut(&self, size: u64) -> Result<(), DiskError> {
        if self.stat()?.stamp.size <= size {
            return Ok(());
        }
        self.act(|| DiskOp::Resize { path: self.name(), size }, || ftruncate(&self.file, size))
            .map_err(|errno| self.error("cut", errno))
    }

    /// Sets or clears the right to run it, for whoever may read it.
    pub fn set_executable(&self, executable: bool) -> Result<(), DiskError> {
        let stat = fstat(&self.file).map_err(|errno| self.error("look at", errno))?;
        let mode = stat.st_mode & 0o777;
        let wanted = if executable { mode | (mode & 0o444) >> 2 } else { mode & !0o111 };
        if wanted == mode {
            return Ok(());
        }
        self.set_mode(executable, wanted)
    }

    /// Sets the mode of a file that somebody else wrote to a plain one: without set-uid and the like.
    pub fn make_plain(&self, executable: bool) -> Result<(), DiskError> {
        self.set_mode(executable, if executable { 0o755 } else { 0o644 })
    }

    fn set_mode(&self, executable: bool, mode: RawMode) -> Result<(), DiskError> {
        self.act(|| DiskOp::SetMode { path: self.name(), executable }, || fchmod(&self.file, Mode::from_raw_mode(mode)))
            .map_err(|errno| self.error("change the mode of", errno))
    }

    /// Sets the time of its last change, in nanoseconds since 1970: for a copy that stands for its original.
    pub fn set_mtime_ns(&self, mtime_ns: i64) -> Result<(), DiskError> {
        let times = modified_at(mtime_ns);
        self.act(|| DiskOp::SetTime { path: self.name(), mtime_ns }, || futimens(&self.file, &times))
            .map_err(|errno| self.error("set the time of", errno))
    }

    /// Makes bytes and size durable.
    pub fn sync(&self) -> Result<(), DiskError> {
        self.act(|| DiskOp::SyncFile { path: self.name() }, || fsync(&self.file))
            .map_err(|errno| self.error("sync", errno))
    }

    /// Makes bytes durable, and of the metadata only what reading them back needs.
    pub fn sync_data(&self) -> Result<(), DiskError> {
        self.act(|| DiskOp::SyncFile { path: self.name() }, || fdatasync(&self.file))
            .map_err(|errno| self.error("sync", errno))
    }

    /// The path it was opened by, for messages.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn as_file(&self) -> &File {
        &self.file
    }

    pub(super) fn copied_to(&self, to: &Self, offset: u64, len: u64) -> DiskOp {
        DiskOp::Copy { from: self.name(), to: to.name(), offset, len }
    }

    pub(super) fn act<T, E: From<Errno>>(
        &self,
        op: impl FnOnce() -> DiskOp,
        run: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        fault::act(self.faults.as_deref(), op, run)
    }

    /// Whether a test wants it to share blocks.
    pub(super) fn is_said_to_share(&self) -> bool {
        self.faults.as_ref().is_some_and(|faults| faults.is_sharing())
    }

    fn name(&self) -> String {
        self.path.as_ref().to_owned()
    }

    pub(super) fn error(&self, operation: &'static str, reason: impl Into<Reason>) -> DiskError {
        DiskError::new(operation, &self.path, reason)
    }
}
