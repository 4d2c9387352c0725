//! The manifest file: canonical JSON.
