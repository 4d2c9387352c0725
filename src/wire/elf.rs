//! What a program of Linux needs to run, read from its file: the kind of machine, the C library's
//! version, other libraries. Anything odd is no answer; every offset is checked and every list ends.

/// What a program needs to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Needs {
    /// The kind of processor, as `uname -m` says it.
    pub machine: String,
    /// The newest version of glibc that it uses something of; `None` when it uses none.
    pub glibc: Option<(u32, u32)>,
    /// Libraries it loads, glibc's own left out.
    pub libraries: Vec<String>,
}

/// Segments, entries and versions of a program; ours has some dozens.
const LIST_MAX: usize = 4_096;
/// A library's name.
const NAME_BYTES_MAX: usize = 256;
/// Parts of glibc, which come with it.
const OF_GLIBC: [&str; 7] =
    ["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "ld-linux"];

const LOADED: u32 = 1;
const DYNAMIC: u32 = 2;
const NEEDED: u64 = 1;
const NAMES: u64 = 5;
const VERSIONS: u64 = 0x6fff_fffe;

impl Needs {
    /// Reads the file of a program for a 64-bit machine whose smallest byte comes first.
    #[must_use]
    pub fn read(file: &[u8]) -> Option<Self> {
        let file = File(file);
        if file.0.get(..6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let machine = machine(file.u16(18)?);
        let mut needs = Self { machine, ..Self::default() };
        let segments = file.segments()?;
        // Without one it is static, and needs nothing.
        let Some(dynamic) = segments.iter().find(|segment| segment.kind == DYNAMIC) else { return Some(needs) };
        let mut entries = Vec::new();
        for at in (dynamic.offset..).step_by(16).take(LIST_MAX) {
            let (tag, value) = (file.u64(at)?, file.u64(at + 8)?);
            if tag == 0 {
                break;
            }
            entries.push((tag, value));
        }
        let place =
            |tag: u64| entries.iter().find(|(of, _)| *of == tag).and_then(|(_, value)| offset_of(&segments, *value));
        let names = place(NAMES)?;
        let libraries = entries.iter().filter(|(tag, _)| *tag == NEEDED);
        for (_, name) in libraries {
            let name = file.name(names, *name)?;
            if !OF_GLIBC.iter().any(|own| name.starts_with(own)) {
                needs.libraries.push(name);
            }
        }
        if let Some(versions) = place(VERSIONS) {
            needs.glibc = file.versions(versions, names)?.iter().filter_map(|version| glibc(version)).max();
        }
        Some(needs)
    }
}

struct File<'a>(&'a [u8]);

struct Segment {
    kind: u32,
    offset: usize,
    address: u64,
    len: u64,
}

impl File<'_> {
    fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at.checked_add(N)?)?.try_into().ok() // It has that length.
    }

    fn u16(&self, at: usize) -> Option<u16> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Option<u32> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Option<u64> {
        self.bytes(at).map(u64::from_le_bytes)
    }

    fn segments(&self) -> Option<Vec<Segment>> {
        let (table, size, count) = (offset(self.u64(32)?)?, self.u16(54)?, self.u16(56)?);
        let segment = |number: u16| {
            let at = table.checked_add(usize::from(number) * usize::from(size))?;
            Some(Segment {
                kind: self.u32(at)?,
                offset: offset(self.u64(at.checked_add(8)?)?)?,
                address: self.u64(at + 16)?,
                len: self.u64(at + 32)?,
            })
        };
        (0..count).take(LIST_MAX).map(segment).collect()
    }

    fn name(&self, names: usize, at: u64) -> Option<String> {
        let rest = self.0.get(names.checked_add(offset(at)?)?..)?;
        let end = rest.iter().take(NAME_BYTES_MAX).position(|byte| *byte == 0)?;
        Some(crate::types::clean(&String::from_utf8_lossy(&rest[..end]), NAME_BYTES_MAX))
    }

    /// The names of all versions that are needed: a list of libraries, each with a list of its own.
    fn versions(&self, mut library: usize, names: usize) -> Option<Vec<String>> {
        let mut versions = Vec::new();
        for _library in 0..LIST_MAX {
            let (count, first, next) = (self.u16(library + 2)?, self.u32(library + 8)?, self.u32(library + 12)?);
            let mut at = library.checked_add(first as usize)?;
            for _version in 0..count {
                versions.push(self.name(names, self.u32(at.checked_add(8)?)?.into())?);
                at = at.checked_add(self.u32(at + 12)? as usize)?;
                if versions.len() > LIST_MAX {
                    return None;
                }
            }
            if next == 0 {
                return Some(versions);
            }
            library = library.checked_add(next as usize)?;
        }
        None
    }
}

fn offset(value: u64) -> Option<usize> {
    // Far from where adding a little would overflow.
    usize::try_from(value).ok().filter(|value| *value < usize::MAX / 2) // More than any file has.
}

fn offset_of(segments: &[Segment], address: u64) -> Option<usize> {
    let around = |s: &&Segment| s.kind == LOADED && address.checked_sub(s.address).is_some_and(|into| into < s.len);
    let segment = segments.iter().find(around)?;
    segment.offset.checked_add(offset(address - segment.address)?)
}

fn machine(number: u16) -> String {
    match number {
        62 => "x86_64".to_owned(),
        183 => "aarch64".to_owned(),
        243 => "riscv64".to_owned(),
        21 => "ppc64le".to_owned(),
        other => format!("machine {other}"),
    }
}

/// `GLIBC_2.34`.
fn glibc(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.strip_prefix("GLIBC_")?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?)) // `GLIBC_PRIVATE`, which no program needs.
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_needs_this_machine() {
        let own = std::fs::read("/proc/self/exe").unwrap();
        let needs = Needs::read(&own).unwrap();
        assert_eq!(needs.machine, std::env::consts::ARCH);
        if cfg!(target_env = "gnu") {
            let (major, minor) = needs.glibc.unwrap();
            assert!(major == 2 && (17..100).contains(&minor), "{needs:?}");
            assert!(!needs.libraries.iter().any(|name| name.starts_with("libc.so")), "{needs:?}");
        }
        // Whatever is missing or changed, it ends without a panic.
        let head = &own[..own.len().min(8_192)];
        for len in (0..head.len()).step_by(61) {
            assert!(Needs::read(&head[..len]).is_none_or(|needs| needs.glibc.is_none()), "{len}");
        }
        let mut odd = own.clone();
        for at in 0..1_024 {
            odd[at] ^= 0xff;
            drop(Needs::read(&odd));
            odd[at] ^= 0xff;
        }
    }

    #[test]
    fn what_is_no_program_needs_nothing() {
        assert_eq!(Needs::read(b""), None);
        assert_eq!(Needs::read(b"#!/bin/sh\n"), None);
        assert_eq!(glibc("GLIBC_2.34"), Some((2, 34)));
        assert_eq!(glibc("GLIBC_2.2.5"), Some((2, 2)));
        assert_eq!(glibc("GLIBCXX_3.4.30"), None);
        assert_eq!(glibc("GLIBC_PRIVATE"), None);
    }
}
