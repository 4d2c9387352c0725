//! Runs commits and their recovery at start.
