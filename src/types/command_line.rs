//! A program and its arguments as a catalog names them, with places that are filled in when it is started.
//! There is no shell: every word of the list is one argument, whatever is in it. Which words are run, and
//! whether they may be, is decided by whoever starts them.

use std::fmt;

use super::clean;

/// What a place stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Player,
    Library,
    Local,
}

impl Place {
    const ALL: [(&str, Self); 3] = [("player", Self::Player), ("library", Self::Library), ("local", Self::Local)];
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Place(Place),
}

/// A program and its arguments, of which some are filled in later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// At least one.
    words: Vec<Vec<Piece>>,
}

/// What places are filled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill<'a> {
    /// `{player}`: the player's name.
    pub player: &'a str,
    /// `{library}`: the folder of the library, absolute.
    pub library: &'a str,
    /// `{local}`: the folder of the installed game, absolute.
    pub local: &'a str,
}

/// Why words are no command line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// No word, or an empty one for the program.
    #[error("names no program")]
    NoProgram,
    /// What is shown must be what is run.
    #[error("has a control character in `{word}`")]
    Control {
        /// The word, cleaned.
        word: String,
    },
    /// Nothing is known by that name.
    #[error("has `{{{name}}}`, which nothing is known for; there are {{player}}, {{library}} and {{local}}")]
    UnknownPlace {
        /// What stands between the braces, cleaned.
        name: String,
    },
    /// A brace alone.
    #[error("has a `{brace}` alone in `{word}`; a brace that is meant is written `{brace}{brace}`")]
    LoneBrace {
        /// Which.
        brace: char,
        /// The word, cleaned.
        word: String,
    },
}

/// What an error repeats of a word.
const SHOWN_CHARS_MAX: usize = 80;

impl CommandLine {
    /// Reads a list of words. `{{` and `}}` are braces that are meant.
    pub fn new(words: &[String]) -> Result<Self, CommandLineError> {
        if words.first().is_none_or(|program| program.is_empty()) {
            return Err(CommandLineError::NoProgram);
        }
        Ok(Self { words: words.iter().map(|word| pieces(word)).collect::<Result<_, _>>()? })
    }

    /// The program and its arguments, with every place filled in. What is filled in is no more free of control
    /// characters than a path is.
    pub fn fill(&self, fill: Fill<'_>) -> Result<Vec<String>, CommandLineError> {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Place(Place::Player) => fill.player.to_owned(),
            Piece::Place(Place::Library) => fill.library.to_owned(),
            Piece::Place(Place::Local) => fill.local.to_owned(),
        };
        let filled = self.words.iter().map(|pieces| pieces.iter().map(text).collect::<String>());
        filled.map(|word| uncontrolled(&word).map(|()| word)).collect()
    }
}

fn uncontrolled(word: &str) -> Result<(), CommandLineError> {
    if clean(word, usize::MAX) == word {
        Ok(())
    } else {
        Err(CommandLineError::Control { word: clean(word, SHOWN_CHARS_MAX) })
    }
}

fn pieces(word: &str) -> Result<Vec<Piece>, CommandLineError> {
    uncontrolled(word)?;
    let lone = |brace| CommandLineError::LoneBrace { brace, word: clean(word, SHOWN_CHARS_MAX) };
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut rest = word;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let brace = if rest[at..].starts_with('{') { '{' } else { '}' };
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            text.push(brace);
            rest = after;
            continue;
        }
        if brace == '}' {
            return Err(lone(brace));
        }
        let (name, after) = rest.split_once('}').ok_or_else(|| lone(brace))?;
        let place = Place::ALL.iter().find(|(known, _)| *known == name).map(|(_, place)| *place);
        let unknown = || CommandLineError::UnknownPlace { name: clean(name, SHOWN_CHARS_MAX) };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text)));
        }
        pieces.push(Piece::Place(place.ok_or_else(unknown)?));
        rest = after;
    }
    text.push_str(rest);
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    Ok(pieces)
}

/// Words as people read them: one that could be taken for another, or for several, stands in quotes.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a>(pub &'a [String]);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, word) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            let plain = |c: char| c.is_alphanumeric() || "-_./:=@%+,~".contains(c);
            if !word.is_empty() && word.chars().all(plain) {
                f.write_str(word)?;
            } else {
                write!(f, "'{}'", word.replace('\'', "'\\''"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn places_are_filled_and_braces_are_meant_when_doubled() {
        let fill = Fill { player: "seat {library} 17", library: "/games", local: "/games/x/local" };
        let check = |word: &str, expect: &str| {
            let line = CommandLine::new(&words(&["p", word])).unwrap();
            assert_eq!(line.fill(fill), Ok(words(&["p", expect])), "{word}");
        };
        check("", "");
        check("-f", "-f");
        check("+name={player}", "+name=seat {library} 17");
        check("{local}/{library}", "/games/x/local//games");
        check("{{player}}", "{player}");
        check("{{{player}}}", "{seat {library} 17}");
        check("}}{{", "}{");
        check("$(rm -rf /); `x` && \"y\"", "$(rm -rf /); `x` && \"y\"");
        let line = CommandLine::new(&words(&["{local}/run"])).unwrap();
        assert_eq!(line.fill(fill), Ok(words(&["/games/x/local/run"])));
        assert!(matches!(line.fill(Fill { local: "/a\nb", ..fill }), Err(CommandLineError::Control { .. })));
    }

    #[test]
    fn what_cannot_be_filled_is_refused() {
        let check = |list: &[&str], expect: &str| {
            let why = CommandLine::new(&words(list)).unwrap_err().to_string();
            assert!(why.contains(expect), "{list:?}: {why}");
        };
        check(&[], "names no program");
        check(&["", "x"], "names no program");
        check(&["p", "{palyer}"], "`{palyer}`, which nothing is known for; there are {player}, {library}");
        check(&["p", "{}"], "`{}`");
        check(&["p", "{player"], "a `{` alone in `{player`; a brace that is meant is written `{{`");
        check(&["p", "a}b"], "a `}` alone in `a}b`");
        check(&["p", "{{player}"], "a `}` alone");
        check(&["p\u{1b}[2J"], "control character");
        check(&["p", "\u{202e}exe"], "control character");
        check(&["p", "a\0b"], "control character");
    }

    #[test]
    fn words_are_told_apart_when_shown() {
        let check = |list: &[&str], expect: &str| assert_eq!(Words(&words(list)).to_string(), expect);
        check(&["/g/x/local/run", "-w", "a=1,2"], "/g/x/local/run -w a=1,2");
        check(&["a b", "", "it's"], "'a b' '' 'it'\\''s'");
        check(&["$HOME", "ünreal"], "'$HOME' ünreal");
    }
}
