//! The runtime's end of the control socket: answers requests from the api handle it is given. One
//! future drives all connections, so that it needs nobody to spawn for it. Decides nothing.

mod events;
mod metrics;
mod patient;

use std::{pin::pin, time::Duration};

use axum::{
    Json, Router,
    body::{Body, to_bytes},
    extract::State,
    http::{Method, StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use futures::{StreamExt as _, stream::FuturesUnordered};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::UnixStream,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use patient::Patient;

use super::socket::{Caller, ControlSocket, SocketError};
use crate::api::{Command, CommandError, ErrorCode, Handle, Reply};

/// Connections at a time: some screens, and scripts that forgot to close theirs.
const CONNECTIONS_MAX: usize = 64;
/// A command is a few hundred bytes; the longest path makes it a few thousand.
const BODY_BYTES_MAX: usize = 64 << 10;
/// What a client may send before its body; curl sends a hundred bytes. The library's own bound is six times that.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// A local process that wants something has sent its request by then; tests do not want to wait.
const READ_TIME: Duration = Duration::from_millis(if cfg!(test) { 300 } else { 5_000 });
/// A client that takes nothing of what it is sent for so long is closed: a screen that was suspended
/// attaches again when it goes on, and one that forgot to read keeps nobody else out.
pub const WRITE_TIME: Duration = Duration::from_secs(20);
/// After a connection that could not be accepted, before the next one is tried.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// What is being answered at the end has this long; the runtime's own stop is bounded by 2 s.
const END_TIME: Duration = Duration::from_millis(300);

/// Answers on `socket` until `cancel`; then finishes what is being answered. A client has
/// `write_time` to take something of what waits for it, as a rule [`WRITE_TIME`].
pub async fn serve(socket: ControlSocket, handle: Handle, cancel: CancellationToken, write_time: Duration) {
    let router = router(Shared { handle, cancel: cancel.clone() });
    let mut connections = FuturesUnordered::new();
    let mut leaving = FuturesUnordered::new();
    // Too many open files, mostly, which passes: until then those who are here are answered and others wait.
    let mut accepts_from = Instant::now();
    let mut stuck = false;
    loop {
        let (stream, caller) = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(()) = connections.next(), if !connections.is_empty() => continue,
            Some(()) = leaving.next(), if !leaving.is_empty() => continue,
            accepted = accept_from(&socket, accepts_from) => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !stuck {
                        tracing::error!("nobody new reaches potluck from outside for now: {error}");
                    }
                    (stuck, accepts_from) = (true, Instant::now() + ACCEPT_PAUSE);
                    continue;
                }
            },
        };
        stuck = false;
        let status = match caller {
            Caller::Ours if connections.len() < CONNECTIONS_MAX => {
                connections.push(converse(Patient::new(stream, write_time), router.clone(), cancel.clone()));
                continue;
            }
            Caller::Ours => BUSY,
            Caller::Foreign => FORBIDDEN,
            Caller::Unknown => UNAUTHORIZED,
        };
        // Beyond that they are closed without a word.
        if leaving.len() < CONNECTIONS_MAX {
            leaving.push(turn_away(stream, status));
        }
    }
    // The file goes first: who looks for a runtime from now on shall not find this one.
    drop(socket);
    while connections.next().await.is_some() {}
}

async fn accept_from(socket: &ControlSocket, earliest: Instant) -> Result<(UnixStream, Caller), SocketError> {
    sleep_until(earliest).await;
    socket.accept().await
}

/// One connection, until either end closes it.
async fn converse(stream: Patient, router: Router, cancel: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(READ_TIME).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            timeout(END_TIME, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection to the control socket ended: {error}");
    }
}

/// Too many at a time.
const BUSY: &str = "503 Service Unavailable";
/// Another user.
const FORBIDDEN: &str = "403 Forbidden";
/// A user the kernel does not name.
const UNAUTHORIZED: &str = "401 Unauthorized";

/// Answers whatever is asked, and waits a moment for the other end to close: one that is closed before it
/// has written sees no answer.
async fn turn_away(mut stream: UnixStream, status: &str) {
    let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let say = async {
        stream.write_all(answer.as_bytes()).await?;
        stream.shutdown().await?;
        let mut asked = [0; 1_024];
        while stream.read(&mut asked).await? > 0 {}
        Ok::<(), std::io::Error>(())
    };
    // Who does not take it is turned away too.
    let _ = timeout(END_TIME, say).await;
}

#[derive(Clone)]
struct Shared {
    handle: Handle,
    cancel: CancellationToken,
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/games", get(|State(shared): State<Shared>| async move { json(&shared.handle.snapshot().games) }))
        .route("/v1/peers", get(|State(shared): State<Shared>| async move { json(&shared.handle.snapshot().peers) }))
        .route("/v1/links", get(|State(shared): State<Shared>| async move { json(&shared.handle.snapshot().links) }))
        .route(
            "/v1/transfers",
            get(|State(shared): State<Shared>| async move { json(&shared.handle.snapshot().transfers) }),
        )
        .route("/v1/config", get(config))
        .route("/healthz", get(health))
        .route("/metrics", get(metrics))
        .route("/v1/snapshot", get(|State(shared): State<Shared>| async move { json(&*shared.handle.snapshot()) }))
        .route(
            "/v1/events",
            get(|State(shared): State<Shared>, uri: Uri| async move {
                match events::Wanted::of(uri.query()) {
                    Ok(wanted) => events::stream(shared.handle, shared.cancel, wanted),
                    Err(message) => failure(StatusCode::BAD_REQUEST, &CommandError::new(ErrorCode::Usage, message)),
                }
            }),
        )
        .route("/v1/commands", post(command))
        .fallback(|uri: Uri| async move { unknown(&uri) })
        .method_not_allowed_fallback(|method: Method, uri: Uri| async move { wrong_method(&method, &uri) })
        .with_state(shared)
}

async fn status(State(shared): State<Shared>) -> Response {
    json(&shared.handle.snapshot().overview())
}

async fn config(State(shared): State<Shared>) -> Response {
    match ask(&shared, Command::Config).await {
        Ok(Reply::Config { config }) => json(&config),
        Ok(other) => strange(&other),
        Err(error) => failure(status_of(error.code), &error),
    }
}

/// 200 only when it serves: what looks at this sends nobody here before that.
async fn health(State(shared): State<Shared>) -> Response {
    let status = shared.handle.snapshot().me.status();
    let code = if status.active { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, json(&status)).into_response()
}

async fn metrics(State(shared): State<Shared>) -> Response {
    match ask(&shared, Command::Figures).await {
        Ok(Reply::Figures(figures)) => {
            let text = metrics::text(&shared.handle.snapshot(), &figures);
            ([("content-type", metrics::CONTENT_TYPE)], text).into_response()
        }
        Ok(other) => strange(&other),
        Err(error) => failure(status_of(error.code), &error),
    }
}

/// A question the runtime answers at once, or is too busy for.
async fn ask(shared: &Shared, command: Command) -> Result<Reply, CommandError> {
    let busy = |_| CommandError::new(ErrorCode::WouldWait, "the runtime does not answer; try again");
    timeout(READ_TIME, shared.handle.call(command)).await.map_err(busy)?
}

/// Only a bug answers a question with another question's answer.
fn strange(reply: &Reply) -> Response {
    let message = format!("the runtime answered something else: {reply:?}");
    let error = CommandError::new(ErrorCode::Failed, crate::types::clean(&message, 200));
    failure(StatusCode::INTERNAL_SERVER_ERROR, &error)
}

async fn command(State(shared): State<Shared>, body: Body) -> Response {
    let command = match read_command(body).await {
        Ok(command) => command,
        Err((status, message)) => return failure(status, &CommandError::new(ErrorCode::Usage, message)),
    };
    let stops = command == Command::Stop;
    let answer = tokio::select! {
        biased;
        answer = shared.handle.call(command) => answer,
        // The runtime answers `Stop` when all is over, and this connection is over before that.
        () = shared.cancel.cancelled() => match stops {
            true => Ok(Reply::Done { message: "potluck is stopping.".to_owned() }),
            false => Err(CommandError::new(ErrorCode::Failed, "the runtime is ending; start potluck again")),
        },
    };
    match answer {
        Ok(reply) => json(&json!({ "ok": reply })),
        Err(error) => failure(status_of(error.code), &error),
    }
}

async fn read_command(body: Body) -> Result<Command, (StatusCode, String)> {
    let read = timeout(READ_TIME, to_bytes(body, BODY_BYTES_MAX)).await;
    let read = read.map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the command did not come in time".to_owned()))?;
    let too_long = |_| (StatusCode::PAYLOAD_TOO_LARGE, format!("a command has at most {BODY_BYTES_MAX} bytes"));
    let bytes = read.map_err(too_long)?;
    if !bytes.trim_ascii_start().starts_with(b"{") {
        let example = "a command is an object, like {\"command\": \"rescan\"}; docs/control.md lists them";
        return Err((StatusCode::BAD_REQUEST, example.to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        let why = crate::types::clean(&error.to_string(), 200);
        (StatusCode::BAD_REQUEST, format!("this is no command: {why}; docs/control.md lists them"))
    })
}

fn status_of(code: ErrorCode) -> StatusCode {
    match code {
        ErrorCode::Usage => StatusCode::BAD_REQUEST,
        ErrorCode::NotFound => StatusCode::NOT_FOUND,
        ErrorCode::Ambiguous | ErrorCode::Refused | ErrorCode::WouldWait => StatusCode::CONFLICT,
        ErrorCode::Failed => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

fn unknown(uri: &Uri) -> Response {
    let path = crate::types::clean(uri.path(), 80);
    let message = format!("there is no {path}; docs/control.md lists what there is");
    failure(StatusCode::NOT_FOUND, &CommandError::new(ErrorCode::NotFound, message))
}

fn wrong_method(method: &Method, uri: &Uri) -> Response {
    let path = crate::types::clean(uri.path(), 80);
    let message = format!("{path} does not take {method}; docs/control.md says what does");
    failure(StatusCode::METHOD_NOT_ALLOWED, &CommandError::new(ErrorCode::Usage, message))
}

fn failure(status: StatusCode, error: &CommandError) -> Response {
    (status, json(&json!({ "error": error }))).into_response()
}

/// One JSON document and a line break, which a terminal likes.
fn json<T: serde::Serialize + ?Sized>(value: &T) -> Response {
    // The line break is worth a copy: these answers are for people and scripts.
    match serde_json::to_string(value) {
        Ok(text) => ([("content-type", "application/json")], text + "\n").into_response(),
        Err(error) => {
            let body: Value = json!({ "error": CommandError::new(ErrorCode::Failed, error.to_string()) });
            (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
        }
    }
}
