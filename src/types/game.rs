//! A game's identity and version, and the sentinel file that carries the version.

use std::{cmp::Ordering, fmt, sync::Arc};

use super::path::{CollisionKey, PathError, check_part, is_reserved_root_name};

/// Long enough for any short name; a folder name and a column of the screen at once.
const GAME_ID_BYTES_MAX: usize = 64;
/// `version.ini` is a line or two; more is not a version file.
pub const SENTINEL_BYTES_MAX: usize = 4_096;
/// What fits a table column and a wire message; real versions have a dozen characters.
const VERSION_BYTES_MAX: usize = 64;

/// The name of a game: its folder in the library, and its identity in the room.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GameId(Arc<str>);

impl GameId {
    /// One path part of at most 64 bytes that does not begin with a dot.
    pub fn new(text: &str) -> Result<Self, PathError> {
        if text.len() > GAME_ID_BYTES_MAX {
            return Err(PathError::IdTooLong { bytes: text.len(), max: GAME_ID_BYTES_MAX });
        }
        check_part(text)?;
        if text.starts_with('.') {
            return Err(PathError::LeadingDot);
        }
        if is_reserved_root_name(text) {
            return Err(PathError::Reserved { name: text.to_owned() });
        }
        Ok(Self(text.into()))
    }

    /// The id as the folder is named.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Equal for ids that one folder of a case-folding file system would hold.
    #[must_use]
    pub fn collision_key(&self) -> CollisionKey {
        CollisionKey::of(&self.0)
    }
}

impl fmt::Display for GameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for GameId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// A version as its publisher wrote it. Runs of digits compare as numbers, everything else
/// bytewise, so `1.9 < 1.10`; equal only when the text is equal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Arc<str>);

impl Version {
    /// Not empty, at most 64 bytes, no surrounding white space, no control or bidi characters.
    pub fn new(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() || text.trim() != text {
            return Err(VersionError::Blank);
        }
        if text.len() > VERSION_BYTES_MAX {
            return Err(VersionError::TooLong { bytes: text.len(), max: VERSION_BYTES_MAX });
        }
        if super::text::clean(text, usize::MAX) != text {
            return Err(VersionError::Control);
        }
        Ok(Self(text.into()))
    }

    /// The version as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_runs(self.0.as_bytes(), other.0.as_bytes()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

fn compare_runs(mut left: &[u8], mut right: &[u8]) -> Ordering {
    while let (Some(a), Some(b)) = (left.first(), right.first()) {
        if a.is_ascii_digit() && b.is_ascii_digit() {
            let (run_a, rest_a) = split_number(left);
            let (run_b, rest_b) = split_number(right);
            let order = run_a.len().cmp(&run_b.len()).then_with(|| run_a.cmp(run_b));
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (rest_a, rest_b);
        } else if a == b {
            (left, right) = (&left[1..], &right[1..]);
        } else {
            return a.cmp(b);
        }
    }
    left.len().cmp(&right.len())
}

/// The leading run of digits without its leading zeros, and what follows it.
fn split_number(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| !b.is_ascii_digit()).unwrap_or(bytes.len());
    let (run, rest) = bytes.split_at(end);
    let zeros = run.iter().take_while(|b| **b == b'0').count();
    (&run[zeros..], rest)
}

/// The bytes of `version.ini`, kept as they are, and the version its first line says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sentinel {
    text: Arc<str>,
    version: Version,
}

impl Sentinel {
    /// At most 4 KiB of UTF-8 whose first line, trimmed, is a version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SentinelError> {
        if bytes.len() > SENTINEL_BYTES_MAX {
            return Err(SentinelError::TooLong { max: SENTINEL_BYTES_MAX });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SentinelError::NotText)?;
        let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or("");
        let version = Version::new(first.trim()).map_err(SentinelError::Version)?;
        Ok(Self { text: text.into(), version })
    }

    /// The sentinel potluck writes for a version: the version and a line break.
    #[must_use]
    pub fn of_version(version: &Version) -> Self {
        Self { text: format!("{version}\n").into(), version: version.clone() }
    }

    /// The file's whole text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The version of the first line.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }
}

/// Why a text is no version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// Nothing, or only white space.
    #[error("the version is empty")]
    Blank,
    /// Too long to be a version.
    #[error("the version has {bytes} bytes, {max} is the most")]
    TooLong {
        /// Bytes found.
        bytes: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// Control or bidi characters.
    #[error("the version has control characters")]
    Control,
}

/// Why a `version.ini` cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SentinelError {
    /// Larger than any version file.
    #[error("version.ini has more than {max} bytes")]
    TooLong {
        /// Bytes allowed.
        max: usize,
    },
    /// Not UTF-8.
    #[error("version.ini is not UTF-8 text")]
    NotText,
    /// The first line is no version.
    #[error("the first line of version.ini is no version: {0}")]
    Version(#[source] VersionError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_numbers_as_numbers() {
        let ordered =
            ["", "1", "1.0", "1.0.9", "1.0.71", "1.0.72", "1.9", "1.10", "2", "10", "2026.11.21", "20250330", "a", "b"];
        for pair in ordered[1..].windows(2) {
            let [low, high] = pair else { panic!("windows of two") };
            assert!(Version::new(low).unwrap() < Version::new(high).unwrap(), "{low} < {high}");
        }
        assert!(Version::new("1.01").unwrap() != Version::new("1.1").unwrap());
        assert!(Version::new("99999999999999999999999999").unwrap() > Version::new("9").unwrap());
    }

    #[test]
    fn a_sentinel_keeps_its_bytes() {
        let sentinel = Sentinel::from_bytes(b"\xef\xbb\xbf 1.2 \r\nmore\r\n").unwrap();
        assert_eq!(sentinel.version().as_str(), "1.2");
        assert_eq!(sentinel.as_str(), "\u{feff} 1.2 \r\nmore\r\n");
    }

    #[test]
    fn a_bad_sentinel_says_why() {
        assert_eq!(Sentinel::from_bytes(b""), Err(SentinelError::Version(VersionError::Blank)));
        assert_eq!(Sentinel::from_bytes(b"\n1.0"), Err(SentinelError::Version(VersionError::Blank)));
        assert_eq!(Sentinel::from_bytes(&[0xff, 0xfe]), Err(SentinelError::NotText));
        assert_eq!(Sentinel::from_bytes(&[b'1'; 4097]), Err(SentinelError::TooLong { max: 4096 }));
        assert_eq!(Sentinel::from_bytes(b"1\x1b[0m"), Err(SentinelError::Version(VersionError::Control)));
    }

    #[test]
    fn game_ids_are_one_safe_part() {
        for good in ["xonotic", "CS Source", "0ad", "Ünreal"] {
            assert!(GameId::new(good).is_ok(), "{good}");
        }
        for bad in ["", "..", ".x", "a/b", "a\nb", "nul", "x ", "local", &"x".repeat(65)] {
            assert!(GameId::new(bad).is_err(), "{bad:?}");
        }
    }
}
