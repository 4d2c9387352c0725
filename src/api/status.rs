//! What the runtime is doing as a whole: its phase, since when, and why it failed if it did. The
//! words are stable: scripts compare them.

use serde::{Deserialize, Serialize};

/// What the runtime is doing as a whole. Stable words; four are kept for peers beyond this network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not started, or all over.
    #[default]
    Idle,
    /// Taking the home, the library and the listener.
    Binding,
    /// Reserved: asking the router for a port.
    MappingPort,
    /// Reserved: asking others for our address.
    DetectingAddress,
    /// Reserved: telling a meeting point where we are.
    Registering,
    /// Looking at the library.
    Scanning,
    /// Telling the room.
    Announcing,
    /// Reserved: having somebody dial us.
    Verifying,
    /// At work.
    Serving,
    /// Saying goodbye.
    Stopping,
    /// Ended by a failure.
    Error,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 11] = [
        Self::Idle,
        Self::Binding,
        Self::MappingPort,
        Self::DetectingAddress,
        Self::Registering,
        Self::Scanning,
        Self::Announcing,
        Self::Verifying,
        Self::Serving,
        Self::Stopping,
        Self::Error,
    ];

    /// The stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Binding => "binding",
            Self::MappingPort => "mapping_port",
            Self::DetectingAddress => "detecting_address",
            Self::Registering => "registering",
            Self::Scanning => "scanning",
            Self::Announcing => "announcing",
            Self::Verifying => "verifying",
            Self::Serving => "serving",
            Self::Stopping => "stopping",
            Self::Error => "error",
        }
    }

    /// Whether it is on the way to [`Self::Serving`].
    #[must_use]
    pub fn is_starting(self) -> bool {
        match self {
            Self::Idle
            | Self::Binding
            | Self::MappingPort
            | Self::DetectingAddress
            | Self::Registering
            | Self::Scanning
            | Self::Announcing
            | Self::Verifying => true,
            Self::Serving | Self::Stopping | Self::Error => false,
        }
    }
}

/// Why the runtime failed, for programs. Stable words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Another potluck works in this home.
    HomeHeld,
    /// Another potluck works in this library.
    LibraryHeld,
    /// A lock file could not be made.
    Lock,
    /// A folder of ours could not be made.
    Folder,
    /// The key could not be read or made.
    Identity,
    /// The library folder cannot be used.
    Library,
    /// The catalog cannot be read.
    Catalog,
    /// The listener could not be opened.
    Bind,
    /// Threads could not be started.
    Threads,
    /// It was told to stop while it was starting.
    Canceled,
    /// A service ended that nothing works without.
    ServiceFailed,
}

/// The status of the runtime: what `GET /v1/status` says first, and what each change of it tells.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// Why it failed, for people; only in [`Phase::Error`].
    pub error: Option<String>,
    /// Why it failed, for programs; only in [`Phase::Error`].
    pub reason: Option<Reason>,
    /// Whether it is at work: true only in [`Phase::Serving`].
    pub active: bool,
    /// Since when it is in this phase, Unix milliseconds.
    pub since_ms: u64,
    /// Where peers reach it.
    pub addresses: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_documents() {
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.word());
        }
    }
}
