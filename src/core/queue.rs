//! The order of transfers: which run, which wait, and why. Driven by `runtime/transfers`, which
//! starts and stops tasks as told and reports what became of them.
//!
//! It decides in which library a game that is in none is built, reserves disk space between transfers
//! (what the other running ones still need is not free) and never looks at chunks, sources or the disk itself.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use super::room::{self, Choice, SPACE_KEPT};
use crate::types::{ContentId, LibraryNo, Space};

/// Transfers that run at the same time unless the user says otherwise: one that ends its tail
/// leaves the line to the next, more only spread the disk's head.
pub const ACTIVE_DEFAULT: usize = 2;

/// The queue's length. A whole party's library fits many times; a face that asks for more is told.
pub const TRANSFERS_MAX: usize = 4_096;

/// What happened, as the driver tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A transfer is wanted; `needs` is what it will still write. Behind all others; known ones only change `needs`.
    Enqueue {
        /// The build.
        content: ContentId,
        /// Bytes it will still write to the disk.
        needs: u64,
        /// The library the game is in, if it is in one.
        library: Option<LibraryNo>,
        /// As it was when the runtime ended.
        paused: bool,
    },
    /// The game was found to be in this library already.
    Placed {
        /// The build.
        content: ContentId,
        /// Where it is.
        library: LibraryNo,
    },
    /// One place sooner or later.
    Move {
        /// The build.
        content: ContentId,
        /// The way.
        to: Step,
    },
    /// The user stops it.
    Pause {
        /// The build.
        content: ContentId,
    },
    /// The user lets it go on.
    Resume {
        /// The build.
        content: ContentId,
    },
    /// The user gives it up.
    Cancel {
        /// The build.
        content: ContentId,
        /// Whether what is verified stays for the next time.
        keep: Keep,
    },
    /// What it will still write, as it goes on.
    Needs {
        /// The build.
        content: ContentId,
        /// Bytes.
        needs: u64,
    },
    /// It found nobody who has what it lacks: its place goes to another until [`Input::SourceFound`].
    NoSource {
        /// The build.
        content: ContentId,
    },
    /// Somebody has what it lacks.
    SourceFound {
        /// The build.
        content: ContentId,
    },
    /// A write found the disk full.
    DiskFull {
        /// The build.
        content: ContentId,
    },
    /// It is done, or failed for good: it leaves the queue.
    Ended {
        /// The build.
        content: ContentId,
    },
    /// The room in each library now.
    Room {
        /// In the order of their numbers.
        spaces: Vec<Space>,
    },
    /// How many may run; at least one.
    Active {
        /// Transfers.
        max: usize,
    },
}

/// A step in the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Before the one that is before it.
    Sooner,
    /// Behind the one that is behind it.
    Later,
}

/// What becomes of verified chunks when a transfer is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They stay for the next time.
    Verified,
    /// They are deleted.
    Nothing,
}

/// What the driver is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Start it or let it go on.
    Run {
        /// The build.
        content: ContentId,
        /// Where it is built.
        library: LibraryNo,
    },
    /// Request nothing more; it may keep listening for sources.
    Hold {
        /// The build.
        content: ContentId,
        /// Why.
        why: Wait,
    },
    /// End it and forget it.
    Stop {
        /// The build.
        content: ContentId,
        /// What to do with what it has.
        keep: Keep,
    },
    /// The order or a reason changed: faces want a new picture.
    Changed,
}

/// Why a transfer does not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// Others run; `ahead` of it are waiting for their turn.
    Turn {
        /// How many waiting ones go before it.
        ahead: usize,
    },
    /// Nobody has what it lacks.
    NoSource,
    /// A library lacks this much.
    DiskFull {
        /// The library: its own, or the one that lacks least.
        library: LibraryNo,
        /// Bytes.
        short: u64,
    },
    /// Its library, or every one, is not there or cannot be written to.
    NoLibrary,
    /// The user stopped it.
    Paused,
}

/// Where a transfer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Running,
    /// It waits.
    Waiting(Wait),
}

/// The queue.
///
/// Invariant: `order` names each key of `transfers` once; at most `active_max` run; what runs fits
/// its library beside the others that run there, as far as the last [`Input::Room`] told; and a transfer that ran
/// once has a library.
#[derive(Debug)]
pub struct Queue {
    order: Vec<ContentId>,
    transfers: BTreeMap<ContentId, Transfer>,
    active_max: usize,
    /// Empty until the driver has looked: until then everything goes to the first library and fits.
    spaces: Vec<Space>,
    outputs: VecDeque<Output>,
}

#[derive(Debug)]
struct Transfer {
    needs: u64,
    library: Option<LibraryNo>,
    paused: bool,
    sourceless: bool,
    /// A write failed: believed over our own arithmetic until the disk has this much free.
    wants_free: Option<u64>,
    standing: Standing,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(active_max: usize) -> Self {
        Self {
            order: Vec::new(),
            transfers: BTreeMap::new(),
            active_max: active_max.max(1),
            spaces: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Takes in what happened. Drain [`Self::poll_output`] afterwards.
    pub fn handle_input(&mut self, input: Input, _now: Instant) {
        self.on_input(input);
        self.settle();
        self.assert_invariants();
    }

    /// The queue has no time of its own.
    pub fn handle_timeout(&mut self, _now: Instant) {}

    /// Never: the queue acts only on inputs.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<(Instant, &'static str)> {
        None
    }

    /// What to do next; call until `None` after each input.
    #[must_use]
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// All transfers in their order.
    pub fn iter(&self) -> impl Iterator<Item = (ContentId, Standing)> + '_ {
        self.order.iter().map(|content| (*content, self.transfers[content].standing))
    }

    /// Where `content` stands; `None` when it is not queued.
    #[must_use]
    pub fn standing(&self, content: &ContentId) -> Option<Standing> {
        self.transfers.get(content).map(|transfer| transfer.standing)
    }

    /// Whether one more may be queued.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.transfers.len() < TRANSFERS_MAX
    }

    fn on_input(&mut self, input: Input) {
        match input {
            Input::Enqueue { content, needs, library, paused } => self.on_enqueue(content, needs, library, paused),
            Input::Placed { content, library } => self.with(&content, |transfer| transfer.library = Some(library)),
            Input::Move { content, to } => self.on_move(&content, to),
            Input::Pause { content } => self.with(&content, |transfer| transfer.paused = true),
            Input::Resume { content } => self.with(&content, |transfer| transfer.paused = false),
            Input::Cancel { content, keep } => {
                if self.remove(&content) {
                    self.outputs.push_back(Output::Stop { content, keep });
                }
            }
            Input::Needs { content, needs } => self.with(&content, |transfer| transfer.needs = needs),
            Input::NoSource { content } => self.with(&content, |transfer| transfer.sourceless = true),
            Input::SourceFound { content } => self.with(&content, |transfer| transfer.sourceless = false),
            Input::DiskFull { content } => {
                // The disk knows better than the last look at it.
                let library = self.transfers.get(&content).and_then(|transfer| transfer.library);
                if let Some(space) = library.and_then(|library| self.spaces.get_mut(usize::from(library.0))) {
                    space.free = 0;
                }
                self.with(&content, |transfer| transfer.wants_free = Some(transfer.needs.saturating_add(SPACE_KEPT)));
            }
            Input::Ended { content } => {
                self.remove(&content);
            }
            Input::Room { spaces } => self.spaces = spaces,
            Input::Active { max } => self.active_max = max.max(1),
        }
    }

    fn on_enqueue(&mut self, content: ContentId, needs: u64, library: Option<LibraryNo>, paused: bool) {
        if let Some(known) = self.transfers.get_mut(&content) {
            known.needs = needs;
        } else if self.has_room() {
            self.order.push(content);
            let standing = Standing::Waiting(Wait::Turn { ahead: usize::MAX });
            let transfer = Transfer { needs, library, paused, sourceless: false, wants_free: None, standing };
            self.transfers.insert(content, transfer);
        }
    }

    fn on_move(&mut self, content: &ContentId, to: Step) {
        let Some(at) = self.order.iter().position(|other| other == content) else { return };
        let with = match to {
            Step::Sooner => at.checked_sub(1),
            Step::Later => Some(at + 1).filter(|with| *with < self.order.len()),
        };
        if let Some(with) = with {
            self.order.swap(at, with);
            self.outputs.push_back(Output::Changed);
        }
    }

    fn with(&mut self, content: &ContentId, change: impl FnOnce(&mut Transfer)) {
        if let Some(transfer) = self.transfers.get_mut(content) {
            change(transfer);
        }
    }

    fn remove(&mut self, content: &ContentId) -> bool {
        self.order.retain(|other| other != content);
        let removed = self.transfers.remove(content).is_some();
        if removed {
            self.outputs.push_back(Output::Changed);
        }
        removed
    }

    /// Gives out the places in order. One that cannot run lets the next one go first: a game that
    /// does not fit the disk or that nobody has must not hold the others.
    fn settle(&mut self) {
        let (mut places, mut reserved, mut ahead) = (self.active_max, BTreeMap::new(), 0);
        // The order is the user's: one that moved up takes the place of the last that runs.
        for content in self.order.clone() {
            let transfer = &self.transfers[&content];
            let room = self.room_for(transfer, &reserved);
            let standing = if transfer.paused {
                Standing::Waiting(Wait::Paused)
            } else if transfer.sourceless {
                Standing::Waiting(Wait::NoSource)
            } else if let Err(why) = room {
                Standing::Waiting(why)
            } else if places == 0 {
                ahead += 1;
                Standing::Waiting(Wait::Turn { ahead: ahead - 1 })
            } else {
                places -= 1;
                Standing::Running
            };
            if let (Standing::Running, Ok(library), Some(transfer)) = (standing, room, self.transfers.get_mut(&content))
            {
                // What it writes from now on is there.
                transfer.library = Some(library);
                let there: &mut u64 = reserved.entry(library).or_default();
                *there = there.saturating_add(transfer.needs);
            }
            self.on_standing(content, standing);
        }
    }

    /// The library it can run in, or why in none.
    fn room_for(&self, transfer: &Transfer, reserved: &BTreeMap<LibraryNo, u64>) -> Result<LibraryNo, Wait> {
        let reserved = |library: LibraryNo| reserved.get(&library).copied().unwrap_or(0);
        if self.spaces.is_empty() {
            return Ok(transfer.library.unwrap_or_default());
        }
        let Some(library) = transfer.library else {
            return match room::choose(&self.spaces, transfer.needs, reserved) {
                Some(Choice::Fits(library)) => Ok(library),
                Some(Choice::Short { library, .. }) if transfer.needs == 0 => Ok(library),
                Some(Choice::Short { library, short }) => Err(Wait::DiskFull { library, short }),
                None => Err(Wait::NoLibrary),
            };
        };
        let space = self.spaces.get(usize::from(library.0)).filter(|space| space.is_writable);
        let space = *space.ok_or(Wait::NoLibrary)?;
        let refused = transfer.wants_free.map_or(0, |wants| wants.saturating_sub(space.usable()));
        match room::short(space, transfer.needs, reserved(library)).max(refused) {
            // Nothing left to write always fits: a full disk must not stop a commit.
            short if short > 0 && transfer.needs > 0 => Err(Wait::DiskFull { library, short }),
            _fits => Ok(library),
        }
    }

    fn on_standing(&mut self, content: ContentId, standing: Standing) {
        let Some(transfer) = self.transfers.get_mut(&content) else { return };
        let before = std::mem::replace(&mut transfer.standing, standing);
        if standing == Standing::Running {
            transfer.wants_free = None;
        }
        match (before, standing) {
            (Standing::Running, Standing::Running) => {}
            (_, Standing::Running) => {
                let library = transfer.library.unwrap_or_default();
                self.outputs.push_back(Output::Run { content, library });
                self.outputs.push_back(Output::Changed);
            }
            (was, Standing::Waiting(why)) if was != standing => {
                self.outputs.push_back(Output::Hold { content, why });
                self.outputs.push_back(Output::Changed);
            }
            (_, Standing::Waiting(_)) => {}
        }
    }

    fn assert_invariants(&self) {
        if cfg!(debug_assertions) {
            assert_eq!(self.order.len(), self.transfers.len());
            assert!(self.order.iter().all(|content| self.transfers.contains_key(content)));
            let running = self.transfers.values().filter(|transfer| transfer.standing == Standing::Running);
            assert!(running.clone().count() <= self.active_max);
            assert!(running.into_iter().all(|transfer| transfer.library.is_some()));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn id(number: u8) -> ContentId {
        ContentId::from_bytes([number; 32])
    }

    fn add(number: u8, needs: u64) -> Input {
        Input::Enqueue { content: id(number), needs, library: None, paused: false }
    }

    /// Feeds `inputs` and compares the order: `3R 1t0 2p` is 3 running, 1 next, 2 paused;
    /// `n` no source, `d` disk full.
    fn check(inputs: &[Input], expect: &str) {
        let mut queue = Queue::new(ACTIVE_DEFAULT);
        for input in inputs {
            queue.handle_input(input.clone(), Instant::now());
        }
        assert_eq!(picture(&queue), expect, "{inputs:?}");
    }

    fn picture(queue: &Queue) -> String {
        let words = queue.iter().map(|(content, standing)| {
            let number = content.as_bytes()[0];
            match standing {
                Standing::Running => format!("{number}R"),
                Standing::Waiting(Wait::Turn { ahead }) => format!("{number}t{ahead}"),
                Standing::Waiting(Wait::NoSource) => format!("{number}n"),
                Standing::Waiting(Wait::DiskFull { library: LibraryNo(0), short }) => {
                    format!("{number}d{}", short >> 20)
                }
                Standing::Waiting(Wait::DiskFull { library, short }) => {
                    format!("{number}d{}@{}", short >> 20, library.0)
                }
                Standing::Waiting(Wait::NoLibrary) => format!("{number}l"),
                Standing::Waiting(Wait::Paused) => format!("{number}p"),
            }
        });
        words.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn two_run_and_the_others_know_why_they_wait() {
        let four = [add(1, GIB), add(2, GIB), add(3, GIB), add(4, GIB)];
        let then = |more: &[Input]| [&four, more].concat();
        check(&four, "1R 2R 3t0 4t1");
        check(&then(&[Input::Ended { content: id(1) }]), "2R 3R 4t0");
        check(&then(&[Input::Pause { content: id(2) }]), "1R 2p 3R 4t0");
        check(&then(&[Input::Pause { content: id(2) }, Input::Resume { content: id(2) }]), "1R 2R 3t0 4t1");
        check(&then(&[Input::Move { content: id(4), to: Step::Sooner }]), "1R 2R 4t0 3t1");
        check(&then(&[Input::Move { content: id(2), to: Step::Later }]), "1R 3R 2t0 4t1");
        check(&then(&[Input::Move { content: id(1), to: Step::Sooner }]), "1R 2R 3t0 4t1");
        check(&then(&[Input::NoSource { content: id(1) }]), "1n 2R 3R 4t0");
        check(&then(&[Input::NoSource { content: id(1) }, Input::SourceFound { content: id(1) }]), "1R 2R 3t0 4t1");
        check(&then(&[Input::Active { max: 0 }]), "1R 2t0 3t1 4t2");
        check(&then(&[Input::Active { max: 3 }]), "1R 2R 3R 4t0");
        check(&then(&[Input::Cancel { content: id(1), keep: Keep::Nothing }]), "2R 3R 4t0");
        check(&then(&[Input::Cancel { content: id(9), keep: Keep::Nothing }]), "1R 2R 3t0 4t1");
    }

    #[test]
    fn space_of_running_transfers_is_not_free() {
        let free = |gib: u64| room(&[gib * GIB + SPACE_KEPT]);
        check(&[free(3), add(1, 2 * GIB), add(2, 2 * GIB), add(3, GIB)], "1R 2d1024 3R");
        check(&[free(3), add(1, 2 * GIB), add(2, 2 * GIB), free(4)], "1R 2R");
        // As it writes, the disk and its needs shrink together: nobody's place is lost.
        check(&[free(3), add(1, 2 * GIB), add(3, GIB), Input::Needs { content: id(1), needs: GIB }, free(2)], "1R 3R");
        // A write that failed is believed over the arithmetic, and it goes on by itself.
        let full = [free(9), add(1, GIB), Input::DiskFull { content: id(1) }];
        check(&full, "1d1088");
        check(&[&full[..], &[free(2)]].concat(), "1R");
        check(&[room(&[0]), add(1, 0)], "1R");
    }

    /// Libraries with so many bytes free.
    fn room(free: &[u64]) -> Input {
        let space = |free: &u64| Space { free: *free, min_free: 0, is_writable: *free != u64::MAX };
        Input::Room { spaces: free.iter().map(space).collect() }
    }

    #[test]
    fn a_new_game_is_built_where_there_is_room_and_stays_there() {
        let gib = |gib: u64| gib * GIB + SPACE_KEPT;
        let away = u64::MAX;
        let two = [add(1, 2 * GIB), add(2, 2 * GIB)];
        check(&[&[room(&[gib(3), gib(3)])], &two[..]].concat(), "1R 2R");
        check(&[&[room(&[gib(3), gib(1)])], &two[..]].concat(), "1R 2d1024");
        check(&[&[room(&[gib(2), gib(1)])], &two[..]].concat(), "1R 2d1024@1");
        // One that has begun waits for its own library, though another has room.
        let begun = [room(&[gib(1), gib(2)]), add(1, 2 * GIB), room(&[gib(9), gib(1)])];
        check(&begun, "1d1024@1");
        let known = Input::Enqueue { content: id(1), needs: GIB, library: Some(LibraryNo(1)), paused: false };
        check(&[room(&[gib(9), gib(0)]), known.clone()], "1d1024@1");
        check(&[room(&[gib(9), away]), known], "1l");
        check(&[room(&[away]), add(1, GIB)], "1l");
        let found = Input::Placed { content: id(1), library: LibraryNo(1) };
        check(&[room(&[gib(9), gib(0)]), add(1, GIB), found], "1d1024@1");
        // A write that failed says nothing of other libraries.
        let full = Input::DiskFull { content: id(1) };
        check(&[&[room(&[gib(3), gib(3)])], &two[..], &[full]].concat(), "1d2112 2R");
    }

    #[test]
    fn every_change_is_told_once() {
        let mut queue = Queue::new(1);
        let mut outputs = |input| {
            queue.handle_input(input, Instant::now());
            std::iter::from_fn(|| queue.poll_output()).collect::<Vec<_>>()
        };
        assert_eq!(outputs(add(1, 0)), [Output::Run { content: id(1), library: LibraryNo(0) }, Output::Changed]);
        assert_eq!(outputs(add(1, 5)), []);
        let hold = Output::Hold { content: id(1), why: Wait::Paused };
        assert_eq!(outputs(Input::Pause { content: id(1) }), [hold, Output::Changed]);
        assert_eq!(outputs(Input::Pause { content: id(1) }), []);
        let stop = Output::Stop { content: id(1), keep: Keep::Verified };
        assert_eq!(outputs(Input::Cancel { content: id(1), keep: Keep::Verified }), [Output::Changed, stop]);
    }

    fn any_input() -> impl Strategy<Value = Input> {
        (0u8..6, 0u8..12, 0u64..8).prop_map(|(number, kind, amount)| {
            let content = id(number);
            match kind {
                0..=2 => Input::Enqueue { content, needs: amount * GIB, library: None, paused: amount == 7 },
                3 => Input::Move { content, to: if amount % 2 == 0 { Step::Sooner } else { Step::Later } },
                4 => Input::Pause { content },
                5 => Input::Resume { content },
                6 => Input::Cancel { content, keep: Keep::Verified },
                7 => Input::NoSource { content },
                8 => Input::SourceFound { content },
                9 => room(&[amount * 2 * GIB, (8 - amount) * GIB]),
                10 => Input::Ended { content },
                _ => Input::Active { max: amount as usize },
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_told_is_what_stands(inputs in proptest::collection::vec(any_input(), 0..80)) {
            let mut queue = Queue::new(ACTIVE_DEFAULT);
            let mut running = std::collections::BTreeSet::new();
            for input in inputs {
                if let Input::Ended { content } = input {
                    running.remove(&content);
                }
                queue.handle_input(input, Instant::now());
                while let Some(output) = queue.poll_output() {
                    match output {
                        Output::Run { content, .. } => prop_assert!(running.insert(content)),
                        Output::Hold { content, .. } | Output::Stop { content, .. } => { running.remove(&content); }
                        Output::Changed => {}
                    }
                }
                let standing: std::collections::BTreeSet<_> =
                    queue.iter().filter(|(_, s)| *s == Standing::Running).map(|(c, _)| c).collect();
                prop_assert_eq!(&running, &standing);
            }
        }
    }
}
