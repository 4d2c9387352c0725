//! Files, flags and environment, into one validated value.
