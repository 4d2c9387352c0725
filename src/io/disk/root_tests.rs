//! Trees made to lead a careless program astray, tried with each way of opening paths.

use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::io::disk::Fault;

struct Tree {
    dir: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("root/sub")).unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        fs::write(dir.path().join("root/sub/file"), "hello").unwrap();
        Self { dir }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn roots(&self) -> [GameRoot; 2] {
        let open = || GameRoot::open(&self.path("root")).unwrap();
        assert_eq!(open().resolver, Resolver::Beneath, "the tests are meant for a kernel with openat2");
        [open(), open().part_by_part()]
    }
}

fn check_refused(root: &GameRoot, path: &str, is_right: fn(&Reason) -> bool) {
    let error = root.open_file(path).unwrap_err();
    assert!(is_right(error.reason()), "{:?} {path}: {error}", root.resolver);
}

#[test]
fn nothing_outside_the_root_is_opened() {
    let tree = Tree::new();
    symlink("../secret", tree.path("root/out")).unwrap();
    symlink("..", tree.path("root/up")).unwrap();
    symlink("sub", tree.path("root/inner")).unwrap();
    symlink("/", tree.path("root/sub/slash")).unwrap();
    for root in tree.roots() {
        for path in ["../secret", "/etc/passwd", "sub/../../secret", "", ".", "sub//file", "sub/./file", "a\0b"] {
            check_refused(&root, path, |reason| matches!(reason, Reason::BadPath));
        }
        for path in ["out", "up/secret", "inner/file", "sub/slash/etc/passwd"] {
            check_refused(&root, path, |reason| matches!(reason, Reason::Link));
        }
        assert_eq!(root.read_file("sub/file", 5).unwrap(), b"hello");
        assert!(root.create_file("up/new", false).is_err());
        assert!(root.rename("sub/file", "up/file").is_err());
        assert!(root.rename("up/secret", "mine").is_err());
        assert!(root.remove_file("up/secret").is_err());
        assert!(root.make_dirs("inner/x").is_err() && root.make_dirs("up/x").is_err());
        assert!(root.find("inner/file").unwrap().is_none());
        assert_eq!(fs::read(tree.path("secret")).unwrap(), b"secret");
    }
}

#[test]
fn only_regular_files_are_opened_and_nothing_waits() {
    let tree = Tree::new();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        tree.path("root/fifo"),
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tree.path("root/socket")).unwrap();
    for root in tree.roots() {
        check_refused(&root, "fifo", |reason| matches!(reason, Reason::NotRegular));
        check_refused(&root, "socket", |reason| matches!(reason, Reason::NotRegular));
        check_refused(&root, "sub", |reason| matches!(reason, Reason::IsAFolder));
        check_refused(&root, "none", |reason| matches!(reason, Reason::Missing));
        check_refused(&root, "sub/file/x", |reason| matches!(reason, Reason::NotAFolder));
        check_refused(&root, &"n".repeat(300), |reason| matches!(reason, Reason::Io(_)));
    }
}

#[test]
fn a_huge_file_is_refused_after_a_bounded_read() {
    let tree = Tree::new();
    fs::File::create(tree.path("root/version.ini")).unwrap().set_len(1 << 30).unwrap();
    for root in tree.roots() {
        let error = root.read_file("version.ini", 4_096).unwrap_err();
        assert!(matches!(error.reason(), Reason::TooLong { max: 4_096 }), "{error}");
    }
}

#[test]
fn files_are_made_moved_linked_and_removed() {
    for index in 0..2 {
        let tree = Tree::new();
        let root = &tree.roots()[index];
        root.make_dirs("a/b/c").unwrap();
        root.make_dirs("a/b/c").unwrap();
        let file = root.create_file("a/b/c/f", true).unwrap();
        file.allocate(10).unwrap();
        file.write_at(b"abc", 7).unwrap();
        assert!(root.stat("a/b/c/f").unwrap().executable);
        file.set_executable(false).unwrap();
        let stat = root.stat("a/b/c/f").unwrap();
        assert_eq!((stat.kind, stat.stamp.size, stat.executable), (Kind::File, 10, false));
        assert!(root.create_file("a/b/c/f", false).is_err());
        root.rename("a/b/c/f", "g").unwrap();
        let taken = root.rename_new("sub/file", "g").unwrap_err();
        assert!(matches!(taken.reason(), Reason::Exists), "{taken}");
        root.rename_new("sub/file", "h").unwrap();
        root.make_link("a/link", "../g").unwrap();
        assert_eq!(root.read_link("a/link").unwrap(), "../g");
        assert!(matches!(root.remove_dir("a").unwrap_err().reason(), Reason::NotEmpty));
        let names = |path| root.list(path, 9).unwrap().into_iter().map(|e| e.name).collect::<Vec<_>>();
        assert_eq!(names(""), ["a", "g", "h", "sub"]);
        assert!(matches!(root.list("", 3).unwrap_err().reason(), Reason::TooMany { max: 3 }));
        root.remove_tree("a").unwrap();
        root.remove_tree("a").unwrap();
        root.remove_file("gone/or/never").unwrap();
        assert_eq!(names(""), ["g", "h", "sub"]);
        root.sync_fs().unwrap();
        assert!(root.free_space().unwrap() > 0);
    }
}

#[test]
fn removing_a_tree_does_not_follow_links() {
    let tree = Tree::new();
    fs::create_dir_all(tree.path("root/.potluck/incoming")).unwrap();
    symlink("../../../secret", tree.path("root/.potluck/incoming/a")).unwrap();
    symlink("../../..", tree.path("root/.potluck/incoming/b")).unwrap();
    for root in tree.roots() {
        root.remove_tree(".potluck").unwrap();
        assert!(tree.path("secret").exists() && !tree.path("root/.potluck").exists());
    }
}

#[test]
fn copies_are_equal_and_can_be_cancelled() {
    let tree = Tree::new();
    let bytes: Vec<u8> = (0..3_000_000u32).flat_map(|i| i.to_le_bytes()).collect();
    fs::write(tree.path("root/big"), &bytes).unwrap();
    let [root, _] = tree.roots();
    let from = root.open_file("big").unwrap();
    let mut done = 0;
    let to = root.create_file("copy", false).unwrap();
    copy_file(&from, &to, &mut |count| {
        done += count;
        ControlFlow::Continue(())
    })
    .unwrap()
    .unwrap();
    assert_eq!(done, bytes.len() as u64);
    assert!(fs::read(tree.path("root/copy")).unwrap() == bytes);
    let to = root.create_file("stopped", false).unwrap();
    assert_eq!(copy_file(&from, &to, &mut |_| ControlFlow::Break(())).unwrap(), Err(Cancelled));
}

#[test]
fn an_atomic_write_is_all_or_nothing_at_every_point() {
    let total = {
        let tree = Tree::new();
        let faults = Arc::new(Faults::count_only());
        let [root, _] = tree.roots();
        root.with_faults(Arc::clone(&faults)).write_atomic("sub/file", b"new").unwrap();
        faults.count()
    };
    assert!(total >= 6, "{total} operations");
    for point in 1..=total {
        let tree = Tree::new();
        let [root, plain] = tree.roots();
        let root = root.with_faults(Arc::new(Faults::at(point, Fault::Stop)));
        let error = root.write_atomic("sub/file", b"new").unwrap_err();
        assert!(matches!(error.reason(), Reason::Io(_)), "{error}");
        let bytes = fs::read(tree.path("root/sub/file")).unwrap();
        assert!(bytes == b"hello" || bytes == b"new", "at {point}: {bytes:?}");
        assert_eq!(fs::read_dir(tree.path("root/sub")).unwrap().count(), 1, "at {point} something is left in the game");
        plain.write_atomic("sub/file", b"later").unwrap();
        assert_eq!(fs::read(tree.path("root/sub/file")).unwrap(), b"later");
    }
}

#[test]
fn messages_are_safe_to_print() {
    let tree = Tree::new();
    let [root, _] = tree.roots();
    let message = root.open_file("a\x1b[2Jb").unwrap_err().to_string();
    assert!(message.contains("a[2Jb") && !message.contains('\x1b'), "{message}");
}
