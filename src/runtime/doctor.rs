//! Gathers what `core/doctor` decides on: asks the ports, and one process, what they see. It blocks for
//! some seconds, so the driver gives it a thread of its own; where no runtime runs, the command line
//! calls it as it is.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _, Seek as _},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    path::Path,
    process::{Command as Program, Stdio},
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use super::{
    input::ReplyTo,
    tasks::{start_process, start_thread},
};
use crate::{
    api::{ClockView, CommandError, Diagnosis, ErrorCode, Finding, PeerView, Reply, Snapshot, Verdict},
    config::Settings,
    core::doctor::{
        self, Clock, Facts, Firewall, Folder, FolderState, Held, InterfaceKind, Kernel, Multicast, Neighbour,
        PeerClock, Port, Unread,
    },
    io::{
        clock,
        disk::Library,
        interfaces::{self, Interfaces, Role, Surveyed},
        mdns,
        probe::{folder, multicast, reach, system},
        quic::{DEFAULT_PORT, KERNEL_BUFFER_BYTES},
    },
    types::{PeerId, PeerName, clean},
};

/// Others answer multicast within 120 ms, and once more where it was lost.
const LISTEN_TIME: Duration = Duration::from_millis(600);
/// How long announcements are listened for: mDNS answers within that.
const LOOK_TIME: Duration = Duration::from_millis(1_800);
/// How long an address has to answer.
const ANSWER_TIME: Duration = Duration::from_millis(1_000);
/// How long `nft` has to say its rules.
const RULES_TIME: Duration = Duration::from_secs(3);
/// Rules of a machine with many containers.
const RULES_BYTES_MAX: u64 = 4 << 20;
/// Between two looks at whether `nft` has ended.
const RULES_PAUSE: Duration = Duration::from_millis(10);
/// Oddities of a library told in words.
const ODDITIES_MAX: usize = 100;

/// Examines this machine as `settings` have it; `live` is what a running runtime shows.
#[must_use]
pub fn examine(settings: &Settings, live: Option<&Snapshot>) -> Diagnosis {
    Diagnosis { findings: doctor::examine(&facts(settings, live)).into_iter().map(told).collect() }
}

/// At most one examination at a time, for the driver.
#[derive(Debug, Default)]
pub(crate) struct Doctor {
    /// Held by the one that runs.
    busy: Weak<()>,
}

impl Doctor {
    /// Examines on a thread of its own, which answers.
    pub(crate) fn order(&mut self, settings: &Arc<Settings>, live: Arc<Snapshot>, reply: ReplyTo) {
        let refused = |message: String| Err(CommandError::new(ErrorCode::Refused, message));
        if self.busy.strong_count() > 0 {
            // A face that no longer waits dropped its end.
            drop(reply.send(refused("it is being looked at already; ask again in some seconds".to_owned())));
            return;
        }
        let (settings, busy) = (Arc::clone(settings), Arc::new(()));
        self.busy = Arc::downgrade(&busy);
        let started = start_thread("potluck-doctor", move || {
            let _busy = busy;
            let diagnosis = examine(&settings, Some(&live));
            // As above.
            let _ = reply.send(Ok(Reply::Doctor(diagnosis)));
        });
        if let Err(error) = started {
            // The reply went with the closure: the face is told that nobody answers.
            tracing::error!(%error, "cannot start a thread for the doctor");
        }
    }
}

fn told(finding: doctor::Finding) -> Finding {
    let verdict = match finding.verdict {
        doctor::Verdict::Good => Verdict::Ok,
        doctor::Verdict::Unknown => Verdict::Unknown,
        doctor::Verdict::Warn => Verdict::Warn,
        doctor::Verdict::Bad => Verdict::Bad,
    };
    let check = finding.check.to_owned();
    Finding { check, verdict, what: finding.what, why: finding.why, fix: finding.fix }
}

fn facts(settings: &Settings, live: Option<&Snapshot>) -> Facts {
    let surveyed = interfaces::survey().unwrap_or_default();
    let mdns = settings.mdns;
    // Before multicast is tried: who has just answered that answers again only after a second.
    let neighbours = if mdns { neighbours(live) } else { None };
    Facts {
        port: port(settings, live),
        default_route: system::default_route(),
        multicast: mdns.then(|| surveyed.iter().filter_map(try_multicast).collect()),
        interfaces: surveyed.into_iter().map(interface).collect(),
        firewall: Firewall { rules: rules(), ufw: system::is_ufw_on() },
        neighbours,
        folders: settings.libraries.iter().map(|folder| library(&folder.path, live)).collect(),
        kernel: kernel(),
        clock: Clock { unix_seconds: clock::unix_ms() / 1_000, kept: system::clock_kept() },
        peer_clocks: peer_clocks(live),
    }
}

/// As they told when their links were made.
fn peer_clocks(live: Option<&Snapshot>) -> Vec<PeerClock> {
    let online = live.iter().flat_map(|live| live.peers.iter()).filter(|peer| peer.online);
    let told = |peer: &PeerView| {
        let ClockView { ahead_ms, unsure_ms } = peer.clock?;
        Some(PeerClock { name: peer.name.clone(), ahead_ms, unsure_ms })
    };
    online.filter_map(told).collect()
}

fn port(settings: &Settings, live: Option<&Snapshot>) -> Port {
    let primary = || Interfaces::read().ok().and_then(|interfaces| interfaces.primary());
    let answers = |addr: SocketAddr| reach::answering(&[addr], ANSWER_TIME).is_ok_and(|answered| !answered.is_empty());
    let listening: Option<SocketAddr> = live.and_then(|live| live.me.listen.first()?.parse().ok()); // Nowhere.
    if let Some(addr) = listening {
        let reached = match addr.ip() {
            ip if ip.is_unspecified() => primary().map(|ip| SocketAddr::new(ip, addr.port())),
            _ => Some(addr),
        };
        return Port { number: addr.port(), held: Held::Ours, reached: reached.map(|addr| (addr, answers(addr))) };
    }
    let listen = settings.listen.unwrap_or(SocketAddr::from((Ipv6Addr::UNSPECIFIED, DEFAULT_PORT)));
    let own: Option<IpAddr> = if listen.ip().is_unspecified() { primary() } else { Some(listen.ip()) };
    let tried = reach::try_port(listen, own, ANSWER_TIME).or_else(|error| match listen.ip() {
        // A machine without IPv6 listens on IPv4 only.
        IpAddr::V6(any) if any.is_unspecified() && error.kind() != io::ErrorKind::AddrInUse => {
            reach::try_port(SocketAddr::from(([0, 0, 0, 0], listen.port())), own, ANSWER_TIME)
        }
        IpAddr::V4(_) | IpAddr::V6(_) => Err(error),
    });
    let (held, arrived) = match tried {
        Ok(arrived) => (Held::Free, arrived),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            match own.map(|ip| answers(SocketAddr::new(ip, listen.port()))) {
                Some(true) => (Held::Theirs, Some(true)),
                Some(false) | None => (Held::Taken, None),
            }
        }
        Err(error) => (Held::Refused(error.to_string()), None),
    };
    let reached = own.zip(arrived).map(|(ip, arrived)| (SocketAddr::new(ip, listen.port()), arrived));
    Port { number: listen.port(), held, reached }
}

fn try_multicast(surveyed: &Surveyed) -> Option<Multicast> {
    let (index, address) = surveyed.ipv4.filter(|_| surveyed.role == Role::Real)?;
    let interface = surveyed.name.clone();
    Some(match multicast::ask(index, address, LISTEN_TIME) {
        Ok(seen) => Multicast { interface, refused: None, own: seen.own, others: seen.others },
        Err(error) => Multicast { interface, refused: Some(error.to_string()), own: false, others: 0 },
    })
}

fn interface(surveyed: Surveyed) -> doctor::Interface {
    let kind = match surveyed.role {
        Role::Real => InterfaceKind::Real,
        Role::Tunnel => InterfaceKind::Tunnel,
        Role::Virtual => InterfaceKind::Virtual,
        Role::Down => InterfaceKind::Down,
    };
    let (mbits, wireless) = (system::link_mbits(&surveyed.name), system::is_wireless(&surveyed.name));
    doctor::Interface { name: clean(&surveyed.name, 32), kind, reachable: surveyed.reachable, mbits, wireless }
}

/// Listened for anew, because not everybody who announces itself gets as far as a runtime's list.
fn neighbours(live: Option<&Snapshot>) -> Option<Vec<Neighbour>> {
    let own: Option<PeerId> = live.and_then(|live| live.me.peer.parse().ok()); // The demo's has none.
    let heard = mdns::look(own, LOOK_TIME).ok()?; // What multicast is tried by says why.
    let dialled =
        |addrs: &[SocketAddr]| addrs.iter().copied().filter(|addr| !interfaces::is_of_one_cable(addr.ip())).collect();
    let peers: Vec<(PeerId, PeerName, Vec<SocketAddr>)> =
        heard.into_iter().map(|(peer, (name, addrs))| (peer, name, dialled(&addrs))).collect();
    let addrs: Vec<SocketAddr> = peers.iter().flat_map(|(_, _, addrs)| addrs).copied().collect();
    let answered = reach::answering(&addrs, ANSWER_TIME).unwrap_or_default();
    let of = |(peer, name, addrs): (PeerId, PeerName, Vec<SocketAddr>)| {
        let answered = addrs.iter().find(|addr| answered.contains(addr)).copied();
        (peer.to_string(), Neighbour { name: name.as_str().to_owned(), addrs, answered })
    };
    let mut neighbours: BTreeMap<String, Neighbour> = peers.into_iter().map(of).collect();
    // A firewall may let one side in only, and a single question may be lost: a link that stands is as good as an answer.
    for peer in live.iter().flat_map(|live| live.peers.iter()).filter(|peer| peer.online) {
        if let Ok(addr) = peer.addr.parse() {
            let linked = Neighbour { name: peer.name.clone(), addrs: vec![addr], answered: Some(addr) };
            neighbours.insert(peer.id.clone(), linked);
        }
    }
    Some(neighbours.into_values().collect())
}

fn library(path: &Path, live: Option<&Snapshot>) -> Folder {
    let shown = clean(&path.display().to_string(), 400);
    let views = live.map_or(&[][..], |live| &live.totals.libraries);
    let trouble = views.iter().find(|view| Path::new(&view.path) == path).and_then(|view| view.trouble.clone());
    let looked = Library::open(path).map_err(|error| error.to_string()).and_then(|library| {
        let failed = |error: &dyn std::fmt::Display| clean(&error.to_string(), 400);
        let listing = library.list().map_err(|error| failed(&error))?;
        let (system, file_max) = folder::system(path).map_err(|error| failed(&error))?;
        let mut read_only = library.read_only().map(ToString::to_string);
        // One that says it can be written and cannot is told apart only by trying.
        let tried = match read_only {
            Some(_) => None,
            None => folder::try_features(path).map_err(|error| read_only = Some(failed(&error))).ok(), // Said there.
        };
        let state = FolderState {
            free: library.free_space().map_err(|error| failed(&error))?,
            system,
            file_max,
            read_only,
            reflink: tried.map(|tried| tried.reflink),
            case_sensitive: tried.map(|tried| tried.case_sensitive),
        };
        let oddities = listing.oddities.into_iter().take(ODDITIES_MAX);
        Ok((state, oddities.map(|oddity| format!("{} ({})", oddity.name, oddity.reason)).collect()))
    });
    let (state, oddities) = match looked {
        Ok((state, oddities)) => (Ok(state), oddities),
        Err(why) => (Err(why), Vec::new()),
    };
    Folder { path: shown, state, oddities, trouble }
}

fn kernel() -> Kernel {
    let wanted = KERNEL_BUFFER_BYTES;
    // Without a socket there is worse to say than its buffers.
    let (receive, send) = system::buffers(wanted).unwrap_or((wanted, wanted));
    Kernel { wanted, receive, send, files: system::files_max() }
}

/// The packet filter's rules, by its own tool: reading changes nothing.
fn rules() -> Result<String, Unread> {
    let nft = system::nft().ok_or(Unread::NoTool)?;
    let failed = |error: io::Error| Unread::Failed(error.to_string());
    // A file in memory and not a pipe: nobody has to read while it writes.
    let memory = || rustix::fs::memfd_create("potluck-doctor", rustix::fs::MemfdFlags::CLOEXEC).map(File::from);
    let (mut said, mut complained) = (memory().map_err(|e| failed(e.into()))?, memory().map_err(|e| failed(e.into()))?);
    let mut program = Program::new(nft);
    program.args(["list", "ruleset"]).stdin(Stdio::null()).env("LC_ALL", "C");
    program.stdout(said.try_clone().map_err(failed)?).stderr(complained.try_clone().map_err(failed)?);
    let mut child = start_process(&mut program).map_err(failed)?;
    let deadline = clock::now() + RULES_TIME;
    let status = loop {
        match child.try_wait().map_err(failed)? {
            Some(status) => break status,
            None if clock::now() < deadline => thread::sleep(RULES_PAUSE),
            None => {
                // It may have ended at this moment; either way it is waited for.
                let _ = child.kill();
                let _ = child.wait();
                return Err(Unread::Failed("nft does not answer".to_owned()));
            }
        }
    };
    let text = |file: &mut File| -> Result<String, Unread> {
        let mut bytes = Vec::new();
        file.rewind().map_err(failed)?;
        file.take(RULES_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    if status.success() {
        return text(&mut said);
    }
    let why = text(&mut complained)?;
    if why.contains("not permitted") || why.contains("you must be root") {
        return Err(Unread::NoRight);
    }
    Err(Unread::Failed(clean(why.trim(), 200)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_looked_at_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["quake", "nul"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let found = library(folder.path(), None);
        let state = found.state.unwrap();
        assert!(state.free > 0 && state.read_only.is_none() && state.case_sensitive == Some(true));
        assert_eq!(found.oddities.len(), 1, "{:?}", found.oddities);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
        assert!(library(&folder.path().join("no"), None).state.unwrap_err().contains("does not exist"));
    }
}
