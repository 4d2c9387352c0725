//! A machine on which everything is well, and each way in which it is not.

use super::*;

fn well() -> Facts {
    let addr = "10.0.3.17:47800".parse().unwrap();
    let peer = "10.0.3.2:47800".parse().unwrap();
    Facts {
        port: Port { number: 47_800, held: Held::Ours, reached: Some((addr, true)) },
        interfaces: vec![interface("eth0", InterfaceKind::Real)],
        default_route: Some("eth0".into()),
        multicast: Some(vec![Multicast { interface: "eth0".into(), refused: None, own: true, others: 2 }]),
        firewall: Firewall { rules: Ok(String::new()), ufw: false },
        neighbours: Some(vec![Neighbour { name: "nas".into(), addrs: vec![peer], answered: Some(peer) }]),
        folders: vec![Folder {
            path: "/srv/games".into(),
            state: Ok(FolderState {
                free: 100 << 30,
                system: "ext4",
                file_max: None,
                read_only: None,
                reflink: Some(false),
                case_sensitive: Some(true),
            }),
            oddities: Vec::new(),
            trouble: None,
        }],
        kernel: Kernel { wanted: 4 << 20, receive: 4 << 20, send: 4 << 20, files: 65_536 },
        clock: Clock { unix_seconds: 1_795_219_200, kept: Some(true) },
        peer_clocks: vec![clock_of("nas", 40)],
    }
}

fn clock_of(name: &str, ahead_ms: i64) -> PeerClock {
    PeerClock { name: name.into(), ahead_ms, unsure_ms: 2 }
}

fn interface(name: &str, kind: InterfaceKind) -> Interface {
    Interface { name: name.into(), kind, reachable: true, mbits: Some(1_000), wireless: false }
}

fn state(facts: &mut Facts) -> &mut FolderState {
    facts.folders[0].state.as_mut().unwrap()
}

/// After `change` exactly one finding is worse than good, and it has these words and a command.
fn check(change: impl FnOnce(&mut Facts), check: &str, verdict: Verdict, words: &[&str]) {
    let mut facts = well();
    change(&mut facts);
    let worse: Vec<Finding> = examine(&facts).into_iter().filter(|finding| finding.verdict > Verdict::Good).collect();
    let [found] = worse.as_slice() else { panic!("{check}: {worse:#?}") };
    assert_eq!((found.check, found.verdict), (check, verdict), "{found:#?}");
    let text = format!("{} {} {}", found.what, found.why, found.fix);
    for word in words {
        assert!(text.contains(word), "{check} lacks {word}: {text}");
    }
    assert!(!found.why.is_empty() && !found.fix.is_empty(), "{found:#?}");
}

#[test]
fn a_machine_that_is_well_has_only_good_findings() {
    let findings = examine(&well());
    assert!(findings.iter().all(|finding| finding.verdict == Verdict::Good), "{findings:#?}");
    let checks: Vec<&str> = findings.iter().map(|finding| finding.check).collect();
    assert_eq!(
        checks,
        [
            "port",
            "reach",
            "interfaces",
            "multicast",
            "firewall",
            "peers",
            "link-speed",
            "library",
            "space",
            "file-system",
            "buffers",
            "open-files",
            "clock",
            "peer-clocks"
        ]
    );
}

#[test]
fn the_port() {
    check(|facts| facts.port.held = Held::Taken, "port", Verdict::Warn, &["47800", "ss -ulpn"]);
    check(
        |facts| facts.port.held = Held::Refused("not allowed".into()),
        "port",
        Verdict::Bad,
        &["not allowed", "--listen"],
    );
    let silent = |facts: &mut Facts| facts.port.reached.as_mut().unwrap().1 = false;
    check(silent, "reach", Verdict::Bad, &["10.0.3.17:47800", "firewall"]);
    let mut facts = well();
    facts.port.held = Held::Theirs;
    assert!(examine(&facts).iter().all(|finding| finding.verdict == Verdict::Good));
    facts.port = Port { number: 47_800, held: Held::Free, reached: None };
    assert!(examine(&facts)[0].what.contains("no potluck is running"));
}

#[test]
fn the_networks() {
    let none = |facts: &mut Facts| facts.interfaces = vec![interface("eth0", InterfaceKind::Down)];
    check(none, "interfaces", Verdict::Bad, &["eth0 is down", "ip -brief link"]);
    let bare = |facts: &mut Facts| facts.interfaces[0].reachable = false;
    check(bare, "address", Verdict::Bad, &["eth0 has no IPv4 address", "DHCP", "ip address add 10."]);
    let through = |facts: &mut Facts| {
        facts.interfaces.push(interface("wg0", InterfaceKind::Tunnel));
        facts.default_route = Some("wg0".into());
    };
    check(through, "vpn", Verdict::Warn, &["wg0", "sudo ip link set wg0 down"]);
    let mut facts = well();
    facts.interfaces.extend([interface("docker0", InterfaceKind::Virtual), interface("wg0", InterfaceKind::Tunnel)]);
    let findings = examine(&facts);
    let named = findings.iter().find(|finding| finding.check == "interfaces").unwrap();
    assert!(named.what.contains("docker0 (containers") && named.what.contains("wg0 (VPN)"), "{named:?}");
    assert_eq!(named.verdict, Verdict::Good);
}

#[test]
fn multicast_each_way() {
    let refuse = |facts: &mut Facts| facts.multicast.as_mut().unwrap()[0].refused = Some("no route".into());
    check(refuse, "multicast", Verdict::Bad, &["eth0", "no route", "potluck connect"]);
    let deaf = |facts: &mut Facts| facts.multicast.as_mut().unwrap()[0].own = false;
    check(deaf, "multicast", Verdict::Bad, &["5353", "nft list ruleset"]);
    let mut facts = well();
    facts.multicast = None;
    assert!(examine(&facts).iter().all(|finding| finding.verdict == Verdict::Good));
}

#[test]
fn the_firewall() {
    let rules = "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority 0; policy accept;\n\t\tudp dport 47800 drop\n\t}\n}";
    let block = |facts: &mut Facts| facts.firewall.rules = Ok(rules.into());
    check(block, "firewall", Verdict::Bad, &["47800", "sudo nft insert rule inet filter input"]);
    check(|facts| facts.firewall.rules = Err(Unread::NoRight), "firewall", Verdict::Unknown, &["administrator"]);
}

#[test]
fn peers_nearby() {
    let silent = |facts: &mut Facts| facts.neighbours.as_mut().unwrap()[0].answered = None;
    check(silent, "peers", Verdict::Bad, &["nas announces itself at 10.0.3.2:47800", "ufw allow 47800/udp"]);
    let one_of_two = |facts: &mut Facts| {
        let peers = facts.neighbours.as_mut().unwrap();
        peers.push(Neighbour { answered: None, ..peers[0].clone() });
    };
    check(one_of_two, "peers", Verdict::Warn, &["does not answer"]);
    let bare = |facts: &mut Facts| {
        let peer = &mut facts.neighbours.as_mut().unwrap()[0];
        (peer.addrs, peer.answered) = (Vec::new(), None);
    };
    check(bare, "peers", Verdict::Bad, &["nas announces itself only at an IPv6 address", "potluck doctor    # on nas"]);
    let nobody = |facts: &mut Facts| facts.neighbours = Some(Vec::new());
    check(nobody, "peers", Verdict::Unknown, &["potluck connect"]);
}

#[test]
fn cables() {
    check(|facts| facts.interfaces[0].mbits = Some(100), "link-speed", Verdict::Warn, &["12 MB/s", "ethtool eth0"]);
    check(|facts| facts.interfaces[0].wireless = true, "link-speed", Verdict::Warn, &["Wi-Fi", "cable"]);
    let mut facts = well();
    facts.interfaces[0].mbits = None;
    assert!(!examine(&facts).iter().any(|finding| finding.check == "link-speed"), "nothing is known, nothing is said");
}

#[test]
fn folders() {
    let gone = |facts: &mut Facts| facts.folders[0].state = Err("it does not exist".into());
    check(gone, "library", Verdict::Bad, &["does not exist", "mkdir -p '/srv/games'"]);
    let frozen = |facts: &mut Facts| state(facts).read_only = Some("read-only".into());
    check(frozen, "library", Verdict::Bad, &["read-only", "is shared"]);
    let trouble = |facts: &mut Facts| facts.folders[0].trouble = Some("it is gone".into());
    check(trouble, "library", Verdict::Bad, &["it is gone", "potluck logs"]);
    let odd = |facts: &mut Facts| facts.folders[0].oddities = (0..7).map(|n| format!("odd{n}")).collect();
    check(odd, "library", Verdict::Warn, &["odd0; odd1", "and 2 more"]);
    check(|facts| state(facts).free = 500 << 20, "space", Verdict::Bad, &["524 MB", "potluck remove"]);
    check(|facts| state(facts).free = 5 << 30, "space", Verdict::Warn, &["5.4 GB"]);
    let fat = |facts: &mut Facts| (state(facts).system, state(facts).file_max) = ("FAT", Some(u32::MAX.into()));
    check(fat, "file-system", Verdict::Warn, &["FAT", "4.3 GB", "findmnt"]);
    check(|facts| state(facts).case_sensitive = Some(false), "file-system", Verdict::Warn, &["`a` and `A`"]);
    let mut facts = well();
    state(&mut facts).reflink = Some(true);
    assert!(examine(&facts).iter().any(|finding| finding.what.contains("share their blocks")));
}

#[test]
fn the_system() {
    check(|facts| facts.kernel.receive = 212_992, "buffers", Verdict::Warn, &["213 kB", "net.core.rmem_max=4194304"]);
    check(|facts| facts.kernel.send = 1, "buffers", Verdict::Warn, &["net.core.wmem_max"]);
    check(|facts| facts.kernel.files = 1_024, "open-files", Verdict::Warn, &["1024", "ulimit"]);
    check(|facts| facts.clock.unix_seconds = 0, "clock", Verdict::Warn, &["years behind", "timedatectl"]);
    check(|facts| facts.clock.kept = Some(false), "clock", Verdict::Unknown, &["time server"]);
    check(|facts| facts.clock.kept = None, "clock", Verdict::Unknown, &["date"]);
}

#[test]
fn the_clocks_of_peers() {
    const MINUTE_MS: i64 = 60_000;
    let check_clocks = |kept: Option<bool>, clocks: &[(&str, i64)], words: &[&str]| {
        let mut facts = well();
        facts.peer_clocks = clocks.iter().map(|(name, ahead_ms)| clock_of(name, *ahead_ms)).collect();
        facts.clock.kept = kept;
        let found = examine(&facts).into_iter().find(|finding| finding.check == "peer-clocks").unwrap();
        let text = format!("{:?} {} {} {}", found.verdict, found.what, found.why, found.fix);
        for word in words {
            assert!(text.contains(word), "{clocks:?} lacks {word}: {text}");
        }
    };
    check_clocks(Some(true), &[("nas", -240)], &["Good", "a peer's to within 0.2 s: 1 asked"]);
    check_clocks(Some(true), &[("nas", 9_999), ("b", 0)], &["Good", "those of peers to within 10 s: 2 asked"]);
    // One of two: the one that a time server keeps is right.
    let one = [("nas", 3 * MINUTE_MS)];
    check_clocks(Some(true), &one, &["Warn", "nas's is 3 min ahead", "theirs", "timedatectl set-ntp true    # on nas"]);
    check_clocks(Some(false), &one, &["Warn", "cannot be told", "# on every machine"]);
    // One against the rest.
    check_clocks(None, &[("a", 0), ("old", -90 * MINUTE_MS)], &["old's is 90 min behind", "Others agree", "# on old"]);
    let rest = [("a", 7_300_000), ("b", 7_301_000), ("c", 12)];
    check_clocks(None, &rest, &["This machine's clock is 2 h behind those of 2 of 3", "set-ntp true"]);
    check_clocks(None, &[("a", -20_000), ("b", -21_000)], &["This machine's clock is 20 s ahead of"]);
    // Many that agree with nobody.
    let all: Vec<(String, i64)> = (1..=9).map(|number| (format!("p{number}"), number * 400 * 86_400_000)).collect();
    let all: Vec<(&str, i64)> = all.iter().map(|(name, ahead_ms)| (name.as_str(), *ahead_ms)).collect();
    check_clocks(None, &all, &["p1's is 400 days ahead", "p4's", "and 5 more apart"]);
    // What is not known is not held against anybody.
    let mut facts = well();
    facts.peer_clocks = vec![PeerClock { unsure_ms: 4_000, ..clock_of("far", 13_000) }];
    assert!(examine(&facts).iter().all(|finding| finding.verdict == Verdict::Good));
    facts.peer_clocks.clear();
    assert!(examine(&facts).iter().all(|finding| finding.check != "peer-clocks"));
    facts.peer_clocks = vec![PeerClock { unsure_ms: u64::MAX, ..clock_of("odd", i64::MIN) }];
    assert!(examine(&facts).iter().all(|finding| finding.verdict == Verdict::Good));
}
