//! Library entries, snapshots, deltas and their digest.
