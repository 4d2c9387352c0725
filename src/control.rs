//! The api over a local socket: HTTP/1.1 with JSON and server-sent events, server and client. Never
//! a TCP port. `docs/control.md` is its description for people with `curl`.

pub mod client;
pub mod server;
pub mod socket;

mod sse;

#[cfg(test)]
mod tests;
