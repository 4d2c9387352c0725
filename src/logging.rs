//! Tracing set-up: a file a day in the log folder, and with `serve` the standard error output too.
//! Written from a thread of its own, so that a slow disk never holds anybody up. What peers and
//! files say is cleaned before it is logged; what slips through is escaped by the formatter.

use std::{
    io,
    path::{Path, PathBuf},
};

use tracing_appender::{
    non_blocking::WorkerGuard,
    rolling::{InitError, RollingFileAppender, Rotation},
};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// A fortnight of log files: a party and the days around it.
const FILES_MAX: usize = 14;

/// Keeps the log going; what is still unwritten is written when it is dropped.
#[derive(Debug)]
#[must_use = "logging ends when this is dropped"]
pub struct LogGuard {
    _worker: Option<WorkerGuard>,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The folder or file could not be made.
    #[error("cannot write logs in {folder}: {source}; make it writable, or say --home DIR for another place")]
    File {
        /// The log folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The log appender.
    #[error("cannot write logs in {folder}: {source}; make it writable, or say --home DIR for another place")]
    Appender {
        /// The log folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: InitError,
    },
}

/// Begins logging into `folder`; `directives` is a level, or directives as `tracing` takes them; `stderr`
/// says whether to write there too, for `serve` and whoever collects it.
pub fn start(folder: &Path, directives: &str, stderr: bool) -> Result<LogGuard, LoggingError> {
    let folder = folder.to_owned();
    std::fs::create_dir_all(&folder).map_err(|source| LoggingError::File { folder: folder.clone(), source })?;
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("potluck")
        .filename_suffix("log")
        .max_log_files(FILES_MAX)
        .build(&folder)
        .map_err(|source| LoggingError::Appender { folder, source })?;
    let (writer, worker) = tracing_appender::non_blocking(appender);
    let file = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer).with_filter(filter(directives));
    let errors = stderr.then(|| {
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(io::stderr);
        layer.with_filter(filter(directives))
    });
    // In tests a second runtime of one process finds a subscriber in place; its lines go there.
    let _ = tracing_subscriber::registry().with(file).with(errors).try_init();
    Ok(LogGuard { _worker: Some(worker) })
}

/// Our own lines at the level asked for, other crates' only where they warn, unless named.
fn filter(directives: &str) -> EnvFilter {
    let directives = match directives {
        level if level.contains('=') => level.to_owned(),
        "off" => "off".to_owned(),
        "error" => "error".to_owned(),
        level => format!("warn,potluck={level}"),
    };
    EnvFilter::new(directives)
}
