//! Answers that need no choosing: refusals, the library, manifests, hashes and have-maps. Each is one
//! task that ends with its stream.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use s2n_quic::{
    application,
    stream::{BidirectionalStream, ReceiveStream, SendStream},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::{
    runtime::{
        input::LibraryInput,
        shelf::{Files, Shelf, Shelved},
    },
    types::{ChunkNo, ChunkRanges, ChunkSet},
    wire::{
        fetch::{ChunkPairs, HASHES_MAX, Status},
        frame,
        have::HaveChange,
        message::code,
    },
};

/// The most an answer may take to be written: the largest manifest at 300 kB/s.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(60);
/// Have-maps change at most ten times a second, and the first change goes at once.
const HAVE_PAUSE: Duration = Duration::from_millis(100);
/// An empty change now and then tells us that the subscriber is gone, when it did not say so.
const HAVE_ALIVE: Duration = Duration::from_secs(30);

/// The stream's status, and nothing more.
pub(super) async fn refuse(stream: BidirectionalStream, status: Status) {
    let (_receive, mut send) = stream.split();
    finish(&mut send, [status_byte(status)]).await;
}

/// The library as the library actor tells it.
pub(super) async fn library(stream: BidirectionalStream, library: mpsc::Sender<LibraryInput>) {
    let (_receive, mut send) = stream.split();
    let (reply, snapshot) = oneshot::channel();
    // An actor that ended drops the reply, which is refused below.
    let _ = library.send(LibraryInput::SnapshotWanted { reply }).await;
    match snapshot.await {
        Ok(json) => finish(&mut send, [status_byte(Status::Ok), len_bytes(json.len()), json]).await,
        Err(_) => finish(&mut send, [status_byte(Status::Busy)]).await,
    }
}

/// The manifest, byte for byte.
pub(super) async fn manifest(stream: BidirectionalStream, shelved: Arc<Shelved>) {
    let (_receive, mut send) = stream.split();
    let bytes = shelved.manifest_bytes();
    finish(&mut send, [status_byte(Status::Ok), len_bytes(bytes.len()), bytes]).await;
}

/// The hashes of the chunks asked for, if all of them are known.
pub(super) async fn hashes(stream: BidirectionalStream, shelved: Arc<Shelved>, ranges: ChunkPairs) {
    let (_receive, mut send) = stream.split();
    match ranges.check(shelved.manifest().chunk_count()) {
        Ok(ranges) if !ranges.is_empty() && ranges.chunk_count() <= HASHES_MAX => match hashes_of(&shelved, &ranges) {
            Some(hashes) => finish(&mut send, [status_byte(Status::Ok), hashes.into()]).await,
            None => finish(&mut send, [status_byte(Status::NotFound)]).await,
        },
        Ok(_) | Err(_) => finish(&mut send, [status_byte(Status::BadRequest)]).await,
    }
}

fn hashes_of(shelved: &Shelved, ranges: &ChunkRanges) -> Option<Vec<u8>> {
    let files = shelved.files();
    let hash = |chunk: ChunkNo| match &files {
        Files::Root(reader) => reader.chunk_hash(chunk),
        Files::Growing(incoming) => incoming.chunk_hash(chunk),
    };
    let mut bytes = Vec::with_capacity(ranges.chunk_count() as usize * 32);
    for chunk in ranges.iter() {
        bytes.extend_from_slice(hash(chunk)?.as_bytes());
    }
    Some(bytes)
}

/// The have-map and its changes, until either side has enough.
pub(super) async fn have(
    stream: BidirectionalStream,
    shelved: Arc<Shelved>,
    shelf: Shelf,
    cancelled: CancellationToken,
) {
    let (mut receive, mut send) = stream.split();
    let following = async {
        tokio::select! {
            () = until_given_up(&mut receive) => Ok(code::CANCELLED),
            followed = follow(&mut send, &shelved, &shelf) => followed,
        }
    };
    if let Some(Ok(code)) = cancelled.run_until_cancelled(following).await {
        // A stream that cannot be reset is closed already.
        let _ = send.reset(application::Error::from(code));
    }
}

/// Sends the map and then changes; ends with the code to reset with when the content is gone.
async fn follow(send: &mut SendStream, shelved: &Arc<Shelved>, shelf: &Shelf) -> Result<u32, s2n_quic::stream::Error> {
    // Before the first look at the map, so that no change falls between.
    let mut changes = shelved.subscribe();
    let mut told = shelved.have_map();
    let bitmap = Bytes::from(told.to_bytes());
    for part in [status_byte(Status::Ok), len_bytes(bitmap.len()), bitmap] {
        send.send(part).await?;
    }
    loop {
        // Gone is told by the shelf: we hold the sender of changes ourselves, so it never ends.
        let quiet = timeout(HAVE_ALIVE, changes.changed()).await.is_err();
        if !shelf.get(shelved.content()).is_some_and(|now| Arc::ptr_eq(&now, shelved)) {
            return Ok(code::GONE);
        }
        let now = shelved.have_map();
        let frames = if quiet { vec![nothing_new()] } else { HaveChange::between(&told, &now) };
        send_changes(send, &frames).await?;
        told = now;
        sleep(HAVE_PAUSE).await;
    }
}

fn nothing_new() -> HaveChange {
    let none = ChunkSet::empty(0);
    let empty = ChunkPairs::from(&ChunkRanges::from_preference(none.iter()));
    HaveChange { set: empty.clone(), clear: empty }
}

async fn send_changes(send: &mut SendStream, changes: &[HaveChange]) -> Result<(), s2n_quic::stream::Error> {
    for change in changes {
        match frame::encode(change) {
            Ok(bytes) => send.send(bytes.into()).await?,
            Err(error) => tracing::error!(%error, "a change of a have-map is no frame"),
        }
    }
    Ok(())
}

/// Returns when the subscriber resets its side; one that only finished it still listens.
async fn until_given_up(receive: &mut ReceiveStream) {
    match receive.receive().await {
        Ok(Some(_)) | Err(_) => {}
        Ok(None) => std::future::pending().await,
    }
}

async fn finish<const PARTS: usize>(send: &mut SendStream, parts: [Bytes; PARTS]) {
    let writing = async {
        for part in parts {
            send.send(part).await?;
        }
        send.finish()
    };
    // Slow or gone: either way there is nobody to tell.
    let _ = timeout(ANSWER_TIME_MAX, writing).await;
}

fn status_byte(status: Status) -> Bytes {
    Bytes::from(vec![status.to_byte()])
}

fn len_bytes(len: usize) -> Bytes {
    Bytes::from((len as u32).to_be_bytes().to_vec())
}
