//! Peers that come, get something and go, for as long as `POTLUCK_SOAK_SECONDS` says: afterwards the
//! binary has the tasks, files and memory it had before. Under a longer one than two minutes run it by
//! `cargo test`, which ends no test.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

use super::{
    content_of,
    process::{Seat, wait_until},
    serving_seat,
    visitor::Visitor,
};

/// In the suite.
const SECONDS: u64 = 10;
/// What the allocator may keep of what it once had, in kB.
const KEPT_KB: u64 = 16_000;

/// Dials under way at the most: those who were here are looked for where they said they listen.
const DIALS: u64 = 16;

/// What a process holds.
#[derive(Debug)]
struct Held {
    tasks: u64,
    files: usize,
    kb: u64,
}

fn held(seat: &Seat) -> Held {
    let mut stream = UnixStream::connect(seat.home().join("control.sock")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    let tasks = page.lines().find_map(|line| line.strip_prefix("potluck_tasks ")).unwrap().parse().unwrap();
    let process = format!("/proc/{}", seat.pid());
    let status = fs::read_to_string(format!("{process}/status")).unwrap();
    let memory = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kb = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    Held { tasks, files: fs::read_dir(format!("{process}/fd")).unwrap().count(), kb }
}

/// One peer: it comes, reads the library and a chunk, and goes without a word.
async fn visit(seat: &Seat) {
    let visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("an honest peer is welcome");
    let content = content_of(&visitor).await;
    let chunks = visitor.chunks(&content, &[(0, 1)], 1, |_| 7).await.expect("a chunk");
    assert_eq!(chunks.len(), 1);
}

fn wait_until_alone(seat: &Seat) {
    wait_until("everybody is gone", || seat.asks(&["links"]).as_array().is_some_and(Vec::is_empty));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_come_and_go_leave_nothing_behind() {
    let seconds = std::env::var("POTLUCK_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let mut seat = serving_seat();
    for _ in 0..20 {
        visit(&seat).await;
    }
    wait_until_alone(&seat);
    let before = held(&seat);
    let (begun, mut visits) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_secs(seconds) {
        visit(&seat).await;
        visits += 1;
        // One address may knock eight times a second.
        tokio::time::sleep(Duration::from_millis(125)).await;
    }
    wait_until_alone(&seat);
    let mut after = held(&seat);
    super::print_figures(&format!(
        "{visits} peers in {seconds} s: {before:?} before, {after:?} when the last one left"
    ));
    wait_until("its tasks have ended and its files are closed", || {
        after = held(&seat);
        after.tasks <= before.tasks + DIALS && after.files <= before.files
    });
    super::print_figures(&format!("and then {after:?}"));
    assert!(after.kb <= before.kb + KEPT_KB, "{} kB, then {} kB", before.kb, after.kb);
    seat.assert_well();
}
