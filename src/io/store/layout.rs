//! Where things lie in `.potluck/` of a game root.

use crate::types::{ContentId, FileNo, PayloadPath};

/// The folder of potluck's own files.
pub(crate) const OWN_FOLDER: &str = ".potluck";
/// The manifest of the build in the root.
pub(crate) const MANIFEST: &str = ".potluck/manifest.json";
/// Its chunk hashes: 32 bytes each in the order of the chunks, zeros where unknown.
pub(crate) const HASHES: &str = ".potluck/hashes";
/// The record of a change under way.
pub(crate) const JOURNAL: &str = ".potluck/journal.json";
/// A journal that could not be understood.
pub(crate) const JOURNAL_BAD: &str = ".potluck/journal.json.bad";
/// The sentinel of a game whose removal is under way: that it is here is the record of it.
pub(crate) const REMOVAL_MARK: &str = ".potluck/version.ini.removed";
/// The sentinel of a game whose payload is being dropped: that it is here is the record of it.
pub(crate) const DROPPING_MARK: &str = ".potluck/version.ini.dropping";
/// The sentinel of a game whose payload was dropped: it is installed, and nothing but that.
pub(crate) const DROPPED_MARK: &str = ".potluck/version.ini.dropped";
/// The sentinel of the build that is being replaced.
pub(crate) const PARKED_SENTINEL: &str = ".potluck/version.ini.old";
/// Files of the user's that were in the way of an update.
pub(crate) const REPLACED: &str = ".potluck/replaced";
/// One folder a download.
pub(crate) const INCOMING: &str = ".potluck/incoming";

/// The folder of a download.
pub(crate) fn incoming_folder(content: ContentId) -> String {
    format!("{INCOMING}/{content}")
}

/// The manifest of a download.
pub(crate) fn incoming_manifest(content: ContentId) -> String {
    format!("{INCOMING}/{content}/manifest.json")
}

/// The chunk hashes of a download, as in [`HASHES`].
pub(crate) fn incoming_hashes(content: ContentId) -> String {
    format!("{INCOMING}/{content}/hashes")
}

/// The bitmap of a download's verified chunks.
pub(super) fn incoming_have(content: ContentId) -> String {
    format!("{INCOMING}/{content}/have")
}

/// The bitmap as it was when all it says was last made durable.
pub(super) fn incoming_synced(content: ContentId) -> String {
    format!("{INCOMING}/{content}/synced")
}

/// Which start of the machine the bitmap was written in.
pub(super) fn incoming_boot(content: ContentId) -> String {
    format!("{INCOMING}/{content}/boot")
}

/// The folder of a download's growing files.
pub(crate) fn data_folder(content: ContentId) -> String {
    format!("{INCOMING}/{content}/data")
}

/// Where copies lie that share their blocks with a file of an older build, until they are growing files.
pub(super) fn adopted_folder(content: ContentId) -> String {
    format!("{INCOMING}/{content}/adopted")
}

/// One of them.
pub(super) fn adopted_path(content: ContentId, file: FileNo) -> String {
    format!("{INCOMING}/{content}/adopted/{}", file.0)
}

/// A growing file or a folder of them: they lie as they will lie in the root, so that a commit can move whole folders.
pub(crate) fn data_path(content: ContentId, path: &PayloadPath) -> String {
    format!("{INCOMING}/{content}/data/{path}")
}
