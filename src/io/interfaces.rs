//! This machine's network interfaces: where discovery announces itself, which addresses others may
//! make us dial, and which address people are shown.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use if_addrs::{IfAddr, Interface};

/// Beginnings of names of interfaces that lead into containers, virtual machines and tunnels: what
/// is announced there is heard by nobody at the party, or by somebody who is not there.
const VIRTUAL_PREFIXES: [&str; 16] = [
    "docker",
    "br-",
    "veth",
    "virbr",
    "vnet",
    "vmnet",
    "vboxnet",
    "lxc",
    "lxd",
    "cni",
    "flannel",
    "podman",
    "tun",
    "tap",
    "wg",
    "tailscale",
];
/// Those of them that lead to one other end: VPNs.
const TUNNEL_PREFIXES: [&str; 4] = ["tun", "tap", "wg", "tailscale"];
/// Ports below are other services' (RFC 6335: system ports); a peer may not aim us at them.
const TARGET_PORT_MIN: u16 = 1_024;

/// The real interfaces at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    addresses: Vec<Address>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    name: String,
    ip: IpAddr,
    prefix: u8,
}

impl Interfaces {
    /// Asks the system.
    pub fn read() -> io::Result<Self> {
        Ok(if_addrs::get_if_addrs()?.iter().filter(|interface| is_real(interface)).map(Address::of).collect())
    }

    /// Whether the peer at `teller` may make us dial `target`: private, link-local and directly
    /// connected addresses with a port that no system service has; this machine itself only at the
    /// word of a peer that runs on it too.
    #[must_use]
    pub fn is_allowed_target(&self, target: SocketAddr, teller: IpAddr) -> bool {
        let ip = target.ip().to_canonical();
        if target.port() < TARGET_PORT_MIN || ip.is_unspecified() || ip.is_multicast() || ip == Ipv4Addr::BROADCAST {
            return false;
        }
        if ip.is_loopback() {
            return teller.to_canonical().is_loopback();
        }
        is_local_range(ip) || self.addresses.iter().any(|own| own.connects(ip))
    }

    /// The address people can reach us at, for display: IPv4 before IPv6, private before public,
    /// link-local last.
    #[must_use]
    pub fn primary(&self) -> Option<IpAddr> {
        self.addresses
            .iter()
            .map(|own| own.ip)
            .min_by_key(|ip| (is_link_local(*ip), ip.is_ipv6(), !is_local_range(*ip)))
    }

    /// The IPv4 addresses a machine of this network may reach us at.
    #[must_use]
    pub fn lan_ipv4(&self) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = self.addresses.iter().map(|own| own.ip).filter(IpAddr::is_ipv4).collect();
        addresses.sort_by_key(|ip| (is_link_local(*ip), !is_local_range(*ip), *ip));
        addresses.dedup();
        addresses
    }

    /// Whether `ip` is one of ours.
    #[must_use]
    pub fn is_own(&self, ip: IpAddr) -> bool {
        ip.is_loopback() || self.addresses.iter().any(|own| own.ip == ip.to_canonical())
    }

    /// Whether no router lies between this machine and `ip`.
    #[must_use]
    pub fn is_near(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_loopback() || is_link_local(ip) || self.addresses.iter().any(|own| own.connects(ip))
    }

    /// The names of the interfaces, each once.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.addresses.iter().map(|own| own.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl FromIterator<Address> for Interfaces {
    fn from_iter<T: IntoIterator<Item = Address>>(addresses: T) -> Self {
        Self { addresses: addresses.into_iter().collect() }
    }
}

impl Address {
    fn of(interface: &Interface) -> Self {
        let (ip, prefix) = match &interface.addr {
            IfAddr::V4(v4) => (v4.ip.into(), v4.prefixlen),
            IfAddr::V6(v6) => (v6.ip.into(), v6.prefixlen),
        };
        Self { name: interface.name.clone(), ip, prefix }
    }

    /// Whether `other` is in the network this address is in.
    fn connects(&self, other: IpAddr) -> bool {
        match (self.ip, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix.min(128))).unwrap_or(0);
                own.to_bits() & mask == other.to_bits() & mask
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// What an interface is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Discovery uses it.
    Real,
    /// It leads to one other end.
    Tunnel,
    /// It leads into containers and virtual machines.
    Virtual,
    /// It has no address, or nothing is plugged in.
    Down,
}

/// An interface of this machine, whatever it is to us; loopback is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surveyed {
    /// Its name.
    pub name: String,
    /// What it is to us.
    pub role: Role,
    /// Its number and an IPv4 address, where it has them.
    pub ipv4: Option<(u32, Ipv4Addr)>,
    /// Whether it has an address at which others can reach it.
    pub reachable: bool,
}

/// Every interface, those without an address included, by name.
pub fn survey() -> io::Result<Vec<Surveyed>> {
    let addressed = if_addrs::get_if_addrs()?;
    let mut names: Vec<String> = addressed.iter().map(|interface| interface.name.clone()).collect();
    // Those without an address are not in the list of addresses.
    let all = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    names.extend(
        all.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().to_string_lossy().into_owned()),
    );
    names.sort();
    names.dedup();
    names.retain(|name| name != "lo");
    Ok(names.into_iter().map(|name| surveyed(name, &addressed)).collect())
}

fn surveyed(name: String, addressed: &[Interface]) -> Surveyed {
    let own = || addressed.iter().filter(|interface| interface.name == name);
    let ipv4 = own().find_map(|interface| match (&interface.addr, interface.index) {
        (IfAddr::V4(v4), Some(index)) => Some((index, v4.ip)),
        (IfAddr::V4(_) | IfAddr::V6(_), _) => None,
    });
    let role = if own().any(is_real) {
        Role::Real
    } else if TUNNEL_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || own().any(Interface::is_p2p) {
        Role::Tunnel
    } else if is_virtual_name(&name) {
        Role::Virtual
    } else {
        Role::Down
    };
    let reachable = own().any(|interface| !is_of_one_cable(interface.ip()));
    Surveyed { name, role, ipv4, reachable }
}

/// Whether discovery uses this interface: up, not loopback, not point to point, and not virtual by
/// its name. A namespace's `eth0` may be a veth underneath and is real for all who live there.
#[must_use]
pub fn is_real(interface: &Interface) -> bool {
    let up = match interface.oper_status {
        if_addrs::IfOperStatus::Up | if_addrs::IfOperStatus::Unknown => true,
        if_addrs::IfOperStatus::Down
        | if_addrs::IfOperStatus::Testing
        | if_addrs::IfOperStatus::Dormant
        | if_addrs::IfOperStatus::NotPresent
        | if_addrs::IfOperStatus::LowerLayerDown => false,
    };
    up && !interface.is_loopback() && !interface.is_p2p() && !is_virtual_name(&interface.name)
}

fn is_virtual_name(name: &str) -> bool {
    VIRTUAL_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn is_local_range(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether an address means a machine only together with the interface behind which it is: a peer's answer to one
/// such does not find back, because the QUIC library keeps no interface with an address.
#[must_use]
pub fn is_of_one_cable(ip: IpAddr) -> bool {
    ip.is_ipv6() && is_link_local(ip)
}

/// Whether an address is one that a machine gave itself, for what is on its own cable.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => Ipv6Addr::is_unicast_link_local(&v6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interfaces(addresses: &[(&str, u8)]) -> Interfaces {
        let address = |(ip, prefix): &(&str, u8)| Address {
            name: "eth0".into(),
            ip: ip.parse().expect("an address"),
            prefix: *prefix,
        };
        addresses.iter().map(address).collect()
    }

    fn check(target: &str, expect: bool) {
        let own = interfaces(&[("198.51.100.7", 24), ("2001:db8:1::7", 64), ("10.1.2.3", 8)]);
        let teller = IpAddr::from([10, 0, 0, 9]);
        assert_eq!(own.is_allowed_target(target.parse().expect("an address"), teller), expect, "{target}");
    }

    #[test]
    fn peers_on_this_machine_may_name_each_other() {
        let target = SocketAddr::from(([127, 0, 0, 1], 47_801));
        assert!(interfaces(&[]).is_allowed_target(target, Ipv4Addr::LOCALHOST.into()));
        assert!(!interfaces(&[]).is_allowed_target(target, Ipv4Addr::new(10, 0, 0, 9).into()));
    }

    #[test]
    fn others_aim_us_only_at_the_neighbourhood() {
        for target in [
            "10.9.9.9:47800",
            "172.16.0.1:1024",
            "192.168.7.7:65535",
            "169.254.1.1:47800",
            "[fd00::1]:47800",
            "198.51.100.200:47800",
            "[2001:db8:1::99]:47800",
            "[::ffff:10.1.1.1]:47800",
        ] {
            check(target, true);
        }
        for target in [
            "8.8.8.8:47800",
            "198.51.101.1:47800",
            "10.1.1.1:53",
            "10.1.1.1:1023",
            "10.1.1.1:0",
            "127.0.0.1:47800",
            "[::1]:47800",
            "0.0.0.0:47800",
            "255.255.255.255:47800",
            "224.0.0.251:5353",
            "[ff02::fb]:5353",
            "[2001:db8:2::1]:47800",
            "[::ffff:8.8.8.8]:47800",
            "[::ffff:127.0.0.1]:47800",
        ] {
            check(target, false);
        }
    }

    #[test]
    fn what_is_near_needs_no_router() {
        let here = interfaces(&[("10.0.3.17", 24), ("fd00::1", 64)]);
        let check = |ip: &str, expect| assert_eq!(here.is_near(ip.parse().expect("an address")), expect, "{ip}");
        check("10.0.3.99", true);
        check("10.0.4.1", false);
        check("::ffff:10.0.3.9", true);
        check("fd00::9", true);
        check("fe80::9", true);
        check("127.0.0.1", true);
        check("8.8.8.8", false);
    }

    #[test]
    fn people_are_shown_the_address_they_know() {
        let primary = |addresses: &[(&str, u8)]| interfaces(addresses).primary().map(|ip| ip.to_string());
        assert_eq!(primary(&[("fe80::1", 64), ("fd00::1", 64), ("10.0.0.1", 8)]).as_deref(), Some("10.0.0.1"));
        assert_eq!(primary(&[("169.254.0.1", 16), ("fd00::1", 64)]).as_deref(), Some("fd00::1"));
        assert_eq!(primary(&[("198.51.100.1", 24), ("192.168.0.1", 24)]).as_deref(), Some("192.168.0.1"));
        assert_eq!(primary(&[]), None);
    }

    #[test]
    fn a_prefix_of_nothing_connects_everything_and_a_full_one_only_itself() {
        let connects = |prefix, other: &str| {
            Address { name: String::new(), ip: [10, 0, 0, 1].into(), prefix }
                .connects(other.parse().expect("an address"))
        };
        assert!(connects(0, "8.8.8.8"));
        assert!(connects(32, "10.0.0.1"));
        assert!(!connects(32, "10.0.0.2"));
        assert!(!connects(8, "::1"));
    }

    #[test]
    fn tunnels_and_bridges_are_not_the_party() {
        for name in ["docker0", "br-12ab", "veth99", "wg0", "tailscale0", "tun0", "virbr0"] {
            assert!(is_virtual_name(name), "{name}");
        }
        for name in ["eth0", "enp3s0", "wlan0", "wlp2s0", "br0", "bond0", "en0"] {
            assert!(!is_virtual_name(name), "{name}");
        }
    }
}
