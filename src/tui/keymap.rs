//! Keys: their names, and which action a sequence of them means on which screen. Driven by
//! [`super::update`]; knows nothing of what the actions do.

mod overlay;

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

pub use self::overlay::KeymapError;
pub(crate) use self::overlay::nearest;
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
        if let Some(number) =
            name.strip_prefix('F').and_then(|number| number.parse().ok()).filter(|n| (1..=12).contains(n))
        {
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

/// The keys of a binding: one named key, two characters pressed one after another, or any keys with blanks between.
fn sequence(text: &str) -> Option<Vec<Key>> {
    if let Some(key) = Key::named(text) {
        return Some(vec![key]);
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    match words.as_slice() {
        [] => None,
        // Longer words are names that are mistyped.
        [word] if word.chars().count() == 2 => word.chars().map(|c| Key::named(c.encode_utf8(&mut [0; 4]))).collect(),
        [_] => None,
        words => words.iter().map(|word| Key::named(word)).collect(),
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

/// Keys, and what they mean.
#[derive(Debug, Clone)]
struct Binding {
    keys: Vec<Key>,
    row: &'static ActionRow,
}

impl Binding {
    /// As the user reads it: `gg`, `Ctrl-d`, `g Enter`.
    fn text(&self) -> String {
        let names: Vec<String> = self.keys.iter().map(|key| key.name()).collect();
        let plain = names.iter().all(|name| name.chars().count() == 1);
        names.join(if plain { "" } else { " " })
    }
}

/// Which keys mean what.
#[derive(Debug, Clone)]
pub(crate) struct Keymap(Vec<Binding>);

impl Default for Keymap {
    fn default() -> Self {
        let mut bindings = Vec::new();
        for row in ACTIONS {
            for keys in row.keys {
                let keys = sequence(keys).expect("the table names keys that exist; a test sees to it");
                bindings.push(Binding { keys, row });
            }
        }
        Self(bindings)
    }
}

impl Keymap {
    /// What `pressed` means on `screen`.
    pub(crate) fn find(&self, pressed: &[Key], screen: Screen) -> Found {
        if let Some(found) = self.on(screen).find(|binding| binding.keys == pressed) {
            return Found::Action(found.row.action);
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
            .filter_map(|binding| Some((*binding.keys.strip_prefix(pressed)?.first()?, binding.row)))
            .filter(|_| !pressed.is_empty())
    }

    /// The keys of an action, as the user reads them.
    pub(crate) fn keys(&self, action: Action) -> Vec<String> {
        self.0.iter().filter(|binding| binding.row.action == action).map(Binding::text).collect()
    }

    /// The first of them, which is the one that hints show.
    pub(crate) fn shown(&self, action: Action) -> Option<String> {
        self.0.iter().find(|binding| binding.row.action == action).map(Binding::text)
    }

    /// How a sentence names the way to an action: its key, or its name in the palette.
    pub(crate) fn way(&self, action: Action) -> String {
        self.shown(action).unwrap_or_else(|| format!(":{}", super::action::row(action).name))
    }

    /// The key after which one of the actions whose names begin so is chosen.
    pub(crate) fn menu(&self, names: &str, screen: Screen) -> Option<String> {
        let chord = |binding: &&Binding| binding.keys.len() > 1 && binding.row.name.starts_with(names);
        self.on(screen).find(chord).map(|binding| binding.keys[0].name())
    }

    fn on(&self, screen: Screen) -> impl Iterator<Item = &Binding> {
        self.0.iter().filter(move |binding| binding.row.screens.contains(&screen))
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
