//! The steps of a change and what they are planned from.

use std::collections::{BTreeMap, BTreeSet};

use crate::types::{ContentId, FileNo, PayloadPath};

/// One step. Carried out in order; each is fine with having been carried out before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make all that was written so far durable.
    Sync,
    /// Record durably that this commit is under way. From here on it is finished, never undone.
    JournalCommit {
        /// The build that was there.
        from: Option<ContentId>,
        /// The build that will be there.
        to: ContentId,
    },
    /// Take `version.ini` away, into `.potluck/`: from here on the game is not *downloaded*. One that
    /// is not the old build's is set aside.
    ParkSentinel,
    /// Take `version.ini` away as the record that a removal is under way: a rename needs no space.
    MarkRemoval,
    /// Delete a file or link that is proved ours.
    Delete {
        /// Where it is.
        path: PayloadPath,
    },
    /// Remove a file or link, whoever changed it: a game is removed.
    Discard {
        /// Where it is.
        path: PayloadPath,
    },
    /// Move what is at a path, if anything, to `.potluck/replaced/`.
    SetAside {
        /// Where it is.
        path: PayloadPath,
    },
    /// Remove a folder if it is there and empty.
    RemoveFolder {
        /// Where it is.
        path: PayloadPath,
    },
    /// Make a folder and those above it.
    MakeFolder {
        /// Where it will be.
        path: PayloadPath,
    },
    /// Move a folder of the download to its path, where nothing is: all that the build has below it.
    PlaceFolder {
        /// Where it will be.
        path: PayloadPath,
    },
    /// Move a file of the download to its path, if it has not been moved yet.
    Place {
        /// Where it will be.
        path: PayloadPath,
    },
    /// Set or clear the right to run a file that stayed where it was.
    SetMode {
        /// Where it is.
        path: PayloadPath,
        /// Whether it may be run.
        executable: bool,
    },
    /// Make a symbolic link if it is not there.
    Link {
        /// Where it will be.
        path: PayloadPath,
        /// What it points to.
        target: String,
    },
    /// Store the chunk hashes of the new build.
    WriteHashes,
    /// Store the manifest of the new build.
    WriteManifest,
    /// Write the new `version.ini`: from here on the game is *downloaded*.
    WriteSentinel,
    /// Delete the parked sentinel.
    DropParked,
    /// Delete the record of a removal.
    DropMark,
    /// Take `version.ini` away as the record that the payload of a playable game is dropped: a rename needs no space.
    MarkDropping,
    /// Make of that the record that it was dropped: the game is installed, and nothing but that.
    MarkDropped,
    /// Put `version.ini` back that [`Self::MarkDropping`] took away, if there is none in the root.
    UndoDropping,
    /// Delete both records.
    ForgetDropped,
    /// Put the parked sentinel back, if there is none in the root.
    RestoreSentinel,
    /// Delete what is left of a download.
    DropDownload {
        /// The build.
        content: ContentId,
    },
    /// Delete all downloads.
    DropDownloads,
    /// Delete the journal.
    DropJournal,
    /// Move a journal that cannot be understood out of the way.
    SetAsideJournal,
    /// Delete the manifest and hashes.
    DropManifest,
    /// Remove `.potluck/` and the root if nothing is left in them.
    RemoveRoot,
    /// Make an empty folder to unpack into, which says that it is potluck's.
    MakeStaging {
        /// The build that will be unpacked.
        content: ContentId,
    },
    /// Write into the folder that was unpacked into what is in it: whatever differs later is the user's.
    WriteRecord,
    /// Record durably that what was unpacked becomes `local/`. From here on it is finished, never undone.
    JournalInstall {
        /// The build it was unpacked from.
        to: ContentId,
    },
    /// Rename a folder, if it is there, to a name that nothing has.
    MoveFolder {
        /// Its name.
        from: LocalFolder,
        /// Its name after.
        to: LocalFolder,
    },
    /// Move what the user added to or changed in a folder of ours to `.potluck/replaced/`.
    SetChangedAside {
        /// Where it is.
        folder: LocalFolder,
    },
    /// Delete a folder, if it is there and says that it is potluck's.
    DropFolder {
        /// Where it is.
        folder: LocalFolder,
    },
}

/// The folders in which a playable game is, was, or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LocalFolder {
    /// The game that is played.
    Local,
    /// What is being unpacked.
    Staging,
    /// The game that was played until its successor takes its place.
    Backup,
    /// The game that goes.
    Leaving,
}

impl LocalFolder {
    /// Every one of them.
    pub const ALL: [Self; 4] = [Self::Local, Self::Staging, Self::Backup, Self::Leaving];

    /// Its path in the root.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Staging => ".local.installing",
            Self::Backup => ".local.backup",
            Self::Leaving => ".local.removing",
        }
    }
}

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDisk {
    /// A file or link that is what the old manifest says.
    Ours,
    /// A file or link that is not.
    Foreign,
    /// A folder.
    Folder,
}

/// What is on disk before a plan is made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survey {
    /// What is at each path asked for; paths where nothing is are left out.
    pub at: BTreeMap<PayloadPath, OnDisk>,
    /// Files of the download that have not been moved into the root.
    pub staged: BTreeSet<FileNo>,
    /// Files whose right to be run differs from the new manifest's.
    pub wrong_mode: BTreeSet<PayloadPath>,
}
