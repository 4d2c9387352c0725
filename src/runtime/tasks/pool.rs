//! Named threads for work that blocks: disk and hashing. The queue is bounded, and who finds it full
//! waits for a place, so that reading from the network slows down before memory fills up. Jobs run
//! in the order they came; a panic costs only the job.

#![expect(clippy::disallowed_methods, reason = "a part of tasks.rs, which owns every thread")]

use std::{
    fmt, io,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use tokio::sync::{mpsc, oneshot, watch};

type Job = Box<dyn FnOnce() + Send>;

/// Why a job has no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// The pool has been shut down.
    #[error("the {name} threads have been stopped")]
    Stopped {
        /// The pool's name.
        name: &'static str,
    },
    /// The job panicked: a bug.
    #[error("work on the {name} threads panicked")]
    Panicked {
        /// The pool's name.
        name: &'static str,
    },
}

/// A fixed number of threads and one bounded queue before them. Clones share both.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    name: &'static str,
    /// `None` once shut down.
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    /// Closed when the last thread has ended.
    running: watch::Sender<()>,
}

impl Pool {
    /// Starts `threads` threads called `name` and a number, with room for `queue` waiting jobs.
    pub fn start(name: &'static str, threads: NonZeroUsize, queue: NonZeroUsize) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel::<Job>(queue.get());
        let waiting = Arc::new(Mutex::new(waiting));
        let (running, alive) = watch::channel(());
        for number in 0..threads.get() {
            let (waiting, alive) = (Arc::clone(&waiting), alive.clone());
            thread::Builder::new().name(format!("{name}-{number}")).spawn(move || {
                work(&waiting);
                drop(alive);
            })?;
        }
        Ok(Self { shared: Arc::new(Shared { name, jobs: Mutex::new(Some(jobs)), running }) })
    }

    /// Waits for a place in the queue, runs `job` on a thread of the pool and returns its result.
    /// Dropping the future does not stop a job that has its place.
    pub async fn run<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Result<T, PoolError> {
        let result = self.submit(job).await?;
        result.await.map_err(|_| PoolError::Panicked { name: self.shared.name })
    }

    /// Waits for a place in the queue only; the receiver fails if the job panics.
    pub async fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<oneshot::Receiver<T>, PoolError> {
        let stopped = PoolError::Stopped { name: self.shared.name };
        let jobs = self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(stopped)?;
        let (result, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            // Nobody waits for the result any more: the asker was cancelled.
            let _ = result.send(job());
        });
        jobs.send(job).await.map_err(|_| stopped)?;
        Ok(receiver)
    }

    /// How many jobs wait for a thread.
    #[must_use]
    pub fn waiting(&self) -> usize {
        let jobs = self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.as_ref().map_or(0, |jobs| jobs.max_capacity() - jobs.capacity())
    }

    /// Takes no more jobs, lets those that wait run, and returns when every thread has ended.
    pub async fn shutdown(&self) {
        self.shared.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.shared.running.closed().await;
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

fn work(waiting: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // The lock is held while waiting: idle threads queue up behind it and take one job each.
        let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(job) = job else { return };
        // The panic hook has logged it, and the dropped result tells the asker.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(threads: usize, queue: usize) -> Pool {
        let size = |n| NonZeroUsize::new(n).expect("not zero");
        Pool::start("test", size(threads), size(queue)).expect("threads")
    }

    #[tokio::test]
    async fn jobs_return_their_results_from_named_threads() {
        let pool = pool(2, 4);
        let name = pool.run(|| thread::current().name().map(str::to_owned)).await.expect("ran");
        assert!(matches!(name.as_deref(), Some("test-0" | "test-1")), "{name:?}");
        pool.shutdown().await;
        assert_eq!(pool.run(|| 1).await, Err(PoolError::Stopped { name: "test" }));
    }

    #[tokio::test]
    async fn a_panic_costs_only_its_job() {
        let pool = pool(1, 1);
        let job = || -> u8 { panic!("on purpose") };
        assert_eq!(pool.run(job).await, Err(PoolError::Panicked { name: "test" }));
        assert_eq!(pool.run(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_shutdown_runs_what_waits() {
        let pool = pool(1, 1);
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let first = pool.submit(move || gate.recv().is_ok()).await.expect("a place");
        let second = pool.submit(|| 2).await;
        {
            // One runs and one waits, or both wait: one more place at most is free until the gate opens.
            let (third, fourth) = (pool.submit(|| 3), pool.submit(|| 4));
            tokio::pin!(third, fourth);
            assert!(futures::poll!(third).is_pending() || futures::poll!(fourth).is_pending());
        }
        open.send(()).expect("the job waits");
        assert_eq!(first.await, Ok(true));
        let stop = pool.shutdown();
        assert_eq!(second.expect("a place").await, Ok(2));
        stop.await;
    }
}
