//! Bytes that rot where nobody looks: refused by the getter, noticed by the server, mended by
//! `verify --repair`.

use std::{fs, path::Path, time::Duration};

use super::{
    CHUNK, HERE, document, game, host_of,
    process::{Seat, bytes_of, files_below, finish, signal, until, wait_for, wait_until},
    received,
};

/// Changes one byte and puts the file's times back.
fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).expect("the file to spoil");
    bytes[at] ^= 1;
    let before = fs::metadata(path).expect("the file to spoil");
    let times = fs::FileTimes::new()
        .set_modified(before.modified().expect("a time"))
        .set_accessed(before.accessed().expect("a time"));
    fs::write(path, &bytes).expect("the file to spoil");
    fs::File::options().write(true).open(path).and_then(|file| file.set_times(times)).expect("the file to spoil");
}

#[test]
fn a_rotten_chunk_is_refused_noticed_and_got_elsewhere() {
    let files: &[(&str, usize)] = &[("data/a.bin", 4 * CHUNK + 9)];
    let rotten = host_of(&[("quux", files)]);
    super::wait_for_state(&rotten, "quux", HERE);
    flip(&rotten.game("quux").join("data/a.bin"), 2 * CHUNK + 1);

    let guest = Seat::new();
    let rotten_addr = rotten.addr().to_string();
    let mut child = guest.start(&["--peer", &rotten_addr, "get", "quux"]);
    wait_until("the server notices what was reported", || {
        let state = game(&rotten, "quux");
        state["state"] != HERE
            || state["reason"].as_str().is_some_and(|reason| !reason.is_empty())
            || state["private"].is_string()
    });
    // Alone it cannot be completed; what is whole is kept.
    wait_until("all that is whole came", || super::transfer(&guest, "quux")["chunks_have"] == 4);
    assert_eq!(until(Duration::from_secs(2), || child.try_wait().expect("our own child")), None, "it cannot be done");
    assert!(!guest.game("quux").join("version.ini").exists());
    signal(&child, "INT");
    assert!(wait_for(&mut child, super::process::PATIENCE).is_some());

    let whole = host_of(&[("quux", files)]);
    let child = guest.start(&["--peer", &rotten_addr, "--peer", &whole.addr().to_string(), "get", "quux", "--json"]);
    let ended = finish(child, super::process::PATIENCE);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(files_below(&guest.game("quux")), files_below(&whole.game("quux")));
    let fetched = received(&document(&ended));
    assert!(fetched <= 2 * CHUNK as u64, "what was whole was fetched again: {fetched} bytes");
}

#[test]
fn verify_names_what_is_bad_and_repair_fetches_only_that() {
    let host = host_of(&[("quux", &[("a.bin", 6 * CHUNK), ("b.bin", 500), ("c.bin", 500)])]);
    let addr = host.addr().to_string();
    let guest = Seat::new();
    guest.does(&["--peer", &addr, "get", "quux"]);
    guest.does(&["verify", "quux"]);

    flip(&guest.game("quux").join("a.bin"), 3 * CHUNK + 77);
    fs::remove_file(guest.game("quux").join("c.bin")).unwrap();
    let found = guest.run(&["verify", "quux"]);
    assert_eq!(found.code, Some(1), "{found:#?}");
    let said = format!("{}{}", found.stdout, found.stderr);
    assert!(said.contains("a.bin") && said.contains("c.bin") && !said.contains("b.bin"), "{said}");

    let repaired = guest.run(&["--peer", &addr, "verify", "quux", "--repair"]);
    assert_eq!(repaired.code, Some(0), "{repaired:#?}");
    assert_eq!(files_below(&guest.game("quux")), files_below(&host.game("quux")));
    let sent = super::sent_at_last(&host);
    let size = 6 * CHUNK as u64 + 1_000;
    assert!(sent <= size + 2 * CHUNK as u64, "repair fetched more than the bad chunks: {} bytes", sent - size);
    guest.does(&["verify", "quux"]);
}

#[test]
fn a_repair_goes_on_after_a_restart_and_fetches_only_what_is_bad() {
    let host = host_of(&[("quux", &[("a.bin", 16 * CHUNK), ("b.bin", 8 * CHUNK)])]);
    let peer = host.addr().to_string();
    let mut guest = super::guest_of(&host);
    super::wait_for_game(&guest, "quux");
    guest.does(&["get", "quux"]);
    wait_until("what was sent is counted", || super::sent(&host) >= 24 * CHUNK as u64);
    for chunk in 0..8 {
        flip(&guest.game("quux").join("b.bin"), chunk * CHUNK + 77);
    }
    guest.does(&["limit", "--down", "1 MiB/s"]);
    let mut repair = guest.start(&["verify", "quux", "--repair"]);
    let some = |seat: &Seat| super::transfer(seat, "quux")["sources"][0]["bytes"].as_u64() > Some(0);
    wait_until("some of it was mended", || some(&guest));
    guest.kill();
    wait_for(&mut repair, super::process::PATIENCE).expect("it ends with the runtime it asked");
    guest.serve(&["--peer", &peer]);
    wait_until("it is as it was", || files_below(&guest.game("quux")) == files_below(&host.game("quux")));
    wait_until("it has taken its place", || super::transfer(&guest, "quux").is_null());
    guest.does(&["verify", "quux"]);
    // What was under way when it was killed comes twice, and each chunk with a few bytes about it.
    let sent = super::sent_at_last(&host);
    assert!(sent <= (24 + 8 + 8 + 1) * CHUNK as u64, "{sent} bytes were sent, for 8 bad chunks of 24");
    guest.assert_well();
}

#[test]
fn a_saved_game_or_a_mod_forks_nothing() {
    let mut host = host_of(&[("quux", &[("a.bin", 2 * CHUNK), ("settings.cfg", 300)])]);
    super::wait_for_state(&host, "quux", HERE);
    let content = game(&host, "quux")["content"].clone();
    fs::write(host.game("quux").join("settings.cfg"), "changed by playing").unwrap();
    fs::write(host.game("quux").join("save.dat"), bytes_of(8, 1_000)).unwrap();
    host.kill();
    host.serve(&[]);
    wait_until("the change is noticed", || {
        game(&host, "quux")["reason"].as_str().is_some_and(|reason| reason.contains("settings.cfg"))
    });
    assert_eq!(game(&host, "quux")["content"], content, "a changed file made another build");
}
