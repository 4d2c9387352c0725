//! Actors that drive the cores over io; supervision; ordered shutdown. Who reads `input` knows every
//! edge between them.

mod buffers;
mod context;
mod counters;
pub mod discovery;
pub mod doctor;
pub mod driver;
pub mod error;
pub mod extraction;
pub mod hand_out;
mod input;
pub mod installs;
pub mod library;
pub mod links;
mod roots;
pub mod serving;
mod shelf;
pub mod tasks;
mod traffic;
pub mod transfers;
mod view;

pub use error::StartError;

pub use driver::{Prepared, Runtime, prepare, start};
