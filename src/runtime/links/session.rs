//! The task of one link: Hello with its deadline, then the control stream both ways and the streams
//! the peer opens. It decides nothing: facts go to the links actor, which sends back what to do. A
//! peer that breaks the protocol, or is too slow to read, loses this link and nothing else.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::{
    sync::{Semaphore, mpsc},
    time::timeout,
};

use super::{
    Fact, News,
    frames::{self, ReadError},
    skew::PeerClock,
};
use crate::{
    core::roster::{Ending, Greeting, LinkNo, Refusal},
    io::{
        clock,
        quic::{BidirectionalStream, Connection, ReceiveStream, SendStream, StreamCode, Streams},
    },
    runtime::{
        input::{LibraryInput, ServingInput},
        tasks::Tasks,
    },
    types::ChunkNo,
    wire::{
        fetch::Status,
        frame::{self, FrameError},
        message::{Control, FIRST_FRAME_SECONDS, Hello, PORTS_MAX, PROTO, PeerAddress, RefusalCode, Request, code},
    },
};

/// The whole of Hello, and the first frame of every stream, must come within this.
const FIRST_FRAME_TIME: Duration = Duration::from_secs(FIRST_FRAME_SECONDS);
/// The actor answers a Hello within this, the probing of another run with the same key included.
const VERDICT_TIME: Duration = Duration::from_secs(10);
/// How long a last message may take to arrive before the link is closed behind it.
const LAST_WORD_TIME: Duration = Duration::from_millis(200);

/// What the actor tells a link.
#[derive(Debug)]
pub(super) enum Order {
    /// It counts. An accepted link answers Hello with this one.
    Admit(Box<Hello>),
    /// It does not.
    Refuse(Refusal),
    /// Send these whole frames.
    Send(Bytes),
    /// Say goodbye and close.
    Goodbye,
}

/// What a link's task is given.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) no: LinkNo,
    pub(super) connection: Connection,
    /// What we dialled.
    pub(super) dialled: Option<SocketAddr>,
    pub(super) facts: mpsc::Sender<Fact>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) tasks: Tasks,
    /// One place for each first frame being read, all links together.
    pub(super) reading: Arc<Semaphore>,
}

impl Session {
    /// Runs the link to its end and reports it. `hello` is what a dialler says.
    pub(super) async fn run(self, mut streams: Streams, mut orders: mpsc::Receiver<Order>, hello: Option<Hello>) {
        let ending = match self.converse(&mut streams, &mut orders, hello).await {
            Ok(()) => Ending::Closed,
            Err(ending) => ending,
        };
        // Without an actor the runtime is ending anyway.
        let _ = self.facts.send(Fact::Ended { link: self.no, ending }).await;
    }

    async fn converse(
        &self,
        streams: &mut Streams,
        orders: &mut mpsc::Receiver<Order>,
        hello: Option<Hello>,
    ) -> Result<(), Ending> {
        let dialled = hello.is_some();
        let greeted = match hello {
            Some(hello) => timeout(FIRST_FRAME_TIME, self.greet(hello)).await,
            None => timeout(FIRST_FRAME_TIME, self.await_greeting(streams)).await,
        };
        let Ok(greeted) = greeted else { return Err(self.breach("Hello took too long")) };
        let (mut receive, mut send, hello, asked) = greeted?;
        let clock = hello.clock.map(|said_ms| PeerClock::between(said_ms, asked, clock::now()));
        let refused =
            if hello.proto == PROTO { None } else { Some((RefusalCode::Version, "another protocol version")) };
        if let Some((code, message)) = refused {
            return Err(self.refuse((&mut receive, &mut send), code, message.to_owned()).await);
        }
        let Some(port) = first_port(&hello) else { return Err(self.breach("a Hello without ports")) };
        let listener = self.dialled.unwrap_or(SocketAddr::new(self.connection.remote_addr().ip(), port));
        let greeting = Greeting { nonce: hello.nonce, name: hello.name.clone(), listener };
        self.tell(Fact::Greeted { link: self.no, greeting, digest: hello.digest(), clock }).await?;

        match timeout(VERDICT_TIME, orders.recv()).await {
            Ok(Some(Order::Admit(ours))) if dialled => drop(ours),
            Ok(Some(Order::Admit(ours))) => {
                let sent = frames::write(&mut send, &Control::HelloAck(now_told(*ours))).await;
                sent.map_err(|_| self.ending())?;
            }
            Ok(Some(Order::Refuse(why))) => {
                let (code, message) = refusal(&why);
                return Err(self.refuse((&mut receive, &mut send), code, message).await);
            }
            Ok(Some(Order::Goodbye | Order::Send(_)) | None) | Err(_) => {
                self.connection.close(code::DONE);
                return Ok(());
            }
        }
        tokio::select! {
            end = self.read(&mut receive) => end,
            end = self.write(&mut send, orders) => end,
            end = self.accept(streams) => end,
        }
    }

    /// The dialler's side: Hello, and its answer, which was written since the instant that comes with it.
    async fn greet(&self, hello: Hello) -> Result<(ReceiveStream, SendStream, Hello, Instant), Ending> {
        let (mut receive, mut send) = self.connection.open().await.map_err(|_| self.ending())?;
        let asked = clock::now();
        frames::write(&mut send, &Request::Hello(now_told(hello))).await.map_err(|_| self.ending())?;
        match frames::read::<Control>(&mut receive).await {
            Ok(Control::HelloAck(hello)) => Ok((receive, send, hello, asked)),
            Ok(Control::Refused { code, message: _ }) => Err(Ending::Refused(match code {
                RefusalCode::Cloned => Refusal::Cloned { other: None },
                RefusalCode::Blocked => Refusal::Blocked,
                RefusalCode::Busy => Refusal::Busy,
                RefusalCode::Own => Refusal::Own,
                RefusalCode::Version | RefusalCode::Other => Refusal::Other,
            })),
            Ok(
                Control::LibrarySummary { .. }
                | Control::LibraryDelta(_)
                | Control::Peers { .. }
                | Control::BadChunk { .. }
                | Control::Goodbye {},
            ) => Err(self.breach("another message instead of an answer to Hello")),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// The accepter's side: the first stream begins with Hello. A dialler writes it when it has our half of the
    /// handshake, so not earlier than a round trip before we have its half.
    async fn await_greeting(
        &self,
        streams: &mut Streams,
    ) -> Result<(ReceiveStream, SendStream, Hello, Instant), Ending> {
        let accepted = clock::now();
        let Ok(Some(stream)) = streams.accept().await else { return Err(self.ending()) };
        let (mut receive, send) = stream.split();
        match frames::read::<Request>(&mut receive).await {
            Ok(Request::Hello(hello)) => {
                let asked = accepted.checked_sub(self.connection.stats().rtt).unwrap_or(accepted);
                Ok((receive, send, hello, asked))
            }
            Ok(
                Request::Library {}
                | Request::Manifest { .. }
                | Request::Hashes { .. }
                | Request::Have { .. }
                | Request::Chunks { .. },
            ) => Err(self.breach("a request before Hello")),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// Says why, and closes when the peer has let go of the stream, so that it has read it.
    async fn refuse(
        &self,
        (receive, send): (&mut ReceiveStream, &mut SendStream),
        code: RefusalCode,
        message: String,
    ) -> Ending {
        let refused = Control::Refused { code, message };
        self.last_word(send, frame::encode(&refused).unwrap_or_default().into()).await;
        // Whatever comes instead, the link is over.
        let _ = timeout(LAST_WORD_TIME, frames::read::<Control>(receive)).await;
        self.connection.close(code::REFUSED);
        Ending::Closed
    }

    /// Sends a last frame and waits, not for long, until it has arrived.
    async fn last_word(&self, send: &mut SendStream, frame: Bytes) {
        let said = async {
            send.send(frame).await?;
            send.flush().await
        };
        // A peer that does not listen any more has lost interest before we did.
        let _ = timeout(LAST_WORD_TIME, said).await;
    }

    async fn read(&self, receive: &mut ReceiveStream) -> Result<(), Ending> {
        loop {
            let message = frames::read::<Control>(receive).await.map_err(|error| self.broken(&error))?;
            self.take(message).await?;
        }
    }

    async fn take(&self, message: Control) -> Result<(), Ending> {
        let peer = self.connection.peer();
        let news = match message {
            Control::LibrarySummary { digest } => News::Library(LibraryInput::Summary { peer, digest }),
            Control::LibraryDelta(delta) => News::Library(LibraryInput::Delta { peer, delta }),
            Control::BadChunk { content, chunk } => {
                News::Serving(ServingInput::BadChunk { peer, content, chunk: ChunkNo(chunk) })
            }
            Control::Peers { peers } => {
                let peers = peers.into_iter().map(|PeerAddress { id, addr }| (id, addr)).collect();
                return self.tell(Fact::Told { teller: self.connection.remote_addr().ip(), peers }).await;
            }
            Control::Goodbye {} => return self.tell(Fact::Goodbye { peer }).await,
            Control::HelloAck(_) | Control::Refused { .. } => return Err(self.breach("Hello is over")),
        };
        self.news.send(news).await.map_err(|_| Ending::Closed)
    }

    async fn write(&self, send: &mut SendStream, orders: &mut mpsc::Receiver<Order>) -> Result<(), Ending> {
        loop {
            match orders.recv().await {
                Some(Order::Send(frames)) => send.send(frames).await.map_err(|_| self.ending())?,
                Some(Order::Goodbye) => {
                    self.last_word(send, frame::encode(&Control::Goodbye {}).unwrap_or_default().into()).await;
                    self.connection.close(code::DONE);
                    return Ok(());
                }
                // A verdict comes once; the actor lets go of a link it closed itself.
                Some(Order::Admit(_) | Order::Refuse(_)) | None => return Ok(()),
            }
        }
    }

    async fn accept(&self, streams: &mut Streams) -> Result<(), Ending> {
        loop {
            let Ok(Some(stream)) = streams.accept().await else { return Err(self.ending()) };
            let Ok(place) = Arc::clone(&self.reading).acquire_owned().await else { return Ok(()) };
            let (connection, news) = (self.connection.clone(), self.news.clone());
            self.tasks.spawn("request", async move {
                take_request(&connection, &news, stream).await;
                drop(place);
            });
        }
    }

    async fn tell(&self, fact: Fact) -> Result<(), Ending> {
        self.facts.send(fact).await.map_err(|_| Ending::Closed)
    }

    /// The other side broke the protocol: it loses the link.
    fn breach(&self, what: &'static str) -> Ending {
        tracing::debug!(peer = %self.connection.peer().short(), what, "a link is closed");
        self.connection.close(code::PROTOCOL);
        Ending::Closed
    }

    fn broken(&self, error: &ReadError) -> Ending {
        match error {
            ReadError::Frame(FrameError::TooLong { .. } | FrameError::Malformed { .. }) => self.breach("a bad frame"),
            ReadError::Ended | ReadError::Stream(_) => self.ending(),
        }
    }

    /// Why nothing goes over the link any more.
    fn ending(&self) -> Ending {
        match self.connection.check() {
            Err(error) if error.is_silence() => Ending::Silence,
            // What a link without a word is refused for: the user blocked us while it stood.
            Err(error) if error.code() == Some(code::REFUSED.into()) => Ending::Refused(Refusal::Blocked),
            Err(error) if error.code() == Some(code::BUSY.into()) => Ending::Refused(Refusal::Busy),
            Err(_) => Ending::Closed,
            Ok(()) => self.breach("the control stream ended before the link"),
        }
    }
}

/// Reads a stream's request and hands both on; a bad one is answered as the protocol says.
async fn take_request(connection: &Connection, news: &mpsc::Sender<News>, mut stream: BidirectionalStream) {
    let peer = connection.peer();
    match timeout(FIRST_FRAME_TIME, frames::read::<Request>(&mut stream)).await {
        Ok(Ok(Request::Hello(_))) => connection.close(code::PROTOCOL),
        Ok(Ok(request)) => {
            // Without anybody who serves, the dropped stream tells the peer.
            let _ = news.send(News::Serving(ServingInput::Request { peer, request, stream })).await;
        }
        Ok(Err(ReadError::Frame(FrameError::Malformed { detail }))) => {
            tracing::debug!(peer = %peer.short(), detail, "a request is refused");
            // The peer may be gone by now; then it needs no answer.
            let _ = stream.send(Bytes::copy_from_slice(&[Status::BadRequest.to_byte()])).await;
        }
        Ok(Err(ReadError::Ended | ReadError::Stream(_))) => {}
        Ok(Err(ReadError::Frame(FrameError::TooLong { .. }))) | Err(_) => {
            let code = StreamCode::from(code::PROTOCOL);
            // Both fail only on a stream that has ended already.
            let _ = stream.reset(code);
            let _ = stream.stop_sending(code);
        }
    }
}

/// A Hello is stamped when it is sent.
fn now_told(hello: Hello) -> Hello {
    Hello { clock: Some(clock::unix_ms()), ..hello }
}

fn first_port(hello: &Hello) -> Option<u16> {
    let ports = &hello.ports;
    (ports.len() <= PORTS_MAX && !ports.contains(&0)).then(|| ports.first().copied()).flatten()
}

/// A refusal as it travels.
fn refusal(why: &Refusal) -> (RefusalCode, String) {
    match why {
        Refusal::Blocked => (RefusalCode::Blocked, "blocked".to_owned()),
        Refusal::Busy => (RefusalCode::Busy, "no room for another link".to_owned()),
        Refusal::Own => (RefusalCode::Own, "this is yourself".to_owned()),
        Refusal::Cloned { other: Some((name, address)) } => {
            (RefusalCode::Cloned, format!("another machine uses this key: {name} at {address}"))
        }
        Refusal::Cloned { other: None } => (RefusalCode::Cloned, "another machine uses this key".to_owned()),
        Refusal::Other => (RefusalCode::Other, String::new()),
    }
}
