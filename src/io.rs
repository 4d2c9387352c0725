//! Ports to the world, one a file, without policy: what is asked of them is decided in `core`.

pub mod archive;
pub mod catalog;
pub mod clock;
pub mod disk;
pub mod hash;
pub mod identity;
pub mod index;
pub mod interfaces;
pub mod launch;
pub mod lock;
pub mod mdns;
pub mod probe;
pub mod process;
pub mod quic;
pub mod random;
pub mod readiness;
pub mod running;
pub mod scan;
pub mod state;
pub mod store;
pub mod watch;
