//! The loop: what comes in becomes messages, what the update asks for is carried out, and frames are
//! drawn when they are due. It decides nothing by itself.

use std::{
    future::Future,
    io::{self, Write as _},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use jiff::tz::TimeZone;
use ratatui::backend::CrosstermBackend;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Exit, ScreenError, clock, folder,
    frame::FrameScheduler,
    input::{Heard, Input},
    model::{Model, Setting},
    painter::Painter,
    terminal::{self, Output, Taken},
    theme::{ColorDepth, Theme},
    update::{Effect, Msg, update},
    view::view,
};
use crate::api::{Command, Events, Handle, Snapshot, Stopped};

/// Inputs taken before a frame is drawn: a held key must not keep the picture from coming.
const INPUTS_A_FRAME_MAX: usize = 64;

type Terminal = Painter<CrosstermBackend<Output>>;

/// Shows the runtime until the user or a signal ends it.
pub(super) async fn show(
    handle: Handle,
    setting: Setting,
    looks: Looks,
    frames: FrameScheduler,
) -> Result<Exit, ScreenError> {
    let taken = terminal::take(looks.mouse).map_err(ScreenError::Take)?;
    let mut painter = Painter::new(CrosstermBackend::new(terminal::output()));
    let mut input = Input::new().map_err(ScreenError::Read)?;
    // Before the first picture, which wipes what a terminal prints that does not know the question.
    input.ask(painter.backend_mut()).map_err(ScreenError::Draw)?;
    let size = painter.size().map_err(ScreenError::Draw)?;
    let zone = TimeZone::system();
    let model = Model::new(setting, &handle.snapshot(), size, clock::moment(&zone));
    let mut screen = Screen {
        events: handle.events(),
        handle,
        model,
        looks,
        painter,
        frames,
        pending: FuturesUnordered::new(),
        zone,
        taken: Some(taken),
        title: String::new(),
        snapshot_from: clock::instant(),
    };
    let exit = screen.run(&mut input).await;
    input.settle().await;
    exit
}

/// What the screen looks like, and whether it takes the mouse.
pub(super) struct Looks {
    pub(super) theme: Theme,
    /// The themes of the user: name and text of each.
    pub(super) user_themes: Vec<(String, String)>,
    pub(super) depth: ColorDepth,
    pub(super) mouse: bool,
}

struct Screen {
    handle: Handle,
    events: Events,
    model: Model,
    looks: Looks,
    painter: Terminal,
    frames: FrameScheduler,
    pending: FuturesUnordered<Pin<Box<dyn Future<Output = Msg>>>>,
    zone: TimeZone,
    /// `None` only while the process is stopped.
    taken: Option<Taken>,
    title: String,
    /// From when on the next snapshot is looked at: no more of them than frames.
    snapshot_from: Instant,
}

/// What woke the loop.
enum Woken {
    Signal(bool),
    Input(Option<io::Result<Heard>>),
    Answer(Msg),
    Snapshot(Result<Arc<Snapshot>, Stopped>),
    Event(Result<Result<crate::api::Event, crate::api::Missed>, Stopped>),
    Time,
}

impl Screen {
    async fn run(&mut self, input: &mut Input) -> Result<Exit, ScreenError> {
        let listen = |kind| signal(kind).map_err(ScreenError::Signals);
        let mut ends = [
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
            listen(SignalKind::interrupt())?,
            listen(SignalKind::quit())?,
        ];
        let mut continued = listen(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
        self.frames.ask_now(clock::instant());
        loop {
            self.draw_if_due()?;
            let woken = self.wait(input, &mut ends, &mut continued).await;
            if let Some(exit) = self.handle(woken, input)? {
                return Ok(exit);
            }
        }
    }

    /// Waits until something happens or it is time for something.
    async fn wait(&mut self, input: &mut Input, ends: &mut [Signal; 4], continued: &mut Signal) -> Woken {
        let wake_at = self.wake_at();
        let snapshot_from = self.snapshot_from;
        let [terminate, hangup, interrupt, quit] = ends;
        let newer = async {
            tokio::time::sleep_until(snapshot_from.into()).await;
            self.handle.changed().await
        };
        tokio::select! {
            biased;
            _ = terminate.recv() => Woken::Signal(true),
            _ = hangup.recv() => Woken::Signal(true),
            _ = interrupt.recv() => Woken::Signal(true),
            _ = quit.recv() => Woken::Signal(true),
            _ = continued.recv() => Woken::Signal(false),
            event = input.next() => Woken::Input(event),
            Some(answer) = self.pending.next(), if !self.pending.is_empty() => Woken::Answer(answer),
            event = self.events.next() => Woken::Event(event),
            snapshot = newer => Woken::Snapshot(snapshot),
            () = tokio::time::sleep_until(wake_at.into()) => Woken::Time,
        }
    }

    /// The frame that is due, or the next change that comes by itself.
    fn wake_at(&self) -> Instant {
        let now = self.model.now.unix_ms;
        let by_itself = Duration::from_millis(self.model.wake_at_ms().saturating_sub(now).max(1));
        let by_itself = clock::instant() + by_itself;
        self.frames.due_at().map_or(by_itself, |due| due.min(by_itself))
    }

    fn handle(&mut self, woken: Woken, input: &mut Input) -> Result<Option<Exit>, ScreenError> {
        let now = clock::moment(&self.zone);
        if let Some(exit) = self.tell(Msg::Time(now))? {
            return Ok(Some(exit));
        }
        match woken {
            Woken::Signal(true) => Ok(Some(Exit::Signal)),
            Woken::Signal(false) => {
                // Who stopped us and let us go on may have left the terminal as they like it.
                self.taken = None;
                self.redraw().map(|()| None)
            }
            Woken::Input(event) => self.on_inputs(event, input),
            Woken::Answer(msg) => self.tell(msg),
            Woken::Event(Ok(Ok(event))) => self.tell(Msg::Event(event)),
            Woken::Event(Ok(Err(missed))) => self.tell(Msg::Missed(missed.count)),
            Woken::Snapshot(Ok(snapshot)) => {
                self.snapshot_from = clock::instant() + self.frames.gap();
                self.tell(Msg::Snapshot(snapshot))
            }
            Woken::Event(Err(Stopped)) | Woken::Snapshot(Err(Stopped)) => Ok(Some(Exit::Stopped)),
            Woken::Time => Ok(None),
        }
    }

    /// Takes an input and those that came with it, so that a burst is one frame.
    fn on_inputs(&mut self, first: Option<io::Result<Heard>>, input: &mut Input) -> Result<Option<Exit>, ScreenError> {
        let mut next = first;
        for _ in 0..INPUTS_A_FRAME_MAX {
            let event = match next {
                Some(event) => event.map_err(ScreenError::Read)?,
                // The terminal is gone, as after a hangup.
                None => return Ok(Some(Exit::Signal)),
            };
            let exit = match event {
                Heard::Key(key) => self.tell(Msg::Key(key))?,
                Heard::Paste(text) => self.tell(Msg::Paste(text))?,
                Heard::Pointed(pointed) => self.tell(Msg::Pointed(pointed))?,
                Heard::Resized => {
                    let size = self.painter.size().map_err(ScreenError::Draw)?;
                    self.tell(Msg::Resize(size))?
                }
                Heard::Synchronizes => {
                    self.painter.synchronize();
                    None
                }
            };
            if exit.is_some() {
                return Ok(exit);
            }
            match input.next().now_or_never() {
                Some(more) => next = more,
                None => break,
            }
        }
        Ok(None)
    }

    /// Updates the model and carries out what follows.
    fn tell(&mut self, msg: Msg) -> Result<Option<Exit>, ScreenError> {
        for effect in update(&mut self.model, msg) {
            match effect {
                Effect::DrawNow => self.frames.ask_now(clock::instant()),
                Effect::DrawSoon => self.frames.ask_soon(clock::instant()),
                Effect::Redraw => self.redraw()?,
                Effect::Call { command, subject } => self.call(command, subject),
                Effect::Suspend => self.suspend()?,
                Effect::Copy(text) => terminal::copy(self.painter.backend_mut(), &text).map_err(ScreenError::Draw)?,
                Effect::List(folder) => {
                    let names = folder::names_in(&folder);
                    self.tell(Msg::Listed { folder, names })?;
                }
                Effect::Theme(name) => {
                    let msg = match Theme::named(&name, &self.looks.user_themes, self.looks.depth) {
                        Ok(theme) => {
                            let half_blocks = theme.has_map_colors();
                            self.looks.theme = theme;
                            Msg::Themed { name, half_blocks }
                        }
                        Err(error) => Msg::NotThemed(error.to_string()),
                    };
                    self.tell(msg)?;
                }
                Effect::Bell => {
                    let out = self.painter.backend_mut();
                    out.write_all(b"\x07").and_then(|()| out.flush()).map_err(ScreenError::Draw)?;
                }
                Effect::Leave(exit) => return Ok(Some(exit)),
            }
        }
        Ok(None)
    }

    fn call(&mut self, command: Command, subject: String) {
        let handle = self.handle.clone();
        self.pending.push(Box::pin(async move {
            let result = handle.call(command.clone()).await;
            Msg::Answer { command, subject, result }
        }));
    }

    fn draw_if_due(&mut self) -> Result<(), ScreenError> {
        if !self.frames.take_due(clock::instant()) {
            return Ok(());
        }
        let (model, theme) = (&self.model, &self.looks.theme);
        self.painter.draw(model.size, |buf| view(model, theme, buf)).map_err(ScreenError::Draw)?;
        let title = self.model.title();
        if title != self.title {
            terminal::set_title(self.painter.backend_mut(), &title).map_err(ScreenError::Draw)?;
            self.title = title;
        }
        Ok(())
    }

    fn redraw(&mut self) -> Result<(), ScreenError> {
        if self.taken.is_none() {
            self.taken = Some(terminal::take(self.looks.mouse).map_err(ScreenError::Take)?);
        }
        self.painter.forget();
        let size = self.painter.size().map_err(ScreenError::Draw)?;
        self.title.clear();
        self.model.size = size;
        self.frames.ask_now(clock::instant());
        Ok(())
    }

    fn suspend(&mut self) -> Result<(), ScreenError> {
        let words = match &self.model.setting.attached {
            Some(name) => format!("The screen is stopped; {name} goes on. fg brings it back."),
            None => "potluck is stopped and shares nothing meanwhile. fg brings it back.".to_owned(),
        };
        if let Some(taken) = self.taken.take() {
            self.taken = Some(terminal::suspend(taken, &words).map_err(ScreenError::Take)?);
        }
        self.redraw()
    }
}
