//! An api handle over the socket: the stream of events feeds its snapshot, each command is a request
//! of its own.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use http_body_util::BodyExt as _;
use hyper::{Method, StatusCode, body::Incoming};
use serde::Deserialize;
use tokio::time::timeout;

use super::{ANSWER_TIME, ClientError, Connection, ask_as_call, handshake, send};
use crate::{
    api::{self, Call, Event, EventKind, Handle, HandleEnd, Level, Part, Snapshot},
    control::sse::{EVENT, Frame, MISSED, PART, Reader, SNAPSHOT},
};

/// Commands under way at a time; the next one waits in the handle's own queue.
const CALLS_MAX: usize = 16;

/// A handle on a runtime in another process, and what keeps it going.
pub struct Attached {
    /// As one in process.
    pub handle: Handle,
    /// Must run for the handle to work; ends when the runtime does, or every handle is dropped.
    pub run: BoxFuture<'static, ()>,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// Attaches to the runtime that listens on `path`; returns with its first snapshot.
pub async fn attach(path: &Path) -> Result<Attached, ClientError> {
    let attaching = begin(path);
    timeout(ANSWER_TIME, attaching).await.map_err(|_| ClientError::Silent { path: path.to_owned() })?
}

async fn begin(path: &Path) -> Result<Attached, ClientError> {
    let (sender, connection) = handshake(path).await?;
    let mut connection = Box::pin(connection);
    let opening = async {
        let response = send(sender, Method::GET, "/v1/events", Vec::new()).await?;
        if response.status() != StatusCode::OK {
            return Err(ClientError::Strange { what: response.status().to_string() });
        }
        let mut feed = Feed { body: response.into_body(), reader: Reader::default() };
        let mut frames = Vec::new();
        while frames.is_empty() {
            frames = feed.next().await.ok_or_else(|| ClientError::Strange { what: "an empty stream".to_owned() })?;
        }
        Ok((feed, frames))
    };
    let (feed, frames) = tokio::select! {
        biased;
        opened = opening => opened?,
        ended = &mut connection => {
            let what = "the connection ended before its answer".to_owned();
            return Err(ended.map_or_else(|source| ClientError::Broken { source }, |()| ClientError::Strange { what }));
        }
    };
    let mut frames = frames.into_iter();
    let first = frames.next().filter(|frame| frame.name == SNAPSHOT);
    let first = first.ok_or_else(|| ClientError::Strange { what: "a stream without a snapshot".to_owned() })?;
    let first: Snapshot = serde_json::from_str(&first.data).map_err(|error| super::strange(&error))?;
    let (handle, end) = api::channel(first);
    let session = Session { path: path.to_owned(), end };
    for frame in frames {
        session.take(&frame);
    }
    Ok(Attached { handle, run: session.run(connection, feed).boxed() })
}

/// The body of the stream.
struct Feed {
    body: Incoming,
    reader: Reader,
}

impl Feed {
    /// The events that the next bytes complete, possibly none; `None` at the end.
    async fn next(&mut self) -> Option<Vec<Frame>> {
        match self.body.frame().await? {
            Ok(frame) => match self.reader.read(frame.data_ref().map_or(&[][..], |bytes| bytes)) {
                Ok(frames) => Some(frames),
                Err(_too_long) => {
                    tracing::error!("the running potluck sent an event that is too long");
                    None
                }
            },
            Err(error) => {
                tracing::debug!("the stream of events broke: {error}");
                None
            }
        }
    }
}

struct Session {
    path: PathBuf,
    end: HandleEnd,
}

impl Session {
    async fn run(mut self, mut connection: std::pin::Pin<Box<Connection>>, mut feed: Feed) {
        let mut calls = FuturesUnordered::new();
        let mut connected = true;
        loop {
            tokio::select! {
                biased;
                frames = feed.next() => match frames {
                    Some(frames) => frames.iter().for_each(|frame| self.take(frame)),
                    None => break,
                },
                // What it has received already is still to be read from the feed.
                _ = &mut connection, if connected => connected = false,
                Some(()) = calls.next(), if !calls.is_empty() => {}
                call = self.end.commands.recv(), if calls.len() < CALLS_MAX => match call {
                    Some(call) => calls.push(carry(self.path.clone(), call)),
                    None => break,
                },
            }
        }
        // What was asked before the end may still be answered: the runtime answers while it stops.
        drop(self.end);
        // Whoever asked learns of it either way, from the answer or from its absence.
        let _ = timeout(ANSWER_TIME, async { while calls.next().await.is_some() {} }).await;
    }

    /// What cannot be read is skipped: a newer runtime may say more than this face knows.
    fn take(&self, frame: &Frame) {
        match &*frame.name {
            SNAPSHOT => self.show(read(frame)),
            PART => {
                if let Some(part) = read::<Part>(frame) {
                    let mut next = Snapshot::clone(&self.end.snapshots.borrow());
                    next.apply(part);
                    self.show(Some(next));
                }
            }
            EVENT => {
                if let Some(event) = read::<Event>(frame) {
                    self.tell(event);
                }
            }
            MISSED => {
                if let Some(missed) = read::<MissedData>(frame) {
                    let text = format!("{} events went by too fast to be shown.", missed.count);
                    self.tell(Event { at_ms: 0, level: Level::Debug, text, kind: EventKind::Note });
                }
            }
            unknown => tracing::debug!("skipped an event of the unknown kind {}", crate::types::clean(unknown, 40)),
        }
    }

    fn show(&self, snapshot: Option<Snapshot>) {
        if let Some(snapshot) = snapshot {
            self.end.snapshots.send_replace(Arc::new(snapshot));
        }
    }

    fn tell(&self, event: Event) {
        // An error says that nobody listens, which is no failure.
        let _ = self.end.events.send(event);
    }
}

async fn carry(path: PathBuf, call: Call) {
    let answer = ask_as_call(&path, call.command).await;
    // A face that stopped waiting dropped its end.
    let _ = call.reply.send(answer);
}

#[derive(Deserialize)]
struct MissedData {
    count: u64,
}

fn read<T: serde::de::DeserializeOwned>(frame: &Frame) -> Option<T> {
    serde_json::from_str(&frame.data)
        .inspect_err(|error| tracing::debug!("skipped a {} that could not be read: {error}", frame.name))
        .ok()
}
