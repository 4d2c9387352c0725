//! The deciding parts as pure state machines: no async, spawn, lock, clock, randomness, disk or
//! socket. Each is driven by an actor of the same name in `runtime`.

pub mod doctor;
pub mod download;
pub mod install;
pub mod launch;
pub mod library;
pub mod limits;
pub mod offer;
pub mod queue;
pub mod room;
pub mod roster;
