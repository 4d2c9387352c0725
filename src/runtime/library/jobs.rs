//! What takes a disk's time: starting it on the pool, and taking note of how it ended.

use std::{sync::Arc, time::Instant};

use super::{
    Actor,
    adding::{AddError, AddOutcome, Plan},
    changes::Op,
    look::{Meter, Seen},
    moving::Moved,
    playing::PlayNews,
    space::Weighed,
    sync::{self, SnapshotError},
};
use crate::{
    api::ErrorCode,
    core::library::{FetchNo, LocalChange, Progress},
    io::{
        clock,
        disk::{DiskError, Survey},
        store::KeptWhat,
    },
    runtime::{
        input::ReplyTo,
        installs::{InstallError, Installed, MoveError, Removed},
        tasks::PoolError,
    },
    types::{ContentId, GameId, LibraryDigest, LibraryEntry, LibraryNo, PeerId, Space, Weighing},
};

/// A job that is over.
#[derive(Debug)]
pub(super) enum Done {
    /// Nothing anybody waits for.
    Nothing,
    /// What earlier runs left half done is finished.
    Recovered {
        survey: Survey,
        notes: Vec<String>,
    },
    Listed(Survey),
    /// Which libraries are there.
    LookedFor(Vec<bool>),
    /// The room in each library.
    Room(Vec<Space>),
    Seen {
        game: GameId,
        seen: Result<Seen, PoolError>,
    },
    Fetched {
        peer: PeerId,
        fetch: FetchNo,
        result: Result<(LibraryDigest, Vec<LibraryEntry>), SnapshotError>,
    },
    /// As far as transfers are concerned, the game may be changed; or a transfer of it is under way.
    Clear {
        op: Op,
        busy: bool,
    },
    Added {
        plan: Arc<Plan>,
        reply: ReplyTo,
        result: Result<Result<AddOutcome, AddError>, PoolError>,
    },
    Removed {
        game: GameId,
        reply: ReplyTo,
        result: Result<Result<Removed, InstallError>, PoolError>,
    },
    Installed {
        game: GameId,
        reply: Option<ReplyTo>,
        result: Result<Result<Installed, InstallError>, PoolError>,
    },
    Uninstalled {
        game: GameId,
        reply: ReplyTo,
        result: Result<Result<Vec<String>, InstallError>, PoolError>,
    },
    /// A game is in another library, or was not moved.
    Moved {
        game: GameId,
        to: LibraryNo,
        reply: ReplyTo,
        result: Result<Result<Moved, MoveError>, PoolError>,
    },
    /// What was left where it had been is gone, or why it is not.
    MovedAway {
        game: GameId,
        to: LibraryNo,
        reply: ReplyTo,
        result: Result<(), DiskError>,
    },
    /// What becomes of a wish to play.
    Play {
        game: GameId,
        news: PlayNews,
    },
    Weighed {
        found: Vec<Weighed>,
        reply: ReplyTo,
    },
    /// What a build takes when it is installed was found out, or cannot be.
    WeighedBuild {
        game: GameId,
        content: ContentId,
        weighing: Result<Weighing, PoolError>,
    },
    /// Whether the payload of a game that is to be dropped has archives.
    Archives {
        game: GameId,
        content: ContentId,
        found: Result<Result<bool, InstallError>, PoolError>,
    },
    Dropped {
        game: GameId,
        reply: Option<ReplyTo>,
        result: Result<Result<ContentId, InstallError>, PoolError>,
    },
    Freed {
        game: GameId,
        what: KeptWhat,
        reply: ReplyTo,
        result: Result<Result<Option<u64>, DiskError>, PoolError>,
    },
    Verified {
        game: GameId,
        repair: bool,
        reply: ReplyTo,
        seen: Result<Seen, PoolError>,
    },
}

impl Actor {
    pub(super) fn ask_for_space(&self) {
        let desk = self.desk.clone();
        // Unknown is shown as nothing.
        self.job("free space", move || desk.libraries.spaces(), |done| Done::Room(done.unwrap_or_default()));
    }

    pub(super) fn fetch(&mut self, peer: PeerId, fetch: FetchNo) {
        let Some(link) = self.links.get(&peer).cloned() else {
            return self.core.handle_snapshot_failed(&peer, fetch, clock::now());
        };
        let done = self.done_sender.clone();
        let cancelled = self.context.tasks.cancelled().clone();
        self.context.tasks.spawn("library snapshot", async move {
            let Some(result) = cancelled.run_until_cancelled(sync::fetch(&link)).await else { return };
            // The actor is gone only when the runtime ends.
            let _ = done.send(Done::Fetched { peer, fetch, result }).await;
        });
    }

    pub(super) fn on_done(&mut self, done: Done) {
        let now = clock::now();
        match done {
            Done::Nothing => {}
            Done::Recovered { survey, notes } => self.on_recovered(survey, notes, now),
            Done::Listed(survey) => {
                self.is_listing = false;
                self.on_listed(survey, now);
            }
            Done::LookedFor(there) => self.on_looked_for(&there, now),
            Done::Room(spaces) => {
                self.spaces = spaces;
                self.show_libraries();
            }
            Done::Seen { game, seen } => {
                self.meters.remove(&game);
                let op_waits = self.looks.end(&game);
                self.on_seen_or_panicked(&game, seen, now);
                if let Some(op) = self.waiting.remove(&game).filter(|_| op_waits) {
                    self.take(op);
                }
                self.install_if_owed(&game);
                self.drop_if_owed(&game);
            }
            Done::Fetched { peer, fetch, result } => match result {
                Ok((digest, entries)) => self.core.handle_snapshot(&peer, fetch, digest, entries, now),
                Err(error) => {
                    tracing::debug!(%error, peer = %peer.short(), "no library from a peer");
                    self.core.handle_snapshot_failed(&peer, fetch, now);
                }
            },
            Done::Clear { op, busy } => {
                // Reading a game while a transfer of it runs harms neither.
                if busy && !matches!(op, Op::Verify { .. }) {
                    op.refuse(ErrorCode::Refused, "it is being got; wait for it, or `potluck cancel` it first");
                } else {
                    self.take(op);
                }
            }
            Done::Added { plan, reply, result } => self.on_added(&plan, reply, result, now),
            Done::Removed { game, reply, result } => self.on_removed(&game, reply, result, now),
            Done::Installed { game, reply, result } => self.on_installed(&game, reply, result, now),
            Done::Uninstalled { game, reply, result } => self.on_uninstalled(&game, reply, result, now),
            Done::Moved { game, to, reply, result } => self.on_moved(&game, to, reply, result, now),
            Done::MovedAway { game, to, reply, result } => self.on_moved_away(&game, to, reply, result, now),
            Done::Play { game, news } => self.on_play(&game, news),
            Done::WeighedBuild { game, content, weighing } => self.on_weighed_build(&game, &content, weighing, now),
            Done::Weighed { found, reply } => self.on_weighed(found, reply),
            Done::Archives { game, content, found } => self.on_archives(&game, content, found),
            Done::Dropped { game, reply, result } => self.on_dropped(&game, reply, result, now),
            Done::Freed { game, what, reply, result } => self.on_freed(&game, what, reply, result, now),
            Done::Verified { game, repair, reply, seen } => self.on_verified(&game, repair, reply, seen, now),
        }
    }

    /// Whether something runs whose progress is shown.
    pub(super) fn shows_progress(&self) -> bool {
        !self.meters.is_empty() || !self.installing.is_empty()
    }

    pub(super) fn show_progress(&mut self, now: Instant) {
        self.mark_installing();
        for (game, meter) in &self.meters {
            let (done, total) = meter.read();
            let known = self.core.local_state(game).is_some();
            // A look that finds everything known is over before anybody could read about it.
            if total > 0 && (done < total || !known) {
                self.core.handle_local(game, LocalChange::Checking(Progress { done, total }), now);
            }
        }
    }

    pub(super) fn meter(&mut self, game: &GameId) -> Arc<Meter> {
        let meter = Arc::new(Meter::default());
        self.meters.insert(game.clone(), Arc::clone(&meter));
        self.progress_at = clock::now() + super::PROGRESS;
        meter
    }

    /// Runs `work` on the pool and hands its result to the actor.
    pub(super) fn job<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> T + Send + 'static,
        end: impl FnOnce(Result<T, PoolError>) -> Done + Send + 'static,
    ) {
        let (pool, done) = (self.folder.hashing.clone(), self.done_sender.clone());
        self.context.tasks.spawn(name, async move {
            let result = pool.run(work).await;
            // The actor is gone only when the runtime ends.
            let _ = done.send(end(result)).await;
        });
    }
}
