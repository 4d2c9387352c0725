//! Open files, shared by everything that serves or grows: a descriptor is opened once and stays open
//! while it is used, and the process never runs out of them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    io::disk::{DiskError, GameFile},
    types::FileNo,
};

/// Files kept open of at most this many; a quarter of the 1,024 descriptors a process usually has.
const FILES_MAX: usize = 256;

/// The open files of this process. Clones share one set.
#[derive(Debug, Clone, Default)]
pub struct OpenFiles(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    files: HashMap<(u64, FileNo), (Arc<GameFile>, u64)>,
    /// Counts uses: the lowest is the one used least recently.
    clock: u64,
    owners: u64,
}

/// One user of [`OpenFiles`]; its files are closed when it is dropped.
#[derive(Debug)]
pub(super) struct Owner {
    files: OpenFiles,
    number: u64,
}

impl OpenFiles {
    pub(super) fn owner(&self) -> Owner {
        let mut inner = self.lock();
        inner.owners += 1;
        Owner { files: self.clone(), number: inner.owners }
    }

    /// The map is whole between any two of its operations, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owner {
    /// The open file, opened by `open` when it is not.
    pub(super) fn get(
        &self,
        file: FileNo,
        open: impl FnOnce() -> Result<GameFile, DiskError>,
    ) -> Result<Arc<GameFile>, DiskError> {
        let key = (self.number, file);
        {
            let mut inner = self.files.lock();
            inner.clock += 1;
            let now = inner.clock;
            if let Some((held, used)) = inner.files.get_mut(&key) {
                *used = now;
                return Ok(Arc::clone(held));
            }
        }
        // Opening can take a disk's time: not under the lock. Two threads may both open; one stays.
        let opened = Arc::new(open()?);
        let mut inner = self.files.lock();
        while inner.files.len() >= FILES_MAX {
            let oldest = inner.files.iter().min_by_key(|(_, (_, used))| *used).map(|(key, _)| *key);
            oldest.and_then(|key| inner.files.remove(&key));
        }
        let now = inner.clock;
        inner.files.insert(key, (Arc::clone(&opened), now));
        Ok(opened)
    }

    /// Closes a file, so that the next use opens what is at its path then.
    pub(super) fn close(&self, file: FileNo) {
        self.files.lock().files.remove(&(self.number, file));
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.files.lock().files.retain(|(owner, _), _| *owner != self.number);
    }
}
