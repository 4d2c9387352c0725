//! The clock: the one place that asks for the time.
