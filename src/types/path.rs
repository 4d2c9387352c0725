//! Paths as manifests carry them, checked once so that no later layer has to wonder. The only way
//! to a [`PayloadPath`] is [`PayloadPath::new`]; a value of it can be joined below a game root on
//! any file system a guest may have.

use std::{fmt, sync::Arc};

use unicode_normalization::UnicodeNormalization as _;

/// The file whose presence says that a game is downloaded.
pub const SENTINEL_NAME: &str = "version.ini";

/// Names at a game root that begin like this are never payload.
pub const RESERVED_PREFIXES: [&str; 2] = [".local.", OWN_PREFIX];
/// Names of potluck's own files and folders begin like this.
const OWN_PREFIX: &str = ".potluck";

/// A part of a path on the file systems of guests: ext4, NTFS and APFS all stop at 255.
const PART_BYTES_MAX: usize = 255;
/// Below the 4,096 bytes Linux takes for a whole path, with room for the library's own folder.
const PATH_BYTES_MAX: usize = 1_024;
/// Deeper trees are not games; a bound keeps recursion and descriptors small.
const PATH_DEPTH_MAX: usize = 32;

/// A relative, `/`-separated path of a payload file, folder or link, kept byte for byte.
///
/// Orders by bytes, as manifests sort.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PayloadPath(Arc<str>);

impl PayloadPath {
    /// Checks `text` against every path rule of the manifest.
    pub fn new(text: &str) -> Result<Self, PathError> {
        check_path(text)?;
        let first = first_part(text);
        if is_reserved_root_name(first) {
            return Err(PathError::Reserved { name: first.to_owned() });
        }
        Ok(Self(text.into()))
    }

    /// The path as it stands in the manifest.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts from the root down.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The folder the path lies in; `None` at the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0.rsplit_once('/').map(|(parent, _)| Self(parent.into()))
    }

    /// The last part.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&*self.0, |(_, name)| name)
    }

    /// What two paths share that some file system would take for the same file.
    #[must_use]
    pub fn collision_key(&self) -> CollisionKey {
        CollisionKey(fold(&self.0))
    }
}

impl fmt::Display for PayloadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PayloadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl AsRef<std::path::Path> for PayloadPath {
    fn as_ref(&self) -> &std::path::Path {
        std::path::Path::new(&*self.0)
    }
}

/// A relative, `/`-separated path of something inside an archive, to be joined below the folder a
/// game is installed in. It obeys the rules of a [`PayloadPath`], except that only potluck's own
/// names are reserved there: the `version.ini` of an archive is a file like any other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberPath(Box<str>);

impl MemberPath {
    /// Checks `text`, which has neither `./` before nor `/` behind it.
    pub fn new(text: &str) -> Result<Self, PathError> {
        check_path(text)?;
        let first = first_part(text);
        if is_own_name(first) {
            return Err(PathError::Reserved { name: first.to_owned() });
        }
        Ok(Self(text.into()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a symbolic link here that points to `target` stays inside, whatever else is there.
    #[must_use]
    pub fn may_link_to(&self, target: &str) -> bool {
        link_leads_to(&self.0, target).is_some_and(|first| !first.is_some_and(is_own_name))
    }
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The first part of the path, from the root, that a link at `path` leads to; none when it leads to the
/// root itself. `None` for a target that is no relative path or leaves the root.
pub(super) fn link_leads_to<'a>(path: &'a str, target: &'a str) -> Option<Option<&'a str>> {
    if target.is_empty() || target.len() > PATH_BYTES_MAX || target.starts_with('/') || target.contains(['\\', ':']) {
        return None;
    }
    if target.chars().any(char::is_control) {
        return None;
    }
    // Walk from the link's folder, which is a real folder; never above the root. `..` only leads:
    // behind a name that is itself a link it could climb further.
    let mut stack: Vec<&str> = path.split('/').collect();
    stack.pop();
    let mut descended = false;
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if descended => return None,
            ".." => drop(stack.pop()?),
            name => {
                descended = true;
                stack.push(name);
            }
        }
    }
    Some(stack.first().copied())
}

/// `NFC(lowercase(NFC(path)))`: equal for names that a case-folding or normalising file system
/// stores in one place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CollisionKey(String);

impl CollisionKey {
    /// The key of any text, path or not.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(fold(text))
    }

    /// The folded text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a name directly below a game root is ours or the installation's, not payload.
#[must_use]
pub fn is_reserved_root_name(name: &str) -> bool {
    let folded = fold(name);
    folded == SENTINEL_NAME || folded == "local" || RESERVED_PREFIXES.iter().any(|prefix| folded.starts_with(prefix))
}

/// Whether a name is potluck's own, wherever it lies.
fn is_own_name(name: &str) -> bool {
    fold(name).starts_with(OWN_PREFIX)
}

fn first_part(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

/// The rules for every path, wherever its root is.
fn check_path(text: &str) -> Result<(), PathError> {
    if text.is_empty() {
        return Err(PathError::Empty);
    }
    if text.len() > PATH_BYTES_MAX {
        return Err(PathError::TooLong { bytes: text.len(), max: PATH_BYTES_MAX });
    }
    let mut depth = 0;
    for part in text.split('/') {
        check_part(part)?;
        depth += 1;
    }
    if depth > PATH_DEPTH_MAX {
        return Err(PathError::TooDeep { parts: depth, max: PATH_DEPTH_MAX });
    }
    Ok(())
}

/// One part of a path, also used for the name of a game root.
pub(super) fn check_part(part: &str) -> Result<(), PathError> {
    if part.is_empty() {
        return Err(PathError::EmptyPart);
    }
    if part == "." || part == ".." {
        return Err(PathError::DotPart);
    }
    if part.len() > PART_BYTES_MAX {
        return Err(PathError::PartTooLong { bytes: part.len(), max: PART_BYTES_MAX });
    }
    if let Some(character) = part.chars().find(|c| c.is_control() || is_invisible(*c)) {
        return Err(PathError::Control { code: u32::from(character) });
    }
    if let Some(character) = part.chars().find(|c| matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '/')) {
        return Err(PathError::Character { character });
    }
    if part.ends_with(['.', ' ']) {
        return Err(PathError::TrailingDotOrSpace { part: part.to_owned() });
    }
    if is_windows_device(part) {
        return Err(PathError::Device { part: part.to_owned() });
    }
    Ok(())
}

/// Bidirectional overrides and line separators: legal in file names, but they make a name look
/// like another one.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Windows takes these for devices, whatever follows the first dot.
fn is_windows_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).trim_end_matches(' ').to_ascii_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    ["COM", "LPT"].iter().any(|device| {
        stem.strip_prefix(device).is_some_and(|rest| {
            let mut rest = rest.chars();
            matches!((rest.next(), rest.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
        })
    })
}

fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// Why a path may not travel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Nothing at all.
    #[error("the path is empty")]
    Empty,
    /// `a//b`, a leading or a trailing slash.
    #[error("the path has an empty part")]
    EmptyPart,
    /// `.` or `..`.
    #[error("the path has a `.` or `..` part")]
    DotPart,
    /// The whole path is too long.
    #[error("the path has {bytes} bytes, {max} is the most")]
    TooLong {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// One part is too long.
    #[error("a part of the path has {bytes} bytes, {max} is the most")]
    PartTooLong {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Too many parts.
    #[error("the path is {parts} folders deep, {max} is the most")]
    TooDeep {
        /// Parts found.
        parts: usize,
        /// Parts allowed.
        max: usize,
    },
    /// A control, bidi or line-separator character.
    #[error("the path has the control character U+{code:04X}")]
    Control {
        /// The character's code point.
        code: u32,
    },
    /// A character some file system cannot store.
    #[error("the path has the character `{character}`, which not every file system can store")]
    Character {
        /// The character.
        character: char,
    },
    /// Windows drops these silently.
    #[error("`{part}` ends in a dot or a space, which not every file system can store")]
    TrailingDotOrSpace {
        /// The part.
        part: String,
    },
    /// A device on Windows.
    #[error("`{part}` names a device on Windows")]
    Device {
        /// The part.
        part: String,
    },
    /// A name that belongs to potluck or to the installation.
    #[error("`{name}` at the root of a game is reserved")]
    Reserved {
        /// The first part.
        name: String,
    },
    /// A game id that begins with a dot.
    #[error("a game id does not begin with a dot")]
    LeadingDot,
    /// A game id that is too long.
    #[error("the game id has {bytes} bytes, {max} is the most")]
    IdTooLong {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expect: Result<(), PathError>) {
        assert_eq!(PayloadPath::new(path).map(drop), expect, "{path:?}");
    }

    #[test]
    fn accepts_what_games_have() {
        for path in [
            "a",
            "bin/game.exe",
            ".hidden",
            "Ünï/cödé 1.txt",
            "a b",
            "locals/x",
            "x/local",
            "x/version.ini",
            "com10",
            "nul1",
        ] {
            check(path, Ok(()));
        }
        check("a/".repeat(31).trim_end_matches('/'), Ok(()));
        check(&"n".repeat(255), Ok(()));
    }

    #[test]
    fn refuses_what_could_leave_the_root_or_collide() {
        check("", Err(PathError::Empty));
        check("/etc/passwd", Err(PathError::EmptyPart));
        check("a//b", Err(PathError::EmptyPart));
        check("a/", Err(PathError::EmptyPart));
        check("a/../b", Err(PathError::DotPart));
        check("./a", Err(PathError::DotPart));
        check("a\\b", Err(PathError::Character { character: '\\' }));
        check("c:", Err(PathError::Character { character: ':' }));
        check("a\nb", Err(PathError::Control { code: 10 }));
        check("a\u{1b}[2J", Err(PathError::Control { code: 27 }));
        check("a\u{202e}b", Err(PathError::Control { code: 0x202e }));
        check("a.", Err(PathError::TrailingDotOrSpace { part: "a.".into() }));
        check("x/con.txt", Err(PathError::Device { part: "con.txt".into() }));
        check("LPT1", Err(PathError::Device { part: "LPT1".into() }));
        check("Version.INI", Err(PathError::Reserved { name: "Version.INI".into() }));
        check("LOCAL/x", Err(PathError::Reserved { name: "LOCAL".into() }));
        check(".potluck/journal.json", Err(PathError::Reserved { name: ".potluck".into() }));
        check(".Potluck_owned", Err(PathError::Reserved { name: ".Potluck_owned".into() }));
        check(".local.backup", Err(PathError::Reserved { name: ".local.backup".into() }));
        check(&"n".repeat(256), Err(PathError::PartTooLong { bytes: 256, max: 255 }));
        check(&format!("{0}/{0}/{0}/{0}/{0}", "n".repeat(250)), Err(PathError::TooLong { bytes: 1254, max: 1024 }));
        check(&["a"; 33].join("/"), Err(PathError::TooDeep { parts: 33, max: 32 }));
    }

    #[test]
    fn members_of_archives_may_have_the_names_of_a_game_root_but_not_ours() {
        for path in ["version.ini", "local/x", ".local.backup", "a/.potluck"] {
            assert!(MemberPath::new(path).is_ok(), "{path}");
        }
        for path in [".potluck_owned", ".POTLUCK/x", "../a", "/a", "a/", "c:/a", "a\\b", ""] {
            assert!(MemberPath::new(path).is_err(), "{path}");
        }
        let link = |path: &str, to: &str| MemberPath::new(path).unwrap().may_link_to(to);
        assert!(link("a", "b") && link("a/b", "../c") && link("a/b", "..") && link("a", "local/x"));
        assert!(!link("a", "../b") && !link("a/b", "../../c") && !link("a", "/b") && !link("a", "b/../../c"));
        assert!(!link("a", ".potluck_owned") && !link("a", "c:b") && !link("a", "") && !link("a", "b\nc"));
    }

    #[test]
    fn collision_keys_fold_case_and_normal_form() {
        let key = |text: &str| PayloadPath::new(text).map(|path| path.collision_key());
        assert_eq!(key("Maps/É.bsp"), key("maps/e\u{301}.BSP"));
        assert_ne!(key("a"), key("b"));
    }
}
