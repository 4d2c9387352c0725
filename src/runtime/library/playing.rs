//! Playing: a game's program is found, shown to whoever has not agreed to it, started, and waited for. What may be run
//! comes from the catalog of this machine alone. A game is one task from the wish to play it to its end; it goes on when
//! the runtime ends, which then no longer knows of it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Child,
    time::Duration,
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Actor, answer,
    commands::{find_ours, refusal},
    jobs::Done,
    look::Desk,
    turns::{Turn, Turns},
};
use crate::{
    api::{CommandError, ConfirmView, ErrorCode, EventKind, Level, PlayingView, ProgramView, Reply},
    core::launch::{Purpose, Run, to_confirm},
    io::{
        clock,
        disk::{DiskError, GameRoot},
        launch::{self, Ended, GameLog, ProgramError},
        state::StateError,
    },
    runtime::{
        input::ReplyTo,
        installs::{self, Installation, LOCAL},
        tasks::{Pool, PoolError, start_process},
    },
    types::{CommandLine, CommandLineError, Fill, GameId, Words},
};

/// How soon it is seen that a game has ended.
const TICK: Duration = Duration::from_millis(250);
/// Every so many of them its log is looked at.
const LOG_TICKS: u32 = 20;
/// Logs of games, in the state folder.
const LOG_FOLDER: &str = "games";

/// A game that somebody wants to play, or plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Playing {
    /// Its process and since when it runs, in Unix milliseconds; before that it is being started.
    pub(super) runs: Option<(u32, u64)>,
}

/// What becomes of a wish to play.
#[derive(Debug)]
pub(super) enum PlayNews {
    /// Somebody agreed to programs: their marks.
    Agreed(Vec<String>),
    /// It runs.
    Runs { pid: u32, log: PathBuf },
    /// It has ended, or was never started.
    Over { ended: Option<Ended> },
}

/// Why a game was not started.
#[derive(Debug, thiserror::Error)]
enum PlayError {
    #[error("it is not installed; `potluck install {game}` first")]
    NotInstalled { game: GameId },
    #[error("it has no launch command in the catalog; its folder is {}", folder.display())]
    NoCommand { folder: PathBuf },
    #[error("the path of its folder, {path}, cannot be written as text")]
    OddPath { path: PathBuf },
    #[error("what the catalog names {0}")]
    Words(#[from] CommandLineError),
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("its log {path} cannot be written: {source}")]
    Log { path: PathBuf, source: std::io::Error },
    #[error("{program} cannot be started: {source}")]
    NotStarted { program: String, source: std::io::Error },
    #[error("setting it up failed ({}); what it said is in {log}", how(*ended))]
    Setup { ended: Ended, log: PathBuf },
    #[error(transparent)]
    Pool(#[from] PoolError),
    #[error("it is being changed just now; try again then")]
    Changing,
    #[error("potluck is ending")]
    Stopping,
}

impl PlayError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Changing => ErrorCode::WouldWait,
            Self::NotInstalled { .. } | Self::NoCommand { .. } => ErrorCode::Refused,
            Self::OddPath { .. }
            | Self::Words(_)
            | Self::Program(_)
            | Self::Disk(_)
            | Self::Log { .. }
            | Self::NotStarted { .. }
            | Self::Setup { .. }
            | Self::Pool(_)
            | Self::Stopping => ErrorCode::Failed,
        }
    }
}

impl Actor {
    pub(super) fn play(&mut self, name: &str, confirm: Vec<String>, reply: ReplyTo) {
        let game = match find_ours(&self.core, name) {
            Ok(game) => game,
            Err(error) => return answer(reply, Err(error)),
        };
        if let Some(playing) = self.playing.get(&game) {
            let how =
                playing.runs.map_or_else(|| "is being started".to_owned(), |(pid, _)| format!("runs, process {pid}"));
            return answer(reply, Err(refusal(ErrorCode::Refused, format_args!("{game} {how} already"))));
        }
        let listed = self.folder.catalog.games.get(&game);
        self.playing.insert(game.clone(), Playing::default());
        let wish = Wish {
            title: self.core.title(&game),
            launch: listed.and_then(|listed| listed.launch.clone()),
            setup: listed.and_then(|listed| listed.setup.clone()),
            confirm,
            agreed: self.played.agreed().clone(),
            player: self.context.settings.player().to_owned(),
            machine: self.context.settings.name.clone(),
            turns: self.turns.clone(),
            logs: self.context.settings.places.state.join(LOG_FOLDER),
            desk: self.desk.clone(),
            pool: self.context.pool.clone(),
            cancelled: self.context.tasks.cancelled().clone(),
            done: self.done_sender.clone(),
            game,
        };
        self.context.tasks.spawn("play a game", wish.carry_out(reply));
    }

    pub(super) fn on_play(&mut self, game: &GameId, news: PlayNews) {
        let (title, now_ms) = (self.core.title(game), clock::unix_ms());
        match news {
            PlayNews::Agreed(marks) => {
                let saved = self.played.agree(marks);
                self.note_unsaved(saved);
            }
            PlayNews::Runs { pid, log } => {
                self.playing.insert(game.clone(), Playing { runs: Some((pid, now_ms)) });
                let saved = self.played.play(game, now_ms);
                self.note_unsaved(saved);
                let text = format!("{title} runs, process {pid}; its output goes to {}.", log.display());
                self.context.teller.tell(Level::Info, EventKind::Playing { game: game.to_string(), pid }, text);
            }
            PlayNews::Over { ended } => {
                let runs = self.playing.remove(game).and_then(|playing| playing.runs);
                if let (Some((pid, since_ms)), Some(ended)) = (runs, ended) {
                    let saved = self.played.play(game, now_ms);
                    self.note_unsaved(saved);
                    let seconds = now_ms.saturating_sub(since_ms) / 1_000;
                    let (code, signal) = match ended {
                        Ended::Code(code) => (Some(code), None),
                        Ended::Signal(signal) => (None, Some(signal)),
                    };
                    let kind = EventKind::Played { game: game.to_string(), pid, code, signal, seconds };
                    let time = format!("{}:{:02}", seconds / 60, seconds % 60);
                    let text = format!("{title} has ended after {time} ({}).", how(ended));
                    let level = if code == Some(0) { Level::Info } else { Level::Warning };
                    self.context.teller.tell(level, kind, text);
                }
            }
        }
        let playing = self.playing.values().any(|playing| playing.runs.is_some());
        self.shown.send_modify(|shown| shown.playing = playing);
        self.rows.mark([game.clone()].into(), BTreeSet::new());
    }

    fn note_unsaved(&self, saved: Result<(), StateError>) {
        if let Err(error) = saved {
            self.note(Level::Error, error.to_string());
        }
    }
}

/// `exit code 3`.
fn how(ended: Ended) -> String {
    match ended {
        Ended::Code(code) => format!("exit code {code}"),
        Ended::Signal(signal) => format!("signal {signal}"),
    }
}

/// Somebody wants to play.
struct Wish {
    game: GameId,
    title: String,
    launch: Option<CommandLine>,
    setup: Option<CommandLine>,
    /// Marks of what was shown and agreed to.
    confirm: Vec<String>,
    /// The same from earlier.
    agreed: BTreeSet<String>,
    player: String,
    machine: String,
    logs: PathBuf,
    turns: Turns,
    desk: Desk,
    pool: Pool,
    cancelled: CancellationToken,
    done: mpsc::Sender<Done>,
}

/// What is to be run, as it was found.
struct Plan {
    /// The setup, where it is due, and the game.
    runs: Vec<Run>,
    folder: PathBuf,
}

/// A game that runs.
struct Started {
    child: Child,
    log: GameLog,
    /// Nobody takes its files away meanwhile.
    turn: Turn,
}

impl Wish {
    /// Answers when the game runs, or why it does not; returns when it has ended.
    async fn carry_out(mut self, reply: ReplyTo) {
        let ended = match self.begin().await {
            Ok(Begun::Ask(ask)) => {
                answer(reply, Ok(Reply::Confirm(ask)));
                None
            }
            Ok(Begun::Runs(started, view)) => {
                answer(reply, Ok(Reply::Playing(view)));
                self.until_ended(started).await
            }
            Err(error) => {
                answer(reply, Err(self.told(&error)));
                None
            }
        };
        self.tell(PlayNews::Over { ended }).await;
    }

    async fn begin(&mut self) -> Result<Begun, PlayError> {
        let plan = self.plan().await?;
        let open = to_confirm(&plan.runs, &self.agreed, &self.confirm);
        let place = self.place(&plan.folder);
        if !open.is_empty() {
            let programs = open.into_iter().map(shown).collect();
            let (game, title) = (self.game.to_string(), self.title.clone());
            return Ok(Begun::Ask(ConfirmView { game, title, programs, place }));
        }
        let turn = self.turns.take(&self.game).ok_or(PlayError::Changing)?;
        let agreed: Vec<String> = plan.runs.iter().map(Run::mark).filter(|mark| !self.agreed.contains(mark)).collect();
        if !agreed.is_empty() {
            self.tell(PlayNews::Agreed(agreed)).await;
        }
        let log = GameLog::begin(&self.logs, &self.game).map_err(|source| {
            let path = self.logs.join(self.game.as_str());
            PlayError::Log { path, source }
        })?;
        let mut started = None;
        for run in &plan.runs {
            let child = start(run, &plan.folder, &log)?;
            match run.purpose {
                Purpose::Launch => started = Some(child),
                Purpose::Setup => self.set_up(child, &log).await?,
            }
        }
        // A plan ends with the game.
        let child = started.ok_or(PlayError::Stopping)?;
        let (pid, path) = (child.id(), log.path().to_owned());
        let view = PlayingView {
            game: self.game.to_string(),
            title: self.title.clone(),
            pid,
            log: path.display().to_string(),
            place,
        };
        self.tell(PlayNews::Runs { pid, log: path }).await;
        Ok(Begun::Runs(Started { child, log, turn }, view))
    }

    async fn plan(&self) -> Result<Plan, PlayError> {
        let (desk, game, player) = (self.desk.clone(), self.game.clone(), self.player.clone());
        let (launch, setup) = (self.launch.clone(), self.setup.clone());
        self.pool.run(move || plan(&desk, &game, &player, launch, setup)).await?
    }

    /// Waits for a setup, and notes that it is done.
    async fn set_up(&self, child: Child, log: &GameLog) -> Result<(), PlayError> {
        let ended = self.wait(child, log).await.ok_or(PlayError::Stopping)?;
        if ended != Ended::Code(0) {
            return Err(PlayError::Setup { ended, log: log.path().to_owned() });
        }
        let (desk, game) = (self.desk.clone(), self.game.clone());
        let note = move || installs::note_set_up(&desk.libraries.open_root(&game)?);
        Ok(self.pool.run(note).await??)
    }

    async fn until_ended(&self, started: Started) -> Option<Ended> {
        let Started { child, log, turn } = started;
        let ended = self.wait(child, &log).await;
        drop(turn);
        ended
    }

    /// Waits for a process; `None` when the runtime ends first, and the process goes on.
    async fn wait(&self, mut child: Child, log: &GameLog) -> Option<Ended> {
        let mut ticks = 0_u32;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Some(status.into()),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%error, game = %self.game, "cannot wait for a game");
                    return None;
                }
            }
            ticks = ticks.wrapping_add(1);
            if ticks.is_multiple_of(LOG_TICKS) {
                let log = log.clone();
                if let Ok(Err(error)) = self.pool.run(move || log.bound()).await {
                    tracing::debug!(%error, game = %self.game, "cannot keep a game's log short");
                }
            }
            self.cancelled.run_until_cancelled(tokio::time::sleep(TICK)).await?;
        }
    }

    /// Whoever asks may sit at another machine.
    fn place(&self, folder: &Path) -> String {
        let display = if launch::has_display() { "" } else { ", without a display that windows could open on" };
        format!("on {}, in {}{display}", self.machine, folder.display())
    }

    fn told(&self, error: &PlayError) -> CommandError {
        refusal(error.code(), format_args!("{}: {error}", self.game))
    }

    async fn tell(&self, news: PlayNews) {
        // The actor is gone only when the runtime ends.
        let _ = self.done.send(Done::Play { game: self.game.clone(), news }).await;
    }
}

/// A wish to play that was understood.
enum Begun {
    /// Somebody has to agree first.
    Ask(ConfirmView),
    Runs(Started, PlayingView),
}

fn shown(run: &Run) -> ProgramView {
    ProgramView {
        setup: run.purpose == Purpose::Setup,
        words: run.words.clone(),
        shown: Words(&run.words).to_string(),
        mark: run.mark(),
    }
}

fn start(run: &Run, folder: &Path, log: &GameLog) -> Result<Child, PlayError> {
    let begun = log.note(&run.words).and_then(|()| launch::command(&run.words, folder, log));
    let mut command = begun.map_err(|source| PlayError::Log { path: log.path().to_owned(), source })?;
    start_process(&mut command).map_err(|source| {
        let program = run.words.first().cloned().unwrap_or_default();
        PlayError::NotStarted { program, source }
    })
}

fn plan(
    desk: &Desk,
    game: &GameId,
    player: &str,
    launch: Option<CommandLine>,
    setup: Option<CommandLine>,
) -> Result<Plan, PlayError> {
    let root = desk.libraries.open_root(game)?;
    if installs::installation(&root)? == Installation::None {
        return Err(PlayError::NotInstalled { game: game.clone() });
    }
    let folder = root.path().join(LOCAL);
    let Some(launch) = launch else { return Err(PlayError::NoCommand { folder }) };
    let text =
        |path: &Path| path.to_str().map(str::to_owned).ok_or_else(|| PlayError::OddPath { path: path.to_owned() });
    let (library, local) = (text(root.path().parent().unwrap_or(root.path()))?, text(&folder)?);
    let fill = Fill { player, library: &library, local: &local };
    let setup = if installs::is_set_up(&root)? { None } else { setup };
    let lines = setup.map(|line| (Purpose::Setup, line)).into_iter().chain([(Purpose::Launch, launch)]);
    let runs = lines.map(|(purpose, line)| run(&root, purpose, line.fill(fill)?, &local)).collect::<Result<_, _>>()?;
    Ok(Plan { runs, folder })
}

/// With the program as it was found: what is shown is what is run.
fn run(root: &GameRoot, purpose: Purpose, mut words: Vec<String>, folder: &str) -> Result<Run, PlayError> {
    let Some(program) = words.first_mut() else { return Err(CommandLineError::NoProgram.into()) };
    let found = launch::find_program(root, LOCAL, program)?;
    *program = found.into_os_string().into_string().map_err(|path| PlayError::OddPath { path: path.into() })?;
    Ok(Run { purpose, words, folder: folder.to_owned() })
}
