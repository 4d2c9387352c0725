//! Plans for `local/` on a model of a root: four folders that are absent, ours or somebody else's. That they
//! work on a real disk is shown in `runtime::installs`.

use std::collections::BTreeMap;

use super::*;
use crate::types::ContentId;

const NEW: ContentId = ContentId::from_bytes([2; 32]);

/// Whose a folder is, and which game is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Folder {
    Old,
    New,
    /// Unpacked in part.
    Half,
    Theirs,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Model {
    folders: BTreeMap<LocalFolder, Folder>,
    journal: bool,
}

impl Model {
    fn found(&self) -> LocalFound {
        let whose = |folder| match self.folders.get(&folder) {
            None => Whose::Nobody,
            Some(Folder::Theirs) => Whose::Foreign,
            Some(Folder::Old | Folder::New | Folder::Half) => Whose::Ours,
        };
        LocalFound {
            local: whose(LocalFolder::Local),
            staging: whose(LocalFolder::Staging),
            backup: whose(LocalFolder::Backup),
            leaving: whose(LocalFolder::Leaving),
        }
    }

    fn local(&self) -> Option<Folder> {
        self.folders.get(&LocalFolder::Local).copied()
    }

    /// As the machine does it; a step that would touch what is not ours is a mistake of the plan.
    fn apply(&mut self, step: &Step) {
        match step {
            Step::MakeStaging { .. } => {
                assert_eq!(self.folders.insert(LocalFolder::Staging, Folder::Half), None);
            }
            Step::WriteRecord => {
                assert_eq!(self.folders.insert(LocalFolder::Staging, Folder::New), Some(Folder::Half));
            }
            Step::JournalInstall { .. } => self.journal = true,
            Step::DropJournal => self.journal = false,
            Step::MoveFolder { from, to } => {
                if let Some(folder) = self.folders.remove(from) {
                    assert_ne!(folder, Folder::Theirs, "{step:?}");
                    assert_eq!(self.folders.insert(*to, folder), None, "{step:?}");
                }
            }
            Step::DropFolder { folder } => {
                // What does not say that it is ours stays.
                if self.folders.get(folder) != Some(&Folder::Theirs) {
                    self.folders.remove(folder);
                }
            }
            Step::Sync | Step::SetChangedAside { .. } => {}
            Step::JournalCommit { .. }
            | Step::ParkSentinel
            | Step::MarkRemoval
            | Step::Delete { .. }
            | Step::Discard { .. }
            | Step::SetAside { .. }
            | Step::RemoveFolder { .. }
            | Step::MakeFolder { .. }
            | Step::PlaceFolder { .. }
            | Step::Place { .. }
            | Step::SetMode { .. }
            | Step::Link { .. }
            | Step::WriteHashes
            | Step::WriteManifest
            | Step::WriteSentinel
            | Step::DropParked
            | Step::DropMark
            | Step::MarkDropping
            | Step::MarkDropped
            | Step::UndoDropping
            | Step::ForgetDropped
            | Step::RestoreSentinel
            | Step::DropDownload { .. }
            | Step::DropDownloads
            | Step::SetAsideJournal
            | Step::DropManifest
            | Step::RemoveRoot => panic!("{step:?} has nothing to do with `local/`"),
        }
    }

    fn recover(&mut self) {
        for step in local_recovery(&self.found(), self.journal) {
            self.apply(&step);
        }
    }
}

fn model(folders: &[(LocalFolder, Folder)]) -> Model {
    Model { folders: folders.iter().copied().collect(), journal: false }
}

/// Stops after each number of steps; gives what `local/` is then, after recovery.
fn outcomes(start: &Model, steps: &[Step]) -> Vec<Option<Folder>> {
    (0..=steps.len())
        .map(|count| {
            let mut model = start.clone();
            steps[..count].iter().for_each(|step| model.apply(step));
            model.recover();
            assert!(
                !model.journal && local_recovery(&model.found(), model.journal).is_empty(),
                "after {count}: {model:?}"
            );
            let only_local = model.folders.keys().all(|folder| *folder == LocalFolder::Local);
            assert!(only_local, "after {count}: {model:?}");
            model.local()
        })
        .collect()
}

#[test]
fn an_installation_stopped_anywhere_is_the_old_game_or_the_new_one() {
    for old in [None, Some(Folder::Old)] {
        let start = model(&old.map(|old| (LocalFolder::Local, old)).into_iter().collect::<Vec<_>>());
        let mut steps = stage(&start.found(), NEW).unwrap();
        steps.extend(seal(NEW));
        steps.extend(swap());
        let journalled = steps.iter().position(|step| matches!(step, Step::JournalInstall { .. })).unwrap();
        for (count, local) in outcomes(&start, &steps).into_iter().enumerate() {
            let expect = if count > journalled { Some(Folder::New) } else { old };
            assert_eq!(local, expect, "after {count}");
        }
    }
}

#[test]
fn an_uninstallation_stopped_anywhere_is_the_game_or_none() {
    let start = model(&[(LocalFolder::Local, Folder::Old)]);
    let steps = uninstall(&start.found()).unwrap();
    let outcomes = outcomes(&start, &steps);
    assert_eq!(outcomes[0], Some(Folder::Old));
    assert!(outcomes[1..].iter().all(Option::is_none), "{outcomes:?}");
}

#[test]
fn an_unpacking_that_failed_leaves_the_old_game() {
    let mut model = model(&[(LocalFolder::Local, Folder::Old)]);
    for step in stage(&model.found(), NEW).unwrap().iter().chain(&unstage()) {
        model.apply(step);
    }
    assert_eq!(model.folders, BTreeMap::from([(LocalFolder::Local, Folder::Old)]));
}

#[test]
fn what_somebody_else_made_stops_an_operation_and_is_named() {
    let theirs = |folder| model(&[(folder, Folder::Theirs)]).found();
    for folder in [LocalFolder::Local, LocalFolder::Staging, LocalFolder::Backup] {
        assert_eq!(stage(&theirs(folder), NEW), Err(NotOurs { folder }));
    }
    for folder in [LocalFolder::Local, LocalFolder::Leaving] {
        assert_eq!(uninstall(&theirs(folder)), Err(NotOurs { folder }));
    }
    let error = uninstall(&theirs(LocalFolder::Local)).unwrap_err();
    assert_eq!(error.to_string(), "`local` was not made by potluck; move it away or rename it, then try again");
}

#[test]
fn recovery_from_any_root_keeps_what_is_theirs_and_a_game_where_there_is_one() {
    let kinds = [None, Some(Folder::Old), Some(Folder::New), Some(Folder::Half), Some(Folder::Theirs)];
    let mut tried = 0;
    for number in 0..5_usize.pow(4) {
        let kind = |place: u32| kinds[number / 5_usize.pow(place) % 5];
        let folders: Vec<(LocalFolder, Folder)> = LocalFolder::ALL
            .into_iter()
            .enumerate()
            .filter_map(|(place, folder)| kind(place as u32).map(|kind| (folder, kind)))
            .collect();
        for journal in [false, true] {
            let before = Model { journal, ..model(&folders) };
            // Half a game is never called `local/`, nor is it journalled.
            let half = |folder| before.folders.get(&folder) == Some(&Folder::Half);
            if half(LocalFolder::Local) || half(LocalFolder::Backup) || journal && half(LocalFolder::Staging) {
                continue;
            }
            let mut model = before.clone();
            model.recover();
            for (folder, theirs) in before.folders.iter().filter(|(_, kind)| **kind == Folder::Theirs) {
                assert_eq!(model.folders.get(folder), Some(theirs), "{before:?}");
            }
            let had = before.local().is_some() || before.folders.get(&LocalFolder::Backup) == Some(&Folder::Old);
            assert!(!had || model.local().is_some(), "{before:?} lost its game: {model:?}");
            assert_ne!(model.local(), Some(Folder::Half), "{before:?}");
            let settled = model.clone();
            model.recover();
            assert_eq!(model, settled, "{before:?}: a second recovery changed something");
            assert!(!model.journal, "{before:?}");
            tried += 1;
        }
    }
    assert!(tried > 500, "{tried}");
}
