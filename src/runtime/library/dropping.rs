//! Dropping what was got of a game that stays playable: asked for by itself, or as what an installation is followed by.
//! The latter is kept in mind, also for the next run, until it is done or cannot be. What is done on disk stands in
//! `runtime::installs`.

use std::time::Instant;

use super::{Actor, answer, changes::Op, commands::refusal, installing::answer_if, jobs::Done};
use crate::{
    api::{CommandError, ErrorCode, EventKind, INSTALLED_ONLY, Level, Reply},
    core::library::{LocalChange, LocalGame, LocalState},
    io::{clock, scan::Memory},
    runtime::{
        input::ReplyTo,
        installs::{self, InstallError, Installation},
        roots::RootTurn,
        tasks::PoolError,
    },
    types::{ContentId, GameId},
};

impl Actor {
    /// Drops what was got of a game and leaves it playable.
    pub(super) fn drop_payload(&mut self, game: GameId, reply: ReplyTo) {
        let state = self.core.local_state(&game);
        let why = match (state, self.installed.get(&game)) {
            (Some(LocalState::Complete(build)), Some(Installation::Of(content))) if build.content == *content => {
                return self.clear(Op::DropPayload { game, reply: Some(reply) });
            }
            (_, Some(Installation::Only(_))) => "was dropped already",
            (Some(LocalState::Complete(_)), _) => "is not what is installed; `install` it first",
            (_, _) => "is not here, whole and checked",
        };
        answer(reply, Err(refusal(ErrorCode::Refused, format_args!("{game}: what was got {why}"))));
    }

    /// Keeps in mind that the archives of a build go when it is installed.
    pub(super) fn owe_drop(&mut self, game: &GameId, content: ContentId) {
        self.remembered.to_drop.insert(game.clone(), content);
        self.save_remembered();
    }

    pub(super) fn owe_no_drop(&mut self, game: &GameId) {
        if self.remembered.to_drop.remove(game).is_some() {
            self.save_remembered();
        }
    }

    /// Answers an installation: at once, or where it is followed by dropping, after that.
    pub(super) fn answer_when_dropped(
        &mut self,
        game: &GameId,
        reply: Option<ReplyTo>,
        result: Result<Reply, CommandError>,
    ) {
        match (result, reply) {
            (Ok(installed), Some(reply)) if self.remembered.to_drop.contains_key(game) => {
                self.drop_waits.insert(game.clone(), (reply, installed));
            }
            (result, reply) => answer_if(reply, result),
        }
        self.drop_if_owed(game);
    }

    /// Begins what an installation was to be followed by, as soon as the game is known to be installed and whole.
    pub(super) fn drop_if_owed(&mut self, game: &GameId) {
        let Some(content) = self.remembered.to_drop.get(game).copied() else { return };
        if self.looks.is_taken(game) || self.remembered.to_install.contains_key(game) {
            return;
        }
        match (self.core.local_state(game), self.installed.get(game)) {
            (Some(LocalState::Complete(build)), Some(Installation::Of(installed)))
                if build.content == content && *installed == content =>
            {
                let (desk, of) = (self.desk.clone(), game.clone());
                let look = move || installs::has_archives(&desk.libraries.open_root(&of)?);
                let game = game.clone();
                self.job("look for archives", look, move |found| Done::Archives { game, content, found });
            }
            // The last run did it, and came to nothing after it.
            (_, Some(Installation::Only(installed))) if *installed == content => {
                self.end_drop(game, content, None);
            }
            // The look that is under way or comes next tells.
            (Some(LocalState::Checking { .. }), _) => {}
            (_, _) => {
                self.end_drop(game, content, Some("it is not as it was when it was installed".to_owned()));
            }
        }
    }

    pub(super) fn on_archives(
        &mut self,
        game: &GameId,
        content: ContentId,
        found: Result<Result<bool, InstallError>, PoolError>,
    ) {
        // Looked for twice, or taken back meanwhile.
        if self.remembered.to_drop.get(game) != Some(&content) || self.looks.is_taken(game) {
            return;
        }
        let why = match found {
            Ok(Ok(true)) => return self.clear(Op::DropPayload { game: game.clone(), reply: None }),
            Ok(Ok(false)) => {
                format!("it has no archives; `potluck free {game} payload` drops it all the same")
            }
            Ok(Err(error)) => error.to_string(),
            // The runtime ends; the next one goes on with it.
            Err(PoolError::Stopped { .. }) => return,
            Err(error) => error.to_string(),
        };
        self.end_drop(game, content, Some(why));
    }

    pub(super) fn begin_drop(&mut self, game: GameId, turn: RootTurn, reply: Option<ReplyTo>) {
        self.unshelve(&game);
        if let Some((build, _)) = self.core.local(&game).and_then(LocalGame::held) {
            // Nobody is told any more that it can be had here.
            let (facts, installed) = (Some(build.facts.clone()), Some(build.content));
            let change = LocalChange::Private { reason: INSTALLED_ONLY.to_owned(), facts, installed };
            self.core.handle_local(&game, change, clock::now());
        }
        let (desk, of, fault) = (self.desk.clone(), game.clone(), self.context.settings.fault.clone());
        let dropping = move || {
            let (root, mut memory) = (desk.libraries.open_root(&of)?, Memory::of_game(&desk.index, &of));
            turn.drop_payload(root, &mut memory, fault.as_deref())
        };
        self.job("drop a payload", dropping, move |result| Done::Dropped { game, reply, result });
    }

    pub(super) fn on_dropped(
        &mut self,
        game: &GameId,
        reply: Option<ReplyTo>,
        result: Result<Result<ContentId, InstallError>, PoolError>,
        now: Instant,
    ) {
        self.end(game);
        self.looks.want(game, now);
        self.space_at = now;
        let owed = self.remembered.to_drop.get(game).copied();
        let result = match result {
            Ok(Ok(content)) => {
                self.set_installed(game, Installation::Only(content));
                // That it is not shared any more is part of the news, and no news of its own.
                if let Some(state) = self.core.local_state(game) {
                    self.states.insert(game.clone(), std::mem::discriminant(state));
                }
                Ok(Reply::Done { message: self.end_drop(game, content, None) })
            }
            Err(error @ PoolError::Stopped { .. }) => Err(refusal(ErrorCode::Failed, error)),
            Ok(Err(error)) => Err(self.on_drop_failed(game, owed, &error)),
            Err(error) => Err(self.on_drop_failed(game, owed, &error)),
        };
        answer_if(reply, result);
    }

    fn on_drop_failed(
        &mut self,
        game: &GameId,
        owed: Option<ContentId>,
        error: &dyn std::error::Error,
    ) -> CommandError {
        if let Some(content) = owed {
            self.end_drop(game, content, Some(error.to_string()));
        }
        refusal(ErrorCode::Failed, format_args!("{game}: {error}"))
    }

    /// Tells that what was got is gone, or why it stays, and says it.
    fn end_drop(&mut self, game: &GameId, content: ContentId, stays: Option<String>) -> String {
        self.owe_no_drop(game);
        let title = self.core.title(game);
        let (level, message) = match &stays {
            None => (
                Level::Info,
                format!("{title} stays playable; what was got of it is gone, and it is not shared any more."),
            ),
            Some(why) => (Level::Warning, format!("{title}: what it was installed from stays, and is shared: {why}.")),
        };
        let kind = EventKind::Dropped { game: game.to_string(), content: content.to_string(), stays };
        self.context.teller.tell(level, kind, message.clone());
        if let Some((reply, mut installed)) = self.drop_waits.remove(game) {
            if let Reply::Installed { message: said, .. } | Reply::Done { message: said } = &mut installed {
                *said = format!("{said} {message}");
            }
            answer(reply, Ok(installed));
        }
        message
    }
}
