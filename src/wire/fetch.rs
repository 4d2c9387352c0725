//! Requests for manifests, hashes and chunks, and the status byte that every answer begins with.

use serde::{Deserialize, Serialize};

use crate::types::{ChunkRanges, RangesError};

/// Chunks one request may ask for: many small files together, and never more than a few pieces.
pub const TAKE_MAX: u32 = 256;
/// Hashes one request may ask for: 1 MiB of answer.
pub const HASHES_MAX: u64 = 32_768;

/// Ranges of chunk numbers as `[[start, end), …]`, not yet held against a content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkPairs(pub Vec<(u32, u32)>);

impl ChunkPairs {
    /// The ranges, checked against the content's number of chunks.
    pub fn check(&self, chunk_count: u32) -> Result<ChunkRanges, RangesError> {
        ChunkRanges::new(&self.0, chunk_count)
    }
}

impl From<&ChunkRanges> for ChunkPairs {
    fn from(ranges: &ChunkRanges) -> Self {
        Self(ranges.as_slice().iter().map(|range| (range.start(), range.end())).collect())
    }
}

/// The first byte of every answer but Hello's. After anything but [`Status::Ok`] the stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// The answer follows.
    Ok,
    /// The request is not one of this protocol, or breaks a limit.
    BadRequest,
    /// The content is not here.
    NotFound,
    /// The content is being checked; later perhaps.
    Changed,
    /// Too much at once; later or elsewhere.
    Busy,
    /// Not for this peer.
    Refused,
}

impl Status {
    /// The byte on the wire.
    #[must_use]
    pub fn to_byte(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::BadRequest => 1,
            Self::NotFound => 2,
            Self::Changed => 3,
            Self::Busy => 4,
            Self::Refused => 5,
        }
    }

    /// `None` for a byte of another protocol.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Ok, Self::BadRequest, Self::NotFound, Self::Changed, Self::Busy, Self::Refused]
            .into_iter()
            .find(|status| status.to_byte() == byte)
    }
}

/// Bytes before each chunk on a chunks stream: its number, big-endian. Its length is the manifest's.
pub const CHUNK_HEADER_BYTES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_bytes_are_stable() {
        for byte in 0..=255 {
            assert_eq!(Status::from_byte(byte).map(Status::to_byte), (byte < 6).then_some(byte));
        }
    }
}
