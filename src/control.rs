//! The api over a local socket: HTTP and server-sent events, server and client.

pub mod client;
pub mod server;
pub mod socket;
