//! `docs/themes.md`, made from the themes that come with the program.

use std::fmt::Write as _;

use super::BUILT_IN;

/// `docs/themes.md`. The roles and what is said of them come from the default theme, which names them all.
#[must_use]
pub fn themes_document() -> String {
    let mut text = String::from(
        "# Themes and keys\n\nMade from `themes/default.toml` and `src/tui/theme.rs`; a test fails when this page is \
         stale.\n\n`:theme` on the screen shows every theme while you choose; `theme = \"gruvbox-dark\"` below `[ui]` in \
         `config.toml` keeps it (`potluck config` names the folder). These come with potluck:\n\n",
    );
    for (name, source) in BUILT_IN {
        let about: Vec<&str> = source.lines().map_while(|line| line.strip_prefix("# ")).collect();
        let _infallible = writeln!(text, "- `{name}`: {}", about.join(" "));
    }
    text.push_str(
        "\n`NO_COLOR`, and a terminal without colours, get `mono` whatever is set. What a terminal cannot show becomes the \
         nearest it can.\n\n## Your own theme\n\nA file `themes/NAME.toml` in the config folder is the theme NAME; \
         `theme` may also be the path of a file. It lies over the one it inherits, or over `default`, so it holds only what \
         is to differ:\n\n```toml\ninherit = \"gruvbox-dark\"\n\nready = { fg = \"#8ec07c\", bold = true }\n\
         selected = { fg = \"black\", bg = 214 }\n```\n\nA look is any of `fg`, `bg`, `bold`, `dim`, `underline` and \
         `reverse`; a role that is named is all that it says, nothing of what it was. A colour is one of the sixteen names \
         (`green`, `light-green`), `reset` for the terminal's own, a number of the 256, or `#rrggbb`. A role or a colour that \
         does not exist is refused before the screen starts, with its line and the nearest that does.\n\nThe map is drawn \
         with two cells a character where `map_have`, `map_high`, `map_mid`, `map_low` and `map_coming` have colours; without, \
         with one cell a character and its glyphs. Colours of sources should differ from those.\n\n## Roles\n\n\
         | role | by default | what it is |\n|---|---|---|\n",
    );
    let lines = BUILT_IN[0].1.lines().map(str::trim);
    for (role, line) in lines.filter_map(|line| line.split_once(" = ")) {
        let (look, about) = line.split_once('#').filter(|(_, about)| about.starts_with(' ')).unwrap_or((line, ""));
        let _infallible = writeln!(text, "| `{role}` | `{}` | {} |", look.trim(), about.trim());
    }
    text.push_str(
        "\n## Your own keys\n\n`keys.toml` in the config folder lies over the default keys; [keys.md](keys.md) lists \
         every action by its name, and its keys. A line names an action and all its keys:\n\n```toml\nverify = [\"V\", \
         \"g v\"]   # either; the second is two keys after one another\nquit = [\"Ctrl-q\"]\ntrust = []              # \
         no key; it is still in the palette (`:`)\n```\n\nOne key may mean two things on two screens, but not on one, and \
         none may begin the keys of another. Ctrl-c, Ctrl-l and Ctrl-z always mean the same. What is wrong is refused before \
         anything starts, with its line and the nearest name.\n",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::{
        keymap::Keymap,
        theme::{ColorDepth, Role, Theme},
    };

    /// `docs/themes.md` is made from the themes; run with `UPDATE_DOCS=1` to make it anew.
    #[test]
    fn the_page_of_themes_is_fresh_and_names_every_role() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/themes.md");
        let document = themes_document();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, &document).unwrap();
        }
        assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), document, "run with UPDATE_DOCS=1");
        for (_, role) in Role::ALL {
            assert!(document.contains(&format!("| `{role}` |")), "{role}");
        }
        // What it shows as examples is what the program takes.
        let mut examples = document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
        let user = [("mine".to_owned(), examples.next().unwrap().to_owned())];
        assert!(Theme::named("mine", &user, ColorDepth::True).is_ok());
        assert!(Keymap::with(examples.next().unwrap()).is_ok());
    }
}
