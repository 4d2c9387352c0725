//! What happened, one fact at a time. The sentence is made where the fact is known, so that every
//! face says the same.

use serde::{Deserialize, Serialize};

/// A fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// How much it matters.
    pub level: Level,
    /// For people, cleaned.
    pub text: String,
    /// For programs.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// For the log.
    Debug,
    /// Worth a line.
    Info,
    /// Good news: something is done.
    Done,
    /// Something is not as it should be.
    Warning,
    /// Something needs the user.
    Error,
}

/// For programs: what kind of fact, and its subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// A session with a peer stands.
    PeerUp {
        /// PeerId.
        peer: String,
    },
    /// The last link of a session is gone.
    PeerDown {
        /// PeerId.
        peer: String,
    },
    /// A peer was refused or could not be reached.
    PeerTrouble {
        /// PeerId, when known.
        peer: Option<String>,
    },
    /// A link was made (`+1`) or ended (`-1`).
    Connection {
        /// `1` or `-1`.
        state: i8,
        /// PeerId.
        peer: String,
        /// Its address.
        addr: String,
        /// What lies between.
        path: super::LinkPath,
        /// Number of the link in this run.
        link: u64,
    },
    /// The runtime is in another phase now.
    Phase(super::Status),
    /// A game of the library is new, changed or gone.
    Library {
        /// GameId.
        game: String,
    },
    /// A transfer changed state.
    Transfer {
        /// GameId.
        game: String,
        /// ContentId.
        content: String,
        /// The state it is in now.
        state: super::StateWord,
    },
    /// A transfer's payload is committed.
    Downloaded {
        /// GameId.
        game: String,
        /// ContentId.
        content: String,
        /// Version.
        version: String,
        /// Bytes that were here before, of an old version or an earlier try.
        #[serde(default)]
        reused: u64,
        /// Where the other bytes came from, to the last one; a snapshot may never show that.
        #[serde(default)]
        sources: Vec<super::SourceView>,
        /// Where files of the payload are now that the user had changed, by their paths in the root; at most
        /// [`super::OWN_FILES_MAX`].
        #[serde(default)]
        set_aside: Vec<String>,
    },
    /// A game became playable.
    Installed {
        /// GameId.
        game: String,
        /// ContentId of what was installed.
        content: String,
        /// Files of the user's that came along, by their paths in the root; at most [`super::OWN_FILES_MAX`].
        #[serde(default)]
        kept: Vec<String>,
        /// Where files are now that the user had added or changed in its predecessor; likewise.
        #[serde(default)]
        set_aside: Vec<String>,
    },
    /// A game could not be made playable.
    InstallFailed {
        /// GameId.
        game: String,
        /// Why, and what became of what was begun.
        reason: String,
    },
    /// A game was started.
    Playing {
        /// GameId.
        game: String,
        /// Its process on the runtime's machine.
        pid: u32,
    },
    /// What a game was installed from is gone, or was to go and stays.
    Dropped {
        /// GameId.
        game: String,
        /// ContentId of the build that is installed.
        content: String,
        /// Why it stays.
        stays: Option<String>,
    },
    /// A game that was started has ended.
    Played {
        /// GameId.
        game: String,
        /// The process it was.
        pid: u32,
        /// Its exit code, where it ended by itself.
        code: Option<i32>,
        /// The signal that ended it, where one did.
        signal: Option<i32>,
        /// How long it ran.
        seconds: u64,
    },
    /// A chunk did not have its hash.
    BadChunk {
        /// GameId.
        game: String,
        /// ContentId.
        content: String,
        /// Chunk number.
        chunk: u32,
        /// PeerId of its source; ourselves when it was ours.
        peer: String,
    },
    /// A service ended that the runtime cannot do without.
    RuntimeFailed {
        /// Its name.
        service: String,
    },
    /// Anything else worth saying.
    Note,
}
