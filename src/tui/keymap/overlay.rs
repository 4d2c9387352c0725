//! The user's own keys: `keys.toml` in the config folder, laid over the defaults. A line names an action and the keys it
//! is to have, all of them; an empty list leaves it none. What is wrong is refused with its line, like any setting.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::{Binding, Key, Keymap, NAMES, sequence};
use crate::tui::action::{ACTIONS, Action, ActionRow, Screen};

/// Keys that mean the same whatever lies over the screen, so that nobody is ever locked in.
const FIXED: &[(&str, Action)] =
    &[("Ctrl-c", Action::Interrupt), ("Ctrl-l", Action::Redraw), ("Ctrl-z", Action::Suspend)];

/// What is wrong with the user's keys. Every message names the line and the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// Not TOML.
    #[error("line {line}: {message}")]
    Syntax {
        /// From 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// An action that does not exist.
    #[error("line {line}: there is no action `{name}`{}", did_you_mean(nearest.as_deref(), "docs/keys.md lists them all"))]
    UnknownAction {
        /// From 1.
        line: usize,
        /// As written.
        name: String,
        /// The action that was meant, if one is near.
        nearest: Option<String>,
    },
    /// A value that is no list of keys.
    #[error("line {line}: `{name}` wants a list of keys, like [\"x\", \"Ctrl-x\"], or [] for none")]
    NotKeys {
        /// From 1.
        line: usize,
        /// The action.
        name: &'static str,
    },
    /// A key that does not exist.
    #[error("line {line}: `{key}` is no key{}", did_you_mean(nearest.as_deref(), "keys after one another are written with blanks, like \"g x\""))]
    UnknownKey {
        /// From 1.
        line: usize,
        /// As written.
        key: String,
        /// The key that was meant, if one is near.
        nearest: Option<String>,
    },
    /// A key that always means something else.
    #[error("line {line}: {key} is always `{action}`, whatever is on the screen; take another key")]
    Fixed {
        /// From 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// What it means.
        action: &'static str,
    },
    /// Two actions on one key.
    #[error("line {line}: {key} is `{name}` here and `{other}` too, on {screen}; give `{other}` other keys, or none")]
    Conflict {
        /// From 1.
        line: usize,
        /// The keys.
        key: String,
        /// The action of this line.
        name: &'static str,
        /// The other one.
        other: &'static str,
        /// Where both work.
        screen: &'static str,
    },
    /// Keys that can never be pressed to their end.
    #[error(
        "line {line}: {longer} (`{name_longer}`) cannot be reached on {screen}, because {shorter} (`{name_shorter}`) comes first; \
         change one of them"
    )]
    Hidden {
        /// From 1; the line of either.
        line: usize,
        /// The keys that are hidden.
        longer: String,
        /// Their action.
        name_longer: &'static str,
        /// The keys that hide them.
        shorter: String,
        /// Their action.
        name_shorter: &'static str,
        /// Where both work.
        screen: &'static str,
    },
}

fn did_you_mean(nearest: Option<&str>, else_say: &str) -> String {
    match nearest {
        Some(word) => format!("; did you mean `{word}`?"),
        None => format!("; {else_say}"),
    }
}

impl Keymap {
    /// The defaults with what `text`, a `keys.toml`, says of them.
    pub(crate) fn with(text: &str) -> Result<Self, KeymapError> {
        let line_of =
            |offset: usize| 1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count();
        let table = DeTable::parse(text).map_err(|error| KeymapError::Syntax {
            line: line_of(error.span().map_or(0, |span| span.start)),
            message: crate::types::clean(error.message(), 200),
        })?;
        let mut lines: BTreeMap<Action, usize> = BTreeMap::new();
        let mut bindings = Self::default().0;
        for (name, value) in table.get_ref() {
            let line = line_of(name.span().start);
            let row = row_named(name.get_ref(), line)?;
            lines.insert(row.action, line);
            bindings.retain(|binding| binding.row.action != row.action || is_fixed(binding));
            for text in keys_of(value.get_ref()).ok_or(KeymapError::NotKeys { line, name: row.name })? {
                let keys = keys_named(text, line)?;
                if let Some((key, action)) = FIXED.iter().find(|(key, _)| Key::named(key) == keys.first().copied()) {
                    if *action == row.action {
                        continue;
                    }
                    return Err(KeymapError::Fixed { line, key, action: super::super::action::row(*action).name });
                }
                bindings.push(Binding { keys, row });
            }
        }
        check(&bindings, &lines)?;
        // As the table lists them, whatever the order of the file: help and hints show the first key.
        let place = |binding: &Binding| ACTIONS.iter().position(|row| row.action == binding.row.action);
        bindings.sort_by_key(place);
        Ok(Self(bindings))
    }
}

fn is_fixed(binding: &Binding) -> bool {
    FIXED.iter().any(|(key, action)| *action == binding.row.action && binding.keys == Key::named(key).as_slice())
}

fn row_named(name: &str, line: usize) -> Result<&'static ActionRow, KeymapError> {
    ACTIONS.iter().find(|row| row.name == name).ok_or_else(|| KeymapError::UnknownAction {
        line,
        name: crate::types::clean(name, 40),
        nearest: nearest(name, ACTIONS.iter().map(|row| row.name)).map(str::to_owned),
    })
}

/// The texts of a list, or the one text.
fn keys_of<'v>(value: &'v DeValue<'_>) -> Option<Vec<&'v str>> {
    match value {
        DeValue::String(text) => Some(vec![text]),
        DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str()).collect(),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            None
        }
    }
}

fn keys_named(text: &str, line: usize) -> Result<Vec<Key>, KeymapError> {
    if let Some(keys) = sequence(text) {
        return Ok(keys);
    }
    let wrong = text.split_whitespace().find(|word| sequence(word).is_none()).unwrap_or(text);
    // What stands behind Ctrl- may be the mistake, or Ctrl- itself.
    let ctrl = ('a'..='z').map(|c| format!("Ctrl-{c}"));
    let known: Vec<String> = NAMES.iter().map(|(_, name)| (*name).to_owned()).chain(ctrl).collect();
    let key = crate::types::clean(wrong, 20);
    Err(KeymapError::UnknownKey {
        line,
        nearest: nearest(wrong, known.iter().map(String::as_str)).map(str::to_owned),
        key,
    })
}

/// The candidate with the fewest mistakes, if they are few.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const MISTAKES_MAX: usize = 3;
    let lower = word.to_lowercase();
    let measured = candidates.map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate));
    let (mistakes, candidate) = measured.min_by_key(|(mistakes, _)| *mistakes)?;
    (mistakes <= MISTAKES_MAX && mistakes * 2 < word.chars().count().max(2)).then_some(candidate)
}

/// On every screen each key means one thing, and nothing begins with a key that means something by itself.
fn check(bindings: &[Binding], lines: &BTreeMap<Action, usize>) -> Result<(), KeymapError> {
    for (at, one) in bindings.iter().enumerate() {
        for other in bindings.iter().skip(at + 1) {
            let together = |screen: &&Screen| one.row.screens.contains(screen) && other.row.screens.contains(screen);
            let Some(screen) = Screen::ALL.iter().find(together) else { continue };
            let (shorter, longer) = if one.keys.len() <= other.keys.len() { (one, other) } else { (other, one) };
            // The defaults agree with one another, so a line of the file is at least one of the two.
            let mine = |binding: &Binding| lines.get(&binding.row.action).copied();
            let (Some(line), true) = (mine(other).or_else(|| mine(one)), longer.keys.starts_with(&shorter.keys)) else {
                continue;
            };
            if longer.keys.len() == shorter.keys.len() {
                let (name, other) = if mine(other).is_some() { (other, one) } else { (one, other) };
                return Err(KeymapError::Conflict {
                    line,
                    key: name.text(),
                    name: name.row.name,
                    other: other.row.name,
                    screen: screen.name(),
                });
            }
            return Err(KeymapError::Hidden {
                line,
                longer: longer.text(),
                name_longer: longer.row.name,
                shorter: shorter.text(),
                name_shorter: shorter.row.name,
                screen: screen.name(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::keymap::{Found, tests::script};

    fn check_find(text: &str, screen: Screen, pressed: &str, expect: Found) {
        let map = Keymap::with(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(map.find(&script(pressed), screen), expect, "{text}: {pressed}");
    }

    #[test]
    fn a_file_is_laid_over_the_defaults() {
        check_find("", Screen::Library, "r", Found::Action(Action::Verify));
        check_find("verify = [\"V\", \"Ctrl-v\"]", Screen::Library, "V", Found::Action(Action::Verify));
        check_find("verify = [\"V\", \"Ctrl-v\"]", Screen::Library, "<Ctrl-v>", Found::Action(Action::Verify));
        check_find("verify = [\"V\"]", Screen::Library, "r", Found::Nothing);
        check_find("verify = []", Screen::Library, "r", Found::Nothing);
        check_find("verify = \"V\"", Screen::Library, "V", Found::Action(Action::Verify));
        check_find("verify = [\"g v\"]", Screen::Library, "gv", Found::Action(Action::Verify));
        check_find("verify = [\"Space\"]\nmark = [\"r\"]", Screen::Library, "<Space>", Found::Action(Action::Verify));
        // Nobody is locked in.
        check_find("interrupt = []\nquit = []", Screen::Library, "<Ctrl-c>", Found::Action(Action::Interrupt));
        // The same key may mean two things on two screens.
        check_find("hold = [\"r\"]", Screen::Log, "r", Found::Action(Action::Hold));
    }

    #[test]
    fn what_is_shown_are_the_keys_in_force() {
        let map = Keymap::with("quit = [\"X\"]\nhelp = []\nverify = [\"g v\", \"V\"]").unwrap();
        assert_eq!(map.shown(Action::Quit).as_deref(), Some("X"));
        assert_eq!(map.shown(Action::Help), None);
        assert_eq!(map.keys(Action::Verify), ["gv", "V"]);
        assert_eq!(Keymap::default().keys(Action::Top), ["gg", "Home"]);
    }

    fn check_refused(text: &str, expect: &str) {
        let error = Keymap::with(text).expect_err(text).to_string();
        assert_eq!(error, expect);
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line() {
        check_refused("\n\nverfy = [\"V\"]", "line 3: there is no action `verfy`; did you mean `verify`?");
        check_refused("fly = []", "line 1: there is no action `fly`; docs/keys.md lists them all");
        check_refused("quit = [\"Crtl-q\"]", "line 1: `Crtl-q` is no key; did you mean `Ctrl-q`?");
        check_refused("quit = [\"g Entr\"]", "line 1: `Entr` is no key; did you mean `Enter`?");
        check_refused(
            "quit = [\"blah\"]",
            "line 1: `blah` is no key; keys after one another are written with blanks, like \"g x\"",
        );
        check_refused(
            "quit = []\nhelp = 3",
            "line 2: `help` wants a list of keys, like [\"x\", \"Ctrl-x\"], or [] for none",
        );
        check_refused(
            "help = [\"Ctrl-c\"]",
            "line 1: Ctrl-c is always `interrupt`, whatever is on the screen; take another key",
        );
        check_refused(
            "quit = [\"r\"]",
            "line 1: r is `quit` here and `verify` too, on Library; give `verify` other keys, or none",
        );
        check_refused(
            "# mine\nquit = [\"g\"]",
            "line 2: gg (`top`) cannot be reached on Library, because g (`quit`) comes first; change one of them",
        );
        check_refused(
            "verify = [\"q v\"]",
            "line 1: qv (`verify`) cannot be reached on Library, because q (`quit`) comes first; change one of them",
        );
        let error = Keymap::with("quit = [").expect_err("no TOML").to_string();
        assert!(error.starts_with("line 1: "), "{error}");
    }
}
