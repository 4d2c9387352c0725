//! Where potluck's own files lie, and what the machine itself suggests.

use std::{fs, path::Path, path::PathBuf};

use directories::{ProjectDirs, UserDirs};

use super::ConfigError;
use crate::types::PeerName;

/// The control socket's file.
const SOCKET: &str = "control.sock";

/// Where potluck's own files lie. All absolute; none need exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `config.toml`, `catalog.toml`.
    pub config: PathBuf,
    /// The key, the index, what was remembered.
    pub state: PathBuf,
    /// The control socket.
    pub socket: PathBuf,
    /// Log files.
    pub log: PathBuf,
}

impl Places {
    /// Everything in one folder, which is absolute.
    #[must_use]
    pub fn in_folder(home: &Path) -> Self {
        Self { config: home.to_owned(), state: home.to_owned(), socket: home.join(SOCKET), log: home.join("logs") }
    }

    /// The folders of the XDG base directory specification.
    pub(super) fn of_user() -> Result<Self, ConfigError> {
        let dirs = ProjectDirs::from("", "", "potluck").ok_or(ConfigError::NoHome)?;
        let state = dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned();
        // A service of the machine has no runtime folder: the user's commands look where its socket is.
        let runtime = dirs.runtime_dir().filter(|_| !state.join(SOCKET).exists());
        let sockets = runtime.map_or_else(|| state.clone(), Path::to_owned);
        Ok(Self { config: dirs.config_dir().to_owned(), socket: sockets.join(SOCKET), log: state.join("logs"), state })
    }

    /// The config file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }
}

/// `~/Games`; where there is no home folder, a folder beside our state.
pub(super) fn default_library(places: &Places) -> PathBuf {
    user_home().map_or_else(|| places.state.join("Games"), |home| home.join("Games"))
}

pub(super) fn user_home() -> Option<PathBuf> {
    UserDirs::new().map(|dirs| dirs.home_dir().to_owned())
}

/// What the machine is called, cleaned.
pub(super) fn host_name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| fs::read_to_string("/etc/hostname"))
        .unwrap_or_default();
    let first = name.trim().split('.').next().unwrap_or_default();
    if first.is_empty() { "potluck".to_owned() } else { PeerName::new(first).as_str().to_owned() }
}
