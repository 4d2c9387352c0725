//! Plans and decisions as data. That they work on a real disk is shown in `runtime::installs`.

use super::*;
use crate::types::{
    ContentId, DirEntry, FileEntry, FileHash, FileNo, GameId, LinkEntry, Manifest, PayloadPath, Sentinel,
};

const OLD: ContentId = ContentId::from_bytes([1; 32]);
const NEW: ContentId = ContentId::from_bytes([2; 32]);

fn path(text: &str) -> PayloadPath {
    PayloadPath::new(text).unwrap()
}

fn build(files: &[&str], dirs: &[&str], links: &[(&str, &str)]) -> Manifest {
    let files = files.iter().map(|file| FileEntry {
        path: path(file),
        size: 1,
        hash: FileHash::from_bytes([0; 32]),
        executable: false,
    });
    let links = links.iter().map(|(link, to)| LinkEntry { path: path(link), target: (*to).to_owned() });
    Manifest::new(
        GameId::new("game").unwrap(),
        Sentinel::from_bytes(b"1").unwrap(),
        files.collect(),
        dirs.iter().map(|dir| DirEntry { path: path(dir) }).collect(),
        links.collect(),
    )
    .unwrap()
}

fn survey(at: &[(&str, OnDisk)], staged: &[u32]) -> Survey {
    Survey {
        at: at.iter().map(|(text, what)| (path(text), *what)).collect(),
        staged: staged.iter().copied().map(FileNo).collect(),
        ..Survey::default()
    }
}

/// The steps between parking the old sentinel and syncing the new files, in short.
fn check(old: Option<&Manifest>, new: &Manifest, survey: &Survey, expect: &[&str]) {
    let steps = commit(Commit { old: old.map(|old| (OLD, old)), new: (NEW, new) }, survey, true);
    let shown: Vec<String> = steps
        .iter()
        .skip_while(|step| **step != Step::ParkSentinel)
        .skip(1)
        .take_while(|step| **step != Step::Sync)
        .map(|step| match step {
            Step::Delete { path } => format!("delete {path}"),
            Step::SetAside { path } => format!("aside {path}"),
            Step::RemoveFolder { path } => format!("rmdir {path}"),
            Step::MakeFolder { path } => format!("mkdir {path}"),
            Step::PlaceFolder { path } => format!("move {path}"),
            Step::Place { path, .. } => format!("place {path}"),
            Step::SetMode { path, .. } => format!("mode {path}"),
            Step::Link { path, target } => format!("link {path} {target}"),
            plain @ (Step::Sync
            | Step::JournalCommit { .. }
            | Step::ParkSentinel
            | Step::MarkRemoval
            | Step::Discard { .. }
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
            | Step::DropJournal
            | Step::SetAsideJournal
            | Step::DropManifest
            | Step::RemoveRoot
            | Step::MakeStaging { .. }
            | Step::WriteRecord
            | Step::JournalInstall { .. }
            | Step::MoveFolder { .. }
            | Step::SetChangedAside { .. }
            | Step::DropFolder { .. }) => format!("{plain:?}"),
        })
        .collect();
    assert_eq!(shown, expect);
}

#[test]
fn only_what_is_proved_ours_is_deleted() {
    let old = build(&["a", "d/b", "d/c", "gone"], &["hollow"], &[("l", "a")]);
    let new = build(&["a"], &[], &[]);
    let at = [
        ("a", OnDisk::Ours),
        ("d", OnDisk::Folder),
        ("d/b", OnDisk::Ours),
        ("d/c", OnDisk::Foreign),
        ("hollow", OnDisk::Folder),
        ("l", OnDisk::Ours),
    ];
    check(Some(&old), &new, &survey(&at, &[]), &["delete d/b", "aside d/c", "delete l", "rmdir hollow", "rmdir d"]);
    check(None, &new, &survey(&[("a", OnDisk::Foreign)], &[0]), &["aside a", "place a"]);
}

#[test]
fn files_become_folders_and_folders_files() {
    let old = build(&["x", "y/a"], &[], &[]);
    let new = build(&["x/a", "y"], &[], &[]);
    let at = [("x", OnDisk::Ours), ("y", OnDisk::Folder), ("y/a", OnDisk::Ours)];
    check(
        Some(&old),
        &new,
        &survey(&at, &[0, 1]),
        &["delete x", "delete y/a", "rmdir y", "delete x", "aside y", "move x", "place y"],
    );
}

#[test]
fn a_folder_that_is_not_there_moves_as_a_whole() {
    let new = build(&["a-b/x", "a/b/c", "a/d", "e/f", "e/g/h", "i"], &["a/empty"], &[]);
    let all = [0, 1, 2, 3, 4, 5];
    let expect = ["move a", "move a-b", "move e", "place i", "mkdir a/empty"];
    check(None, &new, &survey(&[], &all), &expect);
    let expect = ["mkdir e", "move a", "move a-b", "move e/g", "place e/f", "place i", "mkdir a/empty"];
    check(None, &new, &survey(&[("e", OnDisk::Folder)], &all), &expect);
}

#[test]
fn links_come_last_and_what_is_placed_is_not_touched_again() {
    let new = build(&["a", "d/b"], &["e"], &[("l", "a")]);
    let at = [("a", OnDisk::Foreign), ("d", OnDisk::Folder), ("e", OnDisk::Foreign), ("l", OnDisk::Foreign)];
    check(None, &new, &survey(&at, &[1]), &["aside e", "aside l", "mkdir d", "place d/b", "mkdir e", "link l a"]);
}

#[test]
fn the_journal_comes_before_anything_that_cannot_be_forgotten() {
    let new = build(&["a"], &[], &[]);
    let steps = |begun| commit(Commit { old: None, new: (NEW, &new) }, &survey(&[], &[0]), begun);
    assert_eq!(steps(false)[..2], [Step::Sync, Step::JournalCommit { from: None, to: NEW }]);
    assert_eq!(steps(true)[0], Step::Sync, "the journal may not be durable yet");
    assert_eq!(steps(false)[2..], steps(true)[1..]);
    let all = steps(true);
    let at = |step: &Step| all.iter().position(|other| other == step).unwrap();
    assert!(at(&Step::WriteManifest) < at(&Step::WriteSentinel) && at(&Step::WriteSentinel) < at(&Step::DropParked));
    assert_eq!(all.last(), Some(&Step::DropJournal));
}

#[test]
fn recovery_follows_the_record() {
    let nothing = Evidence {
        journal: JournalFound::None,
        manifest: Some(OLD),
        download_readable: false,
        parked: false,
        removal: false,
        dropping: false,
        playable_only: false,
    };
    let update = JournalFound::Commit { from: Some(OLD), to: NEW };
    let repair = JournalFound::Commit { from: Some(NEW), to: NEW };
    let begun = Evidence { journal: update, parked: true, download_readable: true, ..nothing };
    assert_eq!(recovery(nothing), Recovery::Nothing);
    assert_eq!(recovery(begun), Recovery::FinishCommit { to: NEW, old_manifest: true });
    assert_eq!(recovery(Evidence { manifest: None, ..begun }), Recovery::FinishCommit { to: NEW, old_manifest: false });
    assert!(matches!(recovery(Evidence { manifest: Some(NEW), ..begun }), Recovery::Finish(_)));
    let repairing = Evidence { journal: repair, manifest: Some(NEW), ..begun };
    assert_eq!(recovery(repairing), Recovery::FinishCommit { to: NEW, old_manifest: true });
    assert!(matches!(recovery(Evidence { download_readable: false, ..repairing }), Recovery::Finish(_)));
    for evidence in [
        Evidence { download_readable: false, ..begun },
        Evidence { journal: JournalFound::Damaged, ..begun },
        Evidence { journal: JournalFound::None, ..begun },
    ] {
        let Recovery::GiveUp(steps) = recovery(evidence) else { panic!("{evidence:?}") };
        assert_eq!(steps[..2], [Step::Sync, Step::RestoreSentinel]);
        assert!(!steps.iter().any(|step| matches!(step, Step::Delete { .. } | Step::DropDownload { .. })));
    }
    assert_eq!(recovery(Evidence { removal: true, ..nothing }), Recovery::FinishRemoval);
    let dropping = Evidence { dropping: true, playable_only: true, manifest: Some(OLD), ..nothing };
    assert_eq!(recovery(dropping), Recovery::FinishDropping);
    let gone = Evidence { playable_only: false, ..dropping };
    assert_eq!(recovery(gone), Recovery::Finish(vec![Step::Sync, Step::UndoDropping]));
}

#[test]
fn only_what_can_be_got_again_is_dropped() {
    let build = build(&["a", "d/b", "d/c"], &["hollow"], &[("l", "a")]);
    let at = [
        ("a", OnDisk::Ours),
        ("d", OnDisk::Folder),
        ("d/b", OnDisk::Foreign),
        ("d/c", OnDisk::Ours),
        ("l", OnDisk::Foreign),
    ];
    let steps = drop_payload(&build, &survey(&at, &[]));
    let deleted: Vec<&str> = steps
        .iter()
        .filter_map(|step| if let Step::Delete { path } = step { Some(path.as_str()) } else { None })
        .collect();
    assert_eq!(deleted, ["a", "d/c"]);
    assert_eq!(steps[..3], [Step::Sync, Step::MarkDropping, Step::Sync]);
    assert_eq!(steps[steps.len() - 2..], [Step::Sync, Step::MarkDropped]);
}
