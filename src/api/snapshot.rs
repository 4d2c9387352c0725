//! The state of everything a face shows.
