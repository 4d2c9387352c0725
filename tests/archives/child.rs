//! The child process that reads archives: the real one, of the real binary.

use std::{
    ops::ControlFlow,
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use potluck::{
    io::archive::{
        Job, Limits, Line, Totals, Why,
        child::{self, ExtractError},
        worker,
    },
    runtime::{extraction::extract, tasks::start_process},
};

use crate::{
    bench::{Bench, lay_out_game, noise, tool, tree_of},
    build::{Zipped, zip},
};

/// Longer than anything here takes, on whatever machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_potluck"))
}

fn run(bench: &Bench, job: &Job) -> (Result<Totals, ExtractError>, Vec<Line>) {
    let mut lines = Vec::new();
    let done = extract(program(), job, &mut |line| {
        lines.extend(line.cloned());
        ControlFlow::Continue(())
    });
    bench.assert_untouched();
    (done, lines)
}

/// A zip that takes a while, so that there is time to stop it.
fn large(bench: &Bench) -> Job {
    let bytes = noise(4 << 20);
    let one = Zipped::new("", &bytes);
    let members: Vec<Zipped> =
        (0..24).map(|number: u8| Zipped { name: number.to_string().into(), ..one.clone() }).collect();
    bench.put("game.zip", &zip(&members));
    bench.job(Limits::default())
}

fn why(done: Result<Totals, ExtractError>) -> Why {
    match done {
        Err(ExtractError::Archive(error)) => error.why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_game_comes_out_of_a_confined_child() {
    let bench = Bench::new();
    let game = tempfile::tempdir().expect("a folder");
    lay_out_game(game.path());
    let out = bench.payload().join("game.eti");
    if !tool(game.path(), "tar", &["-czf", out.to_str().expect("UTF-8"), "."]) {
        return;
    }
    let (done, lines) = run(&bench, &bench.job(Limits::default()));
    let totals = done.expect("sound");
    assert!(bench.extracted() == tree_of(game.path()));
    assert_eq!((totals.archives, totals.files), (1, 7));
    assert!(matches!(&lines[0], Line::Confined { .. }), "it confines itself first: {:?}", lines[0]);
    assert!(lines.iter().any(|line| matches!(line, Line::Archive(set) if set.format == "tar.gz")), "{lines:?}");
    assert!(matches!(lines.last(), Some(Line::Done(_))));
}

#[test]
fn a_listing_needs_no_place_to_write_to() {
    let bench = Bench::new();
    bench.put("game.zip", &zip(&[Zipped::new("a", b"12"), Zipped::new("b/c", b"345")]));
    let job = Job { staging: None, ..bench.job(Limits::default()) };
    let (done, lines) = run(&bench, &job);
    assert_eq!(done.expect("sound").bytes, 5);
    let member = |path: &str, size| Line::Member { path: path.into(), size };
    assert!(lines.contains(&member("a", 2)) && lines.contains(&member("b/c", 3)), "{lines:?}");
    assert!(bench.extracted().is_empty());
}

#[cfg(feature = "rar")]
#[test]
fn rar_is_written_by_its_library_inside_the_bounds() {
    use crate::{
        bench::Thing,
        build_rar::{Rarred, rar},
    };

    // A folder whose name is no ASCII, as homes of people are.
    let bench = Bench::new();
    bench.put("Ünï/game.rar", &rar(&[Rarred::new("ä/b", &noise(100_000)), Rarred::new("c", b"x")], None, false));
    let (done, _) = run(&bench, &bench.job(Limits::default()));
    assert_eq!(done.expect("sound").files, 2);
    assert_eq!(bench.extracted()["ä/b"], Thing::File { bytes: noise(100_000), executable: false, mode_high: 0 });
}

#[test]
fn a_refusal_crosses_the_process_whole_and_leaves_nothing() {
    let bench = Bench::new();
    std::fs::write(bench.staging().join(".potluck_owned"), "").expect("the mark");
    bench.put("game.zip", &zip(&[Zipped::new("a/b", b"fine"), Zipped::new("../victim", b"x")]));
    let (done, _) = run(&bench, &bench.job(Limits::default()));
    let Err(ExtractError::Archive(error)) = done else { panic!("{done:?}") };
    assert_eq!((error.archive.as_str(), error.member.as_deref()), ("game.zip", Some("../victim")));
    assert!(matches!(error.why, Why::Path { .. }));
    assert_eq!(bench.extracted().keys().collect::<Vec<_>>(), [".potluck_owned"]);
}

#[test]
fn stopping_ends_the_child_and_leaves_nothing() {
    let bench = Bench::new();
    let job = large(&bench);
    let child = start_process(&mut child::command(program())).expect("started");
    let id = child.id();
    let done = child::follow(child, &job, &mut |line| {
        if matches!(line, Some(Line::Archive(_))) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(done, Err(ExtractError::Cancelled)), "{done:?}");
    assert!(!Path::new(&format!("/proc/{id}")).exists(), "the child is still there");
    assert!(bench.extracted().is_empty());
    bench.assert_untouched();
}

#[test]
fn a_child_that_dies_is_no_success() {
    let bench = Bench::new();
    let job = large(&bench);
    let child = start_process(&mut child::command(program())).expect("started");
    // Before it is told what to do, so that it cannot have done it.
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::KILL).expect("it is there");
    let done = child::follow(child, &job, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(&done, Err(ExtractError::Crashed { how, .. }) if how.contains("signal: 9")), "{done:?}");
    assert!(bench.extracted().is_empty());
}

#[test]
fn a_child_does_not_outlive_who_started_it() {
    let bench = Bench::new();
    let job = large(&bench);
    // It ends with the thread, as it would with the process.
    let mut child = std::thread::scope(|scope| {
        let start = || {
            let mut child = start_process(&mut child::command(program())).expect("started");
            let mut stdin = child.stdin.take().expect("piped");
            serde_json::to_writer(&mut stdin, &job).expect("told");
            std::io::Write::write_all(&mut stdin, b"\n").expect("told");
            // It says that it is at work.
            let mut line = [0; 8];
            std::io::Read::read_exact(child.stdout.as_mut().expect("piped"), &mut line).expect("heard");
            child
        };
        scope.spawn(start).join().expect("no panic")
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("ours") {
            break status;
        }
        assert!(started.elapsed() < PATIENCE, "the child lives on");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.signal(), Some(9), "it ended by itself: {status}");
}

#[test]
fn nothing_but_its_lines_is_believed() {
    let bench = Bench::new();
    bench.put("game.zip", &zip(&[Zipped::new("a", b"x")]));
    let job = bench.job(Limits::default());
    let with = |program: &str, args: &[&str]| {
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = start_process(&mut command).expect("a shell");
        child::follow(child, &job, &mut |_| ControlFlow::Continue(()))
    };
    assert!(matches!(with("/bin/echo", &["hello"]), Err(ExtractError::Nonsense { .. })));
    assert!(matches!(with("/bin/sh", &["-c", "exit 7"]), Err(ExtractError::Crashed { .. })));
    assert!(matches!(with("/bin/sh", &["-c", "yes | tr -d '\\n'"]), Err(ExtractError::Nonsense { .. })));
    let crashed = with("/bin/sh", &["-c", "echo 'memory allocation of 9 bytes failed' >&2; kill -ABRT $$"]);
    assert_eq!(why(crashed), Why::Memory);
    assert_eq!(why(with("/bin/sh", &["-c", "kill -XFSZ $$"])), Why::Bytes { max: job.limits.bytes });
    assert_eq!(why(with("/bin/sh", &["-c", "kill -XCPU $$"])), Why::Seconds { max: job.limits.seconds });
    let missing = extract(Path::new("/nowhere/potluck"), &job, &mut |_| ControlFlow::Continue(()));
    assert!(matches!(missing, Err(ExtractError::NotStarted { .. })));
}

#[test]
fn memory_is_bounded() {
    // A window of 1 GiB, in a child that may have 400 MiB.
    let bench = Bench::new();
    let game = tempfile::tempdir().expect("a folder");
    lay_out_game(game.path());
    let out = bench.payload().join("game");
    let packed = ["--use-compress-program=zstd --ultra --long=30 -3", "-cf", out.to_str().expect("UTF-8"), "."];
    if tool(game.path(), "tar", &packed) {
        let (done, _) = run(&bench, &bench.job(Limits { memory: 400 << 20, ..Limits::default() }));
        assert!(matches!(why(done), Why::Memory | Why::Damaged { .. }));
    }
    // Many members need little.
    let many: Vec<Zipped> = (0..300_000).map(|number| Zipped::new(&format!("empty/{number}"), b"")).collect();
    let bench = Bench::new();
    bench.put("game.zip", &zip(&many));
    let (done, _) = run(&bench, &bench.job(Limits { memory: 400 << 20, ..Limits::default() }));
    assert_eq!(why(done), Why::Entries { max: Limits::default().entries });
}

#[test]
fn only_the_one_word_makes_a_child() {
    let asked = |words: &[&str]| worker::is_asked_for(words.iter().map(Into::into));
    assert!(asked(&["potluck", worker::WORD]));
    assert!(!asked(&["potluck"]) && !asked(&["potluck", "get"]) && !asked(&["potluck", worker::WORD, "--help"]));
    let output = Command::new(program()).arg(worker::WORD).stdin(Stdio::null()).output().expect("started");
    assert!(!output.status.success() && output.stdout.is_empty(), "{output:?}");
}
