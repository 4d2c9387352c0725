//! Whole rooms in virtual time: `core::roster` of every seat, announcements that are heard, dials that are
//! answered within a millisecond or not at all, and links. What is asked is how long it takes until all who are
//! there have found each other, whoever else is only said to be.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use potluck::{
    core::roster::{DialFailure, Ending, Greeting, LinkNo, Output, Roster, Target},
    types::{InstanceNonce, PeerId, PeerName},
};

use super::party::Dice;

/// One way.
const DELAY: Duration = Duration::from_micros(500);
/// A dial that nobody answers is given up after this.
const DIAL_TIME: Duration = Duration::from_secs(4);
/// Who comes is heard by everybody within this, and hears everybody.
const HEARD_WITHIN_MS: u64 = 1_000;

/// Who is there, and who is said to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    /// Seats from the start.
    pub(crate) seats: usize,
    /// Seats that come later, and when.
    pub(crate) late: (usize, Duration),
    /// Announcements of seats that are gone.
    pub(crate) gone: usize,
    /// Announcements with sixteen addresses, at none of which anybody is.
    pub(crate) crowded: usize,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Found {
    /// When the last two of those who were there from the start had a session; `None` if they never had.
    pub(crate) first: Option<Duration>,
    /// How long after its coming each of the late ones had one with everybody, at most.
    pub(crate) late: Option<Duration>,
    /// Dials of one seat under way at once, at most.
    pub(crate) under_way: usize,
    /// Dials that nobody answered, a seat and a minute.
    pub(crate) in_vain: f64,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds =
            |time: Option<Duration>| time.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        write!(
            f,
            "all linked after {}, who came late after {}; {} dials under way at most, {:.0} in vain a seat and minute",
            seconds(self.first),
            seconds(self.late),
            self.under_way,
            self.in_vain
        )
    }
}

/// Something that happens to a seat.
#[derive(Debug)]
enum What {
    Hears { peer: PeerId, addresses: Vec<SocketAddr> },
    Answered { link: u64, target: Target },
    Silence { target: Target },
    Accepts { link: u64 },
    Hello { link: u64 },
    Ended { link: u64 },
    Told { others: Vec<(PeerId, SocketAddr)> },
    Wakes,
}

struct Seat {
    roster: Roster,
    id: PeerId,
    address: SocketAddr,
    comes: Duration,
    wakes: Option<Duration>,
    under_way: usize,
}

/// Between the seat that dialled and the one that was.
struct Link {
    ends: [usize; 2],
    open: bool,
}

struct Play {
    begin: Instant,
    now: Duration,
    seats: Vec<Seat>,
    by_address: BTreeMap<SocketAddr, usize>,
    by_id: BTreeMap<PeerId, usize>,
    links: BTreeMap<u64, Link>,
    coming: BTreeMap<(Duration, u64), (usize, What)>,
    number: u64,
    /// Sessions of those who were there from the start with each other, and of all, seen from both ends.
    early: usize,
    all: usize,
    under_way: usize,
    in_vain: u64,
}

/// Plays a room for `time`, or until nothing more can come of it.
pub(crate) fn play(room: Room, seed: u64, begin: Instant, time: Duration) -> Found {
    let mut dice = Dice(seed);
    let mut play = Play::new(room, &mut dice, begin);
    let pairs = |seats: usize| seats * seats.saturating_sub(1);
    let (early, all) = (pairs(room.seats), pairs(play.seats.len()));
    let (mut first, mut late) = (None, None);
    while let Some(((at, _), (seat, what))) = play.coming.pop_first().filter(|((at, _), _)| *at <= time) {
        play.now = at;
        play.happens(seat, what);
        if first.is_none() && play.early == early {
            first = Some(at);
        }
        if play.all == all {
            late = Some(at.saturating_sub(room.late.1));
            break;
        }
    }
    let minutes = play.now.as_secs_f64() / 60.0;
    let in_vain = play.in_vain as f64 / play.seats.len() as f64 / minutes.max(1.0);
    Found { first, late, under_way: play.under_way, in_vain }
}

impl Play {
    fn new(room: Room, dice: &mut Dice, begin: Instant) -> Self {
        let all = room.seats + room.late.0;
        // Whose address is low must not matter, nor whose id is.
        let mut last: Vec<u16> = (0..(all + room.gone + 16 * room.crowded) as u16).collect();
        for at in (1..last.len()).rev() {
            last.swap(at, dice.below(at as u64 + 1) as usize);
        }
        let mut addresses = last.into_iter().map(|number| {
            let [high, low] = number.to_be_bytes();
            SocketAddr::from(([10, 0, high, low], 47_800))
        });
        let mut address = || addresses.next().expect("as many as are announced");
        let mut id = || {
            let mut bytes = [0; 32];
            bytes.iter_mut().for_each(|byte| *byte = dice.below(256) as u8);
            PeerId::from_bytes(bytes)
        };
        let seat = |number: usize, id, address| Seat {
            roster: Roster::new(id, InstanceNonce(number as u64), 256, BTreeSet::new()),
            id,
            address,
            comes: if number < room.seats { Duration::ZERO } else { room.late.1 },
            wakes: None,
            under_way: 0,
        };
        let seats: Vec<Seat> = (0..all).map(|number| seat(number, id(), address())).collect();
        let of_seats = seats.iter().map(|seat| (seat.comes, seat.id, vec![seat.address]));
        let mut said: Vec<(Duration, PeerId, Vec<SocketAddr>)> = of_seats.collect();
        for _ in 0..room.gone {
            said.push((Duration::ZERO, id(), vec![address()]));
        }
        for _ in 0..room.crowded {
            said.push((Duration::ZERO, id(), (0..16).map(|_| address()).collect()));
        }
        let by_address = seats.iter().enumerate().map(|(number, seat)| (seat.address, number)).collect();
        let by_id = seats.iter().enumerate().map(|(number, seat)| (seat.id, number)).collect();
        let (links, coming) = (BTreeMap::new(), BTreeMap::new());
        let mut play = Self {
            begin,
            now: Duration::ZERO,
            seats,
            by_address,
            by_id,
            links,
            coming,
            number: 0,
            early: 0,
            all: 0,
            under_way: 0,
            in_vain: 0,
        };
        for seat in 0..all {
            for (since, peer, addresses) in &said {
                let from = play.seats[seat].comes.max(*since);
                let heard = from + Duration::from_millis(dice.below(HEARD_WITHIN_MS));
                play.later(heard, seat, What::Hears { peer: *peer, addresses: addresses.clone() });
            }
        }
        play
    }

    fn later(&mut self, at: Duration, seat: usize, what: What) {
        self.number += 1;
        self.coming.insert((at, self.number), (seat, what));
    }

    /// A seat has a session more or less with another.
    fn count(&mut self, number: usize, peer: PeerId, more: bool) {
        let step = |count: usize| if more { count + 1 } else { count - 1 };
        self.all = step(self.all);
        if [number, self.by_id[&peer]].iter().all(|seat| self.seats[*seat].comes.is_zero()) {
            self.early = step(self.early);
        }
    }

    fn happens(&mut self, number: usize, what: What) {
        let now = self.begin + self.now;
        let seat = &mut self.seats[number];
        match what {
            What::Hears { peer, addresses } => seat.roster.handle_heard(peer, PeerName::new("x"), &addresses, now),
            What::Silence { target } => {
                seat.under_way -= 1;
                self.in_vain += 1;
                seat.roster.handle_dial_failed(target, DialFailure::Silence, now);
            }
            What::Answered { link, target } => {
                seat.under_way -= 1;
                let host = self.links[&link].ends[1];
                let id = self.seats[host].id;
                self.seats[number].roster.handle_dialled(LinkNo(link), target, id, now);
                self.carry_out(number);
                if self.links[&link].open {
                    self.later(self.now + DELAY, host, What::Hello { link });
                }
            }
            What::Accepts { link } => {
                let guest = self.seats[self.links[&link].ends[0]].id;
                self.seats[number].roster.handle_accepted(LinkNo(link), guest, now);
            }
            What::Hello { link } => {
                let ends = self.links[&link].ends;
                let other = if ends[0] == number { ends[1] } else { ends[0] };
                let listener = self.seats[other].address;
                let hello = Greeting { nonce: InstanceNonce(other as u64), name: PeerName::new("x"), listener };
                self.seats[number].roster.handle_greeting(LinkNo(link), hello, now);
            }
            What::Ended { link } => seat.roster.handle_ended(LinkNo(link), &Ending::Closed, now),
            What::Told { others } => seat.roster.handle_told(&others, now),
            What::Wakes => {
                seat.wakes = None;
                seat.roster.handle_timeout(now);
            }
        }
        self.carry_out(number);
        self.wake(number);
    }

    /// Sets its alarm.
    fn wake(&mut self, number: usize) {
        let seat = &mut self.seats[number];
        let Some((due, _)) = seat.roster.poll_timeout() else { return };
        let due = due.saturating_duration_since(self.begin).max(self.now);
        if seat.wakes.is_none_or(|wakes| due < wakes) {
            seat.wakes = Some(due);
            self.later(due, number, What::Wakes);
        }
    }

    fn carry_out(&mut self, number: usize) {
        while let Some(output) = self.seats[number].roster.poll_output() {
            match output {
                Output::Dial(target) => self.dial(number, target),
                // Who was dialled answers Hello with its own.
                Output::Admit(LinkNo(link)) if self.links[&link].ends[1] == number => {
                    let guest = self.links[&link].ends[0];
                    self.later(self.now + DELAY, guest, What::Hello { link });
                }
                Output::Refuse(LinkNo(link), _)
                | Output::CloseDuplicate(LinkNo(link))
                | Output::Close(LinkNo(link)) => {
                    self.close(number, link);
                }
                Output::PeerUp(peer, _) => self.count(number, peer, true),
                Output::PeerDown(peer) => self.count(number, peer, false),
                Output::Tell(peer, others) => {
                    let to = self.by_id[&peer];
                    self.later(self.now + DELAY, to, What::Told { others });
                }
                Output::Admit(_) | Output::PeerLink(..) | Output::Probe(_) | Output::Verify(_) | Output::Trouble(_) => {
                }
            }
        }
    }

    fn dial(&mut self, number: usize, target: Target) {
        let seat = &mut self.seats[number];
        seat.under_way += 1;
        self.under_way = self.under_way.max(seat.under_way);
        let there = self.by_address.get(&target.0).copied();
        match there.filter(|there| self.seats[*there].comes <= self.now) {
            Some(there) => {
                let link = self.links.len() as u64;
                self.links.insert(link, Link { ends: [number, there], open: true });
                self.later(self.now + 2 * DELAY, number, What::Answered { link, target });
                self.later(self.now + 2 * DELAY, there, What::Accepts { link });
            }
            None => self.later(self.now + DIAL_TIME, number, What::Silence { target }),
        }
    }

    fn close(&mut self, number: usize, link: u64) {
        let held = self.links.get_mut(&link).expect("a link");
        if std::mem::take(&mut held.open) {
            let other = if held.ends[0] == number { held.ends[1] } else { held.ends[0] };
            self.later(self.now + DELAY, other, What::Ended { link });
        }
    }
}
