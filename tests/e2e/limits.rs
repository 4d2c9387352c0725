//! Limits set while data moves: for everybody together, for one peer, up and down, changed in the
//! middle.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{CHUNK, guest_of, host_of, process::Seat, rows, transfer, wait_for_game};

/// Bytes that `host` says went to each of `guests`, and when.
fn sent(host: &Seat, guests: &[&Seat]) -> (Instant, Vec<u64>) {
    let (peers, now) = (rows(&host.asks(&["peers"]), "peers"), Instant::now());
    let up = |guest: &&Seat| peers.iter().find(|peer| peer["id"] == guest.peer()).and_then(|peer| peer["up"].as_u64());
    (now, guests.iter().map(|guest| up(guest).expect("a peer that is got from")).collect())
}

/// Bytes a second that go to each of `guests`, over `time`, once a new limit has been heard of.
fn rates(host: &Seat, guests: &[&Seat], time: Duration) -> Vec<f64> {
    thread::sleep(Duration::from_secs(1));
    let (from, before) = sent(host, guests);
    thread::sleep(time);
    let (to, after) = sent(host, guests);
    let seconds = (to - from).as_secs_f64();
    before.iter().zip(after).map(|(before, after)| (after - before) as f64 / seconds).collect()
}

#[track_caller]
fn assert_close(rate: f64, limit: f64) {
    assert!((rate / limit - 1.0).abs() <= 0.05, "{:.2} MB/s under a limit of {:.2}", rate / 1e6, limit / 1e6);
}

#[test]
fn limits_hold_within_five_percent_and_change_in_the_middle() {
    let host = host_of(&[("quux", &[("a", 160 * CHUNK)])]);
    let (first, second) = (guest_of(&host), guest_of(&host));
    let both = [&first, &second];
    for guest in both {
        wait_for_game(guest, "quux");
        // From the host alone, so that what it sends is all that is got.
        let other = if guest.peer() == first.peer() { &second } else { &first };
        guest.does(&["block", other.peer()]);
    }
    host.does(&["limit", "--up", "4 MB/s"]);
    for guest in both {
        guest.does(&["get", "quux", "--no-wait"]);
    }
    let together: f64 = rates(&host, &both, Duration::from_secs(10)).iter().sum();
    assert_close(together, 4e6);

    // The first is slowed by the host, the second slows itself; together they stay below the host's limit.
    host.does(&["limit", "--up", "20 MB/s"]);
    host.does(&["limit", "--peer", first.peer(), "--up", "2 MiB/s"]);
    second.does(&["limit", "--down", "5 MB/s"]);
    let own = rates(&host, &both, Duration::from_secs(10));
    assert_close(own[0], 2.0 * 1_048_576.0);
    assert_close(own[1], 5e6);

    let shown = host.asks(&["peers"]);
    let peer = rows(&shown, "peers").into_iter().find(|peer| peer["id"] == first.peer()).expect("the first guest");
    assert_eq!((&peer["up_limit_bps"], &peer["down_limit_bps"]), (&Value::from(2_097_152), &Value::Null), "{peer}");

    for guest in both {
        assert_ne!(transfer(guest, "quux"), Value::Null, "it was over before it was measured");
    }
    host.does(&["limit", "--peer", first.peer(), "--up", "off"]);
    host.does(&["limit", "--up", "off"]);
    second.does(&["limit", "--down", "off"]);
    for guest in both {
        guest.does(&["get", "quux"]);
    }
}

#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let host = host_of(&[]);
    for (words, code, says) in [
        (&["limit"][..], 2, "--up"),
        (&["limit", "--up", "900 kB/s"], 2, "1 MiB/s"),
        (&["limit", "--up", "fast"], 2, "a rate is"),
        (&["limit", "--peer", "nobody", "--up", "5 MB/s"], 3, "nobody"),
    ] {
        let ended = host.run(words);
        assert_eq!(ended.code, Some(code), "{words:?}: {ended:#?}");
        assert!(ended.stderr.contains(says), "{words:?}: {ended:#?}");
    }
    let alone = Seat::new().run(&["limit", "--up", "5 MB/s"]);
    assert_eq!(alone.code, Some(4), "{alone:#?}");
    assert!(alone.stderr.contains("up_limit"), "{alone:#?}");
}
