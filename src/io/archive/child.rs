//! The parent's end: starts nothing itself, but says what is to be started, tells it the job, hears how
//! it goes, and ends it when it should. What the child says is believed only as far as it is shown and
//! counted; whether the folder it wrote is what it should be, the caller sees by its own means.

use std::{
    io::{self, Read as _, Write as _},
    ops::ControlFlow,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Signal,
};

use super::worker::WORD;
use crate::{
    io::{
        clock,
        disk::{DiskError, GameRoot, Reason},
    },
    types::clean,
    wire::{
        extraction::{ArchiveError, Job, LINE_BYTES_MAX, Line, Totals, Why},
        installed::OWNED_NAME,
    },
};

/// How long a wish to stop may go unheard.
const TICK: Duration = Duration::from_millis(100);
/// Beyond the job's own limit: the child says it first, unless it cannot.
const GRACE: Duration = Duration::from_secs(60);
/// Of what the child says to nobody: a panic, or that memory has run out.
const COMPLAINT_BYTES_MAX: u64 = 4_096;
/// Names directly in a staging folder.
const STAGED_MAX: usize = 400_000;

/// Why nothing was extracted.
#[derive(Debug, thiserror::Error)]
pub enum ExtractError {
    /// The archive, the rules or the disk.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// Somebody said stop.
    #[error("it was stopped")]
    Cancelled,
    /// The child could not be started.
    #[error("the process that reads archives cannot be started: {reason}; is the potluck binary still where it was?")]
    NotStarted {
        /// What the system says.
        reason: io::Error,
    },
    /// The child ended without a result.
    #[error("the process that reads archives ended ({how}) at `{at}`; the archive may be made to harm, leave it out")]
    Crashed {
        /// How it ended, and what it said.
        how: String,
        /// The archive or member it was at.
        at: String,
    },
    /// The child said something that is none of its lines.
    #[error("the process that reads archives talks nonsense at `{at}`; the archive may be made to harm, leave it out")]
    Nonsense {
        /// The archive or member it was at.
        at: String,
    },
}

/// What to start: `program` is potluck's own binary. It gets no environment and no terminal.
#[must_use]
pub fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg(WORD).env_clear().current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Has a child that was started from [`command`] do `job`. `watcher` hears each line, and several
/// times a second `None`, when it can say stop. However it ends, the child has ended then, and when it
/// failed the staging folder is empty but for its mark.
pub fn follow(
    child: Child,
    job: &Job,
    watcher: &mut dyn FnMut(Option<&Line>) -> ControlFlow<()>,
) -> Result<Totals, ExtractError> {
    let done = Following { child: Some(child), said: Vec::new(), at: String::new(), result: None }.run(job, watcher);
    if done.is_err()
        && let Some(staging) = &job.staging
        && let Err(error) = clear(Path::new(staging))
    {
        // Whoever uses the folder next finds what is left, and says so.
        tracing::warn!(%error, "cannot remove what was extracted");
    }
    done
}

/// A child that works.
struct Following {
    /// Taken when it has been waited for.
    child: Option<Child>,
    /// Bytes that are no whole line yet.
    said: Vec<u8>,
    /// What it was at last.
    at: String,
    result: Option<Result<Totals, ArchiveError>>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.end();
    }
}

impl Following {
    fn run(
        mut self,
        job: &Job,
        watcher: &mut dyn FnMut(Option<&Line>) -> ControlFlow<()>,
    ) -> Result<Totals, ExtractError> {
        let deadline = clock::now() + Duration::from_secs(job.limits.seconds) + GRACE;
        self.tell(job);
        while self.result.is_none() && self.hear(watcher)? {
            if clock::now() > deadline {
                return Err(self.failed(Why::Seconds { max: job.limits.seconds }));
            }
            self.say_tick(watcher)?;
        }
        match self.result.take() {
            Some(result) => Ok(result?),
            None => Err(self.crashed(job)),
        }
    }

    /// Writes the job. A child that does not take it has ended, which reading from it shows.
    fn tell(&mut self, job: &Job) {
        let Some(mut stdin) = self.child.as_mut().and_then(|child| child.stdin.take()) else { return };
        let told =
            serde_json::to_writer(&mut stdin, job).map_err(io::Error::from).and_then(|()| stdin.write_all(b"\n"));
        if let Err(error) = told {
            tracing::debug!(%error, "the child did not take its job");
        }
    }

    /// Waits a little for lines and passes them on; `false` when there will be no more.
    fn hear(&mut self, watcher: &mut dyn FnMut(Option<&Line>) -> ControlFlow<()>) -> Result<bool, ExtractError> {
        let Some(stdout) = self.child.as_mut().and_then(|child| child.stdout.as_mut()) else { return Ok(false) };
        let tick = Timespec { tv_sec: 0, tv_nsec: TICK.subsec_nanos().into() };
        let ready = poll(&mut [PollFd::new(&*stdout, PollFlags::IN)], Some(&tick));
        if matches!(ready, Ok(0) | Err(rustix::io::Errno::INTR)) {
            return Ok(true);
        }
        let mut bytes = [0; 16 << 10];
        let count = match stdout.read(&mut bytes) {
            Ok(0) | Err(_) => return Ok(false),
            Ok(count) => count,
        };
        self.said.extend_from_slice(&bytes[..count]);
        while let Some(end) = self.said.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.said.drain(..=end).collect();
            let Ok(line) = serde_json::from_slice::<Line>(&line) else { return Err(self.nonsense()) };
            self.on_line(line, watcher)?;
        }
        if self.said.len() > LINE_BYTES_MAX { Err(self.nonsense()) } else { Ok(true) }
    }

    fn on_line(
        &mut self,
        line: Line,
        watcher: &mut dyn FnMut(Option<&Line>) -> ControlFlow<()>,
    ) -> Result<(), ExtractError> {
        if watcher(Some(&line)).is_break() {
            return Err(ExtractError::Cancelled);
        }
        match line {
            Line::Done(totals) => self.result = Some(Ok(totals)),
            Line::Failed(error) => self.result = Some(Err(error)),
            Line::Progress(progress) => {
                let at = if progress.member.is_empty() { progress.archive } else { progress.member };
                self.at = clean(&at, LINE_BYTES_MAX);
            }
            Line::Confined { .. } | Line::Archive(_) | Line::Member { .. } => {}
        }
        Ok(())
    }

    fn say_tick(&self, watcher: &mut dyn FnMut(Option<&Line>) -> ControlFlow<()>) -> Result<(), ExtractError> {
        if watcher(None).is_break() { Err(ExtractError::Cancelled) } else { Ok(()) }
    }

    fn nonsense(&self) -> ExtractError {
        ExtractError::Nonsense { at: self.at.clone() }
    }

    fn failed(&self, why: Why) -> ExtractError {
        ArchiveError { archive: self.at.clone(), member: None, why }.into()
    }

    /// What the end of a child means that gave no result.
    fn crashed(&mut self, job: &Job) -> ExtractError {
        let mut complaint = Vec::new();
        if let Some(stderr) = self.child.as_mut().and_then(|child| child.stderr.take()) {
            // Only words for people are lost.
            let _ = stderr.take(COMPLAINT_BYTES_MAX).read_to_end(&mut complaint);
        }
        let complaint = clean(&String::from_utf8_lossy(&complaint).replace('\n', " "), 300);
        let status = self.child.take().and_then(|mut child| child.wait().ok());
        let signal = status.and_then(|status| status.signal());
        if signal == Some(Signal::XFSZ.as_raw()) {
            return self.failed(Why::Bytes { max: job.limits.bytes });
        }
        if signal == Some(Signal::XCPU.as_raw()) {
            return self.failed(Why::Seconds { max: job.limits.seconds });
        }
        if signal == Some(Signal::ABORT.as_raw()) && complaint.contains("memory allocation") {
            return self.failed(Why::Memory);
        }
        let how = status.map_or_else(|| "in an unknown way".to_owned(), |status: ExitStatus| status.to_string());
        ExtractError::Crashed { how: format!("{how} {complaint}").trim().to_owned(), at: self.at.clone() }
    }

    fn end(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // It has ended already, or does now; either way it is waited for, so that nothing is left of it.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Removes all that is in a staging folder but its mark.
fn clear(staging: &Path) -> Result<(), DiskError> {
    let root = match GameRoot::open(staging) {
        Err(error) if matches!(error.reason(), Reason::Missing) => return Ok(()),
        root => root?,
    };
    for entry in root.list("", STAGED_MAX)? {
        match entry.name.to_str() {
            Some(OWNED_NAME) => {}
            Some(name) => root.remove_tree(name)?,
            // No member has such a name; it is not ours to remove.
            None => {}
        }
    }
    Ok(())
}
