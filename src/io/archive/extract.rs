//! The one way a member gets to disk, whatever format it came in: here are the path rules, the limits,
//! what is dropped, and the order, in which links come last.

use std::{
    io::Read,
    ops::ControlFlow,
    time::{Duration, Instant},
};

use super::{
    member::{Contents, Fault, Member, MemberKind, NAME_CHARS_MAX, why_of_disk, why_of_io},
    names::{Is, Names},
};
use crate::{
    io::{
        clock,
        disk::{Cursor, DiskError, GameFile, GameRoot, Kind, Reason, copy_file},
    },
    types::{MemberPath, clean},
    wire::extraction::{Limits, Line, Progress, Spool, Totals, Why},
};

/// Bytes copied at once; large enough that a system call is nothing beside them.
const COPY_BYTES: usize = 256 << 10;
/// Between two words on how it goes: a screen draws no more often.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// The target of a link is a path.
const TARGET_BYTES_MAX: u64 = 1_024;
/// Names of members that were left out, to be shown.
const DROPPED_SHOWN_MAX: usize = 20;
/// Where a library that writes itself writes: no member can have the name, and who removes the folder
/// after a failure removes it too.
pub const SPOOL_NAME: &str = ".potluck-unpacking";

/// Members on their way to a folder, or only counted.
pub(super) struct Extraction<'a> {
    staging: Option<Staging<'a>>,
    limits: Limits,
    started: Instant,
    reported: Instant,
    names: Names,
    /// Made when everything else is there, so that nothing is written through one.
    links: Vec<(MemberPath, String)>,
    totals: Totals,
    progress: Progress,
    entries: u64,
    /// Of the archive that is read.
    archive: Archive,
    buffer: Vec<u8>,
    report: &'a mut dyn FnMut(Line),
}

struct Staging<'a> {
    root: &'a GameRoot,
    cursor: Cursor<'a>,
}

/// What is known of the archive that is read.
#[derive(Default)]
struct Archive {
    packed: u64,
    /// Of all archives before it.
    packed_before: u64,
    unpacked: u64,
    reached: std::rc::Rc<std::cell::Cell<u64>>,
}

impl<'a> Extraction<'a> {
    /// Into `staging`, or nowhere: then members are reported, and nothing is written.
    pub(super) fn new(
        staging: Option<&'a GameRoot>,
        limits: Limits,
        packed_total: u64,
        report: &'a mut dyn FnMut(Line),
    ) -> Self {
        let now = clock::now();
        Self {
            staging: staging.map(|root| Staging { root, cursor: root.cursor() }),
            limits,
            started: now,
            reported: now,
            names: Names::new(limits.entries),
            links: Vec::new(),
            totals: Totals::default(),
            progress: Progress { packed_total, ..Progress::default() },
            entries: 0,
            archive: Archive::default(),
            buffer: vec![0; COPY_BYTES],
            report,
        }
    }

    /// The members that follow are those of this archive; `reached` says how far it has been read.
    pub(super) fn begin(&mut self, name: &str, packed: u64, reached: std::rc::Rc<std::cell::Cell<u64>>) {
        let packed_before = self.archive.packed_before + self.archive.packed;
        self.archive = Archive { packed, packed_before, unpacked: 0, reached };
        self.totals.archives += 1;
        self.progress.archive = clean(name, NAME_CHARS_MAX);
        self.say();
    }

    /// Takes one member.
    pub(super) fn take(&mut self, member: Member, contents: Contents<'_>) -> Result<(), Fault> {
        let name = member.name.clone();
        self.put(member, contents).map_err(|why| Fault::of(&name, why))
    }

    fn put(&mut self, member: Member, contents: Contents<'_>) -> Result<(), Why> {
        self.entries += 1;
        if self.entries > self.limits.entries {
            return Err(Why::Entries { max: self.limits.entries });
        }
        self.progress.entries = self.entries;
        let Some(path) = path_of(&member.name)? else { return Ok(()) };
        self.progress.member = path.to_string();
        self.tick()?;
        match member.kind {
            MemberKind::Special { what } => self.drop_special(&path, what),
            MemberKind::Folder => {
                self.names.claim(&path, Is::Folder)?;
                self.totals.folders += 1;
                if let Some(staging) = &self.staging {
                    staging.root.make_dirs(path.as_str()).map_err(|error| why_of_disk(&error))?;
                }
            }
            MemberKind::File { executable } => {
                self.names.claim(&path, Is::File)?;
                self.totals.files += 1;
                self.put_file(&path, executable, member.size, contents)?;
            }
            MemberKind::Link { target } => {
                self.names.claim(&path, Is::Link)?;
                self.totals.links += 1;
                let target = match (target, contents) {
                    (Some(target), _) => target,
                    (None, contents) => match self.target(contents)? {
                        Some(target) => target,
                        // Only counted: the target was not asked for.
                        None => return Ok(()),
                    },
                };
                self.put_link(path, target)?;
            }
            MemberKind::HardLink { target } => {
                let from = path_of(&target)?.filter(|from| self.names.is_file(from));
                let from = from.ok_or_else(|| Why::HardLink { target: clean(&target, NAME_CHARS_MAX) })?;
                self.names.claim(&path, Is::File)?;
                self.totals.files += 1;
                self.put_copy(&path, &from)?;
            }
        }
        Ok(())
    }

    /// Makes the links, and says what it all came to.
    pub(super) fn finish(self) -> Result<Totals, Fault> {
        if let Some(staging) = &self.staging {
            for (path, target) in &self.links {
                let made = parent_of(path.as_str())
                    .map_or(Ok(()), |parent| staging.root.make_dirs(parent))
                    .and_then(|()| staging.root.make_link(path.as_str(), target));
                made.map_err(|error| Fault::of(path.as_str(), why_of_disk(&error)))?;
            }
        }
        Ok(self.totals)
    }

    fn put_file(
        &mut self,
        path: &MemberPath,
        executable: bool,
        declared: Option<u64>,
        contents: Contents<'_>,
    ) -> Result<(), Why> {
        // What says itself that it is too much need not be begun.
        self.check_bytes(declared.unwrap_or(0))?;
        if self.staging.is_none() {
            let size = declared.unwrap_or(0);
            self.add_bytes(size)?;
            (self.report)(Line::Member { path: path.to_string(), size });
            return Ok(());
        }
        match contents {
            Contents::None => Err(Why::damaged("a file without its bytes")),
            Contents::Stream(stream) => {
                let file = self.create(path, executable)?;
                self.pour(stream, &file, declared)
            }
            Contents::Saved(save, spool) => self.save(path, executable, declared, save, spool),
        }
    }

    /// Copies a stream into a file, and compares its length with what was declared.
    fn pour(&mut self, stream: &mut dyn Read, file: &GameFile, declared: Option<u64>) -> Result<(), Why> {
        let mut offset = 0;
        loop {
            let count = match stream.read(&mut self.buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(why_of_io(&error)),
            };
            if let Some(declared) = declared.filter(|declared| offset + count as u64 > *declared) {
                return Err(Why::Size { declared, found: "more".into() });
            }
            self.add_bytes(count as u64)?;
            file.write_at(&self.buffer[..count], offset).map_err(|error| why_of_disk(&error))?;
            offset += count as u64;
        }
        match declared {
            Some(declared) if declared > offset => Err(Why::Truncated),
            Some(_) | None => Ok(()),
        }
    }

    /// Lets a library write the member into a file of our naming, and moves that to its place.
    fn save(
        &mut self,
        path: &MemberPath,
        executable: bool,
        declared: Option<u64>,
        save: &mut dyn FnMut(&std::path::Path) -> Result<(), Why>,
        spool: Spool,
    ) -> Result<(), Why> {
        let Some(root) = self.staging.as_ref().map(|staging| staging.root) else { return Ok(()) };
        let on_disk = |error: DiskError| why_of_disk(&error);
        root.remove_file(SPOOL_NAME).map_err(on_disk)?;
        self.progress.spool = Some(spool);
        self.say();
        save(&root.path().join(SPOOL_NAME))?;
        self.progress.spool = None;
        let stat = root.find(SPOOL_NAME).map_err(on_disk)?;
        let Some(stat) = stat.filter(|stat| stat.kind == Kind::File) else {
            return Err(Why::unsupported("a member that is another name of a file"));
        };
        if let Some(declared) = declared.filter(|declared| *declared != stat.stamp.size) {
            return Err(Why::Size { declared, found: stat.stamp.size.to_string() });
        }
        self.add_bytes(stat.stamp.size)?;
        let file = root.open_file(SPOOL_NAME).map_err(on_disk)?;
        file.make_plain(executable).map_err(on_disk)?;
        if let Some(parent) = parent_of(path.as_str()) {
            root.make_dirs(parent).map_err(on_disk)?;
        }
        match root.rename_new(SPOOL_NAME, path.as_str()) {
            // The first Landlock lets nothing move to another folder.
            Err(error) if matches!(error.reason(), Reason::OtherFileSystem) => {
                let copy = self.create(path, executable)?;
                let copied = copy_file(&file, &copy, &mut |_| ControlFlow::Continue(())).map_err(on_disk)?;
                // The watcher never says stop.
                copied.map_err(|_| Why::damaged("the copy was stopped"))?;
                root.remove_file(SPOOL_NAME).map_err(on_disk)
            }
            moved => moved.map_err(on_disk),
        }
    }

    /// The target of a link whose content it is.
    fn target(&mut self, contents: Contents<'_>) -> Result<Option<String>, Why> {
        let odd = || Why::Link { target: "something that is no path".into() };
        match (contents, self.staging.as_ref()) {
            (Contents::None, _) | (Contents::Saved(..), None) => Ok(None),
            (Contents::Stream(stream), _) => {
                let mut bytes = Vec::new();
                stream.take(TARGET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|error| why_of_io(&error))?;
                String::from_utf8(bytes).map(Some).map_err(|_| odd())
            }
            (Contents::Saved(save, _), Some(staging)) => {
                let root = staging.root;
                root.remove_file(SPOOL_NAME).map_err(|error| why_of_disk(&error))?;
                save(&root.path().join(SPOOL_NAME))?;
                let target = root.read_link(SPOOL_NAME).map_err(|_| odd())?;
                root.remove_file(SPOOL_NAME).map_err(|error| why_of_disk(&error))?;
                target.into_string().map(Some).map_err(|_| odd())
            }
        }
    }

    fn put_link(&mut self, path: MemberPath, target: String) -> Result<(), Why> {
        if !path.may_link_to(&target) {
            return Err(Why::Link { target: clean(&target, NAME_CHARS_MAX) });
        }
        self.links.push((path, target));
        Ok(())
    }

    fn put_copy(&mut self, path: &MemberPath, from: &MemberPath) -> Result<(), Why> {
        let Some(root) = self.staging.as_ref().map(|staging| staging.root) else {
            (self.report)(Line::Member { path: path.to_string(), size: 0 });
            return Ok(());
        };
        let on_disk = |error: DiskError| why_of_disk(&error);
        let original = root.open_file(from.as_str()).map_err(on_disk)?;
        let stat = original.stat_at_open().map_err(on_disk)?;
        self.check_bytes(stat.stamp.size)?;
        let copy = self.create(path, stat.executable)?;
        let copied = copy_file(&original, &copy, &mut |_| ControlFlow::Continue(())).map_err(on_disk)?;
        // The watcher never says stop.
        copied.map_err(|_| Why::damaged("the copy was stopped"))?;
        self.add_bytes(stat.stamp.size)
    }

    fn create(&mut self, path: &MemberPath, executable: bool) -> Result<GameFile, Why> {
        let Some(staging) = &mut self.staging else { return Err(Why::damaged("nothing is to be written")) };
        staging.cursor.create_file(path.as_str(), executable).map_err(|error| why_of_disk(&error))
    }

    fn drop_special(&mut self, path: &MemberPath, what: &str) {
        self.totals.dropped_count += 1;
        if self.totals.dropped.len() < DROPPED_SHOWN_MAX {
            self.totals.dropped.push(format!("{path}: {what}"));
        }
    }

    fn check_bytes(&self, more: u64) -> Result<(), Why> {
        if self.totals.bytes.saturating_add(more) > self.limits.bytes {
            return Err(Why::Bytes { max: self.limits.bytes });
        }
        let (unpacked, most) =
            (self.archive.unpacked.saturating_add(more), self.archive.packed.saturating_mul(self.limits.ratio));
        if unpacked > most.max(self.limits.free_bytes) {
            return Err(Why::Ratio { max: self.limits.ratio });
        }
        Ok(())
    }

    fn add_bytes(&mut self, more: u64) -> Result<(), Why> {
        self.check_bytes(more)?;
        self.totals.bytes += more;
        self.archive.unpacked += more;
        self.progress.bytes = self.totals.bytes;
        self.tick()
    }

    /// Looks at the clock: for the limit, and for a word on how it goes.
    fn tick(&mut self) -> Result<(), Why> {
        let now = clock::now();
        if now.duration_since(self.started) > Duration::from_secs(self.limits.seconds) {
            return Err(Why::Seconds { max: self.limits.seconds });
        }
        if now.duration_since(self.reported) >= REPORT_EVERY {
            self.reported = now;
            self.say();
        }
        Ok(())
    }

    fn say(&mut self) {
        let reached = self.archive.reached.get().min(self.archive.packed);
        self.progress.packed_done = self.archive.packed_before + reached;
        (self.report)(Line::Progress(self.progress.clone()));
    }
}

/// The path a member's name stands for; `None` for the folder itself, which tar lists as `./`.
fn path_of(name: &str) -> Result<Option<MemberPath>, Why> {
    let mut text = name;
    while let Some(rest) = text.strip_prefix("./") {
        text = rest;
    }
    let text = text.strip_suffix('/').unwrap_or(text);
    if text == "." || (text.is_empty() && !name.is_empty() && !name.starts_with('/')) {
        return Ok(None);
    }
    MemberPath::new(text).map(Some).map_err(|error| Why::Path { reason: error.to_string() })
}

fn parent_of(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(parent, _)| parent)
}
