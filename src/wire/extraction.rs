//! What potluck and the child process that reads archives for it say to each other: one line of JSON
//! with the job, then lines of JSON with how it goes, the last of them with how it ended. The child
//! reads what strangers made, so what it says is bounded and believed only as far as it is shown.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::types::clean;

/// Bytes of the line with the job: the paths of a payload, of which there are at most 150,000.
pub const JOB_BYTES_MAX: u64 = 192 << 20;
/// Bytes of a line that the child says.
pub const LINE_BYTES_MAX: usize = 64 << 10;
/// Characters of a detail that came out of an archive or a library that reads them.
const DETAIL_CHARS_MAX: usize = 300;

/// What the child is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The folder with the files.
    pub root: String,
    /// The files below it that may be archives, `/`-separated. Which are, their content says.
    pub files: Vec<String>,
    /// The folder, empty or begun, that the members go into; none to list them only.
    pub staging: Option<String>,
    /// How much of what is allowed.
    pub limits: Limits,
}

/// What the members of all archives of a job may amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of all members.
    pub bytes: u64,
    /// Members, and folders that they imply.
    pub entries: u64,
    /// Times the size of the archive that its members may have, beyond `free_bytes`.
    pub ratio: u64,
    /// Bytes of members for which no ratio holds.
    pub free_bytes: u64,
    /// Seconds until it is given up.
    pub seconds: u64,
    /// Bytes of memory of the child.
    pub memory: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // What one manifest may have.
            bytes: 2 << 40,
            entries: 200_000,
            // Games come at 1 : 1 to 1 : 5; zeros in deflate come at 1 : 1,030.
            ratio: 100,
            // A small archive of a level editor's empty maps is no bomb.
            free_bytes: 1 << 30,
            // 2 TiB at 100 MB/s.
            seconds: 6 * 3_600,
            // The largest dictionary of 7z's own presets is 1.5 GiB.
            memory: 3 << 30,
        }
    }
}

/// What the child says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Line {
    /// It works, confined as far as could be.
    Confined {
        /// What it could not deny itself; empty is best.
        missing: Vec<String>,
    },
    /// It found an archive.
    Archive(Set),
    /// A member, when it only lists.
    Member {
        /// Where it will be.
        path: String,
        /// Its bytes, as declared.
        size: u64,
    },
    /// How far it is; at most 10 times a second.
    Progress(Progress),
    /// The job is done.
    Done(Totals),
    /// The job has failed; what was extracted is worth nothing.
    Failed(ArchiveError),
}

/// An archive: one file, or the volumes it is split into, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Set {
    /// What it is, for people: `zip`, `tar.gz`.
    pub format: String,
    /// Its files.
    pub files: Vec<String>,
    /// Their bytes.
    pub packed: u64,
}

/// How far a job is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes of members so far.
    pub bytes: u64,
    /// Members so far.
    pub entries: u64,
    /// Bytes of archives read so far.
    pub packed_done: u64,
    /// Bytes of archives in all: what a bar is drawn from.
    pub packed_total: u64,
    /// The archive that is read.
    pub archive: String,
    /// The member that is written.
    pub member: String,
    /// Where a library writes that by itself, and can say nothing meanwhile: what its file will come to.
    #[serde(default)]
    pub spool: Option<Spool>,
}

/// A member that a format's library writes by itself. How far it is, the size of its file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spool {
    /// Bytes it will have.
    pub bytes: u64,
    /// Bytes of the archive that it stands for.
    pub packed: u64,
}

impl Spool {
    /// The bytes of the archive that stand for `written` bytes of the member.
    #[must_use]
    pub fn reached(&self, written: u64) -> u64 {
        let part = u128::from(self.packed) * u128::from(written.min(self.bytes));
        // Not more than `packed`.
        part.checked_div(self.bytes.into()).map_or(0, |reached| reached as u64)
    }
}

/// What a job came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Archives.
    pub archives: u64,
    /// Files.
    pub files: u64,
    /// Folders that were listed.
    pub folders: u64,
    /// Symbolic links.
    pub links: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Members that were left out, such as device nodes; the first few, with why.
    pub dropped: Vec<String>,
    /// How many were left out.
    pub dropped_count: u64,
}

/// Why an archive cannot be had, said of one member where it is about one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveError {
    /// The archive's first file.
    pub archive: String,
    /// The member's name, safe to print.
    pub member: Option<String>,
    /// What is wrong.
    pub why: Why,
}

/// What is wrong with an archive, a member, or the place they go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// It is encrypted.
    #[error("it needs a password; extract it by hand, and add the folder")]
    Password,
    /// It ends early.
    #[error("it ends before its time; compare it with `potluck verify`, or get it anew from whoever made it")]
    Truncated,
    /// It contradicts itself or its checksums.
    #[error("it is damaged ({detail}); compare it with `potluck verify`, or get it anew from whoever made it")]
    Damaged {
        /// What its reader says.
        detail: String,
    },
    /// Its content is of no format that is known.
    #[error("it is none of zip, 7z, tar and rar")]
    Unknown,
    /// It uses something that this potluck cannot read.
    #[error("it uses {what}, which potluck does not read; extract it by hand, and add the folder")]
    Unsupported {
        /// The method or feature.
        what: String,
    },
    /// It is a rar, and this potluck was built without.
    #[error(
        "it is a rar archive, and this potluck was built without the feature `rar`; build it anew with it, or extract the archive by hand"
    )]
    NoRar,
    /// A volume of a split archive is not there.
    #[error("its volume {volume} is missing; put it beside the others")]
    NoVolume {
        /// The volume's file or number.
        volume: String,
    },
    /// The member's name would leave the folder, or cannot be stored everywhere.
    #[error("its name is refused: {reason}")]
    Path {
        /// Which rule.
        reason: String,
    },
    /// Two members have one path, or paths that some file system takes for one.
    #[error("`{other}` is there already, and not every file system can have both")]
    Twin {
        /// What was there first.
        other: String,
    },
    /// A symbolic link that leads outside.
    #[error("it is a symbolic link to `{target}`, which is outside the folder or an odd path")]
    Link {
        /// Where it points to.
        target: String,
    },
    /// A hard link to something that is no file before it.
    #[error("it is a hard link to `{target}`, which is no file that came before it in the archive")]
    HardLink {
        /// What it names.
        target: String,
    },
    /// Two members share bytes of the archive.
    #[error("it shares bytes of the archive with `{other}`, as bombs do")]
    Overlap {
        /// The other member.
        other: String,
    },
    /// It has more or fewer bytes than it says.
    #[error("it says to have {declared} bytes and has {found}")]
    Size {
        /// What it says.
        declared: u64,
        /// What there was when reading stopped.
        found: String,
    },
    /// More bytes than allowed.
    #[error("its members have more than {max} bytes")]
    Bytes {
        /// Bytes allowed.
        max: u64,
    },
    /// More members than allowed.
    #[error("it has more than {max} members")]
    Entries {
        /// Members allowed.
        max: u64,
    },
    /// It grows like a bomb.
    #[error("its members are more than {max} times as large as it is, as in bombs")]
    Ratio {
        /// Times allowed.
        max: u64,
    },
    /// It takes too long.
    #[error("it was not done after {max} seconds")]
    Seconds {
        /// Seconds allowed.
        max: u64,
    },
    /// It needs too much memory.
    #[error("reading it needs more memory than it may have; extract it by hand, and add the folder")]
    Memory,
    /// The disk says no.
    #[error("{reason}")]
    Disk {
        /// What and why.
        reason: String,
        /// Whether there is no space.
        full: bool,
    },
}

impl Why {
    /// Damage, told in the words of the library that found it.
    #[must_use]
    pub fn damaged(detail: impl fmt::Display) -> Self {
        Self::Damaged { detail: clean(&detail.to_string(), DETAIL_CHARS_MAX) }
    }

    /// Something that cannot be read.
    #[must_use]
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::Unsupported { what: clean(&what.to_string(), DETAIL_CHARS_MAX) }
    }
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.member {
            Some(member) => write!(f, "`{member}` in the archive `{}`: {}", self.archive, self.why),
            None => write!(f, "the archive `{}`: {}", self.archive, self.why),
        }
    }
}

impl std::error::Error for ArchiveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_read_what_they_write() {
        let error = ArchiveError { archive: "a.zip".into(), member: Some("x".into()), why: Why::Entries { max: 3 } };
        for line in [
            Line::Confined { missing: vec!["network".into()] },
            Line::Archive(Set { format: "zip".into(), files: vec!["a.zip".into()], packed: 7 }),
            Line::Member { path: "a/b".into(), size: 1 },
            Line::Progress(Progress::default()),
            Line::Done(Totals { files: 3, ..Totals::default() }),
            Line::Failed(error),
        ] {
            let text = serde_json::to_string(&line).unwrap();
            assert!(!text.contains('\n'));
            assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line, "{text}");
        }
    }

    #[test]
    fn an_error_names_the_archive_the_member_and_what_to_do() {
        let error = ArchiveError { archive: "a.zip".into(), member: Some("b".into()), why: Why::Password };
        let text = error.to_string();
        assert!(text.contains("a.zip") && text.contains("`b`") && text.contains("by hand"), "{text}");
        assert_eq!(Why::damaged("a\x1b[2Jb"), Why::Damaged { detail: "a[2Jb".into() });
    }
}
