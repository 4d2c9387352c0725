//! Scenes with scripted sources, and any order of events.

use proptest::prelude::*;

use super::*;
use crate::types::CHUNK_BYTES;

const RTT: Duration = Duration::from_millis(1);

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn set(chunk_count: u32, chunks: impl IntoIterator<Item = u32>) -> ChunkSet {
    let mut set = ChunkSet::empty(chunk_count);
    for chunk in chunks {
        set.insert(ChunkNo(chunk));
    }
    set
}

fn ranges(chunks: &[u32]) -> ChunkRanges {
    ChunkRanges::from_preference(chunks.iter().copied().map(ChunkNo))
}

/// A transfer with a clock that the scene moves, and the requests it has open.
struct Scene {
    download: Download,
    now: Instant,
    open: BTreeMap<RequestNo, (PeerId, ChunkRanges, u32)>,
    outputs: Vec<Output>,
}

impl Scene {
    fn of(chunks: u32) -> Self {
        Self::with(vec![CHUNK_BYTES; chunks as usize], ChunkSet::empty(chunks), ChunkSet::full(chunks))
    }

    fn with(lens: Vec<u32>, have: ChunkSet, wanted: ChunkSet) -> Self {
        let plan = Plan { me: peer(250), chunk_lens: lens.into(), have, wanted, seed: 7, in_flight_max: 48 << 20 };
        Self { download: Download::new(plan), now: Instant::now(), open: BTreeMap::new(), outputs: Vec::new() }
    }

    fn tell(&mut self, input: Input) -> &[Output] {
        if let Input::RequestEnded { request, .. } = &input {
            self.open.remove(request);
        }
        self.download.handle_input(input, self.now);
        self.drain()
    }

    fn after(&mut self, time: Duration) -> &[Output] {
        self.now += time;
        self.download.handle_timeout(self.now);
        self.drain()
    }

    fn drain(&mut self) -> &[Output] {
        self.outputs = std::iter::from_fn(|| self.download.poll_output()).collect();
        for output in &self.outputs {
            match output {
                Output::Request { request, peer, of, take } => {
                    assert!(*take >= 1 && u64::from(*take) <= of.chunk_count());
                    let known = self.open.insert(*request, (*peer, of.clone(), *take));
                    assert!(known.is_none(), "a number is used once");
                }
                Output::CancelRequest { request } => {
                    self.open.remove(request);
                }
                Output::Subscribe { .. }
                | Output::Unsubscribe { .. }
                | Output::ReportBad { .. }
                | Output::DropSource { .. }
                | Output::StateChanged(_) => {}
            }
        }
        &self.outputs
    }

    fn up(&mut self, who: u8, have: ChunkSet) {
        let outputs = self.tell(Input::SourceUp { peer: peer(who), complete: have.is_full(), round_trip: RTT });
        assert!(outputs.contains(&Output::Subscribe { peer: peer(who) }));
        self.tell(Input::HaveMap { peer: peer(who), have });
    }

    fn open_at(&self, who: u8) -> Vec<RequestNo> {
        self.open.iter().filter(|(_, (at, ..))| *at == peer(who)).map(|(request, _)| *request).collect()
    }

    fn offered_to(&self, who: u8) -> BTreeSet<u32> {
        self.open_at(who).iter().flat_map(|request| self.open[request].1.iter().map(|c| c.0)).collect()
    }

    /// Names, delivers and verifies `chunk`.
    fn deliver(&mut self, request: RequestNo, chunk: u32, took: Duration) {
        let chunk = ChunkNo(chunk);
        self.tell(Input::ChunkNamed { request, chunk });
        self.now += took;
        self.tell(Input::ChunkArrived { request, chunk });
        self.tell(Input::ChunkVerified { request, chunk });
    }

    /// Serves the oldest request of `who` with the first chunks it may have, as a new server would.
    fn serve(&mut self, who: u8, took: Duration) -> bool {
        let Some(request) = self.open_at(who).first().copied() else { return false };
        let (_, of, take) = self.open[&request].clone();
        let mut given = 0;
        for chunk in of.iter() {
            let still = self.open.contains_key(&request) && given < take;
            if still && self.download.pieces.at(chunk) == At::Wanted {
                self.deliver(request, chunk.0, took);
                given += 1;
            }
        }
        if self.open.contains_key(&request) {
            self.tell(Input::RequestEnded { request, end: RequestEnd::Done });
        }
        true
    }
}

#[test]
fn one_source_delivers_everything_and_the_end_is_told() {
    let mut scene = Scene::of(40);
    assert_eq!(scene.download.state(), State::Waiting(Wait::NoSource));
    scene.up(1, ChunkSet::full(40));
    assert_eq!(scene.download.state(), State::Getting);
    while scene.download.state() != State::Done {
        assert!(scene.serve(1, Duration::from_millis(10)));
    }
    assert!(scene.download.have().is_full());
    assert_eq!(scene.download.left_bytes(), 0);
    assert_eq!(scene.download.sources().next().unwrap().verified_bytes, 40 * u64::from(CHUNK_BYTES));
    assert!(scene.open.is_empty());
    assert_eq!(scene.download.poll_timeout(), None, "a finished transfer keeps no clock running");
}

#[test]
fn windows_grow_with_the_rate() {
    let mut scene = Scene::of(400);
    scene.up(1, ChunkSet::full(400));
    assert_eq!(scene.open.values().map(|(.., take)| *take).collect::<Vec<_>>(), [1, 1]);
    for _ in 0..20 {
        scene.serve(1, Duration::from_millis(10));
    }
    // 100 MiB/s: pieces of four chunks, one of them in line, and the next when its turn has come.
    let takes = |scene: &Scene| scene.open.values().map(|(.., take)| *take).collect::<Vec<_>>();
    assert_eq!(takes(&scene), [4]);
    let request = scene.open_at(1)[0];
    let first = scene.open[&request].1.iter().find(|chunk| scene.download.pieces.at(*chunk) == At::Wanted);
    scene.tell(Input::ChunkNamed { request, chunk: first.unwrap() });
    assert_eq!(takes(&scene), [4, 4]);
    assert_eq!(scene.download.outstanding, 8 * u64::from(CHUNK_BYTES));
}

#[test]
fn sources_are_offered_different_chunks_while_there_are_enough() {
    let mut scene = Scene::of(1_000);
    for who in 1..=4 {
        scene.up(who, ChunkSet::full(1_000));
    }
    for one in 2..=4 {
        for other in 2..one {
            assert!(scene.offered_to(one).is_disjoint(&scene.offered_to(other)), "{one} and {other}");
        }
    }
    // The first came when it was alone and was offered a lot; now it gives way.
    assert!(scene.offered_to(1).len() >= 500);
    scene.serve(1, RTT);
    scene.serve(1, RTT);
    scene.serve(1, RTT);
    assert!(scene.offered_to(1).len() <= 200);
}

#[test]
fn a_chunk_named_twice_is_cancelled_at_once() {
    let mut scene = Scene::of(2);
    scene.up(1, set(2, [0, 1]));
    scene.up(2, set(2, [0, 1]));
    let (first, second) = (scene.open_at(1)[0], scene.open_at(2)[0]);
    scene.tell(Input::ChunkNamed { request: first, chunk: ChunkNo(0) });
    let outputs = scene.tell(Input::ChunkNamed { request: second, chunk: ChunkNo(0) });
    assert!(outputs.contains(&Output::CancelRequest { request: second }));
    assert_eq!(scene.download.pieces.in_flight()[&ChunkNo(0)].len(), 1);
}

#[test]
fn a_request_that_waits_for_nothing_any_more_is_taken_back() {
    let mut scene = Scene::of(1);
    scene.up(1, ChunkSet::full(1));
    scene.up(2, ChunkSet::full(1));
    let (first, second) = (scene.open_at(1)[0], scene.open_at(2)[0]);
    let outputs = scene.tell(Input::ChunkNamed { request: first, chunk: ChunkNo(0) });
    assert!(outputs.contains(&Output::CancelRequest { request: second }));
}

#[test]
fn a_line_is_joined_once_and_a_quick_source_kept_busy() {
    for (wait, busy) in [(1, true), (300, false)] {
        let mut scene = Scene::of(200);
        scene.up(1, ChunkSet::full(200));
        for _ in 0..10 {
            let request = scene.open_at(1)[0];
            let chunk = scene.open[&request].1.iter().find(|c| scene.download.pieces.at(*c) == At::Wanted).unwrap();
            scene.now += Duration::from_millis(wait);
            scene.deliver(request, chunk.0, Duration::from_millis(wait));
            if scene.open.contains_key(&request) {
                scene.tell(Input::RequestEnded { request, end: RequestEnd::Done });
            }
        }
        assert_eq!(scene.open_at(1).len() > 1, busy, "{wait} ms in line");
    }
}

#[test]
fn a_far_source_is_asked_for_our_share_of_what_nobody_near_holds() {
    let mut scene = Scene::of(400);
    scene.up(1, ChunkSet::full(400));
    for near in 2..=4 {
        scene.up(near, set(400, u32::from(near) * 10..u32::from(near) * 10 + 10));
    }
    for _ in 0..4 {
        for (who, took) in [(1, 400), (2, 10), (3, 10), (4, 10)] {
            if let Some(request) = scene.open_at(who).first().copied() {
                let (_, of, _) = scene.open[&request].clone();
                if let Some(chunk) = of.iter().find(|chunk| scene.download.pieces.at(*chunk) == At::Wanted) {
                    scene.deliver(request, chunk.0, Duration::from_millis(took));
                    scene.tell(Input::RequestEnded { request, end: RequestEnd::Done });
                }
            }
        }
        scene.after(Duration::from_millis(250));
    }
    let far = scene.offered_to(1);
    assert!(far.iter().all(|chunk| !(20..50).contains(chunk)), "near ones hold these: {far:?}");
    // One of four getters: about a quarter of the rest.
    assert!((50..150).contains(&far.len()), "{}", far.len());
    // Nobody brings the rest: in the end the far one is asked all the same.
    for near in 2..=4 {
        scene.tell(Input::SourceDown { peer: peer(near) });
    }
    let mut steps = 0;
    while scene.download.state() != State::Done {
        if !scene.serve(1, Duration::from_millis(10)) {
            scene.after(Duration::from_millis(500));
        }
        steps += 1;
        assert!(steps < 1_000, "stuck with {} left", scene.download.pieces.wanted().len());
    }
}

#[test]
fn who_comes_later_is_followed_as_well() {
    let followed = |seed: u64| {
        let mut scene = Scene::of(10);
        scene.download.sources = Sources::new(seed, 10);
        for who in 1..=200 {
            scene.tell(Input::SourceUp { peer: peer(who), complete: false, round_trip: RTT });
        }
        let peers = scene.download.sources.iter().filter(|(_, source)| source.subscribed);
        peers.map(|(_, source)| source.peer.as_bytes()[0]).collect::<BTreeSet<u8>>()
    };
    let (one, other) = (followed(1), followed(2));
    assert_eq!((one.len(), other.len()), (SUBSCRIPTIONS_MAX, SUBSCRIPTIONS_MAX));
    assert!(one.iter().filter(|who| **who > 100).count() > SUBSCRIPTIONS_MAX / 4, "{one:?}");
    assert!(one.intersection(&other).count() < SUBSCRIPTIONS_MAX * 2 / 3, "each follows others");
}

#[test]
fn partial_sources_go_first_and_the_seeder_gives_the_rest() {
    let mut scene = Scene::of(100);
    scene.tell(Input::SourceUp { peer: peer(1), complete: true, round_trip: RTT });
    scene.tell(Input::SourceUp { peer: peer(2), complete: false, round_trip: RTT });
    scene.tell(Input::HaveMap { peer: peer(2), have: set(100, 0..10) });
    scene.tell(Input::HaveMap { peer: peer(1), have: ChunkSet::full(100) });
    assert!(scene.offered_to(2).iter().all(|chunk| *chunk < 10));
    assert!(scene.offered_to(1).is_disjoint(&scene.offered_to(2)));
    assert!(scene.offered_to(1).len() >= 90, "the sole seeder may choose among all that only it has");
}

#[test]
fn rare_chunks_are_preferred() {
    let mut scene = Scene::of(64);
    scene.up(1, set(64, 0..60));
    scene.up(2, set(64, 0..30));
    scene.up(3, set(64, 0..59));
    for _ in 0..8 {
        scene.serve(1, Duration::from_millis(10));
    }
    let held: Vec<u32> = scene.download.have().iter().map(|c| c.0).collect();
    assert!(held.contains(&59), "only 1 has it: {held:?}");
}

#[test]
fn small_chunks_are_asked_for_together_and_large_ones_apart() {
    let lens = (0..200).map(|n| if n < 100 { 4_096 } else { CHUNK_BYTES }).collect();
    let mut scene = Scene::with(lens, ChunkSet::empty(200), ChunkSet::full(200));
    scene.up(1, ChunkSet::full(200));
    for (_, of, take) in scene.open.values() {
        let small = of.iter().filter(|chunk| chunk.0 < 100).count() as u64;
        assert!(small == 0 || small == of.chunk_count(), "sizes are not mixed");
        assert!(if small > 0 { *take >= 50 } else { *take == 1 });
    }
}

#[test]
fn three_wrong_chunks_and_the_source_is_out() {
    let mut scene = Scene::of(50);
    scene.up(1, ChunkSet::full(50));
    for strike in 1..=3 {
        let request = scene.open_at(1)[0];
        let chunk = scene.open[&request].1.iter().next().unwrap();
        scene.tell(Input::ChunkNamed { request, chunk });
        scene.tell(Input::ChunkArrived { request, chunk });
        let outputs = scene.tell(Input::ChunkBad { request, chunk }).to_vec();
        assert!(outputs.contains(&Output::ReportBad { peer: peer(1), chunk }));
        assert_eq!(outputs.contains(&Output::DropSource { peer: peer(1) }), strike == 3);
        assert_eq!(scene.download.pieces.at(chunk), At::Wanted);
        scene.tell(Input::RequestEnded { request, end: RequestEnd::Done });
        let newest = scene.open.last_key_value();
        assert!(newest.is_none_or(|(_, (_, of, _))| of.iter().all(|c| c != chunk)), "not asked there again");
    }
    assert_eq!(scene.download.state(), State::Waiting(Wait::NoSource));
    assert!(scene.open.is_empty());
    let outputs = scene.tell(Input::SourceUp { peer: peer(1), complete: true, round_trip: RTT });
    assert_eq!(outputs, [], "dropped for this content");
}

#[test]
fn what_was_not_asked_for_is_a_violation() {
    for bad in [ChunkNo(5), ChunkNo(u32::MAX)] {
        let mut scene = Scene::with(vec![CHUNK_BYTES; 10], ChunkSet::empty(10), set(10, 0..5));
        scene.up(1, ChunkSet::full(10));
        let request = scene.open_at(1)[0];
        let outputs = scene.tell(Input::ChunkNamed { request, chunk: bad });
        assert!(outputs.contains(&Output::CancelRequest { request }));
        scene.tell(Input::ChunkArrived { request, chunk: bad });
        scene.tell(Input::ChunkVerified { request, chunk: bad });
    }
}

#[test]
fn silence_is_cancelled_and_patience_grows() {
    let mut scene = Scene::of(10);
    scene.up(1, ChunkSet::full(10));
    let request = scene.open_at(1)[0];
    scene.tell(Input::ChunkNamed { request, chunk: ChunkNo(0) });
    let mut waits = Vec::new();
    for _ in 0..3 {
        let asked = scene.now;
        while !scene.open.is_empty() {
            let (at, _) = scene.download.poll_timeout().unwrap();
            let step = at.saturating_duration_since(scene.now);
            scene.after(step);
        }
        waits.push((scene.now - asked).as_secs());
        assert_eq!(scene.download.state(), State::Waiting(Wait::SourcesAway));
        assert_eq!(scene.download.pieces.at(ChunkNo(0)), At::Wanted);
        while scene.open.is_empty() {
            let (at, _) = scene.download.poll_timeout().unwrap();
            let step = at.saturating_duration_since(scene.now);
            scene.after(step);
        }
    }
    assert!(waits[0] >= 5 && waits[1] > waits[0] && waits[2] > waits[1], "{waits:?}");
}

#[test]
fn it_waits_when_nobody_has_the_rest_and_goes_on_when_somebody_has() {
    let mut scene = Scene::of(4);
    scene.up(1, set(4, [0, 1]));
    while scene.serve(1, RTT) {}
    assert_eq!(scene.download.state(), State::Waiting(Wait::NobodyHasTheRest));
    scene.tell(Input::HaveDelta { peer: peer(1), set: ranges(&[2]), clear: ranges(&[]) });
    assert_eq!(scene.download.state(), State::Getting);
    while scene.serve(1, RTT) {}
    scene.tell(Input::SourceDown { peer: peer(1) });
    assert_eq!(scene.download.state(), State::Waiting(Wait::NoSource));
    scene.up(2, ChunkSet::full(4));
    while scene.serve(2, RTT) {}
    assert_eq!(scene.download.state(), State::Done);
}

#[test]
fn pause_keeps_what_arrived_and_resume_goes_on() {
    let mut scene = Scene::of(4);
    scene.up(1, ChunkSet::full(4));
    let request = scene.open_at(1)[0];
    scene.tell(Input::ChunkNamed { request, chunk: ChunkNo(0) });
    scene.tell(Input::ChunkArrived { request, chunk: ChunkNo(0) });
    let outputs = scene.tell(Input::Pause);
    assert!(outputs.contains(&Output::Unsubscribe { peer: peer(1) }));
    assert!(scene.open.is_empty());
    scene.tell(Input::ChunkVerified { request, chunk: ChunkNo(0) });
    assert_eq!((scene.download.state(), scene.download.have().len()), (State::Paused, 1));
    let outputs = scene.tell(Input::Resume);
    assert!(outputs.contains(&Output::Subscribe { peer: peer(1) }));
    scene.tell(Input::HaveMap { peer: peer(1), have: ChunkSet::full(4) });
    while scene.serve(1, RTT) {}
    assert_eq!(scene.download.state(), State::Done);
}

#[test]
fn a_full_disk_stops_the_asking_until_it_is_free() {
    let mut scene = Scene::of(4);
    scene.up(1, ChunkSet::full(4));
    let request = scene.open_at(1)[0];
    scene.tell(Input::ChunkNamed { request, chunk: ChunkNo(0) });
    scene.tell(Input::ChunkArrived { request, chunk: ChunkNo(0) });
    scene.tell(Input::ChunkUnwritten { request, chunk: ChunkNo(0) });
    scene.tell(Input::DiskFull);
    assert!(scene.open.is_empty());
    assert_eq!(scene.download.state(), State::Waiting(Wait::DiskFull));
    assert_eq!(scene.download.pieces.at(ChunkNo(0)), At::Wanted);
    scene.tell(Input::DiskFree);
    while scene.serve(1, RTT) {}
    assert_eq!(scene.download.state(), State::Done);
}

#[test]
fn at_the_end_a_faster_source_brings_a_second_copy_and_the_loser_is_cancelled() {
    let mut scene = Scene::of(1);
    scene.up(1, ChunkSet::full(1));
    let slow = scene.open_at(1)[0];
    let last = ChunkNo(0);
    scene.tell(Input::ChunkNamed { request: slow, chunk: last });
    // It stalls; another one comes.
    scene.now += Duration::from_secs(4);
    scene.up(2, ChunkSet::full(1));
    let fast = scene.open_at(2)[0];
    assert_eq!(scene.offered_to(2), BTreeSet::from([last.0]));
    scene.tell(Input::ChunkNamed { request: fast, chunk: last });
    scene.tell(Input::ChunkArrived { request: fast, chunk: last });
    let outputs = scene.tell(Input::ChunkVerified { request: fast, chunk: last });
    assert!(outputs.contains(&Output::CancelRequest { request: slow }));
    assert!(outputs.contains(&Output::StateChanged(State::Done)));
}

#[test]
fn the_sole_seeder_is_not_asked_twice() {
    let mut scene = Scene::of(1);
    scene.up(2, set(1, [0]));
    scene.tell(Input::HaveDelta { peer: peer(2), set: ranges(&[]), clear: ranges(&[0]) });
    assert_eq!(scene.download.state(), State::Getting, "what was asked for may still come");
    let request = scene.open_at(2)[0];
    scene.tell(Input::ChunkNamed { request, chunk: ChunkNo(0) });
    scene.now += Duration::from_secs(4);
    scene.up(1, ChunkSet::full(1));
    assert_eq!(scene.open_at(1), []);
}

#[test]
fn a_source_is_never_asked_for_more_than_it_can_still_choose() {
    for sources in [1, 2, 3] {
        let mut scene = Scene::with(vec![1_024; 300], ChunkSet::empty(300), ChunkSet::full(300));
        for who in 1..=sources {
            scene.up(who, ChunkSet::full(300));
        }
        let mut all = 0;
        for who in 1..=sources {
            let asked: u32 = scene.open.values().filter(|(to, ..)| *to == peer(who)).map(|(_, _, take)| take).sum();
            let choice = scene.offered_to(who).len() as u32;
            assert!(asked <= choice, "source {who} of {sources}: {asked} asked of {choice}");
            all += asked;
        }
        assert!((1..=300).contains(&all), "{all} small chunks asked for with {sources} sources");
    }
}

#[test]
fn a_room_full_of_getters_does_not_hide_the_seeder() {
    let mut scene = Scene::of(10);
    for who in 1..=200 {
        scene.tell(Input::SourceUp { peer: peer(who), complete: false, round_trip: RTT });
    }
    assert_eq!(scene.download.sources.subscribed(), SUBSCRIPTIONS_MAX);
    let outputs = scene.tell(Input::SourceUp { peer: peer(201), complete: true, round_trip: RTT });
    assert!(outputs.contains(&Output::Subscribe { peer: peer(201) }));
    assert_eq!(scene.download.sources.subscribed(), SUBSCRIPTIONS_MAX);
}

#[derive(Debug, Clone)]
enum Act {
    Up(u8, bool),
    Down(u8),
    Map(u8, Vec<u32>),
    Full(u8),
    Delta(u8, Vec<u32>, Vec<u32>),
    MapEnded(u8),
    Named(u64, u32),
    Arrived(u64, u32),
    Verified(u64, u32),
    Bad(u64, u32),
    Unwritten(u64, u32),
    Ended(u64, u8),
    Lost(u32),
    Disk(bool),
    Pause(bool),
    Wait(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    let chunks = || proptest::collection::vec(0u32..20, 0..20);
    let pair = || (0u64..40, 0u32..22);
    prop_oneof![
        3 => (0u8..5, any::<bool>()).prop_map(|(p, c)| Act::Up(p, c)),
        1 => (0u8..5).prop_map(Act::Down),
        3 => (0u8..5, chunks()).prop_map(|(p, c)| Act::Map(p, c)),
        3 => (0u8..5).prop_map(Act::Full),
        3 => (0u8..5, chunks(), chunks()).prop_map(|(p, s, c)| Act::Delta(p, s, c)),
        1 => (0u8..5).prop_map(Act::MapEnded),
        8 => pair().prop_map(|(r, c)| Act::Named(r, c)),
        8 => pair().prop_map(|(r, c)| Act::Arrived(r, c)),
        6 => pair().prop_map(|(r, c)| Act::Verified(r, c)),
        2 => pair().prop_map(|(r, c)| Act::Bad(r, c)),
        1 => pair().prop_map(|(r, c)| Act::Unwritten(r, c)),
        4 => (0u64..40, 0u8..6).prop_map(|(r, e)| Act::Ended(r, e)),
        1 => (0u32..22).prop_map(Act::Lost),
        1 => any::<bool>().prop_map(Act::Disk),
        1 => any::<bool>().prop_map(Act::Pause),
        3 => (1u64..8_000).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Whatever sources do, the invariants hold (debug assertions), and one honest source is then
    /// enough to finish.
    #[test]
    fn any_order_of_events_ends_well(acts in proptest::collection::vec(any_act(), 0..150)) {
        let lens = (0..20).map(|n| if n % 4 == 0 { 5_000 } else { CHUNK_BYTES }).collect();
        let mut scene = Scene::with(lens, set(20, [1]), set(20, 0..18));
        for act in acts {
            let request = |n: u64| RequestNo(n);
            let input = match act {
                Act::Up(p, complete) => Input::SourceUp { peer: peer(p), complete, round_trip: RTT },
                Act::Down(p) => Input::SourceDown { peer: peer(p) },
                Act::Map(p, chunks) => Input::HaveMap { peer: peer(p), have: set(20, chunks) },
                Act::Full(p) => Input::HaveMap { peer: peer(p), have: ChunkSet::full(20) },
                Act::Delta(p, s, c) => Input::HaveDelta { peer: peer(p), set: ranges(&s), clear: ranges(&c) },
                Act::MapEnded(p) => Input::HaveEnded { peer: peer(p) },
                Act::Named(r, c) => Input::ChunkNamed { request: request(r), chunk: ChunkNo(c) },
                Act::Arrived(r, c) => Input::ChunkArrived { request: request(r), chunk: ChunkNo(c) },
                Act::Verified(r, c) => Input::ChunkVerified { request: request(r), chunk: ChunkNo(c) },
                Act::Bad(r, c) => Input::ChunkBad { request: request(r), chunk: ChunkNo(c) },
                Act::Unwritten(r, c) => Input::ChunkUnwritten { request: request(r), chunk: ChunkNo(c) },
                Act::Ended(r, e) => Input::RequestEnded {
                    request: request(r),
                    end: match e {
                        0 => RequestEnd::Done,
                        1 => RequestEnd::Busy,
                        2 => RequestEnd::Changed,
                        3 => RequestEnd::Gone,
                        4 => RequestEnd::LinkLost,
                        _ => RequestEnd::Violation,
                    },
                },
                Act::Lost(c) => Input::ChunkLost { chunk: ChunkNo(c) },
                Act::Disk(true) => Input::DiskFull,
                Act::Disk(false) => Input::DiskFree,
                Act::Pause(true) => Input::Pause,
                Act::Pause(false) => Input::Resume,
                Act::Wait(ms) => {
                    scene.after(Duration::from_millis(ms));
                    continue;
                }
            };
            scene.tell(input);
        }
        scene.tell(Input::DiskFree);
        scene.tell(Input::Resume);
        for who in 0..5 {
            scene.tell(Input::SourceDown { peer: peer(who) });
        }
        // What was told to have arrived and never verified would stay for ever: the driver always says.
        let flying: Vec<(RequestNo, ChunkNo)> = scene.download.pieces.in_flight().iter()
            .flat_map(|(chunk, copies)| copies.iter().map(|copy| (copy.request, *chunk))).collect();
        for (request, chunk) in flying {
            scene.tell(Input::ChunkUnwritten { request, chunk });
        }
        prop_assert_eq!(scene.download.outstanding, 0);
        if scene.download.state() != State::Done {
            scene.up(9, ChunkSet::full(20));
        }
        let mut steps = 0;
        while scene.download.state() != State::Done {
            if !scene.serve(9, RTT) {
                scene.after(Duration::from_millis(500));
            }
            steps += 1;
            prop_assert!(steps < 200, "stuck in {:?}", scene.download.state());
        }
        prop_assert!((0..18).all(|chunk| scene.download.have().contains(ChunkNo(chunk))));
    }
}
