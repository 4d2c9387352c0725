//! Watches the library for changes.
