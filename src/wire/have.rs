//! Have-maps and their updates.
