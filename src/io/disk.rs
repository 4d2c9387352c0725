//! All access to games on disk. A [`Library`] is a folder of game roots, [`Libraries`] all of them, a [`GameRoot`]
//! one root; every path below a root is opened beneath it and without following links, so that nothing a
//! peer or a game's author named can reach outside. Driven by `scan`, `store` and `runtime::installs`
//! on blocking threads. It knows nothing of manifests, and decides nothing.

mod capacity;
mod cursor;
mod error;
mod fault;
mod file;
mod libraries;
mod library;
mod resolve;
mod root;

pub use cursor::Cursor;
pub use error::{DiskError, Reason};
pub use fault::{DiskOp, Fault, Faults};
pub use file::{FileStat, GameFile, Kind, Stamp};
pub use libraries::{Found, Libraries, Place, State as LibraryState, Survey};
pub use library::{Library, LibraryError, Listing, Oddity};
pub use root::{Cancelled, GameRoot, Listed, copy_file, reflink};
