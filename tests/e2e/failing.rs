//! A runtime that has to end: every face is told, whatever process it is in. Runtime and control socket
//! are in this one, because no user can make a service fail.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use potluck::{
    api::{EventKind, Events, Phase, Reason},
    config::Settings,
    control::{
        client,
        server::{self, WRITE_TIME},
        socket::ControlSocket,
    },
    runtime,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use crate::process::{PATIENCE, Seat, finish, signal};

/// Passes on what faces and the control socket at `server` say to each other, and counts the faces that have
/// their first snapshot: from then on they hear of everything.
async fn relay(faces: UnixListener, server: PathBuf, listening: Arc<AtomicUsize>) {
    while let Ok((face, _)) = faces.accept().await {
        let server = UnixStream::connect(&server).await.unwrap();
        let (mut from_face, mut to_face) = face.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let listening = Arc::clone(&listening);
        tokio::spawn(async move { tokio::io::copy(&mut from_face, &mut to_server).await });
        tokio::spawn(async move {
            let (mut seen, mut piece) = (Vec::new(), [0; 4_096]);
            while let Ok(count @ 1..) = from_server.read(&mut piece).await {
                let before = seen.windows(2).any(|two| two == b"\n\n");
                seen.extend_from_slice(&piece[..count]);
                to_face.write_all(&piece[..count]).await.unwrap();
                if !before && seen.windows(2).any(|two| two == b"\n\n") {
                    listening.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
}

/// The last words of a runtime as a face in this process has them.
async fn last_words(mut events: Events) -> Vec<EventKind> {
    let mut told = Vec::new();
    while let Ok(event) = events.next().await {
        told.push(event.expect("these are few").kind);
    }
    told
}

#[tokio::test]
async fn every_face_is_told_over_the_socket_that_its_runtime_failed() {
    let seat = Seat::new();
    let mut settings = Settings::fresh(&seat.home(), seat.library()).unwrap();
    settings.listen = Some("127.0.0.1:0".parse().unwrap());
    settings.mdns = false;
    settings.fault = Some("panic:links".to_owned());
    let at = settings.places.socket.clone();
    let behind = seat.around().join("behind/control.sock");
    let (handle, prepared) = runtime::prepare(settings);
    let cancel = CancellationToken::new();
    let socket = ControlSocket::bind(&behind).unwrap();
    let serving = tokio::spawn(server::serve(socket, handle.clone(), cancel.clone(), WRITE_TIME));
    let listening = Arc::new(AtomicUsize::new(0));
    std::fs::create_dir_all(at.parent().unwrap()).unwrap();
    tokio::spawn(relay(UnixListener::bind(&at).unwrap(), behind, Arc::clone(&listening)));

    // A screen, a script that reads to the end, and one that follows whatever comes.
    let client::Attached { handle: screen, run } = client::attach(&at).await.unwrap();
    let (screen_events, run) = (screen.events(), tokio::spawn(run));
    let read = seat.start(&["events", "--json"]);
    let follow = seat.command(&["events", "--follow"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let all_listen = async {
        while listening.load(Ordering::Relaxed) < 3 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, all_listen).await.expect("all three listen");

    let mut runtime = prepared.begin().unwrap();
    runtime.started().await.unwrap();
    runtime.ended().await;

    let failed = EventKind::RuntimeFailed { service: "links".into() };
    let told = last_words(screen_events).await;
    assert_eq!(told.iter().filter(|kind| **kind == failed).count(), 1, "{told:?}");
    let Some(EventKind::Phase(last)) = told.last() else { panic!("{told:?}") };
    assert_eq!((last.phase, last.reason), (Phase::Error, Some(Reason::ServiceFailed)));
    run.await.unwrap();
    assert!(screen.is_stopped());
    let me = screen.snapshot().me.clone();
    assert!(me.phase == Phase::Error && me.error.as_ref().is_some_and(|why| why.contains("links stopped")), "{me:?}");

    let ended = tokio::task::spawn_blocking(|| finish(read, PATIENCE)).await.unwrap();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let lines: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed: Vec<&Value> = lines.iter().filter(|line| line["event"] == "runtime_failed").collect();
    assert!(matches!(&*failed, [one] if one["service"] == "links" && one["level"] == "error"), "{lines:#?}");
    let phases: Vec<&str> = lines.iter().filter_map(|line| line["phase"].as_str()).collect();
    assert_eq!(phases, ["binding", "scanning", "stopping", "error"]);

    // This one waits for the next runtime.
    let mut follow = follow;
    let lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let told = tokio::task::spawn_blocking(|| lines.map_while(Result::ok).find(|line| line.ends_with("has to end")));
    let told = timeout(PATIENCE, told).await.expect("in time").unwrap().unwrap_or_default();
    assert!(told.starts_with("error") && told.contains("links stopped: it panicked"), "{told}");
    signal(&follow, "INT");
    assert_eq!(tokio::task::spawn_blocking(|| finish(follow, PATIENCE)).await.unwrap().code, Some(130));
    cancel.cancel();
    serving.await.unwrap();
}
