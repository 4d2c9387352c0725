//! Gives this very program to seats that do not have it: one file, over HTTP, to machines of this
//! network, a few at a time. It is a copy made at the start of what runs, so that a newer one put in
//! its place is not mixed in. Nothing else is served, and it ends when it is dropped.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use http_body_util::Full;
use hyper::{Method, Request, Response, StatusCode, body::Incoming, header, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use super::extraction::own_program;
use crate::{io::interfaces::Interfaces, wire::elf::Needs};

/// The only path.
const PATH: &str = "/potluck";
/// Seats served at a time; the next ones wait.
const CONNECTIONS_MAX: usize = 8;
/// Of those, by one machine.
const CONNECTIONS_EACH_MAX: usize = 2;
/// One more is taken on only after this: twenty requests a second.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long a seat has to say what it wants.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long one copy may take.
const COPY_TIME: Duration = Duration::from_secs(300);
/// Ports tried beginning with the one that is wanted.
const PORTS_TRIED: u16 = 16;

/// A program that is being handed out.
pub struct HandOut {
    program: Bytes,
    listener: TcpListener,
    connections: FuturesUnordered<BoxFuture<'static, (IpAddr, bool)>>,
    /// Connections each machine has.
    held: BTreeMap<IpAddr, usize>,
    interfaces: Interfaces,
    addresses: Vec<IpAddr>,
}

impl HandOut {
    /// Reads the program and listens at `port`, or one soon after it; at `only` if that is given.
    pub async fn start(port: u16, only: Option<IpAddr>) -> io::Result<Self> {
        let program = Bytes::from(std::fs::read(own_program())?);
        let interfaces = Interfaces::read()?;
        let addresses = only.map_or_else(|| interfaces.lan_ipv4(), |only| vec![only]);
        let listener = listen(only.unwrap_or(IpAddr::from([0, 0, 0, 0])), port).await?;
        Ok(Self {
            program,
            listener,
            connections: FuturesUnordered::new(),
            held: BTreeMap::new(),
            interfaces,
            addresses,
        })
    }

    /// Where it is to be had.
    pub fn urls(&self) -> io::Result<Vec<String>> {
        let port = self.listener.local_addr()?.port();
        Ok(self.addresses.iter().map(|ip| format!("http://{}{PATH}", SocketAddr::new(*ip, port))).collect())
    }

    /// Bytes of the program.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.program.len() as u64
    }

    /// Its BLAKE3 hash, as `b3sum` prints it.
    #[must_use]
    pub fn blake3(&self) -> String {
        blake3::hash(&self.program).to_hex().to_string()
    }

    /// Its SHA-256 hash, as `sha256sum` prints it.
    #[must_use]
    pub fn sha256(&self) -> String {
        HEXLOWER.encode(digest(&SHA256, &self.program).as_ref())
    }

    /// What a machine needs to run it, in words; `None` when that cannot be read from it.
    #[must_use]
    pub fn needs(&self) -> Option<String> {
        let needs = Needs::read(&self.program)?;
        let mut words = format!("Linux on {}", needs.machine);
        if let Some((major, minor)) = needs.glibc {
            words += &format!(" with glibc {major}.{minor} or newer (`ldd --version` tells)");
        }
        if !needs.libraries.is_empty() {
            words += &format!(", and {}", needs.libraries.join(", "));
        }
        Some(words)
    }

    /// Serves until somebody has a whole copy: who.
    pub async fn next(&mut self) -> IpAddr {
        loop {
            let (is_full, listener) = (self.connections.len() >= CONNECTIONS_MAX, &self.listener);
            let accept = async {
                if is_full {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                listener.accept().await
            };
            tokio::select! {
                Some((ip, has_it)) = self.connections.next() => {
                    self.let_go(ip);
                    if has_it {
                        return ip;
                    }
                }
                accepted = accept => match accepted {
                    Ok((stream, from)) => self.take_on(stream, from.ip()),
                    Err(error) => tracing::debug!(%error, "a seat could not be taken on"),
                }
            }
        }
    }

    /// Anybody from elsewhere, and a machine that wants too much at once, is not answered.
    fn take_on(&mut self, stream: TcpStream, ip: IpAddr) {
        let held = self.held.entry(ip).or_default();
        if *held >= CONNECTIONS_EACH_MAX || !self.interfaces.is_near(ip) {
            return;
        }
        *held += 1;
        let served = serve(stream, self.program.clone());
        self.connections.push(served.map(move |has_it| (ip, has_it)).boxed());
    }

    fn let_go(&mut self, ip: IpAddr) {
        if let Some(held) = self.held.get_mut(&ip) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&ip);
            }
        }
    }
}

impl std::fmt::Debug for HandOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HandOut").field("connections", &self.connections.len()).finish_non_exhaustive()
    }
}

async fn listen(ip: IpAddr, port: u16) -> io::Result<TcpListener> {
    let mut last = port;
    loop {
        match TcpListener::bind((ip, last)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && last - port + 1 < PORTS_TRIED => {
                last = last.checked_add(1).ok_or(error)?;
            }
            result => return result,
        }
    }
}

/// One question and its answer; whether that was the program, and all of it went out.
async fn serve(stream: TcpStream, program: Bytes) -> bool {
    let given = Arc::new(AtomicBool::new(false));
    let answering = Arc::clone(&given);
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &program);
        answering.store(response.status() == StatusCode::OK, Ordering::Relaxed);
        std::future::ready(Ok::<_, Infallible>(response))
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .serve_connection(TokioIo::new(stream), service);
    let done = tokio::time::timeout(COPY_TIME, connection).await;
    matches!(done, Ok(Ok(()))) && given.load(Ordering::Relaxed)
}

fn answer<B>(request: &Request<B>, program: &Bytes) -> Response<Full<Bytes>> {
    let refused = |status: StatusCode, words: &'static str| {
        let mut response = Response::new(Full::from(words));
        *response.status_mut() = status;
        response
    };
    if request.uri().path() != PATH {
        return refused(StatusCode::NOT_FOUND, "here is only /potluck\n");
    }
    if request.method() != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "it can only be got\n");
    }
    let mut response = Response::new(Full::new(program.clone()));
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/octet-stream"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_by_one_method() {
        let program = Bytes::from_static(b"program");
        let check = |method: Method, path: &str, expect: StatusCode| {
            let request = Request::builder().method(method).uri(path).body(()).unwrap();
            assert_eq!(answer(&request, &program).status(), expect, "{path}");
        };
        check(Method::GET, "/potluck", StatusCode::OK);
        for path in ["/", "/potluck/", "/potluck/../etc/passwd", "//potluck", "/POTLUCK", "/etc/passwd"] {
            check(Method::GET, path, StatusCode::NOT_FOUND);
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::HEAD] {
            check(method, "/potluck", StatusCode::METHOD_NOT_ALLOWED);
        }
    }
}
