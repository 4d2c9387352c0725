//! How a game root changes: the steps of a commit, each idempotent, and what recovery does.
