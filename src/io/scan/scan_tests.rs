//! Game roots as they come: plain, hostile, and changing under the reader.

use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::PathBuf,
};

use super::*;

const MIB: usize = 1 << 20;

struct Game {
    dir: tempfile::TempDir,
    memory: Memory,
}

impl Game {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let game = Self { dir: tempfile::tempdir().unwrap(), memory: Memory::none() };
        files.iter().for_each(|(path, bytes)| game.write(path, bytes));
        game
    }

    fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn root(&self) -> GameRoot {
        GameRoot::open(self.dir.path()).unwrap()
    }

    fn build(&mut self) -> Result<Scanned, ScanError> {
        self.build_watched(&mut |_| ControlFlow::Continue(()))
    }

    fn build_watched(&mut self, watcher: &mut Watcher<'_>) -> Result<Scanned, ScanError> {
        let root = self.root();
        let sentinel = read_sentinel(&root)?.ok_or(ScanError::NoSentinel)?;
        let tree = walk(&root)?;
        build(&root, &GameId::new("game").unwrap(), sentinel, &tree, &mut self.memory, watcher)
    }

    fn check(&mut self, scanned: &Scanned) -> Check {
        let held = &scanned.held;
        let go_on: &mut Watcher<'_> = &mut |_| ControlFlow::Continue(());
        check(&self.root(), held.content, &held.manifest, held.hashes.clone(), &mut self.memory, go_on).unwrap()
    }
}

#[test]
fn equal_folders_give_equal_builds_without_what_is_not_payload() {
    let files: &[(&str, &[u8])] =
        &[("version.ini", b"1.0\n"), ("data/a.pak", &[7; MIB + 5]), ("empty", b""), ("z/run.sh", b"#!/bin/sh")];
    let [mut one, mut two] = [Game::new(files), Game::new(files)];
    for game in [&one, &two] {
        fs::create_dir_all(game.path("maps/none")).unwrap();
        symlink("data/a.pak", game.path("link")).unwrap();
        let mut mode = fs::metadata(game.path("z/run.sh")).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
        fs::set_permissions(game.path("z/run.sh"), mode).unwrap();
    }
    two.write("local/save", b"mine");
    two.write(".local.backup/save", b"mine");
    two.write(".potluck/journal.json", b"ours");
    let built = one.build().unwrap();
    assert_eq!(built.held.content, two.build().unwrap().held.content);
    let manifest = &built.held.manifest;
    let paths = manifest.files().iter().map(|file| (file.path.as_str(), file.executable)).collect::<Vec<_>>();
    assert_eq!(paths, [("data/a.pak", false), ("empty", false), ("z/run.sh", true)]);
    assert_eq!(manifest.dirs()[0].path.as_str(), "maps/none");
    assert_eq!(manifest.links()[0].target, "data/a.pak");
    assert_eq!(manifest.file(FileNo(0)).hash.as_bytes(), blake3::hash(&[7; MIB + 5]).as_bytes());
    assert!(built.held.is_whole());
    assert!(!one.check(&built).is_modified());
}

fn check_private(spoil: impl FnOnce(&Game), expect: &str) {
    let mut game = Game::new(&[("version.ini", b"1"), ("a", b"a")]);
    spoil(&game);
    let message = game.build().unwrap_err().to_string();
    assert!(message.starts_with("private: ") && message.contains(expect), "{message}\nshould say: {expect}");
    assert!(!message.contains(|c: char| c.is_control()), "{message:?}");
}

#[test]
fn what_cannot_travel_makes_a_game_private_with_the_reason() {
    let file = |name: &'static str| move |game: &Game| game.write(name, b"x");
    check_private(|game| symlink("../../etc/passwd", game.path("out")).unwrap(), "`out` does not stay inside");
    check_private(|game| symlink("/etc/passwd", game.path("abs")).unwrap(), "`abs` does not stay inside");
    check_private(
        |game| drop(std::os::unix::net::UnixListener::bind(game.path("sock")).unwrap()),
        "`sock`: it is a socket",
    );
    check_private(
        |game| {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, game.path("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        },
        "`pipe`: it is a named pipe",
    );
    check_private(file("con.txt"), "`con.txt` names a device");
    check_private(file("new\nline"), "U+000A");
    check_private(file("esc\x1b[31m"), "U+001B");
    check_private(file("back\\slash"), "`\\`");
    check_private(file("dot."), "ends in a dot");
    check_private(file("A"), "`A` and `a` cannot both exist");
    check_private(
        |game| fs::write(game.path("").join(std::ffi::OsStr::from_bytes(b"bad\xff")), b"").unwrap(),
        "not UTF-8",
    );
    check_private(|game| fs::create_dir_all(game.path(&["d"; 40].join("/"))).unwrap(), "33 folders deep");
    // Names over 255 bytes cannot be made here; 5 long folders make a path that is too long.
    check_private(
        |game| fs::create_dir_all(game.path(&[&*"n".repeat(250); 5].join("/"))).unwrap(),
        "the path has 1254 bytes",
    );
}

#[test]
fn a_bad_sentinel_says_why() {
    let check = |bytes: &[u8], expect: &str| {
        let message = Game::new(&[("version.ini", bytes)]).build().unwrap_err().to_string();
        assert!(message.contains(expect), "{message}");
    };
    check(b"", "the version is empty");
    check(&[0xff; 30], "not UTF-8");
    check(b"1\0", "control characters");
    check(&[b'1'; 5_000], "more than 4096 bytes");
    assert!(matches!(Game::new(&[]).build(), Err(ScanError::NoSentinel)));
    let huge = Game::new(&[]);
    fs::File::create(huge.path("version.ini")).unwrap().set_len(1 << 30).unwrap();
    assert!(matches!(read_sentinel(&huge.root()), Err(ScanError::Sentinel(SentinelError::TooLong { .. }))));
    fs::remove_file(huge.path("version.ini")).unwrap();
    symlink("/etc/hostname", huge.path("version.ini")).unwrap();
    assert!(matches!(read_sentinel(&huge.root()), Err(ScanError::Disk(_))));
}

#[test]
fn a_file_that_changes_while_it_is_hashed_is_told() {
    let grow = |game: &Game| game.write("big", &[2; 3 * MIB]);
    let rewrite = |game: &Game| game.write("big", &[3; 2 * MIB]);
    let vanish = |game: &Game| fs::remove_file(game.path("big")).unwrap();
    let replace = |game: &Game| {
        game.write("new", &[1; 2 * MIB]);
        fs::rename(game.path("new"), game.path("big")).unwrap();
    };
    let changes: [&dyn Fn(&Game); 4] = [&grow, &rewrite, &vanish, &replace];
    for change in changes {
        let mut game = Game::new(&[("version.ini", b"1"), ("big", &[1; 2 * MIB])]);
        let other = Game { dir: tempfile::tempdir().unwrap(), memory: Memory::none() };
        let same = Game { dir: std::mem::replace(&mut game.dir, other.dir), memory: Memory::none() };
        let root = same.root();
        let tree = walk(&root).unwrap();
        let mut changed = false;
        let sentinel = Sentinel::from_bytes(b"1").unwrap();
        let mut watcher = |_| {
            if !std::mem::replace(&mut changed, true) {
                change(&same);
            }
            ControlFlow::Continue(())
        };
        let result = build(&root, &GameId::new("game").unwrap(), sentinel, &tree, &mut Memory::none(), &mut watcher);
        assert!(matches!(result, Err(ScanError::Changing { .. })), "{result:?}");
    }
}

#[test]
fn hashing_stops_between_chunks_and_is_not_repeated() {
    let mut game = Game::new(&[("version.ini", b"1"), ("a", &[1; 3 * MIB]), ("b", &[2; MIB])]);
    let mut calls = 0;
    let stopped = game.build_watched(&mut |_| {
        calls += 1;
        if calls == 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(ScanError::Cancelled)));
    let mut seen = Vec::new();
    game.build_watched(&mut |bytes| {
        seen.push(bytes as usize / MIB);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(seen, [3, 1], "the file that was done is known, in one step");
}

#[test]
fn a_check_names_every_difference_and_keeps_the_chunks_that_match() {
    let mut game = Game::new(&[
        ("version.ini", b"1"),
        ("big", &[1; 3 * MIB]),
        ("gone", b"gone"),
        ("kept", b"kept"),
        ("short", &[5; 2 * MIB]),
        ("swapped", b"file"),
    ]);
    fs::create_dir(game.path("hollow")).unwrap();
    symlink("kept", game.path("link")).unwrap();
    let built = game.build().unwrap();
    let mut bytes = vec![1; 3 * MIB];
    bytes[MIB + 9] = 2;
    game.write("big", &bytes);
    game.write("short", &[5; MIB]);
    game.write("unknown", b"a mod");
    fs::remove_file(game.path("gone")).unwrap();
    fs::remove_dir(game.path("hollow")).unwrap();
    fs::remove_file(game.path("swapped")).unwrap();
    fs::create_dir(game.path("swapped")).unwrap();
    fs::remove_file(game.path("link")).unwrap();
    symlink("big", game.path("link")).unwrap();
    let check = game.check(&built);
    let found: Vec<_> = check.differences.iter().map(|d| (d.path.as_str(), d.kind)).collect();
    assert_eq!(
        found,
        [
            ("big", DifferenceKind::Changed { good: 2, of: 3 }),
            ("gone", DifferenceKind::Missing),
            ("short", DifferenceKind::Changed { good: 0, of: 2 }),
            ("swapped", DifferenceKind::WrongKind),
            ("hollow", DifferenceKind::Missing),
            ("link", DifferenceKind::Target),
        ]
    );
    assert!(check.is_modified() && !check.is_changing() && !check.held.is_whole());
    assert_eq!(check.held.chunks.iter().map(|chunk| chunk.0).collect::<Vec<_>>(), [0, 2, 4]);
}

#[test]
fn a_folder_of_too_many_files_is_bounded() {
    let game = Game::new(&[("version.ini", b"1")]);
    // 700 folders of 215 names each: over the limit together, none alone.
    for folder in 0..700 {
        fs::create_dir(game.path(&format!("{folder}"))).unwrap();
        for file in 0..215 {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                game.path(&format!("{folder}/{file}")),
                rustix::fs::FileType::RegularFile,
                rustix::fs::Mode::from_raw_mode(0o600),
                0,
            )
            .unwrap();
        }
    }
    let tree = walk(&game.root()).unwrap();
    assert!(tree.private[0].to_string().contains("more than 150000"), "{:?}", tree.private);
}

#[test]
fn what_can_be_no_build_is_refused_before_anything_is_hashed() {
    let sparse = |size: u64| {
        move |game: &Game| {
            fs::File::create(game.path("a")).unwrap().set_len(size).unwrap();
        }
    };
    let check = |spoil: &dyn Fn(&Game), expect: &str| {
        let mut game = Game::new(&[("version.ini", b"1")]);
        spoil(&game);
        let mut reads = 0;
        let result = game.build_watched(&mut |_| {
            reads += 1;
            ControlFlow::Break(())
        });
        let message = result.unwrap_err().to_string();
        assert!(message.contains(expect) && reads == usize::from(expect == "cancelled"), "{message}, {reads} reads");
    };
    check(&sparse(1 << 41), "cancelled");
    check(&sparse((1 << 41) + 1), "2199023255553 bytes in 2097153 chunks; 2 TiB, 2097152 chunks, is the most");
    let twins = |game: &Game| {
        sparse(1 << 30)(game);
        game.write("A", b"x");
    };
    check(&twins, "`A` and `a` cannot both exist");
}

/// What the index has of a game is enough to say that it did not change, and only while it did not.
mod glances {
    use std::{path::Path, sync::Arc};

    use super::*;
    use crate::io::{
        index::{Index, Whole},
        store,
    };

    const FILES: &[(&str, &[u8])] =
        &[("version.ini", b"1.0\n"), ("a/b/one", b"1"), ("a/b/two", b"2"), ("a/c", b""), ("z", &[3; 2 * MIB + 1])];

    struct Known {
        game: Game,
        index: Arc<Index>,
        id: GameId,
        content: crate::types::ContentId,
    }

    impl Known {
        fn new() -> Self {
            let mut game = Game::new(FILES);
            fs::create_dir(game.path("hollow")).unwrap();
            symlink("a/c", game.path("link")).unwrap();
            let (id, index) = (GameId::new("game").unwrap(), game.path(".potluck/index"));
            fs::create_dir(game.path(".potluck")).unwrap();
            let index = Arc::new(Index::open(&index, Path::new("/games")).0.with_exact_times());
            game.memory = Memory::of_game(&index, &id);
            let scanned = game.build().unwrap();
            store::save_manifest(&game.root(), &scanned.bytes, &scanned.held.hashes).unwrap();
            let manifest = &scanned.held.manifest;
            let whole = Whole {
                content: scanned.held.content,
                size: manifest.size(),
                chunks: manifest.chunk_count(),
                manifest: game.root().stat(store::MANIFEST).unwrap().stamp,
                sentinel: manifest.sentinel().clone(),
                dirs: vec!["hollow".to_owned()],
                links: vec![("link".to_owned(), game.root().stat("link").unwrap().stamp)],
            };
            assert!(game.memory.remember_whole(whole));
            Self { game, index, id, content: scanned.held.content }
        }

        fn glance(&self) -> Option<Unchanged> {
            let root = self.game.root();
            let sentinel = read_sentinel(&root).unwrap().unwrap();
            let record = self.index.record(&self.id).unwrap();
            glance(&root, &record, &sentinel, || ControlFlow::Continue(())).unwrap()
        }

        fn recall(&self) -> Option<(Held, Vec<u8>)> {
            recall(&self.game.root(), &self.index, &self.id, self.content).unwrap()
        }
    }

    #[test]
    fn any_change_of_what_travels_is_seen_and_nothing_else() {
        let check = |change: &dyn Fn(&Game), unchanged: bool| {
            let known = Known::new();
            assert_eq!(known.glance().unwrap().whole.content, known.content);
            change(&known.game);
            assert_eq!(known.glance().is_some(), unchanged);
        };
        let put = |path: &'static str, bytes: &'static [u8]| move |game: &Game| game.write(path, bytes);
        let remove = |path: &'static str| move |game: &Game| fs::remove_file(game.path(path)).unwrap();
        check(&|_| {}, true);
        check(&put("a/b/save", b"mine"), true);
        check(&put("local/x", b"mine"), true);
        check(&put("a/b/two", b"3"), false);
        check(&put("version.ini", b"1.1\n"), false);
        check(&put(".potluck/manifest.json", b"{}"), false);
        check(&put("hollow/x", b"no longer empty, and nobody's business"), true);
        check(&remove("z"), false);
        check(&remove("link"), false);
        check(&remove(".potluck/manifest.json"), false);
        check(&|game| fs::remove_dir(game.path("hollow")).unwrap(), false);
        let other_folder = |game: &Game| {
            fs::rename(game.path("a/b"), game.path("a/x")).unwrap();
            symlink("x", game.path("a/b")).unwrap();
        };
        check(&other_folder, false);
        let other_target = |game: &Game| {
            fs::remove_file(game.path("link")).unwrap();
            symlink("z", game.path("link")).unwrap();
        };
        check(&other_target, false);
        let same_size_and_mtime = |game: &Game| {
            let before = fs::metadata(game.path("z")).unwrap().modified().unwrap();
            game.write("z", &[4; 2 * MIB + 1]);
            fs::File::options().write(true).open(game.path("z")).unwrap().set_modified(before).unwrap();
        };
        check(&same_size_and_mtime, false);
    }

    #[test]
    fn what_is_recalled_is_what_was_scanned() {
        let known = Known::new();
        let (held, bytes) = known.recall().unwrap();
        assert!(held.is_whole() && held.content == known.content);
        assert_eq!(manifest::content_id(&bytes), known.content);
        assert_eq!(held.stamps, known.glance().unwrap().stamps);
        assert!(held.hashes.unknown_files(&held.manifest).is_empty());
        fs::write(known.game.path(".potluck/hashes"), b"damaged").unwrap();
        assert!(known.recall().is_none(), "nobody could verify what it serves");
        let known = Known::new();
        fs::write(known.game.path(".potluck/manifest.json"), b"damaged").unwrap();
        assert!(known.recall().is_none());
        let mut known = Known::new();
        known.game.memory.forget(&PayloadPath::new("z").unwrap());
        known.game.memory.save();
        assert!(known.recall().is_none() && known.glance().is_none());
    }

    #[test]
    fn a_glance_that_is_to_stop_says_nothing() {
        let known = Known::new();
        let root = known.game.root();
        let sentinel = read_sentinel(&root).unwrap().unwrap();
        let record = known.index.record(&known.id).unwrap();
        assert!(glance(&root, &record, &sentinel, || ControlFlow::Break(())).unwrap().is_none());
    }
}
