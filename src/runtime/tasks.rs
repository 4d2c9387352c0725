//! Owns every task and every thread of the runtime: spawning, supervision, ordered shutdown. The
//! driver makes one [`Tasks`] and hands clones to whoever must start something; nothing else in the
//! program spawns. It does not know what the tasks do.

mod pool;

use std::{
    any::Any,
    fmt,
    panic::AssertUnwindSafe,
    process::{Child, Command},
    time::Duration,
};

use futures::FutureExt;
use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use pool::{Pool, PoolError};

/// Reports a driver has not read yet; past this they are only logged, because one report a failed
/// service is plenty to end or to explain a run.
const FAILURES_MAX: usize = 64;
/// How long tasks that ignore cancellation may still run when a shutdown has given up on them:
/// being dropped takes one poll each.
const KILL_TIME: Duration = Duration::from_millis(200);

/// What becomes of the runtime when a service ends although nobody asked it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Nothing works without it: the whole runtime is cancelled.
    Required,
    /// It is made anew after a pause, at most `times` times; then its failure is final.
    Restart {
        /// The pause before each new start.
        after: Duration,
        /// New starts before giving up.
        times: u32,
    },
    /// The rest goes on without it.
    BestEffort,
}

/// How a service ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// It returned, although it should run until cancelled.
    #[error("it ended")]
    Ended,
    /// It returned an error.
    #[error("{message}")]
    Failed {
        /// The error's text.
        message: String,
    },
    /// It panicked: a bug.
    #[error("it panicked: {message}")]
    Panicked {
        /// The panic's message.
        message: String,
    },
}

/// A service that ended unasked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} stopped: {cause}")]
pub struct Failure {
    /// The service's name.
    pub name: &'static str,
    /// What happened.
    pub cause: Cause,
    /// What follows from it.
    pub then: Then,
}

/// What follows from a service's failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// It is started again.
    Restarting,
    /// It stays away; the rest goes on.
    GivenUp,
    /// The runtime ends.
    RuntimeFailed,
}

/// Tasks still running when a shutdown's time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{count} tasks did not end in time and were dropped")]
pub struct Unfinished {
    /// How many.
    pub count: usize,
}

/// The owner of all tasks. Clones share one set.
#[derive(Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    cancel: CancellationToken,
    kill: CancellationToken,
    failures: mpsc::Sender<Failure>,
}

impl Tasks {
    /// No tasks yet, and where the failures of later ones are reported.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Failure>) {
        let (failures, reports) = mpsc::channel(FAILURES_MAX);
        let cancel = CancellationToken::new();
        (Self { tracker: TaskTracker::new(), cancel, kill: CancellationToken::new(), failures }, reports)
    }

    /// Cancelled when the runtime is to end.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancel
    }

    /// How many run.
    #[must_use]
    pub fn count(&self) -> usize {
        self.tracker.len()
    }

    /// Runs `task` to its end. It must end by itself soon after [`Self::cancelled`]; a panic is
    /// reported and costs nobody else anything.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let (failures, kill) = (self.failures.clone(), self.kill.clone());
        self.tracker.spawn(async move {
            let Some(end) = kill.run_until_cancelled(AssertUnwindSafe(task).catch_unwind()).await else { return };
            if let Err(panic) = end {
                report(&failures, Failure { name, cause: panicked(&*panic), then: Then::GivenUp });
            }
        });
    }

    /// Runs a service until cancelled; `make` makes it, again after each failure when `policy` says so.
    pub fn supervise<F, S, E>(&self, name: &'static str, policy: Policy, mut make: F)
    where
        F: FnMut(CancellationToken) -> S + Send + 'static,
        S: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display + Send + 'static,
    {
        let tasks = self.clone();
        self.tracker.spawn(async move {
            let mut restarts = 0;
            loop {
                let service = AssertUnwindSafe(make(tasks.cancel.child_token())).catch_unwind();
                let Some(end) = tasks.kill.run_until_cancelled(service).await else { return };
                let cause = match end {
                    // Ending is what a cancelled service is asked to do.
                    Ok(Ok(())) if tasks.cancel.is_cancelled() => return,
                    Ok(Ok(())) => Cause::Ended,
                    Ok(Err(error)) => Cause::Failed { message: error.to_string() },
                    Err(panic) => panicked(&*panic),
                };
                match policy {
                    Policy::Required => {
                        report(&tasks.failures, Failure { name, cause, then: Then::RuntimeFailed });
                        tasks.cancel.cancel();
                        return;
                    }
                    Policy::Restart { after, times } if restarts < times => {
                        restarts += 1;
                        report(&tasks.failures, Failure { name, cause, then: Then::Restarting });
                        if tasks.cancel.run_until_cancelled(tokio::time::sleep(after)).await.is_none() {
                            return;
                        }
                    }
                    Policy::Restart { .. } | Policy::BestEffort => {
                        report(&tasks.failures, Failure { name, cause, then: Then::GivenUp });
                        return;
                    }
                }
            }
        });
    }

    /// Cancels everything and returns when every task has ended; those that have not after `grace`
    /// are dropped where they wait, and counted.
    pub async fn shutdown(&self, grace: Duration) -> Result<(), Unfinished> {
        self.cancel.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait()).await.is_ok() {
            return Ok(());
        }
        let count = self.tracker.len();
        self.kill.cancel();
        // A task that blocks its thread cannot be dropped; the count already tells of it.
        let _ = tokio::time::timeout(KILL_TIME, self.tracker.wait()).await;
        Err(Unfinished { count })
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("running", &self.tracker.len()).finish_non_exhaustive()
    }
}

/// A thread for a runtime of its own. It ends when what it runs does; nobody joins it, its owner
/// learns of the end from what it runs.
#[expect(clippy::disallowed_methods, reason = "this file owns every thread")]
pub fn start_thread(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map(drop)
}

/// Another process. Whoever has it ends it and waits for it.
pub fn start_process(command: &mut Command) -> std::io::Result<Child> {
    command.spawn()
}

fn report(failures: &mpsc::Sender<Failure>, failure: Failure) {
    tracing::error!(service = failure.name, cause = %failure.cause, then = ?failure.then, "a service stopped");
    // Full or closed means that the driver is busy ending the run; the log has the line.
    let _ = failures.try_send(failure);
}

fn panicked(panic: &(dyn Any + Send)) -> Cause {
    let message = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned());
    Cause::Panicked { message }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use super::*;

    /// Long enough for what ends, and short for what never does.
    const GRACE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_required_service_takes_the_runtime_with_it() {
        let (tasks, mut failures) = Tasks::new();
        tasks.supervise("links", Policy::Required, |_| async { Err::<(), _>("port gone") });
        tasks.cancelled().cancelled().await;
        let expect =
            Failure { name: "links", cause: Cause::Failed { message: "port gone".into() }, then: Then::RuntimeFailed };
        assert_eq!(failures.recv().await, Some(expect));
        assert_eq!(tasks.shutdown(GRACE).await, Ok(()));
    }

    /// Runs a service that panics at every start: what is reported, how often it was started, and whether
    /// the rest has to end.
    async fn panicking(policy: Policy, reports: usize) -> (Vec<Then>, u32, bool) {
        let (tasks, mut failures) = Tasks::new();
        let starts = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&starts);
        tasks.supervise("service", policy, move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
            async { if true { panic!("bug") } else { Ok::<(), String>(()) } }
        });
        let mut thens = Vec::new();
        for _ in 0..reports {
            let failure = failures.recv().await.expect("reported");
            assert_eq!(failure.cause, Cause::Panicked { message: "bug".into() });
            thens.push(failure.then);
        }
        tokio::task::yield_now().await;
        let ends = tasks.cancelled().is_cancelled();
        assert_eq!(tasks.shutdown(GRACE).await, Ok(()));
        assert!(failures.try_recv().is_err(), "reported once each");
        (thens, starts.load(Ordering::Relaxed), ends)
    }

    #[tokio::test]
    async fn a_panic_is_caught_and_costs_what_the_policy_says() {
        assert_eq!(panicking(Policy::Required, 1).await, (vec![Then::RuntimeFailed], 1, true));
        let twice = Policy::Restart { after: GRACE, times: 2 };
        let reports = vec![Then::Restarting, Then::Restarting, Then::GivenUp];
        assert_eq!(panicking(twice, 3).await, (reports, 3, false));
        assert_eq!(panicking(Policy::BestEffort, 1).await, (vec![Then::GivenUp], 1, false));
    }

    #[tokio::test]
    async fn shutdown_waits_for_the_willing_and_drops_the_deaf() {
        let (tasks, mut failures) = Tasks::new();
        tasks.supervise("polite", Policy::Required, |cancel| async move {
            cancel.cancelled().await;
            tokio::task::yield_now().await;
            Ok::<(), String>(())
        });
        assert_eq!(tasks.shutdown(GRACE).await, Ok(()));
        assert!(failures.try_recv().is_err(), "an asked-for end is no failure");

        let (tasks, _failures) = Tasks::new();
        tasks.spawn("deaf", std::future::pending());
        assert_eq!(tasks.shutdown(GRACE).await, Err(Unfinished { count: 1 }));
        assert_eq!(tasks.tracker.len(), 0);
    }
}
