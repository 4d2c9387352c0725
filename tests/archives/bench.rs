//! A place to extract in, with things beside it that must not change, and a look at what came of it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use potluck::io::archive::{ArchiveError, Job, Limits, Line, Totals, work};

/// What a path is: enough to tell two trees apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    Folder,
    File { bytes: Vec<u8>, executable: bool, mode_high: u32 },
    Link(PathBuf),
    Other(u32),
}

/// Every path below a folder.
pub(crate) type Tree = BTreeMap<String, Thing>;

/// A scratch folder: `payload` has the archives, `staging` takes the members, and all beside them is
/// outside.
pub(crate) struct Bench {
    dir: tempfile::TempDir,
    outside: Tree,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        for folder in ["payload", "staging", "secret"] {
            fs::create_dir(dir.path().join(folder)).expect("a folder");
        }
        fs::write(dir.path().join("secret/key"), "the key").expect("a file");
        fs::write(dir.path().join("victim"), "as it was").expect("a file");
        let mut bench = Self { dir, outside: Tree::new() };
        bench.outside = bench.look_outside();
        bench
    }

    pub(crate) fn payload(&self) -> PathBuf {
        self.dir.path().join("payload")
    }

    pub(crate) fn staging(&self) -> PathBuf {
        self.dir.path().join("staging")
    }

    /// Puts a file into the payload.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> &Self {
        let path = self.payload().join(name);
        fs::create_dir_all(path.parent().expect("below the payload")).expect("a folder");
        fs::write(path, bytes).expect("a file");
        self
    }

    pub(crate) fn job(&self, limits: Limits) -> Job {
        let text = |path: PathBuf| path.to_str().expect("UTF-8").to_owned();
        let tree = tree_of(&self.payload());
        let files = tree.into_iter().filter(|(_, thing)| matches!(thing, Thing::File { .. })).map(|(path, _)| path);
        Job { root: text(self.payload()), files: files.collect(), staging: Some(text(self.staging())), limits }
    }

    pub(crate) fn extract(&self) -> Result<Totals, ArchiveError> {
        self.extract_within(Limits::default())
    }

    /// Extracts in this process, and holds what was outside against what is.
    pub(crate) fn extract_within(&self, limits: Limits) -> Result<Totals, ArchiveError> {
        let done = work(&self.job(limits), &mut |_| {});
        self.assert_untouched();
        done
    }

    /// What a listing says: paths and sizes.
    pub(crate) fn list(&self) -> (Result<Totals, ArchiveError>, Vec<(String, u64)>) {
        let mut members = Vec::new();
        let job = Job { staging: None, ..self.job(Limits::default()) };
        let done = work(&job, &mut |line| {
            if let Line::Member { path, size } = line {
                members.push((path, size));
            }
        });
        members.sort();
        assert!(self.extracted().is_empty(), "a listing wrote something");
        (done, members)
    }

    pub(crate) fn extracted(&self) -> Tree {
        tree_of(&self.staging())
    }

    /// Fails if anything but the staging folder and the payload has changed.
    pub(crate) fn assert_untouched(&self) {
        assert_eq!(self.look_outside(), self.outside, "something outside the staging folder changed");
    }

    fn look_outside(&self) -> Tree {
        let mut tree = tree_of(self.dir.path());
        tree.retain(|path, _| !path.starts_with("payload/") && !path.starts_with("staging/"));
        // What `../../` from a staging folder would reach in a careless extractor.
        for path in ["/tmp/potluck-hostile", "/potluck-hostile", "/etc/potluck-hostile"] {
            assert!(!Path::new(path).exists(), "{path} was written");
        }
        tree
    }
}

/// What lies below a folder.
pub(crate) fn tree_of(root: &Path) -> Tree {
    let mut tree = Tree::new();
    walk(root, "", &mut tree);
    tree
}

fn walk(folder: &Path, prefix: &str, tree: &mut Tree) {
    for entry in fs::read_dir(folder).expect("a folder that can be read") {
        let entry = entry.expect("an entry");
        let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let meta = entry.path().symlink_metadata().expect("an entry that stays");
        let thing = if meta.is_symlink() {
            Thing::Link(fs::read_link(entry.path()).expect("a link"))
        } else if meta.is_dir() {
            walk(&entry.path(), &format!("{path}/"), tree);
            Thing::Folder
        } else if meta.is_file() {
            let mode = meta.permissions().mode();
            let bytes = fs::read(entry.path()).expect("a file that can be read");
            Thing::File { bytes, executable: mode & 0o100 != 0, mode_high: mode & 0o7000 }
        } else {
            Thing::Other(meta.mode())
        };
        tree.insert(path, thing);
    }
}

/// A game as it might be archived.
pub(crate) fn lay_out_game(folder: &Path) {
    for sub in ["bin", "data/maps", "Ünï", "empty folder"] {
        fs::create_dir_all(folder.join(sub)).expect("a folder");
    }
    fs::write(folder.join("readme.txt"), "read me\n").expect("a file");
    fs::write(folder.join("version.ini"), "1.0\n").expect("a file");
    fs::write(folder.join("data/empty"), "").expect("a file");
    fs::write(folder.join("Ünï/cödé ❤.txt"), "heart\n").expect("a file");
    fs::write(folder.join("data/maps/noise.bin"), noise(400_000)).expect("a file");
    fs::write(folder.join("data/zeros.bin"), vec![0; 2_000_000]).expect("a file");
    fs::write(folder.join("bin/run.sh"), "#!/bin/sh\n").expect("a file");
    fs::set_permissions(folder.join("bin/run.sh"), fs::Permissions::from_mode(0o755)).expect("a mode");
}

/// And the links that not every format can have.
pub(crate) fn lay_out_links(folder: &Path) {
    symlink("../readme.txt", folder.join("bin/readme")).expect("a link");
    symlink("data/maps", folder.join("maps")).expect("a link");
}

/// Bytes that do not compress, the same every time.
pub(crate) fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = std::iter::repeat_with(&mut next).flatten().take(count).collect();
    bytes.truncate(count);
    bytes
}

/// Runs a tool in a folder; `false`, with a word, where it is not installed.
#[expect(clippy::print_stderr, reason = "who reads the test's output learns what was not looked at")]
pub(crate) fn tool(folder: &Path, program: &str, args: &[&str]) -> bool {
    let output = match Command::new(program).args(args).current_dir(folder).env("LC_ALL", "C.UTF-8").output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("`{program}` is not installed: what it makes is not looked at");
            return false;
        }
        Err(error) => panic!("{program}: {error}"),
    };
    assert!(output.status.success(), "{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    true
}
