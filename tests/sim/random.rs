//! Small random parties: a few seats, a few chunks, any rates, delays and faults, all from one number.

use std::{sync::Arc, time::Duration};

use super::{
    party::{Dice, Fault, Has, Seat, Setting},
    scenario,
};

const MIB: u32 = 1 << 20;
/// The party with the longest waits on the way, not counted in seconds of moving bytes: deadlines, back-offs
/// and links that are given up.
const TROUBLE_SECONDS: f64 = 120.0;

impl Dice {
    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// The party of a seed.
pub(crate) fn setting(seed: u64) -> Setting {
    let mut dice = Dice(seed ^ 0x5eed_0000);
    let count = 5 + dice.below(56) as usize;
    let small = dice.one_in(5);
    let lens: Vec<u32> = (0..count)
        .map(|_| if small || dice.one_in(8) { 1 + dice.below(64 << 10) as u32 } else { MIB - dice.below(3) as u32 })
        .collect();
    let seats = 2 + dice.below(7) as usize;
    let two_switches = dice.one_in(6);
    let mut party: Vec<Seat> = (0..seats).map(|_| seat(&mut dice, two_switches)).collect();
    // One that holds everything, most of the time for as long as the party goes on.
    party[0].has = Has::All;
    if !dice.one_in(10) {
        party[0].faults.clear();
    }
    party[0].joins = Duration::ZERO;
    Setting {
        seed,
        lens: Arc::from(lens),
        seats: party,
        uplink_bps: two_switches.then(|| rate(&mut dice)),
        links_max: 255,
        at_most: Duration::from_secs(3_600),
    }
}

fn seat(dice: &mut Dice, two_switches: bool) -> Seat {
    let has = match dice.below(8) {
        0 => Has::All,
        1 => Has::Percent(1 + dice.below(99) as u32),
        _ => Has::Nothing,
    };
    let mut faults = Vec::new();
    if dice.one_in(6) {
        let from = Duration::from_millis(dice.below(4_000));
        let back = (!dice.one_in(3)).then(|| from + Duration::from_millis(1 + dice.below(20_000)));
        faults.push(Fault::Away(from, back));
    }
    if dice.one_in(12) {
        faults.push(Fault::LeavesAfter(dice.below(200) as f64 / 100.0));
    }
    if dice.one_in(12) {
        faults.push(Fault::Liar);
    }
    if dice.one_in(12) {
        faults.push(Fault::Silent);
    }
    Seat {
        port_bps: rate(dice),
        delay: Duration::from_micros(20 + dice.below(if dice.clone().one_in(10) { 40_000 } else { 1_000 })),
        side: if two_switches { dice.below(2) as usize } else { 0 },
        has,
        joins: Duration::from_millis(if dice.one_in(3) { dice.below(5_000) } else { 0 }),
        // Who leaves for good is not waited for.
        awaited: !faults.iter().any(|fault| matches!(fault, Fault::Away(_, None) | Fault::LeavesAfter(_))),
        faults,
    }
}

/// 10 Mbit/s to 10 Gbit/s.
fn rate(dice: &mut Dice) -> f64 {
    let decade = 10f64.powf(dice.below(3_000) as f64 / 1_000.0);
    1.25e6 * decade
}

/// Whether everybody awaited must finish: one who holds everything stays or comes back. Who lies or is silent
/// is as good as not there. Others may finish, too.
pub(crate) fn can_end(setting: &Setting) -> bool {
    let stays =
        |seat: &Seat| seat.has == Has::All && seat.faults.iter().all(|fault| matches!(fault, Fault::Away(_, Some(_))));
    let getters = setting.seats.iter().filter(|seat| seat.has != Has::All && seat.awaited).count();
    getters == 0 || setting.seats.iter().any(stays)
}

/// Seconds in which any party must be over: everything one after the other, and the trouble.
pub(crate) fn most(setting: &Setting) -> f64 {
    let slowest =
        setting.seats.iter().map(|seat| seat.port_bps).chain(setting.uplink_bps).fold(f64::INFINITY, f64::min);
    TROUBLE_SECONDS + 3.0 * setting.seats.len() as f64 * scenario::size(setting) / slowest
}
