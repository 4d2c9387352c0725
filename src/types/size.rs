//! An amount of bytes as people write it.

use std::{fmt, str::FromStr};

/// Bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(u64);

/// Units by their size, the largest first, so that a size is shown with the largest that leaves no rest.
const UNITS: [(&str, u64); 9] = [
    ("TB", 1_000_000_000_000),
    ("TiB", 1 << 40),
    ("GB", 1_000_000_000),
    ("GiB", 1 << 30),
    ("MB", 1_000_000),
    ("MiB", 1 << 20),
    ("kB", 1_000),
    ("KiB", 1 << 10),
    ("B", 1),
];

impl Size {
    /// From bytes.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Bytes.
    #[must_use]
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Size {
    /// Exact: it can be read again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, scale)| self.0 != 0 && self.0.is_multiple_of(*scale));
        let (name, scale) = unit.unwrap_or(&("B", 1));
        write!(f, "{} {name}", self.0 / scale)
    }
}

impl FromStr for Size {
    type Err = SizeError;

    /// `20 GB`, `1.5TiB`, `500M`: a number with its unit; a single letter counts by thousands.
    fn from_str(text: &str) -> Result<Self, SizeError> {
        let text = text.trim();
        let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or(SizeError)?;
        let (number, unit) = text.split_at(split);
        let number: f64 = number.parse().map_err(|_| SizeError)?;
        let unit = unit.trim();
        let is_it = |name: &str| {
            name.eq_ignore_ascii_case(unit)
                || name.strip_suffix('B').is_some_and(|letter| letter.eq_ignore_ascii_case(unit) && !unit.is_empty())
        };
        let (_, scale) = UNITS.iter().find(|(name, _)| is_it(name)).ok_or(SizeError)?;
        let bytes = number * *scale as f64;
        if !(0.0..=1e18).contains(&bytes) {
            return Err(SizeError);
        }
        Ok(Self(bytes.round() as u64))
    }
}

/// Why a text is no size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a size is a number with its unit, like `20 GB`")]
pub struct SizeError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them_and_shown_exactly() {
        for (text, bytes, shown) in [
            ("20 GB", 20_000_000_000, "20 GB"),
            ("1.5TiB", 3 << 39, "1536 GiB"),
            ("500m", 500_000_000, "500 MB"),
            ("64 MiB", 64 << 20, "64 MiB"),
            ("0 B", 0, "0 B"),
            ("1025 b", 1025, "1025 B"),
        ] {
            assert_eq!(text.parse(), Ok(Size::from_bytes(bytes)), "{text}");
            assert_eq!(Size::from_bytes(bytes).to_string(), shown);
            assert_eq!(shown.parse(), Ok(Size::from_bytes(bytes)), "{shown}");
        }
        for bad in ["", "20", "much", "-1 GB", "1 GB/s", "9e99 GB", "1.2.3 GB", "99999999 TB"] {
            assert_eq!(bad.parse::<Size>(), Err(SizeError), "{bad:?}");
        }
    }
}
