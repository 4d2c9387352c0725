//! Changes game roots: commits finished downloads, removes games, and finishes at start what a crash
//! cut off. Plain blocking functions that the library and transfers actors call on the pool, each with the
//! root's turn, so that nobody else writes into it meanwhile; what is done in which order is planned by
//! `core::install`.

mod dropping;
mod local;
mod machine;
mod moving;
mod payload;
mod turns;

use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

#[cfg(test)]
pub(crate) use bench_tests::Plain;
#[cfg(test)]
use dropping::drop_payload;
use dropping::drop_payload_with_fault;
#[cfg(test)]
use local::install;
pub(crate) use local::{
    Installation, Installed, LOCAL, Staged, installation, is_set_up, note_set_up, user_of_local, weigh_installed,
};
use local::{Progress, Unpack, stage, take_place, uninstall, unstage};
use machine::Machine;
pub(crate) use moving::{Carried, MoveError, Questions, Route, carry, drop_old, settle_moves};
pub(crate) use payload::{Payload, has_archives, weigh};

use crate::{
    core::install::{self, Commit, Evidence, JournalFound, NotOurs, OnDisk, Recovery, Step, Survey},
    io::{
        archive::child::ExtractError,
        disk::{DiskError, Fault, Faults, FileStat, GameRoot, Kind, Library, Reason, Stamp},
        running::Process,
        scan::{self, Memory, ScanError, hash_path},
        store::{self, Held, Incoming, NotReady, StoredManifest},
    },
    types::{ChunkNo, ContentId, FileNo, GameId, Manifest, PayloadPath, SENTINEL_NAME, Size, decimal},
    wire::journal::{JOURNAL_BYTES_MAX, Journal},
};

/// A build that is in its root now.
#[derive(Debug)]
pub(crate) struct Committed {
    /// What the root has.
    pub(crate) held: Held,
    /// Paths of the user's own that were in the way, as they are called in `.potluck/replaced/` now.
    pub(crate) set_aside: Vec<String>,
}

/// A game that was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    /// What is still in its folder because potluck did not put it there; empty when the folder is gone.
    pub(crate) left: Vec<String>,
}

/// What start-up found in a root.
#[derive(Debug)]
pub(crate) enum Recovered {
    /// Nothing was under way.
    Nothing,
    /// A commit was finished.
    Committed {
        /// As in [`Committed`].
        set_aside: Vec<String>,
    },
    /// What was under way in `local/` was finished or undone.
    Local {
        /// What the user had added or changed in it, by its path in the root now.
        set_aside: Vec<String>,
    },
    /// The payload of a playable game was dropped to the end.
    Dropped,
    /// A removal was finished.
    Removed(Removed),
    /// A record could not be followed. The game is as the next scan finds it; nothing was deleted.
    GaveUp {
        /// Why, and where the record is now.
        reason: String,
    },
}

impl Recovered {
    /// What the user had added or changed, by its path in the root now.
    fn into_set_aside(self) -> Vec<String> {
        match self {
            Self::Committed { set_aside } | Self::Local { set_aside } => set_aside,
            Self::Nothing | Self::Dropped | Self::Removed(_) | Self::GaveUp { .. } => Vec::new(),
        }
    }
}

/// Why a root could not be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    /// The download is not whole.
    #[error(transparent)]
    NotReady(#[from] NotReady),
    /// An earlier try was cut off and cannot be finished.
    #[error("an earlier try cannot be finished: {reason}; verify the game, then begin again")]
    GaveUp {
        /// Why, and where its record is now.
        reason: String,
    },
    /// A file in the root keeps changing while it is looked at.
    #[error(transparent)]
    Scan(ScanError),
    /// Too little would stay free.
    #[error(
        "it needs {}, and {} are free in {library}{}",
        decimal::size(*need),
        decimal::size(*free),
        to_stay_free(*min_free)
    )]
    NoRoom {
        /// Bytes that it is sure to take, as far as is known.
        need: u64,
        /// Bytes free.
        free: u64,
        /// Bytes that are to stay free.
        min_free: Size,
        /// Where.
        library: String,
    },
    /// A folder that an installation needs is somebody else's.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// An archive of the payload could not be unpacked.
    #[error(transparent)]
    Extract(#[from] ExtractError),
    /// Somebody plays it.
    #[error("the game is running{}", by.as_ref().map_or_else(String::new, |by| format!(" ({by})")))]
    Running {
        /// Which process, where potluck did not start it.
        by: Option<Process>,
    },
    /// The user stopped it.
    #[error("it was stopped")]
    Cancelled,
    /// It failed when it was on record already, and could not be finished at once.
    #[error("{0}; what was begun is finished before the next change of it, or when potluck starts again")]
    Unfinished(#[source] DiskError),
    /// It failed, and what was unpacked could not be deleted.
    #[error("{0}; it is as it was before, but for what was unpacked, which goes with the next change or start")]
    Leftover(#[source] Box<Self>),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// How a refusal for want of room goes on.
fn to_stay_free(min_free: Size) -> String {
    match min_free.as_bytes() {
        0 => "; free some".to_owned(),
        _ => format!(", of which {min_free} are to stay so; free some, or change min_free"),
    }
}

impl InstallError {
    /// Whether the disk is full: then the change goes on when there is space.
    pub(crate) fn is_no_space(&self) -> bool {
        match self {
            Self::NotReady(NotReady::Disk(error)) | Self::Scan(ScanError::Disk(error)) => error.is_no_space(),
            Self::Unfinished(error) | Self::Disk(error) => error.is_no_space(),
            Self::Leftover(error) => error.is_no_space(),
            Self::NotReady(NotReady::Lost { .. } | NotReady::Incomplete { .. })
            | Self::Scan(_)
            | Self::NoRoom { .. }
            | Self::NotOurs(_)
            | Self::Extract(_)
            | Self::Running { .. }
            | Self::Cancelled
            | Self::GaveUp { .. } => false,
        }
    }
}

/// Moves a finished download into its root. An error before the journal is written leaves the old
/// build and the download as they were; after it, [`recover`] finishes, now or at the next start.
///
/// `root` is the root of the download, opened once more: with faults set on it, a commit stops at any
/// one of its operations. Called again after a full disk stopped it halfway, it goes on from there.
fn commit(root: &GameRoot, incoming: &Incoming, memory: &mut Memory) -> Result<Committed, InstallError> {
    // Somebody may have moved the folder away, and made a new one of that name.
    let at_path = GameRoot::open(root.path())?;
    at_path.check_same(root)?;
    at_path.check_same(incoming.root())?;
    match read_journal(root)? {
        JournalFound::None if is_over(root, incoming)? => return finish_begun(root, incoming, memory),
        JournalFound::None => {}
        JournalFound::Commit { to, .. } if to == incoming.content() => return finish_begun(root, incoming, memory),
        // Of another change, which an error cut off: only when it is finished the manifest says what there is.
        JournalFound::Commit { .. }
        | JournalFound::Remove
        | JournalFound::Install
        | JournalFound::Move
        | JournalFound::Damaged => {
            recover_root(root, memory)?;
        }
    }
    let staged = incoming.prepare()?;
    let stays = incoming.stays();
    // A damaged manifest proves nothing ours: then everything in the way is set aside.
    let old = store::load_manifest(root)?.and_then(Result::ok);
    let new = incoming.manifest();
    let Surveyed { survey, ours } =
        survey(root, old.as_ref(), (incoming.content(), new.as_ref()), Some(&staged), memory)?;
    let plan =
        Commit { old: old.as_ref().map(|old| (old.content, &old.manifest)), new: (incoming.content(), new.as_ref()) };
    let mut machine =
        Machine::new(root, old.as_ref().map(|old| &old.manifest), Some(new.as_ref()), Some(incoming.content()))
            .with_ours(ours);
    if let Err(error) = machine.run(&install::commit(plan, &survey, false)) {
        if !is_begun(root, incoming.content()) {
            return Err(error.into());
        }
        // It may have passed; else this is done again when somebody asks, or at the next start.
        let mut committed = finish_begun(root, incoming, memory).map_err(|second| {
            tracing::warn!(%second, "a commit that was begun cannot be finished now");
            InstallError::Disk(error)
        })?;
        committed.set_aside.splice(..0, machine.set_aside);
        return Ok(committed);
    }
    let before = |number: usize, path: &PayloadPath| match (machine.placed.get(path), staged[number], stays[number]) {
        (Some(stamp), _, _) => Before::Seen { stamp: *stamp, touched: true },
        // Moving a folder changes nothing of what is in it; whoever changes it now changes the stamp.
        (None, Some(stamp), _) => Before::Moved(stamp),
        (None, None, Some(stamp)) => Before::Seen { stamp, touched: survey.wrong_mode.contains(path) },
        (None, None, None) => Before::Unknown,
    };
    let held = held_after(root, incoming, before, memory)?;
    Ok(Committed { held, set_aside: machine.set_aside })
}

/// As [`commit`]; when `fault` says `commit:K`, the process kills itself before the K-th operation. For
/// tests of the whole program, which debug builds let set it.
fn commit_with_fault(
    root: &GameRoot,
    incoming: &Incoming,
    memory: &mut Memory,
    fault: Option<&str>,
) -> Result<Committed, InstallError> {
    match kill_at("commit", fault) {
        Some(faults) => commit(&GameRoot::open(root.path())?.with_faults(faults), incoming, memory),
        None => commit(root, incoming, memory),
    }
}

/// Where the process is to kill itself in this change, if `fault` says so.
fn kill_at(change: &str, fault: Option<&str>) -> Option<Arc<Faults>> {
    let point = fault?.strip_prefix(change)?.strip_prefix(':')?.parse().ok()?;
    Some(Arc::new(Faults::at(point, Fault::Kill)))
}

fn is_begun(root: &GameRoot, content: ContentId) -> bool {
    read_journal(root).is_ok_and(|journal| matches!(journal, JournalFound::Commit { to, .. } if to == content))
}

/// Whether an earlier try came to the end of the commit, and failed after it.
fn is_over(root: &GameRoot, incoming: &Incoming) -> Result<bool, DiskError> {
    let moved = root.find(&store::incoming_manifest(incoming.content()))?.is_none();
    Ok(moved && matches!(store::manifest_bytes(root)?, Some(Ok((content, _))) if content == incoming.content()))
}

/// Finishes a commit whose journal is there already: its files may be in the root, so nothing about
/// the download says any more what is missing, and everything is looked at.
fn finish_begun(root: &GameRoot, incoming: &Incoming, memory: &mut Memory) -> Result<Committed, InstallError> {
    let set_aside = match recover_root(root, memory)? {
        Recovered::GaveUp { reason } => return Err(InstallError::GaveUp { reason }),
        recovered @ (Recovered::Nothing
        | Recovered::Committed { .. }
        | Recovered::Local { .. }
        | Recovered::Dropped
        | Recovered::Removed(_)) => recovered.into_set_aside(),
    };
    let (manifest, hashes) = (incoming.manifest(), incoming.chunk_hashes());
    let watcher = &mut |_| ControlFlow::Continue(());
    let check = scan::check(root, incoming.content(), manifest, hashes, memory, watcher).map_err(InstallError::Scan)?;
    Ok(Committed { held: check.held, set_aside })
}

/// Finishes what a crash cut off in a root. A second call finds nothing.
fn recover(library: &Library, game: &GameId, memory: &mut Memory) -> Result<Recovered, InstallError> {
    let root = library.open_root(game)?;
    let recovered = recover_root(&root, memory)?;
    if let Recovered::Removed(removed) = &recovered
        && removed.left.is_empty()
    {
        library.remove_root(game)?;
    }
    Ok(recovered)
}

/// Takes a game out of the library: what was installed, what its manifest lists, downloads, and potluck's own
/// files. What the manifest does not list stays, and with it the folder. Works with no byte free.
fn remove_game(library: &Library, game: &GameId, memory: &mut Memory) -> Result<Removed, InstallError> {
    let root = library.open_root(game)?;
    // Then the manifest says all there is. A full disk may not let it.
    if let Err(error) = recover_root(&root, memory) {
        tracing::warn!(%error, "what was under way cannot be finished before the game is removed");
    }
    let removed = remove_payload(&root)?;
    if removed.left.is_empty() {
        library.remove_root(game)?;
    }
    memory.keep_only(|_| false);
    memory.save();
    Ok(removed)
}

fn read_journal(root: &GameRoot) -> Result<JournalFound, DiskError> {
    match root.read_file(store::JOURNAL, JOURNAL_BYTES_MAX) {
        Ok(bytes) => Ok(match Journal::decode(&bytes) {
            Ok(Journal::Commit { from, to }) => JournalFound::Commit { from, to },
            Ok(Journal::Remove { .. }) => JournalFound::Remove,
            Ok(Journal::Install { .. }) => JournalFound::Install,
            Ok(Journal::Move { .. }) => JournalFound::Move,
            Err(_) => JournalFound::Damaged,
        }),
        Err(error) if is_absent(&error) => Ok(JournalFound::None),
        Err(error) if matches!(error.reason(), Reason::TooLong { .. } | Reason::NotRegular | Reason::IsAFolder) => {
            Ok(JournalFound::Damaged)
        }
        Err(error) => Err(error),
    }
}

/// Finishes a commit that was begun, and nothing else: something else may be under way by right.
fn finish_commit(root: &GameRoot, memory: &mut Memory) -> Result<(), InstallError> {
    match read_journal(root)? {
        journal @ JournalFound::Commit { .. } => recover_payload(root, journal, memory).map(drop),
        JournalFound::None
        | JournalFound::Install
        | JournalFound::Remove
        | JournalFound::Move
        | JournalFound::Damaged => Ok(()),
    }
}

/// The payload first: what is installed is made of it.
fn recover_root(root: &GameRoot, memory: &mut Memory) -> Result<Recovered, InstallError> {
    let journal = read_journal(root)?;
    let payload = recover_payload(root, journal, memory)?;
    if let Recovered::Removed(_) = payload {
        return Ok(payload);
    }
    let Some(aside) = local::recover_local(root, journal == JournalFound::Install)? else { return Ok(payload) };
    Ok(match payload {
        Recovered::Nothing | Recovered::Dropped => Recovered::Local { set_aside: aside },
        Recovered::Committed { mut set_aside } => {
            set_aside.extend(aside);
            Recovered::Committed { set_aside }
        }
        Recovered::Local { .. } | Recovered::Removed(_) | Recovered::GaveUp { .. } => payload,
    })
}

fn recover_payload(root: &GameRoot, journal: JournalFound, memory: &mut Memory) -> Result<Recovered, InstallError> {
    let parked = root.find(store::PARKED_SENTINEL)?.is_some();
    let removal = root.find(store::REMOVAL_MARK)?.is_some();
    let dropping = root.find(store::DROPPING_MARK)?.is_some();
    if matches!(journal, JournalFound::None | JournalFound::Install) && !parked && !removal && !dropping {
        return tidy_away(root);
    }
    let stored = store::load_manifest(root)?.and_then(Result::ok);
    let download = match journal {
        JournalFound::Commit { to, .. } => store::load_incoming_manifest(root, to)?.and_then(Result::ok),
        JournalFound::None
        | JournalFound::Install
        | JournalFound::Remove
        | JournalFound::Move
        | JournalFound::Damaged => None,
    };
    let manifest = stored.as_ref().map(|stored| stored.content);
    let playable_only =
        dropping && matches!(installation(root)?, Installation::Only(content) if Some(content) == manifest);
    let download_readable = download.is_some();
    let evidence = Evidence { journal, manifest, download_readable, parked, removal, dropping, playable_only };
    match install::recovery(evidence) {
        Recovery::Nothing => Ok(Recovered::Nothing),
        Recovery::FinishDropping => {
            let stored = stored.expect("a payload is only dropped when its manifest can be read");
            dropping::drop_now(root, &stored.manifest, memory)?;
            Ok(Recovered::Dropped)
        }
        Recovery::FinishRemoval => remove_payload(root).map(Recovered::Removed),
        Recovery::Finish(steps) => {
            let new = stored.as_ref().map(|stored| &stored.manifest);
            Machine::new(root, None, new, None).run(&steps)?;
            if journal == JournalFound::Move {
                // The folder that the journal was in may have been made for it.
                return tidy_away(root);
            }
            Ok(match manifest {
                Some(_) => Recovered::Committed { set_aside: Vec::new() },
                None => Recovered::Nothing,
            })
        }
        Recovery::FinishCommit { to, old_manifest } => {
            let download = download.expect("a commit is only finished when its download can be read");
            go_on_with_commit(root, stored.filter(|_| old_manifest), to, &download.manifest, memory)
        }
        Recovery::GiveUp(steps) => {
            Machine::new(root, None, None, None).run(&steps)?;
            let reason = match journal {
                JournalFound::Damaged => format!("its journal was damaged; it is now {}", store::JOURNAL_BAD),
                JournalFound::Commit { .. } => {
                    format!("the download it was to be made from is damaged; its journal is now {}", store::JOURNAL_BAD)
                }
                JournalFound::None | JournalFound::Install | JournalFound::Remove | JournalFound::Move => {
                    "its journal is gone".to_owned()
                }
            };
            Ok(Recovered::GaveUp { reason })
        }
    }
}

/// An empty folder of ours is the very end of a removal, or a download that never began.
fn tidy_away(root: &GameRoot) -> Result<Recovered, InstallError> {
    match root.list(store::OWN_FOLDER, 1) {
        Ok(entries) if entries.is_empty() => {
            let mut machine = Machine::new(root, None, None, None);
            machine.run(&[Step::RemoveRoot])?;
            Ok(if machine.left.is_empty() {
                Recovered::Removed(Removed { left: machine.left })
            } else {
                Recovered::Nothing
            })
        }
        Ok(_) => Ok(Recovered::Nothing),
        Err(error) if is_absent(&error) || matches!(error.reason(), Reason::TooMany { .. }) => Ok(Recovered::Nothing),
        Err(error) => Err(error.into()),
    }
}

fn go_on_with_commit(
    root: &GameRoot,
    old: Option<StoredManifest>,
    to: ContentId,
    new: &Manifest,
    memory: &mut Memory,
) -> Result<Recovered, InstallError> {
    let Surveyed { survey, ours } = survey(root, old.as_ref(), (to, new), None, memory)?;
    let plan = Commit { old: old.as_ref().map(|old| (old.content, &old.manifest)), new: (to, new) };
    let mut machine = Machine::new(root, old.as_ref().map(|old| &old.manifest), Some(new), Some(to)).with_ours(ours);
    machine.run(&install::commit(plan, &survey, true))?;
    Ok(Recovered::Committed { set_aside: machine.set_aside })
}

fn remove_payload(root: &GameRoot) -> Result<Removed, InstallError> {
    let stored = store::load_manifest(root)?.and_then(Result::ok).map(|stored| stored.manifest);
    let mut survey = Survey::default();
    for path in install::to_survey(stored.as_ref(), None) {
        if let Some(stat) = root.find(path.as_str())? {
            // A removal does not ask whose bytes they are, so nothing is hashed.
            let on_disk = if stat.kind == Kind::Folder { OnDisk::Folder } else { OnDisk::Foreign };
            survey.at.insert(path, on_disk);
        }
    }
    let mut machine = Machine::new(root, None, None, None);
    machine.run(&install::removal(stored.as_ref(), &survey, &local::look(root)?))?;
    Ok(Removed { left: machine.left })
}

/// What was found, and the state in which each file and link of ours was.
struct Surveyed {
    survey: Survey,
    ours: BTreeMap<PayloadPath, Stamp>,
}

/// Looks at every path that the plan of a commit wants to know of; `staged` says which files of the
/// download are here, when that was looked at just now. Refuses what would stop it halfway.
fn survey(
    root: &GameRoot,
    old: Option<&StoredManifest>,
    (content, new): (ContentId, &Manifest),
    staged: Option<&[Option<Stamp>]>,
    memory: &mut Memory,
) -> Result<Surveyed, InstallError> {
    let device = root.stat("")?.device;
    let mut ours = BTreeMap::new();
    let old = old.map(|old| &old.manifest);
    let mut survey = Survey::default();
    let (data, mut in_download, mut in_root) = (store::data_folder(content), root.cursor(), root.cursor());
    for (number, entry) in new.files().iter().enumerate() {
        let is_staged = match staged {
            Some(staged) => staged[number].is_some(),
            None => in_download.find(&format!("{data}/{}", entry.path))?.is_some(),
        };
        if is_staged {
            survey.staged.insert(FileNo(number as u32));
        } else if in_root.find(entry.path.as_str())?.is_some_and(|stat| stat.executable != entry.executable) {
            survey.wrong_mode.insert(entry.path.clone());
        }
    }
    for path in install::to_survey(old, Some(new)) {
        // Files that stay, or were moved before a crash, are not asked for; they need no hashing.
        if new.find(&path).is_some_and(|(file, _)| !survey.staged.contains(&file)) {
            continue;
        }
        let Some(stat) = in_root.find(path.as_str())? else { continue };
        let on_disk = match stat.kind {
            Kind::Folder if stat.device != device => {
                return Err(DiskError::new("put files into", path, Reason::OtherFileSystem).into());
            }
            Kind::Folder => OnDisk::Folder,
            Kind::File => {
                let expect = old.and_then(|old| old.find(&path)).map(|(_, entry)| entry);
                let found = match expect.filter(|entry| entry.size == stat.stamp.size) {
                    Some(_) => hash_path(root, &path, &stat.stamp, memory).map_err(InstallError::Scan)?,
                    None => None,
                };
                if found.is_some() && found == expect.map(|entry| entry.hash) { OnDisk::Ours } else { OnDisk::Foreign }
            }
            Kind::Link => {
                let target = root.read_link(path.as_str())?;
                // One that is already as the new build wants it is in nobody's way.
                if target_of(Some(new), &path).is_some_and(|wanted| target == *wanted) {
                    continue;
                }
                if target_of(old, &path).is_some_and(|was| target == *was) { OnDisk::Ours } else { OnDisk::Foreign }
            }
            Kind::Fifo | Kind::Socket | Kind::Device | Kind::Unknown => OnDisk::Foreign,
        };
        if on_disk == OnDisk::Ours {
            ours.insert(path.clone(), stat.stamp);
        }
        survey.at.insert(path, on_disk);
    }
    Ok(Surveyed { survey, ours })
}

fn target_of<'m>(manifest: Option<&'m Manifest>, path: &PayloadPath) -> Option<&'m str> {
    let links = manifest?.links();
    let index = links.binary_search_by(|link| link.path.cmp(path)).ok()?; // Not a link of this build.
    Some(&links[index].target)
}

/// What is known of a file before a commit.
enum Before {
    /// The state it was in when its bytes were the build's.
    Seen {
        stamp: Stamp,
        /// The commit moved it or changed its mode, which changes the time of its last change.
        touched: bool,
    },
    /// The state it was in, and still is: nothing was done to it but to its folder.
    Moved(Stamp),
    /// Nothing.
    Unknown,
}

impl Before {
    fn is_still(&self, now: &FileStat) -> bool {
        let Self::Seen { stamp, touched } = self else { return false };
        let Stamp { size, mtime_ns, inode, ctime_ns } = *stamp;
        let same = (size, mtime_ns, inode) == (now.stamp.size, now.stamp.mtime_ns, now.stamp.inode);
        now.kind == Kind::File && same && (*touched || ctime_ns == now.stamp.ctime_ns)
    }
}

/// What the root has after a commit, and teaches it to the index: moving a file changes its stamp. A
/// file that is not as it was before is hashed: the user may be quicker than we are.
fn held_after(
    root: &GameRoot,
    incoming: &Incoming,
    before: impl Fn(usize, &PayloadPath) -> Before,
    memory: &mut Memory,
) -> Result<Held, InstallError> {
    let manifest = Arc::clone(incoming.manifest());
    let mut held = Held { hashes: incoming.chunk_hashes(), ..Held::nothing(incoming.content(), Arc::clone(&manifest)) };
    let mut cursor = root.cursor();
    for (number, entry) in manifest.files().iter().enumerate() {
        let file = FileNo(number as u32);
        let before = before(number, &entry.path);
        let stamp = if let Before::Moved(stamp) = before {
            stamp
        } else {
            let Some(stat) = cursor.find(entry.path.as_str())? else { continue };
            if stat.kind != Kind::File || stat.stamp.size != entry.size {
                continue;
            }
            if !before.is_still(&stat) {
                let found = hash_path(root, &entry.path, &stat.stamp, memory).map_err(InstallError::Scan)?;
                if found != Some(entry.hash) {
                    continue;
                }
            }
            stat.stamp
        };
        held.stamps[number] = Some(stamp);
        manifest.chunks_of(file).for_each(|chunk| {
            held.chunks.insert(ChunkNo(chunk));
        });
        if let Some(hashes) = held.hashes.file_hashes(&manifest, file) {
            memory.learn(&entry.path, stamp, hashes);
        }
    }
    memory.keep_only(|path| PayloadPath::new(path).is_ok_and(|path| manifest.find(&path).is_some()));
    memory.save();
    Ok(held)
}

fn is_absent(error: &DiskError) -> bool {
    error.is_missing() || matches!(error.reason(), Reason::NotAFolder | Reason::Link)
}

/// The sentinel's path in a root.
const SENTINEL: &str = SENTINEL_NAME;

#[cfg(test)]
mod bench_tests;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod never_tests;
#[cfg(test)]
mod power_tests;
#[cfg(test)]
#[path = "installs/installs_tests.rs"]
mod tests;
