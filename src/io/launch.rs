//! Programs that somebody plays: finding them, and how they are started. A program runs in the folder of its game, in a
//! process group of its own, so that what is typed to potluck does not reach it and it goes on when potluck ends; with
//! potluck's environment, without its input, and with its output in a file. Where potluck is a service of the user, it is
//! the user's service manager that runs the program: as a unit of its own, which potluck's confinement does not bind and
//! potluck's end does not end. Starts nothing itself, and decides nothing about what may be run.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
};

use rustix::fs::{Access, access};

use super::{
    disk::{DiskError, GameRoot, Kind},
    readiness,
};
use crate::types::{GameId, Words};

/// Has the user's service manager run a program as if it were our child: with our output, and its exit code is the
/// program's.
const BY_THE_MANAGER: &str = "systemd-run";
const AS_OUR_CHILD: [&str; 7] =
    ["--user", "--quiet", "--collect", "--wait", "--pipe", "--same-dir", "--service-type=exec"];
/// A log is put aside at this size, in place of the one before it.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// Why a program cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is nowhere.
    #[error("there is no program `{program}` in {folder}{}", if *searched { " or in PATH" } else { "" })]
    Missing {
        /// As it was named.
        program: String,
        /// The folder of the game.
        folder: String,
        /// Whether it was looked for in PATH, too.
        searched: bool,
    },
    /// It is something else.
    #[error("`{program}` is {what}; name the program itself")]
    NotAFile {
        /// As it was named.
        program: String,
        /// What it is.
        what: &'static str,
    },
    /// It may not be run.
    #[error("`{program}` is not executable")]
    NotExecutable {
        /// As it was named.
        program: String,
    },
    /// It leads out of the game, or cannot be looked at.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Finds a program for a game whose installed files are in `local` below `root`. A relative one is a file of the game,
/// reached without a link and without leaving its folder; one without a `/` that the game does not have is looked for in
/// PATH. An absolute one is what it is.
pub fn find_program(root: &GameRoot, local: &str, program: &str) -> Result<PathBuf, ProgramError> {
    let folder = root.path().join(local);
    let below = match Path::new(program).strip_prefix(&folder) {
        Ok(rest) => rest.to_str(),
        Err(_not_below) if program.starts_with('/') => {
            let executable = access(program, Access::EXEC_OK).is_ok();
            return check(Path::new(program), program, executable);
        }
        Err(_not_below) => Some(program.strip_prefix("./").unwrap_or(program)),
    };
    let below = below.unwrap_or(program);
    let searched = !program.contains('/');
    match root.find(&format!("{local}/{below}"))? {
        Some(stat) => match stat.kind {
            Kind::File if stat.executable => Ok(folder.join(below)),
            Kind::File => Err(ProgramError::NotExecutable { program: program.to_owned() }),
            Kind::Folder => Err(ProgramError::NotAFile { program: program.to_owned(), what: "a folder" }),
            Kind::Link => Err(ProgramError::NotAFile { program: program.to_owned(), what: "a link" }),
            Kind::Fifo | Kind::Socket | Kind::Device | Kind::Unknown => {
                Err(ProgramError::NotAFile { program: program.to_owned(), what: "no file" })
            }
        },
        None => searched.then(|| in_path(program)).flatten().ok_or_else(|| ProgramError::Missing {
            program: program.to_owned(),
            folder: folder.display().to_string(),
            searched,
        }),
    }
}

fn check(path: &Path, program: &str, executable: bool) -> Result<PathBuf, ProgramError> {
    if path.is_file() && executable {
        return Ok(path.to_owned());
    }
    Err(match fs::metadata(path) {
        Ok(found) if found.is_file() => ProgramError::NotExecutable { program: program.to_owned() },
        Ok(_) => ProgramError::NotAFile { program: program.to_owned(), what: "no file" },
        Err(_) => ProgramError::Missing {
            program: program.to_owned(),
            folder: path.parent().unwrap_or(path).display().to_string(),
            searched: false,
        },
    })
}

/// Only absolute folders are searched: others would mean another one in the folder of the game.
fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut places = env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(program));
    places.find(|place| place.is_file() && access(place, Access::EXEC_OK).is_ok())
}

/// Whether a program could open a window here, as far as the environment tells.
#[must_use]
pub fn has_display() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "macos") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// How a program is started: `words` in `folder`, with its output in `log`.
pub fn command(words: &[String], folder: &Path, log: &GameLog) -> io::Result<Command> {
    let manager = if readiness::is_users_service() { in_path(BY_THE_MANAGER) } else { None };
    command_of(words, folder, log, manager.as_deref())
}

fn command_of(words: &[String], folder: &Path, log: &GameLog, manager: Option<&Path>) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or_else(|| io::Error::other("no program"))?;
    let output = log.open()?;
    let errors = output.try_clone()?;
    let mut command = match manager {
        Some(manager) => {
            let mut command = Command::new(manager);
            // A variable begins with `$` for it, and two of them mean the sign; what is run it takes as it is.
            let meant = arguments.iter().map(|word| word.replace('$', "$$"));
            command.args(AS_OUR_CHILD).arg("--").arg(program).args(meant);
            command
        }
        None => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
    };
    command.current_dir(folder).process_group(0);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    Ok(command)
}

/// The file with a game's output, and beside it the one before.
#[derive(Debug, Clone)]
pub struct GameLog {
    path: PathBuf,
}

impl GameLog {
    /// `GAME.log` in `folder`, which is made; what was there before is `GAME.log.old` from now on.
    pub fn begin(folder: &Path, game: &GameId) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let log = Self { path: folder.join(format!("{game}.log")) };
        match fs::rename(&log.path, log.old()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        log.open()?;
        Ok(log)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes what is run into it.
    pub fn note(&self, words: &[String]) -> io::Result<()> {
        writeln!(self.open()?, "> {}", Words(words))
    }

    /// Puts aside what is in it when it is too long. The program goes on at the beginning of the file, because it
    /// appends.
    pub fn bound(&self) -> io::Result<()> {
        let file = self.open()?;
        if file.metadata()?.len() > LOG_BYTES_MAX {
            fs::copy(&self.path, self.old())?;
            file.set_len(0)?;
        }
        Ok(())
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.path)
    }

    fn old(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(".old");
        name.into()
    }
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            // One that has ended ended in one of the two ways.
            (None, signal) => Self::Signal(signal.unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn executable(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_program_is_the_games_own_or_on_the_path_and_never_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join("local");
        fs::create_dir_all(local.join("bin")).unwrap();
        executable(&local.join("bin/run"), "#!/bin/sh\n");
        executable(&local.join("sh"), "#!/bin/sh\n");
        executable(&folder.path().join("outside"), "#!/bin/sh\n");
        fs::write(local.join("readme"), "x").unwrap();
        symlink("/bin/sh", local.join("linked")).unwrap();
        symlink("/bin", local.join("bins")).unwrap();
        let root = GameRoot::open(folder.path()).unwrap();
        let find = |program: &str| find_program(&root, "local", program).map_err(|error| error.to_string());
        let ours = |path: &str| Ok(local.join(path));
        assert_eq!(find("bin/run"), ours("bin/run"));
        assert_eq!(find("./bin/run"), ours("bin/run"));
        assert_eq!(find(local.join("bin/run").to_str().unwrap()), ours("bin/run"));
        assert_eq!(find("sh"), ours("sh"), "the game's own comes first, and is shown");
        assert_eq!(find("/bin/sh"), Ok("/bin/sh".into()));
        assert!(find("true").unwrap().ends_with("true"));
        for (bad, why) in [
            ("../outside", ""),
            ("bin/../../outside", ""),
            ("bins/sh", "no program"),
            ("linked", "is a link"),
            ("bin", "is a folder"),
            ("readme", "not executable"),
            ("bin/none", "no program `bin/none` in"),
            ("no-such-program-anywhere", "or in PATH"),
            ("/no/such/program", "no program"),
            ("/etc/passwd", "not executable"),
        ] {
            let error = find(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
        let linked = find(local.join("linked").to_str().unwrap()).unwrap_err();
        assert!(linked.contains("is a link"), "{linked}");
    }

    #[test]
    fn a_program_runs_in_its_folder_with_its_output_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let (logs, game) = (folder.path().join("games"), GameId::new("x y").unwrap());
        executable(&folder.path().join("run"), "#!/bin/sh\nread line && echo got\npwd\necho \"$1\" >&2\nexit 3\n");
        let words = [folder.path().join("run").to_str().unwrap().to_owned(), "$(id) {player}".to_owned()];
        let log = GameLog::begin(&logs, &game).unwrap();
        log.note(&words).unwrap();
        let status = command(&words, folder.path(), &log).unwrap().status().unwrap();
        assert_eq!(Ended::from(status), Ended::Code(3));
        let text = fs::read_to_string(logs.join("x y.log")).unwrap();
        let pwd = folder.path().canonicalize().unwrap();
        let expect = format!("> {} '$(id) {{player}}'\n{}\n$(id) {{player}}\n", words[0], pwd.display());
        assert_eq!(text, expect);
    }

    #[test]
    fn the_manager_runs_it_with_the_words_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let manager = folder.path().join("manager");
        executable(&manager, "#!/bin/sh\npwd\nprintf '%s|' \"$@\"\nexit 4\n");
        let words = ["/games/run $1".to_owned(), "+name".to_owned(), "cash $HOME ${x}".to_owned()];
        let log = GameLog::begin(&folder.path().join("games"), &GameId::new("x").unwrap()).unwrap();
        let status = command_of(&words, folder.path(), &log, Some(&manager)).unwrap().status().unwrap();
        assert_eq!(Ended::from(status), Ended::Code(4));
        let text = fs::read_to_string(log.path()).unwrap();
        let pwd = folder.path().canonicalize().unwrap();
        let flags = AS_OUR_CHILD.join("|");
        assert_eq!(text, format!("{}\n{flags}|--|/games/run $1|+name|cash $$HOME $${{x}}|", pwd.display()));
    }

    #[test]
    fn logs_are_put_aside_and_do_not_grow_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let game = GameId::new("x").unwrap();
        let (now, old) = (folder.path().join("x.log"), folder.path().join("x.log.old"));
        let log = GameLog::begin(folder.path(), &game).unwrap();
        let mut writer = log.open().unwrap();
        writer.write_all(&vec![b'a'; LOG_BYTES_MAX as usize]).unwrap();
        log.bound().unwrap();
        assert_eq!(fs::metadata(&now).unwrap().len(), LOG_BYTES_MAX);
        writer.write_all(b"b").unwrap();
        log.bound().unwrap();
        writer.write_all(b"c").unwrap();
        assert_eq!(fs::read(&now).unwrap(), b"c");
        assert_eq!(fs::metadata(&old).unwrap().len(), LOG_BYTES_MAX + 1);
        GameLog::begin(folder.path(), &game).unwrap();
        assert_eq!((fs::read(&now).unwrap(), fs::read(&old).unwrap()), (Vec::new(), b"c".to_vec()));
    }
}
