//! Drives `core::roster`: dials, accepts, Hello, sessions.
