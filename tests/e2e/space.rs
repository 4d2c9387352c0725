//! What takes space is listed and goes, and nothing else does.

use std::fs;

use serde_json::Value;

use super::{
    CHUNK, guest_of, host_of,
    kills::chunks_kept,
    pack,
    process::{PATIENCE, Seat, finish, wait_until},
    rows, wait_for_game, wait_for_state, write,
};

/// The kinds of what could go of a game, with their sizes, the largest first.
fn kinds(seat: &Seat, game: &str) -> Vec<(String, u64)> {
    let items: Vec<Value> = rows(&seat.asks(&["space"]), "items");
    let kind = |item: &Value| (item["what"]["kind"].as_str().unwrap().to_owned(), item["bytes"].as_u64().unwrap());
    items.iter().filter(|item| item["game"] == game).map(kind).collect()
}

#[test]
fn what_is_left_of_a_cancelled_download_goes_and_the_game_can_be_got_anew() {
    let host = host_of(&[("quux", &[("data/pak0.pk3", 24 * CHUNK)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["limit", "--down", "2 MB/s"]);
    guest.does(&["get", "quux", "--no-wait"]);
    wait_until("some chunks are here", || chunks_kept(&guest) > 2);
    // What is being got is not offered.
    assert_eq!(kinds(&guest, "quux"), []);
    let refused = guest.run(&["free", "quux", "download", "--yes"]);
    assert_eq!(refused.code, Some(3), "{refused:?}");
    guest.does(&["cancel", "quux"]);
    wait_until("it is left over", || kinds(&guest, "quux").len() == 1);
    let [(kind, bytes)] = &kinds(&guest, "quux")[..] else { panic!("one thing") };
    assert_eq!(kind, "download");
    assert!(*bytes > CHUNK as u64, "{bytes}");

    let refused = guest.run(&["free", "quux", "download"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("1 other here has all of it"), "{refused:?}");
    guest.does(&["free", "quux", "download", "--yes"]);
    assert_eq!(kinds(&guest, "quux"), []);
    assert!(!guest.game("quux").exists(), "nothing was left in its folder");
    guest.does(&["limit", "--down", "off"]);
    guest.does(&["get", "quux"]);
    wait_for_state(&guest, "quux", "downloaded");
}

#[test]
fn what_was_set_aside_is_the_users_and_goes_only_by_itself() {
    let mut seat = Seat::new();
    super::process::make_game(&seat.game("mine"), 3, &[("a", 10_000), ("b", 10_000)]);
    write(&seat.game("mine").join("version.ini"), "1.0\n");
    seat.serve(&[]);
    wait_for_state(&seat, "mine", "downloaded");
    seat.does(&["install", "mine"]);
    write(&seat.game("mine").join("local/saves/1"), "level 3");
    seat.does(&["uninstall", "mine"]);
    let mut found: Vec<String> = kinds(&seat, "mine").into_iter().map(|(kind, _)| kind).collect();
    found.sort();
    assert_eq!(found, ["game", "replaced"]);
    let saved = seat.game("mine").join(".potluck/replaced/1/local/saves/1");
    let refused = seat.run(&["free", "mine", "replaced"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("YOUR OWN files") && saved.exists(), "{refused:?}");
    // A game that is removed leaves them, and they can go after it.
    seat.does(&["remove", "mine", "--yes"]);
    assert!(saved.exists());
    let left: Vec<String> = kinds(&seat, "mine").into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(left, ["replaced"]);
    let said = seat.does(&["free", "mine", "replaced", "--yes"]);
    assert!(said.stdout.contains("is gone"), "{said:?}");
    assert!(!seat.game("mine").exists());
    let none = seat.run(&["free", "mine", "replaced", "--yes"]);
    assert_eq!(none.code, Some(3), "{none:?}");
}

#[test]
fn a_game_without_its_payload_is_played_not_shared_and_got_again() {
    let host = host_of(&[("quux", &[("data/pak0.pk3", 2 * CHUNK), ("bin/run", 10)])]);
    let mut guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    let early = guest.run(&["free", "quux", "payload", "--yes"]);
    assert_eq!(early.code, Some(3), "nothing of it is here: {early:?}");
    guest.does(&["get", "quux"]);
    guest.does(&["install", "quux"]);
    wait_for_state(&guest, "quux", "ready");
    assert!(kinds(&guest, "quux").iter().any(|(kind, _)| kind == "payload"));
    // Changed a moment before: nobody could give that back.
    write(&guest.game("quux").join("bin/run"), "my own");
    guest.does(&["free", "quux", "payload", "--yes"]);
    let root = guest.game("quux");
    let is_only = |guest: &Seat| {
        let game = super::game(guest, "quux");
        game["private"] == "installed only" && game["state"] == "ready" && game["version"] == "1.0"
    };
    wait_until("it is so", || is_only(&guest));
    assert!(!root.join("data").exists() && !root.join("version.ini").exists());
    assert!(root.join("local/data/pak0.pk3").exists());
    assert_eq!(fs::read_to_string(root.join("bin/run")).unwrap(), "my own");
    wait_until("the room knows", || super::game(&host, "quux")["have"] == 1);
    // It is so after a restart and after another look.
    guest.stop();
    guest.serve(&["--peer", &host.addr().to_string()]);
    wait_until("it is so after a restart", || is_only(&guest));
    let refused = guest.run(&["install", "quux"]);
    assert!(refused.code == Some(4) && refused.stderr.contains("potluck get quux"), "{refused:?}");

    // What was dropped comes back, and the game stays playable all the while.
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux"]);
    // At once: whoever was told that it is here is not told that it is gone.
    guest.does(&["uninstall", "quux"]);
    guest.does(&["install", "quux"]);
    wait_until("it is shared again", || super::game(&guest, "quux")["private"].is_null());
    assert!(root.join("data/pak0.pk3").exists() && !root.join(".potluck/version.ini.dropped").exists());
    wait_for_state(&guest, "quux", "ready");

    // Uninstalling one that has nothing else takes all of it, and asks.
    guest.does(&["free", "quux", "payload", "--yes"]);
    let asked = guest.run(&["uninstall", "quux"]);
    assert_eq!(asked.code, Some(4), "{asked:?}");
    assert!(asked.stderr.contains("must be got again"), "{asked:?}");
    wait_until("it is still so", || is_only(&guest));
    guest.does(&["uninstall", "quux", "--yes"]);
    assert!(!root.join("local").exists() && !root.join(".potluck/manifest.json").exists());
    assert_eq!(fs::read_to_string(root.join(".potluck/replaced/1/bin/run")).unwrap(), "my own");
    wait_for_state(&guest, "quux", "available");
}

#[test]
fn a_game_without_its_payload_is_updated() {
    let host = host_of(&[("quux", &[("data/pak0.pk3", 2 * CHUNK), ("bin/run", 10)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["trust", host.peer()]);
    guest.does(&["get", "--install", "quux"]);
    guest.does(&["free", "quux", "payload", "--yes"]);
    wait_until("it is so", || is_only(&guest, "quux"));
    let said = guest.does(&["update", "quux"]);
    assert!(said.stdout.contains("Nothing here is behind"), "{said:?}");

    super::add(&host, "quux", "1.1", 9, &[("data/pak0.pk3", 2 * CHUNK), ("bin/run", 12)]);
    wait_until("the new build is known", || super::game(&guest, "quux")["update"]["version"] == "1.1");
    let before = super::game(&guest, "quux");
    // Nobody has the old one any more, and still it is what is here.
    assert_eq!((&before["version"], &before["content"]), (&"1.0".into(), &before["installed"]), "{before}");
    guest.does(&["update", "quux"]);
    let run = |seat: &Seat, path: &str| fs::read(seat.game("quux").join(path)).unwrap();
    assert_eq!(run(&guest, "local/bin/run"), run(&host, "bin/run"));
    wait_until("it is the new one", || {
        let game = super::game(&guest, "quux");
        game["version"] == "1.1" && game["installed"] == game["content"] && game["private"].is_null()
    });
}

fn is_only(seat: &Seat, id: &str) -> bool {
    let game = super::game(seat, id);
    game["private"] == "installed only" && game["state"] == "ready"
}

/// A seat that serves a game in an archive.
fn host_of_an_archive() -> Seat {
    let mut host = Seat::new();
    let source = host.around().join("source");
    write(&source.join("data/level.dat"), "a level");
    let game = host.game("boxed");
    write(&game.join("version.ini"), "1.0\n");
    write(&game.join("readme.txt"), "beside the archive");
    pack(&source, &game.join("game.eti"));
    host.serve(&[]);
    wait_for_state(&host, "boxed", "downloaded");
    host
}

#[test]
fn archives_go_after_the_installation_they_were_got_for() {
    let host = host_of_an_archive();
    let mut guest = Seat::new();
    let addr = host.addr().to_string();
    let get = ["--peer", &addr, "get", "boxed", "--install", "--drop-archives"];
    let said = guest.does(&get);
    assert!(said.stdout.contains("is ready to play") && said.stdout.contains("is gone"), "{said:?}");
    let root = guest.game("boxed");
    let check = || {
        assert_eq!(fs::read_to_string(root.join("local/data/level.dat")).unwrap(), "a level");
        assert!(!root.join("game.eti").exists() && !root.join("version.ini").exists());
    };
    check();

    // Killed before any of it went, and in the middle of it: the next start goes on with it.
    for fault in ["drop:1", "drop:5"] {
        guest.does(&["uninstall", "boxed", "--yes"]);
        let mut killed = guest.command(&get);
        let ended = finish(killed.env("POTLUCK_FAULT", fault).spawn().expect("the binary"), PATIENCE);
        assert_eq!(ended.code, None, "{fault} killed it: {ended:?}");
        assert!(root.join("local/data/level.dat").exists(), "{fault}");
        let left = root.join("game.eti").exists() || root.join(".potluck/version.ini.dropping").exists();
        assert!(left, "{fault} came before the end");
        guest.serve(&[]);
        wait_until("it goes on", || is_only(&guest, "boxed"));
        wait_until("all of it", || !root.join("game.eti").exists());
        check();
        guest.stop();
    }
}

#[test]
fn what_has_no_archives_stays_and_says_so() {
    let host = host_of(&[("quux", &[("data/pak0.pk3", 2 * CHUNK)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    let said = guest.does(&["get", "quux", "--install", "--drop-archives"]);
    assert!(said.stdout.contains("it has no archives"), "{said:?}");
    assert!(guest.game("quux").join("data/pak0.pk3").exists());
    let said = guest.does(&["install", "quux", "--drop-archives"]);
    assert!(said.stdout.contains("is ready to play") && said.stdout.contains("it has no archives"), "{said:?}");
    assert!(super::game(&guest, "quux")["private"].is_null());
    let wrong = guest.run(&["get", "quux", "--drop-archives"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    // One with archives, asked for by itself.
    let boxed = host_of_an_archive();
    let said = boxed.does(&["install", "boxed", "--drop-archives"]);
    assert!(said.stdout.contains("what was got of it is gone"), "{said:?}");
    assert!(!boxed.game("boxed").join("game.eti").exists());
    wait_until("the picture says so", || is_only(&boxed, "boxed"));
    // Told once, and not as trouble.
    let log = boxed.log();
    assert!(!log.contains("is not shared: installed only"), "{log}");
}
