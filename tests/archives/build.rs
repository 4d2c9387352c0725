//! Archives made byte by byte, to say what no tool would.

use std::io::Write as _;

use rawzip::crc32;

/// A member of a zip, as it is told; what is true is up to the test.
#[derive(Clone)]
pub(crate) struct Zipped {
    pub(crate) name: Vec<u8>,
    pub(crate) packed: Vec<u8>,
    pub(crate) size: u32,
    pub(crate) sum: u32,
    pub(crate) method: u16,
    pub(crate) flags: u16,
    /// 3 is Unix.
    pub(crate) system: u8,
    pub(crate) mode: u32,
    pub(crate) extra: Vec<u8>,
}

impl Zipped {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            packed: bytes.into(),
            size: bytes.len() as u32,
            sum: crc32(bytes),
            method: 0,
            flags: 0x800,
            system: 3,
            mode: 0o100_644,
            extra: Vec::new(),
        }
    }

    pub(crate) fn deflated(name: &str, bytes: &[u8]) -> Self {
        let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("into memory");
        let packed = encoder.finish().expect("into memory");
        Self { packed, method: 8, ..Self::new(name, bytes) }
    }

    fn local(&self) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.extend_from_slice(&20u16.to_le_bytes());
        self.shared(&mut bytes);
        bytes.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&self.name);
        bytes.extend_from_slice(&self.packed);
        bytes
    }

    fn shared(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.flags.to_le_bytes());
        bytes.extend_from_slice(&self.method.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&self.sum.to_le_bytes());
        bytes.extend_from_slice(&(self.packed.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&self.size.to_le_bytes());
    }

    /// The record in the directory, for a local header at `offset`.
    pub(crate) fn central(&self, offset: u32) -> Vec<u8> {
        let mut bytes = b"PK\x01\x02".to_vec();
        bytes.extend_from_slice(&[20, self.system, 20, 0]);
        self.shared(&mut bytes);
        bytes.extend_from_slice(&(self.name.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&(self.extra.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&[0; 6]);
        bytes.extend_from_slice(&(self.mode << 16).to_le_bytes());
        bytes.extend_from_slice(&offset.to_le_bytes());
        bytes.extend_from_slice(&self.name);
        bytes.extend_from_slice(&self.extra);
        bytes
    }
}

/// A zip of these members.
pub(crate) fn zip(members: &[Zipped]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        directory.push(member.central(bytes.len() as u32));
        bytes.extend(member.local());
    }
    zip_of(bytes, &directory)
}

/// A zip whose directory says what it likes about the bytes before it. With more than 65,535 members
/// it is a zip64.
pub(crate) fn zip_of(mut bytes: Vec<u8>, directory: &[Vec<u8>]) -> Vec<u8> {
    let (start, count) = (bytes.len() as u64, directory.len() as u64);
    directory.iter().for_each(|record| bytes.extend_from_slice(record));
    let (end, size) = (bytes.len() as u64, bytes.len() as u64 - start);
    if count >= 0xffff {
        bytes.extend_from_slice(b"PK\x06\x06");
        bytes.extend_from_slice(&44u64.to_le_bytes());
        bytes.extend_from_slice(&[45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for number in [count, count, size, start] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        bytes.extend_from_slice(b"PK\x06\x07\0\0\0\0");
        bytes.extend_from_slice(&end.to_le_bytes());
        bytes.extend_from_slice(&1u32.to_le_bytes());
    }
    let short = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
    bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    bytes.extend_from_slice(&short);
    bytes.extend_from_slice(&short);
    bytes.extend_from_slice(&(size as u32).to_le_bytes());
    bytes.extend_from_slice(&(start as u32).to_le_bytes());
    bytes.extend_from_slice(&[0, 0]);
    bytes
}

/// A tar of members: name, type, target, mode and bytes.
pub(crate) fn tar(members: &[(&str, u8, &str, u32, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, kind, target, mode, content) in members {
        bytes.extend(tar_header(name, *kind, target, *mode, content.len() as u64));
        bytes.extend_from_slice(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1_024, 0);
    bytes
}

/// A header with the right sum, whatever it says.
pub(crate) fn tar_header(name: &str, kind: u8, target: &str, mode: u32, size: u64) -> Vec<u8> {
    let mut header = vec![0; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}\0"));
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{size:011o}\0"));
    put(136, "00000000000\0");
    put(148, "        ");
    put(157, target);
    put(257, "ustar\x0000");
    header[156] = kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// A compressed stream of `bytes`.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("into memory");
    encoder.finish().expect("into memory")
}
