//! Scenes with several getters, and any order of events.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn ranges(pairs: &[(u32, u32)]) -> ChunkRanges {
    ChunkRanges::new(pairs, 1_000).unwrap()
}

fn set(chunk_count: u32, chunks: &[u32]) -> ChunkSet {
    let mut set = ChunkSet::empty(chunk_count);
    for chunk in chunks {
        set.insert(ChunkNo(*chunk));
    }
    set
}

/// An offer with a clock that the scene moves.
struct Scene {
    offer: Offer,
    now: Instant,
    next: u64,
}

impl Scene {
    fn new(lens: &[u32]) -> Self {
        let have = ChunkSet::full(lens.len() as u32);
        Self { offer: Offer::new(lens.into(), have, 7), now: Instant::now(), next: 0 }
    }

    fn after(&mut self, time: Duration) -> String {
        self.now += time;
        self.offer.handle_timeout(self.now);
        self.said()
    }

    fn asks(&mut self, who: u8, of: &[(u32, u32)], take: u32) -> String {
        self.next += 1;
        let request = RequestNo(self.next);
        self.tell(Input::Request { request, peer: peer(who), of: ranges(of), take })
    }

    fn tell(&mut self, input: Input) -> String {
        self.offer.handle_input(input, self.now);
        self.said()
    }

    fn sent(&mut self, request: u64) -> String {
        self.tell(Input::Sent { request: RequestNo(request) })
    }

    fn taken(&mut self, request: u64) -> String {
        self.tell(Input::Taken { request: RequestNo(request) })
    }

    /// Every request of these is served at once, so that no slot is free.
    fn fill(&mut self, peers: std::ops::Range<u8>) {
        for who in peers {
            self.asks(who, &[(0, 1_000)], 1);
        }
    }

    /// `1:[#4, #5]` sends, `2.` ends, `3!` refuses.
    fn said(&mut self) -> String {
        let outputs = std::iter::from_fn(|| self.offer.poll_output()).map(|output| match output {
            Output::Send { request, chunks } => format!("{}:{chunks:?}", request.0),
            Output::End { request } => format!("{}.", request.0),
            Output::Refuse { request } => format!("{}!", request.0),
        });
        outputs.collect::<Vec<_>>().join(" ")
    }
}

const WHOLE: u32 = CHUNK_BYTES;

#[test]
fn getters_of_the_same_are_sent_different_chunks() {
    let mut scene = Scene::new(&[WHOLE; 4]);
    assert_eq!(scene.asks(1, &[(0, 4)], 2), "1:[#0]");
    assert_eq!(scene.asks(2, &[(0, 4)], 2), "2:[#1]");
    assert_eq!(scene.sent(1), "1:[#2]");
    assert_eq!(scene.sent(2), "2:[#3]");
    assert_eq!(scene.sent(1), "1.");
    assert_eq!(scene.sent(2), "2.");
    // All were given: a third getter gets another copy, of what was given least.
    assert_eq!(scene.asks(3, &[(0, 4)], 1), "3:[#0]");
    assert_eq!(scene.asks(4, &[(0, 4)], 1), "4:[#1]");
}

#[test]
fn the_getters_order_decides_between_equals() {
    let mut scene = Scene::new(&[WHOLE; 9]);
    assert_eq!(scene.asks(1, &[(6, 8), (0, 2)], 3), "1:[#6]");
    assert_eq!(scene.sent(1), "1:[#7]");
    assert_eq!(scene.sent(1), "1:[#0]");
}

#[test]
fn small_chunks_go_together() {
    let mut scene = Scene::new(&[WHOLE / 4; 9]);
    assert_eq!(scene.asks(1, &[(0, 9)], 6), "1:[#0, #1, #2, #3]");
    assert_eq!(scene.sent(1), "1:[#4, #5]");
    assert_eq!(scene.sent(1), "1.");
}

#[test]
fn what_did_not_arrive_counts_as_not_given() {
    let mut scene = Scene::new(&[WHOLE; 2]);
    assert_eq!(scene.asks(1, &[(0, 1)], 1), "1:[#0]");
    assert_eq!(scene.sent(1), "1.");
    assert!(!scene.offer.is_idle() && !scene.offer.fresh.contains(ChunkNo(0)));
    assert_eq!(scene.tell(Input::PeerGone { peer: peer(1) }), "");
    assert!(scene.offer.is_idle() && scene.offer.fresh.contains(ChunkNo(0)));
    assert_eq!(scene.asks(2, &[(0, 1)], 1), "2:[#0]");
    assert_eq!(scene.sent(2), "2.");
    // The stream breaks after the end of it was said.
    assert_eq!(scene.tell(Input::Dropped { request: RequestNo(2) }), "");
    assert!(scene.offer.fresh.contains(ChunkNo(0)));
    assert_eq!(scene.asks(3, &[(0, 1)], 1), "3:[#0]");
    assert_eq!(scene.sent(3), "3.");
    assert_eq!(scene.taken(3), "");
    assert!(scene.offer.is_idle() && !scene.offer.fresh.contains(ChunkNo(0)));
}

#[test]
fn few_are_served_at_a_time_and_the_longest_unserved_is_next() {
    let mut scene = Scene::new(&[WHOLE; 100]);
    scene.fill(1..9);
    assert_eq!(scene.asks(20, &[(0, 100)], 1), "", "eight are served");
    assert_eq!(scene.asks(1, &[(0, 100)], 1), "");
    assert_eq!(scene.sent(1), "1.", "handed over is not taken");
    assert_eq!(scene.taken(1), "9:[#8]", "who was not served yet goes first");
    assert_eq!(scene.sent(2), "2.");
    assert_eq!(scene.taken(2), "10:[#9]");
}

#[test]
fn who_takes_much_longer_than_others_keeps_nobody_waiting() {
    let mut scene = Scene::new(&[WHOLE; 100]);
    for number in 1..=40 {
        scene.asks(1, &[(0, 100)], 1);
        scene.now += Duration::from_millis(40);
        assert_eq!(scene.sent(number), format!("{number}."));
        scene.taken(number);
    }
    scene.fill(1..9);
    assert_eq!(scene.asks(20, &[(0, 100)], 1), "");
    let (at, _) = scene.offer.poll_timeout().unwrap();
    assert!(at - scene.now <= Duration::from_millis(250), "{:?}", at - scene.now);
    scene.now = at;
    assert!(scene.after(Duration::ZERO).starts_with("49:"));
}

#[test]
fn what_is_on_its_way_to_a_peer_is_not_sent_to_it_again() {
    let mut scene = Scene::new(&[WHOLE; 2]);
    assert_eq!(scene.asks(1, &[(0, 2)], 2), "1:[#0]");
    assert_eq!(scene.sent(1), "1:[#1]");
    assert_eq!(scene.sent(1), "1.");
    assert_eq!(scene.asks(1, &[(0, 2)], 1), "2.", "both are on their way");
    assert_eq!(scene.taken(1), "");
    assert_eq!(scene.asks(1, &[(0, 2)], 1), "3:[#0]", "it lost it, or threw it away");
}

#[test]
fn nothing_goes_twice_in_one_request_however_many_others_are_open() {
    let mut scene = Scene::new(&[WHOLE; 10]);
    for number in 1..=8 {
        scene.asks(1, &[(number - 1, number)], 1);
        assert_eq!(scene.sent(u64::from(number)), format!("{number}."));
    }
    assert_eq!(scene.asks(1, &[(8, 10)], 3), "", "all slots are its own");
    assert_eq!(scene.after(Duration::from_secs(2)), "9:[#8]");
    assert_eq!(scene.sent(9), "9:[#9]");
    assert_eq!(scene.sent(9), "9.");
}

#[test]
fn what_we_do_not_hold_is_answered_with_nothing() {
    let mut scene = Scene::new(&[WHOLE; 4]);
    assert_eq!(scene.tell(Input::HaveChanged { have: set(4, &[2]) }), "");
    assert_eq!(scene.asks(1, &[(0, 2)], 2), "1.");
    assert_eq!(scene.asks(1, &[(0, 4)], 4), "2:[#2]");
    assert_eq!(scene.sent(2), "2.");
    assert_eq!(scene.tell(Input::Have { chunk: ChunkNo(1) }), "");
    assert_eq!(scene.asks(1, &[(0, 4)], 4), "3:[#1]");
    assert_eq!(scene.asks(1, &[(900, 1_000)], 4), "");
    assert_eq!(scene.sent(3), "3. 4.");
    assert_eq!(scene.asks(1, &[(0, 4)], 0), "5.");
}

#[test]
fn a_dropped_request_takes_its_promise_back() {
    let mut scene = Scene::new(&[WHOLE; 2]);
    assert_eq!(scene.asks(1, &[(0, 1)], 1), "1:[#0]");
    assert_eq!(scene.tell(Input::Dropped { request: RequestNo(1) }), "");
    assert_eq!(scene.asks(2, &[(0, 1)], 1), "2:[#0]");
    assert_eq!(scene.sent(1), "", "a late word about a dropped request");
}

#[test]
fn floods_are_refused() {
    let mut scene = Scene::new(&[WHOLE; 2]);
    for _ in 0..REQUESTS_PER_PEER_MAX {
        scene.asks(1, &[(0, 2)], 1);
    }
    assert_eq!(scene.asks(1, &[(0, 2)], 1), "65!");
    assert_eq!(scene.asks(2, &[(0, 2)], 1), "66:[#1]");
}

#[derive(Debug, Clone)]
enum Act {
    Ask(u8, u32, u32, u32),
    Sent(u64),
    Drop(u64),
    Taken(u64),
    Gone(u8),
    Have(Vec<u32>),
    Wait(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0u8..5, 0u32..24, 1u32..12, 0u32..6).prop_map(|(p, at, len, take)| Act::Ask(p, at, at + len, take)),
        4 => (1u64..60).prop_map(Act::Sent),
        1 => (1u64..60).prop_map(Act::Drop),
        2 => (1u64..60).prop_map(Act::Taken),
        1 => (0u8..5).prop_map(Act::Gone),
        1 => proptest::collection::vec(0u32..24, 0..24).prop_map(Act::Have),
        2 => (1u64..3_000).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Nothing is sent that was not asked for or that we lack, nothing twice in one request, and
    /// when everything was answered nothing is left behind.
    #[test]
    fn any_order_of_events_keeps_the_books(acts in proptest::collection::vec(any_act(), 0..120)) {
        let lens: Vec<u32> = (0..24).map(|n| if n % 3 == 0 { WHOLE } else { 4_096 }).collect();
        let mut scene = Scene::new(&lens);
        let mut asked: BTreeMap<u64, (PeerId, ChunkRanges, u32, BTreeSet<ChunkNo>)> = BTreeMap::new();
        let mut have = ChunkSet::full(24);
        let mut open: BTreeSet<u64> = BTreeSet::new();
        for act in acts {
            let input = match act {
                Act::Ask(who, start, end, take) => {
                    scene.next += 1;
                    let of = ranges(&[(start, end)]);
                    asked.insert(scene.next, (peer(who), of.clone(), take, BTreeSet::new()));
                    Input::Request { request: RequestNo(scene.next), peer: peer(who), of, take }
                }
                Act::Sent(n) => { open.remove(&n); Input::Sent { request: RequestNo(n) } }
                Act::Drop(n) => { open.remove(&n); Input::Dropped { request: RequestNo(n) } }
                Act::Taken(n) => Input::Taken { request: RequestNo(n) },
                Act::Gone(who) => Input::PeerGone { peer: peer(who) },
                Act::Have(chunks) => { have = set(24, &chunks); Input::HaveChanged { have: have.clone() } }
                Act::Wait(ms) => {
                    scene.now += Duration::from_millis(ms);
                    scene.offer.handle_timeout(scene.now);
                    Input::Sent { request: RequestNo(0) }
                }
            };
            scene.offer.handle_input(input, scene.now);
            while let Some(output) = scene.offer.poll_output() {
                if let Output::Send { request, chunks } = output {
                    let (_, of, take, sent) = asked.get_mut(&request.0).unwrap();
                    prop_assert!(!chunks.is_empty());
                    for chunk in chunks {
                        prop_assert!(of.iter().any(|c| c == chunk));
                        prop_assert!(have.contains(chunk));
                        prop_assert!(sent.insert(chunk));
                    }
                    prop_assert!(sent.len() <= *take as usize);
                    open.insert(request.0);
                }
            }
        }
        for who in 0..5 {
            scene.offer.handle_input(Input::PeerGone { peer: peer(who) }, scene.now);
        }
        prop_assert!(scene.offer.is_idle() && scene.offer.peers.is_empty());
        prop_assert!(scene.offer.given.iter().all(|given| *given <= 120));
    }
}
