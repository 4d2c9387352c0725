//! Actors that drive the cores over io; supervision; ordered shutdown.

pub mod discovery;
pub mod installs;
pub mod library;
pub mod links;
pub mod serving;
pub mod tasks;
pub mod transfers;
