//! Going to the background: the shell has its prompt back, and nothing under way notices.

use std::fs;

use rustix::process::{Signal, getsid, kill_process, test_kill_process};
use serde_json::Value;

use super::{
    add, behind, guest_of, host,
    process::{Seat, wait_until},
    screen,
    terminal::{Terminal, state_of},
};

fn transfer(seat: &Seat) -> Value {
    seat.asks(&["transfers"]).as_array().unwrap().first().cloned().unwrap_or(Value::Null)
}

/// Has a large game under way and goes to the background.
fn in_background(host: &Seat) -> (Seat, Terminal) {
    let (seat, terminal) = guest_of(host);
    terminal.types("/large\r\r2");
    terminal.shows("chunks");
    wait_until("bytes have come", || transfer(&seat)["done"].as_u64() > Some(1 << 20));
    terminal.types("q");
    terminal.shows("1 transfer runs");
    terminal.types("b");
    (seat, terminal)
}

#[test]
fn a_transfer_goes_on_in_the_background_and_finishes() {
    let host = host();
    let (seat, terminal) = guest_of(&host);
    terminal.types("/large\r\r2");
    terminal.shows("chunks");
    wait_until("bytes have come", || transfer(&seat)["done"].as_u64() > Some(1 << 20));
    let (behind, done) = (behind(&terminal), transfer(&seat)["done"].as_u64());
    terminal.types("q");
    terminal.shows("1 transfer runs");
    terminal.shows("Keep sharing in the background");
    terminal.types("b");
    assert_eq!(terminal.ends(), 0);
    terminal.assert_sane();
    terminal.shows("potluck goes on sharing");

    assert!(transfer(&seat)["done"].as_u64() >= done, "it began anew");
    assert_eq!(transfer(&seat)["state"], "getting");
    assert_eq!(getsid(Some(behind)).unwrap(), behind, "it is in a session of its own");
    wait_until("every byte is there, to be played", || is_playable(&seat, &host));
    // One session from the beginning to the end.
    let seen = |words: &str| host.log().matches(words).count();
    assert_eq!((seen(" is here ("), seen(" is gone")), (1, 0), "{}", host.log());

    // The window is closed; nothing of it is held by the one in the background.
    drop(terminal);
    assert!(test_kill_process(behind).is_ok());
    kill_process(behind, Signal::TERM).unwrap();
    wait_until("it has ended", || state_of(behind).is_none());
    wait_until("its peers know", || host.log().contains(" is gone"));
}

#[test]
fn the_screen_attaches_to_what_is_in_the_background() {
    let host = host();
    let (seat, terminal) = in_background(&host);
    assert_eq!(terminal.ends(), 0);
    let again = Terminal::run(&screen(&seat, &[]), 100, 30);
    again.shows("attached to");
    again.shows("Large");
    // It stays when the screen goes, and nothing is asked.
    again.types("q");
    assert_eq!(again.ends(), 0);
    again.assert_sane();
    assert_eq!(transfer(&seat)["game"], "Large");

    assert_eq!(seat.does(&["stop"]).stdout, "potluck has ended.\n");
    wait_until("its peers know", || host.log().contains(" is gone"));
    assert_eq!(seat.does(&["stop"]).stdout, "No potluck is running here.\n");
    assert_eq!(seat.run(&["status"]).code, Some(3));
}

#[test]
fn a_screen_that_detaches_stops_nothing_and_another_one_goes_on() {
    let host = host();
    let mut seat = Seat::new();
    seat.serve(&["--peer", &host.addr().to_string()]);
    let first = Terminal::run(&screen(&seat, &[]), 100, 30);
    first.shows("attached to");
    first.shows("Large");
    first.types("/large\r\r2");
    first.shows("chunks");
    wait_until("bytes have come", || transfer(&seat)["done"].as_u64() > Some(1 << 20));
    // It asks nothing, and nothing is stopped.
    first.types("q");
    assert_eq!(first.ends(), 0);
    first.assert_sane();
    let left_at = transfer(&seat)["done"].as_u64();
    let second = Terminal::run(&screen(&seat, &[]), 80, 24);
    second.shows("attached to");
    second.types("2");
    second.shows("Large");
    wait_until("it went on", || transfer(&seat)["done"].as_u64() > left_at || transfer(&seat).is_null());
    wait_until("every byte is there, to be played", || is_playable(&seat, &host));
    second.types("q");
    assert_eq!(second.ends(), 0);
    // One session from the beginning to the end.
    assert_eq!(host.log().matches(" is here (").count(), 1, "{}", host.log());
    seat.assert_well();
}

#[test]
fn attached_screens_outlive_the_runtime_and_go_on_with_the_next() {
    let mut seat = Seat::new();
    add(&seat, "Small", 1_000);
    seat.serve(&[]);
    let screens = [(100, 30), (80, 24)].map(|(columns, rows)| Terminal::run(&screen(&seat, &[]), columns, rows));
    for terminal in &screens {
        terminal.shows("attached to");
        terminal.shows("Small");
    }
    seat.stop();
    for terminal in &screens {
        terminal.shows("is away since");
        terminal.shows("Small");
    }
    add(&seat, "Other", 1_000);
    seat.serve(&[]);
    for terminal in &screens {
        terminal.hides("is away since");
        terminal.shows("Other");
        terminal.types("q");
        assert_eq!(terminal.ends(), 0);
        terminal.assert_sane();
    }
    seat.assert_well();
}

/// Whether the guest has what the host has, and what is made of it.
fn is_playable(guest: &Seat, host: &Seat) -> bool {
    let read = |seat: &Seat, path: &str| fs::read(seat.game("Large").join(path)).ok();
    let shared = read(host, "data.pak");
    shared.is_some() && read(guest, "data.pak") == shared && read(guest, "local/data.pak") == shared
}
