//! Remembers hashes of files that did not change.
