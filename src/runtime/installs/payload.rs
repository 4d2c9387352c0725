//! From a payload to a playable game: archives that lie at its top are unpacked, by a child process that can
//! touch nothing else, and everything else is copied.

use std::{collections::BTreeSet, ops::ControlFlow, path::PathBuf, time::Duration};

use super::{
    InstallError,
    local::{Progress, Unpack, copy, make_parent},
};
use crate::{
    io::{
        archive::{Job, Limits, Line, SPOOL_NAME, Spool, Totals, child::ExtractError},
        clock,
        disk::{DiskError, GameRoot, Reason},
        store,
    },
    runtime::extraction::{extract, own_program},
    types::{Manifest, PayloadPath, Weighing, Weight},
};

/// What is an archive by its content, and a file that games read by its name.
const NO_ARCHIVES: [&str; 14] =
    ["apk", "docx", "ear", "epub", "jar", "love", "mcpack", "nupkg", "ods", "odt", "pk3", "pk4", "pkz", "war"];

/// So long archives are listed to know what comes out of them. Those with a list of their own take no time; a tar has to be
/// read to its end.
const LISTING: Duration = Duration::from_secs(10);

/// Unpacks and copies.
#[derive(Debug)]
pub(crate) struct Payload {
    /// The binary that reads archives.
    program: PathBuf,
}

impl Default for Payload {
    fn default() -> Self {
        Self { program: own_program() }
    }
}

impl Unpack for Payload {
    fn unpack(
        &mut self,
        root: &GameRoot,
        manifest: &Manifest,
        staging: &str,
        progress: &mut Progress<'_>,
    ) -> Result<(), InstallError> {
        let may_be = may_be_archives(manifest);
        let unpacked = if may_be.is_empty() { BTreeSet::new() } else { self.extract(root, may_be, staging, progress)? };
        copy_rest(root, manifest, &unpacked, staging, progress)
    }
}

impl Payload {
    /// The files that were archives.
    fn extract(
        &self,
        root: &GameRoot,
        files: Vec<String>,
        staging: &str,
        progress: &mut Progress<'_>,
    ) -> Result<BTreeSet<String>, InstallError> {
        let job = Job {
            root: text(root.path().to_owned())?,
            files,
            staging: Some(text(root.path().join(staging))?),
            limits: Limits::default(),
        };
        let spooled = format!("{staging}/{SPOOL_NAME}");
        let (mut archives, mut read, mut at_work) = (BTreeSet::new(), 0, "its archives".to_owned());
        let (mut done, mut spool) = (0, None::<Spool>);
        let mut watch = |line: Option<&Line>| -> ControlFlow<()> {
            match line {
                Some(Line::Archive(set)) => archives.extend(set.files.iter().cloned()),
                Some(Line::Progress(at)) => {
                    (done, spool) = (at.packed_done, at.spool.clone());
                    at.member.clone_into(&mut at_work);
                }
                Some(Line::Confined { .. } | Line::Member { .. } | Line::Done(_) | Line::Failed(_)) | None => {}
            }
            let written = |spool: &Spool| {
                // It is shown, and comes and goes: that it cannot be seen right now stops nothing.
                let size = root.find(&spooled).ok().flatten().map_or(0, |stat| stat.stamp.size);
                spool.reached(size)
            };
            let reached = u64::saturating_add(done, spool.as_ref().map_or(0, written));
            let more = reached.saturating_sub(read);
            read += more;
            progress(more, &at_work)
        };
        extract(&self.program, &job, &mut watch)?;
        Ok(archives)
    }
}

/// Finds out what a payload that is here becomes when it is installed, by what its archives list. `is_stopped` is asked
/// again and again meanwhile.
pub(crate) fn weigh(root: &GameRoot, manifest: &Manifest, is_stopped: &dyn Fn() -> bool) -> Weighing {
    let files = may_be_archives(manifest);
    if files.is_empty() {
        return Weighing::Done(Weight { unpacked: 0, copied: manifest.size() });
    }
    let Ok(path) = text(root.path().to_owned()) else { return Weighing::InVain };
    let job = Job { root: path, files, staging: None, limits: Limits::default() };
    let (mut packed, until) = (0, clock::now() + LISTING);
    let mut watch = |line: Option<&Line>| {
        if let Some(Line::Archive(set)) = line {
            packed += set.packed;
        }
        if is_stopped() || clock::now() > until { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let error = match extract(&own_program(), &job, &mut watch) {
        Ok(Totals { bytes: unpacked, .. }) => {
            return Weighing::Done(Weight { unpacked, copied: manifest.size().saturating_sub(packed) });
        }
        Err(error) => error,
    };
    tracing::debug!(%error, game = %manifest.game(), "the archives of a game cannot be listed");
    match error {
        // Unpacking says what is wrong with it.
        ExtractError::Archive(_) | ExtractError::Crashed { .. } | ExtractError::Nonsense { .. } => Weighing::InVain,
        ExtractError::Cancelled if !is_stopped() => Weighing::InVain,
        ExtractError::Cancelled | ExtractError::NotStarted { .. } => Weighing::NotYet,
    }
}

/// Whether any file of the payload that is here is an archive. What is in one is not read.
pub(crate) fn has_archives(root: &GameRoot) -> Result<bool, InstallError> {
    let Some(stored) = store::load_manifest(root)?.and_then(Result::ok) else { return Ok(false) };
    let files = may_be_archives(&stored.manifest);
    if files.is_empty() {
        return Ok(false);
    }
    let job = Job { root: text(root.path().to_owned())?, files, staging: None, limits: Limits::default() };
    let mut found = false;
    let mut watch = |line: Option<&Line>| {
        found |= matches!(line, Some(Line::Archive(_)));
        if found { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match extract(&own_program(), &job, &mut watch) {
        Err(_stopped) if found => Ok(true),
        result => Ok(result?.archives > 0),
    }
}

fn text(path: PathBuf) -> Result<String, DiskError> {
    let odd = |path: PathBuf| DiskError::new("name", path.display(), Reason::BadPath);
    path.into_os_string().into_string().map_err(|path| odd(path.into()))
}

/// Files at the top of a payload whose content is to be asked. What is in folders belongs to the game.
fn may_be_archives(manifest: &Manifest) -> Vec<String> {
    let at_top = manifest.files().iter().map(|file| file.path.as_str()).filter(|path| !path.contains('/'));
    let no_archive = |path: &str| {
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
        NO_ARCHIVES.contains(&extension.as_str())
    };
    at_top.filter(|path| !no_archive(path)).map(str::to_owned).collect()
}

/// Each file shares its blocks with its copy where the file system can, else it is copied. Never a hard link:
/// what the game writes must not change what is served.
pub(super) fn copy_rest(
    root: &GameRoot,
    manifest: &Manifest,
    unpacked: &BTreeSet<String>,
    staging: &str,
    progress: &mut Progress<'_>,
) -> Result<(), InstallError> {
    let below = |path: &PayloadPath| format!("{staging}/{path}");
    for dir in manifest.dirs() {
        root.make_dirs(&below(&dir.path))?;
    }
    for entry in manifest.files().iter().filter(|entry| !unpacked.contains(entry.path.as_str())) {
        let to = below(&entry.path);
        make_parent(root, &to)?;
        // What lies beside the archives is newer than what is in them.
        if !unpacked.is_empty() {
            root.remove_file(&to)?;
        }
        copy(root, entry.path.as_str(), &to, entry.executable, progress)?;
    }
    // Last, so that nothing is written through one.
    for link in manifest.links() {
        let at = below(&link.path);
        make_parent(root, &at)?;
        root.make_link(&at, &link.target)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    /// A library that writes a member by itself says nothing while it does; the file tells.
    #[test]
    fn how_far_a_member_is_shows_while_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let staging = folder.path().join("staging");
        fs::create_dir(&staging).unwrap();
        let program = folder.path().join("library");
        let at = r#"{"t":"progress","bytes":0,"entries":1,"packed_done":7,"packed_total":57,"archive":"a","member":"m","spool":{"bytes":100,"packed":50}}"#;
        let spool = staging.join(SPOOL_NAME);
        let script =
            format!("#!/bin/sh\nread job\necho '{at}'\nsleep 1\nprintf %060d 0 > {}\nexec sleep 60\n", spool.display());
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let root = GameRoot::open(folder.path()).unwrap();
        let mut steps = Vec::new();
        let mut progress = |more: u64, member: &str| {
            if more > 0 {
                steps.push((more, member.to_owned()));
            }
            if steps.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let payload = Payload { program };
        let stopped = payload.extract(&root, vec!["a".to_owned()], "staging", &mut progress);
        assert!(matches!(stopped, Err(InstallError::Extract(ExtractError::Cancelled))), "{stopped:?}");
        assert_eq!(steps, [(7, "m".to_owned()), (30, "m".to_owned())]);
    }
}
