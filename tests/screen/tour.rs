//! What people do: filter, get, watch, cancel, resize, suspend, look at the help, leave.

use std::{collections::BTreeSet, time::Duration};

use rustix::process::{Signal, kill_process};

use super::{
    add, behind, guest_of, host,
    process::{PATIENCE, Seat, make_game, until, wait_until},
    screen,
    terminal::{Terminal, state_of},
};

#[test]
fn games_are_filtered_got_watched_and_cancelled() {
    let host = host();
    let (seat, terminal) = guest_of(&host);
    assert_eq!(terminal.title(), "potluck");

    terminal.types("/sma\r");
    terminal.hides("Large");
    terminal.types("\r");
    // It is made playable as well: that is what a get on the screen is for.
    terminal.shows("Ready");
    wait_until("the bytes are there", || seat.game("Small").join("data.pak").exists());
    terminal.until("a bell", |sight| sight.bells() > 0);

    terminal.types("\x1b");
    terminal.shows("Large");
    terminal.types("/large\r\r2");
    terminal.shows("chunks");
    wait_until("the title tells", || terminal.title().ends_with('%'));
    terminal.types("c");
    terminal.shows("Stop getting Large?");
    terminal.types("c");
    terminal.shows("Nothing is being got");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.assert_sane();
}

#[test]
fn any_size_is_drawn_and_a_tiny_one_says_what_it_needs() {
    let host = host();
    let (_seat, terminal) = guest_of(&host);
    for (columns, rows) in [(160, 45), (80, 24), (41, 11), (120, 40), (60, 12)] {
        terminal.resize(columns, rows);
    }
    terminal.until("the last size", |sight| {
        let lines: Vec<String> = sight.screen().rows(0, 60).collect();
        lines[0].contains("potluck") && lines[11].contains("Quit") && lines.iter().any(|line| line.contains("Small"))
    });
    terminal.resize(30, 6);
    terminal.shows("potluck needs");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.assert_sane();
}

#[test]
fn ctrl_z_gives_the_shell_back_and_fg_draws_the_screen_anew() {
    let host = host();
    let (_seat, terminal) = guest_of(&host);
    let job = terminal.job();
    for _ in 0..2 {
        terminal.types("\x1a");
        wait_until("it is stopped", || state_of(job) == Some('T'));
        terminal.shows("shares nothing meanwhile");
        terminal.assert_sane();
        // Debris that a redraw has to wipe.
        terminal.resize(90, 28);
        terminal.does("fg");
        terminal.until("the screen anew", |sight| {
            sight.screen().alternate_screen()
                && sight.screen().rows(0, 90).nth(27).is_some_and(|row| row.contains("Quit"))
        });
        terminal.shows("Small");
    }
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.assert_sane();
}

#[test]
fn a_slow_line_delays_nothing_and_its_late_answer_is_used() {
    let seat = Seat::new();
    let terminal = Terminal::run_far(&screen(&seat, &[]), 100, 30, Duration::from_millis(700));
    terminal.shows("Looking");
    let before_the_answer = terminal.sight().wrote(b"\x1b[?2026h");
    assert!(!before_the_answer);
    // What is typed before the answer is not lost, and the answer is not taken for something typed.
    terminal.types("2");
    terminal.shows("Nothing is being got");
    wait_until("the answer is used", || {
        terminal.types("12");
        let sight = terminal.sight();
        sight.wrote(b"\x1b[?2026h") && sight.wrote(b"\x1b[?2026l")
    });
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.assert_sane();
}

#[test]
fn an_answer_that_comes_after_leaving_is_not_typed_into_the_shell() {
    let seat = Seat::new();
    let terminal = Terminal::run_far(&screen(&seat, &[]), 100, 30, Duration::from_millis(100));
    terminal.until("the screen", |sight| sight.screen().alternate_screen());
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    assert!(!terminal.text().contains("2026"), "{}", terminal.text());
    terminal.assert_sane();
}

#[test]
fn what_is_pasted_is_no_keys() {
    let host = host();
    let (_seat, terminal) = guest_of(&host);
    terminal.until("pastes are marked", |sight| sight.screen().bracketed_paste());
    terminal.types("\x1b[200~q\rqq\x1b[201~/");
    terminal.types("\x1b[200~large\x1b[201~");
    terminal.hides("Small");
    terminal.types("\r\x1b");
    terminal.shows("Small");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn nothing_is_written_while_nothing_happens() {
    let seat = Seat::new();
    add(&seat, "Small", 1_000);
    let terminal = Terminal::run(&screen(&seat, &[]), 100, 30);
    terminal.shows("Downloaded");
    // The clock in the corner is the only thing that may change: not in both of two seconds.
    let written = || {
        let before = terminal.sight().bytes.len();
        std::thread::sleep(Duration::from_secs(1));
        terminal.sight().bytes.len() - before
    };
    let settled = until(PATIENCE, || (written() == 0).then_some(()));
    assert!(settled.is_some(), "it never rests");
    let quiet = [written(), written()];
    assert!(quiet.contains(&0) && quiet.iter().sum::<usize>() < 60, "{quiet:?}");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_theme_is_changed_while_it_runs() {
    let host = host();
    let (_seat, terminal) = guest_of(&host);
    let colors = || {
        let sight = terminal.sight();
        let cells = (0..30).flat_map(|row| (0..100).map(move |column| (row, column)));
        let color = |(row, column)| Some(format!("{:?}", sight.screen().cell(row, column)?.bgcolor()));
        cells.filter_map(color).collect::<BTreeSet<String>>()
    };
    assert_eq!(colors().len(), 1, "the default theme leaves the background to the terminal");
    terminal.types(":theme\r");
    terminal.shows("high-contrast");
    terminal.types("\x1b[B");
    wait_until("another background", || colors().len() > 1 || !colors().contains("Default"));
    // Esc takes it back.
    terminal.types("\x1b");
    wait_until("the background before", || colors().len() == 1 && colors().contains("Default"));
    terminal.types(":theme gruvbox-dark\r");
    terminal.shows("gruvbox-dark until you leave");
    wait_until("a background of its own", || !colors().contains("Default"));
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.assert_sane();
}

#[test]
fn the_mouse_is_taken_only_where_it_is_wanted_and_given_back() {
    let host = host();
    let (_seat, terminal) = guest_of(&host);
    terminal.until("no mouse", |sight| sight.screen().mouse_protocol_mode() == vt100::MouseProtocolMode::None);
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    let seat = Seat::new();
    let mut command = screen(&seat, &["--peer", &host.addr().to_string()]);
    command.env("POTLUCK_UI_MOUSE", "true");
    for signal in [None, Some(Signal::KILL)] {
        let terminal = Terminal::run(&command, 100, 30);
        terminal.shows("Small");
        terminal.until("a mouse", |sight| sight.screen().mouse_protocol_mode() != vt100::MouseProtocolMode::None);
        // A click on the second tab.
        terminal.types("\x1b[<0;30;1M\x1b[<0;30;1m");
        terminal.shows("Nothing is being got");
        match signal {
            None => terminal.types("q"),
            Some(signal) => kill_process(behind(&terminal), signal).unwrap(),
        }
        terminal.ends();
        terminal.assert_sane();
    }
}

#[test]
fn a_path_is_completed() {
    let host = host();
    let (seat, terminal) = guest_of(&host);
    let folder = seat.around().join("only");
    make_game(&folder.join("Open Arena"), 5, &[("data.pak", 1_000)]);
    terminal.types(&format!("a{}/O\t", folder.display()));
    terminal.shows("Open Arena/");
    terminal.types("\x1b");
    terminal.hides("Folder to add");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}
