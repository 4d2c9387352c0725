//! The order of transfers: which run, which wait, and why.
