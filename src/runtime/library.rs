//! Drives `core::library`: scans, announces, syncs.
