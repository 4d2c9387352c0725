//! What may be typed. The help texts are the documentation: `--help`, `man` and `docs/cli.md` are
//! made from them.

use std::{ffi::OsString, path::PathBuf};

use clap::{Parser, Subcommand};

use super::exit::Failure;
use crate::{api::LimitTo, config::Flags};

/// Every machine at a LAN party shares its games with every other one.
///
/// Without a command, the screen: attached to the potluck that runs here, else over one of its own.
/// GAME is a game's id or title. PEER is a peer's id, the first characters of it, or its name.
#[derive(Debug, Parser)]
#[command(name = "potluck", version, after_long_help = EXIT_CODES)]
pub struct Args {
    /// Keep config, state, socket and logs in this folder
    #[arg(long, value_name = "DIR", global = true)]
    home: Option<PathBuf>,
    /// A folder of games; may be repeated, a new game goes to the first with room
    #[arg(long = "library", value_name = "DIR", global = true)]
    libraries: Vec<PathBuf>,
    /// Listen here for peers, IP:PORT (UDP)
    #[arg(long, value_name = "ADDR", global = true)]
    listen: Option<String>,
    /// The name others see
    #[arg(long, value_name = "NAME", global = true)]
    name: Option<String>,
    /// Neither look for peers on this network nor be found there
    #[arg(long, global = true)]
    no_mdns: bool,
    /// Dial this address at the start, HOST:PORT; may be repeated
    #[arg(long = "peer", value_name = "ADDR", global = true)]
    peers: Vec<String>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// The process in front of this one, which the shell waits for
    #[arg(long, value_name = "PID", hide = true)]
    behind: Option<u32>,
    #[command(subcommand)]
    pub(super) verb: Option<Verb>,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such game or peer, 4 refused or ambiguous,
5 would have to wait, 130 interrupted.";

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run without a screen until SIGINT or SIGTERM
    ///
    /// Prints "listening on ADDR as PEERID" when it is ready.
    Serve {
        /// Get everything, or the games listed in FILE, without being asked
        #[arg(long, value_name = "all|FILE")]
        mirror: Option<String>,
    },
    /// Say how the potluck that runs here is doing
    ///
    /// Exits with 3 where none runs.
    Status,
    /// End the potluck that runs here
    ///
    /// Returns when it has ended; peers go on with others.
    Stop,
    /// Print what happens, a line each, until interrupted or potluck ends
    ///
    /// With `--json` each line is one JSON document.
    Events {
        /// Wait for the next potluck when this one ends, and go on
        #[arg(long)]
        follow: bool,
    },
    /// Print the end of the newest log file
    ///
    /// With `--json` and `--follow` each line is one JSON document.
    Logs {
        /// So many lines
        #[arg(long, value_name = "N", default_value_t = 50)]
        lines: usize,
        /// Go on with what is added, until interrupted
        #[arg(long)]
        follow: bool,
        /// Print nothing; change what the potluck that runs here logs from now on, until it ends: error, warn, info,
        /// debug, trace, off, or directives like warn,potluck=debug
        #[arg(long, value_name = "LEVEL", conflicts_with_all = ["lines", "follow"])]
        level: Option<String>,
    },
    /// Look for what keeps the party from working here, and say what mends it
    ///
    /// Ports, multicast, firewall, peers nearby, cables, disks and limits of this machine; it changes
    /// nothing. Exits with 1 where something does not work.
    Doctor,
    /// Run under systemd: with the machine, without a screen, confined to what it needs
    #[command(subcommand)]
    Service(ServiceOrder),
    /// Give this program to seats that do not have it
    ///
    /// Serves this one file, over HTTP, to machines of this network, and prints the line to type there.
    /// Nothing else is served.
    HandOut {
        /// For so long, like 90s, 30m or 2h
        #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = super::hand_out::time)]
        time: std::time::Duration,
        /// At this TCP port, or the next free one
        #[arg(long, value_name = "PORT", default_value_t = super::hand_out::PORT)]
        port: u16,
    },
    /// Show a party on this machine, with made-up games
    ///
    /// Slowed to be watchable. Leaves nothing behind.
    Demo {
        /// How many guests
        #[arg(long = "peers", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=12))]
        guests: Option<u8>,
    },
    /// List the games of the room and of this machine
    Games {
        #[command(flatten)]
        wait: Wait,
    },
    /// List the peers
    Peers {
        #[command(flatten)]
        wait: Wait,
    },
    /// List the links to the peers
    Links {
        #[command(flatten)]
        wait: Wait,
    },
    /// List what is being got
    Transfers {
        #[command(flatten)]
        wait: Wait,
    },
    /// Download games
    ///
    /// Ends when they are here, every byte verified. What is verified when it is interrupted is kept
    /// for the next time.
    Get(Get),
    /// Bring games up to the newest build
    ///
    /// Without a name all that are behind a build that somebody vouches for. What is installed is installed anew; the old
    /// build stays playable until the new one takes its place. Files that the catalog names as `keep` come along, and what
    /// you changed elsewhere is kept in `.potluck/replaced/` of the game; both are listed. `potluck get --content` goes to
    /// any other build, older ones too.
    Update {
        /// Ids or titles
        #[arg(value_name = "GAME")]
        games: Vec<String>,
    },
    /// Put folders or archive files into the library
    ///
    /// They are copied, without using space twice where the file system can do that; a folder that
    /// is in the library already stays where it is. For a game that is there already this publishes
    /// a new build, and says what changed.
    Add(Add),
    /// Delete a game from this machine
    ///
    /// Says what is lost and how many others still have it, and asks.
    Remove {
        /// Id or title
        game: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Start a game that is installed, and wait until it ends
    ///
    /// By what the catalog of the potluck that runs here names, on the machine it runs on. A program that runs for the
    /// first time is shown, and asked about. While the game runs only a trickle is sent to others. Exits with 1 where
    /// the game did not end with 0; interrupted, it leaves the game running.
    Play {
        /// Id or title
        game: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Take back what was installed; what was got stays, and is shared
    Uninstall {
        /// Id or title
        game: String,
        /// Do not ask, where nothing of the game would be left
        #[arg(long)]
        yes: bool,
    },
    /// List what takes space here and could go, the largest first
    ///
    /// What is left of cancelled downloads, what installed games were installed from, your own files that an update set aside, and whole games.
    Space,
    /// Let something of a game go that takes space
    ///
    /// Says what is lost and how many others still have it, and asks. `remove` takes all of a game.
    Free {
        /// Id or title
        game: String,
        /// What of it
        what: FreeWhat,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Compare a game with its manifest, byte for byte
    ///
    /// Names every file that is bad. Exits with 1 where there is one, with 0 when it was repaired.
    Verify {
        /// Id or title
        game: String,
        /// Fetch what is bad from the room
        #[arg(long)]
        repair: bool,
    },
    /// Print the manifest of a game that is here
    ///
    /// The BLAKE3 hash of what it prints is the game's ContentId.
    Manifest {
        /// Id or title
        game: String,
        /// Print lines that `b3sum --check` accepts inside the game's folder
        #[arg(long, conflicts_with = "json")]
        b3sum: bool,
    },
    #[command(flatten)]
    Order(Order),
    /// Print the settings in effect, and where each came from
    Config {
        /// Print a config file with every setting explained
        #[arg(long)]
        template: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What of a game can go by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum FreeWhat {
    /// What is left of a download that was cancelled
    Download,
    /// What was got of a game that is installed: it stays playable, and is not shared any more
    Payload,
    /// Your own files that an update or the end of an installation set aside
    Replaced,
}

/// Commands that are one order to the runtime and one sentence back.
#[derive(Debug, Subcommand)]
pub(super) enum Order {
    /// Stop a transfer for now
    Pause {
        /// Id or title
        game: String,
    },
    /// Go on with a transfer that was paused or has failed
    Resume {
        /// Id or title
        game: String,
    },
    /// Make a game that is here playable
    ///
    /// Unpacks the archives at its top and copies the rest into its folder `local`. What was installed before stays
    /// playable until the new one is whole; what you added or changed in it is kept.
    Install {
        /// Id or title
        game: String,
        /// Then delete what it was installed from, where that has archives; it is not shared any more. Until then both
        /// need room
        #[arg(long)]
        drop_archives: bool,
    },
    /// Bring a game to another library, with all that is in its folder
    ///
    /// On the same file system that takes no time and no room. To another one it is copied and compared, and stays shared
    /// where it is until the copy is whole. A game that is running is not moved.
    Move {
        /// Id or title
        game: String,
        /// The library's folder, or the last part of its path
        library: String,
    },
    /// End a transfer; what is verified is kept for the next time. Or stop a move
    Cancel {
        /// Id or title
        game: String,
        /// Delete what is verified, too
        #[arg(long)]
        discard: bool,
    },
    /// Hold a game at a version
    Pin {
        /// Id or title
        game: String,
        /// The version
        version: String,
    },
    /// Let a game follow its latest version again
    Unpin {
        /// Id or title
        game: String,
    },
    /// Take what this peer announces as good
    Trust {
        /// Id, the first characters of it, or name
        peer: String,
    },
    /// Have nothing to do with this peer
    Block {
        /// Id, the first characters of it, or name
        peer: String,
    },
    /// Change how fast data may move
    ///
    /// Holds until the potluck that runs here ends; `up_limit` and `down_limit` in the config file
    /// hold from its start. A peer keeps to its own limit and to that of everybody together.
    Limit {
        /// Id, the first characters of it, or name; by default everybody together
        // By its name the global flag: here it says whom to limit, because this command dials nobody.
        #[arg(id = "peers", long = "peer", value_name = "PEER")]
        peer: Option<String>,
        /// The most to send: `20 MB/s`, at least 1 MiB/s, or `off`
        #[arg(long, value_name = "RATE", required_unless_present = "down")]
        up: Option<LimitTo>,
        /// The most to receive, likewise
        #[arg(long, value_name = "RATE")]
        down: Option<LimitTo>,
    },
    /// Send only a trickle to everybody, whatever the limits are
    ///
    /// Holds until it is switched off or the potluck that runs here ends.
    Quiet {
        /// Only a trickle, or as before
        switch: Switch,
    },
    /// Dial an address, HOST:PORT
    Connect {
        /// The address
        addr: String,
    },
}

/// Whether something is to be so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Switch {
    /// From now on
    On,
    /// No longer
    Off,
}

/// What to do about the service. The flags before it become the service's.
#[derive(Debug, Clone, Subcommand)]
pub(super) enum ServiceOrder {
    /// Write the unit, and say how it is started
    Install {
        /// Under your own manager; the default
        #[arg(long, conflicts_with = "system")]
        user: bool,
        /// Under the machine's manager, as you
        #[arg(long)]
        system: bool,
        /// Print it instead
        #[arg(long)]
        print: bool,
    },
    /// Remove the unit, and say how what runs is ended
    Uninstall {
        /// Under your own manager; the default
        #[arg(long, conflicts_with = "system")]
        user: bool,
        /// Under the machine's manager
        #[arg(long)]
        system: bool,
    },
    /// Say whether it is installed, up to date, and running
    ///
    /// Exits with 3 where it is not installed.
    Status {
        /// Under your own manager; the default
        #[arg(long, conflicts_with = "system")]
        user: bool,
        /// Under the machine's manager
        #[arg(long)]
        system: bool,
    },
}

impl ServiceOrder {
    pub(super) fn is_system(&self) -> bool {
        match self {
            Self::Install { system, .. } | Self::Uninstall { system, .. } | Self::Status { system, .. } => *system,
        }
    }
}

/// How long to look at the room.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(super) struct Wait {
    /// Look at the room for so long first; by default 3 where no potluck was running
    #[arg(long = "wait", value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(0..=86_400))]
    pub(super) seconds: Option<u32>,
}

/// What to get.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct Get {
    /// Ids or titles
    #[arg(value_name = "GAME", required_unless_present = "list")]
    pub(super) games: Vec<String>,
    /// Get the games listed in FILE, one a line; `#` begins a comment
    #[arg(long, value_name = "FILE")]
    pub(super) list: Option<PathBuf>,
    /// Only this version
    #[arg(long, value_name = "V")]
    pub(super) version: Option<String>,
    /// Only the build with this ContentId; its first digits are enough
    #[arg(long, value_name = "ID")]
    pub(super) content: Option<String>,
    /// The build that this peer has
    #[arg(long, value_name = "PEER")]
    pub(super) from: Option<String>,
    /// Make them playable when they are here; ends when they are
    #[arg(long)]
    pub(super) install: bool,
    /// Then delete what they were installed from, where that has archives; they are not shared any more. Until then both
    /// need room
    #[arg(long, requires = "install")]
    pub(super) drop_archives: bool,
    /// Keep sharing afterwards, until interrupted
    #[arg(long, conflicts_with = "no_wait")]
    pub(super) stay: bool,
    /// Return as soon as the potluck that runs here has taken it on
    #[arg(long)]
    pub(super) no_wait: bool,
}

/// What to add.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Add {
    /// Folders or archive files
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,
    /// The game's id; by default the folder's name
    #[arg(long)]
    pub(super) id: Option<String>,
    /// The version; by default what version.ini says, or today's date, numbered after a change within the day
    #[arg(long, value_name = "V")]
    pub(super) version: Option<String>,
    /// The title; by default the id
    #[arg(long, value_name = "T")]
    pub(super) title: Option<String>,
    /// Move instead of copying
    #[arg(long = "move")]
    pub(super) take: bool,
}

/// The flag by which this program is started behind another process of it.
pub const BEHIND_FLAG: &str = "--behind";

impl Add {
    /// One id cannot name two games.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.paths.len() > 1 && (self.id.is_some() || self.title.is_some()) {
            return Err(Failure::usage("--id and --title name one game; add the others one by one"));
        }
        Ok(())
    }
}

/// Reads a command line. What is wrong, `--help` and `--version` come back as the text to print.
pub fn parse(words: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Args, clap::Error> {
    Args::try_parse_from(words)
}

impl Args {
    pub(super) fn flags(&self) -> Flags {
        let mirror = match &self.verb {
            Some(Verb::Serve { mirror }) => mirror.clone(),
            _other_verbs_do_not_mirror => None,
        };
        Flags {
            home: self.home.clone(),
            libraries: self.libraries.clone(),
            listen: self.listen.clone(),
            name: self.name.clone(),
            no_mdns: self.no_mdns,
            peers: self.addresses().to_vec(),
            mirror,
        }
    }

    /// What `--peer` says to dial; with `limit` it names a peer.
    fn addresses(&self) -> &[String] {
        match &self.verb {
            Some(Verb::Order(Order::Limit { .. })) => &[],
            _other_verbs_may_dial => &self.peers,
        }
    }

    /// The process that says it stands in front of this one.
    #[must_use]
    pub fn behind(&self) -> Option<u32> {
        self.behind
    }

    /// The flags of a runtime like the one that these arguments mean, as words; paths are absolute.
    pub(super) fn runtime_flags(&self) -> Vec<String> {
        // What cannot be made absolute or text was refused with the settings.
        let path = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone()).display().to_string();
        let mut words = Vec::new();
        let mut push = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                words.extend([flag.to_owned(), value]);
            }
        };
        push("--home", self.home.as_ref().map(path));
        for library in &self.libraries {
            push("--library", Some(path(library)));
        }
        push("--listen", self.listen.clone());
        push("--name", self.name.clone());
        for peer in &self.peers {
            push("--peer", Some(peer.clone()));
        }
        words.extend(self.no_mdns.then(|| "--no-mdns".to_owned()));
        words
    }

    /// Flags that a runtime takes only when it starts.
    pub(super) fn runtime_flags_given(&self) -> Vec<&'static str> {
        let given = [
            ("--library", !self.libraries.is_empty()),
            ("--listen", self.listen.is_some()),
            ("--name", self.name.is_some()),
            ("--no-mdns", self.no_mdns),
            ("--peer", !self.addresses().is_empty()),
        ];
        given.into_iter().filter_map(|(flag, given)| given.then_some(flag)).collect()
    }
}
