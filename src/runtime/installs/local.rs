//! `local/` on a disk: making it of a payload, telling whose it is, and taking it away. The steps and what a
//! crash between them leaves are planned by `core::install`; unpacking itself is an [`Unpack`].

use std::ops::ControlFlow;

use super::{InstallError, machine::Machine, read_journal, recover_root};
use crate::{
    core::install::{self, JournalFound, LocalFolder, LocalFound, Whose},
    io::{
        disk::{Cancelled, DiskError, FileStat, GameRoot, Kind, Reason, copy_file},
        running::{self, Process},
        scan::Memory,
        store,
    },
    types::{ContentId, Manifest, PayloadPath, Weight},
    wire::installed::{
        FILES_BYTES_MAX, FILES_NAME, OWNED_BYTES_MAX, OWNED_NAME, Owned, SETUP_NAME, Unpacked, UnpackedFiles,
        decode_files, encode_files,
    },
};

/// Files and folders of an installed game; more than that is no game but a fault.
const ENTRIES_MAX: usize = 1_000_000;
/// Entries of one folder of it.
const FOLDER_ENTRIES_MAX: usize = 400_000;
/// Folders in folders; what is deeper was made by something that went round in circles.
const DEPTH_MAX: usize = 128;

/// Called with the bytes unpacked since the last call and the file at work, which is empty when everything is unpacked
/// and takes its place; says whether to go on.
pub(crate) type Progress<'p> = dyn FnMut(u64, &str) -> ControlFlow<()> + 'p;

/// Makes the files of a playable game in an empty folder of the root.
pub(crate) trait Unpack {
    /// Unpacks the payload of `manifest`, which is whole, into `staging`; may be stopped by `progress`.
    fn unpack(
        &mut self,
        root: &GameRoot,
        manifest: &Manifest,
        staging: &str,
        progress: &mut Progress<'_>,
    ) -> Result<(), InstallError>;
}

/// A game that can be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installed {
    /// The build it is.
    pub(crate) content: ContentId,
    /// What came along out of its predecessor, by its path in the root.
    pub(crate) kept: Vec<String>,
    /// What the user had added or changed in its predecessor, by its path in the root now.
    pub(crate) set_aside: Vec<String>,
}

/// A game that is unpacked and has not taken its place yet.
#[derive(Debug)]
pub(crate) struct Staged {
    content: ContentId,
    set_aside: Vec<String>,
}

/// Unpacks a payload that is whole beside `local/`, which stays as it is. After an error nothing of it is left.
pub(super) fn stage(
    root: &GameRoot,
    (content, manifest): (ContentId, &Manifest),
    unpack: &mut dyn Unpack,
    progress: &mut Progress<'_>,
) -> Result<Staged, InstallError> {
    let mut machine = Machine::new(root, None, None, None);
    let recovered = recover_root(root, &mut Memory::none()).map_err(|error| {
        if let InstallError::Disk(error) = error {
            return if is_sealed(root) { InstallError::Unfinished(error) } else { InstallError::Disk(error) };
        }
        error
    })?;
    let set_aside = recovered.into_set_aside();
    let stage = install::stage(&look(root)?, content)?;
    let made = machine.run(&stage).map_err(InstallError::from);
    match made.and_then(|()| unpack.unpack(root, manifest, LocalFolder::Staging.path(), progress)) {
        Ok(()) => Ok(Staged { content, set_aside }),
        Err(error) => Err(unstage(root, error)),
    }
}

/// Drops what was unpacked, because of `error`. What cannot be dropped now is dropped at the next start.
pub(super) fn unstage(root: &GameRoot, error: InstallError) -> InstallError {
    match Machine::new(root, None, None, None).run(&install::unstage()) {
        Ok(()) => error,
        Err(second) => {
            tracing::warn!(error = %second, "what was unpacked cannot be deleted");
            InstallError::Leftover(Box::new(error))
        }
    }
}

/// Makes `local/` of what was unpacked; until the very end the old one stays as it is. What lies in it at the paths `keep`
/// comes along. An error leaves the old game, or says that recovery has to finish.
pub(super) fn take_place(
    root: &GameRoot,
    Staged { content, set_aside }: Staged,
    keep: &[PayloadPath],
    progress: &mut Progress<'_>,
) -> Result<Installed, InstallError> {
    let mut machine = Machine::new(root, None, None, None);
    machine.set_aside = set_aside;
    let mut kept = Vec::new();
    let sealed = look(root).map_err(InstallError::from).and_then(|found| {
        // Somebody may have put a folder of their own there meanwhile.
        install::stage(&found, content)?;
        machine.unpacked = record(root, LocalFolder::Staging)?;
        if found.local == Whose::Ours {
            kept = carry_over(root, keep, &mut machine.unpacked, progress)?;
        }
        if progress(0, "").is_break() {
            return Err(InstallError::Cancelled);
        }
        Ok(machine.run(&install::seal(content))?)
    });
    match sealed {
        Err(error) if !is_sealed(root) => {
            return Err(unstage(root, error));
        }
        Ok(()) | Err(_) => {}
    }
    if let Err(error) = machine.run(&install::swap()) {
        machine.set_aside.extend(finish_now(root, error)?);
    }
    Ok(Installed { content, kept, set_aside: machine.set_aside })
}

/// Both, one after the other.
#[cfg(test)]
pub(super) fn install(
    root: &GameRoot,
    build: (ContentId, &Manifest),
    keep: &[PayloadPath],
    unpack: &mut dyn Unpack,
    progress: &mut Progress<'_>,
) -> Result<Installed, InstallError> {
    let staged = stage(root, build, unpack, progress)?;
    take_place(root, staged, keep, progress)
}

/// What uses the installed game, as far as the system tells.
pub(crate) fn user_of_local(root: &GameRoot) -> Option<Process> {
    running::user_of(&root.path().join(LOCAL))
}

fn is_sealed(root: &GameRoot) -> bool {
    read_journal(root).is_ok_and(|journal| journal == JournalFound::Install)
}

/// A failure halfway may have passed: what is recorded is finished now if that can be, else by the next change or at the
/// next start. Gives what was set aside, or else the error.
fn finish_now(root: &GameRoot, error: DiskError) -> Result<Vec<String>, InstallError> {
    match recover_root(root, &mut Memory::none()) {
        Ok(recovered) => Ok(recovered.into_set_aside()),
        Err(second) => {
            tracing::warn!(%second, "what was begun cannot be finished now");
            Err(InstallError::Unfinished(error))
        }
    }
}

/// Takes `local/` away and keeps the payload. What the user added to it or changed is set aside; gives
/// where. Works with no byte free, but for what is set aside.
pub(super) fn uninstall(root: &GameRoot) -> Result<Vec<String>, InstallError> {
    let mut machine = Machine::new(root, None, None, None);
    machine.set_aside = recover_root(root, &mut Memory::none())?.into_set_aside();
    if let Err(error) = machine.run(&install::uninstall(&look(root)?)?) {
        let there = root.find(LocalFolder::Local.path())?.is_some();
        if there {
            return Err(error.into());
        }
        machine.set_aside.extend(finish_now(root, error)?);
    }
    Ok(machine.set_aside)
}

/// Finishes or undoes what was under way in `local/`; gives what was set aside, and whether anything was done.
pub(super) fn recover_local(root: &GameRoot, journalled: bool) -> Result<Option<Vec<String>>, InstallError> {
    let steps = install::local_recovery(&look(root)?, journalled);
    if steps.is_empty() {
        return Ok(None);
    }
    let mut machine = Machine::new(root, None, None, None);
    machine.run(&steps)?;
    Ok(Some(machine.set_aside))
}

/// What there is to play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Installation {
    /// Nothing.
    None,
    /// A game that somebody else put there.
    Theirs,
    /// What potluck made of a build.
    Of(ContentId),
    /// The same, and the payload was dropped: there is nothing else of the game.
    Only(ContentId),
}

/// What `local/` is.
pub(crate) fn installation(root: &GameRoot) -> Result<Installation, DiskError> {
    let folder = LocalFolder::Local;
    if root.find(folder.path())?.is_none_or(|stat| stat.kind != Kind::Folder) {
        return Ok(Installation::None);
    }
    let Some(Owned { content }) = read_owned(root, folder)? else { return Ok(Installation::Theirs) };
    let only = root.find(super::SENTINEL)?.is_none()
        && (root.find(store::DROPPED_MARK)?.is_some() || root.find(store::DROPPING_MARK)?.is_some());
    Ok(if only { Installation::Only(content) } else { Installation::Of(content) })
}

/// What a build that is installed took, by the list of what was made of it; `None` where it is not installed or has no list.
pub(crate) fn weigh_installed(root: &GameRoot, content: ContentId, manifest: &Manifest) -> Option<Weight> {
    if installation(root).ok()? != Installation::Of(content) {
        return None;
    }
    let bytes = root.read_file(&format!("{LOCAL}/{FILES_NAME}"), FILES_BYTES_MAX).ok()?;
    let list = decode_files(&bytes).ok()?;
    let all: u64 = list.values().map(|file| file.size).sum();
    let as_they_are =
        manifest.files().iter().filter(|file| list.get(file.path.as_str()).is_some_and(|f| f.size == file.size));
    let copied: u64 = as_they_are.map(|file| file.size).sum();
    Some(Weight { unpacked: all.saturating_sub(copied), copied })
}

/// Where what is installed lies, below the root.
pub(crate) const LOCAL: &str = LocalFolder::Local.path();

/// Whether what is installed was set up. What somebody else put there is none of our business.
pub(crate) fn is_set_up(root: &GameRoot) -> Result<bool, DiskError> {
    Ok(read_owned(root, LocalFolder::Local)?.is_none() || root.find(&format!("{LOCAL}/{SETUP_NAME}"))?.is_some())
}

/// Notes that what is installed was set up. The next installation makes the folder anew, and the note with it goes.
pub(crate) fn note_set_up(root: &GameRoot) -> Result<(), DiskError> {
    root.write_atomic(&format!("{LOCAL}/{SETUP_NAME}"), b"")
}

pub(super) fn look(root: &GameRoot) -> Result<LocalFound, DiskError> {
    Ok(LocalFound {
        local: whose(root, LocalFolder::Local)?,
        staging: whose(root, LocalFolder::Staging)?,
        backup: whose(root, LocalFolder::Backup)?,
        leaving: whose(root, LocalFolder::Leaving)?,
    })
}

/// An empty folder is anybody's: nothing is lost with it, and one is left when a crash comes right after
/// its mark was deleted, or before it was written.
fn whose(root: &GameRoot, folder: LocalFolder) -> Result<Whose, DiskError> {
    match root.find(folder.path())? {
        None => return Ok(Whose::Nobody),
        Some(stat) if stat.kind != Kind::Folder => return Ok(Whose::Foreign),
        Some(_) => {}
    }
    if read_owned(root, folder)?.is_some() {
        return Ok(Whose::Ours);
    }
    let empty = match root.list(folder.path(), 1) {
        // The list may be left when the power fails in the end.
        Ok(entries) => entries.iter().all(|entry| entry.name == *FILES_NAME),
        Err(error) if matches!(error.reason(), Reason::TooMany { .. }) => false,
        Err(error) => return Err(error),
    };
    Ok(if empty { Whose::Ours } else { Whose::Foreign })
}

fn read_owned(root: &GameRoot, folder: LocalFolder) -> Result<Option<Owned>, DiskError> {
    match root.read_file(&format!("{}/{OWNED_NAME}", folder.path()), OWNED_BYTES_MAX) {
        // What cannot be understood proves nothing.
        Ok(bytes) => Ok(Owned::decode(&bytes).ok()),
        Err(error) if super::is_absent(&error) || is_odd(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_odd(error: &DiskError) -> bool {
    matches!(error.reason(), Reason::TooLong { .. } | Reason::NotRegular | Reason::IsAFolder)
}

pub(super) fn make_staging(root: &GameRoot, content: ContentId) -> Result<(), DiskError> {
    let staging = LocalFolder::Staging.path();
    root.make_dirs(staging)?;
    let bytes = Owned { content }.encode().expect("a hash is always JSON");
    root.write_atomic(&format!("{staging}/{OWNED_NAME}"), &bytes)
}

pub(super) fn write_record(root: &GameRoot, files: &UnpackedFiles) -> Result<(), DiskError> {
    let path = format!("{}/{FILES_NAME}", LocalFolder::Staging.path());
    // A list that is too long is left out: then everything in the folder counts as the user's.
    match encode_files(files) {
        Ok(bytes) => root.write_atomic(&path, &bytes),
        Err(error) => {
            tracing::warn!(%error, "an update will set aside all of this game");
            Ok(())
        }
    }
}

pub(super) fn move_folder(root: &GameRoot, from: LocalFolder, to: LocalFolder) -> Result<(), DiskError> {
    if root.find(from.path())?.is_none() { Ok(()) } else { root.rename_new(from.path(), to.path()) }
}

/// Deletes a folder of ours, its list and its mark last: a crash in the middle leaves one that still says
/// whose it and what is in it is.
pub(super) fn drop_folder(root: &GameRoot, folder: LocalFolder) -> Result<(), DiskError> {
    if whose(root, folder)? != Whose::Ours {
        return Ok(());
    }
    let path = folder.path();
    for entry in root.list(path, FOLDER_ENTRIES_MAX)? {
        if entry.name == *OWNED_NAME || entry.name == *FILES_NAME {
            continue;
        }
        match entry.name.to_str() {
            Some(name) if entry.stat.kind == Kind::Folder => root.remove_tree(&format!("{path}/{name}"))?,
            Some(name) => root.remove_file(&format!("{path}/{name}"))?,
            // What has such a name was set aside with its folder, or came since; the tree takes all of it.
            None => return root.remove_tree(path),
        }
    }
    // Else the mark could be gone before what it speaks of.
    root.sync_fs()?;
    for name in [FILES_NAME, OWNED_NAME] {
        root.remove_file(&format!("{path}/{name}"))?;
    }
    root.remove_dir(path)
}

/// The paths below a folder of ours of what the user added or changed there, but for what came along into
/// the `local/` that took its place.
pub(super) fn changed(root: &GameRoot, folder: LocalFolder) -> Result<Vec<String>, DiskError> {
    if whose(root, folder)? != Whose::Ours {
        return Ok(Vec::new());
    }
    let list = match root.read_file(&format!("{}/{FILES_NAME}", folder.path()), FILES_BYTES_MAX) {
        // What was not unpacked, as far as anybody knows, is the user's.
        Ok(bytes) => decode_files(&bytes).unwrap_or_default(),
        Err(error) if super::is_absent(&error) || is_odd(&error) => UnpackedFiles::new(),
        Err(error) => return Err(error),
    };
    let mut changed = Vec::new();
    walk(root, folder, &mut |path, state| {
        if state.is_none() || list.get(path).copied() != state {
            changed.push((path.to_owned(), state));
        }
    })?;
    let mut left = Vec::with_capacity(changed.len());
    for (path, state) in changed {
        let beside = match (folder, state) {
            (LocalFolder::Backup, Some(_)) => root.find(&format!("{}/{path}", LocalFolder::Local.path()))?,
            (_, _) => None,
        };
        let came_along = beside.is_some_and(|stat| stat.kind == Kind::File && Some(state_of(&stat)) == state);
        if !came_along {
            left.push(path);
        }
    }
    Ok(left)
}

fn state_of(stat: &FileStat) -> Unpacked {
    Unpacked { size: stat.stamp.size, mtime_ns: stat.stamp.mtime_ns }
}

fn record(root: &GameRoot, folder: LocalFolder) -> Result<UnpackedFiles, DiskError> {
    let mut files = UnpackedFiles::new();
    walk(root, folder, &mut |path, state| {
        if let Some(state) = state {
            files.insert(path.to_owned(), state);
        }
    })?;
    Ok(files)
}

/// Visits every file and link below a folder, but for our own; a folder with a name that cannot be told
/// is visited as one thing without a state.
fn walk(root: &GameRoot, folder: LocalFolder, visit: &mut dyn FnMut(&str, Option<Unpacked>)) -> Result<(), DiskError> {
    let mut left = vec![(String::new(), 0)];
    let mut seen = 0;
    while let Some((below, depth)) = left.pop() {
        let at = if below.is_empty() { folder.path().to_owned() } else { format!("{}/{below}", folder.path()) };
        let entries = root.list(&at, FOLDER_ENTRIES_MAX)?;
        seen += entries.len();
        if seen > ENTRIES_MAX {
            return Err(DiskError::new("look through", folder.path(), Reason::TooMany { max: ENTRIES_MAX }));
        }
        let odd = entries.iter().any(|entry| entry.name.to_str().is_none()) || depth >= DEPTH_MAX;
        if odd && !below.is_empty() {
            visit(&below, None);
            continue;
        }
        for entry in entries {
            let Some(name) = entry.name.to_str() else { continue };
            let own = [OWNED_NAME, FILES_NAME, SETUP_NAME]
                .into_iter()
                .any(|own| name.strip_suffix(".new").unwrap_or(name) == own);
            if below.is_empty() && own {
                continue;
            }
            let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            if entry.stat.kind == Kind::Folder {
                left.push((path, depth + 1));
            } else {
                visit(&path, Some(state_of(&entry.stat)));
            }
        }
    }
    Ok(())
}

/// Copies what is to be kept from `local/` into what was unpacked. It stays the user's: it is taken out of the
/// record, so that the next change keeps it too. Gives its paths in the root.
fn carry_over(
    root: &GameRoot,
    keep: &[PayloadPath],
    unpacked: &mut UnpackedFiles,
    progress: &mut Progress<'_>,
) -> Result<Vec<String>, InstallError> {
    if keep.is_empty() {
        return Ok(Vec::new());
    }
    let kept = |path: &str| {
        keep.iter()
            .any(|keep| path.strip_prefix(keep.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
    };
    let mut paths = Vec::new();
    walk(root, LocalFolder::Local, &mut |path, state| {
        if state.is_some() && kept(path) {
            paths.push(path.to_owned());
        }
    })?;
    let mut along = Vec::with_capacity(paths.len());
    for path in paths {
        let from = format!("{}/{path}", LocalFolder::Local.path());
        let to = format!("{}/{path}", LocalFolder::Staging.path());
        let Some(stat) = root.find(&from)? else { continue };
        make_parent(root, &to)?;
        root.remove_file(&to)?;
        match stat.kind {
            Kind::File => {
                copy(root, &from, &to, stat.executable, progress)?;
                // So that it can be told from what the game wrote since.
                root.open_file_to_write(&to)?.set_mtime_ns(stat.stamp.mtime_ns)?;
            }
            Kind::Link => match root.read_link(&from)?.to_str() {
                Some(target) => root.make_link(&to, target)?,
                None => continue,
            },
            Kind::Folder | Kind::Fifo | Kind::Socket | Kind::Device | Kind::Unknown => continue,
        }
        unpacked.remove(&path);
        along.push(from);
    }
    Ok(along)
}

pub(super) fn copy(
    root: &GameRoot,
    from: &str,
    to: &str,
    executable: bool,
    progress: &mut Progress<'_>,
) -> Result<(), InstallError> {
    let source = root.open_file(from)?;
    let target = root.create_file(to, executable)?;
    copy_file(&source, &target, &mut |bytes| progress(bytes, from))?.map_err(|Cancelled| InstallError::Cancelled)
}

pub(super) fn make_parent(root: &GameRoot, path: &str) -> Result<(), DiskError> {
    match path.rsplit_once('/') {
        Some((folder, _)) => root.make_dirs(folder),
        None => Ok(()),
    }
}

#[cfg(test)]
#[path = "local_tests.rs"]
mod tests;
