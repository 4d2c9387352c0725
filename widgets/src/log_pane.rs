//! Lines as they come, newest at the bottom, bounded, and still when held.
//!
//! [`LogBuffer`] owns the lines, [`LogView`] where one looks at them, [`LogPane`] draws both. Times are given as text;
//! nothing here reads a clock.

use std::collections::VecDeque;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Widget,
};

use crate::{GlyphLevel, text};

/// How much a line matters; more matters more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What happened.
    #[default]
    Info,
    /// What may need somebody.
    Warn,
    /// What failed.
    Error,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When, as it is to be read.
    pub time: String,
    /// How much it matters.
    pub level: LogLevel,
    /// What happened.
    pub text: String,
}

/// The newest lines, up to a number.
///
/// ```
/// use potluck_widgets::{LogBuffer, LogLevel, LogLine};
///
/// let mut log = LogBuffer::new(2);
/// for text in ["one", "two", "three"] {
///     log.push(LogLine { time: "20:14".into(), level: LogLevel::Info, text: text.into() });
/// }
/// assert_eq!(log.lines().map(|line| &*line.text).collect::<Vec<_>>(), ["two", "three"]);
/// assert_eq!(log.dropped(), 1);
/// ```
#[derive(Debug, Clone)]
pub struct LogBuffer {
    lines: VecDeque<LogLine>,
    lines_max: usize,
    dropped: u64,
}

impl LogBuffer {
    /// Keeps at most `lines_max` lines, at least one.
    #[must_use]
    pub fn new(lines_max: usize) -> Self {
        Self { lines: VecDeque::new(), lines_max: lines_max.max(1), dropped: 0 }
    }

    /// Adds the newest line; the oldest goes if there are too many.
    pub fn push(&mut self, line: LogLine) {
        if self.lines.len() == self.lines_max {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back(line);
    }

    /// The lines kept, oldest first.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &LogLine> + ExactSizeIterator {
        self.lines.iter()
    }

    /// How many lines went for newer ones.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Lines with their numbers, which never change while a line is kept.
    fn numbered(&self) -> impl DoubleEndedIterator<Item = (u64, &LogLine)> {
        self.lines.iter().enumerate().map(|(at, line)| (self.dropped + at as u64, line))
    }
}

/// Where one looks: at the newest line and along with it, or held at one line; and at which lines at all.
///
/// ```
/// use potluck_widgets::{LogBuffer, LogLevel, LogLine, LogView};
///
/// let mut log = LogBuffer::new(100);
/// let line = |text: &str| LogLine { time: "20:14".into(), level: LogLevel::Info, text: text.into() };
/// log.push(line("one"));
/// let mut view = LogView::default();
/// view.hold(&log);
/// log.push(line("two"));
/// assert_eq!((view.is_held(), view.newer(&log)), (true, 1));
/// view.follow();
/// assert_eq!(view.newer(&log), 0);
/// ```
#[derive(Debug, Clone)]
pub struct LogView {
    /// The number of the lowest line in view, while held.
    held_at: Option<u64>,
    level_min: LogLevel,
    needle: String,
}

impl Default for LogView {
    /// Every line, the newest in view.
    fn default() -> Self {
        Self { held_at: None, level_min: LogLevel::Trace, needle: String::new() }
    }
}

impl LogView {
    /// Shows only lines that matter at least so much.
    pub fn set_level_min(&mut self, level: LogLevel) {
        self.level_min = level;
    }

    /// Shows only lines whose text holds `needle`, whatever its case; the empty one shows all.
    pub fn set_needle(&mut self, needle: &str) {
        self.needle = needle.to_lowercase();
    }

    /// Goes along with the newest line again.
    pub fn follow(&mut self) {
        self.held_at = None;
    }

    /// Stays where it is while lines come.
    pub fn hold(&mut self, log: &LogBuffer) {
        if self.held_at.is_none() {
            let newest = self.shown(log).next_back().map(|(number, _)| number);
            self.held_at = newest;
        }
    }

    /// Whether it stays where it is.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.held_at.is_some()
    }

    /// Moves by so many lines, up if negative, and holds; reaching the newest line follows again. `height` is that of
    /// the pane, so that the oldest line stops at its top.
    pub fn scroll(&mut self, log: &LogBuffer, lines: isize, height: u16) {
        let shown: Vec<u64> = self.shown(log).map(|(number, _)| number).collect();
        let Some(newest) = shown.len().checked_sub(1) else { return };
        let at = match self.held_at {
            Some(held) => shown.partition_point(|&number| number <= held).saturating_sub(1),
            None => newest,
        };
        let lowest = usize::from(height).saturating_sub(1).min(newest);
        let to = at.saturating_add_signed(lines).clamp(lowest, newest);
        self.held_at = if to == newest { None } else { shown.get(to).copied() };
    }

    /// How many lines it would show have come below the view.
    #[must_use]
    pub fn newer(&self, log: &LogBuffer) -> usize {
        let Some(held) = self.held_at else { return 0 };
        self.shown(log).rev().take_while(|&(number, _)| number > held).count()
    }

    fn shown<'a>(&'a self, log: &'a LogBuffer) -> impl DoubleEndedIterator<Item = (u64, &'a LogLine)> {
        log.numbered().filter(|(_, line)| self.shows(line))
    }

    fn shows(&self, line: &LogLine) -> bool {
        line.level >= self.level_min
            && (self.needle.is_empty() || line.text.to_lowercase().contains(self.needle.as_str()))
    }
}

/// The styles of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStyles {
    /// The time of each line.
    pub time: Style,
    /// From [`LogLevel::Trace`] to [`LogLevel::Error`].
    pub levels: [Style; 5],
}

/// The lines in view, newest at the bottom.
///
/// ```
/// use potluck_widgets::{LogBuffer, LogLevel, LogLine, LogPane, LogView};
/// use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};
///
/// let mut log = LogBuffer::new(100);
/// log.push(LogLine { time: "20:14".into(), level: LogLevel::Warn, text: "seat-90 went away.".into() });
/// let mut buf = Buffer::empty(Rect::new(0, 0, 20, 2));
/// LogPane::new(&log, &LogView::default()).render(buf.area, &mut buf);
/// assert_eq!(buf, Buffer::with_lines([" 20:14  seat-90 wen…", ""]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct LogPane<'a> {
    log: &'a LogBuffer,
    view: &'a LogView,
    level: GlyphLevel,
    styles: LogStyles,
}

impl<'a> LogPane<'a> {
    /// A pane of what `view` shows of `log`.
    #[must_use]
    pub fn new(log: &'a LogBuffer, view: &'a LogView) -> Self {
        Self { log, view, level: GlyphLevel::default(), styles: LogStyles::default() }
    }

    /// How a cut line ends.
    #[must_use]
    pub fn level(mut self, level: GlyphLevel) -> Self {
        self.level = level;
        self
    }

    /// The styles of times and levels.
    #[must_use]
    pub fn styles(mut self, styles: LogStyles) -> Self {
        self.styles = styles;
        self
    }
}

impl Widget for LogPane<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        let height = usize::from(area.height);
        // Lines older than all that are kept leave a held view at the oldest ones.
        let oldest_full = self.view.shown(self.log).take(height).last().map_or(0, |(number, _)| number);
        let lowest = self.view.held_at.unwrap_or(u64::MAX).max(oldest_full);
        let mut lines: Vec<&LogLine> = self
            .view
            .shown(self.log)
            .rev()
            .skip_while(|&(number, _)| number > lowest)
            .take(height)
            .map(|(_, line)| line)
            .collect();
        lines.reverse();
        for (line, row) in lines.into_iter().zip(area.rows()) {
            let style = self.styles.levels[line.level as usize];
            let spans = [
                Span::raw(" "),
                Span::styled(line.time.as_str(), self.styles.time),
                Span::raw("  "),
                Span::styled(line.text.as_str(), style),
            ];
            text::draw(buf, row, &Line::from_iter(spans), false, self.level.ellipsis());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};
    use ratatui::style::Color;

    use super::*;
    use crate::picture::{self, nasty_text};

    fn line(at: usize) -> LogLine {
        let levels = [LogLevel::Info, LogLevel::Debug, LogLevel::Warn, LogLevel::Info, LogLevel::Error];
        LogLine { time: format!("20:{at:02}"), level: levels[at % 5], text: format!("Line {at} says something.") }
    }

    fn log(count: usize, lines_max: usize) -> LogBuffer {
        let mut log = LogBuffer::new(lines_max);
        (0..count).for_each(|at| log.push(line(at)));
        log
    }

    fn numbers_in(log: &LogBuffer, view: &LogView, height: u16) -> Vec<u32> {
        let drawn = picture::of(LogPane::new(log, view), 40, height);
        drawn.lines().filter_map(|line| line.split_whitespace().nth(3)?.parse().ok()).collect()
    }

    #[test]
    fn three_sizes() {
        let log = log(12, 10);
        for (width, height) in [(12, 3), (30, 6), (50, 14)] {
            insta::assert_snapshot!(
                format!("{width}x{height}"),
                picture::of(LogPane::new(&log, &LogView::default()), width, height)
            );
        }
    }

    #[test]
    fn a_held_view_stays_until_its_lines_are_gone() {
        let mut log = log(10, 10);
        let mut view = LogView::default();
        assert_eq!(numbers_in(&log, &view, 3), [7, 8, 9]);
        view.scroll(&log, -2, 3);
        assert_eq!((numbers_in(&log, &view, 3), view.newer(&log)), (vec![5, 6, 7], 2));
        (10..14).for_each(|at| log.push(line(at)));
        assert_eq!((numbers_in(&log, &view, 3), view.newer(&log)), (vec![5, 6, 7], 6));
        (14..20).for_each(|at| log.push(line(at)));
        assert_eq!(numbers_in(&log, &view, 3), [10, 11, 12]);
        view.scroll(&log, -99, 3);
        assert_eq!(numbers_in(&log, &view, 3), [10, 11, 12]);
        view.scroll(&log, 1, 3);
        assert_eq!(numbers_in(&log, &view, 3), [11, 12, 13]);
        view.scroll(&log, 99, 3);
        assert!(!view.is_held());
        assert_eq!(numbers_in(&log, &view, 3), [17, 18, 19]);
    }

    #[test]
    fn filters_hide_lines() {
        let log = log(10, 10);
        let mut view = LogView::default();
        view.set_level_min(LogLevel::Warn);
        assert_eq!(numbers_in(&log, &view, 9), [2, 4, 7, 9]);
        view.scroll(&log, -1, 2);
        assert_eq!(numbers_in(&log, &view, 2), [4, 7]);
        view.follow();
        view.set_needle("LINE 7");
        assert_eq!(numbers_in(&log, &view, 9), [7]);
        view.set_needle("nothing");
        view.hold(&log);
        assert_eq!((numbers_in(&log, &view, 9), view.is_held()), (vec![], false));
    }

    #[test]
    fn levels_have_their_styles() {
        let mut styles = LogStyles::default();
        styles.levels[LogLevel::Error as usize] = Style::new().red();
        let buf = picture::drawn(LogPane::new(&log(5, 5), &LogView::default()).styles(styles), 30, 5);
        assert_eq!((buf[(9, 3)].fg, buf[(9, 4)].fg, buf[(2, 4)].fg), (Color::Reset, Color::Red, Color::Reset));
    }

    proptest! {
        #[test]
        fn any_size_and_any_text_can_be_drawn(
            texts in vec(nasty_text(), 0..30), (width, height) in picture::sizes(), scroll in -40_isize..10,
        ) {
            let mut log = LogBuffer::new(20);
            let mut view = LogView::default();
            for (at, text) in texts.into_iter().enumerate() {
                log.push(LogLine { text, ..line(at) });
                if at == 10 { view.scroll(&log, scroll, height); }
            }
            view.scroll(&log, scroll, height);
            let _drawn = picture::drawn(LogPane::new(&log, &view), width, height);
        }
    }
}
