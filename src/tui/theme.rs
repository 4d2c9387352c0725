//! Themes: what each role looks like. The code names roles, files name colours. A theme lies over the
//! default one, role by role; what a terminal cannot show becomes the nearest it can.

use std::collections::BTreeMap;

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

macro_rules! roles {
    ($($role:ident $name:literal,)*) => {
        /// What something on the screen is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Role {
            $($role,)*
        }

        impl Role {
            /// Every role with its name in a theme file.
            pub(crate) const ALL: &'static [(Self, &'static str)] = &[$((Self::$role, $name),)*];
        }
    };
}

roles! {
    Text "text",
    Dim "dim",
    Title "title",
    Tab "tab",
    Border "border",
    Header "header",
    Sorted "sorted",
    Selected "selected",
    Marker "marker",
    Marked "marked",
    Match "match",
    Available "available",
    Getting "getting",
    Waiting "waiting",
    Paused "paused",
    Checking "checking",
    Downloaded "downloaded",
    Installing "installing",
    Ready "ready",
    Failed "failed",
    Offline "offline",
    Online "online",
    Badge "badge",
    GraphDown "graph_down",
    GraphUp "graph_up",
    MeterDone "meter_done",
    MeterRest "meter_rest",
    MapHave "map_have",
    MapHigh "map_high",
    MapMid "map_mid",
    MapLow "map_low",
    MapMissing "map_missing",
    MapComing "map_coming",
    MapRare "map_rare",
    MapBad "map_bad",
    MapCursor "map_cursor",
    Source1 "source_1",
    Source2 "source_2",
    Source3 "source_3",
    Source4 "source_4",
    Source5 "source_5",
    Source6 "source_6",
    Key "key",
    KeyText "key_text",
    Message "message",
    Warning "warning",
    Error "error",
    Input "input",
    Dialog "dialog",
    DialogBorder "dialog_border",
    DialogTitle "dialog_title",
    Time "time",
    LogTrace "log_trace",
    LogDebug "log_debug",
    LogInfo "log_info",
    LogWarn "log_warn",
    LogError "log_error",
}

/// The themes that come with the program.
pub(crate) const BUILT_IN: &[(&str, &str)] = &[
    ("default", include_str!("../../themes/default.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("blue-orange", include_str!("../../themes/blue-orange.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

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

/// Why a theme cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// There is none of that name.
    #[error("no theme is called {name}; there are {known}")]
    Unknown {
        /// As it was asked for.
        name: String,
        /// Those there are.
        known: String,
    },
    /// It is no theme.
    #[error("theme {name}: {message}")]
    Syntax {
        /// Its name.
        name: String,
        /// What is wrong, with line and column.
        message: String,
    },
    /// It names something that has no look.
    #[error("theme {name}: there is no role {role}; the nearest is {nearest}")]
    Role {
        /// Its name.
        name: String,
        /// As it stands there.
        role: String,
        /// What was probably meant.
        nearest: &'static str,
    },
    /// It names a colour that does not exist.
    #[error("theme {name}: {color} is no colour; write a name (green, light-green, reset), 0 to 255, or #rrggbb")]
    Color {
        /// Its name.
        name: String,
        /// As it stands there.
        color: String,
    },
}

/// What each role looks like on this terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Theme(Vec<Style>);

impl Theme {
    /// The theme of this name, one of ours or of `user` (name and text of a file), at this depth.
    pub(crate) fn named(name: &str, user: &[(String, String)], depth: ColorDepth) -> Result<Self, ThemeError> {
        let name = if depth == ColorDepth::Mono { "mono" } else { name };
        let ours = BUILT_IN.iter().map(|(name, text)| (*name, *text));
        let mut all = user.iter().map(|(name, text)| (name.as_str(), text.as_str())).chain(ours);
        let Some((_, text)) = all.find(|(known, _)| *known == name) else {
            let known: Vec<&str> =
                BUILT_IN.iter().map(|(name, _)| *name).chain(user.iter().map(|(name, _)| name.as_str())).collect();
            return Err(ThemeError::Unknown { name: name.to_owned(), known: known.join(", ") });
        };
        let mut styles = vec![Style::new(); Role::ALL.len()];
        lay(&mut styles, BUILT_IN[0].0, BUILT_IN[0].1)?;
        lay(&mut styles, name, text)?;
        for style in &mut styles {
            *style = at_depth(*style, depth);
        }
        Ok(Self(styles))
    }

    /// No looks at all, to measure with.
    pub(crate) fn plain() -> Self {
        Self(vec![Style::new(); Role::ALL.len()])
    }

    /// Whether the states of the chunk map have colours of their own, as [`potluck_widgets::MapMode::HalfBlocks`] needs.
    pub(crate) fn has_map_colors(&self) -> bool {
        [Role::MapHave, Role::MapHigh, Role::MapMid, Role::MapLow, Role::MapComing]
            .iter()
            .all(|role| self.style(*role).fg.is_some_and(|color| color != Color::Reset))
    }

    /// What a role looks like.
    pub(crate) fn style(&self, role: Role) -> Style {
        self.0[role as usize]
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    fg: Option<ColorName>,
    bg: Option<ColorName>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    dim: bool,
    #[serde(default)]
    underline: bool,
    #[serde(default)]
    reverse: bool,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ColorName {
    Number(u8),
    Text(String),
}

/// Lays a theme over what is there.
fn lay(styles: &mut [Style], name: &str, text: &str) -> Result<(), ThemeError> {
    let looks: BTreeMap<String, Look> = toml::from_str(text)
        .map_err(|error| ThemeError::Syntax { name: name.to_owned(), message: error.to_string() })?;
    for (role, look) in looks {
        let Some(at) = Role::ALL.iter().position(|(_, known)| *known == role) else {
            return Err(ThemeError::Role { name: name.to_owned(), nearest: nearest(&role), role });
        };
        let mut style = Style::new();
        for (color, ground) in [(&look.fg, Ground::Front), (&look.bg, Ground::Back)] {
            let Some(color) = color else { continue };
            let color = parse(color).ok_or_else(|| ThemeError::Color { name: name.to_owned(), color: shown(color) })?;
            style = match ground {
                Ground::Front => style.fg(color),
                Ground::Back => style.bg(color),
            };
        }
        for (on, modifier) in [
            (look.bold, Modifier::BOLD),
            (look.dim, Modifier::DIM),
            (look.underline, Modifier::UNDERLINED),
            (look.reverse, Modifier::REVERSED),
        ] {
            if on {
                style = style.add_modifier(modifier);
            }
        }
        styles[at] = style;
    }
    Ok(())
}

enum Ground {
    Front,
    Back,
}

fn parse(color: &ColorName) -> Option<Color> {
    match color {
        ColorName::Number(number) => Some(Color::Indexed(*number)),
        ColorName::Text(text) => text.parse().ok(),
    }
}

fn shown(color: &ColorName) -> String {
    match color {
        ColorName::Number(number) => number.to_string(),
        ColorName::Text(text) => text.clone(),
    }
}

/// The role whose name shares the longest beginning with `role`.
fn nearest(role: &str) -> &'static str {
    let shared = |name: &str| name.chars().zip(role.chars()).take_while(|(a, b)| a == b).count();
    Role::ALL.iter().map(|(_, name)| *name).max_by_key(|name| shared(name)).unwrap_or("text")
}

fn at_depth(style: Style, depth: ColorDepth) -> Style {
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

/// The nearest of the sixteen, as most palettes have them.
fn to_16(color: Color) -> Color {
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
    let wanted = if let Color::Rgb(red, green, blue) = color {
        [red, green, blue]
    } else if let Color::Indexed(at) = color {
        let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
        match at {
            0..16 => return PALETTE[usize::from(at)].0,
            16..232 => [level((at - 16) / 36), level((at - 16) / 6 % 6), level((at - 16) % 6)],
            232.. => [8 + 10 * (at - 232); 3],
        }
    } else {
        return color;
    };
    PALETTE.iter().min_by_key(|(_, known)| distance(*known, wanted)).map_or(color, |(nearest, _)| *nearest)
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    a.iter().zip(b).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn every_theme_says_what_every_role_looks_like() {
        for (name, text) in BUILT_IN {
            let looks: BTreeMap<String, Look> = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            for (_, role) in Role::ALL {
                assert!(looks.contains_key(*role), "{name} lacks {role}");
            }
            for depth in [ColorDepth::Mono, ColorDepth::Ansi16, ColorDepth::Indexed256, ColorDepth::True] {
                Theme::named(name, &[], depth).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
    }

    #[test]
    fn without_colours_there_are_none_and_the_selection_still_shows() {
        for (name, _) in BUILT_IN {
            let theme = Theme::named(name, &[], ColorDepth::Mono).unwrap();
            for (role, name) in Role::ALL {
                let Style { fg, bg, .. } = theme.style(*role);
                assert!([fg, bg].iter().all(|color| matches!(color, None | Some(Color::Reset))), "{name}");
            }
            assert!(theme.style(Role::Selected).add_modifier.contains(Modifier::REVERSED));
        }
    }

    fn check_error(text: &str, expect: &str) {
        let user = [("mine".to_owned(), text.to_owned())];
        let error = Theme::named("mine", &user, ColorDepth::True).unwrap_err();
        assert!(error.to_string().contains(expect), "{error}");
    }

    #[test]
    fn a_user_theme_lies_over_the_default_and_says_what_is_wrong_with_it() {
        let user = [("mine".to_owned(), "ready = { fg = 99 }\nfailed = { fg = \"#ff8800\" }".to_owned())];
        let theme = Theme::named("mine", &user, ColorDepth::Indexed256).unwrap();
        let default = Theme::named("default", &[], ColorDepth::Indexed256).unwrap();
        assert_eq!(theme.style(Role::Ready).fg, Some(Color::Indexed(99)));
        assert_eq!(theme.style(Role::Failed).fg, Some(Color::Indexed(208)));
        assert_eq!(theme.style(Role::Waiting), default.style(Role::Waiting));
        check_error("redy = {}", "no role redy; the nearest is re");
        check_error("map_commin = {}", "nearest is map_coming");
        check_error("ready = { fg = \"greeen\" }", "greeen is no colour");
        check_error("ready = { fgg = 1 }", "line 1");
        let missing = Theme::named("nope", &[], ColorDepth::True).unwrap_err();
        assert!(missing.to_string().contains("default"));
    }

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
