//! What lies over a screen and takes its keys: the help, a question, a line to type.

use crate::api::{Command, Finding, GetRequest};

use super::{super::keymap::Key, completion::Choices};

/// What takes the keys.
#[derive(Debug)]
pub(crate) enum Overlay {
    /// The keys, scrolled by so many lines.
    Help {
        /// Lines above the view.
        from: usize,
    },
    /// What the doctor found, scrolled likewise.
    Doctor {
        /// In its order.
        findings: Vec<Finding>,
        /// Lines above the view.
        from: usize,
    },
    /// A question with its answers.
    Question(Question),
    /// A line to type.
    Prompt(Prompt),
    /// The line of an action's name, and which of those that match is chosen.
    Palette {
        /// What is typed.
        prompt: Prompt,
        /// From the best match.
        at: usize,
    },
}

impl Overlay {
    /// How many lines of it are above the view, where it is only read.
    pub(crate) fn scroll(&mut self) -> Option<&mut usize> {
        match self {
            Self::Help { from } | Self::Doctor { from, .. } => Some(from),
            Self::Question(_) | Self::Prompt(_) | Self::Palette { .. } => None,
        }
    }
}

/// A question. Esc is always an answer and changes nothing.
#[derive(Debug)]
pub(crate) struct Question {
    /// In the border.
    pub(crate) title: String,
    /// What is lost, and what is not.
    pub(crate) lines: Vec<String>,
    /// The answers besides Esc.
    pub(crate) answers: Vec<Answer>,
    /// What Esc does, in words.
    pub(crate) esc: &'static str,
}

/// An answer to a question.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its key.
    pub(crate) key: Key,
    /// What it does, in words.
    pub(crate) label: String,
    /// What it does.
    pub(crate) does: Deed,
}

/// What an answer does.
#[derive(Debug)]
pub(crate) enum Deed {
    /// Asks the runtime, with the name of each subject.
    Commands(Vec<(Command, String)>),
    /// Gets builds, with the title of each; asks first where they do not fit.
    Get(Vec<(GetRequest, String)>),
    /// Ends the screen.
    Quit,
    /// Ends the screen; the runtime goes on without it.
    Background,
}

/// What a typed line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// It filters while it is typed.
    Filter,
    /// A folder or archive to add.
    AddFolder,
    /// An address to connect to.
    AddAddress,
    /// The most to send.
    LimitUp,
    /// The most to receive.
    LimitDown,
    /// The name of an action, and what it wants to know.
    Action,
    /// Where games go, on the first start.
    Library,
    /// The name of a theme, which is seen while it is chosen.
    Theme,
}

impl Purpose {
    /// What stands before the line.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Filter => "/",
            Self::AddFolder => "Folder to add: ",
            Self::AddAddress => "Address to connect to: ",
            Self::LimitUp => "Send at most (like 20 MB/s, or off): ",
            Self::LimitDown => "Receive at most (like 20 MB/s, or off): ",
            Self::Action => ":",
            Self::Library => "Games go to: ",
            Self::Theme => "Theme: ",
        }
    }
}

/// A line being typed.
#[derive(Debug)]
pub(crate) struct Prompt {
    /// What for.
    pub(crate) purpose: Purpose,
    /// The line.
    pub(crate) line: TypedLine,
    /// What it was before, to go back to.
    pub(crate) before: String,
    /// What is offered for the word under the cursor.
    pub(crate) choices: Choices,
}

impl Prompt {
    /// A line that begins as this text.
    pub(crate) fn new(purpose: Purpose, text: &str) -> Self {
        Self { purpose, line: TypedLine::new(text), before: text.to_owned(), choices: Choices::default() }
    }
}

/// The path that a line means; `home` is what `~` stands for.
pub(crate) fn whole_path(line: &str, home: Option<&str>) -> Result<String, String> {
    // Shells and file managers quote what they copy.
    let text = line.trim().trim_matches(|c| c == '\'' || c == '"');
    let path = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
        (Some(_) | None, _) => text.to_owned(),
    };
    if path.starts_with('/') {
        Ok(path)
    } else {
        Err(format!("{path} is not a whole path. Begin it with / or ~/ and try again."))
    }
}

/// Longer than any path or filter that makes sense; pasted books end here.
const CHARS_MAX: usize = 4_096;

/// Text with a cursor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TypedLine {
    chars: Vec<char>,
    at: usize,
}

impl TypedLine {
    /// This text, the cursor behind it.
    pub(crate) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        Self { at: chars.len(), chars }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        self.chars.iter().collect()
    }

    /// The text before the cursor.
    pub(crate) fn before(&self) -> String {
        self.chars[..self.at].iter().collect()
    }

    /// Puts `word` in the place of the last `chars` characters before the cursor.
    pub(crate) fn replace(&mut self, chars: usize, word: &str) {
        let from = self.at.saturating_sub(chars);
        self.chars.drain(from..self.at);
        self.at = from;
        self.insert(word);
    }

    /// Puts text at the cursor; what would break the line is left out.
    pub(crate) fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.chars.len() < CHARS_MAX {
                self.chars.insert(self.at, c);
                self.at += 1;
            }
        }
    }

    /// What an editing key does; says whether it was one.
    pub(crate) fn edit(&mut self, key: Key) -> bool {
        if let Some(c) = key.typed() {
            self.insert(c.encode_utf8(&mut [0; 4]));
            return true;
        }
        match key.name().as_str() {
            "Backspace" if self.at > 0 => {
                self.at -= 1;
                self.chars.remove(self.at);
            }
            "Del" if self.at < self.chars.len() => {
                self.chars.remove(self.at);
            }
            "Left" => self.at = self.at.saturating_sub(1),
            "Right" => self.at = (self.at + 1).min(self.chars.len()),
            "Home" => self.at = 0,
            "End" | "Ctrl-e" => self.at = self.chars.len(),
            "Ctrl-u" => {
                self.chars.drain(..self.at);
                self.at = 0;
            }
            "Ctrl-w" => {
                let head = &self.chars[..self.at];
                let word_end = head.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
                let from = head[..word_end].iter().rposition(|c| *c == ' ').map_or(0, |blank| blank + 1);
                self.chars.drain(from..self.at);
                self.at = from;
            }
            "Backspace" | "Del" => {}
            _ => return false,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{super::super::keymap::tests::script, *};

    fn check(keys: &str, expect: &str) {
        let mut line = TypedLine::default();
        for key in script(keys) {
            line.edit(key);
        }
        let text = format!("{}|{}", line.before(), &line.text()[line.before().len()..]);
        assert_eq!(text, expect, "{keys}");
    }

    #[test]
    fn lines_are_edited_as_everywhere() {
        check("abc", "abc|");
        check("abc<Left><Left>X", "aX|bc");
        check("abc<Home><Del><End><Backspace>", "b|");
        check("one two<Ctrl-w>", "one |");
        check("one two  <Ctrl-w><Ctrl-w>", "|");
        check("one two<Left><Ctrl-u>", "|o");
        check("日本<Backspace>", "日|");
        check("<Backspace><Del><Left><Right>", "|");
    }

    #[test]
    fn what_is_pasted_stays_one_short_line() {
        let mut line = TypedLine::default();
        line.insert("a\nb\u{1b}[31m\r");
        assert_eq!(line.text(), "ab[31m");
        line.insert(&"x".repeat(CHARS_MAX * 2));
        assert_eq!(line.text().chars().count(), CHARS_MAX);
    }
}
