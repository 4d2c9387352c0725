//! A move to another library is hit at each of its disk operations in both of them, by an error and by an end of
//! everything. After recovery the game is whole in exactly one of the two, byte for byte, and there is nothing else.

#![expect(clippy::print_stdout, reason = "says how many points were tried")]

use std::{cell::Cell, fs, path::Path, sync::Arc};

use rustix::io::Errno;

use super::{super::bench_tests::*, super::recover, *};
use crate::io::disk::{Fault, Faults, Place};

/// What a move begins with: an installed game that its user changed, with files of theirs in it and beside it.
fn lay_out(dir: &Path) {
    let root = dir.join("one/game");
    installed_old(&root);
    write(&root, "notes.txt", b"mine");
    fs::create_dir_all(root.join("hollow/inner")).unwrap();
    fs::create_dir_all(dir.join("two/other")).unwrap();
}

fn libraries(dir: &Path, faults: &Arc<Faults>) -> (Library, Library) {
    let open = |name| Library::open(&dir.join(name)).unwrap().with_faults(Arc::clone(faults));
    (open("one"), open("two"))
}

fn go(route: Route<'_>, expect: &dyn Fn(u64), watcher: &mut Watcher<'_>) -> Result<Carried, MoveError> {
    let free = || Ok(());
    let mut watch = |bytes| watcher(bytes);
    let mut questions = Questions { room: &|_| Ok(()), quiet: &free, expect, watcher: &mut watch };
    carry(route, &mut Memory::none(), &mut questions)
}

/// Moves it from the first library to the second, and takes the old one away.
fn moved(dir: &Path, faults: &Arc<Faults>) -> Result<Carried, MoveError> {
    let (from, to) = libraries(dir, faults);
    let route = Route { game: &Party::game(), from: &from, to: &to };
    let carried = go(route, &|_| {}, &mut |_| ControlFlow::Continue(()))?;
    if carried == Carried::Copied {
        drop_old(route)?;
    }
    Ok(carried)
}

/// All there is in both libraries.
fn both(dir: &Path) -> Snapshot {
    Tree::read(dir).snapshot().into_iter().filter(|(path, _)| !path.ends_with(".new")).collect()
}

/// What a start of potluck does; gives what is there then.
fn recovered(dir: &Path, what: &str) -> Snapshot {
    let places = ["one", "two"].map(|name| Place { path: dir.join(name), min_free: 0, make: false });
    let libraries = Libraries::open(places.into()).unwrap();
    let notes = settle_moves(&libraries);
    assert!(notes.is_empty(), "{what}: {notes:?}");
    for (_, library) in libraries.each() {
        if library.open_root(&Party::game()).is_ok() {
            recover(&library, &Party::game(), &mut Memory::none()).unwrap();
        }
    }
    libraries.release();
    for name in ["one", "two"] {
        fs::remove_file(dir.join(name).join(".potluck.lock")).unwrap();
    }
    both(dir)
}

fn faults(across: bool, point: u64, fault: Fault) -> Arc<Faults> {
    let faults = Faults::at(point, fault);
    Arc::new(if across { faults.apart() } else { faults })
}

struct Course {
    across: bool,
    template: Tree,
    old: Snapshot,
    new: Snapshot,
    points: u64,
}

impl Course {
    /// With a disk that does not rename from one library to the other, or with one that does.
    fn of(across: bool) -> Self {
        let dir = temp_dir();
        lay_out(dir.path());
        let (template, old) = (Tree::read(dir.path()), both(dir.path()));
        let faults = faults(across, u64::MAX, Fault::Stop);
        let carried = moved(dir.path(), &faults).unwrap();
        assert_eq!(carried, if across { Carried::Copied } else { Carried::Renamed });
        let new = both(dir.path());
        let expect = |path: &str| path.replacen("one/game", "two/game", 1);
        let expected: Snapshot = old.iter().map(|(path, what)| (expect(path), what.clone())).collect();
        assert_same(&new, &expected, "moved");
        Self { across, template, old, new, points: faults.count() }
    }
}

impl Course {
    fn hit(&self, point: u64, fault: Fault) -> (tempfile::TempDir, Arc<Faults>, Result<Carried, MoveError>) {
        let dir = temp_dir();
        fs::remove_dir(dir.path()).unwrap();
        self.template.write(dir.path());
        let faults = faults(self.across, point, fault);
        let result = moved(dir.path(), &faults);
        (dir, faults, result)
    }

    /// Whether it is the new state; neither is none.
    fn is_new(&self, found: &Snapshot, what: &str) -> bool {
        if *found == self.new {
            return true;
        }
        assert_same(found, &self.old, &format!("{what}: neither the old state nor the new one"));
        false
    }
}

fn at_every_operation(across: bool) {
    let course = Course::of(across);
    let (mut tried, mut old, mut new) = (0, 0, 0);
    let once = [Errno::IO, Errno::NOSPC, Errno::ACCESS].map(Fault::Once);
    for fault in once.into_iter().chain([Fault::Done(Errno::IO), Fault::Stop, Fault::Full]) {
        for point in 1..=course.points {
            let what = format!("{fault:?} at {point} of {}, across: {across}", course.points);
            let (dir, faults, result) = course.hit(point, fault);
            if faults.hit().is_none() {
                continue;
            }
            tried += 1;
            // Without an end of everything the move itself puts right what it can.
            if let (Fault::Once(_) | Fault::Done(_), Err(_)) = (fault, &result)
                && dir.path().join("one/game").exists()
            {
                assert!(!dir.path().join("two/game").exists(), "{what}: in both");
            }
            let after = recovered(dir.path(), &what);
            let is_new = course.is_new(&after, &what);
            assert!(is_new || result.is_err(), "{what}: it said that it was moved, and it was not");
            assert_same(&recovered(dir.path(), &what), &after, &format!("{what}: a second recovery changed something"));
            if is_new {
                new += 1;
            } else {
                old += 1;
                moved(dir.path(), &Arc::new(Faults::count_only().apart()))
                    .unwrap_or_else(|error| panic!("{what}, begun again: {error}"));
                assert_same(&both(dir.path()), &course.new, &format!("{what}, begun again"));
            }
        }
    }
    println!("{} points, {tried} faults: {old} times where it was, {new} times where it goes", course.points);
    assert!(tried > course.points && new > 0 && old > 0, "{tried} faults, {old} old, {new} new");
}

#[test]
fn a_move_by_one_rename_survives_an_error_at_any_operation() {
    at_every_operation(false);
}

#[test]
fn a_move_across_file_systems_survives_an_error_at_any_operation() {
    at_every_operation(true);
}

#[test]
fn an_error_during_a_move_leaves_the_game_in_one_library_without_any_recovery() {
    let course = Course::of(true);
    for point in 1..=course.points {
        let (dir, faults, _) = course.hit(point, Fault::Once(Errno::IO));
        let (one, two) = (dir.path().join("one/game").exists(), dir.path().join("two/game").exists());
        assert!(one != two, "{:?} at {point}: one {one}, two {two}", faults.hit());
    }
}

#[test]
fn what_the_user_does_meanwhile_ends_the_move_and_is_kept() {
    let dir = temp_dir();
    lay_out(dir.path());
    let (from, to) = libraries(dir.path(), &Arc::new(Faults::count_only().apart()));
    let (route, seen) = (Route { game: &Party::game(), from: &from, to: &to }, Cell::new(false));
    let result = go(route, &|_| {}, &mut |_| {
        if !seen.replace(true) {
            write(dir.path(), "one/game/local/saves/2.sav", "level 4");
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(MoveError::Changing)), "{result:?}");
    assert!(dir.path().join("one/game/local/saves/2.sav").is_file());
    assert_eq!(fs::read_dir(dir.path().join("two")).unwrap().count(), 1, "nothing but the other game");
}

#[test]
fn a_move_that_is_stopped_or_refused_leaves_no_trace() {
    let dir = temp_dir();
    lay_out(dir.path());
    let old = both(dir.path());
    let (from, to) = libraries(dir.path(), &Arc::new(Faults::count_only().apart()));
    let route = Route { game: &Party::game(), from: &from, to: &to };
    let bytes = Cell::new(0);
    let stopped = go(route, &|total| bytes.set(total), &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(MoveError::Cancelled)), "{stopped:?}");
    assert!(bytes.get() > 0);
    assert_same(&both(dir.path()), &old, "stopped");
    fs::create_dir(dir.path().join("two/game")).unwrap();
    let twice = go(route, &|_| {}, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(twice, Err(MoveError::Exists { .. })), "{twice:?}");
}

#[test]
fn a_folder_that_is_not_ours_and_a_library_that_is_away_are_left_alone() {
    let dir = temp_dir();
    lay_out(dir.path());
    write(dir.path(), "two/.potluck-moving-game/game/theirs", "x");
    write(dir.path(), "one/.potluck-moved-game/theirs", "x");
    let record = Journal::Move { from: "/elsewhere".to_owned(), to: "/away".to_owned() }.encode().unwrap();
    write(dir.path(), "two/.potluck-moving-quake/mark.json", &record);
    write(dir.path(), "one/.potluck-moved-doom/.potluck/journal.json", &record);
    let old = both(dir.path());
    let places = ["one", "two"].map(|name| Place { path: dir.path().join(name), min_free: 0, make: false });
    let libraries = Libraries::open(places.into()).unwrap();
    let notes = settle_moves(&libraries);
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("the library /away is not there")), "{notes:?}");
    drop(libraries);
    let new: Snapshot = both(dir.path()).into_iter().filter(|(path, _)| !path.ends_with(".lock")).collect();
    assert_same(&new, &old, "left alone");
}
