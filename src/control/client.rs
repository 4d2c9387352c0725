//! A face's end of the control socket: the same handle as in process, kept up to date from the
//! stream of events, and single questions for commands that need no more. Whoever attaches runs the
//! future that comes with the handle; when that ends, the handle says that the runtime is gone.

mod attached;

use std::{path::Path, time::Duration};

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::time::timeout;

pub use attached::{Attached, attach, attach_for_good};

use super::socket::{self, SocketError};
use crate::api::{Command, CommandError, ErrorCode, Reply, Snapshot};

/// A runtime that lives accepts and answers at once, a stopped process does not; tests do not want to
/// wait for that.
const ANSWER_TIME: Duration = Duration::from_millis(if cfg!(test) { 1_000 } else { 5_000 });
/// The manifest of 150,000 files as a reply, twice over.
const REPLY_BYTES_MAX: usize = 128 << 20;

/// Why the runtime could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody is there, or nobody of ours.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// It is there and says nothing.
    #[error("the potluck at {path} does not answer; end it and start it again")]
    Silent {
        /// The socket.
        path: std::path::PathBuf,
    },
    /// It ended while it was asked.
    #[error("the connection to the running potluck broke: {source}")]
    Broken {
        /// What hyper says.
        #[source]
        source: hyper::Error,
    },
    /// It speaks another language.
    #[error("the running potluck answered what this one does not understand ({what}); are both of the same version?")]
    Strange {
        /// What was strange.
        what: String,
    },
}

impl ClientError {
    /// Whether simply no runtime is there.
    #[must_use]
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Socket(SocketError::NobodyThere { .. }))
    }
}

/// Sends one command and waits for its answer, however long it takes.
pub async fn ask(path: &Path, command: Command) -> Result<Result<Reply, CommandError>, ClientError> {
    let body = serde_json::to_vec(&command).map_err(|error| strange(&error))?;
    let (parts, body) = exchange(path, Method::POST, "/v1/commands", body, None).await?;
    let answer: Answer = serde_json::from_slice(&body).map_err(|error| strange(&error))?;
    match answer {
        Answer::Ok(reply) => Ok(Ok(reply)),
        Answer::Error(error) if parts != StatusCode::OK => Ok(Err(error)),
        Answer::Error(_) => Err(ClientError::Strange { what: "an error that is none".to_owned() }),
    }
}

/// The state of the runtime now.
pub async fn snapshot(path: &Path) -> Result<Snapshot, ClientError> {
    let (_, body) = exchange(path, Method::GET, "/v1/snapshot", Vec::new(), Some(ANSWER_TIME)).await?;
    serde_json::from_slice(&body).map_err(|error| strange(&error))
}

/// As [`ask`], with every failure as a command's.
async fn ask_as_call(path: &Path, command: Command) -> Result<Reply, CommandError> {
    match ask(path, command).await {
        Ok(answer) => answer,
        Err(error) => Err(CommandError::new(ErrorCode::Failed, error.to_string())),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Ok(Reply),
    Error(CommandError),
}

/// One request on a connection of its own; `patience` bounds the wait for the answer.
async fn exchange(
    path: &Path,
    method: Method,
    uri: &'static str,
    body: Vec<u8>,
    patience: Option<Duration>,
) -> Result<(StatusCode, Bytes), ClientError> {
    let (sender, connection) = handshake(path).await?;
    let talk = async {
        let response = send(sender, method, uri, body).await?;
        let status = response.status();
        let limited = Limited::new(response.into_body(), REPLY_BYTES_MAX).collect().await;
        let body = limited.map_err(|error| ClientError::Strange { what: error.to_string() })?;
        Ok((status, body.to_bytes()))
    };
    // The connection ends only after the answer, or with an error that the answer shows too.
    let both = async {
        let (answer, _) = tokio::join!(talk, connection);
        answer
    };
    match patience {
        None => both.await,
        Some(patience) => timeout(patience, both).await.map_err(|_| ClientError::Silent { path: path.to_owned() })?,
    }
}

type Sender = http1::SendRequest<Full<Bytes>>;
type Connection = http1::Connection<TokioIo<tokio::net::UnixStream>, Full<Bytes>>;

async fn handshake(path: &Path) -> Result<(Sender, Connection), ClientError> {
    let silent = |_| ClientError::Silent { path: path.to_owned() };
    let stream = timeout(ANSWER_TIME, socket::connect(path)).await.map_err(silent)??;
    let made = timeout(ANSWER_TIME, http1::handshake(TokioIo::new(stream))).await.map_err(silent)?;
    made.map_err(|source| ClientError::Broken { source })
}

async fn send(
    mut sender: Sender,
    method: Method,
    uri: &'static str,
    body: Vec<u8>,
) -> Result<Response<Incoming>, ClientError> {
    let request = Request::builder()
        .method(method)
        .uri(uri)
        .header(header::HOST, "potluck")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .expect("constant method, path and headers make a request");
    sender.send_request(request).await.map_err(|source| ClientError::Broken { source })
}

fn strange(error: &serde_json::Error) -> ClientError {
    ClientError::Strange { what: crate::types::clean(&error.to_string(), 200) }
}
