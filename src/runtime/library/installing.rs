//! Making a game playable and taking that back, as a face asked for it: one change of the game at a time,
//! on the pool, shown while it runs. What is done on disk stands in `runtime::installs`.

use std::{ops::ControlFlow, sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use super::{
    Actor, answer,
    changes::Op,
    commands::{find_ours, refusal},
    jobs::Done,
    look::{Desk, Meter},
};
use crate::{
    api::{ErrorCode, Reply},
    core::library::LocalState,
    io::store,
    runtime::{
        input::ReplyTo,
        installs::{self, InstallError, Installation, Installed, Payload},
        tasks::PoolError,
    },
    types::{GameId, PayloadPath},
};

impl Actor {
    pub(super) fn install(&mut self, name: &str, reply: ReplyTo) {
        let game = match find_ours(&self.core, name) {
            Ok(game) => game,
            Err(error) => return answer(reply, Err(error)),
        };
        let state = self.core.local(&game).and_then(|local| local.state());
        let why = match state {
            Some(LocalState::Complete(_)) => return self.clear(Op::Install { game, reply }),
            Some(LocalState::Modified { .. }) => {
                format!("some of its files are not as published; `potluck verify --repair {game}` mends them")
            }
            Some(LocalState::Checking { .. }) => {
                let error = refusal(ErrorCode::WouldWait, format_args!("{game} is being checked; try again then"));
                return answer(reply, Err(error));
            }
            Some(LocalState::Private { reason, .. }) => format!("it has no manifest to install by: {reason}"),
            Some(LocalState::Failed(reason)) => reason.clone(),
            None => format!("it is not all here; `potluck get {game}` first"),
        };
        answer(reply, Err(refusal(ErrorCode::Refused, format_args!("{game}: {why}"))));
    }

    pub(super) fn uninstall(&mut self, name: &str, reply: ReplyTo) {
        let game = match find_ours(&self.core, name) {
            Ok(game) => game,
            Err(error) => return answer(reply, Err(error)),
        };
        if self.installed.contains_key(&game) {
            self.clear(Op::Uninstall { game, reply });
        } else {
            answer(reply, Err(refusal(ErrorCode::Refused, format_args!("{game} is not installed"))));
        }
    }

    pub(super) fn begin_install(&mut self, game: GameId, reply: ReplyTo, cancel: CancellationToken) {
        let keep = self.folder.catalog.games.get(&game).map(|listed| listed.keep.clone()).unwrap_or_default();
        let meter = Arc::new(Meter::default());
        self.installing.insert(game.clone(), Arc::clone(&meter));
        self.mark_installing();
        let (desk, of) = (self.desk.clone(), game.clone());
        self.job(
            "install a game",
            move || install(&desk, &of, &keep, &meter, &cancel),
            move |result| Done::Installed { game, reply, result },
        );
    }

    pub(super) fn begin_uninstall(&mut self, game: GameId, reply: ReplyTo) {
        self.installing.insert(game.clone(), Arc::new(Meter::default()));
        self.mark_installing();
        let (desk, of) = (self.desk.clone(), game.clone());
        let uninstall = move || installs::uninstall(&desk.library.open_root(&of)?);
        self.job("uninstall a game", uninstall, move |result| Done::Uninstalled { game, reply, result });
    }

    pub(super) fn on_installed(
        &mut self,
        game: &GameId,
        reply: ReplyTo,
        result: Result<Result<Installed, InstallError>, PoolError>,
        now: Instant,
    ) {
        self.end_installing(game, now);
        let result = match result {
            Ok(Ok(installed)) => {
                self.set_installed(game, Installation::Of(installed.content));
                let (title, aside) = (self.core.title(game), aside(&installed.set_aside));
                Ok(Reply::Done { message: format!("{title} is ready to play.{aside}") })
            }
            Ok(Err(error)) => Err(failed(game, &error)),
            Err(error) => Err(refusal(ErrorCode::Failed, error)),
        };
        answer(reply, result);
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
            Ok(Err(error)) => Err(failed(game, &error)),
            Err(error) => Err(refusal(ErrorCode::Failed, error)),
        };
        answer(reply, result);
    }

    /// The next picture of the games shows how far installations are.
    pub(super) fn mark_installing(&mut self) {
        self.rows.mark(self.installing.keys().cloned().collect(), Default::default());
    }

    pub(super) fn set_installed(&mut self, game: &GameId, installed: Installation) {
        match installed {
            Installation::None => self.installed.remove(game),
            Installation::Theirs | Installation::Of(_) => self.installed.insert(game.clone(), installed),
        };
    }

    fn end_installing(&mut self, game: &GameId, now: Instant) {
        self.mark_installing();
        self.installing.remove(game);
        self.end(game);
        // Whatever happened, the folder tells.
        self.looks.want(game, now);
    }
}

fn failed(game: &GameId, error: &InstallError) -> crate::api::CommandError {
    match error {
        InstallError::NotOurs(_) => refusal(ErrorCode::Refused, format_args!("{game}: {error}")),
        InstallError::NotReady(_)
        | InstallError::GaveUp { .. }
        | InstallError::Scan(_)
        | InstallError::Extract(_)
        | InstallError::Cancelled
        | InstallError::Disk(_) => refusal(ErrorCode::Failed, format_args!("{game}: {error}; it is as it was before")),
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

fn install(
    desk: &Desk,
    game: &GameId,
    keep: &[PayloadPath],
    meter: &Meter,
    cancel: &CancellationToken,
) -> Result<Installed, InstallError> {
    let root = desk.library.open_root(game)?;
    let stored = store::load_manifest(&root)?.and_then(Result::ok);
    let stored = stored.ok_or_else(|| InstallError::GaveUp { reason: "its manifest cannot be read".to_owned() })?;
    meter.expect(stored.manifest.size());
    let mut watch = meter.watch(cancel);
    let progress = &mut |bytes: u64, _: &str| -> ControlFlow<()> { watch(bytes) };
    installs::install(&root, (stored.content, &stored.manifest), keep, &mut Payload::default(), progress)
}
