//! The state of everything a face shows, as text and numbers ready to draw. It comes in parts behind
//! `Arc`s: a part that did not change is the same `Arc`, so that keeping up costs only what changed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{AfterGet, Phase, Reason, Status};

/// Cells of a chunk map; more than a wide screen has, however large the game.
pub const MAP_CELLS_MAX: usize = 1_024;

/// Everything a face shows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Snapshot {
    /// This machine.
    pub me: Arc<MeView>,
    /// Every game that is here or in the room, by title.
    pub games: Arc<Vec<GameView>>,
    /// Transfers in queue order.
    pub transfers: Arc<Vec<TransferView>>,
    /// Peers, online ones first, by name.
    pub peers: Arc<Vec<PeerView>>,
    /// Links that stand, oldest first.
    pub links: Arc<Vec<LinkView>>,
    /// Rates and space.
    pub totals: Arc<Totals>,
}

/// A part of a snapshot that is new.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "part", content = "value", rename_all = "snake_case")]
pub enum Part {
    /// [`Snapshot::me`].
    Me(Arc<MeView>),
    /// [`Snapshot::games`].
    Games(Arc<Vec<GameView>>),
    /// [`Snapshot::transfers`].
    Transfers(Arc<Vec<TransferView>>),
    /// [`Snapshot::peers`].
    Peers(Arc<Vec<PeerView>>),
    /// [`Snapshot::links`].
    Links(Arc<Vec<LinkView>>),
    /// [`Snapshot::totals`].
    Totals(Arc<Totals>),
}

impl Snapshot {
    /// The parts of `self` that are not the same `Arc` as those of `before`.
    #[must_use]
    pub fn parts_since(&self, before: &Self) -> Vec<Part> {
        let mut parts = Vec::new();
        if !Arc::ptr_eq(&self.me, &before.me) {
            parts.push(Part::Me(Arc::clone(&self.me)));
        }
        if !Arc::ptr_eq(&self.games, &before.games) {
            parts.push(Part::Games(Arc::clone(&self.games)));
        }
        if !Arc::ptr_eq(&self.transfers, &before.transfers) {
            parts.push(Part::Transfers(Arc::clone(&self.transfers)));
        }
        if !Arc::ptr_eq(&self.peers, &before.peers) {
            parts.push(Part::Peers(Arc::clone(&self.peers)));
        }
        if !Arc::ptr_eq(&self.links, &before.links) {
            parts.push(Part::Links(Arc::clone(&self.links)));
        }
        if !Arc::ptr_eq(&self.totals, &before.totals) {
            parts.push(Part::Totals(Arc::clone(&self.totals)));
        }
        parts
    }

    /// Puts a part in its place.
    pub fn apply(&mut self, part: Part) {
        match part {
            Part::Me(me) => self.me = me,
            Part::Games(games) => self.games = games,
            Part::Transfers(transfers) => self.transfers = transfers,
            Part::Peers(peers) => self.peers = peers,
            Part::Links(links) => self.links = links,
            Part::Totals(totals) => self.totals = totals,
        }
    }

    /// The folder of a library, by its place.
    #[must_use]
    pub fn library_path(&self, place: u8) -> &str {
        self.totals.libraries.get(usize::from(place)).map_or(&self.me.library, |library| &library.path)
    }

    /// What a look from outside shows first: the status, this machine, and how much of everything there is.
    #[must_use]
    pub fn overview(&self) -> serde_json::Value {
        serde_json::json!({
            "status": self.me.status(),
            "me": self.me,
            "totals": self.totals,
            "games": self.games.len(),
            "transfers": self.transfers.len(),
            "peers": self.peers.len(),
            "links": self.links.len(),
        })
    }

    /// The transfer of a game, if there is one.
    #[must_use]
    pub fn transfer_of(&self, game: &str) -> Option<&TransferView> {
        self.transfers.iter().find(|transfer| transfer.game == game)
    }

    /// A game's state, percent and reason: its transfer's where it has one, else its own.
    #[must_use]
    pub fn state_of<'a>(&'a self, game: &'a GameView) -> (StateWord, Option<u8>, &'a str) {
        match self.transfer_of(&game.id) {
            Some(transfer) => (transfer.state, Some(transfer.percent), &transfer.reason),
            None => (game.state, game.percent, &game.reason),
        }
    }
}

/// The ten words for states; `screens.md` says what each means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StateWord {
    /// Somebody has it, you do not.
    #[default]
    Available,
    /// Chunks arrive.
    Getting,
    /// Will go on by itself.
    Waiting,
    /// You stopped it.
    Paused,
    /// Reading and comparing files.
    Checking,
    /// All here and verified, not playable yet.
    Downloaded,
    /// Unpacking, swapping, removing.
    Installing,
    /// Press Enter and play.
    Ready,
    /// Needs you.
    Failed,
    /// Its peer is gone.
    Offline,
}

impl StateWord {
    /// Every word.
    pub const ALL: [Self; 10] = [
        Self::Available,
        Self::Getting,
        Self::Waiting,
        Self::Paused,
        Self::Checking,
        Self::Downloaded,
        Self::Installing,
        Self::Ready,
        Self::Failed,
        Self::Offline,
    ];

    /// The word as people read it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Available => "Available",
            Self::Getting => "Getting",
            Self::Waiting => "Waiting",
            Self::Paused => "Paused",
            Self::Checking => "Checking",
            Self::Downloaded => "Downloaded",
            Self::Installing => "Installing",
            Self::Ready => "Ready",
            Self::Failed => "Failed",
            Self::Offline => "Offline",
        }
    }
}

/// This machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MeView {
    /// PeerId.
    pub peer: String,
    /// Its name.
    pub name: String,
    /// The listener, and the address others most likely reach it at.
    pub listen: Vec<String>,
    /// The library folder, the first of several.
    pub library: String,
    /// The state folder, or the home.
    pub home: String,
    /// Process id of the runtime.
    pub pid: u32,
    /// Version of the program.
    pub version: String,
    /// What it is doing.
    pub phase: Phase,
    /// Since when it is doing that, Unix milliseconds.
    #[serde(default)]
    pub phase_since_ms: u64,
    /// Why it failed, for people.
    #[serde(default)]
    pub error: Option<String>,
    /// Why it failed, for programs.
    #[serde(default)]
    pub reason: Option<Reason>,
    /// Start of the runtime, Unix milliseconds.
    pub since_ms: u64,
    /// Whether it looks for peers by mDNS.
    pub mdns: bool,
    /// Whether this is the demo.
    pub demo: bool,
    /// What follows a get that is asked for in the screen.
    #[serde(default)]
    pub after_get: AfterGet,
    /// Its log.
    #[serde(default)]
    pub log: LogView,
    /// Whether it does not answer: shown by who is attached to it, never said by itself.
    #[serde(skip)]
    pub away: bool,
}

/// What goes to the log of a runtime.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogView {
    /// A level, or directives; empty without a log.
    pub level: String,
    /// Lines it lost because its disk was too slow.
    pub lost: u64,
}

impl MeView {
    /// What the runtime is doing, by itself.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            phase: self.phase,
            error: self.error.clone(),
            reason: self.reason,
            active: self.phase == Phase::Serving,
            since_ms: self.phase_since_ms,
            addresses: self.listen.clone(),
        }
    }
}

/// A game of the room or of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GameView {
    /// GameId.
    pub id: String,
    /// Title; the id where there is none.
    pub title: String,
    /// Our version if it is here, else the latest one.
    pub version: String,
    /// ContentId of that build.
    pub content: String,
    /// Bytes of that build.
    pub size: u64,
    /// Files of that build.
    pub files: u32,
    /// Bytes that build takes when it is installed, beside its `size`; unknown where nobody who has it says.
    #[serde(default)]
    pub installed_size: Option<u64>,
    /// Its state without a transfer; see [`Snapshot::state_of`].
    pub state: StateWord,
    /// How far, in percent, where the state has a measure.
    pub percent: Option<u8>,
    /// Why, where the state wants a reason.
    pub reason: String,
    /// ContentId of the build that can be played; empty where somebody else put it there.
    #[serde(default)]
    pub installed: Option<String>,
    /// Machines that have all of this build, ourselves included.
    pub have: u32,
    /// Machines that are getting it.
    pub getting: u32,
    /// A newer vouched version that can be got.
    pub update: Option<UpdateView>,
    /// The same version exists with different content.
    pub variants: bool,
    /// Why it is not shared.
    pub private: Option<String>,
    /// The version it is held at.
    pub pinned: Option<String>,
    /// A line about the game, from the catalog.
    pub about: String,
    /// Whether the catalog says how to start it.
    #[serde(default)]
    pub can_play: bool,
    /// Since when it runs, Unix milliseconds.
    #[serde(default)]
    pub playing_since_ms: Option<u64>,
    /// When it was last played, Unix milliseconds.
    #[serde(default)]
    pub last_played: Option<u64>,
    /// Builds in the room, the one shown first.
    pub builds: Vec<BuildView>,
    /// The library it is in, a place in [`Totals::libraries`]; 0 also where it is in none.
    #[serde(default)]
    pub library: u8,
}

impl GameView {
    /// The build that potluck installed, where it did.
    #[must_use]
    pub fn installed_build(&self) -> Option<&str> {
        self.installed.as_deref().filter(|content| !content.is_empty())
    }

    /// Whether nothing of it is here but what is installed: who uninstalls it has to get it again.
    #[must_use]
    pub fn is_installed_only(&self) -> bool {
        self.installed.is_some() && self.private.as_deref() == Some(INSTALLED_ONLY)
    }
}

/// A newer version.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct UpdateView {
    /// The version.
    pub version: String,
    /// Its ContentId.
    pub content: String,
    /// Bytes of that build.
    pub size: u64,
    /// Bytes it takes when it is installed, where that is known.
    #[serde(default)]
    pub installed_size: Option<u64>,
}

/// One build of a game.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct BuildView {
    /// Version.
    pub version: String,
    /// ContentId.
    pub content: String,
    /// Bytes.
    pub size: u64,
    /// Bytes it takes when it is installed, where that is known.
    #[serde(default)]
    pub installed_size: Option<u64>,
    /// Machines that have all of it, ourselves included.
    pub have: u32,
    /// Machines that are getting it.
    pub getting: u32,
    /// Whether we have it.
    pub ours: bool,
    /// Whether we hold it, the catalog pins it, or a trusted peer announces it.
    pub vouched: bool,
    /// Names of up to 8 who have it.
    pub holders: Vec<String>,
}

/// What [`GameView::private`] says of a game that is installed and whose payload was dropped.
pub const INSTALLED_ONLY: &str = "installed only";

/// How the reason of a transfer begins that waits until there is space.
pub const DISK_FULL: &str = "disk full";

/// Our getting one build.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TransferView {
    /// GameId.
    pub game: String,
    /// Title.
    pub title: String,
    /// Version.
    pub version: String,
    /// ContentId.
    pub content: String,
    /// Getting, Waiting, Paused, Checking (preparing or committing), Failed.
    pub state: StateWord,
    /// Why, where the state wants a reason.
    pub reason: String,
    /// 0 to 100; 100 only when all is here.
    pub percent: u8,
    /// Bytes verified, those reused from an old version included.
    pub done: u64,
    /// Bytes of the payload.
    pub size: u64,
    /// Bytes that were here before (an old version, or an earlier try).
    pub reused: u64,
    /// Bytes received, per source.
    pub sources: Vec<SourceView>,
    /// Bytes a second now.
    pub down_bps: u64,
    /// Seconds left at this rate.
    pub left_s: Option<u64>,
    /// Chunks of the content.
    pub chunks: u32,
    /// Chunks that are here.
    pub chunks_have: u32,
    /// The chunk map, at most [`MAP_CELLS_MAX`] cells of equal share.
    pub map: Vec<MapCell>,
    /// The library it is built in, a place in [`Totals::libraries`].
    #[serde(default)]
    pub library: u8,
    /// What is done when all of it is here.
    #[serde(default)]
    pub after: AfterGet,
}

/// A cell of a chunk map: exact counts over its range of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MapCell {
    /// First chunk.
    pub first: u32,
    /// Chunks in the cell.
    pub all: u32,
    /// Chunks that are here.
    pub have: u32,
    /// Chunks on their way that are not bad.
    pub coming: u32,
    /// Chunks that came with a wrong hash and are wanted again, or on their way again.
    pub bad: u32,
    /// The smallest number of sources among the missing chunks, those that are none of the above; 254 when it is that
    /// many or more, 255 when nothing is missing.
    pub rarest: u8,
    /// Sources of all its chunks added up: with four sources of which one holds every second chunk, 3.5 × `all`.
    #[serde(default)]
    pub held: u64,
    /// The smallest number of sources among all its chunks, 254 when it is that many or more.
    #[serde(default)]
    pub fewest: u8,
}

/// A source of a transfer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SourceView {
    /// PeerId.
    pub peer: String,
    /// Name.
    pub name: String,
    /// Chunks it holds, in percent; 100 only when all.
    pub holds: u8,
    /// Bytes that came from it.
    pub bytes: u64,
    /// Bytes a second now.
    pub bps: u64,
    /// Bytes asked for and not here yet.
    pub coming: u64,
    /// Round-trip time in microseconds.
    pub rtt_us: u64,
}

/// A peer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PeerView {
    /// PeerId.
    pub id: String,
    /// Its name, cleaned.
    pub name: String,
    /// Its listener.
    pub addr: String,
    /// Whether a session stands.
    pub online: bool,
    /// Since when, Unix milliseconds.
    pub since_ms: u64,
    /// Round-trip time in microseconds.
    pub rtt_us: u64,
    /// Bytes a second from it.
    pub down_bps: u64,
    /// Bytes a second to it.
    pub up_bps: u64,
    /// Bytes from it in this run.
    pub down: u64,
    /// Bytes to it in this run.
    pub up: u64,
    /// Packets lost, in thousandths of those sent.
    pub loss_permille: u16,
    /// Bytes of the largest packet.
    pub mtu: u16,
    /// Links of the session.
    pub links: u8,
    /// Games it has all of.
    pub games: u32,
    /// Title of what it is getting, and how far in percent.
    pub getting: Option<(String, u8)>,
    /// The most that is sent to it, in bytes a second, where it has a limit of its own.
    pub up_limit_bps: Option<u64>,
    /// The most that is received from it, likewise.
    pub down_limit_bps: Option<u64>,
    /// What it announces counts as vouched.
    pub trusted: bool,
    /// The user blocked it.
    pub blocked: bool,
    /// Why it cannot be reached, or what is odd about it.
    pub note: String,
    /// How its clock stands beside ours, where it told when the link was made.
    pub clock: Option<ClockView>,
}

/// A peer's clock beside ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockView {
    /// How many milliseconds it is ahead; negative where it is behind.
    pub ahead_ms: i64,
    /// How many more or fewer these may be: half of the round trip in which it was asked.
    pub unsure_ms: u64,
}

/// A link that has passed Hello.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkView {
    /// Its number in this run, as `connection` events name it.
    pub link: u64,
    /// PeerId of its other end.
    pub peer: String,
    /// The peer's name, cleaned.
    pub name: String,
    /// The address at its other end.
    pub addr: String,
    /// What lies between.
    pub path: LinkPath,
    /// Whether we dialled; else the peer did.
    pub dialled: bool,
    /// Since when it stands, Unix milliseconds.
    pub since_ms: u64,
    /// Bytes of UDP payload received.
    pub bytes_in: u64,
    /// Bytes of UDP payload sent.
    pub bytes_out: u64,
    /// Round-trip time in microseconds.
    pub rtt_us: u64,
    /// Bytes lost, in thousandths of those sent.
    pub loss_permille: u16,
    /// Bytes of the largest packet.
    pub mtu: u16,
    /// Another link carries the session; this one ends when what runs on it is done.
    pub draining: bool,
}

/// What lies between the ends of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPath {
    /// Nothing but this network, or this machine.
    #[default]
    Lan,
    /// Routers.
    Routed,
}

/// Rates and space of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Bytes a second in.
    pub down_bps: u64,
    /// Bytes a second out.
    pub up_bps: u64,
    /// Bytes that a new game may take where it would go.
    pub free: Option<u64>,
    /// Upload limit of everybody together, in bytes a second.
    pub up_limit_bps: Option<u64>,
    /// Download limit of everybody together, in bytes a second.
    pub down_limit_bps: Option<u64>,
    /// Whether only a trickle is sent, whatever the limits are.
    #[serde(default)]
    pub quiet: bool,
    /// Peers online.
    pub peers: u32,
    /// Why a library cannot be used, when one cannot.
    pub library_trouble: Option<String>,
    /// The libraries in the order of the settings.
    #[serde(default)]
    pub libraries: Vec<LibraryView>,
}

/// A folder of games.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LibraryView {
    /// Where it is.
    pub path: String,
    /// Games in it.
    pub games: u32,
    /// Bytes its file system has free; unknown while it is not there.
    pub free: Option<u64>,
    /// Bytes that are to stay free.
    pub min_free: u64,
    /// What is wrong with it and what to do, when something is.
    pub trouble: Option<String>,
}
