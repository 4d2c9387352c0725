//! The one place that asks for randomness.
