//! The Ed25519 key of this home.
