//! The stream of server-sent events: the whole state first, then what is new of it at most 5 times
//! a second, and facts as they come. A reader that is slow is told how many facts it missed and
//! gets the whole state again; it never slows the runtime.

use std::{collections::VecDeque, convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response, Sse, sse};
use futures::{FutureExt as _, Stream, stream};
use serde::Serialize;
use serde_json::json;
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    api::{Event, Events, Handle, Missed, Snapshot},
    control::sse::{DROPPED, EVENT, PART, SNAPSHOT},
};

/// Changes of state are collected for so long: 5 times a second is what an eye over SSH wants.
const PARTS_PAUSE: Duration = Duration::from_millis(200);
/// A runtime that is told to end says `stopping`, and mostly ends, within this; shorter than what a
/// connection has for its last words.
const LAST_TIME: Duration = Duration::from_millis(200);
/// A comment is sent after so long a silence, so that a dead connection is noticed; tests do not want to wait.
const KEEP_ALIVE: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 15_000 });

/// What a reader wants to be told after the first snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wanted {
    /// What is new of the state, collected.
    state: bool,
    /// Every fact, in order.
    facts: bool,
}

impl Wanted {
    /// By the query of the request; both without one.
    pub(super) fn of(query: Option<&str>) -> Result<Self, &'static str> {
        match query {
            None | Some("") => Ok(Self { state: true, facts: true }),
            Some("of=state") => Ok(Self { state: true, facts: false }),
            Some("of=facts") => Ok(Self { state: false, facts: true }),
            Some(_) => Err("say `of=state` or `of=facts`, or nothing for both"),
        }
    }
}

/// The answer to `GET /v1/events`.
pub(super) fn stream(handle: Handle, cancel: CancellationToken, wanted: Wanted) -> Response {
    let keep_alive = sse::KeepAlive::new().interval(KEEP_ALIVE);
    Sse::new(frames(handle, cancel, wanted)).keep_alive(keep_alive).into_response()
}

fn frames(
    handle: Handle,
    cancel: CancellationToken,
    wanted: Wanted,
) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    // Facts from before the snapshot would be told twice; the other way round none is lost.
    let events = handle.events();
    let shown = handle.snapshot();
    let mut pause = interval(PARTS_PAUSE);
    pause.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ready = VecDeque::new();
    let mut feed = Feed {
        handle,
        wanted,
        events,
        shown,
        cancel,
        pause,
        stale: false,
        ready,
        number: 0,
        closing: None,
        over: false,
    };
    feed.push_snapshot();
    stream::unfold(feed, |mut feed| async move { feed.next().await.map(|event| (Ok(event), feed)) })
}

async fn until(closing: &mut Option<Pin<Box<Sleep>>>) {
    match closing {
        Some(closing) => closing.await,
        None => std::future::pending().await,
    }
}

struct Feed {
    handle: Handle,
    wanted: Wanted,
    events: Events,
    /// What the reader knows.
    shown: Arc<Snapshot>,
    cancel: CancellationToken,
    pause: Interval,
    /// There is something newer than `shown`.
    stale: bool,
    /// Frames to send: at most the parts of one snapshot, and at the end the facts that are kept.
    ready: VecDeque<sse::Event>,
    /// Number of the last frame, those counted that were dropped.
    number: u64,
    /// Since the socket closes: the last words are waited for so long.
    closing: Option<Pin<Box<Sleep>>>,
    /// What is ready is the last there is.
    over: bool,
}

impl Feed {
    /// The next frame; none when the runtime has ended.
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Some(frame);
            }
            if self.over {
                return None;
            }
            tokio::select! {
                biased;
                () = self.cancel.cancelled(), if self.closing.is_none() => {
                    self.closing = Some(Box::pin(sleep(LAST_TIME)));
                }
                () = until(&mut self.closing) => self.push_last(),
                _ = self.pause.tick(), if self.stale => {
                    self.stale = false;
                    self.push_parts();
                }
                event = self.events.next(), if self.wanted.facts => match event {
                    Ok(event) => self.push_fact(event),
                    Err(_stopped) => self.push_last(),
                },
                changed = self.handle.changed(), if self.wanted.state && !self.stale => match changed {
                    Ok(_) => self.stale = true,
                    Err(_stopped) => self.push_last(),
                },
            }
        }
    }

    /// The facts nobody has read yet, and the state as it is at the end: why a runtime failed is in both.
    fn push_last(&mut self) {
        self.over = true;
        while self.wanted.facts
            && let Some(Ok(event)) = self.events.next().now_or_never()
        {
            self.push_fact(event);
        }
        if self.wanted.state {
            self.push_parts();
        }
    }

    fn push_fact(&mut self, event: Result<Event, Missed>) {
        match event {
            Ok(event) => self.push(EVENT, &event),
            Err(missed) => {
                // Where some are missing, so are their numbers.
                self.number += missed.count;
                self.push(DROPPED, &json!({ "dropped": missed.count }));
                self.shown = self.handle.snapshot();
                self.push_snapshot();
            }
        }
    }

    fn push_snapshot(&mut self) {
        let shown = Arc::clone(&self.shown);
        self.push(SNAPSHOT, &*shown);
    }

    fn push_parts(&mut self) {
        let now = self.handle.snapshot();
        for part in now.parts_since(&self.shown) {
            self.push(PART, &part);
        }
        self.shown = now;
    }

    fn push<T: Serialize>(&mut self, name: &'static str, value: &T) {
        self.number += 1;
        match serde_json::to_string(value) {
            // JSON text has no line breaks, so it is one line of data.
            Ok(text) => {
                self.ready.push_back(sse::Event::default().event(name).id(self.number.to_string()).data(text));
            }
            Err(error) => tracing::error!("a {name} could not be written as JSON: {error}"),
        }
    }
}
