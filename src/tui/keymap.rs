//! Keys: their names, and which action a sequence of them means on which screen. Driven by
//! [`super::update`]; knows nothing of what the actions do.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::action::{ACTIONS, Action, ActionRow, Screen};

/// A key as it is bound: Shift is part of the character, Alt is never bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    code: KeyCode,
    ctrl: bool,
}

impl Key {
    /// What a terminal's event means; `None` for releases and for what we never bind.
    pub(crate) fn of(event: KeyEvent) -> Option<Self> {
        if event.kind == KeyEventKind::Release || event.modifiers.contains(KeyModifiers::ALT) {
            return None;
        }
        let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let code = if let (KeyCode::Char(c), true) = (event.code, ctrl) {
            KeyCode::Char(c.to_ascii_lowercase())
        } else if event.code == KeyCode::Tab && event.modifiers.contains(KeyModifiers::SHIFT) {
            // Terminals send Shift-Tab as one key or as two.
            KeyCode::BackTab
        } else {
            event.code
        };
        Some(Self { code, ctrl })
    }

    /// The key of this name, as [`Self::name`] gives it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if let Some(rest) = name.strip_prefix("Ctrl-") {
            return Self::named(rest).filter(|key| !key.ctrl).map(|key| Self { ctrl: true, ..key });
        }
        if let Some((code, _)) = NAMES.iter().find(|(_, known)| *known == name) {
            return Some(Self { code: *code, ctrl: false });
        }
        if let Some(number) = name.strip_prefix('F').and_then(|number| number.parse().ok()) {
            return Some(Self { code: KeyCode::F(number), ctrl: false });
        }
        let mut chars = name.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Some(Self { code: KeyCode::Char(c), ctrl: false }),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }

    /// As the user reads it.
    pub(crate) fn name(self) -> String {
        let name = match NAMES.iter().find(|(code, _)| *code == self.code) {
            Some((_, name)) => (*name).to_owned(),
            None => self.code.to_string(),
        };
        if self.ctrl { format!("Ctrl-{name}") } else { name }
    }

    /// The character it types into a line.
    pub(crate) fn typed(self) -> Option<char> {
        self.code.as_char().filter(|_| !self.ctrl)
    }
}

const NAMES: &[(KeyCode, &str)] = &[
    (KeyCode::Enter, "Enter"),
    (KeyCode::Esc, "Esc"),
    (KeyCode::Char(' '), "Space"),
    (KeyCode::Tab, "Tab"),
    (KeyCode::BackTab, "Shift-Tab"),
    (KeyCode::Backspace, "Backspace"),
    (KeyCode::Delete, "Del"),
    (KeyCode::Up, "Up"),
    (KeyCode::Down, "Down"),
    (KeyCode::Left, "Left"),
    (KeyCode::Right, "Right"),
    (KeyCode::PageUp, "PgUp"),
    (KeyCode::PageDown, "PgDn"),
    (KeyCode::Home, "Home"),
    (KeyCode::End, "End"),
];

/// The keys of a binding: one named key, or several characters pressed one after another.
fn sequence(text: &str) -> Option<Vec<Key>> {
    match Key::named(text) {
        Some(key) => Some(vec![key]),
        None => text.chars().map(|c| Key::named(c.encode_utf8(&mut [0; 4]))).collect(),
    }
}

/// What the keys pressed so far mean.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// This.
    Action(Action),
    /// More keys must follow.
    Pending,
    /// Nothing.
    Nothing,
}

/// Which keys mean what.
#[derive(Debug)]
pub(crate) struct Keymap(Vec<(Vec<Key>, &'static ActionRow)>);

impl Default for Keymap {
    fn default() -> Self {
        let mut bindings = Vec::new();
        for row in ACTIONS {
            for keys in row.keys {
                bindings.push((sequence(keys).expect("the table names keys that exist; a test sees to it"), row));
            }
        }
        Self(bindings)
    }
}

impl Keymap {
    /// What `pressed` means on `screen`.
    pub(crate) fn find(&self, pressed: &[Key], screen: Screen) -> Found {
        if let Some((_, row)) = self.on(screen).find(|(keys, _)| keys == pressed) {
            return Found::Action(row.action);
        }
        if self.following(pressed, screen).next().is_some() { Found::Pending } else { Found::Nothing }
    }

    /// The keys that may come after `pressed`, and what they mean.
    pub(crate) fn following<'a>(
        &'a self,
        pressed: &'a [Key],
        screen: Screen,
    ) -> impl Iterator<Item = (Key, &'static ActionRow)> + 'a {
        self.on(screen)
            .filter_map(|(keys, row)| Some((*keys.strip_prefix(pressed)?.first()?, *row)))
            .filter(|_| !pressed.is_empty())
    }

    fn on(&self, screen: Screen) -> impl Iterator<Item = &(Vec<Key>, &'static ActionRow)> {
        self.0.iter().filter(move |(_, row)| row.screens.contains(&screen))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The keys of a script: names between `<>`, everything else a character a key.
    pub(crate) fn script(text: &str) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (key, left) = match rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) {
                Some((name, left)) if !name.is_empty() => (Key::named(name), left),
                Some(_) | None => {
                    let end = rest.chars().next().map_or(0, char::len_utf8);
                    (Key::named(&rest[..end]), &rest[end..])
                }
            };
            keys.push(key.unwrap_or_else(|| panic!("no key in {rest:?}")));
            rest = left;
        }
        keys
    }

    #[test]
    fn every_key_has_a_name_that_finds_it() {
        for row in ACTIONS {
            for keys in row.keys {
                for key in sequence(keys).unwrap() {
                    assert_eq!(Key::named(&key.name()), Some(key), "{keys}");
                }
            }
        }
        assert_eq!(Key::named("Ctrl-Ctrl-x"), None);
        assert_eq!(Key::named(""), None);
    }

    fn check_event(code: KeyCode, modifiers: KeyModifiers, expect: Option<&str>) {
        let key = Key::of(KeyEvent::new(code, modifiers));
        assert_eq!(key.map(Key::name).as_deref(), expect);
    }

    #[test]
    fn events_become_keys() {
        check_event(KeyCode::Char('G'), KeyModifiers::SHIFT, Some("G"));
        check_event(KeyCode::Char('D'), KeyModifiers::CONTROL, Some("Ctrl-d"));
        check_event(KeyCode::Tab, KeyModifiers::SHIFT, Some("Shift-Tab"));
        check_event(KeyCode::Char('x'), KeyModifiers::ALT, None);
        let release = KeyEvent::new_with_kind(KeyCode::Enter, KeyModifiers::NONE, KeyEventKind::Release);
        assert_eq!(Key::of(release), None);
    }

    fn check_find(screen: Screen, pressed: &str, expect: Found) {
        assert_eq!(Keymap::default().find(&script(pressed), screen), expect, "{pressed} on {}", screen.name());
    }

    #[test]
    fn keys_find_their_action_on_their_screen() {
        check_find(Screen::Library, "g", Found::Pending);
        check_find(Screen::Library, "gg", Found::Action(Action::Top));
        check_find(Screen::Library, "gx", Found::Nothing);
        check_find(Screen::Library, "a", Found::Action(Action::AddFolder));
        check_find(Screen::Peers, "a", Found::Action(Action::AddAddress));
        check_find(Screen::Log, "a", Found::Nothing);
        check_find(Screen::Log, "p", Found::Action(Action::Hold));
        check_find(Screen::Transfers, "s", Found::Pending);
        check_find(Screen::Log, "s", Found::Nothing);
        check_find(Screen::Library, "<Shift-Tab>", Found::Action(Action::PrevScreen));
    }

    #[test]
    fn what_may_follow_is_known() {
        let map = Keymap::default();
        let pressed = script("s");
        let following: String = map.following(&pressed, Screen::Library).map(|(key, _)| key.name()).collect();
        assert_eq!(following, "tvzsh");
        assert_eq!(map.following(&[], Screen::Library).count(), 0);
    }
}
