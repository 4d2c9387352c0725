//! The whole program, end to end: the real binary on loopback, every seat with a home and a library
//! of its own. Needs no network and no rights. What is random comes from a seed that is printed;
//! `POTLUCK_TEST_SEED=N` runs it again.

#![allow(clippy::disallowed_methods, reason = "tests of the whole have real clocks, threads and processes")]
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

#[path = "e2e/bad_input.rs"]
mod bad_input;
#[path = "e2e/commands.rs"]
mod commands;
#[path = "e2e/control.rs"]
mod control;
#[path = "e2e/doctor.rs"]
mod doctor;
#[path = "e2e/failing.rs"]
mod failing;
#[path = "e2e/hand_out.rs"]
mod hand_out;
#[path = "e2e/homes.rs"]
mod homes;
#[path = "e2e/install.rs"]
mod install;
#[path = "e2e/kills.rs"]
mod kills;
#[path = "e2e/libraries.rs"]
mod libraries;
#[path = "e2e/limits.rs"]
mod limits;
#[path = "e2e/logs.rs"]
mod logs;
#[path = "e2e/package.rs"]
mod package;
#[path = "e2e/play.rs"]
mod play;
#[path = "seat/process.rs"]
mod process;
#[path = "e2e/rot.rs"]
mod rot;
#[path = "e2e/service.rs"]
mod service;
#[path = "e2e/share.rs"]
mod share;
#[path = "e2e/sources.rs"]
mod sources;
#[path = "e2e/space.rs"]
mod space;
#[path = "e2e/systemd.rs"]
mod systemd;
#[path = "e2e/update.rs"]
mod update;
#[path = "e2e/update_cost.rs"]
mod update_cost;

use std::{fs, path::Path, process::Command, thread, time::Duration};

use process::{Seat, make_game, wait_until};
use serde_json::Value;

/// Bytes of a chunk.
const CHUNK: usize = 1 << 20;

/// The state of a game that is here, verified, and not installed.
const HERE: &str = "downloaded";

/// A seat that serves `games`: ids, each with files and their sizes, of version 1.0.
fn host_of(games: &[(&str, &[(&str, usize)])]) -> Seat {
    let mut seat = Seat::new();
    for (number, (id, files)) in games.iter().enumerate() {
        add(&seat, id, "1.0", number as u64 + 1, files);
    }
    seat.serve(&[]);
    seat
}

/// Makes a game of `files` and adds it.
fn add(seat: &Seat, id: &str, version: &str, seed: u64, files: &[(&str, usize)]) {
    let folder = seat.around().join(format!("new-{id}-{version}-{seed}"));
    make_game(&folder, seed, files);
    seat.does(&["add", text(&folder), "--id", id, "--version", version, "--move"]);
}

/// A seat with an empty library that serves and knows `host`.
fn guest_of(host: &Seat) -> Seat {
    let mut seat = Seat::new();
    seat.serve(&["--peer", &host.addr().to_string()]);
    seat
}

/// The list an answer is, or holds under `name`.
fn rows(answer: &Value, name: &str) -> Vec<Value> {
    let list = answer.as_array().or_else(|| answer[name].as_array());
    list.unwrap_or_else(|| panic!("no list of {name} in {answer}")).clone()
}

/// What a seat says of a game; null when it does not know it.
fn game(seat: &Seat, id: &str) -> Value {
    rows(&seat.asks(&["games"]), "games").into_iter().find(|game| game["id"] == id).unwrap_or(Value::Null)
}

/// What a seat says of a transfer; null when there is none.
fn transfer(seat: &Seat, id: &str) -> Value {
    let transfers = rows(&seat.asks(&["transfers"]), "transfers");
    transfers.into_iter().find(|transfer| transfer["game"] == id).unwrap_or(Value::Null)
}

fn wait_for_state(seat: &Seat, id: &str, state: &str) {
    let mut last = Value::Null;
    let found = process::until(process::PATIENCE, || {
        last = game(seat, id);
        (last["state"] == state).then_some(())
    });
    assert!(found.is_some(), "{id} is not {state}: {last}");
}

/// Waits until a guest sees a game in the room.
fn wait_for_game(seat: &Seat, id: &str) {
    wait_until(&format!("{id} is seen"), || !game(seat, id).is_null());
}

/// Bytes that a `get --json` says came over the network.
fn received(answer: &Value) -> u64 {
    let sources = answer["sources"].as_array().unwrap_or_else(|| panic!("no sources in {answer}"));
    sources.iter().map(|source| source["bytes"].as_u64().expect("a number of bytes")).sum()
}

/// Bytes a seat says it sent to all peers.
fn sent(seat: &Seat) -> u64 {
    rows(&seat.asks(&["peers"]), "peers").iter().map(|peer| peer["up"].as_u64().unwrap()).sum()
}

/// The same, once what is shown has caught up with what was sent.
fn sent_at_last(seat: &Seat) -> u64 {
    let mut before = sent(seat);
    loop {
        thread::sleep(Duration::from_secs(1));
        let now = sent(seat);
        if now == before {
            return now;
        }
        before = now;
    }
}

/// The one document a `--json` answer is.
fn document(ended: &process::Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("not one JSON document: {error}: {ended:#?}"))
}

/// Writes a file and the folders it lies in.
fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a folder of this test's own");
    fs::write(path, text).expect("a folder of this test's own");
}

/// A `.tar.gz` of a folder, whatever its name says.
fn pack(folder: &Path, archive: &Path) {
    let made = Command::new("tar").arg("-czf").arg(archive).arg("-C").arg(folder).arg(".").status();
    assert!(made.is_ok_and(|status| status.success()), "`tar` is part of every Debian");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("test folders are UTF-8")
}

/// A random number to begin from, printed so that a failure can be run again.
fn seed() -> u64 {
    let given = std::env::var("POTLUCK_TEST_SEED").ok().and_then(|text| text.parse().ok());
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let seed = given.unwrap_or(u64::from(now.subsec_nanos()));
    say(&format!("POTLUCK_TEST_SEED={seed}"));
    seed
}

#[expect(clippy::print_stderr, reason = "shown with a failure")]
fn say(line: &str) {
    eprintln!("{line}");
}
