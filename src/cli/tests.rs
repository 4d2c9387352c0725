//! Commands against a scripted runtime: what they print and how they exit.

use std::{
    cell::{Cell, RefCell},
    ffi::OsString,
    fs,
    io::Write,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clap::CommandFactory as _;
use futures::StreamExt as _;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    api::{
        self, Added, BuildView, Candidate, Command, CommandError, Diagnosis, ErrorCode, Event, EventKind, Figures,
        Finding, GameView, HandleEnd, Level, ManifestFile, MeView, PeerView, Phase, Reply, Snapshot, SourceView,
        StateWord, TransferView, Verdict, VerifyReport,
    },
    control::{server, socket::ControlSocket},
};

#[test]
fn the_definition_is_sound() {
    Args::command().debug_assert();
    for good in [
        "potluck --home h --library l --listen 1 --name n --no-mdns --peer a --peer b",
        "potluck serve --mirror all",
        "potluck demo --peers 3",
        "potluck games --wait 5 --json",
        "potluck get a b --list f --from p --stay",
        "potluck get a --version 1 --content c --no-wait --home h",
        "potluck cancel a --discard",
        "potluck add p q --version 2026.11.21 --move",
        "potluck verify a --repair",
        "potluck manifest a --b3sum",
        "potluck pin a 1.2",
        "potluck connect 10.0.0.1",
        "potluck limit --up 5MB/s",
        "potluck limit --peer nas --down off",
        "potluck quiet on",
        "potluck quiet off",
        "potluck completions bash",
    ] {
        assert!(parse(words(good)).is_ok(), "{good}");
    }
    for bad in [
        "potluck get",
        "potluck nothing",
        "potluck --port 3",
        "potluck demo --peers 99",
        "potluck pin a",
        "potluck quiet",
    ] {
        assert_eq!(parse(words(bad)).unwrap_err().exit_code(), 2, "{bad}");
    }
}

#[test]
fn a_program_is_told_what_is_wrong_with_its_command_line() {
    let told = |line: &str| {
        let (words, out) = (words(line), Buffer::default());
        let mut console = Console::buffers(out.clone(), Buffer::default(), "");
        tell_programs(&parse(&words).unwrap_err(), &words, &mut console);
        out.text()
    };
    for (line, part) in [
        ("potluck limit --json", "required arguments were not provided"),
        ("potluck foo --json", "'foo'"),
        ("potluck --json get", "required arguments were not provided"),
        ("potluck limit --up bla --json", "'bla'"),
    ] {
        let document: Value = serde_json::from_str(&told(line)).unwrap();
        assert_eq!(document["error"]["code"], "usage", "{line}");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains(part) && !message.contains("Usage") && !message.starts_with("error"), "{message}");
    }
    for silent in ["potluck foo", "potluck --json --help", "potluck --version --json", "potluck foo -- --json"] {
        assert_eq!(told(silent), "", "{silent}");
    }
}

#[tokio::test]
async fn queries_are_tables_for_people_and_one_document_for_programs() {
    let party = Party::new(room(), |_, _| Err(CommandError::new(ErrorCode::Failed, "nothing is asked")));
    let table = "GAME     TITLE       VERSION     SIZE  HAVE  STATE\n\
                 coh      Company of  2.602    11.4 GB    96  Getting 43 %\n\
                 xonotic              0.8.6     1.3 GB     1  Ready  ↑ 0.8.7  ≠ two builds\n";
    party.check("games --wait 0", Exit::Done, table, "").await;
    party
        .check(
            "transfers --wait 0",
            Exit::Done,
            "\
                 GAME  VERSION   %    DONE       OF       RATE  LEFT  FROM  STATE\n\
                 coh   2.602    43  4.9 GB  11.4 GB  94.2 MB/s  1:09     1  Getting\n",
            "",
        )
        .await;
    party
        .check(
            "peers --wait 0",
            Exit::Done,
            "\
                 NAME    ID        ADDRESS       PING  HAS  NOTE\n\
                 nas-01  k3v9q2aa  10.0.3.2:1  0.2 ms  212  trusted\n\
                 old     zzzzzzzz  10.0.3.9:1            0  Offline, a firewall\n",
            "",
        )
        .await;
    party
        .check(
            "links --wait 0",
            Exit::Done,
            "\
                 NAME    ADDRESS         IN     OUT    PING   LOSS   MTU  LINK  NOTE\n\
                 nas-01  10.0.3.2:1  2.0 GB  812 kB  0.2 ms  1.2 %  1500     3  routed, draining\n",
            "",
        )
        .await;
    assert_eq!(party.json("links --wait 0 --json", Exit::Done).await[0]["path"], "routed");
    let games = party.json("games --wait 0 --json", Exit::Done).await;
    assert_eq!((&games[0]["state"], &games[0]["percent"]), (&json!("getting"), &json!(43)));
    assert_eq!(party.json("--json peers --wait 0", Exit::Done).await[0]["name"], "nas-01");
    assert_eq!(party.json("transfers --json --wait 0", Exit::Done).await[0]["sources"][0]["bytes"], 7);
}

fn finding(verdict: Verdict, check: &str, what: &str, why: &str, fix: &str) -> Finding {
    let [check, what, why, fix] = [check, what, why, fix].map(str::to_owned);
    Finding { check, verdict, what, why, fix }
}

#[tokio::test]
async fn the_doctor_says_what_mends_and_exits_with_one_only_where_something_does_not_work() {
    let with = |findings| {
        let party = Party::new(room(), |_, _| panic!("nobody is asked"));
        Party { diagnosis: Diagnosis { findings }, ..party }
    };
    let slow = finding(Verdict::Warn, "link-speed", "eth0 is slow.", "A bad cable.", "sudo ethtool eth0");
    let shut = finding(Verdict::Bad, "firewall", "It is shut.", "Nobody comes in.", "sudo ufw allow 47800/udp");
    let dim = finding(Verdict::Unknown, "clock", "Who knows.", "", "date");
    let text = "warn  link-speed   eth0 is slow.\n                   A bad cable.\n                   \
                → sudo ethtool eth0\n?     clock        Who knows.\n                   → date\n\
                It works; 1 could be better.\n";
    with(vec![slow.clone(), dim]).check("doctor", Exit::Done, text, "").await;
    let party = with(vec![slow, shut]);
    let document = party.json("doctor --json", Exit::Failed).await;
    assert_eq!(
        (&document["findings"][1]["verdict"], &document["findings"][1]["check"]),
        (&json!("bad"), &json!("firewall"))
    );
    let alone = with(vec![finding(Verdict::Ok, "port", "It is free.", "", "")]);
    let text = "ok    port         It is free.\nAll is well, as far as it can be seen from here.\n";
    alone.check("doctor", Exit::Done, text, "").await;
    assert_eq!(alone.started.get(), 0, "it starts none");
}

#[tokio::test]
async fn an_empty_room_says_what_to_do() {
    let party = Party::new(Snapshot { me: Arc::new(me()), ..Snapshot::default() }, |_, _| Ok(done("")));
    let text = "No games, and nobody is here. You are 10.0.3.17:47800. In another subnet: potluck connect HOST:PORT.\n";
    party.check("games --wait 0", Exit::Done, text, "").await;
}

#[tokio::test]
async fn every_refusal_has_its_exit_code_and_its_message() {
    for (code, exit) in [
        (ErrorCode::Failed, 1),
        (ErrorCode::Usage, 2),
        (ErrorCode::NotFound, 3),
        (ErrorCode::Ambiguous, 4),
        (ErrorCode::Refused, 4),
        (ErrorCode::WouldWait, 5),
    ] {
        let party = Party::new(room(), move |_, _| Err(CommandError::new(code, "a \x1b[2Jreason")));
        let ran = party.run("pause x").await;
        assert_eq!((ran.exit.code(), ran.errors.as_str()), (exit, "potluck: a [2Jreason\n"), "{code:?}");
        assert_eq!(party.json("pause x --json", ran.exit).await["error"]["message"], "a \x1b[2Jreason");
    }
    let party = Party::new(room(), |_, _| Ok(done("Paused.")));
    party.check("pause x", Exit::Done, "Paused.\n", "").await;
    party
        .check(
            "connect nas:port",
            Exit::Usage,
            "",
            "potluck: `nas:port` is no address; write HOST:PORT, like 10.0.3.17:47800\n",
        )
        .await;
    let party = Party::new(room(), |_, _| {
        let candidate = |content: &str, have| Candidate {
            id: "x".into(),
            title: "X".into(),
            version: "1".into(),
            content: content.into(),
            have,
        };
        let candidates = vec![candidate("c1", 3), candidate("c2", 12)];
        Err(CommandError { candidates, ..CommandError::new(ErrorCode::Ambiguous, "two builds; say --content") })
    });
    let errors = concat!(
        "potluck: two builds; say --content\n",
        "     TITLE  VERSION  HAVE  CONTENT\n",
        "  x  X      1           3  c1\n",
        "  x  X      1          12  c2\n",
    );
    party.check("get x", Exit::Refused, "", errors).await;
}

#[tokio::test]
async fn get_waits_for_the_commit_and_accounts_for_every_byte() {
    let party = Party::new(room(), |command, end| {
        let Command::Get(request) = command else { panic!("{command:?}") };
        let kind = EventKind::Downloaded {
            game: request.game.clone(),
            content: "c0".into(),
            version: "1".into(),
            reused: 100,
            sources: vec![source("p1", 1_000), source("p2", 0)],
            set_aside: Vec::new(),
        };
        // The fact may overtake the answer.
        end.events.send(Event { at_ms: 1, level: Level::Done, text: "done".into(), kind }).unwrap();
        Ok(queued(&request.game))
    });
    let out = "Getting x 1, 1.1 GB.\nx 1 is here: 1 kB from 1 peer, 100 B were here before.\n\
               Done. Not sharing any more; --stay keeps sharing.\n";
    party.check("get x", Exit::Done, out, "").await;
    let document = party.json("get x --json", Exit::Done).await;
    assert_eq!((&document["reused"], &document["fetched"]), (&json!(100), &json!(1_000)));
    assert_eq!(document["sources"][0], json!({ "peer": "p1", "name": "name of p1", "bytes": 1_000 }));
    assert_eq!(document["games"][0]["result"], "done");
}

#[tokio::test]
async fn a_game_that_is_named_twice_is_got_once() {
    let party = Party::new(room(), |command, end| {
        let Command::Get(request) = command else { panic!("{command:?}") };
        assert!(["x", "The X"].contains(&&*request.game), "{request:?}");
        let kind = EventKind::Downloaded {
            game: "x".into(),
            content: "c0".into(),
            version: "1".into(),
            reused: 0,
            sources: vec![source("p1", 1_000)],
            set_aside: Vec::new(),
        };
        end.events.send(Event { at_ms: 1, level: Level::Done, text: "done".into(), kind }).unwrap();
        Ok(queued("x"))
    });
    fs::write(party.folder.path().join("list"), "x\nThe X\nx\n").unwrap();
    let list = party.folder.path().join("list");
    let out = "Getting x 1, 1.1 GB.\nx 1 is here: 1 kB from 1 peer.\n\
               Done. Not sharing any more; --stay keeps sharing.\n";
    party.check(&format!("get x --list {}", list.display()), Exit::Done, out, "").await;
    let document = party.json(&format!("get x x --list {} --json", list.display()), Exit::Done).await;
    assert_eq!((document["games"].as_array().map(Vec::len), &document["fetched"]), (Some(1), &json!(1_000)));
}

#[tokio::test]
async fn get_tells_what_came_and_what_did_not() {
    let party = Party::new(room(), |command, _| {
        if matches!(command, Command::Get(request) if request.game == "here") {
            return Ok(Reply::AlreadyHere { game: "here".into(), content: "c".into(), version: "2".into() });
        }
        Err(CommandError::new(ErrorCode::Refused, "private"))
    });
    fs::write(party.folder.path().join("list"), "here # it is\n\nsecret\n").unwrap();
    let list = party.folder.path().join("list");
    let line = format!("get --list {}", list.display());
    party.check(&line, Exit::Refused, "here 2 is here already.\n", "potluck: secret: private\n").await;
    let document = party.json(&(line + " --json"), Exit::Refused).await;
    assert_eq!(document["games"][1]["error"]["code"], "refused");
    party
        .check(
            "get a b --version 1",
            Exit::Usage,
            "",
            "potluck: --version and --content are for one game; get the others one by one\n",
        )
        .await;
    let ran = party.run("get x --no-wait").await;
    assert_eq!(ran.exit, Exit::Refused);
    assert!(ran.errors.contains("leave --no-wait out"), "{}", ran.errors);
}

#[tokio::test]
async fn a_transfer_that_fails_ends_get() {
    let party = Party::new(room(), |_, end| {
        let failed = TransferView {
            game: "x".into(),
            content: "c0".into(),
            state: StateWord::Failed,
            reason: "the disk is broken".into(),
            ..TransferView::default()
        };
        show(end, |snapshot| snapshot.transfers = Arc::new(vec![failed]));
        Ok(queued("x"))
    });
    let ran = party.run("get x").await;
    assert_eq!((ran.exit, ran.errors.as_str()), (Exit::Failed, "x 1 failed: the disk is broken\n"));
    assert!(ran.out.contains("x: Failed 0 %: the disk is broken"), "a line a second: {}", ran.out);
}

#[tokio::test]
async fn remove_says_what_is_lost_and_asks() {
    let script = |command: Command, _: &HandleEnd| {
        assert_eq!(command, Command::Remove { game: "xonotic".into() });
        Ok(done("Removed."))
    };
    let loss = "Xonotic 0.8.6 and all else in /games/xonotic: 1.3 GB would be lost. \
                Nobody else here has this build: it cannot be got back.";
    let party = Party::new(room(), script);
    let refused = format!("potluck: {loss} Nothing was removed: say --yes to do it.\n");
    party.check("remove XONOTIC", Exit::Refused, "", &refused).await;
    party.check("remove xonotic --yes", Exit::Done, "Removed.\n", &format!("{loss}\n")).await;
    for (answer, exit, out, note) in
        [("y\n", Exit::Done, "Removed.\n", ""), ("\n", Exit::Refused, "", "Nothing was removed.\n")]
    {
        let ran = party.run_with("remove xonotic", answer).await;
        assert_eq!((ran.exit, ran.out.as_str()), (exit, out));
        assert_eq!(ran.errors, format!("{loss} Remove it? [y/N] {note}"));
    }
    let unknown = "potluck: there is no game `xonotik`; did you mean `xonotic`?\n";
    party.check("remove xonotik --yes", Exit::NotFound, "", unknown).await;
    let of_others = "potluck: coh is not in your library\n";
    party.check("remove coh", Exit::NotFound, "", of_others).await;
}

#[tokio::test]
async fn what_is_installed_counts_in_what_a_removal_takes() {
    let mut first = room();
    for game in Arc::make_mut(&mut first.games).iter_mut().filter(|game| game.id == "xonotic") {
        (game.content, game.builds[0].content) = ("c0".into(), "c0".into());
        (game.installed, game.installed_size) = (Some("c0".into()), Some(700_000_000));
    }
    let party = Party::new(first, |_, _| panic!("nothing is removed"));
    let ran = party.run("remove xonotic").await;
    assert!(ran.errors.contains("2.0 GB would be lost."), "{}", ran.errors);
}

#[tokio::test]
async fn verify_names_every_bad_file() {
    let party = Party::new(room(), |command, _| {
        let Command::Verify { game, .. } = command else { panic!("{command:?}") };
        let bad = if game == "good" { vec![] } else { vec!["a/b".to_owned(), "c".to_owned()] };
        let bad_chunks = bad.len() as u32;
        Ok(Reply::Verified(VerifyReport { game, files: 9, size: 9_000_000, bad, bad_chunks, repairing: false }))
    });
    party.check("verify good", Exit::Done, "good is as it should be: 9 files, 9 MB.\n", "").await;
    let out = "bad: a/b\nbad: c\n\
               x: 2 files bad, 2 chunks, of 9 files, 9 MB. `potluck verify --repair` fetches them.\n";
    party.check("verify x", Exit::Failed, out, "").await;
    assert_eq!(party.json("verify x --json", Exit::Failed).await["bad"], json!(["a/b", "c"]));
}

#[tokio::test]
async fn a_repair_is_followed_to_its_end_and_checked() {
    let asked = Arc::new(Mutex::new(0));
    let party = Party::new(room(), move |command, _| {
        let mut asked = asked.lock().unwrap();
        *asked += 1;
        let expect = *asked == 1;
        assert_eq!(command, Command::Verify { game: "x".into(), repair: expect });
        let bad = if expect { vec!["a".to_owned()] } else { vec![] };
        let bad_chunks = u32::from(expect);
        Ok(Reply::Verified(VerifyReport { game: "x".into(), files: 1, size: 1, bad, bad_chunks, repairing: expect }))
    });
    let out = "bad: a\nx: 1 file bad, 1 chunk, of 1 file, 1 B. Fetching them.\nRepaired.\n";
    party.check("verify x --repair", Exit::Done, out, "").await;
}

#[tokio::test]
async fn a_manifest_is_printed_as_stored_or_for_b3sum() {
    let party = Party::new(room(), |_, _| {
        let file = ManifestFile { path: "a b".into(), size: 1, hash: "00ff".into() };
        Ok(Reply::Manifest { game: "x".into(), content: "c".into(), json: r#"{"v":1}"#.into(), files: vec![file] })
    });
    party.check("manifest x", Exit::Done, r#"{"v":1}"#, "").await;
    party.check("manifest x --b3sum", Exit::Done, "00ff  a b\n", "").await;
    assert_eq!(party.json("manifest x --json", Exit::Done).await["manifest"]["v"], 1);
}

#[tokio::test]
async fn add_says_what_changed() {
    let party = Party::new(room(), |command, _| {
        let Command::Add { path, id, .. } = command else { panic!("{command:?}") };
        assert!(path.is_absolute());
        let before = id.map(|id| if id == "same" { "1" } else { "0.9" }.to_owned());
        let game = path.file_name().unwrap().to_string_lossy().into_owned();
        Ok(Reply::Added(Added {
            game,
            version: "1".into(),
            content: "c".into(),
            files: 2,
            size: 5_000_000,
            changed: if before.as_deref() == Some("1") { [0; 3] } else { [1, 2, 3] },
            before,
        }))
    });
    party.check("add a b", Exit::Done, "Added a 1: 2 files, 5 MB.\nAdded b 1: 2 files, 5 MB.\n", "").await;
    let changed = "Added a 1 as a new build after 0.9: 1 new, 2 changed, 3 gone; 2 files, 5 MB.\n";
    party.check("add a --id a", Exit::Done, changed, "").await;
    let same = "a 1 is here already, as it is there: 2 files, 5 MB.\n";
    party.check("add a --id same", Exit::Done, same, "").await;
    party
        .check(
            "add a b --id x",
            Exit::Usage,
            "",
            "potluck: --id and --title name one game; add the others one by one\n",
        )
        .await;
}

#[tokio::test]
async fn a_command_goes_through_the_runtime_that_holds_the_home() {
    let party = Party::new(room(), |_, _| panic!("a runtime was started"));
    let cancel = CancellationToken::new();
    let (handle, mut end) = api::channel(room());
    let socket = ControlSocket::bind(&party.folder.path().join("control.sock")).unwrap();
    let server = tokio::spawn(server::serve(socket, handle, cancel.clone(), server::WRITE_TIME));
    let runtime = tokio::spawn(async move {
        let call = end.commands.recv().await.unwrap();
        assert_eq!(call.command, Command::Resume { game: "x".into() });
        call.reply.send(Ok(done("Goes on."))).unwrap();
        let call = end.commands.recv().await.unwrap();
        call.reply.send(Ok(queued("x"))).unwrap();
        end
    });
    let note = "potluck is running here already, without --name; end it to change that.\n";
    party.check("resume x --name me", Exit::Done, "Goes on.\n", note).await;
    party.check("get x --no-wait", Exit::Done, "Getting x 1, 1.1 GB.\n", "").await;
    assert_eq!(party.started.get(), 0);
    drop(runtime.await.unwrap());
    cancel.cancel();
    server.await.unwrap();
}

#[tokio::test]
async fn serve_says_where_it_listens_and_waits_for_a_short_command() {
    let mut party = Party::new(room(), |_, _| Ok(done("")));
    party.held = Cell::new(2);
    party.ends_after = Some(Duration::from_millis(20));
    let line = "listening on 10.0.3.17:47800 as mypeerid\n";
    party.check("serve", Exit::Done, line, "").await;
    assert_eq!(party.started.get(), 3);
    let told = party.told.into_inner();
    assert_eq!(
        told.first().map(String::as_str),
        Some("READY=1\nSTATUS=serves; 2 games, 0 peers, 1 transfer\n"),
        "{told:?}"
    );
    assert_eq!(told.last().map(String::as_str), Some("STOPPING=1\nSTATUS=ending\n"), "{told:?}");
}

#[tokio::test]
async fn signs_of_life_end_when_the_runtime_no_longer_answers() {
    const ANSWERS: usize = 3;
    let asked = AtomicUsize::new(0);
    let mut party = Party::new(room(), move |command, _| {
        assert_eq!(command, Command::Figures);
        match asked.fetch_add(1, Ordering::Relaxed) {
            nth if nth < ANSWERS => Ok(Reply::Figures(Figures::default())),
            _late => Err(CommandError::new(ErrorCode::Failed, "hung")),
        }
    });
    party.patience = Some(Duration::from_millis(2));
    party.ends_after = Some(Duration::from_millis(100));
    assert_eq!(party.run("serve").await.exit, Exit::Done);
    let told = party.told.into_inner();
    assert_eq!(told.iter().filter(|lines| *lines == "WATCHDOG=1\n").count(), ANSWERS, "{told:?}");
}

#[tokio::test]
async fn the_screen_needs_a_terminal_and_a_broken_config_names_its_line() {
    let party = Party::new(room(), |_, _| Ok(done("")));
    assert_eq!(party.run("").await.exit, Exit::Refused);
    assert_eq!(party.run("demo").await.exit, Exit::Refused);
    fs::write(party.folder.path().join("config.toml"), "nmae = \"x\"\n").unwrap();
    let ran = party.run("games").await;
    assert_eq!(ran.exit, Exit::Usage);
    assert!(ran.errors.ends_with("config.toml, line 1: there is no setting `nmae`; did you mean `name`?\n"));
    assert!(party.run("config --template").await.out.contains("#name = "));
    assert!(party.run("completions bash").await.out.contains("potluck"));
    assert!(party.run("man").await.out.starts_with(".ie"));
}

#[tokio::test]
async fn what_is_handed_out_is_said_with_the_lines_to_type() {
    let party = Party::new(room(), |_, _| panic!("nobody is asked"));
    let text = "This potluck (20 MB) is handed out for 2 minutes or until Ctrl-C.\n\
                It runs on: Linux on x86_64.\n\
                On the other seat, whichever address it reaches:\n  \
                curl -fo potluck http://10.0.3.17:47801/potluck && chmod +x potluck\n\
                There, to see that it is the same (either):\n  \
                echo '256  potluck' | sha256sum -c\n  echo 'b3  potluck' | b3sum -c\n\
                10.0.3.17 has it.\nNo longer handed out; 1 copy went out.\n";
    party.check("hand-out --for 90s --listen 10.0.3.17:1", Exit::Done, text, "").await;
    let nowhere = "potluck: no network is connected\n";
    party.check("hand-out", Exit::Failed, "", nowhere).await;
    assert_eq!(parse(words("potluck hand-out --for 25h")).unwrap_err().exit_code(), 2);
}

type Script = Arc<dyn Fn(Command, &HandleEnd) -> Result<Reply, CommandError> + Send + Sync>;

/// A runtime whose answers are given, and the home it would hold.
struct Party {
    folder: TempDir,
    first: Snapshot,
    script: Script,
    /// Starts that find the home held before one succeeds.
    held: Cell<u32>,
    started: Cell<u32>,
    /// When the runtime ends by itself.
    ends_after: Option<Duration>,
    /// What the service manager was told.
    told: RefCell<Vec<String>>,
    /// How long it waits for a sign of life.
    patience: Option<Duration>,
    /// What is found where no runtime runs.
    diagnosis: Diagnosis,
}

struct Ran {
    exit: Exit,
    out: String,
    errors: String,
}

impl Party {
    fn new(
        first: Snapshot,
        script: impl Fn(Command, &HandleEnd) -> Result<Reply, CommandError> + Send + Sync + 'static,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Arc::new(script);
        Self {
            folder,
            first,
            script,
            held: Cell::new(0),
            started: Cell::new(0),
            ends_after: None,
            told: RefCell::default(),
            patience: None,
            diagnosis: Diagnosis::default(),
        }
    }

    async fn run(&self, line: &str) -> Ran {
        self.run_with(line, "").await
    }

    async fn run_with(&self, line: &str, input: &'static str) -> Ran {
        let home = self.folder.path().display();
        let words = words(&format!("potluck {line} --home {home} --library {home}"));
        let line_of_tests = if line.starts_with("resume x --name") || line.contains("--no-wait") || line == "games" {
            words.into_iter().take_while(|word| word != "--library").collect()
        } else {
            words
        };
        let (out, errors) = (Buffer::default(), Buffer::default());
        let mut console = Console::buffers(out.clone(), errors.clone(), input);
        let exit = run(parse(line_of_tests).unwrap(), self, &mut console).await;
        Ran { exit, out: out.text(), errors: errors.text() }
    }

    async fn check(&self, line: &str, exit: Exit, out: &str, errors: &str) {
        let ran = self.run(line).await;
        assert_eq!((ran.exit, ran.out.as_str(), ran.errors.as_str()), (exit, out, errors), "{line}");
    }

    async fn json(&self, line: &str, exit: Exit) -> Value {
        let ran = self.run(line).await;
        assert_eq!(ran.exit, exit, "{line}: {}", ran.errors);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{line}: {error} in {}", ran.out))
    }
}

impl Launcher for Party {
    type Looks = ();

    async fn start(&self, _: Settings, _: Purpose) -> Result<Running, LaunchError> {
        self.started.set(self.started.get() + 1);
        if self.held.get() > 0 {
            self.held.set(self.held.get() - 1);
            return Err(LaunchError::Held { message: "held by process 7".into() });
        }
        let (handle, mut end) = api::channel(self.first.clone());
        let script = Arc::clone(&self.script);
        let ends_after = self.ends_after.unwrap_or(Duration::from_secs(60));
        tokio::spawn(async move {
            let answering = async {
                while let Some(call) = end.commands.recv().await {
                    let answer = script(call.command, &end);
                    call.reply.send(answer).unwrap();
                }
            };
            // Its end is what the test is about.
            let _ = tokio::time::timeout(ends_after, answering).await;
        });
        Ok(Running { handle, background: Box::pin(async {}), stop: Box::pin(async {}) })
    }

    fn tell_manager(&self, lines: &str) {
        self.told.borrow_mut().push(lines.to_owned());
    }

    fn manager_patience(&self) -> Option<Duration> {
        self.patience
    }

    async fn hand_out(&self, port: u16, only: Option<IpAddr>) -> Result<HandOut, String> {
        let Some(only) = only else { return Err("no network is connected".to_owned()) };
        Ok(HandOut {
            urls: vec![format!("http://{only}:{port}/potluck")],
            size: 20_000_000,
            blake3: "b3".into(),
            sha256: "256".into(),
            needs: Some("Linux on x86_64".into()),
            copies: futures::stream::iter([only]).boxed(),
        })
    }

    fn examine(&self, _: &Settings) -> Diagnosis {
        self.diagnosis.clone()
    }

    async fn demo(&self, _: Settings, _: Option<u8>) -> Result<Running, LaunchError> {
        Err(LaunchError::Failed { message: "no demo".into() })
    }

    fn looks(&self, _: &Settings) -> Result<(), String> {
        Ok(())
    }

    async fn ask_library(
        &self,
        _: &Settings,
        _: fn(&Path) -> Option<u64>,
        _: fn(&Path) -> Result<(), String>,
        (): &(),
    ) -> Result<Option<String>, String> {
        Ok(None)
    }

    async fn screen(&self, (): &(), _: Handle, _: ScreenOver) -> Result<ScreenEnd, String> {
        Ok(ScreenEnd::Left)
    }

    fn is_behind(&self) -> bool {
        true
    }

    async fn stand_in_front(&self) -> Result<u8, String> {
        Ok(0)
    }

    fn go_to_background(&self) -> Result<(), String> {
        Ok(())
    }
}

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn words(line: &str) -> Vec<OsString> {
    line.split_whitespace().map(OsString::from).collect()
}

fn show(end: &HandleEnd, change: impl FnOnce(&mut Snapshot)) {
    let mut next = Snapshot::clone(&end.snapshots.borrow());
    change(&mut next);
    end.snapshots.send_replace(Arc::new(next));
}

fn done(message: &str) -> Reply {
    Reply::Done { message: message.into() }
}

fn queued(game: &str) -> Reply {
    Reply::Queued { game: game.into(), content: "c0".into(), version: "1".into(), size: 1_100_000_000 }
}

fn source(peer: &str, bytes: u64) -> SourceView {
    SourceView { peer: peer.into(), name: format!("name of {peer}"), bytes, ..SourceView::default() }
}

fn me() -> MeView {
    MeView {
        peer: "mypeerid".into(),
        name: "seat-17".into(),
        listen: vec!["10.0.3.17:47800".into()],
        library: "/games".into(),
        phase: Phase::Serving,
        ..MeView::default()
    }
}

/// Two games, one of them coming, and two peers, one of them gone.
fn room() -> Snapshot {
    let build = BuildView { version: "0.8.6".into(), size: 1_300_000_000, have: 1, ours: true, ..BuildView::default() };
    let xonotic = GameView {
        id: "xonotic".into(),
        title: "Xonotic".into(),
        version: "0.8.6".into(),
        size: 1_300_000_000,
        state: StateWord::Ready,
        have: 1,
        update: Some(api::UpdateView { version: "0.8.7".into(), ..api::UpdateView::default() }),
        variants: true,
        builds: vec![build],
        ..GameView::default()
    };
    let coh = GameView {
        id: "coh".into(),
        title: "Company of".into(),
        version: "2.602".into(),
        size: 11_400_000_000,
        have: 96,
        ..GameView::default()
    };
    let transfer = TransferView {
        game: "coh".into(),
        version: "2.602".into(),
        state: StateWord::Getting,
        percent: 43,
        done: 4_900_000_000,
        size: 11_400_000_000,
        down_bps: 94_200_000,
        left_s: Some(69),
        sources: vec![source("p", 7)],
        ..TransferView::default()
    };
    let nas = PeerView {
        id: "k3v9q2aaxxxx".into(),
        name: "nas-01".into(),
        addr: "10.0.3.2:1".into(),
        online: true,
        rtt_us: 200,
        games: 212,
        trusted: true,
        ..PeerView::default()
    };
    let old = PeerView {
        id: "zzzzzzzzzz".into(),
        name: "old".into(),
        addr: "10.0.3.9:1".into(),
        note: "a firewall".into(),
        ..PeerView::default()
    };
    let link = api::LinkView {
        link: 3,
        peer: nas.id.clone(),
        name: "nas-01".into(),
        addr: "10.0.3.2:1".into(),
        path: api::LinkPath::Routed,
        bytes_in: 2_000_000_000,
        bytes_out: 812_000,
        rtt_us: 200,
        loss_permille: 12,
        mtu: 1_500,
        draining: true,
        ..api::LinkView::default()
    };
    Snapshot {
        me: Arc::new(me()),
        links: Arc::new(vec![link]),
        games: Arc::new(vec![coh, xonotic]),
        transfers: Arc::new(vec![transfer]),
        peers: Arc::new(vec![nas, old]),
        ..Snapshot::default()
    }
}
