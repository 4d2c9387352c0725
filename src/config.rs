//! Files, flags and environment, into one validated value: [`Settings`]. Flags win over the
//! environment, the environment over `config.toml`; every value remembers where it came from. The
//! table in `config/table.rs` is the only list of settings: parsing, `potluck config`, the template
//! and `docs/config.md` are made from it. Creates no folder and opens nothing but the files it reads.

mod address;
mod document;
mod error;
mod file;
mod games_list;
mod libraries;
mod nearest;
mod places;
mod table;

use std::{
    env,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
};

pub use address::{PORT_DEFAULT, dial_address};
pub use document::{document, effective, effective_json, template};
pub use error::ConfigError;
pub use file::remember_library;
pub use games_list::{Mirror, read_games_list};
pub use libraries::LibraryFolder;
pub use nearest::nearest;
pub use places::Places;

use crate::types::Rate;
use table::{ROWS, Raw};

/// The design's budget for links: a room of 250 fits.
const LINKS_MAX_DEFAULT: usize = 256;

/// Everything a runtime or a face can be told, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where our own files lie.
    pub places: Places,
    /// The folders of game roots, at least one.
    pub libraries: Vec<LibraryFolder>,
    /// Where to listen; without one, port 47800 or the next free one on every address.
    pub listen: Option<SocketAddr>,
    /// The name others see.
    pub name: String,
    /// The name to play under, where it is another.
    pub player: Option<String>,
    /// Whether to look for peers, and be found, by mDNS.
    pub mdns: bool,
    /// Addresses to dial at the start, `HOST:PORT`.
    pub peers: Vec<String>,
    /// Transfers that run at a time.
    pub max_active: usize,
    /// Links that stand at a time.
    pub links_max: usize,
    /// Whether a game that was asked for in the screen is installed when it is here.
    pub install_after_get: bool,
    /// The most to send, all peers together.
    pub up_limit: Option<Rate>,
    /// The most to receive, all peers together.
    pub down_limit: Option<Rate>,
    /// What to get without being asked.
    pub mirror: Mirror,
    /// The catalog file; it need not exist unless it was named.
    pub catalog: PathBuf,
    /// What goes to the log: a level, or directives as `tracing` takes them.
    pub log: String,
    /// How the screen looks.
    pub ui: Ui,
    /// Whether this is the demo.
    pub demo: bool,
    /// Debug builds only: where to crash on purpose, from `POTLUCK_FAULT` (`commit:K`, `drop:K`).
    pub fault: Option<String>,
    /// Where each row of the table got its value.
    origins: Vec<Origin>,
}

/// How the screen looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ui {
    /// What the terminal can draw.
    pub glyphs: Glyphs,
    /// How many colours it has.
    pub color: Color,
    /// A theme's name, or the path of a theme file.
    pub theme: String,
    /// Redraws a second at most; without one 15, or 5 over SSH.
    pub fps: Option<u8>,
    /// Whether the terminal's bell rings when something is done.
    pub bell: bool,
    /// Whether the screen takes the mouse.
    pub mouse: bool,
}

/// What the terminal can draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Blocks where the locale is UTF-8, else ASCII.
    Auto,
    /// ASCII only.
    Ascii,
    /// Block elements.
    Blocks,
    /// Braille for graphs, blocks for the rest.
    Braille,
}

/// How many colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// What it says of itself.
    Auto,
    /// None.
    Mono,
    /// The sixteen of its palette.
    Ansi16,
    /// The 256 of the index.
    Indexed256,
    /// All.
    True,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A line of the config file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// An environment variable.
    Environment(String),
    /// A flag of the command line.
    Flag(&'static str),
}

/// What the command line said about settings.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--home`
    pub home: Option<PathBuf>,
    /// `--library`, any number of times
    pub libraries: Vec<PathBuf>,
    /// `--listen`
    pub listen: Option<String>,
    /// `--name`
    pub name: Option<String>,
    /// `--no-mdns`
    pub no_mdns: bool,
    /// `--peer`, any number of times
    pub peers: Vec<String>,
    /// `serve --mirror`
    pub mirror: Option<String>,
}

/// Joins flags, environment and config file.
pub fn load(flags: &Flags) -> Result<Settings, ConfigError> {
    load_with(flags, &|name| env::var_os(name))
}

/// As [`load`], with the environment given.
fn load_with(flags: &Flags, environment: &dyn Fn(&str) -> Option<OsString>) -> Result<Settings, ConfigError> {
    let home =
        flags.home.clone().or_else(|| environment("POTLUCK_HOME").filter(|home| !home.is_empty()).map(Into::into));
    let places = match home {
        Some(home) => Places::in_folder(&absolute(&home)?),
        None => Places::of_user()?,
    };
    let mut settings = Settings::new(places)?;
    let file = settings.places.config_file();
    for (row, raw, line) in file::read(&file)? {
        settings.set(row, &raw, Origin::File { path: file.clone(), line })?;
    }
    for (row, entry) in ROWS.iter().enumerate() {
        let name = entry.variable();
        if let Some(value) = environment(&name).filter(|value| !value.is_empty()) {
            let value = value.into_string().map_err(|_| ConfigError::VariableNotText { name: name.clone() })?;
            settings.set(row, &Raw::Text(value), Origin::Environment(name))?;
        }
    }
    for (key, flag, raw) in flags.rows()? {
        let row = ROWS.iter().position(|row| row.key == key).expect("every flag has a row");
        settings.set(row, &raw, Origin::Flag(flag))?;
    }
    if cfg!(debug_assertions) {
        settings.fault = environment("POTLUCK_FAULT").and_then(|fault| fault.into_string().ok());
    }
    Ok(settings)
}

/// A folder as a person types it, made absolute; `~/` is the home folder. The error says what would
/// be right.
pub fn folder(text: &str) -> Result<PathBuf, String> {
    table::folder(&Raw::Text(text.to_owned()), &Origin::Default).map_err(|why| why.0)
}

impl Settings {
    fn new(places: Places) -> Result<Self, ConfigError> {
        Ok(Self {
            libraries: vec![LibraryFolder::new(places::default_library(&places))],
            listen: None,
            name: places::host_name(),
            player: None,
            mdns: true,
            peers: Vec::new(),
            max_active: 2,
            links_max: LINKS_MAX_DEFAULT,
            install_after_get: true,
            up_limit: None,
            down_limit: None,
            mirror: Mirror::Off,
            catalog: places.config.join("catalog.toml"),
            log: "info".to_owned(),
            ui: Ui {
                glyphs: Glyphs::Auto,
                color: Color::Auto,
                theme: "default".to_owned(),
                fps: None,
                bell: true,
                mouse: false,
            },
            demo: false,
            fault: None,
            origins: vec![Origin::Default; ROWS.len()],
            places,
        })
    }

    /// The settings of a user who said nothing but `--home` and `--library`.
    pub fn fresh(home: &Path, library: PathBuf) -> Result<Self, ConfigError> {
        Ok(Self { libraries: vec![LibraryFolder::new(library)], ..Self::new(Places::in_folder(home))? })
    }

    /// The same settings with everything of ours in `home`.
    #[must_use]
    pub fn in_folder(&self, home: &Path, library: PathBuf) -> Self {
        let places = Places::in_folder(home);
        let libraries = vec![LibraryFolder::new(library)];
        Self { libraries, catalog: places.config.join("catalog.toml"), places, ..self.clone() }
    }

    /// The first library: the only one of most people.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.libraries.first().expect("there is always one").path
    }

    /// The name to play under.
    #[must_use]
    pub fn player(&self) -> &str {
        self.player.as_deref().unwrap_or(&self.name)
    }

    /// Where the value of `key` came from; keys are those of `docs/config.md`.
    #[must_use]
    pub fn origin(&self, key: &str) -> &Origin {
        let row = ROWS.iter().position(|row| row.key == key);
        row.map_or(&Origin::Default, |row| &self.origins[row])
    }

    fn set(&mut self, row: usize, raw: &Raw, origin: Origin) -> Result<(), ConfigError> {
        let entry = &ROWS[row];
        (entry.set)(self, raw, &origin).map_err(|why| ConfigError::Value {
            origin: origin.clone(),
            key: entry.key,
            value: raw.to_string(),
            why: why.0,
        })?;
        self.origins[row] = origin;
        Ok(())
    }
}

impl Flags {
    /// The flags that were given, as raw values of the rows they belong to.
    fn rows(&self) -> Result<Vec<(&'static str, &'static str, Raw)>, ConfigError> {
        let mut rows = Vec::new();
        if !self.libraries.is_empty() {
            let text = |library: &PathBuf| {
                let text = absolute(library)?.into_os_string().into_string();
                text.map_err(|path| ConfigError::NotText { path: path.into() })
            };
            rows.push(("library", "--library", Raw::List(self.libraries.iter().map(text).collect::<Result<_, _>>()?)));
        }
        if let Some(listen) = &self.listen {
            rows.push(("listen", "--listen", Raw::Text(listen.clone())));
        }
        if let Some(name) = &self.name {
            rows.push(("name", "--name", Raw::Text(name.clone())));
        }
        if self.no_mdns {
            rows.push(("mdns", "--no-mdns", Raw::Bool(false)));
        }
        if !self.peers.is_empty() {
            rows.push(("peers", "--peer", Raw::List(self.peers.clone())));
        }
        if let Some(mirror) = &self.mirror {
            rows.push(("mirror", "--mirror", Raw::Text(mirror.clone())));
        }
        Ok(rows)
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    std::path::absolute(path).map_err(|source| ConfigError::NoAbsolutePath { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests;
