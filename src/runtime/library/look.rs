//! Looks at one game's folder, on a thread of the pool: what build it is, what of it still matches, or
//! why it cannot be shared. Writes nothing but the manifest of a folder that has none.

use std::{
    ops::ControlFlow,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::found::{Found, Same};
use crate::{
    api::INSTALLED_ONLY,
    io::{
        clock,
        disk::{DiskError, Found as FoundRoot, GameRoot, Libraries, Library, Stamp},
        index::{Index, Whole},
        scan::{self, Check, Memory, ScanError, Tree},
        store::{self, OpenFiles, RootReader},
    },
    runtime::{
        installs::{Installation, installation},
        roots::{Change, RootTurn, Roots},
        shelf::Shelf,
    },
    types::{ContentId, GameId, Manifest, PayloadPath, Sentinel, Version, Weighing, clean, is_reserved_root_name},
    wire::manifest::{self, ManifestReadError},
};

/// Entries of a game's root that are looked through for one that is not ours.
const ROOT_ENTRIES_MAX: usize = 10_000;
/// What the screen and the log show of a reason.
const REASON_CHARS_MAX: usize = 300;

/// How far a job is, in bytes; read by the actor while the job runs.
#[derive(Debug, Default)]
pub(super) struct Meter {
    done: AtomicU64,
    total: AtomicU64,
    doing: Mutex<String>,
    waits: AtomicBool,
}

impl Meter {
    pub(super) fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes done, and bytes to do.
    pub(super) fn read(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Says what is done just now, for people.
    pub(super) fn say(&self, doing: String) {
        self.waits.store(false, Ordering::Relaxed);
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = doing;
    }

    /// Says what it waits for, for people.
    pub(super) fn wait(&self, reason: String) {
        self.say(reason);
        self.waits.store(true, Ordering::Relaxed);
    }

    /// Whether nothing is done until something else happens.
    pub(super) fn waits(&self) -> bool {
        self.waits.load(Ordering::Relaxed)
    }

    /// What was said last.
    pub(super) fn doing(&self) -> String {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts bytes until `cancel` says stop.
    pub(super) fn watch<'a>(&'a self, cancel: &'a CancellationToken) -> impl FnMut(u64) -> ControlFlow<()> + 'a {
        |bytes| {
            self.done.fetch_add(bytes, Ordering::Relaxed);
            if cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
}

/// What jobs on games need. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) libraries: Arc<Libraries>,
    pub(super) roots: Roots,
    pub(super) index: Arc<Index>,
    pub(super) files: OpenFiles,
    /// What is open there need not be read once more.
    pub(super) shelf: Shelf,
    /// How long nobody may have written to a folder for it to be whole.
    pub(super) quiet: Duration,
}

/// What is not to be taken from the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Distrust {
    /// A game whose files did not change is what it was.
    Nothing,
    /// Files whose size, times and inode did not change did not change; what they come to is made out anew.
    Conclusion,
    /// This file is read again.
    File(PayloadPath),
    /// Everything is read again.
    Everything,
}

/// What a folder was found to be.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) what: What,
    /// What `local/` is.
    pub(super) installed: Installation,
    /// What is known of what the build takes when it is installed.
    pub(super) weighing: Weighing,
    /// A sentence for the user, when something was not as it should be.
    pub(super) note: Option<String>,
}

/// What a folder was found to be.
#[derive(Debug)]
pub(super) enum What {
    /// There is no folder, or nothing but what is potluck's own.
    Nothing,
    /// The whole build it was the last time.
    Same(Box<Same>),
    /// A build, whole or with differences.
    Build(Box<Found>),
    /// It cannot be shared.
    Private { reason: String, facts: Option<PrivateFacts> },
    /// It cannot be read.
    Failed { reason: String },
    /// It is being written to: look again soon.
    Unsettled,
    /// The job was cut short.
    Cancelled,
}

impl What {
    /// The build that it is.
    fn content(&self) -> Option<ContentId> {
        match self {
            Self::Same(same) => Some(same.content()),
            Self::Build(found) => Some(found.content),
            Self::Nothing | Self::Private { .. } | Self::Failed { .. } | Self::Unsettled | Self::Cancelled => None,
        }
    }
}

/// What can be said of a game that is not shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PrivateFacts {
    pub(super) version: Version,
    pub(super) size: u64,
    pub(super) files: u32,
}

/// Looks at a game's folder. What is to be written down there is, when nobody else changes it; whoever looks with its
/// `turn` is nobody else.
pub(super) fn look(
    desk: &Desk,
    game: &GameId,
    distrust: &Distrust,
    turn: Option<&RootTurn>,
    meter: &Meter,
    cancel: &CancellationToken,
) -> Seen {
    let mut note = None;
    let without = |what| Seen { what, installed: Installation::None, weighing: Weighing::NotYet, note: None };
    let (library, root) = match desk.libraries.find(game) {
        Ok(FoundRoot { library, root, .. }) => (library, root),
        Err(error) if error.is_missing() => return without(What::Nothing),
        Err(error) => return without(failed(&error)),
    };
    let mut memory = Memory::of_game(&desk.index, game);
    let looking = Looking { desk, game, library: &library, root: &root, turn, meter, cancel };
    let what = match looking.build(&mut memory, distrust, &mut note) {
        Ok(what) => what,
        Err(error) => looking.explain(error),
    };
    // What cannot be read is not an installation that can be played.
    let installed = installation(&root).unwrap_or(Installation::None);
    let weighing = what.content().map_or(Weighing::NotYet, |content| desk.index.weighing(game, &content));
    Seen { what, installed, weighing, note }
}

/// A manifest as it is in a root, with its bytes.
type Stored = (ContentId, Arc<Manifest>, Bytes);

struct Looking<'a> {
    desk: &'a Desk,
    game: &'a GameId,
    library: &'a Library,
    root: &'a GameRoot,
    turn: Option<&'a RootTurn>,
    meter: &'a Meter,
    cancel: &'a CancellationToken,
}

impl Looking<'_> {
    fn build(&self, memory: &mut Memory, distrust: &Distrust, note: &mut Option<String>) -> Result<What, ScanError> {
        let Some(sentinel) = scan::read_sentinel(self.root)? else { return self.without_sentinel() };
        if *distrust == Distrust::Nothing
            && let Some(same) = self.glance(&sentinel)
        {
            return Ok(What::Same(Box::new(same)));
        }
        // Before it is read: when it is replaced meanwhile, the next look does not find it unchanged.
        let stamp = self.root.find(store::MANIFEST)?.map(|stat| stat.stamp);
        let stored = match self.stored()? {
            Some(Ok(stored)) => Some(stored),
            Some(Err(error)) => {
                *note = Some(format!("{}: its manifest is damaged ({error}); a new one is made", self.game));
                None
            }
            None => None,
        };
        match stored.filter(|stored| self.is_of(stored, &sentinel)) {
            Some(stored) => self.compare(stored, stamp, memory, distrust),
            None => self.make(sentinel, memory),
        }
    }

    fn stored(&self) -> Result<Option<Result<Stored, ManifestReadError>>, DiskError> {
        let (content, bytes) = match store::manifest_bytes(self.root)? {
            Some(Ok(read)) => read,
            Some(Err(error)) => return Ok(Some(Err(error))),
            None => return Ok(None),
        };
        if let Some(open) = self.desk.shelf.get(content) {
            return Ok(Some(Ok((content, Arc::clone(open.manifest()), open.manifest_bytes()))));
        }
        let decoded = manifest::decode(&bytes, content);
        Ok(Some(decoded.map(|manifest| (content, Arc::new(manifest), Bytes::from(bytes)))))
    }

    /// A manifest is that of the folder while the folder has its name and its version file.
    fn is_of(&self, (_, manifest, _): &Stored, sentinel: &Sentinel) -> bool {
        manifest.game() == self.game && manifest.sentinel() == sentinel
    }

    /// What it is if nothing changed. Whatever is wrong is for the whole look to say.
    fn glance(&self, sentinel: &Sentinel) -> Option<Same> {
        let record = self.desk.index.record(self.game)?;
        let go_on = || if self.cancel.is_cancelled() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        match scan::glance(self.root, &record, sentinel, go_on) {
            Ok(unchanged) => unchanged.map(Same::new),
            Err(error) => {
                tracing::debug!(%error, game = %self.game, "a glance was not enough");
                None
            }
        }
    }

    fn compare(
        &self,
        (content, manifest, bytes): Stored,
        stamp: Option<Stamp>,
        memory: &mut Memory,
        distrust: &Distrust,
    ) -> Result<What, ScanError> {
        match distrust {
            Distrust::Nothing | Distrust::Conclusion => {}
            Distrust::File(path) => memory.forget(path),
            Distrust::Everything => manifest.files().iter().for_each(|file| memory.forget(&file.path)),
        }
        self.meter.expect(manifest.size());
        let hashes = store::load_hashes(self.root, &manifest)?;
        let were_known = hashes.unknown_files(&manifest).is_empty();
        let watch = &mut self.meter.watch(self.cancel);
        let check = scan::check(self.root, content, &manifest, hashes, memory, watch)?;
        let is_recorded = !check.is_modified()
            && (were_known || self.restore_hashes(&check))
            && stamp.is_some_and(|stamp| remember(&check, stamp, memory));
        Ok(What::Build(Box::new(self.found(check, bytes, is_recorded)?)))
    }

    /// A folder with a version and without a manifest: it is one build as it is, once it is quiet.
    fn make(&self, sentinel: Sentinel, memory: &mut Memory) -> Result<What, ScanError> {
        let before = scan::walk(self.root)?;
        if !is_quiet(&before, self.desk.quiet) {
            return Ok(What::Unsettled);
        }
        self.meter.expect(before.bytes);
        let watch = &mut self.meter.watch(self.cancel);
        let scanned = match scan::build(self.root, self.game, sentinel.clone(), &before, memory, watch) {
            Err(ScanError::Private(reasons)) => {
                let facts = PrivateFacts {
                    version: sentinel.version().clone(),
                    size: before.bytes,
                    files: before.files.len() as u32,
                };
                let reason = cut(&ScanError::Private(reasons).to_string());
                return Ok(What::Private {
                    reason: reason.trim_start_matches("private: ").to_owned(),
                    facts: Some(facts),
                });
            }
            scanned => scanned?,
        };
        // A game that was being copied in, or committed, while we read it is looked at again.
        let Ok(_turn) = self.take_turn() else { return Ok(What::Unsettled) };
        let same = scan::walk(self.root)? == before && scan::read_sentinel(self.root)?.as_ref() == Some(&sentinel);
        if !same || self.is_changing_hands()? {
            return Ok(What::Unsettled);
        }
        let links = before.links.iter().map(|link| link.stamp).collect();
        let check = Check { held: scanned.held, differences: Vec::new(), links };
        let is_recorded = match store::save_manifest(self.root, &scanned.bytes, &check.held.hashes) {
            Ok(()) => {
                let stamp = self.root.find(store::MANIFEST)?.map(|stat| stat.stamp);
                stamp.is_some_and(|stamp| remember(&check, stamp, memory))
            }
            Err(_) if self.library.read_only().is_some() => false,
            Err(error) => return Err(error.into()),
        };
        Ok(What::Build(Box::new(self.found(check, scanned.bytes.into(), is_recorded)?)))
    }

    /// The turn to write into the root, where whoever looks does not have it.
    fn take_turn(&self) -> Result<Option<RootTurn>, Change> {
        match self.turn {
            Some(_) => Ok(None),
            None => self.desk.roots.take(self.game, Change::Record).map(Some),
        }
    }

    /// Stores hashes that were missing; says whether they are there now.
    fn restore_hashes(&self, check: &Check) -> bool {
        let Ok(_turn) = self.take_turn() else { return false };
        let stored = store::save_hashes(self.root, &check.held.hashes);
        if let Err(error) = &stored {
            tracing::debug!(%error, game = %self.game, "chunk hashes cannot be stored");
        }
        stored.is_ok()
    }

    fn without_sentinel(&self) -> Result<What, ScanError> {
        if self.is_changing_hands()? {
            return Ok(What::Unsettled);
        }
        if let Some(facts) = self.installed_only()? {
            return Ok(What::Private { reason: INSTALLED_ONLY.to_owned(), facts: Some(facts) });
        }
        let entries = self.root.list("", ROOT_ENTRIES_MAX)?;
        let has_payload = entries.iter().any(|entry| !entry.name.to_str().is_some_and(is_reserved_root_name));
        if !has_payload {
            return Ok(What::Nothing);
        }
        let reason =
            format!("it has no version.ini; `potluck add` in its place shares it: {}", self.root.path().display());
        Ok(What::Private { reason: cut(&reason), facts: None })
    }

    /// What a game is whose payload was dropped.
    fn installed_only(&self) -> Result<Option<PrivateFacts>, DiskError> {
        let Installation::Only(content) = installation(self.root)? else { return Ok(None) };
        let Some(Ok((_, manifest, _))) = self.stored()?.filter(|stored| stored.as_ref().is_ok_and(|s| s.0 == content))
        else {
            return Ok(None);
        };
        let (version, files) = (manifest.version().clone(), manifest.files().len() as u32);
        Ok(Some(PrivateFacts { version, size: manifest.size(), files }))
    }

    /// Whether a commit or a removal is under way.
    fn is_changing_hands(&self) -> Result<bool, DiskError> {
        Ok(self.root.find(store::JOURNAL)?.is_some())
    }

    fn found(&self, check: Check, bytes: Bytes, is_recorded: bool) -> Result<Found, DiskError> {
        let root = self.library.open_root(self.game)?;
        let reader = RootReader::new(root, &check.held, &self.desk.files);
        Ok(Found::new(check, bytes, reader, is_recorded))
    }

    fn explain(&self, error: ScanError) -> What {
        match error {
            ScanError::Cancelled => What::Cancelled,
            ScanError::Changing { .. } => What::Unsettled,
            // The folder went away while it was looked at.
            ScanError::Disk(error) if error.is_missing() && self.library.open_root(self.game).is_err() => What::Nothing,
            ScanError::Disk(error) => failed(&error),
            ScanError::Private(_) | ScanError::NoSentinel => {
                What::Private { reason: cut(&error.to_string()), facts: None }
            }
            ScanError::Sentinel(_) => What::Failed {
                reason: cut(&format!("{error}; write its version into the first line of {}/version.ini", self.game)),
            },
        }
    }
}

/// Remembers that a root holds all of a build, its manifest being in the state `stamp`; false when that
/// cannot be, and the next look has to compare again.
fn remember(check: &Check, stamp: Stamp, memory: &mut Memory) -> bool {
    let manifest = &check.held.manifest;
    let is_in = |path: &str| manifest.files().binary_search_by(|file| file.path.as_str().cmp(path)).is_ok();
    memory.keep_only(is_in);
    let links = manifest.links().iter().map(|link| link.path.to_string()).zip(check.links.iter().copied());
    memory.remember_whole(Whole {
        content: check.held.content,
        size: manifest.size(),
        chunks: manifest.chunk_count(),
        manifest: stamp,
        sentinel: manifest.sentinel().clone(),
        dirs: manifest.dirs().iter().map(|dir| dir.path.to_string()).collect(),
        links: links.collect(),
    })
}

fn failed(error: &DiskError) -> What {
    What::Failed { reason: cut(&error.to_string()) }
}

pub(super) fn cut(text: &str) -> String {
    clean(text, REASON_CHARS_MAX)
}

/// Whether the last change of any file is a while ago. One in the future is a clock that was set, and
/// says nothing.
fn is_quiet(tree: &Tree, quiet: Duration) -> bool {
    let now = i128::from(clock::unix_ms()) * 1_000_000;
    let quiet = quiet.as_nanos() as i128;
    tree.files.iter().all(|found| !(0..quiet).contains(&(now - i128::from(found.stamp.ctime_ns))))
}
