//! A party on this machine, for looking at: several runtimes in one process on loopback, each with a
//! home and a library of made-up games in a scratch folder, slowed so that there is something to
//! watch. Leaves nothing behind. Drives the runtime as any other starter does; knows nothing of it.

mod games;

use std::{io, net::SocketAddr, path::PathBuf, pin::pin};

use futures::FutureExt as _;

use crate::{
    api::Handle,
    config::Settings,
    runtime::{self, Runtime, StartError},
    types::Rate,
};

/// Guests beside the one on the screen, unless told otherwise.
pub const PEERS_DEFAULT: u8 = 4;
/// A party in one process: each guest has a thread and about 20 MiB.
pub const PEERS_MAX: u8 = 12;
/// What each guest gives at most: slow enough to watch, fast enough not to bore.
const UPLOAD: Rate = Rate::from_bps(3 << 20);

/// The guests of a demo. [`Demo::run`] lets them come and, when all is over, deletes what was there.
#[derive(Debug)]
pub struct Demo {
    folder: PathBuf,
    settings: Settings,
    peers: u8,
    /// Where the guest on the screen is, whom the others come to.
    known: Vec<String>,
    seats: Vec<Runtime>,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The scratch folder could not be filled.
    #[error("cannot make the demo's games in {folder}: {source}")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A seat could not start.
    #[error("a seat of the demo could not start: {0}")]
    Start(#[from] StartError),
}

/// Starts the guest on the screen, whose handle this is; the others come while [`Demo::run`] runs.
pub async fn start(settings: &Settings, peers: u8) -> Result<(Handle, Demo), DemoError> {
    let folder = std::env::temp_dir().join(format!("potluck-demo-{}", std::process::id()));
    let peers = peers.clamp(1, PEERS_MAX);
    let mut demo = Demo { folder, settings: settings.clone(), peers, known: Vec::new(), seats: Vec::new() };
    match demo.seat(ME).await {
        Ok(handle) => {
            demo.known.extend(handle.snapshot().me.listen.first().cloned());
            Ok((handle, demo))
        }
        Err(error) => {
            demo.stop().await;
            Err(error)
        }
    }
}

/// The number of the guest on the screen.
const ME: u8 = 0;

impl Demo {
    /// Lets the others come, one after another, and sends everybody home when `over` ends.
    pub async fn run(mut self, over: impl Future<Output = ()>) {
        let mut over = pin!(over.fuse());
        for seat in 1..=self.peers {
            // A seat that is on its way in is let in first, so that none is left behind.
            if let Err(error) = self.seat(seat).await {
                tracing::warn!("{error}");
            }
            // The screen is drawn between two guests.
            tokio::task::yield_now().await;
            if (&mut over).now_or_never().is_some() {
                return self.stop().await;
            }
        }
        over.await;
        self.stop().await;
    }

    async fn seat(&mut self, number: u8) -> Result<Handle, DemoError> {
        let name = games::seat_name(number);
        let home = self.folder.join(&name);
        games::make(&home.join("games"), number, self.peers)
            .map_err(|source| DemoError::Folder { folder: home.clone(), source })?;
        let mut settings = self.settings.in_folder(&home, home.join("games"));
        settings.name = name;
        settings.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        settings.mdns = false;
        settings.demo = true;
        settings.peers = self.known.clone();
        settings.up_limit = (number != ME).then_some(UPLOAD);
        let (handle, runtime) = runtime::start(settings).await?;
        self.seats.push(runtime);
        Ok(handle)
    }

    /// Everybody goes home, and the folder with everything in it is deleted.
    async fn stop(self) {
        for seat in self.seats {
            seat.stop().await;
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("the demo's folder {} could not be deleted: {error}", self.folder.display());
        }
    }
}
