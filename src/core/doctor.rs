//! Why a party does not work: facts about this machine in, findings out, each with what it means and
//! the command that mends it. `runtime/doctor` gathers the facts; nothing here asks the machine.

mod clock;
mod firewall;
mod machine;
mod network;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};

/// How a thing is. What comes later weighs more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It could not be found out.
    Unknown,
    /// It works, but less well than it could.
    Warn,
    /// It does not work.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable name, for programs.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What that means; empty where it is as it should be.
    pub why: String,
    /// The command that mends it, or shows more; empty where there is none.
    pub fix: String,
}

/// Everything that is known of this machine.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Where peers reach us, or would.
    pub port: Port,
    /// Every interface of the machine.
    pub interfaces: Vec<Interface>,
    /// The interface behind which everything else lies.
    pub default_route: Option<String>,
    /// What was tried of multicast, an entry for each real interface; `None` when the settings turn it off.
    pub multicast: Option<Vec<Multicast>>,
    /// What filters packets here.
    pub firewall: Firewall,
    /// Peers that announce themselves; `None` when nobody was listened for.
    pub neighbours: Option<Vec<Neighbour>>,
    /// The folders games lie in.
    pub folders: Vec<Folder>,
    /// What the kernel allows.
    pub kernel: Kernel,
    /// The time as this machine has it.
    pub clock: Clock,
    /// The clocks of peers that told.
    pub peer_clocks: Vec<PeerClock>,
}

/// The UDP port for peers.
#[derive(Debug, Clone)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// Whose it is.
    pub held: Held,
    /// Our own address, and whether what we sent there arrived; `None` without an address.
    pub reached: Option<(SocketAddr, bool)>,
}

/// Whose a port is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// A potluck of ours runs on it.
    Ours,
    /// A potluck runs on it that does not talk to us, as that of another user.
    Theirs,
    /// Nobody's, and none runs.
    Free,
    /// Another program's.
    Taken,
    /// The system does not give it.
    Refused(String),
}

/// A network interface.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: InterfaceKind,
    /// Whether it has an address at which others can reach it: IPv4, or IPv6 beyond its own cable.
    pub reachable: bool,
    /// Megabits a second of its cable, where the system tells.
    pub mbits: Option<u32>,
    /// Whether it is Wi-Fi.
    pub wireless: bool,
}

/// What an interface is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InterfaceKind {
    /// One that others of the room may be behind.
    Real,
    /// It leads to one other end: a VPN.
    Tunnel,
    /// Containers and virtual machines.
    Virtual,
    /// Nothing is plugged in.
    Down,
}

/// What was tried of multicast on one interface.
#[derive(Debug, Clone)]
pub struct Multicast {
    /// The interface.
    pub interface: String,
    /// Why nothing could be sent.
    pub refused: Option<String>,
    /// Whether what we sent came back to ourselves, as the kernel does it.
    pub own: bool,
    /// Machines that said something meanwhile.
    pub others: usize,
}

/// What filters packets here.
#[derive(Debug, Clone)]
pub struct Firewall {
    /// What `nft list ruleset` says.
    pub rules: Result<String, Unread>,
    /// Whether ufw is switched on, by its own file.
    pub ufw: bool,
}

/// Why the rules are not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// There is no `nft` here.
    NoTool,
    /// Only the administrator may.
    NoRight,
    /// Something else.
    Failed(String),
}

/// A peer that announces itself.
#[derive(Debug, Clone)]
pub struct Neighbour {
    /// Its name, cleaned.
    pub name: String,
    /// Where it says it listens; none where those addresses hold on one cable only.
    pub addrs: Vec<SocketAddr>,
    /// The first of those that answered.
    pub answered: Option<SocketAddr>,
}

/// A folder games lie in.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Its path, cleaned.
    pub path: String,
    /// What is known of it, or why nothing is.
    pub state: Result<FolderState, String>,
    /// What in it is not taken for a game, with the reason.
    pub oddities: Vec<String>,
    /// What the running potluck says is wrong with it.
    pub trouble: Option<String>,
}

/// A folder that can be looked at.
#[derive(Debug, Clone)]
pub struct FolderState {
    /// Bytes free.
    pub free: u64,
    /// The file system's name.
    pub system: &'static str,
    /// The most bytes of a file there.
    pub file_max: Option<u64>,
    /// Why nothing can be written.
    pub read_only: Option<String>,
    /// Whether copies can share their blocks; `None` when it was not tried.
    pub reflink: Option<bool>,
    /// Whether `A` and `a` are two names; `None` when it was not tried.
    pub case_sensitive: Option<bool>,
}

/// What the kernel allows.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// Bytes a socket wants for what comes in and for what goes out.
    pub wanted: usize,
    /// Bytes it was given for what comes in.
    pub receive: usize,
    /// Bytes it was given for what goes out.
    pub send: usize,
    /// Files a process may have open.
    pub files: u64,
}

/// The time as this machine has it.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    /// Seconds since 1970.
    pub unix_seconds: u64,
    /// Whether something keeps it right, where that can be seen.
    pub kept: Option<bool>,
}

/// A peer's clock beside ours.
#[derive(Debug, Clone)]
pub struct PeerClock {
    /// The peer's name, cleaned.
    pub name: String,
    /// How many milliseconds it is ahead; negative where it is behind.
    pub ahead_ms: i64,
    /// How many more or fewer these may be.
    pub unsure_ms: u64,
}

/// Looks at everything. The findings stand in the order in which one would look for a fault.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = network::of_port(&facts.port);
    findings.extend(network::of_interfaces(&facts.interfaces, facts.default_route.as_deref()));
    findings.extend(network::of_multicast(facts.multicast.as_deref()));
    findings.extend(firewall::of_rules(&facts.firewall, facts.port.number, &facts.interfaces));
    findings.extend(network::of_neighbours(facts.neighbours.as_deref()));
    findings.extend(network::of_links(&facts.interfaces));
    findings.extend(facts.folders.iter().flat_map(machine::of_folder));
    findings.extend(machine::of_kernel(&facts.kernel));
    findings.push(clock::of_own(facts.clock));
    findings.extend(clock::of_peers(facts.clock, &facts.peer_clocks));
    findings
}

fn good(check: &'static str, what: impl Into<String>) -> Finding {
    Finding { check, verdict: Verdict::Good, what: what.into(), why: String::new(), fix: String::new() }
}

impl Finding {
    /// Something worth more than a nod.
    fn of(
        check: &'static str,
        verdict: Verdict,
        what: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { check, verdict, what: what.into(), why: why.into(), fix: fix.into() }
    }
}

/// `a, b and c`.
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// An address of this machine's own network, for a rule of thumb in a sentence.
fn is_ipv4(addr: &SocketAddr) -> bool {
    matches!(addr.ip().to_canonical(), IpAddr::V4(_))
}
