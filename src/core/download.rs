//! One transfer: which source is asked for what, and when a chunk is ours.
