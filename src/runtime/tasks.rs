//! The one place that spawns; owns every task until it has ended.
