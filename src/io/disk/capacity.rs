//! Which sizes of file a file system can store. One that cannot hold the largest file of a game says so
//! only at the byte where it ends, hours into a download; so it is asked before.

#[cfg(target_os = "linux")]
use rustix::fs::fstatfs;

use super::{
    error::{DiskError, Reason},
    root::GameRoot,
};

/// FAT of any width, in what `statfs` calls a type (`MSDOS_SUPER_MAGIC`). exFAT is another.
const FAT_TYPE: u64 = 0x4d44;
/// Sizes have 32 bits there.
const FAT_FILE_BYTES_MAX: u64 = u32::MAX as u64;

impl GameRoot {
    /// An error that names the largest of the files when this root's file system cannot hold it.
    pub fn check_sizes<'a>(&self, files: impl Iterator<Item = (&'a str, u64)>) -> Result<(), DiskError> {
        const OPERATION: &str = "store the file";
        let Some((path, size)) = files.max_by_key(|(_, size)| *size) else { return Ok(()) };
        #[cfg(target_os = "linux")]
        let kind = fstatfs(self.as_fd()).map_err(|errno| self.error(OPERATION, path, errno))?.f_type;
        // Elsewhere the first write beyond the limit says it.
        #[cfg(not(target_os = "linux"))]
        let kind = 0;
        match size_max(kind as u64) {
            Some((system, max)) if size > max => {
                Err(self.error(OPERATION, path, Reason::TooLargeForFileSystem { size, system, max }))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The name of a file system that cannot store every file, and the most bytes of one it can.
fn size_max(kind: u64) -> Option<(&'static str, u64)> {
    (kind == FAT_TYPE).then_some(("FAT", FAT_FILE_BYTES_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_fat_refuses_and_only_what_it_cannot_hold() {
        const EXT4: u64 = 0xef53;
        const EXFAT: u64 = 0x2011_bab0;
        let check = |kind: u64, size: u64, fits: bool| {
            assert_eq!(size_max(kind).is_none_or(|(_, max)| size <= max), fits, "{kind:x} {size}");
        };
        check(FAT_TYPE, (4 << 30) - 1, true);
        check(FAT_TYPE, 4 << 30, false);
        check(EXFAT, 4 << 30, true);
        check(EXT4, u64::MAX, true);
    }

    #[test]
    fn what_is_said_names_the_file_its_size_the_file_system_and_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let root = GameRoot::open(dir.path()).unwrap();
        root.check_sizes([("a", 1), ("big", 1 << 41)].into_iter()).unwrap();
        root.check_sizes(std::iter::empty()).unwrap();
        let reason = Reason::TooLargeForFileSystem { size: 5 << 30, system: "FAT", max: FAT_FILE_BYTES_MAX };
        let text = root.error("store the file", "data/big.pak", reason).to_string();
        for part in ["store the file", "data/big.pak", "5368709120 bytes", "FAT", "4294967295", "--library"] {
            assert!(text.contains(part), "{text} lacks {part}");
        }
    }
}
