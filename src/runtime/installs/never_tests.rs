//! What must never happen to a game's folder, looked for at every moment of every change: also before recovery, as
//! somebody finds it who looks while the process is gone.

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use super::{bench_tests::*, crash_tests::*, *};
use crate::{
    io::disk::{Fault, Faults},
    wire::journal::JOURNAL_BYTES_MAX,
};

/// Ends a change before each of its operations, and shows what is there then.
fn at_each_end(name: &str, see: &mut dyn FnMut(&Course, &Path, &str)) {
    let course = Course::of(case(name));
    for point in 1..=course.points + 1 {
        let dir = course.lay_out();
        let faults = case(name).faults(Faults::at(u64::MAX, Fault::Stop));
        let mut work = course.begin(dir.path(), &faults);
        faults.arm(point);
        // Whether it came to its end shows in what it left.
        drop(work());
        drop(work);
        see(&course, dir.path(), &format!("{name}, ended before {point} of {}", course.points));
    }
}

fn below<'s>(snapshot: &'s Snapshot, folder: &str) -> BTreeSet<(&'s String, &'s String)> {
    snapshot.iter().filter(|(path, _)| Path::new(path).starts_with(folder)).collect()
}

#[test]
fn local_is_never_half_written_and_called_installed() {
    for name in ["install", "reinstall", "uninstall"] {
        at_each_end(name, &mut |course, dir, what| {
            let now = snapshot(dir);
            let is = installation(&GameRoot::open(&game_in(dir)).unwrap()).unwrap();
            let local = below(&now, "local");
            let whole = local == below(&course.old, "local") || local == below(&course.new, "local");
            // Between two renames there is none.
            assert!(whole || is == Installation::None && local.is_empty(), "{what}: {is:?}, {local:?}");
            assert_ne!(is, Installation::Theirs, "{what}");
        });
    }
}

#[test]
fn a_sentinel_is_never_beside_missing_or_unverified_files() {
    for name in ["get", "update", "remove", "remove_clean"] {
        at_each_end(name, &mut |course, dir, what| {
            let now = snapshot(dir);
            let payload = |snapshot: &Snapshot| -> Snapshot {
                let ours = |path: &str| {
                    !path.starts_with(".potluck") && !path.starts_with("local") && !path.starts_with(".local")
                };
                snapshot
                    .iter()
                    .filter(|(path, _)| ours(path))
                    .map(|(path, what)| (path.clone(), what.clone()))
                    .collect()
            };
            if now.contains_key("version.ini") {
                let whole = [&course.old, &course.new].into_iter().any(|state| payload(state) == payload(&now));
                assert!(whole, "{what}: {:?}", payload(&now));
            }
        });
    }
}

#[test]
fn files_of_the_user_are_never_lost_by_a_failed_change() {
    for (name, theirs) in [
        ("get", &[&b"was here before"[..]][..]),
        ("update", &[b"my own", b"a file of mine where a folder comes", b"another one", b"mine", b"by somebody"]),
        ("reinstall", &[b"my own settings", b"level 3", b"a mod"]),
        ("uninstall", &[b"my own settings", b"level 3", b"a mod"]),
        ("remove", &[b"my own settings", b"level 3", b"a mod", b"mine"]),
    ] {
        at_each_end(name, &mut |_, dir, what| {
            for moment in ["before recovery", "after it"] {
                let tree = Tree::read(&game_in(dir));
                for theirs in theirs {
                    let is_it = |node: &Node| matches!(node, Node::File { bytes, .. } if bytes == theirs);
                    let text = String::from_utf8_lossy(theirs);
                    assert!(tree.0.values().any(is_it), "{what}: `{text}` is lost {moment}");
                }
                recover_library(dir, what);
            }
        });
    }
}

#[test]
fn nothing_is_written_outside_the_root_of_a_game() {
    for name in CASES.iter().filter(|case| !case.leaves_its_library()).map(|case| case.name) {
        let outside = |dir: &Path| {
            let mut tree = Tree::read(dir);
            tree.0.retain(|path, _| !Path::new(path).starts_with("library/game"));
            tree
        };
        let dir = temp_dir();
        (case(name).make)(dir.path());
        let before = outside(dir.path());
        at_each_end(name, &mut |course, dir, what| {
            recover_library(dir, what);
            assert_eq!(outside(dir).0.len(), before.0.len(), "{what}");
            course.succeeds_again(dir, what);
            let (now, was) = (outside(dir).snapshot(), before.snapshot());
            assert_same(&now, &was, what);
        });
    }
}

#[test]
fn what_somebody_else_put_at_a_name_of_ours_is_never_deleted() {
    for theirs in ["local", ".local.installing", ".local.backup", ".local.removing"] {
        for name in ["install", "uninstall", "remove", "update"] {
            let dir = temp_dir();
            (case(name).make)(dir.path());
            let root = game_in(dir.path());
            fs::remove_dir_all(root.join(theirs)).ok();
            write(&root, &format!("{theirs}/precious.txt"), "by hand");
            // It may be refused, which is as good.
            drop((case(name).begin)(dir.path(), &Arc::new(Faults::count_only()))());
            drop(recover(&Library::open(&dir.path().join("library")).unwrap(), &Party::game(), &mut Memory::none()));
            let bytes = fs::read(root.join(theirs).join("precious.txt"));
            assert_eq!(bytes.ok().as_deref(), Some(&b"by hand"[..]), "{theirs}, {name}");
        }
    }
}

#[test]
fn a_journal_never_grows_and_is_never_left() {
    for name in CASES.iter().map(|case| case.name) {
        at_each_end(name, &mut |course, dir, what| {
            let journals = || -> Vec<(String, usize)> {
                let tree = Tree::read(dir).0.into_iter();
                let named = tree.filter(|(path, _)| path.contains("journal"));
                let len = |node| if let Node::File { bytes, .. } = node { bytes.len() } else { usize::MAX };
                named.map(|(path, node)| (path, len(node))).collect()
            };
            let found = journals();
            // One, and the half of an atomic write.
            assert!(found.len() <= 2 && found.iter().all(|(_, len)| *len < JOURNAL_BYTES_MAX / 8), "{what}: {found:?}");
            recover_library(dir, what);
            course.succeeds_again(dir, what);
            assert_eq!(journals(), [], "{what}");
        });
    }
}

#[test]
fn a_retry_never_fails_because_of_what_the_last_try_left() {
    for name in CASES.iter().map(|case| case.name) {
        at_each_end(name, &mut |course, dir, what| course.succeeds_again(dir, what));
    }
}
