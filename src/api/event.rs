//! What happened, one fact at a time.
