//! Starts that fail at every step, stops in the middle of a start, starts in the middle of a stop,
//! and services that panic.

use std::{cell::Cell, fs, path::Path, time::Instant};

use tempfile::TempDir;

use super::{grounds::Step, *};
use crate::{
    api::{Event, Events},
    types::alone::is_alone,
};

fn settings(folder: &TempDir) -> Settings {
    let mut settings = Settings::fresh(&folder.path().join("home"), folder.path().join("games")).unwrap();
    settings.listen = Some("127.0.0.1:0".parse().unwrap());
    settings.mdns = false;
    settings
}

fn with(folder: &TempDir, change: impl FnOnce(&mut Settings)) -> Settings {
    let mut settings = settings(folder);
    change(&mut settings);
    settings
}

fn failing(folder: &TempDir, fault: &str) -> Settings {
    with(folder, |settings| settings.fault = Some(fault.to_owned()))
}

/// All that a face is told until the runtime has ended.
async fn told(mut events: Events) -> Vec<Event> {
    let mut told = Vec::new();
    while let Ok(event) = events.next().await {
        told.push(event.expect("these are few"));
    }
    told
}

fn phases(told: &[Event]) -> Vec<&'static str> {
    let phase =
        |event: &Event| if let EventKind::Phase(status) = &event.kind { Some(status.phase.word()) } else { None };
    told.iter().filter_map(phase).collect()
}

fn reversed(taken: usize) -> Vec<Step> {
    Step::ALL[..taken].iter().rev().copied().collect()
}

/// Threads of a runtime in this process: each test has its own.
fn threads() -> Vec<String> {
    let names = fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
        let name = fs::read_to_string(task.ok()?.path().join("comm")).ok()?;
        let ours = ["potluck-runtime", "potluck-disk", "potluck-hash"].iter().any(|ours| name.starts_with(ours));
        ours.then(|| name.trim().to_owned())
    });
    names.collect()
}

fn assert_all_threads_end() {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !threads().is_empty() {
        assert!(Instant::now() < deadline, "{:?} go on", threads());
        std::thread::yield_now();
    }
}

/// Everything can be had again: a start on the same home gets all the way.
async fn assert_starts(folder: &TempDir) {
    let (mut handle, runtime) = start(settings(folder)).await.unwrap();
    while handle.snapshot().me.phase != Phase::Serving {
        handle.changed().await.unwrap();
    }
    assert_eq!(runtime.wind_down().await, Down { undone: reversed(Step::ALL.len()), trouble: None });
}

#[tokio::test]
async fn a_start_that_fails_gives_back_what_it_took_and_nothing_else() {
    if !is_alone("runtime::driver::tests::a_start_that_fails_gives_back_what_it_took_and_nothing_else") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (taken, step) in Step::ALL.into_iter().enumerate() {
        let (handle, prepared) = prepare(failing(&folder, &format!("start:{step:?}")));
        let events = handle.events();
        let mut runtime = prepared.begin().unwrap();
        let error = runtime.started().await.unwrap_err();
        let down = runtime.wind_down().await;
        assert_eq!(down, Down { undone: reversed(taken), trouble: None }, "{step:?}");
        let told = told(events).await;
        assert_eq!(phases(&told), ["binding", "error"], "{step:?}");
        let status = handle.snapshot().me.status();
        assert_eq!(told.last().unwrap().kind, EventKind::Phase(status.clone()), "nothing comes after it");
        let expect = (Phase::Error, Some(Reason::Threads), Some(error.to_string()), false);
        assert_eq!((status.phase, status.reason, status.error, status.active), expect);
        assert_all_threads_end();
    }
    assert_starts(&folder).await;
}

#[tokio::test]
async fn no_step_of_a_stop_is_left_out_because_another_failed() {
    for step in Step::ALL {
        let folder = tempfile::tempdir().unwrap();
        let (handle, runtime) = start(failing(&folder, &format!("stop:{step:?}"))).await.unwrap();
        let down = runtime.wind_down().await;
        assert_eq!(down.undone, reversed(Step::ALL.len()), "{step:?}");
        let trouble = down.trouble.unwrap();
        assert_eq!(trouble, format!("giving back {step:?}: it was told to fail here"), "the first that failed");
        assert_eq!(handle.snapshot().me.phase, Phase::Idle);
        let again = start(settings(&folder)).await;
        match step {
            // Somebody may still write there.
            Step::Disk | Step::Catalog => assert!(matches!(again, Err(StartError::HomeHeld { .. })), "{step:?}"),
            Step::Folders
            | Step::Home
            | Step::Library
            | Step::Identity
            | Step::Listener
            | Step::Index
            | Step::Services => again.unwrap().1.stop().await,
        }
    }
}

#[tokio::test]
async fn the_word_error_comes_when_everything_can_be_had_again() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = Some(taken.local_addr().unwrap());
    for _ in 0..10 {
        let (mut handle, prepared) = prepare(with(&folder, |settings| settings.listen = listen));
        let _runtime = prepared.begin().unwrap();
        while handle.snapshot().me.phase != Phase::Error {
            handle.changed().await.unwrap();
        }
        let lock = crate::io::lock::LockFile::acquire(&folder.path().join("home/lock"));
        assert!(lock.is_ok(), "{lock:?}");
    }
}

#[test]
fn a_phase_that_is_no_failure_forgets_the_last_one() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, Prepared { mut life, .. }) = prepare(settings(&folder));
    life.fail(Reason::Bind, "taken".to_owned());
    let status = handle.snapshot().me.status();
    assert_eq!((status.reason, status.error.as_deref(), status.active), (Some(Reason::Bind), Some("taken"), false));
    life.enter(Phase::Serving);
    let status = handle.snapshot().me.status();
    assert_eq!((status.reason, status.error, status.active), (None, None, true));
}

#[tokio::test]
async fn real_failures_name_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let place = |path: &str| folder.path().join(path);
    let check = async |settings: Settings, reason: Reason| {
        let (handle, prepared) = prepare(settings);
        let error = prepared.begin().unwrap().started().await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        while handle.snapshot().me.reason.is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(handle.snapshot().me.reason, Some(reason));
    };
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let listen = Some(taken.local_addr().unwrap());
    check(with(&folder, |settings| settings.listen = listen), Reason::Bind).await;
    let file = |path: &Path, text: &str| fs::write(path, text).unwrap();
    file(&place("file"), "");
    check(with(&folder, |settings| settings.libraries[0].path = place("file")), Reason::Library).await;
    file(&place("catalog.toml"), "no = = toml");
    check(with(&folder, |settings| settings.catalog = place("catalog.toml")), Reason::Catalog).await;
    let held = start(settings(&folder)).await.unwrap();
    check(settings(&folder), Reason::HomeHeld).await;
    let other = settings(&folder).in_folder(&place("other"), place("games"));
    check(other, Reason::LibraryHeld).await;
    assert!(!held.0.is_stopped(), "the one that runs does not notice");
    held.1.stop().await;
    assert_starts(&folder).await;
}

#[tokio::test]
async fn a_stop_in_the_middle_of_a_start_waits_for_the_step_and_unwinds() {
    if !is_alone("runtime::driver::tests::a_stop_in_the_middle_of_a_start_waits_for_the_step_and_unwinds") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for steps in 0..Step::ALL.len() {
        let (tasks, _failures) = Tasks::new();
        let (handle, Prepared { settings, mut life }) = prepare(settings(&folder));
        let mut grounds = Grounds::new(settings, tasks);
        let asked = Cell::new(0);
        let wanted = || asked.replace(asked.get() + 1) < steps;
        let error = grounds.take_all(&mut life, wanted).unwrap_err();
        assert!(matches!(error, StartError::Canceled), "{error}");
        assert_eq!(grounds.give_back().await, Down { undone: reversed(steps), trouble: None });
        drop(handle);
    }
    // The same with real threads, wherever the stop meets the start.
    for pause in 0..15 {
        let (handle, prepared) = prepare(settings(&folder));
        let events = handle.events();
        let runtime = prepared.begin().unwrap();
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let down = runtime.wind_down().await;
        assert_eq!(down.trouble, None);
        let told = told(events).await;
        let last = handle.snapshot().me.status();
        if last.phase == Phase::Idle {
            assert_eq!(phases(&told)[phases(&told).len() - 2..], ["stopping", "idle"]);
        } else {
            assert_eq!((last.phase, last.reason), (Phase::Error, Some(Reason::Canceled)));
        }
    }
    assert_all_threads_end();
    assert_starts(&folder).await;
}

#[tokio::test]
async fn a_start_that_nobody_waits_for_any_more_ends() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, prepared) = prepare(settings(&folder));
    let events = handle.events();
    let mut runtime = prepared.begin().unwrap();
    {
        let mut starting = std::pin::pin!(runtime.started());
        assert!(futures::poll!(&mut starting).is_pending());
    }
    told(events).await;
    runtime.ended().await;
    assert!(matches!(handle.snapshot().me.phase, Phase::Error | Phase::Idle));
    assert_starts(&folder).await;
}

#[tokio::test]
async fn a_start_in_the_middle_of_a_stop_is_held_back_until_all_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (first, runtime) = start(settings(&folder)).await.unwrap();
    let events = first.events();
    let stopping = tokio::spawn(runtime.stop());
    let (mut second, runtime) = loop {
        match start(settings(&folder)).await {
            Ok(started) => break started,
            Err(StartError::HomeHeld { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    stopping.await.unwrap();
    assert_eq!(phases(&told(events).await).last(), Some(&"idle"));
    while second.snapshot().me.phase != Phase::Serving {
        second.changed().await.unwrap();
    }
    assert!(!second.is_stopped());
    runtime.stop().await;
}

#[tokio::test]
async fn a_run_shows_every_phase_and_ends_in_time() {
    let folder = tempfile::tempdir().unwrap();
    let (mut handle, prepared) = prepare(settings(&folder));
    let events = handle.events();
    let mut runtime = prepared.begin().unwrap();
    runtime.started().await.unwrap();
    while handle.snapshot().me.phase != Phase::Serving {
        handle.changed().await.unwrap();
    }
    let asked = Instant::now();
    // Twice is as good as once.
    let (reply, again) = tokio::join!(handle.call(Command::Stop), handle.call(Command::Stop));
    assert_eq!(reply, Ok(Reply::Done { message: "potluck has stopped.".into() }));
    assert_eq!(again, reply);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    runtime.ended().await;
    let told = told(events).await;
    assert_eq!(phases(&told), ["binding", "scanning", "announcing", "serving", "stopping", "idle"]);
    let active = told.iter().filter(|event| matches!(&event.kind, EventKind::Phase(status) if status.active));
    assert_eq!(active.count(), 1);
}

#[tokio::test]
async fn a_required_service_that_panics_ends_the_runtime_and_tells_every_face() {
    let folder = tempfile::tempdir().unwrap();
    let (handle, prepared) = prepare(failing(&folder, "panic:links"));
    let faces = [handle.events(), handle.events(), handle.clone().events()];
    let mut runtime = prepared.begin().unwrap();
    runtime.started().await.unwrap();
    runtime.ended().await;
    for face in faces {
        let told = told(face).await;
        let failed = |event: &&Event| event.kind == EventKind::RuntimeFailed { service: "links".into() };
        assert_eq!(told.iter().filter(failed).count(), 1);
        assert_eq!(phases(&told), ["binding", "scanning", "stopping", "error"]);
    }
    let me = handle.snapshot().me.clone();
    assert_eq!(me.reason, Some(Reason::ServiceFailed));
    assert!(me.error.clone().unwrap().contains("it was told to panic here"), "{:?}", me.error);
    assert!(handle.is_stopped());
    assert_starts(&folder).await;
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "figures")]
async fn restarts_leave_no_thread_and_no_file_behind() {
    if !is_alone("runtime::driver::tests::restarts_leave_no_thread_and_no_file_behind") {
        return;
    }
    const RESTARTS: usize = 25;
    let folder = tempfile::tempdir().unwrap();
    let files = || fs::read_dir("/proc/self/fd").unwrap().count();
    assert_starts(&folder).await;
    assert_all_threads_end();
    let before = files();
    for _ in 0..RESTARTS {
        assert_starts(&folder).await;
    }
    assert_all_threads_end();
    eprintln!("{RESTARTS} restarts: {before} files before, {} after", files());
    assert!(files() <= before, "{before} files, then {}", files());
}
