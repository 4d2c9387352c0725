//! Moving a game to another library. On one file system that is one rename. To another one a copy is made beside the
//! games there and compared; then the game is put aside, the copy takes its place, and what was put aside goes. What a
//! crash leaves of that is settled by [`settle_moves`]; what is done with it is decided by `core::install`.

use std::{ops::ControlFlow, sync::Arc};

use super::{InstallError, is_absent};
use crate::{
    core::install::{self, Aside, Copy, MoveFound, Settle},
    io::{
        disk::{Cancelled, DiskError, GameRoot, Kind, Libraries, Library, Reason, Stamp, copy_file},
        scan::{Memory, hash_path},
        store,
    },
    types::{FileHash, GameId, PayloadPath, clean},
    wire::journal::{JOURNAL_BYTES_MAX, Journal},
};

/// Before a game's id: the folder in its new library where the copy waits.
const COPY: &str = ".potluck-moving-";
/// Before a game's id: the game itself in its old library, when the copy is whole.
const ASIDE: &str = ".potluck-moved-";
/// In the folder of a copy: which move it is of. It is there before anything else and goes last.
const MARK: &str = "mark.json";
/// In the folder of a copy: the copy.
const GAME: &str = "game";
/// Entries of one folder; a payload has fewer in all.
const ENTRIES_MAX: usize = 400_000;
/// Folders in folders.
const DEPTH_MAX: usize = 100;

/// From where a game goes where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route<'l> {
    /// Which one.
    pub(crate) game: &'l GameId,
    /// The library it is in.
    pub(crate) from: &'l Library,
    /// The library it goes to.
    pub(crate) to: &'l Library,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Nothing is left where it was.
    Renamed,
    /// The game is where it goes, and [`drop_old`] has to take away what was put aside.
    Copied,
}

/// Why a game could not be moved. It is where it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MoveError {
    /// No room, or it is running.
    #[error(transparent)]
    Refused(#[from] InstallError),
    /// Another library has a folder of its name.
    #[error("{library} has a folder of that name already; remove or rename it")]
    Exists {
        /// The library.
        library: String,
    },
    /// A change of it was cut off.
    #[error("an earlier change of it is not finished; start potluck again, which finishes it")]
    Unfinished,
    /// Something that cannot be copied.
    #[error("{path} cannot go to another file system: {why}")]
    Odd {
        /// Its path in the game.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A file is not what it was copied from.
    #[error("the copy of {path} is not the same as the file; look after the disks")]
    Damaged {
        /// Its path in the game.
        path: String,
    },
    /// Somebody writes to it.
    #[error("it was written to meanwhile; try again when it is quiet")]
    Changing,
    /// The user stopped it.
    #[error("it was stopped")]
    Cancelled,
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What hears of bytes done and says whether to go on.
pub(crate) type Watcher<'w> = dyn FnMut(u64) -> ControlFlow<()> + 'w;

/// What a move asks on its way.
pub(crate) struct Questions<'q> {
    /// Whether so many bytes may be written there.
    pub(crate) room: &'q dyn Fn(u64) -> Result<(), InstallError>,
    /// Whether nobody plays the game.
    pub(crate) quiet: &'q dyn Fn() -> Result<(), InstallError>,
    /// Hears of the bytes to come, and then of each.
    pub(crate) expect: &'q dyn Fn(u64),
    /// Hears of each, and says whether to go on.
    pub(crate) watcher: &'q mut Watcher<'q>,
}

impl Route<'_> {
    fn copy_folder(&self) -> String {
        format!("{COPY}{}", self.game)
    }

    fn copy(&self) -> String {
        format!("{COPY}{}/{GAME}", self.game)
    }

    fn mark(&self) -> String {
        format!("{COPY}{}/{MARK}", self.game)
    }

    fn aside(&self) -> String {
        format!("{ASIDE}{}", self.game)
    }

    fn journal(&self) -> Journal {
        Journal::Move { from: shown(self.from), to: shown(self.to) }
    }

    fn is_there(&self, library: &Library) -> Result<bool, DiskError> {
        Ok(library.folder().find(self.game.as_str())?.is_some())
    }
}

/// A library as records name it.
fn shown(library: &Library) -> String {
    clean(&library.path().display().to_string(), usize::MAX)
}

/// Brings a game to another library. An error leaves it where it was; where the disk does not even let that be done,
/// [`settle_moves`] does it at the next start.
pub(crate) fn carry(
    route: Route<'_>,
    memory: &mut Memory,
    questions: &mut Questions<'_>,
) -> Result<Carried, MoveError> {
    settle(route)?;
    let error = match try_to_carry(route, memory, questions) {
        Ok(carried) => return Ok(carried),
        Err(error) => error,
    };
    if let Err(error) = settle(route) {
        tracing::warn!(%error, game = %route.game, "what a failed move left could not be put right");
    }
    // A disk may do what it then says has failed.
    if !route.is_there(route.from)? && route.is_there(route.to)? {
        tracing::warn!(%error, game = %route.game, "the game was moved, and the disk said that it failed");
        let left = route.from.folder().find(&route.aside())?.is_some()
            || route.to.folder().find(&route.copy_folder())?.is_some();
        return Ok(if left { Carried::Copied } else { Carried::Renamed });
    }
    Err(error)
}

fn try_to_carry(route: Route<'_>, memory: &mut Memory, questions: &mut Questions<'_>) -> Result<Carried, MoveError> {
    let (game, from, to) = (route.game.as_str(), route.from.folder(), route.to.folder());
    if route.is_there(route.to)? {
        return Err(MoveError::Exists { library: shown(route.to) });
    }
    match from.move_out(game, to, game) {
        Ok(()) => {
            to.sync_dir("")?;
            from.sync_dir("")?;
            return Ok(Carried::Renamed);
        }
        Err(error) if matches!(error.reason(), Reason::OtherFileSystem) => {}
        Err(error) => return Err(error.into()),
    }
    let source = route.from.open_root(route.game)?;
    if source.find(store::JOURNAL)?.is_some() {
        return Err(MoveError::Unfinished);
    }
    let was = survey(&source)?;
    make_copy(route, &source, &was, memory, questions)?;
    if survey(&source)? != was {
        return Err(MoveError::Changing);
    }
    (questions.quiet)()?;
    source.make_dirs(store::OWN_FOLDER)?;
    let journal = route.journal().encode().expect("a journal of two paths is always JSON");
    source.write_atomic(store::JOURNAL, &journal)?;
    from.rename_new(game, &route.aside())?;
    from.sync_dir("")?;
    if survey(&source)? != was {
        bring_back(route)?;
        return Err(MoveError::Changing);
    }
    arrive(route)?;
    memory.save();
    Ok(Carried::Copied)
}

/// Takes away what was put aside, and the mark of the move.
pub(crate) fn drop_old(route: Route<'_>) -> Result<(), DiskError> {
    // It has arrived; where the disk refused to make that durable, the old one stays.
    route.to.folder().sync_fs()?;
    drop_aside(route)?;
    drop_copy(route)
}

/// Something in a game.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    path: String,
    what: Found,
}

#[derive(Debug, PartialEq, Eq)]
enum Found {
    Folder,
    File { stamp: Stamp, executable: bool },
    Link { target: String, mtime_ns: i64 },
}

/// All there is in a game, folders before what is in them; but for the journal and the half of one, which come and go.
fn survey(root: &GameRoot) -> Result<Vec<Entry>, MoveError> {
    let mut entries = Vec::new();
    let device = root.stat("")?.device;
    survey_folder(root, "", device, 0, &mut entries)?;
    let half = format!("{}.new", store::JOURNAL);
    let comes_and_goes = [store::OWN_FOLDER, store::JOURNAL, &half];
    entries.retain(|entry| !comes_and_goes.contains(&entry.path.as_str()));
    Ok(entries)
}

fn survey_folder(
    root: &GameRoot,
    folder: &str,
    device: u64,
    depth: usize,
    entries: &mut Vec<Entry>,
) -> Result<(), MoveError> {
    for listed in root.list(folder, ENTRIES_MAX)? {
        let below = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let odd = |why| MoveError::Odd { path: clean(&below(&listed.name.to_string_lossy()), 400), why };
        let path = below(listed.name.to_str().ok_or_else(|| odd("its name is not UTF-8; rename it"))?);
        if listed.stat.device != device {
            return Err(odd("another file system is mounted there; unmount it"));
        }
        match listed.stat.kind {
            Kind::Folder if depth == DEPTH_MAX => return Err(odd("it is too deep")),
            Kind::Folder => {
                entries.push(Entry { path: path.clone(), what: Found::Folder });
                survey_folder(root, &path, device, depth + 1, entries)?;
            }
            Kind::File => {
                let (stamp, executable) = (listed.stat.stamp, listed.stat.executable);
                entries.push(Entry { path, what: Found::File { stamp, executable } });
            }
            Kind::Link => {
                let target = root.read_link(&path)?.into_string();
                let target = target.map_err(|_| odd("it points to a name that is not UTF-8; remove it"))?;
                entries.push(Entry { path, what: Found::Link { target, mtime_ns: listed.stat.stamp.mtime_ns } });
            }
            Kind::Fifo | Kind::Socket | Kind::Device | Kind::Unknown => {
                return Err(odd("it is neither a file nor a folder nor a link; remove it"));
            }
        }
    }
    Ok(())
}

fn make_copy(
    route: Route<'_>,
    source: &GameRoot,
    entries: &[Entry],
    memory: &mut Memory,
    questions: &mut Questions<'_>,
) -> Result<(), MoveError> {
    let size = |entry: &Entry| if let Found::File { stamp, .. } = entry.what { stamp.size } else { 0 };
    let bytes: u64 = entries.iter().map(size).sum();
    (questions.room)(bytes)?;
    let manifest = store::load_manifest(source)?.and_then(Result::ok).map(|stored| stored.manifest);
    (questions.expect)(bytes + manifest.as_ref().map_or(0, |manifest| manifest.size()));

    let to = route.to.folder();
    to.make_dirs(&route.copy_folder())?;
    to.sync_dir("")?;
    // First the mark: without it nothing in that folder is taken for ours.
    let half = format!("{}.new", route.mark());
    let mark = to.create_file(&half, false)?;
    mark.write_at(&route.journal().encode().expect("a journal of two paths is always JSON"), 0)?;
    mark.sync()?;
    to.rename(&half, &route.mark())?;
    to.sync_dir(&route.copy_folder())?;
    to.make_dirs(&route.copy())?;
    let copy = to.below(&route.copy())?;
    if source.find(store::OWN_FOLDER)?.is_some() {
        copy.make_dirs(store::OWN_FOLDER)?;
    }
    for entry in entries {
        match &entry.what {
            Found::Folder => copy.make_dirs(&entry.path)?,
            Found::Link { target, mtime_ns } => {
                copy.make_link(&entry.path, target)?;
                copy.set_link_mtime_ns(&entry.path, *mtime_ns)?;
            }
            Found::File { stamp, executable } => {
                let file = source.open_file(&entry.path)?;
                let new = copy.create_file(&entry.path, *executable)?;
                if let Err(Cancelled) = copy_file(&file, &new, &mut *questions.watcher)? {
                    return Err(MoveError::Cancelled);
                }
                new.set_mtime_ns(stamp.mtime_ns)?;
            }
        }
    }
    for entry in manifest.iter().flat_map(|manifest| manifest.files()) {
        compare(source, &copy, &entry.path, entry.hash, memory)?;
        if (questions.watcher)(entry.size).is_break() {
            return Err(MoveError::Cancelled);
        }
    }
    Ok(copy.sync_fs()?)
}

/// Compares the copy of a file with its manifest; what the user changed, with what it was copied from.
fn compare(
    source: &GameRoot,
    copy: &GameRoot,
    path: &PayloadPath,
    expect: FileHash,
    memory: &mut Memory,
) -> Result<(), MoveError> {
    let hash = |root: &GameRoot, memory: &mut Memory| -> Result<_, MoveError> {
        let Some(stat) = root.find(path.as_str())?.filter(|stat| stat.kind == Kind::File) else { return Ok(None) };
        hash_path(root, path, &stat.stamp, memory).map_err(|error| MoveError::Refused(InstallError::Scan(error)))
    };
    let found = hash(copy, memory)?;
    if found == Some(expect) || found == hash(source, &mut Memory::none())? {
        return Ok(());
    }
    Err(MoveError::Damaged { path: path.to_string() })
}

/// Finishes or undoes the moves that a crash cut off, and says what cannot be, for people. A second call finds nothing.
/// To be called before any game is looked at.
pub(crate) fn settle_moves(libraries: &Libraries) -> Vec<String> {
    let open: Vec<_> = libraries.each().map(|(_, library)| library).filter(|it| it.read_only().is_none()).collect();
    settle_between(&open)
}

/// As [`settle_moves`], of the libraries that can be written to.
pub(super) fn settle_between(open: &[Arc<Library>]) -> Vec<String> {
    let mut notes = Vec::new();
    for library in open {
        // The listing that follows says why it cannot be listed.
        let Ok(entries) = library.folder().list("", ENTRIES_MAX) else { continue };
        let names = entries.iter().filter_map(|entry| entry.name.to_str());
        let begun = names.filter_map(|name| {
            let (is_aside, id) = match name.strip_prefix(ASIDE) {
                Some(id) => (true, id),
                None => (false, name.strip_prefix(COPY)?),
            };
            Some((is_aside, GameId::new(id).ok()?))
        });
        for (is_aside, game) in begun {
            if let Err(why) = settle_found(open, library, is_aside, &game) {
                notes.push(format!(
                    "{game} was being moved from one library to another, and that is not finished: {why}"
                ));
            }
        }
    }
    notes
}

fn settle_found(open: &[Arc<Library>], library: &Library, is_aside: bool, game: &GameId) -> Result<(), String> {
    let path = if is_aside { format!("{ASIDE}{game}/{}", store::JOURNAL) } else { format!("{COPY}{game}/{MARK}") };
    let record = read_record(library.folder(), &path).map_err(|error| error.to_string())?;
    let Some(Journal::Move { from, to }) = record else {
        // It was begun or ended, if nothing is in it; such a folder is in nobody's way either.
        let folder = path.split('/').next().unwrap_or_default();
        for path in [format!("{folder}/{MARK}.new"), format!("{folder}/{}", store::OWN_FOLDER), folder.to_owned()] {
            let removed = if path.ends_with(".new") && !is_aside {
                library.folder().remove_file(&path)
            } else {
                library.folder().remove_dir(&path)
            };
            match removed {
                Err(error) if path == folder || !is_absent(&error) => return Err(error.to_string()),
                Ok(()) | Err(_) => {}
            }
        }
        return Ok(());
    };
    let named = |name: &str| open.iter().find(|library| shown(library) == name);
    let other = if is_aside { &to } else { &from };
    let (Some(from), Some(to)) = (named(&from), named(&to)) else {
        return Err(format!("the library {other} is not there; put it back and start potluck again"));
    };
    settle(Route { game, from, to }).map_err(|error| error.to_string())
}

/// Finishes or undoes one move.
fn settle(route: Route<'_>) -> Result<(), DiskError> {
    let (from, to) = (route.from.folder(), route.to.folder());
    let journal = Some(route.journal());
    let aside_journal = read_record(from, &format!("{}/{}", route.aside(), store::JOURNAL))?;
    let aside = match from.find(&route.aside())? {
        None => Aside::None,
        Some(_) if aside_journal == journal => Aside::Journalled,
        Some(_) if is_hollow(from, &route.aside())? => Aside::Empty,
        Some(_) => Aside::Theirs,
    };
    let copy = if read_record(to, &route.mark())? != journal {
        Copy::None
    } else if to.find(&route.copy())?.is_some() {
        Copy::Waits
    } else {
        Copy::Gone
    };
    let found = MoveFound { aside, copy, stayed: route.is_there(route.from)?, arrived: route.is_there(route.to)? };
    if (found.aside, found.copy) != (Aside::None, Copy::None) {
        // Who was killed may not have made durable what is seen, and what follows deletes by it.
        to.sync_fs()?;
        from.sync_fs()?;
    }
    match install::settle(found) {
        Settle::Undo => undo(route),
        Settle::Arrive => {
            arrive(route)?;
            drop_old(route)
        }
        Settle::DropOld => drop_old(route),
        Settle::BringBack => bring_back(route),
        Settle::Leave => Err(DiskError::new("finish the move of", route.game, Reason::Exists)),
    }
}

fn arrive(route: Route<'_>) -> Result<(), DiskError> {
    let to = route.to.folder();
    to.rename_new(&route.copy(), route.game.as_str())?;
    to.sync_dir(&route.copy_folder())?;
    to.sync_dir("")
}

fn bring_back(route: Route<'_>) -> Result<(), DiskError> {
    let from = route.from.folder();
    from.rename_new(&route.aside(), route.game.as_str())?;
    from.sync_dir("")?;
    undo(route)
}

/// The journal goes after the copy: whatever happens between, there is nothing to be finished.
fn undo(route: Route<'_>) -> Result<(), DiskError> {
    drop_copy(route)?;
    let from = route.from.folder();
    let own = format!("{}/{}", route.game, store::OWN_FOLDER);
    let journal = format!("{}/{}", route.game, store::JOURNAL);
    if read_record(from, &journal)? == Some(route.journal()) {
        from.remove_file(&journal)?;
        from.sync_dir(&own)?;
        // Made for the journal, if nothing else is in it.
        match from.remove_dir(&own) {
            Err(error) if !is_absent(&error) && !matches!(error.reason(), Reason::NotEmpty) => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Takes the copy away, and then the mark, by which all of it is ours.
fn drop_copy(route: Route<'_>) -> Result<(), DiskError> {
    let to = route.to.folder();
    let folder = route.copy_folder();
    if to.find(&folder)?.is_none() {
        return Ok(());
    }
    if read_record(to, &route.mark())? == Some(route.journal()) {
        to.remove_tree(&route.copy())?;
        to.sync_dir(&folder)?;
        to.remove_file(&route.mark())?;
    }
    to.remove_file(&format!("{}.new", route.mark()))?;
    to.remove_dir(&folder)?;
    to.sync_dir("")
}

/// Takes what was put aside away, the journal last, by which all of it is ours.
fn drop_aside(route: Route<'_>) -> Result<(), DiskError> {
    let from = route.from.folder();
    let aside = route.aside();
    if from.find(&aside)?.is_none() {
        return Ok(());
    }
    let root = from.below(&aside)?;
    if read_record(&root, store::JOURNAL)? == Some(route.journal()) {
        let own = |name: &str| name == store::OWN_FOLDER;
        remove_all_but(&root, "", &own)?;
        let journal = |name: &str| format!("{}/{name}", store::OWN_FOLDER) == store::JOURNAL;
        remove_all_but(&root, store::OWN_FOLDER, &journal)?;
        root.sync_fs()?;
        root.remove_file(store::JOURNAL)?;
        root.sync_dir(store::OWN_FOLDER)?;
    }
    root.remove_dir(store::OWN_FOLDER)?;
    from.remove_dir(&aside)?;
    from.sync_dir("")
}

fn remove_all_but(root: &GameRoot, folder: &str, stays: &dyn Fn(&str) -> bool) -> Result<(), DiskError> {
    for entry in root.list(folder, ENTRIES_MAX)? {
        let name =
            entry.name.to_str().ok_or_else(|| DiskError::new("remove", entry.name.display(), Reason::BadPath))?;
        if !stays(name) {
            root.remove_tree(&if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") })?;
        }
    }
    Ok(())
}

/// Whether there is nothing in it, or an empty folder of potluck's.
fn is_hollow(root: &GameRoot, folder: &str) -> Result<bool, DiskError> {
    let entries = root.list(folder, ENTRIES_MAX)?;
    let [own] = entries.as_slice() else { return Ok(entries.is_empty()) };
    let is_own = own.name == store::OWN_FOLDER && own.stat.kind == Kind::Folder;
    Ok(is_own && root.list(&format!("{folder}/{}", store::OWN_FOLDER), ENTRIES_MAX)?.is_empty())
}

/// The record of a move; `None` where there is none, or another one.
fn read_record(root: &GameRoot, path: &str) -> Result<Option<Journal>, DiskError> {
    match root.read_file(path, JOURNAL_BYTES_MAX) {
        Ok(bytes) => Ok(Journal::decode(&bytes).ok()),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) if matches!(error.reason(), Reason::TooLong { .. } | Reason::NotRegular | Reason::IsAFolder) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "moving_tests.rs"]
mod tests;
