//! The screen: keys in, pictures out. It knows the runtime only as `api::Handle`, so it is the same in
//! the process of the runtime and attached to another one.
//!
//! ```text
//! key ─► keymap ─► update(&mut Model, Msg) ─► Effect ─► screen ─► api::Handle
//!                        ▲                                │
//! Event, Snapshot ───────┘        view(&Model, &Theme) ◄──┘ frame, painter
//! ```
//!
//! `main` drives it with [`run`]. Only [`screen`], [`first_start`], [`folder`], [`input`], [`terminal`]
//! and [`terminfo`] touch the world; the rest is pure.

mod action;
mod clock;
mod first_start;
mod folder;
mod frame;
pub mod headless;
mod input;
mod keymap;
mod layout;
mod model;
mod painter;
mod screen;
mod terminal;
mod terminfo;
mod theme;
mod update;
mod view;
mod words;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vt;

use std::{env, io, path::Path};

use potluck_widgets::GlyphLevel;

pub use self::{
    action::keys_document,
    keymap::KeymapError,
    theme::{ColorDepth, ThemeError, themes_document},
};
use self::{
    first_start::FirstStart, frame::FrameScheduler, keymap::Keymap, model::Setting, screen::Looks, terminal::Abilities,
    theme::Theme,
};
use crate::api::Handle;

/// How the screen is to be. What is `None` is found out from the environment.
#[derive(Debug, Clone)]
pub struct Options {
    /// The name of the runtime this screen is attached to; `None` if it runs in this process.
    pub attached: Option<String>,
    /// What the terminal can show.
    pub glyphs: Option<GlyphLevel>,
    /// How many colours the terminal has; `NO_COLOR` decides otherwise.
    pub color: Option<ColorDepth>,
    /// Whether the terminal is at the other end of a network.
    pub ssh: Option<bool>,
    /// Frames a second that the runtime's news get at most.
    pub fps: Option<u8>,
    /// Whether the runtime can go on without the screen, so that leaving offers it.
    pub can_stay: bool,
    /// A theme's name.
    pub theme: String,
    /// The user's own themes: name and text of each file.
    pub user_themes: Vec<(String, String)>,
    /// Whether the bell rings when a game is here.
    pub bell: bool,
    /// Whether the terminal gives us its mouse, which then no longer selects text.
    pub mouse: bool,
    /// The user's own keys: the path of the file, and its text.
    pub keys: Option<(String, String)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            attached: None,
            glyphs: None,
            color: None,
            ssh: None,
            fps: None,
            can_stay: false,
            theme: "default".to_owned(),
            user_themes: Vec::new(),
            bell: true,
            mouse: false,
            keys: None,
        }
    }
}

/// How the screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The user quits: the runtime of this process is to be shut down.
    Quit,
    /// The user leaves a runtime that goes on.
    Detached,
    /// The user leaves, and the runtime of this process is to go on without a terminal.
    Background,
    /// The runtime ended by itself or was told to.
    Stopped,
    /// A signal, or the terminal is gone.
    Signal,
}

/// Why there is no screen, or none any more.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// Nothing to draw on.
    #[error("the screen needs a terminal for input and output; without one use `potluck serve` or another command")]
    NoTerminal,
    /// The theme asked for.
    #[error(transparent)]
    Theme(#[from] ThemeError),
    /// The user's own keys.
    #[error("{path}, {source}")]
    Keys {
        /// The file.
        path: String,
        /// What is wrong with it.
        #[source]
        source: Box<KeymapError>,
    },
    /// The terminal could not be taken over.
    #[error("the terminal cannot be taken over: {0}")]
    Take(#[source] io::Error),
    /// Signals could not be listened for.
    #[error("signals cannot be listened for: {0}")]
    Signals(#[source] io::Error),
    /// Drawing failed.
    #[error("the terminal does not take what is drawn: {0}")]
    Draw(#[source] io::Error),
    /// Reading failed.
    #[error("the terminal does not give what is typed: {0}")]
    Read(#[source] io::Error),
}

/// Shows the runtime behind `handle` until the user leaves. Needs a tokio runtime with I/O and time;
/// spawns nothing. The terminal is as before when this returns, panics, or is dropped.
pub async fn run(handle: Handle, options: Options) -> Result<Exit, ScreenError> {
    let (setting, looks, ssh) = prepare(&options)?;
    screen::show(handle, setting, looks, FrameScheduler::new(options.fps, ssh)).await
}

/// Asks on the first start where games go. `suggested` is a whole path, `free` says the bytes free where a
/// folder is or would be made.
/// `make` makes it, or says why it cannot.
/// The folder, or `None` if the user would rather not start.
pub async fn ask_library(
    suggested: &str,
    free: fn(&Path) -> Option<u64>,
    make: fn(&Path) -> Result<(), String>,
    options: &Options,
) -> Result<Option<String>, ScreenError> {
    let (setting, looks, _) = prepare(options)?;
    let question = FirstStart::new(suggested, free, make, setting.user_home);
    first_start::ask(question, &looks.theme, setting.glyphs).await
}

/// Whether a screen could be as `options` say, found out before anything is started for it.
pub fn check(options: &Options) -> Result<(), ScreenError> {
    prepare(options).map(|_prepared| ())
}

/// What the screen is set to, what it looks like, and whether the terminal is far away.
fn prepare(options: &Options) -> Result<(Setting, Looks, bool), ScreenError> {
    if !terminal::is_there() {
        return Err(ScreenError::NoTerminal);
    }
    let variable = |name: &str| env::var(name).ok();
    let found = Abilities::of(variable, terminfo::colors(variable));
    // Who sets NO_COLOR means every program.
    let color = if found.color == ColorDepth::Mono { ColorDepth::Mono } else { options.color.unwrap_or(found.color) };
    let theme = Theme::named(&options.theme, &options.user_themes, color)?;
    let keymap = match &options.keys {
        Some((path, text)) => {
            Keymap::with(text).map_err(|source| ScreenError::Keys { path: path.clone(), source: Box::new(source) })?
        }
        None => Keymap::default(),
    };
    let setting = Setting {
        attached: options.attached.clone(),
        glyphs: options.glyphs.unwrap_or(found.glyphs),
        half_blocks: theme.has_map_colors(),
        theme: options.theme.clone(),
        themes: if color == ColorDepth::Mono { Vec::new() } else { theme::names(&options.user_themes) },
        bell: options.bell,
        can_stay: options.can_stay,
        keymap,
        user_home: env::var("HOME").ok(),
    };
    let looks = Looks { theme, user_themes: options.user_themes.clone(), depth: color, mouse: options.mouse };
    Ok((setting, looks, options.ssh.unwrap_or(found.ssh)))
}
