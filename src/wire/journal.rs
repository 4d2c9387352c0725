//! The record of a commit under way.
