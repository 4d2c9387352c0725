//! A face's end of the runtime: the same in process and attached over the control socket. Commands
//! are queued and answered; the snapshot is the newest one; events are bounded, and whoever falls
//! behind is told how many it missed.

use std::sync::Arc;

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
}

/// Both ends.
#[must_use]
pub fn channel(first: Snapshot) -> (Handle, HandleEnd) {
    let (commands, commands_end) = mpsc::channel(COMMANDS_QUEUED_MAX);
    let (snapshots_end, snapshots) = watch::channel(Arc::new(first));
    let (events, _) = broadcast::channel(EVENTS_KEPT_MAX);
    let handle = Handle { commands, snapshots, events: events.downgrade() };
    (handle, HandleEnd { commands: commands_end, snapshots: snapshots_end, events })
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
        Events(self.events.upgrade().map_or_else(|| broadcast::channel(1).1, |events| events.subscribe()))
    }

    /// Whether the runtime has ended.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.commands.is_closed()
    }
}

/// Events in order.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<Event>);

impl Events {
    /// The next event, or how many were dropped because this face was slow.
    pub async fn next(&mut self) -> Result<Result<Event, Missed>, Stopped> {
        match self.0.recv().await {
            Ok(event) => Ok(Ok(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => Ok(Err(Missed { count })),
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
