//! Lists of games in a text file: one a line, `#` begins a comment. For `get --list` and `--mirror`.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use super::ConfigError;

/// What a runtime gets without being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mirror {
    /// Nothing.
    Off,
    /// Everything.
    All,
    /// The games of a list, by id or title.
    List {
        /// Where the list was read.
        file: PathBuf,
        /// Its games, in order.
        games: Vec<String>,
    },
}

/// 5,000 games a peer of 64 bytes each, and as much for comments.
const LIST_BYTES_MAX: u64 = 1 << 20;

/// The games of the list in `path`, in order, each once.
pub fn read_games_list(path: &Path) -> Result<Vec<String>, ConfigError> {
    let text = read_text(path, LIST_BYTES_MAX)?;
    let mut games: Vec<String> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        let game = line.split_once('#').map_or(line, |(game, _)| game).trim();
        if !game.is_empty() && !games.iter().any(|known| known == game) {
            games.push(game.to_owned());
        }
    }
    Ok(games)
}

/// The text of a regular file of at most `max` bytes.
pub(super) fn read_text(path: &Path, max: u64) -> Result<String, ConfigError> {
    let failed = |source| ConfigError::Read { path: path.to_owned(), source };
    if path.metadata().map_err(failed)?.is_dir() {
        return Err(failed(io::Error::other("it is a folder")));
    }
    let mut bytes = Vec::new();
    File::open(path).map_err(failed)?.take(max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > max {
        return Err(ConfigError::TooLong { path: path.to_owned(), max });
    }
    String::from_utf8(bytes).map_err(|_| failed(io::Error::other("it is not UTF-8 text")))
}
