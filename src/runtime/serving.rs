//! Answers the requests of peers.
