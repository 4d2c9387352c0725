//! Messages, frames and stored records: bytes to `types` and back, with their limits. No I/O.

pub mod elf;
pub mod extraction;
pub mod fetch;
pub mod frame;
pub mod have;
pub mod installed;
pub mod journal;
pub mod library;
pub mod manifest;
pub mod message;
mod text;
