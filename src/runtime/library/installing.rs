//! Making a game playable and taking that back, as a face asked for it: one change of the game at a time,
//! on the pool, shown while it runs. What is done on disk stands in `runtime::installs`.

use std::{
    ops::ControlFlow,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    Actor, answer,
    changes::Op,
    commands::{find_ours, refusal},
    jobs::Done,
    look::{Desk, Meter},
    turns::{Turn, Turns},
    weighing::{weigh, weigh_after},
};
use crate::{
    api::{CommandError, ErrorCode, EventKind, INSTALLED_ONLY, Level, OWN_FILES_MAX, Reply},
    core::library::LocalState,
    io::{
        disk::{Found, Library},
        store,
    },
    runtime::{
        input::ReplyTo,
        installs::{self, InstallError, Installation, Installed, Payload, Staged},
        roots::RootTurn,
        tasks::{Pool, PoolError},
        view::Teller,
    },
    types::{ContentId, GameId, PayloadPath, Size, Space, Weight, clean},
};

/// How soon it is seen that nobody plays a game any more whose update waits.
const PLAY_PAUSE: Duration = Duration::from_secs(2);

impl Actor {
    pub(super) fn install(&mut self, name: &str, drop_archives: bool, reply: ReplyTo) {
        let game = match find_ours(&self.core, name) {
            Ok(game) => game,
            Err(error) => return answer(reply, Err(error)),
        };
        let state = self.core.local_state(&game);
        let why = match state {
            Some(LocalState::Complete(build)) => {
                let then_drop = drop_archives.then_some(build.content);
                return self.clear(Op::Install { game, then_drop, reply: Some(reply) });
            }
            Some(LocalState::Modified { .. }) => {
                format!("some of its files are not as published; `potluck verify --repair {game}` mends them")
            }
            Some(LocalState::Checking { .. }) => {
                let error = refusal(ErrorCode::WouldWait, format_args!("{game} is being checked; try again then"));
                return answer(reply, Err(error));
            }
            Some(LocalState::Private { reason, .. }) if reason == INSTALLED_ONLY => {
                format!("it is installed; `potluck get {game}` brings back what it was installed from")
            }
            Some(LocalState::Private { reason, .. }) => format!("it has no manifest to install by: {reason}"),
            Some(LocalState::Failed(reason)) => reason.clone(),
            None => format!("it is not all here; `potluck get {game}` first"),
        };
        answer(reply, Err(refusal(ErrorCode::Refused, format_args!("{game}: {why}"))));
    }

    pub(super) fn uninstall(&mut self, name: &str, last: bool, reply: ReplyTo) {
        let game = match find_ours(&self.core, name) {
            Ok(game) => game,
            Err(error) => return answer(reply, Err(error)),
        };
        if let Some(Installation::Only(_)) = self.installed.get(&game) {
            // There is nothing else of it. What a face knew when it did not ask may be old by now.
            if last {
                return self.clear(Op::Remove { game, reply });
            }
            let why = "nothing else of it is here, because its payload was dropped: to be played again it must be got again; \
                       `potluck uninstall --yes` takes it";
            answer(reply, Err(refusal(ErrorCode::Refused, format_args!("{game}: {why}"))));
        } else if self.installed.contains_key(&game) {
            self.clear(Op::Uninstall { game, reply });
        } else {
            answer(reply, Err(refusal(ErrorCode::Refused, format_args!("{game} is not installed"))));
        }
    }

    /// Keeps in mind, also for the next run, that a build is to be made playable, and begins if it can.
    pub(super) fn owe_install(&mut self, game: &GameId, content: ContentId, drop_archives: bool) {
        if drop_archives {
            self.owe_drop(game, content);
        }
        if self.installed.get(game) == Some(&Installation::Of(content)) {
            return self.drop_if_owed(game);
        }
        self.remembered.to_install.insert(game.clone(), content);
        self.save_remembered();
        self.install_if_owed(game);
    }

    /// Begins what a get was to be followed by, as soon as the game is known to be whole.
    pub(super) fn install_if_owed(&mut self, game: &GameId) {
        let Some(content) = self.remembered.to_install.get(game).copied() else { return };
        if self.looks.is_taken(game) {
            return;
        }
        // The last run came to its end, and to nothing after it.
        if self.installed.get(game) == Some(&Installation::Of(content)) {
            return self.owe_no_install(game);
        }
        match self.core.local_state(game) {
            Some(LocalState::Complete(build)) if build.content == content => {
                self.clear(Op::Install { game: game.clone(), then_drop: None, reply: None });
            }
            // The look that is under way or comes next tells.
            Some(LocalState::Checking { .. }) => {}
            Some(
                LocalState::Complete(_)
                | LocalState::Modified { .. }
                | LocalState::Private { .. }
                | LocalState::Failed(_),
            )
            | None => self.owe_no_install(game),
        }
    }

    fn owe_no_install(&mut self, game: &GameId) {
        if self.remembered.to_install.remove(game).is_some() {
            self.save_remembered();
        }
    }

    pub(super) fn begin_install(
        &mut self,
        game: GameId,
        turn: RootTurn,
        reply: Option<ReplyTo>,
        cancel: CancellationToken,
    ) {
        self.install_failures.remove(&game);
        let keep = self.folder.catalog.games.get(&game).map(|listed| listed.keep.clone()).unwrap_or_default();
        let meter = self.show_change(&game, "planning".to_owned());
        let install = Install {
            title: self.core.title(&game),
            game: game.clone(),
            turn: Arc::new(turn),
            keep,
            meter,
            cancel,
            desk: self.desk.clone(),
            turns: self.turns.clone(),
            // Unpacking takes long, and belongs with what does; asking who plays must not wait for it.
            pools: (self.folder.hashing.clone(), self.context.pool.clone()),
            teller: self.context.teller.clone(),
        };
        let done = self.done_sender.clone();
        self.context.tasks.spawn("install a game", async move {
            let result = install.carry_out().await;
            // The actor is gone only when the runtime ends.
            let _ = done.send(Done::Installed { game, reply, result }).await;
        });
    }

    pub(super) fn begin_uninstall(&mut self, game: GameId, turn: RootTurn, reply: ReplyTo) {
        self.show_change(&game, "taking it back".to_owned());
        let (desk, turns, of) = (self.desk.clone(), self.turns.clone(), game.clone());
        let uninstall = move || {
            let _quiet = quiet_turn(&desk, &turns, &of)?;
            turn.uninstall(&desk.libraries.open_root(&of)?)
        };
        self.job("uninstall a game", uninstall, move |result| Done::Uninstalled { game, reply, result });
    }

    pub(super) fn on_installed(
        &mut self,
        game: &GameId,
        reply: Option<ReplyTo>,
        result: Result<Result<Installed, InstallError>, PoolError>,
        now: Instant,
    ) {
        self.end_installing(game, now);
        let result = match result {
            Ok(Ok(installed)) => {
                // Before anybody sees that it is ready: who waited for that may end the runtime at once.
                self.owe_no_install(game);
                self.set_installed(game, Installation::Of(installed.content));
                let Installed { content, mut kept, mut set_aside } = installed;
                let along = match kept.len() {
                    0 => String::new(),
                    1 => " 1 file of yours came along.".to_owned(),
                    count => format!(" {count} files of yours came along."),
                };
                let message = format!("{} is ready to play.{along}{}", self.core.title(game), aside(&set_aside));
                kept.truncate(OWN_FILES_MAX);
                set_aside.truncate(OWN_FILES_MAX);
                let (game, content) = (game.to_string(), content.to_string());
                let kind = EventKind::Installed {
                    game: game.clone(),
                    content: content.clone(),
                    kept: kept.clone(),
                    set_aside: set_aside.clone(),
                };
                self.context.teller.tell(Level::Done, kind, message.clone());
                Ok(Reply::Installed { message, game, content, kept, set_aside })
            }
            Ok(Err(error)) => Err(self.on_install_failed(
                game,
                failed(game, &error, "what was unpacked is deleted, and it is as it was before"),
            )),
            // The runtime ends; what is owed is begun anew by the next one.
            Err(error @ PoolError::Stopped { .. }) => return answer_if(reply, Err(refusal(ErrorCode::Failed, error))),
            Err(error) => Err(self.on_install_failed(game, refusal(ErrorCode::Failed, error))),
        };
        // A failure at the end of the runtime may be of that end, and is tried again by the next one.
        if !self.context.tasks.cancelled().is_cancelled() {
            self.owe_no_install(game);
            if result.is_err() {
                self.owe_no_drop(game);
            }
        }
        let counters = &self.context.counters;
        if result.is_ok() { &counters.installs_done } else { &counters.installs_failed }.one();
        self.answer_when_dropped(game, reply, result);
    }

    /// Tells every face, and shows it with the game until it is tried again.
    fn on_install_failed(&mut self, game: &GameId, error: CommandError) -> CommandError {
        self.install_failures.insert(game.clone(), error.message.clone());
        let kind = EventKind::InstallFailed { game: game.to_string(), reason: error.message.clone() };
        self.context.teller.tell(Level::Error, kind, error.message.clone());
        error
    }

    pub(super) fn on_uninstalled(
        &mut self,
        game: &GameId,
        reply: ReplyTo,
        result: Result<Result<Vec<String>, InstallError>, PoolError>,
        now: Instant,
    ) {
        self.end_installing(game, now);
        let result = match result {
            Ok(Ok(set_aside)) => {
                self.set_installed(game, Installation::None);
                let (title, aside) = (self.core.title(game), aside(&set_aside));
                Ok(Reply::Done { message: format!("{title} is uninstalled; what was got is still here.{aside}") })
            }
            Ok(Err(error)) => Err(failed(game, &error, "it is as it was before")),
            Err(error) => Err(refusal(ErrorCode::Failed, error)),
        };
        answer(reply, result);
    }

    /// Shows from now on with the game what is done to it, and how far that is.
    pub(super) fn show_change(&mut self, game: &GameId, doing: String) -> Arc<Meter> {
        let meter = Arc::new(Meter::default());
        meter.say(doing);
        self.installing.insert(game.clone(), Arc::clone(&meter));
        self.mark_installing();
        meter
    }

    /// The next picture of the games shows how far installations are.
    pub(super) fn mark_installing(&mut self) {
        self.rows.mark(self.installing.keys().cloned().collect(), Default::default());
    }

    pub(super) fn set_installed(&mut self, game: &GameId, installed: Installation) {
        match installed {
            Installation::None => self.installed.remove(game),
            Installation::Theirs | Installation::Of(_) | Installation::Only(_) => {
                self.installed.insert(game.clone(), installed)
            }
        };
    }

    pub(super) fn end_installing(&mut self, game: &GameId, now: Instant) {
        self.mark_installing();
        self.installing.remove(game);
        self.end(game);
        // Whatever happened, the folder tells.
        self.looks.want(game, now);
    }
}

pub(super) fn answer_if(reply: Option<ReplyTo>, result: Result<Reply, CommandError>) {
    if let Some(reply) = reply {
        answer(reply, result);
    }
}

/// What a change that failed left: `as_before`, unless the error itself says what else.
fn failed(game: &GameId, error: &InstallError, as_before: &str) -> CommandError {
    match error {
        InstallError::NotOurs(_) | InstallError::NoRoom { .. } | InstallError::Running { .. } => {
            refusal(ErrorCode::Refused, format_args!("{game}: {error}"))
        }
        InstallError::NotReady(_)
        | InstallError::GaveUp { .. }
        | InstallError::Scan(_)
        | InstallError::Extract(_)
        | InstallError::Cancelled
        | InstallError::Disk(_) => refusal(ErrorCode::Failed, format_args!("{game}: {error}; {as_before}")),
        InstallError::Unfinished(_) | InstallError::Leftover(_) => {
            refusal(ErrorCode::Failed, format_args!("{game}: {error}"))
        }
    }
}

fn aside(set_aside: &[String]) -> String {
    match set_aside {
        [] => String::new(),
        [one] => format!(" What you changed is now {one}."),
        [first, ..] => {
            format!(" {} files you added or changed are now in .potluck/replaced/, as {first}.", set_aside.len())
        }
    }
}

/// An installation, from unpacking to its end.
struct Install {
    game: GameId,
    /// Nobody else changes the root until the last job on it is over.
    turn: Arc<RootTurn>,
    title: String,
    keep: Vec<PayloadPath>,
    meter: Arc<Meter>,
    cancel: CancellationToken,
    desk: Desk,
    turns: Turns,
    /// For what takes long, and for what does not.
    pools: (Pool, Pool),
    teller: Teller,
}

impl Install {
    /// Unpacks at once; takes the place of what is installed when nobody plays it any more. No thread waits for that.
    async fn carry_out(mut self) -> Result<Result<Installed, InstallError>, PoolError> {
        let (desk, turn) = (self.desk.clone(), Arc::clone(&self.turn));
        let (meter, cancel) = (Arc::clone(&self.meter), self.cancel.clone());
        let staged = match self.pools.0.run(move || stage(&desk, &turn, &meter, &cancel)).await? {
            Ok(staged) => staged,
            Err(error) => return Ok(Err(error)),
        };
        let quiet = self.quiet_turn().await;
        let (desk, turn, keep) = (self.desk.clone(), Arc::clone(&self.turn), std::mem::take(&mut self.keep));
        let (meter, cancel) = (Arc::clone(&self.meter), self.cancel.clone());
        let end = move || {
            let root = desk.libraries.open_root(turn.game())?;
            let Some(_quiet) = quiet else {
                return Err(turn.unstage(&root, InstallError::Cancelled));
            };
            let installed = turn.take_place(&root, staged, &keep, &mut progress(&meter, &cancel))?;
            if let Ok(Some(Ok(stored))) = store::load_manifest(&root) {
                weigh_after(&desk, &root, &stored);
            }
            Ok(installed)
        };
        self.pools.0.run(end).await
    }

    /// Waits until nobody plays the game; `None` when it is stopped.
    async fn quiet_turn(&self) -> Option<Turn> {
        let mut is_told = false;
        loop {
            let (desk, turns, game) = (self.desk.clone(), self.turns.clone(), self.game.clone());
            let why = match self.pools.1.run(move || quiet_turn(&desk, &turns, &game)).await {
                Ok(Ok(turn)) => return Some(turn),
                Ok(Err(error @ InstallError::Running { .. })) => format!("update waits: {error}"),
                // What cannot be asked now shows itself when the folder is swapped.
                Ok(Err(_)) => return self.turns.take(&self.game),
                Err(_stopped) => return None,
            };
            if !is_told {
                self.teller.tell(Level::Info, EventKind::Note, format!("{}: {why}.", self.title));
                is_told = true;
            }
            self.meter.wait(why);
            self.cancel.run_until_cancelled(tokio::time::sleep(PLAY_PAUSE)).await?;
        }
    }
}

/// Takes the installed files of a game, unless somebody plays it.
pub(super) fn quiet_turn(desk: &Desk, turns: &Turns, game: &GameId) -> Result<Turn, InstallError> {
    let turn = turns.take(game).ok_or(InstallError::Running { by: None })?;
    match installs::user_of_local(&desk.libraries.open_root(game)?) {
        Some(process) => Err(InstallError::Running { by: Some(process) }),
        None => Ok(turn),
    }
}

fn stage(desk: &Desk, turn: &RootTurn, meter: &Meter, cancel: &CancellationToken) -> Result<Staged, InstallError> {
    let Found { number, library, root } = desk.libraries.find(turn.game())?;
    let stored = store::load_manifest(&root)?.and_then(Result::ok);
    let stored = stored.ok_or_else(|| InstallError::GaveUp { reason: "its manifest cannot be read".to_owned() })?;
    let space = desk.libraries.space(number);
    let weighing = weigh(desk, &root, &stored, &|| cancel.is_cancelled());
    has_room(space, needed(weighing.weight(), stored.manifest.size(), space.min_free), &library)?;
    meter.expect(stored.manifest.size());
    let build = (stored.content, &stored.manifest);
    turn.stage(&root, build, &mut Payload::default(), &mut progress(meter, cancel))
}

fn progress<'m>(meter: &'m Meter, cancel: &'m CancellationToken) -> impl FnMut(u64, &str) -> ControlFlow<()> + use<'m> {
    let mut watch = meter.watch(cancel);
    move |bytes, file| {
        meter.say(if file.is_empty() { "taking its place".to_owned() } else { format!("unpacking {file}") });
        watch(bytes)
    }
}

/// The bytes that an installation is sure to write. What is only copied counts where something is to stay free: else its
/// blocks may be shared, which needs no room at all.
fn needed(weight: Option<Weight>, payload: u64, min_free: u64) -> u64 {
    // What is not known in time is hardly ever less than the payload.
    let Weight { unpacked, copied } = weight.unwrap_or(Weight { unpacked: 0, copied: payload });
    if min_free == 0 { unpacked } else { unpacked.saturating_add(copied) }
}

/// Whether so many bytes can be written and what is to stay free would.
pub(super) fn has_room(space: Space, need: u64, library: &Library) -> Result<(), InstallError> {
    if space.usable() >= need {
        return Ok(());
    }
    Err(InstallError::NoRoom {
        need,
        free: space.free,
        min_free: Size::from_bytes(space.min_free),
        library: clean(&library.path().display().to_string(), usize::MAX),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unpacked_counts_and_copies_only_where_something_is_to_stay_free() {
        let weight = Some(Weight { unpacked: 70, copied: 7 });
        assert_eq!((needed(weight, 50, 0), needed(weight, 50, 1)), (70, 77));
        assert_eq!((needed(None, 50, 0), needed(None, 50, 1)), (0, 50));
    }
}
