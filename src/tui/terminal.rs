//! The terminal: what it can show, taking it over, and giving it back whatever happens. Driven by
//! [`super::screen`]; draws nothing itself.
//!
//! Colours are never left to crossterm: with `NO_COLOR` its 0.29 writes a reset in place of every style
//! and so loses reverse video. We force its colours on and choose a theme without any instead.

use std::{
    io::{self, IsTerminal as _, Write},
    panic,
    sync::{
        Once,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, ThreadId},
};

use crossterm::{
    cursor, event, execute,
    style::force_color_output,
    terminal::{self, EnterAlternateScreen, LeaveAlternateScreen},
};
use potluck_widgets::GlyphLevel;

use super::theme::ColorDepth;

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Abilities {
    pub(crate) color: ColorDepth,
    pub(crate) glyphs: GlyphLevel,
    /// Whether every byte goes over a network.
    pub(crate) ssh: bool,
}

impl Abilities {
    /// What the environment says; `variable` looks one up. `listed` is how many colours the terminal has
    /// by the terminfo database.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<String>, listed: Option<ColorDepth>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let color = if set("NO_COLOR").is_some() || term == "dumb" {
            ColorDepth::Mono
        } else if set("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit") {
            ColorDepth::True
        } else if let Some(listed) = listed {
            // sshd does not forward COLORTERM, but the terminal's name.
            listed
        } else if term.starts_with("vt") {
            ColorDepth::Mono
        } else if term == "linux" || term == "ansi" {
            ColorDepth::Ansi16
        } else {
            // Every terminal of the last twenty years knows these.
            ColorDepth::Indexed256
        };
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default().to_lowercase();
        let unicode = locale.contains("utf-8") || locale.contains("utf8");
        // Braille is for those who ask for it: many fonts lack it, and one column off ruins a table.
        let glyphs = if unicode && term != "dumb" { GlyphLevel::Blocks } else { GlyphLevel::Ascii };
        Self { color, glyphs, ssh: set("SSH_CONNECTION").is_some() || set("SSH_TTY").is_some() }
    }
}

/// The title as it was is put on the terminal's stack, and taken from there at the end.
const TITLE_KEEP: &[u8] = b"\x1b[22;0t";
const TITLE_BACK: &[u8] = b"\x1b[23;0t";
/// Between these two a terminal that can do that shows nothing, and then all at once.
pub(crate) const PICTURE_BEGIN: &[u8] = b"\x1b[?2026h";
pub(crate) const PICTURE_END: &[u8] = b"\x1b[?2026l";

/// Whether the terminal is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether it tells of the mouse.
static MOUSE: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Taken {
    mouse: bool,
}

/// Where pictures are written to.
pub(crate) type Output = io::BufWriter<io::Stdout>;

/// Bytes of a picture kept until it is whole, so that it goes to the terminal in one piece: the first
/// one on a large screen.
const OUTPUT_BYTES: usize = 64 << 10;

/// Where pictures are written to: whole ones, not lines.
pub(crate) fn output() -> Output {
    io::BufWriter::with_capacity(OUTPUT_BYTES, io::stdout())
}

/// Whether there is a terminal to draw on and to type into.
pub(crate) fn is_there() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Clicks and the wheel are told, as text (1000, 1006); motion is not.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Takes the terminal over: raw, on the alternate screen, with pasted text marked as such, and the mouse if it is wanted.
pub(crate) fn take(mouse: bool) -> io::Result<Taken> {
    restore_on_panic();
    force_color_output(true);
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    // From here on the terminal is given back also where the next line fails.
    MOUSE.store(mouse, Ordering::SeqCst);
    let taken = Taken { mouse };
    let mut out = io::stdout();
    out.write_all(TITLE_KEEP)?;
    execute!(out, EnterAlternateScreen, event::EnableBracketedPaste, cursor::Hide)?;
    if mouse {
        out.write_all(MOUSE_ON).and_then(|()| out.flush())?;
    }
    Ok(taken)
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back; does nothing if it is not ours. Nothing here may fail: whoever calls it is
/// on the way out, and what one step cannot undo the next may.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    let _tries = out.write_all(PICTURE_END);
    if MOUSE.swap(false, Ordering::SeqCst) {
        let _tries = out.write_all(MOUSE_OFF);
    }
    let _tries = execute!(out, event::DisableBracketedPaste, cursor::Show, LeaveAlternateScreen);
    // Where there is nothing to go back to, an empty title lets the terminal choose one.
    let _tries = execute!(out, terminal::SetTitle(""));
    let _tries = out.write_all(TITLE_BACK).and_then(|()| out.write_all(b"\x1b[0m")).and_then(|()| out.flush());
    let _tries = terminal::disable_raw_mode();
}

/// A panic of the screen's own thread gives the terminal back before it says what happened. One of
/// another thread is caught and reported by whoever owns that thread; its words go to the log, for
/// on the screen they would be debris.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    let screen: ThreadId = thread::current().id();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if thread::current().id() == screen {
                give_back();
                before(info);
            } else if TAKEN.load(Ordering::SeqCst) {
                tracing::error!("{info}");
            } else {
                before(info);
            }
        }));
    });
}

/// Gives the terminal back, stops the process and its group as Ctrl-Z does, and takes it again when
/// the shell says so. `words` stand in the shell meanwhile.
pub(crate) fn suspend(taken: Taken, words: &str) -> io::Result<Taken> {
    let mouse = taken.mouse;
    drop(taken);
    writeln!(io::stdout(), "{words}")?;
    // Not SIGSTOP: where no shell could ever continue us, SIGTSTP does nothing.
    rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
    take(mouse)
}

/// Sets the terminal's title. The text is ours, never a peer's.
pub(crate) fn set_title(out: &mut impl Write, title: &str) -> io::Result<()> {
    execute!(out, terminal::SetTitle(title))
}

/// Hands text to the clipboard of whoever sits before the terminal, also over SSH (OSC 52). Terminals that do not know it,
/// or were told not to, ignore it.
pub(crate) fn copy(out: &mut impl Write, text: &str) -> io::Result<()> {
    write!(out, "\x1b]52;c;{}\x07", data_encoding::BASE64.encode(text.as_bytes()))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &[(&str, &str)], color: ColorDepth, glyphs: GlyphLevel, ssh: bool) {
        check_listed(environment, None, color, glyphs, ssh);
    }

    fn check_listed(
        environment: &[(&str, &str)],
        listed: Option<ColorDepth>,
        color: ColorDepth,
        glyphs: GlyphLevel,
        ssh: bool,
    ) {
        let variable =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(Abilities::of(variable, listed), Abilities { color, glyphs, ssh }, "{environment:?}");
    }

    #[test]
    fn what_the_environment_says() {
        use ColorDepth::{Ansi16, Indexed256, Mono, True};
        use GlyphLevel::{Ascii, Blocks};
        let utf8 = ("LANG", "de_DE.UTF-8");
        check(&[], Indexed256, Ascii, false);
        check(&[utf8, ("TERM", "xterm-256color")], Indexed256, Blocks, false);
        check(&[utf8, ("COLORTERM", "truecolor")], True, Blocks, false);
        check(&[utf8, ("COLORTERM", "truecolor"), ("NO_COLOR", "1")], Mono, Blocks, false);
        check(&[utf8, ("COLORTERM", "truecolor"), ("NO_COLOR", "")], True, Blocks, false);
        check(&[utf8, ("TERM", "linux")], Ansi16, Blocks, false);
        check(&[utf8, ("TERM", "vt220")], Mono, Blocks, false);
        check_listed(&[utf8, ("TERM", "xterm")], Some(Ansi16), Ansi16, Blocks, false);
        check_listed(&[utf8, ("TERM", "xterm-direct")], Some(True), True, Blocks, false);
        check_listed(&[utf8, ("COLORTERM", "truecolor")], Some(Indexed256), True, Blocks, false);
        check_listed(&[utf8, ("NO_COLOR", "1")], Some(True), Mono, Blocks, false);
        check(&[("LC_ALL", "C"), utf8], Indexed256, Ascii, false);
        check(&[("LC_ALL", "C.utf8"), ("SSH_CONNECTION", "1 2 3 4")], Indexed256, Blocks, true);
    }
}
