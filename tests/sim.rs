//! Whole parties in virtual time: `core::download` and `core::offer` of several seats over a fluid model of
//! their ports. Deterministic: everything follows from a seed, which each scenario prints.

#![allow(clippy::disallowed_methods, reason = "a party in virtual time starts at some instant")]
#![allow(clippy::print_stdout, reason = "a scenario says its seed and its figures")]

#[path = "sim/party.rs"]
mod party;

use std::time::Duration;

use party::{Fault, Outcome, Party, Seat};

const MIB: u64 = 1 << 20;
/// What a port of 200 Mbit/s carries.
const PORT: u64 = 25_000_000;
const SEEDS: [u64; 3] = [1, 7, 2026];

/// Plays `party` for each seed and gives the outcomes.
fn play(name: &str, make: impl Fn(u64) -> Party) -> Vec<Outcome> {
    let outcomes = SEEDS.map(|seed| {
        let outcome = make(seed).play(Duration::from_secs(600));
        println!("{name}, seed {seed}: {outcome}");
        outcome
    });
    outcomes.into()
}

fn seats(count: usize, have: bool) -> impl Iterator<Item = Seat> {
    std::iter::repeat_n(Seat::new(PORT, have), count)
}

#[test]
fn one_seeder_and_eight_seats_end_near_the_bound() {
    let chunks = 256;
    let outcomes = play("1 seeder, 8 seats", |seed| {
        Party::new(seed, vec![MIB as u32; chunks], seats(1, true).chain(seats(8, false)))
    });
    let bound = chunks as f64 * MIB as f64 / PORT as f64;
    for outcome in outcomes {
        assert!(outcome.all_done, "{outcome}");
        let ratio = outcome.last_done.as_secs_f64() / bound;
        println!("  {ratio:.3} x the bound");
        assert!(ratio < 1.5, "the last seat took {ratio:.3} x the bound");
        assert!(outcome.from_first_seeder < 1.6 * chunks as f64 * MIB as f64, "the seats fed each other");
    }
}

#[test]
fn one_slow_seat_does_not_hold_the_room() {
    let fast = |seed| Party::new(seed, vec![MIB as u32; 128], seats(1, true).chain(seats(4, false)));
    let with_slow = |seed| {
        let slow = std::iter::once(Seat::new(PORT / 20, false));
        Party::new(seed, vec![MIB as u32; 128], seats(1, true).chain(seats(4, false)).chain(slow))
            .without_waiting_for(5)
    };
    let alone = play("4 seats", fast);
    let mixed = play("4 seats and a slow one", with_slow);
    for (alone, mixed) in alone.iter().zip(&mixed) {
        assert!(alone.all_done && mixed.all_done);
        let ratio = mixed.last_done.as_secs_f64() / alone.last_done.as_secs_f64();
        println!("  {ratio:.2} x as long with the slow seat");
        assert!(ratio < 1.5, "{ratio}");
    }
}

#[test]
fn several_sources_add_up_and_hardly_send_the_same() {
    let outcomes = play("4 seeders, 1 fast seat", |seed| {
        let fast = std::iter::once(Seat::new(8 * PORT, false));
        Party::new(seed, vec![MIB as u32; 400], seats(4, true).chain(fast))
    });
    let bound = 400.0 * MIB as f64 / (4.0 * PORT as f64);
    for outcome in outcomes {
        let ratio = outcome.last_done.as_secs_f64() / bound;
        println!("  {ratio:.3} x the bound");
        assert!(outcome.all_done && ratio < 1.2, "{ratio}");
        assert!(outcome.wasted < 0.02 * 400.0 * MIB as f64, "{outcome}");
    }
}

#[test]
fn a_source_that_leaves_and_comes_back_costs_no_chunk_twice() {
    for outcome in play("the seeder leaves for 20 s", |seed| {
        Party::new(seed, vec![MIB as u32; 100], seats(1, true).chain(seats(2, false))).with(Fault::Gone {
            seat: 0,
            from: Duration::from_secs(1),
            to: Duration::from_secs(21),
        })
    }) {
        assert!(outcome.all_done && outcome.last_done > Duration::from_secs(21), "{outcome}");
        assert!(outcome.last_done < Duration::from_secs(45), "{outcome}");
    }
}

#[test]
fn a_source_of_wrong_chunks_is_left_alone_and_the_rest_ends_well() {
    for outcome in play("one of three seeders lies", |seed| {
        Party::new(seed, vec![MIB as u32; 100], seats(3, true).chain(seats(2, false))).with(Fault::Liar { seat: 1 })
    }) {
        assert!(outcome.all_done, "{outcome}");
        // Three strikes at each of the four others at most.
        assert!(outcome.bad <= 12, "{outcome}");
    }
}

#[test]
fn a_silent_source_costs_a_deadline_and_not_the_transfer() {
    for outcome in play("one of two seeders never answers", |seed| {
        Party::new(seed, vec![MIB as u32; 100], seats(2, true).chain(seats(1, false))).with(Fault::Silent { seat: 1 })
    }) {
        assert!(outcome.all_done && outcome.last_done < Duration::from_secs(15), "{outcome}");
    }
}

#[test]
fn many_small_files_go_in_few_requests() {
    for outcome in
        play("1,000 files of 4 KiB", |seed| Party::new(seed, vec![4_096; 1_000], seats(1, true).chain(seats(2, false))))
    {
        assert!(outcome.all_done, "{outcome}");
        assert!(outcome.requests < 120, "{outcome}");
    }
}
