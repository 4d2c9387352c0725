//! The log tab: the events of this run, bounded, and where one looks at them.

use potluck_widgets::{LogBuffer, LogLevel, LogLine, LogView};

use super::super::words;
use super::Moment;
use crate::api::{Event, Level};

/// Lines kept: an evening of a busy room, and a few megabytes at most.
const LINES_MAX: usize = 5_000;

/// What the log tab knows.
#[derive(Debug)]
pub(crate) struct Log {
    lines: LogBuffer,
    view: LogView,
    level: Level,
    filter: String,
}

impl Default for Log {
    fn default() -> Self {
        let mut log = Self {
            lines: LogBuffer::new(LINES_MAX),
            view: LogView::default(),
            level: Level::Info,
            filter: String::new(),
        };
        log.set_level(Level::Info);
        log
    }
}

impl Log {
    /// Adds an event.
    pub(crate) fn push(&mut self, event: &Event, now: Moment) {
        let at = Moment { unix_ms: event.at_ms, ..now };
        self.lines.push(LogLine { time: words::time_s(at), level: shown_level(event.level), text: event.text.clone() });
    }

    /// Says that events were missed.
    pub(crate) fn push_missed(&mut self, count: u64, now: Moment) {
        let text = format!("{count} events came too fast for this screen and are not shown.");
        self.lines.push(LogLine { time: words::time_s(now), level: shown_level(Level::Warning), text });
    }

    /// The lines and where one looks.
    pub(crate) fn drawn(&self) -> (&LogBuffer, &LogView) {
        (&self.lines, &self.view)
    }

    /// The least level shown.
    pub(crate) fn level(&self) -> Level {
        self.level
    }

    /// The text that lines must hold.
    pub(crate) fn filter(&self) -> &str {
        &self.filter
    }

    /// Shows only lines that hold this.
    pub(crate) fn set_filter(&mut self, text: &str) {
        text.trim().clone_into(&mut self.filter);
        self.view.set_needle(&self.filter);
    }

    /// Scrolls; at the newest line it follows again.
    pub(crate) fn scroll(&mut self, lines: isize, height: u16) {
        self.view.scroll(&self.lines, lines, height);
    }

    /// Follows the newest line.
    pub(crate) fn follow(&mut self) {
        self.view.follow();
    }

    /// Holds still, or follows.
    pub(crate) fn toggle_hold(&mut self) {
        if self.view.is_held() { self.view.follow() } else { self.view.hold(&self.lines) }
    }

    /// Shows this level and what is more important.
    pub(crate) fn set_level(&mut self, level: Level) {
        self.level = level;
        self.view.set_level_min(shown_level(level));
    }
}

/// The widget has five levels and so have we; only the names differ.
pub(crate) fn shown_level(level: Level) -> LogLevel {
    match level {
        Level::Debug => LogLevel::Trace,
        Level::Info => LogLevel::Debug,
        Level::Done => LogLevel::Info,
        Level::Warning => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    }
}
