//! A second implementation's view: a peer written from `docs/protocol.md` alone, on `s2n-quic` and
//! none of our modules, meets the real binary; first well-behaved, then not. After each breach the
//! binary must still serve an honest peer and nothing in it may have panicked.

#![allow(clippy::disallowed_methods, reason = "tests of the whole have real clocks, threads and tasks")]

#[path = "wire_client/crowd.rs"]
mod crowd;
#[path = "wire_client/ends.rs"]
mod ends;
#[path = "wire_client/host.rs"]
mod host;
#[path = "seat/process.rs"]
mod process;
#[path = "wire_client/soak.rs"]
mod soak;
#[path = "wire_client/visitor.rs"]
mod visitor;

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use blake3::{Hasher, hazmat::HasherExt as _};
use bytes::Bytes;
use ends::{Cut, GOOD, Key, Manners, Reader, dialler, frame, hex, send};
use host::{Dish, Host, Treats};
use process::{Ended, Seat, bytes_of, files_below, finish, make_game, signal, until, wait_until};
use serde_json::{Value, json};
use visitor::{Visitor, hello, link, unix_ms};

const CHUNK: usize = 1 << 20;
/// A request must be whole within this, by the protocol.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// A `get` that cannot succeed may wait for better sources; after this it is ended by Ctrl-C.
const GIVEN_UP: Duration = Duration::from_secs(10);
/// The reset code for a breach of the protocol.
const PROTOCOL: u64 = 5;

#[expect(clippy::print_stderr, reason = "figures")]
fn print_figures(line: &str) {
    eprintln!("{line}");
}

/// A seat that serves one game of a small, a large and an empty file.
fn serving_seat() -> Seat {
    let mut seat = Seat::new();
    let game = seat.around().join("quux");
    make_game(&game, 1, &[("bin/run", 7), ("data/big.bin", 2 * CHUNK + 512 * 1024), ("data/empty", 0)]);
    seat.does(&["add", game.to_str().expect("UTF-8"), "--id", "quux", "--version", "1.0", "--move"]);
    seat.serve(&[]);
    seat
}

/// The one game of [`serving_seat`], once it is announced.
async fn content_of(visitor: &Visitor) -> String {
    let deadline = Instant::now() + process::PATIENCE;
    loop {
        let library = visitor.library().await.expect("a library");
        if let Some(entry) = library["games"].as_array().expect("games").iter().find(|entry| entry["game"] == "quux") {
            assert_eq!((&entry["version"], &entry["state"]), (&json!("1.0"), &json!("ready")));
            return entry["content"].as_str().expect("a ContentId").to_owned();
        }
        assert!(Instant::now() < deadline, "the game is not announced: {library}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A new, honest peer gets a library, a manifest and a chunk; nothing panicked.
async fn assert_serves_an_honest_peer(seat: &mut Seat) {
    let visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("an honest peer is welcome");
    let content = content_of(&visitor).await;
    let manifest = visitor.manifest(&content).await.expect("a manifest");
    let hash = manifest["files"][0]["h"].as_str().expect("a hash").to_owned();
    let chunks = visitor.chunks(&content, &[(0, 1)], 1, |_| 7).await.expect("a chunk");
    assert_eq!(chunks.len(), 1);
    assert_eq!(hex(blake3::hash(&chunks[0].1).as_bytes()), hash);
    seat.assert_well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_two_ends_of_this_file_understand_each_other() {
    let dish = dish();
    let host = Host::new(dish.clone(), Treats::Well);
    let visitor = Visitor::new(host.addr, &host.id).await.expect("welcome");
    assert_eq!(visitor.library().await.expect("a library")["games"], json!([dish.entry()]));
    assert_eq!(visitor.manifest(&dish.content).await.expect("a manifest")["game"], "quux");
    assert_eq!(visitor.hashes(&dish.content, 1, 5).await.expect("hashes"), dish.hashes[1..]);
    let chunks = visitor.chunks(&dish.content, &[(3, 5)], 2, |number| dish.chunks[number as usize].len()).await;
    assert_eq!(chunks, Ok(vec![(3, dish.chunks[3].clone()), (4, dish.chunks[4].clone())]));
    let mut have = visitor.ask(&json!({"t": "have", "content": dish.content})).await.expect("a stream");
    assert_eq!((have.status().await, have.number().await), (Ok(0), Ok(1)));
    assert_eq!(have.exactly(1).await, Ok(vec![0b1_1111]));
    assert_eq!(visitor.status_of(&json!({"t": "manifest", "content": "ab"})).await, Ok(2));
    assert!(Visitor::new(host.addr, &Key::new().id).await.is_err(), "another key answered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_peer_reads_a_library_a_manifest_hashes_and_chunks() {
    let mut seat = serving_seat();
    let visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    assert_eq!(visitor.ack["proto"], 1);
    assert_eq!(visitor.ack["ports"][0], seat.addr().port());
    let content = content_of(&visitor).await;

    let manifest = visitor.manifest(&content).await.expect("a manifest");
    let paths: Vec<&str> = manifest["files"].as_array().unwrap().iter().map(|f| f["p"].as_str().unwrap()).collect();
    assert_eq!(paths, ["bin/run", "data/big.bin", "data/empty"]);
    assert_eq!((&manifest["game"], &manifest["sentinel"]), (&json!("quux"), &json!("1.0\n")));

    // Chunks 1 to 3 are the large file's: their hashes must fold to the file's.
    let hashes = visitor.hashes(&content, 0, 4).await.expect("hashes");
    assert_eq!(hex(&hashes[0]), manifest["files"][0]["h"].as_str().unwrap());
    use blake3::hazmat::{Mode, merge_subtrees_non_root, merge_subtrees_root};
    let left = merge_subtrees_non_root(&hashes[1], &hashes[2], Mode::Hash);
    let root = merge_subtrees_root(&left, &hashes[3], Mode::Hash);
    assert_eq!(hex(root.as_bytes()), manifest["files"][1]["h"].as_str().unwrap());

    let len_of = |number| match number {
        0 => 7,
        3 => 512 * 1024,
        _ => CHUNK,
    };
    let chunks = visitor.chunks(&content, &[(2, 4), (0, 2)], 4, len_of).await.expect("chunks");
    let mut numbers: Vec<u32> = chunks.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [0, 1, 2, 3]);
    for (number, bytes) in chunks.iter().filter(|(number, _)| *number > 0) {
        let mut hasher = Hasher::new();
        hasher.set_input_offset((*number as usize - 1) as u64 * CHUNK as u64);
        assert_eq!(hasher.update(bytes).finalize_non_root(), hashes[*number as usize], "chunk {number}");
    }
    let fewer = visitor.chunks(&content, &[(0, 4)], 2, len_of).await.expect("chunks");
    assert!(!fewer.is_empty() && fewer.len() <= 2, "asked for 2, got {}", fewer.len());

    let mut have = visitor.ask(&json!({"t": "have", "content": content})).await.expect("a stream");
    assert_eq!(have.status().await, Ok(0));
    assert_eq!(have.number().await, Ok(1));
    assert_eq!(have.exactly(1).await, Ok(vec![0b1111]));
    seat.assert_well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_tells_of_chunks_that_rot() {
    let mut seat = serving_seat();
    let mut visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    let content = content_of(&visitor).await;
    let mut have = visitor.ask(&json!({"t": "have", "content": content})).await.expect("a stream");
    assert_eq!((have.status().await, have.number().await), (Ok(0), Ok(1)));
    assert_eq!(have.exactly(1).await, Ok(vec![0b1111]));

    // One byte of chunk 1, with the file's times as they were: only a report can reveal it.
    let path = seat.game("quux").join("data/big.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1_000] ^= 1;
    let times = std::fs::FileTimes::new().set_modified(std::fs::metadata(&path).unwrap().modified().unwrap());
    std::fs::write(&path, &bytes).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_times(times).unwrap();
    let report = json!({"t": "bad_chunk", "content": content, "chunk": 1});
    send(&mut visitor.say, frame(&report)).await.expect("the control stream is open");

    let change = have.frame().await.expect("a change of the have-map");
    let cleared: Vec<Vec<u32>> = serde_json::from_value(change["clear"].clone()).unwrap();
    assert!(cleared.iter().any(|range| (range[0]..range[1]).contains(&1)), "{change}");
    seat.assert_well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_with_another_protocol_or_without_a_key_gets_no_link() {
    let mut seat = serving_seat();
    for manners in [Manners { alpn: b"potluck/2", ..GOOD }, Manners { shows_key: false, ..GOOD }] {
        let client = dialler(&Key::new(), Some(seat.peer()), manners);
        // With TLS 1.3 a dialler learns of a refusal only after its own handshake.
        let talk = async {
            let (mut handle, _acceptor) = link(&client, seat.addr()).await?;
            let stream = handle.open_bidirectional_stream().await.map_err(|error| ends::cut(error.into()))?;
            let (receive, mut say) = stream.split();
            send(&mut say, frame(&hello(7))).await?;
            Reader::new(receive).frame().await
        };
        let answer = talk.await;
        assert!(answer.is_err(), "{manners:?}: {answer:?}");
        assert_serves_an_honest_peer(&mut seat).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_before_hello() {
    let mut seat = serving_seat();
    let client = dialler(&Key::new(), Some(seat.peer()), GOOD);
    let (mut handle, _acceptor) = link(&client, seat.addr()).await.expect("TLS lets any key in");
    let stream = handle.open_bidirectional_stream().await.expect("a stream");
    let (receive, mut say) = stream.split();
    // It may be refused so soon that the request is not even taken.
    let _ = send(&mut say, frame(&json!({"t": "library"}))).await;
    let answer = Reader::new(receive).status().await;
    assert!(!matches!(answer, Ok(0)), "answered {answer:?} before hello");
    assert_serves_an_honest_peer(&mut seat).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hello_that_cannot_be_is_refused_by_name() {
    let mut seat = serving_seat();
    let mut other = hello(7);
    other["proto"] = json!(2);
    let refused = Visitor::with(&Key::new(), seat.addr(), seat.peer(), other, Vec::new()).await.err();
    assert!(matches!(&refused, Some(Cut::Broken(answer)) if answer.contains(r#""code":"version""#)), "{refused:?}");

    // The same key with another nonce, while the first is still here, is a cloned home.
    let key = Key::new();
    let _first = Visitor::with(&key, seat.addr(), seat.peer(), hello(1), Vec::new()).await.expect("the first");
    let second = Visitor::with(&key, seat.addr(), seat.peer(), hello(2), Vec::new()).await.err();
    assert!(matches!(&second, Some(Cut::Broken(answer)) if answer.contains(r#""code":"cloned""#)), "{second:?}");

    for broken in [json!({"t": "hello"}), json!({"t": "hello", "proto": 1, "nonce": "x", "name": 1}), json!([1, 2])] {
        let link = Visitor::with(&Key::new(), seat.addr(), seat.peer(), broken.clone(), Vec::new()).await;
        assert!(link.is_err(), "{broken}");
    }
    assert_serves_an_honest_peer(&mut seat).await;
}

/// How far the clock of the peer of this name is ahead, in the list of the seat.
fn clock_of(seat: &Seat, name: &str) -> Option<Value> {
    let peers = seat.asks(&["peers"]);
    let peer = peers.as_array().expect("a list").iter().find(|peer| peer["name"] == name && peer["online"] == true)?;
    Some(peer["clock"].clone())
}

fn is_about(clock: &Value, ahead_ms: i64) -> bool {
    let (ahead, unsure) = (clock["ahead_ms"].as_i64(), clock["unsure_ms"].as_u64());
    ahead.is_some_and(|ahead| (ahead - ahead_ms).abs() < 3_000) && unsure.is_some_and(|unsure| unsure < 3_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_are_told_and_set_beside_ours() {
    const HOUR_MS: i64 = 3_600_000;
    let host = Host::new(dish(), Treats::AnHourBehind);
    let mut seat = Seat::new();
    seat.serve(&["--peer", &host.addr.to_string()]);
    let named = |name: &str, clock: Option<u64>| {
        let mut hello = hello(7);
        hello["name"] = json!(name);
        if let Some(clock) = clock {
            hello["clock"] = json!(clock);
        }
        hello
    };
    let visit = async |hello| Visitor::with(&Key::new(), seat.addr(), seat.peer(), hello, Vec::new()).await;
    let right = visit(named("right", Some(unix_ms()))).await.expect("welcome");
    let said = right.ack["clock"].as_u64().expect("it tells the time");
    assert!(said.abs_diff(unix_ms()) < 3_000, "{said}");
    let _ahead = visit(named("ahead", Some(unix_ms() + 2 * HOUR_MS as u64))).await.expect("welcome");
    let _old = visit(named("old", None)).await.expect("an earlier version says nothing of clocks");
    for (name, ahead_ms) in [("right", 0), ("ahead", 2 * HOUR_MS), ("host", -HOUR_MS)] {
        wait_until("the clock is seen", || clock_of(&seat, name).is_some_and(|clock| is_about(&clock, ahead_ms)));
    }
    wait_until("the old one is seen", || clock_of(&seat, "old").is_some_and(|clock| clock.is_null()));

    let doctor = seat.run(&["doctor", "--json"]);
    let doctor: Value = serde_json::from_str(&doctor.stdout).expect("a document");
    let finding = doctor["findings"].as_array().expect("findings").iter().find(|one| one["check"] == "peer-clocks");
    let finding = finding.expect("clocks are compared");
    let (what, fix) = (finding["what"].as_str().unwrap_or_default(), finding["fix"].as_str().unwrap_or_default());
    assert!(finding["verdict"] == "warn" && fix.starts_with("sudo timedatectl set-ntp true"), "{finding}");
    // Nearly two hours are 119 minutes.
    assert!(
        what.contains("ahead's is") && (what.contains("host's is 60 min behind") || what.contains("59 min")),
        "{what}"
    );

    for wrong in [json!("noon"), json!(-1), json!(1.5), json!(18_446_744_073_709_551_616.0)] {
        let mut hello = hello(9);
        hello["clock"] = wrong.clone();
        assert!(visit(hello).await.is_err(), "{wrong}");
    }
    let _end_of_time = visit(named("end of time", Some(u64::MAX))).await.expect("any number of 64 bits");
    wait_until("it is seen", || clock_of(&seat, "end of time").is_some_and(|clock| clock["ahead_ms"] == i64::MAX));
    seat.assert_well();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_is_survived_wherever_it_comes() {
    let mut seat = serving_seat();
    let noise = Bytes::from(bytes_of(99, 100_000));

    // As datagrams, long header and short.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for at in 0..500 {
        let mut datagram = noise[at * 7..at * 7 + 1_200].to_vec();
        datagram[0] |= if at % 2 == 0 { 0xc0 } else { 0x40 };
        socket.send_to(&datagram, seat.addr()).unwrap();
    }
    assert_serves_an_honest_peer(&mut seat).await;

    // As a control message, and as a frame that is no JSON.
    for frame in [noise.clone(), Bytes::from_static(b"\0\0\0\x04\xff\xfe{}"), Bytes::from_static(b"\0\0\0\0")] {
        let mut visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
        // The link may be closed before all of it is taken.
        let _ = send(&mut visitor.say, frame).await;
        let code = loop {
            match visitor.control.frame().await {
                Ok(_) => {}
                Err(cut) => break cut,
            }
        };
        assert_eq!(code, Cut::Code(PROTOCOL));
        assert_serves_an_honest_peer(&mut seat).await;
    }

    // As a request: that stream alone ends.
    let visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    let (mut answer, mut sender) = visitor.open().await.expect("a stream");
    let _ = send(&mut sender, Bytes::from_static(b"\0\0\0\x04\xff\xfe{}")).await;
    assert_eq!(answer.status().await, Ok(1));
    content_of(&visitor).await;
    assert_serves_an_honest_peer(&mut seat).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_is_too_long_is_not_read() {
    let mut seat = serving_seat();
    let visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    for len in [65_537_u32, u32::MAX] {
        let (mut answer, mut sender) = visitor.open().await.expect("a stream");
        let _ = send(&mut sender, len.to_be_bytes().to_vec()).await;
        let started = Instant::now();
        assert_eq!(answer.status().await, Err(Cut::Code(PROTOCOL)), "{len}");
        assert!(started.elapsed() < REQUEST_TIME, "the length alone is the breach");
    }
    content_of(&visitor).await;
    assert_serves_an_honest_peer(&mut seat).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_does_not_become_whole_is_cut_off() {
    let mut seat = serving_seat();
    let visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    let request = frame(&json!({"t": "library"}));

    let (mut never, mut never_sender) = visitor.open().await.expect("a stream");
    send(&mut never_sender, request.slice(..6)).await.expect("the start of a request");
    let (mut slow, mut slow_sender) = visitor.open().await.expect("a stream");
    let drip = tokio::spawn(async move {
        for byte in request {
            if send(&mut slow_sender, vec![byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let started = Instant::now();
    let both = async { (never.status().await, slow.status().await) };
    assert_eq!(both.await, (Err(Cut::Code(PROTOCOL)), Err(Cut::Code(PROTOCOL))));
    let took = started.elapsed();
    assert!(took > REQUEST_TIME / 2 && took < REQUEST_TIME * 2, "cut off after {took:?}");
    drip.abort();
    content_of(&visitor).await;
    assert_serves_an_honest_peer(&mut seat).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_cannot_be_met_get_a_status_and_keep_the_link() {
    let mut seat = serving_seat();
    let visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    let content = content_of(&visitor).await;
    let nobodys = "ab".repeat(32);
    let many: Vec<[u32; 2]> = (0..2_049).map(|at| [at * 2, at * 2 + 1]).collect();
    for (request, status) in [
        (json!({"t": "format_disk"}), 1),
        (json!({"no": "tag"}), 1),
        (json!({"t": "manifest", "content": "../../etc/passwd"}), 1),
        (json!({"t": "manifest", "content": nobodys}), 2),
        (json!({"t": "hashes", "content": nobodys, "ranges": [[0, 1]]}), 2),
        (json!({"t": "have", "content": nobodys}), 2),
        (json!({"t": "chunks", "content": nobodys, "of": [[0, 1]], "take": 1}), 2),
        (json!({"t": "hashes", "content": content, "ranges": [[0, 5]]}), 1),
        (json!({"t": "hashes", "content": content, "ranges": [[2, 2]]}), 1),
        (json!({"t": "hashes", "content": content, "ranges": [[0, 2], [1, 3]]}), 1),
        (json!({"t": "hashes", "content": content, "ranges": [[3, 1]]}), 1),
        (json!({"t": "hashes", "content": content, "ranges": [[-1, 1]]}), 1),
        (json!({"t": "hashes", "content": content, "ranges": many}), 1),
        (json!({"t": "chunks", "content": content, "of": [[0, 4_294_967_295_u32]], "take": 1}), 1),
        (json!({"t": "chunks", "content": content, "of": [[0, 4]], "take": 0}), 1),
        (json!({"t": "chunks", "content": content, "of": [[0, 4]], "take": 257}), 1),
        (json!({"t": "chunks", "content": content, "of": [[0, 4]], "take": 4_294_967_296_u64}), 1),
    ] {
        assert_eq!(visitor.status_of(&request).await, Ok(status), "{request}");
    }
    content_of(&visitor).await;
    assert_serves_an_honest_peer(&mut seat).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_peer_says_of_its_library_changes_nothing_of_ours() {
    let mut seat = serving_seat();
    let entry = |game: &str, version: &str| {
        json!({"game": game, "title": "\u{1b}]0;owned\u{7}\u{202e}", "version": version, "content": hex(blake3::hash(game.as_bytes()).as_bytes()),
            "size": 7_000_000, "files": 3, "state": "ready"})
    };
    let mut library = vec![entry("quux", "99999999"), entry("../../etc", "1"), entry("x\ny", "1"), entry(".ssh", "1")];
    library.push(
        json!({"game": "odd", "title": "", "version": "1", "content": "zz", "size": 1, "files": 1, "state": "ready"}),
    );
    library.extend((0..5_000).map(|number| entry(&format!("g{number}"), "99999999")));
    let hints = [("g3", (4_u64 << 40) + 1), ("g4", 9)];
    for (game, bytes) in hints {
        let entry = library.iter_mut().find(|entry| entry["game"] == game).expect("it is listed");
        entry["installed"] = bytes.into();
    }
    // 5,006 entries and more than 1 MiB: a breach of its own. First one that keeps the limits.
    let small = library[..40].to_vec();
    let _visitor = Visitor::with(&Key::new(), seat.addr(), seat.peer(), hello(7), small).await.expect("welcome");
    wait_until("the stranger's games are shown", || seat.asks(&["games"]).to_string().contains("g3"));
    let shown = seat.asks(&["games"]).to_string();
    for hostile in ["etc", "ssh", "\\u001b", "\u{1b}", "\u{202e}", "\"odd\"", "whopper"] {
        assert!(!shown.contains(hostile), "{hostile:?} in {shown}");
    }
    let said = hints.map(|(game, _)| find_game(&seat, game)["installed_size"].clone());
    assert_eq!(said, [Value::Null, json!(9)], "a hint that cannot be is none, and the game is shown all the same");
    let ours = find_game(&seat, "quux");
    assert_eq!(ours["version"], "1.0", "{ours}");
    assert!(ours["update"].is_null(), "a stranger's claim is no update: {ours}");

    let _flood = Visitor::with(&Key::new(), seat.addr(), seat.peer(), hello(8), library).await.expect("welcome");
    assert_serves_an_honest_peer(&mut seat).await;
}

fn find_game(seat: &Seat, id: &str) -> Value {
    let games = seat.asks(&["games"]);
    let list = games.as_array().or_else(|| games["games"].as_array()).expect("a list of games");
    list.iter().find(|game| game["id"] == id).cloned().unwrap_or_else(|| panic!("{id} in {games}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_messages_that_break_a_rule_end_only_their_link() {
    let mut seat = serving_seat();
    let digest = "22".repeat(32);
    for message in [
        json!({"t": "unheard_of"}),
        json!({"t": "library_summary", "digest": "short"}),
        json!({"t": "peers", "peers": [{"id": "nobody", "addr": "10.0.0.1:1"}]}),
        json!({"t": "peers", "peers": [{"id": Key::new().id, "addr": "localhost:47800"}]}),
        hello(9),
    ] {
        let mut visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
        send(&mut visitor.say, frame(&message)).await.expect("the control stream is open");
        let cut = loop {
            if let Err(cut) = visitor.control.frame().await {
                break cut;
            }
        };
        assert_eq!(cut, Cut::Code(PROTOCOL), "{message}");
    }
    // A second hello, as a request.
    let visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    assert_eq!(visitor.status_of(&hello(7)).await, Err(Cut::Code(PROTOCOL)));
    // Strange, but allowed: it must be taken without harm.
    let many = |n: u16| json!({"id": Key::new().id, "addr": format!("127.9.{}.{}:47800", n / 250, n % 250)});
    let many: Vec<Value> = (0..400).map(many).collect();
    let mut visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    let content = content_of(&visitor).await;
    for message in [
        json!({"t": "bad_chunk", "content": content, "chunk": 4_000_000_000_u32}),
        json!({"t": "bad_chunk", "content": "ee".repeat(32), "chunk": 0}),
        json!({"t": "library_summary", "digest": digest}),
        json!({"t": "peers", "peers": many}),
        json!({"t": "library_delta", "from": digest, "to": "33".repeat(32), "removals": [content, "44".repeat(32)]}),
    ] {
        send(&mut visitor.say, frame(&message)).await.expect("the control stream is open");
    }
    content_of(&visitor).await;
    assert_serves_an_honest_peer(&mut seat).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_cannot_aim_us_at_others() {
    let mut seat = serving_seat();
    // Ports below 1024 are never dialled from a `peers` message; only root can listen there to see it.
    let Ok(target) = UdpSocket::bind("127.0.0.1:1023") else { return };
    target.set_nonblocking(true).unwrap();
    let mut visitor = Visitor::new(seat.addr(), seat.peer()).await.expect("welcome");
    let at = |addr: &str| json!({"id": Key::new().id, "addr": addr});
    // What may be dialled is: so the message was heeded, and the silence below means something.
    let allowed = UdpSocket::bind("127.0.0.1:0").unwrap();
    allowed.set_nonblocking(true).unwrap();
    let allowed_addr = allowed.local_addr().unwrap().to_string();
    let peers = [
        at("127.0.0.1:1023"),
        at(&allowed_addr),
        at("198.51.100.7:47800"),
        at("[2001:db8::7]:47800"),
        at("224.0.0.251:5353"),
    ];
    send(&mut visitor.say, frame(&json!({"t": "peers", "peers": peers}))).await.expect("the control stream is open");
    wait_until("the port that may be dialled is", || allowed.recv_from(&mut [0; 2_000]).is_ok());
    let dialled = until(Duration::from_secs(2), || target.recv_from(&mut [0; 2_000]).ok());
    assert_eq!(dialled, None, "dialled a port that is none of ours");
    assert_serves_an_honest_peer(&mut seat).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_connections_at_once_leave_room_for_an_honest_peer() {
    let mut seat = serving_seat();
    let client = dialler(&Key::new(), Some(seat.peer()), GOOD);
    let addr = seat.addr();
    // They say nothing; those that get in hold on for as long as they may.
    let (mut flood, outcomes) = (tokio::task::JoinSet::new(), Arc::new(AtomicUsize::new(0)));
    for _ in 0..1_000 {
        let (client, outcomes) = (client.clone(), Arc::clone(&outcomes));
        flood.spawn(async move {
            let link = link(&client, addr).await;
            outcomes.fetch_add(1, Ordering::Relaxed);
            if link.is_ok() {
                tokio::time::sleep(process::PATIENCE).await;
            }
        });
    }
    wait_until("each of the thousand is in or refused", || outcomes.load(Ordering::Relaxed) == 1_000);
    let started = Instant::now();
    let visitor = loop {
        match Visitor::new(seat.addr(), seat.peer()).await {
            Ok(visitor) => break visitor,
            Err(cut) => assert!(started.elapsed() < Duration::from_secs(15), "nobody else gets in: {cut:?}"),
        }
    };
    content_of(&visitor).await;
    flood.shutdown().await;
    assert_serves_an_honest_peer(&mut seat).await;
}

/// Runs the cases side by side: each has seats of its own, and most of its time is waiting.
async fn all_at_once<F: Future<Output = ()> + Send + 'static>(cases: impl IntoIterator<Item = F>) {
    let mut running: tokio::task::JoinSet<()> = cases.into_iter().collect();
    while let Some(ended) = running.join_next().await {
        if let Err(failed) = ended {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

/// What a `get` from a bad host leaves behind must be nothing that counts.
async fn assert_gets_nothing(dish: Dish, treats: Treats) {
    let host = Host::new(dish.clone(), treats);
    let seat = Seat::new();
    let ended = get_for(&seat, &host.addr.to_string(), &dish.game, GIVEN_UP).await;
    assert_ne!(ended.code, Some(0), "{treats:?}: {ended:#?}");
    assert!(!ended.stderr.contains("panicked"), "{treats:?}: {ended:#?}");
    assert!(!seat.game(&dish.game).join("version.ini").exists(), "{treats:?}: called downloaded");
    assert_eq!(files_below(&seat.game(&dish.game)).len(), 0, "{treats:?}: files in the game's root");
    assert_eq!(seat.folders_around(), ["home", "library"], "{treats:?}: written outside the library");
    assert!(!host.asked("hello").is_empty(), "{treats:?}: the host was not even met: {ended:#?}");
}

/// `get` from one address, ended by Ctrl-C when it takes longer than `patience`.
async fn get_for(seat: &Seat, addr: &str, game: &str, patience: Duration) -> Ended {
    let child = seat.start(&["--peer", addr, "get", game]);
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = child;
        if process::wait_for(&mut child, patience).is_none() {
            signal(&child, "INT");
        }
        finish(child, process::PATIENCE)
    });
    ended.await.expect("waiting does not panic")
}

fn dish() -> Dish {
    Dish::new("quux", "1.0", &[("a.bin", bytes_of(5, 3 * CHUNK + 17)), ("b.bin", bytes_of(6, 99))])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_game_is_got_from_a_host_of_another_make() {
    let dish = dish();
    let host = Host::new(dish.clone(), Treats::Well);
    let seat = Seat::new();
    let ended = get_for(&seat, &host.addr.to_string(), &dish.game, process::PATIENCE).await;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let files = files_below(&seat.game("quux"));
    assert_eq!(files["a.bin"], bytes_of(5, 3 * CHUNK + 17));
    assert_eq!(files["b.bin"], bytes_of(6, 99));
    assert_eq!(files["version.ini"], b"1.0\n");
    assert_eq!(files.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_manifests_are_refused() {
    let hash = "ab".repeat(32);
    let one = |path: &str, size: &str| format!(r#"{{"p":"{path}","s":{size},"h":"{hash}"}}"#);
    let hostile = [
        one("../x", "5"),
        one("/etc/cron.d/x", "5"),
        one(".potluck/manifest.json", "5"),
        one("a\\u001b[2J", "5"),
        one("a", "18446744073709551615"),
        one("a", "99999999999999999999999"),
        format!("{},{}", one("a", "9223372036854775807"), one("b", "9223372036854775807")),
        format!("{},{}", one("A", "5"), one("a", "5")),
    ];
    let dishes = hostile.map(|entries| Dish::of_manifest("quux", "1.0", &entries));
    all_at_once(dishes.map(|dish| assert_gets_nothing(dish, Treats::Well))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manifest_of_ten_million_entries_is_refused() {
    // As many as fit into what a manifest may have, and as many as the attacker would like.
    let entry = |number: usize| format!(r#"{{"p":"{number:07}","s":0,"h":"{}"}}"#, "ab".repeat(32));
    let fits: Vec<String> = (0..170_000).map(entry).collect();
    assert_gets_nothing(Dish::of_manifest("quux", "1.0", &fits.join(",")), Treats::Well).await;
    let tiny = r#"{"p":"a"},"#.repeat(10_000_000);
    assert_gets_nothing(Dish::of_manifest("quux", "1.0", tiny.trim_end_matches(',')), Treats::Well).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_lies_or_stalls_gives_nothing_that_counts() {
    let badly = [
        Treats::OtherManifest,
        Treats::EndlessManifest,
        Treats::WrongHashes,
        Treats::WrongChunks,
        Treats::UnaskedChunks,
        Treats::LongHaveMap,
        Treats::OneByteASecond,
        Treats::Silently,
        Treats::EndlessLibrary,
        Treats::GarbledLibrary,
    ];
    all_at_once(badly.map(|treats| assert_gets_nothing(dish(), treats))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_honest_host_helps_out_where_a_bad_one_fails() {
    let badly = [
        Treats::WrongChunks,
        Treats::WrongHashes,
        Treats::UnaskedChunks,
        Treats::RepeatedChunks,
        Treats::LongHaveMap,
        Treats::OtherManifest,
        Treats::OneByteASecond,
        Treats::Silently,
    ];
    all_at_once(badly.map(assert_gets_it_in_spite_of)).await;
}

/// `get` with a bad host and a good one must end with the right files.
async fn assert_gets_it_in_spite_of(treats: Treats) {
    let dish = dish();
    let (bad, good) = (Host::new(dish.clone(), treats), Host::new(dish.clone(), Treats::Well));
    let seat = Seat::new();
    let child = seat.start(&["--peer", &bad.addr.to_string(), "--peer", &good.addr.to_string(), "get", "quux"]);
    let ended = tokio::task::spawn_blocking(move || finish(child, process::PATIENCE)).await;
    let ended = ended.unwrap_or_else(|failed| panic!("{treats:?}: {failed}"));
    assert_eq!(ended.code, Some(0), "{treats:?}: {ended:#?}");
    assert!(files_below(&seat.game("quux"))["a.bin"] == bytes_of(5, 3 * CHUNK + 17), "{treats:?}: wrong bytes");
    if treats == Treats::WrongChunks && !bad.asked("chunks").is_empty() {
        assert!(!bad.asked("bad_chunk").is_empty(), "the bad host was not told of its bad chunk");
        assert!(bad.asked("chunks").len() <= 8, "asked {} times in spite of it", bad.asked("chunks").len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_claims_anothers_id_is_not_taken_for_it() {
    // The first host names the second one's address with a key that is not the second one's.
    let honest = Host::new(dish(), Treats::Well);
    let claimed = Key::new().id;
    let lie = json!({"t": "peers", "peers": [{"id": claimed, "addr": honest.addr.to_string()}]});
    let liar = Host::with(dish(), Treats::Well, Vec::new(), vec![lie]);
    let mut seat = Seat::new();
    seat.serve(&["--peer", &liar.addr.to_string()]);
    wait_until("the liar is met", || !liar.asked("hello").is_empty());
    wait_until("the liar is shown", || seat.asks(&["peers"]).to_string().contains(&liar.id));
    assert!(
        until(Duration::from_secs(2), || seat.asks(&["peers"]).to_string().contains(&claimed).then_some(())).is_none(),
        "a peer that never proved its key is shown"
    );
    seat.assert_well();
}
