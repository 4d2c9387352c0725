//! The record of a change to a game root that is under way: `.potluck/journal.json`. It is written
//! before the first step that cannot simply be forgotten, and dropped after the last.

use serde::{Deserialize, Serialize};

use super::text;
use crate::types::{ContentId, clean};

/// Bytes of a journal: it names things, at most two folders, and does not hold them.
pub const JOURNAL_BYTES_MAX: usize = 16_384;
const FORMAT: u32 = 1;

/// What is going on in a game root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Journal {
    /// The payload of `to` moves from `incoming` into the root.
    Commit {
        /// The build that was there, whose manifest is parked beside this file; none for a new game.
        #[serde(default, with = "optional_content", skip_serializing_if = "Option::is_none")]
        from: Option<ContentId>,
        /// The build that will be there.
        #[serde(with = "text")]
        to: ContentId,
    },
    /// What was unpacked becomes `local/`.
    Install {
        /// The build it was unpacked from.
        #[serde(with = "text")]
        to: ContentId,
    },
    /// The payload goes, and with it the root when nothing else is in it.
    Remove {
        /// The build that was there.
        #[serde(with = "text")]
        from: ContentId,
    },
    /// The game goes to another library, on another file system, where a whole copy of it waits.
    Move {
        /// The folder of the library it was in.
        from: String,
        /// The folder of the library it will be in.
        to: String,
    },
}

#[derive(Serialize, Deserialize)]
struct Record {
    v: u32,
    #[serde(flatten)]
    journal: Journal,
}

impl Journal {
    /// The file's bytes.
    pub fn encode(&self) -> Result<Vec<u8>, JournalError> {
        let record = Record { v: FORMAT, journal: self.clone() };
        serde_json::to_vec(&record).map_err(|error| JournalError { detail: error.to_string() })
    }

    /// Reads a journal of at most [`JOURNAL_BYTES_MAX`].
    pub fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        if bytes.len() > JOURNAL_BYTES_MAX {
            return Err(JournalError { detail: format!("more than {JOURNAL_BYTES_MAX} bytes") });
        }
        let record: Record =
            serde_json::from_slice(bytes).map_err(|error| JournalError { detail: clean(&error.to_string(), 200) })?;
        if record.v != FORMAT {
            return Err(JournalError { detail: format!("format {}, this potluck reads {FORMAT}", record.v) });
        }
        Ok(record.journal)
    }
}

mod optional_content {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de};

    use crate::types::ContentId;

    #[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
    pub(super) fn serialize<S: Serializer>(id: &Option<ContentId>, serializer: S) -> Result<S::Ok, S::Error> {
        id.map(|id| id.to_string()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ContentId>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(de::Error::custom)).transpose()
    }
}

/// Why a journal cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the journal cannot be understood: {detail}")]
pub struct JournalError {
    /// What is wrong with it.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_read_what_they_write() {
        let to = ContentId::from_bytes([2; 32]);
        for journal in [
            Journal::Commit { from: None, to },
            Journal::Commit { from: Some(ContentId::from_bytes([1; 32])), to },
            Journal::Remove { from: to },
            Journal::Install { to },
            Journal::Move { from: "/games".to_owned(), to: "/mnt/\u{e4}".to_owned() },
        ] {
            assert_eq!(Journal::decode(&journal.encode().unwrap()), Ok(journal));
        }
        for bad in [&b""[..], b"{}", b"\0\0\0", br#"{"v":2,"op":"remove","from":"00"}"#, &[b' '; JOURNAL_BYTES_MAX + 1]]
        {
            assert!(Journal::decode(bad).is_err());
        }
    }
}
