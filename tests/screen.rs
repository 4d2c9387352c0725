//! The screen of the real binary on a real terminal: a pseudo-terminal with a shell, and an emulator
//! that looks at it. Whatever ends it, the terminal is as it was before. Needs no network and no
//! rights.

#![allow(clippy::disallowed_methods, reason = "tests of the whole have real clocks, threads and processes")]
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

#[path = "screen/background.rs"]
mod background;
#[path = "screen/ends.rs"]
mod ends;
#[path = "seat/process.rs"]
mod process;
#[path = "screen/terminal.rs"]
mod terminal;
#[path = "screen/tour.rs"]
mod tour;

use std::process::Command;

use process::{Seat, make_game};
use rustix::process::Pid;
use terminal::{Terminal, children_of};

/// Bytes of a chunk.
const CHUNK: usize = 1 << 20;

/// A seat that serves a small game, and a large one slowly enough to be watched.
fn host() -> Seat {
    let mut seat = Seat::new();
    add(&seat, "Small", 300_000);
    add(&seat, "Large", 24 * CHUNK);
    seat.serve(&[]);
    seat.does(&["limit", "--up", "3 MiB/s"]);
    seat
}

fn add(seat: &Seat, id: &str, size: usize) {
    let folder = seat.around().join(id);
    make_game(&folder, size as u64, &[("data.pak", size), ("maps/a.bsp", 1_000)]);
    seat.does(&["add", folder.to_str().unwrap(), "--version", "1.0", "--move"]);
}

/// The screen of a seat, not started yet.
fn screen(seat: &Seat, words: &[&str]) -> Command {
    let mut command = seat.command(words);
    command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR");
    for name in ["COLORTERM", "SSH_CONNECTION", "SSH_TTY", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command
}

/// A screen over a runtime of its own that knows `host`, when the room is seen on it.
fn guest_of(host: &Seat) -> (Seat, Terminal) {
    let seat = Seat::new();
    let terminal = Terminal::run(&screen(&seat, &["--peer", &host.addr().to_string()]), 100, 30);
    terminal.shows("Small");
    terminal.shows("Large");
    (seat, terminal)
}

/// The process with the runtime and the screen, which is behind the one the shell waits for.
fn behind(terminal: &Terminal) -> Pid {
    children_of(terminal.job())[0]
}
