//! What a loss of power leaves. The operations of a change are recorded, and then played again on a model of a disk on
//! which, at every moment, any of those that no sync has made durable yet may be missing: a write whose rename is there,
//! a rename whose write is there, a deletion that came before one that was asked for first. All that is assumed to be kept
//! in order is the history of one name and of one file's names, that nothing is in a folder before the folder is there,
//! and that a folder goes when it is empty; ext4 and btrfs keep much more. From each state that a disk can be in,
//! recovery must lead to the old state or to the new one.

#![expect(clippy::print_stdout, reason = "says how many states were tried, and how to try them again")]

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
};

use rustix::io::Errno;
use tempfile::TempDir;

use super::{bench_tests::*, crash_tests::*};
use crate::io::disk::{DiskOp, Fault, Faults};

/// Random states of each moment, besides those with one or two operations missing.
const RANDOM: u64 = 8;

/// In every so many states the change is then begun again.
const AGAIN: usize = 8;

/// A file, a link or a folder, whatever its names.
type Inode = usize;

/// A name in a folder.
type Slot = (Inode, String);

/// What an operation does to the disk, in terms of inodes.
#[derive(Debug, Clone)]
enum Effect {
    /// Names come to stand for something, or for nothing, in one operation.
    Names {
        changes: Vec<(Slot, Option<Inode>)>,
        empty_folder: Option<Inode>,
    },
    Bytes {
        inode: Inode,
        offset: usize,
        bytes: Vec<u8>,
    },
    Size {
        inode: Inode,
        size: usize,
    },
    Mode {
        inode: Inode,
        executable: bool,
    },
    Time {
        inode: Inode,
        mtime_ns: i64,
    },
}

impl Effect {
    /// Whether it cannot be there without what was done before it.
    fn is_bound_to(&self, earlier: &Self) -> bool {
        let (Self::Names { changes, empty_folder }, Self::Names { changes: earlier, .. }) = (self, earlier) else {
            return false;
        };
        earlier.iter().any(|(was_slot, was)| {
            let same = |(slot, inode): &(Slot, Option<Inode>)| {
                slot == was_slot || was.is_some() && (inode == was || Some(slot.0) == *was)
            };
            changes.iter().any(same) || *empty_folder == Some(was_slot.0)
        })
    }
}

fn names(changes: Vec<(Slot, Option<Inode>)>) -> Effect {
    Effect::Names { changes, empty_folder: None }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Thing {
    Folder(BTreeMap<String, Inode>),
    Link { target: String, mtime_ns: i64 },
    File { bytes: Vec<u8>, executable: bool, mtime_ns: i64 },
}

/// Disks: things by their number, of which the first is the folder that the libraries are in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Disk(Vec<Thing>);

const ROOT: Inode = 0;

impl Disk {
    fn of(tree: &Tree) -> Self {
        let mut disk = Self(vec![Thing::Folder(BTreeMap::new())]);
        for (path, node) in tree.0.iter().filter(|(path, _)| !path.is_empty()) {
            let thing = match node {
                Node::Folder => Thing::Folder(BTreeMap::new()),
                Node::Link { target, mtime_ns } => Thing::Link { target: target.clone(), mtime_ns: *mtime_ns },
                Node::File { bytes, executable, mtime_ns } => {
                    Thing::File { bytes: bytes.clone(), executable: *executable, mtime_ns: *mtime_ns }
                }
            };
            let slot = disk.slot(path);
            let inode = disk.add(thing);
            disk.apply(&names(vec![(slot, Some(inode))]));
        }
        disk
    }

    fn add(&mut self, thing: Thing) -> Inode {
        self.0.push(thing);
        self.0.len() - 1
    }

    fn at(&self, (folder, name): &Slot) -> Option<Inode> {
        match &self.0[*folder] {
            Thing::Folder(names) => names.get(name).copied(),
            Thing::Link { .. } | Thing::File { .. } => None,
        }
    }

    fn find(&self, path: &str) -> Inode {
        let step = |at: Inode, name: &str| self.at(&(at, name.to_owned())).unwrap_or_else(|| panic!("no {path}"));
        path.split('/').filter(|name| !name.is_empty()).fold(ROOT, step)
    }

    fn slot(&self, path: &str) -> Slot {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        (self.find(folder), name.to_owned())
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Names { changes, .. } => {
                for ((folder, name), inode) in changes {
                    let Thing::Folder(names) = &mut self.0[*folder] else { panic!("{folder} is no folder") };
                    match inode {
                        Some(inode) => names.insert(name.clone(), *inode),
                        None => names.remove(name),
                    };
                }
            }
            Effect::Bytes { inode, offset, bytes: new } => {
                let bytes = self.bytes(*inode);
                bytes.resize(bytes.len().max(offset + new.len()), 0);
                bytes[*offset..offset + new.len()].copy_from_slice(new);
            }
            Effect::Size { inode, size } => self.bytes(*inode).resize(*size, 0),
            Effect::Mode { inode, executable: to } => {
                if let Thing::File { executable, .. } = &mut self.0[*inode] {
                    *executable = *to;
                }
            }
            Effect::Time { inode, mtime_ns: to } => {
                if let Thing::File { mtime_ns, .. } = &mut self.0[*inode] {
                    *mtime_ns = *to;
                }
            }
        }
    }

    fn bytes(&mut self, inode: Inode) -> &mut Vec<u8> {
        match &mut self.0[inode] {
            Thing::File { bytes, .. } => bytes,
            other @ (Thing::Folder(_) | Thing::Link { .. }) => panic!("{other:?} has no bytes"),
        }
    }

    /// What can be reached from the root.
    fn tree(&self) -> Tree {
        let mut tree = Tree::default();
        let mut left = vec![(String::new(), ROOT)];
        while let Some((path, inode)) = left.pop() {
            let node = match &self.0[inode] {
                Thing::Folder(names) => {
                    let below = |name: &String| if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
                    left.extend(names.iter().map(|(name, inode)| (below(name), *inode)));
                    Node::Folder
                }
                Thing::Link { target, mtime_ns } => Node::Link { target: target.clone(), mtime_ns: *mtime_ns },
                Thing::File { bytes, executable, mtime_ns } => {
                    Node::File { bytes: bytes.clone(), executable: *executable, mtime_ns: *mtime_ns }
                }
            };
            tree.0.insert(path, node);
        }
        tree
    }
}

/// A change as it was recorded.
struct Recording {
    /// The disk before it, with everything in it that will ever have a name.
    before: Disk,
    /// What it did.
    effects: Vec<Effect>,
    /// For each moment, of which there is one more than there are effects, which effects were durable by then.
    durable: Vec<BTreeSet<usize>>,
    /// For each effect, those that cannot be missing where it is there.
    needs: Vec<BTreeSet<usize>>,
    /// For each effect, the library it is in.
    places: Vec<String>,
    /// Whether each library is a disk of its own.
    apart: bool,
}

impl Recording {
    /// `after` tells the times of files that were made: a record of what was unpacked depends on them.
    fn of(dir: &Path, apart: bool, before: &Tree, ops: &[DiskOp], after: &Tree) -> Self {
        let mut now = Disk::of(before);
        let (effects, needs, places) = (Vec::new(), Vec::new(), Vec::new());
        let mut recording = Self { before: now.clone(), effects, durable: vec![BTreeSet::new()], needs, places, apart };
        for op in ops {
            recording.play(&mut now, dir, op);
        }
        let set = |effect: &Effect| if let Effect::Time { inode, .. } = effect { Some(*inode) } else { None };
        let set: BTreeSet<Inode> = recording.effects.iter().filter_map(set).collect();
        for (path, node) in &after.0 {
            let inode = now.find(path);
            if set.contains(&inode) {
                continue;
            }
            match (&mut recording.before.0[inode], node) {
                (Thing::File { mtime_ns, .. }, Node::File { mtime_ns: was, .. })
                | (Thing::Link { mtime_ns, .. }, Node::Link { mtime_ns: was, .. }) => *mtime_ns = *was,
                (_, _) => {}
            }
        }
        let is = |node: &Node| match node {
            Node::File { bytes, executable, .. } => (Some(bytes.clone()), *executable),
            Node::Link { target, .. } => (Some(target.clone().into_bytes()), false),
            Node::Folder => (None, false),
        };
        let bare = |tree: &Tree| {
            let below = tree.0.iter().filter(|(path, _)| !path.is_empty());
            below.map(|(path, node)| (path.clone(), is(node))).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(bare(&now.tree()), bare(after), "the model does not do what the disk did");
        recording
    }

    fn play(&mut self, now: &mut Disk, dir: &Path, op: &DiskOp) {
        let dir = format!("{}/", dir.display());
        let below = |path: &String| path.strip_prefix(&dir).expect("all of it is in one folder").to_owned();
        let name = |disk: &Disk, path: &String, inode| names(vec![(disk.slot(&below(path)), inode)]);
        let place = below(&op.path().to_owned()).split('/').next().unwrap_or_default().to_owned();
        let effect = match op {
            DiskOp::Create { path, executable } => {
                let file = Thing::File { bytes: Vec::new(), executable: *executable, mtime_ns: 0 };
                let inode = self.make(now, file);
                name(now, path, Some(inode))
            }
            DiskOp::MakeDir { path } => {
                let inode = self.make(now, Thing::Folder(BTreeMap::new()));
                name(now, path, Some(inode))
            }
            DiskOp::MakeLink { path, target } => {
                let inode = self.make(now, Thing::Link { target: target.clone(), mtime_ns: 0 });
                name(now, path, Some(inode))
            }
            DiskOp::Rename { from, to } | DiskOp::MoveOut { from, to } => {
                let (from, to) = (below(from), below(to));
                let inode = now.find(&from);
                names(vec![(now.slot(&to), Some(inode)), (now.slot(&from), None)])
            }
            DiskOp::Unlink { path } | DiskOp::RemoveDir { path } => {
                let slot = now.slot(&below(path));
                // It may have been gone already.
                let Some(inode) = now.at(&slot) else { return };
                let empty_folder = matches!(op, DiskOp::RemoveDir { .. }).then_some(inode);
                Effect::Names { changes: vec![(slot, None)], empty_folder }
            }
            DiskOp::Write { path, offset, bytes } => {
                Effect::Bytes { inode: now.find(&below(path)), offset: *offset as usize, bytes: bytes.clone() }
            }
            DiskOp::Copy { from, to, offset, len } => {
                let from = now.find(&below(from));
                let all = now.bytes(from).clone();
                let (start, end) = (*offset as usize, all.len().min((offset + len) as usize));
                Effect::Bytes { inode: now.find(&below(to)), offset: start, bytes: all[start..end].to_vec() }
            }
            DiskOp::Resize { path, size } => Effect::Size { inode: now.find(&below(path)), size: *size as usize },
            DiskOp::SetMode { path, executable } => {
                Effect::Mode { inode: now.find(&below(path)), executable: *executable }
            }
            DiskOp::SetTime { path, mtime_ns } => Effect::Time { inode: now.find(&below(path)), mtime_ns: *mtime_ns },
            DiskOp::SyncFile { path } => return self.sync_file(now.find(&below(path))),
            DiskOp::SyncDir { path } => return self.sync_dir(now.find(&below(path))),
            DiskOp::SyncFs { .. } => {
                let apart = self.apart;
                return self.sync(|_, on| !apart || on == place);
            }
        };
        now.apply(&effect);
        let bound = |(number, earlier): (usize, &Effect)| effect.is_bound_to(earlier).then_some(number);
        let mut needs: BTreeSet<usize> = self.effects.iter().enumerate().filter_map(bound).collect();
        for number in needs.clone() {
            needs.extend(self.needs[number].iter().copied());
        }
        self.needs.push(needs);
        self.effects.push(effect);
        self.places.push(place);
        let durable = self.durable.last().expect("there is one from the start").clone();
        self.durable.push(durable);
    }

    /// Things have their number from the start: a disk knows them when a name stands for them.
    fn make(&mut self, now: &mut Disk, thing: Thing) -> Inode {
        self.before.add(thing.clone());
        now.add(thing)
    }

    /// Bytes and size, not the name.
    fn sync_file(&mut self, synced: Inode) {
        self.sync(|effect, _| match effect {
            Effect::Names { .. } => false,
            Effect::Bytes { inode, .. }
            | Effect::Size { inode, .. }
            | Effect::Mode { inode, .. }
            | Effect::Time { inode, .. } => *inode == synced,
        });
    }

    /// The names in a folder, and with a name that came from elsewhere that it is gone there; not what is in the files.
    fn sync_dir(&mut self, synced: Inode) {
        self.sync(|effect, _| match effect {
            Effect::Names { changes, .. } => changes.iter().any(|((folder, _), _)| *folder == synced),
            Effect::Bytes { .. } | Effect::Size { .. } | Effect::Mode { .. } | Effect::Time { .. } => false,
        });
    }

    fn sync(&mut self, is_synced: impl Fn(&Effect, &str) -> bool) {
        let durable = self.durable.last_mut().expect("there is one from the start");
        let effects = self.effects.iter().zip(&self.places).enumerate();
        for (number, _) in effects.filter(|(_, (effect, place))| is_synced(effect, place)) {
            durable.insert(number);
            durable.extend(self.needs[number].iter().copied());
        }
    }

    /// The disk after a loss of power, at a moment, with some effects missing and what cannot be there without them.
    fn lose(&self, moment: usize, missing: &BTreeSet<usize>) -> Disk {
        let mut disk = self.before.clone();
        for (number, effect) in self.effects[..moment].iter().enumerate() {
            if !missing.contains(&number) && self.needs[number].is_disjoint(missing) {
                disk.apply(effect);
            }
        }
        disk
    }

    /// What had not been made durable at a moment.
    fn open(&self, moment: usize) -> Vec<usize> {
        (0..moment).filter(|number| !self.durable[moment].contains(number)).collect()
    }

    /// Calls with the effects that are missing, for each moment: none, each, each pair, all but each, all, and some by chance.
    fn losses(&self, random: &mut Random, visit: &mut dyn FnMut(usize, BTreeSet<usize>)) {
        for moment in 0..=self.effects.len() {
            let open = self.open(moment);
            visit(moment, BTreeSet::new());
            visit(moment, open.iter().copied().collect());
            for (index, first) in open.iter().enumerate() {
                visit(moment, BTreeSet::from([*first]));
                visit(moment, open.iter().copied().filter(|other| other != first).collect());
                for second in &open[index + 1..] {
                    visit(moment, BTreeSet::from([*first, *second]));
                }
            }
            for _ in 0..if open.len() > 2 { RANDOM } else { 0 } {
                visit(moment, open.iter().copied().filter(|_| random.next().is_multiple_of(2)).collect());
            }
        }
    }

    /// The same for the moments from one on, with what is missing: nothing, all, the oldest, the newest. There is a recovery
    /// for each moment of a change, so that more would take hours.
    fn few_losses(&self, first: usize, visit: &mut dyn FnMut(usize, BTreeSet<usize>)) {
        for moment in first..=self.effects.len() {
            let open = self.open(moment);
            visit(moment, BTreeSet::new());
            visit(moment, open.iter().copied().collect());
            let edges = open.first().into_iter().chain(open.last());
            edges.for_each(|missing| visit(moment, BTreeSet::from([*missing])));
        }
    }
}

/// Xorshift: what is needed is that it can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }
}

/// Plays losses of power, and looks whether each is survived.
struct Replay {
    course: Course,
    dir: TempDir,
    tried: u64,
    seen: HashSet<u64>,
    came_new: u64,
}

impl Replay {
    fn of(case: &'static Case) -> Self {
        let course = Course::of(case);
        Self { dir: course.lay_out(), course, tried: 0, seen: HashSet::new(), came_new: 0 }
    }

    /// The libraries, with what lies in them.
    fn tree(&self) -> Tree {
        let mut tree = Tree::read(self.dir.path());
        tree.0.retain(|path, _| !path.starts_with("source"));
        tree
    }

    /// Lays out the libraries; the rest stays.
    fn lay_out(&self, tree: &Tree) {
        for library in LIBRARIES.map(|name| self.dir.path().join(name)) {
            std::fs::remove_dir_all(library).ok();
        }
        tree.write(self.dir.path());
    }

    /// Does the change, as far as the process lives.
    fn record(&self, faults: Faults, point: u64) -> Vec<DiskOp> {
        let faults = self.course.case.faults(faults.recording());
        let mut work = self.course.begin(self.dir.path(), &faults);
        faults.arm(point);
        // Whether it came to its end shows in what it left.
        drop(work());
        faults.recorded()
    }

    fn recording(&self, before: &Tree, ops: &[DiskOp]) -> Recording {
        Recording::of(self.dir.path(), self.course.case.apart, before, ops, &self.tree())
    }

    fn lose(&mut self, recording: &Recording, moment: usize, missing: &BTreeSet<usize>, what: &str) {
        self.tried += 1;
        let mut tree = recording.lose(moment, missing).tree();
        for (path, node) in &mut tree.0 {
            if let (true, Node::File { bytes, .. }) = (path.ends_with("/boot"), node) {
                *bytes = b"of an earlier start of the machine".to_vec();
            }
        }
        let mut hasher = DefaultHasher::new();
        tree.0.hash(&mut hasher);
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        let lost: Vec<_> = missing.iter().map(|number| (number, &recording.effects[*number])).collect();
        let what = format!("{what}, power lost after {moment} of {}, missing {lost:?}", recording.effects.len());
        self.lay_out(&tree);
        self.came_new += u64::from(self.course.recovers(self.dir.path(), &what));
        if self.seen.len().is_multiple_of(AGAIN) {
            self.course.succeeds_again(self.dir.path(), &what);
        }
    }

    fn say(&self, what: &str) {
        let (tried, seen, came_new) = (self.tried, self.seen.len(), self.came_new);
        println!("{what}: {tried} losses of power, {seen} states of the disk, {came_new} came to the new one");
        assert!(came_new > 0 && came_new <= seen as u64);
    }
}

/// Plays every loss of power in the course of a change.
fn losses(name: &str) {
    let seed = std::env::var("POWER_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1_u64);
    let mut replay = Replay::of(case(name));
    let before = replay.tree();
    let ops = replay.record(Faults::count_only(), u64::MAX);
    let recording = replay.recording(&before, &ops);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    recording.losses(&mut random, &mut |moment, missing| replay.lose(&recording, moment, &missing, name));
    replay.say(&format!("{name}, seed {seed}"));
}

/// Plays every loss of power in the course of a recovery, of what a process left that was killed at any moment: the disk
/// knows nothing of that process's end, and what it had not made durable is not.
fn losses_in_recovery(name: &str) {
    let mut replay = Replay::of(case(name));
    let before = replay.tree();
    for point in 1..=replay.course.points {
        let what = format!("{name}, killed before {point} of {}, in the recovery", replay.course.points);
        replay.lay_out(&before);
        let mut ops = replay.record(Faults::at(u64::MAX, Fault::Stop), point);
        let killed_at = replay.recording(&before, &ops).effects.len();
        ops.extend(recover_library(replay.dir.path(), &what));
        let recording = replay.recording(&before, &ops);
        recording.few_losses(killed_at, &mut |moment, missing| replay.lose(&recording, moment, &missing, &what));
    }
    replay.say(&format!("{name}, in recoveries"));
}

/// Plays every loss of power after an error at any operation of a change that goes on, or is tried once more; and on a disk
/// that from some operation on can make nothing durable, while that of the other library can.
fn losses_after_an_error(name: &str) {
    let mut replay = Replay::of(case(name));
    let before = replay.tree();
    let dir = replay.dir.path().to_owned();
    let faults = [("", Fault::Once(Errno::IO)), ("library", Fault::Unsynced), ("other", Fault::Unsynced)];
    for (below, fault) in faults.into_iter().filter(|(below, _)| dir.join(below).exists()) {
        for point in 1..=replay.course.points {
            let what = format!("{name}, {fault:?} in `{below}` at {point} of {}", replay.course.points);
            replay.lay_out(&before);
            let faults = Faults::at(u64::MAX, fault).below(dir.join(below)).recording();
            let faults = replay.course.case.faults(faults);
            let mut work = replay.course.begin(&dir, &faults);
            faults.arm(point);
            if work().is_err() {
                let again = work();
                assert!(again.is_ok() || fault == Fault::Unsynced, "{what}, tried again: {again:?}");
            }
            let recording = replay.recording(&before, &faults.recorded());
            recording.few_losses(0, &mut |moment, missing| replay.lose(&recording, moment, &missing, &what));
        }
    }
    replay.say(&format!("{name}, after errors"));
}

/// Those that delete what cannot be got again, or not here, and of moves to another disk the small one; the others take minutes.
mod a_loss_of_power_after_an_error_is_survived_by {
    macro_rules! each {
        ($($case:ident)*) => { $(#[test] fn $case() { super::losses_after_an_error(stringify!($case)); })* };
    }
    each! { uninstall remove remove_clean drop_payload remove_dropped move_by_rename move_across_bare }
}

macro_rules! each_case {
    ($($case:ident)*) => {
        mod a_loss_of_power_at_any_moment_is_survived_by {
            $(#[test] fn $case() { super::losses(stringify!($case)); })*
        }

        mod a_loss_of_power_in_a_recovery_is_survived_by {
            $(#[test] fn $case() { super::losses_in_recovery(stringify!($case)); })*
        }
    };
}
each_case! {
    get update repair install reinstall uninstall remove remove_clean drop_payload get_dropped remove_dropped
    move_by_rename move_across move_across_bare
}
