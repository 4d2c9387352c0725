//! The table of settings: one row each, from which everything that lists settings is made.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::{Color, Glyphs, Mirror, Origin, Settings, address, games_list, libraries, places};
use crate::types::{PeerName, Rate, clean};

/// One setting.
pub(super) struct Row {
    /// Its name in the config file; before a dot, its section.
    pub(super) key: &'static str,
    /// Its flag, if it has one.
    pub(super) flag: Option<&'static str>,
    /// What its value is, for people.
    pub(super) kind: &'static str,
    /// What it is when nobody says anything, for people.
    pub(super) default: &'static str,
    /// A value as TOML, for the template.
    pub(super) example: &'static str,
    /// What it does; whole sentences.
    pub(super) help: &'static str,
    pub(super) set: fn(&mut Settings, &Raw, &Origin) -> Result<(), Why>,
    /// The value as TOML; empty when there is none.
    pub(super) show: fn(&Settings) -> String,
}

impl Row {
    /// The environment variable.
    pub(super) fn variable(&self) -> String {
        format!("POTLUCK_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }
}

/// Why a value does not fit.
#[derive(Debug)]
pub(super) struct Why(pub(super) String);

/// A value as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Text(String),
    Bool(bool),
    Number(i64),
    List(Vec<String>),
    Tables(Vec<Vec<(String, Raw)>>),
}

/// More than any game shows over a player's head.
const PLAYER_CHARS_MAX: usize = 64;

pub(super) const ROWS: &[Row] = &[
    Row {
        key: "library",
        flag: Some("--library"),
        kind: "a folder, or [[library]] tables",
        default: "~/Games",
        example: "\"~/Games\"",
        help: "The folder of games: one folder in it for each game. The default one is made; one named here must exist. \
            For several, write at the end of the file a [[library]] for each, with `path` and, if you like, `min_free`, \
            like \"20 GB\", for what is to stay free on its disk. A new game goes to the first that has room for it; \
            one that is not there, like a disk that is not plugged in, is waited for.",
        set: |settings, raw, origin| libraries::read(raw, origin).map(|read| settings.libraries = read),
        show: |settings| libraries::show(&settings.libraries),
    },
    Row {
        key: "name",
        flag: Some("--name"),
        kind: "a text of at most 32 characters",
        default: "the machine's host name",
        example: "\"seat-17\"",
        help: "The name others see. It need not be unique and proves nothing.",
        set: |settings, raw, _| {
            let text = text(raw)?;
            if PeerName::new(text).as_str() != text.trim() || text.trim() == "?" {
                return Err(Why("use 1 to 32 visible characters".to_owned()));
            }
            settings.name = text.trim().to_owned();
            Ok(())
        },
        show: |settings| quoted(&settings.name),
    },
    Row {
        key: "player",
        flag: None,
        kind: "a text of at most 64 characters",
        default: "the same as `name`",
        example: "\"Zoe\"",
        help: "What the catalog's `{player}` stands for when a game is started.",
        set: |settings, raw, _| {
            let text = text(raw)?.trim();
            if text.is_empty() || clean(text, PLAYER_CHARS_MAX) != text {
                return Err(Why(format!("use 1 to {PLAYER_CHARS_MAX} visible characters")));
            }
            settings.player = Some(text.to_owned());
            Ok(())
        },
        show: |settings| quoted(settings.player()),
    },
    Row {
        key: "listen",
        flag: Some("--listen"),
        kind: "IP:PORT or a port",
        default: "port 47800 on every address, or the next free port",
        example: "\"0.0.0.0:47800\"",
        help: "Where to listen for peers (UDP). A port given here is used or refused; no other one is tried.",
        set: |settings, raw, _| match raw {
            Raw::Number(port) => address::listen_address(&port.to_string()).map(|addr| settings.listen = Some(addr)),
            Raw::Text(_) | Raw::Bool(_) | Raw::List(_) | Raw::Tables(_) => {
                address::listen_address(text(raw)?).map(|addr| settings.listen = Some(addr))
            }
        },
        show: |settings| settings.listen.map_or_else(String::new, |addr| quoted(&addr.to_string())),
    },
    Row {
        key: "mdns",
        flag: Some("--no-mdns"),
        kind: "true or false",
        default: "true",
        example: "true",
        help: "Whether to look for peers on this network, and be found there. Without it, name at least one peer.",
        set: |settings, raw, _| switch(raw).map(|yes| settings.mdns = yes),
        show: |settings| settings.mdns.to_string(),
    },
    Row {
        key: "peers",
        flag: Some("--peer"),
        kind: "a list of HOST:PORT",
        default: "none",
        example: "[\"10.0.3.2:47800\"]",
        help: "Addresses to dial at the start. One that answers brings in everybody it knows, also across subnets.",
        set: |settings, raw, _| {
            let peers = list(raw)?;
            settings.peers =
                peers.iter().map(|peer| address::dial_address(peer)).collect::<Result<_, _>>().map_err(Why)?;
            Ok(())
        },
        show: |settings| toml_list(&settings.peers),
    },
    Row {
        key: "max_active",
        flag: None,
        kind: "a number from 1 to 16",
        default: "2",
        example: "2",
        help: "How many transfers run at a time; the others wait for their turn.",
        set: |settings, raw, _| number(raw, 1, 16).map(|count| settings.max_active = count as usize),
        show: |settings| settings.max_active.to_string(),
    },
    Row {
        key: "links_max",
        flag: None,
        kind: "a number from 16 to 512",
        default: "256",
        example: "256",
        help: "How many links to peers may stand at a time. A peer mostly has one, so a room of 250 fits; for a larger \
               one raise it on the machines that everybody gets from. A link takes about 0.1 MB of memory.",
        set: |settings, raw, _| number(raw, 16, 512).map(|count| settings.links_max = count as usize),
        show: |settings| settings.links_max.to_string(),
    },
    Row {
        key: "after_get",
        flag: None,
        kind: "\"install\" or \"nothing\"",
        default: "install",
        example: "\"nothing\"",
        help: "What follows when a game that was asked for in the screen is all here: it is installed, or nothing. On \
               the command line a game is installed only by `get --install`; what `mirror` gets is not installed.",
        set: |settings, raw, _| {
            settings.install_after_get = match text(raw)? {
                "install" => true,
                "nothing" => false,
                _ => return Err(Why("write \"install\" or \"nothing\"".to_owned())),
            };
            Ok(())
        },
        show: |settings| quoted(if settings.install_after_get { "install" } else { "nothing" }),
    },
    Row {
        key: "up_limit",
        flag: None,
        kind: "a rate of at least 1 MiB/s, or \"none\"",
        default: "none",
        example: "\"60 MB/s\"",
        help: "The most to send, all peers together.",
        set: |settings, raw, _| limit(raw).map(|rate| settings.up_limit = rate),
        show: |settings| settings.up_limit.map_or_else(String::new, |rate| quoted(&rate.to_string())),
    },
    Row {
        key: "down_limit",
        flag: None,
        kind: "a rate of at least 1 MiB/s, or \"none\"",
        default: "none",
        example: "\"60 MB/s\"",
        help: "The most to receive, all peers together.",
        set: |settings, raw, _| limit(raw).map(|rate| settings.down_limit = rate),
        show: |settings| settings.down_limit.map_or_else(String::new, |rate| quoted(&rate.to_string())),
    },
    Row {
        key: "mirror",
        flag: Some("--mirror"),
        kind: "\"all\", \"none\" or a file",
        default: "none",
        example: "\"all\"",
        help: "What to get without being asked: everything, or the games listed in a file, one a line by id or title; \
               `#` begins a comment. The flag belongs to `serve`.",
        set: |settings, raw, origin| {
            settings.mirror = match text(raw)? {
                "none" => Mirror::Off,
                "all" => Mirror::All,
                _ => {
                    let file = folder(raw, origin)?;
                    let games = games_list::read_games_list(&file).map_err(|error| Why(error.to_string()))?;
                    Mirror::List { file, games }
                }
            };
            Ok(())
        },
        show: |settings| match &settings.mirror {
            Mirror::Off => String::new(),
            Mirror::All => quoted("all"),
            Mirror::List { file, .. } => quoted(&file.to_string_lossy()),
        },
    },
    Row {
        key: "catalog",
        flag: None,
        kind: "a file",
        default: "catalog.toml beside the config file",
        example: "\"catalog.toml\"",
        help: "Titles and other facts about games, and with `gate = true` the only games this machine deals with.",
        set: |settings, raw, origin| {
            let file = folder(raw, origin)?;
            if !file.is_file() {
                return Err(Why("there is no such file".to_owned()));
            }
            settings.catalog = file;
            Ok(())
        },
        show: |settings| quoted(&settings.catalog.to_string_lossy()),
    },
    Row {
        key: "log",
        flag: None,
        kind: "off, error, warn, info, debug, trace or tracing directives",
        default: "info",
        example: "\"info\"",
        help: "What goes to the log files, of which there is one a day, and with `serve` to the standard error output.",
        set: |settings, raw, _| {
            let text = text(raw)?;
            let is_level = LEVELS.contains(&text);
            let is_directive = text.contains('=') && tracing_subscriber::EnvFilter::try_new(text).is_ok();
            if !is_level && !is_directive {
                return Err(Why(format!("write one of {}, or directives like `potluck=debug`", LEVELS.join(", "))));
            }
            settings.log = text.to_owned();
            Ok(())
        },
        show: |settings| quoted(&settings.log),
    },
    Row {
        key: "ui.glyphs",
        flag: None,
        kind: "auto, ascii, blocks or braille",
        default: "auto: blocks where the locale is UTF-8, else ascii",
        example: "\"auto\"",
        help: "What the terminal can draw.",
        set: |settings, raw, _| {
            let word = text(raw)?;
            let found = GLYPHS.iter().find(|(name, _)| *name == word);
            settings.ui.glyphs = found
                .map(|(_, glyphs)| *glyphs)
                .ok_or_else(|| Why("write auto, ascii, blocks or braille".to_owned()))?;
            Ok(())
        },
        show: |settings| {
            let word = GLYPHS.iter().find(|(_, glyphs)| *glyphs == settings.ui.glyphs);
            quoted(word.map_or("auto", |(name, _)| name))
        },
    },
    Row {
        key: "ui.color",
        flag: None,
        kind: "auto, mono, 16, 256 or true",
        default: "auto: by COLORTERM and the terminfo database, else 256",
        example: "\"auto\"",
        help: "How many colours the terminal has. NO_COLOR in the environment means mono in any case.",
        set: |settings, raw, _| {
            let word = match raw {
                Raw::Number(number) => number.to_string(),
                Raw::Text(_) | Raw::Bool(_) | Raw::List(_) | Raw::Tables(_) => text(raw)?.to_owned(),
            };
            let found = COLORS.iter().find(|(name, _)| *name == word);
            settings.ui.color = found
                .map(|(_, color)| *color)
                .ok_or_else(|| Why("write \"auto\", \"mono\", \"16\", \"256\" or \"true\"".to_owned()))?;
            Ok(())
        },
        show: |settings| {
            let word = COLORS.iter().find(|(_, color)| *color == settings.ui.color);
            quoted(word.map_or("auto", |(name, _)| name))
        },
    },
    Row {
        key: "ui.theme",
        flag: None,
        kind: "a theme's name or file",
        default: "default: the terminal's own palette",
        example: "\"default\"",
        help: "The colours of the screen.",
        set: |settings, raw, _| {
            let text = text(raw)?.trim();
            if text.is_empty() {
                return Err(Why("it is empty; write \"default\"".to_owned()));
            }
            settings.ui.theme = text.to_owned();
            Ok(())
        },
        show: |settings| quoted(&settings.ui.theme),
    },
    Row {
        key: "ui.fps",
        flag: None,
        kind: "a number from 1 to 60",
        default: "15, over SSH 5",
        example: "15",
        help: "How often a second the screen shows what is new; keys are answered at once in any case.",
        set: |settings, raw, _| number(raw, 1, 60).map(|fps| settings.ui.fps = Some(fps as u8)),
        show: |settings| settings.ui.fps.map_or_else(String::new, |fps| fps.to_string()),
    },
    Row {
        key: "ui.bell",
        flag: None,
        kind: "true or false",
        default: "true",
        example: "true",
        help: "Whether the terminal's bell rings when something is done.",
        set: |settings, raw, _| switch(raw).map(|yes| settings.ui.bell = yes),
        show: |settings| settings.ui.bell.to_string(),
    },
    Row {
        key: "ui.mouse",
        flag: None,
        kind: "true or false",
        default: "false",
        example: "true",
        help: "Whether the screen takes the mouse: the wheel scrolls and a click selects, and the terminal then selects text only with Shift.",
        set: |settings, raw, _| switch(raw).map(|yes| settings.ui.mouse = yes),
        show: |settings| settings.ui.mouse.to_string(),
    },
];

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
const COLORS: [(&str, Color); 5] = [
    ("auto", Color::Auto),
    ("mono", Color::Mono),
    ("16", Color::Ansi16),
    ("256", Color::Indexed256),
    ("true", Color::True),
];
const GLYPHS: [(&str, Glyphs); 4] =
    [("auto", Glyphs::Auto), ("ascii", Glyphs::Ascii), ("blocks", Glyphs::Blocks), ("braille", Glyphs::Braille)];

pub(super) fn text(raw: &Raw) -> Result<&str, Why> {
    match raw {
        Raw::Text(text) => Ok(text),
        Raw::Bool(_) | Raw::Number(_) | Raw::List(_) | Raw::Tables(_) => Err(Why("write it in quotes".to_owned())),
    }
}

/// `true`, or what people and scripts put into environment variables for it.
fn switch(raw: &Raw) -> Result<bool, Why> {
    match raw {
        Raw::Bool(yes) => Ok(*yes),
        Raw::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Ok(true),
            "false" | "no" | "off" | "0" => Ok(false),
            _ => Err(Why("write true or false".to_owned())),
        },
        Raw::Number(_) | Raw::List(_) | Raw::Tables(_) => Err(Why("write true or false".to_owned())),
    }
}

fn number(raw: &Raw, min: i64, max: i64) -> Result<i64, Why> {
    let number = match raw {
        Raw::Number(number) => Some(*number),
        Raw::Text(text) => text.trim().parse().ok(),
        Raw::Bool(_) | Raw::List(_) | Raw::Tables(_) => None,
    };
    let wrong = || Why(format!("write a number from {min} to {max}"));
    number.filter(|number| (min..=max).contains(number)).ok_or_else(wrong)
}

/// A list, or one text with commas.
fn list(raw: &Raw) -> Result<Vec<String>, Why> {
    match raw {
        Raw::List(items) => Ok(items.clone()),
        Raw::Text(text) => {
            Ok(text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect())
        }
        Raw::Bool(_) | Raw::Number(_) | Raw::Tables(_) => Err(Why("write a list in brackets".to_owned())),
    }
}

fn limit(raw: &Raw) -> Result<Option<Rate>, Why> {
    let text = match raw {
        Raw::Number(number) => number.to_string(),
        Raw::Text(_) | Raw::Bool(_) | Raw::List(_) | Raw::Tables(_) => text(raw)?.to_owned(),
    };
    if matches!(text.as_str(), "none" | "off") {
        return Ok(None);
    }
    let rate: Rate = text.parse().map_err(|error: crate::types::RateError| Why(error.to_string()))?;
    if rate < Rate::LIMIT_MIN {
        return Err(Why("less than 1 MiB/s would make every peer give up; write \"none\" for no limit".to_owned()));
    }
    Ok(Some(rate))
}

/// A path: `~/` is the user's home; from the config file, relative to its folder.
pub(super) fn folder(raw: &Raw, origin: &Origin) -> Result<PathBuf, Why> {
    let text = text(raw)?;
    if text.is_empty() {
        return Err(Why("it is empty".to_owned()));
    }
    let path = match (text.strip_prefix("~/"), places::user_home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ if text == "~" => return Err(Why("use a folder of its own, like \"~/Games\"".to_owned())),
        _ => PathBuf::from(text),
    };
    let base = match origin {
        Origin::File { path, .. } => path.parent().unwrap_or(Path::new("/")),
        Origin::Default | Origin::Environment(_) | Origin::Flag(_) => Path::new(""),
    };
    std::path::absolute(base.join(path)).map_err(|error| Why(error.to_string()))
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

fn toml_list(items: &[String]) -> String {
    format!("[{}]", items.iter().map(|item| quoted(item)).collect::<Vec<_>>().join(", "))
}

impl fmt::Display for Raw {
    /// As TOML, cut to a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Text(text) => quoted(text),
            Self::Bool(yes) => yes.to_string(),
            Self::Number(number) => number.to_string(),
            Self::List(items) => toml_list(items),
            Self::Tables(tables) => {
                let part = |(key, value): &(String, Self)| format!("{key} = {value}");
                let table = |table: &Vec<_>| format!("{{ {} }}", table.iter().map(part).collect::<Vec<_>>().join(", "));
                format!("[{}]", tables.iter().map(table).collect::<Vec<_>>().join(", "))
            }
        };
        f.write_str(&clean(&text, 120))
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key)
    }
}
