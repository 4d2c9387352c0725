//! Scenarios as data: who is there, what goes wrong, what is expected, and the bound that a party cannot beat.

use std::{fmt, sync::Arc, time::Duration};

use serde::Deserialize;

use super::{
    outcome::Outcome,
    party::{Fault, Has, Seat, Setting},
};

const BPS_OF_MBIT: f64 = 125_000.0;

/// A file of `tests/sim/scenarios`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What it is about.
    pub(crate) about: String,
    /// Too large for a test; the bench plays it.
    #[serde(default)]
    pub(crate) large: bool,
    #[serde(default = "default_seeds")]
    pub(crate) seeds: Vec<u64>,
    /// How many files of how many bytes.
    pub(crate) files: Vec<(u32, u64)>,
    pub(crate) seats: Vec<Group>,
    /// Between the two switches.
    #[serde(default)]
    pub(crate) uplink_mbit: Option<f64>,
    #[serde(default = "default_links")]
    pub(crate) links_max: usize,
    #[serde(default = "default_at_most")]
    pub(crate) at_most_s: f64,
    #[serde(default)]
    pub(crate) expect: Expect,
}

/// Seats that are alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group {
    #[serde(default = "default_count")]
    count: usize,
    mbit: f64,
    #[serde(default = "default_delay")]
    delay_us: u64,
    #[serde(default)]
    side: usize,
    /// `all`, `nothing` or percent.
    #[serde(default)]
    has: GroupHas,
    #[serde(default)]
    joins_s: f64,
    /// From when to when.
    #[serde(default)]
    away_s: Option<(f64, Option<f64>)>,
    #[serde(default)]
    leaves_after_copies: Option<f64>,
    #[serde(default)]
    lies: bool,
    #[serde(default)]
    silent: bool,
    #[serde(default = "default_awaited")]
    awaited: bool,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum GroupHas {
    #[default]
    Nothing,
    All,
    Percent(u32),
}

/// What must come out, of every seed.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// The last awaited seat, as a multiple of the bound.
    pub(crate) last: Option<f64>,
    /// Each awaited seat, as a multiple of its own bound from its joining on.
    pub(crate) each: Option<f64>,
    /// Bytes of no use, as a part of all that was wanted.
    pub(crate) wasted: Option<f64>,
    /// Copies over the uplink.
    pub(crate) uplink_copies: Option<f64>,
    pub(crate) bad_max: Option<u32>,
    pub(crate) requests_max: Option<u64>,
    pub(crate) seconds_max: Option<f64>,
    /// Chunks that follow each other on the disks of getters and servers, at least.
    pub(crate) run_min: Option<f64>,
}

fn default_seeds() -> Vec<u64> {
    vec![1, 7, 2026]
}
fn default_links() -> usize {
    255
}
fn default_at_most() -> f64 {
    600.0
}
fn default_count() -> usize {
    1
}
fn default_delay() -> u64 {
    100
}
fn default_awaited() -> bool {
    true
}

impl Scenario {
    pub(crate) fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    pub(crate) fn setting(&self, seed: u64) -> Setting {
        let mut lens = Vec::new();
        for (count, bytes) in &self.files {
            for _ in 0..*count {
                let mut left = *bytes;
                while left > 0 {
                    let len = left.min(1 << 20);
                    lens.push(len as u32);
                    left -= len;
                }
            }
        }
        let seats = self.seats.iter().flat_map(|group| std::iter::repeat_n(group.seat(), group.count)).collect();
        Setting {
            seed,
            lens: Arc::from(lens),
            seats,
            uplink_bps: self.uplink_mbit.map(|mbit| mbit * BPS_OF_MBIT),
            links_max: self.links_max,
            at_most: Duration::from_secs_f64(self.at_most_s),
        }
    }
}

impl Group {
    fn seat(&self) -> Seat {
        let mut faults = Vec::new();
        if let Some((from, to)) = self.away_s {
            faults.push(Fault::Away(Duration::from_secs_f64(from), to.map(Duration::from_secs_f64)));
        }
        faults.extend(self.leaves_after_copies.map(Fault::LeavesAfter));
        faults.extend(self.lies.then_some(Fault::Liar));
        faults.extend(self.silent.then_some(Fault::Silent));
        Seat {
            port_bps: self.mbit * BPS_OF_MBIT,
            delay: Duration::from_micros(self.delay_us),
            side: self.side,
            has: match self.has {
                GroupHas::Nothing => Has::Nothing,
                GroupHas::All => Has::All,
                GroupHas::Percent(percent) => Has::Percent(percent),
            },
            joins: Duration::from_secs_f64(self.joins_s),
            faults,
            awaited: self.awaited,
        }
    }
}

/// The time nobody can beat, in seconds: each seat's own port, the ports of those who have it all, all
/// ports together, and what lies between the switches.
pub(crate) fn bound(setting: &Setting) -> f64 {
    let size = size(setting);
    let seeding: f64 = sum(setting, |seat| seat.has == Has::All);
    let getters = setting.seats.iter().filter(|seat| seat.has != Has::All && seat.awaited);
    let slowest = getters.clone().map(|seat| size / seat.port_bps).fold(0.0, f64::max);
    let together = getters.clone().count() as f64 * size / sum(setting, |_| true);
    let seeders: Vec<usize> = setting.seats.iter().filter(|seat| seat.has == Has::All).map(|seat| seat.side).collect();
    let crossing = getters.clone().any(|seat| !seeders.contains(&seat.side));
    let uplink = setting.uplink_bps.filter(|_| crossing).map_or(0.0, |bps| size / bps);
    slowest.max(size / seeding).max(together).max(uplink)
}

/// The same for one seat.
pub(crate) fn own_bound(setting: &Setting, seat: usize) -> f64 {
    size(setting) / setting.seats[seat].port_bps.min(sum(setting, |seat| seat.has == Has::All).max(1.0))
}

/// Bytes of the content.
pub(crate) fn size(setting: &Setting) -> f64 {
    setting.lens.iter().map(|len| f64::from(*len)).sum()
}

fn sum(setting: &Setting, which: impl Fn(&Seat) -> bool) -> f64 {
    setting.seats.iter().filter(|seat| which(seat)).map(|seat| seat.port_bps).sum()
}

/// The figures of one run.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) last: f64,
    pub(crate) mean: f64,
    /// The worst seat by its own bound.
    pub(crate) each: f64,
    pub(crate) wasted: f64,
    pub(crate) uplink_copies: Option<f64>,
    pub(crate) seconds: f64,
    /// Copies that those who had it all from the start sent.
    pub(crate) seeded: f64,
    /// Mean run on the disks of getters and of servers.
    pub(crate) runs: (f64, f64),
    pub(crate) requests: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { last, mean, each, wasted, uplink_copies, seconds, seeded, runs, requests } = self;
        write!(
            f,
            "last {last:.3} x bound ({seconds:.1} s), mean {mean:.3}, worst by its own bound {each:.3}, \
             seeded {seeded:.2} copies, wasted {:.2} %, runs {:.1} written {:.1} read, {requests} requests",
            wasted * 100.0,
            runs.0,
            runs.1
        )?;
        match uplink_copies {
            Some(copies) => write!(f, ", {copies:.2} copies over the uplink"),
            None => Ok(()),
        }
    }
}

impl Expect {
    /// What did not come out.
    pub(crate) fn missed(&self, figures: &Figures, outcome: &Outcome) -> Vec<&'static str> {
        let above = |most: Option<f64>, is: f64| most.is_some_and(|most| is > most);
        let checks = [
            ("not everybody is done", !outcome.all_done),
            ("the last seat", above(self.last, figures.last)),
            ("a seat", above(self.each, figures.each)),
            ("wasted", above(self.wasted, figures.wasted)),
            ("the uplink", above(self.uplink_copies, figures.uplink_copies.unwrap_or(0.0))),
            ("seconds", above(self.seconds_max, figures.seconds)),
            ("bad chunks", self.bad_max.is_some_and(|most| outcome.bad > most)),
            ("requests", self.requests_max.is_some_and(|most| outcome.requests > most)),
            ("runs", self.run_min.is_some_and(|least| figures.runs.0.min(figures.runs.1) < least)),
        ];
        checks.into_iter().filter(|(_, missed)| *missed).map(|(what, _)| what).collect()
    }
}

impl Figures {
    pub(crate) fn of(setting: &Setting, outcome: &Outcome) -> Self {
        let bound = bound(setting);
        let size = size(setting);
        let awaited: Vec<usize> = (0..setting.seats.len())
            .filter(|no| setting.seats[*no].awaited && setting.seats[*no].has != Has::All)
            .collect();
        let took: Vec<f64> = awaited.iter().map(|seat| outcome.took(*seat)).collect();
        let each = awaited.iter().map(|seat| outcome.took(*seat) / own_bound(setting, *seat)).fold(0.0, f64::max);
        let seconds = took.iter().copied().fold(0.0, f64::max);
        let getters = setting.seats.iter().filter(|seat| seat.has != Has::All).count() as f64;
        Self {
            last: seconds / bound,
            mean: took.iter().sum::<f64>() / took.len().max(1) as f64 / bound,
            each,
            wasted: outcome.wasted_bytes() / (getters * size),
            uplink_copies: outcome.uplink_bytes.map(|bytes| (bytes[0] + bytes[1]) / size),
            seconds,
            seeded: (0..setting.seats.len())
                .filter(|no| setting.seats[*no].has == Has::All)
                .map(|no| outcome.seats[no].sent_bytes / size)
                .sum(),
            runs: (outcome.writes.mean(), outcome.reads.mean()),
            requests: outcome.requests,
        }
    }
}
