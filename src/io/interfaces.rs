//! The network interfaces of this machine.
