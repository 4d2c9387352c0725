//! What the library actor works with, made before anything runs, so that a start that cannot work says
//! why and ends.

use std::{num::NonZeroUsize, thread, time::Duration};

use crate::{
    config::Settings,
    io::{catalog::Catalog, process},
    runtime::{error::StartError, tasks::Pool},
};

/// Threads that read and hash whole games: beside them others serve, and disks like few readers.
const HASHING_THREADS_MAX: usize = 4;
/// Jobs waiting for such a thread; the actor starts no more looks than there are threads, so these
/// are commands.
const HASHING_QUEUE: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");
/// `version.ini` is often copied before the rest, and a manifest made in the middle of that would be
/// one of half a game.
const QUIET: Duration = Duration::from_secs(2);
/// Descriptors everything but game folders needs: links, open files, the index.
const OTHER_FILES: u64 = 700;

/// The tools to look at libraries.
#[derive(Debug)]
pub(crate) struct Folder {
    pub(super) catalog: Catalog,
    /// Games whose folders can be kept open at once.
    pub(super) open_max: usize,
    /// Where games are read and hashed, apart from the threads that serve and write chunks.
    pub(super) hashing: Pool,
    pub(super) hashing_threads: usize,
    /// How long nobody may have written to a folder for it to be whole.
    pub(super) quiet: Duration,
}

impl Folder {
    /// A catalog that cannot be understood ends the start: without it, a
    /// gate would stand open.
    pub(crate) fn prepare(settings: &Settings) -> Result<Self, StartError> {
        let catalog = Catalog::read(&settings.catalog)?.unwrap_or_default();
        let files = process::raise_open_files();
        let open_max = usize::try_from(files.saturating_sub(OTHER_FILES)).unwrap_or(usize::MAX).max(1);
        let threads = thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2)).min(HASHING_THREADS_MAX);
        let count = NonZeroUsize::new(threads).unwrap_or(NonZeroUsize::MIN);
        let hashing =
            Pool::start("potluck-hash", count, HASHING_QUEUE).map_err(|source| StartError::Thread { source })?;
        Ok(Self { catalog, open_max, hashing, hashing_threads: count.get(), quiet: QUIET })
    }

    /// Ends its threads; for one that no library ever ran on.
    pub(crate) async fn close(self) {
        self.hashing.shutdown().await;
    }
}
