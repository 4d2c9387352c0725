//! Archives as the runtime has them: a child process for each job, started and ended with it. It
//! blocks, so it runs on the pool; the thread that calls it must stay until it returns, because the
//! child ends with the thread that started it.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use super::tasks::start_process;
use crate::io::archive::{
    Job, Line, Totals,
    child::{self, ExtractError},
};

/// Has `job` done by a child of `program`, which is [`own_program`] but for tests. `watcher` hears
/// each line, and several times a second `None`, when it can say stop. On failure nothing is left in
/// the staging folder.
pub fn extract(
    program: &Path,
    job: &Job,
    watcher: &mut dyn FnMut(Option<&Line>) -> ControlFlow<()>,
) -> Result<Totals, ExtractError> {
    let child = start_process(&mut child::command(program)).map_err(|reason| ExtractError::NotStarted { reason })?;
    child::follow(child, job, &mut |line| {
        if let Some(Line::Confined { missing }) = line {
            for what in missing {
                tracing::warn!("archives are read by a process that could not be denied {what}");
            }
        }
        watcher(line)
    })
}

/// The binary of this process, also when another one was put in its place meanwhile.
#[must_use]
pub fn own_program() -> PathBuf {
    if cfg!(target_os = "linux") {
        return "/proc/self/exe".into();
    }
    std::env::current_exe().unwrap_or_else(|_| "potluck".into())
}
