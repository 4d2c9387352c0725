//! From got to playable and back: a game of files, a game in an archive, an update with a user's own files in
//! it, and what is in the way.

use std::{fs, io::Write as _};

use serde_json::Value;

use super::{
    CHUNK, game, guest_of, host_of, pack,
    process::{Seat, bytes_of, wait_until},
    wait_for_game, wait_for_state, write,
};

#[test]
fn a_game_of_files_is_installed_updated_and_taken_back() {
    let host = host_of(&[("quux", &[("bin/run", 10), ("data/pak0.pk3", 2 * CHUNK)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux"]);
    wait_for_state(&guest, "quux", "downloaded");
    let said = guest.does(&["install", "quux"]);
    assert!(said.stdout.contains("is ready to play"), "{said:?}");
    wait_for_state(&guest, "quux", "ready");
    let local = guest.game("quux").join("local");
    let same = |path: &str| fs::read(local.join(path)).unwrap() == fs::read(guest.game("quux").join(path)).unwrap();
    assert!(same("bin/run") && same("data/pak0.pk3"));

    // What the game writes does not change what is shared.
    write(&local.join("data/pak0.pk3"), "patched by the player");
    write(&local.join("saves/1"), "level 3");
    guest.does(&["verify", "quux"]);

    let said = guest.does(&["install", "quux"]);
    assert!(said.stdout.contains("2 files you added or changed"), "{said:?}");
    assert!(same("data/pak0.pk3"));
    let aside = guest.game("quux").join(".potluck/replaced/1/local");
    assert_eq!(fs::read_to_string(aside.join("saves/1")).unwrap(), "level 3");
    assert_eq!(fs::read_to_string(aside.join("data/pak0.pk3")).unwrap(), "patched by the player");

    guest.does(&["uninstall", "quux"]);
    assert!(!local.exists());
    wait_for_state(&guest, "quux", "downloaded");
    let refused = guest.run(&["uninstall", "quux"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    guest.does(&["install", "quux"]);
    guest.does(&["remove", "quux", "--yes"]);
    assert!(!local.exists());
}

#[test]
fn a_game_in_an_archive_is_unpacked_by_what_it_is_and_not_by_its_name() {
    let mut seat = Seat::new();
    let source = seat.around().join("source");
    write(&source.join("bin/run.sh"), "#!/bin/sh\n");
    write(&source.join("data/level.dat"), "a level");
    let game = seat.game("boxed");
    write(&game.join("version.ini"), "1.0\n");
    write(&game.join("readme.txt"), "beside the archive");
    write(&game.join("mods/extra.pk3"), "in a folder: not asked");
    pack(&source, &game.join("game.eti"));
    seat.serve(&[]);
    wait_for_state(&seat, "boxed", "downloaded");
    seat.does(&["install", "boxed"]);
    let read = |path: &str| fs::read_to_string(game.join("local").join(path)).unwrap();
    assert_eq!(read("bin/run.sh"), "#!/bin/sh\n");
    assert_eq!(read("data/level.dat"), "a level");
    assert_eq!(read("readme.txt"), "beside the archive");
    assert_eq!(read("mods/extra.pk3"), "in a folder: not asked");
    assert!(!game.join("local/game.eti").exists());
    wait_for_state(&seat, "boxed", "ready");
}

#[test]
fn what_a_game_takes_installed_is_known_where_nothing_of_it_is() {
    let mut host = Seat::new();
    let (source, boxed) = (host.around().join("source"), host.game("boxed"));
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("noise.dat"), bytes_of(7, 200_000)).unwrap();
    fs::write(source.join("empty.dat"), vec![0; 3_000_000]).unwrap();
    write(&boxed.join("version.ini"), "1.0\n");
    write(&boxed.join("mods/extra.pk3"), "beside the archive");
    pack(&source, &boxed.join("game.eti"));
    host.serve(&[]);
    let mut guest = guest_of(&host);
    let mut told = Value::Null;
    wait_until("it is told", || {
        told = game(&guest, "boxed");
        told["installed_size"] == 3_200_018
    });
    assert!(told["size"].as_u64().unwrap() < 300_000 && told["builds"][0]["installed_size"] == 3_200_018, "{told:#}");
    // What was told goes with who told it; what is here is known by itself.
    guest.does(&["get", "boxed"]);
    wait_for_state(&guest, "boxed", "downloaded");
    host.stop();
    wait_until("it is known", || game(&guest, "boxed")["installed_size"] == 3_200_018);
    guest.stop();
}

#[test]
fn a_broken_archive_leaves_what_was_installed() {
    let mut seat = Seat::new();
    let source = seat.around().join("source");
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("level.dat"), bytes_of(7, 200_000)).unwrap();
    let game = seat.game("boxed");
    write(&game.join("version.ini"), "1.0\n");
    pack(&source, &game.join("game.tgz"));
    seat.serve(&[]);
    wait_for_state(&seat, "boxed", "downloaded");
    seat.does(&["install", "boxed"]);
    // A new build whose archive lost its end.
    let whole = fs::read(game.join("game.tgz")).unwrap();
    fs::File::create(game.join("game.tgz")).unwrap().write_all(&whole[..whole.len() / 2]).unwrap();
    write(&game.join("version.ini"), "1.1\n");
    seat.does(&["add", game.to_str().unwrap()]);
    let failed = seat.run(&["install", "boxed"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("game.tgz") && failed.stderr.contains("as it was before"), "{failed:?}");
    assert!(game.join("local/level.dat").exists() && !game.join(".local.installing").exists());
}

#[test]
fn a_local_folder_of_ones_own_is_not_touched() {
    let mut seat = Seat::new();
    super::process::make_game(&seat.game("mine"), 3, &[("a", 10)]);
    write(&seat.game("mine").join("version.ini"), "1.0\n");
    write(&seat.game("mine").join("local/precious"), "by hand");
    seat.serve(&[]);
    wait_for_state(&seat, "mine", "ready");
    for verb in ["install", "uninstall"] {
        let refused = seat.run(&[verb, "mine"]);
        assert_eq!(refused.code, Some(4), "{refused:?}");
        assert!(refused.stderr.contains("`local` was not made by potluck"), "{refused:?}");
    }
    assert_eq!(fs::read_to_string(seat.game("mine").join("local/precious")).unwrap(), "by hand");
}
