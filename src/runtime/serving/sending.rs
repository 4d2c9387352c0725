//! One answer to a request for chunks: reads what the offer orders, one read ahead of what is being
//! written, and writes it to the stream. Driven by orders of [`super::Serving`].

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use s2n_quic::{
    application,
    stream::{BidirectionalStream, SendStream},
};
use tokio::{
    sync::mpsc,
    time::{sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::Told;
use crate::{
    core::{limits::Limits, offer::RequestNo},
    io::{clock, store::ReadError},
    runtime::{
        buffers::{Buffer, Buffers},
        counters::Counter,
        input::LibraryInput,
        shelf::{Files, Shelved},
        tasks::Pool,
        traffic::Meter,
    },
    types::{ChunkNo, ContentId, PeerId},
    wire::{
        fetch::{CHUNK_HEADER_BYTES, Status},
        message::code,
    },
};

/// The most a link may take for one buffer, limits not counted: slower peers would hold buffers that
/// the whole room needs. 1 MiB in this time is 17 kB/s.
const WRITE_TIME_MAX: Duration = Duration::from_secs(60);

/// What the offer wants sent.
#[derive(Debug)]
pub(super) enum Order {
    /// These, in this order.
    Send(Vec<ChunkNo>),
    /// Nothing more.
    End,
    /// Nothing at all: too much to do.
    Refuse,
}

/// An answer being sent.
pub(super) struct Sending {
    pub(super) content: ContentId,
    pub(super) request: RequestNo,
    pub(super) peer: PeerId,
    pub(super) shelved: Arc<Shelved>,
    pub(super) orders: mpsc::Receiver<Order>,
    pub(super) told: mpsc::Sender<Told>,
    pub(super) buffers: Buffers,
    pub(super) limits: Arc<Mutex<Limits>>,
    pub(super) meter: Meter,
    pub(super) chunks_out: Counter,
    pub(super) pool: Pool,
    pub(super) library: mpsc::Sender<LibraryInput>,
    pub(super) cancelled: CancellationToken,
}

/// What comes after the buffer that is being written.
enum Next {
    Read(Buffer),
    /// Ordered, and no buffer was free to read ahead into.
    Later(Vec<ChunkNo>),
    End,
    Refuse,
}

/// Why an answer ended early.
enum Broken {
    /// The peer or its link does not want more.
    Link,
    /// A chunk could not be read.
    Unreadable(ReadError, ChunkNo),
    /// The runtime ends, or the actor forgot the request.
    Over,
}

impl Sending {
    /// Carries out orders until the last one, or until something breaks.
    pub(super) async fn run(mut self, stream: BidirectionalStream) {
        let (_receive, mut send) = stream.split();
        let cancelled = self.cancelled.clone();
        let (request, told) = (self.request, self.told.clone());
        let result = cancelled.run_until_cancelled(self.answer(&mut send)).await.unwrap_or(Err(Broken::Over));
        let Err(broken) = result else {
            // The actor is gone at the end only.
            let _ = told.send(Told::Taken { request }).await;
            return;
        };
        let code = match &broken {
            Broken::Link => code::CANCELLED,
            Broken::Over => code::GONE,
            Broken::Unreadable(error, chunk) => self.on_unreadable(error, *chunk).await,
        };
        // A stream that cannot be reset is closed already.
        let _ = send.reset(application::Error::from(code));
        // The actor is gone at the end only.
        let _ = told.send(Told::Dropped { request }).await;
    }

    async fn answer(&mut self, send: &mut SendStream) -> Result<(), Broken> {
        let mut next = self.next(true).await?;
        if matches!(next, Next::Refuse) {
            write(send, Bytes::from(vec![Status::Busy.to_byte()])).await?;
            return send.finish().map_err(|_| Broken::Link);
        }
        write(send, Bytes::from(vec![Status::Ok.to_byte()])).await?;
        loop {
            let buffer = match next {
                Next::Read(buffer) => buffer,
                Next::Later(chunks) => self.read(self.buffers.take().await, &chunks).await?,
                Next::End | Next::Refuse => break,
            };
            // The next chunk is chosen and read while this one is written.
            let word = Told::Sending { request: self.request };
            self.told.send(word).await.map_err(|_| Broken::Over)?;
            let (peer, limits, meter) = (self.peer, Arc::clone(&self.limits), self.meter.clone());
            let writing = async {
                let mut rest = buffer.freeze();
                while !rest.is_empty() {
                    let part = wait_for_limits(&limits, peer, rest.len()).await;
                    write(send, rest.split_to(part)).await?;
                    meter.add(peer, part as u64);
                }
                Ok(())
            };
            let (written, ordered) = tokio::join!(writing, self.next(false));
            written?;
            next = ordered?;
        }
        send.finish().map_err(|_| Broken::Link)?;
        // Resolves when the peer's machine has acknowledged every byte: only then are they taken.
        match timeout(WRITE_TIME_MAX, send.close()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Broken::Link),
        }
    }

    /// The next order, read from the disk already when a buffer is to be had.
    async fn next(&mut self, wait_for_buffer: bool) -> Result<Next, Broken> {
        Ok(match self.orders.recv().await {
            Some(Order::Send(chunks)) => {
                let buffer = match self.buffers.try_take() {
                    Some(buffer) => buffer,
                    None if wait_for_buffer => self.buffers.take().await,
                    None => return Ok(Next::Later(chunks)),
                };
                Next::Read(self.read(buffer, &chunks).await?)
            }
            Some(Order::End) => Next::End,
            Some(Order::Refuse) => Next::Refuse,
            None => return Err(Broken::Over),
        })
    }

    async fn read(&self, buffer: Buffer, chunks: &[ChunkNo]) -> Result<Buffer, Broken> {
        let (files, chunks, count) = (self.shelved.files(), chunks.to_vec(), chunks.len());
        let read = self.pool.run(move || read_all(&files, &chunks, buffer)).await;
        let read = read.map_err(|_| Broken::Over)?.map_err(|(error, chunk)| Broken::Unreadable(error, chunk))?;
        self.chunks_out.add(count as u64);
        Ok(read)
    }

    /// Says so to whom it concerns, and gives the code for the peer.
    async fn on_unreadable(&self, error: &ReadError, chunk: ChunkNo) -> u32 {
        tracing::debug!(content = %self.content, %chunk, %error, "a chunk cannot be served");
        let code = match error {
            ReadError::Changed { .. } => code::CHANGED,
            // It went away between the offer and the read, or moved into its place by a commit.
            ReadError::NotHere { .. } => return code::CHANGED,
            ReadError::Gone { .. } | ReadError::Disk(_) => code::GONE,
        };
        let game = self.shelved.manifest().game().clone();
        // The library ends before us only when the runtime does.
        let _ = self.library.send(LibraryInput::OwnChanged { game }).await;
        code
    }
}

/// Each chunk behind its number, into one buffer.
fn read_all(files: &Files, chunks: &[ChunkNo], mut buffer: Buffer) -> Result<Buffer, (ReadError, ChunkNo)> {
    let mut at = 0;
    for chunk in chunks {
        let room = &mut buffer.room()[at..];
        let (number, rest) = room.split_at_mut(CHUNK_HEADER_BYTES);
        number.copy_from_slice(&chunk.0.to_be_bytes());
        let len = match files {
            Files::Root(reader) => reader.read_chunk(*chunk, rest),
            Files::Growing(incoming) => incoming.read_chunk(*chunk, rest),
        };
        at += CHUNK_HEADER_BYTES + len.map_err(|error| (error, *chunk))?;
    }
    buffer.set_len(at);
    Ok(buffer)
}

/// How many of `len` bytes may go now.
async fn wait_for_limits(limits: &Mutex<Limits>, peer: PeerId, len: usize) -> usize {
    loop {
        let taken = limits.lock().unwrap_or_else(PoisonError::into_inner).take_part(peer, len as u64, clock::now());
        match taken {
            Ok(part) => return part as usize,
            Err(at) => sleep_until(at.into()).await,
        }
    }
}

async fn write(send: &mut SendStream, bytes: Bytes) -> Result<(), Broken> {
    match timeout(WRITE_TIME_MAX, send.send(bytes)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Broken::Link),
    }
}
