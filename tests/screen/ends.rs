//! Whatever ends the screen, the terminal is as it was before.

use std::{process::Command, time::Duration};

use potluck::{
    api::{self, Snapshot},
    tui,
};
use rustix::process::{Signal, kill_process};

use super::{
    behind, guest_of, host,
    process::{Seat, wait_until},
    screen,
    terminal::{Terminal, state_of},
};

#[test]
fn quitting_leaves_the_terminal_as_it_was() {
    let host = host();
    for keys in ["q", "\x03\x03"] {
        let (_seat, terminal) = guest_of(&host);
        terminal.types(keys);
        assert_eq!(terminal.ends(), 0, "{keys:?}");
        terminal.assert_sane();
    }
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    let host = host();
    for signal in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let (_seat, terminal) = guest_of(&host);
        kill_process(terminal.job(), signal).unwrap();
        terminal.ends();
        terminal.assert_sane();
    }
}

#[test]
fn a_window_that_is_closed_ends_it() {
    let host = host();
    let (_seat, mut terminal) = guest_of(&host);
    let behind = behind(&terminal);
    terminal.hang_up();
    wait_until("it has ended", || state_of(behind).is_none());
}

#[test]
fn a_kill_leaves_the_terminal_as_it_was_too() {
    let host = host();
    let (_seat, terminal) = guest_of(&host);
    kill_process(behind(&terminal), Signal::KILL).unwrap();
    assert_eq!(terminal.ends(), 128 + 9);
    terminal.assert_sane();
}

#[test]
fn the_runtime_does_not_outlive_a_killed_front() {
    let host = host();
    let (_seat, terminal) = guest_of(&host);
    let behind = behind(&terminal);
    kill_process(terminal.job(), Signal::KILL).unwrap();
    wait_until("it has ended", || state_of(behind).is_none());
}

/// Runs a test of this file in a terminal of its own.
fn in_terminal(test: &str) -> Terminal {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env("TERM", "xterm-256color").env("LC_ALL", "C.UTF-8").env_remove("RUST_BACKTRACE");
    Terminal::run(&command, 100, 30)
}

#[test]
fn a_panic_leaves_the_terminal_as_it_was_and_says_why() {
    let terminal = in_terminal("ends::a_screen_that_panics");
    assert_ne!(terminal.ends(), 0);
    terminal.shows("on purpose");
    terminal.assert_sane();
}

#[test]
fn an_error_leaves_the_terminal_as_it_was() {
    let terminal = in_terminal("ends::a_screen_whose_runtime_ends");
    assert_eq!(terminal.ends(), 0);
    terminal.assert_sane();
}

/// Shows a screen until `work` ends.
fn show(work: impl AsyncFnOnce(api::HandleEnd)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (handle, end) = api::channel(Snapshot::default());
        let screen = tui::run(handle, tui::Options::default());
        let work = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            work(end).await;
        };
        let (exit, ()) = tokio::join!(screen, work);
        assert_eq!(exit.unwrap(), tui::Exit::Stopped);
    });
}

#[test]
#[ignore = "run by another test in a terminal of its own"]
fn a_screen_that_panics() {
    show(async |_end| panic!("on purpose"));
}

#[test]
#[ignore = "run by another test in a terminal of its own"]
fn a_screen_whose_runtime_ends() {
    show(async |end| drop(end));
}

/// What is wrong in the user's files is told before anything starts, and the terminal is not even taken.
#[test]
fn mistakes_in_keys_and_theme_are_wrong_usage() {
    let seat = Seat::new();
    let config = seat.home().join("themes");
    std::fs::create_dir_all(&config).unwrap();
    let keys = seat.home().join("keys.toml");
    std::fs::write(&keys, "# mine\nverfy = [\"V\"]\n").unwrap();
    let terminal = Terminal::run(&in_a_moment(&screen(&seat, &[])), 100, 30);
    assert_eq!(terminal.ends(), 2);
    terminal.shows("line 2: there is no action `verfy`; did you mean `verify`?");
    std::fs::remove_file(&keys).unwrap();
    std::fs::write(config.join("mine.toml"), "\nredy = {}\n").unwrap();
    for (theme, says) in [("mine", "line 2: there is no role redy"), ("grvbox-dark", "did you mean gruvbox-dark?")] {
        let mut command = screen(&seat, &[]);
        command.env("POTLUCK_UI_THEME", theme);
        let terminal = Terminal::run(&in_a_moment(&command), 100, 30);
        assert_eq!(terminal.ends(), 2, "{theme}");
        terminal.shows(says);
        assert!(!terminal.sight().wrote(b"\x1b[?1049h"), "the terminal was taken");
    }
}

/// The same program a moment later, so that it is seen to run although it ends at once.
fn in_a_moment(program: &Command) -> Command {
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let line: Vec<&str> = words.map(|word| word.to_str().unwrap()).collect();
    let mut later = Command::new("sh");
    later.args(["-c", &format!("sleep 0.3; {}", line.join(" "))]);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => later.env(name, value),
            None => later.env_remove(name),
        };
    }
    later
}
