//! The first bytes of a rar, versions 4 and 5, as far as they say whether it is one volume of several,
//! and how volumes are named. It needs no library for rar, so that a potluck without one can say
//! what is missing.

/// Block type of the main header of version 4, and its flags.
const MAIN_4: u8 = 0x73;
const VOLUME_4: u16 = 0x0001;
const NEW_NAMES_4: u16 = 0x0010;
const FIRST_4: u16 = 0x0100;
/// Block type of the main header of version 5, and its flags.
const MAIN_5: u64 = 1;
const HAS_EXTRA_5: u64 = 0x0001;
const VOLUME_5: u64 = 0x0001;
const NUMBERED_5: u64 = 0x0002;

/// What the beginning says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RarHead {
    /// It is one volume of several.
    pub(super) volume: bool,
    /// It says to be the first.
    pub(super) first: bool,
    /// Volumes are `name.part1.rar`, not `name.rar`, `name.r00`.
    pub(super) new_names: bool,
}

impl RarHead {
    /// `None` for what is no rar.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"Rar!\x1a\x07")?;
        let whole = Self { volume: false, first: true, new_names: true };
        match rest {
            [0, _, _, MAIN_4, low, high, ..] => {
                let flags = u16::from_le_bytes([*low, *high]);
                Some(Self {
                    volume: flags & VOLUME_4 != 0,
                    first: flags & FIRST_4 != 0,
                    new_names: flags & NEW_NAMES_4 != 0,
                })
            }
            // Encrypted from the start, or cut off: what reads it will say so.
            [0, ..] => Some(whole),
            [1, 0, _, _, _, _, header @ ..] => Some(Self::of_5(header).unwrap_or(whole)),
            _ => None,
        }
    }

    fn of_5(header: &[u8]) -> Option<Self> {
        let (_size, rest) = number(header)?;
        let (kind, rest) = number(rest)?;
        let (flags, mut rest) = number(rest)?;
        if kind != MAIN_5 {
            return None;
        }
        if flags & HAS_EXTRA_5 != 0 {
            (_, rest) = number(rest)?;
        }
        let (archive, _) = number(rest)?;
        Some(Self { volume: archive & VOLUME_5 != 0, first: archive & NUMBERED_5 == 0, new_names: true })
    }
}

/// A number of version 5: seven bits a byte, the lowest first.
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let len = bytes.iter().take(9).position(|byte| byte & 0x80 == 0)? + 1;
    let value = bytes[..len].iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, &bytes[len..]))
}

/// Whether a name is that of a first volume of old, which did not say so inside.
pub(super) fn is_first_by_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower.ends_with(".rar") && !lower.trim_end_matches(".rar").rsplit('.').next().is_some_and(is_part)
}

fn is_part(word: &str) -> bool {
    word.strip_prefix("part").is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}

/// The name of the volume behind `name`; `None` where there can be none.
pub(super) fn next_name(name: &str, new_names: bool) -> Option<String> {
    if new_names {
        let digits = digits_of(name)?;
        let number: u64 = name[digits.clone()].parse().ok()?;
        let width = digits.len();
        return Some(format!("{}{:0width$}{}", &name[..digits.start], number + 1, &name[digits.end..]));
    }
    let (stem, extension) = name.rsplit_once('.')?;
    let (letter, number) = match extension.as_bytes() {
        [letter, a @ b'0'..=b'9', b @ b'0'..=b'9'] => (*letter, (a - b'0') * 10 + (b - b'0') + 1),
        // `name.rar` is the first, and its successor `name.r00`.
        [letter, ..] => (*letter, 0),
        [] => return None,
    };
    let (letter, number) = if number == 100 { (letter.checked_add(1)?, 0) } else { (letter, number) };
    letter.is_ascii_alphabetic().then(|| format!("{stem}.{}{number:02}", char::from(letter)))
}

/// The last digits of a name before its extension: those that count volumes.
fn digits_of(name: &str) -> Option<std::ops::Range<usize>> {
    let file = name.rfind('/').map_or(0, |at| at + 1);
    let stem = name[file..].rfind('.').map_or(name.len(), |at| file + at);
    let end = name[file..stem].rfind(|c: char| c.is_ascii_digit())? + file + 1;
    let start = name[file..end].rfind(|c: char| !c.is_ascii_digit()).map_or(file, |at| at + file + 1);
    // A character before may have more than one byte.
    let start = (start..end).find(|at| name.is_char_boundary(*at))?;
    Some(start..end)
}

/// What the names of all volumes of one archive share.
pub(super) fn key(name: &str) -> &str {
    match digits_of(name) {
        Some(digits) if name[..digits.start].to_ascii_lowercase().ends_with("part") => &name[..digits.start],
        Some(_) | None => name.rsplit_once('.').map_or(name, |(stem, _)| stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_named_as_rar_does() {
        let new = |name: &str| next_name(name, true).unwrap_or_default();
        assert_eq!(new("a/x.part1.rar"), "a/x.part2.rar");
        assert_eq!(new("x.part09.rar"), "x.part10.rar");
        assert_eq!(new("x.part9.rar"), "x.part10.rar");
        assert_eq!(new("x2.part01.eti"), "x2.part02.eti");
        assert_eq!(new("é7.rar"), "é8.rar");
        assert_eq!(new("1/x.rar"), "");
        let old = |name: &str| next_name(name, false).unwrap_or_default();
        assert_eq!(old("x.rar"), "x.r00");
        assert_eq!(old("x.r00"), "x.r01");
        assert_eq!(old("x.r99"), "x.s00");
        assert_eq!(old("x.z99"), "");
        assert_eq!(old("x"), "");
        assert!(is_first_by_name("a.rar") && is_first_by_name("A.RAR"));
        assert!(!is_first_by_name("a.part2.rar") && !is_first_by_name("a.r00"));
        assert_eq!(key("x.part02.rar"), key("x.part11.rar"));
        assert_eq!(key("x.rar"), key("x.r17"));
    }

    #[test]
    fn heads_say_what_is_a_volume() {
        let head = |bytes: &[u8]| RarHead::of(bytes).map(|head| (head.volume, head.first, head.new_names));
        assert_eq!(head(b"Rar!\x1a\x07\x00..\x73\x11\x01"), Some((true, true, true)));
        assert_eq!(head(b"Rar!\x1a\x07\x00..\x73\x01\x00"), Some((true, false, false)));
        assert_eq!(head(b"Rar!\x1a\x07\x00..\x73\x00\x00"), Some((false, false, false)));
        assert_eq!(head(b"Rar!\x1a\x07\x01\x00crc_\x03\x01\x00\x00"), Some((false, true, true)));
        assert_eq!(head(b"Rar!\x1a\x07\x01\x00crc_\x03\x01\x00\x01"), Some((true, true, true)));
        assert_eq!(head(b"Rar!\x1a\x07\x01\x00crc_\x03\x01\x01\x05\x03\x01"), Some((true, false, true)));
        assert_eq!(head(b"Rar!\x1a\x07\x01\x00crc_\x80"), Some((false, true, true)));
        assert_eq!(head(b"Rar!\x1a\x07\x02"), None);
        assert_eq!(head(b"Rar"), None);
    }
}
