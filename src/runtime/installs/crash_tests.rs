//! Every change of a game root is hit at each of its disk operations in turn: by an error that the disk gives once,
//! by one that comes although the operation was done, by a disk that is full from there on, by an end of everything,
//! and by SIGKILL. A retry right after it succeeds; or recovery leaves the old state or the new one, byte for byte, and
//! a second recovery has nothing to do.

#![expect(clippy::print_stdout, reason = "says how many points were tried")]

use std::{
    error::Error,
    fs,
    ops::ControlFlow,
    os::unix::fs::{PermissionsExt as _, symlink},
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use rustix::io::Errno;

use super::{bench_tests::*, *};
use crate::io::disk::{DiskOp, Fault, Faults};

/// A change of a game root, from a state of its folder.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Lays out `library/game`, in `source` the build that comes, if one does, and `other` if that library is needed.
    pub(super) make: fn(&Path),
    /// Makes ready to do it once, or once more; faults are not armed yet.
    pub(super) begin: fn(&Path, &Arc<Faults>) -> Work,
    /// Whether the two libraries are as if on two file systems.
    pub(super) apart: bool,
}

impl Case {
    const fn new(name: &'static str, make: fn(&Path), begin: fn(&Path, &Arc<Faults>) -> Work) -> Self {
        Self { name, make, begin, apart: false }
    }

    const fn apart(self) -> Self {
        Self { apart: true, ..self }
    }

    pub(super) fn faults(&self, faults: Faults) -> Arc<Faults> {
        Arc::new(if self.apart { faults.apart() } else { faults })
    }

    pub(super) fn leaves_its_library(&self) -> bool {
        self.name.starts_with("move")
    }
}

/// Bytes of a file that is laid out a thousand times.
const FEW: usize = 7;

pub(super) type Work = Box<dyn FnMut() -> Worked>;

/// A move and a change of a root fail for reasons of their own.
type Worked = Result<(), Box<dyn Error>>;

pub(super) const CASES: [Case; 14] = [
    Case::new("get", nothing_yet, get),
    Case::new("update", an_older_build, get),
    Case::new("repair", a_damaged_build, get),
    Case::new("install", a_payload, installing),
    Case::new("reinstall", an_older_game, installing),
    Case::new("uninstall", an_older_game, uninstalling),
    Case::new("remove", everything, removing),
    Case::new("remove_clean", only_ours, removing),
    Case::new("drop_payload", installed, dropping),
    Case::new("get_dropped", dropped, get),
    Case::new("remove_dropped", dropped, removing),
    Case::new("move_by_rename", a_game_and_another_library, moving),
    Case::new("move_across", a_game_and_another_library, moving).apart(),
    Case::new("move_across_bare", their_own_and_another_library, moving).apart(),
];

pub(super) fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).expect("a case of that name")
}

pub(super) fn game_in(dir: &Path) -> PathBuf {
    dir.join("library/game")
}

fn nothing_yet(dir: &Path) {
    let root = game_in(dir);
    write(&root, "edited.cfg", b"was here before");
    symlink("/etc", root.join("data")).unwrap();
    new_build(&dir.join("source"), FEW);
}

fn an_older_build(dir: &Path) {
    old_build(&game_in(dir), FEW);
    publish(&game_in(dir));
    users_own(&game_in(dir));
    new_build(&dir.join("source"), FEW);
}

fn a_damaged_build(dir: &Path) {
    let root = game_in(dir);
    new_build(&root, FEW);
    publish(&root);
    write(&root, "data/changes.pak", [2; FEW]);
    fs::remove_file(root.join("run")).unwrap();
    fs::remove_file(root.join("link")).unwrap();
    new_build(&dir.join("source"), FEW);
}

fn a_payload(dir: &Path) {
    small_payload(&game_in(dir), "2", NEW_FILES);
}

fn an_older_game(dir: &Path) {
    installed_old(&game_in(dir));
}

/// Installed, changed by its user, with files of theirs beside it and a download that was begun.
fn everything(dir: &Path) {
    an_older_game(dir);
    write(&game_in(dir), "notes.txt", b"mine");
    new_build(&dir.join("source"), FEW);
    drop(Party::at(dir).download(None));
}

fn only_ours(dir: &Path) {
    a_payload(dir);
    install_stored(&GameRoot::open(&game_in(dir)).unwrap(), &mut on).unwrap();
    new_build(&dir.join("source"), FEW);
    drop(Party::at(dir).download(None));
}

/// Installed, with a file of the payload that its user changed and one beside it.
fn installed(dir: &Path) {
    let root = game_in(dir);
    new_build(&root, FEW);
    publish(&root);
    install_stored(&GameRoot::open(&root).unwrap(), &mut on).unwrap();
    write(&root, "edited.cfg", b"my own");
    write(&root, "saves/1.sav", b"mine");
    write(&root, "local/saves/1.sav", b"mine");
}

/// Small, because a download of it is hit at every operation too.
fn dropped(dir: &Path) {
    let root = game_in(dir);
    small_payload(&root, "2", NEW_FILES);
    install_stored(&GameRoot::open(&root).unwrap(), &mut on).unwrap();
    write(&root, "data/config.cfg", "my own settings");
    write(&root, "local/saves/1.sav", b"mine");
    drop_payload(&GameRoot::open(&root).unwrap(), &mut Memory::none()).unwrap();
    small_payload(&dir.join("source"), "2", NEW_FILES);
}

/// Small, because every pair of operations is left out once in the course of copying it.
fn a_game_and_another_library(dir: &Path) {
    let root = game_in(dir);
    write(&root, "version.ini", "1");
    write(&root, "run.sh", "#!");
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    publish(&root);
    install_stored(&GameRoot::open(&root).unwrap(), &mut on).unwrap();
    write(&root, "local/saves/1.sav", "level 3");
    fs::create_dir(root.join("hollow")).unwrap();
    symlink("run.sh", root.join("link")).unwrap();
    fs::create_dir_all(dir.join("other/another")).unwrap();
}

/// Nothing of it is potluck's.
fn their_own_and_another_library(dir: &Path) {
    write(&game_in(dir), "data/notes.txt", "mine");
    write(&game_in(dir), "read me", "mine too");
    fs::create_dir_all(dir.join("other/another")).unwrap();
}

fn dropping(dir: &Path, faults: &Arc<Faults>) -> Work {
    let library = library(dir, faults);
    Box::new(move || Ok(drop_payload(&library.open_root(&Party::game())?, &mut Memory::none()).map(drop)?))
}

fn get(dir: &Path, faults: &Arc<Faults>) -> Work {
    let party = Party::at(dir);
    // As every transfer does before it looks what is here.
    finish_commit(&party.library().open_root(&Party::game()).unwrap(), &mut Memory::none()).unwrap();
    let incoming = party.download(Some(faults));
    let faults = Arc::clone(faults);
    Box::new(move || Ok(party.commit(&incoming, Some(&faults)).map(drop)?))
}

fn library(dir: &Path, faults: &Arc<Faults>) -> Library {
    library_at(dir, "library", faults)
}

pub(super) fn library_at(dir: &Path, name: &str, faults: &Arc<Faults>) -> Library {
    Library::open(&dir.join(name)).unwrap().with_faults(Arc::clone(faults))
}

fn installing(dir: &Path, faults: &Arc<Faults>) -> Work {
    let library = library(dir, faults);
    Box::new(move || Ok(install_stored(&library.open_root(&Party::game())?, &mut on).map(drop)?))
}

fn uninstalling(dir: &Path, faults: &Arc<Faults>) -> Work {
    let library = library(dir, faults);
    Box::new(move || Ok(uninstall(&library.open_root(&Party::game())?).map(drop)?))
}

fn removing(dir: &Path, faults: &Arc<Faults>) -> Work {
    let library = library(dir, faults);
    Box::new(move || match remove_game(&library, &Party::game(), &mut Memory::none()) {
        // The last try removed it to the very end.
        Err(InstallError::Disk(error)) if error.is_missing() => Ok(()),
        result => Ok(result.map(drop)?),
    })
}

fn moving(dir: &Path, faults: &Arc<Faults>) -> Work {
    let [from, to] = ["library", "other"].map(|name| library_at(dir, name, faults));
    Box::new(move || {
        let route = Route { game: &Party::game(), from: &from, to: &to };
        match carry_quietly(route) {
            Ok(Carried::Copied) => Ok(drop_old(route)?),
            Ok(Carried::Renamed) => Ok(()),
            // The last try moved it, and failed when it took the old one away.
            Err(MoveError::Exists { .. }) if from.open_root(&Party::game()).is_err() => Ok(()),
            Err(error) => Err(error.into()),
        }
    })
}

/// There is room, nobody plays, and nobody stops it.
pub(super) fn carry_quietly(route: Route<'_>) -> Result<Carried, MoveError> {
    let mut watcher = |_| ControlFlow::Continue(());
    let mut questions = Questions { room: &|_| Ok(()), quiet: &|| Ok(()), expect: &|_| (), watcher: &mut watcher };
    carry(route, &mut Memory::none(), &mut questions)
}

/// What a case begins with and ends with, and how many operations lie between.
pub(super) struct Course {
    pub(super) case: &'static Case,
    template: Tree,
    pub(super) old: Snapshot,
    pub(super) new: Snapshot,
    pub(super) points: u64,
}

impl Course {
    pub(super) fn of(case: &'static Case) -> Self {
        let dir = temp_dir();
        (case.make)(dir.path());
        let template = Tree::read(dir.path());
        let faults = case.faults(Faults::count_only());
        let mut work = (case.begin)(dir.path(), &faults);
        let old = snapshot(dir.path());
        faults.arm(u64::MAX);
        work().unwrap();
        Self { case, template, old, new: snapshot(dir.path()), points: faults.count() }
    }

    pub(super) fn lay_out(&self) -> tempfile::TempDir {
        let dir = temp_dir();
        let at = dir.path().to_owned();
        fs::remove_dir(&at).unwrap();
        self.template.write(&at);
        dir
    }

    pub(super) fn begin(&self, dir: &Path, faults: &Arc<Faults>) -> Work {
        (self.case.begin)(dir, faults)
    }

    /// Does the change and is hit at a point; `None` when no disk says that there.
    fn hit(&self, dir: &Path, fault: Fault, point: u64) -> Option<(Work, Worked)> {
        let faults = self.case.faults(Faults::at(u64::MAX, fault));
        let mut work = (self.case.begin)(dir, &faults);
        faults.arm(point);
        let result = work();
        match (fault, faults.hit()?) {
            (Fault::Once(Errno::XDEV), DiskOp::Rename { .. } | DiskOp::MoveOut { .. } | DiskOp::Copy { .. }) => {}
            // A file system without that right is no reason to refuse a game.
            (Fault::Once(Errno::XDEV), _) | (Fault::Once(Errno::ACCESS), DiskOp::SetMode { .. }) => return None,
            (Fault::Once(_) | Fault::Done(_) | Fault::Stop | Fault::Full | Fault::Unsynced | Fault::Kill, _) => {}
        }
        Some((work, result))
    }

    /// After a crash: recovery leaves the old state or the new one, and has nothing to do a second time. Says whether it
    /// was the new one.
    pub(super) fn recovers(&self, dir: &Path, what: &str) -> bool {
        recover_library(dir, what);
        let after = snapshot(dir);
        let is_new = after == self.new;
        if !is_new {
            assert_same(&after, &self.old, &format!("{what}: neither the old state nor the new one"));
        }
        let again = recover_library(dir, what);
        assert!(again.is_empty(), "{what}: a second recovery did {again:?}");
        assert_same(&snapshot(dir), &after, &format!("{what}: a second recovery changed something"));
        is_new
    }

    /// Whatever was left, the change succeeds when it is asked for again.
    pub(super) fn succeeds_again(&self, dir: &Path, what: &str) {
        let again = (self.case.begin)(dir, &self.case.faults(Faults::count_only()))();
        again.unwrap_or_else(|error| panic!("{what}, begun again: {error}"));
        assert_same(&snapshot(dir), &self.new, &format!("{what}, begun again"));
    }
}

/// What is in the game, by its path there, and what else there is in the libraries, by its path from the root of all.
pub(super) fn snapshot(dir: &Path) -> Snapshot {
    let mut snapshot = Tree::read(&game_in(dir)).snapshot();
    for path in LIBRARIES.into_iter().flat_map(|name| entries(&dir.join(name))) {
        // The game's folder without anything in it is as good as none, unless the game is elsewhere.
        let is_game = path == game_in(dir);
        if !is_game || dir.join("other/game").exists() {
            let at = format!("/{}", path.strip_prefix(dir).unwrap().display());
            let tree = if is_game { Tree::default() } else { Tree::read(&path) };
            snapshot.extend(tree.snapshot().into_iter().map(|(path, what)| (format!("{at}/{path}"), what)));
            snapshot.insert(at, "folder".to_owned());
        }
    }
    snapshot
}

pub(super) const LIBRARIES: [&str; 2] = ["library", "other"];

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// What a start does; gives what that did to the disk.
pub(super) fn recover_library(dir: &Path, what: &str) -> Vec<DiskOp> {
    let faults = Arc::new(Faults::count_only().recording());
    let there = LIBRARIES.into_iter().filter(|name| dir.join(name).exists());
    let libraries: Vec<_> = there.map(|name| Arc::new(library_at(dir, name, &faults))).collect();
    let notes = moving::settle_between(&libraries);
    assert!(notes.is_empty(), "{what}: {notes:?}");
    for library in libraries.iter().filter(|library| library.open_root(&Party::game()).is_ok()) {
        match recover(library, &Party::game(), &mut Memory::none()) {
            Ok(Recovered::GaveUp { reason }) => panic!("{what}: recovery gave up: {reason}"),
            Ok(_) => {}
            Err(error) => panic!("{what}: recovery failed: {error}"),
        }
    }
    faults.recorded()
}

/// Hits a change with every kind of error at every point.
fn errors(name: &str) {
    let course = Course::of(case(name));
    let kinds = [Errno::IO, Errno::NOSPC, Errno::ACCESS, Errno::XDEV];
    let once = kinds.into_iter().map(Fault::Once);
    let (mut tried, mut failed) = (0, 0);
    for fault in once.chain([Fault::Done(Errno::IO), Fault::Stop, Fault::Full]) {
        for point in 1..=course.points {
            let what = format!("{name}, {fault:?} at {point} of {}", course.points);
            let lay_out_and_hit = || {
                let dir = course.lay_out();
                course.hit(dir.path(), fault, point).map(|(work, result)| (dir, work, result))
            };
            // The process goes on, and somebody tries again.
            let Some((dir, mut work, result)) = lay_out_and_hit() else { continue };
            tried += 1;
            if result.is_ok() {
                assert_same(&snapshot(dir.path()), &course.new, &format!("{what}: it said that it was done"));
                continue;
            }
            failed += 1;
            if matches!(fault, Fault::Once(_) | Fault::Done(_)) {
                work().unwrap_or_else(|error| panic!("{what}, tried again: {error}"));
                assert_same(&snapshot(dir.path()), &course.new, &format!("{what}, tried again"));
                continue;
            }
            drop(work);
            // It goes on, and begins anew.
            course.succeeds_again(dir.path(), &what);
            // It ends, and the next one recovers.
            let Some((dir, ..)) = lay_out_and_hit() else { continue };
            course.recovers(dir.path(), &what);
            course.succeeds_again(dir.path(), &what);
            // The game is removed instead; nothing of ours is in the way.
            let Some((dir, ..)) = lay_out_and_hit() else { continue };
            removed(dir.path(), &what);
        }
    }
    println!("{name}: {} points, {tried} faults, {failed} of them failed the change", course.points);
    assert!(failed > course.points / 2, "{failed} failures at {} points", course.points);
}

/// Removes a game; only the user's own may be left.
fn removed(dir: &Path, what: &str) {
    if !game_in(dir).exists() {
        // It was removed to the very end, or has moved.
        return;
    }
    removing(dir, &Arc::new(Faults::count_only()))().unwrap_or_else(|error| panic!("{what}, then removed: {error}"));
    // The copy that a move made is taken away by the next start.
    recover_library(dir, what);
    for path in snapshot(dir).keys() {
        let theirs = match path.split('/').next().unwrap() {
            "" => path == "/other/another",
            ".potluck" => path.starts_with(".potluck/replaced"),
            top => ["notes.txt", "edited.cfg", "in", "mods", "saves", "local", "data", "hollow", "link", "read me"]
                .contains(&top),
        };
        assert!(theirs, "{what}, then removed: {path} is left");
    }
}

macro_rules! each_case {
    ($($case:ident)*) => {
        mod an_error_at_any_operation_is_survived_by {
            $(#[test] fn $case() { super::errors(stringify!($case)); })*
        }

        mod a_kill_at_any_operation_is_survived_by {
            $(#[test] fn $case() { super::kills(stringify!($case)); })*
        }
    };
}
each_case! {
    get update repair install reinstall uninstall remove remove_clean drop_payload get_dropped remove_dropped
    move_by_rename move_across move_across_bare
}

/// Tells a child process which change to do where, and when to die.
const CHILD: &str = "POTLUCK_TEST_KILLED_CHILD";

/// Kills a process before each operation of a change. After an operation is before the next one, as far as the disk can
/// tell; after the last one it is let go on to its end.
fn kills(name: &str) {
    let course = Course::of(case(name));
    let (mut kept_old, mut came_new) = (0, 0);
    for point in 1..=course.points + 1 {
        let what = format!("{name}, killed before {point} of {}", course.points);
        let dir = course.lay_out();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "runtime::installs::crash_tests::child"])
            .env(CHILD, format!("{name}:{point}:{}", dir.path().display()))
            .output()
            .unwrap();
        let said = || String::from_utf8_lossy(&child.stdout).into_owned();
        let expect = if point <= course.points { Some(9) } else { None };
        assert_eq!(child.status.signal(), expect, "{what}: {}", said());
        if course.recovers(dir.path(), &what) {
            came_new += 1;
        } else {
            kept_old += 1;
        }
        course.succeeds_again(dir.path(), &what);
    }
    println!("{name}: killed {} times, {kept_old} kept the old state, {came_new} came to the new one", course.points);
    assert!(came_new > 0 && (kept_old > 0 || name.starts_with("remove")), "{kept_old} old, {came_new} new");
}

/// What a child process does; by itself it does nothing.
#[test]
fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let [name, point, dir] = task.splitn(3, ':').collect::<Vec<_>>().try_into().unwrap();
    course_of_child(case(name), Path::new(dir), point.parse().unwrap());
}

fn course_of_child(case: &Case, dir: &Path, point: u64) {
    let faults = case.faults(Faults::at(u64::MAX, Fault::Kill));
    let mut work = (case.begin)(dir, &faults);
    faults.arm(point);
    work().unwrap();
}
