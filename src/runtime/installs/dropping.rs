//! Dropping the payload of a game that stays playable, on a disk. The steps and what a crash between them leaves are
//! planned by `core::install`.

use std::collections::BTreeMap;

use super::{InstallError, Installation, Survey, installation, kill_at, machine::Machine, recover_root, target_of};
use crate::{
    core::install::{self, NotOurs, OnDisk},
    io::{
        disk::{GameRoot, Kind},
        scan::{Memory, hash_path},
        store,
    },
    types::{ContentId, Manifest},
};

/// Deletes the payload of the build that is installed. What differs from it stays: nobody could give it back. Works
/// with no byte free.
pub(super) fn drop_payload(root: &GameRoot, memory: &mut Memory) -> Result<ContentId, InstallError> {
    recover_root(root, memory)?;
    let stored = store::load_manifest(root)?.and_then(Result::ok);
    let stored = stored.ok_or_else(|| InstallError::GaveUp { reason: "its manifest cannot be read".to_owned() })?;
    match installation(root)? {
        Installation::Of(content) | Installation::Only(content) if content == stored.content => {}
        Installation::Theirs => return Err(NotOurs { folder: install::LocalFolder::Local }.into()),
        Installation::None | Installation::Of(_) | Installation::Only(_) => {
            return Err(InstallError::GaveUp { reason: "this build of it is not installed".to_owned() });
        }
    }
    drop_now(root, &stored.manifest, memory)?;
    Ok(stored.content)
}

/// As [`drop_payload`]; when `fault` says `drop:K`, the process kills itself before the K-th operation. For tests of the
/// whole program, which debug builds let set it.
pub(super) fn drop_payload_with_fault(
    root: GameRoot,
    memory: &mut Memory,
    fault: Option<&str>,
) -> Result<ContentId, InstallError> {
    match kill_at("drop", fault) {
        Some(faults) => drop_payload(&root.with_faults(faults), memory),
        None => drop_payload(&root, memory),
    }
}

pub(super) fn drop_now(root: &GameRoot, manifest: &Manifest, memory: &mut Memory) -> Result<(), InstallError> {
    let (mut survey, mut ours) = (Survey::default(), BTreeMap::new());
    for path in install::to_survey(Some(manifest), None) {
        let Some(stat) = root.find(path.as_str())? else { continue };
        let as_published = match stat.kind {
            Kind::Folder => {
                survey.at.insert(path, OnDisk::Folder);
                continue;
            }
            Kind::File => match manifest.find(&path).filter(|(_, entry)| entry.size == stat.stamp.size) {
                Some((_, entry)) => {
                    let found = hash_path(root, &path, &stat.stamp, memory).map_err(InstallError::Scan)?;
                    found == Some(entry.hash)
                }
                None => false,
            },
            Kind::Link => match target_of(Some(manifest), &path) {
                Some(target) => root.read_link(path.as_str())? == *target,
                None => false,
            },
            Kind::Fifo | Kind::Socket | Kind::Device | Kind::Unknown => false,
        };
        if as_published {
            ours.insert(path.clone(), stat.stamp);
        }
        survey.at.insert(path, if as_published { OnDisk::Ours } else { OnDisk::Foreign });
    }
    Machine::new(root, None, None, None).with_ours(ours).run(&install::drop_payload(manifest, &survey))?;
    memory.keep_only(|_| false);
    memory.save();
    Ok(())
}
