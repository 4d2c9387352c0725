//! Drives `core::roster` over QUIC: dials and accepts, says Hello, carries the control stream of
//! every session, and hands the streams peers open to whoever answers them. Who is dialled and which
//! link stays is the roster's business; what is served, `serving`'s.

mod frames;
mod link;

pub(crate) use link::{Link, OpenError};
