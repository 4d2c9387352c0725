//! Reads `catalog.toml`: what the operator of a party says about games. Titles and facts are for
//! people, a pin vouches for one build, and a gate keeps every other game out. What is started, set up
//! and kept is checked here; nothing acts on it here.
//!
//! ```toml
//! gate = true                 # only these games are announced, served and fetched
//!
//! [games.xonotic]             # the GameId: the name of the game's folder
//! title = "Xonotic"
//! genre = "shooter"
//! players = "2–16"            # or a number
//! year = 2011
//! description = "Fast and free."
//! pin = "64 hexadecimal digits"
//! launch = ["xonotic-sdl", "-fullscreen", "+name", "{player}"]
//! setup = ["setup.sh"]
//! keep = ["data/config.cfg"]  # paths below the game that an update leaves alone
//! ```

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::types::{CommandLine, CommandLineError, ContentId, GameId, LibraryEntry, PathError, PayloadPath, clean};

/// A catalog of 5,000 games with a paragraph each; more is not a catalog.
const FILE_BYTES_MAX: u64 = 4 << 20;
/// What fits one line of the details pane.
const GENRE_CHARS_MAX: usize = 40;
/// What fits the details pane.
const DESCRIPTION_CHARS_MAX: usize = 1_000;
/// Arguments of a program, or paths to keep, of one game.
const LIST_MAX: usize = 256;
/// What an argument may be long; no shell takes more.
const ARGUMENT_BYTES_MAX: usize = 4_096;
/// How alike a key must be to be what was meant, 0 to 1.
const NEAREST_LIKENESS_MIN: f64 = 0.6;

const FILE_KEYS: &[&str] = &["gate", "games"];
const GAME_KEYS: &[&str] = &["title", "genre", "players", "year", "description", "pin", "launch", "setup", "keep"];

/// What a catalog says; the default is that of a machine without one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    /// Only the games listed are announced, served and fetched.
    pub gate: bool,
    /// The games listed.
    pub games: BTreeMap<GameId, CatalogGame>,
}

/// What a catalog says about one game. Texts are cleaned and cut.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CatalogGame {
    /// The name for people.
    pub title: Option<String>,
    /// What kind of game.
    pub genre: Option<String>,
    /// How many can play, as people write it: `2–16`.
    pub players: Option<String>,
    /// When it came out.
    pub year: Option<u16>,
    /// A few sentences.
    pub description: Option<String>,
    /// The build that is meant.
    pub pin: Option<ContentId>,
    /// The program that starts the game.
    pub launch: Option<CommandLine>,
    /// The program to run once after each installation, before the game is first started.
    pub setup: Option<CommandLine>,
    /// Paths below the game that an update leaves alone.
    pub keep: Vec<PayloadPath>,
}

impl CatalogGame {
    /// `shooter · 2–16 players · 2011`, of what is known.
    #[must_use]
    pub fn about(&self) -> String {
        let players = self.players.as_ref().map(|players| {
            if players.contains(|c: char| c.is_alphabetic()) { players.clone() } else { format!("{players} players") }
        });
        let year = self.year.map(|year| year.to_string());
        [self.genre.clone(), players, year].into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

/// Why a catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file cannot be read.
    #[error("cannot read the catalog {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is too long.
    #[error("the catalog {path} has more than {max} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes allowed.
        max: u64,
    },
    /// Something in it is wrong.
    #[error("{path}, line {line}: {why}")]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what to write instead.
        why: LineError,
    },
}

/// What is wrong with a line of a catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// No TOML.
    #[error("{message}")]
    Syntax {
        /// What the parser says.
        message: String,
    },
    /// No such key.
    #[error("there is no key `{key}`{}", did_you_mean(nearest))]
    UnknownKey {
        /// The key found.
        key: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A value of another kind.
    #[error("`{key}` must be {expect}, like `{example}`; this is {found}")]
    Kind {
        /// The key.
        key: &'static str,
        /// What it takes.
        expect: &'static str,
        /// An example.
        example: &'static str,
        /// What was found.
        found: &'static str,
    },
    /// A list or an argument that is too long.
    #[error("`{key}` is too long: {max} is the most")]
    TooLong {
        /// The key.
        key: &'static str,
        /// Items or bytes allowed.
        max: usize,
    },
    /// A name no game can have.
    #[error("`{name}` cannot be a game: {source}")]
    Game {
        /// The name found.
        name: String,
        /// Why not.
        source: PathError,
    },
    /// A path no game can have.
    #[error("`{path}` in `keep`: {source}")]
    Keep {
        /// The path found.
        path: String,
        /// Why not.
        source: PathError,
    },
    /// No program that could be started.
    #[error("`{key}` {source}")]
    Command {
        /// The key.
        key: &'static str,
        /// Why not.
        source: CommandLineError,
    },
    /// No ContentId.
    #[error("`pin` must be a ContentId, 64 lower-case hexadecimal digits; `potluck manifest GAME --json` shows it")]
    Pin,
}

fn did_you_mean(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?"))
}

impl Catalog {
    /// Reads a catalog; `Ok(None)` when there is no such file.
    pub fn read(path: &Path) -> Result<Option<Self>, CatalogError> {
        let failed = |source| CatalogError::Read { path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(CatalogError::TooLong { path: path.to_owned(), max: FILE_BYTES_MAX });
        }
        let text = String::from_utf8(bytes).map_err(|_| failed(io::Error::other("it is not UTF-8 text")))?;
        Self::parse(&text).map(Some).map_err(|At { line, why }| CatalogError::Line { path: path.to_owned(), line, why })
    }

    fn parse(text: &str) -> Result<Self, At> {
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            At { line: line_of(text, start), why: LineError::Syntax { message: clean(error.message(), 200) } }
        })?;
        let mut catalog = Self::default();
        for (key, value) in table.get_ref() {
            let at = |why| At { line: line_of(text, key.span().start), why };
            match known(key.get_ref(), FILE_KEYS).map_err(at)? {
                "gate" => catalog.gate = boolean(value).map_err(at)?,
                _ => {
                    let games = table_of(value, "games", "[games.xonotic]").map_err(at)?;
                    for (name, value) in games {
                        let (id, game) = game(text, name, value)?;
                        catalog.games.insert(id, game);
                    }
                }
            }
        }
        Ok(catalog)
    }
}

/// An error and its line.
#[derive(Debug, PartialEq, Eq)]
struct At {
    line: usize,
    why: LineError,
}

type Value<'v, 't> = &'v Spanned<DeValue<'t>>;

fn game(
    text: &str,
    name: &Spanned<std::borrow::Cow<'_, str>>,
    value: Value<'_, '_>,
) -> Result<(GameId, CatalogGame), At> {
    let at = |why| At { line: line_of(text, name.span().start), why };
    let id = GameId::new(name.get_ref())
        .map_err(|source| at(LineError::Game { name: clean(name.get_ref(), 80), source }))?;
    let table = table_of(value, "games.NAME", "[games.xonotic]").map_err(at)?;
    let mut game = CatalogGame::default();
    for (key, value) in table {
        let at = |why| At { line: line_of(text, key.span().start), why };
        set(&mut game, &id, known(key.get_ref(), GAME_KEYS).map_err(at)?, value).map_err(at)?;
    }
    Ok((id, game))
}

fn set(game: &mut CatalogGame, id: &GameId, key: &'static str, value: Value<'_, '_>) -> Result<(), LineError> {
    match key {
        "title" => game.title = Some(LibraryEntry::title_of(&string(value, key, "\"Xonotic\"")?, id)),
        "genre" => game.genre = Some(clean(&string(value, key, "\"shooter\"")?, GENRE_CHARS_MAX)),
        "players" => {
            let number = integer(value).map(|number| number.to_string());
            let players = number.map_or_else(|| string(value, key, "\"2–16\""), Ok)?;
            game.players = Some(clean(&players, GENRE_CHARS_MAX));
        }
        "year" => {
            let year = integer(value).and_then(|year| u16::try_from(year).ok()); // Not a year is told below.
            game.year = Some(year.ok_or_else(|| kind(value, key, "a year", "2011"))?);
        }
        "description" => {
            game.description = Some(clean(&string(value, key, "\"Fast and free.\"")?, DESCRIPTION_CHARS_MAX));
        }
        "pin" => game.pin = Some(string(value, key, "\"ab12…\"")?.parse().map_err(|_| LineError::Pin)?),
        "launch" => game.launch = Some(command(value, key, "[\"bin/game\", \"-fullscreen\"]")?),
        "setup" => game.setup = Some(command(value, key, "[\"setup.sh\"]")?),
        _ => {
            let paths = words(value, key, "[\"data/config.cfg\"]")?;
            let path = |path: String| {
                PayloadPath::new(&path).map_err(|source| LineError::Keep { path: clean(&path, 80), source })
            };
            game.keep = paths.into_iter().map(path).collect::<Result<_, _>>()?;
        }
    }
    Ok(())
}

/// The key as one of `keys`.
fn known(key: &str, keys: &[&'static str]) -> Result<&'static str, LineError> {
    keys.iter().find(|known| **known == key).copied().ok_or_else(|| {
        let like = |known: &str| strsim::normalized_damerau_levenshtein(&key.to_lowercase(), known);
        let best = keys.iter().max_by(|a, b| like(a).total_cmp(&like(b)));
        let nearest = best.filter(|best| like(best) >= NEAREST_LIKENESS_MIN).copied();
        LineError::UnknownKey { key: clean(key, 80), nearest }
    })
}

fn table_of<'v, 't>(
    value: Value<'v, 't>,
    key: &'static str,
    example: &'static str,
) -> Result<&'v DeTable<'t>, LineError> {
    value.get_ref().as_table().ok_or_else(|| kind(value, key, "a table", example))
}

fn boolean(value: Value<'_, '_>) -> Result<bool, LineError> {
    value.get_ref().as_bool().ok_or_else(|| kind(value, "gate", "true or false", "true"))
}

fn string(value: Value<'_, '_>, key: &'static str, example: &'static str) -> Result<String, LineError> {
    value.get_ref().as_str().map(str::to_owned).ok_or_else(|| kind(value, key, "text in quotes", example))
}

fn integer(value: Value<'_, '_>) -> Option<i64> {
    let number = value.get_ref().as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok() // Too large a number is no year and no count.
}

fn command(value: Value<'_, '_>, key: &'static str, example: &'static str) -> Result<CommandLine, LineError> {
    CommandLine::new(&words(value, key, example)?).map_err(|source| LineError::Command { key, source })
}

/// One text, or a list of them.
fn words(value: Value<'_, '_>, key: &'static str, example: &'static str) -> Result<Vec<String>, LineError> {
    let wrong = || kind(value, key, "a list of texts", example);
    let words: Vec<String> = match value.get_ref() {
        DeValue::String(word) => vec![word.clone().into_owned()],
        DeValue::Array(items) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            texts.collect::<Option<_>>().ok_or_else(wrong)?
        }
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Table(_) => {
            return Err(wrong());
        }
    };
    if words.len() > LIST_MAX {
        return Err(LineError::TooLong { key, max: LIST_MAX });
    }
    if words.iter().any(|word| word.len() > ARGUMENT_BYTES_MAX) {
        return Err(LineError::TooLong { key, max: ARGUMENT_BYTES_MAX });
    }
    Ok(words)
}

fn kind(value: Value<'_, '_>, key: &'static str, expect: &'static str, example: &'static str) -> LineError {
    LineError::Kind { key, expect, example, found: value.get_ref().type_str() }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, line: usize, expect: &str) {
        let At { line: found, why } = Catalog::parse(text).unwrap_err();
        assert_eq!((found, why.to_string().as_str()), (line, expect), "{text}");
    }

    #[test]
    fn reads_all_it_knows() {
        let pin = ContentId::from_bytes([0xab; 32]);
        let text = format!(
            "gate = true\n[games.xonotic]\ntitle = \"Xono\\u001btic\"\ngenre = \"shooter\"\nplayers = \"2–16\"\n\
             year = 2011\ndescription = \"Fast.\"\npin = \"{pin}\"\nlaunch = [\"bin/x\", \"{{player}}\"]\nsetup = \"s.sh\"\n\
             keep = [\"data/config.cfg\"]\n[games.\"Half-Life 2\"]\nplayers = 8\n"
        );
        let catalog = Catalog::parse(&text).unwrap();
        assert!(catalog.gate);
        let game = &catalog.games[&GameId::new("xonotic").unwrap()];
        let expect = CatalogGame {
            title: Some("Xonotic".to_owned()),
            genre: Some("shooter".to_owned()),
            players: Some("2–16".to_owned()),
            year: Some(2011),
            description: Some("Fast.".to_owned()),
            pin: Some(pin),
            launch: Some(CommandLine::new(&["bin/x".to_owned(), "{player}".to_owned()]).unwrap()),
            setup: Some(CommandLine::new(&["s.sh".to_owned()]).unwrap()),
            keep: vec![PayloadPath::new("data/config.cfg").unwrap()],
        };
        assert_eq!(game, &expect);
        assert_eq!(game.about(), "shooter · 2–16 players · 2011");
        assert_eq!(catalog.games[&GameId::new("Half-Life 2").unwrap()].about(), "8 players");
        assert_eq!(Catalog::parse("").unwrap(), Catalog::default());
    }

    #[test]
    fn mistakes_name_the_line_and_the_nearest_key() {
        check("# games\ngaet = true\n", 2, "there is no key `gaet`; did you mean `gate`?");
        check("[games.x]\ntitel = \"X\"\n", 2, "there is no key `titel`; did you mean `title`?");
        check("[games.x]\n\nfavourite = 1\n", 3, "there is no key `favourite`");
        check("\"\\u001b[2J\" = 1", 1, "there is no key `[2J`");
        check("gate = \"yes\"", 1, "`gate` must be true or false, like `true`; this is string");
        check("games = 7", 1, "`games` must be a table, like `[games.xonotic]`; this is integer");
        check("[games]\nx = 7", 2, "`games.NAME` must be a table, like `[games.xonotic]`; this is integer");
        check("[games.x]\nyear = 99999999", 2, "`year` must be a year, like `2011`; this is integer");
        check("[games.x]\ntitle = 7", 2, "`title` must be text in quotes, like `\"Xonotic\"`; this is integer");
        check(
            "[games.x]\nlaunch = [1]",
            2,
            "`launch` must be a list of texts, like `[\"bin/game\", \"-fullscreen\"]`; this is array",
        );
        check("[games.x]\n\nsetup = []", 3, "`setup` names no program");
        check(
            "[games.x]\nlaunch = [\"x\", \"{palyer}\"]",
            2,
            "`launch` has `{palyer}`, which nothing is known for; there are {player}, {library} and {local}",
        );
        check(
            "[games.x]\npin = \"abc\"",
            2,
            "`pin` must be a ContentId, 64 lower-case hexadecimal digits; `potluck manifest GAME --json` shows it",
        );
        check("[games.x]\nkeep = [\"../y\"]", 2, "`../y` in `keep`: the path has a `.` or `..` part");
        check(
            "\n[games.\"a/b\"]\n",
            2,
            "`a/b` cannot be a game: the path has the character `/`, which not every file system can store",
        );
        let Err(At { line: 2, why: LineError::Syntax { .. } }) = Catalog::parse("gate = true\ngames = [\n") else {
            panic!("no syntax error on line 2");
        };
    }

    #[test]
    fn a_file_that_is_not_there_is_no_catalog_and_a_bad_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.toml");
        assert_eq!(Catalog::read(&path).unwrap(), None);
        std::fs::write(&path, b"\xff").unwrap();
        let error = Catalog::read(&path).unwrap_err().to_string();
        assert!(error.contains("catalog.toml") && error.contains("UTF-8"), "{error}");
        std::fs::write(&path, "gaet = 1").unwrap();
        let error = Catalog::read(&path).unwrap_err().to_string();
        assert!(error.ends_with("catalog.toml, line 1: there is no key `gaet`; did you mean `gate`?"), "{error}");
        assert!(Catalog::read(folder.path()).is_err());
    }
}
