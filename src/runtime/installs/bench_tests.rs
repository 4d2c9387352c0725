//! What the tests of game roots share: trees of files in memory, builds, and games in every state that a change
//! of them begins from.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    ops::ControlFlow,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_OMIT, utimensat};

use super::{
    local::{Progress, Unpack},
    payload::copy_rest,
    *,
};
use crate::{
    io::{
        disk::Faults,
        hash::Watcher,
        scan::{self, Memory, Scanned, check, walk},
        store::{OpenFiles, RootReader},
    },
    types::{CHUNK_BYTES, Sentinel},
    wire::installed::{FILES_NAME, decode_files},
};

pub(super) const CHUNK: usize = CHUNK_BYTES as usize;
const GAME: &str = "game";

pub(super) fn temp_dir() -> tempfile::TempDir {
    // Hundreds of syncs of a real disk take minutes; what is tested is the order of operations.
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

pub(super) fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

pub(super) fn go_on() -> impl FnMut(u64) -> ControlFlow<()> {
    |_| ControlFlow::Continue(())
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Node {
    Folder,
    Link { target: String, mtime_ns: i64 },
    File { bytes: Vec<u8>, executable: bool, mtime_ns: i64 },
}

/// All there is below a folder, by path; the folder itself is the empty one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tree(pub(super) BTreeMap<String, Node>);

/// What of a tree has to be the same, byte for byte, whatever happened on the way.
pub(super) type Snapshot = BTreeMap<String, String>;

impl Tree {
    pub(super) fn read(dir: &Path) -> Self {
        fn take(dir: &Path, path: String, into: &mut BTreeMap<String, Node>) {
            let Ok(meta) = fs::symlink_metadata(dir) else { return };
            let node = if meta.is_dir() {
                for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                    let name = entry.file_name().into_string().unwrap();
                    let below = if path.is_empty() { name } else { format!("{path}/{name}") };
                    take(&entry.path(), below, into);
                }
                Node::Folder
            } else {
                let mtime_ns = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
                if meta.is_symlink() {
                    let target = fs::read_link(dir).unwrap().to_str().unwrap().to_owned();
                    Node::Link { target, mtime_ns }
                } else {
                    let executable = meta.permissions().mode() & 0o100 != 0;
                    Node::File { bytes: fs::read(dir).unwrap(), executable, mtime_ns }
                }
            };
            into.insert(path, node);
        }
        let mut tree = BTreeMap::new();
        take(dir, String::new(), &mut tree);
        Self(tree)
    }

    /// Lays it out where nothing is but folders, with the times it had.
    pub(super) fn write(&self, dir: &Path) {
        for (path, node) in &self.0 {
            let at = if path.is_empty() { dir.to_owned() } else { dir.join(path) };
            match node {
                Node::Folder => fs::create_dir_all(&at).unwrap(),
                Node::Link { target, mtime_ns } => {
                    symlink(target, &at).unwrap();
                    set_mtime(&at, *mtime_ns);
                }
                Node::File { bytes, executable, mtime_ns } => {
                    fs::write(&at, bytes).unwrap();
                    fs::set_permissions(&at, fs::Permissions::from_mode(if *executable { 0o755 } else { 0o644 }))
                        .unwrap();
                    set_mtime(&at, *mtime_ns);
                }
            }
        }
    }

    /// Without the download, which is looked at by itself, and without halves of atomic writes, which nobody reads.
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        for (path, node) in &self.0 {
            let half = path.starts_with(".potluck/") && path.ends_with(".new");
            // An empty folder is as good as none.
            let own = path.is_empty() || path == ".potluck";
            if half || own || Path::new(path).starts_with(".potluck/incoming") {
                continue;
            }
            let what = match node {
                Node::Folder => "folder".to_owned(),
                Node::Link { target, .. } => format!("to {target}"),
                Node::File { bytes, .. } if path.ends_with(FILES_NAME) => self.list(path, bytes),
                Node::File { bytes, executable, .. } => {
                    let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() < 80);
                    let text = text.map_or_else(|| blake3::hash(bytes).to_hex().to_string(), str::to_owned);
                    format!("{text:?} x={executable}")
                }
            };
            snapshot.insert(path.clone(), what);
        }
        snapshot
    }

    /// Times differ from run to run; whether they are those of the files does not.
    fn list(&self, path: &str, bytes: &[u8]) -> String {
        let Ok(list) = decode_files(bytes) else { return "damaged".to_owned() };
        let folder = path.strip_suffix(FILES_NAME).unwrap();
        let line = |(file, was): (&String, &crate::wire::installed::Unpacked)| {
            let is = match self.0.get(&format!("{folder}{file}")) {
                Some(Node::File { bytes, mtime_ns, .. }) => Some((bytes.len() as u64, *mtime_ns)),
                Some(Node::Link { target, mtime_ns }) => Some((target.len() as u64, *mtime_ns)),
                Some(Node::Folder) | None => None,
            };
            let is = if is == Some((was.size, was.mtime_ns)) { "as unpacked" } else { "changed" };
            format!("{file} {is}, ")
        };
        list.iter().map(line).collect()
    }
}

fn set_mtime(path: &Path, mtime_ns: i64) {
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let at = Timespec { tv_sec: mtime_ns.div_euclid(1_000_000_000), tv_nsec: mtime_ns.rem_euclid(1_000_000_000) };
    let times = Timestamps { last_access: omit, last_modification: at };
    utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Says only what differs.
pub(super) fn assert_same(found: &Snapshot, expect: &Snapshot, what: &str) {
    if found == expect {
        return;
    }
    let paths: BTreeSet<&String> = found.keys().chain(expect.keys()).collect();
    let differs = paths.into_iter().filter(|path| found.get(*path) != expect.get(*path));
    let lines: Vec<String> =
        differs.map(|path| format!("{path}: found {:?}, expected {:?}", found.get(path), expect.get(path))).collect();
    panic!("{what}:\n{}", lines.join("\n"));
}

pub(super) fn scan(path: &Path) -> Scanned {
    let root = GameRoot::open(path).unwrap();
    let sentinel = Sentinel::from_bytes(&fs::read(path.join("version.ini")).unwrap()).unwrap();
    let tree = walk(&root).unwrap();
    scan::build(&root, &GameId::new(GAME).unwrap(), sentinel, &tree, &mut Memory::none(), &mut go_on()).unwrap()
}

/// Stores the manifest of what is in a root.
pub(super) fn publish(root: &Path) {
    let scanned = scan(root);
    store::save_manifest(&GameRoot::open(root).unwrap(), &scanned.bytes, &scanned.held.hashes).unwrap();
}

/// `large` is the size of its largest file: more than a chunk, or few bytes where it is laid out a thousand times.
pub(super) fn old_build(root: &Path, large: usize) {
    write(root, "version.ini", b"1.0\r\nkept as it is");
    write(root, "data/same.pak", [1; 7]);
    write(root, "data/changes.pak", vec![2; large]);
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

pub(super) fn new_build(root: &Path, large: usize) {
    write(root, "version.ini", b"2.0\n");
    write(root, "data/same.pak", [1; 7]);
    let mut changed = vec![2; large];
    changed[large - 4] = 9;
    write(root, "data/changes.pak", changed);
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
pub(super) fn users_own(root: &Path) {
    write(root, "old/edited.cfg", b"my own");
    write(root, "edited.cfg", b"my own");
    write(root, "in/the", b"a file of mine where a folder comes");
    write(root, "mods", b"another one");
    write(root, "saves/1.sav", b"mine");
    write(root, "local/installed", b"by somebody");
}

/// A library with one game, and a build to bring in.
pub(super) struct Party {
    pub(super) dir: PathBuf,
    pub(super) new: Scanned,
    /// Removes the folder in the end; a child process works in its parent's.
    _own: Option<tempfile::TempDir>,
}

impl Party {
    pub(super) fn new(before: impl FnOnce(&Path), after: impl FnOnce(&Path)) -> Self {
        let dir = temp_dir();
        for folder in ["library/game", "source"] {
            fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        before(&dir.path().join("library/game"));
        after(&dir.path().join("source"));
        let party = Self::at(dir.path());
        Self { _own: Some(dir), ..party }
    }

    /// One that was laid out already.
    pub(super) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), new: scan(&dir.join("source")), _own: None }
    }

    pub(super) fn update() -> Self {
        Self::new(
            |root| {
                old_build(root, CHUNK + 5);
                publish(root);
                users_own(root);
            },
            |source| new_build(source, CHUNK + 5),
        )
    }

    pub(super) fn root_path(&self) -> PathBuf {
        self.dir.join("library/game")
    }

    pub(super) fn library(&self) -> Library {
        Library::open(&self.dir.join("library")).unwrap()
    }

    fn library_with(&self, faults: Option<&Arc<Faults>>) -> Library {
        match faults {
            Some(faults) => self.library().with_faults(Arc::clone(faults)),
            None => self.library(),
        }
    }

    pub(super) fn game() -> GameId {
        GameId::new(GAME).unwrap()
    }

    /// What the root has of the build its stored manifest says.
    pub(super) fn held(&self) -> Option<Held> {
        let root = self.library().open_root(&Self::game()).unwrap();
        let stored = store::load_manifest(&root).unwrap()?.unwrap();
        let manifest = Arc::new(stored.manifest);
        let hashes = store::load_hashes(&root, &manifest).unwrap();
        let watcher: &mut Watcher<'_> = &mut go_on();
        Some(check(&root, stored.content, &manifest, hashes, &mut Memory::none(), watcher).unwrap().held)
    }

    /// The download as it is found.
    pub(super) fn open_download(&self, faults: Option<&Arc<Faults>>) -> Incoming {
        let root = self.library_with(faults).open_root(&Self::game()).unwrap();
        let Held { content, manifest, .. } = self.new.held.clone();
        let (files, held) = (OpenFiles::default(), self.held());
        Incoming::open(root, content, manifest, &self.new.bytes, held.as_ref(), &files, &mut go_on()).unwrap()
    }

    /// A download with every chunk in it.
    pub(super) fn download(&self, faults: Option<&Arc<Faults>>) -> Incoming {
        let incoming = self.open_download(faults);
        self.fetch(&incoming);
        incoming
    }

    pub(super) fn fetch(&self, incoming: &Incoming) {
        let Held { manifest, hashes, .. } = self.new.held.clone();
        for file in incoming.files_without_hashes() {
            incoming.set_hashes(file, &hashes.of_file(&manifest, file).unwrap()).unwrap().unwrap();
        }
        let source = GameRoot::open(&self.dir.join("source")).unwrap();
        let source = RootReader::new(source, &self.new.held, &OpenFiles::default());
        let mut buffer = vec![0; CHUNK];
        for chunk in (0..manifest.chunk_count()).map(ChunkNo) {
            let len = source.read_chunk(chunk, &mut buffer).unwrap();
            incoming.write_chunk(chunk, &buffer[..len]).unwrap();
        }
    }

    pub(super) fn commit(&self, incoming: &Incoming, faults: Option<&Arc<Faults>>) -> Result<Committed, InstallError> {
        let root = self.library_with(faults).open_root(&Self::game()).unwrap();
        commit(&root, incoming, &mut Memory::none())
    }

    pub(super) fn recover(&self) -> Recovered {
        recover(&self.library(), &Self::game(), &mut Memory::none()).unwrap()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        Tree::read(&self.root_path()).snapshot()
    }
}

/// No child process: what is tested is what is made of its work.
pub(crate) struct Plain;

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

/// Installs the build that is in a root, as its stored manifest says.
pub(super) fn install_stored(root: &GameRoot, progress: &mut Progress<'_>) -> Result<Installed, InstallError> {
    let stored = store::load_manifest(root)?.expect("it was published").unwrap();
    let keep = [PayloadPath::new("saves").unwrap()];
    install(root, (stored.content, &stored.manifest), &keep, &mut Plain, progress)
}

/// Lets an installation go on.
pub(super) fn on(_: u64, _: &str) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Puts the payload of a small game into a root; what was one before goes, as after a commit.
pub(super) fn small_payload(root: &Path, version: &str, files: &[(&str, &str)]) {
    fs::create_dir_all(root).unwrap();
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = entry.file_name();
        if !name.to_str().unwrap().starts_with('.') && name != "local" {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
    }
    write(root, "version.ini", version);
    for (path, text) in files {
        write(root, path, text);
    }
    fs::set_permissions(root.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    symlink("run.sh", root.join("link")).unwrap();
    publish(root);
}

pub(super) const OLD_FILES: &[(&str, &str)] =
    &[("data/config.cfg", "as shipped"), ("data/gone.pak", "old"), ("data/pak0.pk3", "same"), ("run.sh", "#!old")];
pub(super) const NEW_FILES: &[(&str, &str)] = &[
    ("data/config.cfg", "as shipped later"),
    ("data/pak0.pk3", "same"),
    ("data/pak1.pk3", "new"),
    ("run.sh", "#!new"),
];

/// The payload of a new build, beside an old one that is installed and that its user has changed.
pub(super) fn installed_old(root: &Path) {
    small_payload(root, "1", OLD_FILES);
    install_stored(&GameRoot::open(root).unwrap(), &mut on).unwrap();
    write(root, "local/data/config.cfg", "my own settings");
    write(root, "local/saves/1.sav", "level 3");
    write(root, "local/mods/mine.txt", "a mod");
    small_payload(root, "2", NEW_FILES);
}
