//! What the real binary logs: more or less of it while it runs, and the form the journal takes.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    process::Stdio,
};

use crate::process::{PATIENCE, Seat, finish, signal, wait_until};

/// Says something that is no request; the end of it is one line, at `debug`.
fn babble(seat: &Seat) {
    let mut stream = UnixStream::connect(seat.home().join("control.sock")).unwrap();
    stream.write_all(&[0xff; 64]).unwrap();
    // Whether it is told so, or closed, is not what is looked at.
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Lines of the log that tell of such an end.
fn told(seat: &Seat) -> usize {
    let log = seat.asks(&["logs", "--lines", "100000"]);
    let lines = log["lines"].as_array().expect("lines").iter().filter_map(|line| line.as_str());
    lines.filter(|line| line.contains("DEBUG") && line.contains("a connection to the control socket ended")).count()
}

#[test]
fn a_running_potluck_logs_more_and_less() {
    let mut seat = Seat::new();
    seat.serve(&[]);
    let level = |seat: &Seat| seat.asks(&["status"])["me"]["log"]["level"].clone();
    assert_eq!(level(&seat), "info");
    babble(&seat);
    seat.does(&["logs", "--level", "debug"]);
    assert_eq!(level(&seat), "debug");
    babble(&seat);
    wait_until("a line is there", || told(&seat) > 0);
    assert_eq!(told(&seat), 1, "the one before was not to be told");
    seat.does(&["logs", "--level", "info"]);
    assert!(seat.does(&["status"]).stdout.contains("\nlog at info\n"));
    babble(&seat);
    // Lines come in order, so the next one shows that there was none.
    seat.does(&["logs", "--level", "debug"]);
    babble(&seat);
    wait_until("another line is there", || told(&seat) > 1);
    assert_eq!(told(&seat), 2, "one was told that was not to be");
    assert_eq!(seat.run(&["logs", "--level", "loud"]).code, Some(2));
    assert_eq!(level(&seat), "debug");
}

/// What `serve` writes to its standard error output, which `JOURNAL_STREAM` names, give or take some inodes.
fn said_to_a_journal(beside: u64) -> String {
    let seat = Seat::new();
    let path = seat.around().join("journal");
    let journal = File::create(&path).unwrap();
    let stream = journal.metadata().unwrap();
    let mut command = seat.command(&["serve"]);
    command.env("JOURNAL_STREAM", format!("{}:{}", stream.dev(), stream.ino() + beside));
    let child = command.stdout(Stdio::piped()).stderr(journal).spawn().unwrap();
    wait_until("it serves", || seat.run(&["status"]).code == Some(0));
    seat.does(&["logs", "--level", "debug"]);
    babble(&seat);
    wait_until("it is told", || fs::read_to_string(&path).unwrap().contains("control socket ended"));
    signal(&child, "TERM");
    assert_eq!(finish(child, PATIENCE).code, Some(0));
    fs::read_to_string(path).unwrap()
}

#[test]
fn the_journal_gets_priorities_and_a_file_gets_times() {
    let said = said_to_a_journal(0);
    assert!(said.lines().all(|line| line.starts_with('<')), "{said}");
    assert!(said.lines().any(|line| line.starts_with("<7>a connection to the control socket ended")), "{said}");
    // The stream of the service manager is not the one it writes to.
    let said = said_to_a_journal(1);
    assert!(said.lines().all(|line| line.starts_with("20") && line.contains('Z')), "{said}");
}
