//! Frames over a stream: reading one is bounded in size and, by its caller, in time.

use std::io;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::{
    io::quic::{SendStream, StreamError},
    wire::frame::{self, FRAME_HEADER_BYTES, FrameError},
};

/// Why there is no frame.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The stream ended before a frame began.
    #[error("the stream has ended")]
    Ended,
    /// The stream or its link broke.
    #[error("reading a frame: {0}")]
    Stream(#[source] io::Error),
    /// Too long, or no message of the protocol.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// The next frame's message. Not to be dropped half way and called again: bytes would be lost.
pub(crate) async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> Result<T, ReadError> {
    let mut header = [0; FRAME_HEADER_BYTES];
    let first = stream.read(&mut header[..1]).await.map_err(ReadError::Stream)?;
    if first == 0 {
        return Err(ReadError::Ended);
    }
    stream.read_exact(&mut header[1..]).await.map_err(ReadError::Stream)?;
    let mut body = vec![0; frame::body_len(header)?];
    stream.read_exact(&mut body).await.map_err(ReadError::Stream)?;
    Ok(frame::decode(&body)?)
}

/// Why a frame was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The stream or its link broke.
    #[error("sending a frame: {0}")]
    Stream(#[source] StreamError),
    /// It is longer than a frame may be.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Sends `message` as one frame.
pub(crate) async fn write<T: Serialize>(stream: &mut SendStream, message: &T) -> Result<(), WriteError> {
    let frame = frame::encode(message)?;
    stream.send(Bytes::from(frame)).await.map_err(WriteError::Stream)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{frame::encode, message::Request};

    async fn check(bytes: &[u8], expect: fn(&Result<Request, ReadError>) -> bool) {
        let mut stream = bytes;
        let result = read::<Request>(&mut stream).await;
        assert!(expect(&result), "{bytes:?}: {result:?}");
    }

    #[tokio::test]
    async fn a_frame_is_read_whole_or_refused() {
        let frame = encode(&Request::Library {}).expect("short");
        check(&frame, |result| matches!(result, Ok(Request::Library {}))).await;
        check(b"", |result| matches!(result, Err(ReadError::Ended))).await;
        check(&frame[..3], |result| matches!(result, Err(ReadError::Stream(_)))).await;
        check(&frame[..frame.len() - 1], |result| matches!(result, Err(ReadError::Stream(_)))).await;
        check(b"\x00\x01\x00\x01", |result| matches!(result, Err(ReadError::Frame(FrameError::TooLong { .. })))).await;
        check(b"\xff\xff\xff\xff", |result| matches!(result, Err(ReadError::Frame(FrameError::TooLong { .. })))).await;
        check(b"\0\0\0\x02{]", |result| matches!(result, Err(ReadError::Frame(FrameError::Malformed { .. })))).await;
    }
}
