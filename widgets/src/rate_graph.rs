//! A rate over time: newest at the right, what moved always visible. Keeps no history; the caller gives the samples.

use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};

use crate::GlyphLevel;

/// A graph of samples, oldest first, of any height.
///
/// Each sample takes one column ([`GlyphLevel::Braille`]: half a column); of more samples than fit the newest are
/// shown, fewer leave the left blank. A sample above zero is never drawn as zero.
///
/// ```
/// use potluck_widgets::{GlyphLevel, RateGraph};
/// use ratatui::{buffer::Buffer, layout::Rect, style::Style, widgets::Widget};
///
/// let mut buf = Buffer::empty(Rect::new(0, 0, 4, 2));
/// RateGraph::new(&[0, 1, 8, 16]).level(GlyphLevel::Blocks).max(16).render(buf.area, &mut buf);
/// assert_eq!(buf, Buffer::with_lines(["   █", " ▁██"]));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RateGraph<'a> {
    samples: &'a [u64],
    max: Option<u64>,
    level: GlyphLevel,
    styles: &'a [Style],
}

impl<'a> RateGraph<'a> {
    /// A graph of samples in any unit, oldest first.
    #[must_use]
    pub fn new(samples: &'a [u64]) -> Self {
        Self { samples, max: None, level: GlyphLevel::default(), styles: &[] }
    }

    /// The sample that reaches the top; without it, [`scale_above`] the largest that is shown. Larger ones are cut.
    #[must_use]
    pub fn max(mut self, max: u64) -> Self {
        self.max = Some(max);
        self
    }

    /// Braille, blocks, or digits from 0 to 9.
    #[must_use]
    pub fn level(mut self, level: GlyphLevel) -> Self {
        self.level = level;
        self
    }

    /// Styles from the bottom row to the top row, spread over the height; one style for all rows.
    #[must_use]
    pub fn styles(mut self, styles: &'a [Style]) -> Self {
        self.styles = styles;
        self
    }
}

impl Widget for RateGraph<'_> {
    fn render(self, area: Rect, buf: &mut Buffer) {
        let area = area.intersection(buf.area);
        let columns = usize::from(area.width);
        let shown = newest(self.samples, columns * samples_per_column(self.level));
        let max = self.max.unwrap_or_else(|| scale_above(shown.iter().copied().max().unwrap_or(0)));
        let units = heights(shown, max, usize::from(area.height) * units_per_row(self.level));
        for (row, y) in area.rows().rev().map(|row| row.y).enumerate() {
            let style = row_style(self.styles, row, usize::from(area.height));
            for (x, symbol) in row_symbols(&units, row, columns, self.level).enumerate() {
                if let Some(symbol) = symbol {
                    buf[(area.x + x as u16, y)].set_char(symbol).set_style(style);
                }
            }
        }
    }
}

/// One line of exactly `width` columns, newest at the right, on a scale whose top is `max` (0: [`scale_above`] the
/// largest shown). Where there is no sample, and for zero except in ASCII, it is blank.
///
/// ```
/// use potluck_widgets::{GlyphLevel, sparkline};
///
/// assert_eq!(sparkline(&[0, 1, 40, 100], 6, GlyphLevel::Blocks, 100), "   ▁▃█");
/// assert_eq!(sparkline(&[0, 1, 40, 100], 6, GlyphLevel::Ascii, 100), "  0149");
/// assert_eq!(sparkline(&[0, 1, 40, 100], 3, GlyphLevel::Braille, 100), " ⢀⣼");
/// ```
#[must_use]
pub fn sparkline(samples: &[u64], width: u16, level: GlyphLevel, max: u64) -> String {
    let columns = usize::from(width);
    let shown = newest(samples, columns * samples_per_column(level));
    let max = if max == 0 { scale_above(shown.iter().copied().max().unwrap_or(0)) } else { max };
    let units = heights(shown, max, units_per_row(level));
    row_symbols(&units, 0, columns, level).map(|symbol| symbol.unwrap_or(' ')).collect()
}

/// The next of 1, 2, 5, 10, 20, 50 … at or above `value`: the top of a scale that does not twitch with every sample.
///
/// ```
/// assert_eq!([0, 1, 3, 112].map(potluck_widgets::scale_above), [1, 1, 5, 200]);
/// ```
#[must_use]
pub fn scale_above(value: u64) -> u64 {
    let mut decade = 1_u64;
    loop {
        for step in [1, 2, 5] {
            let Some(top) = decade.checked_mul(step) else { return u64::MAX };
            if top >= value {
                return top;
            }
        }
        let Some(next) = decade.checked_mul(10) else { return u64::MAX };
        decade = next;
    }
}

fn samples_per_column(level: GlyphLevel) -> usize {
    match level {
        GlyphLevel::Ascii | GlyphLevel::Blocks => 1,
        GlyphLevel::Braille => 2,
    }
}

fn units_per_row(level: GlyphLevel) -> usize {
    match level {
        GlyphLevel::Ascii => 9,
        GlyphLevel::Blocks => 8,
        GlyphLevel::Braille => 4,
    }
}

fn newest(samples: &[u64], count: usize) -> &[u64] {
    &samples[samples.len().saturating_sub(count)..]
}

/// Heights in units, rounded, but at least one for what is not zero.
fn heights(samples: &[u64], max: u64, units: usize) -> Vec<usize> {
    let (max, units) = (u128::from(max.max(1)), units as u128);
    samples
        .iter()
        .map(|&sample| {
            let exact = (u128::from(sample) * units + max / 2) / max;
            exact.clamp(u128::from(sample > 0), units.max(u128::from(sample > 0))) as usize
        })
        .collect()
}

/// The characters of one row from the left, `row` counted from the bottom.
fn row_symbols(
    units: &[usize],
    row: usize,
    columns: usize,
    level: GlyphLevel,
) -> impl Iterator<Item = Option<char>> + '_ {
    let (per_column, per_row) = (samples_per_column(level), units_per_row(level));
    let blank = columns * per_column - units.len().min(columns * per_column);
    // What of a sample's height lies in this row; none where there is no sample.
    let part = move |slot: usize| {
        let height = *units.get(slot.checked_sub(blank)?)?;
        Some(height.saturating_sub(row * per_row).min(per_row))
    };
    (0..columns).map(move |column| match level {
        GlyphLevel::Ascii => match part(column)? {
            0 if row > 0 => None,
            height => char::from_digit(height as u32, 10),
        },
        GlyphLevel::Blocks => "▁▂▃▄▅▆▇█".chars().nth(part(column)?.checked_sub(1)?),
        GlyphLevel::Braille => {
            let (left, right) = (part(2 * column).unwrap_or(0), part(2 * column + 1).unwrap_or(0));
            braille(left, right)
        }
    })
}

/// Two bars of up to four dots.
fn braille(left: usize, right: usize) -> Option<char> {
    const LEFT: [u32; 5] = [0, 0x40, 0x44, 0x46, 0x47];
    const RIGHT: [u32; 5] = [0, 0x80, 0xa0, 0xb0, 0xb8];
    let dots = LEFT[left.min(4)] | RIGHT[right.min(4)];
    if dots == 0 { None } else { char::from_u32(0x2800 + dots) }
}

fn row_style(styles: &[Style], row: usize, rows: usize) -> Style {
    styles.get(row * styles.len() / rows.max(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::picture;

    const LEVELS: [GlyphLevel; 3] = [GlyphLevel::Ascii, GlyphLevel::Blocks, GlyphLevel::Braille];
    const SAMPLES: [u64; 20] = [0, 0, 1, 5, 12, 30, 44, 60, 75, 90, 100, 99, 80, 70, 40, 20, 0, 3, 55, 100];

    #[test]
    fn three_sizes_of_each_level() {
        for level in LEVELS {
            for (width, height) in [(8, 1), (16, 2), (30, 5)] {
                insta::assert_snapshot!(
                    format!("{level:?}_{width}x{height}").to_lowercase(),
                    picture::of(RateGraph::new(&SAMPLES).level(level), width, height)
                );
            }
        }
    }

    #[test]
    fn rows_take_their_styles_from_bottom_to_top() {
        let styles = [Style::new().green(), Style::new().red()];
        let buf = picture::drawn(RateGraph::new(&[9]).max(9).styles(&styles), 1, 4);
        let colours: Vec<_> = (0..4).map(|y| buf[(0, y)].fg).collect();
        assert_eq!(colours, [styles[1], styles[1], styles[0], styles[0]].map(|style| style.fg.unwrap()));
    }

    #[test]
    fn scales_are_round_and_end() {
        for (value, top) in [(0, 1), (2, 2), (6, 10), (999, 1000), (1001, 2000), (u64::MAX, u64::MAX)] {
            assert_eq!(scale_above(value), top);
        }
    }

    proptest! {
        #[test]
        fn what_moved_is_visible_and_what_did_not_is_not(
            samples in vec(prop_oneof![Just(0), Just(1), any::<u64>()], 0..30), max: u64,
        ) {
            for level in LEVELS {
                let width = samples.len() * 2;
                let drawn = sparkline(&samples, width as u16, level, max);
                prop_assert_eq!(drawn.chars().count(), width);
                let moved = samples.iter().filter(|&&sample| sample > 0).count();
                let visible = drawn.chars().filter(|c| !matches!(c, ' ' | '0')).count();
                match level {
                    GlyphLevel::Ascii | GlyphLevel::Blocks => prop_assert_eq!(visible, moved),
                    GlyphLevel::Braille => prop_assert!(visible >= moved.div_ceil(2) && visible <= moved),
                }
            }
        }

        #[test]
        fn any_size_can_be_drawn(samples in vec(any::<u64>(), 0..40), (width, height) in picture::sizes(), max: u64) {
            for level in LEVELS {
                let _drawn = picture::drawn(RateGraph::new(&samples).level(level).max(max), width, height);
                let _drawn = picture::drawn(RateGraph::new(&samples).level(level), width, height);
            }
        }
    }
}
