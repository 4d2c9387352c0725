//! Themes: what each role looks like. The code names roles, files name colours. A theme lies role by role over the one
//! it inherits, which is the default one unless it names another; what a terminal cannot show becomes the nearest it
//! can.

use std::{collections::BTreeMap, fmt};

use ratatui::style::{Color, Modifier, Style};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use toml::Spanned;

use self::depth::at_depth;
pub use self::{depth::ColorDepth, document::themes_document};
use super::keymap::nearest;

mod depth;
mod document;

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
    ("gruvbox-dark", include_str!("../../themes/gruvbox-dark.toml")),
    ("catppuccin-mocha", include_str!("../../themes/catppuccin-mocha.toml")),
    ("mono", include_str!("../../themes/mono.toml")),
];

/// Why a theme cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ThemeError {
    /// There is none of that name.
    #[error("no theme is called {name}; {}there are {known}", nearest.as_ref().map_or(String::new(), |near| format!("did you mean {near}? ")))]
    Unknown {
        /// As it was asked for.
        name: String,
        /// What was probably meant.
        nearest: Option<String>,
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
    /// It lies over itself.
    #[error(
        "theme {name} inherits itself, through others or not; a theme inherits one that comes with potluck or ends there"
    )]
    Loop {
        /// Its name.
        name: String,
    },
    /// It names something that has no look.
    #[error("theme {name}, line {line}: there is no role {role}; the nearest is {nearest}")]
    Role {
        /// Its name.
        name: String,
        /// From 1.
        line: usize,
        /// As it stands there.
        role: String,
        /// What was probably meant.
        nearest: &'static str,
    },
    /// It names a colour that does not exist.
    #[error(
        "theme {name}, line {line}: {color} is no colour; write a name (green, light-green, reset), 0 to 255, or #rrggbb"
    )]
    Color {
        /// Its name.
        name: String,
        /// From 1.
        line: usize,
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
        let mut styles = vec![Style::new(); Role::ALL.len()];
        let (first, text) = BUILT_IN[0];
        lay(&mut styles, first, text, read(first, text)?.looks)?;
        // From the one that was asked for down to what it rests on; then laid in the other order.
        let mut layers: Vec<(String, &str, File)> = Vec::new();
        let mut wanted = Some(name.to_owned());
        while let Some(name) = wanted {
            if layers.iter().any(|(below, ..)| *below == name) {
                return Err(ThemeError::Loop { name });
            }
            let text = find(&name, user)?;
            let file = read(&name, text)?;
            wanted = file.inherit.clone();
            layers.push((name, text, file));
        }
        for (name, text, file) in layers.into_iter().rev() {
            lay(&mut styles, &name, text, file.looks)?;
        }
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

/// A theme file: looks by role, and the theme they lie over, which is the default one where none is named.
#[derive(Debug, Default)]
struct File {
    inherit: Option<String>,
    looks: BTreeMap<String, Spanned<Look>>,
}

impl<'de> Deserialize<'de> for File {
    /// By hand, because a flattened map would lose the lines of mistakes.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = File;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a look for each role")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<File, A::Error> {
                let mut file = File::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "inherit" {
                        file.inherit = Some(map.next_value()?);
                    } else {
                        file.looks.insert(key, map.next_value()?);
                    }
                }
                Ok(file)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The names of all themes, ours first.
pub(crate) fn names(user: &[(String, String)]) -> Vec<String> {
    let mut names: Vec<String> = BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (name, _) in user {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    names
}

/// The text of a theme, the user's before ours.
fn find<'t>(name: &str, user: &'t [(String, String)]) -> Result<&'t str, ThemeError> {
    let ours = BUILT_IN.iter().map(|(name, text)| (*name, *text));
    let mut all = user.iter().map(|(name, text)| (name.as_str(), text.as_str())).chain(ours);
    all.find(|(known, _)| *known == name).map(|(_, text)| text).ok_or_else(|| {
        let known = names(user);
        let nearest = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
        ThemeError::Unknown { name: name.to_owned(), nearest, known: known.join(", ") }
    })
}

fn read(name: &str, text: &str) -> Result<File, ThemeError> {
    toml::from_str(text).map_err(|error| ThemeError::Syntax { name: name.to_owned(), message: error.to_string() })
}

/// Lays looks over what is there.
fn lay(styles: &mut [Style], name: &str, text: &str, looks: BTreeMap<String, Spanned<Look>>) -> Result<(), ThemeError> {
    for (role, look) in looks {
        let before = &text.as_bytes()[..look.span().start.min(text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        let look = look.into_inner();
        let Some(at) = Role::ALL.iter().position(|(_, known)| *known == role) else {
            let nearest = nearest_role(&role);
            return Err(ThemeError::Role { name: name.to_owned(), line, nearest, role });
        };
        let mut style = Style::new();
        for (color, ground) in [(&look.fg, Ground::Front), (&look.bg, Ground::Back)] {
            let Some(color) = color else { continue };
            let color =
                parse(color).ok_or_else(|| ThemeError::Color { name: name.to_owned(), line, color: shown(color) })?;
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

/// The role that was probably meant: the most alike, of those that are equally far the one that begins alike.
fn nearest_role(role: &str) -> &'static str {
    let shared = |name: &str| name.chars().zip(role.chars()).take_while(|(a, b)| a == b).count();
    let names = Role::ALL.iter().map(|(_, name)| *name);
    nearest(role, names.clone()).or_else(|| names.max_by_key(|name| shared(name))).unwrap_or("text")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{depth::rgb, *};

    #[test]
    fn every_theme_says_what_every_role_looks_like() {
        for (name, text) in BUILT_IN {
            let looks = read(name, text).unwrap_or_else(|error| panic!("{error}")).looks;
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

    /// The contrast of two colours by WCAG 2: from 1 to 21.
    fn contrast(a: Color, b: Color) -> f64 {
        let luminance = |color: Color| {
            let part = |value: u8| {
                let value = f64::from(value) / 255.0;
                if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            let [red, green, blue] = rgb(color).expect("a colour and not the terminal's own").map(part);
            0.2126 * red + 0.7152 * green + 0.0722 * blue
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn what_is_written_can_be_read() {
        // Lines and the map are shapes: 3 to 1 is enough for them, text wants 4.5.
        let shapes = [
            Role::Border,
            Role::MapMissing,
            Role::MapLow,
            Role::MapMid,
            Role::MapHigh,
            Role::Source1,
            Role::Source2,
            Role::Source3,
            Role::Source4,
            Role::Source5,
            Role::Source6,
        ];
        let mut checked = 0;
        for (name, _) in BUILT_IN {
            let theme = Theme::named(name, &[], ColorDepth::True).unwrap();
            for (role, role_name) in Role::ALL {
                let style = theme.style(*role);
                if let (Some(fg), Some(bg)) = (style.fg, style.bg)
                    && fg != Color::Reset
                    && bg != Color::Reset
                {
                    let least = if shapes.contains(role) { 3.0 } else { 4.5 };
                    let found = contrast(fg, bg);
                    assert!(found >= least, "{name}: {role_name} has {found:.2} to 1, {least} is wanted");
                    checked += 1;
                }
            }
        }
        assert!(checked > 150, "three themes set both colours of every role");
        assert!((contrast(Color::Rgb(255, 255, 255), Color::Rgb(0, 0, 0)) - 21.0).abs() < 0.01);
    }

    #[test]
    fn the_states_of_the_map_differ_in_every_theme_with_colours() {
        for (name, _) in BUILT_IN.iter().filter(|(name, _)| *name != "mono") {
            // The others say of themselves that they want more than sixteen colours.
            let for_16 = ["default", "high-contrast"].contains(name);
            for depth in [ColorDepth::Ansi16, ColorDepth::Indexed256, ColorDepth::True] {
                if depth == ColorDepth::Ansi16 && !for_16 {
                    continue;
                }
                let theme = Theme::named(name, &[], depth).unwrap();
                assert!(theme.has_map_colors(), "{name}");
                let [have, coming] = [Role::MapHave, Role::MapComing].map(|role| theme.style(role).fg);
                let parts = [Role::MapHigh, Role::MapMid, Role::MapLow].map(|role| theme.style(role).fg);
                assert_ne!(have, coming, "{name} {depth:?}");
                assert!(!parts.contains(&coming), "{name} {depth:?}: what comes looks like what is partly here");
                assert!(!parts.contains(&have), "{name} {depth:?}: what is partly here looks whole");
                let sources =
                    [Role::Source1, Role::Source2, Role::Source3, Role::Source4, Role::Source5, Role::Source6];
                let sources: Vec<_> = sources.iter().map(|role| theme.style(*role).fg).collect();
                let looks_here = |color: &Option<Color>| parts.contains(color) || *color == have;
                assert!(!sources.iter().any(looks_here), "{name} {depth:?}: what comes from a source looks here");
                for (at, color) in sources.iter().enumerate() {
                    assert!(!sources[at + 1..].contains(color), "{name} {depth:?}: two sources look alike");
                }
            }
        }
        assert!(!Theme::named("mono", &[], ColorDepth::True).unwrap().has_map_colors());
    }

    #[test]
    fn a_theme_may_inherit_another() {
        let user = [
            ("mine".to_owned(), "inherit = \"gruvbox-dark\"\nready = { fg = 99 }".to_owned()),
            ("darker".to_owned(), "inherit = \"mine\"\nwaiting = { fg = 98 }".to_owned()),
            ("a".to_owned(), "inherit = \"b\"".to_owned()),
            ("b".to_owned(), "inherit = \"a\"".to_owned()),
        ];
        let named = |name: &str| Theme::named(name, &user, ColorDepth::True);
        let (below, theme) = (named("gruvbox-dark").unwrap(), named("darker").unwrap());
        assert_eq!(theme.style(Role::Ready).fg, Some(Color::Indexed(99)));
        assert_eq!(theme.style(Role::Waiting).fg, Some(Color::Indexed(98)));
        assert_eq!(theme.style(Role::Failed), below.style(Role::Failed));
        assert!(named("a").unwrap_err().to_string().contains("inherits itself"));
        check_error("inherit = \"none\"", "no theme is called none");
        check_error("inherit = 5", "line 1");
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
        check_error("\n# mine\nredy = {}", "theme mine, line 3: there is no role redy; the nearest is ready");
        check_error("map_commin = {}", "nearest is map_coming");
        check_error("ready = { fg = \"greeen\" }", "line 1: greeen is no colour");
        check_error("ready = { fgg = 1 }", "line 1");
        let missing = Theme::named("nope", &[], ColorDepth::True).unwrap_err();
        assert!(missing.to_string().contains("default"));
        let near = Theme::named("gruvbox-dar", &[], ColorDepth::True).unwrap_err().to_string();
        assert!(near.contains("did you mean gruvbox-dark?"), "{near}");
    }
}
