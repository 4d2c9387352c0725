//! What follows a get: installing it, once it is here, whatever happens in between.

use std::{fs, path::Path};

use super::{CHUNK, add, document, game, guest_of, host_of, process::Seat, text, wait_for_game, wait_for_state};

#[test]
fn a_game_is_got_and_made_playable_in_one() {
    let host = host_of(&[("quux", &[("bin/run", 10), ("data/pak0.pk3", 2 * CHUNK)])]);
    let mut guest = Seat::new();
    let peer = host.addr().to_string();
    // By a runtime of its own: it ends when the game can be played, and not before.
    let ended = guest.does(&["--peer", &peer, "get", "--install", "quux", "--json"]);
    let got = &document(&ended)["games"][0];
    assert_eq!((&got["result"], &got["installed"]), (&"done".into(), &true.into()), "{ended:?}");
    assert_eq!(
        fs::read(guest.game("quux").join("local/bin/run")).unwrap(),
        fs::read(host.game("quux").join("bin/run")).unwrap()
    );
    // By one that runs: what is here is installed, what is installed is left alone.
    guest.serve(&["--peer", &peer]);
    guest.does(&["uninstall", "quux"]);
    let said = guest.does(&["get", "--install", "quux"]);
    assert!(said.stdout.contains("is here already") && said.stdout.contains("is ready to play"), "{said:?}");
    fs::write(guest.game("quux").join("local/save"), "mine").unwrap();
    guest.does(&["get", "--install", "quux"]);
    assert_eq!(fs::read_to_string(guest.game("quux").join("local/save")).unwrap(), "mine");
    assert_eq!(game(&guest, "quux")["installed"], game(&guest, "quux")["content"]);
}

#[test]
fn what_is_to_follow_a_get_follows_it_after_a_restart() {
    let host = host_of(&[("quux", &[("data/pak0.pk3", 12 * CHUNK)])]);
    let mut guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["limit", "--down", "1 MiB/s"]);
    guest.does(&["get", "--install", "--no-wait", "quux"]);
    super::wait_until("some of it has come", || super::transfer(&guest, "quux")["done"].as_u64() > Some(0));
    assert_eq!(super::transfer(&guest, "quux")["after"], "install");
    guest.kill();
    guest.serve(&["--peer", &host.addr().to_string()]);
    wait_for_state(&guest, "quux", "ready");
    guest.assert_well();
}

/// A game whose only file begins as an archive does and has no end.
fn broken(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let mut bytes = b"7z\xbc\xaf\x27\x1c\x00\x04".to_vec();
    bytes.resize(100, 7);
    fs::write(folder.join("game.7z"), bytes).unwrap();
}

#[test]
fn an_installation_that_fails_is_told_and_leaves_the_game_downloaded() {
    let host = host_of(&[]);
    let folder = host.around().join("broken");
    broken(&folder);
    host.does(&["add", text(&folder), "--id", "broken", "--version", "1.0"]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "broken");
    let ended = guest.run(&["get", "--install", "broken", "--json"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let answer = document(&ended);
    let got = &answer["games"][0];
    assert_eq!(got["result"], "not_installed", "{answer}");
    let reason = got["reason"].as_str().unwrap();
    assert!(reason.contains("game.7z") && reason.contains("what was unpacked is deleted"), "{reason}");
    super::wait_until("the reason is shown", || game(&guest, "broken")["reason"] == got["reason"]);
    wait_for_state(&guest, "broken", "downloaded");
    assert!(!guest.game("broken").join("local").exists() && !guest.game("broken").join(".local.installing").exists());
    // The next build is whole, and nothing is left of what was wrong with this one.
    add(&host, "broken", "1.1", 1, &[("run", 10)]);
    wait_for_game(&guest, "broken");
    super::wait_until("the new build is seen", || game(&guest, "broken")["builds"].as_array().unwrap().len() > 1);
    guest.does(&["get", "--install", "broken", "--version", "1.1"]);
    wait_for_state(&guest, "broken", "ready");
    super::wait_until("nothing is said of the failure", || game(&guest, "broken")["reason"] == "");
}

#[test]
fn an_update_installs_what_was_installed_and_lists_what_is_the_players() {
    let host = host_of(&[("quux", &[("bin/run", 10), ("data/pak0.pk3", 2 * CHUNK)])]);
    let mut guest = Seat::new();
    fs::create_dir_all(guest.home()).unwrap();
    fs::write(guest.home().join("catalog.toml"), "[games.quux]\nkeep = [\"saves\"]\n").unwrap();
    guest.serve(&["--peer", &host.addr().to_string()]);
    wait_for_game(&guest, "quux");
    guest.does(&["trust", host.peer()]);
    guest.does(&["get", "--install", "quux"]);
    let said = guest.does(&["update"]);
    assert!(said.stdout.contains("Nothing here is behind"), "{said:?}");
    let said = guest.does(&["update", "quux"]);
    assert!(said.stdout.contains("quux 1.0 is here already"), "{said:?}");
    let local = guest.game("quux").join("local");
    fs::create_dir_all(local.join("saves")).unwrap();
    fs::write(local.join("saves/1"), "level 3").unwrap();
    fs::write(local.join("mine.cfg"), "my own").unwrap();
    fs::write(guest.game("quux").join("bin/run"), "my own build").unwrap();

    add(&host, "quux", "1.1", 9, &[("bin/run", 12), ("data/pak0.pk3", 2 * CHUNK)]);
    super::wait_until("the new build is known", || game(&guest, "quux")["update"]["version"] == "1.1");
    let answer = document(&guest.does(&["update", "--json"]));
    let got = &answer["games"][0];
    assert_eq!((&got["version"], &got["installed"]), (&"1.1".into(), &true.into()), "{answer}");
    assert_eq!(got["kept"], serde_json::json!(["local/saves/1"]), "{answer}");
    let aside = super::rows(got, "set_aside");
    let names: Vec<&str> = aside.iter().filter_map(|path| path.as_str()).collect();
    assert!(names.len() == 2 && names[0].ends_with("/bin/run") && names[1].ends_with("/local/mine.cfg"), "{answer}");
    for (path, text) in names.iter().zip(["my own build", "my own"]) {
        assert_eq!(fs::read_to_string(guest.game("quux").join(path)).unwrap(), text);
    }
    assert_eq!(fs::read_to_string(local.join("saves/1")).unwrap(), "level 3");
    assert_eq!(fs::read(local.join("bin/run")).unwrap(), fs::read(host.game("quux").join("bin/run")).unwrap());

    // Back to the build before is the same, as long as somebody has it.
    let keeper = guest_of(&host);
    add(&keeper, "quux", "1.0", 1, &[("bin/run", 10), ("data/pak0.pk3", 2 * CHUNK)]);
    let builds = || super::rows(&game(&guest, "quux"), "builds");
    guest.does(&["connect", &keeper.addr().to_string()]);
    super::wait_until("the old build is known", || builds().len() == 2);
    let old = builds().into_iter().find(|build| build["version"] == "1.0").unwrap();
    guest.does(&["get", "--install", "--content", old["content"].as_str().unwrap(), "quux"]);
    assert_eq!(fs::read(local.join("bin/run")).unwrap(), fs::read(keeper.game("quux").join("bin/run")).unwrap());
    assert_eq!(fs::read_to_string(local.join("saves/1")).unwrap(), "level 3");
    let missing = guest.run(&["update", "nothing-here"]);
    assert_eq!(missing.code, Some(3), "{missing:?}");
}

#[test]
fn an_update_that_is_cut_off_fetches_after_a_restart_only_what_differs() {
    let mut host = host_of(&[]);
    let source = host.game("quux");
    super::process::make_game(&source, 1, &[("a.bin", 16 * CHUNK), ("b.bin", 6 * CHUNK)]);
    fs::write(source.join("version.ini"), "1.0\n").unwrap();
    host.does(&["add", text(&source)]);
    let mut guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["trust", host.peer()]);
    guest.does(&["get", "quux"]);
    fs::write(source.join("b.bin"), super::process::bytes_of(77, 6 * CHUNK)).unwrap();
    fs::write(source.join("version.ini"), "1.1\n").unwrap();
    host.does(&["add", text(&source)]);
    super::wait_until("the new build is known", || game(&guest, "quux")["update"]["version"] == "1.1");
    guest.does(&["limit", "--down", "1 MiB/s"]);
    let mut update = guest.start(&["update"]);
    let came = |seat: &Seat| super::transfer(seat, "quux")["sources"][0]["bytes"].as_u64() > Some(0);
    super::wait_until("some of it has come", || came(&guest));
    guest.kill();
    super::process::wait_for(&mut update, super::process::PATIENCE).expect("it ends with the runtime it asked");
    let before = super::sent(&host);
    guest.serve(&["--peer", &host.addr().to_string()]);
    super::wait_until("it is here", || {
        game(&guest, "quux")["version"] == "1.1" && game(&guest, "quux")["state"] == "downloaded"
    });
    assert_eq!(super::process::files_below(&guest.game("quux")), super::process::files_below(&source));
    // What was under way when it was killed may be counted only now; all of the game is 22 chunks.
    let again = super::sent_at_last(&host) - before;
    assert!(again <= (6 + 6 + 1) * CHUNK as u64, "{again} bytes came again");
    host.assert_well();
}
