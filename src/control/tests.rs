//! Server and client over a real socket, with a scripted runtime behind it.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    client::{self, ClientError},
    server,
    socket::{self, ControlSocket, SocketError},
};
use crate::api::{
    self, Call, Candidate, Command, CommandError, ErrorCode, Event, EventKind, GameView, HandleEnd, Level, MeView,
    Phase, Reason, Reply, Snapshot,
};

#[tokio::test]
async fn an_attached_handle_is_as_good_as_one_in_process() {
    let mut party = Party::start();
    let attached = client::attach(&party.path).await.unwrap();
    let mut handle = attached.handle;
    let run = tokio::spawn(attached.run);
    assert_eq!(handle.snapshot().me.name, "seat-17");
    let mut events = handle.events();

    let before = handle.snapshot();
    party.show(|snapshot| snapshot.games = Arc::new(vec![game("xonotic")]));
    let now = handle.changed().await.unwrap();
    assert_eq!(now.games[0].id, "xonotic");
    assert!(Arc::ptr_eq(&now.me, &before.me), "only the part that changed is new");

    party.end().events.send(note("hello")).unwrap();
    assert_eq!(events.next().await, Ok(Ok(note("hello"))));

    let asked = tokio::spawn({
        let handle = handle.clone();
        async move { handle.call(Command::Pause { game: "xonotic".into() }).await }
    });
    party.answer(Command::Pause { game: "xonotic".into() }, Ok(done("paused"))).await;
    assert_eq!(asked.await.unwrap(), Ok(done("paused")));

    party.cancel.cancel();
    run.await.unwrap();
    assert!(handle.is_stopped());
    assert!(handle.changed().await.is_err());
    assert!(events.next().await.is_err());
    party.server.await.unwrap();
    assert!(!party.path.exists(), "the socket goes with its runtime");
}

#[tokio::test]
async fn a_refusal_comes_through_with_all_it_says() {
    let mut party = Party::start();
    let refusal = CommandError {
        code: ErrorCode::Ambiguous,
        message: "two games are called so".into(),
        candidates: vec![Candidate { id: "a".into(), title: "A".into(), ..candidate() }],
    };
    let path = party.path.clone();
    let asked = tokio::spawn(async move { client::ask(&path, Command::Rescan).await });
    party.answer(Command::Rescan, Err(refusal.clone())).await;
    assert_eq!(asked.await.unwrap().unwrap(), Err(refusal));
}

#[tokio::test]
async fn a_reader_that_is_slow_is_told_what_it_missed_and_gets_the_whole_state() {
    let party = Party::start();
    let mut stream = socket::connect(&party.path).await.unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut text = read_until(&mut stream, "event: snapshot").await;
    // This test and the server share a thread, so that nothing is read between these.
    for number in 0..api::EVENTS_KEPT_MAX + 7 {
        party.end().events.send(note(&number.to_string())).unwrap();
    }
    text += &read_until(&mut stream, "event: event").await;
    let missed = text.find("event: dropped\nid: 9\n").expect("it is told, and seven numbers are missing");
    assert!(text[missed..].contains(r#"data: {"dropped":7}"#), "{text}");
    assert!(text[missed..].contains("event: snapshot"), "{text}");
}

#[tokio::test]
async fn what_is_no_request_gets_an_answer_that_says_so() {
    let party = Party::start();
    let post =
        |body: &str| format!("POST /v1/commands HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    for (request, status, message) in [
        ("GET /v1/nothing HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 404, "there is no /v1/nothing"),
        ("GET /v1/commands HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 405, "/v1/commands does not take GET"),
        (post("{}"), 400, "this is no command: missing field `command`"),
        (post(""), 400, "a command is an object, like {\"command\""),
        (post("null"), 400, "a command is an object, like {\"command\""),
        (post(r#"{"command":"explode"}"#), 400, "this is no command: unknown variant `explode`"),
        (post(r#"{"command":"pause","game":"a","gmae":"b"}"#), 400, "this is no command: unknown field `gmae`"),
        (post(&"x".repeat(70_000)), 413, "a command has at most 65536 bytes"),
    ] {
        let (found, body) = party.exchange(&request).await;
        assert_eq!(found, status, "{body}");
        let found = body["error"]["message"].as_str().unwrap();
        assert!(found.starts_with(message), "{found}");
    }
    // It is not read to its end.
    let mut stream = socket::connect(&party.path).await.unwrap();
    let head = format!("GET /v1/peers HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(300_000));
    let _cut_short = stream.write_all(head.as_bytes()).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
    let mut stream = socket::connect(&party.path).await.unwrap();
    stream.write_all(&[0xff; 64]).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
}

#[tokio::test]
async fn queries_are_one_json_document() {
    let party = Party::start();
    party.show(|snapshot| snapshot.games = Arc::new(vec![game("xonotic")]));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    let (_, status) = party.exchange(&get("/v1/status")).await;
    assert_eq!((&status["me"]["name"], &status["games"]), (&json!("seat-17"), &json!(1)));
    assert_eq!(party.exchange(&get("/v1/games")).await.1[0]["id"], "xonotic");
    assert_eq!(party.exchange(&get("/v1/peers")).await.1, json!([]));
    assert_eq!(party.exchange(&get("/v1/transfers")).await.1, json!([]));
    assert_eq!(client::snapshot(&party.path).await.unwrap(), *party.snapshot());
}

#[tokio::test]
async fn a_request_that_never_ends_is_given_up() {
    let party = Party::start();
    for begun in ["GET /v1/st", "POST /v1/commands HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{"] {
        let mut stream = socket::connect(&party.path).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}

#[tokio::test]
async fn a_silent_stream_shows_that_it_lives() {
    let party = Party::start();
    let mut stream = socket::connect(&party.path).await.unwrap();
    stream.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let begun = read_until(&mut stream, "\n\n").await;
    assert!(begun.contains("cache-control: no-cache") && begun.contains("event: snapshot"), "{begun}");
    assert!(read_until(&mut stream, "\n\n").await.contains("\r\n:\n\n"), "a comment, and nothing else");
}

#[tokio::test]
async fn what_a_face_cannot_read_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let snapshot = serde_json::to_string(&Snapshot::default()).unwrap();
    let good = serde_json::to_string(&note("hello")).unwrap();
    let body = [
        format!("event: snapshot\ndata: {snapshot}\n\n"),
        "event: part\ndata: {\"part\":\"weather\",\"value\":[]}\n\n".to_owned(),
        "event: event\ndata: {\"event\":\"of a later version\"}\n\n".to_owned(),
        "event: event\ndata: }{\n\n: a comment\n\nevent: greeting\ndata: {}\n\n".to_owned(),
        format!("event: event\ndata: {good}\n\n"),
    ]
    .concat();
    let runtime = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        let _asked = stream.read(&mut [0; 1_024]).await.unwrap();
        let (first, rest) = body.split_at(body.find("event: part").unwrap());
        stream.write_all(format!("{head}{first}").as_bytes()).await.unwrap();
        // The face listens from its first snapshot on.
        tokio::time::sleep(Duration::from_millis(200)).await;
        stream.write_all(rest.as_bytes()).await.unwrap();
    });
    let client::Attached { handle, run } = client::attach(&path).await.unwrap();
    let mut events = handle.events();
    tokio::spawn(run);
    assert_eq!(events.next().await, Ok(Ok(note("hello"))));
    runtime.await.unwrap();
}

#[tokio::test]
async fn stopping_is_answered_although_the_connection_goes_with_it() {
    let mut party = Party::start();
    let path = party.path.clone();
    let asked = tokio::spawn(async move { client::ask(&path, Command::Stop).await });
    let call = party.next_call().await;
    assert_eq!(call.command, Command::Stop);
    party.cancel.cancel();
    assert_eq!(asked.await.unwrap().unwrap(), Ok(done("potluck is stopping.")));
}

#[tokio::test]
async fn connections_beyond_the_limit_are_turned_away_and_the_others_live() {
    let party = Party::start();
    let mut kept = Vec::new();
    for _ in 0..64 {
        kept.push(socket::connect(&party.path).await.unwrap());
    }
    let mut extra = socket::connect(&party.path).await.unwrap();
    let mut answer = String::new();
    extra.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    drop(kept);
    assert_eq!(party.exchange("GET /v1/peers HTTP/1.1\r\nhost: x\r\n\r\n").await.0, 200);
}

#[tokio::test]
async fn clients_that_never_read_lose_their_places() {
    // Longer than a busy machine takes to let all of them in.
    let write_time = Duration::from_millis(1_500);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let party = Party::start_with(folder, path, write_time);
    // More than the kernel keeps for one that does not read.
    party.show(|snapshot| snapshot.games = Arc::new((0..300).map(|number| game(&number.to_string())).collect()));
    let mut deaf = Vec::new();
    for number in 0..64 {
        let mut stream = socket::connect(&party.path).await.unwrap();
        let what = if number % 2 == 0 { "/v1/games" } else { "/v1/events" };
        stream.write_all(format!("GET {what} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
        deaf.push(stream);
    }
    assert_eq!(status_of(&party).await, "503", "all places are taken");
    let given_back = async {
        while status_of(&party).await != "200" {
            tokio::time::sleep(write_time / 10).await;
        }
    };
    tokio::time::timeout(write_time * 20, given_back).await.expect("they have theirs back");

    // One that reads, if late, keeps it.
    let mut late = socket::connect(&party.path).await.unwrap();
    late.write_all(b"GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    for _ in 0..8 {
        tokio::time::sleep(write_time / 4).await;
        read_some(&mut late).await;
    }
    read_until(&mut late, "\n\n").await;
    drop(deaf);
}

/// What a client that asks now is told.
async fn status_of(party: &Party) -> String {
    let mut stream = socket::connect(&party.path).await.unwrap();
    stream.write_all(b"GET /v1/peers HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let head = read_until(&mut stream, "\r\n\r\n").await;
    head.split(' ').nth(1).unwrap().to_owned()
}

async fn read_some(stream: &mut tokio::net::UnixStream) {
    let mut buffer = [0; 16 << 10];
    assert!(stream.read(&mut buffer).await.unwrap() > 0, "it was closed");
}

#[tokio::test]
async fn nobody_there_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("control.sock"), long_folder(&folder).join("control.sock")] {
        let error = client::attach(&path).await.unwrap_err();
        assert!(error.is_nobody(), "{error}");
        assert!(error.to_string().starts_with("no potluck is running here"), "{error}");
    }
    // A runtime that was killed leaves its socket.
    let path = folder.path().join("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(client::ask(&path, Command::Rescan).await.unwrap_err().is_nobody());
}

#[tokio::test]
async fn a_runtime_that_says_nothing_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sock");
    let _mute = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(matches!(client::attach(&path).await, Err(ClientError::Silent { .. })));
    assert!(matches!(client::snapshot(&path).await, Err(ClientError::Silent { .. })));
}

#[tokio::test]
async fn a_socket_is_private_and_has_one_owner() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o775)).unwrap();
    let path = home.join("control.sock");
    let first = ControlSocket::bind(&path).unwrap();
    assert_eq!((mode(&home), mode(&path)), (0o700, 0o600));
    assert!(matches!(ControlSocket::bind(&path), Err(SocketError::Held { .. })));
    drop(first);
    assert!(!path.exists());
    // Left by one that was killed, with and without its lock file.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    drop(ControlSocket::bind(&path).unwrap());
    fs::remove_file(path.with_extension("lock")).unwrap();
    let live = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert!(matches!(ControlSocket::bind(&path), Err(SocketError::Held { .. })));
    drop(live);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "precious").unwrap();
    assert!(matches!(ControlSocket::bind(&path), Err(SocketError::NoSocket { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_folder_open_to_everybody_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let refused = ControlSocket::bind(&folder.path().join("control.sock"));
    assert!(matches!(refused, Err(SocketError::OpenFolder { .. })));
    assert_eq!(mode(folder.path()), 0o1777);
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_address_works() {
    let folder = tempfile::tempdir().unwrap();
    let home = long_folder(&folder);
    let path = home.join("control.sock");
    assert!(path.as_os_str().len() > 200);
    let party = Party::start_at(folder, path.clone());
    assert_eq!(mode(&path), 0o600);
    assert_eq!(client::attach(&path).await.unwrap().handle.snapshot().me.name, "seat-17");
    drop(ControlSocket::bind(&path).unwrap_err());
    drop(party);
}

#[tokio::test]
async fn a_face_is_told_why_its_runtime_failed() {
    for socket_goes_first in [true, false] {
        let party = Party::start();
        let client::Attached { handle, run } = client::attach(&party.path).await.unwrap();
        let mut events = handle.events();
        let run = tokio::spawn(run);
        let why = "links stopped: port gone; potluck has to end";
        let kind = EventKind::RuntimeFailed { service: "links".into() };
        let failed = Event { level: Level::Error, kind, ..note(why) };
        party.end().events.send(failed.clone()).unwrap();
        party.show(|snapshot| {
            let reason = Some(Reason::ServiceFailed);
            let me = MeView { phase: Phase::Error, error: Some(why.into()), reason, ..(*snapshot.me).clone() };
            snapshot.me = Arc::new(me);
        });
        // Nothing is awaited between the last words and the end.
        let Party { cancel, server, end, _folder, .. } = party;
        if socket_goes_first {
            cancel.cancel();
            server.await.unwrap();
            drop(end);
        } else {
            drop(end);
        }
        run.await.unwrap();
        assert_eq!(events.next().await, Ok(Ok(failed)));
        assert!(events.next().await.is_err());
        let me = handle.snapshot().me.clone();
        assert_eq!((me.phase, me.error.as_deref(), me.reason), (Phase::Error, Some(why), Some(Reason::ServiceFailed)));
        cancel.cancel();
    }
}

#[tokio::test]
async fn a_face_that_stays_goes_on_with_the_next_runtime() {
    let party = Party::start();
    let path = party.path.clone();
    let client::Attached { mut handle, run } = client::attach_for_good(&path).await.unwrap();
    let mut events = handle.events();
    let run = tokio::spawn(run);
    let folder = party.die().await;
    while !handle.changed().await.unwrap().me.away {}
    assert_eq!(handle.snapshot().me.name, "seat-17", "what was known stays");
    let refused = handle.call(Command::Rescan).await.unwrap_err();
    assert!(refused.message.contains("no potluck is running here"), "{refused}");

    let next = Party::start_at(folder, path);
    next.show(|snapshot| snapshot.games = Arc::new(vec![game("new")]));
    while handle.snapshot().me.away || handle.snapshot().games.is_empty() {
        handle.changed().await.unwrap();
    }
    assert_eq!(handle.snapshot().games[0].id, "new");
    next.end().events.send(note("hello")).unwrap();
    while events.next().await.unwrap().unwrap().text != "hello" {}

    // Without anybody who looks it ends.
    drop((handle, events));
    tokio::time::timeout(Duration::from_secs(10), run).await.unwrap().unwrap();
}

/// A runtime whose part the test plays, and its socket.
struct Party {
    path: PathBuf,
    cancel: CancellationToken,
    server: JoinHandle<()>,
    end: HandleEnd,
    _folder: TempDir,
}

impl Party {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        Self::start_at(folder, path)
    }

    fn start_at(folder: TempDir, path: PathBuf) -> Self {
        Self::start_with(folder, path, server::WRITE_TIME)
    }

    fn start_with(folder: TempDir, path: PathBuf, write_time: Duration) -> Self {
        let me = MeView { name: "seat-17".into(), ..MeView::default() };
        let (handle, end) = api::channel(Snapshot { me: Arc::new(me), ..Snapshot::default() });
        let cancel = CancellationToken::new();
        let socket = ControlSocket::bind(&path).unwrap();
        let server = tokio::spawn(server::serve(socket, handle, cancel.clone(), write_time));
        Self { path, cancel, server, end, _folder: folder }
    }

    /// Ends, and leaves its folder.
    async fn die(self) -> TempDir {
        self.cancel.cancel();
        self.server.await.unwrap();
        self._folder
    }

    fn end(&self) -> &HandleEnd {
        &self.end
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.end.snapshots.borrow().clone()
    }

    fn show(&self, change: impl FnOnce(&mut Snapshot)) {
        let mut next = Snapshot::clone(&self.end.snapshots.borrow());
        change(&mut next);
        self.end.snapshots.send_replace(Arc::new(next));
    }

    async fn next_call(&mut self) -> Call {
        self.end.commands.recv().await.unwrap()
    }

    async fn answer(&mut self, expect: Command, answer: Result<Reply, CommandError>) {
        let call = self.next_call().await;
        assert_eq!(call.command, expect);
        call.reply.send(answer).unwrap();
    }

    /// Sends raw bytes and reads the status and the JSON body of the answer.
    async fn exchange(&self, request: &str) -> (u16, Value) {
        let mut stream = socket::connect(&self.path).await.unwrap();
        stream.write_all(request.replace("host: x", "host: x\r\nconnection: close").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }
}

async fn read_until(stream: &mut tokio::net::UnixStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !text.contains(end) {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await;
        let count = read.expect("it comes").unwrap();
        assert!(count > 0, "the stream ended after {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    text
}

fn long_folder(folder: &TempDir) -> PathBuf {
    folder.path().join("a".repeat(100)).join("b".repeat(100))
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn game(id: &str) -> GameView {
    GameView { id: id.into(), title: id.into(), ..GameView::default() }
}

fn note(text: &str) -> Event {
    Event { at_ms: 1, level: Level::Info, text: text.into(), kind: EventKind::Note }
}

fn done(message: &str) -> Reply {
    Reply::Done { message: message.into() }
}

fn candidate() -> Candidate {
    Candidate { id: String::new(), title: String::new(), version: String::new(), content: String::new(), have: 0 }
}
