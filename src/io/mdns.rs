//! Announces this peer by multicast DNS and hears of others: `_potluck._udp.local.`, the PeerId as
//! instance name. Runs a thread of its own (the library's). Says nothing about whether a peer is
//! alive: an announcement outlives a crash by two minutes, so liveness comes from the link.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr, SocketAddrV6},
    time::Duration,
};

use mdns_sd::{
    DaemonStatus, IfKind, IfPredicate, Receiver, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo,
};

use super::{clock, interfaces};
use crate::types::{PeerId, PeerName};

/// What potluck is called in DNS.
pub const SERVICE: &str = "_potluck._udp.local.";
/// The version of what the TXT record says.
const TXT_VERSION: &str = "1";
/// Addresses taken from one announcement: every interface of a well-connected machine.
const ADDRESSES_MAX: usize = 16;
/// How long a goodbye may take: the packets go out at once, the answer comes from our own thread.
const GOODBYE_TIME: Duration = Duration::from_millis(300);
/// Times everybody is asked by [`look`].
const LOOK_ROUNDS: u32 = 2;
/// How long an announced peer has to answer when asked whether it is still there.
const VERIFY_TIME: Duration = Duration::from_secs(2);

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A peer announces itself with exactly these addresses.
    Peer {
        /// Its key, as it says; proven only by the handshake.
        peer: PeerId,
        /// Its name, cleaned.
        name: PeerName,
        /// Its listener.
        addrs: Vec<SocketAddr>,
    },
    /// Its announcement was taken back, or ran out.
    Gone {
        /// The peer.
        peer: PeerId,
    },
}

/// A running announcement and search.
pub struct Mdns {
    daemon: ServiceDaemon,
    own: PeerId,
    events: Receiver<ServiceEvent>,
}

impl Mdns {
    /// Announces the listener at `port` and begins to listen for others. To be called only when that
    /// listener is bound.
    pub fn start(own: PeerId, name: &PeerName, port: u16) -> Result<Self, MdnsError> {
        let daemon = daemon()?;
        let id = own.to_string();
        let txt = [("id", id.as_str()), ("v", TXT_VERSION), ("party", ""), ("name", name.as_str())];
        let host = format!("potluck-{}.local.", own.short());
        let mut info = ServiceInfo::new(SERVICE, &id, &host, "", port, &txt[..])
            .map_err(failed("make the announcement"))?
            .enable_addr_auto();
        // A key is nobody else's name: three probes of 250 ms would find nothing.
        info.set_requires_probe(false);
        let events = daemon.browse(SERVICE).map_err(failed("look for others"))?;
        daemon.register(info).map_err(failed("announce this machine"))?;
        Ok(Self { daemon, own, events })
    }

    /// The next thing heard. Goes on by itself when the library drops a slow listener.
    pub async fn next(&mut self) -> Result<Heard, MdnsError> {
        loop {
            match self.events.recv_async().await {
                Ok(ServiceEvent::ServiceResolved(service)) => {
                    if let Some(heard) = heard(&service, Some(self.own)) {
                        return Ok(heard);
                    }
                }
                Ok(ServiceEvent::ServiceRemoved(_, fullname)) => {
                    if let Some(peer) = peer_of(&fullname).filter(|peer| *peer != self.own) {
                        return Ok(Heard::Gone { peer });
                    }
                }
                Ok(ServiceEvent::SearchStopped(_)) | Err(_) => {
                    self.events =
                        self.daemon.browse(SERVICE).map_err(|source| MdnsError { step: "look for others", source })?;
                }
                // `SearchStarted` repeats as long as the search runs, `ServiceFound` comes before `Resolved`;
                // kinds of a later version are none of ours.
                Ok(_) => {}
            }
        }
    }

    /// Asks whether a peer's announcement still holds; when not, [`Heard::Gone`] follows in 2 s.
    pub fn verify(&self, peer: PeerId) {
        if let Err(error) = self.daemon.verify(fullname(peer), VERIFY_TIME) {
            tracing::debug!("mDNS cannot verify {}: {error}", peer.short());
        }
    }

    /// Takes the announcement back, so that others know at once.
    pub async fn close(self) {
        let goodbye = async {
            if let Ok(done) = self.daemon.unregister(&fullname(self.own)) {
                // The answer is only that the packets went out; without it, there is nothing to repeat.
                let _ = done.recv_async().await;
            }
            if let Ok(done) = self.daemon.shutdown() {
                while done.recv_async().await.is_ok_and(|status| !matches!(status, DaemonStatus::Shutdown)) {}
            }
        };
        if tokio::time::timeout(GOODBYE_TIME, goodbye).await.is_err() {
            tracing::debug!("mDNS did not say goodbye in time");
        }
    }
}

/// The peers that announce themselves within `time`, `own` left out, with every address that was heard,
/// without an announcement of ours. Where nobody is heard, or somebody without an address to dial, everybody is asked
/// once more, by somebody who knows nothing: what was said on one of IPv4 and IPv6 within the last second is not said
/// there again (RFC 6762, section 6), and what is known of the other keeps it from being asked for.
pub fn look(own: Option<PeerId>, time: Duration) -> Result<BTreeMap<PeerId, (PeerName, Vec<SocketAddr>)>, MdnsError> {
    let mut peers = BTreeMap::new();
    for _round in 0..LOOK_ROUNDS {
        look_once(own, time, &mut peers)?;
        let is_whole = |addrs: &Vec<SocketAddr>| addrs.iter().any(|addr| !interfaces::is_of_one_cable(addr.ip()));
        if !peers.is_empty() && peers.values().all(|(_, addrs)| is_whole(addrs)) {
            break;
        }
    }
    Ok(peers)
}

fn look_once(
    own: Option<PeerId>,
    time: Duration,
    peers: &mut BTreeMap<PeerId, (PeerName, Vec<SocketAddr>)>,
) -> Result<(), MdnsError> {
    let daemon = daemon()?;
    let events = daemon.browse(SERVICE).map_err(failed("look for others"))?;
    let deadline = clock::now() + time;
    while let Ok(event) = events.recv_deadline(deadline) {
        if let ServiceEvent::ServiceResolved(service) = event
            && let Some(Heard::Peer { peer, name, addrs }) = heard(&service, own)
        {
            let (_, known) = peers.entry(peer).or_insert_with(|| (name, Vec::new()));
            known.extend(addrs);
        }
    }
    if let Err(error) = daemon.shutdown() {
        tracing::debug!("mDNS did not end: {error}");
    }
    Ok(())
}

/// On the real interfaces only.
fn daemon() -> Result<ServiceDaemon, MdnsError> {
    let daemon = ServiceDaemon::new().map_err(failed("open the multicast sockets"))?;
    // The last rule that matches wins: first none, then the real ones.
    daemon.disable_interface(IfKind::All).map_err(failed("choose interfaces"))?;
    let real = IfKind::Predicate(IfPredicate::new(interfaces::is_real));
    daemon.enable_interface(real).map_err(failed("choose interfaces"))?;
    Ok(daemon)
}

fn failed(step: &'static str) -> impl FnOnce(mdns_sd::Error) -> MdnsError {
    move |source| MdnsError { step, source }
}

impl std::fmt::Debug for Mdns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mdns").field("own", &self.own).finish_non_exhaustive()
    }
}

fn fullname(peer: PeerId) -> String {
    format!("{peer}.{SERVICE}")
}

/// A duplicate instance is renamed `name (2)`; nobody else has our key, so such a name is no peer's.
fn peer_of(fullname: &str) -> Option<PeerId> {
    fullname.strip_suffix(SERVICE)?.strip_suffix('.')?.parse().ok() // Somebody else's kind of name.
}

/// `None` for our own announcement and for one that names no usable address.
fn heard(service: &ResolvedService, own: Option<PeerId>) -> Option<Heard> {
    let peer = peer_of(&service.fullname).filter(|peer| Some(*peer) != own)?;
    let name = PeerName::new(service.txt_properties.get_property_val_str("name").unwrap_or_default());
    let mut addrs: BTreeMap<(u8, SocketAddr), ()> = BTreeMap::new();
    for address in &service.addresses {
        let addr = match address {
            ScopedIp::V4(v4) => SocketAddr::new(IpAddr::V4(*v4.addr()), service.port),
            ScopedIp::V6(v6) => {
                let scope = if v6.addr().is_unicast_link_local() { v6.scope_id().index } else { 0 };
                SocketAddrV6::new(*v6.addr(), service.port, 0, scope).into()
            }
            // A kind of address of a later version.
            _ => continue,
        };
        addrs.insert((rank(addr.ip()), addr), ());
    }
    let addrs: Vec<SocketAddr> = addrs.into_keys().map(|(_, addr)| addr).take(ADDRESSES_MAX).collect();
    (!addrs.is_empty()).then_some(Heard::Peer { peer, name, addrs })
}

/// IPv4 first, because every LAN has it; link-local addresses last, because they need the right interface.
fn rank(ip: IpAddr) -> u8 {
    match ip {
        IpAddr::V4(v4) if v4.is_link_local() => 2,
        IpAddr::V4(_) => 0,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => 3,
        IpAddr::V6(_) => 1,
    }
}

/// Multicast DNS does not work here; addresses given by hand still do.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} for mDNS ({source}); peers are found only by --peer, `potluck connect`, or from others")]
pub struct MdnsError {
    /// What was being done.
    pub step: &'static str,
    /// Why it failed.
    #[source]
    pub source: mdns_sd::Error,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_no_peers() {
        let peer = PeerId::from_bytes([9; 32]);
        assert_eq!(peer_of(&fullname(peer)), Some(peer));
        for odd in ["", SERVICE, "x._potluck._udp.local.", "printer._ipp._tcp.local.", &format!("{peer} (2).{SERVICE}")]
        {
            assert_eq!(peer_of(odd), None, "{odd}");
        }
    }

    #[test]
    fn plain_addresses_come_before_link_local_ones() {
        let ips = ["10.0.0.1", "2001:db8::1", "169.254.1.1", "fe80::1"];
        let ranks: Vec<u8> = ips.iter().map(|ip| rank(ip.parse().unwrap())).collect();
        assert_eq!(ranks, [0, 1, 2, 3]);
    }
}
