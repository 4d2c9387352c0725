//! Tracing set-up: a file a day in the log folder, and with `serve` the standard error output too.
//! Written from a thread of its own, so that a slow disk never holds anybody up. What peers and
//! files say is cleaned before it is logged; what slips through is escaped by the formatter.

mod journal;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use tracing_appender::{
    non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard},
    rolling::{InitError, RollingFileAppender, Rotation},
};
use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, reload, util::SubscriberInitExt as _};

pub use self::journal::is_behind_stderr as is_journal_behind_stderr;
use crate::types::clean;

/// A fortnight of log files: a party and the days around it.
const FILES_MAX: usize = 14;
/// Lines waiting for the disk; past that they are lost and counted, because nobody waits for a log.
const LINES_QUEUED_MAX: usize = 16_384;

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
    /// What is to be logged cannot be read.
    #[error(transparent)]
    Level(#[from] LevelError),
}

/// A text that is no level and no directive.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// It cannot be read.
    #[error(
        "`{text}` is no level; say error, warn, info, debug, trace or off, or directives like `warn,potluck=debug`"
    )]
    Unknown {
        /// The text, cleaned.
        text: String,
    },
    /// Nobody began to log.
    #[error("this potluck writes no log")]
    NoLog,
}

type SetLevel = dyn Fn(&str) -> Result<(), LevelError> + Send + Sync;

/// A process has one log: what changes it while it runs, and what it lost.
struct Running {
    set: Box<SetLevel>,
    lost: ErrorCounter,
}

static RUNNING: OnceLock<Running> = OnceLock::new();

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
    let lossy = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_QUEUED_MAX);
    let (writer, worker) = lossy.finish(appender);
    let lost = writer.error_counter();
    let (to_file, file_filter) = reload::Layer::new(filter(directives)?);
    let file = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(writer).with_filter(to_file);
    let (to_stderr, stderr_filter) = reload::Layer::new(filter(directives)?);
    let errors = stderr.then(|| {
        let layer = tracing_subscriber::fmt::layer().with_ansi(false).with_target(false).with_writer(io::stderr);
        match journal::is_behind_stderr() {
            true => layer.event_format(journal::Lines).with_filter(to_stderr).boxed(),
            false => layer.with_filter(to_stderr).boxed(),
        }
    });
    // In tests a second runtime of one process finds a subscriber in place; its lines go there.
    if tracing_subscriber::registry().with(file).with(errors).try_init().is_ok() {
        let set = move |directives: &str| {
            // Whoever holds the other end of a filter that is gone is gone with the process.
            let _ = file_filter.reload(filter(directives)?);
            let _ = stderr_filter.reload(filter(directives)?);
            Ok(())
        };
        // Another log would have found a subscriber in place.
        let _ = RUNNING.set(Running { set: Box::new(set), lost });
    }
    Ok(LogGuard { _worker: Some(worker) })
}

/// Changes what goes to the log of this process, until it ends.
pub fn set_level(directives: &str) -> Result<(), LevelError> {
    filter(directives)?;
    (RUNNING.get().ok_or(LevelError::NoLog)?.set)(directives)
}

/// Lines the log of this process lost because its disk was too slow.
#[must_use]
pub fn dropped() -> u64 {
    RUNNING.get().map_or(0, |running| running.lost.dropped_lines() as u64)
}

/// Our own lines at the level asked for, other crates' only where they warn, unless named.
fn filter(directives: &str) -> Result<EnvFilter, LevelError> {
    let unknown = || LevelError::Unknown { text: clean(directives, 80) };
    let directives = match directives.trim() {
        level if level.contains('=') => level.to_owned(),
        level @ ("off" | "error") => level.to_owned(),
        level @ ("warn" | "info" | "debug" | "trace") => format!("warn,potluck={level}"),
        _no_level => return Err(unknown()),
    };
    EnvFilter::try_new(&directives).map_err(|_| unknown())
}

/// A sentence for the log: what of it is an address is left out, because a log is shown to others.
#[must_use]
pub fn without_addresses(text: &str) -> String {
    let word = |word: &str| {
        let bare = word.trim_matches(|c: char| "().,;:!`".contains(c));
        let is_address = bare.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok();
        if is_address { word.replacen(bare, "…", 1) } else { word.to_owned() }
    };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_one_that_exists() {
        for good in ["error", "info", " debug ", "trace", "off", "potluck=debug,warn"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["", "loud", "potluck=loud", "info debug"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_stay_out_of_sentences() {
        for (said, logged) in [
            ("nas-01 is here (10.0.3.2:47800).", "nas-01 is here (…)."),
            ("[fe80::1]:47800 refused the link: busy.", "… refused the link: busy."),
            ("no route to 10.0.0.1, or to fe80::2", "no route to …, or to …"),
            ("Quake 1.0 is 3:2 done at 12:30 :", "Quake 1.0 is 3:2 done at 12:30 :"),
        ] {
            assert_eq!(without_addresses(said), logged);
        }
    }
}
