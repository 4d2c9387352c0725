//! What a move to another library brings there and leaves behind, and what it leaves alone. That it survives errors, kills
//! and losses of power is shown with every other change, in `crash_tests.rs` and `power_tests.rs`.

use std::{cell::Cell, fs, path::Path, sync::Arc};

use rustix::io::Errno;

use super::{super::bench_tests::*, super::crash_tests::*, *};
use crate::io::disk::{Fault, Faults, Place};

fn lay_out(dir: &Path) {
    (case("move_across").make)(dir);
}

fn libraries(dir: &Path) -> (Library, Library) {
    let faults = Arc::new(Faults::count_only().apart());
    (library_at(dir, "library", &faults), library_at(dir, "other", &faults))
}

fn go(route: Route<'_>, expect: &dyn Fn(u64), watcher: &mut Watcher<'_>) -> Result<Carried, MoveError> {
    let mut watch = |bytes| watcher(bytes);
    let mut questions = Questions { room: &|_| Ok(()), quiet: &|| Ok(()), expect, watcher: &mut watch };
    carry(route, &mut Memory::none(), &mut questions)
}

/// All there is in both libraries, with the times of files.
fn both(dir: &Path) -> Tree {
    let mut tree = Tree::read(dir);
    tree.0.retain(|path, _| !path.ends_with(".potluck.lock"));
    tree
}

#[test]
fn a_move_brings_all_there_is_and_leaves_nothing() {
    for name in ["move_by_rename", "move_across", "move_across_bare"] {
        let dir = temp_dir();
        (case(name).make)(dir.path());
        let to = |path: &str| match path.strip_prefix("library/game") {
            Some(rest) => format!("other/game{rest}"),
            None => path.to_owned(),
        };
        let expect: Tree = Tree(both(dir.path()).0.into_iter().map(|(path, node)| (to(&path), node)).collect());
        (case(name).begin)(dir.path(), &case(name).faults(Faults::count_only()))().unwrap();
        assert_eq!(both(dir.path()), expect, "{name}");
    }
}

#[test]
fn an_error_during_a_move_leaves_the_game_in_one_library_without_any_recovery() {
    for name in ["move_by_rename", "move_across", "move_across_bare"] {
        let course = Course::of(case(name));
        for point in 1..=course.points {
            let dir = course.lay_out();
            let faults = case(name).faults(Faults::at(point, Fault::Once(Errno::IO)));
            drop(course.begin(dir.path(), &faults)());
            let (one, two) = (dir.path().join("library/game").exists(), dir.path().join("other/game").exists());
            assert!(one != two, "{name}, {:?} at {point}: one {one}, two {two}", faults.hit());
        }
    }
}

#[test]
fn what_the_user_does_meanwhile_ends_the_move_and_is_kept() {
    let dir = temp_dir();
    lay_out(dir.path());
    let (from, to) = libraries(dir.path());
    let (route, seen) = (Route { game: &Party::game(), from: &from, to: &to }, Cell::new(false));
    let result = go(route, &|_| {}, &mut |_| {
        if !seen.replace(true) {
            write(dir.path(), "library/game/local/saves/2.sav", "level 4");
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(MoveError::Changing)), "{result:?}");
    assert!(dir.path().join("library/game/local/saves/2.sav").is_file());
    assert_eq!(fs::read_dir(dir.path().join("other")).unwrap().count(), 1, "nothing but the other game");
}

#[test]
fn a_move_that_is_stopped_or_refused_leaves_no_trace() {
    let dir = temp_dir();
    lay_out(dir.path());
    let old = both(dir.path());
    let (from, to) = libraries(dir.path());
    let route = Route { game: &Party::game(), from: &from, to: &to };
    let bytes = Cell::new(0);
    let stopped = go(route, &|total| bytes.set(total), &mut |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(MoveError::Cancelled)), "{stopped:?}");
    assert!(bytes.get() > 0);
    assert_eq!(both(dir.path()), old, "stopped");
    fs::create_dir(dir.path().join("other/game")).unwrap();
    let twice = go(route, &|_| {}, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(twice, Err(MoveError::Exists { .. })), "{twice:?}");
}

#[test]
fn a_folder_that_is_not_ours_and_a_library_that_is_away_are_left_alone() {
    let dir = temp_dir();
    lay_out(dir.path());
    write(dir.path(), "other/.potluck-moving-game/game/theirs", "x");
    write(dir.path(), "library/.potluck-moved-game/theirs", "x");
    let record = Journal::Move { from: "/elsewhere".to_owned(), to: "/away".to_owned() }.encode().unwrap();
    write(dir.path(), "other/.potluck-moving-quake/mark.json", &record);
    write(dir.path(), "library/.potluck-moved-doom/.potluck/journal.json", &record);
    let old = both(dir.path());
    let places = ["library", "other"].map(|name| Place { path: dir.path().join(name), min_free: 0, make: false });
    let libraries = Libraries::open(places.into()).unwrap();
    let notes = settle_moves(&libraries);
    assert_eq!(notes.len(), 4, "{notes:?}");
    assert!(notes.iter().any(|note| note.contains("the library /away is not there")), "{notes:?}");
    drop(libraries);
    assert_eq!(both(dir.path()), old);
}
