//! Reads `catalog.toml`.
