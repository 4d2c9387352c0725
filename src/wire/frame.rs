//! Frames: a `u32` big-endian length and that many bytes of JSON. Whoever reads a frame checks the
//! length with [`body_len`] before it makes room for the body.

use serde::{Serialize, de::DeserializeOwned};

/// Bytes of a frame's body. Large enough for 2,048 ranges, small enough to buffer for 256 links.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;
/// Bytes before the body.
pub const FRAME_HEADER_BYTES: usize = 4;

/// A whole frame for `message`.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; FRAME_HEADER_BYTES];
    serde_json::to_writer(&mut frame, message).map_err(|error| FrameError::Malformed { detail: error.to_string() })?;
    let len = frame.len() - FRAME_HEADER_BYTES;
    if len > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: len as u64, max: FRAME_BYTES_MAX });
    }
    frame[..FRAME_HEADER_BYTES].copy_from_slice(&(len as u32).to_be_bytes());
    Ok(frame)
}

/// The length of the body that follows a header.
pub fn body_len(header: [u8; FRAME_HEADER_BYTES]) -> Result<usize, FrameError> {
    let len = u32::from_be_bytes(header);
    if len as usize > FRAME_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: u64::from(len), max: FRAME_BYTES_MAX });
    }
    Ok(len as usize)
}

/// A message from a frame's body.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    serde_json::from_slice(body)
        .map_err(|error| FrameError::Malformed { detail: crate::types::clean(&error.to_string(), 200) })
}

/// Why a frame was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Longer than a frame may be.
    #[error("a frame of {bytes} bytes, {max} is the most")]
    TooLong {
        /// Bytes announced.
        bytes: u64,
        /// Bytes allowed.
        max: usize,
    },
    /// Not the JSON it should be.
    #[error("the frame is no message of this protocol: {detail}")]
    Malformed {
        /// What the parser found, cleaned.
        detail: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_bounded_both_ways() {
        let frame = encode(&"hi").unwrap();
        assert_eq!(frame, b"\0\0\0\x04\"hi\"");
        assert_eq!(body_len([0, 0, 0, 4]), Ok(4));
        assert_eq!(decode::<String>(&frame[4..]), Ok("hi".into()));
        let long = "x".repeat(FRAME_BYTES_MAX);
        assert_eq!(encode(&long), Err(FrameError::TooLong { bytes: 65_538, max: FRAME_BYTES_MAX }));
        assert_eq!(body_len([0, 1, 0, 1]), Err(FrameError::TooLong { bytes: 65_537, max: FRAME_BYTES_MAX }));
        assert_eq!(body_len([0, 1, 0, 0]), Ok(65_536));
        assert!(matches!(decode::<String>(b"\xff"), Err(FrameError::Malformed { .. })));
    }
}
