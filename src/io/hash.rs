//! BLAKE3 of files and chunks.
