//! Whether something that speaks QUIC answers at an address, without a handshake: whoever is sent a
//! version that does not exist must name those it speaks (RFC 9000, section 6). So neither end learns
//! who the other is, and no link is made.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use crate::io::{clock, random};

/// Of the form that is kept free to provoke this answer.
const NO_VERSION: [u8; 4] = [0x1a, 0x2a, 0x3a, 0x4a];
/// Smaller ones are not answered.
const DATAGRAM_BYTES: usize = 1_200;
/// Bytes of a connection id of ours.
const ID_BYTES: usize = 8;
/// Asked again, because packets get lost.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// Addresses asked at a time.
const ADDRESSES_MAX: usize = 256;

/// Those of `addrs` that answered within `patience`; returns as soon as all did.
pub fn answering(addrs: &[SocketAddr], patience: Duration) -> io::Result<Vec<SocketAddr>> {
    let mut silent: Vec<SocketAddr> = addrs.iter().take(ADDRESSES_MAX).copied().collect();
    let mut answered = Vec::new();
    let mut id = [0; ID_BYTES];
    random::fill(&mut id);
    let question = question(&id);
    let sockets = sockets()?;
    let deadline = clock::now() + patience;
    let mut ask_at = clock::now();
    while !silent.is_empty() && clock::now() < deadline {
        if clock::now() >= ask_at {
            for addr in &silent {
                let socket =
                    sockets.iter().find(|socket| socket.local_addr().is_ok_and(|own| own.is_ipv4() == addr.is_ipv4()));
                if let Some(socket) = socket {
                    // One that cannot even be sent to does not answer.
                    let _ = socket.send_to(&question, addr);
                }
            }
            ask_at += ASK_EVERY;
        }
        for socket in &sockets {
            let mut bytes = [0; DATAGRAM_BYTES];
            let Ok((len, from)) = socket.recv_from(&mut bytes) else { continue };
            if !is_answer(&bytes[..len], &id) {
                continue;
            }
            let of = |addr: &SocketAddr| (addr.ip(), addr.port()) == (from.ip(), from.port());
            answered.extend(silent.extract_if(.., |addr| of(addr)));
        }
    }
    Ok(answered)
}

/// Whether a port can be had, and whether what is sent to `own` arrives there.
pub fn try_port(listen: SocketAddr, own: Option<IpAddr>, patience: Duration) -> io::Result<Option<bool>> {
    let listener = UdpSocket::bind(listen)?;
    let Some(own) = own else { return Ok(None) };
    let mut word = [0; ID_BYTES];
    random::fill(&mut word);
    let any: IpAddr = if own.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let sent = UdpSocket::bind((any, 0)).and_then(|from| from.send_to(&word, (own, listener.local_addr()?.port())));
    if sent.is_err() {
        return Ok(Some(false));
    }
    listener.set_read_timeout(Some(patience))?;
    let mut bytes = [0; ID_BYTES];
    Ok(Some(listener.recv_from(&mut bytes).is_ok_and(|(len, _)| bytes[..len] == word)))
}

/// A socket for each address family there is. Their reads take turns.
fn sockets() -> io::Result<Vec<UdpSocket>> {
    const TURN: Duration = Duration::from_millis(5);
    let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let sockets: Vec<UdpSocket> = any.into_iter().filter_map(|any| UdpSocket::bind((any, 0)).ok()).collect();
    for socket in &sockets {
        socket.set_read_timeout(Some(TURN))?;
    }
    Ok(sockets)
}

/// A first packet of a version that nobody speaks.
fn question(id: &[u8; ID_BYTES]) -> Vec<u8> {
    let mut packet = vec![0xc0];
    packet.extend(NO_VERSION);
    for _destination_and_source in 0..2 {
        packet.push(ID_BYTES as u8);
        packet.extend(id);
    }
    packet.resize(DATAGRAM_BYTES, 0);
    packet
}

/// A packet of version 0 for our connection id.
fn is_answer(bytes: &[u8], id: &[u8; ID_BYTES]) -> bool {
    bytes.len() > 6 + ID_BYTES
        && bytes[0] & 0x80 != 0
        && bytes[1..5] == [0; 4]
        && usize::from(bytes[5]) == ID_BYTES
        && bytes[6..6 + ID_BYTES] == *id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{
        identity::Identity,
        quic::{Endpoint, Listen},
    };

    const SOON: Duration = Duration::from_secs(3);
    const NEVER: Duration = Duration::from_millis(600);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_endpoint_answers_and_a_mute_socket_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let identity = Identity::load_or_create(&folder.path().join("key")).unwrap();
        let at = Listen::At("127.0.0.1:0".parse().unwrap());
        let (endpoint, _incoming) = Endpoint::bind(&identity, at, 1).unwrap();
        let mute = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (loud, mute_addr) = (endpoint.local_addr(), mute.local_addr().unwrap());
        let asked = tokio::task::spawn_blocking(move || answering(&[loud, mute_addr], NEVER)).await.unwrap();
        assert_eq!(asked.unwrap(), [loud]);
        let asked = tokio::task::spawn_blocking(move || {
            let started = clock::now();
            (answering(&[loud], SOON), started.elapsed())
        });
        let (answered, took) = asked.await.unwrap();
        assert_eq!(answered.unwrap(), [loud]);
        assert!(took < SOON, "it returns when all have answered");
    }

    #[test]
    fn a_port_is_tried_and_let_go() {
        let own = Some(Ipv4Addr::LOCALHOST.into());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        assert_eq!(try_port(any, own, SOON).unwrap(), Some(true));
        assert_eq!(try_port(any, None, SOON).unwrap(), None);
        let held = UdpSocket::bind(any).unwrap();
        let error = try_port(held.local_addr().unwrap(), own, SOON).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    #[test]
    fn only_the_answer_to_our_question_counts() {
        let id = [7; ID_BYTES];
        let mut answer = vec![0x80, 0, 0, 0, 0, 8];
        answer.extend([7; 8]);
        answer.extend([0, 0, 0, 0, 1]);
        assert!(is_answer(&answer, &id));
        assert!(!is_answer(&answer, &[8; ID_BYTES]));
        assert!(!is_answer(&question(&id), &id), "an echo is no answer");
        for len in 0..14 {
            assert!(!is_answer(&answer[..len], &id), "{len}");
        }
    }
}
