//! Playing: nothing runs that was not shown, the setup runs once, uploads are quiet meanwhile, and the game outlives
//! potluck.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::{
    process::{PATIENCE, Seat, finish, wait_until},
    wait_for_state,
};

/// A seat with the installed game `quux`, whose scripts are `setup` and `run`.
fn seat_with(setup: &str, run: &str, launch: &str) -> Seat {
    let mut seat = Seat::new();
    let game = seat.game("quux");
    for (name, text) in [("setup", setup), ("run", run)] {
        let path = game.join("bin").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    fs::write(game.join("version.ini"), "1.0\n").unwrap();
    write_catalog(&seat, launch);
    seat.serve(&[]);
    wait_for_state(&seat, "quux", "downloaded");
    seat
}

fn write_catalog(seat: &Seat, launch: &str) {
    fs::create_dir_all(seat.home()).unwrap();
    let text = format!("[games.quux]\nlaunch = {launch}\nsetup = [\"bin/setup\", \"{{local}}\"]\n");
    fs::write(seat.home().join("catalog.toml"), text).unwrap();
}

fn local(seat: &Seat) -> PathBuf {
    seat.game("quux").join("local")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn nothing_runs_before_it_was_shown_and_the_setup_runs_once() {
    let (setup, run) = ("echo $1 >> set-up", "echo played as \"$1\"; pwd >> where; exit $(cat code)");
    let seat = seat_with(setup, run, "[\"bin/run\", \"{player} {{}}\"]");
    let refused = seat.run(&["play", "quux"]);
    assert_eq!(refused.code, Some(4), "not installed: {refused:?}");
    seat.does(&["install", "quux"]);
    fs::write(local(&seat).join("code"), "0").unwrap();

    let refused = seat.run(&["play", "quux"]);
    let program = |name: &str| local(&seat).join("bin").join(name).display().to_string();
    assert_eq!(refused.code, Some(4), "{refused:?}");
    for shown in [program("setup"), format!("{} '", program("run")), " {}'".to_owned(), "--yes".to_owned()] {
        assert!(refused.stderr.contains(&shown), "{shown}: {}", refused.stderr);
    }
    assert!(!local(&seat).join("set-up").exists() && !local(&seat).join("where").exists(), "nothing ran");

    let played = seat.does(&["play", "quux", "--yes"]);
    assert!(played.stdout.contains("has ended, with exit code 0"), "{played:?}");
    let folder = local(&seat).canonicalize().unwrap();
    assert_eq!(read(&local(&seat).join("where")).trim(), folder.to_str().unwrap());
    assert_eq!(read(&local(&seat).join("set-up")).trim(), local(&seat).to_str().unwrap());
    let log = read(&seat.home().join("games/quux.log"));
    assert!(log.contains("bin/setup") && log.contains("played as ") && log.contains(" {}\n"), "{log}");

    // What was agreed to is not asked again, and its end is told.
    fs::write(local(&seat).join("code"), "3").unwrap();
    let failed = seat.run(&["play", "quux", "--json"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let document: serde_json::Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!((&document["code"], &document["game"]), (&3.into(), &"quux".into()), "{document}");
    assert_eq!(read(&local(&seat).join("set-up")).lines().count(), 1, "the setup ran once");
    let is_over = |game: &serde_json::Value| game["last_played"].is_u64() && game["playing_since_ms"].is_null();
    wait_until("it was played", || is_over(&super::game(&seat, "quux")));

    // A new installation is set up anew.
    seat.does(&["install", "quux"]);
    fs::write(local(&seat).join("code"), "0").unwrap();
    seat.does(&["play", "quux"]);
    assert_eq!(read(&local(&seat).join("set-up")).lines().count(), 1, "in the new folder");
}

#[test]
fn another_command_is_asked_about_again() {
    let mut seat = seat_with("true", "true", "[\"bin/run\"]");
    seat.does(&["install", "quux"]);
    seat.does(&["play", "quux", "--yes"]);
    seat.does(&["play", "quux"]);
    seat.stop();
    write_catalog(&seat, "[\"bin/run\", \"-w\"]");
    seat.serve(&[]);
    wait_for_state(&seat, "quux", "ready");
    let refused = seat.run(&["play", "quux"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains("bin/run -w") && !refused.stderr.contains("bin/setup"), "{}", refused.stderr);
    seat.does(&["play", "quux", "--yes"]);
}

#[test]
fn a_setup_that_fails_is_told_with_its_log_and_run_again() {
    let seat = seat_with("echo no luck; test -e luck", "true", "[\"bin/run\"]");
    seat.does(&["install", "quux"]);
    let failed = seat.run(&["play", "quux", "--yes"]);
    let log = seat.home().join("games/quux.log");
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("exit code 1") && failed.stderr.contains(log.to_str().unwrap()), "{failed:?}");
    assert!(read(&log).contains("no luck"));
    fs::write(local(&seat).join("luck"), "").unwrap();
    seat.does(&["play", "quux"]);
}

#[test]
fn uploads_are_quiet_while_it_runs_and_the_game_outlives_potluck() {
    let mut seat = seat_with("true", "until test -e done; do sleep 0.1; done; echo > ended", "[\"bin/run\"]");
    seat.does(&["install", "quux"]);
    let is_quiet = |seat: &Seat| seat.asks(&["status"])["totals"]["quiet"].as_bool() == Some(true);
    for stop in [false, true] {
        let player = seat.start(&["play", "quux", "--yes"]);
        wait_until("uploads are quiet", || is_quiet(&seat));
        wait_until("it is shown", || super::game(&seat, "quux")["playing_since_ms"].as_u64().is_some());
        let twice = seat.run(&["play", "quux"]);
        assert_eq!(twice.code, Some(4), "{twice:?}");
        if stop {
            seat.stop();
        } else {
            fs::write(local(&seat).join("done"), "").unwrap();
        }
        let ended = finish(player, PATIENCE);
        assert_eq!(ended.code, Some(i32::from(stop)), "{ended:?}");
        if stop {
            assert!(!local(&seat).join("ended").exists());
            fs::write(local(&seat).join("done"), "").unwrap();
            wait_until("the game has ended", || local(&seat).join("ended").exists());
        } else {
            wait_until("uploads are as before", || !is_quiet(&seat));
            fs::remove_file(local(&seat).join("done")).unwrap();
            fs::remove_file(local(&seat).join("ended")).unwrap();
        }
    }
}

/// Waits until the installation of `quux` waits because of `reason`.
fn wait_for_reason(seat: &Seat, reason: &str) {
    let waits = |game: &serde_json::Value| {
        game["state"] == "waiting" && game["reason"].as_str().is_some_and(|text| text.contains(reason))
    };
    wait_until(&format!("it waits: {reason}"), || waits(&super::game(seat, "quux")));
}

#[test]
fn a_game_that_runs_is_not_swapped_and_what_waits_goes_on_when_it_ends() {
    let run = "until test -e done; do sleep 0.1; done; test -x \"$1/bin/setup\" && echo here > saves";
    let seat = seat_with("true", run, "[\"bin/run\", \"{local}\"]");
    seat.does(&["install", "quux"]);
    let player = seat.start(&["play", "quux", "--yes"]);
    wait_until("it is shown", || super::game(&seat, "quux")["playing_since_ms"].as_u64().is_some());
    for words in [&["uninstall", "quux"][..], &["remove", "quux", "--yes"]] {
        let refused = seat.run(words);
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(refused.stderr.contains("the game is running"), "{refused:?}");
    }
    let installing = seat.start(&["install", "quux"]);
    wait_for_reason(&seat, "update waits: the game is running");
    assert!(seat.game("quux").join(".local.installing/bin/run").exists(), "unpacked meanwhile");
    fs::write(local(&seat).join("done"), "").unwrap();
    let played = finish(player, PATIENCE);
    assert_eq!(played.code, Some(0), "its files were there to the end: {played:?}");
    let installed = finish(installing, PATIENCE);
    assert_eq!(installed.code, Some(0), "{installed:?}");
    wait_for_state(&seat, "quux", "ready");
    assert!(!local(&seat).join("done").exists(), "it is the new one");
    // What the game wrote while the update waited is there.
    assert_eq!(read(&seat.game("quux").join(".potluck/replaced/1/local/saves")), "here\n");
    seat.does(&["remove", "quux", "--yes"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_game_that_somebody_else_started_is_not_swapped_either() {
    let seat = seat_with("true", "true", "[\"bin/run\"]");
    seat.does(&["install", "quux"]);
    let open = fs::File::open(local(&seat).join("bin/run")).unwrap();
    let mut game = std::process::Command::new("sleep").arg("60").stdin(open).spawn().unwrap();
    let name = format!("(sleep, process {})", game.id());
    let refused = seat.run(&["uninstall", "quux"]);
    let installing = seat.start(&["install", "quux"]);
    wait_for_reason(&seat, &name);
    game.kill().unwrap();
    game.wait().unwrap();
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.stderr.contains(&name), "{refused:?}");
    let installed = finish(installing, PATIENCE);
    assert_eq!(installed.code, Some(0), "{installed:?}");
    wait_for_state(&seat, "quux", "ready");
    seat.does(&["uninstall", "quux"]);
}
