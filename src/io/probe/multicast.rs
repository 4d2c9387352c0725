//! Whether what is sent to everybody on an interface goes out and comes in: a question of multicast
//! DNS for potluck's own service, which the kernel gives back to this machine's listeners too, and
//! which others answer.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    time::Duration,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::io::{clock, random};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5_353;
/// One machine says little at a time.
const PACKET_BYTES: usize = 9_000;

/// What was seen on one interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Whether our own question came in.
    pub own: bool,
    /// Others that said something meanwhile.
    pub others: usize,
}

/// Asks on the interface with this number and address, and listens for `patience`.
pub fn ask(index: u32, address: Ipv4Addr, patience: Duration) -> io::Result<Seen> {
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // The daemons of this machine listen there as well.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    rustix::net::bind(&socket, &SocketAddr::from((Ipv4Addr::UNSPECIFIED, PORT)))?;
    sockopt::set_ip_add_membership_with_ifindex(&socket, &GROUP, &address, index)?;
    sockopt::set_ip_multicast_if_with_ifindex(&socket, &GROUP, &address, index)?;
    sockopt::set_ip_multicast_loop(&socket, true)?;
    let socket = UdpSocket::from(socket);
    let question = question();
    socket.send_to(&question, SocketAddrV4::new(GROUP, PORT))?;
    let deadline = clock::now() + patience;
    let (mut own, mut others) = (false, BTreeSet::new());
    let mut bytes = [0; PACKET_BYTES];
    loop {
        let left = deadline.saturating_duration_since(clock::now());
        if left.is_zero() {
            return Ok(Seen { own, others: others.len() });
        }
        socket.set_read_timeout(Some(left))?;
        match socket.recv_from(&mut bytes) {
            Ok((len, _)) if bytes[..len] == question => own = true,
            Ok((_, from)) if from.ip() != address => drop(others.insert(from.ip())),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Who offers `_potluck._udp.local`, and what else is offered here. Its number makes it ours.
fn question() -> Vec<u8> {
    const POINTER_IN_INTERNET: [u8; 4] = [0, 12, 0, 1];
    let mut number = [0; 2];
    random::fill(&mut number);
    // Flags, two questions, no answers.
    let mut packet = vec![number[0], number[1], 0, 0, 0, 2, 0, 0, 0, 0, 0, 0];
    for name in [["_potluck", "_udp", "local"].as_slice(), &["_services", "_dns-sd", "_udp", "local"]] {
        for label in name {
            packet.push(label.len() as u8);
            packet.extend(label.as_bytes());
        }
        packet.push(0);
        packet.extend(POINTER_IN_INTERNET);
    }
    packet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_is_well_formed() {
        let question = question();
        assert_eq!(question.len(), 12 + (1 + 8 + 1 + 4 + 1 + 5 + 1 + 4) + (1 + 9 + 1 + 7 + 1 + 4 + 1 + 5 + 1 + 4));
        assert_eq!(question[12..26], *b"\x08_potluck\x04_udp");
    }

    #[test]
    fn an_interface_that_does_not_exist_is_an_error() {
        assert!(ask(u32::MAX, Ipv4Addr::new(10, 255, 255, 1), Duration::from_millis(10)).is_err());
    }
}
