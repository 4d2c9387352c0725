//! What there is in the library folders: which games, what each folder was found to be, and what of it
//! is put on the shelf.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{
    Actor, Stage,
    found::{Found, Same},
    jobs::Done,
    look::{Distrust, PrivateFacts, Seen, What, look},
    looks::UNSETTLED,
};
use crate::{
    api::{EventKind, INSTALLED_ONLY, Level, LibraryView},
    core::{
        library::{Facts, LocalChange, LocalState, Progress},
        room::{self, Choice},
    },
    io::{
        clock,
        disk::{Oddity, Survey},
        scan::Memory,
    },
    runtime::{
        input::TransfersInput,
        installs::{self, Installation, Recovered},
        roots::Change,
        tasks::PoolError,
    },
    types::{ContentId, GameId, LibraryNo, Weight},
};

/// A library that is not there is looked for this often.
const TROUBLE: Duration = Duration::from_secs(5);

impl Actor {
    /// Finishes what earlier runs left half done, before any game is announced or changed.
    pub(super) fn recover(&self) {
        let desk = self.desk.clone();
        self.job(
            "library recovery",
            move || {
                let mut notes = installs::settle_moves(&desk.libraries);
                for (game, number) in &desk.libraries.list().games {
                    let library = desk.libraries.get(*number).filter(|library| library.read_only().is_none());
                    let Some(library) = library else { continue };
                    let turn = match desk.roots.take(game, Change::Recover) {
                        Ok(turn) => turn,
                        Err(change) => {
                            notes.push(format!("{game}: what an earlier run began is not finished: {change}"));
                            continue;
                        }
                    };
                    match turn.recover(&library, &mut Memory::of_game(&desk.index, game)) {
                        Ok(recovered) => notes.extend(recovery_note(game, &recovered)),
                        Err(error) => {
                            notes.push(format!("{game}: what an earlier run began could not be finished: {error}"));
                        }
                    }
                }
                // A removal that was finished took its folder along.
                (desk.libraries.list(), notes)
            },
            |done| match done {
                Ok((survey, notes)) => Done::Recovered { survey, notes },
                Err(error) => Done::Recovered { survey: Survey::default(), notes: vec![error.to_string()] },
            },
        );
    }

    /// Looks which games there are, and at each of them.
    pub(super) fn list(&mut self) {
        if !mem::replace(&mut self.is_listing, true) {
            let desk = self.desk.clone();
            self.job("library listing", move || desk.libraries.list(), |done| Done::Listed(done.unwrap_or_default()));
        }
    }

    pub(super) fn start_looks(&mut self) {
        let now = clock::now();
        while let Some((game, cancel)) = self.looks.start(now, &self.context.tasks.cancelled().clone()) {
            let distrust = self.distrust.remove(&game).unwrap_or_else(|| self.usual_distrust(&game));
            let (meter, desk, of) = (self.meter(&game), self.desk.clone(), game.clone());
            self.job(
                "look at a game",
                move || look(&desk, &of, &distrust, None, &meter, &cancel),
                move |seen| Done::Seen { game, seen },
            );
        }
    }

    /// What is to be put on the shelf anew has to be looked at in whole.
    fn usual_distrust(&self, game: &GameId) -> Distrust {
        match self.shelved.get(game) {
            Some((_, None)) => Distrust::Conclusion,
            Some((_, Some(_))) | None => Distrust::Nothing,
        }
    }

    pub(super) fn on_recovered(&mut self, survey: Survey, notes: Vec<String>, now: Instant) {
        for note in notes {
            self.note(Level::Warning, note);
        }
        let games: BTreeSet<GameId> = survey.games.keys().cloned().collect();
        // Of what a library has that is not there, everything is remembered.
        self.forget = survey.states.iter().all(|state| state.is_known).then(|| games.clone());
        let before = mem::replace(&mut self.stage, Stage::FirstLooks(games));
        self.on_listed(survey, now);
        self.to_transfers.send(TransfersInput::Scanned);
        if let Stage::Recovering { early } = before {
            for input in early {
                self.on_input(input);
            }
        }
        self.first_looks_done();
        let asked: Vec<GameId> = self.first_look_asked.keys().cloned().collect();
        asked.iter().for_each(|game| self.answer_looked(game));
    }

    pub(super) fn on_listed(&mut self, survey: Survey, now: Instant) {
        let Survey { games, oddities, states } = survey;
        for (number, state) in states.iter().enumerate() {
            let before = self.libraries.get(number).and_then(|before| before.trouble.as_ref());
            if let Some(trouble) = state.trouble.as_ref().filter(|trouble| before != Some(*trouble)) {
                self.note(Level::Error, trouble.clone());
            }
        }
        self.libraries_at = states.iter().any(|state| !state.is_known).then_some(now + TROUBLE);
        self.libraries = states;
        self.on_listing(games, oddities, now);
        self.show_libraries();
    }

    /// Shows how the libraries are and what is free.
    pub(super) fn show_libraries(&self) {
        let paths = self.desk.libraries.paths().enumerate();
        let views = paths.map(|(number, path)| {
            let (state, space) = (self.libraries.get(number), self.spaces.get(number));
            LibraryView {
                path: path.display().to_string(),
                games: self.places.values().filter(|place| usize::from(place.0) == number).count() as u32,
                free: space.filter(|_| state.is_some_and(|state| state.is_known)).map(|space| space.free),
                min_free: space.map_or(0, |space| space.min_free),
                trouble: state.and_then(|state| state.trouble.clone()),
            }
        });
        let libraries: Vec<LibraryView> = views.collect();
        let new_games = room::choose(&self.spaces, 0, |_| 0).map(Choice::library);
        let free = new_games.and_then(|library| self.spaces.get(usize::from(library.0))).map(|space| space.usable());
        let trouble = libraries.iter().find_map(|library| library.trouble.clone());
        self.shown.send_if_modified(|shown| {
            let is_new = (&shown.libraries, shown.free, &shown.trouble) != (&libraries, free, &trouble);
            (shown.libraries, shown.free, shown.trouble) = (libraries, free, trouble);
            is_new
        });
    }

    /// Looks whether a library that is not there came back.
    pub(super) fn look_for_libraries(&self) {
        let desk = self.desk.clone();
        let look = move || desk.libraries.refresh();
        self.job("look for a library", look, |there| Done::LookedFor(there.unwrap_or_default()));
    }

    pub(super) fn on_looked_for(&mut self, there: &[bool], now: Instant) {
        if there.iter().zip(&self.libraries).any(|(is_there, state)| *is_there != state.is_known) {
            self.list();
        } else {
            self.libraries_at = Some(now + TROUBLE);
        }
    }

    /// Watches the libraries that are there, and the games in them.
    fn watch_folders(&mut self, games: &BTreeMap<GameId, LibraryNo>) {
        let Some(watch) = &mut self.watch else { return };
        let known = |number: LibraryNo| self.libraries.get(usize::from(number.0)).is_some_and(|state| state.is_known);
        let there: BTreeMap<LibraryNo, PathBuf> = (self.desk.libraries.each())
            .filter(|(number, _)| known(*number))
            .map(|(number, library)| (number, library.path().to_owned()))
            .collect();
        let roots = games.iter().filter_map(|(game, number)| Some(there.get(number)?.join(game.as_str())));
        let unwatched = watch.follow(&there.values().cloned().chain(roots).collect());
        if unwatched > 0 {
            tracing::debug!(count = unwatched, "folders are not watched; the periodic scan finds changes");
        }
    }

    fn on_listing(&mut self, listed: BTreeMap<GameId, LibraryNo>, oddities: Vec<Oddity>, now: Instant) {
        self.watch_folders(&listed);
        let is_known =
            |number: &LibraryNo| self.libraries.get(usize::from(number.0)).is_some_and(|state| state.is_known);
        // Those that are gone are looked at too, and found to be gone; unless it is their library that is not there.
        let before = self.core.local_games().map(|(game, _)| game);
        let gone = before.filter(|game| self.places.get(*game).is_none_or(is_known));
        let games: BTreeSet<GameId> = listed.keys().chain(gone).cloned().collect();
        let moved = listed.iter().filter(|(game, number)| self.places.get(*game) != Some(*number));
        self.rows.mark(moved.map(|(game, _)| game.clone()).collect(), BTreeSet::new());
        self.places.retain(|_, number| !is_known(number));
        self.places.extend(listed);
        let is_start = matches!(self.stage, Stage::FirstLooks(_));
        for game in &games {
            if is_start && self.core.local(game).is_none() {
                // A large game is on the screen while it is read for the first time.
                self.core.handle_local(game, LocalChange::Checking(Progress::default()), now);
            }
            self.looks.want(game, now);
        }
        for oddity in oddities {
            self.note_once(format!("`{}` in the library is no game: {}", oddity.name, oddity.reason));
        }
    }

    pub(super) fn on_seen_or_panicked(&mut self, game: &GameId, seen: Result<Seen, PoolError>, now: Instant) {
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
        self.answer_looked(game);
    }

    /// What a transfer goes on with after a restart is what this look puts on the shelf: without it everything would be
    /// fetched anew.
    pub(super) fn on_asked_for_look(&mut self, game: GameId, reply: oneshot::Sender<()>) {
        self.first_look_asked.entry(game.clone()).or_default().push(reply);
        self.answer_looked(&game);
    }

    fn answer_looked(&mut self, game: &GameId) {
        let is_known = match &self.stage {
            Stage::Recovering { .. } => false,
            Stage::FirstLooks(games) => !games.contains(game),
            Stage::Known { .. } => true,
        };
        if is_known {
            for reply in self.first_look_asked.remove(game).into_iter().flatten() {
                // A transfer that was cancelled meanwhile no longer waits.
                let _ = reply.send(());
            }
        }
    }

    pub(super) fn first_looks_done(&mut self) {
        if matches!(&self.stage, Stage::FirstLooks(games) if games.is_empty()) {
            self.stage = Stage::Known { is_announced: false };
            if let Some(keep) = self.forget.take() {
                let index = Arc::clone(&self.desk.index);
                self.job("forget games that are gone", move || index.retain_games(&keep), |_| Done::Nothing);
            }
        }
    }

    /// The library is ready when the room was told of everything in it.
    pub(super) fn show_ready(&mut self) {
        if matches!(self.stage, Stage::Known { is_announced: false }) && self.core.is_announced() {
            self.stage = Stage::Known { is_announced: true };
            self.show(clock::now());
            self.shown.send_modify(|shown| shown.scanned = true);
        }
    }

    /// Takes note of what a folder was found to be.
    pub(super) fn on_seen(&mut self, game: &GameId, seen: Seen, now: Instant) {
        let Seen { what, installed, weighing, note } = seen;
        let weight = weighing.weight().map(Weight::bytes);
        if let Some(note) = note {
            self.note_once(note);
        }
        self.set_installed(game, installed);
        match what {
            What::Same(same) => {
                self.core.handle_local(game, same.change(&self.core.title(game), weight), now);
                self.shelve_same(game, &same);
            }
            What::Build(found) => {
                if found.is_changing() {
                    self.looks.want(game, now + UNSETTLED);
                }
                self.core.handle_local(game, found.change(&self.core.title(game), weight), now);
                self.shelve(game, *found);
            }
            What::Nothing => {
                self.unshelve(game);
                self.core.handle_local(game, LocalChange::Gone, now);
            }
            What::Private { reason, facts } => {
                self.unshelve(game);
                let title = self.core.title(game);
                let facts = facts.map(|PrivateFacts { version, size, files }| Facts {
                    version,
                    title,
                    size,
                    files,
                    installed: None,
                });
                let installed = match self.installed.get(game) {
                    Some(Installation::Only(content)) => Some(*content),
                    Some(Installation::None | Installation::Theirs | Installation::Of(_)) | None => None,
                };
                self.core.handle_local(game, LocalChange::Private { reason, facts, installed }, now);
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
        self.weigh_if_new(game, weighing);
        let now_is = self.core.local_state(game).map(mem::discriminant);
        let was = match now_is {
            Some(state) => self.states.insert(game.clone(), state),
            None => self.states.remove(game),
        };
        if was != now_is {
            self.tell_state(game);
        }
    }

    /// Says what a game has become, where that is not as it should be.
    pub(super) fn tell_state(&self, game: &GameId) {
        let title = self.core.title(game);
        let (level, text) = match self.core.local_state(game) {
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
            Some(LocalState::Private { reason, .. }) => {
                // Somebody wanted it so.
                let level = if reason == INSTALLED_ONLY { Level::Info } else { Level::Warning };
                (level, format!("{title} is not shared: {reason}"))
            }
            Some(LocalState::Failed(reason)) => (Level::Error, format!("{title}: {reason}")),
            Some(LocalState::Checking { .. } | LocalState::Complete(_)) | None => return,
        };
        self.context.teller.tell(level, EventKind::Library { game: game.to_string() }, text);
    }

    /// Offers what was found; what a transfer of the same content offers is left to it.
    pub(super) fn shelve(&mut self, game: &GameId, found: Found) {
        let (content, mark) = (found.content, found.mark());
        let is_full = found.stays_open() && self.context.shelf.open_count() >= self.folder.open_max;
        if !self.may_shelve(game) || (is_full && !self.shelved.contains_key(game)) {
            return self.unshelve(game);
        }
        let old = self.shelved.get(game).copied();
        if self.is_growing(game, &content) || old == Some((content, Some(mark))) {
            return;
        }
        found.put_on(&self.context.shelf, game, &self.opener);
        self.shelved.insert(game.clone(), (content, Some(mark)));
        if let Some((old, _)) = old.filter(|(old, _)| *old != content) {
            self.context.shelf.remove(old);
        }
    }

    /// Offers what did not change, to be opened when somebody asks for it.
    fn shelve_same(&mut self, game: &GameId, same: &Same) {
        let now_is = (same.content(), Some(same.mark()));
        if !self.may_shelve(game) {
            return self.unshelve(game);
        }
        if self.is_growing(game, &same.content()) || self.shelved.get(game) == Some(&now_is) {
            return;
        }
        // What is there of another build, or of this one in another state, is not what is in the folder.
        self.unshelve(game);
        self.context.shelf.put_closed(same.content(), game, &self.opener);
        self.shelved.insert(game.clone(), now_is);
    }

    fn may_shelve(&self, game: &GameId) -> bool {
        self.core.rules().allow(game) && self.core.announced_twin(game).is_none()
    }

    /// Whether a transfer brings it, whose business it is then to offer it.
    fn is_growing(&self, game: &GameId, content: &ContentId) -> bool {
        self.core.local(game).is_some_and(|local| local.growing().contains_key(content))
    }

    pub(super) fn unshelve(&mut self, game: &GameId) {
        if let Some((content, _)) = self.shelved.remove(game) {
            self.context.shelf.remove(content);
        }
    }
}

fn recovery_note(game: &GameId, recovered: &Recovered) -> Option<String> {
    let aside = |set_aside: &[String]| match set_aside.len() {
        0 => String::new(),
        count => format!(" {count} files you changed are in .potluck/replaced/ of its folder."),
    };
    match recovered {
        Recovered::Nothing => None,
        Recovered::Committed { set_aside } => {
            Some(format!("{game}: putting it in place was cut off, and is finished now.{}", aside(set_aside)))
        }
        Recovered::Local { set_aside } => {
            Some(format!("{game}: installing it was cut off; its local folder is whole.{}", aside(set_aside)))
        }
        Recovered::Dropped => {
            Some(format!("{game}: dropping its payload was cut off, and is finished; it can be played."))
        }
        Recovered::Removed(_) => Some(format!("{game}: a removal that was cut off is finished.")),
        Recovered::GaveUp { reason } => Some(format!("{game}: {reason}")),
    }
}
