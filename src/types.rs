//! The vocabulary every layer shares: validated newtypes whose existence proves that a value is
//! well formed. Nothing here does I/O, decides, or knows how it is written on the wire.

mod chunks;
mod command_line;
mod content;
pub mod decimal;
mod game;
mod library;
mod path;
mod peer;
mod rate;
mod size;
mod text;
mod weight;

#[cfg(test)]
pub(crate) mod alone;

pub use chunks::{ChunkNo, ChunkRange, ChunkRanges, ChunkSet, RangesError};
pub use command_line::{CommandLine, CommandLineError, Fill, Words};
pub use content::{
    CHUNK_BYTES, ChunkHash, ChunkPlace, ContentId, DirEntry, FileEntry, FileHash, FileNo, HashTextError, LinkEntry,
    MANIFEST_CHUNKS_MAX, MANIFEST_ENTRIES_MAX, Manifest, ManifestError, chunks_of_size,
};
pub use game::{GameId, SENTINEL_BYTES_MAX, Sentinel, SentinelError, Version, VersionError};
pub use library::{
    EntryState, GAMES_PER_PEER_MAX, LibraryDigest, LibraryEntry, LibraryNo, Space, TITLE_CHARS_MAX, Tenths,
};
pub use path::{
    CollisionKey, MemberPath, PathError, PayloadPath, RESERVED_PREFIXES, SENTINEL_NAME, is_reserved_root_name,
};
pub use peer::{InstanceNonce, PeerId, PeerIdError, PeerName};
pub use rate::{Rate, RateError};
pub use size::{Size, SizeError};
pub use text::clean;
pub use weight::{Weighing, Weight};
