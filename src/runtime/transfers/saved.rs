//! The queue as the state folder keeps it, so that the next run goes on. Written by one task, the
//! newest state after the one before: two writers at once could end with the older one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Wish;
use crate::{
    api::AfterGet,
    io::state::{StateError, StateFile},
    runtime::{
        context::Context,
        tasks::{Pool, PoolError},
    },
    types::{GameId, Version},
};

/// The queue in the state folder.
const STATE_NAME: &str = "transfers.json";

/// A transfer as the state file keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    game: String,
    title: String,
    version: String,
    content: String,
    size: u64,
    #[serde(default)]
    pub(super) paused: bool,
    #[serde(default)]
    after: AfterGet,
    #[serde(default)]
    repair: bool,
    /// The folder of the library it is built in: that may not be there at the next start.
    #[serde(default)]
    pub(super) library: Option<PathBuf>,
}

impl Saved {
    pub(super) fn of(wish: &Wish, library: Option<&Path>, paused: bool) -> Self {
        let Wish { game, title, version, content, size, after, repair } = wish;
        Self {
            game: game.as_str().to_owned(),
            title: title.clone(),
            version: version.as_str().to_owned(),
            content: content.to_string(),
            size: *size,
            paused,
            after: *after,
            repair: *repair,
            library: library.map(Path::to_owned),
        }
    }

    /// `None` when it names what cannot be.
    pub(super) fn wish(&self) -> Option<Wish> {
        Some(Wish {
            game: GameId::new(&self.game).ok()?,
            title: self.title.clone(),
            version: Version::new(&self.version).ok()?,
            content: self.content.parse().ok()?,
            size: self.size,
            after: self.after,
            repair: self.repair,
        })
    }
}

/// A queue, and how many were saved before it.
type Numbered = (u64, Vec<Saved>);

/// The state file and the task that writes it. What was saved last is written even when this is
/// dropped.
#[derive(Debug)]
pub(super) struct Keeper {
    newest: watch::Sender<Numbered>,
    record: Record,
}

impl Keeper {
    /// Of the state folder of `context`; with it what the last run left, and what was wrong with that.
    pub(super) async fn open(context: &Context) -> Result<(Self, Vec<Saved>, Option<StateError>), PoolError> {
        let file = StateFile::new(&context.settings.places.state, STATE_NAME);
        let to_load = file.clone();
        let (left, trouble) = context.pool.run(move || to_load.load()).await?;
        let (newest, changes) = watch::channel((0, Vec::new()));
        let (wrote, written) = watch::channel(0);
        context.tasks.spawn("save the queue", write(file, context.pool.clone(), changes, wrote));
        let record = Record { newest: newest.subscribe(), written };
        Ok((Self { newest, record }, left, trouble))
    }

    /// Replaces what is kept. Does not wait for the disk.
    pub(super) fn save(&self, queue: Vec<Saved>) {
        self.newest.send_modify(|newest| *newest = (newest.0 + 1, queue));
    }

    /// For those who wait for the disk.
    pub(super) fn record(&self) -> Record {
        self.record.clone()
    }
}

/// Knows what of the queue is on disk.
#[derive(Debug, Clone)]
pub(super) struct Record {
    newest: watch::Receiver<Numbered>,
    written: watch::Receiver<u64>,
}

impl Record {
    /// Waits until what was saved up to now is on disk, or could not be written, which is logged.
    pub(super) async fn settled(&mut self) {
        let asked = self.newest.borrow().0;
        // Nobody writes any more when the runtime ends.
        let _ = self.written.wait_for(|written| *written >= asked).await;
    }
}

async fn write(file: StateFile, pool: Pool, mut changes: watch::Receiver<Numbered>, wrote: watch::Sender<u64>) {
    // Ends with the keeper, and not before it has written what that said last.
    while changes.changed().await.is_ok() {
        let ((number, queue), file) = (changes.borrow_and_update().clone(), file.clone());
        // A pool that stopped ends with the runtime; the last change is then the one before.
        if let Ok(Err(error)) = pool.run(move || file.save(&queue)).await {
            tracing::warn!(%error, "the queue cannot be saved");
        }
        wrote.send_replace(number);
    }
}
