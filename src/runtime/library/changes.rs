//! Changes of a game that a face asked for: add, remove, verify. Transfers are asked first, a look at the
//! game is cut short, and nobody else touches its folder until the change is over.

use std::{sync::Arc, time::Instant};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{
    Actor,
    adding::{self, AddError, AddOutcome, AddWish, Plan},
    answer,
    commands::{find_ours, refusal},
    installing,
    jobs::Done,
    look::{Desk, Distrust, Seen, What, look},
    looks::{SETTLE, Take},
};
use crate::{
    api::{Added, AfterGet, ErrorCode, Level, ManifestFile, Reply, VerifyReport},
    core::library::{BuildKey, Facts, LocalChange, Progress, Resolved},
    io::{
        clock,
        disk::{DiskError, GameRoot},
        scan::Memory,
        store::{self, KeptWhat},
    },
    runtime::{
        input::{ReplyTo, TransfersInput},
        installs::{InstallError, Removed},
        roots::{Change, RootTurn},
        tasks::PoolError,
    },
    types::{ContentId, EntryState, FileEntry, GameId, LibraryNo, clean},
    wire::manifest::ManifestReadError,
};

/// Paths a report of a check names.
const BAD_PATHS_MAX: usize = 1_000;

/// A change of one game that a face asked for.
#[derive(Debug)]
pub(super) enum Op {
    Add {
        plan: Box<Plan>,
        reply: ReplyTo,
    },
    Remove {
        game: GameId,
        reply: ReplyTo,
    },
    /// Without a reply where it follows a get.
    Install {
        game: GameId,
        /// The archives of this build go after it.
        then_drop: Option<ContentId>,
        reply: Option<ReplyTo>,
    },
    Uninstall {
        game: GameId,
        reply: ReplyTo,
    },
    Move {
        game: GameId,
        to: LibraryNo,
        reply: ReplyTo,
    },
    /// Without a reply where it follows an installation.
    DropPayload {
        game: GameId,
        reply: Option<ReplyTo>,
    },
    Free {
        game: GameId,
        what: KeptWhat,
        reply: ReplyTo,
    },
    Verify {
        game: GameId,
        repair: bool,
        reply: ReplyTo,
    },
}

impl Op {
    fn game(&self) -> &GameId {
        match self {
            Self::Add { plan, .. } => &plan.game,
            Self::Remove { game, .. }
            | Self::Install { game, .. }
            | Self::Uninstall { game, .. }
            | Self::Move { game, .. }
            | Self::DropPayload { game, .. }
            | Self::Free { game, .. }
            | Self::Verify { game, .. } => game,
        }
    }

    fn change(&self) -> Change {
        match self {
            Self::Add { .. } => Change::Add,
            Self::Remove { .. } => Change::Remove,
            Self::Install { .. } => Change::Install,
            Self::Uninstall { .. } => Change::Uninstall,
            Self::Move { .. } => Change::Move,
            Self::DropPayload { .. } => Change::DropPayload,
            Self::Free { .. } => Change::Free,
            Self::Verify { .. } => Change::Verify,
        }
    }

    pub(super) fn refuse(self, code: ErrorCode, why: impl std::fmt::Display) {
        let error = refusal(code, format_args!("{}: {why}", self.game()));
        match self {
            // The game stays on the list of what is owed, and is tried again after the next look at it.
            Self::Install { reply: None, .. } | Self::DropPayload { reply: None, .. } => {}
            Self::Install { reply: Some(reply), .. }
            | Self::DropPayload { reply: Some(reply), .. }
            | Self::Add { reply, .. }
            | Self::Remove { reply, .. }
            | Self::Uninstall { reply, .. }
            | Self::Move { reply, .. }
            | Self::Free { reply, .. }
            | Self::Verify { reply, .. } => answer(reply, Err(error)),
        }
    }
}

impl Actor {
    pub(super) fn prepare_add(&mut self, wish: AddWish, reply: ReplyTo) {
        if let Some(why) = self.nothing_goes_in() {
            return answer(reply, Err(refusal(ErrorCode::Refused, why)));
        }
        let (desk, pool, context) = (self.desk.clone(), self.folder.hashing.clone(), self.context.clone());
        let done = self.done_sender.clone();
        self.context.tasks.spawn("plan an addition", async move {
            match pool.run(move || adding::plan(&desk, wish)).await {
                Ok(Ok(plan)) => {
                    let op = Op::Add { plan: Box::new(plan), reply };
                    let busy = is_busy(&context.inputs.transfers, op.game()).await;
                    // The actor is gone only when the runtime ends.
                    let _ = done.send(Done::Clear { op, busy }).await;
                }
                Ok(Err(error)) => answer(reply, Err(error.to_command_error())),
                Err(error) => answer(reply, Err(refusal(ErrorCode::Failed, error))),
            }
        });
    }

    pub(super) fn remove(&mut self, name: &str, reply: ReplyTo) {
        match find_ours(&self.core, name) {
            Ok(game) => self.clear(Op::Remove { game, reply }),
            Err(error) => answer(reply, Err(error)),
        }
    }

    pub(super) fn verify(&mut self, name: &str, repair: bool, reply: ReplyTo) {
        match find_ours(&self.core, name) {
            Ok(game) => self.clear(Op::Verify { game, repair, reply }),
            Err(error) => answer(reply, Err(error)),
        }
    }

    /// Asks transfers, whose answer may take a moment, whether a game may be changed.
    pub(super) fn clear(&self, op: Op) {
        let (transfers, done) = (self.context.inputs.transfers.clone(), self.done_sender.clone());
        self.context.tasks.spawn("ask for a game", async move {
            let busy = is_busy(&transfers, op.game()).await;
            // The actor is gone only when the runtime ends.
            let _ = done.send(Done::Clear { op, busy }).await;
        });
    }

    pub(super) fn manifest(&mut self, name: &str, reply: ReplyTo) {
        let game = match find_ours(&self.core, name) {
            Ok(game) => game,
            Err(error) => return answer(reply, Err(error)),
        };
        let (desk, pool) = (self.desk.clone(), self.folder.hashing.clone());
        self.context.tasks.spawn("read a manifest", async move {
            let read = pool.run(move || read_manifest(&desk, &game)).await;
            let result = match read {
                Ok(Ok(reply)) => Ok(reply),
                Ok(Err(error)) => Err(refusal(ErrorCode::Failed, error)),
                Err(error) => Err(refusal(ErrorCode::Failed, error)),
            };
            answer(reply, result);
        });
    }

    /// Starts a change, now or when the look at its game has been cut short.
    pub(super) fn take(&mut self, op: Op) {
        let game = op.game().clone();
        if let Op::Add { .. } = &op
            && let Some(twin) = self.core.twin_of(&game)
        {
            let why = format!("your game `{twin}` has the same folder on many systems; give another --id");
            return op.refuse(ErrorCode::Refused, why);
        }
        match self.looks.take(&game, &self.context.tasks.cancelled().clone()) {
            Take::Free(cancel) => match self.context.roots.take(&game, op.change()) {
                Ok(turn) => self.begin(op, turn, cancel),
                Err(change) => {
                    self.end(&game);
                    op.refuse(ErrorCode::WouldWait, format_args!("{change}; try again then"));
                }
            },
            Take::Soon => drop(self.waiting.insert(game, op)),
            Take::Taken => op.refuse(ErrorCode::WouldWait, "it is being changed already; try again then"),
        }
    }

    /// Begins a change by whoever has the root's turn, which ends with what is done on disk.
    fn begin(&mut self, op: Op, turn: RootTurn, cancel: CancellationToken) {
        self.to_weigh.give_way();
        let desk = self.desk.clone();
        let game = op.game().clone();
        match op {
            Op::Add { plan, reply } => {
                let meter = self.meter(&game);
                self.core.handle_local(&game, LocalChange::Checking(Progress::default()), clock::now());
                let plan = Arc::new(*plan);
                let planned = Arc::clone(&plan);
                self.job(
                    "add a game",
                    move || adding::add(&desk, &planned, &turn, &meter, &cancel),
                    move |result| Done::Added { plan, reply, result },
                );
            }
            Op::Remove { game, reply } => {
                self.unshelve(&game);
                let (of, turns) = (game.clone(), self.turns.clone());
                let remove = move || {
                    let _quiet = installing::quiet_turn(&desk, &turns, &of)?;
                    let library = desk.libraries.find(&of)?.library;
                    turn.remove_game(&library, &mut Memory::of_game(&desk.index, &of))
                };
                self.job("remove a game", remove, move |result| Done::Removed { game, reply, result });
            }
            Op::Install { game, then_drop, reply } => {
                if let Some(content) = then_drop {
                    self.owe_drop(&game, content);
                }
                self.begin_install(game, turn, reply, cancel);
            }
            Op::Uninstall { game, reply } => self.begin_uninstall(game, turn, reply),
            Op::DropPayload { game, reply } => self.begin_drop(game, turn, reply),
            Op::Free { game, what, reply } => self.begin_free(game, turn, what, reply),
            Op::Move { game, to, reply } => self.begin_move(game, to, turn, reply, cancel),
            Op::Verify { game, repair, reply } => {
                let (meter, of) = (self.meter(&game), game.clone());
                let check = move || look(&desk, &of, &Distrust::Everything, Some(&turn), &meter, &cancel);
                self.job("verify a game", check, move |seen| Done::Verified { game, repair, reply, seen });
            }
        }
    }

    pub(super) fn on_added(
        &mut self,
        plan: &Plan,
        reply: ReplyTo,
        result: Result<Result<AddOutcome, AddError>, PoolError>,
        now: Instant,
    ) {
        let game = &plan.game;
        self.end(game);
        let outcome = match result {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => {
                self.looks.want(game, now);
                return answer(reply, Err(error.to_command_error()));
            }
            Err(error) => {
                self.looks.want(game, now);
                return answer(reply, Err(refusal(ErrorCode::Failed, error)));
            }
        };
        if let Some(title) = &plan.title
            && self.remembered.set_title(game, title)
        {
            self.rules_changed();
        }
        // A folder that is new is watched from now on.
        self.rescan_at = self.rescan_at.min(now + SETTLE);
        let AddOutcome { seen, before, changed, left } = outcome;
        let added = match &seen.what {
            What::Build(found) => Ok(Added {
                game: game.to_string(),
                version: found.manifest.version().to_string(),
                content: found.content.to_string(),
                files: found.manifest.files().len() as u32,
                size: found.manifest.size(),
                before: before.map(|version| version.to_string()),
                changed,
            }),
            What::Private { reason, .. } | What::Failed { reason } => {
                Err(refusal(ErrorCode::Failed, format_args!("{game} was added and cannot be shared: {reason}")))
            }
            // What was just added was looked at in whole: that it is the same cannot be.
            What::Same(_) | What::Nothing | What::Unsettled | What::Cancelled => {
                Err(refusal(ErrorCode::WouldWait, format_args!("{game} was added and is being written to")))
            }
        };
        if let Some(first) = left.there.first() {
            self.note(Level::Warning, format!("{game}: not everything could be moved; still there: {first}"));
        }
        if !left.out.is_empty() {
            let names = clean(&left.out.join("`, `"), 200);
            self.note(Level::Warning, format!("{game}: left out, because such names are potluck's own: `{names}`"));
        }
        self.on_seen(game, seen, now);
        answer(reply, added.map(Reply::Added));
    }

    pub(super) fn on_removed(
        &mut self,
        game: &GameId,
        reply: ReplyTo,
        result: Result<Result<Removed, InstallError>, PoolError>,
        now: Instant,
    ) {
        self.end(game);
        let title = self.core.title(game);
        let result = match result {
            Ok(Ok(removed)) => {
                let growing: Vec<ContentId> =
                    self.core.local(game).map(|local| local.growing().keys().copied().collect()).unwrap_or_default();
                for content in growing {
                    self.core.handle_growing_ended(game, &content, now);
                }
                self.installed.remove(game);
                self.install_failures.remove(game);
                self.core.handle_local(game, LocalChange::Gone, now);
                let have =
                    self.core.row(game).map_or(0, |row| row.builds.iter().map(|build| build.whole).sum::<usize>());
                let others = match have {
                    0 => "Nobody here has it now.".to_owned(),
                    1 => "1 other still has it.".to_owned(),
                    have => format!("{have} others still have it."),
                };
                let left = match removed.left.as_slice() {
                    [] => String::new(),
                    left => format!(" {} things of yours are still in its folder.", left.len()),
                };
                Ok(Reply::Done { message: format!("{title} is removed. {others}{left}") })
            }
            Ok(Err(error @ InstallError::Running { .. })) => {
                Err(refusal(ErrorCode::Refused, format_args!("{title} cannot be removed: {error}")))
            }
            Ok(Err(error)) => Err(refusal(ErrorCode::Failed, error)),
            Err(error) => Err(refusal(ErrorCode::Failed, error)),
        };
        self.looks.want(game, now);
        answer(reply, result);
    }

    pub(super) fn on_verified(
        &mut self,
        game: &GameId,
        repair: bool,
        reply: ReplyTo,
        seen: Result<Seen, PoolError>,
        now: Instant,
    ) {
        self.end(game);
        let seen = match seen {
            Ok(seen) => seen,
            Err(error) => return answer(reply, Err(refusal(ErrorCode::Failed, error))),
        };
        let result = match &seen.what {
            What::Build(found) => {
                let bad: Vec<String> = found.bad_paths().take(BAD_PATHS_MAX).map(str::to_owned).collect();
                let repairing = repair && !bad.is_empty();
                if repairing {
                    let key = BuildKey { game: game.clone(), content: found.content };
                    let facts = Facts::of_manifest(&found.manifest, &self.core.title(game));
                    self.enqueue(Resolved { key, facts, ours: Some(EntryState::Ready) }, AfterGet::Nothing, None);
                }
                Ok(Reply::Verified(VerifyReport {
                    game: game.to_string(),
                    files: found.manifest.files().len() as u32,
                    size: found.manifest.size(),
                    bad_chunks: found.bad_chunks(),
                    bad,
                    repairing,
                }))
            }
            What::Private { reason, .. } => {
                Err(refusal(ErrorCode::Refused, format_args!("{game} is not shared: {reason}")))
            }
            What::Failed { reason } => Err(refusal(ErrorCode::Failed, format_args!("{game}: {reason}"))),
            What::Nothing => Err(refusal(ErrorCode::NotFound, format_args!("{game} is not here (any more)"))),
            // Nothing was taken from the index: that it is the same cannot be.
            What::Same(_) | What::Unsettled | What::Cancelled => Err(refusal(
                ErrorCode::WouldWait,
                format_args!("{game} is being written to; try again when it is quiet"),
            )),
        };
        self.on_seen(game, seen, now);
        answer(reply, result);
    }

    pub(super) fn end(&mut self, game: &GameId) {
        self.meters.remove(game);
        // Only looks are cut short for a change; nothing can have waited for the end of this one.
        let _ = self.looks.end(game);
    }
}

/// Whether a transfer of the game is under way. Transfers that are gone are in nobody's way.
pub(super) async fn is_busy(transfers: &mpsc::Sender<TransfersInput>, game: &GameId) -> bool {
    let (reply, answer) = oneshot::channel();
    transfers.send(TransfersInput::Busy { game: game.clone(), reply }).await.is_ok() && answer.await.unwrap_or(false)
}

/// Why a manifest cannot be shown.
#[derive(Debug, thiserror::Error)]
enum ReadManifestError {
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("{game} has no manifest yet: it is being checked, or is not shared")]
    None { game: GameId },
    #[error("the manifest of {game} is damaged ({source}); `potluck add` in its place makes a new one")]
    Damaged { game: GameId, source: ManifestReadError },
}

fn read_manifest(desk: &Desk, game: &GameId) -> Result<Reply, ReadManifestError> {
    let root: GameRoot = desk.libraries.open_root(game)?;
    let stored = store::load_manifest(&root)?.ok_or_else(|| ReadManifestError::None { game: game.clone() })?;
    let stored = stored.map_err(|source| ReadManifestError::Damaged { game: game.clone(), source })?;
    let file =
        |file: &FileEntry| ManifestFile { path: file.path.to_string(), size: file.size, hash: file.hash.to_string() };
    Ok(Reply::Manifest {
        game: game.to_string(),
        content: stored.content.to_string(),
        files: stored.manifest.files().iter().map(file).collect(),
        json: String::from_utf8_lossy(&stored.bytes).into_owned(),
    })
}
