//! QUIC endpoints with raw public keys.
