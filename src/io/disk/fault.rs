//! Points at which a test can stop the disk: before the k-th operation that changes anything, either
//! as an error that makes every later operation fail too, or by killing the process for real.

use std::sync::atomic::{AtomicU64, Ordering};

use super::error::Reason;

/// What happens at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultAction {
    /// This operation and all later ones fail with [`Reason::Fault`].
    Fail,
    /// The process ends by SIGKILL.
    Kill,
}

/// Counts operations that change the disk and stops before one of them.
#[derive(Debug)]
pub struct Faults {
    done: AtomicU64,
    stop_before: AtomicU64,
    action: FaultAction,
}

impl Faults {
    /// Stops before operation number `point`, counted from 1.
    #[must_use]
    pub fn before(point: u64, action: FaultAction) -> Self {
        Self { done: AtomicU64::new(0), stop_before: AtomicU64::new(point), action }
    }

    /// Never stops, only counts.
    #[must_use]
    pub fn count_only() -> Self {
        Self::before(u64::MAX, FaultAction::Fail)
    }

    /// Counts from 0 again, and stops before operation number `point` from here on.
    pub fn arm(&self, point: u64) {
        self.done.store(0, Ordering::SeqCst);
        self.stop_before.store(point, Ordering::SeqCst);
    }

    /// Operations asked for so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.done.load(Ordering::SeqCst)
    }

    pub(super) fn tick(&self) -> Result<(), Reason> {
        let point = self.done.fetch_add(1, Ordering::SeqCst) + 1;
        if point < self.stop_before.load(Ordering::SeqCst) {
            return Ok(());
        }
        match self.action {
            FaultAction::Fail => {}
            FaultAction::Kill => {
                // Whether it worked shows at once: a process cannot outlive its own SIGKILL.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
        }
        Err(Reason::Fault { point })
    }
}
