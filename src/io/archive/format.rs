//! Which of the files of a payload are archives, told by what they begin with and never by a name,
//! and which of them are volumes of one archive: there the names count, as they do for the tools.

use std::{
    collections::BTreeSet,
    io::{self, Read as _},
};

use super::{
    codec::Codec,
    member::{why_of_disk, why_of_io},
    rar_head::{self, RarHead},
    volume::Volumes,
};
use crate::{
    io::disk::{DiskError, GameRoot},
    wire::extraction::{ArchiveError, Limits, Set, Why},
};

/// A header of tar, and more than the marks of all others need.
const HEAD_BYTES: usize = 512;
/// How far a compressed file that is no tar is looked at for damage: several blocks of bzip2.
const DAMAGE_BYTES_MAX: u64 = 8 << 20;
/// Where tar keeps the sum of its header, as octal digits.
const TAR_SUM: std::ops::Range<usize> = 148..156;

/// What an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Zip,
    SevenZ,
    Tar(Option<Codec>),
    Rar,
}

/// What a file begins as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Head {
    Zip,
    SevenZ,
    Tar,
    Compressed(Codec),
    Rar(RarHead),
}

/// The name of the volume behind the last of those that are known.
type Follow = dyn Fn(&str, usize) -> Option<String>;

/// An archive that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) format: Format,
    pub(super) set: Set,
    /// The name the next volume would have, had it one more.
    pub(super) next: Option<String>,
}

impl Format {
    fn name(self) -> String {
        match self {
            Self::Zip => "zip".into(),
            Self::SevenZ => "7z".into(),
            Self::Tar(None) => "tar".into(),
            Self::Tar(Some(codec)) => format!("tar.{}", codec.suffix()),
            Self::Rar => "rar".into(),
        }
    }
}

/// The archives among `files`, in the order of their names.
pub(super) fn find(root: &GameRoot, files: &[String], limits: &Limits) -> Result<Vec<Found>, ArchiveError> {
    let names: BTreeSet<&str> = files.iter().map(String::as_str).collect();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    // Volumes that are not the first of their archive, until somebody takes them.
    let mut loose: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for &name in &names {
        if taken.contains(name) {
            continue;
        }
        let failed = |why: Why| ArchiveError { archive: name.to_owned(), member: None, why };
        let Some(head) = head_of(root, name).map_err(|error| failed(why_of_disk(&error)))? else { continue };
        if let Head::Rar(RarHead { volume: true, first: false, .. }) = head
            && !rar_head::is_first_by_name(name)
        {
            loose.insert(name);
            continue;
        }
        let (files, next) = volumes(&names, name, head)?;
        let format = match head {
            Head::Zip => Format::Zip,
            Head::SevenZ => Format::SevenZ,
            Head::Tar => Format::Tar(None),
            Head::Rar(_) => Format::Rar,
            Head::Compressed(codec) if holds_tar(root, &files, codec, limits).map_err(failed)? => {
                Format::Tar(Some(codec))
            }
            // One compressed file, which is how the game wants it.
            Head::Compressed(_) => continue,
        };
        taken.extend(files.iter().cloned());
        // By opening each, because that is all that may be done in a folder of archives.
        let sizes = files.iter().map(|file| Ok(root.open_file(file)?.stat_at_open()?.stamp.size));
        let packed = sizes.sum::<Result<u64, DiskError>>().map_err(|error| failed(why_of_disk(&error)))?;
        found.push(Found { format, set: Set { format: format.name(), files, packed }, next });
    }
    match loose.into_iter().find(|name| !taken.contains(*name)) {
        None => Ok(found),
        Some(name) => Err(missing(&found, name)),
    }
}

/// A volume that belongs to no archive: one between it and the first is not there.
fn missing(found: &[Found], name: &str) -> ArchiveError {
    let awaited = found.iter().filter_map(|found| Some((found, found.next.as_deref()?)));
    let mut same = awaited.filter(|(_, next)| rar_head::key(next) == rar_head::key(name));
    let (archive, volume) = match same.next() {
        Some((found, next)) => (found.set.files[0].clone(), next.to_owned()),
        None => (name.to_owned(), "with the beginning".to_owned()),
    };
    ArchiveError { archive, member: None, why: Why::NoVolume { volume } }
}

/// The volumes of the archive that begins with `first`, and the name of one more.
fn volumes(names: &BTreeSet<&str>, first: &str, head: Head) -> Result<(Vec<String>, Option<String>), ArchiveError> {
    let mut files = vec![first.to_owned()];
    let follow: Box<Follow> = match head {
        Head::Rar(RarHead { volume: false, .. }) => return Ok((files, None)),
        Head::Rar(rar) => Box::new(move |last, _| rar_head::next_name(last, rar.new_names)),
        Head::Zip | Head::SevenZ | Head::Tar | Head::Compressed(_) => {
            let Some(stem) = first.strip_suffix(".001").map(str::to_owned) else { return Ok((files, None)) };
            let gap = |number: usize| format!("{stem}.{number:03}");
            let run = (2..).take_while(|number| names.contains(gap(*number).as_str())).count() + 1;
            // One later than the first that is not there says that it should be.
            let later = names.range(first..).take_while(|name| name.starts_with(&stem));
            let last = later.filter_map(|name| numbered(name.strip_prefix(&stem)?)).max().unwrap_or(1);
            if last > run {
                let why = Why::NoVolume { volume: gap(run + 1) };
                return Err(ArchiveError { archive: first.to_owned(), member: None, why });
            }
            Box::new(move |_, count| Some(format!("{stem}.{:03}", count + 1)))
        }
    };
    loop {
        match follow(&files[files.len() - 1], files.len()) {
            Some(next) if names.contains(next.as_str()) && !files.contains(&next) => files.push(next),
            next => return Ok((files, next)),
        }
    }
}

/// 12 for `.012`.
fn numbered(suffix: &str) -> Option<usize> {
    let digits = suffix.strip_prefix('.').filter(|digits| digits.len() >= 3)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

fn head_of(root: &GameRoot, name: &str) -> Result<Option<Head>, DiskError> {
    let mut bytes = [0; HEAD_BYTES];
    let count = root.open_file(name)?.read_at(&mut bytes, 0)?;
    Ok(Head::of(&bytes[..count]))
}

impl Head {
    fn of(bytes: &[u8]) -> Option<Self> {
        let head = match bytes {
            [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] | [b'P', b'K', 7, 8, ..] => Self::Zip,
            [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => Self::SevenZ,
            [0x1f, 0x8b, 8, ..] => Self::Compressed(Codec::Gzip),
            // What comes after the size of its blocks is the mark of a block, or of the end.
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, ..] => Self::Compressed(Codec::Bzip2),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Compressed(Codec::Xz),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Compressed(Codec::Zstd),
            _ => match RarHead::of(bytes) {
                Some(rar) => Self::Rar(rar),
                None if is_tar(bytes) => Self::Tar,
                None => return None,
            },
        };
        Some(head)
    }
}

/// Whether a compressed stream begins as a tar does.
fn holds_tar(root: &GameRoot, files: &[String], codec: Codec, limits: &Limits) -> Result<bool, Why> {
    let volumes = Volumes::open(root, files).map_err(|error| why_of_disk(&error))?;
    let mut stream = codec.unpack(volumes, limits)?;
    let mut bytes = [0; HEAD_BYTES];
    let mut done = 0;
    while done < bytes.len() {
        match stream.read(&mut bytes[done..]).map_err(|error| why_of_io(&error))? {
            0 => break,
            count => done += count,
        }
    }
    let tar = is_tar(&bytes[..done]);
    if !tar {
        // What is damaged may not look like one any more, and bzip2 tells only behind a block.
        io::copy(&mut stream.take(DAMAGE_BYTES_MAX), &mut io::sink()).map_err(|error| why_of_io(&error))?;
    }
    Ok(tar)
}

/// Whether bytes are a header of tar: its sum is right, which chance gets right once in 250,000 times,
/// and it has a name.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..HEAD_BYTES) else { return false };
    let digits: Vec<u8> = header[TAR_SUM].iter().copied().filter(|byte| !matches!(byte, b' ' | 0)).collect();
    let Some(said) = std::str::from_utf8(&digits).ok().and_then(|text| u32::from_str_radix(text, 8).ok()) else {
        return false;
    };
    let rest = header.iter().enumerate().filter(|(at, _)| !TAR_SUM.contains(at)).map(|(_, byte)| u32::from(*byte));
    header[0] != 0 && rest.sum::<u32>() + 8 * u32::from(b' ') == said
}
