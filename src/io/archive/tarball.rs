//! tar, plain or compressed: old, ustar, GNU and pax headers.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use super::{
    codec::Codec,
    member::{Contents, Fault, Member, MemberKind, Members, Take, why_of_io},
    volume::Volumes,
};
use crate::wire::extraction::{Limits, Why};

/// Zeros behind the last member: a tape's block, of which none is this large.
const PADDING_BYTES_MAX: u64 = 16 << 20;

/// An open tar.
pub(super) struct Tarball {
    /// Taken when it is read, which can be once: streams go one way.
    stream: Option<Box<dyn Read>>,
}

impl Tarball {
    pub(super) fn open(volumes: Volumes, codec: Option<Codec>, limits: &Limits) -> Result<Self, Why> {
        let stream = match codec {
            Some(codec) => codec.unpack(volumes, limits)?,
            None => Box::new(volumes),
        };
        Ok(Self { stream: Some(stream) })
    }
}

impl Members for Tarball {
    fn each(&mut self, _contents: bool, take: &mut Take<'_>) -> Result<(), Fault> {
        let stream = self.stream.take().ok_or_else(|| Why::damaged("it was read before"))?;
        let mut archive = tar::Archive::new(stream);
        for entry in archive.entries().map_err(|error| why_of_tar(&error))? {
            let mut entry = entry.map_err(|error| why_of_tar(&error))?;
            if entry.header().entry_type().is_pax_global_extensions() {
                continue;
            }
            let member = member(&mut entry)?;
            let name = member.name.clone();
            take(member, Contents::Stream(&mut entry)).map_err(|fault| fault.or_of(&name))?;
        }
        // The sum of a compressed stream stands at its end, behind the padding.
        let mut padding = archive.into_inner().take(PADDING_BYTES_MAX + 1);
        let padded = io::copy(&mut padding, &mut io::sink()).map_err(|error| why_of_tar(&error))?;
        if padded > PADDING_BYTES_MAX {
            return Err(Why::damaged("it goes on behind its end").into());
        }
        Ok(())
    }
}

fn member<R: Read>(entry: &mut tar::Entry<'_, R>) -> Result<Member, Fault> {
    let name = text(entry.path_bytes())?;
    let target = entry.link_name_bytes().map(text).transpose()?;
    let linked = |target: Option<String>| target.ok_or_else(|| Fault::of(&name, Why::damaged("a link to nothing")));
    let of = entry.header().entry_type();
    let kind = if of.is_file() || of.is_contiguous() || of.is_gnu_sparse() {
        refuse_pax_sparse(entry, &name)?;
        let mode = entry.header().mode().map_err(|error| Fault::of(&name, why_of_tar(&error)))?;
        // Before there were types, folders ended like this.
        if name.ends_with('/') { MemberKind::Folder } else { MemberKind::File { executable: mode & 0o100 != 0 } }
    } else if of.is_dir() {
        MemberKind::Folder
    } else if of.is_symlink() {
        MemberKind::Link { target: Some(linked(target)?) }
    } else if of.is_hard_link() {
        MemberKind::HardLink { target: linked(target)? }
    } else if of.is_character_special() || of.is_block_special() {
        MemberKind::Special { what: "a device" }
    } else if of.is_fifo() {
        MemberKind::Special { what: "a named pipe" }
    } else {
        MemberKind::Special { what: "of a type that is not known" }
    };
    Ok(Member { name, kind, size: Some(entry.size()) })
}

/// The `tar` crate takes the map of such a file for its bytes.
fn refuse_pax_sparse<R: Read>(entry: &mut tar::Entry<'_, R>, name: &str) -> Result<(), Fault> {
    let extensions = entry.pax_extensions().map_err(|error| Fault::of(name, why_of_tar(&error)))?;
    let sparse = extensions.is_some_and(|mut all| {
        all.any(|extension| extension.is_ok_and(|extension| extension.key_bytes().starts_with(b"GNU.sparse.")))
    });
    if sparse { Err(Fault::of(name, Why::unsupported("sparse files of the pax kind"))) } else { Ok(()) }
}

fn text(bytes: Cow<'_, [u8]>) -> Result<String, Fault> {
    String::from_utf8(bytes.into_owned()).map_err(|error| {
        let shown = String::from_utf8_lossy(error.as_bytes()).into_owned();
        Fault::of(&shown, Why::Path { reason: "it is not UTF-8".into() })
    })
}

/// The crate says of an end too early that it is one, but not always by the kind of the error.
fn why_of_tar(error: &io::Error) -> Why {
    let text = error.to_string();
    if text.contains("unexpected EOF") || text.contains("failed to read entire") {
        return Why::Truncated;
    }
    why_of_io(error)
}
