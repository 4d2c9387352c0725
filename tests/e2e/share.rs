//! The main job: what one seat adds, another gets, byte for byte; updates; several sources; the
//! third seat that knows one address.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use super::{
    CHUNK, HERE, add, document, game, guest_of, host_of,
    process::{Seat, bytes_of, files_below, wait_until},
    received, text, transfer, wait_for_game, wait_for_state,
};

#[test]
fn a_game_arrives_byte_for_byte() {
    let mut host = Seat::new();
    let folder = host.around().join("Sauer Bräten");
    let files = [
        ("bin/run", 70_000),
        ("data/one chunk", CHUNK),
        ("data/and one byte", CHUNK + 1),
        ("data/less one byte", CHUNK - 1),
        ("data/deep/er/still/größe.bin", 2 * CHUNK + CHUNK / 2),
        ("empty", 0),
    ];
    super::make_game(&folder, 3, &files);
    for number in 0..300 {
        fs::write(folder.join(format!("data/small-{number:03}")), bytes_of(number, number as usize * 13)).unwrap();
    }
    fs::set_permissions(folder.join("bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(folder.join("saves/empty")).unwrap();
    symlink("bin/run", folder.join("run")).unwrap();
    fs::write(folder.join("version.ini"), "2020.12\r\nmore = below\r\n").unwrap();
    host.does(&["add", text(&folder)]);
    host.serve(&[]);

    let guest = Seat::new();
    let answer = guest.run(&["--peer", &host.addr().to_string(), "get", "Sauer Bräten", "--json"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    let (ours, theirs) = (guest.game("Sauer Bräten"), host.game("Sauer Bräten"));
    assert_eq!(files_below(&ours), files_below(&theirs));
    assert_eq!(files_below(&ours), files_below(&folder), "`add` without `--move` leaves the folder as it was");
    assert!(ours.join("saves/empty").is_dir());
    assert_eq!(fs::metadata(ours.join("bin/run")).unwrap().permissions().mode() & 0o111, 0o111);
    assert_eq!(fs::metadata(ours.join("empty")).unwrap().permissions().mode() & 0o111, 0);
    assert_eq!(fs::read_link(ours.join("run")).unwrap().to_str(), Some("bin/run"));
    let size: u64 = files_below(&ours)
        .iter()
        .filter(|(path, _)| !matches!(path.as_str(), "version.ini" | "run"))
        .map(|(_, bytes)| bytes.len() as u64)
        .sum();
    assert_eq!(received(&document(&answer)), size, "{}", answer.stdout);

    // `b3sum --check` in the game's folder must take these lines.
    let lines = guest.does(&["manifest", "Sauer Bräten", "--b3sum"]).stdout;
    let mut listed = 0;
    for line in lines.lines() {
        let (hash, path) = line.split_once("  ").unwrap_or_else(|| panic!("no b3sum line: {line:?}"));
        let bytes = fs::read(ours.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(blake3::hash(&bytes).to_hex().as_str(), hash, "{path}");
        listed += 1;
    }
    assert_eq!(listed, files.len() + 300, "every file and nothing else is listed");
    let content = |seat: &Seat| seat.asks(&["manifest", "Sauer Bräten"])["content"].clone();
    assert_eq!(content(&guest), content(&host), "equal folders have equal ContentIds");
}

#[test]
fn a_second_get_says_that_it_is_here() {
    let host = host_of(&[("quux", &[("a", 100)])]);
    let guest = Seat::new();
    let words = ["--peer", &host.addr().to_string(), "get", "quux"];
    guest.does(&words);
    guest.does(&words);
    // And nobody has to be there for it.
    drop(host);
    guest.does(&["get", "quux"]);
}

#[test]
fn one_known_address_brings_in_the_rest() {
    let first = host_of(&[("one", &[("a", 1_000)])]);
    let second = {
        let mut seat = Seat::new();
        add(&seat, "two", "1.0", 7, &[("b", 2_000)]);
        seat.serve(&["--peer", &first.addr().to_string()]);
        seat
    };
    wait_for_game(&second, "one");
    wait_for_game(&first, "two");
    let third = guest_of(&first);
    wait_for_game(&third, "two");
    third.does(&["get", "two"]);
    assert_eq!(files_below(&third.game("two")), files_below(&second.game("two")));
    // Everybody sees everybody, and what the third now has.
    for seat in [&first, &second, &third] {
        wait_until("three machines have or offer `two`", || game(seat, "two")["have"] == 2);
    }
}

#[test]
fn a_game_that_is_added_or_removed_is_seen_at_once() {
    let host = host_of(&[("one", &[("a", 1_000)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "one");
    add(&host, "late", "1.0", 9, &[("b", 2_000)]);
    wait_for_game(&guest, "late");
    host.does(&["remove", "late", "--yes"]);
    wait_until("the removed game is gone from the room", || {
        game(&guest, "late").is_null() || game(&guest, "late")["have"] == 0
    });
    assert!(!host.game("late").exists(), "the folder of a removed game goes with it");
}

#[test]
fn an_update_fetches_what_differs_and_keeps_what_is_not_ours() {
    let host = host_of(&[("quux", &[("big.bin", 4 * CHUNK), ("old.bin", 1_000), ("mine.cfg", 500)])]);
    let guest = Seat::new();
    let addr = host.addr().to_string();
    guest.does(&["--peer", &addr, "get", "quux"]);
    fs::write(guest.game("quux").join("mine.cfg"), "my own settings").unwrap();
    fs::write(guest.game("quux").join("savegame"), "my progress").unwrap();

    // One chunk of the large file differs, one file is new, two are gone.
    let next = host.around().join("next");
    fs::create_dir(&next).unwrap();
    let mut big = fs::read(host.game("quux").join("big.bin")).unwrap();
    big[CHUNK + 5] ^= 1;
    fs::write(next.join("big.bin"), &big).unwrap();
    fs::write(next.join("new.bin"), bytes_of(77, 3_000)).unwrap();
    let said = host.does(&["add", text(&next), "--id", "quux", "--version", "1.1", "--move"]).stdout;
    assert!(said.contains("1.1"), "{said}");

    let answer = guest.run(&["--peer", &addr, "get", "quux", "--version", "1.1", "--json"]);
    assert_eq!(answer.code, Some(0), "{answer:#?}");
    let fetched = received(&document(&answer));
    assert_eq!(fetched, CHUNK as u64 + 3_000, "fetched more or less than what differs: {}", answer.stdout);
    let files = files_below(&guest.game("quux"));
    assert!(files["big.bin"] == big, "big.bin is not the new one");
    assert_eq!(files["new.bin"], bytes_of(77, 3_000));
    assert_eq!(files["savegame"], b"my progress");
    assert_eq!(files["version.ini"], b"1.1\n");
    assert!(!files.contains_key("old.bin"), "a file the new build lacks stays");
    assert!(!files.contains_key("mine.cfg"), "a changed file the new build lacks is set aside");
    let aside = files_below(&guest.game("quux").join(".potluck/replaced"));
    let kept: Vec<_> = aside.values().collect();
    assert_eq!(kept, [b"my own settings"], "{:?}", aside.keys());
}

#[test]
fn a_serve_gets_games_by_command_and_by_mirror() {
    let host = host_of(&[("one", &[("a", 10_000)]), ("two", &[("b", 2 * CHUNK)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "one");
    guest.does(&["get", "one"]);
    wait_for_state(&guest, "one", HERE);
    assert!(!guest.game("two").exists());

    let mut mirror = Seat::new();
    mirror.serve(&["--mirror", "all", "--peer", &host.addr().to_string()]);
    wait_for_state(&mirror, "one", HERE);
    wait_for_state(&mirror, "two", HERE);
    assert_eq!(files_below(&mirror.game("two")), files_below(&host.game("two")));
}

#[test]
fn a_transfer_waits_for_its_source_and_goes_on_when_it_returns() {
    // Slow enough that it is killed in the middle.
    let mut host = Seat::new();
    fs::create_dir(host.home()).unwrap();
    fs::write(host.home().join("config.toml"), "up_limit = \"4 MB/s\"\n").unwrap();
    add(&host, "quux", "1.0", 1, &[("a", 16 * CHUNK)]);
    host.serve(&[]);
    let addr = host.addr();
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux", "--no-wait"]);
    wait_until("chunks arrive", || transfer(&guest, "quux")["done"].as_u64().is_some_and(|done| done > 0));
    host.kill();
    wait_until("the transfer waits", || transfer(&guest, "quux")["state"] == "waiting");
    assert_ne!(transfer(&guest, "quux")["reason"], "", "waiting without a reason");
    host.serve(&["--listen", &addr.to_string()]);
    wait_for_state(&guest, "quux", HERE);
    assert_eq!(files_below(&guest.game("quux")), files_below(&host.game("quux")));
}
