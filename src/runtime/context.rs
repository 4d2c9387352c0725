//! What every actor is given when the driver starts it: who we are, how to reach the others, and
//! the shared tools. An actor is `pub(super) async fn run(context, inbox, shown) -> Result<(), Error>`
//! and runs until `context.tasks.cancelled()`.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    counters::Counters,
    input::Inputs,
    roots::Roots,
    shelf::Shelf,
    tasks::{Pool, Tasks},
    view::Teller,
};
use crate::{
    config::Settings,
    io::{disk::Libraries, index::Index, store::OpenFiles},
    types::{InstanceNonce, PeerId},
};

/// What every actor is given. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The effective settings.
    pub(crate) settings: Arc<Settings>,
    /// Our key.
    pub(crate) me: PeerId,
    /// Tells this run from a clone of our home.
    pub(crate) nonce: InstanceNonce,
    /// Every actor's inbox.
    pub(crate) inputs: Inputs,
    /// Facts for the faces and the log.
    pub(crate) teller: Teller,
    /// The one place that spawns.
    pub(crate) tasks: Tasks,
    /// Blocking threads for disk and hashing.
    pub(crate) pool: Pool,
    /// The contents that can be served right now.
    pub(crate) shelf: Shelf,
    /// The files open for reading and writing chunks.
    pub(crate) files: OpenFiles,
    /// Where games lie.
    pub(crate) libraries: Arc<Libraries>,
    /// Which games' roots are being changed.
    pub(crate) roots: Roots,
    /// What is known of files that did not change.
    pub(crate) index: Arc<Index>,
    /// The last peer whose link died in silence: discovery asks whether its announcement still holds.
    pub(crate) doubts: watch::Sender<Option<PeerId>>,
    /// What is counted for who watches from outside.
    pub(crate) counters: Counters,
}
