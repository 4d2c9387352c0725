//! What every format gives: members, one after the other, in the order of the archive. Which of them
//! are taken and where they go is decided in one place, by `extract`; a format only reads.

use std::{io, io::Read, path::Path};

use crate::{
    io::disk::{DiskError, Reason},
    types::clean,
    wire::extraction::{Spool, Why},
};

/// Longer names are refused by the path rules; a message need not hold them whole.
pub(super) const NAME_CHARS_MAX: usize = 400;

/// An open archive.
pub(super) trait Members {
    /// Hands each member to `take`. With `contents` their bytes come too; without, an archive that
    /// has a directory gives only that, which is quick.
    fn each(&mut self, contents: bool, take: &mut Take<'_>) -> Result<(), Fault>;
}

/// Who takes members.
pub(super) type Take<'t> = dyn FnMut(Member, Contents<'_>) -> Result<(), Fault> + 't;

/// One member, as the archive describes it: nothing of it is checked.
#[derive(Debug)]
pub(super) struct Member {
    /// Its name.
    pub(super) name: String,
    /// What it is.
    pub(super) kind: MemberKind,
    /// Its bytes, where the archive says before.
    pub(super) size: Option<u64>,
}

/// What a member is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum MemberKind {
    /// A regular file.
    File {
        /// Whether it may be run.
        executable: bool,
    },
    /// A folder.
    Folder,
    /// A symbolic link; without a target here, its content is the target.
    Link {
        /// What it points to.
        target: Option<String>,
    },
    /// Another name of a file that came before.
    HardLink {
        /// That file's name.
        target: String,
    },
    /// Something that is no part of a game: a device, a pipe, a deletion.
    Special {
        /// What.
        what: &'static str,
    },
}

/// Where the bytes of a member come from.
pub(super) enum Contents<'c> {
    /// They were not asked for, or there are none.
    None,
    /// Read them here.
    Stream(&'c mut dyn Read),
    /// The format's library writes them into a new file itself, whose path it is given, and says nothing meanwhile.
    #[cfg_attr(not(feature = "rar"), expect(dead_code, reason = "only the library for rar does"))]
    Saved(&'c mut dyn FnMut(&Path) -> Result<(), Why>, Spool),
}

/// What is wrong, and with which member.
#[derive(Debug)]
pub(super) struct Fault {
    /// The member; `None` for the archive as a whole.
    pub(super) member: Option<String>,
    /// What.
    pub(super) why: Why,
}

impl From<Why> for Fault {
    fn from(why: Why) -> Self {
        Self { member: None, why }
    }
}

impl Fault {
    /// Of one member, whose name is made safe to print.
    pub(super) fn of(name: &str, why: Why) -> Self {
        Self { member: Some(clean(name, NAME_CHARS_MAX)), why }
    }

    /// Says which member it is about, unless it is known.
    pub(super) fn or_of(self, name: &str) -> Self {
        if self.member.is_some() { self } else { Self::of(name, self.why) }
    }
}

/// What the kind of a member is by the mode Unix archivers store; `None` for a regular file or no type.
pub(super) fn kind_of_mode(mode: u32) -> Option<MemberKind> {
    match mode & 0o170_000 {
        0o040_000 => Some(MemberKind::Folder),
        0o120_000 => Some(MemberKind::Link { target: None }),
        0o060_000 | 0o020_000 => Some(MemberKind::Special { what: "a device" }),
        0o010_000 => Some(MemberKind::Special { what: "a named pipe" }),
        0o140_000 => Some(MemberKind::Special { what: "a socket" }),
        _ => None,
    }
}

/// What is wrong when the bytes of an archive cannot be read or unpacked.
pub(super) fn why_of_io(error: &io::Error) -> Why {
    if let Some(disk) = error.get_ref().and_then(|inner| inner.downcast_ref::<DiskError>()) {
        return why_of_disk(disk);
    }
    let kind = error.kind();
    if kind == io::ErrorKind::UnexpectedEof {
        Why::Truncated
    } else if kind == io::ErrorKind::OutOfMemory || error.to_string().contains("not enough memory") {
        Why::Memory
    } else {
        Why::damaged(error)
    }
}

/// What is wrong when the disk says no.
pub(super) fn why_of_disk(error: &DiskError) -> Why {
    if matches!(error.reason(), Reason::Truncated) {
        return Why::Truncated;
    }
    Why::Disk { reason: error.to_string(), full: error.is_no_space() }
}
