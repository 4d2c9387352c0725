//! How far something is, in one line. Full means full, and begun means begun.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};

use crate::{GlyphLevel, text};

/// Columns of ` 100 %`.
const LABEL_WIDTH: u16 = 6;
/// A bar shorter than this says less than the number alone.
const BAR_WIDTH_MIN: u16 = 3;

/// The styles of a meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MeterStyles {
    /// The part that is done.
    pub done: Style,
    /// The rest.
    pub rest: Style,
    /// The number.
    pub label: Style,
}

/// A bar with its percentage; where it is too narrow for both, the number stays.
///
/// ```
/// use potluck_widgets::Meter;
/// use ratatui::{buffer::Buffer, layout::Rect, widgets::Widget};
///
/// let mut buf = Buffer::empty(Rect::new(0, 0, 14, 1));
/// Meter::new(522, 870).render(buf.area, &mut buf);
/// assert_eq!(buf, Buffer::with_lines(["████▊...  60 %"]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Meter {
    done: u64,
    total: u64,
    level: GlyphLevel,
    styles: MeterStyles,
    labelled: bool,
}

impl Meter {
    /// `done` of `total` in any unit; all of nothing is all.
    #[must_use]
    pub fn new(done: u64, total: u64) -> Self {
        Self { done, total, level: GlyphLevel::default(), styles: MeterStyles::default(), labelled: true }
    }

    /// Eighth blocks, or `#` and `-`.
    #[must_use]
    pub fn level(mut self, level: GlyphLevel) -> Self {
        self.level = level;
        self
    }

    /// The styles of its parts.
    #[must_use]
    pub fn styles(mut self, styles: MeterStyles) -> Self {
        self.styles = styles;
        self
    }

    /// Whether the percentage is shown; it is unless told not to.
    #[must_use]
    pub fn labelled(mut self, labelled: bool) -> Self {
        self.labelled = labelled;
        self
    }
}

impl Widget for Meter {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let bar_width = match (self.labelled, area.width.checked_sub(LABEL_WIDTH)) {
            (false, _) => area.width,
            (true, Some(room)) if room >= BAR_WIDTH_MIN => room,
            (true, _) => 0,
        };
        let drawn = bar(self.done, self.total, bar_width, self.level);
        let done_width = text::width(drawn.trim_end_matches('.')) as u16;
        let (done, rest) = drawn.split_at(drawn.trim_end_matches('.').len());
        let part = |x: u16| Rect { x: area.x.saturating_add(x), width: area.width.saturating_sub(x), ..area };
        text::draw_str(buf, part(0), done, self.styles.done, false, "");
        text::draw_str(buf, part(done_width), rest, self.styles.rest, false, "");
        if self.labelled {
            let label = format!("{} %", percent(self.done, self.total));
            text::draw_str(buf, part(bar_width), &label, self.styles.label, true, "");
        }
    }
}

/// Percent done, rounded down: 100 only when all is done.
///
/// ```
/// use potluck_widgets::percent;
/// assert_eq!([percent(0, 9), percent(999, 1000), percent(9, 9), percent(0, 0)], [0, 99, 100, 100]);
/// ```
#[must_use]
pub fn percent(done: u64, total: u64) -> u8 {
    share(done, total, 100) as u8
}

/// A bar of exactly `width` columns: the last of it is filled only when all is done, the first as soon as anything is.
///
/// ```
/// use potluck_widgets::{GlyphLevel, bar};
/// assert_eq!(bar(1, 1000, 5, GlyphLevel::Blocks), "▏....");
/// assert_eq!(bar(999, 1000, 5, GlyphLevel::Blocks), "████▉");
/// assert_eq!(bar(50, 100, 5, GlyphLevel::Ascii), "##-..");
/// ```
#[must_use]
pub fn bar(done: u64, total: u64, width: u16, level: GlyphLevel) -> String {
    let (full, parts): (char, &[char]) = match level {
        GlyphLevel::Ascii => ('#', &['-']),
        GlyphLevel::Blocks | GlyphLevel::Braille => ('█', &['▏', '▎', '▍', '▌', '▋', '▊', '▉']),
    };
    let per_column = parts.len() as u64 + 1;
    let units = u64::from(width) * per_column;
    let filled = share(done, total, units).max(u64::from(done > 0 && units > 0));
    let mut bar: String = (0..filled / per_column).map(|_| full).collect();
    bar.extend((filled % per_column).checked_sub(1).and_then(|part| parts.get(part as usize)));
    let rest = u64::from(width) - filled.div_ceil(per_column);
    bar.extend((0..rest).map(|_| '.'));
    bar
}

/// `units` × `done` / `total`, rounded down.
fn share(done: u64, total: u64, units: u64) -> u64 {
    if done >= total {
        return units;
    }
    (u128::from(done) * u128::from(units) / u128::from(total)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::picture;

    const LEVELS: [GlyphLevel; 3] = [GlyphLevel::Ascii, GlyphLevel::Blocks, GlyphLevel::Braille];

    #[test]
    fn three_sizes() {
        for level in [GlyphLevel::Ascii, GlyphLevel::Blocks] {
            for width in [5, 12, 40] {
                let pictures: Vec<String> = [0, 1, 433, 999, 1000]
                    .map(|done| picture::of(Meter::new(done, 1000).level(level), width, 1))
                    .into();
                insta::assert_snapshot!(format!("{level:?}_{width}").to_lowercase(), pictures.join("\n"));
            }
        }
    }

    proptest! {
        #[test]
        fn full_is_full_and_begun_is_begun(done: u64, total: u64, width in 1_u16..80) {
            for level in LEVELS {
                let bar = bar(done, total, width, level);
                prop_assert_eq!(text::width(&bar), usize::from(width));
                prop_assert_eq!(bar.chars().all(|c| matches!(c, '█' | '#')), done >= total);
                prop_assert_eq!(bar.chars().all(|c| c == '.'), done == 0 && total > 0);
            }
        }

        #[test]
        fn any_size_can_be_drawn(done: u64, total: u64, (width, height) in picture::sizes(), labelled: bool) {
            for level in LEVELS {
                let _drawn = picture::drawn(Meter::new(done, total).level(level).labelled(labelled), width, height);
            }
        }
    }
}
