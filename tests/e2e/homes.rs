//! Homes and libraries: one runtime each, keys that are nobody else's, an orderly end.

use std::{fs, os::unix::fs::PermissionsExt as _, time::Duration};

use super::{
    guest_of, host_of,
    process::{Seat, wait_until},
    text, wait_for_game,
};

#[test]
fn a_second_runtime_on_one_home_names_the_first() {
    let mut first = host_of(&[]);
    let second = first.run(&["serve"]);
    assert!(second.code.is_some_and(|code| code != 0), "{second:#?}");
    assert!(second.stderr.contains(&first.pid().to_string()), "the first's pid is not named: {second:#?}");
    first.assert_well();
}

#[test]
fn a_second_home_on_one_library_names_the_first() {
    let mut first = host_of(&[]);
    let second = Seat::new();
    let ended = second.run(&["--library", text(&first.library()), "serve"]);
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:#?}");
    assert!(ended.stderr.contains(&first.pid().to_string()), "the first's pid is not named: {ended:#?}");
    first.assert_well();
}

#[test]
fn serve_waits_for_a_short_command_to_end() {
    let mut host = host_of(&[("quux", &[("a", 1_000)])]);
    let mut guest = Seat::new();
    let searching = guest.start(&["games", "--wait", "2"]);
    wait_until("the short command holds the home", || guest.home().exists());
    guest.serve(&["--peer", &host.addr().to_string()]);
    assert_eq!(super::process::finish(searching, super::process::PATIENCE).code, Some(0));
    wait_for_game(&guest, "quux");
    host.assert_well();
}

#[test]
fn sigterm_ends_within_two_seconds_and_peers_know_at_once() {
    let mut host = host_of(&[("quux", &[("a", 1_000)])]);
    let guest = guest_of(&host);
    wait_for_game(&guest, "quux");
    let peer = host.peer().to_owned();
    let online = |seat: &Seat| {
        super::rows(&seat.asks(&["peers"]), "peers")
            .iter()
            .any(|row| row["id"] == peer.as_str() && row["online"] == true)
    };
    assert!(online(&guest));
    let (code, took) = host.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(3), "it took {took:?}");
    assert!(super::process::until(Duration::from_secs(2), || (!online(&guest)).then_some(())).is_some(), "no goodbye");
}

#[test]
fn a_cloned_home_is_named_on_both_sides() {
    let mut original = host_of(&[]);
    let guest = guest_of(&original);
    wait_until("the original is here", || guest.asks(&["peers"]).to_string().contains(original.peer()));

    let mut clone = Seat::new();
    fs::create_dir_all(clone.home()).unwrap();
    copy_key(&original, &clone);
    clone.serve(&["--peer", &guest.addr().to_string()]);
    assert_eq!(clone.peer(), original.peer(), "the key was copied");
    wait_until("the clone is told", || {
        let said = clone.asks(&["peers"]).to_string() + &clone.log();
        said.contains("clone") || said.contains("same key") || said.contains("another machine")
    });
    assert!(original.is_serving() && clone.is_serving());
    original.assert_well();
}

/// Copies every file of a home that could be its identity.
fn copy_key(from: &Seat, to: &Seat) {
    let mut folders = vec![from.home()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let target = to.home().join(path.strip_prefix(from.home()).unwrap());
            if path.is_dir() {
                fs::create_dir_all(&target).unwrap();
                folders.push(path);
            } else if path.to_string_lossy().contains("key") {
                fs::copy(&path, &target).unwrap();
            }
        }
    }
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused_by_name() {
    let mut seat = host_of(&[]);
    let peer = seat.peer().to_owned();
    seat.stop();
    let key = find_key(&seat);
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    check_refused(&seat, &["serve"], &[text(&key), "chmod"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let bytes = fs::read(&key).unwrap();
    fs::write(&key, b"not a key").unwrap();
    check_refused(&seat, &["serve"], &[text(&key)]);
    fs::write(&key, bytes).unwrap();
    seat.serve(&[]);
    assert_eq!(seat.peer(), peer);
}

fn find_key(seat: &Seat) -> std::path::PathBuf {
    let mut folders = vec![seat.home()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name.to_string_lossy().contains("key")) {
                return path;
            }
        }
    }
    panic!("no key file in {}", seat.home().display());
}

fn check_refused(seat: &Seat, words: &[&str], names: &[&str]) {
    let ended = seat.run(words);
    assert!(ended.code.is_some_and(|code| code != 0), "{words:?}: {ended:#?}");
    for name in names {
        assert!(ended.stderr.contains(name), "{words:?} does not name {name}: {ended:#?}");
    }
    assert!(!ended.stderr.contains("panicked"), "{ended:#?}");
}
