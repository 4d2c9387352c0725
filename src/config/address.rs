//! Addresses as people type them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::table::Why;

/// The port potluck listens on unless it is taken.
pub const PORT_DEFAULT: u16 = 47_800;

/// `HOST`, `HOST:PORT`, an IP address or `[IPV6]:PORT`, made into `HOST:PORT` as a resolver takes it.
/// The error says what would be right.
pub fn dial_address(text: &str) -> Result<String, String> {
    let text = text.trim();
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PORT_DEFAULT).to_string());
    }
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return if addr.port() == 0 { Err(wrong(text)) } else { Ok(addr.to_string()) };
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse::<u16>().ok().filter(|port| *port != 0)),
        None => (text, Some(PORT_DEFAULT)),
    };
    let is_name = !host.is_empty()
        && host.len() <= HOST_BYTES_MAX
        && host.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '.' | '_'));
    match port {
        Some(port) if is_name => Ok(format!("{host}:{port}")),
        _ => Err(wrong(text)),
    }
}

/// What DNS allows for a whole name.
const HOST_BYTES_MAX: usize = 253;

fn wrong(text: &str) -> String {
    format!("`{}` is no address; write HOST:PORT, like 10.0.3.17:{PORT_DEFAULT}", crate::types::clean(text, 80))
}

/// `IP:PORT`, `IP`, `PORT` or `:PORT`; without an IP every address of the machine.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, Why> {
    let text = text.trim();
    if let Ok(addr) = text.parse() {
        return Ok(addr);
    }
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PORT_DEFAULT));
    }
    let port = text.strip_prefix(':').unwrap_or(text).parse();
    port.map(|port| SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port))
        .map_err(|_| Why(format!("write IP:PORT, like 0.0.0.0:{PORT_DEFAULT}, or only a port")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_to_dial() {
        for (text, expect) in [
            ("10.0.3.17", Some("10.0.3.17:47800")),
            ("10.0.3.17:5000", Some("10.0.3.17:5000")),
            ("fe80::1", Some("[fe80::1]:47800")),
            ("[fe80::1]:9", Some("[fe80::1]:9")),
            ("nas-01", Some("nas-01:47800")),
            ("nas-01.lan:1234", Some("nas-01.lan:1234")),
            ("nas 01", None),
            ("nas:port", None),
            ("nas:0", None),
            (":47800", None),
            ("", None),
            ("http://nas", None),
        ] {
            assert_eq!(dial_address(text).ok().as_deref(), expect, "{text:?}");
        }
    }

    #[test]
    fn addresses_to_listen_on() {
        for (text, expect) in [
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("10.0.3.17", Some("10.0.3.17:47800")),
            ("5000", Some("[::]:5000")),
            (":5000", Some("[::]:5000")),
            ("[::1]:5000", Some("[::1]:5000")),
            ("nas:5000", None),
            ("70000", None),
            ("", None),
        ] {
            assert_eq!(listen_address(text).ok().map(|addr| addr.to_string()).as_deref(), expect, "{text:?}");
        }
    }
}
