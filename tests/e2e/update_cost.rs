//! What an update costs when a hundredth of a game changed where it lay: bytes that come over the network, and
//! bytes the process writes to files. As large as `POTLUCK_UPDATE_MIB` says, of which 64 is the default.

use std::{
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    process::Command,
};

use super::{
    CHUNK, document, guest_of,
    process::{Ended, Seat, bytes_of, finish},
    rows, say, text,
};

/// What a test has time for: a debug build verifies some 100 MB a second.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(900);

/// Longer than a picture of the links is old.
const SETTLED: std::time::Duration = std::time::Duration::from_millis(1_500);
/// Bytes that keep links alive meanwhile.
const NOISE: u64 = 8 << 10;

/// Of every hundred, so many may be moved, and written where whole files are unchanged.
const PERCENT_MAX: u64 = 3;

/// What file systems that share blocks note of an update in trees of their own, whatever its size: btrfs some 1.5 MB.
const NOTED_MAX: u64 = 2 << 20;

fn size() -> u64 {
    let given = std::env::var("POTLUCK_UPDATE_MIB").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(64) * CHUNK as u64
}

/// A game of `files` files of `each` bytes, made a chunk at a time.
fn make(folder: &Path, files: u64, each: u64) {
    fs::create_dir_all(folder).unwrap();
    for number in 0..files {
        let mut file = File::create(folder.join(format!("{number:05}.pak"))).unwrap();
        let mut left = each;
        while left > 0 {
            let bytes = bytes_of(number * 100_000 + left, left.min(CHUNK as u64) as usize);
            file.write_all(&bytes).unwrap();
            left -= bytes.len() as u64;
        }
    }
}

/// Writes a few bytes into every hundredth piece of `every` bytes of a game, where they lie.
fn change(folder: &Path, files: u64, each: u64, every: u64) {
    for at in (0..files * each / every).step_by(100) {
        let path = folder.join(format!("{:05}.pak", at * every / each));
        let mut file = File::options().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start(at * every % each + every / 2)).unwrap();
        file.write_all(b"changed in place").unwrap();
    }
    fs::write(folder.join("version.ini"), "1.1\n").unwrap();
}

/// What a seat has received in packets, and written to files.
#[derive(Debug, Clone, Copy)]
struct Counted {
    received: u64,
    /// Bytes given to `write`, and copied by the kernel.
    written: u64,
    /// Bytes that made pages of a disk's file system dirty; none where files lie in memory.
    to_disk: u64,
    /// Whether two files can have the same blocks there.
    shares: bool,
}

impl Counted {
    fn of(seat: &Seat) -> Self {
        let count = || -> u64 {
            rows(&seat.asks(&["links"]), "links").iter().filter_map(|link| link["bytes_in"].as_u64()).sum()
        };
        // What is shown of links is a moment old: it is believed when it does not move any more.
        let mut received = count();
        super::wait_until("the counters stand", || {
            std::thread::sleep(SETTLED);
            let now = count();
            std::mem::replace(&mut received, now) + NOISE >= now
        });
        let io = fs::read_to_string(format!("/proc/{}/io", seat.pid())).unwrap();
        let field = |name: &str| {
            let line = io.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim_start_matches(':').trim().parse().unwrap()
        };
        let (first, second) = (seat.around().join("first"), seat.around().join("second"));
        fs::write(&first, "blocks").unwrap();
        let copy = Command::new("cp").arg("--reflink=always").args([&first, &second]).output().unwrap();
        Self { received, written: field("wchar"), to_disk: field("write_bytes"), shares: copy.status.success() }
    }

    fn since(self, before: Self) -> Self {
        Self {
            received: self.received - before.received,
            written: self.written - before.written,
            to_disk: self.to_disk - before.to_disk,
            ..self
        }
    }

    fn noted_max(self) -> u64 {
        if self.shares { NOTED_MAX } else { 0 }
    }
}

/// Gets such a game, changes it at its source, updates it, and gives what the update took.
fn update(files: u64, each: u64, every: u64) -> Counted {
    let mut host = Seat::new();
    let folder = host.game("big");
    make(&folder, files, each);
    fs::write(folder.join("version.ini"), "1.0\n").unwrap();
    host.serve(&[]);
    wait_long(&host, "downloaded");
    let guest = guest_of(&host);
    super::wait_for_game(&guest, "big");
    guest.does(&["trust", host.peer()]);
    long(&guest, &["get", "big"]);
    // Nothing of the disk's own delay is to be counted twice.
    assert!(Command::new("sync").status().unwrap().success());

    change(&folder, files, each, every);
    long(&host, &["add", text(&folder)]);
    super::wait_until("the new build is known", || super::game(&guest, "big")["update"]["version"] == "1.1");
    let before = Counted::of(&guest);
    let ended = long(&guest, &["update", "--json"]);
    let took = Counted::of(&guest).since(before);
    let got = document(&ended);
    assert_eq!((&got["games"][0]["result"], &got["games"][0]["version"]), (&"done".into(), &"1.1".into()), "{got}");
    long(&guest, &["verify", "big"]);
    say(&format!(
        "{files} files of {each} bytes: {took:?}, {} bytes of chunks; {} of {} bytes were here",
        got["fetched"],
        got["reused"],
        files * each
    ));
    took
}

fn long(seat: &Seat, words: &[&str]) -> Ended {
    let ended = finish(seat.start(words), PATIENCE);
    assert_eq!(ended.code, Some(0), "{words:?}: {ended:#?}");
    ended
}

fn wait_long(seat: &Seat, state: &str) {
    let found = super::process::until(PATIENCE, || (super::game(seat, "big")["state"] == state).then_some(()));
    assert!(found.is_some(), "it is not {state}");
}

#[test]
fn an_update_of_few_of_many_files_moves_and_writes_little() {
    let (size, each) = (size(), CHUNK as u64 / 4);
    let took = update(size / each, each, each);
    assert!(took.received * 100 <= size * PERCENT_MAX, "{took:?} of {size}");
    assert!(took.written * 100 <= size * PERCENT_MAX, "{took:?} of {size}");
    assert!(took.to_disk <= size * PERCENT_MAX / 100 + took.noted_max(), "{took:?} of {size}");
}

#[test]
fn an_update_of_few_chunks_of_one_file_moves_little() {
    let size = size();
    let took = update(1, size, CHUNK as u64);
    assert!(took.received * 100 <= size * PERCENT_MAX, "{took:?} of {size}");
    // The file is built beside the old one, which stays whole until then: once, unless their blocks are shared.
    let once = if took.shares { 0 } else { size };
    if !took.shares {
        say(
            "SKIPPED: that little is written too: files cannot share blocks here; see docs/performance.md for how to try it",
        );
    }
    assert!(took.written <= once + size * PERCENT_MAX / 100, "{took:?} of {size}");
    assert!(took.to_disk <= once + size * PERCENT_MAX / 100 + took.noted_max(), "{took:?} of {size}");
}
