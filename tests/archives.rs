//! Archives as tools make them come out as they went in, and hostile ones are refused or contained:
//! whatever happens, the file system outside the staging folder is the same before and after.

#![allow(clippy::disallowed_methods, reason = "tests make their own time")]

#[path = "archives/bench.rs"]
mod bench;
#[path = "archives/build.rs"]
mod build;
#[cfg(feature = "rar")]
#[path = "archives/build_rar.rs"]
mod build_rar;
#[path = "archives/child.rs"]
mod child;
#[path = "archives/hostile.rs"]
mod hostile;
#[path = "archives/tools.rs"]
mod tools;
