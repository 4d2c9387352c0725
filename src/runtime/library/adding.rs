//! `add`: makes a folder or an archive file a game of the library, on a thread of the pool. A folder
//! elsewhere is hashed, copied like a download and committed like one, so that a crash at any moment
//! leaves the library as it was; one that lies in the library already gets its manifest in place.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use super::{
    commands::refusal,
    look::{Desk, Distrust, Meter, Seen, look},
    space::free_kept,
};
use crate::{
    api::{CommandError, ErrorCode},
    core::room::{self, Choice},
    io::{
        clock,
        disk::{DiskError, Found, GameRoot, Kind, Library},
        scan::{self, Found as FoundFile, Memory, ScanError, Scanned, Tree},
        store::{self, Held, Incoming, IncomingError, RootReader, StoredManifest},
    },
    runtime::{installs::InstallError, roots::RootTurn},
    types::{
        GameId, LibraryNo, MANIFEST_ENTRIES_MAX, Manifest, PathError, PayloadPath, SENTINEL_NAME, Sentinel, Version,
        VersionError, clean, decimal, is_reserved_root_name,
    },
};

/// Endings of archives that are not part of a game's name.
const ARCHIVE_ENDINGS: [&str; 10] =
    [".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tgz", ".zip", ".7z", ".tar", ".rar", ".eti"];

/// What `add` was asked for.
#[derive(Debug)]
pub(super) struct AddWish {
    pub(super) path: PathBuf,
    pub(super) id: Option<String>,
    pub(super) version: Option<String>,
    pub(super) title: Option<String>,
    pub(super) take: bool,
}

/// An addition that makes sense so far.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) game: GameId,
    pub(super) title: Option<String>,
    version: Option<Version>,
    source: Source,
    take: bool,
}

/// Where the payload is; the paths have no links in them.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    InPlace,
    Folder(PathBuf),
    /// One file of a folder.
    File {
        folder: PathBuf,
        name: PayloadPath,
    },
}

/// What became of it.
#[derive(Debug)]
pub(super) struct AddOutcome {
    /// The game as it is now.
    pub(super) seen: Seen,
    /// The version before, and files new, changed and gone since.
    pub(super) before: Option<Version>,
    pub(super) changed: [u32; 3],
    pub(super) left: Left,
}

/// What of the source is not in the library or is still where it was; names safe to print.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// What could not be moved away.
    pub(super) there: Vec<String>,
    /// What was not copied because it has a name of potluck's.
    pub(super) out: Vec<String>,
}

/// Why something was not added.
#[derive(Debug, thiserror::Error)]
pub(super) enum AddError {
    #[error("cannot add {path}: {source}")]
    Path { path: String, source: io::Error },
    #[error("cannot add {path}: it is neither a folder nor a file")]
    WrongKind { path: String },
    #[error("cannot add {path}: {why}")]
    Place { path: String, why: &'static str },
    #[error("`{name}` cannot be a game's id ({source}); give another one with --id")]
    Id { name: String, source: PathError },
    #[error("the folder is `{game}` in the library already; rename the folder to change its id")]
    OtherId { game: GameId },
    #[error("`{version}` cannot be a version: {source}")]
    Version { version: String, source: VersionError },
    #[error("{0}; or give a version with --version")]
    Sentinel(ScanError),
    #[error("cannot share it: {0}")]
    Scan(#[source] ScanError),
    #[error("its files are changing; add it again when nothing writes to it")]
    Changing,
    #[error("it takes {}, and {} may be used in {library}", decimal::size(*need), decimal::size(*free))]
    NoSpace { need: u64, free: u64, library: String },
    #[error(transparent)]
    Incoming(#[from] IncomingError),
    #[error(transparent)]
    Install(#[from] InstallError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("no library can be written to")]
    NoLibrary,
    #[error("it was cut short")]
    Cancelled,
}

impl From<ScanError> for AddError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Cancelled => Self::Cancelled,
            ScanError::Changing { .. } => Self::Changing,
            ScanError::Disk(error) => Self::Disk(error),
            ScanError::Private(_) | ScanError::NoSentinel | ScanError::Sentinel(_) => Self::Scan(error),
        }
    }
}

impl AddError {
    /// What the face is told.
    pub(super) fn to_command_error(&self) -> CommandError {
        let code = match self {
            Self::Id { .. } | Self::OtherId { .. } | Self::Version { .. } => ErrorCode::Usage,
            Self::Path { .. } | Self::WrongKind { .. } => ErrorCode::NotFound,
            Self::Place { .. } | Self::Sentinel(_) | Self::Scan(_) | Self::NoLibrary => ErrorCode::Refused,
            Self::Changing | Self::NoSpace { .. } => ErrorCode::WouldWait,
            Self::Incoming(_) | Self::Install(_) | Self::Disk(_) | Self::Cancelled => ErrorCode::Failed,
        };
        refusal(code, self)
    }
}

/// Looks where the payload is and what the game is called.
pub(super) fn plan(desk: &Desk, wish: AddWish) -> Result<Plan, AddError> {
    let shown = clean(&wish.path.display().to_string(), 200);
    let failed = |source| AddError::Path { path: shown.clone(), source };
    let path = wish.path.canonicalize().map_err(failed)?;
    // One that is not there has nothing in it.
    let libraries: Vec<PathBuf> =
        desk.libraries.each().filter_map(|(_, library)| library.path().canonicalize().ok()).collect();
    let version = wish.version.map(|text| {
        Version::new(text.trim()).map_err(|source| AddError::Version { version: clean(&text, 80), source })
    });
    let version = version.transpose()?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let kind = path.metadata().map_err(failed)?;
    let place = |why| AddError::Place { path: shown.clone(), why };
    let here = path.clone();
    let (source, own_name) = if kind.is_file() {
        let folder = path.parent().ok_or_else(|| place("it lies nowhere"))?.to_owned();
        let file = PayloadPath::new(&name).map_err(|source| AddError::Id { name: clean(&name, 80), source })?;
        (Source::File { folder, name: file }, stem(&name).to_owned())
    } else if !kind.is_dir() {
        return Err(AddError::WrongKind { path: shown });
    } else if path.parent().is_some_and(|parent| libraries.iter().any(|library| library == parent)) {
        (Source::InPlace, name)
    } else if libraries.iter().any(|library| path.starts_with(library)) {
        return Err(place("it lies inside a game of the library"));
    } else if libraries.iter().any(|library| library.starts_with(&path)) {
        return Err(place("the library lies inside it"));
    } else {
        (Source::Folder(path), name)
    };
    let id_of = |text: &str| GameId::new(text.trim()).map_err(|source| AddError::Id { name: clean(text, 80), source });
    let game = id_of(wish.id.as_deref().unwrap_or(&own_name))?;
    if source == Source::InPlace && game.as_str() != own_name {
        return Err(AddError::OtherId { game: id_of(&own_name)? });
    }
    let is_second = |found: Found| found.root.path().canonicalize().is_ok_and(|root| root != here);
    if source == Source::InPlace && desk.libraries.find(&game).is_ok_and(is_second) {
        return Err(place("another library has a game of that name, which is the one that counts; rename the folder"));
    }
    Ok(Plan { game, title: wish.title, version, source, take: wish.take })
}

fn stem(name: &str) -> &str {
    let lower = name.to_ascii_lowercase();
    let ending = ARCHIVE_ENDINGS.iter().find(|ending| lower.ends_with(*ending) && lower.len() > ending.len());
    ending.map_or_else(
        || name.rsplit_once('.').map_or(name, |(stem, _)| stem),
        |ending| &name[..name.len() - ending.len()],
    )
}

/// Carries a plan out.
pub(super) fn add(
    desk: &Desk,
    plan: &Plan,
    turn: &RootTurn,
    meter: &Meter,
    cancel: &CancellationToken,
) -> Result<AddOutcome, AddError> {
    let adding = Adding { desk, plan, turn, meter, cancel };
    let (old, new, left) = match &plan.source {
        Source::InPlace => adding.in_place()?,
        Source::Folder(path) => adding.folder(path)?,
        Source::File { folder, name } => adding.file(folder, name)?,
    };
    let seen = look(desk, &plan.game, &Distrust::Conclusion, Some(turn), meter, cancel);
    let changed = old.as_ref().map_or([new.files().len() as u32, 0, 0], |old| compare(old, &new));
    Ok(AddOutcome { seen, before: old.map(|old| old.version().clone()), changed, left })
}

/// The build before, the build now, and what was left.
type Done = (Option<Manifest>, Arc<Manifest>, Left);

struct Adding<'a> {
    desk: &'a Desk,
    plan: &'a Plan,
    turn: &'a RootTurn,
    meter: &'a Meter,
    cancel: &'a CancellationToken,
}

impl Adding<'_> {
    fn in_place(&self) -> Result<Done, AddError> {
        let root = self.desk.libraries.open_root(&self.plan.game)?;
        let old = store::load_manifest(&root)?.and_then(Result::ok).map(|stored| stored.manifest);
        let sentinel = self.sentinel(&root)?;
        let mut memory = Memory::of_game(&self.desk.index, &self.plan.game);
        let scanned = self.scan(&root, sentinel, || scan::walk(&root), &mut memory)?;
        publish(&root, &scanned)?;
        Ok((old, scanned.held.manifest, Left::default()))
    }

    fn folder(&self, path: &Path) -> Result<Done, AddError> {
        let source = GameRoot::open(path)?;
        let sentinel = self.sentinel(&source)?;
        let scanned = self.scan(&source, sentinel, || scan::walk(&source), &mut Memory::none())?;
        if self.plan.take && self.move_whole(path, &scanned)? {
            return Ok((None, scanned.held.manifest, Left::default()));
        }
        let out = names_of_ours(&source)?;
        let old = self.copy(source, &scanned)?;
        let there = if self.plan.take { remove_source(path, &scanned.held.manifest, true) } else { Vec::new() };
        Ok((old, scanned.held.manifest, Left { there, out }))
    }

    fn file(&self, folder: &Path, name: &PayloadPath) -> Result<Done, AddError> {
        let source = GameRoot::open(folder)?;
        let tree = || {
            let stat = source.stat(name.as_str())?;
            let mut tree = Tree { bytes: stat.stamp.size, ..Tree::default() };
            if stat.kind == Kind::File {
                tree.files.push(FoundFile { path: name.clone(), stamp: stat.stamp, executable: stat.executable });
            }
            Ok(tree)
        };
        let sentinel = self.plan.version.as_ref().map(Sentinel::of_version);
        let scanned = self.scan(&source, sentinel, tree, &mut Memory::none())?;
        let old = self.copy(source, &scanned)?;
        let there = if self.plan.take { remove_source(folder, &scanned.held.manifest, false) } else { Vec::new() };
        Ok((old, scanned.held.manifest, Left { there, out: Vec::new() }))
    }

    /// Where the game lives, or is to live: where there is room for `needs` bytes.
    fn library(&self, needs: u64) -> Result<(LibraryNo, Arc<Library>), AddError> {
        let libraries = &self.desk.libraries;
        match libraries.find(&self.plan.game) {
            Ok(found) => Ok((found.number, found.library)),
            Err(error) if error.is_missing() => {
                let number = room::choose(&libraries.spaces(), needs, |_| 0).map(Choice::library);
                let library = number.and_then(|number| Some((number, libraries.get(number)?)));
                library.ok_or(AddError::NoLibrary)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Bytes that may be written to a library.
    fn usable(&self, library: LibraryNo) -> u64 {
        self.desk.libraries.space(library).usable()
    }

    /// The version the build is to have: the one asked for, or the folder's own; `None` where it comes from the date.
    fn sentinel(&self, root: &GameRoot) -> Result<Option<Sentinel>, AddError> {
        let own = match (scan::read_sentinel(root), &self.plan.version) {
            (Ok(own), _) => own,
            // It is replaced by the one asked for.
            (Err(ScanError::Sentinel(_)), Some(_)) => None,
            (Err(error @ ScanError::Sentinel(_)), None) => return Err(AddError::Sentinel(error)),
            (Err(error), _) => return Err(error.into()),
        };
        Ok(match (own, &self.plan.version) {
            (Some(own), Some(version)) if own.version() != version => Some(Sentinel::of_version(version)),
            (Some(own), _) => Some(own),
            (None, version) => version.as_ref().map(Sentinel::of_version),
        })
    }

    /// The build that is here if it is of this date, and the version that what changed since is to have.
    fn of_date(&self, date: &Version) -> Result<Option<(StoredManifest, Version)>, AddError> {
        let root = match self.desk.libraries.find(&self.plan.game) {
            Ok(found) => found.root,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let here = store::load_manifest(&root)?.and_then(Result::ok);
        Ok(here.and_then(|here| next_of_date(date, here.manifest.version()).map(|next| (here, next))))
    }

    /// The build of a folder that does not change while it is read. Without a sentinel its version is today's date,
    /// numbered where another build of today is here: two builds of one version would not replace each other.
    fn scan(
        &self,
        root: &GameRoot,
        sentinel: Option<Sentinel>,
        walk: impl Fn() -> Result<Tree, DiskError>,
        memory: &mut Memory,
    ) -> Result<Scanned, AddError> {
        let today = clock::today();
        let (sentinel, of_today) = match sentinel {
            Some(sentinel) => (sentinel, None),
            None => match self.of_date(&today)? {
                // Under the version of the one that is here, the same files are the same build.
                Some((here, next)) => (here.manifest.sentinel().clone(), Some((here.content, next))),
                None => (Sentinel::of_version(&today), None),
            },
        };
        let tree = walk()?;
        self.meter.expect(tree.bytes);
        let watch = &mut self.meter.watch(self.cancel);
        let scanned = scan::build(root, &self.plan.game, sentinel, &tree, memory, watch)?;
        if walk()? != tree {
            return Err(AddError::Changing);
        }
        match of_today {
            Some((here, next)) if here != scanned.held.content => Ok(scanned.with_version(&next)?),
            Some(_) | None => Ok(scanned),
        }
    }

    /// Moves a folder into the library in one step; false where that is not possible.
    fn move_whole(&self, path: &Path, scanned: &Scanned) -> Result<bool, AddError> {
        // Where it can be renamed to, nothing is written, so no room is needed.
        let (_, library) = self.library(0)?;
        let to = library.path().join(self.plan.game.as_str());
        if to.symlink_metadata().is_ok() || std::fs::rename(path, &to).is_err() {
            return Ok(false);
        }
        let root = library.open_root(&self.plan.game)?;
        let mut memory = Memory::of_game(&self.desk.index, &self.plan.game);
        let Held { manifest, hashes, stamps, .. } = &scanned.held;
        for ((number, file), stamp) in (0u32..).zip(manifest.files()).zip(stamps) {
            if let (Some(stamp), Some(known)) = (stamp, hashes.file_hashes(manifest, crate::types::FileNo(number))) {
                memory.learn(&file.path, *stamp, known);
            }
        }
        memory.save();
        publish(&root, scanned)?;
        Ok(true)
    }

    /// Copies a build into its root as a download would come, and commits it; gives the build before.
    fn copy(&self, source: GameRoot, scanned: &Scanned) -> Result<Option<Manifest>, AddError> {
        let (number, library) = self.library(scanned.held.manifest.size())?;
        let game = &self.plan.game;
        let root = library.create_root(game)?;
        let mut memory = Memory::of_game(&self.desk.index, game);
        let held = self.held_before(&root, &mut memory)?;
        let old = held.as_ref().map(|held| Manifest::clone(&held.manifest));
        if held.as_ref().is_some_and(|held| held.content == scanned.held.content && held.is_whole()) {
            return Ok(old);
        }
        let result = self.copy_into(source, scanned, (number, &library, root), held.as_ref(), &mut memory);
        if result.is_err() {
            self.clean_up(&library, scanned);
        }
        result.map(|()| old)
    }

    fn copy_into(
        &self,
        source: GameRoot,
        scanned: &Scanned,
        (number, library, root): (LibraryNo, &Library, GameRoot),
        held: Option<&Held>,
        memory: &mut Memory,
    ) -> Result<(), AddError> {
        let Held { content, manifest, .. } = &scanned.held;
        root.check_sizes(manifest.files().iter().map(|file| (file.path.as_str(), file.size)))?;
        let files = &self.desk.files;
        let watch = &mut self.meter.watch(self.cancel);
        let incoming = Incoming::open(root, *content, Arc::clone(manifest), &scanned.bytes, held, files, watch)
            .map_err(cancelled)?;
        let (need, free) = (incoming.missing_bytes(), self.usable(number));
        // Blocks that the file system shares are not needed; it is asked by trying only where it may work.
        if need > free && !shares_blocks(&source, incoming.root())? {
            return Err(AddError::NoSpace { need, free, library: clean(&library.path().display().to_string(), 200) });
        }
        self.meter.expect(need);
        let reader = RootReader::new(source, &scanned.held, files);
        incoming.reuse(&reader, None, watch).map_err(cancelled)?;
        if !incoming.is_complete() {
            return Err(AddError::Changing);
        }
        let root = library.open_root(&self.plan.game)?;
        self.turn.commit(&root, &incoming, memory, None)?;
        Ok(())
    }

    fn held_before(&self, root: &GameRoot, memory: &mut Memory) -> Result<Option<Held>, AddError> {
        let Some(Ok(stored)) = store::load_manifest(root)? else { return Ok(None) };
        if root.find(SENTINEL_NAME)?.is_none() {
            return Ok(None);
        }
        self.meter.expect(stored.manifest.size());
        let hashes = store::load_hashes(root, &stored.manifest)?;
        let watch = &mut self.meter.watch(self.cancel);
        let check = scan::check(root, stored.content, &Arc::new(stored.manifest), hashes, memory, watch)?;
        Ok(Some(check.held))
    }

    /// Takes away what a failed copy left, and the folder if it is empty then.
    fn clean_up(&self, library: &Library, scanned: &Scanned) {
        let tidy = || -> Result<(), DiskError> {
            let root = library.open_root(&self.plan.game)?;
            free_kept(library, &root, self.turn, store::KeptWhat::Download(scanned.held.content))
        };
        if let Err(error) = tidy() {
            tracing::warn!(%error, game = %self.plan.game, "what a failed copy left could not be removed");
        }
    }
}

/// What lies in a folder under names that are potluck's own or an installation's, so that it is no payload.
fn names_of_ours(folder: &GameRoot) -> Result<Vec<String>, DiskError> {
    let entries = folder.list("", MANIFEST_ENTRIES_MAX + 1)?;
    let names = entries.iter().filter_map(|entry| entry.name.to_str());
    let ours = names.filter(|name| is_reserved_root_name(name) && !name.eq_ignore_ascii_case(SENTINEL_NAME));
    let mut ours: Vec<String> = ours.map(|name| clean(name, 80)).collect();
    ours.sort();
    Ok(ours)
}

/// Writes manifest and version of a folder that is whole.
fn publish(root: &GameRoot, scanned: &Scanned) -> Result<(), AddError> {
    store::save_manifest(root, &scanned.bytes, &scanned.held.hashes)?;
    let sentinel = scanned.held.manifest.sentinel();
    // One that cannot be read is replaced.
    if scan::read_sentinel(root).ok().flatten().as_ref() != Some(sentinel) {
        root.write_atomic(SENTINEL_NAME, sentinel.as_str().as_bytes())?;
    }
    Ok(())
}

/// `date.1` after `date`, `date.3` after `date.2`; `None` after a version that is not of this date.
fn next_of_date(date: &Version, here: &Version) -> Option<Version> {
    let rest = here.as_str().strip_prefix(date.as_str())?;
    let number: u32 = if rest.is_empty() { 0 } else { rest.strip_prefix('.')?.parse().ok()? };
    Version::new(&format!("{date}.{}", number.checked_add(1)?)).ok()
}

fn cancelled(error: IncomingError) -> AddError {
    if matches!(error, IncomingError::Cancelled) { AddError::Cancelled } else { error.into() }
}

/// Whether both lie on one file system, the least that sharing blocks takes.
fn shares_blocks(a: &GameRoot, b: &GameRoot) -> Result<bool, DiskError> {
    Ok(a.stat("")?.device == b.stat("")?.device)
}

/// Removes what was moved: the files of the build, its version file, and folders that are empty then.
/// Gives what is left.
fn remove_source(folder: &Path, manifest: &Manifest, whole: bool) -> Vec<String> {
    let mut left = Vec::new();
    let mut try_to = |path: &str, result: Result<(), DiskError>| {
        if let Err(error) = result {
            tracing::warn!(%error, "not moved away");
            left.push(clean(path, 200));
        }
    };
    let root = match GameRoot::open(folder) {
        Ok(root) => root,
        Err(error) => {
            try_to(&folder.display().to_string(), Err(error));
            return left;
        }
    };
    let files = manifest.files().iter().map(|file| &file.path);
    for path in files.chain(manifest.links().iter().map(|link| &link.path)) {
        try_to(path.as_str(), root.remove_file(path.as_str()));
    }
    if whole {
        try_to(SENTINEL_NAME, root.remove_file(SENTINEL_NAME));
        for path in folders_of(manifest) {
            // One that is not empty holds something that was not moved; it shows in the folder that stays.
            let _ = root.remove_dir(path.as_str());
        }
        if std::fs::remove_dir(folder).is_err() {
            left.push(clean(&folder.display().to_string(), 200));
        }
    }
    left
}

/// Every folder of a build, the deeper ones first.
fn folders_of(manifest: &Manifest) -> Vec<PayloadPath> {
    let mut folders = std::collections::BTreeSet::new();
    let leaves = manifest.files().iter().map(|file| &file.path).chain(manifest.links().iter().map(|link| &link.path));
    for path in leaves {
        let mut folder = path.parent();
        while let Some(path) = folder {
            folder = path.parent();
            if !folders.insert(path) {
                break;
            }
        }
    }
    folders.extend(manifest.dirs().iter().map(|dir| dir.path.clone()));
    let mut folders: Vec<PayloadPath> = folders.into_iter().collect();
    folders.sort_by_key(|path| std::cmp::Reverse(path.parts().count()));
    folders
}

/// Files new, changed and gone.
fn compare(old: &Manifest, new: &Manifest) -> [u32; 3] {
    let mut counts = [0; 3];
    for file in new.files() {
        match old.find(&file.path) {
            None => counts[0] += 1,
            Some((_, before)) if before.hash != file.hash => counts[1] += 1,
            Some(_) => {}
        }
    }
    counts[2] = old.files().iter().filter(|file| new.find(&file.path).is_none()).count() as u32;
    counts
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, fs, time::Duration};

    use super::*;
    use crate::{
        io::{disk::Libraries, index::Index, store::OpenFiles},
        runtime::roots::{Change, Roots},
    };

    fn desk(home: &Path) -> Desk {
        let library = home.join("library");
        fs::create_dir(&library).unwrap();
        Desk {
            libraries: Libraries::only(&library),
            roots: Roots::default(),
            index: Arc::new(Index::open(&home.join("index"), &library).0),
            files: OpenFiles::default(),
            shelf: crate::runtime::shelf::Shelf::default(),
            quiet: Duration::ZERO,
        }
    }

    fn source(home: &Path) -> PathBuf {
        let source = home.join("source");
        fs::create_dir_all(source.join("sub")).unwrap();
        fs::write(source.join("sub/a"), "a").unwrap();
        fs::write(source.join("version.ini"), "1").unwrap();
        source
    }

    fn wish(path: &Path) -> AddWish {
        AddWish { path: path.to_owned(), id: None, version: None, title: None, take: false }
    }

    #[test]
    fn a_copy_that_is_cut_short_leaves_no_trace() {
        let home = tempfile::tempdir().unwrap();
        let (desk, path) = (desk(home.path()), source(home.path()));
        let plan = plan(&desk, wish(&path)).unwrap();
        let turn = desk.roots.take(&plan.game, Change::Add).unwrap();
        let (meter, go_on, stop) = (Meter::default(), CancellationToken::new(), CancellationToken::new());
        let adding = Adding { desk: &desk, plan: &plan, turn: &turn, meter: &meter, cancel: &go_on };
        let root = || GameRoot::open(&path).unwrap();
        let walk = || scan::walk(&root());
        let sentinel = adding.sentinel(&root()).unwrap();
        let scanned = adding.scan(&root(), sentinel, walk, &mut Memory::none()).unwrap();
        stop.cancel();
        let adding = Adding { cancel: &stop, ..adding };
        assert!(matches!(adding.copy(root(), &scanned), Err(AddError::Cancelled)));
        assert_eq!(fs::read_dir(home.path().join("library")).unwrap().count(), 0);
        let adding = Adding { cancel: &go_on, ..adding };
        assert!(adding.copy(root(), &scanned).unwrap().is_none());
        assert!(home.path().join("library/source/sub/a").is_file(), "and it can be added afterwards");
    }

    /// Adds it; gives the version it has then.
    fn version_added(desk: &Desk, wish: AddWish) -> String {
        let plan = plan(desk, wish).unwrap();
        let turn = desk.roots.take(&plan.game, Change::Add).unwrap();
        add(desk, &plan, &turn, &Meter::default(), &CancellationToken::new()).unwrap();
        let root = desk.libraries.open_root(&plan.game).unwrap();
        store::load_manifest(&root).unwrap().unwrap().unwrap().manifest.version().to_string()
    }

    #[test]
    fn what_changed_within_a_day_gets_a_higher_version() {
        let home = tempfile::tempdir().unwrap();
        let (desk, path) = (desk(home.path()), source(home.path()));
        fs::remove_file(path.join("version.ini")).unwrap();
        let today = clock::today();
        let version = |text: &str| {
            fs::write(path.join("sub/a"), text).unwrap();
            version_added(&desk, wish(&path)).strip_prefix(today.as_str()).map(str::to_owned)
        };
        let versions = ["a", "a", "b", "b", "c", "a"].map(|text| version(text).expect("the day ends while this runs"));
        assert_eq!(versions, ["", "", ".1", ".1", ".2", ".3"]);
        let given = |text: &str| {
            fs::write(path.join("sub/a"), text).unwrap();
            version_added(&desk, AddWish { version: Some(today.to_string()), ..wish(&path) })
        };
        assert_eq!(given("d"), today.as_str(), "one that is given stays as it is");
        assert_eq!(given("e"), today.as_str());
        fs::write(path.join("version.ini"), today.as_str()).unwrap();
        assert_eq!(version("f").as_deref(), Some(""), "and so does the folder's own");
    }

    #[test]
    fn what_has_a_name_of_ours_is_left_out_and_named() {
        let home = tempfile::tempdir().unwrap();
        let (desk, path) = (desk(home.path()), source(home.path()));
        for folder in ["local", ".local.old", "sub/local"] {
            fs::create_dir(path.join(folder)).unwrap();
            fs::write(path.join(folder).join("x"), "x").unwrap();
        }
        let plan = plan(&desk, wish(&path)).unwrap();
        let turn = desk.roots.take(&plan.game, Change::Add).unwrap();
        let outcome = add(&desk, &plan, &turn, &Meter::default(), &CancellationToken::new()).unwrap();
        let out = [".local.old", "local"].map(str::to_owned).to_vec();
        assert_eq!(outcome.left, Left { there: Vec::new(), out });
        assert!(home.path().join("library/source/sub/local/x").is_file(), "only at the top");
        assert!(!home.path().join("library/source/local").exists());
    }

    #[test]
    fn lack_of_room_is_told_in_sizes_and_where() {
        let library = "/games".to_owned();
        let error = AddError::NoSpace { need: 54_433_369, free: 8_388_608, library };
        assert_eq!(error.to_string(), "it takes 54 MB, and 8 MB may be used in /games");
    }

    #[test]
    fn versions_of_a_date_are_numbered_upwards() {
        let of = |text: &str| Version::new(text).unwrap();
        let date = of("2026.11.21");
        for (here, next) in [
            ("2026.11.21", Some("2026.11.21.1")),
            ("2026.11.21.9", Some("2026.11.21.10")),
            ("2026.11.20", None),
            ("2026.11.211", None),
            ("2026.11.21.b", None),
            ("2026.11.21.4294967295", None),
        ] {
            let found = next_of_date(&date, &of(here));
            assert_eq!(found, next.map(of), "{here}");
            assert!(found.is_none_or(|found| found > of(here)), "{here}");
        }
    }

    #[test]
    fn a_folder_that_changes_while_it_is_read_is_not_added() {
        let home = tempfile::tempdir().unwrap();
        let (desk, path) = (desk(home.path()), source(home.path()));
        let plan = plan(&desk, wish(&path)).unwrap();
        let turn = desk.roots.take(&plan.game, Change::Add).unwrap();
        let (meter, cancel, walks) = (Meter::default(), CancellationToken::new(), Cell::new(0));
        let adding = Adding { desk: &desk, plan: &plan, turn: &turn, meter: &meter, cancel: &cancel };
        let root = GameRoot::open(&path).unwrap();
        let walk = || {
            if walks.replace(walks.get() + 1) == 1 {
                fs::write(path.join("late"), "late").unwrap();
            }
            scan::walk(&root)
        };
        let sentinel = adding.sentinel(&root).unwrap();
        let scanned = adding.scan(&root, sentinel, walk, &mut Memory::none());
        assert!(matches!(scanned, Err(AddError::Changing)), "{scanned:?}");
    }

    #[test]
    fn names_of_archives_lose_their_endings() {
        for (name, expect) in [
            ("Quake III.tar.gz", "Quake III"),
            ("game.ZIP", "game"),
            ("v1.2.7z", "v1.2"),
            ("setup.exe", "setup"),
            (".zip", ""),
            ("plain", "plain"),
        ] {
            assert_eq!(stem(name), expect, "{name}");
        }
    }
}
