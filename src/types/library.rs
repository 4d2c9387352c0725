//! One line of a peer's library, as it travels through the room.

use super::{
    content::{ContentId, hash_newtype},
    game::{GameId, Version},
    text::clean,
};

/// What fits the widest title column; a longer title is cut, not refused.
pub const TITLE_CHARS_MAX: usize = 64;
/// Lines of one peer's library: a snapshot of this many stays below 1 MiB.
pub const GAMES_PER_PEER_MAX: usize = 5_000;

/// Which of our libraries, counted in the order of the settings. Means nothing to anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LibraryNo(pub u8);

/// Room in one of our libraries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Space {
    /// Bytes the file system has free.
    pub free: u64,
    /// Of which so many are not potluck's to use.
    pub min_free: u64,
    /// Whether anything can be put there.
    pub is_writable: bool,
}

impl Space {
    /// Bytes that games may take.
    #[must_use]
    pub fn usable(self) -> u64 {
        self.free.saturating_sub(self.min_free)
    }
}

hash_newtype! {
    /// Says whether two states of one peer's library are the same. Made by its owner, opaque to others.
    LibraryDigest
}

/// How much of a growing game is there, in tenths: 0 to 9; what is whole is *ready* instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenths(u8);

impl Tenths {
    /// `have` of `all`, rounded down, at most 9.
    #[must_use]
    pub fn of(have: u64, all: u64) -> Self {
        if all == 0 {
            return Self(9);
        }
        Self((u128::from(have) * 10 / u128::from(all)).min(9) as u8)
    }

    /// From a number off the wire, cut to 9.
    #[must_use]
    pub fn new(tenths: u8) -> Self {
        Self(tenths.min(9))
    }

    /// 0 to 9.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

/// What a peer has of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntryState {
    /// All of it.
    Ready,
    /// Some of it, and it serves what it has.
    Getting(Tenths),
}

/// One build of a game that a peer offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LibraryEntry {
    /// The game.
    pub game: GameId,
    /// Its title, cleaned, at most [`TITLE_CHARS_MAX`] characters; the id where there is none.
    pub title: String,
    /// What its `version.ini` says.
    pub version: Version,
    /// The exact build.
    pub content: ContentId,
    /// Bytes of all its files.
    pub size: u64,
    /// Number of its files.
    pub files: u32,
    /// Bytes it takes when it is installed, if the peer has all of it and found that out. A hint, to be shown and asked by.
    pub installed: Option<u64>,
    /// How much of it the peer has.
    pub state: EntryState,
}

impl LibraryEntry {
    /// A title as entries carry it.
    #[must_use]
    pub fn title_of(text: &str, game: &GameId) -> String {
        let title = clean(text.trim(), TITLE_CHARS_MAX);
        if title.is_empty() { game.as_str().to_owned() } else { title }
    }
}
