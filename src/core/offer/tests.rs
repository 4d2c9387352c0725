//! Scenes with several getters, and any order of events.

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
        Self { offer: Offer::new(lens.into(), have), now: Instant::now(), next: 0 }
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

    fn has(&mut self, who: u8, chunks: &[u32]) -> String {
        let chunks = chunks.iter().copied().map(ChunkNo).collect();
        self.tell(Input::Announced { peer: peer(who), chunks })
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
    // All are promised: a third getter waits until one is announced, and gets a second copy of it.
    assert_eq!(scene.asks(3, &[(0, 4)], 1), "");
    assert_eq!(scene.has(2, &[3]), "3:[#3]");
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
fn a_promise_lapses_and_the_chunk_is_fresh_again() {
    let mut scene = Scene::new(&[WHOLE; 1]);
    assert_eq!(scene.asks(1, &[(0, 1)], 1), "1:[#0]");
    scene.now += Duration::from_millis(10);
    assert_eq!(scene.sent(1), "1.");
    assert_eq!(scene.asks(2, &[(0, 1)], 1), "");
    assert_eq!(scene.tell(Input::PeerGone { peer: peer(1) }), "2:[#0]");
    scene.now += Duration::from_millis(10);
    assert_eq!(scene.sent(2), "2.");
    assert_eq!(scene.after(Duration::from_millis(1_990)), "");
    assert!(!scene.offer.is_idle() && scene.offer.fresh.is_empty());
    scene.after(Duration::from_millis(10));
    assert!(scene.offer.is_idle() && scene.offer.fresh.contains(ChunkNo(0)));
}

#[test]
fn nobody_waits_for_ever_for_somebody_elses_promise() {
    let mut scene = Scene::new(&[WHOLE; 1]);
    assert_eq!(scene.asks(1, &[(0, 1)], 1), "1:[#0]");
    // Being sent at a crawl: a second copy goes after a second.
    assert_eq!(scene.asks(2, &[(0, 1)], 1), "");
    assert_eq!(scene.offer.poll_timeout().unwrap().0, scene.now + SECOND_COPY_WAIT);
    assert_eq!(scene.after(SECOND_COPY_WAIT), "2:[#0]");
}

#[test]
fn second_copies_wait_for_first_copies() {
    let mut scene = Scene::new(&[WHOLE; 8]);
    assert_eq!(scene.asks(1, &[(0, 1)], 1), "1:[#0]");
    assert_eq!(scene.sent(1), "1.");
    assert_eq!(scene.has(1, &[0]), "");
    assert_eq!(scene.asks(1, &[(1, 8)], 1), "2:[#1]");
    assert_eq!(scene.asks(1, &[(1, 8)], 1), "");
    // 2 asks for what was given; 1 has a first copy waiting.
    assert_eq!(scene.asks(2, &[(0, 1)], 1), "");
    // Now that it is being sent nobody waits for one any more.
    assert_eq!(scene.sent(2), "2. 3:[#2] 4:[#0]");
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
    Announce(u8),
    Gone(u8),
    Have(Vec<u32>),
    Wait(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0u8..5, 0u32..24, 1u32..12, 0u32..6).prop_map(|(p, at, len, take)| Act::Ask(p, at, at + len, take)),
        4 => (1u64..60).prop_map(Act::Sent),
        1 => (1u64..60).prop_map(Act::Drop),
        2 => (0u8..5).prop_map(Act::Announce),
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
                Act::Announce(who) => Input::Announced { peer: peer(who), chunks: (0..24).map(ChunkNo).collect() },
                Act::Gone(who) => Input::PeerGone { peer: peer(who) },
                Act::Have(chunks) => { have = set(24, &chunks); Input::HaveChanged { have: have.clone() } }
                Act::Wait(ms) => {
                    scene.now += Duration::from_millis(ms);
                    scene.offer.handle_timeout(scene.now);
                    Input::Announced { peer: peer(99), chunks: Vec::new() }
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
