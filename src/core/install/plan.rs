//! Plans: from what is on disk to the steps that are left.

use std::collections::BTreeSet;

use super::{
    local::{self, LocalFound},
    step::{OnDisk, Step, Survey},
};
use crate::types::{ContentId, FileNo, LinkEntry, Manifest, PayloadPath};

/// What a commit is made from.
#[derive(Debug, Clone, Copy)]
pub struct Commit<'a> {
    /// The build that is there, if any.
    pub old: Option<(ContentId, &'a Manifest)>,
    /// The build that will be there.
    pub new: (ContentId, &'a Manifest),
}

/// The paths of which a plan wants to know what is there.
#[must_use]
pub fn to_survey(old: Option<&Manifest>, new: Option<&Manifest>) -> BTreeSet<PayloadPath> {
    let mut paths = BTreeSet::new();
    for manifest in old.into_iter().chain(new) {
        paths.extend(entries(manifest).cloned());
        paths.extend(folders(manifest));
    }
    paths
}

/// The steps of a commit. `begun` says that its journal is on disk, if perhaps only as the process sees it that reads it:
/// it is made durable first.
///
/// Old files go before new ones come, so that a folder can become a file and a file a folder: all of
/// the new build that is not in the root yet is whole in the download.
#[must_use]
pub fn commit(commit: Commit<'_>, survey: &Survey, begun: bool) -> Vec<Step> {
    let (to, new) = commit.new;
    let mut steps = vec![Step::Sync];
    if !begun {
        steps.push(Step::JournalCommit { from: commit.old.map(|(from, _)| from), to });
    }
    steps.push(Step::ParkSentinel);
    let old = commit.old.map(|(_, manifest)| manifest);
    clear_old(old, new, survey, &mut steps);
    clear_way(new, survey, &mut steps);
    fill(new, survey, &mut steps);
    steps.extend([
        Step::Sync,
        Step::WriteHashes,
        Step::WriteManifest,
        Step::WriteSentinel,
        Step::Sync,
        Step::DropParked,
        Step::ForgetDropped,
        Step::DropDownload { content: to },
        Step::Sync,
        Step::DropJournal,
    ]);
    steps
}

/// The steps that drop the payload of a game which stays playable. Only what is as the manifest says goes, because only
/// that can be got again; the manifest stays, to say what is installed. No step needs space, but for what is set aside.
#[must_use]
pub fn drop_payload(manifest: &Manifest, survey: &Survey) -> Vec<Step> {
    let mut steps = vec![Step::Sync, Step::MarkDropping, Step::Sync];
    let ours = |path: &&PayloadPath| survey.at.get(path) == Some(&OnDisk::Ours);
    steps.extend(entries_without_dirs(manifest).filter(ours).map(|path| Step::Delete { path: path.clone() }));
    let folders = folders(manifest);
    steps.extend(folders.into_iter().rev().map(|path| Step::RemoveFolder { path }));
    steps.extend([Step::Sync, Step::MarkDropped]);
    steps
}

/// The steps of a removal. Everything the manifest lists goes: whoever removes a game was told so.
/// What it does not list stays, and with it the root. No step needs space, but for what is set aside.
#[must_use]
pub fn removal(manifest: Option<&Manifest>, survey: &Survey, found: &LocalFound) -> Vec<Step> {
    let mut steps = vec![Step::MarkRemoval, Step::Sync];
    steps.extend(local::removal(found));
    steps.push(Step::DropDownloads);
    if let Some(manifest) = manifest {
        let there = |path: &&PayloadPath| matches!(survey.at.get(path), Some(OnDisk::Ours | OnDisk::Foreign));
        steps.extend(entries_without_dirs(manifest).filter(there).map(|path| Step::Discard { path: path.clone() }));
        let folders = folders(manifest);
        steps.extend(folders.into_iter().rev().map(|path| Step::RemoveFolder { path }));
    }
    steps.extend([
        Step::Sync,
        Step::DropManifest,
        Step::DropParked,
        Step::DropJournal,
        Step::ForgetDropped,
        Step::Sync,
        Step::DropMark,
        Step::RemoveRoot,
    ]);
    steps
}

/// Deletes what only the old build has; what the user changed is set aside.
fn clear_old(old: Option<&Manifest>, new: &Manifest, survey: &Survey, steps: &mut Vec<Step>) {
    let Some(old) = old else { return };
    let kept: BTreeSet<&PayloadPath> = entries(new).collect();
    for path in entries_without_dirs(old).filter(|path| !kept.contains(path)) {
        match survey.at.get(path) {
            Some(OnDisk::Ours) => steps.push(Step::Delete { path: path.clone() }),
            Some(OnDisk::Foreign) => steps.push(Step::SetAside { path: path.clone() }),
            // A folder the user put there is in nobody's way, or `clear_way` sees it.
            Some(OnDisk::Folder) | None => {}
        }
    }
    let needed = folders(new);
    let gone = folders(old).into_iter().rev().filter(|folder| !needed.contains(folder));
    steps.extend(gone.map(|path| Step::RemoveFolder { path }));
}

/// Sets aside what is where the new build needs a path for something else.
fn clear_way(new: &Manifest, survey: &Survey, steps: &mut Vec<Step>) {
    for folder in folders(new) {
        match survey.at.get(&folder) {
            Some(OnDisk::Ours) => steps.push(Step::Delete { path: folder }),
            Some(OnDisk::Foreign) => steps.push(Step::SetAside { path: folder }),
            Some(OnDisk::Folder) | None => {}
        }
    }
    for (number, entry) in new.files().iter().enumerate() {
        if !survey.staged.contains(&FileNo(number as u32)) {
            continue;
        }
        match survey.at.get(&entry.path) {
            // A file takes the place of ours by being moved there.
            Some(OnDisk::Ours) | None => {}
            // A folder that held only old files is gone by now.
            Some(OnDisk::Foreign | OnDisk::Folder) => steps.push(Step::SetAside { path: entry.path.clone() }),
        }
    }
    for link in new.links() {
        match survey.at.get(&link.path) {
            Some(OnDisk::Ours) => steps.push(Step::Delete { path: link.path.clone() }),
            Some(OnDisk::Foreign | OnDisk::Folder) => steps.push(Step::SetAside { path: link.path.clone() }),
            None => {}
        }
    }
}

/// Brings the new build in: folders, files, then links, so that nothing is ever written through one.
/// A folder that the root does not have moves as a whole: fifty thousand files cost one rename.
fn fill(new: &Manifest, survey: &Survey, steps: &mut Vec<Step>) {
    let staged = |number: usize| survey.staged.contains(&FileNo(number as u32));
    let mut made = BTreeSet::new();
    let mut make = |path: Option<PayloadPath>, steps: &mut Vec<Step>| {
        if let Some(path) = path
            && made.insert(path.clone())
        {
            steps.push(Step::MakeFolder { path });
        }
    };
    let (mut whole, mut single) = (BTreeSet::<PayloadPath>::new(), Vec::new());
    let mut last = None::<PayloadPath>;
    for (_, entry) in new.files().iter().enumerate().filter(|(number, _)| staged(*number)) {
        if last.as_ref().is_some_and(|folder| lies_in(&entry.path, folder)) {
            continue;
        }
        match topmost_missing(&entry.path, survey) {
            Some(folder) => {
                last = Some(folder.clone());
                whole.insert(folder);
            }
            None => single.push(&entry.path),
        }
    }
    for path in whole.iter().chain(single.iter().copied()) {
        make(path.parent(), steps);
    }
    steps.extend(whole.into_iter().map(|path| Step::PlaceFolder { path }));
    steps.extend(single.into_iter().map(|path| Step::Place { path: path.clone() }));
    for (number, entry) in new.files().iter().enumerate() {
        if !staged(number) && survey.wrong_mode.contains(&entry.path) {
            steps.push(Step::SetMode { path: entry.path.clone(), executable: entry.executable });
        }
    }
    let link_parents = new.links().iter().map(|link| link.path.parent());
    for path in link_parents.chain(new.dirs().iter().map(|dir| Some(dir.path.clone()))) {
        make(path, steps);
    }
    for LinkEntry { path, target } in new.links() {
        steps.push(Step::Link { path: path.clone(), target: target.clone() });
    }
}

/// The highest folder above `path` that is not there when the way has been cleared. All the build has
/// in it is in the download then: what stays would need the folder.
fn topmost_missing(path: &PayloadPath, survey: &Survey) -> Option<PayloadPath> {
    let above: Vec<PayloadPath> = std::iter::successors(path.parent(), PayloadPath::parent).collect();
    above.into_iter().rev().find(|folder| survey.at.get(folder) != Some(&OnDisk::Folder))
}

fn lies_in(path: &PayloadPath, folder: &PayloadPath) -> bool {
    path.as_str().strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
}

fn entries_without_dirs(manifest: &Manifest) -> impl Iterator<Item = &PayloadPath> {
    manifest.files().iter().map(|file| &file.path).chain(manifest.links().iter().map(|link| &link.path))
}

fn entries(manifest: &Manifest) -> impl Iterator<Item = &PayloadPath> {
    entries_without_dirs(manifest).chain(manifest.dirs().iter().map(|dir| &dir.path))
}

/// Every folder a build has, listed or implied; a folder comes before what is in it.
fn folders(manifest: &Manifest) -> BTreeSet<PayloadPath> {
    let mut folders: BTreeSet<PayloadPath> = manifest.dirs().iter().map(|dir| dir.path.clone()).collect();
    for path in entries(manifest) {
        let mut above = path.parent();
        while let Some(folder) = above {
            above = folder.parent();
            if !folders.insert(folder) {
                break;
            }
        }
    }
    folders
}
