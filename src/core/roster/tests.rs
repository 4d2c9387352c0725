//! The roster alone, and two rosters wired against each other with every order of messages.

use proptest::prelude::*;

use super::*;

fn peer(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 47_800))
}

fn greeting(byte: u8, nonce: u64) -> Greeting {
    Greeting { nonce: InstanceNonce(nonce), name: PeerName::new(&format!("seat-{byte}")), listener: address(byte) }
}

/// As few as make sense, so that they are soon all taken.
const LINKS_MAX: usize = 16;

/// After which a peer's next address may be tried.
const STAGGER_MOST: Duration = Duration::from_millis(250);

/// A roster of peer 5 and what it wants done.
struct Rig {
    roster: Roster,
    now: Instant,
}

impl Rig {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "an arbitrary start, never compared with a clock")]
        let now = Instant::now();
        Self { roster: Roster::new(peer(5), InstanceNonce(5), LINKS_MAX, BTreeSet::new()), now }
    }

    fn check(&mut self, event: &str, handle: impl FnOnce(&mut Roster, Instant), expect: &[Output]) {
        handle(&mut self.roster, self.now);
        let outputs: Vec<_> = std::iter::from_fn(|| self.roster.poll_output()).collect();
        assert_eq!(outputs, expect, "{event}");
    }

    fn pass(&mut self, time: Duration, expect: &[Output]) {
        self.now += time;
        self.check("time", |roster, now| roster.handle_timeout(now), expect);
    }

    /// A link with peer `byte`, which dialled us.
    fn linked(&mut self, link: u64, byte: u8) {
        self.roster.handle_accepted(LinkNo(link), peer(byte), self.now);
        self.roster.handle_greeting(LinkNo(link), greeting(byte, byte.into()), self.now);
        while self.roster.poll_output().is_some() {}
    }
}

#[test]
fn a_heard_peer_is_dialled_and_the_higher_id_lets_the_other_begin() {
    let mut rig = Rig::new();
    let heard = |byte| {
        move |roster: &mut Roster, now| roster.handle_heard(peer(byte), PeerName::new("x"), &[address(byte)], now)
    };
    rig.check("higher", heard(9), &[Output::Dial((address(9), Some(peer(9))))]);
    rig.check("lower", heard(1), &[]);
    rig.check("ourselves", heard(5), &[]);
    assert_eq!(rig.roster.poll_timeout(), Some((rig.now + YIELD_TIME, "dial")));
    rig.pass(YIELD_TIME, &[Output::Dial((address(1), Some(peer(1))))]);
}

#[test]
fn a_failing_address_is_tried_more_and_more_rarely_and_explained_once() {
    let mut rig = Rig::new();
    let target = (address(9), Some(peer(9)));
    rig.check(
        "heard",
        |r, now| r.handle_heard(peer(9), PeerName::new("nas"), &[address(9)], now),
        &[Output::Dial(target)],
    );
    let fail = |r: &mut Roster, now| r.handle_dial_failed(target, DialFailure::Silence, now);
    let trouble = Output::Trouble(Trouble::Unreachable { peer: peer(9), name: PeerName::new("nas") });
    rig.check("first failure", fail, &[trouble]);
    assert_eq!(rig.roster.rows().next().map(|row| row.note), Some(Some(Note::Unreachable)));
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        rig.pass(Duration::from_millis(seconds * 1_000 - 1), &[]);
        rig.pass(Duration::from_millis(1), &[Output::Dial(target)]);
        rig.check("again", fail, &[]);
    }
}

#[test]
fn what_others_say_is_dialled_once_a_minute_and_forgotten_in_the_end() {
    let mut rig = Rig::new();
    let told = |who: u8| move |r: &mut Roster, now| r.handle_told(&[(peer(who), address(9))], now);
    let target = |who| (address(9), Some(peer(who)));
    rig.check("told", told(9), &[Output::Dial(target(9))]);
    rig.check("another name for the same address", told(8), &[]);
    rig.check("fails", |r, now| r.handle_dial_failed(target(9), DialFailure::WrongPeer, now), &[]);
    rig.pass(Duration::from_secs(59), &[]);
    rig.pass(Duration::from_secs(1), &[Output::Dial(target(8))]);
    rig.check("fails", |r, now| r.handle_dial_failed(target(8), DialFailure::Silence, now), &[]);
    for _ in 0..20 {
        rig.now += TOLD_PAUSE;
        rig.roster.handle_timeout(rig.now);
        while let Some(Output::Dial(target)) = rig.roster.poll_output() {
            rig.roster.handle_dial_failed(target, DialFailure::Silence, rig.now);
        }
    }
    assert_eq!(rig.roster.poll_timeout(), None);
}

/// Targets the roster wants dialled now.
fn dials(rig: &mut Rig) -> Vec<Target> {
    let outputs = std::iter::from_fn(|| rig.roster.poll_output());
    outputs.filter_map(|output| if let Output::Dial(target) = output { Some(target) } else { None }).collect()
}

fn fail_all(rig: &mut Rig, targets: &[Target]) -> Vec<Target> {
    let mut next = Vec::new();
    for target in targets {
        rig.roster.handle_dial_failed(*target, DialFailure::Silence, rig.now);
        next.extend(dials(rig));
    }
    next
}

fn heard(rig: &mut Rig, byte: u8, addresses: &[SocketAddr]) {
    rig.roster.handle_heard(peer(byte), PeerName::new("x"), addresses, rig.now);
}

#[test]
fn dials_under_way_are_bounded() {
    let mut rig = Rig::new();
    let others: Vec<_> = (100..200).map(|byte| (peer(byte), address(byte))).collect();
    rig.roster.handle_told(&others, rig.now);
    let first = dials(&mut rig);
    assert_eq!(first.len(), 12, "first tries leave places for others");
    let next = Output::Dial((address(112), Some(peer(112))));
    rig.check("a place is free", |r, now| r.handle_dial_failed(first[0], DialFailure::Silence, now), &[next]);
    assert_eq!(others.len() - TOLD_MAX, 36, "the rest of a message that is too long does not count");
    // A minute later all of those that failed may be tried again, beside those that were not yet.
    let mut under_way = first.len();
    rig.now += TOLD_PAUSE;
    rig.roster.handle_timeout(rig.now);
    under_way += dials(&mut rig).len();
    for byte in 0..10 {
        let typed = Output::Dial((address(byte), None));
        let expect = if under_way < DIALS_MAX { vec![typed] } else { Vec::new() };
        rig.check("typed", |r, now| r.handle_connect(address(byte), now), &expect);
        under_way += expect.len();
    }
    assert_eq!(under_way, DIALS_MAX);
}

#[test]
fn who_is_new_does_not_wait_for_the_dead() {
    let mut rig = Rig::new();
    // None of them answered for ten minutes, and all are due.
    for byte in 10..110 {
        heard(&mut rig, byte, &[address(byte)]);
    }
    for _ in 0..10 {
        let mut due = dials(&mut rig);
        while !due.is_empty() {
            due = fail_all(&mut rig, &due);
        }
        rig.now += Duration::from_secs(60);
        rig.roster.handle_timeout(rig.now);
    }
    let stuck = dials(&mut rig);
    assert_eq!(stuck.len(), 12, "further tries leave places for others");
    heard(&mut rig, 200, &[address(200)]);
    assert_eq!(dials(&mut rig), [(address(200), Some(peer(200)))]);
    // Who waits longest of the dead is next.
    let next = fail_all(&mut rig, &stuck[..1]);
    assert_eq!(next.len(), 1);
    assert!(!stuck.contains(&next[0]), "{next:?}");
}

#[test]
fn whoever_comes_back_does_not_wait_for_a_flood_of_new_ones() {
    let mut rig = Rig::new();
    heard(&mut rig, 9, &[address(9)]);
    let back = (address(9), Some(peer(9)));
    assert_eq!(dials(&mut rig), [back]);
    fail_all(&mut rig, &[back]);
    for byte in 100..200 {
        heard(&mut rig, byte, &[address(byte)]);
    }
    assert_eq!(dials(&mut rig).len(), 12);
    rig.now += Duration::from_secs(1);
    rig.roster.handle_timeout(rig.now);
    assert_eq!(dials(&mut rig), [back]);
}

#[test]
fn peers_with_many_dead_addresses_take_turns_with_the_others() {
    let many = |byte: u8| (0..16).map(|n| SocketAddr::from(([10, 1, byte, n], 47_800))).collect::<Vec<_>>();
    let mut rig = Rig::new();
    heard(&mut rig, 100, &many(100));
    let mut under_way = dials(&mut rig);
    for _ in 0..20 {
        rig.now += STAGGER_MOST;
        rig.roster.handle_timeout(rig.now);
        under_way.extend(dials(&mut rig));
    }
    assert_eq!(under_way.len(), 4, "one peer has a few at a time");
    // Twenty of its kind, and one whose address is the last of all.
    for byte in 101..120 {
        heard(&mut rig, byte, &many(byte));
    }
    under_way.extend(dials(&mut rig));
    heard(&mut rig, 250, &[address(250)]);
    assert_eq!(under_way.len(), 12);
    let next = fail_all(&mut rig, &under_way);
    assert!(next.contains(&(address(250), Some(peer(250)))), "its turn is before anybody's second: {next:?}");
}

#[test]
fn a_full_book_makes_room_for_who_is_better_known() {
    let mut rig = Rig::new();
    let learn = |rig: &mut Rig, who: PeerId, at: SocketAddr, source| {
        let now = rig.now;
        rig.roster.book.learn((at, Some(who)), source, now)
    };
    // Somebody says where a peer is, wrongly and often, before it is heard itself.
    for n in 0..16 {
        assert!(learn(&mut rig, peer(9), SocketAddr::from(([10, 2, 0, n], 47_800)), Source::Told));
    }
    assert!(!learn(&mut rig, peer(9), address(8), Source::Told), "no better than those");
    assert!(learn(&mut rig, peer(9), address(9), Source::Heard));
    // A book full of first addresses of the many has room for nobody of their kind.
    let crowd = |n: u16| PeerId::from_bytes([[7; 30].as_slice(), &n.to_be_bytes()].concat().try_into().expect("32"));
    for n in 0..1_040 {
        learn(&mut rig, crowd(n), address(7), Source::Heard);
    }
    assert!(!learn(&mut rig, peer(10), address(10), Source::Told));
    assert!(!learn(&mut rig, peer(10), address(10), Source::Heard));
    assert!(learn(&mut rig, peer(10), address(10), Source::User));
    // And one full of the addresses of a few has some for everybody.
    let mut rig = Rig::new();
    for n in 0..1_040_u16 {
        let [high, low] = n.to_be_bytes();
        learn(&mut rig, crowd(n / 16), SocketAddr::from(([10, 3, high, low], 47_800)), Source::Heard);
    }
    assert!(learn(&mut rig, peer(10), address(10), Source::Heard));
}

#[test]
fn the_users_address_is_kept_and_explained_once() {
    let mut rig = Rig::new();
    let target = (address(9), None);
    rig.check("typed", |r, now| r.handle_connect(address(9), now), &[Output::Dial(target)]);
    let trouble = Trouble::UserAddress { address: address(9), failure: DialFailure::Silence };
    let fail = |r: &mut Roster, now| r.handle_dial_failed(target, DialFailure::Silence, now);
    rig.check("fails", fail, &[Output::Trouble(trouble)]);
    assert_eq!(
        rig.roster.rows().next().map(|row| (row.address, row.note)),
        Some((Some(address(9)), Some(Note::Silent)))
    );
    rig.pass(Duration::from_secs(1), &[Output::Dial(target)]);
    rig.check("fails again", fail, &[]);
    rig.pass(Duration::from_secs(2), &[Output::Dial(target)]);
    rig.check("answers", |r, now| r.handle_dialled(LinkNo(1), target, peer(9), now), &[]);
    let up = [Output::Admit(LinkNo(1)), Output::PeerUp(peer(9), LinkNo(1))];
    rig.check("ack", |r, now| r.handle_greeting(LinkNo(1), greeting(9, 9), now), &up);
    assert_eq!(rig.roster.poll_timeout(), None, "nobody is dialled who is here");
    let down = [Output::PeerDown(peer(9)), Output::Verify(peer(9))];
    rig.check("cut", |r, now| r.handle_ended(LinkNo(1), &Ending::Silence, now), &down);
    rig.now += Duration::from_secs(2);
    rig.roster.handle_timeout(rig.now);
    assert_eq!(rig.roster.poll_output(), Some(Output::Dial(target)));
}

#[test]
fn newcomers_are_introduced_unless_all_of_them_hear_mdns() {
    let mut rig = Rig::new();
    rig.linked(1, 1);
    rig.roster.handle_accepted(LinkNo(2), peer(2), rig.now);
    let expect = [
        Output::Admit(LinkNo(2)),
        Output::PeerUp(peer(2), LinkNo(2)),
        Output::Tell(peer(2), vec![(peer(1), address(1))]),
        Output::Tell(peer(1), vec![(peer(2), address(2))]),
    ];
    rig.check("hello", |r, now| r.handle_greeting(LinkNo(2), greeting(2, 2), now), &expect);

    let mut rig = Rig::new();
    for byte in [1, 2] {
        rig.roster.handle_heard(peer(byte), PeerName::new("x"), &[address(byte)], rig.now);
        rig.linked(byte.into(), byte);
    }
    rig.roster.handle_heard(peer(3), PeerName::new("x"), &[address(3)], rig.now);
    rig.roster.handle_accepted(LinkNo(3), peer(3), rig.now);
    let expect = [Output::Admit(LinkNo(3)), Output::PeerUp(peer(3), LinkNo(3))];
    rig.check("hello", |r, now| r.handle_greeting(LinkNo(3), greeting(3, 3), now), &expect);
}

#[test]
fn a_second_run_of_a_key_is_refused_while_the_first_lives_and_replaces_it_when_dead() {
    for alive in [true, false] {
        let mut rig = Rig::new();
        rig.linked(1, 9);
        rig.roster.handle_accepted(LinkNo(2), peer(9), rig.now);
        let elsewhere = Greeting { listener: address(77), ..greeting(9, 1_000) };
        rig.check("hello", |r, now| r.handle_greeting(LinkNo(2), elsewhere.clone(), now), &[Output::Probe(LinkNo(1))]);
        let first = Some((PeerName::new("seat-9"), address(9)));
        let second = Some((PeerName::new("seat-9"), address(77)));
        let expect = if alive {
            vec![
                Output::Refuse(LinkNo(2), Refusal::Cloned { other: first.clone() }),
                Output::Trouble(Trouble::Cloned { peer: peer(9), first, second }),
            ]
        } else {
            vec![
                Output::Close(LinkNo(1)),
                Output::PeerDown(peer(9)),
                Output::Admit(LinkNo(2)),
                Output::PeerUp(peer(9), LinkNo(2)),
            ]
        };
        rig.check("probed", |r, now| r.handle_probed(LinkNo(1), alive, now), &expect);
        rig.check("asked too late", |r, now| r.handle_probed(LinkNo(1), alive, now), &[]);
    }
}

#[test]
fn our_own_key_elsewhere_is_told_apart_from_ourselves() {
    let mut rig = Rig::new();
    let target = (address(9), None);
    rig.check("typed", |r, now| r.handle_connect(address(9), now), &[Output::Dial(target)]);
    rig.check("answers", |r, now| r.handle_dialled(LinkNo(1), target, peer(5), now), &[]);
    let expect = [Output::Trouble(Trouble::Ourselves { address: address(9) }), Output::Refuse(LinkNo(1), Refusal::Own)];
    rig.check("hello", |r, now| r.handle_greeting(LinkNo(1), greeting(5, 5), now), &expect);
    assert_eq!(rig.roster.poll_timeout(), None, "forgotten");

    rig.check("accepted", |r, now| r.handle_accepted(LinkNo(2), peer(5), now), &[]);
    let second = Some((PeerName::new("seat-5"), address(5)));
    let expect = [
        Output::Trouble(Trouble::Cloned { peer: peer(5), first: None, second }),
        Output::Refuse(LinkNo(2), Refusal::Cloned { other: None }),
    ];
    rig.check("hello", |r, now| r.handle_greeting(LinkNo(2), greeting(5, 6), now), &expect);
}

#[test]
fn a_blocked_peer_is_cut_not_dialled_and_refused() {
    let mut rig = Rig::new();
    rig.linked(1, 9);
    let expect = [Output::Refuse(LinkNo(1), Refusal::Blocked), Output::PeerDown(peer(9))];
    rig.check("block", |r, now| r.handle_block(peer(9), true, now), &expect);
    rig.check("heard", |r, now| r.handle_heard(peer(9), PeerName::new("x"), &[address(9)], now), &[]);
    rig.check("dials us", |r, now| r.handle_accepted(LinkNo(2), peer(9), now), &[]);
    let expect = [Output::Refuse(LinkNo(2), Refusal::Blocked)];
    rig.check("hello", |r, now| r.handle_greeting(LinkNo(2), greeting(9, 9), now), &expect);
    rig.now += REDIAL_TIME;
    rig.check("unblock", |r, now| r.handle_block(peer(9), false, now), &[Output::Dial((address(9), Some(peer(9))))]);
}

#[test]
fn links_of_one_peer_are_bounded() {
    let mut rig = Rig::new();
    for link in 0..LINKS_PER_PEER_MAX as u64 {
        rig.check("accepted", |r, now| r.handle_accepted(LinkNo(link), peer(9), now), &[]);
    }
    let expect = [Output::Refuse(LinkNo(99), Refusal::Busy)];
    rig.check("one more", |r, now| r.handle_accepted(LinkNo(99), peer(9), now), &expect);
}

#[test]
fn links_in_all_are_bounded() {
    let mut rig = Rig::new();
    for link in 0..LINKS_MAX as u64 {
        rig.check("accepted", |r, now| r.handle_accepted(LinkNo(link), peer(10 + link as u8), now), &[]);
    }
    let expect = [Output::Refuse(LinkNo(99), Refusal::Busy)];
    rig.check("one more", |r, now| r.handle_accepted(LinkNo(99), peer(9), now), &expect);
    rig.check("heard", |r, now| r.handle_heard(peer(8), PeerName::new("x"), &[address(8)], now), &[]);
    assert_eq!(rig.roster.poll_timeout(), None, "nobody is dialled for whom there is no room");
    let dial = [Output::Dial((address(8), Some(peer(8))))];
    rig.check("one goes", |r, now| r.handle_ended(LinkNo(3), &Ending::Closed, now), &dial);
}

#[test]
fn goodbye_ends_the_session_at_once_and_nobody_calls_after() {
    let mut rig = Rig::new();
    rig.roster.handle_heard(peer(9), PeerName::new("x"), &[address(9)], rig.now);
    rig.linked(1, 9);
    let expect = [Output::Close(LinkNo(1)), Output::PeerDown(peer(9))];
    rig.check("goodbye", |r, now| r.handle_goodbye(peer(9), now), &expect);
    rig.pass(Duration::from_secs(600), &[]);
}

// ---- two rosters ----

#[derive(Debug, Clone)]
enum Message {
    Connected { link: u64, target: Target },
    Accepted { link: u64 },
    Hello { link: u64 },
    Closed { link: u64 },
    Failed { target: Target },
}

/// Two peers; messages to each wait in a queue a link, and a schedule says which comes next.
struct Pair {
    rosters: [Roster; 2],
    /// What waits for each side, by link: order within a link is kept.
    waiting: [Vec<(u64, Message)>; 2],
    /// Who dialled a link, and whether it is open.
    links: BTreeMap<u64, (usize, bool)>,
    sessions: [Option<LinkNo>; 2],
    now: Instant,
    /// The first dials of a side fail: nobody listens yet.
    deaf: [u32; 2],
}

impl Pair {
    fn new(deaf: [u32; 2]) -> Self {
        let roster = |byte: u8| Roster::new(peer(byte), InstanceNonce(byte.into()), LINKS_MAX, BTreeSet::new());
        Self {
            rosters: [roster(1), roster(2)],
            waiting: [Vec::new(), Vec::new()],
            links: BTreeMap::new(),
            sessions: [None, None],
            now: Rig::new().now,
            deaf,
        }
    }

    fn id(side: usize) -> u8 {
        side as u8 + 1
    }

    fn hear(&mut self, side: usize) {
        let other = Self::id(1 - side);
        self.rosters[side].handle_heard(peer(other), PeerName::new("x"), &[address(other)], self.now);
        self.drain(side);
    }

    fn drain(&mut self, side: usize) {
        while let Some(output) = self.rosters[side].poll_output() {
            match output {
                Output::Dial(target) if self.deaf[side] > 0 => {
                    self.deaf[side] -= 1;
                    self.waiting[side].push((u64::MAX, Message::Failed { target }));
                }
                Output::Dial(target) => {
                    let link = self.links.len() as u64;
                    self.links.insert(link, (side, true));
                    self.waiting[side].push((link, Message::Connected { link, target }));
                    self.waiting[1 - side].push((link, Message::Accepted { link }));
                }
                // The accepter answers Hello; the dialler has nothing more to say.
                Output::Admit(link) if self.links[&link.0].0 != side => {
                    self.waiting[1 - side].push((link.0, Message::Hello { link: link.0 }));
                }
                Output::Admit(_) => {}
                Output::CloseDuplicate(link) | Output::Close(link) => self.close(side, link.0),
                Output::PeerUp(_, link) | Output::PeerLink(_, link) => self.sessions[side] = Some(link),
                Output::PeerDown(_) => self.sessions[side] = None,
                Output::Refuse(..) | Output::Probe(_) => {
                    panic!("nothing speaks against the other: {output:?}")
                }
                Output::Tell(..) | Output::Verify(_) | Output::Trouble(_) => {}
            }
        }
    }

    fn close(&mut self, side: usize, link: u64) {
        let (_, open) = self.links.get_mut(&link).expect("a link");
        if std::mem::take(open) {
            self.waiting[side].retain(|(of, _)| *of != link);
            self.waiting[1 - side].push((link, Message::Closed { link }));
        }
    }

    /// Delivers one waiting message; `choice` picks among the links that have one.
    fn deliver(&mut self, side: usize, choice: usize) -> bool {
        let mut heads: Vec<usize> = Vec::new();
        for (at, (link, _)) in self.waiting[side].iter().enumerate() {
            if !heads.iter().any(|head| self.waiting[side][*head].0 == *link) {
                heads.push(at);
            }
        }
        if heads.is_empty() {
            return false;
        }
        let (_, message) = self.waiting[side].remove(heads[choice % heads.len()]);
        let (other, now) = (Self::id(1 - side), self.now);
        let hello = greeting(other, other.into());
        let roster = &mut self.rosters[side];
        match message {
            Message::Connected { link, target } => {
                roster.handle_dialled(LinkNo(link), target, peer(other), now);
                self.drain(side);
                if self.links[&link].1 {
                    self.waiting[1 - side].push((link, Message::Hello { link }));
                }
            }
            Message::Accepted { link } => roster.handle_accepted(LinkNo(link), peer(other), now),
            Message::Hello { link } => roster.handle_greeting(LinkNo(link), hello, now),
            Message::Closed { link } => roster.handle_ended(LinkNo(link), &Ending::Closed, now),
            Message::Failed { target } => roster.handle_dial_failed(target, DialFailure::Silence, now),
        }
        self.drain(side);
        true
    }

    /// Runs until nothing waits and nothing is due within the next minute.
    fn settle(&mut self, schedule: &mut impl Iterator<Item = (bool, u8)>) {
        let end = self.now + Duration::from_secs(60);
        loop {
            while self.waiting.iter().any(|waiting| !waiting.is_empty()) {
                let (side, choice) = schedule.next().unwrap_or((false, 0));
                let side = usize::from(side);
                if !self.deliver(side, choice.into()) {
                    self.deliver(1 - side, choice.into());
                }
            }
            let due = self.rosters.iter().filter_map(|roster| roster.poll_timeout()).map(|(at, _)| at).min();
            let Some(due) = due.filter(|due| *due <= end) else { return };
            self.tick(due);
        }
    }

    fn tick(&mut self, until: Instant) {
        self.now = self.now.max(until);
        for side in [0, 1] {
            self.rosters[side].handle_timeout(self.now);
            self.drain(side);
        }
    }
}

proptest! {
    #[test]
    fn two_rosters_end_with_one_link(
        order in proptest::bool::ANY,
        both in proptest::bool::ANY,
        crossing in proptest::bool::ANY,
        between in 0..8_usize,
        deaf in [0..3_u32, 0..3_u32],
        schedule in proptest::collection::vec((proptest::bool::ANY, 0..4_u8), 0..64),
    ) {
        let mut pair = Pair::new(deaf);
        let (first, second) = if order { (0, 1) } else { (1, 0) };
        let mut schedule = schedule.into_iter();
        pair.hear(first);
        for (side, choice) in schedule.by_ref().take(between) {
            pair.deliver(usize::from(side), choice.into());
        }
        if both {
            pair.hear(second);
        }
        if crossing {
            pair.tick(pair.now + YIELD_TIME);
        }
        pair.settle(&mut schedule);
        let open: Vec<_> = pair.links.iter().filter(|(_, (_, open))| *open).map(|(link, _)| LinkNo(*link)).collect();
        prop_assert_eq!(open.len(), 1, "{:?}", pair.links);
        prop_assert_eq!(pair.sessions, [Some(open[0]); 2]);
    }
}
