//! `logs`: the end of the newest log file, and what is added to it, which needs no runtime; and how much
//! the one that runs logs.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;
use tokio::time::sleep;

use super::{Console, Exit, exit::Failure, orders::report, session::Interrupt};
use crate::{api::Command, config::Settings, control::client};

/// Between two looks at the file.
const PAUSE: Duration = Duration::from_millis(300);
/// The end of a file that is looked at for the last lines; who wants more reads the file.
const END_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn run(
    settings: &Settings,
    lines: usize,
    follow: bool,
    console: &mut Console,
) -> Result<Exit, Failure> {
    let folder = &settings.places.log;
    let failed =
        |error: io::Error| Failure::new(Exit::Failed, format!("cannot read logs in {}: {error}", folder.display()));
    let Some(path) = newest(folder).map_err(failed)? else {
        return Err(Failure::new(Exit::NotFound, format!("no potluck has written a log in {} yet", folder.display())));
    };
    let mut tail = Tail::end_of(path).map_err(failed)?;
    let text = tail.more().map_err(failed)?;
    let found: Vec<&str> = text.lines().collect();
    let last = &found[found.len().saturating_sub(lines)..];
    if console.json && !follow {
        console.document(&json!({ "file": tail.path, "lines": last }))?;
        return Ok(Exit::Done);
    }
    for line in last {
        tell(line, console)?;
    }
    if !follow {
        return Ok(Exit::Done);
    }
    let mut interrupt = Interrupt::new()?;
    loop {
        tokio::select! {
            biased;
            () = interrupt.wait() => return Ok(Exit::Interrupted),
            () = sleep(PAUSE) => {}
        }
        for line in tail.more().map_err(failed)?.lines() {
            tell(line, console)?;
        }
        // There is a file a day.
        if let Some(path) = newest(folder).map_err(failed)?.filter(|path| *path != tail.path) {
            tail = Tail::start_of(path).map_err(failed)?;
        }
    }
}

/// Has the potluck that runs here log more or less.
pub(super) async fn set_level(settings: &Settings, level: String, console: &mut Console) -> Result<Exit, Failure> {
    match client::ask(&settings.places.socket, Command::LogLevel { level }).await {
        Ok(answer) => report(&answer?, console)?,
        Err(error) if error.is_nobody() => {
            let message = "no potluck is running here; `log` in the config file holds from its start";
            return Err(Failure::new(Exit::NotFound, message));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}

fn tell(line: &str, console: &mut Console) -> Result<(), Failure> {
    if console.json { console.json_line(&json!({ "line": line })) } else { console.say(line) }
}

/// The newest log file; their names sort by day.
fn newest(folder: &Path) -> io::Result<Option<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry?.path());
    }
    Ok(paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "log")).max())
}

/// A file that grows.
struct Tail {
    path: PathBuf,
    file: File,
    /// A line whose end is not written yet.
    rest: Vec<u8>,
}

impl Tail {
    fn start_of(path: PathBuf) -> io::Result<Self> {
        let file = File::open(&path)?;
        Ok(Self { path, file, rest: Vec::new() })
    }

    fn end_of(path: PathBuf) -> io::Result<Self> {
        let mut tail = Self::start_of(path)?;
        let length = tail.file.metadata()?.len();
        tail.file.seek(SeekFrom::Start(length.saturating_sub(END_BYTES_MAX)))?;
        Ok(tail)
    }

    /// The whole lines that have been added.
    fn more(&mut self) -> io::Result<String> {
        self.file.read_to_end(&mut self.rest)?;
        let whole = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let rest = self.rest.split_off(whole);
        let lines = std::mem::replace(&mut self.rest, rest);
        Ok(String::from_utf8_lossy(&lines).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_come_whole_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("potluck.2026-11-21.log");
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        let mut tail = Tail::end_of(path).unwrap();
        assert_eq!(tail.more().unwrap(), "one\n");
        assert_eq!(tail.more().unwrap(), "");
        file.write_all(b"o\nthree\n").unwrap();
        assert_eq!(tail.more().unwrap(), "two\nthree\n");
    }

    #[test]
    fn the_newest_day_is_read() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(newest(&folder.path().join("none")).unwrap(), None);
        for name in ["potluck.2026-11-21.log", "potluck.2026-11-09.log", "other.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(newest(folder.path()).unwrap(), Some(folder.path().join("potluck.2026-11-21.log")));
    }
}
