//! A face's end of the runtime: the same in process and attached over the control socket. Commands
//! are queued and answered; the snapshot is the newest one; events are bounded, and whoever falls
//! behind is told how many it missed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{Command, CommandError, ErrorCode, Event, Reply, Snapshot};

/// Commands waiting for the runtime; a face that is faster than that waits.
pub const COMMANDS_QUEUED_MAX: usize = 64;
/// Events kept for a face that is slow; beyond that the oldest are dropped and counted.
pub const EVENTS_KEPT_MAX: usize = 1_024;

/// A command under way and where its answer goes.
#[derive(Debug)]
pub struct Call {
    /// What is asked.
    pub command: Command,
    /// Where the answer goes; a face that stopped waiting dropped its end.
    pub reply: oneshot::Sender<Result<Reply, CommandError>>,
}

/// A face's end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: mpsc::Sender<Call>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Weak, so that subscribers see the end when the runtime drops its own.
    events: broadcast::WeakSender<Event>,
    dropped: Arc<AtomicU64>,
}

/// The end of whoever answers: the runtime, or a client of the control socket.
#[derive(Debug)]
pub struct HandleEnd {
    /// Commands to carry out.
    pub commands: mpsc::Receiver<Call>,
    /// Where new snapshots go.
    pub snapshots: watch::Sender<Arc<Snapshot>>,
    /// Where events go.
    pub events: broadcast::Sender<Event>,
    /// Events that slow faces did not get, all faces together.
    pub dropped: Arc<AtomicU64>,
}

/// Both ends.
#[must_use]
pub fn channel(first: Snapshot) -> (Handle, HandleEnd) {
    let (commands, commands_end) = mpsc::channel(COMMANDS_QUEUED_MAX);
    let (snapshots_end, snapshots) = watch::channel(Arc::new(first));
    let (events, _) = broadcast::channel(EVENTS_KEPT_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let handle = Handle { commands, snapshots, events: events.downgrade(), dropped: Arc::clone(&dropped) };
    (handle, HandleEnd { commands: commands_end, snapshots: snapshots_end, events, dropped })
}

impl Handle {
    /// Asks for `command` and waits for the answer.
    pub async fn call(&self, command: Command) -> Result<Reply, CommandError> {
        let (reply, answer) = oneshot::channel();
        let gone = || CommandError::new(ErrorCode::Failed, "the runtime has ended; start potluck again");
        self.commands.send(Call { command, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The newest snapshot.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }

    /// Waits for a snapshot that this handle has not given yet.
    pub async fn changed(&mut self) -> Result<Arc<Snapshot>, Stopped> {
        self.snapshots.changed().await.map_err(|_| Stopped)?;
        Ok(self.snapshots.borrow_and_update().clone())
    }

    /// Events from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        // Where the runtime has ended, a channel whose only sender is dropped at once says so.
        let events = self.events.upgrade().map_or_else(|| broadcast::channel(1).1, |events| events.subscribe());
        Events { events, dropped: Arc::clone(&self.dropped) }
    }

    /// Whether the runtime has ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.commands.is_closed()
    }
}

/// Events in order.
#[derive(Debug)]
pub struct Events {
    events: broadcast::Receiver<Event>,
    dropped: Arc<AtomicU64>,
}

impl Events {
    /// The next event, or how many were dropped because this face was slow.
    pub async fn next(&mut self) -> Result<Result<Event, Missed>, Stopped> {
        match self.events.recv().await {
            Ok(event) => Ok(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => {
                self.dropped.fetch_add(count, Ordering::Relaxed);
                Ok(Err(Missed { count }))
            }
            Err(broadcast::error::RecvError::Closed) => Err(Stopped),
        }
    }
}

/// Events a slow face did not get; a fresh snapshot makes up for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// How many.
    pub count: u64,
}

/// The other end is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the runtime has ended")]
pub struct Stopped;

#[cfg(test)]
mod tests {
    use std::{
        sync::Barrier,
        thread,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::{
        api::{EventKind, Level},
        types::alone::is_alone,
    };

    const PRODUCERS: usize = 200;
    const EVENTS_EACH: usize = 1_000;

    fn note(producer: usize, number: usize) -> Event {
        let text = format!("{producer} {number}");
        Event { at_ms: 0, level: Level::Info, text, kind: EventKind::Note }
    }

    fn number_of(event: &Event) -> (usize, usize) {
        let (producer, number) = event.text.split_once(' ').expect("a note of this test");
        (producer.parse().expect("a number"), number.parse().expect("a number"))
    }

    /// Takes events until the runtime has ended: how many came, and how many were dropped. What comes of
    /// each producer comes in order.
    fn follow(mut events: Events) -> (usize, u64) {
        let (mut came, mut dropped, mut last) = (0, 0, [None; PRODUCERS]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            while let Ok(next) = events.next().await {
                match next {
                    Ok(event) => {
                        let (producer, number) = number_of(&event);
                        assert!(last[producer] < Some(number), "{producer}: {number} after {:?}", last[producer]);
                        last[producer] = Some(number);
                        came += 1;
                    }
                    Err(missed) => dropped += missed.count,
                }
            }
        });
        (came, dropped)
    }

    fn resident_kb() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line of memory");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    }

    /// All events of all producers; how long it took.
    fn produce(end: &HandleEnd) -> Duration {
        let start = Barrier::new(PRODUCERS + 1);
        thread::scope(|scope| {
            for producer in 0..PRODUCERS {
                let (start, events) = (&start, end.events.clone());
                scope.spawn(move || {
                    start.wait();
                    for number in 0..EVENTS_EACH {
                        // Nobody to tell is no failure.
                        let _ = events.send(note(producer, number));
                    }
                });
            }
            start.wait();
            Instant::now()
        })
        .elapsed()
    }

    #[test]
    #[expect(clippy::print_stderr, reason = "figures")]
    fn order_is_kept_and_a_wedged_face_delays_nobody() {
        if !is_alone("api::handle::tests::order_is_kept_and_a_wedged_face_delays_nobody") {
            return;
        }
        let (handle, end) = channel(Snapshot::default());
        let before = resident_kb();
        let wedged = handle.events();
        let faces: Vec<_> = (0..3).map(|_| handle.events()).collect();
        let readers: Vec<_> = faces.into_iter().map(|events| thread::spawn(|| follow(events))).collect();
        let took = produce(&end);
        let after = resident_kb();
        let all = (PRODUCERS * EVENTS_EACH) as u64;
        drop(end);
        for reader in readers {
            let (came, dropped) = reader.join().expect("in order");
            assert_eq!(came as u64 + dropped, all, "every event came or is counted");
        }
        // The one that never read has the newest, in order, and the count of the rest.
        let (came, dropped) = follow(wedged);
        assert_eq!((came, dropped), (EVENTS_KEPT_MAX, all - EVENTS_KEPT_MAX as u64));
        let grown = after.saturating_sub(before);
        eprintln!("{all} events of {PRODUCERS} producers in {took:?}; memory grew by {grown} kB");
        // 200 stacks and 1,024 events; the events alone would be over 30 MB.
        assert!(grown < 16_000, "{grown} kB");
        assert!(took < Duration::from_secs(20), "{took:?}");
    }

    #[test]
    fn a_face_that_keeps_up_misses_nothing() {
        let (handle, end) = channel(Snapshot::default());
        let mut events = handle.events();
        let _wedged = handle.events();
        for number in 0..10 * EVENTS_KEPT_MAX {
            end.events.send(note(0, number)).expect("two listen");
            let next = futures::FutureExt::now_or_never(events.next()).expect("at once");
            assert_eq!(next, Ok(Ok(note(0, number))));
        }
        assert_eq!(end.dropped.load(Ordering::Relaxed), 0);
    }
}
