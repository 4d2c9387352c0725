//! Library entries on the wire: snapshots, deltas, digests. An entry that breaks a rule of `types`
//! is left out and counted, so that one odd game does not hide a whole peer.

use serde::{Deserialize, Deserializer, Serialize};

use super::{frame::FrameError, text};
use crate::types::{ContentId, EntryState, GAMES_PER_PEER_MAX, GameId, LibraryDigest, LibraryEntry, Tenths, Version};

/// Bytes of a snapshot's JSON.
pub const SNAPSHOT_BYTES_MAX: usize = 1 << 20;

/// A digest in an object of its own, so that Hello can say more of the library one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireDigest {
    /// The digest.
    #[serde(with = "text")]
    pub digest: LibraryDigest,
}

/// A peer's whole library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibrarySnapshot {
    /// The digest of exactly this state.
    #[serde(with = "text")]
    pub digest: LibraryDigest,
    /// At most [`GAMES_PER_PEER_MAX`] entries.
    pub games: WireEntries,
}

impl LibrarySnapshot {
    /// The snapshot's JSON. Whoever has more than fits sends what fits, in the order given.
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let bytes = serde_json::to_vec(self).map_err(|error| FrameError::Malformed { detail: error.to_string() })?;
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(FrameError::TooLong { bytes: bytes.len() as u64, max: SNAPSHOT_BYTES_MAX });
        }
        Ok(bytes)
    }

    /// Reads a snapshot of at most [`SNAPSHOT_BYTES_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        if bytes.len() > SNAPSHOT_BYTES_MAX {
            return Err(FrameError::TooLong { bytes: bytes.len() as u64, max: SNAPSHOT_BYTES_MAX });
        }
        super::frame::decode(bytes)
    }
}

/// What changed in a library between two digests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LibraryDelta {
    /// The digest before; who holds another state asks for a snapshot.
    #[serde(with = "text")]
    pub from: LibraryDigest,
    /// The digest after.
    #[serde(with = "text")]
    pub to: LibraryDigest,
    /// Entries that are new or changed.
    #[serde(default)]
    pub upserts: WireEntries,
    /// Builds no longer offered.
    #[serde(default)]
    pub removals: Contents,
}

/// A list of builds.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contents(#[serde(with = "content_list")] pub Vec<ContentId>);

mod content_list {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    use crate::types::ContentId;

    pub(super) fn serialize<S: Serializer>(list: &[ContentId], serializer: S) -> Result<S::Ok, S::Error> {
        list.iter().map(ToString::to_string).collect::<Vec<_>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ContentId>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts.iter().map(|text| text.parse().map_err(de::Error::custom)).collect()
    }
}

/// Entries, with those left out that break a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WireEntries {
    /// The good ones, at most [`GAMES_PER_PEER_MAX`].
    pub entries: Vec<LibraryEntry>,
    /// How many were left out.
    pub left_out: u32,
}

impl WireEntries {
    /// Entries to send.
    #[must_use]
    pub fn new(mut entries: Vec<LibraryEntry>) -> Self {
        let left_out = entries.len().saturating_sub(GAMES_PER_PEER_MAX) as u32;
        entries.truncate(GAMES_PER_PEER_MAX);
        Self { entries, left_out }
    }
}

impl Serialize for WireEntries {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.iter().map(RawEntry::of))
    }
}

impl<'de> Deserialize<'de> for WireEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Vec::<RawEntry>::deserialize(deserializer)?;
        let count = raw.len();
        let entries: Vec<_> = raw.into_iter().take(GAMES_PER_PEER_MAX).filter_map(RawEntry::check).collect();
        Ok(Self { left_out: (count - entries.len()) as u32, entries })
    }
}

#[derive(Serialize, Deserialize)]
struct RawEntry {
    game: String,
    #[serde(default)]
    title: String,
    version: String,
    content: String,
    size: u64,
    files: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    installed: Option<u64>,
    state: RawState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tenths: Option<u8>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RawState {
    Ready,
    Getting,
}

impl RawEntry {
    fn of(entry: &LibraryEntry) -> Self {
        let (state, tenths) = match entry.state {
            EntryState::Ready => (RawState::Ready, None),
            EntryState::Getting(tenths) => (RawState::Getting, Some(tenths.get())),
        };
        Self {
            game: entry.game.to_string(),
            title: entry.title.clone(),
            version: entry.version.to_string(),
            content: entry.content.to_string(),
            size: entry.size,
            files: entry.files,
            installed: entry.installed,
            state,
            tenths,
        }
    }

    /// `None` when a rule of `types` is broken.
    fn check(self) -> Option<LibraryEntry> {
        let game = GameId::new(&self.game).ok()?;
        Some(LibraryEntry {
            title: LibraryEntry::title_of(&self.title, &game),
            version: Version::new(&self.version).ok()?,
            content: self.content.parse().ok()?,
            size: self.size,
            files: self.files,
            installed: self.installed,
            state: match self.state {
                RawState::Ready => EntryState::Ready,
                RawState::Getting => EntryState::Getting(Tenths::new(self.tenths.unwrap_or(0))),
            },
            game,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(game: &str, state: EntryState) -> LibraryEntry {
        LibraryEntry {
            game: GameId::new(game).unwrap(),
            title: "T".into(),
            version: Version::new("1.2").unwrap(),
            content: ContentId::from_bytes([3; 32]),
            size: 10,
            files: 2,
            installed: (state == EntryState::Ready).then_some(12),
            state,
        }
    }

    #[test]
    fn snapshots_read_what_they_write() {
        let games =
            WireEntries::new(vec![entry("a", EntryState::Ready), entry("b", EntryState::Getting(Tenths::new(4)))]);
        let snapshot = LibrarySnapshot { digest: LibraryDigest::from_bytes([1; 32]), games };
        let bytes = snapshot.encode().unwrap();
        assert_eq!(LibrarySnapshot::decode(&bytes), Ok(snapshot));
        assert!(LibrarySnapshot::decode(&vec![b' '; SNAPSHOT_BYTES_MAX + 1]).is_err());
    }

    #[test]
    fn an_odd_entry_is_left_out_and_counted() {
        let good = serde_json::to_value(RawEntry::of(&entry("a", EntryState::Ready))).unwrap();
        let mut bad = good.clone();
        bad["game"] = "../x".into();
        let mut title = good.clone();
        title["title"] = "\u{1b}[2Jx".into();
        let list: WireEntries = serde_json::from_value(serde_json::json!([good, bad, title])).unwrap();
        assert_eq!((list.entries.len(), list.left_out), (2, 1));
        assert_eq!(list.entries[1].title, "[2Jx");
    }
}
