//! Rars of version 5 made byte by byte, stored as they are.

use rawzip::crc32;

/// A member of a rar of version 5, stored as it is.
#[derive(Clone, Default)]
pub(crate) struct Rarred {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) mode: u64,
    /// A type (1 a symbolic link, 4 a hard link, 5 a copy) and what it leads to.
    pub(crate) redirect: Option<(u64, String)>,
    /// Bits that say whether it began in an earlier volume or goes on in a later one.
    pub(crate) split: u64,
    /// The sum it says, where not its own.
    pub(crate) sum: Option<u32>,
    /// The size it says, where not its own.
    pub(crate) size: Option<u64>,
}

impl Rarred {
    pub(crate) fn new(name: &str, bytes: &[u8]) -> Self {
        Self { name: name.into(), bytes: bytes.into(), mode: 0o100_644, ..Self::default() }
    }
}

/// A rar; with a number, that volume of several, which goes on when `more`.
pub(crate) fn rar(members: &[Rarred], volume: Option<u64>, more: bool) -> Vec<u8> {
    let mut bytes = b"Rar!\x1a\x07\x01\x00".to_vec();
    let archive = match volume {
        None => vec![0],
        Some(0) => vec![1],
        Some(number) => [vec![3], vint(number)].concat(),
    };
    block(&mut bytes, 1, 0, &archive, None, &[]);
    for member in members {
        let mut body = Vec::new();
        body.extend(vint(4));
        body.extend(vint(member.size.unwrap_or(member.bytes.len() as u64)));
        body.extend(vint(member.mode));
        body.extend_from_slice(&member.sum.unwrap_or_else(|| crc32(&member.bytes)).to_le_bytes());
        body.extend(vint(0));
        body.extend(vint(1));
        body.extend(vint(member.name.len() as u64));
        body.extend_from_slice(member.name.as_bytes());
        let extra = member.redirect.as_ref().map(|(kind, target)| {
            let record =
                [vint(5), vint(*kind), vint(0), vint(target.len() as u64), target.clone().into_bytes()].concat();
            [vint(record.len() as u64), record].concat()
        });
        block(&mut bytes, 2, member.split, &body, Some(&member.bytes), &extra.unwrap_or_default());
    }
    block(&mut bytes, 5, 0, &[u8::from(more)], None, &[]);
    bytes
}

fn block(bytes: &mut Vec<u8>, kind: u64, flags: u64, body: &[u8], data: Option<&[u8]>, extra: &[u8]) {
    let flags = flags | u64::from(!extra.is_empty()) | u64::from(data.is_some()) << 1;
    let mut header = [vint(kind), vint(flags)].concat();
    if !extra.is_empty() {
        header.extend(vint(extra.len() as u64));
    }
    if let Some(data) = data {
        header.extend(vint(data.len() as u64));
    }
    header.extend_from_slice(body);
    header.extend_from_slice(extra);
    let counted = [vint(header.len() as u64), header].concat();
    bytes.extend_from_slice(&crc32(&counted).to_le_bytes());
    bytes.extend(counted);
    bytes.extend_from_slice(data.unwrap_or_default());
}

fn vint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
