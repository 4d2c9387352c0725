//! The contents this machine can serve right now.
