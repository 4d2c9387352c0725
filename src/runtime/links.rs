//! Drives `core::roster`: dials, accepts, Hello, sessions.

/// A session's way to a peer: opens request streams. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Link;
