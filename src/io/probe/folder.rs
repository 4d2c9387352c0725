//! What the file system of a folder can do: by its type, and by trying it in a folder of our own that
//! is gone afterwards.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
};

/// What a file system was seen to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tried {
    /// Whether copies can share their blocks.
    pub reflink: bool,
    /// Whether `A` and `a` are two names.
    pub case_sensitive: bool,
}

/// Types of `statfs` and what they are called; what is not here is `another file system`.
const SYSTEMS: &[(u64, &str)] = &[
    (0xef53, "ext4"),
    (0x9123_683e, "btrfs"),
    (0x5846_5342, "xfs"),
    (0x2fc1_2fc1, "zfs"),
    (0xf2f5_2010, "f2fs"),
    (0xca45_1a4e, "bcachefs"),
    (0x0102_1994, "tmpfs (memory)"),
    (0x794c_7630, "overlayfs"),
    (0x4d44, "FAT"),
    (0x2011_bab0, "exFAT"),
    (0x5346_544e, "NTFS"),
    (0x7366_746e, "NTFS"),
    (0x6969, "NFS"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x6573_5546, "FUSE"),
];
const FAT: &str = "FAT";
/// Those of them whose files may share blocks.
const SHARING: [&str; 4] = ["btrfs", "xfs", "zfs", "bcachefs"];

/// The name of a folder's file system, and the most bytes of a file there.
pub fn system(path: &Path) -> Result<(&'static str, Option<u64>), std::io::Error> {
    #[cfg(target_os = "linux")]
    let kind = rustix::fs::statfs(path)?.f_type as u64;
    #[cfg(not(target_os = "linux"))]
    let kind = fs::metadata(path).map(|_| 0_u64)?;
    let name = SYSTEMS
        .iter()
        .find(|(number, _)| *number == kind & 0xffff_ffff)
        .map_or("another file system", |(_, name)| name);
    Ok((name, (name == FAT).then_some(u32::MAX.into())))
}

/// Whether copies in a folder may share their blocks, by the type of its file system.
pub fn may_share_blocks(path: &Path) -> bool {
    system(path).is_ok_and(|(name, _)| SHARING.contains(&name))
}

/// Tries what the file system of a folder can do; the error is that of making a folder there.
pub fn try_features(path: &Path) -> Result<Tried, std::io::Error> {
    // Hidden, so that no scan takes it for a game.
    let scratch = Scratch::new(path.join(format!(".potluck-doctor-{}", std::process::id())))?;
    let lower = scratch.0.join("a");
    let mut from = OpenOptions::new().read(true).write(true).create_new(true).open(&lower)?;
    from.write_all(&[1; 4_096])?;
    let case_sensitive = fs::symlink_metadata(scratch.0.join("A")).is_err();
    let to = OpenOptions::new().write(true).create_new(true).open(scratch.0.join("copy"))?;
    Ok(Tried { reflink: shares_blocks(&from, &to), case_sensitive })
}

#[cfg(target_os = "linux")]
fn shares_blocks(from: &File, to: &File) -> bool {
    rustix::fs::ioctl_ficlone(to, from).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn shares_blocks(_from: &File, _to: &File) -> bool {
    false
}

/// A folder that goes when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: PathBuf) -> Result<Self, std::io::Error> {
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "cannot remove {}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trying_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let tried = try_features(folder.path()).unwrap();
        assert!(tried.case_sensitive);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        assert!(try_features(&folder.path().join("no")).is_err());
    }

    #[test]
    fn file_systems_have_names() {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            assert_eq!(system(memory).unwrap(), ("tmpfs (memory)", None));
        }
        assert!(system(Path::new("/no/such/folder")).is_err());
    }
}
