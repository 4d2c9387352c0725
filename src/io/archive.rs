//! Archives: which files are some, what is in them, and getting that out without being harmed by it.
//! Whatever the format, members go through one routine with one set of rules. It is driven by
//! `worker`, in a child process that has confined itself before it reads the first byte; `child`
//! is the other end, in potluck. What to do with an archive, and when, is decided elsewhere.

pub mod child;
mod codec;
mod confine;
mod cp437;
mod extract;
mod format;
mod member;
mod names;
#[cfg(feature = "rar")]
mod rar;
mod rar_head;
mod sevenz;
mod tarball;
mod volume;
pub mod worker;
mod zip;

use std::{cell::Cell, rc::Rc};

use crate::io::disk::GameRoot;
pub use crate::wire::extraction::{ArchiveError, Job, Limits, Line, Progress, Set, Spool, Totals, Why};
use extract::Extraction;
pub use extract::SPOOL_NAME;
use format::{Format, Found};
use member::{Fault, Members, why_of_disk};
use volume::Volumes;

/// Does a job in this process, and reports each line but the last. What it reads is hostile: it is
/// for tests; everybody else lets a [`child`] do it.
pub fn work(job: &Job, report: &mut dyn FnMut(Line)) -> Result<Totals, ArchiveError> {
    let (root, staging) = open(job)?;
    work_in(&root, staging.as_ref(), job, report)
}

/// The folders a job is done in.
fn open(job: &Job) -> Result<(GameRoot, Option<GameRoot>), ArchiveError> {
    let open = |path: &str| {
        GameRoot::open(path.as_ref()).map_err(|error| ArchiveError {
            archive: path.to_owned(),
            member: None,
            why: why_of_disk(&error),
        })
    };
    Ok((open(&job.root)?, job.staging.as_deref().map(open).transpose()?))
}

fn work_in(
    root: &GameRoot,
    staging: Option<&GameRoot>,
    job: &Job,
    report: &mut dyn FnMut(Line),
) -> Result<Totals, ArchiveError> {
    let found = format::find(root, &job.files, &job.limits)?;
    for found in &found {
        report(Line::Archive(found.set.clone()));
    }
    let packed_total = found.iter().map(|found| found.set.packed).sum();
    let mut extraction = Extraction::new(staging, job.limits, packed_total, report);
    for found in found {
        let name = found.set.files[0].clone();
        read(root, found, &job.limits, staging.is_some(), &mut extraction)
            .map_err(|Fault { member, why }| ArchiveError { archive: name, member, why })?;
    }
    extraction.finish().map_err(|Fault { member, why }| {
        let archive = job.files.first().cloned().unwrap_or_default();
        ArchiveError { archive, member, why }
    })
}

/// Hands the members of one archive to the extraction.
fn read(
    root: &GameRoot,
    found: Found,
    limits: &Limits,
    contents: bool,
    extraction: &mut Extraction<'_>,
) -> Result<(), Fault> {
    let Found { format, set, next } = found;
    let volumes = Volumes::open(root, &set.files).map_err(|error| why_of_disk(&error))?;
    let reached = volumes.reached();
    extraction.begin(&set.files[0], set.packed, Rc::clone(&reached));
    let mut members: Box<dyn Members> = match format {
        Format::Zip => Box::new(zip::Zip::open(volumes, *limits)?),
        Format::SevenZ => Box::new(sevenz::SevenZ::open(volumes, limits)?),
        Format::Tar(codec) => Box::new(tarball::Tarball::open(volumes, codec, limits)?),
        Format::Rar => rar_members(root, &set, next, limits, reached)?,
    };
    members.each(contents, &mut |member, contents| extraction.take(member, contents))
}

#[cfg(feature = "rar")]
fn rar_members(
    root: &GameRoot,
    set: &Set,
    next: Option<String>,
    limits: &Limits,
    reached: Rc<Cell<u64>>,
) -> Result<Box<dyn Members>, Fault> {
    let path = root.path().join(&set.files[0]);
    Ok(Box::new(rar::Rar { path, next, packed: set.packed, entries_max: limits.entries, reached }))
}

#[cfg(not(feature = "rar"))]
fn rar_members(
    _root: &GameRoot,
    _set: &Set,
    _next: Option<String>,
    _limits: &Limits,
    _reached: Rc<Cell<u64>>,
) -> Result<Box<dyn Members>, Fault> {
    Err(Why::NoRar.into())
}
