//! What the screen costs: `cargo bench --bench screen`. A room of 10,000 games, 200 peers and 20 transfers at 120×40,
//! everything that moves moving in every frame. Each figure is the median and the slowest of its rounds; the last column
//! is what it is to stay below.

#![allow(clippy::disallowed_methods, reason = "a bench measures its own time")]
#![allow(clippy::print_stdout, reason = "a bench prints")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use potluck::{
    api::{BuildView, GameView, MapCell, MeView, PeerView, Snapshot, SourceView, StateWord, Totals, TransferView},
    tui::headless::Headless,
};

const GAMES: usize = 10_000;
const PEERS: usize = 200;
const TRANSFERS: usize = 20;
const SOURCES: usize = 60;
const CELLS: u32 = 512;
const SIZE: (u16, u16) = (120, 40);
const ROUNDS: u64 = 300;

fn main() {
    crossterm::style::force_color_output(true);
    println!("| what | median | slowest | bytes | bar |\n|---|---|---|---|---|");
    for (name, key) in [("library", "1"), ("transfers", "2"), ("peers", "3")] {
        frames(name, key);
    }
    games_change();
    filter();
    start();
}

/// Everything that moves moves, as 15 times a second.
fn frames(name: &str, key: &str) {
    let mut screen = Headless::new(&room(0), SIZE.0, SIZE.1);
    assert!(screen.press(key));
    screen.draw();
    let base = room(0);
    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let next = Arc::new(moved(&base, round));
        let from = Instant::now();
        screen.take(round * 66, next);
        bytes.push(screen.draw());
        times.push(from.elapsed());
    }
    bytes.sort_unstable();
    row(&format!("a busy frame: {name}"), &mut times, Some(bytes[bytes.len() / 2]), "1 ms, 2,048 bytes");
}

/// The rarest kind of frame: the list of games itself is another one.
fn games_change() {
    let base = room(0);
    let mut screen = Headless::new(&base, SIZE.0, SIZE.1);
    screen.draw();
    let mut times = Vec::new();
    for round in 1..=ROUNDS / 6 {
        let next = Arc::new(Snapshot { games: Arc::new((*base.games).clone()), ..moved(&base, round) });
        let from = Instant::now();
        screen.take(round * 66, next);
        screen.draw();
        times.push(from.elapsed());
    }
    row("a frame with another list of games", &mut times, None, "-");
}

fn filter() {
    let mut times = Vec::new();
    for _ in 0..ROUNDS / 10 {
        let mut screen = Headless::new(&room(0), SIZE.0, SIZE.1);
        screen.draw();
        assert!(screen.press("/"));
        for key in ["g", "a", "m", "9", "7"] {
            let from = Instant::now();
            assert!(screen.press(key));
            screen.draw();
            times.push(from.elapsed());
        }
    }
    row("a key of a filter", &mut times, None, "5 ms");
}

fn start() {
    let room = room(0);
    let mut times = Vec::new();
    for _ in 0..ROUNDS / 10 {
        let from = Instant::now();
        let mut screen = Headless::new(&room, SIZE.0, SIZE.1);
        screen.draw();
        times.push(from.elapsed());
    }
    row("snapshot to first frame", &mut times, None, "50 ms");
}

fn row(what: &str, times: &mut [Duration], bytes: Option<usize>, bar: &str) {
    times.sort_unstable();
    let (median, slowest) = (times[times.len() / 2], times[times.len() - 1]);
    let bytes = bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
    println!("| {what} | {} | {} | {bytes} | {bar} |", ms(median), ms(slowest));
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

fn room(round: u64) -> Snapshot {
    let games = (0..GAMES)
        .map(|at| GameView {
            id: format!("game-{at:05}"),
            title: format!("Game {at:05} of a large library"),
            version: "1.0.3".into(),
            content: format!("{at:064x}"),
            size: at as u64 * 1_000_000,
            files: 120,
            state: if at.is_multiple_of(3) { StateWord::Ready } else { StateWord::Available },
            have: (at % PEERS) as u32,
            builds: vec![BuildView {
                version: "1.0.3".into(),
                holders: vec!["seat-001".into(), "seat-002".into()],
                ..BuildView::default()
            }],
            ..GameView::default()
        })
        .collect();
    let me = MeView { name: "seat-17".into(), listen: vec!["10.0.3.17:47800".into()], ..MeView::default() };
    let still = Snapshot { me: Arc::new(me), games: Arc::new(games), ..Snapshot::default() };
    moved(&still, round)
}

/// The same room a moment later: rates, maps and who sends how much are others, the list of games is the same.
fn moved(room: &Snapshot, round: u64) -> Snapshot {
    let rate = |at: usize| 1_000_000 + (at as u64 * 7_919 + round * 104_729) % 90_000_000;
    let transfers = (0..TRANSFERS).map(|at| transfer(at, round, &rate)).collect();
    let peers = (0..PEERS)
        .map(|at| PeerView {
            id: format!("{at:052}"),
            name: format!("seat-{at:03}"),
            addr: format!("10.0.{}.{}:47800", at / 200, at % 200 + 1),
            online: true,
            rtt_us: 400,
            down_bps: if at < SOURCES { rate(at) } else { 0 },
            up_bps: if at.is_multiple_of(9) { rate(at + 1) } else { 0 },
            games: 90,
            links: 1,
            ..PeerView::default()
        })
        .collect();
    let totals = Totals {
        down_bps: rate(3),
        up_bps: rate(4),
        free: Some(186_000_000_000),
        peers: PEERS as u32,
        ..Totals::default()
    };
    Snapshot { transfers: Arc::new(transfers), peers: Arc::new(peers), totals: Arc::new(totals), ..room.clone() }
}

fn transfer(at: usize, round: u64, rate: &impl Fn(usize) -> u64) -> TransferView {
    let chunks = 10_240;
    // A fast transfer: of 10,240 chunks eight come in a frame.
    let have = (4_000 + round as u32 * 8).min(chunks);
    let all = chunks / CELLS;
    let cell = |number: u32| {
        // Filled from the beginning, a scatter behind.
        let first = number * all;
        let here = have.saturating_sub(first).min(all).max(number * 7 % 5);
        let coming = u32::from(here < all && number.is_multiple_of(11));
        MapCell {
            first,
            all,
            have: here.min(all - coming),
            coming,
            rarest: 5,
            held: 100,
            fewest: 5,
            ..MapCell::default()
        }
    };
    let source = |number: usize| SourceView {
        peer: format!("{number:052}"),
        name: format!("seat-{number:03}"),
        holds: (100 - number) as u8,
        bytes: round * 66_000 + number as u64,
        bps: rate(number),
        coming: 4_000_000,
        rtt_us: 400,
    };
    TransferView {
        game: format!("game-{:05}", at * 50),
        title: format!("Game {:05} of a large library", at * 50),
        version: "1.0.3".into(),
        content: format!("{at:064x}"),
        state: if at < 2 { StateWord::Getting } else { StateWord::Waiting },
        percent: (u64::from(have) * 100 / u64::from(chunks)) as u8,
        done: u64::from(have) << 20,
        size: u64::from(chunks) << 20,
        sources: (0..SOURCES).map(source).collect(),
        down_bps: rate(at),
        left_s: Some(60),
        chunks,
        chunks_have: have,
        map: (0..CELLS).map(cell).collect(),
        ..TransferView::default()
    }
}
