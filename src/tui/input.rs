//! What comes from the terminal: keys, pasted text, its new size, and its answers to what it was asked
//! at the start. Nothing waits for an answer: the screen is there at once also at the end of a slow
//! line, and what the terminal can do is used from when it says so. Driven by [`super::screen`].
//!
//! It reads the descriptor itself, in the loop's own thread: where the terminal is given back, nobody
//! is left who would take keys that are meant for the shell.

use std::{
    collections::VecDeque,
    io::{self, Write},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    termios::{QueueSelector, tcflush},
};
use termina::{
    Event, Parser,
    escape::csi::{Csi, DecModeSetting, DecPrivateMode, DecPrivateModeCode, Device, Mode},
    event::{
        KeyCode as RawCode, KeyEvent as RawKey, KeyEventKind as RawKind, Modifiers, MouseButton, MouseEvent,
        MouseEventKind,
    },
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    signal::unix::{Signal, SignalKind, signal},
    time::{sleep_until, timeout},
};

use super::{clock, keymap::Key};

/// Asks whether output can be synchronized (DECRQM 2026), and then what every terminal answers (DA1),
/// so that it is known when no answer is outstanding any more.
const QUESTIONS: &[u8] = b"\x1b[?2026$p\x1b[c";
/// Terminals send the rest of a key's sequence within that, or it was the Esc key.
const ESC_TIME: Duration = Duration::from_millis(30);
/// How long leaving waits for an answer, which the shell would take for something typed.
const ANSWER_TIME: Duration = Duration::from_millis(250);
/// Bytes read at a time: what the kernel keeps of a terminal's input.
const PIECE_BYTES: usize = 4_096;

/// Something the terminal said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// A key was pressed.
    Key(Key),
    /// Text was pasted.
    Paste(String),
    /// It has another size.
    Resized,
    /// The mouse was used.
    Pointed(Pointed),
    /// It takes what lies between two marks as one picture.
    Synchronizes,
}

/// What the mouse did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pointed {
    /// Its first button was pressed here.
    Click {
        /// From the left, from 0.
        column: u16,
        /// From the top, from 0.
        row: u16,
    },
    /// Its wheel was turned by a notch.
    Wheel {
        /// Towards the end of what is looked at.
        down: bool,
    },
}

/// The terminal's end that is read.
#[derive(Debug)]
pub(crate) struct Input {
    terminal: AsyncFd<OwnedFd>,
    resized: Signal,
    decoder: Decoder,
}

impl Input {
    /// Listens to the terminal.
    pub(crate) fn new() -> io::Result<Self> {
        let terminal = rustix::io::fcntl_dupfd_cloexec(io::stdin(), 3)?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe; a descriptor of our own stays what it is until dropped"
        )]
        let terminal = AsyncFd::with_interest(terminal, Interest::READABLE)?;
        let resized = signal(SignalKind::window_change())?;
        Ok(Self { terminal, resized, decoder: Decoder::default() })
    }

    /// Asks the terminal what it can do; the answers come when they come.
    pub(crate) fn ask(&mut self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(QUESTIONS).and_then(|()| out.flush())?;
        self.decoder.unanswered = true;
        Ok(())
    }

    /// The next thing said; `None` when the terminal is gone. Nothing is lost when this is dropped.
    pub(crate) async fn next(&mut self) -> Option<io::Result<Heard>> {
        loop {
            if let Some(heard) = self.decoder.pop() {
                return Some(Ok(heard));
            }
            let escape = self.decoder.escape_until;
            tokio::select! {
                biased;
                Some(()) = self.resized.recv() => return Some(Ok(Heard::Resized)),
                read = read(&self.terminal) => match read {
                    Ok(bytes) if bytes.is_empty() => return None,
                    Ok(bytes) => self.decoder.take(&bytes, clock::instant()),
                    // What a terminal says that was closed.
                    Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => return None,
                    Err(error) => return Some(Err(error)),
                },
                () = sleep_until(escape.unwrap_or_else(clock::instant).into()), if escape.is_some() => {
                    self.decoder.end_escape();
                }
            }
        }
    }

    /// Waits for an answer that is still on its way, but not long, and throws away what it may become:
    /// before the terminal is given back.
    pub(crate) async fn settle(&mut self) {
        if !self.decoder.unanswered {
            return;
        }
        let answered = async {
            while self.decoder.unanswered {
                match read(&self.terminal).await {
                    Ok(bytes) if !bytes.is_empty() => self.decoder.take(&bytes, clock::instant()),
                    Ok(_) | Err(_) => return,
                }
            }
        };
        // Late is late: what comes after that is rather lost than run by a shell.
        let _ = timeout(ANSWER_TIME, answered).await;
        let _ = tcflush(io::stdin(), QueueSelector::IFlush);
    }
}

/// Some bytes, none at the end.
async fn read(terminal: &AsyncFd<OwnedFd>) -> io::Result<Vec<u8>> {
    loop {
        let mut ready = terminal.readable().await?;
        // The descriptor blocks, for the shell shares it: what was readable a moment ago may have been
        // taken by somebody else since.
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut asked = [PollFd::new(terminal.get_ref(), PollFlags::IN)];
        if poll(&mut asked, Some(&now))? == 0 {
            ready.clear_ready();
            continue;
        }
        let mut bytes = vec![0; PIECE_BYTES];
        let length = rustix::io::read(terminal.get_ref(), &mut bytes)?;
        if length < bytes.len() {
            ready.clear_ready();
        }
        bytes.truncate(length);
        return Ok(bytes);
    }
}

/// Makes sense of bytes.
#[derive(Debug, Default)]
struct Decoder {
    parser: Parser,
    heard: VecDeque<Heard>,
    /// When an Esc that may begin a sequence is known to be none.
    escape_until: Option<Instant>,
    /// Whether an answer is on its way.
    unanswered: bool,
}

impl Decoder {
    fn pop(&mut self) -> Option<Heard> {
        self.heard.pop_front()
    }

    fn take(&mut self, bytes: &[u8], now: Instant) {
        self.parser.parse(bytes, true);
        self.escape_until = bytes.ends_with(b"\x1b").then(|| now + ESC_TIME);
        self.sort();
    }

    fn end_escape(&mut self) {
        self.parser.parse(&[], false);
        self.escape_until = None;
        self.sort();
    }

    fn sort(&mut self) {
        while let Some(event) = self.parser.pop() {
            let heard = match event {
                Event::Key(key) => key_of(key).map(Heard::Key),
                Event::Paste(text) => Some(Heard::Paste(text)),
                Event::Csi(Csi::Device(Device::DeviceAttributes(()))) => {
                    self.unanswered = false;
                    None
                }
                Event::Csi(Csi::Mode(Mode::ReportDecPrivateMode { mode, setting })) => {
                    synchronizes(mode, setting).then_some(Heard::Synchronizes)
                }
                Event::Mouse(mouse) => pointed(mouse).map(Heard::Pointed),
                Event::WindowResized(_)
                | Event::FocusIn
                | Event::FocusOut
                | Event::Csi(_)
                | Event::Osc(_)
                | Event::Dcs(_) => None,
            };
            self.heard.extend(heard);
        }
    }
}

fn pointed(mouse: MouseEvent) -> Option<Pointed> {
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => Some(Pointed::Click { column: mouse.column, row: mouse.row }),
        MouseEventKind::ScrollDown => Some(Pointed::Wheel { down: true }),
        MouseEventKind::ScrollUp => Some(Pointed::Wheel { down: false }),
        MouseEventKind::Down(MouseButton::Right | MouseButton::Middle)
        | MouseEventKind::Up(_)
        | MouseEventKind::Drag(_)
        | MouseEventKind::Moved
        | MouseEventKind::ScrollLeft
        | MouseEventKind::ScrollRight => None,
    }
}

fn synchronizes(mode: DecPrivateMode, setting: DecModeSetting) -> bool {
    mode == DecPrivateMode::Code(DecPrivateModeCode::SynchronizedOutput)
        && matches!(setting, DecModeSetting::Set | DecModeSetting::Reset)
}

/// A key of ours; none for keys that nothing is bound to on any keyboard.
fn key_of(key: RawKey) -> Option<Key> {
    if key.kind == RawKind::Release {
        return None;
    }
    let code = match key.code {
        RawCode::Char(c) => KeyCode::Char(c),
        RawCode::Enter => KeyCode::Enter,
        RawCode::Backspace => KeyCode::Backspace,
        RawCode::Tab => KeyCode::Tab,
        RawCode::Escape => KeyCode::Esc,
        RawCode::Left => KeyCode::Left,
        RawCode::Right => KeyCode::Right,
        RawCode::Up => KeyCode::Up,
        RawCode::Down => KeyCode::Down,
        RawCode::Home => KeyCode::Home,
        RawCode::End => KeyCode::End,
        RawCode::BackTab => KeyCode::BackTab,
        RawCode::PageUp => KeyCode::PageUp,
        RawCode::PageDown => KeyCode::PageDown,
        RawCode::Insert => KeyCode::Insert,
        RawCode::Delete => KeyCode::Delete,
        RawCode::Function(number) => KeyCode::F(number),
        RawCode::KeypadBegin
        | RawCode::CapsLock
        | RawCode::ScrollLock
        | RawCode::NumLock
        | RawCode::PrintScreen
        | RawCode::Pause
        | RawCode::Menu
        | RawCode::Null
        | RawCode::Modifier(_)
        | RawCode::Media(_) => return None,
    };
    let mut modifiers = KeyModifiers::NONE;
    for (theirs, ours) in [
        (Modifiers::SHIFT, KeyModifiers::SHIFT),
        (Modifiers::CONTROL, KeyModifiers::CONTROL),
        (Modifiers::ALT, KeyModifiers::ALT),
    ] {
        modifiers.set(ours, key.modifiers.contains(theirs));
    }
    Key::of(KeyEvent::new(code, modifiers))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears `bytes` in pieces of every size, as slow lines deliver them; ends with the time of an Esc.
    fn check(bytes: &[u8], expect: &[&str]) {
        for size in 1..=bytes.len() {
            let mut decoder = Decoder { unanswered: true, ..Decoder::default() };
            let now = Instant::now();
            for piece in bytes.chunks(size) {
                decoder.take(piece, now);
            }
            decoder.end_escape();
            let heard: Vec<String> = std::iter::from_fn(|| decoder.pop())
                .map(|heard| match heard {
                    Heard::Key(key) => key.name(),
                    Heard::Paste(text) => format!("paste {text}"),
                    Heard::Resized => "resized".to_owned(),
                    Heard::Pointed(pointed) => format!("{pointed:?}"),
                    Heard::Synchronizes => "synchronizes".to_owned(),
                })
                .collect();
            assert_eq!(heard, expect, "{:?} in pieces of {size}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn keys_are_heard_as_every_terminal_sends_them() {
        check(b"jG ", &["j", "G", "Space"]);
        check("é日😀".as_bytes(), &["é", "日", "😀"]);
        check(b"\r\t\x7f\x03\x1a\x1b[Z", &["Enter", "Tab", "Backspace", "Ctrl-c", "Ctrl-z", "Shift-Tab"]);
        check(b"\x1b[A\x1bOB\x1b[1;5C\x1b[5~\x1b[6~", &["Up", "Down", "Ctrl-Right", "PgUp", "PgDn"]);
        check(
            b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~\x1b[3~",
            &["Home", "End", "Home", "End", "Home", "End", "Del"],
        );
        check(b"\x1bOP\x1b[[A\x1b[11~", &["F1", "F1", "F1"]);
        check(b"\x1b", &["Esc"]);
        // Alt is bound to nothing.
        check(b"\x1bxq", &["q"]);
    }

    #[test]
    fn pastes_are_no_keys_and_answers_are_no_pastes() {
        check(b"\x1b[200~q\nq\x1b[201~q", &["paste q\nq", "q"]);
        check(b"a\x1b[?2026;2$yb", &["a", "synchronizes", "b"]);
        check(b"\x1b[?2026;0$y\x1b[?62;22cx", &["x"]);
        check(b"\x1b[I\x1b[O", &[]);
    }

    #[test]
    fn the_mouse_is_heard_where_it_was_asked_for() {
        check(b"\x1b[<0;5;3M\x1b[<0;5;3m", &["Click { column: 4, row: 2 }"]);
        check(b"\x1b[<64;5;3M\x1b[<65;5;3M", &["Wheel { down: false }", "Wheel { down: true }"]);
        check(b"\x1b[<2;5;3Ma", &["a"]);
    }

    #[test]
    fn what_every_terminal_answers_says_that_no_answer_is_on_its_way() {
        let mut decoder = Decoder { unanswered: true, ..Decoder::default() };
        decoder.take(b"\x1b[?2026;2$y", Instant::now());
        assert!(decoder.unanswered);
        decoder.take(b"\x1b[?62;22c", Instant::now());
        assert!(!decoder.unanswered);
    }
}
