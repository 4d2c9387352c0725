//! Chunks on disk: [`RootReader`] reads those of a game root, [`Incoming`] holds a download that
//! grows, [`Held`] says what of a build a root has. Driven by `runtime::serving`, `runtime::transfers`
//! and `runtime::installs` on blocking threads. A chunk is hashed before it counts; who gets which
//! chunk is decided elsewhere, and moving a finished download into its root is `runtime::installs`' work.

mod files;
mod hashes;
mod held;
mod incoming;
mod kept;
mod layout;
mod reader;

pub use files::OpenFiles;
pub use hashes::{ChunkHashes, WrongHashes};
pub use held::Held;
pub use incoming::{Incoming, IncomingError, NotReady, WriteError};
pub use kept::{
    Kept, KeptWhat, ManifestBytes, StoredManifest, bytes_of, free_kept, kept, kept_path, load_hashes,
    load_incoming_manifest, load_manifest, manifest_bytes, save_hashes, save_manifest,
};
pub(crate) use layout::{
    DROPPED_MARK, DROPPING_MARK, HASHES, INCOMING, JOURNAL, JOURNAL_BAD, MANIFEST, OWN_FOLDER, PARKED_SENTINEL,
    REMOVAL_MARK, REPLACED, data_folder, data_path, incoming_folder, incoming_hashes, incoming_manifest,
};
pub use reader::{ReadError, RootReader};

#[cfg(test)]
#[path = "store/store_tests.rs"]
mod tests;
