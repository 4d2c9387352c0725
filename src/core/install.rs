//! How a game root changes: a commit moves a finished download into its root, an installation makes `local/` of
//! it, a removal takes a game out of it. Each is a list of [`Step`]s, planned here from what is on disk and carried out in order
//! by `runtime::installs`; each step done twice does no more than once, and after a crash a new plan
//! from what is on disk then finishes what the journal says. Nothing here touches a disk.
//!
//! Invariant: a plan deletes a payload file only if the old manifest lists it and its hash is what
//! the manifest says; whatever else is in the way is moved to `.potluck/replaced/`.
//!
//! ```text
//!               crash: old build whole, download goes on │ crash: recovery plans again and finishes
//!   ─ Sync ─────────────────────────── Journal ──────────┤
//!     ParkSentinel ─ Delete/SetAside… ─ RemoveFolder… ─ MakeFolder/Place… ─ Link… ─ Sync
//!     ─ WriteHashes ─ WriteManifest ─ WriteSentinel ─ Sync ─ DropParked ─ DropDownload ─ DropJournal
//!
//!   removal: MarkRemoval │ crash: recovery goes on removing
//!            ─ DropDownloads ─ Delete… ─ RemoveFolder… ─ Sync ─ DropManifest ─ … ─ DropMark ─ RemoveRoot
//!
//!   dropping: Sync ─ MarkDropping │ crash: recovery goes on dropping
//!             ─ Sync ─ Delete… ─ RemoveFolder… ─ Sync ─ MarkDropped
//! ```

mod local;
mod moving;
mod plan;
mod recovery;
mod step;

pub use local::{LocalFound, NotOurs, Whose, local_recovery, seal, stage, swap, uninstall, unstage};
pub use moving::{Aside, Copy, MoveFound, Settle, settle};
pub use plan::{Commit, commit, drop_payload, removal, to_survey};
pub use recovery::{Evidence, JournalFound, Recovery, recovery};
pub use step::{LocalFolder, OnDisk, Step, Survey};

#[cfg(test)]
#[path = "install/local_tests.rs"]
mod local_tests;
#[cfg(test)]
#[path = "install/install_tests.rs"]
mod tests;
