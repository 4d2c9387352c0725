//! Sources that die, and halves that were kept: every byte is accounted for, and what was verified or
//! under way elsewhere is not asked for twice.

use serde_json::Value;

use super::{
    CHUNK, add, document, game, guest_of, host_of,
    kills::chunks_kept,
    process::{PATIENCE, Seat, files_below, finish, until, wait_for, wait_until},
    received, rows, sent, sent_at_last, transfer,
};

const CHUNKS: usize = 48;
const SIZE: u64 = (CHUNKS * CHUNK) as u64 + 4_321;
/// What may come twice: pieces of a source that is gone, asked for again while their last bytes were still being read.
const SLACK: u64 = 4 * CHUNK as u64;

/// A seat that serves the game, and keeps to a rate at which it can be met in the middle.
fn slowed_host() -> Seat {
    let host = host_of(&[("quux", &[("a.bin", CHUNKS * CHUNK), ("b.bin", 4_321)])]);
    host.does(&["limit", "--up", "8 MB/s"]);
    host
}

/// Bytes that came from one source, by the answer of a `get --json`.
fn from(answer: &Value, peer: &str) -> u64 {
    let source = answer["sources"].as_array().unwrap().iter().find(|source| source["peer"] == peer);
    source.map_or(0, |source| source["bytes"].as_u64().unwrap())
}

#[test]
fn nothing_is_lost_or_got_twice_when_a_source_dies() {
    let mut dying = slowed_host();
    // The same build in another library: made of the same bytes.
    let survivor = slowed_host();
    assert_eq!(game(&dying, "quux")["content"], game(&survivor, "quux")["content"]);

    let guest = Seat::new();
    let (one, other) = (dying.addr().to_string(), survivor.addr().to_string());
    let mut child = guest.start(&["--peer", &one, "--peer", &other, "get", "quux", "--json"]);
    let both_give = || sent(&dying) > 5 * CHUNK as u64 && sent(&survivor) > 5 * CHUNK as u64;
    let middle = until(PATIENCE, || {
        let ended = child.try_wait().unwrap().is_some();
        (ended || both_give()).then_some(ended)
    });
    assert_eq!(middle, Some(false), "it was over before a source could die");
    let lost = dying.peer().to_owned();
    dying.kill();
    survivor.does(&["limit", "--up", "off"]);

    let ended = finish(child, PATIENCE);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let answer = document(&ended);
    assert_eq!(received(&answer) + answer["reused"].as_u64().unwrap(), SIZE, "{answer:#}");
    let (before, after) = (from(&answer, &lost), from(&answer, survivor.peer()));
    assert!(before > 0 && before < SIZE, "{answer:#}");
    let sent = sent_at_last(&survivor);
    assert!(sent >= after && sent <= SIZE - before + SLACK, "{sent} sent for the {} that were missing", SIZE - before);
    assert_eq!(files_below(&guest.game("quux")), files_below(&survivor.game("quux")));
}

#[test]
fn half_a_game_that_was_kept_is_not_got_again() {
    let (first, second) = (slowed_host(), slowed_host());
    let guest = Seat::new();
    let get = |host: &Seat| guest.start(&["--peer", &host.addr().to_string(), "get", "quux", "--json"]);
    let mut child = get(&first);
    let half = until(PATIENCE, || (chunks_kept(&guest) >= CHUNKS as u64 / 2).then_some(()));
    assert!(half.is_some(), "half of it never came");
    child.kill().unwrap();
    wait_for(&mut child, PATIENCE).expect("killed");
    let kept = chunks_kept(&guest);
    assert!(kept < CHUNKS as u64, "all of it came before it was killed");

    // From somebody else: what is kept belongs to the build, not to its source.
    // Not at full speed: the unfinished transfer goes on by itself, and is not to be over before `get` asks.
    second.does(&["limit", "--up", "10 MB/s"]);
    let ended = finish(get(&second), PATIENCE);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let answer = document(&ended);
    let reused = answer["reused"].as_u64().unwrap();
    assert_eq!(received(&answer) + reused, SIZE, "{answer:#}");
    assert!(reused >= (kept - 1) * CHUNK as u64, "{kept} chunks were kept, {reused} bytes reused");
    let sent = sent_at_last(&second);
    assert!(sent <= SIZE - reused + SLACK, "{sent} sent, {reused} were here");
    assert_eq!(files_below(&guest.game("quux")), files_below(&second.game("quux")));
}

#[test]
fn a_seat_that_was_left_alone_goes_on_with_what_others_have() {
    // The seeder dies before a copy is out; two guests have different parts and share what they have.
    let mut host = slowed_host();
    let (first, second) = (guest_of(&host), guest_of(&host));
    for guest in [&first, &second] {
        wait_until("the game is seen", || !game(guest, "quux").is_null());
        wait_until("both guests know each other", || {
            rows(&guest.asks(&["peers"]), "peers").iter().filter(|peer| peer["online"] == true).count() == 2
        });
    }
    for guest in [&first, &second] {
        guest.does(&["get", "quux", "--no-wait"]);
    }
    wait_until("some of it came", || sent(&host) > SIZE / 3);
    host.kill();
    // What either has the other one gets; then both wait.
    let done = |guest: &Seat| transfer(guest, "quux")["done"].as_u64().unwrap_or(0);
    wait_until("both wait with the same", || {
        let waiting = |guest: &Seat| transfer(guest, "quux")["state"] == "waiting";
        waiting(&first) && waiting(&second) && done(&first) == done(&second) && done(&first) > SIZE / 4
    });
    let again = host_of(&[]);
    add(&again, "quux", "1.0", 1, &[("a.bin", CHUNKS * CHUNK), ("b.bin", 4_321)]);
    for guest in [&first, &second] {
        guest.does(&["connect", &again.addr().to_string()]);
        wait_until("it is here", || game(guest, "quux")["state"] == "downloaded");
        assert_eq!(files_below(&guest.game("quux")), files_below(&again.game("quux")));
    }
    let missing = SIZE - SIZE / 4;
    let sent = sent_at_last(&again);
    assert!(sent < 2 * missing, "{sent} sent to two who lacked less than {missing} each");
}
