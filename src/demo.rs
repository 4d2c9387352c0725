//! A party on this machine, for looking at: several runtimes in one process on loopback, each with a
//! home and a library of made-up games in a scratch folder, slowed so that there is something to
//! watch. Leaves nothing behind. Drives the runtime as any other starter does; knows nothing of it.

mod games;

use std::{io, net::SocketAddr, path::PathBuf};

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

/// A running demo. [`Demo::stop`] ends it and deletes its folder.
#[derive(Debug)]
pub struct Demo {
    folder: PathBuf,
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

/// Starts the party; the handle is that of the guest on the screen.
pub async fn start(settings: &Settings, peers: u8) -> Result<(Handle, Demo), DemoError> {
    let folder = std::env::temp_dir().join(format!("potluck-demo-{}", std::process::id()));
    let failed = |source| DemoError::Folder { folder: folder.clone(), source };
    let peers = peers.clamp(1, PEERS_MAX);
    let mut demo = Demo { folder: folder.clone(), seats: Vec::new() };
    let made = games::make(&folder, peers);
    if let Err(source) = made {
        demo.stop().await;
        return Err(failed(source));
    }
    match demo.seat_all(settings, peers).await {
        Ok(handle) => Ok((handle, demo)),
        Err(error) => {
            demo.stop().await;
            Err(error.into())
        }
    }
}

impl Demo {
    async fn seat_all(&mut self, settings: &Settings, peers: u8) -> Result<Handle, StartError> {
        let mut known: Vec<String> = Vec::new();
        for seat in 1..=peers {
            let handle = self.seat(settings, &games::seat_name(seat), &known, true).await?;
            if known.is_empty() {
                known.extend(handle.snapshot().me.listen.first().cloned());
            }
        }
        self.seat(settings, games::ME, &known, false).await
    }

    async fn seat(
        &mut self,
        settings: &Settings,
        name: &str,
        known: &[String],
        slowed: bool,
    ) -> Result<Handle, StartError> {
        let home = self.folder.join(name);
        let mut settings = settings.in_folder(&home, home.join("games"));
        settings.name = name.to_owned();
        settings.listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        settings.mdns = false;
        settings.demo = true;
        settings.peers = known.to_vec();
        settings.up_limit = slowed.then_some(UPLOAD);
        let (handle, runtime) = runtime::start(settings).await?;
        self.seats.push(runtime);
        Ok(handle)
    }

    /// Everybody goes home, and the folder with everything in it is deleted.
    pub async fn stop(self) {
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
