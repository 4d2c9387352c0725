//! What becomes of what is the user's when a game is installed, renewed and uninstalled, and what is left alone.

use std::{fs, ops::ControlFlow, path::Path, sync::Arc};

use super::{
    super::bench_tests::{
        NEW_FILES, Snapshot, Tree, install_stored, installed_old, on, small_payload, temp_dir, write,
    },
    *,
};
use crate::io::{
    disk::{Fault, Faults},
    store,
};

fn snapshot(dir: &Path) -> Snapshot {
    Tree::read(dir).snapshot()
}

fn recover(dir: &Path) -> Option<Vec<String>> {
    let root = GameRoot::open(dir).unwrap();
    match recover_root(&root, &mut Memory::none()).unwrap() {
        super::super::Recovered::Local { set_aside } => Some(set_aside),
        super::super::Recovered::Nothing => None,
        other @ (super::super::Recovered::Committed { .. }
        | super::super::Recovered::Dropped
        | super::super::Recovered::Removed(_)
        | super::super::Recovered::GaveUp { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn an_update_keeps_saves_in_place_and_sets_other_changes_aside() {
    let dir = temp_dir();
    installed_old(dir.path());
    let root = GameRoot::open(dir.path()).unwrap();
    let installed = install_stored(&root, &mut on).unwrap();
    let mut aside = installed.set_aside;
    aside.sort();
    assert_eq!(aside, [".potluck/replaced/1/local/data/config.cfg", ".potluck/replaced/1/local/mods/mine.txt"]);
    let read = |path: &str| fs::read_to_string(dir.path().join(path)).unwrap();
    assert_eq!(read(&aside[0]), "my own settings");
    assert_eq!(read("local/data/config.cfg"), "as shipped later");
    assert_eq!(read("local/saves/1.sav"), "level 3");
    assert!(!dir.path().join("local/data/gone.pak").exists() && dir.path().join("local/empty").is_dir());
    let content = store::load_manifest(&root).unwrap().unwrap().unwrap().content;
    assert_eq!(installation(&root).unwrap(), Installation::Of(content));
    // Saves stay the user's: they are in nobody's list.
    let aside = uninstall(&root).unwrap();
    assert_eq!(aside, [".potluck/replaced/1/local/saves/1.sav"]);
    assert!(!dir.path().join("local").exists() && dir.path().join("data/pak1.pk3").exists());
    assert_eq!(installation(&root).unwrap(), Installation::None);
}

#[test]
fn what_is_set_aside_at_one_time_lies_together_and_the_highest_number_is_the_newest() {
    let dir = temp_dir();
    installed_old(dir.path());
    let root = GameRoot::open(dir.path()).unwrap();
    install_stored(&root, &mut on).unwrap();
    // Whatever a player has there of his own is no number of ours.
    fs::create_dir_all(dir.path().join(".potluck/replaced/4294967295")).unwrap();
    fs::create_dir_all(dir.path().join(".potluck/replaced/notes")).unwrap();
    for time in 2..5 {
        fs::write(dir.path().join("local/data/config.cfg"), format!("settings {time}")).unwrap();
        fs::write(dir.path().join(format!("local/shot{time}.png")), "a picture").unwrap();
        let mut aside = install_stored(&root, &mut on).unwrap().set_aside;
        aside.sort();
        let expect = ["data/config.cfg".to_owned(), format!("shot{time}.png")];
        assert_eq!(aside, expect.map(|path| format!(".potluck/replaced/{time}/local/{path}")));
    }
}

#[test]
fn what_is_installed_tells_what_its_build_took_without_what_the_user_has_there() {
    let dir = temp_dir();
    installed_old(dir.path());
    let root = GameRoot::open(dir.path()).unwrap();
    let stored = store::load_manifest(&root).unwrap().unwrap().unwrap();
    assert_eq!(weigh_installed(&root, stored.content, &stored.manifest), None, "another build is installed");
    install_stored(&root, &mut on).unwrap();
    let size = stored.manifest.size();
    let weight = weigh_installed(&root, stored.content, &stored.manifest).unwrap();
    assert_eq!((weight.copied, weight.bytes() >= size, weight.unpacked < 64), (size, true, true), "{weight:?}");
    uninstall(&root).unwrap();
    assert_eq!(weigh_installed(&root, stored.content, &stored.manifest), None);
}

#[test]
fn what_was_written_to_a_save_between_the_copy_and_the_swap_is_set_aside() {
    let dir = temp_dir();
    installed_old(dir.path());
    let root = GameRoot::open(dir.path()).unwrap();
    // The last thing that is copied is the save; the game writes it again right after.
    let path = dir.path().join("local/saves/1.sav");
    let mut progress = |_: u64, at: &str| {
        if at == "local/saves/1.sav" {
            fs::write(&path, "level 4, much later").unwrap();
        }
        ControlFlow::Continue(())
    };
    let installed = install_stored(&root, &mut progress).unwrap();
    let aside = installed.set_aside.iter().find(|path| path.ends_with("1.sav")).expect("the later one is somewhere");
    assert_eq!(fs::read_to_string(dir.path().join(aside)).unwrap(), "level 4, much later");
}

#[test]
fn stopping_leaves_the_old_game_and_no_trace() {
    let dir = temp_dir();
    installed_old(dir.path());
    let before = snapshot(dir.path());
    let root = GameRoot::open(dir.path()).unwrap();
    let mut files = 0;
    let mut progress = |_: u64, _: &str| {
        files += 1;
        if files == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = install_stored(&root, &mut progress).unwrap_err();
    assert!(matches!(error, InstallError::Cancelled), "{error}");
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn a_failure_says_truly_whether_it_will_be_finished() {
    let hit = |dir: &Path, faults: Faults| {
        installed_old(dir);
        let faults = Arc::new(faults);
        let root = GameRoot::open(dir).unwrap().with_faults(Arc::clone(&faults));
        (install_stored(&root, &mut on), faults.count())
    };
    let dir = temp_dir();
    let points = hit(dir.path(), Faults::count_only()).1;
    let content = store::load_manifest(&GameRoot::open(dir.path()).unwrap()).unwrap().unwrap().unwrap().content;
    let (mut unfinished, mut left) = (0, 0);
    for point in 1..=points {
        let dir = temp_dir();
        let Err(error) = hit(dir.path(), Faults::at(point, Fault::Stop)).0 else { continue };
        let root = GameRoot::open(dir.path()).unwrap();
        let is_unfinished = matches!(error, InstallError::Unfinished(_));
        assert_eq!(is_unfinished, is_sealed(&root), "at {point} of {points}: {error}");
        let is_left = matches!(error, InstallError::Leftover(_));
        // Before it the folder was not made, and there was nothing to delete.
        assert!(!is_left || !is_unfinished);
        (unfinished, left) = (unfinished + u32::from(is_unfinished), left + u32::from(is_left));
        recover(dir.path());
        let is_new = installation(&root).unwrap() == Installation::Of(content);
        assert_eq!(is_new, is_unfinished, "at {point} of {points}: {error}");
        assert!(!dir.path().join(".local.installing").exists());
    }
    assert!(unfinished > 0 && left > 0, "{unfinished} unfinished, {left} left something, of {points}");
}

#[test]
fn what_potluck_did_not_make_is_neither_replaced_nor_deleted() {
    for theirs in ["local", ".local.installing", ".local.backup", ".local.removing"] {
        let dir = temp_dir();
        small_payload(dir.path(), "2", NEW_FILES);
        write(dir.path(), &format!("{theirs}/precious.txt"), "by hand");
        let before = snapshot(dir.path());
        let root = GameRoot::open(dir.path()).unwrap();
        let installed = install_stored(&root, &mut on);
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
    let dir = temp_dir();
    installed_old(dir.path());
    fs::write(dir.path().join("local").join(FILES_NAME), "{}").unwrap();
    let root = GameRoot::open(dir.path()).unwrap();
    let installed = install_stored(&root, &mut on).unwrap();
    // All of it but the save, which came along.
    assert_eq!(installed.set_aside.len(), 6, "{:?}", installed.set_aside);
}
