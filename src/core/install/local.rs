//! How `local/`, the playable game, comes, is renewed and goes. Planned from whose each folder is:
//! one that potluck made says so in a file in it, and no other is ever touched.
//!
//! ```text
//!   install, update:  DropStaging ─ MakeStaging ─ (unpack, carry over what is to be kept) ─ WriteRecord ─ Sync
//!                     crash: the old `local/` is whole, what was unpacked is dropped
//!     ─ JournalInstall ────────────────────────────────────────────────────────────────────────────
//!                     crash: recovery plans again and finishes
//!     ─ MoveOut ─ MoveIn ─ Sync ─ SetChangedAside ─ DropOld ─ DropJournal
//!
//!   uninstall:        Leave │ SetChangedAside ─ DropOld          crash: recovery goes on
//! ```
//!
//! Invariant: `local/` is moved away only when a whole one is beside it to take its place, or when the user
//! wants it gone. What the user added or changed in it is set aside before it is deleted.

use super::step::{LocalFolder, Step};
use crate::types::ContentId;

/// What a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Whose {
    /// There is none.
    #[default]
    Nobody,
    /// potluck made it, and its record can be read.
    Ours,
    /// Somebody else did, or it is no folder.
    Foreign,
}

/// The folders of a root that an installation has to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LocalFound {
    /// `local/`.
    pub local: Whose,
    /// `.local.installing/`: what will be `local/`.
    pub staging: Whose,
    /// `.local.backup/`: what was `local/` until the new one takes its place.
    pub backup: Whose,
    /// `.local.removing/`: what was `local/` and goes.
    pub leaving: Whose,
}

/// Why `local/` is not touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{}` was not made by potluck; move it away or rename it, then try again", .folder.path())]
pub struct NotOurs {
    /// The folder in the way.
    pub folder: LocalFolder,
}

impl LocalFound {
    fn of(&self, folder: LocalFolder) -> Whose {
        match folder {
            LocalFolder::Local => self.local,
            LocalFolder::Staging => self.staging,
            LocalFolder::Backup => self.backup,
            LocalFolder::Leaving => self.leaving,
        }
    }

    /// Refuses where a folder that an operation needs is somebody else's.
    fn check(&self, needed: &[LocalFolder]) -> Result<(), NotOurs> {
        match needed.iter().find(|folder| self.of(**folder) == Whose::Foreign) {
            Some(folder) => Err(NotOurs { folder: *folder }),
            None => Ok(()),
        }
    }
}

/// The steps before unpacking, from a root that was recovered: an empty folder to unpack into.
pub fn stage(found: &LocalFound, content: ContentId) -> Result<Vec<Step>, NotOurs> {
    found.check(&[LocalFolder::Local, LocalFolder::Staging, LocalFolder::Backup])?;
    Ok(vec![Step::DropFolder { folder: LocalFolder::Staging }, Step::MakeStaging { content }])
}

/// The steps after unpacking: from the last of them on, what was unpacked becomes `local/` whatever happens.
#[must_use]
pub fn seal(content: ContentId) -> Vec<Step> {
    vec![Step::WriteRecord, Step::Sync, Step::JournalInstall { to: content }]
}

/// The steps after that.
#[must_use]
pub fn swap() -> Vec<Step> {
    let mut steps = vec![
        Step::MoveFolder { from: LocalFolder::Local, to: LocalFolder::Backup },
        Step::MoveFolder { from: LocalFolder::Staging, to: LocalFolder::Local },
    ];
    steps.extend(end_of_swap());
    steps
}

/// The steps that undo an unpacking that failed or was cancelled.
#[must_use]
pub fn unstage() -> Vec<Step> {
    vec![Step::DropFolder { folder: LocalFolder::Staging }]
}

/// The steps that take `local/` away and keep the payload. None needs space: the folder's new name is the record.
pub fn uninstall(found: &LocalFound) -> Result<Vec<Step>, NotOurs> {
    found.check(&[LocalFolder::Local, LocalFolder::Leaving])?;
    Ok(vec![
        Step::MoveFolder { from: LocalFolder::Local, to: LocalFolder::Leaving },
        Step::Sync,
        Step::SetChangedAside { folder: LocalFolder::Leaving },
        Step::DropFolder { folder: LocalFolder::Leaving },
    ])
}

/// The steps that take every folder of ours away, whatever was under way, in a root that is marked as being removed. What
/// came along from a backup into `local/` is set aside once.
pub(super) fn removal(found: &LocalFound) -> Vec<Step> {
    let mut steps = Vec::new();
    for folder in [LocalFolder::Staging, LocalFolder::Backup, LocalFolder::Local, LocalFolder::Leaving] {
        if found.of(folder) != Whose::Ours {
            continue;
        }
        // What the user has in what is being unpacked is a copy.
        if folder != LocalFolder::Staging {
            steps.push(Step::SetChangedAside { folder });
        }
        steps.push(Step::DropFolder { folder });
    }
    steps
}

/// What is left to do in a root, at start or after a failure; nothing where nothing was under way. `journalled`
/// says that the journal records an installation. As in every recovery, what is found is made durable first.
#[must_use]
pub fn local_recovery(found: &LocalFound, journalled: bool) -> Vec<Step> {
    let mut steps = left_to_do(found, journalled);
    if !steps.is_empty() {
        steps.insert(0, Step::Sync);
    }
    steps
}

fn left_to_do(found: &LocalFound, journalled: bool) -> Vec<Step> {
    use Whose::{Foreign, Nobody, Ours};
    let mut steps = Vec::new();
    if found.leaving == Ours {
        steps.push(Step::SetChangedAside { folder: LocalFolder::Leaving });
        steps.push(Step::DropFolder { folder: LocalFolder::Leaving });
    }
    if !journalled {
        // Without the journal what was unpacked may not be whole.
        if found.staging == Ours {
            steps.push(Step::DropFolder { folder: LocalFolder::Staging });
        }
        // Somebody took the journal away: the old game is better than none, and in nobody's way beside the new one.
        match found.local {
            Nobody if found.backup == Ours => {
                steps.push(Step::MoveFolder { from: LocalFolder::Backup, to: LocalFolder::Local });
            }
            Ours if found.backup == Ours => {
                steps.push(Step::SetChangedAside { folder: LocalFolder::Backup });
                steps.push(Step::DropFolder { folder: LocalFolder::Backup });
            }
            Nobody | Ours | Foreign => {}
        }
        return steps;
    }
    match (found.local, found.staging, found.backup) {
        // What was unpacked is in its place already.
        (Ours | Foreign, Nobody | Foreign, Nobody | Foreign) => steps.push(Step::DropJournal),
        (Ours | Foreign, Nobody | Foreign, Ours) => steps.extend(end_of_swap()),
        // Before the first move, and between the two.
        (Ours, Ours, Nobody) => steps.extend(swap()),
        (Nobody, Ours, Nobody | Ours | Foreign) => {
            steps.push(Step::MoveFolder { from: LocalFolder::Staging, to: LocalFolder::Local });
            steps.extend(end_of_swap());
        }
        // Both are gone: the old game is better than none, and none is what there is without it.
        (Nobody, Nobody | Foreign, Ours) => {
            steps.push(Step::MoveFolder { from: LocalFolder::Backup, to: LocalFolder::Local });
            steps.push(Step::DropJournal);
        }
        (Nobody, Nobody | Foreign, Nobody | Foreign) => steps.push(Step::DropJournal),
        // Somebody put a `local/` or a backup there meanwhile: what was unpacked goes, theirs stays.
        (Ours, Ours, Ours) => {
            steps.push(Step::DropFolder { folder: LocalFolder::Staging });
            steps.extend(end_of_swap());
        }
        (Foreign, Ours, _) | (Ours, Ours, Foreign) => {
            steps.push(Step::DropFolder { folder: LocalFolder::Staging });
            steps.push(Step::DropJournal);
        }
    }
    steps
}

fn end_of_swap() -> [Step; 4] {
    [
        Step::Sync,
        Step::SetChangedAside { folder: LocalFolder::Backup },
        Step::DropFolder { folder: LocalFolder::Backup },
        Step::DropJournal,
    ]
}
