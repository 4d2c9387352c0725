//! A speed: bytes a second.

use std::{fmt, str::FromStr};

/// Bytes a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Rate(u64);

impl Rate {
    /// Below this a limit would starve the protocol's own deadlines.
    pub const LIMIT_MIN: Self = Self(1 << 20);

    /// From bytes a second.
    #[must_use]
    pub const fn from_bps(bytes_per_second: u64) -> Self {
        Self(bytes_per_second)
    }

    /// Bytes a second.
    #[must_use]
    pub const fn as_bps(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MB/s", self.0 as f64 / 1e6)
    }
}

impl FromStr for Rate {
    type Err = RateError;

    /// `60`, `60M`, `1.5 MB/s`, `900k`: a number with an optional unit; without a unit, MB/s.
    fn from_str(text: &str) -> Result<Self, RateError> {
        let trimmed = text.trim();
        let body = trimmed.strip_suffix("/s").unwrap_or(trimmed).trim_end();
        let split = body.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(body.len());
        let (number, unit) = body.split_at(split);
        let number: f64 = number.parse().map_err(|_| RateError)?;
        let scale = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "m" | "mb" => 1e6,
            "b" => 1.0,
            "k" | "kb" => 1e3,
            "g" | "gb" => 1e9,
            "kib" => 1024.0,
            "mib" => 1_048_576.0,
            "gib" => 1_073_741_824.0,
            _ => return Err(RateError),
        };
        let bytes = number * scale;
        if !(0.0..=1e15).contains(&bytes) {
            return Err(RateError);
        }
        Ok(Self(bytes.round() as u64))
    }
}

/// Why a text is no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a rate is a number with kB/s, MB/s or GB/s behind it, like `60 MB/s`")]
pub struct RateError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        for (text, bps) in [
            ("60", 60_000_000),
            ("1.5 MB/s", 1_500_000),
            ("900k", 900_000),
            ("1MiB/s", 1 << 20),
            ("2 GB", 2_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Rate::from_bps(bps)), "{text}");
        }
        for bad in ["", "fast", "-1", "1 parsec", "1e99g", "nan"] {
            assert_eq!(bad.parse::<Rate>(), Err(RateError), "{bad:?}");
        }
    }
}
