//! Many links at once: what one costs while nothing is said on it. `POTLUCK_LINKS` says how many.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::{
    fs,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use super::{
    process::{Seat, wait_until},
    visitor::Visitor,
};

/// In the suite.
const LINKS: u16 = 60;
/// A link's memory, in kB: windows are promised, not taken, and what stands idle has only its state.
const LINK_KB_MAX: u64 = 250;
/// How long they are looked at.
const LOOK: Duration = Duration::from_secs(4);
/// The kernel counts in hundredths of a second.
const TICKS_A_SECOND: f64 = 100.0;

fn resident_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Seconds of a core it has used.
fn busy_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = |number: usize| fields.split_whitespace().nth(number).unwrap().parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / TICKS_A_SECOND
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_stands_costs_little() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let links: u16 = std::env::var("POTLUCK_LINKS").ok().and_then(|text| text.parse().ok()).unwrap_or(LINKS);
    let mut seat = Seat::new();
    fs::create_dir_all(seat.home()).unwrap();
    fs::write(seat.home().join("config.toml"), format!("links_max = {}\n", links + 4)).unwrap();
    seat.serve(&[]);
    wait_until("it serves", || seat.asks(&["status"])["me"]["phase"] == "serving");
    let standing = |seat: &Seat| seat.asks(&["links"]).as_array().map_or(0, Vec::len);
    let before = resident_kb(seat.pid());
    let come = Instant::now();
    let mut visitors = Vec::new();
    for number in 1..=links {
        let [block, machine] = number.to_be_bytes();
        let machine = Ipv4Addr::new(127, 9, block, machine);
        visitors.push(Visitor::from(machine, seat.addr(), seat.peer()).await.expect("there is room for it"));
    }
    let come = come.elapsed();
    wait_until("all stand", || standing(&seat) == usize::from(links));
    let (kb, busy) = (resident_kb(seat.pid()), busy_seconds(seat.pid()));
    tokio::time::sleep(LOOK).await;
    let busy = (busy_seconds(seat.pid()) - busy) / LOOK.as_secs_f64();
    let each = kb.saturating_sub(before) / u64::from(links);
    super::print_figures(&format!(
        "{links} links came in {come:?}: {before} kB before, {kb} kB with them, {each} kB each; idle they take {:.1} % of a core",
        busy * 100.0
    ));
    assert_eq!(standing(&seat), usize::from(links), "none was lost");
    assert!(each < LINK_KB_MAX, "{each} kB a link");
    drop(visitors);
    seat.assert_well();
}
