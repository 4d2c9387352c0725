//! Small facts that outlive a run (pins, trusted and blocked peers, the queue), each kind in a JSON
//! file of its own in the state folder. Written whole by temp, fsync and rename; one that cannot be
//! read is moved aside and told, never a reason not to start.

use std::{
    fs, io,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::types::clean;

/// Bytes of a state file: thousands of pins, and no more.
const STATE_BYTES_MAX: u64 = 4 << 20;

/// A state file.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// The file `name` of the state folder.
    #[must_use]
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { path: folder.join(name) }
    }

    /// What it holds: the default when there is none. One that cannot be understood is moved aside to
    /// `NAME.broken`, and the default is used; the second value says so.
    pub fn load<T: DeserializeOwned + Default>(&self) -> (T, Option<StateError>) {
        match self.read() {
            Ok(Some(bytes)) => match serde_json::from_slice(&bytes) {
                Ok(value) => (value, None),
                Err(error) => {
                    let aside = self.path.with_extension("broken");
                    let moved = fs::rename(&self.path, &aside);
                    let detail = clean(&error.to_string(), 200);
                    let error = match moved {
                        Ok(()) => StateError::Broken { path: self.path.clone(), aside, detail },
                        Err(source) => StateError::Io { path: self.path.clone(), source },
                    };
                    (T::default(), Some(error))
                }
            },
            Ok(None) => (T::default(), None),
            Err(source) => (T::default(), Some(StateError::Io { path: self.path.clone(), source })),
        }
    }

    /// Replaces what it holds.
    pub fn save<T: Serialize>(&self, value: &T) -> Result<(), StateError> {
        let failed = |source| StateError::Io { path: self.path.clone(), source };
        let bytes = serde_json::to_vec_pretty(value).map_err(|error| failed(error.into()))?;
        let temp = self.path.with_extension("new");
        let mut file = fs::File::create(&temp).map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(&temp, &self.path).map_err(failed)
    }

    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(STATE_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

/// What went wrong with a state file.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It could not be understood.
    #[error("{path} cannot be understood ({detail}); it was moved to {aside} and starts empty")]
    Broken {
        /// The file.
        path: PathBuf,
        /// Where it is now.
        aside: PathBuf,
        /// What the parser found.
        detail: String,
    },
    /// It could not be read or written.
    #[error("cannot keep {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn state_is_kept_and_a_broken_file_is_moved_aside() {
        let folder = tempfile::tempdir().unwrap();
        let file = StateFile::new(folder.path(), "pins.json");
        let pins = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        assert!(matches!(file.load::<BTreeMap<String, String>>(), (empty, None) if empty.is_empty()));
        file.save(&pins).unwrap();
        assert!(matches!(file.load::<BTreeMap<String, String>>(), (kept, None) if kept == pins));
        fs::write(folder.path().join("pins.json"), b"\xff{").unwrap();
        let (empty, error) = file.load::<BTreeMap<String, String>>();
        assert!(empty.is_empty());
        assert!(matches!(error, Some(StateError::Broken { .. })), "{error:?}");
        assert!(folder.path().join("pins.broken").exists());
    }
}
