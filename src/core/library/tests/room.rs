//! Random rooms: whatever is done in whatever order, the end is what a plain recomputation says.

use std::collections::{BTreeMap, VecDeque};

use proptest::prelude::*;

use super::*;

const PEERS: u8 = 4;

fn any_line() -> impl Strategy<Value = LibraryEntry> {
    (0..5u8, 0..4u8, 0..3u8, 0..=10u8).prop_map(|(game, build, version, tenths)| {
        // Now and then two peers say different things of one content, or of another game's.
        entry(&format!("g{game}"), game * 4 + build + u8::from(version == 2), &format!("1.{version}"), tenths)
    })
}

fn any_lines() -> impl Strategy<Value = Vec<LibraryEntry>> {
    prop::collection::vec(any_line(), 0..12)
}

/// What can happen at one peer's lines.
#[derive(Debug, Clone)]
enum Step {
    Join(u8, Vec<LibraryEntry>),
    Change(u8, Vec<LibraryEntry>, Vec<u8>),
    Leave(u8),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..PEERS, any_lines()).prop_map(|(peer, lines)| Step::Join(peer, lines)),
        (0..PEERS, any_lines(), prop::collection::vec(0..21u8, 0..4))
            .prop_map(|(peer, upserts, removals)| Step::Change(peer, upserts, removals)),
        (0..PEERS).prop_map(Step::Leave),
    ]
}

/// Lines by content, as a peer has at most one of each.
type Lines = BTreeMap<ContentId, LibraryEntry>;

fn by_content(lines: &[LibraryEntry]) -> Lines {
    lines.iter().map(|line| (line.content, line.clone())).collect()
}

#[test]
fn who_has_nothing_of_a_game_and_what_a_peer_has_beside_us() {
    let whole = |id: &str, number| entry(id, number, "1", 10);
    let begun = |id: &str, number| entry(id, number, "1", 4);
    let peers: [(u8, &[LibraryEntry]); 3] =
        [(1, &[whole("a", 1), whole("b", 2)]), (2, &[whole("b", 2), begun("a", 1), begun("d", 4)]), (3, &[])];
    let mut library = room_of(Rules::default(), &peers);
    let now = Instant::now();
    for (id, number) in [("b", 2), ("c", 3)] {
        library.handle_local(&game(id), LocalChange::Complete(build(number, "1")), now);
    }
    assert_eq!(library.without(&game("a")), [peer(3)]);
    assert_eq!(library.without(&game("b")), [peer(3)]);
    assert_eq!(library.without(&game("c")), [peer(1), peer(2), peer(3)]);
    // What it has only begun is neither: it cannot be got from there, nor does it lack it.
    let compare = |number| library.compare(&peer(number)).unwrap();
    assert_eq!(compare(1), (vec![game("a")], vec![game("c")]));
    assert_eq!(compare(2), (vec![], vec![game("c")]));
    assert_eq!(compare(3), (vec![], vec![game("b"), game("c")]));
    assert_eq!(library.compare(&peer(9)), None);
    assert_eq!((library.whole_holders(&game("b")), library.whole_holders(&game("c"))), (2, 0));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_digest_does_not_depend_on_order_and_tells_any_change(mut lines in any_lines(), at in any::<prop::sample::Index>()) {
        lines = by_content(&lines).into_values().collect();
        let before = digest(&lines);
        lines.reverse();
        prop_assert_eq!(digest(&lines), before);
        if !lines.is_empty() {
            let at = at.index(lines.len());
            for change in 0..6 {
                let mut other = lines.clone();
                let line = &mut other[at];
                match change {
                    0 => line.title.push('x'),
                    1 => line.version = version("7"),
                    2 => line.size += 1,
                    3 => line.files += 1,
                    4 => line.content = content(99),
                    _ => {
                        line.state = match line.state {
                            EntryState::Ready => EntryState::Getting(Tenths::new(9)),
                            EntryState::Getting(_) => EntryState::Ready,
                        }
                    }
                }
                prop_assert_ne!(digest(&other), before, "change {}", change);
            }
        }
    }

    #[test]
    fn the_index_is_what_a_recomputation_says(steps in prop::collection::vec(any_step(), 1..40)) {
        let now = Instant::now();
        let mut library = Library::default();
        let mut model: BTreeMap<u8, Lines> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Join(number, lines) => {
                    let lines: Vec<_> = by_content(&lines).into_values().collect();
                    join(&mut library, number, number, &lines, now);
                    model.insert(number, by_content(&lines));
                }
                Step::Change(number, upserts, removals) => {
                    let Some(lines) = model.get_mut(&number) else { continue };
                    let from = digest(lines.values());
                    let removals: Vec<ContentId> = removals.into_iter().map(content).collect();
                    for removal in &removals {
                        lines.remove(removal);
                    }
                    lines.extend(by_content(&upserts));
                    let delta = Delta { from, to: digest(lines.values()), upserts, removals };
                    library.handle_delta(&peer(number), &delta, now);
                }
                Step::Leave(number) => {
                    library.handle_peer_down(&peer(number), now);
                    model.remove(&number);
                }
            }
            library.index.assert_invariants();
            compare(&library, &model)?;
        }
    }

    #[test]
    fn every_start_order_converges(seed in any::<u64>(), plan in prop::collection::vec((0..PEERS, 0..6u8, 0..5u8, 0..7u8), 1..60)) {
        Room::new(seed).run(&plan)?;
    }
}

/// Counts, holders and contents against the plain lists.
fn compare(library: &Library, model: &BTreeMap<u8, Lines>) -> Result<(), TestCaseError> {
    let mut games: BTreeMap<GameId, BTreeMap<ContentId, BTreeMap<PeerId, EntryState>>> = BTreeMap::new();
    for (number, lines) in model {
        for line in lines.values() {
            let builds = games.entry(line.game.clone()).or_default();
            builds.entry(line.content).or_default().insert(peer(*number), line.state);
        }
        let whole = lines.values().filter(|line| line.state == EntryState::Ready).count();
        prop_assert_eq!(library.peer(&peer(*number)).map(|summary| summary.games), Some(whole));
    }
    prop_assert_eq!(library.games(), games.keys().cloned().collect::<BTreeSet<_>>());
    for (game, builds) in &games {
        let rows = library.builds(game);
        prop_assert_eq!(rows.len(), builds.len());
        for row in rows {
            let holders = &builds[&row.content];
            let whole = holders.values().filter(|state| **state == EntryState::Ready).count();
            prop_assert_eq!((row.whole, row.partial), (whole, holders.len() - whole));
            let key = BuildKey { game: game.clone(), content: row.content };
            prop_assert_eq!(library.holders(&key).into_iter().collect::<BTreeMap<_, _>>(), holders.clone());
            for (peer, state) in holders {
                prop_assert_eq!(library.share_of(peer, game, &row.content), Some(*state));
            }
        }
    }
    Ok(())
}

/// What is on its way from one machine to another.
#[derive(Debug)]
enum Message {
    Up(LibraryDigest),
    Down,
    Summary(LibraryDigest),
    Delta(Delta),
    Ask(FetchNo),
    Snapshot(FetchNo, LibraryDigest, Vec<LibraryEntry>),
    Refused(FetchNo),
}

/// Machines with real cores, joined by streams that keep their own order and no other: one for
/// control, one for snapshots.
struct Room {
    machines: Vec<Library>,
    linked: BTreeSet<(u8, u8)>,
    control: BTreeMap<(u8, u8), VecDeque<Message>>,
    snapshots: BTreeMap<(u8, u8), VecDeque<Message>>,
    now: Instant,
    random: u64,
}

impl Room {
    fn new(seed: u64) -> Self {
        Self {
            machines: (0..PEERS).map(|_| Library::default()).collect(),
            linked: BTreeSet::new(),
            control: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            now: Instant::now(),
            random: seed | 1,
        }
    }

    fn run(mut self, plan: &[(u8, u8, u8, u8)]) -> Result<(), TestCaseError> {
        for (machine, what, which, how) in plan {
            self.step(*machine, *what, *which, *how);
            for _ in 0..self.draw(6) {
                self.deliver();
            }
            let pause = self.draw(400);
            self.now += Duration::from_millis(pause);
            self.tick();
        }
        for one in 0..PEERS {
            for other in 0..one {
                self.link(one, other);
            }
        }
        for _ in 0..2_000 {
            while self.deliver() {}
            self.now += Duration::from_millis(100);
            self.tick();
        }
        for one in 0..PEERS {
            for other in 0..PEERS {
                if one != other {
                    let here = &self.machines[usize::from(one)].here[&peer(other)];
                    let seen = self.machines[usize::from(one)].index.lines_of(here.no);
                    let (_, told) = self.machines[usize::from(other)].snapshot();
                    prop_assert_eq!(
                        by_content(&seen),
                        told.map(|line| (line.content, line.clone())).collect(),
                        "{} of {}",
                        one,
                        other
                    );
                }
            }
            let library = &self.machines[usize::from(one)];
            library.index.assert_invariants();
            let now_known: Lines = library
                .local_games()
                .flat_map(|(game, _)| library.local.announced(game, &library.rules))
                .map(|line| (line.content, line))
                .collect();
            let (said, told) = library.snapshot();
            prop_assert_eq!(digest(now_known.values()), said);
            prop_assert_eq!(now_known, told.map(|line| (line.content, line.clone())).collect());
        }
        Ok(())
    }

    fn step(&mut self, machine: u8, what: u8, which: u8, how: u8) {
        let id = game(&format!("g{which}"));
        let number = which * 8 + how;
        let now = self.now;
        let library = &mut self.machines[usize::from(machine)];
        match what {
            0 => library.handle_local(&id, LocalChange::Complete(build(number, "1")), now),
            1 => library.handle_local(&id, LocalChange::Gone, now),
            2 => {
                let growing = Growing { facts: facts("2"), tenths: Tenths::new(how) };
                library.handle_growing(&id, content(which * 8 + 7), growing, now);
            }
            3 => library.handle_growing_ended(&id, &content(which * 8 + 7), now),
            4 => self.link(machine, which % PEERS),
            _ => self.unlink(machine, which % PEERS),
        }
    }

    /// Hello carries a digest of the moment it was written, which is not the moment it is read.
    fn link(&mut self, one: u8, other: u8) {
        let pair = (one.min(other), one.max(other));
        if one == other || !self.linked.insert(pair) {
            return;
        }
        for (from, to) in [(one, other), (other, one)] {
            let said = self.machines[usize::from(from)].snapshot().0;
            self.control.entry((from, to)).or_default().push_back(Message::Up(said));
        }
    }

    fn unlink(&mut self, one: u8, other: u8) {
        if self.linked.remove(&(one.min(other), one.max(other))) {
            for (from, to) in [(one, other), (other, one)] {
                self.snapshots.remove(&(from, to));
                let control = self.control.entry((from, to)).or_default();
                control.clear();
                control.push_back(Message::Down);
            }
        }
    }

    fn deliver(&mut self) -> bool {
        let queues = [&self.control, &self.snapshots];
        let waiting: Vec<(usize, (u8, u8))> = queues
            .iter()
            .enumerate()
            .flat_map(|(kind, queues)| {
                queues.iter().filter(|(_, queue)| !queue.is_empty()).map(move |(way, _)| (kind, *way))
            })
            .collect();
        if waiting.is_empty() {
            return false;
        }
        let (kind, way) = waiting[self.draw(waiting.len() as u64) as usize];
        let queues = if kind == 0 { &mut self.control } else { &mut self.snapshots };
        if let Some(message) = queues.get_mut(&way).and_then(VecDeque::pop_front) {
            self.receive(way, message);
        }
        true
    }

    fn receive(&mut self, (from, to): (u8, u8), message: Message) {
        let now = self.now;
        let library = &mut self.machines[usize::from(to)];
        let sender = peer(from);
        match message {
            Message::Up(said) => library.handle_peer_up(sender, address(from), said, now),
            Message::Down => library.handle_peer_down(&sender, now),
            Message::Summary(said) => library.handle_summary(&sender, said, now),
            Message::Delta(delta) => library.handle_delta(&sender, &delta, now),
            Message::Snapshot(fetch, said, lines) => library.handle_snapshot(&sender, fetch, said, lines, now),
            Message::Refused(fetch) => library.handle_snapshot_failed(&sender, fetch, now),
            Message::Ask(fetch) => {
                if self.draw(5) == 0 {
                    self.snapshots.entry((to, from)).or_default().push_back(Message::Refused(fetch));
                    return;
                }
                let library = &self.machines[usize::from(to)];
                let (said, lines) = library.snapshot();
                let answer = Message::Snapshot(fetch, said, lines.cloned().collect());
                self.snapshots.entry((to, from)).or_default().push_back(answer);
            }
        }
        self.drain(to);
    }

    fn tick(&mut self) {
        for machine in 0..PEERS {
            self.machines[usize::from(machine)].handle_timeout(self.now);
            self.drain(machine);
        }
    }

    fn drain(&mut self, machine: u8) {
        for output in outputs(&mut self.machines[usize::from(machine)]) {
            match output {
                Output::Digest(_) | Output::Left { .. } | Output::Changed { .. } => {}
                Output::SummaryTo { peer, digest } => self.send(machine, Some(peer), || Message::Summary(digest)),
                Output::Summary(digest) => self.send(machine, None, || Message::Summary(digest)),
                Output::Delta(delta) => self.send(machine, None, || Message::Delta(delta.clone())),
                Output::Fetch { peer, fetch } => {
                    let to = peer.as_bytes()[0];
                    if self.is_linked(machine, to) {
                        self.snapshots.entry((machine, to)).or_default().push_back(Message::Ask(fetch));
                    }
                }
            }
        }
    }

    fn send(&mut self, from: u8, to: Option<PeerId>, message: impl Fn() -> Message) {
        for other in (0..PEERS).filter(|other| to.is_none_or(|to| to == peer(*other))) {
            if self.is_linked(from, other) {
                self.control.entry((from, other)).or_default().push_back(message());
            }
        }
    }

    fn is_linked(&self, one: u8, other: u8) -> bool {
        self.linked.contains(&(one.min(other), one.max(other)))
    }

    /// A number below `below`, from the seed alone.
    fn draw(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below.max(1)
    }
}
