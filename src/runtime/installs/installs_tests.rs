//! Every change of a root is stopped before each of its disk operations in turn; recovery then leaves
//! the old state or the new one, byte for byte, and a second recovery has nothing to do.

#![expect(clippy::print_stdout, reason = "says how many points were tried, and what could not be")]

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use super::{bench_tests::*, *};
use crate::io::{
    disk::{Fault, Faults},
    scan::Memory,
};

#[test]
fn an_update_keeps_what_is_the_users_own() {
    let party = Party::update();
    let committed = party.commit(&party.download(None), None).unwrap();
    let mut aside = committed.set_aside.clone();
    aside.sort();
    assert_eq!(
        aside,
        [
            ".potluck/replaced/1/edited.cfg",
            ".potluck/replaced/1/in/the",
            ".potluck/replaced/1/mods",
            ".potluck/replaced/1/old/edited.cfg",
        ]
    );
    let root = party.root_path();
    assert_eq!(fs::read(root.join(".potluck/replaced/1/old/edited.cfg")).unwrap(), b"my own");
    assert_eq!(fs::read(root.join("saves/1.sav")).unwrap(), b"mine");
    assert_eq!(fs::read(root.join("local/installed")).unwrap(), b"by somebody");
    assert_eq!(fs::read(root.join("version.ini")).unwrap(), b"2.0\n");
    assert!(!root.join("old").exists() && !root.join("hollow").exists() && !root.join("old_link").is_symlink());
    let again = party.held().unwrap();
    assert!(again.content == party.new.held.content && again.is_whole());
    assert_eq!(again.stamps, committed.held.stamps);
}

#[test]
fn a_download_with_holes_is_not_committed() {
    let party = Party::update();
    let incoming = party.download(None);
    write(&party.root_path(), "data/same.pak", b"changed at the last moment");
    let before = party.snapshot();
    let error = party.commit(&incoming, None).unwrap_err();
    assert!(matches!(error, InstallError::NotReady(NotReady::Lost { ref chunks }) if chunks.len() == 1), "{error}");
    let error = party.commit(&incoming, None).unwrap_err();
    assert!(matches!(error, InstallError::NotReady(NotReady::Incomplete { .. })), "{error}");
    assert_eq!(party.snapshot(), before);
}

#[test]
fn a_record_that_cannot_be_followed_deletes_nothing() {
    for spoil in ["journal", "download"] {
        let party = Party::update();
        let faults = Arc::new(Faults::count_only());
        let incoming = party.download(Some(&faults));
        let half = {
            let other = Party::update();
            let counted = Arc::new(Faults::count_only());
            let incoming = other.download(Some(&counted));
            counted.arm(u64::MAX);
            other.commit(&incoming, Some(&counted)).unwrap();
            counted.count() / 2
        };
        faults.arm(half);
        party.commit(&incoming, Some(&faults)).unwrap_err();
        let root = party.root_path();
        match spoil {
            "journal" => fs::write(root.join(store::JOURNAL), b"\0garbage").unwrap(),
            _ => fs::write(root.join(store::incoming_manifest(party.new.held.content)), b"{}").unwrap(),
        }
        let files = |snapshot: Snapshot| snapshot.len();
        let before = files(party.snapshot());
        let recovered = party.recover();
        assert!(matches!(recovered, Recovered::GaveUp { .. }), "{spoil}: {recovered:?}");
        assert!(root.join("version.ini").exists() && root.join(store::JOURNAL_BAD).exists(), "{spoil}");
        assert_eq!(files(party.snapshot()), before, "{spoil}: files were only renamed");
        assert!(matches!(party.recover(), Recovered::Nothing), "{spoil}");
    }
}

#[test]
fn a_commit_that_was_stopped_goes_on_with_the_same_download() {
    let (expect, count) = {
        let party = Party::update();
        let faults = Arc::new(Faults::count_only());
        party.commit(&party.download(None), Some(&faults)).unwrap();
        (party.snapshot(), faults.count())
    };
    for point in [count / 8, count / 4, count / 2, count - 5] {
        let party = Party::update();
        let incoming = party.download(None);
        let faults = Arc::new(Faults::at(point, Fault::Stop));
        party.commit(&incoming, Some(&faults)).unwrap_err();
        let committed = party.commit(&incoming, None).unwrap();
        assert!(committed.held.is_whole(), "at {point}");
        assert_eq!(party.snapshot(), expect, "at {point}");
    }
}

#[test]
fn what_a_user_does_during_a_commit_is_kept_and_not_taken_for_ours() {
    let party = Party::update();
    let incoming = party.download(None);
    let root = party.library().open_root(&Party::game()).unwrap();
    incoming.prepare().unwrap();
    let stays = incoming.stays();
    let old = store::load_manifest(&root).unwrap().unwrap().unwrap();
    let (content, new) = (incoming.content(), incoming.manifest());
    let memory = &mut Memory::none();
    let Surveyed { survey, ours } = survey(&root, Some(&old), (content, new), None, memory).unwrap();
    // Ours when it was looked at, or not there.
    for path in ["old/only/deep.txt", "data/changes.pak", "run", "becomes_folder"] {
        write(&party.root_path(), path, b"saved just now");
    }
    let plan = Commit { old: Some((old.content, &old.manifest)), new: (content, new) };
    let mut machine = Machine::new(&root, Some(&old.manifest), Some(new), Some(content)).with_ours(ours);
    machine.run(&install::commit(plan, &survey, false)).unwrap();
    let aside = party.root_path().join(".potluck/replaced/1");
    for path in ["old/only/deep.txt", "data/changes.pak", "run", "becomes_folder"] {
        assert_eq!(fs::read(aside.join(path)).unwrap(), b"saved just now", "{path}");
    }
    // And right after it, of the same size.
    write(&party.root_path(), "run", b"ELF");
    let mut same = fs::read(party.root_path().join("data/same.pak")).unwrap();
    same[5] ^= 1;
    write(&party.root_path(), "data/same.pak", &same);
    let before = |number: usize, path: &PayloadPath| match machine.placed.get(path) {
        Some(stamp) => Before::Seen { stamp: *stamp, touched: true },
        None => stays[number].map_or(Before::Unknown, |stamp| Before::Seen { stamp, touched: false }),
    };
    let held = held_after(&root, &incoming, before, memory).unwrap();
    let changed: Vec<_> = (0..new.files().len() as u32)
        .map(FileNo)
        .filter(|file| held.whole_file(*file).is_none())
        .map(|file| new.file(file).path.to_string())
        .collect();
    assert_eq!(changed, ["data/same.pak", "run"]);
    let known = memory.get(&PayloadPath::new("run").unwrap(), &root.stat("run").unwrap().stamp).unwrap();
    assert_eq!(known.file.as_bytes(), blake3::hash(b"ELF").as_bytes());
}

#[test]
fn a_folder_that_was_moved_away_is_not_written_to_nor_the_one_in_its_place() {
    for again in [false, true] {
        let party = Party::update();
        let incoming = party.download(None);
        let root = party.library().open_root(&Party::game()).unwrap();
        let away = party.dir.join("away");
        fs::rename(party.root_path(), &away).unwrap();
        if again {
            fs::create_dir(party.root_path()).unwrap();
        }
        commit(&root, &incoming, &mut Memory::none()).unwrap_err();
        assert!(!away.join(store::JOURNAL).exists() && away.join("old/edited.cfg").exists());
        if again {
            party.commit(&incoming, None).unwrap_err();
            assert_eq!(party.snapshot(), Snapshot::new());
        }
    }
}

#[test]
fn a_game_potluck_never_looked_at_can_be_removed() {
    let party = Party::new(|root| write(root, "version.ini", b"1"), |source| new_build(source, CHUNK + 5));
    remove_game(&party.library(), &Party::game(), &mut Memory::none()).unwrap();
    assert!(!party.root_path().exists());
    let party = Party::new(|root| write(root, "version.ini/mine", b"1"), |source| new_build(source, CHUNK + 5));
    let removed = remove_game(&party.library(), &Party::game(), &mut Memory::none()).unwrap();
    assert_eq!(removed.left, ["version.ini"]);
    let party = Party::update();
    write(&party.root_path(), store::JOURNAL_BAD, b"of an earlier mishap");
    let removed = remove_game(&party.library(), &Party::game(), &mut Memory::none()).unwrap();
    assert_eq!(removed.left, ["in", "local", "mods", "saves"]);
}

#[test]
fn what_was_set_aside_is_freed_whatever_its_names() {
    use std::os::unix::ffi::OsStrExt as _;
    let party = Party::update();
    let aside = party.root_path().join(store::REPLACED);
    let deep = aside.join(["d"; 120].join("/"));
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "x").unwrap();
    symlink("/etc", aside.join("etc")).unwrap();
    let root = party.library().open_root(&Party::game()).unwrap();
    store::free_kept(&root, store::KeptWhat::Replaced).unwrap();
    assert!(!aside.exists() && Path::new("/etc/passwd").exists());
}

/// Tells the tests below, run in a child process with mounts of its own, that it is the child.
const MOUNTS: &str = "POTLUCK_TEST_MOUNTS_CHILD";

/// Runs a test again in a process that may mount, with a folder to mount at; says whether this is it.
/// Where nobody may mount, the test says so and is skipped.
fn with_mounts(test: &str) -> Option<PathBuf> {
    if let Ok(dir) = std::env::var(MOUNTS) {
        return Some(dir.into());
    }
    let dir = tempfile::tempdir().unwrap();
    let mount = |kind: &str, options: &str, at: &str| {
        let at = dir.path().join(at);
        fs::create_dir(&at).unwrap();
        format!("mount -t {kind} -o {options} none '{}'", at.display())
    };
    let (small, other) = (mount("tmpfs", "size=24m,nr_inodes=300", "small"), mount("tmpfs", "size=1m", "other"));
    let linkless = mount("mqueue", "rw", "linkless");
    let run = |script: &str| {
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(["--mount", "sh", "-c", script, "sh"]).env(MOUNTS, dir.path());
        unshare.arg(std::env::current_exe().unwrap()).args(["--exact", "--nocapture"]);
        unshare.arg(format!("runtime::installs::tests::{test}")).output()
    };
    let mounts = format!("{small} && {other} && {linkless}");
    match run(&mounts) {
        Ok(output) if output.status.success() => {}
        Ok(_) | Err(_) => {
            println!("skipped: this user may not mount file systems");
            return None;
        }
    }
    let output = run(&format!("{mounts} && exec \"$@\"")).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "{said}");
    None
}

fn fill(folder: &Path) {
    // First its space, then the places for names.
    let _ = fs::write(folder.join("filler"), vec![1; 64 << 20]);
    for number in 0.. {
        if fs::create_dir(folder.join(format!("filler{number}"))).is_err() {
            break;
        }
    }
    assert!(fs::write(folder.join("one more"), b"x").is_err());
}

fn unfill(folder: &Path) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.file_name().to_str().unwrap() {
            "filler" => fs::remove_file(entry.path()).unwrap(),
            name if name.starts_with("filler") => fs::remove_dir(entry.path()).unwrap(),
            _ => {}
        }
    }
}

#[test]
fn a_full_disk_stops_a_commit_and_no_removal() {
    let Some(dir) = with_mounts("a_full_disk_stops_a_commit_and_no_removal") else { return };
    let full = || {
        let dir = dir.join("small");
        fs::remove_dir_all(dir.join("library")).ok();
        fs::remove_dir_all(dir.join("source")).ok();
        fs::create_dir_all(dir.join("library/game")).unwrap();
        fs::create_dir_all(dir.join("source")).unwrap();
        let root = dir.join("library/game");
        old_build(&root, CHUNK + 5);
        let scanned = scan(&root);
        store::save_manifest(&GameRoot::open(&root).unwrap(), &scanned.bytes, &scanned.held.hashes).unwrap();
        new_build(&dir.join("source"), CHUNK + 5);
        Party::at(&dir)
    };
    let party = full();
    let incoming = party.download(None);
    let before = party.snapshot();
    fill(&party.dir);
    let error = party.commit(&incoming, None).unwrap_err();
    assert!(error.is_no_space(), "{error}");
    assert!(matches!(party.recover(), Recovered::Nothing));
    assert_eq!(party.snapshot(), before, "the old build is as it was");
    unfill(&party.dir);
    assert!(party.commit(&incoming, None).unwrap().held.is_whole());
    // Downloads and games go with no byte free.
    let party = full();
    drop(party.download(None));
    fill(&party.dir);
    let root = party.library().open_root(&Party::game()).unwrap();
    store::free_kept(&root, store::KeptWhat::Download(party.new.held.content)).unwrap();
    unfill(&party.dir);
    fill(&party.dir);
    remove_game(&party.library(), &Party::game(), &mut Memory::none()).unwrap();
    assert!(!party.root_path().exists());
    unfill(&party.dir);
    // Also one without a folder of potluck's own.
    fs::create_dir_all(party.root_path()).unwrap();
    fs::write(party.root_path().join("version.ini"), b"1").unwrap();
    fs::write(party.dir.join("lock"), b"").unwrap();
    fill(&party.dir);
    crate::io::lock::LockFile::acquire(&party.dir.join("lock")).unwrap();
    remove_game(&party.library(), &Party::game(), &mut Memory::none()).unwrap();
    assert!(!party.root_path().exists());
    unfill(&party.dir);
}

#[test]
fn a_disk_a_game_does_not_fit_on_is_refused_before_the_journal() {
    let Some(dir) = with_mounts("a_disk_a_game_does_not_fit_on_is_refused_before_the_journal") else { return };
    let linkless = GameRoot::open(&dir.join("linkless")).unwrap().check_links("").unwrap_err();
    assert!(linkless.to_string().contains("cannot store symbolic links"), "{linkless}");
    let party = Party::update();
    let incoming = party.download(None);
    let before = party.snapshot();
    let mounted = party.root_path().join("data");
    let bind = std::process::Command::new("mount").arg("--bind").arg(dir.join("other")).arg(&mounted).status();
    assert!(bind.unwrap().success());
    // Seen from before: the mount hides what is in the folder.
    let old = store::load_manifest(incoming.root()).unwrap().unwrap().unwrap();
    let new = (incoming.content(), incoming.manifest().as_ref());
    let error = survey(incoming.root(), Some(&old), new, None, &mut Memory::none()).err().unwrap();
    assert!(error.to_string().contains("another file system is mounted"), "{error}");
    party.commit(&incoming, None).unwrap_err();
    assert!(std::process::Command::new("umount").arg(&mounted).status().unwrap().success());
    assert_eq!(party.snapshot(), before);
}
