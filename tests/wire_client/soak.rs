//! Peers that come, get a game and go, some without a word, for as long as `POTLUCK_SOAK_SECONDS` says:
//! afterwards the binary has the tasks, files and memory it had before. Under a longer one than two
//! minutes run it by `cargo test`, which ends no test.

#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    CHUNK, content_of,
    process::{PATIENCE, Seat, until, wait_until},
    serving_seat,
    visitor::Visitor,
};

/// In the suite.
const SECONDS: u64 = 10;
/// From here on some go without a word: it takes a minute until the binary no longer looks for them.
const LONG_SECONDS: u64 = 60;
/// So many of them, one in.
const WORDLESS_EVERY: u32 = 50;
/// Dialled where they said they listen, six times with pauses of 1 to 16 s between and 4 s each.
const LOOKED_FOR: Duration = Duration::from_secs(90);
/// Peers that are here at a time.
const AT_A_TIME: usize = 8;
/// Machines they come from: one may knock eight times a second, and is not what is measured.
const MACHINES: u32 = 250;
/// The chunks of the game, and their bytes.
const CHUNKS: u32 = 4;
const GAME_BYTES: usize = 7 + 2 * CHUNK + 512 * 1024;
/// More than before the first peers, in kB: what is remembered of 512 that are gone, and what the
/// allocator keeps of eight transfers at a time.
const KEPT_KB: u64 = 40_000;
/// More at the end of a long one than at half of it: by then nothing is new.
const GROWN_KB: u64 = 4_000;

/// What a process holds.
#[derive(Debug)]
struct Held {
    tasks: u64,
    files: usize,
    kb: u64,
}

impl Held {
    /// All that it asked for is given back.
    fn is_back_at(&self, before: &Self) -> bool {
        self.tasks == before.tasks && self.files == before.files
    }
}

fn held(seat: &Seat) -> Held {
    let mut stream = UnixStream::connect(seat.home().join("control.sock")).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    drop(stream);
    let tasks = page.lines().find_map(|line| line.strip_prefix("potluck_tasks ")).unwrap().parse().unwrap();
    Held { tasks, files: seat.open_files(), kb: seat.resident_kb() }
}

/// Where peers go, and how many have been there.
struct Guests {
    addr: SocketAddr,
    peer: String,
    wordless: bool,
    visits: AtomicU32,
    bytes: AtomicUsize,
}

impl Guests {
    /// One peer after another, until `end`.
    async fn keep_coming(self: Arc<Self>, end: Instant) {
        while Instant::now() < end {
            let number = self.visits.fetch_add(1, Ordering::Relaxed);
            self.visit(number).await;
        }
    }

    /// A new peer comes, reads the library and the whole game, and goes.
    async fn visit(&self, number: u32) {
        let [.., block, machine] = (number % MACHINES + 1).to_be_bytes();
        let machine = Ipv4Addr::new(127, 8, block, machine);
        let visitor = Visitor::from(machine, self.addr, &self.peer).await.expect("an honest peer is welcome");
        let content = content_of(&visitor).await;
        let len_of = |number| match number {
            0 => 7,
            3 => 512 * 1024,
            _ => CHUNK,
        };
        let mut wanted: Vec<u32> = (0..CHUNKS).collect();
        while !wanted.is_empty() {
            let of: Vec<(u32, u32)> = wanted.iter().map(|number| (*number, number + 1)).collect();
            let chunks = visitor.chunks(&content, &of, CHUNKS, len_of).await.expect("chunks");
            assert!(!chunks.is_empty(), "{wanted:?} are not given");
            for (number, bytes) in chunks {
                wanted.retain(|other| *other != number);
                self.bytes.fetch_add(bytes.len(), Ordering::Relaxed);
            }
        }
        if self.wordless && number.is_multiple_of(WORDLESS_EVERY) {
            return;
        }
        visitor.goodbye().await.expect("it is heard");
    }
}

fn wait_until_alone(seat: &Seat) {
    wait_until("everybody is gone", || seat.asks(&["links"]).as_array().is_some_and(Vec::is_empty));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_come_and_go_leave_nothing_behind() {
    let seconds = std::env::var("POTLUCK_SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(SECONDS);
    let mut seat = serving_seat();
    let guests = |wordless| {
        let (visits, bytes) = (AtomicU32::new(0), AtomicUsize::new(0));
        Arc::new(Guests { addr: seat.addr(), peer: seat.peer().to_owned(), wordless, visits, bytes })
    };
    let first = guests(false);
    for number in 0..20 {
        first.visit(number).await;
    }
    wait_until_alone(&seat);
    let before = held(&seat);

    let long = seconds >= LONG_SECONDS;
    let coming = guests(long);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut running: tokio::task::JoinSet<()> = (0..AT_A_TIME).map(|_| Arc::clone(&coming).keep_coming(end)).collect();
    tokio::time::sleep(Duration::from_secs(seconds) / 2).await;
    let half = held(&seat);
    while let Some(ended) = running.join_next().await {
        ended.expect("each peer got its game");
    }
    let (visits, bytes) = (coming.visits.load(Ordering::Relaxed), coming.bytes.load(Ordering::Relaxed));
    assert_eq!(bytes, visits as usize * GAME_BYTES);
    wait_until_alone(&seat);
    let mut after = held(&seat);
    super::print_figures(&format!(
        "{visits} peers in {seconds} s got {} MB: {before:?} before, {half:?} after half of it, {after:?} when all had left",
        bytes / 1_000_000
    ));
    let left = Instant::now();
    let patience = if long { LOOKED_FOR } else { PATIENCE };
    let back = until(patience, || {
        after = held(&seat);
        after.is_back_at(&before).then_some(())
    });
    super::print_figures(&format!("and {} s later {after:?}", left.elapsed().as_secs()));
    assert!(back.is_some(), "{before:?} before, {after:?} after");
    assert!(after.kb <= before.kb + KEPT_KB, "{} kB, then {} kB", before.kb, after.kb);
    assert!(!long || after.kb <= half.kb + GROWN_KB, "{} kB at half of the time, then {} kB", half.kb, after.kb);
    seat.assert_well();
}
