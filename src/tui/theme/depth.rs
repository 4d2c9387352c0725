//! What a terminal of fewer colours shows in place of one it does not have.

use ratatui::style::{Color, Style};

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColorDepth {
    /// None: bold, dim and reverse only.
    Mono,
    /// The sixteen of its palette.
    Ansi16,
    /// The 256.
    Indexed256,
    /// All.
    True,
}

/// A style as a terminal of so many colours can show it.
pub(super) fn at_depth(style: Style, depth: ColorDepth) -> Style {
    let color = |color: Option<Color>| match depth {
        // A colour of the terminal itself is none of ours and stays.
        ColorDepth::Mono => color.filter(|color| *color == Color::Reset),
        ColorDepth::Ansi16 => color.map(to_16),
        ColorDepth::Indexed256 => color.map(to_256),
        ColorDepth::True => color,
    };
    Style { fg: color(style.fg), bg: color(style.bg), ..style }
}

/// The nearest of the colour cube and of the greys.
fn to_256(color: Color) -> Color {
    let Color::Rgb(red, green, blue) = color else { return color };
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let level = |value: u8| (0..6_u8).min_by_key(|at| LEVELS[usize::from(*at)].abs_diff(value)).unwrap_or(0);
    let (r, g, b) = (level(red), level(green), level(blue));
    let cube = [r, g, b].map(|at| LEVELS[usize::from(at)]);
    let mean = (u16::from(red) + u16::from(green) + u16::from(blue)) / 3;
    let grey_at = (mean.saturating_sub(3) / 10).min(23) as u8;
    let grey = [8 + 10 * grey_at; 3];
    let wanted = [red, green, blue];
    if distance(grey, wanted) < distance(cube, wanted) {
        Color::Indexed(232 + grey_at)
    } else {
        Color::Indexed(16 + 36 * r + 6 * g + b)
    }
}

/// How bright each part of a colour is; of the sixteen as most palettes have them, and nothing of the terminal's own.
pub(super) fn rgb(color: Color) -> Option<[u8; 3]> {
    let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
    if let Color::Rgb(red, green, blue) = color {
        return Some([red, green, blue]);
    }
    if let Color::Indexed(at) = color {
        return Some(match at {
            0..16 => PALETTE[usize::from(at)].1,
            16..232 => [level((at - 16) / 36), level((at - 16) / 6 % 6), level((at - 16) % 6)],
            232.. => [8 + 10 * (at - 232); 3],
        });
    }
    PALETTE.iter().find(|(named, _)| *named == color).map(|(_, parts)| *parts)
}

/// The sixteen, as most palettes have them.
const PALETTE: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

/// The nearest of the sixteen.
fn to_16(color: Color) -> Color {
    if let Color::Indexed(at @ 0..16) = color {
        return PALETTE[usize::from(at)].0;
    }
    if PALETTE.iter().any(|(named, _)| *named == color) {
        return color;
    }
    let Some(wanted) = rgb(color) else { return color };
    PALETTE.iter().min_by_key(|(_, known)| distance(*known, wanted)).map_or(color, |(nearest, _)| *nearest)
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_become_the_nearest_there_are() {
        assert_eq!(to_256(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(to_256(Color::Rgb(30, 30, 30)), Color::Indexed(234));
        assert_eq!(to_16(Color::Rgb(250, 10, 10)), Color::LightRed);
        assert_eq!(to_16(Color::Indexed(1)), Color::Red);
        assert_eq!(to_16(Color::Indexed(255)), Color::Gray);
        assert_eq!(to_16(Color::Green), Color::Green);
    }
}
