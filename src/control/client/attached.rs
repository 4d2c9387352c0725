//! An api handle over the socket: the stream of events feeds its snapshot, each command is a request
//! of its own.

use std::{
    fmt,
    path::{Path, PathBuf},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use http_body_util::BodyExt as _;
use hyper::{Method, StatusCode, body::Incoming};
use serde::Deserialize;
use tokio::time::{sleep, timeout};

use super::{ANSWER_TIME, ClientError, Connection, ask_as_call, handshake, send};
use crate::{
    api::{self, Call, Event, EventKind, Handle, HandleEnd, Level, MeView, Part, Snapshot, Totals},
    control::sse::{DROPPED, EVENT, Frame, PART, Reader, SNAPSHOT},
};

/// Commands under way at a time; the next one waits in the handle's own queue.
const CALLS_MAX: usize = 16;

/// Before the first try to attach again; before the n-th it is n² times as long.
const TRY_PAUSE: Duration = Duration::from_millis(10);
/// Past that it only gets later that somebody sees the next runtime.
const TRY_PAUSE_MAX: Duration = Duration::from_secs(30);
/// By so much of itself, in percent, a pause is longer or shorter, so that many faces of one runtime
/// do not come back in the same moment.
const SPREAD_PERCENT: u32 = 20;

/// A handle on a runtime in another process, and what keeps it going.
pub struct Attached {
    /// As one in process.
    pub handle: Handle,
    /// Must run for the handle to work; ends when the runtime does, unless it was attached for good, or
    /// when every handle is dropped.
    pub run: BoxFuture<'static, ()>,
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// Attaches to the runtime that listens on `path`; returns with its first snapshot. The handle ends
/// with the runtime.
pub async fn attach(path: &Path) -> Result<Attached, ClientError> {
    attach_as(path, Stay::ToItsEnd).await
}

/// The same for a face that outlives the runtime: while nobody listens on `path`, the handle shows the
/// last state with [`crate::api::MeView::away`], and then that of the next runtime there.
pub async fn attach_for_good(path: &Path) -> Result<Attached, ClientError> {
    attach_as(path, Stay::ForGood).await
}

async fn attach_as(path: &Path, stay: Stay) -> Result<Attached, ClientError> {
    let opened = open(path).await?;
    let (handle, end) = api::channel(opened.snapshot);
    let session = Session { path: path.to_owned(), end };
    session.take_all(&opened.frames);
    Ok(Attached { handle, run: session.run(opened.line, stay).boxed() })
}

/// For how long a handle is kept going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stay {
    ToItsEnd,
    ForGood,
}

/// A stream of events that has begun.
struct Opened {
    snapshot: Snapshot,
    /// What came with it.
    frames: Vec<Frame>,
    line: Line,
}

/// What brings more of it.
struct Line {
    connection: Pin<Box<Connection>>,
    feed: Feed,
}

/// Begins a stream of events within [`ANSWER_TIME`].
async fn open(path: &Path) -> Result<Opened, ClientError> {
    timeout(ANSWER_TIME, begin(path)).await.map_err(|_| ClientError::Silent { path: path.to_owned() })?
}

async fn begin(path: &Path) -> Result<Opened, ClientError> {
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
    let (feed, mut frames) = tokio::select! {
        biased;
        opened = opening => opened?,
        ended = &mut connection => {
            let what = "the connection ended before its answer".to_owned();
            return Err(ended.map_or_else(|source| ClientError::Broken { source }, |()| ClientError::Strange { what }));
        }
    };
    let first = frames.remove(0);
    if first.name != SNAPSHOT {
        return Err(ClientError::Strange { what: "a stream without a snapshot".to_owned() });
    }
    let snapshot = serde_json::from_str(&first.data).map_err(|error| super::strange(&error))?;
    Ok(Opened { snapshot, frames, line: Line { connection, feed } })
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

/// Commands under way.
type Calls = FuturesUnordered<BoxFuture<'static, ()>>;

/// Why a stream is not followed any more.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// The runtime is gone.
    Lost,
    /// Nobody has a handle any more.
    Unwanted,
}

impl Session {
    async fn run(mut self, mut line: Line, stay: Stay) {
        let mut calls = Calls::new();
        while self.follow(line, &mut calls).await == Ended::Lost && stay == Stay::ForGood {
            self.show_away();
            match self.come_back(&mut calls).await {
                Some(next) => line = next,
                None => break,
            }
        }
        // What was asked before the end may still be answered: the runtime answers while it stops.
        drop(self.end);
        // Whoever asked learns of it either way, from the answer or from its absence.
        let _ = timeout(ANSWER_TIME, async { while calls.next().await.is_some() {} }).await;
    }

    /// Shows what comes and carries what is asked, until either end goes.
    async fn follow(&mut self, line: Line, calls: &mut Calls) -> Ended {
        let Line { mut connection, mut feed } = line;
        let mut connected = true;
        loop {
            tokio::select! {
                biased;
                frames = feed.next() => match frames {
                    Some(frames) => self.take_all(&frames),
                    None => return Ended::Lost,
                },
                // What it has received already is still to be read from the feed.
                _ = &mut connection, if connected => connected = false,
                Some(()) = calls.next(), if !calls.is_empty() => {}
                call = self.end.commands.recv(), if calls.len() < CALLS_MAX => match call {
                    Some(call) => calls.push(carry(self.path.clone(), call).boxed()),
                    None => return Ended::Unwanted,
                },
            }
        }
    }

    /// Tries until somebody listens again; `None` when nobody has a handle any more. What is asked
    /// meanwhile is answered that nobody is there.
    async fn come_back(&mut self, calls: &mut Calls) -> Option<Line> {
        let path = self.path.clone();
        let mut trying = pin!(try_again(&path));
        let opened = loop {
            tokio::select! {
                biased;
                opened = &mut trying => break opened,
                Some(()) = calls.next(), if !calls.is_empty() => {}
                call = self.end.commands.recv(), if calls.len() < CALLS_MAX => {
                    calls.push(carry(path.clone(), call?).boxed());
                }
            }
        };
        self.show(Some(opened.snapshot));
        self.take_all(&opened.frames);
        Some(opened.line)
    }

    /// The last state, with nothing in it that moves.
    fn show_away(&self) {
        let mut last = Snapshot::clone(&self.end.snapshots.borrow());
        last.me = Arc::new(MeView { away: true, ..(*last.me).clone() });
        last.totals = Arc::new(Totals { down_bps: 0, up_bps: 0, ..(*last.totals).clone() });
        self.show(Some(last));
    }

    fn take_all(&self, frames: &[Frame]) {
        frames.iter().for_each(|frame| self.take(frame));
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
            DROPPED => {
                if let Some(missed) = read::<MissedData>(frame) {
                    let text = format!("{} events went by too fast to be shown.", missed.dropped);
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

/// Begins a stream as soon as somebody listens again. Soon after an end, as in a restart, it tries
/// often, later seldom. A stream counts as begun with its first event, so that one that broke before
/// is tried again more and more seldom too.
async fn try_again(path: &Path) -> Opened {
    let mut tries: u32 = 0;
    loop {
        tries = tries.saturating_add(1);
        sleep(pause_before(tries, std::process::id())).await;
        match open(path).await {
            Ok(opened) => return opened,
            Err(error) if error.is_nobody() => {}
            Err(error) => tracing::debug!("could not attach again: {error}"),
        }
    }
}

/// The pause before a try. `face` is a number no other process has, which is all the chance needed here.
fn pause_before(tries: u32, face: u32) -> Duration {
    let pause = TRY_PAUSE.saturating_mul(tries.saturating_mul(tries)).min(TRY_PAUSE_MAX);
    // The high half of a product with an odd number without pattern: neighbours are far apart.
    let mixed = u64::from(face ^ tries.rotate_left(16)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let percent = 100 - SPREAD_PERCENT + (mixed % u64::from(2 * SPREAD_PERCENT + 1)) as u32;
    pause * percent / 100
}

async fn carry(path: PathBuf, call: Call) {
    let answer = ask_as_call(&path, call.command).await;
    // A face that stopped waiting dropped its end.
    let _ = call.reply.send(answer);
}

#[derive(Deserialize)]
struct MissedData {
    dropped: u64,
}

fn read<T: serde::de::DeserializeOwned>(frame: &Frame) -> Option<T> {
    serde_json::from_str(&frame.data)
        .inspect_err(|error| tracing::debug!("skipped a {} that could not be read: {error}", frame.name))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_half_a_minute_and_differ_between_faces() {
        for (tries, about_ms) in [(1, 10), (2, 40), (10, 1_000), (54, 29_160), (55, 30_000), (u32::MAX, 30_000)] {
            let pauses: Vec<u128> = (1..500).map(|face| pause_before(tries, face).as_millis()).collect();
            let (least, most) = (*pauses.iter().min().unwrap(), *pauses.iter().max().unwrap());
            assert!(least >= about_ms * 8 / 10 && most <= about_ms * 12 / 10, "{tries}: {least} to {most} ms");
            assert!(most - least >= about_ms * 3 / 10, "{tries}: {least} to {most} ms");
        }
    }
}
