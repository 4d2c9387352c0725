//! 7z. Its members are compressed together in blocks, so that their order is the archive's own:
//! those with bytes by block, then folders and empty files.

use sevenz_rust2::{Archive, ArchiveEntry, ArchiveReader, Error, Password};

use super::{
    member::{Contents, Fault, Member, MemberKind, Members, Take, kind_of_mode, why_of_io},
    volume::Volumes,
};
use crate::wire::extraction::{Limits, Why};

/// The coder of encrypted blocks, AES-256 with SHA-256.
const AES_ID: [u8; 4] = [6, 0xf1, 7, 1];
/// Says that the upper half of the attributes is a mode of Unix.
const UNIX_EXTENSION: u32 = 0x8000;

/// An open 7z.
pub(super) struct SevenZ {
    reader: ArchiveReader<Volumes>,
}

impl SevenZ {
    pub(super) fn open(mut volumes: Volumes, limits: &Limits) -> Result<Self, Why> {
        let archive = Archive::read(&mut volumes, &Password::empty()).map_err(|error| why_of_7z(&error))?;
        if archive.files.len() as u64 > limits.entries {
            return Err(Why::Entries { max: limits.entries });
        }
        let mut reader = ArchiveReader::from_archive(archive, volumes, Password::empty());
        // Each thread has a dictionary, and how many there are would be for the archive to say.
        reader.set_thread_count(1);
        Ok(Self { reader })
    }
}

impl Members for SevenZ {
    fn each(&mut self, contents: bool, take: &mut Take<'_>) -> Result<(), Fault> {
        if !contents {
            return self.reader.archive().files.iter().try_for_each(|entry| take(member(entry), Contents::None));
        }
        let encrypted = self
            .reader
            .archive()
            .blocks
            .iter()
            .flat_map(|block| &block.coders)
            .any(|coder| coder.encoder_method_id() == AES_ID);
        if encrypted {
            return Err(Why::Password.into());
        }
        let (mut stopped, mut reading) = (None, String::new());
        let ended = self.reader.for_each_entries(|entry, stream| {
            // The library asks on when one block was stopped.
            if stopped.is_some() {
                return Ok(false);
            }
            reading.clone_from(&entry.name);
            let taken = take(member(entry), Contents::Stream(stream)).map_err(|fault| fault.or_of(&entry.name));
            stopped = taken.err();
            Ok(stopped.is_none())
        });
        match (stopped, ended) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) if reading.is_empty() => Err(why_of_7z(&error).into()),
            (None, Err(error)) => Err(Fault::of(&reading, why_of_7z(&error))),
            (None, Ok(())) => Ok(()),
        }
    }
}

fn member(entry: &ArchiveEntry) -> Member {
    let mode = (entry.has_windows_attributes && entry.windows_attributes & UNIX_EXTENSION != 0)
        .then_some(entry.windows_attributes >> 16);
    let kind = if entry.is_anti_item {
        MemberKind::Special { what: "an order to delete" }
    } else if entry.is_directory {
        MemberKind::Folder
    } else {
        let executable = mode.is_some_and(|mode| mode & 0o100 != 0);
        mode.and_then(kind_of_mode).unwrap_or(MemberKind::File { executable })
    };
    Member { name: entry.name.clone(), kind, size: Some(entry.size) }
}

fn why_of_7z(error: &Error) -> Why {
    match error {
        Error::Io(error, _) | Error::FileOpen(error, _) | Error::MaybeBadPassword(error) => why_of_io(error),
        Error::PasswordRequired => Why::Password,
        Error::UnsupportedCompressionMethod(method) if method.contains("AES") => Why::Password,
        Error::UnsupportedCompressionMethod(method) => Why::unsupported(format!("the 7z method {method}")),
        Error::UnsupportedVersion { major, minor } => Why::unsupported(format!("7z version {major}.{minor}")),
        Error::Unsupported(what) => Why::unsupported(what),
        Error::ExternalUnsupported => Why::unsupported("7z with its header elsewhere"),
        Error::MaxMemLimited { .. } => Why::Memory,
        // Its directory stands at the end.
        Error::Other(what) if what.contains("next header offset out of range") => Why::Truncated,
        Error::BadSignature(_)
        | Error::ChecksumVerificationFailed
        | Error::NextHeaderCrcMismatch
        | Error::Other(_)
        | Error::BadTerminatedStreamsInfo(_)
        | Error::BadTerminatedUnpackInfo
        | Error::BadTerminatedPackInfo(_)
        | Error::BadTerminatedSubStreamsInfo
        | Error::BadTerminatedHeader(_)
        | Error::FileNotFound => Why::damaged(error),
    }
}
