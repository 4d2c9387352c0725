//! Walks a game root into a manifest.
