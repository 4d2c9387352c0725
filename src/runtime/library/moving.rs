//! Moving a game to another library, as a face asked for it: it is shared and playable where it is until it is whole
//! where it goes, and offered from there before the old one is taken away. What is done on disk stands in
//! `runtime::installs`.

use std::{path::Path, sync::Arc, time::Instant};

use tokio_util::sync::CancellationToken;

use super::{
    Actor, answer,
    changes::Op,
    commands::{find_ours, refusal},
    installing::{has_room, quiet_turn},
    jobs::Done,
    look::{Desk, Distrust, Meter, Seen, look},
    looks::SETTLE,
    turns::Turns,
};
use crate::{
    api::{CommandError, ErrorCode, EventKind, Level, Reply},
    core::library::LocalState,
    io::{
        disk::{DiskError, Library, Reason},
        scan::Memory,
    },
    runtime::{
        input::{ReplyTo, TransfersInput},
        installs::{self, Carried, InstallError, MoveError, Questions, Route},
        roots::RootTurn,
        tasks::PoolError,
    },
    types::{GameId, LibraryNo, clean},
};

/// A game that is in another library now.
#[derive(Debug)]
pub(super) struct Moved {
    /// What was found there.
    seen: Seen,
    /// Where it was, when something is still to be taken away there.
    old: Option<LibraryNo>,
    /// Nobody else changes it until then.
    turn: RootTurn,
}

impl Actor {
    pub(super) fn move_to(&mut self, name: &str, library: &str, reply: ReplyTo) {
        match self.movable(name, library) {
            Ok((game, to)) => self.clear(Op::Move { game, to, reply }),
            Err(error) => answer(reply, Err(error)),
        }
    }

    fn movable(&self, name: &str, library: &str) -> Result<(GameId, LibraryNo), CommandError> {
        let game = find_ours(&self.core, name)?;
        let paths: Vec<&Path> = self.desk.libraries.paths().collect();
        let to = find_library(&paths, library)?;
        let path = clean(&paths[usize::from(to.0)].display().to_string(), usize::MAX);
        let refused = |why: String| Err(refusal(ErrorCode::Refused, format_args!("{game}: {why}")));
        if self.places.get(&game) == Some(&to) {
            return refused(format!("it is in {path} already"));
        }
        match self.desk.libraries.get(to).filter(|library| library.is_in_place()) {
            None => return refused(format!("{path} is not there")),
            Some(library) if library.read_only().is_some() => return refused(format!("{path} cannot be written to")),
            Some(_) => {}
        }
        match self.core.local_state(&game) {
            Some(LocalState::Checking { .. }) => {
                Err(refusal(ErrorCode::WouldWait, format_args!("{game} is being checked; try again then")))
            }
            Some(
                LocalState::Complete(_)
                | LocalState::Modified { .. }
                | LocalState::Private { .. }
                | LocalState::Failed(_),
            ) => Ok((game, to)),
            None => refused(format!("it is not all here; `potluck get {game}` first")),
        }
    }

    pub(super) fn begin_move(
        &mut self,
        game: GameId,
        to: LibraryNo,
        turn: RootTurn,
        reply: ReplyTo,
        cancel: CancellationToken,
    ) {
        let meter = self.show_change(&game, format!("moving to {}", self.path_of(to)));
        self.moving.insert(game.clone(), cancel.clone());
        let (desk, turns) = (self.desk.clone(), self.turns.clone());
        let carry = move || carry(&desk, &turns, turn, to, &meter, &cancel);
        self.job("move a game", carry, move |result| Done::Moved { game, to, reply, result });
    }

    /// Stops a move, if one of this game is under way; all else that can be cancelled is a transfer.
    pub(super) fn cancel(&mut self, name: String, discard: bool, reply: ReplyTo) {
        let moving = self.core.find_game(&name).ok().and_then(|game| Some((self.moving.get(&game)?, game)));
        let Some((cancel, game)) = moving else {
            return self.to_transfers.send(TransfersInput::Cancel { game: name, discard, reply });
        };
        cancel.cancel();
        answer(reply, Ok(Reply::Done { message: format!("Moving {} is stopped.", self.core.title(&game)) }));
    }

    pub(super) fn on_moved(
        &mut self,
        game: &GameId,
        to: LibraryNo,
        reply: ReplyTo,
        result: Result<Result<Moved, MoveError>, PoolError>,
        now: Instant,
    ) {
        self.moving.remove(game);
        let error = match result {
            Ok(Ok(Moved { seen, old, turn })) => {
                self.places.insert(game.clone(), to);
                // What is on the shelf reads the old folder.
                if let Some((_, mark)) = self.shelved.get_mut(game) {
                    *mark = None;
                }
                self.on_seen(game, seen, now);
                let Some(old) = old else { return self.on_moved_away(game, to, reply, Ok(()), now) };
                if let Some(meter) = self.installing.get(game) {
                    meter.say(format!("taking it out of {}", self.path_of(old)));
                }
                let (desk, game) = (self.desk.clone(), game.clone());
                let away = move || drop_old(&desk, turn.game(), old, to);
                return self.job("take away a moved game", away, move |result| {
                    // A pool that has ended leaves it to the next start.
                    Done::MovedAway { game, to, reply, result: result.unwrap_or(Ok(())) }
                });
            }
            Ok(Err(error)) => failed(game, &error),
            Err(error) => refusal(ErrorCode::Failed, error),
        };
        self.end_installing(game, now);
        answer(reply, Err(error));
    }

    pub(super) fn on_moved_away(
        &mut self,
        game: &GameId,
        to: LibraryNo,
        reply: ReplyTo,
        result: Result<(), DiskError>,
        now: Instant,
    ) {
        if let Err(error) = result {
            let text = format!("{game} was moved, and what is left of it is taken away at the next start: {error}");
            self.note(Level::Warning, text);
        }
        self.end_installing(game, now);
        // Its folder is to be watched where it is now.
        self.rescan_at = self.rescan_at.min(now + SETTLE);
        self.space_at = now;
        let message = format!("{} is in {} now.", self.core.title(game), self.path_of(to));
        self.context.teller.tell(Level::Done, EventKind::Library { game: game.to_string() }, message.clone());
        answer(reply, Ok(Reply::Done { message }));
    }

    fn path_of(&self, library: LibraryNo) -> String {
        let path = self.desk.libraries.paths().nth(usize::from(library.0));
        path.map_or_else(String::new, |path| clean(&path.display().to_string(), usize::MAX))
    }
}

/// The library a person means: its folder, or the last part of that where it is the only one of that name.
fn find_library(paths: &[&Path], text: &str) -> Result<LibraryNo, CommandError> {
    let text = text.trim();
    let find = |is_it: &dyn Fn(&Path) -> bool| -> Vec<usize> {
        paths.iter().enumerate().filter(|(_, path)| is_it(path)).map(|(number, _)| number).collect()
    };
    let mut found = find(&|path| path == Path::new(text));
    if found.is_empty() {
        found = find(&|path| path.file_name().is_some_and(|name| name == text));
    }
    let all = || paths.iter().map(|path| clean(&path.display().to_string(), 400)).collect::<Vec<_>>().join(", ");
    match found.as_slice() {
        [number] => Ok(LibraryNo(*number as u8)),
        [] => {
            Err(refusal(ErrorCode::NotFound, format_args!("no library is `{}`; there are {}", clean(text, 400), all())))
        }
        _ => {
            Err(refusal(ErrorCode::Ambiguous, format_args!("several libraries could be meant; say which of {}", all())))
        }
    }
}

/// A library that was there when the move began.
fn library(desk: &Desk, number: LibraryNo, game: &GameId) -> Result<Arc<Library>, DiskError> {
    desk.libraries.get(number).ok_or_else(|| DiskError::new("open the library of", game, Reason::Missing))
}

fn carry(
    desk: &Desk,
    turns: &Turns,
    turn: RootTurn,
    to: LibraryNo,
    meter: &Meter,
    cancel: &CancellationToken,
) -> Result<Moved, MoveError> {
    let game = turn.game();
    // Nobody starts it until it is there.
    let _quiet = quiet_turn(desk, turns, game)?;
    let found = desk.libraries.find(game)?;
    let target = library(desk, to, game)?;
    let space = desk.libraries.space(to);
    let quiet = || match installs::user_of_local(&found.root) {
        Some(process) => Err(InstallError::Running { by: Some(process) }),
        None => Ok(()),
    };
    let mut watch = meter.watch(cancel);
    let mut questions = Questions {
        room: &|need| has_room(space, need, &target),
        quiet: &quiet,
        expect: &|bytes| meter.expect(bytes),
        watcher: &mut watch,
    };
    let route = Route { game, from: &found.library, to: &target };
    let carried = installs::carry(route, &mut Memory::of_game(&desk.index, game), &mut questions)?;
    let seen = look(desk, game, &Distrust::Conclusion, Some(&turn), &Meter::default(), &CancellationToken::new());
    Ok(Moved { seen, old: (carried == Carried::Copied).then_some(found.number), turn })
}

fn drop_old(desk: &Desk, game: &GameId, from: LibraryNo, to: LibraryNo) -> Result<(), DiskError> {
    let (from, to) = (library(desk, from, game)?, library(desk, to, game)?);
    installs::drop_old(Route { game, from: &from, to: &to })
}

fn failed(game: &GameId, error: &MoveError) -> CommandError {
    let code = match error {
        MoveError::Refused(InstallError::NotOurs(_) | InstallError::NoRoom { .. } | InstallError::Running { .. })
        | MoveError::Exists { .. }
        | MoveError::Unfinished
        | MoveError::Odd { .. } => ErrorCode::Refused,
        MoveError::Changing => ErrorCode::WouldWait,
        MoveError::Refused(
            InstallError::NotReady(_)
            | InstallError::GaveUp { .. }
            | InstallError::Scan(_)
            | InstallError::Extract(_)
            | InstallError::Cancelled
            | InstallError::Unfinished(_)
            | InstallError::Leftover(_)
            | InstallError::Disk(_),
        )
        | MoveError::Damaged { .. }
        | MoveError::Cancelled
        | MoveError::Disk(_) => ErrorCode::Failed,
    };
    refusal(code, format_args!("{game}: {error}; it stays where it is"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_meant_by_their_folder_or_the_end_of_it() {
        let paths = ["/games", "/mnt/fast/games", "/mnt/big"].map(Path::new);
        let check = |text: &str, expect: Result<u8, ErrorCode>| {
            let found = find_library(&paths, text).map(|number| number.0).map_err(|error| error.code);
            assert_eq!(found, expect, "{text}");
        };
        check("/games", Ok(0));
        check("/mnt/fast/games/", Ok(1));
        check(" big ", Ok(2));
        check("games", Err(ErrorCode::Ambiguous));
        check("ga", Err(ErrorCode::NotFound));
        check("", Err(ErrorCode::NotFound));
    }
}
