//! What to do with a root at start: the record says what was intended, the disk how far it came. Who was killed may not have
//! made durable what is seen of that, so every plan begins with a `Sync`.

use super::step::Step;
use crate::types::ContentId;

/// What the journal file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JournalFound {
    /// There is none.
    None,
    /// A commit was under way.
    Commit {
        /// The build that was there.
        from: Option<ContentId>,
        /// The build that will be there.
        to: ContentId,
    },
    /// A removal was under way.
    Remove,
    /// An installation was under way.
    Install,
    /// It was about to go to another library, and is still here.
    Move,
    /// It cannot be understood.
    Damaged,
}

/// What recovery looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The journal.
    pub journal: JournalFound,
    /// The build whose manifest is stored for the root; `None` when there is none or it is damaged.
    pub manifest: Option<ContentId>,
    /// The build that is journalled can be read from its download.
    pub download_readable: bool,
    /// A sentinel is parked.
    pub parked: bool,
    /// A removal is marked as under way.
    pub removal: bool,
    /// Dropping the payload is marked as under way.
    pub dropping: bool,
    /// `local/` is what potluck made of the build whose manifest is stored, and there is no sentinel.
    pub playable_only: bool,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing was under way.
    Nothing,
    /// Plan the commit again from what is on disk, and finish it.
    FinishCommit {
        /// The build to finish.
        to: ContentId,
        /// Whether the stored manifest is the old build's, so that its files can be told.
        old_manifest: bool,
    },
    /// Only the end is left: these steps.
    Finish(Vec<Step>),
    /// Plan the removal again and finish it.
    FinishRemoval,
    /// Plan dropping the payload again and finish it.
    FinishDropping,
    /// The record cannot be followed: these steps make the root usable, and a scan says what it has.
    GiveUp(Vec<Step>),
}

/// Decides.
#[must_use]
pub fn recovery(evidence: Evidence) -> Recovery {
    if evidence.removal {
        return Recovery::FinishRemoval;
    }
    match evidence.journal {
        // A commit drops what it parked before its journal: somebody took the journal away.
        JournalFound::None if evidence.parked => {
            Recovery::GiveUp(vec![Step::Sync, Step::RestoreSentinel, Step::DropParked])
        }
        JournalFound::None | JournalFound::Install if evidence.dropping && evidence.playable_only => {
            Recovery::FinishDropping
        }
        // The game that was to stay is gone, or somebody brought the payload back: what is left of that is kept.
        JournalFound::None | JournalFound::Install if evidence.dropping => {
            Recovery::Finish(vec![Step::Sync, Step::UndoDropping])
        }
        // What `local/` needs is decided by `local_recovery`.
        JournalFound::None | JournalFound::Install => Recovery::Nothing,
        JournalFound::Remove => Recovery::FinishRemoval,
        // What is here may be newer than its copy, which goes when its library is looked through.
        JournalFound::Move => Recovery::Finish(vec![Step::Sync, Step::DropJournal]),
        // The new manifest is stored when every file is in its place. A repair has it from the start: there
        // the download, which ends as the manifest moves, tells.
        JournalFound::Commit { from, to }
            if evidence.manifest == Some(to) && !(from == Some(to) && evidence.download_readable) =>
        {
            Recovery::Finish(vec![
                Step::Sync,
                Step::WriteSentinel,
                Step::Sync,
                Step::DropParked,
                Step::ForgetDropped,
                Step::DropDownload { content: to },
                Step::Sync,
                Step::DropJournal,
            ])
        }
        JournalFound::Commit { from, to } if evidence.download_readable => {
            Recovery::FinishCommit { to, old_manifest: from.is_some() && evidence.manifest == from }
        }
        // The journal goes last: until then a crash leads back here.
        JournalFound::Commit { .. } | JournalFound::Damaged => {
            Recovery::GiveUp(vec![Step::Sync, Step::RestoreSentinel, Step::DropParked, Step::SetAsideJournal])
        }
    }
}
