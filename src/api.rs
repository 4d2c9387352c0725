//! All that a face and the runtime share: commands in, snapshots and events out. Serialisable, so
//! that a face may live in another process.

pub mod command;
pub mod event;
pub mod handle;
pub mod snapshot;
