//! Actors that drive the cores over io; supervision; ordered shutdown. Who reads `input` knows every
//! edge between them.

mod context;
pub mod discovery;
pub mod error;
mod input;
pub mod installs;
pub mod library;
pub mod links;
pub mod serving;
mod shelf;
pub mod tasks;
pub mod transfers;
mod view;
