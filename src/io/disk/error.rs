//! What can go wrong with a file, told so that a user can do something about it.

use std::{fmt, io, path::Path};

use rustix::io::Errno;

use crate::types::clean;

/// Long enough for any path below a library, short enough for a log line.
const PATH_CHARS_MAX: usize = 4_096;

/// A failed operation on one path.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} `{path}`: {reason}")]
pub struct DiskError {
    operation: &'static str,
    path: String,
    reason: Reason,
}

impl DiskError {
    /// `path` is made safe to print here.
    pub(crate) fn new(operation: &'static str, path: impl fmt::Display, reason: impl Into<Reason>) -> Self {
        Self { operation, path: clean(&path.to_string(), PATH_CHARS_MAX), reason: reason.into() }
    }

    pub(super) fn at(operation: &'static str, root: &Path, path: &str, reason: impl Into<Reason>) -> Self {
        Self::new(operation, root.join(path).display(), reason)
    }

    /// Why it failed.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The path it failed on, without unsafe characters.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether nothing has this path.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self.reason, Reason::Missing)
    }

    /// Whether the file system is full.
    #[must_use]
    pub fn is_no_space(&self) -> bool {
        matches!(self.reason, Reason::NoSpace)
    }
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Nothing has this path.
    #[error("it does not exist")]
    Missing,
    /// The user may not.
    #[error("permission denied; check who owns it and its mode")]
    Denied,
    /// The file system is mounted read-only.
    #[error(
        "the file system is read-only; mount it writable, choose another library with --library, or where potluck runs as a service let `potluck service install` give it this one"
    )]
    ReadOnly,
    /// The file system, or the user's quota on it, is full.
    #[error("no space is left on the file system; free some, `potluck remove` works on a full disk")]
    NoSpace,
    /// Something else than a regular file where a file should be.
    #[error("it is not a regular file")]
    NotRegular,
    /// A file where a folder should be.
    #[error("it, or something on the way to it, is not a folder")]
    NotAFolder,
    /// A folder where a file should be.
    #[error("it is a folder")]
    IsAFolder,
    /// A link where the path must not lead through one.
    #[error("a symbolic link is in the way; links inside games are not followed")]
    Link,
    /// Something of another file system where only one file system may be.
    #[error("another file system is mounted there, and files cannot be moved across; unmount it, or move the game")]
    OtherFileSystem,
    /// A file that the file system cannot hold, however much is free.
    #[error(
        "it has {size} bytes, and {system}, the file system there, stores at most {max} in a file; choose a library on another file system with --library"
    )]
    TooLargeForFileSystem {
        /// Its bytes.
        size: u64,
        /// The file system.
        system: &'static str,
        /// Bytes it can store in a file.
        max: u64,
    },
    /// A file system without symbolic links.
    #[error("the file system cannot store symbolic links, which this game has; choose a library on another one")]
    NoLinks,
    /// A folder that was replaced by another one while it was worked in.
    #[error("the folder was moved or replaced meanwhile; put it back, or begin again")]
    Moved,
    /// A folder that still has something in it.
    #[error("the folder is not empty")]
    NotEmpty,
    /// Something has this path already.
    #[error("it exists already")]
    Exists,
    /// A path with an empty, `.` or `..` part, or an absolute one.
    #[error("the path is not one below a game's folder")]
    BadPath,
    /// More bytes than such a file has.
    #[error("it has more than {max} bytes")]
    TooLong {
        /// Bytes allowed.
        max: usize,
    },
    /// More entries than are looked at.
    #[error("it has more than {max} entries")]
    TooMany {
        /// Entries allowed.
        max: usize,
    },
    /// Too many open files.
    #[error("too many files are open; raise the limit with `ulimit -n`")]
    TooManyOpen,
    /// The file ended early.
    #[error("the file ended before its time")]
    Truncated,
    /// Anything else the system says.
    #[error("{0}")]
    Io(#[source] io::Error),
}

impl From<Errno> for Reason {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::Missing,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::ROFS => Self::ReadOnly,
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace,
            // Opening a socket, or a device nothing stands behind.
            Errno::NXIO | Errno::NODEV => Self::NotRegular,
            Errno::NOTDIR => Self::NotAFolder,
            Errno::ISDIR => Self::IsAFolder,
            // EXDEV is what RESOLVE_BENEATH says of a path that would leave.
            Errno::LOOP | Errno::XDEV => Self::Link,
            Errno::NOTEMPTY => Self::NotEmpty,
            Errno::EXIST => Self::Exists,
            Errno::MFILE | Errno::NFILE => Self::TooManyOpen,
            other => Self::Io(other.into()),
        }
    }
}

impl From<io::Error> for Reason {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Truncated,
            None => Self::Io(error),
        }
    }
}
