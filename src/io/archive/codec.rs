//! Streams that are compressed as a whole: what tar files come in.

use std::io::{BufReader, Read};

use crate::wire::extraction::{Limits, Why};

use super::member::why_of_io;

/// Bytes of compressed input read at once.
const READ_BYTES: usize = 256 << 10;
/// 1 GiB, which `zstd --long=30` needs; more would be most of the memory that is allowed.
pub(super) const ZSTD_WINDOW_LOG_MAX: u32 = 30;

/// How a stream is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Codec {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

impl Codec {
    /// What follows `tar.` in the name people know it by.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => "gz",
            Self::Bzip2 => "bz2",
            Self::Xz => "xz",
            Self::Zstd => "zst",
        }
    }

    /// The stream unpacked. Several streams behind each other are one, as their tools have it.
    pub(super) fn unpack<'r>(self, packed: impl Read + 'r, limits: &Limits) -> Result<Box<dyn Read + 'r>, Why> {
        let packed = BufReader::with_capacity(READ_BYTES, packed);
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(packed)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(packed)),
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(packed, true, memory_kb(limits))),
            Self::Zstd => {
                let mut decoder =
                    zstd::stream::read::Decoder::with_buffer(packed).map_err(|error| why_of_io(&error))?;
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(|error| why_of_io(&error))?;
                Box::new(decoder)
            }
        })
    }
}

/// The memory a decoder may ask for, in the unit its library counts in: three quarters of all, so that
/// it is refused with a sentence before the kernel refuses it without one.
pub(super) fn memory_kb(limits: &Limits) -> u32 {
    u32::try_from(limits.memory / 4 * 3 / 1024).unwrap_or(u32::MAX)
}
