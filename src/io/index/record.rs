//! What the index keeps of one game: one run of bytes, so that a start reads a thousand of them and not
//! a million rows. Files stand in the order of their paths, each path as what it adds to the one before.
//!
//! ```text
//! whole: u8 (0, 1)      only with 1: content [32], size u64, chunks u32, stamp of the manifest,
//!                       sentinel (u16 and text), dirs (u32 and paths), links (u32, paths with stamps)
//! files: u32            each: path, stamp, flags u8 (1: settled), hash [32]
//! path                  bytes shared with the path before u16, bytes that follow u16, those bytes
//! stamp                 size u64, mtime i64, ctime i64, inode u64
//! check: [32]           the BLAKE3 of all before it
//! ```
//!
//! All numbers are little-endian. What does not read to the end is no record.

use crate::{
    io::disk::Stamp,
    types::{ContentId, FileHash, MANIFEST_ENTRIES_MAX, Sentinel},
};

const CHECK_BYTES: usize = 32;
const SETTLED: u8 = 1;

/// A file as it was when it was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The state it was in.
    pub stamp: Stamp,
    /// Its hash then.
    pub hash: FileHash,
    /// Whether it had been left alone long enough when it was read that a later change must show in its
    /// stamp. One that had not is read again the next time.
    pub settled: bool,
}

/// A build that a root held to the last byte when it was looked at. The files are those of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Whole {
    /// The build.
    pub content: ContentId,
    /// Bytes of all files.
    pub size: u64,
    /// Chunks of all files.
    pub chunks: u32,
    /// The state the stored manifest was in: while it is in that state it says the same.
    pub manifest: Stamp,
    /// The version file as it was.
    pub sentinel: Sentinel,
    /// Its empty folders.
    pub dirs: Vec<String>,
    /// Its links, and the state each was in.
    pub links: Vec<(String, Stamp)>,
}

/// What is known of one game, undamaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    whole: Option<Whole>,
    bytes: Vec<u8>,
    files_at: usize,
    files: u32,
}

/// The bytes of a record. `files` are sorted by path; a whole build is one whose files are all settled.
pub fn encode<'a>(whole: Option<&Whole>, files: impl ExactSizeIterator<Item = (&'a str, &'a Known)>) -> Vec<u8> {
    let mut writer = Writer(Vec::with_capacity(128 + files.len() * 104));
    writer.0.push(u8::from(whole.is_some()));
    if let Some(whole) = whole {
        writer.whole(whole);
    }
    writer.number(files.len() as u32);
    let mut before = "";
    for (path, known) in files {
        writer.path(before, path);
        writer.stamp(&known.stamp);
        writer.0.push(if known.settled { SETTLED } else { 0 });
        writer.0.extend_from_slice(known.hash.as_bytes());
        before = path;
    }
    let check = blake3::hash(&writer.0);
    writer.0.extend_from_slice(check.as_bytes());
    writer.0
}

impl Record {
    /// Reads a record; `None` when it is damaged or of another kind.
    #[must_use]
    pub fn decode(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.len().checked_sub(CHECK_BYTES)?;
        if blake3::hash(&bytes[..end]).as_bytes()[..] != bytes[end..] {
            return None;
        }
        bytes.truncate(end);
        let mut reader = Reader(&bytes);
        let whole = match reader.byte()? {
            0 => None,
            1 => Some(reader.whole()?),
            _ => return None,
        };
        let files = reader.number()?;
        let files_at = end - reader.0.len();
        Some(Self { whole, bytes, files_at, files })
    }

    /// The build the root held entirely, if it did.
    #[must_use]
    pub fn whole(&self) -> Option<&Whole> {
        self.whole.as_ref()
    }

    /// How many files it has.
    #[must_use]
    pub fn file_count(&self) -> u32 {
        self.files
    }

    /// Its files in the order of their paths.
    #[must_use]
    pub fn files(&self) -> Files<'_> {
        Files { reader: Reader(&self.bytes[self.files_at..]), left: self.files, path: String::new() }
    }
}

/// The files of a record, one after the other.
#[derive(Debug)]
pub struct Files<'r> {
    reader: Reader<'r>,
    left: u32,
    path: String,
}

impl Files<'_> {
    /// The next file; its path is lent until the one after it.
    pub fn next(&mut self) -> Option<(&str, Known)> {
        self.left = self.left.checked_sub(1)?;
        self.reader.path(&mut self.path)?;
        let stamp = self.reader.stamp()?;
        let settled = self.reader.byte()? & SETTLED != 0;
        let hash = FileHash::from_bytes(self.reader.take()?);
        Some((&self.path, Known { stamp, hash, settled }))
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn number(&mut self, number: u32) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        // Paths and sentinels are a few KiB at most, by their own types.
        self.0.extend_from_slice(&(text.len() as u16).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn path(&mut self, before: &str, path: &str) {
        let mut shared = before.bytes().zip(path.bytes()).take_while(|(a, b)| a == b).count();
        while !path.is_char_boundary(shared) {
            shared -= 1;
        }
        self.0.extend_from_slice(&(shared as u16).to_le_bytes());
        self.text(&path[shared..]);
    }

    fn stamp(&mut self, stamp: &Stamp) {
        self.0.extend_from_slice(&stamp.size.to_le_bytes());
        self.0.extend_from_slice(&stamp.mtime_ns.to_le_bytes());
        self.0.extend_from_slice(&stamp.ctime_ns.to_le_bytes());
        self.0.extend_from_slice(&stamp.inode.to_le_bytes());
    }

    fn whole(&mut self, whole: &Whole) {
        self.0.extend_from_slice(whole.content.as_bytes());
        self.0.extend_from_slice(&whole.size.to_le_bytes());
        self.number(whole.chunks);
        self.stamp(&whole.manifest);
        self.text(whole.sentinel.as_str());
        self.number(whole.dirs.len() as u32);
        let mut before = "";
        for dir in &whole.dirs {
            self.path(before, dir);
            before = dir;
        }
        self.number(whole.links.len() as u32);
        let mut before = "";
        for (link, stamp) in &whole.links {
            self.path(before, link);
            self.stamp(stamp);
            before = link;
        }
    }
}

#[derive(Debug)]
struct Reader<'r>(&'r [u8]);

impl<'r> Reader<'r> {
    fn take<const LEN: usize>(&mut self) -> Option<[u8; LEN]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take().map(|[byte]| byte)
    }

    fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn text(&mut self) -> Option<&'r str> {
        let len = usize::from(u16::from_le_bytes(self.take()?));
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        str::from_utf8(text).ok() // Damage, like anything else that does not fit.
    }

    /// Makes the path before this one.
    fn path(&mut self, path: &mut String) -> Option<()> {
        let shared = usize::from(u16::from_le_bytes(self.take()?));
        if !path.is_char_boundary(shared) {
            return None;
        }
        path.truncate(shared);
        path.push_str(self.text()?);
        Some(())
    }

    fn stamp(&mut self) -> Option<Stamp> {
        Some(Stamp {
            size: u64::from_le_bytes(self.take()?),
            mtime_ns: i64::from_le_bytes(self.take()?),
            ctime_ns: i64::from_le_bytes(self.take()?),
            inode: u64::from_le_bytes(self.take()?),
        })
    }

    fn whole(&mut self) -> Option<Whole> {
        let content = ContentId::from_bytes(self.take()?);
        let size = u64::from_le_bytes(self.take()?);
        let chunks = self.number()?;
        let manifest = self.stamp()?;
        let sentinel = Sentinel::from_bytes(self.text()?.as_bytes()).ok()?; // Damage.
        let (mut dirs, mut links) = (Vec::new(), Vec::new());
        let mut path = String::new();
        for _ in 0..self.count()? {
            self.path(&mut path)?;
            dirs.push(path.clone());
        }
        path.clear();
        for _ in 0..self.count()? {
            self.path(&mut path)?;
            links.push((path.clone(), self.stamp()?));
        }
        Some(Whole { content, size, chunks, manifest, sentinel, dirs, links })
    }

    fn count(&mut self) -> Option<u32> {
        self.number().filter(|count| *count as usize <= MANIFEST_ENTRIES_MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stamp(size: u64) -> Stamp {
        Stamp { size, mtime_ns: -1, ctime_ns: 7, inode: u64::MAX }
    }

    fn files_of(record: &Record) -> Vec<(String, Known)> {
        let mut files = record.files();
        let mut list = Vec::new();
        while let Some((path, known)) = files.next() {
            list.push((path.to_owned(), known));
        }
        list
    }

    fn check(whole: Option<&Whole>, paths: &std::collections::BTreeSet<String>) {
        let known = |path: &String| Known {
            stamp: stamp(path.len() as u64),
            hash: FileHash::from_bytes([path.len() as u8; 32]),
            settled: path.len().is_multiple_of(2),
        };
        let list: Vec<(String, Known)> = paths.iter().map(|path| (path.clone(), known(path))).collect();
        let bytes = encode(whole, list.iter().map(|(path, known)| (path.as_str(), known)));
        let record = Record::decode(bytes.clone()).unwrap();
        assert_eq!((record.whole(), record.file_count() as usize), (whole, list.len()));
        assert_eq!(files_of(&record), list);
        for damaged in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut bytes = bytes.clone();
            bytes[damaged] ^= 4;
            assert_eq!(Record::decode(bytes), None, "at {damaged}");
        }
        assert_eq!(Record::decode(bytes[..bytes.len() - 1].to_vec()), None);
    }

    proptest! {
        #[test]
        fn a_record_says_what_was_put_into_it(paths in proptest::collection::btree_set("[a-cé€/]{1,12}", 0..40)) {
            check(None, &paths);
        }
    }

    #[test]
    fn a_whole_build_keeps_its_folders_and_links() {
        let whole = Whole {
            content: ContentId::from_bytes([9; 32]),
            size: 1 << 40,
            chunks: 1 << 20,
            manifest: stamp(3),
            sentinel: Sentinel::from_bytes(b"1.0\r\nbuilt by hand\n").unwrap(),
            dirs: ["maps".to_owned(), "maps2/a".to_owned()].into(),
            links: [("bin/run".to_owned(), stamp(5)), ("run".to_owned(), stamp(6))].into(),
        };
        check(Some(&whole), &["a".to_owned(), "ab/c".to_owned()].into());
        check(Some(&Whole { dirs: Vec::new(), links: Vec::new(), ..whole }), &[].into());
        assert_eq!(Record::decode(Vec::new()), None);
    }
}
