//! Every change of a root is stopped before each of its disk operations in turn; recovery then leaves
//! the old state or the new one, byte for byte, and a second recovery has nothing to do.

#![expect(clippy::print_stdout, reason = "says how many points were tried, and what could not be")]

use std::{
    collections::BTreeMap,
    fs,
    ops::ControlFlow,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use super::*;
use crate::{
    io::{
        disk::{FaultAction, Faults},
        hash::Watcher,
        scan::{self, Scanned, check, walk},
        store::{OpenFiles, RootReader},
    },
    types::{CHUNK_BYTES, Sentinel},
};

const MIB: usize = CHUNK_BYTES as usize;
const GAME: &str = "game";

/// A library with one game, and a build to bring in.
struct Party {
    dir: PathBuf,
    new: Scanned,
    /// Removes the folder in the end; a child process works in its parent's.
    _own: Option<tempfile::TempDir>,
}

/// Everything in a folder: bytes and mode of files, targets of links, folders.
type Snapshot = BTreeMap<PathBuf, String>;

fn temp_dir() -> tempfile::TempDir {
    // Hundreds of syncs of a real disk take minutes; what is tested is the order of operations.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn write(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn go_on() -> impl FnMut(u64) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
}

fn scan(path: &Path) -> Scanned {
    let root = GameRoot::open(path).unwrap();
    let sentinel = Sentinel::from_bytes(&fs::read(path.join("version.ini")).unwrap()).unwrap();
    let tree = walk(&root).unwrap();
    scan::build(&root, &GameId::new(GAME).unwrap(), sentinel, &tree, &mut Memory::none(), &mut go_on()).unwrap()
}

fn old_build(root: &Path) {
    write(root, "version.ini", b"1.0\r\nkept as it is");
    write(root, "data/same.pak", &[1; 2 * MIB + 7]);
    write(root, "data/changes.pak", &[2; 2 * MIB]);
    write(root, "data/mode.sh", b"#!/bin/sh");
    write(root, "old/only/deep.txt", b"goes");
    write(root, "old/edited.cfg", b"as shipped");
    write(root, "becomes_folder", b"a file");
    write(root, "becomes_file/a", b"in a folder");
    write(root, "becomes_link", b"a file");
    write(root, "edited.cfg", b"as shipped");
    fs::create_dir_all(root.join("hollow")).unwrap();
    symlink("data/same.pak", root.join("link")).unwrap();
    symlink("data", root.join("old_link")).unwrap();
}

fn new_build(root: &Path) {
    write(root, "version.ini", b"2.0\n");
    write(root, "data/same.pak", &[1; 2 * MIB + 7]);
    let mut changed = vec![2; 2 * MIB];
    changed[MIB + 1] = 9;
    write(root, "data/changes.pak", &changed);
    write(root, "data/mode.sh", b"#!/bin/sh");
    fs::set_permissions(root.join("data/mode.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    write(root, "becomes_folder/x", b"x");
    write(root, "becomes_file", b"now a file");
    write(root, "edited.cfg", b"as shipped later");
    write(root, "in/the/way", b"the game's");
    write(root, "mods/readme", b"the game's");
    write(root, "empty", b"");
    write(root, "run", b"elf");
    fs::set_permissions(root.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(root.join("maps/none")).unwrap();
    symlink("in/the/way", root.join("link")).unwrap();
    symlink("edited.cfg", root.join("becomes_link")).unwrap();
}

/// What a user did to the old build.
fn users_own(root: &Path) {
    write(root, "old/edited.cfg", b"my own");
    write(root, "edited.cfg", b"my own");
    write(root, "in/the", b"a file of mine where a folder comes");
    write(root, "mods", b"another one");
    write(root, "saves/1.sav", b"mine");
    write(root, "local/installed", b"by somebody");
}

impl Party {
    fn new(before: impl FnOnce(&Path), after: impl FnOnce(&Path)) -> Self {
        let dir = temp_dir();
        for folder in ["library/game", "source"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        before(&dir.path().join("library/game"));
        after(&dir.path().join("source"));
        let new = scan(&dir.path().join("source"));
        Self { dir: dir.path().to_owned(), new, _own: Some(dir) }
    }

    fn of_parent(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), new: scan(&dir.join("source")), _own: None }
    }

    fn update() -> Self {
        Self::new(
            |root| {
                old_build(root);
                let scanned = scan(root);
                store::save_manifest(&GameRoot::open(root).unwrap(), &scanned.bytes, &scanned.held.hashes).unwrap();
                users_own(root);
            },
            new_build,
        )
    }

    fn root_path(&self) -> PathBuf {
        self.dir.join("library/game")
    }

    fn library(&self) -> Library {
        Library::open(&self.dir.join("library")).unwrap()
    }

    fn game() -> GameId {
        GameId::new(GAME).unwrap()
    }

    /// What the root has of the build its stored manifest says.
    fn held(&self) -> Option<Held> {
        let root = self.library().open_root(&Self::game()).unwrap();
        let stored = store::load_manifest(&root).unwrap()?.unwrap();
        let manifest = Arc::new(stored.manifest);
        let hashes = store::load_hashes(&root, &manifest).unwrap();
        let watcher: &mut Watcher<'_> = &mut go_on();
        Some(check(&root, stored.content, &manifest, hashes, &mut Memory::none(), watcher).unwrap().held)
    }

    /// A download with every chunk in it.
    fn download(&self, faults: Option<&Arc<Faults>>) -> Incoming {
        let files = OpenFiles::default();
        let root = self.library().open_root(&Self::game()).unwrap();
        let root = match faults {
            Some(faults) => root.with_faults(Arc::clone(faults)),
            None => root,
        };
        let Held { content, manifest, hashes, .. } = self.new.held.clone();
        let held = self.held();
        let incoming =
            Incoming::open(root, content, Arc::clone(&manifest), &self.new.bytes, held.as_ref(), &files, &mut go_on())
                .unwrap();
        for file in incoming.files_without_hashes() {
            incoming.set_hashes(file, &hashes.of_file(&manifest, file).unwrap()).unwrap().unwrap();
        }
        let source = GameRoot::open(&self.dir.join("source")).unwrap();
        let source = RootReader::new(source, &self.new.held, &files);
        let mut buffer = vec![0; MIB];
        for chunk in (0..manifest.chunk_count()).map(ChunkNo) {
            let len = source.read_chunk(chunk, &mut buffer).unwrap();
            incoming.write_chunk(chunk, &buffer[..len]).unwrap();
        }
        incoming
    }

    fn commit(&self, incoming: &Incoming, faults: Option<&Arc<Faults>>) -> Result<Committed, InstallError> {
        let root = self.library().open_root(&Self::game()).unwrap();
        let root = match faults {
            Some(faults) => root.with_faults(Arc::clone(faults)),
            None => root,
        };
        commit(&root, incoming, &mut Memory::none())
    }

    fn recover(&self) -> Recovered {
        recover(&self.library(), &Self::game(), &mut Memory::none()).unwrap()
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        take(&self.root_path(), Path::new(""), &mut snapshot);
        snapshot
    }
}

fn take(root: &Path, below: &Path, into: &mut Snapshot) {
    let Ok(entries) = fs::read_dir(root.join(below)) else { return };
    for entry in entries.map(Result::unwrap) {
        let path = below.join(entry.file_name());
        let text = path.to_str().unwrap();
        // The download is looked at by itself; the others are halves of atomic writes, which nobody reads.
        if text == ".potluck/incoming" || text.starts_with(".potluck/") && text.ends_with(".new") {
            continue;
        }
        let kind = entry.file_type().unwrap();
        let what = if kind.is_dir() {
            take(root, &path, into);
            "folder".to_owned()
        } else if kind.is_symlink() {
            format!("to {}", fs::read_link(entry.path()).unwrap().display())
        } else {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o111 != 0;
            format!("{} x={mode}", blake3::hash(&fs::read(entry.path()).unwrap()).to_hex())
        };
        into.insert(path, what);
    }
}

/// Stops a commit before each of its operations; gives how many there are.
fn check_commit(make: impl Fn() -> Party) -> u64 {
    let (total, expect) = {
        let party = make();
        let faults = Arc::new(Faults::count_only());
        let incoming = party.download(Some(&faults));
        faults.arm(u64::MAX);
        let committed = party.commit(&incoming, Some(&faults)).unwrap();
        assert!(committed.held.is_whole());
        (faults.count(), party.snapshot())
    };
    let (mut kept_old, mut came_new) = (0, 0);
    for point in 1..=total {
        let party = make();
        let faults = Arc::new(Faults::before(u64::MAX, FaultAction::Fail));
        let incoming = party.download(Some(&faults));
        let before = party.snapshot();
        faults.arm(point);
        party.commit(&incoming, Some(&faults)).unwrap_err();
        drop(incoming);
        party.recover();
        let after = party.snapshot();
        let download = party.root_path().join(store::incoming_folder(party.new.held.content));
        if after == before {
            kept_old += 1;
            assert!(download.join("manifest.json").exists(), "at {point} the download is gone");
            let incoming = party.download(None);
            party.commit(&incoming, None).unwrap();
            assert_eq!(party.snapshot(), expect, "at {point}, committed again");
        } else {
            came_new += 1;
            assert_eq!(after, expect, "at {point} of {total}");
        }
        assert!(!download.exists(), "at {point} a finished download is left");
        assert!(matches!(party.recover(), Recovered::Nothing), "at {point}");
        assert_eq!(party.snapshot(), expect, "at {point} a second recovery changed something");
    }
    assert!(kept_old > 0 && came_new > 0, "{kept_old} old, {came_new} new");
    println!("{total} points: {kept_old} kept the old build, {came_new} came to the new one");
    total
}

#[test]
fn an_update_stopped_anywhere_is_the_old_build_or_the_new_one() {
    let points = check_commit(Party::update);
    assert!(points > 60, "only {points} points: is everything counted?");
}

#[test]
fn a_first_download_stopped_anywhere_is_nothing_or_the_new_build() {
    let make = || {
        Party::new(
            |root| {
                write(root, "edited.cfg", b"was here before");
                symlink("/etc", root.join("data")).unwrap();
            },
            new_build,
        )
    };
    check_commit(make);
    assert!(Path::new("/etc/passwd").exists() && !Path::new("/etc/same.pak").exists());
}

#[test]
fn a_repair_stopped_anywhere_is_found_again_and_finished() {
    let make = || {
        Party::new(
            |root| {
                new_build(root);
                let scanned = scan(root);
                store::save_manifest(&GameRoot::open(root).unwrap(), &scanned.bytes, &scanned.held.hashes).unwrap();
                write(root, "data/changes.pak", &[2; 2 * MIB]);
                fs::remove_file(root.join("run")).unwrap();
                fs::remove_file(root.join("link")).unwrap();
            },
            new_build,
        )
    };
    check_commit(make);
}

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
    assert!(matches!(error, InstallError::NotReady(NotReady::Lost { ref chunks }) if chunks.len() == 3), "{error}");
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
fn a_removal_stopped_anywhere_is_finished_and_leaves_what_is_not_ours() {
    let make = |own: bool| {
        let party = Party::update();
        if !own {
            for path in ["saves", "local"] {
                fs::remove_dir_all(party.root_path().join(path)).unwrap();
            }
            for path in ["in", "mods"] {
                let path = party.root_path().join(path);
                if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
            }
        }
        drop(party.download(None));
        party
    };
    let party = make(false);
    assert_eq!(remove_game(&party.library(), &Party::game(), &mut Memory::none()).unwrap().left, Vec::<String>::new());
    assert!(!party.root_path().exists());
    let remove = |party: &Party, faults: &Arc<Faults>| {
        let root = party.library().open_root(&Party::game()).unwrap().with_faults(Arc::clone(faults));
        remove_payload(&root)
    };
    let party = make(true);
    let faults = Arc::new(Faults::count_only());
    let left = remove(&party, &faults).unwrap().left;
    assert_eq!(left, ["in", "local", "mods", "saves"]);
    let (total, expect) = (faults.count(), party.snapshot());
    for point in 1..=total {
        let party = make(true);
        let before = party.snapshot();
        remove(&party, &Arc::new(Faults::before(point, FaultAction::Fail))).unwrap_err();
        party.recover();
        let after = party.snapshot();
        assert!(after == expect || after == before && point == 1, "at {point} of {total}");
        assert!(matches!(party.recover(), Recovered::Nothing), "at {point}");
    }
    println!("{total} points of a removal");
}

/// Tells the test below, run in a child process, where to work and when to die.
const CHILD: &str = "POTLUCK_TEST_COMMIT_CHILD";

#[test]
fn a_process_killed_at_any_operation_of_a_commit_leaves_the_old_build_or_the_new_one() {
    if let Ok(task) = std::env::var(CHILD) {
        let (point, dir) = task.split_once(':').unwrap();
        let party = Party::of_parent(Path::new(dir));
        let faults = Arc::new(Faults::before(u64::MAX, FaultAction::Kill));
        let incoming = party.download(Some(&faults));
        faults.arm(point.parse().unwrap());
        party.commit(&incoming, Some(&faults)).unwrap();
        return;
    }
    let expect = {
        let party = Party::update();
        party.commit(&party.download(None), None).unwrap();
        party.snapshot()
    };
    let (mut killed, mut point) = (0, 0);
    loop {
        point += 1;
        let party = Party::update();
        let name = "runtime::installs::tests::a_process_killed_at_any_operation_of_a_commit_leaves_the_old_build_or_the_new_one";
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(CHILD, format!("{point}:{}", party.dir.display()))
            .output()
            .unwrap();
        if child.status.success() {
            assert_eq!(party.snapshot(), expect);
            break;
        }
        let signal = std::os::unix::process::ExitStatusExt::signal(&child.status);
        assert_eq!(signal, Some(9), "at {point}: {}", String::from_utf8_lossy(&child.stdout));
        killed += 1;
        party.recover();
        if party.snapshot() != expect {
            assert_eq!(fs::read(party.root_path().join("version.ini")).unwrap(), b"1.0\r\nkept as it is", "at {point}");
            party.commit(&party.download(None), None).unwrap();
            assert_eq!(party.snapshot(), expect, "at {point}");
        }
        assert!(matches!(party.recover(), Recovered::Nothing), "at {point}");
    }
    assert!(killed > 60, "only {killed} points");
    println!("killed {killed} times");
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
        let faults = Arc::new(Faults::before(point, FaultAction::Fail));
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
    let party = Party::new(|root| write(root, "version.ini", b"1"), new_build);
    remove_game(&party.library(), &Party::game(), &mut Memory::none()).unwrap();
    assert!(!party.root_path().exists());
    let party = Party::new(|root| write(root, "version.ini/mine", b"1"), new_build);
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
        old_build(&root);
        let scanned = scan(&root);
        store::save_manifest(&GameRoot::open(&root).unwrap(), &scanned.bytes, &scanned.held.hashes).unwrap();
        new_build(&dir.join("source"));
        Party { new: scan(&dir.join("source")), dir, _own: None }
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
