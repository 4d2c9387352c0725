//! Opens a path beneath a folder without following links: by `openat2` where the kernel has it, else
//! part by part with `O_NOFOLLOW`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, openat, statat},
    io::Errno,
};

/// A rename elsewhere can make the kernel give up once; this many times in a row it is not chance.
#[cfg(target_os = "linux")]
const RACES_MAX: u32 = 16;

/// How paths are opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resolver {
    /// One system call that refuses to leave or to follow.
    #[cfg(target_os = "linux")]
    Beneath,
    /// Each folder in turn: older kernels, and sandboxes that hide the call.
    PartByPart,
}

impl Resolver {
    /// The best way this system has.
    #[cfg(target_os = "linux")]
    pub(super) fn probe(dir: BorrowedFd<'_>) -> Self {
        match beneath(dir, ".", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
            Ok(_) => Self::Beneath,
            Err(_) => Self::PartByPart,
        }
    }

    /// The best way this system has.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn probe(_dir: BorrowedFd<'_>) -> Self {
        Self::PartByPart
    }

    /// Opens `path`, whose parts were checked, below `dir`. `O_CLOEXEC` and `O_NOFOLLOW` are added.
    pub(super) fn open(self, dir: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        match self {
            #[cfg(target_os = "linux")]
            Self::Beneath => beneath(dir, path, flags, mode),
            Self::PartByPart => part_by_part(dir, path, flags, mode),
        }
    }
}

#[cfg(target_os = "linux")]
fn beneath(dir: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};

    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    for _ in 0..RACES_MAX {
        match openat2(dir, path, flags, mode, resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            result => return result,
        }
    }
    Err(Errno::AGAIN)
}

fn part_by_part(dir: BorrowedFd<'_>, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    let mut held: Option<OwnedFd> = None;
    let (folders, name) = path.rsplit_once('/').map_or((None, path), |(folders, name)| (Some(folders), name));
    for part in folders.into_iter().flat_map(|folders| folders.split('/')) {
        let at = held.as_ref().map_or(dir, |fd| fd.as_fd());
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = openat(at, part, flags, Mode::empty()).map_err(|errno| or_link(at, part, errno))?;
        held = Some(next);
    }
    let at = held.as_ref().map_or(dir, |fd| fd.as_fd());
    openat(at, name, flags, mode).map_err(|errno| or_link(at, name, errno))
}

/// A link that was to be opened as a folder is reported as "not a folder"; say that it is a link.
fn or_link(at: BorrowedFd<'_>, part: &str, errno: Errno) -> Errno {
    if errno != Errno::NOTDIR {
        return errno;
    }
    match statat(at, part, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => Errno::LOOP,
        Ok(_) | Err(_) => errno,
    }
}
