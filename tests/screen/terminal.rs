//! A terminal as tests see it: a pseudo-terminal with a shell that runs a program, an emulator that
//! shows what is on it, and its settings, to compare before and after. Waits are for what is on the
//! screen, with a deadline; the screen is shown when a test fails on it.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    process::{Child, Command},
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use rustix::{
    process::Pid,
    pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt},
    termios::{Winsize, tcsetwinsize},
};
use tempfile::TempDir;

use crate::process::{PATIENCE, until};

/// A shell on a terminal of its own, and what it runs.
pub(crate) struct Terminal {
    /// The emulator's end.
    ours: File,
    /// The shell: it owns the terminal, as where people sit.
    shell: Child,
    sight: Arc<Mutex<Sight>>,
    /// Where `stty -a` is written to.
    folder: TempDir,
}

/// What the emulator knows.
pub(crate) struct Sight {
    parser: vt100::Parser<Heard>,
    /// Bytes the program wrote.
    pub(crate) bytes: Vec<u8>,
}

/// What a terminal hears that is not on the screen.
#[derive(Default)]
struct Heard {
    titles: Vec<String>,
    bells: usize,
}

impl vt100::Callbacks for Heard {
    fn audible_bell(&mut self, _: &mut vt100::Screen) {
        self.bells += 1;
    }

    fn set_window_title(&mut self, _: &mut vt100::Screen, title: &[u8]) {
        self.titles.push(String::from_utf8_lossy(title).into_owned());
    }
}

impl Terminal {
    /// Runs `program` from the shell of a new terminal that answers nothing.
    pub(crate) fn run(program: &Command, columns: u16, rows: u16) -> Self {
        Self::start(program, columns, rows, None)
    }

    /// The same on one at the end of a slow line, whose answers come so late.
    pub(crate) fn run_far(program: &Command, columns: u16, rows: u16, late: Duration) -> Self {
        Self::start(program, columns, rows, Some(late))
    }

    fn start(program: &Command, columns: u16, rows: u16, late: Option<Duration>) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pseudo-terminal");
        grantpt(&ours).expect("our own pseudo-terminal");
        unlockpt(&ours).expect("our own pseudo-terminal");
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let theirs = ioctl_tiocgptpeer(&ours, flags).expect("our own pseudo-terminal");
        set_size(&ours, columns, rows);
        // Makes the terminal the controlling one of a new session, as a terminal emulator does.
        let mut shell = Command::new("setsid");
        shell.args(["--ctty", "--", "sh", "-i"]).env("PS1", "$ ").env_remove("ENV");
        for (name, value) in program.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        let stream = || theirs.try_clone().expect("a descriptor");
        let shell = shell.stdin(stream()).stdout(stream()).stderr(stream()).spawn().expect("setsid starts");
        let parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Heard::default());
        let sight = Arc::new(Mutex::new(Sight { parser, bytes: Vec::new() }));
        let ours = File::from(ours);
        let reader = ours.try_clone().expect("a descriptor");
        let shared = Arc::clone(&sight);
        thread::spawn(move || emulate(reader, &shared, late));
        let folder = tempfile::Builder::new().prefix("potluck-tty-").tempdir().expect("a temporary folder");
        let terminal = Self { ours, shell, sight, folder };
        terminal.shows("$ ");
        terminal.note_settings("before");
        terminal.does(&words_of(program));
        // From here on "nothing runs" means that it has ended.
        terminal.job();
        terminal
    }

    /// Types a line at the prompt.
    pub(crate) fn does(&self, line: &str) {
        self.types(&format!("{line}\n"));
    }

    /// Types a command at the prompt and waits for what it says.
    pub(crate) fn asks(&self, line: &str) -> String {
        let file = self.folder.path().join("answer");
        // The answer appears whole or not at all.
        self.does(&format!("({line}) >{0}.part 2>&1; mv {0}.part {0}", file.display()));
        let answer = until(PATIENCE, || fs::read_to_string(&file).ok());
        let answer = answer.unwrap_or_else(|| panic!("the shell does not answer {line}:\n{}", self.text()));
        fs::remove_file(&file).expect("our own file");
        answer
    }

    fn note_settings(&self, name: &str) {
        // The first line also names the size, which is the window's.
        let settings = self.asks("stty -a | tail -n +2");
        fs::write(self.folder.path().join(name), settings).expect("our own folder");
    }

    /// What the emulator knows now.
    pub(crate) fn sight(&self) -> MutexGuard<'_, Sight> {
        self.sight.lock().expect("the emulator does not panic")
    }

    /// What is on the screen.
    pub(crate) fn text(&self) -> String {
        self.sight().parser.screen().contents()
    }

    /// The last title set.
    pub(crate) fn title(&self) -> String {
        self.sight().parser.callbacks().titles.last().cloned().unwrap_or_default()
    }

    /// Types.
    pub(crate) fn types(&self, keys: &str) {
        (&self.ours).write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// Waits until `what` is on the screen.
    pub(crate) fn shows(&self, what: &str) {
        self.until(what, |sight| sight.screen().contents().contains(what));
    }

    /// Waits until `what` is no longer on the screen.
    pub(crate) fn hides(&self, what: &str) {
        self.until(&format!("no {what}"), |sight| !sight.screen().contents().contains(what));
    }

    /// Waits until the screen is as it should be; fails naming `what`.
    pub(crate) fn until(&self, what: &str, holds: impl Fn(&Sight) -> bool) {
        let found = until(PATIENCE, || holds(&self.sight()).then_some(()));
        assert!(found.is_some(), "not within {PATIENCE:?}: {what}\n{}", self.text());
    }

    /// Gives the terminal another size, as a window manager does.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        self.sight().parser.screen_mut().set_size(rows, columns);
        set_size(&self.ours, columns, rows);
    }

    /// The processes the shell has started and that are there.
    pub(crate) fn jobs(&self) -> Vec<Pid> {
        children_of(Pid::from_child(&self.shell))
    }

    /// The process that the shell waits for.
    pub(crate) fn job(&self) -> Pid {
        let found = until(PATIENCE, || self.jobs().first().copied());
        found.unwrap_or_else(|| panic!("the shell runs nothing:\n{}", self.text()))
    }

    /// Waits until the shell has its prompt back, and gives the exit code it saw.
    pub(crate) fn ends(&self) -> i32 {
        let gone = until(PATIENCE, || self.jobs().is_empty().then_some(()));
        assert!(gone.is_some(), "it does not end:\n{}", self.text());
        let file = self.folder.path().join("code");
        self.does(&format!("echo $? >{}", file.display()));
        let code = until(PATIENCE, || fs::read_to_string(&file).ok()?.trim().parse().ok());
        fs::remove_file(&file).expect("our own file");
        code.unwrap_or_else(|| panic!("the shell has no prompt:\n{}", self.text()))
    }

    /// Fails unless the terminal is as it was before: its settings, the screen, the cursor.
    pub(crate) fn assert_sane(&self) {
        self.note_settings("after");
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name)).expect("our own file");
        assert_eq!(read("after"), read("before"), "`stty -a` differs");
        self.until("the terminal as it was", |sight| {
            let screen = sight.screen();
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
                && !screen.application_cursor()
                // Put back by the terminal itself, where it kept the one before.
                && sight.wrote(b"\x1b[23;0t")
        });
        assert_eq!(self.title(), "");
    }

    /// Takes the terminal away, as when its window is closed.
    pub(crate) fn hang_up(&mut self) {
        // The kernel hangs up when the session's leader, which is the shell, ends.
        self.shell.kill().expect("our own child");
        self.shell.wait().expect("our own child");
    }
}

impl Sight {
    /// What is on the screen, and how.
    pub(crate) fn screen(&self) -> &vt100::Screen {
        self.parser.screen()
    }

    /// Whether the program wrote these bytes.
    pub(crate) fn wrote(&self, wanted: &[u8]) -> bool {
        self.bytes.windows(wanted.len()).any(|window| window == wanted)
    }

    /// How often the bell rang.
    pub(crate) fn bells(&self) -> usize {
        self.parser.callbacks().bells
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended; either way it is gone after this.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
        if thread::panicking() {
            #[expect(clippy::print_stderr, reason = "shown with a failure")]
            {
                eprintln!("what was on the terminal:\n{}", self.text());
            }
        }
    }
}

/// What terminals that can synchronize output are asked and answer.
const QUESTIONS: &[u8] = b"\x1b[?2026$p\x1b[c";
const ANSWERS: &[u8] = b"\x1b[?2026;2$y\x1b[?62;22c";

/// Feeds the emulator until the terminal is gone.
fn emulate(mut reader: File, sight: &Mutex<Sight>, late: Option<Duration>) {
    let mut piece = [0; 4_096];
    let mut asked = false;
    // An error says that nobody has the other end open any more.
    while let Ok(length @ 1..) = reader.read(&mut piece) {
        let mut sight = sight.lock().expect("a test that panics does not hold it");
        sight.parser.process(&piece[..length]);
        sight.bytes.extend_from_slice(&piece[..length]);
        if let (Some(late), false, true) = (late, asked, sight.wrote(QUESTIONS)) {
            asked = true;
            let mut line = reader.try_clone().expect("a descriptor");
            thread::spawn(move || {
                thread::sleep(late);
                // The terminal may be gone by now.
                let _ = line.write_all(ANSWERS);
            });
        }
    }
}

fn set_size(terminal: &impl std::os::fd::AsFd, columns: u16, rows: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("a terminal");
}

/// The line to type.
fn words_of(program: &Command) -> String {
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let quoted = words.map(|word| format!("'{}'", word.to_str().expect("words of tests are UTF-8")));
    quoted.collect::<Vec<_>>().join(" ")
}

/// The processes that this one started and that are there.
pub(crate) fn children_of(parent: Pid) -> Vec<Pid> {
    let number = parent.as_raw_nonzero();
    // A process that is gone has none.
    let list = fs::read_to_string(format!("/proc/{number}/task/{number}/children")).unwrap_or_default();
    list.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)).collect()
}

/// The state letter of a process in `/proc`; `None` when it is gone.
pub(crate) fn state_of(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}
