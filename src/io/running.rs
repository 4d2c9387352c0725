//! Which program uses the files of a folder, as the system tells: what a process runs, works in, has open or has mapped
//! below it. Where that is kept from us, as a service that is confined is kept from what runs beside it, what it was
//! started with has to do. Looks at processes of this user only, as others' are hidden, and never at this one. Where the system has no
//! `/proc` nothing is known of any.

use std::{
    ffi::OsStr,
    fmt, fs, io,
    os::unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use crate::types::clean;

/// What is shown of a process's name.
const NAME_CHARS_MAX: usize = 40;

/// A program that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// What it is called; cleaned.
    pub name: String,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, process {}", self.name, self.pid)
    }
}

/// A process that uses something in `folder`, if one does.
#[must_use]
pub fn user_of(folder: &Path) -> Option<Process> {
    // As the system names it, whatever links lead there.
    let folder = folder.canonicalize().ok()?;
    let (own, me) = (std::process::id(), rustix::process::geteuid().as_raw());
    let entries = fs::read_dir("/proc").ok()?;
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    for pid in numbers.filter(|pid| *pid != own) {
        let at = PathBuf::from(format!("/proc/{pid}"));
        // One that ends meanwhile uses nothing.
        if fs::metadata(&at).is_ok_and(|stat| stat.uid() == me) && uses(&at, &folder) {
            let name = fs::read_to_string(at.join("comm")).unwrap_or_default();
            return Some(Process { pid, name: clean(&name, NAME_CHARS_MAX) });
        }
    }
    None
}

/// The cheap questions first: most processes map hundreds of files.
fn uses(at: &Path, folder: &Path) -> bool {
    let leads_there = |link: &Path| fs::read_link(link).is_ok_and(|to| to.starts_with(folder));
    if leads_there(&at.join("exe")) || leads_there(&at.join("cwd")) {
        return true;
    }
    if fs::read_link(at.join("cwd")).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        return fs::read(at.join("cmdline")).is_ok_and(|line| started_from(&line, folder));
    }
    let open = fs::read_dir(at.join("fd")).into_iter().flatten().flatten();
    if open.into_iter().any(|entry| leads_there(&entry.path())) {
        return true;
    }
    fs::read(at.join("maps")).is_ok_and(|maps| mapped(&maps).any(|path| path.starts_with(folder)))
}

/// Whether a command line, whose words end in zeros, begins with a path below `folder`: of a program, or of an
/// interpreter and its script. What else is named there may be any file.
fn started_from(line: &[u8], folder: &Path) -> bool {
    line.split(|byte| *byte == 0).take(2).any(|word| Path::new(OsStr::from_bytes(word)).starts_with(folder))
}

/// The files of a list as the system writes it: `ADDRESSES RIGHTS OFFSET DEVICE INODE   PATH`.
fn mapped(maps: &[u8]) -> impl Iterator<Item = &Path> {
    let path = |line: &'_ [u8]| line.iter().position(|byte| *byte == b'/');
    maps.split(|byte| *byte == b'\n')
        .filter_map(move |line| path(line).map(|at| Path::new(OsStr::from_bytes(&line[at..]))))
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    #[test]
    fn mapped_files_are_read_from_the_list() {
        let maps = b"55d0-55d1 r-xp 00000000 08:01 131 /g/x/local/bin/a b (deleted)\n7f00-7f01 rw-p 0 00:00 0 \n\
            7ffe-7fff r-xp 0 00:00 0 [vdso]\n7f02-7f03 r--p 0 08:01 9   /g/x/localized/lib.so\n";
        let found: Vec<&Path> = mapped(maps).collect();
        assert_eq!(found, [Path::new("/g/x/local/bin/a b (deleted)"), Path::new("/g/x/localized/lib.so")]);
        let below = |folder: &str| found.iter().filter(|path| path.starts_with(folder)).count();
        assert_eq!((below("/g/x/local"), below("/g/x"), below("/g/x/lo")), (1, 2, 0));
    }

    #[test]
    fn a_command_line_tells_what_was_started() {
        let of = |line: &str| started_from(line.as_bytes(), Path::new("/g/x/local"));
        assert!(of("/g/x/local/bin/game\0+name\0me\0"));
        assert!(of("/bin/sh\0/g/x/local/start.sh\0"));
        assert!(!of("/g/x/localized/game\0") && !of("game\0-f\0/g/x/local/a\0") && !of(""));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_is_found_by_what_it_runs_opens_and_works_in() {
        let home = tempfile::tempdir().unwrap();
        let (local, linked) = (home.path().join("local"), home.path().join("linked"));
        fs::create_dir_all(local.join("bin")).unwrap();
        fs::create_dir(home.path().join("localized")).unwrap();
        std::os::unix::fs::symlink(home.path(), &linked).unwrap();
        fs::write(local.join("save"), "x").unwrap();
        fs::copy("/bin/sleep", local.join("bin/game")).unwrap();
        let check = |command: &mut Command, expect: bool| {
            let mut child: Child = command.arg("60").spawn().unwrap();
            let found = user_of(&linked.join("local")).map(|process| process.pid);
            let expect = expect.then_some(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(found, expect, "{command:?}");
            assert_eq!(user_of(&local), None);
        };
        check(&mut Command::new("/bin/sleep"), false);
        check(Command::new("/bin/sleep").current_dir(home.path().join("localized")), false);
        check(&mut Command::new(local.join("bin/game")), true);
        check(Command::new("/bin/sleep").current_dir(local.join("bin")), true);
        check(Command::new("/bin/sleep").stdin(Stdio::from(fs::File::open(local.join("save")).unwrap())), true);
        assert_eq!(user_of(&home.path().join("nothing")), None);
    }
}
