//! The `potluck` binary: wires the layers together and maps errors to exit codes.

use std::{
    io::{self, Write as _},
    net::IpAddr,
    path::Path,
    process::ExitCode,
    sync::Mutex,
    time::Duration,
};

use potluck::{
    api::{Diagnosis, Handle},
    cli::{self, Console, HandOut, LaunchError, Launcher, Purpose, Running, ScreenEnd, ScreenOver},
    config::{Color, Glyphs, Settings},
    control::{server, socket::ControlSocket},
    demo,
    io::{archive::worker, readiness::Readiness},
    job::{self, Front},
    logging::{self, LogGuard},
    runtime::{self, StartError},
    tui,
};
use potluck_widgets::GlyphLevel;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    // A child that reads archives: it needs nothing of the rest, and gives away what it has.
    if worker::is_asked_for(std::env::args_os()) {
        return worker::serve();
    }
    if let Err(error) = color_eyre::install() {
        // Only the looks of a panic's report are lost.
        tracing::debug!("{error}");
    }
    let mut console = Console::standard(logging::is_journal_behind_stderr());
    let words: Vec<_> = std::env::args_os().collect();
    let args = match cli::parse(&words) {
        Ok(args) => args,
        Err(error) => {
            cli::tell_programs(&error, &words, &mut console);
            // Prints to the right stream and ends with 0 for --help and --version, else with 2.
            error.exit()
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever cannot read this sees the exit code.
            let _ = writeln!(io::stderr(), "potluck: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let program = Program {
        log: Mutex::default(),
        front: args.behind().and_then(Front::of),
        manager: Readiness::from_environment(),
    };
    let exit = runtime.block_on(cli::run(args, &program, &mut console));
    ExitCode::from(exit.code())
}

/// This program as the command line sees it.
struct Program {
    /// Set by the first runtime of this process; a process has one log.
    log: Mutex<Option<LogGuard>>,
    /// The process the shell waits for in place of this one.
    front: Option<Front>,
    /// What started this process as a service.
    manager: Readiness,
}

impl Launcher for Program {
    type Looks = tui::Options;

    async fn start(&self, settings: Settings, purpose: Purpose) -> Result<Running, LaunchError> {
        self.log(&settings, purpose == Purpose::Serve)?;
        let socket_path = settings.places.socket.clone();
        let (handle, runtime) = runtime::start(settings).await.map_err(|error| launch_error(&error))?;
        let socket = match ControlSocket::bind(&socket_path) {
            Ok(socket) => socket,
            Err(error) => {
                runtime.stop().await;
                return Err(LaunchError::Failed { message: error.to_string() });
            }
        };
        let (cancel, served) = (CancellationToken::new(), CancellationToken::new());
        let serving = server::serve(socket, handle.clone(), cancel.clone(), server::WRITE_TIME);
        let done = served.clone().drop_guard();
        let background = Box::pin(async move {
            let _done = done;
            serving.await;
        });
        // Whoever listens hears that it stops, and whoever asked is answered.
        let stop = Box::pin(async move {
            runtime.begin_stop();
            cancel.cancel();
            served.cancelled().await;
            runtime.stop().await;
        });
        Ok(Running { handle, background, stop })
    }

    async fn demo(&self, settings: Settings, peers: Option<u8>) -> Result<Running, LaunchError> {
        let (handle, demo) = demo::start(&settings, peers.unwrap_or(demo::PEERS_DEFAULT))
            .await
            .map_err(|error| LaunchError::Failed { message: error.to_string() })?;
        let (cancel, gone) = (CancellationToken::new(), CancellationToken::new());
        let (over, done) = (cancel.clone(), gone.clone().drop_guard());
        let background = Box::pin(async move {
            let _done = done;
            demo.run(over.cancelled()).await;
        });
        let stop = Box::pin(async move {
            cancel.cancel();
            gone.cancelled().await;
        });
        Ok(Running { handle, background, stop })
    }

    fn tell_manager(&self, lines: &str) {
        self.manager.tell(lines);
    }

    fn manager_patience(&self) -> Option<Duration> {
        self.manager.patience()
    }

    fn examine(&self, settings: &Settings) -> Diagnosis {
        runtime::doctor::examine(settings, None)
    }

    async fn hand_out(&self, port: u16, only: Option<IpAddr>) -> Result<HandOut, String> {
        let failed = |error: io::Error| format!("this program cannot be handed out: {error}");
        let offer = runtime::hand_out::HandOut::start(port, only).await.map_err(failed)?;
        let urls = offer.urls().map_err(failed)?;
        if urls.is_empty() {
            return Err(
                "no network is connected, so nobody could get this program; `potluck doctor` says more".to_owned()
            );
        }
        let (size, blake3, sha256, needs) = (offer.size(), offer.blake3(), offer.sha256(), offer.needs());
        let copies = futures::stream::unfold(offer, async |mut offer| Some((offer.next().await, offer)));
        Ok(HandOut { urls, size, blake3, sha256, needs, copies: Box::pin(copies) })
    }

    fn looks(&self, settings: &Settings) -> Result<tui::Options, String> {
        let options = screen_options(settings)?;
        tui::check(&options).map_err(|error| error.to_string())?;
        Ok(options)
    }

    async fn ask_library(
        &self,
        settings: &Settings,
        free: fn(&Path) -> Option<u64>,
        make: fn(&Path) -> Result<(), String>,
        looks: &tui::Options,
    ) -> Result<Option<String>, String> {
        let suggested = settings.library().display().to_string();
        tui::ask_library(&suggested, free, make, looks).await.map_err(|error| error.to_string())
    }

    async fn screen(&self, looks: &tui::Options, handle: Handle, over: ScreenOver) -> Result<ScreenEnd, String> {
        let attached = match over {
            ScreenOver::Attached => Some(handle.snapshot().me.name.clone()),
            ScreenOver::Own | ScreenOver::Demo => None,
        };
        let can_stay = over == ScreenOver::Own && self.front.is_some();
        let options = tui::Options { attached, can_stay, ..looks.clone() };
        match tui::run(handle, options).await {
            Ok(tui::Exit::Quit | tui::Exit::Detached | tui::Exit::Signal) => Ok(ScreenEnd::Left),
            Ok(tui::Exit::Background) => Ok(ScreenEnd::Background),
            Ok(tui::Exit::Stopped) => Err("the potluck that this screen showed has ended".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn is_behind(&self) -> bool {
        self.front.is_some()
    }

    async fn stand_in_front(&self) -> Result<u8, String> {
        let ended = job::stand_in_front(cli::BEHIND_FLAG).await;
        ended.map_err(|error| format!("potluck cannot start itself behind this process: {error}"))
    }

    fn go_to_background(&self) -> Result<(), String> {
        let Some(front) = self.front else { return Ok(()) };
        let words = "potluck goes on sharing. `potluck` shows it again, `potluck stop` ends it.";
        // Whoever does not read it finds out by the command.
        let _ = writeln!(io::stdout(), "{words}");
        front.dismiss().map_err(|error| format!("potluck cannot leave this terminal: {error}"))
    }
}

/// The settings as the screen takes them.
fn screen_options(settings: &Settings) -> Result<tui::Options, String> {
    let glyphs = match settings.ui.glyphs {
        Glyphs::Auto => None,
        Glyphs::Ascii => Some(GlyphLevel::Ascii),
        Glyphs::Blocks => Some(GlyphLevel::Blocks),
        Glyphs::Braille => Some(GlyphLevel::Braille),
    };
    let color = match settings.ui.color {
        Color::Auto => None,
        Color::Mono => Some(tui::ColorDepth::Mono),
        Color::Ansi16 => Some(tui::ColorDepth::Ansi16),
        Color::Indexed256 => Some(tui::ColorDepth::Indexed256),
        Color::True => Some(tui::ColorDepth::True),
    };
    let theme = settings.ui.theme.clone();
    let user_themes = themes(&theme, &settings.places.config.join("themes"));
    let keys = keys(&settings.places.config.join("keys.toml"))?;
    Ok(tui::Options {
        glyphs,
        color,
        theme,
        user_themes,
        bell: settings.ui.bell,
        mouse: settings.ui.mouse,
        fps: settings.ui.fps,
        keys,
        ..tui::Options::default()
    })
}

/// The user's own keys, if there are any.
fn keys(path: &Path) -> Result<Option<(String, String)>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some((path.display().to_string(), text))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// A theme is named, or is the path of a file; a file that cannot be read is reported as an unknown name. The user's own
/// are the files in `folder`, by their names.
fn themes(named: &str, folder: &Path) -> Vec<(String, String)> {
    let mut themes = Vec::new();
    // Most users have none.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_theme = path.extension().is_some_and(|extension| extension == "toml");
        if let (true, Some(name), Ok(text)) = (is_theme, path.file_stem(), std::fs::read_to_string(&path)) {
            themes.push((name.to_string_lossy().into_owned(), text));
        }
    }
    themes.sort_unstable();
    if let (true, Ok(text)) = (named.ends_with(".toml"), std::fs::read_to_string(named)) {
        themes.push((named.to_owned(), text));
    }
    themes
}

impl Program {
    fn log(&self, settings: &Settings, stderr: bool) -> Result<(), LaunchError> {
        let mut log = self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if log.is_none() {
            let guard = logging::start(&settings.places.log, &settings.log, stderr);
            *log = Some(guard.map_err(|error| LaunchError::Failed { message: error.to_string() })?);
        }
        Ok(())
    }
}

fn launch_error(error: &StartError) -> LaunchError {
    let message = error.to_string();
    match error {
        StartError::HomeHeld { .. } | StartError::LibraryHeld(_) => LaunchError::Held { message },
        StartError::Catalog(_) => LaunchError::Mistaken { message },
        StartError::Lock { .. }
        | StartError::Folder { .. }
        | StartError::Identity(_)
        | StartError::Library(_)
        | StartError::Bind { .. }
        | StartError::Thread { .. }
        | StartError::Ended { .. }
        | StartError::Canceled => LaunchError::Failed { message },
    }
}
