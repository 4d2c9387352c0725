//! Carries out the steps of a plan on a game root, each so that doing it again does no harm.

use std::collections::BTreeMap;

use super::{SENTINEL, is_absent, local};
use crate::{
    core::install::{LocalFolder, Step},
    io::{
        disk::{DiskError, FileStat, GameRoot, Kind, Reason, Stamp},
        store,
    },
    types::{ContentId, Manifest, PayloadPath, SENTINEL_BYTES_MAX},
    wire::{installed::UnpackedFiles, journal::Journal},
};

/// Folders tried for a file that is set aside, when one of its name is in the others already.
const ASIDE_TRIES_MAX: u32 = 1_000;
/// Names of a root that are told when it cannot be removed.
const LEFT_MAX: usize = 20;
/// Entries of a root that are looked at for that.
const ROOT_ENTRIES_MAX: usize = 150_000;

/// Carries out steps.
pub(super) struct Machine<'a> {
    root: &'a GameRoot,
    old: Option<&'a Manifest>,
    new: Option<&'a Manifest>,
    download: Option<ContentId>,
    /// The files and links that were seen to be ours, and the state they were in then.
    ours: BTreeMap<PayloadPath, Stamp>,
    /// The files that were moved into the root, and the state they were in before.
    pub(super) placed: BTreeMap<PayloadPath, Stamp>,
    /// What was set aside, by its path in the root now.
    pub(super) set_aside: Vec<String>,
    /// What is left in a root that was to be removed.
    pub(super) left: Vec<String>,
    /// What was unpacked, for the record.
    pub(super) unpacked: UnpackedFiles,
}

impl<'a> Machine<'a> {
    /// `old` and `new` are whose sentinels are known, `download` is where files come from.
    pub(super) fn new(
        root: &'a GameRoot,
        old: Option<&'a Manifest>,
        new: Option<&'a Manifest>,
        download: Option<ContentId>,
    ) -> Self {
        let (ours, placed) = (BTreeMap::new(), BTreeMap::new());
        let (set_aside, left) = (Vec::new(), Vec::new());
        Self { root, old, new, download, ours, placed, set_aside, left, unpacked: UnpackedFiles::new() }
    }

    /// Only what is still in the state it was surveyed in is deleted or replaced; the user may have
    /// changed it while others were hashed.
    pub(super) fn with_ours(mut self, ours: BTreeMap<PayloadPath, Stamp>) -> Self {
        self.ours = ours;
        self
    }

    pub(super) fn run(&mut self, steps: &[Step]) -> Result<(), DiskError> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &Step) -> Result<(), DiskError> {
        let root = self.root;
        match step {
            Step::Sync => root.sync_fs(),
            Step::JournalCommit { from, to } => self.journal(&Journal::Commit { from: *from, to: *to }),
            Step::ParkSentinel => self.park_sentinel(),
            Step::MarkRemoval => self.mark_removal(),
            Step::Delete { path } => match root.find(path.as_str())? {
                None => Ok(()),
                Some(stat) if self.is_ours(path, &stat) => root.remove_file(path.as_str()),
                Some(_) => self.set_aside(path.as_str()),
            },
            Step::Discard { path } => match root.find(path.as_str())? {
                // A folder that came meanwhile is not what was listed.
                Some(stat) if stat.kind == Kind::Folder => Ok(()),
                Some(_) | None => root.remove_file(path.as_str()),
            },
            Step::SetAside { path } => self.set_aside(path.as_str()),
            Step::RemoveFolder { path } => remove_if_empty(root, path.as_str()),
            Step::MakeFolder { path } => root.make_dirs(path.as_str()),
            Step::PlaceFolder { path } => match self.download {
                Some(content) => self.place_folder(content, path),
                None => Ok(()),
            },
            Step::Place { path } => match self.download {
                Some(content) => self.place(&store::data_path(content, path), path),
                None => Ok(()),
            },
            Step::SetMode { path, executable } => match root.open_file(path.as_str()) {
                Ok(file) => match file.set_executable(*executable) {
                    // Some file systems have no such right, and a scan does not insist on it.
                    Err(error) if matches!(error.reason(), Reason::Denied) => Ok(()),
                    result => result,
                },
                Err(error) if is_absent(&error) => Ok(()),
                Err(error) => Err(error),
            },
            Step::Link { path, target } => self.link(path, target),
            Step::WriteHashes => match self.download {
                Some(content) => rename_if_there(root, &store::incoming_hashes(content), store::HASHES),
                None => Ok(()),
            },
            Step::WriteManifest => match self.download {
                Some(content) => {
                    rename_if_there(root, &store::incoming_manifest(content), store::MANIFEST)?;
                    root.sync_dir(store::OWN_FOLDER)
                }
                None => Ok(()),
            },
            Step::WriteSentinel => match self.new {
                Some(new) => root.write_atomic(SENTINEL, new.sentinel().as_str().as_bytes()),
                None => Ok(()),
            },
            Step::DropParked => root.remove_file(store::PARKED_SENTINEL),
            Step::DropMark => root.remove_file(store::REMOVAL_MARK),
            Step::MarkDropping => rename_if_there(root, SENTINEL, store::DROPPING_MARK),
            Step::MarkDropped => rename_if_there(root, store::DROPPING_MARK, store::DROPPED_MARK),
            Step::UndoDropping => match root.find(SENTINEL)? {
                Some(_) => root.remove_file(store::DROPPING_MARK),
                None => rename_if_there(root, store::DROPPING_MARK, SENTINEL),
            },
            Step::ForgetDropped => {
                root.remove_file(store::DROPPING_MARK)?;
                root.remove_file(store::DROPPED_MARK)
            }
            Step::RestoreSentinel => self.restore_sentinel(),
            Step::DropDownload { content } => root.remove_tree(&store::incoming_folder(*content)),
            Step::DropDownloads => root.remove_tree(store::INCOMING),
            Step::DropJournal => root.remove_file(store::JOURNAL),
            Step::SetAsideJournal => rename_if_there(root, store::JOURNAL, store::JOURNAL_BAD),
            Step::DropManifest => {
                root.remove_file(store::HASHES)?;
                root.remove_file(store::MANIFEST)
            }
            Step::RemoveRoot => self.remove_root(),
            Step::MakeStaging { content } => local::make_staging(root, *content),
            Step::WriteRecord => local::write_record(root, &self.unpacked),
            Step::JournalInstall { to } => self.journal(&Journal::Install { to: *to }),
            Step::MoveFolder { from, to } => local::move_folder(root, *from, *to),
            Step::SetChangedAside { folder } => self.set_changed_aside(*folder),
            Step::DropFolder { folder } => local::drop_folder(root, *folder),
        }
    }

    fn journal(&self, journal: &Journal) -> Result<(), DiskError> {
        let bytes = journal.encode().expect("a journal of two hashes is always JSON");
        self.root.make_dirs(store::OWN_FOLDER)?;
        self.root.write_atomic(store::JOURNAL, &bytes)
    }

    /// A sentinel that the old build does not have is the user's own.
    fn park_sentinel(&mut self) -> Result<(), DiskError> {
        let bytes = match self.root.read_file(SENTINEL, SENTINEL_BYTES_MAX) {
            Ok(bytes) => Some(bytes),
            Err(error) if is_absent(&error) && self.root.find(SENTINEL)?.is_none() => return Ok(()),
            Err(_) => None,
        };
        let of_build = |manifest: Option<&Manifest>| {
            manifest.is_some_and(|manifest| bytes.as_deref() == Some(manifest.sentinel().as_str().as_bytes()))
        };
        if of_build(self.old) || of_build(self.new) {
            rename_if_there(self.root, SENTINEL, store::PARKED_SENTINEL)
        } else {
            self.set_aside(SENTINEL)
        }
    }

    /// Without potluck's folder nothing of the game is potluck's but the sentinel.
    fn mark_removal(&self) -> Result<(), DiskError> {
        match self.root.find(SENTINEL)? {
            // Without its payload, the sentinel is the record of that.
            None => {
                rename_if_there(self.root, store::DROPPED_MARK, store::REMOVAL_MARK)?;
                return rename_if_there(self.root, store::DROPPING_MARK, store::REMOVAL_MARK);
            }
            Some(stat) if stat.kind == Kind::Folder => return Ok(()),
            Some(_) => {}
        }
        match self.root.make_dirs(store::OWN_FOLDER) {
            Err(error) if error.is_no_space() => self.root.remove_file(SENTINEL),
            Err(error) => Err(error),
            Ok(()) => rename_if_there(self.root, SENTINEL, store::REMOVAL_MARK),
        }
    }

    fn is_ours(&self, path: &PayloadPath, stat: &FileStat) -> bool {
        self.ours.get(path) == Some(&stat.stamp)
    }

    /// Moves a file of the download to its path. What came there since it was looked at is set aside.
    fn place(&mut self, from: &str, path: &PayloadPath) -> Result<(), DiskError> {
        let Some(staged) = self.root.find(from)? else { return Ok(()) };
        match self.root.find(path.as_str())? {
            Some(stat) if self.is_ours(path, &stat) => self.root.rename(from, path.as_str())?,
            Some(_) => {
                self.set_aside(path.as_str())?;
                self.root.rename_new(from, path.as_str())?;
            }
            None => self.root.rename_new(from, path.as_str())?,
        }
        self.placed.insert(path.clone(), staged.stamp);
        Ok(())
    }

    /// Moves a folder of the download to its path. Where one came since it was looked at, its files
    /// move one by one.
    fn place_folder(&mut self, content: ContentId, path: &PayloadPath) -> Result<(), DiskError> {
        let from = store::data_path(content, path);
        match self.root.rename_new(&from, path.as_str()) {
            Err(error) if is_absent(&error) && self.root.find(&from)?.is_none() => Ok(()),
            Err(error) if matches!(error.reason(), Reason::Exists) => {
                let Some(new) = self.new else { return Ok(()) };
                let below = format!("{path}/");
                for entry in new.files().iter().filter(|entry| entry.path.as_str().starts_with(&below)) {
                    if let Some(parent) = entry.path.parent() {
                        self.root.make_dirs(parent.as_str())?;
                    }
                    self.place(&store::data_path(content, &entry.path), &entry.path)?;
                }
                Ok(())
            }
            result => result,
        }
    }

    fn restore_sentinel(&self) -> Result<(), DiskError> {
        match self.root.find(SENTINEL)? {
            Some(_) => Ok(()),
            None => rename_if_there(self.root, store::PARKED_SENTINEL, SENTINEL),
        }
    }

    /// Sets aside what the user added or changed in a game that goes, as if it were still in `local/`.
    fn set_changed_aside(&mut self, folder: LocalFolder) -> Result<(), DiskError> {
        let changed = local::changed(self.root, folder)?;
        let names: Vec<String> = changed.iter().map(|path| format!("{}/{path}", LocalFolder::Local.path())).collect();
        // What was there at one time stays together.
        let number = self.aside_number(&names)?;
        for (path, name) in changed.iter().zip(&names) {
            self.set_aside_as(&format!("{}/{path}", folder.path()), name, number)?;
        }
        // Else the rest of the folder could be gone before they are in their place.
        if changed.is_empty() { Ok(()) } else { self.root.sync_fs() }
    }

    fn set_aside(&mut self, path: &str) -> Result<(), DiskError> {
        let number = self.aside_number(&[path.to_owned()])?;
        self.set_aside_as(path, path, number)
    }

    /// The newest `.potluck/replaced/N/` if all `names` are free there, else the one after it. It follows from what is on
    /// disk alone, so what a crash cut off is continued where it was begun.
    fn aside_number(&self, names: &[String]) -> Result<u32, DiskError> {
        let folders = match self.root.list(store::REPLACED, ROOT_ENTRIES_MAX) {
            Err(error) if is_absent(&error) => return Ok(1),
            folders => folders?,
        };
        // Other names are not ours.
        let numbers = folders.iter().filter_map(|folder| folder.name.to_str()?.parse::<u32>().ok());
        let Some(newest) = numbers.filter(|number| (1..=ASIDE_TRIES_MAX).contains(number)).max() else { return Ok(1) };
        for name in names {
            match self.root.find(&format!("{}/{newest}/{name}", store::REPLACED)) {
                Ok(None) => {}
                Ok(Some(_)) => return Ok(newest + 1),
                Err(error) if matches!(error.reason(), Reason::NotAFolder | Reason::Link) => return Ok(newest + 1),
                Err(error) => return Err(error),
            }
        }
        Ok(newest)
    }

    /// Moves what is at a path to `.potluck/replaced/NUMBER/`, or to the next one where `name` is free.
    fn set_aside_as(&mut self, path: &str, name: &str, number: u32) -> Result<(), DiskError> {
        if self.root.find(path)?.is_none() {
            return Ok(());
        }
        for number in number..=ASIDE_TRIES_MAX {
            let to = format!("{}/{number}/{name}", store::REPLACED);
            let folder = to.rsplit_once('/').map_or("", |(folder, _)| folder);
            let moved = self.root.make_dirs(folder).and_then(|()| self.root.rename_new(path, &to));
            match moved {
                Ok(()) => {
                    self.set_aside.push(to);
                    return Ok(());
                }
                // A file set aside earlier has the name of one of the folders, or the name itself.
                Err(error) if matches!(error.reason(), Reason::Exists | Reason::NotAFolder | Reason::Link) => {}
                Err(error) => return Err(error),
            }
        }
        Err(DiskError::new("set aside", path, Reason::TooMany { max: ASIDE_TRIES_MAX as usize }))
    }

    fn link(&self, path: &PayloadPath, target: &str) -> Result<(), DiskError> {
        match self.root.find(path.as_str())? {
            Some(stat) if stat.kind == Kind::Link && self.root.read_link(path.as_str())? == *target => Ok(()),
            Some(_) | None => self.root.make_link(path.as_str(), target),
        }
    }

    /// Removes potluck's folder if nothing is in it that must stay; says what keeps the root.
    fn remove_root(&mut self) -> Result<(), DiskError> {
        for path in [store::JOURNAL, store::MANIFEST, store::HASHES] {
            // Left by a crash in the middle of an atomic write.
            self.root.remove_file(&format!("{path}.new"))?;
        }
        self.root.remove_file(store::JOURNAL_BAD)?;
        self.root.remove_file(&format!("{}/{SENTINEL}.new", store::OWN_FOLDER))?;
        remove_if_empty(self.root, store::OWN_FOLDER)?;
        let entries = match self.root.list("", ROOT_ENTRIES_MAX) {
            Err(error) if matches!(error.reason(), Reason::TooMany { .. }) => {
                self.left = vec![format!("more than {ROOT_ENTRIES_MAX} files and folders")];
                return Ok(());
            }
            result => result?,
        };
        self.left = entries.iter().take(LEFT_MAX).map(|entry| entry.name.to_string_lossy().into_owned()).collect();
        Ok(())
    }
}

/// Fine when nothing is there (any more): then it has been moved before.
fn rename_if_there(root: &GameRoot, from: &str, to: &str) -> Result<(), DiskError> {
    match root.rename(from, to) {
        Err(error) if error.is_missing() && root.find(from)?.is_none() => Ok(()),
        result => result,
    }
}

/// Fine when the folder is gone, or is something else, or has something in it.
fn remove_if_empty(root: &GameRoot, path: &str) -> Result<(), DiskError> {
    match root.remove_dir(path) {
        Err(error) if is_absent(&error) || matches!(error.reason(), Reason::NotEmpty) => Ok(()),
        result => result,
    }
}
