//! One seat of a party as tests see it: a home and a library of its own in a temporary folder, and
//! the real `potluck` binary run on them. Waits are for conditions, with a deadline; what a seat
//! said is shown when a test fails on it.

#![allow(dead_code, reason = "each test uses its part of a seat")]
#![allow(clippy::disallowed_methods, reason = "tests of the whole have real clocks, threads and processes")]
#![allow(clippy::print_stderr, reason = "a failing test shows what its seats said")]
#![allow(clippy::zombie_processes, reason = "every child is waited for by its seat or by `finish`")]

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a debug build on a busy machine; a test that meets it has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A home, a library, and at most one running `serve`.
#[derive(Debug)]
pub(crate) struct Seat {
    folder: TempDir,
    serving: Option<Serving>,
    /// The network namespace it is in; else it keeps to loopback.
    host: Option<String>,
    /// Whether it names its library, instead of leaving the choice to the program.
    names_library: bool,
}

/// A `serve` that said it is ready.
#[derive(Debug)]
struct Serving {
    child: Child,
    addr: SocketAddr,
    peer: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Seat {
    /// A seat with an empty library.
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("potluck-seat-").tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("library")).expect("an empty temporary folder");
        Self { folder, serving: None, host: None, names_library: true }
    }

    /// A seat that leaves to the program where games go.
    pub(crate) fn by_default() -> Self {
        let mut seat = Self::new();
        seat.names_library = false;
        seat
    }

    /// A seat on a host of a lab, which listens and looks for peers as it would on any machine.
    pub(crate) fn on_host(namespace: &str) -> Self {
        let mut seat = Self::new();
        seat.host = Some(namespace.to_owned());
        seat
    }

    /// Where the key, the index and the socket are.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Where the games are.
    pub(crate) fn library(&self) -> PathBuf {
        self.folder.path().join("library")
    }

    /// The folder around both: nothing else may appear in it.
    pub(crate) fn around(&self) -> &Path {
        self.folder.path()
    }

    /// What lies beside the home and the library, sorted.
    pub(crate) fn folders_around(&self) -> Vec<String> {
        let entries = fs::read_dir(self.around()).expect("a readable folder");
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = entries.map(|entry| name(entry.expect("a readable folder"))).collect();
        names.sort();
        names
    }

    /// The root of a game.
    pub(crate) fn game(&self, id: &str) -> PathBuf {
        self.library().join(id)
    }

    /// A command on this seat that is not started yet.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let binary = env!("CARGO_BIN_EXE_potluck");
        let mut command = Command::new(if self.host.is_some() { "ip" } else { binary });
        if let Some(host) = &self.host {
            command.args(["netns", "exec", host, binary]);
        }
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("POTLUCK_") || text.starts_with("XDG_") || text == "RUST_LOG" {
                command.env_remove(&name);
            }
        }
        command.arg("--home").arg(self.home());
        // What a runtime takes only at its start says nothing to one that runs.
        if self.serving.is_none() {
            if self.names_library && !words.contains(&"--library") {
                command.arg("--library").arg(self.library());
            }
            if self.host.is_none() {
                command.arg("--no-mdns");
            }
            if self.host.is_none() && !words.contains(&"--listen") {
                command.args(["--listen", "127.0.0.1:0"]);
            }
        }
        command.args(words).env("HOME", self.folder.path()).env("NO_COLOR", "1").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Ended {
        finish(self.start(words), PATIENCE)
    }

    /// Starts a command whose output is kept.
    pub(crate) fn start(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    }

    /// Runs a command that must end with 0.
    pub(crate) fn does(&self, words: &[&str]) -> Ended {
        let ended = self.run(words);
        assert_eq!(ended.code, Some(0), "potluck {words:?}: {ended:#?}");
        ended
    }

    /// Runs a query with `--json`, whose answer must be one document.
    pub(crate) fn asks(&self, words: &[&str]) -> Value {
        let ended = self.does(&[words, &["--json"]].concat());
        serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {ended:#?}"))
    }

    /// Starts `serve` and waits until it listens.
    pub(crate) fn serve(&mut self, words: &[&str]) {
        let log = File::create(self.folder.path().join("serve.log")).expect("a writable temporary folder");
        let mut child = self
            .command(&[&["serve"], words].concat())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        let (lines_in, lines) = mpsc::sync_channel::<String>(1_000);
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                // Whoever waited has what it wanted; the rest only keeps the pipe empty.
                let _ = lines_in.try_send(line);
            }
        });
        let mut said = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some((addr, peer)) = parse_listening(&line) {
                self.serving = Some(Serving { child, addr, peer });
                return;
            }
            said.push(line);
        }
        // It runs in vain; the test ends here.
        let _ = child.kill();
        let _ = child.wait();
        panic!("`serve` did not say that it listens: {said:?}\n{}", self.log());
    }

    /// Where `serve` listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.serving.as_ref().expect("serving").addr
    }

    /// The PeerId `serve` gave.
    pub(crate) fn peer(&self) -> &str {
        &self.serving.as_ref().expect("serving").peer
    }

    /// The process id of `serve`.
    pub(crate) fn pid(&self) -> u32 {
        self.serving.as_ref().expect("serving").child.id()
    }

    /// Resident memory of `serve`, in kB.
    pub(crate) fn resident_kb(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line of memory");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    }

    /// Files `serve` has open.
    pub(crate) fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).expect("Linux").count()
    }

    /// Whether `serve` is still there.
    pub(crate) fn is_serving(&mut self) -> bool {
        let child = self.serving.as_mut().map(|serving| &mut serving.child);
        child.is_some_and(|child| child.try_wait().expect("our own child").is_none())
    }

    /// Ends `serve` at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut serving) = self.serving.take() {
            serving.child.kill().expect("our own child");
            serving.child.wait().expect("our own child");
        }
    }

    /// Asks `serve` to end, and gives its exit code and how long it took.
    pub(crate) fn stop(&mut self) -> (Option<i32>, Duration) {
        let mut serving = self.serving.take().expect("serving");
        let started = Instant::now();
        signal(&serving.child, "TERM");
        let code = wait_for(&mut serving.child, PATIENCE).expect("`serve` ends on SIGTERM");
        (code, started.elapsed())
    }

    /// What `serve` wrote to its standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("serve.log")).unwrap_or_default()
    }

    /// Fails when `serve` is gone or any part of it panicked.
    pub(crate) fn assert_well(&mut self) {
        assert!(self.is_serving(), "`serve` has ended:\n{}", self.log());
        assert!(!self.log().contains("panicked"), "a part of `serve` panicked:\n{}", self.log());
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if thread::panicking() && self.serving.is_some() {
            // By a command that may fail: this is no place for a second panic.
            for question in ["games", "transfers"] {
                let asked = self.command(&[question, "--json"]).output();
                let said =
                    asked.map_or_else(|error| error.to_string(), |said| String::from_utf8_lossy(&said.stdout).into());
                eprintln!("{question} of the seat at {}: {said}", self.home().display());
            }
        }
        if let Some(serving) = &mut self.serving {
            // It may have ended by itself; either way it is gone after this.
            let _ = serving.child.kill();
            let _ = serving.child.wait();
        }
        if thread::panicking() {
            eprintln!("what the seat at {} said:\n{}", self.home().display(), self.log());
        }
    }
}

/// `listening on ADDR as PEERID`.
fn parse_listening(line: &str) -> Option<(SocketAddr, String)> {
    let (addr, peer) = line.strip_prefix("listening on ")?.split_once(" as ")?;
    Some((addr.parse().ok()?, peer.trim().to_owned()))
}

/// Waits for a command to end and gives what it wrote; fails after `patience`.
pub(crate) fn finish(mut child: Child, patience: Duration) -> Ended {
    let stdout = drain(child.stdout.take());
    let stderr = drain(child.stderr.take());
    let code = wait_for(&mut child, patience);
    if code.is_none() {
        // What it wrote so far tells why it hangs.
        let _ = child.kill();
        let _ = child.wait();
    }
    let read = |thread: thread::JoinHandle<String>| thread.join().expect("a reader of a pipe does not panic");
    let (stdout, stderr) = (read(stdout), read(stderr));
    let Some(code) = code else { panic!("still running after {patience:?}:\n{stdout}\n{stderr}") };
    Ended { code, stdout, stderr }
}

fn drain(pipe: Option<impl std::io::Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is what there is.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The exit code, `Some(None)` for the end by a signal, `None` when it still runs after `patience`.
pub(crate) fn wait_for(child: &mut Child, patience: Duration) -> Option<Option<i32>> {
    until(patience, || child.try_wait().expect("our own child")).map(|status| status.code())
}

/// Sends a signal by name to a child.
pub(crate) fn signal(child: &Child, name: &str) {
    let pid = rustix::process::Pid::from_child(child);
    let signal = match name {
        "TERM" => rustix::process::Signal::TERM,
        "INT" => rustix::process::Signal::INT,
        other => panic!("no test sends {other}"),
    };
    rustix::process::kill_process(pid, signal).expect("our own child");
}

/// The first `Some` that `look` gives; `None` after `patience`.
pub(crate) fn until<T>(patience: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Waits until `holds`; fails naming `what` after [`PATIENCE`].
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    assert!(until(PATIENCE, || holds().then_some(())).is_some(), "not within {PATIENCE:?}: {what}");
}

/// A folder of files to add: `files` are paths and sizes; bytes come from a small generator, so that
/// no two chunks are equal and a run can be repeated.
pub(crate) fn make_game(folder: &Path, seed: u64, files: &[(&str, usize)]) {
    for (index, (path, size)) in files.iter().enumerate() {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("a writable folder");
        fs::write(path, bytes_of(seed.wrapping_mul(1_000) + index as u64, *size)).expect("a writable folder");
    }
}

/// `size` bytes that follow from `seed` (xorshift64*).
pub(crate) fn bytes_of(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Every file below `folder` with its bytes, ours (`.potluck…`) left out.
pub(crate) fn files_below(folder: &Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    let mut files = std::collections::BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).into_iter().flatten().map(|entry| entry.expect("a readable folder")) {
            let path = entry.path();
            let name = path.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned();
            if name.starts_with(".potluck") {
                continue;
            }
            match entry.file_type().expect("a readable folder") {
                kind if kind.is_dir() => folders.push(path),
                kind if kind.is_symlink() => {
                    let target = fs::read_link(&path).expect("a link");
                    files.insert(name, format!("-> {}", target.display()).into_bytes());
                }
                kind if kind.is_file() => drop(files.insert(name, fs::read(&path).expect("a readable file"))),
                _ => drop(files.insert(name, b"no file, folder or link".to_vec())),
            }
        }
    }
    files
}
