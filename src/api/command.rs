//! What a face may ask for, and what it is answered. One closed enum for the in-process channel and
//! the control socket. GAME and PEER are text as the user typed it; the runtime resolves them.

use std::{path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Figures, Level, MapCell};
use crate::types::{Rate, RateError};

/// What a face may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Get a game; answered with [`Reply::Queued`] or [`Reply::AlreadyHere`].
    Get(GetRequest),
    /// Stop a transfer for now.
    Pause {
        /// Id or title.
        game: String,
    },
    /// Go on with a paused or failed transfer.
    Resume {
        /// Id or title.
        game: String,
    },
    /// End a transfer; what was verified is kept unless `discard`.
    Cancel {
        /// Id or title.
        game: String,
        /// Delete what was verified.
        #[serde(default)]
        discard: bool,
    },
    /// Move a transfer in the queue.
    Reorder {
        /// Id or title.
        game: String,
        /// Places up (negative: sooner) or down (later).
        by: i32,
    },
    /// Put a folder or an archive file into the library; answered with [`Reply::Added`].
    Add {
        /// An absolute path on the runtime's machine.
        path: PathBuf,
        /// The GameId; from the folder's name when not given.
        #[serde(default)]
        id: Option<String>,
        /// The version; from `version.ini`, or today's date (numbered after a change within the day), when not given.
        #[serde(default)]
        version: Option<String>,
        /// The title; the id when not given.
        #[serde(default)]
        title: Option<String>,
        /// Move instead of copying.
        #[serde(default, rename = "move")]
        take: bool,
    },
    /// Delete a game's payload from this machine; answered with [`Reply::Done`].
    Remove {
        /// Id or title.
        game: String,
    },
    /// Make a game that is here playable, or bring what is installed up to it; answered with
    /// [`Reply::Installed`] when it is ready. What was installed before stays playable until then.
    Install {
        /// Id or title.
        game: String,
        /// Then drop what it was installed from, where that has archives; the answer comes after that.
        #[serde(default)]
        drop_archives: bool,
    },
    /// Take back what was installed and keep the payload; answered with [`Reply::Done`].
    Uninstall {
        /// Id or title.
        game: String,
        /// That nothing of it is left is agreed to, where its payload was dropped; refused without.
        #[serde(default)]
        last: bool,
    },
    /// Bring a game to another library, with all that is in its folder; answered with [`Reply::Done`] when it is there.
    /// It stays shared meanwhile.
    Move {
        /// Id or title.
        game: String,
        /// The library's folder, or the last part of its path.
        library: String,
    },
    /// Start a game that is installed, by what the catalog names; answered with [`Reply::Playing`], or where a program
    /// would run that nobody has agreed to yet, with [`Reply::Confirm`]: then nothing runs.
    Play {
        /// Id or title.
        game: String,
        /// The marks of the programs that were shown and may run, as [`Reply::Confirm`] gave them.
        #[serde(default)]
        confirm: Vec<String>,
    },
    /// Rehash a game against its manifest; answered with [`Reply::Verified`].
    Verify {
        /// Id or title.
        game: String,
        /// Fetch what is bad.
        #[serde(default)]
        repair: bool,
    },
    /// The manifest of a game that is here; answered with [`Reply::Manifest`].
    Manifest {
        /// Id or title.
        game: String,
    },
    /// Part of the chunk map of a running transfer; answered with [`Reply::Map`].
    Map(MapRequest),
    /// Which peers here have nothing of a game; answered with [`Reply::Without`].
    Without {
        /// Id or title.
        game: String,
    },
    /// Which games a peer has that we lack, and the other way round; answered with [`Reply::Compared`].
    Compare {
        /// Id, its first characters, or name.
        peer: String,
    },
    /// What takes space here and could go; answered with [`Reply::Space`].
    Space,
    /// Let something go that takes space; answered with [`Reply::Done`].
    Free {
        /// Id or title.
        game: String,
        /// What of it.
        what: Freeable,
    },
    /// Hold a game at a version.
    Pin {
        /// Id or title.
        game: String,
        /// The version.
        version: String,
    },
    /// Follow the latest version again.
    Unpin {
        /// Id or title.
        game: String,
    },
    /// What this peer announces counts as vouched.
    Trust {
        /// Id, its first characters, or name.
        peer: String,
        /// False to stop trusting.
        trust: bool,
    },
    /// Have nothing to do with this peer.
    Block {
        /// Id, its first characters, or name.
        peer: String,
        /// False to unblock.
        block: bool,
    },
    /// Dial an address, `HOST:PORT`; answered when a session stands or the dial failed.
    Connect {
        /// The address.
        addr: String,
    },
    /// Change how fast data may move, until the runtime ends; at least one of `up` and `down`.
    Limit {
        /// Id, its first characters, or name; everybody together when not given.
        #[serde(default)]
        peer: Option<String>,
        /// What is sent; stays as it is when not given.
        #[serde(default)]
        up: Option<LimitTo>,
        /// What is received; stays as it is when not given.
        #[serde(default)]
        down: Option<LimitTo>,
    },
    /// Send only a trickle to everybody together, whatever the limits are, or as they are again.
    Quiet {
        /// False to send as before.
        on: bool,
    },
    /// Look at the whole library again.
    Rescan,
    /// What is counted; answered with [`Reply::Figures`].
    Figures,
    /// The settings in effect and where each came from; answered with [`Reply::Config`].
    Config,
    /// Change what goes to the log, until the runtime ends.
    LogLevel {
        /// A level, or directives as `tracing` takes them.
        level: String,
    },
    /// Look at this machine and its network for what keeps a party from working; answered with
    /// [`Reply::Doctor`] after some seconds.
    Doctor,
    /// End the runtime, as SIGTERM would.
    Stop,
}

/// Something of a game that takes space and can go without anything else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Freeable {
    /// What is verified of a build whose transfer was cancelled or has failed.
    Download {
        /// The ContentId.
        content: String,
    },
    /// What was got of a game that is installed. It stays playable, and is not shared any more; what of it the user
    /// changed stays.
    Payload,
    /// The user's own files, which an update or the end of an installation set aside.
    Replaced,
    /// All of the game, as [`Command::Remove`] takes it.
    Game,
}

impl Freeable {
    /// Its kind, as it is written and typed.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Download { .. } => "download",
            Self::Payload => "payload",
            Self::Replaced => "replaced",
            Self::Game => "game",
        }
    }
}

/// A new value for a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitTo {
    /// None.
    Off,
    /// Bytes a second, at least [`Rate::LIMIT_MIN`].
    Bps(u64),
}

impl LimitTo {
    /// As a rate; `None` when there is to be no limit.
    pub fn rate(self) -> Result<Option<Rate>, LimitTooLow> {
        match self {
            Self::Off => Ok(None),
            Self::Bps(bps) if bps < Rate::LIMIT_MIN.as_bps() => Err(LimitTooLow),
            Self::Bps(bps) => Ok(Some(Rate::from_bps(bps))),
        }
    }
}

impl FromStr for LimitTo {
    type Err = LimitError;

    /// A rate as [`Rate`] reads it, or `off`.
    fn from_str(text: &str) -> Result<Self, LimitError> {
        if matches!(text.trim(), "off" | "none") {
            return Ok(Self::Off);
        }
        let to = Self::Bps(text.parse::<Rate>()?.as_bps());
        to.rate()?;
        Ok(to)
    }
}

/// Why a text is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// It is no rate.
    #[error(transparent)]
    NoRate(#[from] RateError),
    /// It is too low a rate.
    #[error(transparent)]
    TooLow(#[from] LimitTooLow),
}

/// A limit that nothing could work under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("less than 1 MiB/s would make every peer give up; `off` is for no limit")]
pub struct LimitTooLow;

/// Which build of a game to get.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GetRequest {
    /// Id or title.
    pub game: String,
    /// Only this version.
    #[serde(default)]
    pub version: Option<String>,
    /// Only this ContentId, or the first digits of it.
    #[serde(default)]
    pub content: Option<String>,
    /// The build this peer has; id, its first characters, or name.
    #[serde(default)]
    pub from: Option<String>,
    /// What is done when all of it is here.
    #[serde(default)]
    pub after: AfterGet,
}

/// What is done with a game when all of it is here; goes with the queue into the next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterGet {
    /// It stays as it came.
    #[default]
    Nothing,
    /// It is made playable; what was installed before stays playable until then.
    Install,
    /// The same, and then what it was installed from goes, where that has archives: the game is not shared any more.
    InstallAndDrop,
}

impl AfterGet {
    /// Whether it is made playable.
    #[must_use]
    pub fn installs(self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Install | Self::InstallAndDrop => true,
        }
    }

    /// Whether its archives go after that.
    #[must_use]
    pub fn drops(self) -> bool {
        match self {
            Self::Nothing | Self::Install => false,
            Self::InstallAndDrop => true,
        }
    }
}

/// Which part of a transfer's chunk map, and how fine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapRequest {
    /// Id or title.
    pub game: String,
    /// The first chunk.
    #[serde(default)]
    pub first: u32,
    /// How many chunks; what does not exist is left out.
    pub len: u32,
    /// In so many cells of equal share, at most [`MAP_REPLY_CELLS_MAX`]; never more than chunks.
    pub cells: u32,
    /// Name files and peers of these: first chunk and how many.
    #[serde(default)]
    pub about: Option<(u32, u32)>,
    /// Say what each source holds of the whole content, in so many cells of equal share, at most [`SOURCE_CELLS_MAX`].
    #[serde(default)]
    pub source_cells: u32,
}

/// Cells of what a source holds: a column of a table.
pub const SOURCE_CELLS_MAX: u32 = 64;

/// Sources of one [`MapView`]: what a screen has rows for.
pub const MAP_SOURCES_MAX: usize = 32;

/// Cells of one [`Reply::Map`]: what a wall of a screen can show.
pub const MAP_REPLY_CELLS_MAX: u32 = 32_768;

/// The answer to a command that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// It is done.
    Done {
        /// A sentence about it.
        message: String,
    },
    /// The transfer is in the queue or runs already.
    Queued {
        /// The GameId.
        game: String,
        /// The ContentId.
        content: String,
        /// The version.
        version: String,
        /// Bytes of the payload.
        size: u64,
    },
    /// That very build is here.
    AlreadyHere {
        /// The GameId.
        game: String,
        /// The ContentId.
        content: String,
        /// The version.
        version: String,
    },
    /// A game can be played.
    Installed {
        /// A sentence about it.
        message: String,
        /// The GameId.
        game: String,
        /// The ContentId.
        content: String,
        /// Files of the user's that came along, by their paths in the root; at most [`OWN_FILES_MAX`].
        kept: Vec<String>,
        /// Where files are now that the user had added or changed; likewise.
        set_aside: Vec<String>,
    },
    /// A folder is now a game of the library.
    Added(Added),
    /// What a check found.
    Verified(VerifyReport),
    /// A manifest.
    Manifest {
        /// The GameId.
        game: String,
        /// The ContentId.
        content: String,
        /// The manifest file, as it is stored.
        json: String,
        /// Its files, in order.
        files: Vec<ManifestFile>,
    },
    /// Programs that would run, to be shown before they may.
    Confirm(ConfirmView),
    /// A game runs.
    Playing(PlayingView),
    /// Part of a chunk map.
    Map(Box<MapView>),
    /// Who has nothing of a game.
    Without(WithoutView),
    /// What a peer has and lacks.
    Compared(CompareView),
    /// How this machine and its network are.
    Doctor(Diagnosis),
    /// What takes space.
    Space(SpaceView),
    /// What is counted.
    Figures(Figures),
    /// The settings in effect.
    Config {
        /// As `potluck config --json` prints them.
        config: serde_json::Value,
    },
}

/// What takes space here and could go.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpaceView {
    /// Bytes free where games go.
    pub free: Option<u64>,
    /// The largest first, at most [`SPACE_ITEMS_MAX`].
    pub items: Vec<SpaceItem>,
    /// How many more there are.
    pub more: u32,
}

/// Items of a [`SpaceView`]: who has to look further should remove whole games.
pub const SPACE_ITEMS_MAX: usize = 2_000;

/// Something that takes space.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpaceItem {
    /// The GameId.
    pub game: String,
    /// Its title.
    pub title: String,
    /// The version it is of; empty where it is of none.
    pub version: String,
    /// What it is.
    pub what: Freeable,
    /// Bytes it takes.
    pub bytes: u64,
    /// Up to so many of them may lie in the same blocks as others that are counted here, or stay: these are not freed.
    #[serde(default)]
    pub shared: u64,
    /// Where it lies.
    pub path: String,
    /// Other machines here that have all of that build.
    pub others: u32,
    /// When the game was last played, Unix milliseconds.
    #[serde(default)]
    pub last_played: Option<u64>,
}

/// Paths of the user's own files in one list of an answer or event; the sentence with it counts them all.
pub const OWN_FILES_MAX: usize = 1_000;

/// Programs that would run and nobody has agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ConfirmView {
    /// The GameId.
    pub game: String,
    /// Title.
    pub title: String,
    /// In the order in which they run.
    pub programs: Vec<ProgramView>,
    /// On which machine and in which folder; a sentence.
    pub place: String,
}

/// A program that would run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProgramView {
    /// Whether it is run once to set the game up; else it is the game.
    pub setup: bool,
    /// The program and its arguments.
    pub words: Vec<String>,
    /// As people read it: a word that could be taken for several stands in quotes.
    pub shown: String,
    /// Stands for exactly this in [`Command::Play`].
    pub mark: String,
}

/// A game that runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PlayingView {
    /// The GameId.
    pub game: String,
    /// Title.
    pub title: String,
    /// Its process on the runtime's machine.
    pub pid: u32,
    /// Where its output goes.
    pub log: String,
    /// On which machine and in which folder; a sentence.
    pub place: String,
}

/// Part of the chunk map of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MapView {
    /// The GameId.
    pub game: String,
    /// The ContentId.
    pub content: String,
    /// Chunks of the content.
    pub chunks: u32,
    /// The part that was asked for, in order.
    pub cells: Vec<MapCell>,
    /// Names for the chunks that were asked about.
    pub about: Option<ChunksView>,
    /// What the fastest sources hold, where that was asked; at most [`MAP_SOURCES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceChunks>,
}

/// What a source holds, and what comes from it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceChunks {
    /// PeerId.
    pub peer: String,
    /// What it holds of each cell of equal share of the whole content, in percent: 0 only for nothing, 100 only for all.
    pub holds: Vec<u8>,
    /// Of which [`MapView::cells`] something is coming from it.
    pub coming: Vec<u32>,
}

/// What is to be said of a run of chunks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ChunksView {
    /// Their counts as one cell.
    pub cell: MapCell,
    /// The paths of the first files they belong to, at most [`CHUNKS_NAMES_MAX`].
    pub files: Vec<String>,
    /// How many files they belong to.
    pub file_count: u32,
    /// From whom how many are coming, most first, at most [`CHUNKS_NAMES_MAX`].
    pub coming: Vec<(String, u32)>,
    /// How many of the missing ones are held by the fewest, that is by [`MapCell::rarest`].
    pub scarce: u32,
    /// Who holds those, at most [`CHUNKS_NAMES_MAX`] names; empty where nobody does.
    pub holders: Vec<String>,
}

/// Who has nothing of a game.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WithoutView {
    /// The GameId.
    pub game: String,
    /// How many peers.
    pub count: u32,
    /// Names of the first of them, at most [`ROOM_NAMES_MAX`].
    pub names: Vec<String>,
}

/// What a peer has and lacks beside us; of both the games that most machines have come first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CompareView {
    /// PeerId.
    pub peer: String,
    /// Games it has all of and we have not.
    pub more: u32,
    /// Titles of the first of them, at most [`ROOM_NAMES_MAX`].
    pub more_titles: Vec<String>,
    /// Games we have all of and it has nothing of.
    pub lacks: u32,
    /// Titles of the first of them, at most [`ROOM_NAMES_MAX`].
    pub lacks_titles: Vec<String>,
}

/// Names in a [`WithoutView`] and a [`CompareView`]; the faces say how many more there are.
pub const ROOM_NAMES_MAX: usize = 8;

/// Names of one kind in a [`ChunksView`]: more do not fit a line.
pub const CHUNKS_NAMES_MAX: usize = 4;

/// A file of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Path below the game root.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Plain BLAKE3, 64 hexadecimal digits.
    pub hash: String,
}

/// What `add` did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Added {
    /// The GameId.
    pub game: String,
    /// The version.
    pub version: String,
    /// The ContentId.
    pub content: String,
    /// Files of the payload.
    pub files: u32,
    /// Bytes of the payload.
    pub size: u64,
    /// The version that was there before, for a new build of an old game.
    pub before: Option<String>,
    /// Files new, changed and gone since then.
    pub changed: [u32; 3],
}

impl Added {
    /// Whether what was added was here, byte for byte.
    #[must_use]
    pub fn is_as_before(&self) -> bool {
        self.before.as_ref() == Some(&self.version) && self.changed == [0; 3]
    }
}

/// What `doctor` found, in the order in which one would look for a fault.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Diagnosis {
    /// A thing each.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// All of it in a sentence.
    #[must_use]
    pub fn sum(&self) -> (Level, String) {
        let count = |verdict| self.findings.iter().filter(|finding| finding.verdict == verdict).count();
        match (count(Verdict::Bad), count(Verdict::Warn)) {
            (0, 0) => (Level::Done, "All is well, as far as it can be seen from here.".to_owned()),
            (0, warn) => (Level::Info, format!("It works; {warn} could be better.")),
            (bad, _) => (Level::Warning, format!("{bad} must be mended.")),
        }
    }
}

/// One thing that `doctor` looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at: a stable word.
    pub check: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What that means; empty where it is as it should be.
    pub why: String,
    /// The command that mends it or shows more; empty where there is none.
    pub fix: String,
}

/// How a thing is. What comes later weighs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It could not be found out.
    Unknown,
    /// It works, but less well than it could.
    Warn,
    /// It does not work.
    Bad,
}

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VerifyReport {
    /// The GameId.
    pub game: String,
    /// Files looked at.
    pub files: u32,
    /// Bytes looked at.
    pub size: u64,
    /// Paths of files that are missing or differ, at most 1,000.
    pub bad: Vec<String>,
    /// Chunks that are missing or differ.
    pub bad_chunks: u32,
    /// Whether they are being fetched.
    pub repairing: bool,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// For programs; decides the exit code.
    pub code: ErrorCode,
    /// For people: what is wrong and what to do.
    pub message: String,
    /// What could have been meant.
    #[serde(default)]
    pub candidates: Vec<Candidate>,
}

impl CommandError {
    /// An error without candidates.
    #[must_use]
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), candidates: Vec::new() }
    }
}

/// One of several things a word could mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The GameId, or a peer's short id.
    pub id: String,
    /// Title or name.
    pub title: String,
    /// Version and ContentId, for builds.
    #[serde(default)]
    pub version: String,
    /// The ContentId, for builds.
    #[serde(default)]
    pub content: String,
    /// How many have it, for builds.
    #[serde(default)]
    pub have: u32,
}

/// Kinds of failure; each has one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// It was tried and failed: exit 1.
    Failed,
    /// The request itself makes no sense: exit 2.
    Usage,
    /// No such game or peer: exit 3.
    NotFound,
    /// More than one thing is meant: exit 4.
    Ambiguous,
    /// Not now or not like this: exit 4.
    Refused,
    /// It would have to wait: exit 5.
    WouldWait,
}
