//! What we tell the room of our own library: the lines last told, and from them what to send when
//! something changes. Everybody is told the same, so there is one state, not one a peer.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use crate::types::{ContentId, GAMES_PER_PEER_MAX, GameId, LibraryDigest, LibraryEntry};

use super::{
    digest::{digest, digest_of_nothing},
    entry::{Delta, wire_bytes_max},
    local::Local,
    rules::Rules,
};

/// Changes that come together travel together; a person does not see the difference.
const GATHER: Duration = Duration::from_millis(50);
/// Twice a second is as often as a table in the room needs to move.
const INTERVAL: Duration = Duration::from_millis(500);
/// With more changes than this a snapshot is cheaper for everybody, and a delta might not fit its
/// frame: an entry is at most 0.7 KiB, a frame 64.
const DELTA_LINES_MAX: usize = 64;
/// What all lines may come to in a snapshot of at most 1 MiB, its frame aside.
const SNAPSHOT_LINES_BYTES_MAX: usize = (1 << 20) - 1_024;

/// What there is to send after [`Announcer::on_timeout`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Few lines changed.
    Delta(Delta),
    /// Many lines changed: whoever wants them asks for a snapshot.
    Summary(LibraryDigest),
}

/// Our lines as the room was last told of them.
///
/// Invariant: `digest` is that of `told`; `bytes` is what its lines come to at most; both limits hold.
#[derive(Debug)]
pub(super) struct Announcer {
    told: BTreeMap<GameId, Vec<LibraryEntry>>,
    lines: usize,
    bytes: usize,
    digest: LibraryDigest,
    /// Games to look at again.
    dirty: BTreeSet<GameId>,
    /// Games with a line for which there was no room.
    left_out: BTreeSet<GameId>,
    due: Option<Instant>,
    last: Option<Instant>,
}

impl Default for Announcer {
    fn default() -> Self {
        Self {
            told: BTreeMap::new(),
            lines: 0,
            bytes: 0,
            digest: digest_of_nothing(),
            dirty: BTreeSet::new(),
            left_out: BTreeSet::new(),
            due: None,
            last: None,
        }
    }
}

impl Announcer {
    /// The digest of the lines last told.
    pub(super) fn digest(&self) -> LibraryDigest {
        self.digest
    }

    /// The lines last told: the snapshot that goes with [`Self::digest`].
    pub(super) fn told(&self) -> impl Iterator<Item = &LibraryEntry> {
        self.told.values().flatten()
    }

    /// Games that have a line the room is not told of, because there are too many.
    pub(super) fn left_out(&self) -> &BTreeSet<GameId> {
        &self.left_out
    }

    /// Something about `game` may have changed.
    pub(super) fn on_dirty(&mut self, game: &GameId, now: Instant) {
        self.dirty.insert(game.clone());
        if self.due.is_none() {
            let soonest = now + GATHER;
            self.due = Some(self.last.map_or(soonest, |last| soonest.max(last + INTERVAL)));
        }
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Looks at what changed, if it is time; `None` when it comes to nothing.
    pub(super) fn on_timeout(&mut self, local: &Local, rules: &Rules, now: Instant) -> Option<News> {
        if self.due.is_none_or(|due| due > now) {
            return None;
        }
        self.due = None;
        self.last = Some(now);
        let (mut upserts, mut removals) = (Vec::new(), Vec::new());
        // What was left out before may fit where something goes now; removals come first.
        let mut games = std::mem::take(&mut self.dirty);
        games.append(&mut std::mem::take(&mut self.left_out));
        let mut wanted: Vec<(GameId, Vec<LibraryEntry>)> =
            games.into_iter().map(|game| (game.clone(), local.announced(&game, rules))).collect();
        for (game, lines) in &wanted {
            self.take_gone(game, lines, &mut removals);
        }
        for (game, lines) in &mut wanted {
            self.put_new(game, std::mem::take(lines), &mut upserts);
        }
        if upserts.is_empty() && removals.is_empty() {
            return None;
        }
        let from = std::mem::replace(&mut self.digest, digest(self.told.values().flatten()));
        self.assert_invariants();
        if upserts.len() + removals.len() > DELTA_LINES_MAX {
            return Some(News::Summary(self.digest));
        }
        Some(News::Delta(Delta { from, to: self.digest, upserts, removals }))
    }

    fn take_gone(&mut self, game: &GameId, lines: &[LibraryEntry], removals: &mut Vec<ContentId>) {
        let Some(told) = self.told.get_mut(game) else { return };
        let gone = told.extract_if(.., |old| lines.iter().all(|line| line.content != old.content));
        for line in gone {
            self.lines -= 1;
            self.bytes -= wire_bytes_max(&line);
            removals.push(line.content);
        }
        if told.is_empty() {
            self.told.remove(game);
        }
    }

    fn put_new(&mut self, game: &GameId, lines: Vec<LibraryEntry>, upserts: &mut Vec<LibraryEntry>) {
        for line in lines {
            let told = self.told.get_mut(game);
            let old = told.and_then(|told| told.iter_mut().find(|old| old.content == line.content));
            if old.as_deref() == Some(&line) {
                continue;
            }
            let (lines, bytes) = match &old {
                Some(old) => (self.lines, self.bytes - wire_bytes_max(old) + wire_bytes_max(&line)),
                None => (self.lines + 1, self.bytes + wire_bytes_max(&line)),
            };
            if lines > GAMES_PER_PEER_MAX || bytes > SNAPSHOT_LINES_BYTES_MAX {
                self.left_out.insert(game.clone());
                continue;
            }
            (self.lines, self.bytes) = (lines, bytes);
            match old {
                Some(old) => *old = line.clone(),
                None => self.told.entry(game.clone()).or_default().push(line.clone()),
            }
            upserts.push(line);
        }
    }

    fn assert_invariants(&self) {
        debug_assert_eq!(self.lines, self.told.values().map(Vec::len).sum::<usize>(), "lines are miscounted");
        debug_assert_eq!(self.bytes, self.told().map(wire_bytes_max).sum::<usize>(), "bytes are miscounted");
        debug_assert!(self.lines <= GAMES_PER_PEER_MAX && self.bytes <= SNAPSHOT_LINES_BYTES_MAX, "over a limit");
    }
}
