//! The port, the interfaces, multicast, peers nearby and cables.

use super::{Finding, Held, Interface, InterfaceKind, Multicast, Neighbour, Port, Verdict, good, is_ipv4, listed};

/// A LAN of today; below it one seat's cable is the limit of everybody who gets from it.
const MBITS_USUAL: u32 = 1_000;

pub(super) fn of_port(port: &Port) -> Vec<Finding> {
    let Port { number, held, reached } = port;
    let show = format!("ss -ulpn 'sport = :{number}'");
    let mut findings = vec![match held {
        Held::Ours => good("port", format!("potluck listens on UDP port {number}.")),
        Held::Theirs => good("port", format!("The potluck of another user listens on UDP port {number}.")),
        Held::Free => good("port", format!("UDP port {number} is free; no potluck is running here.")),
        Held::Taken => Finding::of(
            "port",
            Verdict::Warn,
            format!("Another program holds UDP port {number}."),
            "potluck takes the next free port then. Peers that find each other by mDNS learn of it, but who dials this \
             machine by its address has to name it.",
            show,
        ),
        Held::Refused(why) => Finding::of(
            "port",
            Verdict::Bad,
            format!("UDP port {number} cannot be opened: {why}."),
            "Nobody can reach this machine. Choose another port with `listen` in the config file or --listen.",
            show,
        ),
    }];
    match reached {
        Some((addr, true)) => findings.push(good("reach", format!("What is sent to {addr} arrives."))),
        Some((addr, false)) => findings.push(Finding::of(
            "reach",
            Verdict::Bad,
            format!("What this machine sends to its own address {addr} does not arrive."),
            "If not even this machine reaches its port, nobody does: a firewall closes it, or potluck hangs.",
            "sudo nft list ruleset",
        )),
        None => {}
    }
    findings
}

pub(super) fn of_interfaces(interfaces: &[Interface], default_route: Option<&str>) -> Vec<Finding> {
    let named = |kind: InterfaceKind| -> Vec<String> {
        interfaces.iter().filter(|interface| interface.kind == kind).map(|interface| interface.name.clone()).collect()
    };
    let (real, tunnels, others) =
        (named(InterfaceKind::Real), named(InterfaceKind::Tunnel), named(InterfaceKind::Virtual));
    let mut findings = Vec::new();
    if real.is_empty() {
        let down = named(InterfaceKind::Down);
        let hint = if down.is_empty() { String::new() } else { format!(" ({} is down)", listed(&down)) };
        findings.push(Finding::of(
            "interfaces",
            Verdict::Bad,
            format!("No network is connected{hint}."),
            "Without one there is no party: plug the cable in, or join the Wi-Fi.",
            "ip -brief link",
        ));
    } else {
        let mut what = format!("The room is looked for on {}.", listed(&real));
        if !others.is_empty() {
            what += &format!(" Left out: {} (containers or virtual machines).", listed(&others));
        }
        if !tunnels.is_empty() {
            what += &format!(" Left out: {} (VPN).", listed(&tunnels));
        }
        findings.push(good("interfaces", what));
    }
    let bare = interfaces.iter().filter(|i| i.kind == InterfaceKind::Real && !i.reachable);
    findings.extend(bare.map(|Interface { name, .. }| {
        Finding::of(
            "address",
            Verdict::Bad,
            format!("{name} has no IPv4 address, and of IPv6 only one for its own cable (fe80…)."),
            "No peer can link with this machine there. Nothing in this network hands out addresses (DHCP), or it was not \
             asked. Where nothing does, give every machine one by hand, each another number at the end.",
            format!("sudo ip address add 10.47.0.1/16 dev {name}"),
        )
    }));
    let through = |kind| interfaces.iter().find(|i| i.kind == kind && Some(i.name.as_str()) == default_route);
    if let Some(tunnel) = through(InterfaceKind::Tunnel) {
        findings.push(Finding::of(
            "vpn",
            Verdict::Warn,
            format!("Everything that is not for this network goes through {}, a VPN.", tunnel.name),
            "Many VPNs also keep this machine from its own network. If peers are missing, leave it for the party.",
            format!("sudo ip link set {} down", tunnel.name),
        ));
    }
    findings
}

pub(super) fn of_multicast(tried: Option<&[Multicast]>) -> Vec<Finding> {
    let Some(tried) = tried else {
        return vec![good("multicast", "Peers are not looked for by mDNS, as the settings say (mdns).")];
    };
    tried.iter().map(of_one).collect()
}

fn of_one(tried: &Multicast) -> Finding {
    let name = &tried.interface;
    if let Some(why) = &tried.refused {
        let what = format!("Nothing can be sent to everybody on {name}: {why}.");
        let meaning = "Peers do not find each other by themselves; addresses given by hand still work.";
        return Finding::of("multicast", Verdict::Bad, what, meaning, "potluck connect HOST:47800");
    }
    if !tried.own {
        return Finding::of(
            "multicast",
            Verdict::Bad,
            format!("What is sent to everybody on {name} (UDP port 5353) does not come in again."),
            "A firewall closes the port on which machines find each other by mDNS.",
            "sudo nft list ruleset",
        );
    }
    let heard = match tried.others {
        0 => "nobody else answered".to_owned(),
        1 => "one other machine answered".to_owned(),
        more => format!("{more} other machines answered"),
    };
    good("multicast", format!("Multicast goes out and comes in on {name}; {heard}."))
}

pub(super) fn of_neighbours(neighbours: Option<&[Neighbour]>) -> Vec<Finding> {
    let Some(neighbours) = neighbours else { return Vec::new() };
    if neighbours.is_empty() {
        return vec![Finding::of(
            "peers",
            Verdict::Unknown,
            "No peer announces itself on this network.",
            "Either nobody else runs potluck, or the network keeps multicast back: guest Wi-Fi, other subnets and some \
             switches do. One address is enough, the rest of the room follows from it.",
            "potluck connect HOST:47800",
        )];
    }
    let silent: Vec<&Neighbour> = neighbours.iter().filter(|peer| peer.answered.is_none()).collect();
    let answering = neighbours.len() - silent.len();
    let mut findings = Vec::new();
    if answering > 0 {
        let peers = if answering == 1 { "One peer announces itself" } else { "Peers announce themselves" };
        findings.push(good("peers", format!("{peers} and can be reached: {answering} of {}.", neighbours.len())));
    }
    let verdict = if answering == 0 { Verdict::Bad } else { Verdict::Warn };
    findings.extend(silent.into_iter().map(|peer| {
        let Some(addr) = peer.addrs.iter().find(|addr| is_ipv4(addr)).or(peer.addrs.first()) else {
            return Finding::of(
                "peers",
                verdict,
                format!("{} announces itself only at an IPv6 address for its own cable (fe80…).", peer.name),
                "No peer can link with it there. Perhaps it has not got an IPv4 address yet.",
                format!("potluck doctor    # on {}", peer.name),
            );
        };
        let port = addr.port();
        Finding::of(
            "peers",
            verdict,
            format!("{} announces itself at {addr}, but does not answer there.", peer.name),
            format!("A firewall on that machine closes UDP port {port}, or the network keeps its clients apart."),
            format!("sudo ufw allow {port}/udp    # on {}", peer.name),
        )
    }));
    findings
}

pub(super) fn of_links(interfaces: &[Interface]) -> Vec<Finding> {
    let real = interfaces.iter().filter(|interface| interface.kind == InterfaceKind::Real);
    real.filter_map(|interface| {
        let name = &interface.name;
        if interface.wireless {
            return Some(Finding::of(
                "link-speed",
                Verdict::Warn,
                format!("{name} is Wi-Fi."),
                "All its users share one channel, so every chunk this machine moves slows the others. Use a cable.",
                format!("iw dev {name} link"),
            ));
        }
        let mbits = interface.mbits?;
        let megabytes = mbits / 8;
        if mbits < MBITS_USUAL {
            return Some(Finding::of(
                "link-speed",
                Verdict::Warn,
                format!("{name} is linked at {mbits} Mbit/s, that is at most {megabytes} MB/s."),
                "A bad cable or an old switch: four of its eight wires are enough for 100 Mbit/s, and no more.",
                format!("sudo ethtool {name}"),
            ));
        }
        Some(good("link-speed", format!("{name} is linked at {mbits} Mbit/s.")))
    })
    .collect()
}
