//! The bytes of an archive: those of one file, or of the volumes that a plain split has cut it into.

use std::{
    cell::Cell,
    io::{self, Read, Seek, SeekFrom},
    rc::Rc,
};

use rawzip::ReaderAt;

use crate::io::disk::{DiskError, GameFile, GameRoot};

/// Bytes read ahead for who asks for few.
const AHEAD_BYTES: usize = 64 << 10;

/// Files that are read as one.
#[derive(Debug)]
pub(super) struct Volumes {
    /// Each with the offset of its first byte; never empty.
    files: Vec<(u64, GameFile)>,
    bytes: u64,
    position: u64,
    /// Bytes around the position, and where they begin: some decoders ask for one byte at a time, and
    /// seek to where they are before each.
    ahead: Vec<u8>,
    ahead_at: u64,
    /// The end of what was read farthest: how far a job is.
    reached: Rc<Cell<u64>>,
}

impl Volumes {
    /// Opens the files below `root`.
    pub(super) fn open(root: &GameRoot, paths: &[String]) -> Result<Self, DiskError> {
        let mut files = Vec::with_capacity(paths.len());
        let mut bytes = 0;
        for path in paths {
            let file = root.open_file(path)?;
            let size = file.stat_at_open()?.stamp.size;
            files.push((bytes, file));
            bytes += size;
        }
        Ok(Self { files, bytes, position: 0, ahead: Vec::new(), ahead_at: 0, reached: Rc::default() })
    }

    /// Bytes of all of them.
    pub(super) fn size(&self) -> u64 {
        self.bytes
    }

    /// Bytes that follow the position; none at the end.
    fn ahead(&mut self) -> io::Result<&[u8]> {
        let held = self.ahead_at..self.ahead_at + self.ahead.len() as u64;
        if !held.contains(&self.position) {
            let mut ahead = std::mem::take(&mut self.ahead);
            ahead.resize(AHEAD_BYTES, 0);
            let count = self.read_at(&mut ahead, self.position)?;
            ahead.truncate(count);
            (self.ahead, self.ahead_at) = (ahead, self.position);
        }
        let from = usize::try_from(self.position - self.ahead_at).unwrap_or(usize::MAX);
        Ok(self.ahead.get(from..).unwrap_or_default())
    }

    /// How far reading has come, for whoever shows progress.
    pub(super) fn reached(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.reached)
    }
}

impl ReaderAt for Volumes {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.bytes || buffer.is_empty() {
            return Ok(0);
        }
        let number = self.files.partition_point(|(start, _)| *start <= offset).saturating_sub(1);
        // Empty files share their start with the next one; the last start not beyond the offset is right.
        let (start, file) = &self.files[number];
        let end = self.files.get(number + 1).map_or(self.bytes, |(next, _)| *next);
        let len = usize::try_from(end - offset).unwrap_or(usize::MAX).min(buffer.len());
        let count = file.read_at(&mut buffer[..len], offset - start).map_err(io::Error::other)?;
        if count == 0 {
            // The file was cut since it was opened.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.reached.set(self.reached.get().max(offset + count as u64));
        Ok(count)
    }
}

impl Read for Volumes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = if buffer.len() >= AHEAD_BYTES {
            self.read_at(buffer, self.position)?
        } else {
            let ahead = self.ahead()?;
            let count = ahead.len().min(buffer.len());
            buffer[..count].copy_from_slice(&ahead[..count]);
            count
        };
        self.position += count as u64;
        Ok(count)
    }
}

impl Seek for Volumes {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.bytes.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = position.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_read_as_one_file() {
        let dir = tempfile::tempdir().unwrap();
        for (name, bytes) in [("a.001", "hel"), ("a.002", ""), ("a.003", "lo wor"), ("a.004", "ld")] {
            std::fs::write(dir.path().join(name), bytes).unwrap();
        }
        let root = GameRoot::open(dir.path()).unwrap();
        let paths = ["a.001", "a.002", "a.003", "a.004"].map(str::to_owned);
        let mut volumes = Volumes::open(&root, &paths).unwrap();
        assert_eq!(volumes.size(), 11);
        let mut text = String::new();
        volumes.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello world");
        assert_eq!(volumes.reached().get(), 11);
        for at in [7, 0, 10, 3] {
            let mut one = [0];
            volumes.seek(SeekFrom::Start(at)).unwrap();
            volumes.read_exact(&mut one).unwrap();
            assert_eq!(one[0], b"hello world"[at as usize]);
        }
        volumes.seek(SeekFrom::End(-4)).unwrap();
        let mut rest = [0; 4];
        volumes.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"orld");
        assert!(volumes.seek(SeekFrom::Current(-99)).is_err());
        assert_eq!(volumes.read_at(&mut rest, 99).unwrap(), 0);
    }
}
