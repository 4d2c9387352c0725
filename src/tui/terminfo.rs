//! How many colours the terminal has by its entry in the terminfo database: the compiled file that
//! `TERM` names, read as `term(5)` describes it. Of the many things in it only this is looked at,
//! because for the rest every terminal of the last twenty years understands the same.

use std::path::{Path, PathBuf};

use super::theme::ColorDepth;

/// Where entries lie, after what the environment says.
const FOLDERS: [&str; 4] = ["/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo", "/usr/lib/terminfo"];
/// No entry is nearly so long.
const FILE_BYTES_MAX: u64 = 1 << 16;
/// The first bytes of a file with numbers of 16 bits, and of one with numbers of 32.
const MAGIC_SHORT: u16 = 0o432;
const MAGIC_LONG: u16 = 0o1036;
/// The place of `max_colors` among the numbers.
const MAX_COLORS: usize = 13;
/// Extended capabilities that say that each colour can be named by its red, green and blue.
const DIRECT: [&[u8]; 3] = [b"RGB", b"Tc", b"setrgbf"];

/// The colours of the terminal that the environment names; `None` where the database does not know it.
pub(super) fn colors(variable: impl Fn(&str) -> Option<String>) -> Option<ColorDepth> {
    let term = variable("TERM").filter(|term| !term.is_empty() && !term.contains('/'))?;
    folders(variable).iter().find_map(|folder| read(folder, &term)).and_then(|entry| depth(&entry))
}

fn folders(variable: impl Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut folders: Vec<PathBuf> = set("TERMINFO").map(PathBuf::from).into_iter().collect();
    folders.extend(set("HOME").map(|home| Path::new(&home).join(".terminfo")));
    let listed = set("TERMINFO_DIRS").unwrap_or_default();
    folders.extend(listed.split(':').filter(|folder| !folder.is_empty()).map(PathBuf::from));
    folders.extend(FOLDERS.map(PathBuf::from));
    folders
}

/// An entry lies below its first letter, or below the number of that where letters have no case.
fn read(folder: &Path, term: &str) -> Option<Vec<u8>> {
    let first = term.chars().next()?;
    [first.to_string(), format!("{:x}", u32::from(first))].iter().find_map(|below| {
        let path = folder.join(below).join(term);
        let length = std::fs::metadata(&path).ok()?.len(); // Then the next folder may have it.
        (length <= FILE_BYTES_MAX).then(|| std::fs::read(path).ok())?
    })
}

/// What an entry says; `None` where it is no entry.
fn depth(entry: &[u8]) -> Option<ColorDepth> {
    let (_, rest) = take(entry, 12)?;
    let [magic, names, flags, numbers, strings, table] = shorts(entry)?;
    let number_bytes = match magic {
        MAGIC_SHORT => 2,
        MAGIC_LONG => 4,
        _ => return None,
    };
    // Numbers begin at an even place.
    let texts = usize::from(names) + usize::from(flags);
    let (_, rest) = take(rest, texts + texts % 2)?;
    let (found, rest) = take(rest, usize::from(numbers) * number_bytes)?;
    let max_colors = found.chunks_exact(number_bytes).nth(MAX_COLORS).map_or(-1, number);
    let (_, rest) = take(rest, usize::from(strings) * 2 + usize::from(table) + usize::from(table) % 2)?;
    // A flag that stands there for false would be strange; none is known.
    let direct = rest.split(|byte| *byte == 0).any(|name| DIRECT.contains(&name));
    Some(match max_colors {
        _ if direct => ColorDepth::True,
        ..8 => ColorDepth::Mono,
        8..256 => ColorDepth::Ansi16,
        256.. => ColorDepth::Indexed256,
    })
}

fn take(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    (bytes.len() >= length).then(|| bytes.split_at(length))
}

fn shorts<const N: usize>(bytes: &[u8]) -> Option<[u16; N]> {
    let mut shorts = [0; N];
    for (short, pair) in shorts.iter_mut().zip(take(bytes, N * 2)?.0.chunks_exact(2)) {
        *short = u16::from_le_bytes([pair[0], pair[1]]);
    }
    Some(shorts)
}

fn number(bytes: &[u8]) -> i64 {
    match *bytes {
        [low, high] => i16::from_le_bytes([low, high]).into(),
        [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An entry with this many colours and these extended names.
    fn entry(magic: u16, max_colors: i32, extended: &[&str]) -> Vec<u8> {
        let names = b"test|a terminal\0";
        let numbers = vec![-1; MAX_COLORS].into_iter().chain([max_colors]);
        let header = [magic, names.len() as u16, 3, MAX_COLORS as u16 + 1, 1, 3];
        let mut bytes: Vec<u8> = header.iter().flat_map(|short| short.to_le_bytes()).collect();
        bytes.extend(names);
        bytes.extend([0, 1, 0, 0]);
        for number in numbers {
            if magic == MAGIC_LONG {
                bytes.extend(number.to_le_bytes());
            } else {
                bytes.extend((number as i16).to_le_bytes());
            }
        }
        bytes.extend([0, 0, b'X', b'Y', 0, 0]);
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 0, 0]);
        for name in extended {
            bytes.extend(name.as_bytes());
            bytes.push(0);
        }
        bytes
    }

    #[test]
    fn an_entry_says_how_many_colours_there_are() {
        use ColorDepth::{Ansi16, Indexed256, Mono, True};
        let check = |magic, colors, extended: &[&str], expect| {
            assert_eq!(depth(&entry(magic, colors, extended)), Some(expect), "{colors} {extended:?}");
        };
        check(MAGIC_SHORT, -1, &[], Mono);
        check(MAGIC_SHORT, 8, &["AX"], Ansi16);
        check(MAGIC_SHORT, 256, &["AX", "XT"], Indexed256);
        check(MAGIC_SHORT, 256, &["AX", "Tc"], True);
        check(MAGIC_LONG, 1 << 24, &["RGB"], True);
        check(MAGIC_LONG, 256, &["setrgbf"], True);
    }

    #[test]
    fn what_is_no_entry_says_nothing() {
        let whole = entry(MAGIC_SHORT, 256, &[]);
        for length in 0..60 {
            assert_eq!(depth(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(depth(&[b'x'; 400]), None);
    }

    #[test]
    fn entries_are_found_where_the_environment_and_the_system_have_them() {
        let folder = tempfile::tempdir().unwrap();
        let check = |below: &str, variables: &[(&str, &Path)], term: &str, expect| {
            let at = folder.path().join(below);
            std::fs::create_dir_all(&at).unwrap();
            std::fs::write(at.join("zzz-test"), entry(MAGIC_SHORT, 256, &["Tc"])).unwrap();
            let variable = |name: &str| match name {
                "TERM" => Some(term.to_owned()),
                name => variables.iter().find(|(known, _)| *known == name).map(|(_, path)| path.display().to_string()),
            };
            assert_eq!(colors(variable), expect, "{below} {term}");
            std::fs::remove_dir_all(&at).unwrap();
        };
        let here = folder.path();
        check("z", &[("TERMINFO", here)], "zzz-test", Some(ColorDepth::True));
        check("7a", &[("TERMINFO_DIRS", here)], "zzz-test", Some(ColorDepth::True));
        check(".terminfo/z", &[("HOME", here)], "zzz-test", Some(ColorDepth::True));
        check("z", &[], "zzz-test", None);
        check("z", &[("TERMINFO", here)], "../z/zzz-test", None);
    }
}
