//! The command line: what may be typed, and one file for what each command does. Talks to a runtime
//! only through the api: over the control socket where one holds the home, else one of its own that
//! the [`Launcher`] starts. Decides nothing about games; it asks, shows and chooses the exit code.

mod add;
mod args;
mod console;
mod doctor;
mod documents;
mod events;
mod exit;
mod games;
mod get;
mod hand_out;
mod links;
mod logs;
mod manifest;
mod orders;
mod peers;
mod play;
mod remove;
mod screen;
mod serve;
mod service;
mod session;
mod settings;
mod space;
mod status;
mod table;
mod transfers;
mod update;
mod verify;
mod words;

#[cfg(test)]
mod tests;

use std::{ffi::OsString, net::IpAddr, path::Path, time::Duration};

use futures::{future::BoxFuture, stream::BoxStream};

pub use args::{Args, BEHIND_FLAG, parse};
pub use console::Console;
pub use documents::document;
pub use exit::Exit;

use crate::{
    api::{Diagnosis, Handle},
    config::Settings,
};
use args::Verb;
use exit::Failure;

/// What only `main` can do, because it may see every layer.
pub trait Launcher {
    /// What the screen is to be like.
    type Looks;

    /// Starts a runtime in this process with its control socket, and the log.
    fn start(&self, settings: Settings, purpose: Purpose) -> impl Future<Output = Result<Running, LaunchError>>;

    /// Starts a party of `peers` made-up guests, or as many as it likes.
    fn demo(&self, settings: Settings, peers: Option<u8>) -> impl Future<Output = Result<Running, LaunchError>>;

    /// Tells the service manager that started this process lines like `READY=1`, if one did.
    fn tell_manager(&self, lines: &str);

    /// How long that manager waits for a sign of life before it takes this process for hung, if it does.
    fn manager_patience(&self) -> Option<Duration>;

    /// Looks at this machine and its network where no runtime runs; takes some seconds.
    fn examine(&self, settings: &Settings) -> Diagnosis;

    /// Begins to hand this program out at a TCP port, or one soon after it; at one address if `only` names it.
    /// The error is a sentence for people.
    fn hand_out(&self, port: u16, only: Option<IpAddr>) -> impl Future<Output = Result<HandOut, String>>;

    /// What the settings, the keymap and the theme say of the screen, and that it can be shown so, before anything is
    /// started for it. The error is a sentence for people.
    fn looks(&self, settings: &Settings) -> Result<Self::Looks, String>;

    /// Asks on the first start where games go: the suggested folder is the settings', `free` says the
    /// bytes free where a folder is or would be made, `make` makes it. `None` when the user would rather not start. The
    /// errors are sentences for people.
    fn ask_library(
        &self,
        settings: &Settings,
        free: fn(&Path) -> Option<u64>,
        make: fn(&Path) -> Result<(), String>,
        looks: &Self::Looks,
    ) -> impl Future<Output = Result<Option<String>, String>>;

    /// Runs the screen until the user leaves it. The error is a sentence for people.
    fn screen(
        &self,
        looks: &Self::Looks,
        handle: Handle,
        over: ScreenOver,
    ) -> impl Future<Output = Result<ScreenEnd, String>>;

    /// Whether a shell waits not for this process but for one in front of it, so that this one can go
    /// on without the terminal.
    fn is_behind(&self) -> bool;

    /// Runs this command behind this process and waits for it; the exit code. The error is a sentence
    /// for people.
    fn stand_in_front(&self) -> impl Future<Output = Result<u8, String>>;

    /// Leaves the terminal to the shell. The error is a sentence for people.
    fn go_to_background(&self) -> Result<(), String>;
}

/// How a screen ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenEnd {
    /// Nobody wants the runtime behind it any more, if it was its own.
    Left,
    /// The runtime is to go on without it.
    Background,
}

/// What a runtime is started for; decides where its log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// `serve`: it lives long, and its log goes to the standard error output too.
    Serve,
    /// Under a screen.
    Screen,
    /// For one command.
    Command,
}

/// Whose runtime a screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScreenOver {
    /// One of its own, which ends with the screen.
    Own,
    /// One in another process, which stays.
    Attached,
    /// The demo's, which has nothing to lose.
    Demo,
}

/// This program, for seats that do not have it.
pub struct HandOut {
    /// Where it is to be had.
    pub urls: Vec<String>,
    /// Its bytes.
    pub size: u64,
    /// Its hash, as `b3sum` prints it.
    pub blake3: String,
    /// Its hash, as `sha256sum` prints it.
    pub sha256: String,
    /// What a machine needs to run it, in words, where that is known.
    pub needs: Option<String>,
    /// Whoever has a whole copy now. It is handed out while this is polled, and no longer.
    pub copies: BoxStream<'static, IpAddr>,
}

impl std::fmt::Debug for HandOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandOut").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// A runtime in this process.
pub struct Running {
    /// A face's end of it.
    pub handle: Handle,
    /// Runs beside the command on its own thread, and ends when stopped: the server of the control socket.
    pub background: BoxFuture<'static, ()>,
    /// Stops it and what runs in the background, in order; at most 2 s.
    pub stop: BoxFuture<'static, ()>,
}

/// Why a runtime could not start. The message names the thing and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// Another process works in this home or library; it may be a short command that ends soon.
    #[error("{message}")]
    Held {
        /// Names the process.
        message: String,
    },
    /// What the user wrote cannot be followed, and trying again would not help.
    #[error("{message}")]
    Mistaken {
        /// Names the line.
        message: String,
    },
    /// Anything else.
    #[error("{message}")]
    Failed {
        /// For people.
        message: String,
    },
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// Tells programs too what is wrong with a command line, where `--json` is among its `words`; people are told by the
/// error itself.
pub fn tell_programs(error: &clap::Error, words: &[OsString], console: &mut Console) {
    let wants_json = words.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    // What is not for the standard error output was asked for: `--help` and `--version`.
    if wants_json && error.use_stderr() {
        console.fail_document(&Failure::from(error));
    }
}

/// Does what `args` say and reports on `console`; what is returned is for the operating system.
pub async fn run(args: Args, launcher: &impl Launcher, console: &mut Console) -> Exit {
    console.json = args.json;
    match carry_out(args, launcher, console).await {
        Ok(exit) => exit,
        Err(failure) => console.fail(&failure),
    }
}

async fn carry_out(args: Args, launcher: &impl Launcher, console: &mut Console) -> Result<Exit, Failure> {
    // These need no settings, and help somebody whose settings are broken.
    match &args.verb {
        Some(Verb::Completions { shell }) => return documents::completions(*shell, console),
        Some(Verb::Man) => return documents::man(console),
        Some(Verb::Config { template: true }) => return settings::template(console),
        _other_verbs => {}
    }
    let settings = crate::config::load(&args.flags()).map_err(|error| Failure::usage(error.to_string()))?;
    let runtime_flags = args.runtime_flags();
    let reach = session::Reach { settings: &settings, launcher, flags_given: args.runtime_flags_given() };
    match args.verb {
        None => screen::run(&settings, launcher, console).await,
        Some(Verb::Status) => status::status(&settings, console).await,
        Some(Verb::Stop) => status::stop(&settings, console).await,
        Some(Verb::Service(order)) => service::run(&order, &runtime_flags, &settings, console).await,
        Some(Verb::HandOut { time, port }) => hand_out::run(time, port, &settings, launcher, console).await,
        Some(Verb::Doctor) => doctor::run(&settings, launcher, console).await,
        Some(Verb::Events { follow }) => events::run(&settings, follow, console).await,
        Some(Verb::Logs { level: Some(level), .. }) => logs::set_level(&settings, level, console).await,
        Some(Verb::Logs { lines, follow, level: None }) => logs::run(&settings, lines, follow, console).await,
        Some(Verb::Serve { .. }) => serve::run(&settings, launcher, console).await,
        Some(Verb::Demo { guests }) => screen::demo(&settings, guests, launcher, console).await,
        Some(Verb::Games { wait }) => {
            reach.over(console, async |session, console| games::run(session, wait, console).await).await
        }
        Some(Verb::Peers { wait }) => {
            reach.over(console, async |session, console| peers::run(session, wait, console).await).await
        }
        Some(Verb::Links { wait }) => {
            reach.over(console, async |session, console| links::run(session, wait, console).await).await
        }
        Some(Verb::Transfers { wait }) => {
            reach.over(console, async |session, console| transfers::run(session, wait, console).await).await
        }
        Some(Verb::Get(get)) => get::run(&get, &reach, console).await,
        Some(Verb::Update { games }) => get::update(games, &reach, console).await,
        Some(Verb::Add(add)) => {
            add.check()?;
            reach.over(console, async |session, console| add::run(session, &add, console).await).await
        }
        Some(Verb::Remove { game, yes }) => {
            reach.over(console, async |session, console| remove::run(session, &game, yes, console).await).await
        }
        Some(Verb::Play { game, yes }) => {
            reach.over(console, async |session, console| play::run(session, &game, yes, console).await).await
        }
        Some(Verb::Uninstall { game, yes }) => {
            reach.over(console, async |session, console| remove::uninstall(session, &game, yes, console).await).await
        }
        Some(Verb::Space) => reach.over(console, async |session, console| space::list(session, console).await).await,
        Some(Verb::Free { game, what, yes }) => {
            reach.over(console, async |session, console| space::free(session, &game, what, yes, console).await).await
        }
        Some(Verb::Verify { game, repair }) => {
            reach.over(console, async |session, console| verify::run(session, &game, repair, console).await).await
        }
        Some(Verb::Manifest { game, b3sum }) => {
            reach.over(console, async |session, console| manifest::run(session, game, b3sum, console).await).await
        }
        Some(Verb::Config { .. }) => settings::effective(&settings, console),
        Some(Verb::Completions { shell }) => documents::completions(shell, console),
        Some(Verb::Man) => documents::man(console),
        Some(Verb::Order(order)) => {
            let command = orders::command(order)?;
            reach.over(console, async |session, console| orders::run(session, command, console).await).await
        }
    }
}
