//! Several libraries: where a new game goes, what stays free, one that is not there, a game in two of them.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt as _, path::Path, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    HERE, game, guest_of, host_of,
    process::{Seat, wait_until},
    say, text, transfer, wait_for_game, wait_for_state,
};

/// More than any disk has.
const ALL: &str = "900000 TB";

/// A seat whose config names folders beside its home, each with what is to stay free in it. They are made unless
/// their name says that they are away.
fn seat_with(libraries: &[(&str, &str)]) -> Seat {
    let seat = Seat::by_default();
    let mut config = String::new();
    for (name, min_free) in libraries {
        let folder = seat.around().join(name);
        if !name.starts_with("away") {
            fs::create_dir(&folder).unwrap();
        }
        config += &format!("[[library]]\npath = \"{}\"\nmin_free = \"{min_free}\"\n", text(&folder));
    }
    fs::create_dir_all(seat.home()).unwrap();
    fs::write(seat.home().join("config.toml"), config).unwrap();
    seat
}

fn libraries(seat: &Seat) -> Vec<Value> {
    seat.asks(&["status"])["totals"]["libraries"].as_array().unwrap().clone()
}

#[test]
fn a_new_game_goes_to_the_first_library_with_room_and_an_update_stays_where_it_is() {
    let host = host_of(&[("quux", &[("a", 3_000_000)])]);
    let mut guest = seat_with(&[("full", ALL), ("roomy", "1 MB")]);
    guest.serve(&["--peer", &host.addr().to_string()]);
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux"]);
    assert!(guest.around().join("roomy/quux/a").is_file());
    assert!(!guest.around().join("full/quux").exists());
    wait_until("it is shown where it is", || game(&guest, "quux")["library"] == 1);
    assert_eq!(libraries(&guest)[1]["games"], 1);
    let shown = guest.does(&["status"]).stdout;
    assert!(shown.contains("roomy: 1 game, ") && shown.contains("of which 1 MB stay free"), "{shown}");
    let (code, _) = guest.stop();
    assert_eq!(code, Some(0));
}

#[test]
fn where_nothing_has_room_a_transfer_waits_and_says_how_much_is_lacking_where() {
    let host = host_of(&[("quux", &[("a", 3_000_000)])]);
    let mut guest = seat_with(&[("one", ALL), ("two", ALL)]);
    guest.serve(&["--peer", &host.addr().to_string()]);
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux", "--no-wait"]);
    wait_until("it waits", || transfer(&guest, "quux")["state"] == "waiting");
    let reason = transfer(&guest, "quux")["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with("disk full, ") && reason.ends_with("/one"), "{reason}");
    assert!(!guest.around().join("one/quux").exists());
}

#[test]
fn what_would_not_stay_free_is_not_installed() {
    let mut seat = seat_with(&[("only", "1 MB")]);
    super::add(&seat, "quux", "1.0", 1, &[("a", 3_000)]);
    let config = fs::read_to_string(seat.home().join("config.toml")).unwrap().replace("1 MB", ALL);
    fs::write(seat.home().join("config.toml"), config).unwrap();
    seat.serve(&[]);
    wait_for_state(&seat, "quux", HERE);
    let refused = seat.run(&["install", "quux"]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("are to stay so"), "{refused:#?}");
}

#[test]
fn a_library_that_is_not_there_is_waited_for_and_the_others_work() {
    let mut seat = seat_with(&[("away", "0 B"), ("here", "0 B")]);
    super::add(&seat, "quux", "1.0", 1, &[("a", 3_000)]);
    seat.serve(&[]);
    wait_for_state(&seat, "quux", HERE);
    assert_eq!(game(&seat, "quux")["library"], 1);
    let trouble = libraries(&seat)[0]["trouble"].as_str().unwrap().to_owned();
    assert!(trouble.contains("does not exist"), "{trouble}");
    let staging = seat.around().join("disk");
    fs::create_dir_all(staging.join("zoo")).unwrap();
    fs::write(staging.join("zoo/version.ini"), "7\n").unwrap();
    fs::write(staging.join("zoo/a"), "a").unwrap();
    fs::rename(&staging, seat.around().join("away")).unwrap();
    wait_for_state(&seat, "zoo", HERE);
    assert_eq!(libraries(&seat)[0]["trouble"], Value::Null);
    seat.assert_well();
}

#[test]
fn a_transfer_waits_for_its_library_and_goes_on_there() {
    let mut host = host_of(&[("quux", &[("a", 3_000_000)])]);
    let mut guest = seat_with(&[("first", "0 B"), ("second", "0 B")]);
    fs::create_dir(guest.around().join("second/quux")).unwrap();
    guest.serve(&["--peer", &host.addr().to_string()]);
    wait_for_game(&guest, "quux");
    let addr = host.addr().to_string();
    guest.does(&["limit", "--down", "1 MiB/s"]);
    guest.does(&["get", "quux", "--no-wait"]);
    wait_until("it has begun", || guest.around().join("second/quux/.potluck/incoming").is_dir());
    guest.does(&["pause", "quux"]);
    let (code, _) = guest.stop();
    assert_eq!(code, Some(0));
    let (second, away) = (guest.around().join("second"), guest.around().join("unplugged"));
    fs::rename(&second, &away).unwrap();
    guest.serve(&["--peer", &addr]);
    guest.does(&["resume", "quux"]);
    wait_until("it waits for its library", || {
        transfer(&guest, "quux")["reason"].as_str().is_some_and(|reason| reason.contains("is not there"))
    });
    assert!(!guest.around().join("first/quux").exists());
    fs::rename(&away, &second).unwrap();
    wait_for_state(&guest, "quux", HERE);
    assert!(second.join("quux/a").is_file());
    host.assert_well();
}

#[test]
fn of_two_games_of_one_name_the_first_counts_and_the_other_is_told() {
    let mut seat = seat_with(&[("one", "0 B"), ("two", "0 B")]);
    for (library, version) in [("one", "1"), ("two", "2")] {
        let root = seat.around().join(library).join("quux");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("version.ini"), version).unwrap();
        fs::write(root.join("a"), version).unwrap();
    }
    seat.serve(&[]);
    wait_for_state(&seat, "quux", HERE);
    assert_eq!((&game(&seat, "quux")["version"], &game(&seat, "quux")["library"]), (&"1".into(), &0.into()));
    assert!(seat.log().contains("which is the one that counts; remove or rename the folder in"), "{}", seat.log());
    let refused = seat.run(&["add", text(&seat.around().join("two/quux"))]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("rename the folder"), "{refused:#?}");
    let guest = guest_of(&seat);
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux"]);
    assert_eq!(fs::read_to_string(guest.game("quux").join("a")).unwrap(), "1");
}

/// All there is in a folder of a game: its paths and what is in its files.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()).into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

fn moves_a_game(seat: &mut Seat, from: &Path, to: &Path) {
    super::add(seat, "quux", "1.0", 1, &[("a", 3_000_000)]);
    seat.serve(&[]);
    wait_for_state(seat, "quux", HERE);
    seat.does(&["install", "quux"]);
    fs::write(from.join("quux/local/save"), "level 3").unwrap();
    fs::write(from.join("quux/notes.txt"), "mine").unwrap();
    let before = tree(&from.join("quux"));
    let refused = seat.run(&["move", "quux", text(from)]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("already"), "{refused:#?}");
    assert_eq!(seat.run(&["move", "quux", "nowhere"]).code, Some(3));
    let said = seat.asks(&["move", "quux", text(to)]);
    assert!(said["message"].as_str().unwrap().ends_with(" now."), "{said}");
    assert!(!from.join("quux").exists());
    assert_eq!(tree(&to.join("quux")), before);
    for library in [from, to] {
        let left = fs::read_dir(library).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let left: Vec<String> = left.filter(|name| name.starts_with(".potluck-mov")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
    wait_until("it is shown where it is", || game(seat, "quux")["library"] == 1);
    let guest = guest_of(seat);
    wait_for_game(&guest, "quux");
    guest.does(&["get", "quux"]);
    assert_eq!(fs::read(guest.game("quux").join("a")).unwrap(), before["a"]);
    seat.assert_well();
    let (code, _) = seat.stop();
    assert_eq!(code, Some(0));
    seat.serve(&[]);
    wait_until("it is there after a restart", || game(seat, "quux")["library"] == 1);
    assert_eq!(tree(&to.join("quux")), before);
}

#[test]
fn a_game_is_moved_to_another_library_of_the_same_disk() {
    let mut seat = seat_with(&[("one", "0 B"), ("two", "0 B")]);
    let (one, two) = (seat.around().join("one"), seat.around().join("two"));
    moves_a_game(&mut seat, &one, &two);
}

/// A seat with the library `one` and another on another file system, with what is to stay free there; `None`, and it says
/// so, where this machine has no other one.
fn seat_with_another_file_system(min_free: &str) -> Option<(Seat, TempDir)> {
    let memory = Path::new("/dev/shm");
    let seat = seat_with(&[("one", "0 B")]);
    let device = |path: &Path| fs::metadata(path).map(|meta| meta.dev()).ok();
    let (here, there) = (device(seat.around()), device(memory));
    if there.is_none() || there == here {
        say(&format!(
            "SKIPPED: nothing is moved to another file system: {} and {} are on one, or there is no such folder",
            memory.display(),
            seat.around().display()
        ));
        return None;
    }
    let other = tempfile::tempdir_in(memory).unwrap();
    let mut config = fs::read_to_string(seat.home().join("config.toml")).unwrap();
    config += &format!("[[library]]\npath = \"{}\"\nmin_free = \"{min_free}\"\n", text(other.path()));
    fs::write(seat.home().join("config.toml"), config).unwrap();
    Some((seat, other))
}

#[test]
fn a_game_is_moved_to_a_library_on_another_file_system() {
    let Some((mut seat, other)) = seat_with_another_file_system("0 B") else { return };
    let one = seat.around().join("one");
    moves_a_game(&mut seat, &one, other.path());
}

#[test]
fn a_library_that_would_be_too_full_takes_no_game_from_another_file_system() {
    let Some((mut seat, other)) = seat_with_another_file_system(ALL) else { return };
    super::add(&seat, "quux", "1.0", 1, &[("a", 3_000)]);
    seat.serve(&[]);
    wait_for_state(&seat, "quux", HERE);
    let refused = seat.run(&["move", "quux", text(other.path())]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("it needs") && refused.stderr.contains("are to stay so"), "{refused:#?}");
    assert!(seat.around().join("one/quux/a").is_file());
}

#[test]
fn what_the_archives_of_a_game_list_is_to_fit_before_it_is_unpacked() {
    const MEMBER: u64 = 900_000_000;
    let mut seat = seat_with(&[("only", "1 MB")]);
    let (game, source) = (seat.around().join("only/boxed"), seat.around().join("source"));
    fs::create_dir_all(&game).unwrap();
    fs::create_dir_all(&source).unwrap();
    fs::write(game.join("version.ini"), "1.0\n").unwrap();
    // Nothing but a hole: the archive is small, and what it lists is not.
    fs::File::create(source.join("hole.dat")).unwrap().set_len(MEMBER).unwrap();
    let mut tar = Command::new("tar");
    tar.args(["-S", "--format=gnu", "-cf"]).arg(game.join("game.tar")).arg("-C").arg(&source).arg("hole.dat");
    assert!(tar.status().is_ok_and(|status| status.success()), "`tar` is part of every Debian");
    assert!(fs::metadata(game.join("game.tar")).unwrap().len() < MEMBER / 100);
    let free = seat.asks(&["space"])["free"].as_u64().unwrap();
    // Others write to this disk too: half of what is lacking is left to them.
    let config = fs::read_to_string(seat.home().join("config.toml")).unwrap();
    let min_free = free.saturating_sub(MEMBER / 2);
    fs::write(seat.home().join("config.toml"), config.replace("1 MB", &format!("{min_free} B"))).unwrap();
    seat.serve(&[]);
    wait_for_state(&seat, "boxed", HERE);
    let refused = seat.run(&["install", "boxed"]);
    assert_eq!(refused.code, Some(4), "{refused:#?}");
    assert!(refused.stderr.contains("it needs 900 MB, and"), "{refused:#?}");
    assert!(!game.join("local").exists() && !game.join(".local.installing").exists());
}
