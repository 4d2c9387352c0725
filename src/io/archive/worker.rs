//! The child's end: reads one job from the standard input, confines itself, does the job, and says how
//! it goes in lines of JSON on the standard output. `main` comes here before it does anything else.

use std::{
    ffi::OsString,
    io::{self, BufRead as _, BufWriter, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
};

use super::{
    confine::{confine, end_with_parent},
    open, work_in,
};
use crate::wire::extraction::{ArchiveError, JOB_BYTES_MAX, Job, Line, Why};

/// The one argument that makes this program such a child. It is nobody's command, so no help names it.
pub const WORD: &str = "extract-archives";
/// Bytes of listed members kept until they are sent together.
const OUTPUT_BYTES: usize = 64 << 10;
/// When nobody reads what is said: the parent has ended.
const NOBODY_LISTENS: u8 = 3;

/// Whether the arguments of this process are those of such a child.
#[must_use]
pub fn is_asked_for(mut arguments: impl Iterator<Item = OsString>) -> bool {
    arguments.nth(1).is_some_and(|word| word == WORD) && arguments.next().is_none()
}

/// Does one job. The exit code says nothing of the archive: that the last line does.
#[must_use]
pub fn serve() -> ExitCode {
    end_with_parent();
    let Ok(job) = read_job() else { return ExitCode::FAILURE };
    let mut output = BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock());
    let mut archive = job.files.first().cloned().unwrap_or_default();
    // What it works in is ours and is opened while it may be; archives are opened confined.
    let done = open(&job).and_then(|(root, staging)| {
        let missing = confine(&job);
        say(&mut output, &Line::Confined { missing });
        let work = || {
            work_in(&root, staging.as_ref(), &job, &mut |line| {
                if let Line::Progress(progress) = &line {
                    archive.clone_from(&progress.archive);
                }
                say(&mut output, &line);
            })
        };
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let why = Why::damaged("its reader gave up");
            Err(ArchiveError { archive: std::mem::take(&mut archive), member: None, why })
        })
    });
    say(&mut output, &done.map_or_else(Line::Failed, Line::Done));
    ExitCode::SUCCESS
}

fn read_job() -> io::Result<Job> {
    let mut text = String::new();
    io::stdin().lock().take(JOB_BYTES_MAX).read_line(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

/// A listed member may wait for the next ones; everything else is sent at once.
fn say(output: &mut impl io::Write, line: &Line) {
    let said = serde_json::to_writer(&mut *output, line).map_err(io::Error::from).and_then(|()| {
        output.write_all(b"\n")?;
        if matches!(line, Line::Member { .. }) { Ok(()) } else { output.flush() }
    });
    if said.is_err() {
        std::process::exit(i32::from(NOBODY_LISTENS));
    }
}
