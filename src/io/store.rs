//! Chunks on disk: complete game roots and downloads that grow.
