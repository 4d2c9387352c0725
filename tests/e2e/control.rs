//! The control socket of the real binary and the real `curl`: every endpoint and every example of
//! `docs/control.md`, other users, and clients that mean ill. Without `curl`, and where another user
//! is needed without root, these tests say so and pass.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixStream,
    },
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{
    CHUNK, game, guest_of, host_of,
    process::{PATIENCE, Seat, finish, wait_until},
    say, text, wait_for_game,
};

fn curl_is_here() -> bool {
    let here = Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok_and(|ended| ended.success());
    if !here {
        say("there is no curl here: nothing is tested");
    }
    here
}

fn socket(seat: &Seat) -> std::path::PathBuf {
    seat.home().join("control.sock")
}

/// What `curl` prints with these words after the socket.
fn curl(seat: &Seat, words: &[&str]) -> String {
    let mut command = Command::new("curl");
    command.args(["-sS", "--unix-socket", text(&socket(seat))]).args(words);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("curl starts");
    finish(child, PATIENCE).stdout
}

fn status_code(seat: &Seat, words: &[&str]) -> String {
    curl(seat, &[&["-o", "/dev/null", "-w", "%{http_code}"], words].concat())
}

/// Whether `found` is `pattern`, in which `…` stands for anything.
fn fits(pattern: &str, found: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = found.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn a_pattern_is_what_it_says() {
    for (pattern, found, fit) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("a…", "ab", true),
        ("…b", "ab", true),
        ("a…c…e", "abcde", true),
        ("a…c…e", "abde", false),
        ("a…b", "bab", false),
    ] {
        assert_eq!(fits(pattern, found), fit, "{pattern} {found}");
    }
}

/// The commands of the `sh` blocks of a document, each with what it answers.
fn examples(document: &str) -> Vec<(String, String)> {
    let mut examples: Vec<(String, String)> = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        match (line, inside) {
            ("```sh", false) => inside = true,
            ("```", true) => inside = false,
            (line, true) => match line.strip_prefix("# ") {
                Some(answer) => {
                    let (_, answers) = examples.last_mut().expect("a command stands before its answer");
                    if !answers.is_empty() {
                        answers.push('\n');
                    }
                    answers.push_str(answer);
                }
                None => examples.push((line.to_owned(), String::new())),
            },
            (_prose, false) => {}
        }
    }
    examples
}

/// Runs a command until it has ended, or what it printed fits.
fn output_of(script: &str, folder: &Path, expect: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-euc", script]).env("XDG_RUNTIME_DIR", folder).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a shell");
    let mut stdout = child.stdout.take().expect("piped");
    let (pieces, read) = mpsc::sync_channel(1_000);
    let reader = thread::spawn(move || {
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            if pieces.send(buffer[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    let (mut all, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(10));
    loop {
        let printed = String::from_utf8_lossy(&all).trim_end().to_owned();
        match read.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(piece) => all.extend_from_slice(&piece),
            Err(_) => {
                end(&mut child);
                drop(read);
                reader.join().expect("it does not panic");
                return printed;
            }
        }
        // A stream has no end.
        if expect.ends_with('…') && fits(expect, &String::from_utf8_lossy(&all)) {
            end(&mut child);
            return expect.to_owned();
        }
    }
}

fn end(child: &mut std::process::Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

#[test]
fn every_example_of_the_document_answers_what_it_says() {
    if !curl_is_here() {
        return;
    }
    let host = host_of(&[("xonotic", &[("data", 30 * CHUNK)])]);
    host.does(&["add", text(&version_of(&host)), "--id", "xonotic", "--version", "0.8.6", "--move"]);
    let seat = guest_of(&host);
    wait_for_game(&seat, "xonotic");
    wait_until("it serves", || seat.asks(&["status"])["me"]["phase"] == "serving");
    wait_until("the new version is seen", || game(&seat, "xonotic")["version"] == "0.8.6");

    let runtime_folder = seat.around().join("run");
    fs::create_dir_all(runtime_folder.join("potluck")).unwrap();
    symlink(socket(&seat), runtime_folder.join("potluck/control.sock")).unwrap();
    let document = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/control.md")).unwrap();
    let examples = examples(&document);
    let (prelude, examples) = examples.split_first().expect("the function comes first");
    assert!(examples.len() > 15, "only {} examples found", examples.len());
    for (command, expect) in examples {
        assert!(!expect.is_empty(), "no answer is given for {command}");
        let found = output_of(&format!("{}\n{command}", prelude.0), &runtime_folder, expect);
        assert!(*expect == found || fits(expect, &found), "{command}\nsays     {expect}\nanswered {found}");
    }
}

/// A folder with another build of the game, big enough to be got slowly.
fn version_of(seat: &Seat) -> std::path::PathBuf {
    let folder = seat.around().join("newer");
    super::make_game(&folder, 77, &[("data", 30 * CHUNK)]);
    folder
}

#[test]
fn every_endpoint_answers_and_everything_else_is_refused_by_name() {
    if !curl_is_here() {
        return;
    }
    let seat = host_of(&[("quux", &[("a", 1_000)])]);
    wait_until("it serves", || status_code(&seat, &["http://x/healthz"]) == "200");
    for path in ["status", "games", "peers", "transfers", "links", "config", "snapshot"] {
        let body = curl(&seat, &[&format!("http://x/v1/{path}")]);
        assert!(serde_json::from_str::<serde_json::Value>(&body).is_ok(), "{path}: {body}");
    }
    let metrics = curl(&seat, &["http://x/metrics"]);
    assert!(metrics.contains("\npotluck_phase{phase=\"serving\"} 1\n"), "{metrics}");
    for (code, words) in [
        ("404", &["http://x/v1/nothing"][..]),
        ("405", &["-X", "DELETE", "http://x/v1/games"]),
        ("400", &["http://x/v1/commands", "-d", "{\"command\":\"explode\"}"]),
        ("400", &["http://x/v1/commands", "-d", "{\"command\":\"add\",\"path\":\"here\"}"]),
        ("400", &["http://x/v1/events?of=nothing"]),
        ("404", &["http://x/v1/commands", "-d", "{\"command\":\"pause\",\"game\":\"nothing\"}"]),
    ] {
        assert_eq!(status_code(&seat, words), code, "{words:?}");
    }
}

#[test]
fn another_user_is_refused_by_the_kernels_word() {
    if !curl_is_here() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return say("another user is needed: run this as root");
    }
    let seat = host_of(&[]);
    let as_nobody = |words: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--", "curl", "-sS", "--unix-socket"]);
        command.arg(socket(&seat)).args(words);
        finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("setpriv"), PATIENCE)
    };
    // The folder keeps others out.
    let outside = as_nobody(&["http://x/v1/status"]);
    assert_ne!(outside.code, Some(0), "{outside:?}");
    // Where somebody opened it, the kernel's word does.
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    open(seat.around(), 0o755);
    open(&seat.home(), 0o755);
    open(&socket(&seat), 0o666);
    for words in
        [&["http://x/v1/status"][..], &["http://x/metrics"], &["http://x/v1/commands", "-d", "{\"command\":\"stop\"}"]]
    {
        let refused = as_nobody(&[&["-o", "/dev/null", "-w", "%{http_code}"], words].concat());
        assert_eq!(refused.stdout, "403", "{words:?}: {refused:?}");
    }
    assert_eq!(status_code(&seat, &["http://x/v1/status"]), "200");
}

#[test]
fn a_socket_of_the_dead_is_replaced_and_one_of_the_living_is_not() {
    if !curl_is_here() {
        return;
    }
    let mut seat = host_of(&[]);
    let second = seat.start(&["serve"]);
    let refused = finish(second, PATIENCE);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert_eq!(status_code(&seat, &["http://x/v1/status"]), "200");
    seat.kill();
    assert!(socket(&seat).exists(), "nobody was there to take it away");
    assert_eq!(status_code(&seat, &["http://x/v1/status"]), "000");
    seat.serve(&[]);
    assert_eq!(status_code(&seat, &["http://x/v1/status"]), "200");
    seat.stop();
    assert!(!socket(&seat).exists());
}

#[test]
fn a_hundred_megabytes_for_a_command_are_turned_away() {
    if !curl_is_here() {
        return;
    }
    let mut seat = host_of(&[]);
    let before = seat.resident_kb();
    for extra in [&[][..], &["-H", "Expect:"], &["-H", "Transfer-Encoding: chunked"]] {
        let mut command = Command::new("curl");
        command.args(["-sS", "--unix-socket", text(&socket(&seat)), "-o", "/dev/null", "-w", "%{http_code}"]);
        command.args(["--data-binary", "@-", "http://x/v1/commands"]).args(extra);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            let zeros = vec![b'0'; CHUNK];
            // Whoever is turned away stops reading.
            (0..100).take_while(|_| stdin.write_all(&zeros).is_ok()).count()
        });
        let ended = finish(child, PATIENCE);
        writer.join().unwrap();
        assert_eq!(ended.stdout, "413", "{extra:?}: {ended:?}");
    }
    let after = seat.resident_kb();
    say(&format!("three bodies of 100 MB: {before} kB before, {after} kB after"));
    assert!(after < before + 20_000, "{before} kB, then {after} kB");
    seat.assert_well();
}

/// A connection that has asked for something and reads nothing of it.
fn deaf(seat: &Seat, path: &str) -> UnixStream {
    let mut stream = UnixStream::connect(socket(seat)).unwrap();
    // One that was turned away already cannot write any more.
    let _ = stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
    stream
}

#[test]
fn clients_that_never_read_cost_nobody_anything() {
    let games: Vec<String> = (0..15).map(|number| format!("game-{number}")).collect();
    let games: Vec<(&str, &[(&str, usize)])> = games.iter().map(|id| (id.as_str(), &[("a", 100)][..])).collect();
    let mut seat = host_of(&games);
    let _deaf: Vec<UnixStream> = (0..20).map(|_| deaf(&seat, "/v1/events")).collect();
    let before = seat.resident_kb();
    let mut asking = UnixStream::connect(socket(&seat)).unwrap();
    asking.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut slowest = Duration::ZERO;
    for number in 0..1_000 {
        let body = format!("{{\"command\":\"quiet\",\"on\":{}}}", number % 2 == 0);
        let length = body.len();
        let asked = Instant::now();
        write!(asking, "POST /v1/commands HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
        let mut answer = [0; 4_096];
        let count = asking.read(&mut answer).expect("an answer in time");
        assert!(answer[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..count]));
        slowest = slowest.max(asked.elapsed());
    }
    let after = seat.resident_kb();
    say(&format!("20 deaf clients, 1,000 commands: the slowest answer {slowest:?}; {before} kB, then {after} kB"));
    assert!(after < before + 30_000, "{before} kB, then {after} kB");
    // They do not hold up the end either.
    let (code, took) = seat.stop();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_stream_tells_of_the_end_and_ends() {
    let mut seat = host_of(&[]);
    wait_until("it serves", || seat.asks(&["status"])["me"]["phase"] == "serving");
    let mut stream = deaf(&seat, "/v1/events");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Before this is there, nobody listens.
    let mut first = [0; 16];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(seat.stop().0, Some(0));
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    let (_, end) = rest.split_once("\"phase\":\"stopping\"").expect("it says that it stops");
    assert!(end.ends_with("\r\n0\r\n\r\n"), "{end}");
}

#[test]
fn a_thousand_clients_at_once_are_answered_or_turned_away() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    let mut seat = host_of(&[]);
    wait_until("it is quiet", || seat.asks(&["status"])["me"]["phase"] == "serving");
    let files = seat.open_files();
    let mut clients: Vec<UnixStream> = (0..1_000).map(|_| deaf(&seat, "/v1/status")).collect();
    let (mut answered, mut turned_away) = (0, 0);
    for client in &mut clients {
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut answer = [0; 64];
        match client.read(&mut answer) {
            Ok(12..) if answer.starts_with(b"HTTP/1.1 200") => answered += 1,
            Ok(12..) if answer.starts_with(b"HTTP/1.1 503") => turned_away += 1,
            // It wrote when it had been turned away already.
            Ok(0) => turned_away += 1,
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => turned_away += 1,
            other => panic!("{other:?}: {}", String::from_utf8_lossy(&answer)),
        }
    }
    say(&format!("1,000 clients: {answered} answered, {turned_away} turned away"));
    assert_eq!(answered + turned_away, 1_000);
    assert!((64..200).contains(&answered), "{answered}");
    drop(clients);
    wait_until("their files are closed", || seat.open_files() <= files);
    seat.asks(&["status"]);
    seat.assert_well();
}

#[test]
fn a_process_out_of_files_answers_again_when_it_has_some() {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let mut seat = host_of(&[]);
    wait_until("it is quiet", || seat.asks(&["status"])["me"]["phase"] == "serving");
    let pid = Pid::from_raw(seat.pid() as i32).unwrap();
    let mut asking = UnixStream::connect(socket(&seat)).unwrap();
    asking.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut ask = |what: &str| {
        write!(asking, "GET {what} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut answer = [0; 4_096];
        let count = asking.read(&mut answer).expect("an answer in time");
        String::from_utf8_lossy(&answer[..count]).into_owned()
    };
    assert!(ask("/healthz").starts_with("HTTP/1.1 200"));
    // It was born with our hard limit, which has to stay: only an administrator may raise that again.
    let none = Rlimit { current: Some(3), maximum: getrlimit(Resource::Nofile).maximum };
    let before = prlimit(Some(pid), Resource::Nofile, none).unwrap();
    let mut waiting = deaf(&seat, "/healthz");
    waiting.set_read_timeout(Some(Duration::from_millis(700))).unwrap();
    assert!(waiting.read(&mut [0; 16]).is_err(), "there is no descriptor to accept it with");
    assert!(ask("/healthz").starts_with("HTTP/1.1 200"), "who is in is answered");
    prlimit(Some(pid), Resource::Nofile, before).unwrap();
    waiting.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; 16];
    waiting.read_exact(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"), "who waited is answered too");
    assert_eq!(status_code(&seat, &["http://x/healthz"]), "200");
    let log = seat.asks(&["logs", "--lines", "1000"]).to_string();
    assert_eq!(log.matches("nobody new reaches potluck").count(), 1, "{log}");
    seat.assert_well();
}
