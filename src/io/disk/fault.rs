//! Every operation that changes a disk passes here, so that a test can count and record them, make one fail as a
//! disk does, or end the process before one. Without a test's [`Faults`] it costs a look at an `Option`.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use rustix::io::Errno;

/// An operation that changes the disk. Paths are absolute, by the names that folders and files had when they were opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are the system's own")]
pub enum DiskOp {
    Create {
        path: String,
        executable: bool,
    },
    MakeDir {
        path: String,
    },
    MakeLink {
        path: String,
        target: String,
    },
    Rename {
        from: String,
        to: String,
    },
    /// To another library.
    MoveOut {
        from: String,
        to: String,
    },
    Unlink {
        path: String,
    },
    RemoveDir {
        path: String,
    },
    Write {
        path: String,
        offset: u64,
        bytes: Vec<u8>,
    },
    Resize {
        path: String,
        size: u64,
    },
    Copy {
        from: String,
        to: String,
        offset: u64,
        len: u64,
    },
    SetMode {
        path: String,
        executable: bool,
    },
    SetTime {
        path: String,
        mtime_ns: i64,
    },
    SyncFile {
        path: String,
    },
    SyncDir {
        path: String,
    },
    /// All that is on the file system of a folder.
    SyncFs {
        path: String,
    },
}

impl DiskOp {
    /// Whether a full disk refuses it.
    fn takes_space(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::MakeDir { .. }
            | Self::MakeLink { .. }
            | Self::Write { .. }
            | Self::Resize { .. }
            | Self::Copy { .. } => true,
            Self::Rename { .. }
            | Self::MoveOut { .. }
            | Self::Unlink { .. }
            | Self::RemoveDir { .. }
            | Self::SetMode { .. }
            | Self::SetTime { .. }
            | Self::SyncFile { .. }
            | Self::SyncDir { .. }
            | Self::SyncFs { .. } => false,
        }
    }

    fn makes_durable(&self) -> bool {
        match self {
            Self::SyncFile { .. } | Self::SyncDir { .. } | Self::SyncFs { .. } => true,
            Self::Create { .. }
            | Self::MakeDir { .. }
            | Self::MakeLink { .. }
            | Self::Rename { .. }
            | Self::MoveOut { .. }
            | Self::Unlink { .. }
            | Self::RemoveDir { .. }
            | Self::Write { .. }
            | Self::Resize { .. }
            | Self::Copy { .. }
            | Self::SetMode { .. }
            | Self::SetTime { .. } => false,
        }
    }

    /// What it is done to; of two, where it leads.
    #[must_use]
    pub fn path(&self) -> &str {
        match self {
            Self::Rename { to: path, .. }
            | Self::MoveOut { to: path, .. }
            | Self::Copy { to: path, .. }
            | Self::Create { path, .. }
            | Self::MakeDir { path }
            | Self::MakeLink { path, .. }
            | Self::Unlink { path }
            | Self::RemoveDir { path }
            | Self::Write { path, .. }
            | Self::Resize { path, .. }
            | Self::SetMode { path, .. }
            | Self::SetTime { path, .. }
            | Self::SyncFile { path }
            | Self::SyncDir { path }
            | Self::SyncFs { path } => path,
        }
    }
}

/// What happens at the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This operation fails and changes nothing; later ones are fine.
    Once(Errno),
    /// This operation is done, and says that it failed; later ones are fine.
    Done(Errno),
    /// This operation and all later ones fail, as if the process were dead.
    Stop,
    /// From here on the disk is full.
    Full,
    /// From here on nothing can be made durable; all else is done.
    Unsynced,
    /// The process ends by SIGKILL.
    Kill,
}

/// Counts operations that change the disk, and does what it was told at one of them.
#[derive(Debug)]
pub struct Faults {
    fault: Fault,
    /// Whether libraries are as if on several file systems.
    apart: bool,
    /// Whether files are as if they could share their blocks.
    sharing: bool,
    /// Where it happens, if not everywhere.
    below: Option<PathBuf>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    done: u64,
    point: u64,
    /// The first operation that something happened to.
    hit: Option<DiskOp>,
    /// What was done, for a test that asked.
    record: Option<Vec<DiskOp>>,
}

impl Faults {
    /// Does it at operation number `point`, counted from 1.
    #[must_use]
    pub fn at(point: u64, fault: Fault) -> Self {
        Self {
            fault,
            apart: false,
            sharing: false,
            below: None,
            state: Mutex::new(State { done: 0, point, hit: None, record: None }),
        }
    }

    /// Never does anything but count.
    #[must_use]
    pub fn count_only() -> Self {
        Self::at(u64::MAX, Fault::Stop)
    }

    /// The same, and no rename leads from one library to another.
    #[must_use]
    pub fn apart(self) -> Self {
        Self { apart: true, ..self }
    }

    /// The same, and it happens to nothing but what is below a folder.
    #[must_use]
    pub fn below(self, folder: PathBuf) -> Self {
        Self { below: Some(folder), ..self }
    }

    /// The same, and files can share their blocks on any file system: they are copied without a write.
    #[must_use]
    pub fn sharing(self) -> Self {
        Self { sharing: true, ..self }
    }

    pub(super) fn is_sharing(&self) -> bool {
        self.sharing
    }

    /// The same, and keeps what is done.
    #[must_use]
    pub fn recording(self) -> Self {
        self.state().record = Some(Vec::new());
        self
    }

    /// Counts from 0 again, with `point` from here on.
    pub fn arm(&self, point: u64) {
        let mut state = self.state();
        (state.done, state.point) = (0, point);
    }

    /// Operations asked for so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.state().done
    }

    /// The first operation that something happened to.
    #[must_use]
    pub fn hit(&self) -> Option<DiskOp> {
        self.state().hit.clone()
    }

    /// What was done so far.
    #[must_use]
    pub fn recorded(&self) -> Vec<DiskOp> {
        self.state().record.clone().unwrap_or_default()
    }

    fn act<T, E: From<Errno>>(&self, op: DiskOp, run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        match self.next(&op) {
            None => {}
            Some(Fault::Once(errno)) => return Err(errno.into()),
            Some(Fault::Done(errno)) => return run().and(Err(errno.into())),
            Some(Fault::Stop | Fault::Unsynced) => return Err(Errno::IO.into()),
            Some(Fault::Full) => return Err(Errno::NOSPC.into()),
            Some(Fault::Kill) => {
                // Whether it worked shows at once: a process cannot outlive its own SIGKILL.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
        }
        if self.apart && matches!(op, DiskOp::MoveOut { .. }) {
            return Err(Errno::XDEV.into());
        }
        let result = run();
        if let (Ok(_), Some(record)) = (&result, &mut self.state().record) {
            record.push(op);
        }
        result
    }

    /// Counts an operation; gives what is to happen to it.
    fn next(&self, op: &DiskOp) -> Option<Fault> {
        let mut state = self.state();
        state.done += 1;
        let happens = match self.fault {
            Fault::Once(_) | Fault::Done(_) | Fault::Kill => state.done == state.point,
            Fault::Stop => state.done >= state.point,
            Fault::Full => state.done >= state.point && op.takes_space(),
            Fault::Unsynced => state.done >= state.point && op.makes_durable(),
        };
        let happens = happens && self.below.as_ref().is_none_or(|below| Path::new(op.path()).starts_with(below));
        if happens && state.hit.is_none() {
            state.hit = Some(op.clone());
        }
        happens.then_some(self.fault)
    }

    /// Each change of the state is one step, so a panic elsewhere leaves it usable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does an operation that changes the disk, unless a test wants something else.
pub(super) fn act<T, E: From<Errno>>(
    faults: Option<&Faults>,
    op: impl FnOnce() -> DiskOp,
    run: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    match faults {
        None => run(),
        Some(faults) => faults.act(op(), run),
    }
}
