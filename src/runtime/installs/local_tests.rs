//! Installing, updating and uninstalling are stopped before each of their disk operations in turn; recovery then leaves the
//! old game or the new one, byte for byte, what is the user's is somewhere, and a second recovery has nothing to do.

#![expect(clippy::print_stdout, reason = "says how many points were tried")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::ControlFlow,
    path::Path,
    sync::Arc,
};

use super::*;
use crate::{
    io::disk::{FaultAction, Faults},
    runtime::installs::payload::copy_rest,
    types::{DirEntry, FileEntry, FileHash, GameId, LinkEntry, Sentinel},
};

const OLD: ContentId = ContentId::from_bytes([1; 32]);
const NEW: ContentId = ContentId::from_bytes([2; 32]);

/// No child process: what is tested is what is made of its work.
struct Plain;

impl Unpack for Plain {
    fn unpack(
        &mut self,
        root: &GameRoot,
        manifest: &Manifest,
        staging: &str,
        progress: &mut Progress<'_>,
    ) -> Result<(), InstallError> {
        copy_rest(root, manifest, &BTreeSet::new(), staging, progress)
    }
}

fn temp_root() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn go_on() -> impl FnMut(u64, &str) -> ControlFlow<()> {
    |_, _| ControlFlow::Continue(())
}

/// Puts a payload into a root; what was one before goes.
fn payload(root: &Path, files: &[(&str, &str)]) -> Manifest {
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if !name.to_str().unwrap().starts_with('.') && name != "local" {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    }
    for (path, text) in files {
        write(root, path, text);
    }
    // Every root has one; it is not looked at here.
    write(root, ".potluck/manifest.json", "{}");
    let entry = |(path, text): &(&str, &str)| FileEntry {
        path: PayloadPath::new(path).unwrap(),
        size: text.len() as u64,
        hash: FileHash::from_bytes([0; 32]),
        executable: *path == "run.sh",
    };
    Manifest::new(
        GameId::new("game").unwrap(),
        Sentinel::from_bytes(b"1").unwrap(),
        files.iter().map(entry).collect(),
        vec![DirEntry { path: PayloadPath::new("empty").unwrap() }],
        vec![LinkEntry { path: PayloadPath::new("link").unwrap(), target: "run.sh".to_owned() }],
    )
    .unwrap()
}

const OLD_FILES: &[(&str, &str)] =
    &[("data/config.cfg", "as shipped"), ("data/gone.pak", "old"), ("data/pak0.pk3", "same"), ("run.sh", "#!old")];
const NEW_FILES: &[(&str, &str)] = &[
    ("data/config.cfg", "as shipped later"),
    ("data/pak0.pk3", "same"),
    ("data/pak1.pk3", "new"),
    ("run.sh", "#!new"),
];

fn keep() -> Vec<PayloadPath> {
    vec![PayloadPath::new("saves").unwrap()]
}

/// An old game with a user's changes, and the payload of a new one beside it.
fn update(dir: &Path) -> Manifest {
    let manifest = payload(dir, OLD_FILES);
    let root = GameRoot::open(dir).unwrap();
    install(&root, (OLD, &manifest), &[], &mut Plain, &mut go_on()).unwrap();
    write(dir, "local/data/config.cfg", "my own settings");
    write(dir, "local/saves/1.sav", "level 3");
    write(dir, "local/mods/mine.txt", "a mod");
    payload(dir, NEW_FILES)
}

fn first(dir: &Path) -> Manifest {
    payload(dir, NEW_FILES)
}

/// Everything below a folder but what is set aside and halves of atomic writes.
fn snapshot(dir: &Path) -> BTreeMap<String, String> {
    fn take(root: &Path, below: &str, into: &mut BTreeMap<String, String>) {
        let Ok(entries) = fs::read_dir(root.join(below)) else { return };
        for entry in entries.map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            // Times differ from run to run; what the list is good for shows in the next update.
            if path.ends_with(".new") || path.ends_with(FILES_NAME) {
                continue;
            }
            let kind = entry.file_type().unwrap();
            let what = if kind.is_dir() {
                take(root, &path, into);
                "folder".to_owned()
            } else if kind.is_symlink() {
                format!("to {}", fs::read_link(entry.path()).unwrap().display())
            } else {
                fs::read_to_string(entry.path()).unwrap()
            };
            into.insert(path, what);
        }
    }
    let mut snapshot = BTreeMap::new();
    take(dir, "", &mut snapshot);
    snapshot
}

fn recover(dir: &Path) -> Option<Vec<String>> {
    let root = GameRoot::open(dir).unwrap();
    match recover_root(&root, &mut Memory::none()).unwrap() {
        super::super::Recovered::Local { set_aside } => Some(set_aside),
        super::super::Recovered::Nothing => None,
        other @ (super::super::Recovered::Committed { .. }
        | super::super::Recovered::Removed(_)
        | super::super::Recovered::GaveUp { .. }) => panic!("{other:?}"),
    }
}

/// Stops an operation before each of its disk operations; gives how many there are.
fn check(make: fn(&Path) -> Manifest, operation: fn(&GameRoot, &Manifest) -> Result<(), InstallError>) -> u64 {
    let (total, expect) = {
        let dir = temp_root();
        let manifest = make(dir.path());
        let faults = Arc::new(Faults::count_only());
        operation(&GameRoot::open(dir.path()).unwrap().with_faults(Arc::clone(&faults)), &manifest).unwrap();
        (faults.count(), snapshot(dir.path()))
    };
    let (mut kept_old, mut came_new) = (0, 0);
    for point in 1..=total {
        let dir = temp_root();
        let manifest = make(dir.path());
        let before = snapshot(dir.path());
        let faults = Arc::new(Faults::before(point, FaultAction::Fail));
        operation(&GameRoot::open(dir.path()).unwrap().with_faults(faults), &manifest).unwrap_err();
        recover(dir.path());
        let after = snapshot(dir.path());
        if after == before {
            kept_old += 1;
            operation(&GameRoot::open(dir.path()).unwrap(), &manifest).unwrap();
            assert_eq!(snapshot(dir.path()), expect, "at {point}, once more");
        } else {
            came_new += 1;
            assert_eq!(after, expect, "at {point} of {total}");
        }
        assert_eq!(recover(dir.path()), None, "at {point}");
        assert_eq!(snapshot(dir.path()), expect, "at {point}: a second recovery changed something");
    }
    assert!(kept_old > 0 && came_new > 0, "{kept_old} old, {came_new} new");
    println!("{total} points: {kept_old} kept the old game, {came_new} came to the new one");
    total
}

fn to_new(root: &GameRoot, manifest: &Manifest) -> Result<(), InstallError> {
    install(root, (NEW, manifest), &keep(), &mut Plain, &mut go_on()).map(drop)
}

#[test]
fn a_first_installation_stopped_anywhere_is_nothing_or_the_game() {
    assert!(check(first, to_new) > 15);
}

#[test]
fn an_update_stopped_anywhere_is_the_old_game_or_the_new_one() {
    assert!(check(update, to_new) > 25);
}

#[test]
fn an_uninstallation_stopped_anywhere_is_the_game_or_none() {
    check(update, |root, _| uninstall(root).map(drop));
}

#[test]
fn an_update_keeps_saves_in_place_and_sets_other_changes_aside() {
    let dir = temp_root();
    let manifest = update(dir.path());
    let root = GameRoot::open(dir.path()).unwrap();
    let installed = install(&root, (NEW, &manifest), &keep(), &mut Plain, &mut go_on()).unwrap();
    let mut aside = installed.set_aside;
    aside.sort();
    assert_eq!(aside, [".potluck/replaced/1/local/data/config.cfg", ".potluck/replaced/1/local/mods/mine.txt"]);
    let read = |path: &str| fs::read_to_string(dir.path().join(path)).unwrap();
    assert_eq!(read(&aside[0]), "my own settings");
    assert_eq!(read("local/data/config.cfg"), "as shipped later");
    assert_eq!(read("local/saves/1.sav"), "level 3");
    assert!(!dir.path().join("local/data/gone.pak").exists() && dir.path().join("local/empty").is_dir());
    assert_eq!(installation(&root).unwrap(), Installation::Of(NEW));
    // Saves stay the user's: they are in nobody's list.
    let aside = uninstall(&root).unwrap();
    assert_eq!(aside, [".potluck/replaced/1/local/saves/1.sav"]);
    assert!(!dir.path().join("local").exists() && dir.path().join("data/pak1.pk3").exists());
    assert_eq!(installation(&root).unwrap(), Installation::None);
}

#[test]
fn what_was_written_to_a_save_between_the_copy_and_the_swap_is_set_aside() {
    let dir = temp_root();
    let manifest = update(dir.path());
    let root = GameRoot::open(dir.path()).unwrap();
    // The last thing that is copied is the save; the game writes it again right after.
    let path = dir.path().join("local/saves/1.sav");
    let mut progress = |_: u64, at: &str| {
        if at == "local/saves/1.sav" {
            fs::write(&path, "level 4, much later").unwrap();
        }
        ControlFlow::Continue(())
    };
    let installed = install(&root, (NEW, &manifest), &keep(), &mut Plain, &mut progress).unwrap();
    let aside = installed.set_aside.iter().find(|path| path.ends_with("1.sav")).expect("the later one is somewhere");
    assert_eq!(fs::read_to_string(dir.path().join(aside)).unwrap(), "level 4, much later");
}

#[test]
fn stopping_leaves_the_old_game_and_no_trace() {
    let dir = temp_root();
    let manifest = update(dir.path());
    let before = snapshot(dir.path());
    let root = GameRoot::open(dir.path()).unwrap();
    let mut files = 0;
    let mut progress = |_: u64, _: &str| {
        files += 1;
        if files == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = install(&root, (NEW, &manifest), &keep(), &mut Plain, &mut progress).unwrap_err();
    assert!(matches!(error, InstallError::Cancelled), "{error}");
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn what_potluck_did_not_make_is_neither_replaced_nor_deleted() {
    for theirs in ["local", ".local.installing", ".local.backup", ".local.removing"] {
        let dir = temp_root();
        let manifest = payload(dir.path(), NEW_FILES);
        write(dir.path(), &format!("{theirs}/precious.txt"), "by hand");
        let before = snapshot(dir.path());
        let root = GameRoot::open(dir.path()).unwrap();
        let installed = install(&root, (NEW, &manifest), &[], &mut Plain, &mut go_on());
        if theirs == ".local.removing" {
            installed.unwrap();
            let error = uninstall(&root).unwrap_err();
            assert!(matches!(error, InstallError::NotOurs(_)), "{error}");
        } else {
            let error = installed.unwrap_err();
            assert!(error.to_string().contains(theirs), "{error}");
            recover(dir.path());
            assert_eq!(snapshot(dir.path()), before, "{theirs}");
        }
        assert_eq!(fs::read_to_string(dir.path().join(theirs).join("precious.txt")).unwrap(), "by hand");
    }
}

#[test]
fn without_its_list_a_whole_game_is_set_aside_rather_than_lost() {
    let dir = temp_root();
    let manifest = update(dir.path());
    fs::write(dir.path().join("local").join(FILES_NAME), "{}").unwrap();
    let root = GameRoot::open(dir.path()).unwrap();
    let installed = install(&root, (NEW, &manifest), &[], &mut Plain, &mut go_on()).unwrap();
    assert_eq!(installed.set_aside.len(), 7, "{:?}", installed.set_aside);
}
