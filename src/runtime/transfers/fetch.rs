//! What a transfer reads from links: manifests, hashes, have-maps and chunks. Each function is one
//! stream; what comes is bounded before room is made for it, and checked before it is passed on.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::{Buf, Bytes};
use s2n_quic::{
    application,
    stream::{Error as StreamError, ReceiveStream, SendStream},
};
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::Told;
use crate::{
    core::{
        download::{RequestEnd, RequestNo},
        limits::Limits,
    },
    io::{
        clock,
        store::{Incoming, WriteError},
    },
    runtime::{
        buffers::{Buffer, Buffers},
        links::Link,
        tasks::Pool,
        traffic::Meter,
    },
    types::{CHUNK_BYTES, ChunkHash, ChunkNo, ChunkRanges, ChunkSet, ContentId, PeerId},
    wire::{
        fetch::{CHUNK_HEADER_BYTES, ChunkPairs, Status},
        frame::{self, FRAME_HEADER_BYTES},
        have::{BITMAP_BYTES_MAX, HaveChange},
        manifest::MANIFEST_BYTES_MAX,
        message::{Request, code},
    },
};

/// A source that has said nothing for so long makes room for another; a LAN answers in milliseconds,
/// this is for a disk that has to wake up.
const FIRST_WORD_TIME: Duration = Duration::from_secs(5);
/// The rest of a manifest or a list of hashes comes at this rate at least.
const ANSWER_BPS_MIN: u64 = 300_000;
/// Chunks below this are told of and written together: each costs more by itself than its bytes do.
const SMALL_BYTES: u32 = 64 << 10;
/// How long a batch of small chunks waits for the next one; what is here should be shared soon.
const MOMENT: Duration = Duration::from_millis(5);
/// Bytes of a chunk's hash on the wire.
const HASH_BYTES: usize = 32;

/// Why a source did not give what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum FetchError {
    /// The link or the stream broke.
    #[error("the link broke")]
    Link,
    /// The source reset the stream with this code.
    #[error("it ended the stream with code {code}")]
    Reset { code: u64 },
    /// The source said no.
    #[error("it answered {status:?}")]
    Status { status: Status },
    /// It took too long.
    #[error("it took too long")]
    Slow,
    /// It said what the protocol does not allow.
    #[error("it broke the protocol: {what}")]
    Breach { what: &'static str },
    /// What it sent is not the manifest that was asked for.
    #[error("it sent a wrong manifest: {detail}")]
    WrongManifest { detail: String },
}

impl FetchError {
    /// How a request for chunks ended with this.
    fn end(&self) -> RequestEnd {
        match self {
            Self::Link | Self::Slow => RequestEnd::LinkLost,
            Self::Reset { code } if *code == u64::from(code::CHANGED) => RequestEnd::Changed,
            Self::Reset { code } if *code == u64::from(code::GONE) => RequestEnd::Gone,
            Self::Reset { code } if *code == u64::from(code::BUSY) => RequestEnd::Busy,
            Self::Reset { .. } => RequestEnd::LinkLost,
            Self::Status { status } => match status {
                Status::Busy => RequestEnd::Busy,
                Status::Changed => RequestEnd::Changed,
                Status::NotFound | Status::Refused => RequestEnd::Gone,
                Status::Ok | Status::BadRequest => RequestEnd::Violation,
            },
            Self::Breach { .. } | Self::WrongManifest { .. } => RequestEnd::Violation,
        }
    }
}

/// The bytes of a manifest, bounded but not looked at: a large one takes longer to check than the
/// thread of the links may stand still, so the caller decodes it elsewhere.
pub(super) async fn manifest(link: &Link, content: ContentId) -> Result<Bytes, FetchError> {
    let asking = async {
        let mut reader = Reader::ask(link, &Request::Manifest { content }).await?;
        let len = reader.u32().await? as usize;
        Ok((reader, len))
    };
    let (mut reader, len) = in_time(0, asking).await?;
    if len > MANIFEST_BYTES_MAX {
        return Err(FetchError::Breach { what: "the manifest is longer than a manifest may be" });
    }
    // Grows with what comes: an announced length alone reserves nothing.
    in_time(len, reader.vec(len)).await.map(Bytes::from)
}

/// What comes of `answer`, of which `len` bytes are to come.
async fn in_time<T>(len: usize, answer: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
    let time = FIRST_WORD_TIME + Duration::from_millis(len as u64 * 1_000 / ANSWER_BPS_MIN);
    timeout(time, answer).await.unwrap_or(Err(FetchError::Slow))
}

/// The hashes of `ranges`, in order. The caller checks them against the file's hash.
pub(super) async fn hashes(
    link: &Link,
    content: ContentId,
    ranges: &[Range<u32>],
) -> Result<Vec<ChunkHash>, FetchError> {
    let pairs = ChunkPairs(ranges.iter().map(|range| (range.start, range.end)).collect());
    let count: usize = ranges.iter().map(ExactSizeIterator::len).sum();
    let mut reader = in_time(0, Reader::ask(link, &Request::Hashes { content, ranges: pairs })).await?;
    let bytes = in_time(count * HASH_BYTES, reader.vec(count * HASH_BYTES)).await?;
    let (hashes, _) = bytes.as_chunks::<HASH_BYTES>();
    Ok(hashes.iter().map(|hash| ChunkHash::from_bytes(*hash)).collect())
}

/// Follows a have-map until it ends or is cancelled. `turn` tells this subscription from later ones.
pub(super) async fn haves(
    link: Link,
    content: ContentId,
    chunk_count: u32,
    (peer, turn): (PeerId, u64),
    told: mpsc::Sender<Told>,
    cancelled: CancellationToken,
) {
    let Some(opened) = cancelled.run_until_cancelled(Reader::open(&link, &Request::Have { content })).await else {
        return;
    };
    let error = match opened {
        Ok((mut reader, _send)) => {
            let following = follow(&mut reader, chunk_count, (peer, turn), &told);
            let Some(ended) = cancelled.run_until_cancelled(following).await else {
                reader.stop(code::CANCELLED);
                return;
            };
            match ended {
                Ok(()) => return,
                Err(error) => {
                    reader.stop(code::PROTOCOL);
                    error
                }
            }
        }
        Err(error) => error,
    };
    tracing::debug!(peer = %peer.short(), %error, "a have-map ended");
    // The transfer is gone when nobody listens.
    let _ = told.send(Told::HaveEnded { peer, turn }).await;
}

/// Returns in order only when nobody listens any more.
async fn follow(
    reader: &mut Reader,
    chunk_count: u32,
    (peer, turn): (PeerId, u64),
    told: &mpsc::Sender<Told>,
) -> Result<(), FetchError> {
    reader.status().await?;
    let len = reader.u32().await? as usize;
    if len > BITMAP_BYTES_MAX {
        return Err(FetchError::Breach { what: "the have-map is too long" });
    }
    let bitmap = reader.vec(len).await?;
    let breach = || FetchError::Breach { what: "the have-map is of another content" };
    let have = ChunkSet::from_bytes(&bitmap, chunk_count).ok_or_else(breach)?;
    if told.send(Told::HaveMap { peer, turn, have }).await.is_err() {
        return Ok(());
    }
    loop {
        let header = reader.array::<FRAME_HEADER_BYTES>().await?;
        let breach = |_| FetchError::Breach { what: "a frame on the have-stream is none" };
        let body = reader.vec(frame::body_len(header).map_err(breach)?).await?;
        let change: HaveChange = frame::decode(&body).map_err(breach)?;
        let ranges = |pairs: &ChunkPairs| {
            pairs.check(chunk_count).map_err(|_| FetchError::Breach { what: "a change names chunks that are none" })
        };
        let (set, clear) = (ranges(&change.set)?, ranges(&change.clear)?);
        if told.send(Told::HaveDelta { peer, turn, set, clear }).await.is_err() {
            return Ok(());
        }
    }
}

/// What a request for chunks works with.
pub(super) struct Chunks {
    pub(super) content: ContentId,
    pub(super) lens: Arc<[u32]>,
    pub(super) incoming: Arc<Incoming>,
    pub(super) buffers: Buffers,
    pub(super) limits: Arc<Mutex<Limits>>,
    pub(super) meter: Meter,
    pub(super) pool: Pool,
    pub(super) told: mpsc::Sender<Told>,
}

impl Chunks {
    /// Asks for `take` chunks of `of` and hands each to the disk's threads, which hash and write it.
    pub(super) async fn run(
        self: Arc<Self>,
        link: Link,
        peer: PeerId,
        request: RequestNo,
        (of, take): (ChunkRanges, u32),
        cancelled: CancellationToken,
    ) {
        let opening = Request::Chunks { content: self.content, of: ChunkPairs::from(&of), take };
        let Some(opened) = cancelled.run_until_cancelled(Reader::open(&link, &opening)).await else { return };
        let result = match opened {
            Ok((mut reader, mut send)) => {
                // What failed to finish has ended some other way, which reading tells.
                let _ = send.finish();
                match self.read(&mut reader, peer, request, take, &cancelled).await {
                    Some(result) => result,
                    None => return reader.stop(code::CANCELLED),
                }
            }
            Err(error) => Err(error),
        };
        let end = match &result {
            Ok(()) => RequestEnd::Done,
            Err(error) => {
                tracing::debug!(peer = %peer.short(), %error, "a request for chunks ended");
                error.end()
            }
        };
        // The transfer is gone when nobody listens.
        let _ = self.told.send(Told::Ended { request, end }).await;
    }

    /// `None` when it was cancelled. From the word that a chunk arrived until the disk's threads have
    /// it nothing is cancelled: who was told of an arrival is told of its outcome.
    async fn read(
        self: &Arc<Self>,
        reader: &mut Reader,
        peer: PeerId,
        request: RequestNo,
        take: u32,
        cancelled: &CancellationToken,
    ) -> Option<Result<(), FetchError>> {
        if let Err(error) = cancelled.run_until_cancelled(reader.status()).await? {
            return Some(Err(error));
        }
        let mut left = take;
        while left > 0 {
            let (batch, error) = cancelled.run_until_cancelled(self.next(reader, peer, request, left)).await?;
            left -= batch.as_ref().map_or(0, |batch| batch.chunks.len() as u32);
            let is_end = batch.is_none();
            if let Some(batch) = batch
                && let Err(error) = self.hand_over(peer, request, batch).await
            {
                return Some(Err(error));
            }
            match error {
                Some(error) => return Some(Err(error)),
                None if is_end => break,
                None => {}
            }
        }
        Some(Ok(()))
    }

    /// The next chunk, or the next small ones together, at most `left`: those that came before an error
    /// too. Nothing at the end of the answer.
    async fn next(
        &self,
        reader: &mut Reader,
        peer: PeerId,
        request: RequestNo,
        left: u32,
    ) -> (Option<Batch>, Option<FetchError>) {
        let mut batch = None;
        let error = self.fill(&mut batch, reader, peer, (request, left)).await.err();
        (batch, error)
    }

    async fn fill(
        &self,
        batch: &mut Option<Batch>,
        reader: &mut Reader,
        peer: PeerId,
        (request, left): (RequestNo, u32),
    ) -> Result<(), FetchError> {
        let Some(mut len) = self.header(reader).await? else { return Ok(()) };
        // Before there is a buffer: that one is not to wait for a limit.
        let mut part = self.wait_for_limits(peer, len as usize).await;
        let batch = batch.insert(Batch { buffer: self.buffers.take().await, len: 0, chunks: Vec::new() });
        loop {
            let chunk = reader.take_header();
            if len >= SMALL_BYTES {
                self.tell(Told::Named { request, chunk }).await?;
            }
            let end = batch.len + len as usize;
            let mut at = batch.len;
            loop {
                reader.exact(&mut batch.buffer.room()[at..at + part]).await?;
                at += part;
                if at == end {
                    break;
                }
                part = self.wait_for_limits(peer, end - at).await;
            }
            self.meter.add(peer, u64::from(len));
            batch.chunks.push((chunk, len));
            batch.len = end;
            // A large one goes at once; so does what has come when no more is here yet.
            if len >= SMALL_BYTES || batch.chunks.len() as u32 == left || !reader.has_header().await? {
                return Ok(());
            }
            let Some(next) = self.header(reader).await? else { return Ok(()) };
            if next >= SMALL_BYTES || batch.len + next as usize > CHUNK_BYTES as usize {
                return Ok(());
            }
            part = self.wait_for_limits(peer, next as usize).await;
            len = next;
        }
    }

    /// The length of the next chunk, whose header stays to be taken; `None` at the end of the answer.
    async fn header(&self, reader: &mut Reader) -> Result<Option<u32>, FetchError> {
        let Some(chunk) = reader.peek_header().await? else { return Ok(None) };
        let len = self.lens.get(chunk.index()).ok_or(FetchError::Breach { what: "a chunk that does not exist" })?;
        Ok(Some(*len))
    }

    async fn hand_over(self: &Arc<Self>, peer: PeerId, request: RequestNo, batch: Batch) -> Result<(), FetchError> {
        let chunks: Vec<ChunkNo> = batch.chunks.iter().map(|(chunk, _)| *chunk).collect();
        let named = batch.chunks.first().is_some_and(|(_, len)| *len >= SMALL_BYTES);
        self.tell(Told::Arrived { request, chunks, named }).await?;
        let this = Arc::clone(self);
        let job = move || {
            let written = batch.write(&this.incoming);
            // Back before the word goes out: who waits for a buffer need not wait for the word.
            drop(batch);
            // The transfer is gone when nobody listens.
            let _ = this.told.blocking_send(Told::Written { request, peer, written });
        };
        // The result comes as a word. A pool that stopped ends this with the runtime.
        self.pool.submit(job).await.map(drop).map_err(|_| FetchError::Link)
    }

    async fn tell(&self, word: Told) -> Result<(), FetchError> {
        self.told.send(word).await.map_err(|_| FetchError::Link)
    }

    /// How many of `len` bytes may be read now.
    async fn wait_for_limits(&self, peer: PeerId, len: usize) -> usize {
        loop {
            let (bytes, now) = (len as u64, clock::now());
            let taken = self.limits.lock().unwrap_or_else(PoisonError::into_inner).take_part(peer, bytes, now);
            match taken {
                Ok(part) => return part as usize,
                Err(at) => sleep_until(at.into()).await,
            }
        }
    }
}

/// What became of writing a chunk.
pub(super) type Written = Result<bool, WriteError>;

/// One large chunk, or small ones that came together.
struct Batch {
    buffer: Buffer,
    /// Bytes of the buffer that are used.
    len: usize,
    /// Their lengths, one behind the other in the buffer.
    chunks: Vec<(ChunkNo, u32)>,
}

impl Batch {
    fn write(&self, incoming: &Incoming) -> Vec<(ChunkNo, Written)> {
        let mut rest = &self.buffer.bytes()[..self.len];
        let mut chunks = Vec::with_capacity(self.chunks.len());
        for (chunk, len) in &self.chunks {
            let (bytes, later) = rest.split_at(*len as usize);
            chunks.push((*chunk, bytes));
            rest = later;
        }
        let written = incoming.write_chunks(&chunks);
        chunks.into_iter().map(|(chunk, _)| chunk).zip(written).collect()
    }
}

/// The reading half of a stream, with what came and was not used yet.
struct Reader {
    receive: ReceiveStream,
    rest: Bytes,
    /// The number of a chunk that was looked at and not taken.
    header: Option<ChunkNo>,
}

impl Reader {
    /// Sends `request` and reads a good status.
    async fn ask(link: &Link, request: &Request) -> Result<Self, FetchError> {
        let (mut reader, mut send) = Self::open(link, request).await?;
        send.finish().map_err(|_| FetchError::Link)?;
        reader.status().await?;
        Ok(reader)
    }

    async fn open(link: &Link, request: &Request) -> Result<(Self, SendStream), FetchError> {
        let (receive, send) = link.open_request(request).await.map_err(|_| FetchError::Link)?;
        Ok((Self { receive, rest: Bytes::new(), header: None }, send))
    }

    async fn status(&mut self) -> Result<(), FetchError> {
        let [byte] = self.array::<1>().await?;
        match Status::from_byte(byte) {
            Some(Status::Ok) => Ok(()),
            Some(status) => Err(FetchError::Status { status }),
            None => Err(FetchError::Breach { what: "an unknown status" }),
        }
    }

    async fn u32(&mut self) -> Result<u32, FetchError> {
        self.array().await.map(u32::from_be_bytes)
    }

    async fn array<const LEN: usize>(&mut self) -> Result<[u8; LEN], FetchError> {
        self.array_or_end().await?.ok_or(FetchError::Link)
    }

    /// The number of the next chunk; `None` at the end of the stream.
    async fn peek_header(&mut self) -> Result<Option<ChunkNo>, FetchError> {
        if self.header.is_none() {
            let bytes = self.array_or_end::<CHUNK_HEADER_BYTES>().await?;
            self.header = bytes.map(|bytes| ChunkNo(u32::from_be_bytes(bytes)));
        }
        Ok(self.header)
    }

    /// The number that was looked at last, which is taken now.
    fn take_header(&mut self) -> ChunkNo {
        self.header.take().expect("a header is looked at before it is taken")
    }

    /// Whether the next header is here, or comes within a moment.
    async fn has_header(&mut self) -> Result<bool, FetchError> {
        match timeout(MOMENT, self.more()).await {
            Ok(more) => more,
            Err(_) => Ok(false),
        }
    }

    /// `None` when the stream ended in order before the first byte.
    async fn array_or_end<const LEN: usize>(&mut self) -> Result<Option<[u8; LEN]>, FetchError> {
        if !self.more().await? {
            return Ok(None);
        }
        let mut bytes = [0; LEN];
        self.exact(&mut bytes).await?;
        Ok(Some(bytes))
    }

    async fn vec(&mut self, len: usize) -> Result<Vec<u8>, FetchError> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            if !self.more().await? {
                return Err(FetchError::Breach { what: "the answer is too short" });
            }
            let part = self.rest.split_to(self.rest.len().min(len - bytes.len()));
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    async fn exact(&mut self, mut into: &mut [u8]) -> Result<(), FetchError> {
        while !into.is_empty() {
            if !self.more().await? {
                return Err(FetchError::Breach { what: "the answer is too short" });
            }
            let len = self.rest.len().min(into.len());
            self.rest.copy_to_slice(&mut into[..len]);
            into = &mut into[len..];
        }
        Ok(())
    }

    /// Whether `rest` holds something now; false at the end of the stream.
    async fn more(&mut self) -> Result<bool, FetchError> {
        while self.rest.is_empty() {
            match self.receive.receive().await {
                Ok(Some(bytes)) => self.rest = bytes,
                Ok(None) => return Ok(false),
                Err(StreamError::StreamReset { error, .. }) => return Err(FetchError::Reset { code: error.into() }),
                Err(_) => return Err(FetchError::Link),
            }
        }
        Ok(true)
    }

    fn stop(&mut self, code: u32) {
        // A stream that cannot be stopped has ended already.
        let _ = self.receive.stop_sending(application::Error::from(code));
    }
}
