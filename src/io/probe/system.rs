//! What the kernel allows and says: buffers of sockets, open files, cables, the way out, the clock,
//! and whether ufw is switched on.

use std::{fs, io, net::UdpSocket, path::Path};

use rustix::{
    net::sockopt,
    process::{Resource, getrlimit},
};

/// The usual place, for those whose path has no `sbin`.
const NFT_PLACES: [&str; 3] = ["/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"];

/// The bytes a socket is given when it asks for `wanted`, for what comes in and what goes out.
pub fn buffers(wanted: usize) -> io::Result<(usize, usize)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    sockopt::set_socket_recv_buffer_size(&socket, wanted)?;
    sockopt::set_socket_send_buffer_size(&socket, wanted)?;
    // Linux says twice what it gave, its own bookkeeping included.
    let half = if cfg!(target_os = "linux") { 2 } else { 1 };
    Ok((sockopt::socket_recv_buffer_size(&socket)? / half, sockopt::socket_send_buffer_size(&socket)? / half))
}

/// Files a process may have open when it asks for as many as it may.
#[must_use]
pub fn files_max() -> u64 {
    getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX)
}

/// Megabits a second of an interface's cable; `None` where the system does not say.
#[must_use]
pub fn link_mbits(interface: &str) -> Option<u32> {
    // A cable that is not plugged in is -1.
    read(&Path::new("/sys/class/net").join(interface).join("speed"))?.parse().ok()
}

/// Whether an interface is Wi-Fi.
#[must_use]
pub fn is_wireless(interface: &str) -> bool {
    let device = Path::new("/sys/class/net").join(interface);
    device.join("wireless").exists() || device.join("phy80211").exists()
}

/// The interface behind which everything else lies.
#[must_use]
pub fn default_route() -> Option<String> {
    route_in(&fs::read_to_string("/proc/net/route").ok()?) // Without the table it is not known.
}

/// Whether something keeps the clock right, where that can be seen.
#[must_use]
pub fn clock_kept() -> Option<bool> {
    let synchronized = Path::new("/run/systemd/timesync/synchronized");
    if synchronized.exists() || Path::new("/run/chrony/chronyd.pid").exists() {
        return Some(true);
    }
    synchronized.parent().is_some_and(Path::is_dir).then_some(false)
}

/// Whether ufw is switched on, by the file that everybody may read.
#[must_use]
pub fn is_ufw_on() -> bool {
    read(Path::new("/etc/ufw/ufw.conf")).is_some_and(|text| text.lines().any(|line| line.trim() == "ENABLED=yes"))
}

/// The tool that shows the firewall's rules.
#[must_use]
pub fn nft() -> Option<&'static Path> {
    NFT_PLACES.iter().map(Path::new).find(|path| path.exists())
}

fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned()) // What is not there says nothing.
}

/// Of the routes to everywhere the one with the smallest metric.
fn route_in(table: &str) -> Option<String> {
    let routes = table.lines().skip(1).filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [interface, "00000000", _, _, _, _, metric, "00000000", ..] = words.as_slice() else { return None };
        Some((metric.parse::<u32>().ok()?, (*interface).to_owned()))
    });
    routes.min().map(|(_, interface)| interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_out_is_the_cheapest_route_to_everywhere() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n\
                     eth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
                     wg0\t00000000\t00000000\t0001\t0\t0\t50\t00000000\t0\t0\t0\n\
                     eth0\t0000000A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
        assert_eq!(route_in(table).as_deref(), Some("wg0"));
        assert_eq!(route_in("Iface\n"), None);
    }

    #[test]
    fn buffers_are_what_was_asked_for_or_less() {
        let (receive, send) = buffers(65_536).unwrap();
        assert_eq!((receive, send), (65_536, 65_536));
        let (receive, _) = buffers(1 << 30).unwrap();
        assert!(receive < 1 << 30, "no kernel gives a socket a gigabyte");
        assert!(files_max() >= 1_024);
    }
}
