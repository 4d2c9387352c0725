//! What an address that a user typed means: `HOST`, `HOST:PORT`, `[IPV6]:PORT`, or an address without a port.

use std::net::{IpAddr, SocketAddr};

use crate::io::quic::DEFAULT_PORT;

/// Looks it up; the error is a sentence.
pub(super) async fn look_up(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(address);
    }
    if let Ok(ip) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, DEFAULT_PORT));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => {
            let port = port.parse().map_err(|_| format!("`{text}` has no port number after the colon."))?;
            (host, port)
        }
        None => (text, DEFAULT_PORT),
    };
    let shown = crate::types::clean(text, 100);
    if host.is_empty() {
        return Err(format!("`{shown}` is no address: write HOST or HOST:PORT."));
    }
    let found = tokio::net::lookup_host((host, port)).await;
    let found: Vec<SocketAddr> = found.map_err(|error| format!("Cannot find `{shown}`: {error}."))?.collect();
    let best = found.iter().find(|address| address.is_ipv4()).or_else(|| found.first());
    best.copied().ok_or_else(|| format!("`{shown}` has no address."))
}
