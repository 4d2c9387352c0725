//! Hosts that know no address of each other: discovery by multicast, one address that brings in the
//! rest, pulled cables, a host without IPv6. Each host is a network namespace; without root and
//! iproute2 these tests say so and pass.

#![allow(clippy::disallowed_methods, reason = "tests of the whole have real clocks, threads and processes")]
#![allow(clippy::unwrap_used, reason = "a test that meets an error has failed")]

#[path = "seat/process.rs"]
mod process;
#[path = "lan/switch.rs"]
mod switch;

use std::time::{Duration, Instant};

use process::{Seat, files_below, make_game, until, wait_until};
use serde_json::Value;
use switch::Lab;

const CHUNK: usize = 1 << 20;

fn seat(lab: &Lab, host: usize) -> Seat {
    Seat::on_host(&lab.host(host))
}

fn add(seat: &Seat, id: &str, size: usize) {
    let folder = seat.around().join(id);
    make_game(&folder, size as u64, &[("a.bin", size), ("b/c.bin", 1_000)]);
    seat.does(&["add", folder.to_str().unwrap(), "--version", "1.0", "--move"]);
}

fn game(seat: &Seat, id: &str) -> Value {
    let games = seat.asks(&["games"]);
    games.as_array().unwrap().iter().find(|game| game["id"] == id).cloned().unwrap_or(Value::Null)
}

#[test]
fn hosts_find_each_other_and_one_address_brings_in_the_rest() {
    let Some(lab) = Lab::up(3) else { return };
    let mut first = seat(&lab, 0);
    add(&first, "quux", 5 * CHUNK);
    first.serve(&[]);

    let second = seat(&lab, 1);
    second.does(&["get", "quux"]);
    assert_eq!(files_below(&second.game("quux")), files_below(&first.game("quux")));

    let mut second = second;
    let started = Instant::now();
    second.serve(&[]);
    wait_until("the first host is seen", || second.asks(&["peers"]).to_string().contains(first.peer()));
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());

    // The third hears no multicast; it knows the second, and learns of the first.
    let mut third = seat(&lab, 2);
    let addr = format!("{}:{}", Lab::address(1), second.addr().port());
    third.serve(&["--no-mdns", "--peer", &addr]);
    wait_until("the first host is told of", || {
        let peers = third.asks(&["peers"]);
        peers.as_array().unwrap().iter().any(|peer| peer["id"] == first.peer() && peer["online"] == true)
    });
    wait_until("both have the game", || game(&third, "quux")["have"] == 2);
    third.does(&["get", "quux"]);
    wait_until("the others see that the third has it", || game(&first, "quux")["have"] == 3);
    first.assert_well();
    second.assert_well();
    third.assert_well();
}

#[test]
fn a_pulled_cable_is_noticed_and_a_transfer_goes_on_after_it() {
    let Some(lab) = Lab::up(2) else { return };
    let mut first = seat(&lab, 0);
    add(&first, "quux", 200 * CHUNK);
    first.serve(&[]);
    let mut second = seat(&lab, 1);
    second.serve(&[]);
    wait_until("the game is seen", || !game(&second, "quux").is_null());
    second.does(&["get", "quux", "--no-wait"]);
    wait_until("it arrives", || game(&second, "quux")["percent"].as_u64().is_some_and(|percent| percent > 0));
    lab.cut(1);
    let cut = Instant::now();
    let peer = first.peer().to_owned();
    let gone = until(Duration::from_secs(15), || {
        let peers = second.asks(&["peers"]);
        let online = peers.as_array().unwrap().iter().any(|row| row["id"] == peer.as_str() && row["online"] == true);
        (!online).then_some(())
    });
    assert!(gone.is_some(), "the peer is not missed");
    assert!(cut.elapsed() < Duration::from_secs(7), "missed only after {:?}", cut.elapsed());
    lab.mend(1);
    wait_until("the transfer is done", || game(&second, "quux")["state"] == "downloaded");
    assert_eq!(files_below(&second.game("quux")), files_below(&first.game("quux")));
    first.assert_well();
    second.assert_well();
}

#[test]
fn a_host_without_ipv6_is_a_full_guest() {
    let Some(lab) = Lab::up(2) else { return };
    lab.without_ipv6(1);
    let mut first = seat(&lab, 0);
    add(&first, "quux", CHUNK);
    first.serve(&[]);
    let mut second = seat(&lab, 1);
    add(&second, "other", CHUNK);
    second.serve(&[]);
    wait_until("the one without IPv6 sees the other", || !game(&second, "quux").is_null());
    wait_until("and is seen", || !game(&first, "other").is_null());
    second.does(&["get", "quux"]);
    first.does(&["get", "other"]);
    second.assert_well();
}

#[test]
fn four_hosts_feed_one_another() {
    let Some(lab) = Lab::up(4) else { return };
    lab.limit("100mbit");
    const CHUNKS: usize = 40;
    let size = (CHUNKS * CHUNK + 1_000) as u64;
    let mut seats: Vec<Seat> = (0..4).map(|host| seat(&lab, host)).collect();
    add(&seats[0], "quux", CHUNKS * CHUNK);
    for seat in &mut seats {
        seat.serve(&[]);
    }
    let (seeder, guests) = seats.split_first_mut().unwrap();
    for guest in &*guests {
        wait_until("everybody is seen", || {
            let peers = guest.asks(&["peers"]);
            let online = peers.as_array().unwrap().iter().filter(|peer| peer["online"] == true).count();
            online == 3 && !game(guest, "quux").is_null()
        });
    }
    for guest in &*guests {
        guest.does(&["get", "quux", "--no-wait"]);
    }
    for guest in &*guests {
        wait_until("everybody has it", || game(guest, "quux")["state"] == "downloaded");
        assert!(files_below(&guest.game("quux")) == files_below(&seeder.game("quux")), "other bytes");
    }
    let sent = |seat: &Seat| -> u64 {
        seat.asks(&["peers"]).as_array().unwrap().iter().map(|peer| peer["up"].as_u64().unwrap()).sum()
    };
    // Alone it would have sent three copies.
    let (seeded, passed_on) = (sent(seeder), guests.iter().map(sent).collect::<Vec<_>>());
    assert!(seeded < 2 * size, "the seeder sent {:.2} copies", seeded as f64 / size as f64);
    assert!(passed_on.iter().all(|sent| *sent > size / 10), "of {size} bytes the guests passed on {passed_on:?}");
    for seat in &mut seats {
        seat.assert_well();
    }
}

#[test]
fn the_doctor_sees_a_firewall_and_whom_it_cannot_reach() {
    let Some(lab) = Lab::up(2) else { return };
    let mut shut = seat(&lab, 0);
    shut.serve(&[]);
    // It looks itself: a link that stands would be as good as an answer.
    let visitor = seat(&lab, 1);
    let findings = |seat: &Seat| -> Vec<Value> {
        let document: Value = serde_json::from_str(&seat.run(&["doctor", "--json"]).stdout).unwrap();
        document["findings"].as_array().unwrap().clone()
    };
    let of = |findings: &[Value], check: &str| -> Vec<Value> {
        findings.iter().filter(|finding| finding["check"] == check).cloned().collect()
    };
    let verdict = |findings: &[Value], check: &str| of(findings, check)[0]["verdict"].as_str().unwrap().to_owned();
    // Whoever has just answered does not answer again at once, and is heard all the same.
    for _look in 0..3 {
        let open = findings(&visitor);
        for check in ["peers", "multicast", "reach", "interfaces"] {
            assert_eq!(verdict(&open, check), "ok", "{open:#?}");
        }
    }

    let block = format!("udp dport {} drop", shut.addr().port());
    if let Err(why) = lab.filter(0, &block) {
        return switch::say(&format!("no packet filter, so no firewall is tested here: {why}"));
    }
    // A single question to everybody may be lost.
    let mut unreached = Vec::new();
    wait_until("the visitor hears the other", || {
        unreached = findings(&visitor);
        verdict(&unreached, "peers") == "bad"
    });
    let what = of(&unreached, "peers")[0]["what"].as_str().unwrap().to_owned();
    assert!(what.contains(&shut.addr().to_string()), "{what}");

    lab.filter(0, "udp dport 5353 drop").unwrap();
    let inside = findings(&shut);
    assert_eq!(verdict(&inside, "multicast"), "bad", "{inside:#?}");
    let blocked = of(&inside, "firewall");
    assert_eq!(blocked.len(), 2, "{blocked:#?}");
    // The commands it names do mend it.
    for found in blocked {
        assert_eq!(found["verdict"], "bad");
        lab.run(0, found["fix"].as_str().unwrap().strip_prefix("sudo ").unwrap()).unwrap();
    }
    assert_eq!(verdict(&findings(&shut), "firewall"), "ok");
    shut.assert_well();
}

#[test]
fn the_doctor_says_that_an_address_is_missing() {
    let Some(lab) = Lab::up(2) else { return };
    let (mut bare, visitor) = (seat(&lab, 0), seat(&lab, 1));
    lab.run(0, "ip address flush dev eth0 scope global").unwrap();
    bare.serve(&["--name", "bare"]);
    let found = |seat: &Seat, check: &str| -> Value {
        let document: Value = serde_json::from_str(&seat.run(&["doctor", "--json"]).stdout).unwrap();
        document["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == check).unwrap().clone()
    };
    let peers = found(&visitor, "peers");
    assert_eq!(peers["verdict"], "bad", "{peers}");
    assert!(peers["what"].as_str().unwrap().contains("bare announces itself only at an IPv6 address"), "{peers}");
    let address = found(&bare, "address");
    assert_eq!(address["verdict"], "bad", "{address}");
    lab.run(0, address["fix"].as_str().unwrap().strip_prefix("sudo ").unwrap()).unwrap();
    lab.run(1, "ip address add 10.47.0.2/16 dev eth0").unwrap();
    wait_until("the other can be reached", || found(&visitor, "peers")["verdict"] == "ok");
    bare.assert_well();
}

#[test]
fn a_fresh_box_that_mirrors_ends_with_all_the_others_have() {
    let Some(lab) = Lab::up(3) else { return };
    let (mut first, mut second) = (seat(&lab, 0), seat(&lab, 1));
    for (seat, ids) in [(&first, ["quux", "other"]), (&second, ["third", "quite-another"])] {
        for (number, id) in ids.into_iter().enumerate() {
            add(seat, id, (2 + number) * CHUNK + 5);
        }
    }
    first.serve(&[]);
    second.serve(&[]);
    let mut fresh = seat(&lab, 2);
    fresh.serve(&["--mirror", "all"]);
    for (owner, id) in [(&first, "quux"), (&first, "other"), (&second, "third"), (&second, "quite-another")] {
        wait_until("the mirror has it", || game(&fresh, id)["state"] == "downloaded");
        assert_eq!(files_below(&fresh.game(id)), files_below(&owner.game(id)), "{id}");
    }
    // What comes later comes too.
    add(&second, "later", CHUNK);
    wait_until("the mirror has that too", || game(&fresh, "later")["state"] == "downloaded");
    for seat in [&mut first, &mut second, &mut fresh] {
        seat.assert_well();
    }
}
