//! Library lines between core and wire: deltas and snapshots out, a peer's snapshot in.

use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use crate::{
    core::library::{Delta, Library},
    io::quic::ReceiveStream,
    runtime::links::{Link, OpenError},
    types::{LibraryDigest, LibraryEntry},
    wire::{
        fetch::Status,
        frame::FrameError,
        library::{Contents, LibraryDelta, LibrarySnapshot, SNAPSHOT_BYTES_MAX, WireEntries},
        message::{Request, code},
    },
};

/// A snapshot is 1 MiB at most: even at 100 kB/s it is here by then, and a peer that sends a byte a
/// second holds one of a few places no longer than this.
const SNAPSHOT_TIME_MAX: Duration = Duration::from_secs(15);

/// Why a peer's snapshot did not come.
#[derive(Debug, thiserror::Error)]
pub(super) enum SnapshotError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("reading the library: {0}")]
    Read(#[from] std::io::Error),
    #[error("the peer answered {0:?}")]
    Status(Option<Status>),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it took too long")]
    Slow,
}

/// Asks a peer for its whole library.
pub(super) async fn fetch(link: &Link) -> Result<(LibraryDigest, Vec<LibraryEntry>), SnapshotError> {
    let (mut receive, _send) =
        match tokio::time::timeout(SNAPSHOT_TIME_MAX, link.open_request(&Request::Library {})).await {
            Ok(opened) => opened?,
            Err(_) => return Err(SnapshotError::Slow),
        };
    let read = tokio::time::timeout(SNAPSHOT_TIME_MAX, read(&mut receive)).await.unwrap_or(Err(SnapshotError::Slow));
    if read.is_err() {
        // Whether the peer still hears it does not matter: nothing more is read.
        let _ = receive.stop_sending(code::CANCELLED.into());
    }
    let snapshot = read?;
    if snapshot.games.left_out > 0 {
        tracing::debug!(count = snapshot.games.left_out, peer = %link.peer().short(), "games of a peer break a rule");
    }
    Ok((snapshot.digest, snapshot.games.entries))
}

/// A status byte, a length, and that many bytes of JSON.
async fn read(receive: &mut ReceiveStream) -> Result<LibrarySnapshot, SnapshotError> {
    let status = Status::from_byte(receive.read_u8().await?);
    if status != Some(Status::Ok) {
        return Err(SnapshotError::Status(status));
    }
    let len = receive.read_u32().await? as usize;
    if len > SNAPSHOT_BYTES_MAX {
        return Err(FrameError::TooLong { bytes: len as u64, max: SNAPSHOT_BYTES_MAX }.into());
    }
    // Room is made as bytes come, so that a length alone takes none.
    let mut json = Vec::new();
    let count = receive.take(len as u64).read_to_end(&mut json).await?;
    if count != len {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    }
    Ok(LibrarySnapshot::decode(&json)?)
}

/// Our snapshot as it travels. It is kept while the library stays the same: a room that comes up
/// asks for it a hundred times.
#[derive(Debug, Default)]
pub(super) struct OwnSnapshot(Option<(LibraryDigest, Bytes)>);

impl OwnSnapshot {
    /// The JSON; `None` when it does not fit, which the core's limit keeps from happening.
    pub(super) fn get(&mut self, core: &Library) -> Option<Bytes> {
        let (digest, lines) = core.snapshot();
        if let Some((_, bytes)) = self.0.as_ref().filter(|(of, _)| *of == digest) {
            return Some(bytes.clone());
        }
        let snapshot = LibrarySnapshot { digest, games: WireEntries::new(lines.cloned().collect()) };
        match snapshot.encode() {
            Ok(json) => {
                let bytes = Bytes::from(json);
                self.0 = Some((digest, bytes.clone()));
                Some(bytes)
            }
            Err(error) => {
                tracing::error!(%error, "our own library does not fit a snapshot");
                None
            }
        }
    }
}

/// A delta for the wire.
pub(super) fn to_wire(delta: Delta) -> LibraryDelta {
    let Delta { from, to, upserts, removals } = delta;
    LibraryDelta { from, to, upserts: WireEntries::new(upserts), removals: Contents(removals) }
}

/// A delta off the wire. Lines that break a rule are already left out.
pub(super) fn from_wire(delta: LibraryDelta) -> Delta {
    let LibraryDelta { from, to, upserts, removals } = delta;
    Delta { from, to, upserts: upserts.entries, removals: removals.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        core::library::{Facts, LocalBuild, LocalChange, Output, Rules},
        io::clock,
        types::{ContentId, GameId, Version},
        wire::{frame, message::Control},
    };

    /// A library whose every line is as long as a line can be.
    fn longest(count: usize) -> (Library, Vec<Output>) {
        let mut now = clock::now();
        let mut library = Library::new(Rules::default());
        for number in 0..count {
            let mut bytes = [0xff; 32];
            bytes[..8].copy_from_slice(&number.to_be_bytes());
            let game = GameId::new(&format!("{number:x>64}")).unwrap();
            let facts = Facts {
                version: Version::new(&"\"".repeat(64)).unwrap(),
                title: if number % 2 == 0 { "\u{10ffff}".repeat(64) } else { "\\".repeat(64) },
                size: 1 << 41,
                files: 150_000,
                installed: Some(1 << 42),
            };
            library.handle_local(
                &game,
                LocalChange::Complete(LocalBuild { content: ContentId::from_bytes(bytes), facts }),
                now,
            );
        }
        now += Duration::from_secs(1);
        library.handle_timeout(now);
        let outputs = std::iter::from_fn(|| library.poll_output()).collect();
        (library, outputs)
    }

    #[test]
    fn whatever_the_core_announces_fits_the_wire() {
        let (library, _) = longest(5_000);
        let json = OwnSnapshot::default().get(&library).expect("it fits");
        let read = LibrarySnapshot::decode(&json).unwrap();
        assert_eq!(read.games.left_out, 0);
        assert!(read.games.entries.iter().eq(library.snapshot().1), "every line comes back as it was");
        let (_, outputs) = longest(64);
        let delta =
            outputs.into_iter().find_map(|output| if let Output::Delta(delta) = output { Some(delta) } else { None });
        let frame = frame::encode(&Control::LibraryDelta(to_wire(delta.expect("64 lines are a delta")))).unwrap();
        assert!(frame.len() > 30_000);
    }
}
