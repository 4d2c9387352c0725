//! Potluck as a shell sees it. A shell has its prompt back when the process it started has ended, but
//! a runtime that is to go on without its screen must not end, and cannot be left behind by `fork`,
//! which takes no threads along. So from the beginning there are two: the one in front, which the
//! shell waits for and which does nothing but wait itself, and the one behind it, its child, with the
//! runtime and the screen. Both are in one process group, so that Ctrl-Z, `fg`, signals and a closed
//! window mean what they mean to any program. To go to the background, the one behind leaves the
//! terminal and its session and tells the one in front to end: same process, same runtime, and no
//! link is cut. `main` drives it.

use std::{
    env,
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, ExitStatus},
};

use rustix::{
    process::{Pid, Signal as Sent, getppid, kill_process, set_parent_process_death_signal, setsid},
    stdio::{dup2_stderr, dup2_stdin, dup2_stdout},
    termios::{OptionalActions, Termios, tcgetattr, tcsetattr},
};
use tokio::signal::unix::{SignalKind, signal};

/// By this the one in front knows that it has done its duty.
const DISMISSED: Sent = Sent::USR1;
/// Gives a terminal back that nobody gave back: pictures in one piece, pasted text, cursor, screen,
/// colours, title.
const GIVE_BACK: &[u8] =
    b"\x1b[?2026l\x1b[?2004l\x1b[?1006l\x1b[?1000l\x1b[?25h\x1b[?1049l\x1b[0m\x1b]0;\x07\x1b[23;0t";

/// The process in front of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Front(Pid);

impl Front {
    /// The process of this number, if it is the one that started us. Its death is our hang-up.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(pid.try_into().ok()?)?;
        // Without that, one that nobody waits for ends at the next key.
        let _ = set_parent_process_death_signal(Some(Sent::HUP));
        (getppid() == Some(pid)).then_some(Self(pid))
    }

    /// Leaves the terminal, which must have been given back and is not read any more, and its session;
    /// the shell has its prompt back.
    pub fn dismiss(self) -> io::Result<()> {
        let nowhere = OpenOptions::new().read(true).write(true).open("/dev/null")?;
        dup2_stdin(&nowhere)?;
        dup2_stdout(&nowhere)?;
        dup2_stderr(&nowhere)?;
        // No folder is kept from being unmounted by us.
        env::set_current_dir("/")?;
        setsid()?;
        set_parent_process_death_signal(None)?;
        // Should it have ended by itself, the shell has its prompt already.
        match kill_process(self.0, DISMISSED) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Runs this program once more behind this process, with the same words and `flag` with our number,
/// and waits until it ends or needs us no more; the exit code for the shell.
pub async fn stand_in_front(flag: &str) -> io::Result<u8> {
    let listen = |sent: Sent| signal(SignalKind::from_raw(sent.as_raw()));
    let [mut terminate, mut hangup, mut interrupt, mut quit] =
        [listen(Sent::TERM)?, listen(Sent::HUP)?, listen(Sent::INT)?, listen(Sent::QUIT)?];
    let (mut dismissed, mut ended) = (listen(DISMISSED)?, listen(Sent::CHILD)?);
    // Without a terminal there are no settings to keep.
    let settings = tcgetattr(io::stdin()).ok();
    let mut child = Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .arg(format!("{flag}={}", std::process::id()))
        .spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(code_of(status, settings.as_ref()));
        }
        tokio::select! {
            biased;
            _ = dismissed.recv() => return Ok(0),
            _ = ended.recv() => {}
            // What is to end us is meant for the one behind.
            _ = terminate.recv() => pass_on(&child, Sent::TERM),
            _ = hangup.recv() => pass_on(&child, Sent::HUP),
            _ = interrupt.recv() => pass_on(&child, Sent::INT),
            _ = quit.recv() => pass_on(&child, Sent::QUIT),
        }
    }
}

fn pass_on(child: &Child, sent: Sent) {
    // It may have ended at this moment, which is looked at next.
    let _ = kill_process(Pid::from_child(child), sent);
}

/// The code of the one behind; one that was killed left the terminal as it was at that moment.
fn code_of(status: ExitStatus, settings: Option<&Termios>) -> u8 {
    let Some(signal) = status.signal() else {
        return status.code().and_then(|code| code.try_into().ok()).unwrap_or(1);
    };
    // Whatever of it works is better than nothing.
    let _ = io::stdout().write_all(GIVE_BACK).and_then(|()| io::stdout().flush());
    if let Some(settings) = settings {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, settings);
    }
    // As a shell counts.
    u8::try_from(128 + signal).unwrap_or(1)
}
