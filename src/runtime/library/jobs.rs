//! What takes a disk's time: starting it on the pool, and taking note of how it ended.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    Actor, Stage,
    adding::{self, AddError, AddOutcome, AddWish, Plan},
    answer,
    commands::{find_ours, refusal},
    look::{Desk, Distrust, Meter, Seen, What, look},
    looks::{Take, UNSETTLED},
    sync::{self, SnapshotError},
};
use crate::{
    api::{Added, ErrorCode, EventKind, Level, ManifestFile, Reply, VerifyReport},
    core::library::{BuildKey, Facts, FetchNo, LocalChange, LocalState, Progress, Resolved},
    io::{
        clock,
        disk::{DiskError, GameRoot, Listing},
        scan::Memory,
        store,
    },
    runtime::{
        input::{ReplyTo, TransfersInput},
        installs::{self, InstallError, Recovered, Removed},
        tasks::PoolError,
    },
    types::{ContentId, EntryState, GameId, LibraryDigest, LibraryEntry, PeerId},
    wire::manifest::ManifestReadError,
};

/// Paths a report of a check names.
const BAD_PATHS_MAX: usize = 1_000;
/// A library folder that is gone is looked for again this often.
const TROUBLE: Duration = Duration::from_secs(5);

/// A change of one game that a face asked for.
#[derive(Debug)]
pub(super) enum Op {
    Add { plan: Box<Plan>, reply: ReplyTo },
    Remove { game: GameId, reply: ReplyTo },
    Verify { game: GameId, repair: bool, reply: ReplyTo },
}

impl Op {
    fn game(&self) -> &GameId {
        match self {
            Self::Add { plan, .. } => &plan.game,
            Self::Remove { game, .. } | Self::Verify { game, .. } => game,
        }
    }

    fn refuse(self, code: ErrorCode, why: impl std::fmt::Display) {
        let error = refusal(code, format_args!("{}: {why}", self.game()));
        match self {
            Self::Add { reply, .. } | Self::Remove { reply, .. } | Self::Verify { reply, .. } => {
                answer(reply, Err(error));
            }
        }
    }
}

/// A job that is over.
#[derive(Debug)]
pub(super) enum Done {
    /// What earlier runs left half done is finished.
    Recovered {
        listed: Result<Listed, DiskError>,
        notes: Vec<String>,
    },
    Listed(Result<Listed, DiskError>),
    Space(Option<u64>),
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
    Verified {
        game: GameId,
        repair: bool,
        reply: ReplyTo,
        seen: Result<Seen, PoolError>,
    },
}

/// The library folder as it is now.
#[derive(Debug)]
pub(super) struct Listed {
    listing: Listing,
    is_in_place: bool,
}

fn list(desk: &Desk) -> Result<Listed, DiskError> {
    Ok(Listed { listing: desk.library.list()?, is_in_place: desk.library.is_in_place() })
}

impl Actor {
    /// Finishes what earlier runs left half done, before any game is announced or changed.
    pub(super) fn recover(&self) {
        let desk = self.desk.clone();
        let read_only = desk.library.read_only().is_some();
        self.job(
            "library recovery",
            move || {
                let listed = list(&desk);
                let mut notes = Vec::new();
                let games = listed.as_ref().map_or(&[][..], |listed| &listed.listing.games);
                for game in games.iter().filter(|_| !read_only) {
                    let mut memory = Memory::of_game(&desk.index, game);
                    match installs::recover(&desk.library, game, &mut memory) {
                        Ok(recovered) => notes.extend(recovery_note(game, &recovered)),
                        Err(error) => {
                            notes.push(format!("{game}: what an earlier run began could not be finished: {error}"));
                        }
                    }
                }
                // A removal that was finished took its folder along.
                (list(&desk), notes)
            },
            |done| match done {
                Ok((listed, notes)) => Done::Recovered { listed, notes },
                Err(error) => Done::Recovered { listed: Ok(Listed::nothing()), notes: vec![error.to_string()] },
            },
        );
    }

    /// Looks which games there are, and at each of them.
    pub(super) fn list(&mut self) {
        if !std::mem::replace(&mut self.is_listing, true) {
            let desk = self.desk.clone();
            self.job(
                "library listing",
                move || list(&desk),
                |done| Done::Listed(done.unwrap_or_else(|_| Ok(Listed::nothing()))),
            );
        }
    }

    pub(super) fn ask_for_space(&self) {
        let desk = self.desk.clone();
        let ask = move || desk.library.free_space().ok(); // Unknown is shown as nothing.
        self.job("free space", ask, |done| Done::Space(done.unwrap_or(None)));
    }

    pub(super) fn start_looks(&mut self) {
        let now = clock::now();
        while let Some((game, cancel)) = self.looks.start(now, &self.context.tasks.cancelled().clone()) {
            let distrust = self.distrust.remove(&game).unwrap_or(Distrust::Nothing);
            let (meter, desk, of) = (self.meter(&game), self.desk.clone(), game.clone());
            self.job(
                "look at a game",
                move || look(&desk, &of, &distrust, &meter, &cancel),
                move |seen| Done::Seen { game, seen },
            );
        }
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

    pub(super) fn prepare_add(&mut self, wish: AddWish, reply: ReplyTo) {
        if let Some(reason) = self.folder.library.read_only() {
            let path = self.folder.library.path().display();
            let error = refusal(ErrorCode::Refused, format_args!("nothing can be put into {path}: {reason}"));
            return answer(reply, Err(error));
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
    fn clear(&self, op: Op) {
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

    pub(super) fn on_done(&mut self, done: Done) {
        let now = clock::now();
        match done {
            Done::Recovered { listed, notes } => self.on_recovered(listed, notes, now),
            Done::Listed(listed) => {
                self.is_listing = false;
                self.on_listed(listed, now);
            }
            Done::Space(free) => self.shown.send_modify(|shown| shown.free = free),
            Done::Seen { game, seen } => {
                self.meters.remove(&game);
                let op_waits = self.looks.end(&game);
                self.on_seen_or_panicked(&game, seen, now);
                if let Some(op) = self.waiting.remove(&game).filter(|_| op_waits) {
                    self.take(op);
                }
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
            Done::Verified { game, repair, reply, seen } => self.on_verified(&game, repair, reply, seen, now),
        }
    }

    fn on_recovered(&mut self, listed: Result<Listed, DiskError>, notes: Vec<String>, now: Instant) {
        for note in notes {
            self.note(Level::Warning, note);
        }
        let games: BTreeSet<GameId> = match &listed {
            Ok(listed) => listed.listing.games.iter().cloned().collect(),
            Err(_) => BTreeSet::new(),
        };
        let index = Arc::clone(&self.desk.index);
        if listed.as_ref().is_ok_and(|listed| listed.is_in_place) {
            let keep = games.clone();
            self.job("forget games that are gone", move || index.retain_games(&keep), |_| Done::Space(None));
        }
        let before = std::mem::replace(&mut self.stage, Stage::FirstLooks(games));
        self.on_listed(listed, now);
        self.to_transfers.send(TransfersInput::Scanned);
        if let Stage::Recovering { early } = before {
            for input in early {
                self.on_input(input);
            }
        }
        self.first_looks_done();
    }

    fn on_listed(&mut self, listed: Result<Listed, DiskError>, now: Instant) {
        let trouble = match listed {
            Ok(Listed { listing, is_in_place: true }) => {
                self.on_listing(listing, now);
                self.folder.library.read_only().map(|reason| {
                    format!("the library cannot be written to ({reason}): games are shared, none can be got")
                })
            }
            Ok(Listed { is_in_place: false, .. }) => {
                let path = self.folder.library.path().display();
                Some(format!("{path} is not the library folder it was; mount or put it back, or start potluck again"))
            }
            Err(error) => Some(error.to_string()),
        };
        let is_new = self.shown.borrow().trouble != trouble;
        if is_new {
            if let Some(trouble) = &trouble {
                self.note(Level::Error, trouble.clone());
            }
            self.shown.send_modify(|shown| shown.trouble.clone_from(&trouble));
        }
        if trouble.is_some() && self.folder.library.read_only().is_none() {
            self.rescan_at = self.rescan_at.min(now + TROUBLE);
        }
    }

    fn on_listing(&mut self, listing: Listing, now: Instant) {
        let mut games: BTreeSet<GameId> = listing.games.into_iter().collect();
        if let Some(watch) = &mut self.watch {
            let unwatched = watch.follow(&games);
            if !unwatched.is_empty() {
                tracing::debug!(count = unwatched.len(), "games are not watched; the periodic scan finds changes");
            }
        }
        // Those that are gone are looked at too, and found to be gone.
        games.extend(self.core.local_games().map(|(game, _)| game.clone()));
        for game in &games {
            self.looks.want(game, now);
        }
        for oddity in listing.oddities {
            let text = format!("`{}` in the library is no game: {}", oddity.name, oddity.reason);
            if self.told.insert(text.clone()) {
                self.note(Level::Warning, text);
            }
        }
    }

    fn on_seen_or_panicked(&mut self, game: &GameId, seen: Result<Seen, PoolError>, now: Instant) {
        match seen {
            Ok(seen) => self.on_seen(game, seen, now),
            Err(error @ PoolError::Panicked { .. }) => {
                self.core.handle_local(game, LocalChange::Failed(error.to_string()), now);
            }
            Err(PoolError::Stopped { .. }) => {}
        }
        if let Stage::FirstLooks(games) = &mut self.stage {
            games.remove(game);
            self.first_looks_done();
        }
    }

    fn first_looks_done(&mut self) {
        if matches!(&self.stage, Stage::FirstLooks(games) if games.is_empty()) {
            self.stage = Stage::Known;
            self.shown.send_modify(|shown| shown.scanned = true);
        }
    }

    /// Takes note of what a folder was found to be.
    fn on_seen(&mut self, game: &GameId, seen: Seen, now: Instant) {
        let Seen { what, installed, note } = seen;
        if let Some(note) = note {
            self.note(Level::Warning, note);
        }
        if installed {
            self.installed.insert(game.clone())
        } else {
            self.installed.remove(game)
        };
        match what {
            What::Build(found) => {
                if found.is_changing() {
                    self.looks.want(game, now + UNSETTLED);
                }
                self.core.handle_local(game, found.change(&self.core.title(game)), now);
                self.shelve(game, *found);
            }
            What::Nothing => {
                self.unshelve(game);
                self.core.handle_local(game, LocalChange::Gone, now);
            }
            What::Private { reason, facts } => {
                self.unshelve(game);
                let title = self.core.title(game);
                let facts =
                    facts.map(|facts| Facts { version: facts.version, title, size: facts.size, files: facts.files });
                self.core.handle_local(game, LocalChange::Private { reason, facts }, now);
            }
            What::Failed { reason } => {
                self.unshelve(game);
                self.core.handle_local(game, LocalChange::Failed(reason), now);
            }
            What::Unsettled => {
                self.core.handle_local(game, LocalChange::Checking(Progress::default()), now);
                self.looks.want(game, now + UNSETTLED);
                return;
            }
            What::Cancelled => return,
        }
        if let Some(content) = self.committed.remove(game) {
            self.core.handle_growing_ended(game, &content, now);
        }
        let now_is = self.core.local(game).and_then(|local| local.state()).map(std::mem::discriminant);
        let was = match now_is {
            Some(state) => self.states.insert(game.clone(), state),
            None => self.states.remove(game),
        };
        if was != now_is {
            self.tell_state(game);
        }
    }

    /// Says what a game has become, where that is not as it should be.
    fn tell_state(&self, game: &GameId) {
        let title = self.core.title(game);
        let (level, text) = match self.core.local(game).and_then(|local| local.state()) {
            Some(LocalState::Modified { changes, .. }) => {
                let count = changes.count();
                let files = if count == 1 { "1 file is" } else { &format!("{count} files are") };
                (
                    Level::Warning,
                    format!(
                        "{title}: {files} not as published; `verify --repair` restores, `add` publishes the change."
                    ),
                )
            }
            Some(LocalState::Private { reason, .. }) => (Level::Warning, format!("{title} is not shared: {reason}")),
            Some(LocalState::Failed(reason)) => (Level::Error, format!("{title}: {reason}")),
            Some(LocalState::Checking { .. } | LocalState::Complete(_)) | None => return,
        };
        self.context.teller.tell(level, EventKind::Library { game: game.to_string() }, text);
    }

    /// Offers what was found; what a transfer of the same content offers is left to it.
    fn shelve(&mut self, game: &GameId, found: super::found::Found) {
        let (content, mark) = (found.content, found.mark());
        let is_growing = self.core.local(game).is_some_and(|local| local.growing().contains_key(&content));
        let is_ours = self.committed.get(game) == Some(&content) || !is_growing;
        let may = self.core.rules().allow(game) && self.core.announced_twin(game).is_none();
        if !may || (self.shelved.len() >= self.folder.open_max && !self.shelved.contains_key(game)) {
            return self.unshelve(game);
        }
        let old = self.shelved.get(game).copied();
        if !is_ours || old == Some((content, Some(mark))) {
            return;
        }
        found.put_on(&self.context.shelf);
        self.shelved.insert(game.clone(), (content, Some(mark)));
        if let Some((old, _)) = old.filter(|(old, _)| *old != content) {
            self.context.shelf.remove(old);
        }
    }

    fn unshelve(&mut self, game: &GameId) {
        if let Some((content, _)) = self.shelved.remove(game) {
            self.context.shelf.remove(content);
        }
    }

    /// Starts a change, now or when the look at its game has been cut short.
    fn take(&mut self, op: Op) {
        let game = op.game().clone();
        if let Op::Add { .. } = &op
            && let Some(twin) = self.core.twin_of(&game)
        {
            let why = format!("your game `{twin}` has the same folder on many systems; give another --id");
            return op.refuse(ErrorCode::Refused, why);
        }
        match self.looks.take(&game, &self.context.tasks.cancelled().clone()) {
            Take::Free(cancel) => self.begin(op, cancel),
            Take::Soon => drop(self.waiting.insert(game, op)),
            Take::Taken => op.refuse(ErrorCode::WouldWait, "it is being changed already; try again then"),
        }
    }

    fn begin(&mut self, op: Op, cancel: CancellationToken) {
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
                    move || adding::add(&desk, &planned, &meter, &cancel),
                    move |result| Done::Added { plan, reply, result },
                );
            }
            Op::Remove { game, reply } => {
                self.unshelve(&game);
                let of = game.clone();
                let remove = move || installs::remove_game(&desk.library, &of, &mut Memory::of_game(&desk.index, &of));
                self.job("remove a game", remove, move |result| Done::Removed { game, reply, result });
            }
            Op::Verify { game, repair, reply } => {
                let (meter, of) = (self.meter(&game), game.clone());
                let check = move || look(&desk, &of, &Distrust::Everything, &meter, &cancel);
                self.job("verify a game", check, move |seen| Done::Verified { game, repair, reply, seen });
            }
        }
    }

    fn on_added(
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
        self.rescan_at = self.rescan_at.min(now + super::looks::SETTLE);
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
            What::Nothing | What::Unsettled | What::Cancelled => {
                Err(refusal(ErrorCode::WouldWait, format_args!("{game} was added and is being written to")))
            }
        };
        if let Some(first) = left.first() {
            self.note(Level::Warning, format!("{game}: not everything could be moved; still there: {first}"));
        }
        self.on_seen(game, seen, now);
        answer(reply, added.map(Reply::Added));
    }

    fn on_removed(
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
            Ok(Err(error)) => Err(refusal(ErrorCode::Failed, error)),
            Err(error) => Err(refusal(ErrorCode::Failed, error)),
        };
        self.looks.want(game, now);
        answer(reply, result);
    }

    fn on_verified(
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
                    self.enqueue(Resolved { key, facts, ours: Some(EntryState::Ready) }, true, None);
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
            What::Unsettled | What::Cancelled => Err(refusal(
                ErrorCode::WouldWait,
                format_args!("{game} is being written to; try again when it is quiet"),
            )),
        };
        self.on_seen(game, seen, now);
        answer(reply, result);
    }

    fn end(&mut self, game: &GameId) {
        self.meters.remove(game);
        // Only looks are cut short for a change; nothing can have waited for the end of this one.
        let _ = self.looks.end(game);
    }

    pub(super) fn show_progress(&mut self, now: Instant) {
        for (game, meter) in &self.meters {
            let (done, total) = meter.read();
            let known = self.core.local(game).and_then(|local| local.state()).is_some();
            // A look that finds everything known is over before anybody could read about it.
            if total > 0 && (done < total || !known) {
                self.core.handle_local(game, LocalChange::Checking(Progress { done, total }), now);
            }
        }
    }

    fn meter(&mut self, game: &GameId) -> Arc<Meter> {
        let meter = Arc::new(Meter::default());
        self.meters.insert(game.clone(), Arc::clone(&meter));
        self.progress_at = clock::now() + super::PROGRESS;
        meter
    }

    /// Runs `work` on the pool and hands its result to the actor.
    fn job<T: Send + 'static>(
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

impl Listed {
    /// What is said of a folder that was not looked at: nothing.
    fn nothing() -> Self {
        Self { listing: Listing::default(), is_in_place: false }
    }
}

/// Whether a transfer of the game is under way. Transfers that are gone are in nobody's way.
async fn is_busy(transfers: &tokio::sync::mpsc::Sender<TransfersInput>, game: &GameId) -> bool {
    let (reply, answer) = oneshot::channel();
    transfers.send(TransfersInput::Busy { game: game.clone(), reply }).await.is_ok() && answer.await.unwrap_or(false)
}

fn recovery_note(game: &GameId, recovered: &Recovered) -> Option<String> {
    match recovered {
        Recovered::Nothing => None,
        Recovered::Committed { set_aside, .. } => {
            let aside = match set_aside.len() {
                0 => String::new(),
                count => format!(" {count} files you changed are in .potluck/replaced/ of its folder."),
            };
            Some(format!("{game}: putting it in place was cut off, and is finished now.{aside}"))
        }
        Recovered::Removed(_) => Some(format!("{game}: a removal that was cut off is finished.")),
        Recovered::GaveUp { reason } => Some(format!("{game}: {reason}")),
    }
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
    let root: GameRoot = desk.library.open_root(game)?;
    let stored = store::load_manifest(&root)?.ok_or_else(|| ReadManifestError::None { game: game.clone() })?;
    let stored = stored.map_err(|source| ReadManifestError::Damaged { game: game.clone(), source })?;
    let file = |file: &crate::types::FileEntry| ManifestFile {
        path: file.path.to_string(),
        size: file.size,
        hash: file.hash.to_string(),
    };
    Ok(Reply::Manifest {
        game: game.to_string(),
        content: stored.content.to_string(),
        files: stored.manifest.files().iter().map(file).collect(),
        json: String::from_utf8_lossy(&stored.bytes).into_owned(),
    })
}
