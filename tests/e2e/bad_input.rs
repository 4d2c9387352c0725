//! What bad input gets: a message that names the thing, no panic, nothing lost, nothing written
//! outside the library, and every other game still shared.

use std::{
    fs,
    net::UdpSocket,
    os::unix::{ffi::OsStringExt as _, fs::symlink, net::UnixListener},
    path::Path,
};

use super::{
    CHUNK, HERE, add, game, guest_of, host_of,
    process::{Seat, bytes_of, files_below, wait_until},
    text, wait_for_game, wait_for_state,
};

#[test]
fn odd_games_are_private_or_named_and_the_others_are_shared() {
    let mut host = Seat::new();
    add(&host, "good", "1.0", 1, &[("a.bin", 2 * CHUNK)]);
    let root = |id: &str| {
        let root = host.game(id);
        fs::create_dir_all(&root).unwrap();
        fs::write(root.join("data.bin"), bytes_of(4, 100)).unwrap();
        root
    };
    fs::write(root("empty-version").join("version.ini"), "").unwrap();
    fs::write(root("binary-version").join("version.ini"), bytes_of(9, 3_000)).unwrap();
    let huge = fs::File::create(root("huge-version").join("version.ini")).unwrap();
    huge.set_len(1 << 30).unwrap();
    fs::create_dir(root("folder-version").join("version.ini")).unwrap();
    let with_version = |id: &str| {
        let root = root(id);
        fs::write(root.join("version.ini"), "1.0\n").unwrap();
        root
    };
    let _socket = UnixListener::bind(with_version("socket").join("s")).unwrap();
    symlink("/etc/passwd", with_version("absolute-link").join("link")).unwrap();
    symlink("../../home", with_version("climbing-link").join("link")).unwrap();
    symlink("link", with_version("looping-link").join("link")).unwrap();
    fs::write(with_version("newline").join("a\nb"), "x").unwrap();
    fs::write(with_version("escape").join("a\u{1b}[2Jb"), "x").unwrap();
    fs::write(with_version("long-name").join("n".repeat(255)), "x").unwrap();
    fs::write(with_version("not-utf8").join(std::ffi::OsString::from_vec(vec![b'a', 0xff, 0xfe])), "x").unwrap();
    let twins = with_version("twins");
    fs::write(twins.join("Readme"), "x").unwrap();
    fs::write(twins.join("README"), "y").unwrap();
    fs::create_dir_all(with_version("deep").join("d/".repeat(40))).unwrap();
    // Names of roots that can be no GameId, and files where games are expected.
    fs::create_dir_all(host.library().join("esc\u{1b}[2Jape")).unwrap();
    fs::create_dir_all(host.library().join(std::ffi::OsString::from_vec(vec![b'b', 0xff]))).unwrap();
    fs::write(host.library().join("loose file"), "x").unwrap();
    symlink("/etc", host.library().join("etc")).unwrap();

    let outside = files_below(host.around()).into_iter().filter(|(path, _)| !path.starts_with("home")).count();
    host.serve(&[]);
    wait_for_state(&host, "good", HERE);
    let guest = guest_of(&host);
    wait_for_game(&guest, "good");
    guest.does(&["get", "good"]);
    assert_eq!(files_below(&guest.game("good")), files_below(&host.game("good")));

    wait_until("every odd game is private", || {
        ["socket", "absolute-link", "climbing-link", "newline", "escape", "not-utf8", "twins"]
            .iter()
            .all(|id| game(&host, id)["private"].as_str().is_some_and(|why| !why.is_empty()))
    });
    for id in ["empty-version", "binary-version", "huge-version", "folder-version"] {
        let shown = game(&host, id);
        assert!(shown.is_null() || shown["private"].is_string() || shown["reason"] != "", "{id}: {shown}");
        assert!(shown["have"].as_u64().unwrap_or(0) == 0 || !shown["private"].is_null(), "{id} is offered: {shown}");
    }
    for odd in ["socket", "twins", "newline", "absolute-link", "etc", "loose file"] {
        assert!(game(&guest, odd).is_null(), "{odd} is offered to others");
    }
    let table = host.does(&["games"]).stdout;
    assert!(!table.contains('\u{1b}'), "an escape code reaches the terminal: {table:?}");
    let now = files_below(host.around()).into_iter().filter(|(path, _)| !path.starts_with("home")).count();
    assert!(now >= outside, "files were lost: {outside} before, {now} now");
    host.assert_well();
}

#[test]
fn a_library_that_cannot_be_used_is_named() {
    let seat = Seat::new();
    fs::remove_dir(seat.library()).unwrap();
    fs::write(seat.library(), "a file").unwrap();
    let ended = seat.run(&["games", "--wait", "0"]);
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:#?}");
    assert!(ended.stderr.contains(text(&seat.library())), "{ended:#?}");
    assert_eq!(fs::read(seat.library()).unwrap(), b"a file");
    fs::remove_file(seat.library()).unwrap();
    symlink("/nowhere/at/all", seat.library()).unwrap();
    let ended = seat.run(&["games", "--wait", "0"]);
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:#?}");
    assert!(ended.stderr.contains(text(&seat.library())), "{ended:#?}");
}

#[test]
fn a_library_that_is_named_must_be_there_and_the_default_one_is_made() {
    let seat = Seat::new();
    fs::remove_dir(seat.library()).unwrap();
    let ended = seat.run(&["games", "--wait", "0"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stderr.contains(text(&seat.library())), "{ended:#?}");
    assert!(!seat.library().exists());

    let default = Seat::by_default();
    default.does(&["games", "--wait", "0"]);
    assert!(default.around().join("Games").is_dir(), "{:?}", default.folders_around());
}

#[test]
fn a_port_in_use_is_named() {
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let seat = Seat::new();
    let listen = format!("127.0.0.1:{port}");
    let ended = seat.run(&["--listen", &listen, "serve"]);
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.stderr.contains(&port) && ended.stderr.contains("--listen"), "{ended:#?}");
}

#[test]
fn corrupt_state_costs_time_and_never_data() {
    let mut host = host_of(&[("quux", &[("a.bin", 3 * CHUNK), ("b.bin", 10)])]);
    wait_for_state(&host, "quux", HERE);
    let files = files_below(&host.game("quux"));
    let content = game(&host, "quux")["content"].clone();
    host.stop();
    for (what, spoil) in [
        ("the index", (|host| spoil_all(&host.home(), "index")) as fn(&Seat)),
        ("the manifest", |host| spoil_all(&host.game("quux").join(".potluck"), "manifest")),
        ("the hashes", |host| spoil_all(&host.game("quux").join(".potluck"), "hashes")),
        ("the journal", |host| fs::write(host.game("quux").join(".potluck/journal.json"), "{\"v\":1,").unwrap()),
        ("all of `.potluck`", |host| fs::remove_dir_all(host.game("quux").join(".potluck")).unwrap()),
    ] {
        spoil(&host);
        host.serve(&[]);
        let mut last = serde_json::Value::Null;
        let well = super::process::until(super::process::PATIENCE, || {
            last = game(&host, "quux");
            (last["state"] == HERE && last["content"] == content).then_some(())
        });
        assert!(well.is_some(), "with {what} spoiled: {last}\n{}", host.log());
        assert_eq!(files_below(&host.game("quux")), files, "with {what} spoiled, files changed");
        host.assert_well();
        host.stop();
    }
}

/// Overwrites every file below `folder` whose name contains `part`; there must be one.
fn spoil_all(folder: &Path, part: &str) {
    let mut spoiled = 0;
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().contains(part) && entry.path().is_file() {
            fs::write(entry.path(), bytes_of(11, 5_000)).unwrap();
            spoiled += 1;
        } else if entry.path().is_dir() && !entry.path().ends_with("incoming") {
            for inner in fs::read_dir(entry.path()).unwrap().map(Result::unwrap) {
                if inner.file_name().to_string_lossy().contains(part) && inner.path().is_file() {
                    fs::write(inner.path(), bytes_of(11, 5_000)).unwrap();
                    spoiled += 1;
                }
            }
        }
    }
    assert!(spoiled > 0, "no file named like {part} below {}", folder.display());
}

#[test]
fn a_game_removed_while_others_get_it_stops_them_cleanly() {
    let mut host = host_of(&[("quux", &[("a.bin", 40 * CHUNK)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux", "--no-wait"]);
    host.does(&["remove", "quux", "--yes"]);
    let mut guest = guest;
    wait_until("the getter is done, or waits with a reason", || {
        let transfer = super::transfer(&guest, "quux");
        transfer.is_null() || (transfer["state"] == "waiting" && transfer["reason"] != "")
    });
    host.assert_well();
    guest.assert_well();
}

#[test]
fn what_cannot_be_added_is_named() {
    let seat = Seat::new();
    let nowhere = seat.around().join("nowhere");
    let ended = seat.run(&["add", text(&nowhere)]);
    assert_ne!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.stderr.contains(text(&nowhere)), "{ended:#?}");
    let folder = seat.around().join("game");
    super::make_game(&folder, 1, &[("a", 10)]);
    for id in ["../x", ".hidden", "a/b", "con", ""] {
        let ended = seat.run(&["add", text(&folder), "--id", id]);
        assert!(ended.code.is_some_and(|code| code != 0), "{id:?}: {ended:#?}");
    }
    assert_eq!(seat.folders_around(), ["game", "home", "library"]);
    assert_eq!(files_below(&seat.library()).len(), 0);
}
