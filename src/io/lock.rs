//! Lock files: one runtime a home, one home a library. The lock is the kernel's (`flock`), so it ends
//! with the process however that ends; the number in the file only says whose it is.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, OFlags, flock};

/// A process id has at most seven digits on Linux.
const PID_BYTES_MAX: u64 = 20;

/// A held lock. Dropping it, or dying, lets it go. The file stays: removing it would let two
/// processes hold locks on two files of one name.
#[derive(Debug)]
pub struct LockFile {
    _file: File,
}

impl LockFile {
    /// Takes the lock at once or says who has it.
    pub fn acquire(path: &Path) -> Result<Self, LockError> {
        let failed = |source| LockError::Io { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        // A library may lie where others can write: a link they put there must not make us empty a
        // file of the user's, nor a pipe make us wait.
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
        let mut file = options.read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(LockError::Held { path: path.to_owned(), pid: read_pid(&mut file) });
            }
            Err(errno) => return Err(failed(errno.into())),
        }
        if !file.metadata().map_err(failed)?.is_file() {
            return Err(failed(io::Error::other("it is not a regular file; remove it")));
        }
        file.set_len(0).map_err(failed)?;
        file.rewind().map_err(failed)?;
        match writeln!(file, "{}", std::process::id()) {
            Ok(()) => {}
            // The number is a courtesy, and on a full disk games can still be removed.
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(Self { _file: file })
    }

    /// Who holds the lock at `path` now, if anybody.
    pub fn holder(path: &Path) -> Option<u32> {
        let mut file = File::open(path).ok()?; // No lock file, no holder.
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => None,
            Err(_) => Some(read_pid(&mut file)),
        }
    }
}

/// 0 when the holder has not written its number yet.
fn read_pid(file: &mut File) -> u32 {
    let mut text = String::new();
    match file.take(PID_BYTES_MAX).read_to_string(&mut text) {
        Ok(_) => text.trim().parse().unwrap_or(0),
        Err(_) => 0,
    }
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{path} is held by process {pid}")]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Its holder; 0 when it could not be read.
        pid: u32,
    },
    /// The lock file could not be made or locked.
    #[error("cannot lock {path}: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_in_the_place_of_the_lock_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, mine) = (folder.path().join("lock"), folder.path().join("mine"));
        std::fs::write(&mine, "precious").unwrap();
        std::os::unix::fs::symlink(&mine, &path).unwrap();
        assert!(matches!(LockFile::acquire(&path), Err(LockError::Io { .. })));
        assert_eq!(std::fs::read(&mine).unwrap(), b"precious");
        // A full disk: there is a device for it.
        assert!(LockFile::acquire(Path::new("/dev/full")).is_err());
    }

    #[test]
    fn the_second_is_told_who_was_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        std::fs::write(&path, "999999999999 left over from before").unwrap();
        assert_eq!(LockFile::holder(&path), None);
        let first = LockFile::acquire(&path).unwrap();
        assert!(matches!(LockFile::acquire(&path), Err(LockError::Held { pid, .. }) if pid == std::process::id()));
        assert_eq!(LockFile::holder(&path), Some(std::process::id()));
        drop(first);
        assert!(LockFile::acquire(&path).is_ok());
        assert!(matches!(LockFile::acquire(&folder.path().join("no/lock")), Err(LockError::Io { .. })));
    }
}
