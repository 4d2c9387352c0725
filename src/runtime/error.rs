//! Why the runtime could not start. Each names the thing and what to do about it.

use std::{net::SocketAddr, path::PathBuf};

use crate::api::Reason;

/// Why the runtime could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another potluck works in this home.
    #[error("{home} is in use by another potluck (process {pid}); use --home for a second one")]
    HomeHeld {
        /// The home or state folder.
        home: PathBuf,
        /// The holder.
        pid: u32,
    },
    /// Another potluck works in a library.
    #[error(transparent)]
    LibraryHeld(crate::io::disk::LibraryError),
    /// A lock file could not be made.
    #[error("cannot lock {path}: {source}")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A folder of ours could not be made.
    #[error("cannot make the folder {path}: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The key of this home.
    #[error(transparent)]
    Identity(#[from] crate::io::identity::IdentityError),
    /// No library can be used.
    #[error(transparent)]
    Library(crate::io::disk::LibraryError),
    /// The catalog: without it, a gate would stand open.
    #[error(transparent)]
    Catalog(#[from] crate::io::catalog::CatalogError),
    /// The listener.
    #[error("cannot listen{}: {source}", listen.map_or_else(String::new, |addr| format!(" on {addr}")))]
    Bind {
        /// The address asked for.
        listen: Option<SocketAddr>,
        /// Why.
        #[source]
        source: crate::io::quic::BindError,
    },
    /// Threads could not be started.
    #[error("cannot start a thread: {source}")]
    Thread {
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The runtime ended before it had started.
    #[error("the runtime ended while it was starting; the log in {log} says why")]
    Ended {
        /// The log folder.
        log: PathBuf,
    },
    /// It was told to stop meanwhile.
    #[error("potluck was told to stop while it was starting")]
    Canceled,
}

impl StartError {
    /// The same for programs.
    #[must_use]
    pub fn reason(&self) -> Reason {
        match self {
            Self::HomeHeld { .. } => Reason::HomeHeld,
            Self::LibraryHeld(_) => Reason::LibraryHeld,
            Self::Lock { .. } => Reason::Lock,
            Self::Folder { .. } => Reason::Folder,
            Self::Identity(_) => Reason::Identity,
            Self::Library(_) => Reason::Library,
            Self::Catalog(_) => Reason::Catalog,
            Self::Bind { .. } => Reason::Bind,
            Self::Thread { .. } | Self::Ended { .. } => Reason::Threads,
            Self::Canceled => Reason::Canceled,
        }
    }
}
