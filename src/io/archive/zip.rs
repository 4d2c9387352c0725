//! zip, with zip64. The central directory is what counts; what local headers say beside it is not
//! looked at. Names are UTF-8 where the archive or its system says so, else code page 437.
//!
//! `rawzip` walks the directory record by record and so sees two members of one name, and 300,000
//! members need no more memory than is allowed; what unpacks the members is chosen here.

use std::io::{BufRead, BufReader, Read};

use lzma_rust2::{LzmaReader, XzReader};
use rawzip::{
    CompressionMethod, CreatorSystem, ErrorKind, MAX_CENTRAL_DIRECTORY_RECORD_SIZE, ReaderAt as _, ZipArchive,
    ZipArchiveEntryWayfinder, ZipFileHeaderRecord, ZipLocator, extra_fields::ExtraFieldId,
};

use super::{
    codec::{ZSTD_WINDOW_LOG_MAX, memory_kb},
    cp437,
    member::{Contents, Fault, Member, MemberKind, Members, NAME_CHARS_MAX, Take, kind_of_mode, why_of_io},
    volume::Volumes,
};
use crate::{
    types::clean,
    wire::extraction::{Limits, Why},
};

/// Buffer of compressed bytes of one member.
const READ_BYTES: usize = 64 << 10;
/// What a zip begins with that was split by its own rules, with offsets that count by disk.
const SPANNED: [u8; 4] = *b"PK\x07\x08";

/// An open zip.
pub(super) struct Zip {
    archive: ZipArchive<Volumes>,
    limits: Limits,
}

struct Entry {
    name: String,
    kind: MemberKind,
    size: u64,
    method: CompressionMethod,
    encrypted: bool,
    /// Where its local header begins.
    header: u64,
    way: ZipArchiveEntryWayfinder,
}

impl Zip {
    pub(super) fn open(volumes: Volumes, limits: Limits) -> Result<Self, Why> {
        let mut first = [0; 4];
        volumes.read_exact_at(&mut first, 0).map_err(|error| why_of_io(&error))?;
        if first == SPANNED {
            return Err(Why::unsupported("several parts of a zip (`.z01`)"));
        }
        let end = volumes.size();
        let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let archive = ZipLocator::new()
            .locate_in_reader(volumes, &mut buffer, end)
            .map_err(|(_, error)| why_of_zip(error.into_kind()))?;
        Ok(Self { archive, limits })
    }

    fn entries(&self) -> Result<Vec<Entry>, Fault> {
        let mut buffer = vec![0; MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let mut records = self.archive.entries(&mut buffer);
        let mut entries = Vec::new();
        while let Some(record) = records.next_entry().map_err(|error| why_of_zip(error.into_kind()))? {
            if entries.len() as u64 == self.limits.entries {
                return Err(Why::Entries { max: self.limits.entries }.into());
            }
            entries.push(Entry::new(&record)?);
        }
        Ok(entries)
    }

    /// Refuses members that share bytes: a small zip can so hold one bomb a thousand times.
    fn check_overlaps(&self, entries: &[Entry]) -> Result<(), Fault> {
        let mut ranges = Vec::with_capacity(entries.len());
        for entry in entries {
            let found = self.archive.get_entry(entry.way);
            let found = found.map_err(|error| Fault::of(&entry.name, why_of_zip(error.into_kind())))?;
            let (_, end) = found.compressed_data_range();
            if end > self.archive.get_ref().size() {
                return Err(Fault::of(&entry.name, Why::Truncated));
            }
            ranges.push((entry.header, end, entry));
        }
        ranges.sort_by_key(|(start, ..)| *start);
        for pair in ranges.windows(2) {
            let ((_, end, before), (start, _, entry)) = (&pair[0], &pair[1]);
            if end > start {
                return Err(Fault::of(&entry.name, Why::Overlap { other: clean(&before.name, NAME_CHARS_MAX) }));
            }
        }
        Ok(())
    }

    fn read(&self, entry: Entry, take: &mut Take<'_>) -> Result<(), Fault> {
        if entry.encrypted {
            return Err(Fault::of(&entry.name, Why::Password));
        }
        let found = self.archive.get_entry(entry.way);
        let found = found.map_err(|error| Fault::of(&entry.name, why_of_zip(error.into_kind())))?;
        let packed = BufReader::with_capacity(READ_BYTES, found.reader());
        let unpacked = unpack(entry.method, packed, entry.size, &self.limits);
        let unpacked = unpacked.map_err(|why| Fault::of(&entry.name, why))?;
        // Checks the sum and the size when all was read.
        let mut verified = found.verifying_reader(unpacked);
        take(entry.member(), Contents::Stream(&mut verified))
    }
}

impl Members for Zip {
    fn each(&mut self, contents: bool, take: &mut Take<'_>) -> Result<(), Fault> {
        let entries = self.entries()?;
        self.check_overlaps(&entries)?;
        for entry in entries {
            if contents && entry.kind != MemberKind::Folder {
                self.read(entry, take)?;
            } else {
                take(entry.member(), Contents::None)?;
            }
        }
        Ok(())
    }
}

impl Entry {
    fn new(record: &ZipFileHeaderRecord<'_>) -> Result<Self, Fault> {
        let name = name_of(record)?;
        let mode = record.mode().value();
        let kind = match kind_of_mode(mode) {
            Some(kind) => kind,
            None if name.ends_with('/') => MemberKind::Folder,
            None => MemberKind::File { executable: is_unix(record) && mode & 0o100 != 0 },
        };
        Ok(Self {
            name,
            kind,
            size: record.uncompressed_size_hint(),
            method: record.compression_method(),
            encrypted: record.flags().is_encrypted(),
            header: record.local_header_offset(),
            way: record.wayfinder(),
        })
    }

    fn member(self) -> Member {
        Member { name: self.name, kind: self.kind, size: Some(self.size) }
    }
}

fn is_unix(record: &ZipFileHeaderRecord<'_>) -> bool {
    matches!(record.version_made_by().creator_system(), CreatorSystem::UNIX | CreatorSystem::MACOS)
}

/// The unpacked bytes of a member.
fn unpack<'r>(
    method: CompressionMethod,
    mut packed: impl BufRead + 'r,
    size: u64,
    limits: &Limits,
) -> Result<Box<dyn Read + 'r>, Why> {
    Ok(match method {
        CompressionMethod::STORE => Box::new(packed),
        CompressionMethod::DEFLATE => Box::new(flate2::bufread::DeflateDecoder::new(packed)),
        CompressionMethod::DEFLATE64 => Box::new(deflate64::Deflate64Decoder::with_buffer(packed)),
        CompressionMethod::BZIP2 => Box::new(bzip2::bufread::BzDecoder::new(packed)),
        CompressionMethod::LZMA => {
            // A version, the length of the properties, which is 5, and the properties.
            let mut head = [0; 9];
            packed.read_exact(&mut head).map_err(|error| why_of_io(&error))?;
            let [_, _, 5, 0, properties, dictionary @ ..] = head else {
                return Err(Why::damaged("odd LZMA properties"));
            };
            let dictionary = u32::from_le_bytes(dictionary);
            let needed = lzma_rust2::lzma_get_memory_usage_by_props(dictionary, properties);
            if needed.map_err(|error| why_of_io(&error))? > memory_kb(limits) {
                return Err(Why::Memory);
            }
            let reader = LzmaReader::new_with_props(packed, size, properties, dictionary, None);
            Box::new(reader.map_err(|error| why_of_io(&error))?)
        }
        CompressionMethod::XZ => Box::new(XzReader::new_mem_limit(packed, false, memory_kb(limits))),
        CompressionMethod::ZSTD => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(packed).map_err(|error| why_of_io(&error))?;
            decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| why_of_io(&error))?;
            Box::new(decoder)
        }
        CompressionMethod::AES => return Err(Why::Password),
        other => return Err(Why::unsupported(format!("the zip method {other}"))),
    })
}

/// The name of a member in UTF-8.
fn name_of(record: &ZipFileHeaderRecord<'_>) -> Result<String, Fault> {
    let path = record.file_path();
    let bytes = path.as_bytes();
    // Beside a name in an older code page, Info-ZIP stores it in UTF-8: a version, the sum of the
    // other one, which tells whether somebody renamed only that, and the name.
    let better = record.extra_fields().find_map(|(id, data)| {
        let (sum, name) = data.strip_prefix(&[1])?.split_first_chunk::<4>()?;
        (id == ExtraFieldId::INFO_ZIP_UNICODE_PATH && u32::from_le_bytes(*sum) == rawzip::crc32(bytes)).then_some(name)
    });
    let flagged = record.flags().is_utf8() || better.is_some();
    match std::str::from_utf8(better.unwrap_or(bytes)) {
        Ok(name) if flagged || is_unix(record) => Ok(name.to_owned()),
        Err(_) if flagged => {
            let shown = String::from_utf8_lossy(bytes);
            Err(Fault::of(&shown, Why::Path { reason: "it is said to be UTF-8 and is not".into() }))
        }
        Ok(_) | Err(_) => Ok(cp437::decode(bytes)),
    }
}

fn why_of_zip(kind: ErrorKind) -> Why {
    if let ErrorKind::IO(error) = &kind {
        return why_of_io(error);
    }
    if matches!(kind, ErrorKind::Eof | ErrorKind::MissingEndOfCentralDirectory) {
        return Why::Truncated;
    }
    Why::damaged(kind)
}
