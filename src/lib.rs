//! potluck: every machine at a LAN party shares its game library with every other one.
//!
//! The layers and who may import whom stand in `docs/architecture.md`; `tests/tidy.rs` holds the
//! sources to it.

#![cfg_attr(test, allow(clippy::disallowed_methods, reason = "unit tests make their own time and tasks"))]

pub mod api;
pub mod cli;
pub mod config;
pub mod control;
pub mod core;
pub mod demo;
pub mod io;
pub mod job;
pub mod logging;
pub mod runtime;
pub mod tui;
pub mod types;
pub mod wire;
