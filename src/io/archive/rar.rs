//! rar, by the library of its author. It writes members itself, into a file whose name we choose and
//! that is looked at before it gets the member's: nothing of what the archive names is a path to it.
//! Behind the feature `rar`, because of its licence and because it is C++.

use std::{
    cell::Cell,
    path::{Path, PathBuf},
    rc::Rc,
};

use unrar::{
    Archive, FileHeader,
    error::{Code, UnrarError, When},
};

use super::member::{Contents, Fault, Member, MemberKind, Members, Take, kind_of_mode};
use crate::wire::extraction::{Spool, Why};

/// An archive that is opened anew for each look.
pub(super) struct Rar {
    /// Of the first volume.
    pub(super) path: PathBuf,
    /// The volume that comes after those that are there.
    pub(super) next: Option<String>,
    /// Bytes of all volumes.
    pub(super) packed: u64,
    /// Members that may be counted.
    pub(super) entries_max: u64,
    /// How far reading has come, for whoever shows progress. The library opens the volumes itself and does not say.
    pub(super) reached: Rc<Cell<u64>>,
}

impl Rar {
    fn why(&self, error: &UnrarError) -> Why {
        match error.code {
            Code::MissingPassword | Code::BadPassword => Why::Password,
            Code::NoMemory => Why::Memory,
            Code::EOpen => match &self.next {
                Some(volume) if error.when != When::Open => Why::NoVolume { volume: volume.clone() },
                Some(_) | None => Why::damaged(error),
            },
            Code::EReference => Why::unsupported("a member that is a copy of another one"),
            Code::UnknownFormat => Why::unsupported("an unknown version of rar"),
            Code::ERead => Why::Truncated,
            Code::ECreate | Code::EWrite | Code::EClose => {
                Why::Disk { reason: format!("cannot write what is in it: {error}"), full: false }
            }
            Code::Success | Code::EndArchive | Code::BadData | Code::BadArchive | Code::SmallBuf | Code::Unknown => {
                Why::damaged(error)
            }
        }
    }

    /// The volumes as one member of as many bytes as all of theirs, as far as can be known: what is wrong with them,
    /// unpacking says, and of which member.
    fn whole(&self) -> Spool {
        let (mut bytes, mut entries) = (0_u64, 0);
        let mut add = |member: Member, _: Contents<'_>| {
            bytes = bytes.saturating_add(member.size.unwrap_or(0));
            entries += 1;
            if entries > self.entries_max { Err(Why::Entries { max: self.entries_max }.into()) } else { Ok(()) }
        };
        let listed = self.list(&mut add);
        Spool { bytes: if listed.is_ok() { bytes } else { 0 }, packed: self.packed }
    }

    fn list(&self, take: &mut Take<'_>) -> Result<(), Fault> {
        let archive = Archive::new(&self.path).open_for_listing().map_err(|error| self.why(&error))?;
        for header in archive {
            take(member(&header.map_err(|error| self.why(&error))?)?, Contents::None)?;
        }
        Ok(())
    }
}

impl Members for Rar {
    fn each(&mut self, contents: bool, take: &mut Take<'_>) -> Result<(), Fault> {
        if !contents {
            return self.list(take);
        }
        let (whole, mut written) = (self.whole(), 0_u64);
        let mut archive = Archive::new(&self.path).open_for_processing().map_err(|error| self.why(&error))?;
        while let Some(found) = archive.read_header().map_err(|error| self.why(&error))? {
            let member = member(found.entry())?;
            let name = member.name.clone();
            if found.entry().is_encrypted() {
                return Err(Fault::of(&name, Why::Password));
            }
            let (mut found, mut saved) = (Some(found), None);
            let mut save = |path: &Path| {
                let found = found.take().ok_or_else(|| Why::damaged("a member was asked for twice"))?;
                saved = Some(found.extract_to(path).map_err(|error| self.why(&error))?);
                Ok(())
            };
            let bytes = member.size.unwrap_or(0);
            written = written.saturating_add(bytes);
            let reached = whole.reached(written);
            let spool = Spool { bytes, packed: reached.saturating_sub(self.reached.get()) };
            take(member, Contents::Saved(&mut save, spool)).map_err(|fault| fault.or_of(&name))?;
            self.reached.set(reached);
            archive = match (saved, found) {
                (Some(archive), _) => archive,
                (None, Some(found)) => found.skip().map_err(|error| Fault::of(&name, self.why(&error)))?,
                (None, None) => return Ok(()),
            };
        }
        Ok(())
    }
}

fn member(header: &FileHeader) -> Result<Member, Fault> {
    let Some(name) = header.filename.to_str() else {
        let shown = header.filename.to_string_lossy().into_owned();
        return Err(Fault::of(&shown, Why::Path { reason: "it is not UTF-8".into() }));
    };
    let kind = if header.is_directory() {
        MemberKind::Folder
    } else {
        let executable = header.file_attr & 0o170_000 == 0o100_000 && header.file_attr & 0o100 != 0;
        kind_of_mode(header.file_attr).unwrap_or(MemberKind::File { executable })
    };
    Ok(Member { name: name.to_owned(), kind, size: Some(header.unpacked_size) })
}
